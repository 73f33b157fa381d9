//! What local servers still take for legacy addresses, as their logs tell.

use crate::sql::{Durability, Row, values};
use crate::{Error, ProjectKey, Store};

/// Mail for a legacy address, by sender and day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyArrival {
    /// The address, in small letters.
    pub address: String,
    /// The sender of the envelope, in small letters: empty for a bounce, `?` where the log did not tell.
    pub sender: String,
    /// The day, as `2026-12-05`, in the organisation's time zone.
    pub day: String,
    /// How many messages.
    pub messages: u64,
    /// When the last of them was handed on (milliseconds since 1970).
    pub last_at: i64,
}

/// How far a log was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRead {
    /// Its path.
    pub log: String,
    /// Where reading goes on, as JSON.
    pub place: String,
    /// Since when it was followed without a gap (milliseconds since 1970); none: it had no line yet.
    pub watched_since: Option<i64>,
    /// When it was read (milliseconds since 1970).
    pub read_at: i64,
    /// The number of this reading, from 1.
    pub number: i64,
}

impl Store {
    /// The logs that were read.
    pub async fn log_reads(&self, key: ProjectKey) -> Result<Vec<LogRead>, Error> {
        let select = "SELECT log, place, watched_since, read_at, number FROM log_read \
            WHERE organisation = $1 AND project = $2 ORDER BY log";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let row = |row: &Row| LogRead {
            log: row.text(0),
            place: row.text(1),
            watched_since: row.int_or_null(2),
            read_at: row.int(3),
            number: row.int(4),
        };
        Ok(rows.iter().map(row).collect())
    }

    /// Keeps what was read of a log since the reading before, and how far that was. False: somebody else has read it meanwhile, and nothing
    /// is kept. What is older than this moment (milliseconds since 1970) is forgotten.
    pub async fn add_log_read(
        &self,
        key: ProjectKey,
        read: &LogRead,
        arrivals: &[LegacyArrival],
        forget_before: i64,
    ) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let upsert = "INSERT INTO log_read (organisation, project, log, place, watched_since, read_at, number) \
            VALUES ($1, $2, $3, $4, $5, {now}, $6) ON CONFLICT (organisation, project, log) DO UPDATE SET \
            place = excluded.place, watched_since = excluded.watched_since, read_at = excluded.read_at, \
            number = excluded.number WHERE log_read.number = excluded.number - 1";
        let values = values![key.organisation, key.project, &*read.log, &*read.place, read.watched_since, read.number];
        if tx.execute(upsert, values).await? == 0 {
            return Ok(false);
        }
        for one in arrivals {
            let upsert = "INSERT INTO legacy_arrival (organisation, project, address, sender, day, messages, last_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (organisation, project, address, sender, day) DO UPDATE SET \
                messages = legacy_arrival.messages + excluded.messages, \
                last_at = CASE WHEN excluded.last_at > legacy_arrival.last_at THEN excluded.last_at ELSE legacy_arrival.last_at END";
            let (address, sender, day) = (&*one.address, &*one.sender, &*one.day);
            let values = values![key.organisation, key.project, address, sender, day, one.messages as i64, one.last_at];
            tx.execute(upsert, values).await?;
        }
        let delete = "DELETE FROM legacy_arrival WHERE organisation = $1 AND project = $2 AND last_at < $3";
        tx.execute(delete, values![key.organisation, key.project, forget_before]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// When the last message for each address came.
    pub async fn last_arrivals(&self, key: ProjectKey) -> Result<Vec<(String, i64)>, Error> {
        let select = "SELECT address, max(last_at) FROM legacy_arrival WHERE organisation = $1 AND project = $2 \
            GROUP BY address ORDER BY address";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        Ok(rows.iter().map(|row| (row.text(0), row.int(1))).collect())
    }

    /// Mail for legacy addresses since this day, as `2026-12-05`.
    pub async fn legacy_arrivals(&self, key: ProjectKey, since: &str) -> Result<Vec<LegacyArrival>, Error> {
        let select = "SELECT address, sender, day, messages, last_at FROM legacy_arrival \
            WHERE organisation = $1 AND project = $2 AND day >= $3 ORDER BY address, sender, day";
        let rows = self.database.query(select, values![key.organisation, key.project, since]).await?;
        let row = |row: &Row| LegacyArrival {
            address: row.text(0),
            sender: row.text(1),
            day: row.text(2),
            messages: row.int(3).unsigned_abs(),
            last_at: row.int(4),
        };
        Ok(rows.iter().map(row).collect())
    }
}
