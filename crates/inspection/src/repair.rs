//! Repairs that a target forces: what it would refuse in a message is written so that readers see the same.
//!
//! Each rule is made wholly or not at all: where one place can't be repaired, such as what is signed, the rule is told to
//! be impossible and nothing is changed for it. Every byte that no rule names stays what it is. The same message and the
//! same rules give the same bytes, and where nothing was impossible, repairing those again changes nothing.
//!
//! - NUL: a space, where lines of text stand. A file, or a text that says that it is `binary`, is encoded as base64
//!   instead: it keeps all its bytes. A text that is an attachment or has a name is a file here; so are texts in UTF-16 or
//!   UTF-32.
//! - Line ends: CRLF for a lone CR or LF. CRs right before an LF are one line end with it: programs that write lines in
//!   text mode leave them. A lone CR or LF in a file is one of its bytes, so the file is encoded as base64; but where the
//!   whole message has LF at its line ends, as in files of mail, so has a file in it, and they become CRLF.
//! - A file in quoted-printable with such bytes between the encoded ones is decoded, and encoded as base64. Where nobody
//!   knows how a content is decoded, nobody knows what such bytes are in it: that is impossible.
//! - Bytes above 127 are repaired in the header of the message itself. No server looks at those of its parts and of
//!   messages in it, so they stay. Their charset is the one of the message's text, if that is named and can be theirs.
//! - A line that is no header field becomes one. But where nothing behind it tells that the header goes on, it is the
//!   message's text, and an empty line comes before it, so that nobody's text is hidden ([`known`]).
//! - Long lines: header fields are folded (RFC 5322, 2.2.3), texts are encoded as quoted-printable, files as base64, and
//!   what is encoded gets shorter lines.
//!
//! What is signed within the message (S/MIME, PGP) is never changed. But the signature that a server puts on the whole of
//! it on its way (DKIM, ARC) stays in its header and does not match any more once something is repaired. Who receives a
//! message checks that when it comes; of mail that was delivered long ago nobody does, and the results of that check stay
//! in the header, too.
//!
//! A message is read as it will be: its NULs are spaces and its line ends are single ones, if these are wanted. So what is
//! banned in it is looked for in the repaired message.
//!
//! Memory is bounded: what is held is the message's header ([`head::HEADER_BYTES_MAX`]) and a few numbers for each of the
//! parts that [`Limits`] allow. The message is read once to decide, once to know the new size, and once to write.

mod encode;
mod field;
mod fold;
mod head;
mod known;
mod look;
mod plan;
mod scan;
mod words;

use std::io::{self, BufRead, BufWriter, ErrorKind, Read, Write};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use self::encode::{Base64, Base64Lines, QuotedPrintable, QuotedPrintableLines};
use self::head::{Head, Spliced};
use self::plan::{Action, Segment};
use self::scan::{Filter, Scan};
use crate::decode::Decoded;
use crate::read::{Lines, ReadAt, Slice, Stream, bytes};
use crate::rules::Limits;

/// Lines may always have so many bytes (RFC 5322, 2.1.1).
const LINE_BYTES_MIN: u32 = 78;
/// A longer limit is no limit of a header's lines that anyone has.
const LINE_BYTES_MAX: u32 = 64 * 1024;

/// Which repairs are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Repairs {
    /// NUL bytes.
    pub nul: bool,
    /// CRs that no LF follows.
    pub bare_cr: bool,
    /// LFs that no CR precedes.
    pub bare_lf: bool,
    /// Bytes above 127 in the message's header.
    pub eight_bit_header: bool,
    /// Lines in the message's header that are no header fields, and a header that does not end.
    pub broken_header: bool,
    /// Lines of more bytes than this, without their line end, which may be a lone CR or LF; it counts as at least 78 and at most 65,536.
    pub line_bytes_max: Option<u32>,
}

impl Repairs {
    /// Is nothing wanted?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn line_max(&self) -> Option<u64> {
        self.line_bytes_max.map(|max| u64::from(max.clamp(LINE_BYTES_MIN, LINE_BYTES_MAX)))
    }

    fn without(mut self, rule: RepairRule) -> Self {
        match rule {
            RepairRule::Nul => self.nul = false,
            RepairRule::BareCr => self.bare_cr = false,
            RepairRule::LineEnds => self.bare_lf = false,
            RepairRule::EightBitHeader => self.eight_bit_header = false,
            RepairRule::BrokenHeader => self.broken_header = false,
            RepairRule::LongLine => self.line_bytes_max = None,
        }
        self
    }
}

macro_rules! sentences {
    ($(#[doc = $about:literal])+ $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $code:literal;)+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[doc = $doc])+ #[serde(rename = $code)] $variant,)+ }

        impl $name {
            /// Every one.
            pub const EVERY: &[Self] = &[$(Self::$variant,)+];

            /// Its stable code.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// What it means, in a sentence or two.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

sentences! {
    /// A repair. A signature of the whole message by a server (DKIM, ARC) does not match any more after any of them.
    RepairRule {
        /// A NUL byte in text becomes a space; a file, an attached text or a binary text with one is encoded as base64 and
        /// keeps it.
        Nul = "repair-nul";
        /// A CR that no LF follows becomes a line end in text; a file, an attached text or a binary text with one is encoded
        /// as base64 and keeps it. Several CRs before an LF become one line end with it.
        BareCr = "repair-bare-cr";
        /// An LF that no CR precedes becomes a line end in text; a file, an attached text or a binary text with one is encoded
        /// as base64 and keeps it.
        LineEnds = "repair-line-ends";
        /// Bytes above 127 in the message's header are written as encoded words (RFC 2047) and encoded parameters (RFC
        /// 2231), which mail programs show as the same text.
        EightBitHeader = "repair-eight-bit-header";
        /// A line in the message's header that is no header field becomes the field X-Broken-Header; where the text begins
        /// without an empty line before it, it gets one.
        BrokenHeader = "repair-broken-header";
        /// A line that is too long is folded in a header; a text with one is encoded as quoted-printable, a file as base64.
        LongLine = "repair-long-line";
    }
}

sentences! {
    /// How something was repaired.
    How {
        /// NUL bytes became spaces.
        Space = "space";
        /// They became CRLF.
        LineEnd = "line-end";
        /// The content was encoded as base64.
        Base64 = "base64";
        /// The content was encoded as quoted-printable.
        QuotedPrintable = "quoted-printable";
        /// Encoded lines were broken into shorter ones.
        Broken = "broken";
        /// Header fields were folded.
        Folded = "folded";
        /// Header fields were written with encoded words or parameters.
        EncodedWords = "encoded-words";
        /// Lines became header fields X-Broken-Header.
        BrokenField = "broken-field";
        /// White space before a header field's colon was left out.
        SpaceLeftOut = "space-left-out";
        /// An empty line was put between the header and the text.
        EmptyLine = "empty-line";
        /// The header's last line was ended.
        LineEnded = "line-ended";
    }
}

sentences! {
    /// Why a repair can't be made.
    WhyNot {
        /// It would change something signed.
        Signed = "signed";
        /// It is in a part that may not be encoded.
        Structure = "structure";
        /// It is between parts, where nothing can be encoded.
        BetweenParts = "between-parts";
        /// It lies in parts within parts, deeper than is looked at.
        TooDeep = "too-deep";
        /// It lies behind more parts than are looked at.
        TooManyParts = "too-many-parts";
        /// The part's content transfer encoding is not known, or can't hold what is repaired.
        UnknownEncoding = "unknown-encoding";
        /// The header is too long to be rewritten.
        LongHeader = "long-header";
        /// A header line has no place at which it may be broken.
        NoPlaceToBreak = "no-place-to-break";
        /// A boundary holds such bytes: readers would not find the parts.
        Boundary = "boundary";
    }
}

/// What was done by a rule in one way. It holds nothing of what the message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Done {
    /// The rule.
    pub rule: RepairRule,
    /// How.
    pub how: How,
    /// At how many places: bytes, line ends, header fields or lines.
    pub count: u64,
    /// Where the first of them was, in bytes of the message as it was; in a header that is repaired in several ways, near
    /// it.
    pub first_byte: u64,
    /// The part that it was in (a number as in IMAP); empty for the message's header and what stands between parts.
    pub part: String,
}

/// A rule by which nothing was done, because one place can't be repaired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Impossible {
    /// The rule.
    pub rule: RepairRule,
    /// Why.
    pub why: WhyNot,
    /// Where the place is, in bytes of the message as it was.
    pub first_byte: u64,
    /// The part that it is in; empty for the message's header and what stands between parts.
    pub part: String,
}

/// A message that was repaired, as far as it can be.
#[derive(Debug)]
pub struct Repaired {
    /// Its size.
    pub size_bytes: u64,
    /// What was done; empty where all that is wanted is impossible.
    pub done: Vec<Done>,
    /// What could not be done.
    pub impossible: Vec<Impossible>,
    wanted: Repairs,
    head: Option<Head>,
    segments: Vec<Segment>,
    end: &'static str,
}

/// Repairs a message. None where there is nothing to repair.
pub fn repair(message: &dyn ReadAt, wanted: &Repairs, limits: &Limits) -> io::Result<Option<Repaired>> {
    let mut wanted = *wanted;
    let is_lf = begins_in_lf(message)?;
    let mut impossible: Vec<Impossible> = Vec::new();
    loop {
        // For lines that are new.
        let end = if is_lf && !wanted.bare_lf { "\n" } else { "\r\n" };
        let mut found = Found::default();
        let head = head::repair(message, &wanted, end, limits, &mut found)?;
        let is_same = bytes(message, 0, head.rest_at as usize)? == head.text;
        let head = (!is_same).then_some(head);
        let segments = {
            let spliced = head.as_ref().map(|head| Spliced::new(message, head));
            let view: &dyn ReadAt = spliced.as_ref().map_or(message, |spliced| spliced);
            found.shift = head.as_ref().map(|head| (head.text.len() as u64, head.rest_at));
            plan::plan(view, &wanted, (end, is_lf), limits, &mut found)?
        };
        if !found.impossible.is_empty() {
            wanted = found.impossible.iter().fold(wanted, |wanted, impossible| wanted.without(impossible.rule));
            impossible.append(&mut found.impossible);
            continue;
        }
        if found.done.is_empty() && impossible.is_empty() {
            return Ok(None);
        }
        let mut done = found.done;
        done.sort_by_key(|done| (done.rule, done.how));
        impossible.sort_by_key(|impossible| impossible.rule);
        let mut repaired = Repaired { size_bytes: 0, done, impossible, wanted, head, segments, end };
        let mut counter = Counter { count: 0 };
        repaired.write_all(message, &mut counter)?;
        repaired.size_bytes = counter.count;
        return Ok(Some(repaired));
    }
}

/// Does the message's first line end in a lone LF, as in files of mail?
fn begins_in_lf(message: &dyn ReadAt) -> io::Result<bool> {
    match Lines::new(message, 0).next(0)? {
        Some(line) if line.ending == 1 => Ok(bytes(message, line.end - 1, 1)? == b"\n"),
        _ => Ok(false),
    }
}

impl Repaired {
    /// Is nothing changed? So it is where all that is wanted is impossible.
    pub fn is_unchanged(&self) -> bool {
        self.done.is_empty()
    }

    /// Writes the repaired message. The message must be the one that was repaired.
    pub fn write(&self, message: &dyn ReadAt, out: &mut dyn Write) -> io::Result<()> {
        let mut counted = Counted { out, count: 0 };
        self.write_all(message, &mut counted)?;
        if counted.count == self.size_bytes {
            Ok(())
        } else {
            Err(io::Error::new(ErrorKind::InvalidData, "the message is not the one that was looked at"))
        }
    }

    fn write_all(&self, message: &dyn ReadAt, out: &mut dyn Write) -> io::Result<()> {
        let spliced = self.head.as_ref().map(|head| Spliced::new(message, head));
        let view: &dyn ReadAt = spliced.as_ref().map_or(message, |spliced| spliced);
        let mut out = BufWriter::with_capacity(64 * 1024, out);
        let mut at = 0;
        for segment in &self.segments {
            assert!(segment.range.start >= at, "segments are in order and don't overlap");
            self.plain(view, at..segment.range.start, &mut out)?;
            self.segment(view, segment, &mut out)?;
            at = segment.range.end;
        }
        self.plain(view, at..view.size_bytes()?.max(at), &mut out)?;
        out.flush()
    }

    fn plain(&self, view: &dyn ReadAt, range: Range<u64>, out: &mut dyn Write) -> io::Result<()> {
        let mut filter = Filter::new(out, &self.wanted);
        copy(view, range, &mut filter)?;
        filter.finish()
    }

    fn segment(&self, view: &dyn ReadAt, segment: &Segment, out: &mut dyn Write) -> io::Result<()> {
        let range = segment.range.clone();
        match segment.action {
            Action::Header(job) => {
                let header = bytes(view, range.start, (range.end - range.start) as usize)?;
                match fold::rewrite(&header, job, &self.wanted, self.end)? {
                    Ok(header) => out.write_all(&header),
                    Err(_) => Err(io::Error::new(ErrorKind::InvalidData, "a header is not as it was")),
                }
            }
            Action::Base64 { from, is_ended } => {
                let is_empty = range.is_empty();
                let encoded = Slice::new(view, range);
                let mut base64 = Base64::new(out, self.end);
                copy(&Decoded::new(&encoded, from), 0..u64::MAX, &mut base64)?;
                base64.finish()?;
                if is_ended && !is_empty { out.write_all(self.end.as_bytes()) } else { Ok(()) }
            }
            Action::QuotedPrintable => {
                let mut encoder = QuotedPrintable::new(out, self.end);
                self.plain(view, range, &mut encoder)?;
                encoder.finish()
            }
            Action::Base64Lines => self.plain(view, range, &mut Base64Lines::new(out, self.end)),
            Action::QuotedPrintableLines => {
                let mut lines = QuotedPrintableLines::new(out, self.end);
                self.plain(view, range, &mut lines)?;
                lines.finish()
            }
        }
    }
}

fn copy(from: &dyn ReadAt, range: Range<u64>, out: &mut dyn Write) -> io::Result<()> {
    let mut stream = Stream::new(from, range.start).take(range.end - range.start);
    loop {
        let piece = stream.fill_buf()?;
        if piece.is_empty() {
            return Ok(());
        }
        out.write_all(piece)?;
        let count = piece.len();
        stream.consume(count);
    }
}

struct Counter {
    count: u64,
}

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.count += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Counted<'a> {
    out: &'a mut dyn Write,
    count: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.count += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What a look at a message comes to.
#[derive(Debug, Default)]
struct Found {
    done: Vec<Done>,
    impossible: Vec<Impossible>,
    /// The size of a new header, and where what follows it was.
    shift: Option<(u64, u64)>,
}

impl Found {
    fn done(&mut self, rule: RepairRule, how: How, count: u64, at: u64, part: &str) {
        if count == 0 {
            return;
        }
        match self.done.iter_mut().find(|done| done.rule == rule && done.how == how) {
            Some(done) => done.count += count,
            None => {
                let first_byte = self.place(at);
                self.done.push(Done { rule, how, count, first_byte, part: part.to_owned() });
            }
        }
    }

    fn impossible(&mut self, rule: RepairRule, at: u64, part: &str, why: WhyNot) {
        if !self.impossible.iter().any(|known| known.rule == rule) {
            let first_byte = self.place(at);
            self.impossible.push(Impossible { rule, why, first_byte, part: part.to_owned() });
        }
    }

    fn place(&self, at: u64) -> u64 {
        match self.shift {
            Some((head, rest_at)) if at >= head => at - head + rest_at,
            Some((_, rest_at)) => at.min(rest_at.saturating_sub(1)),
            None => at,
        }
    }

    /// What is found in the header's bytes before they are anything else.
    fn scan_of_head(&mut self, raw: &[u8], wanted: &Repairs) -> io::Result<()> {
        let scan = Scan::of(&raw, &(0..raw.len() as u64), wanted)?;
        self.done(RepairRule::Nul, How::Space, scan.nul.count, scan.nul.first, "");
        self.done(RepairRule::BareCr, How::LineEnd, scan.cr.count, scan.cr.first, "");
        self.done(RepairRule::LineEnds, How::LineEnd, scan.lf.count, scan.lf.first, "");
        Ok(())
    }
}

/// A line of a header with its end: CRLF, a lone CR or a lone LF, or none.
struct Line<'a> {
    text: &'a [u8],
    end: &'a [u8],
}

fn lines(header: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut rest = header;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let at = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let end = match &rest[at..] {
            [b'\r', b'\n', ..] => 2,
            [] => 0,
            _ => 1,
        };
        let line = Line { text: &rest[..at], end: &rest[at..at + end] };
        rest = &rest[at + end..];
        Some(line)
    })
}

/// What makes an empty line behind this: an LF behind a lone CR would only belong to it.
fn empty_line(before: &[u8], end: &'static str) -> &'static str {
    if before.last() == Some(&b'\r') { "\r\n" } else { end }
}
