//! Tables for people to read, keep and hand on: as text, CSV, a page or a workbook.
//!
//! One document is shown in every form, so that the numbers are the same in all of them. What stands in a cell comes from
//! servers, folder names and lists that others wrote: each writer makes it harmless in its own form. Nothing here knows of
//! mail, people or projects.

mod csv;
mod html;
mod text;
mod words;
mod xlsx;
pub mod zip;

use std::io::{self, Write};

pub use csv::begins_formula;
pub use text::harmless;
pub use words::{bytes, day, grouped, moment, percentage};
pub use xlsx::text_of_cell;

/// A report: a title, what it is about, what it says in sentences, tables, and how to read them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Its title.
    pub title: String,
    /// What it is about: a word and what it is.
    pub facts: Vec<(&'static str, String)>,
    /// What it says, the most important first.
    pub sentences: Vec<Sentence>,
    /// Its tables. CSV has one table; the one that is meant unless another is asked for is [`Document::main`].
    pub tables: Vec<Table>,
    /// The name of the table that most people want.
    pub main: &'static str,
    /// How to read it: a word and what it means.
    pub notes: Vec<(&'static str, String)>,
}

/// How grave a sentence is. Each form says it in a word, never by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// No verdict: what a letter says.
    Plain,
    /// As it should be.
    Well,
    /// Somebody should look.
    Attention,
    /// Somebody must act.
    Alert,
}

impl Weight {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Well => "OK",
            Self::Attention => "LOOK",
            Self::Alert => "ALERT",
        }
    }
}

/// Something that the report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// How grave it is.
    pub weight: Weight,
    /// What it says.
    pub text: String,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// A short name: that of the sheet, and the one to ask for it by.
    pub name: &'static str,
    /// What it shows.
    pub title: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, each with a cell for each column.
    pub rows: Vec<Vec<Cell>>,
    /// The sums below. CSV leaves them out: whoever adds up a column would count everything twice.
    pub total: Option<Vec<Cell>>,
    /// What to say in place of a table without rows.
    pub empty: &'static str,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// What stands above it.
    pub heading: &'static str,
    /// What its cells hold.
    pub kind: Kind,
    /// Text and pages leave it out, and say so, when every cell is empty or 0. CSV and workbooks always have it.
    pub if_any: bool,
    /// A page shows it below the first column: it tells whom or what the row is about, and would take room.
    pub is_aside: bool,
}

/// What the cells of a column hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name or a word.
    Text,
    /// A sentence or more: too long for a column of text.
    Prose,
    /// A whole number.
    Number,
    /// A number of bytes.
    Bytes,
    /// A moment, in UTC.
    Moment,
    /// A share of a whole.
    Share,
}

/// What stands in a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Nothing: not known, or not so.
    Empty,
    /// Text of any origin.
    Text(String),
    /// A number, or a number of bytes.
    Number(u64),
    /// A moment, in seconds since 1970.
    Moment(i64),
    /// A share, in hundredths of a percent.
    Share(u32),
}

/// The form of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For a terminal.
    Text,
    /// One table, for other programs (RFC 4180).
    Csv,
    /// A page, for a browser and for paper.
    Html,
    /// A workbook, for a spreadsheet (Office Open XML).
    Xlsx,
}

impl Column {
    /// A column of this kind.
    pub fn new(heading: &'static str, kind: Kind) -> Self {
        Self { heading, kind, if_any: false, is_aside: false }
    }

    /// One that text and pages leave out when nothing is in it.
    pub fn if_any(heading: &'static str, kind: Kind) -> Self {
        Self { if_any: true, ..Self::new(heading, kind) }
    }

    /// The same, and a page shows it below the first column.
    pub fn aside(heading: &'static str, kind: Kind) -> Self {
        Self { is_aside: true, ..Self::if_any(heading, kind) }
    }
}

impl Kind {
    /// Do its cells stand to the right?
    fn is_number(self) -> bool {
        matches!(self, Self::Number | Self::Bytes | Self::Share)
    }
}

impl Cell {
    fn is_nothing(&self) -> bool {
        match self {
            Self::Empty | Self::Number(0) => true,
            Self::Text(text) => text.is_empty(),
            _ => false,
        }
    }

    /// As people read it.
    fn shown(&self, kind: Kind) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => text.clone(),
            Self::Number(number) if kind == Kind::Bytes => bytes(*number),
            Self::Number(number) => grouped(*number),
            Self::Moment(at) => moment(*at),
            Self::Share(share) => percentage(*share),
        }
    }
}

impl Table {
    /// Which columns text and pages show, and the headings of those that they leave out.
    fn shown_columns(&self) -> (Vec<usize>, Vec<&'static str>) {
        let is_shown = |place: &usize| {
            let has = |row: &Vec<Cell>| !row[*place].is_nothing();
            !self.columns[*place].if_any || self.rows.iter().any(has) || self.total.as_ref().is_some_and(has)
        };
        let (shown, hidden): (Vec<usize>, Vec<usize>) = (0..self.columns.len()).partition(is_shown);
        (shown, hidden.into_iter().map(|place| self.columns[place].heading).collect())
    }
}

impl Document {
    /// The table of this name; the main one when no name is given.
    pub fn table(&self, name: Option<&str>) -> Option<&Table> {
        let wanted = name.unwrap_or(self.main);
        self.tables.iter().find(|table| table.name == wanted)
    }

    /// As text, for a terminal.
    pub fn text(&self) -> String {
        text::write(self)
    }

    /// Writes it in a form. `table` chooses a table by its name for a form that has only one; see [`Document::table`].
    pub fn write(&self, form: Form, table: Option<&str>, to: &mut dyn Write) -> io::Result<()> {
        match form {
            Form::Text => to.write_all(text::write(self).as_bytes()),
            Form::Html => to.write_all(html::write(self).as_bytes()),
            Form::Xlsx => xlsx::write(self, to),
            Form::Csv => match self.table(table) {
                Some(table) => csv::write(table, to),
                None => Err(io::Error::new(io::ErrorKind::InvalidInput, "the report has no such table")),
            },
        }
    }
}
