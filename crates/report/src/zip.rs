//! The zip archive that a workbook is: deflated entries, one after the other, the same bytes every time.

use std::io::{self, Write};

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// Version 2.0 of the format: deflate.
const VERSION: u16 = 20;
/// Names are UTF-8.
const UTF8: u16 = 1 << 11;
const DEFLATED: u16 = 8;
/// 1980-01-01, the first day that the format knows.
const DAY: u16 = 0x21;

/// An archive being written.
pub struct Zip<'w> {
    to: &'w mut dyn Write,
    written: u64,
    directory: Vec<u8>,
    entries: u16,
}

/// An entry being written. Kept until it is whole, since its size goes before it.
pub struct Entry {
    deflate: DeflateEncoder<Vec<u8>>,
    crc: Crc,
}

impl Default for Entry {
    fn default() -> Self {
        Self::new()
    }
}

impl Entry {
    /// An empty one.
    pub fn new() -> Self {
        Self { deflate: DeflateEncoder::new(Vec::new(), Compression::default()), crc: Crc::new() }
    }

    /// Adds text.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.bytes(text.as_bytes())
    }

    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc.update(bytes);
        self.deflate.write_all(bytes)
    }
}

fn number(number: u64) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| io::Error::new(io::ErrorKind::FileTooLarge, "the workbook is larger than 4 GiB"))
}

impl<'w> Zip<'w> {
    /// An archive without entries yet.
    pub fn new(to: &'w mut dyn Write) -> Self {
        Self { to, written: 0, directory: Vec::new(), entries: 0 }
    }

    /// Adds an entry under this name.
    pub fn add(&mut self, name: &str, entry: Entry) -> io::Result<()> {
        let plain = u64::from(number(entry.deflate.total_in())?);
        let bytes = entry.deflate.finish()?;
        let mut common = Vec::new();
        for value in [VERSION, UTF8, DEFLATED, 0, DAY] {
            common.extend(value.to_le_bytes());
        }
        for value in [u64::from(entry.crc.sum()), bytes.len() as u64, plain] {
            common.extend(number(value)?.to_le_bytes());
        }
        common.extend((name.len() as u16).to_le_bytes());
        common.extend(0_u16.to_le_bytes());

        self.directory.extend(*b"PK\x01\x02");
        self.directory.extend(VERSION.to_le_bytes());
        self.directory.extend(&common);
        self.directory.extend([0; 10]); // No comment, first disk, no attributes.
        self.directory.extend(number(self.written)?.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.entries += 1;

        for part in [b"PK\x03\x04".as_slice(), &common, name.as_bytes(), &bytes] {
            self.to.write_all(part)?;
            self.written += part.len() as u64;
        }
        Ok(())
    }

    /// Writes the directory, which ends the archive.
    pub fn finish(self) -> io::Result<()> {
        self.to.write_all(&self.directory)?;
        self.to.write_all(b"PK\x05\x06\0\0\0\0")?;
        self.to.write_all(&[self.entries.to_le_bytes(), self.entries.to_le_bytes()].concat())?;
        self.to.write_all(&number(self.directory.len() as u64)?.to_le_bytes())?;
        self.to.write_all(&number(self.written)?.to_le_bytes())?;
        self.to.write_all(&[0, 0])
    }
}
