//! Where a switch stands, and what comes next: one table.

use std::time::Duration;

use crate::task::{Task, Way};

/// Where a switch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The task that was begun, or is to be.
    pub task: Task,
    /// Since when (milliseconds since 1970): the day it was reached, not that it was last tried.
    pub since: i64,
    /// How often it was tried in vain.
    pub tries: u32,
}

/// How a try of a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Done, and read back.
    Done,
    /// Nothing is wrong: it takes longer, and is looked at again after this.
    NotYet(Duration),
    /// It could not be done. `passing`: another time it may be.
    Failed {
        /// May it work by itself another time?
        passing: bool,
    },
}

/// How long a task may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Before the point of no return a task that fails for this long is reversed.
    pub reverse_after: Duration,
    /// The first wait between two tries; it doubles.
    pub wait: Duration,
    /// And the longest.
    pub wait_max: Duration,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This task.
    Task(Task),
    /// The same task, after this.
    Again(Duration),
    /// Nothing: it has come to the end of this way.
    End(Way),
}

/// What comes next, once a try of the task has ended so.
///
/// No answer leaves a switch where it stands: what can't be done is done again, or reversed. Past the point of no return, and on the
/// way back, nothing is given up.
pub fn next(at: &Standing, ended: Ended, now: i64, limits: &Limits) -> Next {
    let again = Next::Again(limits.wait.saturating_mul(1 << at.tries.min(16)).min(limits.wait_max));
    match ended {
        Ended::Done => at.task.after().map_or(Next::End(at.task.way()), Next::Task),
        Ended::NotYet(wait) => Next::Again(wait),
        Ended::Failed { passing } => match at.task.reversed_from() {
            None => again,
            Some(reverse) => {
                let lasts = u128::try_from(now.saturating_sub(at.since)).unwrap_or_default();
                let is_over = !passing || lasts >= limits.reverse_after.as_millis();
                if is_over { Next::Task(reverse) } else { again }
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        reverse_after: Duration::from_secs(600),
        wait: Duration::from_secs(5),
        wait_max: Duration::from_secs(300),
    };

    fn at(task: Task) -> Standing {
        Standing { task, since: 0, tries: 0 }
    }

    #[test]
    fn before_the_point_of_no_return_what_lasts_is_reversed() {
        let failed = Ended::Failed { passing: true };
        assert_eq!(next(&at(Task::RedirectOn), failed, 599_000, &LIMITS), Next::Again(Duration::from_secs(5)));
        assert_eq!(next(&at(Task::RedirectOn), failed, 600_000, &LIMITS), Next::Task(Task::RedirectOff));
        let for_good = Ended::Failed { passing: false };
        assert_eq!(next(&at(Task::ForwarderOff), for_good, 0, &LIMITS), Next::Task(Task::ForwarderOn));
        assert_eq!(next(&at(Task::Freeze), for_good, 0, &LIMITS), Next::Task(Task::Thaw));
    }

    #[test]
    fn from_there_on_nothing_turns_round_and_nothing_is_given_up() {
        for task in Task::EVERY.into_iter().filter(|task| task.is_past_return() || task.way() == Way::Back) {
            for passing in [true, false] {
                for now in [0, i64::MAX] {
                    let next = next(&at(task), Ended::Failed { passing }, now, &LIMITS);
                    assert_eq!(next, Next::Again(Duration::from_secs(5)), "{task:?}");
                }
            }
        }
    }

    #[test]
    fn waits_grow_and_have_an_end() {
        let after = |tries| next(&Standing { tries, ..at(Task::Drain) }, Ended::Failed { passing: true }, 0, &LIMITS);
        assert_eq!(after(1), Next::Again(Duration::from_secs(10)));
        assert_eq!(after(60), Next::Again(Duration::from_secs(300)));
    }

    fn ended() -> impl Strategy<Value = Ended> {
        prop_oneof![
            4 => Just(Ended::Done),
            1 => Just(Ended::NotYet(Duration::from_secs(30))),
            1 => Just(Ended::Failed { passing: true }),
            1 => Just(Ended::Failed { passing: false }),
        ]
    }

    proptest! {
        /// Whatever fails, for however long: a switch comes to an end of one way, and forwarder and redirect are never on together.
        #[test]
        fn it_ends_on_one_side(answers in proptest::collection::vec((ended(), 0i64..400_000), 0..60)) {
            let (mut standing, mut now) = (at(Task::Freeze), 0);
            let (mut forwarder, mut redirect, mut frozen) = (true, false, false);
            let mut answers = answers.into_iter();
            for _ in 0..200 {
                let (ended, passes) = answers.next().unwrap_or((Ended::Done, 1));
                now += passes;
                // What failed may have happened all the same.
                match standing.task {
                    Task::Freeze => frozen = true,
                    Task::ForwarderOff => forwarder = false,
                    Task::RedirectOn => redirect = true,
                    Task::RedirectOff if ended == Ended::Done => redirect = false,
                    Task::ForwarderOn if ended == Ended::Done => forwarder = true,
                    Task::Thaw if ended == Ended::Done => frozen = false,
                    _ => {}
                }
                prop_assert!(!(forwarder && redirect));
                match next(&standing, ended, now, &LIMITS) {
                    Next::Task(task) => standing = Standing { task, since: now, tries: 0 },
                    Next::Again(_) => standing.tries += 1,
                    Next::End(Way::Over) => {
                        prop_assert!(redirect && !forwarder && frozen);
                        return Ok(());
                    }
                    Next::End(Way::Back) => {
                        prop_assert!(!redirect && forwarder && !frozen);
                        return Ok(());
                    }
                }
            }
            prop_assert!(false, "it does not end");
        }
    }
}
