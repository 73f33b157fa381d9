//! All that a document says.

use document::{Block, Cell, Document};
use jiff::civil::Date;

/// A day as documents write it.
pub(crate) fn day(day: Date) -> String {
    day.strftime("%-d %B %Y").to_string()
}

/// Every text of a document, one a line: its head, then its blocks in order.
pub(crate) fn text(document: &Document) -> String {
    let mut lines = vec![
        document.title.clone(),
        document.kind.clone(),
        document.organisation.clone(),
        document.reference.clone(),
        document.version.clone(),
        document.status.words(),
        day(document.made_on),
    ];
    for block in &document.blocks {
        match block {
            Block::Heading { text, .. } | Block::Paragraph(text) | Block::Callout { text, .. } => {
                lines.push(text.clone());
            }
            Block::List { items, .. } => lines.extend(items.iter().cloned()),
            Block::Facts(facts) => lines.extend(facts.iter().map(|(name, fact)| format!("{name}: {fact}"))),
            Block::Table(table) => {
                lines.push(table.caption.clone());
                lines.extend(table.columns.iter().map(|column| column.heading.clone()));
                lines.extend(table.rows.iter().flatten().map(cell));
                if table.rows.is_empty() {
                    lines.push(table.empty.clone());
                }
            }
            Block::Signature { lines: signed } => {
                let line = |line: &document::SignatureLine| {
                    format!("{} / {} / {}", line.role, line.name, line.date.map(day).unwrap_or_default())
                };
                lines.extend(signed.iter().map(line));
            }
            Block::Chart(chart) => {
                lines.extend([chart.caption.clone(), chart.alternative.clone()]);
                lines.extend(chart.bars.iter().map(|(label, value)| format!("{label}: {value}")));
            }
        }
    }
    lines.join("\n")
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) | Cell::Verdict(_, text) => text.clone(),
        Cell::Number(number) => number.to_string(),
        Cell::Date(date) => day(*date),
    }
}
