//! What tells our entries from all others: in a file a comment behind the address (RFC 5322 section 3.2.2), which Postfix drops, in a database a
//! column. Both name the account that the entry is for. An entry that is moved, sorted or copied keeps its mark.

use std::fmt::Write as _;

/// What our mark begins with.
const BEGIN: &str = "(whimbrel: ";
/// What the column of ours begins with.
const ORIGIN: &str = "whimbrel:";

/// Whose an entry of our table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Ours, for this account.
    Ours(String),
    /// It has our mark for this account, and somebody has changed what it says.
    Altered(String),
    /// Somebody else's.
    Foreign,
}

/// An entry of our table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The key, in small letters.
    pub(crate) address: String,
    /// Where it leads: one address if it is ours.
    pub(crate) to: String,
    pub(crate) whose: Whose,
    /// Where it stands, for people.
    pub(crate) place: String,
}

impl Row {
    /// Is it ours, for this account?
    pub(crate) fn is_of(&self, account: &str) -> bool {
        matches!(&self.whose, Whose::Ours(own) | Whose::Altered(own) if own == account)
    }
}

/// The value of an entry of ours in a file.
pub(crate) fn value(to: &str, account: &str) -> String {
    format!("{to} {BEGIN}{})", encoded(account))
}

/// What the value of an entry in a file says: where it leads, and whose it is.
pub(crate) fn parse(value: &str) -> (String, Whose) {
    let value = value.trim();
    let Some((before, after)) = value.split_once(BEGIN) else { return (value.to_owned(), Whose::Foreign) };
    let Some((account, rest)) = after.split_once(')') else { return (value.to_owned(), Whose::Foreign) };
    let (to, account) = (before.trim(), decoded(account.trim()));
    if rest.trim().is_empty() && super::address::is_plain(to) {
        (to.to_owned(), Whose::Ours(account))
    } else {
        (value.to_owned(), Whose::Altered(account))
    }
}

/// What the column of an entry of ours holds.
pub(crate) fn origin(account: &str) -> String {
    format!("{ORIGIN}{account}")
}

/// Whose an entry with this origin is, which leads there.
pub(crate) fn of_origin(origin: &str, to: &str) -> Whose {
    match origin.strip_prefix(ORIGIN) {
        Some(account) if super::address::is_plain(to) => Whose::Ours(account.to_owned()),
        Some(account) => Whose::Altered(account.to_owned()),
        None => Whose::Foreign,
    }
}

/// Letters, digits and a few signs stay; the rest is written as in URLs.
fn encoded(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"@._-+=".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = (byte == b'%').then(|| after.get(..2)).flatten();
        let number = digits.and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        bytes.push(number.unwrap_or(byte));
        rest = if number.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_is_written() {
        for account in ["ann@site.test", "Ann Smith (x)", "a\\b%41", "grün", "a\r\nb: c"] {
            let value = value("ann@new.test", account);
            assert!(!value.contains(['\r', '\n']) && value.matches('(').count() == 1, "{value:?}");
            assert_eq!(parse(&value), ("ann@new.test".to_owned(), Whose::Ours(account.to_owned())));
            assert_eq!(of_origin(&origin(account), "a@b"), Whose::Ours(account.to_owned()));
        }
    }

    #[test]
    fn what_is_changed_is_not_taken_for_what_we_wrote() {
        for text in ["a@b, c@d (whimbrel: ann)", "a@b (whimbrel: ann), c@d", "(whimbrel: ann)", "|x (whimbrel: ann)"] {
            assert_eq!(parse(text).1, Whose::Altered("ann".to_owned()), "{text}");
        }
        for text in ["a@b", "a@b (other: ann)", "a@b (whimbrel: ann", ""] {
            assert_eq!(parse(text).1, Whose::Foreign, "{text}");
        }
        assert_eq!(of_origin("other", "a@b"), Whose::Foreign);
        assert_eq!(of_origin("whimbrel:ann", "a@b, c@d"), Whose::Altered("ann".to_owned()));
    }
}
