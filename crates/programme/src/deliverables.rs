//! Deliverables as rows: due, delivered, accepted, by whom; and the lessons that a stage offers.

use jiff::civil::Date;
use serde::Serialize;

use crate::data::{Lesson, Programme, Side};
use crate::gate::{day_of, is_no};
use crate::record::{Record, Subject};
use crate::scope::Scope;

/// How far a deliverable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliverableState {
    /// It is not handed over.
    Open,
    /// It waits to be accepted.
    Delivered,
    /// It was not accepted.
    Refused,
    /// It was accepted.
    Accepted,
}

/// A deliverable as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeliverableRow {
    /// Its id.
    pub deliverable: String,
    /// Its name for people.
    pub title: String,
    /// The stage in which it is due.
    pub stage: Option<String>,
    /// Who hands it over.
    pub side: Side,
    /// The roles of which one accepts it.
    pub accepted_by: Vec<String>,
    /// Is it part of the contract?
    pub is_contractual: bool,
    /// When it is due, where the project said so.
    pub due: Option<Date>,
    /// Is that over, and it is not handed over?
    pub is_late: bool,
    /// How far it is.
    pub state: DeliverableState,
    /// Which version counts.
    pub version: Option<u32>,
    /// When that version was handed over, and by whom.
    pub delivered: Option<(Date, String)>,
    /// When it was answered, by whom, and in which role.
    pub answered: Option<(Date, String, String)>,
    /// Names of its evidence.
    pub evidence: Vec<String>,
}

/// Every deliverable of the project as it stands on this day.
pub fn deliverables(programme: &Programme, record: &Record, today: Date) -> Vec<DeliverableRow> {
    let Some(scope) = Scope::of(programme, record) else { return Vec::new() };
    let known = scope.deliverables();
    known
        .map(|known| {
            let kept = record.deliverables.get(&known.id);
            let version = kept.and_then(|kept| kept.current());
            let answer = version.and_then(|version| version.answer());
            let state = match (version, answer) {
                (None, _) => DeliverableState::Open,
                (Some(_), None) => DeliverableState::Delivered,
                (Some(_), Some(word)) if is_no(word.verdict) => DeliverableState::Refused,
                (Some(_), Some(_)) => DeliverableState::Accepted,
            };
            let due = kept.and_then(|kept| kept.due);
            let subject = Subject::Deliverable(known.id.clone());
            DeliverableRow {
                deliverable: known.id.clone(),
                title: known.title.clone(),
                stage: known.stages.iter().find(|stage| scope.place_of(stage).is_some()).cloned(),
                side: scope.answers(known.side),
                accepted_by: known.accepted_by.clone(),
                is_contractual: known.is_contractual,
                due,
                is_late: version.is_none() && due.is_some_and(|due| due < today),
                state,
                version: version.map(|version| version.version),
                delivered: version.map(|version| (day_of(version.delivered.at), version.delivered.who.clone())),
                answered: answer.map(|word| (day_of(word.said.at), word.said.who.clone(), word.of.clone())),
                evidence: record.evidence_on(&subject).map(|held| held.evidence.name.clone()).collect(),
            }
        })
        .collect()
}

/// Lessons of earlier projects that are offered at the stage the project is in.
pub fn lessons_offered<'a>(programme: &'a Programme, record: &Record) -> Vec<&'a Lesson> {
    let Some(entry) = record.stage() else { return Vec::new() };
    programme.lessons.iter().filter(|lesson| lesson.stages.contains(&entry.stage)).collect()
}
