//! Dates as mail programs write them into files: the `From ` line of an mbox, `Date:` and `Received:` of a header.
//!
//! Read are asctime (`Sat Jan  3 01:05:34 1996`, with a zone before or after the year), RFC 5322 (`Sat, 3 Jan 1996 01:05:34
//! +0100`) and what lies between. Without a zone it is UTC (RFC 4155). What is no date is none, never another date.

use model::ReceivedAt;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Zones by name, in hours east of UTC.
const ZONES: [(&str, i16); 20] = [
    ("gmt", 0),
    ("ut", 0),
    ("utc", 0),
    ("z", 0),
    ("wet", 0),
    ("bst", 1),
    ("cet", 1),
    ("met", 1),
    ("west", 1),
    ("cest", 2),
    ("mest", 2),
    ("eet", 2),
    ("est", -5),
    ("edt", -4),
    ("cst", -6),
    ("cdt", -5),
    ("mst", -7),
    ("mdt", -6),
    ("pst", -8),
    ("pdt", -7),
];
/// Words after the date that may follow it: `remote from host`, a second zone in parentheses.
const WORDS_MAX: usize = 64;

/// The date that these words hold, wherever in them it begins; the last one where there are several.
pub fn find(text: &[u8]) -> Option<ReceivedAt> {
    let text = String::from_utf8_lossy(text);
    let words: Vec<&str> = text.split_ascii_whitespace().rev().take(WORDS_MAX).collect();
    let words: Vec<&str> = words.into_iter().rev().collect();
    (0..words.len()).rev().find_map(|from| asctime(&words[from..]).or_else(|| rfc5322(&words[from..])))
}

/// When a message came, as its header says: the topmost `Received`, else `Date`.
pub fn of_header(header: &[u8]) -> Option<ReceivedAt> {
    let fields = fields(header);
    let first = |name: &str| of_field(fields.iter().find(|field| starts_with(field, name))?);
    first(RECEIVED).or_else(|| first(DATE))
}

/// The dates that a header names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Of the first `Date`.
    pub date: Option<ReceivedAt>,
    /// Of each `Received`, from the top.
    pub received: Vec<ReceivedAt>,
}

/// The dates that a message's header names; those that can't be read are left out.
pub fn named_in(header: &[u8]) -> Named {
    let fields = fields(header);
    let of = |name: &'static str| fields.iter().filter(move |field| starts_with(field, name));
    Named {
        date: of(DATE).next().and_then(|field| of_field(field)),
        received: of(RECEIVED).filter_map(|field| of_field(field)).collect(),
    }
}

const RECEIVED: &str = "received:";
const DATE: &str = "date:";

/// The fields of a header that name dates, unfolded, in their order.
fn fields(header: &[u8]) -> Vec<Vec<u8>> {
    let (mut fields, mut last): (Vec<Vec<u8>>, _) = (Vec::new(), false);
    for line in header.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if let (true, Some(field)) = (last, fields.last_mut()) {
                field.extend_from_slice(line);
            }
            continue;
        }
        last = [RECEIVED, DATE].iter().any(|name| starts_with(line, name));
        if last {
            fields.push(line.to_vec());
        }
    }
    fields
}

/// The date in one of these fields: that of `Received` stands behind its last semicolon.
fn of_field(field: &[u8]) -> Option<ReceivedAt> {
    let separator = if starts_with(field, RECEIVED) { b';' } else { b'\n' };
    find(field.rsplit(|byte| *byte == separator).next()?)
}

fn starts_with(line: &[u8], name: &str) -> bool {
    line.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name.as_bytes()))
}

/// `Sat Jan  3 01:05[:34] [zone] 1996 [zone]`.
fn asctime(words: &[&str]) -> Option<ReceivedAt> {
    let [day_name, month, day, time, rest @ ..] = words else { return None };
    if !is_one_of(&DAYS, day_name.trim_end_matches(',')) {
        return None;
    }
    let date = |year: &str, zone: i16| at(year, month, day, time, zone);
    match rest {
        [year, zone, ..] if is_year(year) => date(year, self::zone(zone).unwrap_or(0)),
        [year] if is_year(year) => date(year, 0),
        [zone, year, ..] if is_year(year) => date(year, self::zone(zone).unwrap_or(0)),
        _ => None,
    }
}

/// `[Sat,] 3 Jan 1996 01:05[:34] [zone]`.
fn rfc5322(words: &[&str]) -> Option<ReceivedAt> {
    let words = match words {
        [name, rest @ ..] if is_one_of(&DAYS, name.trim_end_matches(',')) => rest,
        _ => words,
    };
    let [day, month, year, time, rest @ ..] = words else { return None };
    at(year, month, day, time, rest.first().and_then(|zone| self::zone(zone)).unwrap_or(0))
}

fn is_one_of(names: &[&str], word: &str) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(word))
}

fn is_year(word: &str) -> bool {
    matches!(word.len(), 2 | 4) && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn number(word: &str, max: i64) -> Option<i64> {
    let fits = matches!(word.len(), 1 | 2) && word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse().ok().filter(|number| fits && *number <= max)
}

fn zone(word: &str) -> Option<i16> {
    let word = word.trim_matches(['(', ')']);
    if let Some((_, hours)) = ZONES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
        return Some(hours * 60);
    }
    let sign = match word.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = word.get(1..)?.replace(':', "");
    // What was no UTF-8 stands in it as one character of three bytes.
    let (hours, minutes) = digits.split_at_checked(2).filter(|_| digits.len() == 4)?;
    let (hours, minutes) = (number(hours, 23)?, number(minutes, 59)?);
    Some(sign * (hours * 60 + minutes) as i16)
}

fn at(year: &str, month: &str, day: &str, time: &str, offset_minutes: i16) -> Option<ReceivedAt> {
    let year: i64 = if is_year(year) { year.parse().ok()? } else { return None };
    // RFC 5322, 4.3.
    let year = match year {
        0..=49 => year + 2000,
        50..=99 => year + 1900,
        _ => year,
    };
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? as i64 + 1;
    let day = number(day, days_of_month(year, month)).filter(|day| *day > 0)?;
    let mut parts = time.split(':');
    let (hour, minute) = (number(parts.next()?, 23)?, number(parts.next()?, 59)?);
    let second = parts.next().map_or(Some(0), |second| number(second, 60))?;
    if parts.next().is_some() {
        return None;
    }
    let local = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(ReceivedAt { unix_seconds: local - i64::from(offset_minutes) * 60, offset_minutes })
}

/// How many days a month has, by the proleptic Gregorian calendar.
pub fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The day of a date in the proleptic Gregorian calendar, counted from 1970-01-01.
pub fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Years are counted from March on, so that a leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whatever bytes stand in a header, reading it says a date or none.
    #[test]
    fn a_zone_with_bytes_that_are_no_text_is_none() {
        let header =
            b"Date: Sat, 8 Sep 2001 01:46:40 +a\xff\r\nReceived: by a; Sat Sep  8 01:46:40 -\xff1 2001\r\n\r\n";
        let named = named_in(header);
        assert_eq!(named.date.unwrap(), ReceivedAt::utc(999_913_600));
        assert_eq!(named.received, [ReceivedAt::utc(999_913_600)]);
    }

    proptest! {
        #[test]
        fn no_bytes_in_a_date_stop_the_reading(
            before in proptest::collection::vec(any::<u8>(), 0..4),
            part in 0_usize..6,
            at in 0_usize..6,
            put in proptest::collection::vec(any::<u8>(), 0..4),
        ) {
            let mut parts: Vec<Vec<u8>> =
                ["Sat,", "8", "Sep", "2001", "01:46:40", "+0100"].iter().map(|part| part.as_bytes().to_vec()).collect();
            let at = at.min(parts[part].len());
            parts[part].splice(at.., put);
            let text = [before, parts.join(&b' ')].concat();
            let _ = find(&text);
            let _ = named_in(&[b"Date: ".as_slice(), &text, b"\nReceived: x;", &text, b"\n\n"].concat());
        }
    }

    #[test]
    fn dates_are_found_in_every_form() {
        for (text, seconds, offset) in [
            ("From a@b Fri Feb 22 17:06:23 2008", 1_203_699_983, 0),
            ("From a@b  Fri Feb 22 17:06:23 2008 +0100", 1_203_696_383, 60),
            ("From a@b Fri Feb 22 17:06:23 EST 2008", 1_203_717_983, -300),
            ("From 15@xxx Thu Jan 01 00:00:00 +0000 1970", 0, 0),
            ("From \"odd name\" Thu Jan  1 00:00 1970 remote from host", 0, 0),
            ("From - Fri, 22 Feb 2008 17:06:23 -0330", 1_203_712_583, -210),
            ("22 Feb 08 17:06:23 GMT (summer)", 1_203_699_983, 0),
            ("From x Wed Dec 31 23:59:59 1969", -1, 0),
        ] {
            let found = find(text.as_bytes()).map(|at| (at.unix_seconds, at.offset_minutes));
            assert_eq!(found, Some((seconds, offset)), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in ["From here on", "From a Fri Feb 30 17:06:23 2008", "From -", "", "From a Fri Feb 2 17:06:23 208"] {
            assert_eq!(find(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_header_says_when_the_last_server_took_it() {
        let header =
            b"Subject: Date: x\r\nReceived: by a;\r\n Fri, 22 Feb 2008 17:06:23 +0000\r\nReceived: by b; x\r\n\
            Date: Thu, 1 Jan 1970 00:00:01 +0000\r\n\r\nDate: Thu, 1 Jan 1970 00:00:09 +0000\r\n";
        assert_eq!(of_header(header).unwrap().unix_seconds, 1_203_699_983);
        assert_eq!(of_header(b"date: Thu, 1 Jan 1970 00:00:01 +0000\n\nx").unwrap().unix_seconds, 1);
        assert_eq!(of_header(b"Subject: none\n\n"), None);
    }
}
