//! Mailboxes: one person's or one role's whole store, and where it stands.

use serde::{Deserialize, Serialize};

/// Whose a mailbox is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailboxKind {
    /// One person's.
    #[default]
    Person,
    /// Several people's.
    Shared,
    /// A room's.
    Room,
    /// Another resource's.
    Equipment,
}

impl MailboxKind {
    /// The kind with this name, as `people.csv` writes it.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Person, Self::Shared, Self::Room, Self::Equipment].into_iter().find(|kind| kind.name() == name)
    }

    /// The kind's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Shared => "shared",
            Self::Room => "room",
            Self::Equipment => "equipment",
        }
    }
}

/// How far a mailbox has come. The transitions stand in `movement::state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Known, nothing copied yet.
    Planned,
    /// Being copied; not complete, or no longer fresh.
    Copying,
    /// The last complete pass is fresh, nothing is in doubt, and every failure has a disposition.
    InStep,
    /// Being turned over to the target.
    Switching,
    /// Turned over; late additions are still followed.
    Switched,
    /// Nothing more to follow.
    Settled,
}

impl Phase {
    /// Every phase.
    pub const EVERY: [Self; 6] =
        [Self::Planned, Self::Copying, Self::InStep, Self::Switching, Self::Switched, Self::Settled];

    /// The phase's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Copying => "copying",
            Self::InStep => "in-step",
            Self::Switching => "switching",
            Self::Switched => "switched",
            Self::Settled => "settled",
        }
    }

    /// The phase with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|phase| phase.name() == name)
    }
}

/// Whether work on a mailbox goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "why")]
pub enum Condition {
    /// Nothing stands in the way.
    Running,
    /// Waits for this, by itself.
    Waiting(String),
    /// Stands still until a person acts.
    Parked(String),
}

impl Condition {
    /// The condition's name, without its reason.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting(_) => "waiting",
            Self::Parked(_) => "parked",
        }
    }

    /// What it waits for or why it is parked.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Running => None,
            Self::Waiting(reason) | Self::Parked(reason) => Some(reason),
        }
    }
}
