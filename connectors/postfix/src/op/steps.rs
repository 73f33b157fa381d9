//! The effects of one call, and what its errors are worth after them.

use connector::{Door, Effect, Error, Retry};
use model::{Cause, Scope};

/// The door that effects pass, and what has passed it.
pub(crate) struct Steps<'d> {
    door: &'d dyn Door,
    /// Something has taken effect, or may have.
    has_effect: bool,
    is_shut: bool,
}

impl<'d> Steps<'d> {
    pub(crate) fn new(door: &'d dyn Door) -> Self {
        Self { door, has_effect: false, is_shut: false }
    }

    /// Asks the door right before an effect.
    pub(crate) fn before(&mut self) -> Result<(), Error> {
        let passed = self.door.before(Effect::Route);
        self.is_shut = passed.is_err();
        self.has_effect |= passed.is_ok();
        passed
    }

    /// Says that the effect has left.
    pub(crate) fn after(&self) {
        self.door.after(Effect::Route);
    }

    pub(crate) fn has_effect(&self) -> bool {
        self.has_effect
    }

    /// What a call came to: once anything has taken effect, an error does not tell how things stand now, and is in doubt. A door that is
    /// shut says so itself.
    pub(crate) fn settled<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        let is_plain = !self.has_effect || self.is_shut;
        result.map_err(|error| if is_plain || error.cause == Cause::InDoubt { error } else { in_doubt(error) })
    }
}

/// An error after something that has an effect.
fn in_doubt(error: Error) -> Error {
    let what = format!("{}: whether it took effect is not known; the same again settles it", error.what);
    // What is refused now is refused again until somebody has changed something.
    let is_lost = matches!(error.cause, Cause::Connection | Cause::Protocol | Cause::Unavailable);
    let retry = if is_lost { Retry::Now } else { error.retry };
    Error { cause: Cause::InDoubt, scope: Scope::Mailbox, retry, what, server: error.server }
}
