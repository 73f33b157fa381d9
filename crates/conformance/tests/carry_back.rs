//! Carrying back, stopped at every effect and resumed, with every call failing once and every answer lost once: both sides end the
//! same, each item once, and nothing is removed at the source.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use conformance::remote::RemoteServer;
use conformance::stop::{Orders, run_subject};
use conformance::world::{Contents, World, contents, message};
use conformance::{turns, whole};
use connector::memory::{FaultyDial, MemoryItem, Traits};
use model::{Flags, FolderPath, ItemId, Phase};

const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");

fn path(name: &str) -> FolderPath {
    FolderPath::new([name])
}

fn item(number: usize) -> MemoryItem {
    MemoryItem::message(message(number, &format!("body {number}")), 1_000_000_000 + number as i64)
}

/// A switched person, after some days on both sides.
async fn world(traits: &Traits) -> World {
    let mut world = World::with(traits.clone(), traits.clone());
    world.person("ann");
    let inbox = FolderPath::inbox();
    for n in 0..8 {
        world.source.deliver("ann", &inbox, item(n));
        world.source.deliver("ann", &path("Work"), item(100 + n));
    }
    world.target.deliver("ann", &inbox, item(999));
    world.sync_well().await;
    world.switch(Phase::Switched).await;
    for n in 0..7 {
        world.target.deliver("ann", &inbox, item(200 + n));
    }
    for _ in 0..3 {
        world.target.deliver("ann", &path("Mine"), MemoryItem { flags: Flags::of(["\\Seen", "Mine"]), ..item(300) });
    }
    world.target.add_folder("ann", &FolderPath::new(["Mine", "Below"]));
    for id in [1, 3] {
        world.target.set_flags("ann", &path("Work"), &ItemId::from_u32(id), &Flags::of(["\\Flagged"]));
    }
    let moved = world.target.relocate("ann", &inbox, &path("Mine"), &ItemId::from_u32(3)).unwrap();
    world.target.set_flags("ann", &path("Mine"), &moved, &Flags::of(["\\Answered"]));
    world.target.relocate("ann", &inbox, &path("Work"), &ItemId::from_u32(4)).unwrap();
    world.target.expunge("ann", &path("Work"), &ItemId::from_u32(5));
    world.source.deliver("ann", &inbox, item(400));
    world.source.relocate("ann", &path("Work"), &path("Filed"), &ItemId::from_u32(7)).unwrap();
    world
}

/// How often each message lies anywhere.
fn counts(contents: &Contents) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for (digest, ..) in contents.values().flatten() {
        *counts.entry(digest.as_str()).or_default() += 1;
    }
    counts
}

/// At the end each message lies as often on either side as it should: where the person removed one on the target, or had it there
/// before, that side says so alone.
async fn judge(world: &World, before: [&Contents; 2], what: &str) -> [Contents; 2] {
    let [source, target] = [contents(&world.source, "ann"), contents(&world.target, "ann")];
    let (had, has) = (counts(before[0]), counts(&source));
    for (digest, count) in had {
        assert!(has.get(digest).is_some_and(|now| *now >= count), "{what}: nothing is removed at the source");
    }
    let (here, there) = (counts(&source), counts(&target));
    let withdrawn = conformance::world::digest(&item(104));
    let own = conformance::world::digest(&item(999));
    for digest in here.keys().chain(there.keys()) {
        let of = |counts: &BTreeMap<&str, usize>| counts.get(digest).copied().unwrap_or_default();
        let expected = if **digest == withdrawn {
            (1, 0)
        } else if **digest == own {
            (0, 1)
        } else {
            (of(&here), of(&here))
        };
        assert_eq!((of(&here), of(&there)), expected, "{what}: {digest}");
        let most = if *digest == conformance::world::digest(&item(300)) { 3 } else { 1 };
        assert!(of(&here) <= most && of(&there) <= most, "{what}: {digest} is doubled");
    }
    let tally = world.tally().await;
    assert_eq!(tally.source, tally.accounted(), "{what}: sums");
    [source, target]
}

async fn run(traits: &Traits, stop_at: u64) -> (u64, [Contents; 2]) {
    let world = world(traits).await;
    let (source, target) = (contents(&world.source, "ann"), contents(&world.target, "ann"));
    let folder = tempfile::tempdir().unwrap();
    let servers = [
        RemoteServer::start(world.source.clone(), &folder.path().join("source")),
        RemoteServer::start(world.target.clone(), &folder.path().join("target")),
    ];
    let orders = Orders {
        source_socket: folder.path().join("source"),
        target_socket: folder.path().join("target"),
        database: world.url.clone(),
        folder: folder.path().to_owned(),
        people: vec!["ann".to_owned()],
        poor: *traits == Traits::poor(),
        undo: true,
        stop_at,
        ..Orders::default()
    };
    let spawn = |orders: Orders| tokio::task::spawn_blocking(move || run_subject(Path::new(SUBJECT), &orders));
    let first = spawn(orders.clone()).await.unwrap();
    for server in &servers {
        server.quiet().await;
    }
    if stop_at > 0 {
        assert!(first.stderr.contains("stopped at"), "ended otherwise at {stop_at}: {}", first.stderr);
        let second = spawn(Orders { stop_at: 0, ..orders.clone() }).await.unwrap();
        assert!(second.finished, "after a stop at {stop_at} ({}): {}", first.stderr, second.stderr);
    } else {
        assert!(first.finished, "{}", first.stderr);
    }
    let what = format!("stopped at {stop_at}: {}", first.stderr);
    let ended = judge(&world, [&source, &target], &what).await;
    // A further switch and its undo find nothing to do.
    let effects = world.source.effects();
    world.sync_well().await;
    world.switch(Phase::Settled).await;
    world.undo().await;
    world.sync_well().await;
    assert_eq!(world.source.effects(), effects, "{what}: nothing more is written at the source");
    assert_eq!([contents(&world.source, "ann"), contents(&world.target, "ann")], ended, "{what}");
    (first.moments, ended)
}

async fn everywhere(name: &str, traits: Traits) {
    let (moments, undisturbed) = run(&traits, 0).await;
    assert!(moments > 40, "{name}: only {moments} moments");
    println!("{name}: {moments} moments, two an effect");
    for stop_at in whole::moments(moments, 4) {
        let (_, end) = run(&traits, stop_at).await;
        assert_eq!(end, undisturbed, "{name}: stopped at {stop_at} of {moments}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_everywhere() {
    everywhere("carrying back", Traits::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_everywhere_between_poor_servers() {
    everywhere("carrying back between poor servers", Traits::poor()).await;
}

/// Breaks each connection at each moment, on one side, until the undo gets through.
async fn broken_everywhere(traits: &Traits, on_target: bool) {
    let mut moments = 0;
    for break_at in 0.. {
        if !whole::is_whole() && break_at % 5 != 0 && break_at + 1 < moments {
            continue;
        }
        let mut world = world(traits).await;
        let before = [contents(&world.source, "ann"), contents(&world.target, "ann")];
        let dial = if on_target { &mut world.target_dial } else { &mut world.source_dial };
        let faulty = FaultyDial::new(dial.clone(), break_at);
        *dial = Arc::new(faulty.clone());
        let (engine, mailboxes) = world.engine().await;
        let held = turns::take(&engine, mailboxes[0]).await;
        turns::happen(&engine, &held, &movement::state::Happened::UndoBegun).await.unwrap();
        let mut tries = 0;
        while let Err(failure) = turns::carry_all_back(&engine, &held).await {
            tries += 1;
            assert!(tries < 4 && failure.is_passing(), "broken at {break_at}: {failure}");
        }
        let state = turns::happen(&engine, &held, &movement::state::Happened::Undone).await.unwrap();
        turns::give_back(&engine, held, &state).await.unwrap();
        engine.store.close().await;
        world.sync_well().await;
        judge(&world, [&before[0], &before[1]], &format!("broken at {break_at}")).await;
        if break_at == 0 {
            moments = faulty.moments();
        } else if break_at >= moments {
            break;
        }
    }
    assert!(moments > 20, "only {moments} moments");
}

#[tokio::test]
async fn every_call_to_the_source_fails_once_and_every_answer_is_lost_once() {
    for traits in [Traits::default(), Traits::poor()] {
        broken_everywhere(&traits, false).await;
    }
}

#[tokio::test]
async fn every_call_to_the_target_fails_once_and_every_answer_is_lost_once() {
    for traits in [Traits::default(), Traits::poor()] {
        broken_everywhere(&traits, true).await;
    }
}
