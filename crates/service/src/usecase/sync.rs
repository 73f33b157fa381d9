//! `sync`: passes over the mailboxes chosen until nothing is left.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Cause, Phase, Side};
use movement::{Engine, MailboxOutcome, Progress, RunEnd, WouldDo};
use serde::Serialize;
use serde_json::json;
use store::{FailureRow, RemovalState};
use tokio::sync::watch;

use crate::error::{Exit, exit_of};
use crate::secret::Environment;
use crate::{Error, Project, Selection};

/// How a sync ended.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SyncReport {
    /// The mailboxes worked on.
    pub mailboxes: Vec<MailboxResult>,
    /// Items copied.
    pub copied: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Items found on the target.
    pub adopted: u64,
    /// Items copied to the archive, which are among none of these.
    #[serde(skip_serializing_if = "is_none")]
    pub archived: u64,
    /// Their bytes.
    #[serde(skip_serializing_if = "is_none")]
    pub archived_bytes: u64,
    /// Items left behind by a rule.
    pub left_behind: u64,
    /// Of the items copied: those with notes in place of what is banned.
    pub replaced: u64,
    /// Items that travel written otherwise, since the target could not hold them.
    pub repaired: u64,
    /// Items moved on the target, as on the source.
    pub moved: u64,
    /// Items removed from the target, as from the source.
    pub removed: u64,
    /// Items that their people have removed on the target.
    pub withdrawn: u64,
    /// Items without a copy: failed, now or before, and nobody has accepted their loss.
    pub failed: u64,
    /// Items of the source that wait for a word.
    pub held: u64,
    /// Removals that wait for a word.
    pub removals_held: u64,
    /// Mailboxes that could not be worked on.
    pub mailboxes_failed: u64,
    /// Mailboxes that another process holds.
    pub held_elsewhere: Vec<String>,
    /// Mailboxes that are paused, and were left alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paused: Vec<String>,
    /// People who are known on both sides and not copied yet, each with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<(String, String)>,
    /// Only decided, nothing changed.
    pub dry_run: bool,
    /// Stopped by a person.
    pub stopped: bool,
    /// What broke off the whole run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken_off: Option<String>,
    /// What to do about that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_none(number: &u64) -> bool {
    *number == 0
}

/// How the work on a mailbox ended.
#[derive(Clone, Debug, Serialize)]
pub struct MailboxResult {
    /// Its name at the source.
    pub source: String,
    /// Its name at the target.
    pub target: String,
    /// It goes to the archive, not to the target.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub archive: bool,
    /// How far it is.
    pub phase: Phase,
    /// Running, waiting or parked.
    pub condition: String,
    /// What it waits for, or why it is parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The class of what is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The side that is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
    /// Items copied.
    pub copied: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Items found on the target.
    pub adopted: u64,
    /// Items left behind by a rule.
    pub left_behind: u64,
    /// Of the items copied: those with notes in place of what is banned.
    pub replaced: u64,
    /// Items that travel written otherwise, since the target could not hold them.
    pub repaired: u64,
    /// Items whose flags were changed.
    pub flags_changed: u64,
    /// Items moved on the target, as on the source.
    pub moved: u64,
    /// Items removed from the target, as from the source.
    pub removed: u64,
    /// Items that their person has removed on the target.
    pub withdrawn: u64,
    /// Items without a copy whose loss nobody has accepted.
    pub failed: u64,
    /// Items of the source that wait for a word.
    pub held: u64,
    /// Removals that wait for a word.
    pub removals_held: u64,
    /// How many of these for which cause.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub failed_by_cause: BTreeMap<Cause, u64>,
    /// What a dry run would do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub would: Vec<WouldDo>,
}

impl SyncReport {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        if self.broken_off.is_some() {
            return Exit::Internal;
        }
        if self.stopped {
            return Exit::Stopped;
        }
        if self.mailboxes.is_empty() && !self.held_elsewhere.is_empty() {
            return Exit::Busy;
        }
        let could_not_start = |result: &MailboxResult| {
            let cause = result.cause.filter(|_| result.copied + result.adopted == 0)?;
            Some(exit_of(cause)).filter(|exit| matches!(exit, Exit::Connection | Exit::Tls | Exit::Login))
        };
        if let Some(first) = self.mailboxes.first().and_then(could_not_start)
            && self.mailboxes.iter().all(|result| could_not_start(result) == Some(first))
        {
            return first;
        }
        // A mailbox that is not in step was not done, whatever the reason.
        let is_done = |m: &MailboxResult| m.cause.is_none() && (self.dry_run || m.phase >= Phase::InStep);
        let is_well = self.failed + self.held + self.mailboxes_failed == 0 && self.mailboxes.iter().all(is_done);
        if is_well && self.held_elsewhere.is_empty() && self.withheld.is_empty() && self.paused.is_empty() {
            Exit::Done
        } else {
            Exit::WithFailures
        }
    }
}

impl Project {
    /// Works on the mailboxes chosen until nothing is left to do.
    pub async fn sync(
        &self,
        selection: &Selection,
        dry_run: bool,
        environment: Environment<'_>,
        progress: Arc<Progress>,
        stop: watch::Receiver<bool>,
    ) -> Result<SyncReport, Error> {
        self.may_migrate()?;
        if !dry_run {
            self.refuse_paused().await?;
        }
        let mut engine = self.engine(environment, progress, stop, dry_run)?;
        if !dry_run {
            // Of whom is copied now it is put on at the beginning of their mailbox's turn. That of nobody else keeps them from it.
            self.ask_missing_forwarders().await?;
            if let Err(error) = Box::pin(self.forward_at_rest(environment)).await {
                tracing::warn!(%error, "forwarders of others could not be put on");
            }
            engine.quarantine = self.originals().await?;
        }
        let mut selected = self.select(selection).await?;
        if !selection.mailboxes.is_empty()
            && let Some((row, withheld)) = selected.iter().find_map(|row| Some((row, self.withheld(row)?)))
        {
            let what = format!("{} may not be copied now: {}", row.roster.source_name, withheld.why);
            return Err(Error::refused("R-054", what));
        }
        selected.retain(|row| self.withheld(row).is_none());
        let chosen: Vec<i64> = selected.iter().map(|row| row.mailbox).collect();
        if let (true, Some(first)) = (chosen.is_empty(), self.withheld.first()) {
            let what = format!("nobody may be copied yet; {}: {}", first.source, first.why);
            return Err(Error::refused("R-054", what).advise("whimbrel people list says where everybody stands"));
        }
        if !dry_run {
            let detail = json!({ "mailboxes": chosen.len(), "people_at_once": engine.people_at_once });
            self.store.audit(self.key, &self.actor, "sync.began", &detail).await?;
        }
        let end = engine.run(&chosen).await;
        let report = self.sync_report(&engine, end, dry_run).await?;
        if !dry_run {
            let detail = json!({
                "mailboxes": report.mailboxes.len(), "copied": report.copied, "adopted": report.adopted,
                "archived": report.archived,
                "failed": report.failed, "mailboxes_failed": report.mailboxes_failed, "stopped": report.stopped,
            });
            self.store.audit(self.key, &self.actor, "sync.ended", &detail).await?;
        }
        Ok(report)
    }

    async fn sync_report(&self, engine: &Engine, end: RunEnd, dry_run: bool) -> Result<SyncReport, Error> {
        let rows = self.store.mailboxes(self.key).await?;
        let row = |mailbox: i64| rows.iter().find(|row| row.mailbox == mailbox);
        let name = |mailbox: &i64| row(*mailbox).map(|row| row.roster.source_name.clone()).unwrap_or_default();
        let withheld = self.withheld.iter().map(|withheld| (withheld.source.clone(), withheld.why.clone())).collect();
        let mut report = SyncReport { withheld, dry_run, stopped: end.stopped, ..SyncReport::default() };
        report.held_elsewhere = end.held_elsewhere.iter().map(name).collect();
        report.paused = end.paused.iter().map(name).collect();
        report.advice = end.failure.as_ref().map(|failure| failure.error.cause.advice());
        report.broken_off = end.failure.map(|failure| failure.to_string());
        for outcome in end.outcomes {
            let Some(row) = row(outcome.mailbox) else { continue };
            let failures = engine.store.failures(self.key, Some(outcome.mailbox)).await?;
            let tallies = engine.store.tallies(self.key, outcome.mailbox).await?;
            let held: u64 = tallies.iter().filter(|(folder, _)| !folder.is_gone()).map(|(_, tally)| tally.held).sum();
            let removals = engine.store.held_removals(self.key, outcome.mailbox).await?;
            let removals = removals.iter().filter(|removal| removal.state == RemovalState::Held).count() as u64;
            let failures: Vec<FailureRow> = failures.into_iter().filter(|f| f.accepted_by.is_none()).collect();
            let archive = self.is_archived(row);
            let result = MailboxResult { archive, ..mailbox_result(row, outcome, &failures, held, removals) };
            report.moved += result.moved;
            report.removed += result.removed;
            report.withdrawn += result.withdrawn;
            report.held += result.held;
            report.removals_held += result.removals_held;
            if archive {
                report.archived += result.copied + result.adopted;
                report.archived_bytes += result.bytes;
            } else {
                report.copied += result.copied;
                report.bytes += result.bytes;
                report.adopted += result.adopted;
            }
            report.left_behind += result.left_behind;
            report.replaced += result.replaced;
            report.repaired += result.repaired;
            report.failed += result.failed;
            report.mailboxes_failed += u64::from(result.cause.is_some());
            report.mailboxes.push(result);
        }
        Ok(report)
    }
}

fn mailbox_result(
    row: &store::MailboxRow,
    outcome: MailboxOutcome,
    failures: &[FailureRow],
    held: u64,
    removals_held: u64,
) -> MailboxResult {
    let state = &outcome.state;
    let mut failed_by_cause: BTreeMap<Cause, u64> = BTreeMap::new();
    for failure in failures {
        *failed_by_cause.entry(failure.cause).or_default() += 1;
    }
    // A dry run leaves the mailbox's state as it was; what it met is told all the same.
    let met = outcome.failure.as_ref().map(|failure| (failure.error.cause, failure.side));
    let cause = met.or(state.cause.filter(|_| outcome.report.in_the_way.is_some()));
    let reason = outcome.failure.as_ref().map(|failure| failure.error.to_string());
    MailboxResult {
        source: row.roster.source_name.clone(),
        target: row.roster.target_name.clone(),
        archive: false,
        phase: state.phase,
        condition: state.condition.name().to_owned(),
        reason: reason.or_else(|| state.condition.reason().map(str::to_owned)),
        cause: cause.map(|(cause, _)| cause),
        side: cause.and_then(|(_, side)| side),
        advice: cause.map(|(cause, _)| cause.advice()),
        copied: outcome.report.copied,
        bytes: outcome.report.bytes,
        adopted: outcome.report.adopted,
        left_behind: outcome.report.left_behind,
        replaced: outcome.report.replaced,
        repaired: outcome.report.repaired,
        flags_changed: outcome.report.flags_changed,
        moved: outcome.report.moved,
        removed: outcome.report.removed,
        withdrawn: outcome.report.withdrawn,
        failed: failures.len() as u64,
        held,
        removals_held,
        failed_by_cause,
        would: outcome.report.would,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(phase: Phase, dry_run: bool) -> Exit {
        let mailbox = MailboxResult {
            source: "a".to_owned(),
            target: "b".to_owned(),
            archive: false,
            phase,
            condition: "waiting".to_owned(),
            reason: Some("the next run: it changes faster than it can be read".to_owned()),
            cause: None,
            side: None,
            advice: None,
            copied: 1,
            bytes: 1,
            adopted: 0,
            left_behind: 0,
            replaced: 0,
            repaired: 0,
            flags_changed: 0,
            moved: 0,
            removed: 0,
            withdrawn: 0,
            failed: 0,
            held: 0,
            removals_held: 0,
            failed_by_cause: BTreeMap::new(),
            would: Vec::new(),
        };
        SyncReport { mailboxes: vec![mailbox], dry_run, ..SyncReport::default() }.exit()
    }

    #[test]
    fn a_mailbox_that_is_not_in_step_is_not_done() {
        assert_eq!(ended(Phase::InStep, false), Exit::Done);
        assert_eq!(ended(Phase::Copying, false), Exit::WithFailures);
        assert_eq!(ended(Phase::Copying, true), Exit::Done);
    }
}
