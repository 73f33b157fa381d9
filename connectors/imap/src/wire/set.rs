//! Sets of UIDs (RFC 9051 `sequence-set`, RFC 4315 `uid-set`): reading what servers send and writing what we ask for.

/// How long one set in a command may be, in bytes: servers cut off lines of more than 8192 (RFC 7162 section 4).
pub const SET_BYTES_MAX: usize = 4000;

/// Ranges of UIDs, both ends included, in the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UidSet(Vec<(u32, u32)>);

impl UidSet {
    /// Reads `3955:3957,12,9:7`. A reversed range means the same as a straight one; `*` is the largest number there is.
    /// None when it is not a set.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let number = |text: &[u8]| match text {
            b"*" => Some(u32::MAX),
            _ => number(text),
        };
        let mut ranges = Vec::new();
        for part in text.split(|byte| *byte == b',') {
            let (a, b) = match part.iter().position(|byte| *byte == b':') {
                Some(colon) => (number(&part[..colon])?, number(&part[colon + 1..])?),
                None => (number(part)?, number(part)?),
            };
            ranges.push((a.min(b), a.max(b)));
        }
        Some(Self(ranges))
    }

    /// The set's UIDs in the order written, if there are this many exactly.
    pub fn exactly(&self, count: usize) -> Option<Vec<u32>> {
        (self.len() == count as u64).then(|| self.iter().collect())
    }

    /// How many UIDs, one that occurs twice counted twice.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
    }

    /// No UID at all?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The UIDs, in the order written. There may be four thousand million: see [`Self::len`] first.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// The part of the set below a UID.
    #[must_use]
    pub fn below(&self, limit: u32) -> Self {
        let cut = |(first, last): &(u32, u32)| (*first < limit).then(|| (*first, (*last).min(limit - 1)));
        Self(self.0.iter().filter_map(cut).collect())
    }

    /// Is the UID in the set?
    pub fn contains(&self, uid: u32) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&uid))
    }
}

/// A number of 32 bits, of digits only.
pub fn number(text: &[u8]) -> Option<u32> {
    large_number(text)?.try_into().ok()
}

/// A number of 64 bits, of digits only.
pub fn large_number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// Writes UIDs as sets of at most [`SET_BYTES_MAX`] bytes each; neighbours become ranges. The UIDs are in ascending order.
pub fn write_sets(uids: &[u32]) -> Vec<String> {
    let mut sets = Vec::new();
    let mut set = String::new();
    let mut rest = uids;
    while let [first, ..] = rest {
        let run = rest.windows(2).take_while(|pair| pair[0].checked_add(1) == Some(pair[1])).count() + 1;
        let last = rest[run - 1];
        rest = &rest[run..];
        if set.len() + 22 > SET_BYTES_MAX {
            sets.push(std::mem::take(&mut set));
        }
        if !set.is_empty() {
            set.push(',');
        }
        set.push_str(&first.to_string());
        if last > *first {
            set.push(':');
            set.push_str(&last.to_string());
        }
    }
    if !set.is_empty() {
        sets.push(set);
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_in_the_order_written() {
        let read = |text: &str| UidSet::parse(text.as_bytes()).map(|set| set.iter().collect::<Vec<_>>());
        assert_eq!(read("3955:3957"), Some(vec![3955, 3956, 3957]));
        assert_eq!(read("3955,3957,3956"), Some(vec![3955, 3957, 3956]));
        assert_eq!(read("9:7,1"), Some(vec![7, 8, 9, 1]));
        assert_eq!(read("4294967295"), Some(vec![u32::MAX]));
        for bad in ["", ",", "1,", "1:", ":1", "a", "1:2:3", "4294967296", "-1", "1 2"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(UidSet::parse(b"5:*").unwrap().len(), u64::from(u32::MAX) - 4);
    }

    #[test]
    fn a_set_of_another_size_is_not_taken() {
        let set = UidSet::parse(b"1:4294967295").unwrap();
        assert_eq!(set.exactly(3), None);
        assert_eq!(UidSet::parse(b"8:10").unwrap().exactly(3), Some(vec![8, 9, 10]));
    }

    #[test]
    fn a_set_is_cut_below_a_uid() {
        let set = UidSet::parse(b"1:4294967295,7").unwrap();
        assert_eq!(set.below(4), UidSet(vec![(1, 3)]));
        assert!(set.below(1).is_empty());
        assert!(set.contains(7) && !set.below(7).contains(7));
    }

    #[test]
    fn neighbours_become_ranges_and_long_sets_are_split() {
        assert_eq!(write_sets(&[]), Vec::<String>::new());
        assert_eq!(write_sets(&[1, 2, 3, 7, 9, 10]), ["1:3,7,9:10"]);
        assert_eq!(write_sets(&[u32::MAX - 1, u32::MAX]), ["4294967294:4294967295"]);
        let odd: Vec<u32> = (0..5000).map(|n| n * 2 + 1).collect();
        let sets = write_sets(&odd);
        assert!(sets.len() > 5 && sets.iter().all(|set| set.len() <= SET_BYTES_MAX));
        let back: Vec<u32> =
            sets.iter().flat_map(|set| UidSet::parse(set.as_bytes()).unwrap().iter().collect::<Vec<_>>()).collect();
        assert_eq!(back, odd);
    }
}
