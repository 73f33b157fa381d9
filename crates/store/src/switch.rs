//! Switches: what was said of when, where each stands, what was done and seen at every task.
//!
//! A switch that was begun ends on one side. Of a mailbox at most the last one is open. Its tasks are written by whoever holds the
//! mailbox's lease, for good, before anything is done for them.

use std::collections::{BTreeMap, BTreeSet};

use model::Phase;

use crate::sql::{Durability, Row, values};
use crate::{Error, LedgerTx, ProjectKey, Store, SwitchHow};

mod address;
mod closing;
mod forwarder;
mod script;
mod word;

pub use address::{OldAddressRow, OldAddressState};
pub use closing::ClosingRow;
pub use forwarder::{ForwarderRow, FoundForwarder, FoundRouting, MarkRow, NewForwarder};
pub use script::{Answer, AskOutcome, NewScript, ScriptPerson, ScriptRow, SignOutcome};
pub use word::{NewRuleWord, RuleScope, RuleWord};

/// What somebody said of when a mailbox switches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchOrder {
    /// The mailbox.
    pub mailbox: i64,
    /// To the source, not to the target.
    pub is_back: bool,
    /// Not before (milliseconds since 1970).
    pub at: i64,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub said_by: String,
    /// When.
    pub said_at: i64,
}

/// A switch. Times are milliseconds since 1970, on the database's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchRow {
    /// The mailbox.
    pub mailbox: i64,
    /// Its number, from 1.
    pub switch: i64,
    /// The task that it is at.
    pub task: String,
    /// When it came to it.
    pub since: i64,
    /// How often that was tried in vain.
    pub tries: u32,
    /// What it waits for, or why the last try failed.
    pub waits: Option<String>,
    /// When a pass last found nothing new, with no other since that did.
    pub quiet_since: Option<i64>,
    /// What began it.
    pub why: String,
    /// Who.
    pub begun_by: String,
    /// When.
    pub begun_at: i64,
    /// Who took it back.
    pub taken_back_by: Option<String>,
    /// When it ended, and whether on the target.
    pub ended: Option<(i64, bool)>,
    /// A person is to do something for the task now.
    pub awaits: bool,
    /// When that was last so.
    pub awaited_at: Option<i64>,
    /// What the clock says now.
    pub now: i64,
}

/// A task of a switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchTask {
    /// The task.
    pub task: String,
    /// When it was begun.
    pub begun_at: i64,
    /// When it ended, and how: `done` or `turned-back`.
    pub ended: Option<(i64, String)>,
    /// What was seen.
    pub evidence: String,
}

/// A statement with the columns that [`switch_row`] reads.
macro_rules! switches {
    ($rest:literal) => {
        concat!(
            "SELECT mailbox, switch, task, since, tries, waits, quiet_since, why, begun_by, begun_at, ended_at, ended_on, ",
            "{now}, taken_back_by, awaits, awaited_at FROM switch AS one WHERE organisation = $1 AND project = $2 ",
            $rest
        )
    };
}

fn switch_row(row: &Row) -> SwitchRow {
    SwitchRow {
        mailbox: row.int(0),
        switch: row.int(1),
        task: row.text(2),
        since: row.int(3),
        tries: row.int(4) as u32,
        waits: row.text_or_null(5),
        quiet_since: row.int_or_null(6),
        why: row.text(7),
        begun_by: row.text(8),
        begun_at: row.int(9),
        ended: row.int_or_null(10).map(|at| (at, row.text_or_null(11).as_deref() == Some("target"))),
        now: row.int(12),
        taken_back_by: row.text_or_null(13),
        awaits: row.int(14) != 0,
        awaited_at: row.int_or_null(15),
    }
}

fn switch_order(row: &Row) -> SwitchOrder {
    SwitchOrder {
        mailbox: row.int(0),
        is_back: row.text(1) == "back",
        at: row.int(2),
        reason: row.text(3),
        said_by: row.text(4),
        said_at: row.int(5),
    }
}

impl Store {
    /// Says when a mailbox switches, or is taken back. What was said before counts no more; only a word to take it back stays until it is
    /// there, whatever is said of going over, and where nothing is to be taken back there is no such word: false, and nothing is changed. It is
    /// looked at at once then, unless nobody works on it yet and that is for later.
    pub async fn order_switch(&self, key: ProjectKey, order: &SwitchOrder) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        // The mailbox first, as whoever ends a switch does.
        let due = "UPDATE mailbox SET due_at = CASE WHEN due_at IS NOT NULL OR CAST($4 AS BIGINT) <= {now} THEN {now} \
            ELSE due_at END WHERE organisation = $1 AND project = $2 AND mailbox = $3 RETURNING phase";
        let rows = tx.query(due, values![key.organisation, key.project, order.mailbox, order.at]).await?;
        let phase = rows.first().and_then(|row| Phase::from_name(&row.text(0)));
        let is_turned = phase.is_some_and(|phase| phase >= Phase::Switching);
        if order.is_back && !is_turned {
            return Ok(false);
        }
        let upsert = "INSERT INTO switch_order (organisation, project, mailbox, way, at, reason, said_by, said_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, {now}) ON CONFLICT (organisation, project, mailbox) DO UPDATE SET \
            way = excluded.way, at = excluded.at, reason = excluded.reason, said_by = excluded.said_by, \
            said_at = excluded.said_at WHERE switch_order.way <> 'back' OR excluded.way = 'back' OR $8 = 0";
        let way = if order.is_back { "back" } else { "over" };
        let (reason, said_by) = (order.reason.as_str(), order.said_by.as_str());
        let turned = i64::from(is_turned);
        let row = values![key.organisation, key.project, order.mailbox, way, order.at, reason, said_by, turned];
        if tx.execute(upsert, row).await? == 0 {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    /// A word that a mailbox is to switch at this time, by this person, counts no more: what was said before it does again, if anything was. False:
    /// another word has been said since, or it has been followed.
    pub async fn unsay_order(
        &self,
        key: ProjectKey,
        (mailbox, at, said_by): (i64, i64, &str),
        earlier: Option<&SwitchOrder>,
    ) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let delete = "DELETE FROM switch_order WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
            AND way = 'over' AND at = $4 AND said_by = $5";
        let of = values![key.organisation, key.project, mailbox, at, said_by];
        if tx.execute(delete, of).await? == 0 {
            return Ok(false);
        }
        if let Some(earlier) = earlier {
            let insert = "INSERT INTO switch_order (organisation, project, mailbox, way, at, reason, said_by, said_at) \
                VALUES ($1, $2, $3, 'over', $4, $5, $6, $7)";
            let (reason, said_by) = (earlier.reason.as_str(), earlier.said_by.as_str());
            let row = values![key.organisation, key.project, mailbox, earlier.at, reason, said_by, earlier.said_at];
            tx.execute(insert, row).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Takes back that a mailbox is to switch. A word to take it back stays. False: nothing was said.
    pub async fn withdraw_order(&self, key: ProjectKey, mailbox: i64) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let delete =
            "DELETE FROM switch_order WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND way = 'over'";
        let gone = tx.execute(delete, values![key.organisation, key.project, mailbox]).await?;
        tx.commit().await?;
        Ok(gone > 0)
    }

    /// Takes back that a mailbox is to be taken back, as long as that has not begun. False: nothing was said, or it has begun.
    pub async fn withdraw_back(&self, key: ProjectKey, mailbox: i64) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let phase = "SELECT phase FROM mailbox WHERE organisation = $1 AND project = $2 AND mailbox = $3 {share}";
        let rows = tx.query(phase, values![key.organisation, key.project, mailbox]).await?;
        let phase = rows.first().and_then(|row| Phase::from_name(&row.text(0)));
        if phase.is_none_or(|phase| phase < Phase::Switched) {
            return Ok(false);
        }
        let delete =
            "DELETE FROM switch_order WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND way = 'back'";
        let gone = tx.execute(delete, values![key.organisation, key.project, mailbox]).await?;
        tx.commit().await?;
        Ok(gone > 0)
    }

    /// What was said of mailboxes' switches.
    pub async fn switch_orders(&self, key: ProjectKey) -> Result<Vec<SwitchOrder>, Error> {
        let select = "SELECT mailbox, way, at, reason, said_by, said_at FROM switch_order \
            WHERE organisation = $1 AND project = $2 ORDER BY mailbox";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        Ok(rows.iter().map(switch_order).collect())
    }

    /// What was said of a mailbox's switch.
    pub async fn switch_order(&self, key: ProjectKey, mailbox: i64) -> Result<Option<SwitchOrder>, Error> {
        let select = "SELECT mailbox, way, at, reason, said_by, said_at FROM switch_order \
            WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        Ok(rows.first().map(switch_order))
    }

    /// How a mailbox comes to switch by its collection: how, when (its own date, else the collection's), and the collection's name.
    pub async fn switch_plan(
        &self,
        key: ProjectKey,
        mailbox: i64,
    ) -> Result<Option<(SwitchHow, Option<i64>, String)>, Error> {
        let select = "SELECT c.switch_how, coalesce(m.switch_at, c.switch_at), c.name FROM collection_member m \
            JOIN collection c ON c.organisation = m.organisation AND c.project = m.project AND c.collection = m.collection \
            WHERE m.organisation = $1 AND m.project = $2 AND m.object = $3";
        let object = crate::Object::Mailbox(mailbox).text();
        let rows = self.database.query(select, values![key.organisation, key.project, object]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let how = SwitchHow::from_name(&row.text(0)).ok_or_else(|| Error::damaged("how a collection switches"))?;
        Ok(Some((how, row.int_or_null(1), row.text(2))))
    }

    /// The date of every mailbox whose switch has one, by its collection or its own (milliseconds since 1970).
    pub async fn switch_dates(&self, key: ProjectKey) -> Result<BTreeMap<i64, i64>, Error> {
        let select = "SELECT m.object, coalesce(m.switch_at, c.switch_at) FROM collection_member m \
            JOIN collection c ON c.organisation = m.organisation AND c.project = m.project AND c.collection = m.collection \
            WHERE m.organisation = $1 AND m.project = $2 AND coalesce(m.switch_at, c.switch_at) IS NOT NULL";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let number = |row: &Row| row.text(0).strip_prefix("mailbox/").and_then(|number| number.parse::<i64>().ok());
        let mut dates: BTreeMap<i64, i64> = rows.iter().filter_map(|row| Some((number(row)?, row.int(1)))).collect();
        for order in self.switch_orders(key).await?.into_iter().filter(|order| !order.is_back) {
            dates.insert(order.mailbox, order.at);
        }
        Ok(dates)
    }

    /// The last switch of each mailbox that has one.
    pub async fn switches(&self, key: ProjectKey) -> Result<Vec<SwitchRow>, Error> {
        let select = switches!(
            "AND NOT EXISTS (SELECT 1 FROM switch AS later WHERE later.organisation = one.organisation \
             AND later.project = one.project AND later.mailbox = one.mailbox AND later.switch > one.switch) ORDER BY mailbox"
        );
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        Ok(rows.iter().map(switch_row).collect())
    }

    /// Mailboxes of which some switch once did this task.
    pub async fn ever_ended(&self, key: ProjectKey, task: &str) -> Result<BTreeSet<i64>, Error> {
        let select = "SELECT DISTINCT mailbox FROM switch_task WHERE organisation = $1 AND project = $2 AND task = $3 \
            AND ended = 'done'";
        let rows = self.database.query(select, values![key.organisation, key.project, task]).await?;
        Ok(rows.iter().map(|row| row.int(0)).collect())
    }

    /// The last switch of a mailbox.
    pub async fn switch_of(&self, key: ProjectKey, mailbox: i64) -> Result<Option<SwitchRow>, Error> {
        let select = switches!("AND mailbox = $3 ORDER BY switch DESC LIMIT 1");
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        Ok(rows.first().map(switch_row))
    }

    /// How many switches of a mailbox were reversed by themselves, one after the other, since the last that was not.
    pub async fn reversed_switches(&self, key: ProjectKey, mailbox: i64) -> Result<u32, Error> {
        let select = "SELECT count(*) FROM switch AS one WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
            AND ended_on = 'source' AND taken_back_by IS NULL AND NOT EXISTS (SELECT 1 FROM switch AS later \
            WHERE later.organisation = one.organisation AND later.project = one.project \
            AND later.mailbox = one.mailbox AND later.switch > one.switch \
            AND (later.ended_on = 'target' OR later.taken_back_by IS NOT NULL))";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        Ok(rows[0].int(0) as u32)
    }

    /// The tasks of a switch, in the order in which they were begun.
    pub async fn switch_tasks(&self, key: ProjectKey, mailbox: i64, switch: i64) -> Result<Vec<SwitchTask>, Error> {
        let select = "SELECT task, begun_at, ended_at, ended, evidence FROM switch_task WHERE organisation = $1 \
            AND project = $2 AND mailbox = $3 AND switch = $4 ORDER BY place";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox, switch]).await?;
        let task = |row: &Row| SwitchTask {
            task: row.text(0),
            begun_at: row.int(1),
            ended: row.int_or_null(2).map(|at| (at, row.text(3))),
            evidence: row.text(4),
        };
        Ok(rows.iter().map(task).collect())
    }
}

impl LedgerTx<'_> {
    /// Begins a switch of the mailbox at this task. Its number.
    pub async fn begin_switch(&mut self, task: &str, why: &str, by: &str) -> Result<i64, Error> {
        let key = self.lease.key;
        let mailbox = self.lease.mailbox;
        let max = "SELECT max(switch) FROM switch WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        let number = crate::project::next(&mut self.tx, max, values![key.organisation, key.project, mailbox]).await?;
        let insert = "INSERT INTO switch (organisation, project, mailbox, switch, task, since, tries, why, begun_by, begun_at) \
            VALUES ($1, $2, $3, $4, $5, {now}, 0, $6, $7, {now})";
        let row = values![key.organisation, key.project, mailbox, number, task, why, by];
        self.tx.execute(insert, row).await?;
        self.begin_task(number, task).await?;
        Ok(number)
    }

    /// Adds what was seen to the record of the task that was begun last.
    pub async fn note_task(&mut self, switch: i64, evidence: &str) -> Result<(), Error> {
        let key = self.lease.key;
        let update = "UPDATE switch_task SET evidence = $5 WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
            AND switch = $4 AND ended_at IS NULL";
        let row = values![key.organisation, key.project, self.lease.mailbox, switch, evidence];
        self.tx.execute(update, row).await.map(|_| ())
    }

    async fn begin_task(&mut self, switch: i64, task: &str) -> Result<(), Error> {
        let key = self.lease.key;
        let insert = "INSERT INTO switch_task (organisation, project, mailbox, switch, place, task, begun_at, evidence) \
            SELECT $1, $2, $3, $4, coalesce(max(place), 0) + 1, $5, {now}, '' FROM switch_task \
            WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND switch = $4";
        let row = values![key.organisation, key.project, self.lease.mailbox, switch, task];
        self.tx.execute(insert, row).await.map(|_| ())
    }

    async fn end_task(&mut self, switch: i64, ended: &str, evidence: &str) -> Result<(), Error> {
        let key = self.lease.key;
        let update = "UPDATE switch_task SET ended_at = {now}, ended = $5, \
            evidence = CASE WHEN evidence = '' THEN $6 ELSE evidence || '\n' || $6 END WHERE organisation = $1 \
            AND project = $2 AND mailbox = $3 AND switch = $4 AND ended_at IS NULL";
        let row = values![key.organisation, key.project, self.lease.mailbox, switch, ended, evidence];
        self.tx.execute(update, row).await.map(|_| ())
    }

    /// The switch comes to another task, the one before having ended so (`done` or `turned-back`).
    pub async fn go_to_task(&mut self, switch: i64, task: &str, ended: &str, evidence: &str) -> Result<(), Error> {
        self.end_task(switch, ended, evidence).await?;
        let key = self.lease.key;
        let update = "UPDATE switch SET task = $5, since = {now}, tries = 0, waits = NULL, quiet_since = NULL, \
            awaits = 0, awaited_at = NULL, ended_at = NULL, ended_on = NULL WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND switch = $4";
        self.tx.execute(update, values![key.organisation, key.project, self.lease.mailbox, switch, task]).await?;
        self.begin_task(switch, task).await
    }

    /// The task of the switch is to be tried again: what it waits for, whether the try failed, and since when nothing new came.
    pub async fn task_waits(
        &mut self,
        switch: i64,
        waits: &str,
        has_failed: bool,
        quiet_since: Option<i64>,
    ) -> Result<(), Error> {
        let key = self.lease.key;
        let update = "UPDATE switch SET waits = $5, tries = CASE WHEN $6 = 1 THEN tries + 1 ELSE 0 END, quiet_since = $7, \
            awaits = 0 WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND switch = $4";
        let row = values![
            key.organisation,
            key.project,
            self.lease.mailbox,
            switch,
            waits,
            i64::from(has_failed),
            quiet_since
        ];
        self.tx.execute(update, row).await.map(|_| ())
    }

    /// The task of the switch, which waits, waits for a person.
    pub async fn task_is_awaited(&mut self, switch: i64) -> Result<(), Error> {
        let key = self.lease.key;
        let update = "UPDATE switch SET awaits = 1, awaited_at = {now} WHERE organisation = $1 AND project = $2 \
            AND mailbox = $3 AND switch = $4";
        let row = values![key.organisation, key.project, self.lease.mailbox, switch];
        self.tx.execute(update, row).await.map(|_| ())
    }

    /// The switch has come to its end on this side. What was said of it is done.
    pub async fn end_switch(&mut self, switch: i64, on_target: bool, evidence: &str) -> Result<(), Error> {
        self.end_task(switch, "done", evidence).await?;
        let key = self.lease.key;
        let update = "UPDATE switch SET ended_at = {now}, ended_on = $5, waits = NULL, tries = 0, awaits = 0 WHERE organisation = $1 \
            AND project = $2 AND mailbox = $3 AND switch = $4";
        let on = if on_target { "target" } else { "source" };
        self.tx.execute(update, values![key.organisation, key.project, self.lease.mailbox, switch, on]).await?;
        // A word to go back is not done by arriving; one to go over stays where the way there was closed for a while.
        let delete = "DELETE FROM switch_order WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND way = $4";
        let way = if on_target { "over" } else { "back" };
        let values = values![key.organisation, key.project, self.lease.mailbox, way];
        self.tx.execute(delete, values).await.map(|_| ())
    }

    /// Is the mailbox still to be taken back, by what was said of it?
    pub async fn is_to_go_back(&mut self) -> Result<bool, Error> {
        let key = self.lease.key;
        let select =
            "SELECT 1 FROM switch_order WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND way = 'back'";
        let rows = self.tx.query(select, values![key.organisation, key.project, self.lease.mailbox]).await?;
        Ok(!rows.is_empty())
    }

    /// Somebody takes the switch back.
    pub async fn take_back(&mut self, switch: i64, by: &str) -> Result<(), Error> {
        let key = self.lease.key;
        let update = "UPDATE switch SET taken_back_by = $5 WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
            AND switch = $4";
        let row = values![key.organisation, key.project, self.lease.mailbox, switch, by];
        self.tx.execute(update, row).await.map(|_| ())
    }
}
