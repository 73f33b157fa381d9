//! Folders that come back, and ids that mean other items by the time they are used.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

use std::collections::BTreeMap;

use conformance::world::{World, message};
use connector::memory::{MemoryItem, Traits};
use model::{Flags, FolderPath, ItemId};
use store::{Again, Claim, RemovalState};

fn path(names: &[&str]) -> FolderPath {
    FolderPath::new(names.iter().copied())
}

fn item(number: usize) -> MemoryItem {
    MemoryItem::message(message(number, &format!("body {number}")), 1_000_000_000 + number as i64)
}

/// Ann with ten messages in INBOX and ten in Work, in step.
async fn world_in_step(source: Traits, target: Traits, in_use: bool) -> World {
    let mut world = World::with(source, target);
    world.person("ann");
    if in_use {
        world.in_use("ann");
    }
    for n in 0..10 {
        world.source.deliver("ann", &FolderPath::inbox(), item(n));
        world.source.deliver("ann", &path(&["Work"]), item(100 + n));
    }
    world.sync_well().await;
    world.assert_same("ann");
    world
}

fn there(world: &World, folder: &FolderPath) -> BTreeMap<u32, MemoryItem> {
    world.target.dump("ann").remove(folder).unwrap_or_default()
}

/// The bodies in a folder of the target, sorted.
fn bodies(world: &World, folder: &FolderPath) -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = there(world, folder).into_values().map(|item| item.bytes).collect();
    bodies.sort();
    bodies
}

fn bodies_of(numbers: impl IntoIterator<Item = usize>) -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = numbers.into_iter().map(|number| item(number).bytes).collect();
    bodies.sort();
    bodies
}

fn id_of(world: &World, folder: &FolderPath, number: usize) -> ItemId {
    let wanted = item(number).bytes;
    let (id, _) = there(world, folder).into_iter().find(|(_, item)| item.bytes == wanted).unwrap();
    ItemId::from_u32(id)
}

async fn removals(world: &World) -> Vec<store::HeldRemoval> {
    let (engine, mailboxes) = world.engine().await;
    engine.store.held_removals(engine.key, mailboxes[0]).await.unwrap()
}

/// Says yes or no to every removal that waits.
async fn answer(world: &World, approved: bool) -> u64 {
    let (engine, mailboxes) = world.engine().await;
    let held = engine.store.held_removals(engine.key, mailboxes[0]).await.unwrap();
    let held: Vec<(i64, ItemId)> = held.into_iter().map(|held| (held.folder, held.source_id)).collect();
    engine.store.answer_removals(engine.key, &held, approved).await.unwrap()
}

#[tokio::test]
async fn a_folder_renamed_there_and_back_keeps_its_items() {
    for in_use in [false, true] {
        let mut world = world_in_step(Traits::default(), Traits::default(), in_use).await;
        world.policy.following.deletion_settle_hours = 24;
        let (work, play) = (path(&["Work"]), path(&["Play"]));
        assert!(world.source.rename_folder("ann", &work, &play));
        world.sync_well().await;
        assert_eq!(there(&world, &play).len(), 10);
        assert!(world.source.rename_folder("ann", &play, &work));
        world.sync_well().await;
        let tally = world.tally().await;
        assert_eq!((tally.source, tally.accounted()), (20, 20), "in use: {in_use}");
        assert_eq!(bodies(&world, &work), bodies_of(100..110), "in use: {in_use}");
        world.policy.following.deletion_settle_hours = 0;
        world.sync_well().await;
        assert_eq!(bodies(&world, &work), bodies_of(100..110), "in use: {in_use}");
        assert_eq!(there(&world, &play).len(), 0, "in use: {in_use}");
    }
}

#[tokio::test]
async fn a_folder_that_comes_back_after_its_removal_was_held_has_its_items_again() {
    let mut world = world_in_step(Traits::default(), Traits::default(), false).await;
    world.policy.following.removals_free = 0;
    world.policy.following.removals_max = 0;
    let work = path(&["Work"]);
    let backup = world.source.back_up("ann");
    world.source.remove_folder("ann", &work);
    world.sync_well().await;
    assert_eq!(removals(&world).await.len(), 10);
    world.source.restore("ann", &backup);
    world.sync_well().await;
    let tally = world.tally().await;
    assert_eq!((tally.source, tally.accounted()), (20, 20));
    assert_eq!(answer(&world, true).await, 0, "nothing waits any more");
    world.sync_well().await;
    world.assert_same("ann");
}

#[tokio::test]
async fn a_removal_from_a_folder_that_its_person_removed_takes_nothing_that_came_later() {
    let world = world_in_step(Traits::default(), Traits::default(), true).await;
    let work = path(&["Work"]);
    let first = id_of(&world, &work, 100);
    world.target.set_flags("ann", &work, &first, &Flags::of(["\\Flagged"]));
    world.source.expunge("ann", &work, &ItemId::from_u32(1));
    world.sync_well().await;
    assert_eq!(removals(&world).await.len(), 1);
    world.target.remove_folder("ann", &work);
    world.sync_well().await;
    world.source.deliver("ann", &work, item(800));
    world.sync_well().await;
    assert_eq!(bodies(&world, &work), bodies_of([800]));
    answer(&world, true).await;
    world.sync_well().await;
    assert_eq!(bodies(&world, &work), bodies_of([800]), "what is there is another item");
}

#[tokio::test]
async fn a_removal_from_a_folder_made_anew_on_a_target_nobody_uses_takes_nothing_else() {
    let mut world = world_in_step(Traits::default(), Traits::default(), false).await;
    let work = path(&["Work"]);
    world.policy.following.removals_a_day_max = 0;
    world.source.expunge("ann", &work, &ItemId::from_u32(1));
    world.sync_well().await;
    assert_eq!(removals(&world).await.len(), 1);
    world.target.remove_folder("ann", &work);
    world.sync_well().await;
    answer(&world, true).await;
    let end = world.sync_well().await;
    assert_eq!(end.outcomes[0].report.removed, 0, "what was to go is gone");
    world.assert_same("ann");
}

#[tokio::test]
async fn an_item_that_waits_does_not_become_what_came_into_a_folder_made_anew() {
    let mut world = World::new();
    world.person("ann");
    world.in_use("ann");
    let work = path(&["Work"]);
    world.target.deliver("ann", &work, MemoryItem::message(message(1, "another body"), 5));
    world.source.deliver("ann", &work, MemoryItem::message(message(1, "body"), 5));
    world.sync_well().await;
    assert_eq!(world.tally().await.held, 1);
    // Its person removes the folder and makes another of that name.
    world.target.remove_folder("ann", &work);
    world.target.deliver("ann", &work, item(900));
    let (engine, mailboxes) = world.engine().await;
    let items = engine.store.held_items(engine.key, mailboxes[0]).await.unwrap();
    let items: Vec<(i64, ItemId)> = items.into_iter().map(|held| (held.folder, held.source_id)).collect();
    engine.store.answer_items(engine.key, &items, false).await.unwrap();
    world.sync_well().await;
    let body = message(1, "body");
    assert!(bodies(&world, &work).contains(&body), "it was copied, as what it waited for is gone");
}

#[tokio::test]
async fn a_held_item_whose_folder_is_gone_stops_nothing() {
    let mut world = World::new();
    world.person("ann");
    world.in_use("ann");
    let work = path(&["Work"]);
    world.target.deliver("ann", &work, MemoryItem::message(message(1, "another body"), 5));
    world.source.deliver("ann", &work, MemoryItem::message(message(1, "body"), 5));
    world.sync_well().await;
    world.target.remove_folder("ann", &work);
    let (engine, mailboxes) = world.engine().await;
    let items = engine.store.held_items(engine.key, mailboxes[0]).await.unwrap();
    let items: Vec<(i64, ItemId)> = items.into_iter().map(|held| (held.folder, held.source_id)).collect();
    engine.store.answer_items(engine.key, &items, false).await.unwrap();
    world.sync_well().await;
    let tally = world.tally().await;
    assert_eq!((tally.source, tally.accounted()), (1, 1));
}

#[tokio::test]
async fn a_renamed_folder_whose_copy_was_numbered_anew_is_not_moved_by_old_ids() {
    for in_use in [false, true] {
        let world = world_in_step(Traits::default(), Traits::default(), in_use).await;
        let (work, play) = (path(&["Work"]), path(&["Play"]));
        world.target.expunge("ann", &work, &id_of(&world, &work, 100));
        world.target.renumber("ann", &work);
        assert!(world.source.rename_folder("ann", &work, &play));
        world.sync_well().await;
        assert_eq!(bodies(&world, &play), bodies_of(100..110), "in use: {in_use}");
        let tally = world.tally().await;
        assert_eq!((tally.source, tally.withdrawn), (20, 0), "in use: {in_use}");
    }
}

#[tokio::test]
async fn a_removal_left_by_a_renumbering_takes_nothing_from_a_restored_target() {
    let world = world_in_step(Traits::default(), Traits::default(), false).await;
    let inbox = FolderPath::inbox();
    let backup = world.target.back_up("ann");
    world.source.deliver("ann", &inbox, item(50));
    world.sync_well().await;
    world.source.expunge("ann", &inbox, &ItemId::from_u32(11));
    world.source.renumber("ann", &inbox);
    world.sync_well().await;
    assert_eq!(removals(&world).await.len(), 1);
    world.target.restore("ann", &backup);
    // Its person's own, under the id that the copy of 50 had.
    world.target.deliver("ann", &inbox, item(90));
    world.sync_well().await;
    answer(&world, true).await;
    world.sync_well().await;
    assert!(bodies(&world, &inbox).contains(&item(90).bytes), "its person's own");
}

#[tokio::test]
async fn an_item_that_is_to_stay_does_not_keep_our_mark() {
    let world = world_in_step(Traits::default(), Traits::poor(), true).await;
    let inbox = FolderPath::inbox();
    world.source.expunge("ann", &inbox, &ItemId::from_u32(1));
    world.sync_well().await;
    let held = removals(&world).await;
    assert_eq!((held.len(), held[0].state), (1, RemovalState::Held));
    answer(&world, false).await;
    world.sync_well().await;
    let copy = there(&world, &inbox)[&id_of(&world, &inbox, 0).as_u32().unwrap()].clone();
    assert_eq!(copy.flags, Flags::NONE, "the next client that expunges would take it along");
}

#[tokio::test]
async fn a_removal_broken_off_and_then_held_does_not_keep_our_mark() {
    let mut world = world_in_step(Traits::default(), Traits::default(), true).await;
    world.policy.following.removals_a_day_max = 0;
    let inbox = FolderPath::inbox();
    world.source.expunge("ann", &inbox, &ItemId::from_u32(1));
    world.sync_well().await;
    let held = removals(&world).await.pop().unwrap();
    // As a stop between the mark and the removal leaves it.
    let (engine, mailboxes) = world.engine().await;
    engine.store.mark_due(engine.key, &mailboxes).await.unwrap();
    let claim = Claim {
        among: Some(&mailboxes),
        holder: engine.holder.as_str(),
        terms: engine.terms,
        room: &[],
        shut: &[],
        only_turning: false,
        version: None,
    };
    let claimed = engine.store.claim(engine.key, &claim).await.unwrap();
    let (lease, row) = claimed.mailbox().unwrap();
    let mut tx = engine.store.write(&lease).await.unwrap();
    let ids = [held.source_id.clone()];
    tx.set_removals(held.folder, &ids, RemovalState::Doing, "removed-at-source").await.unwrap();
    tx.commit().await.unwrap();
    engine.store.release(&lease, &row.state, Again::default()).await.unwrap();
    let copy = id_of(&world, &inbox, 0);
    world.target.set_flags("ann", &inbox, &copy, &Flags::of(["\\Deleted"]));
    world.sync_well().await;
    let held = removals(&world).await;
    assert_eq!((held.len(), held[0].state), (1, RemovalState::Held));
    answer(&world, false).await;
    world.sync_well().await;
    assert_eq!(there(&world, &inbox)[&copy.as_u32().unwrap()].flags, Flags::NONE);
}

#[tokio::test]
async fn a_copy_into_another_folder_is_not_withdrawn_because_a_held_removal_is_gone() {
    let world = world_in_step(Traits::default(), Traits::default(), true).await;
    let (inbox, work) = (FolderPath::inbox(), path(&["Work"]));
    // Removed at the source with its folder made anew: waits for a word, under the old folder.
    world.source.expunge("ann", &inbox, &ItemId::from_u32(10));
    world.source.renumber("ann", &inbox);
    world.sync_well().await;
    assert_eq!(removals(&world).await.len(), 1);
    world.target.renumber("ann", &inbox);
    world.source.deliver("ann", &work, item(9));
    world.sync_well().await;
    assert!(bodies(&world, &work).contains(&item(9).bytes));
    let wanted = bodies_of(0..9);
    let left = bodies(&world, &inbox);
    assert!(wanted.iter().all(|body| left.contains(body)), "none of the others was moved in its place");
    let tally = world.tally().await;
    assert_eq!((tally.source, tally.withdrawn), (20, 0));
}
