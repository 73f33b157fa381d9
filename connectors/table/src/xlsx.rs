//! Workbooks (Office Open XML, ECMA-376): one sheet read as a table.
//!
//! Our own reader on the project's zip reader and quick-xml, since the result of a submission is the same workbook with a column
//! more, every other byte of every part as it was, and that needs the places of rows in the XML, which no library for workbooks
//! tells. What is hostile ends early: archives that readers see differently, parts larger than [`SHEET_BYTES_MAX`] whatever the
//! archive says of them, declared entities, rows and columns beyond those of [`crate::grid`].
//!
//! A cell is what a person sees in it: text of every kind, what a formula gave when the workbook was saved, days as 2026-04-13,
//! numbers with the zeros of a staff number. A cell with an error, a formula without what it gave, and a number whose last digits a
//! spreadsheet does not keep are mistakes. Of merged cells the first one counts, and hidden rows count like others.

use std::collections::{BTreeMap, HashMap};

use inspection::archive::{Archive, Unread};

use crate::grid::{Table, TableBuilder};
use crate::mistake::{Mistake, Mistakes, Place, Unit, alike, shown};

mod result;
mod sheet;
mod style;
mod xml;

use sheet::{Rows, SheetCell, SheetRow};
use style::Shown;
use xml::{BadXml, Piece, Pieces};

/// The largest file that is read.
pub(crate) const BYTES_MAX: usize = 64 << 20;
/// The largest sheet, unpacked.
pub(crate) const SHEET_BYTES_MAX: u64 = 256 << 20;
/// The largest table of texts, unpacked.
const TEXTS_BYTES_MAX: u64 = 128 << 20;
/// The largest of the other parts, unpacked.
const PART_BYTES_MAX: u64 = 16 << 20;
/// Parts of a workbook.
const PARTS_MAX: u32 = 2_000;
/// From here on a spreadsheet does not keep the last digits of a number.
const NUMBER_MAX: f64 = 1e15;
/// The day 0 of workbooks, in days before 1970, of both countings; and the day before which the first has one that never was.
const DAYS_BEFORE_1970: f64 = 25_569.0;
const DAYS_1900_TO_1904: f64 = 1_462.0;
const FIRST_SURE_DAY: f64 = 61.0;
const LAST_DAY: f64 = 2_958_466.0;
const SECONDS_A_DAY: f64 = 86_400.0;

fn fatal(what: impl Into<String>, cure: impl Into<String>) -> Mistakes {
    Mistake { unit: Unit::Row, line: 1, column: None, what: what.into(), cure: cure.into() }.into()
}

fn damaged() -> Mistakes {
    fatal("the workbook is damaged", "open it in a spreadsheet and save it again as xlsx")
}

impl From<BadXml> for Mistakes {
    fn from(_: BadXml) -> Self {
        damaged()
    }
}

fn unread(unread: Unread) -> Mistakes {
    match unread {
        Unread::Damaged | Unread::Missing => damaged(),
        Unread::Encrypted => fatal("the workbook is encrypted", "save it without a password"),
        Unread::TooLarge => fatal("the workbook is larger than is read", "split it, or save it as CSV UTF-8"),
    }
}

/// A workbook, with what is needed to read one of its sheets.
struct Workbook<'b> {
    archive: Archive<'b>,
    /// The part of the chosen sheet.
    sheet: String,
    texts: Texts,
    styles: Vec<Shown>,
    counts_from_1904: bool,
}

/// The texts that cells share.
#[derive(Default)]
struct Texts {
    text: String,
    ends: Vec<u32>,
}

impl Texts {
    fn get(&self, number: usize) -> Option<&str> {
        let end = *self.ends.get(number)? as usize;
        let from = if number == 0 { 0 } else { self.ends[number - 1] as usize };
        Some(&self.text[from..end])
    }

    fn read(part: &str) -> Result<Self, BadXml> {
        let (mut texts, mut is_text, mut beside) = (Self::default(), false, 0_u32);
        for piece in Pieces::of(part) {
            match piece? {
                Piece::Open(element) => match element.name() {
                    "si" if element.is_empty => texts.ends.push(texts.text.len() as u32),
                    "t" => is_text = !element.is_empty && beside == 0,
                    "rPh" if !element.is_empty => beside += 1,
                    _ => {}
                },
                Piece::Close(name, _) => match name.as_str() {
                    "si" => texts.ends.push(texts.text.len() as u32),
                    "t" => is_text = false,
                    "rPh" => beside = beside.saturating_sub(1),
                    _ => {}
                },
                Piece::Text(text) if is_text => texts.text.push_str(&text),
                Piece::Text(_) => {}
            }
        }
        Ok(texts)
    }
}

/// What a part refers to: the kind's last word, and the part's name, by id.
fn relations(archive: &Archive<'_>, of: &str) -> Result<HashMap<String, (String, String)>, Mistakes> {
    let (folder, name) = of.rsplit_once('/').unwrap_or(("", of));
    let path = if folder.is_empty() { format!("_rels/{name}.rels") } else { format!("{folder}/_rels/{name}.rels") };
    let part = archive.read(&path, PART_BYTES_MAX).map_err(unread)?;
    let mut relations = HashMap::new();
    for piece in Pieces::of(xml::text(&part)?) {
        let Piece::Open(element) = piece? else { continue };
        if element.name() != "Relationship" {
            continue;
        }
        let (id, kind, target) = (element.attribute("Id"), element.attribute("Type"), element.attribute("Target"));
        if let (Some(id), Some(kind), Some(target)) = (id, kind, target) {
            let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
            relations.insert(id, (kind, resolved(folder, &target)));
        }
    }
    Ok(relations)
}

/// A part's name as another one in a folder refers to it.
fn resolved(folder: &str, target: &str) -> String {
    if let Some(whole) = target.strip_prefix('/') {
        return whole.to_owned();
    }
    let mut steps: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
    for step in target.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    steps.join("/")
}

impl<'b> Workbook<'b> {
    /// Opens a workbook to read the sheet of this name, or the first one that is shown.
    fn open(bytes: &'b [u8], sheet: Option<&str>) -> Result<Self, Mistakes> {
        if bytes.len() > BYTES_MAX {
            let sizes = [bytes.len(), BYTES_MAX].map(|size| report::bytes(size as u64));
            return Err(fatal(format!("the file has {}, {} at most", sizes[0], sizes[1]), "split it"));
        }
        if bytes.starts_with(b"\xd0\xcf\x11\xe0") {
            let cure = "save it as xlsx, without a password";
            return Err(fatal("the file is an older or an encrypted workbook", cure));
        }
        if !bytes.starts_with(b"PK") {
            return Err(fatal("the file is no workbook", "give it as CSV, or save it as xlsx"));
        }
        let archive = Archive::open(bytes, PARTS_MAX).map_err(unread)?;
        let main = relations(&archive, "")?.into_values().find(|(kind, _)| kind == "officeDocument");
        let main = main.ok_or_else(|| fatal("the file is no workbook", "save it as xlsx"))?.1;
        let relations = relations(&archive, &main)?;
        let part = archive.read(&main, PART_BYTES_MAX).map_err(unread)?;
        let (mut sheets, mut counts_from_1904) = (Vec::new(), false);
        for piece in Pieces::of(xml::text(&part)?) {
            let Piece::Open(element) = piece? else { continue };
            match element.name() {
                "sheet" => {
                    let is_shown = element.attribute("state").is_none_or(|state| state == "visible");
                    let part = element.attribute("id").and_then(|id| relations.get(&id)).map(|(_, part)| part.clone());
                    sheets.push((element.attribute("name").unwrap_or_default(), is_shown, part.ok_or_else(damaged)?));
                }
                "workbookPr" => {
                    counts_from_1904 = matches!(element.attribute("date1904").as_deref(), Some("1" | "true"));
                }
                _ => {}
            }
        }
        let chosen = match sheet {
            None => sheets.iter().find(|(_, is_shown, _)| *is_shown),
            Some(name) => sheets.iter().find(|(other, ..)| other.trim().to_lowercase() == name.trim().to_lowercase()),
        };
        let Some((_, _, part)) = chosen else {
            let names = || sheets.iter().map(|(name, ..)| name.as_str());
            let what = sheet
                .map_or("the workbook has no sheet".to_owned(), |name| format!("there is no sheet {}", shown(name)));
            return Err(fatal(
                what,
                match alike(sheet.unwrap_or_default(), names()) {
                    Some(meant) => format!("did you mean {}?", shown(meant)),
                    None => format!("sheets are {}", names().map(shown).collect::<Vec<_>>().join(", ")),
                },
            ));
        };
        let of_kind = |kind: &str| relations.values().find(|(other, _)| other == kind).map(|(_, part)| part.as_str());
        let texts = match of_kind("sharedStrings") {
            None => Texts::default(),
            Some(part) => Texts::read(xml::text(&archive.read(part, TEXTS_BYTES_MAX).map_err(unread)?)?)?,
        };
        let styles = match of_kind("styles") {
            None => Vec::new(),
            Some(part) => style::styles(xml::text(&archive.read(part, PART_BYTES_MAX).map_err(unread)?)?)?,
        };
        let sheet = part.clone();
        Ok(Self { archive, sheet, texts, styles, counts_from_1904 })
    }

    fn sheet(&self) -> Result<Vec<u8>, Mistakes> {
        self.archive.read(&self.sheet, SHEET_BYTES_MAX).map_err(unread)
    }

    /// What a person sees in a cell, or what is wrong with it.
    fn seen(&self, cell: &SheetCell) -> Result<String, (String, &'static str)> {
        let value = cell.value.as_deref().unwrap_or_default();
        match cell.kind.as_str() {
            "s" => {
                let text = value.trim().parse().ok().and_then(|number| self.texts.get(number));
                text.map(unescaped).ok_or(("the text of this cell is not in the workbook".to_owned(), "type it again"))
            }
            "inlineStr" => Ok(unescaped(&cell.inline)),
            "str" => Ok(unescaped(value)),
            "b" => Ok(if value.trim() == "1" { "true" } else { "false" }.to_owned()),
            "e" => {
                Err((format!("it shows the error {}", shown(value)), "correct its formula, or type what it should be"))
            }
            "d" => Ok(value.trim().to_owned()),
            _ if value.trim().is_empty() && cell.has_formula => {
                Err(("its formula was never calculated".to_owned(), "open the workbook in a spreadsheet and save it"))
            }
            _ if value.trim().is_empty() => Ok(String::new()),
            _ => self.number(value.trim(), self.styles.get(cell.style).copied().unwrap_or_default()),
        }
    }

    fn number(&self, text: &str, how: Shown) -> Result<String, (String, &'static str)> {
        let number: f64 = text.parse().map_err(|_| (format!("{} is no number", shown(text)), "type it again"))?;
        if !number.is_finite() || number.abs() >= NUMBER_MAX {
            let what = format!("{} has more digits than a spreadsheet keeps", shown(text));
            return Err((what, "format the column as text, and type it again"));
        }
        let is_whole = number.fract() == 0.0;
        match how {
            Shown::Zeros(digits) if is_whole && number >= 0.0 => Ok(format!("{:0digits$}", number as i64)),
            Shown::Date if number >= 1.0 => self.date(number),
            _ if is_whole => Ok((number as i64).to_string()),
            _ => Ok(number.to_string()),
        }
    }

    fn date(&self, number: f64) -> Result<String, (String, &'static str)> {
        let sure = if self.counts_from_1904 { number + DAYS_1900_TO_1904 } else { number };
        if !(FIRST_SURE_DAY..LAST_DAY).contains(&sure) {
            return Err((format!("{number} is no day that can be told"), "type it as 2026-04-13"));
        }
        let seconds = ((sure - DAYS_BEFORE_1970) * SECONDS_A_DAY).round() as i64;
        let (day, second) = (report::day(seconds), seconds.rem_euclid(86_400));
        if second == 0 {
            return Ok(day);
        }
        Ok(format!("{day} {:02}:{:02}:{:02}", second / 3600, second % 3600 / 60, second % 60))
    }
}

/// Text as it was before the format wrote what XML can't hold as `_xHHHH_`.
fn unescaped(text: &str) -> String {
    if !text.contains("_x") {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("_x") {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let code = rest.get(2..7).and_then(|code| code.strip_suffix('_'));
        let code = code.filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()));
        match code.and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32) {
            Some(character) => {
                plain.push(character);
                rest = &rest[7..];
            }
            None => {
                plain.push_str("_x");
                rest = &rest[2..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

/// Reads a sheet of a workbook as a table.
pub(crate) fn read(bytes: &[u8], sheet: Option<&str>) -> Result<Table, Mistakes> {
    let workbook = Workbook::open(bytes, sheet)?;
    let part = workbook.sheet()?;
    let mut rows = Rows::of(xml::text(&part)?);
    let mut table: Option<TableBuilder> = None;
    while let Some(row) = rows.next()? {
        let read = cells(&workbook, &row);
        match (&mut table, read) {
            (_, Ok(cells)) if cells.values().all(|text| text.trim().is_empty()) => {}
            (None, Ok(cells)) => {
                let width = cells.iter().filter(|(_, text)| !text.trim().is_empty()).map(|(at, _)| at + 1).max();
                let heading = |at| cells.get(&at).cloned().unwrap_or_default();
                let headings = (0..width.unwrap_or_default()).map(heading).collect();
                table = Some(TableBuilder::new(Unit::Row, row.number, headings)?);
            }
            (None, Err(wrong)) => {
                let mistakes = wrong.into_iter().map(|(column, what, cure)| mistake(&row, &[], column, what, cure));
                let mut all = Mistakes::default();
                all.extend(mistakes);
                return Err(all);
            }
            (Some(table), Ok(cells)) => {
                let width = table.headings().len();
                let beyond: Vec<_> =
                    cells.iter().filter(|(at, text)| **at >= width && !text.trim().is_empty()).collect();
                for (at, text) in &beyond {
                    let what = format!("{} stands beside the table", shown(text));
                    let wrong = mistake(&row, table.headings(), **at, what, "write a heading above it, or empty it");
                    table.broken(wrong)?;
                }
                if beyond.is_empty() {
                    let text = |at| cells.get(&at).map_or("", String::as_str);
                    table.row(row.number, (0..width).map(text))?;
                }
            }
            (Some(table), Err(wrong)) => {
                for (column, what, cure) in wrong {
                    let wrong = mistake(&row, table.headings(), column, what, cure);
                    table.broken(wrong)?;
                }
            }
        }
    }
    let empty = || fatal("the sheet is empty", "write a row of headings, and then one for each entry");
    table.map(TableBuilder::finish).ok_or_else(empty)
}

fn mistake(row: &SheetRow, headings: &[String], column: usize, what: String, cure: &str) -> Mistake {
    let heading = headings.get(column).map(|heading| heading.trim().to_owned()).unwrap_or_default();
    let column = Some(Place { number: column + 1, heading });
    Mistake { unit: Unit::Row, line: row.number, column, what, cure: cure.to_owned() }
}

type Wrong = Vec<(usize, String, &'static str)>;

/// What a person sees in the cells of a row, or everything that is wrong with them.
fn cells(workbook: &Workbook<'_>, row: &SheetRow) -> Result<BTreeMap<usize, String>, Wrong> {
    let (mut cells, mut wrong) = (BTreeMap::new(), Vec::new());
    for cell in &row.cells {
        match workbook.seen(cell) {
            Ok(text) => drop(cells.insert(cell.column, text)),
            Err((what, cure)) => wrong.push((cell.column, what, cure)),
        }
    }
    if wrong.is_empty() { Ok(cells) } else { Err(wrong) }
}

pub(crate) use result::with_results;

#[cfg(test)]
mod tests;
