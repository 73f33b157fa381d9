//! Traits of items that a target may keep or change, as bits: the first items of each trait are read back.

use model::{Cause, Findings};

/// Nothing special.
pub(crate) const PLAIN: u8 = 1;
/// Bytes above 127 in the header.
pub(crate) const EIGHT_BIT_HEADER: u8 = 2;
/// Lines in the header that are no fields: servers refuse these, so it is never read back, but noted once it was refused.
pub(crate) const BROKEN_HEADER: u8 = 8;
/// Received at a time that is still to come: Dovecot puts its own time in its place.
pub(crate) const FUTURE_DATE: u8 = 4;

/// The trait of an item with these findings, received at this time, as of now (both in seconds since 1970).
pub(crate) fn of(found: &Findings, received: Option<i64>, now: i64) -> u8 {
    if received.is_some_and(|received| received > now) {
        FUTURE_DATE
    } else if found.eight_bit_header {
        EIGHT_BIT_HEADER
    } else {
        PLAIN
    }
}

/// Why an item with this trait is no copy where the target changes such items.
pub(crate) fn cause(of: u8) -> Cause {
    match of {
        FUTURE_DATE => Cause::FutureDate,
        EIGHT_BIT_HEADER => Cause::EightBitHeader,
        _ => Cause::Altered,
    }
}
