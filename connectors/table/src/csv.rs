//! CSV files (RFC 4180), read strictly: what programs read in different ways is a mistake with its place, never a guess.
//!
//! Our own, since a table that people typed or an export cut short has quotes that do not pair, and the reader of CSV in wide use
//! takes all that follows such a quote for one cell without a word. Here the line is named, and what follows is read on.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;

use crate::grid::{Table, TableBuilder};
use crate::map::RESULT;
use crate::mistake::{Mistake, Mistakes, Place, Unit, shown};

/// The largest file that is read.
pub(crate) const BYTES_MAX: usize = 128 << 20;
/// What some spreadsheets write before the headings to say what stands between cells.
const SEPARATOR_LINE: &str = "sep=";

/// What stands between the cells of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delimiter {
    /// That of these three which the line of headings has most of.
    #[default]
    Auto,
    /// A comma.
    Comma,
    /// A semicolon, as spreadsheets of many countries write.
    Semicolon,
    /// A tabulator.
    Tab,
}

/// How a file writes characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// In UTF-8, with or without a byte order mark. Anything else is an error.
    #[default]
    Utf8,
    /// In UTF-8 if all of it is, else in Windows-1252, in which every byte means something: also one that was meant otherwise.
    Windows1252,
}

/// A line of cells, which may be several lines of the file.
#[derive(Debug)]
struct Record {
    line: u64,
    /// Its place in the text, without the line end.
    span: Range<usize>,
    cells: Vec<String>,
    /// Where each cell stands.
    spans: Vec<Range<usize>>,
    broken: Option<Broken>,
}

#[derive(Debug)]
struct Broken {
    column: usize,
    what: &'static str,
    cure: &'static str,
}

impl Record {
    fn is_blank(&self) -> bool {
        self.broken.is_none() && self.cells.iter().all(|cell| cell.trim().is_empty())
    }
}

struct Scanner<'t> {
    text: &'t str,
    delimiter: u8,
    at: usize,
    line: u64,
}

enum Cell {
    Whole(String),
    Broken(Broken),
}

impl Scanner<'_> {
    fn is_end(&self, at: usize) -> bool {
        matches!(self.text.as_bytes().get(at), None | Some(b'\n' | b'\r'))
    }

    /// The end of the line that this place is in.
    fn line_end(&self, from: usize) -> usize {
        self.text[from..].find(['\n', '\r']).map_or(self.text.len(), |at| from + at)
    }

    /// Behind the line end that stands here.
    fn behind(&self, at: usize) -> usize {
        let bytes = self.text.as_bytes();
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b'\r'), Some(b'\n')) => at + 2,
            (Some(_), _) => at + 1,
            (None, _) => at,
        }
    }

    fn lines_in(&self, span: Range<usize>) -> u64 {
        let text = &self.text[span];
        let lone = text.bytes().zip(text.bytes().skip(1).chain([0])).filter(|pair| pair.0 == b'\r' && pair.1 != b'\n');
        (text.bytes().filter(|b| *b == b'\n').count() + lone.count()) as u64
    }

    /// Reads a cell, and stops at what ends it.
    fn cell(&mut self, column: usize) -> Cell {
        let bytes = self.text.as_bytes();
        let broken = |what, cure| Cell::Broken(Broken { column, what, cure });
        if bytes.get(self.at) != Some(&b'"') {
            let from = self.at;
            while !self.is_end(self.at) && bytes[self.at] != self.delimiter {
                self.at += 1;
            }
            let cell = &self.text[from..self.at];
            if cell.contains('"') {
                let cure = "put the whole cell in quotes, and write each quote in it twice";
                return broken("a quote stands in the middle of a cell that does not begin with one", cure);
            }
            return Cell::Whole(cell.to_owned());
        }
        let mut cell = String::new();
        self.at += 1;
        loop {
            let Some(quote) = self.text[self.at..].find('"') else {
                return broken(
                    "the quote that begins this cell never ends",
                    "write its closing quote, or take it away",
                );
            };
            cell.push_str(&self.text[self.at..self.at + quote]);
            self.at += quote + 1;
            match bytes.get(self.at) {
                Some(b'"') => {
                    cell.push('"');
                    self.at += 1;
                }
                Some(b) if *b != self.delimiter && !self.is_end(self.at) => {
                    let cure = "write each quote in a cell twice, and close the cell with one";
                    return broken("text follows the quote that ends this cell", cure);
                }
                _ => return Cell::Whole(cell),
            }
        }
    }
}

impl Iterator for Scanner<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if self.at >= self.text.len() {
            return None;
        }
        let (from, line) = (self.at, self.line);
        let (mut cells, mut spans, mut broken) = (Vec::new(), Vec::new(), None);
        loop {
            let begin = self.at;
            match self.cell(cells.len()) {
                Cell::Whole(cell) => {
                    cells.push(cell);
                    spans.push(begin..self.at);
                }
                Cell::Broken(found) => {
                    // The row ends with its first line, so that what is wrong in one does not swallow the others.
                    self.at = self.line_end(from);
                    broken = Some(found);
                    break;
                }
            }
            if self.is_end(self.at) {
                break;
            }
            self.at += 1;
        }
        let span = from..self.at;
        self.at = self.behind(self.at);
        self.line += self.lines_in(from..self.at);
        Some(Record { line, span, cells, spans, broken })
    }
}

/// A file as text: the text, how long its byte order mark is, and whether it is Windows-1252.
struct Text<'b> {
    cells: Cow<'b, str>,
    mark: &'static [u8],
    is_windows: bool,
}

fn fatal(line: u64, what: impl Into<String>, cure: impl Into<String>) -> Mistakes {
    Mistake { unit: Unit::Line, line, column: None, what: what.into(), cure: cure.into() }.into()
}

fn text(bytes: &[u8], encoding: Encoding) -> Result<Text<'_>, Mistakes> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    if bytes.len() > BYTES_MAX {
        let what =
            format!("the file has {}, {} at most", report::bytes(bytes.len() as u64), report::bytes(BYTES_MAX as u64));
        return Err(fatal(1, what, "split it"));
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(fatal(1, "the file is UTF-16", "save it as CSV UTF-8"));
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return Err(fatal(1, "the file is a workbook or an archive", "give it as xlsx, or save it as CSV UTF-8"));
    }
    let (mark, rest) = bytes.strip_prefix(MARK).map_or((&b""[..], bytes), |rest| (MARK, rest));
    match std::str::from_utf8(rest) {
        Ok(text) => Ok(Text { cells: Cow::Borrowed(text), mark, is_windows: false }),
        Err(_) if encoding == Encoding::Windows1252 && mark.is_empty() => {
            let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(rest);
            Ok(Text { cells: text, mark, is_windows: true })
        }
        Err(error) => {
            let line = 1 + rest[..error.valid_up_to()].split(|b| *b == b'\n').skip(1).count() as u64;
            let cure = "save it as CSV UTF-8, or say in the settings that it is windows-1252";
            Err(fatal(line, "the file is not UTF-8", cure))
        }
    }
}

/// Where the cells begin, and what stands between them.
fn begin(text: &str, delimiter: Delimiter) -> (usize, u64, u8) {
    let first = text.lines().next().unwrap_or_default();
    let said = first.get(..SEPARATOR_LINE.len()).filter(|word| word.eq_ignore_ascii_case(SEPARATOR_LINE));
    let said = said.and_then(|word| match first[word.len()..].trim().as_bytes() {
        [b @ (b',' | b';')] => Some(*b),
        [] if first.ends_with('\t') => Some(b'\t'),
        _ => None,
    });
    let (from, line) = if said.is_some() {
        let end = text.find('\n').map_or(text.len(), |at| at + 1);
        (end, 2)
    } else {
        (0, 1)
    };
    let chosen = match delimiter {
        Delimiter::Comma => b',',
        Delimiter::Semicolon => b';',
        Delimiter::Tab => b'\t',
        Delimiter::Auto => said.unwrap_or_else(|| most_of(&text[from..])),
    };
    (from, line, chosen)
}

/// The separator that the first line has most of, outside of quotes.
fn most_of(text: &str) -> u8 {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut is_quoted = false;
    for b in first.bytes() {
        is_quoted ^= b == b'"';
        if let Some((_, count)) = counts.iter_mut().find(|(separator, _)| *separator == b && !is_quoted) {
            *count += 1;
        }
    }
    // The first of those with the most.
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(separator, _)| separator)
}

/// Reads a file as a table.
pub(crate) fn read(bytes: &[u8], delimiter: Delimiter, encoding: Encoding) -> Result<Table, Mistakes> {
    let text = text(bytes, encoding)?;
    let (at, line, delimiter) = begin(&text.cells, delimiter);
    let mut scanner = Scanner { text: &text.cells, delimiter, at, line };
    let Some(heading) = scanner.by_ref().find(|record| !record.is_blank()) else {
        return Err(fatal(1, "the file is empty", "write a line of headings, and then one for each entry"));
    };
    if let Some(broken) = &heading.broken {
        return Err(broken_mistake(&heading, broken, &[]).into());
    }
    let mut table = TableBuilder::new(Unit::Line, heading.line, heading.cells)?;
    for record in scanner {
        if record.is_blank() {
            continue;
        }
        match &record.broken {
            Some(broken) => {
                let mistake = broken_mistake(&record, broken, table.headings());
                table.broken(mistake)?;
            }
            None if record.cells.len() != table.headings().len() => {
                let mistake = wrong_count(&record, table.headings().len());
                table.broken(mistake)?;
            }
            None => table.row(record.line, record.cells.iter().map(String::as_str))?,
        }
    }
    Ok(table.finish())
}

fn wrong_count(record: &Record, wanted: usize) -> Mistake {
    let found = record.cells.len();
    let word = if found == 1 { "cell" } else { "cells" };
    let what = format!("{found} {word}, but there are {wanted} columns");
    let cure = if found > wanted {
        "put a cell that holds a separator in quotes".to_owned()
    } else {
        format!(
            "write every separator, also of empty cells; the last cell is {}",
            shown(record.cells.last().map_or("", |c| c))
        )
    };
    Mistake { unit: Unit::Line, line: record.line, column: None, what, cure }
}

fn broken_mistake(record: &Record, broken: &Broken, headings: &[String]) -> Mistake {
    let heading = headings.get(broken.column).cloned().unwrap_or_default();
    let column = Some(Place { number: broken.column + 1, heading });
    Mistake { unit: Unit::Line, line: record.line, column, what: broken.what.to_owned(), cure: broken.cure.to_owned() }
}

/// The same file with a column of results: each byte as it was, but for that column and for lines that can't stand in a table as
/// they are, which become one cell in quotes.
pub(crate) fn with_results(
    bytes: &[u8],
    delimiter: Delimiter,
    encoding: Encoding,
    results: &BTreeMap<u64, String>,
) -> Result<Vec<u8>, Mistakes> {
    let text = text(bytes, encoding)?;
    let (at, line, separator) = begin(&text.cells, delimiter);
    let mut out = String::with_capacity(text.cells.len() + 64 * results.len());
    let (mut copied, mut columns, mut own) = (0, None::<usize>, None::<usize>);
    let delimiter = char::from(separator);
    for record in (Scanner { text: &text.cells, delimiter: separator, at, line }) {
        if record.is_blank() {
            continue;
        }
        let result = match columns {
            None => {
                own = record.cells.iter().position(|cell| cell.trim().eq_ignore_ascii_case(RESULT));
                RESULT
            }
            Some(_) => results.get(&record.line).map_or("", String::as_str),
        };
        let width = *columns.get_or_insert(record.cells.len());
        let result = safe(result, delimiter);
        if record.broken.is_some() {
            out.push_str(&text.cells[copied..record.span.start]);
            out.push_str(&quoted(&text.cells[record.span.clone()]));
            // The last of the columns is that of the result, where it is among them.
            let before = own.unwrap_or(width);
            out.extend(std::iter::repeat_n(delimiter, before));
            out.push_str(&result);
            out.extend(std::iter::repeat_n(delimiter, (width + usize::from(own.is_none())) - before - 1));
        } else if let Some(span) = own.and_then(|own| record.spans.get(own)) {
            out.push_str(&text.cells[copied..span.start]);
            out.push_str(&result);
            out.push_str(&text.cells[span.end..record.span.end]);
        } else {
            out.push_str(&text.cells[copied..record.span.end]);
            // A line that is too short gets its separators, so that the result stands below its heading.
            let wanted = own.unwrap_or(width);
            let missing = wanted.saturating_sub(record.cells.len());
            out.extend(std::iter::repeat_n(delimiter, missing + 1));
            out.push_str(&result);
        }
        copied = record.span.end;
    }
    out.push_str(&text.cells[copied..]);
    let mut file = text.mark.to_vec();
    if text.is_windows {
        file.extend_from_slice(&windows(&out));
    } else {
        file.extend_from_slice(out.as_bytes());
    }
    Ok(file)
}

/// In Windows-1252; a character of a result that it does not have becomes a question mark.
fn windows(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut utf8 = [0; 4];
    for c in text.chars() {
        let (byte, _, is_lost) = encoding_rs::WINDOWS_1252.encode(c.encode_utf8(&mut utf8));
        if is_lost { bytes.push(b'?') } else { bytes.extend_from_slice(&byte) }
    }
    bytes
}

/// A text as a cell that no spreadsheet takes for a formula.
pub(crate) fn safe(text: &str, delimiter: char) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect();
    let guard = if report::begins_formula(&plain) { "'" } else { "" };
    let text = format!("{guard}{plain}");
    if needs_quotes(&text, delimiter) { quoted(&text) } else { text }
}

/// Must a cell of this text stand in quotes?
pub(crate) fn needs_quotes(text: &str, delimiter: char) -> bool {
    text.contains(['"', '\n', '\r', ',', ';', '\t', delimiter])
}

/// A cell in quotes.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests;
