//! Between the protocol and the model: names, flags, states, refusals; and everything that is lost on the way.

pub(crate) mod cursor;
pub(crate) mod names;
pub(crate) mod refusal;

use connector::FolderState;
use model::{Flags, Loss, SpecialUse};

use crate::wire::mailbox::{ListEntry, StatusItems};

/// What an IMAP server can't hold.
///
/// * NUL: allowed in no literal but that of BINARY, which few servers store as it is.
/// * A CR alone, and lines that end in more than one way: Cyrus refuses such a message and the whole batch with it,
///   Dovecot rewrites bare LF.
/// * Bytes above 127 in a header: Cyrus makes an X of each, unless told `munge8bit: no`.
/// * A time of receipt that is still to come: Dovecot puts its own in its place.
/// * One before 1970 or beyond 32 bits: Cyrus refuses the first and changes the other, Dovecot changes both.
/// * A header with a line that is no header field: Cyrus refuses it.
/// * Folder names with the server's separator in them, and names that the server forbids.
/// * What a folder is for, where CREATE-SPECIAL-USE is not offered.
/// * Keywords that are no IMAP atoms, and those beyond what a server lets be made.
pub(crate) const LOSSES: [Loss; 10] = [
    Loss::Nul,
    Loss::BareCr,
    Loss::MixedLineEnds,
    Loss::EightBitHeader,
    Loss::FutureDate,
    Loss::DateOutOfRange,
    Loss::BrokenHeader,
    Loss::FolderName,
    Loss::SpecialUse,
    Loss::Keyword,
];

/// The flags as APPEND and STORE take them, without parentheses. A keyword that is no atom can't be written at all and is
/// left off: a declared loss, seen when flags are read back.
pub(crate) fn flag_list(flags: &Flags) -> String {
    let names: Vec<&str> = flags.names().filter(|name| name.starts_with('\\') || is_keyword(name)).collect();
    names.join(" ")
}

/// May the keyword stand on the wire (RFC 9051 `flag-keyword`, an atom)?
fn is_keyword(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_graphic() && !br#"(){%*"\]"#.contains(&byte))
}

/// What a folder is for, from its attributes.
pub(crate) fn special_use(entry: &ListEntry) -> Option<SpecialUse> {
    entry.attributes.iter().find_map(|attribute| SpecialUse::from_attribute(attribute))
}

/// May it be a view, whose items lie elsewhere too?
pub(crate) fn is_view(special_use: Option<SpecialUse>) -> bool {
    matches!(special_use, Some(SpecialUse::All | SpecialUse::Flagged | SpecialUse::Important))
}

/// Where a folder stands, as STATUS says; none when it does not say enough.
pub(crate) fn state_of(items: &StatusItems) -> Option<FolderState> {
    Some(FolderState {
        validity: u64::from(items.uid_validity?),
        next: u64::from(items.uid_next?),
        count: u64::from(items.messages?),
        change: items.highest_modseq.unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_that_are_no_atoms_are_left_off() {
        let flags = Flags::of(["\\Seen", "$Forwarded", "two words", "a(b", "é", "x]y", "a\\b", "[Gmail", "ok"]);
        assert_eq!(flag_list(&flags), "\\Seen $Forwarded [Gmail ok");
        assert_eq!(flag_list(&Flags::NONE), "");
    }

    #[test]
    fn a_status_without_a_uidvalidity_is_no_state() {
        let mut items = StatusItems { messages: Some(3), uid_next: Some(9), ..StatusItems::default() };
        assert_eq!(state_of(&items), None);
        items.uid_validity = Some(7);
        assert_eq!(state_of(&items), Some(FolderState { validity: 7, next: 9, count: 3, change: 0 }));
    }
}
