//! The states of a mailbox: every transition, in one `match`.
//!
//! Both columns are stored ([`store::MailboxState`]); what happens in between (opening, reading, copying) lives only in
//! memory, since after a stop it begins again from the ledger. *Switching*, *switched* and *settled* are entered by the
//! switch, not here.

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
}

/// Where the mailbox stands after that.
pub fn after(before: &MailboxState, happened: &Happened) -> MailboxState {
    let follows = matches!(before.phase, Phase::Planned | Phase::Copying | Phase::InStep);
    let phase = |phase| if follows { phase } else { before.phase };
    match happened {
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
    }
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

    #[test]
    fn what_the_switch_has_begun_is_not_taken_back_here() {
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
