//! Moves, subscriptions and removed folders: what servers answer, and what is made of it.
#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

use std::sync::Arc;

use crate::common::{NotingDoor, RICH, Server, Talk, alice, inbox};
use connector::{Connector, Effect, Error, Moved, Target};
use model::{Cause, Flags, FolderPath, ItemId, Scope};

const MOVES: &str = "IMAP4rev1 UIDPLUS MOVE CONDSTORE LIST-EXTENDED";

fn path(name: &str) -> FolderPath {
    FolderPath::new([name])
}

fn ids(uids: &[u32]) -> Vec<ItemId> {
    uids.iter().copied().map(ItemId::from_u32).collect()
}

/// Answers FETCH with these messages.
async fn fetched(talk: &mut Talk, uids: &[u32]) {
    for (number, uid) in uids.iter().enumerate() {
        talk.lines(&[&format!("* {} FETCH (UID {uid} FLAGS (\\Seen))", number + 1)]).await;
    }
}

/// What comes of moving messages 1 to 4 of INBOX, of which 4 is not there, where UID MOVE is answered so and these are left;
/// and what was heard of the move. An answer that begins with a star is said, and then the connection is closed.
async fn moved(answers: &'static [&'static str], left: &'static [u32]) -> (Result<Vec<Moved>, Error>, Vec<String>) {
    let server = Server::start(MOVES, move |mut talk| async move {
        talk.greet().await;
        let mut is_moved = false;
        while let Some(asked) = talk.until_any(&["SELECT", "UID FETCH", "UID MOVE"]).await {
            if asked.is("SELECT") {
                talk.opened(&asked, 3, 9, 5).await;
            } else if asked.is("UID FETCH") {
                fetched(&mut talk, if is_moved { left } else { &[1, 2, 3] }).await;
                talk.done(&asked).await;
            } else {
                is_moved = true;
                let Some((last, before)) = answers.split_last() else { return talk.close().await };
                talk.lines(before).await;
                talk.end(&asked, last).await;
            }
        }
    })
    .await;
    let mut target = server.target().await;
    assert!(target.offers().moves);
    let moved = target.move_items(inbox(), &path("new home"), &ids(&[3, 1, 2, 4])).await;
    let heard = server.heard().into_iter().filter(|line| line.contains("MOVE") || line.contains("EXPUNGE")).collect();
    (moved, heard)
}

fn there(uid: u32) -> Moved {
    Moved::There(Some(ItemId::from_u32(uid)))
}

#[tokio::test]
async fn new_uids_are_told_before_the_old_ones_go_or_with_the_end() {
    let (before, heard) = moved(&["* OK [COPYUID 9 1:3 20:22] moved", "* 1 EXPUNGE", "OK done"], &[]).await;
    assert_eq!(before.unwrap(), [there(22), there(20), there(21), Moved::Gone]);
    assert_eq!(heard, ["UID MOVE 1:3 \"new home\""]);
    let (at_the_end, _) = moved(&["* VANISHED 1:3", "OK [COPYUID 9 1:3 20:22] moved"], &[]).await;
    assert_eq!(at_the_end.unwrap(), [there(22), there(20), there(21), Moved::Gone]);
}

#[tokio::test]
async fn where_no_new_uid_is_told_the_messages_are_there_all_the_same() {
    let nowhere = Moved::There(None);
    for answers in [&["OK done"][..], &["* OK [COPYUID 9 1:3 20:21]", "OK"]] {
        let (moved, _) = moved(answers, &[]).await;
        assert_eq!(moved.unwrap(), [nowhere.clone(), nowhere.clone(), nowhere.clone(), Moved::Gone], "{answers:?}");
    }
    let (moved, _) = moved(&["* OK [COPYUID 9 1,3 20:21]", "OK"], &[]).await;
    assert_eq!(moved.unwrap(), [there(21), there(20), Moved::Gone, Moved::Gone], "2 went before it was its turn");
}

#[tokio::test]
async fn a_refusal_moves_nothing_or_is_in_doubt() {
    for (answer, cause) in [
        ("NO [TRYCREATE] no such mailbox", Cause::Missing),
        ("NO [OVERQUOTA] full", Cause::OverQuota),
        ("NO [NOPERM] no", Cause::Permission),
        ("BAD what?", Cause::Protocol),
    ] {
        let answers: &'static [&'static str] = Box::leak(Box::new([answer]));
        let error = moved(answers, &[1, 2, 3]).await.0.unwrap_err();
        assert_eq!((error.cause, error.scope), (cause, Scope::Folder), "{answer}");
        let error = moved(answers, &[2, 3]).await.0.unwrap_err();
        assert_eq!((error.cause, error.scope), (Cause::InDoubt, Scope::Folder), "{answer}: one is gone");
        assert_eq!(error.server.as_deref(), Some(answer));
    }
    let error = moved(&["* OK [COPYUID 9 1 20]", "NO [LIMIT] so many and no more"], &[1, 2, 3]).await.0.unwrap_err();
    assert_eq!(error.cause, Cause::InDoubt, "there is a copy of one");
    let error = moved(&["OK [COPYUID 9 1:3 20:22] done"], &[2]).await.0.unwrap_err();
    assert_eq!(error.cause, Cause::InDoubt, "moved, and still there");
}

#[tokio::test]
async fn a_lost_answer_to_a_move_is_in_doubt() {
    let error = moved(&[], &[]).await.0.unwrap_err();
    assert_eq!(error.cause, Cause::InDoubt);
    assert!(error.ends_session());
}

#[tokio::test]
async fn a_server_that_can_not_move_or_not_say_where_to_is_not_asked_to() {
    for capabilities in ["IMAP4rev1", "IMAP4rev1 MOVE", RICH] {
        let server = Server::start(capabilities, |mut talk| async move {
            talk.greet().await;
            talk.go_on().await;
        })
        .await;
        let mut target = server.target().await;
        let error = target.move_items(inbox(), &path("x"), &ids(&[1])).await.unwrap_err();
        assert_eq!((error.cause, error.scope), (Cause::Unsupported, Scope::Folder));
        assert!(!target.offers().moves && !server.has_heard("UID MOVE"));
    }
}

#[tokio::test]
async fn thousands_of_messages_are_moved_by_commands_of_a_length_that_servers_take() {
    let server = Server::start(MOVES, |mut talk| async move {
        talk.greet().await;
        let all: Vec<u32> = (1..=3000).map(|n| n * 2).collect();
        let (mut is_moved, mut next) = (false, 1);
        while let Some(asked) = talk.until_any(&["UID FETCH", "UID MOVE"]).await {
            let set = asked.text.split(' ').nth(2).unwrap();
            let count = set.split(',').count() as u32;
            if asked.is("UID MOVE") {
                is_moved = true;
                let code = format!("* OK [COPYUID 9 {set} {next}:{}]", next + count - 1);
                talk.lines(&[&code]).await;
                next += count;
            } else if !is_moved {
                let part: Vec<u32> =
                    all.iter().copied().filter(|uid| set.split(',').any(|s| s == uid.to_string())).collect();
                fetched(&mut talk, &part).await;
            }
            talk.done(&asked).await;
        }
    })
    .await;
    let all: Vec<u32> = (1..=3000).map(|n| n * 2).collect();
    let moved = server.target().await.move_items(inbox(), &path("x"), &ids(&all)).await.unwrap();
    assert!(moved == (1..=3000).map(there).collect::<Vec<_>>());
    let lengths: Vec<usize> =
        server.heard().iter().filter(|line| line.starts_with("UID MOVE")).map(String::len).collect();
    assert!(lengths.len() > 3 && lengths.iter().all(|length| *length < 8000), "{lengths:?}");
}

#[tokio::test]
async fn flags_are_read_from_a_folder_that_is_only_opened_to_read() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["UID FETCH"]).await {
            fetched(&mut talk, &[2, 7]).await;
            talk.done(&asked).await;
        }
    })
    .await;
    let flags = server.target().await.flags(inbox(), &ids(&[7, 3])).await.unwrap();
    assert_eq!(flags, [Some(Flags::of(["\\Seen"])), None]);
    assert!(server.has_heard("EXAMINE") && !server.has_heard("SELECT"), "{:?}", server.heard());
}

#[tokio::test]
async fn what_is_followed_already_or_no_longer_is_well() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["SUBSCRIBE", "UNSUBSCRIBE", "LIST \"\" \"*\""]).await {
            if asked.is("LIST") {
                talk.lines(&["* LIST () \"/\" INBOX", "* LIST (\\Subscribed) \"/\" yes", "* LIST () \"/\" no"]).await;
                talk.done(&asked).await;
            } else {
                talk.end(&asked, "NO not possible").await;
            }
        }
    })
    .await;
    let mut target = server.target().await;
    target.subscribe(&path("yes"), true).await.unwrap();
    target.subscribe(&path("no"), false).await.unwrap();
    target.subscribe(&path("not there"), false).await.unwrap();
    for (name, subscribed) in [("yes", false), ("no", true), ("not there", true)] {
        let error = target.subscribe(&path(name), subscribed).await.unwrap_err();
        assert_eq!((error.cause, error.scope), (Cause::Unavailable, Scope::Folder), "{name}");
    }
}

/// Whether the folder `a` is removed where the server answers these commands so, and what was heard from then on.
async fn removed(
    list: &'static [&'static str],
    below: &'static [&'static str],
    status: (&'static str, &'static str),
    delete: &'static str,
) -> (Result<bool, Error>, Vec<String>) {
    let server = Server::start(MOVES, move |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["LIST \"\" \"a", "STATUS \"a\"", "DELETE", "UNSUBSCRIBE"]).await {
            let end = if asked.is("STATUS") {
                talk.lines(&[status.0]).await;
                status.1
            } else if asked.is("DELETE") {
                delete
            } else if asked.is("LIST") {
                talk.lines(if asked.text.ends_with("/*\"") { below } else { list }).await;
                "OK"
            } else {
                "NO there was none"
            };
            talk.end(&asked, end).await;
        }
    })
    .await;
    let removed = server.target().await.remove_folder(&path("a")).await;
    let heard = server.heard();
    let first = heard.iter().position(|line| line.starts_with("EXAMINE \"INBOX\"")).unwrap();
    (removed, heard[first + 1..].to_vec())
}

#[tokio::test]
async fn a_folder_is_removed_only_where_every_answer_says_that_it_holds_nothing() {
    let alone: &[&str] = &["* LIST (\\HasNoChildren) \"/\" a"];
    let empty = ("* STATUS a (MESSAGES 0)", "OK");
    let (gone, heard) = removed(alone, &[], empty, "OK").await;
    assert!(gone.unwrap());
    let all = ["LIST \"\" \"a\"", "LIST \"\" \"a/*\"", "STATUS \"a\" (MESSAGES)", "DELETE \"a\"", "UNSUBSCRIBE \"a\""];
    assert_eq!(heard, all);
    let (gone, heard) = removed(alone, &[], empty, "NO [NONEXISTENT] somebody was faster").await;
    assert!(gone.unwrap() && heard.len() == 5);

    for (why, list, below, status) in [
        ("a message", alone, &[][..], ("* STATUS a (MESSAGES 1)", "OK")),
        ("nothing said", alone, &[], ("* STATUS a (UIDNEXT 1)", "OK")),
        ("of another folder", alone, &[], ("* STATUS b (MESSAGES 0)", "OK")),
        ("no status", alone, &[], ("* OK", "NO [NONEXISTENT] not there")),
        ("one below", alone, &["* LIST () \"/\" a/b"], empty),
        ("some below", &["* LIST (\\HasChildren) \"/\" a"], &[], empty),
        ("no folder", &["* LIST (\\Noselect) \"/\" a"], &[], empty),
        ("not listed", &[], &[], empty),
    ] {
        let (gone, heard) = removed(list, below, status, "OK").await;
        assert!(!gone.unwrap(), "{why}");
        assert!(!heard.iter().any(|line| line.starts_with("DELETE")), "{why}: {heard:?}");
    }
    let (gone, _) = removed(alone, &["* LIST () \"/\" ab", "* LIST () \"/\" a"], empty, "OK").await;
    assert!(gone.unwrap(), "others of a like name are not below it");
}

#[tokio::test]
async fn a_folder_that_is_not_there_or_may_not_go() {
    let (gone, heard) = removed(&[], &[], ("* OK", "NO [NONEXISTENT] not there"), "OK").await;
    assert!(gone.unwrap());
    assert_eq!(heard.last().unwrap(), "UNSUBSCRIBE \"a\"", "what was left undone is done");
    assert!(!heard.iter().any(|line| line.starts_with("DELETE")), "{heard:?}");
    let alone: &[&str] = &["* LIST () \"/\" a"];
    let (gone, heard) = removed(alone, &[], ("* STATUS a (MESSAGES 0)", "OK"), "NO [HASCHILDREN] no").await;
    assert!(!gone.unwrap() && heard.last().unwrap().starts_with("DELETE"));
    let (gone, _) = removed(alone, &[], ("* STATUS a (MESSAGES 0)", "OK"), "NO [NOPERM] no").await;
    assert_eq!(gone.unwrap_err().cause, Cause::Permission);
    let (gone, _) = removed(alone, &[], ("* OK", "NO [NOPERM] no"), "OK").await;
    assert_eq!(gone.unwrap_err().cause, Cause::Permission);
}

#[tokio::test]
async fn inbox_is_never_removed() {
    let server = Server::start(RICH, |mut talk| async move {
        talk.greet().await;
        talk.go_on().await;
    })
    .await;
    assert!(!server.target().await.remove_folder(&FolderPath::inbox()).await.unwrap());
    assert!(!server.has_heard("DELETE"));
}

#[tokio::test]
async fn moves_subscriptions_and_removed_folders_pass_the_door() {
    for (effect, verb) in [
        (Effect::Move, "UID MOVE"),
        (Effect::Subscribe, "UNSUBSCRIBE"),
        (Effect::RemoveFolder, "DELETE"),
        (Effect::Flags, "UID STORE"),
    ] {
        let capabilities = if effect == Effect::Flags { "IMAP4rev1" } else { MOVES };
        let server = Server::start(capabilities, |mut talk| async move {
            talk.greet().await;
            while let Some(asked) = talk.until_any(&["UID FETCH", "LIST \"\" \"a\"", "STATUS \"a\""]).await {
                if asked.is("UID FETCH") {
                    fetched(&mut talk, &[1]).await;
                }
                let line = if asked.is("STATUS") { "* STATUS a (MESSAGES 0)" } else { "* LIST () \"/\" a" };
                talk.lines(&[line]).await;
                talk.done(&asked).await;
            }
        })
        .await;
        let door = Arc::new(NotingDoor::default());
        door.shut(effect);
        let mut target = server.connector().target(&alice(), door.clone()).await.unwrap();
        let error = act(target.as_mut(), effect).await.unwrap_err();
        assert_eq!(error.cause, Cause::LeaseLapsed, "{verb}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert!(server.heard().iter().all(|line| !line.contains(verb)), "{verb}: {:?}", server.heard());
    }
}

async fn act(target: &mut dyn Target, effect: Effect) -> Result<(), Error> {
    match effect {
        Effect::Move => target.move_items(inbox(), &path("a"), &ids(&[1])).await.map(|_| ()),
        Effect::Subscribe => target.subscribe(&path("a"), false).await,
        Effect::RemoveFolder => target.remove_folder(&path("a")).await.map(|_| ()),
        _ => target.remove(inbox(), &ids(&[1]), None).await.map(|_| ()),
    }
}
