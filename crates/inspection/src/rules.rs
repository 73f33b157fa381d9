//! What a platform bans, as plain data. The rules come from a profile; nothing of a platform stands in the code.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::kind::Kind;

/// The rules of a platform for what messages may hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The bans, in order: the first that matches is cited.
    pub bans: Vec<Ban>,
    /// What happens to an item with something banned.
    pub disposition: Disposition,
    /// What happens to it when that lies under a signature or in something encrypted.
    pub sealed: SealedDisposition,
    /// How a note that stands in the place of an attachment begins; facts follow it.
    #[serde(default)]
    pub note: String,
}

impl Rules {
    /// Is nothing banned?
    pub fn bans_nothing(&self) -> bool {
        self.bans.is_empty()
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Its id, which findings cite.
    pub id: String,
    /// What it bans.
    pub what: Banned,
}

/// What a rule bans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Banned {
    /// Files whose name ends in a dot and one of these (small letters; `{clsid}` stands for any class id of Windows).
    Extensions(BTreeSet<String>),
    /// Media types (small letters; `video/*` for all of a kind).
    Types(BTreeSet<String>),
    /// Files that are this, whatever they are called.
    Kinds(BTreeSet<Kind>),
    /// Attachments of more than so many decoded bytes.
    LargerThan(u64),
    /// What can't be looked into, or not wholly.
    Unseen(BTreeSet<Unseen>),
}

/// What happens to an item that holds something banned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disposition {
    /// The attachment is replaced by a note.
    #[default]
    Replace,
    /// The item is not copied.
    Skip,
}

/// What happens to an item with something banned where a change breaks a signature or an encryption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealedDisposition {
    /// It travels whole; the finding is listed.
    #[default]
    Travel,
    /// The item is not copied.
    Skip,
    /// It is dealt with like anything else; the signature does not match any more.
    Replace,
}

/// What protects a part of a message, so that a change would break it or nothing can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seal {
    /// S/MIME, signed beside the text.
    SmimeSigned,
    /// S/MIME, signed or compressed, with the text inside.
    SmimeOpaque,
    /// S/MIME, encrypted.
    SmimeEncrypted,
    /// PGP/MIME, signed.
    PgpSigned,
    /// PGP/MIME, encrypted.
    PgpEncrypted,
    /// A signed PGP text within a part.
    PgpInlineSigned,
    /// An encrypted PGP text within a part.
    PgpInlineEncrypted,
}

impl Seal {
    /// Why what is under it can't be seen, if it can't.
    pub(crate) fn unseen(self) -> Option<Unseen> {
        match self {
            Self::SmimeEncrypted | Self::PgpEncrypted | Self::PgpInlineEncrypted => Some(Unseen::Encrypted),
            Self::SmimeOpaque => Some(Unseen::OpaqueSigned),
            Self::SmimeSigned | Self::PgpSigned | Self::PgpInlineSigned => None,
        }
    }
}

macro_rules! unseen {
    ($($(#[doc = $doc:literal])+ $variant:ident;)+) => {
        /// What could not be looked into, or not wholly. Each is a finding; a rule may ban it, else it is let through.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Unseen { $($(#[doc = $doc])+ $variant,)+ }

        impl Unseen {
            /// Every one.
            pub const EVERY: &[Self] = &[$(Self::$variant,)+];

            /// What it is, in a sentence.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

unseen! {
    /// An archive with a file that needs a password.
    EncryptedArchive;
    /// An archive that is damaged or cut off.
    DamagedArchive;
    /// An archive in an archive in an archive, more than are looked into.
    DeepArchive;
    /// An archive with more files, or larger ones, than are looked into.
    LargeArchive;
    /// An archive of a kind, or packed in a way, that is not looked into.
    UnknownArchive;
    /// A winmail.dat that is damaged.
    DamagedWinmail;
    /// Something encrypted.
    Encrypted;
    /// Something signed whose text is inside the signature.
    OpaqueSigned;
    /// A fragment of a message (message/partial).
    Fragment;
    /// More parts than are looked at.
    TooManyParts;
    /// Parts within parts, deeper than is looked at.
    TooDeep;
    /// A header that is longer than is read.
    LongHeader;
    /// A header or a structure that readers of mail may understand in different ways.
    Ambiguous;
    /// A content transfer encoding that is not known.
    UnknownEncoding;
    /// More findings than are listed.
    TooManyFindings;
}

/// How much of a message is looked at, at most. Whatever lies beyond is a finding, never silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Parts of a message.
    pub parts_max: u32,
    /// Parts and messages within each other.
    pub depth_max: u32,
    /// Bytes of a header's content fields.
    pub header_bytes_max: usize,
    /// Findings of a message.
    pub findings_max: usize,
    /// Archives and winmail.dats within each other.
    pub archive_depth_max: u32,
    /// Files in all archives of a message.
    pub archive_entries_max: u32,
    /// Bytes unpacked from all archives of a message.
    pub unpacked_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            parts_max: 10_000,
            depth_max: 100,
            header_bytes_max: 64 * 1024,
            findings_max: 500,
            archive_depth_max: 4,
            archive_entries_max: 5_000,
            unpacked_bytes_max: 256 << 20,
        }
    }
}

/// Why something is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The end of its name.
    Extension(String),
    /// Its media type.
    Type(String),
    /// What it is, whatever its name says.
    Kind(Kind),
    /// Its size.
    LargerThan(u64),
    /// It could not be looked into.
    Unseen(Unseen),
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Extension(extension) => write!(f, "files of the type .{extension} are not accepted"),
            Self::Type(mime) => write!(f, "files of the type {mime} are not accepted"),
            Self::Kind(kind) => write!(f, "it is {}, which is not accepted", kind.words()),
            Self::LargerThan(max) => write!(f, "attachments of more than {max} bytes are not accepted"),
            Self::Unseen(unseen) => {
                let sentence = unseen.sentence().trim_end_matches('.');
                let (first, rest) = sentence.split_at(1);
                write!(f, "{}{rest}: this is not accepted", first.to_ascii_lowercase())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_from_data() {
        let text = r#"{"bans": [{"id": "a", "what": {"extensions": ["exe"]}}, {"id": "b", "what": {"larger-than": 5}},
            {"id": "c", "what": {"kinds": ["windows-program"]}}, {"id": "d", "what": {"unseen": ["encrypted"]}}],
            "disposition": "skip", "sealed": "travel"}"#;
        let rules: Rules = serde_json::from_str(text).unwrap();
        assert_eq!(rules.bans[1].what, Banned::LargerThan(5));
        assert_eq!(rules.disposition, Disposition::Skip);
        assert!(serde_json::from_str::<Rules>(&text.replace("sealed", "seal")).is_err());
    }

    #[test]
    fn reasons_are_sentences() {
        let why = Why::Unseen(Unseen::EncryptedArchive).to_string();
        assert_eq!(why, "an archive with a file that needs a password: this is not accepted");
    }
}
