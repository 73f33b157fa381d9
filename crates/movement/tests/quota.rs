//! Mailboxes and their quotas: what does not fit does not start, what grows over stops, and what is cured goes on (R-075,
//!
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

use std::sync::Arc;

use conformance::meddling::{At, MeddlingDial};
use conformance::world::{World, contents, message};
use connector::Error;
use connector::memory::{MemoryItem, Request, Response, Traits};
use model::{Cause, Flags, FolderPath, ItemId, ItemKind, Phase, ReceivedAt};
use movement::RunEnd;

fn path(names: &[&str]) -> FolderPath {
    FolderPath::new(names.iter().copied())
}

/// A message of exactly so many bytes.
fn of_bytes(number: usize, size_bytes: usize) -> MemoryItem {
    let least = message(number, "").len();
    MemoryItem::message(message(number, &"x".repeat(size_bytes - least)), 1_000_000_000 + number as i64)
}

/// Ann, with ten messages of 1000 bytes in two folders.
fn world_with(target: Traits) -> World {
    let mut world = World::with(Traits::default(), target);
    world.person("ann");
    for number in 0..10 {
        let folder = if number % 2 == 0 { FolderPath::inbox() } else { path(&["Sent"]) };
        world.source.deliver("ann", &folder, of_bytes(number, 1000));
    }
    world
}

fn world() -> World {
    world_with(Traits::default())
}

fn is_refused(end: &RunEnd) -> bool {
    let outcome = &end.outcomes[0];
    let Some(failure) = &outcome.failure else { return false };
    assert_eq!((failure.error.cause, failure.side), (Cause::OverQuota, Some(model::Side::Target)), "{failure}");
    assert_eq!(outcome.state.condition.name(), "parked");
    true
}

fn what(end: &RunEnd) -> String {
    end.outcomes[0].failure.as_ref().unwrap().error.what.clone()
}

#[tokio::test]
async fn exactly_at_the_quota_does_not_start_and_one_byte_less_does() {
    for target in [Traits::default(), Traits::poor()] {
        for (quota, fits) in [(10_000, false), (9_999, false), (10_001, true)] {
            let mut world = world_with(target.clone());
            world.policy.quota_bytes = Some(quota);
            let end = world.sync().await;
            assert_eq!(is_refused(&end), !fits, "{quota}: {end:?}");
            if fits {
                world.assert_same("ann");
                continue;
            }
            assert_eq!(world.target.effects(), 0, "nothing was written");
            assert_eq!(end.outcomes[0].state.phase, Phase::Planned, "it did not start");
            let what = what(&end);
            for expected in ["ann → ann", "10,000 bytes on the target", "0 bytes lie there", "policy.quota_bytes"] {
                assert!(what.contains(expected), "{expected}: {what}");
            }
            assert!(what.contains(&format!("{} byte", 10_001 - quota)), "how much must go: {what}");
        }
    }
}

#[tokio::test]
async fn what_lies_on_the_target_counts_of_every_kind() {
    for (quota, fits) in [(11_500, false), (11_501, true)] {
        for target in [Traits::default(), Traits { tells_sizes: false, ..Traits::default() }] {
            let mut world = world_with(target);
            world.policy.quota_bytes = Some(quota);
            let calendar = path(&["Calendar"]);
            world.target.add_folder_of("ann", &calendar, ItemKind::Event, None, false);
            let event = |bytes: usize| MemoryItem {
                kind: ItemKind::Event,
                bytes: vec![b'e'; bytes],
                flags: Flags::NONE,
                received: ReceivedAt::utc(5),
            };
            world.target.deliver("ann", &calendar, event(500));
            // And an event that is to come.
            world.source.add_folder_of("ann", &path(&["Appointments"]), ItemKind::Event, None, false);
            world.source.deliver("ann", &path(&["Appointments"]), event(1000));
            assert_eq!(is_refused(&world.sync().await), !fits, "{quota}");
        }
    }
}

#[tokio::test]
async fn a_persons_own_quota_takes_the_place_of_the_policys() {
    for (own, fits) in [(10_000, false), (10_001, true), (1 << 40, true)] {
        let mut world = world();
        world.policy.quota_bytes = Some(100);
        world.quotas.insert("ann".to_owned(), own);
        let end = world.sync().await;
        assert_eq!(is_refused(&end), !fits);
        assert!(fits || what(&end).contains("people.csv"));
    }
    let mut world = world();
    world.policy.quota_bytes = Some(1 << 40);
    world.quotas.insert("ann".to_owned(), 10_000);
    assert!(is_refused(&world.sync().await), "also where it is the smaller one");
}

#[tokio::test]
async fn what_rules_leave_behind_does_not_count() {
    let mut world = world();
    world.policy.quota_bytes = Some(10_001);
    world.policy.item_bytes_max = Some(5_000);
    world.policy.received_from = Some(1_000_000_000);
    world.policy.marked_deleted = false;
    let inbox = FolderPath::inbox();
    world.source.deliver("ann", &inbox, of_bytes(20, 5_001));
    let mut old = of_bytes(21, 700);
    old.received = ReceivedAt::utc(999_999_999);
    world.source.deliver("ann", &inbox, old);
    let mut marked = of_bytes(22, 700);
    marked.flags = Flags::of(["\\Deleted"]);
    world.source.deliver("ann", &inbox, marked);
    let end = world.sync_well().await;
    assert_eq!((end.outcomes[0].report.copied, end.outcomes[0].report.left_behind), (10, 3));
}

#[tokio::test]
async fn a_copy_that_another_tool_made_counts_once() {
    for (quota, fits) in [(10_000, false), (10_001, true)] {
        let mut world = world();
        world.policy.quota_bytes = Some(quota);
        for number in [0, 2, 4] {
            world.target.deliver("ann", &FolderPath::inbox(), of_bytes(number, 1000));
        }
        let end = world.sync().await;
        assert_eq!(is_refused(&end), !fits, "{quota}");
        if fits {
            assert_eq!((end.outcomes[0].report.copied, end.outcomes[0].report.adopted), (7, 3));
        }
    }
}

#[tokio::test]
async fn a_mailbox_that_grows_over_stops_and_goes_on_once_it_is_cured() {
    type Cure = (&'static str, fn(&mut World));
    let cures: [Cure; 4] = [
        ("more quota", |world| world.policy.quota_bytes = Some(20_000)),
        ("own quota", |world| {
            world.quotas.insert("ann".to_owned(), 20_000);
        }),
        ("clean-up at the source", |world| {
            for id in [1, 2, 3] {
                world.source.expunge("ann", &path(&["Sent"]), &ItemId::from_u32(id));
            }
        }),
        ("clean-up of what was to come", |world| {
            world.source.expunge("ann", &FolderPath::inbox(), &ItemId::from_u32(6));
        }),
    ];
    for (name, cure) in cures {
        let mut world = world();
        world.policy.quota_bytes = Some(12_000);
        world.sync_well().await;
        world.source.deliver("ann", &FolderPath::inbox(), of_bytes(30, 2_000));
        world.source.deliver("ann", &FolderPath::inbox(), of_bytes(31, 500));
        let before = contents(&world.target, "ann");
        let effects = world.target.effects();
        for _ in 0..2 {
            let end = world.sync().await;
            assert!(is_refused(&end), "{name}");
            assert_eq!(end.outcomes[0].state.phase, Phase::Copying);
        }
        assert_eq!(
            (contents(&world.target, "ann"), world.target.effects()),
            (before, effects),
            "what was copied stays"
        );
        cure(&mut world);
        let end = world.sync_well().await;
        assert_eq!(end.outcomes[0].state.phase, Phase::InStep, "{name}: {end:?}");
        world.assert_same("ann");
    }
}

#[tokio::test]
async fn a_clean_up_on_the_target_cures_too() {
    let mut world = world();
    world.policy.quota_bytes = Some(12_000);
    let own = of_bytes(50, 5_000);
    let id = world.target.deliver("ann", &path(&["Own"]), own);
    assert!(is_refused(&world.sync().await));
    world.target.expunge("ann", &path(&["Own"]), &id);
    world.sync_well().await;
    assert_eq!(world.tally().await.copied, 10);
}

#[tokio::test]
async fn a_mailbox_in_step_is_left_in_step_whatever_the_quota_says() {
    let mut world = world();
    world.sync_well().await;
    world.policy.quota_bytes = Some(5_000);
    let end = world.sync_well().await;
    assert_eq!(end.outcomes[0].state.phase, Phase::InStep);
    // Flags and removals need no room.
    let inbox = FolderPath::inbox();
    world.source.set_flags("ann", &inbox, &ItemId::from_u32(1), &Flags::of(["\\Flagged"]));
    world.source.expunge("ann", &inbox, &ItemId::from_u32(2));
    world.sync_well().await;
    world.assert_same("ann");
}

#[tokio::test]
async fn what_moves_at_the_source_needs_no_room() {
    for renames in [false, true] {
        let mut world = world();
        world.policy.quota_bytes = Some(10_001);
        world.sync_well().await;
        if renames {
            assert!(world.source.rename_folder("ann", &path(&["Sent"]), &path(&["Sent Items"])));
        } else {
            for id in 1..=3 {
                world.source.relocate("ann", &path(&["Sent"]), &path(&["Archive"]), &ItemId::from_u32(id));
            }
        }
        let end = world.sync_well().await;
        assert_eq!(end.outcomes[0].report.copied, 0, "they are moved on the target: {end:?}");
    }
}

#[tokio::test]
async fn the_targets_own_quota_is_asked_and_may_be_filled() {
    for (quota, fits) in [(10_000, true), (9_999, false)] {
        let world = world_with(Traits { quota_bytes: Some(quota), ..Traits::default() });
        let end = world.sync().await;
        assert_eq!(is_refused(&end), !fits, "{quota}");
        if !fits {
            assert_eq!(world.target.effects(), 0);
            assert!(what(&end).contains("the target's own quota"), "{}", what(&end));
            world.target.set_quota(Some(10_000));
            world.sync_well().await;
        }
        world.assert_same("ann");
    }
}

/// Full in the middle, on a target that says nothing of it beforehand: nothing is lost or doubled, whoever makes room.
#[tokio::test]
async fn a_target_that_is_full_in_the_middle_goes_on_after_a_clean_up_at_the_source() {
    for traits in [Traits { tells_quota: false, ..Traits::default() }, Traits::poor()] {
        let traits = Traits { quota_bytes: Some(9_500), removes_exactly: true, ..traits };
        // What can't be moved is copied and removed.
        let copied = if traits.moves { 2 } else { 3 };
        let mut world = World::with(Traits::default(), traits);
        world.person("ann");
        for number in 0..9 {
            world.source.deliver("ann", &FolderPath::inbox(), of_bytes(number, 1000));
        }
        world.sync_well().await;
        world.source.deliver("ann", &FolderPath::inbox(), of_bytes(40, 1000));
        world.source.deliver("ann", &path(&["New"]), of_bytes(41, 1000));
        for _ in 0..2 {
            assert!(is_refused(&world.sync().await));
        }
        assert_eq!(world.tally().await.copied, 9);
        // Two go, one moves: only then is there room for what came.
        for id in [1, 2] {
            world.source.expunge("ann", &FolderPath::inbox(), &ItemId::from_u32(id));
        }
        world.source.relocate("ann", &FolderPath::inbox(), &path(&["Kept"]), &ItemId::from_u32(3));
        let end = world.sync_well().await;
        assert_eq!((end.outcomes[0].report.copied, end.outcomes[0].state.phase), (copied, Phase::InStep), "{end:?}");
        world.assert_same("ann");
        assert_eq!(world.tally().await.accounted(), 9);
    }
}

#[tokio::test]
async fn what_nobody_could_count_before_stops_below_the_quota() {
    let mut world = World::new();
    world.person("ann");
    world.policy.quota_bytes = Some(8_001);
    for number in 0..7 {
        world.source.deliver("ann", &FolderPath::inbox(), of_bytes(number, 1000));
    }
    world.sync_well().await;
    // Its person removes two on the target, which are copied again, and adds as much.
    for id in [1, 2] {
        world.target.expunge("ann", &FolderPath::inbox(), &ItemId::from_u32(id));
    }
    world.target.deliver("ann", &path(&["Own"]), of_bytes(60, 2_000));
    let end = world.sync().await;
    assert!(is_refused(&end), "{end:?}");
    let there: u64 = contents(&world.target, "ann").values().map(|items| items.len() as u64).sum();
    assert_eq!(there, 7, "one was copied again, the other did not fit below");
    assert!(what(&end).contains("has reached its quota"), "{}", what(&end));
    world.policy.quota_bytes = Some(9_001);
    world.sync_well().await;
    assert_eq!(contents(&world.target, "ann")[&FolderPath::inbox()].len(), 7);
}

#[tokio::test]
async fn a_dry_run_says_so_and_changes_nothing() {
    let mut world = world();
    world.policy.quota_bytes = Some(10_000);
    let (mut engine, mailboxes) = world.engine().await;
    engine.dry_run = true;
    let end = engine.run(&mailboxes).await;
    assert_eq!(end.outcomes[0].failure.as_ref().unwrap().error.cause, Cause::OverQuota);
    assert_eq!((world.target.effects(), world.tally().await.accounted()), (0, 0));
}

#[tokio::test]
async fn one_mailbox_over_quota_keeps_nobody_else() {
    let mut world = world();
    world.policy.quota_bytes = Some(10_000);
    world.person("bob");
    world.source.deliver("bob", &FolderPath::inbox(), of_bytes(1, 9_999));
    let end = world.sync().await;
    assert!(is_refused(&end) && end.failure.is_none());
    assert_eq!(end.outcomes[1].state.phase, Phase::InStep);
    world.assert_same("bob");
}

/// Says yes to every removal that waits; how many there were.
async fn approve(world: &World) -> u64 {
    let (engine, mailboxes) = world.engine().await;
    let held = engine.store.held_removals(engine.key, mailboxes[0]).await.unwrap();
    let held: Vec<(i64, ItemId)> = held.into_iter().map(|held| (held.folder, held.source_id)).collect();
    engine.store.answer_removals(engine.key, &held, true).await.unwrap()
}

/// Ann in step below 12,000 bytes, with 3,000 more to come: over.
async fn world_over(target: Traits, in_use: bool) -> World {
    let mut world = world_with(target);
    world.policy.quota_bytes = Some(12_000);
    if in_use {
        world.in_use("ann");
    }
    world.sync_well().await;
    world.source.deliver("ann", &FolderPath::inbox(), of_bytes(30, 3_000));
    assert!(is_refused(&world.sync().await));
    world
}

#[tokio::test]
async fn a_folder_deleted_at_the_source_makes_room_once_it_is_followed() {
    for in_use in [false, true] {
        for settles in [false, true] {
            let mut world = world_over(Traits::default(), in_use).await;
            world.source.remove_folder("ann", &path(&["Sent"]));
            if settles {
                world.policy.following.deletion_settle_hours = 24;
                for _ in 0..2 {
                    let end = world.sync().await;
                    assert!(is_refused(&end));
                    let expected = "5,000 bytes in folders that the source has no more go 24 hours after";
                    assert!(what(&end).contains(expected), "{}", what(&end));
                }
                assert_eq!(contents(&world.target, "ann")[&path(&["Sent"])].len(), 5);
                world.policy.following.deletion_settle_hours = 0;
            }
            let end = world.sync_well().await;
            assert_eq!((end.outcomes[0].report.copied, end.outcomes[0].report.removed), (1, 5), "{end:?}");
            assert_eq!(contents(&world.target, "ann")[&FolderPath::inbox()].len(), 6);
        }
    }
}

#[tokio::test]
async fn a_folder_deleted_at_the_source_makes_room_on_a_full_target_that_says_nothing() {
    let world = world_with(Traits {
        tells_quota: false,
        quota_bytes: Some(12_000),
        removes_exactly: true,
        ..Traits::default()
    });
    world.sync_well().await;
    world.source.deliver("ann", &FolderPath::inbox(), of_bytes(30, 3_000));
    assert!(is_refused(&world.sync().await));
    world.source.remove_folder("ann", &path(&["Sent"]));
    world.sync().await;
    world.sync_well().await;
    assert_eq!(contents(&world.target, "ann")[&FolderPath::inbox()].len(), 6);
}

#[tokio::test]
async fn much_removed_at_the_source_waits_for_a_word_and_then_makes_room() {
    for in_use in [false, true] {
        let mut world = world_over(Traits::default(), in_use).await;
        world.policy.following.removals_free = 2;
        for id in 1..=4 {
            world.source.expunge("ann", &path(&["Sent"]), &ItemId::from_u32(id));
        }
        for _ in 0..2 {
            let end = world.sync().await;
            assert!(is_refused(&end));
            assert!(what(&end).contains("4 removals of what the source has no more wait for a word"), "{}", what(&end));
        }
        assert_eq!(contents(&world.target, "ann")[&path(&["Sent"])].len(), 5, "nothing went unasked");
        assert_eq!(approve(&world).await, 4);
        let end = world.sync_well().await;
        assert_eq!((end.outcomes[0].report.copied, end.outcomes[0].report.removed), (1, 4), "{end:?}");
        world.assert_same("ann");
    }
}

#[tokio::test]
async fn what_its_person_removes_makes_room_on_a_target_in_use() {
    let world = world_over(Traits::default(), true).await;
    for id in 1..=3 {
        world.source.expunge("ann", &path(&["Sent"]), &ItemId::from_u32(id));
    }
    let end = world.sync_well().await;
    assert_eq!((end.outcomes[0].report.copied, end.outcomes[0].report.removed), (1, 3), "{end:?}");
    world.assert_same("ann");
}

#[tokio::test]
async fn tidying_up_is_no_mass() {
    let mut world = world_over(Traits::default(), false).await;
    world.policy.following.removals_free = 2;
    for id in 1..=4 {
        world.source.relocate("ann", &path(&["Sent"]), &path(&["Archive"]), &ItemId::from_u32(id));
    }
    for id in [1, 2] {
        world.source.expunge("ann", &FolderPath::inbox(), &ItemId::from_u32(id));
    }
    let end = world.sync_well().await;
    let report = &end.outcomes[0].report;
    assert_eq!((report.copied, report.removed, report.moved, report.held_removals), (1, 2, 4, 0), "{end:?}");
    world.assert_same("ann");
}

/// What waits for a word, or was changed on the target, does not go, so nothing is copied for it.
#[tokio::test]
async fn room_that_is_not_made_is_not_used() {
    for day in [false, true] {
        let mut world = world_over(Traits::default(), false).await;
        for id in 1..=3 {
            world.source.expunge("ann", &path(&["Sent"]), &ItemId::from_u32(id));
            if !day {
                world.target.set_flags("ann", &path(&["Sent"]), &ItemId::from_u32(id), &Flags::of(["\\Flagged"]));
            }
        }
        if day {
            world.policy.following.removals_a_day_max = 1;
        }
        let end = world.sync().await;
        assert!(is_refused(&end), "{end:?}");
        assert_eq!((end.outcomes[0].report.copied, end.outcomes[0].report.removed), (0, 0));
        assert!(what(&end).contains("3 removals"), "{}", what(&end));
        assert_eq!(approve(&world).await, 3);
        world.sync_well().await;
        world.assert_same("ann");
    }
}

/// Only a mailbox of which nothing can lie on the target may be given another one.
#[tokio::test]
async fn what_has_been_tried_is_not_planned_any_more() {
    let traits =
        Traits { tells_quota: false, quota_bytes: Some(500), refuses: vec![model::Loss::Nul], ..Traits::default() };
    let mut world = World::with(Traits::default(), traits);
    world.person("ann");
    world.source.deliver("ann", &FolderPath::inbox(), MemoryItem::message(message(1, "nul \0"), 1_000_000_001));
    world.source.deliver("ann", &FolderPath::inbox(), of_bytes(2, 1000));
    let end = world.sync().await;
    assert!(is_refused(&end));
    assert!(!end.outcomes[0].report.changed_anything(), "{end:?}");
    assert_eq!((world.tally().await.failed, end.outcomes[0].state.phase), (1, Phase::Copying));
}

/// What can't be opened on the target may hold anything.
#[tokio::test]
async fn a_target_folder_whose_sizes_cannot_be_had_keeps_the_mailbox() {
    let mut world = world_with(Traits { tells_sizes: false, ..Traits::default() });
    world.policy.quota_bytes = Some(12_000);
    let own = path(&["Own"]);
    world.target.deliver("ann", &own, of_bytes(50, 5_000));
    world.target_dial = MeddlingDial::new(Arc::new(world.target.clone()), move |at| {
        if let At::Answer(Request::Sizes(path, _), response) = at
            && *path == own
        {
            *response = Response::Failed(Error::new(Cause::Permission, model::Scope::Folder, "it is locked"));
        }
        Ok(())
    });
    let (engine, mailboxes) = world.engine().await;
    let row = engine.store.mailbox(engine.key, mailboxes[0]).await.unwrap().unwrap();
    assert!(engine.forecast(&row, false, false).await.unwrap().quota_unknown);
    let end = world.sync().await;
    let failure = end.outcomes[0].failure.as_ref().expect("it does not start");
    assert!(failure.error.what.contains("nobody can tell what lies in the folder \"Own\""), "{failure}");
    assert_eq!((world.target.effects(), end.outcomes[0].report.copied), (0, 0));
    world.policy.quota_bytes = None;
    world.sync_well().await;
}

#[tokio::test]
async fn sizes_that_nobody_can_add_up_are_over_every_quota() {
    for on_target in [false, true] {
        let mut world = world_with(Traits::default());
        world.policy.quota_bytes = Some(u64::MAX - 1);
        if on_target {
            world.target.deliver("ann", &path(&["Own"]), of_bytes(50, 500));
            world.target.deliver("ann", &path(&["Other"]), of_bytes(51, 500));
        }
        let meddler = |at: At<'_>| {
            match at {
                At::Answer(_, Response::Folders(folders)) => {
                    for folder in folders.iter_mut() {
                        folder.size_bytes = folder.size_bytes.map(|_| u64::MAX);
                    }
                }
                At::Answer(_, Response::Sizes(items)) => items.iter_mut().for_each(|item| item.size_bytes = u64::MAX),
                _ => {}
            }
            Ok(())
        };
        if on_target {
            world.target_dial = MeddlingDial::new(Arc::new(world.target.clone()), meddler);
        } else {
            world.source_dial = MeddlingDial::new(Arc::new(world.source.clone()), meddler);
        }
        let (engine, mailboxes) = world.engine().await;
        let row = engine.store.mailbox(engine.key, mailboxes[0]).await.unwrap().unwrap();
        let said = engine.forecast(&row, false, true).await.unwrap();
        assert_eq!(said.quota.map(|verdict| verdict.fits), Some(false));
        assert!(is_refused(&world.sync().await));
        assert_eq!(world.target.effects(), 0);
    }
}

/// Another tool has lost the dates: whether they are copies shows item by item, and what is adopted takes no room.
#[tokio::test]
async fn copies_that_another_tool_left_without_dates_may_be_what_is_to_come() {
    for are_copies in [true, false] {
        let mut world = world();
        world.policy.quota_bytes = Some(10_001);
        for number in [0, 2, 4] {
            let mut copy = of_bytes(if are_copies { number } else { number + 60 }, 1000);
            copy.received = ReceivedAt::utc(5);
            world.target.deliver("ann", &FolderPath::inbox(), copy);
        }
        let (engine, mailboxes) = world.engine().await;
        let row = engine.store.mailbox(engine.key, mailboxes[0]).await.unwrap().unwrap();
        let said = engine.forecast(&row, false, false).await.unwrap();
        assert!(said.quota.unwrap().fits, "as a run begins");
        let end = world.sync().await;
        assert_eq!(is_refused(&end), !are_copies, "{end:?}");
        let held: u64 = contents(&world.target, "ann").values().map(|items| items.len() as u64).sum();
        assert_eq!(held, 10, "never over");
    }
    let mut world = world();
    world.policy.quota_bytes = Some(10_001);
    world.target.deliver("ann", &FolderPath::inbox(), of_bytes(60, 1_100));
    let end = world.sync().await;
    assert!(is_refused(&end) && world.target.effects() == 0);
    assert!(what(&end).contains("1 item that nobody knows lie"), "{}", what(&end));
}
