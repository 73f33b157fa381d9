//! What is wrong in a table: where, what, and how to cure it.

use std::fmt;

/// Mistakes that are shown in one text; of more there is a count.
pub(crate) const SHOWN_MAX: usize = 500;
/// Mistakes kept of one table; of more there is a count. Enough for one in each row of the largest table.
pub(crate) const KEPT_MAX: usize = 250_000;
/// Characters of a cell that a message shows.
const QUOTED_MAX: usize = 60;

/// What the rows of a table are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Lines of a file.
    Line,
    /// Rows of a sheet, or of what a query gives.
    Row,
}

impl Unit {
    /// A line or a row, for people: `line 812`.
    pub fn place(self, line: u64) -> String {
        match self {
            Self::Line => format!("line {line}"),
            // What a query gives has its headings nowhere.
            Self::Row if line == 0 => "the columns".to_owned(),
            Self::Row => format!("row {line}"),
        }
    }
}

/// A column, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number, from 1.
    pub number: usize,
    /// What stands above it.
    pub heading: String,
}

/// Something wrong in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// What `line` counts.
    pub unit: Unit,
    /// The line of the file, or the row of the sheet, as an editor or a spreadsheet shows it.
    pub line: u64,
    /// The column, where it is about one.
    pub column: Option<Place>,
    /// What is wrong.
    pub what: String,
    /// How to cure it.
    pub cure: String,
}

impl Place {
    /// The column's letters in a spreadsheet: A, B, …, Z, AA.
    pub fn letters(&self) -> String {
        letters(self.number)
    }
}

/// The letters of a column in a spreadsheet, by its number from 1.
pub(crate) fn letters(mut number: usize) -> String {
    let mut letters = Vec::new();
    while number > 0 {
        letters.insert(0, b'A' + ((number - 1) % 26) as u8);
        number = (number - 1) / 26;
    }
    letters.into_iter().map(char::from).collect()
}

impl Mistake {
    /// Where it is: `line 812, column E "Email"`.
    pub fn place(&self) -> String {
        let line = self.unit.place(self.line);
        match &self.column {
            None => line,
            Some(column) if column.heading.is_empty() => {
                format!("{line}, column {} ({})", column.letters(), column.number)
            }
            Some(column) => {
                let heading = shown(&column.heading);
                format!("{line}, column {} ({}) {heading}", column.letters(), column.number)
            }
        }
    }

    /// What is wrong and how to cure it, without the place.
    pub fn sentence(&self) -> String {
        if self.cure.is_empty() { self.what.clone() } else { format!("{}; {}", self.what, self.cure) }
    }

    /// The same for somebody who sees the row already: with the column alone.
    pub fn in_its_row(&self) -> String {
        match &self.column {
            None => self.sentence(),
            Some(column) if column.heading.is_empty() => format!("column {}: {}", column.letters(), self.sentence()),
            Some(column) => format!("{}: {}", column.heading, self.sentence()),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.sentence())
    }
}

/// Everything that is wrong in a table, by line. Shown, it names [`SHOWN_MAX`] at most and counts the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mistakes {
    /// What is wrong, by line; so many at most are kept: [`KEPT_MAX`].
    pub list: Vec<Mistake>,
    /// How many there are in all.
    pub count: u64,
}

impl Mistakes {
    /// Nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds one.
    pub fn push(&mut self, mistake: Mistake) {
        self.count += 1;
        if self.list.len() < KEPT_MAX {
            self.list.push(mistake);
        }
    }

    /// Adds several.
    pub fn extend(&mut self, mistakes: impl IntoIterator<Item = Mistake>) {
        mistakes.into_iter().for_each(|mistake| self.push(mistake));
    }

    /// Puts them in the order of their lines and columns.
    pub(crate) fn sort(&mut self) {
        self.list.sort_by_key(|mistake| (mistake.line, mistake.column.as_ref().map_or(0, |column| column.number)));
    }

    /// What is wrong in each row, in one text, for a result file.
    pub fn by_line(&self) -> std::collections::BTreeMap<u64, String> {
        let mut lines = std::collections::BTreeMap::<u64, String>::new();
        for mistake in &self.list {
            let text = lines.entry(mistake.line).or_default();
            if !text.is_empty() {
                text.push_str(" | ");
            }
            text.push_str(&mistake.in_its_row());
        }
        lines
    }
}

impl From<Mistake> for Mistakes {
    fn from(mistake: Mistake) -> Self {
        Self { list: vec![mistake], count: 1 }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.list.len().min(SHOWN_MAX);
        for (place, mistake) in self.list[..shown].iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        match self.count - shown as u64 {
            0 => Ok(()),
            more => write!(f, "\n… and {more} more"),
        }
    }
}

impl std::error::Error for Mistakes {}

/// A text as a message shows it: in quotes, on one line, not too long.
pub(crate) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(QUOTED_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// Likeness from which on a word is taken for another one with a slip of the keyboard.
const ALIKE: f64 = 0.8;

/// The word that is most like this one, if one is.
pub(crate) fn alike<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_lowercase();
    known
        .map(|known| (strsim::jaro_winkler(&word, &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_says_where_what_and_what_to_do() {
        let mistake = Mistake {
            unit: Unit::Line,
            line: 812,
            column: Some(Place { number: 28, heading: "Email".into() }),
            what: "\"ann@\" is no mail address".into(),
            cure: "write it as name@organisation.example".into(),
        };
        let text =
            "line 812, column AB (28) \"Email\": \"ann@\" is no mail address; write it as name@organisation.example";
        assert_eq!(mistake.to_string(), text);
    }

    #[test]
    fn hundreds_are_listed_and_the_rest_is_counted() {
        let mut mistakes = Mistakes::default();
        for line in 0..730 {
            mistakes.push(Mistake { unit: Unit::Row, line, column: None, what: "x".into(), cure: String::new() });
        }
        let text = mistakes.to_string();
        assert_eq!(text.lines().count(), SHOWN_MAX + 1);
        assert!(text.ends_with("row 499: x\n… and 230 more"), "{text}");
    }

    #[test]
    fn columns_have_the_letters_of_a_spreadsheet() {
        assert_eq!([1, 26, 27, 52, 703].map(letters), ["A", "Z", "AA", "AZ", "AAA"]);
    }
}
