//! Text as every form shows it.

use std::borrow::Cow;

use jiff::civil::Date;

use crate::Cell;

/// What stands in place of a sign that is none, or that would do something instead of being read.
pub(crate) const REPLACEMENT: char = '\u{fffd}';

/// A text without signs that do something: control characters, what turns lines of text around, and what no file format can
/// hold are seen as a replacement. Line breaks stay, of whatever kind they were; a tab is a space.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| is_harmful(c) || matches!(c, '\t' | '\u{2028}' | '\u{2029}' | '\u{85}')) {
        return Cow::Borrowed(text);
    }
    let seen = |c: char| match c {
        '\t' => ' ',
        '\u{2028}' | '\u{2029}' | '\u{85}' => '\n',
        c if is_harmful(c) => REPLACEMENT,
        c => c,
    };
    Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n").chars().map(seen).collect())
}

/// The same, on one line: for headers, names and titles.
pub(crate) fn line(text: &str) -> String {
    shown(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_harmful(c: char) -> bool {
    match c {
        '\n' | '\t' | '\u{85}' => false,
        // Overrides and isolates of direction, and the marks that begin files.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => true,
        // No characters in any encoding.
        '\u{fdd0}'..='\u{fdef}' => true,
        c => c.is_control() || u32::from(c) & 0xfffe == 0xfffe,
    }
}

/// A number as people read it.
pub(crate) fn number(number: i64) -> String {
    let sign = if number < 0 { "\u{2212}" } else { "" };
    format!("{sign}{}", report::grouped(number.unsigned_abs()))
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A day as people write it: "4 December 2026".
pub(crate) fn day(date: Date) -> String {
    format!("{} {} {:04}", date.day(), MONTHS[usize::from(date.month().unsigned_abs()) - 1], date.year())
}

/// A day as a table shows it: "4 Dec 2026".
pub(crate) fn short_day(date: Date) -> String {
    let month = MONTHS[usize::from(date.month().unsigned_abs()) - 1];
    format!("{} {} {:04}", date.day(), &month[..3], date.year())
}

/// A cell as people read it.
pub(crate) fn cell(cell: &Cell) -> Cow<'_, str> {
    match cell {
        Cell::Text(text) | Cell::Verdict(_, text) => shown(text),
        Cell::Number(value) => Cow::Owned(number(*value)),
        Cell::Date(date) => Cow::Owned(short_day(*date)),
    }
}

/// A text within XML or HTML.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in shown(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn what_is_no_sign_is_seen_and_does_nothing() {
        assert_eq!(shown("Zoë\tל\nb"), "Zoë ל\nb");
        assert_eq!(shown("a\r\nb\rc\u{2028}d\u{85}e"), "a\nb\nc\nd\ne");
        assert_eq!(shown("a\0b\u{1b}[31m\u{202e}x\u{feff}\u{fffe}"), "a\u{fffd}b\u{fffd}[31m\u{fffd}x\u{fffd}\u{fffd}");
        assert_eq!(line(" a\n\u{2029}b  c\t"), "a b c");
        assert_eq!(escaped("<b>&\"'\u{7f}"), "&lt;b&gt;&amp;&quot;&#39;\u{fffd}");
    }

    #[test]
    fn numbers_and_days_are_as_people_write_them() {
        assert_eq!([0, 65_000, -1_234].map(number), ["0", "65,000", "\u{2212}1,234"]);
        assert_eq!(number(i64::MIN), "\u{2212}9,223,372,036,854,775,808");
        assert_eq!(day(date(2026, 12, 4)), "4 December 2026");
        assert_eq!(short_day(date(2026, 9, 30)), "30 Sep 2026");
    }
}
