//! One table for other programs: RFC 4180, in UTF-8 without a byte order mark.
//!
//! A spreadsheet takes a cell that begins like a formula for one, whoever wrote it. Such a text gets an apostrophe in front,
//! and all text is in quotes, so that no separator of any country begins another cell. Numbers stay numbers.

use std::io::{self, Write};

use crate::{Cell, Kind, Table, words};

pub(crate) fn write(table: &Table, to: &mut dyn Write) -> io::Result<()> {
    let headings = table.columns.iter().map(|column| {
        let unit = match column.kind {
            Kind::Bytes => " (bytes)",
            Kind::Moment => " (UTC)",
            Kind::Share => " (%)",
            Kind::Text | Kind::Prose | Kind::Number => "",
        };
        quoted(&format!("{}{unit}", column.heading))
    });
    line(headings, to)?;
    for row in &table.rows {
        line(row.iter().map(cell), to)?;
    }
    Ok(())
}

fn line(cells: impl Iterator<Item = String>, to: &mut dyn Write) -> io::Result<()> {
    to.write_all(cells.collect::<Vec<_>>().join(",").as_bytes())?;
    to.write_all(b"\r\n")
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) => quoted(text),
        Cell::Number(number) => number.to_string(),
        Cell::Moment(at) => words::second(*at).replace('T', " ").replace('Z', ""),
        Cell::Share(share) => format!("{}.{:02}", share / 100, share % 100),
    }
}

/// Would a spreadsheet take this text for a formula?
pub fn begins_formula(text: &str) -> bool {
    // The wide forms of these signs are taken for them in East Asian settings.
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

fn quoted(text: &str) -> String {
    let guard = if begins_formula(text) { "'" } else { "" };
    // What would move a terminal's cursor has no place in a table either.
    let is_harmful = |c: char| c.is_control() && !matches!(c, '\t' | '\r' | '\n');
    format!("\"{guard}{}\"", text.replace('"', "\"\"").replace(is_harmful, "\u{fffd}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_a_formula() {
        for (text, expected) in [
            ("=1+1", "\"'=1+1\""),
            ("+44 20", "\"'+44 20\""),
            ("-2+3", "\"'-2+3\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("\r=1", "\"'\r=1\""),
            ("\n=1", "\"'\n=1\""),
            ("＝1", "\"'＝1\""),
            ("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""),
            ("a;=1+1", "\"a;=1+1\""),
            ("a,\"=1", "\"a,\"\"=1\""),
            ("O'Brien", "\"O'Brien\""),
            ("'=1", "\"'=1\""),
            ("a\u{1b}[31m\0", "\"a\u{fffd}[31m\u{fffd}\""),
            ("", "\"\""),
        ] {
            assert_eq!(cell(&Cell::Text(text.to_owned())), expected);
        }
    }

    #[test]
    fn what_is_not_text_is_written_for_programs() {
        let cells = [Cell::Number(1_234_567), Cell::Moment(-1), Cell::Share(9_905), Cell::Empty];
        assert_eq!(cells.map(|c| cell(&c)), ["1234567", "1969-12-31 23:59:59", "99.05", ""]);
    }
}
