//! Many items that are alike cost few statements: on a PostgreSQL far away each is a round trip.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::sync::atomic::{AtomicU64, Ordering};

use conformance::world::{World, message};
use connector::memory::{MemoryItem, Traits};
use model::{Flags, FolderPath, ItemId};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber, subscriber};

static STATEMENTS: AtomicU64 = AtomicU64::new(0);

/// Counts what sqlx says that it has run.
struct Counting;

impl Subscriber for Counting {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn event(&self, _: &Event<'_>) {
        STATEMENTS.fetch_add(1, Ordering::SeqCst);
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

const ITEMS: u32 = 400;

/// How many statements a run takes.
async fn statements(world: &World) -> u64 {
    let before = STATEMENTS.load(Ordering::SeqCst);
    world.sync_well().await;
    STATEMENTS.load(Ordering::SeqCst) - before
}

#[tokio::test]
async fn hundreds_of_removals_moves_and_flags_take_few_statements() {
    subscriber::set_global_default(Counting).unwrap();
    let (inbox, archive) = (FolderPath::inbox(), FolderPath::new(["Archive"]));
    let every = || (1..=ITEMS).map(ItemId::from_u32);
    for removes_exactly in [true, false] {
        let mut world = World::with(Traits::default(), Traits { removes_exactly, ..Traits::default() });
        world.tuning.batch_items = 500;
        world.tuning.batch_bytes = 1 << 20;
        world.person("ann");
        world.source.add_folder("ann", &archive);
        for n in 1..=ITEMS {
            let item = MemoryItem::message(message(n as usize, "x"), i64::from(n));
            world.source.deliver("ann", &inbox, item);
        }
        world.sync_well().await;
        let idle = statements(&world).await;
        let max = idle * 3 + 100;
        for id in every() {
            world.source.set_flags("ann", &inbox, &id, &Flags::of(["\\Seen"]));
        }
        let flags = statements(&world).await;
        let there: Vec<ItemId> =
            every().map(|id| world.source.relocate("ann", &inbox, &archive, &id).unwrap()).collect();
        let shifted = statements(&world).await;
        // Numbered anew on the target, and removals that wait there.
        world.policy.following.removals_a_day_max = 0;
        for id in &there {
            world.source.expunge("ann", &archive, id);
        }
        let held = statements(&world).await;
        world.target.renumber("ann", &archive);
        let renumbered = statements(&world).await;
        let (engine, mailboxes) = world.engine().await;
        let waiting = engine.store.held_removals(engine.key, mailboxes[0]).await.unwrap();
        let waiting: Vec<_> = waiting.into_iter().map(|held| (held.folder, held.source_id)).collect();
        assert_eq!(waiting.len(), ITEMS as usize);
        engine.store.answer_removals(engine.key, &waiting, true).await.unwrap();
        let removed = statements(&world).await;
        let left = world.target.dump("ann")[&archive].len();
        assert_eq!(left, if removes_exactly { 0 } else { ITEMS as usize });
        let all = [flags, shifted, held, renumbered, removed];
        assert!(all.iter().all(|statements| *statements < max), "{all:?}, and {idle} where nothing is to be done");
    }
}
