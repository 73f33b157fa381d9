//! Content transfer encodings: base64, quoted-printable and uuencode, decoded while they are read, from any place.
//!
//! Decoders take what careless senders write, as the programs do that people read their mail with. While a content is
//! read marks are kept of how far decoding had come, so that reading elsewhere begins near the place.

use std::cell::RefCell;
use std::io;

use crate::read::ReadAt;

/// Encoded bytes decoded at once.
const PIECE_BYTES: usize = 48 * 1024;
/// How far apart marks are, in decoded bytes: 1 MiB of marks for a content of 2 GiB.
const MARK_BYTES: u64 = 64 * 1024;

/// A content transfer encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Base64,
    QuotedPrintable,
    Uu,
}

impl Encoding {
    /// The encoding of this name; none for one that is not known.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "" | "7bit" | "8bit" | "binary" | "7-bit" | "8-bit" | "7bits" | "8bits" | "7" | "8" => Self::Identity,
            "base64" => Self::Base64,
            "quoted-printable" => Self::QuotedPrintable,
            "x-uuencode" | "x-uue" | "uuencode" | "uue" => Self::Uu,
            _ => return None,
        })
    }
}

/// How far a decoder has come between two bytes.
#[derive(Clone, Copy, Debug)]
struct Decoder {
    encoding: Encoding,
    /// Bits that wait for more.
    bits: u32,
    /// How many characters of a group have come; for quoted-printable, how much of an escape.
    count: u8,
    /// What a line of uuencode has left to give.
    left: u8,
    stage: Stage,
}

/// Where in its text a decoder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Uuencode: before the line that begins it, which is taken letter by letter.
    Opening,
    /// At a line's start.
    Start,
    /// Within a line.
    Within,
    /// In what is not looked at, up to the line's end.
    Rest,
    /// Behind the end.
    Over,
}

impl Decoder {
    fn new(encoding: Encoding) -> Self {
        let stage = if encoding == Encoding::Uu { Stage::Opening } else { Stage::Start };
        Self { encoding, bits: 0, count: 0, left: 0, stage }
    }

    /// Does nothing wait for more?
    fn is_between(self) -> bool {
        self.count == 0
    }

    fn take(&mut self, encoded: &[u8], out: &mut Vec<u8>) {
        match self.encoding {
            Encoding::Identity => out.extend_from_slice(encoded),
            Encoding::Base64 => encoded.iter().for_each(|byte| self.base64(*byte, out)),
            Encoding::QuotedPrintable => encoded.iter().for_each(|byte| self.quoted_printable(*byte, out)),
            Encoding::Uu => encoded.iter().for_each(|byte| self.uu(*byte, out)),
        }
    }

    fn base64(&mut self, byte: u8, out: &mut Vec<u8>) {
        if self.stage == Stage::Over {
            return;
        }
        if byte == b'=' {
            if self.count >= 2 {
                self.end(out);
                self.stage = Stage::Over;
            }
            return;
        }
        let Some(value) = base64_value(byte) else { return };
        self.bits = self.bits << 6 | u32::from(value);
        self.count += 1;
        if self.count == 4 {
            out.extend_from_slice(&self.bits.to_be_bytes()[1..]);
            (self.bits, self.count) = (0, 0);
        }
    }

    fn quoted_printable(&mut self, byte: u8, out: &mut Vec<u8>) {
        if self.stage == Stage::Rest {
            // A soft line break: white space up to the line's end is not there.
            match byte {
                b' ' | b'\t' => return,
                b'\r' => {
                    self.stage = Stage::Over;
                    return;
                }
                b'\n' => {
                    (self.stage, self.count) = (Stage::Start, 0);
                    return;
                }
                _ => (self.stage, self.count) = (Stage::Start, 0),
            }
        } else if self.stage == Stage::Over {
            (self.stage, self.count) = (Stage::Start, 0);
            if byte == b'\n' {
                return;
            }
        }
        match (self.count, byte) {
            (0, b'=') => self.count = 1,
            (0, _) => out.push(byte),
            (1, b' ' | b'\t') => self.stage = Stage::Rest,
            (1, b'\n') => self.count = 0,
            (1, b'\r') => self.stage = Stage::Over,
            (1, _) if byte.is_ascii_hexdigit() => {
                self.bits = u32::from(byte);
                self.count = 2;
            }
            (1, _) => {
                out.extend_from_slice(&[b'=', byte]);
                self.count = 0;
            }
            _ => {
                let first = self.bits as u8;
                match (hex(first), hex(byte)) {
                    (Some(high), Some(low)) => out.push(high << 4 | low),
                    _ => out.extend_from_slice(&[b'=', first, byte]),
                }
                self.count = 0;
            }
        }
    }

    fn uu(&mut self, byte: u8, out: &mut Vec<u8>) {
        const OPENING: &[u8] = b"begin ";
        let is_end = byte == b'\n' || byte == b'\r';
        match self.stage {
            Stage::Over => {}
            Stage::Opening if is_end => {
                self.stage = if usize::from(self.count) == OPENING.len() { Stage::Start } else { Stage::Opening };
                self.count = 0;
            }
            Stage::Opening => {
                if usize::from(self.count) < OPENING.len() {
                    // 255 is a line that is another one.
                    self.count = if byte == OPENING[usize::from(self.count)] { self.count + 1 } else { 255 };
                }
            }
            Stage::Start if is_end => {}
            Stage::Start if !(b' '..=b'`').contains(&byte) => self.stage = Stage::Over,
            Stage::Start => {
                self.left = byte.wrapping_sub(b' ') & 63;
                (self.bits, self.count) = (0, 0);
                self.stage = if self.left == 0 { Stage::Rest } else { Stage::Within };
            }
            Stage::Rest | Stage::Within if is_end => {
                // Spaces at a line's end get lost on the way; they stand for zeros.
                while self.stage == Stage::Within {
                    self.uu_value(0, out);
                }
                self.stage = Stage::Start;
            }
            Stage::Rest => {}
            Stage::Within => self.uu_value(byte.wrapping_sub(b' ') & 63, out),
        }
    }

    fn uu_value(&mut self, value: u8, out: &mut Vec<u8>) {
        self.bits = self.bits << 6 | u32::from(value);
        self.count += 1;
        if self.count == 4 {
            let count = self.left.min(3);
            out.extend_from_slice(&self.bits.to_be_bytes()[1..=usize::from(count)]);
            self.left -= count;
            (self.bits, self.count) = (0, 0);
            if self.left == 0 {
                self.stage = Stage::Rest;
            }
        }
    }

    /// No more comes: what waits is given as far as it goes.
    fn end(&mut self, out: &mut Vec<u8>) {
        match (self.encoding, self.count) {
            (Encoding::Base64, 2) => out.push((self.bits >> 4) as u8),
            (Encoding::Base64, 3) => out.extend_from_slice(&[(self.bits >> 10) as u8, (self.bits >> 2) as u8]),
            (Encoding::QuotedPrintable, 2) => out.extend_from_slice(&[b'=', self.bits as u8]),
            _ => {}
        }
        (self.bits, self.count) = (0, 0);
    }
}

fn base64_value(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

/// The value of a hexadecimal digit.
pub(crate) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// All of a short text, decoded.
pub(crate) fn decode(encoding: Encoding, encoded: &[u8]) -> Vec<u8> {
    let (mut decoder, mut out) = (Decoder::new(encoding), Vec::new());
    decoder.take(encoded, &mut out);
    decoder.end(&mut out);
    out
}

/// An encoded content, decoded while it is read.
pub(crate) struct Decoded<'a> {
    encoded: &'a dyn ReadAt,
    encoding: Encoding,
    cursor: RefCell<Cursor>,
}

/// How far decoding had come.
#[derive(Clone, Copy)]
struct Mark {
    decoder: Decoder,
    encoded_at: u64,
    decoded_at: u64,
}

struct Cursor {
    /// Where `piece` begins.
    decoded_at: u64,
    /// The decoded bytes at hand.
    piece: Vec<u8>,
    /// How decoding goes on behind `piece`.
    next: Mark,
    marks: Vec<Mark>,
    is_over: bool,
    size_bytes: Option<u64>,
}

/// Two places in an encoded content, between which whole groups lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) encoded: u64,
    pub(crate) decoded: u64,
}

impl<'a> Decoded<'a> {
    pub(crate) fn new(encoded: &'a dyn ReadAt, encoding: Encoding) -> Self {
        let first = Mark { decoder: Decoder::new(encoding), encoded_at: 0, decoded_at: 0 };
        let cursor = Cursor {
            decoded_at: 0,
            piece: Vec::new(),
            next: first,
            marks: vec![first],
            is_over: false,
            size_bytes: None,
        };
        Self { encoded, encoding, cursor: RefCell::new(cursor) }
    }

    /// The last place at or before, and the first at or behind, this decoded one where nothing waits for more.
    pub(crate) fn around(&self, decoded_at: u64) -> io::Result<(Place, Place)> {
        if self.encoding == Encoding::Identity {
            let place = Place { encoded: decoded_at, decoded: decoded_at };
            return Ok((place, place));
        }
        self.read_at(decoded_at, &mut [0])?;
        let mut mark = self.cursor.borrow().mark_before(decoded_at);
        let mut before = Place { encoded: mark.encoded_at, decoded: mark.decoded_at };
        let (mut out, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            let count = self.encoded.read_at(mark.encoded_at, &mut piece)?;
            for byte in &piece[..count] {
                let place = Place { encoded: mark.encoded_at, decoded: mark.decoded_at };
                if mark.decoder.is_between() {
                    if place.decoded <= decoded_at {
                        before = place;
                    }
                    if place.decoded >= decoded_at {
                        return Ok((before, place));
                    }
                }
                mark.decoder.take(std::slice::from_ref(byte), &mut out);
                mark.encoded_at += 1;
                mark.decoded_at += out.len() as u64;
                out.clear();
            }
            if count == 0 {
                mark.decoder.end(&mut out);
                return Ok((before, Place { encoded: mark.encoded_at, decoded: mark.decoded_at + out.len() as u64 }));
            }
        }
    }
}

impl Cursor {
    fn mark_before(&self, decoded_at: u64) -> Mark {
        let index = self.marks.partition_point(|mark| mark.decoded_at <= decoded_at);
        self.marks[index.saturating_sub(1)]
    }

    /// Decodes the next piece.
    fn advance(&mut self, encoded: &dyn ReadAt) -> io::Result<()> {
        let mut piece = vec![0; PIECE_BYTES];
        let count = encoded.read_at(self.next.encoded_at, &mut piece)?;
        self.decoded_at = self.next.decoded_at;
        self.piece.clear();
        if self.marks.last().is_none_or(|last| self.next.decoded_at >= last.decoded_at + MARK_BYTES) {
            self.marks.push(self.next);
        }
        if count == 0 {
            self.next.decoder.end(&mut self.piece);
            self.is_over = true;
        } else {
            self.next.decoder.take(&piece[..count], &mut self.piece);
            self.next.encoded_at += count as u64;
        }
        self.next.decoded_at += self.piece.len() as u64;
        if self.is_over {
            self.size_bytes = Some(self.next.decoded_at);
        }
        Ok(())
    }
}

impl ReadAt for Decoded<'_> {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        if self.encoding == Encoding::Identity {
            return self.encoded.read_at(at, into);
        }
        let mut cursor = self.cursor.borrow_mut();
        if at < cursor.decoded_at {
            let mark = cursor.mark_before(at);
            cursor.next = mark;
            (cursor.decoded_at, cursor.is_over) = (mark.decoded_at, false);
            cursor.piece.clear();
        }
        while at >= cursor.next.decoded_at {
            if cursor.is_over {
                return Ok(0);
            }
            cursor.advance(self.encoded)?;
        }
        let rest = &cursor.piece[(at - cursor.decoded_at) as usize..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        if self.encoding == Encoding::Identity {
            return self.encoded.size_bytes();
        }
        if let Some(size) = self.cursor.borrow().size_bytes {
            return Ok(size);
        }
        self.read_at(u64::MAX, &mut [0])?;
        let cursor = self.cursor.borrow();
        Ok(cursor.size_bytes.unwrap_or(cursor.next.decoded_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::bytes;

    #[test]
    fn what_careless_senders_write_is_decoded() {
        let cases: [(Encoding, &[u8], &[u8]); 14] = [
            (Encoding::Base64, b"aGVs\r\nbG8=", b"hello"),
            (Encoding::Base64, b"aGVsbG8", b"hello"),
            (Encoding::Base64, b"a G*V-s.b\0G8=\r\n-- \r\nA list's footer", b"hello"),
            (Encoding::Base64, b"=aGk=", b"hi"),
            (Encoding::QuotedPrintable, b"a=3D=\r\nb=3d= \t\r\nc\r\n", b"a=b=c\r\n"),
            (Encoding::QuotedPrintable, b"a=\nb=zz=4", b"ab=zz=4"),
            (Encoding::QuotedPrintable, b"a=\rb", b"ab"),
            (Encoding::Uu, b"begin 644 a\r\n%:&5L;&\\\r\n`\r\nend\r\n", b"hello"),
            (Encoding::Uu, b"text\nbegin 644 a\n%:&5L;&\\\n", b"hello"),
            (Encoding::Uu, b"begin 644 a\n$    \n$\nend\n", b"\0\0\0\0\0\0\0\0"),
            (Encoding::Uu, b"no beginning", b""),
            (Encoding::Identity, b"as it is", b"as it is"),
            (Encoding::Base64, b"", b""),
            (Encoding::Base64, b"a", b""),
        ];
        for (encoding, encoded, expected) in cases {
            let shown = String::from_utf8_lossy(encoded);
            assert_eq!(decode(encoding, encoded), expected, "{shown}");
            let decoded = Decoded::new(&encoded, encoding);
            assert_eq!(decoded.size_bytes().unwrap(), expected.len() as u64, "{shown}");
            assert_eq!(bytes(&decoded, 0, 1000).unwrap(), expected, "{shown}");
        }
    }

    #[test]
    fn reading_from_any_place_gives_the_same_bytes() {
        let plain: Vec<u8> = (0..400_000u32).map(|n| (n * 7 / 5) as u8).collect();
        let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &plain);
        let folded: Vec<u8> = text.as_bytes().chunks(76).flat_map(|line| [line, b"\r\n"].concat()).collect();
        let folded = folded.as_slice();
        let decoded = Decoded::new(&folded, Encoding::Base64);
        for at in [0u64, 399_999, 5, 70_000, 69_999, 200_000, 400_000, 131_072, 0] {
            let expected = &plain[at as usize..(at as usize + 300).min(plain.len())];
            assert_eq!(bytes(&decoded, at, 300).unwrap(), expected, "{at}");
        }
        assert_eq!(decoded.size_bytes().unwrap(), 400_000);
        let (before, behind) = decoded.around(200_000).unwrap();
        assert_eq!((before.decoded, behind.decoded), (199_998, 200_001));
        let group = &folded[before.encoded as usize..behind.encoded as usize];
        assert_eq!(decode(Encoding::Base64, group), plain[199_998..200_001]);
    }
}
