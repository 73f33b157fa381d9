//! Flags: what a person or their program marked an item with.

use serde::{Deserialize, Serialize};

/// A flag that every mail platform knows (RFC 9051 section 2.3.2). `\Recent` isn't one: it belongs to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SystemFlag {
    /// Answered.
    Answered,
    /// Marked for removal.
    Deleted,
    /// Not finished writing.
    Draft,
    /// Marked as urgent or to follow up.
    Flagged,
    /// Read.
    Seen,
}

impl SystemFlag {
    /// Every system flag.
    pub const EVERY: [Self; 5] = [Self::Answered, Self::Deleted, Self::Draft, Self::Flagged, Self::Seen];

    /// As IMAP writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "\\Answered",
            Self::Deleted => "\\Deleted",
            Self::Draft => "\\Draft",
            Self::Flagged => "\\Flagged",
            Self::Seen => "\\Seen",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of flags: system flags and keywords. Keywords that differ only in case are one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Flags {
    system: u8,
    /// Sorted by their lower-case form, each once.
    keywords: Vec<String>,
}

impl Flags {
    /// No flag at all.
    pub const NONE: Self = Self { system: 0, keywords: Vec::new() };

    /// The set of these names, as IMAP writes them: `\Seen`, `$Forwarded`. Unknown names with a backslash are no flags of
    /// an item (`\Recent`, `\*`) and are left out.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut flags = Self::NONE;
        for name in names {
            flags.insert(name);
        }
        flags
    }

    /// Adds the flag of this name.
    pub fn insert(&mut self, name: &str) {
        if name.starts_with('\\') {
            if let Some(system) = SystemFlag::EVERY.into_iter().find(|s| s.name().eq_ignore_ascii_case(name)) {
                self.system |= system.bit();
            }
        } else if !name.is_empty()
            && let Err(place) = self.place(name)
        {
            self.keywords.insert(place, name.to_owned());
        }
    }

    /// Adds a system flag.
    #[must_use]
    pub fn with(mut self, flag: SystemFlag) -> Self {
        self.system |= flag.bit();
        self
    }

    /// Is the system flag set?
    pub fn has(&self, flag: SystemFlag) -> bool {
        self.system & flag.bit() != 0
    }

    /// No flag at all?
    pub fn is_empty(&self) -> bool {
        self.system == 0 && self.keywords.is_empty()
    }

    /// The keywords, in the spelling of their side, sorted without case.
    pub fn keywords(&self) -> &[String] {
        &self.keywords
    }

    /// Every flag as IMAP writes it, system flags first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let keywords = self.keywords.iter().map(String::as_str);
        SystemFlag::EVERY.into_iter().filter(|flag| self.has(*flag)).map(|flag| -> &str { flag.name() }).chain(keywords)
    }

    /// The flags of this set that the other has not.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let keywords = self.keywords.iter().filter(|k| other.place(k).is_err()).cloned().collect();
        Self { system: self.system & !other.system, keywords }
    }

    /// The flags of both sets together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.system |= other.system;
        for keyword in &other.keywords {
            all.insert(keyword);
        }
        all
    }

    /// The flags that are in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let keywords = self.keywords.iter().filter(|k| other.place(k).is_ok()).cloned().collect();
        Self { system: self.system & other.system, keywords }
    }

    /// A short form for the ledger: one byte of system flags, then the keywords with a space between.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.system];
        bytes.extend_from_slice(self.keywords.join(" ").as_bytes());
        bytes
    }

    /// Reads [`Self::to_bytes`] back; none when the bytes are not of that form.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (system, keywords) = bytes.split_first()?;
        let mut flags = Self { system: *system, keywords: Vec::new() };
        for keyword in std::str::from_utf8(keywords).ok()?.split(' ') {
            flags.insert(keyword);
        }
        (*system < 1 << SystemFlag::EVERY.len()).then_some(flags)
    }

    fn place(&self, keyword: &str) -> Result<usize, usize> {
        let lower = |s: &str| s.bytes().map(|b| b.to_ascii_lowercase()).collect::<Vec<u8>>();
        let wanted = lower(keyword);
        self.keywords.binary_search_by(|known| lower(known).cmp(&wanted))
    }
}

impl PartialEq for Flags {
    fn eq(&self, other: &Self) -> bool {
        self.system == other.system
            && self.keywords.len() == other.keywords.len()
            && self.keywords.iter().zip(&other.keywords).all(|(a, b)| a.eq_ignore_ascii_case(b))
    }
}

impl Eq for Flags {}

/// An order that means nothing but is always the same.
impl Ord for Flags {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let lower =
            |flags: &'_ Self| -> Vec<String> { flags.keywords.iter().map(|k| k.to_ascii_lowercase()).collect() };
        self.system.cmp(&other.system).then_with(|| match (self.keywords.is_empty(), other.keywords.is_empty()) {
            (false, false) => lower(self).cmp(&lower(other)),
            (is_empty, other_is_empty) => other_is_empty.cmp(&is_empty),
        })
    }
}

impl PartialOrd for Flags {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Display for Flags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, name) in self.names().enumerate() {
            write!(f, "{}{name}", if position > 0 { " " } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_without_case_and_session_flags_left_out() {
        let flags = Flags::of(["\\seen", "\\Recent", "\\*", "$Forwarded", "$forwarded", "NonJunk"]);
        assert_eq!(flags.to_string(), "\\Seen $Forwarded NonJunk");
        assert_eq!(flags, Flags::of(["nonjunk", "$FORWARDED", "\\SEEN"]));
    }

    #[test]
    fn short_form_reads_back() {
        for names in [&["\\Seen", "\\Draft", "a", "$B"][..], &[], &["z"]] {
            let flags = Flags::of(names.iter().copied());
            assert_eq!(Flags::from_bytes(&flags.to_bytes()), Some(flags));
        }
        assert_eq!(Flags::from_bytes(&[]), None);
        assert_eq!(Flags::from_bytes(&[0xff]), None);
    }

    #[test]
    fn set_operations_ignore_case() {
        let a = Flags::of(["\\Seen", "Work", "x"]);
        let b = Flags::of(["work", "\\Flagged"]);
        assert_eq!(a.without(&b), Flags::of(["\\Seen", "x"]));
        assert_eq!(a.intersection(&b), Flags::of(["work"]));
        assert_eq!(a.union(&b), Flags::of(["\\Seen", "\\Flagged", "work", "x"]));
    }
}
