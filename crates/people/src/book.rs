//! Address books: everybody in scope stands exactly once in each of the two, as their own account where they have one there,
//! else as a contact.
//!
//! A contact that is written bears the mark of whom it stands for, so that it is never taken for somebody and synchronised
//! back. What others made is never changed: a contact of theirs counts as the person's entry, and where it makes a second one
//! that is told.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use model::{Address, AddressKind, Entry, EntryKind, mail_key};
use serde::{Deserialize, Serialize};

use crate::object::mark_of;
use crate::{Class, Object, Reconciliation};

/// How the mark of every contact that any project writes begins; the organisation's code and the project's name follow.
pub const BOOK_MARK: &str = "whimbrel-book:";

/// One of the two address books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Book {
    /// The organisation's own.
    Source,
    /// The platform's.
    Platform,
}

/// A change of an address book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum BookChange {
    /// A contact is written.
    Add {
        /// What it is to be.
        entry: Box<Entry>,
    },
    /// A contact that was written changes.
    Change {
        /// What it is.
        before: Box<Entry>,
        /// What it is to be.
        after: Box<Entry>,
    },
    /// A contact that was written goes.
    Remove {
        /// What it is.
        before: Box<Entry>,
    },
}

/// Why somebody does not stand exactly once in an address book, where no change of ours can cure it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Whom it is about: their address.
    pub who: String,
    /// What is wrong, and what to do.
    pub what: String,
}

/// What an address book lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// What is to be changed, in the order in which it is changed: what goes before what comes.
    pub changes: Vec<BookChange>,
    /// What nobody but a person can cure.
    pub faults: Vec<Fault>,
    /// How many people stand there once, as they should.
    pub in_place: usize,
    /// Objects of the organisation that stand there, by their ids as text.
    pub there: BTreeSet<String>,
}

/// Somebody, as both sides know them.
struct Somebody<'b> {
    /// What tells them from others: what their contact's mark ends in.
    id: String,
    object: Option<&'b Object>,
    account: Option<&'b Entry>,
    /// The account that may be theirs, while nobody has decided.
    may_be: Option<&'b str>,
}

/// Both address books, and who stands in them.
pub struct Books<'b> {
    /// Code of the organisation.
    pub code: &'b str,
    /// The project's name: contacts of others are not touched, whichever copy of this program wrote them.
    pub project: &'b str,
    /// The name of the directory that the source's contacts are written to.
    pub directory: &'b str,
    /// Accounts under no organisation's code are the organisation's own.
    pub ours_alone: bool,
    /// Every object of the organisation.
    pub objects: &'b [Object],
    /// Their classes.
    pub reconciliation: &'b Reconciliation,
    /// What stands in the source's directory, contacts of ours, too.
    pub source: &'b [Entry],
    /// What stands in the platform's, contacts of ours, too.
    pub platform: &'b [Entry],
}

impl<'b> Books<'b> {
    /// What an address book lacks.
    pub fn difference(&self, book: Book) -> Difference {
        let entries = match book {
            Book::Source => self.source,
            Book::Platform => self.platform,
        };
        let mut ours: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        let mut holders: HashMap<String, Vec<&Entry>> = HashMap::new();
        let begin = mark_of(BOOK_MARK, self.code, self.project);
        for entry in entries {
            match entry.origin.as_deref().filter(|origin| origin.starts_with(&begin)) {
                Some(mark) => ours.entry(mark).or_default().push(entry),
                None => entry.mail_keys().into_iter().for_each(|mail| holders.entry(mail).or_default().push(entry)),
            }
        }
        let mut difference = Difference::default();
        let mut adds = Vec::new();
        for somebody in self.everybody() {
            let mark = format!("{begin}{}", somebody.id);
            let written = ours.remove(mark.as_str()).unwrap_or_default();
            let is_there = match book {
                Book::Source => somebody.object.is_some_and(|object| object.id.directory == self.directory),
                Book::Platform => somebody.account.is_some(),
            };
            let is_hidden = book == Book::Source && somebody.account.is_some_and(|account| account.is_hidden);
            let wanted = if is_there || is_hidden { None } else { contact(&somebody, &mark, book) };
            let others = self.others(&somebody, &holders, book);
            if is_there || (wanted.is_some() && !others.is_empty()) {
                Self::count(&somebody, is_there, &others, &mut difference);
                difference.changes.extend(written.into_iter().map(remove));
                continue;
            }
            if let (Book::Platform, Some(may_be), Some(_)) = (book, somebody.may_be, &wanted) {
                let who = addresses(&somebody).into_iter().next().unwrap_or_else(|| somebody.id.clone());
                let what = format!("the account {may_be} may be theirs: decide first, then they stand there once");
                difference.faults.push(Fault { who, what });
                continue;
            }
            let mut written = written.into_iter();
            match (wanted, written.next()) {
                (None, first) => difference.changes.extend(first.map(remove)),
                (Some(entry), None) => adds.push(BookChange::Add { entry: Box::new(entry) }),
                (Some(wanted), Some(before)) => {
                    let after = as_written(before, &wanted);
                    if after == *before {
                        difference.in_place += 1;
                        difference.there.extend(somebody.object.map(|object| object.id.to_string()));
                    } else {
                        let (before, after) = (Box::new(before.clone()), Box::new(after));
                        difference.changes.push(BookChange::Change { before, after });
                    }
                }
            }
            difference.changes.extend(written.map(remove));
        }
        // Whom nobody knows any more.
        difference.changes.extend(ours.into_values().flatten().map(remove));
        difference.changes.sort_by_key(|change| !matches!(change, BookChange::Remove { .. }));
        difference.changes.extend(adds);
        difference
    }

    /// Everybody who is to stand in both books, each once.
    fn everybody(&self) -> Vec<Somebody<'b>> {
        let accounts: HashMap<&str, &Entry> = self.platform.iter().map(|entry| (entry.key.as_str(), entry)).collect();
        let mut matched = BTreeSet::new();
        let mut everybody = Vec::new();
        for object in self.objects {
            let Some(row) = self.reconciliation.row(&object.id) else { continue };
            let account = row.matched.account().and_then(|key| accounts.get(key).copied());
            matched.extend(account.map(|account| account.key.as_str()));
            let is_out = row.class.stays_behind() || object.entry.is_hidden;
            if !is_out && object.entry.kind != EntryKind::Contact {
                let is_open = matches!(row.class, Class::Unresolved(_));
                let may_be = row.matched.candidates.first().filter(|_| is_open);
                let may_be = may_be.map(|candidate| candidate.account.as_str());
                everybody.push(Somebody { id: object.id.to_string(), object: Some(object), account, may_be });
            }
        }
        // Whose accounts these may be is not known yet: then their people may stand in the other book already.
        let unresolved = self.reconciliation.rows.iter().filter(|row| row.class.name() == "unresolved");
        let candidates: HashSet<&str> =
            unresolved.flat_map(|row| &row.matched.candidates).map(|candidate| candidate.account.as_str()).collect();
        let is_ours = |account: &&Entry| {
            let code = account.organisation.as_deref();
            account.kind != EntryKind::Contact
                && !account.is_hidden
                && code.map_or(self.ours_alone, |code| code.eq_ignore_ascii_case(self.code))
                && !matched.contains(account.key.as_str())
                && !candidates.contains(account.key.as_str())
        };
        for account in self.platform.iter().filter(is_ours) {
            let id = format!("platform:{}", account.key);
            everybody.push(Somebody { id, object: None, account: Some(account), may_be: None });
        }
        everybody
    }

    /// Entries of others in the book that hold an address of this person.
    fn others(&self, somebody: &Somebody<'_>, holders: &HashMap<String, Vec<&'b Entry>>, book: Book) -> Vec<&'b Entry> {
        let own = |entry: &Entry| match book {
            Book::Source => somebody
                .object
                .is_some_and(|object| object.id.directory == self.directory && object.id.key == entry.key),
            Book::Platform => somebody.account.is_some_and(|account| account.key == entry.key),
        };
        let mut found: BTreeMap<&str, &Entry> = BTreeMap::new();
        for mail in addresses(somebody) {
            for entry in holders.get(&mail).into_iter().flatten().filter(|entry| !own(entry)) {
                found.insert(&entry.key, entry);
            }
        }
        found.into_values().collect()
    }

    fn count(somebody: &Somebody<'_>, is_there: bool, others: &[&Entry], difference: &mut Difference) {
        let who = addresses(somebody).into_iter().next().unwrap_or_else(|| somebody.id.clone());
        let mut contacts = others.iter().filter(|entry| entry.kind == EntryKind::Contact);
        let holder = others.iter().find(|entry| entry.kind != EntryKind::Contact);
        let what = match (is_there, contacts.next(), holder) {
            (true, Some(contact), _) => Some(format!(
                "a contact that others made stands beside the account: remove {}, or exclude it",
                contact.place.as_deref().unwrap_or(&contact.key)
            )),
            // Their address as another's further one: mail for them would go there.
            (false, _, Some(holder)) => Some(format!(
                "the address is held by {}: take it from there, then a contact can be written",
                holder.place.as_deref().unwrap_or(&holder.key)
            )),
            (false, Some(_), None) => contacts.next().map(|second| {
                format!(
                    "two contacts that others made have this address: remove {}",
                    second.place.as_deref().unwrap_or(&second.key)
                )
            }),
            (true, None, _) | (false, None, None) => None,
        };
        match what {
            Some(what) => difference.faults.push(Fault { who, what }),
            None => {
                difference.in_place += 1;
                difference.there.extend(somebody.object.map(|object| object.id.to_string()));
            }
        }
    }
}

fn remove(before: &Entry) -> BookChange {
    BookChange::Remove { before: Box::new(before.clone()) }
}

/// Every address of somebody on either side; the one where their mail is read now first.
fn addresses(somebody: &Somebody<'_>) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for entry in somebody.object.map(|object| &object.entry).into_iter().chain(somebody.account) {
        keys.extend(entry.mail_keys());
    }
    let mut seen = BTreeSet::new();
    keys.retain(|key| seen.insert(key.clone()));
    keys
}

/// The contact that stands for somebody in the book of the side where they have nothing of their own.
fn contact(somebody: &Somebody<'_>, mark: &str, book: Book) -> Option<Entry> {
    let own = match book {
        Book::Source => somebody.account.or(somebody.object.map(|object| &object.entry)),
        Book::Platform => somebody.object.map(|object| &object.entry),
    }?;
    let mail = own.mail.clone().or_else(|| own.mail_keys().into_iter().next())?;
    let mut entry = Entry::new("", EntryKind::Contact);
    entry.names = own.names.clone();
    entry.names.display = own.names.display.clone().or_else(|| Some(mail.clone()));
    entry.addresses = vec![Address { kind: AddressKind::Smtp, is_primary: true, text: mail.clone() }];
    entry.routed_to = Some(mail.clone());
    entry.mail = Some(mail);
    entry.job_title.clone_from(&own.job_title);
    entry.department.clone_from(&own.department);
    entry.telephone.clone_from(&own.telephone);
    entry.mobile = own.mobile.clone().filter(|_| !own.hides_mobile);
    // In its own directory everybody is the organisation's.
    entry.organisation = own.organisation.clone().filter(|_| book == Book::Platform);
    entry.origin = Some(mark.to_owned());
    Some(entry)
}

/// A contact that was written, with what is wanted of it; what its directory adds by itself stays.
fn as_written(before: &Entry, wanted: &Entry) -> Entry {
    let mut after = before.clone();
    after.names.clone_from(&wanted.names);
    // Some directories give a code to whoever has none.
    let is_same = |code: &String| before.organisation.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(code));
    if wanted.organisation.as_ref().is_some_and(|code| !is_same(code)) {
        after.organisation.clone_from(&wanted.organisation);
    }
    if before.mail.as_deref().map(mail_key) != wanted.mail.as_deref().map(mail_key) {
        after.mail.clone_from(&wanted.mail);
        after.addresses.clone_from(&wanted.addresses);
    }
    if before.routed_to.as_deref().map(mail_key) != wanted.routed_to.as_deref().map(mail_key) {
        after.routed_to.clone_from(&wanted.routed_to);
    }
    after.job_title.clone_from(&wanted.job_title);
    after.department.clone_from(&wanted.department);
    after.telephone.clone_from(&wanted.telephone);
    after.mobile.clone_from(&wanted.mobile);
    after
}

#[cfg(test)]
mod tests;
