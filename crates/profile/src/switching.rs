//! What a platform says of mail on its way and of what ends when: `[switch]` of a profile.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where mail may be forwarded, and when what belongs to a switch ends. A project's own settings go before it where it says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Switching {
    /// May mail be forwarded from the source to the platform? `allowed`, `decided`: once a decision of information governance is
    /// recorded, or `forbidden`: nobody is switched by a redirect. A project can forbid more, and allow nothing.
    pub source_to_target: Forwarding,
    /// And from the platform to the source, as new accounts do until their person is switched?
    pub target_to_source: Forwarding,
    /// Domains of neither side to which mail may be forwarded; `*.police.example` stands for every domain below it. A project adds
    /// its own in `routing.secure_domains`.
    pub secure_domains: Vec<String>,
    /// The mailbox at the source is closed to its person so many days after the switch, where the project says how that is done;
    /// `switch.close_after_days` goes before it. Left out: only once their client was led to the platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close_after_days: Option<u64>,
    /// The source forwards and answers by itself so many months after a person's switch; `switch.auto_forward_months` goes before it.
    pub auto_forward_months: u8,
    /// What the source answers by itself meanwhile; `switch.auto_response` goes before it. `{name}`, `{address}`: the person's at the
    /// platform; `{until}`: the last day; `{organisation}`.
    pub auto_response: String,
    /// Legacy addresses receive so many months after the last switch; `mx.receiving_months` goes before it.
    pub receiving_months: u8,
    /// And no more than so many, on a recorded request; `mx.receiving_months_max` goes before it.
    pub receiving_months_max: u8,
    /// The local server has taken no mail for a domain for so many days before redirects go; `mx.quiet_days` goes before it.
    pub quiet_days: u16,
    /// Accounts of whose switch no date is known forward to the source for so many weeks, as far as anybody is told.
    pub forwarded_weeks: u8,
}

impl Default for Switching {
    fn default() -> Self {
        Self {
            source_to_target: Forwarding::Allowed,
            target_to_source: Forwarding::Allowed,
            secure_domains: Vec::new(),
            close_after_days: None,
            auto_forward_months: 3,
            auto_response: "My address has changed. Please write to {address} from now on: mail to the old address is sent on until \
                {until}, and not after that."
                .to_owned(),
            receiving_months: 6,
            receiving_months_max: 9,
            quiet_days: 14,
            forwarded_weeks: 6,
        }
    }
}

/// What can't be made of the text of an automatic answer, if anything.
pub fn response_mistake(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, then)) = after.split_once('}') else { return Some("a brace is not closed".to_owned()) };
        if !["name", "address", "until", "organisation"].contains(&name) {
            return Some(format!("{{{name}}} is none of {{name}}, {{address}}, {{until}}, {{organisation}}"));
        }
        rest = then;
    }
    (!text.contains("{address}")).then(|| "it does not say {address}, which is what it is for".to_owned())
}

/// May mail be forwarded in one direction (R-086, ruling A-20)?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Forwarding {
    /// Yes.
    Allowed,
    /// Once a decision of information governance is recorded.
    Decided,
    /// No.
    Forbidden,
}

impl Switching {
    /// What makes no sense in it, and what to do.
    pub(crate) fn mistake(&self) -> Option<(String, &'static str)> {
        if let Some(what) = response_mistake(&self.auto_response) {
            return Some((format!("auto_response: {what}"), "write it as in: please write to {address}"));
        }
        if self.receiving_months_max < self.receiving_months {
            let what = format!(
                "receiving_months_max = {} is less than receiving_months = {}",
                self.receiving_months_max, self.receiving_months
            );
            return Some((what, "write the same or more"));
        }
        let is_wrong = |domain: &&String| {
            let name = domain.strip_prefix("*.").unwrap_or(domain);
            name.is_empty() || name.starts_with('.') || name.contains(['@', '*', ' ', '/'])
        };
        let wrong = self.secure_domains.iter().find(is_wrong)?;
        Some((format!("secure_domains: {wrong:?} is no domain"), "write it as hill.example or *.hill.example"))
    }
}
