//! Reading: bytes that can be read from any place, and lines of them.
//!
//! A message may be of any size and lie in a file, so nothing here holds more than a piece of it. What is read is the
//! message itself, or something decoded from it while it is read ([`crate::decode`], [`crate::zip`]).

use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Bytes read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Bytes that can be read from any place.
pub trait ReadAt {
    /// Reads some bytes from this place on; 0 only at the end.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize>;

    /// How many there are.
    fn size_bytes(&self) -> io::Result<u64>;
}

impl ReadAt for &[u8] {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(at).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

impl ReadAt for std::fs::File {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, into, at)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

/// A part of other bytes.
pub(crate) struct Slice<'a> {
    of: &'a dyn ReadAt,
    range: Range<u64>,
}

impl<'a> Slice<'a> {
    pub(crate) fn new(of: &'a dyn ReadAt, range: Range<u64>) -> Self {
        assert!(range.start <= range.end, "a range that ends before it begins");
        Self { of, range }
    }
}

impl ReadAt for Slice<'_> {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let left = (self.range.end - self.range.start).saturating_sub(at);
        let count = left.min(into.len() as u64) as usize;
        if count == 0 {
            return Ok(0);
        }
        self.of.read_at(self.range.start + at, &mut into[..count])
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.range.end - self.range.start)
    }
}

/// Fills a buffer from this place on, as far as there are bytes.
pub(crate) fn fill(from: &dyn ReadAt, at: u64, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match from.read_at(at + filled as u64, &mut into[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// So many bytes from this place on, or fewer where they end.
pub(crate) fn bytes(from: &dyn ReadAt, at: u64, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    let filled = fill(from, at, &mut bytes)?;
    bytes.truncate(filled);
    Ok(bytes)
}

/// Reads from a place on, one piece after another.
pub(crate) struct Stream<'a> {
    from: &'a dyn ReadAt,
    at: u64,
    /// Empty until something is read.
    piece: Vec<u8>,
    filled: usize,
    taken: usize,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(from: &'a dyn ReadAt, at: u64) -> Self {
        Self { from, at, piece: Vec::new(), filled: 0, taken: 0 }
    }
}

impl BufRead for Stream<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken == self.filled {
            if self.piece.is_empty() {
                self.piece = vec![0; PIECE_BYTES];
            }
            (self.taken, self.filled) = (0, 0);
            self.filled = self.from.read_at(self.at, &mut self.piece)?;
            self.at += self.filled as u64;
        }
        Ok(&self.piece[self.taken..self.filled])
    }

    fn consume(&mut self, count: usize) {
        self.taken += count;
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let piece = self.fill_buf()?;
        let count = piece.len().min(into.len());
        into[..count].copy_from_slice(&piece[..count]);
        self.consume(count);
        Ok(count)
    }
}

/// A line's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) start: u64,
    /// Behind its line end.
    pub(crate) end: u64,
    /// How many bytes its end takes: 2 for CRLF, 1 for a lone LF or CR, 0 where the bytes end; more where several CRs before
    /// an LF count as one line end.
    pub(crate) ending: u64,
}

/// Lines, of which only the beginning is kept. A lone CR ends a line too: some readers see it so, and then a header
/// field or a boundary stands there.
pub(crate) struct Lines<'a> {
    stream: Stream<'a>,
    at: u64,
    text: Vec<u8>,
    joins_crs: bool,
    /// CRs that have been read, each of which ends an empty line.
    crs: u64,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(from: &'a dyn ReadAt, at: u64) -> Self {
        Self { stream: Stream::new(from, at), at, text: Vec::new(), joins_crs: false, crs: 0 }
    }

    /// Lines as they are once bare CRs are repaired: CRs before an LF are one line end with it.
    pub(crate) fn joining_crs(from: &'a dyn ReadAt, at: u64) -> Self {
        Self { joins_crs: true, ..Self::new(from, at) }
    }

    /// The last line's bytes without its end, as far as they were kept.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The next line, of which at most so many bytes are kept.
    pub(crate) fn next(&mut self, keep: usize) -> io::Result<Option<Line>> {
        self.text.clear();
        let start = self.at;
        if self.crs > 0 {
            self.crs -= 1;
            self.at += 1;
            return Ok(Some(Line { start, end: self.at, ending: 1 }));
        }
        loop {
            let piece = self.stream.fill_buf()?;
            if piece.is_empty() {
                return Ok((self.at > start).then_some(Line { start, end: self.at, ending: 0 }));
            }
            let found = memchr::memchr2(b'\r', b'\n', piece);
            let content = &piece[..found.unwrap_or(piece.len())];
            let room = keep.saturating_sub(self.text.len());
            self.text.extend_from_slice(&content[..content.len().min(room)]);
            let Some(at) = found else {
                let count = piece.len();
                self.stream.consume(count);
                self.at += count as u64;
                continue;
            };
            let is_cr = piece[at] == b'\r';
            self.stream.consume(at + 1);
            self.at += at as u64 + 1;
            let mut ending = 1;
            let mut more = 0;
            while is_cr && self.joins_crs && self.stream.fill_buf()?.first() == Some(&b'\r') {
                self.stream.consume(1);
                more += 1;
            }
            if is_cr && self.stream.fill_buf()?.first() == Some(&b'\n') {
                self.stream.consume(1);
                self.at += 1 + more;
                ending = 2 + more;
            } else {
                self.crs = more;
            }
            return Ok(Some(Line { start, end: self.at, ending }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_every_way_and_only_their_beginning_is_kept() {
        let bytes: &[u8] = b"one\r\ntwo\nthree\r\r\nlast";
        let mut lines = Lines::new(&bytes, 0);
        let mut seen = Vec::new();
        while let Some(line) = lines.next(3).unwrap() {
            seen.push((line.start, line.end, line.ending, String::from_utf8_lossy(lines.text()).into_owned()));
        }
        let expected = [(0, 5, 2, "one"), (5, 9, 1, "two"), (9, 15, 1, "thr"), (15, 17, 2, ""), (17, 21, 0, "las")];
        assert_eq!(seen, expected.map(|(start, end, ending, text)| (start, end, ending, text.to_owned())));
    }

    #[test]
    fn a_crlf_across_two_pieces_is_one_line_end() {
        let mut text = vec![b'a'; PIECE_BYTES - 1];
        text.extend_from_slice(b"\r\nb");
        let bytes = text.as_slice();
        let mut lines = Lines::new(&bytes, 0);
        let size = PIECE_BYTES as u64 + 1;
        assert_eq!(lines.next(1).unwrap(), Some(Line { start: 0, end: size, ending: 2 }));
        assert_eq!(lines.next(1).unwrap(), Some(Line { start: size, end: size + 1, ending: 0 }));
    }

    #[test]
    fn crs_before_an_lf_can_be_one_line_end() {
        let bytes: &[u8] = b"a\r\r\r\nb\r\r\rc\r\r";
        let mut lines = Lines::joining_crs(&bytes, 0);
        let mut seen = Vec::new();
        while let Some(line) = lines.next(3).unwrap() {
            seen.push((line.start, line.end, line.ending, String::from_utf8_lossy(lines.text()).into_owned()));
        }
        let expected = [(0, 5, 4, "a"), (5, 7, 1, "b"), (7, 8, 1, ""), (8, 9, 1, ""), (9, 11, 1, "c"), (11, 12, 1, "")];
        assert_eq!(seen, expected.map(|(start, end, ending, text)| (start, end, ending, text.to_owned())));
    }
}
