//! Sizes and quotas from servers that do as they please.
#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

use crate::common::{RICH, Server, plan, since};
use connector::{Allowance, Error, ListedItem, Quota};
use model::Cause;

/// What is told of the sizes of `INBOX`, of which the server says that it holds so many, when FETCH is answered so.
async fn sizes(exists: u32, fetch: &'static [&'static str], how: &'static str) -> Result<Vec<ListedItem>, Error> {
    let server = Server::start(RICH, move |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("EXAMINE").await;
        talk.opened(&asked, exists, 10, 5).await;
        let asked = talk.until("UID FETCH").await;
        assert_eq!(asked.text, "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
        talk.lines(fetch).await;
        talk.end(&asked, how).await;
        talk.go_on().await;
    })
    .await;
    server.source().await.sizes(&plan(&["INBOX"])[0]).await
}

#[tokio::test]
async fn sizes_are_told_in_the_order_of_uids_without_what_goes_meanwhile() {
    let fetch = &[
        "* 2 FETCH (RFC822.SIZE 5000000000 UID 5 FLAGS ())",
        "* 1 FETCH (UID 3 FLAGS (\\Seen) INTERNALDATE \" 7-Feb-1994 21:52:25 -0800\" RFC822.SIZE 100)",
        "* 1 FETCH (FLAGS (\\Flagged))",
        "* 3 FETCH (UID 7 FLAGS () RFC822.SIZE 9)",
        "* VANISHED 7",
    ];
    let told = sizes(3, fetch, "OK done").await.unwrap();
    let short: Vec<(u32, u64)> = told.iter().map(|item| (item.id.as_u32().unwrap(), item.size_bytes)).collect();
    assert_eq!(short, [(3, 100), (5, 5_000_000_000)]);
    assert_eq!(told[0].received.map(|at| at.unix_seconds), Some(760_686_745));
    assert_eq!((told[0].flags.to_string().as_str(), told[1].received), ("\\Seen", None));
}

#[tokio::test]
async fn a_list_of_sizes_that_leaves_messages_out_is_none() {
    let error = sizes(2, &["* 1 FETCH (UID 3 FLAGS () RFC822.SIZE 100)"], "OK done").await.unwrap_err();
    assert_eq!((error.cause, error.ends_session()), (Cause::Protocol, false), "{error}");
    let error = sizes(2, &[], "NO [INUSE] later").await.unwrap_err();
    assert_eq!((error.cause, error.ends_session()), (Cause::Unavailable, false), "{error}");
}

#[tokio::test]
async fn behind_a_cursor_only_what_is_new_is_asked_for() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        let asked = talk.until("EXAMINE").await;
        talk.opened(&asked, 1, 4, 5).await;
        let asked = talk.until("UID FETCH 1:*").await;
        talk.message(1, 3, "one").await;
        talk.done(&asked).await;
        for (exists, next) in [(1, 4), (2, 9)] {
            let asked = talk.until("EXAMINE").await;
            talk.opened(&asked, exists, next, 6).await;
        }
        let asked = talk.until("UID FETCH").await;
        assert_eq!(asked.text, "UID FETCH 4:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
        // `4:*` gives the last message, whatever its UID.
        talk.lines(&["* 1 FETCH (UID 3 FLAGS () RFC822.SIZE 3)", "* 2 FETCH (UID 8 FLAGS () RFC822.SIZE 50)"]).await;
        talk.done(&asked).await;
        talk.go_on().await;
    })
    .await;
    let mut source = server.source().await;
    let reading = source.read(plan(&["INBOX"]), &crate::common::holds()).await.unwrap();
    let cursor = crate::common::last_cursor(&crate::common::read_out(reading).await.0);
    let behind = since("INBOX", &cursor).remove(0);
    assert_eq!(source.sizes(&behind).await.unwrap(), [], "UIDNEXT says that nothing is new");
    let told = source.sizes(&behind).await.unwrap();
    assert_eq!((told.len(), told[0].size_bytes), (1, 50));
}

#[tokio::test]
async fn a_quota_is_asked_each_time_and_of_two_roots_each_counts_for_itself() {
    let server = Server::start(&format!("{RICH} QUOTA"), |mut talk| async move {
        talk.greet().await;
        for used in [1, 2, 99] {
            let asked = talk.until("GETQUOTAROOT INBOX").await;
            let quota = format!("* QUOTA \"one\" (STORAGE {used} 100 MESSAGE 5 10)");
            talk.lines(&["* QUOTAROOT INBOX \"one\" \"all\"", &quota, "* QUOTA \"all\" (STORAGE 90 100)"]).await;
            talk.done(&asked).await;
        }
        let asked = talk.until("GETQUOTAROOT INBOX").await;
        talk.end(&asked, "NO not today").await;
        talk.go_on().await;
    })
    .await;
    let mut source = server.source().await;
    let kib = |used: u64| Allowance { used: used * 1024, max: 100 * 1024, unit: 1024 };
    let items = vec![Allowance { used: 5, max: 10, unit: 1 }];
    // The first was asked when the session was opened.
    for used in [2, 99] {
        let bytes = vec![kib(used), kib(90)];
        assert_eq!(source.quota().await.unwrap(), Quota { bytes, items: items.clone() });
    }
    assert_eq!(source.quota().await.unwrap(), Quota::default(), "a refusal says nothing");
}
