//! The first copy, and what keeps it exact, on the in-memory platform.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

use conformance::world::{World, contents, message, similar};
use connector::memory::{MemoryItem, Traits};
use model::{Cause, Fate, Flags, FolderPath, ItemKind, Loss, Phase, SpecialUse, SystemFlag};

fn path(names: &[&str]) -> FolderPath {
    FolderPath::new(names.iter().copied())
}

/// Ann: nested, non-ASCII, empty and odd-named folders, flags, keywords, old dates, duplicates.
fn fill(world: &World, name: &str) {
    let platform = &world.source;
    for (n, folder) in
        [&["INBOX"][..], &["Sent"], &["Größe", "näher & \"so\"", "a/b"], &["Archive", "2001"]].iter().enumerate()
    {
        for i in 0..23 {
            let mut item =
                MemoryItem::message(message(n * 100 + i, &"x".repeat(i * 50)), 1_000_000_000 + i as i64 * 86_400);
            if i % 2 == 0 {
                item.flags = item.flags.with(SystemFlag::Seen);
            }
            if i % 5 == 0 {
                item.flags = item.flags.union(&Flags::of(["$Forwarded", "Work"]));
            }
            platform.deliver(name, &path(folder), item);
        }
    }
    platform.add_folder_of(name, &path(&["Empty"]), ItemKind::Message, Some(SpecialUse::Trash), true);
    let same = MemoryItem::message(message(7, "the same"), 1_000_000_000);
    for _ in 0..3 {
        platform.deliver(name, &path(&["Twins"]), same.clone());
    }
    let other = MemoryItem::message(message(7, "another with the same Message-ID"), 1_000_000_000);
    platform.deliver(name, &path(&["Twins"]), other);
    platform.deliver(name, &path(&["INBOX"]), same);
    platform.deliver(name, &path(&["Twins"]), MemoryItem::message("", 0));
}

async fn tally(world: &World) -> model::Tally {
    let (engine, mailboxes) = world.engine().await;
    let mut all = model::Tally::default();
    for mailbox in mailboxes {
        let tallies = engine.store.tallies(engine.key, mailbox).await.unwrap();
        tallies.into_iter().filter(|(folder, _)| !folder.is_gone()).for_each(|(_, tally)| all += tally);
    }
    all
}

#[tokio::test]
async fn every_mailbox_is_copied_exactly_and_a_second_run_writes_nothing() {
    for traits in [Traits::default(), Traits::poor()] {
        let mut world = World::with(traits.clone(), traits);
        for name in ["ann", "bob"] {
            world.person(name);
            fill(&world, name);
        }
        let before = (contents(&world.source, "ann"), world.source.effects());
        let end = world.sync_well().await;
        assert!(end.outcomes.iter().all(|outcome| outcome.state.phase == Phase::InStep), "{end:?}");
        world.assert_same("ann");
        world.assert_same("bob");
        assert_eq!((contents(&world.source, "ann"), world.source.effects()), before, "the source is as it was");
        let tally = tally(&world).await;
        assert_eq!((tally.source, tally.copied, tally.accounted()), (196, 196, 196));
        let effects = world.target.effects();
        let again = world.sync_well().await;
        assert_eq!(world.target.effects(), effects, "a second run writes nothing");
        assert_eq!(again.outcomes[0].report.copied, 0);
    }
}

#[tokio::test]
async fn what_comes_later_is_added_and_flags_follow() {
    for traits in [Traits::default(), Traits { tells_gone: false, ..Traits::default() }, Traits::poor()] {
        let mut world = World::with(traits.clone(), traits);
        world.person("ann");
        fill(&world, "ann");
        world.sync_well().await;
        let inbox = FolderPath::inbox();
        let ids: Vec<_> = world.source.dump("ann")[&inbox].keys().map(|id| model::ItemId::from_u32(*id)).collect();
        world.source.set_flags("ann", &inbox, &ids[0], &Flags::of(["\\Flagged", "New"]));
        world.source.set_flags("ann", &inbox, &ids[2], &Flags::NONE);
        world.source.deliver("ann", &inbox, MemoryItem::message(message(900, "new"), 1_700_000_000));
        world.source.deliver("ann", &path(&["New folder"]), MemoryItem::message(message(901, "new"), 1_700_000_000));
        let end = world.sync_well().await;
        assert_eq!(
            (end.outcomes[0].report.copied, end.outcomes[0].report.flags_changed),
            (2, 2),
            "{:?}",
            world.source.traits()
        );
        world.assert_same("ann");
    }
}

#[tokio::test]
async fn flags_that_the_person_changed_on_the_target_stay() {
    let mut world = World::new();
    world.person("ann");
    let inbox = FolderPath::inbox();
    let id = world.source.deliver("ann", &inbox, MemoryItem::message(message(1, "x"), 5));
    world.sync_well().await;
    world.target.set_flags("ann", &inbox, &id, &Flags::of(["\\Seen", "Mine"]));
    world.source.set_flags("ann", &inbox, &id, &Flags::of(["\\Flagged"]));
    world.sync_well().await;
    let flags = world.target.dump("ann")[&inbox][&id.as_u32().unwrap()].flags.clone();
    assert_eq!(flags, Flags::of(["\\Seen", "\\Flagged", "Mine"]));
}

#[tokio::test]
async fn what_the_target_cannot_hold_fails_with_its_cause_and_nothing_else_does() {
    let refuses = vec![Loss::Nul, Loss::BareCr, Loss::MixedLineEnds];
    for declared in [true, false] {
        // Declared: known before. Not declared: the target refuses the whole batch, and the culprits are found.
        let target = Traits { refuses: refuses.clone(), ..Traits::default() };
        let mut world = World::with(Traits::default(), target.clone());
        if !declared {
            world.target_dial = std::sync::Arc::new(world.target.clone());
        }
        world.person("ann");
        fill(&world, "ann");
        let inbox = FolderPath::inbox();
        for (n, bad) in ["nul \0", "cr \r here", "lf \n alone"].iter().enumerate() {
            world.source.deliver("ann", &inbox, MemoryItem::message(message(500 + n, bad), 5));
        }
        let end = if declared {
            world.sync_well().await
        } else {
            let (mut engine, mailboxes) = world.engine().await;
            for endpoint in engine.endpoints.values_mut() {
                let undeclared = connector::memory::MemoryConnector::dialling(
                    if endpoint.name == "local" { world.source_dial.clone() } else { world.target_dial.clone() },
                    Traits::default(),
                );
                endpoint.connector = std::sync::Arc::new(undeclared);
            }
            engine.run(&mailboxes).await
        };
        let report = &end.outcomes[0].report;
        assert_eq!((report.copied, report.failed), (98, 3), "{end:?}");
        assert_eq!(end.outcomes[0].state.phase, Phase::Copying, "not in step before somebody has accepted the loss");
        let (engine, _) = world.engine().await;
        let failures = engine.store.failures(engine.key, None).await.unwrap();
        let causes: Vec<Cause> = failures.iter().map(|failure| failure.cause).collect();
        assert_eq!(causes, [Cause::Nul, Cause::BareCr, Cause::MixedLineEnds]);
        let tally = tally(&world).await;
        assert_eq!((tally.source, tally.copied, tally.failed, tally.accounted()), (101, 98, 3, 101));
        let effects = world.target.effects();
        if declared {
            world.sync_well().await;
            assert_eq!(world.target.effects(), effects);
        }
    }
}

#[tokio::test]
async fn an_item_too_large_fails_alone() {
    let mut world = World::with(Traits::default(), Traits { item_bytes_max: Some(2000), ..Traits::default() });
    world.person("ann");
    let inbox = FolderPath::inbox();
    for n in 0..10 {
        let body = if n == 4 { "x".repeat(5000) } else { "x".to_owned() };
        world.source.deliver("ann", &inbox, MemoryItem::message(message(n, &body), 5));
    }
    let end = world.sync_well().await;
    assert_eq!((end.outcomes[0].report.copied, end.outcomes[0].report.failed), (9, 1));
}

#[tokio::test]
async fn items_that_the_target_changes_are_not_left_there_and_fail_with_their_cause() {
    for ids_on_append in [true, false] {
        let target = Traits { changes_eight_bit_headers: true, ids_on_append, ..Traits::default() };
        let mut world = World::with(Traits::default(), target);
        world.person("ann");
        let inbox = FolderPath::inbox();
        for n in 0..23 {
            let mut bytes = message(n, "body");
            if n % 5 == 1 {
                bytes.splice(0..0, b"X-Name: caf\xe9\r\n".iter().copied());
            }
            world.source.deliver("ann", &inbox, MemoryItem::message(bytes, 5));
        }
        let end = world.sync_well().await;
        let report = &end.outcomes[0].report;
        assert_eq!((report.copied, report.failed), (18, 5));
        let (engine, _) = world.engine().await;
        let failures = engine.store.failures(engine.key, None).await.unwrap();
        assert!(failures.iter().all(|failure| failure.cause == Cause::EightBitHeader), "{failures:?}");
        let left = world.target.dump("ann")[&inbox].len();
        if ids_on_append {
            assert_eq!(left, 18, "changed copies are taken away again");
        } else {
            // Which copy was changed can't be told by an id: it is listed, and left.
            assert_eq!(left, 19);
            assert_eq!(engine.store.exceptions(engine.key).await.unwrap().len(), 1);
        }
        let effects = world.target.effects();
        world.sync_well().await;
        assert_eq!(world.target.effects(), effects, "a second run does not try again what comes out the same");
    }
}

#[tokio::test]
async fn a_target_that_rewrites_everything_parks_the_mailbox_before_much_is_there() {
    let mut world = World::with(Traits::default(), Traits { adds_a_field: true, ..Traits::default() });
    world.person("ann");
    fill(&world, "ann");
    let end = world.sync().await;
    assert_eq!(end.outcomes[0].failure.as_ref().unwrap().error.cause, Cause::Altered);
    assert_eq!(end.outcomes[0].state.condition.name(), "parked");
    assert!(world.target.dump("ann").values().all(std::collections::BTreeMap::is_empty), "nothing changed is left");
}

#[tokio::test]
async fn a_full_mailbox_parks_and_goes_on_once_there_is_room() {
    let mut world =
        World::with(Traits::default(), Traits { quota_bytes: Some(3000), tells_quota: false, ..Traits::default() });
    world.person("ann");
    fill(&world, "ann");
    let end = world.sync().await;
    let failure = end.outcomes[0].failure.as_ref().unwrap();
    assert_eq!(failure.error.cause, Cause::OverQuota);
    assert_eq!(end.outcomes[0].state.condition.name(), "parked");
    world.target.set_quota(None);
    world.sync_well().await;
    world.assert_same("ann");
}

#[tokio::test]
async fn items_that_are_there_already_are_adopted_not_doubled() {
    let mut world = World::new();
    world.person("ann");
    fill(&world, "ann");
    // An earlier attempt by another tool: half of one folder, with a header of its own; and the person's own mail.
    let folder = path(&["Twins"]);
    for (n, (_, mut item)) in world.source.dump("ann").remove(&folder).unwrap().into_iter().enumerate() {
        if n % 2 == 0 {
            item.bytes = [b"X-TUID: abcdef\r\n", item.bytes.as_slice()].concat();
            world.target.deliver("ann", &folder, item);
        }
    }
    let own = MemoryItem::message(message(4242, "my own"), 77);
    world.target.deliver("ann", &folder, own.clone());
    let end = world.sync_well().await;
    assert_eq!((end.outcomes[0].report.adopted, end.outcomes[0].report.copied), (3, 95));
    let there = world.target.dump("ann").remove(&folder).unwrap();
    assert_eq!(there.len(), 6, "five of the source and the person's own");
    assert!(there.values().any(|item| *item == own));
    let tally = tally(&world).await;
    assert_eq!((tally.source, tally.copied, tally.adopted), (98, 95, 3));
    let effects = world.target.effects();
    world.sync_well().await;
    assert_eq!(world.target.effects(), effects);
}

#[tokio::test]
async fn a_ledger_lost_entirely_is_made_again_without_a_copy() {
    let mut world = World::new();
    world.person("ann");
    fill(&world, "ann");
    world.sync_well().await;
    let there = contents(&world.target, "ann");
    std::fs::remove_file(world.folder.path().join("whimbrel.db")).unwrap();
    for rest in ["whimbrel.db-wal", "whimbrel.db-shm"] {
        let _ = std::fs::remove_file(world.folder.path().join(rest));
    }
    let end = world.sync_well().await;
    assert_eq!((end.outcomes[0].report.copied, end.outcomes[0].report.adopted), (0, 98));
    assert_eq!(contents(&world.target, "ann"), there);
}

#[tokio::test]
async fn what_may_be_the_same_message_rewritten_is_held_and_listed() {
    let mut world = World::new();
    world.person("ann");
    let inbox = FolderPath::inbox();
    world.source.deliver("ann", &inbox, MemoryItem::message(message(1, "original"), 5));
    world.target.deliver("ann", &inbox, MemoryItem::message(message(1, "rewritten"), 5));
    world.sync_well().await;
    let tally = tally(&world).await;
    assert_eq!((tally.source, tally.held, tally.copied), (1, 1, 0));
    assert_eq!(world.target.dump("ann")[&inbox].len(), 1);
    let (engine, _) = world.engine().await;
    let exceptions = engine.store.exceptions(engine.key).await.unwrap();
    assert_eq!(exceptions[0].exception.class, Cause::Ambiguous);
    assert!(exceptions[0].exception.target_id.is_some() && exceptions[0].exception.source_id.is_some());
}

#[tokio::test]
async fn an_item_removed_at_the_source_goes_where_that_can_be_done_and_sums_hold() {
    for traits in [Traits::default(), Traits { tells_gone: false, ..Traits::default() }, Traits::poor()] {
        let mut world = World::with(traits.clone(), traits);
        world.person("ann");
        fill(&world, "ann");
        world.sync_well().await;
        let inbox = FolderPath::inbox();
        world.source.expunge("ann", &inbox, &model::ItemId::from_u32(3));
        world.source.deliver("ann", &inbox, MemoryItem::message(message(900, "new"), 1_700_000_000));
        world.sync_well().await;
        let tally = tally(&world).await;
        assert_eq!((tally.source, tally.accounted()), (98, 98));
        let (engine, mailboxes) = world.engine().await;
        let held = engine.store.held_removals(engine.key, mailboxes[0]).await.unwrap();
        let removes = world.target.traits().removes_exactly;
        assert_eq!(held.len(), usize::from(!removes));
        assert_eq!(world.target.dump("ann")[&inbox].len(), if removes { 24 } else { 25 });
    }
}

#[tokio::test]
async fn kinds_that_the_target_does_not_hold_stay_and_are_counted() {
    let target = Traits { kinds: vec![ItemKind::Message], ..Traits::default() };
    let mut world = World::with(Traits::default(), target);
    world.person("ann");
    fill(&world, "ann");
    let calendar = path(&["Calendar"]);
    world.source.add_folder_of("ann", &calendar, ItemKind::Event, None, false);
    let event = MemoryItem { kind: ItemKind::Event, ..MemoryItem::message("BEGIN:VEVENT\r\nEND:VEVENT\r\n", 5) };
    world.source.deliver("ann", &calendar, event);
    let end = world.sync().await;
    let report = &end.outcomes[0].report;
    assert_eq!((report.copied, report.failed), (98, 1));
    let (engine, _) = world.engine().await;
    let failures = engine.store.failures(engine.key, None).await.unwrap();
    assert_eq!((failures[0].cause, failures[0].path.clone()), (Cause::Unsupported, calendar));
}

#[tokio::test]
async fn every_kind_travels_where_both_sides_hold_it() {
    let mut world = World::new();
    world.person("ann");
    for kind in ItemKind::EVERY {
        let folder = path(&[kind.name()]);
        world.source.add_folder_of("ann", &folder, kind, None, false);
        for n in 0..7 {
            let item = MemoryItem { kind, ..MemoryItem::message(format!("{} {n}\r\n", kind.name()), n) };
            world.source.deliver("ann", &folder, item);
        }
    }
    world.sync_well().await;
    world.assert_same("ann");
    assert!(world.target.dump("ann")[&path(&["event"])].values().all(|item| item.kind == ItemKind::Event));
}

#[tokio::test]
async fn one_locked_person_does_not_hold_up_the_others() {
    let mut world = World::new();
    for n in 0..9 {
        let name = format!("p{n}");
        world.person(&name);
        fill(&world, &name);
    }
    world.source.set_locked("p3", true);
    world.target.set_locked("p5", true);
    let end = world.sync().await;
    for (n, outcome) in end.outcomes.iter().enumerate() {
        let expected = match n {
            3 => Some(model::Side::Source),
            5 => Some(model::Side::Target),
            _ => None,
        };
        assert_eq!(outcome.failure.as_ref().map(|failure| failure.side), expected.map(Some), "p{n}");
        if expected.is_none() {
            world.assert_same(&format!("p{n}"));
        } else {
            assert_eq!(outcome.state.condition.name(), "parked");
        }
    }
    world.source.set_locked("p3", false);
    world.target.set_locked("p5", false);
    world.sync_well().await;
    world.assert_same("p3");
    similar(&contents(&world.source, "p5"), &contents(&world.target, "p5"));
}

#[tokio::test]
async fn fates_are_in_the_ledger_with_digests_that_anyone_can_recompute() {
    let mut world = World::new();
    world.person("ann");
    let bytes = message(1, "x");
    world.source.deliver("ann", &FolderPath::inbox(), MemoryItem::message(bytes.clone(), 5));
    world.sync_well().await;
    let (engine, mailboxes) = world.engine().await;
    let folder = engine.store.folders(engine.key, mailboxes[0]).await.unwrap().remove(0);
    let item = engine.store.items(engine.key, &folder).next().await.unwrap().remove(0);
    assert_eq!((item.fate, item.exact), (Fate::Copied, Some(model::Digest::of(&bytes))));
    assert!(item.target_id.is_some());
}

#[tokio::test]
async fn a_folder_that_the_source_numbers_anew_is_not_copied_again() {
    for traits in [Traits::default(), Traits::poor()] {
        let mut world = World::with(traits.clone(), traits);
        world.person("ann");
        fill(&world, "ann");
        world.sync_well().await;
        for folder in [FolderPath::inbox(), path(&["Twins"])] {
            let first = world.source.dump("ann")[&folder].keys().next().copied().unwrap();
            world.source.expunge("ann", &folder, &model::ItemId::from_u32(first));
            world.source.renumber("ann", &folder);
            let late = MemoryItem::message(message(900, "came after it"), 1_500_000_000);
            world.source.deliver("ann", &folder, late);
        }
        let end = world.sync_well().await;
        assert_eq!(end.outcomes[0].report.copied, 2, "only what came since");
        // What was removed with it stays on the target, and nothing is there twice.
        let count = |platform| contents(platform, "ann").values().map(Vec::len).sum::<usize>();
        assert_eq!(count(&world.target), count(&world.source) + 2);
        let tally = tally(&world).await;
        assert_eq!((tally.adopted, tally.source), (0, tally.copied), "what was ours is ours");
        let effects = world.target.effects();
        world.sync_well().await;
        assert_eq!(world.target.effects(), effects);
    }
}
