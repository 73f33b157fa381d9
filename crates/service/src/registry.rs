//! The registry: which connector an endpoint of the project is. One line a kind.

use std::sync::Arc;
use std::time::Duration;

use connector::{Clock, Connector, Pace};

use crate::Error;
use crate::config::{CompressEntry, Config, EndpointEntry, ImapEntry, LoginEntry, SecretEntry, TlsEntry, TokenEntry};
use crate::secret::{self, Environment};

/// The kinds of endpoints there are.
pub(crate) const KINDS: [&str; 4] = ["imap", "maildir", "mbox", "eml"];

/// What a connector is made with besides its configuration.
pub(crate) struct Means<'m> {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) environment: Environment<'m>,
    /// A random text of letters and digits.
    pub(crate) unique: String,
    /// How long written bytes may stay unacknowledged.
    pub(crate) unacknowledged_max: Duration,
    /// How fast the endpoint may be asked.
    pub(crate) pace: Option<Arc<dyn Pace>>,
}

/// The kind of an endpoint.
pub(crate) fn kind(entry: &EndpointEntry) -> &'static str {
    match entry {
        EndpointEntry::Imap(_) => "imap",
        EndpointEntry::Maildir(_) => "maildir",
        EndpointEntry::Mbox(_) => "mbox",
        EndpointEntry::Eml(_) => "eml",
    }
}

/// The connector of an endpoint.
pub(crate) fn connector(
    config: &Config,
    name: &str,
    entry: &EndpointEntry,
    means: &Means<'_>,
) -> Result<Arc<dyn Connector>, Error> {
    match entry {
        EndpointEntry::Imap(entry) => imap(config, name, entry, means),
        EndpointEntry::Maildir(entry) => {
            let (settings, unique) = (entry.settings(&config.folder), means.unique.clone());
            Ok(Arc::new(maildir::MaildirConnector::new(settings, means.clock.clone(), unique)))
        }
        EndpointEntry::Mbox(entry) => {
            Ok(Arc::new(mbox::MboxConnector::new(entry.settings(&config.folder), means.clock.clone())))
        }
        EndpointEntry::Eml(entry) => {
            let (settings, unique) = (entry.settings(&config.folder), means.unique.clone());
            Ok(Arc::new(eml::EmlConnector::new(settings, means.clock.clone(), unique)))
        }
    }
}

/// What a source is watched with, and on how many connections.
pub(crate) type Watched = (Arc<dyn Connector>, u64);

/// A connector of its own for the connections on which a source is watched; none where nobody waits.
pub(crate) fn watching(
    config: &Config,
    name: &str,
    entry: &EndpointEntry,
    means: &Means<'_>,
) -> Result<Option<Watched>, Error> {
    /// Connections on which sources are watched, unless the project says otherwise.
    const WATCH_CONNECTIONS_MAX: u64 = 16;
    let EndpointEntry::Imap(entry) = entry else { return Ok(None) };
    let max = entry.watch_connections_max.unwrap_or(WATCH_CONNECTIONS_MAX);
    if max == 0 {
        return Ok(None);
    }
    let entry = ImapEntry { connections_max: usize::try_from(max).ok(), ..entry.clone() };
    Ok(Some((imap(config, name, &entry, means)?, max)))
}

/// How many mailboxes may be open at an endpoint at once; none where nothing limits that.
pub(crate) fn mailboxes_max(entry: &EndpointEntry) -> Option<usize> {
    match entry {
        EndpointEntry::Imap(entry) => Some(entry.connections_max.unwrap_or(imap::CONNECTIONS_MAX)),
        EndpointEntry::Maildir(_) | EndpointEntry::Mbox(_) | EndpointEntry::Eml(_) => None,
    }
}

/// A connector of a kind without an endpoint: only for what it declares.
pub(crate) fn declaration(kind: &str) -> Option<connector::Declaration> {
    match kind {
        "imap" => Some(imap::declaration()),
        "maildir" => Some(maildir::declaration(maildir::Keywords::Dovecot)),
        "mbox" => Some(mbox::declaration(mbox::Dialect::Auto)),
        "eml" => Some(eml::declaration()),
        _ => None,
    }
}

fn imap(config: &Config, name: &str, entry: &ImapEntry, means: &Means<'_>) -> Result<Arc<dyn Connector>, Error> {
    let mut settings = imap::Config::new(entry.host.clone());
    settings.port = entry.port;
    settings.tls = match entry.tls {
        None | Some(TlsEntry::Implicit) => imap::Tls::Implicit,
        Some(TlsEntry::Starttls) => imap::Tls::Starttls,
        Some(TlsEntry::None) => imap::Tls::None,
    };
    settings.ca_file = entry.ca_file.as_ref().map(|path| config.path(path));
    settings.compress = match entry.compress {
        None | Some(CompressEntry::Auto) => imap::Compress::Auto,
        Some(CompressEntry::Always) => imap::Compress::Always,
        Some(CompressEntry::Never) => imap::Compress::Never,
    };
    if let Some(max) = entry.connections_max {
        settings.connections_max = max;
    }
    settings.ca = settings.ca_file.as_ref().and_then(|path| config.files.bytes(path));
    settings.pace.clone_from(&means.pace);
    settings.unacknowledged_max = means.unacknowledged_max;
    let whose = format!("{}: [endpoints.{name}]", crate::config::FILE);
    settings.login = entry.login.as_ref().map(|login| self::login(config, &whose, login, means)).transpose()?;
    let connector = imap::ImapConnector::new(settings).map_err(|error| Error::usage(format!("{whose}: {error}")))?;
    Ok(Arc::new(connector))
}

fn login(config: &Config, whose: &str, entry: &LoginEntry, means: &Means<'_>) -> Result<imap::Login, Error> {
    let whose = format!("{whose} login");
    let password = match &entry.password {
        None => None,
        Some(SecretEntry::Env(name)) => Some(secret::from_environment(name, &whose, means.environment)?),
        Some(SecretEntry::File(path)) => Some(config.files.secret(&config.path(path), &whose)?),
    };
    let token = entry.token.as_ref().map(|token| match token {
        TokenEntry::Command(command) => imap::TokenSource::Command(command.clone()),
        TokenEntry::File(path) => imap::TokenSource::File(config.path(path)),
    });
    let impersonate = match &entry.impersonate {
        None => imap::Impersonate::Authzid,
        Some(text) => imap::Impersonate::try_from(text.clone())
            .map_err(|error| Error::usage(format!("{whose}: impersonate: {error}")))?,
    };
    Ok(imap::Login { user: entry.user.clone(), password, token, impersonate })
}
