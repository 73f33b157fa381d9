//! What people of the pilot check, and what may be decided: by whom, and whether somebody is there who may.

use std::collections::BTreeSet;

use super::Checker;
use crate::data::{Criterion, DecisionOfProfile, MetBy, PilotCheck, ProjectType, Side};
use crate::names::{CHECKS, DECISIONS, FACTS};

/// The list whose lines are the checks of the pilot.
const LINES: &str = "pilot-checks";

pub(super) fn check(checker: &mut Checker<'_>) {
    checker.pilot_checks();
    checker.decisions();
}

impl Checker<'_> {
    /// Each line of the list is one check, and each check a line of it.
    fn pilot_checks(&mut self) {
        let programme = self.programme;
        let at = programme.lists.iter().position(|list| list.id == LINES);
        let lines = at.map(|at| programme.lists[at].lines.as_slice()).unwrap_or_default();
        for (index, check) in programme.pilot_checks.iter().enumerate() {
            if !lines.contains(&check.title) {
                let message = format!("the check \"{}\" is no line of the list \"{LINES}\"", check.title);
                self.wrong::<PilotCheck>(index, &check.title, message, "write the line as it stands there");
            }
            if programme.pilot_checks[..index].iter().any(|before| before.title == check.title) {
                let message = format!("\"{}\" is checked twice", check.title);
                self.wrong::<PilotCheck>(index, &check.title, message, "keep one of the two rows");
            }
            self.known::<PilotCheck, _>(index, "role", &check.answered_by, &programme.roles);
            self.filled::<PilotCheck>(index, "answered-by", &check.answered_by);
            for kind in &programme.types {
                self.somebody::<PilotCheck>(index, &check.id, kind, &check.answered_by);
            }
        }
        for line in lines.iter().filter(|line| !programme.pilot_checks.iter().any(|check| check.title == **line)) {
            let message = format!("nobody is said to answer \"{line}\" of the list \"{LINES}\"");
            let advice = "add a row to pilot-checks, with what has to be there before and who answers";
            self.wrong::<crate::List>(at.unwrap_or_default(), line, message, advice);
        }
    }

    fn decisions(&mut self) {
        let programme = self.programme;
        let names: Vec<_> = FACTS.into_iter().chain(CHECKS).chain(DECISIONS).collect();
        for (index, row) in programme.decisions.iter().enumerate() {
            self.in_table::<DecisionOfProfile>(index, "decision", &row.id, &names);
            self.filled::<DecisionOfProfile>(index, "title", std::slice::from_ref(&row.title));
            self.known::<DecisionOfProfile, _>(index, "type", &row.types, &programme.types);
            self.known::<DecisionOfProfile, _>(index, "role", &row.decided_by, &programme.roles);
            self.filled::<DecisionOfProfile>(index, "decided-by", &row.decided_by);
            self.requirements::<DecisionOfProfile>(index, &row.requirements);
            for kind in self.kinds(&row.types) {
                self.somebody::<DecisionOfProfile>(index, &row.id, kind, &row.decided_by);
                self.another_passes(index, row, kind);
            }
        }
    }

    /// Where a gate asks for the fact, somebody decides it and somebody of another side passes the gate.
    fn another_passes(&mut self, index: usize, row: &DecisionOfProfile, kind: &ProjectType) {
        let programme = self.programme;
        if kind.sides.iter().filter(|side| **side != Side::Authority).count() < 2 {
            return;
        }
        let sides = |roles: &[String]| -> BTreeSet<Side> {
            let of = programme.roles.iter().filter(|role| roles.contains(&role.id)).map(|role| role.side);
            of.filter(|side| kind.sides.contains(side)).collect()
        };
        let (deciders, asked) = (
            sides(&row.decided_by),
            |criterion: &Criterion| matches!(&criterion.met_by, MetBy::Fact(fact) if *fact == row.id),
        );
        for gate in programme.gates.iter().filter(|gate| gate.types.contains(&kind.id)) {
            let stage = |id: &Option<String>| programme.stages.iter().find(|stage| Some(&stage.id) == id.as_ref());
            let of_stages = stage(&gate.leaves)
                .map(|stage| &stage.exit)
                .into_iter()
                .chain(stage(&gate.enters).map(|stage| &stage.entry));
            let ids: BTreeSet<&String> = of_stages.flatten().chain(&gate.criteria).collect();
            let asks = programme.criteria.iter().any(|criterion| ids.contains(&criterion.id) && asked(criterion));
            let passers = sides(&gate.passed_by);
            let is_apart = deciders.iter().any(|decides| passers.iter().any(|passes| passes != decides));
            if asks && !is_apart {
                let message = format!(
                    "whoever decides on \"{}\" stands on the side that passes the gate \"{}\" of the type \"{}\"",
                    row.id, gate.id, kind.id
                );
                let advice = "name a role of another side under `decided-by`, or under `passed-by` of the gate";
                self.wrong::<DecisionOfProfile>(index, &row.id, message, advice);
            }
        }
    }

    /// One of these roles stands on a side that takes part in this kind of project.
    fn somebody<T: crate::read::Row>(&mut self, index: usize, id: &str, kind: &ProjectType, roles: &[String]) {
        let mut sides = self.programme.roles.iter().filter(|role| roles.contains(&role.id)).map(|role| role.side);
        if roles.is_empty() || sides.any(|side| kind.sides.contains(&side)) {
            return;
        }
        let message = format!("nobody who takes part in the type \"{}\" answers for \"{id}\"", kind.id);
        self.wrong::<T>(index, id, message, "name a role of a side that takes part, or the types in which it counts");
    }
}
