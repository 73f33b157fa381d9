use model::{Address, Entry, EntryKind, Grant};
use proptest::prelude::*;

use super::*;
use crate::{MatchRules, Reconciliation, Scope, Settings, Words, reconcile};

fn entry(key: &str, kind: EntryKind) -> Entry {
    let mut entry = Entry::new(key, kind);
    entry.names.display = Some(format!("Name {key}"));
    entry.names.given = Some(format!("Given{key}"));
    entry.names.surname = Some(format!("Sur{key}"));
    entry.mail = (kind != EntryKind::List).then(|| format!("{key}@trust.example"));
    entry.account = Some(format!("account-{key}"));
    entry.sid = Some(format!("S-1-5-21-1-{key}"));
    entry.place = Some(format!("CN={key},DC=x"));
    entry.has_mailbox = kind.holds_mail();
    entry
}

fn object(entry: Entry) -> Object {
    Object { id: ObjectId::new("ad", &entry.key), entry }
}

/// The account that is certainly that of the entry of this key.
fn account(key: &str, kind: EntryKind) -> Entry {
    let mut account = entry(key, kind);
    account.key = format!("p-{key}");
    account.mail = Some(format!("{key}@national.example"));
    account.addresses = vec![Address::smtp(format!("{key}@trust.example"))];
    account.grants = Vec::new();
    account
}

#[derive(Debug)]
struct World {
    objects: Vec<Object>,
    accounts: Vec<Entry>,
    seats: Vec<Seat>,
    found: Vec<Found>,
    choices: HashMap<String, Choice>,
}

impl World {
    fn of(entries: Vec<Entry>, accounts: &[&str]) -> Self {
        let kind = |key: &str| entries.iter().find(|entry| entry.key == *key).map_or(EntryKind::Person, |e| e.kind);
        let accounts = accounts.iter().map(|key| account(key, kind(key))).collect();
        let objects: Vec<Object> = entries.into_iter().map(object).collect();
        let found = granted(&objects);
        Self { objects, accounts, seats: Vec::new(), found, choices: HashMap::new() }
    }

    /// What bears a mark was made.
    fn made(&self) -> HashMap<ObjectId, String> {
        let marks = self.objects.iter().map(|object| (crate::origin("RX1", "main", &object.id), &object.id));
        let marks: HashMap<String, &ObjectId> = marks.collect();
        let made = self.accounts.iter().filter_map(|account| Some((account, *marks.get(account.origin.as_ref()?)?)));
        made.map(|(account, id)| (id.clone(), account.key.clone())).collect()
    }

    fn reconciliation(&self) -> Reconciliation {
        let settings = Settings {
            organisation: "RX1",
            project: "main",
            gone: &[],
            made: &self.made(),
            ours_alone: true,
            scope: &Scope::default(),
            rules: &MatchRules::default(),
            words: &Words::default(),
            required: &[],
            makes_disabled: false,
            switched_off: &HashMap::new(),
            at: 0,
        };
        reconcile(&self.objects, &self.accounts, settings)
    }

    fn with<T>(&self, look: impl FnOnce(&Parties<'_>, &[Row]) -> T) -> T {
        let naming = PartyNaming {
            endpoint: &|_| Some("local".to_owned()),
            source: &|entry| entry.mail.clone(),
            target: &|account| account.mail.clone(),
            may_use: &|_| Ok(()),
        };
        let parties = Parties::of(&self.objects, &self.reconciliation(), &self.accounts, &self.seats, &naming);
        let rows = Sharing { found: &self.found, parties: &parties, choices: &self.choices }.rows();
        look(&parties, &rows)
    }

    /// Whose, which right, and where it stands.
    fn states(&self) -> Vec<(String, String, &'static str)> {
        self.with(|_, rows| {
            let state = |row: &Row| (row.found.trustee.text().to_owned(), right_text(&row.right), row.state.name());
            rows.iter().map(state).collect()
        })
    }
}

fn ward(grants: Vec<Grant>) -> Entry {
    let mut ward = entry("ward", EntryKind::Shared);
    ward.owners = vec![Reference::Key("1".into())];
    ward.grants = grants;
    ward
}

fn grant(to: Reference, right: Right) -> Grant {
    Grant::of(to, right)
}

fn mail_right(mailbox: &str, who: Trustee, letters: &str) -> Found {
    Found {
        origin: Origin::Mail("local".into()),
        place: Place::Mailbox(mailbox.into()),
        trustee: who,
        right: Right::Folder(vec!["INBOX".into()], letters.into()),
        is_inherited: false,
        is_denied: false,
        unknown: String::new(),
    }
}

#[test]
fn each_row_is_ready_or_says_why_not() {
    let own = Reference::Sid("S-1-5-10".into());
    let mut inherited = grant(Reference::Key("1".into()), Right::SendOnBehalf);
    inherited.is_inherited = true;
    let grants = vec![
        grant(Reference::Sid("S-1-5-21-1-1".into()), Right::FullAccess),
        grant(Reference::Place("CN=2,DC=x".into()), Right::SendAs),
        grant(Reference::Sid("S-1-5-21-9-99".into()), Right::FullAccess),
        grant(Reference::Key("g".into()), Right::FullAccess),
        grant(own, Right::SendAs),
        grant(Reference::Sid("S-1-1-0".into()), Right::FullAccess),
        inherited,
    ];
    let entries =
        vec![ward(grants), entry("1", EntryKind::Person), entry("2", EntryKind::Person), entry("g", EntryKind::List)];
    let world = World::of(entries, &["ward", "1"]);
    let mut states = world.states();
    states.sort();
    let expected = [
        ("1", "send-on-behalf", "listed"),
        ("CN=2,DC=x", "send-as", "waits"),
        ("S-1-1-0", "full-access", "listed"),
        ("S-1-5-10", "send-as", "listed"),
        ("S-1-5-21-1-1", "full-access", "ready"),
        ("S-1-5-21-9-99", "full-access", "waits"),
        ("g", "full-access", "waits"),
    ];
    let expected: Vec<_> = expected.iter().map(|(who, what, state)| ((*who).into(), (*what).into(), *state)).collect();
    assert_eq!(states, expected);
}

#[test]
fn a_right_goes_where_the_platform_takes_it_and_else_to_a_person() {
    let grants =
        [Right::FullAccess, Right::SendAs, Right::SendOnBehalf, Right::Folder(vec!["Box".into()], "lr".into())];
    let grants = grants.map(|right| grant(Reference::Key("1".into()), right)).to_vec();
    let world = World::of(vec![ward(grants), entry("1", EntryKind::Person)], &["ward", "1"]);
    let ways = |folders: bool, directory: bool| {
        world.with(|parties, rows| {
            let way = |row: &Row| match row.way(parties, Takes { folders, directory }) {
                Way::Folder(folder, letters) => format!("{folder:?} {letters}"),
                Way::Directory(right) => right_text(&right),
                Way::ByHand(_) => "by hand".to_owned(),
            };
            rows.iter().map(way).collect::<Vec<_>>()
        })
    };
    assert_eq!(ways(true, true), ["None lrswipkxtea", "send-as", "send-on-behalf", "Some([\"Box\"]) lr"]);
    assert_eq!(ways(false, true), ["full-access", "send-as", "send-on-behalf", "by hand"]);
    assert_eq!(ways(true, false), ["None lrswipkxtea", "by hand", "by hand", "Some([\"Box\"]) lr"]);
    assert_eq!(ways(false, false), ["by hand"; 4]);
}

#[test]
fn a_list_stays_a_list_and_is_no_account_of_a_mail_server() {
    let grants = vec![grant(Reference::Key("g".into()), Right::FullAccess)];
    let mut world =
        World::of(vec![ward(grants), entry("1", EntryKind::Person), entry("g", EntryKind::List)], &["ward"]);
    world.accounts.push({
        let mut list = account("g", EntryKind::List);
        list.origin = Some(crate::origin("RX1", "main", &ObjectId::new("ad", "g")));
        list.organisation = Some("RX1".into());
        list
    });
    world.accounts.iter_mut().for_each(|account| account.organisation = Some("RX1".into()));
    world.with(|parties, rows| {
        assert_eq!((rows[0].state.clone(), rows[0].is_group), (RowState::Ready, true));
        let way = |folders, directory| rows[0].way(parties, Takes { folders, directory });
        assert_eq!(way(true, true), Way::Directory(Right::FullAccess));
        assert!(matches!(way(true, false), Way::ByHand(_)));
    });
}

/// A name on one server says nothing about who has it elsewhere.
#[test]
fn who_logs_in_with_a_name_is_known_by_the_endpoint_only() {
    let mut world = World::of(Vec::new(), &[]);
    let seat = |endpoint: &str, source: &str, target: &str| Seat {
        endpoint: endpoint.into(),
        source: source.into(),
        target: target.into(),
        label: None,
    };
    world.seats =
        vec![seat("local", "ward", "hill.ward"), seat("local", "Bob", "bob.ray"), seat("annex", "cyd", "cyd.x")];
    let names = ["bob", "cyd", "ward"].map(|name| mail_right("Ward", Trustee::Account(name.into()), "lr"));
    world.found = names.to_vec();
    let states = world.states();
    let states: Vec<_> = states.iter().map(|(who, _, state)| (who.as_str(), *state)).collect();
    assert_eq!(states, [("bob", "ready"), ("cyd", "waits"), ("ward", "listed")]);
}

/// Where nobody says on which of several servers the mailboxes of a directory lie, a name there is nobody's of it.
#[test]
fn an_object_is_known_on_the_endpoint_of_its_directory_only() {
    let entries = [("hill", "1"), ("dale", "2"), ("moor", "3")];
    let objects = entries.map(|(directory, key)| {
        let entry = Entry { mail: Some("bob@trust.example".into()), ..entry(key, EntryKind::Person) };
        Object { id: ObjectId::new(directory, key), entry }
    });
    let naming = PartyNaming {
        endpoint: &|object| match object.directory.as_str() {
            "hill" => Some("local".to_owned()),
            "dale" => Some("annex".to_owned()),
            _ => None,
        },
        source: &|entry| entry.mail.clone(),
        target: &|account| account.mail.clone(),
        may_use: &|_| Ok(()),
    };
    let reconciliation = Reconciliation { rows: Vec::new() };
    let parties = Parties::of(&objects, &reconciliation, &[], &[], &naming);
    let sources: Vec<_> = parties.all().iter().map(|party| party.source.as_ref().map(|(at, _)| at.as_str())).collect();
    assert_eq!(sources, [Some("local"), Some("annex"), None]);
    let bob = Trustee::Account("bob@trust.example".into());
    for (endpoint, party) in [("local", Some(0)), ("annex", Some(1)), ("moor", None)] {
        assert_eq!(parties.trustee(&Origin::Mail(endpoint.into()), &bob).ok(), party, "{endpoint}");
    }
}

#[test]
fn people_csv_and_an_accepted_match_must_say_the_same() {
    let mut world = World::of(vec![entry("1", EntryKind::Person), entry("2", EntryKind::Person)], &["1", "2"]);
    let seat = |key: &str, target: &str| Seat {
        endpoint: "local".into(),
        source: format!("{key}@trust.example"),
        target: target.into(),
        label: None,
    };
    world.seats = vec![seat("1", "somebody.else@national.example"), seat("2", "2@NATIONAL.example")];
    world.found = vec![mail_right("2@trust.example", Trustee::Account("1@trust.example".into()), "lr")];
    assert_eq!(world.states()[0].2, "waits");
    world.seats[0].target = "1@national.example".into();
    assert_eq!(world.states()[0].2, "ready");
}

#[test]
fn what_is_denied_is_not_given_by_leaving_the_denial_behind() {
    let denied =
        |who: Trustee, letters: &str| Found { is_denied: true, ..mail_right("ward@trust.example", who, letters) };
    let given = |who: &str| mail_right("ward@trust.example", Trustee::Account(format!("{who}@trust.example")), "lrs");
    let account = |who: &str| Trustee::Account(format!("{who}@trust.example"));
    let mut list = entry("g", EntryKind::List);
    let mut inner = entry("h", EntryKind::List);
    // A circle.
    list.members = vec![Reference::Key("h".into())];
    inner.members = vec![Reference::Key("g".into()), Reference::Key("2".into())];
    let entries = || {
        let people = ["1", "2", "3"].map(|key| entry(key, EntryKind::Person));
        [people.to_vec(), vec![ward(Vec::new()), list.clone(), inner.clone()]].concat()
    };
    let ready = |found: Vec<Found>| {
        let mut world = World::of(entries(), &["ward", "1", "2", "3"]);
        world.found = found;
        let ready = world.states().into_iter().filter(|(.., state)| *state == "ready");
        ready.map(|(who, right, _)| format!("{} {right}", &who[..1])).collect::<Vec<_>>()
    };
    let all = || vec![given("1"), given("2"), given("3")];
    let with = |denial: Found| ready([all(), vec![denial]].concat());
    assert_eq!(ready(all()), ["1 lrs", "2 lrs", "3 lrs"]);
    assert_eq!(with(denied(account("1"), "s")), ["1 lr", "2 lrs", "3 lrs"], "only what is denied to them");
    assert_eq!(with(denied(account("1"), "lrs")), ["2 lrs", "3 lrs"]);
    assert_eq!(with(denied(account("1"), "x")), ["1 lrs", "2 lrs", "3 lrs"], "another right");
    assert_eq!(with(denied(Trustee::Everybody("anyone".into()), "s")), Vec::<String>::new());
    assert_eq!(with(denied(Trustee::Group("account-g".into()), "s")), ["1 lrs", "3 lrs"], "2 is in a list in it");
    assert_eq!(with(denied(Trustee::Group("unknown".into()), "s")), Vec::<String>::new(), "nobody knows who is in it");
}

#[test]
fn an_owners_word_is_in_force_and_counts_as_a_change() {
    let grants = vec![grant(Reference::Key("1".into()), Right::FullAccess)];
    let mut world = World::of(vec![ward(grants), entry("1", EntryKind::Person)], &["ward", "1"]);
    let signed = world.with(|_, rows| rows[0].facts);
    let id = world.with(|_, rows| rows[0].id.clone());
    for (choice, state, right, holds) in [
        (Choice::Keep, "ready", "full-access", true),
        (Choice::Remove, "removed", "full-access", false),
        (Choice::Instead(Right::SendAs), "ready", "send-as", false),
    ] {
        world.choices.insert(id.clone(), choice);
        world.with(|_, rows| {
            assert_eq!((rows[0].state.name(), right_text(&rows[0].right).as_str()), (state, right));
            assert_eq!(rows[0].is_signed(&signed), holds);
        });
    }
}

#[test]
fn a_signature_holds_when_the_grantee_arrives_and_not_when_they_become_another() {
    let grants = vec![grant(Reference::Key("1".into()), Right::FullAccess)];
    let mut world = World::of(vec![ward(grants), entry("1", EntryKind::Person)], &["ward"]);
    let waiting = world.with(|_, rows| (rows[0].state.name(), rows[0].facts));
    assert_eq!(waiting.0, "waits");
    world.accounts.push(account("1", EntryKind::Person));
    let arrived = world.with(|_, rows| (rows[0].state.clone(), rows[0].facts, rows[0].is_signed(&waiting.1)));
    assert_eq!((arrived.0, arrived.2), (RowState::Ready, true));
    // Signed once they had arrived; then their account is another.
    world.accounts[1].key = "p-other".into();
    assert!(world.with(|_, rows| !rows[0].is_signed(&arrived.1)));
    // And a right that is another is void however it was signed.
    world.objects[0].entry.grants[0].right = Right::SendAs;
    world.found = granted(&world.objects);
    assert!(world.with(|_, rows| !rows[0].is_signed(&waiting.1)));
}

#[test]
fn rights_read_back_as_they_are_written() {
    let folder = || Some(vec!["Box".to_owned()]);
    for right in [Right::FullAccess, Right::SendAs, Right::SendOnBehalf] {
        assert_eq!(read_right(&right_text(&right), None), Ok(right.clone()));
        assert!(read_right(&right_text(&right), folder()).is_err());
    }
    assert_eq!(read_right("rlsd", folder()), Ok(Right::Folder(vec!["Box".into()], "lrste".into())));
    assert!(read_right("lrs", None).is_err() && read_right("owner", folder()).is_err());
}

/// A world by chance: who is there, who has an account, lists with circles, grants and denials of every kind.
fn worlds() -> impl Strategy<Value = World> {
    let people = 6usize;
    let who = 0..people + 3;
    let members = prop::collection::vec(prop::collection::vec(0..people + 3, 0..5), 3);
    let right = prop_oneof![
        Just(Right::FullAccess),
        Just(Right::SendAs),
        "[lrswi]{1,4}".prop_map(|letters| Right::Folder(vec!["INBOX".into()], letters))
    ];
    let grants = prop::collection::vec((0..people, who, right, any::<bool>(), 0..8u8), 0..20);
    let accounts = prop::collection::vec(any::<bool>(), people + 3);
    (members, grants, accounts).prop_map(move |(members, grants, accounts)| {
        let name = |number: usize| if number < people { format!("{number}") } else { format!("g{number}") };
        let mut entries: Vec<Entry> = (0..people).map(|number| entry(&name(number), EntryKind::Person)).collect();
        for (number, members) in members.into_iter().enumerate() {
            let mut list = entry(&name(people + number), EntryKind::List);
            list.mail = Some(format!("{}@trust.example", list.key));
            list.members = members.into_iter().map(|member| Reference::Key(name(member))).collect();
            entries.push(list);
        }
        for (mailbox, who, right, is_inherited, denied) in grants {
            let to = Reference::Key(name(who));
            entries[mailbox].grants.push(Grant {
                to,
                right,
                is_inherited: is_inherited && denied == 1,
                is_denied: denied == 0,
            });
        }
        let there: Vec<String> = (0..people + 3).filter(|number| accounts[*number]).map(name).collect();
        World::of(entries, &there.iter().map(String::as_str).collect::<Vec<_>>())
    })
}

/// Is somebody in a list, by the tests' own reckoning?
fn is_in(world: &World, list: &str, who: &str) -> bool {
    let mut inside = std::collections::BTreeSet::from([list.to_owned()]);
    for _ in 0..world.objects.len() {
        for object in world.objects.iter().filter(|object| inside.contains(&object.entry.key)).collect::<Vec<_>>() {
            inside.extend(object.entry.members.iter().map(|member| member.text().to_owned()));
        }
    }
    list != who && inside.contains(who)
}

proptest! {
    #[test]
    fn nobody_gets_a_right_without_an_accepted_match_or_against_a_denial(world in worlds()) {
        let has_account = |key: &str| world.accounts.iter().any(|account| account.key == format!("p-{key}"));
        world.with(|parties, rows| {
            for row in rows.iter().filter(|row| row.state == RowState::Ready) {
                prop_assert!(!row.found.is_denied && !row.found.is_inherited);
                for (party, text) in [(row.mailbox, place_text(&row.found.place)), (row.grantee, row.found.trustee.text().to_owned())] {
                    let party = &parties.all()[party.unwrap()];
                    let key = text.strip_prefix("ad:").unwrap_or(&text);
                    prop_assert_eq!(&party.object.as_ref().unwrap().key, key);
                    prop_assert!(has_account(key));
                    let account = party.there.as_ref().unwrap().account.clone().unwrap();
                    prop_assert_eq!(account, format!("p-{key}"));
                }
                let given = row.found.trustee.text();
                let denied = rows.iter().filter(|other| other.found.is_denied && other.found.place == row.found.place);
                for other in denied {
                    let whom = other.found.trustee.text();
                    let reaches = whom == given || is_in(&world, whom, given) || is_in(&world, given, whom);
                    let overlaps = match (&other.found.right, &row.right) {
                        (Right::Folder(_, one), Right::Folder(_, other)) => {
                            !Letters::parse(one).0.both(Letters::parse(other).0).is_empty()
                        }
                        (one, other) if [one, other].contains(&&Right::SendAs) => one == other,
                        _ => true,
                    };
                    prop_assert!(!(reaches && overlaps), "{given} gets what {whom} is denied");
                }
            }
            // No right is more than what was found.
            for row in rows {
                if let (Right::Folder(_, found), Right::Folder(_, given)) = (&row.found.right, &row.right) {
                    prop_assert!(Letters::parse(found).0.has(Letters::parse(given).0));
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn every_right_is_in_one_row_and_rows_come_out_the_same(world in worlds()) {
        let ids = |world: &World| world.with(|_, rows| rows.iter().map(|row| (row.id.clone(), row.facts)).collect::<Vec<_>>());
        let mut turned = World::of(world.objects.iter().map(|object| object.entry.clone()).collect(), &[]);
        turned.accounts.clone_from(&world.accounts);
        turned.found.reverse();
        let first = ids(&world);
        prop_assert_eq!(&first, &ids(&turned));
        let unique: std::collections::BTreeSet<_> = first.iter().map(|(id, _)| id).collect();
        prop_assert_eq!(unique.len(), first.len());
        let found: std::collections::BTreeSet<_> = world.found.iter().map(Found::id).collect();
        prop_assert_eq!(found.len(), first.len());
    }

    #[test]
    fn a_matrix_with_what_is_missing_added_has_nothing_missing(
        before in prop::collection::vec((0..3u8, 0..3u8, 0..3u8, "[lrswi]{1,3}"), 0..12),
        after in prop::collection::vec((0..3u8, 0..3u8, 0..3u8, "[lrswi]{1,3}"), 0..12),
    ) {
        let of = |rights: &[(u8, u8, u8, String)]| {
            let mut matrix = Matrix::default();
            for (mailbox, grantee, folder, letters) in rights {
                let what = What::Folder(vec![folder.to_string()]);
                matrix.add(Cell { mailbox: mailbox.to_string(), grantee: grantee.to_string(), what }, Letters::known(letters));
            }
            matrix
        };
        let (before, after) = (of(&before), of(&after));
        let mut given = after.clone();
        before.beyond(&after).into_iter().for_each(|gap| given.add(gap.cell, gap.letters));
        prop_assert!(before.beyond(&given).is_empty());
        prop_assert!(after.beyond(&given).is_empty(), "nothing was taken away");
        prop_assert!(given.beyond(&after).iter().all(|gap| before.beyond(&after).contains(gap)), "nothing else was added");
    }
}

#[test]
fn names_are_compared_without_case() {
    let cell = |name: &str| Cell { mailbox: name.into(), grantee: name.into(), what: What::Whole("send-as") };
    let (mut one, mut other) = (Matrix::default(), Matrix::default());
    one.add(cell("Ann@X"), Letters::ALL);
    other.add(cell("ann@x"), Letters::ALL);
    assert!(one.beyond(&other).is_empty() && one.len() == 1 && !one.is_empty());
}
