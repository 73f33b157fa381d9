//! A table as it stands in a file: headings and rows of cells, and what is wrong with rows that are none.

use crate::mistake::{Mistake, Mistakes, Unit};

/// Rows of a file.
pub(crate) const ROWS_MAX: usize = 200_000;
/// Columns of a table.
pub(crate) const COLUMNS_MAX: usize = 256;

/// A table of a file.
#[derive(Clone, Debug)]
pub struct Table {
    unit: Unit,
    heading_line: u64,
    headings: Vec<String>,
    rows: Vec<Cells>,
    broken: Mistakes,
}

/// The cells of a row in one text: a table of empty cells is not much larger than its file.
#[derive(Clone, Debug)]
struct Cells {
    line: u64,
    text: Box<str>,
    ends: Box<[u32]>,
}

impl Table {
    /// What its rows are called.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// Where its headings stand.
    pub fn heading_line(&self) -> u64 {
        self.heading_line
    }

    /// What stands above its columns.
    pub fn headings(&self) -> &[String] {
        &self.headings
    }

    /// Its rows, those without anything in them left out: the line, and as many cells as there are headings.
    pub fn rows(&self) -> impl Iterator<Item = (u64, Vec<&str>)> {
        self.rows.iter().map(|row| {
            let mut from = 0;
            let cells = row.ends.iter().map(|end| {
                let cell = &row.text[from..*end as usize];
                from = *end as usize;
                cell
            });
            (row.line, cells.collect())
        })
    }

    /// What is wrong with rows that can't be read as such: they are not among [`Table::rows`].
    pub fn broken(&self) -> &Mistakes {
        &self.broken
    }
}

/// A table while it is read.
pub(crate) struct TableBuilder {
    table: Table,
    count: usize,
    last_broken: u64,
}

impl TableBuilder {
    pub(crate) fn new(unit: Unit, line: u64, headings: Vec<String>) -> Result<Self, Mistakes> {
        if headings.len() > COLUMNS_MAX {
            let what = format!("{} columns, {COLUMNS_MAX} at most", headings.len());
            let cure = "remove what is not needed".to_owned();
            return Err(Mistake { unit, line, column: None, what, cure }.into());
        }
        let table = Table { unit, heading_line: line, headings, rows: Vec::new(), broken: Mistakes::default() };
        Ok(Self { table, count: 0, last_broken: 0 })
    }

    pub(crate) fn headings(&self) -> &[String] {
        &self.table.headings
    }

    fn count(&mut self, line: u64) -> Result<(), Mistakes> {
        self.count += 1;
        if self.count > ROWS_MAX {
            let what = format!("more than {ROWS_MAX} rows");
            let cure = "split it".to_owned();
            return Err(Mistake { unit: self.table.unit, line, column: None, what, cure }.into());
        }
        Ok(())
    }

    /// Adds a row of as many cells as there are headings.
    pub(crate) fn row<'c>(&mut self, line: u64, cells: impl Iterator<Item = &'c str>) -> Result<(), Mistakes> {
        self.count(line)?;
        let (mut text, mut ends) = (String::new(), Vec::with_capacity(self.table.headings.len()));
        for cell in cells {
            text.push_str(cell);
            ends.push(text.len() as u32);
        }
        assert_eq!(ends.len(), self.table.headings.len(), "a cell for each heading");
        self.table.rows.push(Cells { line, text: text.into(), ends: ends.into() });
        Ok(())
    }

    /// Adds what is wrong with a row that is not added.
    pub(crate) fn broken(&mut self, mistake: Mistake) -> Result<(), Mistakes> {
        if mistake.line != self.last_broken {
            self.count(mistake.line)?;
            self.last_broken = mistake.line;
        }
        self.table.broken.push(mistake);
        Ok(())
    }

    pub(crate) fn finish(self) -> Table {
        self.table
    }
}
