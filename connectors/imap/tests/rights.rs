//! Rights of folders: what servers say, what is made of it, and what is sent to them.
#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

use std::sync::Arc;

use crate::common::{NotingDoor, Server, alice};
use connector::{Connector, Effect, Error, Granted, Holder, NewRight, Rights};
use model::{Cause, FolderPath, Letters};

const NEW: &str = "IMAP4rev1 ACL RIGHTS=texk ID";
const OLD: &str = "IMAP4rev1 ACL";

/// A server that names itself so, and gives these answers to GETACL and to SETACL. An empty answer closes the connection.
async fn server(capabilities: &str, name: &'static str, list: &'static [&'static str], set: &'static str) -> Server {
    Server::start(capabilities, move |mut talk| async move {
        talk.greet().await;
        while let Some(asked) = talk.until_any(&["ID", "GETACL", "SETACL"]).await {
            if asked.is("ID") {
                talk.say(format!("* ID (\"name\" \"{name}\")\r\n")).await;
                talk.done(&asked).await;
            } else if asked.is("GETACL") {
                let Some((ending, before)) = list.split_last() else { return talk.close().await };
                talk.lines(before).await;
                talk.end(&asked, ending).await;
            } else if set.is_empty() {
                return talk.close().await;
            } else {
                talk.end(&asked, set).await;
            }
        }
    })
    .await
}

async fn to_add(server: &Server, door: &Arc<NotingDoor>) -> Box<dyn Rights> {
    server.connector().rights(&alice(), Some(door.clone())).await.unwrap().unwrap()
}

fn right(account: &str, letters: &str) -> NewRight {
    NewRight { folder: FolderPath::inbox(), account: account.to_owned(), letters: Letters::known(letters) }
}

fn sent(server: &Server) -> Vec<String> {
    server.heard().into_iter().filter(|line| line.contains("SETACL")).collect()
}

#[tokio::test]
async fn a_list_is_read_without_the_owners_own() {
    let list = &[
        "* ACL INBOX Alice lrswipkxtecda owner lr bob lrs -bob s $staff lr group:ward l #carl l anyone lr \"o \\\"b\" \"\" dee lr?9",
        "OK done",
    ];
    let server = server(NEW, "Test", list, "OK done").await;
    let mut rights = server.connector().rights(&alice(), None).await.unwrap().unwrap();
    assert_eq!(rights.letters(), Letters::ALL);
    let read = rights.rights().await.unwrap();
    assert_eq!((read.left_out, read.folders.len(), read.unread.len()), (2, 1, 0));
    assert_eq!(read.owner.as_deref(), Some("Alice"), "as the server writes it");
    let line = |right: &connector::FolderRight| {
        let to = match &right.to {
            Holder::Account(name) => name.clone(),
            Holder::Group(name) => format!("group {name}"),
            Holder::Everybody(word) => format!("everybody {word}"),
        };
        let signs = format!("{}{}", if right.is_denied { "-" } else { "" }, if right.is_inherited { "#" } else { "" });
        format!("{signs}{to} {}{}", right.letters, right.unknown)
    };
    let lines: Vec<String> = read.rights.iter().map(line).collect();
    let expected =
        ["bob lrs", "-bob s", "group staff lr", "group ward l", "#carl l", "everybody anyone lr", "o \"b ", "dee lr9?"];
    assert_eq!(lines, expected);
    assert!(sent(&server).is_empty());
}

#[tokio::test]
async fn a_folder_whose_list_is_refused_is_named_and_a_server_without_lists_has_none() {
    let refusing = server(NEW, "Test", &["NO [NOPERM] not yours"], "OK done").await;
    let mut rights = refusing.connector().rights(&alice(), None).await.unwrap().unwrap();
    let read = rights.rights().await.unwrap();
    assert_eq!((read.rights.len(), read.unread.len(), read.unread[0].1.cause), (0, 1, Cause::Permission));
    let without = server("IMAP4rev1", "Test", &["OK done"], "OK done").await;
    assert!(without.connector().rights(&alice(), None).await.unwrap().is_none());
}

#[tokio::test]
async fn only_what_is_missing_is_added_and_passes_the_door() {
    let server = server(NEW, "Test", &["* ACL INBOX alice lrswipkxtea bob lrs dee lrsn", "OK done"], "OK done").await;
    let door = Arc::new(NotingDoor::default());
    let mut rights = to_add(&server, &door).await;
    let added = rights.add(&[right("Bob", "lri"), right("dee", "lr"), right("o\"x\\y", "ln")]).await.unwrap();
    assert_eq!(
        added.into_iter().map(Result::unwrap).collect::<Vec<_>>(),
        [Granted::Added, Granted::WasThere, Granted::Added]
    );
    // What the server has no letter for is left off.
    assert_eq!(sent(&server), ["SETACL \"INBOX\" \"Bob\" +i", "SETACL \"INBOX\" \"o\\\"x\\\\y\" +l"]);
    assert_eq!(door.notes(), ["before grant", "after grant", "before grant", "after grant"]);
}

/// On Dovecot an own entry takes the place of that of everybody or a group; on Cyrus they add up.
#[tokio::test]
async fn nobody_is_left_with_less_than_they_have() {
    let list = &["* ACL INBOX anyone lrs $staff lrswi", "OK done"];
    for (name, letters, is_added) in
        [("Dovecot", "lr", false), ("Dovecot", "lrswit", true), ("Dovecot", "lrs", false), ("Cyrus IMAP", "lr", true)]
    {
        let server = server(NEW, name, list, "OK done").await;
        let mut rights = to_add(&server, &Arc::new(NotingDoor::default())).await;
        let outcome = rights.add(&[right("bob", letters)]).await.unwrap().remove(0);
        assert_eq!((outcome.is_ok(), sent(&server).len()), (is_added, usize::from(is_added)), "{name} {letters}");
    }
    // And who has an entry of their own already is only ever given more.
    let own = server(NEW, "Dovecot", &["* ACL INBOX anyone lrs bob l", "OK done"], "OK done").await;
    let mut rights = to_add(&own, &Arc::new(NotingDoor::default())).await;
    assert_eq!(rights.add(&[right("bob", "lr")]).await.unwrap(), [Ok(Granted::Added)]);
    assert_eq!(sent(&own), ["SETACL \"INBOX\" \"bob\" +r"]);
    // What is denied there stays denied.
    let denied = server(NEW, "Cyrus", &["* ACL INBOX -bob r", "OK done"], "OK done").await;
    let mut rights = to_add(&denied, &Arc::new(NotingDoor::default())).await;
    assert!(rights.add(&[right("bob", "lr")]).await.unwrap()[0].is_err());
    assert!(sent(&denied).is_empty());
}

#[tokio::test]
async fn an_old_server_is_given_its_own_letters_and_never_more() {
    let server = server(OLD, "Test", &["* ACL INBOX alice lrswipcda", "OK done"], "OK done").await;
    let mut rights = to_add(&server, &Arc::new(NotingDoor::default())).await;
    let outcomes = rights.add(&[right("bob", "lrkxte"), right("cyd", "lrte"), right("dee", "te")]).await.unwrap();
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(sent(&server), ["SETACL \"INBOX\" \"bob\" +lrcd", "SETACL \"INBOX\" \"cyd\" +lr"]);
}

#[tokio::test]
async fn a_refusal_is_told_and_an_answer_that_does_not_come_is_in_doubt() {
    let added =
        async |set: &'static str, door: &Arc<NotingDoor>| -> (Result<Vec<Result<Granted, Error>>, Error>, usize) {
            let server = server(NEW, "Test", &["* ACL INBOX alice lrswipkxtea", "OK done"], set).await;
            let added = to_add(&server, door).await.add(&[right("bob", "lr")]).await;
            (added, sent(&server).len())
        };
    let door = Arc::new(NotingDoor::default());
    let (refused, _) = added("NO [NOPERM] not you", &door).await;
    assert_eq!(refused.unwrap()[0].as_ref().unwrap_err().cause, Cause::Permission);
    let (doubt, _) = added("", &door).await;
    assert_eq!(doubt.unwrap_err().cause, Cause::InDoubt);
    door.shut(Effect::Grant);
    let (shut, heard) = added("OK done", &door).await;
    assert_eq!((shut.unwrap_err().cause, heard), (Cause::LeaseLapsed, 0), "nothing of it leaves");
}
