//! A source that is being left: only what is new there comes, nothing on the target changes, and nothing is doubled.

use conformance::turns;
use conformance::world::{World, message};
use connector::memory::{MemoryItem, Traits};
use model::{Flags, FolderPath, ItemId, Phase};
use movement::Verification;
use movement::state::Happened;
use store::{Freeze, RemovalState};

fn inbox() -> FolderPath {
    FolderPath::inbox()
}

fn path(name: &str) -> FolderPath {
    FolderPath::new([name])
}

fn item(number: usize) -> MemoryItem {
    MemoryItem::message(message(number, &format!("body {number}")), 1_000_000_000 + number as i64)
}

/// Ann with five messages in INBOX and five in Work, turned over as far as this.
async fn world(source: Traits, target: Traits, to: Phase) -> World {
    let mut world = World::with(source, target);
    world.person("ann");
    for n in 0..5 {
        world.source.deliver("ann", &inbox(), item(n));
        world.source.deliver("ann", &path("Work"), item(100 + n));
    }
    world.sync_well().await;
    world.assert_same("ann");
    if to >= Phase::Switching {
        world.switch(to).await;
    }
    world
}

async fn verify(world: &World) -> Verification {
    let (engine, _) = world.engine().await;
    let row = engine.store.mailboxes(engine.key).await.unwrap().remove(0);
    let verification = engine.verify(&row, None).await.unwrap();
    engine.store.close().await;
    verification
}

async fn row(world: &World) -> store::MailboxRow {
    let (engine, _) = world.engine().await;
    let row = engine.store.mailboxes(engine.key).await.unwrap().remove(0);
    engine.store.close().await;
    row
}

async fn removals(world: &World) -> Vec<store::HeldRemoval> {
    let (engine, mailboxes) = world.engine().await;
    let removals = engine.store.held_removals(engine.key, mailboxes[0]).await.unwrap();
    engine.store.close().await;
    removals
}

fn deltas() -> [Traits; 3] {
    let plain = Traits { tells_changes: false, tells_gone: false, ..Traits::default() };
    [Traits::default(), Traits { tells_gone: false, ..Traits::default() }, plain]
}

async fn sums(world: &World) {
    let tally = world.tally().await;
    assert_eq!(tally.source, tally.accounted(), "{tally:?}");
}

#[tokio::test]
async fn only_additions_come_and_an_empty_pass_is_told_from_one_that_found_something() {
    for traits in deltas() {
        for to in [Phase::Switching, Phase::Switched, Phase::Settled] {
            let world = world(traits.clone(), Traits::default(), to).await;
            assert_eq!((row(&world).await.state.phase, row(&world).await.freeze), (to, Freeze::Frozen));
            let before = world.target.dump("ann");
            world.source.expunge("ann", &inbox(), &ItemId::from_u32(2));
            world.source.set_flags("ann", &inbox(), &ItemId::from_u32(1), &Flags::of(["\\Seen"]));
            world.source.relocate("ann", &inbox(), &path("Work"), &ItemId::from_u32(3)).unwrap();
            world.source.relocate("ann", &path("Work"), &path("New"), &ItemId::from_u32(1)).unwrap();
            world.source.set_subscribed("ann", &path("Work"), true);
            let outcome = world.sync_one().await;
            assert_eq!((outcome.report.copied, outcome.report.removed, outcome.report.moved), (0, 0, 0));
            assert_eq!(outcome.state.phase, to, "a pass turns nobody over");
            let mut now = world.target.dump("ann");
            assert_eq!(now.remove(&path("New")).map(|items| items.len()), Some(0), "a new folder is an addition");
            assert_eq!(now, before, "nothing on the target has changed");
            sums(&world).await;
            let verification = verify(&world).await;
            assert!(verification.is_exact(), "{verification:?}");
            let (moved, kept) = (verification.moved_at_source, verification.kept_on_target);
            assert_eq!((moved, kept, verification.own_flags), (2, 3, 1), "{verification:?}");

            let quiet = world.switch(to).await.remove(0);
            assert!(quiet.is_nothing_new(), "{quiet:?}");
            world.source.deliver("ann", &path("New"), item(200));
            assert_eq!(verify(&world).await.unexplained, 1, "what is not copied yet is a difference");
            let late = world.switch(to).await.remove(0);
            assert!(!late.is_nothing_new() && late.copied == 1, "{late:?}");
            assert!(world.switch(to).await.remove(0).is_nothing_new());
            assert_eq!(world.target.dump("ann")[&path("New")].len(), 1);
            sums(&world).await;
        }
    }
}

#[tokio::test]
async fn an_item_moved_again_or_back_is_still_one() {
    let world = world(Traits::default(), Traits::default(), Phase::Switched).await;
    let before = world.target.dump("ann");
    let at = world.source.relocate("ann", &inbox(), &path("Work"), &ItemId::from_u32(3)).unwrap();
    let back = world.source.relocate("ann", &inbox(), &path("Work"), &ItemId::from_u32(4)).unwrap();
    world.sync_well().await;
    world.source.relocate("ann", &path("Work"), &path("Other"), &at).unwrap();
    world.source.relocate("ann", &path("Work"), &inbox(), &back).unwrap();
    world.sync_well().await;
    let mut now = world.target.dump("ann");
    now.remove(&path("Other"));
    assert_eq!(now, before);
    sums(&world).await;
    let verification = verify(&world).await;
    assert!(verification.is_exact(), "{verification:?}");
    assert_eq!((verification.moved_at_source, verification.kept_on_target), (1, 1), "one is at home again");
    let kept = removals(&world).await;
    assert_eq!((kept.len(), kept[0].state), (1, RemovalState::Kept));
}

#[tokio::test]
async fn a_renamed_and_a_removed_folder_leave_the_target_as_it_is() {
    for traits in deltas() {
        let world = world(traits, Traits::default(), Phase::Switched).await;
        world.source.deliver("ann", &path("Gone"), item(300));
        world.sync_well().await;
        let before = world.target.dump("ann");
        assert!(world.source.rename_folder("ann", &path("Work"), &path("Renamed")));
        world.source.remove_folder("ann", &path("Gone"));
        for _ in 0..3 {
            world.sync_well().await;
        }
        let mut now = world.target.dump("ann");
        assert_eq!(now.remove(&path("Renamed")).map(|items| items.len()), Some(0));
        assert_eq!(now, before);
        sums(&world).await;
        let verification = verify(&world).await;
        assert!(verification.is_exact(), "{verification:?}");
        assert_eq!(verification.moved_at_source, 5, "{verification:?}");
    }
}

#[tokio::test]
async fn what_its_person_does_on_the_target_is_theirs() {
    let world = world(Traits::default(), Traits::default(), Phase::Switched).await;
    world.target.expunge("ann", &inbox(), &ItemId::from_u32(1));
    world.target.set_flags("ann", &inbox(), &ItemId::from_u32(2), &Flags::of(["\\Flagged"]));
    let outcome = world.sync_one().await;
    assert_eq!((outcome.report.copied, outcome.report.withdrawn), (0, 1), "{:?}", outcome.report);
    assert_eq!(world.target.dump("ann")[&inbox()].len(), 4);
    let verification = verify(&world).await;
    assert!(verification.is_exact() && verification.withdrawn == 1 && verification.own_flags == 1, "{verification:?}");
}

#[tokio::test]
async fn removals_that_waited_are_kept_and_what_was_moved_or_lost_is_dealt_with_once_the_source_rules_again() {
    for target in [Traits::default(), Traits { removes_exactly: false, ..Traits::default() }] {
        let world = world(Traits::default(), target.clone(), Phase::Planned).await;
        world.source.expunge("ann", &path("Work"), &ItemId::from_u32(1));
        world.target.set_flags("ann", &path("Work"), &ItemId::from_u32(1), &Flags::of(["\\Flagged"]));
        world.sync_well().await;
        assert_eq!(removals(&world).await[0].state, RemovalState::Held);
        world.switch(Phase::Switching).await;
        assert_eq!(removals(&world).await[0].state, RemovalState::Kept);
        assert_eq!(world.approve_all().await, 0, "nobody is asked any more");
        world.source.expunge("ann", &inbox(), &ItemId::from_u32(2));
        world.source.relocate("ann", &inbox(), &path("Work"), &ItemId::from_u32(3)).unwrap();
        world.source.set_flags("ann", &inbox(), &ItemId::from_u32(1), &Flags::of(["\\Seen"]));
        world.sync_well().await;
        let (engine, mailboxes) = world.engine().await;
        let held = turns::take(&engine, mailboxes[0]).await;
        let state = turns::happen(&engine, &held, &Happened::SwitchReversed).await.unwrap();
        turns::give_back(&engine, held, &state).await.unwrap();
        engine.store.close().await;
        let outcome = world.sync_one().await;
        assert_eq!((outcome.report.moved, outcome.report.copied), (1, 0), "{:?}", outcome.report);
        assert_eq!(outcome.state.phase, Phase::InStep, "held ones don't block");
        let now = row(&world).await;
        assert!(now.freeze == Freeze::Thawed && now.is_in_use(), "{now:?}");
        let held = removals(&world).await;
        assert!(held.len() == 2 && held.iter().all(|held| held.state == RemovalState::Held), "{held:?}");
        assert!(verify(&world).await.is_exact());
        if target.removes_exactly {
            assert_eq!(world.approve_all().await, 2);
            world.sync_well().await;
            world.assert_same("ann");
        }
        sums(&world).await;
    }
}

/// Ids are lost on one side or the other while the source is left.
#[tokio::test]
async fn folders_numbered_anew_double_nothing() {
    for at_source in [false, true] {
        let world = world(Traits::default(), Traits::default(), Phase::Switched).await;
        world.target.set_flags("ann", &inbox(), &ItemId::from_u32(2), &Flags::of(["Mine"]));
        world.source.expunge("ann", &inbox(), &ItemId::from_u32(4));
        world.source.set_flags("ann", &inbox(), &ItemId::from_u32(1), &Flags::of(["\\Seen"]));
        let side = if at_source { &world.source } else { &world.target };
        side.renumber("ann", &inbox());
        let before = world.target.dump("ann");
        world.sync_well().await;
        assert_eq!(world.target.dump("ann"), before);
        sums(&world).await;
        world.undo().await;
        assert_eq!(world.source.dump("ann")[&inbox()].len(), 4, "what the source lost does not come back");
        world.sync_well().await;
        assert_eq!(world.target.dump("ann")[&inbox()].len(), 5, "it waits for a word");
        sums(&world).await;
    }
}
