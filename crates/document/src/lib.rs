//! Documents that a migration is governed by: plans, checklists, confirmations, packs and reports, from one neutral value, as a
//! page, as a tagged PDF, as a workbook and for a word processor.
//!
//! A document is made once and read for years, by people and by their screen readers, so:
//!
//! * every form says the same: what one writer shows, all show;
//! * the same document gives the same bytes: nothing here reads a clock, draws a random number or looks at the machine;
//! * nothing is lost in silence: a sign that the fonts of the PDF lack stands there as a box, and is still found by a search;
//! * a version that another one supersedes says so on its first page, in words.
//!
//! What stands in a document comes from people and from servers. Each writer makes it harmless in its own form: it is never
//! markup, never a formula, and turns no line of text around. Nothing here knows of projects, stages or mail.

mod docx;
mod front;
mod html;
mod pdf;
mod text;
mod xlsx;

use jiff::civil::Date;

pub use docx::docx;
pub use html::html;
pub use pdf::{Unwritable, pdf};
pub use xlsx::xlsx;

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What it is called.
    pub title: String,
    /// What kind of document it is: "Implementation plan".
    pub kind: String,
    /// The organisation that it is about.
    pub organisation: String,
    /// What it is filed under.
    pub reference: String,
    /// Its version: "1.2".
    pub version: String,
    /// Whether people may act on it.
    pub status: Status,
    /// The day it was made.
    pub made_on: Date,
    /// The language it is written in, as BCP 47 names it: "en-GB".
    pub language: String,
    /// What it says, in reading order.
    pub blocks: Vec<Block>,
}

/// Whether people may act on a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is still being written.
    Draft,
    /// It waits for signatures.
    ForSignature,
    /// It is in force.
    Issued,
    /// Another version has taken its place.
    Superseded {
        /// The version that did.
        by_version: String,
    },
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A heading. The title is above all of them; level 1 is the highest below it, 5 the lowest. One that would skip a level,
    /// which a screen reader takes for a missing part, is raised.
    Heading {
        /// Its level, from 1.
        level: u8,
        /// What it says.
        text: String,
    },
    /// A paragraph. A line break in it is kept.
    Paragraph(String),
    /// A list.
    List {
        /// Are its items numbered?
        ordered: bool,
        /// Its items.
        items: Vec<String>,
    },
    /// A table.
    Table(Table),
    /// Facts: what each is, and what it is here.
    Facts(Vec<(String, String)>),
    /// Room for signatures, or who has signed.
    Signature {
        /// Who signs, in order.
        lines: Vec<SignatureLine>,
    },
    /// Something that nobody should overlook.
    Callout {
        /// What it means to the reader; said in a word, too.
        tone: Tone,
        /// What it says.
        text: String,
    },
    /// A chart of bars, with a table of the same numbers.
    Chart(Chart),
}

/// What something means to the reader. Every form says it in a word, never by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Neither good nor bad.
    Neutral,
    /// As it should be.
    Good,
    /// Somebody should look.
    Caution,
    /// Somebody must act.
    Alert,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// What it shows. No two tables of a document should have the same.
    pub caption: String,
    /// Its columns; their headings are the header row.
    pub columns: Vec<Column>,
    /// Does the first cell of each row name the row?
    pub has_row_headings: bool,
    /// Its rows. A row with fewer cells than there are columns is filled up with empty ones; one with more makes unnamed columns.
    pub rows: Vec<Vec<Cell>>,
    /// What to say in place of rows, when there are none.
    pub empty: String,
}

/// A column of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// What stands above it.
    pub heading: String,
    /// How wide it is among the others. None: as wide as what stands in it.
    pub share: Option<u16>,
    /// To which side its cells are aligned.
    pub align: Align,
}

/// To which side text is aligned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    /// Where lines begin.
    #[default]
    Start,
    /// In the middle.
    Middle,
    /// Where lines end: for numbers.
    End,
}

/// What stands in a cell. Workbooks have numbers and dates as such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Text, of any origin.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A day.
    Date(Date),
    /// A verdict, such as the state of a risk: its words, and what they mean.
    Verdict(Tone, String),
}

/// Somebody who signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLine {
    /// In which role.
    pub role: String,
    /// Their name; empty leaves room for it.
    pub name: String,
    /// The day that the record says they signed on. None leaves room for a pen.
    pub date: Option<Date>,
}

/// A chart of bars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    /// What it shows.
    pub caption: String,
    /// What the chart tells, in words, for those who don't see it.
    pub alternative: String,
    /// What the bars stand for: "Week".
    pub label_heading: String,
    /// What is counted: "Mailboxes".
    pub value_heading: String,
    /// The bars: what each stands for, and its length.
    pub bars: Vec<(String, u64)>,
}

impl Column {
    /// A column as wide as what stands in it.
    pub fn new(heading: &str) -> Self {
        Self { heading: heading.to_owned(), share: None, align: Align::Start }
    }

    /// A column with this share of the width.
    pub fn share(heading: &str, share: u16) -> Self {
        Self { share: Some(share), ..Self::new(heading) }
    }

    /// A column of numbers.
    pub fn number(heading: &str) -> Self {
        Self { align: Align::End, ..Self::new(heading) }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<Date> for Cell {
    fn from(date: Date) -> Self {
        Self::Date(date)
    }
}

impl Status {
    /// It, in words: "For signature".
    pub fn words(&self) -> String {
        match self {
            Self::Draft => "Draft".to_owned(),
            Self::ForSignature => "For signature".to_owned(),
            Self::Issued => "Issued".to_owned(),
            Self::Superseded { by_version } => format!("Superseded by version {by_version}"),
        }
    }
}

impl Tone {
    /// The word that stands above a callout.
    pub fn word(self) -> &'static str {
        match self {
            Self::Neutral => "Note",
            Self::Good => "Confirmed",
            Self::Caution => "Caution",
            Self::Alert => "Important",
        }
    }
}

impl Table {
    /// How many columns it has, the unnamed ones of longer rows with them.
    fn width(&self) -> usize {
        self.rows.iter().map(Vec::len).chain([self.columns.len()]).max().unwrap_or_default()
    }
}

impl Chart {
    /// The table of its numbers.
    fn table(&self) -> Table {
        let columns = vec![Column::new(&self.label_heading), Column::number(&self.value_heading)];
        let row = |(label, value): &(String, u64)| {
            let number = i64::try_from(*value).map_or_else(|_| Cell::Text(report::grouped(*value)), Cell::Number);
            vec![Cell::Text(label.clone()), number]
        };
        Table {
            caption: format!("{}: the numbers", self.caption),
            columns,
            has_row_headings: true,
            rows: self.bars.iter().map(row).collect(),
            empty: "Nothing was counted.".to_owned(),
        }
    }
}
