//! Encoded words (RFC 2047), and header fields that are put together again in lines of 76 characters.

use std::borrow::Cow;

use encoding_rs::{Encoding as Charset, UTF_8};

use crate::rewrite::base64;

/// Characters of an encoded word, at most.
const WORD_CHARS_MAX: usize = 75;
/// Characters of a line with one, at most.
const LINE_CHARS_MAX: usize = 76;
/// A word with less text than this is not made to fit behind what stands in a line.
const ROOM_CHARS_MIN: usize = 12;
/// The charset of bytes that nobody can name (RFC 1428).
const UNKNOWN: &str = "unknown-8bit";

/// Names the charset of bytes. UTF-8 is hardly ever valid by chance. Else most programs that show mail take what the
/// message declares for its text, so it is named where the bytes are valid in it. Else nothing is claimed.
pub(super) fn charset<'a>(bytes: &[u8], declared: Option<&'a str>) -> &'a str {
    if bytes.is_ascii() {
        return "us-ascii";
    }
    if std::str::from_utf8(bytes).is_ok() {
        return "utf-8";
    }
    let known = declared.filter(|label| is_usable(label)).and_then(|label| Some((label, named(label)?)));
    known.filter(|(_, known)| is_valid(known, bytes)).map_or(UNKNOWN, |(label, _)| label)
}

/// Is the label one that may stand in an encoded word, of a charset in which ASCII is ASCII?
fn is_usable(label: &str) -> bool {
    !is_ascii(label)
        && (1..=30).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:+".contains(&byte))
}

pub(super) fn is_ascii(label: &str) -> bool {
    ["us-ascii", "ascii", "ansi_x3.4-1968"].iter().any(|ascii| label.eq_ignore_ascii_case(ascii))
}

fn named(label: &str) -> Option<&'static Charset> {
    let known = Charset::for_label_no_replacement(label.as_bytes())?;
    (known.is_ascii_compatible() && known != UTF_8).then_some(known)
}

fn is_valid(charset: &'static Charset, bytes: &[u8]) -> bool {
    charset.decode_without_bom_handling_and_without_replacement(bytes).is_some()
}

/// The place at or before `max` where no character is cut.
pub(super) fn boundary(bytes: &[u8], max: usize, charset: &str) -> usize {
    if max >= bytes.len() {
        return bytes.len();
    }
    let max = max.max(1);
    if charset == "utf-8" {
        let back = bytes[..=max].iter().rev().take_while(|byte| (0x80..0xc0).contains(*byte)).count();
        return if back < max { max - back } else { max };
    }
    let Some(known) = named(charset) else { return max };
    (1..=max).rev().take(4).find(|end| is_valid(known, &bytes[..*end])).unwrap_or(max)
}

/// Bytes as encoded words, of which the first has at most so many characters.
pub(super) fn encoded(bytes: &[u8], declared: Option<&str>, first: usize, max: usize) -> Vec<String> {
    let charset = charset(bytes, declared);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!*+-/".contains(&byte);
    let cost = |byte: u8| if is_plain(byte) || byte == b' ' { 1 } else { 3 };
    // As RFC 2047, 4, recommends.
    let is_q = bytes.iter().filter(|byte| !byte.is_ascii()).count() * 2 <= bytes.len();
    let (mut words, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let frame = charset.len() + "=??q??=".len();
        let word_max = if words.is_empty() && first >= frame + ROOM_CHARS_MIN { first.min(max) } else { max };
        let room = word_max - frame;
        let fits = if is_q {
            let mut left = room;
            rest.iter().take_while(|byte| left.checked_sub(cost(**byte)).inspect(|rest| left = *rest).is_some()).count()
        } else {
            room / 4 * 3
        };
        let (piece, behind) = rest.split_at(boundary(rest, fits, charset));
        rest = behind;
        let (letter, text) = if is_q {
            let character = |byte: &u8| match *byte {
                b' ' => "_".to_owned(),
                byte if is_plain(byte) => char::from(byte).to_string(),
                byte => format!("={byte:02X}"),
            };
            ('q', piece.iter().map(character).collect())
        } else {
            ('b', base64(piece))
        };
        words.push(format!("=?{charset}?{letter}?{text}?="));
    }
    words
}

/// A field that is put together in lines.
pub(super) struct Folded {
    pub(super) text: Vec<u8>,
    end: &'static str,
    column: usize,
    /// Something stands in the line behind the field's name.
    has_text: bool,
}

impl Folded {
    pub(super) fn new(begin: &[u8], end: &'static str) -> Self {
        Self { text: begin.to_vec(), end, column: begin.len(), has_text: false }
    }

    /// How many characters fit into this line behind so much white space.
    pub(super) fn room(&self, space: &[u8]) -> usize {
        LINE_CHARS_MAX.saturating_sub(self.column + space.len())
    }

    /// What is put next, behind white space, begins a line.
    pub(super) fn begin_line(&mut self) {
        self.text.extend_from_slice(self.end.as_bytes());
        self.column = 0;
    }

    /// Puts something that is not to be cut; a new line begins at the white space before it where that helps.
    pub(super) fn put(&mut self, space: &[u8], text: &[u8]) {
        let is_full = self.column + space.len() + text.len() > LINE_CHARS_MAX;
        let helps = self.has_text || space.len() + text.len() <= LINE_CHARS_MAX;
        if is_full && helps && !space.is_empty() && !text.is_empty() {
            self.begin_line();
        }
        self.text.extend_from_slice(space);
        self.text.extend_from_slice(text);
        self.column += space.len() + text.len();
        self.has_text |= !text.is_empty();
    }
}

/// A piece of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Space(Cow<'a, [u8]>),
    /// Stays as it is.
    Plain(Cow<'a, [u8]>),
    /// An encoded word that is there.
    Word(Cow<'a, [u8]>),
    /// Is to be encoded.
    Raw(Cow<'a, [u8]>),
    /// A comment whose text is to be encoded.
    Comment(Cow<'a, [u8]>),
}

/// White space and words of an unstructured field.
pub(super) fn tokens(text: &[u8]) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    for run in text.chunk_by(|a, b| is_space(*a) == is_space(*b)) {
        match run.first() {
            Some(byte) if is_space(*byte) => tokens.push(Token::Space(run.into())),
            _ if !run.is_ascii() => raw(run, &mut tokens),
            _ if word_len(run) == Some(run.len()) => tokens.push(Token::Word(run.into())),
            _ => tokens.push(Token::Plain(run.into())),
        }
    }
    tokens
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Bytes that are to be encoded; but encoded words among them are read by many programs, so these stay.
pub(super) fn raw<'a>(text: &'a [u8], tokens: &mut Vec<Token<'a>>) {
    let (mut start, mut at) = (0, 0);
    while let Some(found) = memchr::memmem::find(&text[at..], b"=?") {
        at += found;
        let Some(len) = word_len(&text[at..]) else {
            at += 2;
            continue;
        };
        if at > start && start > 0 && text[start..at].iter().all(|byte| is_space(*byte)) {
            tokens.push(Token::Space(text[start..at].into()));
        } else if at > start {
            tokens.push(Token::Raw(text[start..at].into()));
        }
        tokens.push(Token::Word(text[at..at + len].into()));
        at += len;
        start = at;
    }
    if start < text.len() {
        tokens.push(Token::Raw(text[start..].into()));
    }
}

/// How long the encoded word is that the text begins with.
fn word_len(text: &[u8]) -> Option<usize> {
    const CHARS_MAX: usize = 1_000;
    let text = &text[..text.len().min(CHARS_MAX)];
    let rest = text.strip_prefix(b"=?")?;
    let charset = memchr::memchr(b'?', rest)?;
    let letter = rest.get(charset + 1)?;
    let is_word = charset > 0 && matches!(letter, b'q' | b'Q' | b'b' | b'B') && rest.get(charset + 2) == Some(&b'?');
    let body = rest.get(charset + 3..)?;
    let end = memchr::memchr(b'?', body)?;
    let whole = 2 + charset + 3 + end + 2;
    (is_word && body.get(end + 1) == Some(&b'=') && text[..whole].is_ascii() && !text[..whole].contains(&b' '))
        .then_some(whole)
}

/// Writes tokens, and encodes those that are to be. White space between two encoded words is not there to a reader, so
/// what stands between two texts goes into one of them.
pub(super) fn write(tokens: &[Token<'_>], declared: Option<&str>, out: &mut Folded) {
    let mut space: Vec<u8> = Vec::new();
    let mut at = 0;
    // What was written last is an encoded word.
    let mut is_word = false;
    while at < tokens.len() {
        match &tokens[at] {
            Token::Space(text) => space.extend_from_slice(text),
            Token::Plain(text) => {
                if is_word && space.is_empty() {
                    space.push(b' ');
                }
                out.put(&std::mem::take(&mut space), text);
                is_word = text.ends_with(b"?=");
            }
            Token::Word(text) => {
                if is_word && space.is_empty() {
                    space.push(b' ');
                }
                out.put(&std::mem::take(&mut space), text);
                is_word = true;
            }
            Token::Comment(text) => {
                comment(text, declared, &std::mem::take(&mut space), out);
                is_word = false;
            }
            Token::Raw(text) => {
                let mut group = Vec::new();
                if is_word {
                    group.append(&mut space);
                    space.push(b' ');
                }
                group.extend_from_slice(text);
                loop {
                    match (tokens.get(at + 1), tokens.get(at + 2)) {
                        (Some(Token::Raw(next)), _) => {
                            group.extend_from_slice(next);
                            at += 1;
                        }
                        (Some(Token::Space(between)), Some(Token::Raw(next))) => {
                            group.extend_from_slice(between);
                            group.extend_from_slice(next);
                            at += 2;
                        }
                        (Some(Token::Space(between)), Some(next)) if begins_with_word(next) => {
                            group.extend_from_slice(between);
                            at += 1;
                            break;
                        }
                        _ => break,
                    }
                }
                let mut before = std::mem::take(&mut space);
                let room = match out.room(&before) {
                    room if room >= WORD_CHARS_MAX / 2 => room,
                    _ => LINE_CHARS_MAX.saturating_sub(before.len()),
                };
                for word in encoded(&group, declared, room, WORD_CHARS_MAX) {
                    out.put(&before, word.as_bytes());
                    before = b" ".to_vec();
                }
                is_word = true;
            }
        }
        at += 1;
    }
    out.put(&space, b"");
}

fn begins_with_word(token: &Token<'_>) -> bool {
    match token {
        Token::Word(_) => true,
        Token::Plain(text) => text.starts_with(b"=?"),
        _ => false,
    }
}

/// A comment with its parentheses, whose text is encoded.
fn comment(text: &[u8], declared: Option<&str>, space: &[u8], out: &mut Folded) {
    let inner = &text[1..text.len() - 1];
    let words = encoded(&unescaped(inner), declared, out.room(space).saturating_sub(2), WORD_CHARS_MAX - 2);
    let last = words.len().saturating_sub(1);
    for (index, word) in words.iter().enumerate() {
        let begin = if index == 0 { "(" } else { "" };
        let end = if index == last { ")" } else { "" };
        out.put(if index == 0 { space } else { b" " }, format!("{begin}{word}{end}").as_bytes());
    }
}

/// Without the backslashes that quote a character.
pub(super) fn unescaped(text: &[u8]) -> Vec<u8> {
    let (mut plain, mut is_escaped) = (Vec::with_capacity(text.len()), false);
    for byte in text {
        if *byte == b'\\' && !is_escaped {
            is_escaped = true;
        } else {
            plain.push(*byte);
            is_escaped = false;
        }
    }
    plain
}
