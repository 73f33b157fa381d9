//! Gates compute from evidence: each criterion is met by a fact, an accepted deliverable, a task, a word, or it is not.
//!
//! [`assess`] says of each criterion whether it is met, by what, whose it is, and what would close it. [`allows`] is the
//! registry that everything live asks first, in a project that is governed.

mod decided;
mod live;
mod met;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::calendar::days_between;
use crate::data::{Criterion, Gate, Programme, Reached, Side};
use crate::record::{Record, Verdict};
use crate::scope::Scope;

pub(crate) use decided::{decisions_of, side_of};
pub use live::{Allowance, Live, allows, allows_books, allows_update, registrations};
pub use met::BUILT_IN;
pub(crate) use met::sides_asked;

/// What the system itself knows about a project: looked up and passed in by whoever asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Facts {
    /// Facts by name.
    pub facts: BTreeMap<String, Fact>,
    /// Those that can't be seen in this project, with the reason in their text: a decision of that name does.
    pub unseen: BTreeSet<String>,
    /// How far people of the pilot are, by their name in the record; who is not here has nothing on the target yet.
    pub pilot: BTreeMap<String, Reached>,
    /// How far people of the pilot ever were, by their name in the record, those who are back since among them.
    pub pilot_once: BTreeMap<String, Reached>,
    /// New accounts that were made already, and those that people of the pilot need besides, if that is known.
    pub pilot_accounts: Option<u64>,
    /// New accounts that were made already for people who are not of the pilot now, if that is known.
    pub accounts_of_others: Option<u64>,
    /// New accounts that the people of the released waves need, if that is known.
    pub wave_accounts: Option<u64>,
}

/// One thing that the system knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fact {
    /// Is it so?
    pub is_met: bool,
    /// What was seen, for people.
    pub text: String,
    /// What stands against it.
    #[serde(default)]
    pub offenders: Vec<String>,
    /// When what it rests on was read: the oldest of it. None where it was never read.
    pub as_of: Option<Timestamp>,
    /// Was it decided, since it can't be seen?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Verdict>,
}

/// One criterion of a gate, as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Item {
    /// The criterion.
    pub criterion: String,
    /// What must be so.
    pub title: String,
    /// Is it?
    pub is_met: bool,
    /// Was it answered with a no that still stands?
    pub is_refused: bool,
    /// What it is met by, or what was seen instead.
    pub by: String,
    /// When that was read, where the system knows it by reading something: its age is that of the evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// So many days ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_days: Option<i64>,
    /// The system would know it by reading something, and never has.
    pub is_never_read: bool,
    /// The role that answers for it.
    pub owner: String,
    /// Who holds that role.
    pub holders: Vec<String>,
    /// The side it stands on.
    pub side: Option<Side>,
    /// Days since the stage was entered that waits for it.
    pub age_days: i64,
    /// What would close it.
    pub closes: String,
    /// Requirements that it meets.
    pub requirements: Vec<String>,
}

/// A gate as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Assessment {
    /// The gate.
    pub gate: String,
    /// Its name for people.
    pub title: String,
    /// Its criteria.
    pub items: Vec<Item>,
    /// Was it passed before?
    pub is_passed: bool,
    /// Who asked for it, where that still stands.
    pub asked_by: Vec<String>,
    /// The roles of which one passes it.
    pub passed_by: Vec<String>,
}

impl Assessment {
    /// What is open.
    pub fn open(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| !item.is_met)
    }

    /// Is nothing of it open?
    pub fn is_met(&self) -> bool {
        self.items.iter().all(|item| item.is_met)
    }
}

/// A gate as it stands on this day; none where the project has no such gate.
pub fn assess(programme: &Programme, record: &Record, facts: &Facts, gate: &str, today: Date) -> Option<Assessment> {
    let scope = Scope::of(programme, record)?;
    let gate = scope.gate(gate)?;
    Some(assess_in(&scope, facts, gate, today))
}

/// The gate that the project comes to next, as it stands on this day.
pub fn assess_next(programme: &Programme, record: &Record, facts: &Facts, today: Date) -> Option<Assessment> {
    let scope = Scope::of(programme, record)?;
    let gate = scope.next_gate()?;
    Some(assess_in(&scope, facts, gate, today))
}

pub(crate) fn assess_in(scope: &Scope<'_>, facts: &Facts, gate: &Gate, today: Date) -> Assessment {
    let since = waiting_since(scope, gate);
    let age_days = since.map_or(0, |since| days_between(since, today).max(0));
    let items = scope.criteria(gate).into_iter().map(|criterion| item(scope, facts, criterion, age_days, today));
    let mut items: Vec<Item> = items.collect();
    items.extend(unknown_criteria(scope, gate).into_iter().map(|id| unknown(&id, age_days)));
    let record = scope.record.gates.get(&gate.id);
    let asks = record.map(|record| record.asked.as_slice()).unwrap_or_default();
    Assessment {
        gate: gate.id.clone(),
        title: gate.title.clone(),
        items,
        is_passed: record.is_some_and(|record| record.passed.is_some()),
        asked_by: asks.iter().filter(|ask| ask.struck.is_none()).map(|ask| ask.said.who.clone()).collect(),
        passed_by: gate.passed_by.clone(),
    }
}

/// The day since which a gate is waited for: when the stage it leaves was entered, or the project began.
fn waiting_since(scope: &Scope<'_>, gate: &Gate) -> Option<Date> {
    let record = scope.record;
    let entered = record.stages.iter().rev().find(|entry| Some(&entry.stage) == gate.leaves.as_ref());
    let began = record.standings.first().map(|(_, said)| said.at);
    let at = match (&gate.leaves, entered) {
        (Some(_), Some(entry)) => Some(entry.said.at),
        (Some(_), None) => None,
        (None, _) => began,
    };
    at.map(day_of)
}

/// Criteria that a gate names and the profile doesn't have. Reading a profile refuses them; should one come here all the
/// same, the gate stays closed.
fn unknown_criteria(scope: &Scope<'_>, gate: &Gate) -> Vec<String> {
    let stages = [&gate.leaves, &gate.enters].into_iter().flatten();
    let known = |id: &String| scope.programme.criteria.iter().any(|criterion| criterion.id == *id);
    let of_stage = |id: &String| scope.programme.stages.iter().find(|stage| stage.id == *id);
    let of_stages = stages.filter_map(of_stage).flat_map(|stage| {
        let is_left = gate.leaves.as_ref() == Some(&stage.id);
        if is_left { stage.exit.iter() } else { stage.entry.iter() }
    });
    of_stages.chain(&gate.criteria).filter(|id| !known(id)).cloned().collect()
}

fn unknown(id: &str, age_days: i64) -> Item {
    Item {
        criterion: id.to_owned(),
        title: id.to_owned(),
        is_met: false,
        is_refused: false,
        by: "the profile has no such criterion".to_owned(),
        as_of: None,
        read_days: None,
        is_never_read: false,
        owner: String::new(),
        holders: Vec::new(),
        side: None,
        age_days,
        closes: "Mend the profile.".to_owned(),
        requirements: Vec::new(),
    }
}

/// One criterion as it stands.
pub(crate) fn item(scope: &Scope<'_>, facts: &Facts, criterion: &Criterion, age_days: i64, today: Date) -> Item {
    let met = met::met(scope, facts, criterion, today);
    Item {
        criterion: criterion.id.clone(),
        title: criterion.title.clone(),
        is_met: met.is_met,
        is_refused: met.is_refused,
        by: met.by,
        as_of: met.as_of,
        read_days: met.as_of.map(|at| days_between(day_of(at), today).max(0)),
        is_never_read: met.is_never_read,
        owner: criterion.owner.clone(),
        holders: scope.record.holders(&criterion.owner).map(str::to_owned).collect(),
        side: scope.side_of_role(&criterion.owner),
        age_days,
        closes: criterion.closes.clone(),
        requirements: criterion.requirements.clone(),
    }
}

/// The day of a time, as the world counts it (UTC).
pub(crate) fn day_of(at: Timestamp) -> Date {
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
}

pub(crate) fn is_no(verdict: Verdict) -> bool {
    verdict == Verdict::No
}
