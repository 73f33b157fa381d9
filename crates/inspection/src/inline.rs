//! What stands among the lines of a text: files (uuencoded, as before MIME) and PGP texts.

use std::io;
use std::ops::Range;

use crate::charset;
use crate::decode::Encoding;
use crate::read::{Line, Lines, ReadAt};

/// How much of a line is looked at.
const LINE_BYTES_MAX: usize = 2_000;
/// Files in one text, at most.
const FILES_MAX: usize = 200;
/// How many characters a line of uuencode has for how many bytes: 4 for 3.
const GROUP: usize = 4;
/// Some encoders add a character or two to each line.
const LINE_MORE_MAX: usize = 2;

/// What stands among the lines of a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Inline {
    pub(crate) files: Vec<InlineFile>,
    /// PGP texts; true for an encrypted one.
    pub(crate) pgp: Vec<bool>,
    /// There is more than is listed.
    pub(crate) has_more: bool,
}

/// A file among the lines.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InlineFile {
    pub(crate) name: String,
    /// From the line that begins it up to the one that ends it, without that one's line end.
    pub(crate) range: Range<u64>,
    /// Bytes before its content: the first line, where the encoding does not know it itself.
    pub(crate) opening_bytes: u64,
    pub(crate) encoding: Encoding,
    /// It is part of a signed PGP text.
    pub(crate) is_signed: bool,
}

/// Finds what stands among the lines.
pub(crate) fn find(text: &dyn ReadAt) -> io::Result<Inline> {
    let mut found = Inline::default();
    let mut lines = Lines::new(text, 0);
    let mut open: Option<Open> = None;
    let mut is_signed = false;
    while let Some(line) = lines.next(LINE_BYTES_MAX)? {
        if let Some(file) = &mut open {
            match file.take(lines.text(), line) {
                Step::Within => continue,
                Step::Ended => {
                    found.add(open.take());
                    continue;
                }
                Step::Broken => found.add(open.take()),
            }
        }
        match lines.text().first() {
            Some(b'b') => open = Open::begin(lines.text(), line, is_signed),
            Some(b'-') => match lines.text().trim_ascii_end() {
                b"-----BEGIN PGP SIGNED MESSAGE-----" => {
                    is_signed = true;
                    found.add_pgp(false);
                }
                b"-----BEGIN PGP MESSAGE-----" => found.add_pgp(true),
                b"-----END PGP SIGNATURE-----" => is_signed = false,
                _ => {}
            },
            _ => {}
        }
    }
    found.add(open);
    Ok(found)
}

impl Inline {
    fn add(&mut self, open: Option<Open>) {
        let Some(open) = open.filter(|open| open.has_content) else { return };
        if self.files.len() == FILES_MAX {
            self.has_more = true;
        } else {
            self.files.push(open.file);
        }
    }

    fn add_pgp(&mut self, is_encrypted: bool) {
        if !self.pgp.contains(&is_encrypted) {
            self.pgp.push(is_encrypted);
        }
    }
}

/// A file whose lines are coming.
struct Open {
    file: InlineFile,
    /// Its first line was one: it is no sentence that begins with "begin".
    has_content: bool,
}

enum Step {
    Within,
    /// This line ends it.
    Ended,
    /// This line is none of it.
    Broken,
}

impl Open {
    fn begin(text: &[u8], line: Line, is_signed: bool) -> Option<Self> {
        let (encoding, rest) = match (text.strip_prefix(b"begin "), text.strip_prefix(b"begin-base64 ")) {
            (Some(rest), _) => (Encoding::Uu, rest),
            (_, Some(rest)) => (Encoding::Base64, rest),
            _ => return None,
        };
        let at = memchr::memchr(b' ', rest)?;
        let (mode, name) = rest.split_at(at);
        let name = name.trim_ascii();
        if !(3..=4).contains(&mode.len()) || !mode.iter().all(|byte| (b'0'..=b'7').contains(byte)) || name.is_empty() {
            return None;
        }
        let file = InlineFile {
            name: charset::words(name),
            range: line.start..line.end - line.ending,
            opening_bytes: if encoding == Encoding::Uu { 0 } else { line.end - line.start },
            encoding,
            is_signed,
        };
        Some(Self { file, has_content: false })
    }

    fn take(&mut self, text: &[u8], line: Line) -> Step {
        let end = line.end - line.ending;
        let is_last = match self.file.encoding {
            Encoding::Uu => text.trim_ascii_end() == b"end",
            _ => text.trim_ascii_end() == b"====",
        };
        if is_last {
            // A file without content has its name all the same.
            self.has_content = true;
            self.file.range.end = end;
            return Step::Ended;
        }
        let is_own = match self.file.encoding {
            Encoding::Uu => is_uu(text),
            _ => text.trim_ascii_end().iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte)),
        };
        if !is_own {
            return Step::Broken;
        }
        if !text.is_empty() {
            self.has_content = true;
            self.file.range.end = end;
        }
        Step::Within
    }
}

/// Is this a line of uuencode? Spaces at its end may be lost.
fn is_uu(text: &[u8]) -> bool {
    let Some((first, rest)) = text.split_first() else { return true };
    let is_letter = |byte: &u8| (b' '..=b'`').contains(byte);
    let wanted = usize::from(first.wrapping_sub(b' ') & 63).div_ceil(3) * GROUP;
    let full = rest.iter().rposition(|byte| *byte != b' ').map_or(0, |at| at + 1);
    is_letter(first) && rest.iter().all(is_letter) && full <= wanted + LINE_MORE_MAX && rest.len() + GROUP * 4 >= wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        find(&text.as_bytes()).unwrap().files.into_iter().map(|file| file.name).collect()
    }

    #[test]
    fn files_are_found_among_lines_and_sentences_are_not() {
        for (text, expected) in [
            ("Hi\nbegin 644 a.exe\n%:&5L;&\\\n`\nend\nBye\n", vec!["a.exe"]),
            ("begin 0755 my a.exe\r\n%:&5L;&\\\r\nend", vec!["my a.exe"]),
            ("begin 644 a.exe\n%:&5L;&\\\nno end follows", vec!["a.exe"]),
            ("begin 644 a.exe\nend\nbegin 644 b.exe\n`\nend\n", vec!["a.exe", "b.exe"]),
            ("begin-base64 644 a.exe\naGVsbG8=\n====\n", vec!["a.exe"]),
            ("begin 644 =?utf-8?q?a=2Eexe?=\n`\nend\n", vec!["a.exe"]),
            ("begin 644 of these\nand then go on\n", vec![]),
            ("begin the day with a song\n", vec![]),
            (" begin 644 a.exe\n`\nend\n", vec![]),
        ] {
            assert_eq!(names(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_range_is_from_the_first_line_to_the_last() {
        let text = "Hi\r\nbegin 644 a\r\n%:&5L;&\\\r\n`\r\nend\r\nBye\r\n";
        let file = find(&text.as_bytes()).unwrap().files.remove(0);
        let range = file.range.start as usize..file.range.end as usize;
        assert_eq!(&text[range], "begin 644 a\r\n%:&5L;&\\\r\n`\r\nend");
    }

    #[test]
    fn pgp_is_found() {
        let text = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: x\n\nbegin 644 a\n`\nend\n-----BEGIN PGP SIGNATURE-----\n\
            -----END PGP SIGNATURE-----\nbegin 644 b\n`\nend\n-----BEGIN PGP MESSAGE-----\n";
        let found = find(&text.as_bytes()).unwrap();
        assert_eq!(found.pgp, [false, true]);
        assert_eq!(found.files.iter().map(|file| file.is_signed).collect::<Vec<_>>(), [true, false]);
    }
}
