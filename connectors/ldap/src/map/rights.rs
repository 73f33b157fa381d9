//! Who may do what with a mailbox, out of security descriptors.

use model::{Grant, Reference, Right};

use crate::wire::security_descriptor::{self, Ace};
use crate::wire::sid;

/// The extended right Send-As (MS-ADTS section 5.1.3.2.1).
const SEND_AS: &str = "ab721a54-1e2f-11d0-9819-00aa0040529b";

/// RIGHT_DS_CONTROL_ACCESS: an extended right, the one that is named or all of them.
const CONTROL_ACCESS: u32 = 0x100;

/// In a mailbox's own descriptor: open it and everything in it.
const MAILBOX_OWNER: u32 = 0x1;

/// GENERIC_ALL (MS-DTYP section 2.4.3).
const GENERIC_ALL: u32 = 0x1000_0000;

/// Who may send as this entry, from nTSecurityDescriptor: those that have the right by its name, and those that have every
/// extended right. Administrators and the system are left out: theirs is no sharing. None when it can't be read.
pub(crate) fn send_as(descriptor: &[u8]) -> Option<Vec<Grant>> {
    let is_send_as = |ace: &Ace| match &ace.object {
        Some(object) => object == SEND_AS && ace.mask & (CONTROL_ACCESS | GENERIC_ALL) != 0,
        None => ace.mask & (CONTROL_ACCESS | GENERIC_ALL) != 0,
    };
    grants(descriptor, &Right::SendAs, is_send_as)
}

/// Who may open this mailbox, from msExchMailboxSecurityDescriptor. None when it can't be read.
pub(crate) fn full_access(descriptor: &[u8]) -> Option<Vec<Grant>> {
    grants(descriptor, &Right::FullAccess, |ace| ace.object.is_none() && ace.mask & (MAILBOX_OWNER | GENERIC_ALL) != 0)
}

fn grants(descriptor: &[u8], right: &Right, is_right: impl Fn(&Ace) -> bool) -> Option<Vec<Grant>> {
    let mut grants: Vec<Grant> = Vec::new();
    for ace in security_descriptor::read(descriptor)? {
        if !is_right(&ace) || sid::is_well_known(&ace.sid) {
            continue;
        }
        let grant = Grant {
            to: Reference::Sid(ace.sid),
            right: right.clone(),
            is_inherited: ace.is_inherited,
            is_denied: ace.is_denied,
        };
        if !grants.contains(&grant) {
            grants.push(grant);
        }
    }
    Some(grants)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::security_descriptor::written;

    fn ace(sid: &str, mask: u32, object: Option<&str>) -> Ace {
        let object = object.map(str::to_owned);
        Ace { sid: sid.into(), mask, object, is_inherited: false, is_denied: false }
    }

    #[test]
    fn rights_are_found_and_administrators_left_out() {
        let other = "ab721a53-1e2f-11d0-9819-00aa0040529b";
        let mut inherited = ace("S-1-5-21-1-2-3-1103", CONTROL_ACCESS, Some(SEND_AS));
        inherited.is_inherited = true;
        let mut denied = ace("S-1-5-21-1-2-3-1104", CONTROL_ACCESS, Some(SEND_AS));
        denied.is_denied = true;
        let descriptor = written(&[
            ace("S-1-5-21-1-2-3-1101", CONTROL_ACCESS, Some(SEND_AS)),
            ace("S-1-5-21-1-2-3-1101", CONTROL_ACCESS, Some(SEND_AS)),
            ace("S-1-5-21-1-2-3-1102", CONTROL_ACCESS, Some(other)),
            ace("S-1-5-21-1-2-3-1105", 0x20, None),
            ace("S-1-5-21-1-2-3-512", 0xf01ff, None),
            ace("S-1-5-10", CONTROL_ACCESS, Some(SEND_AS)),
            inherited,
            denied,
            ace("S-1-5-21-1-2-3-1106", 0xf01ff, None),
        ]);
        let grants = send_as(&descriptor).unwrap();
        let told: Vec<_> = grants.iter().map(|g| (&g.to.text()[15..], g.is_inherited, g.is_denied)).collect();
        assert_eq!(
            told,
            [("1101", false, false), ("1103", true, false), ("1104", false, true), ("1106", false, false)]
        );
        let mailbox = written(&[ace("S-1-5-21-1-2-3-1101", 1, None), ace("S-1-5-21-1-2-3-1102", 0x20000, None)]);
        assert_eq!(full_access(&mailbox).unwrap().len(), 1);
        assert_eq!(full_access(b"nonsense"), None);
    }
}
