//! An organisation: people with folders full of mail.

use model::{Flags, FolderPath, SpecialUse};

use crate::{Chance, Trait, message};

/// A person.
#[derive(Clone, Debug)]
pub struct Person {
    /// The name of the account.
    pub account: String,
    /// What people call them.
    pub name: String,
    /// The department they work in.
    pub department: &'static str,
    /// Their folders.
    pub folders: Vec<Folder>,
}

/// A folder.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Where it is.
    pub path: FolderPath,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// Is it followed?
    pub subscribed: bool,
    /// What lies in it.
    pub items: Vec<Item>,
}

/// A message with what a store keeps beside it.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its flags.
    pub flags: Flags,
    /// When it was received (seconds since 1970).
    pub received: i64,
}

const FIRST: [&str; 16] = [
    "Amina",
    "Björn",
    "Chiara",
    "Dafydd",
    "Eun-ji",
    "Fatima",
    "Grace",
    "Hamish",
    "Íñigo",
    "Jadwiga",
    "Kwame",
    "Łucja",
    "Mehmet",
    "Niamh",
    "Oluwaseun",
    "Priya",
];
const LAST: [&str; 16] = [
    "O'Brien",
    "Nowak",
    "Smith-Jones",
    "Øster",
    "Papadopoulos",
    "Quayle",
    "Rossi",
    "Šimek",
    "Taylor",
    "Ünal",
    "van Dijk",
    "Williams",
    "Xu",
    "Yıldız",
    "Żak",
    "Adeyemi",
];
const DEPARTMENTS: [&str; 5] = ["Theatres", "Pharmacy", "Radiology", "Estates", "Outpatients"];
const FOLDERS: [&[&str]; 14] = [
    &["Rota"],
    &["Rota", "2024"],
    &["Rota", "2025"],
    &["Projects"],
    &["Projects", "New wing"],
    &["Projects", "New wing", "Drawings"],
    &["Größe & Maß"],
    &["日本語"],
    &["\u{1f3e5} Ward"],
    &["שלום"],
    &["\"Quoted\" 50%"],
    &["a b  c"],
    &["Empty folder"],
    &["Newsletters"],
];
const KEYWORDS: [&str; 4] = ["$Forwarded", "$Label1", "Work", "NonJunk"];

/// An organisation of so many people with about so many messages each, from a seed. Every trait that all stores can hold
/// is in it.
pub fn organisation(seed: u64, people: usize, messages: usize) -> Vec<Person> {
    (0..people).map(|number| person(seed, number, messages)).collect()
}

fn person(seed: u64, number: usize, messages: usize) -> Person {
    let chance = &mut Chance::new(seed.wrapping_mul(1_000_003).wrapping_add(number as u64));
    let (first, last) = (FIRST[number % FIRST.len()], LAST[(number / FIRST.len() + number) % LAST.len()]);
    let plain = |c: char| c.is_ascii_alphanumeric();
    let account: String = first.chars().chain(last.chars()).filter(|c| plain(*c)).collect();
    let mut folders = vec![
        Folder { path: FolderPath::inbox(), special_use: None, subscribed: true, items: Vec::new() },
        special("Sent", SpecialUse::Sent),
        special("Drafts", SpecialUse::Drafts),
        special("Trash", SpecialUse::Trash),
        special("Junk", SpecialUse::Junk),
    ];
    for names in FOLDERS {
        let path = FolderPath::new(names.iter().copied());
        folders.push(Folder { path, special_use: None, subscribed: chance.in_thousand(700), items: Vec::new() });
    }
    for n in 0..messages {
        let index = if chance.in_thousand(550) { 0 } else { chance.below(folders.len() as u64) as usize };
        let folder = &mut folders[index];
        if folder.path.name() == "Empty folder" {
            continue;
        }
        let item = if n > 0 && chance.in_thousand(15) && !folder.items.is_empty() {
            // Somebody sent it twice.
            folder.items[chance.below(folder.items.len() as u64) as usize].clone()
        } else {
            item(chance, n)
        };
        folder.items.push(item);
    }
    let name = format!("{first} {last}");
    let account = format!("{}{}", account.to_ascii_lowercase(), number + 1);
    Person { account, name, department: DEPARTMENTS[number % DEPARTMENTS.len()], folders }
}

fn special(name: &str, special_use: SpecialUse) -> Folder {
    Folder { path: FolderPath::new([name]), special_use: Some(special_use), subscribed: true, items: Vec::new() }
}

fn item(chance: &mut Chance, number: usize) -> Item {
    // One of each trait first, then mostly plain ones.
    let fit: Vec<Trait> = Trait::EVERY.into_iter().filter(|kind| !kind.is_unfit()).collect();
    let kind = match number {
        n if n < fit.len() => fit[n],
        _ if chance.in_thousand(250) => Trait::Attachment,
        _ if chance.in_thousand(15) => Trait::NoMessageId,
        _ if chance.in_thousand(50) => *chance.pick(&fit),
        _ => Trait::Plain,
    };
    let size = chance.size(2_500, 120_000) as usize;
    let bytes = message(chance, kind, size);
    let mut flags = Flags::NONE;
    for (flag, times) in [("\\Seen", 700), ("\\Answered", 150), ("\\Flagged", 60), ("\\Draft", 10), ("\\Deleted", 10)] {
        if chance.in_thousand(times) {
            flags.insert(flag);
        }
    }
    if chance.in_thousand(200) {
        let keyword: &str = KEYWORDS[chance.below(KEYWORDS.len() as u64) as usize];
        flags.insert(keyword);
    }
    Item { bytes, flags, received: 900_000_000 + chance.below(850_000_000) as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_organisation() {
        let digest = |people: &[Person]| {
            let all: Vec<u8> =
                people.iter().flat_map(|p| &p.folders).flat_map(|f| &f.items).flat_map(|i| i.bytes.clone()).collect();
            model::Digest::of(&all)
        };
        let one = organisation(1, 3, 100);
        assert_eq!(digest(&one), digest(&organisation(1, 3, 100)));
        assert_ne!(digest(&one), digest(&organisation(2, 3, 100)));
    }

    #[test]
    fn accounts_are_different_and_plain() {
        let people = organisation(1, 40, 0);
        let accounts: std::collections::BTreeSet<&str> = people.iter().map(|person| person.account.as_str()).collect();
        assert_eq!(accounts.len(), 40);
        assert!(accounts.iter().all(|account| account.bytes().all(|b| b.is_ascii_alphanumeric())));
    }
}
