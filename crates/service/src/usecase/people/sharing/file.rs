//! Rights in a file: columns `mailbox`, `grantee`, `right`, and `folder` for rights to one.

use std::path::Path;

use model::{FolderPath, Right};
use people::sharing::{Found, Origin, Place, Trustee, read_right};

use crate::Error;

/// Mistakes told at once.
const MISTAKES_MAX: usize = 20;

/// Reads a file of rights; nothing of it where a line is wrong.
pub(super) fn read(path: &Path) -> Result<Vec<Found>, Error> {
    let (name, table) = (path.display().to_string(), table(path, &["mailbox", "grantee", "right"])?);
    let (mut found, mut mistakes) = (Vec::new(), Vec::new());
    for row in &table {
        match right(row) {
            Ok(right) => found.push(right),
            Err(why) => mistakes.push(format!("{name}, line {}: {why}", row.line)),
        }
    }
    let count = mistakes.len();
    if count == 0 {
        return Ok(found);
    }
    mistakes.truncate(MISTAKES_MAX);
    if count > MISTAKES_MAX {
        mistakes.push(format!("… and {} more", count - MISTAKES_MAX));
    }
    Err(Error::usage(mistakes.join("\n")).advise("correct the file; nothing was changed"))
}

fn right(row: &Line) -> Result<Found, String> {
    let needed = |column: &str| row.cell(column).ok_or_else(|| format!("{column} is empty"));
    let (mailbox, grantee) = (needed("mailbox")?, needed("grantee")?);
    let right = read_right(&needed("right")?, row.cell("folder").map(|folder| folder_path(&folder)))?;
    Ok(Found {
        origin: Origin::File,
        place: Place::Named(mailbox),
        trustee: Trustee::Named(grantee),
        right,
        is_inherited: false,
        is_denied: false,
        unknown: String::new(),
    })
}

/// The path of a folder as people write it: names with `/` between them; `\/` is a `/` in a name.
pub(super) fn folder_path(text: &str) -> Vec<String> {
    let (mut names, mut escaped) = (vec![String::new()], false);
    for letter in text.chars() {
        match letter {
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            '/' if !escaped => names.push(String::new()),
            letter => names.last_mut().into_iter().for_each(|name| name.push(letter)),
        }
        escaped = false;
    }
    FolderPath::new(names).names().to_vec()
}

/// The folder of a right, as people write it.
pub(super) fn folder_text(right: &Right) -> Option<String> {
    match right {
        Right::Folder(path, _) => Some(FolderPath::new(path.clone()).to_string()),
        _ => None,
    }
}

/// A line of a table, by its columns.
pub(super) struct Line {
    /// Its number in the file.
    pub line: u64,
    cells: Vec<(String, String)>,
}

impl Line {
    /// What stands in a column; none where it is empty.
    pub(super) fn cell(&self, column: &str) -> Option<String> {
        let found = self.cells.iter().find(|(name, _)| name == column)?;
        let text = found.1.trim();
        // A report puts this before what a spreadsheet would take for a formula.
        let text = text.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@'])).unwrap_or(text);
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// Reads a table with these columns; others are passed over.
pub(super) fn table(path: &Path, columns: &[&str]) -> Result<Vec<Line>, Error> {
    let name = path.display();
    let bytes = std::fs::read(path).map_err(|error| Error::usage(format!("{name} cannot be read: {error}")))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Error::usage(format!("{name}: not UTF-8")).advise("save the file as CSV UTF-8"))?;
    // Spreadsheets of many countries write semicolons.
    let first = text.lines().next().unwrap_or_default();
    let delimiter = if first.contains(';') && !first.contains(',') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let broken = |error: csv::Error| Error::usage(format!("{name}: {error}"));
    let header: Vec<String> = reader.headers().map_err(broken)?.iter().map(|h| h.trim().to_lowercase()).collect();
    if let Some(missing) = columns.iter().find(|column| !header.iter().any(|known| known == *column)) {
        return Err(Error::usage(format!("{name}, line 1: the column {missing:?} is missing"))
            .advise(format!("the first line names the columns: {}", columns.join(","))));
    }
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.map_err(broken)?;
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        let line = record.position().map_or(0, csv::Position::line);
        let cells = header.iter().cloned().zip(record.iter().map(str::to_owned)).collect();
        lines.push(Line { line, cells });
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Found>, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rights.csv");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn rights_of_every_kind_are_read() {
        let text = "\u{feff}Mailbox;Grantee;Right;Folder\nward;bob@x;Full Access;\nward;bob@x;SendAs;\nward;cyd;lrs;Out\\/In/Box\n";
        let rights: Vec<Right> = read_text(text).unwrap().into_iter().map(|found| found.right).collect();
        let folder = vec!["Out/In".to_owned(), "Box".to_owned()];
        assert_eq!(rights, [Right::FullAccess, Right::SendAs, Right::Folder(folder, "lrs".into())]);
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let text =
            "mailbox,grantee,right,folder\nward,bob,lrs,\n,bob,send-as,\nward,bob,owner,\nward,bob,send-as,Box\n";
        let error = read_text(text).unwrap_err().what;
        for expected in ["line 2: \"lrs\"", "line 3: mailbox is empty", "line 4: \"owner\" is no right", "line 5: "] {
            assert!(error.contains(expected), "{expected}: {error}");
        }
        assert!(read_text("mailbox,grantee\n").unwrap_err().what.contains("\"right\" is missing"));
    }
}
