//! Words: signatures in a role, a side's go, decisions.

use super::{Case, Decided, Refusal};
use crate::data::{Criterion, MetBy, Side};
use crate::gate::sides_asked;
use crate::names::{CHECKS, DECISIONS, FACTS};
use crate::pilot::{leave_of, leaver_of};
use crate::readiness::pre_requisites_open;
use crate::record::{Change, Verdict};
use crate::rule::Rule;
use crate::scope::{Scope, side_name};

impl Case<'_> {
    fn criterion(&self, id: &str) -> Result<(Scope<'_>, &Criterion), Refusal> {
        let scope = self.scope()?;
        let criterion = scope.criterion(id).ok_or_else(|| self.unknown("criterion", id))?;
        Ok((scope, criterion))
    }

    pub(super) fn sign(&self, criterion: String, role: Option<&str>, verdict: Verdict, note: String) -> Decided {
        let (scope, known) = self.criterion(&criterion)?;
        let asked: Vec<&str> = match &known.met_by {
            MetBy::SignedBy(roles) => roles.iter().map(String::as_str).collect(),
            MetBy::Prerequisites(role) if scope.side_of_role(role).is_some() => vec![role],
            _ => {
                let what = format!("{} is not met by a signature", known.title);
                return Err(self.refuse_at(Rule::NotNow, &criterion, what, &known.closes));
            }
        };
        let words = self.record.words_on(&criterion);
        let has_no_word = |asked: &&&str| !words.contains_key(**asked);
        let held: Vec<&str> = asked
            .iter()
            .copied()
            .filter(|asked| self.doer.roles.contains(*asked) && role.is_none_or(|role| role == *asked))
            .collect();
        let Some(role) = held.iter().find(has_no_word).or(held.first()) else {
            let what = format!("{} holds no role whose signature is asked for", self.doer.name);
            return Err(self.refuse_at(
                Rule::RightRole,
                &criterion,
                what,
                &format!("Asked are: {}.", asked.join(", ")),
            ));
        };
        self.stands_on_one_side(&criterion)?;
        self.one_word(&criterion, role)?;
        if matches!(known.met_by, MetBy::Prerequisites(_)) {
            self.is_apart_from_work(&scope, &criterion, role)?;
        }
        if verdict == Verdict::No {
            self.needed(&note, "why not")?;
        } else {
            self.is_ahead(&scope, known)?;
            if matches!(known.met_by, MetBy::Prerequisites(_)) {
                self.nothing_open(&scope, known)?;
            }
        }
        let role = (*role).to_owned();
        Ok(vec![Change::SignedOff { criterion, role, verdict, note }])
    }

    /// A yes is said to what the gate before the project asks, or one that was passed; a no at any time.
    fn is_ahead(&self, scope: &Scope<'_>, known: &Criterion) -> Result<(), Refusal> {
        let next = scope.next_gate().map(|gate| gate.id.as_str());
        let is_passed = |id: &str| self.record.gates.get(id).is_some_and(|gate| gate.passed.is_some());
        let asks: Vec<_> = scope
            .gates()
            .into_iter()
            .filter(|gate| scope.criteria(gate).iter().any(|one| one.id == known.id))
            .collect();
        if asks.is_empty() || asks.iter().any(|gate| next == Some(gate.id.as_str()) || is_passed(&gate.id)) {
            return Ok(());
        }
        let titles: Vec<&str> = asks.iter().map(|gate| gate.title.as_str()).collect();
        let what =
            format!("{} is asked by a gate that the project has not come to: {}", known.title, titles.join("; "));
        Err(self.refuse_at(
            Rule::NotNow,
            &known.id,
            what,
            "Say it once the project is before that gate; a no may be said at any time.",
        ))
    }

    /// Pre-requisites are signed off when none of them is open.
    fn nothing_open(&self, scope: &Scope<'_>, known: &Criterion) -> Result<(), Refusal> {
        let open = pre_requisites_open(scope, self.facts);
        let Some(first) = open.first() else { return Ok(()) };
        let what = format!("{} pre-requisites are open: {} is {}", open.len(), first.title, first.state.name());
        Err(self.refuse_at(Rule::NotNow, &known.id, what, "Complete them first: task list tells what each lacks."))
    }

    /// Who signs the pre-requisites off did none of them, and stands on no side that did besides their own.
    fn is_apart_from_work(&self, scope: &Scope<'_>, criterion: &str, role: &str) -> Result<(), Refusal> {
        let own = scope.side_of_role(role);
        for task in scope.tasks().iter().filter(|task| task.is_prerequisite && !task.is_dropped()) {
            let did_it = task.record.is_some_and(|record| record.doers().any(|doer| doer == self.doer.name));
            let stands_there = task.sides.iter().any(|side| Some(*side) != own && self.stands_on(*side));
            if did_it || stands_there {
                let what = format!("{} did pre-requisites, or stands on the side that does them", self.doer.name);
                return Err(self.refuse_at(Rule::BothSides, criterion, what, "Let somebody else sign them off."));
            }
        }
        Ok(())
    }

    /// Nobody gives two of the words that one criterion asks for.
    fn one_word(&self, criterion: &str, of: &str) -> Result<(), Refusal> {
        let words = self.record.words_on(criterion);
        let other = words.iter().find(|(known, word)| **known != of && word.said.who == self.doer.name);
        match other {
            None => Ok(()),
            Some((known, _)) => {
                let what = format!("{} spoke as {known} already and can't speak as {of} too", self.doer.name);
                Err(self.refuse_at(Rule::BothSides, criterion, what, "Let somebody else do it."))
            }
        }
    }

    pub(super) fn say(&self, criterion: String, verdict: Verdict, note: String) -> Decided {
        let (scope, known) = self.criterion(&criterion)?;
        let MetBy::Sides(sides) = &known.met_by else {
            let what = format!("{} is not met by a word of sides", known.title);
            return Err(self.refuse_at(Rule::NotNow, &criterion, what, &known.closes));
        };
        let asked = sides_asked(&scope, sides);
        let own: Vec<Side> = asked.iter().copied().filter(|side| self.stands_on(*side)).collect();
        let side = match own.as_slice() {
            [side] => *side,
            [] => {
                let what = format!("{} stands on none of the sides that are asked", self.doer.name);
                return Err(self.refuse_at(
                    Rule::OwnSide,
                    &criterion,
                    what,
                    &format!("Asked: {}.", super::names(&asked)),
                ));
            }
            _ => {
                let what = format!("{} stands on more than one of the sides that are asked", self.doer.name);
                return Err(self.refuse_at(
                    Rule::BothSides,
                    &criterion,
                    what,
                    "Let somebody of one side speak for it.",
                ));
            }
        };
        self.may_speak_for(&criterion, side)?;
        self.stands_on_one_side(&criterion)?;
        self.one_word(&criterion, side_name(side))?;
        if verdict == Verdict::No {
            self.needed(&note, "why not")?;
        } else {
            self.is_ahead(&scope, known)?;
        }
        Ok(vec![Change::SideSaid { criterion, side, verdict, note }])
    }

    /// Who speaks for a side holds one of its key roles, where the profile names some.
    fn may_speak_for(&self, criterion: &str, side: Side) -> Result<(), Refusal> {
        let keys = self.programme.roles.iter().filter(|role| role.is_key && role.side == side);
        let keys: Vec<&str> = keys.map(|role| role.id.as_str()).collect();
        if keys.is_empty() || keys.iter().any(|key| self.doer.roles.contains(*key)) {
            return Ok(());
        }
        let what = format!("{} holds no role that speaks for the {}", self.doer.name, side_name(side));
        Err(self.refuse_at(Rule::RightRole, criterion, what, &format!("For it speak: {}.", keys.join(", "))))
    }

    /// A decision: one that a criterion asks for is recorded by somebody of the side that answers for it.
    pub(super) fn resolve(
        &self,
        decision: String,
        verdict: Verdict,
        outcome: String,
        by: String,
        why: String,
    ) -> Decided {
        self.needed(&decision, "what is decided")?;
        self.needed(&outcome, "what was decided")?;
        self.needed(&by, "who decided it")?;
        let scope = self.scope()?;
        let decision = match leaver_of(&decision) {
            Some(person) => leave_of(&self.ever_of_pilot(person)?),
            None => decision,
        };
        let role = self.may_decide(&scope, &decision)?;
        let asks = |criterion: &&Criterion| {
            matches!(&criterion.met_by, MetBy::Decision(name) if *name == decision) && scope.counts(&criterion.types)
        };
        for criterion in self.programme.criteria.iter().filter(asks) {
            let side = scope.side_of_role(&criterion.owner);
            if !side.is_some_and(|side| self.stands_on(side)) {
                let side = side.map_or("side that answers for it", side_name);
                let what = format!("{} doesn't stand on the {side}", self.doer.name);
                let advice = format!("Let {} or somebody of that side record it.", criterion.owner);
                return Err(self.refuse_at(Rule::OwnSide, &decision, what, &advice));
            }
        }
        if verdict == Verdict::No {
            self.needed(&why, "why")?;
        }
        Ok(vec![Change::Decided { decision, verdict, outcome, by, why, role }])
    }

    /// The role in which the doer may decide this, where the profile says who may.
    fn may_decide(&self, scope: &Scope<'_>, decision: &str) -> Result<Option<String>, Refusal> {
        let Some(row) = scope.decision(decision) else {
            let name = decision.split_once('/').map_or(decision, |(name, _)| name);
            if FACTS.into_iter().chain(CHECKS).chain(DECISIONS).any(|(known, _)| known == name) {
                let what = format!("nobody may decide on {name:?} in this project");
                return Err(self.refuse_at(Rule::RightRole, decision, what, "The profile names no role for it."));
            }
            return Ok(None);
        };
        let Some(role) = row.decided_by.iter().find(|role| self.doer.roles.contains(*role)) else {
            let what = format!("{} holds no role that decides it: {}", self.doer.name, row.title);
            let advice = format!("It is decided by: {}.", row.decided_by.join(", "));
            return Err(self.refuse_at(Rule::RightRole, decision, what, &advice));
        };
        self.stands_on_one_side(decision)?;
        Ok(Some(role.clone()))
    }
}
