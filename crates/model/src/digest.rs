//! Digests: how two items are known to be the same, and what in an item's bytes a target may not hold.
//!
//! Three digests, each looser than the one before, because the wire and other tools change bytes:
//! 1. **exact**: SHA-256 of the item's bytes as they travel, so that anyone can recompute it with common tools;
//! 2. **canonical** (version [`CANONICAL_VERSION`]): the same with every line end (CRLF, a lone CR, a lone LF) made CRLF
//!    and the last line ended;
//! 3. **stripped**: the canonical form without the header fields that known tools add (`X-TUID` of mbsync,
//!    `X-OfflineIMAP`, and the Message-ID that imapsync's `--addheader` makes).
//!
//! Nearly every item is its own canonical form, so the second and third cost no second hashing: they fork from the first
//! where they begin to differ. Memory is bounded whatever the item's size.

use std::fmt;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::ItemKind;

/// Version of the canonical form; recorded with each canonical digest.
pub const CANONICAL_VERSION: u8 = 1;

/// A header longer than this is not searched for hints and tools' fields (its digests stay right).
const HEADER_BYTES_MAX: usize = 256 * 1024;

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_ring(ring::digest::digest(&SHA256, bytes))
    }

    /// A digest read from storage.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    /// The digest that is written so: 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 64 {
            return None;
        }
        for (byte, two) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn from_ring(digest: ring::digest::Digest) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// What was found in an item's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// How many bytes.
    pub size_bytes: u64,
    /// Digest of the bytes.
    pub exact: Digest,
    /// Digest of the canonical form.
    pub canonical: Digest,
    /// Digest of the canonical form without tools' header fields.
    pub stripped: Digest,
    /// A short digest of the Message-ID, or else of From and Date: two items without the same one are not the same
    /// message; two with it may be. None when the item has neither.
    pub hint: Option<u64>,
    /// Is there a NUL byte?
    pub nul: bool,
    /// Is there a CR not followed by LF?
    pub bare_cr: bool,
    /// Is there an LF not preceded by CR?
    pub bare_lf: bool,
    /// Is there a byte above 127 in the header?
    pub eight_bit_header: bool,
    /// Is there a line in the header that is no header field (without a colon, or with a space before it), or that does
    /// not end?
    pub broken_header: bool,
}

/// Examines an item's bytes as they come, in pieces of any size.
pub struct Examiner {
    size_bytes: u64,
    exact: Context,
    /// None while the canonical form is the bytes themselves.
    canonical: Option<Context>,
    /// None while the stripped form is the canonical one.
    stripped: Option<Context>,
    /// A CR that ended the last piece: it is hashed once we know what follows.
    pending_cr: bool,
    last: u8,
    header: Option<Header>,
    hint: Option<u64>,
    nul: bool,
    bare_cr: bool,
    bare_lf: bool,
    eight_bit_header: bool,
    broken_header: bool,
}

/// The canonical header as far as it has come.
struct Header {
    text: Vec<u8>,
    line_start: usize,
}

impl Examiner {
    /// An examiner for an item of this kind.
    pub fn new(kind: ItemKind) -> Self {
        let has_header = matches!(kind, ItemKind::Message | ItemKind::Note);
        Self {
            size_bytes: 0,
            exact: Context::new(&SHA256),
            canonical: None,
            stripped: None,
            pending_cr: false,
            last: b'\n',
            header: has_header.then(|| Header { text: Vec::new(), line_start: 0 }),
            hint: None,
            nul: false,
            bare_cr: false,
            bare_lf: false,
            eight_bit_header: false,
            broken_header: false,
        }
    }

    /// What is found in these bytes, all at once.
    pub fn examine(kind: ItemKind, bytes: &[u8]) -> Findings {
        let mut examiner = Self::new(kind);
        examiner.feed(bytes);
        examiner.finish()
    }

    /// Takes the next piece.
    pub fn feed(&mut self, mut piece: &[u8]) {
        let Some(&last) = piece.last() else { return };
        self.size_bytes += piece.len() as u64;
        if self.pending_cr {
            self.pending_cr = false;
            if piece[0] == b'\n' {
                self.same(b"\r\n");
                piece = &piece[1..];
            } else {
                self.bare_cr = true;
                self.differs(b"\r", b"\r\n");
            }
        }
        let mut from = 0; // start of what has not been hashed yet
        for at in memchr::memchr3_iter(b'\r', b'\n', 0, piece) {
            match piece[at] {
                0 => self.nul = true,
                b'\r' if at + 1 == piece.len() => {
                    self.same(&piece[from..at]);
                    self.pending_cr = true;
                    from = at + 1;
                }
                b'\r' if piece[at + 1] != b'\n' => {
                    self.bare_cr = true;
                    self.same(&piece[from..at]);
                    self.differs(b"\r", b"\r\n");
                    from = at + 1;
                }
                b'\n' if at == 0 || piece[at - 1] != b'\r' => {
                    self.bare_lf = true;
                    self.same(&piece[from..at]);
                    self.differs(b"\n", b"\r\n");
                    from = at + 1;
                }
                b'\n' if self.header.is_some() => {
                    // Hash line by line while in the header, so that its end is seen where it is.
                    self.same(&piece[from..=at]);
                    from = at + 1;
                }
                _ => {}
            }
        }
        self.same(&piece[from..]);
        self.last = last;
    }

    /// What was found.
    pub fn finish(mut self) -> Findings {
        if self.pending_cr {
            self.bare_cr = true;
            self.differs(b"\r", b"\r\n");
        } else if self.last != b'\n' && self.size_bytes > 0 && self.last != b'\r' {
            self.broken_header |= self.header.is_some();
            self.differs(b"", b"\r\n");
        }
        if let Some(header) = self.header.take() {
            self.end_of_header(&header.text);
        }
        let exact = Digest::from_ring(self.exact.finish());
        let canonical = self.canonical.map_or(exact, |context| Digest::from_ring(context.finish()));
        let stripped = self.stripped.map_or(canonical, |context| Digest::from_ring(context.finish()));
        Findings {
            size_bytes: self.size_bytes,
            exact,
            canonical,
            stripped,
            hint: self.hint,
            nul: self.nul,
            bare_cr: self.bare_cr,
            bare_lf: self.bare_lf,
            eight_bit_header: self.eight_bit_header,
            broken_header: self.broken_header,
        }
    }

    /// Bytes that are the same in every form.
    fn same(&mut self, bytes: &[u8]) {
        self.exact.update(bytes);
        if let Some(canonical) = &mut self.canonical {
            canonical.update(bytes);
        }
        self.canonical_bytes(bytes);
    }

    /// Bytes that the canonical form writes otherwise.
    fn differs(&mut self, exact: &[u8], canonical: &[u8]) {
        self.canonical.get_or_insert_with(|| self.exact.clone()).update(canonical);
        self.exact.update(exact);
        self.canonical_bytes(canonical);
    }

    /// What comes in the canonical form, for the stripped one: header fields are kept until the header ends.
    fn canonical_bytes(&mut self, bytes: &[u8]) {
        let Some(header) = &mut self.header else {
            if let Some(stripped) = &mut self.stripped {
                stripped.update(bytes);
            }
            return;
        };
        // Cut at the limit to the byte, so that the size of the pieces makes no difference.
        let (bytes, beyond) = bytes.split_at(bytes.len().min(HEADER_BYTES_MAX - header.text.len()));
        header.text.extend_from_slice(bytes);
        self.eight_bit_header |= !bytes.is_ascii();
        let line = &header.text[header.line_start..];
        if line.ends_with(b"\r\n") && line != b"\r\n" {
            self.broken_header |= !is_field(line);
        }
        if line == b"\r\n" || header.text.len() == HEADER_BYTES_MAX {
            let text = std::mem::take(&mut header.text);
            self.header = None;
            self.end_of_header(&text);
        } else if line.ends_with(b"\r\n") {
            header.line_start = header.text.len();
        }
        if !beyond.is_empty() {
            self.canonical_bytes(beyond);
        }
    }

    /// The header is whole: find the hint; if tools left fields, fork the stripped form.
    fn end_of_header(&mut self, text: &[u8]) {
        let (mut id, mut from, mut date) = (None, None, None);
        let mut kept = Vec::new();
        let mut dropped = false;
        for field in fields(text) {
            let (name, value) = split_field(field);
            if is_left_by_a_tool(name, value) {
                dropped = true;
                continue;
            }
            kept.extend_from_slice(field);
            let slot = match name.to_ascii_lowercase().as_slice() {
                b"message-id" => &mut id,
                b"from" => &mut from,
                b"date" => &mut date,
                _ => continue,
            };
            slot.get_or_insert_with(|| value.trim_ascii().to_vec());
        }
        self.hint = match (id, from, date) {
            (Some(id), _, _) if !id.is_empty() => Some(short_digest(b"id", &id)),
            (_, Some(from), Some(date)) => Some(short_digest(b"fd", &[from, date].join(&b'\n'))),
            _ => None,
        };
        if dropped {
            let mut stripped = Context::new(&SHA256);
            stripped.update(&kept);
            self.stripped = Some(stripped);
        }
    }
}

/// Header fields with their continuation lines; the empty line that ends the header counts as one.
fn fields(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = header;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0;
        loop {
            end += memchr::memchr(b'\n', &rest[end..]).map_or(rest.len() - end, |at| at + 1);
            if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (field, after) = rest.split_at(end);
        rest = after;
        Some(field)
    })
}

/// Is the line a header field, its continuation, or the line that mbox puts before a message?
fn is_field(line: &[u8]) -> bool {
    let name = &line[..memchr::memchr(b':', line).unwrap_or(line.len())];
    let is_continuation = matches!(line.first(), Some(b' ' | b'\t'));
    is_continuation || line.starts_with(b"From ") || (!name.is_empty() && name.iter().all(|byte| *byte > b' '))
}

fn split_field(field: &[u8]) -> (&[u8], &[u8]) {
    memchr::memchr(b':', field).map_or((field, &[]), |at| (field[..at].trim_ascii_end(), &field[at + 1..]))
}

fn is_left_by_a_tool(name: &[u8], value: &[u8]) -> bool {
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    is("X-TUID")
        || is("X-OfflineIMAP")
        || (is("Message-ID") && {
            let id = value.trim_ascii();
            id.ends_with(b"@imapsync") || id.ends_with(b"@imapsync>")
        })
}

fn short_digest(domain: &[u8], text: &[u8]) -> u64 {
    let mut context = Context::new(&SHA256);
    context.update(domain);
    context.update(text);
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&context.finish().as_ref()[..8]);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examine(bytes: &[u8]) -> Findings {
        Examiner::examine(ItemKind::Message, bytes)
    }

    /// The definition itself, written the slow way.
    fn canonical_by_definition(bytes: &[u8]) -> Vec<u8> {
        let text: Vec<u8> = bytes.to_vec();
        let mut out = Vec::new();
        let mut i = 0;
        while i < text.len() {
            match text[i] {
                b'\r' => {
                    out.extend_from_slice(b"\r\n");
                    i += if text.get(i + 1) == Some(&b'\n') { 2 } else { 1 };
                }
                b'\n' => {
                    out.extend_from_slice(b"\r\n");
                    i += 1;
                }
                other => {
                    out.push(other);
                    i += 1;
                }
            }
        }
        if !out.is_empty() && !out.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n");
        }
        out
    }

    const SAMPLES: [&[u8]; 14] = [
        b"",
        b"\r\n",
        b"\n",
        b"\r",
        b"A: b\r\n\r\nbody\r\n",
        b"A: b\r\n\r\nbody",
        b"A: b\n\nbody\n",
        b"A: b\r\r\n\r\nbo\rdy\r\n",
        b"A: b\r\n\r\nbo\ndy\r\n\r\n\r\n",
        b"no header at all",
        b"A: b\r\n\r\nends in cr\r",
        b"A: b\r\n\r\nnul \0 here\r\n",
        b"\r\n\r\nA: b\r\n",
        b"X-TUID: abc\r\nSubject: a\n b\r\n\r\nx\r",
    ];

    #[test]
    fn digests_are_those_of_the_definition() {
        for sample in SAMPLES {
            let found = examine(sample);
            assert_eq!(found.exact, Digest::of(sample));
            assert_eq!(found.canonical, Digest::of(&canonical_by_definition(sample)), "{sample:?}");
            assert_eq!(found.size_bytes, sample.len() as u64);
        }
    }

    #[test]
    fn pieces_of_any_size_find_the_same() {
        for sample in SAMPLES {
            let whole = examine(sample);
            for size in 1..=sample.len().max(1) {
                let mut examiner = Examiner::new(ItemKind::Message);
                sample.chunks(size).for_each(|piece| examiner.feed(piece));
                assert_eq!(examiner.finish(), whole, "{sample:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn what_a_target_may_refuse_is_found() {
        let traits = |bytes: &[u8]| {
            let found = examine(bytes);
            (found.nul, found.bare_cr, found.bare_lf)
        };
        assert_eq!(traits(b"A: b\r\n\r\nbody\r\n"), (false, false, false));
        assert_eq!(traits(b"A: b\r\n\r\nbo\0dy\r\n"), (true, false, false));
        assert_eq!(traits(b"A: b\r\n\r\nbo\rdy\r\n"), (false, true, false));
        assert_eq!(traits(b"A: b\r\n\r\nbo\ndy\r\n"), (false, false, true));
        assert_eq!(traits(b"A: b\r\r\n"), (false, true, false));
        assert_eq!(traits(b"\r"), (false, true, false));
    }

    #[test]
    fn a_header_longer_than_the_limit_is_cut_at_the_same_byte_whatever_the_pieces() {
        let mut message = b"Message-ID: <a@x>\r\nX-TUID: 1\r\nSubject: ".to_vec();
        message.resize(HEADER_BYTES_MAX + 5_000, b'a');
        message.extend_from_slice(b"\xe9\r\nX-TUID: 2\r\nno field\r\n\r\nbody\r\n");
        let whole = examine(&message);
        assert!(!whole.eight_bit_header && !whole.broken_header);
        for size in [1, 7, 4096, 65_536] {
            let mut examiner = Examiner::new(ItemKind::Message);
            message.chunks(size).for_each(|piece| examiner.feed(piece));
            assert_eq!(examiner.finish(), whole, "in pieces of {size}");
        }
    }

    #[test]
    fn headers_that_some_servers_refuse_or_change_are_found() {
        let header = |bytes: &[u8]| {
            let found = examine(bytes);
            (found.eight_bit_header, found.broken_header)
        };
        assert_eq!(header(b"A: b\r\n c\r\nFrom me\r\n\r\n\xff no colon\r\n"), (false, false));
        assert_eq!(header(b"A: \xe9\r\n\r\n"), (true, false));
        for broken in [
            &b"A: without a line end"[..],
            b"no colon\r\n\r\n",
            b"A : b\r\n\r\n",
            b": b\r\n\r\n",
            b"A: b\r\nstray\r\n\r\n",
        ] {
            assert_eq!(header(broken), (false, true), "{}", String::from_utf8_lossy(broken));
        }
        assert_eq!(header(b"\r\nno header at all\r\n"), (false, false));
    }

    #[test]
    fn fields_that_tools_add_are_left_out_of_the_stripped_form() {
        let plain = examine(b"Subject: a\r\nFrom: x\r\n\r\nbody\r\n");
        for with_tool in [
            &b"X-TUID: Zx9\r\nSubject: a\r\nFrom: x\r\n\r\nbody\r\n"[..],
            b"Subject: a\r\nFrom: x\r\nX-OfflineIMAP: 123-456\r\n folded\r\n\r\nbody\r\n",
            b"Subject: a\r\nMessage-Id: <12@imapsync>\r\nFrom: x\r\n\r\nbody\r\n",
            b"Subject: a\nX-TUID: q\nFrom: x\n\nbody",
        ] {
            let found = examine(with_tool);
            assert_eq!(found.stripped, plain.stripped, "{}", String::from_utf8_lossy(with_tool));
            assert_ne!(found.exact, plain.exact);
        }
        assert_eq!(plain.stripped, plain.exact);
    }

    #[test]
    fn hint_is_the_message_id_or_else_from_and_date() {
        let hint = |bytes: &[u8]| examine(bytes).hint;
        assert_eq!(hint(b"Message-ID: <a@b>\r\n\r\nx"), hint(b"From: y\r\nmessage-id:  <a@b> \r\n\r\nother"));
        assert_ne!(hint(b"Message-ID: <a@b>\r\n\r\n"), hint(b"Message-ID: <c@b>\r\n\r\n"));
        assert!(hint(b"From: y\r\nDate: z\r\n\r\n").is_some());
        assert_eq!(hint(b"From: y\r\n\r\n"), None);
        assert_eq!(hint(b"Subject: y\r\n"), None);
    }

    #[test]
    fn an_endless_header_costs_bounded_memory() {
        let mut examiner = Examiner::new(ItemKind::Message);
        let line = [b"X-Long: ", [b'a'; 1000].as_slice(), b"\r\n"].concat();
        for _ in 0..1000 {
            examiner.feed(&line);
        }
        assert!(examiner.header.is_none());
        assert_eq!(examiner.finish().exact, Digest::of(&line.repeat(1000)));
    }
}
