//! Dates as IMAP writes them, and as message headers do. Gregorian days are counted here, without a library's help: the
//! programs under test use one.

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_SECONDS: i64 = 86_400;

/// A moment, and the zone it was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub unix_seconds: i64,
    /// Minutes east of UTC.
    pub offset_minutes: i16,
}

impl Date {
    /// The moment, in UTC.
    pub fn utc(unix_seconds: i64) -> Self {
        Self { unix_seconds, offset_minutes: 0 }
    }

    /// The `date-time` of RFC 9051: `17-Jul-1996 02:44:25 -0700`, the day padded with a space or a zero.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.trim_start_matches(' ').split(' ');
        let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() || text.len() != 26 {
            return None;
        }
        let day = Self::parse_day(date)?;
        let mut parts = time.split(':').map(|part| two_digits(part).map(i64::from));
        let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
        let zone_sign = match zone.as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let offset =
            zone_sign * (i16::from(two_digits(zone.get(1..3)?)?) * 60 + i16::from(two_digits(zone.get(3..5)?)?));
        if parts.next().is_some() || zone.len() != 5 || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let unix_seconds = day * DAY_SECONDS + hour * 3600 + minute * 60 + second - i64::from(offset) * 60;
        Some(Self { unix_seconds, offset_minutes: offset })
    }

    /// The `date` of RFC 9051, `1-Feb-1994`, as days since 1970.
    pub(crate) fn parse_day(text: &str) -> Option<i64> {
        let mut parts = text.split('-');
        let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
        let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? as i64 + 1;
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<i64>().ok()).flatten();
        let (day, year) = (digits(day)?, digits(year).filter(|_| year.len() == 4)?);
        let number = days_of(year, month, day);
        (parts.next().is_none() && civil_of(number) == (year, month, day)).then_some(number)
    }

    /// The day it lies on, in the zone it was written in: what SEARCH compares.
    pub(crate) fn day(self) -> i64 {
        (self.unix_seconds + i64::from(self.offset_minutes) * 60).div_euclid(DAY_SECONDS)
    }

    /// As INTERNALDATE has it, without the quotes.
    pub(crate) fn internal(self) -> String {
        let local = self.unix_seconds + i64::from(self.offset_minutes) * 60;
        let (year, month, day) = civil_of(local.div_euclid(DAY_SECONDS));
        let second = local.rem_euclid(DAY_SECONDS);
        let (sign, zone) = (if self.offset_minutes < 0 { '-' } else { '+' }, self.offset_minutes.unsigned_abs());
        format!(
            "{day:2}-{}-{year:04} {:02}:{:02}:{:02} {sign}{:02}{:02}",
            MONTHS[(month - 1) as usize],
            second / 3600,
            second / 60 % 60,
            second % 60,
            zone / 60,
            zone % 60
        )
    }
}

/// The day, since 1970, of a message's Date header as far as it can be read: `Fri, 21 Nov 1997 09:55:06 -0600`.
pub(crate) fn day_of_header(text: &str) -> Option<i64> {
    let text = text.split_once(',').map_or(text, |(_, rest)| rest);
    let mut words = text.split_ascii_whitespace();
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let year: i64 = year.parse().ok()?;
    // The short years of RFC 822, as RFC 5322 section 4.3 reads them.
    let year = match year {
        0..50 => year + 2000,
        50..1000 => year + 1900,
        _ => year,
    };
    Date::parse_day(&format!("{day}-{month}-{year:04}"))
}

fn two_digits(text: &str) -> Option<u8> {
    (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// Days since 1970-01-01 of a Gregorian date. Years begin in March here, so that the leap day comes last.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
fn civil_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year_of_era, month + 3) } else { (year_of_era + 1, month - 9) };
    (year + era * 400, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_both_ways() {
        for (text, unix_seconds) in [
            (" 1-Jan-1970 00:00:00 +0000", 0),
            ("17-Jul-1996 02:44:25 -0700", 837_596_665),
            ("29-Feb-2000 23:59:59 +0000", 951_868_799),
            ("31-Dec-1969 23:59:59 +0000", -1),
            ("01-Mar-2100 00:00:00 +0530", 4_107_522_600),
        ] {
            let date = Date::parse(text).unwrap();
            assert_eq!(date.unix_seconds, unix_seconds, "{text}");
            assert_eq!(date.internal().trim_start(), text.trim_start().trim_start_matches('0'));
        }
    }

    #[test]
    fn every_day_of_eight_hundred_years_reads_back() {
        for day in days_of(1600, 1, 1)..days_of(2400, 1, 1) {
            let (year, month, number) = civil_of(day);
            assert_eq!(days_of(year, month, number), day);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["30-Feb-2000 00:00:00 +0000", "1-Jan-2000 00:00:00 +0000", "01-Jan-2000 24:00:00 +0000", "", "x y z"]
        {
            assert_eq!(Date::parse(text), None, "{text}");
        }
    }

    #[test]
    fn header_dates_are_read_as_far_as_their_day() {
        assert_eq!(day_of_header("Fri, 21 Nov 1997 09:55:06 -0600"), Date::parse_day("21-Nov-1997"));
        assert_eq!(day_of_header("1 Feb 05 00:00 GMT"), Date::parse_day("1-Feb-2005"));
        assert_eq!(day_of_header("yesterday"), None);
    }
}
