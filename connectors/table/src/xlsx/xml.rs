//! The XML of a workbook's parts: elements and text, with their places. Entities that a document declares itself are refused with
//! the declaration, so that none grows.

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// A part is no XML, or XML that no spreadsheet writes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadXml;

/// A piece of a part.
#[derive(Debug)]
pub(super) enum Piece<'x> {
    /// An element begins; one that is empty ends, too.
    Open(Element<'x>),
    /// An element ends: its name without prefix, and where the tag stands.
    Close(String, Range<usize>),
    /// Text, or a part of it.
    Text(Cow<'x, str>),
}

/// The tag of an element.
#[derive(Debug)]
pub(super) struct Element<'x> {
    tag: BytesStart<'x>,
    /// Where the tag stands.
    pub(super) span: Range<usize>,
    /// It ends where it begins.
    pub(super) is_empty: bool,
}

impl Element<'_> {
    /// Its name without prefix.
    pub(super) fn name(&self) -> &str {
        self.tag.local_name().into_inner()
    }

    /// Its prefix with the colon; empty when it has none.
    pub(super) fn prefix(&self) -> &str {
        let name = self.tag.name().into_inner();
        &name[..name.len() - self.name().len()]
    }

    /// The value of an attribute, by its name without prefix.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        let attribute = self.tag.attributes().flatten().find(|a| a.key.local_name().into_inner() == name)?;
        attribute.normalized_value(XmlVersion::Implicit1_0).ok().map(Cow::into_owned)
    }
}

/// Reads a part piece by piece.
pub(super) struct Pieces<'x> {
    reader: Reader<&'x [u8]>,
    is_over: bool,
}

/// A part as text, without the byte order mark.
pub(super) fn text(bytes: &[u8]) -> Result<&str, BadXml> {
    let text = std::str::from_utf8(bytes).map_err(|_| BadXml)?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

impl<'x> Pieces<'x> {
    pub(super) fn of(text: &'x str) -> Self {
        Self { reader: Reader::from_str(text), is_over: false }
    }

    fn piece(&mut self) -> Result<Option<Piece<'x>>, BadXml> {
        loop {
            let from = self.reader.buffer_position() as usize;
            let event = self.reader.read_event().map_err(|_| BadXml)?;
            let span = from..self.reader.buffer_position() as usize;
            return Ok(Some(match event {
                Event::Start(tag) => Piece::Open(Element { tag, span, is_empty: false }),
                Event::Empty(tag) => Piece::Open(Element { tag, span, is_empty: true }),
                Event::End(tag) => Piece::Close(tag.local_name().into_inner().to_owned(), span),
                Event::Text(text) => Piece::Text(text.into_inner()),
                Event::CData(text) => Piece::Text(text.into_inner()),
                Event::GeneralRef(name) => {
                    let character = match &*name {
                        "lt" => '<',
                        "gt" => '>',
                        "amp" => '&',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => name.resolve_char_ref().ok().flatten().ok_or(BadXml)?,
                    };
                    Piece::Text(Cow::Owned(character.to_string()))
                }
                Event::DocType(_) => return Err(BadXml),
                Event::Eof => return Ok(None),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => continue,
            }));
        }
    }
}

impl<'x> Iterator for Pieces<'x> {
    type Item = Result<Piece<'x>, BadXml>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let piece = self.piece();
        self.is_over = !matches!(piece, Ok(Some(_)));
        piece.transpose()
    }
}
