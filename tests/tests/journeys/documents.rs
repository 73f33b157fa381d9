//! Governed documents, found again in their files by programs that others wrote.

use std::{fs, path::Path, process::Command};

use conformance::servers::left_out;
use document::{Block, Cell, Document, SignatureLine, Status, Table};
use journeys::project::Run;
use serde_json::{Value, json};

#[path = "../../../crates/document/tests/sample.rs"]
mod sample;

/// Debian's own, which has Debian's openpyxl.
const PYTHON: &str = "/usr/bin/python3";

/// What a check looks for.
#[derive(Default)]
struct Wanted {
    /// Each part of the PDF, as what it is, in reading order.
    order: Vec<Value>,
    /// What is said besides the tables.
    texts: Vec<String>,
    tables: Vec<Value>,
}

impl Wanted {
    fn part(&mut self, role: &str, text: &str) {
        self.order.push(json!([role, text]));
    }

    fn said(&mut self, role: &str, text: &str) {
        self.part(role, text);
        self.texts.push(text.to_owned());
    }

    fn table(&mut self, table: &Table) {
        self.said("Caption", &table.caption);
        let columns: Vec<&str> = table.columns.iter().map(|column| column.heading.as_str()).collect();
        for heading in &columns {
            self.part("TH", heading);
        }
        let mut rows: Vec<Vec<Value>> = Vec::new();
        for row in &table.rows {
            for (place, cell) in row.iter().enumerate() {
                let shown = shown(cell);
                if !shown.is_empty() {
                    self.part(if place == 0 && table.has_row_headings { "TH" } else { "TD" }, &shown);
                }
            }
            rows.push(row.iter().map(value).collect());
        }
        if table.rows.is_empty() {
            self.part("TD", &table.empty);
            rows.push(
                (0..columns.len()).map(|place| if place == 0 { json!(table.empty) } else { json!("") }).collect(),
            );
        }
        self.tables.push(json!({ "columns": columns, "rows": rows }));
    }
}

fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) | Cell::Verdict(_, text) => text.clone(),
        Cell::Number(number) => number.to_string(),
        Cell::Date(date) => date.strftime("%-d %b %Y").to_string(),
    }
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Text(text) | Cell::Verdict(_, text) => json!(text),
        Cell::Number(number) => json!(number),
        Cell::Date(date) => json!({ "date": date.to_string() }),
    }
}

/// Signatures are a table whose third cell says "Signed" where the record has a day.
fn signatures(lines: &[SignatureLine]) -> Table {
    let row = |line: &SignatureLine| {
        let signed =
            line.date.map_or([Cell::from(""), Cell::from("")], |date| [Cell::from("Signed"), Cell::Date(date)]);
        [Cell::from(line.role.clone()), Cell::from(line.name.clone())].into_iter().chain(signed).collect()
    };
    Table {
        caption: "Signatures".to_owned(),
        columns: ["Role", "Name", "Signature", "Date"].map(document::Column::new).into(),
        has_row_headings: true,
        rows: lines.iter().map(row).collect(),
        ..Table::default()
    }
}

fn wanted(document: &Document) -> Wanted {
    let mut wanted = Wanted::default();
    wanted.said("P", &document.kind);
    wanted.said("H1", &document.title);
    wanted.said("P", &document.organisation);
    wanted.said("P", "Superseded");
    for (word, fact) in [("Reference", &document.reference), ("Version", &document.version)] {
        wanted.said("Lbl", word);
        wanted.said("LBody", fact);
    }
    for block in &document.blocks {
        match block {
            Block::Heading { level, text } => wanted.said(&format!("H{}", level + 1), text),
            Block::Paragraph(text) => wanted.said("P", text),
            Block::List { items, .. } => items.iter().for_each(|item| wanted.said("LBody", item)),
            Block::Facts(facts) => {
                for (word, fact) in facts {
                    wanted.said("Lbl", word);
                    wanted.said("LBody", fact);
                }
            }
            Block::Callout { tone, text } => {
                wanted.said("P", tone.word());
                wanted.said("P", text);
            }
            Block::Table(table) => wanted.table(table),
            Block::Signature { lines } => wanted.table(&signatures(lines)),
            Block::Chart(chart) => {
                wanted.said("P", &chart.caption);
                wanted.texts.push(chart.alternative.clone());
                let bars = chart.bars.iter();
                let rows: Vec<Value> = bars.clone().map(|(label, value)| json!([label, value])).collect();
                for (label, value) in bars {
                    wanted.part("TH", label);
                    wanted.part("TD", &value.to_string());
                }
                wanted.tables.push(json!({ "columns": [chart.label_heading, chart.value_heading], "rows": rows }));
            }
        }
    }
    wanted
}

#[test]
fn every_text_number_and_name_of_a_document_is_found_again_by_other_programs() {
    if !Path::new("/usr/bin/pdfinfo").exists() {
        return left_out("pdfinfo is not here: apt-get install --no-install-recommends poppler-utils");
    }
    if !Command::new(PYTHON).args(["-c", "import openpyxl"]).status().is_ok_and(|status| status.success()) {
        return left_out("openpyxl is not here: apt-get install --no-install-recommends python3-openpyxl");
    }
    let plan = sample::plan(Status::Superseded { by_version: "1.3".to_owned() });
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let pdf = document::pdf(&plan).unwrap();
    assert_eq!(pdf, document::pdf(&plan.clone()).unwrap(), "the same document gives the same bytes");
    put("document.pdf", &pdf);
    put("document.xlsx", &document::xlsx(&plan));
    put("document.docx", &document::docx(&plan).unwrap());
    let Wanted { order, texts, tables } = wanted(&plan);
    let all = json!({
        "title": plan.title,
        "organisation": plan.organisation,
        "version": plan.version,
        "notice": "Version 1.2 is superseded by version 1.3.",
        "order": order,
        "texts": texts,
        "tables": tables,
    });
    put("wanted.json", all.to_string().as_bytes());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("document_check.py");
    let run = Run::of(Command::new(PYTHON).arg(script).arg(folder.path()));
    assert_eq!(run.code, 0, "{run:?}");
}
