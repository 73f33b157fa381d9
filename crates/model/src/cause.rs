//! Why something did not happen: one list of classes for the whole project, each with what to do about it (R-167, R-168).

use serde::{Deserialize, Serialize};

/// Which side of a migration something is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Where people's data comes from.
    Source,
    /// Where it goes.
    Target,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// How far a failure reaches: everything smaller goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// One item; the others of its folder go on.
    Item,
    /// One folder; the others of its mailbox go on.
    Folder,
    /// This connection; another one to the same store may work.
    Connection,
    /// One mailbox; other people's go on.
    Mailbox,
    /// The whole run.
    Run,
}

/// Who has to act about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// Whoever runs the source, or the item's person there.
    Source,
    /// Whoever runs the target.
    Target,
    /// Whoever runs the migration.
    Project,
}

impl Owner {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
            Self::Project => "project",
        }
    }
}

macro_rules! causes {
    ($($(#[doc = $doc:literal])+ $variant:ident $code:literal $advice:literal;)+) => {
        /// The class of a failure. Its code is what reports, filters and other tools rely on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Cause { $($(#[doc = $doc])+ $variant,)+ }

        impl Cause {
            /// Every class.
            pub const EVERY: &[Self] = &[$(Self::$variant,)+];

            /// The class's stable code.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// What it is, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// What a person should do about it.
            pub fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)+ }
            }
        }
    };
}

causes! {
    /// The server could not be reached, or the connection broke.
    Connection "connection" "Check the host, the port and the network between; Whimbrel tries again on its next run.";
    /// The server's certificate or the TLS handshake was refused.
    Tls "tls" "Check the certificate's name and issuer; give a private CA with ca_file.";
    /// The login was refused.
    Login "login" "Check the account's name and password on that side, and that it is not locked or disabled.";
    /// The login worked, but it could not be shown that it reached this person's store.
    NotTheirStore "not-their-store" "Check the impersonation setting and the migrator's rights on that server; nothing was written.";
    /// Two people of the project reach one and the same store.
    SharedStore "shared-store" "Two rows of people.csv reach the same mailbox: correct or remove one of them.";
    /// The account may not do this.
    Permission "permission" "Give whoever logs in or runs Whimbrel the missing right on that side.";
    /// The mailbox or folder is not there.
    Missing "missing" "Check the name; create the mailbox on that side if it should be there.";
    /// The server asks to go slower.
    Throttled "throttled" "Nothing to do: Whimbrel waits as long as the server asks, then goes on.";
    /// The server can't just now.
    Unavailable "unavailable" "Nothing to do at once: Whimbrel tries again. If it lasts, look at that server's own log.";
    /// The mailbox does not fit into its quota, or the target has no room left.
    OverQuota "over-quota" "Have its person remove mail on either side, raise the quota (that of the target mailbox, quota in people.csv, or policy.quota_bytes), or make room on the target's disk; the next run goes on by itself.";
    /// The item is larger than the target takes.
    TooLarge "too-large" "Raise the size limit on the target, or agree with the person to leave the item behind.";
    /// The item holds a NUL byte, which the target can't hold.
    Nul "nul" "Have it repaired by the rules (policy.repair_nul), or agree with the person to leave it behind; it stays on the source.";
    /// The item holds a CR without LF, which the target can't hold.
    BareCr "bare-cr" "Have it repaired by the rules (policy.repair_bare_cr), or agree with the person to leave it behind; it stays on the source.";
    /// The item's lines end in more than one way, which the target can't hold.
    MixedLineEnds "mixed-line-ends" "Have it repaired by the rules (policy.repair_line_ends), or agree with the person to leave it behind; it stays on the source.";
    /// The item has a byte above 127 in its header, and the target is seen to change such bytes.
    EightBitHeader "eight-bit-header" "Have it repaired by the rules (policy.repair_eight_bit_header), let the target keep such bytes (in Cyrus: munge8bit: no), or agree with the person to leave the item behind.";
    /// The item was received at a time that is still to come, and the target is seen to put another in its place.
    FutureDate "future-date" "Have its date repaired by the rules (policy.repair_date), or correct it on the source; else it is copied once that time has come.";
    /// By its date the item was received before 1970 or after February 2106, which the target refuses or is seen to change.
    DateOutOfRange "date-out-of-range" "Have its date repaired by the rules (policy.repair_date), correct it on the source, or agree with the person to leave it behind.";
    /// The item's header holds a line that is no header field, and the target refuses that.
    BrokenHeader "broken-header" "Have it repaired by the rules (policy.repair_broken_header), or agree with the person to leave it behind; it stays on the source.";
    /// The scanner finds malware in the item.
    Infected "infected" "Tell the person and the security team; the item stays on the source. Accept its loss, or clean it there and run again.";
    /// The scanner does not take the item, so it was not looked at.
    NotScanned "not-scanned" "Raise the scanner's limit (StreamMaxLength of clamd), then run again.";
    /// The source lists the item but does not give its bytes.
    Unreadable "unreadable" "Open the item in the source mailbox; repair or remove it there, then run again.";
    /// The item is larger than the space for held items.
    NoRoomToHold "no-room-to-hold" "Raise spool_bytes_max or free space where temporary files are kept, then run again.";
    /// The target refused the item and did not say a class of its own.
    Refused "refused" "See the server's words; correct the item or the server, then run again.";
    /// The target refused the folder.
    FolderRefused "folder-refused" "See the server's words; rename the folder on the source, or allow the name on the target.";
    /// Two source folders would become one on the target.
    FolderCollision "folder-collision" "Rename one of the two folders on the source.";
    /// What is on the target may or may not be this item.
    Ambiguous "ambiguous" "Compare the two items that `whimbrel held list` names; approve if they are two messages, reject if they are one. It is copied by itself once the other is gone.";
    /// The target keeps other bytes than it was given.
    Altered "altered" "The target rewrites messages in a way that is not declared for it; nothing more is copied to this mailbox.";
    /// A folder was made anew on the target behind Whimbrel's back.
    TargetRenumbered "target-renumbered" "Nothing to do: the next pass finds out which item is which. If it happens again and again, find out who makes the folder anew.";
    /// Many items went from the target at once.
    MassDisappearance "mass-disappearance" "Find out who removed them, and bring them back if it was a mistake. If it is as it should be, say so with `whimbrel held approve`.";
    /// Something that is not ours sends the person's mail on, from before the move.
    Forwarded "forwarded" "Have whoever is named by `whimbrel forwarder list` remove it; the next run looks again.";
    /// The answer to a command with an effect was lost: whether it took effect is looked up.
    InDoubt "in-doubt" "Nothing to do: the next run looks for what happened before it repeats anything.";
    /// Something that a person is to do at the site has been asked for, and what came of it has not been supplied.
    Awaiting "awaiting" "Write, sign and run the script that it names, then supply what it printed: `whimbrel switch script list` shows each.";
    /// The programme of the project does not allow it at this stage, or somebody said no.
    Gated "gated" "Nothing is wrong with the mailbox: `whimbrel gate show` lists what is open and who can close it. It goes on by itself then.";
    /// This worker's lease on the mailbox ran out; another may have it.
    LeaseLapsed "lease-lapsed" "Nothing to do: whoever holds the mailbox now goes on.";
    /// Something was said that the protocol does not allow.
    Protocol "protocol" "Report it with the server's name and version; the item or folder was left as it was.";
    /// The connector can't do this with that platform.
    Unsupported "unsupported" "Use another way to reach that platform.";
    /// A local file or folder could not be read or written.
    LocalFile "local-file" "Check that the path exists, may be read and written, and that the disk is not full.";
    /// The project's database could not be used.
    Database "database" "Check that the database is there, reachable and has room; nothing was left half done.";
    /// The run was stopped by a person.
    Stopped "stopped" "Run again: it goes on where it stopped.";
    /// A mistake of this program.
    Internal "internal" "Please report it; nothing was left half done.";
}

impl Cause {
    /// Who can do something about a failure of this class.
    pub fn owner(self) -> Owner {
        match self {
            Self::Nul
            | Self::BareCr
            | Self::MixedLineEnds
            | Self::FutureDate
            | Self::DateOutOfRange
            | Self::BrokenHeader
            | Self::Infected
            | Self::Unreadable
            | Self::Forwarded
            | Self::FolderCollision => Owner::Source,
            Self::OverQuota
            | Self::TooLarge
            | Self::EightBitHeader
            | Self::Refused
            | Self::FolderRefused
            | Self::Altered
            | Self::TargetRenumbered
            | Self::MassDisappearance => Owner::Target,
            Self::Connection
            | Self::Tls
            | Self::Login
            | Self::NotTheirStore
            | Self::SharedStore
            | Self::Permission
            | Self::Missing
            | Self::Throttled
            | Self::Unavailable
            | Self::NoRoomToHold
            | Self::NotScanned
            | Self::Ambiguous
            | Self::InDoubt
            | Self::Awaiting
            | Self::Gated
            | Self::LeaseLapsed
            | Self::Protocol
            | Self::Unsupported
            | Self::LocalFile
            | Self::Database
            | Self::Stopped
            | Self::Internal => Owner::Project,
        }
    }

    /// The exit code by which imapsync tells the same, where it does: many scripts and people know those.
    pub fn imapsync(self) -> Option<u8> {
        match self {
            Self::Connection => Some(10),
            Self::Tls => Some(12),
            Self::Login => Some(16),
            Self::OverQuota => Some(113),
            Self::TooLarge | Self::Refused | Self::BrokenHeader | Self::DateOutOfRange => Some(114),
            Self::Unreadable => Some(115),
            Self::FolderRefused => Some(116),
            Self::Missing => Some(117),
            Self::Throttled => Some(118),
            Self::Infected => Some(119),
            Self::Stopped => Some(6),
            _ => None,
        }
    }

    /// The class with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::EVERY.iter().copied().find(|cause| cause.code() == code)
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_read_back() {
        for cause in Cause::EVERY {
            assert_eq!(Cause::from_code(cause.code()), Some(*cause));
        }
    }
}
