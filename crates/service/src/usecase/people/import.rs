//! `people import`: files of people that are handed in, by hand or by mail.
//!
//! What was handed in is a directory of its own, named after its connector: a row is an entry, and what no row says stays as it was.
//! Accounts made of it are live at once, so each row that may make one needs its reason why it may be without a forwarder, or the
//! project a way to put one on.
//!
//! A submission is a state machine; each step is one transaction, and after a sudden end the next run goes on from it:
//!
//! | State | Next |
//! |---|---|
//! | taken: the rows are in the directory | a plan of these rows, and of nothing else → planned; nothing to do → done |
//! | planned | approved by its sender's file, or by `people plan --approve`; carried out → done; put aside by a later plan → done |
//! | faulty, done | the sender is answered → ended |
//! | refused, ended | – |
//!
//! While one is open no other is taken. What is told of a row is computed of what became of its object, each time.

mod check;
mod file;
pub(super) mod mailed;
mod result;
pub(super) mod sender;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use people::{Line, ObjectId, Planned};
use serde::Serialize;
use serde_json::json;
use store::{MadeAccount, NewEntry, NewSubmission, PeopleLease, PlanRow, SubmissionRow, SubmissionState};
use table::Action;

use super::{Known, PeopleProject, read_entry};
use crate::Error;
use crate::config::ImportEntry;

use self::check::Checked;
use self::result::Outcomes;

/// Under what an entry of what was handed in has its reason why its account may be live without a forwarder.
pub(super) const EXEMPTION: &str = "exemption";
/// Mistakes told in a report; all are in the result file.
const MISTAKES_TOLD: usize = 50;

/// What was handed in, and what came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ImportReport {
    /// Nothing was kept.
    pub dry_run: bool,
    /// Files that were looked at, or went on.
    pub submissions: Vec<SubmissionLine>,
    /// Messages that hand in nothing: nothing was done and nobody was answered.
    pub refused: Vec<RefusedLine>,
    /// Messages that wait until the submission before them is through.
    pub waiting: usize,
    /// What a person should know.
    pub notes: Vec<String>,
    /// Live new accounts with neither a forwarder to the source that is on nor a recorded reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<crate::MissingForwarder>,
}

/// A file that was handed in.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SubmissionLine {
    /// Its number; none: nothing was kept of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submission: Option<i64>,
    /// What it is called.
    pub file: String,
    /// Who sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// The Message-ID of the message that it came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// `faulty`, `checked`, `waits`, `done` or `ended`.
    pub state: &'static str,
    /// Rows of it.
    pub rows: usize,
    /// What is wrong with it: line, column, what, cure.
    pub mistakes: Vec<String>,
    /// How many mistakes there are.
    pub mistakes_count: u64,
    /// The plan that was made of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<i64>,
    /// The plan's digest, where it waits for approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Who approved it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// How many rows each outcome has.
    pub outcomes: BTreeMap<&'static str, usize>,
    /// Its sender was answered.
    pub answered: bool,
    /// Where its result file is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<PathBuf>,
    /// Why nothing came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// A message that hands in nothing.
#[derive(Clone, Debug, Serialize)]
pub struct RefusedLine {
    /// Who says to have sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Its Message-ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Why.
    pub why: String,
}

impl ImportReport {
    /// Everything that was handed in came to its end, as it was meant to.
    pub fn is_well(&self) -> bool {
        let is_well = |line: &SubmissionLine| {
            let is_left = ["by-hand", "not-done"].iter().any(|outcome| line.outcomes.contains_key(outcome));
            line.mistakes_count == 0
                && !is_left
                && line.said.is_none()
                && matches!(line.state, "checked" | "done" | "ended")
        };
        self.waiting == 0
            && self.refused.is_empty()
            && self.notes.is_empty()
            && self.missing.is_empty()
            && self.submissions.iter().all(is_well)
    }
}

/// The objects that a plan is to be about, with what is to be done about each.
pub(super) struct Wanted(HashMap<ObjectId, Option<Action>>);

impl Wanted {
    fn of(rows: &[table::Row], connector: &str) -> Self {
        Self(rows.iter().map(|row| (ObjectId::new(connector, &row.entry.key), row.action)).collect())
    }

    pub(super) fn is_about(&self, id: &ObjectId) -> bool {
        self.0.contains_key(id)
    }

    /// Nobody gets an account by a row that only changes one.
    pub(super) fn takes(&self, line: &Line) -> bool {
        match (self.0.get(&line.object), &line.planned) {
            (Some(Some(Action::Leave)), planned) => matches!(planned, Planned::Leave { .. }),
            (Some(Some(Action::Update)), planned) => matches!(planned, Planned::Update { .. }),
            (Some(_), planned) => matches!(planned, Planned::Create { .. } | Planned::Update { .. }),
            (None, _) => false,
        }
    }
}

/// Is an account live at once by this line?
pub(super) fn is_live(line: &Line) -> bool {
    PeopleProject::live_of(line).is_some()
}

impl PeopleProject {
    fn import_entry(&self) -> Result<&ImportEntry, Error> {
        self.entry.import.as_ref().ok_or_else(|| {
            Error::usage(format!("{} has no [people.import]", crate::PROJECT_FILE))
                .advise("say what is handed in: [people.import] with the connector's name")
        })
    }

    /// The objects whose accounts are live once they are made: those of what was handed in, with a recorded reason, or where each gets a
    /// forwarder.
    pub(super) fn live_at_once(&self, known: &Known) -> Vec<ObjectId> {
        let Some(connector) = self.entry.connector() else { return Vec::new() };
        let forwards = self.config.lacks_forwarding().is_none();
        let is_live = |object: &&people::Object| {
            object.id.directory == connector && (forwards || object.entry.other.contains_key(EXEMPTION))
        };
        known.objects.iter().filter(is_live).map(|object| object.id.clone()).collect()
    }

    /// Of accounts that were made: those that are live at once, each with the reason why it may be without a forwarder, if there is one.
    pub(super) async fn made_live(
        &self,
        lines: &[Line],
        made: &[MadeAccount],
    ) -> Result<Vec<(ObjectId, Option<String>)>, Error> {
        let made: std::collections::HashSet<(&str, &str)> =
            made.iter().map(|made| (made.directory.as_str(), made.key.as_str())).collect();
        let is_made = |id: &&ObjectId| made.contains(&(id.directory.as_str(), id.key.as_str()));
        let ids: Vec<&ObjectId> = lines.iter().filter_map(Self::live_of).filter(is_made).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (entries, connector) = (self.handed_in().await?, self.entry.connector());
        let reason = |id: &&ObjectId| {
            let reason = match connector.filter(|connector| *connector == id.directory) {
                Some(connector) => {
                    let reason = entries.get(&id.key)?.other.get(EXEMPTION)?.first()?;
                    format!("{reason} (handed in by {connector})")
                }
                None => format!("{} (of the project's file, with the plan)", self.entry.exemption.as_deref()?),
            };
            Some(reason)
        };
        Ok(ids.iter().map(|id| ((*id).clone(), reason(id))).collect())
    }

    /// The object of a line by which an account is live at once.
    pub(super) fn live_of(line: &Line) -> Option<&ObjectId> {
        match &line.planned {
            Planned::Create { entry, .. } => {
                let is_live = entry.kind.holds_mail() && entry.state == model::AccountState::Active;
                is_live.then_some(&line.object)
            }
            _ => None,
        }
    }

    /// An account is live with a forwarder to the source, or with a recorded reason why it may be without: where the
    /// platform makes them live at once, that of the project's file. Without a reason its forwarder is put on right after.
    pub(super) fn refuse_live_without_reason(&self, lines: &[Line]) -> Result<(), Error> {
        // A file for a portal does not leave without its own.
        if self.portal().is_some() {
            return Ok(());
        }
        let connector = self.entry.connector();
        let has_none = |id: &&ObjectId| connector.is_none_or(|connector| *connector != id.directory);
        let live = lines.iter().filter_map(Self::live_of).filter(has_none).count();
        if live == 0 || self.entry.exemption.as_deref().is_some_and(|reason| !reason.trim().is_empty()) {
            return Ok(());
        }
        let Some(lacks) = self.config.lacks_forwarding() else { return Ok(()) };
        let what = format!(
            "the platform makes accounts live at once: {live} would receive mail without a forwarder to the source ({lacks}), and \
             without a recorded reason"
        );
        Err(Error::refused("R-073", what).advise(
            "give the project a way to put forwarders on: docs/switch.md; or write the reason into [people]: exemption = \"…\"; or \
             makes_live = false",
        ))
    }

    /// Every entry of what was handed in, also those that have left, by key.
    async fn handed_in(&self) -> Result<HashMap<String, model::Entry>, Error> {
        let Some(connector) = self.entry.connector() else { return Ok(HashMap::new()) };
        let directories = self.store.directories(self.key).await?;
        let Some(row) = directories.iter().find(|row| row.name == connector) else { return Ok(HashMap::new()) };
        let rows = self.store.directory_entries(self.key, row.directory, true).await?;
        rows.iter().map(|row| Ok((row.key.clone(), read_entry(row)?))).collect()
    }

    async fn submission(&self, number: i64) -> Result<SubmissionRow, Error> {
        let rows = self.store.submissions(self.key).await?;
        rows.into_iter().find(|row| row.submission == number).ok_or_else(|| super::damaged("a submission"))
    }

    /// Takes a file that is well: its rows are in the directory, and it is on record, or neither. None: it was taken before.
    async fn take(&self, lease: &PeopleLease, checked: &Checked, new: &NewSubmission) -> Result<Option<i64>, Error> {
        let entries = checked.entries.iter().map(|entry| {
            let text = serde_json::to_string(entry).map_err(|_| super::damaged("an entry"))?;
            Ok(NewEntry { key: entry.key.clone(), kind: entry.kind.name().to_owned(), entry: text })
        });
        let entries = entries.collect::<Result<Vec<_>, Error>>()?;
        // Who handed it in, what counts as its evidence, and every reason why an account may be live, are on record first.
        let detail = json!({
            "connector": new.connector, "file": new.file_name, "digest": new.digest.to_string(), "sender": new.sender,
            "message_id": new.message_id, "rows": checked.rows.len(), "exemptions": checked.exemptions(),
        });
        self.store.audit(self.key, &self.actor, "people.handed-in", &detail).await?;
        let mut tx = self.store.write_people(lease).await?;
        let Some(number) = tx.add_submission(new).await? else { return Ok(None) };
        let row = tx.directory(&new.connector, store::DirectoryRole::Source).await?;
        let reading = tx.begin_reading(row.directory).await?;
        tx.put_entries(row.directory, reading, &entries).await?;
        tx.entries_gone(row.directory, &checked.leaving).await?;
        tx.end_reading(row.directory, reading, (None, self.scope_of(&new.connector)), false).await?;
        tx.commit().await?;
        Ok(Some(number))
    }

    /// Goes on with a submission as far as it goes without a person.
    async fn go_on(&self, lease: &PeopleLease, number: i64) -> Result<SubmissionRow, Error> {
        loop {
            let row = self.submission(number).await?;
            let goes_on = match row.of.state {
                SubmissionState::Taken => {
                    self.plan_submission(lease, &row).await?;
                    true
                }
                SubmissionState::Planned => self.carry_submission(lease, &row).await?,
                SubmissionState::Refused | SubmissionState::Faulty | SubmissionState::Done | SubmissionState::Ended => {
                    false
                }
            };
            if !goes_on {
                return Ok(row);
            }
        }
    }

    /// The rows of a submission that was taken.
    async fn rows_of(&self, row: &SubmissionRow) -> Result<Vec<table::Row>, Error> {
        let import = self.import_entry()?;
        let file = self.store.submitted_file(self.key, row.submission).await?.unwrap_or_default();
        table::validate(&file, &import.form, &import.map).map_err(|mistakes| {
            Error::usage(format!("submission {} can't be read any more: {mistakes}", row.submission))
                .advise("set [people.import] back to what it was when the file was taken")
        })
    }

    async fn plan_submission(&self, lease: &PeopleLease, row: &SubmissionRow) -> Result<(), Error> {
        self.platform_to_change()?;
        if let Some(open) = self.open_plan().await? {
            let what = format!("plan {} is approved and not carried out to its end", open.plan);
            return Err(Error::refused("R-039", what).advise("carry it out first: people apply"));
        }
        self.read_platform(lease).await?;
        let wanted = Wanted::of(&self.rows_of(row).await?, &row.of.connector);
        let known = self.known().await?;
        let plan = self.make_plan(&known, Some(&wanted)).await?;
        let (state, number) = if plan.lines.is_empty() {
            (SubmissionState::Done, None)
        } else {
            (SubmissionState::Planned, Some(self.keep_draft(&plan, &known).await?))
        };
        let mut tx = self.store.write_people(lease).await?;
        tx.set_submission(row.submission, state, number).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Approves the plan of a submission where its sender may, and carries it out. False: it waits.
    async fn carry_submission(&self, lease: &PeopleLease, row: &SubmissionRow) -> Result<bool, Error> {
        let number = row.of.plan.ok_or_else(|| super::damaged("a submission's plan"))?;
        let plan = self.plan_row(number).await?;
        match (&plan.approved, plan.ended_at) {
            (None, None) => {
                let Some(by) = self.approver_of(row) else { return Ok(false) };
                let evidence: serde_json::Value =
                    serde_json::from_str(&row.of.detail).map_err(|_| super::damaged("a submission"))?;
                self.approve_held(number, &plan.digest.to_string(), &by, Some(&evidence)).await?;
                return Ok(true);
            }
            (Some(_), None) => {
                self.carry_plan(lease, &plan).await?;
                if self.plan_row(number).await?.ended_at.is_none() {
                    return Ok(false);
                }
            }
            // Carried out, or put aside.
            (_, Some(_)) => {}
        }
        let mut tx = self.store.write_people(lease).await?;
        tx.set_submission(row.submission, SubmissionState::Done, None).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn carry_plan(&self, lease: &PeopleLease, row: &PlanRow) -> Result<(), Error> {
        let plan = self.stored_plan(row).await?;
        self.store.audit(self.key, &self.actor, "people.applied", &json!({ "plan": row.plan })).await?;
        let door = super::apply::Held::new();
        self.while_open(lease, &door, self.carry_on(lease, &door, row.plan, &plan.lines)).await.map(|_| ())
    }

    /// The person whose approval the file of a submission is. Its sender has to be among them still.
    fn approver_of(&self, row: &SubmissionRow) -> Option<String> {
        let mailed = self.entry.mailed.as_ref()?;
        mailed.approver(row.of.sender.as_deref()?).map(str::to_owned)
    }

    /// What is told of a submission that was taken.
    async fn line_of(&self, row: &SubmissionRow) -> Result<(SubmissionLine, Outcomes), Error> {
        let outcomes = self.outcomes(row).await?;
        let plan = match row.of.plan {
            Some(number) => Some(self.plan_row(number).await?),
            None => None,
        };
        let waits = plan.as_ref().filter(|plan| plan.approved.is_none() && plan.ended_at.is_none());
        let state = match row.of.state {
            SubmissionState::Taken | SubmissionState::Planned => "waits",
            state => state.name(),
        };
        let line = SubmissionLine {
            submission: Some(row.submission),
            file: row.of.file_name.clone().unwrap_or_default(),
            sender: row.of.sender.clone(),
            message_id: row.of.message_id.clone(),
            state,
            rows: outcomes.rows(),
            plan: row.of.plan,
            digest: waits.map(|plan| plan.digest.to_string()),
            approved_by: plan.and_then(|plan| plan.approved).map(|(by, _)| by),
            outcomes: outcomes.counts(),
            said: row.of.said.clone(),
            ..SubmissionLine::default()
        };
        Ok((line, outcomes))
    }
}

#[cfg(test)]
mod tests;
