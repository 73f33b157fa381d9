//! The forecast of calls, on numbers that can be done by hand.

use jiff::civil::{Date, date};
use programme::{DeskError, DeskPlan, DeskWeek, Programme, forecast};
use proptest::prelude::*;

use crate::heron::heron;

fn nhsmail() -> Programme {
    Programme::shipped("nhsmail", "current").unwrap().unwrap()
}

/// A Monday.
const MONDAY: Date = date(2026, 3, 2);

fn week(index: i64) -> Date {
    MONDAY.checked_add(jiff::Span::new().weeks(index)).unwrap()
}

fn of(programme: &Programme, people: u64, switches: &[(Date, u64)]) -> Vec<DeskWeek> {
    let plan = DeskPlan { baseline_calls: 1000, calls_an_agent: None, people, switches };
    forecast(programme, &plan).unwrap()
}

fn more(weeks: &[DeskWeek]) -> Vec<(u64, u64)> {
    weeks.iter().map(|week| (week.more_least, week.more_most)).collect()
}

#[test]
fn the_usual_pace_makes_the_usual_share_during_migration_and_four_weeks_after() {
    let nhsmail = nhsmail();
    let three_weeks = [(week(0), 5000), (week(1), 5000), (week(2), 5000)];
    assert_eq!(more(&of(&nhsmail, 15_000, &three_weeks)), [(300, 400); 7]);
    assert_eq!(more(&of(&nhsmail, 900, &[(week(0), 900)])), [(300, 400); 5], "everybody at once");
}

#[test]
fn a_higher_pace_makes_more_calls_for_fewer_weeks() {
    let nhsmail = nhsmail();
    let slow = of(&nhsmail, 20_000, &[(week(0), 5000), (week(1), 5000), (week(2), 5000), (week(3), 5000)]);
    let fast = of(&nhsmail, 20_000, &[(week(0), 10_000), (week(1), 10_000)]);
    assert_eq!((slow.len(), fast.len()), (8, 6));
    assert_eq!((slow[0].more_most, fast[0].more_most), (400, 800));
    assert!(fast[0].staff_most > slow[0].staff_most);
    let slower = of(&nhsmail, 20_000, &[(week(0), 2500)]);
    assert_eq!(slower[0].more_most, 200);
}

#[test]
fn a_week_without_switches_does_not_empty_the_desk() {
    let weeks = of(&nhsmail(), 10_000, &[(week(0), 5000), (week(6), 2500), (week(2), 5000)]);
    let people: Vec<u64> = weeks.iter().map(|week| week.people).collect();
    assert_eq!(people, [5000, 0, 5000, 0, 0, 0, 2500, 0, 0, 0, 0]);
    let most: Vec<u64> = weeks.iter().map(|week| week.more_most).collect();
    assert_eq!(most, [400, 400, 400, 400, 400, 400, 400, 200, 200, 200, 200]);
}

#[test]
fn days_of_a_week_are_one_week() {
    let weeks = of(&nhsmail(), 900, &[(date(2026, 3, 8), 300), (date(2026, 3, 2), 300), (date(2026, 3, 5), 300)]);
    assert_eq!((weeks[0].monday, weeks[0].people, weeks.len()), (MONDAY, 900, 5));
    let apart = of(&nhsmail(), 900, &[(date(2026, 3, 8), 300), (date(2026, 3, 9), 600)]);
    assert_eq!((apart[0].monday, apart[1].monday, apart[1].people), (MONDAY, week(1), 600));
}

#[test]
fn staff_is_rounded_up_to_whole_people() {
    let nhsmail = nhsmail();
    let staff = |baseline_calls: u64, calls_an_agent: Option<u64>| {
        let plan = DeskPlan { baseline_calls, calls_an_agent, people: 900, switches: &[(MONDAY, 900)] };
        let week = forecast(&nhsmail, &plan).unwrap()[0].clone();
        (week.more_least, week.more_most, week.staff_least, week.staff_most)
    };
    assert_eq!(staff(1000, None), (300, 400, 3, 4), "a hundred calls each");
    assert_eq!(staff(1000, Some(80)), (300, 400, 4, 5), "17 and 18 people where 13 do");
    assert_eq!(staff(1, None), (1, 1, 0, 0), "one person has time for two calls");
    assert_eq!(staff(100, None), (30, 40, 1, 1));
    assert_eq!(staff(0, None), (0, 0, 0, 0));
    let week = of(&nhsmail, 900, &[(MONDAY, 900)])[0].clone();
    assert_eq!((week.lacks(0), week.lacks(3), week.lacks(4), week.lacks(9)), (4, 1, 0, 0));
}

#[test]
fn another_profile_has_other_numbers() {
    let weeks = of(&heron(), 100, &[(MONDAY, 50)]);
    assert_eq!(more(&weeks), [(500, 1000); 3]);
    assert_eq!(weeks[0].staff_most, 50);
}

#[test]
fn what_cannot_be_forecast_is_refused() {
    let nhsmail = nhsmail();
    assert_eq!(of(&nhsmail, 900, &[]), []);
    assert_eq!(of(&nhsmail, 900, &[(MONDAY, 0)]), []);
    fn plan(switches: &[(Date, u64)]) -> DeskPlan<'_> {
        DeskPlan { baseline_calls: 10, calls_an_agent: None, people: 10, switches }
    }
    let error = forecast(&nhsmail, &plan(&[(MONDAY, 1), (date(2206, 3, 2), 1)])).unwrap_err();
    assert!(matches!(error, DeskError::TooLong { .. }), "{error}");
    assert!(error.to_string().contains("from 2026-03-02 to 2206-02-24"), "{error}");
    let error = forecast(&nhsmail, &plan(&[(MONDAY, u64::MAX), (MONDAY, 1)])).unwrap_err();
    assert_eq!(error, DeskError::TooMuch);
    let error = forecast(&nhsmail, &DeskPlan { calls_an_agent: Some(0), ..plan(&[(MONDAY, 1)]) }).unwrap_err();
    assert_eq!(error, DeskError::NoConstant("calls-an-agent"));
    let error = forecast(&Programme::default(), &plan(&[])).unwrap_err();
    assert_eq!(error, DeskError::NoConstant("calls-more-least"));
    for days in [Date::MIN, Date::MAX] {
        let _ = forecast(&nhsmail, &plan(&[(days, 1)]));
    }
}

proptest! {
    #[test]
    fn more_calls_need_as_many_people_or_more(
        baseline in 0_u64..5_000,
        people in 1_u64..20_000,
        waves in proptest::collection::vec((0_i64..30, 0_u64..6_000), 0..10),
    ) {
        let nhsmail = nhsmail_once();
        let switches: Vec<(Date, u64)> = waves.iter().map(|(index, people)| (week(*index), *people)).collect();
        let of = |baseline_calls| {
            let plan = DeskPlan { baseline_calls, calls_an_agent: None, people, switches: &switches };
            forecast(nhsmail, &plan).unwrap()
        };
        let (weeks, busier) = (of(baseline), of(baseline + 100));
        prop_assert_eq!(weeks.len(), busier.len());
        let switched: u64 = waves.iter().map(|(_, people)| people).sum();
        prop_assert_eq!(weeks.iter().map(|week| week.people).sum::<u64>(), switched);
        for (week, busier) in weeks.iter().zip(&busier) {
            prop_assert!(week.more_least <= week.more_most && week.staff_least <= week.staff_most);
            prop_assert!(week.more_most <= busier.more_most);
            prop_assert!(week.staff_most <= week.more_most);
        }
    }
}

/// The shipped programme, read once.
fn nhsmail_once() -> &'static Programme {
    static NHSMAIL: std::sync::OnceLock<Programme> = std::sync::OnceLock::new();
    NHSMAIL.get_or_init(nhsmail)
}
