//! When an item was received.

use serde::{Deserialize, Serialize};

/// The moment a store received an item (IMAP's INTERNALDATE, a maildir file's time), to the second.
///
/// Two are equal when they are the same moment. The offset from UTC only says how the source wrote it, so that it can be
/// passed on as written.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ReceivedAt {
    /// Seconds since 1970-01-01T00:00:00Z; negative before it.
    pub unix_seconds: i64,
    /// Minutes east of UTC in which the source wrote it.
    pub offset_minutes: i16,
}

impl ReceivedAt {
    /// The moment, written in UTC.
    pub fn utc(unix_seconds: i64) -> Self {
        Self { unix_seconds, offset_minutes: 0 }
    }
}

impl PartialEq for ReceivedAt {
    fn eq(&self, other: &Self) -> bool {
        self.unix_seconds == other.unix_seconds
    }
}

impl Eq for ReceivedAt {}
