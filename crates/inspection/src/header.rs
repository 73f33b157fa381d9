//! Content header fields: what a part says that it is.
//!
//! A field that stands twice, a quotation that does not end, a parameter cut into pieces: programs that show mail differ
//! in how they read these. So a name is read in each way that one of them may, and whatever differs where it matters is
//! told ([`Content::is_ambiguous`]).

use std::collections::BTreeMap;

use crate::charset;
use crate::decode::Encoding;
use crate::rules::Seal;

/// Pieces that a parameter may be cut into.
const PIECES_MAX: usize = 1_000;
/// Names of one part, in all readings, at most.
const NAMES_MAX: usize = 60;
/// A boundary longer than this is none; RFC 2046 allows 70 bytes.
pub(crate) const BOUNDARY_BYTES_MAX: usize = 900;

/// The content fields of a header as they stand, unfolded, without their names.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) kinds: Vec<Vec<u8>>,
    pub(crate) dispositions: Vec<Vec<u8>>,
    pub(crate) encodings: Vec<Vec<u8>>,
    /// Something did not fit.
    pub(crate) is_cut: bool,
    /// A content field stands behind a line that is no header field: some readers take it for text.
    pub(crate) is_broken: bool,
}

/// What a part says that it is.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    /// The media type, in small letters.
    pub(crate) mime: String,
    /// All types that its fields name, where there is more than one.
    pub(crate) mimes: Vec<String>,
    /// Its name, in every reading; the likeliest first.
    pub(crate) names: Vec<String>,
    pub(crate) encoding: Encoding,
    /// The encoding's name is not known.
    pub(crate) is_unknown_encoding: bool,
    /// What separates its parts.
    pub(crate) boundary: Option<Vec<u8>>,
    /// The charset that it names.
    pub(crate) charset: Option<String>,
    /// Its encoding is `binary`: it may not be in lines.
    pub(crate) is_binary: bool,
    /// It says that it is an attachment.
    pub(crate) is_attachment: bool,
    pub(crate) seal: Option<Seal>,
    /// Readers may differ about what it is.
    pub(crate) is_ambiguous: bool,
}

impl Content {
    /// Reads the fields; without any a part is of the default type.
    pub(crate) fn read(fields: &Fields, default: &str) -> Self {
        let kinds: Vec<Field> = fields.kinds.iter().map(|field| Field::read(field)).collect();
        let dispositions: Vec<Field> = fields.dispositions.iter().map(|field| Field::read(field)).collect();
        let valid = |field: &Field| {
            let mut halves = field.value.split('/');
            let is_half = |half: Option<&str>| half.is_some_and(|half| !half.is_empty());
            is_half(halves.next()) && is_half(halves.next()) && halves.next().is_none()
        };
        let mime_of = |field: &Field| if valid(field) { field.value.clone() } else { "text/plain".to_owned() };
        let mut mimes: Vec<String> = kinds.iter().map(mime_of).collect();
        let boundary_of = |field: &Field| {
            let readings = field.value.starts_with("multipart/").then(|| field.readings("boundary"))?;
            let first = readings.into_iter().next()?;
            // White space at a boundary's end is not part of it.
            let first = first.trim_ascii_end().to_vec();
            (!first.is_empty() && first.len() <= BOUNDARY_BYTES_MAX).then_some(first)
        };
        let boundaries: Vec<(usize, Vec<u8>)> =
            kinds.iter().enumerate().filter_map(|(index, field)| Some((index, boundary_of(field)?))).collect();
        let mut is_ambiguous = mimes.iter().any(|mime| *mime != mimes[0])
            || boundaries.windows(2).any(|pair| pair[0].1 != pair[1].1)
            || fields.encodings.windows(2).any(|pair| encoding_name(&pair[0]) != encoding_name(&pair[1]))
            || fields.is_broken;
        // The first field counts, unless only another one says that there are parts: they are looked at.
        let chosen = boundaries.first().map_or(0, |(index, _)| *index);
        let mime = mimes.get(chosen).cloned().unwrap_or_else(|| default.to_owned());
        mimes.dedup();
        let mut names: Vec<String> = Vec::new();
        let of_kinds = kinds.iter().flat_map(|field| field.texts("name"));
        let of_dispositions = dispositions.iter().flat_map(|field| field.texts("filename"));
        // Some senders take the one's parameter for the other's.
        let crossed = kinds.iter().flat_map(|field| field.texts("filename"));
        let crossed = crossed.chain(dispositions.iter().flat_map(|field| field.texts("name")));
        for name in of_dispositions.chain(of_kinds).chain(crossed) {
            if names.len() == NAMES_MAX {
                is_ambiguous = true;
                break;
            }
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
        let encoding = fields.encodings.first().map(|field| encoding_name(field)).unwrap_or_default();
        let known = Encoding::named(&encoding);
        Self {
            seal: kinds.get(chosen).and_then(|field| seal(&mime, field)),
            mime,
            mimes,
            names,
            encoding: known.unwrap_or(Encoding::Identity),
            is_unknown_encoding: known.is_none(),
            charset: kinds.get(chosen).and_then(|field| field.texts("charset").into_iter().next()),
            is_binary: encoding == "binary",
            boundary: boundaries.into_iter().next().map(|(_, boundary)| boundary),
            is_attachment: dispositions.iter().any(|field| field.value == "attachment"),
            is_ambiguous,
        }
    }

    /// Is it meant to be a file rather than to be read in its place?
    pub(crate) fn is_file(&self) -> bool {
        self.is_attachment || !self.names.is_empty()
    }
}

fn encoding_name(field: &[u8]) -> String {
    Field::read(field).value
}

/// The seal that a part of this type puts on what it holds.
fn seal(mime: &str, field: &Field) -> Option<Seal> {
    let text = |name: &str| field.texts(name).into_iter().next().unwrap_or_default().to_ascii_lowercase();
    Some(match mime {
        "multipart/signed" if text("protocol").contains("pgp") => Seal::PgpSigned,
        "multipart/signed" => Seal::SmimeSigned,
        "multipart/encrypted" => Seal::PgpEncrypted,
        "application/pkcs7-mime" | "application/x-pkcs7-mime" => match text("smime-type").as_str() {
            "signed-data" | "signed-receipt" | "certs-only" | "compressed-data" => Seal::SmimeOpaque,
            _ => Seal::SmimeEncrypted,
        },
        _ => return None,
    })
}

/// A field with parameters.
#[derive(Debug)]
pub(crate) struct Field {
    /// What stands before the first semicolon, in small letters.
    value: String,
    /// Names of parameters in small letters, and what is behind their `=`.
    parameters: Vec<(String, Vec<u8>)>,
}

impl Field {
    pub(crate) fn read(field: &[u8]) -> Self {
        let mut segments = segments(field).into_iter();
        let first = segments.next().unwrap_or_default();
        let value = String::from_utf8_lossy(without_comments(first).trim_ascii()).to_ascii_lowercase();
        let value: String = value.chars().filter(|c| !c.is_control() && *c != '"').collect();
        let mut parameters = Vec::new();
        let (word, rest) = value.split_once(char::is_whitespace).unwrap_or((&value, ""));
        // A careless sender leaves out the first semicolon.
        if rest.contains('=')
            && let Some(at) = first.iter().position(|byte| *byte == b'=')
        {
            let begin = first[..at].trim_ascii_end().iter().rposition(u8::is_ascii_whitespace).unwrap_or(0);
            parameters.extend(parameter(&first[begin..]));
        }
        parameters.extend(segments.filter_map(parameter));
        Self { value: word.to_owned(), parameters }
    }

    /// What a parameter that is written out may mean, as bytes; the likeliest first.
    fn readings(&self, name: &str) -> Vec<Vec<u8>> {
        let pieced = self.pieced(name).map(|(_, bytes)| bytes);
        let whole = self.parameters.iter().filter(|(known, _)| known == name);
        whole.flat_map(|(_, raw)| readings(raw)).chain(pieced).collect()
    }

    /// What a parameter that is a text may mean; the likeliest first.
    fn texts(&self, name: &str) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        if let Some((charset, bytes)) = self.pieced(name) {
            texts.push(charset.map_or_else(|| charset::words(&bytes), |charset| charset::text(&charset, &bytes)));
        }
        let whole = self.parameters.iter().filter(|(known, _)| known == name);
        texts.extend(whole.flat_map(|(_, raw)| readings(raw)).map(|reading| charset::words(&reading)));
        texts
    }

    /// A parameter in pieces or with a charset (RFC 2231): `name*`, `name*0`, `name*1*`.
    pub(crate) fn pieced(&self, name: &str) -> Option<(Option<String>, Vec<u8>)> {
        let mut pieces: BTreeMap<u32, (bool, &[u8])> = BTreeMap::new();
        for (known, raw) in &self.parameters {
            let Some(rest) = known.strip_prefix(name).and_then(|rest| rest.strip_prefix('*')) else { continue };
            let (index, is_escaped) = match rest.strip_suffix('*') {
                Some(index) => (index, true),
                None => (rest, rest.is_empty()),
            };
            let index = if index.is_empty() { 0 } else { index.trim().parse().ok()? };
            if pieces.len() < PIECES_MAX {
                pieces.entry(index).or_insert((is_escaped, raw));
            }
        }
        if pieces.is_empty() {
            return None;
        }
        let (mut charset, mut whole) = (None, Vec::new());
        for (place, (_, (is_escaped, raw))) in pieces.into_iter().enumerate() {
            let plain = readings(raw).into_iter().next().unwrap_or_default();
            if !is_escaped {
                whole.extend_from_slice(&plain);
                continue;
            }
            let mut parts = plain.splitn(3, |byte| *byte == b'\'');
            match (place, parts.next(), parts.next(), parts.next()) {
                (0, Some(named), Some(_), Some(rest)) => {
                    charset = Some(String::from_utf8_lossy(named).into_owned()).filter(|named| !named.is_empty());
                    whole.extend_from_slice(&charset::percent(rest));
                }
                _ => whole.extend_from_slice(&charset::percent(&plain)),
            }
        }
        Some((charset, whole))
    }
}

/// A field cut at its semicolons, but not at quoted ones.
pub(crate) fn segments(field: &[u8]) -> Vec<&[u8]> {
    let (mut segments, mut start, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in field.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b';' if !is_quoted => {
                segments.push(&field[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    segments.push(&field[start..]);
    // A quotation that does not end swallows what follows it; some readers end it at the semicolon.
    if is_quoted && let Some(last) = segments.last().copied() {
        segments.extend(last.split(|byte| *byte == b';').skip(1));
    }
    segments
}

pub(crate) fn parameter(segment: &[u8]) -> Option<(String, Vec<u8>)> {
    let segment = without_comments(segment.trim_ascii());
    let at = memchr::memchr(b'=', segment)?;
    let name: String = String::from_utf8_lossy(&segment[..at]).chars().filter(|c| !c.is_whitespace()).collect();
    Some((name.to_ascii_lowercase(), segment[at + 1..].trim_ascii().to_vec()))
}

/// Without comments before anything else.
fn without_comments(mut text: &[u8]) -> &[u8] {
    loop {
        text = text.trim_ascii_start();
        match (text.first(), memchr::memchr(b')', text)) {
            (Some(b'('), Some(end)) => text = &text[end + 1..],
            _ => return text,
        }
    }
}

/// What is behind a parameter's `=` may be read as any of these; the likeliest first.
pub(crate) fn readings(raw: &[u8]) -> Vec<Vec<u8>> {
    let mut readings: Vec<Vec<u8>> = Vec::new();
    let unescaped = |text: &[u8]| {
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
    };
    let without_quotes = |text: &[u8]| text.iter().copied().filter(|byte| *byte != b'"').collect::<Vec<u8>>();
    let mut add = |reading: Vec<u8>| {
        if !readings.contains(&reading) {
            readings.push(reading);
        }
    };
    if let Some(inner) = raw.strip_prefix(b"\"") {
        let mut is_escaped = false;
        let end = inner.iter().position(|byte| {
            let ends = *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            ends
        });
        let quoted = &inner[..end.unwrap_or(inner.len())];
        add(unescaped(quoted));
        // A Windows path, in which a backslash is only a backslash.
        add(quoted.to_vec());
        add(without_quotes(raw));
    } else {
        add(raw.to_vec());
        if let Some(word) = raw.split(|byte| byte.is_ascii_whitespace() || *byte == b'(').next() {
            add(word.to_vec());
        }
        add(without_quotes(raw));
    }
    readings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(kind: &str, disposition: &str) -> Content {
        let list = |text: &str| if text.is_empty() { vec![] } else { vec![text.as_bytes().to_vec()] };
        let fields = Fields { kinds: list(kind), dispositions: list(disposition), ..Fields::default() };
        Content::read(&fields, "text/plain")
    }

    #[test]
    fn a_name_is_read_in_each_way_that_a_reader_may() {
        for (kind, disposition, expected) in [
            ("application/x; name=a.exe", "", "a.exe"),
            ("application/x; NAME = \"a.exe\"", "", "a.exe"),
            ("application/x; name=my a.exe; x=y", "", "my a.exe"),
            ("application/x; name=a.exe x=y", "", "a.exe"),
            ("application/x name=a.exe", "", "a.exe"),
            ("application/x; (a comment) name=a.exe (another)", "", "a.exe"),
            ("application/x; name=\"a.exe", "", "a.exe"),
            ("application/x; name=\"a; name=b.exe", "", "b.exe"),
            ("application/x; name=\"a\".exe", "", "a.exe"),
            ("application/x; name=\"C:\\\\dir\\\\a.exe\"", "", "C:\\dir\\a.exe"),
            ("application/x; name=\"C:\\dir\\a.exe\"", "", "C:\\dir\\a.exe"),
            ("application/x; name=\"say \\\"hi\\\".exe\"", "", "say \"hi\".exe"),
            ("", "attachment; filename=\"=?utf-8?q?a=2Eexe?=\"", "a.exe"),
            ("", "attachment; filename*=utf-8''a%2Eexe", "a.exe"),
            ("", "attachment; filename*=''a%2Eexe", "a.exe"),
            ("", "attachment; filename*=a%2Eexe", "a.exe"),
            ("", "attachment; filename*1=exe; filename*0=\"a.\"", "a.exe"),
            ("", "attachment; filename*0*=utf-8'en'a%2E; filename*1*=ex%65", "a.exe"),
            ("", "attachment; filename*0*=utf-16le''a%00.%00e%00; filename*1*=x%00e%00", "a.exe"),
            ("", "attachment; name=a.exe", "a.exe"),
            ("application/x; name=a.txt; name=a.exe", "", "a.exe"),
            ("application/x; name=a.txt", "attachment; filename=a.exe", "a.exe"),
        ] {
            let names = content(kind, disposition).names;
            assert!(names.iter().any(|name| name == expected), "{kind:?} {disposition:?}: {names:?}");
        }
    }

    #[test]
    fn types_and_boundaries_are_read() {
        for (kind, mime, boundary) in [
            ("Text/HTML; charset=x", "text/html", None),
            ("text", "text/plain", None),
            ("(comment) multipart/mixed; boundary=\"a b \"", "multipart/mixed", Some("a b")),
            ("multipart/mixed; boundary=a=b", "multipart/mixed", Some("a=b")),
            ("multipart/mixed; boundary*0=a; boundary*1=b", "multipart/mixed", Some("ab")),
            ("multipart/mixed", "multipart/mixed", None),
            ("text/plain; boundary=a", "text/plain", None),
        ] {
            let content = content(kind, "");
            assert_eq!(content.mime, mime, "{kind}");
            assert_eq!(content.boundary.as_deref(), boundary.map(str::as_bytes), "{kind}");
            assert!(!content.is_ambiguous, "{kind}");
        }
    }

    #[test]
    fn fields_that_disagree_are_told_and_parts_win() {
        let fields = Fields {
            kinds: vec![b"text/plain".to_vec(), b"multipart/mixed; boundary=x".to_vec()],
            ..Fields::default()
        };
        let content = Content::read(&fields, "text/plain");
        assert!(content.is_ambiguous);
        assert_eq!(content.boundary.as_deref(), Some(b"x".as_slice()));
    }

    #[test]
    fn seals_are_told_by_their_type() {
        for (kind, expected) in [
            ("multipart/signed; protocol=\"application/pgp-signature\"; boundary=a", Seal::PgpSigned),
            ("multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=a", Seal::SmimeSigned),
            ("multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=a", Seal::PgpEncrypted),
            ("application/pkcs7-mime; smime-type=signed-data; name=smime.p7m", Seal::SmimeOpaque),
            ("application/x-pkcs7-mime; name=smime.p7m", Seal::SmimeEncrypted),
        ] {
            assert_eq!(content(kind, "").seal, Some(expected), "{kind}");
        }
    }
}
