//! Sizes without bodies, and what a mailbox uses and may hold.

use connector::{FlagChange, ListedItem, Quota, ReadFolder, usage};
use model::Flags;

use super::{Fixture, Put, append, known, make, path, plain, put, read, source_and_target};

/// Some items, small and not so small.
fn some() -> Vec<Put> {
    let mut items: Vec<Put> = (0..5).map(plain).collect();
    let text = format!("Subject: large\r\n\r\n{}", "0123456789\r\n".repeat(7_001));
    items.push(put(text, &["\\Flagged"], 1_100_000_000));
    items
}

fn seconds(item: &ListedItem) -> Option<i64> {
    item.received.map(|at| at.unix_seconds)
}

/// The sizes, dates and flags that are told without reading bodies are those of what is then read.
pub async fn sizes_are_those_of_what_is_read(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let folder = path(&["Measured"]);
    make(target.as_mut(), &folder).await;
    let whole = ReadFolder { path: folder.clone(), since: None };
    assert_eq!(source.sizes(&whole).await.unwrap(), [], "an empty folder");
    append(target.as_mut(), &folder, &some()).await;
    let told = source.sizes(&whole).await.unwrap();
    let read = read(source.as_mut(), &folder, None).await;
    let items: Vec<_> = read.items.iter().map(|item| (item.id.clone(), item.body.size_bytes())).collect();
    assert_eq!(told.iter().map(|item| (item.id.clone(), item.size_bytes)).collect::<Vec<_>>(), items);
    for (told, read) in told.iter().zip(&read.items) {
        assert_eq!(seconds(told), read.received.map(|at| at.unix_seconds));
        assert_eq!(told.flags, read.flags);
    }
    let listed = source.folders().await.unwrap();
    let size_bytes = listed.iter().find(|listed| listed.path == folder).unwrap().size_bytes;
    let sum: u64 = items.iter().map(|(_, size_bytes)| size_bytes).sum();
    assert!(size_bytes.is_none_or(|size_bytes| size_bytes == sum), "{size_bytes:?} is not {sum}");
    let nowhere = ReadFolder { path: path(&["Nowhere"]), since: None };
    let error = source.sizes(&nowhere).await.unwrap_err();
    assert!(!error.ends_session(), "{error:?}");
}

/// With a cursor only what it does not cover is told; flags that changed bring nothing back.
pub async fn sizes_after_a_cursor_are_those_of_what_came_after(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let folder = path(&["Measured"]);
    make(target.as_mut(), &folder).await;
    append(target.as_mut(), &folder, &[plain(1), plain(2)]).await;
    let first = read(source.as_mut(), &folder, None).await;
    let after = ReadFolder { path: folder.clone(), since: first.cursor.clone() };
    assert_eq!(source.sizes(&after).await.unwrap(), []);
    let change = FlagChange { id: first.items[0].id.clone(), add: Flags::of(["\\Answered"]), take: Flags::NONE };
    let known = known(target.as_mut(), &folder).await;
    target.change_flags(known, &[change]).await.unwrap();
    append(target.as_mut(), &folder, &[plain(3)]).await;
    let told = source.sizes(&after).await.unwrap();
    let expected: Vec<_> = read(source.as_mut(), &folder, first.cursor).await.items;
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].id, told[0].size_bytes), (&expected[0].id, expected[0].body.size_bytes()));
}

/// What lies in the mailbox counts to the byte, whether the listing tells sizes or not; a quota is told only with sense.
pub async fn what_a_mailbox_uses_grows_by_what_is_put_into_it(fixture: &dyn Fixture) {
    let (_, _, mut target) = source_and_target(fixture).await;
    let folder = path(&["Measured"]);
    make(target.as_mut(), &folder).await;
    let listed = target.folders().await.unwrap();
    let (before, _) = usage(target.as_mut(), &listed).await.unwrap();
    append(target.as_mut(), &folder, &some()).await;
    let mut listed = target.folders().await.unwrap();
    let (after, _) = usage(target.as_mut(), &listed).await.unwrap();
    let bytes: u64 = some().iter().map(|item| item.bytes.len() as u64).sum();
    assert_eq!((after.bytes - before.bytes, after.items - before.items), (bytes, some().len() as u64));
    for folder in &mut listed {
        folder.size_bytes = None;
    }
    assert_eq!(usage(target.as_mut(), &listed).await.unwrap(), (after, None), "asked item by item");
    let Quota { bytes, items } = target.quota().await.unwrap();
    for allowance in bytes.into_iter().chain(items) {
        assert!(allowance.unit > 0 && allowance.free() <= allowance.max, "{allowance:?}");
    }
}
