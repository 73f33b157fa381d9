//! The record of a governed project: what happened in it, a row each, appended and never altered; its evidence, by digest.

use model::{Actor, Digest};

use crate::audit::append;
use crate::sql::{Alone, Durability, Row, values};
use crate::{Error, ProjectKey, Store};

/// A change of a project's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgrammeChange {
    /// Its number, from 1.
    pub seq: i64,
    /// When (milliseconds since 1970, on the database's clock).
    pub at: i64,
    /// Who.
    pub who: String,
    /// What, as JSON.
    pub change: String,
}

/// A project of the database, with its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GovernedProject {
    /// Which it is.
    pub key: ProjectKey,
    /// Code of its organisation.
    pub code: String,
    /// Name of its organisation.
    pub organisation: String,
    /// Its name.
    pub project: String,
    /// Everything that happened in it, in order.
    pub changes: Vec<ProgrammeChange>,
}

fn change(row: &Row, from: usize) -> ProgrammeChange {
    ProgrammeChange { seq: row.int(from), at: row.int(from + 1), who: row.text(from + 2), change: row.text(from + 3) }
}

impl Store {
    /// What happened in a project, in order.
    pub async fn programme_changes(&self, key: ProjectKey) -> Result<Vec<ProgrammeChange>, Error> {
        let select =
            "SELECT seq, at, who, change FROM programme_change WHERE organisation = $1 AND project = $2 ORDER BY seq";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        Ok(rows.iter().map(|row| change(row, 0)).collect())
    }

    /// What happened in every project of this database that has a record; of these organisations alone, where some are named by code.
    pub async fn governed_projects(&self, codes: Option<&[String]>) -> Result<Vec<GovernedProject>, Error> {
        let select = "SELECT c.organisation, c.project, o.code, o.name, p.name, c.seq, c.at, c.who, c.change \
            FROM programme_change c JOIN organisation o ON o.organisation = c.organisation \
            JOIN project p ON p.organisation = c.organisation AND p.project = c.project \
            ORDER BY c.organisation, c.project, c.seq";
        let mut projects: Vec<GovernedProject> = Vec::new();
        for row in self.database.query(select, Vec::new()).await? {
            let (key, code) = (ProjectKey { organisation: row.int(0), project: row.int(1) }, row.text(2));
            if codes.is_some_and(|codes| !codes.contains(&code)) {
                continue;
            }
            if projects.last().is_none_or(|last| last.key != key) {
                let (organisation, project) = (row.text(3), row.text(4));
                projects.push(GovernedProject { key, code, organisation, project, changes: Vec::new() });
            }
            if let Some(last) = projects.last_mut() {
                last.changes.push(change(&row, 5));
            }
        }
        Ok(projects)
    }

    /// Appends what happened to a project's record, with its lines in the audit log, all of it or nothing. `after` is the number of the last
    /// change that it was decided by: where there is a later one nothing is appended, and the answer is false.
    pub async fn append_programme(
        &self,
        key: ProjectKey,
        actor: &Actor,
        (after, at): (i64, i64),
        changes: &[String],
        audited: &[(&str, serde_json::Value)],
    ) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::Auditing).await?;
        let last = "SELECT coalesce(max(seq), 0) FROM programme_change WHERE organisation = $1 AND project = $2";
        let last = tx.query(last, values![key.organisation, key.project]).await?[0].int(0);
        if last != after {
            return Ok(false);
        }
        let insert = "INSERT INTO programme_change (organisation, project, seq, at, who, change) VALUES ($1, $2, $3, $4, $5, $6)";
        for (seq, change) in (after + 1..).zip(changes) {
            let who = actor.name.as_str();
            tx.execute(insert, values![key.organisation, key.project, seq, at, who, change.as_str()]).await?;
        }
        for (action, detail) in audited {
            append(&mut tx, key, actor, action, detail).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Keeps a piece of evidence, once whoever names it.
    pub async fn keep_evidence(&self, key: ProjectKey, digest: Digest, bytes: &[u8]) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let insert = "INSERT INTO programme_evidence (organisation, project, digest, bytes, kept_at) \
            VALUES ($1, $2, $3, $4, {now}) ON CONFLICT DO NOTHING";
        tx.execute(insert, values![key.organisation, key.project, digest.as_bytes().to_vec(), bytes.to_vec()]).await?;
        tx.commit().await
    }

    /// A piece of evidence.
    pub async fn evidence(&self, key: ProjectKey, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        let select = "SELECT bytes FROM programme_evidence WHERE organisation = $1 AND project = $2 AND digest = $3";
        let rows =
            self.database.query(select, values![key.organisation, key.project, digest.as_bytes().to_vec()]).await?;
        Ok(rows.first().map(|row| row.blob(0).to_vec()))
    }
}
