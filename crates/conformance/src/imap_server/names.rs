//! Folder names: how they are written on the wire, and which of them a LIST pattern means.

use crate::base64;

/// The Unicode text of a name in the modified UTF-7 of RFC 3501 section 5.1.3. None when it is not well formed.
pub(crate) fn decode(bytes: &[u8]) -> Option<String> {
    let mut text = String::new();
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        match byte {
            b'&' => {
                let end = after.iter().position(|b| *b == b'-')?;
                if end == 0 {
                    text.push('&');
                } else {
                    let units = base64::decode_for_folder_name(&after[..end])?;
                    let (pairs, []) = units.as_chunks::<2>() else { return None };
                    let decoded = char::decode_utf16(pairs.iter().map(|pair| u16::from_be_bytes(*pair)));
                    let decoded: String = decoded.collect::<Result<_, _>>().ok()?;
                    // Printable ASCII is to be written as itself; two ways to write a name would be two folders.
                    if decoded.contains(|c| matches!(c, ' '..='~')) {
                        return None;
                    }
                    text.push_str(&decoded);
                }
                rest = &after[end + 1..];
            }
            b' '..=b'~' => {
                text.push(char::from(*byte));
                rest = after;
            }
            _ => return None,
        }
    }
    Some(text)
}

/// A name in modified UTF-7.
pub(crate) fn encode(name: &str) -> String {
    let mut text = String::new();
    let mut pending: Vec<u8> = Vec::new();
    let flush = |pending: &mut Vec<u8>, text: &mut String| {
        if !pending.is_empty() {
            text.push('&');
            text.push_str(&base64::encode_for_folder_name(pending));
            text.push('-');
            pending.clear();
        }
    };
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            flush(&mut pending, &mut text);
            text.push(c);
            if c == '&' {
                text.push('-');
            }
        } else {
            pending.extend(c.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    flush(&mut pending, &mut text);
    text
}

/// Does a LIST pattern mean this name? `*` is anything, `%` anything without the separator.
pub(crate) fn matches(pattern: &str, name: &str, separator: Option<char>) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    // Where in the name the pattern read so far may have led.
    let mut places = vec![false; name.len() + 1];
    places[0] = true;
    for symbol in pattern {
        let mut next = vec![false; name.len() + 1];
        for place in 0..=name.len() {
            let from_before = place > 0
                && match symbol {
                    '*' => next[place - 1],
                    '%' => next[place - 1] && Some(name[place - 1]) != separator,
                    exact => places[place - 1] && name[place - 1] == exact,
                };
            next[place] = from_before || (matches!(symbol, '*' | '%') && places[place]);
        }
        places = next;
    }
    places[name.len()]
}

/// The one spelling of a name: INBOX in any case is INBOX, alone or above others.
pub(crate) fn normal(name: &str, separator: Option<char>) -> String {
    let end = separator.and_then(|separator| name.find(separator)).unwrap_or(name.len());
    if name[..end].eq_ignore_ascii_case("INBOX") { format!("INBOX{}", &name[end..]) } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_rfc_and_beyond_both_ways() {
        for (name, wire) in [
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("a&b", "a&-b"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("\u{1f600}", "&2D3eAA-"),
            ("tab\there", "tab&AAk-here"),
            ("", ""),
        ] {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire.as_bytes()).as_deref(), Some(name));
        }
    }

    #[test]
    fn badly_written_names_are_refused() {
        for wire in ["&", "a&AA-", "&AGE-", "&2D0-", "caf\u{e9}", "&U,BTFw", "a\r"] {
            assert_eq!(decode(wire.as_bytes()), None, "{wire}");
        }
    }

    #[test]
    fn patterns_mean_what_the_rfc_says() {
        for (pattern, name, yes) in [
            ("*", "a/b", true),
            ("%", "a/b", false),
            ("%", "a", true),
            ("a/%", "a/b", true),
            ("a/%", "a/b/c", false),
            ("a*c", "a/b/c", true),
            ("%/%", "a/b", true),
            ("", "a", false),
            ("**%", "", true),
            ("a", "b", false),
        ] {
            assert_eq!(matches(pattern, name, Some('/')), yes, "{pattern} {name}");
        }
        assert!(matches("%", "a/b", None));
    }

    #[test]
    fn inbox_has_one_spelling() {
        assert_eq!(normal("inbox", Some('/')), "INBOX");
        assert_eq!(normal("Inbox/a", Some('/')), "INBOX/a");
        assert_eq!(normal("Inbox/a", Some('.')), "Inbox/a");
        assert_eq!(normal("inboxes", Some('/')), "inboxes");
    }
}
