//! The same workbook with a column of results: every part but the sheet as it was, and of the sheet every byte but the cells
//! of that column, and what the sheet says of its own extent.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::sheet::{Rows, SheetRow};
use super::{PART_BYTES_MAX, SHEET_BYTES_MAX, TEXTS_BYTES_MAX, Workbook, cells, damaged, unread, xml};
use crate::map::RESULT;
use crate::mistake::{Mistakes, letters};

/// The workbook with a result in each of these rows.
pub(crate) fn with_results(
    bytes: &[u8],
    sheet: Option<&str>,
    results: &BTreeMap<u64, String>,
) -> Result<Vec<u8>, Mistakes> {
    let workbook = Workbook::open(bytes, sheet)?;
    let part = workbook.sheet()?;
    let text = xml::text(&part)?;
    let mark = &part[..part.len() - text.len()];
    let part = [mark, patched(&workbook, text, results)?.as_bytes()].concat();
    let mut file = Vec::with_capacity(bytes.len() + part.len() / 8);
    let mut zip = report::zip::Zip::new(&mut file);
    let bytes_max = SHEET_BYTES_MAX.max(TEXTS_BYTES_MAX).max(PART_BYTES_MAX);
    for name in workbook.archive.names() {
        let mut entry = report::zip::Entry::new();
        let is_sheet = name.eq_ignore_ascii_case(&workbook.sheet);
        let content = if is_sheet { part.clone() } else { workbook.archive.read(name, bytes_max).map_err(unread)? };
        entry.bytes(&content).and_then(|()| zip.add(name, entry)).map_err(|_| damaged())?;
    }
    zip.finish().map_err(|_| damaged())?;
    Ok(file)
}

/// Where the results go: the column of an earlier result, or the one behind everything.
fn column(workbook: &Workbook<'_>, sheet: &str) -> Result<(usize, u64), Mistakes> {
    let (mut heading, mut width) = (None::<(Option<usize>, u64)>, 0);
    let mut rows = Rows::of(sheet);
    while let Some(row) = rows.next()? {
        width = row.cells.iter().map(|cell| cell.column + 1).max().unwrap_or_default().max(width);
        if heading.is_some() {
            continue;
        }
        let cells = cells(workbook, &row).unwrap_or_default();
        if cells.values().any(|text| !text.trim().is_empty()) {
            let own = cells.iter().find(|(_, text)| text.trim().eq_ignore_ascii_case(RESULT)).map(|(at, _)| *at);
            heading = Some((own, row.number));
        }
    }
    let (own, line) = heading.ok_or_else(damaged)?;
    Ok((own.unwrap_or(width), line))
}

fn patched(workbook: &Workbook<'_>, sheet: &str, results: &BTreeMap<u64, String>) -> Result<String, Mistakes> {
    let (column, heading) = column(workbook, sheet)?;
    let mut out = String::with_capacity(sheet.len() + 160 * results.len());
    let mut copied = 0;
    let mut rows = Rows::of(sheet);
    while let Some(row) = rows.next()? {
        let text = match results.get(&row.number) {
            _ if row.number == heading => RESULT,
            Some(text) => text,
            None => continue,
        };
        // What is said of the extent comes before the first row.
        if copied == 0 {
            out.push_str(&wider(&sheet[..row.tag.start], column));
            copied = row.tag.start;
        }
        copied = put(&mut out, sheet, copied, &row, column, text);
    }
    out.push_str(&sheet[copied..]);
    Ok(out)
}

/// Writes a row with the result in it; gives how far the sheet is copied.
fn put(out: &mut String, sheet: &str, copied: usize, row: &SheetRow, column: usize, text: &str) -> usize {
    out.push_str(&sheet[copied..row.tag.start]);
    let tag = without_spans(&sheet[row.tag.clone()]);
    let cell = cell(row, column, text);
    let Some(end) = row.end else {
        let open = tag.trim_end_matches("/>");
        let _ = write!(out, "{open}>{cell}</{}row>", row.prefix);
        return row.tag.end;
    };
    out.push_str(&tag);
    // In place of the one that is there, else before the first one to its right.
    let (from, to) = match row.cells.iter().find(|cell| cell.column >= column) {
        Some(there) if there.column == column => (there.span.start, there.span.end),
        Some(there) => (there.span.start, there.span.start),
        None => (end, end),
    };
    out.push_str(&sheet[row.tag.end..from]);
    out.push_str(&cell);
    to
}

/// A cell of text, as text also to a spreadsheet.
fn cell(row: &SheetRow, column: usize, text: &str) -> String {
    let (at, prefix) = (letters(column + 1), &row.prefix);
    let guard = if report::begins_formula(text) { "'" } else { "" };
    let text = report::text_of_cell(&format!("{guard}{text}"));
    format!(
        "<{prefix}c r=\"{at}{}\" t=\"inlineStr\"><{prefix}is><{prefix}t xml:space=\"preserve\">{text}</{prefix}t></{prefix}is></{prefix}c>",
        row.number
    )
}

/// A row's tag without the columns that it says it spans: it spans one more.
fn without_spans(tag: &str) -> String {
    let from = tag.find(" spans=\"");
    let end = from.and_then(|from| tag[from + 8..].find('"').map(|end| from + 8 + end + 1));
    match (from, end) {
        (Some(from), Some(end)) => format!("{}{}", &tag[..from], &tag[end..]),
        _ => tag.to_owned(),
    }
}

/// What stands before the first row, with the sheet's extent (`<dimension ref="A1:E10"/>`) up to this column.
fn wider(head: &str, column: usize) -> String {
    const BEFORE: &str = "dimension ref=\"";
    let Some(from) = head.find(BEFORE).map(|at| at + BEFORE.len()) else { return head.to_owned() };
    let Some(end) = head[from..].find('"').map(|end| from + end) else { return head.to_owned() };
    let extent = &head[from..end];
    let (first, last) = extent.split_once(':').unwrap_or((extent, extent));
    let row = last.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let width = last.len() - row.len();
    let column = letters(column + 1);
    // The longer letters, and the later ones, are those further to the right.
    let last = if (column.len(), column.as_str()) > (width, &last[..width]) {
        format!("{column}{row}")
    } else {
        last.to_owned()
    };
    format!("{}{first}:{last}{}", &head[..from], &head[end..])
}
