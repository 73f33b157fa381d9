//! What somebody wants to happen in a project, and whether it may: [`decide`] answers with the changes to append, or with
//! a refusal that says which rule, where, and what to do.
//!
//! It is pure: the record, the facts that the system knows, who acts and the time are given. Whoever acts is one person
//! here, whatever roles they hold: that is what keeps an approval between two people.

mod deliver;
mod gate;
mod pilot;
mod project;
mod row;
mod task;
mod word;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use crate::data::{Programme, Side};
use crate::gate::{Facts, Item};
use crate::record::{Change, Evidence, Outcome, OwnTask, Record, Standing, Subject, Sureness, Verdict};
use crate::register::Register;
use crate::rule::Rule;
use crate::scope::{Scope, side_name};

/// Who acts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doer {
    /// Who, as sign-ins know them.
    pub name: String,
    /// The sides they stand on.
    pub sides: BTreeSet<Side>,
    /// The roles they hold.
    pub roles: BTreeSet<String>,
    /// Sides of which there are people by the project's file, besides those of the record.
    pub sides_of_file: BTreeSet<Side>,
    /// Is it the program itself?
    pub is_system: bool,
}

impl Doer {
    /// Who acts, by the people of the record and what the configuration says of them besides.
    pub fn of(programme: &Programme, record: &Record, name: &str, sides: &[Side], roles: &[String]) -> Self {
        let held = record.people.get(name).map(|person| person.roles.clone()).unwrap_or_default();
        let roles: BTreeSet<String> = held.into_iter().chain(roles.iter().cloned()).collect();
        let of_roles = programme.roles.iter().filter(|role| roles.contains(&role.id)).map(|role| role.side);
        let sides = of_roles.chain(sides.iter().copied()).collect();
        Self { name: name.to_owned(), sides, roles, sides_of_file: BTreeSet::new(), is_system: false }
    }

    /// The program itself.
    pub fn system(name: &str) -> Self {
        Self { name: name.to_owned(), is_system: true, ..Self::default() }
    }
}

/// When it is: the time, and the day that it is where the project is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time.
    pub at: Timestamp,
    /// The day.
    pub today: Date,
}

impl Moment {
    /// That time, with the day that the world counts (UTC).
    pub fn of(at: Timestamp) -> Self {
        Self { at, today: crate::gate::day_of(at) }
    }
}

/// Why something may not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Refusal {
    /// Names of the rules that refuse: of this program, then of the criteria that are open.
    pub rules: Vec<String>,
    /// Requirements that they come from.
    pub requirements: Vec<String>,
    /// What was wanted and why it can't be.
    pub what: Box<str>,
    /// Where: the project, and the stage, task or row.
    pub place: Box<str>,
    /// What to do.
    pub advice: Box<str>,
    /// What is open.
    pub open: Vec<Item>,
}

impl Refusal {
    /// A refusal by this rule.
    pub fn new(rule: Rule, what: impl Into<Box<str>>, place: impl Into<Box<str>>, advice: &str) -> Self {
        Self {
            rules: vec![rule.name().to_owned()],
            requirements: rule.requirement().map(str::to_owned).into_iter().collect(),
            what: what.into(),
            place: place.into(),
            advice: advice.into(),
            open: Vec::new(),
        }
    }

    /// The same, with what is open; their criteria are rules too.
    #[must_use]
    pub fn with_open(mut self, open: Vec<Item>) -> Self {
        for item in &open {
            self.rules.push(item.criterion.clone());
            let new = item.requirements.iter().filter(|known| !self.requirements.contains(known));
            let new: Vec<String> = new.cloned().collect();
            self.requirements.extend(new);
        }
        self.open = open;
        self
    }

    /// Is this rule among those that refuse?
    pub fn is_by(&self, rule: &str) -> bool {
        self.rules.iter().any(|known| known == rule)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}; {}). {}", self.what, self.place, self.rules.join(", "), self.advice)?;
        for item in &self.open {
            let holders = if item.holders.is_empty() { "nobody yet".to_owned() } else { item.holders.join(", ") };
            let age = item.age_days;
            write!(f, "\n  {}: {}; {} ({holders}), {age} days. {}", item.criterion, item.by, item.owner, item.closes)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// What a person of the pilot says of one of the things to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PilotAnswer {
    /// Who, by address.
    pub person: String,
    /// The thing: a line of the profile's list.
    pub item: String,
    /// How it came out.
    pub outcome: Outcome,
    /// What was seen.
    pub text: String,
}

/// A row of a file that is written into a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedRow {
    /// The line of the file on which it stands.
    pub line: u64,
    /// Its fields.
    pub fields: BTreeMap<String, String>,
    /// How it is settled already, if it is.
    pub settled: Option<String>,
}

/// What somebody wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A project begins.
    Open {
        /// The organisation's code.
        code: String,
        /// Its name.
        name: String,
    },
    /// A migration that is under way is governed from now on. It begins before its first stage: what was done is shown by
    /// evidence, and its gates are passed like those of any other.
    Adopt {
        /// The organisation's code.
        code: String,
        /// Its name.
        name: String,
    },
    /// What the options appraisal says is recorded.
    Appraise {
        /// The type it recommends.
        recommends: Option<String>,
        /// The rules that spoke.
        rules: Vec<String>,
    },
    /// The type is chosen.
    ChooseType {
        /// The type, by id or alias.
        project_type: String,
        /// Who decided it.
        by: Option<String>,
        /// Why.
        why: Option<String>,
    },
    /// Fields of a form are filled in.
    Answer {
        /// The form.
        form: String,
        /// The answers by field.
        answers: BTreeMap<String, String>,
    },
    /// The number of accounts is given.
    GiveNumbers {
        /// How sure it is.
        sureness: Sureness,
        /// People who have an account.
        existing: u64,
        /// People who need one.
        new: u64,
    },
    /// New accounts are planned by month.
    PlanMonths {
        /// By month, `2026-11`.
        accounts: BTreeMap<String, u64>,
    },
    /// A date is given.
    SetDate {
        /// Its name, or the stage that begins on it.
        name: String,
        /// The day.
        day: Date,
        /// Is it agreed?
        is_agreed: bool,
        /// Why.
        why: Option<String>,
    },
    /// The length of a stage is changed.
    SetLength {
        /// The stage.
        stage: String,
        /// Its length.
        working_days: u32,
        /// Why.
        why: String,
    },
    /// The project is given up.
    Cancel {
        /// Why.
        why: String,
    },
    /// The project is closed.
    Close {
        /// What is to be said of it.
        note: String,
    },
    /// Somebody is given a role.
    GiveRole {
        /// Who, as sign-ins know them.
        person: String,
        /// Their name.
        title: String,
        /// The role.
        role: String,
        /// How to reach them.
        contact: Option<String>,
    },
    /// A role is taken from somebody.
    TakeRole {
        /// Who.
        person: String,
        /// The role.
        role: String,
        /// Why.
        why: String,
    },
    /// People are named for the pilot.
    NamePilot {
        /// Who, by address.
        people: Vec<String>,
    },
    /// Somebody is not of the pilot any more.
    LeavePilot {
        /// Who, by address.
        person: String,
        /// Why.
        why: String,
    },
    /// People of the pilot say what they checked.
    CheckPilot {
        /// What each says.
        answers: Vec<PilotAnswer>,
    },
    /// A task is given an owner, a forecast or both.
    Assign {
        /// The task.
        task: String,
        /// Its owner.
        owner: Option<String>,
        /// When it will be done.
        forecast: Option<Date>,
    },
    /// A task is added.
    AddTask {
        /// Its id.
        task: String,
        /// What it is.
        own: OwnTask,
    },
    /// A task gets other words or another day.
    EditTask {
        /// The task.
        task: String,
        /// Its words.
        title: Option<String>,
        /// Its day.
        due: Option<Date>,
        /// Why.
        why: String,
    },
    /// The project does without a task.
    DropTask {
        /// The task.
        task: String,
        /// Why.
        why: String,
    },
    /// One thing that a task asks about has a result.
    AnswerItem {
        /// The task.
        task: String,
        /// The thing.
        item: String,
        /// How it came out.
        outcome: Outcome,
        /// What was seen.
        text: String,
    },
    /// What the system knows is written to a task as its check.
    Check {
        /// The task.
        task: String,
    },
    /// A task is submitted for validation.
    Submit {
        /// The task.
        task: String,
        /// What is to be said of it.
        note: String,
    },
    /// A submission is validated, or sent back.
    Validate {
        /// The task.
        task: String,
        /// Is it as it should be?
        verdict: Verdict,
        /// What is to be said of it.
        note: String,
    },
    /// A side says that a task is done.
    Done {
        /// The task.
        task: String,
        /// The side; the doer's own where it says nothing.
        side: Option<Side>,
    },
    /// A task is to be done again.
    Reopen {
        /// The task.
        task: String,
        /// Why.
        why: String,
    },
    /// A piece of evidence is given.
    GiveEvidence {
        /// What it is about.
        on: Subject,
        /// What it is.
        evidence: Evidence,
    },
    /// A piece of evidence no longer counts.
    WithdrawEvidence {
        /// What it was about.
        on: Subject,
        /// Its digest.
        digest: String,
        /// Why.
        why: String,
    },
    /// A deliverable is given a day.
    SetDue {
        /// The deliverable.
        deliverable: String,
        /// The day.
        due: Date,
    },
    /// A deliverable is handed over.
    Deliver {
        /// The deliverable.
        deliverable: String,
        /// What is to be said of it.
        note: String,
    },
    /// A deliverable is accepted, or not.
    Accept {
        /// The deliverable.
        deliverable: String,
        /// Accepted?
        verdict: Verdict,
        /// What is to be said of it.
        note: String,
    },
    /// Somebody signs, in a role.
    Sign {
        /// The criterion.
        criterion: String,
        /// The role; one that the doer holds and that is asked for where it says nothing.
        role: Option<String>,
        /// Yes or no.
        verdict: Verdict,
        /// What is to be said of it.
        note: String,
    },
    /// Somebody says yes or no for their side.
    Say {
        /// The criterion.
        criterion: String,
        /// Yes or no.
        verdict: Verdict,
        /// What is to be said of it.
        note: String,
    },
    /// Something is decided.
    Decide {
        /// What, by name.
        decision: String,
        /// Yes or no.
        verdict: Verdict,
        /// What was decided.
        outcome: String,
        /// Who decided it.
        by: String,
        /// Why.
        why: String,
    },
    /// A gate is asked for.
    AskGate {
        /// The gate.
        gate: String,
        /// What is to be said of it.
        note: String,
    },
    /// What the doer asked for is no longer wanted.
    UnaskGate {
        /// The gate.
        gate: String,
        /// Why.
        why: String,
    },
    /// A gate is passed, and the stage behind it entered.
    PassGate {
        /// The gate.
        gate: String,
    },
    /// A row is written.
    AddRow {
        /// The register.
        register: Register,
        /// Its fields.
        fields: BTreeMap<String, String>,
    },
    /// Rows of a file are written: all of them or none.
    ImportRows {
        /// The register.
        register: Register,
        /// The rows, in order.
        rows: Vec<ImportedRow>,
    },
    /// Fields of a row are changed.
    ChangeRow {
        /// The row.
        row: String,
        /// The fields, each as it is from now on.
        fields: BTreeMap<String, String>,
    },
    /// A row is settled.
    SettleRow {
        /// The row.
        row: String,
        /// Approved, resolved; or not.
        verdict: Verdict,
        /// How.
        text: String,
    },
    /// A row no longer counts.
    WithdrawRow {
        /// The row.
        row: String,
        /// Why.
        why: String,
    },
    /// A register was looked through.
    Review {
        /// The register.
        register: Register,
    },
    /// A document was made.
    RecordDocument {
        /// Which.
        document: String,
        /// Is it a draft?
        is_draft: bool,
        /// Its files.
        files: Vec<Evidence>,
    },
    /// A package is submitted.
    SubmitPackage {
        /// Which.
        package: String,
    },
}

impl Action {
    /// Does what is decided depend on what the system knows besides the record? Where it does not, nobody has to look it up.
    pub fn rests_on_facts(&self, programme: &Programme, record: &Record) -> bool {
        let has_check = |task: &String| {
            let task = Scope::of(programme, record).and_then(|scope| scope.task(task));
            task.is_some_and(|task| task.check.is_some())
        };
        match self {
            Self::Check { .. } | Self::PassGate { .. } | Self::SubmitPackage { .. } | Self::Deliver { .. } => true,
            // Nobody checks what is not there yet, and who could have checked something does not just leave.
            Self::CheckPilot { .. } | Self::LeavePilot { .. } => true,
            // In the middle of a track the gates behind it are asked again.
            Self::ChooseType { .. } => record.stage().is_some(),
            Self::Submit { task, .. } | Self::Done { task, .. } => has_check(task),
            // A call takes a picture of the checklist, and a workshop is closed when nothing of it is open.
            Self::AddRow { register, .. } => *register == Register::Calls,
            Self::SettleRow { row, .. } => row.starts_with(Register::Workshops.singular()),
            Self::Open { .. }
            | Self::Adopt { .. }
            | Self::Appraise { .. }
            | Self::Answer { .. }
            | Self::GiveNumbers { .. }
            | Self::PlanMonths { .. }
            | Self::SetDate { .. }
            | Self::SetLength { .. }
            | Self::Cancel { .. }
            | Self::Close { .. }
            | Self::GiveRole { .. }
            | Self::TakeRole { .. }
            | Self::NamePilot { .. }
            | Self::Assign { .. }
            | Self::AddTask { .. }
            | Self::EditTask { .. }
            | Self::DropTask { .. }
            | Self::AnswerItem { .. }
            | Self::Validate { .. }
            | Self::Reopen { .. }
            | Self::GiveEvidence { .. }
            | Self::WithdrawEvidence { .. }
            | Self::SetDue { .. }
            | Self::Accept { .. }
            | Self::Sign { .. }
            | Self::Say { .. }
            | Self::Decide { .. }
            | Self::AskGate { .. }
            | Self::UnaskGate { .. }
            | Self::ImportRows { .. }
            | Self::ChangeRow { .. }
            | Self::WithdrawRow { .. }
            | Self::Review { .. }
            | Self::RecordDocument { .. } => false,
        }
    }
}

/// Everything that a decision is made from.
pub(crate) struct Case<'a> {
    pub(crate) programme: &'a Programme,
    pub(crate) record: &'a Record,
    pub(crate) facts: &'a Facts,
    pub(crate) doer: &'a Doer,
    pub(crate) now: Moment,
}

pub(crate) type Decided = Result<Vec<Change>, Refusal>;

/// May this be, and what changes by it?
///
/// What comes out was decided on the record as it was given: it is appended only if nothing was appended in between
/// ([`Record::seq`] is the same), else it is decided again.
pub fn decide(
    programme: &Programme,
    record: &Record,
    facts: &Facts,
    doer: &Doer,
    now: Moment,
    action: Action,
) -> Result<Vec<Change>, Refusal> {
    let case = Case { programme, record, facts, doer, now };
    case.may_act(&action)?;
    match action {
        Action::Open { code, name } => case.open(&code, &name, false),
        Action::Adopt { code, name } => case.open(&code, &name, true),
        Action::Appraise { recommends, rules } => case.appraise(recommends, rules),
        Action::ChooseType { project_type, by, why } => case.choose_type(&project_type, by, why),
        Action::Answer { form, answers } => case.answer(&form, answers),
        Action::GiveNumbers { sureness, existing, new } => Ok(vec![Change::NumbersGiven { sureness, existing, new }]),
        Action::PlanMonths { accounts } => case.plan_months(accounts),
        Action::SetDate { name, day, is_agreed, why } => case.set_date(name, day, is_agreed, why),
        Action::SetLength { stage, working_days, why } => case.set_length(stage, working_days, why),
        Action::Cancel { why } => case.cancel(why),
        Action::Close { note } => case.close(note),
        Action::GiveRole { person, title, role, contact } => case.give_role(&person, &title, role, contact),
        Action::TakeRole { person, role, why } => case.take_role(person, role, why),
        Action::NamePilot { people } => case.name_pilot(&people),
        Action::LeavePilot { person, why } => case.leave_pilot(&person, why),
        Action::CheckPilot { answers } => case.check_pilot(answers),
        Action::Assign { task, owner, forecast } => case.assign(task, owner, forecast),
        Action::AddTask { task, own } => case.add_task(task, own),
        Action::EditTask { task, title, due, why } => case.edit_task(task, title, due, why),
        Action::DropTask { task, why } => case.drop_task(task, why),
        Action::AnswerItem { task, item, outcome, text } => case.answer_item(task, item, outcome, text),
        Action::Check { task } => case.check(task),
        Action::Submit { task, note } => case.submit(task, note),
        Action::Validate { task, verdict, note } => case.validate(task, verdict, note),
        Action::Done { task, side } => case.done(task, side),
        Action::Reopen { task, why } => case.reopen(task, why),
        Action::GiveEvidence { on, evidence } => case.give_evidence(on, evidence),
        Action::WithdrawEvidence { on, digest, why } => case.withdraw_evidence(on, digest, why),
        Action::SetDue { deliverable, due } => case.set_due(deliverable, due),
        Action::Deliver { deliverable, note } => case.deliver(deliverable, note),
        Action::Accept { deliverable, verdict, note } => case.accept(deliverable, verdict, note),
        Action::Sign { criterion, role, verdict, note } => case.sign(criterion, role.as_deref(), verdict, note),
        Action::Say { criterion, verdict, note } => case.say(criterion, verdict, note),
        Action::Decide { decision, verdict, outcome, by, why } => case.resolve(decision, verdict, outcome, by, why),
        Action::AskGate { gate, note } => case.ask_gate(gate, note),
        Action::UnaskGate { gate, why } => case.unask_gate(gate, why),
        Action::PassGate { gate } => case.pass_gate(&gate),
        Action::AddRow { register, fields } => case.add_row(register, fields),
        Action::ImportRows { register, rows } => case.import_rows(register, rows),
        Action::ChangeRow { row, fields } => case.change_row(row, fields),
        Action::SettleRow { row, verdict, text } => case.settle_row(row, verdict, text),
        Action::WithdrawRow { row, why } => case.withdraw_row(row, why),
        Action::Review { register } => Ok(vec![Change::RegisterReviewed { register }]),
        Action::RecordDocument { document, is_draft, files } => case.record_document(document, is_draft, files),
        Action::SubmitPackage { package } => case.submit_package(&package),
    }
}

impl<'a> Case<'a> {
    /// Rules that hold for everything: the project is there, and whoever acts takes part in it.
    fn may_act(&self, action: &Action) -> Result<(), Refusal> {
        let begins = matches!(action, Action::Open { .. } | Action::Adopt { .. });
        match self.record.standing {
            Standing::Unopened if !begins => {
                return Err(self.refuse(Rule::NotNow, "there is no such project yet", "Open it first."));
            }
            Standing::Cancelled => {
                let advice = "Open a new project; what is recorded stays.";
                return Err(self.refuse(Rule::NotNow, "the project was given up", advice));
            }
            _ => {}
        }
        // The first people are named by whoever opens the project: until then nobody stands anywhere.
        let takes_part = self.doer.is_system || !self.doer.sides.is_empty() || self.record.people.is_empty();
        if !begins && !takes_part {
            let what = format!("{} holds no role in the project", self.doer.name);
            return Err(self.refuse(Rule::RightRole, what, "Ask somebody of the project to give you one."));
        }
        if self.doer.name.trim().is_empty() {
            return Err(self.refuse(Rule::Incomplete, "nobody is named who does it", "Say who."));
        }
        Ok(())
    }

    pub(crate) fn refuse(&self, rule: Rule, what: impl Into<Box<str>>, advice: &str) -> Refusal {
        let place = match (self.record.code.as_str(), self.record.stage()) {
            ("", _) => "no project".to_owned(),
            (code, Some(entry)) => format!("{code}, stage {}", entry.stage),
            (code, None) => code.to_owned(),
        };
        Refusal::new(rule, what, place, advice)
    }

    /// The same, about something.
    pub(crate) fn refuse_at(&self, rule: Rule, at: &str, what: impl Into<Box<str>>, advice: &str) -> Refusal {
        let mut refusal = self.refuse(rule, what, advice);
        refusal.place = format!("{}, {at}", refusal.place).into();
        refusal
    }

    /// What counts in the project; refused as long as it has no type.
    pub(crate) fn scope(&self) -> Result<Scope<'a>, Refusal> {
        Scope::of(self.programme, self.record)
            .ok_or_else(|| self.refuse(Rule::NotNow, "the project has no type yet", "Choose its type first."))
    }

    /// A text that has to say something.
    pub(crate) fn needed(&self, text: &str, what: &str) -> Result<(), Refusal> {
        if text.trim().is_empty() {
            return Err(self.refuse(Rule::Incomplete, format!("{what} is missing"), &format!("Say {what}.")));
        }
        Ok(())
    }

    /// Who signs, accepts, says go or passes a gate stands on one side only: with roles on two they would be both who asks
    /// and who answers.
    pub(crate) fn stands_on_one_side(&self, at: &str) -> Result<(), Refusal> {
        if self.doer.sides.len() < 2 {
            return Ok(());
        }
        let sides: Vec<Side> = self.doer.sides.iter().copied().collect();
        let what = format!("{} stands on more than one side: {}", self.doer.name, names(&sides).replace(" or ", ", "));
        Err(self.refuse_at(Rule::BothSides, at, what, "Let somebody who stands on one side only do it."))
    }

    /// Does the doer stand on this side?
    pub(crate) fn stands_on(&self, side: Side) -> bool {
        self.doer.sides.contains(&side)
    }
}

/// Sides' names, for a message.
pub(crate) fn names(sides: &[Side]) -> String {
    sides.iter().map(|side| side_name(*side)).collect::<Vec<_>>().join(" or ")
}
