//! What of a programme counts in one project: its type's stages, gates, tasks and deliverables, and who stands where.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::data::{
    Criterion, DecisionOfProfile, DeliverableOfProfile, Gate, Programme, ProjectType, Side, TaskOfProfile,
};
use crate::gate::Facts;
use crate::record::{Outcome, Record, Subject, TaskRecord};

/// A side's name, as the profile writes it.
pub fn side_name(side: Side) -> &'static str {
    match side {
        Side::Organisation => "organisation",
        Side::Provider => "provider",
        Side::Authority => "authority",
        Side::Supplier => "supplier",
    }
}

/// A programme as it counts in one project.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The programme.
    pub programme: &'a Programme,
    /// The record of the project.
    pub record: &'a Record,
    /// Its type.
    pub project_type: &'a ProjectType,
}

/// A task as it counts in a project.
#[derive(Clone, Debug, PartialEq)]
pub struct Task<'a> {
    /// Its id.
    pub id: &'a str,
    /// What is to be done.
    pub title: &'a str,
    /// The stage it belongs to.
    pub stage: &'a str,
    /// The workstream.
    pub workstream: &'a str,
    /// Who answers for it: each has to say that it is done.
    pub sides: Vec<Side>,
    /// The role that usually has it.
    pub role: Option<&'a str>,
    /// The check of the system that does it.
    pub check: Option<&'a str>,
    /// Is it one of the pre-requisites?
    pub is_prerequisite: bool,
    /// Can the project do without it?
    pub is_optional: bool,
    /// Is a piece of evidence needed?
    pub needs_evidence: bool,
    /// Results that are asked for.
    pub items: &'a [String],
    /// What is recorded of it.
    pub record: Option<&'a TaskRecord>,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskState {
    /// A side that answers for it has not said that it is done, or something it asks for is missing.
    Open,
    /// All sides said that it is done.
    Done,
    /// It waits for validation.
    Submitted,
    /// Its validation sent it back.
    Returned,
    /// It was found to be as it should be.
    Validated,
    /// The project does without it.
    Dropped,
}

impl TaskState {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Submitted => "submitted",
            Self::Returned => "returned",
            Self::Validated => "validated",
            Self::Dropped => "dropped",
        }
    }
}

impl Task<'_> {
    /// Sides that have not said that it is done.
    pub fn sides_missing(&self) -> Vec<Side> {
        let is_done = |side: &Side| self.record.is_some_and(|record| record.done.contains_key(side));
        self.sides.iter().copied().filter(|side| !is_done(side)).collect()
    }

    /// Things it asks about that have no result, or one that did not pass.
    pub fn items_missing(&self) -> Vec<&str> {
        let is_answered = |item: &String| {
            let answers = self.record.and_then(|record| record.items.get(item));
            answers.and_then(|answers| answers.last()).is_some_and(|answer| answer.outcome != Outcome::Failed)
        };
        self.items.iter().filter(|item| !is_answered(item)).map(String::as_str).collect()
    }

    /// Does the project do without it?
    pub fn is_dropped(&self) -> bool {
        self.record.is_some_and(|record| record.dropped.is_some())
    }
}

impl<'a> Scope<'a> {
    /// What counts in the project of this record; nothing is settled as long as it has no type.
    pub fn of(programme: &'a Programme, record: &'a Record) -> Option<Self> {
        let project_type = type_named(programme, record.project_type()?)?;
        Some(Self { programme, record, project_type })
    }

    /// Does this side take part?
    pub fn takes_part(&self, side: Side) -> bool {
        self.project_type.sides.contains(&side)
    }

    /// Who does the work that the profile says this side does.
    pub fn works(&self, side: Side) -> Side {
        self.project_type.stands_in.get(&side).copied().unwrap_or(side)
    }

    /// Who speaks, hands over and answers where the profile says that this side does: the side itself where it takes part,
    /// else who stands in for it.
    pub fn answers(&self, side: Side) -> Side {
        if self.takes_part(side) { side } else { self.works(side) }
    }

    /// The sides that do the work: all that take part but the authority.
    pub fn parties(&self) -> BTreeSet<Side> {
        self.project_type.sides.iter().copied().filter(|side| *side != Side::Authority).collect()
    }

    /// The side that answers for what this role answers for; none where the profile doesn't know the role.
    pub fn side_of_role(&self, role: &str) -> Option<Side> {
        let role = self.programme.roles.iter().find(|known| known.id == role)?;
        Some(self.answers(role.side))
    }

    /// The sides that answer for a task, each once. Work for the people whom the provider serves itself stays its own.
    fn sides_of_task(&self, sides: &[Side], is_for_vips: bool) -> Vec<Side> {
        let here = sides.iter().map(|side| if is_for_vips { self.answers(*side) } else { self.works(*side) });
        each_once(here)
    }

    /// The decision of the profile with this name: that before the stroke, where it is about somebody.
    pub(crate) fn decision(&self, name: &str) -> Option<&'a DecisionOfProfile> {
        let name = name.split_once('/').map_or(name, |(name, _)| name);
        self.programme.decisions.iter().find(|row| row.id == name && self.counts(&row.types))
    }

    /// Does a row with these types count here? One that names no type counts in all.
    pub fn counts(&self, types: &[String]) -> bool {
        types.is_empty() || types.contains(&self.project_type.id)
    }

    /// Where a stage stands in the order of this project.
    pub fn place_of(&self, stage: &str) -> Option<usize> {
        self.project_type.stages.iter().position(|known| known == stage)
    }

    fn task_of_profile(&self, task: &'a TaskOfProfile) -> Option<Task<'a>> {
        if !self.counts(&task.types) || (task.is_for_vips && !self.project_type.has_vip_service) {
            return None;
        }
        let stage = task.stages.iter().find(|stage| self.project_type.stages.contains(stage))?;
        let record = self.record.tasks.get(&task.id);
        Some(Task {
            id: &task.id,
            title: record.and_then(|record| record.title.as_deref()).unwrap_or(&task.title),
            stage,
            workstream: &task.workstream,
            sides: self.sides_of_task(&task.sides, task.is_for_vips),
            role: task.role.as_deref(),
            check: task.check.as_deref(),
            is_prerequisite: task.is_prerequisite,
            is_optional: task.is_optional,
            needs_evidence: task.needs_evidence,
            items: &task.items,
            record,
        })
    }

    /// Every task: those of the profile, then those that the project added.
    pub fn tasks(&self) -> Vec<Task<'a>> {
        let of_profile = self.programme.tasks.iter().filter_map(|task| self.task_of_profile(task));
        let own = self.record.tasks.iter().filter_map(|(id, record)| self.own_task(id, record));
        of_profile.chain(own).collect()
    }

    fn own_task(&self, id: &'a str, record: &'a TaskRecord) -> Option<Task<'a>> {
        let own = record.own.as_ref()?;
        Some(Task {
            id,
            title: record.title.as_deref().unwrap_or(&own.title),
            stage: &own.stage,
            workstream: &own.workstream,
            sides: self.sides_of_task(&own.sides, false),
            role: None,
            check: None,
            is_prerequisite: false,
            is_optional: true,
            needs_evidence: own.needs_evidence,
            items: &[],
            record: Some(record),
        })
    }

    /// The task with this id.
    pub fn task(&self, id: &str) -> Option<Task<'a>> {
        match self.programme.tasks.iter().find(|task| task.id == id) {
            Some(task) => self.task_of_profile(task),
            None => self.record.tasks.get_key_value(id).and_then(|(id, record)| self.own_task(id, record)),
        }
    }

    /// What a task lacks, in words; nothing where it is done with all it asks for.
    pub fn lacks(&self, task: &Task<'_>, facts: &Facts) -> Vec<String> {
        let mut lacks = self.lacks_of_work(task, facts);
        lacks.extend(
            task.sides_missing().into_iter().map(|side| format!("the {} says that it is done", side_name(side))),
        );
        lacks
    }

    /// What a task lacks besides the word of its sides.
    pub fn lacks_of_work(&self, task: &Task<'_>, facts: &Facts) -> Vec<String> {
        let mut lacks = Vec::new();
        if task.needs_evidence && self.record.evidence_on(&Subject::Task(task.id.to_owned())).next().is_none() {
            lacks.push("a piece of evidence".to_owned());
        }
        lacks.extend(task.items_missing().into_iter().map(|item| format!("a result of {item:?}")));
        if let Some(check) = task.check
            && !is_check_met(task, check, facts)
        {
            lacks.push(format!("the check {check:?} is met"));
        }
        lacks
    }

    /// How far a task is.
    pub fn state(&self, task: &Task<'_>, facts: &Facts) -> TaskState {
        if task.is_dropped() {
            return TaskState::Dropped;
        }
        let round = task.record.and_then(TaskRecord::round);
        match round.map(|round| round.answer.is_some()) {
            Some(true) if task.record.is_some_and(|record| !record.is_validated()) => TaskState::Returned,
            _ if !self.lacks(task, facts).is_empty() => TaskState::Open,
            Some(true) => TaskState::Validated,
            Some(false) => TaskState::Submitted,
            None => TaskState::Done,
        }
    }

    /// Every deliverable.
    pub fn deliverables(&self) -> impl Iterator<Item = &'a DeliverableOfProfile> {
        let scope = *self;
        self.programme.deliverables.iter().filter(move |deliverable| scope.counts(&deliverable.types))
    }

    /// The deliverable with this id.
    pub fn deliverable(&self, id: &str) -> Option<&'a DeliverableOfProfile> {
        self.deliverables().find(|deliverable| deliverable.id == id)
    }

    /// The criterion with this id.
    pub fn criterion(&self, id: &str) -> Option<&'a Criterion> {
        self.programme.criteria.iter().find(|criterion| criterion.id == id && self.counts(&criterion.types))
    }

    /// Every gate, in the order in which the project comes to them.
    pub fn gates(&self) -> Vec<&'a Gate> {
        let stages = &self.project_type.stages;
        let in_track = |stage: &Option<String>| stage.as_ref().is_none_or(|stage| stages.contains(stage));
        let mut gates: Vec<&Gate> = self
            .programme
            .gates
            .iter()
            .filter(|gate| {
                gate.types.contains(&self.project_type.id) && in_track(&gate.leaves) && in_track(&gate.enters)
            })
            .collect();
        gates.sort_by_key(|gate| gate.leaves.as_deref().and_then(|stage| self.place_of(stage)).map_or(0, |at| at + 1));
        gates
    }

    /// The gate with this id.
    pub fn gate(&self, id: &str) -> Option<&'a Gate> {
        self.gates().into_iter().find(|gate| gate.id == id)
    }

    /// The gate before the project; none when its last stage is left.
    pub fn next_gate(&self) -> Option<&'a Gate> {
        if !self.record.is_under_way() {
            return None;
        }
        let stage = self.record.stage().map(|entry| entry.stage.as_str());
        self.gates().into_iter().find(|gate| gate.leaves.as_deref() == stage)
    }

    /// What a gate asks, each once: what the one stage is left with, what the other is entered with, and its own.
    pub fn criteria(&self, gate: &Gate) -> Vec<&'a Criterion> {
        let stage = |id: &Option<String>| {
            id.as_deref().and_then(|id| self.programme.stages.iter().find(|stage| stage.id == id))
        };
        let exit = stage(&gate.leaves).map(|stage| stage.exit.as_slice()).unwrap_or_default();
        let entry = stage(&gate.enters).map(|stage| stage.entry.as_slice()).unwrap_or_default();
        let mut criteria: Vec<&Criterion> = Vec::new();
        for id in exit.iter().chain(entry).chain(&gate.criteria) {
            match self.criterion(id) {
                Some(criterion) if !criteria.iter().any(|known| known.id == criterion.id) => criteria.push(criterion),
                _ => {}
            }
        }
        criteria
    }

    /// The side that validates what is submitted: the provider, or who stands in for it.
    pub fn validator(&self) -> Side {
        self.answers(Side::Provider)
    }

    /// Is each pre-requisite validated, besides being signed off with all others? Where a provider takes part.
    pub fn validates_each(&self) -> bool {
        self.takes_part(Side::Provider)
    }
}

/// The sides in their order, each once.
pub(crate) fn each_once(sides: impl IntoIterator<Item = Side>) -> Vec<Side> {
    let mut once: Vec<Side> = Vec::new();
    for side in sides {
        if !once.contains(&side) {
            once.push(side);
        }
    }
    once
}

/// Is a check met: as the system knows it now, or as it was last written to the task?
fn is_check_met(task: &Task<'_>, check: &str, facts: &Facts) -> bool {
    match facts.facts.get(check) {
        Some(fact) => fact.is_met,
        None => task.record.and_then(|record| record.checks.last()).is_some_and(|check| check.is_met),
    }
}

/// The type with this id or alias.
pub fn type_named<'a>(programme: &'a Programme, name: &str) -> Option<&'a ProjectType> {
    programme.types.iter().find(|known| known.id == name || known.aliases.iter().any(|alias| alias == name))
}
