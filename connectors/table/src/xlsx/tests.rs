use super::*;

const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// A workbook of these sheets, with what else it has.
fn workbook(sheets: &[(&str, &str, &str)], texts: &str, styles: &str) -> Vec<u8> {
    let mut listed = String::new();
    let mut related = format!(
        "<Relationship Id=\"t\" Type=\"{RELATIONS}/sharedStrings\" Target=\"sharedStrings.xml\"/>\
         <Relationship Id=\"s\" Type=\"{RELATIONS}/styles\" Target=\"/xl/styles.xml\"/>"
    );
    for (number, (name, state, _)) in sheets.iter().enumerate() {
        listed.extend([format!("<sheet name=\"{name}\" sheetId=\"{number}\" r:id=\"r{number}\" {state}/>")]);
        related.extend([format!("<Relationship Id=\"r{number}\" Type=\"{RELATIONS}/worksheet\" Target=\"worksheets/../worksheets/s{number}.xml\"/>")]);
    }
    let mut parts = vec![
        (
            "_rels/.rels".to_owned(),
            format!(
                "<Relationships><Relationship Id=\"a\" Type=\"{RELATIONS}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml".to_owned(),
            format!(
                "<?xml version=\"1.0\"?><workbook xmlns=\"{MAIN}\" xmlns:r=\"{RELATIONS}\"><sheets>{listed}</sheets></workbook>"
            ),
        ),
        ("xl/_rels/workbook.xml.rels".to_owned(), format!("<Relationships>{related}</Relationships>")),
        ("xl/sharedStrings.xml".to_owned(), format!("<sst>{texts}</sst>")),
        ("xl/styles.xml".to_owned(), format!("<styleSheet>{styles}</styleSheet>")),
    ];
    for (number, (.., rows)) in sheets.iter().enumerate() {
        parts.push((format!("xl/worksheets/s{number}.xml"), format!("\u{feff}<worksheet xmlns=\"{MAIN}\"><dimension ref=\"A1:B2\"/><sheetData>{rows}</sheetData></worksheet>")));
    }
    archive(&parts)
}

fn archive(parts: &[(String, String)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut zip = report::zip::Zip::new(&mut bytes);
    for (name, text) in parts {
        let mut entry = report::zip::Entry::new();
        entry.text(text).unwrap();
        zip.add(name, entry).unwrap();
    }
    zip.finish().unwrap();
    bytes
}

fn one(rows: &str) -> Vec<u8> {
    workbook(
        &[("People", "", rows)],
        "<si><t>key</t></si><si><r><t>Na</t></r><r><t>me</t></r><rPh><t>x</t></rPh></si>",
        STYLES,
    )
}

const STYLES: &str = "<numFmts><numFmt numFmtId=\"164\" formatCode=\"00000\"/></numFmts>\
    <cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"164\"/><xf numFmtId=\"14\"/><xf numFmtId=\"22\"/></cellXfs>";
const HEADING: &str = "<row r=\"2\"><c r=\"A2\" t=\"s\"><v>0</v></c><c r=\"B2\" t=\"s\"><v>1</v></c></row>";

fn rows(bytes: &[u8], sheet: Option<&str>) -> Vec<(u64, Vec<String>)> {
    let table = read(bytes, sheet).unwrap();
    assert!(table.broken().is_empty(), "{}", table.broken());
    table.rows().map(|(row, cells)| (row, cells.into_iter().map(str::to_owned).collect())).collect()
}

#[test]
fn every_kind_of_cell_is_read_as_a_person_sees_it() {
    let bytes = one(&format!(
        "<row r=\"1\"/>{HEADING}\
         <row r=\"4\"><c r=\"A4\" s=\"1\"><v>123</v></c><c r=\"B4\" t=\"inlineStr\"><is><t>Zo\u{eb} &amp; _x000A__x005F_x</t></is></c></row>\
         <row r=\"5\"><c r=\"A5\"><v>4.2E1</v></c><c r=\"B5\" s=\"2\"><v>46125</v></c></row>\
         <row r=\"6\"><c r=\"A6\" t=\"str\"><f>A5</f><v>=x</v></c><c r=\"B6\" s=\"3\"><v>46125.395833333336</v></c></row>\
         <row r=\"7\"><c r=\"A7\" t=\"b\"><v>1</v></c><c r=\"B7\"><v>0.1</v></c></row>\
         <row r=\"8\"><c r=\"A8\" s=\"1\"/><c r=\"C8\"/></row>\
         <row r=\"9\"><c r=\"A9\"><v>7</v></c></row>"
    ));
    assert_eq!(read(&bytes, None).unwrap().headings(), ["key", "Name"]);
    let expected = [
        (4, ["00123", "Zoë & \n_x"]),
        (5, ["42", "2026-04-13"]),
        (6, ["=x", "2026-04-13 09:30:00"]),
        (7, ["true", "0.1"]),
        (9, ["7", ""]),
    ];
    assert_eq!(rows(&bytes, None), expected.map(|(row, cells)| (row, cells.map(str::to_owned).to_vec())));
}

#[test]
fn cells_that_nobody_can_be_sure_of_are_mistakes_with_their_place() {
    let bytes = one(&format!(
        "{HEADING}<row r=\"3\"><c r=\"A3\" t=\"e\"><v>#N/A</v></c><c r=\"B3\"><f>1+1</f></c></row>\
         <row r=\"4\"><c r=\"A4\"><v>1.2345678901234501E+17</v></c></row>\
         <row r=\"5\"><c r=\"A5\"><v>5</v></c><c r=\"D5\"><v>5</v></c></row>\
         <row r=\"6\"><c r=\"A6\" t=\"s\"><v>99</v></c></row>\
         <row r=\"7\"><c r=\"A7\" s=\"2\"><v>3000000</v></c></row>"
    ));
    let table = read(&bytes, None).unwrap();
    assert_eq!(table.rows().count(), 0);
    let told = table.broken().to_string();
    for (told, expected) in told.lines().zip([
        "row 3, column A (1) \"key\": it shows the error \"#N/A\"",
        "row 3, column B (2) \"Name\": its formula was never calculated",
        "row 4, column A (1) \"key\": \"1.2345678901234501E+17\" has more digits",
        "row 5, column D (4): \"5\" stands beside the table",
        "row 6, column A (1) \"key\": the text of this cell is not in the workbook",
        "row 7, column A (1) \"key\": 3000000 is no day",
    ]) {
        assert!(told.starts_with(expected), "{told}");
    }
    assert_eq!(told.lines().count(), 6);
}

#[test]
fn the_sheet_is_the_first_one_shown_or_the_one_named() {
    let sheet = |text: &str| format!("<row><c t=\"str\"><v>{text}</v></c></row><row><c t=\"str\"><v>1</v></c></row>");
    let (hidden, first, second) = (sheet("hidden"), sheet("first"), sheet("second"));
    let bytes = workbook(
        &[("Old", "state=\"hidden\"", &hidden), ("About", "", &first), ("People &amp; rooms", "", &second)],
        "",
        "",
    );
    let heading = |sheet| read(&bytes, sheet).unwrap().headings()[0].clone();
    assert_eq!((heading(None).as_str(), heading(Some("people & rooms ")).as_str()), ("first", "second"));
    let error = read(&bytes, Some("People & Room")).unwrap_err().to_string();
    assert!(error.contains("there is no sheet \"People & Room\"; did you mean \"People & rooms\"?"), "{error}");
}

#[test]
fn hostile_files_end_early() {
    let error = |bytes: &[u8]| read(bytes, None).unwrap_err().to_string();
    assert!(error(b"\xd0\xcf\x11\xe0\xa1\xb1").contains("older or an encrypted workbook"));
    assert!(error(b"key,name\n").contains("no workbook"));
    assert!(error(b"PK\x03\x04").contains("damaged"));
    assert!(error(&archive(&[("a".into(), "b".into())])).contains("damaged"));
    assert!(error(&one("")).contains("the sheet is empty"));
    // An entity that would grow.
    let entity = "<!DOCTYPE x [<!ENTITY a \"aaaa\">]>";
    let mut parts = vec![("_rels/.rels".to_owned(), format!("{entity}<Relationships/>"))];
    assert!(error(&archive(&parts)).contains("damaged"));
    // A name that is there twice, of which readers take one or the other.
    parts[0].1 = "<Relationships/>".to_owned();
    parts.push(parts[0].clone());
    assert!(error(&archive(&parts)).contains("damaged"));
    // A flipped bit.
    let mut bytes = one(HEADING);
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    assert!(error(&bytes).contains("damaged"));
    // Rows without end.
    let row = "<row><c t=\"str\"><v>a</v></c></row>";
    let error = error(&one(&row.repeat(crate::grid::ROWS_MAX + 2)));
    assert!(error.contains("more than 200000 rows; split it"), "{error}");
}

#[test]
fn a_bomb_is_not_unpacked() {
    // A sheet of 300 MiB in 300 KiB.
    let mut bytes = Vec::new();
    let mut zip = report::zip::Zip::new(&mut bytes);
    let mut entry = report::zip::Entry::new();
    let spaces = vec![b' '; 1 << 20];
    for _ in 0..300 {
        entry.bytes(&spaces).unwrap();
    }
    zip.add("_rels/.rels", entry).unwrap();
    zip.finish().unwrap();
    let error = read(&bytes, None).unwrap_err().to_string();
    assert!(error.contains("larger than is read"), "{error}");
    // The same, with a directory that says that it is small.
    let size = (300_u32 << 20).to_le_bytes();
    let places: Vec<usize> = (0..bytes.len() - 4).filter(|at| bytes[*at..].starts_with(&size)).collect();
    assert_eq!(places.len(), 2);
    for at in places {
        bytes[at..at + 4].copy_from_slice(&1000_u32.to_le_bytes());
    }
    let error = read(&bytes, None).unwrap_err().to_string();
    assert!(error.contains("damaged"), "{error}");
}

fn results(pairs: &[(u64, &str)]) -> BTreeMap<u64, String> {
    pairs.iter().map(|(row, text)| (*row, (*text).to_owned())).collect()
}

#[test]
fn a_result_is_a_cell_of_text_and_everything_else_is_as_it_was() {
    let bytes = one(&format!(
        "{}<row r=\"3\" spans=\"1:2\" ht=\"15\"><c r=\"A3\"><v>1</v></c></row><row r=\"4\"><c r=\"A4\"><v>2</v></c></row><row r=\"5\"/>",
        HEADING.replace("\"2\">", "\"2\" spans=\"1:2\">")
    ));
    let with = with_results(&bytes, None, &results(&[(3, "=HYPERLINK(\"x\") & <b>"), (5, "no such row")])).unwrap();
    let (before, after) = (Archive::open(&bytes, 99).unwrap(), Archive::open(&with, 99).unwrap());
    assert_eq!(before.names().collect::<Vec<_>>(), after.names().collect::<Vec<_>>());
    for name in before.names().filter(|name| !name.contains("worksheets")) {
        assert_eq!(before.read(name, 1 << 20), after.read(name, 1 << 20), "{name}");
    }
    let sheet = String::from_utf8(after.read("xl/worksheets/s0.xml", 1 << 20).unwrap()).unwrap();
    let result = |row: u64, text: &str| {
        format!("<c r=\"C{row}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">{text}</t></is></c>")
    };
    let expected = format!(
        "\u{feff}<worksheet xmlns=\"{MAIN}\"><dimension ref=\"A1:C2\"/><sheetData>\
         <row r=\"2\"><c r=\"A2\" t=\"s\"><v>0</v></c><c r=\"B2\" t=\"s\"><v>1</v></c>{}</row>\
         <row r=\"3\" ht=\"15\"><c r=\"A3\"><v>1</v></c>{}</row><row r=\"4\"><c r=\"A4\"><v>2</v></c></row>\
         <row r=\"5\">{}</row></sheetData></worksheet>",
        result(2, "Result"),
        result(3, "'=HYPERLINK(&quot;x&quot;) &amp; &lt;b&gt;"),
        result(5, "no such row"),
    );
    assert_eq!(sheet, expected);
    // A second time the column is used again.
    let again = with_results(&with, None, &results(&[(3, "fine"), (4, "new")])).unwrap();
    let table = read(&again, None).unwrap();
    assert_eq!(table.headings(), ["key", "Name", "Result"]);
    let last: Vec<_> = table.rows().map(|(row, cells)| (row, cells[2].to_owned())).collect();
    assert_eq!(last, [(3, "fine".to_owned()), (4, "new".to_owned()), (5, "no such row".to_owned())]);
}

#[test]
fn a_workbook_of_the_reports_is_read_back() {
    let column = |heading| report::Column::new(heading, report::Kind::Text);
    let text = |text: &str| report::Cell::Text(text.to_owned());
    let names = ["李 明", "O’Neil-Søren", "=1+1", " two\nlines ", "_x0041_", "\u{1}"];
    let table = report::Table {
        name: "people",
        title: "People".into(),
        columns: vec![
            column("key"),
            column("Name"),
            report::Column::new("Number", report::Kind::Number),
            report::Column::new("At", report::Kind::Moment),
        ],
        rows: names
            .iter()
            .enumerate()
            .map(|(at, name)| {
                vec![
                    text(&format!("00{at}")),
                    text(name),
                    report::Cell::Number(1 << 40),
                    report::Cell::Moment(1_776_072_600),
                ]
            })
            .collect(),
        total: None,
        empty: "",
    };
    let document =
        report::Document { title: "x".into(), tables: vec![table], main: "people", ..report::Document::default() };
    let mut bytes = Vec::new();
    document.write(report::Form::Xlsx, None, &mut bytes).unwrap();
    let read = rows(&bytes, Some("people"));
    assert_eq!(super::read(&bytes, Some("people")).unwrap().headings()[3], "At (UTC)");
    for (at, (row, cells)) in read.iter().enumerate() {
        assert_eq!(*row, at as u64 + 2);
        assert_eq!(
            cells[..],
            [format!("00{at}"), names[at].to_owned(), "1099511627776".into(), "2026-04-13 09:30:00".into()]
        );
    }
    assert_eq!(read.len(), names.len());
}

proptest::proptest! {
    #[test]
    fn anything_is_read_without_a_panic(flips in proptest::collection::vec((0_usize..5000, proptest::prelude::any::<u8>()), 0..6), rows in "(<row>|</row>|<c r=\"B2\"|<c>|</c>|<v>|</v>|[0-9]|&#1;|/>){0,30}") {
        let mut bytes = one(&format!("{HEADING}{rows}"));
        let _ = read(&bytes, None);
        let _ = with_results(&bytes, None, &results(&[(3, "x")]));
        for (at, value) in flips {
            let place = at % bytes.len();
            bytes[place] = value;
        }
        let _ = read(&bytes, None);
    }

    #[test]
    fn escapes_come_back(text in "[a-zA-F0-9_x\u{1}\n]{0,20}") {
        let cell = report::text_of_cell(&text);
        proptest::prop_assert_eq!(unescaped(&cell), text);
    }
}
