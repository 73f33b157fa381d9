//! One connection: opened, made private, logged in; searches as streams, and changes with what became of them.

use std::collections::HashSet;
use std::net::TcpStream;
use std::pin::Pin;
use std::task::Poll;

use connector::{Error, Retry};
use ldap3::controls::{Assertion, Control, RawControl};
use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Mod, Scope as Within, SearchStream, StdStream,
};
use model::{Cause, Scope};
use tokio::time::timeout;

use super::controls::{self, SyncInfo};
use super::entry::{self, RawEntry};
use super::{result, tls};
use crate::config::{Config, Tls};

/// A search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search<'s> {
    /// Where.
    pub(crate) base: &'s str,
    /// How deep.
    pub(crate) within: Within,
    /// For what.
    pub(crate) filter: &'s str,
    /// Which attributes of it.
    pub(crate) attributes: &'s [String],
}

/// What a search gives.
pub(crate) enum Received {
    /// An entry, with what its controls say.
    Entry(RawEntry, Vec<Control>),
    /// A message in the middle of a synchronisation.
    Info(SyncInfo),
}

/// A connection, logged in.
pub(crate) struct Connection {
    ldap: Ldap,
    config: Config,
    /// Entries that the server sent.
    pub(crate) entries_received: u64,
    /// References to other servers that it sent among them.
    pub(crate) references_received: u64,
    /// How private it is, for people.
    pub(crate) privacy: String,
}

impl Connection {
    /// Connects, without logging in.
    pub(crate) async fn reach(config: &Config) -> Result<Self, Error> {
        let place = config.address();
        let stream = connect(config).await?;
        let mut settings =
            LdapConnSettings::new().set_conn_timeout(config.connect_wait_max).set_std_stream(StdStream::Tcp(stream));
        if config.tls != Tls::None {
            settings = settings.set_config(trust::trust(config.ca_file.clone(), None).await?);
        }
        let (scheme, is_starttls) = match config.tls {
            Tls::Implicit => ("ldaps", false),
            Tls::Starttls => ("ldap", true),
            Tls::None => ("ldap", false),
        };
        settings = settings.set_starttls(is_starttls);
        let opened = LdapConnAsync::with_settings(settings, &format!("{scheme}://{place}")).await;
        let (driver, ldap) = opened.map_err(|error| match &error {
            LdapError::UrlParsing { .. } => {
                let what = format!("{:?} is no name of a server", config.host);
                Error::new(Cause::Connection, Scope::Run, what).retry(Retry::AfterPerson)
            }
            LdapError::Timeout { .. } => {
                let what = format!(
                    "cannot agree on TLS with {place} within {} s: is this port for TLS from the first byte \
                     (tls = \"implicit\")?",
                    config.connect_wait_max.as_secs()
                );
                Error::new(Cause::Tls, Scope::Connection, what).retry(Retry::Later(None))
            }
            error => tls::refusal(error, &config.host, &place),
        })?;
        // It ends with the last handle; what it says of a broken connection is heard by whoever waits for an answer.
        tokio::spawn(async move { driver.drive().await.ok() });
        let privacy = match config.tls {
            Tls::None => NOT_ENCRYPTED.to_owned(),
            Tls::Implicit => "TLS from the first byte, certificate verified".to_owned(),
            Tls::Starttls => "TLS after StartTLS, certificate verified".to_owned(),
        };
        Ok(Self { ldap, config: config.clone(), entries_received: 0, references_received: 0, privacy })
    }

    /// Logs in, as the settings say.
    pub(crate) async fn bind(&mut self) -> Result<(), Error> {
        let (Some(user), Some(password)) = (&self.config.user, &self.config.password) else { return Ok(()) };
        let what = format!("cannot log in to {} as {user}", self.config.address());
        if password.reveal().is_empty() {
            return Err(Error::new(Cause::Login, Scope::Run, format!("{what}: the password is empty")));
        }
        let wait = self.config.answer_wait_max;
        match self.ldap.with_timeout(wait).simple_bind(user, password.reveal()).await {
            Ok(answer) if answer.rc == 0 => Ok(()),
            Ok(answer) => Err(result::refusal(what, &answer)),
            Err(error) => Err(result::broken(what, &error)),
        }
    }

    /// Begins a search.
    pub(crate) async fn search(&mut self, search: Search<'_>, controls: Vec<RawControl>) -> Result<Stream, Error> {
        let what = format!("cannot search {:?} on {}", search.base, self.config.address());
        let wait = self.config.answer_wait_max;
        let ldap = self.ldap.with_timeout(wait).with_controls(controls);
        let attributes = search.attributes.to_vec();
        match ldap.streaming_search(search.base, search.within, search.filter, attributes).await {
            Ok(inner) => Ok(Stream { inner, what }),
            Err(error) => Err(result::broken(what, &error)),
        }
    }

    /// What comes next of a search; none at its end.
    pub(crate) async fn next(&mut self, stream: &mut Stream) -> Result<Option<Received>, Error> {
        let what = &stream.what;
        let odd = || Error::new(Cause::Protocol, Scope::Connection, format!("{what}: what was sent is no entry"));
        loop {
            let Some(received) = stream.inner.next().await.map_err(|error| result::broken(what, &error))? else {
                return Ok(None);
            };
            // References to other servers are not followed: what is to be read is named by the settings.
            if received.is_ref() {
                self.references_received += 1;
                continue;
            }
            if received.is_intermediate() {
                let (name, value) = entry::intermediate(received.0).ok_or_else(odd)?;
                if name == controls::SYNC_INFO {
                    return Ok(Some(Received::Info(controls::sync_info(&value).ok_or_else(odd)?)));
                }
                continue;
            }
            self.entries_received += 1;
            let controls = received.1;
            return Ok(Some(Received::Entry(RawEntry::read(received.0).ok_or_else(odd)?, controls)));
        }
    }

    /// All entries of a search that gives few.
    pub(crate) async fn entries(
        &mut self,
        search: Search<'_>,
        controls: Vec<RawControl>,
    ) -> Result<(Vec<RawEntry>, LdapResult), Error> {
        let mut stream = self.search(search, controls).await?;
        let mut entries = Vec::new();
        while let Some(received) = self.next(&mut stream).await? {
            if let Received::Entry(entry, _) = received {
                entries.push(entry);
            }
        }
        Ok((entries, stream.finish().await))
    }

    /// The entry of this name, if there is one that may be seen.
    pub(crate) async fn entry(&mut self, dn: &str, attributes: &[String]) -> Result<Option<RawEntry>, Error> {
        let search = Search { base: dn, within: Within::Base, filter: "(objectClass=*)", attributes };
        let (entries, answer) = self.entries(search, vec![controls::dacl_only()]).await?;
        match answer.rc {
            0 => Ok(entries.into_iter().next()),
            result::NO_SUCH_OBJECT => Ok(None),
            _ => Err(result::refusal(format!("cannot read {dn:?} on {}", self.config.address()), &answer)),
        }
    }
}

impl Connection {
    /// Another user of this connection, for what is done at the same time.
    pub(crate) fn shared(&self) -> Self {
        Self {
            ldap: self.ldap.clone(),
            config: self.config.clone(),
            entries_received: 0,
            references_received: 0,
            privacy: self.privacy.clone(),
        }
    }

    /// Hands a change over to be sent. What became of it is told by what this gives.
    pub(crate) async fn begin(&self, effect: Effect) -> Begun {
        let mut begun: Begun = Box::pin(made(self.ldap.clone(), self.config.clone(), effect));
        // Asked once it is handed over, and waits for its answer.
        let first = std::future::poll_fn(|context| Poll::Ready(begun.as_mut().poll(context))).await;
        match first {
            Poll::Ready(sent) => Box::pin(std::future::ready(sent)),
            Poll::Pending => begun,
        }
    }
}

/// A change that was handed over.
pub(crate) type Begun = Pin<Box<dyn Future<Output = Sent> + Send>>;

async fn made(mut ldap: Ldap, config: Config, effect: Effect) -> Sent {
    let ldap = ldap.with_timeout(config.answer_wait_max);
    let answer = match effect {
        Effect::Add { dn, attributes } => {
            let attributes = attributes.into_iter().map(|(name, values)| (name.into_bytes(), set(values))).collect();
            ldap.add(&dn, attributes).await
        }
        Effect::Modify { dn, parts } => ldap.modify(&dn, parts.into_iter().map(Part::into_mod).collect()).await,
        Effect::ModifyIf { dn, parts, filter } => {
            let ldap = ldap.with_controls(RawControl { crit: true, ..Assertion::new(filter.as_str()) });
            ldap.modify(&dn, parts.into_iter().map(Part::into_mod).collect()).await
        }
        Effect::Rename { dn, relative } => ldap.modifydn(&dn, &relative, true, None).await,
        Effect::Delete { dn } => ldap.delete(&dn).await,
    };
    match answer {
        Ok(answer) if answer.rc == 0 => Sent::Done,
        Ok(answer) => Sent::Refused(answer),
        // The connection had ended before: nothing was handed to it.
        Err(error @ (LdapError::OpSend { .. } | LdapError::AddNoValues)) => {
            Sent::Not(result::broken(format!("nothing could be sent to {}", config.address()), &error))
        }
        Err(error) => {
            let what = format!("no answer came from {}", config.address());
            Sent::InDoubt(Error { cause: Cause::InDoubt, ..result::broken(what, &error) })
        }
    }
}

fn set(values: Vec<Vec<u8>>) -> HashSet<Vec<u8>> {
    values.into_iter().collect()
}

/// Something that changes the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// A new entry.
    Add {
        /// Its name.
        dn: String,
        /// What it has.
        attributes: Vec<(String, Vec<Vec<u8>>)>,
    },
    /// Other values.
    Modify {
        /// Whose.
        dn: String,
        /// Which, all or none of them.
        parts: Vec<Part>,
    },
    /// Other values, if this holds of the entry (RFC 4528).
    ModifyIf {
        /// Whose.
        dn: String,
        /// Which, all or none of them.
        parts: Vec<Part>,
        /// What is to hold, as a filter.
        filter: String,
    },
    /// Another name, in the same place.
    Rename {
        /// Whose.
        dn: String,
        /// Its new relative name.
        relative: String,
    },
    /// An entry goes.
    Delete {
        /// Which.
        dn: String,
    },
}

/// A part of a modification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// These values come to an attribute.
    Add(String, Vec<Vec<u8>>),
    /// These values go from an attribute; refused where one is not there.
    Delete(String, Vec<Vec<u8>>),
}

impl Part {
    fn into_mod(self) -> Mod<Vec<u8>> {
        match self {
            Self::Add(name, values) => Mod::Add(name.into_bytes(), set(values)),
            Self::Delete(name, values) => Mod::Delete(name.into_bytes(), set(values)),
        }
    }
}

/// What became of a change.
#[derive(Debug)]
pub(crate) enum Sent {
    /// It is made.
    Done,
    /// The server refused it, all of it.
    Refused(LdapResult),
    /// It never left.
    Not(Error),
    /// Nobody knows.
    InDoubt(Error),
}

/// A search on its way.
pub(crate) struct Stream {
    inner: SearchStream<'static, String, Vec<String>>,
    what: String,
}

impl Stream {
    /// How it ended.
    pub(crate) async fn finish(mut self) -> LdapResult {
        self.inner.finish().await
    }
}

/// What is said of a connection without TLS.
pub(crate) const NOT_ENCRYPTED: &str =
    "NOT ENCRYPTED: passwords and people's data can be read on the way (tls = \"none\")";

/// A TCP connection that notices when the other side is gone.
async fn connect(config: &Config) -> Result<TcpStream, Error> {
    let place = config.address();
    let failed = |why: String| {
        let what = format!("cannot connect to {place}: {why}");
        Error::new(Cause::Connection, Scope::Connection, what).retry(Retry::Later(None))
    };
    let wait = config.connect_wait_max;
    let stream = timeout(wait, tokio::net::TcpStream::connect((config.host.as_str(), config.port()))).await;
    let stream = stream.map_err(|_| failed(format!("no answer within {} s", wait.as_secs())))?;
    let stream = stream.map_err(|error| failed(error.to_string()))?;
    let socket = socket2::SockRef::from(&stream);
    // A socket that does not know one of these is as good as before.
    let _ = socket.set_tcp_user_timeout(Some(config.unacknowledged_max));
    let _ = socket.set_keepalive(true);
    let _ = socket.set_tcp_nodelay(true);
    stream.into_std().map_err(|error| failed(error.to_string()))
}
