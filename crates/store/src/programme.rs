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
    /// What was last known of it besides.
    pub facts: Option<FactsRow>,
    /// Everything that happened in it, in order.
    pub changes: Vec<ProgrammeChange>,
}

/// What was last known of a governed project besides its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactsRow {
    /// The profile that its record is read by, as `NAME@EDITION`.
    pub profile: String,
    /// When (milliseconds since 1970, on the database's clock).
    pub at: i64,
    /// What, as JSON.
    pub facts: String,
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

    /// The number of the last change of a project's record; 0 where there is none.
    pub async fn programme_end(&self, key: ProjectKey) -> Result<i64, Error> {
        let select = "SELECT coalesce(max(seq), 0) FROM programme_change WHERE organisation = $1 AND project = $2";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        Ok(rows[0].int(0))
    }

    /// What happened in every project of this database that has a record; of these organisations alone, where some are named by code.
    pub async fn governed_projects(&self, codes: Option<&[String]>) -> Result<Vec<GovernedProject>, Error> {
        let select = "SELECT c.organisation, c.project, o.code, o.name, p.name, f.profile, f.at, f.facts \
            FROM (SELECT DISTINCT organisation, project FROM programme_change) c \
            JOIN organisation o ON o.organisation = c.organisation \
            JOIN project p ON p.organisation = c.organisation AND p.project = c.project \
            LEFT JOIN programme_facts f ON f.organisation = c.organisation AND f.project = c.project \
            ORDER BY c.organisation, c.project";
        let project = |row: &Row| GovernedProject {
            key: ProjectKey { organisation: row.int(0), project: row.int(1) },
            code: row.text(2),
            organisation: row.text(3),
            project: row.text(4),
            facts: row.text_or_null(5).map(|profile| FactsRow {
                profile,
                at: row.int(6),
                facts: row.text_or_null(7).unwrap_or_default(),
            }),
            changes: Vec::new(),
        };
        let rows = self.database.query(select, Vec::new()).await?;
        let mut projects: Vec<GovernedProject> = rows.iter().map(project).collect();
        projects.retain(|project| codes.is_none_or(|codes| codes.contains(&project.code)));
        if let [one] = projects.as_mut_slice() {
            one.changes = self.programme_changes(one.key).await?;
            return Ok(projects);
        }
        let select = "SELECT organisation, project, seq, at, who, change FROM programme_change \
            ORDER BY organisation, project, seq";
        let mut place = 0;
        for row in self.database.query(select, Vec::new()).await? {
            let key = ProjectKey { organisation: row.int(0), project: row.int(1) };
            // Both are in the same order, and those that are not asked for are passed over.
            let order = |key: ProjectKey| (key.organisation, key.project);
            while projects.get(place).is_some_and(|project| order(project.key) < order(key)) {
                place += 1;
            }
            if let Some(project) = projects.get_mut(place).filter(|project| project.key == key) {
                project.changes.push(change(&row, 2));
            }
        }
        Ok(projects)
    }

    /// Keeps what is known of a governed project now besides its record, in place of what was known before.
    pub async fn keep_programme_facts(&self, key: ProjectKey, profile: &str, facts: &str) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        let upsert = "INSERT INTO programme_facts (organisation, project, profile, at, facts) \
            VALUES ($1, $2, $3, {now}, $4) ON CONFLICT (organisation, project) DO UPDATE SET \
            profile = excluded.profile, at = excluded.at, facts = excluded.facts";
        tx.execute(upsert, values![key.organisation, key.project, profile, facts]).await?;
        tx.commit().await
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
