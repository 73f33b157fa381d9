//! Applications that use mail, of a file: each with its owner, its protocol and how far it is.

use std::path::Path;

use programme::{Action, ImportedRow, Register};

use super::{Acted, Governed};
use crate::Error;

/// The file has no more bytes.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Columns that it has, in any order, and those that it may have.
const NEEDED: [&str; 4] = ["title", "owner", "protocol", "state"];
const OTHERS: [&str; 2] = ["settings", "note"];
/// How far an application is.
const OPEN: &str = "open";
const RESOLVED: &str = "resolved";

/// The line of a file on which a row stands: its reader counts from the empty lines before it.
pub(super) fn line_of(text: &[u8], position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else { return 0 };
    let from = usize::try_from(position.byte()).ok().and_then(|from| text.get(from..)).unwrap_or_default();
    let empty = from.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n');
    position.line() + empty.count() as u64
}

impl Governed {
    /// Writes the rows of a CSV file into a register, all of them or none.
    pub async fn import_rows(&mut self, register: Register, file: &Path) -> Result<Acted, Error> {
        let rows = self.read_rows(file)?;
        self.act(Action::ImportRows { register, rows }).await
    }

    fn read_rows(&self, file: &Path) -> Result<Vec<ImportedRow>, Error> {
        let path = self.config.folder.join(file);
        let name = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let unreadable = |why: String| {
            Error::usage(format!("{} cannot be read: {why}; nothing of it was written", path.display())).advise(
                format!(
                    "it is a CSV file whose first line has {}, and may have {}",
                    NEEDED.join(", "),
                    OTHERS.join(", ")
                ),
            )
        };
        let size_bytes = std::fs::metadata(&path).map_err(|error| unreadable(error.to_string()))?.len();
        if size_bytes > FILE_BYTES_MAX {
            return Err(unreadable(format!("it has {size_bytes} bytes, and {FILE_BYTES_MAX} at most are read")));
        }
        let bytes = std::fs::read(&path).map_err(|error| unreadable(error.to_string()))?;
        // Spreadsheets put a mark before what they write.
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let mut reader = csv::ReaderBuilder::new().from_reader(text);
        let head = reader.headers().map_err(|error| unreadable(error.to_string()))?;
        let columns: Vec<String> = head.iter().map(|name| name.trim().to_lowercase()).collect();
        if let Some(missing) = NEEDED.iter().find(|name| !columns.iter().any(|column| column == *name)) {
            return Err(unreadable(format!("its first line has no {missing:?}")));
        }
        let is_known = |column: &&String| NEEDED.iter().chain(&OTHERS).any(|name| name == column);
        if let Some(unknown) = columns.iter().find(|column| !is_known(column)) {
            return Err(unreadable(format!("its first line has {unknown:?}, which is no column of it")));
        }
        if let Some(twice) = (1..columns.len()).find(|at| columns[..*at].contains(&columns[*at])) {
            return Err(unreadable(format!("its first line has {:?} twice", columns[twice])));
        }
        let mut rows = Vec::new();
        for row in reader.records() {
            let row = row.map_err(|error| unreadable(error.to_string()))?;
            let line = line_of(text, row.position());
            let cells = columns.iter().zip(row.iter()).map(|(column, cell)| (column.clone(), cell.trim().to_owned()));
            let mut fields: std::collections::BTreeMap<String, String> =
                cells.filter(|(_, cell)| !cell.is_empty()).collect();
            let settled = match fields.remove("state").unwrap_or_default().to_lowercase().as_str() {
                OPEN => None,
                RESOLVED => Some(format!("{RESOLVED}, as {name} says")),
                other => {
                    return Err(unreadable(format!(
                        "line {line}: the state is {other:?}, and may be {OPEN} or {RESOLVED}"
                    )));
                }
            };
            rows.push(ImportedRow { line, fields, settled });
        }
        Ok(rows)
    }
}
