//! Policy: which items travel. The plain one lets everything travel that the target can hold.

use serde::{Deserialize, Serialize};

use crate::{Cause, Findings, LossTable};

/// Rules of a profile, as data. Issue by issue it grows; its version is recorded with each item's fate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The profile it comes from.
    pub profile: String,
    /// The profile's version.
    pub profile_version: u32,
    /// The version of the rules the project added.
    pub version: u32,
}

/// What the policy says of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It travels.
    Travels,
    /// The target can't hold it.
    CannotBeHeld(Cause),
}

impl Policy {
    /// The plain policy: everything travels.
    pub fn plain() -> Self {
        Self { profile: "plain".to_owned(), profile_version: 1, version: 1 }
    }

    /// May an item with these findings travel to a target with these losses that takes items of at most so many bytes?
    pub fn judge(&self, found: &Findings, losses: &LossTable, size_bytes_max: Option<u64>) -> Verdict {
        if let Some(cause) = losses.bars(found) {
            Verdict::CannotBeHeld(cause)
        } else if size_bytes_max.is_some_and(|max| found.size_bytes > max) {
            Verdict::CannotBeHeld(Cause::TooLarge)
        } else {
            Verdict::Travels
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Examiner, ItemKind};

    #[test]
    fn an_item_of_exactly_the_limit_travels() {
        let found = Examiner::examine(ItemKind::Message, b"a: b\r\n\r\n");
        let judge = |max| Policy::plain().judge(&found, &LossTable::default(), max);
        assert_eq!(judge(Some(8)), Verdict::Travels);
        assert_eq!(judge(Some(7)), Verdict::CannotBeHeld(Cause::TooLarge));
        assert_eq!(judge(None), Verdict::Travels);
    }
}
