//! Blocks of a document, written one after the other.

use document::{Block, Cell, Chart, Column, SignatureLine, Table, Tone};
use jiff::civil::Date;

use crate::words::NOT_RECORDED;

/// What a document says so far.
#[derive(Debug, Default)]
pub(crate) struct Paper {
    blocks: Vec<Block>,
    /// How many parts it has.
    parts: usize,
    /// How many sections the last of them has.
    sections: usize,
}

impl Paper {
    /// A part of it, with its number.
    pub(crate) fn part(&mut self, title: &str) {
        self.parts += 1;
        self.sections = 0;
        let text = format!("{}. {title}", self.parts);
        self.blocks.push(Block::Heading { level: 1, text });
    }

    /// A section of the part, with its number.
    pub(crate) fn section(&mut self, title: &str) {
        self.sections += 1;
        let text = format!("{}.{} {title}", self.parts, self.sections);
        self.blocks.push(Block::Heading { level: 2, text });
    }

    pub(crate) fn says(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Paragraph(text.into()));
    }

    pub(crate) fn note(&mut self, tone: Tone, text: impl Into<String>) {
        self.blocks.push(Block::Callout { tone, text: text.into() });
    }

    pub(crate) fn list(&mut self, items: Vec<String>) {
        if !items.is_empty() {
            self.blocks.push(Block::List { ordered: false, items });
        }
    }

    pub(crate) fn facts(&mut self, facts: Vec<(&str, String)>) {
        let said = |text: String| if text.trim().is_empty() { NOT_RECORDED.to_owned() } else { text };
        let facts = facts.into_iter().map(|(name, text)| (name.to_owned(), said(text))).collect();
        self.blocks.push(Block::Facts(facts));
    }

    /// A table whose rows are named by their first cells; where it has none, `empty` is said in its place.
    pub(crate) fn table(&mut self, caption: &str, columns: Vec<Column>, rows: Vec<Vec<Cell>>, empty: &str) {
        if rows.is_empty() {
            let mut chars = empty.chars();
            if let Some(first) = chars.next() {
                self.says(format!("{caption}: {}{}", first.to_lowercase(), chars.as_str()));
            }
            return;
        }
        let (columns, rows) = without_empty(columns, rows);
        let (caption, empty) = (caption.to_owned(), empty.to_owned());
        self.blocks.push(Block::Table(Table { caption, columns, has_row_headings: true, rows, empty }));
    }

    pub(crate) fn chart(&mut self, chart: Chart) {
        self.blocks.push(Block::Chart(chart));
    }

    pub(crate) fn signatures(&mut self, lines: Vec<SignatureLine>) {
        self.blocks.push(Block::Signature { lines });
    }

    pub(crate) fn blocks(self) -> Vec<Block> {
        self.blocks
    }
}

/// Columns that say something more where there is something to say: without it they take room from the others.
const LEFT_OUT_IF_EMPTY: [&str; 5] = ["Said", "Why", "Was before", "To close it", "Checked by"];

fn without_empty(columns: Vec<Column>, rows: Vec<Vec<Cell>>) -> (Vec<Column>, Vec<Vec<Cell>>) {
    let is_empty = |cell: Option<&Cell>| cell.is_none_or(says_nothing);
    let is_kept = |place: usize, column: &Column| {
        !LEFT_OUT_IF_EMPTY.contains(&column.heading.as_str()) || rows.iter().any(|row| !is_empty(row.get(place)))
    };
    let kept: Vec<bool> = columns.iter().enumerate().map(|(place, column)| is_kept(place, column)).collect();
    let columns = columns.into_iter().zip(&kept).filter(|(_, kept)| **kept).map(|(column, _)| column).collect();
    let row = |row: Vec<Cell>| row.into_iter().zip(&kept).filter(|(_, kept)| **kept).map(|(cell, _)| cell).collect();
    (columns, rows.into_iter().map(row).collect())
}

fn says_nothing(cell: &Cell) -> bool {
    matches!(cell, Cell::Text(text) if text.trim().is_empty())
}

/// Columns with these shares of the width.
pub(crate) fn columns<const N: usize>(columns: [(&str, u16); N]) -> Vec<Column> {
    columns.map(|(heading, share)| Column::share(heading, share)).into()
}

/// A cell of what may not be recorded.
pub(crate) fn text(text: Option<impl Into<String>>) -> Cell {
    let text = text.map(Into::into).filter(|text| !text.trim().is_empty());
    Cell::Text(text.unwrap_or_else(|| NOT_RECORDED.to_owned()))
}

/// A cell of a day that may not be recorded.
pub(crate) fn date(day: Option<Date>) -> Cell {
    day.map_or_else(|| Cell::from(NOT_RECORDED), Cell::Date)
}

/// A cell of a number.
pub(crate) fn number(number: u64) -> Cell {
    i64::try_from(number).map_or_else(|_| Cell::Text(number.to_string()), Cell::Number)
}

/// A cell that judges.
pub(crate) fn verdict((tone, words): (Tone, &str)) -> Cell {
    Cell::Verdict(tone, words.to_owned())
}
