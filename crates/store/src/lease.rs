//! Leases: who works on a mailbox, until when, and how a dead worker's hold ends.
//!
//! The mailbox's row is the job. A worker claims a due row with one statement and holds it by a lease with a fence, a
//! number that grows with every claim. Ends of leases are told by the database's clock. A successor waits the margin
//! beyond the end, in which the predecessor's last bytes can still arrive.

use crate::project::{concat_columns, mailbox_row};
use crate::sql::{Durability, values};
use crate::{Error, MailboxRow, MailboxState, ProjectKey, Store};

/// How long leases run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTerms {
    /// Milliseconds a claim or renewal lasts.
    pub lasts_ms: i64,
    /// Milliseconds beyond its end that a successor waits.
    pub margin_ms: i64,
}

/// A hold on a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The project.
    pub key: ProjectKey,
    /// The mailbox.
    pub mailbox: i64,
    /// The number of this claim.
    pub fence: i64,
    /// Who holds it.
    pub holder: String,
}

impl Store {
    /// Marks mailboxes of the roster as due now. How many there are.
    pub async fn mark_due(&self, key: ProjectKey, mailboxes: &[i64]) -> Result<u64, Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        let update = if tx.is_postgres() {
            "UPDATE mailbox SET due_at = {now} WHERE organisation = $1 AND project = $2 AND listed = 1 \
             AND mailbox IN (SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST($3 AS JSON)))"
        } else {
            "UPDATE mailbox SET due_at = {now} WHERE organisation = $1 AND project = $2 AND listed = 1 \
             AND mailbox IN (SELECT value FROM json_each($3))"
        };
        let marked = tx.execute(update, values![key.organisation, key.project, list(mailboxes)]).await?;
        tx.commit().await?;
        Ok(marked)
    }

    /// Claims the mailbox that has been due longest among these, if one is free: one statement, so two workers never get
    /// the same.
    pub async fn claim(
        &self,
        key: ProjectKey,
        among: &[i64],
        holder: &str,
        terms: LeaseTerms,
    ) -> Result<Option<(Lease, MailboxRow)>, Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        let update = if tx.is_postgres() {
            concat_columns!(
                "UPDATE mailbox SET holder = $3, fence = fence + 1, lease_until = {now} + $4 \
                 WHERE (organisation, project, mailbox) IN (\
                     SELECT organisation, project, mailbox FROM mailbox \
                     WHERE organisation = $1 AND project = $2 AND due_at <= {now} AND listed = 1 \
                     AND (lease_until IS NULL OR lease_until + $5 < {now}) \
                     AND mailbox IN (SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST($6 AS JSON))) \
                     ORDER BY due_at, mailbox LIMIT 1 {skip}) \
                 RETURNING fence, ",
                ""
            )
        } else {
            concat_columns!(
                "UPDATE mailbox SET holder = $3, fence = fence + 1, lease_until = {now} + $4 \
                 WHERE organisation = $1 AND project = $2 AND mailbox = (\
                     SELECT mailbox FROM mailbox \
                     WHERE organisation = $1 AND project = $2 AND due_at <= {now} AND listed = 1 \
                     AND (lease_until IS NULL OR lease_until + $5 < {now}) \
                     AND mailbox IN (SELECT value FROM json_each($6)) \
                     ORDER BY due_at, mailbox LIMIT 1) \
                 RETURNING fence, ",
                ""
            )
        };
        let values = values![key.organisation, key.project, holder, terms.lasts_ms, terms.margin_ms, list(among)];
        let rows = tx.query(update, values).await?;
        tx.commit().await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let fence = row.int(0);
        let mailbox = mailbox_row(&row.without_first())?;
        Ok(Some((Lease { key, mailbox: mailbox.mailbox, fence, holder: holder.to_owned() }, mailbox)))
    }

    /// Of these mailboxes, those that another worker holds and those that are due and free.
    pub async fn held_and_due(
        &self,
        key: ProjectKey,
        among: &[i64],
        holder: &str,
        terms: LeaseTerms,
    ) -> Result<(Vec<i64>, Vec<i64>), Error> {
        let select = "SELECT mailbox, CASE WHEN lease_until + $3 >= {now} AND holder <> $4 THEN 1 ELSE 0 END, \
             CASE WHEN due_at <= {now} THEN 1 ELSE 0 END \
             FROM mailbox WHERE organisation = $1 AND project = $2 AND listed = 1";
        let values = values![key.organisation, key.project, terms.margin_ms, holder];
        let (mut held, mut due) = (Vec::new(), Vec::new());
        for row in self.database.query(select, values).await? {
            if among.contains(&row.int(0)) {
                match (row.bool(1), row.bool(2)) {
                    (true, _) => held.push(row.int(0)),
                    (false, true) => due.push(row.int(0)),
                    (false, false) => {}
                }
            }
        }
        Ok((held, due))
    }

    /// Makes a lease last from now. Fails with [`Error::Fenced`] when it is not held any more.
    pub async fn renew(&self, lease: &Lease, terms: LeaseTerms) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        let update = "UPDATE mailbox SET lease_until = {now} + $6 WHERE organisation = $1 AND project = $2 \
             AND mailbox = $3 AND fence = $4 AND holder = $5";
        let touched = tx
            .execute(
                update,
                values![
                    lease.key.organisation,
                    lease.key.project,
                    lease.mailbox,
                    lease.fence,
                    lease.holder.as_str(),
                    terms.lasts_ms,
                ],
            )
            .await?;
        if touched != 1 {
            return Err(Error::Fenced);
        }
        tx.commit().await
    }

    /// Gives a mailbox back, with where it stands now; it is due again at `due_at`, or not at all.
    pub async fn release(&self, lease: &Lease, state: &MailboxState, due_at: Option<i64>) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        set_state(&mut tx, lease, state).await?;
        let update = "UPDATE mailbox SET holder = NULL, lease_until = NULL, due_at = $6 WHERE organisation = $1 \
             AND project = $2 AND mailbox = $3 AND fence = $4 AND holder = $5";
        let values = values![
            lease.key.organisation,
            lease.key.project,
            lease.mailbox,
            lease.fence,
            lease.holder.as_str(),
            due_at
        ];
        if tx.execute(update, values).await? != 1 {
            return Err(Error::Fenced);
        }
        tx.commit().await
    }

    /// Ends the leases of holders that are known to be dead. How many mailboxes became free.
    pub async fn void_leases(&self, is_dead: impl Fn(&str) -> bool) -> Result<u64, Error> {
        let select = "SELECT DISTINCT holder FROM mailbox WHERE holder IS NOT NULL";
        let holders = self.database.query(select, Vec::new()).await?;
        let dead: Vec<String> = holders.iter().map(|row| row.text(0)).filter(|holder| is_dead(holder)).collect();
        if dead.is_empty() {
            return Ok(0);
        }
        let mut tx = self.begin(Durability::Relaxed).await?;
        let mut freed = 0;
        for holder in dead {
            let update = "UPDATE mailbox SET holder = NULL, lease_until = NULL WHERE holder = $1";
            freed += tx.execute(update, values![holder]).await?;
        }
        tx.commit().await?;
        Ok(freed)
    }
}

pub(crate) async fn set_state(tx: &mut crate::sql::Tx<'_>, lease: &Lease, state: &MailboxState) -> Result<(), Error> {
    let update = "UPDATE mailbox SET since = CASE WHEN phase = $6 AND condition = $7 THEN since ELSE {now} END, \
         phase = $6, condition = $7, reason = $8, cause = $9, side = $10 \
         WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND fence = $4 AND holder = $5";
    let side = state.cause.and_then(|(_, side)| side).map(|side| side.to_string());
    let values = values![
        lease.key.organisation,
        lease.key.project,
        lease.mailbox,
        lease.fence,
        lease.holder.as_str(),
        state.phase.name(),
        state.condition.name(),
        state.condition.reason(),
        state.cause.map(|(cause, _)| cause.code()),
        side,
    ];
    if tx.execute(update, values).await? == 1 { Ok(()) } else { Err(Error::Fenced) }
}

fn list(numbers: &[i64]) -> String {
    serde_json::Value::from(numbers).to_string()
}
