//! How a governed project stands: what people and other programs are shown.

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
    /// Is any of them not passed and not met?
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

impl Governed {
    /// The project as a whole.
    pub async fn show(&self) -> Result<ProjectShow, Error> {
        let (facts, now) = (self.facts().await?, self.moment().await?);
        let (programme, record) = (&self.programme, &self.record);
        let stage = record.stage().map(|entry| entry.stage.clone()).unwrap_or_default();
        let unfilled = programme::unfilled_roles(programme, record).into_iter().filter(|(of, _)| *of == stage);
        Ok(ProjectShow {
            project: programme::pipeline_row(programme, record, &facts, now.today),
            appraisal: programme::appraise(programme, |form, field| record.answer(form, field)),
            gate: programme::assess_next(programme, record, &facts, now.today),
            weeks: programme.weeks.iter().filter(|week| week.stage == stage).cloned().collect(),
            unfilled: unfilled.flat_map(|(_, roles)| roles).collect(),
            gaps: programme::gaps(programme, record, &facts),
            registrations: programme::registrations(programme, record, &facts, now.today),
            registers: programme::states(programme, record, now.today),
            lessons: programme.lessons.iter().filter(|lesson| lesson.stages.contains(&stage)).cloned().collect(),
            response_times: programme::response_times(record),
            deadlines: self.deadlines(now.today),
        })
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
        let is_open = gates.iter().any(|gate| !gate.is_passed && !gate.is_met());
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
                && !(open && matches!(task.state, programme::TaskState::Done | programme::TaskState::Dropped))
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
                side: programme::side_name(scope.works(one.side)),
                is_contractual: one.is_contractual,
                due: recorded.and_then(|recorded| recorded.due).map(|due| due.to_string()),
                delivered: version.map(|version| day(&version.delivered)),
                accepted: accepted.map(|word| day(&word.said)),
            }
        };
        Ok(DeliverablesShow { deliverables: scope.deliverables().map(line).collect() })
    }
}
