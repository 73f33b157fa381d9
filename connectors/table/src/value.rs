//! What stands in a cell, read as what it is to be. A failure is what is wrong and how to cure it.

use connector::maildate::{days_of_month, days_since_1970};
use model::Reference;

use crate::map::Dates;
use crate::mistake::shown;

/// What is wrong, and how to cure it.
pub(crate) type Wrong = (String, String);

/// The largest part of an address before its @, and the largest address (RFC 5321).
const LOCAL_PART_BYTES_MAX: usize = 64;
const ADDRESS_BYTES_MAX: usize = 254;
const LABEL_BYTES_MAX: usize = 63;
/// A quota below this is a number in another unit.
const QUOTA_BYTES_MIN: u64 = 1 << 20;
/// Years that a table of people may speak of.
const YEARS: std::ops::RangeInclusive<i64> = 1900..=2199;
const SECONDS_A_DAY: i64 = 86_400;
/// Seconds from 1601, where Windows begins to count, to 1970; it counts in tenths of microseconds.
const SECONDS_1601_TO_1970: i64 = 11_644_473_600;
const TICKS_A_SECOND: i64 = 10_000_000;

/// What is odd about the characters of a text: those that nobody sees, and those that show that others were lost.
pub(crate) fn odd_character(text: &str, may_break: bool) -> Option<Wrong> {
    text.chars().find_map(|c| {
        let name = match c {
            '\n' | '\r' | '\t' if may_break => return None,
            '\n' | '\r' => return Some(("a line break stands in it".to_owned(), "write it on one line".to_owned())),
            '\u{fffd}' => {
                let what = "a character of it was lost when it was saved (U+FFFD)";
                return Some((what.to_owned(), "type it again, and save as UTF-8".to_owned()));
            }
            c if c.is_control() => "a control character",
            '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => "an invisible character",
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                "a character that turns the direction of writing"
            }
            '\u{2028}' | '\u{2029}' => "a separator of lines",
            _ => return None,
        };
        Some((format!("{name} stands in it (U+{:04X})", u32::from(c)), "type the cell again".to_owned()))
    })
}

/// Looks whether a text has the form of a mail address. Whether it exists is not looked at.
pub(crate) fn mail(text: &str) -> Result<(), Wrong> {
    let cure = || "write it as name@organisation.example".to_owned();
    let wrong = |why: &str, cure: String| Err((format!("{} is no mail address: {why}", shown(text)), cure));
    let Some((local, domain)) = text.rsplit_once('@') else { return wrong("it has no @", cure()) };
    if local.contains('@') {
        return wrong("it has two @", "write one address, or use the column of several".to_owned());
    }
    if local.is_empty() || domain.is_empty() {
        return wrong(
            if local.is_empty() { "nothing stands before the @" } else { "nothing stands after the @" },
            cure(),
        );
    }
    if local.len() > LOCAL_PART_BYTES_MAX || text.len() > ADDRESS_BYTES_MAX {
        return wrong("it is too long", "64 bytes may stand before the @, 254 in all".to_owned());
    }
    if let Some(quote) = local.chars().find(|c| matches!(c, '\u{2018}' | '\u{2019}' | '`' | '\u{b4}')) {
        let why = format!("{quote:?} is no apostrophe of an address");
        return wrong(&why, "write ' for it".to_owned());
    }
    let is_atom = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    if local.split('.').any(|atom| atom.is_empty() || !atom.chars().all(is_atom)) {
        let odd = local.chars().find(|c| *c != '.' && !is_atom(*c));
        let why = odd.map_or("a dot stands where none may".to_owned(), |c| format!("{c:?} may not stand in it"));
        return wrong(&why, cure());
    }
    let is_label = |label: &str| {
        let chars = || label.chars();
        !label.is_empty()
            && label.len() <= LABEL_BYTES_MAX
            && chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !domain.split('.').all(is_label) {
        return wrong("what stands after the @ is no name of a domain", cure());
    }
    if !domain.contains('.') {
        return wrong("the domain has no dot", cure());
    }
    Ok(())
}

/// Looks whether a text has the form of Exchange's distinguished names.
pub(crate) fn legacy_dn(text: &str) -> Result<(), Wrong> {
    let bare = text.get(..5).filter(|prefix| prefix.eq_ignore_ascii_case("x500:")).map_or(text, |_| &text[5..]);
    let parts: Vec<&str> = bare.split('/').collect();
    let is_well = parts.len() > 2
        && parts[0].is_empty()
        && parts[1..].iter().all(|part| part.split_once('=').is_some_and(|(name, _)| !name.trim().is_empty()));
    if is_well {
        return Ok(());
    }
    let what = format!("{} is no name of Exchange", shown(text));
    Err((what, "write it as /o=Organisation/ou=…/cn=Recipients/cn=name".to_owned()))
}

/// The numbers of a text such as 2026-04-13, when it has three and nothing but signs between them.
fn three(text: &str) -> Option<([i64; 3], bool)> {
    let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
    let [a, b, c] = parts.as_slice() else { return None };
    let number =
        |part: &str| part.parse::<u16>().ok().filter(|_| part.bytes().all(|b| b.is_ascii_digit())).map(i64::from);
    Some(([number(a)?, number(b)?, number(c)?], a.len() == 4))
}

/// A day, in days since 1970.
pub(crate) fn day(text: &str, dates: Dates) -> Result<i64, Wrong> {
    let no_day = || (format!("{} is no day", shown(text)), "write it as 2026-04-13".to_owned());
    // A spreadsheet and a database may write the time of midnight behind it.
    let bare = match text.split_once([' ', 'T']) {
        Some((bare, time)) if time.trim_end_matches('Z').bytes().all(|b| matches!(b, b'0' | b':' | b'.' | b'+')) => {
            bare
        }
        Some(_) => return Err(no_day()),
        None => text,
    };
    let bare = if bare.len() == 8 && bare.bytes().all(|b| b.is_ascii_digit()) {
        format!("{}-{}-{}", &bare[..4], &bare[4..6], &bare[6..])
    } else {
        bare.to_owned()
    };
    let ([a, b, c], year_first) = three(&bare).ok_or_else(no_day)?;
    let (year, month, day) = match (year_first, dates) {
        (true, _) => (a, b, c),
        (false, Dates::DayFirst) => (c, b, a),
        (false, Dates::MonthFirst) => (c, a, b),
        (false, Dates::Iso) => {
            let what = format!("{} may be more than one day", shown(text));
            let cure = "write it as 2026-04-13, or say in the map: dates = \"day-first\"";
            return Err((what, cure.to_owned()));
        }
    };
    if !(1..=12).contains(&month) || day < 1 || day > days_of_month(year, month) {
        return Err((format!("{} is a day that does not exist", shown(text)), "write it as 2026-04-13".to_owned()));
    }
    if !YEARS.contains(&year) {
        return Err((format!("{} lies too far away", shown(text)), "write the year with four digits".to_owned()));
    }
    Ok(days_since_1970(year, month, day))
}

/// A moment, in seconds since 1970; none for what directories write in place of never.
pub(crate) fn moment(text: &str, dates: Dates) -> Result<Option<i64>, Wrong> {
    if text == "0" || text.eq_ignore_ascii_case("never") {
        return Ok(None);
    }
    let no_moment = || (format!("{} is no time", shown(text)), "write it as 2026-04-13 09:30 (UTC)".to_owned());
    if text.bytes().all(|b| b.is_ascii_digit()) {
        let number = || text.parse::<i64>().map_err(|_| no_moment());
        return match text.len() {
            8 => Ok(Some(day(text, dates)? * SECONDS_A_DAY)),
            9 | 10 => number().map(Some),
            17 | 18 => number().map(|ticks| Some(ticks / TICKS_A_SECOND - SECONDS_1601_TO_1970)),
            19 if number()? == i64::MAX => Ok(None),
            _ => Err(no_moment()),
        };
    }
    // 20260413093000.0Z, as LDAP has it.
    let generalized =
        text.is_ascii() && text.len() > 14 && text.ends_with('Z') && text[..14].bytes().all(|b| b.is_ascii_digit());
    if generalized && text[14..text.len() - 1].bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        let (date, time) = (&text[..8], format!("{}:{}:{}", &text[8..10], &text[10..12], &text[12..14]));
        return Ok(Some(day(date, dates)? * SECONDS_A_DAY + seconds(&time).ok_or_else(no_moment)?));
    }
    let Some((date, time)) = text.split_once([' ', 'T']) else { return Ok(Some(day(text, dates)? * SECONDS_A_DAY)) };
    let time = time.trim();
    let (time, offset) = match time.find(['Z', '+', '-']) {
        None => (time, 0),
        Some(at) => (time[..at].trim(), offset(&time[at..]).ok_or_else(no_moment)?),
    };
    Ok(Some(day(date, dates)? * SECONDS_A_DAY + seconds(time).ok_or_else(no_moment)? - offset))
}

fn two_digits(text: &str, below: i64) -> Option<i64> {
    let is_well = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| is_well && *number < below)
}

/// Seconds since midnight of 09:30, 09:30:59 or 09:30:59.123.
fn seconds(time: &str) -> Option<i64> {
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut parts = time.split(':');
    let (hour, minute) = (two_digits(parts.next()?, 24)?, two_digits(parts.next()?, 60)?);
    let second = parts.next().map_or(Some(0), |second| two_digits(second, 60))?;
    let is_well = parts.next().is_none() && !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
    is_well.then_some(hour * 3600 + minute * 60 + second)
}

/// Seconds east of UTC: Z, +01, +01:00, -0330.
fn offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = (digits.get(..2)?, digits.get(2..).filter(|rest| !rest.is_empty()).unwrap_or("0"));
    let seconds = two_digits(hours, 15)? * 3600 + two_digits(minutes, 60)? * 60;
    Some(if text.starts_with('-') { -seconds } else { seconds })
}

/// A number of bytes: 26843545600, 25 GB. A unit counts in steps of 1024, as mail servers do.
pub(crate) fn quota(text: &str) -> Result<u64, Wrong> {
    let no_quota = || (format!("{} is no quota", shown(text)), "write a number of bytes, or 25 GB".to_owned());
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(text.len());
    let number: u64 = text[..digits].replace(',', "").parse().map_err(|_| no_quota())?;
    let shift = match text[digits..].trim().to_ascii_uppercase().as_str() {
        "" | "B" | "BYTES" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        _ => return Err(no_quota()),
    };
    let bytes = number.checked_mul(1 << shift).filter(|bytes| i64::try_from(*bytes).is_ok()).ok_or_else(no_quota)?;
    if bytes < QUOTA_BYTES_MIN {
        let what = format!("{} is {bytes} bytes, which lets nothing travel", shown(text));
        return Err((what, "write a number of bytes, or 25 GB".to_owned()));
    }
    Ok(bytes)
}

/// Whom a value names.
pub(crate) fn reference(text: &str, is_key: bool) -> Reference {
    let text = text.trim();
    let is_place = || text.split_once('=').is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_alphanumeric()));
    if is_key {
        Reference::Key(text.to_owned())
    } else if is_place() {
        Reference::Place(text.to_owned())
    } else if text.contains('@') {
        Reference::Mail(text.to_owned())
    } else if text.starts_with("S-1-") {
        Reference::Sid(text.to_owned())
    } else {
        Reference::Name(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_real_names_are_well_and_slips_are_told() {
        for text in
            ["ann@trust.example", "a.o'neil-smith@x.example", "zoë.müller@x.example", "jean-luc+a@sub.x-y.example"]
        {
            assert_eq!(mail(text), Ok(()), "{text}");
        }
        for (text, why) in [
            ("ann", "it has no @"),
            ("@x.example", "nothing stands before"),
            ("ann@", "nothing stands after"),
            ("ann@x@y.example", "two @"),
            ("ann..lee@x.example", "a dot"),
            ("ann.@x.example", "a dot"),
            ("ann lee@x.example", "' ' may not"),
            ("a.o’neil@x.example", "no apostrophe"),
            ("ann@x", "no dot"),
            ("ann@-x.example", "no name of a domain"),
            ("ann@x..example", "no name of a domain"),
            ("<ann@x.example>", "'<' may not"),
            ("ann@x.example;bob@x.example", "two @"),
            (&format!("{}@x.example", "a".repeat(65)), "too long"),
        ] {
            let (what, _) = mail(text).unwrap_err();
            assert!(what.contains(why), "{text}: {what}");
        }
    }

    #[test]
    fn days_are_sure_or_refused() {
        for (text, dates, expected) in [
            ("2026-04-13", Dates::Iso, 20_556),
            ("2026-04-13 00:00:00", Dates::Iso, 20_556),
            ("20260413", Dates::Iso, 20_556),
            ("13/04/2026", Dates::DayFirst, 20_556),
            ("13.4.2026", Dates::DayFirst, 20_556),
            ("4/13/2026", Dates::MonthFirst, 20_556),
            ("2000-02-29", Dates::Iso, 11_016),
        ] {
            assert_eq!(day(text, dates), Ok(expected), "{text}");
        }
        for (text, dates, why) in [
            ("03/04/2026", Dates::Iso, "more than one day"),
            ("13/04/26", Dates::DayFirst, "too far away"),
            ("2026-02-29", Dates::Iso, "does not exist"),
            ("4/13/2026", Dates::DayFirst, "does not exist"),
            ("soon", Dates::Iso, "no day"),
            ("2026-04-13 09:30", Dates::Iso, "no day"),
            ("2026-4", Dates::Iso, "no day"),
            ("+026-04-13", Dates::Iso, "no day"),
        ] {
            let (what, _) = day(text, dates).unwrap_err();
            assert!(what.contains(why), "{text}: {what}");
        }
    }

    #[test]
    fn moments_as_directories_and_databases_write_them() {
        let at = 1_776_072_600;
        for (text, expected) in [
            ("2026-04-13 09:30", Some(at)),
            ("2026-04-13T09:30:00Z", Some(at)),
            ("2026-04-13 11:30:00.123456+02", Some(at)),
            ("2026-04-13 06:00:00-03:30", Some(at)),
            ("20260413093000.0Z", Some(at)),
            ("1776072600", Some(at)),
            ("134205462000000000", Some(at)),
            ("2026-04-13", Some(20_556 * 86_400)),
            ("0", None),
            ("Never", None),
            ("9223372036854775807", None),
        ] {
            assert_eq!(moment(text, Dates::Iso), Ok(expected), "{text}");
        }
        for text in [
            "yesterday",
            "2026-04-13 25:00",
            "2026-04-13 9",
            "12345",
            "2026-04-13 09:30 CET",
            "20261313000000Z",
            "é0123456789012Z",
            "2026-é",
        ] {
            assert!(moment(text, Dates::Iso).is_err(), "{text}");
        }
    }

    #[test]
    fn a_quota_has_a_unit_or_is_in_bytes() {
        for (text, expected) in
            [("26843545600", 25 << 30), ("25 GB", 25 << 30), ("25gib", 25 << 30), ("26,843,545,600 bytes", 25 << 30)]
        {
            assert_eq!(quota(text), Ok(expected), "{text}");
        }
        for text in ["25", "0", "lots", "25 ZB", "99999999999 TB", "-1", ""] {
            assert!(quota(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_named_is_what_it_looks_like() {
        assert_eq!(reference("a@x.example", false), Reference::Mail("a@x.example".into()));
        assert_eq!(reference("cn=Lee\\, Ann,dc=x", false), Reference::Place("cn=Lee\\, Ann,dc=x".into()));
        assert_eq!(reference("S-1-5-21-1", false), Reference::Sid("S-1-5-21-1".into()));
        assert_eq!(reference(" leea ", false), Reference::Name("leea".into()));
        assert_eq!(reference("17", true), Reference::Key("17".into()));
    }

    #[test]
    fn what_nobody_sees_is_found() {
        for text in ["a\u{0}b", "a\u{200b}", "\u{202e}a", "a\u{fffd}", "a\nb"] {
            assert!(odd_character(text, false).is_some(), "{text:?}");
        }
        for text in ["O’Brien", "李明", "Søren Ó Súilleabháin", "मोहन\u{200d}"] {
            assert_eq!(odd_character(text, false), None, "{text}");
        }
        assert_eq!(odd_character("a\nb", true), None);
    }
}
