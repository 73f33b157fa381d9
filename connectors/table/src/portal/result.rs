//! What the platform says of each row of an upload file.

use std::collections::{BTreeSet, HashMap};

use super::{UploadForm, UploadRow, UploadValue, identities, identity, unguarded};
use crate::field::Field;
use crate::file::{FileForm, table};
use crate::grid::Table;
use crate::mistake::{Mistake, Mistakes, Place, alike, shown};

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowFate {
    /// It was done.
    Done,
    /// It was not done.
    Failed,
    /// The platform's words are not known: a person reads them.
    Unclear,
    /// Nothing is said of it: it is not in the file, or nothing stands beside it.
    Unreported,
}

/// What the platform says of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowResult {
    /// The row's place among those that were sent, from 0.
    pub row: usize,
    /// What became of it.
    pub fate: RowFate,
    /// The platform's own words.
    pub text: String,
    /// The platform's own number of the account, where the file tells it.
    pub id: Option<String>,
    /// Headings of columns in which the file says something else than what was sent.
    pub altered: Vec<String>,
}

/// Reads a result file: for each row that was sent, in that order, what became of it. A file that holds rows that were not
/// sent, or one of them twice, is an error: it is the result of something else, or somebody has changed it.
pub fn read_result(
    form: &UploadForm,
    connector: &str,
    sent: &[UploadRow],
    bytes: &[u8],
    file: &FileForm,
) -> Result<Vec<RowResult>, Mistakes> {
    let places = identities(form, sent)?;
    let table = table(bytes, file)?;
    if !table.broken().is_empty() {
        return Err(table.broken().clone());
    }
    let reader = Reader::of(form, &table)?;
    let mut results: Vec<RowResult> = (0..sent.len())
        .map(|row| RowResult { row, fate: RowFate::Unreported, text: String::new(), id: None, altered: Vec::new() })
        .collect();
    let (mut mistakes, mut seen) = (Mistakes::default(), HashMap::new());
    for (line, cells) in table.rows() {
        let mistake = |what: String, cure: &str| Mistake {
            unit: table.unit(),
            line,
            column: reader.place(Field::LocalId),
            what,
            cure: cure.to_owned(),
        };
        let Some(row) = places.get(&reader.identity(&cells)).copied() else {
            let who = shown(&reader.text(&cells, Field::LocalId));
            let cure = "give the file as the platform sent it: a spreadsheet that saves it drops zeros";
            mistakes.push(mistake(format!("no row was sent for {who} with this action"), cure));
            continue;
        };
        if let Some(first) = seen.insert(row, line) {
            mistakes.push(mistake(format!("the same row is in {} already", table.unit().place(first)), ""));
            continue;
        }
        let text = reader.result.and_then(|at| cells.get(at)).map_or("", |text| text.trim()).to_owned();
        let id = reader.id.map(|at| unguarded(cells[at].trim()).to_owned()).filter(|id| !id.is_empty());
        let altered = reader.altered(form, connector, &sent[row], &cells);
        results[row] = RowResult { row, fate: fate_of(form, &text), text, id, altered };
    }
    if mistakes.is_empty() { Ok(results) } else { Err(mistakes) }
}

/// What a result says.
pub(super) fn fate_of(form: &UploadForm, text: &str) -> RowFate {
    let text = text.to_lowercase();
    let begins = |words: &[String]| words.iter().any(|word| text.starts_with(&word.to_lowercase()));
    let holds = |words: &[String]| words.iter().any(|word| text.contains(&word.to_lowercase()));
    if text.is_empty() {
        RowFate::Unreported
    } else if begins(&form.failed) {
        RowFate::Failed
    } else if begins(&form.done) && !holds(&form.failed) {
        RowFate::Done
    } else {
        RowFate::Unclear
    }
}

/// Where the columns of a form stand in a file.
struct Reader<'f> {
    /// For each of the form's columns, where it stands.
    columns: Vec<(&'f UploadValue, usize, &'f str)>,
    result: Option<usize>,
    id: Option<usize>,
}

impl<'f> Reader<'f> {
    fn of(form: &'f UploadForm, table: &Table) -> Result<Self, Mistakes> {
        let headings: Vec<String> = table.headings().iter().map(|heading| heading.trim().to_lowercase()).collect();
        let find = |wanted: &str| headings.iter().position(|heading| *heading == wanted.trim().to_lowercase());
        let mut mistakes = Mistakes::default();
        let mut missing = |what: String, wanted: &str| {
            let meant = alike(wanted, table.headings().iter().map(String::as_str));
            let cure = meant.map(|meant| format!("did you mean {meant:?}?")).unwrap_or_default();
            mistakes.push(Mistake { unit: table.unit(), line: table.heading_line(), column: None, what, cure });
        };
        let mut columns = Vec::new();
        for column in &form.columns {
            match find(&column.heading) {
                Some(at) => columns.push((&column.value, at, column.heading.as_str())),
                None => missing(format!("there is no column {}", shown(&column.heading)), &column.heading),
            }
        }
        let known: BTreeSet<usize> = columns.iter().map(|(_, at, _)| *at).collect();
        let result = form.result_headings.iter().filter_map(|heading| find(heading)).find(|at| !known.contains(at));
        if result.is_none() {
            let wanted = form.result_headings.first().map_or("", String::as_str);
            missing(format!("there is no column {}", shown(wanted)), wanted);
        }
        let id = columns.iter().find(|(value, ..)| **value == UploadValue::Id).map(|(_, at, _)| *at);
        if mistakes.is_empty() { Ok(Self { columns, result, id }) } else { Err(mistakes) }
    }

    fn at(&self, field: Field) -> Option<usize> {
        self.columns.iter().find(|(value, ..)| **value == UploadValue::Field(field)).map(|(_, at, _)| *at)
    }

    fn place(&self, field: Field) -> Option<Place> {
        let (_, at, heading) = self.columns.iter().find(|(value, ..)| **value == UploadValue::Field(field))?;
        Some(Place { number: at + 1, heading: (*heading).to_owned() })
    }

    fn text(&self, cells: &[&str], field: Field) -> String {
        self.at(field).map(|at| unguarded(cells[at]).to_owned()).unwrap_or_default()
    }

    fn identity(&self, cells: &[&str]) -> String {
        let text = |field| self.text(cells, field);
        identity(&text(Field::Action), &text(Field::LocalId), &text(Field::Mail), &text(Field::Display))
    }

    fn altered(&self, form: &UploadForm, connector: &str, sent: &UploadRow, cells: &[&str]) -> Vec<String> {
        let columns = form.columns.iter().zip(&self.columns);
        let is_altered = |column: &super::UploadColumn, at: usize| {
            column.value != UploadValue::Id && unguarded(cells[at]).trim() != column.text(connector, sent).trim()
        };
        columns
            .filter(|(column, (_, at, _))| is_altered(column, *at))
            .map(|(column, _)| column.heading.clone())
            .collect()
    }
}
