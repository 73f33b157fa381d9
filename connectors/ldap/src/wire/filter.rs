//! Search filters in text (RFC 4515), with every value escaped.

/// `(attribute=value)`. Every byte that is not a letter, a digit or one of a few harmless marks is escaped, so that a value can
/// be anything.
pub(crate) fn equals(attribute: &str, value: &[u8]) -> String {
    let mut filter = format!("({attribute}=");
    for byte in value {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'@' | b'_' | b'=' | b',' | b' ' => {
                filter.push(char::from(*byte));
            }
            _ => {
                filter.push('\\');
                for digit in [byte >> 4, byte & 15] {
                    filter.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
                }
            }
        }
    }
    filter.push(')');
    filter
}

/// All of these hold; empty ones count as held.
pub(crate) fn all<T: AsRef<str>>(filters: impl IntoIterator<Item = T>) -> String {
    joined('&', filters, "(objectClass=*)")
}

/// One of these holds.
pub(crate) fn any<T: AsRef<str>>(filters: impl IntoIterator<Item = T>) -> String {
    joined('|', filters, "(!(objectClass=*))")
}

fn joined<T: AsRef<str>>(sign: char, filters: impl IntoIterator<Item = T>, of_none: &str) -> String {
    let filters: Vec<T> = filters.into_iter().filter(|filter| !filter.as_ref().is_empty()).collect();
    match &filters[..] {
        [] => of_none.to_owned(),
        [one] => one.as_ref().to_owned(),
        several => format!("({sign}{})", several.iter().map(AsRef::as_ref).collect::<String>()),
    }
}

/// Can this filter be sent?
pub(crate) fn is_valid(filter: &str) -> bool {
    ldap3::parse_filter(filter).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_can_be_anything() {
        assert_eq!(equals("cn", b"a*(b)\\\0"), "(cn=a\\2a\\28b\\29\\5c\\00)");
        assert_eq!(equals("cn", "Ö".as_bytes()), "(cn=\\c3\\96)");
        for value in [&b"*)(uid=*"[..], b"\xff\xfe", b" x ", b"#a", b"O'Neil, \"Ann\""] {
            assert!(is_valid(&equals("cn", value)), "{value:?}");
        }
        assert!(is_valid(&all(["(a=b)", "", &any(["(c=d)", "(e=f)"])])));
        assert!(is_valid(&any(Vec::<String>::new())) && is_valid(&all(Vec::<String>::new())));
        assert!(!is_valid("(a=b") && !is_valid(""));
    }
}
