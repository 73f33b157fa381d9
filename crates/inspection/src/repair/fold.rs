//! A header in shorter lines, or with another content transfer encoding.

use std::io::{self, Write};

use super::scan::Filter;
use super::{Repairs, WhyNot, empty_line, field, lines, words};

/// Where a line is broken, if it can be.
const LINE_CHARS_MAX: usize = 76;
/// Fields whose text may stand in encoded words.
const TEXTS: [&str; 3] = ["subject", "comments", "x-broken-header"];
/// Fields in whose values white space may stand behind a semicolon.
const WITH_SEMICOLONS: [&str; 8] = [
    "content-type",
    "content-disposition",
    "received",
    "dkim-signature",
    "arc-seal",
    "arc-message-signature",
    "arc-authentication-results",
    "authentication-results",
];

/// What a header is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Job {
    /// Its content transfer encoding, if that changes.
    pub(super) encoding: Option<&'static str>,
    /// It is a message's: with another encoding it has to say that it is MIME.
    pub(super) is_top: bool,
    /// What follows it begins without an empty line.
    pub(super) is_unended: bool,
}

/// The header so; or why not.
pub(super) fn rewrite(
    header: &[u8],
    job: Job,
    wanted: &Repairs,
    end: &'static str,
) -> io::Result<Result<Vec<u8>, WhyNot>> {
    let mut plain = Vec::with_capacity(header.len());
    let mut filter = Filter::new(&mut plain, wanted);
    filter.write_all(header)?;
    filter.finish()?;
    let mut out = Vec::with_capacity(plain.len());
    let (mut is_replaced, mut has_version, mut is_left_out) = (false, false, false);
    let mut name = String::new();
    let mut quote = Quote::default();
    let mut rest = plain.as_slice();
    while let Some(line) = lines(rest).next() {
        let line_len = line.text.len() + line.end.len();
        let is_continuation = matches!(line.text.first(), Some(b' ' | b'\t'));
        if !is_continuation {
            name = name_of(line.text);
            quote = Quote::default();
            has_version |= name == "mime-version";
            is_left_out = job.encoding.is_some() && name == "content-transfer-encoding";
            if is_left_out && !is_replaced {
                is_replaced = true;
                write!(out, "Content-Transfer-Encoding: {}{end}", job.encoding.unwrap_or_default())?;
            }
        }
        if is_left_out {
            rest = &rest[line_len..];
            continue;
        }
        let Some(max) = wanted.line_max().filter(|max| line.text.len() as u64 > *max) else {
            line.text.iter().for_each(|byte| quote.take(*byte));
            out.extend_from_slice(&rest[..line_len]);
            rest = &rest[line_len..];
            continue;
        };
        let before = out.len();
        if fold(line.text, &name, max, &mut quote, end, &mut out) {
            out.extend_from_slice(line.end);
            rest = &rest[line_len..];
            continue;
        }
        out.truncate(before);
        if is_continuation {
            return Ok(Err(WhyNot::NoPlaceToBreak));
        }
        let Some((text, whole_len)) = as_words(rest, &name, end) else { return Ok(Err(WhyNot::NoPlaceToBreak)) };
        out.extend_from_slice(&text);
        rest = &rest[whole_len..];
    }
    if let Some(encoding) = job.encoding {
        if !out.is_empty() && !matches!(out.last(), Some(b'\n' | b'\r')) {
            out.extend_from_slice(end.as_bytes());
        }
        if job.is_top && !has_version {
            write!(out, "MIME-Version: 1.0{end}")?;
        }
        if !is_replaced {
            write!(out, "Content-Transfer-Encoding: {encoding}{end}")?;
        }
        if job.is_unended {
            out.extend_from_slice(empty_line(&out, end).as_bytes());
        }
    }
    let is_long = wanted.line_max().is_some_and(|max| longest(&out) > max);
    Ok(if is_long { Err(WhyNot::NoPlaceToBreak) } else { Ok(out) })
}

fn longest(text: &[u8]) -> u64 {
    lines(text).map(|line| line.text.len() as u64).max().unwrap_or(0)
}

fn name_of(line: &[u8]) -> String {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii_end();
    String::from_utf8_lossy(&name[..name.len().min(80)]).to_ascii_lowercase()
}

/// Whether a place is within a quotation.
#[derive(Clone, Copy, Default)]
struct Quote {
    is_open: bool,
    is_escaped: bool,
}

impl Quote {
    fn take(&mut self, byte: u8) {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.is_open => self.is_escaped = true,
            b'"' => self.is_open = !self.is_open,
            _ => {}
        }
    }
}

/// Where a line can be broken, from the best to the worst.
#[derive(Default)]
struct Breaks {
    /// At white space, by whether it is in a quotation: the last one in the first 76 characters, else the first one.
    spaces: [Option<usize>; 2],
    /// Where white space may be put.
    others: Option<usize>,
    /// Behind the field's name.
    name: Option<usize>,
}

impl Breaks {
    fn of(rest: &[u8], name: &str, max: usize, has_name: bool, mut quote: Quote) -> Self {
        let mut breaks = Self::default();
        // White space in front of everything else is no place: the line would be empty.
        let begin = rest.iter().position(|byte| !words::is_space(*byte)).unwrap_or(rest.len());
        let name_end = if has_name { memchr::memchr(b':', rest).map_or(0, |colon| colon + 1) } else { 0 };
        let text_begin = name_end + rest[name_end..].iter().take_while(|byte| words::is_space(**byte)).count();
        let text_end = rest.trim_ascii_end().len();
        let is_better = |known: Option<usize>, at: usize| known.is_none() || at <= LINE_CHARS_MAX;
        for at in 0..rest.len().min(max + 1) {
            let (byte, before) = (rest[at], at.checked_sub(1).map_or(0, |before| rest[before]));
            if at > begin && at < text_end && words::is_space(byte) && !words::is_space(before) {
                let slot = match () {
                    () if at < text_begin => &mut breaks.name,
                    () => &mut breaks.spaces[usize::from(quote.is_open)],
                };
                if is_better(*slot, at) {
                    *slot = Some(at);
                }
            }
            if at > text_begin.max(begin) && at < text_end && !quote.is_open && is_break(rest, at, name) {
                let slot = &mut breaks.others;
                if is_better(*slot, at) {
                    *slot = Some(at);
                }
            }
            quote.take(byte);
            if at > LINE_CHARS_MAX && breaks.spaces[0].is_some() {
                break;
            }
        }
        breaks
    }

    fn best(&self) -> Option<usize> {
        let [outside, inside] = self.spaces;
        outside.or(self.others).or(inside).or(self.name)
    }
}

/// May white space be put here without another meaning?
fn is_break(text: &[u8], at: usize, name: &str) -> bool {
    let behind = &text[at..];
    match text[at - 1] {
        b',' => field::is_of_addresses(name.as_bytes()),
        b';' => WITH_SEMICOLONS.contains(&name),
        b'>' => behind.starts_with(b"<") && matches!(name, "references" | "in-reply-to"),
        b'=' => text[..at].ends_with(b"?=") && behind.starts_with(b"=?"),
        _ => false,
    }
}

/// Writes a line in several; false where it can't be broken.
fn fold(line: &[u8], name: &str, max: u64, quote: &mut Quote, end: &str, out: &mut Vec<u8>) -> bool {
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    let (mut rest, mut is_first, mut put_in) = (line, !matches!(line.first(), Some(b' ' | b'\t')), 0);
    while rest.len() + put_in > LINE_CHARS_MAX {
        let breaks = Breaks::of(rest, name, max - put_in, is_first, *quote);
        // Behind the name only where the line is too long otherwise.
        let best = breaks.best().filter(|at| rest.len() + put_in > max || Some(*at) != breaks.name);
        let Some(at) = best else { break };
        rest[..at].iter().for_each(|byte| quote.take(*byte));
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(end.as_bytes());
        rest = &rest[at..];
        put_in = usize::from(!rest.first().is_some_and(|byte| words::is_space(*byte)));
        out.extend_from_slice(&b" "[..put_in]);
        is_first = false;
    }
    for byte in rest {
        quote.take(*byte);
    }
    out.extend_from_slice(rest);
    rest.len() + put_in <= max
}

/// The text that begins here as encoded words, and how long it was.
fn as_words(rest: &[u8], name: &str, end: &'static str) -> Option<(Vec<u8>, usize)> {
    let (mut value, mut len, mut ending) = (Vec::new(), 0, &b""[..]);
    for (index, line) in lines(rest).enumerate() {
        if index > 0 && !matches!(line.text.first(), Some(b' ' | b'\t')) {
            break;
        }
        value.extend_from_slice(line.text);
        len += line.text.len() + line.end.len();
        ending = line.end;
    }
    let colon = memchr::memchr(b':', &value)?;
    if !TEXTS.contains(&name) || memchr::memmem::find(&value, b"=?").is_some() {
        return None;
    }
    let text_at = colon + 1 + value[colon + 1..].iter().take_while(|byte| words::is_space(**byte)).count();
    let mut out = words::Folded::new(&value[..=colon], end);
    words::write(&[words::Token::Space(b" "[..].into()), words::Token::Raw(value[text_at..].into())], None, &mut out);
    out.text.extend_from_slice(ending);
    Some((out.text, len))
}
