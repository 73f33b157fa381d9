//! What the plan is told by whoever knows it, and what of that is a gap.

use std::fmt;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

/// How many of a gap's names a line has; all of them are in the value.
const NAMES_SHOWN: usize = 5;

/// What is known of the domain's people and of the local server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Mailboxes in scope that are not switched.
    pub unswitched: Vec<String>,
    /// Addresses of the domain that the target platform does not have.
    pub aliases_missing: Vec<String>,
    /// Forwarders from the target to the source that are still there (F1, ruling A-05).
    pub f1_left: Vec<String>,
    /// Forwarders from the source to the target that were there before (F2).
    pub f2_left: Vec<String>,
    /// Redirects of the switch that are still there (F3).
    pub f3_left: Vec<String>,
    /// The request for the change of the MX records, as recorded.
    pub mx_rfc: Option<RecordedRfc>,
    /// When the last mailbox in scope was switched. None: nobody was.
    pub last_switch: Option<Date>,
    /// What the local server takes for the domain.
    pub local_mail: LocalMail,
}

/// A request for change, as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedRfc {
    /// Its number, or where it stands.
    pub reference: String,
    /// Who recorded it.
    pub by: String,
    /// When it was approved.
    pub approved: Date,
}

/// What the local server takes for the domain from outside. None of it is known without somebody who watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalMail {
    /// Since when it has been watched without a break.
    pub watched_since: Option<Timestamp>,
    /// When the last message came.
    pub last: Option<Timestamp>,
}

/// The profile's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The time to live that the MX records have while they change.
    pub ttl_low_seconds: u32,
    /// For how many days the local server must have taken no mail for the domain before redirects go.
    pub quiet_days: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self { ttl_low_seconds: 300, quiet_days: 14 }
    }
}

/// Something that has to go first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// What it is.
    pub kind: GapKind,
    /// Which ones.
    pub which: Vec<String>,
}

/// What kind of gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapKind {
    /// No request for the change is recorded.
    NoRfc,
    /// Nobody was switched: there is nothing that mail could follow.
    NobodySwitched,
    /// Mailboxes that are not switched.
    Unswitched,
    /// Addresses that the target platform does not have.
    AliasMissing,
    /// Forwarders from target to source.
    F1Left,
    /// Forwarders from before.
    F2Left,
    /// The settings name no MX record.
    NoWantedMx,
    /// Hosts of the wanted MX records that can't take mail.
    HostUnusable,
    /// Something that could not be asked.
    NotKnown,
    /// An SPF record that would be broken by the change.
    SpfTooLong,
}

impl Gap {
    pub(super) fn of(kind: GapKind, which: Vec<String>) -> Self {
        Self { kind, which }
    }
}

impl Facts {
    pub(super) fn formal_gaps(&self) -> Vec<Gap> {
        if self.mx_rfc.is_some() { Vec::new() } else { vec![Gap::of(GapKind::NoRfc, Vec::new())] }
    }

    pub(super) fn people_gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        if self.last_switch.is_none() {
            gaps.push(Gap::of(GapKind::NobodySwitched, Vec::new()));
        }
        let lists = [
            (GapKind::Unswitched, &self.unswitched),
            (GapKind::AliasMissing, &self.aliases_missing),
            (GapKind::F1Left, &self.f1_left),
            (GapKind::F2Left, &self.f2_left),
        ];
        let left = lists.into_iter().filter(|(_, which)| !which.is_empty());
        gaps.extend(left.map(|(kind, which)| Gap::of(kind, which.clone())));
        gaps
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            GapKind::NoRfc => "no approved request for the change of the MX records is recorded",
            GapKind::NobodySwitched => "no mailbox of the domain has been switched",
            GapKind::Unswitched => "mailboxes in scope are not switched",
            GapKind::AliasMissing => "addresses are not on the target platform, so their mail would be refused",
            GapKind::F1Left => "forwarders from target to source (F1) are left: mail would go in a circle",
            GapKind::F2Left => "forwarders from before (F2) are left",
            GapKind::NoWantedMx => "the settings name no MX records to change to",
            GapKind::HostUnusable => "a host that mail is to go to can't take it",
            GapKind::NotKnown => "not everything could be asked",
            GapKind::SpfTooLong => "the SPF record would need more look-ups than the 10 that receivers make",
        })?;
        if !self.which.is_empty() {
            let shown: Vec<&str> = self.which.iter().take(NAMES_SHOWN).map(String::as_str).collect();
            write!(f, " ({}): {}", self.which.len(), shown.join(", "))?;
            if self.which.len() > NAMES_SHOWN {
                f.write_str(", …")?;
            }
        }
        Ok(())
    }
}
