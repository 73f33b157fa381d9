//! `[issues]`: when a failure becomes an issue.

use schemars::JsonSchema;
use serde::Deserialize;

/// When a failure becomes an issue.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IssuesEntry {
    /// Minutes for which a mailbox may fail, and be tried again, before that is an issue. What is parked is one at once.
    pub after_minutes: u32,
}

impl Default for IssuesEntry {
    fn default() -> Self {
        Self { after_minutes: 30 }
    }
}
