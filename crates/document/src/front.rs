//! What every form says about a document itself, and how its parts stand to each other.

use std::borrow::Cow;

use crate::{Block, Cell, Chart, Column, Document, SignatureLine, Status, Table, Tone, text};

/// From so many headings of the first level on a document has a list of its contents.
const CONTENTS_FROM: usize = 4;

/// The lowest level of headings below the title; PDF and HTML name six levels, the title being the first.
const LEVEL_MAX: u8 = 5;

/// What is said about a document above its text.
pub(crate) fn facts(document: &Document) -> Vec<(&'static str, String)> {
    vec![
        ("Organisation", text::line(&document.organisation)),
        ("Document", text::line(&document.kind)),
        ("Reference", text::line(&document.reference)),
        ("Version", text::line(&document.version)),
        ("Status", text::line(&document.status.words())),
        ("Date", text::day(document.made_on)),
    ]
}

/// What the reader of the first page must know, if the document is not in force.
pub(crate) fn notice(document: &Document) -> Option<(Tone, &'static str, String)> {
    match &document.status {
        Status::Issued => None,
        Status::Draft => {
            Some((Tone::Caution, "Draft", "This version is still being written. Nobody should act on it.".to_owned()))
        }
        Status::ForSignature => Some((
            Tone::Neutral,
            "For signature",
            "This version is complete. It is in force once all who are named in it have signed.".to_owned(),
        )),
        Status::Superseded { by_version } => Some((
            Tone::Alert,
            "Superseded",
            format!(
                "Version {} is superseded by version {}. Do not act on this version; ask for the one that took its place.",
                text::line(&document.version),
                text::line(by_version)
            ),
        )),
    }
}

/// The title; no form can do without one.
pub(crate) fn title(document: &Document) -> String {
    let title = text::line(&document.title);
    if title.is_empty() { "Untitled".to_owned() } else { title }
}

/// The language, as BCP 47 writes it; English where it is none.
pub(crate) fn language(document: &Document) -> String {
    let is_tag = |tag: &str| {
        tag.split('-').all(|part| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric()))
    };
    let language = document.language.trim();
    if is_tag(language) { language.to_owned() } else { "en-GB".to_owned() }
}

/// The level of each heading among the blocks, none skipped; 0 for what is no heading, and for one that says nothing.
pub(crate) fn levels(blocks: &[Block]) -> Vec<u8> {
    let mut last = 0;
    let level = |block: &Block| match block {
        Block::Heading { level, text } if !text::line(text).is_empty() => {
            last = (*level).clamp(1, LEVEL_MAX).min(last + 1);
            last
        }
        _ => 0,
    };
    blocks.iter().map(level).collect()
}

/// The headings that a list of contents names: places among the blocks. Empty when the document is short.
pub(crate) fn contents(blocks: &[Block]) -> Vec<usize> {
    let levels = levels(blocks);
    let top: Vec<usize> = (0..blocks.len()).filter(|place| levels[*place] == 1).collect();
    if top.len() < CONTENTS_FROM { Vec::new() } else { top }
}

/// Signatures, as a table: with the word in place of a hand where the record has one, or room for a hand.
pub(crate) fn signatures(lines: &[SignatureLine]) -> Table {
    let row = |line: &SignatureLine| {
        let (sign, date) = line.date.map_or((Cell::from(""), Cell::from("")), |date| ("Signed".into(), date.into()));
        vec![Cell::Text(line.role.clone()), Cell::Text(line.name.clone()), sign, date]
    };
    let columns = [("Role", 30), ("Name", 26), ("Signature", 28), ("Date", 16)];
    Table {
        caption: "Signatures".to_owned(),
        columns: columns.map(|(heading, share)| Column::share(heading, share)).into(),
        has_row_headings: true,
        rows: lines.iter().map(row).collect(),
        empty: "Nobody is asked to sign.".to_owned(),
    }
}

/// A table with so many columns at most: whole, or a group of its columns after the other, the one that names the rows in each.
pub(crate) fn parts(table: &Table, columns_max: usize) -> Cow<'_, [Table]> {
    if table.width() <= columns_max {
        return Cow::Borrowed(std::slice::from_ref(table));
    }
    let kept = usize::from(table.has_row_headings);
    let others: Vec<usize> = (kept..table.width()).collect();
    let part = |group: &[usize]| {
        let columns: Vec<usize> = (0..kept).chain(group.iter().copied()).collect();
        let (first, last) = (group[0] + 1, group[group.len() - 1] + 1);
        let column = |place: &usize| table.columns.get(*place).cloned().unwrap_or_default();
        let cell = |row: &Vec<Cell>, place: &usize| row.get(*place).cloned().unwrap_or_else(|| Cell::from(""));
        let cells = |row: &Vec<Cell>| columns.iter().map(|place| cell(row, place)).collect();
        Table {
            caption: format!("{} (columns {first} to {last} of {})", text::line(&table.caption), table.width()),
            columns: columns.iter().map(column).collect(),
            has_row_headings: table.has_row_headings,
            rows: table.rows.iter().map(cells).collect(),
            empty: table.empty.clone(),
        }
    };
    others.chunks(columns_max - kept).map(part).collect::<Vec<_>>().into()
}

/// What a chart tells, for those who don't see it.
pub(crate) fn told(chart: &Chart) -> String {
    let told = text::line(&chart.alternative);
    if told.is_empty() {
        return format!("A chart of bars: {}. The table below it has its numbers.", text::line(&chart.caption));
    }
    told
}

/// What the properties of an Office file say, as its XML. Its dates are that of the document.
pub(crate) fn properties(document: &Document) -> String {
    let day = document.made_on;
    format!(
        "<cp:coreProperties xmlns:cp=\"http://schemas.openxmlformats.org/package/2006/metadata/core-properties\" \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:dcterms=\"http://purl.org/dc/terms/\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><dc:title>{}</dc:title><dc:subject>{}</dc:subject>\
         <dc:creator>{}</dc:creator><dc:language>{}</dc:language><cp:version>{}</cp:version>\
         <dcterms:created xsi:type=\"dcterms:W3CDTF\">{day}T00:00:00Z</dcterms:created>\
         <dcterms:modified xsi:type=\"dcterms:W3CDTF\">{day}T00:00:00Z</dcterms:modified></cp:coreProperties>",
        text::escaped(&title(document)),
        text::escaped(&text::line(&document.kind)),
        text::escaped(&text::line(&document.organisation)),
        language(document),
        text::escaped(&text::line(&document.version)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_table_is_shown_in_parts_that_name_their_rows() {
        let columns = (1..=40).map(|number| Column::new(&number.to_string())).collect();
        let rows = vec![(1..=41).map(Cell::Number).collect(), Vec::new()];
        let table = Table { caption: "Wide".to_owned(), columns, has_row_headings: true, rows, empty: String::new() };
        let parts = parts(&table, 16);
        let captions: Vec<&str> = parts.iter().map(|part| part.caption.as_str()).collect();
        assert_eq!(
            captions,
            ["Wide (columns 2 to 16 of 41)", "Wide (columns 17 to 31 of 41)", "Wide (columns 32 to 41 of 41)"]
        );
        assert_eq!(parts[2].rows[0], [1, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41].map(Cell::Number));
        assert_eq!(parts[2].columns[10], Column::default());
        assert!(parts.iter().all(|part| part.rows[1].len() == part.columns.len()));
    }

    #[test]
    fn no_level_of_headings_is_skipped() {
        let headings = |given: &[u8]| {
            let blocks: Vec<Block> =
                given.iter().map(|level| Block::Heading { level: *level, text: "A".to_owned() }).collect();
            levels(&blocks)
        };
        assert_eq!(headings(&[3, 0, 2, 9, 9, 9, 9, 9, 1]), [1, 1, 2, 3, 4, 5, 5, 5, 1]);
        let silent = Block::Heading { level: 1, text: " ".to_owned() };
        assert_eq!(levels(&[Block::Paragraph(String::new()), silent]), [0, 0]);
    }
}
