//! Security descriptors (MS-DTYP section 2.4.6) in their self-relative form: of all that is in them, who is allowed or denied
//! what by the DACL. Bounds are checked at every step: what a server sends may be anything.

use super::{guid, sid};

/// One entry of a DACL that allows or denies something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ace {
    /// Whom.
    pub(crate) sid: String,
    /// What, as bits of an access mask.
    pub(crate) mask: u32,
    /// The extended right or attribute that it is about; none for all.
    pub(crate) object: Option<String>,
    /// It comes from a container above.
    pub(crate) is_inherited: bool,
    /// It denies.
    pub(crate) is_denied: bool,
}

/// The part of a descriptor before what it points to.
const HEADER_BYTES: usize = 20;

/// The descriptor has a DACL.
const DACL_PRESENT: u16 = 0x0004;

/// The entry counts for what is below, not for the object itself.
const INHERIT_ONLY: u8 = 0x08;

/// The entry comes from above.
const INHERITED: u8 = 0x10;

/// Reads a descriptor: the entries of its DACL that are for the object itself. An entry of another kind (audit, conditions) is
/// passed over. None when the bytes are no descriptor.
pub(crate) fn read(bytes: &[u8]) -> Option<Vec<Ace>> {
    if bytes.len() < HEADER_BYTES || bytes[0] != 1 {
        return None;
    }
    let control = u16_at(bytes, 2)?;
    let dacl = u32_at(bytes, 16)? as usize;
    if control & DACL_PRESENT == 0 || dacl == 0 {
        return Some(Vec::new());
    }
    let acl = bytes.get(dacl..)?;
    let (size, count) = (usize::from(u16_at(acl, 2)?), usize::from(u16_at(acl, 4)?));
    let mut rest = acl.get(..size)?.get(8..)?;
    let mut aces = Vec::new();
    for _ in 0..count {
        let (kind, flags, size) = (*rest.first()?, *rest.get(1)?, usize::from(u16_at(rest, 2)?));
        if size < 4 {
            return None;
        }
        let ace = rest.get(..size)?;
        rest = &rest[size..];
        if flags & INHERIT_ONLY != 0 {
            continue;
        }
        let is_inherited = flags & INHERITED != 0;
        let (is_denied, has_object) = match kind {
            0 => (false, false),
            1 => (true, false),
            5 => (false, true),
            6 => (true, true),
            _ => continue,
        };
        let mask = u32_at(ace, 4)?;
        let mut at = 8;
        let mut object = None;
        if has_object {
            let present = u32_at(ace, at)?;
            at += 4;
            if present & 1 != 0 {
                object = Some(guid::text(ace.get(at..at + 16)?)?);
                at += 16;
            }
            if present & 2 != 0 {
                at += 16;
            }
        }
        let (sid, _) = sid::read(ace.get(at..)?)?;
        aces.push(Ace { sid, mask, object, is_inherited, is_denied });
    }
    Some(aces)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// A descriptor with this DACL, for tests of what reads one.
#[cfg(test)]
pub(crate) fn written(aces: &[Ace]) -> Vec<u8> {
    let mut list = Vec::new();
    for ace in aces {
        let mut body = ace.mask.to_le_bytes().to_vec();
        if let Some(object) = &ace.object {
            body.extend(1_u32.to_le_bytes());
            body.extend(guid::bytes(object).unwrap());
        }
        let numbers: Vec<u64> = ace.sid.split('-').skip(1).map(|number| number.parse().unwrap()).collect();
        body.extend([1, (numbers.len() - 2) as u8]);
        body.extend(&numbers[1].to_be_bytes()[2..]);
        numbers[2..].iter().for_each(|number| body.extend((*number as u32).to_le_bytes()));
        let kind = u8::from(ace.is_denied) + if ace.object.is_some() { 5 } else { 0 };
        list.extend([kind, if ace.is_inherited { INHERITED } else { 0 }]);
        list.extend((body.len() as u16 + 4).to_le_bytes());
        list.extend(body);
    }
    let mut bytes = vec![1, 0, 4, 0x80];
    bytes.extend([0; 12]);
    bytes.extend(20_u32.to_le_bytes());
    bytes.extend([4, 0]);
    bytes.extend((list.len() as u16 + 8).to_le_bytes());
    bytes.extend((aces.len() as u16).to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(list);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ace() -> impl Strategy<Value = Ace> {
        let sid = prop::collection::vec(any::<u32>(), 0..6)
            .prop_map(|subs| subs.iter().fold("S-1-5".to_owned(), |text, sub| format!("{text}-{sub}")));
        let object = prop::option::of(any::<[u8; 16]>().prop_map(guid::uuid_text));
        (sid, any::<u32>(), object, any::<bool>(), any::<bool>())
            .prop_map(|(sid, mask, object, is_inherited, is_denied)| Ace { sid, mask, object, is_inherited, is_denied })
    }

    #[test]
    fn what_only_counts_below_is_passed_over() {
        let one = Ace { sid: "S-1-5-7".into(), mask: 1, object: None, is_inherited: false, is_denied: false };
        let mut bytes = written(&[one.clone(), one.clone()]);
        bytes[20 + 8 + 1] = INHERIT_ONLY;
        assert_eq!(read(&bytes), Some(vec![one]));
        // No DACL at all, and one that is not of a kind we know.
        bytes[2] = 0;
        assert_eq!(read(&bytes), Some(vec![]));
        assert_eq!(read(&[]), None);
    }

    proptest! {
        #[test]
        fn a_descriptor_is_read_as_it_was_written(aces in prop::collection::vec(ace(), 0..8)) {
            prop_assert_eq!(read(&written(&aces)), Some(aces));
        }

        #[test]
        fn a_descriptor_with_any_bytes_changed_is_read_or_refused(
            aces in prop::collection::vec(ace(), 0..5),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = written(&aces);
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = read(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            let _ = read(&bytes);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
