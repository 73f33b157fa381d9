//! How a ManageSieve server is reached and logged in to. The doc comments here are the reference manual.
//!
//! These types are read from the project's `whimbrel.toml` by the service; passwords never stand in them as text, they are
//! resolved elsewhere (from the environment or a file) and put in as a [`Secret`].

use std::path::PathBuf;
use std::time::Duration;

use connector::Secret;
use connector::router::SenderMode;
pub use sasl::Impersonate;
use serde::Deserialize;

/// The port of ManageSieve (RFC 5804 section 1.8).
pub const PORT: u16 = 4190;

/// How long to wait for a TCP connection, for the TLS handshake and for the greeting, each.
pub const CONNECT_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a whole answer may take. A server compiles a script before it answers, which takes seconds for the largest.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_mins(2);

/// How long bytes written may stay unacknowledged before the connection is given up: within the margin that a successor
/// waits after a lease has ended.
pub const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(20);

/// How many connections to a server at once, unless the project says otherwise.
pub const CONNECTIONS_MAX: usize = 8;

/// What our script is called, unless the project says otherwise.
pub const SCRIPT: &str = "whimbrel";

/// A ManageSieve server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The server's name, or its address. Its certificate must be for this name.
    pub host: String,
    /// The port; 4190 when left out.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is kept private; TLS after STARTTLS when left out, which is what the protocol has.
    #[serde(default)]
    pub tls: Tls,
    /// A file of certificates (PEM) of a private CA that is trusted besides those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The bytes of that file, where whoever reads the project has them already.
    #[serde(skip)]
    pub ca: Option<Vec<u8>>,
    /// Connections to this server at once, all people together.
    #[serde(default = "connections_max")]
    pub connections_max: usize,
    /// The account that logs in for everyone. Left out: each person logs in with their own name and password. A person
    /// whose own password is known logs in with that in either case.
    #[serde(default)]
    pub login: Option<Login>,
    /// What becomes of the sender of mail that the site's server sends on: `kept`, `srs` or `trusted-relay`. Only who runs the site knows.
    #[serde(default)]
    pub sender: SenderMode,
    /// What our script is called among each person's own; `whimbrel` when left out. Where a person has one of that name already,
    /// ours gets `-2` to `-9` behind it.
    #[serde(default = "script")]
    pub script: String,
    /// How long bytes written may stay unacknowledged; set by the engine, within its lease margin.
    #[serde(skip, default = "unacknowledged_max")]
    pub unacknowledged_max: Duration,
    /// How long a whole answer may take.
    #[serde(skip, default = "answer_wait_max")]
    pub answer_wait_max: Duration,
    /// How long to wait for a connection.
    #[serde(skip, default = "connect_wait_max")]
    pub connect_wait_max: Duration,
}

/// How the connection is kept private. The certificate is always verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// TLS after the command STARTTLS; refused when the server does not offer it.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// None: passwords and scripts can be read on the way. For loopback and networks that are private by other means.
    None,
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
    /// How it reaches each person's scripts.
    #[serde(default)]
    pub impersonate: Impersonate,
}

fn connections_max() -> usize {
    CONNECTIONS_MAX
}

fn script() -> String {
    SCRIPT.to_owned()
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
    /// A server at this host with everything else as when left out of the project.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: None,
            tls: Tls::default(),
            ca_file: None,
            ca: None,
            connections_max: CONNECTIONS_MAX,
            login: None,
            sender: SenderMode::default(),
            script: script(),
            unacknowledged_max: UNACKNOWLEDGED_MAX,
            answer_wait_max: ANSWER_WAIT_MAX,
            connect_wait_max: CONNECT_WAIT_MAX,
        }
    }

    /// The port, said or usual.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(PORT)
    }

    /// The endpoint's name for people: `host:port`.
    pub fn address(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{host}:{}", self.port())
    }

    /// What is wrong with these settings, if anything: what no server could make right.
    pub fn mistake(&self) -> Option<String> {
        if self.host.is_empty() {
            return Some("host is empty: give the server's name".to_owned());
        }
        if self.connections_max == 0 {
            return Some("connections_max = 0 allows no connection: give at least 1".to_owned());
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.script.is_empty() || self.script.len() > 64 || !self.script.chars().all(is_plain) {
            return Some("script is no name that every server takes: give up to 64 letters, digits, - _ .".to_owned());
        }
        let login = self.login.as_ref()?;
        if login.user.is_empty() {
            return Some("login.user is empty: give the name of the account that logs in".to_owned());
        }
        login.password.is_none().then(|| "login has no password: give one".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_named() {
        let good = Config::new("mail.example");
        assert_eq!((good.mistake(), good.address()), (None, "mail.example:4190".to_owned()));
        let wrong = |change: &dyn Fn(&mut Config), words: &str| {
            let mut config = good.clone();
            change(&mut config);
            let mistake = config.mistake().unwrap();
            assert!(mistake.contains(words), "{mistake}");
        };
        wrong(&|c| c.host.clear(), "host is empty");
        wrong(&|c| c.connections_max = 0, "at least 1");
        wrong(&|c| c.script = "a\"b".into(), "no name");
        let login = |user: &str| Login { user: user.into(), password: None, impersonate: Impersonate::Authzid };
        wrong(&|c| c.login = Some(login("")), "login.user");
        wrong(&|c| c.login = Some(login("m")), "no password");
    }
}
