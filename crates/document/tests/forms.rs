//! One plan in every form.

use document::{Block, Cell, Document, Status, Table, docx, html, pdf, xlsx};

use crate::{
    opened::{texts, unpacked, unzipped},
    sample,
};

fn superseded() -> Document {
    sample::plan(Status::Superseded { by_version: "1.3".to_owned() })
}

/// Every text of a document that is not a cell.
fn said(document: &Document) -> Vec<String> {
    let mut all = vec![document.title.clone(), document.kind.clone(), document.organisation.clone()];
    all.extend([document.reference.clone(), document.version.clone(), "27 November 2026".to_owned()]);
    for block in &document.blocks {
        match block {
            Block::Heading { text, .. } | Block::Paragraph(text) => all.push(text.clone()),
            Block::List { items, .. } => all.extend(items.iter().cloned()),
            Block::Facts(facts) => all.extend(facts.iter().flat_map(|(word, fact)| [word.clone(), fact.clone()])),
            Block::Callout { tone, text } => all.extend([tone.word().to_owned(), text.clone()]),
            Block::Table(Table { caption, .. }) => all.push(caption.clone()),
            Block::Chart(chart) => all.extend([chart.caption.clone(), chart.alternative.clone()]),
            Block::Signature { .. } => all.push("Signatures".to_owned()),
        }
    }
    all
}

/// Every text of tables, and how numbers and days are written.
fn cells(document: &Document, number: fn(i64) -> String, day: fn(jiff::civil::Date) -> String) -> Vec<String> {
    let mut all = Vec::new();
    for block in &document.blocks {
        match block {
            Block::Table(table) => {
                all.extend(table.columns.iter().map(|column| column.heading.clone()));
                all.extend(table.rows.iter().flatten().map(|cell| match cell {
                    Cell::Text(text) | Cell::Verdict(_, text) => text.clone(),
                    Cell::Number(value) => number(*value),
                    Cell::Date(date) => day(*date),
                }));
                if table.rows.is_empty() {
                    all.push(table.empty.clone());
                }
            }
            Block::Chart(chart) => {
                let bar = |(label, value): &(String, u64)| [label.clone(), number(i64::try_from(*value).unwrap())];
                all.extend(chart.bars.iter().flat_map(bar));
            }
            Block::Signature { lines } => {
                for line in lines {
                    all.extend([line.role.clone(), line.name.clone()]);
                    all.extend(line.date.map(day));
                }
            }
            _ => {}
        }
    }
    all.retain(|text| !text.is_empty());
    all
}

fn shown(date: jiff::civil::Date) -> String {
    date.strftime("%-d %b %Y").to_string()
}

fn require(all: &[String], wanted: Vec<String>, form: &str) {
    for text in wanted {
        assert!(all.iter().any(|found| found.trim() == text.trim()), "{text:?} is not in the {form}");
    }
}

#[test]
fn the_same_document_gives_the_same_bytes() {
    for status in [Status::Draft, Status::ForSignature, Status::Issued] {
        let (one, other) = (sample::plan(status.clone()), sample::plan(status));
        assert_eq!(pdf(&one).unwrap(), pdf(&other).unwrap());
        assert_eq!(html(&one), html(&other));
        assert_eq!(xlsx(&one), xlsx(&other));
        assert_eq!(docx(&one).unwrap(), docx(&other).unwrap());
    }
}

#[test]
fn the_page_says_all() {
    let plan = superseded();
    let page = html(&plan);
    let body = page.split_once("</style>").unwrap().1.replace("<!DOCTYPE html>", "");
    // What HTML leaves open is closed, so that it can be read as XML.
    let body = format!("<html><head>{}", body.replace("<col style", "<col/><!-- ").replace("%\">", "%\" -->"));
    let all = texts(&body);
    let charts = plan.blocks.iter().filter_map(|block| match block {
        Block::Chart(chart) => Some(chart.alternative.clone()),
        _ => None,
    });
    let told: Vec<String> = charts.collect();
    require(&all, said(&plan).into_iter().filter(|text| !told.contains(text)).collect(), "page");
    require(&all, cells(&plan, |number| number.to_string(), shown), "page");
    assert!(told.iter().all(|text| body.contains(&format!("aria-label=\"{text}\""))));
    assert!(body.find("Superseded").unwrap() < body.find("<dl>").unwrap());
}

#[test]
fn the_workbook_says_all_and_has_numbers_and_days_as_such() {
    let plan = superseded();
    let files = unzipped(&xlsx(&plan));
    let sheets = files.iter().filter(|(name, _)| name.starts_with("xl/worksheets/"));
    let all: Vec<String> = sheets.flat_map(|(_, xml)| texts(xml)).collect();
    require(&all, said(&plan), "workbook");
    let serial =
        |date: jiff::civil::Date| (date.duration_since(jiff::civil::date(1899, 12, 30)).as_hours() / 24).to_string();
    require(&all, cells(&plan, |number| number.to_string(), serial), "workbook");
    assert!(!files.values().any(|xml| xml.contains("<f>")), "there is no formula");
    assert!(files["xl/worksheets/sheet2.xml"].contains("state=\"frozen\"/>"));
    assert!(files["xl/worksheets/sheet2.xml"].contains("<autoFilter ref=\"A1:E14\"/>"));
    assert!(files["docProps/core.xml"].contains("2026-11-27T00:00:00Z"));
}

#[test]
fn the_text_for_a_word_processor_says_all_with_headings_and_heads_of_tables() {
    let plan = superseded();
    let files = unzipped(&docx(&plan).unwrap());
    let body = &files["word/document.xml"];
    let all = texts(body);
    require(&all, said(&plan), "text");
    require(&all, cells(&plan, |number| number.to_string(), shown), "text");
    let tables =
        plan.blocks.iter().filter(|block| matches!(block, Block::Table(_) | Block::Chart(_) | Block::Signature { .. }));
    assert_eq!(body.matches("<w:tblHeader/>").count(), tables.count());
    assert_eq!(body.matches("<w:pStyle w:val=\"Heading1\"/>").count(), 6);
    assert!(files["word/header1.xml"].contains(" NUMPAGES "));
}

#[test]
fn the_pdf_is_tagged_named_and_bookmarked() {
    let plan = superseded();
    let all = unpacked(&pdf(&plan).unwrap());
    assert!(all.starts_with("%PDF-1.7"));
    for part in [
        "/Marked true",
        "/Lang(en-GB)",
        "/DisplayDocTitle true",
        "/Outlines",
        "pdfuaid:part",
        "/S/H1",
        "/S/H2",
        "/S/Figure",
        "/S/Link",
        "/Alt",
    ] {
        let close = |text: &str| text.replace(' ', "");
        assert!(close(&all).contains(&close(part)), "{part}");
    }
    assert!(all.matches("/Subtype/Header").count() + all.matches("/Subtype /Header").count() > 0);
    assert!(!all.contains("/CreationDate (D:20261128"), "the date is the document's");
}
