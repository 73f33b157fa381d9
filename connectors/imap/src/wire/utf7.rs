//! Modified UTF-7 (RFC 3501 section 5.1.3), in which mailbox names stand on the wire unless UTF-8 was agreed on.

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The base 64 of modified UTF-7: `,` for `/`, never padded. Bits left over must be zero.
const BASE_64: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// The name that these bytes stand for. None when they are not modified UTF-7: the caller keeps such a name as it is.
pub fn decode(name: &[u8]) -> Option<String> {
    let mut decoded = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b'&' => {
                let end = after.iter().position(|byte| *byte == b'-')?;
                let (shifted, after) = (&after[..end], &after[end + 1..]);
                if shifted.is_empty() {
                    decoded.push('&');
                } else {
                    let bytes = BASE_64.decode(shifted).ok()?;
                    if bytes.len() % 2 != 0 {
                        return None;
                    }
                    let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                    for unit in char::decode_utf16(units) {
                        decoded.push(unit.ok()?);
                    }
                }
                rest = after;
            }
            0x20..=0x7e => {
                decoded.push(char::from(byte));
                rest = after;
            }
            _ => return None,
        }
    }
    Some(decoded)
}

/// The name in modified UTF-7.
pub fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    let mut shifted: Vec<u8> = Vec::new();
    let unshift = |shifted: &mut Vec<u8>, encoded: &mut String| {
        if !shifted.is_empty() {
            encoded.push('&');
            BASE_64.encode_string(&*shifted, encoded);
            encoded.push('-');
            shifted.clear();
        }
    };
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            unshift(&mut shifted, &mut encoded);
            encoded.push(c);
            if c == '&' {
                encoded.push('-');
            }
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                shifted.extend_from_slice(&unit.to_be_bytes());
            }
        }
    }
    unshift(&mut shifted, &mut encoded);
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_as_servers_write_them() {
        for (wire, name) in [
            ("INBOX", "INBOX"),
            ("Entw&APw-rfe", "Entwürfe"),
            ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
            ("Tom &- Jerry", "Tom & Jerry"),
            ("&2D3eAA-", "😀"),
            ("&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-", "Отправленные"),
            ("a&AAoADQ-b", "a\n\rb"),
            ("", ""),
            ("tilde~", "tilde~"),
        ] {
            assert_eq!(decode(wire.as_bytes()).as_deref(), Some(name), "{wire}");
            assert_eq!(encode(name), wire, "{name}");
        }
    }

    #[test]
    fn what_is_not_modified_utf_7_is_refused() {
        for bad in
            ["Tom & Jerry", "&", "&abc", "&A-", "&AB-", "&2D0-", "&3gA-", "&AAA=-", "caf\u{e9}", "a\tb", "&APw/-"]
        {
            assert_eq!(decode(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(decode(b"\xff"), None);
    }

    #[test]
    fn what_should_not_have_been_shifted_is_read_all_the_same() {
        assert_eq!(decode(b"&AGE-").as_deref(), Some("a"));
        assert_eq!(decode(b"&APw-&APw-").as_deref(), Some("üü"));
    }

    proptest! {
        #[test]
        fn every_name_reads_back(name in any::<String>()) {
            let wire = encode(&name);
            prop_assert!(wire.bytes().all(|byte| (0x20..=0x7e).contains(&byte)));
            prop_assert_eq!(decode(wire.as_bytes()), Some(name));
        }

        #[test]
        fn no_bytes_cause_harm(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = decode(&bytes);
        }
    }
}
