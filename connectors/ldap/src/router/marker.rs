//! What lies on an entry while our redirect is on: one value of one attribute that says where ours leads, which values are ours, and
//! which were there before. Pure.
//!
//! It is plain text in ASCII on one line, so that every syntax holds it and whoever runs the site can read it:
//! `whimbrel-redirect: to=ann@new.example key=… of=ann@site.example set:targetAddress=SMTP:ann@new.example was:…`. All but printable
//! ASCII, and `%`, is written as `%` and two digits, byte by byte: what was there before comes back whatever bytes it has.

use std::fmt::Write as _;

/// What our value begins with.
const PREFIX: &str = "whimbrel-redirect:";

/// The longest marker that is read.
const LENGTH_MAX: usize = 100_000;

/// A value of an attribute.
pub(crate) type Value = Vec<u8>;

/// A marker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marker {
    /// Where ours leads.
    pub(crate) to: String,
    /// The key of the entry that it was put on: another that has it was copied from that one.
    pub(crate) key: String,
    /// An address of the entry that it was put on: one that was restored from a copy has another key.
    pub(crate) of: String,
    /// The values of ours, with their attributes.
    pub(crate) set: Vec<(String, Value)>,
    /// The values that were there before.
    pub(crate) was: Vec<(String, Value)>,
}

impl Marker {
    /// As it stands on the entry.
    pub(crate) fn text(&self) -> String {
        let mut text = PREFIX.to_owned();
        for (name, value) in [("to", &self.to), ("key", &self.key), ("of", &self.of)] {
            let _ = write!(text, " {name}={}", encoded(value.as_bytes()));
        }
        for (sort, values) in [("set", &self.set), ("was", &self.was)] {
            for (name, value) in values {
                let _ = write!(text, " {sort}:{name}={}", encoded(value));
            }
        }
        text
    }

    /// Reads a value of which [`is_ours`] holds, and whether all of it could be read. None when it does not say where ours leads, and by
    /// what: then it is of no use.
    pub(crate) fn read(value: &[u8]) -> Option<(Self, bool)> {
        let text = str::from_utf8(value).ok().filter(|text| text.len() <= LENGTH_MAX)?.trim();
        let mut marker = Self::default();
        let mut is_whole = true;
        for token in text.get(PREFIX.len()..)?.split_whitespace() {
            is_whole &= marker.take(token).is_some();
        }
        (!marker.to.is_empty() && !marker.set.is_empty()).then_some((marker, is_whole))
    }

    fn take(&mut self, token: &str) -> Option<()> {
        let (name, value) = token.split_once('=')?;
        let value = decoded(value)?;
        match name.split_once(':') {
            Some(("set", name)) if !name.is_empty() => self.set.push((name.to_owned(), value)),
            Some(("was", name)) if !name.is_empty() => self.was.push((name.to_owned(), value)),
            None if name == "to" => self.to = String::from_utf8(value).ok()?,
            None if name == "key" => self.key = String::from_utf8(value).ok()?,
            None if name == "of" => self.of = String::from_utf8(value).ok()?,
            _ => return None,
        }
        Some(())
    }

    /// Is it about the entry of this key, which gets its mail at these addresses?
    pub(crate) fn is_of(&self, key: &str, mut own: impl Iterator<Item = String>) -> bool {
        (!key.is_empty() && self.key.eq_ignore_ascii_case(key)) || own.any(|own| own == self.of.to_lowercase())
    }
}

/// Is this value one of ours, readable or not?
pub(crate) fn is_ours(value: &[u8]) -> bool {
    let value = value.trim_ascii_start();
    value.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX.as_bytes()))
}

/// A value with all but printable ASCII, and `%`, as `%` and two digits.
pub(crate) fn encoded(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value {
        if byte.is_ascii_graphic() && *byte != b'%' {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02x}");
        }
    }
    text
}

/// What [`encoded`] was made of.
pub(crate) fn decoded(text: &str) -> Option<Value> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marker(was: Vec<(String, Value)>) -> Marker {
        Marker {
            to: "ann@new.test".into(),
            key: "0f".into(),
            of: "ann@site.test".into(),
            set: vec![("targetAddress".into(), b"SMTP:ann@new.test".to_vec())],
            was,
        }
    }

    #[test]
    fn it_is_read_by_people_and_found_again() {
        let was = vec![("altRecipient".to_owned(), "CN=Zo\u{eb} 100%,DC=x".as_bytes().to_vec())];
        let text = marker(was).text();
        assert_eq!(
            text,
            "whimbrel-redirect: to=ann@new.test key=0f of=ann@site.test set:targetAddress=SMTP:ann@new.test \
             was:altRecipient=CN=Zo%c3%ab%20100%25,DC=x"
        );
        assert!(is_ours(text.as_bytes()) && is_ours(b" Whimbrel-Redirect: x") && !is_ours(b"about whimbrel-redirect:"));
        let spaced = text.replace(' ', "  ");
        assert_eq!(Marker::read(spaced.as_bytes()), Marker::read(text.as_bytes()));
    }

    #[test]
    fn what_is_not_whole_is_not_read() {
        let text = marker(vec![("a".into(), b"b".to_vec())]).text();
        for (from, to) in [("to=ann@new.test", ""), ("set:targetAddress=SMTP:ann@new.test", "")] {
            assert_eq!(Marker::read(text.replace(from, to).as_bytes()), None);
        }
        for (from, to) in [
            ("was:a=b", "was:a"),
            ("was:a=b", "was:=b"),
            ("was:a=b", "is:a=b"),
            ("was:a=b", "was:a=%4"),
            ("was:a=b", "was:a=%zz"),
            ("was:a=b", "and more"),
        ] {
            let other = text.replace(from, to);
            assert_ne!(other, text);
            let (read, is_whole) = Marker::read(other.as_bytes()).unwrap();
            assert!(!is_whole && read.to == "ann@new.test" && is_ours(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn it_belongs_to_the_entry_of_its_key_or_of_its_address() {
        let own = |address: &str| std::iter::once(address.to_owned());
        assert!(marker(vec![]).is_of("0F", own("x@site.test")) && marker(vec![]).is_of("1e", own("ann@site.test")));
        assert!(!marker(vec![]).is_of("1e", own("bob@site.test")) && !marker(vec![]).is_of("", own("")));
        let keyless = Marker { key: String::new(), ..marker(vec![]) };
        assert!(!keyless.is_of("", own("bob@site.test")));
    }

    proptest! {
        #[test]
        fn any_value_comes_back(values in proptest::collection::vec(("[a-z]{1,9}", proptest::collection::vec(any::<u8>(), 0..40)), 0..5)) {
            let marker = marker(values);
            let text = marker.text();
            prop_assert!(text.is_ascii() && !text.contains(char::is_control));
            prop_assert_eq!(Marker::read(text.as_bytes()), Some((marker, true)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "whimbrel-redirect:\\PC{0,60}") {
            let _ = Marker::read(text.as_bytes());
        }
    }
}
