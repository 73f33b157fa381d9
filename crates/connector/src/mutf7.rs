//! Modified UTF-7 (RFC 3501 section 5.1.3): how IMAP and Maildir++ write folder names in ASCII.

/// The name in modified UTF-7. Characters for which `also` is true are written encoded too, though they need not be.
pub fn encode(name: &str, also: impl Fn(char) -> bool) -> String {
    let mut out = String::new();
    let mut shifted: Vec<u16> = Vec::new();
    for c in name.chars() {
        let is_plain = matches!(c, ' '..='~') && !also(c);
        if is_plain {
            shift_out(&mut out, &mut shifted);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            shifted.extend_from_slice(c.encode_utf16(&mut [0; 2]));
        }
    }
    shift_out(&mut out, &mut shifted);
    out
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

fn shift_out(out: &mut String, shifted: &mut Vec<u16>) {
    if shifted.is_empty() {
        return;
    }
    out.push('&');
    let bytes: Vec<u8> = shifted.drain(..).flat_map(u16::to_be_bytes).collect();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..=chunk.len() {
            out.push(char::from(ALPHABET[(bits >> (18 - 6 * position) & 63) as usize]));
        }
    }
    out.push('-');
}

/// The name that is written so; none when it is not modified UTF-7.
pub fn decode(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (plain, after) = rest.split_at(at);
        let (shifted, after) = after[1..].split_once('-')?;
        out.push_str(plain);
        if shifted.is_empty() {
            out.push('&');
        } else {
            out.push_str(&unshift(shifted)?);
        }
        rest = after;
    }
    out.push_str(rest);
    text.bytes().all(|byte| matches!(byte, b' '..=b'~')).then_some(out)
}

fn unshift(shifted: &str) -> Option<String> {
    let (mut bits, mut count) = (0u32, 0);
    let mut bytes = Vec::new();
    for c in shifted.bytes() {
        bits = bits << 6 | ALPHABET.iter().position(|known| *known == c)? as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    // What is left over must be padding: less than a character, and zero.
    if bits != 0 || count >= 6 || bytes.len() % 2 != 0 {
        return None;
    }
    let units: Vec<u16> = bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_the_rfc_and_others() {
        for (name, text) in [
            ("INBOX", "INBOX"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("Lost & Found", "Lost &- Found"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("\u{1f426}", "&2D3cJg-"),
            ("&AOQ-", "&-AOQ-"),
            ("\t", "&AAk-"),
            ("a\n\rb", "a&AAoADQ-b"),
            ("Отправленные", "&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-"),
            ("", ""),
        ] {
            assert_eq!(encode(name, |_| false), text);
            assert_eq!(decode(text).as_deref(), Some(name));
        }
    }

    #[test]
    fn more_can_be_encoded_than_must_be() {
        let text = encode("a.b/c", |c| c == '.' || c == '/');
        assert_eq!(text, "a&AC4-b&AC8-c");
        assert_eq!(decode(&text).as_deref(), Some("a.b/c"));
    }

    #[test]
    fn what_is_not_modified_utf_7_is_not_guessed_at() {
        for text in
            ["a&b", "&", "&AOQ", "&A-", "&AB-", "&AOQA-", "&2D0-", "&3gA-", "&AAA=-", "&APw/-", "ü", "&A!-", "a\tb"]
        {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn what_should_not_have_been_shifted_is_read_all_the_same() {
        assert_eq!(decode("&AGE-").as_deref(), Some("a"));
        assert_eq!(decode("&APw-&APw-").as_deref(), Some("üü"));
    }

    proptest! {
        #[test]
        fn every_name_reads_back(name in any::<String>()) {
            let text = encode(&name, |_| false);
            prop_assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            prop_assert_eq!(decode(&text), Some(name));
        }

        #[test]
        fn no_text_causes_harm(text in any::<String>()) {
            let _ = decode(&text);
        }
    }
}
