//! What processes that work by themselves share: the projects they serve, who of them lives, what is paused, how fast an endpoint
//! may be asked, and what is to be done at times.

use crate::project::{concat_columns, mailbox_row};
use crate::sql::{Alone, Durability, Row, values};
use crate::{Error, MailboxRow, ProjectKey, Store};

/// A process that was not seen for this long is forgotten.
const FORGOTTEN_AFTER_MS: i64 = 24 * 60 * 60 * 1000;

/// A project that is served, and what is to be done there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// The project.
    pub key: ProjectKey,
    /// Grows with each change of what is sealed.
    pub version: i64,
    /// Its weight beside the other projects.
    pub share: i64,
    /// Mailboxes that are being worked on, by all processes together.
    pub running: i64,
    /// Is a mailbox due and free?
    pub is_due: bool,
    /// Is all of it paused?
    pub is_paused: bool,
    /// One of those that are due is being switched or taken back, which knows no pause and no hours.
    pub is_turning: bool,
}

/// A process that works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRow {
    /// The name under which it holds leases.
    pub holder: String,
    /// `serve` or `worker`.
    pub kind: String,
    /// The machine's name.
    pub machine: String,
    /// The program's version.
    pub program: String,
    /// How many mailboxes it works on at once.
    pub slots: i64,
    /// When it began (milliseconds since 1970).
    pub begun_at: i64,
    /// When it last said that it lives.
    pub seen_at: i64,
    /// Who asked it to finish and end.
    pub drained_by: Option<String>,
    /// Mailboxes it works on now.
    pub running: i64,
}

/// Something that is paused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseRow {
    /// `all`, `mailbox/NUMBER`, `collection/NAME` or `endpoint/NAME`.
    pub scope: String,
    /// What is under way goes on to its end; otherwise it stops where it is safe.
    pub drains: bool,
    /// Who said so.
    pub said_by: String,
    /// Why.
    pub reason: String,
    /// When (milliseconds since 1970).
    pub at: i64,
}

/// What an endpoint may be asked so much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paced {
    /// Requests.
    Requests,
    /// Bytes, in both directions together.
    Bytes,
}

impl Paced {
    fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Bytes => "bytes",
        }
    }
}

/// How the mailboxes of a project stand, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingRow {
    /// The phase.
    pub phase: String,
    /// The condition.
    pub condition: String,
    /// The code of the cause, where there is one.
    pub cause: Option<String>,
    /// How many.
    pub mailboxes: i64,
}

impl Store {
    /// Puts a project here to be served. What is sealed is only written when its digest is another one. The version.
    pub async fn serve(&self, key: ProjectKey, digest: &[u8], sealed: &[u8], share: i64) -> Result<i64, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::Serving).await?;
        let of = || values![key.organisation, key.project];
        let select = "SELECT version, digest, share, is_served FROM served WHERE organisation = $1 AND project = $2";
        let rows = tx.query(select, of()).await?;
        let version = match rows.first() {
            Some(row) if row.blob(1) == digest && row.int(2) == share && row.bool(3) => return Ok(row.int(0)),
            Some(row) => row.int(0) + 1,
            None => 1,
        };
        tx.execute("DELETE FROM served WHERE organisation = $1 AND project = $2", of()).await?;
        let insert = "INSERT INTO served (organisation, project, is_served, version, digest, sealed, share, changed_at) \
             VALUES ($1, $2, 1, $3, $4, $5, $6, {now})";
        tx.execute(insert, values![key.organisation, key.project, version, digest, sealed, share]).await?;
        tx.commit().await?;
        Ok(version)
    }

    /// Ends the serving of a project: no process begins anything there.
    pub async fn unserve(&self, key: ProjectKey) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::Serving).await?;
        let update = "UPDATE served SET is_served = 0, version = version + 1, changed_at = {now} \
             WHERE organisation = $1 AND project = $2 AND is_served = 1";
        tx.execute(update, values![key.organisation, key.project]).await?;
        tx.commit().await
    }

    /// The projects that are served, with what there is to do.
    pub async fn served(&self) -> Result<Vec<Served>, Error> {
        let select = "SELECT s.organisation, s.project, s.version, s.share, \
             (SELECT count(*) FROM mailbox m WHERE m.organisation = s.organisation AND m.project = s.project \
                 AND m.holder IS NOT NULL AND m.lease_until >= (SELECT {now})), \
             CASE WHEN EXISTS (SELECT 1 FROM mailbox m WHERE m.organisation = s.organisation AND m.project = s.project \
                 AND m.due_at <= (SELECT {now}) AND m.listed = 1 AND m.withheld = 0 \
                 AND (m.set_aside IS NULL OR m.phase IN ('switching', 'switched', 'settled')) \
                 AND (m.lease_until IS NULL OR m.lease_until < (SELECT {now}))) THEN 1 ELSE 0 END, \
             CASE WHEN EXISTS (SELECT 1 FROM pause p WHERE p.organisation = s.organisation AND p.project = s.project \
                 AND p.scope = 'all') THEN 1 ELSE 0 END, \
             CASE WHEN EXISTS (SELECT 1 FROM mailbox m WHERE m.organisation = s.organisation AND m.project = s.project \
                 AND m.due_at <= (SELECT {now}) AND m.listed = 1 AND m.withheld = 0 \
                 AND (m.set_aside IS NULL OR m.phase IN ('switching', 'switched', 'settled')) \
                 AND (m.lease_until IS NULL OR m.lease_until < (SELECT {now})) \
                 AND m.phase = 'switching') OR EXISTS (SELECT 1 FROM switch_order o JOIN mailbox m \
                 ON m.organisation = o.organisation AND m.project = o.project AND m.mailbox = o.mailbox \
                 WHERE o.organisation = s.organisation AND o.project = s.project AND o.way = 'back' \
                 AND m.phase IN ('switched', 'settled') AND m.due_at <= (SELECT {now}) \
                 AND (m.lease_until IS NULL OR m.lease_until < (SELECT {now}))) THEN 1 ELSE 0 END \
             FROM served s WHERE s.is_served = 1 ORDER BY s.organisation, s.project";
        let rows = self.database.query(select, Vec::new()).await?;
        let served = |row: &Row| Served {
            key: ProjectKey { organisation: row.int(0), project: row.int(1) },
            version: row.int(2),
            share: row.int(3),
            running: row.int(4),
            is_due: row.bool(5),
            is_paused: row.bool(6),
            is_turning: row.bool(7),
        };
        Ok(rows.iter().map(served).collect())
    }

    /// What is sealed of a project that is served, with its version.
    pub async fn sealed(&self, key: ProjectKey) -> Result<Option<(i64, Vec<u8>)>, Error> {
        let select = "SELECT version, sealed FROM served WHERE organisation = $1 AND project = $2 AND is_served = 1";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        Ok(rows.first().map(|row| (row.int(0), row.blob(1).to_vec())))
    }

    /// These mailboxes, and no others, may not be copied now.
    pub async fn withhold(&self, key: ProjectKey, mailboxes: &[i64]) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let update = if tx.is_postgres() {
            "UPDATE mailbox SET withheld = 1 - withheld WHERE organisation = $1 AND project = $2 AND withheld <> \
             CASE WHEN mailbox IN (SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST($3 AS JSON))) \
             THEN 1 ELSE 0 END"
        } else {
            "UPDATE mailbox SET withheld = 1 - withheld WHERE organisation = $1 AND project = $2 AND withheld <> \
             CASE WHEN mailbox IN (SELECT value FROM json_each($3)) THEN 1 ELSE 0 END"
        };
        let list = serde_json::Value::from(mailboxes).to_string();
        tx.execute(update, values![key.organisation, key.project, list]).await?;
        tx.commit().await
    }

    /// Something changed in a mailbox: it is due now, and again if it is being worked on.
    pub async fn changed(&self, key: ProjectKey, mailbox: i64) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        let update = "UPDATE mailbox SET due_at = {now} WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
             AND due_at IS NOT NULL AND (due_at > {now} OR holder IS NOT NULL)";
        tx.execute(update, values![key.organisation, key.project, mailbox]).await?;
        tx.commit().await
    }

    /// Makes mailboxes due that wait for a person: what they wait for may have been put right.
    pub async fn try_parked(&self, key: ProjectKey) -> Result<u64, Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        let update = "UPDATE mailbox SET due_at = {now} WHERE organisation = $1 AND project = $2 AND listed = 1 \
             AND condition = 'parked' AND due_at > {now}";
        let tried = tx.execute(update, values![key.organisation, key.project]).await?;
        tx.commit().await?;
        Ok(tried)
    }

    /// A mailbox's turns that failed, one after the other.
    pub async fn tries(&self, key: ProjectKey, mailbox: i64) -> Result<i64, Error> {
        let select = "SELECT tries FROM mailbox WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        Ok(rows.first().map_or(0, |row| row.int(0)))
    }

    /// How the mailboxes of a project stand, in numbers; and for how many milliseconds the one that waits longest has been due.
    pub async fn standing(&self, key: ProjectKey) -> Result<(Vec<StandingRow>, i64), Error> {
        let select = "SELECT phase, condition, cause, count(*) FROM mailbox WHERE organisation = $1 AND project = $2 \
             AND listed = 1 GROUP BY phase, condition, cause ORDER BY phase, condition, cause";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let standing = |row: &Row| StandingRow {
            phase: row.text(0),
            condition: row.text(1),
            cause: row.text_or_null(2),
            mailboxes: row.int(3),
        };
        let late = "SELECT {now} - min(due_at) FROM mailbox WHERE organisation = $1 AND project = $2 AND due_at <= {now} \
             AND listed = 1 AND withheld = 0 AND set_aside IS NULL AND holder IS NULL";
        let late = self.database.query(late, values![key.organisation, key.project]).await?[0].int(0);
        Ok((rows.iter().map(standing).collect(), late))
    }

    /// The number of the last decision in an organisation's audit log: it grows with each.
    pub async fn last_decision(&self, key: ProjectKey) -> Result<i64, Error> {
        // What the service itself writes down while it works decides nothing about a project.
        let select = "SELECT max(number) FROM audit WHERE organisation = $1 AND action NOT LIKE 'issue.%' \
             AND action NOT LIKE 'report.%' AND action NOT LIKE 'alert.%' AND action NOT LIKE 'service.%' \
             AND action NOT LIKE 'sync.%'";
        Ok(self.database.query(select, values![key.organisation]).await?[0].int(0))
    }

    /// The code of a project's organisation, and the project's name.
    pub async fn project_names(&self, key: ProjectKey) -> Result<Option<(String, String)>, Error> {
        let select = "SELECT o.code, p.name FROM organisation o, project p WHERE o.organisation = $1 \
             AND p.organisation = $1 AND p.project = $2";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        Ok(rows.first().map(|row| (row.text(0), row.text(1))))
    }

    /// A process says that it lives. Who asked it to finish and end, if somebody has.
    pub async fn process_lives(&self, process: &ProcessRow) -> Result<Option<String>, Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        let update = "UPDATE process SET seen_at = {now}, slots = $2 WHERE holder = $1 RETURNING drained_by";
        let rows = tx.query(update, values![process.holder.as_str(), process.slots]).await?;
        let drained_by = rows.first().and_then(|row| row.text_or_null(0));
        if rows.is_empty() {
            let insert = "INSERT INTO process (holder, kind, machine, program, slots, begun_at, seen_at) \
                 VALUES ($1, $2, $3, $4, $5, {now}, {now})";
            let values = values![
                process.holder.as_str(),
                process.kind.as_str(),
                process.machine.as_str(),
                process.program.as_str(),
                process.slots
            ];
            tx.execute(insert, values).await?;
            tx.execute("DELETE FROM process WHERE seen_at < {now} - $1", values![FORGOTTEN_AFTER_MS]).await?;
        }
        tx.commit().await?;
        Ok(drained_by)
    }

    /// A process ends.
    pub async fn process_ends(&self, holder: &str) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        tx.execute("DELETE FROM process WHERE holder = $1", values![holder]).await?;
        tx.execute("UPDATE mailbox SET watcher = NULL, watched_until = NULL WHERE watcher = $1", values![holder])
            .await?;
        tx.commit().await
    }

    /// The processes that work, or did and were not heard of since.
    pub async fn processes(&self) -> Result<Vec<ProcessRow>, Error> {
        let select = "SELECT p.holder, p.kind, p.machine, p.program, p.slots, p.begun_at, p.seen_at, p.drained_by, \
             (SELECT count(*) FROM mailbox m WHERE m.holder = p.holder AND m.lease_until >= {now}) \
             FROM process p ORDER BY p.begun_at, p.holder";
        let rows = self.database.query(select, Vec::new()).await?;
        let process = |row: &Row| ProcessRow {
            holder: row.text(0),
            kind: row.text(1),
            machine: row.text(2),
            program: row.text(3),
            slots: row.int(4),
            begun_at: row.int(5),
            seen_at: row.int(6),
            drained_by: row.text_or_null(7),
            running: row.int(8),
        };
        Ok(rows.iter().map(process).collect())
    }

    /// Asks a process to finish and end. Is there one of this name?
    pub async fn drain_process(&self, holder: &str, by: &str) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let asked = tx.execute("UPDATE process SET drained_by = $2 WHERE holder = $1", values![holder, by]).await?;
        tx.commit().await?;
        Ok(asked == 1)
    }

    /// Nothing more is begun there, until somebody says so.
    pub async fn pause(&self, key: ProjectKey, pause: &PauseRow) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let delete = "DELETE FROM pause WHERE organisation = $1 AND project = $2 AND scope = $3";
        tx.execute(delete, values![key.organisation, key.project, pause.scope.as_str()]).await?;
        let insert = "INSERT INTO pause (organisation, project, scope, how, said_by, reason, at) \
             VALUES ($1, $2, $3, $4, $5, $6, {now})";
        let how = if pause.drains { "drain" } else { "pause" };
        let values = values![
            key.organisation,
            key.project,
            pause.scope.as_str(),
            how,
            pause.said_by.as_str(),
            pause.reason.as_str()
        ];
        tx.execute(insert, values).await?;
        tx.commit().await
    }

    /// It may go on. Was it paused?
    pub async fn resume(&self, key: ProjectKey, scope: &str) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let delete = "DELETE FROM pause WHERE organisation = $1 AND project = $2 AND scope = $3";
        let ended = tx.execute(delete, values![key.organisation, key.project, scope]).await?;
        tx.commit().await?;
        Ok(ended > 0)
    }

    /// What is paused.
    pub async fn pauses(&self, key: ProjectKey) -> Result<Vec<PauseRow>, Error> {
        let select =
            "SELECT scope, how, said_by, reason, at FROM pause WHERE organisation = $1 AND project = $2 ORDER BY scope";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let pause = |row: &Row| PauseRow {
            scope: row.text(0),
            drains: row.text(1) == "drain",
            said_by: row.text(2),
            reason: row.text(3),
            at: row.int(4),
        };
        Ok(rows.iter().map(pause).collect())
    }

    /// Takes what an endpoint may be asked next, by all processes together: it is free again `takes_us` microseconds later. How many
    /// microseconds to wait until it may be used. At most `ahead_us` may be taken ahead of time, so that what is not used for a while
    /// does not add up.
    pub async fn reserve(
        &self,
        key: ProjectKey,
        endpoint: i64,
        what: Paced,
        takes_us: i64,
        ahead_us: i64,
    ) -> Result<u64, Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        let upsert = if tx.is_postgres() {
            "INSERT INTO pace AS p (organisation, project, endpoint, what, free_at) \
             VALUES ($1, $2, $3, $4, {now} * 1000 - $6 + $5) \
             ON CONFLICT (organisation, project, endpoint, what) \
             DO UPDATE SET free_at = greatest(p.free_at, {now} * 1000 - $6) + $5 RETURNING free_at - $5 - {now} * 1000"
        } else {
            "INSERT INTO pace (organisation, project, endpoint, what, free_at) \
             VALUES ($1, $2, $3, $4, {now} * 1000 - $6 + $5) \
             ON CONFLICT (organisation, project, endpoint, what) \
             DO UPDATE SET free_at = max(pace.free_at, {now} * 1000 - $6) + $5 RETURNING free_at - $5 - {now} * 1000"
        };
        let values = values![key.organisation, key.project, endpoint, what.name(), takes_us, ahead_us];
        let wait = tx.query(upsert, values).await?[0].int(0);
        tx.commit().await?;
        Ok(u64::try_from(wait).unwrap_or(0))
    }

    /// Takes on what is to be done at times, if it is due and nobody else does it. When it was done last.
    pub async fn claim_chore(
        &self,
        key: ProjectKey,
        name: &str,
        holder: &str,
        lasts_ms: i64,
    ) -> Result<Option<Option<i64>>, Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        let insert = "INSERT INTO chore (organisation, project, name, due_at) VALUES ($1, $2, $3, {now}) \
             ON CONFLICT (organisation, project, name) DO NOTHING";
        tx.execute(insert, values![key.organisation, key.project, name]).await?;
        let update = "UPDATE chore SET holder = $4, lease_until = {now} + $5 \
             WHERE organisation = $1 AND project = $2 AND name = $3 AND due_at <= {now} \
             AND (lease_until IS NULL OR lease_until < {now}) RETURNING done_at";
        let rows = tx.query(update, values![key.organisation, key.project, name, holder, lasts_ms]).await?;
        tx.commit().await?;
        Ok(rows.first().map(|row| row.int_or_null(0)))
    }

    /// It is done, or failed for this reason; it is due again after so many milliseconds.
    pub async fn end_chore(
        &self,
        key: ProjectKey,
        name: &str,
        holder: &str,
        again_ms: i64,
        said: Option<&str>,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        let update = "UPDATE chore SET holder = NULL, lease_until = NULL, due_at = {now} + $5, said = $6, \
             done_at = CASE WHEN CAST($6 AS TEXT) IS NULL THEN {now} ELSE done_at END \
             WHERE organisation = $1 AND project = $2 AND name = $3 AND holder = $4";
        tx.execute(update, values![key.organisation, key.project, name, holder, again_ms, said]).await?;
        tx.commit().await
    }

    /// Answers for a project, for so long: whose service does, if it is another that may be alive.
    pub async fn hold_service(
        &self,
        key: ProjectKey,
        holder: &str,
        lasts_ms: i64,
        is_dead: impl Fn(&str) -> bool,
    ) -> Result<Option<String>, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::Serving).await?;
        let select = "SELECT holder FROM chore WHERE organisation = $1 AND project = $2 AND name = 'service' \
             AND holder IS NOT NULL AND holder <> $3 AND lease_until >= {now}";
        let rows = tx.query(select, values![key.organisation, key.project, holder]).await?;
        if let Some(other) = rows.first().map(|row| row.text(0)).filter(|other| !is_dead(other)) {
            return Ok(Some(other));
        }
        let upsert = "INSERT INTO chore (organisation, project, name, due_at, holder, lease_until) \
             VALUES ($1, $2, 'service', {now}, $3, {now} + $4) ON CONFLICT (organisation, project, name) \
             DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until";
        tx.execute(upsert, values![key.organisation, key.project, holder, lasts_ms]).await?;
        tx.commit().await?;
        Ok(None)
    }

    /// Answers for it no more.
    pub async fn let_go_service(&self, key: ProjectKey, holder: &str) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let update = "UPDATE chore SET holder = NULL, lease_until = NULL WHERE organisation = $1 AND project = $2 \
             AND name = 'service' AND holder = $3";
        tx.execute(update, values![key.organisation, key.project, holder]).await?;
        tx.commit().await
    }

    /// Takes on to be told of the changes of mailboxes in step: of those that nobody watches, VIPs first, then the ones that
    /// changed last. No more than `max` are watched in all.
    pub async fn claim_watches(
        &self,
        key: ProjectKey,
        endpoint: i64,
        holder: &str,
        max: u64,
        lasts_ms: i64,
    ) -> Result<Vec<MailboxRow>, Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        tx.alone(Alone::Watching).await?;
        let count = "SELECT count(*) FROM mailbox WHERE organisation = $1 AND project = $2 AND source_endpoint = $3 \
             AND watcher IS NOT NULL AND watched_until >= {now}";
        let watched = tx.query(count, values![key.organisation, key.project, endpoint]).await?[0].int(0);
        let room = (max as i64 - watched).max(0);
        if room == 0 {
            return Ok(Vec::new());
        }
        let update = concat_columns!(
            "UPDATE mailbox SET watcher = $4, watched_until = {now} + $5 WHERE organisation = $1 AND project = $2 \
             AND mailbox IN (SELECT mailbox FROM mailbox WHERE organisation = $1 AND project = $2 \
                 AND source_endpoint = $3 AND listed = 1 AND withheld = 0 AND due_at IS NOT NULL \
                 AND phase = 'in-step' AND condition = 'running' \
                 AND (watched_until IS NULL OR watched_until < {now}) \
                 ORDER BY CASE WHEN mailbox IN (SELECT v.mailbox FROM vip v WHERE v.organisation = $1 AND v.project = $2) \
                     THEN 0 ELSE 1 END, pass_ended_at DESC, mailbox LIMIT CAST($6 AS INT)) \
             RETURNING ",
            ""
        );
        let values = values![key.organisation, key.project, endpoint, holder, lasts_ms, room];
        let rows = tx.query(update, values).await?;
        tx.commit().await?;
        rows.iter().map(mailbox_row).collect()
    }

    /// Goes on watching these mailboxes. Those it still watches.
    pub async fn renew_watches(&self, key: ProjectKey, holder: &str, lasts_ms: i64) -> Result<Vec<i64>, Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        let update = "UPDATE mailbox SET watched_until = {now} + $4 WHERE organisation = $1 AND project = $2 \
             AND watcher = $3 AND watched_until >= {now} AND listed = 1 AND withheld = 0 RETURNING mailbox";
        let rows = tx.query(update, values![key.organisation, key.project, holder, lasts_ms]).await?;
        tx.commit().await?;
        Ok(rows.iter().map(|row| row.int(0)).collect())
    }

    /// Watches this mailbox no more.
    pub async fn end_watch(&self, key: ProjectKey, mailbox: i64, holder: &str) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        let update = "UPDATE mailbox SET watcher = NULL, watched_until = NULL \
             WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND watcher = $4";
        tx.execute(update, values![key.organisation, key.project, mailbox, holder]).await?;
        tx.commit().await
    }

    /// Looks whether the database is the one it was: a server that took over, or one brought back from a backup, may have lost the
    /// last claims. Then no lease counts any more, and none is given before any that was lost has run out.
    pub(crate) async fn void_after_failover(&self) -> Result<(), Error> {
        let Some(identity) = self.database.new_identity() else { return Ok(()) };
        let voided = self.void_unless(&identity).await;
        if voided.is_err() {
            self.database.identity_again();
        }
        voided
    }

    async fn void_unless(&self, identity: &str) -> Result<(), Error> {
        let known = "SELECT identity FROM database_identity";
        let is_known = |rows: &[Row]| rows.first().is_some_and(|row| row.text(0) == identity);
        if is_known(&self.database.query(known, Vec::new()).await?) {
            return Ok(());
        }
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::Serving).await?;
        let known = tx.query(known, Vec::new()).await?;
        if is_known(&known) {
            return Ok(());
        }
        tx.execute("DELETE FROM database_identity", Vec::new()).await?;
        tx.execute("INSERT INTO database_identity (identity) VALUES ($1)", values![identity]).await?;
        if !known.is_empty() {
            let update = "UPDATE mailbox m SET fence = fence + 1, holder = 'lost', \
                 lease_until = greatest(coalesce(lease_until, 0), {now} + p.lease_ms), \
                 due_at = CASE WHEN due_at IS NULL THEN NULL ELSE {now} END FROM project p \
                 WHERE p.organisation = m.organisation AND p.project = m.project AND m.listed = 1";
            tx.execute(update, Vec::new()).await?;
        }
        tx.commit().await
    }
}
