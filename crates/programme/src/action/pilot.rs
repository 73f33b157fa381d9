//! The pilot: who is of it, and what each of them checked.

use std::collections::BTreeSet;

use super::{Case, Decided, PilotAnswer, Refusal};
use crate::data::Reached;
use crate::pilot::{leave_of, left_open, may_leave, reached};
use crate::record::{Change, Outcome, pilot_key};
use crate::rule::Rule;

/// So many people are named at once, at most: a mistyped list is found here.
const PEOPLE_MAX: usize = 10_000;
/// No address is longer (RFC 5321).
const NAME_BYTES_MAX: usize = 320;

impl Case<'_> {
    pub(super) fn name_pilot(&self, people: &[String]) -> Decided {
        self.scope()?;
        let named: BTreeSet<String> = people.iter().map(|person| pilot_key(person)).collect();
        let new: Vec<String> = named.into_iter().filter(|person| !self.record.is_pilot(person)).collect();
        if let Some(wrong) = new.iter().find(|person| !is_name(person)) {
            let what = format!("{wrong:?} is nobody's address or name");
            return Err(self.refuse(Rule::Incomplete, what, "Name each by what the old mailbox is called."));
        }
        if new.is_empty() {
            return Err(self.refuse(
                Rule::NotNow,
                "they are all of the pilot already, or nobody is named",
                "Name others.",
            ));
        }
        if new.len() > PEOPLE_MAX {
            let what = format!("{} people are named for the pilot at once", new.len());
            return Err(self.refuse(Rule::Incomplete, what, "Name a part of all, as the profile says."));
        }
        Ok(vec![Change::PilotNamed { people: new }])
    }

    /// Somebody who is or was of the pilot.
    pub(super) fn ever_of_pilot(&self, person: &str) -> Result<String, Refusal> {
        let key = pilot_key(person);
        if self.record.pilot.contains_key(&key) { Ok(key) } else { self.of_pilot(person) }
    }

    fn of_pilot(&self, person: &str) -> Result<String, Refusal> {
        if self.record.is_pilot(person) {
            return Ok(pilot_key(person));
        }
        Err(self.refuse(Rule::Unknown, format!("{person:?} is nobody of the pilot"), "Name them for it first."))
    }

    pub(super) fn leave_pilot(&self, person: &str, why: String) -> Decided {
        let person = self.of_pilot(person)?;
        self.needed(&why, "why")?;
        let open = left_open(self.programme, self.record, self.facts, &person);
        if !open.is_empty() && !may_leave(self.record, &person) {
            let decision = leave_of(&person);
            let scope = self.scope()?;
            let roles = scope.decision(&decision).map(|row| row.decided_by.join(", ")).unwrap_or_default();
            let what = format!("not checked, or did not pass: {}", open.join(", "));
            let advice = format!("Have it checked; or let one of these decide on {decision:?} first: {roles}.");
            return Err(self.refuse_at(Rule::LeaveDecided, &person, what, &advice));
        }
        Ok(vec![Change::PilotLeft { person, why }])
    }

    pub(super) fn check_pilot(&self, answers: Vec<PilotAnswer>) -> Decided {
        if answers.is_empty() {
            return Err(self.refuse(
                Rule::Incomplete,
                "no answer is given",
                "Say who checked what, and how it came out.",
            ));
        }
        let change = |answer: PilotAnswer| {
            let PilotAnswer { person, item, outcome, text } = answer;
            let person = self.of_pilot(&person)?;
            let checks = &self.programme.pilot_checks;
            let Some(check) = checks.iter().find(|check| check.title == item) else {
                let asked: Vec<&str> = checks.iter().map(|check| check.title.as_str()).collect();
                let advice = format!("They check: {}.", asked.join("; "));
                return Err(self.refuse_at(Rule::Unknown, &person, format!("nobody is asked about {item:?}"), &advice));
            };
            if !check.answered_by.iter().any(|role| self.doer.roles.contains(role)) {
                let what = format!("{} holds no role that says how {item:?} came out", self.doer.name);
                let advice = format!("It is answered by: {}.", check.answered_by.join(", "));
                return Err(self.refuse_at(Rule::RightRole, &person, what, &advice));
            }
            if reached(self.record, self.facts, &person) < Some(check.after) {
                let (what, advice) = match check.after {
                    Reached::Copy => ("their mailbox is not copied yet", "Copy it first"),
                    Reached::Switch => ("they are not switched yet", "Switch them first"),
                };
                let what = format!("{item:?} can't be checked: {what}");
                let advice = format!("{advice}; where that was done otherwise, let it be decided.");
                return Err(self.refuse_at(Rule::CopyFirst, &person, what, &advice));
            }
            if outcome != Outcome::Passed && text.trim().is_empty() {
                let what = format!("what was seen is missing: {item}");
                let advice = "Say what failed and which issue it is, or why it does not apply.";
                return Err(self.refuse_at(Rule::Incomplete, &person, what, advice));
            }
            Ok(Change::PilotChecked { person, item, outcome, text })
        };
        answers.into_iter().map(change).collect()
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control)
}
