use super::*;
use crate::{MatchRules, ObjectId, Scope, Settings, Words, reconcile};

/// Both sides, with what is written to them.
#[derive(Clone)]
struct World {
    source: Vec<Entry>,
    platform: Vec<Entry>,
    made: usize,
}

fn person(key: &str, name: &str) -> Entry {
    let mut entry = Entry::new(key, EntryKind::Person);
    (entry.names.given, entry.names.surname) = (Some(name.into()), Some(format!("Of{key}")));
    entry.names.display = Some(name.into());
    entry.mail = Some(format!("{}@trust.example", name.to_lowercase()));
    entry.local_id = Some(key.into());
    entry
}

fn account(key: &str, name: &str, local_id: Option<&str>) -> Entry {
    let mut entry = Entry::new(key, EntryKind::Person);
    entry.names.display = Some(name.into());
    entry.mail = Some(format!("{}@national.example", name.to_lowercase()));
    entry.local_id = local_id.map(str::to_owned);
    entry.organisation = Some("RX1".into());
    entry
}

fn outside(key: &str, mail: &str) -> Entry {
    let mut entry = Entry::new(key, EntryKind::Contact);
    entry.mail = Some(mail.into());
    entry
}

impl World {
    fn of(source: Vec<Entry>, platform: Vec<Entry>) -> Self {
        Self { source, platform, made: 0 }
    }

    fn differences(&self) -> [Difference; 2] {
        let is_ours = |entry: &&Entry| !entry.origin.as_deref().is_some_and(|origin| origin.starts_with(BOOK_MARK));
        let objects: Vec<Object> = self
            .source
            .iter()
            .filter(is_ours)
            .map(|entry| Object { id: ObjectId::new("ad", &entry.key), entry: entry.clone() })
            .collect();
        let accounts: Vec<Entry> = self.platform.iter().filter(is_ours).cloned().collect();
        let (scope, words, rules) = (Scope::default(), Words::default(), MatchRules::default());
        let settings = Settings {
            organisation: "RX1",
            project: "main",
            gone: &[],
            made: &HashMap::new(),
            ours_alone: false,
            scope: &scope,
            rules: &rules,
            words: &words,
            required: &[],
            makes_disabled: false,
            switched_off: &HashMap::new(),
            at: 0,
        };
        let reconciliation = reconcile(&objects, &accounts, settings);
        let books = Books {
            code: "RX1",
            project: "main",
            ours_alone: false,
            directory: "ad",
            objects: &objects,
            reconciliation: &reconciliation,
            source: &self.source,
            platform: &self.platform,
        };
        [books.difference(Book::Source), books.difference(Book::Platform)]
    }

    /// Makes what is wanted; what is left to do afterwards.
    fn sync(&mut self) -> usize {
        for (at, difference) in self.differences().into_iter().enumerate() {
            let side = if at == 0 { &mut self.source } else { &mut self.platform };
            for change in difference.changes {
                match change {
                    BookChange::Add { mut entry } => {
                        self.made += 1;
                        entry.key = format!("c{}", self.made);
                        side.push(*entry);
                    }
                    BookChange::Change { before, after } => {
                        *side.iter_mut().find(|entry| entry.key == before.key).unwrap() = *after;
                    }
                    BookChange::Remove { before } => side.retain(|entry| entry.key != before.key),
                }
            }
        }
        self.differences().iter().map(|difference| difference.changes.len()).sum()
    }

    fn contacts(&self) -> (Vec<&str>, Vec<&str>) {
        let of = |side: &'_ [Entry]| -> Vec<String> {
            let contacts = side.iter().filter(|entry| entry.origin.is_some());
            contacts.filter_map(|entry| entry.mail.clone()).collect()
        };
        let leak = |all: Vec<String>| all.into_iter().map(|text| &*text.leak()).collect();
        (leak(of(&self.source)), leak(of(&self.platform)))
    }
}

#[test]
fn everybody_stands_once_in_each_book_and_nothing_comes_back() {
    let mut ann = person("1", "Ann");
    (ann.mobile, ann.hides_mobile) = (Some("07700 900123".into()), true);
    let mut world =
        World::of(vec![ann, person("2", "Bob")], vec![account("p2", "Bob", Some("2")), account("p3", "Cyd", None)]);
    assert_eq!(world.sync(), 0);
    assert_eq!(world.contacts(), (vec!["cyd@national.example"], vec!["ann@trust.example"]));
    assert!(world.platform.iter().all(|entry| entry.mobile.is_none()), "a hidden number never leaves (R-049)");
    let [source, platform] = world.differences();
    assert_eq!((source.in_place, platform.in_place), (3, 3));
    assert_eq!(world.sync(), 0);
    assert_eq!((world.source.len(), world.platform.len()), (3, 3));
}

#[test]
fn contacts_of_other_organisations_and_projects_are_left_alone() {
    let mut world = World::of(vec![person("1", "Ann")], vec![account("p2", "Bob", None)]);
    world.sync();
    let foreign = |key: &str, mark: &str| {
        let mut entry = outside(key, &format!("{key}@elsewhere.example"));
        entry.origin = Some(format!("{BOOK_MARK}{mark}"));
        entry
    };
    let marks = ["RY2:main:ad:55", "RX1:other:ad:55", "RX1:main%3Atwo:ad:1", "RX1:ad:55", "RX1:main"];
    for side in [&mut world.source, &mut world.platform] {
        side.extend(marks.iter().enumerate().map(|(number, mark)| foreign(&format!("f{number}"), mark)));
    }
    let before = world.clone();
    for difference in world.differences() {
        assert_eq!((difference.changes, difference.faults), (vec![], vec![]));
    }
    assert_eq!(world.sync(), 0);
    assert_eq!((world.source, world.platform), (before.source, before.platform));
}

#[test]
fn a_contact_of_another_project_counts_as_one_that_others_made() {
    let mut foreign = outside("f", "ann@trust.example");
    foreign.origin = Some(format!("{BOOK_MARK}RX1:other:ad:1"));
    let mut world = World::of(vec![person("1", "Ann")], vec![foreign.clone()]);
    assert_eq!(world.sync(), 0);
    assert_eq!(world.platform, [foreign]);
}

#[test]
fn a_contact_follows_its_person_and_goes_when_they_get_an_account_or_leave() {
    let mut world = World::of(vec![person("1", "Ann"), person("2", "Bob")], Vec::new());
    world.sync();
    world.source[0].job_title = Some("Nurse".into());
    world.sync();
    assert_eq!(world.platform[0].job_title.as_deref(), Some("Nurse"));
    let ann = &mut world.source[0];
    (ann.organisation, ann.names.title, ann.names.initials) = (Some("RX2".into()), Some("Dr".into()), Some("A".into()));
    assert_eq!(world.sync(), 0);
    let there = &world.platform[0];
    assert_eq!(there.organisation.as_deref(), Some("RX2"), "a corrected organisation follows (R-195)");
    assert_eq!((there.names.title.as_deref(), there.names.initials.as_deref()), (Some("Dr"), Some("A")));
    // A directory that gives a code to whoever has none is left alone.
    (world.source[0].organisation, world.platform[0].organisation) = (None, Some("RX9".into()));
    assert_eq!(world.sync(), 0);
    world.platform.push(account("p1", "Ann", Some("1")));
    world.source.retain(|entry| entry.key != "2");
    assert_eq!(world.sync(), 0);
    assert_eq!(world.platform.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["p1"]);
}

#[test]
fn a_contact_follows_every_part_of_a_name_and_the_code_where_there_is_one() {
    let mut world = World::of(vec![person("1", "Ann")], vec![account("p2", "Bob", None)]);
    world.sync();
    assert_eq!(world.source[1].organisation, None, "in its own directory everybody is the organisation's");
    let ann = &mut world.source[0];
    (ann.names.title, ann.names.initials) = (Some("Dr".into()), Some("B.".into()));
    ann.organisation = Some("RX1".into());
    world.platform[0].names.title = Some("Mr".into());
    assert_eq!(world.sync(), 0);
    let contact = &world.platform[1];
    let told = [&contact.names.title, &contact.names.initials, &contact.organisation];
    assert_eq!(told.map(|text| text.as_deref()), [Some("Dr"), Some("B."), Some("RX1")]);
    assert_eq!(world.source[1].names.title.as_deref(), Some("Mr"));
    // What its directory tells of everybody is no difference.
    world.source[1].organisation = Some("RX1".into());
    assert_eq!(world.sync(), 0);
}

#[test]
fn a_contact_that_others_made_counts_and_is_left_alone() {
    let mut world = World::of(vec![person("1", "Ann")], vec![outside("x", "ANN@trust.example")]);
    assert_eq!(world.sync(), 0);
    assert_eq!(world.platform, [outside("x", "ANN@trust.example")]);
    // Beside an account it is one too many, and that is for a person to say.
    world.platform.push(account("p1", "Ann", Some("1")));
    let [_, platform] = world.differences();
    assert_eq!((platform.changes.len(), platform.faults.len()), (0, 1));
    assert!(platform.faults[0].what.contains("others made"), "{platform:?}");
}

#[test]
fn an_address_that_is_anothers_proxy_is_told_and_not_given_twice() {
    let mut desk = account("p9", "Desk", Some("9"));
    desk.addresses.push(Address::smtp("ann@trust.example"));
    (desk.kind, desk.names.given) = (EntryKind::Shared, None);
    let mut world = World::of(vec![person("1", "Ann")], vec![desk]);
    assert_eq!(world.sync(), 0);
    let [_, platform] = world.differences();
    assert_eq!((platform.changes.len(), platform.faults.len()), (0, 1));
    assert!(platform.faults[0].what.contains("held by"), "{platform:?}");
}

#[test]
fn whose_account_is_not_known_yet_is_not_written_a_second_time() {
    let mut ann = person("1", "Ann");
    (ann.names.given, ann.names.surname) = (Some("Ann".into()), Some("Lee".into()));
    let mut other = account("p1", "Ann Lee", None);
    (other.names.given, other.names.surname) = (Some("Ann".into()), Some("Lee".into()));
    let mut world = World::of(vec![ann], vec![other]);
    assert_eq!(world.sync(), 0);
    assert_eq!(world.contacts(), (vec![], vec![]), "she stands in her own book already, and perhaps in the other");
    let [_, platform] = world.differences();
    assert!(platform.faults[0].what.contains("may be theirs"), "{platform:?}");
}

#[test]
fn accounts_that_nobody_says_are_ours_or_that_are_hidden_get_no_contact() {
    let (mut stranger, mut hidden) = (account("p1", "Cyd", None), account("p2", "Dee", None));
    (stranger.organisation, hidden.is_hidden) = (None, true);
    let mut world = World::of(Vec::new(), vec![stranger, hidden]);
    assert_eq!(world.sync(), 0);
    assert_eq!(world.contacts(), (vec![], vec![]));
}
