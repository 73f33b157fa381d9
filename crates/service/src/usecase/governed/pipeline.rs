//! Every governed project of a database: where each is, what waits for whom, and the accounts that all of them will need.
//!
//! Decisions count as the record has them now, and each record is read by its own profile and edition. What is known of a project besides comes from its own file and its own servers, so it is what its own people and its own
//! service last saw: each row says when. A project that can't be read is listed with what is wrong, and hides none of the others.

use std::collections::BTreeMap;
use std::thread;

use jiff::Timestamp;
use jiff::civil::Date;
use programme::{Assessment, Facts, PipelineRow, Programme, Record, Scope};
use serde::Serialize;
use store::{GovernedProject, Store};

use super::{Governed, folded, programme_named};
use crate::Error;
use crate::config::Config;

/// All governed projects of a database.
#[derive(Clone, Debug, Serialize)]
pub struct PipelineReport {
    /// The projects.
    pub projects: Vec<PipelineLine>,
    /// Those that can't be read.
    pub broken: Vec<BrokenLine>,
    /// New accounts per month, over all of them.
    pub accounts_by_month: BTreeMap<String, u64>,
    /// How many projects are in each stage.
    pub by_stage: BTreeMap<String, usize>,
}

/// A project of a database.
#[derive(Clone, Debug, Serialize)]
pub struct PipelineLine {
    /// The project.
    #[serde(flatten)]
    pub row: PipelineRow,
    /// Its gates, in order.
    pub gates: Vec<PipelineGate>,
    /// When its own people or its own service last looked at what is known besides its record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_at: Option<String>,
}

/// A gate of a project.
#[derive(Clone, Debug, Serialize)]
pub struct PipelineGate {
    /// The gate.
    pub gate: String,
    /// Was it passed?
    pub is_passed: bool,
    /// How many of its criteria are not met now.
    pub open: usize,
    /// How many it has.
    pub criteria: usize,
}

/// A project that can't be read.
#[derive(Clone, Debug, Serialize)]
pub struct BrokenLine {
    /// Code of its organisation.
    pub code: String,
    /// Name of its organisation.
    pub name: String,
    /// Its name.
    pub project: String,
    /// What is wrong, and what to do.
    pub what: String,
}

type Read = Result<PipelineLine, BrokenLine>;

/// A project as it is shown. What was decided counts as the record has it now; what was seen, as it was kept.
fn line(programme: &Programme, record: &Record, project: &GovernedProject, today: Date) -> Result<PipelineLine, Error> {
    let facts: Facts = match &project.facts {
        Some(kept) => serde_json::from_str(&kept.facts)
            .map_err(|error| super::internal(&format!("what is kept of its facts can't be read: {error}")))?,
        None => Facts::default(),
    };
    let facts = facts.with_decisions(record);
    let gate = |assessed: Assessment| PipelineGate {
        is_passed: assessed.is_passed,
        open: assessed.open().count(),
        criteria: assessed.items.len(),
        gate: assessed.gate,
    };
    let scope = Scope::of(programme, record);
    let gates = scope.iter().flat_map(Scope::gates);
    let gates =
        gates.filter_map(|one| programme::assess(programme, record, &facts, &one.id, today)).map(gate).collect();
    let at = project.facts.as_ref().and_then(|kept| Timestamp::from_millisecond(kept.at).ok());
    let row = programme::pipeline_row(programme, record, &facts, today);
    Ok(PipelineLine { row, gates, known_at: at.map(|at| at.to_string()) })
}

/// The profile of a project, by what its own people last recorded or looked at; never that of whoever looks at all.
fn own_profile<'p>(record: &'p Record, project: &'p GovernedProject) -> Option<&'p str> {
    match (record.profile(), &project.facts) {
        (Some((named, at)), Some(kept)) if at.as_millisecond() >= kept.at => Some(named),
        (_, Some(kept)) => Some(&kept.profile),
        (Some((named, _)), None) => Some(named),
        (None, None) => None,
    }
}

fn read(
    programmes: &BTreeMap<String, Result<Programme, String>>,
    (project, record): (&GovernedProject, &Result<Record, String>),
    today: Date,
) -> Read {
    let found = record.as_ref().map_err(Clone::clone).and_then(|record| {
        let Some(profile) = own_profile(record, project) else {
            return Err("nobody has recorded by which profile it is read; have its own people run whimbrel gate show \
                with this version"
                .to_owned());
        };
        match programmes.get(profile) {
            Some(Ok(programme)) => line(programme, record, project, today).map_err(told),
            Some(Err(what)) => Err(what.clone()),
            None => Err(format!("nobody has read the profile {profile}")),
        }
    });
    found.map_err(|what| {
        let (code, name) = (project.code.clone(), project.organisation.clone());
        BrokenLine { code, name, project: project.project.clone(), what }
    })
}

fn told(error: Error) -> String {
    match error.advice {
        Some(advice) => format!("{}; {advice}", error.what),
        None => error.what,
    }
}

/// The same with each of these, on as many processors as there are.
fn with_each<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let at_once = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let portion = all.len().div_ceil(at_once).max(1);
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> =
            all.chunks(portion).map(|part| scope.spawn(move || part.iter().map(work).collect::<Vec<R>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    })
}

/// Each project, by its own profile.
fn read_all(projects: &[GovernedProject], today: Date) -> Vec<Read> {
    let records = with_each(projects, |project| folded(&project.changes).map_err(told));
    let all: Vec<(&GovernedProject, &Result<Record, String>)> = projects.iter().zip(&records).collect();
    let mut programmes = BTreeMap::new();
    let profiles = all.iter().filter_map(|(project, record)| own_profile(record.as_ref().ok()?, project));
    for profile in profiles {
        if !programmes.contains_key(profile) {
            let (name, edition) = profile.split_once('@').unwrap_or((profile, ""));
            programmes.insert(profile.to_owned(), programme_named(name, edition).map_err(told));
        }
    }
    with_each(&all, |one| read(&programmes, *one, today))
}

/// Every governed project of a database that whoever asks may see: their own organisation's, or all where the project's file names
/// them under `roles.programme`.
pub(crate) async fn pipeline_of(
    store: &Store,
    config: &Config,
    sees_all: bool,
    today: Date,
) -> Result<PipelineReport, Error> {
    let codes = [config.code.to_string()];
    let projects = store.governed_projects(if sees_all { None } else { Some(&codes) }).await?;
    let count = projects.len();
    let work = tokio::task::spawn_blocking(move || read_all(&projects, today));
    let found = work.await.map_err(|error| super::internal(&format!("the projects could not be read: {error}")))?;
    if found.len() != count {
        return Err(super::internal("not every project could be read"));
    }
    let (mut lines, mut broken) = (Vec::new(), Vec::new());
    for one in found {
        match one {
            Ok(line) => lines.push(line),
            Err(line) => broken.push(line),
        }
    }
    lines.sort_by(|one, other| one.row.code.cmp(&other.row.code));
    let mut by_stage = BTreeMap::new();
    for line in &lines {
        *by_stage.entry(line.row.stage.clone().unwrap_or_else(|| "no stage yet".to_owned())).or_default() += 1;
    }
    let accounts_by_month = programme::demand(lines.iter().map(|line| &line.row));
    Ok(PipelineReport { projects: lines, broken, accounts_by_month, by_stage })
}

impl Governed {
    /// Every governed project of the database that whoever asks may see.
    pub async fn pipeline(&self) -> Result<PipelineReport, Error> {
        let roles = self.config.file.roles.as_ref();
        let sees_all = roles.is_none_or(|roles| roles.programme.contains(&self.actor.name));
        pipeline_of(&self.store, &self.config, sees_all, self.moment().await?.today).await
    }
}
