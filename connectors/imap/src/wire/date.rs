//! INTERNALDATE (RFC 9051 `date-time`): ` 7-Feb-1994 21:52:25 -0800`.

use model::ReceivedAt;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads a date as servers write it: the day padded with a space, with a zero or not at all; a zone of digits, or the
/// words for UTC. None when it is no date.
pub fn parse(text: &[u8]) -> Option<ReceivedAt> {
    let text = std::str::from_utf8(text).ok()?;
    let mut words = text.split_ascii_whitespace();
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    let mut date = date.split('-');
    let day = digits(date.next()?, 1, 2)?;
    let month_name = date.next()?;
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month_name))? as i64 + 1;
    let year = digits(date.next()?, 4, 4)?;
    let mut time = time.split(':');
    let (hour, minute, second) =
        (digits(time.next()?, 1, 2)?, digits(time.next()?, 2, 2)?, digits(time.next()?, 2, 2)?);
    if date.next().is_some() || time.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    if day == 0 || day > days_of_month(year, month) {
        return None;
    }
    let offset_minutes = parse_zone(zone)?;
    let local = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(ReceivedAt { unix_seconds: local - i64::from(offset_minutes) * 60, offset_minutes })
}

fn parse_zone(zone: &str) -> Option<i16> {
    if ["GMT", "UT", "UTC", "Z"].iter().any(|word| word.eq_ignore_ascii_case(zone)) {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let number = digits(zone.get(1..)?, 4, 4)?;
    let minutes = number % 100;
    (minutes < 60).then_some(sign * (number / 100 * 60 + minutes) as i16)
}

fn digits(text: &str, length_min: usize, length_max: usize) -> Option<i64> {
    let fits = (length_min..=length_max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

/// Writes a date as APPEND takes it, in the offset of its source. None for a moment that IMAP can't write (before the
/// year 0 or after 9999).
pub fn write(at: ReceivedAt) -> Option<String> {
    // IMAP writes two digits of hours; an offset beyond a day is nobody's, so such a moment is written in UTC.
    let mut offset = if at.offset_minutes.unsigned_abs() < 24 * 60 { i64::from(at.offset_minutes) } else { 0 };
    // Cyrus takes no date that was in 1969 by its own zone, though the moment itself was later.
    if (0..-offset * 60).contains(&at.unix_seconds) {
        offset = 0;
    }
    let local = at.unix_seconds.checked_add(offset * 60)?;
    let (days, second) = (local.div_euclid(86_400), local.rem_euclid(86_400));
    let (year, month, day) = date_of_days(days)?;
    let sign = if offset < 0 { '-' } else { '+' };
    let offset = offset.abs();
    Some(format!(
        "{day:2}-{}-{year:04} {:02}:{:02}:{:02} {sign}{:02}{:02}",
        MONTHS[month as usize - 1],
        second / 3600,
        second / 60 % 60,
        second % 60,
        offset / 60,
        offset % 60,
    ))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; years counted from March, so that the leap day is last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_since_1970`]: year, month, day. None outside of years 0 to 9999.
fn date_of_days(days: i64) -> Option<(i64, i64, i64)> {
    if !(-719_528..=2_932_896).contains(&days) {
        return None;
    }
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    Some((year, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_servers_write_them() {
        let read = |text: &str| parse(text.as_bytes()).map(|at| (at.unix_seconds, at.offset_minutes));
        for (text, expected) in [
            (" 7-Feb-1994 21:52:25 -0800", (760_686_745, -480)),
            ("07-Feb-1994 21:52:25 -0800", (760_686_745, -480)),
            ("7-feb-1994 21:52:25 -0800", (760_686_745, -480)),
            ("01-Jan-1970 00:00:00 +0000", (0, 0)),
            ("31-Dec-1969 23:59:59 +0000", (-1, 0)),
            ("29-Feb-2000 12:00:00 +0530", (951_805_800, 330)),
            ("01-Jan-2025 00:00:00 GMT", (1_735_689_600, 0)),
            ("17-Jul-1996 02:44:25 -0730", (837_598_465, -450)),
            ("01-Jan-2017 00:59:60 +0100", (1_483_228_800, 60)),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
        for bad in [
            "",
            "NIL",
            "7-Feb-94 21:52:25 -0800",
            "30-Feb-2000 00:00:00 +0000",
            "29-Feb-1900 00:00:00 +0000",
            "1-Jan-2000 24:00:00 +0000",
            "1-Jan-2000 00:00:00",
            "1-Jan-2000 00:00:00 +00:00",
            "0-Jan-2000 00:00:00 +0000",
            "1-Foo-2000 00:00:00 +0000",
            "1-Jan-2000 00:00:00 +0060",
            "1-Jan-2000 00:00:00 +0000 x",
            "1-Jan-2000-1 0:0:0 +0000",
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn dates_are_written_in_the_offset_of_their_source() {
        let write = |unix_seconds, offset_minutes| write(ReceivedAt { unix_seconds, offset_minutes });
        assert_eq!(write(760_686_745, -480).unwrap(), " 7-Feb-1994 21:52:25 -0800");
        assert_eq!(write(951_805_800, 330).unwrap(), "29-Feb-2000 12:00:00 +0530");
        assert_eq!(write(-1, 0).unwrap(), "31-Dec-1969 23:59:59 +0000");
        assert_eq!(write(0, i16::MAX).unwrap(), " 1-Jan-1970 00:00:00 +0000");
        assert_eq!(write(253_402_300_799, 0).unwrap(), "31-Dec-9999 23:59:59 +0000");
        assert_eq!(write(253_402_300_800, 0), None);
        assert_eq!(write(-62_167_219_200, 0).unwrap(), " 1-Jan-0000 00:00:00 +0000");
        assert_eq!(write(-62_167_219_201, 0), None);
        assert_eq!(write(i64::MAX, 1), None);
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let mut seconds = -62_167_219_200i64;
        while seconds < 253_402_300_799 {
            for offset_minutes in [-720, -90, 0, 60, 345, 840] {
                let at = ReceivedAt { unix_seconds: seconds, offset_minutes };
                if let Some(text) = write(at) {
                    let back = parse(text.as_bytes()).unwrap();
                    assert_eq!((back.unix_seconds, back.offset_minutes), (seconds, offset_minutes), "{text}");
                }
            }
            seconds += 7_654_321 * 13;
        }
    }
}
