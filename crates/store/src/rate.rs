//! Rates: what was done in each hour, kept for the forecast.

use crate::sql::{Row, Tx, values};
use crate::{Error, Lease, ProjectKey, Store};

/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;
/// Work of more hours than this is counted in the last ones: nobody asks how it was weeks ago.
const HOURS_MAX: i64 = 7 * 24;

/// What was done of a collection in an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateRow {
    /// The collection's number; 0: mailboxes in none.
    pub collection: i64,
    /// The hour (hours since 1970).
    pub hour: i64,
    /// Items that were copied.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Mailboxes that got in step for the first time.
    pub in_step: u64,
    /// Milliseconds of work, of all workers together.
    pub worked_ms: u64,
}

impl Store {
    /// What was done in each hour from this one on (hours since 1970), of every collection.
    pub async fn rates(&self, key: ProjectKey, from_hour: i64) -> Result<Vec<RateRow>, Error> {
        let select = "SELECT collection, hour, items, bytes, in_step, worked_ms FROM collection_rate \
            WHERE organisation = $1 AND project = $2 AND hour >= $3 ORDER BY hour, collection";
        let rows = self.database.query(select, values![key.organisation, key.project, from_hour]).await?;
        let row = |row: &Row| RateRow {
            collection: row.int(0),
            hour: row.int(1),
            items: row.int(2) as u64,
            bytes: row.int(3) as u64,
            in_step: row.int(4) as u64,
            worked_ms: row.int(5) as u64,
        };
        Ok(rows.iter().map(row).collect())
    }
}

/// Counts work that ends now, so long and so much, in the hours in which it was done.
pub(crate) async fn add_work(tx: &mut Tx<'_>, lease: &Lease, ms: u64, items: u64, bytes: u64) -> Result<(), Error> {
    let now = tx.query("SELECT {now}", Vec::new()).await?[0].int(0);
    for part in spread(now, ms, items, bytes) {
        add(tx, lease, part).await?;
    }
    Ok(())
}

/// Counts that the mailbox is in step for the first time.
pub(crate) async fn add_in_step(tx: &mut Tx<'_>, lease: &Lease) -> Result<(), Error> {
    let hour = tx.query("SELECT {now}", Vec::new()).await?[0].int(0) / HOUR_MS;
    add(tx, lease, RateRow { hour, in_step: 1, ..RateRow::default() }).await
}

async fn add(tx: &mut Tx<'_>, lease: &Lease, row: RateRow) -> Result<(), Error> {
    let insert = "INSERT INTO collection_rate (organisation, project, collection, hour, items, bytes, in_step, worked_ms) \
        SELECT organisation, project, coalesce(member_of, 0), CAST($4 AS BIGINT), CAST($5 AS BIGINT), CAST($6 AS BIGINT), \
        CAST($7 AS BIGINT), CAST($8 AS BIGINT) FROM mailbox WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
        ON CONFLICT (organisation, project, collection, hour) DO UPDATE SET items = collection_rate.items + excluded.items, \
        bytes = collection_rate.bytes + excluded.bytes, in_step = collection_rate.in_step + excluded.in_step, \
        worked_ms = collection_rate.worked_ms + excluded.worked_ms";
    let values = values![
        lease.key.organisation,
        lease.key.project,
        lease.mailbox,
        row.hour,
        row.items as i64,
        row.bytes as i64,
        row.in_step as i64,
        row.worked_ms as i64
    ];
    tx.execute(insert, values).await.map(|_| ())
}

/// Work that ended at this moment, by the hours that it went through; the sums stay what they are.
fn spread(end: i64, ms: u64, items: u64, bytes: u64) -> Vec<RateRow> {
    let last = end / HOUR_MS;
    let begin = end - i64::try_from(ms).unwrap_or(i64::MAX).clamp(0, (HOURS_MAX - 1) * HOUR_MS);
    let long = (end - begin).max(1);
    let (mut parts, mut left) = (Vec::new(), (ms, items, bytes));
    for hour in begin / HOUR_MS..last {
        let share = ((hour + 1) * HOUR_MS).min(end) - (hour * HOUR_MS).max(begin);
        let of =
            |all: u64| (u128::from(all) * u128::from(share.unsigned_abs()) / u128::from(long.unsigned_abs())) as u64;
        let part = RateRow { hour, worked_ms: of(ms), items: of(items), bytes: of(bytes), ..RateRow::default() };
        left = (left.0 - part.worked_ms, left.1 - part.items, left.2 - part.bytes);
        parts.push(part);
    }
    parts.push(RateRow { hour: last, worked_ms: left.0, items: left.1, bytes: left.2, ..RateRow::default() });
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_work_is_counted_in_the_hours_it_went_through_and_nothing_is_lost() {
        let end = 10 * HOUR_MS + HOUR_MS / 2;
        let hours = |ms: i64| spread(end, ms.unsigned_abs(), 100, 1001);
        let short = hours(60_000);
        assert_eq!((short.len(), short[0].hour, short[0].items), (1, 10, 100));
        let long = hours(2 * HOUR_MS);
        assert_eq!(long.iter().map(|row| (row.hour, row.items)).collect::<Vec<_>>(), [(8, 25), (9, 50), (10, 25)]);
        for ms in [0, 1, HOUR_MS, 3 * HOUR_MS + 7, 400 * 24 * HOUR_MS] {
            let parts = hours(ms);
            assert_eq!(parts.iter().map(|row| row.items).sum::<u64>(), 100);
            assert_eq!(parts.iter().map(|row| row.bytes).sum::<u64>(), 1001);
            assert_eq!(parts.iter().map(|row| row.worked_ms).sum::<u64>(), ms.unsigned_abs());
            assert!(parts.len() as i64 <= HOURS_MAX + 1);
        }
    }
}
