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

/// Received before 1970 or beyond what 32 bits hold: servers refuse, cut or replace such dates, each in its own way.
pub(crate) const DATE_OUT_OF_RANGE: u8 = 16;
/// Received at the first second of 1970: Cyrus puts its own time in its place.
pub(crate) const DATE_ZERO: u8 = 32;
/// Received at a time that is ahead of the clock by so little that it may be the clock: whatever becomes of it shows nothing of
/// others.
pub(crate) const SOON: u8 = 64;
/// Traits of which one item that is kept shows nothing of the next.
pub(crate) const EACH_ITS_OWN: u8 = DATE_OUT_OF_RANGE | FUTURE_DATE | SOON;

/// Those of a date.
pub(crate) const DATES: u8 = FUTURE_DATE | DATE_OUT_OF_RANGE | DATE_ZERO | SOON;

/// Clocks may differ by so many seconds.
const SOON_SECONDS: i64 = 24 * 60 * 60;

/// The traits of an item with these findings, received at this time, as of now (both in seconds since 1970).
pub(crate) fn of(found: &Findings, received: Option<i64>, now: i64) -> u8 {
    let date = of_date(received, now);
    let header = if found.eight_bit_header { EIGHT_BIT_HEADER } else { 0 };
    if date | header == 0 { PLAIN } else { date | header }
}

/// The trait of an item that was received at this time, as of now; nothing special: 0.
pub(crate) fn of_date(received: Option<i64>, now: i64) -> u8 {
    match received {
        Some(0) => DATE_ZERO,
        Some(received) if u32::try_from(received).is_err() => DATE_OUT_OF_RANGE,
        Some(received) if received > now.saturating_add(SOON_SECONDS) => FUTURE_DATE,
        Some(received) if received > now => SOON,
        _ => 0,
    }
}

/// Why an item with these traits is no copy where the target changes such items.
pub(crate) fn cause(of: u8) -> Cause {
    if of & EIGHT_BIT_HEADER != 0 {
        Cause::EightBitHeader
    } else if of & (FUTURE_DATE | SOON) != 0 {
        Cause::FutureDate
    } else if of & (DATE_OUT_OF_RANGE | DATE_ZERO) != 0 {
        Cause::DateOutOfRange
    } else {
        Cause::Altered
    }
}

/// Those of an item's traits by which it explains what was changed of it: its bytes, its date. Nothing that is special about it
/// explains it: then the target changes plain items.
pub(crate) fn changed(is: u8, bytes: bool, date: bool) -> u8 {
    let of = |is_changed: bool, by: u8| match is_changed {
        false => 0,
        true if is & by != 0 => is & by,
        true => PLAIN,
    };
    of(bytes, EIGHT_BIT_HEADER) | of(date, DATES)
}

#[cfg(test)]
mod tests {
    use model::{Examiner, ItemKind};

    use super::*;

    #[test]
    fn an_item_may_have_several_traits_and_each_explains_its_own_change() {
        let plain = Examiner::examine(ItemKind::Message, b"Subject: a\r\n\r\n");
        let eight = Examiner::examine(ItemKind::Message, "Subject: \u{d8}\r\n\r\n".as_bytes());
        assert_eq!((of(&plain, Some(1), 2), of(&plain, Some(90_000), 2)), (PLAIN, FUTURE_DATE));
        let eight_and_future = EIGHT_BIT_HEADER | FUTURE_DATE;
        assert_eq!((of(&eight, None, 2), of(&eight, Some(90_000), 2)), (EIGHT_BIT_HEADER, eight_and_future));
        let both = EIGHT_BIT_HEADER | FUTURE_DATE;
        assert_eq!(changed(both, true, false), EIGHT_BIT_HEADER);
        assert_eq!(changed(both, false, true), FUTURE_DATE);
        assert_eq!(changed(FUTURE_DATE, true, false), PLAIN);
        assert_eq!(changed(PLAIN, false, true), PLAIN);
    }

    #[test]
    fn dates_that_servers_hold_are_nothing_special() {
        let limits = [i64::MIN, -1, 0, 1, 9, 10, 86_409, 86_410, u32::MAX.into(), i64::from(u32::MAX) + 1];
        let [zero, out, soon, future] = [DATE_ZERO, DATE_OUT_OF_RANGE, SOON, FUTURE_DATE];
        assert_eq!(limits.map(|at| of_date(Some(at), 9)), [out, out, zero, 0, 0, soon, soon, future, future, out]);
        assert_eq!(changed(EIGHT_BIT_HEADER | DATE_ZERO, false, true), DATE_ZERO);
        assert_eq!([out, zero].map(cause), [Cause::DateOutOfRange; 2]);
    }
}
