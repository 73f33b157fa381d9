//! The states of a mailbox: every transition, in one `match`.
//!
//! Both columns are stored ([`store::MailboxState`]); what happens in between (opening, reading, copying) lives only in
//! memory, since after a stop it begins again from the ledger. *Switching* is entered from *in step* alone, or from where a
//! switch has got to when it is undone; no pass enters or leaves it.

use model::{Cause, Condition, Phase, Side};
use store::MailboxState;

/// What happened to a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A worker began a pass.
    PassBegan,
    /// A pass was complete: every item of the source has a fate.
    PassComplete {
        /// Items that failed and whose loss nobody has accepted.
        undisposed: u64,
        /// Batches whose outcome is not known.
        open_intents: u64,
    },
    /// A pass ended before it was complete, but not by a failure of the whole mailbox.
    PassIncomplete {
        /// What it waits for.
        waits_for: String,
        /// The class of what was in the way.
        cause: Cause,
        /// The side it was on.
        side: Option<Side>,
    },
    /// Its turn ended before its pass: somebody stopped the program, or others had waited long enough.
    Stopped {
        /// What was said.
        what: String,
    },
    /// The mailbox could not be worked on.
    Failed {
        /// The class.
        cause: Cause,
        /// The side it was on.
        side: Option<Side>,
        /// What was tried and why it failed.
        what: String,
        /// May it work by itself another time?
        passing: bool,
    },
    /// Its switch begins: its source is left from now on.
    SwitchBegun,
    /// Its switch was taken back before mail followed the person: the source rules again.
    SwitchReversed,
    /// Its person is turned over.
    Switched,
    /// Nothing more is to come from its source.
    Settled,
    /// Its person goes back: what they have on the target is carried to the source.
    UndoBegun,
    /// Its person is back: the source rules again.
    Undone,
}

/// That can't happen to a mailbox in this phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub Phase);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a mailbox that is {} can't be turned so", self.0.name())
    }
}

impl std::error::Error for Refused {}

/// Where the mailbox stands after that; refused where it can't happen. What becomes of a pass never is.
pub fn after(before: &MailboxState, happened: &Happened) -> MailboxState {
    turn(before, happened).unwrap_or_else(|_| before.clone())
}

/// Where the mailbox stands after that, if it can happen.
pub fn turn(before: &MailboxState, happened: &Happened) -> Result<MailboxState, Refused> {
    let follows = matches!(before.phase, Phase::Planned | Phase::Copying | Phase::InStep);
    let phase = |phase| if follows { phase } else { before.phase };
    let turned = |phase| MailboxState { phase, condition: Condition::Running, cause: None };
    Ok(match happened {
        Happened::SwitchBegun if before.phase == Phase::InStep => turned(Phase::Switching),
        Happened::SwitchReversed | Happened::Undone if before.phase == Phase::Switching => turned(Phase::Copying),
        Happened::Switched if before.phase == Phase::Switching => turned(Phase::Switched),
        Happened::Settled if before.phase == Phase::Switched => turned(Phase::Settled),
        Happened::UndoBegun if !follows => turned(Phase::Switching),
        Happened::SwitchBegun
        | Happened::SwitchReversed
        | Happened::Switched
        | Happened::Settled
        | Happened::UndoBegun
        | Happened::Undone => return Err(Refused(before.phase)),
        Happened::PassBegan => {
            MailboxState { phase: phase(before.phase.max(Phase::Copying)), condition: Condition::Running, cause: None }
        }
        Happened::PassComplete { undisposed: 0, open_intents: 0 } => {
            MailboxState { phase: phase(Phase::InStep), condition: Condition::Running, cause: None }
        }
        Happened::PassComplete { undisposed, open_intents: 0 } => MailboxState {
            phase: phase(Phase::Copying),
            condition: Condition::Waiting(format!("a word about {}", counted(*undisposed, "failed item"))),
            cause: None,
        },
        Happened::PassComplete { open_intents, .. } => MailboxState {
            phase: phase(Phase::Copying),
            condition: Condition::Waiting(format!("the outcome of {}", counted(*open_intents, "batch"))),
            cause: Some((Cause::InDoubt, Some(Side::Target))),
        },
        Happened::PassIncomplete { waits_for, cause, side } => MailboxState {
            phase: phase(Phase::Copying),
            condition: Condition::Waiting(waits_for.clone()),
            cause: Some((*cause, *side)),
        },
        // What was in step is as far as it was: its last complete pass says so.
        Happened::Stopped { what } => MailboxState {
            phase: phase(before.phase),
            condition: Condition::Waiting(what.clone()),
            cause: Some((Cause::Stopped, None)),
        },
        Happened::Failed { cause, side, what, passing: true } => MailboxState {
            phase: phase(before.phase.min(Phase::Copying)),
            condition: Condition::Waiting(what.clone()),
            cause: Some((*cause, *side)),
        },
        Happened::Failed { cause, side, what, passing: false } => MailboxState {
            phase: phase(before.phase.min(Phase::Copying)),
            condition: Condition::Parked(what.clone()),
            cause: Some((*cause, *side)),
        },
    })
}

/// A number and its noun: `1 batch`, `2 batches`, `1,748 items`.
pub fn counted(number: u64, noun: &str) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    let ending = match (number, noun.ends_with("ch") || noun.ends_with('x')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{text} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(phase: Phase) -> MailboxState {
        MailboxState { phase, condition: Condition::Running, cause: None }
    }

    #[test]
    fn in_step_only_when_nothing_is_open_and_every_failure_has_a_word() {
        let complete = |undisposed, open_intents| Happened::PassComplete { undisposed, open_intents };
        assert_eq!(after(&state(Phase::Copying), &complete(0, 0)).phase, Phase::InStep);
        for happened in [complete(1, 0), complete(0, 1), complete(2, 2)] {
            let now = after(&state(Phase::InStep), &happened);
            assert_eq!(now.phase, Phase::Copying);
            assert!(matches!(now.condition, Condition::Waiting(_)), "a waiting mailbox says for what");
        }
    }

    #[test]
    fn a_failure_takes_a_mailbox_out_of_step_and_says_why() {
        let failed = |passing| Happened::Failed {
            cause: Cause::Login,
            side: Some(Side::Source),
            what: "the login was refused".to_owned(),
            passing,
        };
        let now = after(&state(Phase::InStep), &failed(false));
        assert_eq!((now.phase, now.condition.name()), (Phase::Copying, "parked"));
        assert_eq!(after(&state(Phase::Planned), &failed(true)).phase, Phase::Planned);
        assert_eq!(after(&state(Phase::Planned), &failed(true)).condition.name(), "waiting");
    }

    #[test]
    fn a_turn_that_ends_early_leaves_a_mailbox_as_far_as_it_was() {
        let stopped = Happened::Stopped { what: "its next turn".to_owned() };
        for at in [Phase::Planned, Phase::Copying, Phase::InStep, Phase::Switched] {
            let now = after(&state(at), &stopped);
            assert_eq!((now.phase, now.condition), (at, Condition::Waiting("its next turn".to_owned())));
        }
    }

    /// Everything that may happen, passes in each of their ways.
    fn everything() -> Vec<Happened> {
        let failed = |passing| Happened::Failed {
            cause: Cause::Login,
            side: Some(Side::Source),
            what: "the login was refused".to_owned(),
            passing,
        };
        let incomplete = Happened::PassIncomplete {
            waits_for: "a folder".to_owned(),
            cause: Cause::Unavailable,
            side: Some(Side::Source),
        };
        let complete = |undisposed, open_intents| Happened::PassComplete { undisposed, open_intents };
        vec![
            Happened::PassBegan,
            complete(0, 0),
            complete(1, 0),
            complete(0, 1),
            incomplete,
            Happened::Stopped { what: "its next turn".to_owned() },
            failed(true),
            failed(false),
            Happened::SwitchBegun,
            Happened::SwitchReversed,
            Happened::Switched,
            Happened::Settled,
            Happened::UndoBegun,
            Happened::Undone,
        ]
    }

    #[test]
    fn turns_of_the_switch_as_a_table() {
        use Phase::{Copying, InStep, Planned, Settled, Switched, Switching};
        let rows: [(Happened, [Option<Phase>; 6]); 6] = [
            (Happened::SwitchBegun, [None, None, Some(Switching), None, None, None]),
            (Happened::SwitchReversed, [None, None, None, Some(Copying), None, None]),
            (Happened::Switched, [None, None, None, Some(Switched), None, None]),
            (Happened::Settled, [None, None, None, None, Some(Settled), None]),
            (Happened::UndoBegun, [None, None, None, Some(Switching), Some(Switching), Some(Switching)]),
            (Happened::Undone, [None, None, None, Some(Copying), None, None]),
        ];
        for (happened, then) in rows {
            for (from, to) in [Planned, Copying, InStep, Switching, Switched, Settled].into_iter().zip(then) {
                let turned = turn(&state(from), &happened).map(|state| state.phase);
                assert_eq!(turned, to.ok_or(Refused(from)), "{happened:?} from {from:?}");
                assert_eq!(after(&state(from), &happened).phase, to.unwrap_or(from));
            }
        }
    }

    /// Whatever happens in whatever order: a source is never left but from in step.
    #[test]
    fn no_order_of_events_begins_a_switch_but_from_in_step() {
        let mut reached = std::collections::BTreeSet::from([Phase::Planned]);
        loop {
            let mut further = reached.clone();
            for phase in &reached {
                for happened in everything() {
                    let then = after(&state(*phase), &happened).phase;
                    if then == Phase::Switching && *phase != Phase::Switching {
                        let is_begun = *phase == Phase::InStep && happened == Happened::SwitchBegun;
                        let is_undone = *phase > Phase::Switching && happened == Happened::UndoBegun;
                        assert!(is_begun || is_undone, "{happened:?} from {phase:?}");
                    }
                    if *phase >= Phase::Switching && then < Phase::Switching {
                        assert!(matches!(happened, Happened::SwitchReversed | Happened::Undone), "{happened:?}");
                        assert_eq!((*phase, then), (Phase::Switching, Phase::Copying));
                    }
                    further.insert(then);
                }
            }
            if further == reached {
                break;
            }
            reached = further;
        }
        assert_eq!(reached.len(), Phase::EVERY.len(), "every phase can be reached");
    }

    #[test]
    fn what_the_switch_has_begun_is_not_taken_back_by_a_pass() {
        for phase in [Phase::Switching, Phase::Switched, Phase::Settled] {
            for happened in [Happened::PassBegan, Happened::PassComplete { undisposed: 0, open_intents: 0 }] {
                assert_eq!(after(&state(phase), &happened).phase, phase);
            }
        }
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(counted(1, "batch"), "1 batch");
        assert_eq!(counted(0, "item"), "0 items");
        assert_eq!(counted(1_234_567, "item"), "1,234,567 items");
        assert_eq!(counted(2, "mailbox"), "2 mailboxes");
    }
}
