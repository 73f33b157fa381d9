//! What is recorded of a task: whose it is, how far it is, and the rounds of its validation.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::change::{Outcome, OwnTask, Verdict};
use super::{Said, Struck};
use crate::data::Side;

/// Everything that is recorded of one task.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TaskRecord {
    /// Who has it.
    pub owner: Option<String>,
    /// When it will be done.
    pub forecast: Option<Date>,
    /// Every forecast there was, the oldest first.
    pub forecasts: Vec<(Date, Said)>,
    /// Which side said that it is done.
    pub done: BTreeMap<Side, Said>,
    /// What sides said before it was opened again.
    pub done_before: Vec<(Side, Said)>,
    /// Rounds of submission, validation and correction.
    pub rounds: Vec<Round>,
    /// How many rounds there were when it was last opened again: those no longer count.
    pub rounds_before: usize,
    /// The result of each thing that it asks about: the last one counts.
    pub items: BTreeMap<String, Vec<ItemAnswer>>,
    /// What the system saw, the oldest first.
    pub checks: Vec<Check>,
    /// That the project does without it.
    pub dropped: Option<Struck>,
    /// What it is, where the project added it.
    pub own: Option<OwnTask>,
    /// Its words, where the project changed them.
    pub title: Option<String>,
    /// Its day, where the project changed it.
    pub due: Option<Date>,
    /// Every change of its words or day.
    pub edits: Vec<Struck>,
    /// Every time that it was opened again.
    pub reopened: Vec<Struck>,
}

impl TaskRecord {
    /// The round that counts: the last one since it was opened again.
    pub fn round(&self) -> Option<&Round> {
        self.rounds.get(self.rounds_before..).and_then(<[Round]>::last)
    }

    /// Was it found to be as it should be?
    pub fn is_validated(&self) -> bool {
        self.round().and_then(|round| round.answer.as_ref()).is_some_and(|answer| answer.verdict == Verdict::Yes)
    }

    /// Everybody who did it or submitted it since it was opened again.
    pub fn doers(&self) -> impl Iterator<Item = &str> {
        let rounds = self.rounds.get(self.rounds_before..).unwrap_or_default();
        let submitters = rounds.iter().map(|round| round.submitted.who.as_str());
        self.done.values().map(|said| said.who.as_str()).chain(submitters)
    }
}

/// One round: submitted, and answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Round {
    /// Which, from 1.
    pub number: u32,
    /// Who submitted it, and when.
    pub submitted: Said,
    /// The answer, once there is one.
    pub answer: Option<Answer>,
}

/// What came of a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Answer {
    /// Is it as it should be?
    pub verdict: Verdict,
    /// The checker, and when.
    pub said: Said,
}

/// One result of a thing that a task asks about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ItemAnswer {
    /// How it came out.
    pub outcome: Outcome,
    /// Who says so, and what was seen.
    pub said: Said,
}

/// A person of the pilot, with what they checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PilotPerson {
    /// Who named them, and when.
    pub named: Said,
    /// That they are not of it any more.
    pub left: Option<Struck>,
    /// What they checked: the last answer to each thing counts.
    pub checks: BTreeMap<String, Vec<ItemAnswer>>,
}

/// What the system saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Check {
    /// Is it met?
    pub is_met: bool,
    /// What was seen.
    pub text: String,
    /// What offends.
    pub offenders: Vec<String>,
    /// When it looked.
    pub at: Timestamp,
}
