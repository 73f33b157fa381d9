//! How far removals are followed, and what may be said of an item that is to travel. The rules themselves are in `profile`.

use serde::{Deserialize, Serialize};

use crate::Cause;

/// How far removals at the source are followed without a person's word. Beyond, they are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Following {
    /// A folder that is no longer there is followed once it has been gone this long (hours).
    pub deletion_settle_hours: u32,
    /// So many removals of a mailbox at a time are always followed, however small the mailbox.
    pub removals_free: u64,
    /// More removals of a mailbox at a time are held.
    pub removals_max: u64,
    /// More than this share of a mailbox (in percent) at a time is held.
    pub removals_share_max: u8,
    /// More removals of a mailbox in one day are held.
    pub removals_a_day_max: u64,
    /// Adopted items are taken for our own: a target that nobody has used.
    pub adopted_follow: bool,
}

impl Default for Following {
    fn default() -> Self {
        Self {
            deletion_settle_hours: 24,
            removals_free: 20,
            removals_max: 1_000,
            removals_share_max: 20,
            removals_a_day_max: 2_000,
            adopted_follow: false,
        }
    }
}

impl Following {
    /// Are so many items too many to go at once from a mailbox of so many?
    pub fn is_mass(&self, gone: u64, of: u64) -> bool {
        let is_large_share = u128::from(gone) * 100 > u128::from(of) * u128::from(self.removals_share_max);
        gone > self.removals_free && (gone > self.removals_max || is_large_share)
    }
}

/// What the policy says of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It travels.
    Travels,
    /// The target can't hold it.
    CannotBeHeld(Cause),
    /// A rule leaves it behind.
    LeftBehind,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_at_once_is_a_mass() {
        let following = Following::default();
        for (gone, of, is_mass) in
            [(20, 20, false), (21, 104, true), (21, 105, false), (1_000, 5_000, false), (1_001, 100_000, true)]
        {
            assert_eq!(following.is_mass(gone, of), is_mass, "{gone} of {of}");
        }
    }
}
