//! Following the source: changes, moves, removals, and what the person does on the target meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

use std::collections::BTreeMap;

use conformance::world::{World, message};
use connector::memory::{MemoryItem, Traits};
use model::{Cause, Flags, FolderPath, ItemId, Phase, SpecialUse};
use store::RemovalState;

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

/// Requires that another run writes nothing.
async fn is_at_rest(world: &World) {
    let effects = world.target.effects();
    let end = world.sync_well().await;
    assert_eq!(world.target.effects(), effects, "{:?}", end.outcomes[0].report);
    let tally = world.tally().await;
    assert_eq!(tally.source, tally.accounted());
}

fn there(world: &World, folder: &FolderPath) -> BTreeMap<u32, MemoryItem> {
    world.target.dump("ann").remove(folder).unwrap_or_default()
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

fn deltas() -> [Traits; 3] {
    let plain = Traits { tells_changes: false, tells_gone: false, ..Traits::default() };
    [Traits::default(), Traits { tells_gone: false, ..Traits::default() }, plain]
}

#[tokio::test]
async fn an_item_that_moved_is_moved_with_what_its_person_did_to_it() {
    for source in deltas() {
        let world = world_in_step(source, Traits::default(), false).await;
        let (inbox, archive) = (FolderPath::inbox(), path(&["Archive"]));
        let copy = id_of(&world, &inbox, 3);
        world.target.set_flags("ann", &inbox, &copy, &Flags::of(["Mine"]));
        let moved = world.source.relocate("ann", &inbox, &archive, &ItemId::from_u32(4)).unwrap();
        world.source.set_flags("ann", &archive, &moved, &Flags::of(["\\Seen"]));
        let end = world.sync_well().await;
        let report = &end.outcomes[0].report;
        assert_eq!((report.moved, report.copied, report.removed), (1, 0, 0), "{report:?}");
        let copies: Vec<MemoryItem> = there(&world, &archive).into_values().collect();
        assert_eq!(copies, [MemoryItem { flags: Flags::of(["\\Seen", "Mine"]), ..item(3) }]);
        assert_eq!(there(&world, &inbox).len(), 9);
        is_at_rest(&world).await;
    }
}

#[tokio::test]
async fn items_move_both_ways_at_once_and_none_is_doubled() {
    for (moves, expected) in [(true, (6, 0)), (false, (0, 6))] {
        let target = Traits { moves, ..Traits::default() };
        let world = world_in_step(Traits::default(), target, false).await;
        let (inbox, work) = (FolderPath::inbox(), path(&["Work"]));
        for n in 1..4 {
            world.source.relocate("ann", &inbox, &work, &ItemId::from_u32(n));
            world.source.relocate("ann", &work, &inbox, &ItemId::from_u32(n));
        }
        let end = world.sync_well().await;
        assert_eq!((end.outcomes[0].report.moved, end.outcomes[0].report.copied), expected);
        world.assert_same("ann");
        is_at_rest(&world).await;
    }
}

#[tokio::test]
async fn what_is_removed_at_the_source_goes_unless_its_person_changed_it() {
    for source in deltas() {
        let world = world_in_step(source, Traits::default(), true).await;
        let inbox = FolderPath::inbox();
        let copy = id_of(&world, &inbox, 1);
        world.target.set_flags("ann", &inbox, &copy, &Flags::of(["\\Flagged"]));
        for n in [1, 2, 3] {
            world.source.expunge("ann", &inbox, &ItemId::from_u32(n));
        }
        let end = world.sync_well().await;
        let report = &end.outcomes[0].report;
        assert_eq!((report.removed, report.held_removals), (2, 1), "{report:?}");
        assert_eq!(end.outcomes[0].state.phase, Phase::InStep, "held removals don't block");
        let held = removals(&world).await;
        assert_eq!((held.len(), held[0].rule.as_str(), held[0].state), (1, "changed-on-target", RemovalState::Held));
        assert_eq!(there(&world, &inbox).len(), 8);
        is_at_rest(&world).await;
    }
}

#[tokio::test]
async fn a_flag_change_of_our_own_is_not_taken_for_the_persons() {
    let world = world_in_step(Traits::default(), Traits::default(), true).await;
    let inbox = FolderPath::inbox();
    let id = ItemId::from_u32(1);
    world.source.set_flags("ann", &inbox, &id, &Flags::of(["\\Seen", "Work"]));
    world.sync_well().await;
    world.source.set_flags("ann", &inbox, &id, &Flags::of(["Work"]));
    world.sync_well().await;
    world.source.expunge("ann", &inbox, &id);
    let end = world.sync_well().await;
    assert_eq!((end.outcomes[0].report.removed, end.outcomes[0].report.held_removals), (1, 0));
    world.assert_same("ann");
}

#[tokio::test]
async fn without_a_way_to_remove_one_item_it_stays_marked_and_is_listed() {
    let world = world_in_step(Traits::default(), Traits::poor(), false).await;
    let inbox = FolderPath::inbox();
    world.source.expunge("ann", &inbox, &ItemId::from_u32(1));
    world.sync_well().await;
    let held = removals(&world).await;
    assert_eq!((held.len(), held[0].rule.as_str()), (1, "cannot-remove-singly"));
    let marked: Vec<_> = there(&world, &inbox).into_values().filter(|item| !item.flags.is_empty()).collect();
    assert_eq!(marked, [MemoryItem { flags: Flags::of(["\\Deleted"]), ..item(0) }]);
    is_at_rest(&world).await;
}

#[tokio::test]
async fn a_renamed_folder_is_renamed_with_what_is_below_it() {
    for (traits, moves) in [(Traits::default(), true), (Traits { moves: false, ..Traits::default() }, false)] {
        let world = world_in_step(Traits::default(), traits, false).await;
        world.source.deliver("ann", &path(&["Work", "Deep", "er"]), item(300));
        world.sync_well().await;
        for (from, to) in [("Work", "Play"), ("Play", "play")] {
            assert!(world.source.rename_folder("ann", &path(&[from]), &path(&[to])));
            let end = world.sync_well().await;
            let report = &end.outcomes[0].report;
            let expected = if moves { (11, 0, 0) } else { (0, 11, 11) };
            assert_eq!((report.moved, report.copied, report.removed), expected, "{report:?}");
            world.assert_same("ann");
            is_at_rest(&world).await;
        }
    }
}

#[tokio::test]
async fn a_vanished_folder_is_followed_when_it_stays_away() {
    let mut world = world_in_step(Traits::default(), Traits::default(), false).await;
    world.policy.following.deletion_settle_hours = 24;
    let work = path(&["Work"]);
    let backup = world.source.back_up("ann");
    world.source.remove_folder("ann", &work);
    let end = world.sync_well().await;
    assert_eq!(there(&world, &work).len(), 10, "it may come back");
    assert_eq!(end.outcomes[0].state.phase, Phase::InStep);
    world.source.restore("ann", &backup);
    let end = world.sync_well().await;
    assert_eq!(end.outcomes[0].report.copied, 0, "and did");
    world.assert_same("ann");
    world.source.remove_folder("ann", &work);
    world.sync_well().await;
    world.policy.following.deletion_settle_hours = 0;
    let end = world.sync_well().await;
    assert_eq!((end.outcomes[0].report.removed, end.outcomes[0].report.folders_removed), (10, 1));
    world.assert_same("ann");
    is_at_rest(&world).await;
}

#[tokio::test]
async fn a_folder_with_something_of_its_person_stays() {
    let world = world_in_step(Traits::default(), Traits::default(), false).await;
    let work = path(&["Work"]);
    world.target.deliver("ann", &work, item(500));
    world.source.remove_folder("ann", &work);
    world.sync_well().await;
    assert_eq!(there(&world, &work).into_values().collect::<Vec<_>>(), [item(500)]);
    is_at_rest(&world).await;
}

#[tokio::test]
async fn a_folder_made_anew_under_its_old_name_is_another_one() {
    for source in deltas() {
        let world = world_in_step(source, Traits::default(), false).await;
        let work = path(&["Work"]);
        world.source.remove_folder("ann", &work);
        world.source.deliver("ann", &work, item(100));
        world.source.deliver("ann", &work, item(200));
        let end = world.sync_well().await;
        assert_eq!(end.outcomes[0].report.copied, 1, "what is in both is copied once");
        let held = removals(&world).await;
        assert_eq!((held.len(), held[0].rule.as_str()), (9, "renumbered-at-source"));
        assert_eq!(there(&world, &work).len(), 11);
        is_at_rest(&world).await;
    }
}

#[tokio::test]
async fn flags_follow_over_a_renumbering() {
    let world = world_in_step(Traits::default(), Traits::default(), true).await;
    let inbox = FolderPath::inbox();
    world.source.set_flags("ann", &inbox, &ItemId::from_u32(2), &Flags::of(["\\Seen"]));
    world.sync_well().await;
    world.target.set_flags("ann", &inbox, &id_of(&world, &inbox, 1), &Flags::of(["\\Seen", "Mine"]));
    world.source.renumber("ann", &inbox);
    world.source.set_flags("ann", &inbox, &ItemId::from_u32(2), &Flags::of(["\\Answered"]));
    let end = world.sync_well().await;
    assert_eq!((end.outcomes[0].report.copied, end.outcomes[0].report.held_removals), (0, 0));
    let copy = there(&world, &inbox)[&id_of(&world, &inbox, 1).as_u32().unwrap()].clone();
    assert_eq!(copy.flags, Flags::of(["\\Answered", "Mine"]));
    is_at_rest(&world).await;
}

#[tokio::test]
async fn a_restored_backup_loses_no_message_that_got_an_old_number() {
    for source in deltas() {
        let world = world_in_step(source, Traits::default(), false).await;
        let inbox = FolderPath::inbox();
        let backup = world.source.back_up("ann");
        world.source.deliver("ann", &inbox, item(50));
        world.source.deliver("ann", &inbox, item(51));
        world.sync_well().await;
        world.source.restore("ann", &backup);
        world.source.deliver("ann", &inbox, item(60));
        world.sync_well().await;
        let copies: Vec<_> = there(&world, &inbox).into_values().collect();
        assert!(copies.contains(&item(60)), "it has the number that item 50 had");
        assert_eq!(copies.len(), 13, "nothing is removed without a word after a restored backup");
        assert_eq!(removals(&world).await.len(), 2);
        is_at_rest(&world).await;
    }
}

#[tokio::test]
async fn a_target_restored_from_a_backup_gives_no_id_of_ours_to_another() {
    let world = world_in_step(Traits::default(), Traits::default(), false).await;
    let inbox = FolderPath::inbox();
    let backup = world.target.back_up("ann");
    world.source.deliver("ann", &inbox, item(50));
    world.source.deliver("ann", &inbox, item(51));
    world.sync_well().await;
    world.target.restore("ann", &backup);
    // Its person's own, under the id that the copy of 50 had.
    world.target.deliver("ann", &inbox, item(90));
    let end = world.sync_well().await;
    assert_eq!(end.outcomes[0].report.copied, 2);
    is_at_rest(&world).await;
    world.source.expunge("ann", &inbox, &ItemId::from_u32(11));
    world.source.expunge("ann", &inbox, &ItemId::from_u32(12));
    world.sync_well().await;
    let copies: Vec<_> = there(&world, &inbox).into_values().collect();
    assert_eq!(copies.len(), 11);
    assert!(copies.contains(&item(90)));
}

#[tokio::test]
async fn what_its_person_removes_on_a_target_in_use_is_withdrawn() {
    let world = world_in_step(Traits::default(), Traits::default(), true).await;
    let (inbox, work, mine) = (FolderPath::inbox(), path(&["Work"]), path(&["Mine"]));
    world.target.expunge("ann", &inbox, &id_of(&world, &inbox, 0));
    world.target.relocate("ann", &inbox, &mine, &id_of(&world, &inbox, 1));
    world.target.remove_folder("ann", &work);
    world.target.deliver("ann", &inbox, item(700));
    let end = world.sync_well().await;
    assert_eq!(end.outcomes[0].report.withdrawn, 12);
    assert!(!world.target.dump("ann").contains_key(&work), "its person removed it");
    let tally = world.tally().await;
    assert_eq!((tally.source, tally.copied, tally.withdrawn), (20, 8, 12));
    is_at_rest(&world).await;
    world.source.deliver("ann", &work, item(800));
    world.sync_well().await;
    assert_eq!(there(&world, &work).into_values().collect::<Vec<_>>(), [item(800)]);
    world.source.expunge("ann", &inbox, &ItemId::from_u32(1));
    world.source.set_flags("ann", &inbox, &ItemId::from_u32(2), &Flags::of(["\\Seen"]));
    world.sync_well().await;
    assert_eq!(there(&world, &mine).into_values().collect::<Vec<_>>(), [item(1)]);
    is_at_rest(&world).await;
}

#[tokio::test]
async fn what_vanishes_from_a_target_that_nobody_uses_is_copied_again() {
    for target in [Traits::default(), Traits::poor()] {
        let world = world_in_step(Traits::default(), target, false).await;
        let inbox = FolderPath::inbox();
        for n in [0, 4, 9] {
            world.target.expunge("ann", &inbox, &id_of(&world, &inbox, n));
        }
        let end = world.sync_well().await;
        assert_eq!(end.outcomes[0].report.copied, 3);
        world.assert_same("ann");
        is_at_rest(&world).await;
    }
}

#[tokio::test]
async fn mass_disappearance_on_the_target_parks_until_somebody_says_what_it_means() {
    for in_use in [false, true] {
        let mut world = world_in_step(Traits::default(), Traits::default(), in_use).await;
        world.policy.following.removals_free = 3;
        let inbox = FolderPath::inbox();
        for n in 0..6 {
            world.target.expunge("ann", &inbox, &id_of(&world, &inbox, n));
        }
        world.source.deliver("ann", &inbox, item(50));
        let effects = world.target.effects();
        let end = world.sync().await;
        let failure = end.outcomes[0].failure.as_ref().unwrap();
        assert_eq!(failure.error.cause, Cause::MassDisappearance);
        assert!(failure.error.what.contains("6 items of the 20 items"), "{failure}");
        assert_eq!(end.outcomes[0].state.condition.name(), "parked");
        assert_eq!(world.target.effects(), effects, "nothing was written");
    }
}

/// A mailbox that was made anew at the target is empty, however little was in it: its person has put nothing away.
#[tokio::test]
async fn a_mailbox_that_was_made_anew_at_the_target_parks_its_person_however_little_there_was() {
    for in_use in [false, true] {
        let world = world_in_step(Traits::default(), Traits::default(), in_use).await;
        let inbox = FolderPath::inbox();
        for n in 0..10 {
            world.target.expunge("ann", &inbox, &id_of(&world, &inbox, n));
        }
        world.target.renumber("ann", &inbox);
        let end = world.sync().await;
        let failure = end.outcomes[0].failure.as_ref();
        if in_use {
            assert_eq!(failure.unwrap().error.cause, Cause::MassDisappearance);
        } else {
            assert!(failure.is_none(), "{failure:?}");
            world.assert_same("ann");
        }
    }
}

#[tokio::test]
async fn mass_disappearance_at_the_source_holds_the_removals() {
    let mut world = world_in_step(Traits::default(), Traits::default(), false).await;
    world.policy.following.removals_free = 3;
    let inbox = FolderPath::inbox();
    for n in 1..=6 {
        world.source.expunge("ann", &inbox, &ItemId::from_u32(n));
    }
    let end = world.sync_well().await;
    assert_eq!((end.outcomes[0].report.removed, end.outcomes[0].report.held_removals), (0, 6));
    assert_eq!(end.outcomes[0].state.phase, Phase::InStep);
    let held = removals(&world).await;
    assert!(held.iter().all(|held| held.rule == "mass-disappearance" && held.state == RemovalState::Held));
    is_at_rest(&world).await;
    // A folder that is emptied by moving its items is no disappearance.
    for n in 7..=10 {
        world.source.relocate("ann", &inbox, &path(&["Elsewhere"]), &ItemId::from_u32(n));
    }
    let end = world.sync_well().await;
    assert_eq!((end.outcomes[0].report.moved, end.outcomes[0].report.held_removals), (4, 0));
}

#[tokio::test]
async fn more_removals_than_a_day_may_have_wait() {
    let mut world = world_in_step(Traits::default(), Traits::default(), false).await;
    world.policy.following.removals_a_day_max = 3;
    let inbox = FolderPath::inbox();
    for n in 1..=5 {
        world.source.expunge("ann", &inbox, &ItemId::from_u32(n));
        world.sync_well().await;
    }
    assert_eq!(there(&world, &inbox).len(), 7);
    let held = removals(&world).await;
    assert_eq!((held.len(), held[0].rule.as_str()), (2, "daily-maximum"));
}

#[tokio::test]
async fn an_item_that_waits_is_copied_once_what_it_waits_for_is_gone() {
    let mut world = World::new();
    world.person("ann");
    let inbox = FolderPath::inbox();
    let own = MemoryItem::message(message(1, "another body"), 5);
    let own_id = world.target.deliver("ann", &inbox, own);
    world.source.deliver("ann", &inbox, MemoryItem::message(message(1, "body"), 5));
    world.sync_well().await;
    assert_eq!(world.tally().await.held, 1);
    is_at_rest(&world).await;
    // Nobody is switched before somebody has said what it is.
    let (store, key, mailbox, _, items) = waiting(&world).await;
    let why = movement::waits_for_a_word(&store, key, mailbox).await.unwrap();
    assert!(why.is_some_and(|why| why.contains("1 item not copied")));
    store.answer_items(key, &items, false).await.unwrap();
    assert_eq!(movement::waits_for_a_word(&store, key, mailbox).await.unwrap(), None);
    world.target.expunge("ann", &inbox, &own_id);
    world.sync_well().await;
    world.assert_same("ann");
    let tally = world.tally().await;
    assert_eq!((tally.held, tally.copied), (0, 1));
    is_at_rest(&world).await;
}

/// Ids of removals and of items that wait, by folder.
async fn waiting(world: &World) -> (store::Store, store::ProjectKey, i64, Vec<(i64, ItemId)>, Vec<(i64, ItemId)>) {
    let (engine, mailboxes) = world.engine().await;
    let removals = engine.store.held_removals(engine.key, mailboxes[0]).await.unwrap();
    let items = engine.store.held_items(engine.key, mailboxes[0]).await.unwrap();
    let removals = removals.into_iter().map(|held| (held.folder, held.source_id)).collect();
    let items = items.into_iter().map(|held| (held.folder, held.source_id)).collect();
    (engine.store, engine.key, mailboxes[0], removals, items)
}

#[tokio::test]
async fn removals_that_wait_are_made_or_not_as_somebody_says() {
    let mut world = world_in_step(Traits::default(), Traits::default(), false).await;
    world.policy.following.removals_free = 0;
    world.policy.following.removals_max = 0;
    let inbox = FolderPath::inbox();
    for n in 1..=4 {
        world.source.expunge("ann", &inbox, &ItemId::from_u32(n));
    }
    world.sync_well().await;
    let (store, key, _, removals, _) = waiting(&world).await;
    assert_eq!(store.answer_removals(key, &removals[..2], true).await.unwrap(), 2);
    assert_eq!(store.answer_removals(key, &removals[2..], false).await.unwrap(), 2);
    // One of those that may go is changed by its person before.
    world.target.set_flags("ann", &inbox, &id_of(&world, &inbox, 0), &Flags::of(["Mine"]));
    let end = world.sync_well().await;
    assert_eq!(end.outcomes[0].report.removed, 2, "somebody has said so");
    assert_eq!(there(&world, &inbox).len(), 8);
    is_at_rest(&world).await;
    let left = waiting(&world).await.3;
    assert_eq!(left, removals[2..], "known to stay");
}

#[tokio::test]
async fn items_that_wait_are_copied_or_adopted_as_somebody_says() {
    for is_another in [true, false] {
        let mut world = World::new();
        world.person("ann");
        let inbox = FolderPath::inbox();
        world.target.deliver("ann", &inbox, MemoryItem::message(message(1, "another body"), 5));
        let seen = MemoryItem { flags: Flags::of(["\\Seen"]), ..MemoryItem::message(message(1, "body"), 5) };
        world.source.deliver("ann", &inbox, seen);
        world.sync_well().await;
        let (store, key, _, _, items) = waiting(&world).await;
        store.answer_items(key, &items, is_another).await.unwrap();
        world.sync_well().await;
        let tally = world.tally().await;
        assert_eq!((tally.copied, tally.adopted, tally.held), if is_another { (1, 0, 0) } else { (0, 1, 0) });
        assert_eq!(there(&world, &inbox).len(), if is_another { 2 } else { 1 });
        assert!(waiting(&world).await.4.is_empty());
        is_at_rest(&world).await;
    }
}

#[tokio::test]
async fn a_mass_disappearance_is_followed_once_somebody_says_so() {
    for in_use in [false, true] {
        let mut world = world_in_step(Traits::default(), Traits::default(), in_use).await;
        world.policy.following.removals_free = 3;
        for n in 0..6 {
            world.target.expunge("ann", &FolderPath::inbox(), &id_of(&world, &FolderPath::inbox(), n));
        }
        assert!(world.sync().await.outcomes[0].failure.is_some());
        let (store, key, mailbox, _, _) = waiting(&world).await;
        store.follow_vanished(key, mailbox).await.unwrap();
        let end = world.sync_well().await;
        assert_eq!(end.outcomes[0].state.phase, Phase::InStep);
        let tally = world.tally().await;
        assert_eq!((tally.copied, tally.withdrawn), if in_use { (14, 6) } else { (20, 0) });
        assert!(!store.follows_vanished(key, mailbox).await.unwrap(), "the word was for once");
        is_at_rest(&world).await;
    }
}

#[tokio::test]
async fn a_loss_that_somebody_accepts_does_not_block_and_may_be_tried_again() {
    let mut world = World::with(Traits::default(), Traits { refuses: vec![model::Loss::Nul], ..Traits::default() });
    world.person("ann");
    world.source.deliver("ann", &FolderPath::inbox(), MemoryItem::message(message(1, "nul \0"), 5));
    assert_eq!(world.sync_well().await.outcomes[0].state.phase, Phase::Copying);
    let (engine, _) = world.engine().await;
    let items =
        |failures: Vec<store::FailureRow>| failures.into_iter().map(|f| (f.folder, f.source_id)).collect::<Vec<_>>();
    let failed = items(engine.store.failures(engine.key, None).await.unwrap());
    engine.store.accept_failures(engine.key, &failed, "Kim", "an empty test message").await.unwrap();
    assert_eq!(world.sync_well().await.outcomes[0].state.phase, Phase::InStep);
    assert_eq!(engine.store.retry_failures(engine.key, &failed).await.unwrap(), 1);
    let end = world.sync_well().await;
    assert_eq!((end.outcomes[0].report.failed, end.outcomes[0].state.phase), (1, Phase::Copying), "it was tried");
    let failures = engine.store.failures(engine.key, None).await.unwrap();
    assert_eq!((failures[0].tries, &failures[0].accepted_by), (2, &None));
    assert_eq!(world.sync_well().await.outcomes[0].report.failed, 0, "once");
}

#[tokio::test]
async fn subscriptions_follow_and_the_persons_own_stay() {
    let world = world_in_step(Traits::default(), Traits::default(), false).await;
    let (work, trash) = (path(&["Work"]), path(&["Trash"]));
    world.source.add_folder_of("ann", &trash, model::ItemKind::Message, Some(SpecialUse::Trash), true);
    world.source.set_subscribed("ann", &work, true);
    world.sync_well().await;
    let followed = |world: &World| world.target.subscribed("ann");
    assert_eq!(followed(&world), [trash.clone(), work.clone()]);
    // Its person leaves one and follows another on the target.
    world.target.set_subscribed("ann", &trash, false);
    world.target.set_subscribed("ann", &FolderPath::inbox(), true);
    world.sync_well().await;
    assert_eq!(followed(&world), [FolderPath::inbox(), work.clone()]);
    world.source.set_subscribed("ann", &work, false);
    world.sync_well().await;
    assert_eq!(followed(&world), [FolderPath::inbox()]);
    is_at_rest(&world).await;
}

#[tokio::test]
async fn a_dry_run_says_what_is_gone_and_changes_nothing() {
    let world = world_in_step(Traits::default(), Traits::default(), false).await;
    let inbox = FolderPath::inbox();
    world.source.expunge("ann", &inbox, &ItemId::from_u32(1));
    world.source.relocate("ann", &inbox, &path(&["New"]), &ItemId::from_u32(2));
    let (mut dry, mailboxes) = world.engine().await;
    dry.dry_run = true;
    let (effects, removals_before) = (world.target.effects(), removals(&world).await);
    let end = dry.run(&mailboxes).await;
    let planned = &end.outcomes[0].report.would;
    let of = |folder: &str| planned.iter().find(|one| one.folder == folder).unwrap().clone();
    assert_eq!((of("INBOX").gone, of("New").copy), (2, 1));
    assert_eq!((world.target.effects(), removals(&world).await), (effects, removals_before));
    world.sync_well().await;
    world.assert_same("ann");
}
