//! Writes a PDF of awkward texts and tables into a folder, to be looked at.

#![allow(clippy::unwrap_used, reason = "an example stops at what goes wrong")]

use std::{fs, path::PathBuf};

use document::{Block, Cell, Chart, Column, Document, Status, Table, Tone};
use jiff::civil::date;

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".to_owned()));
    let columns = |count: usize| (0..count).map(|number| Column::new(&format!("Responsible {number}"))).collect();
    let row = |count: usize| (0..count).map(|_| Cell::from("Accountable")).collect::<Vec<_>>();
    let table = |caption: &str, count: usize| {
        let (caption, columns, rows) = (caption.to_owned(), columns(count), vec![row(count); 3]);
        Block::Table(Table { caption, columns, has_row_headings: true, rows, empty: String::new() })
    };
    let long = "What a long remark this is, which goes on and on. ".repeat(160);
    let broken = Table {
        caption: "A cell longer than a page".to_owned(),
        columns: vec![Column::new("No."), Column::new("Remark"), Column::new("Rating")],
        has_row_headings: true,
        rows: vec![
            vec!["1".into(), long.clone().into(), Cell::Verdict(Tone::Alert, "High".to_owned())],
            vec![
                "2".into(),
                "averylongwordwithoutanyend".repeat(20).into(),
                Cell::Verdict(Tone::Good, "Low".to_owned()),
            ],
        ],
        empty: String::new(),
    };
    let names = [
        "שלום עולם (Jerusalem) 2026, בית חולים",
        "مرحبا بالعالم",
        "日本語のテキスト and 😀 and Zoe\u{308} Łukasiewicz, Ηλέκτρα, Дмитрий",
        "control \u{1b}[31m and override \u{202e}evil\u{202c} and NUL \0",
        "firstname.lastname-hyphenated@a-very-long-department-name.northmoor-teaching-hospitals.example.test",
    ];
    let bars =
        (0..33).map(|number| (format!("Department of long names, ward {number}"), number * number * 7)).collect();
    let blocks = vec![
        Block::Heading { level: 1, text: "Names".to_owned() },
        Block::List { ordered: true, items: names.map(str::to_owned).into() },
        Block::Heading { level: 3, text: "Twelve columns".to_owned() },
        table("Twelve", 12),
        Block::Paragraph("Between the two.".to_owned()),
        table("Twenty", 20),
        Block::Heading { level: 1, text: "Long".to_owned() },
        Block::Table(broken),
        Block::Callout { tone: Tone::Good, text: long.chars().take(3_000).collect() },
        Block::Facts(vec![("Something".to_owned(), long.chars().take(4_000).collect())]),
        Block::Chart(Chart {
            caption: "Many bars".to_owned(),
            alternative: String::new(),
            label_heading: "Ward".to_owned(),
            value_heading: "Beds".to_owned(),
            bars,
        }),
    ];
    let document = Document {
        title: "Awkward texts".to_owned(),
        kind: "Test".to_owned(),
        organisation: "Ωmega & <Sons>".to_owned(),
        reference: "T-1".to_owned(),
        version: "0.1".to_owned(),
        status: Status::Issued,
        made_on: date(2026, 11, 27),
        language: "en-GB".to_owned(),
        blocks,
    };
    fs::write(folder.join("awkward.pdf"), document::pdf(&document).unwrap()).unwrap();
    fs::write(folder.join("awkward.docx"), document::docx(&document).unwrap()).unwrap();
    fs::write(folder.join("awkward.html"), document::html(&document)).unwrap();
}
