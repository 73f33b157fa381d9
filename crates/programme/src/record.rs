//! The record of a project: everything that happened in it, as it stands now.
//!
//! It is made of [`Change`]s and of nothing else: each is appended, never altered, and [`Record::after`] folds it in. So
//! what stands here can be had again at any time from what was appended. Nothing is ever taken away: what no longer
//! counts stays with who said so, when and why. Whether a change may be is not asked here; [`crate::decide`] does.

mod change;
mod row;
mod task;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use crate::data::Side;
use crate::register::Register;
use crate::scope::side_name;

pub use change::{Change, Entry, Evidence, Outcome, OwnTask, Stored, Subject, Sureness, TaskLine, VERSION, Verdict};
pub use row::{
    Decision, DeliverableRecord, DeliveredVersion, DocumentVersion, EvidenceHeld, GateAsk, GatePass, GateRecord,
    Person, Row, Snapshot, Word,
};
pub use task::{Answer, Check, ItemAnswer, PilotPerson, Round, TaskRecord};

/// Who said something, when, and in what words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Said {
    /// Who.
    pub who: String,
    /// When.
    pub at: Timestamp,
    /// In what words.
    pub note: String,
}

/// That something no longer counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Struck {
    /// Who said so.
    pub who: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: String,
}

/// The type of a project, as it was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TypeChoice {
    /// The type.
    pub project_type: String,
    /// What was recommended then.
    pub recommended: Option<String>,
    /// Is it another than what was recommended, or than before?
    pub is_override: bool,
    /// Who decided it.
    pub by: Option<String>,
    /// Who recorded it, when, and why it was decided so.
    pub said: Said,
}

/// What the options appraisal said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Appraised {
    /// The type it recommends.
    pub recommends: Option<String>,
    /// The rules that spoke.
    pub rules: Vec<String>,
    /// When.
    pub at: Timestamp,
}

/// A number of accounts, with when it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Numbers {
    /// People who have an account on the target.
    pub existing: u64,
    /// People who need one.
    pub new: u64,
    /// Who gave it, and when.
    pub said: Said,
}

/// An answer to a field of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FieldAnswer {
    /// The answer; empty where it was taken back.
    pub value: String,
    /// Who gave it, and when.
    pub said: Said,
}

/// A date of the project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DateGiven {
    /// The day.
    pub day: Date,
    /// Was it agreed?
    pub is_agreed: bool,
    /// Who gave it, when and why.
    pub said: Said,
}

/// A stage that was entered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StageEntry {
    /// The stage.
    pub stage: String,
    /// Who entered it, and when.
    pub said: Said,
}

/// A package that was submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PackageSubmission {
    /// Its parts, each with what it was met by.
    pub parts: BTreeMap<String, String>,
    /// Who submitted it, and when.
    pub said: Said,
}

/// Where a project is as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It has no record yet.
    #[default]
    Unopened,
    /// It is under way.
    Open,
    /// Its last stage was left; it waits to be closed.
    Ended,
    /// It is over; what comes after is still recorded.
    Closed,
    /// It was given up.
    Cancelled,
}

/// Everything that is recorded of one project.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// The number of the last change.
    pub seq: u64,
    /// Where it is as a whole.
    pub standing: Standing,
    /// Every standing it had, with who brought it there and why.
    pub standings: Vec<(Standing, Said)>,
    /// The organisation's code.
    pub code: String,
    /// The organisation's name.
    pub name: String,
    /// Was it under way before it had a record?
    pub is_adopted: bool,
    /// The profiles by which it was read, as `NAME@EDITION`, each with whoever recorded it; the one that counts last.
    pub profiles: Vec<(String, Said)>,
    /// What the options appraisal said, the last one last.
    pub appraisals: Vec<Appraised>,
    /// Its types, the one that counts last.
    pub types: Vec<TypeChoice>,
    /// The stages it entered, the one it is in last.
    pub stages: Vec<StageEntry>,
    /// Answers to forms: form, field, every answer, the one that counts last.
    pub forms: BTreeMap<String, BTreeMap<String, Vec<FieldAnswer>>>,
    /// Numbers of accounts as drafted and as confirmed, the one that counts last.
    pub numbers: BTreeMap<Sureness, Vec<Numbers>>,
    /// New accounts per month, as last planned.
    pub months: BTreeMap<String, u64>,
    /// Every plan of new accounts per month.
    pub months_before: Vec<(BTreeMap<String, u64>, Said)>,
    /// Its dates, the one that counts last.
    pub dates: BTreeMap<String, Vec<DateGiven>>,
    /// Lengths of stages that it changed, in working days; the one that counts last.
    pub lengths: BTreeMap<String, Vec<(u32, Said)>>,
    /// Its people, by who they are to sign-ins.
    pub people: BTreeMap<String, Person>,
    /// People who are or were of the pilot, by address.
    pub pilot: BTreeMap<String, PilotPerson>,
    /// What is recorded of tasks.
    pub tasks: BTreeMap<String, TaskRecord>,
    /// What is recorded of deliverables.
    pub deliverables: BTreeMap<String, DeliverableRecord>,
    /// Signatures and sides' words by criterion; of each role or side the last one counts.
    pub words: BTreeMap<String, Vec<Word>>,
    /// Decisions by name; the last one counts.
    pub decisions: BTreeMap<String, Vec<Decision>>,
    /// What is recorded of gates.
    pub gates: BTreeMap<String, GateRecord>,
    /// Rows of all registers, by id.
    pub rows: BTreeMap<String, Row>,
    /// When each register was last looked through.
    pub reviews: BTreeMap<Register, Vec<Said>>,
    /// What sides were told at once.
    pub told: Vec<(Side, String, Said)>,
    /// All evidence.
    pub evidence: Vec<EvidenceHeld>,
    /// The checklist after each call.
    pub snapshots: Vec<Snapshot>,
    /// Documents that were made, each with all its versions.
    pub documents: BTreeMap<String, Vec<DocumentVersion>>,
    /// Packages that were submitted, with their parts.
    pub packages: BTreeMap<String, Vec<PackageSubmission>>,
}

impl Record {
    /// The record that these changes make.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut record = Self::default();
        for entry in entries {
            record.after(&entry.change, entry.seq, entry.at, &entry.who);
        }
        record
    }

    /// Are there gates before it?
    pub fn is_under_way(&self) -> bool {
        self.standing == Standing::Open
    }

    /// The profile by which it is read, as `NAME@EDITION`, with when that was recorded.
    pub fn profile(&self) -> Option<(&str, Timestamp)> {
        self.profiles.last().map(|(profile, said)| (profile.as_str(), said.at))
    }

    /// The type that counts.
    pub fn project_type(&self) -> Option<&str> {
        self.types.last().map(|choice| choice.project_type.as_str())
    }

    /// The stage it is in, or was in last.
    pub fn stage(&self) -> Option<&StageEntry> {
        self.stages.last()
    }

    /// The answer to a field that counts.
    pub fn answer(&self, form: &str, field: &str) -> Option<&str> {
        let answers = self.forms.get(form)?.get(field)?;
        answers.last().map(|answer| answer.value.as_str()).filter(|value| !value.is_empty())
    }

    /// The numbers that count: confirmed ones before drafted ones.
    pub fn numbers(&self) -> Option<(Sureness, &Numbers)> {
        [Sureness::Confirmed, Sureness::Draft]
            .into_iter()
            .find_map(|sureness| Some((sureness, self.numbers.get(&sureness)?.last()?)))
    }

    /// The numbers that counted at this moment.
    pub fn numbers_at(&self, at: Timestamp) -> Option<&Numbers> {
        let last = |sureness| self.numbers.get(&sureness)?.iter().rev().find(|given| given.said.at <= at);
        [Sureness::Confirmed, Sureness::Draft].into_iter().find_map(last)
    }

    /// A date that counts.
    pub fn date(&self, name: &str) -> Option<&DateGiven> {
        self.dates.get(name)?.last()
    }

    /// Everybody who holds the role now, by name for people.
    pub fn holders<'a>(&'a self, role: &'a str) -> impl Iterator<Item = &'a str> {
        self.people.values().filter(move |person| person.roles.contains(role)).map(|person| person.title.as_str())
    }

    /// Evidence that counts.
    pub fn evidence_on<'a>(&'a self, subject: &'a Subject) -> impl Iterator<Item = &'a EvidenceHeld> {
        self.evidence.iter().filter(move |held| held.struck.is_none() && held.on == *subject)
    }

    /// The word of each role or side on a criterion that counts.
    pub fn words_on(&self, criterion: &str) -> BTreeMap<&str, &Word> {
        let words = self.words.get(criterion).map(Vec::as_slice).unwrap_or_default();
        words.iter().map(|word| (word.of.as_str(), word)).collect()
    }

    /// People of the pilot, by address.
    pub fn pilot_people(&self) -> impl Iterator<Item = (&str, &PilotPerson)> {
        self.pilot.iter().filter(|(_, person)| person.left.is_none()).map(|(who, person)| (who.as_str(), person))
    }

    /// Is this person of the pilot?
    pub fn is_pilot(&self, address: &str) -> bool {
        self.pilot.get(&pilot_key(address)).is_some_and(|person| person.left.is_none())
    }

    /// The decision of this name that counts: the last one.
    pub fn decision(&self, name: &str) -> Option<&Decision> {
        self.decisions.get(name)?.last()
    }

    /// Was this decided, and is it not taken back?
    pub fn is_decided(&self, name: &str) -> bool {
        self.decision(name).is_some_and(|decision| decision.verdict == Verdict::Yes)
    }

    /// Rows of a register that count.
    pub fn rows_of(&self, register: Register) -> impl Iterator<Item = &Row> {
        self.rows.values().filter(move |row| row.register == register && row.struck.is_none())
    }

    /// Folds one more change in.
    pub fn after(&mut self, change: &Change, seq: u64, at: Timestamp, who: &str) {
        self.seq = seq;
        let said = |note: &str| Said { who: who.to_owned(), at, note: note.to_owned() };
        let struck = |why: &str| Struck { who: who.to_owned(), at, why: why.to_owned() };
        match change {
            Change::Opened { code, name, is_adopted } => {
                self.code.clone_from(code);
                self.name.clone_from(name);
                self.is_adopted = *is_adopted;
                self.stand(Standing::Open, said(""));
            }
            Change::ProfileNamed { profile } => self.profiles.push((profile.clone(), said(""))),
            Change::Appraised { recommends, rules } => {
                self.appraisals.push(Appraised { recommends: recommends.clone(), rules: rules.clone(), at });
            }
            Change::TypeChosen { project_type, recommended, is_override, by, why } => self.types.push(TypeChoice {
                project_type: project_type.clone(),
                recommended: recommended.clone(),
                is_override: *is_override,
                by: by.clone(),
                said: said(why.as_deref().unwrap_or_default()),
            }),
            Change::Answered { form, field, value } => {
                let answers = self.forms.entry(form.clone()).or_default().entry(field.clone()).or_default();
                answers.push(FieldAnswer { value: value.clone(), said: said("") });
            }
            Change::NumbersGiven { sureness, existing, new } => {
                let given = Numbers { existing: *existing, new: *new, said: said("") };
                self.numbers.entry(*sureness).or_default().push(given);
            }
            Change::MonthsPlanned { accounts } => {
                self.months.clone_from(accounts);
                self.months_before.push((accounts.clone(), said("")));
            }
            Change::DateSet { name, day, is_agreed, why } => {
                let said = said(why.as_deref().unwrap_or_default());
                self.dates.entry(name.clone()).or_default().push(DateGiven { day: *day, is_agreed: *is_agreed, said });
            }
            Change::Told { side, row, text } => self.told.push((*side, row.clone(), said(text))),
            Change::StageLengthSet { stage, working_days, why } => {
                self.lengths.entry(stage.clone()).or_default().push((*working_days, said(why)));
            }
            Change::Cancelled { why } => self.stand(Standing::Cancelled, said(why)),
            Change::Closed { note } => self.stand(Standing::Closed, said(note)),
            Change::RoleGiven { person, title, role, contact } => {
                let held = self.people.entry(person.clone()).or_default();
                held.title.clone_from(title);
                if contact.is_some() {
                    held.contact.clone_from(contact);
                }
                held.roles.insert(role.clone());
                held.given.push((role.clone(), said("")));
            }
            Change::RoleTaken { person, role, why } => {
                let held = self.people.entry(person.clone()).or_default();
                held.roles.remove(role);
                held.taken.push((role.clone(), struck(why)));
            }
            Change::PilotNamed { .. } | Change::PilotLeft { .. } | Change::PilotChecked { .. } => {
                self.after_pilot(change, at, who);
            }
            Change::TaskAssigned { .. }
            | Change::TaskAdded { .. }
            | Change::TaskEdited { .. }
            | Change::TaskDropped { .. }
            | Change::ItemAnswered { .. }
            | Change::TaskChecked { .. }
            | Change::TaskSubmitted { .. }
            | Change::TaskValidated { .. }
            | Change::TaskDone { .. }
            | Change::TaskReopened { .. } => self.after_task(change, at, who),
            Change::EvidenceGiven { on, evidence } => self.evidence.push(EvidenceHeld {
                on: on.clone(),
                evidence: evidence.clone(),
                who: who.to_owned(),
                at,
                struck: None,
            }),
            Change::EvidenceWithdrawn { on, digest, why } => {
                let counts = |held: &&mut EvidenceHeld| {
                    held.struck.is_none() && held.on == *on && held.evidence.digest == *digest
                };
                for held in self.evidence.iter_mut().filter(counts) {
                    held.struck = Some(struck(why));
                }
            }
            Change::DeliverableDue { deliverable, due } => {
                self.deliverables.entry(deliverable.clone()).or_default().due = Some(*due);
            }
            Change::Delivered { deliverable, version, side, note } => {
                self.deliverables.entry(deliverable.clone()).or_default().versions.push(DeliveredVersion {
                    version: *version,
                    side: *side,
                    delivered: said(note),
                    answers: Vec::new(),
                });
            }
            Change::Accepted { deliverable, version, role, verdict, note } => {
                let versions = &mut self.deliverables.entry(deliverable.clone()).or_default().versions;
                if let Some(delivered) = versions.iter_mut().find(|delivered| delivered.version == *version) {
                    delivered.answers.push(Word { of: role.clone(), verdict: *verdict, said: said(note) });
                }
            }
            Change::SignedOff { criterion, role, verdict, note } => {
                let word = Word { of: role.clone(), verdict: *verdict, said: said(note) };
                self.words.entry(criterion.clone()).or_default().push(word);
            }
            Change::SideSaid { criterion, side, verdict, note } => {
                let word = Word { of: side_name(*side).to_owned(), verdict: *verdict, said: said(note) };
                self.words.entry(criterion.clone()).or_default().push(word);
            }
            Change::Decided { decision, verdict, outcome, by, why, role } => {
                self.decisions.entry(decision.clone()).or_default().push(Decision {
                    verdict: *verdict,
                    outcome: outcome.clone(),
                    by: by.clone(),
                    role: role.clone(),
                    said: said(why),
                });
            }
            Change::GateAsked { gate, note } => {
                let ask = GateAsk { said: said(note), struck: None };
                self.gates.entry(gate.clone()).or_default().asked.push(ask);
            }
            Change::GateUnasked { gate, why } => {
                let asked = &mut self.gates.entry(gate.clone()).or_default().asked;
                for ask in asked.iter_mut().filter(|ask| ask.struck.is_none() && ask.said.who == who) {
                    ask.struck = Some(struck(why));
                }
            }
            Change::GatePassed { gate, role, met_by } => {
                let pass = GatePass { role: role.clone(), met_by: met_by.clone(), said: said("") };
                self.gates.entry(gate.clone()).or_default().passed = Some(pass);
            }
            Change::StageEntered { stage } => {
                self.stages.push(StageEntry { stage: stage.clone(), said: said("") });
            }
            Change::StagesEnded {} => self.stand(Standing::Ended, said("")),
            Change::RowAdded { row, register, fields } => {
                let added = Row {
                    id: row.clone(),
                    register: *register,
                    fields: fields.clone(),
                    added: said(""),
                    before: Vec::new(),
                    settled: Vec::new(),
                    struck: None,
                };
                self.rows.insert(row.clone(), added);
            }
            Change::RowChanged { row, fields } => {
                if let Some(row) = self.rows.get_mut(row) {
                    row.before.push((row.fields.clone(), said("")));
                    row.fields.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
                }
            }
            Change::RowSettled { row, verdict, text } => {
                if let Some(row) = self.rows.get_mut(row) {
                    row.settled.push((*verdict, said(text)));
                }
            }
            Change::RowWithdrawn { row, why } => {
                if let Some(row) = self.rows.get_mut(row) {
                    row.struck = Some(struck(why));
                }
            }
            Change::RegisterReviewed { register } => self.reviews.entry(*register).or_default().push(said("")),
            Change::SnapshotTaken { day, call, tasks } => {
                self.snapshots.push(Snapshot { day: *day, call: call.clone(), tasks: tasks.clone() });
            }
            Change::DocumentMade { document, version, is_draft, files } => {
                let versions = self.documents.entry(document.clone()).or_default();
                for earlier in versions.iter_mut().filter(|earlier| earlier.superseded_by.is_none()) {
                    earlier.superseded_by = Some(*version);
                }
                versions.push(DocumentVersion {
                    version: *version,
                    is_draft: *is_draft,
                    files: files.clone(),
                    made: said(""),
                    superseded_by: None,
                });
            }
            Change::PackageSubmitted { package, parts } => {
                self.packages
                    .entry(package.clone())
                    .or_default()
                    .push(PackageSubmission { parts: parts.clone(), said: said("") });
            }
        }
    }

    fn stand(&mut self, standing: Standing, said: Said) {
        self.standing = standing;
        self.standings.push((standing, said));
    }

    fn after_pilot(&mut self, change: &Change, at: Timestamp, who: &str) {
        let said = |note: &str| Said { who: who.to_owned(), at, note: note.to_owned() };
        match change {
            Change::PilotNamed { people } => {
                for person in people {
                    let new = || PilotPerson { named: said(""), left: None, checks: BTreeMap::new() };
                    let person = self.pilot.entry(pilot_key(person)).or_insert_with(new);
                    if person.left.take().is_some() {
                        person.named = said("");
                    }
                }
            }
            Change::PilotLeft { person, why } => {
                if let Some(person) = self.pilot.get_mut(&pilot_key(person)) {
                    person.left = Some(Struck { who: who.to_owned(), at, why: why.clone() });
                }
            }
            Change::PilotChecked { person, item, outcome, text } => {
                if let Some(person) = self.pilot.get_mut(&pilot_key(person)) {
                    let answers = person.checks.entry(item.clone()).or_default();
                    answers.push(ItemAnswer { outcome: *outcome, said: said(text) });
                }
            }
            _ => {}
        }
    }

    fn after_task(&mut self, change: &Change, at: Timestamp, who: &str) {
        let said = |note: &str| Said { who: who.to_owned(), at, note: note.to_owned() };
        let struck = |why: &str| Struck { who: who.to_owned(), at, why: why.to_owned() };
        match change {
            Change::TaskAssigned { task, owner, forecast } => {
                let task = self.tasks.entry(task.clone()).or_default();
                if owner.is_some() {
                    task.owner.clone_from(owner);
                }
                if let Some(forecast) = forecast {
                    task.forecast = Some(*forecast);
                    task.forecasts.push((*forecast, said("")));
                }
            }
            Change::TaskAdded { task, own } => {
                self.tasks.entry(task.clone()).or_default().own = Some(own.clone());
            }
            Change::TaskEdited { task, title, due, why } => {
                let task = self.tasks.entry(task.clone()).or_default();
                if title.is_some() {
                    task.title.clone_from(title);
                }
                if due.is_some() {
                    task.due.clone_from(due);
                }
                task.edits.push(struck(why));
            }
            Change::TaskDropped { task, why } => {
                self.tasks.entry(task.clone()).or_default().dropped = Some(struck(why));
            }
            Change::ItemAnswered { task, item, outcome, text } => {
                let items = &mut self.tasks.entry(task.clone()).or_default().items;
                items.entry(item.clone()).or_default().push(ItemAnswer { outcome: *outcome, said: said(text) });
            }
            Change::TaskChecked { task, is_met, text, offenders } => {
                let check = Check { is_met: *is_met, text: text.clone(), offenders: offenders.clone(), at };
                self.tasks.entry(task.clone()).or_default().checks.push(check);
            }
            Change::TaskSubmitted { task, round, note } => {
                let round = Round { number: *round, submitted: said(note), answer: None };
                self.tasks.entry(task.clone()).or_default().rounds.push(round);
            }
            Change::TaskValidated { task, round, verdict, note } => {
                let rounds = &mut self.tasks.entry(task.clone()).or_default().rounds;
                if let Some(round) = rounds.iter_mut().find(|submitted| submitted.number == *round) {
                    round.answer = Some(Answer { verdict: *verdict, said: said(note) });
                }
            }
            Change::TaskDone { task, side } => {
                self.tasks.entry(task.clone()).or_default().done.insert(*side, said(""));
            }
            Change::TaskReopened { task, why } => {
                let task = self.tasks.entry(task.clone()).or_default();
                let done = std::mem::take(&mut task.done);
                task.done_before.extend(done);
                task.rounds_before = task.rounds.len();
                task.edits.extend(task.dropped.take());
                task.reopened.push(struck(why));
            }
            _ => {}
        }
    }
}

/// An address by which somebody is known in the pilot, however it is written.
pub(crate) fn pilot_key(address: &str) -> String {
    address.trim().to_lowercase()
}
