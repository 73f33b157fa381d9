//! Replacing: what is banned goes, a short note comes in its place, and every other byte stays what it is.
//!
//! The same message and rules give the same bytes: there is no date, no new boundary and nothing random in a note.

use std::io::{self, Read, Write};
use std::ops::Range;

use crate::decode::Encoding;
use crate::finding::{Extent, File, Finding, Inspection};
use crate::read::{Lines, ReadAt, Stream, bytes};
use crate::rules::Rules;
use crate::walk::Place;

/// A line of quoted-printable.
const LINE_CHARS_MAX: usize = 76;
/// A line of base64.
pub(crate) const LINE_BYTES: usize = 57;
/// Files that a note names; it says how many more there are.
const NAMED_MAX: usize = 10;
/// A header line longer than this is of no content field.
const NAME_BYTES_MAX: usize = 200;

/// Bytes of a message, and what comes in their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Which bytes.
    pub bytes: Range<u64>,
    /// What comes in their place.
    pub with: Vec<u8>,
}

/// The edits that take out what the rules ban; in order, without overlap. Only for a message whose verdict is
/// [`crate::Verdict::Replace`].
pub fn edits(message: &dyn ReadAt, found: &Inspection, rules: &Rules) -> io::Result<Vec<Edit>> {
    let mut groups: Vec<(Extent, Vec<&Finding>)> = Vec::new();
    for finding in found.binding(rules) {
        match groups.last_mut() {
            // What lies within something that goes anyway goes with it.
            Some((extent, group)) if extent.bytes().end >= finding.extent.bytes().end => group.push(finding),
            _ => groups.push((finding.extent.clone(), vec![finding])),
        }
    }
    let mut edits: Vec<Edit> = Vec::new();
    let mut groups = groups.into_iter().peekable();
    while let Some((extent, group)) = groups.next() {
        let note = Note { intro: &rules.note, findings: &group };
        match extent {
            Extent::Message => return Err(io::ErrorKind::InvalidInput.into()),
            Extent::Part(place) if place.is_top => top(message, &place, &note, &mut edits)?,
            Extent::Part(place) => edits.push(part(message, &place, &note)?),
            Extent::Text { mut bytes, mut decoded, encoding, before, mut behind, is_crlf } => {
                let end = line_end(is_crlf || encoding == Encoding::Base64);
                let mut text = before;
                text.extend_from_slice(note.ascii(end).as_bytes());
                // Two files may share a group of base64.
                while let Some((Extent::Text { bytes: next, .. }, _)) = groups.peek()
                    && next.start < bytes.end
                    && let Some((Extent::Text { bytes: other, decoded: lines, behind: rest, .. }, group)) =
                        groups.next()
                {
                    behind.truncate((lines.start - decoded.end) as usize);
                    text.append(&mut behind);
                    text.extend_from_slice(Note { intro: &rules.note, findings: &group }.ascii(end).as_bytes());
                    (bytes.end, decoded, behind) = (other.end, lines, rest);
                }
                text.append(&mut behind);
                edits.push(Edit { bytes, with: encode(&text, encoding, line_end(is_crlf)) });
            }
        }
    }
    Ok(edits)
}

/// Writes the message with these edits. Everything else stays as it is.
pub fn apply(message: &dyn ReadAt, edits: &[Edit], out: &mut dyn Write) -> io::Result<()> {
    let mut at = 0;
    for edit in edits {
        assert!(edit.bytes.start >= at && edit.bytes.end >= edit.bytes.start, "edits are in order and don't overlap");
        io::copy(&mut Stream::new(message, at).take(edit.bytes.start - at), out)?;
        out.write_all(&edit.with)?;
        at = edit.bytes.end;
    }
    io::copy(&mut Stream::new(message, at), out)?;
    Ok(())
}

/// The size of the message with these edits.
pub fn size_with(size_bytes: u64, edits: &[Edit]) -> u64 {
    let gone: u64 = edits.iter().map(|edit| edit.bytes.end - edit.bytes.start).sum();
    let new: u64 = edits.iter().map(|edit| edit.with.len() as u64).sum();
    size_bytes - gone + new
}

fn line_end(is_crlf: bool) -> &'static str {
    if is_crlf { "\r\n" } else { "\n" }
}

/// The header fields that say what a note is.
fn fields(end: &str) -> String {
    format!(
        "Content-Type: text/plain; charset=utf-8{end}Content-Transfer-Encoding: quoted-printable{end}Content-Disposition: \
         inline{end}"
    )
}

/// A note, with a line end behind it if what it replaces has one.
fn body(message: &dyn ReadAt, gone: &Range<u64>, note: &Note<'_>, end: &str) -> io::Result<String> {
    let last = bytes(message, gone.end.saturating_sub(1).max(gone.start), 1)?;
    let has_end = !gone.is_empty() && matches!(last.first(), Some(b'\n' | b'\r'));
    Ok(format!("{}{}", quoted_printable(&note.plain("\n"), end), if has_end { end } else { "" }))
}

/// A part of a multipart: all of it goes.
fn part(message: &dyn ReadAt, place: &Place, note: &Note<'_>) -> io::Result<Edit> {
    let end = line_end(place.is_crlf);
    let bytes = place.header.start..place.body.end;
    let with = format!("{}{end}{}", fields(end), body(message, &bytes, note, end)?);
    Ok(Edit { bytes, with: with.into_bytes() })
}

/// A message that is nothing but the attachment: its content fields and its content go, the other fields stay.
fn top(message: &dyn ReadAt, place: &Place, note: &Note<'_>, edits: &mut Vec<Edit>) -> io::Result<()> {
    let end = line_end(place.is_crlf);
    let mut lines = Lines::new(message, place.header.start);
    let mut gone: Vec<Range<u64>> = Vec::new();
    let (mut is_gone, mut has_version, mut ends) = (false, false, true);
    while let Some(line) = lines.next(NAME_BYTES_MAX)? {
        if line.start >= place.header.end {
            break;
        }
        if !matches!(lines.text().first(), Some(b' ' | b'\t')) {
            let name = lines.text().split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii_end();
            let name = name.to_ascii_lowercase();
            is_gone = name.starts_with(b"content-");
            has_version |= name == b"mime-version";
        }
        if is_gone {
            match gone.last_mut() {
                Some(last) if last.end == line.start => last.end = line.end,
                _ => gone.push(line.start..line.end),
            }
        }
        ends = line.ending > 0;
    }
    let version = if has_version { String::new() } else { format!("MIME-Version: 1.0{end}") };
    let new = format!("{version}{}", fields(end));
    let body_gone = place.header.end..place.body.end;
    let mut text = String::new();
    // Where the last one stood: so a line that is no header field stays before them, and is read as it was.
    match gone.pop() {
        Some(last) => {
            edits.extend(gone.into_iter().map(|bytes| Edit { bytes, with: Vec::new() }));
            edits.push(Edit { bytes: last, with: new.into_bytes() });
        }
        None => {
            text.push_str(if ends { "" } else { end });
            text.push_str(&new);
        }
    }
    text.push_str(end);
    text.push_str(&body(message, &body_gone, note, end)?);
    edits.push(Edit { bytes: body_gone, with: text.into_bytes() });
    Ok(())
}

/// What stands in the place of an attachment.
struct Note<'a> {
    intro: &'a str,
    findings: &'a [&'a Finding],
}

impl Note<'_> {
    /// Its text, without a line end at its end.
    fn plain(&self, end: &str) -> String {
        let mut lines: Vec<String> = self.intro.lines().map(|line| line.trim_end().to_owned()).collect();
        if let Some(first) = self.findings.first() {
            let file = first.attachment.as_ref().unwrap_or(&first.file);
            lines.push(String::new());
            lines.extend(described(file, ""));
            for finding in self.findings.iter().take(NAMED_MAX) {
                let rule = finding.rule.as_deref().unwrap_or_default();
                lines.push(format!("Rule: {rule}: {}", finding.why));
                if finding.attachment.is_some() {
                    let inside = finding.inside.iter().skip(1).map(String::as_str);
                    let path: Vec<&str> = inside.chain([finding.file.name.as_str()]).collect();
                    lines.push(format!("    because of: {}", path.join(" > ")));
                    lines.extend(described(&finding.file, "    ").into_iter().skip(1));
                }
            }
            if self.findings.len() > NAMED_MAX {
                lines.push(format!("and {} more", self.findings.len() - NAMED_MAX));
            }
        }
        // Nothing in it may look like a file among the lines, or like a PGP text.
        let is_odd = |line: &str| line.starts_with("begin") || line.starts_with("-----");
        let lines: Vec<String> =
            lines.into_iter().map(|line| if is_odd(&line) { format!(" {line}") } else { line }).collect();
        lines.join(end)
    }
}

impl Note<'_> {
    /// Its text for a place whose charset is not known.
    fn ascii(&self, end: &str) -> String {
        let escaped = |c: char| if c.is_ascii() { c.to_string() } else { format!("<U+{:04X}>", u32::from(c)) };
        self.plain(end).chars().map(escaped).collect()
    }
}

fn described(file: &File, indent: &str) -> Vec<String> {
    let name = if file.name.is_empty() { "(none)" } else { &file.name };
    let mut lines = vec![format!("{indent}Name: {name}")];
    if !file.mime.is_empty() {
        lines.push(format!("{indent}Type: {}", crate::name::shown(&file.mime)));
    }
    if let Some(size) = file.size_bytes {
        lines.push(format!("{indent}Size: {size} bytes"));
    }
    if let Some(digest) = file.sha256 {
        lines.push(format!("{indent}SHA-256: {digest}"));
    }
    lines
}

/// Text that is put among a part's lines, in the part's encoding. Its charset is not known, so it is in ASCII.
fn encode(text: &[u8], encoding: Encoding, end: &str) -> Vec<u8> {
    match encoding {
        Encoding::QuotedPrintable => quoted_printable_bytes(text, end, false),
        Encoding::Base64 => {
            let mut encoded = end.to_owned();
            for line in text.chunks(LINE_BYTES) {
                encoded.push_str(&base64(line));
                encoded.push_str(end);
            }
            encoded.into_bytes()
        }
        Encoding::Identity | Encoding::Uu => text.to_vec(),
    }
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |bits: u32, shift: u32| char::from(LETTERS[(bits >> shift) as usize & 63]);
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        let all = [letter(bits, 18), letter(bits, 12), letter(bits, 6), letter(bits, 0)];
        text.extend(&all[..=group.len()]);
        text.extend(std::iter::repeat_n('=', 3 - group.len()));
    }
    text
}

/// A text with lines ended by LF, in quoted-printable.
fn quoted_printable(text: &str, end: &str) -> String {
    String::from_utf8_lossy(&quoted_printable_bytes(text.as_bytes(), end, true)).into_owned()
}

/// `is_text`: LF ends a line. Else line ends are those that are there.
fn quoted_printable_bytes(text: &[u8], end: &str, is_text: bool) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(text.len() * 2);
    let mut column = 0;
    for (at, byte) in text.iter().enumerate() {
        let ends_line = matches!(text.get(at + 1), None | Some(b'\n' | b'\r'));
        match byte {
            b'\n' if is_text => {
                encoded.extend_from_slice(end.as_bytes());
                column = 0;
                continue;
            }
            b'\n' | b'\r' => {
                encoded.push(*byte);
                column = 0;
                continue;
            }
            _ => {}
        }
        // A dot, a "From " or a boundary at a line's start means something to others.
        let is_plain = match byte {
            b' ' | b'\t' => !ends_line,
            b'.' | b'F' | b'-' => column > 0,
            b'=' => false,
            _ => byte.is_ascii_graphic(),
        };
        let size = if is_plain { 1 } else { 3 };
        if column + size > LINE_CHARS_MAX - 1 {
            encoded.push(b'=');
            encoded.extend_from_slice(end.as_bytes());
            column = 0;
        }
        if is_plain {
            encoded.push(*byte);
        } else {
            encoded.extend_from_slice(format!("={byte:02X}").as_bytes());
        }
        column += size;
    }
    encoded
}
