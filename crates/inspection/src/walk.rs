//! The structure of a message: parts within parts, as ranges of bytes.
//!
//! A message is read once, line by line, with a stack of what is open; a part is handed on as soon as its end is known.
//! So neither a message of two gigabytes nor one of a million parts takes more memory than the stack. Part numbers are
//! those of IMAP (RFC 9051, 6.4.5). Where a boundary stands in two multiparts that are open, the outer one's it is.

use std::io;
use std::ops::Range;

use crate::header::{BOUNDARY_BYTES_MAX, Content, Fields};
use crate::read::{Line, Lines, ReadAt};
use crate::rules::{Limits, Seal, Unseen};

/// A part with its place.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) number: String,
    pub(crate) place: Place,
    pub(crate) content: Content,
    /// What it lies under, or puts on itself.
    pub(crate) seal: Option<Seal>,
}

/// Where a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its header's lines, without the empty one behind them.
    pub(crate) header: Range<u64>,
    /// Its content, without the line end that belongs to the boundary behind it.
    pub(crate) body: Range<u64>,
    /// The header is a message's, so it says more than what the content is.
    pub(crate) is_top: bool,
    /// Its lines end in CRLF.
    pub(crate) is_crlf: bool,
}

/// Who is told of what is found.
pub(crate) trait Visitor {
    /// A part that has no parts of its own, or the whole of a message in a message.
    fn part(&mut self, message: &dyn ReadAt, part: &Part) -> io::Result<()>;
    /// A part that puts a seal on what it holds.
    fn seal(&mut self, part: &Part, seal: Seal);
    /// Something could not be looked at; in this part, or at all.
    fn unseen(&mut self, part: Option<&Part>, what: Unseen);
    /// A header has ended; what it heads begins.
    fn opened(&mut self, _part: &Part, _holds: Holds) -> io::Result<()> {
        Ok(())
    }
    /// What was opened last, and is not closed yet, ends here.
    fn closed(&mut self, _end: u64) -> io::Result<()> {
        Ok(())
    }
}

/// What a header heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    Parts,
    Message,
    Content,
}

/// Walks through a message.
pub(crate) fn walk(message: &dyn ReadAt, limits: &Limits, visitor: &mut dyn Visitor) -> io::Result<()> {
    walk_lines(message, Lines::new(message, 0), limits, visitor)
}

/// Walks through the lines of a message.
pub(crate) fn walk_lines(
    message: &dyn ReadAt,
    lines: Lines<'_>,
    limits: &Limits,
    visitor: &mut dyn Visitor,
) -> io::Result<()> {
    let walk = Walk {
        message,
        lines,
        limits,
        visitor,
        frames: Vec::new(),
        state: State::Header(Header::new(0, true, String::new(), false)),
        parts: 0,
        last_ending: 0,
        is_crlf: false,
    };
    walk.run(message.size_bytes()?)
}

/// What is open around the place that is read.
struct Frame {
    part: Part,
    multipart: Option<Multipart>,
}

struct Multipart {
    boundary: Vec<u8>,
    is_digest: bool,
    parts: u32,
    is_closed: bool,
}

enum State {
    Header(Header),
    Body(Part),
    /// Before the first part or behind the last one: nothing counts but boundaries.
    Between,
}

/// A header as far as it has come.
struct Header {
    start: u64,
    is_top: bool,
    /// Number of the part, or of the message whose root it is.
    number: String,
    /// Parts without a type are messages.
    in_digest: bool,
    fields: Fields,
    /// Which field goes on in the next line.
    open: Option<Name>,
    kept: usize,
    /// Where the first line stands that is no header line, and what was known before it.
    junk_at: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Kind,
    Disposition,
    Encoding,
}

impl Header {
    fn new(start: u64, is_top: bool, number: String, in_digest: bool) -> Self {
        let fields = Fields::default();
        Self { start, is_top, number, in_digest, fields, open: None, kept: 0, junk_at: None }
    }

    fn default_type(&self) -> &'static str {
        if self.in_digest { "message/rfc822" } else { "text/plain" }
    }

    /// Takes a line. False when it is no header line.
    fn take(&mut self, text: &[u8], max: usize) -> bool {
        let is_continued = matches!(text.first(), Some(b' ' | b'\t'));
        let (list, value) = if is_continued {
            let Some(open) = self.open else { return true };
            (open, text)
        } else {
            self.open = None;
            if text.starts_with(b"From ") || text.starts_with(b">From ") {
                return true;
            }
            let Some(colon) = memchr::memchr(b':', text) else { return false };
            let name = text[..colon].trim_ascii_end();
            if name.iter().any(u8::is_ascii_whitespace) {
                return false;
            }
            let named = match name.to_ascii_lowercase().as_slice() {
                b"content-type" => Name::Kind,
                b"content-disposition" => Name::Disposition,
                b"content-transfer-encoding" => Name::Encoding,
                _ => return true,
            };
            self.open = Some(named);
            self.fields.is_broken |= self.junk_at.is_some();
            (named, &text[colon + 1..])
        };
        if self.kept + value.len() + 1 > max {
            self.fields.is_cut = true;
            return true;
        }
        self.kept += value.len() + 1;
        let fields = match list {
            Name::Kind => &mut self.fields.kinds,
            Name::Disposition => &mut self.fields.dispositions,
            Name::Encoding => &mut self.fields.encodings,
        };
        match fields.last_mut() {
            Some(field) if is_continued => field.extend_from_slice(value),
            _ => fields.push(value.to_vec()),
        }
        true
    }
}

/// The content fields of a header whose lines these are.
pub(crate) fn content_of<'a>(lines: impl Iterator<Item = &'a [u8]>, limits: &Limits) -> Content {
    let mut header = Header::new(0, true, String::new(), false);
    for line in lines {
        header.take(line, limits.header_bytes_max);
    }
    Content::read(&header.fields, header.default_type())
}

struct Walk<'a> {
    message: &'a dyn ReadAt,
    lines: Lines<'a>,
    limits: &'a Limits,
    visitor: &'a mut dyn Visitor,
    frames: Vec<Frame>,
    state: State,
    parts: u32,
    /// How many bytes ended the last line.
    last_ending: u64,
    is_crlf: bool,
}

impl Walk<'_> {
    fn run(mut self, size: u64) -> io::Result<()> {
        let mut is_first = true;
        loop {
            let keep = match &self.state {
                State::Header(_) => self.limits.header_bytes_max + 1,
                _ => BOUNDARY_BYTES_MAX + 100,
            };
            let Some(line) = self.lines.next(keep)? else { break };
            if is_first {
                self.is_crlf = line.ending >= 2;
                is_first = false;
            }
            if self.boundary().is_none() {
                self.take_header_line(line)?;
            }
            // A header may have ended with this line, and then it may be the first boundary.
            if let Some((index, is_close)) = self.boundary() {
                // The line end before a boundary belongs to it.
                self.close(index + 1, line.start - self.last_ending, line.start)?;
                self.is_crlf = line.ending >= 2 || (line.ending == 0 && self.is_crlf);
                if !self.open_part(index, is_close, line) {
                    return Ok(());
                }
            }
            self.last_ending = line.ending;
        }
        self.close(0, size, size)
    }

    /// Takes a line that is no boundary of what is open.
    fn take_header_line(&mut self, line: Line) -> io::Result<()> {
        let (text, max) = (self.lines.text(), self.limits.header_bytes_max);
        let State::Header(header) = &mut self.state else { return Ok(()) };
        if text.is_empty() {
            self.end_of_header(line.start, line.end)?;
        } else if text.len() > max {
            // So long a line is none of a header that can be read; where it is continued is not known.
            header.fields.is_cut = true;
        } else if !header.take(text, max) && header.junk_at.is_none() {
            header.junk_at = Some(line.start);
            if Content::read(&header.fields, header.default_type()).boundary.is_some() {
                // Its parts begin without an empty line before them.
                self.end_of_header(line.start, line.start)?;
            }
        }
        Ok(())
    }

    /// The multipart whose boundary the last line is, and whether it closes it.
    fn boundary(&self) -> Option<(usize, bool)> {
        let text = self.lines.text().strip_prefix(b"--")?.trim_ascii_end();
        if text.len() > BOUNDARY_BYTES_MAX + 2 {
            return None;
        }
        let closed = text.strip_suffix(b"--");
        self.frames.iter().enumerate().find_map(|(index, frame)| {
            let multipart = frame.multipart.as_ref().filter(|multipart| !multipart.is_closed)?;
            if text == multipart.boundary {
                Some((index, false))
            } else if closed == Some(multipart.boundary.as_slice()) {
                Some((index, true))
            } else {
                None
            }
        })
    }

    /// A boundary of this frame: the next part begins, or its parts are over. False where too many parts have come.
    fn open_part(&mut self, index: usize, is_close: bool, line: Line) -> bool {
        let frame = &mut self.frames[index];
        let Some(multipart) = &mut frame.multipart else { return true };
        if is_close {
            multipart.is_closed = true;
            self.state = State::Between;
            return true;
        }
        multipart.parts += 1;
        self.parts += 1;
        if self.parts > self.limits.parts_max {
            self.visitor.unseen(None, Unseen::TooManyParts);
            return false;
        }
        let number = join(&frame.part.number, multipart.parts);
        self.state = State::Header(Header::new(line.end, false, number, multipart.is_digest));
        true
    }

    /// A header has ended: what follows is parts, a message, or a content.
    fn end_of_header(&mut self, end: u64, body_at: u64) -> io::Result<()> {
        let State::Header(header) = std::mem::replace(&mut self.state, State::Between) else { return Ok(()) };
        let mut content = Content::read(&header.fields, header.default_type());
        let seal = self.frames.last().and_then(|frame| frame.part.seal).or(content.seal);
        // A line that is no header field begins the content, unless more of the header follows it.
        let (end, body_at) = match header.junk_at {
            Some(junk_at) if !header.fields.is_broken => (junk_at, junk_at),
            _ => (end, body_at),
        };
        let is_message = content.boundary.is_none() && holds_message(&content.mime);
        let is_too_deep = self.frames.len() as u32 >= self.limits.depth_max;
        let is_plain = content.encoding == crate::decode::Encoding::Identity;
        let has_parts = content.boundary.is_some() && !is_too_deep;
        let has_message = is_message && is_plain && !is_too_deep;
        let number = match (header.is_top, has_parts) {
            (true, false) => join(&header.number, 1),
            _ => header.number,
        };
        let boundary = content.boundary.take();
        let (is_cut, is_ambiguous) = (header.fields.is_cut, content.is_ambiguous);
        let is_unknown = content.is_unknown_encoding;
        let place =
            Place { header: header.start..end, body: body_at..body_at, is_top: header.is_top, is_crlf: self.is_crlf };
        let part = Part { number, place, content, seal };
        for (is_so, what) in [
            (is_cut, Unseen::LongHeader),
            (is_ambiguous, Unseen::Ambiguous),
            (is_unknown, Unseen::UnknownEncoding),
            (is_too_deep && (boundary.is_some() || is_message), Unseen::TooDeep),
        ] {
            if is_so {
                self.visitor.unseen(Some(&part), what);
            }
        }
        if let Some(seal) = part.content.seal {
            self.visitor.seal(&part, seal);
        }
        let holds = match (has_parts, has_message) {
            (true, _) => Holds::Parts,
            (false, true) => Holds::Message,
            (false, false) => Holds::Content,
        };
        self.visitor.opened(&part, holds)?;
        if has_parts {
            let is_digest = part.content.mime == "multipart/digest";
            let boundary = boundary.unwrap_or_default();
            let multipart = Multipart { boundary, is_digest, parts: 0, is_closed: false };
            self.frames.push(Frame { part, multipart: Some(multipart) });
        } else if has_message {
            self.state = State::Header(Header::new(body_at, true, part.number.clone(), false));
            self.frames.push(Frame { part, multipart: None });
        } else {
            self.state = State::Body(part);
        }
        Ok(())
    }

    /// Closes what is open down to so many frames; `end` is where their content ends, `at` the place that is read.
    fn close(&mut self, frames: usize, end: u64, at: u64) -> io::Result<()> {
        while let State::Header(_) = &self.state {
            self.end_of_header(at, at)?;
        }
        if let State::Body(part) = std::mem::replace(&mut self.state, State::Between) {
            let end = end.max(part.place.body.start);
            self.visit(part, end)?;
            self.visitor.closed(end)?;
        }
        while self.frames.len() > frames {
            let Some(Frame { part, multipart }) = self.frames.pop() else { break };
            let end = end.max(part.place.body.start);
            match multipart {
                Some(Multipart { parts: 0, .. }) => self.visit(part, end)?,
                Some(_) => {}
                None => self.visit(part, end)?,
            }
            self.visitor.closed(end)?;
        }
        Ok(())
    }

    fn visit(&mut self, mut part: Part, end: u64) -> io::Result<()> {
        part.place.body.end = end.max(part.place.body.start);
        self.visitor.part(self.message, &part)
    }
}

fn join(number: &str, index: u32) -> String {
    if number.is_empty() { index.to_string() } else { format!("{number}.{index}") }
}

/// Does a part of this type hold a message, whose header begins with its content?
pub(crate) fn holds_message(mime: &str) -> bool {
    matches!(
        mime,
        "message/rfc822"
            | "message/global"
            | "message/news"
            | "message/external-body"
            | "message/rfc2822"
            | "message/s-http"
    )
}
