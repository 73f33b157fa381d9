//! The rows of a sheet, one after the other, with the places of their cells in the XML.

use std::ops::Range;

use super::xml::{BadXml, Element, Piece, Pieces};

/// Columns that a sheet may have.
const COLUMNS_MAX: usize = 16_384;

/// A row.
#[derive(Debug, Default)]
pub(super) struct SheetRow {
    /// Its number in the sheet.
    pub(super) number: u64,
    /// What stands before the name of its tag.
    pub(super) prefix: String,
    /// Its tag.
    pub(super) tag: Range<usize>,
    /// Where its end tag begins; none when it is an empty element.
    pub(super) end: Option<usize>,
    pub(super) cells: Vec<SheetCell>,
}

/// A cell.
#[derive(Debug)]
pub(super) struct SheetCell {
    /// Its column, from 0.
    pub(super) column: usize,
    /// Where it stands in the XML.
    pub(super) span: Range<usize>,
    /// What kind of content it has (`t`).
    pub(super) kind: String,
    /// Its style.
    pub(super) style: usize,
    /// It is calculated.
    pub(super) has_formula: bool,
    /// What `v` holds.
    pub(super) value: Option<String>,
    /// The text of `is`.
    pub(super) inline: String,
}

/// Reads the rows of a sheet.
pub(super) struct Rows<'x> {
    pieces: Pieces<'x>,
    last: u64,
}

/// The column of a reference such as C5, from 0.
fn column_of(reference: &str) -> Option<usize> {
    let letters = reference.bytes().take_while(u8::is_ascii_alphabetic);
    let number = letters.fold(0_usize, |number, letter| {
        number.saturating_mul(26) + usize::from(letter.to_ascii_uppercase() - b'A') + 1
    });
    (1..=COLUMNS_MAX).contains(&number).then(|| number - 1)
}

impl<'x> Rows<'x> {
    pub(super) fn of(sheet: &'x str) -> Self {
        Self { pieces: Pieces::of(sheet), last: 0 }
    }

    /// The next row.
    pub(super) fn next(&mut self) -> Result<Option<SheetRow>, BadXml> {
        while let Some(piece) = self.pieces.next() {
            if let Piece::Open(element) = piece?
                && element.name() == "row"
            {
                return self.row(&element).map(Some);
            }
        }
        Ok(None)
    }

    fn row(&mut self, element: &Element<'_>) -> Result<SheetRow, BadXml> {
        let number = match element.attribute("r") {
            Some(number) => number.parse().map_err(|_| BadXml)?,
            None => self.last + 1,
        };
        if number <= self.last {
            return Err(BadXml);
        }
        self.last = number;
        let prefix = element.prefix().to_owned();
        let mut row = SheetRow { number, prefix, tag: element.span.clone(), ..SheetRow::default() };
        if element.is_empty {
            return Ok(row);
        }
        while let Some(piece) = self.pieces.next() {
            match piece? {
                Piece::Open(element) if element.name() == "c" => {
                    let next = row.cells.last().map_or(0, |cell| cell.column + 1);
                    let cell = self.cell(&element, next)?;
                    if cell.column < next {
                        return Err(BadXml);
                    }
                    row.cells.push(cell);
                }
                Piece::Open(element) if element.name() == "row" => return Err(BadXml),
                Piece::Close(name, span) if name == "row" => {
                    row.end = Some(span.start);
                    return Ok(row);
                }
                _ => {}
            }
        }
        Err(BadXml)
    }

    fn cell(&mut self, element: &Element<'_>, next: usize) -> Result<SheetCell, BadXml> {
        let column = match element.attribute("r") {
            Some(reference) => column_of(&reference).ok_or(BadXml)?,
            None => next,
        };
        let style = element.attribute("s").map_or(Ok(0), |style| style.parse()).map_err(|_| BadXml)?;
        let kind = element.attribute("t").unwrap_or_default();
        let (value, inline) = (None, String::new());
        let mut cell = SheetCell { column, span: element.span.clone(), kind, style, has_formula: false, value, inline };
        if element.is_empty {
            return Ok(cell);
        }
        // In which of the elements that matter we are, and in how many that hold what is only shown beside a text.
        let (mut inside, mut beside) = (String::new(), 0_u32);
        for piece in self.pieces.by_ref() {
            match piece? {
                Piece::Open(element) => match element.name() {
                    "c" | "row" => return Err(BadXml),
                    "f" => {
                        cell.has_formula = true;
                        "f".clone_into(&mut inside);
                    }
                    "v" if cell.value.is_none() => {
                        cell.value = Some(String::new());
                        "v".clone_into(&mut inside);
                    }
                    "t" if beside == 0 => "t".clone_into(&mut inside),
                    "rPh" if !element.is_empty => beside += 1,
                    _ => {}
                },
                Piece::Close(name, span) => {
                    match name.as_str() {
                        "c" => {
                            cell.span.end = span.end;
                            return Ok(cell);
                        }
                        "rPh" => beside = beside.saturating_sub(1),
                        _ => {}
                    }
                    if name == inside {
                        inside.clear();
                    }
                }
                Piece::Text(text) => match inside.as_str() {
                    "v" => cell.value.get_or_insert_default().push_str(&text),
                    "t" => cell.inline.push_str(&text),
                    _ => {}
                },
            }
        }
        Err(BadXml)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_cells_with_and_without_references() {
        let xml = "<x:worksheet><x:sheetData><x:row r=\"3\"/><x:row><x:c t=\"s\"><x:v>4</x:v></x:c>\
            <x:c r=\"AB4\" t=\"inlineStr\"><x:is><x:r><x:t>a&amp;</x:t></x:r><x:rPh><x:t>no</x:t></x:rPh><x:t>&#98;</x:t></x:is></x:c>\
            <x:c><x:f>1+1</x:f><x:v>2</x:v></x:c></x:row></x:sheetData></x:worksheet>";
        let mut rows = Rows::of(xml);
        let first = rows.next().unwrap().unwrap();
        assert_eq!((first.number, first.end, first.prefix.as_str()), (3, None, "x:"));
        assert_eq!(&xml[first.tag], "<x:row r=\"3\"/>");
        let second = rows.next().unwrap().unwrap();
        assert_eq!((second.number, &xml[second.end.unwrap()..][..8]), (4, "</x:row>"));
        let columns: Vec<usize> = second.cells.iter().map(|cell| cell.column).collect();
        assert_eq!(columns, [0, 27, 28]);
        assert_eq!(second.cells[0].value.as_deref(), Some("4"));
        assert_eq!(second.cells[1].inline, "a&b");
        assert_eq!((second.cells[2].has_formula, second.cells[2].value.as_deref()), (true, Some("2")));
        assert!(rows.next().unwrap().is_none());
    }

    #[test]
    fn what_no_spreadsheet_writes_is_refused() {
        for xml in [
            "<row r=\"2\"/><row r=\"2\"/>",
            "<row><row/></row>",
            "<row><c r=\"B1\"/><c r=\"A1\"/></row>",
            "<row><c r=\"XFE1\"/></row>",
            "<row><c r=\"1\"/></row>",
            "<row><c>",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><row/>",
            "<row><c><v>&b;</v></c></row>",
            "<row></c></row>",
        ] {
            let mut rows = Rows::of(xml);
            let refused = (0..3).any(|_| rows.next().is_err());
            assert!(refused, "{xml}");
        }
    }
}
