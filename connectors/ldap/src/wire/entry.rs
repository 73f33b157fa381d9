//! An entry as a server sends it (RFC 4511 section 4.5.2): a name, and attributes with values of bytes.

use std::collections::BTreeMap;

use ldap3::asn1::{PL, StructureTag};

/// An entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawEntry {
    /// Where it stands.
    pub(crate) dn: String,
    /// Values by the name of their attribute, in lower case, with its options.
    attributes: BTreeMap<String, Vec<Vec<u8>>>,
}

impl RawEntry {
    /// Reads SearchResultEntry. None when it is none.
    pub(crate) fn read(tag: StructureTag) -> Option<Self> {
        let mut parts = constructed(tag)?.into_iter();
        let dn = text(primitive(parts.next()?)?);
        let mut entry = Self { dn, attributes: BTreeMap::new() };
        for attribute in constructed(parts.next()?)? {
            let mut parts = constructed(attribute)?.into_iter();
            let name = text(primitive(parts.next()?)?);
            let values: Option<Vec<Vec<u8>>> = constructed(parts.next()?)?.into_iter().map(primitive).collect();
            entry.add(&name, values?);
        }
        Some(entry)
    }

    /// An entry of this name that has nothing.
    pub(crate) fn named(dn: &str) -> Self {
        Self { dn: dn.to_owned(), attributes: BTreeMap::new() }
    }

    /// Adds values.
    pub(crate) fn add(&mut self, name: &str, values: Vec<Vec<u8>>) {
        self.attributes.entry(name.to_ascii_lowercase()).or_default().extend(values);
    }

    /// An attribute has these values and no others.
    pub(crate) fn set(&mut self, name: &str, values: Vec<Vec<u8>>) {
        let name = name.to_ascii_lowercase();
        if values.is_empty() { drop(self.attributes.remove(&name)) } else { drop(self.attributes.insert(name, values)) }
    }

    /// Every attribute that has values, with them.
    pub(crate) fn every(&self) -> impl Iterator<Item = (&str, &[Vec<u8>])> {
        self.attributes.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// The values of an attribute.
    pub(crate) fn values(&self, name: &str) -> &[Vec<u8>] {
        self.attributes.get(&name.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// The first value of an attribute, where it is text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.values(name).first()?).ok()
    }

    /// The values of an attribute that are text.
    pub(crate) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name).iter().filter_map(|value| str::from_utf8(value).ok())
    }

    /// Is one of the values this text, without regard to case?
    pub(crate) fn has(&self, name: &str, value: &str) -> bool {
        let wanted = value.to_lowercase();
        self.texts(name).any(|text| text.to_lowercase() == wanted)
    }

    /// A part of an attribute's values, where the server gave only a part (MS-ADTS section 3.1.1.3.1.3.3): the place of its first
    /// and of its last value, and that is none when it is the last part.
    pub(crate) fn range_of(&self, name: &str) -> Option<(usize, Option<usize>)> {
        let prefix = format!("{};range=", name.to_ascii_lowercase());
        let range = self.attributes.keys().find_map(|key| key.strip_prefix(&prefix))?;
        let (from, to) = range.split_once('-')?;
        Some((from.parse().ok()?, if to == "*" { None } else { Some(to.parse().ok()?) }))
    }

    /// Takes the values of a part out of the name with its range.
    pub(crate) fn take_range(&mut self, name: &str) -> Vec<Vec<u8>> {
        let prefix = format!("{};range=", name.to_ascii_lowercase());
        let key = self.attributes.keys().find(|key| key.starts_with(&prefix)).cloned();
        key.and_then(|key| self.attributes.remove(&key)).unwrap_or_default()
    }
}

fn constructed(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(parts) => Some(parts),
        PL::P(_) => None,
    }
}

fn primitive(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(bytes) => Some(bytes),
        PL::C(_) => None,
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The name and the value of an IntermediateResponse (RFC 4511 section 4.13).
pub(crate) fn intermediate(tag: StructureTag) -> Option<(String, Vec<u8>)> {
    let (mut name, mut value) = (String::new(), Vec::new());
    for part in constructed(tag)? {
        match part.id {
            0 => name = text(primitive(part)?),
            1 => value = primitive(part)?,
            _ => {}
        }
    }
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_attributes_are_told() {
        let mut entry = RawEntry::default();
        entry.add("Member;range=0-1499", vec![b"a".to_vec()]);
        assert_eq!(entry.range_of("member"), Some((0, Some(1499))));
        assert_eq!(entry.take_range("MEMBER"), [b"a".to_vec()]);
        assert_eq!(entry.range_of("member"), None);
        entry.add("member;range=1500-*", vec![]);
        assert_eq!(entry.range_of("member"), Some((1500, None)));
        let mut odd = RawEntry::default();
        odd.add("member;range=x", vec![]);
        assert_eq!(odd.range_of("member"), None);
    }
}
