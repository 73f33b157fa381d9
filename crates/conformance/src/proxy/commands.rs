//! Where in a stream of IMAP lines, literals and answers begin and end. No more than that is understood.

use bytes::{Bytes, BytesMut};

/// A line without its literal may have so many bytes; a longer one passes as it comes.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// A piece of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A whole line with its end, and the length of the literal it announces, if it does.
    Line(Bytes, Option<u64>),
    /// Some of a literal.
    Literal(Bytes),
}

/// Takes a stream to pieces.
#[derive(Default)]
pub(super) struct Scanner {
    line: BytesMut,
    literal_left: u64,
}

impl Scanner {
    /// The pieces that these bytes complete. What is left of a line waits for its end.
    pub(super) fn pieces(&mut self, mut bytes: Bytes) -> Vec<Piece> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            if self.literal_left > 0 {
                let length = bytes.len().min(usize::try_from(self.literal_left).unwrap_or(usize::MAX));
                self.literal_left -= length as u64;
                pieces.push(Piece::Literal(bytes.split_to(length)));
                continue;
            }
            let Some(end) = memchr::memchr(b'\n', &bytes) else {
                self.line.extend_from_slice(&bytes);
                if self.line.len() > LINE_BYTES_MAX {
                    pieces.push(Piece::Literal(self.line.split().freeze()));
                }
                break;
            };
            self.line.extend_from_slice(&bytes.split_to(end + 1));
            let line = self.line.split().freeze();
            let announced = announced(&line);
            self.literal_left = announced.unwrap_or(0);
            pieces.push(Piece::Line(line, announced));
        }
        pieces
    }

    /// What has come of a line that has no end yet.
    pub(super) fn rest(&mut self) -> Bytes {
        self.line.split().freeze()
    }
}

/// The length of the literal that a line ends by announcing: `{5}`, `{5+}`, `~{5}`.
fn announced(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\r\n")?.strip_suffix(b"}")?;
    let digits = &line[memchr::memrchr(b'{', line)? + 1..];
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The tag and the name of a command, `UID` and what follows it together.
pub(super) fn tag_and_verb(line: &str) -> (String, String) {
    let mut words = line.trim_end().split(' ');
    let tag = words.next().unwrap_or_default().to_owned();
    let verb = words.next().unwrap_or_default().to_ascii_uppercase();
    let second = words.next().filter(|_| verb == "UID").map(str::to_ascii_uppercase);
    (tag, second.map_or(verb, |second| format!("UID {second}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_same_wherever_the_stream_is_split() {
        let stream = b"a1 APPEND x (\\Seen) {5+}\r\nab\r\nc {1}\r\n\n\r\na2 UID FETCH 1:* FLAGS\r\nrest";
        let whole = Scanner::default().pieces(Bytes::from_static(stream));
        let lines = |pieces: &[Piece]| pieces.iter().filter(|p| matches!(p, Piece::Line(..))).count();
        assert_eq!(lines(&whole), 4);
        for cut in 0..stream.len() {
            let mut scanner = Scanner::default();
            let mut pieces = scanner.pieces(Bytes::copy_from_slice(&stream[..cut]));
            pieces.extend(scanner.pieces(Bytes::copy_from_slice(&stream[cut..])));
            assert_eq!(lines(&pieces), 4, "{cut}");
            let mut bytes: Vec<u8> = Vec::new();
            for piece in pieces {
                let (Piece::Line(part, _) | Piece::Literal(part)) = piece;
                bytes.extend_from_slice(&part);
            }
            bytes.extend_from_slice(&scanner.rest());
            assert_eq!(bytes, stream);
        }
    }

    #[test]
    fn commands_are_named_as_traps_name_them() {
        assert_eq!(tag_and_verb("a1 uid store 1 FLAGS ()\r\n"), ("a1".to_owned(), "UID STORE".to_owned()));
        assert_eq!(tag_and_verb("DONE\r\n"), ("DONE".to_owned(), String::new()));
    }
}
