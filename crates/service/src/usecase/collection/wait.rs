//! What a mailbox waits for, in plain words, and since when. Pure: the clock is passed in.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::{Condition, Phase};
use serde::Serialize;
use store::{CollectionRow, MailboxFacts, MailboxRow, SwitchHow};

use crate::when;

/// What something waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wait {
    /// What for, or why it is parked.
    pub what: String,
    /// Since when (seconds since 1970), where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// It stands still until a person acts.
    pub is_parked: bool,
    /// All of it, for people: with the hour and how long that is.
    pub text: String,
}

/// What is asked for each mailbox.
pub(crate) struct Asked<'a> {
    pub row: &'a MailboxRow,
    pub facts: &'a MailboxFacts,
    /// The collection it is in.
    pub collection: Option<&'a CollectionRow>,
    /// When that put it there.
    pub added_at: Option<i64>,
    /// The project has collections.
    pub has_collections: bool,
    /// Its own date, or its collection's.
    pub date: Option<i64>,
    /// Why it may not be copied, though it is on the roster.
    pub withheld: Option<&'a str>,
}

/// What it waits for; none while it is worked on, or has nothing to wait for.
pub(crate) fn wait(asked: &Asked<'_>, now: Timestamp, zone: &TimeZone) -> Option<Wait> {
    let (row, facts) = (asked.row, asked.facts);
    let told = |what: String, since: Option<i64>, is_parked: bool| {
        let begin = if is_parked { "is parked" } else { "waits for" };
        let since_text = since.map(|since| format!(", {}", when::since(since, now, zone))).unwrap_or_default();
        let text = format!("{begin} {what}{since_text}");
        Some(Wait { what, since: since.map(|ms| ms / 1000), is_parked, text })
    };
    if let Some(disposition) = &facts.set_aside {
        let what = if disposition == "mop-up" { "for the mop-up" } else { "for good: it does not move" };
        return told(what.to_owned(), None, true);
    }
    let since = facts.failing_since.filter(|_| row.state.cause.is_some()).unwrap_or(row.since);
    match &row.state.condition {
        Condition::Parked(reason) => {
            let side = row.state.cause.and_then(|(_, side)| side);
            let side = side.map(|side| format!("at the {side}: ")).unwrap_or_default();
            return told(format!("{side}{reason}"), Some(since), true);
        }
        Condition::Waiting(reason) => {
            let what = match row.state.cause.and_then(|(_, side)| side) {
                Some(side) => format!("the {side}: {reason}"),
                None => reason.clone(),
            };
            return told(what, Some(since), false);
        }
        Condition::Running if row.is_held => return None,
        Condition::Running => {}
    }
    if row.state.phase >= Phase::Switching {
        return None;
    }
    if let Some(why) = asked.withheld {
        return told(format!("leave to be copied: {why}"), None, false);
    }
    let now_ms = now.as_millisecond();
    match asked.collection {
        None if asked.has_collections => return told("a collection: it is in none".to_owned(), None, false),
        None => {}
        Some(collection) => match collection.is.start_at {
            None => return told(format!("a start of {}: it has none", collection.is.name), asked.added_at, false),
            Some(start) if start > now_ms => {
                let what = format!("the start of {}, {}", collection.is.name, when::shown(start, zone));
                return told(what, asked.added_at, false);
            }
            Some(_) => {}
        },
    }
    match row.state.phase {
        Phase::InStep => {
            let collection = asked.collection?;
            let what = match (collection.is.switch, asked.date) {
                (SwitchHow::Auto, _) => "its switch, which comes by itself".to_owned(),
                (SwitchHow::At, Some(date)) => format!("its switch, {}", when::shown(date, zone)),
                (SwitchHow::At, None) => "a date for its switch".to_owned(),
                (SwitchHow::ByHand, Some(date)) => {
                    format!("a person's word to switch, planned for {}", when::shown(date, zone))
                }
                (SwitchHow::ByHand, None) => "a person's word to switch".to_owned(),
            };
            told(what, facts.in_step_at, false)
        }
        _ => match facts.due_at {
            Some(due) if due > now_ms => told(format!("its next turn, {}", when::shown(due, zone)), None, false),
            Some(due) => told("a free worker".to_owned(), Some(due), false),
            None => told("a run: whimbrel sync, or serve".to_owned(), None, false),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Cause, MailboxKind, Side};
    use store::{MailboxState, NewCollection, RosterRow};

    const MINUTE: i64 = 60_000;

    fn mailbox(phase: Phase, condition: Condition, cause: Option<(Cause, Option<Side>)>, since: i64) -> MailboxRow {
        MailboxRow {
            mailbox: 1,
            roster: RosterRow {
                source_endpoint: 1,
                source_name: "ann".into(),
                target_endpoint: 2,
                target_name: "ann".into(),
                name: None,
                kind: MailboxKind::Person,
                collection: None,
                target_in_use: false,
                new_account: true,
                activated: None,
                in_books: None,
            },
            listed: true,
            state: MailboxState { phase, condition, cause },
            since,
            source_store: None,
            target_store: None,
            bytes_proved: 0,
            bytes_not_kept: 0,
            pass: None,
            freeze: store::Freeze::Never,
            is_held: false,
            is_taken: false,
            sharing: None,
        }
    }

    fn collection(start_at: Option<i64>, switch: SwitchHow) -> CollectionRow {
        CollectionRow {
            collection: 1,
            is: NewCollection { name: "wave-1".into(), description: String::new(), start_at, switch, switch_at: None },
            made_by: String::new(),
            made_at: 0,
        }
    }

    #[test]
    fn every_mailbox_says_what_it_waits_for_and_since_when() {
        let zone = TimeZone::get("Europe/London").unwrap();
        let now: Timestamp = "2026-11-26T19:16:00Z".parse().unwrap();
        let ms = now.as_millisecond();
        let running = |phase| mailbox(phase, Condition::Running, None, ms);
        let by_source = Some((Cause::Connection, Some(Side::Source)));
        let waiting = Condition::Waiting("it can't be reached".into());
        let parked = Condition::Parked("the login was refused".into());
        let held = MailboxRow { is_held: true, ..running(Phase::Copying) };
        let failing = MailboxFacts { failing_since: Some(ms - 14 * MINUTE), ..MailboxFacts::default() };
        let facts = MailboxFacts::default;
        let due = |at| MailboxFacts { due_at: Some(at), ..facts() };
        let aside = MailboxFacts { set_aside: Some("mop-up".into()), ..facts() };
        let started = collection(Some(0), SwitchHow::At);
        let (soon, never) = (collection(Some(ms + 44 * MINUTE), SwitchHow::Auto), collection(None, SwitchHow::Auto));
        let by_itself = collection(Some(0), SwitchHow::Auto);
        for (row, facts, collection, date, expected) in [
            (
                mailbox(Phase::Copying, waiting, by_source, ms),
                failing.clone(),
                Some(&started),
                None,
                Some("waits for the source: it can't be reached, since 19:02 (14 min)"),
            ),
            (
                mailbox(Phase::Copying, parked, by_source, ms),
                failing,
                Some(&started),
                None,
                Some("is parked at the source: the login was refused, since 19:02 (14 min)"),
            ),
            (
                mailbox(Phase::Copying, Condition::Waiting("a word about 2 failed items".into()), None, ms - MINUTE),
                facts(),
                Some(&started),
                None,
                Some("waits for a word about 2 failed items, since 19:15 (1 min)"),
            ),
            (held, facts(), Some(&started), None, None),
            (running(Phase::Planned), aside, Some(&started), None, Some("is parked for the mop-up")),
            (running(Phase::Planned), facts(), None, None, Some("waits for a collection: it is in none")),
            (
                running(Phase::Planned),
                facts(),
                Some(&soon),
                None,
                Some("waits for the start of wave-1, 2026-11-26 20:00"),
            ),
            (running(Phase::Planned), facts(), Some(&never), None, Some("waits for a start of wave-1: it has none")),
            (
                running(Phase::Copying),
                due(ms - MINUTE),
                Some(&started),
                None,
                Some("waits for a free worker, since 19:15 (1 min)"),
            ),
            (
                running(Phase::Copying),
                due(ms + 4 * MINUTE),
                Some(&started),
                None,
                Some("waits for its next turn, 2026-11-26 19:20"),
            ),
            (
                running(Phase::InStep),
                MailboxFacts { in_step_at: Some(ms - 60 * MINUTE), ..facts() },
                Some(&started),
                Some(ms + 44 * MINUTE),
                Some("waits for its switch, 2026-11-26 20:00, since 18:16 (60 min)"),
            ),
            (
                running(Phase::InStep),
                facts(),
                Some(&by_itself),
                None,
                Some("waits for its switch, which comes by itself"),
            ),
            (running(Phase::Switched), facts(), Some(&started), None, None),
        ] {
            let (added_at, has_collections) = (None, true);
            let asked = Asked { row: &row, facts: &facts, collection, added_at, has_collections, date, withheld: None };
            assert_eq!(wait(&asked, now, &zone).map(|wait| wait.text).as_deref(), expected);
        }
    }
}
