//! The little of BER (X.690, as RFC 4511 section 5.1 restricts it) that values of controls are written in: definite lengths,
//! short tags. Bounds are checked everywhere; nothing here can panic or recurse.

/// Tags of what controls hold.
pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// Elements one after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The elements within the one that these bytes are, if it has this tag.
    pub(crate) fn within(bytes: &'a [u8], tag: u8) -> Option<Self> {
        Some(Self(Self(bytes).expect(tag)?))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag of the next element.
    pub(crate) fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element: its tag and its content.
    pub(crate) fn element(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let length = if first < 0x80 {
            usize::from(first)
        } else {
            // Four bytes of length are more than any message that is taken.
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 || rest.len() < count {
                return None;
            }
            let (length, after) = rest.split_at(count);
            rest = after;
            length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte))
        };
        let content = rest.get(..length)?;
        self.0 = &rest[length..];
        Some((tag, content))
    }

    /// The content of the next element, if it has this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.tag()? != tag {
            return None;
        }
        Some(self.element()?.1)
    }

    /// The next element as a number, if it has this tag.
    pub(crate) fn number(&mut self, tag: u8) -> Option<i64> {
        let bytes = self.expect(tag)?;
        if bytes.is_empty() || bytes.len() > 8 {
            return None;
        }
        let start = if bytes[0] >= 0x80 { -1 } else { 0 };
        Some(bytes.iter().fold(start, |sum, byte| (sum << 8) | i64::from(*byte)))
    }

    /// The next element as yes or no; this where it is another element or none.
    pub(crate) fn boolean_or(&mut self, default: bool) -> bool {
        self.expect(BOOLEAN).map_or(default, |bytes| bytes.iter().any(|byte| *byte != 0))
    }
}

/// An element of this tag and content.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let length = content.len();
    if length < 0x80 {
        bytes.push(length as u8);
    } else {
        let all = (length as u64).to_be_bytes();
        let skipped = all.iter().take_while(|byte| **byte == 0).count();
        bytes.push(0x80 | (all.len() - skipped) as u8);
        bytes.extend_from_slice(&all[skipped..]);
    }
    bytes.extend_from_slice(content);
    bytes
}

/// A number, in as few bytes as it needs.
pub(crate) fn number(tag: u8, value: i64) -> Vec<u8> {
    let all = value.to_be_bytes();
    let is_filler = |at: usize| match all[at] {
        0 => all[at + 1] < 0x80,
        0xff => all[at + 1] >= 0x80,
        _ => false,
    };
    let skipped = (0..all.len() - 1).take_while(|at| is_filler(*at)).count();
    element(tag, &all[skipped..])
}

/// Yes or no.
#[cfg(test)]
pub(crate) fn boolean(value: bool) -> Vec<u8> {
    element(BOOLEAN, &[if value { 0xff } else { 0 }])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        for (value, bytes) in
            [(0, &[0][..]), (127, &[127]), (128, &[0, 128]), (-1, &[255]), (-2_147_483_648, &[128, 0, 0, 0])]
        {
            assert_eq!(number(INTEGER, value)[2..], *bytes, "{value}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value: i64, content in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut bytes = number(ENUMERATED, value);
            bytes.extend(element(OCTETS, &content));
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.number(ENUMERATED), Some(value));
            prop_assert_eq!(reader.expect(OCTETS), Some(&content[..]));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader::new(&bytes);
            while reader.element().is_some() {}
        }
    }
}
