//! Security identifiers (MS-DTYP section 2.4.2): who a right is given to, as `S-1-5-…`.

/// An identifier as text, and how many bytes it took. None when these bytes are none.
pub(crate) fn read(bytes: &[u8]) -> Option<(String, usize)> {
    let (&[revision, count, ref authority @ ..], rest) = bytes.split_first_chunk::<8>()?;
    // Fifteen is what the document allows.
    if revision != 1 || count > 15 {
        return None;
    }
    let length = usize::from(count) * 4;
    let authorities = rest.get(..length)?;
    let authority = authority.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
    let mut text = format!("S-1-{authority}");
    for sub in authorities.chunks_exact(4) {
        text.push('-');
        text.push_str(&u32::from_le_bytes([sub[0], sub[1], sub[2], sub[3]]).to_string());
    }
    Some((text, 8 + length))
}

/// All of these bytes as an identifier.
pub(crate) fn text(bytes: &[u8]) -> Option<String> {
    read(bytes).filter(|(_, length)| *length == bytes.len()).map(|(text, _)| text)
}

/// Accounts that exist on every machine or domain and stand for nobody who shares a mailbox: the system, the owner itself, the
/// built-in groups, and the administrators of domain and forest.
pub(crate) fn is_well_known(text: &str) -> bool {
    let is_administrators = text.starts_with("S-1-5-21-") && (text.ends_with("-512") || text.ends_with("-519"));
    matches!(text, "S-1-5-18" | "S-1-5-10" | "S-1-3-0" | "S-1-3-1" | "S-1-5-9")
        || text.starts_with("S-1-5-32-")
        || is_administrators
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn identifiers_are_read() {
        let bytes = [1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0x51, 4, 0, 0];
        assert_eq!(text(&bytes).unwrap(), "S-1-5-21-1-2-3-1105");
        assert_eq!(text(&[1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0]).unwrap(), "S-1-5-18");
        assert_eq!(text(&bytes[..27]), None);
        assert_eq!(text(&[2, 0, 0, 0, 0, 0, 0, 5]), None);
        assert!(is_well_known("S-1-5-32-548") && is_well_known("S-1-5-21-1-2-3-512"));
        assert!(!is_well_known("S-1-5-21-1-2-3-1512"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..90)) {
            if let Some((_, length)) = read(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
