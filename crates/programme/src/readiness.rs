//! Readiness: what has no owner or forecast, how long each side took in each round, how the checklist stood after each
//! call, and what a package still lacks.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;

use crate::data::{Package, Programme, Side};
use crate::gate::{Facts, Item, day_of, item};
use crate::record::{Record, TaskLine, TaskRecord, Verdict};
use crate::scope::{Scope, Task, TaskState, side_name};

/// A task that has no owner or no forecast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Gap {
    /// The task.
    pub task: String,
    /// What is to be done.
    pub title: String,
    /// Has it no owner?
    pub lacks_owner: bool,
    /// Has it no forecast?
    pub lacks_forecast: bool,
}

/// Tasks without owner or forecast: of the pre-requisites, and of all stages up to the one after this.
pub fn gaps(programme: &Programme, record: &Record, facts: &Facts) -> Vec<Gap> {
    Scope::of(programme, record).map(|scope| gaps_in(&scope, facts)).unwrap_or_default()
}

pub(crate) fn gaps_in(scope: &Scope<'_>, facts: &Facts) -> Vec<Gap> {
    let here = scope.record.stage().and_then(|entry| scope.place_of(&entry.stage)).map_or(0, |at| at + 1);
    let is_asked = |task: &Task<'_>| task.is_prerequisite || scope.place_of(task.stage).is_some_and(|at| at < here);
    let tasks = scope.tasks().into_iter().filter(is_asked);
    let open = tasks.filter(|task| {
        !matches!(scope.state(task, facts), TaskState::Dropped | TaskState::Validated | TaskState::Done)
    });
    open.filter_map(|task| {
        let lacks_owner = task.record.is_none_or(|record| record.owner.is_none());
        let lacks_forecast = task.record.is_none_or(|record| record.forecast.is_none());
        let gap = Gap { task: task.id.to_owned(), title: task.title.to_owned(), lacks_owner, lacks_forecast };
        (lacks_owner || lacks_forecast).then_some(gap)
    })
    .collect()
}

/// A pre-requisite that is not signed off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct OpenTask {
    /// The task.
    pub task: String,
    /// What is to be done.
    pub title: String,
    /// How far it is.
    pub state: TaskState,
    /// What it lacks.
    pub lacks: Vec<String>,
}

/// Pre-requisites that are not done, or not validated where a provider takes part.
pub fn pre_requisites_open(scope: &Scope<'_>, facts: &Facts) -> Vec<OpenTask> {
    let tasks = scope.tasks().into_iter().filter(|task| task.is_prerequisite);
    tasks
        .filter_map(|task| {
            let state = scope.state(&task, facts);
            let is_done = state == TaskState::Done && !scope.validates_each();
            let is_open = !is_done && !matches!(state, TaskState::Validated | TaskState::Dropped);
            let lacks = scope.lacks(&task, facts);
            is_open.then(|| OpenTask { task: task.id.to_owned(), title: task.title.to_owned(), state, lacks })
        })
        .collect()
}

/// How long each side took in one round of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RoundTime {
    /// The task.
    pub task: String,
    /// Which round.
    pub round: u32,
    /// Hours from the answer before until this submission; none in the first round.
    pub corrected_hours: Option<i64>,
    /// Hours from this submission until its answer; none where there is none yet.
    pub validated_hours: Option<i64>,
    /// Was it as it should be?
    pub verdict: Option<Verdict>,
}

/// Every round of every task, with the time of both sides.
pub fn rounds(record: &Record) -> Vec<RoundTime> {
    record.tasks.iter().flat_map(|(id, task)| rounds_of(id, task)).collect()
}

fn rounds_of(id: &str, task: &TaskRecord) -> Vec<RoundTime> {
    let hours = |from: jiff::Timestamp, to: jiff::Timestamp| to.duration_since(from).as_secs().max(0) / 3600;
    let mut answered = None;
    let rounds = task.rounds.iter();
    rounds
        .map(|round| {
            let submitted = round.submitted.at;
            let time = RoundTime {
                task: id.to_owned(),
                round: round.number,
                corrected_hours: answered.map(|before| hours(before, submitted)),
                validated_hours: round.answer.as_ref().map(|answer| hours(submitted, answer.said.at)),
                verdict: round.answer.as_ref().map(|answer| answer.verdict),
            };
            answered = round.answer.as_ref().map(|answer| answer.said.at);
            time
        })
        .collect()
}

/// How long each side takes, over all rounds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ResponseTimes {
    /// Rounds that there were.
    pub rounds: usize,
    /// Hours that validation took on average.
    pub validated_hours: Option<i64>,
    /// The longest.
    pub validated_hours_max: Option<i64>,
    /// Hours that correction took on average.
    pub corrected_hours: Option<i64>,
    /// The longest.
    pub corrected_hours_max: Option<i64>,
}

/// How long each side takes, over all rounds.
pub fn response_times(record: &Record) -> ResponseTimes {
    let rounds = rounds(record);
    let validated: Vec<i64> = rounds.iter().filter_map(|round| round.validated_hours).collect();
    let corrected: Vec<i64> = rounds.iter().filter_map(|round| round.corrected_hours).collect();
    let mean = |hours: &[i64]| {
        let count = i64::try_from(hours.len()).ok().filter(|count| *count > 0)?;
        Some(hours.iter().sum::<i64>() / count)
    };
    ResponseTimes {
        rounds: rounds.len(),
        validated_hours: mean(&validated),
        validated_hours_max: validated.iter().copied().max(),
        corrected_hours: mean(&corrected),
        corrected_hours_max: corrected.iter().copied().max(),
    }
}

/// A row of the status that is sent out each week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StatusRow {
    /// The task.
    pub task: String,
    /// What is to be done.
    pub title: String,
    /// The stage.
    pub stage: String,
    /// The workstream.
    pub workstream: String,
    /// Who answers for it.
    pub sides: Vec<Side>,
    /// Is it one of the pre-requisites?
    pub is_prerequisite: bool,
    /// Its owner.
    pub owner: Option<String>,
    /// Its forecast.
    pub forecast: Option<Date>,
    /// The day on which it is due: as the project says, else so many days after its stage began as the profile has it.
    pub due: Option<Date>,
    /// Is its day or its forecast over, and the task not done?
    pub is_late: bool,
    /// How far it is.
    pub state: TaskState,
    /// What it lacks.
    pub lacks: Vec<String>,
    /// Who validated it.
    pub checker: Option<String>,
    /// How many rounds there were.
    pub rounds: usize,
    /// Names of its evidence.
    pub evidence: Vec<String>,
}

/// When a task is due, as far as that is known.
fn due(scope: &Scope<'_>, task: &Task<'_>) -> Option<Date> {
    let said = task.record.and_then(|record| record.due);
    let entered = scope.record.stages.iter().rev().find(|entry| entry.stage == task.stage);
    let of_profile = scope.programme.tasks.iter().find(|known| known.id == task.id).and_then(|known| known.due_days);
    let computed = || day_of(entered?.said.at).checked_add(i64::from(of_profile?).days()).ok();
    said.or_else(computed)
}

/// Every task as it stands on this day.
pub fn status(programme: &Programme, record: &Record, facts: &Facts, today: Date) -> Vec<StatusRow> {
    let Some(scope) = Scope::of(programme, record) else { return Vec::new() };
    let tasks = scope.tasks().into_iter();
    tasks
        .map(|task| {
            let state = scope.state(&task, facts);
            let owner = task.record.and_then(|record| record.owner.clone());
            let forecast = task.record.and_then(|record| record.forecast);
            let is_behind = matches!(state, TaskState::Open | TaskState::Returned);
            let due = due(&scope, &task);
            let first = [forecast, due].into_iter().flatten().min();
            let round = task.record.and_then(TaskRecord::round);
            let subject = crate::record::Subject::Task(task.id.to_owned());
            StatusRow {
                task: task.id.to_owned(),
                title: task.title.to_owned(),
                stage: task.stage.to_owned(),
                workstream: task.workstream.to_owned(),
                sides: task.sides.clone(),
                is_prerequisite: task.is_prerequisite,
                owner,
                forecast,
                due,
                is_late: is_behind && first.is_some_and(|first| first < today),
                state,
                lacks: scope.lacks(&task, facts),
                checker: round.and_then(|round| round.answer.as_ref()).map(|answer| answer.said.who.clone()),
                rounds: task.record.map_or(0, |record| record.rounds.len()),
                evidence: record.evidence_on(&subject).map(|held| held.evidence.name.clone()).collect(),
            }
        })
        .collect()
}

pub(crate) fn snapshot(scope: &Scope<'_>, facts: &Facts) -> Vec<TaskLine> {
    let line = |task: Task<'_>| TaskLine {
        task: task.id.to_owned(),
        state: scope.state(&task, facts).name().to_owned(),
        owner: task.record.and_then(|record| record.owner.clone()),
        forecast: task.record.and_then(|record| record.forecast),
    };
    scope.tasks().into_iter().map(line).collect()
}

/// Roles that a stage should have filled and nobody holds: stage and roles.
pub fn unfilled_roles(programme: &Programme, record: &Record) -> Vec<(String, Vec<String>)> {
    let Some(scope) = Scope::of(programme, record) else { return Vec::new() };
    let is_unfilled = |role: &&String| record.holders(role).next().is_none();
    let stages = scope.project_type.stages.iter();
    stages
        .filter_map(|stage| {
            let staffing = programme.staffing.iter().filter(|row| row.stages.contains(stage));
            let mut roles: Vec<String> =
                staffing.flat_map(|row| row.roles.iter().filter(is_unfilled).cloned()).collect();
            roles.dedup();
            (!roles.is_empty()).then(|| (stage.clone(), roles))
        })
        .collect()
}

/// Key roles of the sides that take part which nobody holds.
pub(crate) fn unfilled_key_roles(scope: &Scope<'_>) -> Vec<String> {
    let keys = scope.programme.roles.iter().filter(|role| role.is_key && scope.takes_part(role.side));
    keys.filter(|role| scope.record.holders(&role.id).next().is_none()).map(|role| role.id.clone()).collect()
}

/// Parts of a package that are missing, each as the criterion that it is; none where the project has no such
/// package.
pub fn missing_parts(
    programme: &Programme,
    record: &Record,
    facts: &Facts,
    package: &str,
    today: Date,
) -> Option<Vec<Item>> {
    let scope = Scope::of(programme, record)?;
    let package = package_of(&scope, package)?;
    Some(parts(&scope, facts, package, today).into_iter().filter(|part| !part.is_met).collect())
}

pub(crate) fn package_of<'a>(scope: &Scope<'a>, id: &str) -> Option<&'a Package> {
    scope.programme.packages.iter().find(|package| package.id == id && scope.counts(&package.types))
}

pub(crate) fn parts(scope: &Scope<'_>, facts: &Facts, package: &Package, today: Date) -> Vec<Item> {
    let criteria = package.parts.iter().filter_map(|id| scope.criterion(id));
    criteria.map(|criterion| item(scope, facts, criterion, 0, today)).collect()
}

/// Who waits for whom: open tasks of each side, of the stage and those before it.
pub(crate) fn open_by_side(scope: &Scope<'_>, facts: &Facts) -> Vec<(&'static str, usize)> {
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    let here = scope.record.stage().and_then(|entry| scope.place_of(&entry.stage));
    for task in scope.tasks() {
        if task.is_dropped() || scope.place_of(task.stage) > here {
            continue;
        }
        let sides =
            if scope.lacks_of_work(&task, facts).is_empty() { task.sides_missing() } else { task.sides.clone() };
        for side in sides {
            match counts.iter_mut().find(|(name, _)| *name == side_name(side)) {
                Some((_, count)) => *count += 1,
                None => counts.push((side_name(side), 1)),
            }
        }
    }
    counts
}
