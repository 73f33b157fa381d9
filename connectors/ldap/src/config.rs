//! How a directory is reached, what of it is read, and how entries are written. The doc comments here are the reference manual.
//!
//! These types are read from the project's `whimbrel.toml` by the service; passwords never stand in them as text, they are
//! resolved elsewhere (from the environment or a file) and put in as a [`Secret`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use connector::Secret;
use model::{AccountState, EntryKind};
use serde::Deserialize;

use crate::map::attributes::{Attributes, Field};
use crate::wire::{dn::Dn, filter};

/// How long to wait for a TCP connection and for the TLS handshake, each.
pub const CONNECT_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a server may be silent while it owes an answer. A search that no index serves takes minutes on a large directory;
/// Active Directory itself ends one after two.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_mins(5);

/// How long bytes written may stay unacknowledged before the connection is given up, unless the engine says otherwise: it must
/// lie within the margin that a successor waits after a lease has ended.
pub const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(20);

/// How far before the latest change that was seen is looked again, where changes are learnt by times: a change made on another
/// server comes later than its time says, by as long as replication takes, and clocks differ. Telling an entry twice costs little.
pub const OVERLAP: Duration = Duration::from_mins(10);

/// Entries of a page: half of what Active Directory gives at most (MaxPageSize), since a page is held in memory.
pub const PAGE_ENTRIES: usize = 500;

/// Changes that are on their way at once: enough that the way there and back does not count, few enough for any server.
pub const AT_ONCE: usize = 16;

/// What kind of directory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Active Directory, or Samba as one.
    ActiveDirectory,
    /// Another directory that speaks LDAP: OpenLDAP, 389 Directory Server and their kin.
    Ldap,
}

impl Kind {
    /// Its name, in settings and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::ActiveDirectory => "active-directory",
            Self::Ldap => "ldap",
        }
    }
}

/// A directory that is reached by LDAP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What kind of directory it is: `active-directory` or `ldap`. It decides what is left out below.
    pub kind: Kind,
    /// The server's name. Its certificate must be for this name. For Active Directory name one domain controller, not the
    /// domain: what changed since is known to each controller by numbers of its own.
    pub host: String,
    /// The port; 636 with `tls = "implicit"`, else 389, when left out.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is kept private; TLS from the first byte when left out.
    #[serde(default)]
    pub tls: Tls,
    /// A file of certificates (PEM) of a private CA that is trusted besides those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Who logs in: a distinguished name, or in Active Directory also `user@domain`. Left out: nobody does, and what
    /// everybody may read is read.
    #[serde(default)]
    pub user: Option<String>,
    /// Its password. Not read from here: whoever reads the project resolves it and puts it in.
    #[serde(skip)]
    pub password: Option<Secret>,
    /// Where to read: distinguished names, each with all below it. Left out: the server's own naming context.
    #[serde(default)]
    pub bases: Vec<String>,
    /// Which objects are entries at all, as a filter of RFC 4515. Left out: people, contacts and groups, less what a system
    /// made for itself.
    #[serde(default)]
    pub objects: Option<String>,
    /// Which of them are in scope, as a filter of RFC 4515. Left out: all.
    #[serde(default)]
    pub filter: Option<String>,
    /// Only members of this group, by its distinguished name; members of groups within it count. The group itself
    /// is not in scope, groups within it are.
    #[serde(default)]
    pub scope_group: Option<String>,
    /// Which attributes mean what, where it differs from what is usual: for a field, attributes in the order in which they are
    /// asked; where none of them has a value the first is written. An empty list: none. The fields and what is usual for them
    /// stand in the crate's documentation.
    #[serde(default)]
    pub attributes: BTreeMap<String, Vec<String>>,
    /// Further attributes to read by their own names, for filters and rules.
    #[serde(default)]
    pub other: Vec<String>,
    /// By which value of which attribute a kind of entry is told, as `attribute=value`, before anything else is looked at.
    #[serde(default)]
    pub kinds: BTreeMap<EntryKind, Vec<String>>,
    /// By which value of the attribute `state` a state is told and written. Left out: the names of the states, but for
    /// `active`, which is to have no value.
    #[serde(default)]
    pub states: BTreeMap<AccountState, String>,
    /// Code of the organisation that everyone here belongs to, where no attribute says otherwise.
    #[serde(default)]
    pub organisation: Option<String>,
    /// How it is learnt what changed since the last reading; the best way that the server offers when left out.
    #[serde(default)]
    pub changes: Changes,
    /// How entries are written; left out: nothing is.
    #[serde(default)]
    pub write: Option<Write>,
    /// Entries of a page.
    #[serde(default = "page_entries")]
    pub page_entries: usize,
    /// The most values of one attribute to ask for at once; as many as the server gives when left out.
    #[serde(skip)]
    pub range_values: Option<usize>,
    /// How far before the latest change that was seen is looked again, where changes are learnt by times.
    #[serde(skip, default = "overlap")]
    pub overlap: Duration,
    /// How long bytes written may stay unacknowledged; set by the engine, within its lease margin.
    #[serde(skip, default = "unacknowledged_max")]
    pub unacknowledged_max: Duration,
    /// How long a server may be silent while it owes an answer.
    #[serde(skip, default = "answer_wait_max")]
    pub answer_wait_max: Duration,
    /// How long to wait for a connection.
    #[serde(skip, default = "connect_wait_max")]
    pub connect_wait_max: Duration,
}

fn page_entries() -> usize {
    PAGE_ENTRIES
}

fn overlap() -> Duration {
    OVERLAP
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

/// How the connection is kept private. The certificate is always verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// TLS from the first byte (ldaps).
    #[default]
    Implicit,
    /// TLS after the operation StartTLS (RFC 4511 section 4.14); refused when the server does not offer it.
    Starttls,
    /// None: passwords and people's data can be read on the way. For loopback and networks that are private by other means.
    None,
}

/// How it is learnt what changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Changes {
    /// The best of these that the server offers.
    #[default]
    Auto,
    /// DirSync (MS-ADTS section 3.1.1.3.4.1.3): needs the right *Replicating Directory Changes*.
    Dirsync,
    /// The numbers that a domain controller gives to changes (uSNChanged); what was deleted by comparing which objects there
    /// are, since an account that may not see deleted objects is not told so.
    Usn,
    /// The time of an object's last change, whenChanged or modifyTimestamp; what was deleted by comparing which objects
    /// there are.
    Timestamp,
    /// Content synchronisation (RFC 4533).
    Sync,
    /// Nothing: it is read whole each time.
    None,
}

/// How entries are written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// Where new entries go whose kind has no place of its own: a distinguished name.
    #[serde(default)]
    pub base: Option<String>,
    /// What new entries of a kind are made of, where it differs from what is usual.
    #[serde(default)]
    pub kinds: BTreeMap<EntryKind, Template>,
    /// How a first password is handed over outside Active Directory, which takes it as it is, and only by TLS.
    #[serde(default)]
    pub passwords: Passwords,
    /// What is written with a first password so that it must be changed, as `attribute=value`, such as `pwdReset=TRUE` of
    /// OpenLDAP's password policies. Active Directory has pwdLastSet for it.
    #[serde(default)]
    pub must_change: Option<String>,
    /// What comes after the @ of the names that accounts of Active Directory log in with (userPrincipalName). Left out: none is
    /// written.
    #[serde(default)]
    pub user_principal_domain: Option<String>,
    /// The attribute for members of lists who are in no directory, by their mail address; it has to be among those of `members`,
    /// too. Left out: they are written where a single entry has that address, and a list with others is refused.
    #[serde(default)]
    pub mail_members: Option<String>,
    /// Changes that are on their way at once.
    #[serde(default = "at_once")]
    pub at_once: usize,
}

impl Default for Write {
    fn default() -> Self {
        Self {
            base: None,
            kinds: BTreeMap::new(),
            passwords: Passwords::default(),
            must_change: None,
            user_principal_domain: None,
            mail_members: None,
            at_once: at_once(),
        }
    }
}

fn at_once() -> usize {
    AT_ONCE
}

/// What a new entry of a kind is made of. What is left out is as usual for the kind.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Where it goes: a distinguished name.
    #[serde(default)]
    pub base: Option<String>,
    /// The attribute that it is named by. Left out: `cn` in Active Directory and for lists; else the one that stands for
    /// `account`, or `mail` for who has none. With `cn` it is the shown name, and where that is taken the shown name with the
    /// address after it.
    #[serde(default)]
    pub named_by: Option<String>,
    /// Its object classes. Left out: `user`, `contact` or `group`; elsewhere `inetOrgPerson`, or `groupOfNames` with
    /// `labeledURIObject`. The class that holds further attributes for mail is to be named with these.
    #[serde(default)]
    pub object_classes: Option<Vec<String>>,
    /// Attributes with values that each gets besides.
    #[serde(default)]
    pub attributes: BTreeMap<String, Vec<String>>,
}

/// How a first password is handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passwords {
    /// In userPassword as a salted hash (`{SSHA}`), as OpenLDAP keeps it by itself.
    #[default]
    Hashed,
    /// In userPassword as it is, for servers that make their own hash of it and refuse one of others.
    Plain,
}

impl Config {
    /// A directory of this kind at this host with everything else as when left out of the project.
    pub fn new(kind: Kind, host: impl Into<String>) -> Self {
        Self {
            kind,
            host: host.into(),
            port: None,
            tls: Tls::default(),
            ca_file: None,
            user: None,
            password: None,
            bases: Vec::new(),
            objects: None,
            filter: None,
            scope_group: None,
            attributes: BTreeMap::new(),
            other: Vec::new(),
            kinds: BTreeMap::new(),
            states: BTreeMap::new(),
            organisation: None,
            changes: Changes::Auto,
            write: None,
            page_entries: PAGE_ENTRIES,
            range_values: None,
            overlap: OVERLAP,
            unacknowledged_max: UNACKNOWLEDGED_MAX,
            answer_wait_max: ANSWER_WAIT_MAX,
            connect_wait_max: CONNECT_WAIT_MAX,
        }
    }

    /// The port, said or usual.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            Tls::Implicit => 636,
            Tls::Starttls | Tls::None => 389,
        })
    }

    /// The server's name for people: `host:port`.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port())
        } else {
            format!("{}:{}", self.host, self.port())
        }
    }

    /// What is wrong with these settings, if anything: what no server could make right.
    pub fn mistake(&self) -> Option<String> {
        self.mistake_of_connection()
            .or_else(|| self.mistake_of_scope())
            .or_else(|| self.mistake_of_map())
            .or_else(|| self.mistake_of_write())
    }

    fn mistake_of_connection(&self) -> Option<String> {
        if self.host.is_empty() {
            return Some("host is empty: give the server's name".to_owned());
        }
        if self.host.contains(':') && self.tls != Tls::None {
            return Some("host is an address of IPv6: give the name that the server's certificate is for".to_owned());
        }
        if self.page_entries == 0 {
            return Some("page_entries = 0 reads nothing: give at least 1".to_owned());
        }
        match (&self.user, &self.password) {
            (Some(user), _) if user.is_empty() => Some("user is empty: give its name, or leave it out".to_owned()),
            // A server takes a name without a password as nobody (RFC 4513 section 5.1.2), and shows what nobody may see.
            (Some(user), Some(password)) if password.reveal().is_empty() => {
                Some(format!("the password of {user} is empty: the server would let it in as nobody"))
            }
            (Some(user), None) => Some(format!("{user} has no password: give one, or leave user out")),
            _ => None,
        }
    }

    fn mistake_of_scope(&self) -> Option<String> {
        let names = self.bases.iter().map(|name| ("bases", name));
        let names = names.chain(self.scope_group.iter().map(|name| ("scope_group", name)));
        for (setting, name) in names {
            if name.is_empty() || Dn::parse(name).is_none() {
                return Some(format!(
                    "{setting}: {name:?} is no distinguished name, such as ou=staff,dc=trust,dc=example"
                ));
            }
        }
        for (setting, text) in [("objects", &self.objects), ("filter", &self.filter)] {
            if let Some(text) = text
                && !filter::is_valid(text)
            {
                return Some(format!(
                    "{setting}: {text:?} is no filter, such as (&(department=Ward*)(!(title=Locum)))"
                ));
            }
        }
        let is_of_kind = match self.changes {
            Changes::Dirsync | Changes::Usn => self.kind == Kind::ActiveDirectory,
            Changes::Sync => self.kind == Kind::Ldap,
            Changes::Auto | Changes::Timestamp | Changes::None => true,
        };
        (!is_of_kind).then(|| format!("changes: {:?} is nothing that {} has", self.changes, self.kind.name()))
    }

    fn mistake_of_map(&self) -> Option<String> {
        for (name, attributes) in &self.attributes {
            let Some(field) = Field::from_name(name) else {
                let fields: Vec<&str> = Field::EVERY.iter().map(|field| field.name()).collect();
                return Some(format!("attributes: there is no field {name:?}; there are {}", fields.join(", ")));
            };
            if let Some(odd) = attributes.iter().find(|attribute| !is_name(attribute)) {
                return Some(format!("attributes: {odd:?} is no name of an attribute"));
            }
            if field == Field::Key && (attributes.is_empty() || self.kind == Kind::ActiveDirectory) {
                return Some("attributes: key must stay objectGUID, or be an attribute that never changes".to_owned());
            }
        }
        if let Some(odd) = self.other.iter().find(|attribute| !is_name(attribute)) {
            return Some(format!("other: {odd:?} is no name of an attribute"));
        }
        let rules = self.kinds.values().flatten();
        let odd = rules.into_iter().find(|rule| !rule.split_once('=').is_some_and(|(name, _)| is_name(name)));
        odd.map(|odd| format!("kinds: {odd:?} is no rule, such as employeeType=shared"))
    }

    fn mistake_of_write(&self) -> Option<String> {
        let write = self.write.as_ref()?;
        let bases = write.base.iter().chain(write.kinds.values().filter_map(|template| template.base.as_ref()));
        let mut is_any = false;
        for name in bases {
            is_any = true;
            if name.is_empty() || Dn::parse(name).is_none() {
                return Some(format!(
                    "write: base {name:?} is no distinguished name, such as ou=people,dc=trust,dc=example"
                ));
            }
        }
        if !is_any {
            return Some("write: base is missing: give the distinguished name below which entries are made".to_owned());
        }
        if write.at_once == 0 {
            return Some("write: at_once = 0 writes nothing: give at least 1".to_owned());
        }
        let templates = write.kinds.values();
        let names = templates.flat_map(|template| {
            let classes = template.object_classes.iter().flatten();
            classes.chain(&template.named_by).chain(template.attributes.keys())
        });
        if let Some(odd) = names.chain(&write.mail_members).find(|name| !is_name(name)) {
            return Some(format!("write: {odd:?} is no name of an attribute or class"));
        }
        if let Some(odd) = &write.must_change
            && !odd.split_once('=').is_some_and(|(name, _)| is_name(name))
        {
            return Some(format!("write: must_change {odd:?} is no attribute=value, such as pwdReset=TRUE"));
        }
        if let Some(name) = &write.mail_members
            && !Attributes::of(self).of_field(Field::Members).contains(name)
        {
            return Some(format!("write: mail_members {name:?} has to be read, too: name it under attributes.members"));
        }
        None
    }
}

/// May this be the name of an attribute?
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.;".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_port_follows_tls() {
        let mut config = Config::new(Kind::ActiveDirectory, "dc1.trust.example");
        assert_eq!(config.address(), "dc1.trust.example:636");
        config.tls = Tls::Starttls;
        assert_eq!(config.address(), "dc1.trust.example:389");
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        let good = Config::new(Kind::ActiveDirectory, "dc1");
        assert_eq!(good.mistake(), None);
        let wrong = |change: &dyn Fn(&mut Config), words: &str| {
            let mut config = good.clone();
            change(&mut config);
            let mistake = config.mistake().unwrap();
            assert!(mistake.contains(words), "{mistake}");
        };
        wrong(&|c| c.host = String::new(), "host is empty");
        wrong(&|c| c.user = Some("u".into()), "no password");
        wrong(
            &|c| {
                c.user = Some("u".into());
                c.password = Some(Secret::new(""));
            },
            "as nobody",
        );
        wrong(&|c| c.bases = vec!["staff".into()], "no distinguished name");
        wrong(&|c| c.filter = Some("(a=b".into()), "no filter");
        wrong(&|c| c.changes = Changes::Sync, "nothing that active-directory has");
        wrong(&|c| drop(c.attributes.insert("nonsense".into(), vec![])), "no field");
        wrong(&|c| drop(c.attributes.insert("mail".into(), vec!["a b".into()])), "no name of an attribute");
        wrong(&|c| drop(c.attributes.insert("key".into(), vec!["uid".into()])), "objectGUID");
        wrong(&|c| drop(c.kinds.insert(EntryKind::Room, vec!["room".into()])), "no rule");
        let write = |change: &dyn Fn(&mut Write)| {
            let mut write = Write { base: Some("ou=people,dc=x".into()), ..Write::default() };
            change(&mut write);
            Some(write)
        };
        wrong(&|c| c.write = Some(Write::default()), "base is missing");
        wrong(&|c| c.write = write(&|w| w.base = Some("people".into())), "no distinguished name");
        wrong(&|c| c.write = write(&|w| w.must_change = Some("x".into())), "must_change");
        wrong(&|c| c.write = write(&|w| w.mail_members = Some("mailMember".into())), "has to be read");
        assert_eq!(Config { write: write(&|_| ()), ..good.clone() }.mistake(), None);
    }
}
