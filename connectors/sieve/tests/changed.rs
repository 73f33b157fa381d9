//! What is ours in another form than we left it, and calls that end half-way.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use conformance::router_suite::RouterWorld;
use connector::{Error, OpenDoor, Rerouted, Retry, Router};
use model::Cause;
use sieve::{Impersonate, SieveRouter};

use crate::common::fake::{Fake, GREETING, Reply};
use crate::common::{ANN, Way, World, config, login};

const NEW: &str = "ann@new.test";
const RULES: &str = "# mine\r\nrequire \"fileinto\";\r\n# rule:[Lists]\r\nif true\r\n{\r\n\tfileinto \"A\";\r\n}\r\n";
/// The rules with our block, as Roundcube prints them: no comments but those before the first command and the names of rules,
/// `require` written anew, lines that end in LF.
const PRINTED: &str = "# mine\n\nrequire [\"fileinto\"];\nredirect \"ann@new.test\";\nstop;\n# rule:[Lists]\nif true\n{\n\tfileinto \"A\";\n}\n";

fn with_rules(fake: &Fake) {
    fake.change(ANN, |scripts| {
        scripts.texts.insert("rules".to_owned(), RULES.as_bytes().to_vec());
        "rules".clone_into(&mut scripts.active);
    });
}

/// Ours is on, and a command that begins so is answered with this, from the time-th on.
async fn released(command: &'static str, time: usize, reply: Reply) -> (Fake, Result<Rerouted, Error>) {
    let sane = Fake::start().await;
    with_rules(&sane);
    sane.router().redirect(&Fake::person(ANN), NEW, &OpenDoor).await.unwrap();
    let fake = at(command, time, reply).await;
    fake.change(ANN, |scripts| *scripts = sane.scripts(ANN));
    let released = fake.router().release(&Fake::person(ANN), &OpenDoor).await;
    (fake, released)
}

async fn redirected(command: &'static str, time: usize, reply: Reply) -> (Fake, Result<Rerouted, Error>) {
    let fake = at(command, time, reply).await;
    with_rules(&fake);
    let redirected = fake.router().redirect(&Fake::person(ANN), NEW, &OpenDoor).await;
    (fake, redirected)
}

async fn at(command: &'static str, time: usize, reply: Reply) -> Fake {
    let times = Arc::new(AtomicUsize::new(0));
    Fake::odd(move |heard| {
        let is_it = heard.starts_with(command) && times.fetch_add(1, Ordering::SeqCst) + 1 >= time;
        is_it.then(|| reply.clone())
    })
    .await
}

#[tokio::test]
async fn a_redirect_that_a_webmail_has_rewritten_is_still_ours() {
    for active_before in ["rules", ""] {
        let fake = Fake::start().await;
        let who = Fake::person(ANN);
        with_rules(&fake);
        fake.change(ANN, |scripts| active_before.clone_into(&mut scripts.active));
        fake.router().redirect(&who, NEW, &OpenDoor).await.unwrap();
        fake.change(ANN, |scripts| drop(scripts.texts.insert("whimbrel".to_owned(), PRINTED.as_bytes().to_vec())));
        assert_eq!(fake.router().read(&who).await.unwrap().redirected_to(), Some(NEW));
        assert!(!fake.router().redirect(&who, NEW, &OpenDoor).await.unwrap().changed);
        // Another address takes its place, and the text stays theirs.
        fake.router().redirect(&who, "ann.other@new.test", &OpenDoor).await.unwrap();
        assert_eq!(fake.router().read(&who).await.unwrap().redirected_to(), Some("ann.other@new.test"));
        fake.change(ANN, |scripts| drop(scripts.texts.insert("whimbrel".to_owned(), PRINTED.as_bytes().to_vec())));
        let released = fake.router().release(&who, &OpenDoor).await.unwrap();
        assert!(released.changed && released.notes.len() == 1, "{released:?}");
        let scripts = fake.scripts(ANN);
        assert_eq!(scripts.active, "whimbrel");
        let left = PRINTED.replace("redirect \"ann@new.test\";\nstop;\n", "");
        assert_eq!(String::from_utf8_lossy(&scripts.texts["whimbrel"]), left);
        assert_eq!(scripts.texts["rules"], RULES.as_bytes());
        let read = fake.router().read(&who).await.unwrap();
        assert!(read.ours.is_none() && read.others.is_empty(), "{read:?}");
    }
}

#[tokio::test]
async fn our_block_in_another_active_script_is_ours_and_is_taken_out() {
    let fake = Fake::start().await;
    let who = Fake::person(ANN);
    with_rules(&fake);
    fake.router().redirect(&who, NEW, &OpenDoor).await.unwrap();
    fake.change(ANN, |scripts| {
        let text = scripts.texts["whimbrel"].clone();
        scripts.texts.insert("mine".to_owned(), text);
        "mine".clone_into(&mut scripts.active);
    });
    assert_eq!(fake.router().read(&who).await.unwrap().redirected_to(), Some(NEW));
    fake.router().release(&who, &OpenDoor).await.unwrap();
    let scripts = fake.scripts(ANN);
    assert_eq!(scripts.active, "mine");
    assert_eq!(
        scripts.texts.into_iter().collect::<Vec<_>>(),
        ["mine", "rules"].map(|name| (name.to_owned(), RULES.as_bytes().to_vec()))
    );
    assert_eq!(fake.router().read(&who).await.unwrap().ours, None);
}

#[tokio::test]
async fn an_error_after_an_effect_is_in_doubt() {
    let no = || Reply::Say(b"NO \"not so\"\r\n".to_vec());
    for (command, time, reply, retry) in [
        ("LISTSCRIPTS", 2, Reply::DoAndHangUp, Retry::Now),
        ("LISTSCRIPTS", 2, no(), Retry::AfterPerson),
        ("SETACTIVE", 1, no(), Retry::AfterPerson),
        ("GETSCRIPT", 2, no(), Retry::AfterPerson),
    ] {
        let (fake, result) = redirected(command, time, reply.clone()).await;
        let error = result.unwrap_err();
        assert_eq!((error.cause, error.retry), (Cause::InDoubt, retry), "{command}: {error}");
        assert_eq!(fake.scripts(ANN).active == "whimbrel", command == "LISTSCRIPTS");
        if command != "GETSCRIPT" {
            let (_, result) = released(command, time, reply).await;
            // The first effect of a release is to activate; where that is refused, nothing has taken place.
            let cause = if command == "SETACTIVE" { Cause::Refused } else { Cause::InDoubt };
            assert_eq!(result.unwrap_err().cause, cause, "{command}");
        }
    }
}

#[tokio::test]
async fn a_release_that_could_not_clear_up_has_released() {
    let (fake, result) = released("DELETESCRIPT", 1, Reply::Say(b"NO \"not today\"\r\n".to_vec())).await;
    let released = result.unwrap();
    assert!(
        released.changed && released.notes.iter().any(|note| note.contains("could not be removed")),
        "{released:?}"
    );
    assert_eq!(fake.scripts(ANN).active, "rules");
    assert_eq!(fake.router().read(&Fake::person(ANN)).await.unwrap().redirected_to(), None);
}

#[tokio::test]
async fn what_is_not_what_was_stored_is_not_activated() {
    for other in ["{5}\r\nkeep;\r\nOK\r\n", "NO (NONEXISTENT) \"gone\"\r\n"] {
        let (fake, result) = redirected("GETSCRIPT \"whimbrel\"", 1, Reply::Say(other.as_bytes().to_vec())).await;
        assert_eq!(result.unwrap_err().cause, Cause::InDoubt);
        assert!(!fake.heard().iter().any(|heard| heard.starts_with("SETACTIVE")), "{:?}", fake.heard());
    }
    // It says that it was activated, and something else is.
    let (_, result) = redirected("SETACTIVE", 1, Reply::Say(b"OK\r\n".to_vec())).await;
    assert_eq!(result.unwrap_err().cause, Cause::InDoubt);
    let (_, result) = released("SETACTIVE", 1, Reply::Say(b"OK\r\n".to_vec())).await;
    assert_eq!(result.unwrap_err().cause, Cause::InDoubt);
}

#[tokio::test]
async fn a_script_that_matters_to_nothing_need_not_be_readable() {
    let fake = at("GETSCRIPT \"old\"", 1, Reply::Say(b"NO \"damaged\"\r\n".to_vec())).await;
    with_rules(&fake);
    fake.change(ANN, |scripts| drop(scripts.texts.insert("old".to_owned(), b"keep;".to_vec())));
    let who = Fake::person(ANN);
    fake.router().redirect(&who, NEW, &OpenDoor).await.unwrap();
    let read = fake.router().read(&who).await.unwrap();
    assert_eq!(read.redirected_to(), Some(NEW));
    assert!(read.unread.len() == 1 && read.unread[0].contains("\"old\" was not read"), "{read:?}");
    // What was active before does matter.
    let former = at("GETSCRIPT \"rules\"", 1, Reply::Say(b"NO \"damaged\"\r\n".to_vec())).await;
    former.change(ANN, |scripts| *scripts = fake.scripts(ANN));
    assert_eq!(former.router().release(&who, &OpenDoor).await.unwrap_err().cause, Cause::Unreadable);
}

#[tokio::test]
async fn a_goodbye_is_not_waited_for() {
    let began = Instant::now();
    let (_, result) = redirected("LOGOUT", 1, Reply::Silence).await;
    result.unwrap();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_login_that_the_server_does_not_prove_is_no_login_and_no_refusal() {
    let greeting = GREETING.replace("PLAIN", "SCRAM-SHA-256");
    let fake = Fake::odd(move |heard| match heard {
        "GREETING" => Some(Reply::Say(greeting.clone().into_bytes())),
        _ => heard.starts_with("AUTHENTICATE").then(|| Reply::Say(b"OK\r\n".to_vec())),
    })
    .await;
    let error = fake.router().read(&Fake::person(ANN)).await.unwrap_err();
    assert_eq!(error.cause, Cause::Protocol, "{error}");
}

#[tokio::test]
async fn a_name_that_nobody_has_is_tried_only_after_the_person_was_let_in() {
    let fake =
        Fake::odd(|heard| heard.starts_with("AUTHENTICATE").then(|| Reply::Say(b"NO \"no\"\r\n".to_vec()))).await;
    let mut config = config(fake.port);
    config.login = Some(login("migrator", "pw", Impersonate::Authzid));
    let mut who = Fake::person(ANN);
    who.account.password = None;
    let error = SieveRouter::new(config).unwrap().read(&who).await.unwrap_err();
    assert_eq!(error.cause, Cause::Login, "{error}");
    assert_eq!(fake.heard().len(), 1, "{:?}", fake.heard());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewritten_redirect_is_released_on_real_servers() {
    for world in [World::dovecot(Way::ForEveryone), World::cyrus(Way::ForEveryone)] {
        let Some(world) = world else { continue };
        let (router, who) = (world.router(), world.person(ANN));
        assert!(world.talk(ANN).put("rules", RULES.as_bytes()).starts_with("OK"));
        world.talk(ANN).activate("rules");
        router.redirect(&who, NEW, &OpenDoor).await.unwrap();
        assert!(world.talk(ANN).put("whimbrel", PRINTED.as_bytes()).starts_with("OK"));
        assert_eq!(world.hand_in(ANN, None).sent_to, [NEW]);
        assert_eq!(router.read(&who).await.unwrap().redirected_to(), Some(NEW));
        router.release(&who, &OpenDoor).await.unwrap();
        assert_eq!(router.read(&who).await.unwrap().ours, None);
        assert!(world.hand_in(ANN, None).sent_to.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_that_dovecot_does_not_list_come_back() {
    let Some(world) = World::dovecot(Way::ForEveryone) else { return };
    let (router, who) = (world.router(), world.person(ANN));
    world.plant_unlisted("redirect \"ann@home.test\";\r\n");
    assert_eq!(world.hand_in(ANN, None).sent_to, ["ann@home.test"]);
    assert!(router.read(&who).await.unwrap().others.is_empty(), "it can't be seen before");
    let on = router.redirect(&who, NEW, &OpenDoor).await.unwrap();
    assert!(on.notes.len() == 1 && on.notes[0].contains("dovecot.orig"), "{on:?}");
    assert_eq!(world.hand_in(ANN, None).sent_to, [NEW]);
    assert_eq!(router.read(&who).await.unwrap().others.len(), 1);
    router.release(&who, &OpenDoor).await.unwrap();
    assert_eq!(world.talk(ANN).list(), [("dovecot.orig".to_owned(), true)]);
    assert_eq!(world.hand_in(ANN, None).sent_to, ["ann@home.test"]);
}
