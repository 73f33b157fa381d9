//! What new accounts and lists are called: by the platform's rules, without clashes, the same each time.

use std::collections::HashSet;

use model::{Entry, EntryKind, mail_key};

use crate::PeopleRules;

/// Numbers tried for one name before it is given up.
const NUMBERS_MAX: u32 = 10_000;

/// Why no name can be made: the rule and what breaks it, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unnamed(pub String);

/// Gives names.
pub struct Naming<'n> {
    rules: &'n PeopleRules,
    /// The organisation's name among people.
    organisation: &'n str,
    /// What its shared mailboxes and lists begin with.
    short_name: &'n str,
    /// The platform's domain.
    domain: &'n str,
    taken: HashSet<String>,
}

impl<'n> Naming<'n> {
    /// Names for an organisation; these addresses are taken.
    pub fn new(
        rules: &'n PeopleRules,
        organisation: &'n str,
        short_name: &'n str,
        domain: &'n str,
        taken: impl IntoIterator<Item = String>,
    ) -> Self {
        let taken = taken.into_iter().map(|address| mail_key(&address)).collect();
        Self { rules, organisation, short_name, domain, taken }
    }

    /// The address of a new entry for this object. It is taken from then on.
    pub fn address(&mut self, entry: &Entry) -> Result<String, Unnamed> {
        let template = match entry.kind {
            EntryKind::Person | EntryKind::Contact => &self.rules.address,
            EntryKind::List => &self.rules.list_address,
            _ => &self.rules.shared_address,
        };
        let numbers = std::iter::once(None).chain((self.rules.number_from..).map(Some)).take(NUMBERS_MAX as usize);
        for number in numbers {
            let address = self.fill(template, entry, number)?;
            if self.taken.insert(mail_key(&address)) {
                return Ok(address);
            }
            if !template.contains("{number}") {
                return Err(Unnamed(format!("the address {address} is taken")));
            }
        }
        Err(Unnamed(format!("every address for {:?} is taken", entry.label())))
    }

    fn fill(&self, template: &str, entry: &Entry, number: Option<u32>) -> Result<String, Unnamed> {
        let (local, domain) = template.rsplit_once('@').unwrap_or((template, "{domain}"));
        let number = number.map(|number| number.to_string()).unwrap_or_default();
        let given = entry.names.given.as_deref().unwrap_or_default();
        // Of several given names people use the first.
        let given = plain(given.split_whitespace().next().unwrap_or_default());
        let surname = plain(entry.names.surname.as_deref().unwrap_or_default());
        let name = plain(own_name(entry));
        let parts = [
            ("{given}", given.as_str()),
            ("{surname}", surname.as_str()),
            ("{initial}", given.get(..1).unwrap_or_default()),
            ("{name}", name.as_str()),
            ("{organisation}", &plain(self.short_name)),
        ];
        for (word, text) in parts {
            if local.contains(word) && text.is_empty() {
                let what = word.trim_matches(['{', '}']);
                return Err(Unnamed(format!("{:?} gives no {what} that an address can hold", entry.label())));
            }
        }
        let parts = || parts.iter().copied();
        let fill = |room: Option<usize>| {
            let mut text = parts().fold(local.to_owned(), |text, (word, part)| text.replace(word, part));
            if let Some(room) = room {
                let without = text.replace("{number}", "");
                text = format!(
                    "{}{{number}}",
                    without.chars().take(room).collect::<String>().trim_end_matches(['.', '-'])
                );
            }
            text.replace("{number}", &number).to_lowercase()
        };
        let mut local = fill(None);
        if local.len() > self.rules.local_part_max {
            local = fill(Some(self.rules.local_part_max.saturating_sub(number.len())));
        }
        Ok(format!("{local}@{}", domain.replace("{domain}", self.domain).to_lowercase()))
    }

    /// The name that is shown of a new entry for this object.
    pub fn display(&self, entry: &Entry) -> Result<String, Unnamed> {
        let of = |text: &Option<String>| text.as_deref().map(str::trim).unwrap_or_default().to_owned();
        let names = &entry.names;
        if entry.kind == EntryKind::Person {
            let filled = self
                .rules
                .display_name
                .replace("{title}", &of(&names.title))
                .replace("{given}", &of(&names.given))
                .replace("{surname}", &of(&names.surname))
                .replace("{organisation}", self.organisation);
            return Ok(filled.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        let template = &self.rules.shared_display_name;
        let name = own_name(entry).trim();
        let shown = template.replace("{name}", name).replace("{organisation}", self.organisation);
        self.check(entry, name, &shown)?;
        Ok(shown)
    }

    /// Does the platform take this name, and what is shown of it? R-211: before it is made.
    fn check(&self, entry: &Entry, name: &str, shown: &str) -> Result<(), Unnamed> {
        let is_list = entry.kind == EntryKind::List;
        let limits = [
            ("list's name", name, if is_list { self.rules.list_name_max } else { usize::MAX }),
            ("name", shown, self.rules.shared_display_max),
        ];
        for (what, text, max) in limits {
            let length = text.chars().count();
            if length > max {
                return Err(Unnamed(format!("the {what} {text:?} has {length} characters, at most {max} are allowed")));
            }
        }
        let name = shown;
        let allowed =
            |sign: &char| sign.is_alphanumeric() || *sign == ' ' || self.rules.shared_display_signs.contains(*sign);
        match name.chars().find(|sign| !allowed(sign)) {
            Some(sign) => Err(Unnamed(format!(
                "the name {name:?} holds {sign:?}; besides letters, digits and spaces only {} are allowed",
                self.rules.shared_display_signs
            ))),
            None => Ok(()),
        }
    }
}

/// What the organisation calls what is no person.
fn own_name(entry: &Entry) -> &str {
    let mail = || entry.mail.as_deref().and_then(|mail| mail.split('@').next());
    entry.names.display.as_deref().or_else(mail).or(entry.account.as_deref()).unwrap_or_default()
}

/// A name as an address holds it: ASCII letters, digits and hyphens.
fn plain(text: &str) -> String {
    let ascii = any_ascii::any_ascii(text);
    let mut plain = String::new();
    for letter in ascii.chars() {
        match letter {
            letter if letter.is_ascii_alphanumeric() => plain.push(letter.to_ascii_lowercase()),
            '-' | '_' | '/' | '&' if !plain.is_empty() && !plain.ends_with('-') => plain.push('-'),
            _ => {}
        }
    }
    plain.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(given: &str, surname: &str) -> Entry {
        let mut entry = Entry::new("1", EntryKind::Person);
        (entry.names.given, entry.names.surname) = (Some(given.into()), Some(surname.into()));
        entry
    }

    fn shared(kind: EntryKind, name: &str) -> Entry {
        let mut entry = Entry::new("2", kind);
        entry.names.display = Some(name.into());
        entry
    }

    #[test]
    fn addresses_hold_what_names_of_every_kind_become() {
        let rules = PeopleRules::default();
        let mut naming = Naming::new(&rules, "Hill Trust", "hill", "national.example", []);
        for (given, surname, address) in [
            ("Ann", "Lee", "ann.lee@national.example"),
            ("Siobhán", "O'Neill", "siobhan.oneill@national.example"),
            ("Mary Jane", "Smith-Jones", "mary.smith-jones@national.example"),
            ("Zoë", "van der Bergh", "zoe.vanderbergh@national.example"),
            ("Наталья", "Петрова", "natalya.petrova@national.example"),
            ("Łukasz", "Weiß", "lukasz.weiss@national.example"),
            ("伟", "王", "wei.wang@national.example"),
        ] {
            assert_eq!(naming.address(&person(given, surname)).as_deref(), Ok(address));
        }
        let error = naming.address(&person("…", "Lee")).unwrap_err();
        assert!(error.0.contains("given"), "{error:?}");
    }

    #[test]
    fn the_second_of_a_name_gets_a_number_and_a_taken_address_is_never_given() {
        let rules = PeopleRules::default();
        let taken = ["ANN.LEE@national.example", "ann.lee3@national.example"].map(str::to_owned);
        let mut naming = Naming::new(&rules, "Hill Trust", "hill", "national.example", taken);
        let given: Vec<String> = (0..3).map(|_| naming.address(&person("Ann", "Lee")).unwrap()).collect();
        assert_eq!(given, ["ann.lee2@national.example", "ann.lee4@national.example", "ann.lee5@national.example"]);
    }

    #[test]
    fn long_names_are_cut_and_keep_their_number() {
        let rules = PeopleRules { local_part_max: 12, ..PeopleRules::default() };
        let mut naming = Naming::new(&rules, "Hill", "hill", "x.example", []);
        let one = person("Alexandra", "Featherstonehaugh");
        assert_eq!(naming.address(&one).as_deref(), Ok("alexandra.fe@x.example"));
        assert_eq!(naming.address(&one).as_deref(), Ok("alexandra.f2@x.example"));
    }

    #[test]
    fn what_is_nobodys_begins_with_the_organisation_r_210() {
        let rules = PeopleRules::default();
        let mut naming = Naming::new(&rules, "Hill Trust", "hill", "national.example", []);
        let ward = shared(EntryKind::Shared, "Ward 7 (North)");
        assert_eq!(naming.address(&ward).as_deref(), Ok("hill.ward7north@national.example"));
        assert_eq!(naming.display(&ward).as_deref(), Ok("Ward 7 (North) (Hill Trust)"));
    }

    #[test]
    fn names_that_the_platform_refuses_are_refused_before_with_the_rule_r_211() {
        let rules = PeopleRules { list_name_max: 10, shared_display_max: 24, ..PeopleRules::default() };
        let naming = Naming::new(&rules, "Hill", "hill", "x.example", []);
        for (entry, why) in [
            (shared(EntryKind::List, "All clinical staff"), "at most 10"),
            (shared(EntryKind::Shared, "A name of more than twenty"), "at most 24"),
            (shared(EntryKind::Shared, "Ward 7 <North>"), "'<'"),
            (shared(EntryKind::List, "Ward <7>"), "'<'"),
            // With the organisation's name it is longer.
            (shared(EntryKind::Shared, "Of eighteen letters"), "at most 24"),
        ] {
            let error = naming.display(&entry).unwrap_err();
            assert!(error.0.contains(why), "{error:?}");
        }
    }

    #[test]
    fn namesakes_are_told_apart_by_their_organisation_r_050() {
        let rules = PeopleRules::default();
        let naming = Naming::new(&rules, "Hill Trust", "hill", "x.example", []);
        assert_eq!(naming.display(&person("Ann", "Lee")).as_deref(), Ok("Lee, Ann (Hill Trust)"));
    }
}
