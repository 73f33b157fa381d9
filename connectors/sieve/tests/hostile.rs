//! Servers that do as they please.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use connector::{Error, OpenDoor, Retry, Router};
use model::{Cause, Scope};
use sieve::{Impersonate, SieveRouter, Tls};

use crate::common::fake::{Fake, GREETING, Reply};
use crate::common::{ANN, PRIVATE, config, login};

const NEW: &str = "ann@new.test";

fn say(text: &str) -> Reply {
    Reply::Say(text.as_bytes().to_vec())
}

/// The error of a redirect at a server that answers commands that begin so with this.
async fn redirect_error(command: &'static str, reply: Reply) -> (Fake, Error) {
    let fake = Fake::odd(move |heard| heard.starts_with(command).then(|| reply.clone())).await;
    fake.change(ANN, |scripts| {
        scripts.texts.insert("rules".to_owned(), b"keep;".to_vec());
        "rules".clone_into(&mut scripts.active);
    });
    let mut config = config(fake.port);
    (config.answer_wait_max, config.connect_wait_max) = (Duration::from_millis(300), Duration::from_millis(300));
    let router = SieveRouter::new(config).unwrap();
    let error = router.redirect(&Fake::person(ANN), NEW, &OpenDoor).await.unwrap_err();
    (fake, error)
}

#[tokio::test]
async fn greetings_of_every_odd_kind_are_refused() {
    let endless = || b"\"X\" \"y\"\r\n".repeat(400_000);
    for (greeting, cause) in [
        (b"* OK IMAP4rev1 ready\r\n".to_vec(), Cause::Connection),
        (b"220 mx.test ESMTP\r\n".to_vec(), Cause::Connection),
        (b"OK\r\n".to_vec(), Cause::Protocol),
        (endless(), Cause::Protocol),
        (b"x".repeat(5_000_000), Cause::Protocol),
        (b"BYE \"too many connections\"\r\n".to_vec(), Cause::Unavailable),
        (b"BYE (REFERRAL \"sieve://other.test\") \"elsewhere\"\r\n".to_vec(), Cause::Unsupported),
        (b"NO (TRYLATER) \"later\"\r\n".to_vec(), Cause::Unavailable),
    ] {
        let (fake, error) = redirect_error("GREETING", Reply::Say(greeting.clone())).await;
        let shown = String::from_utf8_lossy(&greeting[..greeting.len().min(40)]).into_owned();
        assert_eq!(error.cause, cause, "{shown}: {error}");
        assert!(fake.heard().is_empty(), "{shown}: {:?}", fake.heard());
    }
    let (_, error) = redirect_error("GREETING", Reply::Silence).await;
    assert!(error.cause == Cause::Connection && error.what.contains("implicit"), "{error}");
}

#[tokio::test]
async fn a_password_goes_over_no_connection_that_was_to_be_private() {
    let with = GREETING.replace("\"VERSION\"", "\"STARTTLS\"\r\n\"VERSION\"");
    for (greeting, answer) in [
        (GREETING.to_owned(), ""),
        (with.clone(), "NO \"not today\"\r\n"),
        (with.clone(), "OK\r\n\"SASL\" \"PLAIN\"\r\nOK\r\n"),
        (with, "OK\r\nnot TLS at all, but enough of it to be taken for an answer"),
    ] {
        let fake = Fake::odd(move |heard| match heard {
            "GREETING" => Some(say(&greeting)),
            "STARTTLS" => Some(say(answer)),
            _ => None,
        })
        .await;
        let mut config = config(fake.port);
        config.tls = Tls::Starttls;
        let router = SieveRouter::new(config).unwrap();
        let error = router.read(&Fake::person(ANN)).await.unwrap_err();
        assert_eq!(error.cause, Cause::Tls, "{answer:?}: {error}");
        assert!(fake.heard().iter().all(|heard| heard == "STARTTLS"), "{:?}", fake.heard());
    }
}

#[tokio::test]
async fn a_lost_answer_is_in_doubt_and_the_same_again_settles_it() {
    for command in ["PUTSCRIPT", "SETACTIVE"] {
        for reply in
            [Reply::DoAndHangUp, Reply::DoAndSay(b"what?\r\n".to_vec()), Reply::DoAndSay(b"BYE \"x\"\r\n".to_vec())]
        {
            let (fake, error) = redirect_error(command, reply.clone()).await;
            assert_eq!((error.cause, error.retry), (Cause::InDoubt, Retry::Now), "{command} {reply:?}: {error}");
            // Another server with what this one has now, and without its oddity.
            let sane = Fake::start().await;
            sane.change(ANN, |scripts| *scripts = fake.scripts(ANN));
            let who = Fake::person(ANN);
            sane.router().redirect(&who, NEW, &OpenDoor).await.unwrap();
            assert_eq!(sane.router().read(&who).await.unwrap().redirected_to(), Some(NEW));
            sane.router().release(&who, &OpenDoor).await.unwrap();
            let scripts = sane.scripts(ANN);
            assert_eq!((scripts.texts.len(), scripts.active.as_str()), (1, "rules"));
        }
    }
}

#[tokio::test]
async fn refusals_have_their_class_and_no_text_of_the_persons() {
    let refusal = |code: &str| Reply::Say(format!("NO {code} \"line 3: error: {PRIVATE}\"\r\n").into_bytes());
    for (command, code, cause) in [
        ("PUTSCRIPT", "", Cause::Refused),
        ("PUTSCRIPT", "(QUOTA/MAXSCRIPTS)", Cause::OverQuota),
        ("PUTSCRIPT", "(TRYLATER)", Cause::Unavailable),
        ("HAVESPACE", "(QUOTA/MAXSIZE)", Cause::OverQuota),
        ("LISTSCRIPTS", "", Cause::Permission),
        ("GETSCRIPT", "", Cause::Unreadable),
        ("AUTHENTICATE", "", Cause::Login),
        ("AUTHENTICATE", "(ENCRYPT-NEEDED)", Cause::Tls),
        ("AUTHENTICATE", "(REFERRAL \"sieve://other.test\")", Cause::Unsupported),
    ] {
        let (fake, error) = redirect_error(command, refusal(code)).await;
        assert_eq!((error.cause, error.scope), (cause, Scope::Mailbox), "{command} {code}: {error}");
        if command == "PUTSCRIPT" {
            assert!(!error.to_string().contains(PRIVATE), "{error}");
        }
        assert_eq!(fake.scripts(ANN).active, "rules");
        if command == "HAVESPACE" {
            assert!(!fake.heard().iter().any(|heard| heard.starts_with("PUTSCRIPT")));
        }
    }
    // The password, and the message of PLAIN that holds it.
    let initial = "AGFubkBzaXRlLnRlc3QAcHctb2YtdGhlaXJz";
    let echo = Reply::Say(format!("NO \"pw-of-theirs is wrong, {initial} too\"\r\n").into_bytes());
    let (fake, error) = redirect_error("AUTHENTICATE", echo).await;
    assert!(fake.heard()[0].contains(initial), "{:?}", fake.heard());
    assert!(!error.to_string().contains("pw-of-theirs") && !error.to_string().contains(initial), "{error}");
}

#[tokio::test]
async fn lists_and_texts_that_make_no_sense_are_refused() {
    for (command, said, cause) in [
        ("LISTSCRIPTS", &b"\"a\" ACTIVE\r\n\"b\" ACTIVE\r\nOK\r\n"[..], Cause::Protocol),
        ("LISTSCRIPTS", b"a ACTIVE\r\nOK\r\n", Cause::Protocol),
        ("LISTSCRIPTS", b"\"\xff\xfe\"\r\nOK\r\n", Cause::Protocol),
        ("GETSCRIPT", b"OK\r\n", Cause::Protocol),
        ("GETSCRIPT", b"{30}\r\nkeep;\r\nOK\r\n", Cause::Connection),
        ("GETSCRIPT", b"{2}\r\nkeep;\r\nOK\r\n", Cause::Protocol),
        ("GETSCRIPT", b"{999999999}\r\n", Cause::TooLarge),
    ] {
        let (fake, error) = redirect_error(command, Reply::Say(said.to_vec())).await;
        let shown = String::from_utf8_lossy(said).into_owned();
        assert_eq!(error.cause, cause, "{shown}: {error}");
        assert!(!fake.heard().iter().any(|heard| heard.starts_with("PUTSCRIPT")), "{shown}");
    }
}

#[tokio::test]
async fn nothing_is_written_where_it_is_not_known_whose_it_is() {
    // Whoever logs in is let in, whatever name was asked for.
    let fake = Fake::odd(|heard| heard.starts_with("AUTHENTICATE").then(|| Reply::Say(b"OK\r\n".to_vec()))).await;
    let mut config = config(fake.port);
    config.login = Some(login("migrator", "pw", Impersonate::Authzid));
    let mut who = Fake::person(ANN);
    who.account.password = None;
    let router = SieveRouter::new(config.clone()).unwrap();
    let error = router.redirect(&who, NEW, &OpenDoor).await.unwrap_err();
    assert_eq!((error.cause, error.scope), (Cause::NotTheirStore, Scope::Run), "{error}");
    let first = &router.check(Some(&who)).await;
    assert_eq!(first.last().unwrap().wrong, Some(Cause::NotTheirStore));

    // The server says that it is another's.
    let owner = GREETING.replace("\"VERSION\"", "\"OWNER\" \"migrator\"\r\n\"VERSION\"");
    let fake = Fake::odd(move |heard| (heard == "CAPABILITY").then(|| Reply::Say(owner.clone().into_bytes()))).await;
    let error = fake.router().redirect(&Fake::person(ANN), NEW, &OpenDoor).await.unwrap_err();
    assert_eq!((error.cause, error.scope), (Cause::NotTheirStore, Scope::Mailbox), "{error}");
    assert!(!fake.heard().iter().any(|heard| heard.contains("SCRIPT")));

    config.login = Some(login("migrator", "pw", Impersonate::None));
    let error = SieveRouter::new(config).unwrap().read(&who).await.unwrap_err();
    assert_eq!(error.cause, Cause::NotTheirStore, "{error}");
}

#[tokio::test]
async fn names_that_are_taken_are_left_to_the_person() {
    let fake = Fake::start().await;
    let who = Fake::person(ANN);
    fake.change(ANN, |scripts| {
        scripts.texts.insert("whimbrel".to_owned(), b"redirect \"ann@new.test\"; # mine".to_vec());
        scripts.texts.insert("whimbrel-2".to_owned(), b"discard;".to_vec());
        "whimbrel".clone_into(&mut scripts.active);
    });
    let before = fake.scripts(ANN);
    assert_eq!(fake.router().read(&who).await.unwrap().redirected_to(), None);
    fake.router().redirect(&who, NEW, &OpenDoor).await.unwrap();
    assert_eq!(fake.scripts(ANN).active, "whimbrel-3");
    assert_eq!(fake.router().read(&who).await.unwrap().redirected_to(), Some(NEW));
    fake.router().release(&who, &OpenDoor).await.unwrap();
    assert_eq!(fake.scripts(ANN), before);
    fake.change(ANN, |scripts| {
        for number in 2..=9 {
            scripts.texts.insert(format!("whimbrel-{number}"), b"keep;".to_vec());
        }
    });
    let error = fake.router().redirect(&who, NEW, &OpenDoor).await.unwrap_err();
    assert_eq!(error.cause, Cause::Refused, "{error}");
}
