//! Alerts: what needs a person, since when, and who was told of it and of its end.
//!
//! Of one thing at most one alert is open. Whoever is to be told is a row before they are, and a letter has its Message-ID from the
//! first try on. Times are told by whoever calls.

use crate::sql::{Alone, Durability, Row, values};
use crate::{Error, ProjectKey, Store};

/// What an alert begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAlert {
    /// Its kind.
    pub kind: String,
    /// What it is about: a collection, a server, a mailbox.
    pub about: String,
    /// What is so, without any content or subject.
    pub what: String,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRow {
    /// Its number.
    pub alert: i64,
    /// What it is.
    pub of: NewAlert,
    /// When it was raised (milliseconds since 1970).
    pub raised_at: i64,
    /// When what raised it was last seen.
    pub last_seen_at: i64,
    /// When it was over.
    pub cleared_at: Option<i64>,
    /// Who was told, or is to be.
    pub tellings: Vec<Telling>,
}

/// What is told of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TellingEvent {
    /// That it is so.
    Raised,
    /// That it is so no more.
    Over,
}

impl TellingEvent {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Over => "over",
        }
    }
}

/// How somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By a letter.
    Mail,
    /// By a request to an address.
    Webhook,
}

impl Way {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhook => "webhook",
        }
    }
}

/// That somebody is to be told of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telling {
    /// The alert.
    pub alert: i64,
    /// What of it.
    pub event: TellingEvent,
    /// How.
    pub way: Way,
    /// Whom.
    pub whom: String,
    /// The Message-ID of the letter that it was first put into.
    pub message_id: Option<String>,
    /// When they were told.
    pub told_at: Option<i64>,
    /// How often that was tried.
    pub tries: u64,
    /// When it is tried next.
    pub try_at: i64,
    /// Why the last try failed.
    pub said: Option<String>,
}

/// How far a collection came, for whoever asks whether it stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgressRow {
    /// Its name; none for those who are in none.
    pub collection: Option<String>,
    /// Since when the one that has been due for longest is (milliseconds since 1970); none: none is.
    pub due_since: Option<i64>,
    /// How many are due.
    pub due: u64,
    /// When one of its mailboxes was last read to its end, or began to be written to.
    pub moved_at: Option<i64>,
}

fn telling(row: &Row) -> Telling {
    Telling {
        alert: row.int(0),
        event: if row.text(1) == "over" { TellingEvent::Over } else { TellingEvent::Raised },
        way: if row.text(2) == "webhook" { Way::Webhook } else { Way::Mail },
        whom: row.text(3),
        message_id: row.text_or_null(4),
        told_at: row.int_or_null(5),
        tries: row.int(6).unsigned_abs(),
        try_at: row.int(7),
        said: row.text_or_null(8),
    }
}

fn alert(row: &Row) -> AlertRow {
    AlertRow {
        alert: row.int(0),
        of: NewAlert { kind: row.text(1), about: row.text(2), what: row.text(3) },
        raised_at: row.int(4),
        last_seen_at: row.int(5),
        cleared_at: row.int_or_null(6),
        tellings: Vec::new(),
    }
}

impl Store {
    /// The alerts that are open, and those over since then of which somebody is still to be told, the oldest first.
    pub async fn alerts_at_work(&self, key: ProjectKey, over_since: i64) -> Result<Vec<AlertRow>, Error> {
        let select = "SELECT alert, kind, about, what, raised_at, last_seen_at, cleared_at FROM alert a \
            WHERE organisation = $1 AND project = $2 AND (cleared_at IS NULL OR (cleared_at >= $3 AND EXISTS (SELECT 1 FROM alert_telling t \
            WHERE t.organisation = a.organisation AND t.project = a.project AND t.alert = a.alert AND t.told_at IS NULL))) \
            ORDER BY alert";
        let rows = self.database.query(select, values![key.organisation, key.project, over_since]).await?;
        self.with_tellings(key, rows.iter().map(alert).collect()).await
    }

    /// The alerts that were raised last, the newest first; or the open ones alone.
    pub async fn alerts(&self, key: ProjectKey, open_alone: bool, max: u32) -> Result<Vec<AlertRow>, Error> {
        let select = "SELECT alert, kind, about, what, raised_at, last_seen_at, cleared_at FROM alert \
            WHERE organisation = $1 AND project = $2 AND ($3 = 0 OR cleared_at IS NULL) ORDER BY alert DESC LIMIT $4";
        let row = values![key.organisation, key.project, open_alone, i64::from(max)];
        let rows = self.database.query(select, row).await?;
        self.with_tellings(key, rows.iter().map(alert).collect()).await
    }

    async fn with_tellings(&self, key: ProjectKey, mut alerts: Vec<AlertRow>) -> Result<Vec<AlertRow>, Error> {
        let Some(first) = alerts.iter().map(|row| row.alert).min() else { return Ok(alerts) };
        let select = "SELECT alert, event, way, whom, message_id, told_at, tries, try_at, said FROM alert_telling \
            WHERE organisation = $1 AND project = $2 AND alert >= $3 ORDER BY alert, event DESC, way, whom";
        for row in self.database.query(select, values![key.organisation, key.project, first]).await? {
            let telling = telling(&row);
            if let Some(alert) = alerts.iter_mut().find(|alert| alert.alert == telling.alert) {
                alert.tellings.push(telling);
            }
        }
        Ok(alerts)
    }

    /// What is so was seen: of what was not known it raises an alert, of which these are to be told. False: it was known.
    pub async fn see_alert(
        &self,
        key: ProjectKey,
        new: &NewAlert,
        tell: &[(Way, String)],
        now: i64,
    ) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::Telling).await?;
        let update = "UPDATE alert SET last_seen_at = $5, what = $6 WHERE organisation = $1 AND project = $2 AND kind = $3 \
            AND about = $4 AND cleared_at IS NULL";
        let (kind, about, what) = (new.kind.as_str(), new.about.as_str(), new.what.as_str());
        let row = || values![key.organisation, key.project, kind, about, now, what];
        if tx.execute(update, row()).await? > 0 {
            tx.commit().await?;
            return Ok(false);
        }
        let insert = "INSERT INTO alert (organisation, project, alert, kind, about, raised_at, last_seen_at, what) \
            SELECT $1, $2, coalesce(max(alert), 0) + 1, $3, $4, $5, $5, $6 FROM alert \
            WHERE organisation = $1 AND project = $2 RETURNING alert";
        let number = tx.query(insert, row()).await?[0].int(0);
        add_tellings(&mut tx, key, number, TellingEvent::Raised, tell, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// These are to be told of an alert that is open, besides those who are.
    pub async fn also_tell(
        &self,
        key: ProjectKey,
        of: &NewAlert,
        tell: &[(Way, String)],
        now: i64,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let select = "SELECT alert FROM alert WHERE organisation = $1 AND project = $2 AND kind = $3 AND about = $4 \
            AND cleared_at IS NULL";
        let row = values![key.organisation, key.project, of.kind.as_str(), of.about.as_str()];
        let Some(number) = tx.query(select, row).await?.first().map(|row| row.int(0)) else { return Ok(()) };
        add_tellings(&mut tx, key, number, TellingEvent::Raised, tell, now).await?;
        tx.commit().await
    }

    /// An alert is over, and these are to be told. False: it was over.
    pub async fn end_alert(
        &self,
        key: ProjectKey,
        number: i64,
        tell: &[(Way, String)],
        now: i64,
    ) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let update = "UPDATE alert SET cleared_at = $4 WHERE organisation = $1 AND project = $2 AND alert = $3 \
            AND cleared_at IS NULL";
        if tx.execute(update, values![key.organisation, key.project, number, now]).await? == 0 {
            return Ok(false);
        }
        add_tellings(&mut tx, key, number, TellingEvent::Over, tell, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Somebody is about to be told, in this letter where it is one, and that is not tried again before `try_at`. The Message-ID of an
    /// earlier try stays. False: another process tells them, or they know.
    pub async fn begin_telling(
        &self,
        key: ProjectKey,
        telling: &Telling,
        message_id: Option<&str>,
        now: i64,
        try_at: i64,
    ) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let update = "UPDATE alert_telling SET message_id = coalesce(message_id, $7), tries = tries + 1, try_at = $9 \
            WHERE organisation = $1 AND project = $2 AND alert = $3 AND event = $4 AND way = $5 AND whom = $6 \
            AND told_at IS NULL AND try_at <= $8";
        let mut row = of_telling(key, telling);
        row.extend(values![message_id, now, try_at]);
        let is_ours = tx.execute(update, row).await? == 1;
        tx.commit().await?;
        Ok(is_ours)
    }

    /// What became of telling somebody: none, they know; else why not.
    pub async fn end_telling(
        &self,
        key: ProjectKey,
        telling: &Telling,
        now: i64,
        said: Option<&str>,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let update = "UPDATE alert_telling SET told_at = CASE WHEN CAST($8 AS TEXT) IS NULL THEN CAST($7 AS BIGINT) \
            ELSE told_at END, said = $8 WHERE organisation = $1 AND project = $2 AND alert = $3 AND event = $4 AND way = $5 \
            AND whom = $6 AND told_at IS NULL";
        let mut row = of_telling(key, telling);
        row.extend(values![now, said]);
        tx.execute(update, row).await?;
        tx.commit().await
    }

    /// Looks at something that is watched: it is well now, or not. Since when it has not been well; it counts as well at the first look,
    /// and whenever nobody has looked since `unseen_before`.
    pub async fn watch_subject(
        &self,
        key: ProjectKey,
        subject: &str,
        well_at: Option<i64>,
        now: i64,
        unseen_before: i64,
    ) -> Result<i64, Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        let select = "SELECT well_at, looked_at FROM watched WHERE organisation = $1 AND project = $2 AND subject = $3";
        let rows = tx.query(select, values![key.organisation, key.project, subject]).await?;
        let known = rows.first().filter(|row| row.int(1) >= unseen_before).map_or(now, |row| row.int(0));
        let well_at = known.max(well_at.unwrap_or(i64::MIN)).min(now);
        let upsert = "INSERT INTO watched (organisation, project, subject, well_at, looked_at) VALUES ($1, $2, $3, $4, $5) \
            ON CONFLICT (organisation, project, subject) DO UPDATE SET well_at = excluded.well_at, looked_at = excluded.looked_at";
        tx.execute(upsert, values![key.organisation, key.project, subject, well_at, now]).await?;
        tx.commit().await?;
        Ok(well_at)
    }

    /// How far each collection came. Whoever is parked waits for a person, and is not due here.
    pub async fn progress(&self, key: ProjectKey, now: i64) -> Result<Vec<ProgressRow>, Error> {
        let select = "SELECT collection, min(CASE WHEN due_at <= $3 AND condition <> 'parked' THEN due_at END), \
            CAST(sum(CASE WHEN due_at <= $3 AND condition <> 'parked' THEN 1 ELSE 0 END) AS BIGINT), max(pass_ended_at), \
            max((SELECT max(i.opened_at) FROM intent i WHERE i.organisation = m.organisation AND i.project = m.project \
            AND i.mailbox = m.mailbox)) \
            FROM mailbox m WHERE organisation = $1 AND project = $2 AND listed = 1 AND withheld = 0 AND set_aside IS NULL GROUP BY collection ORDER BY collection";
        let rows = self.database.query(select, values![key.organisation, key.project, now]).await?;
        let row = |row: &Row| ProgressRow {
            collection: row.text_or_null(0),
            due_since: row.int_or_null(1),
            due: row.int(2).unsigned_abs(),
            moved_at: row.int_or_null(3).max(row.int_or_null(4)),
        };
        Ok(rows.iter().map(row).collect())
    }

    /// How many items failed for the first time since then, by class, the most frequent first; and in how many mailboxes, which are
    /// counted once for each class.
    pub async fn failed_since(&self, key: ProjectKey, since: i64) -> Result<Vec<(String, u64, u64)>, Error> {
        let select = "SELECT f.cause, count(*), count(DISTINCT d.mailbox) FROM failure f JOIN folder d \
            ON d.organisation = f.organisation AND d.project = f.project AND d.folder = f.folder \
            WHERE f.organisation = $1 AND f.project = $2 AND f.first_at > $3 AND f.accepted_by IS NULL \
            GROUP BY f.cause ORDER BY count(*) DESC, f.cause";
        let rows = self.database.query(select, values![key.organisation, key.project, since]).await?;
        Ok(rows.iter().map(|row| (row.text(0), row.int(1).unsigned_abs(), row.int(2).unsigned_abs())).collect())
    }
}

fn of_telling(key: ProjectKey, telling: &Telling) -> Vec<crate::sql::Value> {
    let (event, way) = (telling.event.name(), telling.way.name());
    values![key.organisation, key.project, telling.alert, event, way, telling.whom.as_str()]
}

async fn add_tellings(
    tx: &mut crate::sql::Tx<'_>,
    key: ProjectKey,
    number: i64,
    event: TellingEvent,
    tell: &[(Way, String)],
    now: i64,
) -> Result<(), Error> {
    for (way, whom) in tell {
        let insert = "INSERT INTO alert_telling (organisation, project, alert, event, way, whom, tries, try_at) \
            VALUES ($1, $2, $3, $4, $5, $6, 0, $7) ON CONFLICT DO NOTHING";
        let row = values![key.organisation, key.project, number, event.name(), way.name(), whom.as_str(), now];
        tx.execute(insert, row).await?;
    }
    Ok(())
}
