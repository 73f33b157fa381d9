//! When receiving and forwarding end, and who is reminded when (R-084, R-237; rulings ).

use jiff::civil::{Date, date};
use mx::clocks::{ClockState, NotUsed, ReceivingRule, Request, forwarding, months_after, receiving};

const OLD: ReceivingRule = ReceivingRule { months: 6, months_max: 12 };
const CURRENT: ReceivingRule = ReceivingRule { months: 6, months_max: 9 };

fn asked(months: u8) -> Request {
    Request { months, reference: "RFC-17".to_owned() }
}

#[test]
fn months_are_those_of_the_calendar() {
    for (since, months, until) in [
        (date(2026, 8, 31), 6, date(2027, 2, 28)),
        (date(2027, 8, 31), 6, date(2028, 2, 29)),
        (date(2027, 8, 29), 6, date(2028, 2, 29)),
        (date(2026, 3, 31), 3, date(2026, 6, 30)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2026, 12, 15), 1, date(2027, 1, 15)),
        (date(2026, 5, 1), 0, date(2026, 5, 1)),
    ] {
        assert_eq!(months_after(since, months).unwrap(), until, "{since} and {months} months");
    }
    assert!(months_after(Date::MAX, 1).is_err());
}

#[test]
fn receiving_ends_by_the_profile_and_what_was_granted() {
    let last = date(2026, 8, 31);
    let until = |rule, request: Option<Request>| receiving(Some(last), rule, request.as_ref(), None).unwrap().until();
    assert_eq!(until(OLD, None), Some(date(2027, 2, 28)));
    assert_eq!(until(OLD, Some(asked(12))), Some(date(2027, 8, 31)));
    assert_eq!(until(CURRENT, Some(asked(9))), Some(date(2027, 5, 31)));
    // Less than the profile gives takes nothing away.
    assert_eq!(until(CURRENT, Some(asked(2))), Some(date(2027, 2, 28)));
    let refused = receiving(Some(last), CURRENT, Some(&asked(10)), None).unwrap_err();
    assert!(refused.to_string().contains("RFC-17"), "{refused}");
    let waiting = receiving(None, CURRENT, None, None).unwrap();
    assert_eq!(waiting.state, ClockState::NotStarted);
    assert!(!waiting.is_over(date(2099, 1, 1)));
}

#[test]
fn the_last_day_still_receives() {
    let clock = receiving(Some(date(2026, 8, 31)), OLD, None, None).unwrap();
    assert!(!clock.is_over(date(2027, 2, 28)));
    assert!(clock.is_over(date(2027, 3, 1)));
}

#[test]
fn a_recorded_decision_that_it_is_not_used_ends_it() {
    let decision = NotUsed { on: date(2026, 10, 1), by: "Ann Example".to_owned() };
    for last in [None, Some(date(2026, 8, 31))] {
        let clock = receiving(last, CURRENT, None, Some(&decision)).unwrap();
        assert_eq!((clock.until(), clock.reminders()), (None, Vec::new()));
        assert!(!clock.is_over(date(2026, 9, 30)) && clock.is_over(date(2026, 10, 1)));
        assert_eq!(clock.reminder_due(date(2026, 10, 1), &[]), None);
    }
}

#[test]
fn forwarding_ends_three_months_after_migration_and_never_past_the_decommissioning() {
    let migrated = Some(date(2026, 11, 30));
    let until = |gone| forwarding(migrated, 3, gone).unwrap().until();
    assert_eq!(until(None), Some(date(2027, 2, 28)));
    assert_eq!(until(Some(date(2027, 6, 1))), Some(date(2027, 2, 28)));
    assert_eq!(until(Some(date(2027, 1, 15))), Some(date(2027, 1, 15)));
    assert_eq!(forwarding(None, 3, None).unwrap().state, ClockState::NotStarted);
}

#[test]
fn each_reminder_is_due_once_and_those_missed_are_not_made_up_for() {
    let clock = receiving(Some(date(2026, 8, 15)), OLD, None, None).unwrap();
    assert_eq!(clock.until(), Some(date(2027, 2, 15)));
    let days = [(date(2027, 1, 16), 30), (date(2027, 2, 1), 14), (date(2027, 2, 8), 7), (date(2027, 2, 14), 1)];
    assert_eq!(clock.reminders(), days);
    // Day by day, as whoever sends them does.
    let mut sent = Vec::new();
    let mut seen = Vec::new();
    for today in date(2026, 8, 15).series(jiff::Span::new().days(1)).take_while(|day| *day < date(2027, 4, 1)) {
        if let Some(due) = clock.reminder_due(today, &sent) {
            sent.push(due);
            seen.push((today, due));
        }
    }
    assert_eq!(seen, days);
    // Nobody looked for weeks: one letter, not three.
    assert_eq!(clock.reminder_due(date(2027, 2, 10), &[30]), Some(7));
    assert_eq!(clock.reminder_due(date(2027, 2, 10), &[30, 7]), None);
    assert_eq!(clock.reminder_due(date(2027, 2, 15), &[30, 7]), Some(1));
    assert_eq!(clock.reminder_due(date(2027, 2, 16), &[]), None);
    // A source that is taken down soon: nothing is due before the clock starts.
    let short = forwarding(Some(date(2026, 11, 1)), 3, Some(date(2026, 11, 11))).unwrap();
    assert_eq!(short.reminders(), [(date(2026, 11, 4), 7), (date(2026, 11, 10), 1)]);
}
