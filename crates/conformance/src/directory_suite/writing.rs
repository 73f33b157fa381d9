//! What every directory that can be written must do: the rules of [`connector::DirectoryTarget`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use connector::{Change, ChangeOutcome, DirectoryTarget, Door, Effect, Error, OpenDoor, PlannedChange, Secret};
use model::{AccountState, Address, Cause, Entry, EntryKind, Grant, Reference, Right, Scope};

use super::{DirectoryWorld, person, read};

/// A directory that can be written, and how it is changed by other means than the connector.
#[async_trait]
pub trait TargetWorld: DirectoryWorld {
    /// The directory, to write. Every field of an entry has an attribute there.
    fn target(&self) -> Arc<dyn DirectoryTarget>;

    /// Whether members can be named by mail addresses of people in no directory.
    fn has_outsiders(&self) -> bool {
        true
    }
}

/// Makes a `#[tokio::test]` of every behaviour of what can be written, for the world that an expression gives; `None` leaves
/// them out.
#[macro_export]
macro_rules! directory_target_suite {
    ($world:expr) => {
        $crate::directory_target_tests!(
            $world;
            what_is_written_is_read_back,
            every_field_is_changed_alone,
            names_of_every_kind_are_written,
            a_rename_is_a_change_of_the_same_entry,
            members_and_owners_are_written,
            members_outside_are_written_or_refused,
            what_is_not_as_it_was_is_a_conflict,
            what_is_so_already_is_unchanged,
            only_what_this_program_made_is_removed,
            nothing_passes_a_shut_door,
            two_runs_at_once_make_nothing_twice,
            of_two_changes_at_once_one_is_made,
            a_portion_of_every_kind_keeps_its_order,
            further_addresses_come_and_go_and_their_holders_are_found,
        );
    };
}

/// Makes tests of these behaviours of the suite of directories that can be written.
#[macro_export]
macro_rules! directory_target_tests {
    ($world:expr; $($name:ident,)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let Some(world) = $world else { return };
            $crate::directory_suite::writing::$name(&world).await;
        })+
    };
}

/// An entry of this kind with something in every field that is written.
pub fn whole(number: usize, kind: EntryKind) -> Entry {
    let mut entry = person(number);
    (entry.key, entry.kind) = (String::new(), kind);
    entry.origin = Some(format!("whimbrel:TEST:ad:{number}"));
    entry.names.display = Some(format!("Surname {number}, Given ({})", kind.name()));
    entry.account = Some(format!("w{number}"));
    entry.addresses.push(Address::x500(format!("/o=Trust/ou=First/cn=Recipients/cn={number}")));
    entry.organisation = Some("TEST".to_owned());
    if kind == EntryKind::List {
        (entry.names.given, entry.names.surname, entry.department, entry.telephone) = (None, None, None, None);
        return entry;
    }
    entry.names.title = Some("Dr".to_owned());
    entry.names.initials = Some("Q".to_owned());
    entry.legacy_dn = Some(format!("/o=Trust/cn={number}"));
    entry.routed_to = Some(format!("p{number}@elsewhere.test"));
    entry.local_id = Some(format!("{number:06}"));
    entry.job_title = Some("Nurse, Band 6".to_owned());
    entry.mobile = Some(format!("+44 7700 {number:06}"));
    entry.hides_mobile = true;
    entry.is_hidden = true;
    if kind.holds_mail() {
        entry.quota_bytes = Some(5 << 30);
        entry.state = AccountState::Pending;
    } else {
        entry.account = None;
    }
    entry
}

/// The making of an entry, with a password where its kind has one.
pub fn create(entry: &Entry) -> Change {
    let has_password = matches!(entry.kind, EntryKind::Person | EntryKind::System);
    Change::Create { entry: Box::new(entry.clone()), password: has_password.then(|| Secret::new("First-Passw0rd.7")) }
}

/// An entry as another form of itself.
pub fn update(before: &Entry, after: &Entry) -> Change {
    Change::Update { before: Box::new(before.clone()), after: Box::new(after.clone()) }
}

fn remove(before: &Entry) -> Change {
    Change::Remove { before: Box::new(before.clone()) }
}

/// Changes by numbers as their names.
pub fn planned(changes: &[Change]) -> Vec<PlannedChange> {
    let planned = |(number, change): (usize, &Change)| PlannedChange { id: number.to_string(), change: change.clone() };
    changes.iter().enumerate().map(planned).collect()
}

/// Makes changes, and gives what became of them.
pub async fn apply(target: &dyn DirectoryTarget, changes: &[Change]) -> Vec<ChangeOutcome> {
    let outcomes = target.apply(&planned(changes), &OpenDoor).await.unwrap();
    assert_eq!(outcomes.len(), changes.len());
    outcomes
}

/// Makes a change that must be made, and gives the entry as it is then.
pub async fn made(target: &dyn DirectoryTarget, change: Change) -> Entry {
    let outcome = apply(target, std::slice::from_ref(&change)).await.remove(0);
    let ChangeOutcome::Done { key } = &outcome else { panic!("{outcome:?} of {change:?}") };
    one(target, key).await
}

/// The entry of this key.
pub async fn one(target: &dyn DirectoryTarget, key: &str) -> Entry {
    let mut entries = target.entries(&[key.to_owned()]).await.unwrap();
    assert_eq!(entries.len(), 1, "{key}");
    assert_eq!(entries[0].key, key);
    entries.remove(0)
}

/// Without what is the directory's own to say, and in one order.
fn plain(entry: &Entry, keys: &BTreeMap<String, String>) -> Entry {
    let mut entry = entry.clone();
    (entry.key, entry.place, entry.sid, entry.has_mailbox, entry.last_logon) = (String::new(), None, None, false, None);
    entry.other.clear();
    entry.addresses.sort();
    let by_key = |of: &Reference| by_keys(of, keys);
    entry.members = entry.members.iter().map(by_key).collect();
    entry.owners = entry.owners.iter().map(by_key).collect();
    for grant in &mut entry.grants {
        grant.to = by_key(&grant.to);
    }
    // Rights that come from the directory itself.
    entry.grants.retain(|grant| grant.right == Right::SendOnBehalf);
    entry.members.sort();
    entry.owners.sort();
    let names = &mut entry.names;
    for text in [&mut names.display, &mut names.given, &mut names.surname] {
        *text = text.as_deref().map(str::trim).map(str::to_owned);
    }
    if entry.account.as_deref().is_some_and(|account| account.starts_with('$')) {
        // Given by the directory to who had none.
        entry.account = None;
    }
    entry
}

/// Somebody by key, who is named by where they stand.
fn by_keys(of: &Reference, keys: &BTreeMap<String, String>) -> Reference {
    match of {
        Reference::Place(place) => keys.get(&place.to_lowercase()).cloned().map_or_else(|| of.clone(), Reference::Key),
        _ => of.clone(),
    }
}

async fn keys_by_place(world: &dyn TargetWorld) -> BTreeMap<String, String> {
    let told = read(&*world.directory(), None).await;
    let keys = told.seen().into_iter();
    keys.filter_map(|(key, entry)| Some((entry.place.as_ref()?.to_lowercase(), key.to_owned()))).collect()
}

/// Is what was read what was written, field by field?
pub async fn assert_written(world: &dyn TargetWorld, read_back: &Entry, put: &Entry) {
    let keys = keys_by_place(world).await;
    assert_eq!(plain(read_back, &keys), plain(put, &keys));
}

/// A new entry of every kind says what it was to say, to whoever reads it in whatever way.
pub async fn what_is_written_is_read_back(world: &dyn TargetWorld) {
    let target = world.target();
    assert!(target.declaration().writes);
    for (number, kind) in EntryKind::EVERY.into_iter().enumerate() {
        let entry = whole(number, kind);
        let there = made(&*target, create(&entry)).await;
        assert_written(world, &there, &entry).await;
        let told = read(&*world.directory(), None).await;
        assert_eq!(told.seen()[there.key.as_str()], &there, "a reading tells the same");
        assert_eq!(target.find_origin(entry.origin.as_deref().unwrap()).await.unwrap(), [there]);
    }
    // As little as an entry can say.
    for (number, kind) in EntryKind::EVERY.into_iter().enumerate() {
        let mut entry = Entry::new("", kind);
        entry.mail = Some(format!("little{number}@trust.test"));
        entry.addresses = vec![Address::parse(&format!("SMTP:little{number}@trust.test"))];
        entry.names.display = Some(format!("Little {number}"));
        entry.origin = Some(format!("whimbrel:TEST:little:{number}"));
        entry.organisation = Some("TEST".to_owned());
        let there = made(&*target, create(&entry)).await;
        assert_written(world, &there, &entry).await;
    }
    assert!(target.find_origin("whimbrel:TEST:nobody").await.unwrap().is_empty());
    assert!(target.entries(&["00000000-0000-4000-8000-000000000000".to_owned()]).await.unwrap().is_empty());
}

type Edit = (&'static str, fn(&mut Entry));

const EDITS: [Edit; 27] = [
    ("title", |e| e.names.title = Some("Prof".into())),
    ("given", |e| e.names.given = Some("Élodie".into())),
    ("initials", |e| e.names.initials = None),
    ("surname", |e| e.names.surname = Some("surname 1".into())),
    ("display", |e| e.names.display = Some("Another, Élodie".into())),
    ("display's case", |e| e.names.display = Some("ANOTHER, Élodie".into())),
    ("mail", |e| {
        e.mail = Some("new@trust.test".into());
        e.addresses.retain(|address| !address.is_primary);
        e.addresses.extend(["SMTP:new@trust.test", "smtp:p1@trust.test"].map(Address::parse));
    }),
    ("one address more", |e| e.addresses.push(Address::x500("/o=Old/cn=Ann: the first"))),
    ("one address less", |e| e.addresses.retain(|address| address.text != "also1@trust.test")),
    ("legacy_dn", |e| e.legacy_dn = None),
    ("routed_to", |e| e.routed_to = Some("ann@far.test".into())),
    ("no routed_to", |e| e.routed_to = None),
    ("account", |e| e.account = Some("ann1".into())),
    ("organisation", |e| e.organisation = Some("OTHER".into())),
    ("local_id", |e| e.local_id = Some("7".into())),
    ("job_title", |e| e.job_title = Some("Matron".into())),
    ("department", |e| e.department = None),
    ("department again", |e| e.department = Some("Ward 9 – \"East\"".into())),
    ("telephone", |e| e.telephone = Some("+44 1".into())),
    ("mobile", |e| e.mobile = None),
    ("hides_mobile", |e| e.hides_mobile = false),
    ("is_hidden", |e| e.is_hidden = false),
    ("quota", |e| e.quota_bytes = Some(10 << 30)),
    ("active", |e| e.state = AccountState::Active),
    ("leaver", |e| e.state = AccountState::Leaver),
    ("disabled", |e| e.state = AccountState::Disabled),
    ("origin", |e| e.origin = Some("whimbrel:TEST:ad:another".into())),
];

/// Each field changes by itself, there and back, and no other with it.
pub async fn every_field_is_changed_alone(world: &dyn TargetWorld) {
    let target = world.target();
    let ann = made(&*target, create(&whole(1, EntryKind::Person))).await;
    let mut now = ann.clone();
    for (name, edit) in EDITS {
        let mut after = now.clone();
        edit(&mut after);
        assert_ne!(now, after, "{name}");
        let there = made(&*target, update(&now, &after)).await;
        assert_eq!(there.key, ann.key, "{name}");
        println!("{name}");
        assert_written(world, &there, &after).await;
        now = there;
    }
    let there = made(&*target, update(&now, &ann)).await;
    assert_written(world, &there, &ann).await;
    for (kind, number) in [(EntryKind::Shared, 2), (EntryKind::Room, 3), (EntryKind::Contact, 4), (EntryKind::List, 5)]
    {
        let there = made(&*target, create(&whole(number, kind))).await;
        let mut after = there.clone();
        after.names.display = Some(format!("Another {number}"));
        after.mail = Some(format!("another{number}@trust.test"));
        after.addresses = vec![Address::parse(&format!("SMTP:another{number}@trust.test"))];
        if kind.holds_mail() {
            after.state = AccountState::Active;
        }
        let there = made(&*target, update(&there, &after)).await;
        assert_written(world, &there, &after).await;
    }
}

const NAMES: [&str; 15] = [
    "O'Connor-Smythe, Seán (Dr)",
    "Żółć, Łukasz",
    "Шевченко Анна",
    "渡辺 美咲",
    "محمد الأحمد",
    "#1 \"quoted\" <angle> \\back",
    "+plus=equals;semi, more",
    "# hash and a space",
    " leading and trailing ",
    "van der Berg, Anne-Marie; MD, PhD",
    "combi\u{301}ned É",
    "a\\",
    "a/b*c(d)|&!",
    "x=y,dc=z",
    "a name that is far longer than the sixty-four characters that a common name may have in some directories",
];

/// Whatever people are called.
pub async fn names_of_every_kind_are_written(world: &dyn TargetWorld) {
    let target = world.target();
    let entries: Vec<Entry> = NAMES
        .into_iter()
        .enumerate()
        .map(|(number, name)| {
            let kind = if number % 2 == 0 { EntryKind::Contact } else { EntryKind::Person };
            let mut entry = whole(number, kind);
            entry.names.display = Some(name.to_owned());
            entry.names.surname = Some(name.chars().take(60).collect());
            entry
        })
        .collect();
    let outcomes = apply(&*target, &entries.iter().map(create).collect::<Vec<_>>()).await;
    let mut there = Vec::new();
    for (outcome, entry) in outcomes.iter().zip(&entries) {
        let ChangeOutcome::Done { key } = outcome else { panic!("{outcome:?} of {entry:?}") };
        there.push(one(&*target, key).await);
        assert_written(world, &there[there.len() - 1], entry).await;
    }
    // Everybody is called what the next one is called: names are not unique.
    for number in 0..there.len() - 1 {
        let mut after = there[number].clone();
        after.names.display = Some(NAMES[number + 1].to_owned());
        let renamed = made(&*target, update(&there[number], &after)).await;
        assert_written(world, &renamed, &after).await;
    }
    // Two of one name and one place are two.
    let twins = [whole(100, EntryKind::Contact), whole(101, EntryKind::Contact)].map(|mut twin| {
        twin.names.display = Some("Lee, Ann".to_owned());
        twin
    });
    let outcomes = apply(&*target, &twins.each_ref().map(create)).await;
    let [ChangeOutcome::Done { key: first }, ChangeOutcome::Done { key: second }] = &outcomes[..] else {
        panic!("{outcomes:?}")
    };
    assert_ne!(first, second);
}

/// A rename is seen by whoever follows as a change of the entry that it was.
pub async fn a_rename_is_a_change_of_the_same_entry(world: &dyn TargetWorld) {
    let target = world.target();
    let ann = made(&*target, create(&whole(1, EntryKind::Person))).await;
    let mut list = whole(2, EntryKind::List);
    list.members = vec![Reference::Key(ann.key.clone())];
    let list = made(&*target, create(&list)).await;
    let before = read(&*world.directory(), None).await;
    let mut after = list.clone();
    after.names.display = Some("All of \"Ward 4\", nights".to_owned());
    let renamed = made(&*target, update(&list, &after)).await;
    assert_eq!((&renamed.key, &renamed.names.display), (&list.key, &after.names.display));
    let told = read(&*world.directory(), Some(&before.read.cursor)).await;
    assert!(told.gone().is_empty());
    assert_eq!(told.seen()[list.key.as_str()].names.display, after.names.display);
    assert_eq!(renamed.members.len(), 1);
}

/// Members and owners are who they were to be, by key or as they stand there.
pub async fn members_and_owners_are_written(world: &dyn TargetWorld) {
    let target = world.target();
    let mut people = Vec::new();
    for number in 0..4 {
        people.push(made(&*target, create(&whole(number, EntryKind::Person))).await);
    }
    let by_key = |number: usize| Reference::Key(people[number].key.clone());
    let empty = made(&*target, create(&whole(10, EntryKind::List))).await;
    assert!(empty.members.is_empty());
    let mut list = whole(11, EntryKind::List);
    list.members = vec![by_key(0), by_key(1), Reference::Key(empty.key.clone())];
    list.owners = vec![by_key(2), by_key(3)];
    let there = made(&*target, create(&list)).await;
    assert_written(world, &there, &list).await;
    // What is there stays as it is named, what comes is named by key.
    let mut after = there.clone();
    after.members.remove(0);
    after.members.push(by_key(3));
    after.owners.clear();
    let there = made(&*target, update(&there, &after)).await;
    assert_written(world, &there, &after).await;
    // The same, named otherwise, is no change.
    let keys = keys_by_place(world).await;
    let other = Entry { members: there.members.iter().map(|of| by_keys(of, &keys)).rev().collect(), ..there.clone() };
    if world.directory().declaration().platform != "in-memory" {
        assert_ne!(there.members, other.members);
        let outcome = apply(&*target, &[update(&there, &other)]).await.remove(0);
        assert_eq!(outcome, ChangeOutcome::Unchanged { key: there.key.clone() });
    }
    // Lists go in a circle, and become empty.
    let mut after = empty.clone();
    after.members = vec![Reference::Key(there.key.clone())];
    let circle = made(&*target, update(&empty, &after)).await;
    assert_written(world, &circle, &after).await;
    let none = Entry { members: Vec::new(), ..circle.clone() };
    assert!(made(&*target, update(&circle, &none)).await.members.is_empty());
    // Rights, and owners of what is nobody's.
    let mut shared = whole(12, EntryKind::Shared);
    shared.owners = vec![by_key(0), by_key(1)];
    shared.grants = vec![Grant::of(by_key(2), Right::SendOnBehalf)];
    let there = made(&*target, create(&shared)).await;
    assert_written(world, &there, &shared).await;
    let after = Entry { grants: vec![Grant::of(by_key(3), Right::SendOnBehalf)], ..there.clone() };
    let there = made(&*target, update(&there, &after)).await;
    assert_written(world, &there, &after).await;
}

/// Somebody in no directory is a member by address, or the list is refused with words and not made without them.
pub async fn members_outside_are_written_or_refused(world: &dyn TargetWorld) {
    let target = world.target();
    let mut list = whole(1, EntryKind::List);
    list.members = vec![Reference::Mail("somebody@far.test".to_owned())];
    if world.has_outsiders() {
        let there = made(&*target, create(&list)).await;
        assert_written(world, &there, &list).await;
        let none = Entry { members: Vec::new(), ..there.clone() };
        assert!(made(&*target, update(&there, &none)).await.members.is_empty());
        return;
    }
    let outcome = apply(&*target, &[create(&list)]).await.remove(0);
    let ChangeOutcome::Refused(error) = outcome else { panic!("{outcome:?}") };
    assert!(error.to_string().contains("somebody@far.test"), "{error}");
    assert!(target.find_origin(list.origin.as_deref().unwrap()).await.unwrap().is_empty());
    // A contact of that address stands for them.
    let mut contact = whole(2, EntryKind::Contact);
    contact.mail = Some("somebody@far.test".to_owned());
    contact.addresses = vec![Address::parse("SMTP:somebody@far.test")];
    let contact = made(&*target, create(&contact)).await;
    let there = made(&*target, create(&list)).await;
    assert_written(world, &there, &Entry { members: vec![Reference::Key(contact.key)], ..list }).await;
}

/// A change is refused as a whole where what changes is not what it was; what does not change may be what it likes.
pub async fn what_is_not_as_it_was_is_a_conflict(world: &dyn TargetWorld) {
    let target = world.target();
    let before = made(&*target, create(&whole(1, EntryKind::Person))).await;
    world.change(&before.key, "Radiology").await;
    let mut after = before.clone();
    (after.department, after.job_title) = (Some("Pharmacy".to_owned()), Some("Matron".to_owned()));
    let outcome = apply(&*target, &[update(&before, &after)]).await.remove(0);
    let ChangeOutcome::Conflict(words) = outcome else { panic!("{outcome:?}") };
    assert!(words.contains("department"), "{words}");
    let there = one(&*target, &before.key).await;
    assert_eq!((there.department.as_deref(), &there.job_title), (Some("Radiology"), &before.job_title));
    let mut after = before.clone();
    after.job_title = Some("Matron".to_owned());
    let there = made(&*target, update(&before, &after)).await;
    assert_eq!((there.department.as_deref(), &there.job_title), (Some("Radiology"), &after.job_title));
    // One field is already as it is to be, the other as it was.
    let mut after = before.clone();
    (after.job_title, after.telephone) = (Some("Matron".to_owned()), Some("+44 1".to_owned()));
    let there = made(&*target, update(&before, &after)).await;
    assert_eq!((&there.job_title, &there.telephone), (&after.job_title, &after.telephone));
    world.remove(&before.key).await;
    let outcome = apply(&*target, &[update(&before, &after)]).await.remove(0);
    assert!(matches!(outcome, ChangeOutcome::Conflict(_)), "{outcome:?}");
}

/// A change that was made is unchanged the second time, whatever it is.
pub async fn what_is_so_already_is_unchanged(world: &dyn TargetWorld) {
    let target = world.target();
    let entry = whole(1, EntryKind::Person);
    let before = made(&*target, create(&entry)).await;
    let unchanged = ChangeOutcome::Unchanged { key: before.key.clone() };
    assert_eq!(apply(&*target, &[create(&entry)]).await, std::slice::from_ref(&unchanged));
    let mut after = before.clone();
    (after.names.display, after.state) = (Some("Another, Ann".to_owned()), AccountState::Active);
    after.addresses.push(Address::smtp("third@trust.test"));
    made(&*target, update(&before, &after)).await;
    assert_eq!(apply(&*target, &[update(&before, &after)]).await, std::slice::from_ref(&unchanged));
    let now = one(&*target, &before.key).await;
    made_away(&*target, &now).await;
    assert_eq!(apply(&*target, &[remove(&now)]).await, [unchanged]);
    assert!(apply(&*target, &[]).await.is_empty());
}

async fn made_away(target: &dyn DirectoryTarget, entry: &Entry) {
    let outcome = apply(target, &[remove(entry)]).await.remove(0);
    assert_eq!(outcome, ChangeOutcome::Done { key: entry.key.clone() });
    assert!(target.entries(std::slice::from_ref(&entry.key)).await.unwrap().is_empty());
}

/// What others made is not removed, nor what changed meanwhile.
pub async fn only_what_this_program_made_is_removed(world: &dyn TargetWorld) {
    let target = world.target();
    let theirs = world.add(&person(50)).await;
    let theirs = one(&*target, &theirs).await;
    let outcome = apply(&*target, &[remove(&theirs)]).await.remove(0);
    assert!(matches!(&outcome, ChangeOutcome::Refused(_)), "{outcome:?}");
    // Nor when somebody believes that it is ours.
    let believed = Entry { origin: Some("whimbrel:TEST:ad:50".to_owned()), ..theirs.clone() };
    let outcome = apply(&*target, &[remove(&believed)]).await.remove(0);
    assert!(matches!(&outcome, ChangeOutcome::Refused(_)), "{outcome:?}");
    let ours = made(&*target, create(&whole(1, EntryKind::Contact))).await;
    world.change(&ours.key, "Radiology").await;
    let outcome = apply(&*target, &[remove(&ours)]).await.remove(0);
    assert!(matches!(&outcome, ChangeOutcome::Conflict(_)), "{outcome:?}");
    let ours = one(&*target, &ours.key).await;
    made_away(&*target, &ours).await;
    assert_eq!(one(&*target, &theirs.key).await, theirs);
}

/// Lets so many effects pass, and counts them.
struct Passes {
    left: AtomicUsize,
    passed: AtomicUsize,
}

impl Passes {
    fn new(count: usize) -> Self {
        Self { left: AtomicUsize::new(count), passed: AtomicUsize::new(0) }
    }
}

impl Door for Passes {
    fn before(&self, effect: Effect) -> Result<(), Error> {
        assert!(matches!(effect, Effect::CreateEntry | Effect::ChangeEntry | Effect::RemoveEntry), "{effect:?}");
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| Error::new(Cause::LeaseLapsed, Scope::Run, "the door is shut"))
    }

    fn after(&self, _: Effect) {
        self.passed.fetch_add(1, Ordering::SeqCst);
    }
}

/// Each effect passes the door, and none is made that did not.
pub async fn nothing_passes_a_shut_door(world: &dyn TargetWorld) {
    let target = world.target();
    for open in 0..=6 {
        let number = |which: usize| open * 10 + which;
        let old = made(&*target, create(&whole(number(0), EntryKind::Person))).await;
        let going = made(&*target, create(&whole(number(1), EntryKind::Contact))).await;
        let mut after = old.clone();
        after.telephone = Some("+44 1".to_owned());
        let mut changes: Vec<Change> = (2..6).map(|which| create(&whole(number(which), EntryKind::Contact))).collect();
        changes.extend([update(&old, &after), remove(&going)]);
        let door = Passes::new(open);
        let outcome = target.apply(&planned(&changes), &door).await;
        assert_eq!(outcome.is_ok(), open == 6, "{outcome:?}");
        assert_eq!(door.passed.load(Ordering::SeqCst), open);
        let mut effects = 0;
        for which in 2..6 {
            let origin = whole(number(which), EntryKind::Contact).origin.unwrap();
            effects += target.find_origin(&origin).await.unwrap().len();
        }
        effects += usize::from(one(&*target, &old.key).await.telephone == after.telephone);
        effects += usize::from(target.entries(&[going.key]).await.unwrap().is_empty());
        assert_eq!(effects, open);
        // Then the rest is made, and nothing twice.
        let outcomes = apply(&*target, &changes).await;
        for outcome in &outcomes {
            assert!(matches!(outcome, ChangeOutcome::Done { .. } | ChangeOutcome::Unchanged { .. }), "{outcome:?}");
        }
        let done = outcomes.iter().filter(|outcome| matches!(outcome, ChangeOutcome::Done { .. })).count();
        assert_eq!(done, changes.len() - open);
    }
}

/// Two who make the same at the same time make it once.
pub async fn two_runs_at_once_make_nothing_twice(world: &dyn TargetWorld) {
    const MANY: usize = 40;
    let changes: Vec<Change> = (0..MANY).map(|number| create(&whole(number, EntryKind::Person))).collect();
    let run = |target: Arc<dyn DirectoryTarget>, changes: Vec<Change>| {
        tokio::spawn(async move { apply(&*target, &changes).await })
    };
    let runs = [run(world.target(), changes.clone()), run(world.target(), changes)];
    let mut all = Vec::new();
    for run in runs {
        let outcomes = run.await.unwrap();
        all.push(
            outcomes
                .into_iter()
                .map(|outcome| match outcome {
                    ChangeOutcome::Done { key } => (key, 1),
                    ChangeOutcome::Unchanged { key } => (key, 0),
                    other => panic!("{other:?}"),
                })
                .collect::<Vec<_>>(),
        );
    }
    for (number, ((one, first), (other, second))) in all[0].iter().zip(&all[1]).enumerate() {
        assert_eq!((one, first + second), (other, 1), "one made it, the other found it");
        let origin = whole(number, EntryKind::Person).origin.unwrap();
        assert_eq!(world.target().find_origin(&origin).await.unwrap().len(), 1);
    }
}

/// Of two different changes of one field at the same time one is made and the other is told of it; the same change is made once.
pub async fn of_two_changes_at_once_one_is_made(world: &dyn TargetWorld) {
    let target = world.target();
    let mut before = Vec::new();
    for number in 0..10 {
        before.push(made(&*target, create(&whole(number, EntryKind::Contact))).await);
    }
    let run = |word: &str| {
        let changes: Vec<Change> = before
            .iter()
            .map(|entry| update(entry, &Entry { department: Some(word.to_owned()), ..entry.clone() }))
            .collect();
        let target = world.target();
        tokio::spawn(async move { apply(&*target, &changes).await })
    };
    let runs = [run("Radiology"), run("Pharmacy")];
    let mut outcomes = Vec::new();
    for run in runs {
        outcomes.push(run.await.unwrap());
    }
    for (number, entry) in before.iter().enumerate() {
        let done = |run: usize| matches!(outcomes[run][number], ChangeOutcome::Done { .. });
        let (first, second) = (&outcomes[0][number], &outcomes[1][number]);
        assert!(done(0) != done(1), "{first:?} {second:?}");
        let other = if done(0) { second } else { first };
        assert!(matches!(other, ChangeOutcome::Conflict(_)), "{other:?}");
        let winner = if done(0) { "Radiology" } else { "Pharmacy" };
        assert_eq!(one(&*target, &entry.key).await.department.as_deref(), Some(winner));
    }
}

/// What goes before what comes, goes before it: a name is free for who comes after.
pub async fn a_portion_of_every_kind_keeps_its_order(world: &dyn TargetWorld) {
    let target = world.target();
    let old = made(&*target, create(&whole(1, EntryKind::Contact))).await;
    let kept = made(&*target, create(&whole(2, EntryKind::Person))).await;
    let mut new = whole(3, EntryKind::Contact);
    new.names.display.clone_from(&old.names.display);
    new.mail.clone_from(&old.mail);
    new.addresses.clone_from(&old.addresses);
    let steps = [Some("A"), Some("B"), None].map(|word| Entry { job_title: word.map(str::to_owned), ..kept.clone() });
    let changes = [
        remove(&old),
        create(&new),
        update(&kept, &steps[0]),
        update(&steps[0], &steps[1]),
        update(&steps[1], &steps[2]),
        create(&whole(4, EntryKind::List)),
    ];
    for outcome in apply(&*target, &changes).await {
        assert!(matches!(outcome, ChangeOutcome::Done { .. }), "{outcome:?}");
    }
    assert_eq!(one(&*target, &kept.key).await.job_title, None);
    let there = target.find_origin(new.origin.as_deref().unwrap()).await.unwrap();
    assert_written(world, &there[0], &new).await;
}

/// A further address comes to an entry and goes again, and whoever has one is found by it, however it is written.
pub async fn further_addresses_come_and_go_and_their_holders_are_found(world: &dyn TargetWorld) {
    let target = world.target();
    let ann = made(&*target, create(&whole(1, EntryKind::Person))).await;
    let ben = made(&*target, create(&whole(2, EntryKind::Person))).await;
    let all = made(&*target, create(&whole(3, EntryKind::List))).await;
    let keys = async |addresses: &[&str]| {
        let addresses: Vec<String> = addresses.iter().map(|text| (*text).to_owned()).collect();
        let found = target.holders(&addresses).await.unwrap();
        let mut keys: Vec<String> = found.into_iter().map(|entry| entry.key).collect();
        keys.sort();
        keys
    };
    let sorted = |entries: &[&Entry]| {
        let mut keys: Vec<String> = entries.iter().map(|entry| entry.key.clone()).collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&["ann.o'neil@legacy.test"]).await, Vec::<String>::new());
    assert_eq!(keys(&[]).await, Vec::<String>::new());
    let mut after = ann.clone();
    after.addresses.push(Address::smtp("Ann.O'Neil@legacy.test"));
    after.addresses.push(Address::smtp("ann@second.test"));
    let with = made(&*target, update(&ann, &after)).await;
    let own = ann.mail.as_deref().unwrap();
    for address in ["ann.o'neil@LEGACY.test", "Ann.O'Neil@legacy.test", "ann@second.test", own, &own.to_uppercase()] {
        assert_eq!(keys(&[address]).await, sorted(&[&ann]), "{address}");
    }
    assert_eq!(with.mail, ann.mail, "who it is written from stays");
    let mails = [own, ben.mail.as_deref().unwrap(), all.mail.as_deref().unwrap(), "nobody@legacy.test"];
    assert_eq!(keys(&mails).await, sorted(&[&ann, &ben, &all]));
    // What is not as it was is left: somebody else has added one meanwhile.
    let mut other = with.clone();
    other.addresses.push(Address::smtp("ann@third.test"));
    let now = made(&*target, update(&with, &other)).await;
    let outcome = apply(&*target, &[update(&with, &ann)]).await.remove(0);
    assert!(matches!(outcome, ChangeOutcome::Conflict(_)), "{outcome:?}");
    assert_eq!(one(&*target, &ann.key).await.mail_keys(), now.mail_keys(), "all of it or nothing");
    let mut without = now.clone();
    without.addresses.retain(|address| {
        !now.mail_keys().contains(&model::mail_key(&address.text))
            || ann.mail_keys().contains(&model::mail_key(&address.text))
    });
    let back = made(&*target, update(&now, &without)).await;
    assert_eq!(keys(&["ann.o'neil@legacy.test", "ann@second.test", "ann@third.test"]).await, Vec::<String>::new());
    assert_eq!((back.mail_keys(), back.mail), (ann.mail_keys(), ann.mail));
}
