//! Folders: where items lie, as a path of names that no platform's separator can spoil.

use crate::ItemId;
use serde::{Deserialize, Serialize};

/// The name every platform gives to the folder that new mail lands in; written in any case on the wire, so here.
pub const INBOX: &str = "INBOX";

/// A folder's place in its mailbox: the names from the top down, in Unicode.
///
/// A name may hold any character, a platform's separator too; each connector maps what its platform can't hold and says
/// so in its loss table. `INBOX` in any case is one folder when it stands at the top.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FolderPath(Vec<String>);

impl FolderPath {
    /// The path of these names, from the top down. At least one.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
        assert!(!names.is_empty(), "a folder path has at least one name");
        if names[0].eq_ignore_ascii_case(INBOX) {
            INBOX.clone_into(&mut names[0]);
        }
        Self(names)
    }

    /// The folder that new mail lands in.
    pub fn inbox() -> Self {
        Self(vec![INBOX.to_owned()])
    }

    /// Is this the folder that new mail lands in?
    pub fn is_inbox(&self) -> bool {
        self.0.len() == 1 && self.0[0] == INBOX
    }

    /// The names from the top down.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// The folder's own name, without its parents.
    pub fn name(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// The folder above, none for one at the top.
    pub fn parent(&self) -> Option<Self> {
        (self.0.len() > 1).then(|| Self(self.0[..self.0.len() - 1].to_vec()))
    }

    /// The folder of this name below this one.
    #[must_use]
    pub fn child(&self, name: impl Into<String>) -> Self {
        let mut names = self.0.clone();
        names.push(name.into());
        Self(names)
    }
}

impl std::fmt::Display for FolderPath {
    /// For people: names joined by `/`; a `/` or `\` inside a name is written with a `\` before it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, name) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str("/")?;
            }
            for c in name.chars() {
                match c {
                    '/' | '\\' => write!(f, "\\{c}")?,
                    c if c.is_control() => write!(f, "{}", c.escape_default())?,
                    c => write!(f, "{c}")?,
                }
            }
        }
        Ok(())
    }
}

/// What a folder is for (RFC 6154, and the Exchange folders of the other kinds later).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpecialUse {
    /// All messages: a view, not a place; never copied, since its items lie elsewhere too.
    All,
    /// Kept for the record.
    Archive,
    /// Messages being written.
    Drafts,
    /// Flagged messages: a view, not a place.
    Flagged,
    /// Important messages (RFC 8457): a view, not a place.
    Important,
    /// Unwanted messages.
    Junk,
    /// Messages sent.
    Sent,
    /// Messages deleted.
    Trash,
}

impl SpecialUse {
    /// Every special use.
    pub const EVERY: [Self; 8] =
        [Self::All, Self::Archive, Self::Drafts, Self::Flagged, Self::Important, Self::Junk, Self::Sent, Self::Trash];

    /// The attribute of RFC 6154 and RFC 8457, with its backslash.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::All => "\\All",
            Self::Archive => "\\Archive",
            Self::Drafts => "\\Drafts",
            Self::Flagged => "\\Flagged",
            Self::Important => "\\Important",
            Self::Junk => "\\Junk",
            Self::Sent => "\\Sent",
            Self::Trash => "\\Trash",
        }
    }

    /// The use with this attribute, in any case (Cyrus writes them in lower case).
    pub fn from_attribute(attribute: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|known| known.attribute().eq_ignore_ascii_case(attribute))
    }
}

/// Where a folder stands, in four numbers: two equal states mean that nothing changed between.
///
/// For IMAP: UIDVALIDITY, UIDNEXT, MESSAGES and HIGHESTMODSEQ (0 where not offered). Files: a constant, a sum over the
/// names, their number, a sum over names with flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FolderState {
    /// Ids mean the same items for as long as this is the same.
    pub validity: u64,
    /// Changes whenever an item is added; never 0.
    pub next: u64,
    /// How many items.
    pub count: u64,
    /// Changes whenever anything does; 0 when the platform has no such number.
    pub change: u64,
}

impl FolderState {
    /// The beginning of a folder of this validity, as a mark: nothing was there yet.
    pub fn beginning(validity: u64) -> Self {
        Self { validity, next: 1, count: 0, change: 0 }
    }

    /// Do these two prove that nothing changed between? Only where the platform counts changes of flags too.
    pub fn proves_unchanged(&self, earlier: &Self) -> bool {
        self.change != 0 && self == earlier
    }

    /// The folder as it stands now, with as many items as there would be if none but those had come since `mark`: where there
    /// are fewer, some went, and whoever compares the two counts another time will notice. `came` are the ids since the mark.
    #[must_use]
    pub fn as_if_none_went<'i>(self, mark: &Self, came: impl Iterator<Item = &'i ItemId>) -> Self {
        if mark.next == 0 || mark.validity != self.validity {
            return self;
        }
        let is_of_now = |id: &&ItemId| id.as_u32().is_some_and(|id| (mark.next..self.next).contains(&u64::from(id)));
        let count = mark.count + came.filter(is_of_now).count() as u64;
        Self { count: self.count.max(count), ..self }
    }

    /// Do these two prove that no item was added or removed between?
    pub fn has_same_items(&self, earlier: &Self) -> bool {
        (self.validity, self.next, self.count) == (earlier.validity, earlier.next, earlier.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inbox_in_any_case_is_one_folder_at_the_top_only() {
        assert!(FolderPath::new(["inbox"]).is_inbox());
        assert_eq!(FolderPath::new(["InBox", "a"]), FolderPath::inbox().child("a"));
        assert_ne!(FolderPath::new(["a", "inbox"]), FolderPath::new(["a", "INBOX"]));
    }

    #[test]
    fn a_separator_inside_a_name_is_shown_escaped() {
        assert_eq!(FolderPath::new(["a/b", "c\\d", "e\nf"]).to_string(), "a\\/b/c\\\\d/e\\nf");
    }

    #[test]
    fn attribute_is_read_in_any_case() {
        assert_eq!(SpecialUse::from_attribute("\\drafts"), Some(SpecialUse::Drafts));
        assert_eq!(SpecialUse::from_attribute("Drafts"), None);
    }
}
