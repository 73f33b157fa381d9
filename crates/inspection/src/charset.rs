//! Texts of headers: charsets, encoded words (RFC 2047), and what a person is shown of them.

use encoding_rs::{Encoding as Charset, REPLACEMENT, UTF_8, UTF_16BE, WINDOWS_1252};

use crate::decode::{Encoding, decode, hex};

/// Text in a charset, of which nothing is refused: what can't be read any other way counts as Latin, in which ASCII
/// letters stay what they are.
pub(crate) fn text(charset: &str, bytes: &[u8]) -> String {
    let charset = charset.trim().to_ascii_lowercase();
    if charset == "utf-7" || charset == "unicode-1-1-utf-7" {
        return utf_7(bytes);
    }
    if charset == "utf-16" && bytes.first() == Some(&0) {
        return UTF_16BE.decode(bytes).0.into_owned();
    }
    match Charset::for_label_no_replacement(charset.as_bytes()) {
        Some(known) if known != REPLACEMENT => known.decode(bytes).0.into_owned(),
        _ => raw(bytes),
    }
}

/// Text whose charset nobody named.
pub(crate) fn raw(bytes: &[u8]) -> String {
    match UTF_8.decode_without_bom_handling_and_without_replacement(bytes) {
        Some(text) => text.into_owned(),
        None => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

fn utf_7(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = bytes;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'+' {
            text.push(char::from(byte));
            continue;
        }
        let count = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')).count();
        if count == 0 {
            text.push('+');
        }
        let units = decode(Encoding::Base64, &rest[..count]);
        text.push_str(&UTF_16BE.decode_without_bom_handling(&units[..units.len() & !1]).0);
        rest = &rest[count..];
        rest = rest.strip_prefix(b"-").unwrap_or(rest);
    }
    text
}

/// A header's text with its encoded words read, wherever they stand: many senders write them into quoted strings.
pub(crate) fn words(bytes: &[u8]) -> String {
    let mut text = String::new();
    // Words of one charset that follow each other are one text: some senders cut between the bytes of a character.
    let mut open: Option<(String, Vec<u8>)> = None;
    let mut rest = bytes;
    loop {
        let at = memchr::memmem::find(rest, b"=?");
        let word = at.and_then(|at| Some((at, word(&rest[at..])?)));
        let before = word.as_ref().map_or(at.map_or(rest.len(), |at| at + 2), |(at, _)| *at);
        let is_space = rest[..before].iter().all(u8::is_ascii_whitespace);
        if !(word.is_some() && is_space && open.is_some()) {
            if let Some((charset, bytes)) = open.take() {
                text.push_str(&self::text(&charset, &bytes));
            }
            text.push_str(&raw(&rest[..before]));
        }
        let Some((at, word)) = word else {
            if at.is_none() {
                break;
            }
            rest = &rest[before..];
            continue;
        };
        match &mut open {
            Some((charset, bytes)) if *charset == word.charset => bytes.extend_from_slice(&word.bytes),
            _ => {
                if let Some((charset, bytes)) = open.replace((word.charset, word.bytes)) {
                    text.push_str(&self::text(&charset, &bytes));
                }
            }
        }
        rest = &rest[at + word.size..];
    }
    if let Some((charset, bytes)) = open {
        text.push_str(&self::text(&charset, &bytes));
    }
    text
}

struct Word {
    charset: String,
    bytes: Vec<u8>,
    size: usize,
}

/// An encoded word at the beginning of this.
fn word(text: &[u8]) -> Option<Word> {
    let inner = text.strip_prefix(b"=?")?;
    let charset_size = memchr::memchr(b'?', inner)?;
    let charset = &inner[..charset_size];
    if charset.is_empty() || charset.iter().any(u8::is_ascii_whitespace) {
        return None;
    }
    let (way, inner) = inner[charset_size + 1..].split_first()?;
    let inner = inner.strip_prefix(b"?")?;
    let size = memchr::memmem::find(inner, b"?=")?;
    let bytes = match way {
        b'b' | b'B' => decode(Encoding::Base64, &inner[..size]),
        b'q' | b'Q' => {
            let spaced: Vec<u8> = inner[..size].iter().map(|byte| if *byte == b'_' { b' ' } else { *byte }).collect();
            decode(Encoding::QuotedPrintable, &spaced)
        }
        _ => return None,
    };
    // A language may follow the charset (RFC 2231).
    let charset = charset.split(|byte| *byte == b'*').next().unwrap_or_default();
    let size = text.len() - inner.len() + size + 2;
    Some(Word { charset: String::from_utf8_lossy(charset).to_ascii_lowercase(), bytes, size })
}

/// `%41` is A; what is no such escape stays.
pub(crate) fn percent(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, behind)) = rest.split_first() {
        if let (b'%', [high, low, behind @ ..]) = (byte, behind)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            plain.push(high << 4 | low);
            rest = behind;
            continue;
        }
        plain.push(byte);
        rest = behind;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_are_read_wherever_they_stand() {
        for (encoded, expected) in [
            ("plain", "plain"),
            ("=?utf-8?q?a=2Eexe?=", "a.exe"),
            ("=?UTF-8?B?YS5leGU=?=", "a.exe"),
            ("x =?utf-8*en?q?a_b?= y", "x a b y"),
            ("=?utf-8?q?a.e?= =?utf-8?q?xe?=", "a.exe"),
            ("=?utf-8?q?a.e?=\t=?iso-8859-1?q?xe?=", "a.exe"),
            ("=?utf-8?b?w6==?= =?utf-8?b?qQ==?=", "\u{e9}"),
            ("=?utf-7?q?a.e+AHg-e?=", "a.exe"),
            ("=?utf-16?b?AGEALgBlAHgAZQ==?=", "a.exe"),
            ("=?utf-16le?b?YQAuAGUAeABlAA==?=", "a.exe"),
            ("=?shift_jis?b?gmGCgoKFgpiChQ==?=", "\u{ff22}\u{ff42}\u{ff45}\u{ff58}\u{ff45}"),
            ("=?none?q?a.exe?=", "a.exe"),
            ("=?utf-8?x?a?= =? =?a", "=?utf-8?x?a?= =? =?a"),
            ("=?utf-8?q?open", "=?utf-8?q?open"),
        ] {
            assert_eq!(words(encoded.as_bytes()), expected, "{encoded}");
        }
        assert_eq!(words(b"caf\xc3\xa9.exe"), "caf\u{e9}.exe");
        assert_eq!(words(b"caf\xe9.exe"), "caf\u{e9}.exe");
    }

    #[test]
    fn percent_escapes_are_read() {
        assert_eq!(percent(b"a%2eexe%zz%4"), b"a.exe%zz%4");
    }
}
