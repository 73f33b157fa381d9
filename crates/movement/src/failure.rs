//! A failure of the work on a mailbox: what a side or the database said, and which side it was.

use connector::{Error, Retry};
use model::{Cause, Scope, Side};

/// Why the work on a mailbox could not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The side, when it was one.
    pub side: Option<Side>,
    /// What failed.
    pub error: Error,
}

impl Failure {
    pub(crate) fn stopped() -> Self {
        Self { side: None, error: Error::new(Cause::Stopped, Scope::Run, "stopped on request") }
    }

    /// A mistake of this program.
    pub fn internal(what: &str) -> Self {
        Self { side: None, error: Error::new(Cause::Internal, Scope::Mailbox, what) }
    }

    /// May it work by itself another time?
    pub fn is_passing(&self) -> bool {
        matches!(self.error.retry, Retry::Now | Retry::Later(_))
            || matches!(self.error.cause, Cause::LeaseLapsed | Cause::Stopped)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.side {
            Some(side) => write!(f, "{side}: {}", self.error),
            None => write!(f, "{}", self.error),
        }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        let (cause, retry) = match error {
            store::Error::Fenced => (Cause::LeaseLapsed, Retry::Never),
            _ if error.is_passing() => (Cause::Database, Retry::Later(None)),
            _ => (Cause::Database, Retry::AfterPerson),
        };
        Self { side: None, error: Error::new(cause, Scope::Mailbox, error.to_string()).retry(retry) }
    }
}

/// Says which side an error came from.
pub(crate) trait OnSide<T> {
    /// It came from the source.
    fn on_source(self) -> Result<T, Failure>;
    /// It came from the target.
    fn on_target(self) -> Result<T, Failure>;
}

impl<T> OnSide<T> for Result<T, Error> {
    fn on_source(self) -> Result<T, Failure> {
        self.map_err(|error| Failure { side: Some(Side::Source), error })
    }

    fn on_target(self) -> Result<T, Failure> {
        self.map_err(|error| Failure { side: Some(Side::Target), error })
    }
}
