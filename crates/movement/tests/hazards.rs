//! What other hands and unkind moments do to a mailbox: none of it may lose, double or touch anything.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

use std::sync::Arc;

use conformance::world::{World, message};
use connector::memory::{MemoryConnector, MemoryItem, Traits};
use model::{FolderPath, Loss};
use movement::RunEnd;

fn twin() -> MemoryItem {
    MemoryItem::message(message(1, "the same"), 5)
}

/// Syncs with connectors that do not say what the target refuses.
async fn sync_undeclared(world: &World) -> RunEnd {
    let (mut engine, mailboxes) = world.engine().await;
    for endpoint in engine.endpoints.values_mut() {
        let (dial, platform) = match endpoint.name.as_str() {
            "local" => (&world.source_dial, &world.source),
            _ => (&world.target_dial, &world.target),
        };
        let traits = Traits { refuses: Vec::new(), ..platform.traits().clone() };
        endpoint.connector = Arc::new(MemoryConnector::dialling(dial.clone(), traits));
    }
    engine.run(&mailboxes).await
}

#[tokio::test]
async fn a_refused_item_is_not_taken_for_an_equal_one_stored_without_an_id() {
    for batches_whole in [true, false] {
        let target = Traits { ids_on_append: false, batches_whole, refuses: vec![Loss::Nul], ..Traits::default() };
        let mut world = World::with(Traits::default(), target);
        world.person("ann");
        let inbox = FolderPath::inbox();
        for n in 0..9 {
            world.source.deliver("ann", &inbox, twin());
            if n == 6 {
                world.source.deliver("ann", &inbox, MemoryItem::message(message(9, "nul \0"), 5));
            }
        }
        let end = sync_undeclared(&world).await;
        assert_eq!((end.outcomes[0].report.copied, end.outcomes[0].report.failed), (9, 1), "{end:?}");
        assert_eq!(world.target.dump("ann")[&inbox].len(), 9, "each of nine equal messages");
    }
}

#[tokio::test]
async fn equal_messages_that_did_not_fit_are_not_taken_for_those_that_did() {
    let size = twin().bytes.len() as u64;
    let mut world = World::with(Traits::default(), Traits { quota_bytes: Some(size * 7), ..Traits::poor() });
    world.person("ann");
    let inbox = FolderPath::inbox();
    for _ in 0..12 {
        world.source.deliver("ann", &inbox, twin());
    }
    world.sync().await;
    world.target.set_quota(None);
    world.sync_well().await;
    assert_eq!(world.target.dump("ann")[&inbox].len(), 12);
}
