//! Why a use case ended without its result, and the exit code that says so to other programs.

use model::Cause;
use movement::Failure;

/// How a command ended, for other programs (domain facts C4; the codes 10, 12 and 16 are imapsync's).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Done, with failures, refusals or differences.
    WithFailures = 1,
    /// Called wrongly, or configured wrongly.
    Usage = 2,
    /// Refused by a rule.
    Refused = 3,
    /// No mailbox could start: no connection.
    Connection = 10,
    /// No mailbox could start: TLS.
    Tls = 12,
    /// No mailbox could start: login.
    Login = 16,
    /// A mistake of this program.
    Internal = 70,
    /// Every mailbox asked for is held by another process, or the database is being upgraded.
    Busy = 75,
    /// Somebody asked this process to finish and end: whoever begins processes again is not to.
    Drained = 76,
    /// Stopped by a person.
    Stopped = 130,
}

/// Why a use case ended without its result: what, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The exit code.
    pub exit: Exit,
    /// The rule that refused, by its requirement id.
    pub rule: Option<&'static str>,
    /// What is wrong, and where.
    pub what: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl Error {
    /// Called or configured wrongly.
    pub fn usage(what: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, rule: None, what: what.into(), advice: None }
    }

    /// Refused by this rule.
    pub fn refused(rule: &'static str, what: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, rule: Some(rule), what: what.into(), advice: None }
    }

    /// With what to do about it.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Error {}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        let exit = match error {
            store::Error::Upgrading => Exit::Busy,
            store::Error::Damaged(_) => Exit::Internal,
            _ => Exit::Usage,
        };
        Self { exit, rule: None, what: error.to_string(), advice: Some(Cause::Database.advice().to_owned()) }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let exit = exit_of(failure.error.cause);
        Self { exit, rule: None, what: failure.to_string(), advice: Some(failure.error.cause.advice().to_owned()) }
    }
}

/// The exit code of a cause that kept something from starting.
pub(crate) fn exit_of(cause: Cause) -> Exit {
    match cause {
        Cause::Connection | Cause::Unavailable | Cause::Throttled => Exit::Connection,
        Cause::Tls => Exit::Tls,
        Cause::Login => Exit::Login,
        Cause::Stopped => Exit::Stopped,
        Cause::Internal => Exit::Internal,
        _ => Exit::WithFailures,
    }
}
