//! A workbook (Office Open XML), for those who have to edit a document's tables: a cover with all that is said besides them, and
//! a sheet for each table, its head in sight and with a filter.
//!
//! It is written by ourselves, as crates/report does it: a table is a dozen elements of XML. All text is inline and formatted as
//! text, so that nothing becomes a formula, neither now nor when somebody edits the cell. Nothing is taken from the clock.

use std::fmt::Write;

use jiff::civil::{Date, date};
use report::{
    text_of_cell,
    zip::{Entry, Zip},
};

use crate::{Align, Block, Cell, Document, Table, Tone, front, text};

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
const TYPE: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml";

/// As many rows as a sheet has; what goes beyond them is on the next one.
const ROWS_MAX: usize = 1_048_576;
/// So many characters has a sheet's name at most.
const NAME_MAX: usize = 31;
/// Excel shows 15 digits of a number; one with more is text.
const NUMBER_MAX: u64 = 999_999_999_999_999;
/// Days are counted from here; those before March 1900 are counted differently by different programs.
const DAY_ZERO: Date = date(1899, 12, 30);
const FIRST_SURE_DAY: Date = date(1900, 3, 1);
/// So many rows tell how wide a column is.
const ROWS_MEASURED: usize = 500;
const WIDTHS: (usize, usize) = (9, 60);
/// The columns of the cover.
const COVER: (usize, usize) = (26, 96);
const LINE_POINTS: usize = 15;
const LINES_MAX: usize = 25;
/// So much of the title is on each printed page.
const TITLE_MAX: usize = 80;

/// A place in the table of formats below.
#[derive(Clone, Copy)]
struct Format(usize);

const HEADING: Format = Format(1);
const TITLE: Format = Format(2);
const SECTION: Format = Format(3);
const LABEL: Format = Format(4);
const LINK: Format = Format(5);
const TEXT: Format = Format(6);
const MIDDLE: Format = Format(7);
const END: Format = Format(8);
const ROW_HEADING: Format = Format(9);
const NUMBER: Format = Format(10);
const DATE: Format = Format(11);
const MIDDLE_NUMBER: Format = Format(12);

fn verdict(tone: Tone) -> Format {
    Format(match tone {
        Tone::Neutral => 13,
        Tone::Good => 14,
        Tone::Caution => 15,
        Tone::Alert => 16,
    })
}

/// Each format: that of numbers, font, ground, to which side. Texts are 49, which is text.
const FORMATS: [(u16, u8, u8, &str); 17] = [
    (0, 0, 0, ""),
    (49, 1, 2, ""),
    (49, 2, 0, ""),
    (49, 3, 0, ""),
    (49, 4, 0, ""),
    (49, 5, 0, ""),
    (49, 0, 0, ""),
    (49, 0, 0, "center"),
    (49, 0, 0, "right"),
    (49, 6, 0, ""),
    (3, 0, 0, "right"),
    (164, 0, 0, "left"),
    (3, 0, 0, "center"),
    (49, 7, 3, ""),
    (49, 8, 4, ""),
    (49, 9, 5, ""),
    (49, 10, 6, ""),
];
/// Each font: bold, its size, its colour.
const FONTS: [(bool, u8, &str); 11] = [
    (false, 11, "212B32"),
    (true, 11, "FFFFFF"),
    (true, 18, "003087"),
    (true, 14, "003087"),
    (true, 11, "425563"),
    (false, 11, "005EB8"),
    (true, 11, "212B32"),
    (true, 11, "003087"),
    (true, 11, "005227"),
    (true, 11, "664000"),
    (true, 11, "99140B"),
];
const GROUNDS: [&str; 5] = ["005EB8", "E8F1FA", "E6F3EA", "FFF4DB", "FCEBE9"];
/// The font that is underlined, for what leads elsewhere.
const LINK_FONT: usize = 5;

/// A sheet: its name, what is in it, and how far its filter goes.
struct Sheet {
    name: String,
    xml: String,
    filter: Option<String>,
}

/// The document as a workbook.
pub fn xlsx(document: &Document) -> Vec<u8> {
    let mut sheets = Vec::new();
    let mut names = Names(vec!["cover".to_owned()]);
    // Which sheet each block is on.
    let mut places = vec![None; document.blocks.len()];
    for (place, block) in document.blocks.iter().enumerate() {
        let table = match block {
            Block::Table(table) => table.clone(),
            Block::Chart(chart) => chart.table(),
            Block::Signature { lines } => front::signatures(lines),
            _ => continue,
        };
        places[place] = Some(sheets.len());
        let rows: Vec<&[Vec<Cell>]> =
            if table.rows.is_empty() { vec![&[]] } else { table.rows.chunks(ROWS_MAX - 1).collect() };
        for rows in rows {
            sheets.push(sheet(document, &table, rows, names.take(&table.caption)));
        }
    }
    let on: Vec<Option<&str>> = places.iter().map(|place| place.map(|place| sheets[place].name.as_str())).collect();
    let cover = Sheet { name: "Cover".to_owned(), xml: cover(document, &on), filter: None };
    sheets.insert(0, cover);
    let mut bytes = Vec::new();
    // It goes to memory, and is far below the 4 GiB that an archive holds.
    let written = write(document, &sheets, &mut bytes);
    assert!(written.is_ok(), "a workbook of more than 4 GiB");
    bytes
}

fn write(document: &Document, sheets: &[Sheet], bytes: &mut Vec<u8>) -> std::io::Result<()> {
    let mut zip = Zip::new(bytes);
    let mut add = |name: &str, xml: &str| {
        let mut entry = Entry::new();
        entry.text(HEAD)?;
        entry.text(xml)?;
        zip.add(name, entry)
    };
    for (name, xml) in parts(document, sheets) {
        add(name, &xml)?;
    }
    for (place, sheet) in sheets.iter().enumerate() {
        add(&format!("xl/worksheets/sheet{}.xml", place + 1), &sheet.xml)?;
    }
    zip.finish()
}

/// The parts that say what is where.
fn parts(document: &Document, sheets: &[Sheet]) -> [(&'static str, String); 6] {
    let (mut types, mut listed, mut names, mut relations) = <(String, String, String, String)>::default();
    for (place, sheet) in sheets.iter().enumerate() {
        let (number, name) = (place + 1, text::escaped(&sheet.name));
        let _ = write!(
            types,
            "<Override PartName=\"/xl/worksheets/sheet{number}.xml\" ContentType=\"{TYPE}.worksheet+xml\"/>"
        );
        let _ = write!(listed, "<sheet name=\"{name}\" sheetId=\"{number}\" r:id=\"rId{number}\"/>");
        let _ = write!(
            relations,
            "<Relationship Id=\"rId{number}\" Type=\"{RELATIONS}/worksheet\" Target=\"worksheets/sheet{number}.xml\"/>"
        );
        if let Some(filter) = &sheet.filter {
            let _ = write!(
                names,
                "<definedName name=\"_xlnm._FilterDatabase\" localSheetId=\"{place}\" hidden=\"1\">'{name}'!{filter}</definedName>\
                 <definedName name=\"_xlnm.Print_Titles\" localSheetId=\"{place}\">'{name}'!$1:$1</definedName>"
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
                 <Override PartName=\"/docProps/core.xml\" ContentType=\"application/vnd.openxmlformats-package.core-properties+xml\"/>\
                 <Override PartName=\"/xl/workbook.xml\" ContentType=\"{TYPE}.sheet.main+xml\"/>\
                 <Override PartName=\"/xl/styles.xml\" ContentType=\"{TYPE}.styles+xml\"/>{types}</Types>"
            ),
        ),
        (
            "_rels/.rels",
            format!(
                "<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"rId1\" \
                 Type=\"{RELATIONS}/officeDocument\" Target=\"xl/workbook.xml\"/><Relationship Id=\"rId2\" \
                 Type=\"{PACKAGE}/relationships/metadata/core-properties\" Target=\"docProps/core.xml\"/></Relationships>"
            ),
        ),
        ("docProps/core.xml", front::properties(document)),
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
        ("xl/styles.xml", styles()),
    ]
}

fn styles() -> String {
    let font = |(place, (is_bold, size, colour)): (usize, &(bool, u8, &str))| {
        let (bold, line) = (if *is_bold { "<b/>" } else { "" }, if place == LINK_FONT { "<u/>" } else { "" });
        format!("<font>{bold}{line}<sz val=\"{size}\"/><color rgb=\"FF{colour}\"/><name val=\"Arial\"/></font>")
    };
    let ground = |colour: &&str| {
        format!("<fill><patternFill patternType=\"solid\"><fgColor rgb=\"FF{colour}\"/></patternFill></fill>")
    };
    // A thin line below, so that rows are told apart.
    let format = |(number, font, ground, side): &(u16, u8, u8, &str)| {
        // What stands to the right keeps away from what is beside it.
        let indent = if *side == "right" { " indent=\"1\"" } else { "" };
        let side = if side.is_empty() { String::new() } else { format!(" horizontal=\"{side}\"{indent}") };
        format!(
            "<xf numFmtId=\"{number}\" fontId=\"{font}\" fillId=\"{ground}\" borderId=\"1\" xfId=\"0\" applyNumberFormat=\"1\" \
             applyFont=\"1\" applyFill=\"1\" applyAlignment=\"1\"><alignment{side} vertical=\"top\" wrapText=\"1\"/></xf>"
        )
    };
    let fonts: String = FONTS.iter().enumerate().map(font).collect();
    let grounds: String = GROUNDS.iter().map(ground).collect();
    let formats: String = FORMATS.iter().map(format).collect();
    format!(
        "<styleSheet xmlns=\"{MAIN}\"><numFmts count=\"1\"><numFmt numFmtId=\"164\" formatCode=\"d\\ mmm\\ yyyy\"/></numFmts>\
         <fonts count=\"{}\">{fonts}</fonts><fills count=\"{}\"><fill><patternFill patternType=\"none\"/></fill>\
         <fill><patternFill patternType=\"gray125\"/></fill>{grounds}</fills><borders count=\"2\">\
         <border/><border><left/><right/><top/><bottom style=\"thin\"><color rgb=\"FFD0D7DC\"/></bottom><diagonal/></border>\
         </borders>\
         <cellStyleXfs count=\"1\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\"/></cellStyleXfs>\
         <cellXfs count=\"{}\">{formats}</cellXfs>\
         <cellStyles count=\"1\"><cellStyle name=\"Normal\" xfId=\"0\" builtinId=\"0\"/></cellStyles></styleSheet>",
        FONTS.len(),
        GROUNDS.len() + 2,
        FORMATS.len()
    )
}

/// What is said besides the tables, in two columns: what it is, and what it says.
fn cover(document: &Document, sheets: &[Option<&str>]) -> String {
    let mut rows = Rows::default();
    rows.alone(&front::title(document), TITLE);
    if let Some((tone, word, words)) = front::notice(document) {
        rows.pair(word, verdict(tone), &words, TEXT);
    }
    for (word, fact) in front::facts(document) {
        rows.pair(word, LABEL, &fact, TEXT);
    }
    let levels = front::levels(&document.blocks);
    for (place, block) in document.blocks.iter().enumerate() {
        match block {
            Block::Heading { .. } if levels[place] == 0 => {}
            Block::Heading { text, .. } => {
                rows.number += 1;
                rows.alone(&text::line(text), if levels[place] == 1 { SECTION } else { ROW_HEADING });
            }
            Block::Paragraph(words) => rows.pair("", LABEL, words, TEXT),
            Block::List { ordered, items } => {
                for (number, item) in items.iter().enumerate() {
                    let mark = if *ordered { format!("{}.", number + 1) } else { "•".to_owned() };
                    rows.pair(&mark, END, item, TEXT);
                }
            }
            Block::Facts(facts) => facts.iter().for_each(|(word, fact)| rows.pair(word, LABEL, fact, TEXT)),
            Block::Callout { tone, text } => rows.pair(tone.word(), verdict(*tone), text, TEXT),
            Block::Table(table) => rows.link("Table", &table.caption, sheets[place]),
            Block::Signature { .. } => rows.link("Table", "Signatures", sheets[place]),
            Block::Chart(chart) => {
                rows.link("Chart", &chart.caption, sheets[place]);
                rows.pair("", LABEL, &front::told(chart), TEXT);
            }
        }
    }
    let links = if rows.links.is_empty() { String::new() } else { format!("<hyperlinks>{}</hyperlinks>", rows.links) };
    format!(
        "<worksheet xmlns=\"{MAIN}\"><sheetPr><pageSetUpPr fitToPage=\"1\"/></sheetPr><cols>\
         <col min=\"1\" max=\"1\" width=\"{}\" customWidth=\"1\"/><col min=\"2\" max=\"2\" width=\"{}\" customWidth=\"1\"/></cols>\
         <sheetData>{}</sheetData>{links}{}</worksheet>",
        COVER.0,
        COVER.1,
        rows.xml,
        print_setup(document, "portrait")
    )
}

/// The rows of the cover.
#[derive(Default)]
struct Rows {
    number: usize,
    xml: String,
    links: String,
}

impl Rows {
    fn pair(&mut self, word: &str, format: Format, words: &str, of_words: Format) {
        self.number += 1;
        let (word, words) = (text::line(word), text::shown(words));
        let high = lines(&word, COVER.0).max(lines(&words, COVER.1));
        let cells = [(word.as_str(), format), (&*words, of_words)];
        let cells = cells.iter().enumerate().filter(|(_, (words, _))| !words.is_empty());
        let cells: String =
            cells.map(|(column, (words, format))| text_cell(column, self.number, words, *format)).collect();
        let _ = write!(self.xml, "<row r=\"{}\"{}>{cells}</row>", self.number, height(high, 1));
    }

    /// Over both columns.
    fn alone(&mut self, words: &str, format: Format) {
        self.number += 1;
        let cell = text_cell(1, self.number, words, format);
        // Large letters take more room.
        let _ = write!(self.xml, "<row r=\"{}\"{}>{cell}</row>", self.number, height(lines(words, COVER.1 / 2) + 1, 1));
    }

    fn link(&mut self, word: &str, words: &str, sheet: Option<&str>) {
        let words = text::line(words);
        let words = if words.is_empty() { sheet.unwrap_or_default().to_owned() } else { words };
        self.pair(word, LABEL, &words, LINK);
        if let Some(sheet) = sheet {
            let to = text::escaped(&sheet.replace('\'', "''"));
            let _ = write!(self.links, "<hyperlink ref=\"B{}\" location=\"'{to}'!A1\" display=\"{to}\"/>", self.number);
        }
    }
}

fn sheet(document: &Document, table: &Table, rows: &[Vec<Cell>], name: String) -> Sheet {
    let width = table.width().max(1);
    let heading = |place: usize| table.columns.get(place).map_or(String::new(), |column| text::line(&column.heading));
    let shown = |row: &Vec<Cell>, place: usize| {
        row.get(place).map_or(0, |cell| text::cell(cell).lines().map(|line| line.chars().count()).max().unwrap_or(0))
    };
    let measured = |place: usize| {
        let widest = rows.iter().take(ROWS_MEASURED).map(|row| shown(row, place) + 2).max().unwrap_or_default();
        // A heading may take two lines, and has the filter's button beside it.
        let word = heading(place).split(' ').map(|word| word.chars().count() + 4).max().unwrap_or_default();
        widest.max(word).clamp(WIDTHS.0, WIDTHS.1)
    };
    let widths: Vec<usize> = (0..width).map(measured).collect();
    let mut xml = format!(
        "<worksheet xmlns=\"{MAIN}\"><sheetPr><pageSetUpPr fitToPage=\"1\"/></sheetPr><sheetViews><sheetView \
         workbookViewId=\"0\">{}</sheetView></sheetViews><cols>",
        if table.has_row_headings && width > 1 {
            "<pane xSplit=\"1\" ySplit=\"1\" topLeftCell=\"B2\" activePane=\"bottomRight\" state=\"frozen\"/>"
        } else {
            "<pane ySplit=\"1\" topLeftCell=\"A2\" activePane=\"bottomLeft\" state=\"frozen\"/>"
        }
    );
    for (place, width) in widths.iter().enumerate() {
        let _ = write!(xml, "<col min=\"{0}\" max=\"{0}\" width=\"{width}\" customWidth=\"1\"/>", place + 1);
    }
    let _ = write!(xml, "</cols><sheetData><row r=\"1\"{}>", height(2, 1));
    for place in 0..width {
        xml.push_str(&text_cell(place, 1, &heading(place), HEADING));
    }
    xml.push_str("</row>");
    if rows.is_empty() {
        let empty = text::line(&table.empty);
        let high = height(lines(&empty, widths[0]), 2);
        let _ = write!(xml, "<row r=\"2\"{high}>{}</row>", text_cell(0, 2, &empty, TEXT));
    }
    for (place, row) in rows.iter().enumerate() {
        let number = place + 2;
        let high = row.iter().zip(&widths).map(|(cell, width)| lines(&text::cell(cell), *width)).max().unwrap_or(1);
        let _ = write!(xml, "<row r=\"{number}\"{}>", height(high, 2));
        for (column, value) in row.iter().enumerate() {
            let align = table.columns.get(column).map_or(Align::Start, |column| column.align);
            xml.push_str(&cell(column, number, value, column == 0 && table.has_row_headings, align));
        }
        xml.push_str("</row>");
    }
    let last = letters(width - 1);
    let end = rows.len() + 1;
    let _ = write!(
        xml,
        "</sheetData><autoFilter ref=\"A1:{last}{end}\"/>{}</worksheet>",
        print_setup(document, "landscape")
    );
    Sheet { name, xml, filter: Some(format!("$A$1:${last}${end}")) }
}

/// How it is printed, with the title, the version and the page at the foot.
fn print_setup(document: &Document, orientation: &str) -> String {
    let title: String = front::title(document).chars().take(TITLE_MAX).collect();
    let version: String = text::line(&document.version).chars().take(TITLE_MAX).collect();
    // An ampersand begins a command there; the space keeps a number from being taken for a size.
    let said = text::escaped(&format!(" {title}, version {version}").replace('&', "&&"));
    format!(
        "<pageMargins left=\"0.5\" right=\"0.5\" top=\"0.6\" bottom=\"0.7\" header=\"0.3\" footer=\"0.3\"/>\
         <pageSetup paperSize=\"9\" orientation=\"{orientation}\" fitToHeight=\"0\"/>\
         <headerFooter><oddFooter>&amp;L{said}&amp;RPage &amp;P of &amp;N</oddFooter></headerFooter>"
    )
}

fn cell(column: usize, row: usize, cell: &Cell, is_heading: bool, align: Align) -> String {
    let format = match align {
        _ if is_heading => ROW_HEADING,
        Align::Start => TEXT,
        Align::Middle => MIDDLE,
        Align::End => END,
    };
    let at = |format: Format| format!("r=\"{}{row}\" s=\"{}\"", letters(column), format.0);
    match cell {
        Cell::Text(words) => text_cell(column, row, words, format),
        Cell::Verdict(tone, words) => text_cell(column, row, words, verdict(*tone)),
        Cell::Number(number) if number.unsigned_abs() <= NUMBER_MAX => {
            let format = if align == Align::Middle { MIDDLE_NUMBER } else { NUMBER };
            format!("<c {}><v>{number}</v></c>", at(format))
        }
        Cell::Date(day) if *day >= FIRST_SURE_DAY => {
            let days = (day.duration_since(DAY_ZERO).as_hours()) / 24;
            format!("<c {}><v>{days}</v></c>", at(DATE))
        }
        Cell::Number(_) | Cell::Date(_) => text_cell(column, row, &text::cell(cell), format),
    }
}

fn text_cell(column: usize, row: usize, words: &str, format: Format) -> String {
    let at = format!("r=\"{}{row}\" s=\"{}\"", letters(column), format.0);
    if words.is_empty() {
        return format!("<c {at}/>");
    }
    let words = text_of_cell(&text::shown(words));
    format!("<c {at} t=\"inlineStr\"><is><t xml:space=\"preserve\">{words}</t></is></c>")
}

/// About how many lines a text takes in a column of this width.
fn lines(words: &str, width: usize) -> usize {
    words.lines().map(|line| line.chars().count().div_ceil(width.max(1)).max(1)).sum::<usize>().max(1)
}

/// The height of a row of so many lines, if it is more than the least.
fn height(lines: usize, least: usize) -> String {
    if lines < least {
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

/// The names of sheets that are taken, in small letters.
struct Names(Vec<String>);

impl Names {
    /// A name for a sheet, made from a caption, that no other one has.
    fn take(&mut self, caption: &str) -> String {
        let may = |c: &char| !matches!(c, '[' | ']' | ':' | '*' | '?' | '/' | '\\' | '\'' | '\u{fffd}');
        let plain: String = text::line(caption).chars().filter(may).collect();
        let plain = text::line(&plain);
        // A name that Excel keeps for itself.
        let plain = if plain.is_empty() || plain.eq_ignore_ascii_case("history") { "Table".to_owned() } else { plain };
        let mut number = 1;
        loop {
            let end = if number == 1 { String::new() } else { format!(" {number}") };
            let name = format!("{}{end}", cut(&plain, NAME_MAX - end.len()).trim_end());
            let small = name.to_lowercase();
            if !self.0.contains(&small) {
                self.0.push(small);
                return name;
            }
            number += 1;
        }
    }
}

/// As many characters, as UTF-16 counts them, as there is room for; whole words where that keeps half of it.
fn cut(words: &str, room: usize) -> String {
    let mut left = room;
    let fits = |c: &char| {
        let is_room = c.len_utf16() <= left;
        left -= c.len_utf16().min(left);
        is_room
    };
    let taken: String = words.chars().take_while(fits).collect();
    if taken.len() == words.len() || words[taken.len()..].starts_with(' ') {
        return taken;
    }
    match taken.rfind(' ') {
        Some(end) if end >= taken.len() / 2 => taken[..end].to_owned(),
        _ => taken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheets_have_names_that_are_allowed_and_of_one_alone() {
        let mut names = Names(vec!["cover".to_owned()]);
        let taken = ["Cover", "Risks [all]: open/closed?", "RISKS all openclosed", "''", "", "history"]
            .map(|caption| names.take(caption));
        assert_eq!(taken, ["Cover 2", "Risks all openclosed", "RISKS all openclosed 2", "Table", "Table 2", "Table 3"]);
        let long = names.take("Mailboxes by week of collection: the numbers");
        assert_eq!(long, "Mailboxes by week of collection");
        let wide = names.take(&"😀".repeat(40));
        assert_eq!(wide.encode_utf16().count(), 30);
    }

    #[test]
    fn texts_stay_texts_and_numbers_and_days_are_such() {
        let xml = |value: Cell| cell(2, 7, &value, false, Align::Start);
        for formula in ["=1+1", "+1", "-1", "@a", "\t=1"] {
            assert!(xml(formula.into()).starts_with("<c r=\"C7\" s=\"6\" t=\"inlineStr\"><is><t"), "{formula}");
        }
        assert_eq!(xml(Cell::Number(-5)), "<c r=\"C7\" s=\"10\"><v>-5</v></c>");
        assert_eq!(xml(date(2026, 11, 27).into()), "<c r=\"C7\" s=\"11\"><v>46353</v></c>");
        assert!(xml(date(1899, 1, 1).into()).contains("1 Jan 1899"));
        assert!(xml(Cell::Number(i64::MAX)).contains("9,223,372,036,854,775,807"));
        assert_eq!([0, 25, 26, 701, 702].map(letters), ["A", "Z", "AA", "ZZ", "AAA"]);
    }
}
