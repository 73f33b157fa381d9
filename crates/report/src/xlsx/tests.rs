//! The workbook, read again by another program: Python's `zipfile` and `xml`. Without Python nothing is looked at here.

use std::process::{Command, Stdio};

use super::*;
use crate::{Sentence, Weight};

/// Prints each sheet's name, frozen place and filter, then a line for each cell: sheet, place, type, value.
const READER: &str = r"
import io, re, sys, zipfile, xml.etree.ElementTree as tree
M = '{http://schemas.openxmlformats.org/spreadsheetml/2006/main}'
book = zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read()))
assert book.testzip() is None
for name in book.namelist():
    tree.fromstring(book.read(name))
restore = lambda text: re.sub('_x([0-9A-F]{4})_', lambda m: chr(int(m[1], 16)), text)
names = [sheet.get('name') for sheet in tree.fromstring(book.read('xl/workbook.xml')).iter(M + 'sheet')]
for number, name in enumerate(names, 1):
    sheet = tree.fromstring(book.read(f'xl/worksheets/sheet{number}.xml'))
    pane, kept = sheet.find(f'.//{M}pane'), sheet.find(M + 'autoFilter')
    print(name, None if pane is None else pane.get('topLeftCell'), None if kept is None else kept.get('ref'), sep='|')
    for cell in sheet.iter(M + 'c'):
        text, value = cell.find(f'{M}is/{M}t'), cell.find(M + 'v')
        if text is not None:
            print(name, cell.get('r'), 'text', ascii(restore(text.text or '')), sep='|')
        elif value is not None:
            print(name, cell.get('r'), 'number', value.text, sep='|')
";

fn read(workbook: &[u8]) -> Option<Vec<String>> {
    let python = Command::new("python3").args(["-c", READER]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut python = python.ok()?;
    python.stdin.take().unwrap().write_all(workbook).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "Python reads the workbook");
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

fn document(rows: Vec<Vec<Cell>>, total: Option<Vec<Cell>>) -> Document {
    let kinds = [Kind::Text, Kind::Number, Kind::Bytes, Kind::Moment, Kind::Share];
    let headings = ["Name", "Items", "Size", "Received", "Done"];
    let columns = headings.into_iter().zip(kinds).map(|(heading, kind)| Column::new(heading, kind)).collect();
    Document {
        title: "A title".to_owned(),
        facts: vec![("When", "today".to_owned())],
        sentences: vec![Sentence { weight: Weight::Well, text: "All is <well> & good.".to_owned() }],
        tables: vec![Table { name: "people", title: "People".to_owned(), columns, rows, total, empty: "Nobody." }],
        main: "people",
        notes: vec![("Items", "what there is".to_owned())],
    }
}

fn row(text: &str, number: u64) -> Vec<Cell> {
    let text = Cell::Text(text.to_owned());
    vec![text, Cell::Number(number), Cell::Number(number * 1024), Cell::Moment(1_456_823_520), Cell::Share(9_950)]
}

fn written(document: &Document, rows_max: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_by(document, rows_max, &mut bytes).unwrap();
    bytes
}

#[test]
fn another_program_reads_every_cell_with_its_type() {
    let evil = "=1+1\u{1}\u{b}\0<&>\"_x0041_ \r\n\u{ffff}Ł";
    let total = vec![Cell::Text("Total".to_owned()), Cell::Number(7), Cell::Number(7168), Cell::Empty, Cell::Share(5)];
    let document = document(vec![row(evil, 7)], Some(total));
    let bytes = written(&document, ROWS_MAX);
    assert_eq!(bytes, written(&document, ROWS_MAX), "the same every time");
    let Some(lines) = read(&bytes) else { return };
    let expected = [
        "About|None|None",
        "About|A1|text|'A title'",
        "About|A3|text|'When'",
        "About|B3|text|'today'",
        "About|A5|text|'OK'",
        "About|B5|text|'All is <well> & good.'",
        "About|A7|text|'Items'",
        "About|B7|text|'what there is'",
        "People|B2|A1:E2",
        "People|A1|text|'Name'",
        "People|B1|text|'Items'",
        "People|C1|text|'Size (bytes)'",
        "People|D1|text|'Received (UTC)'",
        "People|E1|text|'Done'",
        "People|A2|text|'=1+1\\x01\\x0b\\x00<&>\"_x0041_ \\r\\n\\uffff\\u0141'",
        "People|B2|number|7",
        "People|C2|number|7168",
        "People|D2|number|42430.38333333333",
        "People|E2|number|0.9950",
        "People|A3|text|'Total'",
        "People|B3|number|7",
        "People|C3|number|7168",
        "People|E3|number|0.0005",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn more_rows_than_a_sheet_holds_go_to_further_sheets() {
    let rows: Vec<Vec<Cell>> = (0..5).map(|number| row(&format!("n{number}"), number)).collect();
    let Some(lines) = read(&written(&document(rows, Some(row("Total", 10))), 4)) else { return };
    let sheets: Vec<&String> = lines.iter().filter(|line| line.split('|').count() == 3).collect();
    assert_eq!(sheets, ["About|None|None", "People|B2|A1:E3", "People 2|B2|A1:E3", "People 3|B2|A1:E2"]);
    let names: Vec<&str> = lines.iter().filter_map(|line| line.split("|text|'n").nth(1)).collect();
    assert_eq!(names, ["0'", "1'", "2'", "3'", "4'"]);
    assert_eq!(lines.iter().filter(|line| line.contains("Total")).collect::<Vec<_>>(), ["People 3|A3|text|'Total'"]);
}

#[test]
fn a_table_without_rows_is_an_empty_sheet() {
    let Some(lines) = read(&written(&document(Vec::new(), None), ROWS_MAX)) else { return };
    assert!(lines.contains(&"People|B2|A1:E1".to_owned()), "{lines:?}");
}

#[test]
fn columns_are_named_as_spreadsheets_name_them() {
    assert_eq!([0, 25, 26, 51, 52, 701, 702].map(letters), ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]);
}

#[test]
fn a_text_that_no_cell_holds_is_cut_and_says_so() {
    let cut = cut(&"😀".repeat(20_000));
    assert!(cut.encode_utf16().count() <= CHARACTERS_MAX && cut.ends_with(CUT));
    assert_eq!(held("_x12_ _x0041_ __x0041_"), "_x12_ _x005F_x0041_ __x005F_x0041_");
}

#[test]
fn a_day_that_spreadsheets_get_wrong_is_written_out() {
    assert!(cell(0, 1, &Cell::Moment(-2_208_988_800), 0).contains("1900-01-01 00:00"));
    assert!(cell(0, 1, &Cell::Moment(-2_203_891_200), 0).contains("<v>61</v>"));
}

/// LibreOffice, where it is installed, reads it too, and gives the table back.
#[test]
fn libreoffice_opens_it() {
    let folder = std::env::temp_dir().join(format!("whimbrel-workbook-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("book.xlsx");
    std::fs::write(&file, written(&document(vec![row("=1+1", 7)], None), ROWS_MAX)).unwrap();
    let profile = format!("-env:UserInstallation=file://{}", folder.join("profile").display());
    // The second sheet; numbers as they are shown.
    let filter = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,true,false,false,2";
    let office = Command::new("libreoffice")
        .arg(profile)
        .args(["--headless", "--convert-to", filter, "--outdir"])
        .arg(&folder)
        .arg(&file)
        .output();
    let csv = office.ok().map(|output| {
        assert!(output.status.success(), "{output:?}");
        std::fs::read_to_string(folder.join("book-People.csv")).unwrap()
    });
    std::fs::remove_dir_all(&folder).unwrap();
    let Some(csv) = csv else { return };
    let expected = "Name,Items,Size (bytes),Received (UTC),Done\n=1+1,7,\"7,168\",2016-03-01 09:12,99.50%\n";
    assert_eq!(csv, expected);
}
