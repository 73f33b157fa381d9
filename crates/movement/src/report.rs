//! What a pass works by and what it did: sizes, times and counts.

use std::time::Duration;

use model::{Cause, Side};

/// Sizes and times of the engine, with their reasons.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// A batch is sent once it holds this many bytes: large enough that a round trip costs little, small enough that two
    /// of them fit in the room for bodies.
    pub batch_bytes: u64,
    /// Or this many items: what has to be looked for again when its outcome is lost.
    pub batch_items: usize,
    /// How long to wait before looking for a batch whose sender is gone: its last bytes may still be on their way or being
    /// written by the server.
    pub settle: Duration,
    /// How often a batch resolved after a lapsed lease is looked for again, for a sender that was only frozen.
    pub late_looks: i64,
    /// The least time between two such looks.
    pub late_look_gap: Duration,
    /// The first wait before a failed pass is tried again; each next one is twice as long.
    pub retry_wait: Duration,
    /// Who has to wait longer than this gives the mailbox back: a server's own wish how long to wait is obeyed up to this.
    pub wait_max: Duration,
    /// How often it is asked within a pass, which may last for hours, whether the mailbox may still be copied.
    pub consent_every: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            batch_bytes: 4 * 1024 * 1024,
            batch_items: 500,
            settle: Duration::from_secs(2),
            late_looks: 3,
            late_look_gap: Duration::from_secs(15),
            retry_wait: Duration::from_millis(250),
            wait_max: Duration::from_secs(600),
            consent_every: Duration::from_secs(60),
        }
    }
}

/// What a pass did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Items copied, and their bytes.
    pub copied: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Items found on the target.
    pub adopted: u64,
    /// Items left behind by a rule.
    pub left_behind: u64,
    /// Of the items copied: those with notes in place of what is banned.
    pub replaced: u64,
    /// Items that travel written otherwise, since the target could not hold them.
    pub repaired: u64,
    /// Items that no pass before this one has seen.
    pub arrived: u64,
    /// Items that failed in this pass, for the first time or again.
    pub failed: u64,
    /// Items whose flags were changed.
    pub flags_changed: u64,
    /// Folders made on the target.
    pub folders_made: u64,
    /// Items that the source has no more.
    pub gone: u64,
    /// Items that a source which is being left has no more, or has elsewhere: their copies stay where they are.
    pub left: u64,
    /// Items moved on the target, as they were moved on the source.
    pub moved: u64,
    /// Items removed from the target, as they were removed from the source.
    pub removed: u64,
    /// Removals that began to wait for a person's word.
    pub held_removals: u64,
    /// Items that their person has removed on the target.
    pub withdrawn: u64,
    /// Folders of the target removed, as they were removed from the source.
    pub folders_removed: u64,
    /// Every folder was read to its end and every item has a fate.
    pub complete: bool,
    /// What was in the way, if not.
    pub in_the_way: Option<(Cause, Option<Side>, String)>,
    /// There may be more at once: read again.
    pub again: bool,
    /// What a dry run would do, folder by folder.
    pub would: Vec<WouldDo>,
}

impl Report {
    /// Did the pass change anything, on the target or in what is known?
    pub fn changed_anything(&self) -> bool {
        let items =
            self.copied + self.adopted + self.flags_changed + self.gone + self.moved + self.removed + self.withdrawn;
        items + self.folders_made + self.folders_removed > 0
    }

    /// Was every folder read to its end, and was nothing there that no pass had seen before? Of two such passes, far enough apart, a
    /// source that is being left is empty.
    pub fn is_nothing_new(&self) -> bool {
        self.complete && self.arrived + self.copied + self.adopted == 0
    }

    pub(crate) fn blocked(&mut self, cause: Cause, side: Option<Side>, what: impl Into<String>) {
        if self.in_the_way.is_none() {
            self.in_the_way = Some((cause, side, what.into()));
        }
    }
}

/// What a dry run would do in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct WouldDo {
    /// The folder on the source.
    pub folder: String,
    /// The folder on the target.
    pub target_folder: String,
    /// Would it be made?
    pub make: bool,
    /// Items that would be copied.
    pub copy: u64,
    /// Items a rule leaves behind.
    pub leave: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Items that are there already.
    pub adopt: u64,
    /// Items that can't travel.
    pub fail: u64,
    /// Items whose flags would change.
    pub flags: u64,
    /// Items that the source has no more: they would be moved or removed, or wait for a word.
    pub gone: u64,
}
