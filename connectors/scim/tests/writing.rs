//! Writing, on an independent server: what is made and changed there is what was asked for, looked at by other means.
#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

use crate::common::config;
use conformance::directory_suite::person;
use conformance::servers::{Scim, ScimBuilder};
use connector::{
    Change, ChangeOutcome, Directory, DirectoryTarget, EntryEvent, OpenDoor, PlannedChange, Secret, ShutDoor,
};
use model::{AccountState, Address, Cause, Entry, EntryKind, Reference};
use scim::ScimDirectory;
use serde_json::Value;

fn start(builder: ScimBuilder) -> Option<(Scim, ScimDirectory)> {
    let server = builder.start()?;
    let directory = ScimDirectory::new(config(&server.url()));
    Some((server, directory))
}

fn with_extension() -> Option<(Scim, ScimDirectory)> {
    start(Scim::builder().extension())
}

fn planned(change: Change) -> PlannedChange {
    PlannedChange { id: "1.1".into(), change }
}

async fn one(directory: &ScimDirectory, change: Change) -> ChangeOutcome {
    directory.apply(&[planned(change)], &OpenDoor).await.unwrap().remove(0)
}

fn create(entry: &Entry) -> Change {
    Change::Create { entry: Box::new(entry.clone()), password: None }
}

fn update(before: &Entry, after: &Entry) -> Change {
    Change::Update { before: Box::new(before.clone()), after: Box::new(after.clone()) }
}

fn remove(before: &Entry) -> Change {
    Change::Remove { before: Box::new(before.clone()) }
}

fn key(outcome: ChangeOutcome) -> String {
    match outcome {
        ChangeOutcome::Done { key } => key,
        other => panic!("{other:?}"),
    }
}

/// An account as a plan makes it.
fn account(number: usize) -> Entry {
    let mut entry = person(number);
    entry.key = String::new();
    entry.account = None;
    entry.names.title = Some("Dr".into());
    entry.addresses = vec![
        Address::parse(&format!("SMTP:p{number}@trust.test")),
        Address::x500(format!("/o=Trust/ou=First \"x\" \\ (y)/cn=Recipients/cn=P{number}")),
    ];
    entry.job_title = Some("Nurse".into());
    entry.mobile = Some("+44 7700 900123".into());
    entry.organisation = Some("RX1".into());
    entry.local_id = Some(format!("00{number}"));
    entry.state = AccountState::Pending;
    entry.origin = Some(format!("whimbrel:RX1:ad/{number} \"quoted\" \\ é"));
    entry.quota_bytes = Some(4 << 30);
    entry.has_mailbox = true;
    entry
}

async fn there(directory: &ScimDirectory, key: &str) -> Entry {
    directory.entries(&[key.to_owned()]).await.unwrap().remove(0)
}

fn assert_is(there: &Entry, asked: &Entry) {
    let asked = Entry { key: there.key.clone(), account: there.account.clone(), ..asked.clone() };
    assert_eq!(*there, asked);
}

#[tokio::test]
async fn what_is_made_is_there_as_it_was_asked_for_and_is_found_by_its_mark() {
    let Some((server, directory)) = with_extension() else { return };
    let ann = account(1);
    let change = Change::Create { entry: Box::new(ann.clone()), password: Some(Secret::new("First-Pass-1!")) };
    let made = key(one(&directory, change).await);
    assert_is(&there(&directory, &made).await, &ann);
    let seen = server.request("GET", &format!("Users/{made}"), None);
    assert_eq!((&seen["active"], &seen["userName"]), (&Value::from(false), &Value::from("p1@trust.test")));
    assert_eq!(seen["emails"], serde_json::json!([{ "value": "p1@trust.test", "type": "work", "primary": true }]));
    assert_eq!(seen["externalId"].as_str(), ann.origin.as_deref());
    let found = directory.find_origin(ann.origin.as_deref().unwrap()).await.unwrap();
    assert_eq!(found.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), [made.as_str()]);
    assert_eq!(directory.find_origin("whimbrel:RX1:ad/\" or externalId pr").await.unwrap(), []);
    // The same again is found to be there; somebody else with that name is refused in the server's words.
    assert_eq!(key(one(&directory, create(&ann)).await), made);
    let mut other = account(1);
    other.origin = Some("whimbrel:RX1:ad/other".into());
    match one(&directory, create(&other)).await {
        ChangeOutcome::Refused(error) => {
            assert_eq!(error.cause, Cause::Refused);
            assert!(error.server.unwrap().contains("409 uniqueness"));
        }
        outcome => panic!("{outcome:?}"),
    }
    let all = server.request("GET", "Users", None);
    assert_eq!(all["totalResults"], 1);
}

#[tokio::test]
async fn every_kind_of_entry_is_kept_as_what_it_is() {
    let Some((_server, directory)) = with_extension() else { return };
    let person = key(one(&directory, create(&account(1))).await);
    for (number, kind) in EntryKind::EVERY.into_iter().enumerate() {
        let mut entry = account(10 + number);
        entry.kind = kind;
        entry.has_mailbox = kind.holds_mail();
        entry.owners = vec![Reference::Key(person.clone())];
        entry.members = vec![Reference::Key(person.clone()), Reference::Mail("gp@elsewhere.example".into())];
        entry.is_hidden = true;
        if kind == EntryKind::Contact {
            entry.routed_to = entry.mail.clone();
        }
        if kind == EntryKind::List {
            (entry.state, entry.quota_bytes, entry.job_title) = (AccountState::Active, None, None);
            (entry.mobile, entry.names.title, entry.names.given, entry.names.surname) = (None, None, None, None);
        }
        let made = key(one(&directory, create(&entry)).await);
        assert_is(&there(&directory, &made).await, &entry);
    }
}

/// Somebody else changes a resource, in whatever way the server has.
fn by_others(server: &Scim, path: &str, change: impl FnOnce(&mut Value)) {
    let mut resource = server.request("GET", path, None);
    change(&mut resource);
    server.request("PUT", path, Some(&resource));
}

async fn changes_are_made(server: &Scim, directory: &ScimDirectory) {
    let made = key(one(directory, create(&account(1))).await);
    let path = format!("Users/{made}");
    by_others(server, &path, |user| {
        user["locale"] = "cy-GB".into();
        user["emails"][0]["display"] = "theirs".into();
    });
    let before = there(directory, &made).await;
    let mut after = before.clone();
    after.state = AccountState::Active;
    after.names.surname = Some("O'Neil \"x\" \\".into());
    (after.job_title, after.department) = (None, Some("Ward 9".into()));
    (after.telephone, after.mobile) = (Some("+44 20 1".into()), None);
    after.addresses.push(Address::smtp("also@trust.test"));
    after.addresses.push(Address::x500("/o=Other/cn=Ann"));
    after.quota_bytes = None;
    assert_eq!(key(one(directory, update(&before, &after)).await), made);
    let now = there(directory, &made).await;
    let mut expected = after.clone();
    expected.addresses.sort();
    assert_eq!(
        Entry {
            addresses: {
                let mut all = now.addresses.clone();
                all.sort();
                all
            },
            ..now.clone()
        },
        expected
    );
    let seen = server.request("GET", &path, None);
    assert_eq!((&seen["locale"], &seen["emails"][0]["display"]), (&"cy-GB".into(), &"theirs".into()));
    assert_eq!(seen["name"]["givenName"], "Given 1");
    // The same again changes nothing; what is not as it was is a conflict.
    assert_eq!(one(directory, update(&before, &after)).await, ChangeOutcome::Unchanged { key: made.clone() });
    by_others(server, &path, |user| user["title"] = "Sister".into());
    let mut other = now.clone();
    other.job_title = Some("Matron".into());
    match one(directory, update(&now, &other)).await {
        ChangeOutcome::Conflict(what) => assert!(what.contains("job_title"), "{what}"),
        outcome => panic!("{outcome:?}"),
    }
    // What others changed elsewhere is in nobody's way, and stays.
    let mut other = now.clone();
    other.department = Some("Ward 10".into());
    assert_eq!(key(one(directory, update(&now, &other)).await), made);
    assert_eq!(there(directory, &made).await.job_title.as_deref(), Some("Sister"));
    // The address that mail is sent from becomes another one.
    let before = there(directory, &made).await;
    let mut after = before.clone();
    after.mail = Some("also@trust.test".into());
    for address in &mut after.addresses {
        address.is_primary = address.text == "also@trust.test";
    }
    key(one(directory, update(&before, &after)).await);
    assert_eq!(there(directory, &made).await.mail.as_deref(), Some("also@trust.test"));
    let seen = server.request("GET", &path, None);
    let primary = seen["emails"].as_array().unwrap().iter().filter(|email| email["primary"] == true);
    assert_eq!(primary.count(), 1);
    let mut after = there(directory, &made).await;
    let before = after.clone();
    after.addresses.retain(|address| address.text.contains("also@"));
    key(one(directory, update(&before, &after)).await);
    assert_eq!(there(directory, &made).await.addresses, after.addresses);
}

#[tokio::test]
async fn a_change_is_made_where_it_differs_and_nowhere_else() {
    let Some((server, directory)) = with_extension() else { return };
    changes_are_made(&server, &directory).await;
}

#[tokio::test]
async fn a_change_is_made_without_patch() {
    let Some((server, directory)) = start(Scim::builder().extension().no_patch()) else { return };
    changes_are_made(&server, &directory).await;
}

#[tokio::test]
async fn a_change_is_made_without_forms_told_apart() {
    let Some((server, directory)) = start(Scim::builder().extension().no_etag()) else { return };
    changes_are_made(&server, &directory).await;
}

#[tokio::test]
async fn members_come_and_go_and_others_stay() {
    let Some((server, directory)) = with_extension() else { return };
    let mut people = Vec::new();
    for number in 0..6 {
        people.push(key(one(&directory, create(&account(number))).await));
    }
    let mut list = Entry::new("", EntryKind::List);
    list.names.display = Some("All of ward 4".into());
    list.origin = Some("whimbrel:RX1:ad/list".into());
    list.members = people[..4].iter().cloned().map(Reference::Key).collect();
    let made = key(one(&directory, create(&list)).await);
    let before = there(&directory, &made).await;
    let mut after = before.clone();
    after.members.remove(1);
    after.members.extend([Reference::Key(people[5].clone()), Reference::Mail("gp@elsewhere.example".into())]);
    after.mail = Some("ward4@trust.test".into());
    after.addresses = vec![Address::parse("SMTP:ward4@trust.test")];
    assert_eq!(key(one(&directory, update(&before, &after)).await), made);
    let now = there(&directory, &made).await;
    let mut members = (now.members.clone(), after.members.clone());
    members.0.sort();
    members.1.sort();
    assert_eq!(members.0, members.1);
    assert_eq!(now.mail, after.mail);
    // Somebody else puts one in between reading and changing.
    let group = format!("Groups/{made}");
    let operation = serde_json::json!({ "op": "add", "path": "members", "value": [{ "value": people[4] }] });
    let schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
    server.request("PATCH", &group, Some(&serde_json::json!({ "schemas": [schema], "Operations": [operation] })));
    let mut fewer = now.clone();
    fewer.members.clear();
    assert!(matches!(one(&directory, update(&now, &fewer)).await, ChangeOutcome::Conflict(_)));
}

#[tokio::test]
async fn only_what_bears_the_mark_is_removed() {
    let Some((server, directory)) = with_extension() else { return };
    let made = key(one(&directory, create(&account(1))).await);
    let before = there(&directory, &made).await;
    let theirs = Entry { origin: None, ..before.clone() };
    assert!(matches!(one(&directory, remove(&theirs)).await, ChangeOutcome::Refused(_)));
    let other = Entry { origin: Some("whimbrel:RX1:ad/2".into()), ..before.clone() };
    assert!(matches!(one(&directory, remove(&other)).await, ChangeOutcome::Conflict(_)));
    server.set(&format!("Users/{made}"), "title", &"Sister".into());
    assert!(matches!(one(&directory, remove(&before)).await, ChangeOutcome::Conflict(_)));
    let before = there(&directory, &made).await;
    assert_eq!(one(&directory, remove(&before)).await, ChangeOutcome::Done { key: made.clone() });
    assert_eq!(one(&directory, remove(&before)).await, ChangeOutcome::Unchanged { key: made });
    assert_eq!(server.request("GET", "Users", None)["totalResults"], 0);
}

#[tokio::test]
async fn what_the_platform_cannot_hold_is_refused_in_words_and_nothing_is_made() {
    let Some((server, directory)) = start(Scim::builder()) else { return };
    let mut ann = account(1);
    match one(&directory, create(&ann)).await {
        ChangeOutcome::Refused(error) => {
            assert_eq!(error.cause, Cause::Unsupported);
            for words in ["addresses", "state", "quota", scim::EXTENSION] {
                assert!(error.what.contains(words), "{error}");
            }
        }
        outcome => panic!("{outcome:?}"),
    }
    assert_eq!(server.request("GET", "Users", None)["totalResults"], 0);
    (ann.state, ann.quota_bytes) = (AccountState::Active, None);
    ann.addresses.truncate(1);
    let made = key(one(&directory, create(&ann)).await);
    let before = there(&directory, &made).await;
    let mut after = before.clone();
    after.addresses.push(Address::x500("/o=Trust/cn=Ann"));
    after.job_title = Some("Matron".into());
    assert!(matches!(one(&directory, update(&before, &after)).await, ChangeOutcome::Refused(_)));
    assert_eq!(there(&directory, &made).await, before, "nor any part of it");
}

#[tokio::test]
async fn nothing_is_written_behind_a_shut_door() {
    let Some((server, directory)) = with_extension() else { return };
    let made = key(one(&directory, create(&account(1))).await);
    let before = there(&directory, &made).await;
    let after = Entry { job_title: None, ..before.clone() };
    for change in [create(&account(2)), update(&before, &after), remove(&before)] {
        assert!(directory.apply(&[planned(change)], &ShutDoor).await.is_err());
    }
    assert_eq!(there(&directory, &made).await, before);
    assert_eq!(server.request("GET", "Users", None)["totalResults"], 1);
}

#[tokio::test]
async fn who_is_not_let_in_is_told_so_and_the_token_is_shown_nowhere() {
    let Some((server, _)) = with_extension() else { return };
    let mut config = config(&server.url());
    config.token = Some(Secret::new("wrong-token-98765"));
    assert!(!format!("{config:?}").contains("98765"));
    let directory = ScimDirectory::new(config);
    let mut events: Vec<EntryEvent> = Vec::new();
    let error = directory.read(None, &mut events).await.unwrap_err();
    assert_eq!(error.cause, Cause::Login);
    let findings = directory.check().await;
    assert_eq!(findings.last().unwrap().wrong, Some(Cause::Login));
    assert!(!format!("{error:?} {findings:?}").contains("98765"));
    // It says nothing of the change, which may be made once the token is right.
    let error = directory.apply(&[planned(create(&account(1)))], &OpenDoor).await.unwrap_err();
    assert_eq!(error.cause, Cause::Login);
}
