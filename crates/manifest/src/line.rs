//! The lines of a manifest, and the one way each is written. `docs/manifest.md` says the same for whoever reads a manifest
//! without Whimbrel.
//!
//! A line is JSON, written in one way only: these keys in this order, no spaces, nothing escaped that need not be. What is
//! hashed is the line as it stands, so a reader needs no rules for writing; that it is written in the one way is checked by
//! writing it again.

use model::{Digest, Fate, Flags, ItemId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::tree::leaf;

/// The version of the form.
pub const VERSION: u32 = 1;
/// A line is never longer: a folder's path and two names are far below this.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// No name, rule or code in a line is longer, but those of folders.
pub const NAME_BYTES_MAX: usize = 1 << 10;
/// Nearly every line is shorter.
const LINE_BYTES_USUAL: usize = 768;
/// How many bytes of a hash are kept of flags, and how many a salt has.
pub const SALT_BYTES: usize = 16;

/// The rule of a leftover whose removal was under way: it may be on the target or not.
pub const UNDER_WAY: &str = "removal-under-way";

/// A line.
#[expect(clippy::large_enum_variant, reason = "nearly every line is an item, the largest")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// The first one.
    Manifest(Head),
    /// The first one of the proof of an item, which then has the lines that lead to it.
    Proof(Paths),
    /// Whose mailbox the items that follow are of. Not in a file with roots only.
    Who(Who),
    /// An item. Not in a file with roots only.
    Item(Item),
    /// A mailbox, after its items.
    Mailbox(Mailbox),
    /// A collection, after its mailboxes.
    Collection(Collection),
    /// Everything, after all collections.
    Project(Project),
    /// The signature over head and project: the last line.
    Signature(Hex<64>),
}

/// The first line: whose manifest it is, and by which key it is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Version of the form.
    pub version: u32,
    /// The organisation's code.
    pub organisation: String,
    /// Its name.
    pub name: String,
    /// The project.
    pub project: String,
    /// The policy in force when it was written.
    pub policy: String,
    /// The program that wrote it.
    pub program: String,
    /// What was chosen, when not everybody was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// When it was begun (seconds since 1970).
    pub begun: i64,
    /// The public key, Ed25519.
    pub key: Hex<32>,
}

/// Whose mailbox it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Who {
    /// What keeps names from being guessed from the line's hash.
    pub salt: Hex<SALT_BYTES>,
    /// Where it came from.
    pub source: Account,
    /// Where it went.
    pub target: Account,
    /// Did its person work at the target already? Then there are items there that are their own.
    pub in_use: bool,
}

/// A person's name at an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The endpoint's name in the project.
    pub endpoint: String,
    /// What it is: `imap`, `maildir`.
    pub kind: String,
    /// The person's name there.
    pub name: String,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// On the target, put there by us.
    Copied,
    /// On the target, put there by somebody else.
    Adopted,
    /// Left behind by a rule.
    Excluded,
    /// Could not be copied.
    Failed,
    /// Waits for a person's word.
    Held,
    /// Removed or moved on the target by its person.
    Withdrawn,
    /// No more at the source and still on the target: its removal waits for a word, or was refused. It is no item of the
    /// source and counts in no sum.
    Leftover,
}

impl From<Fate> for Outcome {
    fn from(fate: Fate) -> Self {
        match fate {
            Fate::Copied => Self::Copied,
            Fate::Adopted => Self::Adopted,
            Fate::Excluded => Self::Excluded,
            Fate::Failed => Self::Failed,
            Fate::Held => Self::Held,
            Fate::Withdrawn => Self::Withdrawn,
        }
    }
}

impl Outcome {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Copied => Fate::Copied.name(),
            Self::Adopted => Fate::Adopted.name(),
            Self::Excluded => Fate::Excluded.name(),
            Self::Failed => Fate::Failed.name(),
            Self::Held => Fate::Held.name(),
            Self::Withdrawn => Fate::Withdrawn.name(),
            Self::Leftover => "leftover",
        }
    }

    /// Is such an item on the target?
    pub fn is_on_target(self) -> bool {
        matches!(self, Self::Copied | Self::Adopted | Self::Leftover)
    }
}

/// An item: a leaf of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// What keeps the item from being guessed from the line's hash.
    pub salt: Hex<SALT_BYTES>,
    /// What became of it.
    pub fate: Outcome,
    /// What it is: `message`.
    pub kind: String,
    /// The folder at the source, from the top down.
    pub folder: Vec<String>,
    /// Under which validity its id is meant.
    pub validity: u64,
    /// What the folder calls it.
    pub id: Id,
    /// When it was received (seconds since 1970).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<i64>,
    /// What the source holds.
    pub source: Held,
    /// What a rule made of it: `replaced`, `repaired`, `left` or `noted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
    /// The rule by which it was replaced or left behind, or the loss for which it failed, or why it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The policy that the rule is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// It failed, and somebody has accepted that. Who, and why, is in the organisation's reports.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accepted: bool,
    /// What travelled, where that is not what the source holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Held>,
    /// Where it is on the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<There>,
}

/// An item's bytes and flags, as one side has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// How many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// SHA-256 of them, where they were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest32>,
    /// SHA-256 of their canonical form, version 1, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canonical1: Option<Canonical>,
    /// The salted hash of its flags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<Hex<SALT_BYTES>>,
}

/// Where an item is on the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct There {
    /// The folder, from the top down.
    pub folder: Vec<String>,
    /// Under which validity its id is meant; 0 where that is not known.
    pub validity: u64,
    /// What the folder calls it, where the target told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// SHA-256 of what the target holds, where it is known to be other than what travelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest32>,
    /// With which date it travelled (seconds since 1970), where that is not the source's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<i64>,
    /// The salted hash of its flags, where they are others than at the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<Hex<SALT_BYTES>>,
}

/// How many items, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Lines of items.
    pub items: u64,
    /// Items that the source holds.
    pub source: u64,
    /// Of these: copied.
    pub copied: u64,
    /// Of these: adopted.
    pub adopted: u64,
    /// Of these: excluded by a rule.
    pub excluded: u64,
    /// Of these: failed.
    pub failed: u64,
    /// Of these: held for a word.
    pub held: u64,
    /// Of these: withdrawn by their person.
    pub withdrawn: u64,
    /// Besides: no more at the source, still on the target.
    pub leftover: u64,
}

impl Counts {
    /// Counts an item. What the source holds is told apart from this.
    pub fn count(&mut self, outcome: Outcome) {
        self.items += 1;
        *match outcome {
            Outcome::Copied => &mut self.copied,
            Outcome::Adopted => &mut self.adopted,
            Outcome::Excluded => &mut self.excluded,
            Outcome::Failed => &mut self.failed,
            Outcome::Held => &mut self.held,
            Outcome::Withdrawn => &mut self.withdrawn,
            Outcome::Leftover => &mut self.leftover,
        } += 1;
    }

    /// Items of the source with a fate.
    pub fn with_fate(&self) -> u64 {
        let all = [self.copied, self.adopted, self.excluded, self.failed, self.held, self.withdrawn];
        all.into_iter().fold(0, u64::saturating_add)
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.items, other.items),
            (&mut self.source, other.source),
            (&mut self.copied, other.copied),
            (&mut self.adopted, other.adopted),
            (&mut self.excluded, other.excluded),
            (&mut self.failed, other.failed),
            (&mut self.held, other.held),
            (&mut self.withdrawn, other.withdrawn),
            (&mut self.leftover, other.leftover),
        ];
        for (sum, more) in pairs {
            *sum = sum.saturating_add(more);
        }
    }
}

/// A mailbox: its numbers and the root of its items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mailbox {
    /// The hash of the line that says whose it is.
    pub who: Digest32,
    /// When it was last read in full (seconds since 1970), if it ever was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<i64>,
    /// Folders at the source.
    pub folders: u64,
    /// Of these: read to their end at least once. Of the others only what has a fate counts as of the source.
    pub folders_read: u64,
    /// Its items.
    pub counts: Counts,
    /// The root of its items.
    pub root: Digest32,
}

impl Mailbox {
    /// Was it read to its end when the manifest was written?
    pub fn is_read(&self) -> bool {
        self.read.is_some() && self.folders_read == self.folders
    }
}

/// A collection: its numbers and the root of its mailboxes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    /// Its name; none for those who are in none.
    pub name: Option<String>,
    /// How many mailboxes.
    pub mailboxes: u64,
    /// Items of all of them.
    pub counts: Counts,
    /// The root of its mailboxes.
    pub root: Digest32,
}

/// Everything: the numbers and the root of all collections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// How many collections.
    pub collections: u64,
    /// How many mailboxes.
    pub mailboxes: u64,
    /// Items of all of them.
    pub counts: Counts,
    /// When the manifest was complete (seconds since 1970).
    pub ended: i64,
    /// The root of all collections.
    pub root: Digest32,
}

/// Where an item, its mailbox and its collection stand in their trees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paths {
    /// Version of the form.
    pub version: u32,
    /// The item among those of its mailbox.
    pub item: PathEntry,
    /// The mailbox among those of its collection.
    pub mailbox: PathEntry,
    /// The collection among all.
    pub collection: PathEntry,
}

/// A path, as the file has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathEntry {
    /// How many lines stand before it.
    pub index: u64,
    /// How many lines the tree has.
    pub size: u64,
    /// The hashes of the neighbours, from the line up.
    pub path: Vec<Digest32>,
}

impl From<crate::tree::Path> for PathEntry {
    fn from(path: crate::tree::Path) -> Self {
        Self { index: path.index, size: path.size, path: path.hashes.into_iter().map(Digest32).collect() }
    }
}

impl PathEntry {
    /// The root of the tree in which this line stands here.
    pub fn root(&self, line: &[u8]) -> Option<Digest> {
        let hashes = self.path.iter().map(|hash| hash.0).collect();
        crate::tree::Path { index: self.index, size: self.size, hashes }.root(leaf(line))
    }
}

/// Bytes, written as two hexadecimal digits in lower case each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> Hex<N> {
    /// The bytes that are written so; none if this is not so many bytes, or has digits in upper case.
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let digits = text.as_bytes();
        if digits.len() != 2 * N {
            return None;
        }
        let mut bytes = [0; N];
        for (byte, two) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(two[0])? << 4 | digit(two[1])?;
        }
        Some(Self(bytes))
    }
}

impl<const N: usize> Hex<N> {
    fn digits(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let both = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)]));
        let mut digits = String::with_capacity(2 * N);
        digits.extend(self.0.iter().flat_map(both));
        digits
    }
}

impl<const N: usize> std::fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.digits())
    }
}

impl<const N: usize> std::fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.digits())
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Nothing in it needs to be escaped, so it stands in the line as it is.
        let text = <&str>::deserialize(deserializer)?;
        Self::parse(text).ok_or_else(|| serde::de::Error::custom(format!("{} hexadecimal digits are expected", 2 * N)))
    }
}

/// A SHA-256, written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest32(pub Digest);

impl std::fmt::Display for Digest32 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Digest32 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Hex(*self.0.as_bytes()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Digest32 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hex = Hex::<32>::deserialize(deserializer)?;
        Digest::from_bytes(&hex.0).map(Self).ok_or_else(|| serde::de::Error::custom("a digest is expected"))
    }
}

/// The digest of a canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canonical {
    /// The bytes are their own canonical form.
    Same,
    /// The canonical form is another.
    Other(Digest),
}

impl Canonical {
    const SAME: &str = "same";

    /// The canonical digest beside this exact one.
    pub fn of(exact: Digest, canonical: Digest) -> Self {
        if exact == canonical { Self::Same } else { Self::Other(canonical) }
    }
}

impl Held {
    /// The digest of the canonical form, where it is known.
    pub fn canonical(&self) -> Option<Digest> {
        match self.canonical1? {
            Canonical::Same => Some(self.sha256?.0),
            Canonical::Other(digest) => Some(digest),
        }
    }
}

impl Serialize for Canonical {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Same => serializer.serialize_str(Self::SAME),
            Self::Other(digest) => Digest32(*digest).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Canonical {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        if text == Self::SAME {
            return Ok(Self::Same);
        }
        let digest = Hex::<32>::parse(text).and_then(|hex| Digest::from_bytes(&hex.0));
        digest.map(Self::Other).ok_or_else(|| serde::de::Error::custom("a digest or \"same\" is expected"))
    }
}

/// What a folder calls an item: a number where the id is one of 32 bits, text where it is text, else `x:` and hexadecimal
/// digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(pub ItemId);

const AS_HEX: &str = "x:";

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0.as_u32(), std::str::from_utf8(self.0.as_bytes())) {
            (Some(number), _) => serializer.serialize_u32(number),
            (None, Ok(text)) if !text.starts_with(AS_HEX) => serializer.serialize_str(text),
            _ => {
                let digits: String = self.0.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
                serializer.serialize_str(&format!("{AS_HEX}{digits}"))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u32),
            Text(String),
        }
        let bytes = match Written::deserialize(deserializer)? {
            Written::Number(number) => return Ok(Self(ItemId::from_u32(number))),
            Written::Text(text) => match text.strip_prefix(AS_HEX) {
                None => text.into_bytes(),
                Some(digits) => {
                    let two = |two: &[u8]| Hex::<1>::parse(std::str::from_utf8(two).ok()?).map(|hex| hex.0[0]);
                    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(two).collect();
                    bytes.ok_or_else(|| serde::de::Error::custom("hexadecimal digits are expected"))?
                }
            },
        };
        Ok(Self(ItemId::new(&bytes)))
    }
}

/// Flags in the one form that is hashed: in lower case (ASCII), sorted by their bytes, a space between.
pub fn flags_text(flags: &Flags) -> String {
    let mut names: Vec<String> = flags.names().map(str::to_ascii_lowercase).collect();
    names.sort_unstable();
    names.join(" ")
}

/// The salted hash of flags.
pub fn flags_hash(salt: &Hex<SALT_BYTES>, flags: &str) -> Hex<SALT_BYTES> {
    let digest = Digest::of(&[&salt.0[..], flags.as_bytes()].concat());
    let mut bytes = [0; SALT_BYTES];
    bytes.copy_from_slice(&digest.as_bytes()[..SALT_BYTES]);
    Hex(bytes)
}

impl Line {
    /// The line as it is written, without its end.
    pub fn written(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(LINE_BYTES_USUAL);
        let written = serde_json::to_writer(&mut line, self);
        assert!(written.is_ok(), "plain values can be written");
        line
    }

    /// Reads a line; none, if it is not one, or is not written in the one way.
    pub fn read(line: &[u8]) -> Option<Self> {
        let read: Self = serde_json::from_slice(line).ok()?;
        (read.has_paths() && read.is_in_bounds() && read.written() == line).then_some(read)
    }

    /// The name of its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Manifest(_) => "manifest",
            Self::Proof(_) => "proof",
            Self::Who(_) => "who",
            Self::Item(_) => "item",
            Self::Mailbox(_) => "mailbox",
            Self::Collection(_) => "collection",
            Self::Project(_) => "project",
            Self::Signature(_) => "signature",
        }
    }

    /// Is no name, rule or code in it longer than any is?
    pub fn is_in_bounds(&self) -> bool {
        let is_short = |text: &String| text.len() <= NAME_BYTES_MAX;
        match self {
            Self::Manifest(head) => {
                let all = [&head.organisation, &head.name, &head.project, &head.policy, &head.program];
                all.into_iter().chain(&head.only).all(is_short)
            }
            Self::Who(who) => {
                let of =
                    |account: &Account| [&account.endpoint, &account.kind, &account.name].into_iter().all(is_short);
                of(&who.source) && of(&who.target)
            }
            Self::Item(item) => {
                let all = [Some(&item.kind), item.how.as_ref(), item.rule.as_ref(), item.policy.as_ref()];
                all.into_iter().flatten().all(is_short)
            }
            Self::Collection(collection) => collection.name.iter().all(is_short),
            Self::Proof(_) | Self::Mailbox(_) | Self::Project(_) | Self::Signature(_) => true,
        }
    }

    /// Has each folder in it a name?
    fn has_paths(&self) -> bool {
        let Self::Item(item) = self else { return true };
        !item.folder.is_empty() && item.target.as_ref().is_none_or(|there| !there.folder.is_empty())
    }
}

/// What items are sorted by: those of the source first, by folder, kind, validity and id.
pub fn place(item: &Item) -> (bool, &[String], &str, u64, &Id) {
    (item.fate == Outcome::Leftover, &item.folder, &item.kind, item.validity, &item.id)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by what goes wrong in it")]

    use super::*;

    fn item(id: ItemId) -> Item {
        let digest = Digest32(Digest::of(b"a"));
        Item {
            salt: Hex([7; SALT_BYTES]),
            fate: Outcome::Copied,
            kind: "message".to_owned(),
            folder: vec!["INBOX".to_owned(), "a/\"\\\u{1}é\u{7f}\u{2028}".to_owned()],
            validity: u64::MAX,
            id: Id(id),
            received: Some(-1),
            source: Held { size: Some(1), sha256: Some(digest), canonical1: Some(Canonical::Same), flags: None },
            how: None,
            rule: None,
            policy: None,
            accepted: false,
            sent: None,
            target: None,
        }
    }

    #[test]
    fn a_line_is_written_in_one_way() {
        let line = Line::Item(item(ItemId::from_u32(7)));
        let written = String::from_utf8(line.written()).unwrap();
        let expected = "{\"item\":{\"salt\":\"07070707070707070707070707070707\",\"fate\":\"copied\",\"kind\":\"message\",\
            \"folder\":[\"INBOX\",\"a/\\\"\\\\\\u0001é\u{7f}\u{2028}\"],\"validity\":18446744073709551615,\"id\":7,\
            \"received\":-1,\"source\":{\"size\":1,\"sha256\":\
            \"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\",\"canonical1\":\"same\"}}}";
        assert_eq!(written, expected);
        assert_eq!(Line::read(written.as_bytes()), Some(line));
        for other in [
            written.replace("\"id\":7", "\"id\": 7"),
            written.replace("\"id\":7", "\"id\":7.0"),
            written.replace("\"id\":7", "\"id\":07"),
            written.replace("\"id\":7", "\"id\":\"\\u0041\""),
            written.replace("ca978112", "CA978112"),
            written.replace("\"received\":-1,", "\"received\":null,"),
            written.replace("\"fate\":\"copied\",\"kind\":\"message\"", "\"kind\":\"message\",\"fate\":\"copied\""),
            written.replace("\"kind\"", "\"more\":1,\"kind\""),
            written.replace("[\"INBOX\"", "[]").replace(",\"a/", ""),
            format!("{written} "),
            format!("\u{feff}{written}"),
            String::new(),
        ] {
            assert_eq!(Line::read(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_folder_has_a_name() {
        let mut nameless = item(ItemId::from_u32(7));
        nameless.folder.clear();
        assert_eq!(Line::read(&Line::Item(nameless).written()), None);
        let there = There { folder: Vec::new(), validity: 0, id: None, sha256: None, received: None, flags: None };
        let nowhere = Item { target: Some(there), ..item(ItemId::from_u32(7)) };
        assert_eq!(Line::read(&Line::Item(nowhere).written()), None);
    }

    #[test]
    fn every_id_reads_back_as_it_was() {
        for (bytes, expected) in [
            (&[0, 0, 0, 7][..], "7"),
            (b"1700000000.M1P2.host", "\"1700000000.M1P2.host\""),
            (b"", "\"\""),
            (b"x:412", "\"x:783a343132\""),
            (&[0xff, 0, 1], "\"x:ff0001\""),
        ] {
            let id = Id(ItemId::new(bytes));
            let written = serde_json::to_string(&id).unwrap();
            assert_eq!(written, expected);
            assert_eq!(serde_json::from_str::<Id>(&written).unwrap(), id);
        }
        assert!(serde_json::from_str::<Id>("\"x:4\"").is_err() && serde_json::from_str::<Id>("\"x:4G\"").is_err());
    }

    #[test]
    fn flags_are_hashed_without_regard_to_case_or_order() {
        let text = flags_text(&Flags::of(["Work", "\\Seen", "$Forwarded"]));
        assert_eq!(text, "$forwarded \\seen work");
        let salt = Hex([1; SALT_BYTES]);
        assert_eq!(
            flags_hash(&salt, &text),
            flags_hash(&salt, &flags_text(&Flags::of(["$forwarded", "work", "\\SEEN"])))
        );
        assert_ne!(flags_hash(&salt, &text), flags_hash(&Hex([2; SALT_BYTES]), &text));
    }
}
