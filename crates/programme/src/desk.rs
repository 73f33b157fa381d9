//! How many more calls the service desk gets in each week, and how many people it needs for them.
//!
//! The profile says how many more calls there are while people migrate and for some weeks after (`calls-more-least`,
//! `calls-more-most`, `calls-tail`). That holds at its usual pace: `people-a-week`, or everybody in one week where
//! there are fewer. At another pace the calls follow it: twice the people in a week make twice the additional calls, and as the
//! schedule is then shorter, for fewer weeks. A week counts with the largest pace of itself and of the weeks before it
//! that `calls-tail` spans, so that the desk is not emptied by a week without switches.
//!
//! For each week: additional calls = baseline × share × pace / usual pace, rounded up. Nobody is a part of a person: staff
//! is rounded up, too.

mod seen;

use std::collections::BTreeMap;
use std::fmt;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;

use crate::data::Programme;

pub(crate) use seen::categories;
pub use seen::{CategorySeen, DeskSeen, KnownIssue, WeekSeen, desk_seen};

/// Ten years: no schedule is longer, and a mistyped year is found here and not by the memory that it takes.
const WEEKS_MAX: i64 = 520;

/// What a forecast is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeskPlan<'a> {
    /// Calls that the desk gets in a week without any migration.
    pub baseline_calls: u64,
    /// Calls that one person of the desk handles in a week; the profile's number where the organisation has none.
    pub calls_an_agent: Option<u64>,
    /// People in scope.
    pub people: u64,
    /// How many of them switch on which day.
    pub switches: &'a [(Date, u64)],
}

/// The forecast of one week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeskWeek {
    /// Its Monday.
    pub monday: Date,
    /// People who switch in it.
    pub people: u64,
    /// Calls without any migration.
    pub baseline_calls: u64,
    /// Additional calls, at least.
    pub more_least: u64,
    /// Additional calls, at most.
    pub more_most: u64,
    /// People of the desk who are needed besides those for the baseline, at least.
    pub staff_least: u64,
    /// People of the desk who are needed besides those for the baseline, at most.
    pub staff_most: u64,
}

impl DeskWeek {
    /// How many people the desk lacks if so many are planned besides those for the baseline.
    pub fn lacks(&self, planned: u64) -> u64 {
        self.staff_most.saturating_sub(planned)
    }
}

/// Why there is no forecast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeskError {
    /// The profile has no constant of this name, or one that is 0.
    NoConstant(&'static str),
    /// The first and the last day are further apart than any schedule.
    TooLong {
        /// The first day.
        first: Date,
        /// The last day.
        last: Date,
    },
    /// A number is larger than can be counted with.
    TooMuch,
}

impl fmt::Display for DeskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConstant(name) => write!(f, "the profile has no constant {name:?} above 0; add it"),
            Self::TooLong { first, last } => {
                write!(f, "the schedule goes from {first} to {last}, more than {WEEKS_MAX} weeks; correct its dates")
            }
            Self::TooMuch => f.write_str("there are more calls or people than can be counted; correct the numbers"),
        }
    }
}

impl std::error::Error for DeskError {}

/// The forecast of every week from the first switch until the calls are as they were; none where nobody switches.
pub fn forecast(programme: &Programme, plan: &DeskPlan<'_>) -> Result<Vec<DeskWeek>, DeskError> {
    let constant = |name: &'static str| {
        programme.constants.get(name).map(|constant| constant.value).ok_or(DeskError::NoConstant(name))
    };
    let (least, most) = (constant("calls-more-least")?, constant("calls-more-most")?);
    let tail = usize::try_from(constant("calls-tail")?).map_err(|_| DeskError::TooMuch)?;
    let usual = constant("people-a-week")?.min(plan.people.max(1));
    let an_agent = plan.calls_an_agent.map_or_else(|| constant("calls-an-agent"), Ok)?;
    if usual == 0 {
        return Err(DeskError::NoConstant("people-a-week"));
    }
    if an_agent == 0 {
        return Err(DeskError::NoConstant("calls-an-agent"));
    }
    let people = weeks(plan.switches, tail)?;
    let mut forecast = Vec::with_capacity(people.len());
    for (index, (monday, switching)) in people.iter().enumerate() {
        let window = &people[index.saturating_sub(tail)..=index];
        let pace = window.iter().map(|(_, people)| *people).max().unwrap_or(0);
        let (more_least, more_most) =
            (more(plan.baseline_calls, least, pace, usual)?, more(plan.baseline_calls, most, pace, usual)?);
        let staff = |more: u64| {
            let all = plan.baseline_calls.checked_add(more).ok_or(DeskError::TooMuch)?;
            Ok(all.div_ceil(an_agent) - plan.baseline_calls.div_ceil(an_agent))
        };
        forecast.push(DeskWeek {
            monday: *monday,
            people: *switching,
            baseline_calls: plan.baseline_calls,
            more_least,
            more_most,
            staff_least: staff(more_least)?,
            staff_most: staff(more_most)?,
        });
    }
    Ok(forecast)
}

/// Additional calls of a week, rounded up.
fn more(baseline: u64, percent: u64, pace: u64, usual: u64) -> Result<u64, DeskError> {
    let product = u128::from(baseline).checked_mul(u128::from(percent)).ok_or(DeskError::TooMuch)?;
    let product = product.checked_mul(u128::from(pace)).ok_or(DeskError::TooMuch)?;
    u64::try_from(product.div_ceil(100 * u128::from(usual))).map_err(|_| DeskError::TooMuch)
}

/// People of each week from the first switch to the last, and as many weeks after it.
fn weeks(switches: &[(Date, u64)], tail: usize) -> Result<Vec<(Date, u64)>, DeskError> {
    let mut by_monday: BTreeMap<Date, u64> = BTreeMap::new();
    for (day, people) in switches.iter().filter(|(_, people)| *people > 0) {
        let since_monday = i64::from(day.weekday().to_monday_zero_offset());
        let monday = day.checked_sub(since_monday.days()).map_err(|_| DeskError::TooMuch)?;
        let sum = by_monday.entry(monday).or_default();
        *sum = sum.checked_add(*people).ok_or(DeskError::TooMuch)?;
    }
    let (Some((first, _)), Some((last, _))) = (by_monday.first_key_value(), by_monday.last_key_value()) else {
        return Ok(Vec::new());
    };
    let days = first.until(*last).map_or(i64::MAX, |span| i64::from(span.get_days()));
    let tail = i64::try_from(tail).map_err(|_| DeskError::TooMuch)?;
    let count = (days / 7).saturating_add(1).saturating_add(tail);
    if count > WEEKS_MAX {
        return Err(DeskError::TooLong { first: *first, last: *last });
    }
    let week = |index: i64| {
        let monday = first.checked_add(index.weeks()).map_err(|_| DeskError::TooMuch)?;
        Ok((monday, by_monday.get(&monday).copied().unwrap_or(0)))
    };
    (0..count).map(week).collect()
}
