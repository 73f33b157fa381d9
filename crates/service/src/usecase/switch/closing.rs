//! The mailbox at the source is closed to its person once they are led to the target, and open again before an undo turns mail round.
//!
//! What is about to be closed is on record before it is, and read back after. Nobody is closed out who is not switched: it is looked at under
//! the mailbox's lease, and only where its last switch has ended on the target.

use std::sync::Arc;

use connector::{Access, LoginState};
use jiff::tz::TimeZone;
use model::{Cause, Phase, Side};
use movement::{Failure, Held};
use store::{ClosingRow, MarkRow, SwitchRow};

use super::driver::{DAY_MS, Switcher, failed};
use super::subject::Subject;
use super::task::Attempt;
use crate::config::SwitchEntry;
use crate::when;

/// The wait between two tries doubles up to so many times `retry_seconds`.
const WAIT_DOUBLINGS_MAX: u32 = 10;

/// When the mailbox of somebody who is switched is closed to them by the passing of time.
pub(crate) fn closes_at(entry: &SwitchEntry, switch: &SwitchRow) -> Option<i64> {
    let (ended, _) = switch.ended.filter(|(_, on_target)| *on_target)?;
    let days = i64::try_from(entry.close_after_days?).unwrap_or(i64::MAX / DAY_MS);
    Some(ended.saturating_add(days.saturating_mul(DAY_MS)))
}

/// Why a mailbox is to be closed to its person now; none: it is not yet, or never.
fn closes_for(entry: &SwitchEntry, phase: Phase, switch: &SwitchRow, mark: Option<&MarkRow>) -> Option<String> {
    let is_switched = phase >= Phase::Switched && switch.ended.is_some_and(|(_, on_target)| on_target);
    if !is_switched {
        return None;
    }
    if let Some((_, by)) = mark.and_then(|mark| mark.cleared.as_ref()) {
        return Some(format!("its person's client was led to the target, says {by}"));
    }
    let is_over = closes_at(entry, switch).is_some_and(|at| switch.now >= at);
    is_over.then(|| format!("{} days after the switch", entry.close_after_days.unwrap_or_default()))
}

/// How the mailbox at the source stands, for people.
pub(crate) fn told(
    closing: Option<&ClosingRow>,
    has_access: bool,
    (entry, switch): (&SwitchEntry, &SwitchRow),
    zone: &TimeZone,
) -> String {
    match closing {
        Some(ClosingRow { closed_at: Some(at), why, .. }) => {
            format!("closed to its person since {}: {why}", when::shown(*at, zone))
        }
        Some(ClosingRow { begun_at, waits, .. }) => {
            let waits = waits.as_ref().map(|waits| format!(": {waits}")).unwrap_or_default();
            format!("to be closed to its person since {}, and not known to be{waits}", when::shown(*begun_at, zone))
        }
        None if !has_access => "stays open: the project has no [access] for its endpoint".to_owned(),
        None => match closes_at(entry, switch) {
            Some(at) => format!("open until its client is led to the target, or until {}", when::shown(at, zone)),
            None => "open until its client is led to the target".to_owned(),
        },
    }
}

impl Switcher {
    /// What closes the mailbox at the source.
    fn access(&self, of: Subject<'_>) -> Option<&Arc<dyn Access>> {
        self.accesses.get(&of.row.roster.source_endpoint)
    }

    /// Closes the mailbox at the source to its person, where it is time.
    pub(super) async fn tend_access(&self, held: &mut Held<'_>, switch: &SwitchRow) -> Result<(), Failure> {
        let (key, mailbox) = (held.key(), held.row().mailbox);
        let Some(access) = self.access(Subject::of(held)).cloned() else { return Ok(()) };
        let row = held.store().closing(key, mailbox).await?;
        if row.as_ref().is_some_and(|row| row.closed_at.is_some()) {
            return Ok(());
        }
        let mark = held.store().client_mark(key, mailbox).await?;
        let Some(why) = closes_for(&self.entry, held.row().state.phase, switch, mark.as_ref()) else { return Ok(()) };
        if let Some((tried_at, tries)) = row.as_ref().and_then(|row| Some((row.tried_at?, row.tries))) {
            let wait = i64::try_from(self.entry.retry_seconds).unwrap_or(i64::MAX / 4096) * 1000;
            if switch.now < tried_at.saturating_add(wait.saturating_mul(1 << tries.min(WAIT_DOUBLINGS_MAX))) {
                return Ok(());
            }
        }
        if row.is_none() {
            // What could not even be asked is not begun: it would have to be opened again.
            if let Err(error) = access.read(&self.own_recipient(Subject::of(held), Side::Source)?).await {
                if error.cause == Cause::Awaiting {
                    // It is asked for, and somebody is to run it: `switch script list` tells.
                    return Ok(());
                }
                tracing::warn!(mailbox, %error, "the mailbox at the source can't be closed to its person");
                return Ok(());
            }
            let mut tx = held.write().await?;
            tx.begin_closing(&why).await?;
            tx.commit().await?;
        }
        let waits = match self.close(held, &access).await {
            Ok(waits) => waits,
            Err(failure) if failure.error.cause == Cause::Stopped => return Err(failure),
            Err(failure) if failure.error.cause == Cause::Awaiting => {
                let mut tx = held.write().await?;
                tx.closing_is_awaited(&failure.to_string()).await?;
                tx.commit().await?;
                return Ok(());
            }
            Err(failure) => Some(failure.to_string()),
        };
        let mut tx = held.write().await?;
        match &waits {
            None => tx.set_closed().await?,
            Some(waits) => tx.closing_waits(waits).await?,
        }
        tx.commit().await?;
        tracing::info!(mailbox, why, waits, "the mailbox at the source is closed to its person");
        Ok(())
    }

    /// Closes it, reads that it is, and that whoever migrates still gets in. Why not, if it can't be.
    async fn close(&self, held: &mut Held<'_>, access: &Arc<dyn Access>) -> Result<Option<String>, Failure> {
        let of = Subject::of(held);
        let who = self.own_recipient(of, Side::Source)?;
        let notes = match access.close(&who, &*held.door()).await {
            Err(error) if error.cause != Cause::InDoubt => return Err(failed(Side::Source, error)),
            Err(_) => Vec::new(),
            Ok(closed) => closed.notes,
        };
        let state = access.read(&who).await.map_err(|error| failed(Side::Source, error))?;
        if !state.is_closed() {
            return Ok(Some(open_still(&state)));
        }
        // What still comes to the source is followed: by an account that may log in for everybody, which this must not keep out.
        tokio::time::sleep(access.in_force_after()).await;
        match held.pass().await {
            Ok(_) if notes.is_empty() => Ok(None),
            Ok(_) => Ok(Some(format!("it is, for whoever logs in anew: {}", notes.join("; ")))),
            Err(failure) if is_shut_out(failure.side, failure.error.cause) => {
                access.open(&who, &*held.door()).await.map_err(|error| failed(Side::Source, error))?;
                Ok(Some(format!("it keeps out whoever migrates as well, so it was opened again: {failure}")))
            }
            Err(failure) if failure.error.cause == Cause::Stopped => Err(failure),
            Err(failure) => {
                Ok(Some(format!("it is, and whether whoever migrates gets in is not known yet: {failure}")))
            }
        }
    }

    /// Where the passes over a mailbox that we close are refused at the source, it is opened again: what still comes there is to be followed.
    pub(super) async fn open_if_shut_out(&self, held: &Held<'_>) -> Result<(), Failure> {
        let (Some(access), Some((cause, side))) = (self.access(Subject::of(held)), held.row().state.cause) else {
            return Ok(());
        };
        let is_ours = is_shut_out(side, cause) && held.row().state.phase >= Phase::Switched;
        if !is_ours || held.store().closing(held.key(), held.row().mailbox).await?.is_none() {
            return Ok(());
        }
        let who = self.own_recipient(Subject::of(held), Side::Source)?;
        access.open(&who, &*held.door()).await.map_err(|error| failed(Side::Source, error))?;
        let mut tx = held.write().await?;
        tx.closing_waits("whoever migrates was refused at the source, so it was opened again").await?;
        tx.commit().await?;
        Ok(())
    }

    /// Opens the mailbox at the source to its person again: before mail is turned round.
    pub(super) async fn open_again(&self, held: &Held<'_>) -> Result<Attempt, Failure> {
        let of = Subject::of(held);
        let row = held.store().closing(held.key(), held.row().mailbox).await?;
        let Some(access) = self.access(of) else {
            return Ok(match row {
                None => Attempt::done("no mark for the person's client"),
                Some(_) => Attempt::failed(
                    true,
                    "the mailbox at the source is closed to its person by us, and the project has no [access] for it: give it back \
                     the one that it had",
                ),
            });
        };
        let who = self.own_recipient(of, Side::Source)?;
        let state = match access.read(&who).await {
            Ok(state) => state,
            // As far as is on record it was never closed.
            Err(error) if row.is_none() => {
                return Ok(Attempt::done(format!(
                    "no mark for the person's client; not asked who may log in: {error}"
                )));
            }
            Err(error) => return Err(failed(Side::Source, error)),
        };
        if !state.closed_by_us && row.is_none() {
            return Ok(Attempt::done(
                "no mark for the person's client; nothing of ours closes the mailbox at the source",
            ));
        }
        let notes = match access.open(&who, &*held.door()).await {
            Err(error) if error.cause != Cause::InDoubt => return Err(failed(Side::Source, error)),
            Err(_) => Vec::new(),
            Ok(opened) => opened.notes,
        };
        let state = access.read(&who).await.map_err(|error| failed(Side::Source, error))?;
        if state.closed_by_us {
            return Ok(Attempt::failed(true, "the mailbox at the source is still closed to its person by us"));
        }
        let others = state.closed_by_others.map(|by| format!("; it is closed by others: {by}")).unwrap_or_default();
        let notes: String = notes.iter().map(|note| format!("; {note}")).collect();
        Ok(Attempt::done(format!("read back: the mailbox at the source is open to its person again{others}{notes}")))
    }
}

/// Is whoever migrates refused at the source?
fn is_shut_out(side: Option<Side>, cause: Cause) -> bool {
    (side, cause) == (Some(Side::Source), Cause::Login)
}

fn open_still(state: &LoginState) -> String {
    state.ineffective.clone().unwrap_or_else(|| "what was to close it is not there".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switch(ended: Option<(i64, bool)>, now: i64) -> SwitchRow {
        SwitchRow {
            mailbox: 1,
            switch: 1,
            task: "record".to_owned(),
            since: 0,
            tries: 0,
            waits: None,
            quiet_since: None,
            why: String::new(),
            begun_by: String::new(),
            begun_at: 0,
            taken_back_by: None,
            ended,
            awaits: false,
            awaited_at: None,
            now,
        }
    }

    fn mark(is_cleared: bool) -> MarkRow {
        MarkRow { mailbox: 1, marked_at: 0, cleared: is_cleared.then(|| (1, "the helper".to_owned())) }
    }

    #[test]
    fn it_is_closed_when_the_client_was_led_or_the_days_are_over() {
        let after = |days: Option<u64>| SwitchEntry { close_after_days: days, ..SwitchEntry::default() };
        let on_target = |now| switch(Some((1000, true)), now);
        let why = |entry: &SwitchEntry, switch: &SwitchRow, is_cleared| {
            closes_for(entry, Phase::Switched, switch, Some(&mark(is_cleared)))
        };
        assert_eq!(why(&after(None), &on_target(i64::MAX), false), None);
        assert!(why(&after(None), &on_target(1000), true).is_some_and(|why| why.contains("the helper")));
        assert_eq!(why(&after(Some(2)), &on_target(1000 + 2 * DAY_MS - 1), false), None);
        assert!(why(&after(Some(2)), &on_target(1000 + 2 * DAY_MS), false).is_some_and(|why| why.contains("2 days")));
        assert!(why(&after(Some(0)), &on_target(1000), false).is_some());
    }

    #[test]
    fn nobody_is_closed_out_who_is_not_switched() {
        let phases = [Phase::Planned, Phase::Copying, Phase::InStep, Phase::Switching, Phase::Switched, Phase::Settled];
        let ends = [None, Some((0, false)), Some((0, true)), Some((1 << 50, false)), Some((1 << 50, true))];
        for (phase, ended) in phases.into_iter().flat_map(|phase| ends.map(|ended| (phase, ended))) {
            for now in [i64::MIN, 0, 1 << 50, i64::MAX] {
                for close_after_days in [None, Some(0), Some(30), Some(u64::MAX)] {
                    for mark in [None, Some(mark(false)), Some(mark(true))] {
                        let entry = SwitchEntry { close_after_days, ..SwitchEntry::default() };
                        let closes = closes_for(&entry, phase, &switch(ended, now), mark.as_ref()).is_some();
                        let is_switched = phase >= Phase::Switched && ended.is_some_and(|(_, on_target)| on_target);
                        assert!(!closes || is_switched, "{phase:?}, {ended:?}, {now}, {close_after_days:?}");
                    }
                }
            }
        }
    }
}
