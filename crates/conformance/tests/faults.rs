//! Every call failing once, every answer lost once, workers frozen past their lease, two runs at once: on the in-memory
//! platform.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use conformance::remote::RemoteServer;
use conformance::stop::{Orders, SubjectEnd, ended, run_subject};
use conformance::whole;
use conformance::world::{World, contents, message};
use connector::memory::{FaultyDial, MemoryItem, Traits};
use connector::{Clock, Effect};
use model::{Cause, Flags, FolderPath};
use movement::{Moment, Probe};
use tokio::task::JoinSet;

const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");

fn fill(world: &World, name: &str) {
    for n in 0..17 {
        let mut item = MemoryItem::message(message(n, "body"), 1_000_000_000 + n as i64);
        item.flags = Flags::of(if n % 2 == 0 { &["\\Seen", "Work"][..] } else { &[] }.iter().copied());
        world.source.deliver(name, &FolderPath::inbox(), item);
    }
    for _ in 0..6 {
        world.source.deliver(name, &FolderPath::new(["Twins"]), MemoryItem::message(message(1, "same"), 5));
    }
}

/// Breaks each connection at each moment, on one side; the same run must get over it by itself.
async fn broken_everywhere(traits: &Traits, on_target: bool) -> u64 {
    let mut moments = 0;
    for break_at in 0.. {
        // All of them as a whole; else every fourth, and the last.
        if !whole::is_whole() && break_at % 4 != 0 && break_at + 1 < moments {
            continue;
        }
        let mut world = World::with(traits.clone(), traits.clone());
        world.person("ann");
        fill(&world, "ann");
        let dial = if on_target { &mut world.target_dial } else { &mut world.source_dial };
        let faulty = FaultyDial::new(dial.clone(), break_at);
        *dial = Arc::new(faulty.clone());
        world.sync_well().await;
        world.assert_same("ann");
        let tally = world.tally().await;
        assert_eq!((tally.source, tally.copied, tally.accounted()), (23, 23, 23), "broken at {break_at}");
        if break_at == 0 {
            moments = faulty.moments();
        } else if break_at >= moments {
            break;
        }
    }
    moments
}

#[tokio::test]
async fn every_call_to_the_target_fails_once_and_every_answer_is_lost_once() {
    for traits in [Traits::default(), Traits::poor()] {
        let moments = broken_everywhere(&traits, true).await;
        println!("{moments} moments");
        assert!(moments > 40);
    }
}

#[tokio::test]
async fn every_call_to_the_source_fails_once_and_every_answer_is_lost_once() {
    for traits in [Traits::default(), Traits::poor()] {
        assert!(broken_everywhere(&traits, false).await > 10);
    }
}

/// A worker and the servers it works on.
struct Frozen {
    world: World,
    servers: [RemoteServer; 2],
    orders: Orders,
    _folder: tempfile::TempDir,
}

impl Frozen {
    fn at(freeze_at: u64) -> Self {
        let mut world = World::new();
        world.person("ann");
        fill(&world, "ann");
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
            freeze_at,
            lease_ms: LEASE.as_millis() as i64,
            ..Orders::default()
        };
        Self { world, servers, orders, _folder: folder }
    }

    fn start(&self) -> Child {
        let mut command = Command::new(SUBJECT);
        command.arg(serde_json::to_string(&self.orders).unwrap()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    async fn takeover(&self) -> SubjectEnd {
        let orders = Orders { freeze_at: 0, lease_ms: 0, ..self.orders.clone() };
        tokio::task::spawn_blocking(move || run_subject(Path::new(SUBJECT), &orders)).await.unwrap()
    }

    async fn quiet(&self) {
        for server in &self.servers {
            server.quiet().await;
        }
    }
}

const LEASE: Duration = Duration::from_millis(400);

async fn end_of(child: Child) -> SubjectEnd {
    ended(&tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap())
}

/// Freezes the process under test at one of its moments, past its lease; another takes over and finishes; then the first is
/// thawed. False when it ended before that moment.
async fn frozen_past_its_lease(at: u64) -> bool {
    let frozen = Frozen::at(at);
    let mut child = frozen.start();
    let pid = child.id();
    loop {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')) {
            break;
        }
    }
    tokio::time::sleep(LEASE * 4 / 3).await;
    // Frozen inside a transaction it holds SQLite's one write lock: then the second can only wait for the thaw.
    let mut second = std::pin::pin!(frozen.takeover());
    let done = tokio::time::timeout(Duration::from_millis(1000), &mut second).await;
    let thaw = Command::new("kill").args(["-CONT", &pid.to_string()]).status().unwrap();
    assert!(thaw.success());
    let first = end_of(child).await;
    frozen.quiet().await;
    let second = match done {
        Ok(second) => second,
        Err(_) => second.await,
    };
    assert!(second.finished, "{at}: {}", second.stderr);
    // Its last command may have come late: the next runs look for it.
    for _ in 0..3 {
        let end = frozen.takeover().await;
        assert!(end.finished, "{at}: {}", end.stderr);
    }
    let (here, there) = (contents(&frozen.world.source, "ann"), contents(&frozen.world.target, "ann"));
    assert_eq!(here, there, "frozen at {at}: {} / {}", first.stderr, second.stderr);
    let tally = frozen.world.tally().await;
    assert_eq!((tally.source, tally.accounted()), (23, 23), "{at}");
    frozen.quiet().await;
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_frozen_anywhere_past_its_lease_and_thawed_adds_nothing_that_stays() {
    // It waits most of the time.
    const AT_ONCE: usize = 6;
    let counting = Frozen::at(u64::MAX);
    let moments = end_of(counting.start()).await.moments;
    assert!(moments > 50, "{moments}");
    let (mut tasks, mut frozen) = (JoinSet::new(), 0);
    let tried = whole::moments(moments, 3);
    for at in tried.iter().copied() {
        if tasks.len() == AT_ONCE {
            frozen += u64::from(tasks.join_next().await.unwrap().unwrap());
        }
        tasks.spawn(frozen_past_its_lease(at));
    }
    while let Some(end) = tasks.join_next().await {
        frozen += u64::from(end.unwrap());
    }
    println!("frozen at {frozen} of {} moments", tried.len());
    // On a busy machine a lease may lapse before its time.
    assert!(frozen > tried.len() as u64 * 8 / 10);
}

/// A clock that a test moves.
struct SetClock(AtomicU64);

impl Clock for SetClock {
    fn since_boot(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn unix_seconds(&self) -> i64 {
        0
    }
}

/// Lets the lease run out right before a check, at the nth effect on the target.
struct LapseAt {
    clock: Arc<SetClock>,
    appends: AtomicU64,
}

impl Probe for LapseAt {
    fn at(&self, moment: Moment, effect: Effect) {
        if moment == Moment::BeforeCheck && effect == Effect::Append {
            self.appends.fetch_add(1, Ordering::SeqCst);
            self.clock.0.fetch_add(10_000_000, Ordering::SeqCst);
        }
    }
}

#[tokio::test]
async fn a_lapsed_lease_is_seen_before_the_effect_and_nothing_is_added() {
    let mut world = World::new();
    world.person("ann");
    fill(&world, "ann");
    let clock = Arc::new(SetClock(AtomicU64::new(0)));
    let (mut engine, mailboxes) = world.engine().await;
    engine.clock = clock.clone();
    engine.probe = Arc::new(LapseAt { clock, appends: AtomicU64::new(0) });
    let end = engine.run(&mailboxes).await;
    assert_eq!(end.outcomes[0].failure.as_ref().unwrap().error.cause, Cause::LeaseLapsed);
    assert!(world.target.dump("ann")[&FolderPath::inbox()].is_empty());
    world.sync_well().await;
    world.assert_same("ann");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runs_at_once_on_one_project_are_safe() {
    let mut world = World::new();
    for n in 0..12 {
        let name = format!("p{n}");
        world.person(&name);
        fill(&world, &name);
    }
    let (mut one, mailboxes) = world.engine().await;
    let (mut two, _) = world.engine().await;
    one.holder = movement::Holder::this_process("one");
    two.holder = movement::Holder::this_process("two");
    let (a, b) = tokio::join!(one.run(&mailboxes), two.run(&mailboxes));
    for end in [&a, &b] {
        assert!(end.failure.is_none() && end.outcomes.iter().all(|outcome| outcome.failure.is_none()), "{end:?}");
    }
    for n in 0..12 {
        world.assert_same(&format!("p{n}"));
    }
    assert!(a.outcomes.len() + b.outcomes.len() >= 12);
    let tally = world.tally().await;
    assert_eq!((tally.source, tally.copied), (12 * 23, 12 * 23));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_held_by_another_process_is_left_alone() {
    let mut world = World::new();
    world.person("ann");
    world.person("bob");
    fill(&world, "ann");
    let (engine, mailboxes) = world.engine().await;
    engine.store.mark_due(engine.key, &mailboxes).await.unwrap();
    let claim = store::Claim {
        among: Some(&mailboxes[..1]),
        holder: "somebody else",
        terms: engine.terms,
        room: &[],
        shut: &[],
        only_turning: false,
        version: None,
    };
    engine.store.claim(engine.key, &claim).await.unwrap().mailbox().unwrap();
    let end = engine.run(&mailboxes).await;
    assert_eq!((end.held_elsewhere, end.outcomes.len()), (vec![mailboxes[0]], 1));
    assert!(world.target.dump("ann")[&FolderPath::inbox()].is_empty());
}
