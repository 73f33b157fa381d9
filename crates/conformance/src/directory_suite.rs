//! What every directory must do: one function a behaviour, run on each connector's world.
//!
//! The rules are those of [`connector::Directory`]. A world is a directory that can be changed by other means than the
//! connector: by the server's own tools, by writing a file, by SQL. What a world can't do it says, and what asks for it is
//! passed over.

pub mod follow;
pub mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use connector::{Directory, DirectoryCursor, DirectoryRead, EntryEvent, EntrySink, Error};
use model::{Address, Cause, Entry, EntryKind, Reference, Scope};

/// A directory, and how it is changed by other means than the connector.
#[async_trait]
pub trait DirectoryWorld: Send + Sync {
    /// The directory. Everything that was put is in its scope, and whatever else it has to begin with.
    fn directory(&self) -> Arc<dyn Directory>;

    /// Puts a new entry there: its kind, names, mail, addresses, account, department, telephone, and members by key are to be
    /// kept; its key may be another. Gives the key that it has.
    async fn add(&self, entry: &Entry) -> String;

    /// Puts many entries there, faster than one by one where that is possible.
    async fn add_many(&self, entries: &[Entry]) -> Vec<String> {
        let mut keys = Vec::new();
        for entry in entries {
            keys.push(self.add(entry).await);
        }
        keys
    }

    /// The entry of this key has this department now.
    async fn change(&self, key: &str, department: &str);

    /// The entry of this key is called this now, and stands elsewhere if its directory has places.
    async fn rename(&self, key: &str, display: &str);

    /// The entry of this key goes.
    async fn remove(&self, key: &str);

    /// The entry of this key is no longer in scope. False where nothing is out of scope.
    async fn take_out_of_scope(&self, _key: &str) -> bool {
        false
    }

    /// The entry of this key is in scope again.
    async fn bring_into_scope(&self, key: &str) {
        panic!("{key} was not taken out of scope");
    }

    /// The entry of this key can't be read as one any more, and stays in scope. False where there is no such thing.
    async fn spoil(&self, _key: &str) -> bool {
        false
    }

    /// The entry of this key is as it was before it was spoilt.
    async fn mend(&self, key: &str) {
        panic!("{key} was not spoilt");
    }

    /// The entry of this key stands in this place from now on, which is made where it is not there: the names of a place and of
    /// those above it, outermost first, all within the scope. False where entries have no places.
    async fn put_below(&self, _key: &str, _place: &[&str]) -> bool {
        false
    }

    /// A place right below the scope's own is called otherwise from now on, with all that stands in it.
    async fn rename_place(&self, place: &str, _to: &str) {
        panic!("nothing was put below {place}");
    }

    /// A place right below the scope's own stands outside the scope with all that stands in it, or within it again.
    async fn move_place(&self, place: &str, _is_inside: bool) {
        panic!("nothing was put below {place}");
    }

    /// Has it lists with members?
    fn has_lists(&self) -> bool {
        true
    }
}

/// Makes a `#[tokio::test]` of every behaviour of the suite, for the world that an expression gives; `None` leaves them out.
#[macro_export]
macro_rules! directory_suite {
    ($world:expr) => {
        $crate::directory_tests!(
            $world;
            a_whole_reading_tells_everything_once,
            names_of_every_kind_come_back,
            members_of_lists_are_told,
            a_cursor_tells_what_changed,
            a_cursor_can_be_used_again,
            a_renamed_entry_keeps_its_key,
            a_place_that_moves_takes_along_who_stands_below_it,
            what_was_removed_is_gone,
            what_was_added_and_removed_in_between_is_not_there,
            what_left_the_scope_is_gone_and_comes_back,
            what_cannot_be_read_is_told_and_not_gone,
            a_cursor_of_nobody_leads_to_a_whole_reading,
            a_sink_that_fails_ends_the_reading,
            many_entries_come_in_bounded_portions,
            the_check_of_a_directory_finds_it_well,
            who_follows_has_what_a_whole_reading_tells,
        );
    };
}

/// Makes tests of these behaviours of the suite of directories.
#[macro_export]
macro_rules! directory_tests {
    ($world:expr; $($name:ident,)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let Some(world) = $world else { return };
            $crate::directory_suite::$name(&world).await;
        })+
    };
}

pub use follow::who_follows_has_what_a_whole_reading_tells;

/// What a reading told.
pub struct Told {
    /// Everything, in order.
    pub events: Vec<EntryEvent>,
    /// How it ended.
    pub read: DirectoryRead,
}

impl Told {
    /// The entries, by key.
    pub fn seen(&self) -> BTreeMap<&str, &Entry> {
        let seen = self.events.iter().filter_map(|event| match event {
            EntryEvent::Seen(entry) => Some((entry.key.as_str(), &**entry)),
            _ => None,
        });
        seen.collect()
    }

    /// The keys of what is gone.
    pub fn gone(&self) -> Vec<&str> {
        let gone = self.events.iter().filter_map(|event| match event {
            EntryEvent::Gone(key) => Some(key.as_str()),
            _ => None,
        });
        gone.collect()
    }

    /// The keys of what can't be read.
    pub fn faulty(&self) -> Vec<Option<&str>> {
        let faulty = self.events.iter().filter_map(|event| match event {
            EntryEvent::Faulty { key, .. } => Some(key.as_deref()),
            _ => None,
        });
        faulty.collect()
    }
}

/// Reads a directory.
pub async fn read(directory: &dyn Directory, since: Option<&DirectoryCursor>) -> Told {
    let mut events = Vec::new();
    let read = directory.read(since, &mut events).await.unwrap();
    Told { events, read }
}

/// An invented person with this number.
pub fn person(number: usize) -> Entry {
    let mut entry = Entry::new(format!("k{number}"), EntryKind::Person);
    entry.names.given = Some(format!("Given {number}"));
    entry.names.surname = Some(format!("Surname {number}"));
    entry.names.display = Some(format!("Surname {number}, Given"));
    entry.account = Some(format!("p{number}"));
    entry.mail = Some(format!("p{number}@trust.test"));
    entry.addresses = vec![
        Address::parse(&format!("SMTP:p{number}@trust.test")),
        Address::parse(&format!("smtp:also{number}@trust.test")),
    ];
    entry.department = Some(format!("Ward {}", number % 7));
    entry.telephone = Some(format!("+44 20 {number:06}"));
    entry
}

/// Does an entry say what this one does, in the fields that every world keeps?
pub fn assert_same(told: &Entry, put: &Entry) {
    assert_eq!(told.kind, put.kind);
    let names = |entry: &Entry| (entry.names.given.clone(), entry.names.surname.clone(), entry.names.display.clone());
    if put.kind == EntryKind::Person {
        assert_eq!(names(told), names(put));
        assert_eq!(told.account, put.account);
    }
    assert_eq!((&told.mail, &told.department, &told.telephone), (&put.mail, &put.department, &put.telephone));
    let mut keys = (told.mail_keys(), put.mail_keys());
    keys.0.sort();
    keys.1.sort();
    assert_eq!(keys.0, keys.1);
}

/// Everything that was put is told, and nothing twice.
pub async fn a_whole_reading_tells_everything_once(world: &dyn DirectoryWorld) {
    let before = read(&*world.directory(), None).await;
    let mut keys = Vec::new();
    for number in 0..12 {
        keys.push(world.add(&person(number)).await);
    }
    let told = read(&*world.directory(), None).await;
    assert!(told.read.is_whole);
    assert!(told.gone().is_empty(), "of a whole reading, what it does not tell is gone");
    let all: Vec<&str> = told.events.iter().filter_map(key_of).collect();
    assert_eq!(all.len(), told.seen().len(), "each once");
    assert_eq!(all.len(), before.seen().len() + keys.len());
    for (number, key) in keys.iter().enumerate() {
        assert_same(told.seen()[key.as_str()], &person(number));
    }
    assert!(told.read.entries_received >= 12);
}

fn key_of(event: &EntryEvent) -> Option<&str> {
    match event {
        EntryEvent::Seen(entry) => Some(&entry.key),
        EntryEvent::Gone(key) => Some(key),
        EntryEvent::Faulty { key, .. } => key.as_deref(),
    }
}

/// People's names are what they are.
pub async fn names_of_every_kind_come_back(world: &dyn DirectoryWorld) {
    let names = [
        ("Seán", "O'Connor-Smythe", "O'Connor-Smythe, Seán (Dr)"),
        ("Łukasz", "Żółć", "Żółć, Łukasz"),
        ("Анна", "Шевченко", "Шевченко Анна"),
        ("美咲", "渡辺", "渡辺 美咲"),
        ("محمد", "الأحمد", "محمد الأحمد"),
        ("#1", "+plus=equals;semi", "#1 \"quoted\" <angle> \\back"),
        ("Anne-Marie", "van der Berg", "van der Berg, Anne-Marie; MD, PhD"),
        ("É", "combi\u{301}ned", "combi\u{301}ned É"),
    ];
    let mut put = Vec::new();
    for (number, (given, surname, display)) in names.into_iter().enumerate() {
        let mut entry = person(number);
        entry.names.given = Some(given.to_owned());
        entry.names.surname = Some(surname.to_owned());
        entry.names.display = Some(display.to_owned());
        let key = world.add(&entry).await;
        put.push((key, entry));
    }
    let told = read(&*world.directory(), None).await;
    for (key, entry) in &put {
        assert_same(told.seen()[key.as_str()], entry);
    }
}

/// A list tells its members, by where they stand or by key.
pub async fn members_of_lists_are_told(world: &dyn DirectoryWorld) {
    if !world.has_lists() {
        return;
    }
    let (ann, bob) = (world.add(&person(1)).await, world.add(&person(2)).await);
    let mut list = Entry::new("list", EntryKind::List);
    list.names.display = Some("All of ward 4".to_owned());
    list.mail = Some("ward4@trust.test".to_owned());
    list.members = vec![Reference::Key(ann.clone()), Reference::Key(bob.clone())];
    let list = world.add(&list).await;
    let told = read(&*world.directory(), None).await;
    let seen = told.seen();
    let entry = seen[list.as_str()];
    assert_eq!((entry.kind, entry.members.len()), (EntryKind::List, 2));
    for key in [&ann, &bob] {
        let person = seen[key.as_str()];
        assert!(entry.members.iter().any(|member| is_of(member, person)), "{entry:?} {person:?}");
    }
}

fn is_of(member: &Reference, person: &Entry) -> bool {
    match member {
        Reference::Key(key) => *key == person.key,
        Reference::Place(place) => person.place.as_ref().is_some_and(|of| of.eq_ignore_ascii_case(place)),
        Reference::Mail(mail) => person.mail_keys().contains(&model::mail_key(mail)),
        Reference::Sid(sid) => person.sid.as_ref() == Some(sid),
        Reference::Name(name) => person.account.as_ref() == Some(name),
    }
}

/// From a cursor on, what changed and what is new is told; nothing that is there is gone.
pub async fn a_cursor_tells_what_changed(world: &dyn DirectoryWorld) {
    let mut keys = Vec::new();
    for number in 0..9 {
        keys.push(world.add(&person(number)).await);
    }
    let whole = read(&*world.directory(), None).await;
    world.change(&keys[3], "Radiology").await;
    let new = world.add(&person(20)).await;
    let told = read(&*world.directory(), Some(&whole.read.cursor)).await;
    assert_eq!(told.seen()[keys[3].as_str()].department.as_deref(), Some("Radiology"));
    assert_same(told.seen()[new.as_str()], &person(20));
    assert!(told.gone().is_empty() && told.faulty().is_empty());
    let quiet = read(&*world.directory(), Some(&told.read.cursor)).await;
    assert!(quiet.gone().is_empty());
    if !quiet.read.is_whole && world.directory().declaration().tells_changes {
        let quiet = read(&*world.directory(), Some(&quiet.read.cursor)).await;
        assert!(quiet.gone().is_empty());
    }
}

/// A reading whose result was lost is done again from the same cursor.
pub async fn a_cursor_can_be_used_again(world: &dyn DirectoryWorld) {
    let (ann, bob) = (world.add(&person(1)).await, world.add(&person(2)).await);
    let whole = read(&*world.directory(), None).await;
    world.change(&ann, "Pharmacy").await;
    world.remove(&bob).await;
    for _ in 0..2 {
        let told = read(&*world.directory(), Some(&whole.read.cursor)).await;
        assert_eq!(told.seen()[ann.as_str()].department.as_deref(), Some("Pharmacy"));
        assert!(told.read.is_whole || told.gone() == [bob.as_str()], "{:?}", told.gone());
    }
}

/// A rename is a change of the same entry.
pub async fn a_renamed_entry_keeps_its_key(world: &dyn DirectoryWorld) {
    let ann = world.add(&person(1)).await;
    world.add(&person(2)).await;
    let whole = read(&*world.directory(), None).await;
    world.rename(&ann, "Lee-Smith, Ann, née O'Neil").await;
    let told = read(&*world.directory(), Some(&whole.read.cursor)).await;
    let seen = told.seen();
    let entry = seen[ann.as_str()];
    assert_eq!(entry.names.display.as_deref(), Some("Lee-Smith, Ann, née O'Neil"));
    if let (Some(before), Some(after)) = (&whole.seen()[ann.as_str()].place, &entry.place) {
        assert_ne!(before, after, "it stands elsewhere");
    }
    assert!(told.gone().is_empty(), "{:?}", told.gone());
}

/// Who stands below a place that is renamed or moved stands elsewhere, though nothing of their own changed: they are told with
/// their new place, and are gone when it leaves the scope.
pub async fn a_place_that_moves_takes_along_who_stands_below_it(world: &dyn DirectoryWorld) {
    let (ann, bob, cleo) = (world.add(&person(1)).await, world.add(&person(2)).await, world.add(&person(3)).await);
    if !world.put_below(&ann, &["wing"]).await {
        return;
    }
    world.put_below(&bob, &["wing", "ward"]).await;
    let below = BTreeSet::from([ann.as_str(), bob.as_str()]);
    let mut told = read(&*world.directory(), None).await;
    for (from, to) in [("wing", "east wing"), ("east wing", "wing, west")] {
        world.rename_place(from, to).await;
        let next = read(&*world.directory(), Some(&told.read.cursor)).await;
        let whole = read(&*world.directory(), None).await;
        for key in &below {
            let place = &next.seen().get(key).expect("it stands elsewhere").place;
            assert!(*place != told.seen()[key].place, "{place:?}");
            assert_eq!(*place, whole.seen()[key].place);
        }
        assert!(next.gone().is_empty(), "{:?}", next.gone());
        told = next;
    }
    world.move_place("wing, west", false).await;
    let out = read(&*world.directory(), Some(&told.read.cursor)).await;
    assert!(below.iter().all(|key| !out.seen().contains_key(key)));
    assert!(out.read.is_whole || out.gone().into_iter().collect::<BTreeSet<_>>() == below, "{:?}", out.gone());
    let whole = read(&*world.directory(), None).await;
    assert!(whole.seen().contains_key(cleo.as_str()) && below.iter().all(|key| !whole.seen().contains_key(key)));
    world.change(&ann, "Nobody's business").await;
    let still = read(&*world.directory(), Some(&out.read.cursor)).await;
    assert!(!still.seen().contains_key(ann.as_str()) && still.gone().is_empty());
    world.move_place("wing, west", true).await;
    let back = read(&*world.directory(), Some(&still.read.cursor)).await;
    assert!(below.iter().all(|key| back.seen().contains_key(key)) && back.gone().is_empty());
    assert_eq!(back.seen()[ann.as_str()].department.as_deref(), Some("Nobody's business"));
}

/// What is removed is gone, once; a whole reading does not tell it.
pub async fn what_was_removed_is_gone(world: &dyn DirectoryWorld) {
    let (ann, bob) = (world.add(&person(1)).await, world.add(&person(2)).await);
    let whole = read(&*world.directory(), None).await;
    world.remove(&ann).await;
    let told = read(&*world.directory(), Some(&whole.read.cursor)).await;
    if told.read.is_whole {
        assert!(!told.seen().contains_key(ann.as_str()));
    } else {
        assert_eq!(told.gone(), [ann.as_str()]);
    }
    let again = read(&*world.directory(), Some(&told.read.cursor)).await;
    assert!(again.gone().is_empty());
    let whole = read(&*world.directory(), None).await;
    assert!(!whole.seen().contains_key(ann.as_str()) && whole.seen().contains_key(bob.as_str()));
}

/// What came and went between two readings is not there.
pub async fn what_was_added_and_removed_in_between_is_not_there(world: &dyn DirectoryWorld) {
    world.add(&person(1)).await;
    let whole = read(&*world.directory(), None).await;
    let short = world.add(&person(2)).await;
    world.change(&short, "Radiology").await;
    world.remove(&short).await;
    let told = read(&*world.directory(), Some(&whole.read.cursor)).await;
    assert!(!told.seen().contains_key(short.as_str()));
}

/// What leaves the scope is gone, what comes into it is seen, whether it changed otherwise or not.
pub async fn what_left_the_scope_is_gone_and_comes_back(world: &dyn DirectoryWorld) {
    let (ann, bob) = (world.add(&person(1)).await, world.add(&person(2)).await);
    let whole = read(&*world.directory(), None).await;
    if !world.take_out_of_scope(&ann).await {
        return;
    }
    let told = read(&*world.directory(), Some(&whole.read.cursor)).await;
    assert!(!told.seen().contains_key(ann.as_str()));
    assert!(told.read.is_whole || told.gone() == [ann.as_str()], "{:?}", told.gone());
    world.change(&ann, "Nobody's business").await;
    let out = read(&*world.directory(), Some(&told.read.cursor)).await;
    assert!(!out.seen().contains_key(ann.as_str()));
    world.bring_into_scope(&ann).await;
    let back = read(&*world.directory(), Some(&out.read.cursor)).await;
    assert!(back.seen().contains_key(ann.as_str()));
    assert!(back.gone().is_empty());
    let whole = read(&*world.directory(), None).await;
    assert!(whole.seen().contains_key(ann.as_str()) && whole.seen().contains_key(bob.as_str()));
}

/// An entry that can't be read as one is told as such, with its key, and the others are told; it is not gone.
pub async fn what_cannot_be_read_is_told_and_not_gone(world: &dyn DirectoryWorld) {
    let (ann, bob) = (world.add(&person(1)).await, world.add(&person(2)).await);
    let first = read(&*world.directory(), None).await;
    if !world.spoil(&ann).await {
        return;
    }
    for since in [None, Some(&first.read.cursor)] {
        let told = read(&*world.directory(), since).await;
        assert_eq!(told.faulty(), [Some(ann.as_str())]);
        assert!(told.gone().is_empty() && !told.seen().contains_key(ann.as_str()));
        assert!(since.is_some() || told.seen().contains_key(bob.as_str()));
        for event in &told.events {
            if let EntryEvent::Faulty { place, what, .. } = event {
                assert!(!place.is_empty() && !what.is_empty());
            }
        }
    }
    let spoilt = read(&*world.directory(), None).await;
    world.mend(&ann).await;
    let told = read(&*world.directory(), Some(&spoilt.read.cursor)).await;
    assert!(told.seen().contains_key(ann.as_str()) && told.gone().is_empty());
}

/// A cursor that is of another form, cut short or altered leads to a whole reading, and the reading says so.
pub async fn a_cursor_of_nobody_leads_to_a_whole_reading(world: &dyn DirectoryWorld) {
    let ann = world.add(&person(1)).await;
    let good = read(&*world.directory(), None).await.read.cursor.0;
    let cut = good[..good.len() - good.len().min(3)].to_vec();
    let longer = [&good[..], b"x"].concat();
    for bytes in [b"nonsense".to_vec(), Vec::new(), cut, longer, vec![0xff; good.len()]] {
        let told = read(&*world.directory(), Some(&DirectoryCursor(bytes.clone().into()))).await;
        assert!(told.read.is_whole, "{bytes:?}");
        assert!(told.seen().contains_key(ann.as_str()));
    }
}

struct Failing;

#[async_trait]
impl EntrySink for Failing {
    async fn take(&mut self, _: Vec<EntryEvent>) -> Result<(), Error> {
        Err(Error::new(Cause::Stopped, Scope::Run, "the sink has enough"))
    }
}

/// An error of whoever takes the entries ends the reading with that error.
pub async fn a_sink_that_fails_ends_the_reading(world: &dyn DirectoryWorld) {
    world.add(&person(1)).await;
    let error = world.directory().read(None, &mut Failing).await.unwrap_err();
    assert_eq!(error.cause, Cause::Stopped);
}

/// The most events that may be handed over at once.
const PORTION_MAX: usize = 1_000;

#[derive(Default)]
struct Counting {
    events: usize,
    largest: usize,
}

#[async_trait]
impl EntrySink for Counting {
    async fn take(&mut self, events: Vec<EntryEvent>) -> Result<(), Error> {
        self.events += events.len();
        self.largest = self.largest.max(events.len());
        Ok(())
    }
}

/// However many there are, they come in portions.
pub async fn many_entries_come_in_bounded_portions(world: &dyn DirectoryWorld) {
    const MANY: usize = 2_300;
    world.add_many(&(0..MANY).map(person).collect::<Vec<_>>()).await;
    let mut sink = Counting::default();
    let read = world.directory().read(None, &mut sink).await.unwrap();
    assert!(read.is_whole && sink.events >= MANY, "{} events", sink.events);
    assert!(sink.largest <= PORTION_MAX, "{} events at once", sink.largest);
}

/// The check has nothing to complain of.
pub async fn the_check_of_a_directory_finds_it_well(world: &dyn DirectoryWorld) {
    world.add(&person(1)).await;
    let findings = world.directory().check().await;
    assert!(!findings.is_empty());
    for finding in findings {
        assert_eq!(finding.wrong, None, "{finding:?}");
        assert!(!finding.sentence.is_empty());
    }
}
