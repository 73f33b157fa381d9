//! Folders: which folder of the target takes the items of which folder of the source. Pure.
//!
//! The rule is: the same names. Only a name that the target has refused is written otherwise, in a way that depends on
//! nothing but the names, so that it comes out the same every time.

use std::collections::BTreeSet;

use model::FolderPath;

/// Longest name tried in place of a refused one, in bytes: every platform takes that much.
const NAME_BYTES_MAX: usize = 100;

/// A name in place of one that was refused: letters, digits, spaces, `-` and `_` stay, anything else becomes `_`.
pub(crate) fn other_name(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut plain: String =
        name.chars().map(|c| if c.is_alphanumeric() || " -_".contains(c) { c } else { '_' }).collect();
    while plain.len() > NAME_BYTES_MAX {
        plain.pop();
    }
    let plain = plain.trim().to_owned();
    let plain = if plain.is_empty() { "_".to_owned() } else { plain };
    let mut candidate = plain.clone();
    let mut number = 1;
    while candidate == name || is_taken(&candidate) {
        number += 1;
        candidate = format!("{plain} {number}");
    }
    candidate
}

/// The path in place of a refused one: another last name, not taken by any of these.
pub(crate) fn other_path(refused: &FolderPath, taken: &BTreeSet<FolderPath>) -> FolderPath {
    let with_name = |name: &str| refused.parent().map_or_else(|| FolderPath::new([name]), |parent| parent.child(name));
    with_name(&other_name(refused.name(), |name| taken.contains(&with_name(name))))
}

/// The path with its beginning replaced, where it begins so.
pub(crate) fn moved_below(path: &FolderPath, from: &FolderPath, to: &FolderPath) -> Option<FolderPath> {
    let rest = path.names().strip_prefix(from.names())?;
    Some(FolderPath::new(to.names().iter().chain(rest).cloned().collect::<Vec<String>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_name_becomes_one_of_letters_digits_and_spaces() {
        let free = |_: &str| false;
        assert_eq!(other_name("50% \"off\" & more/less", free), "50_ _off_ _ more_less");
        assert_eq!(other_name("Prüfung ✓", free), "Prüfung _");
        assert_eq!(other_name("///", free), "___");
        assert_eq!(other_name(" . ", free), "_");
        assert_eq!(other_name(&"é".repeat(200), free).len(), NAME_BYTES_MAX);
    }

    #[test]
    fn two_refused_names_do_not_become_one() {
        let mut taken = BTreeSet::from([FolderPath::new(["a", "x_y"])]);
        let first = other_path(&FolderPath::new(["a", "x*y"]), &taken);
        assert_eq!(first, FolderPath::new(["a", "x_y 2"]));
        taken.insert(first);
        assert_eq!(other_path(&FolderPath::new(["a", "x%y"]), &taken), FolderPath::new(["a", "x_y 3"]));
        assert_eq!(
            other_path(&FolderPath::new(["plain"]), &taken),
            FolderPath::new(["plain 2"]),
            "never the same again"
        );
    }

    #[test]
    fn folders_below_follow() {
        let (from, to) = (FolderPath::new(["a", "b"]), FolderPath::new(["a", "c"]));
        let moved = |names: &[&str]| moved_below(&FolderPath::new(names.iter().copied()), &from, &to);
        assert_eq!(moved(&["a", "b", "d"]), Some(FolderPath::new(["a", "c", "d"])));
        assert_eq!(moved(&["a", "b"]), Some(to.clone()));
        assert_eq!(moved(&["a", "bb"]), None);
    }
}
