//! What happens between two commands, and what comes back or turns up where nobody could know it: the folder made anew under
//! our hands, a listing that leaves a folder out, a word said while it is too late, a twin of our copy.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use conformance::meddling::{At, MeddlingDial};
use conformance::world::{World, message};
use connector::Error;
use connector::memory::{MemoryItem, Platform, Request, Response, Traits};
use model::{Cause, Flags, FolderPath, ItemId, Scope};
use store::RemovalState;

fn path(names: &[&str]) -> FolderPath {
    FolderPath::new(names.iter().copied())
}

fn item(number: usize) -> MemoryItem {
    MemoryItem::message(message(number, &format!("body {number}")), 1_000_000_000 + number as i64)
}

/// Ann with five messages in Work, in step.
async fn world_in_step(target: Traits, in_use: bool) -> World {
    let mut world = World::with(Traits::default(), target);
    world.person("ann");
    if in_use {
        world.in_use("ann");
    }
    world.source.add_folder("ann", &FolderPath::inbox());
    for n in 0..5 {
        world.source.deliver("ann", &path(&["Work"]), item(n));
    }
    world.sync_well().await;
    world.assert_same("ann");
    world
}

fn there(world: &World, folder: &FolderPath) -> BTreeMap<u32, MemoryItem> {
    world.target.dump("ann").remove(folder).unwrap_or_default()
}

fn bodies(items: &BTreeMap<u32, MemoryItem>) -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = items.values().map(|item| item.bytes.clone()).collect();
    bodies.sort();
    bodies
}

async fn removals(world: &World) -> Vec<store::HeldRemoval> {
    let (engine, mailboxes) = world.engine().await;
    engine.store.held_removals(engine.key, mailboxes[0]).await.unwrap()
}

/// Says yes or no to every removal that waits; how many there were.
async fn answer(world: &World, approved: bool) -> u64 {
    let (engine, mailboxes) = world.engine().await;
    let held = engine.store.held_removals(engine.key, mailboxes[0]).await.unwrap();
    let held: Vec<(i64, ItemId)> = held.into_iter().map(|held| (held.folder, held.source_id)).collect();
    engine.store.answer_removals(engine.key, &held, approved).await.unwrap()
}

fn lost() -> Error {
    Error::new(Cause::Connection, Scope::Connection, "the test broke the line")
}

/// Once, right before a request of this kind is sent to the target, its person removes Work and makes another of that name,
/// with five messages of their own under the ids that ours had.
fn made_anew_before(world: &mut World, is_it: fn(&Request) -> bool) -> Arc<AtomicBool> {
    let is_done = Arc::new(AtomicBool::new(false));
    let (target, done) = (world.target.clone(), is_done.clone());
    world.target_dial = MeddlingDial::new(Arc::new(target.clone()), move |at| {
        if let At::Request(request) = at
            && is_it(request)
            && !done.swap(true, Ordering::SeqCst)
        {
            target.remove_folder("ann", &path(&["Work"]));
            own_items(&target);
        }
        Ok(())
    });
    is_done
}

fn own_items(target: &Platform) {
    for n in 0..5 {
        target.deliver("ann", &path(&["Work"]), item(900 + n));
    }
}

fn has_own_untouched(world: &World) {
    let own: Vec<Vec<u8>> = (0..5).map(|n| item(900 + n).bytes).collect();
    let there = there(world, &path(&["Work"]));
    for bytes in own {
        let item = there.values().find(|item| item.bytes == bytes).expect("their own is there");
        assert_eq!(item.flags, Flags::NONE);
    }
}

#[tokio::test]
async fn flags_are_not_changed_in_a_folder_made_anew_between_two_commands() {
    for in_use in [false, true] {
        let mut world = world_in_step(Traits::default(), in_use).await;
        world.source.set_flags("ann", &path(&["Work"]), &ItemId::from_u32(2), &Flags::of(["\\Flagged"]));
        let done = made_anew_before(&mut world, |request| matches!(request, Request::ChangeFlags(..)));
        world.sync_well().await;
        assert!(done.load(Ordering::SeqCst));
        has_own_untouched(&world);
    }
}

#[tokio::test]
async fn nothing_is_removed_from_a_folder_made_anew_between_two_commands() {
    for in_use in [false, true] {
        let mut world = world_in_step(Traits::default(), in_use).await;
        world.source.expunge("ann", &path(&["Work"]), &ItemId::from_u32(2));
        let done = made_anew_before(&mut world, |request| matches!(request, Request::Remove(..)));
        world.sync_well().await;
        assert!(done.load(Ordering::SeqCst));
        has_own_untouched(&world);
        assert_eq!(world.tally().await.source, 4);
    }
}

#[tokio::test]
async fn nothing_is_moved_out_of_a_folder_made_anew_between_two_commands() {
    for in_use in [false, true] {
        let mut world = world_in_step(Traits::default(), in_use).await;
        let (work, done_folder) = (path(&["Work"]), path(&["Done"]));
        world.source.add_folder("ann", &done_folder);
        world.source.relocate("ann", &work, &done_folder, &ItemId::from_u32(2)).unwrap();
        let done = made_anew_before(&mut world, |request| matches!(request, Request::Move(..)));
        world.sync_well().await;
        assert!(done.load(Ordering::SeqCst));
        has_own_untouched(&world);
        assert_eq!(bodies(&there(&world, &done_folder)), [item(1).bytes], "it was copied");
    }
}

/// Has the source leave folders out of its listing while `hides` says so.
fn hiding(world: &mut World, hidden: &FolderPath) -> Arc<AtomicBool> {
    let hides = Arc::new(AtomicBool::new(false));
    let (on, hidden) = (hides.clone(), hidden.clone());
    world.source_dial = MeddlingDial::new(Arc::new(world.source.clone()), move |at| {
        if let At::Answer(Request::Folders, Response::Folders(folders)) = at
            && on.load(Ordering::SeqCst)
        {
            folders.retain(|folder| folder.path != hidden);
        }
        Ok(())
    });
    hides
}

#[tokio::test]
async fn a_folder_that_the_source_forgets_to_list_is_read_all_the_same() {
    let mut world = world_in_step(Traits::default(), true).await;
    let (inbox, work, copies) = (FolderPath::inbox(), path(&["Work"]), path(&["Copies"]));
    world.source.deliver("ann", &inbox, item(50));
    world.sync_well().await;
    let hides = hiding(&mut world, &work);
    hides.store(true, Ordering::SeqCst);
    // Copies of what is in Work, in a folder that is new: nothing has moved there. And one that moved to where it isn't listed.
    for n in 0..5 {
        world.source.deliver("ann", &copies, item(n));
    }
    world.source.relocate("ann", &inbox, &work, &ItemId::from_u32(1)).unwrap();
    for _ in 0..3 {
        world.sync_well().await;
        world.assert_same("ann");
    }
    hides.store(false, Ordering::SeqCst);
    world.sync_well().await;
    world.assert_same("ann");
    let tally = world.tally().await;
    assert_eq!((tally.source, tally.accounted(), tally.withdrawn), (11, 11, 0));
}

#[tokio::test]
async fn a_folder_that_is_not_listed_and_cannot_be_asked_for_loses_nothing() {
    let mut world = world_in_step(Traits::default(), true).await;
    let (work, copies) = (path(&["Work"]), path(&["Copies"]));
    let is_away = Arc::new(AtomicBool::new(true));
    let (away, hidden) = (is_away.clone(), work.clone());
    world.source_dial = MeddlingDial::new(Arc::new(world.source.clone()), move |at| {
        match at {
            At::Answer(Request::Folders, Response::Folders(folders)) if away.load(Ordering::SeqCst) => {
                folders.retain(|folder| folder.path != hidden);
            }
            At::Answer(Request::State(path), response) if *path == hidden && away.load(Ordering::SeqCst) => {
                *response = Response::Failed(Error::new(Cause::Unavailable, Scope::Folder, "not now"));
            }
            _ => {}
        }
        Ok(())
    });
    for n in 0..5 {
        world.source.deliver("ann", &copies, item(n));
    }
    for _ in 0..2 {
        world.sync_well().await;
        assert_eq!(there(&world, &work).len(), 5, "nothing has moved out of it");
        assert_eq!(there(&world, &copies).len(), 5);
    }
    is_away.store(false, Ordering::SeqCst);
    world.sync_well().await;
    world.assert_same("ann");
}

#[tokio::test]
async fn flags_in_doubt_of_a_folder_that_was_renamed_meanwhile_follow_the_source() {
    for in_use in [false, true] {
        let mut world = world_in_step(Traits::default(), in_use).await;
        let (work, play) = (path(&["Work"]), path(&["Play"]));
        let id = ItemId::from_u32(2);
        world.source.set_flags("ann", &work, &id, &Flags::of(["\\Flagged"]));
        let target: Arc<dyn connector::memory::Dial> = Arc::new(world.target.clone());
        // The answer is lost, and the line stays dead until the source has gone on.
        let is_dead = Arc::new(AtomicBool::new(false));
        let dead = is_dead.clone();
        world.target_dial = MeddlingDial::new(target.clone(), move |at| match at {
            At::Answer(Request::ChangeFlags(..), _) => {
                dead.store(true, Ordering::SeqCst);
                Err(lost())
            }
            // No reason to wait for it: this run is over.
            _ if dead.load(Ordering::SeqCst) => Err(Error::new(Cause::Permission, Scope::Mailbox, "not now")),
            _ => Ok(()),
        });
        let end = world.sync().await;
        assert!(end.outcomes[0].failure.is_some() && is_dead.load(Ordering::SeqCst));
        world.target_dial = target;
        world.source.set_flags("ann", &work, &id, &Flags::NONE);
        assert!(world.source.rename_folder("ann", &work, &play));
        world.sync_well().await;
        let left = there(&world, &play).into_values().find(|there| there.bytes == item(1).bytes).unwrap();
        assert_eq!(left.flags, Flags::NONE, "in use: {in_use}: the flag was ours, and the source has taken it off");
        assert_eq!(there(&world, &play).len(), 5);
    }
}

#[tokio::test]
async fn an_item_that_was_to_stay_and_comes_back_is_not_doubled() {
    for traits in [Traits::default(), Traits::poor()] {
        let mut world = world_in_step(traits, true).await;
        world.policy.following.removals_free = 0;
        world.policy.following.removals_max = 0;
        let work = path(&["Work"]);
        world.source.expunge("ann", &work, &ItemId::from_u32(2));
        world.sync_well().await;
        assert_eq!(removals(&world).await.len(), 1);
        assert_eq!(answer(&world, false).await, 1);
        world.sync_well().await;
        // Its person finds it again, and puts it back where it was: under a new id.
        world.source.deliver("ann", &work, item(1));
        world.sync_well().await;
        world.assert_same("ann");
        assert_eq!(removals(&world).await, []);
        let tally = world.tally().await;
        assert_eq!((tally.source, tally.accounted()), (5, 5));
    }
}

#[tokio::test]
async fn an_item_that_was_to_stay_stays_when_its_twin_comes_to_another_folder() {
    let mut world = world_in_step(Traits::default(), true).await;
    world.policy.following.removals_free = 0;
    world.policy.following.removals_max = 0;
    let (work, inbox) = (path(&["Work"]), FolderPath::inbox());
    world.source.expunge("ann", &work, &ItemId::from_u32(2));
    world.sync_well().await;
    assert_eq!(answer(&world, false).await, 1);
    world.source.deliver("ann", &inbox, item(1));
    world.sync_well().await;
    assert_eq!(there(&world, &work).len(), 5, "somebody said that it stays");
    assert_eq!(bodies(&there(&world, &inbox)), [item(1).bytes]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_that_comes_while_items_are_removed_is_in_time_or_refused() {
    let mut world = world_in_step(Traits::default(), true).await;
    world.policy.following.removals_free = 0;
    world.policy.following.removals_max = 0;
    let work = path(&["Work"]);
    for id in 1..=4 {
        world.source.expunge("ann", &work, &ItemId::from_u32(id));
    }
    world.sync_well().await;
    let held = removals(&world).await;
    assert_eq!((held.len(), answer(&world, true).await), (4, 4));
    // Said before the removal is begun: at the first look at the items. Said after: while the target removes them.
    let (engine, _) = world.engine().await;
    let held: Vec<(i64, ItemId)> = held.into_iter().map(|held| (held.folder, held.source_id)).collect();
    let (early, late) = (held[..2].to_vec(), held[2..].to_vec());
    let said = Arc::new([AtomicU64::new(u64::MAX), AtomicU64::new(u64::MAX)]);
    let (store, key, words) = (engine.store.clone(), engine.key, said.clone());
    let reject = move |which: usize, items: Vec<(i64, ItemId)>| {
        let store = store.clone();
        let answered = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(store.answer_removals(key, &items, false))
        });
        words[which].store(answered.unwrap(), Ordering::SeqCst);
    };
    world.target_dial = MeddlingDial::new(Arc::new(world.target.clone()), move |at| {
        match at {
            At::Request(Request::List(_)) => reject(0, early.clone()),
            At::Request(Request::Remove(..)) => reject(1, late.clone()),
            _ => {}
        }
        Ok(())
    });
    world.sync_well().await;
    let said = said.iter().map(|said| said.load(Ordering::SeqCst)).collect::<Vec<_>>();
    assert_eq!(said[1], 0, "too late, and that is said");
    let left = there(&world, &work);
    assert_eq!(bodies(&left), bodies(&[0, 1, 4].into_iter().map(|n| (n as u32, item(n))).collect()));
    let states: Vec<RemovalState> = removals(&world).await.into_iter().map(|held| held.state).collect();
    assert_eq!(states, [RemovalState::Kept, RemovalState::Kept]);
}

#[tokio::test]
async fn an_approved_removal_that_the_target_refuses_may_still_be_rejected() {
    let mut world = world_in_step(Traits::default(), true).await;
    world.policy.following.removals_free = 0;
    world.policy.following.removals_max = 0;
    let work = path(&["Work"]);
    world.source.expunge("ann", &work, &ItemId::from_u32(2));
    world.sync_well().await;
    assert_eq!(answer(&world, true).await, 1);
    let target: Arc<dyn connector::memory::Dial> = Arc::new(world.target.clone());
    world.target_dial = MeddlingDial::new(target.clone(), |at| {
        if let At::Answer(Request::Remove(..), response) = at {
            *response = Response::Failed(Error::new(Cause::Permission, Scope::Folder, "it may not be removed"));
        }
        Ok(())
    });
    let end = world.sync_well().await;
    let (cause, _, what) = end.outcomes[0].report.in_the_way.clone().expect("somebody is told");
    assert_eq!(cause, Cause::Permission, "{what}");
    assert_eq!(answer(&world, false).await, 1, "no is still a word");
    world.target_dial = target;
    world.sync_well().await;
}

#[tokio::test]
async fn a_twin_that_its_person_put_beside_a_copy_without_an_id_is_not_taken_for_it() {
    // A target that tells no ids, and moves nothing; it can remove one item alone, so that what is removed shows.
    let traits = Traits { removes_exactly: true, ..Traits::poor() };
    let mut world = world_in_step(traits, true).await;
    let work = path(&["Work"]);
    // The person puts a twin beside the copy as it is made, and flags it.
    let target = world.target.clone();
    let done = Arc::new(AtomicBool::new(false));
    let by_now = done.clone();
    world.target_dial = MeddlingDial::new(Arc::new(world.target.clone()), move |at| {
        if let At::Request(Request::Append(_)) = at
            && !by_now.swap(true, Ordering::SeqCst)
        {
            target.deliver("ann", &path(&["Work"]), item(7));
        }
        Ok(())
    });
    world.source.deliver("ann", &work, item(7));
    world.sync_well().await;
    assert!(done.load(Ordering::SeqCst));
    assert_eq!(there(&world, &work).len(), 7, "theirs and ours");
    world.source.expunge("ann", &work, &ItemId::from_u32(6));
    world.sync_well().await;
    assert_eq!(there(&world, &work).len(), 7, "whose is which can't be told, so both stay");
}
