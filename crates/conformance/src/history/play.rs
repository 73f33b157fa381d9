//! Playing a history: the clients and the engine do what the steps say, then the engine makes passes until nothing changes
//! any more, and the judge looks.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use connector::memory::{Dial, FaultyDial, Traits, Wire};
use connector::{Connector, Effect, Error};
use model::{Cause, FolderPath, Phase, Scope};
use movement::{Engine, Moment, Probe, RunEnd};

use super::book::Book;
use super::client::{Client, MemoryClient};
use super::generate::Does;
use super::judge::{Case, Demands, Ledger, judge};
use super::step::{Event, Fault, Op, Pass, Side, Step};
use super::together;
use crate::turns;
use crate::world::World;

/// The person of every history.
pub const PERSON: &str = "ann";
/// Passes at the end of a history, at most.
const QUIET_MAX: usize = 14;
/// A run of the engine that takes longer hangs.
const PATIENCE: Duration = Duration::from_mins(2);

/// Both clients, and the book on what they do.
pub struct Cast {
    clients: [Box<dyn Client>; 2],
    /// The book.
    pub book: Book,
    on_copies: bool,
}

impl Cast {
    /// A person's two clients, and two empty mailboxes. With `on_copies` the one on the target changes copies too.
    pub fn new(clients: [Box<dyn Client>; 2], on_copies: bool) -> Self {
        Self { clients, book: Book::default(), on_copies }
    }

    /// The client of a side.
    pub fn client(&mut self, side: Side) -> &mut dyn Client {
        self.clients[side as usize].as_mut()
    }

    /// A client does this, if it can be done. `in_pass` when the engine is in the middle of a pass.
    pub fn act(&mut self, side: Side, op: &Op, in_pass: bool) -> bool {
        let mut before = Vec::new();
        match side {
            Side::Source if !self.book.source.can(op) => return false,
            Side::Source => {}
            Side::Target => {
                if !self.book.may_on_target(op) {
                    return false;
                }
                if let Op::Flag(which, folder, ..) | Op::Move(which, folder, _) | Op::Expunge(which, folder) = op {
                    let Some(items) = self.client(side).folder(folder) else { return false };
                    if !which.serial.own && !self.on_copies {
                        return false;
                    }
                    before = items;
                }
            }
        }
        let done = self.client(side).act(op);
        if done {
            self.book.did(side, op, &before, in_pass);
        }
        done
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is to happen at which moment of a pass.
#[derive(Default)]
struct Script {
    moments: u64,
    stop: Option<u64>,
    during: VecDeque<(u64, Side, Op)>,
}

/// Sees every effect of the engine: lets clients act in the middle of a pass, and stops the engine.
struct Director {
    script: Mutex<Script>,
    cast: Arc<Mutex<Cast>>,
}

impl Probe for Director {
    fn at(&self, _: Moment, _: Effect) {
        let (due, stops) = {
            let mut script = lock(&self.script);
            script.moments += 1;
            let now = script.moments;
            let mut due = Vec::new();
            while script.during.front().is_some_and(|(at, ..)| *at <= now) {
                due.extend(script.during.pop_front());
            }
            (due, script.stop == Some(now))
        };
        for (_, side, op) in due {
            lock(&self.cast).act(side, &op, true);
        }
        if stops {
            // Ends the worker like a panic, and says nothing.
            resume_unwind(Box::new("stopped"));
        }
    }
}

/// A way to a platform that can be exchanged.
struct Switch {
    usual: Arc<dyn Dial>,
    now: Mutex<Arc<dyn Dial>>,
}

impl Switch {
    fn new(usual: Arc<dyn Dial>) -> Arc<Self> {
        Arc::new(Self { now: Mutex::new(usual.clone()), usual })
    }

    fn set(&self, fault: Option<Fault>) {
        *lock(&self.now) = match fault {
            None => self.usual.clone(),
            Some(Fault { at, for_good: false, .. }) => Arc::new(FaultyDial::new(self.usual.clone(), at)),
            Some(Fault { at, for_good: true, .. }) => {
                let once = Once(self.usual.clone(), AtomicU64::new(0));
                Arc::new(FaultyDial::new(Arc::new(once), at))
            }
        };
    }
}

#[async_trait]
impl Dial for Switch {
    async fn dial(&self) -> Result<Box<dyn Wire>, Error> {
        let now = lock(&self.now).clone();
        now.dial().await
    }
}

/// Lets one connection through.
struct Once(Arc<dyn Dial>, AtomicU64);

#[async_trait]
impl Dial for Once {
    async fn dial(&self) -> Result<Box<dyn Wire>, Error> {
        if self.1.fetch_add(1, Ordering::SeqCst) > 0 {
            return Err(Error::new(Cause::Login, Scope::Mailbox, "no more than one connection"));
        }
        self.0.dial().await
    }
}

/// Which way a person is turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// To the target, as far as this.
    Over(Phase),
    /// Back to the source.
    Back,
}

/// Where a history is played.
pub struct Stage {
    /// The engine's world.
    pub world: World,
    /// The person's client on either side.
    pub clients: [Box<dyn Client>; 2],
    /// What may be demanded.
    pub demands: Demands,
    /// The client on the target changes copies.
    pub on_copies: bool,
    /// Folders of the source come together on the target.
    pub merged: bool,
    /// Passes in a row that must write nothing.
    pub quiet: usize,
    /// What clients do during a pass they do on a thread of their own, at any moment; else at exact moments.
    pub at_any_moment: bool,
}

/// The ledger is written for good again and again: in memory that costs nothing.
fn in_memory(mut world: World) -> World {
    if let Ok(folder) = tempfile::tempdir_in("/dev/shm") {
        world.url = format!("sqlite:{}/whimbrel.db", folder.path().display());
        world.folder = folder;
    }
    world
}

impl Stage {
    /// Two platforms in memory.
    pub fn in_memory(source: Traits, target: Traits, does: Does) -> Self {
        let removals_held = !target.removes_exactly;
        let mut world = in_memory(World::with(source, target));
        world.person(PERSON);
        let client = |platform| Box::new(MemoryClient::new(platform, PERSON)) as Box<dyn Client>;
        let clients = [client(&world.source), client(&world.target)];
        Self {
            world,
            clients,
            demands: Demands { in_use: does.in_use, removals_held, subscriptions: true },
            on_copies: does.on_copies,
            merged: does.merged,
            quiet: 2,
            at_any_moment: false,
        }
    }

    /// Two servers that can remove one message alone, and a person with these names on them.
    pub fn on_servers(
        connectors: [Arc<dyn Connector>; 2],
        clients: [Box<dyn Client>; 2],
        names: [&str; 2],
        does: Does,
    ) -> Self {
        let mut world = in_memory(World::new());
        world.connectors = Some(connectors);
        // A command that the server has begun may end after its connection did.
        world.tuning.settle = Duration::from_millis(200);
        world.person_of(names[0], names[1]);
        let demands = Demands { in_use: does.in_use, ..Demands::default() };
        let (on_copies, merged) = (does.on_copies, does.merged);
        Self { world, clients, demands, on_copies, merged, quiet: 2, at_any_moment: false }
    }
}

/// A history being played.
pub struct Play {
    world: World,
    /// Those who act in it.
    pub cast: Arc<Mutex<Cast>>,
    director: Arc<Director>,
    switches: [Arc<Switch>; 2],
    engine: Option<(Engine, Vec<i64>)>,
    demands: Demands,
    quiet: usize,
    at_any_moment: bool,
    ledger: Option<Vec<u8>>,
}

impl Play {
    /// The beginning: two empty mailboxes.
    pub fn begin(stage: Stage) -> Self {
        let Stage { mut world, clients, demands, on_copies, merged, quiet, at_any_moment } = stage;
        if demands.in_use {
            world.everybody_in_use();
        }
        let mut cast = Cast::new(clients, on_copies);
        if merged {
            world.policy = together::policy(&world.policy);
            cast.book.merged = true;
        }
        let cast = Arc::new(Mutex::new(cast));
        let director = Arc::new(Director { script: Mutex::default(), cast: cast.clone() });
        world.probe = director.clone();
        let switches = [Switch::new(world.source_dial.clone()), Switch::new(world.target_dial.clone())];
        world.source_dial = switches[0].clone();
        world.target_dial = switches[1].clone();
        Self { world, cast, director, switches, engine: None, demands, quiet, at_any_moment, ledger: None }
    }

    /// Plays the steps to the end. Every complaint of the judge.
    pub async fn to_the_end(mut self, steps: &[Step]) -> Vec<String> {
        for (number, step) in steps.iter().enumerate() {
            if let Err(wrong) = self.step(step).await {
                return vec![format!("{wrong} (step {}: {step})", number + 1)];
            }
        }
        self.end().await
    }

    /// Does a step.
    pub async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Client(side, op) => {
                lock(&self.cast).act(*side, op, false);
                Ok(())
            }
            Step::Pass(pass) => self.pass(pass).await.map(drop),
            Step::Event(event) => self.event(event).await,
        }
    }

    /// The engine, new after a stop.
    async fn engine(&mut self) -> (Engine, Vec<i64>) {
        if let Some(engine) = &self.engine {
            return engine.clone();
        }
        let engine = self.world.engine().await;
        // Whoever held them is gone.
        engine.0.store.void_leases(|_| true).await.unwrap();
        self.engine = Some(engine.clone());
        engine
    }

    async fn close(&mut self) {
        if let Some((engine, _)) = self.engine.take() {
            engine.store.close().await;
        }
    }

    /// Somebody says of all removals that wait that they may be made.
    pub async fn approve_removals(&mut self) {
        let (engine, mailboxes) = self.engine().await;
        for mailbox in mailboxes {
            let held = engine.store.held_removals(engine.key, mailbox).await.unwrap_or_default();
            let items: Vec<_> = held.into_iter().map(|held| (held.folder, held.source_id)).collect();
            let _ = engine.store.answer_removals(engine.key, &items, true).await;
        }
        // A server ends a connection on which nothing is said for half an hour.
        lock(&self.cast).client(Side::Target).view();
    }

    /// A pass of the engine, as the step says.
    pub async fn pass(&mut self, pass: &Pass) -> Result<RunEnd, String> {
        let mut during = pass.during.clone();
        during.sort_by_key(|(at, ..)| *at);
        let is_quiet = pass.fault.is_none() && pass.stop.is_none() && during.is_empty();
        let on_a_thread = if self.at_any_moment { std::mem::take(&mut during) } else { Vec::new() };
        *lock(&self.director.script) = Script { moments: 0, stop: pass.stop, during: during.into() };
        for (switch, side) in self.switches.iter().zip([Side::Source, Side::Target]) {
            switch.set(pass.fault.filter(|fault| fault.side == side));
        }
        let (engine, mailboxes) = self.engine().await;
        lock(&self.cast).book.begin_pass();
        let cast = self.cast.clone();
        let others = (!on_a_thread.is_empty()).then(|| {
            tokio::task::spawn_blocking(move || {
                for (at, side, op) in on_a_thread {
                    std::thread::sleep(Duration::from_millis(at));
                    lock(&cast).act(side, &op, true);
                }
            })
        });
        let end = tokio::time::timeout(PATIENCE, engine.run(&mailboxes)).await;
        if let Some(others) = others {
            others.await.map_err(|error| format!("failed: a client: {error}"))?;
        }
        let end = end.map_err(|_| "hangs: a pass".to_owned())?;
        let script = std::mem::take(&mut *lock(&self.director.script));
        for switch in &self.switches {
            switch.set(None);
        }
        for mailbox in &mailboxes {
            let folders = engine.store.folders(engine.key, *mailbox).await.unwrap_or_default();
            let doubtful = folders.into_iter().filter(|row| row.is_making_begun).map(|row| row.target_path);
            lock(&self.cast).book.doubtful_folders.extend(doubtful);
        }
        // What was to be done at moments that did not come.
        for (_, side, op) in script.during {
            lock(&self.cast).act(side, &op, false);
        }
        if pass.stop.is_some_and(|at| at <= script.moments) {
            drop(engine);
            self.close().await;
            return Ok(end);
        }
        if let Some(failure) = &end.failure {
            return Err(format!("failed: {failure}"));
        }
        if is_quiet && is_in_step(&end) {
            lock(&self.cast).book.settle();
        }
        Ok(end)
    }

    /// The person is turned over, or back, with the trouble of this pass. False when that was stopped, or did not get through.
    pub async fn turn(&mut self, turned: Turned, trouble: &Pass) -> Result<bool, String> {
        *lock(&self.director.script) = Script { moments: 0, stop: trouble.stop, during: VecDeque::new() };
        for (switch, side) in self.switches.iter().zip([Side::Source, Side::Target]) {
            switch.set(trouble.fault.filter(|fault| fault.side == side));
        }
        let (engine, mailboxes) = self.engine().await;
        let work = tokio::spawn(async move {
            match turned {
                Turned::Over(to) => turns::switch(&engine, mailboxes[0], to).await.map(drop),
                Turned::Back => turns::undo(&engine, mailboxes[0]).await.map(drop),
            }
        });
        let ended = tokio::time::timeout(PATIENCE, work).await.map_err(|_| "hangs: a turn".to_owned())?;
        *lock(&self.director.script) = Script::default();
        for switch in &self.switches {
            switch.set(None);
        }
        match ended {
            Ok(Ok(())) => Ok(true),
            Ok(Err(failure)) if trouble.fault.is_some() || failure.is_passing() => {
                // It is held still: by nobody.
                self.close().await;
                Ok(false)
            }
            Ok(Err(failure)) => Err(format!("failed: {failure}")),
            Err(_) => {
                self.close().await;
                Ok(false)
            }
        }
    }

    /// How many items each folder of the source holds by the ledger, and how many have a fate.
    pub async fn sums(&mut self) -> Vec<(FolderPath, u64, u64)> {
        self.ledger().await.sums
    }

    fn ledger_files(&self) -> [PathBuf; 3] {
        let file = self.world.url.trim_start_matches("sqlite:");
        ["", "-wal", "-shm"].map(|ending| PathBuf::from(format!("{file}{ending}")))
    }

    async fn event(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Renumber(side, folder) => {
                let mut cast = lock(&self.cast);
                if cast.client(*side).renumber(folder) {
                    cast.book.weak = true;
                }
            }
            Event::BackUp => {
                let mut cast = lock(&self.cast);
                if cast.client(Side::Source).back_up() {
                    cast.book.backed_up();
                }
            }
            Event::Restore => {
                {
                    let mut cast = lock(&self.cast);
                    if !cast.client(Side::Source).restore() {
                        return Ok(());
                    }
                    cast.book.restored();
                }
                // Before ids are given again: what comes later would be taken for what had them before, and no reader of
                // ids and counts could tell.
                self.pass(&Pass::default()).await?;
            }
            Event::LedgerKept => {
                self.close().await;
                self.ledger = std::fs::read(&self.ledger_files()[0]).ok();
            }
            Event::LedgerLost | Event::LedgerRestored => {
                let ledger = if *event == Event::LedgerLost { None } else { self.ledger.clone() };
                if *event == Event::LedgerRestored && ledger.is_none() {
                    return Ok(());
                }
                self.close().await;
                for file in self.ledger_files() {
                    let _ = std::fs::remove_file(file);
                }
                if let Some(ledger) = ledger {
                    std::fs::write(&self.ledger_files()[0], ledger).map_err(|error| error.to_string())?;
                }
                lock(&self.cast).book.weak = true;
            }
        }
        Ok(())
    }

    /// Passes until nothing changes any more, then the judge. Every complaint.
    pub async fn end(mut self) -> Vec<String> {
        let mut calm = 0;
        let mut stands = lock(&self.cast).client(Side::Target).stands();
        let mut last = None;
        for _ in 0..QUIET_MAX {
            match self.pass(&Pass::default()).await {
                Ok(end) => last = Some(end),
                Err(wrong) => return vec![wrong],
            }
            let now = lock(&self.cast).client(Side::Target).stands();
            calm = if now == stands { calm + 1 } else { 0 };
            stands = now;
            if calm == self.quiet {
                break;
            }
        }
        let mut wrong = Vec::new();
        if calm < self.quiet {
            wrong.push(format!("restless: {QUIET_MAX} passes, and the last ones still wrote"));
        }
        if let Some(end) = last.filter(|end| !is_in_step(end)) {
            wrong.push(format!("not in step: {}", said(&end)));
        }
        wrong.extend(self.verdict().await);
        self.close().await;
        wrong
    }

    /// What the judge says of how things are now.
    pub async fn verdict(&mut self) -> Vec<String> {
        let ledger = self.ledger().await;
        let mut cast = lock(&self.cast);
        let mut wrong = Vec::new();
        let effects = cast.client(Side::Source).effects();
        if effects > 0 {
            wrong.push(format!("source changed: {effects} effects of the engine's"));
        }
        let (source, target) = (cast.client(Side::Source).view(), cast.client(Side::Target).view());
        let (book, demands) = (&cast.book, self.demands);
        wrong.extend(judge(&Case { book, source: &source, target: &target, ledger: &ledger, demands }));
        wrong
    }

    async fn ledger(&mut self) -> Ledger {
        let (engine, mailboxes) = self.engine().await;
        let mut ledger = Ledger::default();
        for mailbox in mailboxes {
            let folders = engine.store.folders(engine.key, mailbox).await.unwrap();
            let path = |number: i64| -> Option<FolderPath> {
                folders.iter().find(|row| row.folder == number).map(|row| row.target_path.clone())
            };
            let held = engine.store.held_removals(engine.key, mailbox).await.unwrap();
            ledger.held.extend(held.into_iter().filter_map(|held| Some((path(held.folder)?, held.exact))));
            let tallies = engine.store.tallies(engine.key, mailbox).await.unwrap();
            let there = tallies.into_iter().filter(|(row, _)| !row.is_gone());
            ledger.sums.extend(there.map(|(row, tally)| (row.path, tally.source, tally.accounted())));
        }
        ledger
    }
}

/// Did a run go well, and is everybody in step?
fn is_in_step(end: &RunEnd) -> bool {
    let is_well = end.failure.is_none() && end.held_elsewhere.is_empty() && !end.outcomes.is_empty();
    is_well && end.outcomes.iter().all(|outcome| outcome.failure.is_none() && outcome.state.phase == Phase::InStep)
}

fn said(end: &RunEnd) -> String {
    let said = end.outcomes.iter().map(|outcome| match &outcome.failure {
        Some(failure) => failure.to_string(),
        None => format!("{:?} {:?}", outcome.state.phase, outcome.state.condition),
    });
    said.collect::<Vec<_>>().join("; ")
}
