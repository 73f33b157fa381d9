//! Looking for what a target refuses in a range of bytes, and writing the range without it where that takes no more than
//! other line ends and spaces.

use std::io::{self, BufRead, Read, Write};
use std::ops::Range;

use super::Repairs;
use crate::read::{ReadAt, Stream};

/// How a signed PGP text begins.
const PGP_SIGNED: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";

/// How many there are, and where the first is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) count: u64,
    pub(super) first: u64,
}

impl Count {
    pub(super) fn add(&mut self, count: u64, at: u64) {
        if self.count == 0 {
            self.first = at;
        }
        self.count += count;
    }
}

/// What is in a range.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    pub(super) nul: Count,
    /// CRs that no LF follows at once.
    pub(super) cr: Count,
    /// LFs that no CR precedes.
    pub(super) lf: Count,
    /// Lines longer than the limit.
    pub(super) long: Count,
    pub(super) has_crlf: bool,
    pub(super) is_pgp_signed: bool,
}

impl Scan {
    /// Looks at a range. A count is zero where its rule is not wanted.
    pub(super) fn of(from: &dyn ReadAt, range: &Range<u64>, wanted: &Repairs) -> io::Result<Self> {
        let mut scanner = Scanner {
            scan: Self::default(),
            wanted,
            max: wanted.line_max().unwrap_or(u64::MAX),
            at: range.start,
            line_start: range.start,
            line_bytes: 0,
            matched: 0,
            crs: 0,
        };
        let mut stream = Stream::new(from, range.start).take(range.end - range.start);
        loop {
            let piece = stream.fill_buf()?;
            if piece.is_empty() {
                break;
            }
            scanner.feed(piece);
            let count = piece.len();
            stream.consume(count);
        }
        scanner.lone_crs();
        scanner.end_line(range.end);
        Ok(scanner.scan)
    }

    /// Is there anything but long lines?
    pub(super) fn has_bytes(&self) -> bool {
        self.nul.count + self.cr.count + self.lf.count > 0
    }
}

struct Scanner<'a> {
    scan: Scan,
    wanted: &'a Repairs,
    max: u64,
    at: u64,
    line_start: u64,
    line_bytes: u64,
    /// How much of [`PGP_SIGNED`] the line has; more than its length when the line is another one.
    matched: usize,
    /// CRs read right before this place.
    crs: u64,
}

impl Scanner<'_> {
    fn feed(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let Some(&byte) = rest.first() {
            let count = match byte {
                b'\r' => {
                    self.crs += 1;
                    1
                }
                b'\n' => {
                    self.lf();
                    1
                }
                0 => {
                    self.lone_crs();
                    if self.wanted.nul {
                        self.scan.nul.add(1, self.at);
                    }
                    self.plain(&rest[..1]);
                    1
                }
                _ => {
                    self.lone_crs();
                    let count = memchr::memchr3(0, b'\r', b'\n', rest).unwrap_or(rest.len());
                    self.plain(&rest[..count]);
                    count
                }
            };
            self.at += count as u64;
            rest = &rest[count..];
        }
    }

    fn plain(&mut self, bytes: &[u8]) {
        if self.matched < PGP_SIGNED.len() {
            let count = bytes.len().min(PGP_SIGNED.len() - self.matched);
            let is_same = bytes[..count] == PGP_SIGNED[self.matched..self.matched + count];
            self.matched = if is_same { self.matched + count } else { usize::MAX };
            self.scan.is_pgp_signed |= self.matched == PGP_SIGNED.len();
        }
        self.line_bytes += bytes.len() as u64;
    }

    fn lf(&mut self) {
        match self.crs {
            0 if self.wanted.bare_lf => self.scan.lf.add(1, self.at),
            0 => {}
            crs => {
                self.scan.has_crlf = true;
                self.crs = 0;
                if crs > 1 && self.wanted.bare_cr {
                    self.scan.cr.add(crs - 1, self.at - crs);
                }
            }
        }
        self.end_line(self.at + 1);
    }

    /// The CRs before this place are followed by no LF.
    fn lone_crs(&mut self) {
        let crs = std::mem::take(&mut self.crs);
        if crs == 0 {
            return;
        }
        if self.wanted.bare_cr {
            self.scan.cr.add(crs, self.at - crs);
        }
        self.end_line(self.at);
    }

    fn end_line(&mut self, next: u64) {
        if self.line_bytes > self.max {
            self.scan.long.add(1, self.line_start);
        }
        (self.line_start, self.line_bytes, self.matched) = (next, 0, 0);
    }
}

/// Writes bytes on with each NUL as a space and each line end as CRLF, as far as these are wanted.
pub(super) struct Filter<'a> {
    out: &'a mut dyn Write,
    wanted: &'a Repairs,
    crs: u64,
    piece: Vec<u8>,
}

impl<'a> Filter<'a> {
    pub(super) fn new(out: &'a mut dyn Write, wanted: &'a Repairs) -> Self {
        Self { out, wanted, crs: 0, piece: Vec::new() }
    }

    /// No more comes.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.lone_crs()
    }

    fn lone_crs(&mut self) -> io::Result<()> {
        for _ in 0..std::mem::take(&mut self.crs) {
            self.out.write_all(if self.wanted.bare_cr { b"\r\n" } else { b"\r" })?;
        }
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.wanted.nul || memchr::memchr(0, bytes).is_none() {
            return self.out.write_all(bytes);
        }
        self.piece.clear();
        self.piece.extend(bytes.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }));
        self.out.write_all(&self.piece)
    }
}

impl Write for Filter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            let count = match byte {
                b'\r' => {
                    self.crs += 1;
                    1
                }
                b'\n' => {
                    if self.crs > 0 && self.wanted.bare_cr {
                        self.crs = 1;
                    }
                    let is_bare = self.crs == 0;
                    for _ in 0..std::mem::take(&mut self.crs) {
                        self.out.write_all(b"\r")?;
                    }
                    self.out.write_all(if is_bare && self.wanted.bare_lf { b"\r\n" } else { b"\n" })?;
                    1
                }
                _ => {
                    self.lone_crs()?;
                    let count = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                    self.plain(&rest[..count])?;
                    count
                }
            };
            rest = &rest[count..];
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
