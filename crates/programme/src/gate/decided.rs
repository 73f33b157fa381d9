//! Decisions that stand in place of what the system can't see: laid over what it knows, and whose they are.
//!
//! Facts are kept without them: a decision counts as the record has it now, so that a no closes again what a yes had opened.

use super::{Fact, Facts};
use crate::data::{Criterion, MetBy, Side};
use crate::names::{CHECKS, FACTS};
use crate::pilot;
use crate::record::{Decision, Record, Verdict};
use crate::scope::Scope;

impl Facts {
    /// The same, with what was decided in place of what can't be known here.
    #[must_use]
    pub fn with_decisions(mut self, record: &Record) -> Self {
        for (name, _) in FACTS.into_iter().chain(CHECKS) {
            let is_seen = self.facts.get(name).is_some_and(|fact| fact.decided.is_none());
            let Some(decision) = record.decision(name).filter(|_| !is_seen || self.unseen.contains(name)) else {
                continue;
            };
            let fact = Fact {
                is_met: decision.verdict == Verdict::Yes,
                text: format!("decided by {}: {}", decision.by, decision.outcome),
                offenders: Vec::new(),
                as_of: Some(decision.said.at),
                decided: Some(decision.verdict),
            };
            self.facts.insert(name.to_owned(), fact);
        }
        self
    }

    fn is_decided(&self, name: &str) -> bool {
        self.facts.get(name).is_some_and(|fact| fact.decided.is_some())
    }
}

/// The decisions with which a criterion is met or not, by name.
pub(crate) fn decisions_of<'a>(
    scope: &Scope<'a>,
    facts: &Facts,
    criterion: &Criterion,
) -> Vec<(&'a str, &'a Decision)> {
    let record = scope.record;
    let mut names: Vec<String> = Vec::new();
    match &criterion.met_by {
        MetBy::Decision(name) => names.push(name.clone()),
        MetBy::Fact(name) if name == "pilot-share" => names.push(name.clone()),
        MetBy::Fact(name) if name == "pilot-checks-complete" => {
            names.extend(record.decisions.keys().filter(|name| pilot::is_of_checks(name)).cloned());
        }
        MetBy::Fact(name) if facts.is_decided(name) => names.push(name.clone()),
        MetBy::Task(id) => {
            let check = scope.task(id).and_then(|task| task.check);
            names.extend(check.filter(|check| facts.is_decided(check)).map(str::to_owned));
        }
        MetBy::Prerequisites(_) => {
            let tasks = scope.tasks().into_iter().filter(|task| task.is_prerequisite && !task.is_dropped());
            let checks = tasks.filter_map(|task| task.check).filter(|check| facts.is_decided(check));
            names.extend(checks.map(str::to_owned));
        }
        _ => {}
    }
    let of = |name: &String| {
        let (name, decisions) = record.decisions.get_key_value(name)?;
        let last = decisions.last().filter(|decision| decision.verdict == Verdict::Yes)?;
        Some((name.as_str(), last))
    };
    names.iter().filter_map(of).collect()
}

/// The side on which a decision was recorded, where the profile says in which roles it is.
pub(crate) fn side_of(scope: &Scope<'_>, decision: &Decision) -> Option<Side> {
    scope.side_of_role(decision.role.as_deref()?)
}
