//! Which days count: working days by the profile's holidays, spans as the profile's constants say them, and the
//! deadlines that follow.
//!
//! A span is a constant of the profile with its unit, so that *28 days* and *4 weeks* and *7 working days* are data.
//! Whoever asks gives the day: nothing here knows what day it is.

mod deadline;

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan};

use crate::data::{Constant, Programme};

pub use deadline::{ChangeLead, Deadline, DeadlineError, Deadlines, Milestones, constant};

/// The working days of a profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    holidays: BTreeSet<Date>,
}

impl Calendar {
    /// The calendar of this programme.
    pub fn of(programme: &Programme) -> Self {
        Self { holidays: programme.holidays.iter().map(|holiday| holiday.day).collect() }
    }

    /// A calendar with these holidays.
    pub fn new(holidays: impl IntoIterator<Item = Date>) -> Self {
        Self { holidays: holidays.into_iter().collect() }
    }

    /// Does anybody work on this day?
    pub fn is_working(&self, day: Date) -> bool {
        !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) && !self.holidays.contains(&day)
    }

    /// The working day `count` working days after the day, which itself doesn't count. With 0 it is the day.
    pub fn add_working_days(&self, day: Date, count: u32) -> Date {
        let mut at = day;
        let mut left = count;
        while left > 0 && at < Date::MAX {
            at = at.saturating_add(1.day());
            left -= u32::from(self.is_working(at));
        }
        at
    }

    /// The latest working day from which `count` working days have passed by the day: what begins on it is done in time.
    /// With 0 it is the day.
    pub fn subtract_working_days(&self, day: Date, count: u32) -> Date {
        if count == 0 {
            return day;
        }
        let mut at = self.working_day_by(day);
        let mut left = count;
        while left > 0 && at > Date::MIN {
            at = at.saturating_sub(1.day());
            left -= u32::from(self.is_working(at));
        }
        at
    }

    /// The last working day that isn't after the day.
    pub fn working_day_by(&self, day: Date) -> Date {
        let mut at = day;
        while !self.is_working(at) && at > Date::MIN {
            at = at.saturating_sub(1.day());
        }
        at
    }

    /// How many working days there are after `from` up to and with `to`; below 0 where `to` is before `from`.
    pub fn working_days_between(&self, from: Date, to: Date) -> i64 {
        let (first, last, sign) = if from <= to { (from, to, 1) } else { (to, from, -1) };
        let mut at = first;
        let mut count = 0;
        while at < last {
            at = at.saturating_add(1.day());
            count += i64::from(self.is_working(at));
        }
        sign * count
    }

    /// The day so long after the day. Months end where a shorter month ends.
    pub fn after(&self, day: Date, span: &Constant) -> Result<Date, DeadlineError> {
        match Unit::of(span)? {
            Unit::WorkingDays(count) => Ok(self.add_working_days(day, count)),
            Unit::Calendar(span) => Ok(day.saturating_add(span)),
        }
    }

    /// The last day that is so long before the day.
    pub fn before(&self, day: Date, span: &Constant) -> Result<Date, DeadlineError> {
        match Unit::of(span)? {
            Unit::WorkingDays(count) => Ok(self.subtract_working_days(day, count)),
            Unit::Calendar(span) => Ok(day.saturating_sub(span)),
        }
    }
}

/// Whole days from one day to another; below 0 where the second is the earlier.
pub fn days_between(from: Date, to: Date) -> i64 {
    from.until(to).map_or(0, |span| i64::from(span.get_days()))
}

/// A constant of time, by its unit.
enum Unit {
    WorkingDays(u32),
    Calendar(Span),
}

/// No deadline is further off than this many of any unit: a profile that says more has a mistake.
const SPAN_MAX: u64 = 10_000;

impl Unit {
    fn of(span: &Constant) -> Result<Self, DeadlineError> {
        let mistake = || DeadlineError::NotASpan { value: span.value, unit: span.unit.clone() };
        if span.value > SPAN_MAX {
            return Err(mistake());
        }
        let count = i64::try_from(span.value).map_err(|_| mistake())?;
        match span.unit.as_str() {
            "working-days" => Ok(Self::WorkingDays(u32::try_from(span.value).map_err(|_| mistake())?)),
            "days" => Ok(Self::Calendar(count.days())),
            "weeks" => Ok(Self::Calendar(count.weeks())),
            "months" => Ok(Self::Calendar(count.months())),
            _ => Err(mistake()),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn calendar() -> Calendar {
        // Good Friday and Easter Monday 2026, Christmas Day, and Boxing Day's substitute on a Monday.
        Calendar::new([date(2026, 4, 3), date(2026, 4, 6), date(2026, 12, 25), date(2026, 12, 28)])
    }

    fn span(value: u64, unit: &str) -> Constant {
        Constant { value, unit: unit.to_owned(), about: String::new(), from: String::new() }
    }

    #[test]
    fn saturdays_sundays_and_holidays_are_no_working_days() {
        let calendar = calendar();
        for (day, is_working) in [
            (date(2026, 4, 2), true),
            (date(2026, 4, 3), false),
            (date(2026, 4, 4), false),
            (date(2026, 4, 5), false),
            (date(2026, 4, 6), false),
            (date(2026, 4, 7), true),
        ] {
            assert_eq!(calendar.is_working(day), is_working, "{day}");
        }
    }

    #[test]
    fn working_days_pass_over_weekends_and_holidays() {
        let calendar = calendar();
        assert_eq!(calendar.add_working_days(date(2026, 4, 2), 1), date(2026, 4, 7));
        assert_eq!(calendar.add_working_days(date(2026, 4, 4), 1), date(2026, 4, 7));
        assert_eq!(calendar.add_working_days(date(2026, 4, 4), 0), date(2026, 4, 4));
        assert_eq!(calendar.subtract_working_days(date(2026, 4, 7), 1), date(2026, 4, 2));
        assert_eq!(calendar.subtract_working_days(date(2026, 4, 5), 1), date(2026, 4, 1), "done by Thursday the 2nd");
        assert_eq!(calendar.working_days_between(date(2026, 4, 2), date(2026, 4, 7)), 1);
        assert_eq!(calendar.working_days_between(date(2026, 4, 7), date(2026, 4, 2)), -1);
        assert_eq!(calendar.working_days_between(date(2026, 12, 24), date(2026, 12, 28)), 0);
    }

    #[test]
    fn months_end_where_a_shorter_month_ends() {
        let calendar = calendar();
        assert_eq!(calendar.after(date(2026, 11, 30), &span(3, "months")), Ok(date(2027, 2, 28)));
        assert_eq!(calendar.after(date(2027, 11, 30), &span(3, "months")), Ok(date(2028, 2, 29)), "a leap year");
        assert_eq!(calendar.after(date(2028, 2, 29), &span(12, "months")), Ok(date(2029, 2, 28)));
        assert_eq!(calendar.before(date(2026, 3, 31), &span(1, "months")), Ok(date(2026, 2, 28)));
    }

    #[test]
    fn leap_days_count() {
        let calendar = calendar();
        assert_eq!(calendar.after(date(2028, 2, 28), &span(1, "days")), Ok(date(2028, 2, 29)));
        assert_eq!(calendar.before(date(2028, 3, 27), &span(28, "days")), Ok(date(2028, 2, 28)));
        assert_eq!(calendar.before(date(2027, 3, 27), &span(28, "days")), Ok(date(2027, 2, 27)));
        assert_eq!(calendar.before(date(2028, 3, 28), &span(4, "weeks")), Ok(date(2028, 2, 29)));
    }

    #[test]
    fn what_is_no_span_is_told() {
        let calendar = calendar();
        assert!(calendar.after(date(2026, 1, 1), &span(3, "percent")).is_err());
        assert!(calendar.after(date(2026, 1, 1), &span(u64::MAX, "days")).is_err());
    }

    #[test]
    fn the_ends_of_time_are_no_trouble() {
        let calendar = calendar();
        assert_eq!(calendar.add_working_days(Date::MAX, 3), Date::MAX);
        assert_eq!(calendar.subtract_working_days(Date::MIN, 3), Date::MIN);
    }

    proptest! {
        #[test]
        fn what_is_begun_on_the_last_day_is_done_in_time(from in 0_i32..1000, count in 1_u32..30) {
            let calendar = calendar();
            let day = date(2025, 6, 1).saturating_add(i64::from(from).days());
            let last = calendar.subtract_working_days(day, count);
            prop_assert!(calendar.is_working(last));
            prop_assert!(calendar.add_working_days(last, count) <= day);
            let mut next = last.saturating_add(1.day());
            while !calendar.is_working(next) {
                next = next.saturating_add(1.day());
            }
            prop_assert!(calendar.add_working_days(next, count) > day, "no later working day would do");
            prop_assert_eq!(calendar.working_days_between(last, calendar.add_working_days(last, count)), i64::from(count));
        }
    }
}
