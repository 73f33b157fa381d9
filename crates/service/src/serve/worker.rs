//! A process that works: it takes mailboxes of all served projects in turn, as many at once as it has slots.
//!
//! Who goes first: of the projects that have something due, the one that works on the fewest mailboxes for its share; in a project
//! the mailbox that has been due longest. A turn that has lasted long enough ends where it is safe once others wait, and its mailbox
//! is due again behind them: so a very large one holds up nobody.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::Phase;
use movement::{Failure, Holder, MailboxOutcome, Taken};
use store::{MailboxRow, PauseRow, ProcessRow, ProjectKey, Served, Store};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Opening;
use super::loaded::Loaded;
use super::numbers::Numbers;
use super::seal::Seal;
use super::watch::Watches;
use crate::Exit;

/// How often it looks for what is due.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often it says that it lives, and looks who is dead.
const LIVE_EVERY: Duration = Duration::from_secs(5);
/// How often pauses and hours are looked at for what is under way.
const SUPERVISE_EVERY: Duration = Duration::from_secs(1);
/// How soon a project is looked at again that can't be worked on here: what it lacks may have been put there.
const UNUSABLE_AGAIN: Duration = Duration::from_secs(30);
/// A turn without any progress ends after so many times `turn_seconds`, when others wait.
const WITHOUT_PROGRESS: u32 = 10;
/// The service's own process, which works on the machine of the projects' folders.
pub(crate) const SERVE: &str = "serve";
/// How long it waits for a database that fails.
const DATABASE_WAIT: Duration = Duration::from_secs(2);

/// What a process is made with.
pub(crate) struct Worker {
    pub(crate) store: Store,
    pub(crate) seal: Seal,
    /// `serve` or `worker`.
    pub(crate) kind: &'static str,
    /// A random text that tells this process from all others.
    pub(crate) unique: String,
    /// Mailboxes at once.
    pub(crate) slots: usize,
    pub(crate) numbers: Arc<Numbers>,
    /// Becomes true when it is to finish and end.
    pub(crate) stop: watch::Receiver<bool>,
}

/// A mailbox that is being worked on.
struct Running {
    project: Arc<Loaded>,
    row: MailboxRow,
    began: Instant,
    /// Items that had a fate when that was first known.
    done: Option<u64>,
    /// When it was first seen to have come further.
    progressed: Option<Instant>,
    stop: watch::Sender<bool>,
}

impl Running {
    /// Has it had its turn? That begins once it comes further: what it takes to get there, it takes each time. It lasts three
    /// times as long at least.
    fn had_its_turn(&self) -> bool {
        let turn = Duration::from_secs(self.project.service.turn_seconds);
        match self.progressed {
            None => self.began.elapsed() >= turn * WITHOUT_PROGRESS,
            Some(at) => at.elapsed() >= turn.max((at - self.began) * 3),
        }
    }
}

type Ended = (u64, Result<MailboxOutcome, Failure>);

/// What a process knows while it works.
struct Working<'w> {
    worker: &'w Worker,
    holder: Holder,
    process: ProcessRow,
    loaded: HashMap<ProjectKey, Arc<Loaded>>,
    /// Versions that can't be opened here, why, and since when: said once, tried again.
    unusable: HashMap<ProjectKey, (i64, String, Instant)>,
    running: BTreeMap<u64, Running>,
    tasks: JoinSet<Ended>,
    last: u64,
    /// Projects in which something is due that no endpoint has room for.
    without_room: Vec<ProjectKey>,
    served: Vec<Served>,
}

impl Worker {
    /// Works until it is told to stop, or somebody asks this process to finish and end. What is under way then stops where it is safe.
    pub(crate) async fn run(&self) -> Exit {
        let holder = Holder::this_process(&self.unique);
        let mut working = Working {
            worker: self,
            process: ProcessRow {
                holder: holder.as_str().to_owned(),
                kind: self.kind.to_owned(),
                machine: machine(),
                program: env!("CARGO_PKG_VERSION").to_owned(),
                slots: self.slots as i64,
                begun_at: 0,
                seen_at: 0,
                drained_by: None,
                running: 0,
            },
            holder,
            loaded: HashMap::new(),
            unusable: HashMap::new(),
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
            last: 0,
            without_room: Vec::new(),
            served: Vec::new(),
        };
        let exit = working.work().await;
        let ended = self.store.process_ends(working.holder.as_str()).await;
        if let Err(error) = ended {
            tracing::warn!(%error, "the database was not told that this process ends; its leases run out by themselves");
        }
        exit
    }
}

impl Working<'_> {
    async fn work(&mut self) -> Exit {
        let mut stop = self.worker.stop.clone();
        let mut watches = Watches::new(self.worker.store.clone(), self.holder.as_str());
        let (mut lived, mut supervised) = (None::<Instant>, Instant::now());
        let is_over = |at: Instant, every: Duration| at.elapsed() >= every;
        let (mut is_ending, mut exit) = (false, Exit::Done);
        loop {
            if !is_ending && *stop.borrow() {
                is_ending = true;
            }
            if lived.is_none_or(|at| is_over(at, LIVE_EVERY)) {
                match self.live().await {
                    Ok(None) => self.worker.numbers.seen(),
                    Ok(Some(by)) => {
                        if !is_ending {
                            tracing::info!(%by, "this process was asked to finish and end");
                        }
                        (is_ending, exit) = (true, Exit::Drained);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the database can't be reached; work goes on while leases last");
                    }
                }
                lived = Some(Instant::now());
            }
            if is_ending {
                self.worker.numbers.ending();
                watches.end();
                for running in self.running.values() {
                    let _ = running.stop.send(true);
                }
                if self.running.is_empty() {
                    return exit;
                }
            } else {
                if let Err(error) = self.dispatch().await {
                    tracing::warn!(%error, "the database failed; nothing new is begun until it answers");
                    tokio::time::sleep(DATABASE_WAIT).await;
                }
                if is_over(supervised, SUPERVISE_EVERY) {
                    if let Err(error) = self.supervise().await {
                        tracing::warn!(%error, "the database can't be asked what is paused");
                    }
                    watches.tend(&self.open_projects(), Timestamp::now()).await;
                    supervised = Instant::now();
                }
            }
            tokio::select! {
                ended = self.tasks.join_next(), if !self.tasks.is_empty() => self.ended(ended),
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _ = stop.wait_for(|stop| *stop), if !is_ending => {}
            }
        }
    }

    async fn live(&self) -> Result<Option<String>, store::Error> {
        self.worker.store.void_leases(Holder::is_dead).await?;
        self.worker.store.process_lives(&self.process).await
    }

    fn ended(&mut self, ended: Option<Result<Ended, tokio::task::JoinError>>) {
        match ended {
            None => {}
            Some(Ok((number, result))) => {
                let Some(running) = self.running.remove(&number) else { return };
                let project = &running.project;
                match result {
                    Ok(outcome) => {
                        self.worker.numbers.turn(project, &outcome, running.began.elapsed());
                        let cause = outcome.failure.as_ref().map(|failure| failure.error.cause.code());
                        tracing::info!(
                            organisation = project.code,
                            project = project.name,
                            mailbox = outcome.mailbox,
                            phase = outcome.state.phase.name(),
                            copied = outcome.report.copied,
                            bytes = outcome.report.bytes,
                            cause,
                            "a turn ended"
                        );
                    }
                    Err(failure) => {
                        tracing::warn!(organisation = project.code, mailbox = running.row.mailbox, %failure, "a turn broke off");
                    }
                }
            }
            // The mailbox is free again when its lease has run out.
            Some(Err(panicked)) => {
                tracing::error!(%panicked, "a turn came to a sudden end");
                let ended: Vec<u64> = self
                    .running
                    .iter()
                    .filter(|(_, running)| running.stop.receiver_count() == 0)
                    .map(|(n, _)| *n)
                    .collect();
                for number in ended {
                    self.running.remove(&number);
                }
            }
        }
    }

    /// The projects that are served and open here, as they are now.
    fn open_projects(&self) -> Vec<Arc<Loaded>> {
        let now = Timestamp::now();
        let is_open = |loaded: &&Arc<Loaded>| {
            let served = self.served.iter().find(|served| served.key == loaded.key);
            served.is_some_and(|served| !served.is_paused) && loaded.opening(now) == Opening::Open
        };
        self.loaded.values().filter(is_open).cloned().collect()
    }

    async fn load(&mut self, served: &Served) {
        if self.loaded.get(&served.key).is_some_and(|loaded| loaded.version == served.version)
            || self
                .unusable
                .get(&served.key)
                .is_some_and(|(version, _, at)| *version == served.version && at.elapsed() < UNUSABLE_AGAIN)
        {
            return;
        }
        let worker = self.worker;
        let is_service = worker.kind == SERVE;
        match Loaded::open(&worker.store, &worker.seal, served.key, &worker.unique, &worker.stop, is_service).await {
            Ok(Some(loaded)) => {
                tracing::info!(organisation = loaded.code, project = loaded.name, version = loaded.version, "serving");
                self.unusable.remove(&served.key);
                self.loaded.insert(served.key, Arc::new(loaded));
            }
            Ok(None) => drop(self.loaded.remove(&served.key)),
            Err(why) => {
                let is_known = self.unusable.get(&served.key).is_some_and(|(_, known, _)| *known == why);
                let names = self.worker.store.project_names(served.key).await.ok().flatten().unwrap_or_default();
                if !is_known {
                    tracing::error!(
                        organisation = names.0,
                        project = names.1,
                        why,
                        "this process can't work on this project"
                    );
                }
                self.loaded.remove(&served.key);
                self.unusable.insert(served.key, (served.version, why, Instant::now()));
            }
        }
        self.worker.numbers.projects(self.loaded.values());
    }

    /// Begins what is due, as far as there are slots.
    async fn dispatch(&mut self) -> Result<(), store::Error> {
        self.served = self.worker.store.served().await?;
        for served in self.served.clone() {
            self.load(&served).await;
        }
        self.without_room.clear();
        let now = Timestamp::now();
        let may_work = |served: &Served, loaded: &Loaded| !served.is_paused && loaded.opening(now) == Opening::Open;
        let mut candidates: Vec<Served> = self.served.iter().filter(|served| served.is_due).copied().collect();
        candidates.retain(|served| {
            let loaded = self.loaded.get(&served.key);
            loaded.is_some_and(|loaded| served.is_turning || may_work(served, loaded))
        });
        while let Some(next) = first_by_share(&candidates) {
            let served = &mut candidates[next];
            let Some(project) = self.loaded.get(&served.key).cloned() else { break };
            if self.running.len() >= self.worker.slots {
                break;
            }
            let taken = if may_work(served, &project) {
                project.engine.take(None, &project.closed_endpoints(now)).await
            } else {
                // Nobody stays between two sides for a pause, or until the next hours.
                project.engine.take_turning().await
            };
            match taken {
                Ok(Taken::Turn(turn)) => {
                    served.running += 1;
                    let (stop, stopped) = watch::channel(false);
                    self.last += 1;
                    let (number, row, worked) = (self.last, turn.row().clone(), project.clone());
                    self.tasks.spawn(async move {
                        let was_stopped = stopped.clone();
                        let again =
                            |outcome: &MailboxOutcome, tries| Some(worked.again(outcome, tries, *was_stopped.borrow()));
                        (number, Box::pin(worked.engine.work_on(*turn, &stopped, &again)).await)
                    });
                    self.running.insert(
                        number,
                        Running { project, row, began: Instant::now(), done: None, progressed: None, stop },
                    );
                }
                Ok(Taken::NoRoom) => {
                    self.without_room.push(served.key);
                    candidates.remove(next);
                }
                Ok(Taken::Nothing) => drop(candidates.remove(next)),
                Err(failure) => {
                    tracing::warn!(organisation = project.code, %failure, "nothing could be taken");
                    candidates.remove(next);
                }
            }
        }
        Ok(())
    }

    /// Ends turns: of what was paused or is out of its hours, unless it is being switched or taken back; of what was changed; and of whoever
    /// had theirs while others wait.
    async fn supervise(&mut self) -> Result<(), store::Error> {
        let now = Timestamp::now();
        let mut pauses: HashMap<ProjectKey, Vec<PauseRow>> = HashMap::new();
        for running in self.running.values() {
            let key = running.project.key;
            if let std::collections::hash_map::Entry::Vacant(entry) = pauses.entry(key) {
                entry.insert(self.worker.store.pauses(key).await?);
            }
        }
        for running in self.running.values() {
            let (project, row) = (&running.project, &running.row);
            let closed = project.closed_endpoints(now);
            let is_current = self.loaded.get(&project.key).is_some_and(|loaded| loaded.version == project.version);
            let is_closed =
                [row.roster.source_endpoint, row.roster.target_endpoint].iter().any(|end| closed.contains(end))
                    || project.opening(now) != Opening::Open;
            let (holding, others): (Vec<PauseRow>, _) = stops(&pauses[&project.key]).into_iter().partition(holds_all);
            let is_to_stop = is_closed || project.is_stopped_by(&others, row);
            let is_held = project.is_stopped_by(&holding, row);
            if !is_current || is_held || (is_to_stop && !self.is_turning(project.key, row.mailbox).await?) {
                let _ = running.stop.send(true);
            }
        }
        for running in self.running.values_mut().filter(|running| running.progressed.is_none()) {
            let progress = running.project.engine.progress.running();
            let Some(done) = progress.get(&running.row.mailbox).map(|progress| progress.items_done) else { continue };
            // What had its fate before counts from the beginning on.
            if *running.done.get_or_insert(done) < done {
                running.progressed = Some(Instant::now());
            }
        }
        self.give_way(now).await
    }

    /// Is this mailbox being switched or taken back now? What is under way there comes to its end.
    async fn is_turning(&self, key: ProjectKey, mailbox: i64) -> Result<bool, store::Error> {
        let store = &self.worker.store;
        let phase = store.mailbox(key, mailbox).await?.map(|row| row.state.phase);
        let order = store.switch_order(key, mailbox).await?;
        Ok(phase == Some(Phase::Switching) || order.is_some_and(|order| order.is_back))
    }

    /// Ends one turn that has lasted long enough, the oldest, if somebody waits who could use its place: the place that it leaves may be
    /// all that is waited for.
    async fn give_way(&mut self, now: Timestamp) -> Result<(), store::Error> {
        let is_over = |running: &&Running| running.had_its_turn() && !*running.stop.borrow();
        let mut over: Vec<&Running> = self.running.values().filter(is_over).collect();
        over.sort_by_key(|running| running.began);
        if over.is_empty() {
            return Ok(());
        }
        let load = |key| self.served.iter().find(|served| served.key == key).map(load_of);
        if self.running.len() >= self.worker.slots {
            for served in self.served.iter().filter(|served| served.is_due && (served.is_turning || !served.is_paused))
            {
                let Some(project) = self.loaded.get(&served.key) else { continue };
                let first = over
                    .iter()
                    .find(|running| running.project.key == served.key || load(served.key) < load(running.project.key));
                let is_open = !served.is_paused && project.opening(now) == Opening::Open;
                let Some(first) = first.filter(|_| served.is_turning || is_open) else { continue };
                let closed = project.closed_endpoints(now);
                if project.engine.has_due(&closed, !is_open).await.unwrap_or(false) {
                    let _ = first.stop.send(true);
                    return Ok(());
                }
            }
        }
        // Where an endpoint has no room, only who is there can make some.
        for key in &self.without_room {
            let is_limited = |number: &i64| {
                let project = self.loaded.get(key);
                project.and_then(|project| project.engine.endpoints.get(number)?.mailboxes_max()).is_some()
            };
            let full = |running: &&&Running| {
                let roster = &running.row.roster;
                running.project.key == *key && [roster.source_endpoint, roster.target_endpoint].iter().any(is_limited)
            };
            if let Some(first) = over.iter().find(full) {
                let _ = first.stop.send(true);
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The pauses that stop what is under way.
fn stops(pauses: &[PauseRow]) -> Vec<PauseRow> {
    pauses.iter().filter(|pause| !pause.drains).cloned().collect()
}

/// Does this pause hold whoever is being switched, too? Nothing at all is done at its endpoint, or with its mailbox.
fn holds_all(pause: &PauseRow) -> bool {
    pause.scope.starts_with("endpoint/") || pause.scope.starts_with("mailbox/")
}

/// How much a project works for its share: thousandths of a mailbox.
fn load_of(served: &Served) -> i64 {
    served.running * 1000 / served.share.max(1)
}

fn first_by_share(candidates: &[Served]) -> Option<usize> {
    (0..candidates.len()).min_by_key(|place| load_of(&candidates[*place]))
}

/// The name of this machine.
pub(crate) fn machine() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(project: i64, running: i64, share: i64) -> Served {
        let key = ProjectKey { organisation: project, project };
        Served { key, version: 1, share, running, is_due: true, is_paused: false, is_turning: false }
    }

    #[test]
    fn whoever_works_least_for_its_share_goes_first() {
        let mut candidates = vec![served(1, 6, 3), served(2, 1, 1), served(3, 0, 1)];
        let mut order = Vec::new();
        for _ in 0..8 {
            let next = first_by_share(&candidates).unwrap();
            candidates[next].running += 1;
            order.push(candidates[next].key.project);
        }
        assert_eq!(order, [3, 2, 3, 1, 2, 3, 1, 1]);
        assert_eq!(first_by_share(&[]), None);
    }
}
