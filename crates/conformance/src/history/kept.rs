//! Histories that once failed, each with its name and the kind that it is played as.

/// A history that once failed.
pub struct Kept {
    /// What it shows.
    pub name: &'static str,
    /// The kind of histories it is of.
    pub family: &'static str,
    /// Its steps.
    pub steps: &'static str,
}

/// All of them.
pub const KEPT: &[Kept] = &[
    Kept {
        name: "a folder that its person makes where a stopped pass was about to make it stays theirs",
        family: "all, meddled with",
        steps: r"
            source create Archive
            source create Work
            pass stop 15
            source delete Work
            target create Work
        ",
    },
    Kept {
        name: "what its person moves away on the target while another is being added is copied again",
        family: "all, meddled with",
        steps: r"
            target create Archive
            source deliver s3 INBOX +\Seen
            pass
            source subscribe INBOX
            source deliver s5 INBOX +\Seen
            pass ; at 7 target move s3 INBOX Archive
        ",
    },
    Kept {
        name: "what its person removes on the target while another is being moved there is copied again",
        family: "all, meddled with",
        steps: r"
            source create work
            source deliver s1 work
            source deliver s5 INBOX +\Seen +Work
            source deliver s3 work +\Draft +Work
            pass stop 2 ; at 16 source deliver s7 INBOX ; at 19 target deliver o1 work +\Flagged +\Seen
            pass break target 23 ; at 1 source deliver s8 INBOX +\Answered ; at 4 source move s1 work INBOX
            pass ; at 6 source move s3 work INBOX ; at 8 target expunge s5 INBOX
        ",
    },
    Kept {
        name: "one of several alike that its person removes on the target twice is copied again",
        family: "all, meddled with",
        steps: r"
            source create Archive
            source deliver s1 Archive +$Forwarded
            source deliver s1 INBOX +\Answered
            source copy s1 INBOX Archive
            pass
            target expunge s1#1 Archive
            pass ; at 8 source deliver s4 INBOX +\Seen ; at 10 target expunge s1 Archive
        ",
    },
    Kept {
        name: "what its person moves back on the target after a move nobody heard the end of is copied again",
        family: "all, meddled with",
        steps: r"
            source create Work
            source deliver s1 INBOX +\Seen +$Forwarded
            source deliver s2 INBOX +\Answered
            pass
            source move s1 INBOX Work
            source flag s2 INBOX +\Draft +\Seen
            pass break-for-good target 14
            target move s1 Work INBOX
        ",
    },
    Kept {
        name: "copies in a folder numbered anew after the ledger was restored",
        family: "events, in use",
        steps: r"
            source deliver s1 INBOX +\Draft +\Seen
            source deliver s1 INBOX +\Flagged
            pass ; at 25 source create Work
            ledger-kept
            source expunge s1 INBOX
            pass
            renumber target INBOX
            source deliver s1 Work +\Draft +\Seen
            ledger-restored
        ",
    },
    Kept {
        name: "a folder that goes while its first messages are in doubt is not left empty on the target",
        family: "all",
        steps: r"
            source create Archive
            source deliver s1 Archive
            pass break-for-good target 14
            pass ; at 5 source flag s1#1 Archive +\Answered +$Forwarded ; at 5 source delete Archive
        ",
    },
    Kept {
        name: "a folder that is numbered anew on both sides comes into step again",
        family: "events",
        steps: r"
            source create Archive
            source deliver s1 INBOX
            source deliver s4 INBOX
            pass break target 25 ; at 11 source move s1 INBOX Archive ; at 14 target deliver o2 INBOX
            renumber source INBOX
            renumber target INBOX
        ",
    },
    Kept {
        name: "a flag set while a pass over a folder numbered anew is stopped reaches the target",
        family: "events, in use",
        steps: r"
            source deliver s5 INBOX
            pass
            renumber source INBOX
            pass stop 16 ; at 5 source flag s5 INBOX +\Draft -Work
        ",
    },
    Kept {
        name: "what a stopped pass has copied into a folder that is then made anew is removed or waits for a word",
        family: "all, poor",
        steps: r"
            source create Größe
            source deliver s1 INBOX
            source deliver s2 INBOX +\Deleted
            source deliver s3 Größe +\Deleted
            source copy s2 INBOX INBOX
            source deliver s6 Größe +\Draft +Work
            source subscribe INBOX
            pass stop 75 ; at 10 target deliver o3 INBOX +\Deleted +\Draft ; at 13 source deliver s7 Größe +$Forwarded
            source delete Größe
            source create Größe
        ",
    },
    Kept {
        name: "a copy that its person removes before its id was learnt does not keep the mailbox out of step",
        family: "all, poor, in use",
        steps: r"
            source create Work/2019
            source create Sent
            source create work
            source deliver s1 Work/2019 +$Forwarded
            pass break-for-good source 20 ; at 81 target expunge s1 Work/2019
            source flag s1 Work/2019 +\Flagged +\Seen
        ",
    },
    Kept {
        name: "a folder that was left on the target while nobody heard of it is followed again",
        family: "all, in use",
        steps: r"
            source subscribe INBOX
            pass
            source unsubscribe INBOX
            pass break-for-good target 6 ; at 30 target deliver o1 Mine/Private ; at 34 source subscribe INBOX
        ",
    },
    Kept {
        name: "what an earlier attempt left is not copied beside itself when its folder gets another name of the same place",
        family: "merged",
        steps: r"
            source create Archive
            source deliver s4 Archive +$Forwarded
            target create Archive
            target deliver s4 Archive +\Seen
            pass
            source rename Archive archive
        ",
    },
];

#[cfg(test)]
mod tests {
    use super::super::family::Family;
    use super::super::step::steps;
    use super::*;

    #[test]
    fn every_kept_history_can_be_read() {
        for kept in KEPT {
            Family::named(kept.family);
            assert!(!steps(kept.steps).is_empty(), "{}", kept.name);
        }
    }
}
