//! A run: many people, some at a time, each by a worker that claims, passes until nothing is left, and gives back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use connector::{Account, Clock, Holds, HoldsLimits, Retry, losses_between};
use model::{Cause, Side};
use profile::Policy;
use store::{Lease, LeaseTerms, MailboxRow, MailboxState, ProjectKey, Store};
use tokio::sync::watch;

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

/// Passes over one mailbox in one run: a mailbox that changes faster than it can be read is left for the next run.
const PASSES_MAX: usize = 10;
/// Tries of a pass that failed for a passing reason, each after a longer wait.
const TRIES_MAX: u32 = 5;
/// A server's own wish how long to wait is obeyed up to this; beyond, the mailbox waits for the next run.
const WAIT_MAX: Duration = Duration::from_secs(600);
/// Room for items read back from the target while looking.
const LOOK_MEMORY_BYTES: u64 = 8 * 1024 * 1024;

/// A person's accounts on both sides.
#[derive(Clone, Debug)]
pub struct Person {
    /// On the source.
    pub source: Account,
    /// On the target.
    pub target: Account,
    /// The quota that the project has for this person alone, in bytes.
    pub quota_bytes: Option<u64>,
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
    /// Endpoints by their number.
    pub endpoints: BTreeMap<i64, Endpoint>,
    /// The people, by the number of their mailbox.
    pub people: BTreeMap<i64, Person>,
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
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct RunEnd {
    /// The mailboxes worked on.
    pub outcomes: Vec<MailboxOutcome>,
    /// Mailboxes asked for that another process holds.
    pub held_elsewhere: Vec<i64>,
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
            workers.spawn(async move { engine.work(&among, &sender).await });
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
        if let Ok((held, _)) = held {
            let done: Vec<i64> = end.outcomes.iter().map(|outcome| outcome.mailbox).collect();
            end.held_elsewhere = held.into_iter().filter(|mailbox| !done.contains(mailbox)).collect();
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
        while !*self.stop.borrow() {
            let asked = self.clock.since_boot();
            let claimed = self.store.claim(self.key, among, self.holder.as_str(), self.terms).await?;
            let Some((lease, row)) = claimed else { return Ok(()) };
            let watched = self.store.watched(Arc::new(CommitWatch(self.probe.clone())));
            let keeper = Keeper::new(
                self.store.clone(),
                lease.clone(),
                self.terms,
                self.clock.clone(),
                self.probe.clone(),
                asked,
            );
            let outcome = self.work_on(watched, lease, row, &keeper).await?;
            self.progress.end(Finished {
                mailbox: outcome.mailbox,
                items: outcome.report.copied + outcome.report.adopted,
                bytes: outcome.report.bytes,
                in_the_way: outcome.failure.as_ref().map(ToString::to_string),
            });
            if outcomes.send(outcome).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Works on one mailbox: passes until nothing is left, tries again what may pass, gives it back.
    async fn work_on(
        &self,
        store: Store,
        lease: Lease,
        row: MailboxRow,
        keeper: &Keeper,
    ) -> Result<MailboxOutcome, Failure> {
        let mailbox = row.mailbox;
        let mut state = row.state.clone();
        let mut outcome = MailboxOutcome { mailbox, report: Report::default(), failure: None, state: state.clone() };
        let mut tries = 0;
        let (stood, began) = (row.state.phase, self.clock.since_boot());
        let mut row = row;
        if !self.dry_run {
            state = after(&state, &Happened::PassBegan);
            let mut tx = store.write(&lease).await?;
            tx.set_state(&state).await?;
            tx.commit().await?;
        }
        let mut passes = 0;
        loop {
            let first = passes == 0;
            let (report, ended) = self.one_pass(&store, &lease, &row, keeper, first).await;
            let more = (report.changed_anything() || report.again) && !self.dry_run;
            // What was done before it failed was done.
            add(&mut outcome.report, report);
            match ended {
                Ok(()) => {
                    passes += 1;
                    tries = 0;
                    outcome.failure = None;
                    if !more || passes == PASSES_MAX || *self.stop.borrow() {
                        break;
                    }
                }
                Err(failure) => {
                    tracing::info!(mailbox, cause = failure.error.cause.code(), %failure, "a pass ended early");
                    let wait = self.wait_before_next_try(&row, &failure, tries);
                    outcome.failure = Some(failure);
                    let Some(wait) = wait else { break };
                    tries += 1;
                    let mut stop = self.stop.clone();
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        _ = stop.wait_for(|stop| *stop) => break,
                    }
                }
            }
            // What the pass found out about the mailbox itself.
            row = self.row_again(row).await?;
        }
        if self.dry_run {
            self.store.release(&lease, &row.state, None).await?;
            return Ok(outcome);
        }
        let is_refused = |failure: &Failure| failure.error.cause == Cause::OverQuota;
        if outcome.failure.as_ref().is_some_and(is_refused) && self.is_untouched(mailbox).await? {
            // It did not start, and may still be given another target.
            state.phase = stood;
        }
        let happened = self.happened(&row, &outcome).await?;
        state = after(&state, &happened);
        outcome.state = state.clone();
        let released = async {
            if outcome.report.copied > 0 {
                let worked = u64::try_from((self.clock.since_boot() - began).as_millis()).unwrap_or(u64::MAX);
                let mut tx = store.write(&lease).await?;
                tx.add_work(worked, outcome.report.copied, outcome.report.bytes).await?;
                tx.commit().await?;
            }
            self.store.release(&lease, &state, None).await
        };
        match released.await {
            // Somebody else has it by now, and says how it stands.
            Ok(()) | Err(store::Error::Fenced) => Ok(outcome),
            Err(error) => Err(error.into()),
        }
    }

    /// Lies nothing of a mailbox on its target, nor may anything?
    async fn is_untouched(&self, mailbox: i64) -> Result<bool, Failure> {
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

    async fn row_again(&self, row: MailboxRow) -> Result<MailboxRow, Failure> {
        Ok(self.store.mailbox(self.key, row.mailbox).await?.unwrap_or(row))
    }

    /// How long to wait before trying again; none when trying again is of no use in this run.
    fn wait_before_next_try(&self, row: &MailboxRow, failure: &Failure, tries: u32) -> Option<Duration> {
        let endpoint = match failure.side {
            Some(Side::Source) => self.endpoints.get(&row.roster.source_endpoint),
            Some(Side::Target) => self.endpoints.get(&row.roster.target_endpoint),
            None => None,
        };
        let is_away = failure.error.cause == Cause::Connection
            && endpoint.is_some_and(|endpoint| endpoint.reach.may_come_back(self.clock.since_boot()));
        if (tries + 1 >= TRIES_MAX && !is_away) || *self.stop.borrow() {
            return None;
        }
        let usual = self.tuning.retry_wait * 2u32.pow(tries.min(TRIES_MAX));
        match failure.error.retry {
            Retry::Now => Some(usual),
            Retry::Later(None) => Some(usual * 4),
            Retry::Later(Some(wait)) => (wait <= WAIT_MAX).then_some(wait.max(usual)),
            Retry::AfterPerson | Retry::Never => None,
        }
    }

    async fn one_pass(
        &self,
        store: &Store,
        lease: &Lease,
        row: &MailboxRow,
        keeper: &Keeper,
        first: bool,
    ) -> (Report, Result<(), Failure>) {
        let opened = async {
            let sides = self.sides(row)?;
            Ok((sides.declarations(), sides.open(keeper.door.clone()).await?))
        };
        let ((source_is, target_is), (source, target, _seats)) = match opened.await {
            Ok(opened) => opened,
            Err(failure) => return (Report::default(), Err(failure)),
        };
        let adopted_follow = self.policy.following.adopted_follow && !row.roster.target_in_use;
        let losses = losses_between(&source_is, &target_is);
        let work = Work {
            store: store.clone(),
            key: self.key,
            lease: lease.clone(),
            mailbox: row.clone(),
            policy: self.policy.clone(),
            travel: Travel::new(
                self.policy.clone(),
                self.quarantine.clone().filter(|_| !self.dry_run),
                self.scanner.clone(),
                losses.clone(),
                row.bytes_not_kept,
            ),
            losses,
            target_kinds: target_is.kinds,
            quota: self.quota_of(row.mailbox),
            holds: Holds::new(self.holds.clone()),
            look_holds: Holds::new(HoldsLimits {
                memory_bytes: LOOK_MEMORY_BYTES,
                body_in_memory_bytes_max: self.holds.body_in_memory_bytes_max.min(LOOK_MEMORY_BYTES / 2),
                ..self.holds.clone()
            }),
            progress: self.progress.clone(),
            stop: self.stop.clone(),
            tuning: self.tuning.clone(),
            setting: Setting { in_use: row.roster.target_in_use, retry_failed: first, adopted_follow },
            dry_run: self.dry_run,
            now: self.clock.unix_seconds(),
        };
        pass(&work, source, target).await
    }

    /// The project's quota for a mailbox: its person's own, else the policy's.
    pub(crate) fn quota_of(&self, mailbox: i64) -> Option<(QuotaOf, u64)> {
        let own = self.people.get(&mailbox).and_then(|person| person.quota_bytes);
        own.map(|own| (QuotaOf::Person, own)).or(self.policy.quota_bytes.map(|bytes| (QuotaOf::Policy, bytes)))
    }

    /// What happened to the mailbox, for its state.
    async fn happened(&self, row: &MailboxRow, outcome: &MailboxOutcome) -> Result<Happened, Failure> {
        if let Some(failure) = &outcome.failure {
            return Ok(Happened::Failed {
                cause: failure.error.cause,
                side: failure.side,
                what: failure.error.to_string(),
                passing: failure.is_passing(),
            });
        }
        if let Some((cause, side, what)) = &outcome.report.in_the_way {
            return Ok(Happened::PassIncomplete { waits_for: what.clone(), cause: *cause, side: *side });
        }
        if !outcome.report.complete {
            let waits_for = "the next run: it changes faster than it can be read".to_owned();
            let (cause, side) = (Cause::Unavailable, Some(Side::Source));
            return Ok(Happened::PassIncomplete { waits_for, cause, side });
        }
        let failures = self.store.failures(self.key, Some(row.mailbox)).await?;
        let undisposed = failures.iter().filter(|failure| failure.accepted_by.is_none()).count() as u64;
        let intents = self.store.intents(self.key, row.mailbox).await?;
        let open_intents = intents.iter().filter(|intent| intent.state == store::IntentState::Open).count() as u64;
        Ok(Happened::PassComplete { undisposed, open_intents })
    }
}

fn add(all: &mut Report, pass: Report) {
    all.copied += pass.copied;
    all.bytes += pass.bytes;
    all.adopted += pass.adopted;
    all.left_behind += pass.left_behind;
    all.replaced += pass.replaced;
    all.repaired += pass.repaired;
    all.failed += pass.failed;
    all.flags_changed += pass.flags_changed;
    all.folders_made += pass.folders_made;
    all.gone += pass.gone;
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
