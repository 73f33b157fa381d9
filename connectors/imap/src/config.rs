//! How an IMAP endpoint is reached and logged in to. The doc comments here are the reference manual.
//!
//! These types are read from the project's `whimbrel.toml` by the service; passwords never stand in them as text, they are
//! resolved elsewhere (from the environment or a file) and put in as a [`Secret`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use connector::{Pace, Secret};
pub use sasl::Impersonate;
use serde::Deserialize;

/// How long to wait for a TCP connection and for the TLS handshake, each: long enough for a server under load, short
/// enough that a dead one is reported while somebody is looking.
pub const CONNECT_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a server may be silent while it owes an answer, or take no byte while one is written. Opening a very large
/// folder or flushing a large batch to disk takes minutes on slow storage; Dovecot and Exchange themselves give up on a
/// silent peer after 5 to 30 minutes.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_mins(5);

/// How long bytes written to a target may stay unacknowledged before the connection is given up, unless the engine says
/// otherwise: it must lie within the margin that a successor waits after a lease has ended.
pub const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(20);

/// How many connections to a server at once, unless the project says otherwise: what most servers allow one client.
pub const CONNECTIONS_MAX: usize = 8;

/// An IMAP endpoint.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The server's name, or its address. Its certificate must be for this name.
    pub host: String,
    /// The port; 993 with `tls = "implicit"`, else 143, when left out.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is kept private; TLS from the first byte when left out.
    #[serde(default)]
    pub tls: Tls,
    /// A file of certificates (PEM) of a private CA that is trusted besides those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Connections to this server at once, all people together.
    #[serde(default = "connections_max")]
    pub connections_max: usize,
    /// Whether to compress (COMPRESS=DEFLATE, RFC 4978) where the server offers it.
    #[serde(default)]
    pub compress: Compress,
    /// The account that logs in for everyone. Left out: each person logs in with their own name and password. A person
    /// whose own password is known logs in with that in either case.
    #[serde(default)]
    pub login: Option<Login>,
    /// The certificates of that file, where they are known already.
    #[serde(skip)]
    pub ca: Option<Vec<u8>>,
    /// How fast the server may be asked.
    #[serde(skip)]
    pub pace: Option<Arc<dyn Pace>>,
    /// How long bytes written to a target may stay unacknowledged; set by the engine, within its lease margin.
    #[serde(skip, default = "unacknowledged_max")]
    pub unacknowledged_max: Duration,
    /// How long a server may be silent while it owes an answer.
    #[serde(skip, default = "answer_wait_max")]
    pub answer_wait_max: Duration,
    /// How long to wait for a connection.
    #[serde(skip, default = "connect_wait_max")]
    pub connect_wait_max: Duration,
}

fn connections_max() -> usize {
    CONNECTIONS_MAX
}

fn unacknowledged_max() -> Duration {
    UNACKNOWLEDGED_MAX
}

fn answer_wait_max() -> Duration {
    ANSWER_WAIT_MAX
}

fn connect_wait_max() -> Duration {
    CONNECT_WAIT_MAX
}

impl Config {
    /// An endpoint at this host with everything else as when left out of the project.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: None,
            tls: Tls::default(),
            ca_file: None,
            connections_max: CONNECTIONS_MAX,
            compress: Compress::default(),
            login: None,
            ca: None,
            pace: None,
            unacknowledged_max: UNACKNOWLEDGED_MAX,
            answer_wait_max: ANSWER_WAIT_MAX,
            connect_wait_max: CONNECT_WAIT_MAX,
        }
    }

    /// The port, said or usual.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            Tls::Implicit => 993,
            Tls::Starttls | Tls::None => 143,
        })
    }

    /// The endpoint's name for people: `host:port`.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port())
        } else {
            format!("{}:{}", self.host, self.port())
        }
    }

    /// What is wrong with these settings, if anything: what no server could make right.
    pub fn mistake(&self) -> Option<String> {
        if self.host.is_empty() {
            return Some("host is empty: give the server's name".to_owned());
        }
        if self.connections_max == 0 {
            return Some("connections_max = 0 allows no connection: give at least 1".to_owned());
        }
        let login = self.login.as_ref()?;
        if login.user.is_empty() {
            return Some("login.user is empty: give the name of the account that logs in".to_owned());
        }
        match (&login.password, &login.token, &login.impersonate) {
            (None, None, _) => Some("login has neither a password nor a token: give one of them".to_owned()),
            (Some(_), Some(_), _) => Some("login has both a password and a token: give one of them".to_owned()),
            (_, Some(_), Impersonate::Master(_)) => {
                Some("login.impersonate = \"master:…\" needs a password; a token can't log in so".to_owned())
            }
            _ => None,
        }
    }
}

/// How the connection is kept private. The certificate is always verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// TLS from the first byte.
    #[default]
    Implicit,
    /// TLS after the command STARTTLS; refused when the server does not offer it.
    Starttls,
    /// None: passwords and mail can be read on the way. For loopback and networks that are private by other means.
    None,
}

/// Whether to compress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compress {
    /// Where offered, unless the server is on this machine.
    #[default]
    Auto,
    /// Where offered.
    Always,
    /// Never.
    Never,
}

/// The account that logs in for everyone.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Its name.
    pub user: String,
    /// Its password. Not read from here: whoever reads the project resolves it and puts it in.
    #[serde(skip)]
    pub password: Option<Secret>,
    /// Where its OAuth access token comes from, in place of a password.
    #[serde(default)]
    pub token: Option<TokenSource>,
    /// How it reaches each person's store.
    #[serde(default)]
    pub impersonate: Impersonate,
}

/// Where an OAuth access token comes from. It is read anew for each connection, so whoever writes it keeps it fresh.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenSource {
    /// A program with its arguments, which prints the token and ends. `{person}` in an argument is replaced by the
    /// person's name. It is run without a shell.
    Command(Vec<String>),
    /// A file that holds the token and that only this user may read. `{person}` in its name is replaced by the person's
    /// name.
    File(PathBuf),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_port_follows_tls() {
        let mut config = Config::new("mail.example");
        assert_eq!(config.address(), "mail.example:993");
        config.tls = Tls::Starttls;
        assert_eq!(config.address(), "mail.example:143");
        config.host = "::1".to_owned();
        config.port = Some(10143);
        assert_eq!(config.address(), "[::1]:10143");
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        let mut config = Config::new("mail.example");
        assert_eq!(config.mistake(), None);
        let login = Login { user: "m".to_owned(), password: None, token: None, impersonate: Impersonate::Authzid };
        config.login = Some(login.clone());
        assert!(config.mistake().unwrap().contains("neither a password nor a token"));
        config.login = Some(Login { password: Some(Secret::new("x")), ..login.clone() });
        assert_eq!(config.mistake(), None);
        let token = Some(TokenSource::File("t".into()));
        config.login = Some(Login { token: token.clone(), impersonate: Impersonate::Master("*".to_owned()), ..login });
        assert!(config.mistake().unwrap().contains("needs a password"));
        config.connections_max = 0;
        assert!(config.mistake().unwrap().contains("at least 1"));
    }
}
