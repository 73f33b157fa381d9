//! What is recorded of people, deliverables, words, rows of registers and documents.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Serialize;

use super::change::{Evidence, Subject, TaskLine, Verdict};
use super::{Said, Struck};
use crate::data::Side;
use crate::register::Register;

/// Somebody of the project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Person {
    /// Their name.
    pub title: String,
    /// How to reach them.
    pub contact: Option<String>,
    /// Their roles now.
    pub roles: BTreeSet<String>,
    /// Every role they were given, with who gave it.
    pub given: Vec<(String, Said)>,
    /// Every role that was taken from them.
    pub taken: Vec<(String, Struck)>,
}

/// A deliverable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeliverableRecord {
    /// When it is due, where the project said so.
    pub due: Option<Date>,
    /// Its versions, the first first.
    pub versions: Vec<DeliveredVersion>,
}

impl DeliverableRecord {
    /// The version that counts: the last one.
    pub fn current(&self) -> Option<&DeliveredVersion> {
        self.versions.last()
    }

    /// Is the version that counts accepted?
    pub fn is_accepted(&self) -> bool {
        self.current().and_then(DeliveredVersion::answer).is_some_and(|answer| answer.verdict == Verdict::Yes)
    }

    /// Everybody who handed over a version of it.
    pub fn deliverers(&self) -> impl Iterator<Item = &str> {
        self.versions.iter().map(|version| version.delivered.who.as_str())
    }
}

/// One version of a deliverable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeliveredVersion {
    /// Which, from 1.
    pub version: u32,
    /// The side that handed it over.
    pub side: Side,
    /// Who handed it over, and when.
    pub delivered: Said,
    /// What was said of it; the last word counts.
    pub answers: Vec<Word>,
}

impl DeliveredVersion {
    /// The word that counts.
    pub fn answer(&self) -> Option<&Word> {
        self.answers.last()
    }
}

/// A yes or no, by somebody in a role or for a side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Word {
    /// The role, or the side.
    pub of: String,
    /// Yes or no.
    pub verdict: Verdict,
    /// Who said it, when, and what else.
    pub said: Said,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Decision {
    /// Yes or no.
    pub verdict: Verdict,
    /// What was decided.
    pub outcome: String,
    /// Who decided it.
    pub by: String,
    /// The role in which it was recorded, where the profile says who may.
    pub role: Option<String>,
    /// Who recorded it, when, and why it was decided so.
    pub said: Said,
}

/// What is recorded of a gate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GateRecord {
    /// Everybody who asked for it.
    pub asked: Vec<GateAsk>,
    /// That it was passed.
    pub passed: Option<GatePass>,
}

/// Somebody asked for a gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GateAsk {
    /// Who, and when.
    pub said: Said,
    /// That it is no longer wanted.
    pub struck: Option<Struck>,
}

/// A gate was passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GatePass {
    /// The role in which it was.
    pub role: String,
    /// What each criterion was met by.
    pub met_by: BTreeMap<String, String>,
    /// Who passed it, and when.
    pub said: Said,
}

/// A row of a register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Its register.
    pub register: Register,
    /// Its fields as they are now.
    pub fields: BTreeMap<String, String>,
    /// Who wrote it, and when.
    pub added: Said,
    /// What its fields were before each change, and who changed them.
    pub before: Vec<(BTreeMap<String, String>, Said)>,
    /// How it is settled; the last word counts.
    pub settled: Vec<(Verdict, Said)>,
    /// That it no longer counts.
    pub struck: Option<Struck>,
}

impl Row {
    /// A field, if it says anything.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Does it count, and is nothing settled of it yet?
    pub fn is_open(&self) -> bool {
        self.struck.is_none() && self.settled.is_empty()
    }

    /// When somebody last did something about it.
    pub fn touched(&self) -> jiff::Timestamp {
        let changed = self.before.iter().map(|(_, said)| said.at);
        let settled = self.settled.iter().map(|(_, said)| said.at);
        let struck = self.struck.iter().map(|struck| struck.at);
        changed.chain(settled).chain(struck).fold(self.added.at, jiff::Timestamp::max)
    }
}

/// A piece of evidence that is on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EvidenceHeld {
    /// What it is about.
    pub on: Subject,
    /// What it is.
    pub evidence: Evidence,
    /// Who gave it.
    pub who: String,
    /// When.
    pub at: jiff::Timestamp,
    /// That it no longer counts.
    pub struck: Option<Struck>,
}

/// A version of a document that was made of the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DocumentVersion {
    /// Which, from 1.
    pub version: u32,
    /// Is it a draft?
    pub is_draft: bool,
    /// Its files.
    pub files: Vec<Evidence>,
    /// Who had it made, and when.
    pub made: Said,
    /// The version that took its place.
    pub superseded_by: Option<u32>,
}

/// The checklist as it was on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Snapshot {
    /// The day.
    pub day: Date,
    /// The row of the call.
    pub call: Option<String>,
    /// Every task.
    pub tasks: Vec<TaskLine>,
}
