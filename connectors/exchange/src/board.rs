//! What the router and whoever writes and takes back scripts know of each other: the database keeps it.

use async_trait::async_trait;
use connector::Error;
use serde::{Deserialize, Serialize};

use crate::state::State;

/// What a script is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// It reads where mail goes.
    Read,
    /// It puts our redirect on.
    Redirect,
    /// It takes ours off.
    Release,
    /// It closes the mailbox to its person.
    Close,
    /// It opens it again.
    Open,
}

impl Step {
    /// Every step.
    pub const EVERY: [Self; 5] = [Self::Read, Self::Redirect, Self::Release, Self::Close, Self::Open];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Redirect => "redirect",
            Self::Release => "release",
            Self::Close => "close",
            Self::Open => "open",
        }
    }

    /// The step with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|step| step.name() == name)
    }

    /// Does it change anything?
    pub fn changes(self) -> bool {
        self != Self::Read
    }

    /// Is it about who may log in, and not about where mail goes?
    pub fn is_of_logins(self) -> bool {
        matches!(self, Self::Close | Self::Open)
    }

    /// What a step is about, of all that a mailbox says.
    pub fn part(self, state: &State) -> State {
        if self.is_of_logins() {
            State { guid: state.guid.clone(), logins: state.logins.clone(), ..State::default() }
        } else {
            State { logins: None, ..state.clone() }
        }
    }
}

/// What is asked of a script about a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// What for.
    pub step: Step,
    /// An address that the mailbox must have.
    pub address: String,
    /// For a change: what must be there before, and what is to be there.
    pub change: Option<(State, State)>,
}

/// A rule in a mailbox that sends mail on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InboxRule {
    /// Its name.
    pub name: String,
    /// Is it on?
    pub enabled: bool,
    /// Where it sends mail on to, as Exchange shows it.
    pub to: Vec<String>,
    /// Does it delete the message?
    pub deletes: bool,
}

/// What a script has read of a mailbox. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// The script's number.
    pub script: i64,
    /// It was not read before this: the script was signed then.
    pub not_before: i64,
    /// When it was read, by the clock of the machine that ran the script.
    pub at: i64,
    /// What it says; none: it could not be read.
    pub state: Option<State>,
    /// Why not, and whether there is no such mailbox.
    pub failed: Option<(String, bool)>,
    /// The addresses that it has.
    pub addresses: Vec<String>,
    /// Its rules that send mail on.
    pub rules: Vec<InboxRule>,
    /// Why its rules could not be read.
    pub rules_unread: Option<String>,
}

/// What became of a mailbox in a script that was to change it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The script's number.
    pub script: i64,
    /// What for.
    pub step: Step,
    /// What the script said.
    pub outcome: Outcome,
    /// Why, in Exchange's words.
    pub why: String,
    /// What was there before.
    pub before: State,
}

/// What a script says that became of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was only read.
    Read,
    /// It was changed.
    Changed,
    /// It was so already.
    Already,
    /// It was not as expected, and left alone.
    Left,
    /// Exchange refused it.
    Failed,
    /// The script had stopped before.
    NotTried,
}

/// An ask that has no answer yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// What it is.
    pub ask: Ask,
    /// The script that asks it; none: it is to be written.
    pub script: Option<i64>,
    /// That script was signed, and may have been run.
    pub is_signed: bool,
}

/// What is known of a person at a router.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The time now.
    pub now: i64,
    /// What was last read.
    pub reading: Option<Reading>,
    /// What was read by a script that was signed before this is not believed: another may have changed it since.
    pub doubt: i64,
    /// What is asked for.
    pub open: Option<Open>,
    /// What the last script that was to change it did, until the router has told it.
    pub told: Option<Told>,
}

/// Where asks are kept, and what came of them.
#[async_trait]
pub trait Board: Send + Sync {
    /// What is known of an account.
    async fn known(&self, account: &str) -> Result<Known, Error>;

    /// Asks for this, in place of what was asked before; none: nothing is asked any more. False, and nothing is changed, where a script was
    /// signed that may change the mailbox.
    async fn ask(&self, account: &str, ask: Option<&Ask>) -> Result<bool, Error>;

    /// What the last script did was told.
    async fn was_told(&self, account: &str, told: &Told) -> Result<(), Error>;
}
