//! How a governed project stands: what people and other programs are shown.

use jiff::ToSpan;
use jiff::civil::Date;
use programme::{
    Assessment, Deadline, Deadlines, Gap, Milestones, PipelineRow, Record, Register, RegisterState, ResponseTimes, Row,
    Scope, Side, StatusRow, Week,
};
use serde::Serialize;

use super::Governed;
use crate::Error;

/// A project as a whole.
#[derive(Clone, Debug, Serialize)]
pub struct ProjectShow {
    /// The row of the pipeline that it is.
    pub project: PipelineRow,
    /// Why its type was recommended and chosen, as recorded.
    pub appraisal: programme::Appraisal,
    /// The gate before it, with every criterion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<Assessment>,
    /// What the sides do in each week of the stage that it is in.
    pub weeks: Vec<Week>,
    /// The week of the stage that this is, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub week: Option<i64>,
    /// What is due until seven days from today, or was before, by side.
    pub due: Vec<DueLine>,
    /// The numbers of accounts, as drafted and as confirmed.
    pub numbers: NumbersLine,
    /// Roles that the stage should have filled and that nobody holds.
    pub unfilled: Vec<String>,
    /// Tasks without an owner or a forecast.
    pub gaps: Vec<Gap>,
    /// How many new accounts may be made now, and why.
    pub registrations: programme::Allowance,
    /// Registers, each with what stands against it.
    pub registers: Vec<RegisterState>,
    /// Lessons of earlier projects that are offered at this stage.
    pub lessons: Vec<programme::Lesson>,
    /// How long both sides take.
    pub response_times: ResponseTimes,
    /// What is to be done by when, also after the end: old servers, old addresses, benefits.
    pub deadlines: Vec<DeadlineLine>,
}

/// A task or a deliverable that is due.
#[derive(Clone, Debug, Serialize)]
pub struct DueLine {
    /// Whose it is.
    pub sides: Vec<&'static str>,
    /// The task or the deliverable.
    pub what: String,
    /// Its name for people.
    pub title: String,
    /// When.
    pub due: Date,
    /// Is that over?
    pub is_late: bool,
}

/// Numbers of accounts.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NumbersLine {
    /// As drafted last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draft: Option<GivenNumbers>,
    /// As confirmed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<GivenNumbers>,
    /// How many more are confirmed than were drafted: existing accounts, new ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<(i64, i64)>,
}

/// Numbers that somebody gave.
#[derive(Clone, Debug, Serialize)]
pub struct GivenNumbers {
    /// People who have an account on the target.
    pub existing: u64,
    /// People who need one.
    pub new: u64,
    /// Who gave them.
    pub by: String,
    /// When.
    pub on: Date,
}

/// Something that is to be done by a day.
#[derive(Clone, Debug, Serialize)]
pub struct DeadlineLine {
    /// What, and by when.
    #[serde(flatten)]
    pub deadline: Deadline,
    /// Days that are left; below 0 when it is past.
    pub days_left: i64,
}

/// A gate.
#[derive(Clone, Debug, Serialize)]
pub struct GateShow {
    /// Gates, in the order of the project.
    pub gates: Vec<Assessment>,
    /// Is any of them not passed and not met, or was what one was passed with answered with a no since?
    pub is_open: bool,
}

/// A task as it stands.
pub type TaskLine = StatusRow;

/// Tasks.
#[derive(Clone, Debug, Serialize)]
pub struct TasksShow {
    /// The tasks.
    pub tasks: Vec<TaskLine>,
}

/// Registers.
#[derive(Clone, Debug, Serialize)]
pub struct RegistersShow {
    /// Each of them.
    pub registers: Vec<RegisterShow>,
}

/// A register.
#[derive(Clone, Debug, Serialize)]
pub struct RegisterShow {
    /// Its name.
    pub name: &'static str,
    /// How it stands, in words.
    pub text: String,
    /// How it stands.
    pub state: RegisterState,
    /// The fields that its rows have.
    pub fields: Vec<&'static str>,
    /// Of questions: how long the answer to each took, or it has waited.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<programme::QuestionTime>,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// Deliverables.
#[derive(Clone, Debug, Serialize)]
pub struct DeliverablesShow {
    /// Each of them, in the order of the profile.
    pub deliverables: Vec<DeliverableLine>,
}

/// A deliverable as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct DeliverableLine {
    /// Its id.
    pub deliverable: String,
    /// Its name for people.
    pub title: String,
    /// Who hands it over.
    pub side: &'static str,
    /// Is it part of the contract?
    pub is_contractual: bool,
    /// When it is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// When it was handed over, and by whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered: Option<String>,
    /// When it was accepted, and by whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}

/// Is nothing left to do for it?
fn is_ended(state: programme::TaskState) -> bool {
    matches!(state, programme::TaskState::Done | programme::TaskState::Validated | programme::TaskState::Dropped)
}

impl Governed {
    /// The project as a whole.
    pub async fn show(&self) -> Result<ProjectShow, Error> {
        let (facts, now) = (self.facts().await?, self.moment().await?);
        let (programme, record) = (&self.programme, &self.record);
        let stage = record.stage().map(|entry| entry.stage.clone()).unwrap_or_default();
        let unfilled = programme::unfilled_roles(programme, record).into_iter().filter(|(of, _)| *of == stage);
        let begun = record.stage().map(|entry| entry.said.at.to_zoned(self.config.time_zone()).date());
        Ok(ProjectShow {
            project: programme::pipeline_row(programme, record, &facts, now.today),
            appraisal: programme::appraise(programme, |form, field| record.answer(form, field)),
            gate: programme::assess_next(programme, record, &facts, now.today),
            weeks: programme.weeks.iter().filter(|week| week.stage == stage).cloned().collect(),
            week: begun.map(|begun| programme::days_between(begun, now.today).max(0) / 7 + 1),
            due: self.due(&facts, now.today),
            numbers: self.numbers(),
            unfilled: unfilled.flat_map(|(_, roles)| roles).collect(),
            gaps: programme::gaps(programme, record, &facts),
            registrations: programme::registrations(programme, record, &facts, now.today),
            registers: programme::states(programme, record, now.today),
            lessons: programme.lessons.iter().filter(|lesson| lesson.stages.contains(&stage)).cloned().collect(),
            response_times: programme::response_times(record),
            deadlines: self.deadlines(now.today),
        })
    }

    /// What is due until seven days from today and not done, the earliest first.
    fn due(&self, facts: &programme::Facts, today: Date) -> Vec<DueLine> {
        let Ok(scope) = self.scope() else { return Vec::new() };
        let until = today.checked_add(7.days()).unwrap_or(today);
        let mut due = Vec::new();
        for task in programme::status(&self.programme, &self.record, facts, today) {
            let first = [task.due, task.forecast].into_iter().flatten().min();
            let Some(day) = first.filter(|day| *day <= until && !is_ended(task.state)) else { continue };
            let sides = task.sides.iter().map(|side| programme::side_name(*side)).collect();
            due.push(DueLine { sides, what: task.task, title: task.title, due: day, is_late: day < today });
        }
        for one in scope.deliverables() {
            let recorded = self.record.deliverables.get(&one.id);
            let day = recorded.and_then(|recorded| recorded.due).filter(|day| *day <= until);
            let (Some(day), false) = (day, recorded.is_some_and(programme::DeliverableRecord::is_accepted)) else {
                continue;
            };
            let sides = vec![programme::side_name(scope.answers(one.side))];
            due.push(DueLine { sides, what: one.id.clone(), title: one.title.clone(), due: day, is_late: day < today });
        }
        due.sort_by(|one, other| (one.due, &one.what).cmp(&(other.due, &other.what)));
        due
    }

    fn numbers(&self) -> NumbersLine {
        let given = |sureness: programme::Sureness| {
            let numbers = self.record.numbers.get(&sureness)?.last()?;
            let on = numbers.said.at.to_zoned(self.config.time_zone()).date();
            Some(GivenNumbers { existing: numbers.existing, new: numbers.new, by: numbers.said.who.clone(), on })
        };
        let (draft, confirmed) = (given(programme::Sureness::Draft), given(programme::Sureness::Confirmed));
        let more = |then: u64, now: u64| i64::try_from(i128::from(now) - i128::from(then)).unwrap_or(i64::MAX);
        let difference = draft
            .as_ref()
            .zip(confirmed.as_ref())
            .map(|(draft, confirmed)| (more(draft.existing, confirmed.existing), more(draft.new, confirmed.new)));
        NumbersLine { draft, confirmed, difference }
    }

    fn deadlines(&self, today: Date) -> Vec<DeadlineLine> {
        let milestones = Milestones::of(&self.programme, &self.record);
        let deadlines = Deadlines::of(&self.programme).all(&milestones).unwrap_or_default();
        let line = |deadline: Deadline| DeadlineLine { days_left: deadline.slack(today), deadline };
        deadlines.into_iter().map(line).collect()
    }

    /// Everything that is recorded, as it stands now.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// A gate with every criterion; all of the project's where none is named.
    pub async fn gates(&self, gate: Option<&str>) -> Result<GateShow, Error> {
        let (facts, now) = (self.facts().await?, self.moment().await?);
        let scope = self.scope()?;
        let mut gates = Vec::new();
        for one in scope.gates().into_iter().filter(|one| gate.is_none_or(|wanted| one.id == wanted)) {
            gates.extend(programme::assess(&self.programme, &self.record, &facts, &one.id, now.today));
        }
        if let (true, Some(wanted)) = (gates.is_empty(), gate) {
            let known: Vec<&str> = scope.gates().iter().map(|gate| gate.id.as_str()).collect();
            return Err(Error::usage(format!("the project has no gate {wanted:?}"))
                .advise(format!("its gates are {}", known.join(", "))));
        }
        let is_refused = |gate: &Assessment| gate.items.iter().any(|item| item.is_refused);
        let is_open = gates.iter().any(|gate| if gate.is_passed { is_refused(gate) } else { !gate.is_met() });
        Ok(GateShow { gates, is_open })
    }

    fn scope(&self) -> Result<Scope<'_>, Error> {
        Scope::of(&self.programme, &self.record).ok_or_else(|| {
            Error::refused("R-016", "the project has no type yet: it has no stages and no gates")
                .advise("fill in the discovery questionnaire, then whimbrel project override")
        })
    }

    /// The tasks of the project: of one stage, or of one side.
    pub async fn tasks(&self, stage: Option<&str>, side: Option<Side>, open: bool) -> Result<TasksShow, Error> {
        let (facts, now) = (self.facts().await?, self.moment().await?);
        self.scope()?;
        let mut tasks = programme::status(&self.programme, &self.record, &facts, now.today);
        tasks.retain(|task| {
            stage.is_none_or(|stage| task.stage == stage)
                && side.is_none_or(|side| task.sides.contains(&side))
                && !(open && is_ended(task.state))
        });
        Ok(TasksShow { tasks })
    }

    /// A register, or all of them.
    pub async fn registers(&self, register: Option<Register>) -> Result<RegistersShow, Error> {
        let now = self.moment().await?;
        let today = now.today;
        let show = |register: Register| {
            let state = programme::state_of(&self.programme, &self.record, register, today);
            RegisterShow {
                name: register.name(),
                text: state.text(),
                state,
                fields: register.fields().iter().map(|field| field.name).collect(),
                questions: match register {
                    Register::Questions => programme::questions(&self.record, now.at),
                    _ => Vec::new(),
                },
                rows: self.record.rows_of(register).cloned().collect(),
            }
        };
        let which = Register::EVERY.into_iter().filter(|one| register.is_none_or(|wanted| *one == wanted));
        Ok(RegistersShow { registers: which.map(show).collect() })
    }

    /// Deliverables, as they stand.
    pub fn deliverables(&self) -> Result<DeliverablesShow, Error> {
        let scope = self.scope()?;
        let zone = self.config.time_zone();
        let day = |said: &programme::Said| format!("{} by {}", said.at.to_zoned(zone.clone()).date(), said.who);
        let line = |one: &programme::DeliverableOfProfile| {
            let recorded = self.record.deliverables.get(&one.id);
            let version = recorded.and_then(|recorded| recorded.current());
            let accepted = version.and_then(programme::DeliveredVersion::answer);
            let accepted = accepted.filter(|word| word.verdict == programme::Verdict::Yes);
            DeliverableLine {
                deliverable: one.id.clone(),
                title: one.title.clone(),
                side: programme::side_name(scope.answers(one.side)),
                is_contractual: one.is_contractual,
                due: recorded.and_then(|recorded| recorded.due).map(|due| due.to_string()),
                delivered: version.map(|version| day(&version.delivered)),
                accepted: accepted.map(|word| day(&word.said)),
            }
        };
        Ok(DeliverablesShow { deliverables: scope.deliverables().map(line).collect() })
    }
}
