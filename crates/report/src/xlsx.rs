//! A workbook (Office Open XML, ECMA-376): a sheet for what is said, and one for each table, with typed cells, a heading row that
//! stays in sight, and a filter.
//!
//! Text is written as text and styled as text, so that no cell is a formula, also after somebody has edited it.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::zip::{Entry, Zip};
use crate::{Cell, Column, Document, Kind, Table, words};

/// Rows of a sheet, and characters of a cell: the format's limits.
const ROWS_MAX: usize = 1_048_576;
const CHARACTERS_MAX: usize = 32_767;
/// What stands in place of the rest of a longer text.
const CUT: &str = "… (cut)";
/// Excel's day 0 in days since 1970, and its day 61, before which it has a 29 February 1900 that never was.
const DAYS_BEFORE_1970: f64 = 25_569.0;
const FIRST_SURE_DAY: f64 = 61.0;
const SECONDS_A_DAY: f64 = 86_400.0;
const WIDTH_MIN: usize = 9;
const WIDTH_MAX: usize = 44;
const WIDTH_OF_PROSE: usize = 60;
const WIDTH_OF_ABOUT: usize = 110;
/// How high a line is, and how many of them a row shows at most: not every spreadsheet makes room by itself.
const LINE_POINTS: usize = 15;
const LINES_MAX: usize = 8;
const LINES_OF_HEADING: usize = 3;
/// Rows looked at to find how wide a column should be.
const ROWS_MEASURED: usize = 1_000;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
const TYPE: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml";

/// Places in the table of styles below.
#[derive(Clone, Copy)]
enum Style {
    Heading = 1,
    Title = 2,
    Text = 3,
    Prose = 4,
    Number = 5,
    Moment = 6,
    Share = 7,
}

/// Each of the styles from [`Style::Text`] on again, in bold, for sums.
const BOLD: usize = 5;

const STYLES: &str = concat!(
    "<numFmts count=\"1\"><numFmt numFmtId=\"164\" formatCode=\"yyyy\\-mm\\-dd\\ hh:mm\"/></numFmts>",
    "<fonts count=\"3\"><font><sz val=\"11\"/><name val=\"Calibri\"/></font>",
    "<font><b/><sz val=\"11\"/><name val=\"Calibri\"/></font>",
    "<font><b/><sz val=\"16\"/><name val=\"Calibri\"/></font></fonts>",
    "<fills count=\"3\"><fill><patternFill patternType=\"none\"/></fill>",
    "<fill><patternFill patternType=\"gray125\"/></fill>",
    "<fill><patternFill patternType=\"solid\"><fgColor rgb=\"FFDCE6EE\"/></patternFill></fill></fills>",
    "<borders count=\"1\"><border/></borders><cellStyleXfs count=\"1\"><xf/></cellStyleXfs>",
    "<cellXfs count=\"13\"><xf/>",
    "<xf numFmtId=\"49\" fontId=\"1\" fillId=\"2\" applyFont=\"1\" applyFill=\"1\" applyAlignment=\"1\">",
    "<alignment vertical=\"center\" wrapText=\"1\"/></xf>",
    "<xf numFmtId=\"49\" fontId=\"2\" applyFont=\"1\"/>",
    "<xf numFmtId=\"49\" applyNumberFormat=\"1\" applyAlignment=\"1\"><alignment vertical=\"top\"/></xf>",
    "<xf numFmtId=\"49\" applyNumberFormat=\"1\" applyAlignment=\"1\"><alignment vertical=\"top\" wrapText=\"1\"/></xf>",
    "<xf numFmtId=\"3\" applyNumberFormat=\"1\" applyAlignment=\"1\"><alignment vertical=\"top\"/></xf>",
    "<xf numFmtId=\"164\" applyNumberFormat=\"1\" applyAlignment=\"1\"><alignment vertical=\"top\"/></xf>",
    "<xf numFmtId=\"10\" applyNumberFormat=\"1\" applyAlignment=\"1\"><alignment vertical=\"top\"/></xf>",
    "<xf numFmtId=\"49\" fontId=\"1\" applyNumberFormat=\"1\" applyFont=\"1\" applyAlignment=\"1\"><alignment vertical=\"top\"/></xf>",
    "<xf numFmtId=\"49\" fontId=\"1\" applyNumberFormat=\"1\" applyFont=\"1\" applyAlignment=\"1\"><alignment vertical=\"top\"/></xf>",
    "<xf numFmtId=\"3\" fontId=\"1\" applyNumberFormat=\"1\" applyFont=\"1\"/>",
    "<xf numFmtId=\"164\" fontId=\"1\" applyNumberFormat=\"1\" applyFont=\"1\"/>",
    "<xf numFmtId=\"10\" fontId=\"1\" applyNumberFormat=\"1\" applyFont=\"1\"/></cellXfs>",
    "<cellStyles count=\"1\"><cellStyle name=\"Normal\" xfId=\"0\" builtinId=\"0\"/></cellStyles>"
);

/// Writes the whole workbook.
pub(crate) fn write(document: &Document, to: &mut dyn Write) -> io::Result<()> {
    write_by(document, ROWS_MAX, to)
}

/// A sheet that is written: its name, and where its filter is.
struct Sheet {
    name: String,
    filter: Option<String>,
}

fn write_by(document: &Document, rows_max: usize, to: &mut dyn Write) -> io::Result<()> {
    let mut zip = Zip::new(to);
    let mut sheets = vec![Sheet { name: "About".to_owned(), filter: None }];
    add_sheet(&mut zip, 1, |entry| about(document, entry))?;
    for table in &document.tables {
        // A heading, and the sums on the last sheet.
        let rows_a_sheet = rows_max - 2;
        let parts: Vec<&[Vec<Cell>]> =
            if table.rows.is_empty() { vec![&[]] } else { table.rows.chunks(rows_a_sheet).collect() };
        for (part, rows) in parts.iter().enumerate() {
            let total = table.total.as_deref().filter(|_| part + 1 == parts.len());
            let mut name = capitalised(table.name);
            if part > 0 {
                let _ = write!(name, " {}", part + 1);
            }
            let filter = format!("$A$1:${}${}", letters(table.columns.len() - 1), rows.len() + 1);
            sheets.push(Sheet { name, filter: Some(filter) });
            add_sheet(&mut zip, sheets.len(), |entry| sheet(table, rows, total, entry))?;
        }
    }
    for (name, text) in parts(&sheets) {
        let mut entry = Entry::new();
        entry.text(HEAD)?;
        entry.text(&text)?;
        zip.add(name, entry)?;
    }
    zip.finish()
}

/// The parts that say what is where.
fn parts(sheets: &[Sheet]) -> [(&'static str, String); 5] {
    let (mut types, mut listed, mut names, mut relations) = <(String, String, String, String)>::default();
    for (place, sheet) in sheets.iter().enumerate() {
        let number = place + 1;
        let _ = write!(
            types,
            "<Override PartName=\"/xl/worksheets/sheet{number}.xml\" ContentType=\"{TYPE}.worksheet+xml\"/>"
        );
        let _ = write!(listed, "<sheet name=\"{}\" sheetId=\"{number}\" r:id=\"rId{number}\"/>", sheet.name);
        let _ = write!(
            relations,
            "<Relationship Id=\"rId{number}\" Type=\"{RELATIONS}/worksheet\" Target=\"worksheets/sheet{number}.xml\"/>"
        );
        if let Some(filter) = &sheet.filter {
            let _ = write!(
                names,
                "<definedName name=\"_xlnm._FilterDatabase\" localSheetId=\"{place}\" hidden=\"1\">'{0}'!{filter}</definedName>\
                 <definedName name=\"_xlnm.Print_Titles\" localSheetId=\"{place}\">'{0}'!$1:$1</definedName>",
                sheet.name
            );
        }
    }
    let names = if names.is_empty() { names } else { format!("<definedNames>{names}</definedNames>") };
    let of_styles = sheets.len() + 1;
    [
        (
            "[Content_Types].xml",
            format!(
                "<Types xmlns=\"{PACKAGE}/content-types\"><Default Extension=\"rels\" \
                 ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
                 <Default Extension=\"xml\" ContentType=\"application/xml\"/>\
                 <Override PartName=\"/xl/workbook.xml\" ContentType=\"{TYPE}.sheet.main+xml\"/>\
                 <Override PartName=\"/xl/styles.xml\" ContentType=\"{TYPE}.styles+xml\"/>{types}</Types>"
            ),
        ),
        (
            "_rels/.rels",
            format!(
                "<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"rId1\" \
                 Type=\"{RELATIONS}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!("<workbook xmlns=\"{MAIN}\" xmlns:r=\"{RELATIONS}\"><sheets>{listed}</sheets>{names}</workbook>"),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "<Relationships xmlns=\"{PACKAGE}/relationships\">{relations}<Relationship Id=\"rId{of_styles}\" \
                 Type=\"{RELATIONS}/styles\" Target=\"styles.xml\"/></Relationships>"
            ),
        ),
        ("xl/styles.xml", format!("<styleSheet xmlns=\"{MAIN}\">{STYLES}</styleSheet>")),
    ]
}

fn add_sheet(zip: &mut Zip<'_>, number: usize, fill: impl FnOnce(&mut Entry) -> io::Result<()>) -> io::Result<()> {
    let mut entry = Entry::new();
    entry.text(HEAD)?;
    entry.text(&format!("<worksheet xmlns=\"{MAIN}\"><sheetPr><pageSetUpPr fitToPage=\"1\"/></sheetPr>"))?;
    fill(&mut entry)?;
    entry.text(
        "<pageMargins left=\"0.5\" right=\"0.5\" top=\"0.5\" bottom=\"0.5\" header=\"0.3\" footer=\"0.3\"/>\
         <pageSetup paperSize=\"9\" orientation=\"landscape\" fitToHeight=\"0\"/></worksheet>",
    )?;
    zip.add(&format!("xl/worksheets/sheet{number}.xml"), entry)
}

/// What is said besides the tables.
fn about(document: &Document, entry: &mut Entry) -> io::Result<()> {
    entry.text("<cols><col min=\"1\" max=\"1\" width=\"22\" customWidth=\"1\"/>")?;
    entry
        .text(&format!("<col min=\"2\" max=\"2\" width=\"{WIDTH_OF_ABOUT}\" customWidth=\"1\"/></cols><sheetData>"))?;
    let facts = document.facts.iter().map(|(word, fact)| (*word, fact.as_str()));
    let sentences = document.sentences.iter().map(|sentence| (sentence.weight.word(), sentence.text.as_str()));
    let notes = document.notes.iter().map(|(word, note)| (*word, note.as_str()));
    let title = Cell::Text(document.title.clone());
    let mut number = 1;
    entry.text(&format!("<row r=\"1\">{}</row>", cell(0, number, &title, Style::Title as usize)))?;
    for group in [facts.collect::<Vec<_>>(), sentences.collect(), notes.collect()] {
        number += 1; // A row stays empty between them.
        for (word, text) in group {
            number += 1;
            let word = cell(0, number, &Cell::Text(word.to_owned()), Style::Text as usize + BOLD);
            let height = height(lines(text, WIDTH_OF_ABOUT));
            let text = cell(1, number, &Cell::Text(text.to_owned()), Style::Prose as usize);
            entry.text(&format!("<row r=\"{number}\"{height}>{word}{text}</row>"))?;
        }
    }
    entry.text("</sheetData>")
}

fn sheet(table: &Table, rows: &[Vec<Cell>], total: Option<&[Cell]>, entry: &mut Entry) -> io::Result<()> {
    entry.text(
        "<sheetViews><sheetView workbookViewId=\"0\"><pane xSplit=\"1\" ySplit=\"1\" topLeftCell=\"B2\" \
         activePane=\"bottomRight\" state=\"frozen\"/></sheetView></sheetViews><cols>",
    )?;
    for (place, column) in table.columns.iter().enumerate() {
        let (number, width) = (place + 1, width(column, place, rows));
        entry.text(&format!("<col min=\"{number}\" max=\"{number}\" width=\"{width}\" customWidth=\"1\"/>"))?;
    }
    entry.text(&format!("</cols><sheetData><row r=\"1\"{}>", height(LINES_OF_HEADING)))?;
    for (place, column) in table.columns.iter().enumerate() {
        let unit = match column.kind {
            Kind::Bytes => " (bytes)",
            Kind::Moment => " (UTC)",
            _ => "",
        };
        let heading = Cell::Text(format!("{}{unit}", column.heading));
        entry.text(&cell(place, 1, &heading, Style::Heading as usize))?;
    }
    entry.text("</row>")?;
    let mut line = |number: usize, row: &[Cell], more: usize| {
        let prose = table.columns.iter().zip(row).filter(|(column, _)| column.kind == Kind::Prose);
        let most = prose.map(|(_, cell)| lines(&cell.shown(Kind::Prose), WIDTH_OF_PROSE)).max().unwrap_or(1);
        let mut xml = format!("<row r=\"{number}\"{}>", height(most));
        for (place, (column, value)) in table.columns.iter().zip(row).enumerate() {
            xml.push_str(&cell(place, number, value, style(column.kind) as usize + more));
        }
        xml.push_str("</row>");
        entry.text(&xml)
    };
    for (place, row) in rows.iter().enumerate() {
        line(place + 2, row, 0)?;
    }
    if let Some(total) = total {
        line(rows.len() + 2, total, BOLD)?;
    }
    let last = letters(table.columns.len() - 1);
    entry.text(&format!("</sheetData><autoFilter ref=\"A1:{last}{}\"/>", rows.len() + 1))
}

fn style(kind: Kind) -> Style {
    match kind {
        Kind::Text => Style::Text,
        Kind::Prose => Style::Prose,
        Kind::Number | Kind::Bytes => Style::Number,
        Kind::Moment => Style::Moment,
        Kind::Share => Style::Share,
    }
}

fn width(column: &Column, place: usize, rows: &[Vec<Cell>]) -> usize {
    if column.kind == Kind::Prose {
        return WIDTH_OF_PROSE;
    }
    // A heading may take two lines, and has the filter's button beside it.
    let heading = column.heading.split(' ').map(|word| word.chars().count() + 4).max().unwrap_or_default();
    // A number of bytes stands there in full.
    let kind = if column.kind == Kind::Bytes { Kind::Number } else { column.kind };
    let of_row = |row: &Vec<Cell>| row[place].shown(kind).chars().count() + 2;
    let widest = rows.iter().take(ROWS_MEASURED).map(of_row).max().unwrap_or_default();
    widest.max(heading).clamp(WIDTH_MIN, WIDTH_MAX)
}

/// About how many lines a text takes in a column of this width.
fn lines(text: &str, width: usize) -> usize {
    text.lines().map(|line| line.chars().count().div_ceil(width).max(1)).sum()
}

/// The height of a row of so many lines; that of every row when it is one.
fn height(lines: usize) -> String {
    if lines < 2 {
        return String::new();
    }
    format!(" ht=\"{}\" customHeight=\"1\"", lines.min(LINES_MAX) * LINE_POINTS)
}

/// The name of a column: A, B, …, Z, AA.
fn letters(mut place: usize) -> String {
    let mut name = String::new();
    loop {
        name.insert(0, char::from(b'A' + (place % 26) as u8));
        if place < 26 {
            return name;
        }
        place = place / 26 - 1;
    }
}

fn cell(column: usize, row: usize, cell: &Cell, style: usize) -> String {
    let at = format!("r=\"{}{row}\" s=\"{style}\"", letters(column));
    let text = |text: &str| {
        format!("<c {at} t=\"inlineStr\"><is><t xml:space=\"preserve\">{}</t></is></c>", text_of_cell(text))
    };
    match cell {
        Cell::Empty => format!("<c {at}/>"),
        Cell::Text(words) => text(words),
        Cell::Number(number) => format!("<c {at}><v>{number}</v></c>"),
        Cell::Moment(seconds) => {
            let days = *seconds as f64 / SECONDS_A_DAY + DAYS_BEFORE_1970;
            if days < FIRST_SURE_DAY { text(&words::moment(*seconds)) } else { format!("<c {at}><v>{days}</v></c>") }
        }
        Cell::Share(share) => format!("<c {at}><v>{}.{:04}</v></c>", share / 10_000, share % 10_000),
    }
}

/// A text as it stands in the XML of a cell: as much of it as a cell holds, with what XML has no way to write escaped.
pub fn text_of_cell(text: &str) -> String {
    held(&cut(text))
}

/// As much of a text as a cell holds.
fn cut(text: &str) -> String {
    if text.encode_utf16().count() <= CHARACTERS_MAX {
        return text.to_owned();
    }
    let mut room = CHARACTERS_MAX - CUT.encode_utf16().count();
    let fits = |c: &char| {
        let is_room = c.len_utf16() <= room;
        room -= c.len_utf16().min(room);
        is_room
    };
    text.chars().take_while(fits).chain(CUT.chars()).collect()
}

/// Text as the format holds it: what XML has no way to write is _xHHHH_, and what already looks like that gets its first
/// sign so.
fn held(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for (place, c) in text.char_indices() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' => safe.push(c),
            '\u{fffe}' | '\u{ffff}' | '\0'..='\u{1f}' | '\u{7f}' => {
                let _ = write!(safe, "_x{:04X}_", u32::from(c));
            }
            '_' if looks_escaped(&text.as_bytes()[place..]) => safe.push_str("_x005F_"),
            c => safe.push(c),
        }
    }
    safe
}

fn looks_escaped(bytes: &[u8]) -> bool {
    matches!(bytes, [b'_', b'x', digits @ .., ] if digits.len() > 4 && digits[..4].iter().all(u8::is_ascii_hexdigit) && digits[4] == b'_')
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests;
