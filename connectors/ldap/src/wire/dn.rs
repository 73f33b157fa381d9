//! Distinguished names in text (RFC 4514): taken apart to be compared, and put together with every value escaped.

/// A distinguished name in the form in which names are compared: types and values without case and without escapes, each
/// relative name's parts in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Dn(Vec<Vec<(String, String)>>);

impl Dn {
    /// Reads a name. None when the text is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return Some(Self(Vec::new()));
        }
        let mut names = Vec::new();
        for name in split(text, &[',', ';']) {
            let mut parts = Vec::new();
            for part in split(name, &['+']) {
                let (kind, value) = part.split_once('=')?;
                let kind = kind.trim().to_ascii_lowercase();
                if kind.is_empty() {
                    return None;
                }
                parts.push((kind, plain(value)?.to_lowercase()));
            }
            parts.sort();
            names.push(parts);
        }
        Some(Self(names))
    }

    /// Is it this one, or does it stand below it?
    pub(crate) fn is_within(&self, above: &Self) -> bool {
        self.0.ends_with(&above.0)
    }

    /// What tells it from others, in 8 bytes.
    pub(crate) fn digest(&self) -> u64 {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for name in &self.0 {
            for (kind, value) in name {
                for text in [kind, value] {
                    context.update(&(text.len() as u64).to_be_bytes());
                    context.update(text.as_bytes());
                }
            }
            context.update(&[0xff]);
        }
        let digest = context.finish();
        digest.as_ref().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }
}

/// The first part of a name: its attribute and its value, as written without escapes. None when the text is none, or when the
/// part has several values.
pub(crate) fn first(text: &str) -> Option<(String, String)> {
    let name = *split(text, &[',', ';']).first()?;
    let [part] = split(name, &['+'])[..] else { return None };
    let (attribute, value) = part.split_once('=')?;
    Some((attribute.trim().to_owned(), plain(value)?))
}

/// Parts of a text between these marks, where they are neither escaped nor quoted.
fn split<'t>(text: &'t str, marks: &[char]) -> Vec<&'t str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut is_escaped, mut is_quoted) = (false, false);
    for (index, c) in text.char_indices() {
        if is_escaped {
            is_escaped = false;
        } else if c == '\\' {
            is_escaped = true;
        } else if c == '"' {
            is_quoted = !is_quoted;
        } else if !is_quoted && marks.contains(&c) {
            parts.push(&text[start..index]);
            start = index + c.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts
}

/// A value without its escapes, and without the spaces and quotes around it.
fn plain(value: &str) -> Option<String> {
    // A space is U+0020 and no other (RFC 4514 section 2.4): one of another kind is part of the value.
    let value = value.trim_start_matches(' ');
    let mut bytes = Vec::with_capacity(value.len());
    // What is escaped is kept at the end; a space that is not is taken away.
    let mut kept = 0;
    let source = value.as_bytes();
    let hex = |at: usize| source.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut at = 0;
    while let Some(byte) = source.get(at) {
        if *byte == b'\\' {
            if let (Some(high), Some(low)) = (hex(at + 1), hex(at + 2)) {
                bytes.push((high * 16 + low) as u8);
                at += 3;
            } else {
                bytes.push(*source.get(at + 1)?);
                at += 2;
            }
            kept = bytes.len();
        } else {
            if *byte != b'"' {
                bytes.push(*byte);
            }
            at += 1;
        }
    }
    let end = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    bytes.truncate(end.max(kept));
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A value as it stands in a name (RFC 4514 section 2.4).
pub(crate) fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (index, c) in value.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => text.extend(['\\', c]),
            ' ' if index == 0 || index == last => text.push_str("\\20"),
            '#' if index == 0 => text.push_str("\\#"),
            c if c.is_control() => {
                let mut room = [0; 4];
                for byte in c.encode_utf8(&mut room).bytes() {
                    text.push('\\');
                    for digit in [byte >> 4, byte & 15] {
                        text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
                    }
                }
            }
            c => text.push(c),
        }
    }
    text
}

/// The relative name of this attribute and value.
pub(crate) fn relative(attribute: &str, value: &str) -> String {
    format!("{attribute}={}", escaped(value))
}

/// Where a name stands: all but its first part.
pub(crate) fn above(text: &str) -> &str {
    let first = split(text, &[',', ';']).first().map_or(0, |name| name.len());
    text.get(first + 1..).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_compared_without_case_escapes_and_spaces() {
        let same = |a: &str, b: &str| Dn::parse(a).unwrap() == Dn::parse(b).unwrap();
        assert!(same("CN=Lee\\, Ann,OU=Staff,DC=x", "cn=LEE\\2C ann, ou=staff , dc=X"));
        assert!(same("cn=\"Lee, Ann\",dc=x", "cn=Lee\\, Ann,dc=x"));
        assert!(same("a=1+b=2,dc=x", "B=2+A=1,dc=x"));
        assert!(same("cn=\\C3\\96,dc=x", "cn=ö,dc=x"));
        assert!(!same("cn=a\\ ,dc=x", "cn=a,dc=x"));
        assert!(!same("cn=\u{a0}a,dc=x", "cn=a,dc=x"));
        for bad in ["x", "=a", "cn=a,,dc=x", "cn=a\\"] {
            assert_eq!(Dn::parse(bad), None, "{bad}");
        }
        let within = |a: &str, b: &str| Dn::parse(a).unwrap().is_within(&Dn::parse(b).unwrap());
        assert!(within("cn=a,ou=b,dc=c", "OU=B,DC=C") && within("dc=c", "dc=c") && within("dc=c", ""));
        assert!(!within("ou=xb,dc=c", "ou=b,dc=c") && !within("dc=c", "ou=b,dc=c"));
        assert_eq!(above("CN=Lee\\, Ann,OU=Staff,DC=x"), "OU=Staff,DC=x");
        assert_eq!(above("dc=x"), "");
        assert_eq!(first("CN=Lee\\, Ann,OU=Staff"), Some(("CN".into(), "Lee, Ann".into())));
        assert_eq!(first("a=1+b=2,dc=x"), None);
    }

    proptest! {
        #[test]
        fn any_value_is_escaped_so_that_it_is_read_back(value in "\\PC{1,12}|[ #,+\"\\\\<>;=\\x00a]{1,6}") {
            let name = format!("{},dc=x", relative("cn", &value));
            let parsed = Dn::parse(&name).unwrap();
            prop_assert_eq!(parsed, Dn(vec![
                vec![("cn".into(), value.to_lowercase())],
                vec![("dc".into(), "x".into())],
            ]));
            prop_assert_eq!(above(&name), "dc=x");
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = Dn::parse(&text);
            let _ = above(&text);
        }
    }
}
