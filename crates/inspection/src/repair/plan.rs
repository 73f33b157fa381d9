//! What becomes of each header and each content of a message: decided in a walk through it.

use std::io;
use std::ops::Range;

use super::fold::{Job, rewrite};
use super::head::HEADER_BYTES_MAX;
use super::scan::Scan;
use super::{Found, How, RepairRule, Repairs, WhyNot};
use crate::decode::{Decoded, Encoding};
use crate::header::Content;
use crate::read::{Lines, ReadAt, Slice, bytes};
use crate::rules::{Limits, Seal, Unseen};
use crate::walk::{Holds, Part, Visitor, walk_lines};

/// A range that takes more than other line ends and spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) range: Range<u64>,
    pub(super) action: Action,
}

/// What a range becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Header(Job),
    /// Its bytes, out of the encoding they are in, in base64; with a line end behind them.
    Base64 {
        from: Encoding,
        is_ended: bool,
    },
    QuotedPrintable,
    Base64Lines,
    QuotedPrintableLines,
}

/// Decides; the segments are in order.
pub(super) fn plan(
    message: &dyn ReadAt,
    wanted: &Repairs,
    (end, is_lf): (&'static str, bool),
    limits: &Limits,
    found: &mut Found,
) -> io::Result<Vec<Segment>> {
    let size = message.size_bytes()?;
    let spaced = Spaced { message };
    let view: &dyn ReadAt = if wanted.nul { &spaced } else { message };
    let lines = if wanted.bare_cr { Lines::joining_crs(view, 0) } else { Lines::new(view, 0) };
    let mut planner = Planner {
        message,
        wanted,
        end,
        is_lf,
        size,
        found,
        segments: Vec::new(),
        open: Vec::new(),
        at: 0,
        is_deep: false,
        is_cut: false,
    };
    walk_lines(view, lines, limits, &mut planner)?;
    planner.rest()?;
    Ok(planner.segments)
}

/// A message with its NULs read as spaces: as it is to be, so that headers and boundaries are seen as they will be.
pub(super) struct Spaced<'a> {
    pub(super) message: &'a dyn ReadAt,
}

impl ReadAt for Spaced<'_> {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let count = self.message.read_at(at, into)?;
        let mut done = 0;
        while let Some(nul) = memchr::memchr(0, &into[done..count]) {
            done += nul;
            let run = into[done..count].iter().take_while(|byte| **byte == 0).count();
            into[done..done + run].fill(b' ');
            done += run;
        }
        Ok(count)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        self.message.size_bytes()
    }
}

struct Planner<'a> {
    message: &'a dyn ReadAt,
    wanted: &'a Repairs,
    end: &'static str,
    /// The message's own lines ended in LF, before its header was repaired.
    is_lf: bool,
    size: u64,
    found: &'a mut Found,
    segments: Vec<Segment>,
    open: Vec<Open>,
    /// Up to here everything is decided.
    at: u64,
    /// The part that is opened next lies deeper than is looked at.
    is_deep: bool,
    /// There are more parts than are looked at.
    is_cut: bool,
}

/// A header and what it heads, whose end is not known yet.
struct Open {
    number: String,
    header: Range<u64>,
    body_at: u64,
    is_top: bool,
    holds: Holds,
    sort: Sort,
    encoding: Encoding,
    is_unknown: bool,
    /// It has no lines.
    is_binary: bool,
    is_crlf: bool,
    has_long_header: bool,
    /// It is the signed part of a multipart/signed, or in one.
    is_signed: bool,
    /// Its first part is a signed one.
    signs_next: bool,
}

/// What a content is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    /// Lines of text.
    Text,
    /// A text that is a file: each of its bytes counts, too.
    TextFile,
    /// A file: each of its bytes counts.
    File,
    /// Something that may not be encoded (RFC 2045, 6.4).
    Structure,
    /// Parts too deep to be looked at.
    Deep,
    UnknownEncoding,
}

impl Sort {
    fn of(content: &Content, is_deep: bool) -> Self {
        let mime = content.mime.as_str();
        match mime.split('/').next().unwrap_or_default() {
            _ if is_deep => Self::Deep,
            _ if content.is_unknown_encoding => Self::UnknownEncoding,
            "multipart" | "message" => Self::Structure,
            "text" if is_wide(content) => Self::File,
            "text" if content.is_file() || content.is_binary => Self::TextFile,
            "text" => Self::Text,
            _ if matches!(mime, "application/pgp-signature" | "application/pgp-encrypted" | "application/pgp-keys") => {
                Self::Text
            }
            _ => Self::File,
        }
    }
}

/// Does its charset have NULs in each character?
fn is_wide(content: &Content) -> bool {
    let charset = content.charset.as_deref().unwrap_or_default().to_ascii_lowercase();
    ["utf-16", "utf-32", "ucs-2", "ucs-4", "iso-10646-ucs"].iter().any(|wide| charset.starts_with(wide))
}

impl Visitor for Planner<'_> {
    fn part(&mut self, _: &dyn ReadAt, _: &Part) -> io::Result<()> {
        Ok(())
    }

    fn seal(&mut self, _: &Part, _: Seal) {}

    fn unseen(&mut self, part: Option<&Part>, what: Unseen) {
        self.is_deep |= part.is_some() && what == Unseen::TooDeep;
        self.is_cut |= what == Unseen::TooManyParts;
    }

    fn opened(&mut self, part: &Part, holds: Holds) -> io::Result<()> {
        let header = part.place.header.clone();
        let outer = self.open.last_mut();
        let is_within = outer.as_ref().is_some_and(|outer| outer.is_signed);
        let is_signed = is_within || outer.is_some_and(|outer| std::mem::take(&mut outer.signs_next));
        self.between(header.start)?;
        let scan = Scan::of(self.message, &header, self.wanted)?;
        let has_long_header = scan.long.count > 0;
        self.at = header.end;
        if is_signed {
            self.impossible(&scan, &part.number, WhyNot::Signed);
        } else {
            self.plain(&scan, &part.number);
        }
        let open = Open {
            number: part.number.clone(),
            header,
            body_at: part.place.body.start,
            is_top: part.place.is_top,
            holds,
            sort: Sort::of(&part.content, std::mem::take(&mut self.is_deep)),
            encoding: part.content.encoding,
            is_unknown: part.content.is_unknown_encoding,
            is_binary: part.content.is_binary || is_wide(&part.content),
            is_crlf: part.place.is_crlf && !(self.is_lf && part.place.header.start == 0),
            has_long_header: has_long_header && !is_signed,
            is_signed,
            signs_next: holds == Holds::Parts && part.content.mime == "multipart/signed",
        };
        if has_long_header && !is_signed {
            self.found.done(RepairRule::LongLine, How::Folded, scan.long.count, scan.long.first, &part.number);
        }
        if holds != Holds::Content {
            self.header(&open, None)?;
        }
        self.open.push(open);
        Ok(())
    }

    fn closed(&mut self, end: u64) -> io::Result<()> {
        let Some(open) = self.open.last() else { return Ok(()) };
        let is_content = open.holds == Holds::Content;
        self.between(if is_content { open.body_at } else { end })?;
        match self.open.pop() {
            Some(open) if is_content => self.content(&open, end),
            _ => Ok(()),
        }
    }
}

impl Planner<'_> {
    /// What is left behind everything that was looked at.
    fn rest(&mut self) -> io::Result<()> {
        if self.is_cut {
            let scan = Scan::of(self.message, &(self.at..self.size), self.wanted)?;
            self.impossible(&scan, "", WhyNot::TooManyParts);
            self.at = self.size;
        }
        self.between(self.size)
    }

    /// What stands between parts, up to here: nobody is shown it.
    fn between(&mut self, end: u64) -> io::Result<()> {
        if end <= self.at {
            return Ok(());
        }
        let scan = Scan::of(self.message, &(self.at..end), self.wanted)?;
        self.at = end;
        if self.open.iter().any(|open| open.is_signed) {
            self.impossible(&scan, "", WhyNot::Signed);
        } else {
            self.plain(&scan, "");
            self.long_impossible(&scan, "", WhyNot::BetweenParts);
        }
        Ok(())
    }

    /// Other line ends and spaces are enough.
    fn plain(&mut self, scan: &Scan, part: &str) {
        for (rule, how, count) in [
            (RepairRule::Nul, How::Space, scan.nul),
            (RepairRule::BareCr, How::LineEnd, scan.cr),
            (RepairRule::LineEnds, How::LineEnd, scan.lf),
        ] {
            self.found.done(rule, how, count.count, count.first, part);
        }
    }

    /// All that is found goes with the encoding.
    fn encoded(&mut self, scan: &Scan, how: How, part: &str) {
        for (rule, count) in [
            (RepairRule::Nul, scan.nul),
            (RepairRule::BareCr, scan.cr),
            (RepairRule::LineEnds, scan.lf),
            (RepairRule::LongLine, scan.long),
        ] {
            self.found.done(rule, how, count.count, count.first, part);
        }
    }

    fn impossible(&mut self, scan: &Scan, part: &str, why: WhyNot) {
        self.bytes_impossible(scan, part, why);
        self.long_impossible(scan, part, why);
    }

    fn bytes_impossible(&mut self, scan: &Scan, part: &str, why: WhyNot) {
        for (rule, count) in
            [(RepairRule::Nul, scan.nul), (RepairRule::BareCr, scan.cr), (RepairRule::LineEnds, scan.lf)]
        {
            if count.count > 0 {
                self.found.impossible(rule, count.first, part, why);
            }
        }
    }

    fn long_impossible(&mut self, scan: &Scan, part: &str, why: WhyNot) {
        if scan.long.count > 0 {
            self.found.impossible(RepairRule::LongLine, scan.long.first, part, why);
        }
    }

    /// Decides about a content.
    fn content(&mut self, open: &Open, end: u64) -> io::Result<()> {
        let range = open.body_at..end.max(open.body_at);
        let scan = Scan::of(self.message, &range, self.wanted)?;
        self.at = range.end;
        let number = open.number.as_str();
        let is_identity = open.encoding == Encoding::Identity && !open.is_unknown;
        if open.is_signed {
            self.impossible(&scan, number, WhyNot::Signed);
            return Ok(());
        }
        let is_quoted = open.encoding == Encoding::QuotedPrintable;
        let is_long = scan.long.count > 0;
        let is_utf16 = open.sort == Sort::Text && is_identity && scan.has_bytes() && self.begins_wide(&range)?;
        let sort = if is_utf16 { Sort::TextFile } else { open.sort };
        // Where the message's own lines end in LF, so do those of its files.
        let is_odd = scan.nul.count + scan.cr.count > 0 || scan.has_crlf || open.is_crlf || open.is_binary || is_utf16;
        let to_base64 = match sort {
            Sort::File if is_identity && is_long => true,
            Sort::File | Sort::TextFile => (is_identity || is_quoted) && scan.has_bytes() && is_odd,
            _ => false,
        };
        let is_text = matches!(sort, Sort::Text | Sort::TextFile);
        let is_kept = sort == Sort::Deep || (sort == Sort::UnknownEncoding && is_odd);
        match sort {
            Sort::Deep => self.impossible(&scan, number, WhyNot::TooDeep),
            Sort::UnknownEncoding if is_odd => self.impossible(&scan, number, WhyNot::UnknownEncoding),
            Sort::UnknownEncoding => self.long_impossible(&scan, number, WhyNot::UnknownEncoding),
            Sort::Structure if is_identity => self.long_impossible(&scan, number, WhyNot::Structure),
            _ if open.encoding == Encoding::Uu && scan.nul.count > 0 => {
                self.found.impossible(RepairRule::Nul, scan.nul.first, number, WhyNot::UnknownEncoding);
            }
            _ if is_text && !to_base64 && scan.has_bytes() && self.is_pgp_signed(&scan, &range, open.encoding)? => {
                self.bytes_impossible(&scan, number, WhyNot::Signed);
            }
            _ => {}
        }
        let change = match (sort, open.encoding) {
            (Sort::Deep | Sort::UnknownEncoding, _) => None,
            (_, from) if to_base64 => {
                Some((Action::Base64 { from, is_ended: range.end == self.size }, Some("base64"), How::Base64))
            }
            (Sort::Text | Sort::TextFile, _) if is_long && is_identity => {
                Some((Action::QuotedPrintable, Some("quoted-printable"), How::QuotedPrintable))
            }
            (_, Encoding::Base64) if is_long => Some((Action::Base64Lines, None, How::Broken)),
            (_, Encoding::QuotedPrintable) if is_long => Some((Action::QuotedPrintableLines, None, How::Broken)),
            (_, Encoding::Uu) if is_long => {
                self.long_impossible(&scan, number, WhyNot::UnknownEncoding);
                None
            }
            _ => None,
        };
        let Some((action, encoding, how)) = change else {
            if !is_kept {
                self.plain(&scan, number);
            }
            return self.header(open, None);
        };
        if to_base64 {
            self.encoded(&scan, how, number);
        } else {
            self.plain(&scan, number);
            self.found.done(RepairRule::LongLine, how, scan.long.count, scan.long.first, number);
        }
        match self.header_as(open, encoding)? {
            None => {}
            // Only the folding is to blame: without it the header may be rewritten.
            Some(WhyNot::NoPlaceToBreak) if open.has_long_header => {}
            Some(why) => self.impossible(&scan, number, why),
        }
        self.segments.push(Segment { range, action });
        Ok(())
    }

    /// Does it begin as UTF-16 does?
    fn begins_wide(&self, range: &Range<u64>) -> io::Result<bool> {
        let begin = bytes(&Slice::new(self.message, range.clone()), 0, 2)?;
        Ok(matches!(begin.as_slice(), [0xff, 0xfe] | [0xfe, 0xff]))
    }

    /// Is its text signed within its lines?
    fn is_pgp_signed(&self, scan: &Scan, range: &Range<u64>, encoding: Encoding) -> io::Result<bool> {
        if encoding != Encoding::QuotedPrintable {
            return Ok(scan.is_pgp_signed && encoding == Encoding::Identity);
        }
        let encoded = Slice::new(self.message, range.clone());
        Ok(Scan::of(&Decoded::new(&encoded, encoding), &(0..u64::MAX), self.wanted)?.is_pgp_signed)
    }

    fn header(&mut self, open: &Open, encoding: Option<&'static str>) -> io::Result<()> {
        self.header_as(open, encoding).map(|_| ())
    }

    /// Plans a header; tells why it can't be rewritten if so.
    fn header_as(&mut self, open: &Open, encoding: Option<&'static str>) -> io::Result<Option<WhyNot>> {
        if !open.has_long_header && encoding.is_none() {
            return Ok(None);
        }
        let job = Job { encoding, is_top: open.is_top, is_unended: open.header.end == open.body_at };
        let size = open.header.end - open.header.start;
        let rewritten = if size > HEADER_BYTES_MAX {
            Err(WhyNot::LongHeader)
        } else {
            rewrite(&bytes(self.message, open.header.start, size as usize)?, job, self.wanted, self.end)?
        };
        match rewritten {
            Ok(_) => {
                self.segments.push(Segment { range: open.header.clone(), action: Action::Header(job) });
                Ok(None)
            }
            Err(why) => {
                if open.has_long_header {
                    self.found.impossible(RepairRule::LongLine, open.header.start, &open.number, why);
                }
                Ok(Some(why))
            }
        }
    }
}
