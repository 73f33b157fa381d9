//! Dates that a target can't hold: with which one such an item travels instead.
//!
//! It is found in the message itself, so that the same message gets the same date whenever it is read. What was given once
//! is kept in the ledger and counts from then on, also when the day has come: what lies on the target stays as it is.

use std::collections::HashMap;
use std::sync::Arc;

use connector::maildate::{Named, named_in};
use connector::{Body, Clock};
use model::{Digest, ReceivedAt};
use store::{DateGiven, How, Treatment};

use crate::traits;
use crate::travel::UNSEEN;

/// The rule by which an item gets another date.
pub(crate) const RULE: &str = "repair-date";
/// The dates in a longer header are not looked for.
const HEADER_BYTES_MAX: u64 = 256 * 1024;

/// A date that takes the place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) date: ReceivedAt,
    /// Where it is from, as the ledger says it.
    pub(crate) from: &'static str,
}

/// What is made of an item that keeps its own date after all.
pub(crate) fn kept(made: Treatment) -> Option<Treatment> {
    let mut detail: Vec<serde_json::Value> = serde_json::from_str(&made.detail).unwrap_or_default();
    detail.retain(|line| line["rule"] != RULE);
    let detail_text = serde_json::Value::from(detail.clone()).to_string();
    let made = Treatment { detail: detail_text, source_received: None, ..made };
    if made.rule != RULE {
        return Some(made);
    }
    // What could not be looked into was noted before its date was repaired.
    let noted = detail.iter().find_map(|line| line["rule"].as_str()).unwrap_or(UNSEEN).to_owned();
    (!detail.is_empty()).then_some(Treatment { how: How::Noted, rule: noted, ..made })
}

/// What is known of dates in a run over a mailbox.
pub(crate) struct Dates {
    /// Asked when an item is read: mail comes while others are.
    clock: Arc<dyn Clock>,
    /// By what travelled and what its source said.
    given: HashMap<(Digest, i64), i64>,
}

impl std::fmt::Debug for Dates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dates").field("given", &self.given.len()).finish_non_exhaustive()
    }
}

impl Dates {
    pub(crate) fn new(clock: Arc<dyn Clock>, given: Vec<DateGiven>) -> Self {
        let given = given.into_iter().map(|given| ((given.exact, given.source_received), given.received));
        Self { clock, given: given.collect() }
    }

    /// The time, in seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.clock.unix_seconds()
    }

    /// What is special about this date.
    pub(crate) fn traits(&self, received: Option<i64>) -> u8 {
        traits::of_date(received, self.now())
    }

    /// The date that was given to such an item before.
    pub(crate) fn given(&self, exact: Digest, received: i64) -> Option<Given> {
        let given = self.given.get(&(exact, received))?;
        Some(Given { date: ReceivedAt::utc(*given), from: "as-before" })
    }

    /// The date that this message names: of its `Date`, else the newest `Received`; where it names none that can be, the
    /// present.
    pub(crate) fn find(&self, message: &Body) -> std::io::Result<Given> {
        let mut header = vec![0; message.size_bytes().min(HEADER_BYTES_MAX) as usize];
        let mut filled = 0;
        while filled < header.len() {
            match message.read_at(filled as u64, &mut header[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(self.choose(&named_in(&header[..filled])))
    }

    fn choose(&self, named: &Named) -> Given {
        let can_be = |date: &ReceivedAt| self.traits(Some(date.unix_seconds)) == 0;
        let newest = || named.received.iter().copied().filter(can_be).max_by_key(|date| date.unix_seconds);
        let of_date = named.date.filter(can_be).map(|date| Given { date, from: "date" });
        of_date
            .or_else(|| newest().map(|date| Given { date, from: "received" }))
            .unwrap_or(Given { date: ReceivedAt::utc(self.now()), from: "first-seen" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct At(i64);

    impl Clock for At {
        fn since_boot(&self) -> std::time::Duration {
            std::time::Duration::ZERO
        }

        fn unix_seconds(&self) -> i64 {
            self.0
        }
    }

    #[test]
    fn the_message_says_when_it_is_from_and_never_a_time_that_cannot_be() {
        let dates = Dates::new(Arc::new(At(1_800_000_000)), Vec::new());
        let named = |header: &str| {
            let given = dates.choose(&named_in(header.as_bytes()));
            (given.date.unix_seconds, given.from)
        };
        let old = "Date: Thu, 1 Jan 1970 00:00:09 +0000\n";
        let new = "Date: Thu, 1 Jan 2060 00:00:09 +0000\n";
        let received = "Received: by a; Thu, 1 Jan 1970 00:00:05 +0000\nReceived: by b;\n Thu, 1 Jan 1970 01:00:07 +0100\n\
            Received: by c; Fri, 1 Jan 2060 00:00:00 +0000\n";
        assert_eq!(named(&format!("{received}{old}")), (9, "date"));
        assert_eq!(named(&format!("{new}{received}")), (7, "received"));
        assert_eq!(
            named(&format!("{new}Received: by d; Thu, 1 Jan 1970 00:00:00 +0000\n")),
            (1_800_000_000, "first-seen")
        );
        assert_eq!(named("Subject: a\n\nDate: Thu, 1 Jan 1970 00:00:09 +0000\n"), (1_800_000_000, "first-seen"));
    }
}
