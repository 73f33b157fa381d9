//! A run: many people, some at a time, each by a worker that claims, passes until nothing is left, and gives back.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use connector::{Account, Clock, Connector, Declaration, Holds, HoldsLimits, Retry, Watcher, losses_between};
use model::{Cause, Condition, Phase, Side};
use profile::Policy;
use store::{Again, Claim, Claimed, Lease, LeaseTerms, MailboxRow, MailboxState, ProjectKey, Store};
use tokio::sync::watch;

use crate::consent::Consent;
use crate::dates::Dates;
use crate::decide::Setting;
use crate::failure::Failure;
use crate::hold::{CommitWatch, Holder, Keeper, Probe};
use crate::pass::{Work, pass};
use crate::progress::{Finished, Progress};
use crate::quota::QuotaOf;
use crate::report::{Report, Tuning};
use crate::sides::Endpoint;
use crate::state::{Happened, after};
use crate::travel::{Quarantine, Scanner, Travel};
use crate::turnover::{Held, Ready, Turnover};

/// Passes over one mailbox in one run: a mailbox that changes faster than it can be read is left for the next run.
const PASSES_MAX: usize = 10;
/// Tries of a pass that failed for a passing reason, each after a longer wait.
const TRIES_MAX: u32 = 5;
/// How soon a mailbox is asked for again whose endpoints have as many open as they may.
const ROOM_WAIT: Duration = Duration::from_millis(300);
/// Room for items read back from the target while looking.
const LOOK_MEMORY_BYTES: u64 = 8 * 1024 * 1024;

/// A person's accounts on both sides.
#[derive(Clone, Debug)]
pub struct Person {
    /// On the source.
    pub source: Account,
    /// On the target.
    pub target: Account,
    /// The endpoint that this account is of, by its number.
    pub target_endpoint: i64,
    /// The quota that the project has for this person alone, in bytes.
    pub quota_bytes: Option<u64>,
    /// What may travel of theirs; none: what may of everybody's.
    pub policy: Option<Arc<Policy>>,
    /// What keeps this person from being worked on, known beforehand.
    pub problem: Option<Failure>,
}

/// Everything a run works with. All of it is passed in.
#[derive(Clone)]
pub struct Engine {
    /// The database.
    pub store: Store,
    /// The project.
    pub key: ProjectKey,
    /// The version as which it is served, where mailboxes are taken for a service.
    pub version: Option<i64>,
    /// Endpoints by their number.
    pub endpoints: BTreeMap<i64, Endpoint>,
    /// The people, by the number of their mailbox.
    pub people: Arc<BTreeMap<i64, Person>>,
    /// What may travel.
    pub policy: Arc<Policy>,
    /// Keeps the originals of what does not travel as it is.
    pub quarantine: Option<Arc<dyn Quarantine>>,
    /// Looks for malware in what is about to travel.
    pub scanner: Option<Arc<dyn Scanner>>,
    /// The clock for leases.
    pub clock: Arc<dyn Clock>,
    /// Who this process is.
    pub holder: Holder,
    /// How long leases run.
    pub terms: LeaseTerms,
    /// How many people at a time.
    pub people_at_once: usize,
    /// Room for bodies, for each person being worked on.
    pub holds: HoldsLimits,
    /// Sizes and times.
    pub tuning: Tuning,
    /// Numbers for whoever shows them.
    pub progress: Arc<Progress>,
    /// True: stop as soon as it is safe.
    pub stop: watch::Receiver<bool>,
    /// Sees every effect.
    pub probe: Arc<dyn Probe>,
    /// Decide and report, change nothing.
    pub dry_run: bool,
    /// Says whether anything of a mailbox may be copied now, where somebody has a say in it.
    pub consent: Option<Arc<dyn Consent>>,
    /// Switches mailboxes, where that is done.
    pub turnover: Option<Arc<dyn Turnover>>,
}

/// How the work on a mailbox ended.
#[derive(Clone, Debug)]
pub struct MailboxOutcome {
    /// The mailbox.
    pub mailbox: i64,
    /// What all passes did together.
    pub report: Report,
    /// Why it could not go on, if so.
    pub failure: Option<Failure>,
    /// Where it stands now.
    pub state: MailboxState,
    /// When it is to be looked at again because of its switch; none: as it would be without one.
    pub due: Option<Duration>,
}

/// A mailbox that was taken, and is held until it is given back or this is dropped and the lease has run out.
pub struct Turn {
    pub(crate) lease: Lease,
    pub(crate) row: MailboxRow,
    pub(crate) keeper: Keeper,
}

impl Turn {
    /// The mailbox, as it stood when it was taken.
    pub fn row(&self) -> &MailboxRow {
        &self.row
    }
}

/// What came of asking for a mailbox.
pub enum Taken {
    /// This one.
    Turn(Box<Turn>),
    /// One is due and free, but as many are open at its endpoints as may be.
    NoRoom,
    /// None is due and free.
    Nothing,
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct RunEnd {
    /// The mailboxes worked on.
    pub outcomes: Vec<MailboxOutcome>,
    /// Mailboxes asked for that another process holds.
    pub held_elsewhere: Vec<i64>,
    /// Mailboxes asked for that nobody may begin, since they are paused.
    pub paused: Vec<i64>,
    /// Stopped by a person.
    pub stopped: bool,
    /// The database failed.
    pub failure: Option<Failure>,
}

impl Engine {
    /// Works on these mailboxes until nothing is left to do.
    pub async fn run(&self, mailboxes: &[i64]) -> RunEnd {
        let mut end = RunEnd::default();
        let begun = async {
            self.store.void_leases(Holder::is_dead).await?;
            self.store.mark_due(self.key, mailboxes).await
        };
        if let Err(error) = begun.await {
            end.failure = Some(error.into());
            return end;
        }
        let (sender, mut outcomes) = tokio::sync::mpsc::unbounded_channel();
        let mut workers = tokio::task::JoinSet::new();
        let among: Arc<[i64]> = mailboxes.into();
        for _ in 0..self.people_at_once.clamp(1, mailboxes.len().max(1)) {
            let (engine, among, sender) = (self.clone(), among.clone(), sender.clone());
            workers.spawn(async move { Box::pin(engine.work(&among, &sender)).await });
        }
        drop(sender);
        while let Some(outcome) = outcomes.recv().await {
            end.outcomes.push(outcome);
        }
        while let Some(ended) = workers.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                // The first one says why; the others follow from it.
                Ok(Err(failure)) => drop(end.failure.get_or_insert(failure)),
                Err(panicked) => end.failure = Some(Failure::internal(&format!("a worker ended: {panicked}"))),
            }
        }
        end.stopped = *self.stop.borrow();
        let held = self.store.held_and_due(self.key, mailboxes, self.holder.as_str(), self.terms).await;
        if let Ok((held, due)) = held {
            let done: HashSet<i64> = end.outcomes.iter().map(|outcome| outcome.mailbox).collect();
            end.held_elsewhere = held.into_iter().filter(|mailbox| !done.contains(mailbox)).collect();
            if !end.stopped && end.failure.is_none() {
                end.paused = due.into_iter().filter(|mailbox| !done.contains(mailbox)).collect();
            }
        }
        end.outcomes.sort_by_key(|outcome| outcome.mailbox);
        end
    }

    /// One worker: claims what is due until nothing is.
    async fn work(
        &self,
        among: &[i64],
        outcomes: &tokio::sync::mpsc::UnboundedSender<MailboxOutcome>,
    ) -> Result<(), Failure> {
        let mut stop = self.stop.clone();
        while !*self.stop.borrow() {
            let turn = match self.take(Some(among), &[]).await? {
                Taken::Turn(turn) => turn,
                Taken::Nothing => return Ok(()),
                // Other processes have open what may be open there.
                Taken::NoRoom => {
                    tokio::select! {
                        () = tokio::time::sleep(ROOM_WAIT) => {}
                        _ = stop.wait_for(|stop| *stop) => {}
                    }
                    continue;
                }
            };
            let work = self.work_on(*turn, &self.stop, &|_: &MailboxOutcome, _| None);
            let outcome = Box::pin(work).await?;
            if outcomes.send(outcome).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes the mailbox that has been due longest, of these or of all, if one is free; none at endpoints that are closed now.
    pub async fn take(&self, among: Option<&[i64]>, closed: &[i64]) -> Result<Taken, Failure> {
        self.take_of(among, closed, false).await
    }

    /// Takes a mailbox that is being switched or taken back, if one is due and free: these know no hours and no pause.
    pub async fn take_turning(&self) -> Result<Taken, Failure> {
        self.take_of(None, &[], true).await
    }

    async fn take_of(&self, among: Option<&[i64]>, closed: &[i64], only_turning: bool) -> Result<Taken, Failure> {
        let asked = self.clock.since_boot();
        let room = self.room();
        let claim = Claim { only_turning, ..self.claim(among, &room, closed) };
        let claimed = self.store.claim(self.key, &claim).await?;
        Ok(self.taken(claimed, asked))
    }

    /// Takes this mailbox whether or not it is due, for what is no pass; [`Engine::give_back`] ends it.
    pub async fn take_one(&self, mailbox: i64) -> Result<Taken, Failure> {
        let asked = self.clock.since_boot();
        let room = self.room();
        let claimed = self.store.claim_one(self.key, mailbox, &self.claim(None, &room, &[])).await?;
        Ok(self.taken(claimed, asked))
    }

    fn taken(&self, claimed: Claimed, asked: Duration) -> Taken {
        let (lease, row) = match claimed {
            Claimed::Mailbox(claimed) => *claimed,
            Claimed::NoRoom => return Taken::NoRoom,
            Claimed::Nothing => return Taken::Nothing,
        };
        let store = self.store.clone();
        let keeper = Keeper::new(store, lease.clone(), self.terms, self.clock.clone(), self.probe.clone(), asked);
        Taken::Turn(Box::new(Turn { lease, row, keeper }))
    }

    /// Would a mailbox be taken now? With `only_turning`, one that is being switched or taken back.
    pub async fn has_due(&self, closed: &[i64], only_turning: bool) -> Result<bool, Failure> {
        let room = self.room();
        let claim = Claim { only_turning, ..self.claim(None, &room, closed) };
        Ok(self.store.has_due(self.key, &claim).await?)
    }

    fn claim<'c>(&'c self, among: Option<&'c [i64]>, room: &'c [(i64, u64)], shut: &'c [i64]) -> Claim<'c> {
        Claim {
            among,
            holder: self.holder.as_str(),
            terms: self.terms,
            room,
            shut,
            only_turning: false,
            version: self.version,
        }
    }

    /// Opens the source of a mailbox to be told of its changes, by this connector of its endpoint; none where it tells nobody.
    pub async fn watcher(
        &self,
        mailbox: i64,
        connector: &dyn Connector,
    ) -> Result<Option<Box<dyn Watcher>>, connector::Error> {
        let Some(person) = self.people.get(&mailbox).filter(|person| person.problem.is_none()) else { return Ok(None) };
        connector.watch(&person.source).await
    }

    /// How many mailboxes may be open at endpoints that limit it.
    fn room(&self) -> Vec<(i64, u64)> {
        let limited = |(number, endpoint): (&i64, &Endpoint)| Some((*number, endpoint.mailboxes_max()? as u64));
        self.endpoints.iter().filter_map(limited).collect()
    }

    /// Works on a mailbox that was taken until nothing is left to do there or `stop` says that its turn is over. `again` says when it is
    /// due again, by how it went and the number of turns that failed before, one after the other; not at all, if none.
    pub async fn work_on(
        &self,
        turn: Turn,
        stop: &watch::Receiver<bool>,
        again: &(dyn Fn(&MailboxOutcome, i64) -> Option<Duration> + Sync),
    ) -> Result<MailboxOutcome, Failure> {
        let outcome = self.passes(turn, stop, again).await?;
        self.progress.end(Finished {
            mailbox: outcome.mailbox,
            items: outcome.report.copied + outcome.report.adopted,
            bytes: outcome.report.bytes,
            in_the_way: outcome.failure.as_ref().map(ToString::to_string),
        });
        Ok(outcome)
    }

    /// Works on one mailbox: passes until nothing is left, tries again what may pass, gives it back.
    async fn passes(
        &self,
        turn: Turn,
        stop: &watch::Receiver<bool>,
        again: &(dyn Fn(&MailboxOutcome, i64) -> Option<Duration> + Sync),
    ) -> Result<MailboxOutcome, Failure> {
        let (lease, keeper, row) = (&turn.lease, &turn.keeper, &turn.row);
        let store = self.store.watched(Arc::new(CommitWatch(self.probe.clone())));
        let mailbox = row.mailbox;
        let mut state = row.state.clone();
        let mut outcome =
            MailboxOutcome { mailbox, report: Report::default(), failure: None, state: state.clone(), due: None };
        let mut tries = 0;
        let stood = row.state.phase;
        let mut row = row.clone();
        if !self.dry_run {
            state = after(&state, &Happened::PassBegan);
            // One that is at rest stands as it stood, and its row is as it was taken: nobody gives it another target.
            if state != row.state {
                let mut tx = store.write(lease).await?;
                tx.set_state(&state).await?;
                tx.commit().await?;
                // From here on nobody gives it another target; until here somebody may have.
                row.roster = self.row_again(row.clone()).await?.roster;
            }
        }
        if let Err(elsewhere) = self.refuse_elsewhere(&row) {
            outcome.failure = Some(elsewhere);
            return match self.store.release(lease, &outcome.state, self.again(&outcome, again).await?).await {
                Ok(()) | Err(store::Error::Fenced) => Ok(outcome),
                Err(error) => Err(error.into()),
            };
        }
        // Where nobody is there to go on with a switch, what is new at the source is followed all the same.
        let mut is_urgent = row.state.phase == Phase::Switching && self.turnover.is_some();
        let consent = self.consent.as_ref().filter(|_| !self.dry_run && stood < Phase::Switching);
        if let Some(consent) = consent {
            // Where it can't be known whether it may be, it may not.
            outcome.failure = consent.against(&store, self.key, &row).await.unwrap_or_else(Some);
        }
        let is_let = outcome.failure.is_none();
        if let Some(turnover) = self.turnover.as_ref().filter(|_| !self.dry_run && !is_urgent && is_let) {
            let mut held = Held { engine: self, store: &store, turn: &turn, stop, row: row.clone(), report: None };
            match turnover.prepare(&mut held).await {
                Ok(Ready::Passes) => {}
                Ok(Ready::Urgent) => is_urgent = true,
                Ok(Ready::Not(failure)) => outcome.failure = Some(failure),
                // It is tried again before the next passes; mail is copied all the same.
                Err(failure) => tracing::warn!(mailbox, %failure, "what its switch needs beforehand is not done"),
            }
        }
        let mut passes = 0;
        let is_refused = outcome.failure.is_some();
        // What is being switched, or taken back, has passes of its own.
        loop {
            if is_urgent || is_refused {
                break;
            }
            let first = passes == 0;
            // A turn may last for hours: a no that was said meanwhile counts before the next pass, and before one that is tried again.
            if let Some(consent) = consent.filter(|_| passes > 0 || tries > 0)
                && let Some(failure) = consent.against(&store, self.key, &row).await.unwrap_or_else(Some)
            {
                outcome.failure = Some(failure);
                break;
            }
            let began = self.clock.since_boot();
            let (tell, told) = watch::channel(*stop.borrow());
            let pass = self.one_pass(&store, lease, &row, keeper, &told, first);
            let (refused, (report, ended)) = self.while_let(consent, (&store, &row), (stop, tell), pass).await;
            let more = (report.changed_anything() || report.again) && !self.dry_run;
            if !self.dry_run {
                self.record(&store, lease, &report, self.clock.since_boot() - began).await;
            }
            // What was done before it failed was done.
            add(&mut outcome.report, report);
            if refused.is_some() {
                outcome.failure = refused;
                break;
            }
            match ended {
                Ok(()) => {
                    passes += 1;
                    tries = 0;
                    outcome.failure = None;
                    if !more || passes == PASSES_MAX || *stop.borrow() {
                        break;
                    }
                }
                Err(failure) => {
                    tracing::info!(mailbox, cause = failure.error.cause.code(), %failure, "a pass ended early");
                    let wait = self.wait_before_next_try(&row, &failure, tries, stop);
                    outcome.failure = Some(failure);
                    let Some(wait) = wait else { break };
                    tries += 1;
                    let mut stopped = stop.clone();
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        _ = stopped.wait_for(|stop| *stop) => break,
                    }
                }
            }
            // What the pass found out about the mailbox itself.
            row = self.row_again(row).await?;
        }
        if self.dry_run {
            self.store.release(lease, &row.state, Again::default()).await?;
            return Ok(outcome);
        }
        let found_no_room = |failure: &Failure| failure.error.cause == Cause::OverQuota;
        if is_refused || outcome.failure.as_ref().is_some_and(found_no_room) && self.is_untouched(mailbox).await? {
            // It did not start, and may still be given another target.
            state.phase = stood;
        }
        let is_gated = outcome.failure.as_ref().is_some_and(|failure| failure.error.cause == Cause::Gated);
        if !is_urgent {
            let happened = self.happened(&row, &outcome).await?;
            let phase = state.phase;
            state = after(&state, &happened);
            if is_gated {
                // A no says nothing of how far the copy is.
                state.phase = phase;
            }
            if let Some(turnover) = &self.turnover
                && let Condition::Waiting(reason) = &state.condition
                && state.phase < Phase::InStep
                && !is_gated
                && !*stop.borrow()
            {
                let (row, report) = (MailboxRow { state: state.clone(), ..row.clone() }, None);
                let held = Held { engine: self, store: &store, turn: &turn, stop, row, report };
                match turnover.gives_up(&held).await {
                    Ok(None) => {}
                    Ok(Some(why)) => state.condition = Condition::Parked(format!("{why}: {reason}")),
                    Err(failure) => tracing::warn!(mailbox, %failure, "nobody knows whether it is late"),
                }
            }
        }
        if let Some(turnover) = &self.turnover
            && outcome.failure.is_none()
            && (is_urgent || (state.phase >= Phase::InStep && outcome.report.complete))
        {
            row.state = state;
            let mut held = Held { engine: self, store: &store, turn: &turn, stop, row, report: None };
            match turnover.tend(&mut held).await {
                Ok(due) => outcome.due = due,
                Err(failure) => outcome.failure = Some(failure),
            }
            state = held.row.state;
            if let Some(report) = held.report {
                add(&mut outcome.report, report);
            }
            if let Some(failure) = &outcome.failure {
                state = after(&state, &of_failure(failure));
            }
        }
        if state.phase == Phase::Switching && self.turnover.is_none() && outcome.failure.is_none() {
            let what =
                "its switch is under way, and the project has no [routers]: give it back those that it was begun with";
            state.condition = Condition::Waiting(what.to_owned());
        }
        outcome.state = state.clone();
        match self.store.release(lease, &state, self.again(&outcome, again).await?).await {
            // Somebody else has it by now, and says how it stands.
            Ok(()) | Err(store::Error::Fenced) => Ok(outcome),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes down what a pass did, for numbers and predictions, which are no reason to break off.
    pub(crate) async fn record(&self, store: &Store, lease: &Lease, report: &Report, took: Duration) {
        let followed = report.flags_changed + report.moved + report.removed;
        if followed + report.copied == 0 {
            return;
        }
        let recorded = async {
            let mut tx = store.write(lease).await?;
            if followed > 0 {
                tx.add_followed(followed).await?;
            }
            if report.copied > 0 {
                let worked_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                tx.add_work(worked_ms, report.copied, report.bytes).await?;
            }
            tx.commit().await
        };
        if let Err(error) = recorded.await {
            tracing::warn!(mailbox = lease.mailbox, %error, "what a pass did is not counted");
        }
    }

    /// When a mailbox is worked on again, after this.
    async fn again(
        &self,
        outcome: &MailboxOutcome,
        again: &(dyn Fn(&MailboxOutcome, i64) -> Option<Duration> + Sync),
    ) -> Result<Again, store::Error> {
        let stopped = outcome.failure.as_ref().is_some_and(|failure| failure.error.cause == Cause::Stopped);
        let failed = outcome.failure.is_some() && !stopped;
        let tries = if failed || stopped { self.store.tries(self.key, outcome.mailbox).await? } else { 0 };
        let after_ms = outcome
            .due
            .or_else(|| again(outcome, tries))
            .map(|after| i64::try_from(after.as_millis()).unwrap_or(i64::MAX / 2));
        Ok(Again { after_ms, failed, stopped })
    }

    /// Lies nothing of a mailbox on its target, nor may anything?
    pub(crate) async fn is_untouched(&self, mailbox: i64) -> Result<bool, Failure> {
        if !self.store.intents(self.key, mailbox).await?.is_empty() {
            return Ok(false);
        }
        for row in self.store.folders(self.key, mailbox).await? {
            if row.made || self.store.count_items(self.key, &row).await? > 0 {
                return Ok(false);
            }
        }
        Ok(self.store.held_removals(self.key, mailbox).await?.is_empty())
    }

    pub(crate) async fn row_again(&self, row: MailboxRow) -> Result<MailboxRow, Failure> {
        Ok(self.store.mailbox(self.key, row.mailbox).await?.unwrap_or(row))
    }

    /// Works while it may be. A no that is said meanwhile ends it where it is safe, as whoever stops the run does; which no it was.
    async fn while_let<T>(
        &self,
        consent: Option<&Arc<dyn Consent>>,
        (store, row): (&Store, &MailboxRow),
        (stop, tell): (&watch::Receiver<bool>, watch::Sender<bool>),
        work: impl Future<Output = T>,
    ) -> (Option<Failure>, T) {
        let no = async {
            let Some(consent) = consent else { return std::future::pending().await };
            loop {
                tokio::time::sleep(self.tuning.consent_every).await;
                // Where nobody answers now it is asked again, and before the next pass at the latest.
                if let Ok(Some(failure)) = consent.against(store, self.key, row).await {
                    return failure;
                }
            }
        };
        let mut stop = stop.clone();
        tokio::pin!(work, no);
        let (mut refused, mut is_seen) = (None, false);
        loop {
            tokio::select! {
                done = &mut work => return (refused, done),
                failure = &mut no, if refused.is_none() => {
                    tell.send_replace(true);
                    refused = Some(failure);
                }
                stopped = stop.wait_for(|stop| *stop), if !is_seen => {
                    is_seen = true;
                    if stopped.is_ok() {
                        tell.send_replace(true);
                    }
                }
            }
        }
    }

    /// How long to wait before trying again; none when trying again is of no use in this run.
    fn wait_before_next_try(
        &self,
        row: &MailboxRow,
        failure: &Failure,
        tries: u32,
        stop: &watch::Receiver<bool>,
    ) -> Option<Duration> {
        let endpoint = match failure.side {
            Some(Side::Source) => self.endpoints.get(&row.roster.source_endpoint),
            Some(Side::Target) => self.endpoints.get(&row.roster.target_endpoint),
            None => None,
        };
        let is_away = failure.error.cause == Cause::Connection
            && endpoint.is_some_and(|endpoint| endpoint.reach.may_come_back(self.clock.since_boot()));
        if (tries + 1 >= TRIES_MAX && !is_away) || *stop.borrow() {
            return None;
        }
        let usual = self.tuning.retry_wait * 2u32.pow(tries.min(TRIES_MAX));
        match failure.error.retry {
            Retry::Now => Some(usual),
            Retry::Later(None) => Some(usual * 4),
            Retry::Later(Some(wait)) => Some(wait.max(usual)),
            Retry::AfterPerson | Retry::Never => None,
        }
        .filter(|wait| *wait <= self.tuning.wait_max)
    }

    pub(crate) async fn one_pass(
        &self,
        store: &Store,
        lease: &Lease,
        row: &MailboxRow,
        keeper: &Keeper,
        stop: &watch::Receiver<bool>,
        first: bool,
    ) -> (Report, Result<(), Failure>) {
        let opened = async {
            let dates = self.dates(row.mailbox).await?;
            let sides = self.sides(row)?;
            Ok((dates, sides.declarations(), sides.open(keeper.door.clone()).await?))
        };
        let (dates, (source_is, target_is), (source, target, _seats)) = match opened.await {
            Ok(opened) => opened,
            Err(failure) => return (Report::default(), Err(failure)),
        };
        let work = self.work_of(store, lease, row, stop, first, dates, (&source_is, &target_is));
        Box::pin(pass(&work, source, target)).await
    }

    /// What the work on a mailbox has to go by. `first`: what failed before is tried again.
    #[expect(clippy::too_many_arguments, reason = "all that a pass is told")]
    pub(crate) fn work_of(
        &self,
        store: &Store,
        lease: &Lease,
        row: &MailboxRow,
        stop: &watch::Receiver<bool>,
        first: bool,
        dates: Dates,
        (source_is, target_is): (&Declaration, &Declaration),
    ) -> Work {
        let policy = self.policy_of(row.mailbox);
        let (in_use, is_frozen) = (row.is_in_use(), row.is_frozen());
        let adopted_follow = policy.following.adopted_follow && !in_use;
        let losses = losses_between(source_is, target_is);
        Work {
            store: store.clone(),
            key: self.key,
            lease: lease.clone(),
            mailbox: row.clone(),
            policy: policy.clone(),
            travel: Travel::new(
                policy,
                self.quarantine.clone().filter(|_| !self.dry_run),
                self.scanner.clone(),
                losses.clone(),
                dates,
                row.bytes_not_kept,
            ),
            losses,
            target_kinds: target_is.kinds.clone(),
            quota: self.quota_of(row.mailbox),
            holds: Holds::new(self.holds.clone()),
            look_holds: Holds::new(HoldsLimits {
                memory_bytes: LOOK_MEMORY_BYTES,
                body_in_memory_bytes_max: self.holds.body_in_memory_bytes_max.min(LOOK_MEMORY_BYTES / 2),
                ..self.holds.clone()
            }),
            progress: self.progress.clone(),
            stop: stop.clone(),
            tuning: self.tuning.clone(),
            setting: Setting { in_use, retry_failed: first, adopted_follow, is_frozen },
            dry_run: self.dry_run,
        }
    }

    /// What is known of dates that a mailbox's items could not keep.
    pub(crate) async fn dates(&self, mailbox: i64) -> Result<Dates, Failure> {
        let given = self.store.dates_given(self.key, mailbox).await?;
        Ok(Dates::new(self.clock.clone(), given))
    }

    /// The project's quota for a mailbox: its person's own, else the policy's.
    pub(crate) fn quota_of(&self, mailbox: i64) -> Option<(QuotaOf, u64)> {
        let own = self.people.get(&mailbox).and_then(|person| person.quota_bytes);
        let of_policy = self.policy_of(mailbox).quota_bytes;
        own.map(|own| (QuotaOf::Person, own)).or(of_policy.map(|bytes| (QuotaOf::Policy, bytes)))
    }

    /// What may travel of a mailbox.
    pub(crate) fn policy_of(&self, mailbox: i64) -> Arc<Policy> {
        let own = self.people.get(&mailbox).and_then(|person| person.policy.clone());
        own.unwrap_or_else(|| self.policy.clone())
    }

    /// What happened to the mailbox, for its state.
    async fn happened(&self, row: &MailboxRow, outcome: &MailboxOutcome) -> Result<Happened, Failure> {
        if let Some(failure) = &outcome.failure {
            return Ok(of_failure(failure));
        }
        if let Some((cause, side, what)) = &outcome.report.in_the_way {
            return Ok(Happened::PassIncomplete { waits_for: what.clone(), cause: *cause, side: *side });
        }
        if !outcome.report.complete {
            let waits_for = "the next run: it changes faster than it can be read".to_owned();
            let (cause, side) = (Cause::Unavailable, Some(Side::Source));
            return Ok(Happened::PassIncomplete { waits_for, cause, side });
        }
        let (undisposed, open_intents) = self.undone(row.mailbox).await?;
        Ok(Happened::PassComplete { undisposed, open_intents })
    }

    /// Items of a mailbox that failed without anybody's word, and batches whose outcome is not known.
    pub(crate) async fn undone(&self, mailbox: i64) -> Result<(u64, u64), Failure> {
        let failures = self.store.failures(self.key, Some(mailbox)).await?;
        let undisposed = failures.iter().filter(|failure| failure.accepted_by.is_none()).count() as u64;
        let intents = self.store.intents(self.key, mailbox).await?;
        let open_intents = intents.iter().filter(|intent| intent.state == store::IntentState::Open).count() as u64;
        Ok((undisposed, open_intents))
    }
}

fn of_failure(failure: &Failure) -> Happened {
    let what = failure.error.to_string();
    if failure.error.cause == Cause::Stopped {
        return Happened::Stopped { what };
    }
    Happened::Failed { cause: failure.error.cause, side: failure.side, what, passing: failure.is_passing() }
}

pub(crate) fn add(all: &mut Report, pass: Report) {
    all.copied += pass.copied;
    all.bytes += pass.bytes;
    all.adopted += pass.adopted;
    all.left_behind += pass.left_behind;
    all.replaced += pass.replaced;
    all.repaired += pass.repaired;
    all.arrived += pass.arrived;
    all.failed += pass.failed;
    all.flags_changed += pass.flags_changed;
    all.folders_made += pass.folders_made;
    all.gone += pass.gone;
    all.left += pass.left;
    all.moved += pass.moved;
    all.removed += pass.removed;
    all.held_removals += pass.held_removals;
    all.withdrawn += pass.withdrawn;
    all.folders_removed += pass.folders_removed;
    all.complete = pass.complete;
    all.in_the_way = pass.in_the_way;
    all.again = pass.again;
    all.would = pass.would;
}
