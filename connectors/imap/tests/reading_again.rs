//! Reading again what was read before: only what changed is told, and nobody is made to think that messages are gone.
#![allow(clippy::unwrap_used, clippy::format_push_string, reason = "a test, helpers included")]

use crate::common::{POOR, RICH, Server, holds, last_cursor, plan, read, read_out, short, since};
use connector::{Cursor, Event};

/// A server with one folder that was read up to UID 3 at HIGHESTMODSEQ 5, with messages 1 to 3.
async fn read_before(capabilities: &'static str) -> Cursor {
    let server = Server::start(capabilities, |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("EXAMINE").await;
        let change = if talk.capabilities.contains("CONDSTORE") { 5 } else { 0 };
        talk.opened(&asked, 3, 4, change).await;
        let asked = talk.until("UID FETCH").await;
        for (uid, text) in [(1, "one"), (2, "two"), (3, "three")] {
            talk.message(uid, uid, text).await;
        }
        talk.done(&asked).await;
        talk.go_on().await;
    })
    .await;
    let (events, error) = read(&server, plan(&["INBOX"])).await;
    assert_eq!(error, None);
    last_cursor(&events)
}

/// What a later reading gives, of a folder opened so, with these answers by the beginning of the command.
async fn later_reading(
    capabilities: &'static str,
    cursor: &Cursor,
    opened: (u32, u32, u64),
    answers: &'static [(&'static str, &'static [&'static str])],
) -> (Vec<String>, Vec<String>) {
    let server = Server::start(capabilities, move |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["EXAMINE", "UID FETCH"]).await {
            if asked.is("EXAMINE") {
                talk.opened(&asked, opened.0, opened.1, opened.2).await;
                continue;
            }
            let answer = answers.iter().find(|(beginning, _)| asked.is(beginning));
            let (_, lines) = answer.unwrap_or_else(|| panic!("{} was not expected", asked.text));
            talk.lines(lines).await;
            talk.done(&asked).await;
        }
    })
    .await;
    let (events, error) = read(&server, since("INBOX", cursor)).await;
    assert_eq!(error, None);
    let fetches = server.heard().into_iter().filter(|line| line.starts_with("UID FETCH")).collect();
    (short(&events).await, fetches)
}

const FOUR: &str = "* 3 FETCH (UID 4 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {4}\r\nfour)";

#[tokio::test]
async fn with_qresync_only_what_changed_is_told() {
    let cursor = read_before(RICH).await;
    let (events, fetches) = later_reading(
        RICH,
        &cursor,
        (3, 5, 9),
        &[
            (
                "UID FETCH 1:3 (UID FLAGS) (CHANGEDSINCE 5 VANISHED)",
                &["* VANISHED (EARLIER) 2,90:100", "* 2 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (8))"],
            ),
            ("UID FETCH 4:* (UID)", &["* 3 FETCH (UID 4)"]),
            ("UID FETCH 4:* (UID FLAGS INTERNALDATE BODY.PEEK[])", &[FOUR]),
        ],
    )
    .await;
    assert_eq!(events, ["begin 0", "flags 3:\\Seen", "gone 2", "item 4 four", "end"]);
    assert_eq!(fetches.len(), 3);
    let (events, fetches) = later_reading(RICH, &cursor, (3, 4, 5), &[]).await;
    assert_eq!(
        (events, fetches.len()),
        (vec!["begin 0".to_owned(), "end".to_owned()], 0),
        "nothing changed, nothing asked"
    );
}

#[tokio::test]
async fn with_condstore_a_missing_message_is_noticed_by_count() {
    const CAPABILITIES: &str = "IMAP4rev1 ENABLE CONDSTORE";
    let cursor = read_before(CAPABILITIES).await;
    let (events, fetches) = later_reading(
        CAPABILITIES,
        &cursor,
        (4, 5, 9),
        &[
            ("UID FETCH 1:3 (UID FLAGS) (CHANGEDSINCE 5)", &["* 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (8))"]),
            ("UID FETCH 4:* (UID)", &["* 4 FETCH (UID 4)"]),
            (
                "UID FETCH 4:* (UID FLAGS",
                &["* 4 FETCH (UID 4 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {4}\r\nfour)"],
            ),
        ],
    )
    .await;
    assert_eq!(events, ["begin 0", "flags 2:\\Seen", "item 4 four", "end"], "all three are there");
    assert_eq!(fetches.len(), 3);
    let (events, _) = later_reading(
        CAPABILITIES,
        &cursor,
        (3, 5, 9),
        &[
            ("UID FETCH 1:3 (UID FLAGS) (CHANGEDSINCE 5)", &[]),
            ("UID FETCH 4:* (UID)", &["* 3 FETCH (UID 4)"]),
            ("UID FETCH 1:3 (UID FLAGS)", &["* 1 FETCH (UID 1 FLAGS ())", "* 2 FETCH (UID 3 FLAGS ())"]),
            ("UID FETCH 4:* (UID FLAGS", &[FOUR]),
        ],
    )
    .await;
    assert_eq!(events, ["begin 0", "flags 1: 3:", "item 4 four", "end all"], "one is gone: all are compared");
}

#[tokio::test]
async fn a_plain_server_has_all_flags_compared() {
    let cursor = read_before(POOR).await;
    let (events, _) = later_reading(
        POOR,
        &cursor,
        (3, 5, 0),
        &[
            ("UID FETCH 1:3 (UID FLAGS)", &["* 1 FETCH (UID 1 FLAGS ())", "* 2 FETCH (FLAGS (\\Deleted) UID 3)"]),
            ("UID FETCH 4:* (UID)", &["* 3 FETCH (UID 4)"]),
            ("UID FETCH 4:* (UID FLAGS", &[FOUR]),
        ],
    )
    .await;
    assert_eq!(events, ["begin 0", "flags 1: 3:\\Deleted", "item 4 four", "end all"]);
}

#[tokio::test]
async fn the_last_message_given_for_an_empty_range_is_not_new() {
    let cursor = read_before(POOR).await;
    let (events, _) = later_reading(
        POOR,
        &cursor,
        (3, 5, 0),
        &[
            (
                "UID FETCH 1:3 (UID FLAGS)",
                &["* 1 FETCH (UID 1 FLAGS ())", "* 2 FETCH (UID 2 FLAGS ())", "* 3 FETCH (UID 3 FLAGS ())"],
            ),
            ("UID FETCH 4:* (UID)", &["* 3 FETCH (UID 3)"]),
        ],
    )
    .await;
    assert_eq!(events, ["begin 0", "flags 1: 2: 3:", "end all"]);
}

#[tokio::test]
async fn an_incomplete_list_makes_nobody_think_that_messages_are_gone() {
    let cursor = read_before(POOR).await;
    let (events, _) = later_reading(
        POOR,
        &cursor,
        (3, 4, 0),
        &[("UID FETCH 1:3 (UID FLAGS)", &["* 1 FETCH (UID 1 FLAGS ())", "* 3 FETCH (UID 3 FLAGS ())"])],
    )
    .await;
    assert_eq!(events, ["begin 0", "flags 1: 3:", "skipped protocol"], "a number is left out");
    let (events, _) =
        later_reading(POOR, &cursor, (3, 4, 0), &[("UID FETCH 1:3 (UID FLAGS)", &["* 1 FETCH (UID 1 FLAGS ())"])])
            .await;
    assert_eq!(events, ["begin 0", "flags 1:", "skipped protocol"], "the end is left out");
}

#[tokio::test]
async fn a_folder_that_stands_lower_than_before_is_compared_whole() {
    let cursor = read_before(RICH).await;
    for opened in [(2, 3, 9), (2, 4, 4), (2, 4, 0)] {
        let (events, _) = later_reading(
            RICH,
            &cursor,
            opened,
            &[("UID FETCH 1:3 (UID FLAGS)", &["* 1 FETCH (UID 1 FLAGS ())", "* 2 FETCH (UID 2 FLAGS ())"])],
        )
        .await;
        assert_eq!(events, ["begin 0", "flags 1: 2:", "end all"], "{opened:?}");
    }
}

#[tokio::test]
async fn a_server_that_says_everything_vanished_is_compared_instead() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("EXAMINE").await;
        talk.opened(&asked, 3, 4_000_000_000, 5).await;
        let asked = talk.until("UID FETCH").await;
        for (number, uid) in [(1, 1), (2, 2), (3, 3_999_999_999)] {
            talk.message(number, uid, "text").await;
        }
        talk.done(&asked).await;
        let asked = talk.until("EXAMINE").await;
        talk.opened(&asked, 1, 4_000_000_000, 6).await;
        let asked = talk.until("UID FETCH 1:3999999999 (UID FLAGS) (CHANGEDSINCE 5 VANISHED)").await;
        talk.lines(&["* VANISHED (EARLIER) 1:3999999998"]).await;
        talk.done(&asked).await;
        let asked = talk.until("UID FETCH 1:3999999999 (UID FLAGS)").await;
        talk.lines(&["* 1 FETCH (UID 3999999999 FLAGS ())"]).await;
        talk.done(&asked).await;
        talk.go_on().await;
    })
    .await;
    let mut source = server.source().await;
    let (events, _) = read_out(source.read(plan(&["INBOX"]), &holds()).await.unwrap()).await;
    let cursor = last_cursor(&events);
    let (events, error) = read_out(source.read(since("INBOX", &cursor), &holds()).await.unwrap()).await;
    assert_eq!(error, None);
    assert_eq!(short(&events).await, ["begin 0", "flags 3999999999:", "end all"]);
}

#[tokio::test]
async fn a_folder_made_anew_is_read_from_its_beginning() {
    let cursor = read_before(RICH).await;
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("EXAMINE").await;
        talk.lines(&["* 1 EXISTS", "* OK [UIDVALIDITY 8]", "* OK [UIDNEXT 9]", "* OK [NOMODSEQ]"]).await;
        talk.done(&asked).await;
        let asked = talk.until("UID FETCH 1:*").await;
        talk.message(1, 1, "anew").await;
        talk.done(&asked).await;
        talk.go_on().await;
    })
    .await;
    let (events, _) = read(&server, since("INBOX", &cursor)).await;
    assert_eq!(short(&events).await, ["begin 0", "item 1 anew", "end"]);
    let Event::Begin { state, .. } = &events[0] else { panic!() };
    assert_eq!((state.validity, state.change), (8, 0));
}

#[tokio::test]
async fn a_reading_broken_off_goes_on_at_its_cursor() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("EXAMINE").await;
        talk.opened(&asked, 3, 4, 5).await;
        talk.until("UID FETCH 1:*").await;
        talk.message(1, 1, "one").await;
        talk.message(2, 2, "two").await;
        talk.close().await;
    })
    .await;
    let (events, _) = read(&server, plan(&["INBOX"])).await;
    let Event::Item(item) = &events[1] else { panic!() };
    let cursor = item.then.clone().unwrap();
    let (events, _) = later_reading(
        RICH,
        &cursor,
        (3, 4, 5),
        &[
            ("UID FETCH 2:* (UID)", &["* 2 FETCH (UID 2)", "* 3 FETCH (UID 3)"]),
            (
                "UID FETCH 2:* (UID FLAGS",
                &[
                    "* 2 FETCH (UID 2 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {3}\r\ntwo)",
                    "* 3 FETCH (UID 3 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {5}\r\nthree)",
                ],
            ),
        ],
    )
    .await;
    assert_eq!(events, ["begin 0", "item 2 two", "item 3 three", "end"]);
}

#[tokio::test]
async fn a_cursor_in_the_middle_of_a_later_reading_tells_changes_again() {
    let cursor = read_before(RICH).await;
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("EXAMINE").await;
        talk.opened(&asked, 5, 6, 9).await;
        let asked = talk.until("UID FETCH 1:3").await;
        talk.lines(&["* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (9))"]).await;
        talk.done(&asked).await;
        let asked = talk.until("UID FETCH 4:* (UID)").await;
        talk.lines(&["* 4 FETCH (UID 4)", "* 5 FETCH (UID 5)"]).await;
        talk.done(&asked).await;
        talk.until("UID FETCH 4:*").await;
        talk.message(4, 4, "four").await;
        talk.close().await;
    })
    .await;
    let (events, error) = read(&server, since("INBOX", &cursor)).await;
    assert!(error.is_some());
    assert_eq!(short(&events).await, ["begin 0", "flags 1:\\Seen", "item 4 four"]);
    let Event::Item(item) = &events[2] else { panic!() };
    let (events, _) = later_reading(
        RICH,
        item.then.as_ref().unwrap(),
        (5, 6, 9),
        &[
            ("UID FETCH 1:4 (UID FLAGS) (CHANGEDSINCE 5 VANISHED)", &["* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (9))"]),
            ("UID FETCH 5:* (UID)", &["* 5 FETCH (UID 5)"]),
            (
                "UID FETCH 5:* (UID FLAGS",
                &["* 5 FETCH (UID 5 FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {4}\r\nfive)"],
            ),
        ],
    )
    .await;
    assert_eq!(events, ["begin 0", "flags 1:\\Seen", "item 5 five", "end"]);
}

#[tokio::test]
async fn a_folder_without_uidvalidity_is_not_read() {
    let server = Server::start(POOR, |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("EXAMINE").await;
        talk.lines(&["* 1 EXISTS", "* OK [UIDNEXT 2]"]).await;
        talk.done(&asked).await;
        let asked = talk.until("UID FETCH").await;
        talk.message(1, 1, "one").await;
        talk.done(&asked).await;
        talk.go_on().await;
    })
    .await;
    let (events, _) = read(&server, plan(&["INBOX"])).await;
    assert_eq!(short(&events).await, ["begin 0", "skipped unsupported"]);
}
