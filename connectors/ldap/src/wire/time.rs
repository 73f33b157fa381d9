//! Times as directories write them.

/// Seconds from 1601, where Windows begins to count, to 1970.
const SECONDS_FROM_1601: i64 = 11_644_473_600;

/// A FILETIME (MS-DTYP section 2.3.3), tenths of microseconds since 1601, as seconds since 1970. None for the values that mean
/// never: 0, and the largest there is.
pub(crate) fn from_filetime(value: &str) -> Option<i64> {
    let ticks: i64 = value.trim().parse().ok()?;
    (ticks > 0 && ticks != i64::MAX).then(|| ticks / 10_000_000 - SECONDS_FROM_1601)
}

/// A time in the form of RFC 4517 section 3.3.13 with its zone as Z, as seconds since 1970: `20261126094600Z`,
/// `20261126094600.0Z`.
pub(crate) fn from_generalized(value: &str) -> Option<i64> {
    let digits = value.strip_suffix('Z')?;
    let digits = digits.split(['.', ',']).next()?;
    if digits.len() != 14 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| digits[from..to].parse::<i64>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(days_from_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Seconds since 1970 in the form of RFC 4517, with the fraction that Active Directory wants if asked.
pub(crate) fn to_generalized(seconds: i64, has_fraction: bool) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date_from_1970(days);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    let fraction = if has_fraction { ".0" } else { "" };
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}{fraction}Z")
}

/// Days of the Gregorian calendar, counted in eras of 400 years that begin in March, so that the leap day is a year's last.
fn days_from_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn date_from_1970(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(from_filetime("116444736000000000"), Some(0));
        assert_eq!(from_filetime("133000000000000000"), Some(1_655_526_400));
        for never in ["0", "9223372036854775807", "", "x", "-1"] {
            assert_eq!(from_filetime(never), None, "{never}");
        }
        assert_eq!(from_generalized("19700101000000Z"), Some(0));
        assert_eq!(from_generalized("20000229120000.0Z"), Some(951_825_600));
        for bad in ["", "Z", "2000", "20001301000000Z", "20000101000000", "2000é101000000Z"] {
            assert_eq!(from_generalized(bad), None, "{bad}");
        }
        assert_eq!(to_generalized(951_825_600, true), "20000229120000.0Z");
    }

    proptest! {
        #[test]
        fn a_time_comes_back(seconds in 0_i64..253_402_300_800) {
            prop_assert_eq!(from_generalized(&to_generalized(seconds, false)), Some(seconds));
        }
    }
}
