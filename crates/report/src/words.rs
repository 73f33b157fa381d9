//! Numbers, sizes and times as people read them.

const SECONDS_A_DAY: i64 = 86_400;

/// Bytes for people.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value < 10.0 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// A number with a comma between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share in hundredths of a percent, as 99.5 %.
pub fn percentage(share: u32) -> String {
    match share % 100 {
        0 => format!("{} %", share / 100),
        part if part % 10 == 0 => format!("{}.{} %", share / 100, part / 10),
        part => format!("{}.{part:02} %", share / 100),
    }
}

/// The day (UTC) of a time in seconds since 1970, as 2026-11-21.
pub fn day(unix_seconds: i64) -> String {
    // Days are counted from 1 March of the year 0, so that leap days come last (the days' algorithm of Howard Hinnant).
    let days = unix_seconds.div_euclid(SECONDS_A_DAY) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The minute (UTC) of a time in seconds since 1970, as 2026-11-21 09:05.
pub fn moment(unix_seconds: i64) -> String {
    let second = unix_seconds.rem_euclid(SECONDS_A_DAY);
    format!("{} {:02}:{:02}", day(unix_seconds), second / 3600, second % 3600 / 60)
}

/// The second (UTC), as 2026-11-21T09:05:59Z.
pub(crate) fn second(unix_seconds: i64) -> String {
    let second = unix_seconds.rem_euclid(SECONDS_A_DAY);
    format!("{}T{:02}:{:02}:{:02}Z", day(unix_seconds), second / 3600, second % 3600 / 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_shares_and_times_are_short() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(340 << 20), "340 MiB");
        assert_eq!(bytes(u64::MAX), "16777216 TiB");
        assert_eq!((grouped(0), grouped(999), grouped(1_234_567)), ("0".into(), "999".into(), "1,234,567".into()));
        assert_eq!([0, 10_000, 9_999, 9_950, 5].map(percentage), ["0 %", "100 %", "99.99 %", "99.5 %", "0.05 %"]);
        assert_eq!([0, 951_782_400, -1].map(day), ["1970-01-01", "2000-02-29", "1969-12-31"]);
        assert_eq!([59, 3_660, -1].map(moment), ["1970-01-01 00:00", "1970-01-01 01:01", "1969-12-31 23:59"]);
        assert_eq!(second(86_399), "1970-01-01T23:59:59Z");
    }
}
