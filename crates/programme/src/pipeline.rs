//! The pipeline: every project in one list, with its stage, what waits for whom, and the accounts that all of them will
//! need.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use crate::calendar::days_between;
use crate::data::Programme;
use crate::gate::{Assessment, Facts, assess_in, day_of};
use crate::readiness::open_by_side;
use crate::record::{Record, Standing};
use crate::register::Register;
use crate::scope::{Scope, side_name};

/// One project in the pipeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PipelineRow {
    /// The organisation's code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Where the project is as a whole.
    pub standing: Standing,
    /// Its type.
    pub project_type: Option<String>,
    /// The stage it is in, by title.
    pub stage: Option<String>,
    /// Days since it entered it.
    pub stage_days: Option<i64>,
    /// The gate before it.
    pub next_gate: Option<String>,
    /// How many criteria of it are open.
    pub open_items: usize,
    /// How many open criteria wait for each side.
    pub waits_for: BTreeMap<String, usize>,
    /// How many tasks of the stage, and of those before it, wait for each side.
    pub tasks_waiting: BTreeMap<String, usize>,
    /// Who asked for the gate, where it was asked for.
    pub asked_by: Vec<String>,
    /// Its dates.
    pub dates: BTreeMap<String, Date>,
    /// What stands against them.
    pub barriers: Vec<String>,
    /// People who have an account.
    pub existing_accounts: Option<u64>,
    /// People who need one.
    pub new_accounts: Option<u64>,
    /// New accounts per month.
    pub months: BTreeMap<String, u64>,
}

/// The pipeline over these projects, each with the facts that are known of it, by code.
pub fn pipeline<'a>(
    programme: &Programme,
    projects: impl IntoIterator<Item = (&'a Record, &'a Facts)>,
    today: Date,
) -> Vec<PipelineRow> {
    let mut rows: Vec<PipelineRow> =
        projects.into_iter().map(|(record, facts)| pipeline_row(programme, record, facts, today)).collect();
    rows.sort_by(|one, other| one.code.cmp(&other.code));
    rows
}

/// One project in the pipeline.
pub fn pipeline_row(programme: &Programme, record: &Record, facts: &Facts, today: Date) -> PipelineRow {
    let scope = Scope::of(programme, record);
    let gate = scope.and_then(|scope| Some((scope, scope.next_gate()?)));
    let assessment = gate.map(|(scope, gate)| assess_in(&scope, facts, gate, today));
    let open: Vec<_> = assessment.iter().flat_map(Assessment::open).collect();
    let mut waits_for: BTreeMap<String, usize> = BTreeMap::new();
    for item in &open {
        *waits_for.entry(item.side.map_or("nobody", side_name).to_owned()).or_default() += 1;
    }
    let title = |stage: &str| {
        let known = programme.stages.iter().find(|known| known.id == stage);
        known.map_or_else(|| stage.to_owned(), |known| known.title.clone())
    };
    let tasks = scope.map(|scope| open_by_side(&scope, facts)).unwrap_or_default();
    let numbers = record.numbers().map(|(_, numbers)| numbers);
    let latest = |given: &Vec<crate::record::DateGiven>| given.last().map(|given| given.day);
    PipelineRow {
        code: record.code.clone(),
        name: record.name.clone(),
        standing: record.standing,
        project_type: scope.map(|scope| scope.project_type.title.clone()),
        stage: record.stage().map(|entry| title(&entry.stage)),
        stage_days: record.stage().map(|entry| days_between(day_of(entry.said.at), today)),
        next_gate: gate.map(|(_, gate)| gate.title.clone()),
        open_items: open.len(),
        waits_for,
        tasks_waiting: tasks.into_iter().map(|(side, count)| (side.to_owned(), count)).collect(),
        asked_by: assessment.as_ref().map(|assessed| assessed.asked_by.clone()).unwrap_or_default(),
        dates: record.dates.iter().filter_map(|(name, given)| Some((name.clone(), latest(given)?))).collect(),
        barriers: record
            .rows_of(Register::Barriers)
            .filter(|row| row.is_open())
            .filter_map(|row| row.field("title").map(str::to_owned))
            .collect(),
        existing_accounts: numbers.map(|numbers| numbers.existing),
        new_accounts: numbers.map(|numbers| numbers.new),
        months: record.months.clone(),
    }
}

/// New accounts per month over all projects that are under way.
pub fn demand<'a>(rows: impl IntoIterator<Item = &'a PipelineRow>) -> BTreeMap<String, u64> {
    let mut demand: BTreeMap<String, u64> = BTreeMap::new();
    for row in rows.into_iter().filter(|row| matches!(row.standing, Standing::Open | Standing::Ended)) {
        for (month, accounts) in &row.months {
            let sum = demand.entry(month.clone()).or_default();
            *sum = sum.saturating_add(*accounts);
        }
    }
    demand
}
