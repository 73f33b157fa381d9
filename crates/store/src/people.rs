//! People: what the directories say, what was decided about them, and what was made of it.
//!
//! One process works on the people of a project at a time, by a lease with a fence like that of a mailbox. What it writes
//! is written in a transaction that checks the fence.

use model::Digest;

use crate::sql::{Durability, Row, Tx, Value, values};
use crate::{Error, ProjectKey, Store};

mod confirmation;
mod plan;
mod sharing;
mod submission;
mod upload;
mod word;

pub use confirmation::{ConfirmationRow, ConfirmationState, NewConfirmation, ReplyRow};
pub use plan::{AccountRow, ChangeRow, ChangeState, MadeAccount, NewChange, PlanRow};
pub use sharing::{SharingRow, SharingWord};
pub use submission::{NewSubmission, SubmissionRow, SubmissionState};
pub use upload::{NewUpload, UploadResultRow, UploadRow};
pub use word::{SignedRow, SignoffRow, WordRow};

/// What a directory is to a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryRole {
    /// The organisation's own: it says who there is.
    Source,
    /// The platform's.
    Platform,
}

impl DirectoryRole {
    fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Platform => "platform",
        }
    }
}

/// A directory that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryRow {
    /// Its number.
    pub directory: i64,
    /// Its name in the project.
    pub name: String,
    /// How far it was read.
    pub cursor: Option<Vec<u8>>,
    /// When it was last read to the end (milliseconds since 1970).
    pub read_at: Option<i64>,
    /// When it was last read whole.
    pub whole_at: Option<i64>,
    /// Digest of what said how it was read then.
    pub scope: Option<Digest>,
    /// When a person last took it that many of its entries are gone.
    pub gone_accepted_at: Option<i64>,
    /// When what was last read was written, where that is known.
    pub as_of: Option<i64>,
}

/// An entry as it is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// Its key in its directory.
    pub key: String,
    /// The name of its kind.
    pub kind: String,
    /// The entry, as JSON.
    pub entry: String,
}

/// An entry as it was last read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRow {
    /// Its key in its directory.
    pub key: String,
    /// The entry, as JSON.
    pub entry: String,
    /// When it was first read.
    pub first_at: i64,
    /// When it was last read to be another than before.
    pub changed_at: i64,
    /// Since when it is gone.
    pub gone_at: Option<i64>,
}

/// What can't be read as an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRow {
    /// Where it stands.
    pub place: String,
    /// Its key, where known.
    pub key: Option<String>,
    /// What is wrong.
    pub what: String,
}

/// A hold on the people of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeopleLease {
    key: ProjectKey,
    fence: i64,
    holder: String,
}

/// A transaction of who holds the people of a project.
pub struct PeopleTx<'s> {
    tx: Tx<'s>,
    key: ProjectKey,
}

impl Store {
    /// Takes hold of the people of a project; none while another holds them.
    pub async fn hold_people(
        &self,
        key: ProjectKey,
        holder: &str,
        lasts_ms: i64,
    ) -> Result<Option<PeopleLease>, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let make = "INSERT INTO people_lease (organisation, project, fence) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING";
        tx.execute(make, values![key.organisation, key.project]).await?;
        let take = "UPDATE people_lease SET fence = fence + 1, holder = $3, lease_until = {now} + $4 \
            WHERE organisation = $1 AND project = $2 AND (lease_until IS NULL OR lease_until < {now}) RETURNING fence";
        let rows = tx.query(take, values![key.organisation, key.project, holder, lasts_ms]).await?;
        tx.commit().await?;
        Ok(rows.first().map(|row| PeopleLease { key, fence: row.int(0), holder: holder.to_owned() }))
    }

    /// Ends the holds on people of processes that are known to be dead.
    pub async fn void_people_holds(&self, is_dead: impl Fn(&str) -> bool) -> Result<(), Error> {
        let select = "SELECT DISTINCT holder FROM people_lease WHERE holder IS NOT NULL";
        let holders = self.database.query(select, Vec::new()).await?;
        let dead: Vec<String> = holders.iter().map(|row| row.text(0)).filter(|holder| is_dead(holder)).collect();
        for holder in dead {
            let mut tx = self.begin(Durability::Full).await?;
            let update = "UPDATE people_lease SET holder = NULL, lease_until = NULL WHERE holder = $1";
            tx.execute(update, values![holder]).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Makes the hold last from now. Fails with [`Error::Fenced`] when another has it.
    pub async fn renew_people(&self, lease: &PeopleLease, lasts_ms: i64) -> Result<(), Error> {
        self.touch(
            lease,
            "UPDATE people_lease SET lease_until = {now} + $5 WHERE organisation = $1 AND project = $2 \
            AND fence = $3 AND holder = $4",
            vec![lasts_ms.into()],
        )
        .await
    }

    /// Gives the hold back.
    pub async fn leave_people(&self, lease: &PeopleLease) -> Result<(), Error> {
        self.touch(
            lease,
            "UPDATE people_lease SET holder = NULL, lease_until = NULL WHERE organisation = $1 \
            AND project = $2 AND fence = $3 AND holder = $4",
            Vec::new(),
        )
        .await
    }

    async fn touch(&self, lease: &PeopleLease, update: &'static str, more: Vec<Value>) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let mut values = values![lease.key.organisation, lease.key.project, lease.fence, lease.holder.as_str()];
        values.extend(more);
        if tx.execute(update, values).await? != 1 {
            return Err(Error::Fenced);
        }
        tx.commit().await
    }

    /// Begins a transaction of who holds the people. Fails with [`Error::Fenced`] when another has them.
    pub async fn write_people(&self, lease: &PeopleLease) -> Result<PeopleTx<'_>, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let select = "SELECT fence FROM people_lease WHERE organisation = $1 AND project = $2 AND fence = $3 \
            AND holder = $4 {share}";
        let values = values![lease.key.organisation, lease.key.project, lease.fence, lease.holder.as_str()];
        if tx.query(select, values).await?.is_empty() {
            return Err(Error::Fenced);
        }
        Ok(PeopleTx { tx, key: lease.key })
    }

    /// The directories of a project.
    pub async fn directories(&self, key: ProjectKey) -> Result<Vec<DirectoryRow>, Error> {
        let select = "SELECT directory, name, cursor, read_at, whole_at, scope, gone_accepted_at, as_of FROM directory \
            WHERE organisation = $1 AND project = $2 ORDER BY directory";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        Ok(rows.iter().map(directory_row).collect())
    }

    /// The entries of a directory that are there; with those that are gone, if asked.
    pub async fn directory_entries(
        &self,
        key: ProjectKey,
        directory: i64,
        with_gone: bool,
    ) -> Result<Vec<EntryRow>, Error> {
        let select = "SELECT entry_key, entry, first_at, changed_at, gone_at FROM directory_entry \
            WHERE organisation = $1 AND project = $2 AND directory = $3 AND (gone_at IS NULL OR $4 = 1) ORDER BY entry_key";
        let values = values![key.organisation, key.project, directory, with_gone];
        let rows = self.database.query(select, values).await?;
        let row = |row: &Row| EntryRow {
            key: row.text(0),
            entry: row.text(1),
            first_at: row.int(2),
            changed_at: row.int(3),
            gone_at: row.int_or_null(4),
        };
        Ok(rows.iter().map(row).collect())
    }

    /// What a directory says that can't be read as an entry.
    pub async fn directory_faults(&self, key: ProjectKey, directory: i64) -> Result<Vec<FaultRow>, Error> {
        let select = "SELECT place, entry_key, what FROM directory_fault \
            WHERE organisation = $1 AND project = $2 AND directory = $3 ORDER BY place";
        let rows = self.database.query(select, values![key.organisation, key.project, directory]).await?;
        Ok(rows
            .iter()
            .map(|row| FaultRow { place: row.text(0), key: row.text_or_null(1), what: row.text(2) })
            .collect())
    }
}

fn directory_row(row: &Row) -> DirectoryRow {
    DirectoryRow {
        directory: row.int(0),
        name: row.text(1),
        cursor: row.blob_or_null(2).map(<[u8]>::to_vec),
        read_at: row.int_or_null(3),
        whole_at: row.int_or_null(4),
        scope: row.blob_or_null(5).and_then(Digest::from_bytes),
        gone_accepted_at: row.int_or_null(6),
        as_of: row.int_or_null(7),
    }
}

impl PeopleTx<'_> {
    /// The directory of this name; made when it is not there.
    pub async fn directory(&mut self, name: &str, role: DirectoryRole) -> Result<DirectoryRow, Error> {
        let key = self.key;
        let make = "INSERT INTO directory (organisation, project, directory, name, role, reading) \
            SELECT $1, $2, coalesce(max(directory), 0) + 1, $3, $4, 0 FROM directory \
            WHERE organisation = $1 AND project = $2 \
            HAVING NOT EXISTS (SELECT 1 FROM directory WHERE organisation = $1 AND project = $2 AND name = $3)";
        self.tx.execute(make, values![key.organisation, key.project, name, role.name()]).await?;
        let select = "SELECT directory, name, cursor, read_at, whole_at, scope, gone_accepted_at, as_of FROM directory \
            WHERE organisation = $1 AND project = $2 AND name = $3";
        let rows = self.tx.query(select, values![key.organisation, key.project, name]).await?;
        Ok(directory_row(&rows[0]))
    }

    /// Begins a reading of a directory; its number.
    pub async fn begin_reading(&mut self, directory: i64) -> Result<i64, Error> {
        let update = "UPDATE directory SET reading = reading + 1 WHERE organisation = $1 AND project = $2 \
            AND directory = $3 RETURNING reading";
        let rows = self.tx.query(update, values![self.key.organisation, self.key.project, directory]).await?;
        Ok(rows[0].int(0))
    }

    /// Keeps entries that a reading told.
    pub async fn put_entries(&mut self, directory: i64, reading: i64, entries: &[NewEntry]) -> Result<(), Error> {
        let now = self.now().await?;
        let row = |entry: &NewEntry| {
            values![
                self.key.organisation,
                self.key.project,
                directory,
                entry.key.as_str(),
                entry.kind.as_str(),
                Digest::of(entry.entry.as_bytes()).as_bytes().to_vec(),
                entry.entry.as_str(),
                reading,
                now,
                now,
            ]
        };
        let rows = entries.iter().map(row).collect();
        let insert = "INSERT INTO directory_entry (organisation, project, directory, entry_key, kind, digest, entry, reading, \
            first_at, changed_at) VALUES";
        let conflict = "ON CONFLICT (organisation, project, directory, entry_key) DO UPDATE SET \
            changed_at = CASE WHEN directory_entry.digest = excluded.digest AND directory_entry.gone_at IS NULL \
                THEN directory_entry.changed_at ELSE excluded.changed_at END, \
            kind = excluded.kind, digest = excluded.digest, entry = excluded.entry, reading = excluded.reading, gone_at = NULL";
        self.tx.insert_many(insert, conflict, rows).await?;
        let clear = "DELETE FROM directory_fault WHERE organisation = $1 AND project = $2 AND directory = $3 AND entry_key = $4";
        for entry in entries {
            self.tx
                .execute(clear, values![self.key.organisation, self.key.project, directory, entry.key.as_str()])
                .await?;
        }
        Ok(())
    }

    /// Entries that a reading told to be gone.
    pub async fn entries_gone(&mut self, directory: i64, keys: &[String]) -> Result<(), Error> {
        let update = "UPDATE directory_entry SET gone_at = {now}, changed_at = {now} WHERE organisation = $1 AND project = $2 \
            AND directory = $3 AND entry_key = $4 AND gone_at IS NULL";
        for key in keys {
            self.tx.execute(update, values![self.key.organisation, self.key.project, directory, key.as_str()]).await?;
        }
        Ok(())
    }

    /// Keeps what can't be read as an entry. An entry that was there before stays as it was.
    pub async fn put_faults(&mut self, directory: i64, reading: i64, faults: &[FaultRow]) -> Result<(), Error> {
        let row = |fault: &FaultRow| {
            let (key, what) = (fault.key.as_deref(), fault.what.as_str());
            values![self.key.organisation, self.key.project, directory, fault.place.as_str(), key, what, reading]
        };
        let rows = faults.iter().map(row).collect();
        let insert =
            "INSERT INTO directory_fault (organisation, project, directory, place, entry_key, what, reading) VALUES";
        let conflict = "ON CONFLICT (organisation, project, directory, place) DO UPDATE SET entry_key = excluded.entry_key, \
            what = excluded.what, reading = excluded.reading";
        self.tx.insert_many(insert, conflict, rows).await?;
        let keep = "UPDATE directory_entry SET reading = $5 WHERE organisation = $1 AND project = $2 AND directory = $3 \
            AND entry_key = $4";
        for key in faults.iter().filter_map(|fault| fault.key.as_deref()) {
            self.tx.execute(keep, values![self.key.organisation, self.key.project, directory, key, reading]).await?;
        }
        Ok(())
    }

    /// Ends a reading by this scope: it may be read on from this cursor, or only whole where there is none. After a whole one, what it did not tell is gone; how many those are.
    /// Nothing of it counts before the commit, so that who finds too many gone can leave it at that.
    pub async fn end_reading(
        &mut self,
        directory: i64,
        reading: i64,
        (cursor, scope): (Option<&[u8]>, Digest),
        is_whole: bool,
    ) -> Result<u64, Error> {
        let (organisation, project) = (self.key.organisation, self.key.project);
        let mut gone = 0;
        if is_whole {
            let update = "UPDATE directory_entry SET gone_at = {now}, changed_at = {now} WHERE organisation = $1 \
                AND project = $2 AND directory = $3 AND reading < $4 AND gone_at IS NULL";
            gone = self.tx.execute(update, values![organisation, project, directory, reading]).await?;
            let delete = "DELETE FROM directory_fault WHERE organisation = $1 AND project = $2 AND directory = $3 \
                AND reading < $4";
            self.tx.execute(delete, values![organisation, project, directory, reading]).await?;
        }
        let update = "UPDATE directory SET cursor = $4, read_at = {now}, \
            whole_at = CASE WHEN $5 = 1 THEN {now} ELSE whole_at END, scope = $6 \
            WHERE organisation = $1 AND project = $2 AND directory = $3";
        let (cursor, scope) = (cursor.map(<[u8]>::to_vec), scope.as_bytes().to_vec());
        self.tx.execute(update, values![organisation, project, directory, cursor, is_whole, scope]).await?;
        Ok(gone)
    }

    /// Records that a person took it that what is gone by now is gone.
    pub async fn accept_gone(&mut self, directory: i64) -> Result<(), Error> {
        let update =
            "UPDATE directory SET gone_accepted_at = {now} WHERE organisation = $1 AND project = $2 AND directory = $3";
        self.tx.execute(update, values![self.key.organisation, self.key.project, directory]).await.map(|_| ())
    }

    /// The database's clock.
    pub async fn now(&mut self) -> Result<i64, Error> {
        Ok(self.tx.query("SELECT {now}", Vec::new()).await?[0].int(0))
    }

    /// Makes it so.
    pub async fn commit(self) -> Result<(), Error> {
        self.tx.commit().await
    }
}
