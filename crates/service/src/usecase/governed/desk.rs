//! The service desk of a governed project: calls that came against those that were forecast, and what to say.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use programme::DeskSeen;

use super::Governed;
use crate::Error;

impl Governed {
    /// The service desk as it stands.
    pub async fn desk(&self) -> Result<DeskSeen, Error> {
        Ok(programme::desk_seen(&self.programme, &self.record, &self.switches().await?))
    }

    /// How many people switch on which day: as they did, else as they are to.
    pub(super) async fn switches(&self) -> Result<Vec<(Date, u64)>, Error> {
        let mut at = self.store.switch_dates(self.key).await?;
        for row in self.store.switches(self.key).await? {
            match row.ended {
                Some((ended, true)) => drop(at.insert(row.mailbox, ended)),
                Some((_, false)) => {}
                None => drop(at.insert(row.mailbox, row.begun_at)),
            }
        }
        let zone = self.config.time_zone();
        let day = |at: i64| Timestamp::from_millisecond(at).ok().map(|at| at.to_zoned(zone.clone()).date());
        let mut days: BTreeMap<Date, u64> = BTreeMap::new();
        for day in at.into_values().filter_map(day) {
            *days.entry(day).or_default() += 1;
        }
        Ok(days.into_iter().collect())
    }
}
