//! Dates that a target does not keep: with which one an item travels, and that it stays with it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

use std::collections::BTreeMap;

use conformance::world::World;
use connector::memory::{MemoryItem, Traits};
use model::{Cause, FolderPath, ItemId, Loss, ReceivedAt};
use movement::Verification;
use serde_json::{Value, json};
use store::{How, TreatmentRow};

const NOW: i64 = 1_800_000_000;
const TO_COME: i64 = 1_900_000_000;
const FAR: i64 = 5_000_000_000;
/// Sat, 8 Sep 2001 01:46:40 and one second more.
const SENT: i64 = 999_913_600;

fn inbox() -> FolderPath {
    FolderPath::inbox()
}

fn archive() -> FolderPath {
    FolderPath::new(["Archive"])
}

fn message(number: usize, header: &str, received: i64) -> MemoryItem {
    MemoryItem::message(
        format!("Message-ID: <{number}@example.test>\r\n{header}\r\nbody {number}\r\n").into_bytes(),
        received,
    )
}

fn sent(number: usize, received: i64) -> MemoryItem {
    message(number, "Date: Sat, 8 Sep 2001 01:46:40 +0000\r\n", received)
}

/// Ann, whose new platform puts its own time in place of one that is still to come and refuses those before 1970.
fn world() -> World {
    world_with(Traits { refuses: vec![Loss::DateOutOfRange], ..Traits::default() })
}

fn world_with(traits: Traits) -> World {
    let mut world = World::with(Traits::default(), traits);
    world.person("ann");
    world.target.set_time(NOW);
    world.now = Some(NOW);
    repair(&mut world, true);
    world
}

fn repair(world: &mut World, is_made: bool) {
    world.policy.repair_date = is_made;
    world.policy.citation = format!("dates repaired: {is_made}");
}

/// The day has come.
fn later(world: &mut World) {
    world.target.set_time(TO_COME + 1_000);
    world.now = Some(TO_COME + 1_000);
}

fn dates(world: &World, folder: &FolderPath) -> Vec<i64> {
    let items = world.target.dump("ann").remove(folder).unwrap_or_default();
    items.into_values().map(|item| item.received.unix_seconds).collect()
}

async fn treatments(world: &World) -> Vec<TreatmentRow> {
    let (engine, mailboxes) = world.engine().await;
    engine.store.treatments(engine.key, mailboxes[0]).await.unwrap()
}

async fn verified(world: &World) -> Verification {
    let (engine, _) = world.engine().await;
    let row = engine.store.mailboxes(engine.key).await.unwrap().remove(0);
    engine.verify(&row, None).await.unwrap()
}

async fn failed(world: &World) -> BTreeMap<ItemId, Cause> {
    let (engine, mailboxes) = world.engine().await;
    let failures = engine.store.failures(engine.key, Some(mailboxes[0])).await.unwrap();
    failures.into_iter().map(|failure| (failure.source_id, failure.cause)).collect()
}

/// It is exact, so many are repaired, and another run has nothing to do.
async fn is_at_rest(world: &World, repaired: u64) {
    let found = verified(world).await;
    assert!(found.is_exact(), "{} {:#?}", found.sentence(), found.differences);
    assert_eq!(found.repaired.get("repair-date").copied().unwrap_or_default(), repaired, "{}", found.sentence());
    let effects = world.target.effects();
    let end = world.sync_well().await;
    assert_eq!((world.target.effects(), end.outcomes[0].report.copied), (effects, 0), "and again: nothing");
}

#[tokio::test]
async fn an_item_travels_with_the_date_that_it_names_itself_and_keeps_it_when_the_day_has_come() {
    for traits in [Traits::default(), Traits::poor(), Traits { batches_whole: false, ..Traits::default() }] {
        let removes = traits.removes_exactly;
        let mut world = world_with(Traits { refuses: vec![Loss::DateOutOfRange], ..traits });
        let header = "Received: by a; Sat, 8 Sep 2001 01:46:41 +0000\r\nDate: Sat, 8 Sep 2030 01:46:40 +0000\r\n";
        let all = [sent(1, TO_COME), sent(2, SENT + 9), message(3, header, TO_COME), message(4, "", TO_COME)];
        for item in all {
            world.source.deliver("ann", &inbox(), item);
        }
        world.sync_well().await;
        let (mut there, mut made) = (dates(&world, &inbox()), treatments(&world).await);
        let (mut expected, mut repaired) = (vec![SENT + 9, SENT, SENT + 1, NOW], 3);
        if !removes {
            // The one that taught it can't be taken away again, so it isn't put beside it.
            assert_eq!(failed(&world).await, BTreeMap::from([(ItemId::from_u32(1), Cause::FutureDate)]));
            (expected, repaired) = (vec![SENT + 9, SENT + 1, NOW, NOW], 2);
            made.retain(|row| row.treatment.source_id != ItemId::from_u32(1));
        }
        there.sort_unstable();
        expected.sort_unstable();
        assert_eq!((there, made.len()), (expected, repaired));
        for row in &made {
            let detail: Value = serde_json::from_str(&row.treatment.detail).unwrap();
            let from = ["date", "", "received", "first-seen"][row.treatment.source_id.as_u32().unwrap() as usize - 1];
            let is = json!([{ "rule": "repair-date", "how": from, "before": TO_COME, "after": row.received }]);
            assert_eq!((row.treatment.how, &detail), (How::Repaired, &is));
            assert_eq!(row.treatment.source_received, Some(TO_COME));
        }
        if !removes {
            continue;
        }
        is_at_rest(&world, 3).await;
        later(&mut world);
        is_at_rest(&world, 3).await;
        repair(&mut world, false);
        is_at_rest(&world, 3).await;
        let tally = world.tally().await;
        assert_eq!((tally.source, tally.copied, tally.accounted()), (4, 4, 4));
    }
}

#[tokio::test]
async fn without_the_rule_it_fails_until_the_day_has_come() {
    let mut world = world();
    repair(&mut world, false);
    world.source.deliver("ann", &inbox(), sent(1, TO_COME));
    world.source.deliver("ann", &inbox(), sent(2, -1));
    world.sync_well().await;
    assert_eq!(failed(&world).await.into_values().collect::<Vec<_>>(), [Cause::FutureDate, Cause::DateOutOfRange]);
    assert_eq!(dates(&world, &inbox()), [0_i64; 0]);
    later(&mut world);
    world.sync_well().await;
    assert_eq!(dates(&world, &inbox()), [TO_COME]);
    assert_eq!(treatments(&world).await, []);
    repair(&mut world, true);
    world.sync_well().await;
    assert_eq!(dates(&world, &inbox()), [TO_COME, SENT]);
    is_at_rest(&world, 1).await;
}

#[tokio::test]
async fn what_the_target_keeps_is_not_repaired() {
    let mut world = world_with(Traits::default());
    world.target.set_time(i64::MAX);
    for (number, received) in [TO_COME, FAR, -1, 0].into_iter().enumerate() {
        world.source.deliver("ann", &inbox(), sent(number, received));
    }
    world.sync_well().await;
    world.assert_same("ann");
    later(&mut world);
    world.target.set_time(i64::MAX);
    is_at_rest(&world, 0).await;
}

/// That one date out of range was kept says nothing of the next.
#[tokio::test]
async fn each_date_out_of_range_is_looked_at_by_itself() {
    let mut world = world_with(Traits::default());
    world.target.set_time(4_900_000_000);
    for (number, received) in [-1, TO_COME, FAR, -9, FAR + 1, 0].into_iter().enumerate() {
        world.source.deliver("ann", &inbox(), sent(number, received));
    }
    world.now = Some(NOW);
    world.sync_well().await;
    let expected = [-1, 0, SENT, SENT, SENT, TO_COME];
    assert_eq!(sorted(dates(&world, &inbox())), expected, "-9 came when it was known");
    is_at_rest(&world, 3).await;
    // What was kept moves as it is, whatever is known by then.
    world.source.add_folder("ann", &archive());
    world.source.relocate("ann", &inbox(), &archive(), &ItemId::from_u32(1)).unwrap();
    let end = world.sync_well().await;
    assert_eq!((end.outcomes[0].report.moved, end.outcomes[0].report.copied), (1, 0));
    assert_eq!(dates(&world, &archive()), [-1]);
    assert_eq!(sorted(dates(&world, &inbox())), expected[1..]);
    is_at_rest(&world, 3).await;
}

/// Mail comes while others are read: when a pass began says nothing of it, and clocks differ.
#[tokio::test]
async fn what_has_just_come_keeps_its_date() {
    let mut world = world_with(Traits::default());
    world.target.set_time(NOW + 3_600);
    world.source.deliver("ann", &inbox(), sent(1, TO_COME));
    // Sat, 15 Jan 2027 08:29:59.
    world.source.deliver("ann", &inbox(), message(2, "Date: Fri, 15 Jan 2027 08:29:59 +0000\r\n", NOW + 1_800));
    world.sync_well().await;
    assert_eq!(sorted(dates(&world, &inbox())), [SENT, NOW + 1_800]);
    assert_eq!(failed(&world).await, BTreeMap::new());
    world.now = Some(NOW + 3_600);
    is_at_rest(&world, 1).await;
}

/// A clock that is a little ahead shows nothing of what the target does with dates that are to come.
#[tokio::test]
async fn a_clock_that_is_ahead_proves_nothing() {
    let world = world_with(Traits::default());
    world.target.set_time(NOW + 10);
    world.source.deliver("ann", &inbox(), sent(1, NOW + 5));
    world.sync_well().await;
    world.source.deliver("ann", &inbox(), sent(2, TO_COME));
    world.sync_well().await;
    assert_eq!(sorted(dates(&world, &inbox())), [SENT, NOW + 5]);
    is_at_rest(&world, 1).await;
}

/// Where the target puts its own time in place of one that its clock has not reached, that is no reason to give it up, nor
/// to think that it changes other dates.
#[tokio::test]
async fn a_target_whose_clock_is_behind_gets_it_later_or_repaired() {
    for is_made in [false, true] {
        let mut world = world_with(Traits::default());
        repair(&mut world, is_made);
        world.source.deliver("ann", &inbox(), message(1, "", NOW + 5));
        world.source.deliver("ann", &inbox(), sent(2, SENT));
        world.sync_well().await;
        if !is_made {
            assert_eq!(failed(&world).await, BTreeMap::from([(ItemId::from_u32(1), Cause::FutureDate)]));
            world.target.set_time(NOW + 60);
            world.now = Some(NOW + 60);
            world.sync_well().await;
        }
        let first = if is_made { NOW } else { NOW + 5 };
        assert_eq!(sorted(dates(&world, &inbox())), [SENT, first]);
        let (engine, _) = world.engine().await;
        let row = engine.store.mailboxes(engine.key).await.unwrap().remove(0);
        assert_eq!(row.bytes_not_kept, 0, "nothing is learnt of others");
        is_at_rest(&world, u64::from(is_made)).await;
    }
}

/// Nobody has seen this target change a date.
#[tokio::test]
async fn what_is_like_another_one_but_for_its_date_keeps_it() {
    let bytes = |received| MemoryItem { received: ReceivedAt::utc(received), ..sent(1, received) };
    for received in [0, -1, FAR, TO_COME] {
        for is_alone in [false, true] {
            let world = world_with(Traits::default());
            world.target.set_time(i64::MAX);
            world.target.deliver("ann", &inbox(), bytes(SENT));
            world.source.deliver("ann", &inbox(), bytes(received));
            if !is_alone {
                world.source.deliver("ann", &inbox(), bytes(SENT));
            }
            world.sync_well().await;
            world.source.deliver("ann", &archive(), sent(3, received));
            world.sync_well().await;
            assert_eq!(dates(&world, &archive()), [received], "what another tool did teaches nothing");
            let expected = if is_alone { vec![SENT] } else { sorted(vec![SENT, received]) };
            assert_eq!(sorted(dates(&world, &inbox())), expected);
            let (engine, _) = world.engine().await;
            let row = engine.store.mailboxes(engine.key).await.unwrap().remove(0);
            assert_eq!(row.bytes_not_kept, 0);
        }
    }
}

#[tokio::test]
async fn a_lost_ledger_finds_it_again() {
    for is_later in [false, true] {
        let mut world = world();
        for (number, received) in [TO_COME, -1, SENT, FAR].into_iter().enumerate() {
            world.source.deliver("ann", &inbox(), sent(number, received));
        }
        world.sync_well().await;
        let before = dates(&world, &inbox());
        assert_eq!(before.len(), 4);
        world.url = format!("sqlite:{}/another.db", world.folder.path().display());
        if is_later {
            later(&mut world);
        }
        world.sync_well().await;
        assert_eq!(dates(&world, &inbox()), before, "none twice");
        let tally = world.tally().await;
        assert_eq!((tally.source, tally.adopted), (4, 4));
        if !is_later {
            is_at_rest(&world, 3).await;
        }
    }
}

#[tokio::test]
async fn what_moves_at_the_source_moves_with_the_date_that_it_got() {
    for (is_later, is_renumbered, is_made) in
        [(false, false, true), (true, false, true), (true, false, false), (false, true, true), (true, true, false)]
    {
        let mut world = world();
        world.source.add_folder("ann", &archive());
        world.source.deliver("ann", &inbox(), sent(1, TO_COME));
        world.source.deliver("ann", &inbox(), message(2, "", TO_COME));
        world.source.deliver("ann", &inbox(), message(3, "", FAR));
        world.sync_well().await;
        assert_eq!(dates(&world, &inbox()).len(), 3);
        repair(&mut world, is_made);
        world.now = Some(NOW + 77);
        if is_later {
            later(&mut world);
        }
        let expected = [SENT, NOW, NOW];
        if is_renumbered {
            world.source.renumber("ann", &inbox());
            world.sync_well().await;
            assert_eq!(sorted(dates(&world, &inbox())), sorted(expected.to_vec()));
        } else {
            for number in 1..=3 {
                world.source.relocate("ann", &inbox(), &archive(), &ItemId::from_u32(number)).unwrap();
            }
            let end = world.sync_well().await;
            let report = &end.outcomes[0].report;
            assert_eq!((report.moved, report.copied, report.removed), (3, 0, 0), "{report:?}");
            assert_eq!(sorted(dates(&world, &archive())), sorted(expected.to_vec()));
        }
        assert_eq!(world.tally().await.copied, 3, "they are ours");
        is_at_rest(&world, 3).await;
    }
}

fn sorted(mut dates: Vec<i64>) -> Vec<i64> {
    dates.sort_unstable();
    dates
}

#[tokio::test]
async fn what_another_tool_got_there_with_its_own_date_keeps_it() {
    let mut world = world();
    world.source.deliver("ann", &inbox(), sent(1, TO_COME));
    world.sync_well().await;
    for (number, received) in [(2, TO_COME), (3, -7)] {
        world.source.deliver("ann", &archive(), sent(number, received));
        world.target.deliver("ann", &archive(), sent(number, received));
    }
    let end = world.sync_well().await;
    assert_eq!((end.outcomes[0].report.adopted, end.outcomes[0].report.copied), (2, 0));
    assert_eq!(treatments(&world).await.len(), 1);
    is_at_rest(&world, 1).await;
    later(&mut world);
    is_at_rest(&world, 1).await;
}

/// Rules about dates ask when the source says that an item was received.
#[tokio::test]
async fn rules_about_dates_ask_the_source() {
    let mut world = world();
    world.policy.received_before = Some(NOW);
    world.source.deliver("ann", &inbox(), sent(1, TO_COME));
    world.source.deliver("ann", &inbox(), sent(2, -5));
    world.sync_well().await;
    assert_eq!(dates(&world, &inbox()), [SENT]);
    let found = verified(&world).await;
    assert!(found.is_exact() && found.excluded["received-before"] == 1, "{}", found.sentence());
}

/// What the target has altered and keeps is no copy, of nobody: its item fails until somebody takes that away.
#[tokio::test]
async fn an_altered_copy_that_stays_is_nobodys() {
    for (traits, in_use) in [(Traits::poor(), false), (Traits::default(), true)] {
        for is_made in [true, false] {
            let mut world = world_with(traits.clone());
            repair(&mut world, is_made);
            if in_use {
                world.in_use("ann");
            }
            world.source.deliver("ann", &inbox(), sent(1, TO_COME));
            world.source.deliver("ann", &inbox(), sent(2, SENT));
            for run in 0..3 {
                world.sync_well().await;
                assert_eq!(sorted(dates(&world, &inbox())), [SENT, NOW], "run {run}");
                let found = verified(&world).await;
                assert_eq!((found.failed.get(&Cause::FutureDate), found.altered_on_target), (Some(&1), 1));
                assert_eq!((found.on_target, found.unexplained, found.others_on_target), (1, 0, 0));
            }
            // One that is like it does not get it.
            world.source.deliver("ann", &inbox(), sent(1, SENT + 7));
            world.sync_well().await;
            assert_eq!(sorted(dates(&world, &inbox())), [SENT, SENT + 7, NOW]);
            let (engine, mailboxes) = world.engine().await;
            let failures = engine.store.failures(engine.key, Some(mailboxes[0])).await.unwrap();
            let failed: Vec<_> = failures.iter().map(|row| (row.folder, row.source_id.clone())).collect();
            assert_eq!(engine.store.accept_failures(engine.key, &failed, "Kim", "known").await.unwrap(), 1);
            let found = verified(&world).await;
            assert!(found.is_exact(), "{} {:#?}", found.sentence(), found.differences);
            assert_eq!((found.accepted.get(&Cause::FutureDate), found.altered_on_target), (Some(&1), 1));
            // An id from before it was numbered anew says nothing.
            world.target.renumber("ann", &inbox());
            world.sync_well().await;
            world.target.deliver("ann", &inbox(), sent(2, SENT));
            let found = verified(&world).await;
            assert!(found.differences.iter().any(|one| one.kind.name() == "doubled"), "{}", found.sentence());
            // Somebody has taken it away.
            if is_made {
                let there = world.target.dump("ann").remove(&inbox()).unwrap();
                let there = there.into_iter().find(|(_, one)| one.received.unix_seconds == NOW).unwrap().0;
                world.target.expunge("ann", &inbox(), &ItemId::from_u32(there));
                world.sync_well().await;
                assert_eq!(sorted(dates(&world, &inbox())), [SENT, SENT, SENT, SENT + 7]);
            }
        }
    }
}
