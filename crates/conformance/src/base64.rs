//! Base64 (RFC 4648), for SASL, and with another alphabet for folder names (RFC 3501 section 5.1.3).

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const FOLDER_NAME: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// As RFC 4648 section 4 has it, padded.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = encode_with(STANDARD, bytes);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Reads padded text. None when it isn't that.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let unpadded = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    decode_with(STANDARD, unpadded)
}

/// As folder names have it: `,` for `/`, no padding.
pub(crate) fn encode_for_folder_name(bytes: &[u8]) -> String {
    encode_with(FOLDER_NAME, bytes)
}

/// Reads what [`encode_for_folder_name`] writes.
pub(crate) fn decode_for_folder_name(text: &[u8]) -> Option<Vec<u8>> {
    decode_with(FOLDER_NAME, text)
}

fn encode_with(alphabet: &[u8; 64], bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().enumerate().fold(0u32, |bits, (i, byte)| bits | u32::from(*byte) << (16 - 8 * i));
        for digit in 0..=three.len() {
            text.push(char::from(alphabet[(bits >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    text
}

fn decode_with(alphabet: &[u8; 64], text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for four in text.chunks(4) {
        let mut bits = 0u32;
        for (i, character) in four.iter().enumerate() {
            let digit = alphabet.iter().position(|known| known == character)?;
            bits |= (digit as u32) << (18 - 6 * i);
        }
        let whole = four.len() * 6 / 8;
        // A digit that stands alone, or bits left over that are not zero, were written by nobody who knows how.
        if four.len() == 1 || bits & ((1 << (24 - 8 * whole)) - 1) != 0 {
            return None;
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..=whole]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_rfc_4648_both_ways() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(bytes.as_bytes()));
        }
        for wrong in ["Zg", "Zh==", "Z", "Zm9v!", "Zg=a"] {
            assert_eq!(decode(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn folder_names_have_a_comma_and_no_padding() {
        assert_eq!(encode_for_folder_name(&[0xff, 0xff, 0xff]), ",,,,");
        assert_eq!(decode_for_folder_name(b"U,BTFw"), Some(vec![0x53, 0xf0, 0x53, 0x17]));
    }
}
