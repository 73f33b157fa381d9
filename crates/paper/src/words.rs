//! How things of a record are written for people.

use document::Tone;
use jiff::Timestamp;
use jiff::civil::Date;
use programme::{DeliverableState, Outcome, Side, Standing, TaskState, Verdict, side_name};

/// What is said where the record says nothing.
pub(crate) const NOT_RECORDED: &str = "not recorded";

/// A day in a sentence: "4 December 2026".
pub(crate) fn day(day: Date) -> String {
    day.strftime("%-d %B %Y").to_string()
}

/// The day of a time, as the world counts it (UTC).
pub(crate) fn day_of(at: Timestamp) -> Date {
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// A text of the engine with its days as people write them: "by 2026-12-04." is "by 4 December 2026.".
pub(crate) fn with_days(text: &str) -> String {
    let is_part = |char: char| char.is_alphanumeric() || char == '-';
    let word = |word: &str| word.parse::<Date>().ok().filter(|_| word.len() == 10).map(day);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let (before, from) = rest.split_at(start);
        let (part, after) = from.split_at(from.find(|char| !is_part(char)).unwrap_or(from.len()));
        out.push_str(before);
        out.push_str(word(part).as_deref().unwrap_or(part));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// An id as words: "last-switch" is "Last switch".
pub(crate) fn of_id(id: &str) -> String {
    capital(&id.replace(['-', '_'], " "))
}

/// A text that begins a cell or a sentence.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// A side.
pub(crate) fn side(side: Side) -> String {
    capital(side_name(side))
}

/// Sides.
pub(crate) fn sides(sides: &[Side]) -> String {
    let names: Vec<&str> = sides.iter().map(|side| side_name(*side)).collect();
    capital(&names.join(", "))
}

/// So many of something: "1 task", "3 tasks".
pub(crate) fn count(count: usize, one: &str, more: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {more}") }
}

/// Money, from thousandths of a penny.
pub(crate) fn money(millipence: u64) -> String {
    let pence = millipence / 1_000;
    let rest = millipence % 1_000;
    if rest == 0 { format!("£{}.{:02}", pence / 100, pence % 100) } else { format!("{pence}.{rest:03} p") }
}

pub(crate) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Yes => "Yes",
        Verdict::No => "No",
    }
}

pub(crate) fn outcome(outcome: Outcome) -> (Tone, &'static str) {
    match outcome {
        Outcome::Passed => (Tone::Good, "Passed"),
        Outcome::Failed => (Tone::Alert, "Failed"),
        Outcome::NotApplicable => (Tone::Neutral, "Does not apply"),
    }
}

pub(crate) fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Unopened => "Not begun",
        Standing::Open => "Under way",
        Standing::Ended => "Last stage left, waits to be closed",
        Standing::Closed => "Closed",
        Standing::Cancelled => "Given up",
    }
}

pub(crate) fn task_state(state: TaskState, is_late: bool) -> (Tone, &'static str) {
    match state {
        TaskState::Open if is_late => (Tone::Alert, "Late"),
        TaskState::Open => (Tone::Neutral, "Open"),
        TaskState::Done => (Tone::Good, "Done"),
        TaskState::Submitted => (Tone::Neutral, "Submitted"),
        TaskState::Returned => (Tone::Caution, "Sent back"),
        TaskState::Validated => (Tone::Good, "Validated"),
        TaskState::Dropped => (Tone::Neutral, "Not needed"),
    }
}

pub(crate) fn deliverable_state(state: DeliverableState, is_late: bool) -> (Tone, &'static str) {
    match state {
        DeliverableState::Open if is_late => (Tone::Alert, "Late"),
        DeliverableState::Open => (Tone::Neutral, "Open"),
        DeliverableState::Delivered => (Tone::Neutral, "To be accepted"),
        DeliverableState::Refused => (Tone::Alert, "Not accepted"),
        DeliverableState::Accepted => (Tone::Good, "Accepted"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_exact() {
        assert_eq!(money(0), "£0.00");
        assert_eq!(money(3_100_000), "£31.00");
        assert_eq!(money(1_600), "1.600 p");
    }

    #[test]
    fn days_in_a_sentence_are_read_as_such() {
        for (text, read) in [
            ("by 2026-12-04.", "by 4 December 2026."),
            ("(2026-06-01): later", "(1 June 2026): later"),
            ("2026-13-01 and 12026-01-01", "2026-13-01 and 12026-01-01"),
            ("Zoë – ok", "Zoë – ok"),
            ("", ""),
        ] {
            assert_eq!(with_days(text), read);
        }
    }

    #[test]
    fn ids_are_read_as_words() {
        assert_eq!(of_id("last-switch"), "Last switch");
        assert_eq!(of_id(""), "");
        assert_eq!(count(1, "task", "tasks"), "1 task");
    }
}
