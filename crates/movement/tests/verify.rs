//! Verify finds what was planted behind its back, and names it.
#![allow(clippy::unwrap_used, reason = "test code")]

use conformance::world::{World, message};
use connector::memory::{MemoryItem, Traits};
use model::{Cause, Flags, FolderPath, ItemId, Loss};
use movement::{DifferenceKind, Verification};

async fn verify(world: &World, sample: Option<u64>) -> Verification {
    let (engine, _) = world.engine().await;
    let row = engine.store.mailboxes(engine.key).await.unwrap().remove(0);
    engine.verify(&row, sample).await.unwrap()
}

async fn synced() -> World {
    let mut world = World::new();
    world.person("ann");
    for n in 0..10 {
        let mut item = MemoryItem::message(message(n, "body"), 1_000_000_000 + n as i64);
        item.flags = Flags::of(["\\Seen"]);
        world.source.deliver("ann", &FolderPath::new([if n < 5 { "INBOX" } else { "Sent" }]), item);
    }
    world.sync_well().await;
    world
}

fn kinds(verification: &Verification) -> Vec<DifferenceKind> {
    verification.differences.iter().map(|difference| difference.kind).collect()
}

#[tokio::test]
async fn an_exact_copy_is_exact() {
    let world = synced().await;
    let effects = (world.source.effects(), world.target.effects());
    let verification = verify(&world, None).await;
    assert!(verification.is_exact(), "{verification:?}");
    assert_eq!(verification.sentence(), "10 items of 2 folders: 10 on the target, 0 unexplained.");
    let sample = verify(&world, Some(4)).await;
    assert!(sample.is_exact());
    assert_eq!(sample.sentence(), "4 sampled items of 2 folders: 4 on the target, 0 unexplained.");
    assert_eq!((world.source.effects(), world.target.effects()), effects, "nothing was written");
}

#[tokio::test]
async fn each_planted_difference_is_named() {
    let inbox = FolderPath::inbox();
    let id = ItemId::from_u32(2);
    let replace = |world: &World, change: fn(&mut MemoryItem)| {
        let mut item = world.target.dump("ann")[&inbox][&2].clone();
        world.target.expunge("ann", &inbox, &id);
        change(&mut item);
        world.target.deliver("ann", &inbox, item);
    };
    let world = synced().await;
    replace(&world, |item| {
        let last = item.bytes.len() - 3;
        item.bytes[last] ^= 1;
    });
    assert_eq!(kinds(&verify(&world, None).await), [DifferenceKind::ChangedBytes]);

    let world = synced().await;
    world.target.set_flags("ann", &inbox, &id, &Flags::NONE);
    assert_eq!(kinds(&verify(&world, None).await), [DifferenceKind::ChangedFlags]);
    assert_eq!(kinds(&verify(&world, Some(100)).await), [DifferenceKind::ChangedFlags]);

    let world = synced().await;
    world.target.deliver("ann", &inbox, world.target.dump("ann")[&inbox][&2].clone());
    assert_eq!(kinds(&verify(&world, None).await), [DifferenceKind::Doubled]);

    let world = synced().await;
    world.target.remove_folder("ann", &FolderPath::new(["Sent"]));
    let verification = verify(&world, None).await;
    assert_eq!(verification.unexplained, 5);
    assert_eq!(kinds(&verification)[0], DifferenceKind::MissingFolder);
    assert!(kinds(&verification)[1..].iter().all(|kind| *kind == DifferenceKind::Missing));

    let world = synced().await;
    replace(&world, |item| item.received.unix_seconds -= 3600);
    assert_eq!(kinds(&verify(&world, None).await), [DifferenceKind::ChangedDate]);

    let world = synced().await;
    world.target.expunge("ann", &inbox, &id);
    let verification = verify(&world, None).await;
    assert_eq!(kinds(&verification), [DifferenceKind::Missing]);
    assert_eq!(verification.sentence(), "10 items of 2 folders: 9 on the target, 1 unexplained.");
    assert!(!verification.is_exact());
}

#[tokio::test]
async fn what_the_target_cannot_hold_is_explained_and_the_persons_own_is_counted_apart() {
    let mut world = World::with(Traits::default(), Traits { refuses: vec![Loss::Nul], ..Traits::default() });
    world.person("ann");
    let inbox = FolderPath::inbox();
    world.source.deliver("ann", &inbox, MemoryItem::message(message(1, "nul \0"), 5));
    world.source.deliver("ann", &inbox, MemoryItem::message(message(2, "fine"), 5));
    world.target.deliver("ann", &inbox, MemoryItem::message(message(3, "mine"), 5));
    world.sync_well().await;
    let verification = verify(&world, None).await;
    assert_eq!(verification.failed.get(&Cause::Nul), Some(&1));
    assert_eq!((verification.unexplained, verification.others_on_target), (0, 1));
    assert_eq!(verification.sentence(), "2 items of 1 folder: 1 on the target, 1 failed (1 nul), 0 unexplained.");
}

#[tokio::test]
async fn where_the_person_works_already_their_flags_are_their_own() {
    let mut world = World::new();
    world.person("ann");
    world.in_use("ann");
    let inbox = FolderPath::inbox();
    let id = world.source.deliver("ann", &inbox, MemoryItem::message(message(1, "x"), 5));
    world.sync_well().await;
    world.target.set_flags("ann", &inbox, &id, &Flags::of(["\\Seen"]));
    let verification = verify(&world, None).await;
    assert!(verification.is_exact());
    assert_eq!(verification.own_flags, 1);
}
