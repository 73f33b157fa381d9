//! The settings of a policy: those of a profile, and those that a project writes over them. Each is a rule with an id;
//! the comments here are its documentation, in the reference manual and on the pages of `docs/profiles`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A choice that is written as a word.
macro_rules! words {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $each:literal])+ $variant:ident $word:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub enum $name { $($(#[doc = $each])+ #[serde(rename = $word)] $variant,)+ }

        impl Shown for $name {
            fn shown(&self) -> String {
                match self { $(Self::$variant => $word.to_owned(),)+ }
            }
        }
    };
}

words! {
    /// What happens to an item with a banned attachment.
    BannedAttachment {
        /// A note takes the attachment's place.
        Replace "replace",
        /// The item is not copied.
        Skip "skip",
    }
}

words! {
    /// What happens to signed and encrypted mail with a banned attachment under its seal.
    SignedMail {
        /// It travels whole, and is listed.
        Travel "travel",
        /// The item is not copied.
        Skip "skip",
        /// A note takes the attachment's place, and the signature does not match any more.
        Replace "replace",
    }
}

words! {
    /// Whether something that the target can't hold is repaired.
    Repair {
        /// It is: the item is written so that the target takes it, and its original goes to the quarantine.
        Make "make",
        /// It is not: the item fails.
        Fail "fail",
    }
}

words! {
    /// Whether items of a sort travel.
    Items {
        /// They do.
        Migrate "migrate",
        /// They are left behind, and counted.
        Leave "leave",
    }
}

words! {
    /// What becomes of folders below merged ones that go to one place.
    MergedBelow {
        /// Each has a folder of its own.
        Apart "apart",
        /// They come together, too.
        Merge "merge",
    }
}

words! {
    /// What happens to items that were on the target before.
    Adopted {
        /// They gain flags, and nothing else.
        Gain "gain",
        /// They follow the source: flags, moves and removals.
        Follow "follow",
    }
}

/// A value as a page shows it.
pub(crate) trait Shown {
    fn shown(&self) -> String;
}

impl Shown for u64 {
    fn shown(&self) -> String {
        // In groups of three digits.
        let digits = self.to_string();
        let mut shown = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                shown.push(',');
            }
            shown.push(digit);
        }
        shown
    }
}

impl Shown for u32 {
    fn shown(&self) -> String {
        u64::from(*self).shown()
    }
}

impl Shown for u8 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for String {
    fn shown(&self) -> String {
        self.lines().map(str::trim).collect::<Vec<_>>().join(" ")
    }
}

impl Shown for Vec<String> {
    fn shown(&self) -> String {
        if self.is_empty() { "none".to_owned() } else { self.join(", ") }
    }
}

impl Shown for BTreeMap<String, String> {
    fn shown(&self) -> String {
        if self.is_empty() {
            return "none".to_owned();
        }
        self.iter().map(|(from, to)| format!("{from} → {to}")).collect::<Vec<_>>().join(", ")
    }
}

impl Shown for BTreeMap<String, Vec<String>> {
    fn shown(&self) -> String {
        if self.is_empty() {
            return "none".to_owned();
        }
        self.iter().map(|(to, from)| format!("{} → {to}", from.join(", "))).collect::<Vec<_>>().join("; ")
    }
}

/// A rule as a page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleLine {
    /// The rule's id, which findings, fates and reports cite.
    pub id: &'static str,
    /// The setting's name.
    pub setting: &'static str,
    /// What it does, in a sentence.
    pub sentence: String,
    /// Its value; none where it is not set.
    pub value: Option<String>,
}

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty, $id:literal;)+) => {
        /// What travels, and what may happen without a person's word. What is left out is as the profile has it.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct Settings { $($(#[doc = $doc])+ #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<$type>,)+ }

        impl Settings {
            /// These over others: where these say nothing the others count.
            #[must_use]
            pub fn over(&self, others: &Self) -> Self {
                Self { $($name: self.$name.clone().or_else(|| others.$name.clone()),)+ }
            }

            /// Every rule with its value here.
            pub fn rules(&self) -> Vec<RuleLine> {
                vec![$(RuleLine {
                    id: $id,
                    setting: stringify!($name),
                    sentence: [$($doc.trim()),+].join(" "),
                    value: self.$name.as_ref().map(Shown::shown),
                },)+]
            }
        }
    };
}

settings! {
    /// An item of more bytes than this is too large; what is left out of it does not count.
    item_bytes_max: u64, "item-size";
    /// An attachment of more decoded bytes than this is banned.
    attachment_bytes_max: u64, "attachment-size";
    /// A mailbox whose items, those already on the target included, would reach this many bytes is not copied; strictly below
    /// passes. The column `quota` of people.csv overrides it for one person.
    quota_bytes: u64, "quota";
    /// What happens to an item with a banned attachment: `replace` (a note takes its place) or `skip`.
    banned_attachment: BannedAttachment, "banned-attachment";
    /// What happens where the banned attachment is signed or encrypted with the message: `travel` (whole), `skip`, or
    /// `replace` (the signature does not match any more).
    signed_mail: SignedMail, "signed-mail";
    /// How the note begins that takes a banned attachment's place; its name, size, SHA-256 and rule follow.
    attachment_note: String, "attachment-note";
    /// Attachments whose name ends in a dot and one of these are banned, also within messages, winmail.dat and zip
    /// archives; `{clsid}` stands for any class id of Windows.
    banned_extensions: Vec<String>, "banned-extension";
    /// These too.
    banned_extensions_also: Vec<String>, "banned-extension-also";
    /// But not these.
    banned_extensions_not: Vec<String>, "banned-extension-not";
    /// Attachments of these media types are banned; `video/*` means all of a kind.
    banned_types: Vec<String>, "banned-type";
    /// Attachments that are this by their content are banned, whatever their name.
    banned_contents: Vec<String>, "banned-content";
    /// What can't be looked into is banned where it is named here, else listed and let through.
    banned_unseen: Vec<String>, "banned-unseen";
    /// What becomes of an item with NUL bytes where the target can't hold them: `make` or `fail`. Made, a NUL in text becomes a
    /// space; a file, an attached text or a binary text with one is encoded as base64 and keeps it.
    repair_nul: Repair, "repair-nul";
    /// The same of CRs that no LF follows: in text they become line ends, a file is encoded as base64 and keeps them.
    repair_bare_cr: Repair, "repair-bare-cr";
    /// The same of items whose lines end in more than one way: in text all become CRLF, a file is encoded as base64.
    repair_line_ends: Repair, "repair-line-ends";
    /// The same of bytes above 127 in a message's header, where the target is seen to change them: they are written as encoded
    /// words and parameters, which mail programs show as the same text.
    repair_eight_bit_header: Repair, "repair-eight-bit-header";
    /// The same of lines in a message's header that are no header fields, where the target is seen to refuse them: each becomes
    /// the field X-Broken-Header.
    repair_broken_header: Repair, "repair-broken-header";
    /// The same of items whose date is still to come or before 1970, where the target is seen to refuse or change it: they
    /// travel with the date that the message itself names (its `Date`, else the newest `Received`), else with that of today.
    repair_date: Repair, "repair-date";
    /// Lines of more bytes than this are repaired: folded in a header; a text with one is encoded as quoted-printable, a file as
    /// base64. At least 78.
    line_bytes_max: u32, "repair-long-line";
    /// Whether items of the folder for deleted ones travel: `migrate` or `leave`.
    deleted_items: Items, "deleted-items";
    /// Whether items travel that are marked as deleted but still there: `migrate` (mark and all) or `leave`.
    marked_deleted: Items, "marked-deleted";
    /// Only items received on this day (UTC, as in `2015-01-31`) or later travel.
    received_from: String, "received-from";
    /// Only items received before this day (UTC) travel.
    received_before: String, "received-before";
    /// Only these folders travel, with all below them; names from the top down with `/` between.
    folders_only: Vec<String>, "folder-only";
    /// These folders are left behind, with all below them.
    folders_left: Vec<String>, "folder-left";
    /// Folders that get another name or place on the target, with all below them.
    folders_renamed: BTreeMap<String, String>, "folder-renamed";
    /// Folders that come together in one folder of the target, by its name: `Archive = ["Old mail", "INBOX/Kept"]`. A folder of
    /// that name, in whatever case, is one of them, named or not. Folders below go below it, unless they have a rule of their
    /// own.
    folders_merged: BTreeMap<String, Vec<String>>, "folder-merged";
    /// What becomes of folders below merged ones that go to one place: `apart` (the default: each keeps its own, the second under
    /// another name, and is listed) or `merge` (they come together, too).
    folders_merged_below: MergedBelow, "folder-merged-below";
    /// So many items of a million are expected to fail.
    failures_per_million_expected: u32, "failure-rate";
    /// With more than so many of a million failing, reports warn.
    failures_per_million_alert: u32, "failure-alert";
    /// Hours that a folder must have been gone from the source before it goes from the target.
    deletion_settle_hours: u32, "deletion-settle";
    /// So many removals of a mailbox at a time are followed however small it is.
    removals_free: u64, "removals-free";
    /// More removals of a mailbox at a time wait.
    removals_max: u64, "removals-max";
    /// More than this share of a mailbox at a time, in percent, waits.
    removals_share_max: u8, "removals-share";
    /// More removals of a mailbox in a day (UTC) wait.
    removals_a_day_max: u64, "removals-a-day";
    /// Items that were on the target before only `gain` flags (the default), or they `follow` the source like our own
    /// copies: only for targets that nobody has used.
    adopted: Adopted, "adopted";
}
