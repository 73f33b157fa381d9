//! Reading from servers that do as they please: nothing is lost in silence, nothing is taken for another folder's.
#![allow(clippy::unwrap_used, clippy::format_push_string, reason = "a test, helpers included")]

use crate::common::{RICH, Server, Talk, holds, plan, read, read_out, short};
use connector::{Event, FolderState, Holds, HoldsLimits, Retry};
use model::{Cause, FolderPath, ItemId};

/// The events of a first reading of `INBOX` whose FETCH is answered so; what is asked later is answered by `later`.
async fn first_reading<F, Fut>(exists: u32, next: u32, fetch: &'static [&'static str], later: F) -> Vec<String>
where
    F: Fn(Talk) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let server = Server::start(RICH, move |mut talk| {
        let later = later.clone();
        async move {
            talk.greet().await;
            let asked = talk.until("EXAMINE").await;
            talk.opened(&asked, exists, next, 5).await;
            let asked = talk.until("UID FETCH 1:*").await;
            talk.lines(fetch).await;
            talk.done(&asked).await;
            later(talk).await;
        }
    })
    .await;
    let (events, error) = read(&server, plan(&["INBOX"])).await;
    assert_eq!(error, None);
    short(&events).await
}

async fn nothing_more(mut talk: Talk) {
    talk.go_on().await;
}

#[tokio::test]
async fn a_first_reading_gives_every_item_with_its_cursor() {
    let fetch = &[
        "* 1 FETCH (UID 3 FLAGS (\\Seen $Work) INTERNALDATE \" 7-Feb-1994 21:52:25 -0800\" BODY[] {3}\r\none)",
        "* 2 FETCH (BODY[] {3}\r\ntwo INTERNALDATE \"07-Feb-1994 21:52:25 -0800\" FLAGS () UID 9)",
    ];
    let server = Server::start(RICH, move |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("EXAMINE").await;
        talk.opened(&asked, 2, 10, 5).await;
        let asked = talk.until("UID FETCH 1:*").await;
        talk.lines(fetch).await;
        talk.done(&asked).await;
        talk.go_on().await;
    })
    .await;
    let (events, error) = read(&server, plan(&["INBOX"])).await;
    assert_eq!(error, None);
    assert_eq!(short(&events).await, ["begin 0", "item 3 one", "item 9 two", "end"]);
    let Event::Begin { state, .. } = &events[0] else { panic!() };
    assert_eq!(*state, FolderState { validity: 7, next: 10, count: 2, change: 5 });
    let Event::Item(item) = &events[1] else { panic!() };
    assert_eq!(item.flags.to_string(), "\\Seen $Work");
    assert_eq!(item.received.unwrap().unix_seconds, 760_686_745);
    assert_eq!(item.received.unwrap().offset_minutes, -480);
    assert!(item.then.is_some());
    let Event::End { state: end, listed_all, .. } = &events[3] else { panic!() };
    assert_eq!((end, listed_all), (state, &false));
}

#[tokio::test]
async fn a_source_sends_only_what_changes_nothing() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["EXAMINE", "UID FETCH"]).await {
            if asked.is("EXAMINE") {
                talk.opened(&asked, 2, 3, 5).await;
                continue;
            }
            if asked.text.contains("1:*") || asked.text.contains("1:2") {
                talk.message(1, 1, "one").await;
            }
            talk.message(2, 2, "two").await;
            talk.done(&asked).await;
        }
    })
    .await;
    let mut source = server.source().await;
    let inbox = FolderPath::inbox();
    source.folders().await.unwrap();
    source.state(&inbox).await.unwrap();
    source.list(&inbox).await.unwrap();
    read_out(source.read(plan(&["INBOX", "Sent", "ü"]), &holds()).await.unwrap()).await;
    read_out(source.items(&inbox, &[ItemId::from_u32(1), ItemId::from_u32(2)], &holds()).await.unwrap()).await;
    source.folders().await.unwrap();
    source.close().await;
    let allowed = [
        "AUTHENTICATE",
        "CAPABILITY",
        "ENABLE",
        "EXAMINE",
        "ID",
        "LIST",
        "LOGOUT",
        "LSUB",
        "NAMESPACE",
        "STATUS",
        "UID FETCH",
        "UID SEARCH",
        "UNSELECT",
    ];
    for line in server.heard() {
        assert!(allowed.iter().any(|known| line.starts_with(known)), "{line}");
        assert!(!line.contains("BODY[") && !line.contains("RFC822 "), "{line}");
    }
    assert!(server.has_heard("UID FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])") && server.has_heard("LOGOUT"));
}

#[tokio::test]
async fn folders_are_sent_for_ahead_of_their_answers() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        let mut asked = vec![talk.until("EXAMINE").await];
        // Nothing is answered until all has been asked.
        while asked.len() < 6 {
            asked.push(talk.hear().await.unwrap());
        }
        for (index, pair) in asked.chunks(2).enumerate() {
            talk.opened(&pair[0], 1, 2, 5).await;
            talk.message(1, 1, &format!("of folder {index}")).await;
            talk.done(&pair[1]).await;
        }
        talk.go_on().await;
    })
    .await;
    let (events, error) = read(&server, plan(&["a", "b", "c"])).await;
    assert_eq!(error, None);
    assert_eq!(
        short(&events).await,
        [
            "begin 0",
            "item 1 of folder 0",
            "end",
            "begin 1",
            "item 1 of folder 1",
            "end",
            "begin 2",
            "item 1 of folder 2",
            "end"
        ]
    );
}

#[tokio::test]
async fn what_comes_after_a_refused_examine_belongs_to_no_folder() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("EXAMINE \"a\"").await;
        talk.opened(&asked, 1, 2, 5).await;
        let asked = talk.until("UID FETCH").await;
        talk.message(1, 1, "of a").await;
        talk.done(&asked).await;
        let asked = talk.until("EXAMINE \"b\"").await;
        talk.end(&asked, "NO [NONEXISTENT] no such mailbox").await;
        // This server stays in the folder before, and answers for that one.
        let asked = talk.until("UID FETCH").await;
        talk.message(1, 1, "of a").await;
        talk.done(&asked).await;
        let asked = talk.until("EXAMINE \"c\"").await;
        talk.opened(&asked, 1, 2, 5).await;
        let asked = talk.until("UID FETCH").await;
        talk.message(1, 1, "of c").await;
        talk.done(&asked).await;
        talk.go_on().await;
    })
    .await;
    let (events, error) = read(&server, plan(&["a", "b", "c"])).await;
    assert_eq!(error, None);
    assert_eq!(
        short(&events).await,
        ["begin 0", "item 1 of a", "end", "begin 1", "skipped missing", "begin 2", "item 1 of c", "end"]
    );
}

#[tokio::test]
async fn an_item_left_out_of_an_answer_is_asked_for_alone_and_listed_if_it_does_not_come() {
    let fetch = &[
        "* 1 FETCH (UID 1 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {3}\r\none)",
        "* 3 FETCH (UID 3 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {5}\r\nthree)",
        "* 5 FETCH (UID 5 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {4}\r\nfive)",
    ];
    let events = first_reading(5, 6, fetch, |mut talk| async move {
        // Message 2 comes when it is asked for alone; message 4 never does.
        while let Some(asked) = talk.until_any(&["EXAMINE", "UID FETCH"]).await {
            if asked.is("EXAMINE") {
                talk.opened(&asked, 5, 6, 5).await;
                continue;
            }
            let (set, items) = asked.text["UID FETCH ".len()..].split_once(' ').unwrap();
            let uids: Vec<u32> = match set {
                "2:*" | "2:5" => vec![2, 3, 4, 5],
                "3:5" => vec![3, 4, 5],
                "3:4" => vec![3, 4],
                "4:5" => vec![4, 5],
                one => vec![one.parse().unwrap()],
            };
            for uid in &uids {
                if items == "(UID)" || items == "(UID FLAGS)" {
                    talk.lines(&[&format!("* {uid} FETCH (UID {uid} FLAGS ())")]).await;
                } else if *uid != 4 && (*uid != 2 || uids.len() == 1) {
                    let names = ["", "one", "two", "three", "four", "five"];
                    talk.message(*uid, *uid, names[*uid as usize]).await;
                }
            }
            talk.done(&asked).await;
        }
    })
    .await;
    assert_eq!(events, ["begin 0", "item 1 one", "item 2 two", "item 3 three", "unreadable 4", "item 5 five", "end"]);
}

#[tokio::test]
async fn an_item_left_out_at_the_end_is_missed_by_count() {
    let fetch = &["* 1 FETCH (UID 1 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {3}\r\none)"];
    let events = first_reading(2, 9, fetch, |mut talk| async move {
        let asked = talk.until("EXAMINE").await;
        talk.opened(&asked, 2, 9, 5).await;
        // FETCH does not list it, SEARCH does.
        let asked = talk.until("UID FETCH 2:* (UID)").await;
        talk.lines(&["* 1 FETCH (UID 1)"]).await;
        talk.done(&asked).await;
        let asked = talk.until("UID SEARCH RETURN (ALL) UID 2:*").await;
        talk.lines(&[&format!("* ESEARCH (TAG \"{}\") UID ALL 8", asked.tag)]).await;
        talk.done(&asked).await;
        let asked = talk.until("UID FETCH 8 ").await;
        talk.done(&asked).await;
        let asked = talk.until("UID FETCH 8 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])").await;
        talk.end(&asked, "NO [SERVERBUG] cannot open the file").await;
        let asked = talk.until("UID FETCH 8 (UID FLAGS)").await;
        talk.lines(&["* 2 FETCH (UID 8 FLAGS ())"]).await;
        talk.done(&asked).await;
        talk.go_on().await;
    })
    .await;
    assert_eq!(events, ["begin 0", "item 1 one", "unreadable 8", "end"]);
}

#[tokio::test]
async fn a_server_that_counts_more_than_it_lists_is_said_to() {
    let fetch = &["* 1 FETCH (UID 1 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {3}\r\none)"];
    let events = first_reading(2, 9, fetch, |mut talk| async move {
        let asked = talk.until("EXAMINE").await;
        talk.opened(&asked, 2, 9, 5).await;
        talk.go_on().await;
    })
    .await;
    assert_eq!(events, ["begin 0", "item 1 one", "skipped protocol"]);
}

#[tokio::test]
async fn bodies_that_are_none_are_asked_for_alone() {
    let fetch = &[
        "* 1 FETCH (UID 1 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] NIL)",
        "* 2 FETCH (UID 2 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] \"\")",
        "* 3 FETCH (UID 3 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] \"quo\\\\ted\")",
        "* 4 FETCH (UID 4 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {0}\r\n)",
        "* 5 FETCH (UID 5 FLAGS ())",
    ];
    let events = first_reading(5, 6, fetch, |mut talk| async move {
        while let Some(asked) = talk.until_any(&["EXAMINE", "UID FETCH"]).await {
            if asked.is("EXAMINE") {
                talk.opened(&asked, 5, 6, 5).await;
                continue;
            }
            let (set, items) = asked.text["UID FETCH ".len()..].split_once(' ').unwrap();
            let (first, last) = match set.split_once(':') {
                Some((first, "*")) => (first.parse().unwrap(), 5),
                Some((first, last)) => (first.parse().unwrap(), last.parse().unwrap()),
                None => (set.parse::<u32>().unwrap(), set.parse::<u32>().unwrap()),
            };
            let date = "INTERNALDATE \"01-Jan-2020 00:00:00 +0000\"";
            for uid in first..=last {
                let rest = match uid {
                    _ if !items.contains("BODY") => String::new(),
                    1 => format!("{date} BODY[] NIL"),
                    2 => format!("{date} RFC822.SIZE 100 BODY[] \"\""),
                    3 => format!("{date} BODY[] \"quo\\\\ted\""),
                    4 => format!("{date} RFC822.SIZE 0 BODY[] {{0}}\r\n"),
                    _ => format!("{date} BODY[] {{4}}\r\nfive"),
                };
                talk.lines(&[&format!("* {uid} FETCH (UID {uid} FLAGS () {rest})")]).await;
            }
            talk.done(&asked).await;
        }
    })
    .await;
    assert_eq!(events, ["begin 0", "unreadable 1", "unreadable 2", "item 3 quo\\ted", "item 4 ", "item 5 five", "end"]);
}

#[tokio::test]
async fn the_literal_is_trusted_not_the_size() {
    let fetch = &[
        "* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 99999999999 INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {3}\r\none)",
        "* 2 FETCH (UID 2 FLAGS () RFC822.SIZE 1 INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {8}\r\n* 1 BYE\n)",
    ];
    let events = first_reading(2, 3, fetch, nothing_more).await;
    assert_eq!(events, ["begin 0", "item 1 one", "item 2 * 1 BYE\n", "end"]);
}

#[tokio::test]
async fn news_in_the_middle_of_a_reading_are_no_items() {
    let fetch = &[
        "* 1 FETCH (UID 1 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {3}\r\none)",
        "* 1 FETCH (FLAGS (\\Seen))",
        "* 5 EXISTS",
        "* 1 FETCH (UID 1 FLAGS (\\Seen \\Flagged) MODSEQ (9))",
        "* OK [HIGHESTMODSEQ 9] more",
        "* X-UNKNOWN (a (b) {3}\r\nxyz)",
        "* 2 EXPUNGE",
        "* 2 FETCH (UID 3 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {5}\r\nthree)",
        "* VANISHED 1",
        "* 2 FETCH (UID 4 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {4}\r\nfour)",
        "* 2 FETCH (UID 4 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {4}\r\nfour)",
    ];
    let events = first_reading(4, 5, fetch, nothing_more).await;
    assert_eq!(events, ["begin 0", "item 1 one", "item 3 three", "item 4 four", "end"]);
}

#[tokio::test]
async fn a_refusal_in_the_middle_loses_only_the_one_at_fault() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("EXAMINE").await;
        talk.opened(&asked, 4, 5, 5).await;
        let asked = talk.until("UID FETCH 1:*").await;
        talk.message(1, 1, "one").await;
        talk.end(&asked, "NO cannot read message 2").await;
        while let Some(asked) = talk.until_any(&["EXAMINE", "UID FETCH"]).await {
            if asked.is("EXAMINE") {
                talk.opened(&asked, 4, 5, 5).await;
                continue;
            }
            let (set, items) = asked.text["UID FETCH ".len()..].split_once(' ').unwrap();
            let (first, last) = set.split_once(':').unwrap_or((set, set));
            let (first, last) = (first.parse::<u32>().unwrap(), last.parse().unwrap_or(4));
            let has_body = items.contains("BODY");
            for uid in (first..=last).take_while(|uid| *uid != 2 || !has_body) {
                if has_body {
                    talk.message(uid, uid, "text").await;
                } else {
                    talk.lines(&[&format!("* {uid} FETCH (UID {uid} FLAGS ())")]).await;
                }
            }
            let how = if has_body && (first..=last).contains(&2) { "NO cannot read message 2" } else { "OK" };
            talk.end(&asked, how).await;
        }
    })
    .await;
    let (events, error) = read(&server, plan(&["INBOX"])).await;
    assert_eq!(error, None);
    assert_eq!(short(&events).await, ["begin 0", "item 1 one", "unreadable 2", "item 3 text", "item 4 text", "end"]);
    let Event::Unreadable { error, .. } = &events[2] else { panic!() };
    assert_eq!((error.cause, error.server.as_deref()), (Cause::Unreadable, Some("NO cannot read message 2")));
}

#[tokio::test]
async fn an_item_removed_meanwhile_is_in_no_event() {
    let fetch = &[
        "* 1 FETCH (UID 1 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {3}\r\none)",
        "* 3 FETCH (UID 3 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {5}\r\nthree)",
    ];
    let events = first_reading(3, 4, fetch, |mut talk| async move {
        let asked = talk.until("EXAMINE").await;
        talk.opened(&asked, 2, 4, 6).await;
        while let Some(asked) = talk.until_any(&["UID FETCH"]).await {
            if asked.text.contains("BODY") && asked.text.contains('3') {
                talk.message(2, 3, "three").await;
            } else if asked.text.contains("(UID)") {
                talk.lines(&["* 2 FETCH (UID 3)"]).await;
            }
            talk.done(&asked).await;
        }
    })
    .await;
    assert_eq!(events, ["begin 0", "item 1 one", "item 3 three", "end"]);
}

#[tokio::test]
async fn a_body_cut_short_is_never_an_item_and_the_third_time_it_is_the_messages_fault() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        loop {
            let Some(asked) = talk.until_any(&["EXAMINE", "UID FETCH"]).await else { return };
            if asked.is("EXAMINE") {
                talk.opened(&asked, 3, 4, 5).await;
                continue;
            }
            if asked.text.contains("(UID)") {
                talk.lines(&["* 1 FETCH (UID 1)", "* 2 FETCH (UID 2)", "* 3 FETCH (UID 3)"]).await;
            } else {
                let set = asked.text.split(' ').nth(2).unwrap().to_owned();
                if set.starts_with('1') {
                    talk.message(1, 1, "one").await;
                }
                if set == "1:*" || set == "1:3" || set == "2:3" || set == "2" {
                    talk.say("* 2 FETCH (UID 2 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {100}\r\nonly a be")
                        .await;
                    return talk.close().await;
                }
                talk.message(3, 3, "three").await;
            }
            talk.done(&asked).await;
        }
    })
    .await;
    let connector = server.connector();
    for attempt in 0..3 {
        let mut source = connector::Connector::source(&connector, &crate::common::alice()).await.unwrap();
        let (events, error) = read_out(source.read(plan(&["INBOX"]), &holds()).await.unwrap()).await;
        assert_eq!(short(&events).await, ["begin 0", "item 1 one"], "attempt {attempt}");
        let error = error.unwrap();
        assert_eq!((error.cause, error.retry), (Cause::Connection, Retry::Now), "{error}");
    }
    let mut source = connector::Connector::source(&connector, &crate::common::alice()).await.unwrap();
    let (events, error) = read_out(source.read(plan(&["INBOX"]), &holds()).await.unwrap()).await;
    assert_eq!(error, None);
    assert_eq!(short(&events).await, ["begin 0", "item 1 one", "unreadable 2", "item 3 three", "end"]);
}

#[tokio::test]
async fn a_goodbye_in_the_middle_ends_the_session_with_the_servers_words() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("EXAMINE").await;
        talk.opened(&asked, 3, 4, 5).await;
        talk.until("UID FETCH").await;
        talk.message(1, 1, "one").await;
        talk.lines(&["* BYE Session throttled. Suggested Backoff Time: 2500 milliseconds"]).await;
        talk.close().await;
    })
    .await;
    let (events, error) = read(&server, plan(&["INBOX"])).await;
    assert_eq!(short(&events).await, ["begin 0", "item 1 one"], "what came whole before is kept");
    let error = error.unwrap();
    assert_eq!(error.cause, Cause::Throttled);
    assert_eq!(error.retry, Retry::Later(Some(std::time::Duration::from_millis(2500))));
    assert!(error.to_string().contains("Suggested Backoff Time"), "{error}");
}

#[tokio::test]
async fn a_throttled_fetch_makes_no_message_unreadable() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("EXAMINE").await;
        talk.opened(&asked, 3, 4, 5).await;
        let asked = talk.until("UID FETCH").await;
        talk.message(1, 1, "one").await;
        talk.end(&asked, "NO [OVERQUOTA] Account exceeded command or bandwidth limits.").await;
        talk.go_on().await;
    })
    .await;
    let (events, error) = read(&server, plan(&["INBOX"])).await;
    assert_eq!(short(&events).await, ["begin 0", "item 1 one"]);
    assert_eq!(error.unwrap().cause, Cause::Throttled);
}

#[tokio::test]
async fn a_small_budget_is_enough_for_many_items() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("EXAMINE").await;
        talk.opened(&asked, 500, 501, 5).await;
        let asked = talk.until("UID FETCH").await;
        for uid in 1..=500 {
            talk.message(uid, uid, &"x".repeat(uid as usize % 40)).await;
        }
        talk.done(&asked).await;
        // Bodies of no bytes are asked for again, alone.
        while let Some(asked) = talk.until_any(&["EXAMINE", "UID FETCH"]).await {
            if asked.is("EXAMINE") {
                talk.opened(&asked, 500, 501, 5).await;
                continue;
            }
            let (set, items) = asked.text["UID FETCH ".len()..].split_once(' ').unwrap();
            let (first, last) = set.split_once(':').unwrap_or((set, set));
            let (first, last) = (first.parse::<u32>().unwrap(), last.parse().unwrap_or(500));
            for uid in first..=last {
                if items.contains("BODY") {
                    talk.message(uid, uid, &"x".repeat(uid as usize % 40)).await;
                } else {
                    talk.lines(&[&format!("* {uid} FETCH (UID {uid})")]).await;
                }
            }
            talk.done(&asked).await;
        }
    })
    .await;
    let mut source = server.source().await;
    let limits = HoldsLimits { memory_bytes: 80, body_in_memory_bytes_max: 40, ..HoldsLimits::default() };
    let mut reading = source.read(plan(&["INBOX"]), &Holds::new(limits)).await.unwrap();
    let mut items = 0;
    loop {
        // Each lot is let go of before the next is asked for, as by an engine that writes them.
        let events = reading.next().await.unwrap();
        if events.is_empty() {
            break;
        }
        items += events.iter().filter(|event| matches!(event, Event::Item(_))).count();
    }
    assert_eq!(items, 500);
}

#[tokio::test]
async fn an_item_too_large_to_hold_is_listed_and_the_next_one_comes() {
    let fetch = |mut talk: Talk| async move {
        talk.greet().await;
        let asked = talk.until("EXAMINE").await;
        talk.opened(&asked, 2, 3, 5).await;
        let asked = talk.until("UID FETCH").await;
        talk.message(1, 1, &"x".repeat(1000)).await;
        talk.message(2, 2, "two").await;
        talk.done(&asked).await;
        talk.go_on().await;
    };
    let server = Server::start(RICH, fetch).await;
    let mut source = server.source().await;
    let limits =
        HoldsLimits { memory_bytes: 80, body_in_memory_bytes_max: 40, spool_bytes: 0, ..HoldsLimits::default() };
    let (events, error) = read_out(source.read(plan(&["INBOX"]), &Holds::new(limits)).await.unwrap()).await;
    assert_eq!(error, None);
    assert_eq!(short(&events).await, ["begin 0", "unreadable 1", "item 2 two", "end"]);
    let Event::Unreadable { error, .. } = &events[1] else { panic!() };
    assert_eq!(error.cause, Cause::NoRoomToHold);
}

#[tokio::test]
async fn a_reading_dropped_half_way_leaves_the_session_usable() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("EXAMINE").await;
        talk.opened(&asked, 3, 4, 5).await;
        let asked = talk.until("UID FETCH").await;
        for uid in 1..=3 {
            talk.message(uid, uid, "text").await;
        }
        talk.done(&asked).await;
        talk.go_on().await;
    })
    .await;
    let mut source = server.source().await;
    let holds = holds();
    let mut reading = source.read(plan(&["INBOX"]), &holds).await.unwrap();
    assert!(!reading.next().await.unwrap().is_empty());
    drop(reading);
    assert_eq!(source.state(&FolderPath::inbox()).await.unwrap().validity, 7);
}

#[tokio::test]
async fn exchanges_stand_in_for_a_message_is_not_the_message() {
    let server = Server::start("IMAP4rev1", |mut talk| async move {
        talk.say("* OK The Microsoft Exchange IMAP4 service is ready.\r\n").await;
        let asked = talk.until("EXAMINE").await;
        talk.opened(&asked, 2, 3, 0).await;
        let asked = talk.until("UID FETCH").await;
        talk.message(
            1,
            1,
            "Subject: Retrieval using the IMAP4 protocol failed for the following message: 3\r\n\r\nThe server couldn't \
             retrieve the following message:\r\n",
        )
        .await;
        talk.message(2, 2, "two").await;
        talk.done(&asked).await;
        talk.go_on().await;
    })
    .await;
    let (events, _) = read(&server, plan(&["INBOX"])).await;
    assert_eq!(short(&events).await, ["begin 0", "unreadable 1", "item 2 two", "end"]);
}

#[tokio::test]
async fn items_are_read_in_order_and_gone_ones_are_in_no_event() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("EXAMINE").await;
        talk.opened(&asked, 2, 9, 5).await;
        let asked = talk.until("UID FETCH 2,5,7 ").await;
        talk.message(1, 2, "two").await;
        talk.message(2, 7, "seven").await;
        talk.done(&asked).await;
        let asked = talk.until("UID FETCH 5 ").await;
        talk.done(&asked).await;
        let asked = talk.until("UID FETCH 5 (UID FLAGS)").await;
        talk.done(&asked).await;
        let asked = talk.until("UID FETCH 7 ").await;
        talk.message(2, 7, "seven").await;
        talk.done(&asked).await;
        talk.go_on().await;
    })
    .await;
    let mut source = server.source().await;
    let ids: Vec<ItemId> = [7, 2, 5, 2].map(ItemId::from_u32).to_vec();
    let holds = holds();
    let reading = source.items(&FolderPath::inbox(), &ids, &holds).await.unwrap();
    let (events, error) = read_out(reading).await;
    assert_eq!(error, None);
    assert_eq!(short(&events).await, ["item 2 two", "item 7 seven"]);
}
