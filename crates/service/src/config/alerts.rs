//! `[alerts]`: who is told when something needs a person, and when it is worth telling.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::reports::check_addresses;
use super::{Config, FILE, SecretEntry};
use crate::Error;

/// Who is told when something needs a person, and when it is worth telling.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertsEntry {
    /// Who gets a letter.
    #[serde(default)]
    pub to: Vec<String>,
    /// The address that is told besides.
    #[serde(default)]
    pub webhook: Option<WebhookEntry>,
    /// A collection has mailboxes that are due, and for so many minutes none of them was read to its end and nothing was copied.
    #[serde(default = "stalled_minutes")]
    pub stalled_minutes: u32,
    /// A server could not be reached for so many minutes.
    #[serde(default = "away_minutes")]
    pub away_minutes: u32,
    /// A switch was under way for so many minutes.
    #[serde(default = "switching_minutes")]
    pub switching_minutes: u32,
    /// An alert is over once what raised it was not seen for so many minutes.
    #[serde(default = "quiet_again_minutes")]
    pub quiet_again_minutes: u32,
    /// More items than this failed for the first time within an hour.
    #[serde(default = "failures_an_hour")]
    pub failures_an_hour: u64,
}

impl Default for AlertsEntry {
    fn default() -> Self {
        Self {
            to: Vec::new(),
            webhook: None,
            stalled_minutes: stalled_minutes(),
            away_minutes: away_minutes(),
            switching_minutes: switching_minutes(),
            quiet_again_minutes: quiet_again_minutes(),
            failures_an_hour: failures_an_hour(),
        }
    }
}

fn stalled_minutes() -> u32 {
    30
}

fn away_minutes() -> u32 {
    15
}

fn switching_minutes() -> u32 {
    15
}

fn quiet_again_minutes() -> u32 {
    5
}

fn failures_an_hour() -> u64 {
    100
}

/// An address that is told of every alert by an HTTP POST of JSON.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookEntry {
    /// It. The server's certificate must be for the name in it.
    pub url: String,
    /// The key of the signature that each request bears: `{ env = "NAME" }` or `{ file = "PATH" }`.
    pub secret: SecretEntry,
    /// A file of certificates (PEM) of a private CA that is trusted besides those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The address begins with `http://`: anybody on the way can read the alerts.
    #[serde(default)]
    pub unencrypted: bool,
}

impl Config {
    /// What has to hold of `[alerts]`.
    pub(super) fn check_alerts(&self) -> Result<(), Error> {
        let wrong = |what: String, cure: &str| Err(Error::usage(format!("{FILE}: alerts.{what}")).advise(cure));
        let Some(alerts) = &self.file.alerts else { return Ok(()) };
        check_addresses("alerts.to", &alerts.to)?;
        if alerts.to.is_empty() && alerts.webhook.is_none() {
            return wrong("to names nobody, and there is no alerts.webhook".to_owned(), "write who is told");
        }
        if !alerts.to.is_empty() && self.file.mail.is_none() {
            return wrong(
                "to is told by mail, and there is no [mail]".to_owned(),
                "write mail.from and mail.smtp, the server that takes letters",
            );
        }
        for (key, minutes) in [("stalled_minutes", alerts.stalled_minutes), ("away_minutes", alerts.away_minutes)] {
            if minutes == 0 {
                return wrong(format!("{key} = 0 would tell of everything"), "write 1 or more");
            }
        }
        if let Some(webhook) = &alerts.webhook {
            match crate::usecase::alerts::place(&webhook.url) {
                Err(why) => {
                    return wrong(format!("webhook.url: {why}"), "write https://HOST/PATH");
                }
                Ok((base, _)) if base.is_tls == webhook.unencrypted => {
                    return wrong(
                        format!("webhook.url does not agree with unencrypted = {}", webhook.unencrypted),
                        "write https://, or http:// with unencrypted = true",
                    );
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }
}
