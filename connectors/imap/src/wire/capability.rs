//! What a server announces that it can do.

use std::collections::BTreeSet;

use super::token::{Token, Tokens};

/// What IMAP4rev2 (RFC 9051) includes without naming it again. CONDSTORE, QRESYNC, QUOTA and the like are not among it.
const IN_REV_2: &[&str] = &[
    "CHILDREN",
    "ENABLE",
    "ESEARCH",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "LITERAL-",
    "MOVE",
    "NAMESPACE",
    "SASL-IR",
    "SPECIAL-USE",
    "STATUS=SIZE",
    "UIDPLUS",
    "UNSELECT",
];

/// Capabilities of a server, in upper case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(BTreeSet<String>);

impl Capabilities {
    /// Reads the words after CAPABILITY.
    pub fn parse(tokens: Tokens<'_>) -> Self {
        Self(tokens.filter_map(Token::text).map(|word| word.to_ascii_uppercase()).collect())
    }

    /// Is this one announced, or included in what is?
    pub fn has(&self, capability: &str) -> bool {
        self.0.contains(capability) || (self.0.contains("IMAP4REV2") && IN_REV_2.contains(&capability))
    }

    /// Was nothing announced?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a capability of the form `NAME=value`, if it is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.value(name)?.parse().ok()
    }

    /// The value of a capability of the form `NAME=value`, in upper case.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// Are names UTF-8 from the start? So in IMAP4rev2 where nothing older is spoken.
    pub fn has_utf8_names(&self) -> bool {
        self.0.contains("IMAP4REV2") && !self.0.contains("IMAP4REV1")
    }

    /// All of these that are announced.
    pub fn among<'n>(&self, names: &[&'n str]) -> Vec<&'n str> {
        names.iter().copied().filter(|name| self.has(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Capabilities {
        Capabilities::parse(Tokens::of_text(text.as_bytes()))
    }

    #[test]
    fn capabilities_are_read_in_any_case() {
        let capabilities = read("IMAP4rev1 uidplus AUTH=PLAIN  APPENDLIMIT=35651584 ");
        assert!(capabilities.has("UIDPLUS") && capabilities.has("AUTH=PLAIN") && !capabilities.has("MOVE"));
        assert_eq!(capabilities.number("APPENDLIMIT"), Some(35_651_584));
        assert_eq!(read("APPENDLIMIT").number("APPENDLIMIT"), None);
        assert!(!capabilities.has_utf8_names());
    }

    #[test]
    fn imap4rev2_includes_what_it_includes() {
        let capabilities = read("IMAP4rev2");
        assert!(capabilities.has("UIDPLUS") && capabilities.has("LIST-STATUS") && !capabilities.has("QRESYNC"));
        assert!(capabilities.has_utf8_names() && !read("IMAP4rev1 IMAP4rev2").has_utf8_names());
    }
}
