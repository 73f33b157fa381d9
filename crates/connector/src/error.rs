//! What went wrong, how far it reaches and whether trying again may help.

use std::time::Duration;

use model::{Cause, Scope};
use serde::{Deserialize, Serialize};

/// Whether the same thing may succeed another time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Retry {
    /// At once, on a new connection if need be.
    Now,
    /// After a while; as long as the server says if it says so.
    Later(Option<Duration>),
    /// Once a person has changed something.
    AfterPerson,
    /// Never.
    Never,
}

/// A failure of a connector: class, reach, whether to retry, and two texts. Neither text ever holds a secret, a subject
/// or any other content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub struct Error {
    /// Its class.
    pub cause: Cause,
    /// How far it reaches.
    pub scope: Scope,
    /// Whether trying again may help.
    pub retry: Retry,
    /// What was tried, on what, and why it failed, in words for a person.
    pub what: String,
    /// The server's own code and text, if it gave any.
    pub server: Option<String>,
}

impl Error {
    /// A failure of this class and reach, with the retry that is usual for the class.
    pub fn new(cause: Cause, scope: Scope, what: impl Into<String>) -> Self {
        let retry = match cause {
            Cause::Connection | Cause::InDoubt => Retry::Now,
            Cause::Throttled | Cause::Unavailable | Cause::Database => Retry::Later(None),
            Cause::Unsupported | Cause::Internal | Cause::LeaseLapsed | Cause::Stopped => Retry::Never,
            _ => Retry::AfterPerson,
        };
        Self { cause, scope, retry, what: what.into(), server: None }
    }

    /// With what the server said.
    #[must_use]
    pub fn said(mut self, server: impl Into<String>) -> Self {
        self.server = Some(server.into());
        self
    }

    /// With another retry than is usual for the class.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// With another reach.
    #[must_use]
    pub fn reaching(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Is the session that gave this error of no more use?
    pub fn ends_session(&self) -> bool {
        matches!(self.scope, Scope::Connection | Scope::Mailbox | Scope::Run)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)?;
        match &self.server {
            Some(server) => write!(f, " (the server said: {server})"),
            None => Ok(()),
        }
    }
}
