//! Whom the rights of an organisation may name: everybody of its directories, and everybody whose mailbox moves.

use std::collections::{HashMap, HashSet};

use model::{Entry, EntryKind, Reference, mail_key};
use serde_json::json;

use super::{Origin, Place, Trustee};
use crate::scope::Index;
use crate::{Class, Object, ObjectId, Reconciled, Reconciliation};

/// What somebody is called on the platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct There {
    /// The name of their mailbox on its mail server.
    pub mailbox: Option<String>,
    /// The key of their entry in its directory.
    pub account: Option<String>,
}

/// A mailbox that moves, by its names on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The endpoint of the source.
    pub endpoint: String,
    /// Its name there.
    pub source: String,
    /// Its name on the target.
    pub target: String,
    /// What people call it.
    pub label: Option<String>,
}

/// Somebody, or a mailbox or list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// What people call it.
    pub label: String,
    /// What it stands for.
    pub kind: EntryKind,
    /// The object it is, where a directory tells of it.
    pub object: Option<ObjectId>,
    /// The endpoint and name of its mailbox at the source.
    pub source: Option<(String, String)>,
    /// What it is on the platform; or why that is not known.
    pub there: Result<There, String>,
    /// Who answers for it.
    pub owners: Vec<ObjectId>,
}

impl Party {
    /// What tells it from others, as a sign-off has it.
    pub(super) fn identity(&self) -> serde_json::Value {
        match &self.object {
            Some(object) => json!(object),
            None => json!(self.source.as_ref().map(|(endpoint, name)| (endpoint, name.to_lowercase()))),
        }
    }
}

/// How mailboxes are named.
pub struct Naming<'n> {
    /// The endpoint where an object's mailbox lies, where that is known.
    pub endpoint: &'n dyn Fn(&ObjectId) -> Option<String>,
    /// The name of an object's mailbox there.
    pub source: &'n dyn Fn(&Entry) -> Option<String>,
    /// The name of an account's mailbox on the target.
    pub target: &'n dyn Fn(&Entry) -> Option<String>,
    /// Whether an accepted match may be used yet; else why not.
    pub may_use: &'n dyn Fn(&Reconciled) -> Result<(), String>,
}

/// Everybody.
pub struct Parties<'p> {
    all: Vec<Party>,
    index: Index<'p>,
    directories: Vec<&'p str>,
    by_object: HashMap<ObjectId, usize>,
    by_source: HashMap<(String, String), Vec<usize>>,
    by_word: HashMap<String, Vec<usize>>,
    by_target: HashMap<String, usize>,
    by_account: HashMap<String, usize>,
}

impl<'p> Parties<'p> {
    /// Everybody of these objects and mailboxes.
    pub fn of(
        objects: &'p [Object],
        reconciliation: &Reconciliation,
        accounts: &[Entry],
        seats: &[Seat],
        naming: &Naming<'_>,
    ) -> Self {
        let index = Index::of(objects);
        let accounts: HashMap<&str, &Entry> = accounts.iter().map(|entry| (entry.key.as_str(), entry)).collect();
        let key = |endpoint: &str, name: &str| (endpoint.to_owned(), name.to_lowercase());
        let by_seat: HashMap<(String, String), &Seat> =
            seats.iter().map(|seat| (key(&seat.endpoint, &seat.source), seat)).collect();
        let mut all = Vec::new();
        let mut seated = HashSet::new();
        for object in objects {
            let name = (naming.source)(&object.entry).filter(|_| object.entry.kind.holds_mail());
            let source = name.and_then(|name| Some(((naming.endpoint)(&object.id)?, name)));
            let place = source.as_ref().map(|(endpoint, name)| key(endpoint, name));
            let seat = place.as_ref().and_then(|place| by_seat.get(place));
            let owners = &object.entry.owners;
            all.push(Party {
                label: object.entry.label().to_owned(),
                kind: object.entry.kind,
                there: there(object, reconciliation, &accounts, seat.copied(), naming),
                source,
                owners: owners
                    .iter()
                    .filter_map(|owner| index.find(&object.id.directory, owner))
                    .map(|owner| owner.id.clone())
                    .collect(),
                object: Some(object.id.clone()),
            });
            seated.extend(place);
        }
        for seat in seats.iter().filter(|seat| !seated.contains(&key(&seat.endpoint, &seat.source))) {
            all.push(Party {
                label: seat.label.clone().unwrap_or_else(|| seat.source.clone()),
                kind: EntryKind::Person,
                object: None,
                source: Some((seat.endpoint.clone(), seat.source.clone())),
                there: Ok(There { mailbox: Some(seat.target.clone()), account: None }),
                owners: Vec::new(),
            });
        }
        Self::indexed(all, index, objects)
    }

    fn indexed(all: Vec<Party>, index: Index<'p>, objects: &'p [Object]) -> Self {
        let mut directories: Vec<&str> = objects.iter().map(|object| object.id.directory.as_str()).collect();
        directories.sort_unstable();
        directories.dedup();
        let entries: HashMap<&ObjectId, &Entry> = objects.iter().map(|object| (&object.id, &object.entry)).collect();
        let (mut by_object, mut by_source, mut by_word) = (HashMap::new(), HashMap::new(), HashMap::new());
        let (mut by_target, mut by_account) = (HashMap::new(), HashMap::new());
        for (number, party) in all.iter().enumerate() {
            let mut words: Vec<String> = Vec::new();
            if let Some((endpoint, name)) = &party.source {
                let key = (endpoint.clone(), name.to_lowercase());
                by_source.entry(key).or_insert_with(Vec::new).push(number);
                words.push(name.to_lowercase());
            }
            if let Some(object) = &party.object {
                let entry = entries[object];
                words.push(object.to_string().to_lowercase());
                words.extend(entry.mail_keys());
                words.extend(entry.account.iter().map(|account| account.to_lowercase()));
                words.extend(entry.local_id.iter().map(|id| id.to_lowercase()));
                by_object.insert(object.clone(), number);
            }
            words.sort();
            words.dedup();
            for word in words {
                by_word.entry(word).or_insert_with(Vec::new).push(number);
            }
            if let Ok(there) = &party.there {
                by_target.extend(there.mailbox.iter().map(|name| (name.to_lowercase(), number)));
                by_account.extend(there.account.iter().map(|key| (key.clone(), number)));
            }
        }
        Self { all, index, directories, by_object, by_source, by_word, by_target, by_account }
    }

    /// Everybody, by number.
    pub fn all(&self) -> &[Party] {
        &self.all
    }

    /// The party of this object.
    pub fn object(&self, id: &ObjectId) -> Option<usize> {
        self.by_object.get(id).copied()
    }

    /// The party that an entry of this directory names.
    pub fn referred(&self, directory: &str, reference: &Reference) -> Option<usize> {
        self.index.find(directory, reference).and_then(|object| self.object(&object.id))
    }

    /// The party whose mailbox on the target this is.
    pub fn target(&self, name: &str) -> Option<usize> {
        self.by_target.get(&name.to_lowercase()).copied()
    }

    /// The party whose account on the platform this is.
    pub fn account(&self, key: &str) -> Option<usize> {
        self.by_account.get(key).copied()
    }

    /// The one party that a person calls so: by a mail address, account, local id or id.
    pub fn called(&self, text: &str) -> Result<usize, String> {
        let found = self.by_word.get(&mail_key(text)).or_else(|| self.by_word.get(&text.trim().to_lowercase()));
        only(found, text)
    }

    pub(super) fn place(&self, origin: &Origin, place: &Place) -> Result<usize, String> {
        match (origin, place) {
            (_, Place::Object(id)) => self.object(id).ok_or_else(|| format!("{id} is gone from its directory")),
            (Origin::Mail(endpoint), Place::Mailbox(name)) => self.login(endpoint, name),
            (_, Place::Mailbox(name) | Place::Named(name)) => self.called(name),
        }
    }

    pub(super) fn trustee(&self, origin: &Origin, trustee: &Trustee) -> Result<usize, String> {
        match (origin, trustee) {
            (Origin::Directory(directory), Trustee::Entry(reference)) => {
                let found = self.referred(directory, reference);
                found.ok_or_else(|| format!("{} is not in the directories that were read", reference.text()))
            }
            (_, Trustee::Entry(reference)) => self.called(reference.text()),
            (Origin::Mail(endpoint), Trustee::Account(name)) => self.login(endpoint, name),
            (_, Trustee::Group(name)) => self.group(name),
            (_, Trustee::Everybody(word)) => Err(format!("{word} is nobody in particular")),
            (_, Trustee::Account(name) | Trustee::Named(name)) => self.called(name),
        }
    }

    /// Who logs in with this name there. A name alone says nothing about who has it elsewhere.
    fn login(&self, endpoint: &str, name: &str) -> Result<usize, String> {
        let found = self.by_source.get(&(endpoint.to_owned(), name.to_lowercase()));
        only(found, name)
    }

    fn group(&self, name: &str) -> Result<usize, String> {
        let found = self.directories.iter().filter_map(|directory| {
            let object = self.index.find(directory, &Reference::Name(name.to_owned()))?;
            self.object(&object.id).filter(|_| object.entry.kind == EntryKind::List)
        });
        let found: Vec<usize> = found.collect();
        only(Some(&found), &format!("the group {name}"))
    }

    /// Is this party in that list, or in a list in it? Circles are walked once. None: a list in it is not known.
    pub(super) fn holds(&self, list: usize, member: usize) -> Option<bool> {
        let (mut waiting, mut seen) = (vec![list], HashSet::new());
        let mut is_sure = true;
        while let Some(list) = waiting.pop() {
            if !seen.insert(list) {
                continue;
            }
            let Some(id) = &self.all[list].object else {
                is_sure = false;
                continue;
            };
            let reference = Reference::Key(id.key.clone());
            let Some(object) = self.index.find(&id.directory, &reference) else { continue };
            for reference in &object.entry.members {
                match self.referred(&id.directory, reference) {
                    Some(found) if found == member => return Some(true),
                    Some(found) if self.all[found].kind == EntryKind::List => waiting.push(found),
                    Some(_) => {}
                    None => is_sure = false,
                }
            }
        }
        is_sure.then_some(false)
    }
}

fn only(found: Option<&Vec<usize>>, name: &str) -> Result<usize, String> {
    match found.map_or(&[][..], Vec::as_slice) {
        [one] => Ok(*one),
        [] => Err(format!("{name} is nobody that is known to move")),
        _ => Err(format!("several are called {name}")),
    }
}

/// What an object is on the platform.
fn there(
    object: &Object,
    reconciliation: &Reconciliation,
    accounts: &HashMap<&str, &Entry>,
    seat: Option<&Seat>,
    naming: &Naming<'_>,
) -> Result<There, String> {
    let label = object.entry.label();
    let Some(row) = reconciliation.row(&object.id) else { return Err(format!("{label} is in no class")) };
    let account = match &row.class {
        Class::Existing { account } => account,
        Class::New => return Err(format!("{label} has no account on the platform yet")),
        Class::Excluded { .. } | Class::Archived { .. } => return Err(format!("{label} does not move")),
        Class::Unresolved(_) => return Err(format!("it is not known which account is {label}'s: people list")),
        Class::Incomplete(_) => return Err(format!("{label} can't have an account yet: people list")),
    };
    (naming.may_use)(row)?;
    let entry = accounts.get(account.as_str()).ok_or_else(|| format!("the account of {label} is gone"))?;
    let mailbox = (naming.target)(entry).filter(|_| object.entry.kind.holds_mail());
    if let (Some(seat), Some(mailbox)) = (seat, &mailbox)
        && !seat.target.eq_ignore_ascii_case(mailbox)
    {
        return Err(format!("{label} moves to {} by people.csv, and the account matched is {mailbox}", seat.target));
    }
    Ok(There { mailbox, account: Some(account.clone()) })
}
