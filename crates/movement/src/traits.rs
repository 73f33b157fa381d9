//! Traits of items that a target may keep or change, as bits: an item of each trait is read back before more of them are sent.

use model::{Cause, Findings};

/// Nothing special.
pub(crate) const PLAIN: u8 = 1;
/// Bytes above 127 in the header.
pub(crate) const EIGHT_BIT_HEADER: u8 = 2;
/// Lines in the header that are no fields: servers refuse these, so it is never read back, but noted once it was refused.
pub(crate) const BROKEN_HEADER: u8 = 8;
/// Received at a time that is still to come: Dovecot puts its own time in its place.
pub(crate) const FUTURE_DATE: u8 = 4;

/// The traits of an item with these findings, received at this time, as of now (both in seconds since 1970).
pub(crate) fn of(found: &Findings, received: Option<i64>, now: i64) -> u8 {
    let date = if received.is_some_and(|received| received > now) { FUTURE_DATE } else { 0 };
    let header = if found.eight_bit_header { EIGHT_BIT_HEADER } else { 0 };
    if date | header == 0 { PLAIN } else { date | header }
}

/// Why an item with these traits is no copy where the target changes such items.
pub(crate) fn cause(of: u8) -> Cause {
    if of & EIGHT_BIT_HEADER != 0 {
        Cause::EightBitHeader
    } else if of & FUTURE_DATE != 0 {
        Cause::FutureDate
    } else {
        Cause::Altered
    }
}

/// Those of an item's traits by which it explains what was changed of it: its bytes, its date. Nothing that is special about it
/// explains it: then the target changes plain items.
pub(crate) fn changed(is: u8, bytes: bool, date: bool) -> u8 {
    let of = |is_changed: bool, by: u8| match is_changed {
        false => 0,
        true if is & by != 0 => by,
        true => PLAIN,
    };
    of(bytes, EIGHT_BIT_HEADER) | of(date, FUTURE_DATE)
}

#[cfg(test)]
mod tests {
    use model::{Examiner, ItemKind};

    use super::*;

    #[test]
    fn an_item_may_have_several_traits_and_each_explains_its_own_change() {
        let plain = Examiner::examine(ItemKind::Message, b"Subject: a\r\n\r\n");
        let eight = Examiner::examine(ItemKind::Message, "Subject: \u{d8}\r\n\r\n".as_bytes());
        assert_eq!((of(&plain, Some(1), 2), of(&plain, Some(3), 2)), (PLAIN, FUTURE_DATE));
        assert_eq!((of(&eight, None, 2), of(&eight, Some(3), 2)), (EIGHT_BIT_HEADER, EIGHT_BIT_HEADER | FUTURE_DATE));
        let both = EIGHT_BIT_HEADER | FUTURE_DATE;
        assert_eq!(changed(both, true, false), EIGHT_BIT_HEADER);
        assert_eq!(changed(both, false, true), FUTURE_DATE);
        assert_eq!(changed(FUTURE_DATE, true, false), PLAIN);
        assert_eq!(changed(PLAIN, false, true), PLAIN);
    }
}
