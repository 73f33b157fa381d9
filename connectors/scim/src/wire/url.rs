//! How names and filters stand in an address (RFC 3986).

/// A text as it stands in a path or after the question mark.
pub(crate) fn encoded(text: &str) -> String {
    let of = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(of).collect()
}

/// A text as it stands in a filter: as JSON writes it (RFC 7644 section 3.4.2.2).
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_gets_out_of_its_place() {
        assert_eq!(encoded("a/b?c&d=\"é\""), "a%2Fb%3Fc%26d%3D%22%C3%A9%22");
        assert_eq!(quoted("a\" or id pr \\ \n"), "\"a\\\" or id pr \\\\ \\n\"");
    }
}
