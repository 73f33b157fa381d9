//! Plans, their changes, and the accounts made by them.

use model::Digest;

use crate::people::PeopleTx;
use crate::sql::{Alone, Durability, Row, values};
use crate::{Error, ProjectKey, Store};

/// A plan: what is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRow {
    /// Its number; given by the database.
    pub plan: i64,
    /// Of all its changes.
    pub digest: Digest,
    /// What it comes to, as JSON.
    pub summary: String,
    /// Who drafted it.
    pub made_by: String,
    /// When (milliseconds since 1970); given by the database.
    pub made_at: i64,
    /// Who approved it, and when.
    pub approved: Option<(String, i64)>,
    /// When it was carried out, withdrawn, or put aside.
    pub ended_at: Option<i64>,
    /// Who withdrew it.
    pub withdrawn_by: Option<String>,
}

/// A change of a plan that is drafted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewChange {
    /// The directory of the object it is for.
    pub directory: String,
    /// The object's key there.
    pub key: String,
    /// What is to be done, as JSON.
    pub what: String,
    /// What the object was then.
    pub facts: Digest,
}

/// How far a change has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeState {
    /// Not begun.
    Todo,
    /// Begun; after a sudden end nobody knows whether it was made.
    Doing,
    /// It is so.
    Done,
    /// Handed over; the answer comes later.
    Submitted,
    /// The platform refused it.
    Refused,
    /// What is there is not what it was when the plan was drafted.
    Conflict,
}

impl ChangeState {
    const EVERY: [Self; 6] = [Self::Todo, Self::Doing, Self::Done, Self::Submitted, Self::Refused, Self::Conflict];

    /// The state's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::Doing => "doing",
            Self::Done => "done",
            Self::Submitted => "submitted",
            Self::Refused => "refused",
            Self::Conflict => "conflict",
        }
    }
}

/// A change of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRow {
    /// Its number in the plan.
    pub change: i64,
    /// The directory of the object it is for.
    pub directory: String,
    /// The object's key there.
    pub key: String,
    /// What is to be done, as JSON.
    pub what: String,
    /// What the object was when it was drafted.
    pub facts: Digest,
    /// How far it has come.
    pub state: ChangeState,
    /// The platform's key, where known.
    pub account: Option<String>,
    /// What was said about it.
    pub said: Option<String>,
    /// What its person first logs in with, encrypted; until it is made.
    pub secret: Option<Vec<u8>>,
    /// When it came so far (milliseconds since 1970); none: it was never begun.
    pub at: Option<i64>,
}

/// An account that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeAccount {
    /// The directory of the object it was made for.
    pub directory: String,
    /// The object's key there.
    pub key: String,
    /// The platform's key.
    pub account: String,
    /// The name of its kind.
    pub kind: String,
    /// What its person first logs in with, encrypted.
    pub password: Option<Vec<u8>>,
}

/// An account that was made, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// What was made.
    pub made: MadeAccount,
    /// When (milliseconds since 1970).
    pub made_at: i64,
    /// When its details were handed over.
    pub handed_over_at: Option<i64>,
    /// Why it may be live without a forwarder, and who said so.
    pub exemption: Option<String>,
    /// Since when it is live.
    pub live_at: Option<i64>,
}

impl Store {
    /// Drafts a plan; those that were drafted before and not approved are put aside.
    pub async fn add_plan(
        &self,
        key: ProjectKey,
        digest: Digest,
        summary: &str,
        made_by: &str,
        changes: &[NewChange],
    ) -> Result<i64, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::People).await?;
        let aside = "UPDATE people_plan SET ended_at = {now} WHERE organisation = $1 AND project = $2 \
            AND approved_at IS NULL AND ended_at IS NULL";
        tx.execute(aside, values![key.organisation, key.project]).await?;
        let insert = "INSERT INTO people_plan (organisation, project, plan, digest, summary, made_by, made_at) \
            SELECT $1, $2, coalesce(max(plan), 0) + 1, $3, $4, $5, {now} FROM people_plan \
            WHERE organisation = $1 AND project = $2 RETURNING plan";
        let row = values![key.organisation, key.project, digest.as_bytes().to_vec(), summary, made_by];
        let plan = tx.query(insert, row).await?[0].int(0);
        let row = |(index, change): (usize, &NewChange)| {
            let (directory, entry_key, what) = (change.directory.as_str(), change.key.as_str(), change.what.as_str());
            let facts = change.facts.as_bytes().to_vec();
            values![key.organisation, key.project, plan, index as i64 + 1, directory, entry_key, what, facts, "todo"]
        };
        let insert = "INSERT INTO people_change (organisation, project, plan, change, directory, entry_key, what, facts, state) VALUES";
        tx.insert_many(insert, "", changes.iter().enumerate().map(row).collect()).await?;
        tx.commit().await?;
        Ok(plan)
    }

    /// The plans of a project, the oldest first.
    pub async fn plans(&self, key: ProjectKey) -> Result<Vec<PlanRow>, Error> {
        let select = "SELECT plan, digest, summary, made_by, made_at, approved_by, approved_at, ended_at, withdrawn_by \
            FROM people_plan \
            WHERE organisation = $1 AND project = $2 ORDER BY plan";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let row = |row: &Row| {
            Ok(PlanRow {
                plan: row.int(0),
                digest: Digest::from_bytes(row.blob(1)).ok_or_else(|| Error::damaged("a plan's digest"))?,
                summary: row.text(2),
                made_by: row.text(3),
                made_at: row.int(4),
                approved: row.text_or_null(5).map(|by| (by, row.int(6))),
                ended_at: row.int_or_null(7),
                withdrawn_by: row.text_or_null(8),
            })
        };
        rows.iter().map(row).collect()
    }

    /// Records that a plan is approved as it stands. False: there is no such draft, or another is approved and not carried out.
    pub async fn approve_plan(&self, key: ProjectKey, plan: i64, digest: Digest, by: &str) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::People).await?;
        let update = "UPDATE people_plan SET approved_by = $5, approved_at = {now} WHERE organisation = $1 AND project = $2 \
            AND plan = $3 AND digest = $4 AND approved_at IS NULL AND ended_at IS NULL \
            AND NOT EXISTS (SELECT 1 FROM people_plan o WHERE o.organisation = $1 AND o.project = $2 \
                AND o.approved_at IS NOT NULL AND o.ended_at IS NULL)";
        let row = values![key.organisation, key.project, plan, digest.as_bytes().to_vec(), by];
        let touched = tx.execute(update, row).await?;
        tx.commit().await?;
        Ok(touched == 1)
    }

    /// Withdraws a plan that is not carried out to its end. False: there is no such plan.
    pub async fn withdraw_plan(&self, key: ProjectKey, plan: i64, by: &str) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::People).await?;
        let update = "UPDATE people_plan SET ended_at = {now}, withdrawn_by = $4 WHERE organisation = $1 AND project = $2 \
            AND plan = $3 AND ended_at IS NULL";
        let touched = tx.execute(update, values![key.organisation, key.project, plan, by]).await?;
        tx.commit().await?;
        Ok(touched == 1)
    }

    /// The changes of a plan, in their order.
    pub async fn changes(&self, key: ProjectKey, plan: i64) -> Result<Vec<ChangeRow>, Error> {
        let select = "SELECT change, directory, entry_key, what, facts, state, account, said, secret, at FROM people_change \
            WHERE organisation = $1 AND project = $2 AND plan = $3 ORDER BY change";
        let rows = self.database.query(select, values![key.organisation, key.project, plan]).await?;
        let row = |row: &Row| {
            let name = row.text(5);
            let state = ChangeState::EVERY.into_iter().find(|state| state.name() == name);
            Ok(ChangeRow {
                change: row.int(0),
                directory: row.text(1),
                key: row.text(2),
                what: row.text(3),
                facts: Digest::from_bytes(row.blob(4)).ok_or_else(|| Error::damaged("a change's facts"))?,
                state: state.ok_or_else(|| Error::damaged("a change's state"))?,
                account: row.text_or_null(6),
                said: row.text_or_null(7),
                secret: row.blob_or_null(8).map(<[u8]>::to_vec),
                at: row.int_or_null(9),
            })
        };
        rows.iter().map(row).collect()
    }

    /// The accounts that were made, in the order of their objects.
    pub async fn accounts_made(&self, key: ProjectKey) -> Result<Vec<AccountRow>, Error> {
        let select = "SELECT directory, entry_key, account, kind, password, made_at, handed_over_at, exemption, live_at \
            FROM people_account WHERE organisation = $1 AND project = $2 ORDER BY directory, entry_key";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let row = |row: &Row| AccountRow {
            made: MadeAccount {
                directory: row.text(0),
                key: row.text(1),
                account: row.text(2),
                kind: row.text(3),
                password: row.blob_or_null(4).map(<[u8]>::to_vec),
            },
            made_at: row.int(5),
            handed_over_at: row.int_or_null(6),
            exemption: row.text_or_null(7),
            live_at: row.int_or_null(8),
        };
        Ok(rows.iter().map(row).collect())
    }

    /// How many accounts of these kinds the organisation made, in all its projects.
    pub async fn accounts_of_kinds(&self, key: ProjectKey, kinds: [&str; 2]) -> Result<u64, Error> {
        let select = "SELECT count(*) FROM (SELECT DISTINCT account FROM people_account WHERE organisation = $1 \
            AND kind IN ($2, $3)) AS accounts";
        let rows = self.database.query(select, values![key.organisation, kinds[0], kinds[1]]).await?;
        Ok(rows[0].int(0).unsigned_abs())
    }
}

impl PeopleTx<'_> {
    /// Records how far changes of a plan have come: each with its account and what was said, where there is any.
    pub async fn set_changes(
        &mut self,
        plan: i64,
        changes: &[(i64, ChangeState, Option<String>, Option<String>)],
    ) -> Result<(), Error> {
        let update = "UPDATE people_change SET state = $5, account = coalesce($6, account), said = $7, at = {now} \
            WHERE organisation = $1 AND project = $2 AND plan = $3 AND change = $4";
        for (change, state, account, said) in changes {
            let row = values![
                self.key.organisation,
                self.key.project,
                plan,
                *change,
                state.name(),
                account.as_deref(),
                said.as_deref()
            ];
            self.tx.execute(update, row).await?;
        }
        Ok(())
    }

    /// Records accounts that a plan made. One that is known stays as it is; another one for the same object, or of another
    /// object with the same key, is gone, and takes its record with it.
    pub async fn add_accounts(&mut self, plan: i64, accounts: &[MadeAccount]) -> Result<(), Error> {
        let now = self.now().await?;
        let row = |made: &MadeAccount| {
            let (directory, key, account) = (made.directory.as_str(), made.key.as_str(), made.account.as_str());
            let password = made.password.clone();
            let kind = made.kind.as_str();
            values![self.key.organisation, self.key.project, directory, key, account, kind, plan, now, password]
        };
        let rows = accounts.iter().map(row).collect();
        let clear = "DELETE FROM people_account WHERE organisation = $1 AND project = $2 AND account = $3 \
            AND NOT (directory = $4 AND entry_key = $5)";
        for made in accounts {
            let (directory, key, account) = (made.directory.as_str(), made.key.as_str(), made.account.as_str());
            let row = values![self.key.organisation, self.key.project, account, directory, key];
            self.tx.execute(clear, row).await?;
        }
        let insert = "INSERT INTO people_account (organisation, project, directory, entry_key, account, kind, plan, made_at, \
            password) VALUES";
        let conflict = "ON CONFLICT (organisation, project, directory, entry_key) DO UPDATE SET account = excluded.account, \
            kind = excluded.kind, plan = excluded.plan, made_at = excluded.made_at, password = excluded.password, \
            handed_over_at = NULL, exemption = NULL, live_at = NULL WHERE people_account.account <> excluded.account";
        self.tx.insert_many(insert, conflict, rows).await
    }

    /// Changes are begun: from now on nobody knows whether they were made, until their outcome is recorded. A secret that was
    /// kept before stays.
    pub async fn begin_changes(&mut self, plan: i64, changes: &[(i64, Option<Vec<u8>>)]) -> Result<(), Error> {
        let update = "UPDATE people_change SET state = 'doing', secret = coalesce(secret, $5), at = {now} \
            WHERE organisation = $1 AND project = $2 AND plan = $3 AND change = $4";
        for (change, secret) in changes {
            let row = values![self.key.organisation, self.key.project, plan, *change, secret.clone()];
            self.tx.execute(update, row).await?;
        }
        Ok(())
    }

    /// Secrets of changes that were made are kept with the accounts, and nowhere else; those of changes that are not made, nowhere.
    pub async fn drop_secrets(&mut self, plan: i64) -> Result<(), Error> {
        let update = "UPDATE people_change SET secret = NULL WHERE organisation = $1 AND project = $2 AND plan = $3 \
            AND state IN ('done', 'refused', 'conflict')";
        self.tx.execute(update, values![self.key.organisation, self.key.project, plan]).await.map(|_| ())
    }

    /// Records why an account may be live without a forwarder, and who said so.
    pub async fn exempt(&mut self, directory: &str, key: &str, exemption: &str) -> Result<(), Error> {
        let update = "UPDATE people_account SET exemption = $5 \
            WHERE organisation = $1 AND project = $2 AND directory = $3 AND entry_key = $4";
        let row = values![self.key.organisation, self.key.project, directory, key, exemption];
        self.tx.execute(update, row).await.map(|_| ())
    }

    /// Records that an account is live.
    pub async fn set_live(&mut self, directory: &str, key: &str) -> Result<(), Error> {
        let update = "UPDATE people_account SET live_at = coalesce(live_at, {now}) \
            WHERE organisation = $1 AND project = $2 AND directory = $3 AND entry_key = $4";
        let row = values![self.key.organisation, self.key.project, directory, key];
        self.tx.execute(update, row).await.map(|_| ())
    }

    /// Records that the details of an account were handed over; what its person first logs in with is forgotten.
    pub async fn handed_over(&mut self, directory: &str, key: &str) -> Result<(), Error> {
        let update = "UPDATE people_account SET handed_over_at = {now}, password = NULL \
            WHERE organisation = $1 AND project = $2 AND directory = $3 AND entry_key = $4";
        let row = values![self.key.organisation, self.key.project, directory, key];
        self.tx.execute(update, row).await.map(|_| ())
    }

    /// A plan is carried out, or put aside.
    pub async fn end_plan(&mut self, plan: i64) -> Result<(), Error> {
        let update = "UPDATE people_plan SET ended_at = {now} WHERE organisation = $1 AND project = $2 AND plan = $3 \
            AND ended_at IS NULL";
        self.tx.execute(update, values![self.key.organisation, self.key.project, plan]).await.map(|_| ())
    }
}
