//! What is written beside the fields: passwords, flags, what nobody mapped, what a server refuses; and how fast it goes.

use std::time::Instant;

use crate::common::{Server, Written};
use conformance::directory_suite::writing::{TargetWorld, apply, create, made, one, update, whole};
use conformance::directory_suite::{DirectoryWorld, read};
use conformance::servers::{Ldif, SambaAd, Slapd};
use connector::{Change, ChangeOutcome, Directory, Secret};
use ldap::config::{Config, Passwords, Template};
use model::{AccountState, Address, Cause, Entry, EntryKind};

async fn logs_in(config: &Config, user: &str, password: &str) -> bool {
    let config = Config { user: Some(user.to_owned()), password: Some(Secret::new(password)), ..config.clone() };
    let findings = Written::target_of(config).check().await;
    !findings.iter().any(|finding| finding.wrong == Some(Cause::Login))
}

/// A person of OpenLDAP logs in with the first password, which is not kept as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_password_is_that_of_openldap() {
    let Some(mut world) = Written::slapd() else { return };
    for (number, passwords) in [(1, Passwords::Hashed), (2, Passwords::Plain)] {
        let write = world.config.write.as_mut().unwrap();
        (write.passwords, write.must_change) = (passwords, Some("description=change it".to_owned()));
        let ann = made(&*world.target(), create(&whole(number, EntryKind::Person))).await;
        let place = ann.place.unwrap();
        assert!(place.starts_with(&format!("uid=w{number},")), "{place}");
        assert!(logs_in(&world.config, &place, "First-Passw0rd.7").await, "{passwords:?}");
        assert!(!logs_in(&world.config, &place, "first-passw0rd.7").await);
        let record = world.record(&ann.key, &["userPassword", "description"]);
        let kept = record.texts("userPassword").remove(0);
        assert_eq!(kept.starts_with("{SSHA}"), passwords == Passwords::Hashed, "{kept}");
        assert_eq!(record.texts("description"), ["change it"]);
    }
}

/// What this program removed is gone when it reads on. OpenLDAP tells nothing of what was deleted while others were deleted, until
/// something else changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_removed_is_gone_when_it_is_read_on() {
    let Some(world) = Written::slapd() else { return };
    let target = world.target();
    for round in 0..10 {
        let people: Vec<Change> =
            (0..25).map(|number| create(&whole(100 * round + number, EntryKind::Contact))).collect();
        apply(&*target, &people).await;
        let before = read(&*world.directory(), None).await;
        let there: Vec<Change> = before
            .seen()
            .into_values()
            .filter(|entry| entry.origin.is_some())
            .map(|entry| Change::Remove { before: Box::new(entry.clone()) })
            .collect();
        assert_eq!(there.len(), 25);
        let outcomes = apply(&*target, &there).await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, ChangeOutcome::Done { .. })), "{outcomes:?}");
        let told = read(&*world.directory(), Some(&before.read.cursor)).await;
        assert!(!told.read.is_whole);
        assert_eq!(told.gone().len(), 25, "round {round}");
    }
}

/// A person of Active Directory has the first password and must change it; the flags say whether the account can be used; and
/// without TLS no password is sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_password_is_that_of_active_directory() {
    let Some(mut world) = Written::samba() else { return };
    let clear = match &world.world.server {
        Server::Samba(samba) => crate::common::in_clear(&world.config, samba.host(), 389),
        _ => unreachable!("it is Samba"),
    };
    let outcome = apply(&Written::target_of(clear), &[create(&whole(9, EntryKind::Person))]).await.remove(0);
    let ChangeOutcome::Refused(error) = outcome else { panic!("{outcome:?}") };
    assert!(error.to_string().contains("TLS"), "{error}");

    world.config.write.as_mut().unwrap().user_principal_domain = Some("corp.example.test".to_owned());
    let pending = made(&*world.target(), create(&whole(1, EntryKind::Person))).await;
    let flags = |key: &str| world.record(key, &["userAccountControl", "pwdLastSet"]);
    assert_eq!(flags(&pending.key).texts("userAccountControl"), ["514"]);
    assert_eq!(flags(&pending.key).texts("pwdLastSet"), ["0"]);
    let active = Entry { state: AccountState::Active, ..pending.clone() };
    let there = made(&*world.target(), update(&pending, &active)).await;
    assert_eq!(flags(&there.key).texts("userAccountControl"), ["512"]);
    // It is to be changed first; then it lets its person in.
    let place = there.place.clone().unwrap();
    assert!(!logs_in(&world.config, "w1@corp.example.test", "First-Passw0rd.7").await);
    world.world.server.apply(&Ldif::new().replace(&place, "pwdLastSet", &[b"-1"]));
    assert!(logs_in(&world.config, "w1@corp.example.test", "First-Passw0rd.7").await);
    // Somebody switches it off, and that is what it is then: no value says otherwise.
    world.world.server.apply(&Ldif::new().replace(&place, "userAccountControl", &[b"514"]));
    let off = one(&*world.target(), &there.key).await;
    assert_eq!(off.state, AccountState::Disabled);
    made(&*world.target(), update(&off, &Entry { state: AccountState::Active, ..off.clone() })).await;
    assert_eq!(flags(&there.key).texts("userAccountControl"), ["512"]);
    let shared = made(&*world.target(), create(&whole(2, EntryKind::Shared))).await;
    assert_eq!(flags(&shared.key).texts("userAccountControl"), ["514"], "nobody logs in as a shared mailbox");
}

/// What nobody mapped stays, and so do further values beside the one that changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_mapped_is_not_touched() {
    let Some(world) = Written::slapd() else { return };
    let ann = made(&*world.target(), create(&whole(1, EntryKind::Person))).await;
    let dn = ann.place.clone().unwrap();
    let add = Ldif::new()
        .add_values(&dn, "description", &[b"of others"])
        .add_values(&dn, "employeeType", &[b"Nurse"])
        .add_values(&dn, "mail", &[b"further@trust.test"])
        .add_values(&dn, "labeledURI", &[b"https://trust.test/ann"])
        .add_values(&dn, "businessCategory", &[b"nursing"]);
    world.world.server.apply(&add);
    let before = one(&*world.target(), &ann.key).await;
    assert_eq!(before.mail, ann.mail);
    let mut after = before.clone();
    (after.state, after.mail) = (AccountState::Active, Some("new@trust.test".to_owned()));
    after.addresses.push(Address::smtp("new@trust.test"));
    let there = made(&*world.target(), update(&before, &after)).await;
    assert_eq!((there.state, there.mail), (AccountState::Active, after.mail));
    let record = world.record(&ann.key, &["*"]);
    assert_eq!(record.texts("description"), ["of others"]);
    assert_eq!(record.texts("employeeType"), ["Nurse"]);
    assert_eq!(record.texts("labeledURI"), ["https://trust.test/ann", "whimbrel:TEST:ad:1"]);
    assert_eq!(record.texts("mail"), ["further@trust.test", "new@trust.test"]);
    assert_eq!(record.texts("businessCategory"), ["nursing"]);
}

/// What can't be written is refused with the names of its fields, and a taken name in the server's words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_written_is_refused_in_words() {
    let Some(mut world) = Written::slapd() else { return };
    let refused = |outcome: ChangeOutcome, words: &str| {
        let ChangeOutcome::Refused(error) = outcome else { panic!("{outcome:?}") };
        assert!(error.to_string().contains(words), "{error}");
        assert_ne!(error.cause, Cause::Stopped);
    };
    let mut plain = world.config.clone();
    plain.attributes.remove("organisation");
    plain.attributes.remove("hidden");
    let target = Written::target_of(plain);
    let outcome = apply(&target, &[create(&whole(1, EntryKind::Person))]).await.remove(0);
    refused(outcome, "organisation, hidden can't be written");
    let ann = made(&*world.target(), create(&whole(1, EntryKind::Person))).await;
    let twin = Entry { origin: Some("whimbrel:TEST:ad:twin".to_owned()), ..whole(1, EntryKind::Person) };
    let outcome = apply(&*world.target(), &[create(&twin)]).await.remove(0);
    refused(outcome, "entryAlreadyExists (68)");
    let other = made(&*world.target(), create(&whole(2, EntryKind::Person))).await;
    let mut after = other.clone();
    (after.account, after.telephone) = (ann.account.clone(), Some("+44 1".to_owned()));
    refused(apply(&*world.target(), &[update(&other, &after)]).await.remove(0), "entryAlreadyExists (68)");
    assert_eq!(one(&*world.target(), &other.key).await, other, "nor any part of it");
    // It has another name for a moment, the rest is refused, and it has its own again.
    after = other.clone();
    (after.account, after.is_hidden, after.quota_bytes) = (Some("w3".to_owned()), false, None);
    after.names.display = None;
    refused(apply(&*world.target(), &[update(&other, &after)]).await.remove(0), "display");
    let template = Template { object_classes: Some(vec!["inetOrgPerson".to_owned()]), ..Template::default() };
    world.config.write.as_mut().unwrap().kinds.insert(EntryKind::Room, template);
    refused(apply(&*world.target(), &[create(&whole(5, EntryKind::Room))]).await.remove(0), "(65)");
    let mut nowhere = world.config.clone();
    nowhere.write.as_mut().unwrap().base = Some("ou=nowhere,dc=example,dc=test".to_owned());
    let finding = Written::target_of(nowhere).check().await.pop().unwrap();
    assert_eq!(finding.wrong, Some(Cause::Missing), "{finding:?}");
    let mut reader = world.config.clone();
    (reader.user, reader.password) = (Some(Slapd::READER.to_owned()), Some(Secret::new(Slapd::READER_PASSWORD)));
    refused(apply(&Written::target_of(reader), &[create(&whole(6, EntryKind::Contact))]).await.remove(0), "(50)");
}

/// The check says where entries are made, and who may not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_check_says_whether_entries_may_be_made() {
    let Some(world) = Written::samba() else { return };
    let finding = world.directory().check().await.pop().unwrap();
    assert!(finding.wrong.is_none() && finding.sentence.contains("may be made in"), "{finding:?}");
    let mut ann = whole(1, EntryKind::Person);
    ann.state = AccountState::Active;
    let ann = made(&*world.target(), create(&ann)).await;
    world.world.server.apply(&Ldif::new().replace(ann.place.as_ref().unwrap(), "pwdLastSet", &[b"-1"]));
    let mut config = world.config.clone();
    config.user = Some("CORP\\w1".to_owned());
    config.password = Some(Secret::new("First-Passw0rd.7"));
    let finding = Written::target_of(config).check().await.pop().unwrap();
    assert_eq!(finding.wrong, Some(Cause::Permission), "{finding:?}");
    assert!(finding.sentence.contains(SambaAd::STAFF), "{finding:?}");
}

/// Hundreds of people are made in seconds. Samba takes most of a tenth of a second for the keys of each password.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_are_made_in_seconds() {
    for (world, count) in [(Written::slapd(), 1_000), (Written::samba(), 200)] {
        let Some(world) = world else { continue };
        let started = Instant::now();
        let people: Vec<Change> = (0..count).map(|number| create(&whole(number, EntryKind::Person))).collect();
        for portion in people.chunks(100) {
            let outcomes = apply(&*world.target(), portion).await;
            assert!(outcomes.iter().all(|outcome| matches!(outcome, ChangeOutcome::Done { .. })), "{outcomes:?}");
        }
        let took = started.elapsed();
        println!("{count} people in {:?}: {took:?}", world.config.kind);
        assert!(took.as_secs() < 120, "{took:?}");
    }
}

/// What was made several at once is told by the next reading, all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_made_at_once_is_told_by_the_next_reading() {
    let Some(world) = Written::slapd() else { return };
    let mut cursor = read(&*world.directory(), None).await.read.cursor;
    for round in 0..40 {
        let people: Vec<Change> =
            (0..21).map(|number| create(&whole(round * 21 + number, EntryKind::Contact))).collect();
        let outcomes = apply(&*world.target(), &people).await;
        let told = read(&*world.directory(), Some(&cursor)).await;
        for outcome in outcomes {
            let ChangeOutcome::Done { key } = outcome else { panic!("{outcome:?}") };
            assert!(told.seen().contains_key(key.as_str()), "{key} in round {round}: {} told", told.seen().len());
        }
        cursor = told.read.cursor;
    }
}
