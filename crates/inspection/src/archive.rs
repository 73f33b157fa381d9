//! Zip archives that every reader sees alike, such as workbooks: those of which nothing can be read in two ways.
//!
//! Where [`crate::inspect`] takes every name that any reader may take, this takes an archive only when there is one: with a
//! directory, nothing beside it, one name for each file, and the content that the directory speaks of.

use std::cell::Cell;
use std::rc::Rc;

use flate2::Crc;

use crate::read::{ReadAt, bytes};
use crate::zip::{self, Directory, Entry};

/// An archive in memory.
#[derive(Debug)]
pub struct Archive<'a> {
    bytes: &'a [u8],
    directory: Directory,
}

/// Why an archive, or a file of it, is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is no archive, or a damaged one, or one that readers see differently.
    Damaged,
    /// It is encrypted.
    Encrypted,
    /// It holds more, or larger files, than are read.
    TooLarge,
    /// There is no file of this name.
    Missing,
}

impl<'a> Archive<'a> {
    /// Opens an archive of so many files at most.
    pub fn open(bytes: &'a [u8], files_max: u32) -> Result<Self, Unread> {
        let directory = zip::directory(&bytes, files_max).map_err(|_| Unread::Damaged)?;
        if directory.has_more {
            return Err(Unread::TooLarge);
        }
        if directory.is_damaged {
            return Err(Unread::Damaged);
        }
        let mut seen = std::collections::HashSet::new();
        for entry in &directory.entries {
            if entry.is_encrypted {
                return Err(Unread::Encrypted);
            }
            let is_sure = entry.names.len() == 1 && entry.said.is_some();
            if !is_sure || !seen.insert(entry.names[0].to_lowercase()) {
                return Err(Unread::Damaged);
            }
        }
        Ok(Self { bytes, directory })
    }

    /// The names of its files, folders left out, in the order of their places.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let files = self.directory.entries.iter().filter(|entry| !entry.is_folder());
        files.filter_map(|entry| entry.names.first()).map(String::as_str)
    }

    /// The content of a file, which has so many bytes at most. The case of letters does not count in its name.
    pub fn read(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>, Unread> {
        let is_it = |entry: &&Entry| entry.names[0].eq_ignore_ascii_case(name);
        let entry = self.directory.entries.iter().find(is_it).ok_or(Unread::Missing)?;
        let (crc, size) = entry.said.ok_or(Unread::Damaged)?;
        if size > bytes_max {
            return Err(Unread::TooLarge);
        }
        // Nothing is unpacked beyond what the directory speaks of, and a piece that shows that there is more.
        let budget = Rc::new(Cell::new(size + 64 * 1024));
        let file: &dyn ReadAt = &self.bytes;
        let content = entry.open(file, &budget).ok_or(Unread::Damaged)?;
        let read = bytes(content.as_read_at(), 0, size as usize + 1).map_err(|_| Unread::Damaged)?;
        let mut sum = Crc::new();
        sum.update(&read);
        if read.len() as u64 != size || sum.sum() != crc {
            return Err(Unread::Damaged);
        }
        Ok(read)
    }
}
