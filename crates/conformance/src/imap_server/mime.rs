//! As much of a message's structure as ENVELOPE, BODYSTRUCTURE, BODY[…] and SEARCH ask for. Anything it can't read it
//! takes for a part without parts.

use std::borrow::Cow;

use super::parse::{write_nstring, write_string};
use crate::base64;

/// Messages within messages and parts within parts are looked into so deep; what is deeper is one part.
const DEPTH_MAX: u32 = 50;
/// So many parts are told apart; the rest is part of the last.
const PARTS_MAX: usize = 10_000;

/// The header with the empty line that ends it.
pub(super) fn header_of(message: &[u8]) -> &[u8] {
    let mut start = 0;
    while let Some(end) = memchr::memchr(b'\n', &message[start..]) {
        let line = &message[start..start + end];
        start += end + 1;
        if line.is_empty() || line == b"\r" {
            return &message[..start];
        }
    }
    message
}

/// The fields of a header: name, value still folded, and all of it as it stands.
fn fields(header: &[u8]) -> Vec<(&[u8], &[u8], &[u8])> {
    let mut all = Vec::new();
    let mut start = 0;
    while start < header.len() {
        let mut end = start;
        // A field goes on as long as the next line begins with white space.
        loop {
            end += memchr::memchr(b'\n', &header[end..]).map_or(header.len() - end, |at| at + 1);
            if !matches!(header.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let field = &header[start..end];
        if let Some(colon) = memchr::memchr(b':', field) {
            all.push((field[..colon].trim_ascii_end(), &field[colon + 1..], field));
        }
        start = end;
    }
    all
}

/// A field's value in one line. None when there is no such field.
pub(super) fn field(header: &[u8], name: &str) -> Option<Vec<u8>> {
    let fields = fields(header);
    let (_, value, _) = fields.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name.as_bytes()))?;
    let unfolded: Vec<u8> = value.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    Some(unfolded.trim_ascii().to_vec())
}

/// The values of all fields of this name.
pub(super) fn all_fields(header: &[u8], name: &str) -> Vec<Vec<u8>> {
    let named = |known: &[u8]| known.eq_ignore_ascii_case(name.as_bytes());
    fields(header).into_iter().filter(|(known, ..)| named(known)).map(|(_, value, _)| value.to_vec()).collect()
}

/// The fields of these names, or all but these, as they stand, and the empty line.
fn chosen_fields(header: &[u8], names: &[String], but: bool) -> Vec<u8> {
    let chosen = |name: &[u8]| names.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name)) != but;
    let mut text: Vec<u8> = Vec::new();
    for (_, _, whole) in fields(header).into_iter().filter(|(name, ..)| chosen(name)) {
        text.extend_from_slice(whole);
    }
    text.extend_from_slice(b"\r\n");
    text
}

struct Part<'m> {
    header: &'m [u8],
    body: &'m [u8],
    kind: Kind<'m>,
    content_type: Parameters,
}

enum Kind<'m> {
    Basic,
    Multipart(Vec<Part<'m>>),
    Message(Box<Part<'m>>),
}

/// A value like `text/plain; charset=utf-8`.
#[derive(Default)]
struct Parameters {
    value: String,
    named: Vec<(String, String)>,
}

impl Parameters {
    fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let mut rest = text.as_ref();
        let mut pieces: Vec<String> = Vec::new();
        // Semicolons within quotes part nothing.
        while !rest.is_empty() {
            let mut quoted = false;
            let mut escaped = false;
            let end = rest.find(|c| {
                let ends = c == ';' && !quoted;
                quoted ^= c == '"' && !escaped;
                escaped = c == '\\' && quoted && !escaped;
                ends
            });
            let (piece, after) = end.map_or((rest, ""), |end| (&rest[..end], &rest[end + 1..]));
            pieces.push(piece.trim().to_owned());
            rest = after;
        }
        let mut pieces = pieces.into_iter();
        let value = pieces.next().unwrap_or_default();
        let named = pieces.filter_map(|piece| {
            let (name, value) = piece.split_once('=')?;
            let value = value.trim();
            let inner = value.strip_prefix('"').map(|v| v.strip_suffix('"').unwrap_or(v));
            let value = inner.map_or(value.to_owned(), |v| v.replace("\\\"", "\"").replace("\\\\", "\\"));
            Some((name.trim().to_owned(), value))
        });
        Self { value, named: named.collect() }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.named.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn write(&self) -> Vec<u8> {
        if self.named.is_empty() {
            return b"NIL".to_vec();
        }
        let pairs = self.named.iter().flat_map(|(name, value)| [name, value]);
        let words: Vec<Vec<u8>> = pairs.map(|word| write_string(word.as_bytes(), false)).collect();
        parenthesised(&words.join(&b' '))
    }
}

impl<'m> Part<'m> {
    fn parse(whole: &'m [u8], default_type: &str, depth: u32) -> Self {
        let header = header_of(whole);
        let body = &whole[header.len()..];
        let given = field(header, "Content-Type").map(|value| Parameters::parse(&value));
        let content_type = given.filter(|given| given.value.contains('/'));
        let content_type = content_type.unwrap_or_else(|| Parameters::parse(default_type.as_bytes()));
        let lower = content_type.value.to_ascii_lowercase();
        let kind = match (lower.split('/').next(), content_type.get("boundary")) {
            _ if depth >= DEPTH_MAX => Kind::Basic,
            (Some("multipart"), Some(boundary)) => {
                let inner = if lower == "multipart/digest" { "message/rfc822" } else { "text/plain" };
                let parts: Vec<Self> =
                    split(body, boundary).into_iter().map(|part| Self::parse(part, inner, depth + 1)).collect();
                if parts.is_empty() { Kind::Basic } else { Kind::Multipart(parts) }
            }
            _ if lower == "message/rfc822" => Kind::Message(Box::new(Self::parse(body, "text/plain", depth + 1))),
            _ => Kind::Basic,
        };
        Self { header, body, kind, content_type }
    }

    /// The part of this number, `1.2`, where this is a message.
    fn find(&self, path: &[u32]) -> Option<&Self> {
        let mut current = self;
        for (depth, number) in path.iter().enumerate() {
            // The numbers below a part that is a message are those of the message's parts.
            let whole = match &current.kind {
                Kind::Message(inner) if depth > 0 => inner,
                _ => current,
            };
            current = match &whole.kind {
                Kind::Multipart(parts) => parts.get(*number as usize - 1)?,
                _ if *number == 1 => whole,
                _ => return None,
            };
        }
        Some(current)
    }

    fn structure(&self, extended: bool) -> Vec<u8> {
        let mut words: Vec<Vec<u8>> = Vec::new();
        let header = |name| write_nstring(field(self.header, name).as_deref(), false);
        if let Kind::Multipart(parts) = &self.kind {
            words.push(parts.iter().flat_map(|part| part.structure(extended)).collect());
            let subtype = self.content_type.value.split_once('/').map_or("mixed", |(_, subtype)| subtype);
            words.push(write_string(subtype.as_bytes(), false));
            if extended {
                words.push(self.content_type.write());
            }
        } else {
            let (main, subtype) = self.content_type.value.split_once('/').unwrap_or(("text", "plain"));
            words.push(write_string(main.as_bytes(), false));
            words.push(write_string(subtype.as_bytes(), false));
            words.push(self.content_type.write());
            words.push(header("Content-Id"));
            words.push(header("Content-Description"));
            let encoding = field(self.header, "Content-Transfer-Encoding").unwrap_or_else(|| b"7bit".to_vec());
            words.push(write_string(&encoding, false));
            words.push(self.body.len().to_string().into_bytes());
            let lines = || memchr::memchr_iter(b'\n', self.body).count().to_string().into_bytes();
            if let Kind::Message(inner) = &self.kind {
                words.extend([envelope(inner.header), inner.structure(extended), lines()]);
            } else if main.eq_ignore_ascii_case("text") {
                words.push(lines());
            }
            if extended {
                words.push(header("Content-MD5"));
            }
        }
        if extended {
            let disposition = field(self.header, "Content-Disposition").map(|value| Parameters::parse(&value));
            words.push(disposition.map_or_else(
                || b"NIL".to_vec(),
                |d| parenthesised(&[write_string(d.value.as_bytes(), false), d.write()].join(&b' ')),
            ));
            words.push(header("Content-Language"));
            words.push(header("Content-Location"));
        }
        parenthesised(&words.join(&b' '))
    }
}

/// What lies between the lines of a boundary.
fn split<'m>(body: &'m [u8], boundary: &str) -> Vec<&'m [u8]> {
    let mut parts = Vec::new();
    let mut open: Option<usize> = None;
    let mut start = 0;
    while start < body.len() {
        let end = memchr::memchr(b'\n', &body[start..]).map_or(body.len(), |at| start + at + 1);
        let marker = body[start..end].strip_prefix(b"--").and_then(|rest| rest.strip_prefix(boundary.as_bytes()));
        if let Some(after) = marker.map(<[u8]>::trim_ascii_end).filter(|after| matches!(*after, b"" | b"--")) {
            if let Some(from) = open {
                // The line end before a boundary belongs to the boundary.
                let part = &body[from..start];
                let part = part.strip_suffix(b"\r\n").or_else(|| part.strip_suffix(b"\n")).unwrap_or(part);
                parts.push(part);
            }
            open = (after.is_empty() && parts.len() < PARTS_MAX).then_some(end);
            if open.is_none() {
                return parts;
            }
        }
        start = end;
    }
    parts.extend(open.map(|from| &body[from..]));
    parts
}

fn parenthesised(inner: &[u8]) -> Vec<u8> {
    [b"(", inner, b")"].concat()
}

/// BODY or BODYSTRUCTURE.
pub(super) fn structure(message: &[u8], extended: bool) -> Vec<u8> {
    Part::parse(message, "text/plain", 0).structure(extended)
}

/// ENVELOPE.
pub(super) fn envelope(header: &[u8]) -> Vec<u8> {
    let text = |name| write_nstring(field(header, name).as_deref(), false);
    let from = addresses(header, "From");
    let or_from = |name| Some(addresses(header, name)).filter(|list| list != b"NIL").unwrap_or_else(|| from.clone());
    let words = [
        text("Date"),
        text("Subject"),
        from.clone(),
        or_from("Sender"),
        or_from("Reply-To"),
        addresses(header, "To"),
        addresses(header, "Cc"),
        addresses(header, "Bcc"),
        text("In-Reply-To"),
        text("Message-ID"),
    ];
    parenthesised(&words.join(&b' '))
}

/// The addresses of all fields of this name as ENVELOPE has them.
fn addresses(header: &[u8], name: &str) -> Vec<u8> {
    let values = all_fields(header, name);
    let mut list: Vec<u8> = Vec::new();
    for value in values {
        let text = String::from_utf8_lossy(&value).replace(['\r', '\n'], "");
        for one in split_addresses(&text) {
            list.extend(write_address(one.trim()));
        }
    }
    if list.is_empty() { b"NIL".to_vec() } else { parenthesised(&list) }
}

/// Addresses as they are parted by commas, groups opened up: their names and ends stand alone.
fn split_addresses(text: &str) -> Vec<String> {
    let (mut quoted, mut escaped, mut comment, mut angle) = (false, false, 0u32, false);
    let mut all = vec![String::new()];
    for c in text.chars() {
        let plain = !quoted && comment == 0 && !angle;
        match c {
            ',' if plain => all.push(String::new()),
            ':' if plain => {
                if let Some(last) = all.last_mut() {
                    last.push(':');
                }
                all.push(String::new());
            }
            ';' if plain => all.extend([";".to_owned(), String::new()]),
            _ => {
                if let Some(last) = all.last_mut() {
                    last.push(c);
                }
            }
        }
        if escaped {
            escaped = false;
            continue;
        }
        match c {
            '\\' => escaped = true,
            '"' if comment == 0 => quoted = !quoted,
            '(' if !quoted => comment += 1,
            ')' if !quoted => comment = comment.saturating_sub(1),
            '<' if !quoted && comment == 0 => angle = true,
            '>' => angle = false,
            _ => {}
        }
    }
    all.retain(|one| !one.trim().is_empty());
    all
}

fn write_address(text: &str) -> Vec<u8> {
    if text == ";" {
        return b"(NIL NIL NIL NIL)".to_vec();
    }
    let nstring = |text: Option<&str>| write_nstring(text.map(str::as_bytes), false);
    if let Some(group) = text.strip_suffix(':') {
        return parenthesised(
            &[b"NIL".to_vec(), b"NIL".to_vec(), nstring(Some(group.trim())), b"NIL".to_vec()].join(&b' '),
        );
    }
    let unquoted = |name: &str| {
        let name = name.trim();
        let inner = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
        inner.map_or(name.to_owned(), |inner| inner.replace("\\\"", "\"").replace("\\\\", "\\"))
    };
    let (name, address) = match (text.rfind('<'), text.find('(')) {
        (Some(open), _) => (unquoted(&text[..open]), text[open + 1..].trim_end_matches('>').trim()),
        (None, Some(open)) => (text[open + 1..].trim_end().trim_end_matches(')').to_owned(), text[..open].trim()),
        (None, None) => (String::new(), text),
    };
    let (mailbox, host) = address.rsplit_once('@').map_or((address, None), |(mailbox, host)| (mailbox, Some(host)));
    let name = nstring(Some(name.as_str()).filter(|name| !name.is_empty()));
    let host = nstring(Some(host.unwrap_or("MISSING_DOMAIN")));
    parenthesised(&[name, b"NIL".to_vec(), nstring(Some(mailbox)), host].join(&b' '))
}

/// What of a message BODY[…] asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    /// The numbers of a part; none for the message itself.
    pub(super) path: Vec<u32>,
    pub(super) text: SectionText,
}

/// What of the part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum SectionText {
    #[default]
    All,
    Header,
    Fields(Vec<String>),
    FieldsNot(Vec<String>),
    Text,
    Mime,
}

/// The bytes of a section. None when the message has no such part.
pub(super) fn section<'m>(message: &'m [u8], section: &Section) -> Option<Cow<'m, [u8]>> {
    // The usual ones need no look at the parts.
    if section.path.is_empty() {
        let header = header_of(message);
        return Some(match &section.text {
            SectionText::All => Cow::Borrowed(message),
            SectionText::Text => Cow::Borrowed(&message[header.len()..]),
            SectionText::Fields(names) => Cow::Owned(chosen_fields(header, names, false)),
            SectionText::FieldsNot(names) => Cow::Owned(chosen_fields(header, names, true)),
            SectionText::Header | SectionText::Mime => Cow::Borrowed(header),
        });
    }
    let whole = Part::parse(message, "text/plain", 0);
    let part = whole.find(&section.path)?;
    let inner = match &part.kind {
        Kind::Message(inner) => Some(inner),
        _ => None,
    };
    Some(match &section.text {
        SectionText::All => Cow::Borrowed(part.body),
        SectionText::Mime => Cow::Borrowed(part.header),
        SectionText::Header => Cow::Borrowed(inner?.header),
        SectionText::Text => Cow::Borrowed(inner?.body),
        SectionText::Fields(names) => Cow::Owned(chosen_fields(inner?.header, names, false)),
        SectionText::FieldsNot(names) => Cow::Owned(chosen_fields(inner?.header, names, true)),
    })
}

/// A part without its transfer encoding, as BINARY has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    Bytes(Vec<u8>),
    /// The message has no such part.
    NoPart,
    /// The encoding is one that nobody knows, or the part is not encoded as it says.
    Unknown,
}

pub(super) fn decoded(message: &[u8], path: &[u32]) -> Decoded {
    if path.is_empty() {
        return Decoded::Bytes(message.to_vec());
    }
    let whole = Part::parse(message, "text/plain", 0);
    let Some(part) = whole.find(path) else { return Decoded::NoPart };
    let encoding = field(part.header, "Content-Transfer-Encoding").unwrap_or_default().to_ascii_lowercase();
    let bytes = match encoding.as_slice() {
        b"" | b"7bit" | b"8bit" | b"binary" => Some(part.body.to_vec()),
        b"base64" => {
            let digits: Vec<u8> = part.body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
            base64::decode(&digits)
        }
        b"quoted-printable" => Some(unquoted_printable(part.body)),
        _ => None,
    };
    bytes.map_or(Decoded::Unknown, Decoded::Bytes)
}

fn unquoted_printable(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'=' {
            bytes.push(*byte);
            continue;
        }
        let hex = after.get(..2).and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        if let Some(decoded) = hex {
            bytes.push(decoded);
            rest = &after[2..];
        } else if let Some(after) = after.strip_prefix(b"\r\n").or_else(|| after.strip_prefix(b"\n")) {
            rest = after;
        } else {
            bytes.push(b'=');
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const NESTED: &[u8] =
        b"From: \"A. \\\"B\\\"\" <a@x.test>, c@y.test (C)\r\nTo: Team: d@z.test;\r\nSubject: s\r\n t\r\n\
        Content-Type: multipart/mixed; boundary=\"o;\"\r\n\r\npreamble\r\n--o;\r\n\r\none\r\n--o;\r\n\
        Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nhello\r\n--o;\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\na=3Db=\r\nc\r\n--o;--\r\nepilogue";

    fn get(path: &[u32], text: SectionText) -> Option<String> {
        let found = section(NESTED, &Section { path: path.to_vec(), text })?;
        Some(String::from_utf8(found.into_owned()).unwrap())
    }

    #[test]
    fn parts_are_found_by_their_numbers() {
        assert_eq!(get(&[1], SectionText::All).unwrap(), "one");
        assert_eq!(get(&[2], SectionText::All).unwrap(), "Subject: inner\r\n\r\nhello");
        assert_eq!(get(&[2], SectionText::Header).unwrap(), "Subject: inner\r\n\r\n");
        assert_eq!(get(&[2, 1], SectionText::All).unwrap(), "hello");
        assert_eq!(get(&[2], SectionText::Text).unwrap(), "hello");
        assert_eq!(get(&[4], SectionText::All), None);
        assert_eq!(get(&[1], SectionText::Header), None);
        assert_eq!(get(&[], SectionText::Fields(vec!["subject".into()])).unwrap(), "Subject: s\r\n t\r\n\r\n");
        assert_eq!(decoded(NESTED, &[3]), Decoded::Bytes(b"a=bc".to_vec()));
    }

    #[test]
    fn envelope_and_structure_are_written_as_the_grammar_has_them() {
        assert_eq!(
            String::from_utf8(envelope(header_of(NESTED))).unwrap(),
            "(NIL \"s t\" ((\"A. \\\"B\\\"\" NIL \"a\" \"x.test\")(\"C\" NIL \"c\" \"y.test\")) \
             ((\"A. \\\"B\\\"\" NIL \"a\" \"x.test\")(\"C\" NIL \"c\" \"y.test\")) \
             ((\"A. \\\"B\\\"\" NIL \"a\" \"x.test\")(\"C\" NIL \"c\" \"y.test\")) \
             ((NIL NIL \"Team\" NIL)(NIL NIL \"d\" \"z.test\")(NIL NIL NIL NIL)) NIL NIL NIL NIL)"
        );
        let structure = String::from_utf8(structure(NESTED, false)).unwrap();
        assert_eq!(
            structure,
            "((\"text\" \"plain\" NIL NIL NIL \"7bit\" 3 0)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 23 \
             (NIL \"inner\" NIL NIL NIL NIL NIL NIL NIL NIL) (\"text\" \"plain\" NIL NIL NIL \"7bit\" 5 0) 2)\
             (\"text\" \"plain\" NIL NIL NIL \"quoted-printable\" 9 1) \"mixed\")"
        );
    }

    #[test]
    fn nothing_is_too_deep_or_too_odd() {
        let deep = "Content-Type: message/rfc822\r\n\r\n".repeat(100_000);
        assert!(structure(deep.as_bytes(), true).len() > 100);
        for odd in [&b""[..], b"\n", b"no header", b"Content-Type: multipart/mixed; boundary=\"\r\n\r\n--\r\n--"] {
            assert!(structure(odd, true).starts_with(b"("));
            assert!(envelope(header_of(odd)).starts_with(b"("));
        }
    }
}
