//! Changes of a table in a file that Postfix may not go by yet: `PATH.pending`, which is there during a call, and after one that was cut.
//!
//! A line for each address: the address, a tab, and what it led to before, or nothing.

use std::path::{Path, PathBuf};

use connector::Error;
use model::Cause;

use crate::text::mark::{Row, parse};
use crate::wire::file;

/// The most that such a file may have.
const BYTES_MAX: u64 = 1024 * 1024;

/// What may not be known to Postfix yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    /// The addresses, and their values before the change.
    pub(crate) before: Vec<(String, String)>,
}

impl Pending {
    pub(crate) fn path(table: &Path) -> PathBuf {
        file::beside(table, ".pending")
    }

    /// What is written beside this table; none where there is nothing.
    pub(crate) fn read(table: &Path) -> Result<Option<Self>, Error> {
        let bytes = match file::read(&Self::path(table), BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.cause == Cause::Missing => return Ok(None),
            Err(error) => return Err(error),
        };
        let text = String::from_utf8_lossy(&bytes);
        let pairs = text.lines().filter_map(|line| line.split_once('\t'));
        Ok(Some(Self { before: pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect() }))
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.before.iter().map(|(key, value)| format!("{key}\t{value}\n")).collect::<String>().into_bytes()
    }

    /// Adds what is about to change. What is known of an address already is older, and stays.
    pub(crate) fn add(&mut self, address: &str, value: String) {
        if !self.before.iter().any(|(known, _)| known == address) {
            self.before.push((address.to_owned(), value));
        }
    }

    /// The addresses that are, or were, this account's.
    pub(crate) fn addresses_of(&self, account: &str) -> Vec<String> {
        let row = |(address, value): &(String, String)| {
            let (to, whose) = parse(value);
            Row { address: address.clone(), to, whose, place: String::new() }
        };
        self.before.iter().map(row).filter(|row| row.is_of(account)).map(|row| row.address).collect()
    }
}
