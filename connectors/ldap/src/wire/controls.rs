//! Controls, to send and as they come back: paged results (RFC 2696), content synchronisation (RFC 4533), and those of Active
//! Directory (MS-ADTS section 3.1.1.3.4.1).

use ldap3::controls::{Control, RawControl};

use super::ber::{self, ENUMERATED, INTEGER, OCTETS, Reader, SEQUENCE, SET};

/// Simple paged results (RFC 2696).
pub(crate) const PAGED: &str = "1.2.840.113556.1.4.319";
/// LDAP_SERVER_DIRSYNC_OID (MS-ADTS section 3.1.1.3.4.1.3).
pub(crate) const DIRSYNC: &str = "1.2.840.113556.1.4.841";
/// LDAP_SERVER_SD_FLAGS_OID (3.1.1.3.4.1.11).
const SD_FLAGS: &str = "1.2.840.113556.1.4.801";
/// Sync Request, State, Done and Info (RFC 4533 section 2).
pub(crate) const SYNC_REQUEST: &str = "1.3.6.1.4.1.4203.1.9.1.1";
const SYNC_STATE: &str = "1.3.6.1.4.1.4203.1.9.1.2";
const SYNC_DONE: &str = "1.3.6.1.4.1.4203.1.9.1.3";
pub(crate) const SYNC_INFO: &str = "1.3.6.1.4.1.4203.1.9.1.4";

fn control(oid: &str, critical: bool, value: Option<Vec<u8>>) -> RawControl {
    RawControl { ctype: oid.to_owned(), crit: critical, val: value }
}

fn value_of<'c>(controls: &'c [Control], oid: &str) -> Option<&'c [u8]> {
    controls.iter().find(|Control(_, raw)| raw.ctype == oid).and_then(|Control(_, raw)| raw.val.as_deref())
}

/// A page of so many entries, from a cookie on.
pub(crate) fn paged(entries: usize, cookie: &[u8]) -> RawControl {
    let inner = [ber::number(INTEGER, entries as i64), ber::element(OCTETS, cookie)].concat();
    control(PAGED, true, Some(ber::element(SEQUENCE, &inner)))
}

/// The cookie of the next page; empty after the last. None where the server did not page.
pub(crate) fn next_page(controls: &[Control]) -> Option<Vec<u8>> {
    let mut reader = Reader::within(value_of(controls, PAGED)?, SEQUENCE)?;
    reader.number(INTEGER)?;
    Some(reader.expect(OCTETS)?.to_vec())
}

/// Of security descriptors, the DACL alone: the rest needs rights that a migration does not have.
pub(crate) fn dacl_only() -> RawControl {
    const DACL_SECURITY_INFORMATION: i64 = 4;
    let value = ber::element(SEQUENCE, &ber::number(INTEGER, DACL_SECURITY_INFORMATION));
    control(SD_FLAGS, false, Some(value))
}

/// What changed since a cookie, with attributes of many values by what changed of them.
pub(crate) fn dirsync(cookie: &[u8]) -> RawControl {
    // LDAP_DIRSYNC_INCREMENTAL_VALUES, sent as a number with a sign: 0x80000000.
    let flags = i64::from(i32::MIN);
    let inner =
        [ber::number(INTEGER, flags), ber::number(INTEGER, i64::from(i32::MAX)), ber::element(OCTETS, cookie)].concat();
    control(DIRSYNC, true, Some(ber::element(SEQUENCE, &inner)))
}

/// Whether there is more, and the cookie to go on from.
pub(crate) fn dirsync_done(controls: &[Control]) -> Option<(bool, Vec<u8>)> {
    let mut reader = Reader::within(value_of(controls, DIRSYNC)?, SEQUENCE)?;
    let more = reader.number(INTEGER)? != 0;
    reader.number(INTEGER)?;
    Some((more, reader.expect(OCTETS)?.to_vec()))
}

/// Content since a cookie, once (refreshOnly).
pub(crate) fn sync_request(cookie: Option<&[u8]>) -> RawControl {
    let mut inner = ber::number(ENUMERATED, 1);
    if let Some(cookie) = cookie {
        inner.extend(ber::element(OCTETS, cookie));
    }
    control(SYNC_REQUEST, true, Some(ber::element(SEQUENCE, &inner)))
}

/// What an entry of a synchronised content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyncState {
    /// It did not change.
    Present,
    /// It is new or changed, and here.
    Here,
    /// It is gone.
    Gone,
}

/// The state of an entry and its entryUUID.
pub(crate) fn sync_state(controls: &[Control]) -> Option<(SyncState, [u8; 16])> {
    let mut reader = Reader::within(value_of(controls, SYNC_STATE)?, SEQUENCE)?;
    let state = match reader.number(ENUMERATED)? {
        0 => SyncState::Present,
        1 | 2 => SyncState::Here,
        3 => SyncState::Gone,
        _ => return None,
    };
    Some((state, reader.expect(OCTETS)?.try_into().ok()?))
}

/// How a refresh ended: the cookie, and whether what is gone was told (else what was not told is gone).
pub(crate) fn sync_done(controls: &[Control]) -> Option<(Option<Vec<u8>>, bool)> {
    let mut reader = Reader::within(value_of(controls, SYNC_DONE)?, SEQUENCE)?;
    let cookie = reader.expect(OCTETS).map(<[u8]>::to_vec);
    Some((cookie, reader.boolean_or(false)))
}

/// A message in the middle of a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SyncInfo {
    /// A phase ended, or a cookie came: nothing to do about it.
    Note,
    /// These did not change.
    Present(Vec<[u8; 16]>),
    /// These are gone.
    Gone(Vec<[u8; 16]>),
}

/// Reads the value of a Sync Info Message.
pub(crate) fn sync_info(value: &[u8]) -> Option<SyncInfo> {
    let (tag, content) = Reader::new(value).element()?;
    match tag & 0x1f {
        0..=2 => Some(SyncInfo::Note),
        3 => {
            let mut reader = Reader::new(content);
            if reader.tag() == Some(OCTETS) {
                reader.element()?;
            }
            let is_gone = reader.boolean_or(false);
            let mut set = Reader::new(reader.expect(SET)?);
            let mut ids = Vec::new();
            while !set.is_empty() {
                ids.push(set.expect(OCTETS)?.try_into().ok()?);
            }
            Some(if is_gone { SyncInfo::Gone(ids) } else { SyncInfo::Present(ids) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(oid: &str, value: Vec<u8>) -> Vec<Control> {
        vec![Control(None, control(oid, false, Some(value)))]
    }

    #[test]
    fn answers_are_read() {
        let dirsync = dirsync(b"cookie");
        assert_eq!(dirsync.val.as_ref().unwrap()[2..8], [2, 4, 0x80, 0, 0, 0], "the flags have a sign");
        let controls = answer(DIRSYNC, ber::element(SEQUENCE, &[2, 1, 1, 2, 1, 0, 4, 1, 9]));
        assert_eq!(dirsync_done(&controls), Some((true, vec![9])));
        let controls = answer(PAGED, paged(0, b"next").val.unwrap());
        assert_eq!(next_page(&controls), Some(b"next".to_vec()));
        let state = [ber::number(ENUMERATED, 3), ber::element(OCTETS, &[7; 16])].concat();
        let controls = answer(SYNC_STATE, ber::element(SEQUENCE, &state));
        assert_eq!(sync_state(&controls), Some((SyncState::Gone, [7; 16])));
        let controls = answer(SYNC_DONE, ber::element(SEQUENCE, &[4, 1, 5, 1, 1, 0xff]));
        assert_eq!(sync_done(&controls), Some((Some(vec![5]), true)));
        assert_eq!(sync_done(&answer(SYNC_DONE, vec![0x30, 0])), Some((None, false)));
        assert_eq!(sync_done(&[]), None);
        let set = ber::element(SET, &ber::element(OCTETS, &[1; 16]));
        let gone = [ber::element(OCTETS, b"c"), ber::boolean(true), set.clone()].concat();
        assert_eq!(sync_info(&ber::element(0xa3, &gone)), Some(SyncInfo::Gone(vec![[1; 16]])));
        assert_eq!(sync_info(&ber::element(0xa3, &set)), Some(SyncInfo::Present(vec![[1; 16]])));
        assert_eq!(sync_info(&ber::element(0xa1, &[])), Some(SyncInfo::Note));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = sync_info(&bytes);
            for oid in [PAGED, DIRSYNC, SYNC_STATE, SYNC_DONE] {
                let controls = answer(oid, bytes.clone());
                let _ = (next_page(&controls), dirsync_done(&controls), sync_state(&controls), sync_done(&controls));
            }
        }
    }
}
