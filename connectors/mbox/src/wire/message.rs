//! A message in a file: which of its lines travel, and what its program wrote among them.
//!
//! Programs that keep mbox files write what they know of a message into its header: whether it was read, its number, its
//! length. Such a field is taken off only where its value has the form that they write: the `Status: resolved` of a message
//! that was sent so stays.

use model::Flags;

use super::from_line::is_empty;
use super::line_ends::LineEnds;
use crate::config::{Dialect, Manner};

/// Who writes which field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Status,
    XStatus,
    Keywords,
    Uid,
    /// What UW and Dovecot note about the whole folder; the first of these is that of UW's own message.
    Imap,
    ImapBase,
    MozillaStatus,
    MozillaStatus2,
    MozillaKeys,
    Length,
}

const FIELDS: [(&str, Field); 10] = [
    ("status", Field::Status),
    ("x-status", Field::XStatus),
    ("x-keywords", Field::Keywords),
    ("x-uid", Field::Uid),
    ("x-imap", Field::Imap),
    ("x-imapbase", Field::ImapBase),
    ("x-mozilla-status", Field::MozillaStatus),
    ("x-mozilla-status2", Field::MozillaStatus2),
    ("x-mozilla-keys", Field::MozillaKeys),
    ("content-length", Field::Length),
];

/// Thunderbird's bits of X-Mozilla-Status.
const MOZILLA: [(u32, &str); 4] = [(0x1, "\\Seen"), (0x2, "\\Answered"), (0x4, "\\Flagged"), (0x1000, "$Forwarded")];
const MOZILLA_EXPUNGED: u32 = 0x8;
/// And of X-Mozilla-Status2.
const MOZILLA_DELETED: u32 = 0x0020_0000;
const MOZILLA_LABELS: u32 = 0x0E00_0000;

/// The field of a line and its value, where the value is as such programs write it.
fn field(line: &[u8]) -> Option<(Field, &str)> {
    let colon = line.iter().take(24).position(|byte| *byte == b':')?;
    let (_, field) = FIELDS.iter().find(|(name, _)| line[..colon].eq_ignore_ascii_case(name.as_bytes()))?;
    let value = std::str::from_utf8(&line[colon + 1..]).ok()?.trim();
    let all = |fits: fn(&char) -> bool| value.chars().all(|c| fits(&c));
    let fits = match field {
        Field::Status | Field::XStatus => all(|c| "RONUDAFTP".contains(*c)),
        Field::Uid | Field::Length => !value.is_empty() && all(char::is_ascii_digit),
        Field::MozillaStatus | Field::MozillaStatus2 => !value.is_empty() && all(char::is_ascii_hexdigit),
        Field::Imap | Field::ImapBase => value.starts_with(|c: char| c.is_ascii_digit()),
        Field::Keywords | Field::MozillaKeys => true,
    };
    fits.then_some((*field, value))
}

/// What a message's program wrote into it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noted {
    pub(crate) flags: Flags,
    /// Expunged, and still in the file.
    pub(crate) is_expunged: bool,
    /// Not mail, but UW's note about the folder.
    pub(crate) is_note: bool,
    /// How long its body is said to be.
    pub(crate) length: Option<u64>,
}

impl Noted {
    fn take(&mut self, field: Field, value: &str) {
        let hex = || u32::from_str_radix(value, 16).unwrap_or_default();
        match field {
            Field::Status if value.contains('R') => self.flags.insert("\\Seen"),
            Field::XStatus => {
                for (letter, flag) in
                    [('A', "\\Answered"), ('F', "\\Flagged"), ('T', "\\Draft"), ('D', "\\Deleted"), ('R', "\\Seen")]
                {
                    if value.contains(letter) {
                        self.flags.insert(flag);
                    }
                }
            }
            Field::Keywords | Field::MozillaKeys => value.split_whitespace().for_each(|name| self.flags.insert(name)),
            Field::MozillaStatus => {
                let bits = hex();
                for (bit, flag) in MOZILLA {
                    if bits & bit != 0 {
                        self.flags.insert(flag);
                    }
                }
                self.is_expunged |= bits & MOZILLA_EXPUNGED != 0;
            }
            Field::MozillaStatus2 => {
                let bits = hex();
                if bits & MOZILLA_DELETED != 0 {
                    self.flags.insert("\\Deleted");
                }
                let label = (bits & MOZILLA_LABELS) >> 25;
                if (1..=5).contains(&label) {
                    self.flags.insert(&format!("$label{label}"));
                }
            }
            Field::Imap => self.is_note = true,
            Field::Length => self.length = value.parse().ok(),
            Field::Status | Field::Uid | Field::ImapBase => {}
        }
    }
}

/// What becomes of a piece of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line<'l> {
    /// It is the message's own; these bytes of it travel.
    Own(&'l [u8]),
    /// Its length: no part of what the message is, and travels unless it was obeyed.
    Length(&'l [u8]),
    /// Mozilla's, in a file that is not: no part of what the message is, and travels.
    Aside(&'l [u8]),
    /// Its program's.
    Noted,
}

/// Goes through the lines of a message.
#[derive(Clone, Debug)]
pub(crate) struct Sieve {
    unquotes: bool,
    is_mozillas: bool,
    is_header: bool,
    /// What became of the last line's field, for the lines that continue it.
    was: Was,
    pub(crate) noted: Noted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Was {
    Own,
    Length,
    Aside,
    Noted,
    /// Of Dovecot's field of keywords, which goes on behind a tab where it is long.
    Words,
}

impl Sieve {
    /// Of a message that this line begins.
    pub(crate) fn new(manner: Manner, from_line: &[u8]) -> Self {
        let unquotes = manner.dialect == Dialect::Mboxrd;
        let is_mozillas = manner.is_thunderbirds || from_line.starts_with(b"From - ");
        Self { unquotes, is_mozillas, is_header: true, was: Was::Own, noted: Noted::default() }
    }

    /// Is the empty line still to come?
    pub(crate) fn is_header(&self) -> bool {
        self.is_header
    }

    /// The next piece; `is_begin` where a line begins with it.
    pub(crate) fn next<'l>(&mut self, piece: &'l [u8], is_begin: bool) -> Line<'l> {
        if self.is_header && is_begin && is_empty(piece) {
            (self.is_header, self.was) = (false, Was::Own);
        } else if self.is_header && is_begin && !piece.starts_with(b" ") && !piece.starts_with(b"\t") {
            self.was = match field(piece) {
                None => Was::Own,
                Some((Field::MozillaStatus | Field::MozillaStatus2 | Field::MozillaKeys, _)) if !self.is_mozillas => {
                    Was::Aside
                }
                Some((field, value)) => {
                    self.noted.take(field, value);
                    match field {
                        Field::Length => Was::Length,
                        Field::Keywords => Was::Words,
                        _ => Was::Noted,
                    }
                }
            };
        } else if self.is_header && is_begin && self.was == Was::Words && piece.starts_with(b"\t") {
            self.noted.take(Field::Keywords, &String::from_utf8_lossy(piece));
        } else if self.is_header && is_begin {
            // No program goes on with such a field so: it is the message's own line, which had nothing before it.
            self.was = Was::Own;
        }
        let quoted = self.unquotes && is_begin && piece.starts_with(b">") && {
            let quotes = piece.iter().take_while(|byte| **byte == b'>').count();
            piece[quotes..].starts_with(b"From ")
        };
        match self.was {
            Was::Own => Line::Own(&piece[usize::from(quoted)..]),
            Was::Length => Line::Length(piece),
            Was::Aside => Line::Aside(piece),
            Was::Noted | Was::Words => Line::Noted,
        }
    }
}

/// How many bytes the lines of a message come to in wire form.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    pub(crate) file_bytes: u64,
    pub(crate) ends: LineEnds,
}

impl Size {
    pub(crate) fn count(&mut self, piece: &[u8]) {
        self.file_bytes += piece.len() as u64;
        self.ends.count(piece);
    }

    /// LF alone becomes CRLF.
    pub(crate) fn converts(&self) -> bool {
        self.ends.is_lf_only()
    }

    pub(crate) fn wire_bytes(&self) -> u64 {
        self.file_bytes + if self.converts() { self.ends.lf } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sieve(text: &str, unquotes: bool) -> (String, Noted) {
        let dialect = if unquotes { Dialect::Mboxrd } else { Dialect::Auto };
        let mut sieve = Sieve::new(Manner { dialect, is_thunderbirds: true }, b"From a\n");
        let mut kept = Vec::new();
        for line in text.split_inclusive('\n') {
            if let Line::Own(line) = sieve.next(line.as_bytes(), true) {
                kept.extend_from_slice(line);
            }
        }
        (String::from_utf8(kept).unwrap(), sieve.noted)
    }

    #[test]
    fn what_programs_noted_is_read_and_taken_off() {
        let (kept, noted) = sieve(
            "Status: RO\nX-Status: AF\nSubject: x\nX-Keywords: Work\n\t$Junk \nX-UID: 7\nContent-Length: 5\n\nStatus: RO\n",
            false,
        );
        assert_eq!(kept, "Subject: x\n\nStatus: RO\n");
        assert_eq!(noted.flags, Flags::of(["\\Seen", "\\Answered", "\\Flagged", "Work", "$Junk"]));
        assert_eq!((noted.length, noted.is_expunged, noted.is_note), (Some(5), false, false));
        let (kept, noted) = sieve(
            "X-Mozilla-Status: 1009\nX-Mozilla-Status2: 04200000\nX-Mozilla-Keys: $label1 a          \n\nb",
            false,
        );
        assert_eq!(kept, "\nb");
        assert_eq!(noted.flags, Flags::of(["\\Seen", "$Forwarded", "\\Deleted", "$label2", "$label1", "a"]));
        assert!(noted.is_expunged);
        assert!(sieve("X-IMAP: 123 7\n\n", false).1.is_note);
        assert!(!sieve("X-IMAPbase: 123 7\n\n", false).1.is_note);
    }

    #[test]
    fn a_field_that_only_has_such_a_name_stays() {
        let text = "Status: resolved\nX-UID: a7\nContent-Length: many\nX-Mozilla-Status: read\nStatusX: R\n\n";
        assert_eq!(sieve(text, false).0, text);
    }

    #[test]
    fn what_another_program_noted_came_with_the_message() {
        let manner = Manner { dialect: Dialect::Auto, is_thunderbirds: false };
        let line = b"X-Mozilla-Status: 0009\n";
        let mut sieve = Sieve::new(manner, b"From a@b Fri Feb 22 17:06:23 2008\n");
        assert_eq!(sieve.next(line, true), Line::Aside(line));
        assert!(!sieve.noted.is_expunged && sieve.noted.flags.is_empty());
        let mut sieve = Sieve::new(manner, b"From - Fri Feb 22 17:06:23 2008\n");
        assert_eq!(sieve.next(line, true), Line::Noted);
        assert!(sieve.noted.is_expunged);
    }

    #[test]
    fn a_line_that_seems_to_go_on_with_a_field_of_a_program_stays() {
        for field in ["X-Mozilla-Keys: a   ", "X-Status: A", "X-Keywords: b", "Content-Length: 7"] {
            let text = format!("{field}\n From: somebody\n more\nA: b\n c\n\nd\n");
            assert_eq!(sieve(&text, false).0, " From: somebody\n more\nA: b\n c\n\nd\n");
        }
    }

    #[test]
    fn one_mark_of_quoting_is_taken_off() {
        let text = "A: b\n\n>From x\n>>>From y\n> From z\n>Fromage\nFrom w\n";
        assert_eq!(sieve(text, true).0, "A: b\n\nFrom x\n>>From y\n> From z\n>Fromage\nFrom w\n");
        assert_eq!(sieve(text, false).0, text);
    }
}
