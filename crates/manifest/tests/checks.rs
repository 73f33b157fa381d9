//! What a check finds: nothing in a manifest as it was written, and everything that was done to it since, by name.

#![allow(clippy::unwrap_used, reason = "a test fails by what goes wrong in it")]

use keyfile::Key;
use manifest::{
    Account, Canonical, Checked, Digest32, Found, Head, Held, Hex, Id, Item, Likeness, Line, MailboxFacts, Outcome,
    PublicKey, SALT_BYTES, Signer, There, Who, Writer, check, check_proof,
};
use model::{Digest, ItemId};
use proptest::prelude::*;

fn signer(byte: u8) -> Signer {
    Signer::new(&Key::of([byte; keyfile::KEY_BYTES]))
}

fn who(signer: &Signer, name: &str) -> Who {
    let account = |endpoint: &str| {
        let (endpoint, kind) = (endpoint.to_owned(), "imap".to_owned());
        Account { endpoint, kind, name: format!("{name}@{name}.example") }
    };
    let who = Who { salt: Hex([0; SALT_BYTES]), source: account("local"), target: account("national"), in_use: false };
    signer.salted_who(who, "RX1 migration")
}

fn item(signer: &Signer, who: &Who, number: u32) -> Item {
    let bytes = format!("message {number} of {}", who.source.name);
    let digest = Digest::of(bytes.as_bytes());
    let held = Held {
        size: Some(bytes.len() as u64),
        sha256: Some(Digest32(digest)),
        canonical1: Some(Canonical::of(digest, if number.is_multiple_of(2) { digest } else { Digest::of(b"other") })),
        flags: None,
    };
    let (fate, how, rule) = match number % 4 {
        1 => (Outcome::Excluded, Some("left"), Some("item-size")),
        2 => (Outcome::Failed, None, Some("nul")),
        _ => (Outcome::Copied, None, None),
    };
    let id = Some(Id(ItemId::from_u32(number + 100)));
    let there = There { folder: vec!["INBOX".to_owned()], validity: 9, id, sha256: None, received: None, flags: None };
    let item = Item {
        salt: Hex([0; SALT_BYTES]),
        fate,
        kind: "message".to_owned(),
        folder: vec!["INBOX".to_owned(), format!("é{}", number / 3)],
        validity: 7,
        id: Id(ItemId::from_u32(number)),
        received: Some(1_000_000_000 + i64::from(number)),
        source: held,
        how: how.map(str::to_owned),
        rule: rule.map(str::to_owned),
        policy: None,
        accepted: number % 8 == 2,
        sent: None,
        target: (fate == Outcome::Copied).then_some(there),
    };
    signer.salted_item(who, item, "\\seen", (fate == Outcome::Copied).then_some("\\seen work"))
}

fn head() -> Head {
    Head {
        version: manifest::VERSION,
        organisation: "RX1".to_owned(),
        name: "Example \"Trust\"".to_owned(),
        project: "migration".to_owned(),
        policy: "plain v1".to_owned(),
        program: "whimbrel".to_owned(),
        only: Vec::new(),
        begun: 1_795_280_700,
        key: Hex([0; 32]),
    }
}

/// A manifest of these collections: of each mailbox how many items. The whole, and the roots.
fn made(signer: &Signer, collections: &[&[u32]]) -> (Vec<u8>, Vec<u8>) {
    let mut writer = Writer::begin(signer, head(), Vec::new(), Some(Vec::new())).unwrap();
    for (place, mailboxes) in collections.iter().enumerate() {
        let mut people: Vec<(Digest, Who, u32)> = Vec::new();
        for (number, items) in mailboxes.iter().enumerate() {
            let who = who(signer, &format!("p{place}-{number}"));
            people.push((manifest::leaf(&Line::Who(who.clone()).written()), who, *items));
        }
        people.sort_by_key(|(hash, ..)| *hash);
        for (_, who, items) in people {
            writer.who(&who).unwrap();
            for number in 0..items {
                writer.item(item(signer, &who, number)).unwrap();
            }
            let facts =
                MailboxFacts { read: Some(1_795_000_000), folders: 2, folders_read: 2, source: u64::from(items) };
            writer.mailbox(facts).unwrap();
        }
        writer.collection((place > 0).then(|| format!("wave-{place}"))).unwrap();
    }
    let (_, full, roots) = writer.finish(1_795_280_760).unwrap();
    (full, roots.unwrap())
}

fn checked(file: &[u8], pinned: Option<PublicKey>) -> Checked {
    check(file, pinned, &mut |_, _| false).unwrap()
}

fn problems(file: &[u8]) -> Vec<String> {
    checked(file, None).problems.first
}

fn is_sound(file: &[u8]) -> bool {
    checked(file, None).problems.count == 0
}

fn lines(file: &[u8]) -> Vec<Vec<u8>> {
    file.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn kind(line: &[u8]) -> String {
    String::from_utf8_lossy(line).split('"').nth(1).unwrap_or_default().to_owned()
}

fn small() -> Vec<u8> {
    made(&signer(1), &[&[3, 0], &[5, 1, 2]]).0
}

#[test]
fn a_manifest_is_sound_and_tells_what_is_in_it() {
    let signer = signer(1);
    let (full, roots) = made(&signer, &[&[3, 0], &[5, 1, 2]]);
    let found = checked(&full, Some(signer.public()));
    assert_eq!(found.problems.first, Vec::<String>::new());
    assert!(found.has_items);
    let project = found.project.unwrap();
    assert_eq!((project.mailboxes, project.collections, found.items, project.counts.items), (5, 2, 11, 11));
    let counts = project.counts;
    assert_eq!((counts.source, counts.copied, counts.excluded, counts.failed), (11, 6, 3, 2));
    assert_eq!(found.rules[&("left".to_owned(), "item-size".to_owned())], 3);
    assert_eq!(found.rules[&("failed".to_owned(), "nul".to_owned())], 2);
    // The roots are the same file without the lines of items and names, under the same signature.
    let public: Vec<u8> =
        lines(&full).into_iter().filter(|line| !["who", "item"].contains(&kind(line).as_str())).flatten().collect();
    assert_eq!(public, roots);
    let found = checked(&roots, Some(signer.public()));
    assert_eq!((found.problems.first, found.has_items, found.items), (Vec::new(), false, 0));
    assert_eq!(found.project.unwrap(), project);
    assert!(!String::from_utf8_lossy(&roots).contains('@'), "nobody is named");
    // Without anybody in it there is nothing to complain of either.
    let nobody: [Vec<&[u32]>; 3] = [vec![], vec![&[]], vec![&[0]]];
    for collections in nobody {
        let (full, roots) = made(&signer, &collections);
        assert!(is_sound(&full) && is_sound(&roots));
    }
}

#[test]
fn the_same_ledger_gives_the_same_file_and_another_key_other_salts() {
    assert_eq!(made(&signer(1), &[&[9]]), made(&signer(1), &[&[9]]));
    let (one, other) = (made(&signer(1), &[&[2]]).0, made(&signer(2), &[&[2]]).0);
    let salts = |file: &[u8]| lines(file).iter().filter(|line| kind(line) == "item").cloned().collect::<Vec<_>>();
    assert!(salts(&one).iter().zip(salts(&other)).all(|(one, other)| *one != other));
    let who = who(&signer(1), "p");
    let [a, b] = [1, 5].map(|number| item(&signer(1), &who, number));
    assert_ne!(a.salt, b.salt);
    assert_ne!(a.source.flags, b.source.flags, "the same flags have another hash in each item");
}

/// Whatever is done to one byte, wherever it is.
#[test]
fn one_byte_altered_left_out_or_added_is_found() {
    let (full, roots) = made(&signer(1), &[&[], &[2, 0]]);
    for file in [full, roots] {
        for at in 0..file.len() {
            let others = [file[at] ^ 0x20, b'0', b'"', b'\n', 0xff];
            for other in [file[at] ^ 1, others[at % others.len()]].into_iter().filter(|other| *other != file[at]) {
                let altered = [&file[..at], &[other], &file[at + 1..]].concat();
                assert!(!is_sound(&altered), "{:?} at {at}", char::from(other));
            }
            assert!(!is_sound(&[&file[..at], &file[at + 1..]].concat()), "without the byte at {at}");
        }
    }
}

#[test]
fn a_line_that_was_altered_is_named_and_no_other() {
    let file = small();
    let all = lines(&file);
    for (place, line) in all.iter().enumerate() {
        let number = place + 1;
        // A digit that means something else and is written as well as before.
        let text = String::from_utf8(line.clone()).unwrap();
        let (from, to, told) = match kind(line).as_str() {
            "manifest" => ("\"begun\":1", "\"begun\":2", "is not the signature of head and roots"),
            "who" => ("\"in_use\":false", "\"in_use\":true", "ends another mailbox than"),
            "item" => ("\"received\":1", "\"received\":2", "its items (line"),
            "mailbox" => ("\"folders\":2", "\"folders\":3", "a line that ends one was altered"),
            "collection" => ("\"collection\":{\"name\":", "\"collection\":{\"name\":", ""),
            "project" => ("\"ended\":1", "\"ended\":2", "is not the signature of head and roots"),
            "signature" => ("\"signature\":\"", "\"signature\":\"", ""),
            other => panic!("{other}"),
        };
        let mut altered = text.replacen(from, to, 1);
        if altered == text {
            let (at, digit) = text.char_indices().rfind(|(_, c)| c.is_ascii_hexdigit()).unwrap();
            altered.replace_range(at..=at, if digit == '0' { "1" } else { "0" });
        }
        let mut lines = all.clone();
        lines[place] = altered.into_bytes();
        let found = problems(&lines.concat());
        assert!(found.iter().any(|what| what.contains(told)), "line {number}: {found:#?}");
        assert!(found.len() <= 2, "line {number}: {found:#?}");
        if kind(line) == "item" {
            let range = found[0].split("lines ").nth(1).and_then(|rest| rest.split_once(" to "));
            let within = match range {
                Some((first, rest)) => {
                    let last: usize = rest.split(')').next().unwrap().parse().unwrap();
                    (first.parse::<usize>().unwrap()..=last).contains(&number)
                }
                None => found[0].contains(&format!("(line {number})")),
            };
            assert!(within && found[0].contains("@p"), "line {number}: {found:#?}");
        }
    }
}

#[test]
fn lines_left_out_doubled_exchanged_or_cut_off_are_found_with_a_sentence() {
    let file = small();
    let all = lines(&file);
    for place in 0..all.len() {
        let without: Vec<u8> = [&all[..place], &all[place + 1..]].concat().concat();
        assert!(!is_sound(&without), "without line {}", place + 1);
        let mut doubled = all.clone();
        doubled.insert(place, all[place].clone());
        let found = problems(&doubled.concat());
        assert!(!found.is_empty(), "line {} twice", place + 1);
        if kind(&all[place]) == "item" {
            let told = format!("line {} is the same item as the one before it: it stands twice", place + 2);
            assert!(found.contains(&told), "{found:#?}");
        }
        for other in place + 1..all.len() {
            let mut exchanged = all.clone();
            exchanged.swap(place, other);
            let found = problems(&exchanged.concat());
            assert!(!found.is_empty(), "lines {} and {} exchanged", place + 1, other + 1);
            if kind(&all[place]) == "item" && other == place + 1 && kind(&all[other]) == "item" {
                let told = "stands after an item that comes after it: lines changed places";
                assert!(found.iter().any(|what| what.contains(told)), "{found:#?}");
            }
        }
    }
    for end in 0..file.len() {
        let found = problems(&file[..end]);
        assert!(!found.is_empty(), "cut off after {end} bytes");
        assert!(end == 0 || found.iter().any(|what| what.contains("cut off")), "{end}: {found:#?}");
    }
    let found = problems(&[&file[..], b"{}\n"].concat());
    assert!(found[0].contains("stands after the signature"), "{found:#?}");
}

#[test]
fn mailboxes_that_changed_places_are_found() {
    let file = small();
    let all = lines(&file);
    let ends: Vec<usize> = (0..all.len()).filter(|place| kind(&all[*place]) == "mailbox").collect();
    // Two whole mailboxes of one collection.
    let (first, second) = (&all[ends[1] + 2..=ends[2]], &all[ends[2] + 1..=ends[3]]);
    let exchanged = [&all[..ends[1] + 2], second, first, &all[ends[3] + 1..]].concat().concat();
    let found = problems(&exchanged);
    assert!(found.iter().any(|what| what.contains("stands after a mailbox that comes after it")), "{found:#?}");
    // Only their names.
    let names: Vec<usize> = (0..all.len()).filter(|place| kind(&all[*place]) == "who").collect();
    let mut exchanged = all.clone();
    exchanged.swap(names[2], names[3]);
    let found = problems(&exchanged.concat());
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("ends another mailbox than line"), "{found:#?}");
    // Their items.
    let items = |place: usize| {
        all[names[place] + 1..].iter().take_while(|line| kind(line) == "item").cloned().collect::<Vec<_>>()
    };
    let (one, other) = (items(2), items(3));
    assert_ne!(one.len(), other.len());
    let between = &all[names[2] + 1 + one.len()..=names[3]];
    let after = &all[names[3] + 1 + other.len()..];
    let exchanged = [&all[..=names[2]], &other, between, &one, after].concat().concat();
    let found = problems(&exchanged);
    assert_eq!(found.iter().filter(|what| what.contains("its items (line")).count(), 4, "{found:#?}");
}

#[test]
fn a_key_that_is_not_the_one_asked_for_is_told() {
    let (one, other) = (signer(1), signer(2));
    let file = made(&one, &[&[3]]).0;
    let found = checked(&file, Some(other.public()));
    let told = format!("is by the key {}, not by {}", one.public(), other.public());
    assert!(found.problems.first[0].contains(&told), "{:?}", found.problems);
    // Somebody puts their own key into the head: the signature is not by it.
    let text = String::from_utf8(file).unwrap().replace(&one.public().to_string(), &other.public().to_string());
    assert!(problems(text.as_bytes())[0].contains("is not the signature of head and roots"));
    // Somebody signs all of it anew: sound in itself, and not by the key that was asked for.
    let forged = made(&other, &[&[3]]).0;
    assert!(is_sound(&forged) && checked(&forged, Some(one.public())).problems.count == 1);
}

#[test]
fn sums_that_do_not_hold_are_told() {
    let signer = signer(1);
    let mut writer = Writer::begin(&signer, head(), Vec::new(), None).unwrap();
    let who = who(&signer, "p");
    writer.who(&who).unwrap();
    writer.item(item(&signer, &who, 0)).unwrap();
    writer.mailbox(MailboxFacts { source: 2, ..MailboxFacts::default() }).unwrap();
    writer.collection(None).unwrap();
    let found = checked(&writer.finish(0).unwrap().1, None);
    // It was signed so: nothing was altered.
    assert_eq!(found.problems.count, 0, "{found:?}");
    assert_eq!(found.sums.first, ["line 4 says that the source has 2 items of \"p@p.example\", and 1 have a fate"]);
}

fn find(file: &[u8], wanted: u32, name: &str) -> Vec<Found> {
    let mut chosen = |who: &Who, item: &Item| who.source.name.starts_with(name) && item.id.0.as_u32() == Some(wanted);
    check(file, None, &mut chosen).unwrap().found
}

#[test]
fn each_item_is_proved_without_the_rest() {
    let signer = signer(1);
    for items in [1, 2, 3, 7, 20] {
        let (file, roots) = made(&signer, &[&[2], &[items, 1, 4], &[1]]);
        for number in 0..items {
            let found = find(&file, number, "p1-0@");
            let proof = found[0].proof().unwrap();
            let proved = check_proof(&proof[..], Some(signer.public())).unwrap();
            assert_eq!(proved.problems.first, Vec::<String>::new(), "{number} of {items}");
            let whole = checked(&roots, None);
            assert_eq!((proved.head, proved.project), (whole.head, whole.project));
            let proved = proved.item.unwrap();
            assert_eq!(proved, found[0].item);
            let bytes = format!("message {number} of {}", found[0].who.source.name);
            assert_eq!(manifest::Bytes::read(bytes.as_bytes()).unwrap().are(&proved.source), Likeness::Exact);
            // Of the others it has nothing but hashes.
            assert_eq!(String::from_utf8_lossy(&proof).matches("\"salt\"").count(), 2);
        }
    }
    assert_eq!(find(&small(), 99, "p").len(), 0);
    // Several that fit are listed, and the first has its path.
    let several = find(&small(), 0, "p1");
    assert_eq!(several.len(), 3);
    assert!(several[0].proof().is_some() && several[1].proof().is_none());
}

#[test]
fn a_proof_altered_anywhere_proves_nothing() {
    let signer = signer(1);
    let file = made(&signer, &[&[1], &[5, 1, 2]]).0;
    let proof = find(&file, 4, "p1").remove(0).proof().unwrap();
    let is_sound = |proof: &[u8]| check_proof(proof, None).unwrap().problems.count == 0;
    assert!(is_sound(&proof));
    for at in 0..proof.len() {
        for other in [proof[at] ^ 1, b'0', b'\n', 0xff] {
            if other != proof[at] {
                let altered = [&proof[..at], &[other], &proof[at + 1..]].concat();
                assert!(!is_sound(&altered), "{:?} at {at}", char::from(other));
            }
        }
        assert!(!is_sound(&proof[..at]), "cut off after {at} bytes");
    }
    let all = lines(&proof);
    for place in 0..all.len() {
        assert!(!is_sound(&[&all[..place], &all[place + 1..]].concat().concat()));
        for other in place + 1..all.len() {
            let mut exchanged = all.clone();
            exchanged.swap(place, other);
            assert!(!is_sound(&exchanged.concat()));
        }
    }
    // A line of another item, of the same mailbox or another.
    for line in lines(&file).into_iter().filter(|line| kind(line) == "item" && *line != all[3]) {
        let mut other = all.clone();
        other[3] = line;
        let found = check_proof(&other.concat()[..], None).unwrap().problems.first;
        assert!(found[0].starts_with("line 4, the item, is not in the mailbox of line 5"), "{found:?}");
    }
    assert!(!is_sound(&[&proof[..], b"more\n"].concat()));
}

#[test]
fn a_file_by_an_enemy_is_refused_in_little_memory() {
    let endless = |line: &'static [u8]| std::io::Read::take(Repeat(line, 0), 64 << 20);
    for (line, told) in [
        (&b"x"[..], "is longer than any line"),
        (b"{\"item\":{}}\n", "is not the head of a manifest"),
        (b"\n", "is not the head of a manifest"),
        (b"[[[[[[[[", "is longer than any line"),
    ] {
        let found = check(endless(line), None, &mut |_, _| false).unwrap();
        assert!(found.problems.first[0].contains(told), "{:?}", found.problems.first);
        assert!(found.problems.first.len() <= 100 && found.problems.first.iter().all(|what| what.len() < 1_000));
    }
    let deep = format!("{{\"manifest\":{}", "[".repeat(500_000));
    assert!(!is_sound(deep.as_bytes()));
    let newer = b"{\"manifest\":{\"version\":2,\"more\":true}}\n{}\n";
    assert!(problems(newer)[0].contains("a manifest of version 2; this program knows version 1"));
    let found = problems(b"PK\x03\x04 something else\n");
    assert!(found.len() == 1 && found[0].contains("is not the head of a manifest; nothing more was read"), "{found:?}");
}

/// The same bytes for ever.
struct Repeat(&'static [u8], usize);

impl std::io::Read for Repeat {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        for byte in into.iter_mut() {
            *byte = self.0[self.1 % self.0.len()];
            self.1 += 1;
        }
        Ok(into.len())
    }
}

proptest! {
    #[test]
    fn lines_thrown_together_make_no_check_panic(places in proptest::collection::vec(0..40_usize, 0..40), cut in 0..4_000_usize) {
        let all = lines(&small());
        let file: Vec<u8> = places.iter().filter_map(|place| all.get(*place)).flatten().copied().collect();
        let file = &file[..file.len().min(cut * 10)];
        let found = checked(file, None);
        prop_assert_eq!(found.problems.count == 0, file == small());
        let _ = check_proof(file, None).unwrap();
    }

    #[test]
    fn any_bytes_make_no_check_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0..4_000_usize) {
        prop_assert!(!is_sound(&bytes));
        let mut file = small();
        let at = at.min(file.len());
        file.splice(at..at, bytes.iter().copied());
        prop_assert_eq!(is_sound(&file), bytes.is_empty());
        let _ = check_proof(&bytes[..], None).unwrap();
    }
}

#[test]
fn names_longer_than_any_are_neither_written_nor_read() {
    let signer = signer(1);
    let mut long = head();
    long.project = "p".repeat(manifest::NAME_BYTES_MAX);
    assert!(Writer::begin(&signer, long.clone(), Vec::new(), None).is_ok());
    assert!(Line::read(&Line::Manifest(long.clone()).written()).is_some());
    long.project.push('p');
    assert!(Writer::begin(&signer, long.clone(), Vec::new(), None).is_err());
    assert!(Line::read(&Line::Manifest(long).written()).is_none());
    let who = who(&signer, "p");
    let long = Item { rule: Some("r".repeat(manifest::NAME_BYTES_MAX + 1)), ..item(&signer, &who, 2) };
    assert!(Line::read(&Line::Item(long).written()).is_none());
    // In a sentence only the beginning of a name is shown.
    let named = self::who(&signer, &"n".repeat(300));
    let mut writer = Writer::begin(&signer, head(), Vec::new(), None).unwrap();
    writer.who(&named).unwrap();
    writer.mailbox(MailboxFacts { source: 1, ..MailboxFacts::default() }).unwrap();
    writer.collection(None).unwrap();
    let found = checked(&writer.finish(0).unwrap().1, None);
    assert!(found.sums.first[0].len() < 250, "{:?}", found.sums);
    assert_eq!(found.not_read, 1);
}
