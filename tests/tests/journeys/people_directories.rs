//! People from Active Directory to a platform that is OpenLDAP, as whoever moves them does it: read, planned, approved,
//! made, accepted, followed, and both address books in step.

use std::{collections::BTreeSet, process::Stdio, thread, time::Duration};

use conformance::{
    ldap_relay::LdapRelay,
    servers::{Ldif, SambaAd},
};
use journeys::organisation::{Organisation, Size, group_dn, hides_mobile, person_dn};
use serde_json::Value;

const SIZE: Size = Size { people: 300, groups: 30, shared: 12, rooms: 6, strangers: 10 };

/// Objects that an account, mailbox or list is made for.
const OBJECTS: usize = SIZE.people + SIZE.groups + SIZE.shared + SIZE.rooms;

fn started() -> Option<Organisation> {
    let organisation = Organisation::start(SIZE)?;
    let (code, synced) = organisation.json(&["people", "sync"]);
    assert_eq!(code, 0, "{synced:#}");
    assert_eq!(synced["classes"]["new"], OBJECTS, "{synced:#}");
    Some(organisation)
}

fn assert_each_once(organisation: &Organisation, count: usize) {
    let marks = organisation.marks();
    let twice: Vec<_> = marks.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert_eq!(marks.len(), count);
}

/// Plans and carries out until nothing is left to do.
fn carry_out(organisation: &Organisation) -> usize {
    for round in 0..5 {
        let Some(plan) = organisation.plan() else { return round };
        assert!(plan["conflicts"].as_array().unwrap().is_empty(), "{plan:#}");
        let (code, applied) = organisation.json(&["people", "apply"]);
        assert_eq!((code, &applied["ended"]), (0, &Value::Bool(true)), "{applied:#}");
    }
    panic!("it never comes to an end: {:#?}", organisation.plan());
}

#[test]
fn an_organisation_moves_from_active_directory_to_openldap() {
    let Some(organisation) = started() else { return };
    assert_eq!(carry_out(&organisation), 1, "everything, with lists that hold each other");
    assert_each_once(&organisation, OBJECTS);
    // What was made says what was planned, to OpenLDAP's own tool.
    let people = organisation.on_platform("(&(migrationOrigin=*)(employeeNumber=*))", &["*"]);
    assert_eq!(people.len(), SIZE.people);
    for person in &people {
        let number: usize = person.texts("employeeNumber")[0].parse().unwrap();
        assert_eq!(person.texts("employeeType"), ["pending"]);
        assert_eq!(person.texts("telephoneNumber"), [format!("+44 20 {number:06}")]);
        let mobile = if hides_mobile(number) { Vec::new() } else { vec![format!("+44 7700 {number:06}")] };
        assert_eq!(person.texts("mobile"), mobile, "R-049");
        let addresses = person.texts("proxyAddresses");
        assert!(addresses.contains(&format!("X500:/o=Trust/ou=First/cn=Recipients/cn=p{number}")), "{addresses:?}");
        assert!(!addresses.iter().any(|address| address.contains("@trust.test")), "they follow at the switch");
        assert!(person.texts("userPassword")[0].starts_with("{SSHA}"));
    }
    let teams = organisation.on_platform("(businessCategory=shared)", &["owner"]);
    assert_eq!(teams.len(), SIZE.shared);
    assert!(teams.iter().all(|team| team.texts("owner").len() == 2), "{teams:?}");
    assert_eq!(organisation.on_platform("(businessCategory=room)", &["1.1"]).len(), SIZE.rooms);
    let lists = organisation.on_platform("(objectClass=groupOfNames)", &["cn", "member"]);
    let names: BTreeSet<&str> = lists.iter().map(|list| list.dn.as_str()).collect();
    let nested = lists.iter().flat_map(|list| list.texts("member")).filter(|member| names.contains(member.as_str()));
    assert_eq!((lists.len(), nested.count()), (SIZE.groups, 4));

    // Accepted, they are live; and nothing is left to do.
    let (code, accepted) = organisation.json(&["people", "accept", "--exemption", "the pilot"]);
    assert_eq!(code, 0, "{accepted:#}");
    assert!(organisation.on_platform("(employeeType=pending)", &["1.1"]).is_empty());
    let (code, synced) = organisation.json(&["people", "sync"]);
    assert_eq!((code, &synced["classes"]["existing"]), (0, &OBJECTS.into()), "{synced:#}");
    assert!(organisation.plan().is_none(), "a second run changes nothing");
    assert_each_once(&organisation, OBJECTS);
}

#[test]
fn killed_anywhere_nothing_is_made_twice() {
    let Some(organisation) = started() else { return };
    organisation.plan().unwrap();
    let mut kills = 0;
    let ended = (0..60).any(|round| {
        let mut command = organisation.command(&["people", "apply"]);
        let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let before = organisation.marks().len();
        // Now while it makes something, now while it looks what became of what it was about to make.
        let is_time = || if round % 3 == 2 { true } else { organisation.marks().len() >= before + 10 + round % 7 };
        thread::sleep(Duration::from_millis(if round % 3 == 2 { 400 + round as u64 * 53 % 300 } else { 0 }));
        let status = loop {
            match running.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if is_time() => break None,
                None => {}
            }
        };
        if let Some(status) = status {
            return status.code() == Some(0);
        }
        running.kill().unwrap();
        running.wait().unwrap();
        kills += 1;
        assert!(organisation.marks().values().all(|count| *count == 1));
        false
    });
    println!("killed {kills} times");
    assert!(kills >= 3, "killed {kills} times");
    if !ended {
        // It may have been killed after its last change.
        let (code, applied) = organisation.json(&["people", "apply"]);
        assert!(code == 0 || applied["rule"] == "R-039", "{applied:#}");
    }
    assert_each_once(&organisation, OBJECTS);
    carry_out(&organisation);
    assert_each_once(&organisation, OBJECTS);
}

#[test]
fn changes_are_followed_at_three_entries_each_at_most() {
    const CHANGES: usize = 200;
    let Some(organisation) = started() else { return };
    let relay = LdapRelay::to(format!("{}:389", organisation.ad.host()));
    organisation.write_by_relay(relay.port());
    organisation.json(&["people", "sync"]);
    carry_out(&organisation);
    let (code, accepted) = organisation.json(&["people", "accept", "--exemption", "the pilot"]);
    assert_eq!(code, 0, "{accepted:#}");
    // Of every kind: 140 move to another ward, 20 are called otherwise, 10 are switched off, 10 go, 10 come, 10 lists gain somebody.
    let everyday = (0..140).fold(Ldif::new(), |changes, number| {
        changes.replace(&person_dn(number), "department", &[format!("Moved {number}").as_bytes()])
    });
    let renamed = (140..160).fold(everyday, |changes, number| {
        changes.replace(&person_dn(number), "sn", &[b"Newly-Wed"]).rename(
            &person_dn(number),
            &format!("CN=Renamed {number}"),
            None,
        )
    });
    let off = (160..170)
        .fold(renamed, |changes, number| changes.replace(&person_dn(number), "userAccountControl", &[b"546"]));
    let gone = (170..180).fold(off, |changes, number| changes.delete(&person_dn(number)));
    let lists = (10..20).fold(gone, |changes, number| {
        changes.add_values(&group_dn(number), "member", &[person_dn((number * 31 + 3) % SIZE.people).as_bytes()])
    });
    organisation.ad.apply(&lists);
    organisation.join(SIZE.people..SIZE.people + 10);
    let before = relay.entries();
    let (code, synced) = organisation.json(&["people", "sync"]);
    assert_eq!(code, 0, "{synced:#}");
    let sent = relay.entries() - before;
    println!("{sent} entries for {CHANGES} changes");
    assert!(sent <= 3 * CHANGES as u64, "{sent} entries for {CHANGES} changes");
    let plan = organisation.plan().unwrap();
    assert_eq!((&plan["disabled"], &plan["left"], &plan["created"]["person"]), (&10.into(), &10.into(), &10.into()));
    let (code, applied) = organisation.json(&["people", "apply"]);
    assert_eq!(code, 0, "{applied:#}");
    for (filter, count) in [
        ("(departmentNumber=Moved *)", 140),
        ("(sn=Newly-Wed)", 20),
        ("(employeeType=disabled)", 10),
        ("(employeeType=leaver)", 10),
        ("(employeeType=pending)", 10),
    ] {
        assert_eq!(organisation.on_platform(filter, &["1.1"]).len(), count, "{filter}");
    }
    assert!(organisation.plan().is_none());
    assert_each_once(&organisation, OBJECTS + 10);
}

#[test]
fn both_address_books_come_into_step_and_stay() {
    let Some(organisation) = started() else { return };
    carry_out(&organisation);
    // Some came since, and have no account yet; the platform has strangers.
    organisation.join(SIZE.people..SIZE.people + 20);
    let in_step = |what: &str| {
        let (code, report) = organisation.json(&["addressbook", "sync"]);
        assert_eq!(code, 0, "{what}: {report:#}");
        for book in report["books"].as_array().unwrap() {
            assert_eq!(book["to_do"], 0, "{what}: {report:#}");
        }
        let (code, again) = organisation.json(&["addressbook", "diff"]);
        assert_eq!(code, 0, "{what}: {again:#}");
        for (book, record, place) in [
            ("platform", organisation.on_platform("(mail=*)", &["mail", "mobile", "migrationOrigin"]), "platform"),
            (
                "ad",
                organisation.ad.search(SambaAd::STAFF, "(mail=*)", &["mail", "mobile", "extensionAttribute15"]),
                "ad",
            ),
        ] {
            let mails: Vec<String> = record.iter().map(|record| record.texts("mail")[0].to_lowercase()).collect();
            let once: BTreeSet<&String> = mails.iter().collect();
            assert_eq!(once.len(), mails.len(), "{what}: nobody stands twice in {book}");
            let contacts = record.iter().filter(|record| {
                record
                    .texts("migrationOrigin")
                    .iter()
                    .chain(&record.texts("extensionAttribute15"))
                    .any(|mark| mark.starts_with("whimbrel-book:"))
            });
            println!("{what}: {} in {place}, {} contacts of ours", mails.len(), contacts.count());
        }
    };
    in_step("first");
    let contacts = || organisation.on_platform("(businessCategory=contact)", &["*"]);
    let written = contacts();
    assert_eq!(written.len(), 20);
    for contact in &written {
        let mail = contact.texts("mail").remove(0);
        let number: usize = mail.trim_start_matches('p').split('@').next().unwrap().parse().unwrap();
        assert_eq!(contact.texts("mobile").is_empty(), hides_mobile(number), "{contact:?}");
    }
    let strangers = || organisation.ad.search(SambaAd::STAFF, "(objectClass=contact)", &["mail", "telephoneNumber"]);
    assert_eq!(strangers().len(), SIZE.strangers);

    // Both sides change: somebody is called otherwise, one leaves, one comes, there and here.
    let stranger = |number: usize| format!("mail=stranger{number}@national.test,{}", journeys::organisation::PLATFORM);
    let here = Ldif::new()
        .replace(&person_dn(301), "displayName", &["Lee, \"Ann\" (née O'Neil), #2".as_bytes()])
        .replace(&person_dn(302), "mobile", &[b"+44 1"])
        .replace(&person_dn(302), "extensionAttribute12", &[b"TRUE"])
        .delete(&person_dn(303));
    organisation.ad.apply(&here);
    organisation.join(320..322);
    let there = Ldif::new()
        .replace(&stranger(1), "displayName", &["Wójcik, Łukasz".as_bytes()])
        .replace(&stranger(2), "telephoneNumber", &[b"+44 2"])
        .delete(&stranger(3));
    organisation.platform.apply(&there);
    in_step("changed on both sides");
    let written = contacts();
    assert_eq!(written.len(), 21);
    assert!(written.iter().any(|contact| contact.texts("displayName") == ["Lee, \"Ann\" (née O'Neil), #2"]));
    let of = |mail: &str| written.iter().find(|contact| contact.texts("mail") == [mail]).unwrap();
    assert!(of("p302@trust.test").texts("mobile").is_empty(), "hidden from then on");
    let names = strangers();
    assert_eq!(names.len(), SIZE.strangers - 1);
    assert!(names.iter().any(|contact| contact.texts("telephoneNumber") == ["+44 2"]));
    // No contact came back as somebody.
    let (_, synced) = organisation.json(&["people", "sync"]);
    let classes = &synced["classes"];
    let all: u64 =
        ["new", "existing", "excluded", "unresolved"].iter().map(|class| classes[class].as_u64().unwrap()).sum();
    assert_eq!(all as usize, OBJECTS + 21, "{synced:#}");
    in_step("once more");
    // Those who came get accounts, and their contacts go.
    carry_out(&organisation);
    in_step("with accounts");
    assert!(contacts().is_empty());
    assert_each_once(&organisation, OBJECTS + 22 - 1);
}
