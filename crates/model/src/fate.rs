//! Fates: what became of each item. Every item of the source has exactly one, and they add up.

use serde::{Deserialize, Serialize};

/// What became of an item of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// On the target, put there by us: *ours*, it follows the source.
    Copied,
    /// On the target, put there by somebody else: never removed by us.
    Adopted,
    /// Left behind by a rule of the policy.
    Excluded,
    /// Could not be copied; the cause says why.
    Failed,
    /// Waits for a person's word.
    Held,
    /// Was on the target and its person removed or moved it there.
    Withdrawn,
}

impl Fate {
    /// Every fate.
    pub const EVERY: [Self; 6] =
        [Self::Copied, Self::Adopted, Self::Excluded, Self::Failed, Self::Held, Self::Withdrawn];

    /// The number that the ledger writes; never changes.
    pub fn number(self) -> i64 {
        self as i64 + 1
    }

    /// The fate with this ledger number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::EVERY.into_iter().find(|fate| fate.number() == number)
    }

    /// The fate's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Copied => "copied",
            Self::Adopted => "adopted",
            Self::Excluded => "excluded",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl std::fmt::Display for Fate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// How many items came to each fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Items the source holds, as last read.
    pub source: u64,
    /// Of these: copied.
    pub copied: u64,
    /// Of these: adopted.
    pub adopted: u64,
    /// Of these: excluded by a rule.
    pub excluded: u64,
    /// Of these: failed.
    pub failed: u64,
    /// Of these: held for a person's word.
    pub held: u64,
    /// Of these: withdrawn on the target by their person.
    pub withdrawn: u64,
    /// Bytes of the items copied or adopted.
    pub bytes: u64,
}

impl Tally {
    /// Counts one more item of this fate.
    pub fn add(&mut self, fate: Fate, count: u64) {
        *match fate {
            Fate::Copied => &mut self.copied,
            Fate::Adopted => &mut self.adopted,
            Fate::Excluded => &mut self.excluded,
            Fate::Failed => &mut self.failed,
            Fate::Held => &mut self.held,
            Fate::Withdrawn => &mut self.withdrawn,
        } += count;
    }

    /// Items with a fate. Equal to [`Self::source`] once a pass is complete, always.
    pub fn accounted(&self) -> u64 {
        self.copied + self.adopted + self.excluded + self.failed + self.held + self.withdrawn
    }

    /// Items of the source that are on the target.
    pub fn on_target(&self) -> u64 {
        self.copied + self.adopted
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.source += other.source;
        self.copied += other.copied;
        self.adopted += other.adopted;
        self.excluded += other.excluded;
        self.failed += other.failed;
        self.held += other.held;
        self.withdrawn += other.withdrawn;
        self.bytes += other.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_and_every_fate_is_counted_once() {
        let mut tally = Tally::default();
        for fate in Fate::EVERY {
            assert_eq!(Fate::from_number(fate.number()), Some(fate));
            tally.add(fate, 1);
        }
        assert_eq!(tally.accounted(), 6);
        assert_eq!(tally.on_target(), 2);
    }
}
