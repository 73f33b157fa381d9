//! Leases: who works on a mailbox, until when, and how a dead worker's hold ends.
//!
//! The mailbox's row is the job. A worker claims a due row with one statement and holds it by a lease with a fence, a
//! number that grows with every claim. Ends of leases are told by the database's clock. A successor waits the margin
//! beyond the end, in which the predecessor's last bytes can still arrive.

use model::Phase;

use crate::project::{concat_columns, mailbox_row};
use crate::sql::{Durability, Row, Tx, values};
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
    /// When it was claimed (milliseconds since 1970, database's clock).
    pub at: i64,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'c> {
    /// Of these mailboxes; of all that are not withheld when nothing is said.
    pub among: Option<&'c [i64]>,
    /// Who asks.
    pub holder: &'c str,
    /// How long the lease is to run.
    pub terms: LeaseTerms,
    /// How many mailboxes may be open at these endpoints at once, by all workers together.
    pub room: &'c [(i64, u64)],
    /// Nothing is opened at these endpoints now, but for whoever is being switched or taken back.
    pub shut: &'c [i64],
    /// Only who is being switched or taken back.
    pub only_turning: bool,
    /// Only while the project is served as it was at this version; whatever it is, if none.
    pub version: Option<i64>,
}

/// What came of asking.
#[derive(Clone, Debug)]
pub enum Claimed {
    /// This one, with where it stands.
    Mailbox(Box<(Lease, MailboxRow)>),
    /// One is due and free, and its endpoints have as many open as they may.
    NoRoom,
    /// None is due and free.
    Nothing,
}

impl Claimed {
    /// The mailbox, if there is one.
    pub fn mailbox(self) -> Option<(Lease, MailboxRow)> {
        match self {
            Self::Mailbox(claimed) => Some(*claimed),
            Self::NoRoom | Self::Nothing => None,
        }
    }
}

/// When a mailbox is worked on again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// So many milliseconds after it is given back; sooner where somebody said meanwhile that it changed. None: when somebody
    /// says so.
    pub after_ms: Option<i64>,
    /// It failed: its tries are counted.
    pub failed: bool,
    /// It was stopped before anybody could tell: they are counted on.
    pub stopped: bool,
}

/// What pauses and hours close. A pause of all or of a collection, and hours, do not hold who is being switched or taken back: nobody stays in
/// between for that. One of an endpoint or of a mailbox does.
#[derive(Clone, Debug, Default)]
struct Closed {
    all: bool,
    mailboxes: Vec<i64>,
    endpoints: Vec<String>,
    collections: Vec<String>,
    /// The numbers of endpoints that are paused: nothing at all is done there.
    paused: Vec<i64>,
    /// Those that are out of their hours.
    shut: Vec<i64>,
}

impl Closed {
    fn of(scopes: impl Iterator<Item = String>) -> Self {
        let mut closed = Self::default();
        for scope in scopes {
            match scope.split_once('/') {
                Some(("mailbox", number)) => closed.mailboxes.extend(number.parse::<i64>()),
                Some(("endpoint", name)) => closed.endpoints.push(name.to_owned()),
                Some(("collection", name)) => closed.collections.push(name.to_owned()),
                _ => closed.all = true,
            }
        }
        closed
    }
}

/// Endpoints that have as many open as they may: no mailbox that is there on one side, and none that is there on both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shut {
    for_one: Vec<i64>,
    for_two: Vec<i64>,
}

async fn full(tx: &mut Tx<'_>, key: ProjectKey, claim: &Claim<'_>, shut: &mut Shut) -> Result<(), Error> {
    if claim.room.is_empty() {
        return Ok(());
    }
    let select = "SELECT source_endpoint, target_endpoint, count(*) FROM mailbox WHERE organisation = $1 AND project = $2 \
         AND holder IS NOT NULL AND lease_until + $3 >= (SELECT {now}) GROUP BY source_endpoint, target_endpoint";
    let open = tx.query(select, values![key.organisation, key.project, claim.terms.margin_ms]).await?;
    for (endpoint, max) in claim.room {
        let is_at = |row: &&Row, column| row.int(column) == *endpoint;
        let at = |column| open.iter().filter(move |row| is_at(row, column)).map(|row| row.int(2) as u64).sum::<u64>();
        let used = at(0) + at(1);
        if used + 1 > *max {
            shut.for_one.push(*endpoint);
        }
        // One that is source and target of a mailbox lets it in at least when nothing else is open there.
        if used + 2 > (*max).max(2) {
            shut.for_two.push(*endpoint);
        }
    }
    Ok(())
}

async fn take(
    tx: &mut Tx<'_>,
    key: ProjectKey,
    claim: &Claim<'_>,
    closed: &Closed,
    shut: &Shut,
) -> Result<Option<Row>, Error> {
    let update = if tx.is_postgres() {
        concat_columns!(
            "UPDATE mailbox SET holder = $3, fence = fence + 1, lease_until = {now} + $4 \
             WHERE (organisation, project, mailbox) IN (\
                 SELECT m.organisation, m.project, m.mailbox FROM mailbox m \
                 WHERE m.organisation = $1 AND m.project = $2 AND m.due_at <= (SELECT {now}) AND m.listed = 1 \
                 AND (m.lease_until IS NULL OR m.lease_until + $5 < (SELECT {now})) \
                 AND CASE WHEN CAST($6 AS TEXT) IS NULL THEN m.withheld = 0 \
                     AND (m.set_aside IS NULL OR m.phase IN ('switching', 'switched', 'settled')) \
                     ELSE m.mailbox IN (SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST($6 AS JSON))) END \
                 AND m.mailbox NOT IN (SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST($7 AS JSON))) \
                 AND m.source_endpoint \
                     NOT IN (SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST($12 AS JSON))) \
                 AND m.target_endpoint \
                     NOT IN (SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST($12 AS JSON))) \
                 AND (m.phase = 'switching' OR (m.phase IN ('switched', 'settled') AND EXISTS (\
                     SELECT 1 FROM switch_order o WHERE o.organisation = m.organisation \
                     AND o.project = m.project AND o.mailbox = m.mailbox AND o.way = 'back')) OR (CAST($11 AS BIGINT) = 0 \
                     AND coalesce(m.collection, '') NOT IN (SELECT value FROM json_array_elements_text(CAST($8 AS JSON))) \
                     AND m.source_endpoint \
                         NOT IN (SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST($13 AS JSON))) \
                     AND m.target_endpoint \
                         NOT IN (SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST($13 AS JSON))))) \
                 AND CASE WHEN m.source_endpoint = m.target_endpoint THEN m.source_endpoint \
                     NOT IN (SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST($10 AS JSON))) \
                     ELSE m.source_endpoint \
                     NOT IN (SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST($9 AS JSON))) \
                     AND m.target_endpoint \
                     NOT IN (SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST($9 AS JSON))) END \
                 ORDER BY m.due_at, m.mailbox LIMIT 1 {skip}) \
             RETURNING fence, {now}, ",
            ""
        )
    } else {
        concat_columns!(
            "UPDATE mailbox SET holder = $3, fence = fence + 1, lease_until = {now} + $4 \
             WHERE organisation = $1 AND project = $2 AND mailbox = (\
                 SELECT m.mailbox FROM mailbox m \
                 WHERE m.organisation = $1 AND m.project = $2 AND m.due_at <= {now} AND m.listed = 1 \
                 AND (m.lease_until IS NULL OR m.lease_until + $5 < {now}) \
                 AND CASE WHEN $6 IS NULL THEN m.withheld = 0 \
                     AND (m.set_aside IS NULL OR m.phase IN ('switching', 'switched', 'settled')) \
                     ELSE m.mailbox IN (SELECT value FROM json_each($6)) END \
                 AND m.mailbox NOT IN (SELECT value FROM json_each($7)) \
                 AND m.source_endpoint NOT IN (SELECT value FROM json_each($12)) \
                 AND m.target_endpoint NOT IN (SELECT value FROM json_each($12)) \
                 AND (m.phase = 'switching' OR (m.phase IN ('switched', 'settled') AND EXISTS (\
                     SELECT 1 FROM switch_order o WHERE o.organisation = m.organisation \
                     AND o.project = m.project AND o.mailbox = m.mailbox AND o.way = 'back')) OR ($11 = 0 \
                     AND coalesce(m.collection, '') NOT IN (SELECT value FROM json_each($8)) \
                     AND m.source_endpoint NOT IN (SELECT value FROM json_each($13)) \
                     AND m.target_endpoint NOT IN (SELECT value FROM json_each($13)))) \
                 AND CASE WHEN m.source_endpoint = m.target_endpoint \
                     THEN m.source_endpoint NOT IN (SELECT value FROM json_each($10)) \
                     ELSE m.source_endpoint NOT IN (SELECT value FROM json_each($9)) \
                     AND m.target_endpoint NOT IN (SELECT value FROM json_each($9)) END \
                 ORDER BY m.due_at, m.mailbox LIMIT 1) \
             RETURNING fence, {now}, ",
            ""
        )
    };
    let names = serde_json::Value::from(closed.collections.clone()).to_string();
    let values = values![
        key.organisation,
        key.project,
        claim.holder,
        claim.terms.lasts_ms,
        claim.terms.margin_ms,
        claim.among.map(list),
        list(&closed.mailboxes),
        names,
        list(&shut.for_one),
        list(&shut.for_two),
        i64::from(closed.all),
        list(&closed.paused),
        list(&closed.shut),
    ];
    Ok(tx.query(update, values).await?.into_iter().next())
}

/// Claims of a project come one after the other: PostgreSQL is told so. How long its leases last, there.
async fn lock_project(tx: &mut Tx<'_>, key: ProjectKey) -> Result<Option<i64>, Error> {
    if !tx.is_postgres() {
        return Ok(None);
    }
    let lock = "SELECT lease_ms FROM project WHERE organisation = $1 AND project = $2 FOR UPDATE";
    Ok(tx.query(lock, values![key.organisation, key.project]).await?.first().map(|row| row.int(0)))
}

fn claimed(key: ProjectKey, claim: &Claim<'_>, row: &Row) -> Result<Claimed, Error> {
    let (fence, at, mailbox) = (row.int(0), row.int(1), mailbox_row(&row.without_first().without_first())?);
    let lease = Lease { key, mailbox: mailbox.mailbox, fence, holder: claim.holder.to_owned(), at };
    Ok(Claimed::Mailbox(Box::new((lease, mailbox))))
}

impl Store {
    /// Marks mailboxes of the roster as due now. How many there are.
    pub async fn mark_due(&self, key: ProjectKey, mailboxes: &[i64]) -> Result<u64, Error> {
        self.due_now(key, mailboxes, false).await
    }

    /// Makes mailboxes due now that are due some time; not those at rest, whose collection has not begun, say.
    pub async fn hasten(&self, key: ProjectKey, mailboxes: &[i64]) -> Result<u64, Error> {
        self.due_now(key, mailboxes, true).await
    }

    async fn due_now(&self, key: ProjectKey, mailboxes: &[i64], only_due: bool) -> Result<u64, Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        let update = if tx.is_postgres() {
            "UPDATE mailbox SET due_at = {now} WHERE organisation = $1 AND project = $2 AND listed = 1 \
             AND ($4 = 0 OR due_at IS NOT NULL) \
             AND mailbox IN (SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST($3 AS JSON)))"
        } else {
            "UPDATE mailbox SET due_at = {now} WHERE organisation = $1 AND project = $2 AND listed = 1 \
             AND ($4 = 0 OR due_at IS NOT NULL) AND mailbox IN (SELECT value FROM json_each($3))"
        };
        let values = values![key.organisation, key.project, list(mailboxes), only_due];
        let marked = tx.execute(update, values).await?;
        tx.commit().await?;
        Ok(marked)
    }

    /// Claims the mailbox that has been due longest, if one is free. One statement takes it, so two workers never get the
    /// same; claims of a project come one after the other, so that endpoints never have more open than they may.
    ///
    /// It is on the disk for good when this returns: a claim that a crash took away would let in another worker at once.
    pub async fn claim(&self, key: ProjectKey, claim: &Claim<'_>) -> Result<Claimed, Error> {
        self.void_after_failover().await?;
        let mut tx = self.begin(Durability::Full).await?;
        let (taken, is_full) = self.take_one(&mut tx, key, claim).await?;
        let Some(row) = taken else {
            return Ok(if is_full { Claimed::NoRoom } else { Claimed::Nothing });
        };
        tx.commit().await?;
        claimed(key, claim, &row)
    }

    /// Claims this mailbox whether or not it is due, if it is free: for what is no work on its items. [`Store::give_back`] ends it, and
    /// it is due when it was.
    pub async fn claim_one(&self, key: ProjectKey, mailbox: i64, claim: &Claim<'_>) -> Result<Claimed, Error> {
        self.void_after_failover().await?;
        let mut tx = self.begin(Durability::Full).await?;
        // The project first, then a mailbox that nobody else changes now: in the order of every other claim, and waiting for none.
        lock_project(&mut tx, key).await?;
        let select = "SELECT due_at FROM mailbox WHERE organisation = $1 AND project = $2 AND mailbox = $3 {skip}";
        let of = || values![key.organisation, key.project, mailbox];
        let Some(due_at) = tx.query(select, of()).await?.first().map(|row| row.int_or_null(0)) else {
            return Ok(Claimed::Nothing);
        };
        let due = "UPDATE mailbox SET due_at = {now} WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        tx.execute(due, of()).await?;
        let among = [mailbox];
        let (taken, is_full) = self.take_one(&mut tx, key, &Claim { among: Some(&among), ..*claim }).await?;
        let Some(row) = taken else {
            return Ok(if is_full { Claimed::NoRoom } else { Claimed::Nothing });
        };
        let as_before = "UPDATE mailbox SET due_at = $4 WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        tx.execute(as_before, values![key.organisation, key.project, mailbox, due_at]).await?;
        tx.commit().await?;
        claimed(key, claim, &row)
    }

    /// Gives a mailbox back that stands as it stood, and is due when it was.
    pub async fn give_back(&self, lease: &Lease) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        let update = "UPDATE mailbox SET holder = NULL, lease_until = NULL WHERE organisation = $1 AND project = $2 \
             AND mailbox = $3 AND fence = $4 AND holder = $5";
        let key = lease.key;
        let of = values![key.organisation, key.project, lease.mailbox, lease.fence, lease.holder.as_str()];
        if tx.execute(update, of).await? != 1 {
            return Err(Error::Fenced);
        }
        tx.commit().await
    }

    /// Would a claim get a mailbox now?
    pub async fn has_due(&self, key: ProjectKey, claim: &Claim<'_>) -> Result<bool, Error> {
        // Dropped with the transaction: it is only asked for.
        let mut tx = self.begin(Durability::Relaxed).await?;
        Ok(self.take_one(&mut tx, key, claim).await?.0.is_some())
    }

    /// The row taken; or whether there is one for which its endpoints have no room.
    async fn take_one(
        &self,
        tx: &mut Tx<'_>,
        key: ProjectKey,
        claim: &Claim<'_>,
    ) -> Result<(Option<Row>, bool), Error> {
        let of = || values![key.organisation, key.project];
        if let Some(lasts_ms) = lock_project(tx, key).await? {
            // Written before the first claim of its kind is: a server that takes over has to know how long that may last.
            if lasts_ms != claim.terms.lasts_ms {
                let update = "UPDATE project SET lease_ms = $3 WHERE organisation = $1 AND project = $2";
                tx.execute(update, values![key.organisation, key.project, claim.terms.lasts_ms]).await?;
            }
        }
        if let Some(version) = claim.version {
            let served = "SELECT version FROM served WHERE organisation = $1 AND project = $2 AND is_served = 1";
            if tx.query(served, of()).await?.first().is_none_or(|row| row.int(0) != version) {
                return Ok((None, false));
            }
        }
        let pauses = "SELECT scope FROM pause WHERE organisation = $1 AND project = $2";
        let mut closed = Closed::of(tx.query(pauses, of()).await?.iter().map(|row| row.text(0)));
        closed.all |= claim.only_turning;
        closed.shut.extend(claim.shut);
        if !closed.endpoints.is_empty() {
            let known = "SELECT endpoint, name FROM endpoint WHERE organisation = $1 AND project = $2";
            let rows = tx.query(known, of()).await?;
            let their = rows.iter().filter(|row| closed.endpoints.contains(&row.text(1))).map(|row| row.int(0));
            closed.paused = their.collect();
        }
        let mut shut = Shut::default();
        full(tx, key, claim, &mut shut).await?;
        // Who is between two sides, or to be taken back, waits behind nobody.
        let turning = "SELECT 1 FROM mailbox m WHERE m.organisation = $1 AND m.project = $2 AND m.phase = 'switching' \
             AND m.due_at <= (SELECT {now}) AND (m.lease_until IS NULL OR m.lease_until + $3 < (SELECT {now})) \
             UNION ALL SELECT 1 FROM switch_order o JOIN mailbox m ON m.organisation = o.organisation \
             AND m.project = o.project AND m.mailbox = o.mailbox WHERE o.organisation = $1 AND o.project = $2 \
             AND o.way = 'back' AND m.phase IN ('switched', 'settled') AND m.due_at <= (SELECT {now}) \
             AND (m.lease_until IS NULL OR m.lease_until + $3 < (SELECT {now})) LIMIT 1";
        let margin_ms = claim.terms.margin_ms;
        let is_any = !tx.query(turning, values![key.organisation, key.project, margin_ms]).await?.is_empty();
        if !closed.all && is_any {
            let first = Closed { all: true, ..closed.clone() };
            if let Some(taken) = take(tx, key, claim, &first, &shut).await? {
                return Ok((Some(taken), false));
            }
        }
        let taken = take(tx, key, claim, &closed, &shut).await?;
        let with_room = Shut::default();
        if taken.is_some() || shut == with_room {
            return Ok((taken, false));
        }
        // Dropped with the transaction: it is only asked for.
        Ok((None, take(tx, key, claim, &closed, &with_room).await?.is_some()))
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
        let mut tx = self.begin(Durability::Full).await?;
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

    /// Gives a mailbox back, with where it stands now.
    pub async fn release(&self, lease: &Lease, state: &MailboxState, again: Again) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        set_state(&mut tx, lease, state).await?;
        let update = "UPDATE mailbox SET holder = NULL, lease_until = NULL, \
             due_at = CASE WHEN due_at IS NULL OR due_at > $7 THEN due_at ELSE {now} + CAST($6 AS BIGINT) END, \
             tries = CASE WHEN $8 = 1 THEN tries + 1 WHEN $9 = 1 THEN tries ELSE 0 END \
             WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND fence = $4 AND holder = $5";
        let values = values![
            lease.key.organisation,
            lease.key.project,
            lease.mailbox,
            lease.fence,
            lease.holder.as_str(),
            again.after_ms,
            lease.at,
            again.failed,
            again.stopped,
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

pub(crate) async fn set_state(tx: &mut Tx<'_>, lease: &Lease, state: &MailboxState) -> Result<(), Error> {
    // A try in between ends no failure: only a complete pass does.
    let update = "UPDATE mailbox SET since = CASE WHEN phase = $6 AND condition = $7 THEN since ELSE {now} END, \
         begun_at = CASE WHEN $6 = 'planned' THEN begun_at ELSE coalesce(begun_at, {now}) END, \
         failing_since = CASE WHEN $9 = 'stopped' THEN failing_since \
             WHEN CAST($9 AS TEXT) IS NOT NULL THEN coalesce(failing_since, {now}) \
             WHEN $6 = 'in-step' OR $7 = 'waiting' THEN NULL ELSE failing_since END, \
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
    if tx.execute(update, values).await? != 1 {
        return Err(Error::Fenced);
    }
    if state.phase == Phase::InStep {
        let first = "UPDATE mailbox SET in_step_at = {now} WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
            AND in_step_at IS NULL";
        let row = values![lease.key.organisation, lease.key.project, lease.mailbox];
        if tx.execute(first, row).await? == 1 {
            crate::rate::add_in_step(tx, lease).await?;
        }
    }
    Ok(())
}

fn list(numbers: &[i64]) -> String {
    serde_json::Value::from(numbers).to_string()
}
