//! Verify finds what was planted behind its back, and names it.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use conformance::world::{World, message};
use connector::memory::{Dial, MemoryItem, Request, Response, Traits, Wire};
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

/// Requires that samples of every size say nothing that the whole comparison does not say, and that their numbers add up.
async fn samples_agree(world: &World) -> Verification {
    let all = verify(world, None).await;
    for n in 1..=all.items + 1 {
        let sample = verify(world, Some(n)).await;
        assert!(sample.items >= n.min(all.items) && sample.items <= all.items, "{n}: {sample:?}");
        assert_eq!(sample.sampled, Some(sample.items), "{n}");
        let mut known = all.differences.clone();
        for difference in &sample.differences {
            let at = known.iter().position(|known| known == difference);
            known.remove(at.unwrap_or_else(|| panic!("{n} of {}: {difference:?} of {all:?}", all.items)));
        }
        let missing = kinds(&sample).iter().filter(|kind| **kind == DifferenceKind::Missing).count() as u64;
        let explained: u64 = sample.failed.values().chain(sample.accepted.values()).sum();
        let fates = sample.on_target + explained + sample.held + sample.withdrawn + sample.moving + missing;
        assert_eq!(fates, sample.items, "{n}: {sample:?}");
        assert!(sample.is_exact() || !all.is_exact(), "{n}: {sample:?}");
        if n >= all.items {
            assert_eq!(Verification { sampled: None, ..sample }, all, "a sample of everything is the whole");
        }
    }
    all
}

/// Notes which single items are read.
struct Noting(Arc<dyn Dial>, Arc<Mutex<Vec<(FolderPath, u32)>>>);

struct NotingWire(Box<dyn Wire>, Arc<Mutex<Vec<(FolderPath, u32)>>>);

#[async_trait]
impl Dial for Noting {
    async fn dial(&self) -> Result<Box<dyn Wire>, connector::Error> {
        Ok(Box::new(NotingWire(self.0.dial().await?, self.1.clone())))
    }
}

#[async_trait]
impl Wire for NotingWire {
    async fn send(&mut self, request: Request) -> Result<(), connector::Error> {
        if let Request::Items(path, id, 1) = &request {
            self.1.lock().unwrap().push((path.clone(), *id));
        }
        self.0.send(request).await
    }

    async fn receive(&mut self) -> Result<Response, connector::Error> {
        self.0.receive().await
    }
}

#[tokio::test]
async fn a_sample_is_spread_over_all_folders_and_ages_and_is_the_same_each_time() {
    let mut world = World::new();
    world.person("ann");
    for (folder, count) in [("INBOX", 60), ("Sent", 30), ("Old", 6), ("One", 1)] {
        for n in 0..count {
            let item = MemoryItem::message(message(n, folder), 1_000_000_000 + n as i64);
            world.source.deliver("ann", &FolderPath::new([folder]), item);
        }
    }
    world.sync_well().await;
    let noted = Arc::new(Mutex::new(Vec::new()));
    world.source_dial = Arc::new(Noting(world.source_dial.clone(), noted.clone()));
    let sample = verify(&world, Some(20)).await;
    assert_eq!(sample.sentence(), "20 sampled items of 4 folders: 20 on the target, 0 unexplained.");
    let first = std::mem::take(&mut *noted.lock().unwrap());
    let of = |folder: &str| -> Vec<u32> {
        first.iter().filter(|(path, _)| path.to_string() == folder).map(|(_, id)| *id).collect()
    };
    assert_eq!((of("One").len(), first.len()), (1, 20));
    assert!(of("Old").len() >= 2 && of("Sent").len() >= 5, "{first:?}");
    for third in [1..=20_u32, 21..=40, 41..=60] {
        assert!(of("INBOX").iter().filter(|id| third.contains(*id)).count() >= 3, "{third:?} of {first:?}");
    }
    verify(&world, Some(20)).await;
    assert_eq!(*noted.lock().unwrap(), first);
    let few = verify(&world, Some(2)).await;
    assert_eq!((few.items, few.is_exact()), (2, true), "fewer than there are folders");
}

#[tokio::test]
async fn a_sample_of_many_equal_items_takes_none_for_missing_or_doubled() {
    let (inbox, aside) = (FolderPath::inbox(), FolderPath::new(["Aside"]));
    let mut world = World::new();
    world.person("ann");
    for n in 0..12 {
        let flags = Flags::of([if n % 2 == 0 { "\\Seen" } else { "\\Flagged" }]);
        world.source.deliver("ann", &inbox, MemoryItem { flags, ..MemoryItem::message(message(1, "x"), 5) });
    }
    world.sync_well().await;
    assert!(samples_agree(&world).await.is_exact());
    // Two change their places: as many of each kind as before.
    world.target.set_flags("ann", &inbox, &ItemId::from_u32(1), &Flags::of(["\\Flagged"]));
    world.target.set_flags("ann", &inbox, &ItemId::from_u32(2), &Flags::of(["\\Seen"]));
    assert!(samples_agree(&world).await.is_exact());
    // One is moved away and back, under another id.
    let away = world.target.relocate("ann", &inbox, &aside, &ItemId::from_u32(5)).unwrap();
    world.target.relocate("ann", &aside, &inbox, &away);
    assert!(samples_agree(&world).await.is_exact());
    world.target.expunge("ann", &inbox, &ItemId::from_u32(6));
    assert_eq!(kinds(&samples_agree(&world).await), [DifferenceKind::Missing]);
}

#[tokio::test]
async fn a_sample_says_of_planted_differences_what_the_whole_says() {
    let (inbox, sent) = (FolderPath::inbox(), FolderPath::new(["Sent"]));
    let id = ItemId::from_u32(2);
    let world = synced().await;
    world.target.deliver("ann", &inbox, world.target.dump("ann")[&inbox][&2].clone());
    assert_eq!(kinds(&samples_agree(&world).await), [DifferenceKind::Doubled]);
    let world = synced().await;
    world.target.set_flags("ann", &inbox, &id, &Flags::NONE);
    assert_eq!(kinds(&samples_agree(&world).await), [DifferenceKind::ChangedFlags]);
    let world = synced().await;
    world.target.remove_folder("ann", &sent);
    assert_eq!(samples_agree(&world).await.unexplained, 5);
    let world = synced().await;
    world.target.expunge("ann", &inbox, &id);
    world.target.renumber("ann", &inbox);
    assert_eq!(kinds(&samples_agree(&world).await), [DifferenceKind::Missing], "ids there mean other items now");
    let world = synced().await;
    world.source.relocate("ann", &inbox, &sent, &id);
    assert_eq!(samples_agree(&world).await.unexplained, 1, "not synced yet");
    world.sync_well().await;
    assert!(samples_agree(&world).await.is_exact());
}

#[tokio::test]
async fn a_sample_of_what_was_never_copied_is_not_exact() {
    let mut world = World::new();
    world.person("ann");
    for n in 0..3 {
        world.source.deliver("ann", &FolderPath::inbox(), MemoryItem::message(message(n, "x"), 5));
    }
    assert_eq!(samples_agree(&world).await.unexplained, 3);
}

#[tokio::test]
async fn a_sample_knows_what_failed_waits_is_accepted_or_was_removed_by_its_person() {
    let mut world = World::with(Traits::default(), Traits { refuses: vec![Loss::Nul], ..Traits::default() });
    world.person("ann");
    world.in_use("ann");
    let inbox = FolderPath::inbox();
    for n in 0..4 {
        world.source.deliver("ann", &inbox, MemoryItem::message(message(n, "nul \0"), 5));
        world.source.deliver("ann", &inbox, MemoryItem::message(message(10 + n, "body"), 5));
        world.source.deliver("ann", &inbox, MemoryItem::message(message(20 + n, "fine"), 5));
        world.target.deliver("ann", &inbox, MemoryItem::message(message(10 + n, "another body"), 5));
    }
    world.sync_well().await;
    let (engine, _) = world.engine().await;
    let failures = engine.store.failures(engine.key, None).await.unwrap();
    let accepted: Vec<_> = failures.into_iter().take(2).map(|failure| (failure.folder, failure.source_id)).collect();
    engine.store.accept_failures(engine.key, &accepted, "Kim", "empty").await.unwrap();
    let copies = |world: &World| -> Vec<u32> {
        let there = world.target.dump("ann").remove(&inbox).unwrap();
        there.into_iter().filter(|(_, item)| item.bytes.ends_with(b"fine\r\n")).map(|(id, _)| id).collect()
    };
    let ids = copies(&world);
    world.target.expunge("ann", &inbox, &ItemId::from_u32(ids[0]));
    world.sync_well().await;
    // Since the last pass, and so not in the ledger.
    world.target.relocate("ann", &inbox, &FolderPath::new(["Mine"]), &ItemId::from_u32(ids[1]));
    world.target.set_flags("ann", &inbox, &ItemId::from_u32(ids[2]), &Flags::of(["Mine"]));
    let all = samples_agree(&world).await;
    let nul = |causes: &std::collections::BTreeMap<Cause, u64>| causes.get(&Cause::Nul).copied();
    assert_eq!((nul(&all.failed), nul(&all.accepted)), (Some(2), Some(2)));
    assert_eq!((all.held, all.withdrawn, all.own_flags, all.unexplained), (4, 2, 1, 0), "{all:?}");
}
