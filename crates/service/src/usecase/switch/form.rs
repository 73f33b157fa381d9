//! `forwarder form`: what the Caldicott guardian signs before all mail of accounts that are in use is forwarded.

use serde::Serialize;

use crate::{Error, Project, Selection};

/// What is to be signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ForwarderForm {
    /// The organisation.
    pub organisation: String,
    /// Its code.
    pub code: String,
    /// The project.
    pub project: String,
    /// The statement, in sentences.
    pub statement: Vec<String>,
    /// The accounts that it is about: those in use, of the mailboxes chosen.
    pub accounts: Vec<ForwardedAccount>,
    /// The day on which it was printed.
    pub from: String,
    /// The last of their likely ends.
    pub until: String,
    /// The likely duration for the account that is forwarded longest: whole weeks,
    pub weeks: i64,
    /// and days besides.
    pub days: i64,
    /// What the signed form is recorded with.
    pub record: String,
}

/// An account in use whose mail is to be forwarded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ForwardedAccount {
    /// Its name at the source.
    pub source: String,
    /// Its name at the target.
    pub target: String,
    /// The day on which it is likely to be migrated.
    pub until: String,
    /// Whole weeks until then,
    pub weeks: i64,
    /// and days besides.
    pub days: i64,
    /// That day is its date or its collection's; else what the profile takes for usual.
    pub has_date: bool,
}

impl Project {
    /// The statement that the guardian signs about the accounts in use of the mailboxes chosen, with the duration by schedule.
    pub async fn forwarder_form(&self, selection: &Selection) -> Result<ForwarderForm, Error> {
        super::orders::refuse_everybody(selection)?;
        let today = self.day(self.store.now().await?);
        let (mut accounts, mut until) = (Vec::new(), today);
        for row in self.select(selection).await? {
            if row.roster.new_account || self.is_archived(&row) {
                continue;
            }
            let (at, has_date) = self.forwarded_until(&row).await?;
            let end = self.day(at).max(today);
            let (weeks, days) = weeks_and_days(today, end);
            until = until.max(end);
            let (source, target) = (row.roster.source_name, row.roster.target_name);
            accounts.push(ForwardedAccount { source, target, until: end.to_string(), weeks, days, has_date });
        }
        if accounts.is_empty() {
            return Err(Error::usage(
                "none of these has had its account on the target before: nobody has to sign for them",
            )
            .advise("whimbrel forwarder add puts the forwarders of new accounts on"));
        }
        let (weeks, days) = weeks_and_days(today, until);
        let (organisation, code) = (self.config.file.organisation.name.clone(), self.config.code.as_str().to_owned());
        let shortest = accounts.iter().map(|one| (one.weeks, one.days)).min().unwrap_or((weeks, days));
        let likely = if shortest == (weeks, days) {
            in_words(weeks, days)
        } else {
            format!("{} to {}", in_words(shortest.0, shortest.1), in_words(weeks, days))
        };
        let usual = match accounts.iter().filter(|one| !one.has_date).count() {
            0 => String::new(),
            count => format!(
                " Of {count} of them no date is known: for these it is what the profile {} takes for usual, {} weeks.",
                self.config.file.profile,
                self.config.file.switch.forwarded_weeks()
            ),
        };
        let statement = vec![
            format!(
                "All mail that comes to the {} below, which are in use, will be forwarded automatically from the central account to its \
                 person's local mailbox at {organisation}, until that mailbox has been migrated; no copy stays in the central account.",
                movement::state::counted(accounts.len() as u64, "account")
            ),
            format!(
                "The likely duration, by the schedule of {today}, is {likely}: until {until} at the latest. Each account's forwarding ends with \
                 its migration.{usual}"
            ),
            "I have considered this for information governance, and agree to it for these accounts and for this time."
                .to_owned(),
        ];
        let chosen = match &selection.collection {
            Some(name) => format!("--collection {name}"),
            None => selection.mailboxes.iter().map(|name| format!("--mailbox {name}")).collect::<Vec<_>>().join(" "),
        };
        let record = format!("whimbrel forwarder add {chosen} --guardian NAME --date DATE --evidence FILE");
        let (project, from, until) = (self.config.file.project.clone(), today.to_string(), until.to_string());
        Ok(ForwarderForm { organisation, code, project, statement, accounts, from, until, weeks, days, record })
    }
}

/// Whole weeks from a day to another, and the days besides.
fn weeks_and_days(from: jiff::civil::Date, to: jiff::civil::Date) -> (i64, i64) {
    let days = (to - from).get_days();
    (i64::from(days / 7), i64::from(days % 7))
}

/// So many weeks and days.
pub(super) fn in_words(weeks: i64, days: i64) -> String {
    let counted = |number: i64, noun: &str| movement::state::counted(number.unsigned_abs(), noun);
    match (weeks, days) {
        (0, days) => counted(days, "day"),
        (weeks, 0) => counted(weeks, "week"),
        (weeks, days) => format!("{} and {}", counted(weeks, "week"), counted(days, "day")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_weeks_and_days() {
        let day = |text: &str| text.parse::<jiff::civil::Date>().unwrap();
        for (to, words) in [("2026-12-01", "0 days"), ("2026-12-08", "1 week"), ("2027-01-14", "6 weeks and 2 days")] {
            let (weeks, days) = weeks_and_days(day("2026-12-01"), day(to));
            assert_eq!(in_words(weeks, days), words);
        }
    }
}
