//! Who acts: every use case is told, and the audit log keeps it.

use serde::{Deserialize, Serialize};

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs migrations: everything this program does with mailboxes.
    Engineer,
    /// Looks, changes nothing.
    Reader,
    /// The program itself, in a worker.
    System,
}

impl Role {
    /// May this role change a target, the ledger or a decision?
    pub fn may_migrate(self) -> bool {
        matches!(self, Self::Engineer | Self::System)
    }

    /// The role's name, as the configuration and the audit log write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Engineer => "engineer",
            Self::Reader => "reader",
            Self::System => "system",
        }
    }
}

/// Who acts, in which role, for which organisation, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Name, for example the operating system's user.
    pub name: String,
    /// The role the action is judged by.
    pub role: Role,
    /// Code of the organisation acted for.
    pub organisation: String,
    /// How we know who it is: `os-user`, later `sign-on`.
    pub known_by: String,
}
