//! A header field without bytes above 127: what they say stands in it as encoded words (RFC 2047) where a text or a
//! person's name may, as parameters with a charset (RFC 2231) in content fields, and as a group without members where an
//! address has such bytes (RFC 6857, 3.1).

use super::WhyNot;
use super::words::{self, Folded, Token, boundary, charset, is_space, raw, tokens};
use crate::header::{Field, parameter, readings, segments};

/// Fields of addresses.
const ADDRESSES: [&[u8]; 17] = [
    b"from",
    b"sender",
    b"reply-to",
    b"to",
    b"cc",
    b"bcc",
    b"resent-from",
    b"resent-sender",
    b"resent-reply-to",
    b"resent-to",
    b"resent-cc",
    b"resent-bcc",
    b"return-receipt-to",
    b"disposition-notification-to",
    b"errors-to",
    b"mail-reply-to",
    b"mail-followup-to",
];
/// Fields in which something in parentheses is a comment.
const WITH_COMMENTS: [&[u8]; 12] = [
    b"received",
    b"date",
    b"resent-date",
    b"message-id",
    b"resent-message-id",
    b"in-reply-to",
    b"references",
    b"mime-version",
    b"content-id",
    b"content-transfer-encoding",
    b"authentication-results",
    b"received-spf",
];
/// A parameter in a line of its own has at most so many characters.
const PARAMETER_CHARS_MAX: usize = 74;

pub(super) fn is_of_addresses(name: &[u8]) -> bool {
    ADDRESSES.contains(&name)
}

pub(super) fn has_parameters(name: &[u8]) -> bool {
    matches!(name, b"content-type" | b"content-disposition")
}

/// A field with more parameters than this is taken for text.
const PARAMETERS_MAX: usize = 200;

/// The field with its name, a colon and this value, which has no line ends; in lines.
pub(super) fn encode(begin: &[u8], value: &[u8], declared: Option<&str>, end: &'static str) -> Result<Vec<u8>, WhyNot> {
    let mut out = Folded::new(begin, end);
    let name = begin.strip_suffix(b":").unwrap_or_default().trim_ascii_end().to_ascii_lowercase();
    if has_parameters(&name) {
        parameters(value, declared, &mut out)?;
    } else if is_of_addresses(&name) {
        let found = addresses(value).unwrap_or_else(|| tokens(value));
        words::write(&found, declared, &mut out);
    } else if WITH_COMMENTS.contains(&name.as_slice()) {
        words::write(&with_comments(value), declared, &mut out);
    } else {
        words::write(&tokens(value), declared, &mut out);
    }
    Ok(out.text)
}

/// The end of a comment or a quotation that the text begins with.
fn end_of(text: &[u8], opens: u8, closes: u8) -> Option<usize> {
    let (mut depth, mut is_escaped) = (0u32, false);
    for (at, byte) in text.iter().enumerate() {
        match *byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            byte if byte == closes && depth > 0 => {
                depth = if opens == closes { 0 } else { depth - 1 };
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            byte if byte == opens => depth += 1,
            _ => {}
        }
    }
    None
}

/// Words and comments of a structured field.
fn with_comments(value: &[u8]) -> Vec<Token<'_>> {
    let (mut found, mut rest) = (Vec::new(), value);
    while let Some(at) = memchr::memchr(b'(', rest) {
        let Some(len) = end_of(&rest[at..], b'(', b')') else { break };
        found.extend(tokens(&rest[..at]));
        found.push(comment(&rest[at..at + len]));
        rest = &rest[at + len..];
    }
    found.extend(tokens(rest));
    found
}

fn comment(text: &[u8]) -> Token<'_> {
    if text.is_ascii() { Token::Plain(text.into()) } else { Token::Comment(text.into()) }
}

/// A piece of an address list.
enum Piece<'a> {
    Space(&'a [u8]),
    Atom(&'a [u8]),
    Quoted(&'a [u8]),
    Comment(&'a [u8]),
    Angle(&'a [u8]),
    /// A comma, a colon or a semicolon.
    Mark(&'a [u8]),
}

/// The pieces of an address list; none where a quotation, a comment or an address does not end.
fn pieces(value: &[u8]) -> Option<Vec<Piece<'_>>> {
    let (mut found, mut rest) = (Vec::new(), value);
    while let Some(&first) = rest.first() {
        let (len, make): (usize, fn(&[u8]) -> Piece<'_>) = match first {
            b'"' => (end_of(rest, b'"', b'"')?, |text| Piece::Quoted(text)),
            b'(' => (end_of(rest, b'(', b')')?, |text| Piece::Comment(text)),
            b'<' => (memchr::memchr(b'>', rest)? + 1, |text| Piece::Angle(text)),
            b',' | b':' | b';' => (1, |text| Piece::Mark(text)),
            byte if is_space(byte) => {
                (rest.iter().position(|byte| !is_space(*byte)).unwrap_or(rest.len()), |text| Piece::Space(text))
            }
            _ => (atom_len(rest), |text| Piece::Atom(text)),
        };
        found.push(make(&rest[..len]));
        rest = &rest[len..];
    }
    Some(found)
}

fn atom_len(text: &[u8]) -> usize {
    let mut is_literal = false;
    let ends = |byte: &u8| {
        match byte {
            b'[' => is_literal = true,
            b']' => is_literal = false,
            _ => {}
        }
        is_space(*byte) || matches!(byte, b'"' | b'(' | b'<' | b',') || (!is_literal && matches!(byte, b':' | b';'))
    };
    text.iter().position(ends).unwrap_or(text.len()).max(1)
}

/// The tokens of an address list; none where it is none.
fn addresses(value: &[u8]) -> Option<Vec<Token<'_>>> {
    let pieces = pieces(value)?;
    let mut found = Vec::new();
    let mut is_group = false;
    for run in pieces.split_inclusive(|piece| matches!(piece, Piece::Mark(_))) {
        let (mailbox, mark) = match run.split_last() {
            Some((Piece::Mark(mark), mailbox)) => (mailbox, Some(*mark)),
            _ => (run, None),
        };
        mailbox_tokens(mailbox, is_group, &mut found);
        if let Some(mark) = mark {
            match found.last_mut() {
                // In one line with what it stands behind.
                Some(Token::Plain(last)) => last.to_mut().extend_from_slice(mark),
                _ => found.push(Token::Plain(mark.into())),
            }
            is_group = mark == b":" || (is_group && mark != b";");
        }
    }
    Some(found)
}

fn mailbox_tokens<'a>(mailbox: &[Piece<'a>], is_group: bool, found: &mut Vec<Token<'a>>) {
    let has_angle = mailbox.iter().any(|piece| matches!(piece, Piece::Angle(_)));
    let is_address = |piece: &Piece<'_>| matches!(piece, Piece::Atom(text) if text.contains(&b'@'));
    let is_raw = |piece: &Piece<'_>| matches!(piece, Piece::Atom(text) | Piece::Quoted(text) if !text.is_ascii());
    // An address on its own, with such bytes in it.
    let is_bare = !has_angle && mailbox.iter().any(is_address) && mailbox.iter().any(is_raw);
    for piece in mailbox {
        match piece {
            Piece::Space(text) => found.push(Token::Space((*text).into())),
            Piece::Comment(text) => found.push(comment(text)),
            Piece::Atom(text) | Piece::Quoted(text) if is_bare => found.push(Token::Raw((*text).into())),
            Piece::Atom(text) => found.extend(tokens(text)),
            Piece::Quoted(text) if text.is_ascii() => found.push(Token::Plain((*text).into())),
            Piece::Quoted(text) if text.contains(&b'\\') => {
                found.push(Token::Raw(words::unescaped(&text[1..text.len() - 1]).into()));
            }
            Piece::Quoted(text) => raw(&text[1..text.len() - 1], found),
            Piece::Angle(text) | Piece::Mark(text) if text.is_ascii() => found.push(Token::Plain((*text).into())),
            Piece::Angle(text) | Piece::Mark(text) => found.push(Token::Raw((*text).into())),
        }
    }
    let is_angle = |piece: &Piece<'_>| matches!(piece, Piece::Angle(text) if !text.is_ascii());
    if (is_bare || mailbox.iter().any(is_angle)) && !is_group {
        found.push(Token::Space(b" "[..].into()));
        found.push(Token::Plain(b":;"[..].into()));
    }
}

/// A content field's value with its parameters.
fn parameters(value: &[u8], declared: Option<&str>, out: &mut Folded) -> Result<(), WhyNot> {
    let segments = segments(value);
    let is_whole = segments.iter().map(|segment| segment.len() + 1).sum::<usize>() == value.len() + 1;
    if !is_whole || segments.len() > PARAMETERS_MAX {
        // A quotation that does not end: where parameters end is not known. Or there are more than anyone reads.
        words::write(&with_comments(value), declared, out);
        return Ok(());
    }
    let base_of = |segment: &[u8]| {
        let (name, _) = parameter(segment)?;
        Some(name.split('*').next().unwrap_or_default().to_owned())
    };
    let mut done: Vec<String> = Vec::new();
    let mut is_first = true;
    for segment in &segments {
        let space: Vec<u8> = segment.iter().copied().take_while(|byte| is_space(*byte)).collect();
        let text = segment.trim_ascii();
        let base = if is_first { None } else { base_of(segment).filter(|base| base.is_ascii()) };
        if base.as_ref().is_some_and(|base| done.contains(base)) && text.contains(&b'*') {
            continue;
        }
        let mut all = Vec::new();
        if text.is_ascii() && !base.as_ref().is_some_and(|base| has_raw_pieces(&segments, base) && text.contains(&b'*'))
        {
            all.push(text.to_vec());
        } else if let (Some((name, bytes)), Some(base)) = (parameter(segment).filter(is_readable), base) {
            if base == "boundary" {
                return Err(WhyNot::Boundary);
            }
            if name.contains('*') {
                let (named, bytes) = Field::read(value).pieced(&base).unwrap_or_default();
                all = extended(&base, &bytes, named.as_deref().filter(|named| is_label(named)), declared);
                done.push(base);
            } else {
                let bytes = readings(&bytes).into_iter().next().unwrap_or_default();
                let mut inner = Vec::new();
                raw(&bytes, &mut inner);
                if inner.iter().any(|token| matches!(token, Token::Word(_))) {
                    // Whoever reads the encoded words in it reads more of them.
                    let space: &[u8] = if space.is_empty() { b" " } else { &space };
                    out.put(b"", b";");
                    out.begin_line();
                    out.put(space, format!("{base}=\"").as_bytes());
                    words::write(&inner, declared, out);
                    out.put(b"", b"\"");
                    continue;
                }
                if segments.iter().any(|other| is_piece_of(other, &base)) {
                    // Its other form counts, and this one is for programs that do not know that one.
                    let words = words::encoded(&bytes, declared, 0, 75).join(" ");
                    all.push(format!("{base}=\"{words}\"").into_bytes());
                } else {
                    all = extended(&base, &bytes, None, declared);
                }
            }
        } else {
            if !is_first {
                out.put(b"", b";");
            }
            let inner: Vec<Token<'_>> =
                std::iter::once(Token::Space(space.into())).chain(with_comments(text)).collect();
            words::write(&inner, declared, out);
            is_first = false;
            continue;
        }
        for text in all {
            if !is_first {
                out.put(b"", b";");
            }
            let space: &[u8] = if space.is_empty() { b" " } else { &space };
            out.put(if text.is_empty() { b"" } else { space }, &text);
            is_first = false;
        }
    }
    Ok(())
}

/// Do all such bytes stand in what the parameter is read as?
fn is_readable(parameter: &(String, Vec<u8>)) -> bool {
    let count = |bytes: &[u8]| bytes.iter().filter(|byte| !byte.is_ascii()).count();
    readings(&parameter.1).first().is_some_and(|reading| count(reading) == count(&parameter.1))
}

fn is_label(label: &str) -> bool {
    label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:+".contains(&byte))
}

fn is_piece_of(segment: &[u8], base: &str) -> bool {
    parameter(segment).is_some_and(|(name, _)| name.strip_prefix(base).is_some_and(|rest| rest.starts_with('*')))
}

fn has_raw_pieces(segments: &[&[u8]], base: &str) -> bool {
    segments.iter().any(|segment| !segment.is_ascii() && is_piece_of(segment, base))
}

/// A parameter with its charset, in pieces where it is long.
fn extended(base: &str, bytes: &[u8], named: Option<&str>, declared: Option<&str>) -> Vec<Vec<u8>> {
    let charset = named.unwrap_or_else(|| charset(bytes, declared));
    let percent = |bytes: &[u8]| -> String {
        let one = |byte: &u8| match *byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~!#$&+^`{}".contains(&byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        };
        bytes.iter().map(one).collect()
    };
    let base: String = base.chars().filter(char::is_ascii_graphic).collect();
    let whole = format!("{base}*={charset}''{}", percent(bytes));
    if whole.len() <= PARAMETER_CHARS_MAX {
        return vec![whole.into_bytes()];
    }
    let (mut pieces, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let begin = match pieces.len() {
            0 => format!("{base}*0*={charset}''"),
            index => format!("{base}*{index}*="),
        };
        let mut room = PARAMETER_CHARS_MAX.saturating_sub(begin.len()).max(12);
        let mut fits = 0;
        for byte in rest {
            let size = percent(std::slice::from_ref(byte)).len();
            if size > room {
                break;
            }
            room -= size;
            fits += 1;
        }
        let (piece, behind) = rest.split_at(boundary(rest, fits, charset));
        pieces.push(format!("{begin}{}", percent(piece)).into_bytes());
        rest = behind;
    }
    pieces
}
