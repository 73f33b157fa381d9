//! Whatever stands in a document, every form of it is written, in bounded time and size, and is what it claims to be.

use document::{
    Align, Block, Cell, Chart, Column, Document, SignatureLine, Status, Table, Tone, docx, html, pdf, xlsx,
};
use jiff::civil::{Date, date};
use proptest::{prelude::*, sample::select};

use crate::opened::unzipped;

fn words() -> impl Strategy<Value = String> {
    let nasty = [
        "",
        " ",
        "\n",
        "\n\n\n",
        "\0",
        "\u{1b}[2J",
        "a\u{202e}b",
        "\u{feff}",
        "\u{fffe}",
        "\u{fffd}",
        "</td><script>",
        "&amp;",
        "]]>",
        "=cmd|' /C calc'!A0",
        "+1",
        "-1",
        "@x",
        "_x0041_",
        "'",
        "\"",
        "שלום (עולם) 12",
        "مرحبا بالعالم",
        "日本語のテキスト",
        "😀👩‍👩‍👧",
        "e\u{301}\u{301}\u{301}",
        "\u{301}",
        "\u{ad}\u{200b}",
        "a\u{a0}b",
        "Zoë Łukasiewicz",
        "%PDF",
        "a\r\nb\rc\u{2028}d",
        "\t\t",
    ];
    prop_oneof![
        4 => select(nasty.map(str::to_owned).to_vec()),
        3 => any::<String>(),
        2 => "[ -~]{0,60}",
        1 => (select(vec!["x", "W", "א", "😀", "-", "a b "]), 1..2_000_usize).prop_map(|(part, times)| part.repeat(times)),
    ]
}

fn day() -> impl Strategy<Value = Date> {
    select(vec![Date::MIN, date(1, 1, 1), date(1900, 2, 28), date(2026, 11, 27), date(2028, 2, 29), Date::MAX])
}

fn tone() -> impl Strategy<Value = Tone> {
    select(vec![Tone::Neutral, Tone::Good, Tone::Caution, Tone::Alert])
}

fn cell() -> impl Strategy<Value = Cell> {
    prop_oneof![
        words().prop_map(Cell::Text),
        any::<i64>().prop_map(Cell::Number),
        day().prop_map(Cell::Date),
        (tone(), words()).prop_map(|(tone, text)| Cell::Verdict(tone, text)),
    ]
}

fn table() -> impl Strategy<Value = Table> {
    let align = select(vec![Align::Start, Align::Middle, Align::End]);
    let share = proptest::option::of(select(vec![0, 1, 30, u16::MAX]));
    let column = (words(), share, align).prop_map(|(heading, share, align)| Column { heading, share, align });
    let columns = proptest::collection::vec(column, 0..25);
    let rows = proptest::collection::vec(proptest::collection::vec(cell(), 0..25), 0..6);
    (words(), columns, any::<bool>(), rows, words()).prop_map(|(caption, columns, has_row_headings, rows, empty)| {
        Table { caption, columns, has_row_headings, rows, empty }
    })
}

fn block() -> impl Strategy<Value = Block> {
    let line = (words(), words(), proptest::option::of(day()));
    let lines = proptest::collection::vec(line.prop_map(|(role, name, date)| SignatureLine { role, name, date }), 0..4);
    let bars = proptest::collection::vec((words(), prop_oneof![Just(0), Just(u64::MAX), any::<u64>()]), 0..40);
    let chart = (words(), words(), words(), words(), bars);
    let chart = chart.prop_map(|(caption, alternative, label_heading, value_heading, bars)| {
        Block::Chart(Chart { caption, alternative, label_heading, value_heading, bars })
    });
    prop_oneof![
        3 => (any::<u8>(), words()).prop_map(|(level, text)| Block::Heading { level, text }),
        2 => words().prop_map(Block::Paragraph),
        1 => (any::<bool>(), proptest::collection::vec(words(), 0..5)).prop_map(|(ordered, items)| Block::List { ordered, items }),
        2 => table().prop_map(Block::Table),
        1 => proptest::collection::vec((words(), words()), 0..5).prop_map(Block::Facts),
        1 => lines.prop_map(|lines| Block::Signature { lines }),
        1 => (tone(), words()).prop_map(|(tone, text)| Block::Callout { tone, text }),
        1 => chart,
    ]
}

fn document() -> impl Strategy<Value = Document> {
    let status = prop_oneof![
        Just(Status::Draft),
        Just(Status::ForSignature),
        Just(Status::Issued),
        words().prop_map(|by_version| Status::Superseded { by_version }),
    ];
    let texts = (words(), words(), words(), words(), words(), words());
    (texts, status, day(), proptest::collection::vec(block(), 0..8)).prop_map(|(texts, status, made_on, blocks)| {
        let (title, kind, organisation, reference, version, language) = texts;
        Document { title, kind, organisation, reference, version, status, made_on, language, blocks }
    })
}

fn check(document: &Document) {
    let file = pdf(document).unwrap_or_else(|error| panic!("{error}: {document:?}"));
    assert!(file.starts_with(b"%PDF-1.7") && file.trim_ascii_end().ends_with(b"%%EOF"));
    for archive in [xlsx(document), docx(document).unwrap()] {
        let files = unzipped(&archive);
        assert!(!files.values().any(|xml| xml.contains("<f>")));
    }
    let page = html(document);
    assert!(!page.contains("<script") && !page.contains('\0') && page.ends_with("</html>\n"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_document_is_written_in_every_form(document in document()) {
        check(&document);
    }
}

fn with(blocks: Vec<Block>) -> Document {
    let text = |text: &str| text.to_owned();
    Document {
        title: text("T"),
        kind: text("K"),
        organisation: text("O"),
        reference: text("R"),
        version: text("1"),
        status: Status::Issued,
        made_on: date(2026, 11, 27),
        language: text("en"),
        blocks,
    }
}

#[test]
fn a_table_of_ten_thousand_rows_is_written_and_its_files_are_small() {
    let row = |number: i64| {
        vec![Cell::Number(number), format!("person{number}@trust.example.test").into(), "Ward 7".into(), "C01".into()]
    };
    let columns = ["No.", "Address", "Department", "Collection"].map(Column::new).into();
    let rows = (0..10_000).map(row).collect();
    let table = Table { caption: "People".to_owned(), columns, has_row_headings: true, rows, ..Table::default() };
    let document = with(vec![Block::Table(table)]);
    assert!(pdf(&document).unwrap().len() < 12 << 20);
    assert!(xlsx(&document).len() < 1 << 20 && docx(&document).unwrap().len() < 2 << 20);
    assert!(html(&document).len() < 4 << 20);
}

#[test]
fn a_cell_longer_than_pages_goes_on_over_them() {
    let long = "What a long remark this is. ".repeat(2_000);
    let columns = ["A", "B"].map(Column::new).into();
    let rows = vec![vec!["x".into(), long.clone().into()], vec!["x".repeat(20_000).into(), "y".into()]];
    let table = Table { columns, rows, ..Table::default() };
    check(&with(vec![
        Block::Table(table),
        Block::Paragraph(long.clone()),
        Block::Callout { tone: Tone::Good, text: long },
    ]));
}
