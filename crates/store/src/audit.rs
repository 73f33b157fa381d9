//! The audit log: who decided what, on what evidence. One per organisation, append-only, each row chained to the one
//! before by its hash, so that a row changed or taken out later is found.

use model::{Actor, Digest};
use serde_json::json;

use crate::sql::{Alone, Durability, Tx, values};
use crate::{Error, ProjectKey, Store};

/// A row of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, from 1 without gaps.
    pub number: i64,
    /// When (milliseconds since 1970, database's clock).
    pub at: i64,
    /// Who, in which role, and how that was known.
    pub actor: String,
    /// The role.
    pub role: String,
    /// How it was known who it was.
    pub known_by: String,
    /// What was decided.
    pub action: String,
    /// The particulars, as JSON.
    pub detail: String,
}

/// The first row that is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditFault {
    /// Its number, or that of the row missing.
    pub number: i64,
}

struct Link<'a> {
    organisation: i64,
    project: Option<i64>,
    row: &'a AuditRow,
    previous: &'a [u8],
}

impl Link<'_> {
    fn hash(&self) -> Digest {
        let row = self.row;
        let text = json!([
            self.organisation,
            self.project,
            row.number,
            row.at,
            row.actor,
            row.role,
            row.known_by,
            row.action,
            row.detail
        ]);
        Digest::of(&[self.previous, text.to_string().as_bytes()].concat())
    }
}

/// Appends a decision within a transaction that is alone at it.
pub(crate) async fn append(
    tx: &mut Tx<'_>,
    key: ProjectKey,
    actor: &Actor,
    action: &str,
    detail: &serde_json::Value,
) -> Result<i64, Error> {
    let last = "SELECT number, hash FROM audit WHERE organisation = $1 ORDER BY number DESC LIMIT 1";
    let last = tx.query(last, values![key.organisation]).await?;
    let previous = last.first().map(|row| row.blob(1).to_vec()).unwrap_or_default();
    let row = AuditRow {
        number: last.first().map_or(1, |row| row.int(0) + 1),
        at: tx.query("SELECT {now}", Vec::new()).await?[0].int(0),
        actor: actor.name.clone(),
        role: actor.role.name().to_owned(),
        known_by: actor.known_by.clone(),
        action: action.to_owned(),
        detail: detail.to_string(),
    };
    let link = Link { organisation: key.organisation, project: Some(key.project), row: &row, previous: &previous };
    let hash = link.hash().as_bytes().to_vec();
    let insert = "INSERT INTO audit (organisation, number, project, at, actor, role, known_by, action, detail, hash) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let number = row.number;
    let values = values![
        key.organisation,
        number,
        key.project,
        row.at,
        row.actor,
        row.role,
        row.known_by,
        row.action,
        row.detail,
        hash
    ];
    tx.execute(insert, values).await?;
    Ok(number)
}

impl Store {
    /// Appends a decision. On the disk for good when this returns.
    pub async fn audit(
        &self,
        key: ProjectKey,
        actor: &Actor,
        action: &str,
        detail: &serde_json::Value,
    ) -> Result<i64, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::Auditing).await?;
        let number = append(&mut tx, key, actor, action, detail).await?;
        tx.commit().await?;
        Ok(number)
    }

    /// The audit log of an organisation, and the first row that is not as it was written.
    pub async fn audit_log(&self, key: ProjectKey) -> Result<(Vec<AuditRow>, Option<AuditFault>), Error> {
        let select = "SELECT number, project, at, actor, role, known_by, action, detail, hash FROM audit \
            WHERE organisation = $1 ORDER BY number";
        let (mut log, mut fault, mut previous) = (Vec::new(), None, Vec::new());
        for (index, row) in self.database.query(select, values![key.organisation]).await?.iter().enumerate() {
            let read = AuditRow {
                number: row.int(0),
                at: row.int(2),
                actor: row.text(3),
                role: row.text(4),
                known_by: row.text(5),
                action: row.text(6),
                detail: row.text(7),
            };
            let expected = index as i64 + 1;
            let link =
                Link { organisation: key.organisation, project: row.int_or_null(1), row: &read, previous: &previous };
            let is_whole = read.number == expected && link.hash().as_bytes() == row.blob(8);
            if !is_whole && fault.is_none() {
                fault = Some(AuditFault { number: expected });
            }
            previous = row.blob(8).to_vec();
            log.push(read);
        }
        Ok((log, fault))
    }
}
