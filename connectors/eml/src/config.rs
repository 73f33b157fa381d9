//! Options of an eml endpoint.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// An eml endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmlConfig {
    /// Where each person's tree is: a path in which `{source}` or `{target}` stands for the person's name on that side.
    /// Relative to the project's folder.
    pub path: String,
    /// The project's folder.
    #[serde(skip)]
    pub base: PathBuf,
}
