//! Items: what lies in folders.

use serde::{Deserialize, Serialize};

/// What an item is. The form its bytes travel in stands beside each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemKind {
    /// A mail message (RFC 5322).
    Message,
    /// A calendar event (iCalendar, RFC 5545 VEVENT).
    Event,
    /// A contact (vCard, RFC 6350).
    Contact,
    /// A personal distribution list (vCard with KIND:group).
    ContactGroup,
    /// A task (iCalendar VTODO).
    Task,
    /// A note (RFC 5322, as Exchange keeps it).
    Note,
    /// A journal entry (iCalendar VJOURNAL).
    JournalEntry,
}

impl ItemKind {
    /// Every kind.
    pub const EVERY: [Self; 7] =
        [Self::Message, Self::Event, Self::Contact, Self::ContactGroup, Self::Task, Self::Note, Self::JournalEntry];

    /// The number that the ledger writes; never changes.
    pub fn number(self) -> i64 {
        self as i64
    }

    /// The kind with this ledger number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::EVERY.into_iter().find(|kind| kind.number() == number)
    }

    /// The kind's name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Event => "event",
            Self::Contact => "contact",
            Self::ContactGroup => "contact group",
            Self::Task => "task",
            Self::Note => "note",
            Self::JournalEntry => "journal entry",
        }
    }
}

/// What a platform calls an item within its folder, for as long as the folder's validity holds.
///
/// Opaque bytes whose order is the order the folder lists its items in; an IMAP UID is its four bytes, high byte first.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ItemId(Box<[u8]>);

impl ItemId {
    /// An id of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// An id that is a number of 32 bits, as IMAP's are.
    pub fn from_u32(number: u32) -> Self {
        Self::new(&number.to_be_bytes())
    }

    /// The number, when the id is one of 32 bits.
    pub fn as_u32(&self) -> Option<u32> {
        Some(u32::from_be_bytes(self.0.as_ref().try_into().ok()?))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Display for ItemId {
    /// A number where it is one, text where it is text, else hexadecimal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.as_u32(), std::str::from_utf8(&self.0)) {
            (Some(number), _) => write!(f, "{number}"),
            (None, Ok(text)) if !text.chars().any(char::is_control) => f.write_str(text),
            _ => self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

impl std::fmt::Debug for ItemId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ItemId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_numbers() {
        assert!(ItemId::from_u32(255) < ItemId::from_u32(256));
        assert_eq!(ItemId::from_u32(4_294_967_295).as_u32(), Some(u32::MAX));
    }

    #[test]
    fn shown_as_number_text_or_hexadecimal() {
        assert_eq!(ItemId::from_u32(7).to_string(), "7");
        assert_eq!(ItemId::new(b"1700000000.M1P2.host").to_string(), "1700000000.M1P2.host");
        assert_eq!(ItemId::new(&[0, 255]).to_string(), "00ff");
    }
}
