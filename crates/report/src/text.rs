//! For a terminal: each column as wide as its widest cell, and long texts below their row.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use crate::{Cell, Document, Kind, Table, Weight};

pub(crate) fn write(document: &Document) -> String {
    let mut text = format!("{}\n", harmless(&document.title));
    for (word, fact) in &document.facts {
        let _ = writeln!(text, "{word}: {}", harmless(fact));
    }
    text.push('\n');
    for sentence in &document.sentences {
        let _ = match sentence.weight {
            Weight::Plain => writeln!(text, "{}", harmless(&sentence.text)),
            weight => writeln!(text, "{:5} {}", weight.word(), harmless(&sentence.text)),
        };
    }
    for table in &document.tables {
        let _ = writeln!(text, "\n{}", harmless(&table.title));
        table_to(&mut text, table);
    }
    if !document.notes.is_empty() {
        text.push('\n');
    }
    for (word, note) in &document.notes {
        let _ = writeln!(text, "{word}: {}", harmless(note));
    }
    text
}

fn table_to(text: &mut String, table: &Table) {
    if table.rows.is_empty() {
        let _ = writeln!(text, "  {}", table.empty);
        return;
    }
    let (shown, left_out) = table.shown_columns();
    let (prose, columns): (Vec<usize>, Vec<usize>) =
        shown.into_iter().partition(|place| table.columns[*place].kind == Kind::Prose);
    let cells = |row: &[Cell]| -> Vec<String> {
        columns.iter().map(|place| harmless(&row[*place].shown(table.columns[*place].kind))).collect()
    };
    let headings: Vec<String> = columns.iter().map(|place| table.columns[*place].heading.to_owned()).collect();
    let rows: Vec<Vec<String>> = table.rows.iter().map(|row| cells(row)).collect();
    let total = table.total.as_deref().map(cells);
    let mut widths = vec![0; columns.len()];
    for row in rows.iter().chain([&headings]).chain(&total) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let line = |text: &mut String, cells: &[String]| {
        let mut line = String::from(" ");
        for ((cell, width), place) in cells.iter().zip(&widths).zip(&columns) {
            let padding = " ".repeat(width - cell.width());
            let is_number = table.columns[*place].kind.is_number();
            let _ = if is_number { write!(line, " {padding}{cell} ") } else { write!(line, " {cell}{padding} ") };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(text, &headings);
    for (row, cells) in table.rows.iter().zip(&rows) {
        line(text, cells);
        for place in prose.iter().filter(|place| !row[**place].is_nothing()) {
            let column = &table.columns[*place];
            let _ = writeln!(text, "    {}: {}", column.heading, harmless(&row[*place].shown(column.kind)));
        }
    }
    if let Some(total) = total {
        line(text, &total);
    }
    if !left_out.is_empty() {
        let _ = writeln!(text, "  Nothing to show under: {}", left_out.join(", "));
    }
}

/// Without what would move a terminal's cursor, change its colours or turn the direction of a line.
pub fn harmless(text: &str) -> String {
    let is_harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if is_harmful(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_moved() {
        assert_eq!(harmless("a\x1b[31mb\u{202e}c\nd\u{9b}"), "a\u{fffd}[31mb\u{fffd}c\u{fffd}d\u{fffd}");
        assert_eq!(harmless("Łucja 日本"), "Łucja 日本");
    }
}
