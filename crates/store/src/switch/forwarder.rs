//! Forwarders: those from the target to the source (F1), those that were there before (F2), and the marks for people's clients.

use model::{Phase, Side};

use crate::sql::{Durability, Row, values};
use crate::{Error, LedgerTx, ProjectKey, Store};

/// A forwarder from a mailbox's target to its source that is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewForwarder {
    /// The mailbox.
    pub mailbox: i64,
    /// Where it leads.
    pub leads_to: String,
    /// For an account that was there before: who allowed it, on which date, on what evidence, and until when as computed
    /// then.
    pub allowed: Option<[String; 4]>,
    /// Who said so.
    pub said_by: String,
}

/// A forwarder from a mailbox's target to its source. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwarderRow {
    /// What it is.
    pub is: NewForwarder,
    /// Since when it has been on.
    pub on_at: Option<i64>,
    /// Since when it has been off again.
    pub off_at: Option<i64>,
}

impl ForwarderRow {
    /// Is it on, as far as is on record?
    pub fn is_on(&self) -> bool {
        self.on_at.is_some() && self.off_at.is_none()
    }
}

/// Where a mailbox's mail was last found to go on a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRouting {
    /// The mailbox.
    pub mailbox: i64,
    /// The side.
    pub side: Side,
    /// Where our redirect leads, in force.
    pub redirected_to: Option<String>,
    /// What could not be looked into.
    pub unread: Vec<String>,
    /// When (milliseconds since 1970).
    pub seen_at: i64,
}

/// Something that sends a mailbox's mail on and is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundForwarder {
    /// The mailbox.
    pub mailbox: i64,
    /// The side.
    pub side: Side,
    /// What it is, as JSON.
    pub what: String,
}

/// That a person's client is to be led to the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkRow {
    /// The mailbox.
    pub mailbox: i64,
    /// Since when (milliseconds since 1970).
    pub marked_at: i64,
    /// When and by whom it was cleared: the client has been led there.
    pub cleared: Option<(i64, String)>,
}

/// A statement with the columns that [`forwarder_row`] reads.
macro_rules! forwarders {
    ($rest:literal) => {
        concat!(
            "SELECT mailbox, leads_to, guardian, guardian_on, evidence, ends_on, on_at, off_at, said_by ",
            "FROM forwarder WHERE organisation = $1 AND project = $2 ",
            $rest
        )
    };
}

fn side(text: &str) -> Side {
    if text == "target" { Side::Target } else { Side::Source }
}

/// What could not be read, as it is kept.
fn unread(text: &str) -> Result<Vec<String>, Error> {
    serde_json::from_str(text).map_err(|_| Error::damaged("what could not be read of where somebody's mail goes"))
}

fn forwarder_row(row: &Row) -> ForwarderRow {
    let text = |column| row.text_or_null(column).unwrap_or_default();
    let allowed = row.text_or_null(2).map(|guardian| [guardian, text(3), text(4), text(5)]);
    let is = NewForwarder { mailbox: row.int(0), leads_to: row.text(1), allowed, said_by: row.text(8) };
    ForwarderRow { is, on_at: row.int_or_null(6), off_at: row.int_or_null(7) }
}

fn mark_row(row: &Row) -> MarkRow {
    let cleared = row.int_or_null(2).map(|at| (at, row.text(3)));
    MarkRow { mailbox: row.int(0), marked_at: row.int(1), cleared }
}

impl Store {
    /// Says that a forwarder is to be put on. One that is on record for the mailbox is replaced, unless it is on. False: it is on, or the
    /// switch of the mailbox has begun.
    pub async fn add_forwarder(&self, key: ProjectKey, new: &NewForwarder) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let phase = "SELECT phase FROM mailbox WHERE organisation = $1 AND project = $2 AND mailbox = $3 {share}";
        let rows = tx.query(phase, values![key.organisation, key.project, new.mailbox]).await?;
        let phase = rows.first().and_then(|row| Phase::from_name(&row.text(0)));
        if phase.is_none_or(|phase| phase >= Phase::Switching) {
            return Ok(false);
        }
        let upsert = "INSERT INTO forwarder (organisation, project, mailbox, leads_to, guardian, guardian_on, evidence, \
            ends_on, said_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (organisation, project, mailbox) \
            DO UPDATE SET leads_to = excluded.leads_to, guardian = excluded.guardian, \
            guardian_on = excluded.guardian_on, evidence = excluded.evidence, ends_on = excluded.ends_on, \
            said_by = excluded.said_by, on_at = NULL, off_at = NULL \
            WHERE forwarder.on_at IS NULL OR forwarder.off_at IS NOT NULL";
        let allowed = |part: usize| new.allowed.as_ref().map(|allowed| allowed[part].clone());
        let row = values![
            key.organisation,
            key.project,
            new.mailbox,
            new.leads_to.as_str(),
            allowed(0),
            allowed(1),
            allowed(2),
            allowed(3),
            new.said_by.as_str()
        ];
        let changed = tx.execute(upsert, row).await?;
        tx.commit().await?;
        Ok(changed > 0)
    }

    /// A forwarder that was asked for and is not on is to come no more: nobody has asked. False: there is none.
    pub async fn call_off_forwarder(&self, key: ProjectKey, mailbox: i64) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let delete = "DELETE FROM forwarder WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
            AND on_at IS NULL AND off_at IS NULL";
        let changed = tx.execute(delete, values![key.organisation, key.project, mailbox]).await?;
        tx.commit().await?;
        Ok(changed > 0)
    }

    /// Every forwarder from the target to the source that is or was on record.
    pub async fn forwarders(&self, key: ProjectKey) -> Result<Vec<ForwarderRow>, Error> {
        let select = forwarders!("ORDER BY mailbox");
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        Ok(rows.iter().map(forwarder_row).collect())
    }

    /// The forwarder of a mailbox.
    pub async fn forwarder(&self, key: ProjectKey, mailbox: i64) -> Result<Option<ForwarderRow>, Error> {
        let select = forwarders!("AND mailbox = $3");
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        Ok(rows.first().map(forwarder_row))
    }

    /// Keeps what was found of where a mailbox's mail goes on a side, in place of what was found before.
    pub async fn set_found_routing(
        &self,
        key: ProjectKey,
        found: &FoundRouting,
        forwarders: &[String],
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        let upsert = "INSERT INTO forwarders_seen (organisation, project, mailbox, side, redirected_to, unread, seen_at) \
            VALUES ($1, $2, $3, $4, $5, $6, {now}) ON CONFLICT (organisation, project, mailbox, side) DO UPDATE SET \
            redirected_to = excluded.redirected_to, unread = excluded.unread, seen_at = excluded.seen_at";
        let unread = serde_json::Value::from(found.unread.clone()).to_string();
        let side = found.side.to_string();
        let to = found.redirected_to.clone();
        let row = values![key.organisation, key.project, found.mailbox, side.as_str(), to, unread];
        tx.execute(upsert, row).await?;
        let delete =
            "DELETE FROM found_forwarder WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND side = $4";
        tx.execute(delete, values![key.organisation, key.project, found.mailbox, side.as_str()]).await?;
        for (place, what) in forwarders.iter().enumerate() {
            let insert = "INSERT INTO found_forwarder (organisation, project, mailbox, side, place, what, seen_at) \
                VALUES ($1, $2, $3, $4, $5, $6, {now})";
            let place = place as i64;
            let row = values![key.organisation, key.project, found.mailbox, side.as_str(), place, what.as_str()];
            tx.execute(insert, row).await?;
        }
        tx.commit().await
    }

    /// Where mailboxes' mail was last found to go.
    pub async fn found_routings(&self, key: ProjectKey) -> Result<Vec<FoundRouting>, Error> {
        let select = "SELECT mailbox, side, redirected_to, unread, seen_at FROM forwarders_seen \
            WHERE organisation = $1 AND project = $2 ORDER BY mailbox, side";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let found = |row: &Row| {
            Ok(FoundRouting {
                mailbox: row.int(0),
                side: side(&row.text(1)),
                redirected_to: row.text_or_null(2),
                unread: unread(&row.text(3))?,
                seen_at: row.int(4),
            })
        };
        rows.iter().map(found).collect()
    }

    /// Where a mailbox's mail was last found to go on a side, and what sends it on there and is not ours, as JSON.
    pub async fn found_routing(
        &self,
        key: ProjectKey,
        (mailbox, of): (i64, Side),
    ) -> Result<Option<(FoundRouting, Vec<String>)>, Error> {
        let select = "SELECT redirected_to, unread, seen_at FROM forwarders_seen WHERE organisation = $1 AND project = $2 \
            AND mailbox = $3 AND side = $4";
        let side = of.to_string();
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox, side.as_str()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let found = FoundRouting {
            mailbox,
            side: of,
            redirected_to: row.text_or_null(0),
            unread: unread(&row.text(1))?,
            seen_at: row.int(2),
        };
        let select = "SELECT what FROM found_forwarder WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
            AND side = $4 ORDER BY place";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox, side.as_str()]).await?;
        Ok(Some((found, rows.iter().map(|row| row.text(0)).collect())))
    }

    /// What was last found to send mailboxes' mail on, and is not ours.
    pub async fn found_forwarders(&self, key: ProjectKey) -> Result<Vec<FoundForwarder>, Error> {
        let select = "SELECT mailbox, side, what FROM found_forwarder WHERE organisation = $1 AND project = $2 \
            ORDER BY mailbox, side, place";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let found = |row: &Row| FoundForwarder { mailbox: row.int(0), side: side(&row.text(1)), what: row.text(2) };
        Ok(rows.iter().map(found).collect())
    }

    /// The marks for people's clients.
    pub async fn client_marks(&self, key: ProjectKey) -> Result<Vec<MarkRow>, Error> {
        let select = "SELECT mailbox, marked_at, cleared_at, cleared_by FROM client_mark \
            WHERE organisation = $1 AND project = $2 ORDER BY mailbox";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        Ok(rows.iter().map(mark_row).collect())
    }

    /// The mark for the client of a mailbox's person.
    pub async fn client_mark(&self, key: ProjectKey, mailbox: i64) -> Result<Option<MarkRow>, Error> {
        let select = "SELECT mailbox, marked_at, cleared_at, cleared_by FROM client_mark \
            WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        Ok(rows.first().map(mark_row))
    }

    /// Clears the mark of a mailbox: its client has been led to the target. False: there is none, or it is cleared.
    pub async fn clear_client_mark(&self, key: ProjectKey, mailbox: i64, by: &str) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let update = "UPDATE client_mark SET cleared_at = {now}, cleared_by = $4 WHERE organisation = $1 \
            AND project = $2 AND mailbox = $3 AND cleared_at IS NULL";
        let changed = tx.execute(update, values![key.organisation, key.project, mailbox, by]).await?;
        tx.commit().await?;
        Ok(changed > 0)
    }
}

impl LedgerTx<'_> {
    /// The forwarder of the mailbox was seen to be on, or off, now.
    pub async fn set_forwarder(&mut self, is_on: bool) -> Result<(), Error> {
        let key = self.lease.key;
        let update = if is_on {
            "UPDATE forwarder SET on_at = {now}, off_at = NULL WHERE organisation = $1 AND project = $2 \
                AND mailbox = $3"
        } else {
            // One that was never on is to come no more, either.
            "UPDATE forwarder SET off_at = {now} WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
                AND off_at IS NULL"
        };
        self.tx.execute(update, values![key.organisation, key.project, self.lease.mailbox]).await.map(|_| ())
    }

    /// The forwarder of the mailbox was taken off for a while, and is to come again.
    pub async fn forwarder_waits(&mut self) -> Result<(), Error> {
        let key = self.lease.key;
        let update = "UPDATE forwarder SET on_at = NULL, off_at = NULL WHERE organisation = $1 AND project = $2 \
            AND mailbox = $3";
        self.tx.execute(update, values![key.organisation, key.project, self.lease.mailbox]).await.map(|_| ())
    }

    /// What was found of where the mailbox's mail goes on a side is out of date: who asks looks again.
    pub async fn look_again(&mut self, of: Side) -> Result<(), Error> {
        let key = self.lease.key;
        let update = "UPDATE forwarders_seen SET seen_at = 0 WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
            AND side = $4";
        let side = of.to_string();
        let row = values![key.organisation, key.project, self.lease.mailbox, side.as_str()];
        self.tx.execute(update, row).await.map(|_| ())
    }

    /// Marks the mailbox for its person's client, or takes the mark away.
    pub async fn set_client_mark(&mut self, is_marked: bool) -> Result<(), Error> {
        let key = self.lease.key;
        let change = if is_marked {
            "INSERT INTO client_mark (organisation, project, mailbox, marked_at) VALUES ($1, $2, $3, {now}) \
                ON CONFLICT (organisation, project, mailbox) DO UPDATE SET marked_at = excluded.marked_at, \
                cleared_at = NULL, cleared_by = NULL"
        } else {
            "DELETE FROM client_mark WHERE organisation = $1 AND project = $2 AND mailbox = $3"
        };
        self.tx.execute(change, values![key.organisation, key.project, self.lease.mailbox]).await.map(|_| ())
    }
}
