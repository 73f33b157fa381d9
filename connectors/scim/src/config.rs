//! How a platform that speaks SCIM is reached, and what of it is read. The doc comments here are the reference manual.
//!
//! These types are read from the project's `whimbrel.toml` by the service; tokens and passwords never stand in them as text,
//! they are resolved elsewhere (from the environment or a file) and put in as a [`Secret`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use connector::Secret;
use http::Base;
use model::{AccountState, EntryKind};
use serde::Deserialize;

use crate::map::fields::{Field, Path};

/// How long to wait for a TCP connection and for the TLS handshake, each.
pub const CONNECT_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a server may be silent while it owes an answer. A page of a large platform takes seconds.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_secs(120);

/// How long bytes written may stay unacknowledged before the connection is given up: within the margin that a successor
/// waits after a lease has ended.
pub const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(20);

/// The longest that is waited at once, and in all for one request, because a server asks to go slower. Whoever is to wait
/// longer comes again another time.
pub const THROTTLE_WAIT_MAX: Duration = Duration::from_secs(120);

/// Entries of a page.
pub const PAGE_ENTRIES: usize = 200;

/// The largest answer that is taken. A page is held in memory, and so is a list with all its members: 200,000 of them have
/// room in this.
pub const ANSWER_BYTES_MAX: usize = 32 << 20;

/// A platform that is reached by SCIM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where it is: what stands before `/Users`, such as `https://scim.national.example/scim/v2`. The server's certificate
    /// must be for the name in it.
    pub url: String,
    /// How the connection is kept private; TLS when left out. `none` goes with an address that begins with `http://`.
    #[serde(default)]
    pub tls: Tls,
    /// A file of certificates (PEM) of a private CA that is trusted besides those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// A token that lets us in (RFC 6750). Not read from here: whoever reads the project resolves it and puts it in.
    #[serde(skip)]
    pub token: Option<Secret>,
    /// Who logs in, where there is no token, with name and password.
    #[serde(default)]
    pub user: Option<String>,
    /// Its password. Not read from here either.
    #[serde(skip)]
    pub password: Option<Secret>,
    /// Code of the organisation that everyone belongs to where no attribute says otherwise.
    #[serde(default)]
    pub organisation: Option<String>,
    /// Only entries that the platform has under this code of an organisation.
    #[serde(default)]
    pub scope_organisation: Option<String>,
    /// Which users are in scope, as a filter of RFC 7644. Left out: all.
    #[serde(default)]
    pub filter: Option<String>,
    /// Which groups are in scope, as a filter of RFC 7644. Left out: all.
    #[serde(default)]
    pub group_filter: Option<String>,
    /// Groups are read, as lists.
    #[serde(default = "yes")]
    pub groups: bool,
    /// Which attribute of a user means what, where it differs from what is usual: for a field the path of an attribute, such as
    /// `urn:example:2.0:User:proxyAddresses`; an empty one says that nothing holds the field. The fields and what is usual
    /// for them stand in the crate's documentation.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// The same of a group.
    #[serde(default)]
    pub group_attributes: BTreeMap<String, String>,
    /// Further attributes to read by their own paths, for filters and rules.
    #[serde(default)]
    pub other: Vec<String>,
    /// By which value of the attribute `kind` a kind of entry is told. Left out: the names of the kinds; a person has none.
    #[serde(default)]
    pub kinds: BTreeMap<EntryKind, String>,
    /// By which value of the attribute `state` a state is told. Left out: the names of the states, but for those that
    /// `active` alone tells: active and disabled.
    #[serde(default)]
    pub states: BTreeMap<AccountState, String>,
    /// What is made there can be used at once: the platform has no accounts that wait to be accepted.
    #[serde(default)]
    pub makes_live: bool,
    /// The attribute of a user that says that the first password has to be changed at the first login, true or false: written with it
    /// . Left out: the platform has that by itself, or not at all.
    #[serde(default)]
    pub must_change: Option<String>,
    /// Entries of a page.
    #[serde(default = "page_entries")]
    pub page_entries: usize,
    /// How long bytes written may stay unacknowledged; set by the engine, within its lease margin.
    #[serde(skip, default = "unacknowledged_max")]
    pub unacknowledged_max: Duration,
    /// How long a server may be silent while it owes an answer.
    #[serde(skip, default = "answer_wait_max")]
    pub answer_wait_max: Duration,
    /// How long to wait for a connection.
    #[serde(skip, default = "connect_wait_max")]
    pub connect_wait_max: Duration,
    /// How long to wait because the server asks to go slower.
    #[serde(skip, default = "throttle_wait_max")]
    pub throttle_wait_max: Duration,
    /// The largest answer that is taken.
    #[serde(skip, default = "answer_bytes_max")]
    pub answer_bytes_max: usize,
}

/// How the connection is kept private. The certificate is always verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// TLS from the first byte (https).
    #[default]
    Implicit,
    /// None: tokens, passwords and people's data can be read on the way. For loopback and networks that are private by other
    /// means.
    None,
}

fn yes() -> bool {
    true
}

fn page_entries() -> usize {
    PAGE_ENTRIES
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

fn throttle_wait_max() -> Duration {
    THROTTLE_WAIT_MAX
}

fn answer_bytes_max() -> usize {
    ANSWER_BYTES_MAX
}

impl Config {
    /// A platform at this address with everything else as when left out of the project.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            tls: Tls::default(),
            ca_file: None,
            token: None,
            user: None,
            password: None,
            organisation: None,
            scope_organisation: None,
            filter: None,
            group_filter: None,
            groups: true,
            attributes: BTreeMap::new(),
            group_attributes: BTreeMap::new(),
            other: Vec::new(),
            kinds: BTreeMap::new(),
            states: BTreeMap::new(),
            makes_live: false,
            must_change: None,
            page_entries: PAGE_ENTRIES,
            unacknowledged_max: UNACKNOWLEDGED_MAX,
            answer_wait_max: ANSWER_WAIT_MAX,
            connect_wait_max: CONNECT_WAIT_MAX,
            throttle_wait_max: THROTTLE_WAIT_MAX,
            answer_bytes_max: ANSWER_BYTES_MAX,
        }
    }

    /// What is wrong with these settings, if anything: what no server could make right.
    pub fn mistake(&self) -> Option<String> {
        self.mistake_of_connection().or_else(|| self.mistake_of_map())
    }

    fn mistake_of_connection(&self) -> Option<String> {
        let base = match Base::parse(&self.url) {
            Ok(base) => base,
            // The address may hold a password where it is wrong, so it is not shown.
            Err(why) => {
                return Some(format!("url is no address of a server, such as https://scim.example/scim/v2: {why}"));
            }
        };
        if base.is_tls != (self.tls == Tls::Implicit) {
            return Some(
                "url and tls do not go together: write https://, or http:// with tls = \"none\" for a server that can be \
                 read on the way"
                    .to_owned(),
            );
        }
        if self.page_entries == 0 {
            return Some("page_entries = 0 reads nothing: give at least 1".to_owned());
        }
        match (&self.token, &self.user, &self.password) {
            (Some(_), Some(_), _) => Some("there is a token and a user: give one of them".to_owned()),
            // What ends a line would end the header, and what follows would be taken for ours.
            (Some(token), None, _) if !is_one_word(token.reveal()) => {
                Some("the token is empty, or holds more than letters, numbers and signs".to_owned())
            }
            (None, Some(user), _) if user.is_empty() || user.contains(':') || user.contains(char::is_control) => {
                Some("user is empty, or holds a colon: that is no name to log in with".to_owned())
            }
            (None, Some(user), None) => Some(format!("{user} has no password: give one, or a token")),
            (None, None, Some(_)) => Some("there is a password but no user: give its name".to_owned()),
            _ => None,
        }
    }

    fn mistake_of_map(&self) -> Option<String> {
        for (setting, attributes) in [("attributes", &self.attributes), ("group_attributes", &self.group_attributes)] {
            for (name, path) in attributes {
                if Field::from_name(name).is_none() {
                    let fields: Vec<&str> = Field::EVERY.iter().map(|field| field.name()).collect();
                    return Some(format!("{setting}: there is no field {name:?}; there are {}", fields.join(", ")));
                }
                if !path.is_empty() && Path::parse(path).is_none() {
                    return Some(format!("{setting}: {path:?} is no path of an attribute"));
                }
            }
        }
        if let Some(odd) = self.must_change.iter().find(|path| Path::parse(path).is_none()) {
            return Some(format!("must_change {odd:?} is no path of an attribute"));
        }
        if let Some(odd) = self.other.iter().find(|path| Path::parse(path).is_none()) {
            return Some(format!("other: {odd:?} is no path of an attribute"));
        }
        let values = self.kinds.values().chain(self.states.values());
        values.into_iter().any(String::is_empty).then(|| "kinds, states: a value is empty".to_owned())
    }
}

fn is_one_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_named() {
        let good = Config::new("https://scim.example/v2");
        assert_eq!(good.mistake(), None);
        let wrong = |change: &dyn Fn(&mut Config), words: &str| {
            let mut config = good.clone();
            change(&mut config);
            let mistake = config.mistake().unwrap();
            assert!(mistake.contains(words), "{mistake}");
        };
        wrong(&|c| c.url = "scim.example".into(), "no address");
        wrong(&|c| c.url = "http://scim.example".into(), "do not go together");
        wrong(&|c| c.tls = Tls::None, "do not go together");
        wrong(&|c| c.token = Some(Secret::new("a\r\nX: y")), "the token");
        wrong(&|c| c.user = Some("u".into()), "no password");
        wrong(&|c| c.password = Some(Secret::new("p")), "no user");
        wrong(&|c| c.page_entries = 0, "page_entries");
        wrong(&|c| drop(c.attributes.insert("nonsense".into(), "title".into())), "no field");
        wrong(&|c| drop(c.attributes.insert("job_title".into(), "a b".into())), "no path");
        wrong(&|c| c.other = vec!["a[b]".into()], "no path");
    }

    #[test]
    fn a_wrong_address_does_not_show_what_stands_in_it() {
        let mistake = Config::new("https://me:hunter2@scim.example/").mistake().unwrap();
        assert!(!mistake.contains("hunter2"), "{mistake}");
    }
}
