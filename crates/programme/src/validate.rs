//! What must hold between the rows of a programme.
//!
//! Whoever writes a profile names rows by their ids in many places. A name that leads nowhere would show itself months
//! later, at a gate that nobody can pass: so everything that can be known from the files is checked when they are read.
//! Each check tells all that it finds. What holds of single rows stands here, what holds along the stages of a kind of
//! project in `validate/track.rs`.

mod pilot;
mod track;

use std::collections::{BTreeMap, BTreeSet};

use crate::data::{Condition, Field, FieldKind, MetBy, Programme, ProjectType, Side};
use crate::names::{CHECKS, DOCUMENTS, FACTS, LIVE, NEEDED, REGISTERS, UNITS};
use crate::read::{Mistake, Places, Row, Rows};

/// The list whose lines are the workstreams of tasks.
const WORKSTREAMS: &str = "workstreams";

/// Before a field of the project itself, as in `project.code`.
const PROJECT: &str = "project.";

/// Checks everything that can be known from the rows alone.
pub(crate) fn validate(programme: &Programme, rows: &Rows, places: &Places, mistakes: &mut Vec<Mistake>) {
    let mut checker = Checker { programme, rows, places, mistakes };
    checker.ids_stand_once();
    checker.constants();
    checker.roles_and_people();
    checker.tasks();
    checker.responsibilities();
    checker.deliverables();
    checker.criteria();
    checker.packages_and_permissions();
    checker.views();
    checker.lists();
    checker.catalogue();
    checker.forms();
    checker.appraisal();
    checker.holidays();
    pilot::check(&mut checker);
    track::check(&mut checker);
}

/// What checks a programme: its rows, where they stand, and what was found.
struct Checker<'a> {
    programme: &'a Programme,
    rows: &'a Rows,
    places: &'a Places,
    mistakes: &'a mut Vec<Mistake>,
}

impl<'a> Checker<'a> {
    /// Tells a mistake of a row, at the line of a word that it holds.
    fn wrong<T: Row>(&mut self, index: usize, word: &str, message: String, advice: &str) {
        let place = self.rows.place(T::LIST, index);
        self.mistakes.push(self.places.mistake(place, word, message, advice));
    }

    /// Tells a mistake of a constant.
    fn constant(&mut self, name: &str, word: &str, message: String, advice: &str) {
        let place = self.rows.constant(name);
        self.mistakes.push(self.places.mistake(place, word, message, advice));
    }

    /// Tells a mistake of no row.
    fn missing(&mut self, message: String, advice: &str) {
        self.mistakes.push(self.places.mistake(None, "", message, advice));
    }

    /// Tells that a row names something that is not there.
    fn unknown<T: Row>(&mut self, index: usize, what: &str, name: &str, known: &str) {
        let message = format!("{} names the {what} \"{name}\", which is not there", T::LIST);
        self.wrong::<T>(index, name, message, &format!("correct the name, or {known}"));
    }

    /// Tells each of these names of a row that is in none of the rows.
    fn known<T: Row, U: Row>(&mut self, index: usize, what: &str, names: &[String], among: &[U]) {
        for (at, name) in names.iter().enumerate() {
            if !among.iter().any(|row| row.id() == Some(name)) {
                self.unknown::<T>(index, what, name, &format!("add a row of that id to {}", U::LIST));
            }
            if names[..at].contains(name) {
                let message = format!("{} names the {what} \"{name}\" twice", T::LIST);
                self.wrong::<T>(index, name, message, "keep one of the two");
            }
        }
    }

    /// Tells a name of a row that is in no table of the code.
    fn in_table<T: Row>(&mut self, index: usize, what: &str, name: &str, table: &[(&str, &str)]) {
        if !table.iter().any(|(known, _)| *known == name) {
            let known: Vec<&str> = table.iter().map(|(known, _)| *known).collect();
            self.unknown::<T>(index, what, name, &format!("write one of {}", known.join(", ")));
        }
    }

    /// Tells an empty text or an empty list of texts.
    fn filled<T: Row>(&mut self, index: usize, what: &str, texts: &[String]) {
        if texts.is_empty() || texts.iter().any(|text| text.trim().is_empty()) {
            let message = format!("{} says nothing under `{what}`", T::LIST);
            self.wrong::<T>(index, what, message, "write it down");
        }
    }

    /// Kinds of project that a row counts in: those it names, all where it names none.
    fn kinds(&self, named: &[String]) -> Vec<&'a ProjectType> {
        self.programme.types.iter().filter(|kind| named.is_empty() || named.contains(&kind.id)).collect()
    }

    fn ids_stand_once(&mut self) {
        let programme = self.programme;
        self.once(&programme.types);
        self.once(&programme.stages);
        self.once(&programme.roles);
        self.once(&programme.tasks);
        self.once(&programme.deliverables);
        self.once(&programme.gates);
        self.once(&programme.criteria);
        self.once(&programme.views);
        self.once(&programme.lists);
        self.once(&programme.lessons);
        self.once(&programme.catalogue);
        self.once(&programme.appraisal);
        self.once(&programme.forms);
        self.once(&programme.packages);
        self.once(&programme.pilot_checks);
        self.once(&programme.decisions);
    }

    fn once<T: Row>(&mut self, list: &[T]) {
        let mut seen = BTreeSet::new();
        for (index, row) in list.iter().enumerate() {
            let id = row.id().unwrap_or_default();
            if !is_id(id) {
                let message = format!("\"{id}\" in {} is no id", T::LIST);
                self.wrong::<T>(index, id, message, "write small letters, digits and hyphens, a letter first");
            }
            if !seen.insert(id) {
                let message = format!("the id \"{id}\" is there twice in {}", T::LIST);
                self.wrong::<T>(index, id, message, "give one of the rows another id, or take it out");
            }
        }
    }

    fn constants(&mut self) {
        let constants = &self.programme.constants;
        for (name, constant) in constants {
            if !UNITS.contains(&constant.unit.as_str()) {
                let message = format!("the constant `{name}` has the unknown unit \"{}\"", constant.unit);
                self.constant(name, &constant.unit, message, &format!("write one of {}", UNITS.join(", ")));
            }
            if let Some(most) = name.strip_suffix("-least").and_then(|stem| constants.get(&format!("{stem}-most")))
                && most.value < constant.value
            {
                let message = format!("the constant `{name}` is more than the `-most` beside it");
                self.constant(name, "value", message, "exchange the two");
            }
        }
        for (name, unit) in NEEDED {
            match constants.get(name) {
                Some(constant) if constant.unit == unit => {}
                Some(constant) => {
                    let message = format!("the constant `{name}` is in \"{}\", but needed in {unit}", constant.unit);
                    self.constant(
                        name,
                        &constant.unit,
                        message,
                        &format!("write unit = \"{unit}\" and the value in it"),
                    );
                }
                None => self.missing(
                    format!("the constant `{name}` is missing, without which no programme can be worked with"),
                    &format!("add [constants.{name}] with value, unit = \"{unit}\", about and from"),
                ),
            }
        }
    }

    fn roles_and_people(&mut self) {
        let programme = self.programme;
        for (index, staffing) in programme.staffing.iter().enumerate() {
            self.known::<crate::Staffing, _>(index, "stage", &staffing.stages, &programme.stages);
            self.known::<crate::Staffing, _>(index, "role", &staffing.roles, &programme.roles);
            self.filled::<crate::Staffing>(index, "stages", &staffing.stages);
            self.filled::<crate::Staffing>(index, "roles", &staffing.roles);
            for stage in &staffing.stages {
                if programme.staffing[..index].iter().any(|before| before.stages.contains(stage)) {
                    let message = format!("staffing names the stage \"{stage}\" in two rows");
                    self.wrong::<crate::Staffing>(index, stage, message, "put all its roles into one row");
                }
            }
        }
        for (index, lesson) in programme.lessons.iter().enumerate() {
            self.known::<crate::Lesson, _>(index, "stage", &lesson.stages, &programme.stages);
            self.filled::<crate::Lesson>(index, "stages", &lesson.stages);
            self.filled::<crate::Lesson>(index, "text", std::slice::from_ref(&lesson.text));
        }
    }

    fn tasks(&mut self) {
        let programme = self.programme;
        let workstreams = programme.lists.iter().find(|list| list.id == WORKSTREAMS);
        for (index, task) in programme.tasks.iter().enumerate() {
            self.known::<crate::TaskOfProfile, _>(index, "type", &task.types, &programme.types);
            self.known::<crate::TaskOfProfile, _>(index, "stage", &task.stages, &programme.stages);
            self.requirements::<crate::TaskOfProfile>(index, &task.requirements);
            if let Some(role) = &task.role {
                self.known::<crate::TaskOfProfile, _>(index, "role", std::slice::from_ref(role), &programme.roles);
            }
            if let Some(check) = &task.check {
                self.in_table::<crate::TaskOfProfile>(index, "check", check, &CHECKS);
            }
            if !workstreams.is_some_and(|list| list.lines.contains(&task.workstream)) {
                let known = format!("add it to the list of the id \"{WORKSTREAMS}\"");
                self.unknown::<crate::TaskOfProfile>(index, "workstream", &task.workstream, &known);
            }
            if task.sides.is_empty() {
                let message = format!("nobody answers for the task \"{}\"", task.id);
                self.wrong::<crate::TaskOfProfile>(index, "sides", message, "name its sides");
            }
            let kinds = self.kinds(&task.types);
            if task.is_for_vips && !kinds.iter().any(|kind| kind.has_vip_service) {
                let message = format!("the task \"{}\" is for VIPs, but none of its types has any", task.id);
                let advice = "name a type with `has-vip-service`, or take `is-for-vips` out";
                self.wrong::<crate::TaskOfProfile>(index, "is-for-vips", message, advice);
            }
            for kind in kinds {
                self.takes_part::<crate::TaskOfProfile>(index, &task.id, kind, &task.sides);
            }
        }
    }

    /// Every one of these sides takes part in this kind of project, or another stands in for it.
    fn takes_part<T: Row>(&mut self, index: usize, id: &str, kind: &ProjectType, sides: &[Side]) {
        for side in sides {
            if !kind.sides.contains(side) && !kind.stands_in.contains_key(side) {
                let (side, kind) = (name_of(*side), &kind.id);
                let message = format!("\"{id}\" is of the side {side}, which takes no part in the type \"{kind}\"");
                self.wrong::<T>(index, side, message, "name its types, or say in the type who stands in");
            }
        }
    }

    fn responsibilities(&mut self) {
        let programme = self.programme;
        for (index, row) in programme.responsibilities.iter().enumerate() {
            self.filled::<crate::Responsibility>(index, "part", std::slice::from_ref(&row.part));
            let Some(task) = programme.tasks.iter().find(|task| task.id == row.task) else {
                self.unknown::<crate::Responsibility>(index, "task", &row.task, "add a row of that id to tasks");
                continue;
            };
            let sides = |sides: &[Side]| sides.iter().copied().collect::<BTreeSet<_>>();
            if sides(&row.sides) != sides(&task.sides) {
                let message = format!("the matrix gives \"{}\" to other sides than the task does", row.task);
                self.wrong::<crate::Responsibility>(index, "sides", message, "write the same sides in both rows");
            }
            if programme.responsibilities[..index].iter().any(|before| before.task == row.task) {
                let message = format!("the matrix names the task \"{}\" twice", row.task);
                self.wrong::<crate::Responsibility>(index, &row.task, message, "keep one of the two rows");
            }
        }
    }

    fn deliverables(&mut self) {
        let programme = self.programme;
        for (index, row) in programme.deliverables.iter().enumerate() {
            self.known::<crate::DeliverableOfProfile, _>(index, "type", &row.types, &programme.types);
            self.known::<crate::DeliverableOfProfile, _>(index, "stage", &row.stages, &programme.stages);
            self.known::<crate::DeliverableOfProfile, _>(index, "role", &row.accepted_by, &programme.roles);
            self.known::<crate::DeliverableOfProfile, _>(index, "package", row.package.as_slice(), &programme.packages);
            self.requirements::<crate::DeliverableOfProfile>(index, &row.requirements);
            if let Some(document) = &row.document {
                self.in_table::<crate::DeliverableOfProfile>(index, "document", document, &DOCUMENTS);
            }
            for kind in self.kinds(&row.types) {
                self.takes_part::<crate::DeliverableOfProfile>(index, &row.id, kind, &[row.side]);
                // As the engine has it: who takes part hands over itself, and one who works alone accepts its own.
                let answers = |side: Side| {
                    let stands_in = kind.stands_in.get(&side).copied().unwrap_or(side);
                    if kind.sides.contains(&side) { side } else { stands_in }
                };
                let is_alone = kind.sides.iter().filter(|side| **side != Side::Authority).count() == 1;
                let accepts = |side: Side| {
                    let takes_part = kind.sides.contains(&answers(side));
                    takes_part && (is_alone || answers(side) != answers(row.side))
                };
                let roles = programme.roles.iter().filter(|role| row.accepted_by.contains(&role.id));
                if !roles.into_iter().any(|role| accepts(role.side)) {
                    let message = format!(
                        "nobody of another side can accept \"{}\" in a project of the type \"{}\"",
                        row.id, kind.id
                    );
                    let advice = "name a role of another side that takes part under `accepted-by`";
                    self.wrong::<crate::DeliverableOfProfile>(index, "accepted-by", message, advice);
                }
            }
        }
    }

    fn criteria(&mut self) {
        let programme = self.programme;
        for (index, criterion) in programme.criteria.iter().enumerate() {
            self.known::<crate::Criterion, _>(index, "type", &criterion.types, &programme.types);
            self.known::<crate::Criterion, _>(index, "role", std::slice::from_ref(&criterion.owner), &programme.roles);
            self.requirements::<crate::Criterion>(index, &criterion.requirements);
            self.filled::<crate::Criterion>(index, "title", std::slice::from_ref(&criterion.title));
            self.filled::<crate::Criterion>(index, "closes", std::slice::from_ref(&criterion.closes));
            self.means(index, &criterion.met_by);
        }
    }

    /// Everything that meets a criterion is there.
    fn means(&mut self, index: usize, met_by: &MetBy) {
        let programme = self.programme;
        match met_by {
            MetBy::Fact(fact) => self.in_table::<crate::Criterion>(index, "fact", fact, &FACTS),
            MetBy::Register(register) => self.in_table::<crate::Criterion>(index, "register", register, &REGISTERS),
            MetBy::Deliverable(id) => {
                let ids = std::slice::from_ref(id);
                self.known::<crate::Criterion, _>(index, "deliverable", ids, &programme.deliverables);
            }
            MetBy::Task(id) => {
                self.known::<crate::Criterion, _>(index, "task", std::slice::from_ref(id), &programme.tasks);
            }
            MetBy::Prerequisites(role) => {
                self.known::<crate::Criterion, _>(index, "role", std::slice::from_ref(role), &programme.roles);
            }
            MetBy::SignedBy(roles) | MetBy::Filled(roles) => {
                self.known::<crate::Criterion, _>(index, "role", roles, &programme.roles);
                self.filled::<crate::Criterion>(index, "roles", roles);
            }
            MetBy::Field(field) => {
                let of_project = field.strip_prefix(PROJECT).is_some_and(is_id);
                if !of_project && self.field(field).is_none() {
                    let known = "write it as form.field with a field of forms";
                    self.unknown::<crate::Criterion>(index, "field", field, known);
                }
            }
            MetBy::Form(id) => {
                self.known::<crate::Criterion, _>(index, "form", std::slice::from_ref(id), &programme.forms);
            }
            MetBy::Decision(name) => {
                if !is_id(name) {
                    let message = format!("the decision \"{name}\" has no name that could be recorded");
                    let advice = "write small letters, digits and hyphens, a letter first";
                    self.wrong::<crate::Criterion>(index, name, message, advice);
                }
            }
            MetBy::Sides(sides) => {
                if sides.is_empty() {
                    let message = "a criterion asks sides, but names none".to_owned();
                    self.wrong::<crate::Criterion>(index, "sides", message, "name the sides that say yes");
                }
            }
        }
    }

    /// Packages and steps of registration rest on criteria; what stages allow is known.
    fn packages_and_permissions(&mut self) {
        let programme = self.programme;
        for (index, package) in programme.packages.iter().enumerate() {
            self.known::<crate::Package, _>(index, "type", &package.types, &programme.types);
            self.known::<crate::Package, _>(index, "criterion", &package.parts, &programme.criteria);
            self.filled::<crate::Package>(index, "parts", &package.parts);
        }
        for (index, kind) in programme.types.iter().enumerate() {
            for step in &kind.registrations {
                let after = std::slice::from_ref(&step.after);
                self.known::<ProjectType, _>(index, "criterion", after, &programme.criteria);
                if let Some(name) = step.at_most.as_ref().filter(|name| !programme.constants.contains_key(*name)) {
                    self.unknown::<ProjectType>(index, "constant", name, &format!("add [constants.{name}]"));
                }
            }
        }
        for (index, stage) in programme.stages.iter().enumerate() {
            for name in &stage.allows {
                self.in_table::<crate::Stage>(index, "permission", name, &LIVE);
            }
        }
    }

    fn views(&mut self) {
        let programme = self.programme;
        for (index, view) in programme.views.iter().enumerate() {
            let mut seen = BTreeMap::new();
            for line in view.parts.iter().flat_map(|part| &part.lines) {
                let criterion = std::slice::from_ref(&line.criterion);
                self.known::<crate::View, _>(index, "criterion", criterion, &programme.criteria);
                if let Some(before) = seen.insert(&line.criterion, &line.title) {
                    let message = format!(
                        "the lines \"{before}\" and \"{}\" are both the criterion \"{}\"",
                        line.title, line.criterion
                    );
                    self.wrong::<crate::View>(index, &line.title, message, "give each line an item of its own");
                }
            }
        }
    }

    fn lists(&mut self) {
        let programme = self.programme;
        for (index, list) in programme.lists.iter().enumerate() {
            self.filled::<crate::List>(index, "lines", &list.lines);
            for (at, line) in list.lines.iter().enumerate() {
                if list.lines[..at].contains(line) {
                    let message = format!("the list \"{}\" says \"{line}\" twice", list.id);
                    self.wrong::<crate::List>(index, line, message, "keep one of the two");
                }
            }
        }
    }

    fn catalogue(&mut self) {
        let programme = self.programme;
        for (index, item) in programme.catalogue.iter().enumerate() {
            for pair in item.prices.windows(2) {
                if pair[0].from >= pair[1].from {
                    let message = format!("the prices of \"{}\" are not in the order of their days", item.id);
                    let advice = "write the oldest first, and one for each day";
                    self.wrong::<crate::CatalogueItem>(index, &pair[1].from.to_string(), message, advice);
                }
            }
        }
    }

    fn forms(&mut self) {
        let programme = self.programme;
        for (index, form) in programme.forms.iter().enumerate() {
            let mut seen = BTreeSet::new();
            for field in &form.fields {
                let named = format!("the field \"{}\" of the form \"{}\"", field.id, form.id);
                if !is_id(&field.id) || !seen.insert(&field.id) {
                    let message = format!("{named} has an id that is none, or that another has");
                    self.wrong::<crate::Form>(index, &field.id, message, "give it an id of its own, in small letters");
                }
                if (field.kind == FieldKind::Choice) == field.choices.is_empty() {
                    let message = format!("{named} is a choice without choices, or has choices and is none");
                    self.wrong::<crate::Form>(index, &field.id, message, "write kind = \"choice\" and its choices");
                }
            }
        }
    }

    /// The field of a form by its name, `form.field`.
    fn field(&self, name: &str) -> Option<&'a Field> {
        let (form, field) = name.split_once('.')?;
        let form = self.programme.forms.iter().find(|known| known.id == form)?;
        form.fields.iter().find(|known| known.id == field)
    }

    fn appraisal(&mut self) {
        let programme = self.programme;
        for (index, rule) in programme.appraisal.iter().enumerate() {
            let recommends = std::slice::from_ref(&rule.recommends);
            self.known::<crate::AppraisalRule, _>(index, "type", recommends, &programme.types);
            self.requirements::<crate::AppraisalRule>(index, &rule.requirements);
            self.filled::<crate::AppraisalRule>(index, "why", std::slice::from_ref(&rule.why));
            if rule.when.is_empty() {
                let message = format!("the rule \"{}\" has no condition", rule.id);
                self.wrong::<crate::AppraisalRule>(index, "when", message, "say when it speaks");
            }
            for condition in &rule.when {
                self.condition(index, condition);
            }
        }
    }

    fn condition(&mut self, index: usize, condition: &Condition) {
        let name = &condition.field;
        let Some(field) = self.field(name) else {
            return self.unknown::<crate::AppraisalRule>(index, "field", name, "write it as form.field");
        };
        let counts = condition.above.is_some() || condition.at_most.is_some();
        if counts == condition.is.is_some() {
            let message = format!("the condition on \"{name}\" needs either numbers or words");
            self.wrong::<crate::AppraisalRule>(index, name, message, "write `above`, `at-most` or both, or `is`");
        } else if counts && field.kind != FieldKind::Number {
            let message = format!("the condition on \"{name}\" counts, but the field holds no number");
            self.wrong::<crate::AppraisalRule>(index, name, message, "write `is`, or make the field a number");
        }
        let yes_no = ["yes".to_owned(), "no".to_owned()];
        let words: &[String] = if field.kind == FieldKind::YesNo { &yes_no } else { &field.choices };
        for word in condition.is.iter().flatten() {
            if !words.contains(word) {
                let message = format!("the field \"{name}\" never holds \"{word}\"");
                self.wrong::<crate::AppraisalRule>(index, word, message, "write words that can be chosen there");
            }
        }
    }

    fn holidays(&mut self) {
        let programme = self.programme;
        let mut seen = BTreeSet::new();
        for (index, holiday) in programme.holidays.iter().enumerate() {
            let day = holiday.day.to_string();
            if !seen.insert(holiday.day) {
                let message = format!("the holiday {day} is there twice");
                self.wrong::<crate::Holiday>(index, &day, message, "keep one of the two");
            }
            if matches!(holiday.day.weekday(), jiff::civil::Weekday::Saturday | jiff::civil::Weekday::Sunday) {
                let message = format!("{day} is no working day anyway");
                self.wrong::<crate::Holiday>(index, &day, message, "name the day on which nobody works in its place");
            }
        }
    }

    fn requirements<T: Row>(&mut self, index: usize, requirements: &[String]) {
        for requirement in requirements {
            let digits = requirement.strip_prefix("R-").map(|digits| (digits, 3));
            let digits = digits.or_else(|| requirement.strip_prefix("A-").map(|digits| (digits, 2)));
            let is_known =
                |(text, count): (&str, usize)| text.len() == count && text.bytes().all(|c| c.is_ascii_digit());
            if !digits.is_some_and(is_known) {
                let message = format!("\"{requirement}\" is neither a requirement nor a ruling");
                self.wrong::<T>(index, requirement, message, "write R- and three digits, or A- and two");
            }
        }
    }
}

/// A side's word in the files.
fn name_of(side: Side) -> &'static str {
    match side {
        Side::Organisation => "organisation",
        Side::Provider => "provider",
        Side::Authority => "authority",
        Side::Supplier => "supplier",
    }
}

/// Small letters, digits and hyphens, a letter first.
fn is_id(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !id.ends_with('-')
}
