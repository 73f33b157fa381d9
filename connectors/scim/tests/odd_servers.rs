//! Servers that do as they please: what they may not bring about.
#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

use std::time::Duration;

use crate::common::config;
use crate::common::odd::{Heard, Odd, Reply, error, json_of, list, page};
use conformance::certificates::{Certificates, Flaw};
use conformance::directory_suite::read;
use connector::{
    Change, ChangeOutcome, Directory, DirectoryTarget, Effect, EntryEvent, Error, OpenDoor, PlannedChange, Retry,
};
use model::{Address, Cause, Entry, EntryKind};
use scim::ScimDirectory;
use serde_json::{Value, json};

fn on(server: &Odd) -> ScimDirectory {
    ScimDirectory::new(config(&server.url))
}

fn user(number: usize) -> Value {
    json!({ "id": format!("u{number}"), "userName": format!("p{number}"), "externalId": format!("mark {number}"),
        "displayName": format!("Person {number}"), "emails": [{ "value": format!("p{number}@x.test"), "primary": true }] })
}

/// What `user` is to us.
fn entry(number: usize) -> Entry {
    let mut entry = Entry::new(format!("u{number}"), EntryKind::Person);
    entry.names.display = Some(format!("Person {number}"));
    entry.account = Some(format!("p{number}"));
    entry.mail = Some(format!("p{number}@x.test"));
    entry.addresses = vec![Address::parse(&format!("SMTP:p{number}@x.test"))];
    (entry.origin, entry.has_mailbox) = (Some(format!("mark {number}")), true);
    entry
}

fn planned(changes: Vec<Change>) -> Vec<PlannedChange> {
    let number = |(at, change)| PlannedChange { id: format!("1.{at}"), change };
    changes.into_iter().enumerate().map(number).collect()
}

fn create(number: usize) -> Change {
    Change::Create { entry: Box::new(Entry { key: String::new(), ..entry(number) }), password: None }
}

fn retitled(number: usize) -> Change {
    let after = Entry { job_title: Some("Nurse".into()), ..entry(number) };
    Change::Update { before: Box::new(entry(number)), after: Box::new(after) }
}

async fn outcomes(server: &Odd, changes: Vec<Change>) -> Vec<ChangeOutcome> {
    on(server).apply(&planned(changes), &OpenDoor).await.unwrap()
}

async fn refused(server: &Odd, changes: Vec<Change>) -> Error {
    match outcomes(server, changes).await.remove(0) {
        ChangeOutcome::Refused(error) => error,
        other => panic!("{other:?}"),
    }
}

fn is(heard: &Heard, method: &str, path: &str) -> bool {
    heard.method == method && heard.path.starts_with(path)
}

// Reading

#[tokio::test]
async fn a_server_that_gives_fewer_than_asked_is_read_whole() {
    for most in [1, 2, 7, 1000] {
        let all: Vec<Value> = (0..23).map(user).collect();
        let server = Odd::start(move |heard| is(heard, "GET", "Users?").then(|| page(heard, &all, most))).await;
        let told = read(&on(&server), None).await;
        assert_eq!(told.seen().len(), 23, "{most} at a time");
        assert_eq!(told.events.len(), 23);
    }
}

#[tokio::test]
async fn a_server_that_gives_all_at_once_is_read_in_portions() {
    let all: Vec<Value> = (0..1200).map(user).collect();
    let server = Odd::start(move |heard| is(heard, "GET", "Users?").then(|| list(1200, &all))).await;
    assert_eq!(read(&on(&server), None).await.seen().len(), 1200);
}

#[tokio::test]
async fn who_goes_and_comes_while_it_is_read_makes_nobody_missing() {
    // After the first page the third one goes and a new one comes, so that there are as many as before.
    let mut all: Vec<Value> = (0..30).map(user).collect();
    let mut asked = 0;
    let server = Odd::start(move |heard| {
        is(heard, "GET", "Users?").then(|| {
            asked += 1;
            if asked == 2 {
                all.remove(2);
                all.push(user(30));
            }
            page(heard, &all, 10)
        })
    })
    .await;
    let told = read(&on(&server), None).await;
    for number in (0..31).filter(|number| *number != 2) {
        assert!(told.seen().contains_key(format!("u{number}").as_str()), "{number} is missing");
    }
    assert_eq!(told.events.len(), told.seen().len(), "each once");
}

#[tokio::test]
async fn a_count_that_changes_all_the_time_is_no_whole_reading() {
    let mut total = 100;
    let server = Odd::start(move |heard| {
        is(heard, "GET", "Users?").then(|| {
            total += 1;
            let start = heard.number("startIndex");
            list(total, &(start..start + 10).map(user).collect::<Vec<_>>())
        })
    })
    .await;
    let error = on(&server).read(None, &mut Vec::new()).await.unwrap_err();
    assert_eq!((error.cause, error.retry), (Cause::Unavailable, Retry::Later(None)));
}

#[tokio::test]
async fn what_is_no_list_is_an_error_and_never_fewer_people() {
    type Case = (&'static str, fn() -> Reply, Cause);
    let table: [Case; 7] = [
        (
            "cut",
            || Reply::Bytes("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{\"totalResults\":0".into()),
            Cause::Connection,
        ),
        ("ends", || Reply::Ends, Cause::Connection),
        ("html", || Reply::Bytes("HTTP/1.1 200 OK\r\n\r\n<html>".into()), Cause::Protocol),
        (
            "cut without length",
            || Reply::Bytes("HTTP/1.1 200 OK\r\n\r\n{\"totalResults\":1,\"Res".into()),
            Cause::Protocol,
        ),
        ("no count", || json_of(200, json!({ "Resources": [] })), Cause::Protocol),
        ("less than it says", || list(3, &[user(1)]), Cause::Unavailable),
        ("not there", || error(404, "", "no"), Cause::Missing),
    ];
    for (name, reply, cause) in table {
        let server = Odd::start(move |heard| is(heard, "GET", "Users?").then(reply)).await;
        let error = on(&server).read(None, &mut Vec::new()).await.unwrap_err();
        assert_eq!(error.cause, cause, "{name}: {error}");
    }
}

#[tokio::test]
async fn a_huge_answer_is_not_taken() {
    let server = Odd::start(|heard| {
        let pad = "x".repeat(200_000);
        is(heard, "GET", "Users?").then(|| json_of(200, json!({ "totalResults": 0, "pad": pad })))
    })
    .await;
    let mut config = config(&server.url);
    config.answer_bytes_max = 100_000;
    let error = ScimDirectory::new(config).read(None, &mut Vec::new()).await.unwrap_err();
    assert!(error.what.contains("larger than 100000 bytes"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_read_is_told_with_its_place_and_the_rest_is_read() {
    let mut odd = user(2);
    odd["emails"] = "p2@x.test".into();
    let all = [user(1), odd, json!({ "userName": "nobody" }), user(3)];
    let server = Odd::start(move |heard| is(heard, "GET", "Users?").then(|| page(heard, &all, 100))).await;
    let told = read(&on(&server), None).await;
    assert_eq!(told.seen().len(), 2);
    assert_eq!(told.faulty(), [Some("u2"), None]);
    assert!(told.events.iter().any(
        |event| matches!(event, EntryEvent::Faulty { place, what, .. } if place == "Users/u2" && what.contains("emails"))
    ));
}

#[tokio::test]
async fn a_key_that_names_two_is_refused() {
    let server = Odd::start(|heard| {
        let group = json!({ "id": "u1", "displayName": "All" });
        match heard.path.split('?').next() {
            Some("Users") => Some(list(1, &[user(1)])),
            Some("Groups") => Some(list(1, &[group])),
            _ => None,
        }
    })
    .await;
    let error = on(&server).read(None, &mut Vec::new()).await.unwrap_err();
    assert!(error.what.contains("a user and to a group"), "{error}");
}

#[tokio::test]
async fn nobody_is_followed_to_another_place() {
    let elsewhere = Odd::start(|_| None).await;
    let url = elsewhere.url.clone();
    let server = Odd::start(move |heard| {
        is(heard, "GET", "Users?")
            .then(|| Reply::Json(302, vec![("Location", format!("{url}/Users?token=x"))], json!({})))
    })
    .await;
    let error = on(&server).read(None, &mut Vec::new()).await.unwrap_err();
    assert!(error.what.contains("sends us on to") && !error.what.contains("token"), "{error}");
    assert!(elsewhere.heard().is_empty());
}

#[tokio::test]
async fn who_asks_to_wait_is_waited_for_within_bounds() {
    let mut asked = 0;
    let server = Odd::start(move |heard| {
        is(heard, "GET", "Users?").then(|| {
            asked += 1;
            match asked {
                1 => Reply::Json(429, vec![("Retry-After", "1".into())], json!({})),
                2 => json_of(503, json!({})),
                _ => list(1, &[user(1)]),
            }
        })
    })
    .await;
    let begun = std::time::Instant::now();
    assert_eq!(read(&on(&server), None).await.seen().len(), 1);
    assert!(begun.elapsed() >= Duration::from_millis(1400));
    let server = Odd::start(|heard| {
        is(heard, "GET", "Users?").then(|| Reply::Json(429, vec![("Retry-After", "3600".into())], json!({})))
    })
    .await;
    let error = on(&server).read(None, &mut Vec::new()).await.unwrap_err();
    assert_eq!((error.cause, error.retry), (Cause::Throttled, Retry::Later(Some(Duration::from_secs(3600)))));
}

// Writing

#[tokio::test]
async fn a_lost_answer_is_in_doubt_and_nothing_follows_it() {
    let server = Odd::start(|heard| match (heard.method.as_str(), heard.content["userName"].as_str()) {
        ("POST", Some("p1")) => Some(json_of(201, user(1))),
        ("POST", _) => Some(Reply::Ends),
        _ => None,
    })
    .await;
    let all = outcomes(&server, (1..6).map(create).collect()).await;
    assert_eq!(all[0], ChangeOutcome::Done { key: "u1".into() });
    assert!(matches!(&all[1], ChangeOutcome::InDoubt(error) if error.cause == Cause::InDoubt), "{all:?}");
    for outcome in &all[2..] {
        assert!(matches!(outcome, ChangeOutcome::Refused(error) if error.cause == Cause::Stopped), "{outcome:?}");
    }
    assert_eq!(server.effects().len(), 2, "nothing is sent twice");
}

#[tokio::test]
async fn half_an_answer_to_what_was_made_is_made_up_for_by_the_mark() {
    let server = Odd::start(|heard| {
        if heard.method == "POST" {
            return Some(Reply::Bytes("HTTP/1.1 201 Created\r\n\r\n{\"id\":\"u".into()));
        }
        let found = heard.path.contains("externalId%20eq%20%22mark%201%22");
        (found && is(heard, "GET", "Users?")).then(|| list(1, &[user(1)]))
    })
    .await;
    assert_eq!(outcomes(&server, vec![create(1)]).await, [ChangeOutcome::Done { key: "u1".into() }]);
}

#[tokio::test]
async fn what_a_server_says_it_made_and_did_not_keep_is_told() {
    let server = Odd::start(|heard| {
        (heard.method == "POST").then(|| {
            let mut made = user(1);
            made.as_object_mut().unwrap().remove("emails");
            json_of(201, made)
        })
    })
    .await;
    match outcomes(&server, vec![create(1)]).await.remove(0) {
        ChangeOutcome::InDoubt(error) => assert!(error.what.contains("lacks addresses"), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_conflict_of_names_is_the_servers_words_unless_it_is_our_own() {
    for (mark, is_ours) in [("mark 1", true), ("mark 2", false)] {
        let server = Odd::start(move |heard| match heard.method.as_str() {
            "POST" => Some(error(409, "uniqueness", "p1 is taken")),
            _ if is(heard, "GET", "Users?") => {
                let mut there = user(1);
                there["externalId"] = mark.into();
                // It takes no notice of the filter.
                Some(list(1, &[there]))
            }
            _ => None,
        })
        .await;
        if is_ours {
            assert_eq!(outcomes(&server, vec![create(1)]).await, [ChangeOutcome::Done { key: "u1".into() }]);
        } else {
            let error = refused(&server, vec![create(1)]).await;
            assert_eq!(error.server.as_deref(), Some("409 uniqueness: p1 is taken"));
        }
    }
}

#[tokio::test]
async fn who_is_asked_to_wait_with_a_change_makes_it_once() {
    let mut posts = 0;
    let server = Odd::start(move |heard| {
        (heard.method == "POST").then(|| {
            posts += 1;
            if posts == 1 {
                Reply::Json(429, vec![("Retry-After", "0".into())], json!({}))
            } else {
                json_of(201, user(1))
            }
        })
    })
    .await;
    assert_eq!(outcomes(&server, vec![create(1)]).await, [ChangeOutcome::Done { key: "u1".into() }]);
    // It looked for the mark in between: whoever was asked to wait may have been heard.
    let all = server.heard();
    let looks = all.iter().filter(|heard| heard.path.contains("externalId")).count();
    assert_eq!((server.effects().len(), looks), (2, 2), "users and groups");
    let server = Odd::start(|heard| {
        (heard.method == "POST").then(|| Reply::Json(503, vec![("Retry-After", "86400".into())], json!({})))
    })
    .await;
    let error = on(&server).apply(&planned(vec![create(1), create(2)]), &OpenDoor).await.unwrap_err();
    assert_eq!(error.retry, Retry::Later(Some(Duration::from_secs(86_400))));
    assert_eq!(server.effects().len(), 1);
}

#[tokio::test]
async fn who_was_asked_to_wait_and_then_hears_nothing_is_in_doubt() {
    let mut is_gone = false;
    let server = Odd::start(move |heard| {
        if heard.method == "POST" {
            is_gone = true;
            return Some(Reply::Json(503, vec![("Retry-After", "0".into())], json!({})));
        }
        is_gone.then_some(Reply::Ends)
    })
    .await;
    assert!(matches!(outcomes(&server, vec![create(1)]).await[0], ChangeOutcome::InDoubt(_)));
    assert_eq!(server.effects().len(), 1);
}

#[tokio::test]
async fn a_server_with_trouble_is_looked_at_before_anything_is_said() {
    for is_made in [true, false] {
        let server = Odd::start(move |heard| match heard.method.as_str() {
            "POST" => Some(error(500, "", "oops")),
            _ if is_made && is(heard, "GET", "Users?") => Some(list(1, &[user(1)])),
            _ => None,
        })
        .await;
        if is_made {
            assert_eq!(outcomes(&server, vec![create(1)]).await, [ChangeOutcome::Done { key: "u1".into() }]);
        } else {
            assert_eq!(refused(&server, vec![create(1)]).await.cause, Cause::Unavailable);
        }
    }
    // Behind a gateway nobody knows.
    let server = Odd::start(|heard| (heard.method == "POST").then(|| error(504, "", "late"))).await;
    assert!(matches!(outcomes(&server, vec![create(1)]).await[0], ChangeOutcome::InDoubt(_)));
}

fn one_user(heard: &Heard, etag: Option<&str>, there: &Value) -> Option<Reply> {
    let fields = etag.map(|etag| ("ETag", etag.to_owned())).into_iter().collect();
    (is(heard, "GET", "Users/u1")).then(|| Reply::Json(200, fields, there.clone()))
}

#[tokio::test]
async fn a_form_that_is_no_more_is_a_conflict() {
    let server = Odd::start(|heard| {
        one_user(heard, Some("W/\"7\""), &user(1))
            .or_else(|| (heard.method == "PATCH").then(|| error(412, "", "changed")))
    })
    .await;
    assert!(matches!(outcomes(&server, vec![retitled(1)]).await[0], ChangeOutcome::Conflict(_)));
    let sent = server.effects().remove(0);
    assert_eq!(sent.field("if-match"), Some("W/\"7\""));
    assert_eq!(sent.content["Operations"], json!([{ "op": "add", "path": "title", "value": "Nurse" }]));
}

#[tokio::test]
async fn where_there_is_no_patch_the_whole_is_put_as_it_was_but_for_the_change() {
    let mut there = user(1);
    there["meta"] = json!({ "version": "\"3\"" });
    there["urn:theirs:2.0:User"] = json!({ "badge": 12 });
    let answered = there.clone();
    let server = Odd::start(move |heard| match heard.path.as_str() {
        "ServiceProviderConfig" => Some(json_of(200, json!({ "patch": { "supported": false } }))),
        _ if heard.method == "PUT" => Some(json_of(200, heard.content.clone())),
        _ => one_user(heard, None, &answered),
    })
    .await;
    assert_eq!(outcomes(&server, vec![retitled(1)]).await, [ChangeOutcome::Done { key: "u1".into() }]);
    let sent = server.effects().remove(0);
    there.as_object_mut().unwrap().remove("meta");
    there["title"] = "Nurse".into();
    assert_eq!((sent.method.as_str(), &sent.content), ("PUT", &there));
    assert_eq!(sent.field("if-match"), Some("\"3\""));
}

#[tokio::test]
async fn a_change_that_is_not_kept_is_refused() {
    let server = Odd::start(|heard| {
        one_user(heard, None, &user(1)).or_else(|| (heard.method == "PATCH").then(|| json_of(204, json!({}))))
    })
    .await;
    let error = refused(&server, vec![retitled(1)]).await;
    assert!(error.what.contains("does not keep job_title"), "{error}");
}

#[tokio::test]
async fn each_effect_passes_the_door_once() {
    #[derive(Default)]
    struct Counting(std::sync::Mutex<Vec<(Effect, bool)>>);
    impl connector::Door for Counting {
        fn before(&self, effect: Effect) -> Result<(), Error> {
            self.0.lock().unwrap().push((effect, false));
            Ok(())
        }
        fn after(&self, effect: Effect) {
            self.0.lock().unwrap().push((effect, true));
        }
    }
    let server = Odd::start(|heard| match heard.method.as_str() {
        "POST" => Some(json_of(201, user(1))),
        "DELETE" => Some(json_of(204, json!({}))),
        _ => one_user(heard, None, &user(1)),
    })
    .await;
    let door = Counting::default();
    let changes = planned(vec![create(1), Change::Remove { before: Box::new(entry(1)) }]);
    let all = on(&server).apply(&changes, &door).await.unwrap();
    assert!(all.iter().all(|outcome| matches!(outcome, ChangeOutcome::Done { .. })), "{all:?}");
    let passed = door.0.into_inner().unwrap();
    let expected = [Effect::CreateEntry, Effect::RemoveEntry].map(|effect| [(effect, false), (effect, true)]);
    assert_eq!(passed, expected.concat());
}

#[tokio::test]
async fn a_login_that_ends_in_the_middle_refuses_nobody() {
    let mut posts = 0;
    let server = Odd::start(move |heard| {
        (heard.method == "POST").then(|| {
            posts += 1;
            if posts == 1 { json_of(201, user(1)) } else { error(401, "", "the token has run out") }
        })
    })
    .await;
    let all = outcomes(&server, vec![create(1), create(2), create(3)]).await;
    for outcome in &all[1..] {
        assert!(matches!(outcome, ChangeOutcome::Refused(error) if error.cause == Cause::Stopped), "{outcome:?}");
    }
    assert_eq!(server.effects().len(), 2);
}

// TLS

#[tokio::test]
async fn a_certificate_is_believed_only_where_it_is_right() {
    for (flaw, words) in [
        (Flaw::None, None),
        (Flaw::WrongName, Some("not for localhost")),
        (Flaw::Expired, Some("expired")),
        (Flaw::WrongAuthority, Some("not")),
    ] {
        let certificates = Certificates::new(flaw);
        let server = Odd::start_with(Some(&certificates), |_| None).await;
        let mut config = scim::config::Config::new(&server.url);
        config.ca_file = Some(certificates.ca_file());
        let read = ScimDirectory::new(config).read(None, &mut Vec::new()).await;
        match words {
            None => assert_eq!(read.unwrap().entries_received, 0),
            Some(words) => {
                let error = read.unwrap_err();
                assert_eq!(error.cause, Cause::Tls);
                assert!(error.what.contains(words), "{error}");
                assert!(server.heard().is_empty());
            }
        }
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_in_between_is_opened_again() {
    let server = Odd::start(|heard| match heard.method.as_str() {
        // It ends each connection without saying so before.
        "POST" => Some(Reply::Bytes(format!(
            "HTTP/1.1 201 Created\r\nContent-Length: {}\r\n\r\n{}",
            user(1).to_string().len(),
            user(1)
        ))),
        _ => None,
    })
    .await;
    let directory = on(&server);
    for _ in 0..3 {
        let all = directory.apply(&planned(vec![create(1)]), &OpenDoor).await.unwrap();
        assert_eq!(all, [ChangeOutcome::Done { key: "u1".into() }]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
