//! Keywords: Dovecot's letters and Courier's files.

use std::collections::HashMap;
use std::path::Path;

/// Dovecot's file in a folder: a number and a keyword a line.
pub(crate) const DOVECOT_FILE: &str = "dovecot-keywords";
/// Courier's directory in a folder.
pub(crate) const COURIER_FOLDER: &str = "courierimapkeywords";
/// Courier's list of all keywords of all items.
const COURIER_LIST: &str = ":list";
/// Letters that Dovecot's dialect has.
pub(crate) const LETTERS: usize = 26;

/// The keywords of Dovecot's letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Letters(Vec<String>);

impl Letters {
    /// Those of this folder.
    pub(crate) fn read(folder: &Path) -> Self {
        let text = std::fs::read(folder.join(DOVECOT_FILE)).unwrap_or_default();
        let mut letters = Self::default();
        for line in String::from_utf8_lossy(&text).lines() {
            let Some((number, keyword)) = line.split_once(' ') else { continue };
            if let Ok(number) = number.parse::<usize>()
                && number < LETTERS
            {
                letters.0.resize(letters.0.len().max(number + 1), String::new());
                keyword.clone_into(&mut letters.0[number]);
            }
        }
        letters
    }

    /// The file's text.
    pub(crate) fn text(&self) -> String {
        let lines = self.0.iter().enumerate().filter(|(_, keyword)| !keyword.is_empty());
        lines.map(|(number, keyword)| format!("{number} {keyword}\n")).collect()
    }

    /// The keyword of the nth letter.
    pub(crate) fn keyword(&self, number: usize) -> Option<&str> {
        self.0.get(number).map(String::as_str).filter(|keyword| !keyword.is_empty())
    }

    /// The number of a keyword's letter.
    pub(crate) fn number(&self, keyword: &str) -> Option<usize> {
        self.0.iter().position(|known| known.eq_ignore_ascii_case(keyword))
    }

    /// Gives a keyword a letter, if there is one left. Is it new?
    pub(crate) fn add(&mut self, keyword: &str) -> bool {
        if self.number(keyword).is_some() {
            return false;
        }
        if let Some(free) = self.0.iter().position(String::is_empty) {
            keyword.clone_into(&mut self.0[free]);
            return true;
        }
        let has_room = self.0.len() < LETTERS;
        if has_room {
            self.0.push(keyword.to_owned());
        }
        has_room
    }
}

/// Courier's keywords of a folder, by item.
pub(crate) fn read_courier(folder: &Path) -> HashMap<String, Vec<String>> {
    let folder = folder.join(COURIER_FOLDER);
    let mut by_item = HashMap::new();
    if let Ok(text) = std::fs::read(folder.join(COURIER_LIST)) {
        by_item = courier_list(&String::from_utf8_lossy(&text));
    }
    // A file of an item's own counts more than the list; of several, `.N.NAME` with the largest N, and then `NAME`.
    let mut own: HashMap<String, (u64, String)> = HashMap::new();
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == COURIER_LIST {
            continue;
        }
        let numbered = name.strip_prefix('.').and_then(|rest| rest.split_once('.'));
        let (number, item) = match numbered.map(|(number, item)| (number.parse::<u64>(), item)) {
            Some((Ok(number), item)) => (number, item.to_owned()),
            _ => (u64::MAX, name.clone()),
        };
        if own.get(&item).is_none_or(|(known, _)| *known < number) {
            own.insert(item, (number, name));
        }
    }
    for (item, (_, file)) in own {
        if let Ok(text) = std::fs::read(folder.join(file)) {
            let text = String::from_utf8_lossy(&text);
            by_item.insert(item, text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect());
        }
    }
    by_item
}

/// Keywords a line, an empty line, then items with the numbers of their keywords.
fn courier_list(text: &str) -> HashMap<String, Vec<String>> {
    let mut lines = text.lines();
    let keywords: Vec<&str> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let mut by_item = HashMap::new();
    for line in lines {
        let Some((item, numbers)) = line.split_once(':') else { continue };
        let named = numbers.split_whitespace().filter_map(|number| keywords.get(number.parse::<usize>().ok()?));
        by_item.insert(item.to_owned(), named.map(|keyword| (*keyword).to_owned()).collect());
    }
    by_item
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_given_once_and_run_out() {
        let mut letters = Letters::default();
        assert!(letters.add("Work"));
        assert!(!letters.add("WORK"));
        for n in 0..40 {
            letters.add(&format!("k{n}"));
        }
        assert_eq!((letters.number("work"), letters.number("k24"), letters.number("k25")), (Some(0), Some(25), None));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(DOVECOT_FILE), letters.text()).unwrap();
        assert_eq!(Letters::read(folder.path()), letters);
    }

    #[test]
    fn couriers_list_and_the_items_own_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let courier = folder.path().join(COURIER_FOLDER);
        std::fs::create_dir(&courier).unwrap();
        std::fs::write(courier.join(":list"), "Work\n$Forwarded\n\n1.M1.h:0 1\n2.M2.h:1\n3.M3.h:0\n4.M4.h:0\n")
            .unwrap();
        std::fs::write(courier.join(".7.2.M2.h"), "Old\n").unwrap();
        std::fs::write(courier.join(".8.2.M2.h"), "New\n").unwrap();
        std::fs::write(courier.join("3.M3.h"), "").unwrap();
        let read = read_courier(folder.path());
        assert_eq!(read["1.M1.h"], ["Work", "$Forwarded"]);
        assert_eq!(read["2.M2.h"], ["New"]);
        assert!(read["3.M3.h"].is_empty());
        assert_eq!(read["4.M4.h"], ["Work"]);
    }
}
