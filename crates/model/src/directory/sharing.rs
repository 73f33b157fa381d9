//! Who may do what with a mailbox or a list.

use serde::{Deserialize, Serialize};

/// Somebody, as one entry of a directory names another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reference {
    /// By an entry's key.
    Key(String),
    /// By where an entry stands: a distinguished name.
    Place(String),
    /// By a security identifier, as `S-1-5-…`.
    Sid(String),
    /// By a mail address.
    Mail(String),
    /// By the name an account logs in with, or by what else stood there.
    Name(String),
}

impl Reference {
    /// What stood there.
    pub fn text(&self) -> &str {
        match self {
            Self::Key(text) | Self::Place(text) | Self::Sid(text) | Self::Mail(text) | Self::Name(text) => text,
        }
    }
}

/// What somebody may do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// Open the mailbox and everything in it.
    FullAccess,
    /// Send in its name.
    SendAs,
    /// Send on its behalf.
    SendOnBehalf,
    /// In one folder: its names, and the rights as letters of RFC 4314.
    Folder(Vec<String>, String),
}

/// Somebody's right.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Grant {
    /// Whose.
    pub to: Reference,
    /// Which.
    pub right: Right,
    /// It comes from something above: not of this mailbox alone.
    #[serde(default)]
    pub is_inherited: bool,
    /// It is denied, not given.
    #[serde(default)]
    pub is_denied: bool,
}

impl Grant {
    /// A right given directly.
    pub fn of(to: Reference, right: Right) -> Self {
        Self { to, right, is_inherited: false, is_denied: false }
    }
}
