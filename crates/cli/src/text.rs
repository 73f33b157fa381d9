//! The catalogue: what the command line says of its own. Sentences of findings, causes and verdicts come from those who
//! found them.

use serde::Serialize;
use service::{Error, Waits};

pub(crate) const STOPPING: &str = "Stopping: what is on its way is finished and recorded. Press Ctrl-C again to end at once; nothing is lost either way.";
pub(crate) const DEMO_BEGINS: &str =
    "An invented trust moves from an in-memory mail platform to maildirs on this disk.";

/// An error as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorReport<'e> {
    exit: u8,
    what: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'e str>,
}

impl<'e> ErrorReport<'e> {
    pub(crate) fn of(error: &'e Error) -> Self {
        Self { exit: error.exit as u8, what: &error.what, rule: error.rule, advice: error.advice.as_deref() }
    }
}

/// What is wrong, where, and what to do.
pub(crate) fn error(error: &Error) -> String {
    let mut text = match error.rule {
        Some(rule) => format!("refused by rule {rule}: {}", error.what),
        None => format!("error: {}", error.what),
    };
    if let Some(advice) = error.advice.as_ref().filter(|advice| !advice.is_empty()) {
        text.push_str("\n  what to do: ");
        text.push_str(advice);
    }
    text
}

/// Bytes for people.
pub(crate) fn bytes(bytes: u64) -> String {
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

/// The day (UTC) of a time in seconds since 1970, as 2026-11-21.
pub(crate) fn day(unix_seconds: i64) -> String {
    // Days are counted from 1 March of the year 0, so that leap days come last (the days' algorithm of Howard Hinnant).
    let days = unix_seconds.div_euclid(86_400) + 719_468;
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

/// What waits, in words.
pub(crate) fn waits(waits: Waits) -> &'static str {
    match waits {
        Waits::Removal => "a removal from the target",
        Waits::Item => "an item at the source",
        Waits::Vanished => "the whole mailbox",
    }
}

/// A time span for people.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_are_short() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(340 << 20), "340 MiB");
        assert_eq!(bytes(u64::MAX), "16777216 TiB");
        assert_eq!(
            (day(0), day(951_782_400), day(-1)),
            ("1970-01-01".into(), "2000-02-29".into(), "1969-12-31".into())
        );
        assert_eq!(span(59), "59 s");
        assert_eq!(span(3725), "1 h 2 min");
    }
}
