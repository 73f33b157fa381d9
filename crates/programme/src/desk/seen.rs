//! What the service desk got, against what was forecast: by week and by category, with the difference; and what it says about what is
//! known. Staff that is needed stands beside staff that is planned.
//!
//! Calls of an ordinary week are recorded by category, and so is what came. The forecast of a category is that of its own
//! ordinary calls. Of a category and week the row that was written last counts. Where nobody switches a week is ordinary.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;

use super::{DeskPlan, DeskWeek, forecast};
use crate::data::Programme;
use crate::record::{Record, Row};
use crate::register::Register;

/// The list of the profile that has the categories of calls.
const CATEGORIES: &str = "call-categories";
/// Lists of what is asked again and again, and of what helps.
const ANSWERS: [&str; 2] = ["questions-after", "call-trends"];
/// The field of a form in which the calls of an ordinary week stand, where they are not recorded by category.
const ORDINARY: &str = "help-desk-calls";

/// The service desk as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeskSeen {
    /// Calls of an ordinary week; none where they are not recorded.
    pub ordinary_calls: Option<u64>,
    /// Why there is no forecast, where there is none.
    pub no_forecast: Option<String>,
    /// Each week that was forecast or counted.
    pub weeks: Vec<WeekSeen>,
    /// Each category, over the weeks that were counted.
    pub categories: Vec<CategorySeen>,
    /// What is known and not over, with what to say.
    pub known_issues: Vec<KnownIssue>,
    /// What the profile says of what people ask.
    pub answers: Vec<String>,
}

/// A week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WeekSeen {
    /// Its Monday.
    pub monday: Date,
    /// People who switch in it.
    pub people: u64,
    /// Calls that were forecast, at least and at most.
    pub forecast: Option<(u64, u64)>,
    /// Calls that came; none where nobody has counted them.
    pub actual: Option<u64>,
    /// So many more than at most, or fewer than at least (below 0); 0 in between. As long as not all categories were counted only what is more
    /// is told.
    pub difference: Option<i64>,
    /// People of the desk who are needed besides the usual ones, at least and at most.
    pub staff_needed: Option<(u64, u64)>,
    /// People who are planned for it; none where nobody has planned any.
    pub staff_planned: Option<u64>,
    /// So many of those who are needed at most are not planned.
    pub staff_lacks: Option<u64>,
}

/// A category of calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CategorySeen {
    /// Which.
    pub category: String,
    /// Calls of it that were forecast for the weeks in which it was counted, at least and at most.
    pub forecast: Option<(u64, u64)>,
    /// Calls of it that came; none where nobody has counted them.
    pub actual: Option<u64>,
    /// As of weeks.
    pub difference: Option<i64>,
}

/// Something that people call about and that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KnownIssue {
    /// Its row.
    pub row: String,
    /// What it is.
    pub title: String,
    /// What to say.
    pub say: String,
    /// The category of calls that it brings.
    pub category: Option<String>,
}

/// The categories of calls that the profile has.
pub(crate) fn categories(programme: &Programme) -> &[String] {
    programme.lists.iter().find(|list| list.id == CATEGORIES).map(|list| list.lines.as_slice()).unwrap_or_default()
}

/// The desk of a project in which so many people switch on which day.
pub fn desk_seen(programme: &Programme, record: &Record, switches: &[(Date, u64)]) -> DeskSeen {
    let (ordinary, actual_calls) = counted(record);
    let of_form = || {
        let asked = programme.forms.iter().find(|form| form.fields.iter().any(|field| field.id == ORDINARY))?;
        record.answer(&asked.id, ORDINARY)?.trim().parse().ok()
    };
    let is_whole = !ordinary.is_empty() && categories(programme).iter().all(|category| ordinary.contains_key(category));
    let sum = || ordinary.values().copied().fold(0, u64::saturating_add);
    // As long as some category is not recorded the form knows better what comes in all.
    let ordinary_calls: Option<u64> = if is_whole { Some(sum()) } else { of_form() };
    let all = record.numbers().map_or(0, |(_, numbers)| numbers.existing.saturating_add(numbers.new));
    let people = all.max(switches.iter().fold(0, |sum: u64, (_, people)| sum.saturating_add(*people)));
    let staff = planned_staff(record);
    let calls_an_agent = staff.iter().rev().find_map(|planned| planned.calls_an_agent);
    let weeks_of = |baseline_calls: u64| {
        let plan = DeskPlan { baseline_calls, calls_an_agent, people, switches };
        forecast(programme, &plan).map_err(|error| error.to_string())
    };
    let mut seen = DeskSeen { ordinary_calls, ..DeskSeen::default() };
    let forecasts: BTreeMap<Date, DeskWeek> = match ordinary_calls.map(weeks_of) {
        None => {
            let what = "calls of an ordinary week are not recorded, of every category or in all by the questionnaire";
            seen.no_forecast = Some(what.to_owned());
            BTreeMap::new()
        }
        Some(Err(why)) => {
            seen.no_forecast = Some(why);
            BTreeMap::new()
        }
        Some(Ok(weeks)) => weeks.into_iter().map(|week| (week.monday, week)).collect(),
    };
    let came: BTreeMap<Date, u64> = actual_calls.iter().fold(BTreeMap::new(), |mut came, ((monday, _), calls)| {
        let sum: &mut u64 = came.entry(*monday).or_default();
        *sum = sum.saturating_add(*calls);
        came
    });
    let mondays: BTreeSet<Date> = forecasts.keys().chain(came.keys()).copied().collect();
    for monday in mondays {
        let week = forecasts.get(&monday);
        let forecast = range(ordinary_calls.filter(|_| seen.no_forecast.is_none()), week);
        let actual = came.get(&monday).copied();
        let people = week.map_or(0, |week| week.people);
        let is_counted = |category: &String| actual_of(&actual_calls, monday, category).is_some();
        let is_all = categories(programme).iter().all(is_counted);
        let difference = difference(forecast, actual).filter(|more| is_all || *more > 0);
        let staff_needed = forecast.map(|_| week.map_or((0, 0), |week| (week.staff_least, week.staff_most)));
        let staff_planned = staff_on(&staff, monday);
        let staff_lacks = staff_needed.map(|(_, most)| most.saturating_sub(staff_planned.unwrap_or(0)));
        seen.weeks.push(WeekSeen {
            monday,
            people,
            forecast,
            actual,
            difference,
            staff_needed,
            staff_planned,
            staff_lacks,
        });
    }
    let named: BTreeSet<&String> = ordinary.keys().chain(actual_calls.keys().map(|(_, category)| category)).collect();
    for category in named {
        let forecast = ordinary.get(category).and_then(|calls| {
            let weeks: BTreeMap<Date, DeskWeek> =
                weeks_of(*calls).ok()?.into_iter().map(|week| (week.monday, week)).collect();
            let counted = came.keys().filter(|monday| actual_of(&actual_calls, **monday, category).is_some());
            let of_weeks = counted.filter_map(|monday| range(Some(*calls), weeks.get(monday)));
            Some(
                of_weeks
                    .fold((0, 0), |sum: (u64, u64), week| (sum.0.saturating_add(week.0), sum.1.saturating_add(week.1))),
            )
        });
        let of_category = actual_calls.iter().filter(|((_, of), _)| of == category).map(|(_, calls)| *calls);
        let actual = of_category.reduce(u64::saturating_add);
        let difference = difference(forecast, actual);
        seen.categories.push(CategorySeen { category: category.clone(), forecast, actual, difference });
    }
    let known = record.rows_of(Register::KnownIssues).filter(|row| row.is_open());
    seen.known_issues = known.map(known_issue).collect();
    let answers = programme.lists.iter().filter(|list| ANSWERS.contains(&list.id.as_str()));
    seen.answers = answers.flat_map(|list| list.lines.iter().cloned()).collect();
    seen
}

/// What was counted of a category in a week.
fn actual_of(actual: &BTreeMap<(Date, String), u64>, monday: Date, category: &str) -> Option<u64> {
    actual.get(&(monday, category.to_owned())).copied()
}

fn known_issue(row: &Row) -> KnownIssue {
    let field = |name: &str| row.field(name).unwrap_or_default().to_owned();
    let category = row.field("category").map(str::to_owned);
    KnownIssue { row: row.id.clone(), title: field("title"), say: field("say"), category }
}

type Counted = (BTreeMap<String, u64>, BTreeMap<(Date, String), u64>);

/// What was counted: of an ordinary week by category, and of each week by its Monday and category.
fn counted(record: &Record) -> Counted {
    let (mut ordinary, mut actual) = (BTreeMap::new(), BTreeMap::new());
    let mut rows: Vec<&Row> = record.rows_of(Register::DeskCalls).collect();
    rows.sort_by_key(|row| (row.touched(), row.id.len(), &row.id));
    for row in rows {
        let number = row.field("calls").and_then(|calls| calls.parse::<u64>().ok());
        let (Some(category), Some(calls)) = (row.field("category"), number) else { continue };
        match (row.field("what"), row.field("week").and_then(|week| week.parse().ok()).and_then(monday_of)) {
            (Some("ordinary"), _) => drop(ordinary.insert(category.to_owned(), calls)),
            (_, Some(monday)) => drop(actual.insert((monday, category.to_owned()), calls)),
            _ => {}
        }
    }
    (ordinary, actual)
}

/// People who are planned from a day on.
struct PlannedStaff {
    from: Date,
    staff: u64,
    calls_an_agent: Option<u64>,
}

/// What is planned, in the order in which it was written or changed.
fn planned_staff(record: &Record) -> Vec<PlannedStaff> {
    let mut rows: Vec<&Row> = record.rows_of(Register::DeskStaff).collect();
    rows.sort_by_key(|row| (row.touched(), row.id.len(), &row.id));
    let planned = |row: &Row| {
        let number = |name: &str| row.field(name).and_then(|value| value.parse::<u64>().ok());
        let from = row.field("from")?.parse().ok()?;
        let calls_an_agent = number("calls-an-agent").filter(|calls| *calls > 0);
        Some(PlannedStaff { from, staff: number("staff")?, calls_an_agent })
    };
    rows.into_iter().filter_map(planned).collect()
}

/// Who is planned for the whole of a week that begins on this Monday: by the latest day, of which the last word counts.
fn staff_on(staff: &[PlannedStaff], monday: Date) -> Option<u64> {
    let begun = staff.iter().filter(|planned| planned.from <= monday);
    begun.max_by_key(|planned| planned.from).map(|planned| planned.staff)
}

fn monday_of(day: Date) -> Option<Date> {
    day.checked_sub(i64::from(day.weekday().to_monday_zero_offset()).days()).ok()
}

/// Calls of a week at least and at most; of one in which nothing more is expected, those of an ordinary one.
fn range(ordinary: Option<u64>, week: Option<&DeskWeek>) -> Option<(u64, u64)> {
    let ordinary = ordinary?;
    let more = week.map_or((0, 0), |week| (week.more_least, week.more_most));
    Some((ordinary.saturating_add(more.0), ordinary.saturating_add(more.1)))
}

fn difference(forecast: Option<(u64, u64)>, actual: Option<u64>) -> Option<i64> {
    let ((least, most), actual) = (forecast?, actual?);
    let as_number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Some(if actual > most { as_number(actual - most) } else { -as_number(least.saturating_sub(actual)) })
}
