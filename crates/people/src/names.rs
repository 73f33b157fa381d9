//! People's names, compared as people would: without marks, case, titles and punctuation.

use model::Entry;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A person's name in the form in which names are compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PersonName {
    given: Vec<String>,
    surname: Vec<String>,
}

impl PersonName {
    /// The name of an entry that has both parts.
    pub fn of(entry: &Entry) -> Option<Self> {
        let part = |text: &Option<String>| text.as_deref().map(words).filter(|words| !words.is_empty());
        Some(Self { given: part(&entry.names.given)?, surname: part(&entry.names.surname)? })
    }

    /// The name of an entry as far as it has one: the parts that it lacks are looked for in the name that is shown. The first
    /// names may be missing all the same.
    pub fn loosely(entry: &Entry) -> Option<Self> {
        let part = |text: &Option<String>| text.as_deref().map(words).unwrap_or_default();
        let (mut given, mut surname) = (part(&entry.names.given), part(&entry.names.surname));
        let shown = words(shown(entry));
        if surname.is_empty() {
            surname = shown.iter().filter(|word| !given.contains(word)).cloned().collect();
        }
        if given.is_empty() {
            given = shown.into_iter().filter(|word| entry.names.surname.is_none() || !surname.contains(word)).collect();
        }
        (!surname.is_empty()).then_some(Self { given, surname })
    }

    /// The name in words: what is told of namesakes.
    pub fn key(&self) -> String {
        let given = self.given.first().map(String::as_str).unwrap_or_default();
        format!("{given} {}", self.surname.concat()).trim().to_owned()
    }

    /// Keys by which entries are looked up that [`Self::may_be`] may find: what this one stands under, or looks under.
    pub(crate) fn near_keys(&self, looks: bool) -> Vec<String> {
        let mut given: Vec<String> = self.given.iter().filter_map(|word| word.get(..1).map(str::to_owned)).collect();
        let forms = SHORT_FORMS.iter().enumerate();
        let forms = forms.filter(|(_, all)| self.given.iter().any(|word| all.contains(&word.as_str())));
        given.extend(forms.map(|(number, _)| number.to_string()));
        given.push((if looks { "?" } else { "+" }).to_owned());
        if self.given.is_empty() {
            given = if looks { vec!["?".to_owned(), "+".to_owned()] } else { vec!["?".to_owned()] };
        }
        let mut surnames = self.surnames();
        let joined = self.surname.concat();
        surnames.push(&joined);
        surnames.iter().flat_map(|surname| given.iter().map(move |given| format!("{surname} {given}"))).collect()
    }

    /// Could the two be one person's? Initials, short forms and parts of a double name count, and what is missing does not.
    pub fn may_be(&self, other: &Self) -> bool {
        let agree =
            |one: &str, other: &str| one.starts_with(other) || other.starts_with(one) || are_one_name(one, other);
        let given = self.given.is_empty()
            || other.given.is_empty()
            || self.given.concat() == other.given.concat()
            || self.given.iter().any(|word| other.given.iter().any(|other| agree(word, other)));
        given && self.shares_a_surname(other)
    }

    /// Are the two certainly written for one name: the first of the first names agree, an initial never does, and they share a
    /// last name?
    pub fn is_certainly(&self, other: &Self) -> bool {
        agree(&self.given[0], &other.given[0]) && self.shares_a_surname(other)
    }

    fn shares_a_surname(&self, other: &Self) -> bool {
        let others = other.surnames();
        self.surname.concat() == other.surname.concat() || self.surnames().iter().any(|word| others.contains(word))
    }

    /// The words of the last name that tell people apart: initials and particles don't.
    fn surnames(&self) -> Vec<&str> {
        let tells = |word: &&str| word.chars().count() > 1 && !PARTICLES.contains(word);
        self.surname.iter().map(String::as_str).filter(tells).collect()
    }
}

/// Words that last names of many begin with.
const PARTICLES: [&str; 24] = [
    "al", "ap", "bin", "da", "dal", "de", "del", "den", "der", "di", "do", "dos", "du", "el", "la", "las", "le", "los",
    "st", "ten", "ter", "van", "von", "zu",
];

/// Do two names share a word? Someone who married, or who goes by a second name, shares one; two different people seldom do.
pub fn share_a_name(one: &PersonName, other: &PersonName) -> bool {
    fn all(name: &PersonName) -> impl Iterator<Item = &str> {
        let given = name.given.iter().map(String::as_str).filter(|word| word.chars().count() > 1);
        given.chain(name.surnames())
    }
    let joined = one.surname.concat() == other.surname.concat() || one.given.concat() == other.given.concat();
    joined || all(one).any(|word| all(other).any(|other| other == word))
}

/// Do two people's first names look like one's: any of them equal, the beginning of each other, or a short form? Initials
/// don't.
pub fn share_a_given_name(one: &PersonName, other: &PersonName) -> bool {
    one.given.iter().any(|word| other.given.iter().any(|other| agree(word, other)))
}

/// Are two first names equal, or one the beginning of the other, three letters at least, or its short form?
fn agree(one: &str, other: &str) -> bool {
    let shorter = one.chars().count().min(other.chars().count());
    let is_begun = shorter >= 3 && (one.starts_with(other) || other.starts_with(one));
    is_begun || (shorter >= 2 && one == other) || are_one_name(one, other)
}

fn are_one_name(one: &str, other: &str) -> bool {
    SHORT_FORMS.iter().any(|all| all.contains(&one) && all.contains(&other))
}

/// Is what is shown of two the same, without what stands in parentheses at the end?
pub(crate) fn show_the_same(one: &Entry, other: &Entry) -> bool {
    let (one, other) = (words(shown(one)), words(shown(other)));
    !one.is_empty() && one == other
}

/// Every word of an entry's name that is more than a letter.
pub(crate) fn all_words(entry: &Entry) -> Vec<String> {
    let names = [entry.names.given.as_deref(), entry.names.surname.as_deref(), Some(shown(entry))];
    let mut all: Vec<String> = names.into_iter().flatten().flat_map(words).collect();
    all.retain(|word| word.chars().count() > 1 && !PARTICLES.contains(&word.as_str()));
    all
}

/// The name that is shown, without what stands in parentheses at its end: the organisation.
fn shown(entry: &Entry) -> &str {
    let shown = entry.names.display.as_deref().unwrap_or_default().trim();
    let without = shown.strip_suffix(')').and_then(|text| text.rsplit_once('(')).map(|(name, _)| name.trim());
    without.filter(|name| !name.is_empty()).unwrap_or(shown)
}

/// Short forms that don't begin like the name they stand for.
const SHORT_FORMS: [&[&str]; 17] = [
    &["alexander", "alexandra", "sandy", "sasha", "xander", "lex"],
    &["andrew", "drew"],
    &["anthony", "tony"],
    &["catherine", "katherine", "kathleen", "kate", "kathy", "cathy", "katie", "kath", "kitty", "kay"],
    &["christopher", "kit"],
    &["dorothy", "dot", "dolly"],
    &["edward", "ted", "ned"],
    &["elizabeth", "elisabeth", "liz", "lizzie", "beth", "betty", "bess", "libby", "lisa"],
    &["henry", "harry", "hal"],
    &["james", "jim", "jimmy", "jamie"],
    &["john", "jack", "jonathan"],
    &["margaret", "peggy", "maggie", "meg", "daisy", "greta"],
    &["mary", "molly", "polly"],
    &["michael", "mick", "mike", "micky"],
    &["richard", "dick", "rick"],
    &["robert", "bob", "bobby"],
    &["william", "bill", "billy", "liam"],
];

/// The words of a name in Latin letters, without marks and case; apostrophes join, everything else that is no letter parts.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in text.nfc().filter(|letter| !is_combining_mark(*letter)) {
        match letter {
            '\'' | '\u{2019}' | '\u{2018}' | '`' | '\u{b4}' | '\u{2bc}' => {}
            letter if letter.is_alphanumeric() => {
                let latin = any_ascii::any_ascii_char(letter).chars().filter(char::is_ascii_alphanumeric);
                let latin: String = latin.collect::<String>().to_lowercase();
                let is_sign = matches!(letter, 'ь' | 'Ь' | 'ъ' | 'Ъ');
                words.last_mut().into_iter().for_each(|word| match latin.as_str() {
                    "" if is_sign => {}
                    "" => word.extend(letter.to_lowercase()),
                    latin => word.push_str(latin),
                });
            }
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty() && !is_title(word));
    words
}

fn is_title(word: &str) -> bool {
    matches!(
        word,
        "dr" | "mr" | "mrs" | "ms" | "miss" | "prof" | "professor" | "sister" | "sir" | "dame" | "rev" | "mx"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::EntryKind;

    fn name(given: &str, surname: &str) -> PersonName {
        let mut entry = Entry::new("1", EntryKind::Person);
        (entry.names.given, entry.names.surname) = (Some(given.into()), Some(surname.into()));
        PersonName::of(&entry).unwrap()
    }

    #[test]
    fn names_are_the_same_whatever_their_marks_case_and_punctuation() {
        for (one, other) in [
            (name("Siobhán", "O’Neill"), name("SIOBHAN", "O'Neill")),
            (name("Dr Anna", "Smith-Jones"), name("anna", "Smith Jones")),
            (name("Zoë", "Bjørnsen"), name("Zoe", "Bjornsen")),
            (name("Наталья", "Петрова"), name("наталья", "ПЕТРОВА")),
            (name("José Luis", "Núñez"), name("Jose", "Nunez")),
            (name("Наталья", "Петрова"), name("Natalya", "Petrova")),
            (name("Jose\u{301}", "Weiß"), name("José", "Weiss")),
        ] {
            assert_eq!(one.key(), other.key());
            assert!(share_a_name(&one, &other));
        }
        assert_ne!(name("Ann", "Lee").key(), name("Anne", "Lee").key());
    }

    #[test]
    fn who_married_shares_a_name_and_a_stranger_does_not() {
        assert!(share_a_name(&name("Ann", "Lee"), &name("Ann", "Ray")));
        assert!(share_a_name(&name("Robert", "Ray"), &name("Bob", "Ray")));
        assert!(share_a_name(&name("Ann", "Lee"), &name("Ann", "Lee-Ray")));
        assert!(!share_a_name(&name("Ann", "Lee"), &name("Bob", "Ray")));
    }

    #[test]
    fn first_names_agree_in_their_short_forms_and_not_by_their_first_letter() {
        for (one, other, agree) in [
            ("Alex", "Alexandra", true),
            ("Bob", "Robert", true),
            ("Ann", "Alice", false),
            ("Ann Alice", "Alice", true),
            ("A", "Alan", false),
            ("Al", "Alan", false),
            ("Jo", "Jo", true),
            ("Ann B", "Bob", false),
            ("伟", "Wei", true),
        ] {
            assert_eq!(share_a_given_name(&name(one, "Lee"), &name(other, "Lee")), agree, "{one} {other}");
        }
    }

    #[test]
    fn where_an_address_is_all_there_is_both_names_have_to_agree() {
        for (one, other, agree) in [
            (("Ann", "Lee"), ("Ann", "Lee"), true),
            (("Bob", "Lee"), ("Robert", "Lee-Ray"), true),
            (("Sarah", "Lee"), ("Sarah", "Okafor"), false),
            (("Ann B", "Lee"), ("Bob", "Lee"), false),
            (("A", "Lee"), ("Alan", "Lee"), false),
            (("Ana", "de la Cruz"), ("Ana", "de Silva"), false),
            (("Ana", "van der Berg"), ("Ana", "Vanderberg"), true),
        ] {
            assert_eq!(name(one.0, one.1).is_certainly(&name(other.0, other.1)), agree, "{one:?} {other:?}");
        }
    }

    #[test]
    fn names_that_may_be_one_persons_are_found_by_their_keys() {
        for (one, other, may_be) in [
            (("Robert", "Ray"), ("Bob", "Ray"), true),
            (("Catherine", "O'Neill"), ("Kate", "O’Neill"), true),
            (("Наталья", "Петрова"), ("Natalya", "Petrova"), true),
            (("Anne Marie", "Lee"), ("Annemarie", "Lee"), true),
            (("Ann", "Smith-Jones"), ("Ann", "Smith"), true),
            (("A", "Lee"), ("Ann", "Lee"), true),
            (("Ann", "Lee"), ("", "Lee"), true),
            (("", "Lee"), ("Ann", "Lee"), true),
            (("Ann", "Lee"), ("Bob", "Lee"), false),
            (("Ann", "Lee"), ("Ann", "Ray"), false),
        ] {
            let of = |given: &str, surname: &str| {
                let mut entry = Entry::new("1", EntryKind::Person);
                (entry.names.given, entry.names.surname) = (Some(given.into()), Some(surname.into()));
                PersonName::loosely(&entry).unwrap()
            };
            let (one, other) = (of(one.0, one.1), of(other.0, other.1));
            assert_eq!(one.may_be(&other), may_be, "{one:?} {other:?}");
            let (looks, stands) = (one.near_keys(true), other.near_keys(false));
            assert!(!may_be || looks.iter().any(|key| stands.contains(key)), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_name_that_is_only_shown_is_a_name() {
        let mut entry = Entry::new("1", EntryKind::Person);
        entry.names.display = Some("Lee, Ann (Hill Trust)".into());
        let shown = PersonName::loosely(&entry).unwrap();
        assert!(shown.may_be(&name("Ann", "Lee")) && !shown.may_be(&name("Bob", "Ray")));
        assert!(!shown.may_be(&name("Hill", "Trust")));
    }

    #[test]
    fn a_title_alone_is_no_name() {
        let mut entry = Entry::new("1", EntryKind::Person);
        (entry.names.given, entry.names.surname) = (Some("Dr".into()), Some("Lee".into()));
        assert_eq!(PersonName::of(&entry), None);
    }
}
