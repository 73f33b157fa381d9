//! Names of items' files: `ID:2,FLAGS`.

use model::{Flags, SystemFlag};

/// System flags and their letters.
const LETTERS: [(char, SystemFlag); 5] = [
    ('D', SystemFlag::Draft),
    ('F', SystemFlag::Flagged),
    ('R', SystemFlag::Answered),
    ('S', SystemFlag::Seen),
    ('T', SystemFlag::Deleted),
];

/// Splits a file's name into id and letters.
pub(crate) fn split(name: &str) -> (&str, &str) {
    match name.split_once(':') {
        Some((id, info)) => (id, info.strip_prefix("2,").unwrap_or("")),
        None => (name, ""),
    }
}

/// The flags of these letters; `keywords` gives the keyword of the nth small letter.
pub(crate) fn flags<'k>(letters: &str, keywords: impl Fn(usize) -> Option<&'k str>) -> Flags {
    let mut flags = Flags::NONE;
    for letter in letters.chars() {
        if let Some((_, flag)) = LETTERS.iter().find(|(known, _)| *known == letter) {
            flags = flags.with(*flag);
        } else if letter == 'P' {
            flags.insert("$Forwarded");
        } else if letter.is_ascii_lowercase()
            && let Some(keyword) = keywords(letter as usize - 'a' as usize)
        {
            flags.insert(keyword);
        }
    }
    flags
}

/// The letters of these flags, sorted as the manual asks; `keyword` gives the number of a keyword's letter, if it has
/// one.
pub(crate) fn letters(flags: &Flags, keyword: impl Fn(&str) -> Option<usize>) -> String {
    let mut letters: Vec<char> =
        LETTERS.iter().filter(|(_, flag)| flags.has(*flag)).map(|(letter, _)| *letter).collect();
    for number in flags.keywords().iter().filter_map(|name| keyword(name)) {
        if let Some(letter) = u8::try_from(number).ok().filter(|number| *number < 26) {
            letters.push(char::from(b'a' + letter));
        }
    }
    letters.sort_unstable();
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_read_back() {
        let keywords = ["Work", "$Forwarded"];
        let number = |name: &str| keywords.iter().position(|known| known.eq_ignore_ascii_case(name));
        for names in [&["\\Seen", "\\Draft", "work"][..], &[], &["\\Deleted", "\\Flagged", "\\Answered", "$forwarded"]]
        {
            let set = Flags::of(names.iter().copied());
            let letters = letters(&set, number);
            assert_eq!(flags(&letters, |n| keywords.get(n).copied()), set, "{letters}");
        }
        assert_eq!(letters(&Flags::of(["\\Seen", "Work", "\\Draft"]), number), "DSa");
    }

    #[test]
    fn odd_names_are_read() {
        assert_eq!(split("123.M1P2.host,S=5:2,FS"), ("123.M1P2.host,S=5", "FS"));
        assert_eq!(split("123.M1P2.host"), ("123.M1P2.host", ""));
        assert_eq!(split("123:1,x"), ("123", ""));
        assert_eq!(flags("PSz?", |_| None), Flags::of(["\\Seen", "$Forwarded"]));
    }
}
