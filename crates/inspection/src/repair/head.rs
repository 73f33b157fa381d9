//! The header of the whole message, which is what servers look at: lines that are no header fields, and bytes above 127.
//! It is held in memory; the rest of the message follows it as it was.

use std::fmt;
use std::io::{self, Write};

use super::scan::Filter;
use super::{Found, How, Line, RepairRule, Repairs, WhyNot, empty_line, field, lines};
use crate::header::Content;
use crate::read::{Lines, ReadAt, bytes};
use crate::rules::Limits;
use crate::walk::content_of;

/// A header longer than this is not held: what it would need is told to be impossible.
pub(super) const HEADER_BYTES_MAX: u64 = 256 << 10;
/// Names of fields without a hyphen that tell that a header goes on.
const KNOWN: [&[u8]; 20] = [
    b"from",
    b"to",
    b"cc",
    b"bcc",
    b"subject",
    b"date",
    b"sender",
    b"received",
    b"references",
    b"status",
    b"comments",
    b"keywords",
    b"organization",
    b"importance",
    b"priority",
    b"sensitivity",
    b"precedence",
    b"newsgroups",
    b"lines",
    b"path",
];

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
    let is_eight_bit = wanted.eight_bit_header && !text.is_ascii();
    let is_junk = |line: &Line<'_>| !is_field(line.text) || line.end.is_empty();
    // Where such a line is text, only an empty line before it makes it so to everyone.
    let mends = lines(&text)
        .filter(is_junk)
        .any(|line| wanted.broken_header || (is_eight_bit && !line.text.is_ascii() && !is_field(line.text)));
    let mut head_len = text.len();
    if mends {
        let rule = if wanted.broken_header { RepairRule::BrokenHeader } else { RepairRule::EightBitHeader };
        let has_end = rest_at < message.size_bytes()?;
        let mended = Mended::of(&text, end, has_end, limits);
        for (how, count, first) in mended.done {
            found.done(rule, how, count, place(first), "");
        }
        (text, head_len) = (mended.text, mended.head_len);
    }
    if wanted.eight_bit_header && !text[..head_len].is_ascii() {
        match encode(&text[..head_len], end, limits) {
            Ok((mut head, count, first)) => {
                found.done(RepairRule::EightBitHeader, How::EncodedWords, count, place(first), "");
                head.extend_from_slice(&text[head_len..]);
                text = head;
            }
            Err((why, first)) => found.impossible(RepairRule::EightBitHeader, place(first), "", why),
        }
    }
    found.scan_of_head(&raw, wanted)?;
    Ok(Head { text, rest_at })
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

/// Is the line a header field, its continuation, or the line that mbox puts before a message? As [`model::Examiner`]
/// sees it.
fn is_field(line: &[u8]) -> bool {
    let name = &line[..memchr::memchr(b':', line).unwrap_or(line.len())];
    let is_continuation = matches!(line.first(), Some(b' ' | b'\t'));
    let is_name = name.len() < line.len() && !name.is_empty() && name.iter().all(|byte| *byte > b' ');
    is_continuation || line.starts_with(b"From ") || is_name
}

/// Is it a field but for white space between its name and the colon?
fn spaced_name(line: &[u8]) -> Option<&[u8]> {
    let name = line[..memchr::memchr(b':', line)?].trim_ascii_end();
    (!name.is_empty() && name.iter().all(|byte| *byte > b' ')).then_some(name)
}

/// Does the line tell that a header goes on? Any line of a text may have a colon.
fn is_known(line: &[u8]) -> bool {
    let Some(name) = spaced_name(line).filter(|_| !matches!(line.first(), Some(b' ' | b'\t'))) else { return false };
    let is_word = name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    is_word && (name.contains(&b'-') || KNOWN.contains(&name.to_ascii_lowercase().as_slice())) && name[0] != b'-'
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
    fn of(text: &[u8], end: &'static str, has_end: bool, limits: &Limits) -> Self {
        let all = || lines(text);
        let first_junk = all().position(|line| !is_field(line.text)).unwrap_or(usize::MAX);
        let content = content_of(all().take(first_junk).map(|line| line.text), limits);
        let last_known = all().enumerate().filter(|(_, line)| is_known(line.text)).map(|(number, _)| number).last();
        let mut mended = Self { text: Vec::with_capacity(text.len()), head_len: 0, done: Vec::new() };
        let mut head_len = None;
        for (number, line) in all().enumerate() {
            if head_len.is_some() || is_field(line.text) {
                mended.text.extend_from_slice(line.text);
            } else if begins_text(line.text, number, last_known, has_end, &content) {
                head_len = Some(mended.text.len());
                mended.add(How::EmptyLine, number);
                mended.text.extend_from_slice(empty_line(&mended.text, end).as_bytes());
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
            if line.end.is_empty() && head_len.is_none() {
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

/// Does the message's text begin with this line, which is no field, without an empty line before it? So it is where no
/// known field follows; the text may be hidden from nobody. But in an encoded content it would be no text.
fn begins_text(line: &[u8], number: usize, last_known: Option<usize>, has_end: bool, content: &Content) -> bool {
    if let Some(boundary) = &content.boundary
        && line.strip_prefix(b"--").is_some_and(|rest| rest.trim_ascii_end() == boundary.as_slice())
    {
        return true;
    }
    if number == 0 && line.starts_with(b">From ") {
        // The line of an mbox, quoted.
        return false;
    }
    let is_encoded = content.encoding != crate::decode::Encoding::Identity;
    last_known.is_none_or(|last| last < number) && !(is_encoded && has_end)
}

/// The header with all its fields in ASCII; how many there were, and the line of the first. Or why not, and where.
fn encode(text: &[u8], end: &'static str, limits: &Limits) -> Result<(Vec<u8>, u64, usize), (WhyNot, usize)> {
    let content = content_of(lines(text).map(|line| line.text), limits);
    let declared = content.charset.as_deref();
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
