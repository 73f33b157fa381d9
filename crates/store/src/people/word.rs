//! Decisions and sign-offs.

use model::Digest;

use crate::sql::{Alone, Durability, Row, Tx, values};
use crate::{Error, ProjectKey, Store};

/// A decision about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordRow {
    /// The directory of the object.
    pub directory: String,
    /// Its key there.
    pub key: String,
    /// What was decided, as JSON.
    pub what: String,
    /// On what evidence.
    pub evidence: String,
    /// Who decided.
    pub said_by: String,
    /// When (milliseconds since 1970); given by the database.
    pub at: i64,
}

/// A row of a list as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRow {
    /// The directory of the object.
    pub directory: String,
    /// Its key there.
    pub key: String,
    /// What it and its account were.
    pub facts: Digest,
}

/// A list that somebody signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignoffRow {
    /// Its number.
    pub signoff: i64,
    /// Which list.
    pub list: String,
    /// Of all its rows.
    pub digest: Digest,
    /// Who signed.
    pub signed_by: String,
    /// Where the signature is to be found.
    pub evidence: String,
    /// Who recorded it.
    pub recorded_by: String,
    /// When; given by the database.
    pub at: i64,
}

fn digest(row: &Row, column: usize) -> Result<Digest, Error> {
    Digest::from_bytes(row.blob(column)).ok_or_else(|| Error::damaged("a digest of people"))
}

/// Adds a decision, in a transaction that numbers decisions alone.
pub(super) async fn insert_word(tx: &mut Tx<'_>, key: ProjectKey, word: &WordRow) -> Result<(), Error> {
    let insert = "INSERT INTO people_word (organisation, project, word, directory, entry_key, what, evidence, said_by, at) \
        SELECT $1, $2, coalesce(max(word), 0) + 1, $3, $4, $5, $6, $7, {now} FROM people_word \
        WHERE organisation = $1 AND project = $2";
    let WordRow { directory, key: entry_key, what, evidence, said_by, .. } = word;
    let row = values![
        key.organisation,
        key.project,
        directory.as_str(),
        entry_key.as_str(),
        what.as_str(),
        evidence.as_str(),
        said_by.as_str()
    ];
    tx.execute(insert, row).await.map(|_| ())
}

impl Store {
    /// Adds a decision. On the disk for good when this returns.
    pub async fn add_word(&self, key: ProjectKey, word: &WordRow) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::People).await?;
        insert_word(&mut tx, key, word).await?;
        tx.commit().await
    }

    /// Every decision, in the order in which they were made.
    pub async fn words(&self, key: ProjectKey) -> Result<Vec<WordRow>, Error> {
        let select = "SELECT directory, entry_key, what, evidence, said_by, at FROM people_word \
            WHERE organisation = $1 AND project = $2 ORDER BY word";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let row = |row: &Row| WordRow {
            directory: row.text(0),
            key: row.text(1),
            what: row.text(2),
            evidence: row.text(3),
            said_by: row.text(4),
            at: row.int(5),
        };
        Ok(rows.iter().map(row).collect())
    }

    /// Records that somebody signed a list. On the disk for good when this returns.
    pub async fn add_signoff(&self, key: ProjectKey, signoff: &SignoffRow, rows: &[SignedRow]) -> Result<i64, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::People).await?;
        let insert = "INSERT INTO people_signoff (organisation, project, signoff, list, digest, signed_by, evidence, \
            recorded_by, at) SELECT $1, $2, coalesce(max(signoff), 0) + 1, $3, $4, $5, $6, $7, {now} FROM people_signoff \
            WHERE organisation = $1 AND project = $2 RETURNING signoff";
        let SignoffRow { list, digest, signed_by, evidence, recorded_by, .. } = signoff;
        let row = values![
            key.organisation,
            key.project,
            list.as_str(),
            digest.as_bytes().to_vec(),
            signed_by.as_str(),
            evidence.as_str(),
            recorded_by.as_str()
        ];
        let number = tx.query(insert, row).await?[0].int(0);
        let row = |row: &SignedRow| {
            let facts = row.facts.as_bytes().to_vec();
            values![key.organisation, key.project, number, row.directory.as_str(), row.key.as_str(), facts]
        };
        let insert = "INSERT INTO people_signed (organisation, project, signoff, directory, entry_key, facts) VALUES";
        tx.insert_many(insert, "", rows.iter().map(row).collect()).await?;
        tx.commit().await?;
        Ok(number)
    }

    /// The lists of this sort that were signed, the oldest first.
    pub async fn signoffs(&self, key: ProjectKey, list: &str) -> Result<Vec<SignoffRow>, Error> {
        let select = "SELECT signoff, list, digest, signed_by, evidence, recorded_by, at FROM people_signoff \
            WHERE organisation = $1 AND project = $2 AND list = $3 ORDER BY signoff";
        let rows = self.database.query(select, values![key.organisation, key.project, list]).await?;
        let row = |row: &Row| {
            Ok(SignoffRow {
                signoff: row.int(0),
                list: row.text(1),
                digest: digest(row, 2)?,
                signed_by: row.text(3),
                evidence: row.text(4),
                recorded_by: row.text(5),
                at: row.int(6),
            })
        };
        rows.iter().map(row).collect()
    }

    /// The rows that the last sign-off of each object of this sort of list was about.
    pub async fn signed_rows(&self, key: ProjectKey, list: &str) -> Result<Vec<SignedRow>, Error> {
        let select = "SELECT r.directory, r.entry_key, r.facts FROM people_signed r JOIN people_signoff s \
            ON s.organisation = r.organisation AND s.project = r.project AND s.signoff = r.signoff \
            WHERE r.organisation = $1 AND r.project = $2 AND s.list = $3 AND r.signoff = (\
                SELECT max(l.signoff) FROM people_signed l JOIN people_signoff o \
                ON o.organisation = l.organisation AND o.project = l.project AND o.signoff = l.signoff \
                WHERE l.organisation = r.organisation AND l.project = r.project AND o.list = s.list \
                AND l.directory = r.directory AND l.entry_key = r.entry_key) \
            ORDER BY r.directory, r.entry_key";
        let rows = self.database.query(select, values![key.organisation, key.project, list]).await?;
        rows.iter()
            .map(|row| Ok(SignedRow { directory: row.text(0), key: row.text(1), facts: digest(row, 2)? }))
            .collect()
    }
}
