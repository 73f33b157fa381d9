//! What the portal says of each row of a file, read back; and a person's word that it never took one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use model::Digest;
use people::{Line, ObjectId, Planned};
use serde::Serialize;
use serde_json::json;
use store::{ChangeRow, ChangeState, MadeAccount, PeopleLease, UploadRow};
use table::FileForm;
use table::portal::{RowFate, RowResult};

use super::{AWAITED, Detail};
use crate::Error;
use crate::usecase::people::{Known, PeopleProject, apply};

/// A row that was not done, or of which that is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResultLine {
    /// For which object.
    pub id: String,
    /// What was to be done, in words.
    pub what: String,
    /// The portal's own words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub said: String,
}

/// What the portal said of a file.
#[derive(Clone, Debug, Serialize)]
pub struct ResultsReport {
    /// Nothing was kept.
    pub dry_run: bool,
    /// Whose result it is.
    pub submission: i64,
    /// It was read before, and nothing was done.
    pub known: bool,
    /// Rows of the file.
    pub rows: usize,
    /// Rows that were done, by this result and before.
    pub done: usize,
    /// Rows that the portal refused: they are in the next file.
    pub failed: Vec<ResultLine>,
    /// Rows of which the portal's words are not known: a person reads them.
    pub unclear: Vec<ResultLine>,
    /// Rows of which it says nothing.
    pub unreported: Vec<ResultLine>,
    /// Rows that were done by an earlier result, and that this one says were not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contradicted: Vec<ResultLine>,
    /// What the portal made otherwise than it was sent, and what else a person should know.
    pub notes: Vec<String>,
    /// Of every row something is known: the next file may leave.
    pub ended: bool,
}

impl ResultsReport {
    /// Was every row done?
    pub fn is_well(&self) -> bool {
        self.failed.len() + self.unclear.len() + self.unreported.len() + self.contradicted.len() == 0
    }
}

/// What was said of a file that the portal never took.
#[derive(Clone, Debug, Serialize)]
pub struct LostReport {
    /// Its number.
    pub submission: i64,
    /// Who said so.
    pub by: String,
    /// Rows without a result: they are in the next file.
    pub rows: usize,
}

/// A result file, and who has it from whom.
pub(super) struct ResultFile<'r> {
    /// The file.
    pub(super) bytes: &'r [u8],
    /// Who reads it.
    pub(super) by: &'r str,
    /// Of which submission somebody says it is.
    pub(super) of: Option<i64>,
    /// What that rests on.
    pub(super) evidence: serde_json::Value,
}

/// What is to be recorded of a result.
#[derive(Default)]
struct Taken {
    states: Vec<(i64, ChangeState, Option<String>, Option<String>)>,
    made: Vec<MadeAccount>,
    live: Vec<(ObjectId, Option<String>)>,
    done: usize,
    failed: Vec<ResultLine>,
    unclear: Vec<ResultLine>,
    unreported: Vec<ResultLine>,
    contradicted: Vec<ResultLine>,
    notes: Vec<String>,
}

impl PeopleProject {
    /// Reads the result file of the file that waits for one. `of` says of which it is, where that can't be told.
    pub async fn results(&self, path: &Path, by: &str, of: Option<i64>, dry_run: bool) -> Result<ResultsReport, Error> {
        if !dry_run {
            self.may_change()?;
        }
        self.portal_or_refuse()?;
        if by.trim().is_empty() && !dry_run {
            return Err(Error::usage("a result is read by somebody").advise("give their name: --by NAME"));
        }
        let bytes = std::fs::read(path).map_err(|error| {
            Error::usage(format!("{} cannot be read: {error}", path.display())).advise("check the path")
        })?;
        let evidence = json!({ "file": path.file_name().map(|name| name.to_string_lossy().into_owned()) });
        let result = ResultFile { bytes: &bytes, by: by.trim(), of, evidence };
        let lease = self.hold().await?;
        let taken = Box::pin(self.while_held(&lease, self.take_result(&lease, &result, dry_run))).await;
        self.leave(&lease, taken).await
    }

    /// Records what a result says.
    pub(super) async fn take_result(
        &self,
        lease: &PeopleLease,
        result: &ResultFile<'_>,
        dry_run: bool,
    ) -> Result<ResultsReport, Error> {
        let digest = Digest::of(result.bytes);
        let upload = match self.result_of(digest, result.of).await? {
            Whose::Read { upload, by } => return Ok(known_before(upload, &by, dry_run)),
            Whose::Open(upload) => upload,
        };
        let detail = Detail::of(&upload)?;
        let said = self.said_of(&upload, &detail, result.bytes)?;
        let plan = self.stored_plan(&self.plan_row(upload.of.plan).await?).await?;
        let changes = self.store.changes(self.key, upload.of.plan).await?;
        let known = self.known().await?;
        // A report without a column of keys is by local ids: its keys are no numbers of the portal's.
        let by_number = known.accounts.iter().all(|account| account.local_id.as_ref() != Some(&account.key));
        let (lines, taken) = (plan.lines.as_slice(), Taken::default());
        let older = self.accounts_before(upload.made_at).await?;
        let mut reading = Reading { upload: &upload, detail: &detail, lines, by_number, older, taken };
        self.refuse_wrong_numbers(&known, &reading, &said).await?;
        let of_number: HashMap<i64, &ChangeRow> = changes.iter().map(|row| (row.change, row)).collect();
        for (number, said) in upload.of.changes.iter().zip(&said) {
            let change = of_number.get(number).ok_or_else(|| super::super::damaged("a planned change"))?;
            reading.take(change, said);
        }
        let taken = reading.taken;
        let waiting = taken.unclear.len() + taken.unreported.len();
        let report = ResultsReport {
            dry_run,
            submission: upload.of.upload,
            known: false,
            rows: upload.of.changes.len(),
            done: taken.done,
            failed: taken.failed,
            unclear: taken.unclear,
            unreported: taken.unreported,
            contradicted: taken.contradicted,
            notes: taken.notes,
            ended: waiting == 0,
        };
        if dry_run {
            return Ok(report);
        }
        let audited = json!({ "submission": upload.of.upload, "by": result.by, "digest": digest.to_string(),
            "evidence": result.evidence, "done": report.done, "failed": report.failed.len(),
            "unclear": report.unclear.len(), "unreported": report.unreported.len() });
        self.store.audit(self.key, &self.actor, "people.results-read", &audited).await?;
        let mut tx = self.store.write_people(lease).await?;
        tx.set_changes(upload.of.plan, &taken.states).await?;
        tx.add_accounts(upload.of.plan, &taken.made).await?;
        apply::set_live(&mut tx, &taken.live).await?;
        tx.add_upload_result(upload.of.upload, digest, result.by).await?;
        if report.ended {
            tx.end_upload(upload.of.upload, None).await?;
        }
        tx.commit().await?;
        self.end_if_done(lease, upload.of.plan).await?;
        self.find_made(lease).await?;
        Ok(report)
    }

    /// Of which file this is the result.
    async fn result_of(&self, digest: Digest, of: Option<i64>) -> Result<Whose, Error> {
        let uploads = self.store.uploads(self.key).await?;
        let read = self.store.upload_results(self.key).await?;
        let before = read.iter().find(|row| row.digest == digest);
        let Some(open) = uploads.iter().find(|row| row.ended_at.is_none()) else {
            return match before {
                Some(row) => Ok(Whose::Read { upload: row.upload, by: row.taken_by.clone() }),
                None => Err(Error::refused("R-032", "no submission to the portal waits for a result")
                    .advise("people results says what became of each")),
            };
        };
        let number = open.of.upload;
        if let Some(row) = before.filter(|row| row.upload != number && of.is_none_or(|of| of == row.upload)) {
            return Ok(Whose::Read { upload: row.upload, by: row.taken_by.clone() });
        }
        if let Some(of) = of.filter(|of| *of != number) {
            let what = format!("submission {of} does not wait for a result; submission {number} does");
            return Err(Error::refused("R-032", what).advise(
                "where the portal did something that was said to be lost, the report of users shows it: people sync",
            ));
        }
        // What was said to be lost may have a result of its own, which looks like that of the file that took its rows.
        if of.is_none() && self.is_doubtful(&uploads, open).await? {
            let what = format!(
                "rows of submission {number} were in an earlier one that came to nothing: this may be its result"
            );
            return Err(Error::refused("R-057", what)
                .advise(format!("look whose it is; if it is that of submission {number}, add --of {number}")));
        }
        Ok(Whose::Open(Box::new(open.clone())))
    }

    /// Numbers of accounts that the report told of before this moment (milliseconds since 1970), gone or not.
    async fn accounts_before(&self, at: i64) -> Result<HashSet<String>, Error> {
        let name = self.entry.platform.as_deref().unwrap_or_default();
        let directories = self.store.directories(self.key).await?;
        let Some(row) = directories.iter().find(|row| row.name == name) else { return Ok(HashSet::new()) };
        let entries = self.store.directory_entries(self.key, row.directory, true).await?;
        Ok(entries.into_iter().filter(|entry| entry.first_at < at).map(|entry| entry.key).collect())
    }

    /// For whom the rows of a file are, and what each is to do.
    async fn rows_of_upload(&self, upload: &UploadRow) -> Result<HashSet<(ObjectId, &'static str)>, Error> {
        let own: HashSet<i64> = upload.of.changes.iter().copied().collect();
        let changes = self.store.changes(self.key, upload.of.plan).await?;
        let mut rows = HashSet::new();
        for change in changes.iter().filter(|change| own.contains(&change.change)) {
            let planned: Planned =
                serde_json::from_str(&change.what).map_err(|_| super::super::damaged("a planned change"))?;
            let does = match planned {
                Planned::Create { .. } => "create",
                Planned::Update { .. } => "update",
                Planned::Leave { .. } => "leave",
            };
            rows.insert((ObjectId::new(&change.directory, &change.key), does));
        }
        Ok(rows)
    }

    /// May a result of this file be that of an earlier one? Of one that was said to be lost and has a row for somebody of this one, or
    /// of one that was refused as a whole, and all of whose rows are in this one again.
    async fn is_doubtful(&self, uploads: &[UploadRow], open: &UploadRow) -> Result<bool, Error> {
        let own = self.rows_of_upload(open).await?;
        for row in uploads.iter().filter(|row| row.of.upload != open.of.upload) {
            let theirs = self.rows_of_upload(row).await?;
            let is_lost = row.lost_by.is_some() && !theirs.is_disjoint(&own);
            if is_lost || theirs.is_subset(&own) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What a result file says of each row, in the file's order.
    fn said_of(&self, upload: &UploadRow, detail: &Detail, bytes: &[u8]) -> Result<Vec<RowResult>, Error> {
        let portal = self.portal_or_refuse()?;
        let (form, connector) = (&portal.entry.upload, portal.entry.connector.as_str());
        let number = upload.of.upload;
        let as_sent = table::portal::write(form, connector, &detail.rows).ok().map(|file| Digest::of(&file));
        if as_sent != Some(upload.of.digest) {
            let what = format!("submission {number} was written by other columns than [directories] has now");
            return Err(Error::usage(what).advise("set the platform's table back until its result is read"));
        }
        table::portal::read_result(form, connector, &detail.rows, bytes, &FileForm::default()).map_err(|mistakes| {
            Error::refused(
                "R-032",
                format!("this is not the result of submission {number}; nothing was changed:\n{mistakes}"),
            )
            .advise("give the file as the portal sent it")
        })
    }

    /// A number that the portal gave is that of one account: a result that says otherwise is used for nothing.
    async fn refuse_wrong_numbers(
        &self,
        known: &Known,
        reading: &Reading<'_>,
        said: &[RowResult],
    ) -> Result<(), Error> {
        let made = self.made().await?;
        let mut holders: HashMap<&str, &ObjectId> = HashMap::new();
        let rows = known.reconciliation.rows.iter().filter(|_| reading.by_number);
        holders.extend(rows.filter_map(|row| Some((row.matched.account()?, &row.matched.object))));
        holders.extend(made.iter().filter(|_| reading.by_number).map(|(id, row)| (row.made.account.as_str(), id)));
        let (mut seen, mut wrong) = (BTreeMap::new(), Vec::new());
        for (row, said) in reading.detail.rows.iter().zip(said) {
            let Some(id) = said.id.as_deref().filter(|_| said.fate == RowFate::Done) else { continue };
            let object = reading.object(said.row);
            let label = row.entry.label();
            if let Some(sent) = row.id.as_deref().filter(|sent| *sent != id) {
                wrong.push(format!("{label}: the account {sent} was sent, and the result names {id}"));
            } else if let Some(holder) = holders.get(id).filter(|holder| **holder != object) {
                wrong.push(format!("{label}: the result names the account {id}, which is that of {holder}"));
            } else if let Some(other) = seen.insert(id.to_owned(), label) {
                wrong.push(format!("{label}: the result names the account {id}, and for {other}, too"));
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let what = format!("the result gives accounts to the wrong people; nothing was changed:\n{}", wrong.join("\n"));
        Err(Error::refused("R-058", what).advise("ask the platform's people; give the file as the portal sent it"))
    }

    /// Records a person's word that the portal never took what has no result of a file.
    pub async fn lost(&self, number: i64, by: &str, evidence: &str) -> Result<LostReport, Error> {
        self.may_change()?;
        self.portal_or_refuse()?;
        for (text, what) in [(by, "--by NAME"), (evidence, "--evidence TEXT")] {
            if text.trim().is_empty() {
                return Err(Error::usage("that a submission is lost needs a name and its evidence")
                    .advise(format!("give {what}")));
            }
        }
        let lease = self.hold().await?;
        let lost = self.lost_held(&lease, number, by.trim(), evidence.trim()).await;
        self.leave(&lease, lost).await
    }

    async fn lost_held(&self, lease: &PeopleLease, number: i64, by: &str, evidence: &str) -> Result<LostReport, Error> {
        let open = self.open_upload().await?.filter(|row| row.of.upload == number).ok_or_else(|| {
            Error::usage(format!("submission {number} does not wait for a result"))
                .advise("people results says what became of each")
        })?;
        let own: BTreeSet<i64> = open.of.changes.iter().copied().collect();
        let changes = self.store.changes(self.key, open.of.plan).await?;
        let waits = |change: &&ChangeRow| change.state == ChangeState::Submitted && own.contains(&change.change);
        let said = || Some(format!("submission {number} never had a result: {by} says that it was not taken"));
        let states: Vec<_> =
            changes.iter().filter(waits).map(|change| (change.change, ChangeState::Todo, None, said())).collect();
        let detail = json!({ "submission": number, "by": by, "evidence": evidence, "rows": states.len() });
        self.store.audit(self.key, &self.actor, "people.submission-lost", &detail).await?;
        let mut tx = self.store.write_people(lease).await?;
        tx.set_changes(open.of.plan, &states).await?;
        tx.end_upload(number, Some(by)).await?;
        tx.commit().await?;
        Ok(LostReport { submission: number, by: by.to_owned(), rows: states.len() })
    }
}

/// Whose result a file is.
enum Whose {
    /// That of the file that waits for one.
    Open(Box<UploadRow>),
    /// That of one that was read before.
    Read { upload: i64, by: String },
}

fn known_before(upload: i64, by: &str, dry_run: bool) -> ResultsReport {
    ResultsReport {
        dry_run,
        submission: upload,
        known: true,
        rows: 0,
        done: 0,
        failed: Vec::new(),
        unclear: Vec::new(),
        unreported: Vec::new(),
        contradicted: Vec::new(),
        notes: vec![format!("it is the result of submission {upload}, which {by} read before: nothing was done")],
        ended: true,
    }
}

/// A result that is being read.
struct Reading<'r> {
    upload: &'r UploadRow,
    detail: &'r Detail,
    lines: &'r [Line],
    /// The report tells accounts by the portal's own numbers.
    by_number: bool,
    /// Numbers of accounts that were there before the file left: a row did not make these.
    older: HashSet<String>,
    taken: Taken,
}

impl Reading<'_> {
    fn line(&self, row: usize) -> &Line {
        &self.lines[self.upload.of.changes[row] as usize - 1]
    }

    fn object(&self, row: usize) -> &ObjectId {
        &self.line(row).object
    }

    fn take(&mut self, change: &ChangeRow, said: &RowResult) {
        let id = self.object(said.row).to_string();
        let line = ResultLine { id, what: apply::words(&change.what), said: said.text.clone() };
        let is_done = change.state == ChangeState::Done;
        match said.fate {
            _ if is_done => {
                self.taken.contradicted.extend((said.fate == RowFate::Failed).then_some(line));
                self.taken.done += 1;
            }
            // It was joined with what was there: whose that is a person decides.
            RowFate::Done if self.is_joined(said) => {
                let number = said.id.clone().unwrap_or_default();
                let what = format!(
                    "submission {}: the portal gave it the account {number}, which was there before: say whose that is with people \
                     match, then people results --lost",
                    self.upload.of.upload
                );
                self.taken.states.push((change.change, ChangeState::Submitted, None, Some(what.clone())));
                self.taken.unclear.push(ResultLine { said: what, ..line });
            }
            RowFate::Done => self.done(change, said),
            // It failed by an earlier result of this file, and this one does not take that back.
            RowFate::Unclear | RowFate::Unreported if change.state == ChangeState::Todo => {
                let text = change.said.clone().unwrap_or_default();
                self.taken.failed.push(ResultLine { said: text, ..line });
            }
            RowFate::Failed => {
                self.taken.states.push((change.change, ChangeState::Todo, None, Some(said.text.clone())));
                self.taken.failed.push(line);
            }
            RowFate::Unclear => {
                let text = Some(format!("submission {}: {}", self.upload.of.upload, said.text));
                self.taken.states.push((change.change, ChangeState::Submitted, None, text));
                self.taken.unclear.push(line);
            }
            RowFate::Unreported => self.taken.unreported.push(line),
        }
    }

    /// Did the portal give a row that was to make an account one that was there before?
    fn is_joined(&self, said: &RowResult) -> bool {
        let is_create = matches!(self.line(said.row).planned, Planned::Create { .. });
        is_create && said.id.as_ref().filter(|_| self.by_number).is_some_and(|id| self.older.contains(id))
    }

    fn done(&mut self, change: &ChangeRow, said: &RowResult) {
        let line = self.line(said.row);
        let id = line.object.clone();
        let key = match &line.planned {
            Planned::Create { .. } => {
                let told = said.id.clone().filter(|_| self.by_number);
                told.unwrap_or_else(|| format!("{AWAITED}{}.{}", self.upload.of.upload, said.row + 1))
            }
            Planned::Update { before, .. } | Planned::Leave { before, .. } => before.key.clone(),
        };
        let made = matches!(line.planned, Planned::Create { .. }).then(|| apply::made_account(line, &key, None));
        if !said.altered.is_empty() {
            self.taken.notes.push(format!("{id}: the portal made something else of {}", said.altered.join(", ")));
        }
        if self.detail.live
            && let Some(reason) = self.detail.exemptions.get(&change.change)
        {
            self.taken.live.push((id, Some(reason.clone())));
        }
        self.taken.made.extend(made);
        // Whom the row lacked it lacks still.
        let without = change.said.as_deref().and_then(|said| said.split_once("; without "));
        let without = without.map(|(_, who)| format!("without {who}"));
        self.taken.states.push((change.change, ChangeState::Done, Some(key), without));
        self.taken.done += 1;
    }
}
