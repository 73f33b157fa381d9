//! Registers: rows of what may go wrong, is asked, was held, is used and was learned; and how well each is kept.
//!
//! A register knows which fields its rows have. Whether a register is kept is computed: logs go stale, calls and
//! boards are missed, rows stay undecided.

mod lesson;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::calendar::{Calendar, constant, days_between};
use crate::data::Programme;
use crate::gate::day_of;
use crate::record::{Record, Row, Verdict};
use crate::scope::Scope;

pub use lesson::{ExportedLesson, export_lessons, without_names};

/// A register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Register {
    /// What may go wrong.
    Risks,
    /// What went wrong with machines and programs, apart from risks.
    TechnicalIssues,
    /// What is asked to be otherwise than agreed.
    Changes,
    /// What was learned.
    Lessons,
    /// Local rules, with owner and approval.
    Policies,
    /// Programs that use mail.
    Applications,
    /// Calls that were held.
    Calls,
    /// Meetings of the board.
    Boards,
    /// Workshops, from whose end on each task has an owner and a forecast.
    Workshops,
    /// Whom to turn to, and to whom next.
    Contacts,
    /// What the project is to bring.
    Benefits,
    /// Who is taught what.
    Training,
    /// What was ordered or quoted.
    Orders,
    /// What was asked, and when it was answered.
    Questions,
    /// Days on which somebody comes.
    OnSite,
    /// What stands against a date.
    Barriers,
    /// Calls that the service desk got in a week, by category, and in an ordinary one.
    DeskCalls,
    /// What people call about that is known, and what to say to them.
    KnownIssues,
    /// People of the service desk who are planned besides the usual ones, from which day on.
    DeskStaff,
}

/// What a field of a row holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// Words.
    Text,
    /// A day.
    Day,
    /// A whole number.
    Number,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// A field of the rows of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RowField {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// Must it be filled in when the row is written?
    pub is_needed: bool,
}

const fn needed(name: &'static str, holds: Holds) -> RowField {
    RowField { name, holds, is_needed: true }
}

const fn may(name: &'static str, holds: Holds) -> RowField {
    RowField { name, holds, is_needed: false }
}

const DEGREES: Holds = Holds::OneOf(&["low", "medium", "high"]);
const SIDES: Holds = Holds::OneOf(&["organisation", "provider", "authority", "supplier"]);
const TITLE: RowField = needed("title", Holds::Text);
const OWNER: RowField = may("owner", Holds::Text);
const NOTE: RowField = may("note", Holds::Text);
const ACTION: RowField = may("action", Holds::Text);

const RISK: &[RowField] = &[
    TITLE,
    may("probability", DEGREES),
    may("impact", DEGREES),
    OWNER,
    ACTION,
    may("threatens", Holds::Text),
    may("due", Holds::Day),
    NOTE,
];
const TECHNICAL_ISSUE: &[RowField] = &[TITLE, may("side", SIDES), OWNER, ACTION, may("due", Holds::Day), NOTE];
const CHANGE: &[RowField] = &[
    TITLE,
    needed("what", Holds::OneOf(&["scope", "date", "schedule", "other"])),
    may("impact", Holds::Text),
    may("users", Holds::Text),
    may("from", Holds::Text),
    may("to", Holds::Text),
    NOTE,
];
const LESSON: &[RowField] =
    &[TITLE, needed("text", Holds::Text), may("stage", Holds::Text), may("of", Holds::Text), NOTE];
const POLICY: &[RowField] = &[TITLE, OWNER, may("approved-by", Holds::Text), may("approved", Holds::Day), NOTE];
const APPLICATION: &[RowField] =
    &[TITLE, needed("owner", Holds::Text), needed("protocol", Holds::Text), may("settings", Holds::Text), NOTE];
const CALL: &[RowField] = &[
    TITLE,
    needed("held", Holds::Day),
    may("what", Holds::OneOf(&["progress", "checkpoint", "review", "technical", "go-no-go"])),
    may("attendees", Holds::Text),
    NOTE,
];
const BOARD: &[RowField] = &[TITLE, needed("held", Holds::Day), may("attendees", Holds::Text), NOTE];
const WORKSHOP: &[RowField] =
    &[TITLE, needed("held", Holds::Day), may("agenda", Holds::Text), needed("attendees", Holds::Text), NOTE];
const CONTACT: &[RowField] =
    &[TITLE, needed("side", SIDES), needed("level", Holds::Number), needed("reach", Holds::Text), NOTE];
const BENEFIT: &[RowField] =
    &[TITLE, may("baseline", Holds::Text), may("measured", Holds::Text), may("measured-on", Holds::Day), OWNER, NOTE];
const TRAINING: &[RowField] = &[
    TITLE,
    needed("audience", Holds::OneOf(&["users", "administrators", "help-desk"])),
    needed("what", Holds::OneOf(&["needs-analysis", "material", "session"])),
    may("due", Holds::Day),
    OWNER,
    NOTE,
];
const ORDER: &[RowField] = &[
    TITLE,
    needed("item", Holds::Text),
    needed("quantity", Holds::Number),
    needed("what", Holds::OneOf(&["quote", "order"])),
    may("months", Holds::Number),
    may("ordered", Holds::Day),
    may("price-millipence", Holds::Number),
    may("priced", Holds::Day),
    NOTE,
];
const QUESTION: &[RowField] = &[TITLE, may("asked-by", Holds::Text), may("side", SIDES), NOTE];
const ON_SITE: &[RowField] = &[TITLE, needed("day", Holds::Day), needed("attendee", Holds::Text), NOTE];
const BARRIER: &[RowField] = &[TITLE, may("date", Holds::Text), OWNER, ACTION, NOTE];

const DESK_CALLS: &[RowField] = &[
    needed("what", Holds::OneOf(&["ordinary", "actual"])),
    needed("category", Holds::Text),
    needed("calls", Holds::Number),
    may("week", Holds::Day),
    NOTE,
];
const KNOWN_ISSUE: &[RowField] =
    &[TITLE, needed("say", Holds::Text), may("category", Holds::Text), may("since", Holds::Day), NOTE];
const DESK_STAFF: &[RowField] =
    &[needed("from", Holds::Day), needed("staff", Holds::Number), may("calls-an-agent", Holds::Number), NOTE];

impl Register {
    /// Every register.
    pub const EVERY: [Self; 19] = [
        Self::Risks,
        Self::TechnicalIssues,
        Self::Changes,
        Self::Lessons,
        Self::Policies,
        Self::Applications,
        Self::Calls,
        Self::Boards,
        Self::Workshops,
        Self::Contacts,
        Self::Benefits,
        Self::Training,
        Self::Orders,
        Self::Questions,
        Self::OnSite,
        Self::Barriers,
        Self::DeskCalls,
        Self::KnownIssues,
        Self::DeskStaff,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Risks => "risks",
            Self::TechnicalIssues => "technical-issues",
            Self::Changes => "changes",
            Self::Lessons => "lessons",
            Self::Policies => "policies",
            Self::Applications => "applications",
            Self::Calls => "calls",
            Self::Boards => "boards",
            Self::Workshops => "workshops",
            Self::Contacts => "contacts",
            Self::Benefits => "benefits",
            Self::Training => "training",
            Self::Orders => "orders",
            Self::Questions => "questions",
            Self::OnSite => "on-site",
            Self::Barriers => "barriers",
            Self::DeskCalls => "desk-calls",
            Self::KnownIssues => "known-issues",
            Self::DeskStaff => "desk-staff",
        }
    }

    /// What one of its rows is called: its rows are `risk-1`, `risk-2`.
    pub fn singular(self) -> &'static str {
        match self {
            Self::Risks => "risk",
            Self::TechnicalIssues => "technical-issue",
            Self::Changes => "change",
            Self::Lessons => "lesson",
            Self::Policies => "policy",
            Self::Applications => "application",
            Self::Calls => "call",
            Self::Boards => "board",
            Self::Workshops => "workshop",
            Self::Contacts => "contact",
            Self::Benefits => "benefit",
            Self::Training => "training",
            Self::Orders => "order",
            Self::Questions => "question",
            Self::OnSite => "on-site",
            Self::Barriers => "barrier",
            Self::DeskCalls => "desk-call",
            Self::KnownIssues => "known-issue",
            Self::DeskStaff => "desk-staff",
        }
    }

    /// The register of this name, or of which one row is called so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|register| register.name() == name || register.singular() == name)
    }

    /// The fields of its rows, in order.
    pub fn fields(self) -> &'static [RowField] {
        match self {
            Self::Risks => RISK,
            Self::TechnicalIssues => TECHNICAL_ISSUE,
            Self::Changes => CHANGE,
            Self::Lessons => LESSON,
            Self::Policies => POLICY,
            Self::Applications => APPLICATION,
            Self::Calls => CALL,
            Self::Boards => BOARD,
            Self::Workshops => WORKSHOP,
            Self::Contacts => CONTACT,
            Self::Benefits => BENEFIT,
            Self::Training => TRAINING,
            Self::Orders => ORDER,
            Self::Questions => QUESTION,
            Self::OnSite => ON_SITE,
            Self::Barriers => BARRIER,
            Self::DeskCalls => DESK_CALLS,
            Self::KnownIssues => KNOWN_ISSUE,
            Self::DeskStaff => DESK_STAFF,
        }
    }

    /// Is it looked through every week?
    pub fn is_log(self) -> bool {
        matches!(self, Self::Risks | Self::TechnicalIssues)
    }

    /// Why a row of it is undecided on this day; nothing where it is decided.
    pub fn undecided(self, row: &Row, today: Date) -> Option<String> {
        let without = |field: &str| row.is_open() && row.field(field).is_none();
        let why = match self {
            Self::Risks | Self::TechnicalIssues | Self::Barriers if without("action") => "has no agreed action",
            Self::Changes | Self::Workshops | Self::Questions if row.is_open() => "is not settled",
            Self::Policies if row.is_open() => "is not approved",
            Self::Applications if !is_resolved(row) => "is unresolved",
            Self::Benefits if row.field("baseline").is_none() => "has no baseline",
            Self::Training if row.is_open() && is_past(row, "due", today) => "is late",
            _ => return None,
        };
        Some(format!("{} {why}", row.id))
    }
}

/// Is a day that a row names over?
fn is_past(row: &Row, field: &str, today: Date) -> bool {
    row.field(field).and_then(|day| day.parse::<Date>().ok()).is_some_and(|day| day < today)
}

/// Was the last word on a row a yes?
fn is_resolved(row: &Row) -> bool {
    row.settled.last().is_some_and(|(verdict, _)| *verdict == Verdict::Yes)
}

/// Rows of a register that count and whose last word is no yes.
pub fn unresolved(record: &Record, register: Register) -> impl Iterator<Item = &Row> {
    record.rows_of(register).filter(|row| !is_resolved(row))
}

/// How well a register is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RegisterState {
    /// The register.
    pub register: Register,
    /// How many rows count.
    pub rows: usize,
    /// When somebody last did something about it, or looked through it.
    pub touched: Option<Date>,
    /// Is it stale: a log that nobody touched for too long?
    pub is_stale: bool,
    /// Rows that are undecided, each with why.
    pub undecided: Vec<String>,
    /// Days on which something of it was due and not held.
    pub missed: Vec<Date>,
}

impl RegisterState {
    /// What stands against it; nothing where it is kept.
    pub fn against(&self) -> Option<String> {
        let name = self.register.name();
        match (self.touched, self.undecided.as_slice(), self.missed.last()) {
            (None, ..) => Some(format!("nothing is written in the register of {name}, and nobody looked through it")),
            (Some(touched), ..) if self.is_stale => {
                Some(format!("the register of {name} is stale: last touched on {touched}"))
            }
            (_, [first], _) => Some(first.clone()),
            (_, [first, rest @ ..], _) => Some(format!("{first}, and {} more", rest.len())),
            (_, [], Some(day)) => Some(format!("one of the {name} was due by {day} and not held")),
            (_, [], None) => None,
        }
    }

    /// That it is kept, in words.
    pub fn text(&self) -> String {
        let touched = self.touched.map(|day| format!(", last touched on {day}")).unwrap_or_default();
        format!("{}: {} rows{touched}", self.register.name(), self.rows)
    }
}

/// How well a register is kept, on this day.
pub fn state_of(programme: &Programme, record: &Record, register: Register, today: Date) -> RegisterState {
    let reviewed = record.reviews.get(&register).into_iter().flatten().map(|said| said.at);
    let rows = record.rows.values().filter(|row| row.register == register);
    let touched = rows.map(Row::touched).chain(reviewed).max().map(day_of);
    let days_max = constant_days(programme, constant::STALE);
    let is_old = |day: Date| days_max.is_some_and(|most| days_between(day, today) > most);
    RegisterState {
        register,
        rows: record.rows_of(register).count(),
        touched,
        is_stale: register.is_log() && touched.is_some_and(is_old),
        undecided: record.rows_of(register).filter_map(|row| register.undecided(row, today)).collect(),
        missed: missed(programme, record, register, today),
    }
}

/// How well each register is kept, on this day.
pub fn states(programme: &Programme, record: &Record, today: Date) -> Vec<RegisterState> {
    Register::EVERY.into_iter().map(|register| state_of(programme, record, register, today)).collect()
}

fn constant_days(programme: &Programme, name: &str) -> Option<i64> {
    programme.constants.get(name).and_then(|constant| i64::try_from(constant.value).ok())
}

/// Days by which a call or a board was due and was not held: from the day on which the second stage
/// began, as long as the project is under way.
pub fn missed(programme: &Programme, record: &Record, register: Register, today: Date) -> Vec<Date> {
    let every = match register {
        Register::Calls => programme.constants.get(constant::CALL),
        Register::Boards => programme.constants.get(constant::BOARD),
        _ => None,
    };
    let (Some(every), Some(from)) = (every, second_stage_began(programme, record)) else { return Vec::new() };
    let until = ended_on(record).unwrap_or(today).min(today);
    let held = record.rows_of(register).filter_map(|row| row.field("held")?.parse::<Date>().ok());
    let mut held: Vec<Date> = held.filter(|day| *day > from && *day <= today).collect();
    held.sort_unstable();
    let calendar = Calendar::of(programme);
    let mut missed = Vec::new();
    let mut last = from;
    // Each step is a day later at the least, or it ends.
    while let Ok(due) = calendar.after(last, every) {
        if due <= last || due >= until {
            break;
        }
        match held.iter().find(|day| **day > last && **day <= due) {
            Some(_) => last = held.iter().copied().filter(|day| *day <= due).max().unwrap_or(due),
            None => {
                missed.push(due);
                last = due;
            }
        }
    }
    missed
}

fn second_stage_began(programme: &Programme, record: &Record) -> Option<Date> {
    let scope = Scope::of(programme, record)?;
    let is_later = |stage: &str| scope.place_of(stage).is_some_and(|at| at > 0);
    record.stages.iter().find(|entry| is_later(&entry.stage)).map(|entry| day_of(entry.said.at))
}

fn ended_on(record: &Record) -> Option<Date> {
    let is_over = |(standing, _): &&(crate::record::Standing, crate::record::Said)| {
        !matches!(standing, crate::record::Standing::Open | crate::record::Standing::Unopened)
    };
    record.standings.iter().find(is_over).map(|(_, said)| day_of(said.at))
}

/// A question with how long its answer took, or it has waited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct QuestionTime {
    /// Its row.
    pub row: String,
    /// What was asked.
    pub title: String,
    /// When.
    pub asked: Timestamp,
    /// When it was answered.
    pub answered: Option<Timestamp>,
    /// Hours until it was answered, or until now.
    pub hours: i64,
}

/// Every question, with how long its answer took.
pub fn questions(record: &Record, now: Timestamp) -> Vec<QuestionTime> {
    let rows = record.rows_of(Register::Questions);
    rows.map(|row| {
        let answered = row.settled.first().map(|(_, said)| said.at);
        let seconds = answered.unwrap_or(now).duration_since(row.added.at).as_secs();
        QuestionTime {
            row: row.id.clone(),
            title: row.field("title").unwrap_or_default().to_owned(),
            asked: row.added.at,
            answered,
            hours: seconds.max(0) / 3600,
        }
    })
    .collect()
}

/// Why these fields can't stand in a row of this register; nothing where they can.
pub(crate) fn wrong_fields(register: Register, row: &std::collections::BTreeMap<String, String>) -> Option<String> {
    for (name, value) in row {
        let Some(field) = register.fields().iter().find(|field| field.name == name) else {
            let known: Vec<_> = register.fields().iter().map(|field| field.name).collect();
            return Some(format!("{name:?} is no field of it; it has {}", known.join(", ")));
        };
        let value = value.trim();
        let is_right = value.is_empty()
            || match field.holds {
                Holds::Text => true,
                Holds::Day => value.parse::<Date>().is_ok(),
                Holds::Number => value.parse::<u64>().is_ok(),
                Holds::OneOf(words) => words.contains(&value),
            };
        if !is_right {
            return Some(match field.holds {
                Holds::OneOf(words) => format!("{name} is {value:?}, and may be {}", words.join(", ")),
                Holds::Day => format!("{name} is {value:?}, and has to be a day as 2026-11-30"),
                _ => format!("{name} is {value:?}, and has to be a whole number"),
            });
        }
    }
    let is_empty = |name: &str| row.get(name).is_none_or(|value| value.trim().is_empty());
    let missing: Vec<_> = register
        .fields()
        .iter()
        .filter(|field| field.is_needed && is_empty(field.name))
        .map(|field| field.name)
        .collect();
    if missing.is_empty() { None } else { Some(format!("{} missing", missing.join(", "))) }
}
