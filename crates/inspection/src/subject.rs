//! What a message says that it is about, for people who may know it.

use std::io;

use crate::charset::words;
use crate::name::is_invisible;
use crate::read::{Lines, ReadAt};

/// Longer ones are cut.
const CHARS_MAX: usize = 200;
/// So many bytes of a field are looked at.
const FIELD_BYTES_MAX: usize = 4000;
/// A header longer than this is looked at no further.
const HEADER_BYTES_MAX: u64 = 1 << 20;

/// The subject of a message (RFC 5322, section 3.6.5), decoded (RFC 2047) and on one line; nothing in it moves the text
/// around it or hides. None where the header has none.
pub fn subject(message: &dyn ReadAt) -> io::Result<Option<String>> {
    let mut lines = Lines::new(message, 0);
    let mut found: Option<Vec<u8>> = None;
    while let Some(line) = lines.next(FIELD_BYTES_MAX)? {
        let text = lines.text();
        let is_more = matches!(text.first(), Some(b' ' | b'\t'));
        match &mut found {
            Some(field) if is_more => {
                let room = FIELD_BYTES_MAX.saturating_sub(field.len());
                field.extend_from_slice(&text[..text.len().min(room)]);
            }
            Some(_) => break,
            None if text.is_empty() || line.end > HEADER_BYTES_MAX => break,
            None => {
                let (name, value) = text.split_at(memchr::memchr(b':', text).unwrap_or(0));
                if name.trim_ascii_end().eq_ignore_ascii_case(b"subject") {
                    found = Some(value[1..].to_vec());
                }
            }
        }
    }
    Ok(found.map(|field| on_one_line(&words(&field))))
}

fn on_one_line(text: &str) -> String {
    let plain = |c: char| {
        let is_hidden = is_invisible(c) || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        if is_hidden { ' ' } else { c }
    };
    let plain: String = text.chars().map(plain).collect();
    let mut line = String::new();
    for word in plain.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.chars().count() > CHARS_MAX {
        line = line.chars().take(CHARS_MAX - 1).chain(['…']).collect();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_read_as_a_person_reads_it() {
        let long = format!("Subject: {}\r\n\r\n", "a".repeat(500));
        let cut = format!("{}…", "a".repeat(CHARS_MAX - 1));
        for (message, wanted) in [
            ("Subject: Ward round\r\n\r\nbody", Some("Ward round")),
            ("From: a@b.example\r\nSUBJECT :  Ward\r\n  round \r\nTo: c\r\n\r\n", Some("Ward round")),
            ("Subject: =?utf-8?B?w5hzdGVy?= =?iso-8859-1?Q?_=E9t=E9?=\r\n\r\n", Some("Øster été")),
            ("Subject: a\u{202e}b\u{1b}[31m\r\n\r\n", Some("a b [31m")),
            ("Subject:\r\n\r\n", Some("")),
            ("From: a\r\n\r\nSubject: in the body\r\n", None),
            ("no header", None),
            ("", None),
            (long.as_str(), Some(cut.as_str())),
        ] {
            assert_eq!(subject(&message.as_bytes()).unwrap().as_deref(), wanted, "{message:?}");
        }
    }
}
