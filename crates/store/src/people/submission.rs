//! Files of people that were handed in, and how far each has come.

use model::Digest;

use crate::people::PeopleTx;
use crate::sql::{Row, values};
use crate::{Error, ProjectKey, Store};

/// How far a submission has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubmissionState {
    /// It is none: its sender, its subject or its form is not what it has to be. Nothing was done and nobody is answered.
    Refused,
    /// Nothing of it was used; its sender has to be told what is wrong with it.
    Faulty,
    /// Its rows are among those of its directory; no plan was made of them yet.
    Taken,
    /// A plan was made of its rows.
    Planned,
    /// What could come of it has; its sender has to be told.
    Done,
    /// Its sender was told.
    Ended,
}

impl SubmissionState {
    const EVERY: [Self; 6] = [Self::Refused, Self::Faulty, Self::Taken, Self::Planned, Self::Done, Self::Ended];

    /// The state's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Faulty => "faulty",
            Self::Taken => "taken",
            Self::Planned => "planned",
            Self::Done => "done",
            Self::Ended => "ended",
        }
    }

    /// Nothing is left to do about it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Refused | Self::Ended)
    }
}

/// A submission as it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSubmission {
    /// Where it was found; no two have the same place.
    pub place: String,
    /// The directory that its rows are of.
    pub connector: String,
    /// The message's Message-ID.
    pub message_id: Option<String>,
    /// Of the file; of a message without one.
    pub digest: Digest,
    /// Whose message it is.
    pub sender: Option<String>,
    /// Who ran the program.
    pub taken_by: String,
    /// What the file is called.
    pub file_name: Option<String>,
    /// The file.
    pub file: Option<Vec<u8>>,
    /// How far it has come.
    pub state: SubmissionState,
    /// The plan that was made of it.
    pub plan: Option<i64>,
    /// Why nothing came of it.
    pub said: Option<String>,
    /// Particulars, as JSON.
    pub detail: String,
}

/// A submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmissionRow {
    /// Its number.
    pub submission: i64,
    /// What it is, without its file.
    pub of: NewSubmission,
    /// When it was taken (milliseconds since 1970).
    pub taken_at: i64,
    /// When its sender was told that it waits.
    pub told_at: Option<i64>,
    /// When nothing was left to do about it.
    pub ended_at: Option<i64>,
}

impl Store {
    /// The submissions of a project, the oldest first, without their files.
    pub async fn submissions(&self, key: ProjectKey) -> Result<Vec<SubmissionRow>, Error> {
        let select = "SELECT submission, place, connector, message_id, digest, sender, taken_by, file_name, state, plan, said, \
            detail, taken_at, told_at, ended_at FROM people_submission WHERE organisation = $1 AND project = $2 \
            ORDER BY submission";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let row = |row: &Row| {
            let name = row.text(8);
            let state = SubmissionState::EVERY.into_iter().find(|state| state.name() == name);
            Ok(SubmissionRow {
                submission: row.int(0),
                of: NewSubmission {
                    place: row.text(1),
                    connector: row.text(2),
                    message_id: row.text_or_null(3),
                    digest: Digest::from_bytes(row.blob(4)).ok_or_else(|| Error::damaged("a submission's digest"))?,
                    sender: row.text_or_null(5),
                    taken_by: row.text(6),
                    file_name: row.text_or_null(7),
                    file: None,
                    state: state.ok_or_else(|| Error::damaged("a submission's state"))?,
                    plan: row.int_or_null(9),
                    said: row.text_or_null(10),
                    detail: row.text(11),
                },
                taken_at: row.int(12),
                told_at: row.int_or_null(13),
                ended_at: row.int_or_null(14),
            })
        };
        rows.iter().map(row).collect()
    }

    /// The file of a submission.
    pub async fn submitted_file(&self, key: ProjectKey, submission: i64) -> Result<Option<Vec<u8>>, Error> {
        let select = "SELECT file FROM people_submission WHERE organisation = $1 AND project = $2 AND submission = $3";
        let rows = self.database.query(select, values![key.organisation, key.project, submission]).await?;
        Ok(rows.first().and_then(|row| row.blob_or_null(0).map(<[u8]>::to_vec)))
    }
}

impl PeopleTx<'_> {
    /// Adds a submission; its number. None: one from this place is known.
    pub async fn add_submission(&mut self, new: &NewSubmission) -> Result<Option<i64>, Error> {
        let key = self.key;
        let insert = "INSERT INTO people_submission (organisation, project, submission, place, connector, message_id, digest, \
            sender, taken_by, file_name, file, state, plan, said, detail, taken_at, ended_at) \
            SELECT $1, $2, coalesce(max(submission), 0) + 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, {now}, \
            CASE WHEN $15 = 1 THEN {now} ELSE NULL END FROM people_submission WHERE organisation = $1 AND project = $2 \
            HAVING NOT EXISTS (SELECT 1 FROM people_submission WHERE organisation = $1 AND project = $2 AND place = $3) \
            RETURNING submission";
        let row = values![
            key.organisation,
            key.project,
            new.place.as_str(),
            new.connector.as_str(),
            new.message_id.as_deref(),
            new.digest.as_bytes().to_vec(),
            new.sender.as_deref(),
            new.taken_by.as_str(),
            new.file_name.as_deref(),
            new.file.clone(),
            new.state.name(),
            new.plan,
            new.said.as_deref(),
            new.detail.as_str(),
            new.state.is_over()
        ];
        Ok(self.tx.query(insert, row).await?.first().map(|row| row.int(0)))
    }

    /// Records how far a submission has come.
    pub async fn set_submission(
        &mut self,
        submission: i64,
        state: SubmissionState,
        plan: Option<i64>,
    ) -> Result<(), Error> {
        let update = "UPDATE people_submission SET state = $4, plan = coalesce($5, plan), \
            ended_at = CASE WHEN $6 = 1 THEN {now} ELSE ended_at END \
            WHERE organisation = $1 AND project = $2 AND submission = $3";
        let row = values![self.key.organisation, self.key.project, submission, state.name(), plan, state.is_over()];
        self.tx.execute(update, row).await.map(|_| ())
    }

    /// Records that the sender of a submission was told that it waits.
    pub async fn told_of_submission(&mut self, submission: i64) -> Result<(), Error> {
        let update = "UPDATE people_submission SET told_at = {now} WHERE organisation = $1 AND project = $2 \
            AND submission = $3";
        self.tx.execute(update, values![self.key.organisation, self.key.project, submission]).await.map(|_| ())
    }
}
