//! `project`, `gate`, `task`, `deliverable`, `register`, `pipeline`: their commands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use service::{
    Acted, Error, Exit, Governed, GovernedAction as Action, GovernedDate as Date, GovernedSide as Side,
    GovernedSubject as Subject, GovernedVerdict as Verdict, Outcome, OwnTask, Register, Sureness,
};

use crate::governed_show as show;
use crate::{print, print_json};

/// A side of a project, by its name.
fn side(text: &str) -> Result<Side, String> {
    named(text, "organisation, provider, authority or supplier")
}

pub(crate) fn outcome(text: &str) -> Result<Outcome, String> {
    named(text, "passed, failed or not-applicable")
}

fn register_of(text: &str) -> Result<Register, String> {
    Register::from_name(text).ok_or_else(|| {
        let known: Vec<&str> = Register::EVERY.into_iter().map(Register::name).collect();
        format!("registers are {}", known.join(", "))
    })
}

fn named<T: serde::de::DeserializeOwned>(text: &str, known: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::from(text)).map_err(|_| format!("it is {known}"))
}

/// `NAME=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn pairs(given: Vec<(String, String)>) -> BTreeMap<String, String> {
    given.into_iter().collect()
}

/// Yes, unless it is said to be no; and what is to be said of it.
#[derive(Debug, Args)]
pub(crate) struct Answered {
    /// No: it stands until somebody says yes
    #[arg(long)]
    no: bool,
    /// What is to be said of it
    #[arg(long, default_value = "", value_name = "TEXT")]
    note: String,
}

impl Answered {
    fn verdict(&self) -> Verdict {
        if self.no { Verdict::No } else { Verdict::Yes }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProjectOf {
    /// Begin a project with an intent: a folder whose file has no server yet
    New {
        /// The folder to make
        dir: PathBuf,
        /// The organisation's code
        #[arg(long)]
        code: String,
        /// The organisation's name
        #[arg(long)]
        name: String,
        /// The rules of the platform moved to; it has to have a programme
        #[arg(long, default_value = "nhsmail")]
        profile: String,
        /// The database, where it is not a file of the folder
        #[arg(long, value_name = "ADDRESS")]
        database: Option<String>,
    },
    /// Govern a project that is under way: its gates are passed from now on
    Adopt,
    /// The project as a whole: stage, next gate, gaps, registers, what is due
    Show,
    /// Everything that is recorded, as it stands; --json gives all of it
    Record,
    /// Every gate with what it still lacks
    Stage,
    /// Other ways to look at the same criteria, as the checklist of six stages
    View,
    /// A piece of evidence no longer counts; it stays on record
    WithdrawEvidence {
        /// Its SHA-256, or how it begins
        digest: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// Machines that the migration needs, with the formula: of the discovery questionnaire, or of numbers given here
    Sizing {
        /// Mailboxes
        #[arg(long)]
        mailboxes: Option<u64>,
        /// Gigabytes of mail
        #[arg(long)]
        gigabytes: Option<u64>,
    },
    /// What the options appraisal says of the discovery questionnaire, recorded
    Appraise,
    /// Choose the type of the project; another one than is recommended needs who decided it and why
    Override {
        /// self, partial, managed, third-party; as the profile has them
        project_type: String,
        /// Who decided it
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Fill in fields of a form: intent, discovery
    Fill {
        /// The form
        form: String,
        /// FIELD=VALUE; an empty value takes an answer back
        #[arg(required = true, value_parser = pair)]
        fields: Vec<(String, String)>,
    },
    /// Give the number of accounts, as a draft or confirmed after reconciliation
    Numbers {
        /// People who have an account on the target
        #[arg(long)]
        existing: u64,
        /// People who need one
        #[arg(long)]
        new: u64,
        /// They are confirmed
        #[arg(long)]
        confirmed: bool,
    },
    /// Plan new accounts by month: 2026-11=100 2026-12=200
    Months {
        /// MONTH=NUMBER
        #[arg(required = true, value_parser = pair)]
        months: Vec<(String, String)>,
    },
    /// Give a date, or the day on which a stage begins
    Date {
        /// Its name
        name: String,
        /// The day, as 2026-12-05
        day: Date,
        /// It is agreed
        #[arg(long)]
        agreed: bool,
        /// Why it changed
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Change the length of a stage, where the type of the project lets its organisation
    Length {
        /// The stage
        stage: String,
        /// Its working days
        working_days: u32,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// Give somebody a role
    Give {
        /// Who: the user's name on this system, or as sign-ins have it
        person: String,
        /// The role
        #[arg(long)]
        role: String,
        /// Their name
        #[arg(long, value_name = "NAME", default_value = "")]
        title: String,
        /// How to reach them
        #[arg(long, value_name = "TEXT")]
        contact: Option<String>,
    },
    /// Take a role from somebody
    Take {
        /// Who
        person: String,
        /// The role
        #[arg(long)]
        role: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// Record a decision
    Decide {
        /// What is decided, by its name
        decision: String,
        /// What was decided
        #[arg(long, value_name = "TEXT")]
        outcome: String,
        /// Who decided it
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
        /// It was refused
        #[arg(long)]
        no: bool,
    },
    /// Submit a package with all its parts: change-package
    Submit {
        /// Which
        package: String,
    },
    /// Give the project up
    Cancel {
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// Close the project after its last gate
    Close {
        /// What is to be said of it
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum GateOf {
    /// A gate with every criterion: whose it is, how old, what would close it; exit 1 while something is open
    Show {
        /// Which; all when left out
        gate: Option<String>,
    },
    /// Ask for a gate: somebody else passes it
    Ask {
        /// Which
        gate: String,
        /// What is to be said of it
        #[arg(long, default_value = "", value_name = "TEXT")]
        note: String,
    },
    /// What was asked for is no longer wanted
    Unask {
        /// Which
        gate: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// Pass a gate and enter the stage behind it; refused with what is open (exit 3)
    Pass {
        /// Which
        gate: String,
    },
    /// Sign a criterion in a role
    Sign {
        /// The criterion
        criterion: String,
        /// The role; yours that is asked for, when left out
        #[arg(long)]
        role: Option<String>,
        #[command(flatten)]
        answered: Answered,
    },
    /// Say yes or no to a criterion for your side: go or no-go
    Say {
        /// The criterion
        criterion: String,
        #[command(flatten)]
        answered: Answered,
    },
    /// Give a file as evidence of a criterion
    Evidence {
        /// The criterion
        criterion: String,
        /// The file
        file: PathBuf,
        /// What it shows
        #[arg(long, default_value = "", value_name = "TEXT")]
        note: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TaskOf {
    /// Tasks: owner, forecast, state, what each lacks
    List {
        /// Only of this stage
        #[arg(long)]
        stage: Option<String>,
        /// Only of this side
        #[arg(long, value_parser = side)]
        side: Option<Side>,
        /// Only those that are not done
        #[arg(long)]
        open: bool,
    },
    /// Give a task an owner, a forecast or both
    Assign {
        /// The task
        task: String,
        /// Who has it
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
        /// When it will be done
        #[arg(long, value_name = "DATE")]
        forecast: Option<Date>,
    },
    /// Say for your side that a task is done
    Done {
        /// The task
        task: String,
        /// For which of your sides
        #[arg(long, value_parser = side)]
        side: Option<Side>,
    },
    /// Give a file as evidence of a task
    Evidence {
        /// The task
        task: String,
        /// The file
        file: PathBuf,
        /// What it shows
        #[arg(long, default_value = "", value_name = "TEXT")]
        note: String,
    },
    /// Give the result of one thing that a task asks about
    Answer {
        /// The task
        task: String,
        /// The thing
        #[arg(long, value_name = "TEXT")]
        item: String,
        /// passed, failed, not-applicable
        #[arg(long, value_parser = outcome)]
        outcome: Outcome,
        /// What was seen
        #[arg(long, default_value = "", value_name = "TEXT")]
        text: String,
    },
    /// Have the program look, and keep what it sees as evidence
    Check {
        /// The task
        task: String,
    },
    /// Submit a task for validation
    Submit {
        /// The task
        task: String,
        /// What is to be said of it
        #[arg(long, default_value = "", value_name = "TEXT")]
        note: String,
    },
    /// Validate a submission, or send it back
    Validate {
        /// The task
        task: String,
        #[command(flatten)]
        answered: Answered,
    },
    /// Open a task again
    Reopen {
        /// The task
        task: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// Add a task, where the type of the project lets its organisation
    Add {
        /// Its id
        task: String,
        /// What is to be done
        #[arg(long, value_name = "TEXT")]
        title: String,
        /// The stage
        #[arg(long)]
        stage: String,
        /// The workstream
        #[arg(long, default_value = "project-management")]
        workstream: String,
        /// Whose it is
        #[arg(long, value_parser = side)]
        side: Vec<Side>,
        /// It needs evidence
        #[arg(long)]
        needs_evidence: bool,
    },
    /// Give a task other words or another day, where the type of the project lets its organisation
    Edit {
        /// The task
        task: String,
        /// What is to be done
        #[arg(long, value_name = "TEXT")]
        title: Option<String>,
        /// When it is due
        #[arg(long, value_name = "DATE")]
        due: Option<Date>,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// Do without a task
    Drop {
        /// The task
        task: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeliverableOf {
    /// Deliverables: whose, due, handed over, accepted
    List,
    /// Give a deliverable a day
    Due {
        /// The deliverable
        deliverable: String,
        /// The day
        day: Date,
    },
    /// Give a file of a deliverable
    Evidence {
        /// The deliverable
        deliverable: String,
        /// The file
        file: PathBuf,
        /// What it shows
        #[arg(long, default_value = "", value_name = "TEXT")]
        note: String,
    },
    /// Hand a deliverable over
    Deliver {
        /// The deliverable
        deliverable: String,
        /// What is to be said of it
        #[arg(long, default_value = "", value_name = "TEXT")]
        note: String,
    },
    /// Accept a deliverable, or not
    Accept {
        /// The deliverable
        deliverable: String,
        #[command(flatten)]
        answered: Answered,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RegisterOf {
    /// A register and how it stands; each with its fields when none is named
    List {
        /// Which
        #[arg(value_parser = register_of)]
        register: Option<Register>,
    },
    /// Write a row
    Add {
        /// Which
        #[arg(value_parser = register_of)]
        register: Register,
        /// FIELD=VALUE
        #[arg(required = true, value_parser = pair)]
        fields: Vec<(String, String)>,
    },
    /// Write the applications of a file: title,owner,protocol,state, then settings and note if there are any; all or none
    Import {
        /// applications
        #[arg(value_parser = register_of)]
        register: Register,
        /// The file
        file: PathBuf,
    },
    /// Change fields of a row
    Change {
        /// The row
        row: String,
        /// FIELD=VALUE
        #[arg(required = true, value_parser = pair)]
        fields: Vec<(String, String)>,
    },
    /// Settle a row
    Settle {
        /// The row
        row: String,
        /// How
        #[arg(long, value_name = "TEXT")]
        text: String,
        /// It was refused
        #[arg(long)]
        no: bool,
    },
    /// A row no longer counts
    Withdraw {
        /// The row
        row: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// A register was looked through
    Review {
        /// Which
        #[arg(value_parser = register_of)]
        register: Register,
    },
}

/// What is done, or shown.
pub(crate) struct At<'f> {
    pub(crate) folder: &'f Path,
    pub(crate) json: bool,
}

impl At<'_> {
    pub(crate) async fn open(&self) -> Result<Governed, Error> {
        Governed::open(self.folder, &|name: &str| std::env::var(name).ok()).await
    }

    /// Shows something.
    pub(crate) async fn view<R: serde::Serialize>(
        &self,
        name: &str,
        work: impl AsyncFnOnce(&Governed) -> Result<R, Error>,
        text: impl FnOnce(&R) -> String,
    ) -> Result<R, Error> {
        let governed = self.open().await?;
        let result = work(&governed).await;
        governed.close().await;
        let report = result?;
        if self.json {
            print_json(name, &report);
        } else {
            print(&text(&report));
        }
        Ok(report)
    }

    /// Does something.
    pub(crate) async fn act(&self, action: Action) -> Result<Exit, Error> {
        self.work(async |governed| governed.act(action).await).await
    }

    pub(crate) async fn work(
        &self,
        work: impl AsyncFnOnce(&mut Governed) -> Result<Acted, Error>,
    ) -> Result<Exit, Error> {
        let mut governed = self.open().await?;
        let result = work(&mut governed).await;
        governed.close().await;
        let acted = result?;
        if self.json {
            print_json("recorded", &acted);
        } else {
            print(&show::acted(&acted));
        }
        Ok(Exit::Done)
    }

    pub(crate) async fn evidence(&self, on: Subject, file: PathBuf, note: String) -> Result<Exit, Error> {
        self.work(async |governed| governed.give_evidence(on, &file, &note).await).await
    }
}

pub(crate) async fn project(which: ProjectOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let at = At { folder, json };
    let action = match which {
        ProjectOf::New { dir, code, name, profile, database } => {
            let made = service::new_project(&dir, &code, &name, &profile, database.as_deref())?;
            let at = At { folder: &dir, json: true };
            let mut governed = at.open().await?;
            let result = governed.act(Action::Open { code, name }).await;
            governed.close().await;
            result?;
            if json {
                print_json("init", &made);
            } else {
                print(&show::made(&made));
            }
            return Ok(Exit::Done);
        }
        ProjectOf::Adopt => return at.work(async |governed| governed.adopt().await).await,
        ProjectOf::Appraise => return at.work(async |governed| governed.appraise().await).await,
        ProjectOf::Show => {
            at.view("project", async |governed| governed.show().await, show::project).await?;
            return Ok(Exit::Done);
        }
        ProjectOf::Record => {
            at.view("record", async |governed| Ok(governed.record().clone()), show::record).await?;
            return Ok(Exit::Done);
        }
        ProjectOf::Stage => return gate(GateOf::Show { gate: None }, folder, json).await,
        ProjectOf::View => {
            at.view("views", async |governed| governed.views().await, show::views).await?;
            return Ok(Exit::Done);
        }
        ProjectOf::WithdrawEvidence { digest, why } => {
            return at.work(async |governed| governed.withdraw_evidence(&digest, why).await).await;
        }
        ProjectOf::Sizing { mailboxes, gigabytes } => {
            let work = async |governed: &Governed| governed.sizing(mailboxes, gigabytes);
            at.view("sizing", work, crate::catalogue::sized).await?;
            return Ok(Exit::Done);
        }
        ProjectOf::Override { project_type, by, why } => Action::ChooseType { project_type, by, why },
        ProjectOf::Fill { form, fields } => Action::Answer { form, answers: pairs(fields) },
        ProjectOf::Numbers { existing, new, confirmed } => Action::GiveNumbers {
            sureness: if confirmed { Sureness::Confirmed } else { Sureness::Draft },
            existing,
            new,
        },
        ProjectOf::Months { months } => {
            let number = |(month, number): (String, String)| match number.parse() {
                Ok(number) => Ok((month, number)),
                Err(_) => Err(Error::usage(format!("{month}={number}: {number:?} is no number"))
                    .advise("write it as 2026-11=100")),
            };
            Action::PlanMonths { accounts: months.into_iter().map(number).collect::<Result<_, _>>()? }
        }
        ProjectOf::Date { name, day, agreed, why } => Action::SetDate { name, day, is_agreed: agreed, why },
        ProjectOf::Length { stage, working_days, why } => Action::SetLength { stage, working_days, why },
        ProjectOf::Give { person, role, title, contact } => {
            let title = if title.is_empty() { person.clone() } else { title };
            Action::GiveRole { person, title, role, contact }
        }
        ProjectOf::Take { person, role, why } => Action::TakeRole { person, role, why },
        ProjectOf::Decide { decision, outcome, by, why, no } => {
            let verdict = if no { Verdict::No } else { Verdict::Yes };
            let action = Action::Decide { decision, verdict, outcome, by, why };
            return Box::pin(at.work(async |governed| governed.decide(action).await)).await;
        }
        ProjectOf::Submit { package } => Action::SubmitPackage { package },
        ProjectOf::Cancel { why } => Action::Cancel { why },
        ProjectOf::Close { note } => Action::Close { note },
    };
    at.act(action).await
}

pub(crate) async fn gate(which: GateOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let at = At { folder, json };
    let action = match which {
        GateOf::Show { gate } => {
            let work = async |governed: &Governed| governed.gates(gate.as_deref()).await;
            let report = at.view("gates", work, show::gates).await?;
            return Ok(if report.is_open { Exit::WithFailures } else { Exit::Done });
        }
        GateOf::Ask { gate, note } => Action::AskGate { gate, note },
        GateOf::Unask { gate, why } => Action::UnaskGate { gate, why },
        GateOf::Pass { gate } => Action::PassGate { gate },
        GateOf::Sign { criterion, role, answered } => {
            Action::Sign { criterion, role, verdict: answered.verdict(), note: answered.note }
        }
        GateOf::Say { criterion, answered } => {
            Action::Say { criterion, verdict: answered.verdict(), note: answered.note }
        }
        GateOf::Evidence { criterion, file, note } => {
            return at.evidence(Subject::Criterion(criterion), file, note).await;
        }
    };
    at.act(action).await
}

pub(crate) async fn task(which: TaskOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let at = At { folder, json };
    let action = match which {
        TaskOf::List { stage, side, open } => {
            let work = async |governed: &Governed| governed.tasks(stage.as_deref(), side, open).await;
            at.view("tasks", work, show::tasks).await?;
            return Ok(Exit::Done);
        }
        TaskOf::Evidence { task, file, note } => return at.evidence(Subject::Task(task), file, note).await,
        TaskOf::Assign { task, owner, forecast } => Action::Assign { task, owner, forecast },
        TaskOf::Done { task, side } => Action::Done { task, side },
        TaskOf::Answer { task, item, outcome, text } => Action::AnswerItem { task, item, outcome, text },
        TaskOf::Check { task } => Action::Check { task },
        TaskOf::Submit { task, note } => Action::Submit { task, note },
        TaskOf::Validate { task, answered } => {
            Action::Validate { task, verdict: answered.verdict(), note: answered.note }
        }
        TaskOf::Reopen { task, why } => Action::Reopen { task, why },
        TaskOf::Add { task, title, stage, workstream, side, needs_evidence } => {
            Action::AddTask { task, own: OwnTask { title, stage, workstream, sides: side, needs_evidence } }
        }
        TaskOf::Edit { task, title, due, why } => Action::EditTask { task, title, due, why },
        TaskOf::Drop { task, why } => Action::DropTask { task, why },
    };
    at.act(action).await
}

pub(crate) async fn deliverable(which: DeliverableOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let at = At { folder, json };
    let action = match which {
        DeliverableOf::List => {
            at.view("deliverables", async |governed| governed.deliverables(), show::deliverables).await?;
            return Ok(Exit::Done);
        }
        DeliverableOf::Evidence { deliverable, file, note } => {
            return at.evidence(Subject::Deliverable(deliverable), file, note).await;
        }
        DeliverableOf::Due { deliverable, day } => Action::SetDue { deliverable, due: day },
        DeliverableOf::Deliver { deliverable, note } => Action::Deliver { deliverable, note },
        DeliverableOf::Accept { deliverable, answered } => {
            Action::Accept { deliverable, verdict: answered.verdict(), note: answered.note }
        }
    };
    at.act(action).await
}

pub(crate) async fn register(which: RegisterOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let at = At { folder, json };
    let action = match which {
        RegisterOf::List { register } => {
            let work = async |governed: &Governed| governed.registers(register).await;
            at.view("registers", work, show::registers).await?;
            return Ok(Exit::Done);
        }
        RegisterOf::Add { register, fields } => Action::AddRow { register, fields: pairs(fields) },
        RegisterOf::Import { register, file } => {
            return at.work(async |governed| governed.import_rows(register, &file).await).await;
        }
        RegisterOf::Change { row, fields } => Action::ChangeRow { row, fields: pairs(fields) },
        RegisterOf::Settle { row, text, no } => {
            Action::SettleRow { row, verdict: if no { Verdict::No } else { Verdict::Yes }, text }
        }
        RegisterOf::Withdraw { row, why } => Action::WithdrawRow { row, why },
        RegisterOf::Review { register } => Action::Review { register },
    };
    at.act(action).await
}

pub(crate) async fn pipeline(folder: &Path, json: bool) -> Result<Exit, Error> {
    let at = At { folder, json };
    let report = at.view("pipeline", async |governed| governed.pipeline().await, show::pipeline).await?;
    Ok(if report.broken.is_empty() { Exit::Done } else { Exit::WithFailures })
}
