//! Carrying back: the source holds what the person got or made on the target, each item once on both sides.

use conformance::turns;
use conformance::world::{Contents, World, contents, message};
use connector::memory::{MemoryItem, Traits};
use model::{Flags, FolderPath, ItemId, Loss, Phase};
use movement::{CarriedBack, Verification};
use store::RemovalState;

fn inbox() -> FolderPath {
    FolderPath::inbox()
}

fn path(name: &str) -> FolderPath {
    FolderPath::new([name])
}

fn item(number: usize) -> MemoryItem {
    MemoryItem::message(message(number, &format!("body {number}")), 1_000_000_000 + number as i64)
}

async fn switched(source: Traits, target: Traits) -> World {
    let mut world = World::with(source, target);
    world.person("ann");
    for n in 0..5 {
        world.source.deliver("ann", &inbox(), item(n));
        world.source.deliver("ann", &path("Work"), item(100 + n));
    }
    world.sync_well().await;
    world.switch(Phase::Switched).await;
    world
}

async fn verify(world: &World) -> Verification {
    let (engine, _) = world.engine().await;
    let row = engine.store.mailboxes(engine.key).await.unwrap().remove(0);
    let verification = engine.verify(&row, None).await.unwrap();
    engine.store.close().await;
    verification
}

async fn exceptions(world: &World) -> Vec<String> {
    let (engine, _) = world.engine().await;
    let rows = engine.store.exceptions(engine.key).await.unwrap();
    engine.store.close().await;
    rows.into_iter().map(|row| format!("{}: {}", row.exception.class, row.exception.what)).collect()
}

/// What all of it did.
fn sum(carried: &[CarriedBack]) -> [u64; 5] {
    let of = |count: fn(&CarriedBack) -> u64| carried.iter().map(count).sum();
    [of(|c| c.added), of(|c| c.moved), of(|c| c.flags), of(|c| c.folders), of(|c| c.stayed)]
}

/// Everything is at rest, in step and the same on both sides, now and after a second switch.
async fn is_whole(world: &World) {
    let outcome = world.sync_one().await;
    assert_eq!(outcome.state.phase, Phase::InStep, "{outcome:?}");
    world.assert_same("ann");
    let verification = verify(world).await;
    assert!(verification.is_exact(), "{verification:?}");
    assert_eq!((verification.others_on_target, verification.own_flags), (0, 0), "{verification:?}");
    let (before, effects) = (contents(&world.target, "ann"), world.target.effects());
    world.switch(Phase::Settled).await;
    world.sync_well().await;
    assert_eq!(
        (contents(&world.target, "ann"), world.target.effects()),
        (before, effects),
        "a second switch does nothing"
    );
    let tally = world.tally().await;
    assert_eq!(tally.source, tally.accounted());
}

/// A day of work on the target.
fn work(world: &World) {
    world.target.deliver("ann", &inbox(), item(200));
    world.target.deliver("ann", &inbox(), item(201));
    world.target.deliver("ann", &inbox(), item(201));
    world.target.deliver("ann", &path("Mine"), MemoryItem { flags: Flags::of(["\\Seen", "Mine"]), ..item(202) });
    world.target.deliver("ann", &FolderPath::new(["Work", "Below"]), item(203));
    world.target.add_folder("ann", &path("Empty"));
    world.target.set_flags("ann", &inbox(), &ItemId::from_u32(1), &Flags::of(["\\Seen", "Work"]));
    let moved = world.target.relocate("ann", &inbox(), &path("Mine"), &ItemId::from_u32(2)).unwrap();
    world.target.set_flags("ann", &path("Mine"), &moved, &Flags::of(["\\Flagged"]));
    world.target.relocate("ann", &path("Work"), &inbox(), &ItemId::from_u32(5)).unwrap();
}

#[tokio::test]
async fn a_day_of_work_is_on_both_sides_and_a_second_switch_doubles_nothing() {
    let no_changes = Traits { tells_changes: false, tells_gone: false, ..Traits::default() };
    let no_ids = Traits { ids_on_append: false, ..Traits::default() };
    let one_by_one = Traits { batches_whole: false, ..Traits::default() };
    for source in [Traits::default(), no_changes, no_ids, one_by_one] {
        let world = switched(source, Traits::default()).await;
        work(&world);
        let target = contents(&world.target, "ann");
        let carried = world.undo().await;
        assert_eq!(sum(&carried), [5, 2, 2, 3, 0], "{carried:?}");
        assert_eq!(contents(&world.target, "ann"), target, "nothing is written on the target");
        assert_eq!(contents(&world.source, "ann"), target, "the source holds the same");
        assert!(carried.last().unwrap().is_nothing_new());
        is_whole(&world).await;
    }
}

#[tokio::test]
async fn life_goes_on_after_an_undo_and_what_was_carried_back_follows_the_source() {
    let world = switched(Traits::default(), Traits::default()).await;
    work(&world);
    world.undo().await;
    world.sync_well().await;
    // What came to the target is moved, marked and removed at the source like everything else.
    let ids: Vec<u32> = world.source.dump("ann")[&inbox()].keys().copied().collect();
    let last = ItemId::from_u32(*ids.last().unwrap());
    world.source.relocate("ann", &inbox(), &path("Filed"), &last).unwrap();
    world.source.set_flags("ann", &path("Mine"), &ItemId::from_u32(1), &Flags::NONE);
    world.source.expunge("ann", &path("Work"), &ItemId::from_u32(2));
    world.source.set_flags("ann", &inbox(), &ItemId::from_u32(1), &Flags::of(["\\Answered"]));
    is_whole(&world).await;
    world.target.deliver("ann", &path("Filed"), item(400));
    let carried = world.undo().await;
    assert_eq!(sum(&carried), [1, 0, 0, 0, 0], "{carried:?}");
    is_whole(&world).await;
}

#[tokio::test]
async fn nothing_is_removed_at_the_source_and_what_lay_on_the_target_before_stays_there_alone() {
    let mut world = World::new();
    world.person("ann");
    world.in_use("ann");
    for n in 0..5 {
        world.source.deliver("ann", &inbox(), item(n));
        world.target.deliver("ann", &inbox(), item(500 + n));
        world.target.deliver("ann", &path("Old"), item(600 + n));
    }
    world.sync_well().await;
    world.switch(Phase::Switched).await;
    world.target.deliver("ann", &path("Old"), item(700));
    for id in [6, 7] {
        world.target.expunge("ann", &inbox(), &ItemId::from_u32(id));
    }
    let carried = world.undo().await;
    assert_eq!(sum(&carried), [1, 0, 0, 1, 0], "{carried:?}");
    let source = world.source.dump("ann");
    assert_eq!((source[&inbox()].len(), source[&path("Old")].len()), (5, 1));
    world.sync_well().await;
    world.switch(Phase::Switched).await;
    let target = world.target.dump("ann");
    assert_eq!((target[&inbox()].len(), target[&path("Old")].len()), (8, 6), "what was withdrawn stays away");
}

#[tokio::test]
async fn a_source_that_cannot_move_keeps_items_where_they_are_and_they_stay_one() {
    let source = Traits { moves: false, ..Traits::default() };
    let world = switched(source, Traits::default()).await;
    work(&world);
    let carried = world.undo().await;
    assert_eq!(sum(&carried), [5, 0, 2, 3, 2], "{carried:?}");
    assert_eq!(world.source.dump("ann").values().map(std::collections::BTreeMap::len).sum::<usize>(), 15, "each once");
    let listed = exceptions(&world).await;
    assert_eq!(listed.iter().filter(|what| what.contains("stays where it is at the source")).count(), 2, "{listed:?}");
    // The source rules again: on the target they lie where they lie there.
    let outcome = world.sync_one().await;
    assert_eq!((outcome.report.copied, outcome.report.moved), (0, 2), "{outcome:?}");
    let everything = |contents: Contents| -> usize { contents.values().map(Vec::len).sum() };
    assert_eq!(everything(contents(&world.target, "ann")), 15, "each once");
    let verification = verify(&world).await;
    assert!(verification.is_exact() && verification.others_on_target == 0, "{verification:?}");
    world.switch(Phase::Switched).await;
    assert_eq!(everything(contents(&world.target, "ann")), 15);
}

#[tokio::test]
async fn what_the_source_does_not_take_is_listed_and_stops_nothing_else() {
    for batches_whole in [true, false] {
        let source =
            Traits { refuses: vec![Loss::Nul], batches_whole, item_bytes_max: Some(5_000), ..Traits::default() };
        let world = switched(source, Traits::default()).await;
        for n in 0..6 {
            world.target.deliver("ann", &inbox(), item(200 + n));
        }
        let with_nul = MemoryItem::message(message(300, "nul \0"), 5);
        world.target.deliver("ann", &inbox(), with_nul);
        world.target.deliver("ann", &inbox(), MemoryItem::message(message(301, &"long ".repeat(2_000)), 6));
        world.target.deliver("ann", &inbox(), item(207));
        let carried = world.undo().await;
        assert_eq!(sum(&carried), [7, 0, 0, 0, 0], "{carried:?}");
        assert_eq!(carried.last().unwrap().failed, 2, "{carried:?}");
        assert!(carried.last().unwrap().is_nothing_new(), "what fails again is nothing new");
        let listed = exceptions(&world).await;
        assert_eq!(listed.len(), 2, "{listed:?}");
        assert!(world.sync_one().await.report.copied == 0);
        assert_eq!(world.target.dump("ann")[&inbox()].len(), 14);
        assert_eq!(verify(&world).await.others_on_target, 2, "they are their person's own there");
    }
}

#[tokio::test]
async fn what_came_to_both_sides_is_one() {
    let world = switched(Traits::default(), Traits::default()).await;
    world.target.deliver("ann", &inbox(), item(200));
    world.source.deliver("ann", &inbox(), item(200));
    world.source.deliver("ann", &inbox(), item(201));
    let carried = world.undo().await;
    assert_eq!(sum(&carried), [0; 5], "{carried:?}");
    assert_eq!(world.source.dump("ann")[&inbox()].len(), 7);
    is_whole(&world).await;
}

#[tokio::test]
async fn flags_that_both_sides_changed_stay_as_each_has_them_and_the_source_rules_again() {
    let world = switched(Traits::default(), Traits::default()).await;
    let one = ItemId::from_u32(1);
    world.target.set_flags("ann", &inbox(), &one, &Flags::of(["\\Seen", "T"]));
    world.source.set_flags("ann", &inbox(), &one, &Flags::of(["\\Flagged"]));
    let carried = world.undo().await;
    assert_eq!(sum(&carried), [0, 0, 1, 0, 0], "{carried:?}");
    let flags = |world: &World| world.source.dump("ann")[&inbox()][&1].flags.clone();
    assert_eq!(flags(&world), Flags::of(["\\Seen", "T", "\\Flagged"]));
    is_whole(&world).await;
}

#[tokio::test]
async fn moved_on_both_sides_it_is_still_one() {
    let world = switched(Traits::default(), Traits::default()).await;
    world.source.relocate("ann", &inbox(), &path("Here"), &ItemId::from_u32(2)).unwrap();
    world.sync_well().await;
    world.target.relocate("ann", &inbox(), &path("There"), &ItemId::from_u32(2)).unwrap();
    let carried = world.undo().await;
    assert_eq!(sum(&carried)[1], 1, "{carried:?}");
    assert_eq!(world.source.dump("ann")[&path("There")].len(), 1);
    is_whole(&world).await;
}

/// Without its attachment on the target, whole at the source: it is the same item.
#[tokio::test]
async fn what_a_policy_changed_is_at_the_source_already_and_moves_as_it_is() {
    let mut world = World::new();
    world.person("ann");
    world.ban("exe");
    let text = "From: a@example.test\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\nMessage-ID: <1@example.test>\r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n\
        Content-Disposition: attachment; filename=a.exe\r\n\r\nbytes\r\n--b--\r\n";
    world.source.deliver("ann", &inbox(), MemoryItem::message(text, 5));
    world.source.deliver("ann", &inbox(), MemoryItem::message(text.replace("text\r\n", "other\r\n"), 6));
    world.sync_well().await;
    world.switch(Phase::Switched).await;
    world.target.relocate("ann", &inbox(), &path("Filed"), &ItemId::from_u32(1)).unwrap();
    // On the way back nothing is banned.
    world.target.deliver("ann", &path("Filed"), MemoryItem::message(text.replace("text\r\n", "third\r\n"), 7));
    let carried = world.undo().await;
    assert_eq!(sum(&carried), [1, 1, 0, 1, 0], "{carried:?}");
    let source = world.source.dump("ann");
    assert_eq!((source[&inbox()].len(), source[&path("Filed")].len()), (1, 2));
    assert!(source.values().flatten().all(|(_, item)| String::from_utf8_lossy(&item.bytes).contains("a.exe")));
    let outcome = world.sync_one().await;
    assert_eq!((outcome.report.copied, outcome.state.phase), (0, Phase::InStep), "{outcome:?}");
    let verification = verify(&world).await;
    assert!(verification.is_exact() && verification.others_on_target == 0, "{verification:?}");
}

#[tokio::test]
async fn a_reversed_switch_brings_back_what_came_in_between() {
    let mut world = World::new();
    world.person("ann");
    world.source.deliver("ann", &inbox(), item(1));
    world.sync_well().await;
    world.switch(Phase::Switching).await;
    world.target.deliver("ann", &inbox(), item(2));
    let (engine, mailboxes) = world.engine().await;
    let held = turns::take(&engine, mailboxes[0]).await;
    turns::carry_all_back(&engine, &held).await.unwrap();
    let state = turns::happen(&engine, &held, &movement::state::Happened::SwitchReversed).await.unwrap();
    turns::give_back(&engine, held, &state).await.unwrap();
    let removals = engine.store.held_removals(engine.key, mailboxes[0]).await.unwrap();
    assert!(removals.iter().all(|removal| removal.state != RemovalState::Due));
    engine.store.close().await;
    is_whole(&world).await;
}

#[tokio::test]
async fn only_in_switching_and_only_to_a_source_that_can_be_written() {
    let world = switched(Traits::default(), Traits::default()).await;
    let (engine, mailboxes) = world.engine().await;
    let held = turns::take(&engine, mailboxes[0]).await;
    assert!(engine.carry_back(&held, &engine.stop).await.is_err(), "switched: not before its undo has begun");
    engine.store.close().await;
}
