//! Identifiers of 16 bytes: objectGUID, which is kept with its first three groups turned round (MS-DTYP section 2.3.4.2), and
//! entryUUID (RFC 4530), which is not.

/// An identifier as Active Directory keeps it, as text: lower case, with hyphens.
pub(crate) fn text(bytes: &[u8]) -> Option<String> {
    Some(uuid_text(turned(bytes.try_into().ok()?)))
}

/// The bytes that Active Directory keeps for an identifier in text.
pub(crate) fn bytes(text: &str) -> Option<[u8; 16]> {
    uuid_bytes(text).map(turned)
}

/// With the bytes of each of the first three groups in the other order.
fn turned(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

/// An identifier in the order of its text.
pub(crate) fn uuid_text(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    text
}

/// The bytes of an identifier, in the order of its text.
pub(crate) fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let mut digits = Vec::with_capacity(32);
    for (index, c) in text.char_indices() {
        if matches!(index, 8 | 13 | 18 | 23) {
            if c != '-' {
                return None;
            }
        } else {
            digits.push(c.to_digit(16)? as u8);
        }
    }
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| (pair[0] << 4) | pair[1]).collect();
    if digits.len() == 32 { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_guid_has_its_first_groups_turned() {
        let bytes: Vec<u8> = (0..16).collect();
        assert_eq!(text(&bytes).unwrap(), "03020100-0504-0706-0809-0a0b0c0d0e0f");
        assert_eq!(super::bytes("03020100-0504-0706-0809-0A0B0C0D0E0F").unwrap()[..], bytes[..]);
        for bad in [&bytes[..15], &[]] {
            assert_eq!(text(bad), None);
        }
        for bad in ["", "03020100-0504-0706-0809-0a0b0c0d0e0", "03020100x0504-0706-0809-0a0b0c0d0e0f", "é"] {
            assert_eq!(super::bytes(bad), None, "{bad}");
        }
    }
}
