//! What every connector must do: one function a behaviour, run on each connector's fixture.
//!
//! A connector that is also a target is filled through its own [`Target`] and read back through its own [`Source`]; what
//! an independent reader sees is the judge's business. A capability that is declared must work; one that is not must
//! refuse clearly.

mod follow;
mod size;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use connector::{
    Account, Batch, BatchItem, Body, Connector, Cursor, Door, Effect, Error, Event, FlagChange, Folder, Holds,
    HoldsLimits, Item, ItemOutcome, Known, NewFolder, OpenDoor, ReadFolder, Reading, Removal, Source, Target, ready,
};
use model::{Cause, Flags, FolderPath, FolderState, ItemId, ItemKind, Loss, ReceivedAt, Scope, SpecialUse};

pub use self::follow::*;
pub use self::size::*;

/// When a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// Before the platform has heard what makes the effect happen.
    BeforeEffect,
    /// After the effect, and before anything is heard of it.
    BeforeAnswer,
}

/// How the suite gets at a platform.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The connector, to an endpoint of its own or a shared one.
    fn connector(&self) -> Arc<dyn Connector>;

    /// A mailbox that is new and empty, but for its INBOX and folders that the platform makes by itself.
    async fn mailbox(&self) -> Account;

    /// A connector to the same endpoint whose first connection breaks at the first move of items, then. To be given by
    /// each fixture whose platform moves items.
    fn breaking_at_a_move(&self, when: Break) -> Arc<dyn Connector> {
        panic!("this fixture breaks nothing {when:?}")
    }
}

/// Makes a `#[tokio::test]` of every behaviour of the suite, for the fixture that an expression gives; `None` leaves them
/// out.
#[macro_export]
macro_rules! connector_suite {
    ($fixture:expr) => {
        $crate::connector_tests!(
            $fixture;
            items_come_back_byte_for_byte_with_flags_and_dates_in_order,
            duplicates_stay_as_many_as_they_are,
            odd_folder_names_are_kept_or_refused,
            folders_are_made_once_and_can_be_empty_and_deep,
            special_use_and_subscription_are_kept_where_offered,
            reading_changes_nothing,
            an_unchanged_folder_shows_it_and_a_changed_one_too,
            a_cursor_leads_to_what_came_after,
            the_cursor_of_each_item_leads_on_from_there,
            changed_flags_and_removed_items_are_told,
            a_cursor_of_another_validity_reads_everything,
            items_are_read_by_their_ids,
            a_missing_folder_does_not_hold_up_the_others,
            what_appeared_since_a_mark_is_listed,
            only_the_flags_named_change,
            only_the_item_named_is_removed,
            nothing_takes_effect_before_the_intent_is_durable,
            nothing_takes_effect_once_the_door_is_shut,
            an_item_larger_than_memory_goes_through_a_file,
            many_items_stay_in_order,
            several_batches_may_be_on_their_way,
            an_account_that_is_not_there_is_an_error_of_one_mailbox,
            the_check_finds_it_well,
            every_declared_kind_is_held,
            flags_are_read_back_but_not_of_what_is_gone,
            moved_items_keep_bytes_dates_and_flags,
            a_move_of_what_is_not_there_moves_the_rest,
            a_move_that_is_refused_moves_nothing,
            ids_of_a_folder_made_anew_since_mean_nothing,
            a_move_that_breaks_off_leaves_each_item_in_one_folder,
            a_folder_is_followed_and_no_longer,
            a_folder_that_holds_something_is_not_removed,
            an_empty_folder_is_removed_with_its_subscription,
            what_is_not_removed_alone_stays_marked,
            sizes_are_those_of_what_is_read,
            sizes_after_a_cursor_are_those_of_what_came_after,
            what_a_mailbox_uses_grows_by_what_is_put_into_it,
        );
    };
}

/// Makes tests of these behaviours of the suite.
#[macro_export]
macro_rules! connector_tests {
    ($fixture:expr; $($name:ident,)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let Some(fixture) = $fixture else { return };
            $crate::suite::$name(&fixture).await;
        })+
    };
}

/// A folder under the validity that it has now; under any, where it is not there.
async fn known<'p>(source: &mut dyn Source, path: &'p FolderPath) -> Known<'p> {
    Known::at(path, &source.state(path).await.unwrap_or_default())
}

fn holds() -> Holds {
    Holds::new(HoldsLimits::default())
}

fn path(names: &[&str]) -> FolderPath {
    FolderPath::new(names.iter().copied())
}

/// An item to be put somewhere.
#[derive(Clone, Debug)]
struct Put {
    kind: ItemKind,
    bytes: Vec<u8>,
    flags: Flags,
    received: i64,
}

fn put(bytes: impl Into<Vec<u8>>, flags: &[&str], received: i64) -> Put {
    Put { kind: ItemKind::Message, bytes: bytes.into(), flags: Flags::of(flags.iter().copied()), received }
}

fn plain(number: usize) -> Put {
    put(
        format!("Message-ID: <{number}@example.test>\r\nSubject: s\r\n\r\nbody {number}\r\n"),
        if number.is_multiple_of(2) { &["\\Seen"] } else { &[] },
        1_000_000_000 + number as i64,
    )
}

async fn hold(bytes: &[u8]) -> Body {
    let mut holding = holds().reserve(bytes.len() as u64).await.unwrap();
    holding.write(bytes).await.unwrap();
    holding.finish().await.unwrap()
}

async fn batch_items(items: &[Put]) -> Vec<BatchItem> {
    let mut batch = Vec::new();
    for item in items {
        let body = hold(&item.bytes).await;
        let received = Some(ReceivedAt { unix_seconds: item.received, offset_minutes: -210 });
        batch.push(BatchItem { kind: item.kind, flags: item.flags.clone(), received, body });
    }
    batch
}

async fn submit(target: &mut dyn Target, folder: &FolderPath, items: &[Put]) -> Result<(), Error> {
    let (signal, ready) = ready();
    signal.send(()).unwrap();
    let items = batch_items(items).await;
    target.submit(Batch { folder: folder.clone(), items, ready }).await
}

/// Puts items into a folder. Their ids, where the target tells.
async fn append(target: &mut dyn Target, folder: &FolderPath, items: &[Put]) -> Vec<Option<ItemId>> {
    submit(target, folder, items).await.unwrap();
    let outcome = target.outcome().await.unwrap();
    let stored = outcome.items.into_iter().map(|item| match item {
        ItemOutcome::Stored(id) => id,
        other => panic!("not stored: {other:?}"),
    });
    stored.collect()
}

async fn make(target: &mut dyn Target, folder: &FolderPath) {
    make_of(target, folder, ItemKind::Message).await;
}

async fn make_of(target: &mut dyn Target, folder: &FolderPath, kind: ItemKind) {
    let new = NewFolder { path: folder.clone(), kind, special_use: None, subscribe: false };
    target.create(&[new]).await.unwrap().remove(0).unwrap();
}

async fn events(mut reading: Box<dyn Reading + '_>) -> Vec<Event> {
    let mut all = Vec::new();
    loop {
        let events = reading.next().await.unwrap();
        if events.is_empty() {
            return all;
        }
        all.extend(events);
    }
}

/// What a reading of one folder yielded.
#[derive(Default)]
struct Read {
    items: Vec<Item>,
    flags: Vec<(ItemId, Flags)>,
    gone: Vec<ItemId>,
    listed_all: bool,
    cursor: Option<Cursor>,
    state: FolderState,
}

impl Read {
    fn ids(&self) -> Vec<ItemId> {
        self.items.iter().map(|item| item.id.clone()).collect()
    }

    /// Of the items known before, those that are no longer there as far as this reading tells.
    fn no_longer(&self, known: &[ItemId]) -> BTreeSet<ItemId> {
        if self.listed_all {
            let listed: BTreeSet<&ItemId> = self.flags.iter().map(|(id, _)| id).collect();
            known.iter().filter(|id| !listed.contains(id)).cloned().collect()
        } else {
            self.gone.iter().filter(|id| known.contains(id)).cloned().collect()
        }
    }
}

async fn read(source: &mut dyn Source, folder: &FolderPath, since: Option<Cursor>) -> Read {
    let mut read = Read::default();
    let plan = vec![ReadFolder { path: folder.clone(), since }];
    for event in events(source.read(plan, &holds()).await.unwrap()).await {
        match event {
            Event::Begin { folder, .. } => assert_eq!(folder, 0),
            Event::Item(item) => read.items.push(item),
            Event::Flags(flags) => read.flags.extend(flags),
            Event::Gone(ids) => read.gone.extend(ids),
            Event::End { cursor, state, listed_all } => {
                read.cursor = Some(cursor);
                read.state = state;
                read.listed_all = listed_all;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(read.cursor.is_some(), "the folder did not end");
    read
}

async fn source_and_target(fixture: &dyn Fixture) -> (Account, Box<dyn Source>, Box<dyn Target>) {
    let account = fixture.mailbox().await;
    let target = fixture.connector().target(&account, Arc::new(OpenDoor)).await.unwrap();
    let source = fixture.connector().source(&account).await.unwrap();
    (account, source, target)
}

async fn folder_of(source: &mut dyn Source, folder: &FolderPath) -> Option<Folder> {
    source.folders().await.unwrap().into_iter().find(|known| known.path == *folder)
}

/// Requires that these items lie in a folder, in this order.
async fn assert_there(source: &mut dyn Source, folder: &FolderPath, expected: &[Put]) {
    let read = read(source, folder, None).await;
    assert_eq!(read.items.len(), expected.len(), "{folder}");
    for (item, put) in read.items.iter().zip(expected) {
        let bytes = item.body.to_vec().await.unwrap();
        assert_eq!(item.body.size_bytes(), bytes.len() as u64);
        assert!(
            bytes == put.bytes,
            "{folder}: {} bytes were put, {} other ones came back",
            put.bytes.len(),
            bytes.len()
        );
        assert_eq!((&item.flags, item.kind), (&put.flags, put.kind));
        assert_eq!(item.received.map(|at| at.unix_seconds), Some(put.received));
    }
    assert!(read.items.windows(2).all(|pair| pair[0].id < pair[1].id), "ids rise in the order of the folder");
}

/// Bytes, flags, keywords and dates are kept exactly; what the platform may refuse or change is in its loss table.
pub async fn items_come_back_byte_for_byte_with_flags_and_dates_in_order(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let folder = path(&["Kept"]);
    make(target.as_mut(), &folder).await;
    let long_line = format!("Subject: long\r\n\r\n{}\r\n", "x".repeat(70_000));
    let header_only = "Subject: header only\r\n\r\n";
    let items = [
        put("Subject: a\r\n\r\nb\r\n", &[], 1_000_000_000),
        put("Subject: a\r\n\r\nno line end", &["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "\\Deleted"], 86_400),
        put("Subject: 8 bit\r\n\r\n\u{1f426} \u{5e9}\u{5dc}\u{5d5}\u{5dd}\r\n", &["$Forwarded"], 951_782_399),
        put(&b"Subject: any\r\n\r\n\x80\x01\x1b\xff\r\n"[..], &["$Forwarded", "NonJunk", "\\Seen"], 1_234_567_890),
        put(long_line, &[], 915_148_799),
        put(header_only, &["\\Flagged"], 1_700_000_000),
        put("From x@y Thu Jan  1 00:00:00 1970\r\nSubject: mbox line\r\n\r\n.\r\n>From me\r\n) FETCH {3}\r\n", &[], 1),
        put("A: 1\r\n", &[], 1_600_000_000),
    ];
    append(target.as_mut(), &folder, &items).await;
    assert_there(source.as_mut(), &folder, &items).await;

    let declared = fixture.connector().declaration().losses;
    let doubtful = [
        (Loss::FutureDate, put("Subject: to come\r\n\r\n", &[], 4_000_000_000)),
        (Loss::EightBitHeader, put("Subject: \u{e9}\r\n\r\n", &[], 1_000_000_000)),
        (Loss::EightBitHeader, put(&b"Subject: latin-1 \xe9\xff\r\n\r\n"[..], &["\\Seen"], 1_000_000_000)),
        (Loss::BrokenHeader, put("no header at all, ends in spaces   \r\n\r\n\r\n\r\n", &[], 1_583_020_800)),
    ];
    for (number, (loss, item)) in doubtful.into_iter().enumerate() {
        let folder = path(&[&format!("Doubtful {number}")]);
        make(target.as_mut(), &folder).await;
        submit(target.as_mut(), &folder, std::slice::from_ref(&item)).await.unwrap();
        let outcome = target.outcome().await.unwrap().items.remove(0);
        let is_kept = match outcome {
            ItemOutcome::Stored(_) => holds_exactly(source.as_mut(), &folder, &item).await,
            ItemOutcome::Refused(_) => false,
            ItemOutcome::InDoubt(error) => panic!("{error}"),
        };
        assert!(is_kept || declared.contains(&loss), "{loss:?} is not declared");
    }
}

async fn holds_exactly(source: &mut dyn Source, folder: &FolderPath, put: &Put) -> bool {
    let item = read(source, folder, None).await.items.remove(0);
    let received = item.received.map(|at| at.unix_seconds);
    item.body.to_vec().await.unwrap() == put.bytes && item.flags == put.flags && received == Some(put.received)
}

/// Two identical items are two.
pub async fn duplicates_stay_as_many_as_they_are(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let folder = path(&["Twins"]);
    make(target.as_mut(), &folder).await;
    let items = vec![plain(1); 70];
    append(target.as_mut(), &folder, &items).await;
    assert_there(source.as_mut(), &folder, &items).await;
}

/// A name is kept to the letter, or refused as `folder-refused` and then not there.
pub async fn odd_folder_names_are_kept_or_refused(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let long = "n".repeat(255);
    let names = [
        "plain",
        "two words",
        "\"quoted\"",
        "back\\slash",
        "50%",
        "star*",
        "a&b",
        "&AOQ-",
        "{5}",
        "(x)",
        "[y]",
        "~tilde",
        "#hash",
        "semi;colon",
        "per.iod",
        "sl/ash",
        "tab\there",
        "Größe",
        "日本語",
        "\u{1f426}",
        "שלום",
        "é\u{301}",
        "trailing ",
        " leading",
        "CON",
        "inbox",
        "İstanbul",
        &long,
    ];
    for name in names {
        let folder = path(&["Odd", name]);
        let new = NewFolder { path: folder.clone(), kind: ItemKind::Message, special_use: None, subscribe: false };
        let made = target.create(&[new]).await.unwrap().remove(0);
        let listed = folder_of(source.as_mut(), &folder).await.is_some();
        match made {
            Ok(()) => {
                assert!(listed, "{name:?} was made but is not listed");
                append(target.as_mut(), &folder, &[plain(1)]).await;
                assert_there(source.as_mut(), &folder, &[plain(1)]).await;
            }
            Err(error) => {
                assert_eq!((error.cause, error.scope), (Cause::FolderRefused, Scope::Folder), "{name:?}: {error}");
                assert!(!listed, "{name:?} was refused but is listed");
            }
        }
    }
}

/// Making a folder again changes nothing; parents come with it.
pub async fn folders_are_made_once_and_can_be_empty_and_deep(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let deep = path(&["a", "b", "c", "d", "e"]);
    make(target.as_mut(), &deep).await;
    append(target.as_mut(), &deep, &[plain(1)]).await;
    make(target.as_mut(), &deep).await;
    make(target.as_mut(), &path(&["empty"])).await;
    make(target.as_mut(), &FolderPath::inbox()).await;
    assert_there(source.as_mut(), &deep, &[plain(1)]).await;
    assert!(folder_of(source.as_mut(), &path(&["empty"])).await.unwrap().holds_items);
    assert_there(source.as_mut(), &path(&["empty"]), &[]).await;
    let paths: Vec<FolderPath> = source.folders().await.unwrap().into_iter().map(|folder| folder.path).collect();
    assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), paths.len(), "each folder is listed once");
}

/// Special use is set where offered; a subscription is seen.
pub async fn special_use_and_subscription_are_kept_where_offered(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let there = source.folders().await.unwrap();
    let folder = path(&["Kept for the record"]);
    let is_free = there.iter().all(|known| known.special_use != Some(SpecialUse::Archive));
    let special_use = (target.offers().special_use && is_free).then_some(SpecialUse::Archive);
    let new = NewFolder { path: folder.clone(), kind: ItemKind::Message, special_use, subscribe: true };
    target.create(&[new]).await.unwrap().remove(0).unwrap();
    make(target.as_mut(), &path(&["Not followed"])).await;
    let made = folder_of(source.as_mut(), &folder).await.unwrap();
    assert!(made.subscribed);
    assert_eq!(made.special_use, special_use);
    assert!(!folder_of(source.as_mut(), &path(&["Not followed"])).await.unwrap().subscribed);
}

/// A mailbox that was read whole is as it was: no flag set, no state moved.
pub async fn reading_changes_nothing(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let folder = FolderPath::inbox();
    make(target.as_mut(), &folder).await;
    append(target.as_mut(), &folder, &[plain(1), plain(2), plain(3)]).await;
    let before = (source.state(&folder).await.unwrap(), source.list(&folder).await.unwrap());
    let first = read(source.as_mut(), &folder, None).await;
    let ids = first.ids();
    assert_eq!(events(source.items(&folder, &ids, &holds()).await.unwrap()).await.len(), 3);
    let after = (source.state(&folder).await.unwrap(), source.list(&folder).await.unwrap());
    assert_eq!(before, after);
}

/// Equal states mean that nothing changed; a change of any kind shows.
pub async fn an_unchanged_folder_shows_it_and_a_changed_one_too(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let folder = path(&["States"]);
    make(target.as_mut(), &folder).await;
    let empty = source.state(&folder).await.unwrap();
    assert_eq!(empty.count, 0);
    assert_ne!(empty.next, 0);
    append(target.as_mut(), &folder, &[plain(1)]).await;
    let one = source.state(&folder).await.unwrap();
    assert!(!one.has_same_items(&empty) && one.count == 1);
    assert_eq!(source.state(&folder).await.unwrap(), one);
    let read = read(source.as_mut(), &folder, None).await;
    assert!(read.state.has_same_items(&one), "the state of a reading is the folder's");
    let listed = folder_of(source.as_mut(), &folder).await.unwrap().state;
    assert!(listed.is_none_or(|listed| listed == one), "and that of the listing, where it tells one");
    let id = read.items[0].id.clone();
    target
        .change_flags(
            known(source.as_mut(), &folder).await,
            &[FlagChange { id, add: Flags::of(["\\Flagged"]), take: Flags::NONE }],
        )
        .await
        .unwrap();
    let flagged = source.state(&folder).await.unwrap();
    assert!(flagged.has_same_items(&one));
    assert!(!flagged.proves_unchanged(&one), "a changed flag is never proved to be none");
}

/// From a cursor on, only what came after is read.
pub async fn a_cursor_leads_to_what_came_after(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let folder = path(&["Deltas"]);
    make(target.as_mut(), &folder).await;
    let empty = read(source.as_mut(), &folder, None).await;
    append(target.as_mut(), &folder, &[plain(1), plain(2)]).await;
    let first = read(source.as_mut(), &folder, empty.cursor).await;
    assert_eq!(first.items.len(), 2);
    let nothing = read(source.as_mut(), &folder, first.cursor.clone()).await;
    assert!(nothing.items.is_empty() && nothing.gone.is_empty());
    assert!(nothing.no_longer(&first.ids()).is_empty());
    append(target.as_mut(), &folder, &[plain(3)]).await;
    let second = read(source.as_mut(), &folder, nothing.cursor).await;
    assert_eq!(second.items.len(), 1);
    assert!(second.items[0].id > first.items[1].id);
    assert!(second.no_longer(&first.ids()).is_empty());
}

/// Where an item carries a cursor, reading can be resumed right after it, however the rest of the reading went.
pub async fn the_cursor_of_each_item_leads_on_from_there(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let folder = path(&["Resumed"]);
    make(target.as_mut(), &folder).await;
    append(target.as_mut(), &folder, &(0..7).map(plain).collect::<Vec<_>>()).await;
    let all = read(source.as_mut(), &folder, None).await;
    for (index, item) in all.items.iter().enumerate() {
        let Some(then) = item.then.clone() else { continue };
        let rest = read(source.as_mut(), &folder, Some(then)).await;
        assert_eq!(rest.ids(), all.ids()[index + 1..]);
        assert!(rest.no_longer(&all.ids()[..=index]).is_empty());
    }
}

/// From a cursor on, changed flags are told with their new value, and removed items are seen to be gone.
pub async fn changed_flags_and_removed_items_are_told(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let folder = path(&["Changes"]);
    make(target.as_mut(), &folder).await;
    append(target.as_mut(), &folder, &(0..5).map(plain).collect::<Vec<_>>()).await;
    let first = read(source.as_mut(), &folder, None).await;
    let ids = first.ids();
    let changes = [
        FlagChange { id: ids[1].clone(), add: Flags::of(["\\Flagged", "Work"]), take: Flags::NONE },
        FlagChange { id: ids[2].clone(), add: Flags::NONE, take: Flags::of(["\\Seen"]) },
    ];
    target.change_flags(known(source.as_mut(), &folder).await, &changes).await.unwrap();
    let removed = match target.remove(known(source.as_mut(), &folder).await, &ids[3..4], None).await.unwrap()[0] {
        Removal::Gone => BTreeSet::from([ids[3].clone()]),
        Removal::Changed => panic!("nobody else was there"),
        Removal::Unsupported => {
            assert!(!target.offers().removes_exactly);
            BTreeSet::new()
        }
    };
    let delta = read(source.as_mut(), &folder, first.cursor.clone()).await;
    assert!(delta.items.is_empty());
    let told = |id: &ItemId| delta.flags.iter().find(|(known, _)| known == id).map(|(_, flags)| flags.clone());
    assert_eq!(told(&ids[1]), Some(Flags::of(["\\Flagged", "Work"])));
    assert_eq!(told(&ids[2]), Some(Flags::NONE));
    assert_eq!(delta.no_longer(&ids), removed);
    let quiet = read(source.as_mut(), &folder, delta.cursor).await;
    assert!(quiet.items.is_empty());
}

/// After a folder was made anew, an old cursor reads all of it.
pub async fn a_cursor_of_another_validity_reads_everything(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let (one, other) = (path(&["One"]), path(&["Other"]));
    for folder in [&one, &other] {
        make(target.as_mut(), folder).await;
        append(target.as_mut(), folder, &[plain(1), plain(2)]).await;
    }
    let first = read(source.as_mut(), &one, None).await;
    let second = read(source.as_mut(), &other, first.cursor).await;
    if first.state.validity == second.state.validity {
        return; // The platform's folders are never made anew under the same name.
    }
    assert_eq!(second.items.len(), 2);
}

/// Items are read by id, whole, in order; one that is not there is in no event.
pub async fn items_are_read_by_their_ids(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let folder = path(&["By id"]);
    make(target.as_mut(), &folder).await;
    append(target.as_mut(), &folder, &(0..9).map(plain).collect::<Vec<_>>()).await;
    let ids = read(source.as_mut(), &folder, None).await.ids();
    let missing = ids[8].as_u32().map_or_else(|| ItemId::new(b"9999999999.nothing"), |id| ItemId::from_u32(id + 77));
    let wanted = [ids[2].clone(), ids[5].clone(), ids[6].clone(), missing];
    for _ in 0..2 {
        let events = events(source.items(&folder, &wanted, &holds()).await.unwrap()).await;
        let items: Vec<Item> = events
            .into_iter()
            .filter_map(|event| if let Event::Item(item) = event { Some(item) } else { None })
            .collect();
        assert_eq!(items.iter().map(|item| item.id.clone()).collect::<Vec<_>>(), wanted[..3]);
        assert_eq!(items[1].body.to_vec().await.unwrap(), plain(5).bytes);
        assert_eq!(items[0].flags, plain(2).flags);
        let listed = source.list(&folder).await.unwrap();
        assert_eq!(listed.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), ids);
    }
}

/// A folder that is not there is skipped, and nothing of it is taken for another folder's.
pub async fn a_missing_folder_does_not_hold_up_the_others(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let (a, gone, b) = (path(&["A"]), path(&["Not there"]), path(&["B"]));
    for (folder, count) in [(&a, 2), (&b, 3)] {
        make(target.as_mut(), folder).await;
        append(target.as_mut(), folder, &(0..count).map(plain).collect::<Vec<_>>()).await;
    }
    let plan = [&a, &gone, &b].map(|path| ReadFolder { path: path.clone(), since: None });
    let mut current = usize::MAX;
    let (mut counts, mut ended, mut skipped) = ([0; 3], Vec::new(), Vec::new());
    for event in events(source.read(plan.to_vec(), &holds()).await.unwrap()).await {
        match event {
            Event::Begin { folder, .. } => current = folder,
            Event::Item(_) => counts[current] += 1,
            Event::End { .. } => ended.push(current),
            Event::Skipped { error } => skipped.push((current, error.cause)),
            _ => {}
        }
    }
    assert_eq!((counts, ended, skipped), ([2, 0, 3], vec![0, 2], vec![(1, Cause::Missing)]));
    let error = source.state(&gone).await.unwrap_err();
    assert_eq!((error.cause, error.scope), (Cause::Missing, Scope::Folder));
    assert_eq!(source.state(&b).await.unwrap().count, 3, "the session goes on");
    submit(target.as_mut(), &gone, &[plain(1)]).await.unwrap();
    let outcome = target.outcome().await.unwrap();
    assert!(matches!(&outcome.items[0], ItemOutcome::Refused(error) if error.cause == Cause::Missing), "{outcome:?}");
    append(target.as_mut(), &b, &[plain(9)]).await;
}

/// Everything new since a mark is listed; nothing is missed.
pub async fn what_appeared_since_a_mark_is_listed(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let folder = path(&["Since"]);
    make(target.as_mut(), &folder).await;
    let start = target.state(&folder).await.unwrap();
    assert!(target.since(&folder, &start).await.unwrap().is_empty());
    let first = append(target.as_mut(), &folder, &[plain(1), plain(2)]).await;
    let mark = target.state(&folder).await.unwrap();
    let second = append(target.as_mut(), &folder, &[plain(3)]).await;
    let ids = read(source.as_mut(), &folder, None).await.ids();
    let listed = |list: Vec<(ItemId, Flags)>| list.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(listed(target.since(&folder, &start).await.unwrap()), ids);
    let since = listed(target.since(&folder, &mark).await.unwrap());
    assert!(since.contains(&ids[2]));
    let nowhere = FolderState { validity: mark.validity + 1, ..mark };
    assert_eq!(listed(target.since(&folder, &nowhere).await.unwrap()), ids, "another validity: everything");
    if target.offers().ids_on_append {
        let told: Vec<ItemId> = first.into_iter().chain(second).map(Option::unwrap).collect();
        assert_eq!(told, ids);
    }
}

/// Flags are added and taken off one by one; the others stay.
pub async fn only_the_flags_named_change(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let folder = path(&["Flags"]);
    make(target.as_mut(), &folder).await;
    let items = [put("a: b\r\n\r\n", &["\\Seen", "Keep", "Drop"], 5), put("a: c\r\n\r\n", &["\\Draft"], 5)];
    append(target.as_mut(), &folder, &items).await;
    let ids = read(source.as_mut(), &folder, None).await.ids();
    let missing = ids[1].as_u32().map_or_else(|| ItemId::new(b"9999999999.nothing"), |id| ItemId::from_u32(id + 9));
    let changes = [
        FlagChange { id: ids[0].clone(), add: Flags::of(["\\Flagged"]), take: Flags::of(["drop", "\\Seen"]) },
        FlagChange { id: missing, add: Flags::of(["\\Flagged"]), take: Flags::NONE },
    ];
    let now = target.change_flags(known(source.as_mut(), &folder).await, &changes).await.unwrap();
    assert_eq!(now.len(), 2);
    assert!(now[0].as_ref().is_none_or(|flags| *flags == Flags::of(["\\Flagged", "Keep"])), "{now:?}");
    assert_eq!(now[1], None);
    let flags: Vec<Flags> = source.list(&folder).await.unwrap().into_iter().map(|(_, flags)| flags).collect();
    assert_eq!(flags, [Flags::of(["\\Flagged", "Keep"]), Flags::of(["\\Draft"])]);
}

/// One item goes; another that is marked `\Deleted` stays.
pub async fn only_the_item_named_is_removed(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let folder = path(&["Removal"]);
    make(target.as_mut(), &folder).await;
    append(target.as_mut(), &folder, &[put("a: 1\r\n\r\n", &["\\Deleted"], 5), plain(2), plain(3)]).await;
    let ids = read(source.as_mut(), &folder, None).await.ids();
    let removed = target.remove(known(source.as_mut(), &folder).await, &ids[1..2], None).await.unwrap();
    let left: Vec<ItemId> = source.list(&folder).await.unwrap().into_iter().map(|(id, _)| id).collect();
    if target.offers().removes_exactly {
        assert_eq!(removed, [Removal::Gone]);
        assert_eq!(left, [ids[0].clone(), ids[2].clone()]);
    } else {
        assert_eq!(removed, [Removal::Unsupported]);
        assert_eq!(left, ids);
    }
}

/// The intent could not be written: nothing of the batch is there.
pub async fn nothing_takes_effect_before_the_intent_is_durable(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let folder = path(&["Intent"]);
    make(target.as_mut(), &folder).await;
    let (signal, ready) = ready();
    drop(signal);
    let items = batch_items(&[plain(1), plain(2)]).await;
    assert!(target.submit(Batch { folder: folder.clone(), items, ready }).await.is_err());
    drop(target);
    assert_there(source.as_mut(), &folder, &[]).await;
}

/// Shuts once so many effects of a kind have passed.
struct ShutDoor(AtomicUsize);

impl Door for ShutDoor {
    fn before(&self, effect: Effect) -> Result<(), Error> {
        let is_last = matches!(effect, Effect::Append | Effect::FileRename);
        if is_last && self.0.fetch_sub(1, Ordering::SeqCst) == 0 {
            return Err(Error::new(Cause::LeaseLapsed, Scope::Mailbox, "shut"));
        }
        Ok(())
    }

    fn after(&self, _: Effect) {}
}

/// The door shuts right before the last byte: nothing of the batch is there.
pub async fn nothing_takes_effect_once_the_door_is_shut(fixture: &dyn Fixture) {
    let (account, mut source, mut target) = source_and_target(fixture).await;
    let folder = path(&["Door"]);
    make(target.as_mut(), &folder).await;
    target.close().await;
    let mut shut = fixture.connector().target(&account, Arc::new(ShutDoor(AtomicUsize::new(0)))).await.unwrap();
    let error = submit(shut.as_mut(), &folder, &[plain(1), plain(2)]).await.unwrap_err();
    assert_eq!(error.cause, Cause::LeaseLapsed);
    drop(shut);
    assert_there(source.as_mut(), &folder, &[]).await;
}

/// An item above the limit of memory is held in a file on its way, both ways.
pub async fn an_item_larger_than_memory_goes_through_a_file(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let folder = path(&["Large"]);
    make(target.as_mut(), &folder).await;
    let line = format!("{}\r\n", "0123456789".repeat(7));
    let bytes = format!("Subject: large\r\n\r\n{}", line.repeat(200_000)).into_bytes();
    let large = put(bytes, &["\\Seen"], 5);
    append(target.as_mut(), &folder, &[plain(1), large.clone(), plain(2)]).await;
    assert_there(source.as_mut(), &folder, &[plain(1), large, plain(2)]).await;
}

/// Thousands of items keep their order and are all there.
pub async fn many_items_stay_in_order(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let folder = path(&["Many"]);
    make(target.as_mut(), &folder).await;
    let items: Vec<Put> = (0..2_000).map(plain).collect();
    for part in items.chunks(300) {
        append(target.as_mut(), &folder, part).await;
    }
    assert_there(source.as_mut(), &folder, &items).await;
}

/// Batches may follow each other before the first outcome is asked for; outcomes come in their order.
pub async fn several_batches_may_be_on_their_way(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let (a, b) = (path(&["First"]), path(&["Second"]));
    make(target.as_mut(), &a).await;
    make(target.as_mut(), &b).await;
    let at_once = target.batches_in_flight_max().clamp(1, 8);
    for number in 0..at_once {
        let folder = if number % 2 == 0 { &a } else { &b };
        submit(target.as_mut(), folder, &[plain(number), plain(number + 100)]).await.unwrap();
    }
    for _ in 0..at_once {
        let outcome = target.outcome().await.unwrap();
        assert!(outcome.items.iter().all(|item| matches!(item, ItemOutcome::Stored(_))), "{outcome:?}");
    }
    let of = |wanted: usize| {
        (0..at_once).filter(|n| n % 2 == wanted).flat_map(|n| [plain(n), plain(n + 100)]).collect::<Vec<_>>()
    };
    assert_there(source.as_mut(), &a, &of(0)).await;
    assert_there(source.as_mut(), &b, &of(1)).await;
}

/// An unknown person is that person's error, no one else's.
pub async fn an_account_that_is_not_there_is_an_error_of_one_mailbox(fixture: &dyn Fixture) {
    let account = Account { password: fixture.mailbox().await.password, ..Account::named("nobody-of-that-name") };
    let Err(error) = fixture.connector().source(&account).await else { panic!("opened a mailbox of nobody") };
    assert_eq!(error.scope, Scope::Mailbox, "{error}");
    assert!(matches!(error.cause, Cause::Login | Cause::Missing), "{error}");
}

/// The check has nothing to complain of, and says something of every topic it reached.
pub async fn the_check_finds_it_well(fixture: &dyn Fixture) {
    let account = fixture.mailbox().await;
    let findings = fixture.connector().check(Some(&account)).await;
    assert!(!findings.is_empty());
    for finding in findings {
        assert_eq!(finding.wrong, None, "{finding:?}");
        assert!(!finding.sentence.is_empty());
    }
}

/// Each kind that is declared can be kept and comes back as that kind.
pub async fn every_declared_kind_is_held(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    for kind in fixture.connector().declaration().kinds {
        let folder = path(&["Kinds", kind.name()]);
        make_of(target.as_mut(), &folder, kind).await;
        let item = Put { kind, ..plain(1) };
        append(target.as_mut(), &folder, std::slice::from_ref(&item)).await;
        assert_eq!(folder_of(source.as_mut(), &folder).await.unwrap().kind, kind);
        assert_there(source.as_mut(), &folder, &[item]).await;
    }
}
