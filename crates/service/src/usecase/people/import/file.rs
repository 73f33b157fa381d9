//! A file that is given by hand.

use std::path::{Path, PathBuf};

use model::Digest;
use serde_json::json;
use store::{NewSubmission, PeopleLease, SubmissionRow, SubmissionState};

use super::result::{of_mistakes, result_name};
use super::{ImportReport, MISTAKES_TOLD, SubmissionLine};
use crate::Error;
use crate::usecase::people::PeopleProject;

/// What a file given by hand has as its place, before its digest and number.
const BY_HAND: &str = "by hand ";

impl PeopleProject {
    /// Takes a file by hand: looks at it and, if it is well, makes a plan of it that waits for approval; or goes on with it, where it
    /// was taken before and is not through. The result file says what became of each row. A dry run only looks.
    pub async fn import_file(
        &self,
        path: &Path,
        result_to: Option<&Path>,
        dry_run: bool,
    ) -> Result<ImportReport, Error> {
        if !dry_run {
            self.may_change()?;
        }
        self.import_entry()?;
        let bytes = std::fs::read(path).map_err(|error| {
            Error::usage(format!("{} cannot be read: {error}", path.display())).advise("check the path")
        })?;
        let result_to =
            result_to.map_or_else(|| PathBuf::from(result_name(&path.display().to_string())), Path::to_owned);
        if result_to == path {
            return Err(
                Error::usage("the result file is not to take the place of the file").advise("give it another name")
            );
        }
        let lease = self.hold().await?;
        let work = self.take_by_hand(&lease, path, &bytes, &result_to, dry_run);
        let line = Box::pin(self.while_held(&lease, work)).await;
        self.store.leave_people(&lease).await?;
        Ok(ImportReport { dry_run, submissions: vec![line?], ..ImportReport::default() })
    }

    async fn take_by_hand(
        &self,
        lease: &PeopleLease,
        path: &Path,
        bytes: &[u8],
        result_to: &Path,
        dry_run: bool,
    ) -> Result<SubmissionLine, Error> {
        let import = self.import_entry()?;
        let digest = Digest::of(bytes);
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let write = |results: &std::collections::BTreeMap<u64, String>| {
            let result = table::with_results(bytes, &import.form, results);
            let Ok(result) = result else { return Ok(None) };
            // A dry run takes the place of no result that was kept.
            if dry_run && result_to.exists() {
                return Ok(None);
            }
            std::fs::write(result_to, result).map_err(|error| {
                Error::usage(format!("{} cannot be written: {error}", result_to.display()))
                    .advise("give another: --to FILE")
            })?;
            Ok::<_, Error>(Some(result_to.to_owned()))
        };
        let submissions = self.store.submissions(self.key).await?;
        let own = format!("{BY_HAND}{digest} ");
        let before: Vec<_> = submissions.iter().filter(|row| row.of.place.starts_with(&own)).collect();
        let number = match before.last().filter(|row| !row.of.state.is_over()) {
            Some(row) => Some(row.submission),
            None => {
                for open in submissions.iter().filter(|row| !row.of.state.is_over()) {
                    let open = if dry_run { open.clone() } else { self.go_on(lease, open.submission).await? };
                    self.end_by_hand(lease, &open, dry_run).await?;
                    if matches!(open.of.state, SubmissionState::Taken | SubmissionState::Planned) {
                        return Err(super::mailed::is_open(&open));
                    }
                }
                let checked = match self.check_file(bytes).await? {
                    Ok(checked) => checked,
                    Err(mistakes) => {
                        let lines = table::table(bytes, &import.form);
                        let lines: Vec<u64> =
                            lines.map(|table| table.rows().map(|(line, _)| line).collect()).unwrap_or_default();
                        if !dry_run {
                            let detail = json!({ "connector": import.connector, "file": name,
                                "digest": digest.to_string(), "mistakes": mistakes.count });
                            self.store.audit(self.key, &self.actor, "people.handed-in-faulty", &detail).await?;
                        }
                        return Ok(SubmissionLine {
                            file: name,
                            state: SubmissionState::Faulty.name(),
                            rows: lines.len(),
                            mistakes: mistakes.list.iter().take(MISTAKES_TOLD).map(ToString::to_string).collect(),
                            mistakes_count: mistakes.count,
                            result: write(&of_mistakes(&mistakes, lines.into_iter()))?,
                            ..SubmissionLine::default()
                        });
                    }
                };
                if dry_run {
                    let rows = checked.rows.len();
                    return Ok(SubmissionLine { file: name, state: "checked", rows, ..SubmissionLine::default() });
                }
                let new = NewSubmission {
                    place: format!("{own}{}", before.len() + 1),
                    connector: import.connector.clone(),
                    message_id: None,
                    digest,
                    sender: None,
                    taken_by: self.actor.name.clone(),
                    file_name: Some(name),
                    file: Some(bytes.to_vec()),
                    state: SubmissionState::Taken,
                    plan: None,
                    said: None,
                    detail: json!({ "file_digest": digest.to_string() }).to_string(),
                };
                self.take(lease, &checked, &new).await?
            }
        };
        let number = number.ok_or_else(|| crate::usecase::people::damaged("a submission"))?;
        let row = if dry_run { self.submission(number).await? } else { self.go_on(lease, number).await? };
        let (mut line, outcomes) = self.line_of(&row).await?;
        line.result = write(&outcomes.by_line())?;
        self.end_by_hand(lease, &row, dry_run).await?;
        Ok(line)
    }

    /// Nobody has to be answered about a file that was given by hand.
    async fn end_by_hand(&self, lease: &PeopleLease, row: &SubmissionRow, dry_run: bool) -> Result<(), Error> {
        if dry_run || row.of.state != SubmissionState::Done || row.of.sender.is_some() {
            return Ok(());
        }
        let mut tx = self.store.write_people(lease).await?;
        tx.set_submission(row.submission, SubmissionState::Ended, None).await?;
        tx.commit().await?;
        Ok(())
    }
}
