//! whenChanged and modifyTimestamp (RFC 4512 section 3.4.2): the time of an entry's last change. It tells nothing of what is
//! gone, so which entries there are is compared.

use std::time::Duration;

use connector::Error;

use super::tell::Reading;
use crate::config::Kind;
use crate::map::cursor::Feed;
use crate::wire::filter;
use crate::wire::time::to_generalized;

impl Reading<'_> {
    /// Tells what changed since this time, and something before it.
    pub(crate) async fn timestamp_changed(&mut self, since: i64) -> Result<(), Error> {
        let from = since.saturating_sub_unsigned(self.config.overlap.as_secs()).max(0);
        let time = to_generalized(from, self.config.kind == Kind::ActiveDirectory);
        let filter = filter::all([self.scope.filter.clone(), format!("({}>={time})", self.timestamp)]);
        self.take_by_filter(&filter).await
    }

    /// From where on changes are learnt after this reading, which was from this time on.
    pub(crate) fn timestamp_next(&self, since: i64) -> Feed {
        Feed::Timestamp(next(since, self.latest, self.clock.since_boot().saturating_sub(self.began)))
    }
}

/// The time to go on from after a reading from this time on that saw this latest change and took this long: not after it began.
/// By the server's clock alone, for others may be wrong.
fn next(since: i64, latest: i64, took: Duration) -> i64 {
    since.max(latest.saturating_sub_unsigned(took.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_while_it_is_read_is_asked_for_again() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(next(0, 10_000, hour), 6_400);
        assert_eq!(next(9_000, 10_000, hour), 9_000, "never back");
        assert_eq!(next(9_000, 0, hour), 9_000, "nothing changed");
        assert_eq!(next(9_000, 10_000, Duration::ZERO), 10_000);
    }
}
