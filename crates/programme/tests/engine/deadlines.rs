//! The deadline rules: the day before, the day, the day after.

use jiff::civil::{Date, date};
use programme::{Deadlines, Milestones, constant};

use crate::world::invented;

/// A deadline is in time on the day before and on the day, and missed on the day after.
fn is_due(deadline: &programme::Deadline, due: Date, is_hard: bool) {
    assert_eq!((deadline.due, deadline.is_hard), (due, is_hard), "{}", deadline.text);
    for (today, slack, is_missed) in [(due.yesterday(), 1, false), (Ok(due), 0, false), (due.tomorrow(), -1, true)] {
        let today = today.unwrap();
        assert_eq!((deadline.slack(today), deadline.is_missed(today)), (slack, is_missed), "{today}");
    }
    assert!(deadline.text.contains(&due.to_string()));
}

#[test]
fn orders_are_signed_twenty_eight_days_before() {
    let programme = invented();
    let rules = Deadlines::of(&programme);
    for (start, due) in [
        (date(2026, 6, 1), date(2026, 5, 4)),
        (date(2026, 3, 28), date(2026, 2, 28)),
        (date(2028, 3, 28), date(2028, 2, 29)),
        (date(2026, 4, 30), date(2026, 4, 2)),
    ] {
        is_due(&rules.order_form(start).unwrap(), due, true);
        is_due(&rules.purchase_order(start).unwrap(), due, true);
    }
}

#[test]
fn contracts_are_advised_five_weeks_before() {
    let programme = invented();
    is_due(&Deadlines::of(&programme).contracts(date(2026, 6, 1)).unwrap(), date(2026, 4, 27), false);
}

#[test]
fn a_request_for_change_takes_seven_working_days() {
    let programme = invented();
    let rules = Deadlines::of(&programme);
    for (stage, due) in [
        (date(2026, 6, 10), date(2026, 6, 1)),
        (date(2026, 6, 8), date(2026, 5, 28)),
        // Over Good Friday and Easter Monday.
        (date(2026, 4, 13), date(2026, 3, 31)),
        (date(2026, 4, 7), date(2026, 3, 25)),
        // A stage that would begin on a Saturday needs it done by Friday.
        (date(2026, 6, 13), date(2026, 6, 3)),
    ] {
        let lead = rules.change_request(stage, 500).unwrap();
        is_due(&lead.request, due, true);
        assert_eq!((lead.accounts.as_ref(), lead.planned()), (None, &lead.request));
        let calendar = rules.calendar();
        assert!(calendar.add_working_days(due, 7) <= stage);
    }
}

#[test]
fn more_than_five_hundred_accounts_take_fourteen_days_and_the_longer_is_planned() {
    let programme = invented();
    let rules = Deadlines::of(&programme);
    let lead = rules.change_request(date(2026, 6, 10), 501).unwrap();
    is_due(lead.accounts.as_ref().unwrap(), date(2026, 5, 27), true);
    is_due(&lead.request, date(2026, 6, 1), true);
    assert_eq!(lead.planned(), lead.accounts.as_ref().unwrap());
    // Over enough holidays seven working days are the longer.
    let mut programme = invented();
    for day in 1..=9 {
        programme.holidays.push(programme::Holiday { day: date(2026, 6, day), title: "a holiday".into() });
    }
    let lead = Deadlines::of(&programme).change_request(date(2026, 6, 10), 501).unwrap();
    assert!(lead.request.due < lead.accounts.as_ref().unwrap().due);
    assert_eq!(lead.planned(), &lead.request);
}

#[test]
fn the_plan_has_two_weeks_to_be_signed() {
    let programme = invented();
    let rules = Deadlines::of(&programme);
    is_due(&rules.plan_for_signature(date(2026, 6, 1)).unwrap(), date(2026, 5, 18), true);
    is_due(&rules.signature(date(2026, 5, 18)).unwrap(), date(2026, 6, 1), true);
}

#[test]
fn validation_takes_ten_working_days() {
    let programme = invented();
    let rules = Deadlines::of(&programme);
    is_due(&rules.validation(date(2026, 3, 30)).unwrap(), date(2026, 4, 15), true);
    is_due(&rules.validation(date(2026, 5, 30)).unwrap(), date(2026, 6, 12), true);
    is_due(&rules.submission(date(2026, 4, 15)).unwrap(), date(2026, 3, 30), true);
}

#[test]
fn servers_go_and_benefits_are_reported_months_after() {
    let programme = invented();
    let rules = Deadlines::of(&programme);
    is_due(&rules.decommission(date(2026, 11, 30)).unwrap(), date(2027, 2, 28), true);
    is_due(&rules.legacy_addresses(date(2026, 8, 31)).unwrap(), date(2027, 2, 28), true);
    let (from, to) = rules.benefits(date(2027, 8, 31)).unwrap();
    is_due(&from, date(2028, 2, 29), false);
    is_due(&to, date(2028, 8, 31), true);
}

#[test]
fn all_deadlines_come_in_order_and_a_lacking_constant_is_named() {
    let mut programme = invented();
    let milestones = Milestones {
        project: Some(date(2026, 4, 13)),
        implementation: Some(date(2026, 6, 1)),
        change_needed: Some(date(2026, 6, 1)),
        plan_issued: Some(date(2026, 5, 11)),
        submitted: Some(date(2026, 5, 11)),
        last_switch: Some(date(2026, 8, 28)),
        closed: Some(date(2026, 9, 25)),
        new_accounts: 700,
    };
    let all = Deadlines::of(&programme).all(&milestones).unwrap();
    assert!(all.is_sorted_by_key(|deadline| deadline.due));
    assert_eq!(all.len(), 13);
    assert!(Deadlines::of(&programme).all(&Milestones::default()).unwrap().is_empty());
    programme.constants.remove(constant::ORDER);
    let error = Deadlines::of(&programme).all(&milestones).unwrap_err();
    assert!(error.to_string().contains("order-deadline"), "{error}");
}
