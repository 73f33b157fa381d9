//! What is done for each task of a switch, and read back.

use std::time::Duration;

use connector::router::Router;
use model::{Cause, Phase, Side};
use movement::{Failure, Held};
use store::{ForwarderRow, SwitchRow};
use switch::{Ended, Rule, Task, Way};

use super::driver::{Switcher, failed};
use super::rules::word_of;
use super::subject::Subject;
use crate::when;

/// What a try of a task came to.
pub(crate) struct Attempt {
    pub(crate) ended: Ended,
    /// What was seen, in sentences.
    pub(crate) evidence: String,
    /// For the drain: since when nothing new came.
    pub(crate) quiet_since: Option<i64>,
    /// The target forwards to the source.
    pub(crate) has_forwarder: bool,
    /// It is to, and can't for now.
    pub(crate) forwarder_waits: bool,
    /// A person is to do something for it.
    pub(crate) is_awaited: bool,
}

/// How often is looked whether a person has done what is awaited of them. What they supply is looked at sooner.
const AWAITED: Duration = Duration::from_secs(600);

impl Attempt {
    pub(super) fn done(evidence: impl Into<String>) -> Self {
        Self {
            ended: Ended::Done,
            evidence: evidence.into(),
            quiet_since: None,
            has_forwarder: false,
            forwarder_waits: false,
            is_awaited: false,
        }
    }

    fn wait(wait: Duration, evidence: impl Into<String>) -> Self {
        Self { ended: Ended::NotYet(wait), ..Self::done(evidence) }
    }

    pub(super) fn failed(passing: bool, evidence: impl Into<String>) -> Self {
        Self { ended: Ended::Failed { passing }, ..Self::done(evidence) }
    }

    fn of(failure: &Failure) -> Self {
        if failure.error.cause == Cause::Stopped {
            return Self::wait(Duration::ZERO, "the turn was over");
        }
        if failure.error.cause == Cause::Awaiting {
            return Self { is_awaited: true, ..Self::wait(AWAITED, failure.to_string()) };
        }
        Self::failed(failure.is_passing() || failure.error.cause == Cause::InDoubt, failure.to_string())
    }
}

/// What a mail server of the source still has in its queue.
enum Queue {
    /// Nothing, or nobody can tell.
    Empty,
    /// Something, which is waited for.
    Waits(Attempt),
    /// Something, or it can't be known, for as long as is waited for that.
    GivenUp(String),
}

/// Until then a queue that is not empty holds the drain up: what comes later is followed all the same.
const QUEUE_WAIT_MS: i64 = 3_600_000;

impl Switcher {
    /// Tries a task. It may have been tried before, and cut anywhere.
    pub(crate) async fn attempt(&self, task: Task, held: &mut Held<'_>, row: &SwitchRow) -> Attempt {
        let is_back = task.way() == Way::Back && task != Task::Carry && task != Task::CarryRest;
        let tried = match task {
            Task::Freeze => self.freeze(held).await,
            Task::ForwarderOff => self.take_off(task, held, Side::Target, row).await,
            Task::RedirectOn => self.put_on(task, held, Side::Source).await,
            Task::RedirectOff => self.take_off(task, held, Side::Source, row).await,
            // With an old address on the account the forwarder would lead its mail in a circle.
            Task::ForwarderOn => match self.addresses_off(held, self.has_forwarder(held).await).await {
                Ok(Attempt { ended: Ended::Done, .. }) => self.forwarder_on(held).await,
                other => other,
            },
            Task::AddressesOn => self.addresses_on(held, row).await,
            Task::AddressesOff => self.addresses_off_first(held).await,
            Task::Drain => self.drain(held, row).await,
            Task::Carry => self.carry(held, row, Duration::ZERO).await,
            Task::CarryRest => self.carry(held, row, self.quiet()).await,
            Task::MarkOn => Ok(Attempt::done("marked for the person's client")),
            Task::MarkOff => self.open_again(held).await,
            // Much time may have passed since either was read back.
            Task::RecordOver => match self.take_off(Task::ForwarderOff, held, Side::Target, row).await {
                Ok(Attempt { ended: Ended::Done, .. }) => match self.put_on(Task::RedirectOn, held, Side::Source).await
                {
                    Ok(on @ Attempt { ended: Ended::Done, .. }) => self.with_result(held, on).await,
                    other => other,
                },
                other => other,
            },
            Task::Thaw => match self.take_off(Task::RedirectOff, held, Side::Source, row).await {
                Ok(Attempt { ended: Ended::Done, .. }) => match self.addresses_off(held, true).await {
                    Ok(Attempt { ended: Ended::Done, .. }) => self.forwarder_on(held).await,
                    other => other,
                },
                other => other,
            },
        };
        let attempt = tried.unwrap_or_else(|failure| Attempt::of(&failure));
        if is_back { self.carrying(held, attempt).await } else { attempt }
    }

    /// What a try on the way back came to. Where it has to wait, what has come to the target is carried to the source all the same, with each
    /// try, since its person may work there.
    async fn carrying(&self, held: &mut Held<'_>, attempt: Attempt) -> Attempt {
        if attempt.ended == Ended::Done || held.is_stopped() {
            return attempt;
        }
        let carried = match held.carry_back().await {
            Ok(carried) if carried.is_nothing_new() => "nothing had come to the target meanwhile".to_owned(),
            Ok(carried) => format!("{} items that had come to the target meanwhile went to the source", carried.added),
            Err(failure) => format!("what came to the target meanwhile could not be carried: {failure}"),
        };
        Attempt { evidence: format!("{}; {carried}", attempt.evidence), ..attempt }
    }

    /// Old addresses go off the account before mail is turned back; not while mail for them comes to the target from elsewhere, which would refuse it.
    async fn addresses_off_first(&self, held: &Held<'_>) -> Result<Attempt, Failure> {
        if let Some(why) = self.leads_to_target(Subject::of(held)).await? {
            return Ok(Attempt::failed(true, why));
        }
        self.addresses_off(held, false).await
    }

    fn quiet(&self) -> Duration {
        Duration::from_secs(self.entry.drain_quiet_seconds)
    }

    /// Adds what a switch ends with to what was seen.
    async fn with_result(&self, held: &Held<'_>, attempt: Attempt) -> Result<Attempt, Failure> {
        let counts = held.store().counts_of(held.key(), held.row().mailbox).await?;
        let evidence = format!("{}; {counts}", attempt.evidence);
        Ok(Attempt { evidence, ..attempt })
    }

    /// From here on only what is new at the source is followed. A pass takes all there is, and writes down how the target stands: it has to
    /// be as whole as one that brings a mailbox in step.
    async fn freeze(&self, held: &mut Held<'_>) -> Result<Attempt, Failure> {
        let report = held.pass().await?;
        if let Some(why) = held.not_whole(&report).await? {
            return Ok(Attempt::failed(true, why));
        }
        Ok(Attempt::done(format!("from here on only additions are followed; {} came over", report.copied)))
    }

    /// Before anything changes where mail goes: would all still reach one followed mailbox?
    async fn refuse_faults(&self, task: Task, held: &Held<'_>) -> Result<Option<Attempt>, Failure> {
        let faults = self.faults(Subject::of(held), task).await?;
        Ok(faults.first().map(|first| {
            Attempt::failed(true, format!("the routing check finds {}; the first: {first}", faults.len()))
        }))
    }

    /// Takes ours off on a side, and reads that it is.
    async fn take_off(&self, task: Task, held: &Held<'_>, side: Side, row: &SwitchRow) -> Result<Attempt, Failure> {
        let (store, key, mailbox) = (held.store(), held.key(), held.row().mailbox);
        let Some(router) = self.router(Subject::of(held), side) else {
            // Nothing of ours is on where we have never been. Where we have, only the router could tell.
            let was_there = match side {
                Side::Target => store.forwarder(key, mailbox).await?.is_some(),
                Side::Source => {
                    let tasks = store.switch_tasks(key, mailbox, row.switch).await?;
                    tasks.iter().any(|task| task.task == Task::RedirectOn.name())
                }
            };
            let what = format!("the {side} has no router under [routers]");
            return Ok(if was_there {
                Attempt::failed(true, format!("{what}, and ours may be on there: give it back the one that it had"))
            } else {
                Attempt::done(format!("{what}, and nothing of ours was ever there"))
            });
        };
        let who = self.recipient(Subject::of(held), side).await?;
        let seen = router.read(&who).await.map_err(|error| failed(side, error))?;
        let (mut notes, mut is_in_doubt): (Vec<String>, _) = (Vec::new(), false);
        // On the way back nothing is better than to go on.
        if seen.ours.is_some()
            && task == Task::ForwarderOff
            && let Some(refused) = self.refuse_faults(task, held).await?
        {
            return Ok(refused);
        }
        // That counts for the way back, too, which is told what it leads to.
        if seen.ours.is_some() && task == Task::RedirectOff {
            let faults = self.faults(Subject::of(held), task).await?;
            let told = |first| format!("the routing check finds {} on the way back; the first: {first}", faults.len());
            notes.extend(faults.first().map(told));
        }
        // Where nothing of ours is on, one may be asked for that nobody has begun yet: it is asked for no more.
        match router.release(&who, &*held.door()).await {
            Ok(released) => notes.extend(released.notes),
            Err(error) if error.cause == Cause::InDoubt => is_in_doubt = true,
            Err(error) => return Err(failed(side, error)),
        }
        let seen = router.read(&who).await.map_err(|error| failed(side, error))?;
        if let Some(to) = seen.redirected_to() {
            return Ok(Attempt::failed(true, format!("the {side} still sends mail on to {to}")));
        }
        // What is in force for some of the mail only is not gone, unless a release has said that it is.
        if is_in_doubt && seen.ours.is_some() {
            return Ok(Attempt::failed(true, format!("the {side} may still send some of the mail on")));
        }
        Ok(Attempt::done(told(&format!("read back at the {side}: nothing of ours is in force"), notes)))
    }

    /// Puts ours on on a side, and reads that it is.
    pub(super) async fn put_on(&self, task: Task, held: &Held<'_>, side: Side) -> Result<Attempt, Failure> {
        let other = if side == Side::Source { Side::Target } else { Side::Source };
        let Some(router) = self.router(Subject::of(held), side) else {
            return Ok(Attempt::failed(false, format!("the {side} has no router: add one under [routers]")));
        };
        let Some(to) = self.addresses(Subject::of(held), other).into_iter().next() else {
            return Ok(Attempt::failed(false, "the project has no [routing]: no address is known to lead mail to"));
        };
        let who = self.recipient(Subject::of(held), side).await?;
        let seen = router.read(&who).await.map_err(|error| failed(side, error))?;
        // Both on together would lead mail in a circle, whatever is on record.
        if let Some(back) = self.leads_back(Subject::of(held), side, other).await? {
            return Ok(Attempt::failed(true, format!("{}: both would lead in a circle", back.what)));
        }
        let mut notes = Vec::new();
        if !is_on(&**router, seen.redirected_to(), &to) {
            if let Some(refused) = self.refuse_faults(task, held).await? {
                return Ok(refused);
            }
            if side == Side::Target
                && let Some(why) = self.goes_round(&to).await?
            {
                return Ok(Attempt::failed(true, why));
            }
            let redirected = router.redirect(&who, &to, &*held.door()).await;
            notes = redirected.map(|redirected| redirected.notes).or_else(|error| in_doubt(side, error))?;
        }
        let seen = router.read(&who).await.map_err(|error| failed(side, error))?;
        if is_on(&**router, seen.redirected_to(), &to) {
            return Ok(Attempt::done(told(&format!("read back at the {side}: all mail goes to {to}"), notes)));
        }
        let why = seen.ours.and_then(|ours| ours.ineffective).unwrap_or_else(|| "it is not there".to_owned());
        Ok(Attempt::failed(true, format!("the redirect at the {side} is not in force: {why}")))
    }

    /// Puts the forwarder from the target to the source on again, where there was one and it may be.
    async fn forwarder_on(&self, held: &Held<'_>) -> Result<Attempt, Failure> {
        let Some(row) = held.store().forwarder(held.key(), held.row().mailbox).await? else {
            return Ok(Attempt::done("there was none"));
        };
        if let Some(why) = self.may_not_forward(&row, held.store().now().await?, held.row().roster.new_account) {
            return Ok(Attempt::done(format!("it stays off: {why}")));
        }
        if let Some(why) = self.may_not_lead_back(Subject::of(held)).await? {
            return Ok(Attempt::done(format!("it stays off: {why}")));
        }
        // Somebody's own may have come while they were switched. That holds nobody's way back up.
        let back = self.leads_back(Subject::of(held), Side::Target, Side::Source).await?;
        if let Some(back) = back.filter(|back| !back.is_ours) {
            let what = format!("it stays off as long as {}: both would lead in a circle", back.what);
            return Ok(Attempt { forwarder_waits: true, ..Attempt::done(what) });
        }
        Ok(Attempt { has_forwarder: true, ..self.put_on(Task::ForwarderOn, held, Side::Target).await? })
    }

    /// Is a forwarder of this mailbox on record? Where that can't be told it is supposed.
    async fn has_forwarder(&self, held: &Held<'_>) -> bool {
        held.store().forwarder(held.key(), held.row().mailbox).await.map_or(true, |row| row.is_some())
    }

    /// Why an account may have no forwarder: one that its person had before needs their guardian's word, which has an end.
    fn may_not_forward(&self, row: &ForwarderRow, now: i64, is_new: bool) -> Option<String> {
        match &row.is.allowed {
            None if !is_new => Some("its person had the account before, and no guardian has signed for it".to_owned()),
            Some([_, _, _, ends]) => {
                let today: String = when::shown(now, &self.zone).chars().take(10).collect();
                (today > *ends).then(|| format!("the guardian's word ended on {ends}"))
            }
            None => None,
        }
    }

    /// Why mail may not be forwarded from the target to the source any more: the project forbids it, or the word that allowed it was
    /// withdrawn.
    async fn may_not_lead_back(&self, of: Subject<'_>) -> Result<Option<String>, Failure> {
        let Some(routing) = &self.routing else { return Ok(None) };
        if !routing.target_to_source {
            return Ok(Some("mail may not be forwarded from target to source".to_owned()));
        }
        if routing.target_to_source_of_profile != Some(profile::Forwarding::Decided) {
            return Ok(None);
        }
        let words = of.store.rule_words(of.key).await?;
        let word = word_of(&words, Rule::ForwardingDecided, of.row.mailbox, of.row.roster.collection.as_deref());
        let why = || "nobody has signed that mail is forwarded from target to source".to_owned();
        Ok(word.is_none().then(why))
    }

    /// What is still on its way to the source comes over. Done once two passes found nothing new, far enough apart, and nothing is queued.
    async fn drain(&self, held: &mut Held<'_>, row: &SwitchRow) -> Result<Attempt, Failure> {
        let began = held.store().now().await?;
        let report = held.pass().await?;
        if let Some((_, _, what)) = &report.in_the_way {
            return Ok(Attempt::failed(true, what.clone()));
        }
        if !report.is_nothing_new() {
            return Ok(Attempt::wait(Duration::from_secs(1), format!("{} came over", report.copied)));
        }
        let left = match self.queue(held, row, began).await? {
            Queue::Empty => String::new(),
            Queue::Waits(waiting) => return Ok(waiting),
            Queue::GivenUp(what) => format!("; waited for an hour: {what}"),
        };
        let attempt = Self::quiet_for(row, began, self.quiet());
        Ok(Attempt { evidence: format!("{}{left}", attempt.evidence), ..attempt })
    }

    /// What a mail server of the source still has in its queue comes yet: it is waited for, for an hour at most.
    async fn queue(&self, held: &Held<'_>, row: &SwitchRow, now: i64) -> Result<Queue, Failure> {
        let Some(router) = self.router(Subject::of(held), Side::Source) else { return Ok(Queue::Empty) };
        let who = self.recipient(Subject::of(held), Side::Source).await?;
        let is_over = now.saturating_sub(row.since) >= QUEUE_WAIT_MS;
        let what = match router.queued(&who).await {
            // Nothing is there, or it can't tell of any queue, which is no reason to wait.
            Ok(None | Some(0)) => return Ok(Queue::Empty),
            Ok(Some(queued)) => format!("{queued} still in the queue of the source"),
            Err(error) => format!("what is in the queue of the source can't be read: {error}"),
        };
        Ok(if is_over { Queue::GivenUp(what) } else { Queue::Waits(Attempt::wait(Duration::from_secs(5), what)) })
    }

    /// Nothing new was seen now: done, if that is so for long enough.
    fn quiet_for(row: &SwitchRow, now: i64, quiet: Duration) -> Attempt {
        let since = row.quiet_since.unwrap_or(now).min(now);
        let lasts = Duration::from_millis(u64::try_from(now - since).unwrap_or_default());
        if row.quiet_since.is_some() && lasts >= quiet {
            return Attempt::done(format!("nothing new came for {} s", lasts.as_secs()));
        }
        let evidence = format!("nothing new for {} s of {}", lasts.as_secs(), quiet.as_secs());
        Attempt { quiet_since: Some(since), ..Attempt::wait(quiet.saturating_sub(lasts), evidence) }
    }

    /// What the person got and did on the target goes to the source. Done once nothing was there to carry for long enough.
    async fn carry(&self, held: &mut Held<'_>, row: &SwitchRow, quiet: Duration) -> Result<Attempt, Failure> {
        let began = held.store().now().await?;
        let carried = held.carry_back().await?;
        if !carried.is_nothing_new() {
            let (added, moved, flags) = (carried.added, carried.moved, carried.flags);
            let evidence = format!("went back: {added} items, {moved} moves, flags of {flags}");
            return Ok(Attempt::wait(Duration::ZERO, evidence));
        }
        let left = if carried.failed == 0 { String::new() } else { format!("; {} not taken, listed", carried.failed) };
        if quiet.is_zero() {
            return Ok(Attempt::done(format!("all that is on the target is at the source{left}")));
        }
        let queued = match self.queue(held, row, began).await? {
            Queue::Empty => String::new(),
            Queue::Waits(waiting) => return Ok(waiting),
            Queue::GivenUp(what) => format!("; waited for an hour, and it would come to the target: {what}"),
        };
        let attempt = Self::quiet_for(row, began, quiet);
        Ok(Attempt { evidence: format!("{}{left}{queued}", attempt.evidence), ..attempt })
    }

    /// Puts the forwarder of a new account on, where it is on record and not on yet: once nothing else sends its person's mail on.
    /// Why it is not on; none: it is, or is not to be.
    pub(crate) async fn forward(&self, held: &mut Held<'_>) -> Result<Option<String>, Failure> {
        let (mailbox, phase) = (held.row().mailbox, held.row().state.phase);
        let Some(row) = held.store().forwarder(held.key(), mailbox).await? else { return Ok(None) };
        if row.off_at.is_some() || phase >= Phase::Switching {
            return Ok(None);
        }
        let mut why = self.may_not_forward(&row, held.store().now().await?, held.row().roster.new_account);
        if let Some(why) = why.take_if(|_| row.is.allowed.is_some()) {
            return self.end_forwarder(held, &row, why).await;
        }
        if let Some(why) = self.may_not_lead_back(Subject::of(held)).await? {
            // One whose taking off was cut may be on, whatever is on record.
            let is_off = !row.is_on() && self.was_seen_off(Subject::of(held), Side::Target).await?;
            return if is_off { Ok(Some(why)) } else { self.end_forwarder(held, &row, why).await };
        }
        if row.is_on() && !self.is_forwarder_gone(held).await? {
            return Ok(None);
        }
        if why.is_none() {
            let (left, unread) = self.others(Subject::of(held)).await?;
            why = left.first().map(|first| format!("its mail is sent on by {first}"));
            // What can't be looked into may lead back: then mail would go round.
            if let (None, Some(first)) = (&why, unread.first())
                && self.word_about_unread(Subject::of(held)).await?.is_none()
            {
                why = Some(format!("what sends its mail on can't be read: {first}"));
            }
        }
        if why.is_none() {
            let attempt = self.put_on(Task::ForwarderOn, held, Side::Target).await?;
            why = (attempt.ended != Ended::Done).then_some(attempt.evidence);
        }
        if why.is_some() {
            return Ok(why);
        }
        let mut tx = held.write().await?;
        tx.set_forwarder(true).await?;
        tx.commit().await?;
        Ok(None)
    }
}

/// Does our redirect lead there, and keeps no copy?
pub(super) fn is_on(router: &dyn Router, leads: Option<&str>, to: &str) -> bool {
    router.offers().keeps_no_copy && leads.is_some_and(|leads| leads.eq_ignore_ascii_case(to))
}

/// An error after which only reading tells is none yet.
fn in_doubt(side: Side, error: connector::Error) -> Result<Vec<String>, Failure> {
    if error.cause == Cause::InDoubt { Ok(vec![error.to_string()]) } else { Err(failed(side, error)) }
}

fn told(what: &str, notes: Vec<String>) -> String {
    std::iter::once(what.to_owned()).chain(notes).collect::<Vec<_>>().join("; ")
}
