//! Lessons for everybody: the organisation that learned them is not told.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Register;
use crate::record::Record;

/// A lesson as it is given to the log of all projects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExportedLesson {
    /// Its fields, none of which names the organisation.
    pub fields: BTreeMap<String, String>,
}

/// The lessons of a project, without the organisation's name and code, nor those of its people.
pub fn export_lessons(record: &Record) -> Vec<ExportedLesson> {
    let people = record.people.iter().flat_map(|(id, person)| [id.as_str(), person.title.as_str()]);
    let names: Vec<&str> = [record.name.as_str(), record.code.as_str()].into_iter().collect();
    let people: Vec<&str> = people.collect();
    let rows = record.rows_of(Register::Lessons);
    rows.map(|row| {
        let clean =
            |text: &str| without_names(&without_names(text, &names, "the organisation"), &people, "a colleague");
        let fields = row.fields.iter().map(|(name, value)| (name.clone(), clean(value)));
        ExportedLesson { fields: fields.collect() }
    })
    .collect()
}

/// A text in which none of the names stands, in whatever case and with whatever white space between its words.
pub fn without_names(text: &str, names: &[&str], instead: &str) -> String {
    let mut names: Vec<Vec<Vec<char>>> =
        names.iter().map(|name| words_of(name)).filter(|name| !name.is_empty()).collect();
    // The longest first, so that a name that begins with another goes as a whole.
    names.sort_by_key(|name| std::cmp::Reverse(name.iter().map(Vec::len).sum::<usize>()));
    let chars: Vec<char> = text.chars().collect();
    let mut clean = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(char) = chars.get(at) {
        match names.iter().find_map(|name| end_of(&chars, at, name)) {
            Some(end) => {
                clean.push_str(instead);
                at = end;
            }
            None => {
                clean.push(*char);
                at += 1;
            }
        }
    }
    clean
}

/// A name's words, in small letters.
fn words_of(name: &str) -> Vec<Vec<char>> {
    name.split_whitespace().map(|word| word.chars().flat_map(char::to_lowercase).collect()).collect()
}

/// Where the name ends that begins here, if one does.
fn end_of(chars: &[char], start: usize, name: &[Vec<char>]) -> Option<usize> {
    let mut at = start;
    for (index, word) in name.iter().enumerate() {
        if index > 0 {
            let spaces = chars.get(at..)?.iter().take_while(|char| is_between(**char)).count();
            if spaces == 0 {
                return None;
            }
            at += spaces;
        }
        let mut left = word.as_slice();
        while !left.is_empty() {
            let small: Vec<char> = chars.get(at)?.to_lowercase().collect();
            left = left.strip_prefix(small.as_slice())?;
            at += 1;
        }
    }
    Some(at)
}

/// What may stand between two words of a name.
fn is_between(char: char) -> bool {
    char.is_whitespace() || matches!(char, '-' | '_' | '.' | '\u{ad}' | '\u{200b}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 2] = ["Little Marsh Trust", "LM7"];

    #[test]
    fn names_go_in_whatever_form_they_stand() {
        for (text, clean) in [
            ("Little Marsh Trust waited.", "the organisation waited."),
            ("At LITTLE  marsh\ntrust we waited", "At the organisation we waited"),
            ("little-marsh-trust.example", "the organisation.example"),
            ("lm7.user@x, code LM7", "the organisation.user@x, code the organisation"),
            ("A little marsh was trusted.", "A little marsh was trusted."),
            ("", ""),
        ] {
            assert_eq!(without_names(text, &NAMES, "the organisation"), clean);
        }
    }

    #[test]
    fn a_name_of_nothing_takes_nothing_away() {
        assert_eq!(without_names("as it was", &["", "  "], "x"), "as it was");
    }

    proptest! {
        #[test]
        fn no_name_is_left_wherever_it_stood(before in "\\PC{0,12}", after in "\\PC{0,12}", upper in any::<bool>()) {
            for name in NAMES {
                let name = if upper { name.to_uppercase() } else { name.to_lowercase() };
                let clean = without_names(&format!("{before}{name}{after}"), &NAMES, "*").to_lowercase();
                prop_assert!(!clean.contains("little marsh trust"), "{}", clean);
                prop_assert!(!clean.contains("lm7"), "{}", clean);
            }
        }
    }
}
