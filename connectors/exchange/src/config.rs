//! The settings of the router.

use connector::router::SenderMode;
use serde::{Deserialize, Serialize};

use crate::logins::WayIn;

/// Which Exchange it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// On the organisation's own servers.
    Exchange,
    /// In Microsoft's cloud.
    ExchangeOnline,
}

impl Platform {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exchange => "exchange",
            Self::ExchangeOnline => "exchange-online",
        }
    }
}

/// How mail is sent on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// `ForwardingSmtpAddress`, with `DeliverToMailboxAndForward` false.
    #[default]
    ForwardingSmtpAddress,
}

/// How the mailbox of whoever is switched and works on the target is closed to them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// The ways in that are closed: `activesync`, `ews`, `imap`, `mapi`, `owa`, `pop`. Left out: all but `imap`, by which whoever migrates gets in.
    #[serde(default = "ways")]
    pub ways: Vec<WayIn>,
    /// The attribute of a mailbox that says that it is closed by us and what was there before, as the router's `marker` is: another one.
    #[serde(default = "closing_marker")]
    pub marker: String,
}

fn ways() -> Vec<WayIn> {
    WayIn::EVERY.into_iter().filter(|way| *way != WayIn::Imap).collect()
}

fn closing_marker() -> String {
    "CustomAttribute13".to_owned()
}

/// The settings of a router whose scripts a person runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which Exchange it is.
    pub platform: Platform,
    /// The organisation's name, as `Get-OrganizationConfig` tells it. A script that is run anywhere else stops before it has done anything.
    pub organisation: String,
    /// Domains that this organisation accepts mail for (`Get-AcceptedDomain`): a script that does not find all of them stops likewise.
    pub domains: Vec<String>,
    /// How mail is sent on.
    #[serde(default)]
    pub way: Way,
    /// The attribute of a mailbox that says that a redirect is ours and what was there before: `CustomAttribute1` to `CustomAttribute15`. Nothing
    /// else may use it.
    #[serde(default = "marker")]
    pub marker: String,
    /// What becomes of the envelope's sender.
    #[serde(default)]
    pub sender: SenderMode,
    /// The action of a script is run within so many hours of its being written, or not at all.
    #[serde(default = "valid_hours")]
    pub valid_hours: u32,
    /// What a script has read is believed for so many hours.
    #[serde(default = "believed_hours")]
    pub believed_hours: u32,
    /// Whoever is switched is kept out of their mailbox there, by scripts. Left out: nobody is.
    #[serde(default)]
    pub closing: Option<Closing>,
}

fn marker() -> String {
    "CustomAttribute14".to_owned()
}

fn valid_hours() -> u32 {
    24
}

fn believed_hours() -> u32 {
    12
}

/// The longest that a script may wait, and the longest that what it has read is believed, in hours.
const HOURS_MAX: u32 = 72;

impl Config {
    /// What no site could make right.
    pub fn mistake(&self) -> Option<String> {
        if self.organisation.trim().is_empty() {
            return Some("organisation is empty: a script could not tell where it is run".to_owned());
        }
        if self.domains.is_empty() || self.domains.iter().any(|domain| domain.trim().is_empty()) {
            return Some("domains names no domain: a script could not tell where it is run".to_owned());
        }
        for marker in [&self.marker].into_iter().chain(self.closing.as_ref().map(|closing| &closing.marker)) {
            let number = marker.strip_prefix("CustomAttribute").and_then(|number| number.parse::<u8>().ok());
            if !number.is_some_and(|number| (1..=15).contains(&number) && *marker == format!("CustomAttribute{number}"))
            {
                return Some(format!("marker = {marker:?}: it is one of CustomAttribute1 to CustomAttribute15"));
            }
        }
        if let Some(closing) = &self.closing {
            if closing.marker == self.marker {
                return Some(format!("closing.marker = {:?}: it is the redirect's; name another one", closing.marker));
            }
            if closing.ways.is_empty() {
                return Some("closing.ways names no way in: leave closing out".to_owned());
            }
        }
        for (key, hours) in [("valid_hours", self.valid_hours), ("believed_hours", self.believed_hours)] {
            if !(1..=HOURS_MAX).contains(&hours) {
                return Some(format!("{key} = {hours}: write 1 to {HOURS_MAX}"));
            }
        }
        None
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn config() -> Config {
        Config {
            platform: Platform::Exchange,
            organisation: "Hill Trust".to_owned(),
            domains: vec!["hill.test".to_owned()],
            way: Way::ForwardingSmtpAddress,
            marker: marker(),
            sender: SenderMode::Kept,
            valid_hours: 24,
            believed_hours: 12,
            closing: None,
        }
    }

    #[test]
    fn what_no_site_could_make_right_is_named() {
        assert_eq!(config().mistake(), None);
        for (wrong, word) in [
            (Config { organisation: " ".to_owned(), ..config() }, "organisation"),
            (Config { domains: Vec::new(), ..config() }, "domains"),
            (Config { marker: "CustomAttribute16".to_owned(), ..config() }, "marker"),
            (Config { marker: "CustomAttribute01".to_owned(), ..config() }, "marker"),
            (Config { marker: "Notes; Remove-Mailbox".to_owned(), ..config() }, "marker"),
            (Config { closing: Some(Closing { ways: ways(), marker: marker() }), ..config() }, "closing.marker"),
            (Config { closing: Some(Closing { ways: vec![], marker: closing_marker() }), ..config() }, "closing.ways"),
            (Config { valid_hours: 0, ..config() }, "valid_hours"),
            (Config { believed_hours: 100, ..config() }, "believed_hours"),
        ] {
            assert!(wrong.mistake().is_some_and(|mistake| mistake.contains(word)), "{word}");
        }
    }
}
