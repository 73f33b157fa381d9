//! Tasks: whose they are, who says that they are done, and who validates it.

use jiff::civil::Date;

use super::{Case, Decided, Refusal, names};
use crate::data::Side;
use crate::record::{Change, Evidence, Outcome, OwnTask, Subject, Verdict};
use crate::rule::Rule;
use crate::scope::{Task, side_name};

impl Case<'_> {
    fn task(&self, id: &str) -> Result<Task<'_>, Refusal> {
        self.scope()?.task(id).ok_or_else(|| self.unknown("task", id))
    }

    /// The task, where the doer stands on a side that answers for it.
    fn own_task(&self, id: &str) -> Result<Task<'_>, Refusal> {
        let task = self.task(id)?;
        if !task.sides.iter().any(|side| self.stands_on(*side)) {
            let what = format!("{} is no task of the side on which {} stands", task.title, self.doer.name);
            let advice = format!("Let somebody of the {} do it.", names(&task.sides));
            return Err(self.refuse_at(Rule::OwnSide, id, what, &advice));
        }
        Ok(task)
    }

    pub(super) fn assign(&self, task: String, owner: Option<String>, forecast: Option<Date>) -> Decided {
        self.task(&task)?;
        let owner = owner.map(|owner| owner.trim().to_owned()).filter(|owner| !owner.is_empty());
        if owner.is_none() && forecast.is_none() {
            return Err(self.refuse_at(Rule::Incomplete, &task, "neither owner nor forecast is given", "Give one."));
        }
        Ok(vec![Change::TaskAssigned { task, owner, forecast }])
    }

    pub(super) fn add_task(&self, task: String, own: OwnTask) -> Decided {
        let scope = self.editable()?;
        self.needed(&task, "the task's id")?;
        self.needed(&own.title, "what is to be done")?;
        let is_taken = self.programme.tasks.iter().any(|known| known.id == task)
            || self.record.tasks.get(&task).is_some_and(|record| record.own.is_some());
        if is_taken {
            return Err(self.refuse_at(Rule::NotNow, &task, "there is a task of this id", "Choose another id."));
        }
        if scope.place_of(&own.stage).is_none() {
            return Err(self.unknown("stage", &own.stage));
        }
        let here = &scope.project_type.sides;
        if own.sides.is_empty() || own.sides.iter().any(|side| !scope.takes_part(scope.works(*side))) {
            let what = "a task belongs to sides that take part in the project";
            return Err(self.refuse_at(Rule::Incomplete, &task, what, &format!("Give it to the {}.", names(here))));
        }
        Ok(vec![Change::TaskAdded { task, own }])
    }

    pub(super) fn edit_task(&self, task: String, title: Option<String>, due: Option<Date>, why: String) -> Decided {
        self.editable()?;
        self.task(&task)?;
        self.needed(&why, "why")?;
        if title.as_ref().is_some_and(|title| title.trim().is_empty()) || (title.is_none() && due.is_none()) {
            return Err(self.refuse_at(Rule::Incomplete, &task, "neither words nor a day are given", "Give one."));
        }
        Ok(vec![Change::TaskEdited { task, title, due, why }])
    }

    pub(super) fn drop_task(&self, task: String, why: String) -> Decided {
        let known = self.own_task(&task)?;
        self.needed(&why, "why")?;
        if !known.is_optional {
            let what = format!("no project does without {}", known.title);
            return Err(self.refuse_at(Rule::NotEditable, &task, what, "Do it."));
        }
        if known.is_dropped() {
            return Err(self.refuse_at(Rule::NotNow, &task, "the project does without it already", "Nothing to do."));
        }
        Ok(vec![Change::TaskDropped { task, why }])
    }

    pub(super) fn answer_item(&self, task: String, item: String, outcome: Outcome, text: String) -> Decided {
        let known = self.own_task(&task)?;
        if !known.items.contains(&item) {
            let what = format!("the task doesn't ask about {item:?}");
            let advice = format!("It asks about: {}.", known.items.join("; "));
            return Err(self.refuse_at(Rule::Unknown, &task, what, &advice));
        }
        if outcome == Outcome::NotApplicable {
            self.needed(&text, "why it doesn't apply")?;
        }
        Ok(vec![Change::ItemAnswered { task, item, outcome, text }])
    }

    pub(super) fn check(&self, task: String) -> Decided {
        let known = self.task(&task)?;
        let Some(check) = known.check else {
            return Err(self.refuse_at(Rule::Unknown, &task, "no check belongs to the task", "A person does it."));
        };
        let Some(fact) = self.facts.facts.get(check) else {
            let what = format!("nothing is known yet of {check:?}");
            return Err(self.refuse_at(Rule::NotNow, &task, what, "Run the check first."));
        };
        let (is_met, text, offenders) = (fact.is_met, fact.text.clone(), fact.offenders.clone());
        Ok(vec![Change::TaskChecked { task, is_met, text, offenders }])
    }

    pub(super) fn done(&self, task: String, side: Option<Side>) -> Decided {
        let known = self.own_task(&task)?;
        let own = |candidate: &Side| self.stands_on(*candidate) && side.is_none_or(|side| side == *candidate);
        let missing = known.sides_missing();
        if known.is_dropped() {
            return Err(self.refuse_at(Rule::NotNow, &task, "the project does without it", "Open it again first."));
        }
        if let Some(side) = side.filter(|side| !known.sides.contains(side) || !self.stands_on(*side)) {
            let what = format!("{} can't say for the {} that it is done", self.doer.name, side_name(side));
            return Err(self.refuse_at(Rule::OwnSide, &task, what, "Let somebody of that side say it."));
        }
        let Some(side) = missing.into_iter().find(own) else {
            return Err(self.refuse_at(Rule::NotNow, &task, "the side has said so already", "Nothing to do."));
        };
        let said_before =
            known.record.is_some_and(|record| record.done.values().any(|said| said.who == self.doer.name));
        if said_before {
            let what = format!("{} said for another side that it is done", self.doer.name);
            return Err(self.refuse_at(Rule::BothSides, &task, what, "Let somebody else of this side say it."));
        }
        let lacks = self.scope()?.lacks_of_work(&known, self.facts);
        if let Some(first) = lacks.first() {
            let rule = match first {
                _ if first.starts_with("a piece") => Rule::EvidenceNeeded,
                _ if first.starts_with("a result") => Rule::ResultsNeeded,
                _ => Rule::CheckMet,
            };
            let what = format!("the task is not done without: {}", lacks.join("; "));
            return Err(self.refuse_at(rule, &task, what, "Give what is missing."));
        }
        Ok(vec![Change::TaskDone { task, side }])
    }

    pub(super) fn submit(&self, task: String, note: String) -> Decided {
        let known = self.own_task(&task)?;
        let lacks = self.scope()?.lacks(&known, self.facts);
        if !lacks.is_empty() {
            let what = format!("the task is not done yet: {}", lacks.join("; "));
            return Err(self.refuse_at(Rule::NotNow, &task, what, "Do it first."));
        }
        let rounds = known.record.map(|record| record.rounds.as_slice()).unwrap_or_default();
        let is_waiting = known.record.and_then(|record| record.round()).is_some_and(|round| round.answer.is_none());
        if is_waiting {
            return Err(self.refuse_at(Rule::NotNow, &task, "it waits for its validation", "Wait for the answer."));
        }
        let round = u32::try_from(rounds.len()).unwrap_or(u32::MAX).saturating_add(1);
        Ok(vec![Change::TaskSubmitted { task, round, note }])
    }

    pub(super) fn validate(&self, task: String, verdict: Verdict, note: String) -> Decided {
        let scope = self.scope()?;
        let known = self.task(&task)?;
        let checking = scope.validator();
        if !self.stands_on(checking) {
            let what = format!("{} doesn't stand on the side that validates", self.doer.name);
            let advice = format!("Let somebody of the {} do it.", side_name(checking));
            return Err(self.refuse_at(Rule::OwnSide, &task, what, &advice));
        }
        let Some(round) = known.record.and_then(|record| record.round()) else {
            return Err(self.refuse_at(Rule::NotNow, &task, "nothing was submitted", "Submit it first."));
        };
        if round.answer.is_some() {
            return Err(self.refuse_at(Rule::NotNow, &task, "the round has its answer", "Submit it again first."));
        }
        let did_it = known.record.is_some_and(|record| record.doers().any(|doer| doer == self.doer.name));
        let is_apart = !known.sides.contains(&checking);
        let stands_there = known.sides.iter().any(|side| self.stands_on(*side));
        if did_it || (is_apart && stands_there) {
            let what = format!("{} would validate what their own side did, or they themselves", self.doer.name);
            return Err(self.refuse_at(Rule::BothSides, &task, what, "Let somebody else validate it."));
        }
        if verdict == Verdict::No {
            self.needed(&note, "what is to be corrected")?;
        }
        let round = round.number;
        Ok(vec![Change::TaskValidated { task, round, verdict, note }])
    }

    pub(super) fn reopen(&self, task: String, why: String) -> Decided {
        let known = self.task(&task)?;
        let validates = self.stands_on(self.scope()?.validator());
        if !validates && !known.sides.iter().any(|side| self.stands_on(*side)) {
            let what = format!("{} is no task of the side on which {} stands", known.title, self.doer.name);
            return Err(self.refuse_at(Rule::OwnSide, &task, what, "Let somebody of its side do it."));
        }
        self.needed(&why, "why")?;
        let is_touched = known.record.is_some_and(|record| !record.done.is_empty() || record.dropped.is_some());
        if !is_touched {
            return Err(self.refuse_at(Rule::NotNow, &task, "it is open already", "Nothing to do."));
        }
        Ok(vec![Change::TaskReopened { task, why }])
    }

    pub(super) fn give_evidence(&self, on: Subject, evidence: Evidence) -> Decided {
        self.known_subject(&on)?;
        self.right_evidence(&evidence)?;
        Ok(vec![Change::EvidenceGiven { on, evidence }])
    }

    pub(super) fn right_evidence(&self, evidence: &Evidence) -> Result<(), Refusal> {
        self.needed(&evidence.name, "the name of the evidence")?;
        let is_digest = evidence.digest.len() == 64
            && evidence.digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if !is_digest {
            let what = format!("{:?} is no SHA-256 in small hexadecimal digits", evidence.digest);
            return Err(self.refuse(Rule::Incomplete, what, "Give the digest of the file's bytes."));
        }
        Ok(())
    }

    fn known_subject(&self, on: &Subject) -> Result<(), Refusal> {
        let (what, name, is_known) = match on {
            Subject::Task(id) => ("task", id, self.task(id).is_ok()),
            Subject::Deliverable(id) => ("deliverable", id, self.scope()?.deliverable(id).is_some()),
            Subject::Criterion(id) => ("criterion", id, self.scope()?.criterion(id).is_some()),
            Subject::Gate(id) => ("gate", id, self.scope()?.gate(id).is_some()),
            Subject::Decision(name) => ("decision", name, !name.trim().is_empty()),
            Subject::Form(id) => ("form", id, self.programme.forms.iter().any(|form| form.id == *id)),
            Subject::Row(id) => ("row", id, self.record.rows.contains_key(id)),
            Subject::Pilot(who) => ("person of the pilot", who, self.record.is_pilot(who)),
            Subject::Project => return Ok(()),
        };
        if is_known { Ok(()) } else { Err(self.unknown(what, name)) }
    }

    /// Is the doer this person, or of a side on which this person stands or stood? What the program gave, anybody withdraws.
    fn is_of_side_of(&self, who: &str) -> bool {
        let Some(person) = self.record.people.get(who) else { return true };
        let roles = person.given.iter().map(|(role, _)| role);
        let mut sides = roles.filter_map(|role| self.programme.roles.iter().find(|known| known.id == *role));
        who == self.doer.name || sides.any(|role| self.stands_on(role.side))
    }

    pub(super) fn withdraw_evidence(&self, on: Subject, digest: String, why: String) -> Decided {
        self.needed(&why, "why")?;
        let Some(given) = self.record.evidence_on(&on).find(|held| held.evidence.digest == digest) else {
            let what = format!("there is no evidence {digest:?} that counts");
            return Err(self.refuse(Rule::Unknown, what, "Look at what is on record."));
        };
        if !self.is_of_side_of(&given.who) {
            let what = format!("the evidence was given by {}, of another side", given.who);
            return Err(self.refuse(Rule::OwnSide, what, "Let somebody of that side withdraw it."));
        }
        Ok(vec![Change::EvidenceWithdrawn { on, digest, why }])
    }
}
