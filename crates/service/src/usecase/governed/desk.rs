//! What is reckoned for a governed project: calls to its service desk with the staff that they need, machines, prices (R-098, R-314, R-315,
//!

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use programme::{Advice, DeskSeen, Orders, PriceLine, Quote, Wish};
use serde::Serialize;

use super::Governed;
use crate::Error;

/// The catalogue with the prices of a day.
#[derive(Clone, Debug, Serialize)]
pub struct CatalogueShow {
    /// The day.
    pub day: Date,
    /// Its items.
    pub items: Vec<PriceLine>,
}

impl Governed {
    /// Machines that the migration needs: from the discovery questionnaire, or from numbers that are given here.
    pub fn sizing(&self, mailboxes: Option<u64>, gigabytes: Option<u64>) -> Result<Advice, Error> {
        programme::advice(&self.programme, &self.record, mailboxes, gigabytes).map_err(|unknown| {
            Error::usage(format!("how much is to be migrated is not known: {} is not answered", unknown.join(", ")))
                .advise("whimbrel project fill; or say it here: --mailboxes, --gigabytes")
        })
    }

    /// The catalogue with the prices of this day; of today where none is said.
    pub async fn catalogue(&self, day: Option<Date>) -> Result<CatalogueShow, Error> {
        let day = self.day_or_today(day).await?;
        Ok(CatalogueShow { day, items: programme::prices(&self.programme, day) })
    }

    /// What these would cost on this day; today where none is said.
    pub async fn quote(&self, wishes: &[Wish], day: Option<Date>) -> Result<Quote, Error> {
        let day = self.day_or_today(day).await?;
        programme::quote(&self.programme, wishes, day).map_err(|error| {
            Error::usage(error.to_string()).advise("whimbrel catalogue list tells every item with its unit and price")
        })
    }

    /// What was quoted and ordered, each with the price of its day.
    pub fn orders(&self) -> Orders {
        programme::orders(&self.programme, &self.record)
    }

    async fn day_or_today(&self, day: Option<Date>) -> Result<Date, Error> {
        match day {
            Some(day) => Ok(day),
            None => Ok(self.moment().await?.today),
        }
    }

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
