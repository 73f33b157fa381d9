//! Batches under way, and the form in which their items are kept.

use model::{Digest, Flags, FolderState, ItemId};

/// An item of a batch under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntentItem {
    /// What the source folder calls it.
    pub source_id: ItemId,
    /// Digest of its bytes.
    pub exact: Digest,
    /// Digest of its canonical form.
    pub canonical: Digest,
    /// How many bytes.
    pub size_bytes: u64,
    /// When it was received (seconds since 1970).
    pub received: Option<i64>,
    /// The flags it is given.
    pub flags: Flags,
    /// A short digest of its Message-ID, or From and Date.
    pub hint: Option<u64>,
}

/// Whether a batch's outcome is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentState {
    /// Not known.
    Open,
    /// Known, but whoever sent it may have been too late to know: looked for again so many times.
    Watched {
        /// Looks left.
        looks_left: i64,
        /// When it was last looked for (milliseconds since 1970).
        looked_at: i64,
    },
}

/// A batch under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The claim under which it was sent.
    pub fence: i64,
    /// Its number under that claim.
    pub number: i64,
    /// The folder it goes to.
    pub folder: i64,
    /// Where the target folder stood before the oldest batch then open.
    pub mark: FolderState,
    /// The items.
    pub items: Vec<IntentItem>,
    /// When it was written (milliseconds since 1970).
    pub opened_at: i64,
    /// Whether its outcome is known.
    pub state: IntentState,
}

/// Version of the form in which a batch's items are kept.
const INTENT_VERSION: u8 = 1;

pub(super) fn encode(items: &[IntentItem]) -> Vec<u8> {
    fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
        out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        out.extend_from_slice(bytes);
    }
    let mut out = vec![INTENT_VERSION];
    for item in items {
        bytes(&mut out, item.source_id.as_bytes());
        out.extend_from_slice(item.exact.as_bytes());
        out.extend_from_slice(item.canonical.as_bytes());
        out.extend_from_slice(&item.size_bytes.to_be_bytes());
        out.push(u8::from(item.received.is_some()));
        out.extend_from_slice(&item.received.unwrap_or_default().to_be_bytes());
        bytes(&mut out, &item.flags.to_bytes());
        out.push(u8::from(item.hint.is_some()));
        out.extend_from_slice(&item.hint.unwrap_or_default().to_be_bytes());
    }
    out
}

pub(super) fn decode(bytes: &[u8]) -> Option<Vec<IntentItem>> {
    fn take<'b>(rest: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
        let (taken, after) = rest.split_at_checked(count)?;
        *rest = after;
        Some(taken)
    }
    fn number(rest: &mut &[u8]) -> Option<u64> {
        Some(u64::from_be_bytes(take(rest, 8)?.try_into().ok()?))
    }
    fn sized<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
        let size = u32::from_be_bytes(take(rest, 4)?.try_into().ok()?);
        take(rest, size as usize)
    }
    /// A number that may be none: whether it is there, then its bytes.
    fn optional(rest: &mut &[u8]) -> Option<(bool, u64)> {
        let is_there = take(rest, 1)?[0] == 1;
        Some((is_there, number(rest)?))
    }
    let some_if = |(is_there, number): (bool, u64)| is_there.then_some(number);
    let (version, mut rest) = bytes.split_first()?;
    if *version != INTENT_VERSION {
        return None;
    }
    let rest = &mut rest;
    let mut items = Vec::new();
    while !rest.is_empty() {
        items.push(IntentItem {
            source_id: ItemId::new(sized(rest)?),
            exact: Digest::from_bytes(take(rest, 32)?)?,
            canonical: Digest::from_bytes(take(rest, 32)?)?,
            size_bytes: number(rest)?,
            received: some_if(optional(rest)?).map(|seconds| seconds as i64),
            flags: Flags::from_bytes(sized(rest)?)?,
            hint: some_if(optional(rest)?),
        });
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_under_way_reads_back() {
        let item = |n: u32, received, hint| IntentItem {
            source_id: ItemId::from_u32(n),
            exact: Digest::of(b"exact"),
            canonical: Digest::of(b"canonical"),
            size_bytes: 1 << 40,
            received,
            flags: Flags::of(["\\Seen", "Work"]),
            hint,
        };
        let items = vec![item(1, Some(-5), None), item(u32::MAX, None, Some(u64::MAX))];
        assert_eq!(decode(&encode(&items)), Some(items.clone()));
        assert_eq!(decode(&encode(&[])), Some(Vec::new()));
        let cut = encode(&items);
        assert_eq!(decode(&cut[..cut.len() - 1]), None);
    }
}
