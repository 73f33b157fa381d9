//! What a verification found, and its verdict in a sentence.

use std::collections::BTreeMap;

use model::Cause;
use serde::Serialize;
use store::How;

use crate::state::counted;

/// Differences are kept by name up to this number a mailbox; beyond it they are only counted.
pub(super) const DIFFERENCES_MAX: usize = 1_000;

/// How an item or a folder differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// On the source, not on the target.
    Missing,
    /// On the target more often than on the source.
    Doubled,
    /// On both, with other bytes.
    ChangedBytes,
    /// On both, with another date.
    ChangedDate,
    /// On both, with another date, put there by another tool.
    AdoptedDate,
    /// On both, with other flags.
    ChangedFlags,
    /// A folder that is on the source only.
    MissingFolder,
    /// A folder that is followed on the source only.
    NotSubscribed,
}

impl Kind {
    /// Its name, as reports have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Doubled => "doubled",
            Self::ChangedBytes => "changed-bytes",
            Self::ChangedDate => "changed-date",
            Self::AdoptedDate => "adopted-date",
            Self::ChangedFlags => "changed-flags",
            Self::MissingFolder => "missing-folder",
            Self::NotSubscribed => "not-subscribed",
        }
    }
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// How it differs.
    pub kind: Kind,
    /// The folder on the source.
    pub folder: String,
    /// The item there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_item: Option<String>,
    /// The item on the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_item: Option<String>,
    /// SHA-256 of the source's bytes, or of the target's where the source has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What was expected and what was found.
    pub what: String,
}

/// What a verification found of one mailbox, or of several together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Folders of the source.
    pub folders: u64,
    /// Items of the source that were compared.
    pub items: u64,
    /// Of these: on the target.
    pub on_target: u64,
    /// Of these: can't be held by the target or failed otherwise, by cause.
    pub failed: BTreeMap<Cause, u64>,
    /// Of these: failed, and somebody has accepted their loss, by cause.
    pub accepted: BTreeMap<Cause, u64>,
    /// Of these: excluded, by rule.
    pub excluded: BTreeMap<String, u64>,
    /// Of those on the target: with notes in place of what is banned, by rule.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub replaced: BTreeMap<String, u64>,
    /// Of those on the target: written so that the target takes them, by rule.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub repaired: BTreeMap<String, u64>,
    /// Of those on the target: as earlier rules had them travel.
    pub by_earlier_rules: u64,
    /// Of these: waiting for a person's word.
    pub held: u64,
    /// Of these: removed on the target by their person.
    pub withdrawn: u64,
    /// Of these: moved at the source since that is left; their copies lie where they lay.
    #[serde(skip_serializing_if = "is_none")]
    pub moved_at_source: u64,
    /// Of these: changed while the verification went on.
    pub moving: u64,
    /// Items with flags that their person changed on the target.
    pub own_flags: u64,
    /// Items on the target that are not of the source: its person's own.
    pub others_on_target: u64,
    /// Copies on the target that it has altered and that could not be taken away again: their items have failed.
    #[serde(skip_serializing_if = "is_none")]
    pub altered_on_target: u64,
    /// Items on the target that the source has no more and whose removal waits for a word.
    pub removals_held: u64,
    /// Items on the target that the source has no more, or elsewhere, since it is left: they stay.
    #[serde(skip_serializing_if = "is_none")]
    pub kept_on_target: u64,
    /// Items that differ and that nothing explains.
    pub unexplained: u64,
    /// The differences, up to a number.
    pub differences: Vec<Difference>,
    /// Not everything was compared: so many items were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampled: Option<u64>,
}

impl Verification {
    /// Is the copy exact, and is nothing left behind?
    pub fn is_exact(&self) -> bool {
        self.unexplained == 0 && self.differences.is_empty() && self.failed.is_empty() && self.held == 0
    }

    /// The verdict, in one sentence.
    pub fn sentence(&self) -> String {
        let mut parts = vec![format!("{} on the target", plain(self.on_target))];
        for (rule, count) in &self.replaced {
            parts.push(format!("{} of them without what rule {rule} bans", plain(*count)));
        }
        for (rule, count) in &self.repaired {
            parts.push(format!("{} of them as rule {rule} had to write them", plain(*count)));
        }
        if self.by_earlier_rules > 0 {
            parts.push(format!("{} of them by earlier rules", plain(self.by_earlier_rules)));
        }
        for (rule, count) in &self.excluded {
            parts.push(format!("{} excluded by rule {rule}", plain(*count)));
        }
        for (by_cause, verb) in [(&self.failed, "failed"), (&self.accepted, "left behind with somebody's word")] {
            let count: u64 = by_cause.values().sum();
            if count > 0 {
                let causes: Vec<String> =
                    by_cause.iter().map(|(cause, count)| format!("{} {cause}", plain(*count))).collect();
                parts.push(format!("{} {verb} ({})", plain(count), causes.join(", ")));
            }
        }
        if self.held > 0 {
            parts.push(format!("{} held for a word", plain(self.held)));
        }
        if self.withdrawn > 0 {
            parts.push(format!("{} withdrawn by their person", plain(self.withdrawn)));
        }
        if self.moved_at_source > 0 {
            parts.push(format!("{} moved at the source since it is left", plain(self.moved_at_source)));
        }
        if self.moving > 0 {
            parts.push(format!("{} moving", plain(self.moving)));
        }
        if self.kept_on_target > 0 {
            parts.push(format!("{} beside them that the source has no more there", plain(self.kept_on_target)));
        }
        if self.altered_on_target > 0 {
            parts.push(format!("{} beside them altered by the target", plain(self.altered_on_target)));
        }
        parts.push(format!("{} unexplained", plain(self.unexplained)));
        let items = counted(self.items, if self.sampled.is_some() { "sampled item" } else { "item" });
        format!("{items} of {}: {}.", counted(self.folders, "folder"), parts.join(", "))
    }

    /// Adds what was found of another mailbox.
    pub fn add(&mut self, other: Self) {
        self.folders += other.folders;
        self.items += other.items;
        self.on_target += other.on_target;
        for (cause, count) in other.failed {
            *self.failed.entry(cause).or_default() += count;
        }
        for (cause, count) in other.accepted {
            *self.accepted.entry(cause).or_default() += count;
        }
        self.held += other.held;
        for (rule, count) in other.excluded {
            *self.excluded.entry(rule).or_default() += count;
        }
        for (rule, count) in other.replaced {
            *self.replaced.entry(rule).or_default() += count;
        }
        for (rule, count) in other.repaired {
            *self.repaired.entry(rule).or_default() += count;
        }
        self.by_earlier_rules += other.by_earlier_rules;
        self.withdrawn += other.withdrawn;
        self.moved_at_source += other.moved_at_source;
        self.moving += other.moving;
        self.own_flags += other.own_flags;
        self.others_on_target += other.others_on_target;
        self.altered_on_target += other.altered_on_target;
        self.removals_held += other.removals_held;
        self.kept_on_target += other.kept_on_target;
        self.unexplained += other.unexplained;
        self.differences.extend(other.differences);
        self.sampled = match (self.sampled, other.sampled) {
            (None, None) => None,
            (one, other) => Some(one.unwrap_or_default() + other.unwrap_or_default()),
        };
    }

    /// How many are written otherwise than the source has them, by this rule.
    pub(super) fn rewritten(&mut self, (how, rule): (How, &str)) -> &mut u64 {
        let by_rule = if how == How::Repaired { &mut self.repaired } else { &mut self.replaced };
        by_rule.entry(rule.to_owned()).or_default()
    }

    pub(crate) fn differ(&mut self, difference: Difference) {
        self.unexplained += 1;
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(difference);
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(number: &u64) -> bool {
    *number == 0
}

fn plain(number: u64) -> String {
    counted(number, "").trim_end_matches([' ', 's']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_one_sentence() {
        let mut verification = Verification { folders: 12, items: 1748, on_target: 1745, ..Verification::default() };
        verification.excluded.insert("banned-attachment".to_owned(), 3);
        assert_eq!(
            verification.sentence(),
            "1,748 items of 12 folders: 1,745 on the target, 3 excluded by rule banned-attachment, 0 unexplained."
        );
        assert!(verification.is_exact());
        verification.failed.insert(Cause::Nul, 2);
        verification.failed.insert(Cause::BareCr, 1);
        assert_eq!(
            verification.sentence(),
            "1,748 items of 12 folders: 1,745 on the target, 3 excluded by rule banned-attachment, \
             3 failed (2 nul, 1 bare-cr), 0 unexplained."
        );
        assert!(!verification.is_exact());
        verification.accepted = std::mem::take(&mut verification.failed);
        assert!(verification.is_exact(), "{}", verification.sentence());
        let one = Verification { folders: 1, items: 1, on_target: 1, ..Verification::default() };
        assert_eq!(one.sentence(), "1 item of 1 folder: 1 on the target, 0 unexplained.");
    }
}
