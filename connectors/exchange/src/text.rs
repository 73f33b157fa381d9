//! PowerShell's strings: whatever a name holds, it stays a string.
//!
//! A script is printable ASCII alone, so that no encoding changes it: Windows PowerShell reads a file without a mark as the machine's code page.
//! What is not is written as `[char]` and its number. PowerShell takes the typographic quotes U+2018 to U+201B for `'`, and U+201C to U+201E for
//! `"`; none of them is ever in a script.

use std::fmt::Write as _;

/// An expression that is this string, and nothing else.
pub(crate) fn quoted(text: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut plain = String::new();
    let end = |plain: &mut String, parts: &mut Vec<String>| {
        if !plain.is_empty() {
            parts.push(format!("'{plain}'"));
            plain.clear();
        }
    };
    let mut units = [0; 2];
    for character in text.chars() {
        match character {
            '\'' => plain.push_str("''"),
            ' '..='~' => plain.push(character),
            _ => {
                end(&mut plain, &mut parts);
                parts.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("[char]0x{unit:04X}")));
            }
        }
    }
    end(&mut plain, &mut parts);
    match parts.as_slice() {
        [] => "''".to_owned(),
        [one] if one.starts_with('\'') => parts.swap_remove(0),
        // What begins with a string adds up to one.
        [first, ..] if first.starts_with('\'') => format!("({})", parts.join(" + ")),
        _ => format!("('' + {})", parts.join(" + ")),
    }
}

/// What goes into a comment: a string as above, so nothing in it ends the line.
pub(crate) fn comment(lines: &mut String, text: &str) {
    let _ = writeln!(lines, "# {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_name_holds_it_is_one_string() {
        for (text, expression) in [
            ("", "''"),
            ("ann@hill.test", "'ann@hill.test'"),
            ("o'brien", "'o''brien'"),
            ("$(Remove-Mailbox)`n\"", "'$(Remove-Mailbox)`n\"'"),
            ("o\u{2019}brien", "('o' + [char]0x2019 + 'brien')"),
            ("\u{2018}", "('' + [char]0x2018)"),
            ("a\r\nb", "('a' + [char]0x000D + [char]0x000A + 'b')"),
            ("\u{1f600}", "('' + [char]0xD83D + [char]0xDE00)"),
        ] {
            assert_eq!(quoted(text), expression);
        }
    }

    proptest::proptest! {
        /// No quote is left open, and nothing but printable ASCII is in it.
        #[test]
        fn it_is_printable_and_closed(text in ".*") {
            let expression = quoted(&text);
            proptest::prop_assert!(expression.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            proptest::prop_assert_eq!(expression.matches('\'').count() % 2, 0);
        }
    }
}
