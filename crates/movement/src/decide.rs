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
    /// Record that a rule leaves it behind.
    Leave,
    /// Wait for a person's word.
    Hold(Cause),
    /// Record that its person removed it on the target.
    Withdraw,
    /// The source has it no more, the target still does, and it is ours: it goes there, too, once every folder was read and
    /// it is not found to have moved.
    Remove,
    /// The source has it no more, and there is nothing of ours on the target.
    Forget,
    /// The source has it no more and is being left: its copy stays, whatever its person did with it there.
    Keep,
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
    /// Is the source being left? Then only what is new there counts: no flag and no removal is followed.
    pub is_frozen: bool,
}

/// Decides.
pub fn decide(source: &AtSource<'_>, ledger: &InLedger<'_>, target: OnTarget, setting: Setting) -> Intent {
    match (source, ledger) {
        (AtSource::Gone, InLedger::Nothing) => Intent::Nothing,
        (AtSource::Gone, InLedger::Known { fate: Fate::Copied | Fate::Adopted, .. }) if setting.is_frozen => {
            Intent::Keep
        }
        (AtSource::Gone, InLedger::Known { fate, .. }) => {
            let is_ours = *fate == Fate::Copied || (*fate == Fate::Adopted && setting.adopted_follow);
            if is_ours && target != OnTarget::Vanished { Intent::Remove } else { Intent::Forget }
        }

        (AtSource::Unreadable { cause }, InLedger::Nothing) => Intent::Fail(*cause),
        (AtSource::Unreadable { cause }, InLedger::Known { fate: Fate::Failed | Fate::Excluded, .. }) => {
            Intent::Fail(*cause)
        }
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
        (_, Verdict::LeftBehind) => Intent::Leave,
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
        (Fate::Copied | Fate::Adopted, _) if setting.is_frozen => Intent::Nothing,
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
        // Rules may ask for the flags, so other ones are judged anew; and whoever reads it again wants that.
        (Fate::Excluded, _) => match source {
            AtSource::Read { verdict, .. } => decide_new(*verdict, target),
            _ if flags != source_flags => Intent::Copy,
            _ => Intent::Nothing,
        },
        (Fate::Held | Fate::Withdrawn, _) => Intent::Nothing,
    }
}

/// What is left of a change of flags, given what their person did on the target: `base` as we left them there, `now` as they
/// are. A flag that its person has put on or taken off there stays as it is.
pub fn three_way(add: &Flags, take: &Flags, base: &Flags, now: &Flags) -> (Flags, Flags) {
    let taken_off_there = base.without(now);
    let put_on_there = now.without(base);
    (add.without(&taken_off_there).without(now), take.without(&put_on_there).intersection(now))
}

/// What is known of a removal when it is about to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AboutToGo<'r> {
    /// A person has said yes.
    pub is_approved: bool,
    /// The item on the target: none when it is there no more; else whether its flags are as we left them.
    pub is_as_left: Option<bool>,
    /// The rule by which all removals of this mailbox wait, if one does.
    pub held_by: Option<&'r str>,
}

/// What to do about a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Going<'r> {
    /// Nothing: it is gone.
    IsGone,
    /// Remove it, unless it changes between.
    Remove,
    /// Wait for a person's word, by this rule.
    Hold(&'r str),
}

/// An item that its person changed on the target is kept.
pub const CHANGED_ON_TARGET: &str = "changed-on-target";

/// Decides about a removal.
pub fn decide_removal<'r>(about: &AboutToGo<'r>) -> Going<'r> {
    match (about.is_as_left, about.is_approved, about.held_by) {
        (None, _, _) => Going::IsGone,
        (_, true, _) => Going::Remove,
        (_, false, Some(rule)) => Going::Hold(rule),
        (Some(false), false, None) => Going::Hold(CHANGED_ON_TARGET),
        (Some(true), false, None) => Going::Remove,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Setting = Setting { in_use: false, retry_failed: false, adopted_follow: false, is_frozen: false };
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
        let left = AtSource::Read { flags: &now, verdict: Verdict::LeftBehind };
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
        let new_or_failed = [None, Some(Failed), Some(Excluded)];
        let rows: Vec<Row<'_>> = vec![
            // New, or failed before and read again.
            (&travels, &new_or_failed, &[Unknown, Vanished], PLAIN, Intent::Copy),
            (&travels, &new_or_failed, &[Ours], PLAIN, Intent::Own),
            (&travels, &new_or_failed, &[Theirs], PLAIN, Intent::Adopt),
            (&travels, &new_or_failed, &[MayBe], PLAIN, Intent::Hold(Cause::Ambiguous)),
            (&barred, &new_or_failed, &[Unknown, Vanished, MayBe], PLAIN, Intent::Fail(Cause::Nul)),
            (&barred, &new_or_failed, &[Ours], PLAIN, Intent::Own),
            (&barred, &new_or_failed, &[Theirs], PLAIN, Intent::Adopt),
            (&left, &new_or_failed, &[Unknown, Vanished, MayBe], PLAIN, Intent::Leave),
            (&left, &new_or_failed, &[Ours], PLAIN, Intent::Own),
            (&left, &new_or_failed, &[Theirs], PLAIN, Intent::Adopt),
            (&listed, &new, &any, PLAIN, Intent::Copy),
            (&unreadable, &new_or_failed, &any, PLAIN, Intent::Fail(Cause::Unreadable)),
            (&gone, &new, &any, PLAIN, Intent::Nothing),
            // On the target: flags follow, both ways for ours, gaining only for adopted ones.
            (&travels, &[Some(Copied)], &there, PLAIN, change.clone()),
            (&barred, &[Some(Copied)], &there, PLAIN, change.clone()),
            (&left, &[Some(Copied)], &there, PLAIN, change.clone()),
            (&listed, &[Some(Copied)], &there, PLAIN, change.clone()),
            (&listed, &[Some(Copied)], &there, IN_USE, change.clone()),
            (&listed, &[Some(Adopted)], &there, PLAIN, gain.clone()),
            (&travels, &[Some(Adopted)], &there, PLAIN, gain.clone()),
            (&barred, &[Some(Adopted)], &there, PLAIN, gain.clone()),
            (&left, &[Some(Adopted)], &there, PLAIN, gain.clone()),
            (&listed, &[Some(Adopted)], &there, Setting { adopted_follow: true, ..PLAIN }, change.clone()),
            // Gone from the target: its person's doing when they work there, else to be copied again.
            (&listed, &[Some(Copied), Some(Adopted)], &[Vanished], IN_USE, Intent::Withdraw),
            (&listed, &[Some(Copied), Some(Adopted)], &[Vanished], PLAIN, Intent::Copy),
            (&travels, &[Some(Copied), Some(Adopted)], &[Vanished], PLAIN, Intent::Copy),
            (&barred, &[Some(Copied), Some(Adopted)], &[Vanished], PLAIN, Intent::Copy),
            (&left, &[Some(Copied), Some(Adopted)], &[Vanished], PLAIN, Intent::Copy),
            // Left behind, with other flags now: judged anew.
            (&listed, &[Some(Excluded)], &any, PLAIN, Intent::Copy),
            // Fates that only a person changes.
            (&travels, &[Some(Held), Some(Withdrawn)], &any, PLAIN, Intent::Nothing),
            (&barred, &[Some(Held), Some(Withdrawn)], &any, PLAIN, Intent::Nothing),
            (&left, &[Some(Held), Some(Withdrawn)], &any, PLAIN, Intent::Nothing),
            (&listed, &[Some(Held), Some(Withdrawn)], &any, RETRY, Intent::Nothing),
            (&listed, &[Some(Failed)], &any, PLAIN, Intent::Nothing),
            (&listed, &[Some(Failed)], &any, RETRY, Intent::Copy),
            (&unreadable, &[Some(Copied), Some(Adopted), Some(Held), Some(Withdrawn)], &any, PLAIN, Intent::Nothing),
            // Gone from the source.
            (&gone, &[Some(Copied)], &there, PLAIN, Intent::Remove),
            (&gone, &[Some(Copied)], &[Vanished], PLAIN, Intent::Forget),
            (&gone, &[Some(Adopted)], &there, Setting { adopted_follow: true, ..PLAIN }, Intent::Remove),
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
        for source in [&travels, &barred, &left, &listed, &unreadable, &gone] {
            for fate in std::iter::once(None).chain(every.into_iter().map(Some)) {
                for target in any {
                    let case = format!("{source:?} {fate:?} {target:?}");
                    assert!(covered.contains(&case), "the table lacks {case}");
                }
            }
        }
    }

    /// The same table for a source that is being left, as far as it is another: nothing on the target is changed, and what is new
    /// comes as before.
    #[test]
    fn from_a_frozen_source_only_additions_come() {
        use OnTarget::{MayBe, Ours, Theirs, Unknown, Vanished};
        let frozen = Setting { in_use: true, is_frozen: true, ..PLAIN };
        let (before, now) = (flags("\\Seen A"), flags("\\Flagged A"));
        let travels = AtSource::Read { flags: &now, verdict: Verdict::Travels };
        let left = AtSource::Read { flags: &now, verdict: Verdict::LeftBehind };
        let (listed, gone) = (AtSource::Listed { flags: &now }, AtSource::Gone);
        let unreadable = AtSource::Unreadable { cause: Cause::Unreadable };
        for retry_failed in [false, true] {
            for adopted_follow in [false, true] {
                let setting = Setting { retry_failed, adopted_follow, ..frozen };
                let open = Setting { is_frozen: false, ..setting };
                for source in [&travels, &left, &listed, &unreadable, &gone] {
                    for target in [Unknown, Ours, Theirs, MayBe, Vanished] {
                        for fate in std::iter::once(None).chain(Fate::EVERY.into_iter().map(Some)) {
                            let known = |fate| InLedger::Known { fate, source_flags: &before };
                            let ledger = fate.map_or(InLedger::Nothing, known);
                            let decided = decide(source, &ledger, target, setting);
                            let expected = match decide(source, &ledger, target, open) {
                                Intent::ChangeFlags { .. } => Intent::Nothing,
                                Intent::Remove | Intent::Forget
                                    if matches!(fate, Some(Fate::Copied | Fate::Adopted)) =>
                                {
                                    Intent::Keep
                                }
                                same => same,
                            };
                            assert_eq!(decided, expected, "{source:?} {ledger:?} {target:?} {setting:?}");
                            let changes = matches!(decided, Intent::ChangeFlags { .. } | Intent::Remove);
                            assert!(!changes, "{source:?} {ledger:?} {target:?}");
                        }
                    }
                }
            }
        }
    }

    /// Every flag by where it is: before and now at the source, as left and now on the target.
    #[test]
    fn flags_follow_the_source_unless_their_person_touched_them_on_the_target() {
        for case in 0..16u8 {
            let f = |bit: u8| if case & (1 << bit) == 0 { Flags::NONE } else { flags("F") };
            let (was, is, left, now) = (f(0), f(1), f(2), f(3));
            let (add, take) = three_way(&is.without(&was), &was.without(&is), &left, &now);
            let ends = now.without(&take).union(&add);
            let expected = if left != now || was == is { &now } else { &is };
            assert_eq!(ends, *expected, "source {was:?} → {is:?}, target {left:?} → {now:?}");
            assert!(add.is_empty() || take.is_empty());
            assert!(add.intersection(&now).is_empty() && take.without(&now).is_empty(), "nothing is sent in vain");
        }
    }

    #[test]
    fn an_item_that_its_person_changed_stays_until_somebody_says_that_it_may_go() {
        let decided =
            |is_approved, is_as_left, held_by| decide_removal(&AboutToGo { is_approved, is_as_left, held_by });
        for is_approved in [false, true] {
            for held_by in [None, Some("rule")] {
                assert_eq!(decided(is_approved, None, held_by), Going::IsGone);
            }
            assert_eq!(decided(true, Some(is_approved), Some("rule")), Going::Remove);
            assert_eq!(decided(false, Some(is_approved), Some("rule")), Going::Hold("rule"));
        }
        assert_eq!(decided(false, Some(true), None), Going::Remove);
        assert_eq!(decided(false, Some(false), None), Going::Hold(CHANGED_ON_TARGET));
        assert_eq!(decided(true, Some(false), None), Going::Remove);
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
