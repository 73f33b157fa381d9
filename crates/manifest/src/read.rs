//! Reads lines of a file that anyone may have written: none longer than a limit is held, whatever comes.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use crate::line::{LINE_BYTES_MAX, Line, Who};

/// The lines of a file.
pub struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    number: u64,
    at: u64,
}

/// A line as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raw<'l> {
    /// A line, without its end.
    Line(&'l [u8]),
    /// The file ends within it.
    CutOff,
    /// It is longer than any line of a manifest.
    TooLong,
}

impl<R: Read> Lines<R> {
    /// The lines of what this reader gives.
    pub fn new(reader: R) -> Self {
        Self { reader: BufReader::with_capacity(1 << 16, reader), line: Vec::new(), number: 0, at: 0 }
    }

    /// The next line; none at the end. After one that is cut off or too long nothing is to be asked for any more.
    pub fn next_line(&mut self) -> io::Result<Option<Raw<'_>>> {
        self.line.clear();
        let max = LINE_BYTES_MAX as u64 + 1;
        let read = self.reader.by_ref().take(max).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.at += read as u64;
        Ok(Some(match self.line.strip_suffix(b"\n") {
            Some(line) => Raw::Line(line),
            None if read as u64 == max => Raw::TooLong,
            None => Raw::CutOff,
        }))
    }

    /// The number of the line that was read last, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where the next line begins, in bytes.
    pub fn at(&self) -> u64 {
        self.at
    }
}

/// Where the items of a mailbox stand in a file that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Whose they are.
    pub who: Who,
    /// Where the first one begins, in bytes.
    pub begins: u64,
    /// How many there are.
    pub items: u64,
}

/// The mailboxes of a file that was checked.
pub struct Sections<R>(Lines<R>);

impl<R: Read> Sections<R> {
    /// The mailboxes of what this reader gives.
    pub fn new(reader: R) -> Self {
        Self(Lines::new(reader))
    }

    /// The next mailbox; none after the last. What is not as it was when it was checked is an error.
    pub fn next_section(&mut self) -> io::Result<Option<Section>> {
        let mut section: Option<Section> = None;
        loop {
            let begins = self.0.at();
            let line = match self.0.next_line()? {
                None => return Ok(None),
                Some(Raw::Line(line)) => line,
                Some(Raw::CutOff | Raw::TooLong) => return Err(changed()),
            };
            match &mut section {
                // Items are passed over unread: they are read when their turn comes.
                Some(section) if line.starts_with(b"{\"item\"") => section.items += 1,
                Some(_) => return Ok(section),
                None => match Line::read(line) {
                    Some(Line::Who(who)) => {
                        let begins = begins + line.len() as u64 + 1;
                        section = Some(Section { who, begins, items: 0 });
                    }
                    Some(_) => {}
                    None => return Err(changed()),
                },
            }
        }
    }
}

impl Section {
    /// Shows each item of the mailbox.
    pub fn items<R: Read + Seek>(
        &self,
        mut file: R,
        mut each: impl FnMut(crate::line::Item) -> io::Result<()>,
    ) -> io::Result<()> {
        file.seek(SeekFrom::Start(self.begins))?;
        let mut lines = Lines::new(file);
        for _ in 0..self.items {
            match lines.next_line()? {
                Some(Raw::Line(line)) => match Line::read(line) {
                    Some(Line::Item(item)) => each(item)?,
                    _ => return Err(changed()),
                },
                _ => return Err(changed()),
            }
        }
        Ok(())
    }
}

fn changed() -> io::Error {
    io::Error::other("it is not as it was a moment ago")
}
