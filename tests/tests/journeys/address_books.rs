//! Both address books after hundreds of changes on both sides: Active Directory here, OpenLDAP there, one cycle of
//! `addressbook sync`, and both read by OpenLDAP's own tool.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use conformance::servers::{Ldif, Record, SambaAd};
use journeys::organisation::{Organisation, PLATFORM, Size, account_dn, account_of, person_dn, stranger, stranger_dn};
use serde_json::Value;

const SIZE: Size = Size { people: 240, groups: 8, shared: 6, rooms: 4, strangers: 60 };

/// People who have an account from the beginning.
const WITH_ACCOUNT: usize = 40;

/// Changes of one side, counted.
#[derive(Default)]
struct Changes {
    ldif: Ldif,
    count: usize,
}

impl Changes {
    /// A change of each of these.
    fn each(&mut self, numbers: impl IntoIterator<Item = usize>, change: impl Fn(Ldif, usize) -> Ldif) {
        for number in numbers {
            self.ldif = change(std::mem::take(&mut self.ldif), number);
            self.count += 1;
        }
    }

    /// An attribute of each of these has this value.
    fn set(
        &mut self,
        numbers: impl IntoIterator<Item = usize>,
        dn: impl Fn(usize) -> String,
        name: &str,
        value: impl Fn(usize) -> String,
    ) {
        self.each(numbers, |ldif, number| ldif.replace(&dn(number), name, &[value(number).as_bytes()]));
    }
}

/// Contacts with these addresses, made by hand.
fn by_hand_here(ldif: Ldif, number: usize, mail: &str) -> Ldif {
    let texts = [("objectClass", "contact"), ("displayName", "By hand"), ("mail", mail)];
    let values = texts.map(|(name, value)| (name, value.as_bytes()));
    ldif.add(&format!("CN=By hand {number},{}", SambaAd::STAFF), &values)
}

fn by_hand_there(ldif: Ldif, number: usize, mail: &str) -> Ldif {
    let name = format!("By hand {number}");
    let texts = [
        ("objectClass", "inetOrgPerson"),
        ("objectClass", "mailRecipientOfTests"),
        ("cn", &name),
        ("sn", "-"),
        ("displayName", "By hand"),
        ("businessCategory", "contact"),
        ("mail", mail),
    ];
    let values = texts.map(|(name, value)| (name, value.as_bytes()));
    ldif.add(&format!("cn={name},{PLATFORM}"), &values)
}

fn changes_here() -> Changes {
    let mut here = Changes::default();
    let staff = person_dn;
    here.set((0..20).chain(40..100), staff, "telephoneNumber", |n| format!("+44 30 {n:06}"));
    here.set(100..130, staff, "displayName", |n| format!("Lee, \"Ann\" (née O'Neil), #{n} +; <x>"));
    here.set(145..160, staff, "sn", |n| format!("Żółć-{n}"));
    // Another address: mail is routed there, and who they are stays.
    let mail = |n: usize| match n {
        // One takes the address that the next gives up in the same hour.
        180 => "p181@trust.test".to_owned(),
        _ => format!("new.p{n}@trust.test"),
    };
    here.each((165..182).rev(), |ldif, n| {
        let first = format!("SMTP:{}", mail(n));
        ldif.replace(&person_dn(n), "mail", &[mail(n).as_bytes()]).replace(
            &person_dn(n),
            "proxyAddresses",
            &[first.as_bytes()],
        )
    });
    here.set(182..200, staff, "extensionAttribute12", |_| "TRUE".to_owned());
    here.set(200..206, staff, "msExchHideFromAddressLists", |_| "TRUE".to_owned());
    here.set(224..230, staff, "department", |n| format!("Ward {n}, \"East\""));
    here.set(230..240, staff, "mobile", |n| format!("+44 7900 {n:06}"));
    here.each(206..218, |ldif, n| ldif.delete(&person_dn(n)));
    here.each(218..224, |ldif, n| ldif.rename(&person_dn(n), &format!("CN=Person {n}"), Some(SambaAd::ELSEWHERE)));
    here.each(130..145, |ldif, n| ldif.rename(&person_dn(n), &format!("CN=Renamed {n}"), None));
    // Contacts that others made: of people of the platform, and of somebody outside.
    here.each(30..40, |ldif, n| by_hand_here(ldif, n, &format!("Stranger{n}@National.test")));
    here.each(90..95, |ldif, n| by_hand_here(ldif, n, &format!("outside{n}@elsewhere.test")));
    here
}

fn changes_there() -> Changes {
    let mut there = Changes::default();
    there.set(0..20, stranger_dn, "telephoneNumber", |n| format!("+44 40 {n:06}"));
    there.set(10..30, stranger_dn, "displayName", |n| format!("Wójcik, Łukasz \"{n}\""));
    there.set(0..40, stranger_dn, "title", |n| format!("Consultant, No. {n}"));
    there.set(0..20, stranger_dn, "departmentNumber", |n| format!("Radiology {n}"));
    there.set(0..15, stranger_dn, "hidesMobile", |_| "TRUE".to_owned());
    there.set(40..45, stranger_dn, "hiddenFromLists", |_| "TRUE".to_owned());
    // What an account says of its person is not what their own directory says.
    there.set(0..20, account_dn, "telephoneNumber", |n| format!("+44 50 {n:06}"));
    there.each(20..30, |ldif, n| {
        let (mail, first) = (format!("moved{n}@national.test"), format!("SMTP:moved{n}@national.test"));
        let ldif = ldif.replace(&stranger_dn(n), "proxyAddresses", &[first.as_bytes()]);
        ldif.rename(&stranger_dn(n), &format!("mail={mail}"), None)
    });
    there.each(50..60, |ldif, n| ldif.delete(&stranger_dn(n)));
    there.each(60..100, stranger);
    // They arrive: their contacts give way.
    there.each(40..90, account_of);
    there.each(90..100, |ldif, n| by_hand_there(ldif, n, &format!("P{n}@Trust.test")));
    there.each(100..105, |ldif, n| by_hand_there(ldif, n, &format!("outside{n}@elsewhere.test")));
    there
}

/// An address book as OpenLDAP's own tool shows it, without the entries that have no address.
struct Read {
    /// Contacts that bear the mark of an address book.
    ours: Vec<Record>,
    /// Contacts that others made.
    by_hand: Vec<Record>,
    /// Everybody with an entry of their own.
    own: Vec<Record>,
}

const MARK: &str = "whimbrel-book:RX1:";

impl Read {
    fn of(records: Vec<Record>, mark: &str, is_contact: impl Fn(&Record) -> bool) -> Self {
        let mut read = Self { ours: Vec::new(), by_hand: Vec::new(), own: Vec::new() };
        for record in records {
            let is_ours = record.texts(mark).iter().any(|text| text.starts_with(MARK));
            let place = match (is_ours, is_contact(&record)) {
                (true, is_contact) => {
                    assert!(is_contact, "only contacts are written: {record:?}");
                    &mut read.ours
                }
                (false, true) => &mut read.by_hand,
                (false, false) => &mut read.own,
            };
            place.push(record);
        }
        read
    }

    fn here(organisation: &Organisation) -> Self {
        let records = organisation.ad.search(SambaAd::STAFF, "(mail=*)", &["*"]);
        Self::of(records, "extensionAttribute15", |record| {
            record.values("objectClass").contains(&b"contact".as_slice())
        })
    }

    fn there(organisation: &Organisation) -> Self {
        let records = organisation.on_platform("(mail=*)", &["*", "entryUUID"]);
        Self::of(records, "migrationOrigin", |record| record.texts("businessCategory") == ["contact"])
    }

    /// Every entry with this address as its first.
    fn with(&self, mail: &str) -> Vec<&Record> {
        let all = self.ours.iter().chain(&self.by_hand).chain(&self.own);
        all.filter(|record| record.texts("mail")[0].eq_ignore_ascii_case(mail)).collect()
    }

    /// No address stands in two entries.
    fn nobody_twice(&self, what: &str) {
        let mut holders: HashMap<String, &str> = HashMap::new();
        for record in self.ours.iter().chain(&self.by_hand).chain(&self.own) {
            let mail = record.texts("mail")[0].to_lowercase();
            let before = holders.insert(mail.clone(), &record.dn);
            assert_eq!(before, None, "{what}: {mail} stands twice, in {}", record.dn);
        }
    }

    /// The key of each contact of ours, by its mark.
    fn keys(&self, mark: &str, key: &str) -> BTreeMap<String, Vec<u8>> {
        let one = |record: &Record| (record.texts(mark).remove(0), record.values(key)[0].to_vec());
        let keys: BTreeMap<_, _> = self.ours.iter().map(one).collect();
        assert_eq!(keys.len(), self.ours.len(), "a mark stands once");
        keys
    }
}

fn one(record: &Record, name: &str) -> Option<String> {
    record.texts(name).into_iter().next()
}

fn is_true(record: &Record, name: &str) -> bool {
    one(record, name).is_some_and(|text| text == "TRUE")
}

/// A contact says what its person says, routes to where their mail is read, and does not tell a hidden number.
fn assert_tells(contact: &Record, own: &Record, pairs: &[(&str, &str)], hides: &str) {
    for (here, there) in pairs {
        assert_eq!(one(contact, here), one(own, there), "{here} of {contact:?} beside {own:?}");
    }
    let mobile = one(own, "mobile").filter(|_| !is_true(own, hides));
    assert_eq!(one(contact, "mobile"), mobile, "R-049: {contact:?}");
    let mail = one(own, "mail").unwrap();
    let routed = one(contact, "targetAddress").unwrap();
    assert!(routed.eq_ignore_ascii_case(&format!("SMTP:{mail}")), "{routed} of {mail}");
}

/// Everybody stands once in each book, by what the two directories themselves say.
fn assert_in_step(organisation: &Organisation) -> (Read, Read) {
    let (here, there) = (Read::here(organisation), Read::there(organisation));
    here.nobody_twice("here");
    there.nobody_twice("there");
    // Who has an account: by the one thing that is certain of both.
    let account_of = |person: &Record| {
        let legacy = format!("X500:{}", one(person, "legacyExchangeDN")?);
        there.own.iter().find(|account| account.texts("proxyAddresses").contains(&legacy))
    };
    let (mut matched, mut of_ours_there, mut of_ours_at_home) = (BTreeSet::new(), 0, 0);
    for person in &here.own {
        let (account, mail) = (account_of(person), one(person, "mail").unwrap());
        let contacts = there.with(&mail);
        matched.extend(account.map(|account| account.dn.clone()));
        let is_hidden = is_true(person, "msExchHideFromAddressLists");
        let expected = usize::from(account.is_none() && !is_hidden);
        assert_eq!(contacts.len(), expected, "{mail} there: {contacts:?}");
        for contact in contacts.iter().filter(|contact| one(contact, "migrationOrigin").is_some()) {
            of_ours_there += 1;
            let pairs = [
                ("displayName", "displayName"),
                ("telephoneNumber", "telephoneNumber"),
                ("title", "title"),
                ("departmentNumber", "department"),
                ("givenName", "givenName"),
            ];
            assert_tells(contact, person, &pairs, "extensionAttribute12");
        }
    }
    for account in there.own.iter().filter(|account| !matched.contains(&account.dn)) {
        let mail = one(account, "mail").unwrap();
        let contacts = here.with(&mail);
        let expected = usize::from(!is_true(account, "hiddenFromLists"));
        assert_eq!(contacts.len(), expected, "{mail} here: {contacts:?}");
        for contact in contacts.iter().filter(|contact| one(contact, "extensionAttribute15").is_some()) {
            of_ours_at_home += 1;
            let pairs = [
                ("displayName", "displayName"),
                ("telephoneNumber", "telephoneNumber"),
                ("title", "title"),
                ("department", "departmentNumber"),
                ("sn", "sn"),
            ];
            assert_tells(contact, account, &pairs, "hidesMobile");
        }
    }
    assert_eq!((of_ours_there, of_ours_at_home), (there.ours.len(), here.ours.len()), "of nobody there is a contact");
    (here, there)
}

fn synced(organisation: &Organisation) -> Value {
    let (code, report) = organisation.json(&["addressbook", "sync"]);
    assert_eq!(code, 0, "{report:#}");
    let (code, difference) = organisation.json(&["addressbook", "diff"]);
    assert_eq!(code, 0, "{difference:#}");
    for book in difference["books"].as_array().unwrap() {
        assert_eq!((&book["to_do"], &book["faults"]), (&0.into(), &Value::Array(Vec::new())), "{difference:#}");
    }
    report
}

fn done(report: &Value) -> [[u64; 3]; 2] {
    [0, 1].map(|book| ["added", "changed", "removed"].map(|what| report["books"][book][what].as_u64().unwrap()))
}

#[test]
fn after_five_hundred_changes_on_both_sides_the_address_books_are_in_step_in_one_cycle() {
    let Some(organisation) = Organisation::start(SIZE) else { return };
    // A directory that keeps no organisation's code, as most do.
    organisation.without("organisation = \"RX1\"\n");
    organisation.platform.apply(&(0..WITH_ACCOUNT).fold(Ldif::new(), account_of));
    let first = synced(&organisation);
    let objects = SIZE.people + SIZE.groups + SIZE.shared + SIZE.rooms;
    assert_eq!(done(&first), [[SIZE.strangers as u64, 0, 0], [(objects - WITH_ACCOUNT) as u64, 0, 0]]);
    let (here, there) = assert_in_step(&organisation);
    let before = [here.keys("extensionAttribute15", "objectGUID"), there.keys("migrationOrigin", "entryUUID")];

    let (at_source, at_platform) = (changes_here(), changes_there());
    organisation.ad.apply(&at_source.ldif);
    organisation.platform.apply(&at_platform.ldif);
    organisation.join(240..270);
    let count = at_source.count + at_platform.count + 30;
    assert!(count >= 500, "{count}");
    let (_, lacking) = organisation.json(&["addressbook", "diff"]);
    assert_eq!(lacking["books"][0]["to_do"], 0, "a difference is by what was last read");

    let report = synced(&organisation);
    println!("{count} changes: {:?}", done(&report));
    let (here, there) = assert_in_step(&organisation);
    assert_eq!(there.with("p90@trust.test").len(), 1);
    assert!(one(there.with("p90@trust.test")[0], "migrationOrigin").is_none(), "what others made counts");
    assert_eq!(here.with("outside90@elsewhere.test").len(), 1, "it is left alone");
    assert!(there.with("outside90@elsewhere.test").is_empty(), "and goes nowhere");
    assert!(here.with("outside100@elsewhere.test").is_empty());

    // What changes of somebody changes their entry: it is not made anew.
    let after = [here.keys("extensionAttribute15", "objectGUID"), there.keys("migrationOrigin", "entryUUID")];
    for (before, after) in before.iter().zip(&after) {
        let stayed: Vec<_> = before.iter().filter(|(mark, _)| after.contains_key(*mark)).collect();
        assert!(stayed.len() > before.len() / 2, "{} of {}", stayed.len(), before.len());
        for (mark, key) in stayed {
            assert_eq!(after[mark], *key, "{mark} was made anew");
        }
    }

    // Nothing came back as somebody: everybody who is known is in their own directory by themselves.
    let (_, read) = organisation.json(&["people", "sync"]);
    let classes = read["classes"].as_object().unwrap();
    let all: u64 = classes.values().filter_map(Value::as_u64).sum();
    assert_eq!(all as usize, here.own.len() + here.by_hand.len(), "{read:#}");
    assert_eq!(classes["existing"], 90, "those who had an account, and those who got one: {read:#}");

    // And once more there is nothing to do.
    assert_eq!(done(&synced(&organisation)), [[0; 3]; 2]);
}
