//! Whether an endpoint can be reached at all: what the mailboxes of a run find out for each other.
//!
//! A server that answers nobody must not cost every one of thousands of people all their tries, and one that is away for a
//! minute must not cost those their run whose turn it was. So who meets a server that was there before waits for it, for
//! some minutes; and once a server was away too long, only one try in a while is made, and all others fail at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use connector::{Error, Retry};
use model::Cause;

/// How long a server that this run has reached before is waited for: a restart, with time to spare.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long one that this run has not reached yet is waited for.
const PATIENCE_AT_FIRST: Duration = Duration::from_secs(10);
/// Once it is not waited for any more: how often it is tried all the same.
const TRY_EVERY: Duration = Duration::from_secs(10);

/// What is known of an endpoint. Times are since boot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    was_reached: bool,
    away_since: Option<Duration>,
    next_try: Duration,
}

impl Known {
    fn is_waited_for(&self, now: Duration) -> bool {
        let patience = if self.was_reached { PATIENCE } else { PATIENCE_AT_FIRST };
        self.away_since.is_none_or(|since| now < since + patience)
    }
}

impl Reach {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// May the endpoint be tried now? An error when it was away too long and is not due to be tried again.
    pub(crate) fn may_try(&self, name: &str, now: Duration) -> Result<(), Error> {
        let mut known = self.known();
        if known.is_waited_for(now) {
            return Ok(());
        }
        if now >= known.next_try {
            known.next_try = now + TRY_EVERY;
            return Ok(());
        }
        let what =
            format!("the endpoint {name:?} can't be reached, as others have found; it was not tried for this mailbox");
        Err(Error::new(Cause::Connection, model::Scope::Mailbox, what).retry(Retry::Never))
    }

    /// How a try went.
    pub(crate) fn tried<T>(&self, result: Result<T, Error>, now: Duration) -> Result<T, Error> {
        let mut known = self.known();
        match &result {
            Err(error) if error.cause == Cause::Connection => {
                known.away_since.get_or_insert(now);
            }
            _ => *known = Known { was_reached: true, ..Known::default() },
        }
        drop(known);
        result
    }

    /// Is it away, was it there before in this run, and may it come back soon?
    pub(crate) fn may_come_back(&self, now: Duration) -> bool {
        let known = self.known();
        known.was_reached && known.away_since.is_some() && known.is_waited_for(now)
    }
}

#[cfg(test)]
mod tests {
    use model::Scope;

    use super::*;

    fn away(reach: &Reach, now: u64) -> bool {
        let error = Error::new(Cause::Connection, Scope::Connection, "refused");
        reach.tried::<()>(Err(error), Duration::from_secs(now)).is_err()
    }

    fn may_try(reach: &Reach, now: u64) -> bool {
        reach.may_try("national", Duration::from_secs(now)).is_ok()
    }

    #[test]
    fn a_server_never_reached_is_given_up_soon_and_tried_once_in_a_while() {
        let reach = Reach::default();
        assert!(may_try(&reach, 100) && away(&reach, 100) && may_try(&reach, 109) && away(&reach, 109));
        assert!(!reach.may_come_back(Duration::from_secs(101)));
        // One try is due; the next in ten seconds.
        assert!(may_try(&reach, 110) && !may_try(&reach, 111) && !may_try(&reach, 119) && may_try(&reach, 120));
        // It is there: everybody may try again.
        reach.tried(Ok(()), Duration::from_secs(121)).unwrap();
        assert!(may_try(&reach, 122) && may_try(&reach, 122));
    }

    #[test]
    fn a_server_that_was_there_is_waited_for() {
        let reach = Reach::default();
        reach.tried(Ok(()), Duration::ZERO).unwrap();
        assert!(!reach.may_come_back(Duration::from_secs(1)), "it is there");
        assert!(away(&reach, 100) && may_try(&reach, 399) && reach.may_come_back(Duration::from_secs(399)));
        assert!(may_try(&reach, 400) && !may_try(&reach, 401) && !reach.may_come_back(Duration::from_secs(401)));
    }

    #[test]
    fn an_answer_is_an_answer_even_when_it_is_a_refusal() {
        let reach = Reach::default();
        let _ = away(&reach, 1);
        let error = Error::new(Cause::Login, Scope::Mailbox, "wrong password");
        let _ = reach.tried::<()>(Err(error), Duration::from_secs(2));
        assert!(may_try(&reach, 1_000) && may_try(&reach, 1_000));
    }
}
