//! Options of a maildir endpoint.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How keywords are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keywords {
    /// As letters in file names, with `dovecot-keywords`; 26 a folder.
    #[default]
    Dovecot,
    /// As files in `courierimapkeywords`; without a limit.
    Courier,
}

/// A maildir endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaildirConfig {
    /// Where each person's maildir is: a path in which `{source}` or `{target}` stands for the person's name on that
    /// side. Relative to the project's folder.
    pub path: String,
    /// How keywords are written: `dovecot` (the default) or `courier`. Both are read.
    #[serde(default)]
    pub keywords: Keywords,
    /// The project's folder.
    #[serde(skip)]
    pub base: PathBuf,
}
