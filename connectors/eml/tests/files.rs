//! Files as other programs leave them, and as a stop at any point leaves ours.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use connector::{
    Account, Batch, BatchItem, Connector, Door, Effect, Error, Event, FlagChange, Holds, HoldsLimits, Item, Known,
    NewFolder, OpenDoor, ReadFolder, Source, SystemClock, Target, ready,
};
use eml::{EmlConfig, EmlConnector};
use model::{Cause, Flags, FolderPath, ItemKind, ReceivedAt, Scope, SpecialUse};

fn connector(base: &Path) -> EmlConnector {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let config = EmlConfig { path: "{source}".to_owned(), base: base.to_owned() };
    EmlConnector::new(config, Arc::new(SystemClock), format!("test{}", MADE.fetch_add(1, Ordering::SeqCst)))
}

async fn source(base: &Path) -> Box<dyn Source> {
    connector(base).source(&Account::named("ann")).await.unwrap()
}

async fn target(base: &Path, door: Arc<dyn Door>) -> Box<dyn Target> {
    connector(base).target(&Account::named("ann"), door).await.unwrap()
}

fn path(names: &[&str]) -> FolderPath {
    FolderPath::new(names.iter().copied())
}

fn new(names: &[&str], special_use: Option<SpecialUse>) -> NewFolder {
    NewFolder { path: path(names), kind: ItemKind::Message, special_use, subscribe: false }
}

fn write(base: &Path, file: &str, bytes: &str) {
    let file = base.join("ann").join(file);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, bytes).unwrap();
}

async fn items(source: &mut dyn Source, folder: &FolderPath) -> Vec<Item> {
    let plan = vec![ReadFolder { path: folder.clone(), since: None }];
    let mut reading = source.read(plan, &Holds::new(HoldsLimits::default())).await.unwrap();
    let mut items = Vec::new();
    loop {
        let events = reading.next().await.unwrap();
        if events.is_empty() {
            return items;
        }
        items.extend(
            events.into_iter().filter_map(|event| if let Event::Item(item) = event { Some(item) } else { None }),
        );
    }
}

#[tokio::test]
async fn files_of_other_programs_are_items() {
    let base = tempfile::tempdir().unwrap();
    write(base.path(), "Inbox/b.EML", "Date: Thu, 1 Jan 1970 00:00:07 +0000\n\nb\n");
    write(base.path(), "Inbox/a.eml", "Subject: a\r\n\r\na\nb\r\n");
    write(base.path(), "Inbox/notes.txt", "no mail");
    write(base.path(), "Inbox/.hidden.eml", "no mail");
    write(base.path(), "Größe/50% off/c.eml", "A: 1\n\nc");
    std::fs::create_dir_all(base.path().join("ann/Empty")).unwrap();
    let mut source = source(base.path()).await;
    let folders = source.folders().await.unwrap();
    let shown: Vec<_> = folders.iter().map(|f| (f.path.to_string(), f.holds_items, f.subscribed)).collect();
    let expected = [("Empty", true), ("Größe", false), ("Größe/50% off", true), ("INBOX", true)];
    assert_eq!(shown, expected.map(|(name, holds)| (name.to_owned(), holds, true)));
    let inbox = items(source.as_mut(), &FolderPath::inbox()).await;
    assert_eq!(inbox.iter().map(|item| item.id.to_string()).collect::<Vec<_>>(), ["a.eml", "b.EML"]);
    assert_eq!(inbox[0].body.to_vec().await.unwrap(), b"Subject: a\r\n\r\na\nb\r\n", "mixed: as it is");
    assert_eq!(inbox[1].body.to_vec().await.unwrap(), b"Date: Thu, 1 Jan 1970 00:00:07 +0000\r\n\r\nb\r\n");
    assert_eq!(inbox[1].received, Some(ReceivedAt::utc(7)));
    assert!(inbox[0].received.unwrap().unix_seconds > 1_600_000_000, "the file's time");
    assert!(inbox.iter().all(|item| item.flags.is_empty()));
    assert_eq!(items(source.as_mut(), &path(&["Größe", "50% off"])).await.len(), 1);

    // As a target: flags come beside, the bytes and the date stay what they were read as.
    let mut target = target(base.path(), Arc::new(OpenDoor)).await;
    let change = FlagChange { id: inbox[1].id.clone(), add: Flags::of(["\\Seen", "Work"]), take: Flags::NONE };
    let known = Known { path: &FolderPath::inbox(), validity: 1 };
    target.change_flags(known, &[change]).await.unwrap();
    let again = items(source.as_mut(), &FolderPath::inbox()).await;
    assert_eq!(again[1].flags, Flags::of(["\\Seen", "Work"]));
    assert_eq!(again[1].body.to_vec().await.unwrap(), inbox[1].body.to_vec().await.unwrap());
    assert_eq!(again[1].received, inbox[1].received);
    assert!(!target.remove_folder(&path(&["Größe"])).await.unwrap());
    // The first folder that is made changes nothing for those that are there.
    target.create(&[new(&["Made"], None)]).await.unwrap().remove(0).unwrap();
    let followed: Vec<bool> = source.folders().await.unwrap().iter().map(|folder| folder.subscribed).collect();
    assert_eq!(followed, [true, true, true, true, false]);
}

#[tokio::test]
async fn files_that_lie_in_no_folder_are_those_of_the_inbox() {
    let base = tempfile::tempdir().unwrap();
    write(base.path(), "a.eml", "A: 1\r\n\r\n");
    write(base.path(), "Sent/b.eml", "A: 2\r\n\r\n");
    let mut target = target(base.path(), Arc::new(OpenDoor)).await;
    target.create(&[new(&["INBOX"], None)]).await.unwrap().remove(0).unwrap();
    assert_eq!(items(target.as_mut(), &FolderPath::inbox()).await.len(), 1);
    assert!(!base.path().join("ann/INBOX").exists());
    // Which of the two it is can't be told: neither is passed over.
    write(base.path(), "INBOX/c.eml", "A: 3\r\n\r\n");
    let what = target.folders().await.unwrap_err().what;
    assert!(what.contains("rename one"), "{what}");
}

#[tokio::test]
async fn a_directory_written_otherwise_than_we_would_is_found() {
    let base = tempfile::tempdir().unwrap();
    write(base.path(), "a:b/x.eml", "A: 1\r\n\r\n");
    let mut target = target(base.path(), Arc::new(OpenDoor)).await;
    target.create(&[new(&["a:b", "c?"], None)]).await.unwrap().remove(0).unwrap();
    assert_eq!(items(target.as_mut(), &path(&["a:b"])).await.len(), 1);
    assert!(base.path().join("ann/a:b/c%3F").is_dir() && !base.path().join("ann/a%3Ab").exists());
    write(base.path(), "a%3Ab/y.eml", "A: 2\r\n\r\n");
    assert!(target.folders().await.unwrap_err().what.contains("rename one"));
}

#[tokio::test]
async fn what_is_made_is_this_users_own_and_says_what_it_is_for() {
    let base = tempfile::tempdir().unwrap();
    let mut target = target(base.path(), Arc::new(OpenDoor)).await;
    target.create(&[new(&["Old", "Kept"], Some(SpecialUse::Archive))]).await.unwrap().remove(0).unwrap();
    let folders = target.folders().await.unwrap();
    let uses: Vec<_> = folders.iter().map(|folder| (folder.holds_items, folder.special_use)).collect();
    assert_eq!(uses, [(false, None), (true, Some(SpecialUse::Archive))]);
    for file in ["ann", "ann/Old", "ann/Old/Kept", "ann/Old/Kept/.whimbrel-items.jsonl", "ann/.whimbrel-folders.jsonl"]
    {
        let mode = std::fs::metadata(base.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}");
    }
    assert!(target.remove_folder(&path(&["Old", "Kept"])).await.unwrap());
    assert!(target.folders().await.unwrap().is_empty(), "a directory that only held it goes, too");
}

/// Shuts at the nth effect, as if the process ended there: nothing of what follows happens.
struct Stop(AtomicUsize);

impl Door for Stop {
    fn before(&self, _: Effect) -> Result<(), Error> {
        let left = self.0.load(Ordering::SeqCst);
        if left == 0 {
            return Err(Error::new(Cause::LeaseLapsed, Scope::Mailbox, "stopped"));
        }
        self.0.store(left - 1, Ordering::SeqCst);
        Ok(())
    }

    fn after(&self, _: Effect) {}
}

fn bytes(number: usize) -> Vec<u8> {
    format!("N: {number}\r\n\r\nbody\nwith all ends\r\r\n").into_bytes()
}

async fn batch(numbers: &[usize]) -> Batch {
    let mut items = Vec::new();
    for number in numbers {
        let mut holding = Holds::new(HoldsLimits::default()).reserve(bytes(*number).len() as u64).await.unwrap();
        holding.write(&bytes(*number)).await.unwrap();
        items.push(BatchItem {
            kind: ItemKind::Message,
            flags: Flags::of(["\\Seen", "Work"]),
            received: Some(ReceivedAt { unix_seconds: *number as i64, offset_minutes: 90 }),
            body: holding.finish().await.unwrap(),
        });
    }
    let (signal, ready) = ready();
    signal.send(()).unwrap();
    Batch { folder: path(&["F"]), items, ready }
}

#[tokio::test]
async fn a_stop_at_any_effect_leaves_whole_items_and_nothing_twice() {
    let all: Vec<usize> = (0..4).collect();
    for stop in 0..12 {
        let base = tempfile::tempdir().unwrap();
        target(base.path(), Arc::new(OpenDoor)).await.create(&[new(&["F"], None)]).await.unwrap().remove(0).unwrap();
        let mut stopped = target(base.path(), Arc::new(Stop(AtomicUsize::new(stop)))).await;
        let submitted = stopped.submit(batch(&all).await).await;
        assert_eq!(submitted.is_ok(), stop > 8, "five effects before the first item is there, then one each");
        drop(stopped);
        // What is there is looked for, and the rest sent again.
        let mut again = target(base.path(), Arc::new(OpenDoor)).await;
        let mut there = Vec::new();
        for item in items(again.as_mut(), &path(&["F"])).await {
            there.push(item.body.to_vec().await.unwrap());
        }
        let rest: Vec<usize> = all.iter().copied().filter(|number| !there.contains(&bytes(*number))).collect();
        assert_eq!(there.len() + rest.len(), all.len(), "stopped at {stop}");
        again.submit(batch(&rest).await).await.unwrap();
        let mut numbers = Vec::new();
        for item in items(again.as_mut(), &path(&["F"])).await {
            assert_eq!(item.flags, Flags::of(["\\Seen", "Work"]));
            let at = item.received.unwrap();
            assert_eq!(at.offset_minutes, 90);
            assert_eq!(item.body.to_vec().await.unwrap(), bytes(at.unix_seconds as usize));
            numbers.push(at.unix_seconds as usize);
        }
        numbers.sort_unstable();
        assert_eq!(numbers, all, "stopped at {stop}");
    }
}
