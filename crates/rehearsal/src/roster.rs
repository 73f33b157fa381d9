//! A roster of an invented organisation and the accounts of an invented platform; and the truth about who is who, in a file.
//!
//! The truth stands apart from both: who matches must find it from what the two sides say, and whoever judges reads the file
//! afterwards.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use model::{AccountState, Address, Entry, EntryKind, Reference};

use crate::Chance;

/// What a roster holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mix {
    /// People, shared mailboxes and contacts of the organisation, in all its directories.
    pub people: usize,
    /// Of these, so many have an account that something certain says to be theirs.
    pub existing: usize,
    /// So many share their name with somebody else: another of the organisation, or an account of somebody else.
    pub namesakes: usize,
    /// So many have their account under another organisation's code.
    pub elsewhere: usize,
    /// So many would get an address that somebody else has.
    pub clashes: usize,
    /// So many have two accounts.
    pub twice: usize,
    /// So many accounts are as certainly one person's as another's.
    pub claimed: usize,
    /// So many look like somebody, or like nobody, and are not: a former holder's address, a number given again, a copied mark,
    /// an account without a code or first name, initials, short forms, another alphabet, a marriage, a surname by accident.
    pub traps: usize,
    /// So many in a second directory, which gives keys and numbers without regard to the first.
    pub annex: usize,
    /// So many stand in both directories.
    pub doubles: usize,
    /// Contacts: of somebody with an account, of somebody outside, of one who is a contact on the platform, too.
    pub contacts: usize,
    /// Shared mailboxes, with and without accounts, and such whose address is another team's or a person's by now.
    pub shared: usize,
    /// So many are disabled; their address may have been given to the next.
    pub stale: usize,
}

/// The truth about somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    /// This account is theirs, and something certain says so.
    Certain(String),
    /// No rule may decide; this account is theirs, if any is.
    Doubtful(Option<String>),
    /// Somebody else has what only one should have, or is the same: their directories have to be corrected.
    Twice,
    /// It stands for somebody who has an account by themselves.
    Stands,
    /// They have no account.
    None,
}

impl Truth {
    fn line(&self) -> String {
        match self {
            Self::Certain(account) => format!("certain {account}"),
            Self::Doubtful(Some(account)) => format!("doubtful {account}"),
            Self::Doubtful(None) => "doubtful".to_owned(),
            Self::Twice => "twice".to_owned(),
            Self::Stands => "stands".to_owned(),
            Self::None => "none".to_owned(),
        }
    }

    fn of_line(line: &str) -> Option<Self> {
        let (word, account) = match line.split_once(' ') {
            Some((word, account)) => (word, Some(account.to_owned())),
            None => (line, None),
        };
        Some(match (word, account) {
            ("certain", Some(account)) => Self::Certain(account),
            ("doubtful", account) => Self::Doubtful(account),
            ("twice", None) => Self::Twice,
            ("stands", None) => Self::Stands,
            ("none", None) => Self::None,
            _ => return None,
        })
    }
}

/// Reads what [`roster`] wrote: the truth about everybody, by directory and key.
pub fn read_truth(path: &Path) -> io::Result<BTreeMap<(String, String), Truth>> {
    let line = |line: &str| {
        let mut parts = line.split('\t');
        let (directory, key, truth) = (parts.next()?, parts.next()?, parts.next()?);
        Some(((directory.to_owned(), key.to_owned()), Truth::of_line(truth)?))
    };
    let all = fs::read_to_string(path)?.lines().map(line).collect::<Option<_>>();
    all.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a line of the truth is broken"))
}

/// A roster, and the accounts of the platform.
#[derive(Clone, Debug)]
pub struct Roster {
    /// Everybody as their directory has them, with its name.
    pub objects: Vec<(&'static str, Entry)>,
    /// Accounts as the platform has them.
    pub accounts: Vec<Entry>,
}

/// The organisation's directory.
pub const MAIN: &str = "ad";
/// Its second one.
pub const ANNEX: &str = "annex";

/// The code of the organisation.
pub const CODE: &str = "RX1";
/// The code of another one.
const OTHER_CODE: &str = "RY2";

const GIVEN: [&str; 30] = [
    "Ann",
    "Siobhán",
    "Zoë",
    "Mary Jane",
    "José",
    "Наталья",
    "Łukasz",
    "Ayşe",
    "Mohammed",
    "Priya",
    "Robert",
    "Elizabeth",
    "Jean-Luc",
    "Dafydd",
    "Niamh",
    "Chidi",
    "Yuki",
    "伟",
    "Olga",
    "Søren",
    "Grace",
    "Tomasz",
    "Fatima",
    "Eleanor",
    "Rhys",
    "Ngozi",
    "Kwame",
    "Aoife",
    "Björn",
    "Inês",
];
const SURNAMES: [&str; 34] = [
    "Lee",
    "O'Neill",
    "Smith-Jones",
    "van der Berg",
    "Петрова",
    "Núñez",
    "Weiß",
    "Øvergård",
    "Patel",
    "Khan",
    "Müller",
    "D’Angelo",
    "Featherstonehaugh-Smythe",
    "王",
    "Okafor",
    "ap Rhys",
    "MacDonald",
    "Šimková",
    "Hughes",
    "Adeyemi",
    "Brown",
    "Taylor",
    "Evans",
    "Kowalski",
    "Nguyen",
    "Begum",
    "St. John",
    "de la Cruz",
    "Öztürk",
    "Ferreira",
    "Walsh",
    "Ito",
    "Cohen",
    "Baptiste",
];
const TITLES: [Option<&str>; 6] = [None, Some("Dr"), Some("Ms"), Some("Mr"), Some("Sister"), None];

/// A roster from a seed: the same seed, the same roster. The truth about it is written to this file and nowhere else.
pub fn roster(seed: u64, mix: Mix, truth: &Path) -> io::Result<Roster> {
    let mut making = Making { chance: Chance::new(seed), objects: Vec::new(), accounts: Vec::new(), truth: Vec::new() };
    making.existing(mix.existing);
    making.elsewhere(mix.elsewhere);
    making.twice(mix.twice);
    making.claimed(mix.claimed);
    making.traps(mix.traps);
    making.namesakes(mix.namesakes);
    making.clashes(mix.clashes);
    making.annex(mix.annex);
    making.doubles(mix.doubles);
    making.contacts(mix.contacts);
    making.shared(mix.shared);
    making.stale(mix.stale);
    while making.objects.len() < mix.people {
        let person = making.person();
        making.add(person, Truth::None);
    }
    let Making { objects, accounts, truth: known, .. } = making;
    let text = objects.iter().zip(known).fold(String::new(), |mut text, ((directory, entry), truth)| {
        let _ = writeln!(text, "{directory}\t{}\t{}", entry.key, truth.line());
        text
    });
    fs::write(truth, text)?;
    Ok(Roster { objects, accounts })
}

struct Making {
    chance: Chance,
    objects: Vec<(&'static str, Entry)>,
    accounts: Vec<Entry>,
    /// In the order of the objects.
    truth: Vec<Truth>,
}

impl Making {
    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.chance.below(of.len() as u64) as usize]
    }

    /// A person of whose surname nobody else has a word, as people have names that no list holds.
    fn person(&mut self) -> Entry {
        let number = self.objects.len();
        let given = self.pick(&GIVEN);
        let surname = own(self.pick(&SURNAMES), number);
        self.named(given, &surname)
    }

    fn named(&mut self, given: &str, surname: &str) -> Entry {
        let number = self.objects.len();
        let mut entry = Entry::new(format!("k{number:05}"), EntryKind::Person);
        entry.names.title = self.pick(&TITLES).map(str::to_owned);
        entry.names.given = Some(given.to_owned());
        entry.names.surname = Some(surname.to_owned());
        entry.names.display = Some(format!("{given} {surname}"));
        entry.mail = Some(format!("person.{number}@trust.example"));
        entry.addresses.push(Address::smtp(format!("p{number}@old.trust.example")));
        entry.legacy_dn = Some(format!("/o=Trust/ou=Exchange Administrative Group/cn=Recipients/cn=p{number}"));
        entry.local_id = Some(format!("{:06}", 100_000 + number));
        entry.account = Some(format!("user{number}"));
        entry.has_mailbox = true;
        entry
    }

    fn add(&mut self, entry: Entry, truth: Truth) {
        self.truth.push(truth);
        self.objects.push((MAIN, entry));
    }

    /// Adds to the second directory, under a key that the first may have given, too.
    fn add_to_annex(&mut self, mut entry: Entry, truth: Truth) {
        let number = self.objects.iter().filter(|(directory, _)| *directory == ANNEX).count();
        entry.key = format!("k{number:05}");
        self.truth.push(truth);
        self.objects.push((ANNEX, entry));
    }

    /// An account of the platform with this name, and nothing else in common with anybody.
    fn account(&mut self, given: &str, surname: &str, organisation: &str) -> Entry {
        let number = self.accounts.len();
        let mut entry = Entry::new(format!("a{number:05}"), EntryKind::Person);
        entry.names.given = Some(given.to_owned());
        entry.names.surname = Some(surname.to_owned());
        entry.mail = Some(format!("account.{number}@national.example"));
        entry.organisation = Some(organisation.to_owned());
        entry
    }

    fn account_of(&mut self, person: &Entry, organisation: &str) -> Entry {
        let names = person.names.clone();
        self.account(&names.given.unwrap_or_default(), &names.surname.unwrap_or_default(), organisation)
    }

    /// Puts something certain of this person onto an account: one to three of the marks there are.
    fn mark(&mut self, account: &mut Entry, person: &Entry) {
        let marks = 1 + self.chance.below(7);
        if marks & 1 != 0 {
            account.addresses.push(Address::x500(person.legacy_dn.clone().unwrap_or_default().to_uppercase()));
        }
        if marks & 2 != 0 {
            let of =
                if self.chance.in_thousand(500) { person.mail.clone() } else { person.mail_keys().last().cloned() };
            account.addresses.push(Address::smtp(of.unwrap_or_default()));
        }
        if marks & 4 != 0 {
            account.local_id.clone_from(&person.local_id);
        }
    }

    fn existing(&mut self, count: usize) {
        for _ in 0..count {
            let person = self.person();
            let mut account = self.account_of(&person, CODE);
            self.mark(&mut account, &person);
            // Some have married since and are known by their first name there.
            let is_by_mail_only = account.local_id.is_none() && account.x500_keys().is_empty();
            if !is_by_mail_only && self.chance.in_thousand(100) {
                account.names.surname = Some("Married".to_owned());
            }
            let key = account.key.clone();
            self.accounts.push(account);
            self.add(person, Truth::Certain(key));
        }
    }

    fn elsewhere(&mut self, count: usize) {
        for _ in 0..count {
            let person = self.person();
            let mut account = self.account_of(&person, OTHER_CODE);
            account.addresses.push(Address::smtp(person.mail.clone().unwrap_or_default()));
            let key = account.key.clone();
            self.accounts.push(account);
            self.add(person, Truth::Doubtful(Some(key)));
        }
    }

    fn twice(&mut self, count: usize) {
        for _ in 0..count {
            let person = self.person();
            let mut first = self.account_of(&person, CODE);
            first.local_id.clone_from(&person.local_id);
            let key = first.key.clone();
            self.accounts.push(first);
            let mut second = self.account_of(&person, CODE);
            second.addresses.push(Address::x500(person.legacy_dn.clone().unwrap_or_default()));
            self.accounts.push(second);
            self.add(person, Truth::Doubtful(Some(key)));
        }
    }

    fn claimed(&mut self, count: usize) {
        for _ in 0..count {
            let (first, given) = (self.person(), self.pick(&GIVEN));
            let mut account = self.account_of(&first, CODE);
            account.addresses.push(Address::x500(first.legacy_dn.clone().unwrap_or_default()));
            let key = account.key.clone();
            let surname = first.names.surname.clone().unwrap_or_default();
            self.add(first, Truth::Doubtful(Some(key)));
            // The next who has the address: of the same family.
            let second = self.named(given, &surname);
            account.addresses.push(Address::smtp(second.mail.clone().unwrap_or_default()));
            self.accounts.push(account);
            self.add(second, Truth::Doubtful(None));
        }
    }

    fn traps(&mut self, count: usize) {
        for number in 0..count {
            let surname = format!("Trap{}", letters(number));
            let (own, theirs) = match number % 10 {
                0 | 1 | 9 => ("Ann", "Zeb"),
                2 => ("Ann", "Olu"),
                5 => ("Ann", "A"),
                6 => ("Robert", "Bob"),
                7 => ("Наталья", "Natalya"),
                _ => ("Ann", "Ann"),
            };
            let person = self.named(own, &surname);
            let mut account = self.account(theirs, &surname, CODE);
            let key = account.key.clone();
            let mut truth = Truth::Doubtful(Some(key));
            match number % 10 {
                // Who had the address before is on no roster, nor is who had the number.
                0 => account.addresses.push(Address::smtp(person.mail.clone().unwrap_or_default())),
                1 => account.local_id.clone_from(&person.local_id),
                2 => account.origin = Some(format!("whimbrel:{CODE}:main:ad:{}", person.key)),
                3 => (account.organisation, account.local_id) = (None, person.local_id.clone()),
                4 => {
                    account.names.given = None;
                    account.addresses.push(Address::smtp(person.mail.clone().unwrap_or_default()));
                }
                8 => {
                    account.names.surname = Some(format!("Wed{}", letters(number)));
                    account.addresses.push(Address::smtp(person.mail.clone().unwrap_or_default()));
                }
                // Only the surname is the same.
                9 => truth = Truth::None,
                _ => {}
            }
            if number % 10 < 3 {
                truth = Truth::Doubtful(None);
            }
            self.accounts.push(account);
            self.add(person, truth);
        }
    }

    fn namesakes(&mut self, count: usize) {
        for number in 0..count {
            let person = self.person();
            let names = person.names.clone();
            let (given, surname) = (names.given.unwrap_or_default(), names.surname.unwrap_or_default());
            match number % 3 {
                // Somebody else of the organisation.
                0 => {
                    self.add(person, Truth::None);
                    let other = self.named(&given, &surname);
                    self.add(other, Truth::None);
                }
                // An account of somebody else, whom the organisation tells apart.
                1 => {
                    let mut account = self.account(&given, &surname, CODE);
                    account.local_id = Some(format!("9{number:05}"));
                    self.accounts.push(account);
                    self.add(person, Truth::None);
                }
                // An account that says nothing but the name.
                _ => {
                    let organisation = if number % 2 == 0 { CODE } else { OTHER_CODE };
                    let account = self.account(&given, &surname, organisation);
                    self.accounts.push(account);
                    self.add(person, Truth::Doubtful(None));
                }
            }
        }
    }

    /// Somebody else has the address that the person would get, under a name that is written otherwise.
    fn clashes(&mut self, count: usize) {
        for number in 0..count {
            let surname = format!("Clash{}", letters(number));
            let person = self.named("Ann", &surname);
            let mut account = self.account("Anonymous", &format!("Other{}", letters(number)), CODE);
            account.mail = Some(format!("ann.{}@national.example", surname.to_lowercase()));
            account.local_id = Some(format!("8{number:05}"));
            self.accounts.push(account);
            self.add(person, Truth::None);
        }
    }

    fn annex(&mut self, count: usize) {
        for number in 0..count {
            let person = self.person();
            match number % 3 {
                0 => {
                    let mut account = self.account_of(&person, CODE);
                    self.mark(&mut account, &person);
                    let key = account.key.clone();
                    self.accounts.push(account);
                    self.add_to_annex(person, Truth::Certain(key));
                }
                1 => self.add_to_annex(person, Truth::None),
                // Both directories count from one: one of them writes zeros in front.
                _ => {
                    let local_id = person.local_id.clone().unwrap_or_default();
                    self.add(person, Truth::Twice);
                    let mut other = self.person();
                    other.local_id = Some(format!("00{local_id}"));
                    self.add_to_annex(other, Truth::Twice);
                }
            }
        }
    }

    fn doubles(&mut self, count: usize) {
        for number in 0..count {
            let person = self.person();
            let names = person.names.clone();
            let mut own = Truth::Twice;
            if number % 2 == 0 {
                let mut account = self.account_of(&person, CODE);
                account.addresses.push(Address::x500(person.legacy_dn.clone().unwrap_or_default()));
                let key = account.key.clone();
                self.accounts.push(account);
                own = Truth::Certain(key);
            }
            self.add(person, own);
            let again = self.named(&names.given.unwrap_or_default(), &names.surname.unwrap_or_default());
            self.add_to_annex(again, Truth::Twice);
        }
    }

    fn contacts(&mut self, count: usize) {
        for number in 0..count {
            let at = self.objects.len();
            let mut contact = Entry::new(format!("k{at:05}"), EntryKind::Contact);
            contact.names.display = Some(format!("Contact {}", letters(at)));
            contact.mail = Some(format!("contact.{at}@elsewhere.example"));
            match number % 3 {
                // Somebody of another organisation, who has an account.
                0 => {
                    let surname = format!("Outside{}", letters(at));
                    let account = self.account("Ann", &surname, OTHER_CODE);
                    contact.mail.clone_from(&account.mail);
                    self.accounts.push(account);
                    self.add(contact, Truth::Stands);
                }
                1 => self.add(contact, Truth::None),
                _ => {
                    let mut there = self.account("", "", CODE);
                    (there.names, there.kind) = (contact.names.clone(), EntryKind::Contact);
                    there.mail.clone_from(&contact.mail);
                    let key = there.key.clone();
                    self.accounts.push(there);
                    self.add(contact, Truth::Certain(key));
                }
            }
        }
    }

    fn shared(&mut self, count: usize) {
        if self.objects.is_empty() {
            let person = self.person();
            self.add(person, Truth::None);
        }
        for number in 0..count {
            let at = self.objects.len();
            let mut team = Entry::new(format!("k{at:05}"), EntryKind::Shared);
            team.names.display = Some(format!("Team {}", letters(at)));
            team.mail = Some(format!("team.{at}@trust.example"));
            team.legacy_dn = Some(format!("/o=Trust/ou=Exchange Administrative Group/cn=Recipients/cn=team{at}"));
            // Whoever came first answers for it.
            team.owners =
                self.objects.first().map(|(_, owner)| Reference::Key(owner.key.clone())).into_iter().collect();
            team.has_mailbox = true;
            // The account behind a mailbox of many is disabled as a rule.
            team.state = AccountState::Disabled;
            let mut account = self.account("", "", CODE);
            (account.names, account.kind) = (team.names.clone(), EntryKind::Shared);
            account.addresses.push(Address::smtp(team.mail.clone().unwrap_or_default()));
            let mut truth = Truth::Certain(account.key.clone());
            match number % 5 {
                0 => account.addresses = vec![Address::x500(team.legacy_dn.clone().unwrap_or_default())],
                1 => {}
                // Another team has the address now.
                2 => {
                    account.names.display = Some(format!("Other {}", letters(at)));
                    truth = Truth::Doubtful(None);
                }
                // A person has.
                3 => {
                    account.kind = EntryKind::Person;
                    (account.names.given, account.names.surname) = (Some("Team".to_owned()), Some(letters(at)));
                    truth = Truth::Doubtful(None);
                }
                _ => {
                    self.add(team, Truth::None);
                    continue;
                }
            }
            self.accounts.push(account);
            self.add(team, truth);
        }
    }

    fn stale(&mut self, count: usize) {
        for number in 0..count {
            let surname = format!("Stale{}", letters(number));
            let mut person = self.named("Ann", &surname);
            person.state = AccountState::Disabled;
            let mut account = self.account("Anna", &surname, CODE);
            account.addresses.push(Address::smtp(person.mail.clone().unwrap_or_default()));
            match number % 3 {
                // The next of the name has the address, and stands in no directory.
                0 => {
                    self.accounts.push(account);
                    self.add(person, Truth::Doubtful(None));
                }
                // It is still theirs.
                1 => {
                    account.addresses.push(Address::x500(person.legacy_dn.clone().unwrap_or_default()));
                    let key = account.key.clone();
                    self.accounts.push(account);
                    self.add(person, Truth::Certain(key));
                }
                // The next of the name stands beside them.
                _ => {
                    let mail = person.mail.clone().unwrap_or_default();
                    self.add(person, Truth::Twice);
                    let mut next = self.named("Anna", &surname);
                    next.addresses.push(Address::smtp(mail));
                    account.addresses.push(Address::x500(next.legacy_dn.clone().unwrap_or_default()));
                    let key = account.key.clone();
                    self.accounts.push(account);
                    self.add(next, Truth::Certain(key));
                }
            }
        }
    }
}

/// A surname with letters of the number put to each of its words.
fn own(surname: &str, number: usize) -> String {
    surname.replace('-', &format!("{}-", letters(number))).replace(' ', &format!("{} ", letters(number)))
        + &letters(number)
}

fn letters(mut number: usize) -> String {
    let mut letters = String::new();
    loop {
        letters.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
        if number == 0 {
            return letters;
        }
    }
}
