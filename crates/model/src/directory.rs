//! What a directory says: people, shared mailboxes, rooms, lists and contacts, in one form whatever directory they come
//! from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod address;
mod letters;
mod sharing;

pub use address::{Address, AddressKind, mail_key, x500_key};
pub use letters::Letters;
pub use sharing::{Grant, Reference, Right};

/// What an entry of a directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// A person.
    Person,
    /// A mailbox of several people.
    Shared,
    /// A room.
    Room,
    /// Another resource.
    Equipment,
    /// The account of a system or an application.
    System,
    /// A distribution list.
    List,
    /// Somebody whose mailbox is elsewhere.
    Contact,
}

impl EntryKind {
    /// Every kind.
    pub const EVERY: [Self; 7] =
        [Self::Person, Self::Shared, Self::Room, Self::Equipment, Self::System, Self::List, Self::Contact];

    /// The kind's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Shared => "shared",
            Self::Room => "room",
            Self::Equipment => "equipment",
            Self::System => "system",
            Self::List => "list",
            Self::Contact => "contact",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|kind| kind.name() == name)
    }

    /// Is it a mailbox of nobody in particular, which needs an owner?
    pub fn needs_owner(self) -> bool {
        matches!(self, Self::Shared | Self::Room | Self::Equipment | Self::System)
    }

    /// Does the platform count its accounts against a limit?
    pub fn is_registered(self) -> bool {
        matches!(self, Self::Person | Self::System)
    }

    /// Can it have a mailbox of its own?
    pub fn holds_mail(self) -> bool {
        !matches!(self, Self::List | Self::Contact)
    }
}

/// Whether an account can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountState {
    /// In use, or ready to be.
    #[default]
    Active,
    /// Made, but waits to be accepted.
    Pending,
    /// In use, but its person has left the organisation.
    Leaver,
    /// Not used for a long time.
    Inactive,
    /// Locked until the help desk unlocks it.
    Locked,
    /// Its time is over.
    Expired,
    /// Switched off.
    Disabled,
}

impl AccountState {
    /// Every state.
    pub const EVERY: [Self; 7] =
        [Self::Active, Self::Pending, Self::Leaver, Self::Inactive, Self::Locked, Self::Expired, Self::Disabled];

    /// The state's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Leaver => "leaver",
            Self::Inactive => "inactive",
            Self::Locked => "locked",
            Self::Expired => "expired",
            Self::Disabled => "disabled",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|state| state.name() == name)
    }
}

/// What people are called, and what stands in an address book about them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Names {
    /// Title: Dr, Ms, Sister.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// First name or names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given: Option<String>,
    /// Initials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initials: Option<String>,
    /// Last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surname: Option<String>,
    /// The name that is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What tells it from every other entry of its directory and never changes, not even when it is renamed or moved:
    /// objectGUID, entryUUID, or the key column of a table.
    pub key: String,
    /// What it stands for.
    pub kind: EntryKind,
    /// Whether its account can be used.
    #[serde(default)]
    pub state: AccountState,
    /// When its account expires, in seconds since 1970: from then on it can't be used, without anything else changing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// What it is called.
    #[serde(default)]
    pub names: Names,
    /// The address that mail is sent from, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    /// All its addresses, of every kind, as written; `mail` is among them where the directory says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Address>,
    /// Its legacyExchangeDN: what old replies are sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy_dn: Option<String>,
    /// Where its mail is sent on to, if it is (targetAddress).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routed_to: Option<String>,
    /// The name it logs in with: sAMAccountName, uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Where it stands in its directory: a distinguished name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Its security identifier, as `S-1-5-…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Code of the organisation it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    /// What the organisation itself tells its people apart by, such as a payroll number; on the platform, the same
    /// number as given to it (ExternalSyncID).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_id: Option<String>,
    /// Job title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_title: Option<String>,
    /// Department.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// Telephone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telephone: Option<String>,
    /// Mobile telephone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mobile: Option<String>,
    /// Its person does not want the mobile number shown: it never leaves its directory.
    #[serde(default)]
    pub hides_mobile: bool,
    /// It is not shown in address books.
    #[serde(default)]
    pub is_hidden: bool,
    /// It has a mailbox in this directory's mail system.
    #[serde(default)]
    pub has_mailbox: bool,
    /// When somebody last logged in, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_logon: Option<i64>,
    /// Whether its person has activated it: logged in, answered the security questions, changed the password and accepted the policy
    /// . None: the directory does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_activated: Option<bool>,
    /// The larger quota its person was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_bytes: Option<u64>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<Reference>,
    /// Who is in the list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Reference>,
    /// Who may do what with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// The mark of whoever made it: of an entry that this program wrote, what it stands for. Never synchronised back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Other attributes, by their own names, for filters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other: BTreeMap<String, Vec<String>>,
}

impl Entry {
    /// An entry without anything but its key and kind.
    pub fn new(key: impl Into<String>, kind: EntryKind) -> Self {
        Self {
            key: key.into(),
            kind,
            state: AccountState::Active,
            expires_at: None,
            names: Names::default(),
            mail: None,
            addresses: Vec::new(),
            legacy_dn: None,
            routed_to: None,
            account: None,
            place: None,
            sid: None,
            organisation: None,
            local_id: None,
            job_title: None,
            department: None,
            telephone: None,
            mobile: None,
            hides_mobile: false,
            is_hidden: false,
            has_mailbox: false,
            last_logon: None,
            is_activated: None,
            quota_bytes: None,
            owners: Vec::new(),
            members: Vec::new(),
            grants: Vec::new(),
            origin: None,
            other: BTreeMap::new(),
        }
    }

    /// As it is at this time, in seconds since 1970: an account in use whose time is over has expired.
    #[must_use]
    pub fn at(mut self, now: i64) -> Self {
        if self.state == AccountState::Active && self.expires_at.is_some_and(|end| end <= now) {
            self.state = AccountState::Expired;
        }
        self
    }

    /// Every mail address it has, in the form in which addresses are compared; the one it sends from first, each once.
    pub fn mail_keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.mail.iter().map(|mail| mail_key(mail)).collect();
        let smtp = self.addresses.iter().filter(|address| address.kind == AddressKind::Smtp);
        keys.extend(smtp.map(|address| mail_key(&address.text)));
        let mut seen = std::collections::HashSet::new();
        keys.retain(|key| !key.is_empty() && seen.insert(key.clone()));
        keys
    }

    /// Every distinguished name of Exchange it answers to, in the form in which they are compared: the X500 addresses.
    pub fn x500_keys(&self) -> Vec<String> {
        let x500 = self.addresses.iter().filter(|address| address.kind == AddressKind::X500);
        x500.map(|address| x500_key(&address.text)).filter(|key| !key.is_empty()).collect()
    }

    /// What people know it by, for messages: the shown name, else the address, else its key.
    pub fn label(&self) -> &str {
        self.names.display.as_deref().or(self.mail.as_deref()).or(self.account.as_deref()).unwrap_or(&self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_expires_by_the_passing_of_time_and_what_else_is_said_of_it_stays() {
        let of = |state, expires_at| Entry { state, expires_at, ..Entry::new("1", EntryKind::Person) };
        assert_eq!(of(AccountState::Active, Some(100)).at(99).state, AccountState::Active);
        assert_eq!(of(AccountState::Active, Some(100)).at(100).state, AccountState::Expired);
        assert_eq!(of(AccountState::Active, None).at(i64::MAX).state, AccountState::Active);
        for state in [AccountState::Disabled, AccountState::Leaver, AccountState::Pending] {
            assert_eq!(of(state, Some(100)).at(200).state, state);
        }
    }

    #[test]
    fn an_address_is_there_once_and_the_senders_own_comes_first() {
        let mut entry = Entry::new("1", EntryKind::Person);
        entry.mail = Some("Ann.Lee@Trust.example".into());
        entry.addresses = ["smtp:old@trust.example", "SMTP:ann.lee@trust.EXAMPLE", "X500:/o=A/cn=Ann", "sip:ann@x"]
            .map(Address::parse)
            .to_vec();
        assert_eq!(entry.mail_keys(), ["ann.lee@trust.example", "old@trust.example"]);
        assert_eq!(entry.x500_keys(), ["/o=a/cn=ann"]);
    }
}
