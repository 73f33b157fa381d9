//! What would otherwise stay for good: names of folders that are not there, folders left empty, items that are never tried
//! again, exceptions told again and again.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use conformance::world::{World, message};
use connector::Folder;
use connector::memory::{Dial, MemoryItem, Request, Response, Traits, Wire};
use model::{Cause, Condition, FolderPath, ItemId, ItemKind, Phase};

fn path(names: &[&str]) -> FolderPath {
    FolderPath::new(names.iter().copied())
}

fn item(number: usize) -> MemoryItem {
    MemoryItem::message(message(number, &format!("body {number}")), 1_000_000_000 + number as i64)
}

/// Ann with ten messages in INBOX and ten in Work, in step.
async fn world_in_step() -> World {
    let mut world = World::new();
    world.person("ann");
    for n in 0..10 {
        world.source.deliver("ann", &FolderPath::inbox(), item(n));
        world.source.deliver("ann", &path(&["Work"]), item(100 + n));
    }
    world.sync_well().await;
    world
}

/// Requires that another run writes nothing.
async fn is_at_rest(world: &World) {
    let effects = world.target.effects();
    let end = world.sync_well().await;
    assert_eq!(world.target.effects(), effects, "{:?}", end.outcomes[0].report);
    assert_eq!(end.outcomes[0].state.phase, Phase::InStep);
    let tally = world.tally().await;
    assert_eq!(tally.source, tally.accounted());
}

async fn exceptions(world: &World) -> Vec<(Cause, FolderPath)> {
    let (engine, _) = world.engine().await;
    let rows = engine.store.exceptions(engine.key).await.unwrap();
    rows.into_iter().map(|row| (row.exception.class, row.exception.path)).collect()
}

/// A source that names a folder in every nth list, whether it is there or not.
struct Naming {
    inner: Arc<dyn Dial>,
    path: FolderPath,
    every: u64,
    lists: Arc<AtomicU64>,
}

struct NamingWire(Box<dyn Wire>, FolderPath, u64, Arc<AtomicU64>);

#[async_trait]
impl Dial for Naming {
    async fn dial(&self) -> Result<Box<dyn Wire>, connector::Error> {
        Ok(Box::new(NamingWire(self.inner.dial().await?, self.path.clone(), self.every, self.lists.clone())))
    }
}

#[async_trait]
impl Wire for NamingWire {
    async fn send(&mut self, request: Request) -> Result<(), connector::Error> {
        self.0.send(request).await
    }

    async fn receive(&mut self) -> Result<Response, connector::Error> {
        let mut response = self.0.receive().await?;
        if let Response::Folders(folders) = &mut response
            && self.3.fetch_add(1, Ordering::SeqCst).is_multiple_of(self.2)
            && folders.iter().all(|folder| folder.path != self.1)
        {
            folders.push(Folder {
                path: self.1.clone(),
                kind: ItemKind::Message,
                holds_items: true,
                special_use: None,
                subscribed: false,
                state: None,
                size_bytes: None,
            });
        }
        Ok(response)
    }
}

fn naming(world: &mut World, path: &FolderPath, every: u64) {
    let (inner, path, lists) = (world.source_dial.clone(), path.clone(), Arc::default());
    world.source_dial = Arc::new(Naming { inner, path, every, lists });
}

#[tokio::test]
async fn a_name_without_a_folder_keeps_nothing_from_being_in_step() {
    let mut world = world_in_step().await;
    let (inbox, ghost) = (FolderPath::inbox(), path(&["Ghost"]));
    naming(&mut world, &ghost, 1);
    world.source.expunge("ann", &inbox, &ItemId::from_u32(1));
    let end = world.sync_well().await;
    assert_eq!((end.outcomes[0].report.removed, end.outcomes[0].state.phase), (1, Phase::InStep));
    assert_eq!(end.outcomes[0].state.condition, Condition::Running);
    world.assert_same("ann");
    is_at_rest(&world).await;
    assert_eq!(exceptions(&world).await, [(Cause::Missing, ghost)], "told once");
    let (engine, _) = world.engine().await;
    let row = engine.store.mailboxes(engine.key).await.unwrap().remove(0);
    assert!(engine.verify(&row, None).await.unwrap().is_exact(), "nor does the copy lack it");
}

#[tokio::test]
async fn a_removed_folder_that_is_named_all_the_same_waits_for_a_word() {
    let mut world = world_in_step().await;
    let work = path(&["Work"]);
    naming(&mut world, &work, 1);
    world.policy.following.deletion_settle_hours = 24;
    world.source.remove_folder("ann", &work);
    world.sync_well().await;
    assert_eq!(world.target.dump("ann")[&work].len(), 10, "it may come back");
    world.policy.following.deletion_settle_hours = 0;
    world.sync_well().await;
    assert_eq!(world.target.dump("ann")[&work].len(), 10, "the source may have lost what it still names");
    let (engine, mailboxes) = world.engine().await;
    let held = engine.store.held_removals(engine.key, mailboxes[0]).await.unwrap();
    assert!(held.iter().all(|held| held.rule == "listed-but-not-there"), "{held:?}");
    let held: Vec<(i64, ItemId)> = held.into_iter().map(|held| (held.folder, held.source_id)).collect();
    assert_eq!(engine.store.answer_removals(engine.key, &held, true).await.unwrap(), 10);
    world.sync_well().await;
    world.assert_same("ann");
    is_at_rest(&world).await;
}

#[tokio::test]
async fn a_folder_that_goes_between_its_listing_and_its_opening_keeps_removals_waiting() {
    let mut world = world_in_step().await;
    // Named when a pass begins, and no longer when it asks again.
    naming(&mut world, &path(&["Leaving"]), 2);
    world.source.expunge("ann", &FolderPath::inbox(), &ItemId::from_u32(1));
    let end = world.sync_well().await;
    assert_eq!((end.outcomes[0].report.removed, end.outcomes[0].report.complete), (0, false));
    assert!(exceptions(&world).await.is_empty());
}

#[tokio::test]
async fn a_folder_removed_before_those_below_it_goes_with_the_last_of_them() {
    let mut world = World::new();
    world.person("ann");
    let (above, below, deep) = (path(&["A"]), path(&["A", "B"]), path(&["A", "B", "C"]));
    for (n, folder) in [&above, &below, &deep].into_iter().enumerate() {
        world.source.deliver("ann", folder, item(n));
    }
    world.sync_well().await;
    for folder in [&above, &below] {
        world.source.remove_folder("ann", folder);
        world.sync_well().await;
        assert!(world.target.dump("ann")[folder].is_empty(), "the one below it needs it");
        is_at_rest(&world).await;
    }
    world.source.remove_folder("ann", &deep);
    world.sync_well().await;
    world.assert_same("ann");
    is_at_rest(&world).await;
    let (engine, mailboxes) = world.engine().await;
    assert_eq!(engine.store.folders(engine.key, mailboxes[0]).await.unwrap().len(), 1, "all else is forgotten");
}

#[tokio::test]
async fn what_failed_is_tried_again_where_new_mail_came_meanwhile() {
    let sources = [Traits::default(), Traits { tells_gone: false, ..Traits::default() }, Traits::poor()];
    for source in sources {
        let mut world = World::with(source, Traits { item_bytes_max: Some(2_000), ..Traits::default() });
        world.person("ann");
        let inbox = FolderPath::inbox();
        world.source.deliver("ann", &inbox, MemoryItem::message(message(1, &"x".repeat(3_000)), 5));
        world.source.deliver("ann", &path(&["Work"]), MemoryItem::message(message(2, &"x".repeat(3_000)), 5));
        world.sync_well().await;
        for tries in 2..4 {
            world.source.deliver("ann", &inbox, item(tries));
            let end = world.sync_well().await;
            assert_eq!((end.outcomes[0].report.copied, end.outcomes[0].report.failed), (1, 2));
            let (engine, _) = world.engine().await;
            let failures = engine.store.failures(engine.key, None).await.unwrap();
            let counted: Vec<i64> = failures.iter().map(|failure| failure.tries).collect();
            assert_eq!(counted, [tries as i64, tries as i64], "once a run");
        }
        let tally = world.tally().await;
        assert_eq!((tally.source, tally.accounted()), (4, 4));
    }
}
