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

/// What a worker had sent before another took its place may take effect right before the other one's own command. Without an earlier
/// worker the mark is its person's.
#[tokio::test]
async fn a_late_mark_of_our_own_keeps_nothing_from_going_and_a_persons_flag_does() {
    let cases = [("\\Deleted", true, (1, 0)), ("\\Flagged", true, (0, 1)), ("\\Deleted", false, (0, 1))];
    for (flag, was_begun, expected) in cases {
        let mut world = world_in_step(Traits::default(), false).await;
        let work = path(&["Work"]);
        world.source.expunge("ann", &work, &ItemId::from_u32(2));
        let (target, removals) = (world.target.clone(), AtomicU64::new(u64::from(!was_begun)));
        let before = there(&world, &work)[&2].flags.clone();
        world.target_dial = MeddlingDial::new(Arc::new(world.target.clone()), move |at| {
            if matches!(at, At::Request(Request::Remove(..))) {
                match removals.fetch_add(1, Ordering::SeqCst) {
                    // The first worker is gone once it has begun.
                    0 => return Err(lost()),
                    1 => {
                        let flags = before.union(&Flags::of([flag]));
                        target.set_flags("ann", &path(&["Work"]), &ItemId::from_u32(2), &flags);
                    }
                    _ => {}
                }
            }
            Ok(())
        });
        let end = world.sync_well().await;
        let report = &end.outcomes[0].report;
        assert_eq!((report.removed, report.held_removals), expected, "{flag} {was_begun}");
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

/// What the source answers when it is asked where Work stands, while it does: Work is listed without its state.
fn answering_for_work(world: &mut World, is_listed: bool, answer: Error) -> Arc<AtomicBool> {
    let is_on = Arc::new(AtomicBool::new(true));
    let (on, work) = (is_on.clone(), path(&["Work"]));
    world.source_dial = MeddlingDial::new(Arc::new(world.source.clone()), move |at| {
        if !on.load(Ordering::SeqCst) {
            return Ok(());
        }
        match at {
            At::Answer(Request::Folders, Response::Folders(folders)) => {
                folders.retain(|folder| is_listed || folder.path != work);
                folders.iter_mut().filter(|folder| folder.path == work).for_each(|folder| folder.state = None);
            }
            At::Answer(Request::State(path), response) if *path == work => *response = Response::Failed(answer.clone()),
            _ => {}
        }
        Ok(())
    });
    is_on
}

#[tokio::test]
async fn nothing_has_moved_out_of_a_folder_that_cannot_be_opened_now() {
    let mut world = world_in_step(Traits::default(), true).await;
    let (work, copies) = (path(&["Work"]), path(&["Copies"]));
    for n in 0..5 {
        world.source.deliver("ann", &copies, item(n));
    }
    let is_away = answering_for_work(&mut world, true, Error::new(Cause::Unavailable, Scope::Folder, "in use"));
    let end = world.sync_well().await;
    assert!(end.outcomes[0].report.in_the_way.is_some());
    assert_eq!((there(&world, &work).len(), there(&world, &copies).len()), (5, 5));
    is_away.store(false, Ordering::SeqCst);
    world.sync_well().await;
    world.assert_same("ann");
}

#[tokio::test]
async fn a_source_without_words_for_what_is_not_there_is_told_of_and_holds_up_only_that_folder() {
    let mut world = world_in_step(Traits::default(), true).await;
    let (work, play, inbox) = (path(&["Work"]), path(&["Play"]), FolderPath::inbox());
    world.source.deliver("ann", &inbox, item(50));
    world.sync_well().await;
    assert!(world.source.rename_folder("ann", &work, &play));
    world.source.expunge("ann", &inbox, &ItemId::from_u32(1));
    world.policy.following.deletion_settle_hours = 1;
    answering_for_work(&mut world, false, Error::new(Cause::Unavailable, Scope::Folder, "STATUS failed"));
    let end = world.sync_well().await;
    let (.., what) = end.outcomes[0].report.in_the_way.clone().expect("somebody is told");
    assert!(what.contains("\"Work\""), "{what}");
    assert_eq!(there(&world, &inbox).len(), 1, "nothing is removed as long as it may be there");
    world.policy.following.deletion_settle_hours = 0;
    let end = world.sync_well().await;
    assert!(end.outcomes[0].report.in_the_way.is_none());
    assert_eq!(there(&world, &inbox).len(), 0, "what the source removed elsewhere goes");
    assert_eq!((there(&world, &play).len(), there(&world, &work).len()), (5, 5), "what may be there stays");
    let (engine, _) = world.engine().await;
    let told = engine.store.exceptions(engine.key).await.unwrap();
    assert!(told.iter().any(|row| row.exception.path == work), "and it is listed");
}

#[tokio::test]
async fn a_folder_that_the_source_does_not_list_is_verified() {
    let mut world = world_in_step(Traits::default(), true).await;
    let work = path(&["Work"]);
    let hides = hiding(&mut world, &work);
    hides.store(true, Ordering::SeqCst);
    world.sync_well().await;
    world.target.set_flags("ann", &work, &ItemId::from_u32(1), &Flags::of(["\\Seen"]));
    let (engine, _) = world.engine().await;
    let row = engine.store.mailboxes(engine.key).await.unwrap().remove(0);
    let found = engine.verify(&row, None).await.unwrap();
    assert_eq!((found.items, found.own_flags), (5, 1));
}

#[tokio::test]
async fn a_folder_that_is_listed_and_lost_is_no_exact_copy() {
    let mut world = world_in_step(Traits::default(), true).await;
    answering_for_work(&mut world, true, Error::new(Cause::Missing, Scope::Folder, "no such mailbox"));
    world.policy.following.deletion_settle_hours = 1;
    world.sync_well().await;
    let (engine, _) = world.engine().await;
    let row = engine.store.mailboxes(engine.key).await.unwrap().remove(0);
    assert!(!engine.verify(&row, None).await.unwrap().is_exact(), "the source may have lost it");
    assert_eq!(there(&world, &path(&["Work"])).len(), 5);
}

#[tokio::test]
async fn a_twin_beside_a_copy_that_was_refused_and_stored_all_the_same_is_not_taken_for_it() {
    let mut world = world_in_step(Traits::default(), true).await;
    let work = path(&["Work"]);
    let (target, is_done) = (world.target.clone(), Arc::new(AtomicBool::new(false)));
    world.target_dial = MeddlingDial::new(Arc::new(world.target.clone()), move |at| {
        match at {
            At::Request(Request::Append(_)) if !is_done.load(Ordering::SeqCst) => {
                target.deliver("ann", &path(&["Work"]), item(7));
            }
            At::Answer(Request::Append(_), response) if !is_done.swap(true, Ordering::SeqCst) => {
                *response = Response::Failed(Error::new(Cause::Refused, Scope::Item, "no"));
            }
            _ => {}
        }
        Ok(())
    });
    world.source.deliver("ann", &work, item(7));
    world.sync_well().await;
    assert_eq!(there(&world, &work).len(), 7, "theirs and ours");
    world.source.expunge("ann", &work, &ItemId::from_u32(6));
    world.sync_well().await;
    assert_eq!(there(&world, &work).len(), 7, "whose is which can't be told, so both stay");
}

#[tokio::test]
async fn our_mark_does_not_stay_on_what_the_target_refused_to_remove() {
    let mut world = world_in_step(Traits::default(), true).await;
    world.policy.following.removals_free = 0;
    world.policy.following.removals_max = 0;
    let work = path(&["Work"]);
    world.source.expunge("ann", &work, &ItemId::from_u32(2));
    world.sync_well().await;
    assert_eq!(answer(&world, true).await, 1);
    let (usual, target) = (world.target_dial.clone(), world.target.clone());
    let copy = removals(&world).await[0].target_id.clone().unwrap();
    let marked = copy.clone();
    // It marks the message, and then may not remove it.
    world.target_dial = Arc::new(RefusingRemoval { target: target.clone(), marked });
    world.sync_well().await;
    assert_eq!(answer(&world, false).await, 1);
    world.target_dial = usual;
    world.sync_well().await;
    let flags = there(&world, &work)[&copy.as_u32().unwrap()].flags.clone();
    assert_eq!(flags, Flags::NONE, "the next client that expunges would take it along");
}

/// A target that marks what is to be removed, and then refuses.
struct RefusingRemoval {
    target: Platform,
    marked: ItemId,
}

#[async_trait::async_trait]
impl connector::memory::Dial for RefusingRemoval {
    async fn dial(&self) -> Result<Box<dyn connector::memory::Wire>, Error> {
        let wire = self.target.dial().await?;
        Ok(Box::new(RefusingWire { wire, target: self.target.clone(), marked: self.marked.clone(), refuses: false }))
    }
}

struct RefusingWire {
    wire: Box<dyn connector::memory::Wire>,
    target: Platform,
    marked: ItemId,
    refuses: bool,
}

#[async_trait::async_trait]
impl connector::memory::Wire for RefusingWire {
    async fn send(&mut self, request: Request) -> Result<(), Error> {
        self.refuses = matches!(request, Request::Remove(..));
        if self.refuses {
            self.target.set_flags("ann", &path(&["Work"]), &self.marked, &Flags::of(["\\Deleted"]));
            return Ok(());
        }
        self.wire.send(request).await
    }

    async fn receive(&mut self) -> Result<Response, Error> {
        if std::mem::take(&mut self.refuses) {
            return Ok(Response::Failed(Error::new(Cause::Permission, Scope::Folder, "it may not be removed")));
        }
        self.wire.receive().await
    }
}
