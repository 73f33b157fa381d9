//! What other hands and unkind moments do to a mailbox: none of it may lose, double or touch anything.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use conformance::world::{World, contents, message};
use connector::Effect;
use connector::memory::{Dial, FaultyDial, MemoryConnector, MemoryItem, Traits, Wire};
use model::{Cause, Flags, FolderPath, ItemId, Loss, Phase, Scope};
use movement::{Moment, Probe, RunEnd};

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

/// Does something once, at a moment of an effect.
struct At<F: Fn() + Send + Sync> {
    moment: (Moment, Effect),
    nth: u64,
    seen: AtomicU64,
    act: F,
}

impl<F: Fn() + Send + Sync> Probe for At<F> {
    fn at(&self, moment: Moment, effect: Effect) {
        if (moment, effect) == self.moment && self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.nth {
            (self.act)();
        }
    }
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

#[tokio::test]
async fn flags_do_not_go_to_items_of_a_target_folder_that_was_made_anew() {
    for in_use in [false, true] {
        let mut world = World::new();
        world.person("ann");
        if in_use {
            world.in_use("ann");
        }
        let inbox = FolderPath::inbox();
        world.source.deliver("ann", &inbox, MemoryItem::message(message(1, "one"), 5));
        let second = world.source.deliver("ann", &inbox, MemoryItem::message(message(2, "two"), 5));
        world.sync_well().await;
        world.target.expunge("ann", &inbox, &ItemId::from_u32(1));
        world.target.renumber("ann", &inbox);
        let own = MemoryItem::message(message(3, "my own"), 5);
        world.target.deliver("ann", &inbox, own.clone());
        world.source.set_flags("ann", &inbox, &second, &Flags::of(["\\Flagged"]));
        world.sync_well().await;
        let there: Vec<MemoryItem> = world.target.dump("ann").remove(&inbox).unwrap().into_values().collect();
        assert!(there.contains(&own), "the person's own item had the number of the old one: {there:?}");
        let two = there.iter().find(|item| item.bytes == message(2, "two")).unwrap();
        assert_eq!(two.flags, Flags::of(["\\Flagged"]), "its copy was found again");
        let tally = world.tally().await;
        assert_eq!((tally.copied, tally.withdrawn), if in_use { (1, 1) } else { (2, 0) });
        assert_eq!(there.len(), if in_use { 2 } else { 3 });
    }
}

#[tokio::test]
async fn what_was_in_a_target_folder_made_anew_while_it_is_written_to_is_copied_again() {
    let mut world = World::new();
    world.person("ann");
    let inbox = FolderPath::inbox();
    for n in 0..2 {
        world.source.deliver("ann", &inbox, MemoryItem::message(message(n, "before"), 5));
    }
    world.sync_well().await;
    world.source.deliver("ann", &inbox, MemoryItem::message(message(7, "later"), 5));
    let target = world.target.clone();
    world.probe = Arc::new(At {
        moment: (Moment::AfterCheck, Effect::Append),
        nth: 1,
        seen: AtomicU64::new(0),
        act: move || {
            target.remove_folder("ann", &FolderPath::inbox());
            target.add_folder("ann", &FolderPath::inbox());
        },
    });
    let end = world.sync_well().await;
    assert_eq!(end.outcomes[0].state.phase, Phase::InStep);
    world.assert_same("ann");
}

#[tokio::test]
async fn a_mailbox_that_comes_back_to_the_roster_does_not_share_a_store() {
    let mut world = World::new();
    world.person("ann");
    world.person("bob");
    let (engine, _) = world.engine().await;
    let rows = engine.store.mailboxes(engine.key).await.unwrap();
    let mut roster: Vec<_> = rows.iter().map(|row| row.roster.clone()).collect();
    roster[1].target_name = "ann".to_owned();
    for (name, n) in [("ann", 1), ("bob", 2)] {
        world.source.deliver(name, &FolderPath::inbox(), MemoryItem::message(message(n, name), 5));
    }
    let mut ends = Vec::new();
    for listed in [&roster[..1], &roster[1..], &roster[..]] {
        engine.store.enroll(engine.key, listed).await.unwrap();
        let mut engine = engine.clone();
        let rows = engine.store.mailboxes(engine.key).await.unwrap();
        for row in &rows {
            Arc::make_mut(&mut engine.people).get_mut(&row.mailbox).unwrap().target =
                connector::Account::named(&row.roster.target_name);
        }
        let listed: Vec<i64> = rows.iter().filter(|row| row.listed).map(|row| row.mailbox).collect();
        ends.push(engine.run(&listed).await);
    }
    let causes: Vec<_> =
        ends[2].outcomes.iter().filter_map(|outcome| Some(outcome.failure.as_ref()?.error.cause)).collect();
    assert!(causes.contains(&Cause::SharedStore), "{:?}", ends[2]);
}

#[tokio::test]
async fn what_lay_on_the_target_before_a_batch_is_not_taken_for_its_outcome() {
    for traits in [Traits::default(), Traits { removes_exactly: false, ..Traits::default() }] {
        let mut moments = 1;
        let mut break_at = 0;
        while break_at <= moments {
            let mut world = World::with(Traits::default(), traits.clone());
            world.person("ann");
            world.in_use("ann");
            let inbox = FolderPath::inbox();
            let own = MemoryItem { flags: Flags::of(["Mine"]), ..twin() };
            world.target.deliver("ann", &inbox, own);
            world.source.deliver("ann", &inbox, twin());
            world.source.deliver("ann", &inbox, twin());
            let faulty = FaultyDial::new(world.target_dial.clone(), break_at);
            world.target_dial = Arc::new(faulty.clone());
            world.sync_well().await;
            let there = contents(&world.target, "ann").remove(&inbox).unwrap();
            assert_eq!(there.len(), 2, "broken at {break_at} of {moments}: one was there, one was to be added");
            let tally = world.tally().await;
            assert_eq!((tally.adopted, tally.copied), (1, 1), "broken at {break_at} of {moments}");
            moments = moments.max(faulty.moments());
            break_at += 1;
        }
    }
}

#[tokio::test]
async fn what_was_in_a_target_folder_made_anew_between_two_runs_is_copied_again() {
    for is_made_again in [true, false] {
        let mut world = World::new();
        world.person("ann");
        let folder = FolderPath::new(["Letters"]);
        for n in 0..3 {
            world.source.deliver("ann", &folder, MemoryItem::message(message(n, "x"), 5));
        }
        world.sync_well().await;
        world.target.remove_folder("ann", &folder);
        if is_made_again {
            world.target.add_folder("ann", &folder);
        }
        let end = world.sync_well().await;
        assert_eq!(end.outcomes[0].state.phase, Phase::InStep);
        world.assert_same("ann");
    }
}

/// Lets one connection through; every later one is refused.
struct Once(Arc<dyn Dial>, AtomicU64);

#[async_trait]
impl Dial for Once {
    async fn dial(&self) -> Result<Box<dyn Wire>, connector::Error> {
        if self.1.fetch_add(1, Ordering::SeqCst) > 0 {
            return Err(connector::Error::new(Cause::Login, Scope::Mailbox, "no more than one connection"));
        }
        self.0.dial().await
    }
}

fn breaks_for_good(world: &mut World, at: u64) -> FaultyDial {
    let faulty = FaultyDial::new(Arc::new(Once(world.target_dial.clone(), AtomicU64::new(0))), at);
    world.target_dial = Arc::new(faulty.clone());
    faulty
}

#[tokio::test]
async fn a_cursor_never_moves_past_an_item_without_a_fate() {
    let inbox = FolderPath::inbox();
    for break_at in 1.. {
        let mut world = World::with(Traits::default(), Traits { refuses: vec![Loss::Nul], ..Traits::default() });
        world.person("ann");
        for n in 0..20 {
            let body = if n == 7 { "nul \0" } else { "x" };
            world.source.deliver("ann", &inbox, MemoryItem::message(message(n, body), 5));
        }
        let faulty = breaks_for_good(&mut world, break_at);
        sync_undeclared(&world).await;
        let (engine, mailboxes) = world.engine().await;
        for folder in engine.store.folders(engine.key, mailboxes[0]).await.unwrap() {
            // The cursor of the platform in memory: validity, then the first id that is not covered.
            let Some(cursor) = &folder.cursor else { continue };
            let next = u32::from_be_bytes(cursor[8..12].try_into().unwrap());
            let items = engine.store.items(engine.key, &folder).next().await.unwrap();
            let with_fate = items.iter().filter(|item| item.source_id < ItemId::from_u32(next)).count();
            assert_eq!(with_fate, next as usize - 1, "broken at {break_at}: the cursor covers all before {next}");
        }
        if faulty.moments() < break_at {
            break;
        }
    }
}

#[tokio::test]
async fn a_batch_in_doubt_is_settled_although_its_folder_is_numbered_anew_or_gone() {
    let folder = FolderPath::new(["Old"]);
    for (is_gone, is_gone_there) in [(false, false), (true, false), (true, true)] {
        let mut in_doubt = 0;
        for break_at in 1.. {
            let mut world = World::new();
            world.person("ann");
            for n in 0..3 {
                world.source.deliver("ann", &folder, MemoryItem::message(message(n, "x"), 5));
            }
            let faulty = breaks_for_good(&mut world, break_at);
            world.sync().await;
            world.target_dial = Arc::new(world.target.clone());
            if faulty.moments() < break_at {
                break;
            }
            let (engine, mailboxes) = world.engine().await;
            let intents = engine.store.intents(engine.key, mailboxes[0]).await.unwrap();
            if intents.is_empty() {
                continue;
            }
            in_doubt += 1;
            if is_gone {
                world.source.remove_folder("ann", &folder);
            } else {
                world.source.renumber("ann", &folder);
            }
            if is_gone_there {
                world.target.remove_folder("ann", &folder);
            }
            let mut end = world.sync_well().await;
            for _ in 0..4 {
                end = world.sync_well().await;
            }
            assert_eq!(end.outcomes[0].state.phase, Phase::InStep, "gone: {is_gone}, broken at {break_at}: {end:?}");
            assert!(engine.store.intents(engine.key, mailboxes[0]).await.unwrap().is_empty());
            if is_gone && !is_gone_there {
                let there = world.target.dump("ann").get(&folder).map_or(0, std::collections::BTreeMap::len);
                let tallies = engine.store.tallies(engine.key, mailboxes[0]).await.unwrap();
                let known: u64 = tallies.iter().map(|(_, tally)| tally.copied).sum();
                assert_eq!(known, there as u64, "what was written is in the ledger");
            }
            if !is_gone {
                world.assert_same("ann");
            }
        }
        assert!(in_doubt > 0);
    }
}

#[tokio::test]
async fn an_item_that_the_source_lists_again_is_not_copied_again() {
    for traits in [Traits::default(), Traits { tells_gone: false, ..Traits::default() }, Traits::poor()] {
        let mut world = World::with(traits, Traits::default());
        world.person("ann");
        // Its removal waits.
        (world.policy.following.removals_free, world.policy.following.removals_max) = (0, 0);
        let inbox = FolderPath::inbox();
        let ids: Vec<ItemId> =
            (0..4).map(|n| world.source.deliver("ann", &inbox, MemoryItem::message(message(n, "x"), 5))).collect();
        world.sync_well().await;
        world.source.expunge("ann", &inbox, &ids[1]);
        world.sync_well().await;
        let seen = MemoryItem { flags: Flags::of(["\\Seen"]), ..MemoryItem::message(message(1, "x"), 5) };
        world.source.put_back("ann", &inbox, &ids[1], seen);
        let end = world.sync_well().await;
        assert_eq!(end.outcomes[0].report.copied, 0);
        world.assert_same("ann");
        let (engine, mailboxes) = world.engine().await;
        assert!(engine.store.held_removals(engine.key, mailboxes[0]).await.unwrap().is_empty());
        let tally = world.tally().await;
        assert_eq!((tally.source, tally.copied), (4, 4));
    }
}
