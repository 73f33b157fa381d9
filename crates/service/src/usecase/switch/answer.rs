//! `switch answer`: what the source answers by itself to mail of people who are switched, until when.

use model::Side;
use serde::Serialize;

use crate::{Error, Project, Selection};

/// What the source is to answer by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AutoAnswersReport {
    /// For each mailbox chosen that is switched.
    pub answers: Vec<AutoAnswer>,
    /// Those chosen that are not switched: nothing is answered for them.
    pub not_switched: Vec<String>,
}

/// What the source is to answer by itself for somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AutoAnswer {
    /// The mailbox, by its name at the source.
    pub mailbox: String,
    /// The person's new address.
    pub address: String,
    /// The last day: the profile's months after the switch, never past the decommissioning.
    pub until: String,
    /// It is over: what was set is to be taken off.
    pub is_over: bool,
    /// The text.
    pub text: String,
}

impl Project {
    /// The automatic answers of the mailboxes chosen, made of the profile's text or the project's.
    pub async fn answers(&self, selection: &Selection) -> Result<AutoAnswersReport, Error> {
        let routing = self.config.file.routing.as_deref().ok_or_else(super::routes::no_routing)?;
        let template = self.config.file.switch.auto_response.as_deref().unwrap_or_default();
        let today = self.day(self.store.now().await?);
        let mut report = AutoAnswersReport { answers: Vec::new(), not_switched: Vec::new() };
        for row in self.select(selection).await? {
            let switch = self.store.switch_of(self.key, row.mailbox).await?;
            let clock = switch.and_then(|switch| self.forwarding_clock(&switch));
            let (mailbox, target) = (row.roster.source_name, row.roster.target_name);
            let Some(until) = clock.as_ref().and_then(mx::clocks::Clock::until) else {
                report.not_switched.push(mailbox);
                continue;
            };
            let address = routing.target.addresses(Side::Target, &mailbox, &target).swap_remove(0);
            let name = row.roster.name.as_deref().unwrap_or(&mailbox);
            let day = until.strftime("%-d %B %Y").to_string();
            let organisation = &self.config.file.organisation.name;
            let values = [
                ("{name}", name),
                ("{address}", &address),
                ("{until}", &day),
                ("{organisation}", organisation.as_str()),
            ];
            let text = filled(template, &values);
            report.answers.push(AutoAnswer {
                mailbox,
                address,
                until: until.to_string(),
                is_over: today > until,
                text,
            });
        }
        Ok(report)
    }
}

/// A text with each of these in its place, once: what is put in is not looked into.
fn filled(template: &str, values: &[(&str, &str)]) -> String {
    let (mut text, mut rest) = (String::new(), template);
    while let Some(at) = rest.find('{') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        match values.iter().find(|(name, _)| rest.starts_with(name)) {
            Some((name, value)) => {
                text.push_str(value);
                rest = &rest[name.len()..];
            }
            None => {
                text.push('{');
                rest = &rest[1..];
            }
        }
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_not_looked_into() {
        let values = [("{name}", "{address}"), ("{address}", "ann@new.test")];
        assert_eq!(filled("{name} is now {address}, {odd", &values), "{address} is now ann@new.test, {odd");
    }
}
