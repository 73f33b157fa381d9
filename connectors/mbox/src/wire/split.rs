//! Where messages begin and end in a file.
//!
//! A line begins a message when it begins with `From ` and
//! * says a date, and either an empty line stands before it or what follows looks like a header; or
//! * stands behind an empty line in a file of mboxo or mboxrd, by the project's word: there no other line begins so; or
//! * is bare (`From `, `From -`, `From name`), stands behind an empty line, and a header follows.
//!
//! Anything else is text. A Content-Length is obeyed where it leads to such a line or to the end of the file, one line end
//! between them apart; else it lies, and the lines decide. One empty line before the next message is not a part of this one.

use std::fs::File;
use std::io;

use connector::maildate;
use model::{Flags, ReceivedAt};
use ring::digest::{Context, SHA256};

use super::from_line::{self, FROM, begins_message, is_empty};
use super::lines::Lines;
use super::message::{Line, Noted, Sieve, Size};
use crate::config::{Dialect, Manner};

/// So much of a header is looked through for a date where the `From ` line has none.
const DATED_HEADER_BYTES_MAX: usize = 256 * 1024;
/// What UW's note about a folder begins with, besides its field: a sender's own field makes no note of a message.
const NOTE: &[u8] = b"From MAILER-DAEMON ";
/// Bytes of a digest that an id has.
pub(crate) const DIGEST_BYTES: usize = 16;

/// A message in a file.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Where its `From ` line begins, where that ends, and where the message ends.
    pub(crate) begin: u64,
    pub(crate) header: u64,
    pub(crate) end: u64,
    /// What it is known by: see [`Digest`].
    pub(crate) digest: [u8; DIGEST_BYTES],
    /// When its `From ` line says it came.
    pub(crate) delivered: Option<ReceivedAt>,
    /// The same; else what its header says.
    pub(crate) received: Option<ReceivedAt>,
    pub(crate) flags: Flags,
    /// Its size as it travels.
    pub(crate) wire_bytes: u64,
    /// LF alone becomes CRLF.
    pub(crate) converts: bool,
    /// Its Content-Length was not obeyed: it is the message's own, and travels.
    pub(crate) keeps_length: bool,
}

/// What a file holds.
#[derive(Debug, Default)]
pub(crate) struct Split {
    pub(crate) messages: Vec<Message>,
    /// Expunged, and still in the file.
    pub(crate) expunged: u64,
    /// UW's note about the folder, which is no mail.
    pub(crate) notes: u64,
    /// Lines of `>From ` with more than one `>`: a sign of mboxrd.
    pub(crate) requoted: u64,
    /// It begins with something else than a message.
    pub(crate) is_foreign: bool,
}

/// The digest of a message: of its `From ` line and of its own lines as the file has them, without what its program noted
/// and without its length. So it stays the same when flags change or the file is written anew.
pub(crate) struct Digest(Context);

impl Digest {
    pub(crate) fn new(from_line: &[u8]) -> Self {
        let mut digest = Context::new(&SHA256);
        digest.update(from_line.trim_ascii_end());
        digest.update(b"\n");
        Self(digest)
    }

    pub(crate) fn update(&mut self, line: &[u8]) {
        self.0.update(line);
    }

    pub(crate) fn finish(self) -> [u8; DIGEST_BYTES] {
        let mut digest = [0; DIGEST_BYTES];
        digest.copy_from_slice(&self.0.finish().as_ref()[..DIGEST_BYTES]);
        digest
    }
}

/// Splits a file.
pub(crate) fn split(file: &File, manner: Manner) -> io::Result<Split> {
    let size = file.metadata()?.len();
    let mut splitter = Splitter { lines: Lines::new(file), size, manner, split: Split::default() };
    let mut offset = 0;
    // Some programs leave empty lines at the beginning.
    while offset < size && is_empty(splitter.lines.at(offset)?) {
        offset += splitter.lines.at(offset)?.len() as u64;
    }
    if offset < size && !splitter.lines.at(offset)?.starts_with(FROM) {
        splitter.split.is_foreign = true;
        return Ok(splitter.split);
    }
    while offset < size {
        offset = splitter.message(offset)?;
    }
    Ok(splitter.split)
}

struct Splitter<'f> {
    lines: Lines<'f>,
    size: u64,
    manner: Manner,
    split: Split,
}

impl Splitter<'_> {
    /// Takes the message that begins here. Where the next one begins.
    fn message(&mut self, begin: u64) -> io::Result<u64> {
        let from_line = self.lines.at(begin)?.to_vec();
        let header = begin + self.line_bytes(begin)?;
        let delivered = from_line::date(&from_line);
        let (mut sieve, mut size, mut digest) =
            (Sieve::new(self.manner, &from_line), Size::default(), Digest::new(&from_line));
        let (mut dated, mut length_bytes) = (Vec::new(), Size::default());
        let (mut offset, mut is_begin, mut is_after_empty) = (header, true, false);
        // An empty line whose part it is depends on what follows, and where a Content-Length leads.
        let (mut held, mut led): (Vec<u8>, Option<u64>) = (Vec::new(), None);
        loop {
            let end = led.unwrap_or(self.size);
            if offset >= end || (led.is_none() && is_begin && self.is_message(offset, is_after_empty)?) {
                break;
            }
            let piece = self.lines.at(offset)?;
            let piece = piece[..piece.len().min((end - offset) as usize)].to_vec();
            offset += piece.len() as u64;
            if !held.is_empty() {
                digest.update(&held);
                size.count(&held);
                held.clear();
            }
            let was_header = sieve.is_header();
            is_after_empty = is_begin && is_empty(&piece);
            if piece.starts_with(b">>From ") && is_begin {
                self.split.requoted += 1;
            }
            match sieve.next(&piece, is_begin) {
                Line::Own(own) if is_after_empty && led.is_none() => held = own.to_vec(),
                Line::Own(own) => {
                    digest.update(&piece);
                    size.count(own);
                    if delivered.is_none() && was_header && dated.len() < DATED_HEADER_BYTES_MAX {
                        dated.extend_from_slice(own);
                    }
                }
                Line::Length(length) => length_bytes.count(length),
                Line::Aside(own) => size.count(own),
                Line::Noted => {}
            }
            is_begin = piece.ends_with(b"\n");
            if was_header && !sieve.is_header() && self.obeys_length() {
                led = self.led(offset, sieve.noted.length)?;
                if led.is_some() && !held.is_empty() {
                    digest.update(&held);
                    size.count(&held);
                    held.clear();
                }
            }
        }
        let end = offset - held.len() as u64;
        let keeps_length = led.is_none() && length_bytes.file_bytes > 0;
        if keeps_length {
            size.file_bytes += length_bytes.file_bytes;
            size.ends.add(&length_bytes.ends);
        }
        let noted = sieve.noted;
        let received = delivered.or_else(|| maildate::of_header(&dated));
        let digest = digest.finish();
        let (wire_bytes, converts) = (size.wire_bytes(), size.converts());
        let Noted { flags, .. } = noted;
        if noted.is_expunged {
            self.split.expunged += 1;
        } else if noted.is_note && self.split.messages.is_empty() && from_line.starts_with(NOTE) {
            self.split.notes += 1;
        } else {
            self.split.messages.push(Message {
                begin,
                header,
                end,
                digest,
                delivered,
                received,
                flags,
                wire_bytes,
                converts,
                keeps_length,
            });
        }
        // What a Content-Length leads to may have an empty line before it.
        if led.is_some() && offset < self.size && is_empty(self.lines.at(offset)?) {
            offset += self.lines.at(offset)?.len() as u64;
        }
        Ok(offset)
    }

    fn obeys_length(&self) -> bool {
        matches!(self.manner.dialect, Dialect::Auto | Dialect::Mboxcl | Dialect::Mboxcl2)
    }

    /// The length of a whole line, however long.
    fn line_bytes(&mut self, begin: u64) -> io::Result<u64> {
        let mut offset = begin;
        loop {
            let piece = self.lines.at(offset)?;
            offset += piece.len() as u64;
            if piece.is_empty() || piece.ends_with(b"\n") {
                return Ok(offset - begin);
            }
        }
    }

    /// Does a message begin with this line?
    fn is_message(&mut self, offset: u64, is_after_empty: bool) -> io::Result<bool> {
        let line = self.lines.at(offset)?;
        if !line.starts_with(FROM) {
            return Ok(false);
        }
        let (is_dated, is_bare) = (from_line::date(line).is_some(), from_line::is_bare(line));
        let is_quoting = matches!(self.manner.dialect, Dialect::Mboxo | Dialect::Mboxrd);
        if is_after_empty && (is_dated || is_quoting) {
            return Ok(true);
        }
        if !(is_dated || (is_bare && is_after_empty)) {
            return Ok(false);
        }
        let after = offset + self.line_bytes(offset)?;
        let next = self.lines.at(after)?;
        Ok(begins_message(next) && !is_empty(next))
    }

    /// Where a body of this length ends, if another message or the end of the file comes then.
    fn led(&mut self, body: u64, length: Option<u64>) -> io::Result<Option<u64>> {
        let Some(end) = length.and_then(|length| body.checked_add(length)).filter(|end| *end <= self.size) else {
            return Ok(None);
        };
        let line = self.lines.at(end)?;
        let next = if is_empty(line) { end + line.len() as u64 } else { end };
        let leads = next == self.size || self.is_message(next, true)?;
        // Inside a line it may lead to a line of text only by chance.
        let is_at_line = end == body || next > end || end == self.size || self.lines.at(end - 1)?.starts_with(b"\n");
        Ok((leads && is_at_line).then_some(end))
    }
}
