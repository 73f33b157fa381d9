//! Writing a content in another content transfer encoding (RFC 2045, 6), or with other line breaks in the one it has.

use std::io::{self, Write};

use crate::rewrite::{LINE_BYTES, base64};

/// Characters of an encoded line, at most.
const LINE_CHARS_MAX: usize = 76;

/// White space between a `=` and a line end, at most.
const SPACES_MAX: usize = 1_000;
/// CRs that may stand behind so full a line: they may belong to its end.
const CRS_MAX: usize = 2;

/// Encodes bytes as base64, in lines.
pub(super) struct Base64<'a> {
    out: &'a mut dyn Write,
    end: &'static str,
    line: Vec<u8>,
    is_first: bool,
}

impl<'a> Base64<'a> {
    pub(super) fn new(out: &'a mut dyn Write, end: &'static str) -> Self {
        Self { out, end, line: Vec::with_capacity(LINE_BYTES), is_first: true }
    }

    /// No more comes.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.line()
    }

    /// The line end of a line is written with the next one: the last one may belong to a boundary.
    fn line(&mut self) -> io::Result<()> {
        if self.line.is_empty() {
            return Ok(());
        }
        if !std::mem::take(&mut self.is_first) {
            self.out.write_all(self.end.as_bytes())?;
        }
        self.out.write_all(base64(&self.line).as_bytes())?;
        self.line.clear();
        Ok(())
    }
}

impl Write for Base64<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let count = rest.len().min(LINE_BYTES - self.line.len());
            self.line.extend_from_slice(&rest[..count]);
            rest = &rest[count..];
            if self.line.len() == LINE_BYTES {
                self.line()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Encodes a text as quoted-printable; its line ends stay, but a lone CR ends no line.
pub(super) struct QuotedPrintable<'a> {
    out: &'a mut dyn Write,
    end: &'static str,
    column: usize,
    /// A space, a tab or a CR that waits for what follows it.
    waiting: Option<u8>,
}

impl<'a> QuotedPrintable<'a> {
    pub(super) fn new(out: &'a mut dyn Write, end: &'static str) -> Self {
        Self { out, end, column: 0, waiting: None }
    }

    /// No more comes.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.waiting.take().map_or(Ok(()), |byte| self.put(byte, false))
    }

    fn take(&mut self, byte: u8) -> io::Result<()> {
        match (self.waiting.take(), byte) {
            (Some(b'\r'), b'\n') => self.end_line(b"\r\n"),
            (waiting, b'\n') => {
                waiting.map_or(Ok(()), |waiting| self.put(waiting, false))?;
                self.end_line(b"\n")
            }
            (waiting, _) => {
                if let Some(waiting) = waiting {
                    // White space before a line end would be lost.
                    self.put(waiting, waiting != b'\r' && byte != b'\r')?;
                }
                match byte {
                    b' ' | b'\t' | b'\r' => self.waiting = Some(byte),
                    // At a line's start these mean something to others: a boundary, an mbox, SMTP.
                    b'.' | b'F' | b'-' => self.put(byte, self.column > 0)?,
                    _ => self.put(byte, byte.is_ascii_graphic() && byte != b'=')?,
                }
                Ok(())
            }
        }
    }

    /// How many bytes stand for themselves and fit into the line.
    fn plain(&self, bytes: &[u8]) -> usize {
        let room = (LINE_CHARS_MAX - 1).saturating_sub(self.column).min(bytes.len());
        bytes[..room].iter().position(|byte| !byte.is_ascii_graphic() || *byte == b'=').unwrap_or(room)
    }

    fn end_line(&mut self, end: &[u8]) -> io::Result<()> {
        self.column = 0;
        self.out.write_all(end)
    }

    fn put(&mut self, byte: u8, is_plain: bool) -> io::Result<()> {
        if self.column + if is_plain { 1 } else { 3 } > LINE_CHARS_MAX - 1 {
            self.out.write_all(b"=")?;
            self.end_line(self.end.as_bytes())?;
        }
        if is_plain && !(self.column == 0 && matches!(byte, b'.' | b'F' | b'-')) {
            self.column += 1;
            return self.out.write_all(&[byte]);
        }
        self.column += 3;
        write!(self.out, "={byte:02X}")
    }
}

impl Write for QuotedPrintable<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            let count = if self.waiting.is_none() && self.column > 0 { self.plain(rest) } else { 0 };
            if count > 0 {
                self.out.write_all(&rest[..count])?;
                self.column += count;
                rest = &rest[count..];
            } else {
                self.take(byte)?;
                rest = &rest[1..];
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Breaks the lines of a content in base64.
pub(super) struct Base64Lines<'a> {
    out: &'a mut dyn Write,
    end: &'static str,
    column: usize,
}

impl<'a> Base64Lines<'a> {
    pub(super) fn new(out: &'a mut dyn Write, end: &'static str) -> Self {
        Self { out, end, column: 0 }
    }
}

impl Write for Base64Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            if byte == b'\n' || (byte == b'\r' && self.column < LINE_CHARS_MAX + CRS_MAX) {
                self.column = if byte == b'\n' { 0 } else { self.column + 1 };
                self.out.write_all(&[byte])?;
                rest = &rest[1..];
                continue;
            }
            if self.column >= LINE_CHARS_MAX {
                self.out.write_all(self.end.as_bytes())?;
                self.column = 0;
                if byte == b'-' {
                    // Not in the alphabet, and no boundary may come of it.
                    self.out.write_all(b" ")?;
                    self.column = 1;
                }
            }
            let room = rest.len().min(LINE_CHARS_MAX - self.column);
            let count = memchr::memchr2(b'\r', b'\n', &rest[..room]).unwrap_or(room).max(1);
            self.out.write_all(&rest[..count])?;
            self.column += count;
            rest = &rest[count..];
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Breaks the lines of a content in quoted-printable, by soft line breaks.
pub(super) struct QuotedPrintableLines<'a> {
    out: &'a mut dyn Write,
    end: &'static str,
    column: usize,
    /// An escape that has begun.
    escape: Vec<u8>,
}

impl<'a> QuotedPrintableLines<'a> {
    pub(super) fn new(out: &'a mut dyn Write, end: &'static str) -> Self {
        Self { out, end, column: 0, escape: Vec::with_capacity(3) }
    }

    /// No more comes.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let escape = std::mem::take(&mut self.escape);
        self.out.write_all(&escape)
    }

    fn take(&mut self, byte: u8) -> io::Result<()> {
        if let Some((_, begun)) = self.escape.split_first() {
            let is_end = matches!(byte, b'\r' | b'\n');
            let is_space = |byte: u8| matches!(byte, b' ' | b'\t');
            let spaces = begun.iter().all(|byte| is_space(*byte));
            if byte.is_ascii_hexdigit() && begun.iter().all(u8::is_ascii_hexdigit) {
                self.escape.push(byte);
                return if self.escape.len() == 3 { self.flush_escape() } else { Ok(()) };
            }
            if spaces && is_space(byte) && begun.len() < SPACES_MAX {
                self.escape.push(byte);
                return Ok(());
            }
            if spaces && is_end {
                // A soft line break.
                self.escape.clear();
                self.out.write_all(b"=")?;
            } else {
                // No escape: readers take it for what it is.
                let rest = std::mem::take(&mut self.escape);
                self.put(b"=3D")?;
                rest[1..].iter().try_for_each(|byte| self.put(&[*byte]))?;
            }
        }
        match byte {
            b'=' => {
                self.escape.push(byte);
                Ok(())
            }
            b'\n' => {
                self.column = 0;
                self.out.write_all(&[byte])
            }
            b'\r' if self.column < LINE_CHARS_MAX + CRS_MAX => {
                self.column += 1;
                self.out.write_all(&[byte])
            }
            _ => self.put(&[byte]),
        }
    }

    fn flush_escape(&mut self) -> io::Result<()> {
        let escape = std::mem::take(&mut self.escape);
        self.put(&escape)
    }

    fn put(&mut self, token: &[u8]) -> io::Result<()> {
        if self.column + token.len() > LINE_CHARS_MAX - 1 {
            self.out.write_all(b"=")?;
            self.out.write_all(self.end.as_bytes())?;
            self.column = 0;
            if let [byte @ (b'.' | b'F' | b'-' | b' ' | b'\t')] = token {
                self.column = 3;
                return write!(self.out, "={byte:02X}");
            }
        }
        self.column += token.len();
        self.out.write_all(token)
    }
}

impl Write for QuotedPrintableLines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        bytes.iter().try_for_each(|byte| self.take(*byte))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
