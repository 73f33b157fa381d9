//! Writing to servers that refuse, fall silent or go away: nothing takes effect before it may, and what became of each
//! message is said.
#![allow(clippy::unwrap_used, clippy::format_push_string, reason = "a test, helpers included")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::common::{NotingDoor, POOR, RICH, Server, alice, body, inbox};
use connector::{
    Batch, BatchItem, Connector, Effect, Error, FlagChange, FolderState, ItemOutcome, NewFolder, Removal, Retry, ready,
};
use model::{Cause, Flags, FolderPath, ItemId, ItemKind, ReceivedAt, Scope, SpecialUse};

async fn item(text: &str) -> BatchItem {
    BatchItem {
        kind: ItemKind::Message,
        flags: Flags::of(["\\Seen", "$Work"]),
        received: Some(ReceivedAt { unix_seconds: 760_686_745, offset_minutes: -480 }),
        body: body(text.as_bytes()).await,
    }
}

/// A batch of these messages that may take effect at once.
async fn batch(texts: &[&str]) -> Batch {
    let (sender, ready) = ready();
    sender.send(()).unwrap();
    let mut items = Vec::new();
    for text in texts {
        items.push(item(text).await);
    }
    Batch { folder: FolderPath::new(["Sent"]), items, ready }
}

fn outcomes(items: &[ItemOutcome]) -> Vec<String> {
    let one = |outcome: &ItemOutcome| match outcome {
        ItemOutcome::Stored(Some(id)) => format!("stored {id}"),
        ItemOutcome::Stored(None) => "stored".to_owned(),
        ItemOutcome::Refused(error) => format!("refused {}", error.cause),
        ItemOutcome::InDoubt(_) => "in doubt".to_owned(),
    };
    items.iter().map(one).collect()
}

/// The target of a server that answers APPEND so, and what became of a batch of these messages.
async fn append(capabilities: &str, texts: &[&str], answers: &'static [&'static str]) -> (Vec<String>, Vec<String>) {
    let server = Server::start(capabilities, move |mut talk| async move {
        talk.greet().await;
        for answer in answers {
            let Some(asked) = talk.until_any(&["APPEND"]).await else { return };
            if answer.starts_with('*') {
                talk.lines(&[answer]).await;
                return talk.close().await;
            }
            talk.end(&asked, answer).await;
        }
        talk.go_on().await;
    })
    .await;
    let mut target = server.target().await;
    target.submit(batch(texts).await).await.unwrap();
    let outcome = target.outcome().await.unwrap();
    let appends = server.heard().into_iter().filter(|line| line.contains("APPEND")).collect();
    (outcomes(&outcome.items), appends)
}

#[tokio::test]
async fn a_batch_is_one_command_where_multiappend_is_offered() {
    let (outcomes, appends) = append(RICH, &["one", "", "three"], &["OK [APPENDUID 7 3955:3957] done"]).await;
    assert_eq!(outcomes, ["stored 3955", "stored 3956", "stored 3957"]);
    let head = "(\\Seen $Work) \" 7-Feb-1994 21:52:25 -0800\"";
    assert_eq!(appends, [format!("APPEND \"Sent\" {head} {{3+}} {head} {{0+}} {head} {{5+}}")]);
}

#[tokio::test]
async fn messages_go_one_by_one_where_it_is_not() {
    let capabilities = "IMAP4rev1 UIDPLUS LITERAL+";
    let answers = &["OK [APPENDUID 7 5]", "NO [TOOBIG] too much", "OK [APPENDUID 7 6]"];
    let (outcomes, appends) = append(capabilities, &["one", "two", "three"], answers).await;
    assert_eq!(outcomes, ["stored 5", "refused too-large", "stored 6"]);
    assert_eq!(appends.len(), 3);
    assert!(appends.iter().all(|line| line.contains("+}")), "{appends:?}");
}

#[tokio::test]
async fn literals_wait_for_leave_where_they_must() {
    let (outcomes, appends) = append(POOR, &["one", "two"], &["OK done", "OK done"]).await;
    assert_eq!(outcomes, ["stored", "stored"], "without UIDPLUS nobody says where");
    assert!(appends.len() == 2 && appends.iter().all(|line| line.ends_with("{3}")), "{appends:?}");
    let large = "x".repeat(5000);
    let (_, appends) = append("IMAP4rev1 LITERAL-", &["one", &large, "three"], &["OK", "OK", "OK"]).await;
    let ends: Vec<&str> = appends.iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(ends, ["{3+}", "{5000}", "{5+}"]);
    let (outcomes, appends) = append("IMAP4rev1 MULTIAPPEND", &["one", "two"], &["OK"]).await;
    assert_eq!((outcomes.len(), appends.len()), (2, 1));
}

#[tokio::test]
async fn a_refusal_has_a_class_and_is_of_the_whole_command() {
    for (answer, expected) in [
        ("NO [OVERQUOTA] full", "refused over-quota"),
        ("NO [TRYCREATE] no such mailbox", "refused missing"),
        ("NO [NOPERM] no", "refused permission"),
        ("NO [UNAVAILABLE] later", "refused unavailable"),
        ("NO [CANNOT] never", "refused refused"),
        ("BAD Command Argument Error. 11", "refused refused"),
    ] {
        let server = Server::start(RICH, move |mut talk| async move {
            talk.greet().await;
            let asked = talk.until("APPEND").await;
            talk.end(&asked, answer).await;
            talk.go_on().await;
        })
        .await;
        let mut target = server.target().await;
        target.submit(batch(&["one", "two"]).await).await.unwrap();
        let outcome = target.outcome().await.unwrap();
        assert_eq!(outcomes(&outcome.items), [expected, expected], "{answer}");
        let ItemOutcome::Refused(error) = &outcome.items[0] else { panic!() };
        assert_eq!(error.scope, Scope::Item);
        assert!(error.server.as_ref().unwrap().starts_with(&answer[..answer.len().min(5)]), "{error}");
    }
}

#[tokio::test]
async fn a_throttled_append_says_how_long_to_wait() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("APPEND").await;
        talk.end(&asked, "BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds").await;
        talk.go_on().await;
    })
    .await;
    let mut target = server.target().await;
    target.submit(batch(&["one"]).await).await.unwrap();
    let outcome = target.outcome().await.unwrap();
    let ItemOutcome::Refused(error) = &outcome.items[0] else { panic!() };
    assert_eq!((error.cause, error.retry), (Cause::Throttled, Retry::Later(Some(Duration::from_millis(299_961)))));
}

#[tokio::test]
async fn a_lost_answer_leaves_the_batch_in_doubt() {
    let (outcomes, _) = append(RICH, &["one", "two"], &["* BYE going down"]).await;
    assert_eq!(outcomes, ["in doubt", "in doubt"]);
    let capabilities = "IMAP4rev1 UIDPLUS LITERAL+";
    let (outcomes, _) = append(capabilities, &["one", "two", "three"], &["OK [APPENDUID 7 5]", "* BYE"]).await;
    assert_eq!(outcomes, ["stored 5", "in doubt", "in doubt"]);
}

#[tokio::test]
async fn several_batches_are_on_their_way_and_each_has_its_own_outcome() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        let mut asked = Vec::new();
        for _ in 0..3 {
            asked.push(talk.until("APPEND").await);
        }
        talk.end(&asked[0], "OK [APPENDUID 7 1:2]").await;
        talk.end(&asked[1], "NO [OVERQUOTA] full").await;
        talk.lines(&["* BYE"]).await;
        talk.close().await;
    })
    .await;
    let mut target = server.target().await;
    assert!(target.batches_in_flight_max() >= 3);
    for texts in [&["a", "b"][..], &["c"], &["d"]] {
        target.submit(batch(texts).await).await.unwrap();
    }
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(outcomes(&target.outcome().await.unwrap().items));
    }
    assert_eq!(all, [vec!["stored 1", "stored 2"], vec!["refused over-quota"], vec!["in doubt"]]);
    assert!(target.outcome().await.is_err(), "no batch is left");
    let error = target.state(&FolderPath::inbox()).await.unwrap_err();
    assert!(error.ends_session(), "{error}");
}

/// A server that notes whether the line end of an APPEND ever came.
async fn noting_line_ends(capabilities: &'static str) -> Server {
    Server::start(capabilities, |mut talk| async move {
        talk.greet().await;
        talk.go_on().await;
    })
    .await
}

#[tokio::test]
async fn where_the_door_is_shut_the_line_end_never_comes() {
    for capabilities in [RICH, "IMAP4rev1 LITERAL+", POOR] {
        let server = noting_line_ends(capabilities).await;
        let door = Arc::new(NotingDoor::default());
        door.shut(Effect::Append);
        let mut target = server.connector().target(&alice(), door.clone()).await.unwrap();
        let error = target.submit(batch(&["one", "two"]).await).await.unwrap_err();
        assert_eq!(error.cause, Cause::LeaseLapsed, "{capabilities}");
        assert_eq!(
            target.state(&FolderPath::inbox()).await.unwrap_err().cause,
            Cause::LeaseLapsed,
            "the session is over"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
        let appends: Vec<String> = server.heard().into_iter().filter(|line| line.contains("APPEND")).collect();
        assert!(appends.len() == 1 && appends[0].starts_with("CUT OFF: "), "{appends:?}");
        assert_eq!(door.notes(), ["before literal", "after literal"]);
    }
}

#[tokio::test]
async fn where_the_intent_is_not_recorded_the_line_end_never_comes() {
    for capabilities in [RICH, "IMAP4rev1 LITERAL+"] {
        let server = noting_line_ends(capabilities).await;
        let mut target = server.target().await;
        let (sender, ready) = ready();
        let items = vec![item("one").await, item("two").await];
        let batch = Batch { folder: FolderPath::new(["Sent"]), items, ready };
        drop(sender);
        assert_eq!(target.submit(batch).await.unwrap_err().cause, Cause::Database);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let appends: Vec<String> = server.heard().into_iter().filter(|line| line.contains("APPEND")).collect();
        assert!(appends.len() == 1 && appends[0].starts_with("CUT OFF: "), "{appends:?}");
    }
}

#[tokio::test]
async fn the_line_end_waits_for_the_intent() {
    for capabilities in [RICH, "IMAP4rev1 LITERAL+", POOR] {
        let has_come = Arc::new(AtomicBool::new(false));
        let server = Server::start(capabilities, {
            let has_come = has_come.clone();
            move |mut talk| {
                let has_come = has_come.clone();
                async move {
                    talk.greet().await;
                    let asked = talk.until("APPEND").await;
                    has_come.store(true, Ordering::SeqCst);
                    talk.done(&asked).await;
                    talk.go_on().await;
                }
            }
        })
        .await;
        let mut target = server.target().await;
        let (sender, ready) = ready();
        let batch = Batch { folder: FolderPath::new(["Sent"]), items: vec![item("one").await], ready };
        let submitting = tokio::spawn(async move {
            target.submit(batch).await.unwrap();
            target.outcome().await.unwrap()
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!has_come.load(Ordering::SeqCst), "{capabilities}");
        sender.send(()).unwrap();
        assert_eq!(submitting.await.unwrap().items.len(), 1);
        assert!(has_come.load(Ordering::SeqCst));
    }
}

#[tokio::test]
async fn every_effect_passes_the_door() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        talk.go_on().await;
    })
    .await;
    let door = Arc::new(NotingDoor::default());
    let mut target = server.connector().target(&alice(), door.clone()).await.unwrap();
    let new = NewFolder { path: FolderPath::new(["new"]), kind: ItemKind::Message, special_use: None, subscribe: true };
    target.create(&[new]).await.unwrap();
    target.submit(batch(&["one", "two"]).await).await.unwrap();
    target.outcome().await.unwrap();
    let change = FlagChange { id: ItemId::from_u32(1), add: Flags::of(["\\Seen"]), take: Flags::of(["$x"]) };
    target.change_flags(inbox(), &[change]).await.unwrap();
    target.close().await;
    let expected = ["create", "subscribe", "literal", "append", "flags", "flags"];
    let expected: Vec<String> =
        expected.iter().flat_map(|effect| [format!("before {effect}"), format!("after {effect}")]).collect();
    assert_eq!(door.notes(), expected);
}

#[tokio::test]
async fn a_message_that_goes_along_with_a_line_end_passes_the_door_too() {
    let server = Server::start("IMAP4rev1 LITERAL+", |mut talk| async move {
        talk.greet().await;
        talk.go_on().await;
    })
    .await;
    let door = Arc::new(NotingDoor::default());
    let mut target = server.connector().target(&alice(), door.clone()).await.unwrap();
    target.submit(batch(&["one", "two"]).await).await.unwrap();
    assert_eq!(outcomes(&target.outcome().await.unwrap().items), ["stored", "stored"]);
    assert_eq!(
        door.notes(),
        [
            "before literal",
            "after literal",
            "before append",
            "before literal",
            "after append",
            "after literal",
            "before append",
            "after append"
        ]
    );
}

#[tokio::test]
async fn an_effect_that_may_not_pass_is_not_sent_at_all() {
    for effect in [Effect::Create, Effect::Flags, Effect::Subscribe] {
        let server = noting_line_ends(RICH).await;
        let door = Arc::new(NotingDoor::default());
        door.shut(effect);
        let mut target = server.connector().target(&alice(), door.clone()).await.unwrap();
        let new =
            NewFolder { path: FolderPath::new(["new"]), kind: ItemKind::Message, special_use: None, subscribe: true };
        let change = FlagChange { id: ItemId::from_u32(1), add: Flags::of(["\\Seen"]), take: Flags::NONE };
        let error = if effect == Effect::Flags {
            target.change_flags(inbox(), &[change]).await.unwrap_err()
        } else {
            target.create(&[new]).await.unwrap_err()
        };
        assert_eq!(error.cause, Cause::LeaseLapsed);
        let verb = match effect {
            Effect::Create => "CREATE",
            Effect::Flags => "UID STORE",
            _ => "SUBSCRIBE",
        };
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!server.has_heard(verb), "{verb}: {:?}", server.heard());
    }
}

#[tokio::test]
async fn a_lost_answer_to_another_effect_is_in_doubt() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        talk.until_any(&["CREATE", "UID STORE"]).await;
        talk.close().await;
    })
    .await;
    let new = NewFolder { path: FolderPath::new(["new"]), kind: ItemKind::Message, special_use: None, subscribe: true };
    assert_eq!(server.target().await.create(&[new]).await.unwrap_err().cause, Cause::InDoubt);
    let change = FlagChange { id: ItemId::from_u32(1), add: Flags::of(["\\Seen"]), take: Flags::NONE };
    let error = server.target().await.change_flags(inbox(), &[change]).await.unwrap_err();
    assert_eq!(error.cause, Cause::InDoubt);
}

#[tokio::test]
async fn a_server_that_refuses_a_literal_and_goes_is_quoted() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        let line = loop {
            let Some(line) = talk.line().await else { return };
            if line.contains("APPEND") {
                break line;
            }
            let (tag, text) = line.trim_end().split_once(' ').unwrap();
            let asked = crate::common::Asked {
                tag: tag.to_owned(),
                text: text.to_owned(),
                literals: Vec::new(),
                is_whole: true,
            };
            talk.answer(&asked).await;
        };
        let tag = line.split(' ').next().unwrap().to_owned();
        talk.say(format!("{tag} NO [TOOBIG] 8 MB is the limit\r\n* BYE\r\n")).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        talk.close().await;
    })
    .await;
    let mut target = server.target().await;
    let (sender, ready) = ready();
    sender.send(()).unwrap();
    // More than the sockets take at once: the server is gone before it is all written.
    let mut items = vec![item("small").await];
    for _ in 0..60 {
        items.push(item(&"x".repeat(500_000)).await);
    }
    let count = items.len();
    target.submit(Batch { folder: FolderPath::new(["Sent"]), items, ready }).await.unwrap();
    let outcome = target.outcome().await.unwrap();
    assert_eq!(outcomes(&outcome.items), vec!["refused too-large"; count]);
    assert!(target.submit(batch(&["next"]).await).await.unwrap_err().ends_session());
}

#[tokio::test]
async fn a_literal_refused_in_place_of_leave_is_not_sent() {
    let server = Server::start("IMAP4rev1 UIDPLUS", |mut talk| async move {
        talk.greet().await;
        let mut number = 0;
        loop {
            let Some(asked) = talk.hear_with(number > 0).await else { return };
            if !asked.is("APPEND") {
                talk.answer(&asked).await;
                continue;
            }
            number += 1;
            let how = if number == 1 { "NO [OVERQUOTA] full" } else { "OK [APPENDUID 7 9]" };
            talk.end(&asked, how).await;
        }
    })
    .await;
    let mut target = server.target().await;
    target.submit(batch(&["one", "two"]).await).await.unwrap();
    let outcome = target.outcome().await.unwrap();
    assert_eq!(outcomes(&outcome.items), ["refused over-quota", "stored 9"]);
}

#[tokio::test]
async fn a_message_from_a_file_arrives_whole() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("APPEND").await;
        assert_eq!(asked.literals[0].len(), 3_000_000);
        assert!(asked.literals[0].iter().enumerate().all(|(n, byte)| *byte == (n % 251) as u8));
        talk.end(&asked, "OK [APPENDUID 7 1]").await;
        talk.go_on().await;
    })
    .await;
    let bytes: Vec<u8> = (0..3_000_000).map(|n| (n % 251) as u8).collect();
    let mut item = item("").await;
    item.body = body(&bytes).await;
    assert!(item.body.in_memory().is_none());
    let (sender, ready) = ready();
    sender.send(()).unwrap();
    let mut target = server.target().await;
    target.submit(Batch { folder: FolderPath::new(["Sent"]), items: vec![item], ready }).await.unwrap();
    assert_eq!(outcomes(&target.outcome().await.unwrap().items), ["stored 1"]);
}

#[tokio::test]
async fn a_message_with_a_utf_8_header_is_appended_as_such_where_that_is_switched_on() {
    let capabilities = format!("{RICH} UTF8=ACCEPT");
    let texts = ["Subject: ü\r\n\r\nx", "Subject: u\r\n\r\nü", "a: \u{80}"];
    let (outcomes, appends) = append(&capabilities, &texts, &["OK"]).await;
    assert_eq!(outcomes.len(), 3);
    assert_eq!(appends[0].matches("UTF8 (~{").count(), 2, "{appends:?}");
    assert!(appends[0].contains("UTF8 (~{16+}) (\\Seen"), "{appends:?}");
    let (_, appends) = append(RICH, &texts, &["OK"]).await;
    assert!(!appends[0].contains("UTF8"), "{appends:?}");
}

#[tokio::test]
async fn folders_are_made_with_their_use_and_their_parents() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["CREATE", "SUBSCRIBE", "LIST \"\" \"*\""]).await {
            if asked.is("LIST") {
                talk.lines(&["* LIST () \"/\" INBOX", "* LIST () \"/\" \"there\""]).await;
                talk.done(&asked).await;
                continue;
            }
            let how = match asked.text.as_str() {
                "CREATE \"Archive\" (USE (\\Archive))" => "NO [USEATTR] not that one",
                "CREATE \"again\"" => "NO [ALREADYEXISTS] there it is",
                "CREATE \"bad*\"" => "NO [CANNOT] what a name",
                "CREATE \"a/b\"" if !talk_has_parent(&talk.heard) => "NO no parent",
                "SUBSCRIBE \"again\"" => "NO not today",
                _ => "OK",
            };
            talk.end(&asked, how).await;
        }
    })
    .await;
    let folder = |path: &[&str], special_use| NewFolder {
        path: FolderPath::new(path.iter().copied()),
        kind: ItemKind::Message,
        special_use,
        subscribe: true,
    };
    let folders = [
        folder(&["INBOX"], None),
        folder(&["there"], None),
        folder(&["Archive"], Some(SpecialUse::Archive)),
        folder(&["again"], None),
        folder(&["bad*"], None),
        folder(&["a", "b"], None),
        folder(&["x/y"], None),
        NewFolder { kind: ItemKind::Event, ..folder(&["Calendar"], None) },
    ];
    let results = server.target().await.create(&folders).await.unwrap();
    let causes: Vec<Option<(Cause, Scope)>> =
        results.into_iter().map(|result| result.err().map(|error| (error.cause, error.scope))).collect();
    let refused = Some((Cause::FolderRefused, Scope::Folder));
    let unsupported = Some((Cause::Unsupported, Scope::Folder));
    assert_eq!(causes, [None, None, None, None, refused, None, refused, unsupported]);
    let heard = server.heard();
    assert!(!heard.iter().any(|line| line == "CREATE \"INBOX\"" || line == "CREATE \"there\""), "{heard:?}");
    assert!(heard.contains(&"CREATE \"Archive\"".to_owned()) && heard.contains(&"SUBSCRIBE \"a/b\"".to_owned()));
    assert!(!heard.iter().any(|line| line.starts_with("SUBSCRIBE \"bad")), "{heard:?}");
}

fn talk_has_parent(heard: &crate::common::Heard) -> bool {
    heard.lock().unwrap().iter().any(|line| line == "CREATE \"a\"")
}

#[tokio::test]
async fn flags_are_changed_in_groups_and_read_back() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["SELECT", "UID FETCH"]).await {
            if asked.is("SELECT") {
                talk.opened(&asked, 4, 9, 5).await;
                continue;
            }
            talk.lines(&["* 1 FETCH (UID 1 FLAGS (\\Seen))", "* 2 FETCH (UID 2 FLAGS (\\Seen $Work))"]).await;
            talk.done(&asked).await;
        }
    })
    .await;
    let change = |uid, add: &[&str], take: &[&str]| FlagChange {
        id: ItemId::from_u32(uid),
        add: Flags::of(add.iter().copied()),
        take: Flags::of(take.iter().copied()),
    };
    let changes =
        [change(2, &["\\Seen", "$Work"], &[]), change(1, &["\\Seen"], &["\\Flagged"]), change(3, &["\\Seen"], &[])];
    let flags = server.target().await.change_flags(inbox(), &changes).await.unwrap();
    assert_eq!(flags, [Some(Flags::of(["\\Seen", "$Work"])), Some(Flags::of(["\\Seen"])), None]);
    let stores: Vec<String> = server.heard().into_iter().filter(|line| line.starts_with("UID STORE")).collect();
    assert_eq!(
        stores,
        ["UID STORE 1,3 +FLAGS (\\Seen)", "UID STORE 2 +FLAGS (\\Seen $Work)", "UID STORE 1 -FLAGS (\\Flagged)"]
    );
}

/// What remains of messages 1 to 4 after a removal, on a server that does as it is told; `modified` were changed.
async fn remove(capabilities: &'static str, expunge: &'static str) -> (Result<Vec<Removal>, Error>, Vec<String>) {
    let server = Server::start(capabilities, move |mut talk| async move {
        talk.greet().await;
        let mut left = vec![1, 2, 3];
        let mut is_marked = false;
        while let Some(asked) = talk.until_any(&["SELECT", "UID FETCH", "UID STORE", "UID EXPUNGE"]).await {
            if asked.is("SELECT") {
                talk.opened(&asked, 3, 9, if capabilities.contains("UNCOUNTED") { 0 } else { 5 }).await;
                continue;
            }
            if asked.is("UID FETCH") {
                for (number, uid) in left.iter().enumerate() {
                    let flags = if is_marked && *uid != 2 { "\\Deleted" } else { "" };
                    talk.lines(&[&format!("* {} FETCH (UID {uid} FLAGS ({flags}))", number + 1)]).await;
                }
            }
            if asked.is("UID STORE") {
                is_marked = asked.text.contains('+');
                if asked.text.contains("UNCHANGEDSINCE") {
                    talk.end(&asked, "OK [MODIFIED 2] some were changed").await;
                    continue;
                }
            }
            if asked.is("UID EXPUNGE") {
                if expunge == "OK" {
                    left.retain(|uid| *uid == 2);
                }
                talk.end(&asked, expunge).await;
                continue;
            }
            talk.done(&asked).await;
        }
    })
    .await;
    let ids: Vec<ItemId> = [1, 2, 3, 4].map(ItemId::from_u32).to_vec();
    let removals = server.target().await.remove(inbox(), &ids, Some(5)).await;
    let heard = server.heard().into_iter().filter(|line| line.contains("STORE") || line.contains("EXPUNGE")).collect();
    (removals, heard)
}

#[tokio::test]
async fn only_what_is_named_and_unchanged_is_removed() {
    let (removals, heard) = remove(RICH, "OK").await;
    assert_eq!(removals.unwrap(), [Removal::Gone, Removal::Changed, Removal::Gone, Removal::Gone]);
    assert_eq!(heard, ["UID STORE 1:3 (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Deleted)", "UID EXPUNGE 1,3"]);
}

#[tokio::test]
async fn without_uidplus_what_is_to_be_removed_is_marked() {
    let marked = [Removal::Unsupported, Removal::Unsupported, Removal::Unsupported, Removal::Gone];
    // Where the server tells no changes the condition is left off.
    let (removals, heard) = remove("IMAP4rev1 UNCOUNTED", "OK").await;
    assert_eq!(removals.unwrap(), marked);
    assert_eq!(heard, ["UID STORE 1:3 +FLAGS.SILENT (\\Deleted)"]);
    let (removals, heard) = remove("IMAP4rev1 CONDSTORE", "OK").await;
    assert_eq!(removals.unwrap(), [Removal::Unsupported, Removal::Changed, Removal::Unsupported, Removal::Gone]);
    assert_eq!(heard, ["UID STORE 1:3 (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Deleted)"]);
}

#[tokio::test]
async fn a_removal_that_is_refused_takes_its_marks_off_again() {
    let (removals, heard) = remove(RICH, "NO [NOPERM] not allowed").await;
    assert_eq!(removals.unwrap_err().cause, Cause::Permission);
    assert_eq!(heard.last().unwrap(), "UID STORE 1,3 -FLAGS.SILENT (\\Deleted)");
}

#[tokio::test]
async fn a_folder_that_can_only_be_read_is_not_written() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("SELECT").await;
        talk.lines(&["* 0 EXISTS", "* OK [UIDVALIDITY 7]", "* OK [UIDNEXT 1]"]).await;
        talk.end(&asked, "OK [READ-ONLY] look but do not touch").await;
        talk.go_on().await;
    })
    .await;
    let change = FlagChange { id: ItemId::from_u32(1), add: Flags::of(["\\Seen"]), take: Flags::NONE };
    let error = server.target().await.change_flags(inbox(), &[change]).await.unwrap_err();
    assert_eq!((error.cause, error.scope), (Cause::Permission, Scope::Folder));
}

/// What a folder holds since a mark: it is opened with so many messages and this UIDNEXT, and lists these UIDs.
async fn since(mark: FolderState, opened: (u32, u32), listed: &'static [u32]) -> Vec<u32> {
    let server = Server::start(RICH, move |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["EXAMINE", "UID FETCH"]).await {
            if asked.is("EXAMINE") {
                talk.opened(&asked, opened.0, opened.1, 5).await;
                continue;
            }
            let first = opened.0 - listed.len() as u32;
            for (number, uid) in listed.iter().enumerate() {
                let number = first + number as u32 + 1;
                let flags = if uid % 2 == 0 { "" } else { " FLAGS (\\Seen)" };
                talk.lines(&[&format!("* {number} FETCH (UID {uid}{flags})")]).await;
            }
            talk.done(&asked).await;
        }
    })
    .await;
    let listed = server.target().await.since(&FolderPath::inbox(), &mark).await.unwrap();
    for (id, flags) in &listed {
        assert_eq!(flags.is_empty(), id.as_u32().unwrap() % 2 == 0, "{id}: {flags:?}");
    }
    listed.into_iter().map(|(id, _)| id.as_u32().unwrap()).collect()
}

#[tokio::test]
async fn what_appeared_since_a_mark_is_listed() {
    let mark = |validity, next| FolderState { validity, next, count: 0, change: 0 };
    assert_eq!(since(mark(7, 5), (4, 8), &[5, 6, 7]).await, [5, 6, 7], "6 comes without its flags");
    assert!(since(mark(7, 8), (4, 8), &[7]).await.is_empty(), "n:* gives the last one, which is older");
    assert!(since(mark(7, 6), (4, 8), &[5]).await.is_empty());
    assert_eq!(since(mark(6, 5), (2, 3), &[1, 2]).await, [1, 2], "other UIDs: everything may have appeared");
    assert_eq!(since(mark(7, 5), (2, 3), &[1, 2]).await, [1, 2], "lower than it was: so may they");
}
