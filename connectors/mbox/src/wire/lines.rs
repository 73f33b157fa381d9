//! Reading a file by lines from any place in it, in bounded memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A longer line comes in pieces.
pub(crate) const PIECE_BYTES_MAX: usize = 64 * 1024;
/// So much is read at a time.
const READ_BYTES: usize = 1024 * 1024;

/// A window on a file.
pub(crate) struct Lines<'f> {
    file: &'f File,
    begin: u64,
    bytes: Vec<u8>,
    is_end: bool,
}

impl<'f> Lines<'f> {
    pub(crate) fn new(file: &'f File) -> Self {
        Self { file, begin: 0, bytes: Vec::new(), is_end: false }
    }

    /// The line at this place with its line end, or as much of it as a piece holds; nothing at the end of the file.
    pub(crate) fn at(&mut self, offset: u64) -> io::Result<&[u8]> {
        let there = self.bytes.len() as u64;
        let is_in = offset >= self.begin && offset <= self.begin + there;
        if !is_in || (!self.is_end && self.begin + there - offset < PIECE_BYTES_MAX as u64) {
            self.fill(offset)?;
        }
        let rest = &self.bytes[(offset - self.begin) as usize..];
        let rest = &rest[..rest.len().min(PIECE_BYTES_MAX)];
        Ok(memchr::memchr(b'\n', rest).map_or(rest, |at| &rest[..=at]))
    }

    fn fill(&mut self, offset: u64) -> io::Result<()> {
        self.bytes.resize(READ_BYTES, 0);
        let mut read = 0;
        self.is_end = false;
        while read < READ_BYTES {
            match self.file.read_at(&mut self.bytes[read..], offset + read as u64) {
                Ok(0) => {
                    self.is_end = true;
                    break;
                }
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.bytes.truncate(read);
        self.begin = offset;
        Ok(())
    }
}
