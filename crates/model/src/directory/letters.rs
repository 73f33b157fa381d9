//! Rights to a folder, as the letters of RFC 4314.

/// Every letter that is known, in the order in which they are written: those of RFC 4314, `n` of RFC 5257, and the ten that a
/// site may give a meaning of its own.
const ORDER: &str = "lrswipkxtean0123456789";

/// Rights to a folder. The letters `c` and `d` of RFC 2086 are never among them: they are read as what they stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Letters(u32);

impl Letters {
    /// Every right of RFC 4314: what an owner has.
    pub const ALL: Self = Self(0b111_1111_1111);
    /// No right.
    pub const NONE: Self = Self(0);

    /// Reads letters; what is no letter of a right is the second value.
    ///
    /// A server of RFC 4314 writes `c` and `d` beside the rights they stand for, and there they say nothing. One of RFC 2086
    /// has these only: then `c` is making folders and `d` is removing messages. What each server takes them to mean besides is
    /// left off, so that nobody gains a right by it.
    pub fn parse(text: &str) -> (Self, String) {
        let is_new = text.contains(['k', 'x', 't', 'e']);
        let (mut letters, mut unknown) = (Self::NONE, String::new());
        for letter in text.chars() {
            match (letter, Self::of(letter)) {
                (_, Some(right)) => letters = letters.and(right),
                ('c' | 'd', None) if is_new => {}
                ('c', None) => letters = letters.and(Self::known("k")),
                ('d', None) => letters = letters.and(Self::known("te")),
                (letter, None) => unknown.push(letter),
            }
        }
        (letters, unknown)
    }

    /// These letters; others in it are passed over.
    pub fn known(text: &str) -> Self {
        text.chars().filter_map(Self::of).fold(Self::NONE, Self::and)
    }

    fn of(letter: char) -> Option<Self> {
        ORDER.find(letter).map(|place| Self(1 << place))
    }

    /// With these, too.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Without these.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What both have.
    #[must_use]
    pub fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Are all of these among them?
    pub fn has(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Is there none?
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// As a server of RFC 2086 takes them. `c` and `d` stand for several rights, which of them is the server's own choice: each
    /// is written only where all that it may stand for is given.
    pub fn in_old_letters(self) -> String {
        let mut text = self.without(Self::known("kxte")).to_string();
        text.extend(self.has(Self::known("kx")).then_some('c'));
        text.extend(self.has(Self::known("xte")).then_some('d'));
        text
    }
}

impl std::fmt::Display for Letters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, letter) in ORDER.char_indices() {
            if self.0 & (1 << place) != 0 {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_every_server_come_to_the_same() {
        for (server, text, letters, unknown) in [
            ("Dovecot's owner", "lrwstipekxacd", "lrswipkxtea", ""),
            ("Cyrus's owner", "lrswipkxtecdan", "lrswipkxtean", ""),
            ("a reader", "lrs", "lrs", ""),
            ("RFC 2086", "lrswipcda", "lrswipktea", ""),
            ("RFC 2086, without c", "lrd", "lrte", ""),
            ("a right of the site's own", "lr7", "lr7", ""),
            ("nonsense", "l?rZ", "lr", "?Z"),
            ("twice", "llr", "lr", ""),
        ] {
            let (read, other) = Letters::parse(text);
            assert_eq!((read.to_string().as_str(), other.as_str()), (letters, unknown), "{server}");
        }
        assert_eq!(Letters::ALL.to_string(), "lrswipkxtea");
    }

    #[test]
    fn old_letters_never_give_more() {
        for (letters, old) in [("lrs", "lrs"), ("lrk", "lr"), ("lrkx", "lrc"), ("lrte", "lr"), ("lrkxte", "lrcd")] {
            assert_eq!(Letters::known(letters).in_old_letters(), old);
        }
    }

    #[test]
    fn sets_are_sets() {
        let (reader, writer) = (Letters::known("lrs"), Letters::known("lrswi"));
        assert!(writer.has(reader) && !reader.has(writer) && reader.has(Letters::NONE));
        assert_eq!(writer.without(reader).to_string(), "wi");
        assert_eq!(writer.both(Letters::known("lx")).to_string(), "l");
    }
}
