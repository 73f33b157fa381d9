//! What is done for each task of a switch, and read back.

use std::time::Duration;

use connector::router::Router;
use model::{Cause, Side};
use movement::{Failure, Held};
use store::SwitchRow;
use switch::{Ended, Task};

use super::driver::{Switcher, failed};
use super::subject::Subject;

/// What a try of a task came to.
pub(crate) struct Attempt {
    pub(crate) ended: Ended,
    /// What was seen, in sentences.
    pub(crate) evidence: String,
    /// For the drain: since when nothing new came.
    pub(crate) quiet_since: Option<i64>,
    /// The target forwards to the source.
    pub(crate) has_forwarder: bool,
}

impl Attempt {
    fn done(evidence: impl Into<String>) -> Self {
        Self { ended: Ended::Done, evidence: evidence.into(), quiet_since: None, has_forwarder: false }
    }

    fn wait(wait: Duration, evidence: impl Into<String>) -> Self {
        Self { ended: Ended::NotYet(wait), ..Self::done(evidence) }
    }

    fn failed(passing: bool, evidence: impl Into<String>) -> Self {
        Self { ended: Ended::Failed { passing }, ..Self::done(evidence) }
    }

    fn of(failure: &Failure) -> Self {
        if failure.error.cause == Cause::Stopped {
            return Self::wait(Duration::ZERO, "the turn was over");
        }
        Self::failed(failure.is_passing() || failure.error.cause == Cause::InDoubt, failure.to_string())
    }
}

impl Switcher {
    /// Tries a task. It may have been tried before, and cut anywhere.
    pub(crate) async fn attempt(&self, task: Task, held: &mut Held<'_>, row: &SwitchRow) -> Attempt {
        let tried = match task {
            Task::Freeze => self.freeze(held).await,
            Task::ForwarderOff => self.take_off(task, held, Side::Target).await,
            Task::RedirectOn => self.put_on(task, held, Side::Source).await,
            Task::RedirectOff => self.take_off(task, held, Side::Source).await,
            Task::ForwarderOn => self.forwarder_on(held).await,
            Task::AddressesOn | Task::AddressesOff => Ok(Attempt::done(
                "the project writes to no directory of the target: its addresses there are as they were",
            )),
            Task::Drain => self.drain(held, row).await,
            Task::Carry | Task::CarryRest => self.carry(held).await,
            Task::MarkOn => Ok(Attempt::done("marked for the person's client")),
            Task::MarkOff => Ok(Attempt::done("no mark for the person's client")),
            Task::RecordOver => Ok(Attempt::done(format!("begun {}", row.why))),
            Task::Thaw => Ok(Attempt::done("the source is followed as before")),
        };
        tried.unwrap_or_else(|failure| Attempt::of(&failure))
    }

    /// From here on only what is new at the source is followed. A pass writes down how the target stands.
    async fn freeze(&self, held: &mut Held<'_>) -> Result<Attempt, Failure> {
        let report = held.pass().await?;
        if let Some((_, _, what)) = report.in_the_way {
            return Ok(Attempt::failed(true, what));
        }
        if !report.complete {
            return Ok(Attempt::wait(Duration::ZERO, "it changes faster than it can be read"));
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
    async fn take_off(&self, task: Task, held: &Held<'_>, side: Side) -> Result<Attempt, Failure> {
        let Some(router) = self.router(Subject::of(held), side) else {
            // Nothing of ours can be on where we have never been.
            return Ok(Attempt::done(format!("the {side} has no router, so nothing of ours is there")));
        };
        let who = self.recipient(Subject::of(held), side)?;
        let seen = router.read(&who).await.map_err(|error| failed(side, error))?;
        let mut notes = Vec::new();
        if seen.ours.is_some() {
            // On the way back nothing is better than to go on.
            if task == Task::ForwarderOff
                && let Some(refused) = self.refuse_faults(task, held).await?
            {
                return Ok(refused);
            }
            let released = router.release(&who, &*held.door()).await;
            notes = released.map(|released| released.notes).or_else(|error| in_doubt(side, error))?;
        }
        let seen = router.read(&who).await.map_err(|error| failed(side, error))?;
        if let Some(to) = seen.redirected_to() {
            return Ok(Attempt::failed(true, format!("the {side} still sends mail on to {to}")));
        }
        Ok(Attempt::done(told(&format!("read back at the {side}: nothing of ours is in force"), notes)))
    }

    /// Puts ours on on a side, and reads that it is.
    async fn put_on(&self, task: Task, held: &Held<'_>, side: Side) -> Result<Attempt, Failure> {
        let other = if side == Side::Source { Side::Target } else { Side::Source };
        let Some(router) = self.router(Subject::of(held), side) else {
            return Ok(Attempt::failed(false, format!("the {side} has no router: add one under [routers]")));
        };
        let Some(to) = self.addresses(Subject::of(held), other).into_iter().next() else {
            return Ok(Attempt::failed(false, "the project has no [routing]: no address is known to lead mail to"));
        };
        let who = self.recipient(Subject::of(held), side)?;
        let seen = router.read(&who).await.map_err(|error| failed(side, error))?;
        let mut notes = Vec::new();
        if !is_on(&**router, seen.redirected_to(), &to) {
            if let Some(refused) = self.refuse_faults(task, held).await? {
                return Ok(refused);
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

    /// Puts the forwarder from the target to the source on again, where there was one.
    async fn forwarder_on(&self, held: &Held<'_>) -> Result<Attempt, Failure> {
        if held.store().forwarder(held.key(), held.row().mailbox).await?.is_none_or(|row| row.on_at.is_none()) {
            return Ok(Attempt::done("there was none"));
        }
        Ok(Attempt { has_forwarder: true, ..self.put_on(Task::ForwarderOn, held, Side::Target).await? })
    }

    /// What is still on its way to the source comes over. Done once two passes found nothing new, far enough apart, and nothing is queued.
    async fn drain(&self, held: &mut Held<'_>, row: &SwitchRow) -> Result<Attempt, Failure> {
        let quiet = Duration::from_secs(self.entry.drain_quiet_seconds);
        let began = held.store().now().await?;
        let report = held.pass().await?;
        if let Some((_, _, what)) = &report.in_the_way {
            return Ok(Attempt::failed(true, what.clone()));
        }
        if !report.is_nothing_new() {
            return Ok(Attempt::wait(quiet.min(Duration::from_secs(1)), format!("{} came over", report.copied)));
        }
        // What a mail server still has in its queue comes yet.
        for side in [Side::Source, Side::Target] {
            let Some(router) = self.router(Subject::of(held), side) else { continue };
            let who = self.recipient(Subject::of(held), side)?;
            let queued = router.queued(&who).await.map_err(|error| failed(side, error))?;
            if let Some(queued) = queued.filter(|queued| *queued > 0) {
                let evidence = format!("{queued} still in the queue of the {side}");
                return Ok(Attempt::wait(quiet.min(Duration::from_secs(5)), evidence));
            }
        }
        let since = row.quiet_since.unwrap_or(began);
        let lasts = Duration::from_millis((began - since).unsigned_abs());
        if row.quiet_since.is_some() && lasts >= quiet {
            return Ok(Attempt::done(format!("nothing new came for {} s", lasts.as_secs())));
        }
        let wait = quiet.saturating_sub(lasts);
        let evidence = format!("nothing new for {} s of {}", lasts.as_secs(), quiet.as_secs());
        Ok(Attempt { quiet_since: Some(since), ..Attempt::wait(wait, evidence) })
    }

    /// What the person got and did on the target goes to the source. Done once a pass found nothing to carry.
    async fn carry(&self, held: &mut Held<'_>) -> Result<Attempt, Failure> {
        let carried = held.carry_back().await?;
        if carried.is_nothing_new() {
            let left =
                if carried.failed == 0 { String::new() } else { format!("; {} not taken, listed", carried.failed) };
            return Ok(Attempt::done(format!("all that is on the target is at the source{left}")));
        }
        let (added, moved, flags) = (carried.added, carried.moved, carried.flags);
        Ok(Attempt::wait(Duration::ZERO, format!("went back: {added} items, {moved} moves, flags of {flags}")))
    }

    /// Puts the forwarder of a new account on, where it is on record and not on yet.
    pub(crate) async fn forward(&self, held: &mut Held<'_>) -> Result<(), Failure> {
        let Some(row) = held.store().forwarder(held.key(), held.row().mailbox).await? else { return Ok(()) };
        if row.on_at.is_some() {
            return Ok(());
        }
        let attempt = self.put_on(Task::ForwarderOn, held, Side::Target).await?;
        if attempt.ended != Ended::Done {
            tracing::warn!(mailbox = held.row().mailbox, why = attempt.evidence, "its forwarder is not on");
            return Ok(());
        }
        let mut tx = held.write().await?;
        tx.set_forwarder(true).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Does our redirect lead there, and keeps no copy?
fn is_on(router: &dyn Router, leads: Option<&str>, to: &str) -> bool {
    router.offers().keeps_no_copy && leads.is_some_and(|leads| leads.eq_ignore_ascii_case(to))
}

/// An error after which only reading tells is none yet.
fn in_doubt(side: Side, error: connector::Error) -> Result<Vec<String>, Failure> {
    if error.cause == Cause::InDoubt { Ok(vec![error.to_string()]) } else { Err(failed(side, error)) }
}

fn told(what: &str, notes: Vec<String>) -> String {
    std::iter::once(what.to_owned()).chain(notes).collect::<Vec<_>>().join("; ")
}
