//! What a target must do so that moves, removals and folders of the source can be followed.

use std::sync::Arc;

use connector::{FlagChange, Known, Moved, OpenDoor, Removal, Retry, Source, Target};
use model::{Cause, Flags, FolderPath, ItemId, Scope};

use super::{Break, Fixture, Put, append, assert_there, folder_of, known, make, path, plain, put, source_and_target};

/// An id that no item of a folder has, of the same kind as theirs.
fn no_item(ids: &[ItemId]) -> ItemId {
    match ids.last().and_then(ItemId::as_u32) {
        Some(last) => ItemId::from_u32(last + 77),
        None => ItemId::new(b"9999999999.nothing"),
    }
}

async fn ids_in(source: &mut dyn Source, folder: &FolderPath) -> Vec<ItemId> {
    source.list(folder).await.unwrap().into_iter().map(|(id, _)| id).collect()
}

/// Two folders, the first with these items; and their ids.
async fn two_folders(
    source: &mut dyn Source,
    target: &mut dyn Target,
    items: &[Put],
) -> (FolderPath, FolderPath, Vec<ItemId>) {
    let (from, to) = (path(&["Moved from"]), path(&["Moved to"]));
    for folder in [&from, &to] {
        make(target, folder).await;
    }
    append(target, &from, items).await;
    let ids = ids_in(source, &from).await;
    (from, to, ids)
}

/// The flags of each item as they are now, in the order asked for; none of one that is gone or never was.
pub async fn flags_are_read_back_but_not_of_what_is_gone(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let folder = path(&["Read back"]);
    make(target.as_mut(), &folder).await;
    append(target.as_mut(), &folder, &[put("a: 1\r\n\r\n", &["\\Seen", "Work"], 5), plain(1), plain(3)]).await;
    let ids = ids_in(source.as_mut(), &folder).await;
    let missing = no_item(&ids);
    let change = FlagChange { id: ids[1].clone(), add: Flags::of(["\\Flagged"]), take: Flags::NONE };
    target.change_flags(known(source.as_mut(), &folder).await, &[change]).await.unwrap();
    let asked = [ids[1].clone(), missing, ids[0].clone(), ids[1].clone()];
    let flagged = Some(Flags::of(["\\Flagged"]));
    let expected = [flagged.clone(), None, Some(Flags::of(["\\Seen", "Work"])), flagged];
    assert_eq!(target.flags(known(source.as_mut(), &folder).await, &asked).await.unwrap(), expected);
    assert_eq!(target.flags(known(source.as_mut(), &folder).await, &[]).await.unwrap(), []);
    let removed = target.remove(known(source.as_mut(), &folder).await, &ids[2..], None).await.unwrap();
    let left = target.flags(known(source.as_mut(), &folder).await, &ids[2..]).await.unwrap();
    assert_eq!(left == [None], removed == [Removal::Gone], "{left:?}");
    let error = target.flags(Known { path: &path(&["Not there"]), validity: 1 }, &ids).await.unwrap_err();
    assert_eq!((error.cause, error.scope), (Cause::Missing, Scope::Folder), "{error}");
}

/// Items lie in the other folder as they were, in the order of the folder, under the ids that the target tells; others stay. A
/// platform that moves nothing says so.
pub async fn moved_items_keep_bytes_dates_and_flags(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let items = [
        put("Subject: a\r\n\r\nno line end", &["\\Seen", "\\Flagged", "Work"], 86_400),
        plain(1),
        put("Subject: b\r\n\r\n\u{1f426}\r\n", &["\\Deleted", "\\Draft", "$Forwarded"], 951_782_399),
        plain(3),
    ];
    let (from, to, ids) = two_folders(source.as_mut(), target.as_mut(), &items).await;
    append(target.as_mut(), &to, &[plain(9)]).await;
    let moving = [ids[2].clone(), ids[0].clone()];
    let moved = target.move_items(known(source.as_mut(), &from).await, &to, &moving).await;
    if !target.offers().moves {
        let error = moved.unwrap_err();
        assert_eq!((error.cause, error.scope), (Cause::Unsupported, Scope::Folder), "{error}");
        return assert_there(source.as_mut(), &from, &items).await;
    }
    assert_there(source.as_mut(), &from, &[items[1].clone(), items[3].clone()]).await;
    let mut there = vec![plain(9), items[0].clone(), items[2].clone()];
    let now = ids_in(source.as_mut(), &to).await;
    let told = [Moved::There(Some(now[2].clone())), Moved::There(Some(now[1].clone()))];
    if target.offers().ids_on_append {
        // The order in which items of one move come to lie is the platform's own.
        let swapped = [told[1].clone(), told[0].clone()];
        let moved = moved.unwrap();
        assert!(moved == told || moved == swapped, "{moved:?}");
        if moved == swapped {
            there.swap(1, 2);
        }
    } else {
        assert_eq!(moved.unwrap(), [Moved::There(None), Moved::There(None)]);
    }
    assert_there(source.as_mut(), &to, &there).await;
}

/// What is not there is told as gone; the others are moved all the same.
pub async fn a_move_of_what_is_not_there_moves_the_rest(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    if !target.offers().moves {
        return;
    }
    let (from, to, ids) = two_folders(source.as_mut(), target.as_mut(), &[plain(1), plain(2)]).await;
    let missing = no_item(&ids);
    assert_eq!(target.move_items(known(source.as_mut(), &from).await, &to, &[]).await.unwrap(), []);
    assert_eq!(
        target.move_items(known(source.as_mut(), &from).await, &to, std::slice::from_ref(&missing)).await.unwrap(),
        [Moved::Gone]
    );
    let moved = target.move_items(known(source.as_mut(), &from).await, &to, &[missing, ids[1].clone()]).await.unwrap();
    assert!(matches!(&moved[..], [Moved::Gone, Moved::There(_)]), "{moved:?}");
    let again = target.move_items(known(source.as_mut(), &from).await, &to, &ids[1..]).await.unwrap();
    assert_eq!(again, [Moved::Gone], "moved once, it is not there any more");
    assert_there(source.as_mut(), &from, &[plain(1)]).await;
    assert_there(source.as_mut(), &to, &[plain(2)]).await;
}

/// A folder that is not there takes nothing, and the session goes on.
pub async fn a_move_that_is_refused_moves_nothing(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    if !target.offers().moves {
        return;
    }
    let (from, to, ids) = two_folders(source.as_mut(), target.as_mut(), &[plain(1), plain(2)]).await;
    for (from, to) in [(&from, &path(&["Not there"])), (&path(&["Not there"]), &to)] {
        let error = target.move_items(known(source.as_mut(), from).await, to, &ids).await.unwrap_err();
        assert_eq!((error.cause, error.scope), (Cause::Missing, Scope::Folder), "{error}");
    }
    assert_there(source.as_mut(), &from, &[plain(1), plain(2)]).await;
    assert_there(source.as_mut(), &to, &[]).await;
    let moved = target.move_items(known(source.as_mut(), &from).await, &to, &ids).await.unwrap();
    assert!(matches!(&moved[..], [Moved::There(_), Moved::There(_)]), "{moved:?}");
}

/// Ids are those of a folder under one validity. Where it has another by now they are those of other items: nothing is asked of
/// them and nothing done to them. A platform whose ids never come again may take them for what they are.
pub async fn ids_of_a_folder_made_anew_since_mean_nothing(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    if !target.offers().numbers_rise {
        return;
    }
    let items = [plain(1), put("a: 2\r\n\r\n", &["\\Seen"], 5)];
    let (from, to, ids) = two_folders(source.as_mut(), target.as_mut(), &items).await;
    let now = known(source.as_mut(), &from).await;
    let before = Known { validity: now.validity - 1, ..now };
    let change = FlagChange { id: ids[0].clone(), add: Flags::of(["\\Flagged"]), take: Flags::of(["\\Seen"]) };
    let mut errors = vec![
        target.flags(before, &ids).await.unwrap_err(),
        target.change_flags(before, &[change]).await.unwrap_err(),
        target.remove(before, &ids, None).await.unwrap_err(),
    ];
    if target.offers().moves {
        errors.push(target.move_items(before, &to, &ids).await.unwrap_err());
    }
    for error in errors {
        assert_eq!((error.cause, error.retry), (Cause::TargetRenumbered, Retry::Now), "{error}");
    }
    assert_there(source.as_mut(), &from, &items).await;
    assert_there(source.as_mut(), &to, &[]).await;
    assert_eq!(
        target.flags(now, &ids).await.unwrap(),
        [Some(Flags::NONE), Some(Flags::of(["\\Seen"]))],
        "and it goes on"
    );
}

/// The connection breaks before the move or before its answer: it is in doubt, and every item lies in one of the two
/// folders.
pub async fn a_move_that_breaks_off_leaves_each_item_in_one_folder(fixture: &dyn Fixture) {
    for when in [Break::BeforeEffect, Break::BeforeAnswer] {
        let (account, mut source, mut target) = source_and_target(fixture).await;
        if !target.offers().moves {
            return;
        }
        let items: Vec<Put> = (0..5).map(plain).collect();
        let (from, to, ids) = two_folders(source.as_mut(), target.as_mut(), &items).await;
        let mut breaking = fixture.breaking_at_a_move(when).target(&account, Arc::new(OpenDoor)).await.unwrap();
        let error = breaking.move_items(known(source.as_mut(), &from).await, &to, &ids[1..4]).await.unwrap_err();
        // What never left may be known to be harmless.
        let is_harmless = when == Break::BeforeEffect && error.cause == Cause::Connection;
        assert!(error.cause == Cause::InDoubt || is_harmless, "{when:?}: {error}");
        assert!(error.ends_session(), "{when:?}: {error}");
        let is_moved = when == Break::BeforeAnswer;
        let (stay, go): (Vec<Put>, Vec<Put>) =
            if is_moved { ([&items[..1], &items[4..]].concat(), items[1..4].to_vec()) } else { (items, Vec::new()) };
        assert_there(source.as_mut(), &from, &stay).await;
        assert_there(source.as_mut(), &to, &go).await;
    }
}

/// Following shows in the listing, as often as it is said.
pub async fn a_folder_is_followed_and_no_longer(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let (folder, other) = (path(&["Followed", "or not"]), path(&["Followed too"]));
    for folder in [&folder, &other] {
        make(target.as_mut(), folder).await;
    }
    target.subscribe(&other, true).await.unwrap();
    for subscribed in [true, true, false, false, true] {
        target.subscribe(&folder, subscribed).await.unwrap();
        assert_eq!(folder_of(source.as_mut(), &folder).await.unwrap().subscribed, subscribed);
        assert!(folder_of(source.as_mut(), &other).await.unwrap().subscribed);
    }
}

/// A folder with an item, one with a folder below it, and INBOX stay, and all that is in them.
pub async fn a_folder_that_holds_something_is_not_removed(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let inbox = FolderPath::inbox();
    make(target.as_mut(), &inbox).await;
    assert!(!target.remove_folder(&inbox).await.unwrap());
    let (full, above, below) = (path(&["Full"]), path(&["Above"]), path(&["Above", "Below"]));
    for folder in [&full, &above, &below] {
        make(target.as_mut(), folder).await;
    }
    append(target.as_mut(), &full, &[put("a: 1\r\n\r\n", &["\\Deleted"], 5)]).await;
    for folder in [&full, &above] {
        assert!(!target.remove_folder(folder).await.unwrap(), "{folder}");
        // And while it is open to be written.
        target.change_flags(known(source.as_mut(), folder).await, &[]).await.unwrap();
        target.list(folder).await.unwrap();
        assert!(!target.remove_folder(folder).await.unwrap(), "{folder}");
    }
    assert_there(source.as_mut(), &full, &[put("a: 1\r\n\r\n", &["\\Deleted"], 5)]).await;
    for folder in [&inbox, &above, &below] {
        assert!(folder_of(source.as_mut(), folder).await.is_some(), "{folder}");
    }
}

/// An empty folder goes, from below upwards, also when it was open; others of a like name stay. Once it is gone it is gone,
/// and a new one of its name is not followed.
pub async fn an_empty_folder_is_removed_with_its_subscription(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    let (folder, below, like) = (path(&["Going"]), path(&["Going", "gone"]), path(&["Going on"]));
    assert!(target.remove_folder(&folder).await.unwrap(), "it was never there");
    for folder in [&folder, &below, &like] {
        make(target.as_mut(), folder).await;
        target.subscribe(folder, true).await.unwrap();
    }
    append(target.as_mut(), &like, &[plain(1)]).await;
    // Something was in it once.
    append(target.as_mut(), &folder, &[plain(1)]).await;
    let ids = ids_in(target.as_mut(), &folder).await;
    let was_emptied =
        target.remove(known(source.as_mut(), &folder).await, &ids, None).await.unwrap() == [Removal::Gone];
    for (folder, is_empty) in [(&below, true), (&folder, was_emptied)] {
        assert_eq!(target.remove_folder(folder).await.unwrap(), is_empty, "{folder}");
        assert_eq!(target.remove_folder(folder).await.unwrap(), is_empty, "{folder}, once more");
        assert_eq!(folder_of(source.as_mut(), folder).await.is_none(), is_empty, "{folder}");
    }
    assert_there(source.as_mut(), &like, &[plain(1)]).await;
    assert!(folder_of(source.as_mut(), &like).await.unwrap().subscribed);
    make(target.as_mut(), &below).await;
    assert!(!folder_of(source.as_mut(), &below).await.unwrap().subscribed, "the subscription went with the folder");
}

/// Where one item can't be removed without others it stays, and is marked; others are not.
pub async fn what_is_not_removed_alone_stays_marked(fixture: &dyn Fixture) {
    let (_, mut source, mut target) = source_and_target(fixture).await;
    if target.offers().removes_exactly {
        return;
    }
    let folder = path(&["Marked"]);
    make(target.as_mut(), &folder).await;
    append(target.as_mut(), &folder, &[plain(1), put("a: 2\r\n\r\n", &["\\Seen"], 5), plain(3)]).await;
    let ids = ids_in(source.as_mut(), &folder).await;
    let seen = target.state(&folder).await.unwrap().change;
    for _ in 0..2 {
        assert_eq!(
            target.remove(known(source.as_mut(), &folder).await, &ids[1..2], None).await.unwrap(),
            [Removal::Unsupported]
        );
        let flags: Vec<Flags> = source.list(&folder).await.unwrap().into_iter().map(|(_, flags)| flags).collect();
        assert_eq!(flags, [Flags::NONE, Flags::of(["\\Seen", "\\Deleted"]), Flags::NONE]);
    }
    if target.offers().tells_changes {
        let change = FlagChange { id: ids[0].clone(), add: Flags::of(["\\Flagged"]), take: Flags::NONE };
        target.change_flags(known(source.as_mut(), &folder).await, &[change]).await.unwrap();
        let removed = target
            .remove(known(source.as_mut(), &folder).await, &[ids[0].clone(), ids[2].clone()], Some(seen))
            .await
            .unwrap();
        assert_eq!(removed, [Removal::Changed, Removal::Unsupported]);
        let flags: Vec<Flags> = source.list(&folder).await.unwrap().into_iter().map(|(_, flags)| flags).collect();
        assert_eq!((&flags[0], &flags[2]), (&Flags::of(["\\Flagged"]), &Flags::of(["\\Deleted"])));
    }
}
