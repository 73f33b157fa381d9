//! A tagged PDF (PDF/UA-1), in our own simple layout: headings, paragraphs, lists, tables whose head is repeated on each page, in
//! reading order, with bookmarks. The file is checked by krilla for what PDF/UA-1 asks of a writer before it is given out.

mod blocks;
pub(crate) mod columns;
mod flow;
pub(crate) mod font;
mod paint;
mod style;
mod table;
mod tree;

use crate::Document;

/// Why there is no PDF, or no text for a word processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unwritable {
    /// The fonts that are part of the program can't be read.
    Font,
    /// The file would not be accessible, as this says.
    Refused(String),
}

impl std::fmt::Display for Unwritable {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Font => write!(to, "the fonts of the program can't be read: it is damaged, install it again"),
            Self::Refused(why) => {
                write!(to, "the PDF would not be accessible ({why}): take the page instead, and report this")
            }
        }
    }
}

impl std::error::Error for Unwritable {}

/// The document as a PDF.
pub fn pdf(document: &Document) -> Result<Vec<u8>, Unwritable> {
    let fonts = font::Fonts::new()?;
    let mut flow = flow::Flow::new(&fonts);
    blocks::put(&mut flow, document);
    paint::paint(flow, document)
}
