use super::*;

fn table(text: &[u8]) -> Table {
    read(text, Delimiter::Auto, Encoding::Utf8).unwrap()
}

fn rows(table: &Table) -> Vec<(u64, Vec<String>)> {
    table.rows().map(|(line, cells)| (line, cells.into_iter().map(str::to_owned).collect())).collect()
}

#[test]
fn quotes_separators_and_line_ends_as_programs_write_them() {
    let text = "\u{feff}key;name\r\n1;\"O'Neil; \"\"Ann\"\"\"\r\n\r\n;\r\n2;\"two\r\nlines\"\n3;  x ";
    let table = table(text.as_bytes());
    assert_eq!(table.headings(), ["key", "name"]);
    let expected = [(2, ["1", "O'Neil; \"Ann\""]), (5, ["2", "two\r\nlines"]), (7, ["3", "  x "])];
    let expected = expected.map(|(line, cells)| (line, cells.map(str::to_owned).to_vec()));
    assert_eq!(rows(&table), expected);
    assert!(table.broken().is_empty());
    for (text, headings) in [("a\tb,c\td", 3), ("sep=;\na;b,c,d", 2), ("\"a,b,c\";d", 2), ("a,b\r1,2", 2)] {
        assert_eq!(read(text.as_bytes(), Delimiter::Auto, Encoding::Utf8).unwrap().headings().len(), headings);
    }
    assert_eq!(rows(&read(b"a,b\r1,2\r3,4", Delimiter::Auto, Encoding::Utf8).unwrap()).len(), 2);
}

#[test]
fn a_quote_without_its_pair_spoils_its_own_line_only() {
    let text = "key,name,ward\n1,Ann,a\n2,\"Bob,b\n3,\"Cem\",c\n4,D\"e,d\n5,\"E\" ,e\n6,F,f,g\n7,G\n8,H,h\n9,\"I,i\n";
    let table = table(text.as_bytes());
    let lines: Vec<u64> = table.rows().map(|(line, _)| line).collect();
    assert_eq!(lines, [2, 4, 9]);
    let told = table.broken().to_string();
    let expected = [
        "line 3, column B (2) \"name\": text follows the quote that ends this cell",
        "line 5, column B (2) \"name\": a quote stands in the middle",
        "line 6, column B (2) \"name\": text follows the quote",
        "line 7: 4 cells, but there are 3 columns; put a cell that holds a separator in quotes",
        "line 8: 2 cells, but there are 3 columns; write every separator",
        "line 10, column B (2) \"name\": the quote that begins this cell never ends",
    ];
    assert_eq!(told.lines().count(), expected.len(), "{told}");
    for (told, expected) in told.lines().zip(expected) {
        assert!(told.starts_with(expected), "{told}");
    }
}

#[test]
fn what_is_no_text_is_refused_with_its_line() {
    let wrong = |bytes: &[u8], encoding| read(bytes, Delimiter::Auto, encoding).unwrap_err().to_string();
    let text = wrong(b"key,name\n1,Ann\n2,Z\xf6e\n", Encoding::Utf8);
    assert!(text.starts_with("line 3: the file is not UTF-8; save it as CSV UTF-8"), "{text}");
    assert!(wrong(b"\xff\xfek\0", Encoding::Windows1252).contains("UTF-16"));
    assert!(wrong(b"PK\x03\x04", Encoding::Windows1252).contains("workbook"));
    assert!(wrong(b"", Encoding::Utf8).contains("the file is empty"));
    assert!(wrong(b"\n,\n", Encoding::Utf8).contains("the file is empty"));
    let table = read(b"key,name\n2,Z\xf6e \x80\n", Delimiter::Auto, Encoding::Windows1252).unwrap();
    assert_eq!(rows(&table)[0].1[1], "Zöe €");
    let table = read("key,name\n2,Zöe\n".as_bytes(), Delimiter::Auto, Encoding::Windows1252).unwrap();
    assert_eq!(rows(&table)[0].1[1], "Zöe", "what is UTF-8 is read as that");
}

fn results(text: &[u8], encoding: Encoding, results: &[(u64, &str)]) -> Vec<u8> {
    let results = results.iter().map(|(line, text)| (*line, (*text).to_owned())).collect();
    with_results(text, Delimiter::Auto, encoding, &results).unwrap()
}

#[test]
fn a_result_file_is_the_file_with_a_column() {
    let text = "\u{feff}key ,\"name\"\r\n1,\"a \"\"b\"\"\"\r\n\r\n2,\"two\nlines\"\r\n3,c";
    let with = results(text.as_bytes(), Encoding::Utf8, &[(2, "done"), (4, "no, not \"so\""), (6, "=1+1")]);
    let expected = "\u{feff}key ,\"name\",Result\r\n1,\"a \"\"b\"\"\",done\r\n\r\n\
        2,\"two\nlines\",\"no, not \"\"so\"\"\"\r\n3,c,'=1+1";
    assert_eq!(String::from_utf8(with).unwrap(), expected);
    let with = results(b"key;name\n1;\xf6\n", Encoding::Windows1252, &[(2, "ö 李")]);
    assert_eq!(with, b"key;name;Result\n1;\xf6;\xf6 ?\n");
}

#[test]
fn what_was_broken_stands_in_one_row_with_its_result() {
    let text = "key,name,ward\n1,\"Ann,a\n2,B\n3,C,c\n";
    let with = results(text.as_bytes(), Encoding::Utf8, &[(2, "bad quote"), (3, "too short"), (4, "fine")]);
    let expected = "key,name,ward,Result\n\"1,\"\"Ann,a\",,,bad quote\n2,B,,too short\n3,C,c,fine\n";
    assert_eq!(String::from_utf8(with.clone()).unwrap(), expected);
    let mut reader = ::csv::Reader::from_reader(with.as_slice());
    let second: Vec<_> = reader.records().map(|record| record.unwrap()[3].to_owned()).collect();
    assert_eq!(second, ["bad quote", "too short", "fine"]);
}

#[test]
fn results_of_an_earlier_time_are_replaced() {
    let text = "key,RESULT,name\n1,\"old, words\",Ann\n2,,Bob\n\"3,x\n";
    let with = results(text.as_bytes(), Encoding::Utf8, &[(2, "new"), (4, "bad")]);
    assert_eq!(String::from_utf8(with).unwrap(), "key,Result,name\n1,new,Ann\n2,,Bob\n\"\"\"3,x\",bad,\n");
}

proptest::proptest! {
    /// A file that the csv package writes is read the same, and is itself in its result file once the column is taken off.
    #[test]
    fn other_programs_files_are_read_as_they_meant_them(
        cells in proptest::collection::vec(proptest::collection::vec("[a-z\"',; \n\u{f6}=]{0,6}", 3), 1..8)
    ) {
        let mut writer = ::csv::WriterBuilder::new().from_writer(Vec::new());
        writer.write_record(["a", "b", "c"]).unwrap();
        for row in &cells {
            writer.write_record(row).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let table = read(&bytes, Delimiter::Comma, Encoding::Utf8).unwrap();
        let read_back: Vec<Vec<String>> = rows(&table).into_iter().map(|(_, cells)| cells).collect();
        let wanted: Vec<Vec<String>> =
            cells.iter().filter(|row| row.iter().any(|cell| !cell.trim().is_empty())).cloned().collect();
        proptest::prop_assert_eq!(read_back, wanted);
        proptest::prop_assert!(table.broken().is_empty());
        let lines: BTreeMap<u64, String> = table.rows().map(|(line, _)| (line, "=x, \"y\"\nz".to_owned())).collect();
        let with = with_results(&bytes, Delimiter::Comma, Encoding::Utf8, &lines).unwrap();
        let without = String::from_utf8(with).unwrap().replace(",\"'=x, \"\"y\"\"\nz\"", "").replacen(",Result", "", 1);
        proptest::prop_assert_eq!(without.into_bytes(), bytes);
    }

    #[test]
    fn anything_is_read_without_a_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200), text in "[\",;\n\ra=\u{f6}]{0,60}") {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            let _ = read(bytes, Delimiter::Auto, Encoding::Windows1252);
            let _ = with_results(bytes, Delimiter::Auto, Encoding::Windows1252, &BTreeMap::from([(2, "x".to_owned())]));
        }
    }
}
