//! The project as a whole: opened, typed, answered, dated, given up, closed; and its people.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{Case, Decided};
use crate::data::{Field, FieldKind, ProjectType};
use crate::gate::item;
use crate::record::{Change, Standing};
use crate::rule::Rule;
use crate::scope::{Scope, side_name, type_named};

impl Case<'_> {
    pub(super) fn open(&self, code: &str, name: &str, is_adopted: bool) -> Decided {
        if self.record.standing != Standing::Unopened {
            return Err(self.refuse(
                Rule::NotNow,
                "the project is there already",
                "Go on with it, or use another code.",
            ));
        }
        self.needed(code, "the organisation's code")?;
        self.needed(name, "the organisation's name")?;
        Ok(vec![Change::Opened { code: code.trim().to_owned(), name: name.trim().to_owned(), is_adopted }])
    }

    pub(super) fn appraise(&self, recommends: Option<String>, rules: Vec<String>) -> Decided {
        if let Some(name) = &recommends
            && type_named(self.programme, name).is_none()
        {
            return Err(self.unknown("type", name));
        }
        Ok(vec![Change::Appraised { recommends, rules }])
    }

    pub(super) fn choose_type(&self, name: &str, by: Option<String>, why: Option<String>) -> Decided {
        let Some(project_type) = type_named(self.programme, name) else { return Err(self.unknown("type", name)) };
        if matches!(self.record.standing, Standing::Ended | Standing::Closed) {
            return Err(self.refuse(Rule::NotNow, "the project has left its last stage", "Its type stays as it is."));
        }
        let recommended = self.record.appraisals.last().and_then(|appraised| appraised.recommends.clone());
        let is_other = |known: &str| type_named(self.programme, known).is_none_or(|known| known.id != project_type.id);
        let before = self.record.project_type();
        let is_override = recommended.as_deref().is_some_and(is_other) || before.is_some_and(is_other);
        let says = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
        if is_override && !(says(&by) && says(&why)) {
            let was = recommended.as_deref().filter(|known| is_other(known)).or(before).unwrap_or_default();
            let what = format!("{was:?} is recommended or was chosen, and {name:?} is another type");
            return Err(self.refuse(Rule::OverrideReason, what, "Say who decided it and why."));
        }
        self.may_change_to(project_type)?;
        let chosen = Change::TypeChosen { project_type: project_type.id.clone(), recommended, is_override, by, why };
        let mut changes = vec![chosen];
        let is_gated = |first: &String| {
            let gates = self.programme.gates.iter().filter(|gate| gate.types.contains(&project_type.id));
            gates.into_iter().any(|gate| gate.leaves.is_none() && gate.enters.as_ref() == Some(first))
        };
        // A track whose first stage has no gate before it begins with it.
        if let Some(first) =
            project_type.stages.first().filter(|first| self.record.stages.is_empty() && !is_gated(first))
        {
            changes.push(Change::StageEntered { stage: first.clone() });
        }
        Ok(changes)
    }

    /// In the middle of a track, only to a type for which the stage could have been entered too.
    fn may_change_to(&self, project_type: &ProjectType) -> Result<(), super::Refusal> {
        let Some(entry) = self.record.stage() else { return Ok(()) };
        if self.record.project_type() == Some(project_type.id.as_str()) {
            return Ok(());
        }
        let scope = Scope { programme: self.programme, record: self.record, project_type };
        let Some(here) = scope.place_of(&entry.stage) else {
            let what = format!("a {} project has no stage {:?}", project_type.title, entry.stage);
            return Err(self.refuse(Rule::StageOrder, what, "Give this project up and open another."));
        };
        let mut open = Vec::new();
        for gate in scope.gates() {
            let leaves = gate.leaves.as_deref().and_then(|stage| scope.place_of(stage));
            if leaves.is_some_and(|at| at >= here) {
                continue;
            }
            let passed = self.record.gates.get(&gate.id).and_then(|gate| gate.passed.as_ref());
            for criterion in scope.criteria(gate) {
                let was_met = passed.is_some_and(|passed| passed.met_by.contains_key(&criterion.id));
                let item = item(&scope, self.facts, criterion, 0, self.now.today);
                if !was_met && !item.is_met {
                    open.push(item);
                }
            }
        }
        if open.is_empty() {
            return Ok(());
        }
        let what = format!("a {} project could not have come to the stage {:?}", project_type.title, entry.stage);
        Err(self.refuse(Rule::StageOrder, what, "Meet what is open first.").with_open(open))
    }

    pub(super) fn answer(&self, form: &str, answers: BTreeMap<String, String>) -> Decided {
        let Some(known) = self.programme.forms.iter().find(|known| known.id == form) else {
            return Err(self.unknown("form", form));
        };
        if answers.is_empty() {
            return Err(self.refuse(Rule::Incomplete, "no field is filled in", "Give the fields with their answers."));
        }
        let mut changes = Vec::new();
        for (name, value) in answers {
            let Some(field) = known.fields.iter().find(|field| field.id == name) else {
                return Err(self.unknown("field", &format!("{form}.{name}")));
            };
            let value = value.trim().to_owned();
            if let Some(wrong) = wrong_answer(field, &value) {
                let at = format!("{form}.{name}");
                return Err(self.refuse_at(Rule::Incomplete, &at, format!("{value:?} {wrong}"), "Give it so."));
            }
            changes.push(Change::Answered { form: form.to_owned(), field: name, value });
        }
        Ok(changes)
    }

    pub(super) fn plan_months(&self, accounts: BTreeMap<String, u64>) -> Decided {
        let is_month = |month: &String| format!("{month}-01").parse::<Date>().is_ok() && month.len() == 7;
        if let Some(month) = accounts.keys().find(|month| !is_month(month)) {
            let what = format!("{month:?} is no month");
            return Err(self.refuse(Rule::Incomplete, what, "Write months as 2026-11."));
        }
        Ok(vec![Change::MonthsPlanned { accounts }])
    }

    pub(super) fn set_date(&self, name: String, day: Date, is_agreed: bool, why: Option<String>) -> Decided {
        self.needed(&name, "the name of the date")?;
        let was_agreed = self.record.date(&name).is_some_and(|given| given.is_agreed && given.day != day);
        if was_agreed {
            self.needed(why.as_deref().unwrap_or_default(), "why an agreed date is another now")?;
        }
        Ok(vec![Change::DateSet { name, day, is_agreed, why }])
    }

    pub(super) fn set_length(&self, stage: String, working_days: u32, why: String) -> Decided {
        let scope = self.editable()?;
        if scope.place_of(&stage).is_none() {
            return Err(self.unknown("stage", &stage));
        }
        self.needed(&why, "why")?;
        Ok(vec![Change::StageLengthSet { stage, working_days, why }])
    }

    /// What counts in the project, where its organisation may change tasks and lengths.
    pub(super) fn editable(&self) -> Result<Scope<'_>, super::Refusal> {
        let scope = self.scope()?;
        if !scope.project_type.is_editable {
            let what = format!("tasks and lengths of a {} project are those of the profile", scope.project_type.title);
            return Err(self.refuse(Rule::NotEditable, what, "Ask for a change."));
        }
        if !scope.parties().iter().any(|side| self.stands_on(*side)) {
            let what = format!("{} stands on no side that runs the project", self.doer.name);
            return Err(self.refuse(Rule::OwnSide, what, "Let somebody of the project do it."));
        }
        Ok(scope)
    }

    pub(super) fn cancel(&self, why: String) -> Decided {
        if self.record.standing == Standing::Closed {
            return Err(self.refuse(Rule::NotNow, "the project is closed", "There is nothing to give up."));
        }
        self.needed(&why, "why")?;
        Ok(vec![Change::Cancelled { why }])
    }

    pub(super) fn close(&self, note: String) -> Decided {
        match self.record.standing {
            Standing::Ended => Ok(vec![Change::Closed { note }]),
            Standing::Closed => Err(self.refuse(Rule::NotNow, "the project is closed already", "Nothing to do.")),
            _ => {
                let what = "there are gates before the project";
                Err(self.refuse(Rule::GateOpen, what, "Pass them, or give the project up."))
            }
        }
    }

    pub(super) fn give_role(&self, person: &str, title: &str, role: String, contact: Option<String>) -> Decided {
        let (person, title) = (person.trim().to_owned(), title.trim().to_owned());
        self.needed(&person, "who")?;
        self.needed(&title, "their name")?;
        if !self.programme.roles.iter().any(|known| known.id == role) {
            return Err(self.unknown("role", &role));
        }
        self.may_name(&role)?;
        if person == self.doer.name && !self.record.people.is_empty() {
            let what = format!("{person} would give themselves the role {role}");
            return Err(self.refuse(Rule::SelfNaming, what, "Let somebody else of the project do it."));
        }
        Ok(vec![Change::RoleGiven { person, title, role, contact }])
    }

    pub(super) fn take_role(&self, person: String, role: String, why: String) -> Decided {
        self.needed(&why, "why")?;
        if !self.record.people.get(&person).is_some_and(|held| held.roles.contains(&role)) {
            let what = format!("{person} does not hold the role {role}");
            return Err(self.refuse(Rule::Unknown, what, "Look at the people of the project."));
        }
        self.may_name(&role)?;
        Ok(vec![Change::RoleTaken { person, role, why }])
    }

    /// The people of a side are named by that side, once it has any: else one side could make its own people the other's.
    fn may_name(&self, role: &str) -> Result<(), super::Refusal> {
        let side_of = |role: &str| self.programme.roles.iter().find(|known| known.id == role).map(|known| known.side);
        let Some(side) = side_of(role) else { return Ok(()) };
        let mut held = self.record.people.values().flat_map(|person| &person.roles);
        let has_people = held.any(|held| side_of(held) == Some(side)) || self.doer.sides_of_file.contains(&side);
        if !has_people || self.stands_on(side) {
            return Ok(());
        }
        let what = format!("{} names nobody of the {}", self.doer.name, side_name(side));
        Err(self.refuse(Rule::SelfNaming, what, "Let somebody of that side do it."))
    }

    pub(super) fn unknown(&self, what: &str, name: &str) -> super::Refusal {
        self.refuse(Rule::Unknown, format!("there is no {what} {name:?}"), "Look at the names that the project knows.")
    }
}

/// What is wrong with an answer. An empty one takes back what was said.
fn wrong_answer(field: &Field, value: &str) -> Option<String> {
    if value.is_empty() {
        return None;
    }
    match field.kind {
        FieldKind::Text => None,
        FieldKind::Number if value.parse::<u64>().is_ok() => None,
        FieldKind::Number => Some("has to be a whole number".to_owned()),
        FieldKind::Date if value.parse::<Date>().is_ok() => None,
        FieldKind::Date => Some("has to be a day as 2026-11-30".to_owned()),
        FieldKind::YesNo if matches!(value, "yes" | "no") => None,
        FieldKind::YesNo => Some("has to be yes or no".to_owned()),
        FieldKind::Choice if field.choices.iter().any(|choice| choice == value) => None,
        FieldKind::Choice => Some(format!("has to be one of {}", field.choices.join(", "))),
    }
}
