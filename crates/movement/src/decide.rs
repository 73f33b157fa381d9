//! The decision: what to do about one item, from what is known of it. Pure: no clock, no connection, no database.
//!
//! Everything the engine ever does to a mailbox is one of the [`Intent`]s below, and every case it can meet is one row of
//! the table in the tests. A dry run stops here and prints.

use model::{Cause, Fate, Flags, Verdict};

/// What the source says of the item now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AtSource<'f> {
    /// It is there, its bytes were read and the policy has judged them.
    Read {
        /// Its flags.
        flags: &'f Flags,
        /// What the policy says.
        verdict: Verdict,
    },
    /// It is there; its bytes were not asked for.
    Listed {
        /// Its flags.
        flags: &'f Flags,
    },
    /// It is there, but its bytes can't be had.
    Unreadable {
        /// Why.
        cause: Cause,
    },
    /// It is gone.
    Gone,
}

/// What the ledger says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InLedger<'f> {
    /// Nothing.
    Nothing,
    /// It has this fate; its flags as last read on both sides.
    Known {
        /// Its fate.
        fate: Fate,
        /// Flags at the source.
        source_flags: &'f Flags,
    },
}

/// What was found of it on the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTarget {
    /// Nobody has looked, or there is nothing to know.
    Unknown,
    /// It lies there, put there by one of our own batches whose outcome was not known.
    Ours,
    /// It lies there, put there by somebody else.
    Theirs,
    /// Something lies there that may be it, or not.
    MayBe,
    /// It was there and is no longer.
    Vanished,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Nothing.
    Nothing,
    /// Copy it. Its bytes are needed, if they were not read.
    Copy,
    /// Record that it is on the target already: ours.
    Own,
    /// Record that it is on the target already: not ours.
    Adopt,
    /// Change flags on the target: these and no others.
    ChangeFlags {
        /// To add.
        add: Flags,
        /// To take off.
        take: Flags,
    },
    /// Record that it could not be copied.
    Fail(Cause),
    /// Wait for a person's word.
    Hold(Cause),
    /// Record that its person removed it on the target.
    Withdraw,
    /// The source has it no more: its removal from the target waits for a word.
    HoldRemoval,
    /// The source has it no more, and there is nothing of ours on the target.
    Forget,
}

/// What decides besides the item itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Does its person work on the target already?
    pub in_use: bool,
    /// Is what failed to be tried again in this pass?
    pub retry_failed: bool,
    /// Do adopted items lose flags too (a target nobody has used), or only gain them?
    pub adopted_follow: bool,
}

/// Decides.
pub fn decide(source: &AtSource<'_>, ledger: &InLedger<'_>, target: OnTarget, setting: Setting) -> Intent {
    match (source, ledger) {
        (AtSource::Gone, InLedger::Nothing) => Intent::Nothing,
        (AtSource::Gone, InLedger::Known { fate: Fate::Copied, .. }) => match target {
            OnTarget::Vanished => Intent::Forget,
            _ => Intent::HoldRemoval,
        },
        (AtSource::Gone, InLedger::Known { .. }) => Intent::Forget,

        (AtSource::Unreadable { cause }, InLedger::Nothing) => Intent::Fail(*cause),
        (AtSource::Unreadable { cause }, InLedger::Known { fate: Fate::Failed, .. }) => Intent::Fail(*cause),
        (AtSource::Unreadable { .. }, InLedger::Known { .. }) => Intent::Nothing,

        (AtSource::Listed { .. }, InLedger::Nothing) => Intent::Copy,
        (AtSource::Read { verdict, .. }, InLedger::Nothing) => decide_new(*verdict, target),

        (AtSource::Listed { flags } | AtSource::Read { flags, .. }, InLedger::Known { fate, source_flags }) => {
            decide_known(source, flags, *fate, source_flags, target, setting)
        }
    }
}

/// An item without a fate, whose bytes were read.
fn decide_new(verdict: Verdict, target: OnTarget) -> Intent {
    match (target, verdict) {
        // What is there is there, whatever the policy says of it now: it must not be put there a second time.
        (OnTarget::Ours, _) => Intent::Own,
        (OnTarget::Theirs, _) => Intent::Adopt,
        (_, Verdict::CannotBeHeld(cause)) => Intent::Fail(cause),
        (OnTarget::MayBe, Verdict::Travels) => Intent::Hold(Cause::Ambiguous),
        (OnTarget::Unknown | OnTarget::Vanished, Verdict::Travels) => Intent::Copy,
    }
}

/// An item that has a fate and is still at the source.
fn decide_known(
    source: &AtSource<'_>,
    flags: &Flags,
    fate: Fate,
    source_flags: &Flags,
    target: OnTarget,
    setting: Setting,
) -> Intent {
    match (fate, target) {
        (Fate::Copied | Fate::Adopted, OnTarget::Vanished) => {
            if setting.in_use {
                Intent::Withdraw
            } else {
                Intent::Copy
            }
        }
        (Fate::Copied | Fate::Adopted, _) => {
            let add = flags.without(source_flags);
            let mut take = source_flags.without(flags);
            if fate == Fate::Adopted && !setting.adopted_follow {
                take = Flags::NONE;
            }
            if add.is_empty() && take.is_empty() { Intent::Nothing } else { Intent::ChangeFlags { add, take } }
        }
        (Fate::Failed, _) => match source {
            AtSource::Read { verdict, .. } => decide_new(*verdict, target),
            _ if setting.retry_failed => Intent::Copy,
            _ => Intent::Nothing,
        },
        (Fate::Excluded | Fate::Held | Fate::Withdrawn, _) => Intent::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Setting = Setting { in_use: false, retry_failed: false, adopted_follow: false };
    const IN_USE: Setting = Setting { in_use: true, ..PLAIN };
    const RETRY: Setting = Setting { retry_failed: true, ..PLAIN };

    fn flags(names: &str) -> Flags {
        Flags::of(names.split(' ').filter(|name| !name.is_empty()))
    }

    /// The table: every source × ledger × target, in words. `A` is the flags before, `B` now.
    #[test]
    fn table_of_all_cases() {
        use Fate::{Adopted, Copied, Excluded, Failed, Held, Withdrawn};
        use OnTarget::{MayBe, Ours, Theirs, Unknown, Vanished};
        let before = flags("\\Seen A");
        let now = flags("\\Flagged A");
        let travels = AtSource::Read { flags: &now, verdict: Verdict::Travels };
        let barred = AtSource::Read { flags: &now, verdict: Verdict::CannotBeHeld(Cause::Nul) };
        let listed = AtSource::Listed { flags: &now };
        let unreadable = AtSource::Unreadable { cause: Cause::Unreadable };
        let gone = AtSource::Gone;
        let change = Intent::ChangeFlags { add: flags("\\Flagged"), take: flags("\\Seen") };
        let gain = Intent::ChangeFlags { add: flags("\\Flagged"), take: Flags::NONE };
        let any = [Unknown, Ours, Theirs, MayBe, Vanished];
        let there = [Unknown, Ours, Theirs, MayBe];
        let every = [Copied, Adopted, Excluded, Failed, Held, Withdrawn];

        type Row<'r> = (&'r AtSource<'r>, &'r [Option<Fate>], &'r [OnTarget], Setting, Intent);
        let new = [None];
        let new_or_failed = [None, Some(Failed)];
        let rows: Vec<Row<'_>> = vec![
            // New, or failed before and read again.
            (&travels, &new_or_failed, &[Unknown, Vanished], PLAIN, Intent::Copy),
            (&travels, &new_or_failed, &[Ours], PLAIN, Intent::Own),
            (&travels, &new_or_failed, &[Theirs], PLAIN, Intent::Adopt),
            (&travels, &new_or_failed, &[MayBe], PLAIN, Intent::Hold(Cause::Ambiguous)),
            (&barred, &new_or_failed, &[Unknown, Vanished, MayBe], PLAIN, Intent::Fail(Cause::Nul)),
            (&barred, &new_or_failed, &[Ours], PLAIN, Intent::Own),
            (&barred, &new_or_failed, &[Theirs], PLAIN, Intent::Adopt),
            (&listed, &new, &any, PLAIN, Intent::Copy),
            (&unreadable, &new_or_failed, &any, PLAIN, Intent::Fail(Cause::Unreadable)),
            (&gone, &new, &any, PLAIN, Intent::Nothing),
            // On the target: flags follow, both ways for ours, gaining only for adopted ones.
            (&travels, &[Some(Copied)], &there, PLAIN, change.clone()),
            (&barred, &[Some(Copied)], &there, PLAIN, change.clone()),
            (&listed, &[Some(Copied)], &there, PLAIN, change.clone()),
            (&listed, &[Some(Copied)], &there, IN_USE, change.clone()),
            (&listed, &[Some(Adopted)], &there, PLAIN, gain.clone()),
            (&travels, &[Some(Adopted)], &there, PLAIN, gain.clone()),
            (&barred, &[Some(Adopted)], &there, PLAIN, gain.clone()),
            (&listed, &[Some(Adopted)], &there, Setting { adopted_follow: true, ..PLAIN }, change.clone()),
            // Gone from the target: its person's doing when they work there, else to be copied again.
            (&listed, &[Some(Copied), Some(Adopted)], &[Vanished], IN_USE, Intent::Withdraw),
            (&listed, &[Some(Copied), Some(Adopted)], &[Vanished], PLAIN, Intent::Copy),
            (&travels, &[Some(Copied), Some(Adopted)], &[Vanished], PLAIN, Intent::Copy),
            (&barred, &[Some(Copied), Some(Adopted)], &[Vanished], PLAIN, Intent::Copy),
            // Fates that only a person or the policy changes.
            (&travels, &[Some(Excluded), Some(Held), Some(Withdrawn)], &any, PLAIN, Intent::Nothing),
            (&barred, &[Some(Excluded), Some(Held), Some(Withdrawn)], &any, PLAIN, Intent::Nothing),
            (&listed, &[Some(Excluded), Some(Held), Some(Withdrawn)], &any, RETRY, Intent::Nothing),
            (&listed, &[Some(Failed)], &any, PLAIN, Intent::Nothing),
            (&listed, &[Some(Failed)], &any, RETRY, Intent::Copy),
            (
                &unreadable,
                &[Some(Copied), Some(Adopted), Some(Excluded), Some(Held), Some(Withdrawn)],
                &any,
                PLAIN,
                Intent::Nothing,
            ),
            // Gone from the source.
            (&gone, &[Some(Copied)], &there, PLAIN, Intent::HoldRemoval),
            (&gone, &[Some(Copied)], &[Vanished], PLAIN, Intent::Forget),
            (
                &gone,
                &[Some(Adopted), Some(Excluded), Some(Failed), Some(Held), Some(Withdrawn)],
                &any,
                PLAIN,
                Intent::Forget,
            ),
        ];
        let mut covered = std::collections::HashSet::new();
        for (source, fates, targets, setting, expected) in rows {
            for fate in fates {
                for target in targets {
                    let ledger = fate.map_or(InLedger::Nothing, |fate| InLedger::Known { fate, source_flags: &before });
                    let decided = decide(source, &ledger, *target, setting);
                    assert_eq!(decided, expected, "{source:?} {ledger:?} {target:?} {setting:?}");
                    covered.insert(format!("{source:?} {fate:?} {target:?}"));
                }
            }
        }
        for source in [&travels, &barred, &listed, &unreadable, &gone] {
            for fate in std::iter::once(None).chain(every.into_iter().map(Some)) {
                for target in any {
                    let case = format!("{source:?} {fate:?} {target:?}");
                    assert!(covered.contains(&case), "the table lacks {case}");
                }
            }
        }
    }

    #[test]
    fn a_second_look_at_the_same_flags_does_nothing() {
        let same = flags("\\Seen work");
        let other_case = flags("\\SEEN Work");
        let ledger = InLedger::Known { fate: Fate::Copied, source_flags: &same };
        assert_eq!(
            decide(&AtSource::Listed { flags: &other_case }, &ledger, OnTarget::Unknown, PLAIN),
            Intent::Nothing
        );
    }
}
