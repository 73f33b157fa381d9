//! The distribution lists of both sides, as their directories were last read: what is sent to a list is to reach each of its members once,
//! wherever they are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use model::{Entry, EntryKind, Side};
use people::{Accounts, Object, ObjectId};
use routing::{Directory, Domain, MailAddress, Owner, Pending, PersonId, Route};
use store::{DirectoryRow, EntryRow, ProjectKey, Store};

use super::others::KnownOther;

/// A list of a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownList {
    side: Side,
    /// Its addresses.
    addresses: Vec<String>,
    /// At which each of its members takes mail, the usual one first: people, other lists, and whoever is outside.
    members: Vec<Vec<String>>,
}

/// What the directories of both sides say of where mail goes.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) lists: Vec<KnownList>,
    /// All else that has an address.
    pub(crate) others: Vec<KnownOther>,
}

/// The directories of a project, read anew when one of them was.
#[derive(Default)]
pub(crate) struct Lists {
    last: Mutex<(Vec<DirectoryRow>, Arc<Known>)>,
}

impl Lists {
    /// What they said when they were last read. `platform`: the directory of the target.
    pub(crate) async fn read(
        &self,
        store: &Store,
        key: ProjectKey,
        platform: Option<&str>,
    ) -> Result<Arc<Known>, store::Error> {
        let directories = store.directories(key).await?;
        {
            let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.0 == directories {
                return Ok(last.1.clone());
            }
        }
        let mut all = Known::default();
        for row in &directories {
            let side = if platform == Some(row.name.as_str()) { Side::Target } else { Side::Source };
            let entries = store.directory_entries(key, row.directory, false).await?;
            let damaged = |_| store::Error::damaged("an entry of a directory");
            let object =
                |row: &DirectoryRow, entry: Entry| Object { id: ObjectId::new(&*row.name, &*entry.key), entry };
            let read = |entry: &EntryRow| serde_json::from_str::<Entry>(&entry.entry).map_err(damaged);
            let objects = entries.iter().map(|entry| Ok(object(row, read(entry)?)));
            let objects = objects.collect::<Result<Vec<Object>, store::Error>>()?;
            all.lists.extend(lists(&objects, side));
            let other = |object: &Object| KnownOther::of(side, object.id.to_string(), &object.entry);
            all.others.extend(objects.iter().filter_map(other));
        }
        let all = Arc::new(all);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = (directories, all.clone());
        Ok(all)
    }
}

/// The lists of a directory.
fn lists(objects: &[Object], side: Side) -> Vec<KnownList> {
    let lists = objects.iter().filter(|object| object.entry.kind == EntryKind::List);
    let (accounts, mut known) = (Accounts::of(objects), Vec::new());
    let by_key: HashMap<&str, &Entry> = objects.iter().map(|object| (object.id.key.as_str(), &object.entry)).collect();
    for list in lists {
        let addresses = list.entry.mail_keys();
        let members = list.entry.members.iter().filter_map(|member| match accounts.key(member) {
            Some(key) => by_key.get(key).map(|entry| takes_mail_at(entry)),
            None => match member {
                model::Reference::Mail(mail) => Some(vec![mail.clone()]),
                _ => None,
            },
        });
        let members: Vec<Vec<String>> = members.collect();
        if !addresses.is_empty() {
            known.push(KnownList { side, addresses, members });
        }
    }
    known
}

/// Where whoever an entry stands for takes mail.
pub(super) fn takes_mail_at(entry: &Entry) -> Vec<String> {
    let routed = entry.routed_to.as_deref().filter(|_| entry.kind == EntryKind::Contact);
    match routed {
        Some(to) => vec![to.split_once(':').map_or(to, |(_, address)| address).to_owned()],
        None => entry.mail_keys(),
    }
}

/// Puts lists into the model, beside all else that is there already. Members of either site of whom nothing is known keep their mail.
pub(crate) fn add(directory: &mut Directory, lists: &[KnownList]) {
    let parsed = |texts: &[String]| -> Vec<MailAddress> {
        texts.iter().filter_map(|text| MailAddress::parse(text).ok()).collect()
    };
    let mut own: BTreeMap<(Side, MailAddress), Vec<Vec<MailAddress>>> = BTreeMap::new();
    for list in lists {
        let site = directory.site(list.side);
        let members: Vec<Vec<MailAddress>> = list.members.iter().map(|member| parsed(member)).collect();
        for address in parsed(&list.addresses) {
            let is_taken = site.domains.contains_key(&Domain::new(address.domain()));
            if is_taken && !site.entries.contains_key(&address) {
                own.insert((list.side, address), members.clone());
            }
        }
    }
    let named: BTreeSet<(Side, MailAddress)> = own.keys().cloned().collect();
    // All of them before anybody is counted: one may be a member of another, on either side.
    for ((side, address), members) in own {
        let other = if side == Side::Source { Side::Target } else { Side::Source };
        let is_at = |side: Side, member: &MailAddress| {
            named.contains(&(side, member.clone())) || directory.site(side).entries.contains_key(member)
        };
        let takes =
            |side: Side, member: &MailAddress| directory.site(side).domains.contains_key(&Domain::new(member.domain()));
        let is_known = |member: &&MailAddress| {
            is_at(side, member) || (!takes(side, member) && (is_at(other, member) || !takes(other, member)))
        };
        let members: Vec<MailAddress> =
            members.iter().filter_map(|member| member.iter().find(is_known).cloned()).collect();
        directory.site_mut(side).entries.insert(address, Pending::settled(Route::List(members)));
    }
    for (_, address) in &named {
        let reached = reached(directory, address);
        if !reached.is_empty() {
            directory.expected.entry(address.clone()).or_insert(Owner::List(reached));
        }
    }
}

/// Who is to be reached by a list: people, those of lists in it among them.
fn reached(directory: &Directory, list: &MailAddress) -> BTreeSet<PersonId> {
    let (mut people, mut seen, mut waiting) = (BTreeSet::new(), BTreeSet::new(), vec![list.clone()]);
    while let Some(address) = waiting.pop() {
        if !seen.insert(address.clone()) {
            continue;
        }
        if let Some(Owner::Person(person)) = directory.expected.get(&address) {
            people.insert(person.clone());
            continue;
        }
        for side in [Side::Source, Side::Target] {
            if let Some(Route::List(members)) = directory.site(side).entries.get(&address).map(|route| &route.now) {
                waiting.extend(members.iter().cloned());
            }
        }
    }
    people
}

#[cfg(test)]
mod tests {
    use model::Reference;
    use routing::{DomainRule, Followed, ForwarderKind, MailboxRule, Mx, Policy, Sender, Site};

    use super::*;

    fn entry(key: &str, kind: EntryKind, mail: &str) -> Entry {
        Entry { mail: Some(mail.to_owned()), ..Entry::new(key, kind) }
    }

    fn objects(entries: Vec<Entry>) -> Vec<Object> {
        entries.into_iter().map(|entry| Object { id: ObjectId::new("ad", &*entry.key), entry }).collect()
    }

    /// Ann is switched, ben is not.
    fn directory() -> Directory {
        let site = |domain: &str| Site {
            trusts_other: true,
            domains: [(Domain::new(domain), Pending::settled(DomainRule::Authoritative))].into(),
            ..Site::default()
        };
        let mut directory =
            Directory { source: site("hill.test"), target: site("nation.test"), ..Directory::default() };
        directory.policy = Policy { source_to_target: true, target_to_source: true, ..Policy::default() };
        for (side, domain) in [(Side::Source, "hill.test"), (Side::Target, "nation.test")] {
            directory.mx.insert(Domain::new(domain), Pending::settled(Mx::Site(side)));
            for name in ["ann", "ben"] {
                let (person, address) = (PersonId::new(name), address(&format!("{name}@{domain}")));
                let route = Pending::settled(Route::Mailbox(person.clone()));
                directory.site_mut(side).entries.insert(address.clone(), route);
                directory.expected.insert(address, Owner::Person(person));
            }
        }
        let forward = |to: &str, kind| {
            let (to, sender) = (vec![address(to)], Sender::TrustedRelay);
            Pending::settled(MailboxRule::Forward { to, sender, keeps_copy: false, kind })
        };
        let (ann, ben) = (PersonId::new("ann"), PersonId::new("ben"));
        directory.source.mailboxes.insert(ann.clone(), forward("ann@nation.test", ForwarderKind::Redirect));
        directory.target.mailboxes.insert(ben.clone(), forward("ben@hill.test", ForwarderKind::Coexistence));
        directory.people = [(ann, Followed::Target), (ben, Followed::Source)].into();
        directory
    }

    fn address(text: &str) -> MailAddress {
        MailAddress::parse(text).unwrap()
    }

    #[test]
    fn members_on_both_sides_are_reached_once() {
        let mut ward = entry("3", EntryKind::List, "ward@hill.test");
        ward.members = vec![Reference::Key("1".into()), Reference::Key("2".into()), Reference::Key("5".into())];
        let mut all = entry("4", EntryKind::List, "all@hill.test");
        all.members = vec![Reference::Key("3".into()), Reference::Mail("guest@else.test".into())];
        let people = [("1", "ann@hill.test"), ("2", "ben@hill.test"), ("5", "gone@hill.test")];
        let mut entries: Vec<Entry> = people.map(|(key, mail)| entry(key, EntryKind::Person, mail)).into();
        // Somebody who has always been at the target.
        let mut native = entry("6", EntryKind::Contact, "native@nation.test");
        native.routed_to = Some("SMTP:native@nation.test".to_owned());
        ward.members.push(Reference::Key("6".into()));
        entries.extend([ward, all, native]);
        let mut directory = directory();
        add(&mut directory, &lists(&objects(entries), Side::Source));
        let both: BTreeSet<PersonId> = ["ann", "ben"].map(PersonId::new).into();
        for list in ["ward@hill.test", "all@hill.test"] {
            assert_eq!(directory.expected.get(&address(list)), Some(&Owner::List(both.clone())), "{list}");
        }
        let of_lists = |directory: &Directory| -> Vec<String> {
            let findings = routing::check(directory).findings;
            findings.iter().filter(|one| one.address.as_str().starts_with("ward")).map(ToString::to_string).collect()
        };
        assert_eq!(of_lists(&directory), Vec::<String>::new());
        // Whoever's redirect is off is not reached where they look.
        directory.source.mailboxes.clear();
        assert!(!of_lists(&directory).is_empty());
    }

    #[test]
    fn somebody_who_is_in_a_list_twice_is_told() {
        let mut ward = entry("3", EntryKind::List, "ward@hill.test");
        ward.members = vec![Reference::Key("1".into()), Reference::Mail("ann@nation.test".into())];
        let mut directory = directory();
        let entries = vec![entry("1", EntryKind::Person, "ann@hill.test"), ward];
        add(&mut directory, &lists(&objects(entries), Side::Source));
        let findings = routing::check(&directory).findings;
        let told: Vec<_> = findings.iter().filter(|one| one.address.as_str() == "ward@hill.test").collect();
        assert!(!told.is_empty(), "{findings:?}");
    }
}
