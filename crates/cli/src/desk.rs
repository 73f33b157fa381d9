//! `desk`: calls that the service desk got against those that were forecast, staff that is planned against staff that is needed, and what
//! to say about what is known.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use clap::Subcommand;
use report::harmless;
use service::{Error, Exit, GovernedAction as Action, GovernedDate as Date, GovernedDesk, Register};

use crate::governed::At;
use crate::show::table;

#[derive(Debug, Subcommand)]
pub(crate) enum DeskOf {
    /// Calls by week and by category: forecast, what came, and the difference; staff needed and planned; what is known, with what to say
    Show,
    /// Record how many calls of a category came in a week, or come in an ordinary one
    Record {
        /// The category: one of the profile's call-categories
        category: String,
        /// How many
        calls: u64,
        /// A day of the week that was counted; an ordinary week without it
        #[arg(long, value_name = "DATE")]
        week: Option<Date>,
        /// What is to be said of it
        #[arg(long, default_value = "", value_name = "TEXT")]
        note: String,
    },
    /// Plan people of the desk besides the usual ones, from a day on until another number is planned
    Staff {
        /// How many
        staff: u64,
        /// The first day
        #[arg(long, value_name = "DATE")]
        from: Date,
        /// Calls that one of them handles in a week, where it is another number than the profile's
        #[arg(long, value_name = "CALLS")]
        calls_an_agent: Option<u64>,
        /// What is to be said of it
        #[arg(long, default_value = "", value_name = "TEXT")]
        note: String,
    },
    /// Write down what people call about and what to say to them; register settle ends it
    Known {
        /// What it is
        title: String,
        /// What to say
        #[arg(long, value_name = "TEXT")]
        say: String,
        /// The category of calls that it brings
        #[arg(long, value_name = "TEXT")]
        category: Option<String>,
    },
}

pub(crate) async fn desk(which: DeskOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let at = At { folder, json };
    let fields = |given: &[(&str, Option<String>)]| -> BTreeMap<String, String> {
        given.iter().filter_map(|(name, value)| Some(((*name).to_owned(), value.clone()?))).collect()
    };
    let (register, fields) = match which {
        DeskOf::Show => {
            at.view("desk", async |governed| governed.desk().await, shown).await?;
            return Ok(Exit::Done);
        }
        DeskOf::Record { category, calls, week, note } => {
            let what = if week.is_some() { "actual" } else { "ordinary" };
            let week = week.map(|day| day.to_string());
            let note = Some(note).filter(|note| !note.is_empty());
            let (what, calls) = (Some(what.to_owned()), Some(calls.to_string()));
            let given =
                [("what", what), ("category", Some(category)), ("calls", calls), ("week", week), ("note", note)];
            (Register::DeskCalls, fields(&given))
        }
        DeskOf::Staff { staff, from, calls_an_agent, note } => {
            let (staff, from) = (Some(staff.to_string()), Some(from.to_string()));
            let calls_an_agent = calls_an_agent.map(|calls| calls.to_string());
            let note = Some(note).filter(|note| !note.is_empty());
            let given = [("from", from), ("staff", staff), ("calls-an-agent", calls_an_agent), ("note", note)];
            (Register::DeskStaff, fields(&given))
        }
        DeskOf::Known { title, say, category } => {
            (Register::KnownIssues, fields(&[("title", Some(title)), ("say", Some(say)), ("category", category)]))
        }
    };
    at.act(Action::AddRow { register, fields }).await
}

fn range(forecast: Option<(u64, u64)>) -> String {
    match forecast {
        None => String::new(),
        Some((least, most)) if least == most => least.to_string(),
        Some((least, most)) => format!("{least} to {most}"),
    }
}

fn differs(difference: Option<i64>) -> String {
    match difference {
        None => String::new(),
        Some(0) => "as forecast".to_owned(),
        Some(more @ 1..) => format!("{more} more"),
        Some(fewer) => format!("{} fewer", fewer.unsigned_abs()),
    }
}

fn shown(report: &GovernedDesk) -> String {
    let ordinary = report.ordinary_calls.map_or_else(|| "not recorded".to_owned(), |calls| calls.to_string());
    let mut text = format!("calls of an ordinary week: {ordinary}\n");
    if let Some(why) = &report.no_forecast {
        let _ = writeln!(text, "no forecast: {}", harmless(why));
    }
    if !report.weeks.is_empty() {
        let row = |week: &service::GovernedDeskWeek| {
            let actual = week.actual.map(|calls| calls.to_string()).unwrap_or_default();
            let (monday, people) = (week.monday.to_string(), week.people.to_string());
            let planned = match (week.staff_planned, week.staff_lacks) {
                (planned, None | Some(0)) => planned.map(|staff| staff.to_string()).unwrap_or_default(),
                (planned, Some(lacks)) => format!("{}, {lacks} LACK", planned.unwrap_or(0)),
            };
            let needed = range(week.staff_needed);
            vec![monday, people, range(week.forecast), actual, differs(week.difference), needed, planned]
        };
        let rows: Vec<Vec<String>> = report.weeks.iter().map(row).collect();
        let headings =
            ["week from", ">people", ">forecast", ">came", "difference", ">more staff needed", "more staff planned"];
        let _ = writeln!(text, "{}", table(&headings, &rows));
    }
    if !report.categories.is_empty() {
        let row = |one: &service::GovernedDeskCategory| {
            let actual = one.actual.map(|calls| calls.to_string()).unwrap_or_default();
            vec![harmless(&one.category), range(one.forecast), actual, differs(one.difference)]
        };
        let rows: Vec<Vec<String>> = report.categories.iter().map(row).collect();
        let _ = writeln!(text, "{}", table(&["category", ">forecast", ">came", "difference"], &rows));
    }
    for known in &report.known_issues {
        let _ = writeln!(text, "known: {} ({}): say: {}", harmless(&known.title), known.row, harmless(&known.say));
    }
    for answer in &report.answers {
        let _ = writeln!(text, "asked: {}", harmless(answer));
    }
    text.trim_end().to_owned()
}
