//! Gates: asked for by one, passed by another, when nothing is open.

use super::{Case, Decided, Refusal};
use crate::data::Gate;
use crate::gate::{assess_in, decisions_of, side_of};
use crate::record::{Change, GateRecord};
use crate::rule::Rule;
use crate::scope::side_name;

impl Case<'_> {
    /// The gate, where it is the one that the project comes to next.
    fn gate_ahead(&self, id: &str) -> Result<&Gate, Refusal> {
        let scope = self.scope()?;
        let Some(gate) = scope.gate(id) else { return Err(self.unknown("gate", id)) };
        match scope.next_gate() {
            Some(next) if next.id == gate.id => Ok(gate),
            Some(next) => {
                let what = format!("{} is not the gate before the project", gate.title);
                Err(self.refuse_at(Rule::StageOrder, id, what, &format!("That is {:?} ({}).", next.title, next.id)))
            }
            None => Err(self.refuse_at(Rule::StageOrder, id, "no gate is before the project", "Nothing to do.")),
        }
    }

    pub(super) fn ask_gate(&self, gate: String, note: String) -> Decided {
        self.gate_ahead(&gate)?;
        let asks = self.record.gates.get(&gate).map(|record| record.asked.as_slice()).unwrap_or_default();
        if asks.iter().any(|ask| ask.struck.is_none() && ask.said.who == self.doer.name) {
            let what = format!("{} has asked for it already", self.doer.name);
            return Err(self.refuse_at(Rule::NotNow, &gate, what, "Let somebody else pass it."));
        }
        Ok(vec![Change::GateAsked { gate, note }])
    }

    pub(super) fn unask_gate(&self, gate: String, why: String) -> Decided {
        self.needed(&why, "why")?;
        let asks = self.record.gates.get(&gate).map(|record| record.asked.as_slice()).unwrap_or_default();
        if !asks.iter().any(|ask| ask.struck.is_none() && ask.said.who == self.doer.name) {
            let what = format!("{} has not asked for it", self.doer.name);
            return Err(self.refuse_at(Rule::NotNow, &gate, what, "Only who asked takes it back."));
        }
        Ok(vec![Change::GateUnasked { gate, why }])
    }

    pub(super) fn pass_gate(&self, id: &str) -> Decided {
        let gate = self.gate_ahead(id)?;
        let Some(role) = gate.passed_by.iter().find(|role| self.doer.roles.contains(*role)) else {
            let what = format!("{} holds no role that passes it", self.doer.name);
            let advice = format!("It is passed by: {}.", gate.passed_by.join(", "));
            return Err(self.refuse_at(Rule::RightRole, id, what, &advice));
        };
        let none = GateRecord::default();
        let asked = &self.record.gates.get(id).unwrap_or(&none).asked;
        if !asked.iter().any(|ask| ask.struck.is_none()) {
            return Err(self.refuse_at(Rule::NotNow, id, "nobody has asked for it", "Ask for it, as another person."));
        }
        // Whoever once asked for it does not pass it, not even after taking it back.
        if asked.iter().any(|ask| ask.said.who == self.doer.name) {
            let what = format!("{} asked for it and can't pass it", self.doer.name);
            return Err(self.refuse_at(Rule::BothSides, id, what, "Let somebody else pass it."));
        }
        self.stands_on_one_side(id)?;
        self.is_apart_from_decisions(gate)?;
        let assessment = assess_in(&self.scope()?, self.facts, gate, self.now.today);
        let open: Vec<_> = assessment.open().cloned().collect();
        if !open.is_empty() {
            let what = format!("{} is closed: {} of {} are open", gate.title, open.len(), assessment.items.len());
            let refusal = self.refuse_at(Rule::GateOpen, id, what, "Close what is open; each says how.");
            return Err(refusal.with_open(open));
        }
        let met_by = assessment.items.into_iter().map(|item| (item.criterion, item.by)).collect();
        let passed = Change::GatePassed { gate: id.to_owned(), role: role.clone(), met_by };
        let then = match &gate.enters {
            Some(stage) => Change::StageEntered { stage: stage.clone() },
            None => Change::StagesEnded {},
        };
        Ok(vec![passed, then])
    }

    /// Who decided something that a gate is passed with does not pass it, nor does anybody of their side where more than one takes part.
    fn is_apart_from_decisions(&self, gate: &Gate) -> Result<(), Refusal> {
        let scope = self.scope()?;
        let name = self.doer.name.as_str();
        let title = self.record.people.get(name).map_or(name, |person| person.title.as_str());
        let is_doer = |who: &str| [name, title].into_iter().any(|own| own.eq_ignore_ascii_case(who.trim()));
        let several = scope.parties().len() > 1;
        for criterion in scope.criteria(gate) {
            for (decision, known) in decisions_of(&scope, self.facts, criterion) {
                let side = side_of(&scope, known).filter(|side| several && self.stands_on(*side));
                let what = match side {
                    _ if is_doer(&known.said.who) || is_doer(&known.by) => format!("{name} decided on {decision:?}"),
                    Some(side) => {
                        format!("{decision:?} was decided by the {}, for which {name} stands", side_name(side))
                    }
                    None => continue,
                };
                let advice = "Let somebody else pass it, of another side where more than one takes part.";
                return Err(self.refuse_at(
                    Rule::BothSides,
                    &gate.id,
                    format!("{what}, with which it is passed"),
                    advice,
                ));
            }
        }
        Ok(())
    }
}
