//! Moments as people write and read them: in the organisation's time zone.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::Error;

const FORM: &str = "write it as \"2026-12-05 19:00\", with an offset as \"2026-12-05 19:00+00:00\", or now";

/// Reads a moment: `now`, a local date and time, or one with its offset; in milliseconds since 1970.
///
/// An hour that the clock passes over, or goes through twice, is refused: whoever wrote it has to say which is meant.
pub(crate) fn read(text: &str, zone: &TimeZone, now: Timestamp) -> Result<i64, Error> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("now") {
        return Ok(now.as_millisecond());
    }
    let bad = |why: &str| Error::usage(format!("{text:?} is no moment: {why}"));
    if text.contains('[') {
        return Err(bad("it names a time zone of its own").advise(FORM));
    }
    if !text.contains(':') {
        return Err(bad("it has no time of day").advise(FORM));
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment.as_millisecond());
    }
    let local: DateTime = text.parse().map_err(|_| bad("it is not a date and a time of day").advise(FORM))?;
    let meant = zone.to_ambiguous_timestamp(local);
    let name = zone.iana_name().unwrap_or("its time zone");
    match meant.offset() {
        AmbiguousOffset::Unambiguous { .. } => {}
        AmbiguousOffset::Gap { .. } => {
            let why = format!("the clocks of {name} go forward over it");
            return Err(bad(&why).advise("write a later time, or one with an offset"));
        }
        AmbiguousOffset::Fold { before, after } => {
            let why = format!("the clocks of {name} go through it twice");
            return Err(bad(&why).advise(format!("write which is meant: {local}{before} or {local}{after}")));
        }
    }
    let moment = meant.unambiguous().map_err(|_| bad("it is out of range").advise(FORM))?;
    Ok(moment.as_millisecond())
}

/// A moment (milliseconds since 1970) in this time zone, as 2026-12-05 19:00.
pub(crate) fn shown(ms: i64, zone: &TimeZone) -> String {
    let Ok(moment) = Timestamp::from_millisecond(ms) else { return "?".to_owned() };
    moment.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// Since when, and how long that is: `since 19:02 (14 min)`, with the day where it is another one.
pub(crate) fn since(ms: i64, now: Timestamp, zone: &TimeZone) -> String {
    let (at, today) = (shown(ms, zone), shown(now.as_millisecond(), zone));
    let at = if at.get(..10) == today.get(..10) { at.get(11..).unwrap_or(&at).to_owned() } else { at };
    format!("since {at} ({})", span(now.as_millisecond().saturating_sub(ms)))
}

/// So many milliseconds, for people: 5 s, 14 min, 3 h, 2 days.
pub(crate) fn span(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..5_400 => format!("{} min", (seconds + 30) / 60),
        5_400..172_800 => format!("{} h", (seconds + 1_800) / 3_600),
        _ => format!("{} days", (seconds + 43_200) / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_in(zone: &str, text: &str) -> Result<String, Error> {
        let now: Timestamp = "2026-11-26T19:00:00Z".parse().unwrap();
        let ms = read(text, &TimeZone::get(zone).unwrap(), now)?;
        Ok(Timestamp::from_millisecond(ms).unwrap().to_string())
    }

    #[test]
    fn moments_are_read_in_the_organisations_time_zone() {
        for (zone, text, expected) in [
            ("Europe/London", "2026-12-05 19:00", "2026-12-05T19:00:00Z"),
            ("Europe/London", "2026-07-05 19:00", "2026-07-05T18:00:00Z"),
            ("Europe/London", "2026-07-05T19:00:30", "2026-07-05T18:00:30Z"),
            ("Europe/Berlin", "2026-12-05 19:00", "2026-12-05T18:00:00Z"),
            ("Europe/Berlin", "2026-12-05 19:00+00:00", "2026-12-05T19:00:00Z"),
            ("Europe/Berlin", "2026-12-05T19:00Z", "2026-12-05T19:00:00Z"),
            ("Europe/London", " NOW ", "2026-11-26T19:00:00Z"),
            ("Europe/London", "2026-10-25 01:30+01:00", "2026-10-25T00:30:00Z"),
        ] {
            assert_eq!(read_in(zone, text).unwrap(), expected, "{zone} {text}");
        }
    }

    #[test]
    fn what_is_no_moment_or_none_alone_is_refused_with_what_to_write() {
        for (text, why) in [
            ("2026-12-05", "no time of day"),
            ("tomorrow", "no time of day"),
            ("2026-13-05 19:00", "not a date"),
            ("2026-03-29 01:30", "go forward over it"),
            ("2026-10-25 01:30", "through it twice"),
        ] {
            let error = read_in("Europe/London", text).unwrap_err();
            assert!(error.what.contains(why) && error.advice.is_some(), "{text}: {error}");
        }
        let advice = read_in("Europe/London", "2026-10-25 01:30").unwrap_err().advice.unwrap();
        assert!(advice.contains("+01") && advice.contains("+00"), "{advice}");
    }

    #[test]
    fn moments_are_shown_in_the_organisations_time_zone_with_how_long_ago() {
        let zone = TimeZone::get("Europe/London").unwrap();
        let now: Timestamp = "2026-07-05T18:16:00Z".parse().unwrap();
        let ms = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        assert_eq!(shown(ms("2026-07-05T18:02:00Z"), &zone), "2026-07-05 19:02");
        assert_eq!(since(ms("2026-07-05T18:02:00Z"), now, &zone), "since 19:02 (14 min)");
        assert_eq!(since(ms("2026-07-03T18:02:00Z"), now, &zone), "since 2026-07-03 19:02 (2 days)");
        assert_eq!(since(ms("2026-07-05T18:17:00Z"), now, &zone), "since 19:17 (0 s)");
    }
}
