//! Drives any project through any gate: for each open criterion it does what its kind asks for, by whoever may.

use programme::{
    Action, Criterion, Field, FieldKind, MetBy, Outcome, PilotAnswer, Reached, Register, Scope, Side, Subject,
    Sureness, TaskState, Verdict, assess_next, gaps, missed, missing_parts, pilot, side_name,
};

use super::world::{Step, World, give, row};

const YES: Verdict = Verdict::Yes;

impl World {
    fn scope(&self) -> Scope<'_> {
        Scope::of(&self.programme, &self.record).expect("the project has a type")
    }

    /// Somebody who works for a side.
    pub(crate) fn worker(&self, side: Side) -> String {
        let role = self.programme.roles.iter().rev().find(|role| role.side == side);
        format!("{}-2", role.unwrap_or_else(|| panic!("nobody works for the {}", side_name(side))).id)
    }

    /// Somebody who speaks for a side.
    fn speaker(&self, side: Side) -> String {
        let role = self.programme.roles.iter().find(|role| role.side == side && role.is_key);
        role.unwrap_or_else(|| panic!("nobody speaks for the {}", side_name(side))).id.clone()
    }

    /// Somebody who names the people of a role: another of its side.
    fn namer(&self, role: &str) -> String {
        let side = self.programme.roles.iter().find(|known| known.id == role).expect("a role").side;
        let is_other = |known: &&programme::RoleOfProject| known.side == side && known.id != role;
        let others = self.programme.roles.iter().filter(is_other).map(|other| format!("{}-2", other.id));
        let holds = |person: &String| self.record.people.get(person).is_some_and(|person| !person.roles.is_empty());
        others.into_iter().find(holds).unwrap_or_else(|| panic!("nobody else stands on the side of {role}"))
    }

    fn criterion(&self, id: &str) -> Criterion {
        self.scope().criterion(id).unwrap_or_else(|| panic!("no criterion {id}")).clone()
    }

    /// Closes a criterion.
    pub(crate) fn close(&mut self, id: &str) {
        let criterion = self.criterion(id);
        match &criterion.met_by {
            MetBy::Fact(name) => self.close_fact(name),
            MetBy::Deliverable(id) => self.close_deliverable(id),
            MetBy::Task(id) => self.close_task(id),
            MetBy::Prerequisites(role) => self.close_prerequisites(&criterion.id, role),
            MetBy::Filled(roles) => {
                for role in roles {
                    for person in [role.clone(), format!("{role}-2")] {
                        let title = format!("The {person}");
                        let give = Action::GiveRole { title, person, role: role.clone(), contact: None };
                        let by = self.namer(role);
                        self.does(&by, give);
                    }
                }
            }
            MetBy::SignedBy(roles) => {
                for role in roles {
                    self.signs(role, &criterion.id, YES);
                }
            }
            MetBy::Field(field) => {
                let (form, field) = field.split_once('.').expect("a form and a field");
                self.fill_in(form, |known| known.id == field);
            }
            MetBy::Form(form) => self.fill_in(form, |field| !field.is_optional),
            MetBy::Decision(name) => self.decides(name, &criterion.owner, YES),
            MetBy::Register(name) => self.close_register(name),
            MetBy::Sides(sides) => {
                let asked = if sides.is_empty() { self.scope().project_type.go.clone() } else { sides.clone() };
                for side in asked {
                    self.says(side, &criterion.id, YES);
                }
            }
        }
        assert!(
            self.is_lenient || !self.open().contains(&criterion.id),
            "{} is closed by what its kind asks for",
            criterion.id
        );
    }

    /// Opens a criterion that was closed, in the way its kind can be.
    pub(crate) fn spoil(&mut self, id: &str) {
        let criterion = self.criterion(id);
        let organisation = self.worker(Side::Organisation);
        match &criterion.met_by {
            MetBy::Fact(name) => self.spoil_fact(name),
            MetBy::Deliverable(id) => {
                let side = self.scope().deliverable(id).map(|known| self.scope().answers(known.side)).expect("known");
                let by = self.worker(side);
                self.does(&by, Action::Deliver { deliverable: id.clone(), note: String::new() });
            }
            MetBy::Task(id) => self.reopens(id),
            MetBy::Prerequisites(_) => {
                let is_one = |task: &programme::Task<'_>| task.is_prerequisite && !task.is_dropped();
                let id = self.scope().tasks().into_iter().find(is_one).expect("a pre-requisite").id.to_owned();
                self.reopens(&id);
            }
            MetBy::Filled(roles) => {
                let role = roles.first().expect("a role").clone();
                for person in [role.clone(), format!("{role}-2")] {
                    let take = Action::TakeRole { person, role: role.clone(), why: "they left".into() };
                    let by = self.namer(&role);
                    let _ = self.tries(&by, take);
                }
            }
            MetBy::SignedBy(roles) => self.signs(roles.first().expect("a role"), &criterion.id, Verdict::No),
            MetBy::Field(field) => {
                let (form, field) = field.split_once('.').expect("a form and a field");
                let answers = row(&[(field, "")]);
                self.does(&organisation, Action::Answer { form: form.into(), answers });
            }
            MetBy::Form(form) => {
                let known = self.programme.forms.iter().find(|known| known.id == *form).expect("a form");
                let field = known.fields.iter().find(|field| !field.is_optional).expect("a field").id.clone();
                let answers = row(&[(&field, "")]);
                self.does(&organisation, Action::Answer { form: form.clone(), answers });
            }
            MetBy::Decision(name) => self.decides(name, &criterion.owner, Verdict::No),
            MetBy::Register(name) => match Register::from_name(name) {
                Some(Register::Calls) => self.later(8),
                Some(register) => {
                    let fields = undecided(register);
                    self.does(&organisation, Action::AddRow { register, fields });
                }
                None => self.knows("issues-resolved-or-handed-over", false),
            },
            MetBy::Sides(sides) => {
                let asked = if sides.is_empty() { self.scope().project_type.go.clone() } else { sides.clone() };
                self.says(*asked.first().expect("a side"), &criterion.id, Verdict::No);
            }
        }
    }

    fn close_fact(&mut self, name: &str) {
        let by = self.worker(Side::Organisation);
        match name {
            "applications-resolved" => {
                self.does(&by, Action::Review { register: Register::Applications });
                self.settle_all(Register::Applications);
            }
            "workshop-closed" => {
                for gap in gaps(&self.programme, &self.record, &self.facts) {
                    let forecast = Some(self.today());
                    self.does(&by, Action::Assign { task: gap.task, owner: Some("Ida".into()), forecast });
                }
                let held = self.today().to_string();
                let fields = row(&[("title", "Readiness"), ("held", &held), ("attendees", "all")]);
                self.does(&by, Action::AddRow { register: Register::Workshops, fields });
                let id = self.record.rows_of(Register::Workshops).last().expect("a workshop").id.clone();
                self.does(&by, Action::SettleRow { row: id, verdict: YES, text: "each has both".into() });
            }
            "escalation-complete" => {
                for side in self.scope().project_type.sides.clone() {
                    let fields = row(&[("title", "Jo"), ("side", side_name(side)), ("level", "1"), ("reach", "01234")]);
                    self.does(&by, Action::AddRow { register: Register::Contacts, fields });
                }
            }
            "numbers-confirmed" => {
                self.does(&by, Action::GiveNumbers { sureness: Sureness::Confirmed, existing: 200, new: 700 });
            }
            "months-planned" => {
                if self.record.numbers().is_none() {
                    self.does(&by, Action::GiveNumbers { sureness: Sureness::Draft, existing: 210, new: 690 });
                }
                let new = self.record.numbers().expect("numbers").1.new;
                let accounts = [(self.month(), new)].into();
                self.does(&by, Action::PlanMonths { accounts });
            }
            "pilot-share" => {
                let (least, _) = pilot(&self.programme, &self.record).right.expect("the number of people is known");
                let people = self.somebody(usize::try_from(least).expect("a number"));
                self.does(&by, Action::NamePilot { people });
            }
            "pilot-checks-complete" => {
                let state = pilot(&self.programme, &self.record);
                if state.people.is_empty() {
                    let people = self.somebody(3);
                    self.does(&by, Action::NamePilot { people });
                }
                self.switches_the_pilot();
                let answers = self.pilot_answers(|_| true, Outcome::Passed, "");
                let by = self.answerer();
                self.does(&by, Action::CheckPilot { answers });
            }
            "key-roles-filled" => {
                let keys: Vec<String> =
                    self.programme.roles.iter().filter(|role| role.is_key).map(|role| role.id.clone()).collect();
                for role in keys {
                    let (person, title) = (role.clone(), format!("The {role}"));
                    let by = self.namer(&role);
                    self.does(&by, Action::GiveRole { person, title, role, contact: None });
                }
            }
            other => self.knows(other, true),
        }
    }

    fn spoil_fact(&mut self, name: &str) {
        let by = self.worker(Side::Organisation);
        match name {
            "applications-resolved" => {
                let fields = row(&[("title", "Scanner"), ("owner", "Ida"), ("protocol", "SMTP")]);
                self.does(&by, Action::AddRow { register: Register::Applications, fields });
            }
            "escalation-complete" => {
                let rows: Vec<String> = self.record.rows_of(Register::Contacts).map(|row| row.id.clone()).collect();
                for row in rows {
                    self.does(&by, Action::WithdrawRow { row, why: "they left".into() });
                }
            }
            "workshop-closed" => {
                let rows: Vec<String> = self.record.rows_of(Register::Workshops).map(|row| row.id.clone()).collect();
                for row in rows {
                    self.does(&by, Action::WithdrawRow { row, why: "it was another".into() });
                }
            }
            "numbers-confirmed" => panic!("what is confirmed stays so"),
            "months-planned" => {
                let accounts = [(self.month(), 1)].into();
                self.does(&by, Action::PlanMonths { accounts });
            }
            "pilot-share" => {
                let person = self.record.pilot_people().next().expect("somebody").0.to_owned();
                let (least, _) = pilot(&self.programme, &self.record).right.expect("the number of people is known");
                assert_eq!(self.record.pilot_people().count() as u64, least, "one less is too few");
                self.does(&by, Action::LeavePilot { person, why: "they are away".into() });
            }
            "pilot-checks-complete" => {
                let people = self.somebody(self.record.pilot_people().count() + 1);
                self.does(&by, Action::NamePilot { people });
            }
            "key-roles-filled" => {
                let key = self.speaker(Side::Organisation);
                let holds = |person: &&String| {
                    self.record.people.get(*person).is_some_and(|person| person.roles.contains(&key))
                };
                let holders: Vec<String> = [key.clone(), format!("{key}-2")].iter().filter(holds).cloned().collect();
                for person in holders {
                    self.does(&by, Action::TakeRole { person, role: key.clone(), why: "they left".into() });
                }
            }
            other => self.knows(other, false),
        }
    }

    /// The month that it is.
    fn month(&self) -> String {
        self.today().strftime("%Y-%m").to_string()
    }

    /// So many people of all who are not of the pilot yet, from everywhere among them.
    fn somebody(&self, count: usize) -> Vec<String> {
        let missing = count - self.record.pilot_people().count().min(count);
        let others: Vec<&String> = self.people.iter().filter(|person| !self.record.is_pilot(person)).collect();
        let step = (others.len() / missing.max(1)).max(1);
        others.into_iter().rev().step_by(step).take(missing).cloned().collect()
    }

    /// Everybody of the pilot is switched.
    pub(crate) fn switches_the_pilot(&mut self) {
        let people = self.record.pilot_people().map(|(person, _)| (person.to_owned(), Reached::Switch));
        self.facts.pilot = people.collect();
        self.steps.push(Step::Knows("pilot-switched".to_owned(), true));
    }

    /// Who may say how any check of the pilot came out.
    pub(crate) fn answerer(&self) -> String {
        let checks = &self.programme.pilot_checks;
        let answers_all = |role: &&String| checks.iter().all(|check| check.answered_by.contains(*role));
        let first = checks.first().expect("a check");
        first.answered_by.iter().find(answers_all).expect("a role that answers all").clone()
    }

    /// What each of these people of the pilot says of everything that they have not answered.
    pub(crate) fn pilot_answers(
        &self,
        is_asked: impl Fn(&str) -> bool,
        outcome: Outcome,
        text: &str,
    ) -> Vec<PilotAnswer> {
        let state = pilot(&self.programme, &self.record);
        let people = state.people.iter().filter(|line| is_asked(&line.person));
        let answer = |person: &str, item: &String| PilotAnswer {
            person: person.to_owned(),
            item: item.clone(),
            outcome,
            text: text.to_owned(),
        };
        people.flat_map(|line| line.unanswered.iter().map(|item| answer(&line.person, item))).collect()
    }

    /// Parts of a package that are missing.
    pub(crate) fn missing(&self, package: &str) -> Vec<String> {
        let parts = missing_parts(&self.programme, &self.record, &self.facts, package, self.today());
        parts.expect("a package").into_iter().map(|part| part.criterion).collect()
    }

    fn close_deliverable(&mut self, id: &str) {
        let known = self.scope().deliverable(id).unwrap_or_else(|| panic!("no deliverable {id}")).clone();
        let side = self.scope().answers(known.side);
        let by = self.worker(side);
        if let Some(package) = known.package.clone() {
            while let Some(part) = self.missing(&package).first() {
                self.close(part);
            }
            self.does(&by, Action::SubmitPackage { package });
        }
        self.does(&by, Action::Deliver { deliverable: id.to_owned(), note: String::new() });
        let sides = |role: &String| self.programme.roles.iter().find(|known| known.id == *role).expect("a role").side;
        let here = |role: &&String| self.scope().takes_part(sides(role)) && sides(role) != side;
        let role = known.accepted_by.iter().find(here);
        let role = role.unwrap_or_else(|| panic!("nobody of another side accepts {id}")).clone();
        self.does(&role, Action::Accept { deliverable: id.to_owned(), verdict: YES, note: String::new() });
    }

    /// Does a task with all that it asks for.
    pub(crate) fn close_task(&mut self, id: &str) {
        let task = self.scope().task(id).unwrap_or_else(|| panic!("no task {id}"));
        let (sides, items) = (task.sides.clone(), task.items.to_vec());
        let (check, needs_evidence, missing) =
            (task.check.map(str::to_owned), task.needs_evidence, task.sides_missing());
        let by = self.worker(*sides.first().expect("a side"));
        if let Some(check) = check {
            self.knows(&check, true);
            self.does(&by, Action::Check { task: id.to_owned() });
        }
        if needs_evidence {
            self.does(&by, give(Subject::Task(id.to_owned()), &format!("{id}.pdf")));
        }
        for item in items {
            let answer =
                Action::AnswerItem { task: id.to_owned(), item, outcome: Outcome::Passed, text: String::new() };
            self.does(&by, answer);
        }
        for side in missing {
            let by = self.worker(side);
            self.does(&by, Action::Done { task: id.to_owned(), side: None });
        }
    }

    fn close_prerequisites(&mut self, criterion: &str, role: &str) {
        let all: Vec<(String, Side)> = {
            let scope = self.scope();
            let tasks = scope.tasks().into_iter().filter(|task| task.is_prerequisite);
            let open = tasks.filter(|task| {
                let state = scope.state(task, &self.facts);
                state != TaskState::Dropped && state != TaskState::Validated
            });
            open.map(|task| (task.id.to_owned(), *task.sides.first().expect("a side"))).collect()
        };
        for (task, side) in all {
            self.close_task(&task);
            if self.scope().validates_each() {
                let by = self.worker(side);
                self.does(&by, Action::Submit { task: task.clone(), note: String::new() });
                let checker = self.speaker(Side::Provider);
                self.does(&checker, Action::Validate { task, verdict: YES, note: String::new() });
            }
        }
        self.signs(role, criterion, YES);
    }

    pub(crate) fn signs(&mut self, role: &str, criterion: &str, verdict: Verdict) {
        let (criterion, note) = (criterion.to_owned(), "as agreed".to_owned());
        self.does(role, Action::Sign { criterion, role: None, verdict, note });
    }

    pub(crate) fn says(&mut self, side: Side, criterion: &str, verdict: Verdict) {
        let by = self.speaker(side);
        self.does(&by, Action::Say { criterion: criterion.to_owned(), verdict, note: "as agreed".into() });
    }

    fn decides(&mut self, decision: &str, owner: &str, verdict: Verdict) {
        let (decision, by, why) = (decision.to_owned(), "the board".to_owned(), "it is best".to_owned());
        self.does(owner, Action::Decide { decision, verdict, outcome: "so".into(), by, why });
    }

    fn reopens(&mut self, id: &str) {
        let side = *self.scope().task(id).expect("a task").sides.first().expect("a side");
        let by = self.worker(side);
        self.does(&by, Action::Reopen { task: id.to_owned(), why: "it is old".into() });
    }

    fn fill_in(&mut self, form: &str, is_asked: impl Fn(&Field) -> bool) {
        let known = self.programme.forms.iter().find(|known| known.id == form).expect("a form");
        let answer = |field: &Field| match field.kind {
            FieldKind::Text => "words".to_owned(),
            FieldKind::Number => "900".to_owned(),
            FieldKind::Date => "2026-11-30".to_owned(),
            FieldKind::YesNo => "yes".to_owned(),
            FieldKind::Choice => field.choices.first().expect("a choice").clone(),
        };
        let asked = known.fields.iter().filter(|field| is_asked(field));
        let answers = asked.map(|field| (field.id.clone(), answer(field))).collect();
        let by = self.worker(Side::Organisation);
        self.does(&by, Action::Answer { form: form.to_owned(), answers });
    }

    fn close_register(&mut self, name: &str) {
        let by = self.worker(Side::Organisation);
        let Some(register) = Register::from_name(name) else {
            return self.knows("issues-resolved-or-handed-over", true);
        };
        if register == Register::Calls {
            for day in missed(&self.programme, &self.record, register, self.today()) {
                let fields = row(&[("title", "Call"), ("held", &day.to_string())]);
                self.does(&by, Action::AddRow { register, fields });
            }
        }
        if register != Register::Calls {
            self.settle_all(register);
        }
        self.does(&by, Action::Review { register });
    }

    fn settle_all(&mut self, register: Register) {
        let by = self.worker(Side::Organisation);
        let rows: Vec<String> =
            self.record.rows_of(register).filter(|row| row.is_open()).map(|row| row.id.clone()).collect();
        for row in rows {
            self.does(&by, Action::WithdrawRow { row, why: "it is over".into() });
        }
    }

    /// Closes all that is open of the gate ahead.
    pub(crate) fn close_all(&mut self) {
        while let Some(id) = self.open().first() {
            self.close(&id.clone());
        }
    }

    /// Asks for the gate ahead, as somebody who works on it.
    pub(crate) fn asks(&mut self) -> String {
        let gate = self.scope().next_gate().expect("a gate").id.clone();
        let by = self.worker(Side::Organisation);
        self.does(&by, Action::AskGate { gate: gate.clone(), note: String::new() });
        gate
    }

    /// Who passes the gate ahead.
    pub(crate) fn passer(&self) -> String {
        let scope = self.scope();
        let gate = scope.next_gate().expect("a gate");
        let takes_part = |role: &&String| {
            let known = self.programme.roles.iter().find(|known| known.id == **role).expect("a role");
            scope.takes_part(known.side)
        };
        gate.passed_by.iter().find(takes_part).expect("somebody who passes it").clone()
    }

    /// Closes all that is open, and passes the gate ahead.
    pub(crate) fn passes(&mut self) -> String {
        self.close_all();
        let gate = self.asks();
        let passer = self.passer();
        self.does(&passer, Action::PassGate { gate: gate.clone() });
        gate
    }

    /// Through every gate up to this stage.
    pub(crate) fn reaches(&mut self, stage: &str) {
        while self.stage() != Some(stage) {
            self.passes();
        }
    }

    /// For each of these criteria: with all but it closed, the gate refuses for it alone. Halves are closed together, so that
    /// it takes few steps.
    fn leaves_each_alone(&self, open: &[String], passer: &str, gate: &str) {
        if let [alone] = open {
            let mut world = self.clone();
            // One that was closed may be opened by another: a plan of numbers by the numbers.
            while let Some(other) = world.open().into_iter().find(|id| id != alone) {
                world.close(&other);
            }
            if world.open().is_empty() {
                return; // Another criterion asks for the same, and more.
            }
            let refusal = world.is_refused(passer, Action::PassGate { gate: gate.to_owned() }, "gate-open");
            let ids: Vec<&str> = refusal.open.iter().map(|item| item.criterion.as_str()).collect();
            assert_eq!(ids, [alone], "{gate}");
            assert!(refusal.is_by(alone));
            return;
        }
        let (one, other) = open.split_at(open.len() / 2);
        for (closed, left) in [(one, other), (other, one)] {
            if left.is_empty() {
                continue;
            }
            let mut world = self.clone();
            for id in closed {
                if world.open().contains(id) {
                    world.close(id);
                }
            }
            world.leaves_each_alone(left, passer, gate);
        }
    }

    /// A gate refuses with each of its criteria missing in turn, and opens when none is. Returns how many there were.
    pub(crate) fn proves_the_gate_ahead(&mut self) -> usize {
        let gate = self.asks();
        let passer = self.passer();
        let pass = || Action::PassGate { gate: gate.clone() };
        let items = assess_next(&self.programme, &self.record, &self.facts, self.today()).expect("a gate").items;
        // What has never been done: all others are closed, and it alone stays open.
        let open = self.open();
        self.leaves_each_alone(&open, &passer, &gate);
        self.close_all();
        // What was done, and then was not so any more.
        for item in &items {
            let criterion = self.criterion(&item.criterion);
            if criterion.met_by == MetBy::Fact("numbers-confirmed".into()) {
                continue;
            }
            let mut world = self.clone();
            world.spoil(&item.criterion);
            assert!(world.open().contains(&item.criterion), "{} can be opened again", item.criterion);
            let refusal = world.is_refused(&passer, pass(), "gate-open");
            assert!(refusal.is_by(&item.criterion), "{gate} without {}: {refusal}", item.criterion);
        }
        self.does(&passer, pass());
        items.len()
    }
}

/// A row that leaves its register undecided.
fn undecided(register: Register) -> std::collections::BTreeMap<String, String> {
    match register {
        Register::Applications => row(&[("title", "Scanner"), ("owner", "Ida"), ("protocol", "SMTP")]),
        Register::Changes => row(&[("title", "Later"), ("what", "date")]),
        Register::Training => {
            row(&[("title", "Slides"), ("audience", "users"), ("what", "material"), ("due", "2020-01-01")])
        }
        _ => row(&[("title", "Something")]),
    }
}
