//! Accounts that this program made and that are live: each has a forwarder to the source, or a recorded reason why it has none (R-073,
//!
//!
//! That an account is live is on record before anything else is done about it, and so is a reason, where there is one. So an account that
//! is live without a reason is one whose forwarder is to be on: whoever comes next puts it on, after whatever end.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use model::{AccountState, Entry, EntryKind, Phase};
use store::{DirectoryRow, ForwarderRow, MailboxRow, ProjectKey, Store};

use crate::config::{Config, MailboxName};

/// Where the accounts of a project are known from; read anew when the platform's directory was.
#[derive(Debug)]
pub(crate) struct Accounts {
    /// The platform's directory.
    platform: String,
    /// What people are called on the target.
    name: MailboxName,
    last: Mutex<Read>,
}

/// The accounts of the platform by their keys, as they were when the directories were these.
#[derive(Debug, Default)]
struct Read {
    directories: Vec<DirectoryRow>,
    known: Arc<HashMap<String, Known>>,
}

/// What is known of an account of the platform.
#[derive(Clone, Debug)]
struct Known {
    state: AccountState,
    /// What its mailbox is called on the target.
    mailbox: Option<String>,
    label: String,
    is_gone: bool,
}

/// A new account that is live, with no reason on record why it may be without a forwarder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BareAccount {
    /// The object that it was made for, for people.
    pub(crate) id: String,
    /// Its key on the platform.
    pub(crate) account: String,
    /// What it is called.
    pub(crate) name: String,
    /// The mailbox whose target it is, if one is on record.
    pub(crate) mailbox: Option<i64>,
}

impl Accounts {
    /// Those of this project; none where it makes none.
    pub(crate) fn of(config: &Config) -> Option<Self> {
        let people = config.file.people.as_ref()?;
        Some(Self { platform: people.platform.clone()?, name: people.target_name, last: Mutex::default() })
    }

    /// The mailbox whose target an account is, by its name there, at this endpoint.
    pub(crate) fn mailbox<'m>(
        &self,
        account: &Entry,
        target: i64,
        mailboxes: &'m [MailboxRow],
    ) -> Option<&'m MailboxRow> {
        mailbox_of(self.name.of(account)?, target, mailboxes)
    }

    /// Every new account that is live without a reason on record why it may be without a forwarder; with or without one.
    pub(crate) async fn bare(
        &self,
        store: &Store,
        key: ProjectKey,
        target: i64,
        mailboxes: &[MailboxRow],
    ) -> Result<Vec<BareAccount>, store::Error> {
        let holds_mail = |kind: &str| EntryKind::from_name(kind).is_some_and(EntryKind::holds_mail);
        let mut made = store.accounts_made(key).await?;
        made.retain(|row| row.exemption.is_none() && holds_mail(&row.made.kind));
        if made.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.known(store, key).await?;
        let named = by_name(target, mailboxes);
        let mut bare = Vec::new();
        for row in made {
            let id = people::ObjectId::new(&row.made.directory, &row.made.key).to_string();
            let Some(account) = known.get(&row.made.account) else {
                // It was made, and the platform was not read since.
                if row.live_at.is_some() {
                    bare.push(BareAccount { id: id.clone(), account: row.made.account, name: id, mailbox: None });
                }
                continue;
            };
            let is_live = match account.state {
                // What is gone takes no mail.
                _ if account.is_gone => false,
                AccountState::Pending | AccountState::Disabled | AccountState::Leaver => false,
                AccountState::Active => true,
                AccountState::Inactive | AccountState::Locked | AccountState::Expired => row.live_at.is_some(),
            };
            if is_live {
                let mailbox = account.mailbox.as_deref().and_then(|name| named.get(&name.to_lowercase()));
                bare.push(BareAccount {
                    id,
                    account: row.made.account,
                    name: account.label.clone(),
                    mailbox: mailbox.map(|row| row.mailbox),
                });
            }
        }
        Ok(bare)
    }

    /// Every account of the platform, by its key, as it was last read.
    async fn known(&self, store: &Store, key: ProjectKey) -> Result<Arc<HashMap<String, Known>>, store::Error> {
        let directories = store.directories(key).await?;
        {
            let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.directories == directories {
                return Ok(last.known.clone());
            }
        }
        let mut known = HashMap::new();
        if let Some(row) = directories.iter().find(|row| row.name == self.platform) {
            for row in store.directory_entries(key, row.directory, true).await? {
                let entry: Entry =
                    serde_json::from_str(&row.entry).map_err(|_| store::Error::damaged("an entry of a directory"))?;
                let mailbox = self.name.of(&entry).map(str::to_owned);
                let (label, is_gone) = (entry.label().to_owned(), row.gone_at.is_some());
                known.insert(row.key, Known { state: entry.state, mailbox, label, is_gone });
            }
        }
        let known = Arc::new(known);
        let read = Read { directories, known: known.clone() };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(known)
    }
}

/// The mailboxes of this endpoint by their names there, in small letters; of several those that are on the roster.
fn by_name(target: i64, mailboxes: &[MailboxRow]) -> HashMap<String, &MailboxRow> {
    let mut named: HashMap<String, &MailboxRow> = HashMap::new();
    for row in mailboxes.iter().filter(|row| row.roster.target_endpoint == target) {
        let known = named.entry(row.roster.target_name.to_lowercase()).or_insert(row);
        if row.listed {
            *known = row;
        }
    }
    named
}

fn mailbox_of<'m>(name: &str, target: i64, mailboxes: &'m [MailboxRow]) -> Option<&'m MailboxRow> {
    let is_its =
        |row: &&MailboxRow| row.roster.target_endpoint == target && row.roster.target_name.eq_ignore_ascii_case(name);
    mailboxes.iter().filter(is_its).max_by_key(|row| row.listed)
}

/// Why an account that is live without a reason is without a forwarder; none: it has one, or needs none any more.
pub(crate) fn why_missing(
    account: &BareAccount,
    mailboxes: &BTreeMap<i64, &MailboxRow>,
    forwarders: &BTreeMap<i64, ForwarderRow>,
) -> Option<String> {
    let Some(row) = account.mailbox.and_then(|mailbox| mailboxes.get(&mailbox)) else {
        return Some("its mailbox is not on the roster: whimbrel people sync, then people list says why".to_owned());
    };
    if row.state.phase >= Phase::Switching {
        return None;
    }
    match forwarders.get(&row.mailbox) {
        None => Some("none was asked for yet".to_owned()),
        Some(forwarder) if forwarder.is_on() => None,
        Some(forwarder) if forwarder.off_at.is_some() => Some("it was taken off".to_owned()),
        Some(_) => Some("it is to come, and not on yet".to_owned()),
    }
}
