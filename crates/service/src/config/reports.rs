//! `[mail]` and `[reports]`: how letters are sent, and which reports go out every day.

use std::collections::BTreeSet;

use jiff::civil::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Config, FILE, SmtpEntry};
use crate::Error;

/// How letters are sent that this program writes by itself: daily reports and alerts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailEntry {
    /// Who they are from.
    pub from: String,
    /// The server that takes them.
    pub smtp: SmtpEntry,
}

/// Reports that are sent every day, each about the whole day before.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportsEntry {
    /// The hour, in the organisation's time zone: `"06:30"`. On a day that does not have it, it is the moment at which the clock
    /// jumps; on a day that has it twice, the first.
    #[serde(default = "at")]
    pub at: String,
    /// Who gets them.
    pub to: Vec<String>,
    /// On which days of the week; every day when left out.
    #[serde(default)]
    pub days: Vec<Weekday>,
    /// Which reports; all three when left out.
    #[serde(default = "every_kind")]
    pub which: Vec<ReportKind>,
    /// In which forms they are enclosed; a workbook and a page when left out.
    #[serde(default = "forms")]
    pub formats: Vec<ReportForm>,
}

fn at() -> String {
    "06:30".to_owned()
}

fn every_kind() -> Vec<ReportKind> {
    ReportKind::EVERY.to_vec()
}

fn forms() -> Vec<ReportForm> {
    vec![ReportForm::Xlsx, ReportForm::Html]
}

/// A report that can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReportKind {
    /// Where everybody stands.
    Overall,
    /// Each item that failed, without its subject.
    Failed,
    /// What was planned and what came, how fast it goes, and who is late.
    Schedule,
}

impl ReportKind {
    /// Every kind, in the order in which they are sent.
    pub const EVERY: [Self; 3] = [Self::Overall, Self::Failed, Self::Schedule];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overall => "overall",
            Self::Failed => "failed",
            Self::Schedule => "schedule",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|kind| kind.name() == name)
    }
}

/// The form of an enclosed report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReportForm {
    /// A workbook with a sheet for each table.
    Xlsx,
    /// One page.
    Html,
    /// The table with the most in it, for other programs.
    Csv,
    /// Text, as on a terminal.
    Text,
}

impl ReportForm {
    /// The form, how its files' names end, and their media type.
    pub(crate) fn file(self) -> (report::Form, &'static str, &'static str) {
        match self {
            Self::Xlsx => {
                (report::Form::Xlsx, "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
            }
            Self::Html => (report::Form::Html, "html", "text/html; charset=utf-8"),
            Self::Csv => (report::Form::Csv, "csv", "text/csv; charset=utf-8"),
            Self::Text => (report::Form::Text, "txt", "text/plain; charset=utf-8"),
        }
    }
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Weekday {
    pub(crate) fn of(self) -> jiff::civil::Weekday {
        match self {
            Self::Mon => jiff::civil::Weekday::Monday,
            Self::Tue => jiff::civil::Weekday::Tuesday,
            Self::Wed => jiff::civil::Weekday::Wednesday,
            Self::Thu => jiff::civil::Weekday::Thursday,
            Self::Fri => jiff::civil::Weekday::Friday,
            Self::Sat => jiff::civil::Weekday::Saturday,
            Self::Sun => jiff::civil::Weekday::Sunday,
        }
    }
}

impl ReportsEntry {
    /// The hour; none when it is written otherwise than as `06:30`.
    pub(crate) fn hour(&self) -> Option<Time> {
        let (hour, minute) = self.at.split_once(':')?;
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
        if hour.len() != 2 || minute.len() != 2 {
            return None;
        }
        Time::new(number(hour)?, number(minute)?, 0, 0).ok()
    }
}

/// Addresses that letters go to: at least one, each once.
pub(super) fn check_addresses(key: &str, addresses: &[String]) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for address in addresses {
        if !mailer::is_address(address) {
            let what = format!("{FILE}: {key} has {address:?}, which is no mail address");
            return Err(Error::usage(what).advise("write name@domain"));
        }
        if !seen.insert(address.to_lowercase()) {
            return Err(Error::usage(format!("{FILE}: {key} has {address:?} twice")).advise("write each once"));
        }
    }
    Ok(())
}

impl Config {
    /// What has to hold of `[mail]` and `[reports]`.
    pub(super) fn check_reports(&self) -> Result<(), Error> {
        let wrong = |what: String, cure: &str| Err(Error::usage(format!("{FILE}: {what}")).advise(cure));
        if let Some(mail) = &self.file.mail {
            if !mailer::is_address(&mail.from) {
                return wrong(format!("mail.from = {:?} is no mail address", mail.from), "write name@domain");
            }
            if mail.smtp.user.is_some() != mail.smtp.password.is_some() {
                return wrong("mail.smtp has one of user and password".to_owned(), "write both or neither");
            }
        }
        let Some(reports) = &self.file.reports else { return Ok(()) };
        check_addresses("reports.to", &reports.to)?;
        if reports.to.is_empty() {
            return wrong("reports.to names nobody".to_owned(), "write who gets the reports, or leave [reports] out");
        }
        if reports.hour().is_none() {
            return wrong(format!("reports.at = {:?} is no hour of a day", reports.at), "write it as in \"06:30\"");
        }
        if reports.which.is_empty() {
            return wrong("reports.which names no report".to_owned(), "name overall, failed or schedule");
        }
        if reports.formats.is_empty() {
            return wrong("reports.formats names no form".to_owned(), "name xlsx, html, csv or text");
        }
        if self.file.mail.is_none() {
            return wrong(
                "[reports] are sent by mail, and there is no [mail]".to_owned(),
                "write mail.from and mail.smtp, the server that takes letters",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_written_in_one_way() {
        let hour = |at: &str| {
            let entry = format!("at = {at:?}\nto = [\"a@b\"]");
            toml::from_str::<ReportsEntry>(&entry).unwrap().hour()
        };
        assert_eq!(hour("06:30"), Some(jiff::civil::time(6, 30, 0, 0)));
        assert_eq!(hour("00:00"), Some(Time::midnight()));
        for wrong in ["", "6:30", "24:00", "06:60", "06:30:00", "+6:30", "06.30", "half past six"] {
            assert_eq!(hour(wrong), None, "{wrong}");
        }
    }
}
