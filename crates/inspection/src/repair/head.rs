//! The header of the whole message, which is what servers look at: lines that are no header fields, and bytes above 127.
//! It is held in memory; the rest of the message follows it as it was.

use std::fmt;
use std::io::{self, Write};

use super::known::{is_field, last_telling, may_be_text, spaced_name, with_unknown};
use super::look::charset_of_text;
use super::scan::Filter;
use super::{Found, How, Line, RepairRule, Repairs, WhyNot, empty_line, field, lines};
use crate::decode::Encoding;
use crate::read::{Lines, ReadAt, bytes};
use crate::rules::Limits;
use crate::walk::content_of;

/// A header longer than this is not held: what it would need is told to be impossible.
pub(super) const HEADER_BYTES_MAX: u64 = 256 << 10;
/// A message with another header.
pub(super) struct Spliced<'a> {
    message: &'a dyn ReadAt,
    head: &'a [u8],
    rest_at: u64,
}

impl<'a> Spliced<'a> {
    pub(super) fn new(message: &'a dyn ReadAt, head: &'a Head) -> Self {
        Self { message, head: &head.text, rest_at: head.rest_at }
    }
}

impl ReadAt for Spliced<'_> {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let head = self.head.len() as u64;
        if at < head { self.head.read_at(at, into) } else { self.message.read_at(self.rest_at + (at - head), into) }
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.head.len() as u64 + self.message.size_bytes()?.saturating_sub(self.rest_at))
    }
}

/// A header, and where what follows it begins in the message: its empty line.
#[derive(Default)]
pub(super) struct Head {
    pub(super) text: Vec<u8>,
    pub(super) rest_at: u64,
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Head({} bytes for {})", self.text.len(), self.rest_at)
    }
}

/// Repairs the header as far as is wanted.
pub(super) fn repair(
    message: &dyn ReadAt,
    wanted: &Repairs,
    end: &'static str,
    limits: &Limits,
    found: &mut Found,
) -> io::Result<Head> {
    let is_wanted = wanted.eight_bit_header || wanted.broken_header;
    let Some(rest_at) = header_end(message, wanted)? else {
        if is_wanted {
            let begin = bytes(message, 0, HEADER_BYTES_MAX as usize)?;
            for (rule, is_so) in [
                (RepairRule::EightBitHeader, wanted.eight_bit_header && !begin.is_ascii()),
                (RepairRule::BrokenHeader, wanted.broken_header && lines(&begin).any(|line| !is_field(line.text))),
            ] {
                if is_so {
                    found.impossible(rule, 0, "", WhyNot::LongHeader);
                }
            }
        }
        return Ok(Head::default());
    };
    let raw = bytes(message, 0, rest_at as usize)?;
    let mut text = Vec::with_capacity(raw.len());
    let mut filter = Filter::new(&mut text, wanted);
    filter.write_all(&raw)?;
    filter.finish()?;
    // Lines stay lines, so a line's number tells its place in what was there.
    let place = |number: usize| {
        let mut at = 0;
        for (index, line) in joined_lines(&raw, wanted).enumerate() {
            if index == number {
                break;
            }
            at += line as u64;
        }
        at
    };
    let has_end = rest_at < message.size_bytes()?;
    let (mended, rule) = if wanted.broken_header {
        let is_broken = lines(&text).any(|line| !is_field(line.text) || line.end.is_empty());
        (is_broken.then(|| Mended::of(&text, end, has_end, limits, false)), RepairRule::BrokenHeader)
    } else {
        let is_wanted = wanted.eight_bit_header && !text.is_ascii();
        (is_wanted.then(|| Mended::of(&text, end, has_end, limits, true)), RepairRule::EightBitHeader)
    };
    let mut head_len = text.len();
    if let Some(mended) = mended {
        for (how, count, first) in mended.done {
            found.done(rule, how, count, place(first), "");
        }
        (text, head_len) = (mended.text, mended.head_len);
    }
    let mut head = Head { text, rest_at };
    if wanted.eight_bit_header && !head.text[..head_len].is_ascii() {
        let charset = charset(message, &head, head_len, wanted, limits)?;
        match encode(&head.text[..head_len], end, charset.as_deref()) {
            Ok((mut encoded, count, first)) => {
                found.done(RepairRule::EightBitHeader, How::EncodedWords, count, place(first), "");
                encoded.extend_from_slice(&head.text[head_len..]);
                head.text = encoded;
            }
            Err((why, first)) => found.impossible(RepairRule::EightBitHeader, place(first), "", why),
        }
    }
    found.scan_of_head(&raw, wanted)?;
    Ok(head)
}

/// How long each line is, with its line end.
fn joined_lines(raw: &[u8], wanted: &Repairs) -> impl Iterator<Item = usize> {
    let mut at = 0;
    let joins = wanted.bare_cr;
    std::iter::from_fn(move || {
        let rest = raw.get(at..).filter(|rest| !rest.is_empty())?;
        let text = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let crs = rest[text..].iter().take_while(|byte| **byte == b'\r').count();
        let len = match (crs, rest.get(text + crs)) {
            (0 | 1, Some(b'\n')) => text + crs + 1,
            (_, Some(b'\n')) if joins => text + crs + 1,
            _ => (text + 1).min(rest.len()),
        };
        at += len;
        Some(len)
    })
}

/// Where the header ends, before the empty line; none where it is too long to be held.
fn header_end(message: &dyn ReadAt, wanted: &Repairs) -> io::Result<Option<u64>> {
    let mut lines = if wanted.bare_cr { Lines::joining_crs(message, 0) } else { Lines::new(message, 0) };
    let mut end = 0;
    while let Some(line) = lines.next(1)? {
        if lines.text().is_empty() {
            break;
        }
        end = line.end;
        if end > HEADER_BYTES_MAX {
            return Ok(None);
        }
    }
    Ok(Some(end))
}

/// A header in which each line is one.
struct Mended {
    text: Vec<u8>,
    /// How much of the text is header; the rest is the text of the message.
    head_len: usize,
    /// What was done, how often, in which line first.
    done: Vec<(How, u64, usize)>,
}

impl Mended {
    /// `is_eight_bit`: only what holds bytes above 127 counts.
    fn of(text: &[u8], end: &'static str, has_end: bool, limits: &Limits, is_eight_bit: bool) -> Self {
        let counts = |line: &Line<'_>| !is_eight_bit || !line.text.is_ascii();
        let begin =
            text_begin(text, has_end, limits).filter(|begin| lines(text).skip(*begin).any(|line| counts(&line)));
        let mut mended = Self { text: Vec::with_capacity(text.len()), head_len: 0, done: Vec::new() };
        let mut head_len = None;
        for (number, line) in lines(text).enumerate() {
            if begin == Some(number) {
                head_len = Some(mended.text.len());
                mended.add(How::EmptyLine, number);
                mended.text.extend_from_slice(empty_line(&mended.text, end).as_bytes());
            }
            if head_len.is_some() || is_field(line.text) || !counts(&line) {
                mended.text.extend_from_slice(line.text);
            } else if let Some(name) = spaced_name(line.text) {
                mended.text.extend_from_slice(name);
                mended.text.extend_from_slice(&line.text[memchr::memchr(b':', line.text).unwrap_or(0)..]);
                mended.add(How::SpaceLeftOut, number);
            } else {
                mended.text.extend_from_slice(b"X-Broken-Header: ");
                mended.text.extend_from_slice(line.text);
                mended.add(How::BrokenField, number);
            }
            mended.text.extend_from_slice(line.end);
            if line.end.is_empty() && head_len.is_none() && !is_eight_bit {
                mended.text.extend_from_slice(end.as_bytes());
                mended.add(How::LineEnded, number);
            }
        }
        mended.head_len = head_len.unwrap_or(mended.text.len());
        mended
    }

    fn add(&mut self, how: How, number: usize) {
        match self.done.iter_mut().find(|(known, _, _)| *known == how) {
            Some((_, count, _)) => *count += 1,
            None => self.done.push((how, 1, number)),
        }
    }
}

/// The line with which the message's text begins without an empty line before it. So it is where no line follows that
/// tells that the header goes on; the text may be hidden from nobody.
fn text_begin(text: &[u8], has_end: bool, limits: &Limits) -> Option<usize> {
    let first_junk = lines(text).position(|line| !is_field(line.text))?;
    let content = content_of(lines(text).take(first_junk).map(|line| line.text), limits);
    let last_telling = last_telling(text);
    let mut begins = lines(text).enumerate().filter(|(number, line)| may_be_text(line.text, *number));
    let begin = begins.find_map(|(number, line)| {
        let is_boundary = content.boundary.as_ref().is_some_and(|boundary| {
            line.text.strip_prefix(b"--").is_some_and(|rest| rest.trim_ascii_end() == boundary.as_slice())
        });
        // The line of an mbox, quoted.
        let is_quoted = number == 0 && line.text.starts_with(b">From ");
        let is_behind = last_telling.is_none_or(|last| last < number);
        let begins = is_boundary || (!is_quoted && is_behind && (!has_end || is_of(line.text, content.encoding)));
        begins.then_some(number)
    })?;
    let is_read =
        content.boundary.is_none() && matches!(content.encoding, Encoding::Identity | Encoding::QuotedPrintable);
    Some(if is_read { with_unknown(text, begin, last_telling) } else { begin })
}

/// Can the line belong to a text in this encoding? What can't would spoil it.
fn is_of(line: &[u8], encoding: Encoding) -> bool {
    /// A shorter line may be a word.
    const LINE_CHARS_MIN: usize = 40;
    match encoding {
        Encoding::Identity | Encoding::QuotedPrintable => true,
        Encoding::Base64 => {
            let line = line.trim_ascii_end();
            let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
            let is_line = line.len() >= LINE_CHARS_MIN || line.ends_with(b"=");
            line.len().is_multiple_of(4) && is_line && line.iter().all(is_base64)
        }
        Encoding::Uu => line.starts_with(b"begin "),
    }
}

/// The charset that the message names for its text.
fn charset(
    message: &dyn ReadAt,
    head: &Head,
    head_len: usize,
    wanted: &Repairs,
    limits: &Limits,
) -> io::Result<Option<String>> {
    let text = &head.text[..head_len];
    let content = content_of(lines(text).map(|line| line.text), limits);
    if content.charset.is_some() || content.boundary.is_none() || std::str::from_utf8(text).is_ok() {
        return Ok(content.charset);
    }
    charset_of_text(message, head, wanted, limits)
}

/// The header with all its fields in ASCII; how many there were, and the line of the first. Or why not, and where.
fn encode(text: &[u8], end: &'static str, declared: Option<&str>) -> Result<(Vec<u8>, u64, usize), (WhyNot, usize)> {
    let (mut out, mut count, mut first) = (Vec::with_capacity(text.len() * 2), 0, 0);
    let (mut rest, mut number) = (text, 0);
    while !rest.is_empty() {
        let mut taken = 0;
        let mut value = Vec::new();
        let line_count = lines(rest)
            .enumerate()
            .take_while(|(index, line)| *index == 0 || matches!(line.text.first(), Some(b' ' | b'\t')))
            .map(|(_, line)| {
                taken += line.text.len() + line.end.len();
                value.extend_from_slice(line.text);
            })
            .count();
        let (whole, behind) = rest.split_at(taken);
        if whole.is_ascii() {
            out.extend_from_slice(whole);
        } else {
            if count == 0 {
                first = number;
            }
            count += 1;
            out.extend_from_slice(&encode_field(&value, declared, end).map_err(|why| (why, number))?);
            let ending = lines(whole).last().map_or(&b""[..], |line| line.end);
            out.extend_from_slice(ending);
        }
        rest = behind;
        number += line_count;
    }
    Ok((out, count, first))
}

fn encode_field(value: &[u8], declared: Option<&str>, end: &'static str) -> Result<Vec<u8>, WhyNot> {
    if matches!(value.first(), Some(b' ' | b'\t')) {
        // A continuation of nothing.
        return field::encode(b"", value, declared, end);
    }
    match memchr::memchr(b':', value) {
        Some(colon) if value[..colon].is_ascii() && !value.starts_with(b"From ") => {
            field::encode(&value[..=colon], &value[colon + 1..], declared, end)
        }
        _ => field::encode(b"X-Broken-Header:", &[b" ", value].concat(), declared, end),
    }
}
