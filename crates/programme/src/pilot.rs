//! The pilot as it stands: its people, their share of all, and what they checked.

use serde::Serialize;

use crate::data::{PilotCheck, Programme, Reached};
use crate::gate::Facts;
use crate::record::{Numbers, Outcome, PilotPerson, Record, Verdict};

/// Decisions: that mail of its people is there, that they are switched, that somebody leaves it all the same.
const COPIED: &str = "pilot-copied";
const SWITCHED: &str = "pilot-switched";
const LEAVE: &str = "pilot-leave";
/// The decision on another share.
const SHARE: &str = "pilot-share";
/// The smallest and the largest share of all people, in percent.
const LEAST: &str = "pilot-share-least";
const MOST: &str = "pilot-share-most";

/// A person of the pilot, with what they checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PilotLine {
    /// Who, by address.
    pub person: String,
    /// What they were asked about and have not answered.
    pub unanswered: Vec<String>,
    /// What did not pass, each with what was seen.
    pub failed: Vec<(String, String)>,
}

/// The pilot as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PilotState {
    /// What each of its people is asked about.
    pub checks: Vec<String>,
    /// Its people.
    pub people: Vec<PilotLine>,
    /// All people of the project; none where their number is not given yet.
    pub in_scope: Option<u64>,
    /// So few and so many people are right for that.
    pub right: Option<(u64, u64)>,
    /// Another share, where one was decided: what, and by whom.
    pub decided: Option<String>,
}

impl PilotState {
    /// Is its share of all people as the profile says, or as it was decided?
    pub fn is_right(&self) -> bool {
        self.has_its_share() || self.decided.is_some()
    }

    /// Is its share of all people as the profile says?
    pub fn has_its_share(&self) -> bool {
        let count = self.people.len() as u64;
        self.right.is_some_and(|(least, most)| (least..=most).contains(&count))
    }

    /// How many have answered everything.
    pub fn complete(&self) -> usize {
        self.people.iter().filter(|person| person.unanswered.is_empty()).count()
    }
}

/// The decision that lets this person of the pilot leave it, by name; `person` is as the record has it.
pub fn leave_of(person: &str) -> String {
    format!("{LEAVE}/{person}")
}

/// The person whom a decision lets leave the pilot, if it is such a one.
pub fn leaver_of(decision: &str) -> Option<&str> {
    decision.strip_prefix(LEAVE)?.strip_prefix('/')
}

/// Is this a decision on which the checks of a pilot rest?
pub(crate) fn is_of_checks(decision: &str) -> bool {
    decision == COPIED || decision == SWITCHED || leaver_of(decision).is_some()
}

/// What was checked, or left, by a decision that was taken back since.
pub(crate) fn taken_back(programme: &Programme, record: &Record, facts: &Facts) -> Option<String> {
    let is_no = |name: &str| record.decision(name).filter(|decision| decision.verdict == Verdict::No);
    let left = record.pilot.iter().find_map(|(person, known)| {
        let decision = is_no(&leave_of(person))?;
        let is_of_then = known.left.as_ref().is_some_and(|left| left.at <= decision.said.at);
        is_of_then.then(|| format!("no to {person} having left the pilot: {}", decision.outcome))
    });
    let no = [COPIED, SWITCHED].into_iter().find_map(is_no);
    left.or_else(|| {
        let no = no?;
        // Answers that were given before it, of what was not seen then either, nor at any time since.
        let rests = |known: &PilotPerson, check: &PilotCheck| {
            let answers = known.checks.get(&check.title);
            answers.and_then(|answers| answers.last()).is_some_and(|answer| answer.said.at <= no.said.at)
        };
        let checked = |(person, known): &(&str, &PilotPerson)| {
            let reached = reached(record, facts, person).max(facts.pilot_once.get(*person).copied());
            programme.pilot_checks.iter().any(|check| reached < Some(check.after) && rests(known, check))
        };
        let (person, _) = record.pilot_people().find(checked)?;
        Some(format!("no to what {person} and others checked: {}", no.outcome))
    })
}

/// The no with which another share of the pilot was taken back, as long as the share has not been right since.
pub(crate) fn no_to_share<'r>(programme: &Programme, record: &'r Record) -> Option<&'r str> {
    let no = record.decision(SHARE).filter(|decision| decision.verdict == Verdict::No)?;
    let is_right = |at: jiff::Timestamp| {
        let is_of_then =
            |person: &&PilotPerson| person.named.at <= at && person.left.as_ref().is_none_or(|left| left.at > at);
        // By the numbers that were known then.
        let right = record.numbers_at(at).and_then(|numbers| right_share(programme, numbers));
        let count = record.pilot.values().filter(is_of_then).count() as u64;
        right.is_some_and(|(least, most)| (least..=most).contains(&count))
    };
    let named = record.pilot.values().map(|person| person.named.at);
    let left = record.pilot.values().filter_map(|person| person.left.as_ref().map(|left| left.at));
    let was_right = named.chain(left).filter(|at| *at > no.said.at).any(is_right);
    (!was_right).then_some(no.outcome.as_str())
}

/// So many people of these are to be of the pilot, at least and at most.
fn right_share(programme: &Programme, numbers: &Numbers) -> Option<(u64, u64)> {
    let all = numbers.existing.saturating_add(numbers.new);
    let share = |name: &str| programme.constants.get(name).map(|share| share.value);
    // Nobody is a part of a person: both are rounded up, and one is the least of all.
    let of = |percent: u64| all.saturating_mul(percent).div_ceil(100).max(1);
    Some((of(share(LEAST)?), of(share(MOST)?)))
}

/// How far this person of the pilot is: as was seen, or as was decided for all of it.
pub(crate) fn reached(record: &Record, facts: &Facts, person: &str) -> Option<Reached> {
    let said = [(COPIED, Reached::Copy), (SWITCHED, Reached::Switch)];
    let said = said.into_iter().filter(|(decision, _)| record.is_decided(decision)).map(|(_, reached)| reached);
    facts.pilot.get(person).copied().into_iter().chain(said).max()
}

/// What this person of the pilot could have said and has not, or said no to.
pub(crate) fn left_open(programme: &Programme, record: &Record, facts: &Facts, person: &str) -> Vec<String> {
    let Some(known) = record.pilot.get(person) else { return Vec::new() };
    let is_there = reached(record, facts, person).is_some();
    let is_open = |check: &&PilotCheck| match known.checks.get(&check.title).and_then(|answers| answers.last()) {
        None => is_there,
        Some(answer) => answer.outcome == Outcome::Failed,
    };
    programme.pilot_checks.iter().filter(is_open).map(|check| check.title.clone()).collect()
}

/// Was it decided, knowing all that this person said, that they leave the pilot?
pub(crate) fn may_leave(record: &Record, person: &str) -> bool {
    let Some(known) = record.pilot.get(person) else { return false };
    let answers = known.checks.values().flatten().map(|answer| answer.said.at);
    let last = answers.fold(known.named.at, jiff::Timestamp::max);
    let decision = record.decision(&leave_of(person));
    decision.is_some_and(|decision| decision.verdict == Verdict::Yes && decision.said.at >= last)
}

/// The pilot of a project.
pub fn pilot(programme: &Programme, record: &Record) -> PilotState {
    let checks: Vec<String> = programme.pilot_checks.iter().map(|check| check.title.clone()).collect();
    let line = |(who, person): (&str, &PilotPerson)| {
        let last = |item: &String| person.checks.get(item).and_then(|answers| answers.last());
        let is_open = |item: &&String| last(item).is_none();
        let failed = |item: &String| {
            let answer = last(item).filter(|answer| answer.outcome == Outcome::Failed)?;
            Some((item.clone(), answer.said.note.clone()))
        };
        PilotLine {
            person: who.to_owned(),
            unanswered: checks.iter().filter(is_open).cloned().collect(),
            failed: checks.iter().filter_map(failed).collect(),
        }
    };
    let people = record.pilot_people().map(line).collect();
    let in_scope = record.numbers().map(|(_, numbers)| numbers.existing.saturating_add(numbers.new));
    let right = record.numbers().and_then(|(_, numbers)| right_share(programme, numbers));
    let decided = record.decisions.get(SHARE).and_then(|decisions| decisions.last());
    let decided = decided.filter(|decision| decision.verdict == Verdict::Yes);
    let decided = decided.map(|decision| format!("{}, decided by {}", decision.outcome, decision.by));
    PilotState { checks, people, in_scope, right, decided }
}
