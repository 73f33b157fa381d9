//! How numbers are shown: what is a date, and what has zeros before it.

use std::collections::HashMap;

use super::xml::{BadXml, Piece, Pieces};

/// How a number is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shown {
    /// As a number.
    #[default]
    Plain,
    /// As a day, a time, or both.
    Date,
    /// With so many digits, zeros first: a staff number.
    Zeros(usize),
}

/// Digits of a number with zeros before it.
const ZEROS_MAX: usize = 32;

/// How each style shows numbers.
pub(super) fn styles(part: &str) -> Result<Vec<Shown>, BadXml> {
    let (mut codes, mut styles, mut is_in_cells) = (HashMap::<u32, String>::new(), Vec::new(), false);
    for piece in Pieces::of(part) {
        match piece? {
            Piece::Open(element) => match element.name() {
                "numFmt" => {
                    let id = element.attribute("numFmtId").and_then(|id| id.parse().ok());
                    codes.extend(id.zip(element.attribute("formatCode")));
                }
                "cellXfs" => is_in_cells = !element.is_empty,
                "xf" if is_in_cells => {
                    let id = element.attribute("numFmtId").and_then(|id| id.parse().ok()).unwrap_or(0);
                    styles.push(shown(id, codes.get(&id).map(String::as_str)));
                }
                _ => {}
            },
            Piece::Close(name, _) if name == "cellXfs" => is_in_cells = false,
            _ => {}
        }
    }
    Ok(styles)
}

/// How a format shows a number, by its number and, where the workbook says so, its code.
fn shown(id: u32, code: Option<&str>) -> Shown {
    let Some(code) = code else {
        return match id {
            14..=22 | 27..=36 | 45..=47 | 50..=58 => Shown::Date,
            _ => Shown::Plain,
        };
    };
    if (2..=ZEROS_MAX).contains(&code.len()) && code.bytes().all(|b| b == b'0') {
        return Shown::Zeros(code.len());
    }
    // What stands in quotes, in brackets or behind a backslash is text, a colour or a condition.
    let (mut letters, mut characters) = (String::new(), code.chars());
    while let Some(c) = characters.next() {
        match c {
            '"' => drop(characters.by_ref().find(|c| *c == '"')),
            '[' => {
                let inner: String = characters.by_ref().take_while(|c| *c != ']').collect();
                // [h] and [mm] are hours and minutes beyond a day.
                if matches!(inner.to_ascii_lowercase().as_str(), "h" | "hh" | "m" | "mm" | "s" | "ss") {
                    letters.push('h');
                }
            }
            '\\' | '_' | '*' => drop(characters.next()),
            c => letters.push(c.to_ascii_lowercase()),
        }
    }
    let letters = letters.replace("general", "");
    if letters.contains(['y', 'm', 'd', 'h', 's']) { Shown::Date } else { Shown::Plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_staff_numbers_are_told_from_numbers() {
        for (id, code, expected) in [
            (0, None, Shown::Plain),
            (14, None, Shown::Date),
            (49, None, Shown::Plain),
            (164, Some("yyyy\\-mm\\-dd"), Shown::Date),
            (164, Some("[$-809]dd mmmm yyyy;@"), Shown::Date),
            (164, Some("[h]:mm"), Shown::Date),
            (164, Some("00000"), Shown::Zeros(5)),
            (164, Some("General"), Shown::Plain),
            (164, Some("#,##0.00\" days\""), Shown::Plain),
            (164, Some("[Red]0.0"), Shown::Plain),
            (164, Some("\"open"), Shown::Plain),
        ] {
            assert_eq!(shown(id, code), expected, "{id} {code:?}");
        }
    }

    #[test]
    fn only_the_styles_of_cells_count() {
        let part = "<styleSheet><numFmts><numFmt numFmtId=\"164\" formatCode=\"000\"/></numFmts><cellStyleXfs><xf numFmtId=\"14\"/>\
            </cellStyleXfs><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"164\"/><xf numFmtId=\"22\"><alignment/></xf></cellXfs></styleSheet>";
        assert_eq!(styles(part), Ok(vec![Shown::Plain, Shown::Zeros(3), Shown::Date]));
    }
}
