//! Files for a platform's portal: each is kept, byte for byte, before it leaves, until it is known what became of every row.

use model::Digest;

use crate::people::PeopleTx;
use crate::sql::{Row, values};
use crate::{Error, ProjectKey, Store};

/// A file as it is to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUpload {
    /// Its number.
    pub upload: i64,
    /// The platform's directory.
    pub directory: String,
    /// The plan whose changes its rows are.
    pub plan: i64,
    /// The changes, one a row, in the file's order.
    pub changes: Vec<i64>,
    /// Where it goes: a path, or an address.
    pub sent_to: String,
    /// The Message-ID of the letter it travels in; none: somebody uploads it.
    pub message_id: Option<String>,
    /// Of the file.
    pub digest: Digest,
    /// Particulars, as JSON.
    pub detail: String,
    /// Who ran the program.
    pub made_by: String,
}

/// A file that left, or is about to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRow {
    /// What it is.
    pub of: NewUpload,
    /// When it was made (milliseconds since 1970).
    pub made_at: i64,
    /// When it was known to have left.
    pub sent_at: Option<i64>,
    /// When nothing was left to be said of it.
    pub ended_at: Option<i64>,
    /// Who said that the portal never took what has no result.
    pub lost_by: Option<String>,
}

/// A result file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadResultRow {
    /// Of which file it is the result.
    pub upload: i64,
    /// Of the result file.
    pub digest: Digest,
    /// Who read it.
    pub taken_by: String,
    /// When.
    pub taken_at: i64,
}

fn digest(row: &Row, column: usize) -> Result<Digest, Error> {
    Digest::from_bytes(row.blob(column)).ok_or_else(|| Error::damaged("the digest of an upload"))
}

impl Store {
    /// The files of a project, the oldest first.
    pub async fn uploads(&self, key: ProjectKey) -> Result<Vec<UploadRow>, Error> {
        let select = "SELECT upload, directory, plan, changes, sent_to, message_id, digest, detail, made_by, made_at, sent_at, \
            ended_at, lost_by FROM people_upload WHERE organisation = $1 AND project = $2 ORDER BY upload";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let row = |row: &Row| {
            let changes = serde_json::from_str(&row.text(3)).map_err(|_| Error::damaged("the rows of an upload"))?;
            Ok(UploadRow {
                of: NewUpload {
                    upload: row.int(0),
                    directory: row.text(1),
                    plan: row.int(2),
                    changes,
                    sent_to: row.text(4),
                    message_id: row.text_or_null(5),
                    digest: digest(row, 6)?,
                    detail: row.text(7),
                    made_by: row.text(8),
                },
                made_at: row.int(9),
                sent_at: row.int_or_null(10),
                ended_at: row.int_or_null(11),
                lost_by: row.text_or_null(12),
            })
        };
        rows.iter().map(row).collect()
    }

    /// A file, byte for byte.
    pub async fn uploaded_file(&self, key: ProjectKey, upload: i64) -> Result<Vec<u8>, Error> {
        let select = "SELECT file FROM people_upload WHERE organisation = $1 AND project = $2 AND upload = $3";
        let rows = self.database.query(select, values![key.organisation, key.project, upload]).await?;
        let row = rows.first().ok_or_else(|| Error::damaged("an upload"))?;
        Ok(row.blob(0).to_vec())
    }

    /// The result files of a project that were read.
    pub async fn upload_results(&self, key: ProjectKey) -> Result<Vec<UploadResultRow>, Error> {
        let select = "SELECT upload, digest, taken_by, taken_at FROM people_upload_result \
            WHERE organisation = $1 AND project = $2 ORDER BY upload, taken_at";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let row = |row: &Row| {
            let (upload, digest) = (row.int(0), digest(row, 1)?);
            Ok(UploadResultRow { upload, digest, taken_by: row.text(2), taken_at: row.int(3) })
        };
        rows.iter().map(row).collect()
    }
}

impl PeopleTx<'_> {
    /// Keeps a file that is about to leave. False: another one has no end yet.
    pub async fn add_upload(&mut self, new: &NewUpload, file: &[u8]) -> Result<bool, Error> {
        let changes = serde_json::to_string(&new.changes).map_err(|_| Error::damaged("the rows of an upload"))?;
        let insert = "INSERT INTO people_upload (organisation, project, upload, directory, plan, changes, sent_to, message_id, \
            digest, file, detail, made_by, made_at) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, {now} \
            FROM people_lease WHERE organisation = $1 AND project = $2 AND NOT EXISTS (SELECT 1 FROM people_upload \
            WHERE organisation = $1 AND project = $2 AND ended_at IS NULL)";
        let row = values![
            self.key.organisation,
            self.key.project,
            new.upload,
            new.directory.as_str(),
            new.plan,
            changes,
            new.sent_to.as_str(),
            new.message_id.as_deref(),
            new.digest.as_bytes().to_vec(),
            file.to_vec(),
            new.detail.as_str(),
            new.made_by.as_str()
        ];
        Ok(self.tx.execute(insert, row).await? == 1)
    }

    /// Records that a file has left.
    pub async fn upload_sent(&mut self, upload: i64) -> Result<(), Error> {
        let update = "UPDATE people_upload SET sent_at = coalesce(sent_at, {now}) WHERE organisation = $1 AND project = $2 \
            AND upload = $3";
        self.tx.execute(update, values![self.key.organisation, self.key.project, upload]).await.map(|_| ())
    }

    /// Records that nothing is left to be said of a file; by whose word, where the portal did not say all of it.
    pub async fn end_upload(&mut self, upload: i64, lost_by: Option<&str>) -> Result<(), Error> {
        let update = "UPDATE people_upload SET ended_at = coalesce(ended_at, {now}), lost_by = coalesce($4, lost_by) \
            WHERE organisation = $1 AND project = $2 AND upload = $3";
        self.tx.execute(update, values![self.key.organisation, self.key.project, upload, lost_by]).await.map(|_| ())
    }

    /// Records that a result file was read. One that was read before stays as it was recorded.
    pub async fn add_upload_result(&mut self, upload: i64, digest: Digest, taken_by: &str) -> Result<(), Error> {
        let insert = "INSERT INTO people_upload_result (organisation, project, upload, digest, taken_by, taken_at) \
            VALUES ($1, $2, $3, $4, $5, {now}) ON CONFLICT DO NOTHING";
        let row = values![self.key.organisation, self.key.project, upload, digest.as_bytes().to_vec(), taken_by];
        self.tx.execute(insert, row).await.map(|_| ())
    }

    /// Records under which key the platform tells of an account that was made.
    pub async fn account_is(&mut self, directory: &str, key: &str, account: &str) -> Result<(), Error> {
        let update = "UPDATE people_account SET account = $5 WHERE organisation = $1 AND project = $2 AND directory = $3 \
            AND entry_key = $4";
        let row = values![self.key.organisation, self.key.project, directory, key, account];
        self.tx.execute(update, row).await.map(|_| ())
    }

    /// Records when what was last read of a directory was written.
    pub async fn set_as_of(&mut self, directory: i64, as_of: i64) -> Result<(), Error> {
        let update = "UPDATE directory SET as_of = $4 WHERE organisation = $1 AND project = $2 AND directory = $3";
        self.tx.execute(update, values![self.key.organisation, self.key.project, directory, as_of]).await.map(|_| ())
    }
}
