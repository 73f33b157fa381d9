//! At which moment a day's reports are owed, across changes of the clock. Pure.
//!
//! An hour that a day does not have is the moment at which the clock jumps over it; of an hour that comes twice it is the first. A
//! report is about the whole local day before, which has 23, 24 or 25 hours, or what its zone has. A date that a zone leaves out – one
//! that moved across the date line – has no reports, and none are about it.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

/// For so many days reports are still sent that could not be sent at their hour.
const MISSED_DAYS_MAX: i64 = 3;

/// Reports that are owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// The whole local day that they are about.
    pub(crate) about: Date,
    /// When they are owed.
    pub(crate) at: Timestamp,
}

/// The moment of this hour on this day; none where the zone leaves the day out, or at the end of time.
pub(crate) fn moment(day: Date, hour: Time, zone: &TimeZone) -> Option<Timestamp> {
    let moment = match zone.to_ambiguous_timestamp(day.to_datetime(hour)).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
            offset.to_timestamp(day.to_datetime(hour)).ok()?
        }
        // By the offset after the jump the hour lies before it.
        AmbiguousOffset::Gap { after, .. } => {
            let before = after.to_timestamp(day.to_datetime(hour)).ok()?;
            zone.following(before).next()?.timestamp()
        }
    };
    (zone.to_datetime(moment).date() == day).then_some(moment)
}

/// The local day that ended last before this moment's day began.
pub(crate) fn day_before(moment: Timestamp, zone: &TimeZone) -> Option<Date> {
    let mut day = zone.to_datetime(moment).date().yesterday().ok()?;
    while self::moment(day, Time::midnight(), zone).is_none() {
        day = day.yesterday().ok()?;
    }
    Some(day)
}

/// What is owed by now at this hour on these days of the week (on all, where none is named), the oldest first: of days that lie no
/// further back than reports are sent late, and nothing from before `since`.
pub(crate) fn due(hour: Time, days: &[Weekday], zone: &TimeZone, since: Timestamp, now: Timestamp) -> Vec<Due> {
    let today = zone.to_datetime(now).date();
    let owed = (0..=MISSED_DAYS_MAX).rev().filter_map(|back| {
        let day = today.checked_sub(back.days()).ok()?;
        let at = moment(day, hour, zone)?;
        let is_owed = at >= since && at <= now && (days.is_empty() || days.contains(&day.weekday()));
        is_owed.then(|| day_before(at, zone).map(|about| Due { about, at }))?
    });
    owed.collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn utc(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn every_change_of_the_clock_has_one_moment_for_an_hour() {
        for (name, day, hour, expected) in [
            // London jumps from 01:00 to 02:00 and back from 02:00 to 01:00, at 01:00 UTC.
            ("Europe/London", date(2026, 3, 28), time(1, 30, 0, 0), "2026-03-28T01:30:00Z"),
            ("Europe/London", date(2026, 3, 29), time(0, 59, 0, 0), "2026-03-29T00:59:00Z"),
            ("Europe/London", date(2026, 3, 29), time(1, 0, 0, 0), "2026-03-29T01:00:00Z"),
            ("Europe/London", date(2026, 3, 29), time(1, 30, 0, 0), "2026-03-29T01:00:00Z"),
            ("Europe/London", date(2026, 3, 29), time(1, 59, 0, 0), "2026-03-29T01:00:00Z"),
            ("Europe/London", date(2026, 3, 29), time(2, 0, 0, 0), "2026-03-29T01:00:00Z"),
            ("Europe/London", date(2026, 3, 29), time(6, 30, 0, 0), "2026-03-29T05:30:00Z"),
            ("Europe/London", date(2026, 10, 25), time(0, 30, 0, 0), "2026-10-24T23:30:00Z"),
            ("Europe/London", date(2026, 10, 25), time(1, 0, 0, 0), "2026-10-25T00:00:00Z"),
            ("Europe/London", date(2026, 10, 25), time(1, 30, 0, 0), "2026-10-25T00:30:00Z"),
            ("Europe/London", date(2026, 10, 25), time(2, 0, 0, 0), "2026-10-25T02:00:00Z"),
            ("Europe/London", date(2026, 10, 25), time(6, 30, 0, 0), "2026-10-25T06:30:00Z"),
            ("Europe/London", date(2027, 3, 28), time(1, 30, 0, 0), "2027-03-28T01:00:00Z"),
            ("Europe/London", date(2027, 10, 31), time(1, 30, 0, 0), "2027-10-31T00:30:00Z"),
            // Lord Howe moves by half an hour, at 02:00 and back.
            ("Australia/Lord_Howe", date(2026, 10, 4), time(1, 59, 0, 0), "2026-10-03T15:29:00Z"),
            ("Australia/Lord_Howe", date(2026, 10, 4), time(2, 15, 0, 0), "2026-10-03T15:30:00Z"),
            ("Australia/Lord_Howe", date(2026, 10, 4), time(2, 30, 0, 0), "2026-10-03T15:30:00Z"),
            ("Australia/Lord_Howe", date(2026, 4, 5), time(1, 45, 0, 0), "2026-04-04T14:45:00Z"),
            ("Australia/Lord_Howe", date(2026, 4, 5), time(2, 0, 0, 0), "2026-04-04T15:30:00Z"),
            // Some days begin at one o'clock.
            ("America/Santiago", date(2026, 9, 6), time(0, 0, 0, 0), "2026-09-06T04:00:00Z"),
            // No changes.
            ("UTC", date(2026, 3, 29), time(1, 30, 0, 0), "2026-03-29T01:30:00Z"),
            ("Asia/Kolkata", date(2026, 10, 25), time(1, 30, 0, 0), "2026-10-24T20:00:00Z"),
        ] {
            assert_eq!(moment(day, hour, &zone(name)), Some(utc(expected)), "{name} {day} {hour}");
        }
        // Samoa left this day out.
        assert_eq!(moment(date(2011, 12, 30), time(6, 30, 0, 0), &zone("Pacific/Apia")), None);
    }

    /// Two years, looked at every 47 minutes: one report a day, of each day before, without a gap.
    #[test]
    fn each_day_is_reported_once_whatever_the_hour_and_the_zone() {
        for name in ["Europe/London", "Australia/Lord_Howe", "America/Santiago", "UTC"] {
            let zone = zone(name);
            let begin = moment(date(2026, 1, 1), Time::midnight(), &zone).unwrap();
            for hour in [time(0, 0, 0, 0), time(1, 30, 0, 0), time(2, 15, 0, 0), time(6, 30, 0, 0), time(23, 59, 0, 0)]
            {
                let (mut now, mut reported) = (begin, Vec::new());
                while now < begin + (730 * 24).hours() {
                    for due in due(hour, &[], &zone, begin, now) {
                        if !reported.contains(&due.about) {
                            reported.push(due.about);
                            assert!(now.duration_since(due.at).as_secs() < 47 * 60, "{name} {due:?} {now}");
                        }
                    }
                    now += 47.minutes();
                }
                let expected: Vec<_> = date(2025, 12, 31).series(1.day()).take(reported.len()).collect();
                assert_eq!(reported, expected, "{name} {hour}");
                assert!(reported.len() >= 729, "{}", reported.len());
            }
        }
    }

    #[test]
    fn what_was_missed_is_owed_for_three_days_and_nothing_from_before_the_beginning() {
        let zone = zone("Europe/London");
        let about = |days: &[Weekday], since: &str, now: &str| {
            let due = due(time(6, 30, 0, 0), days, &zone, utc(since), utc(now));
            due.into_iter().map(|due| due.about.to_string()).collect::<Vec<_>>()
        };
        let all = ["2026-11-22", "2026-11-23", "2026-11-24", "2026-11-25"];
        assert_eq!(about(&[], "2026-01-01T00:00:00Z", "2026-11-26T06:30:00Z"), all);
        assert_eq!(about(&[], "2026-01-01T00:00:00Z", "2026-11-26T06:29:59Z"), all[..3]);
        assert_eq!(about(&[], "2026-11-25T06:31:00Z", "2026-11-26T12:00:00Z"), all[3..]);
        assert!(about(&[], "2026-11-26T06:31:00Z", "2026-11-26T12:00:00Z").is_empty());
        // Of a Sunday and a Monday nobody wants any.
        let week = [Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday];
        assert_eq!(about(&week, "2026-01-01T00:00:00Z", "2026-11-26T12:00:00Z"), all[1..]);
    }
}
