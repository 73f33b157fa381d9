//! What is particular to real servers: logins, TLS, what becomes of mail.
#![allow(clippy::unwrap_used, reason = "tests")]

use conformance::certificates::Flaw;
use conformance::post::SmtpSink;
use conformance::router_suite::{OwnRules, RouterWorld};
use conformance::servers::{Authzid, Dovecot};
use connector::router::SenderMode;
use connector::{Account, OpenDoor, Recipient, Router, Secret, Topic};
use model::Cause;
use sieve::{Config, Impersonate, SieveRouter, Tls};

use crate::common::{ANN, PASSWORD, PRIVATE, Way, World, config, login};

const NEW: &str = "ann@new.test";

async fn error_of(config: Config, who: &Recipient) -> connector::Error {
    SieveRouter::new(config).unwrap().read(who).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_log_in_reaches_the_persons_scripts() {
    let Some(world) = World::dovecot(Way::ForEveryone) else { return };
    world.set_own(&world.person(ANN), &OwnRules::Files("A".to_owned())).await;
    let of = |impersonate, password: &str| {
        let mut config = world.config.clone();
        config.login = Some(login("migrator", password, impersonate));
        config
    };
    for impersonate in [Impersonate::Authzid, Impersonate::Master("*".to_owned())] {
        let router = SieveRouter::new(of(impersonate.clone(), "master-pw")).unwrap();
        let found = router.read(&world.person(ANN)).await.unwrap();
        assert_eq!(found.evidence.0.len(), 1, "{impersonate:?}: {found:?}");
        let error = error_of(of(impersonate, "wrong-pw"), &world.person(ANN)).await;
        assert_eq!(error.cause, Cause::Login, "{error}");
        assert!(!error.to_string().contains("wrong-pw"), "{error}");
    }
    let error = error_of(config(world.config.port()), &world.person(ANN)).await;
    assert!(error.cause == Cause::Login && error.what.contains("no password is known"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_only_scram_is_offered_it_is_used() {
    let sink = SmtpSink::start();
    let builder = Dovecot::builder().user(ANN, PASSWORD).master("migrator", "master-pw").mechanisms("scram-sha-256");
    let Some(server) = builder.sieve(sink.port()).start() else { return };
    let mut config = config(server.sieve_port());
    let mut who = Recipient::new(Account::named(ANN), ANN);
    who.account.password = Some(Secret::new(PASSWORD));
    let router = SieveRouter::new(config.clone()).unwrap();
    assert!(router.redirect(&who, NEW, &OpenDoor).await.unwrap().changed);
    who.account.password = Some(Secret::new("wrong-pw"));
    assert_eq!(router.read(&who).await.unwrap_err().cause, Cause::Login);
    // This Dovecot lets nobody in for another by SCRAM; where it offers PLAIN, too, that is tried after it.
    who.account.password = None;
    for impersonate in [Impersonate::Authzid, Impersonate::Master("*".to_owned())] {
        config.login = Some(login("migrator", "master-pw", impersonate));
        assert_eq!(error_of(config.clone(), &who).await.cause, Cause::Login);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_told_how_it_is_known_whose_scripts_were_reached() {
    for (world, words) in [
        (World::dovecot(Way::ForEveryone), "a name that nobody has is refused"),
        (World::dovecot(Way::OwnPassword), "own password"),
        (World::cyrus(Way::ForEveryone), "the scripts of ann@site.test"),
    ] {
        let Some(world) = world else { continue };
        let findings = world.router().check(Some(&world.person(ANN))).await;
        let store = findings.iter().find(|finding| finding.topic == Topic::Store).unwrap();
        assert!(store.sentence.contains(words), "{store:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_verified() {
    for flaw in [Flaw::WrongName, Flaw::Expired, Flaw::WrongAuthority] {
        let sink = SmtpSink::start();
        let Some(server) = Dovecot::builder().user(ANN, PASSWORD).tls(flaw).sieve(sink.port()).start() else { return };
        let mut config = config(server.sieve_port());
        (config.tls, config.ca_file) = (Tls::Starttls, Some(server.ca_file()));
        let mut who = Recipient::new(Account::named(ANN), ANN);
        who.account.password = Some(Secret::new(PASSWORD));
        assert_eq!(error_of(config.clone(), &who).await.cause, Cause::Tls, "{flaw:?}");
        config.tls = Tls::Implicit;
        assert_eq!(error_of(config, &who).await.cause, Cause::Tls, "the port is one for STARTTLS");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ignores_whose_scripts_are_meant_is_not_written_to() {
    let sink = SmtpSink::start();
    let builder = Dovecot::builder().user(ANN, PASSWORD).master("migrator", "master-pw").authzid(Authzid::Ignored);
    let Some(server) = builder.sieve(sink.port()).start() else { return };
    let mut config = config(server.sieve_port());
    config.login = Some(login("migrator", "master-pw", Impersonate::Authzid));
    let who = Recipient::new(Account::named(ANN), ANN);
    let router = SieveRouter::new(config).unwrap();
    let error = router.redirect(&who, NEW, &OpenDoor).await.unwrap_err();
    assert_eq!(error.cause, Cause::NotTheirStore, "{error}");
    for name in [ANN, "migrator"] {
        assert!(!server.home(name).join("sieve/whimbrel.sieve").exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_result_holds_a_text_of_the_persons() {
    let Some(world) = World::dovecot(Way::ForEveryone) else { return };
    let (router, who) = (world.router(), world.person(ANN));
    world.set_own(&who, &OwnRules::Copies("ann@home.test".to_owned())).await;
    let on = router.redirect(&who, NEW, &OpenDoor).await.unwrap();
    let read = router.read(&who).await.unwrap();
    let off = router.release(&who, &OpenDoor).await.unwrap();
    let all = format!("{on:?} {read:?} {off:?} {:?}", router.check(Some(&who)).await);
    assert!(!all.contains(PRIVATE) && !all.contains("X-Never"), "{all}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_that_the_server_does_not_take_is_a_refusal_and_nothing_changes() {
    let Some(world) = World::dovecot(Way::ForEveryone) else { return };
    let (router, who) = (world.router(), world.person(ANN));
    world.set_own(&who, &OwnRules::Files("A".to_owned())).await;
    // It was taken once, by another version.
    world.plant("rules", &format!("keep;\r\nno-command \"{PRIVATE}\";\r\n"));
    let dumped = world.dump(&who).await;
    let error = router.redirect(&who, NEW, &OpenDoor).await.unwrap_err();
    assert_eq!(error.cause, Cause::Refused, "{error}");
    assert!(!error.to_string().contains(PRIVATE), "{error}");
    assert_eq!(world.dump(&who).await, dumped);
    assert_eq!(router.check(Some(&who)).await.last().unwrap().wrong, Some(Cause::Refused));
}

/// Dovecot keeps in mind for 12 hours what it sent on, by Message-ID, and leaves another message with one of these where it is. That is
/// wrong where two different messages have one, and is the server's own doing: the page on routing says how to switch it off, as is
/// done here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_messages_with_one_id_are_both_sent_on_if_dovecot_is_told_so() {
    let switched_off = "plugin {\n  sieve_redirect_duplicate_period = 0\n}";
    for (setting, sent, kept) in [("", 0, 1), (switched_off, 1, 0)] {
        let Some(world) = World::dovecot_with(Way::ForEveryone, setting) else { return };
        world.router().redirect(&world.person(ANN), NEW, &OpenDoor).await.unwrap();
        assert_eq!(world.hand_in(ANN, Some("<same@outside.test>")).sent_to, [NEW]);
        // It counts in whole seconds.
        tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
        let second = world.hand_in(ANN, Some("<same@outside.test>"));
        assert_eq!((second.sent_to.len(), second.kept_in.len()), (sent, kept), "{setting:?}: {second:?}");
    }
}

/// Cyrus keeps in mind what it sent on as well, and takes another message with the same Message-ID for done: the page on routing says it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_message_with_one_id_is_not_sent_on_by_cyrus() {
    let Some(world) = World::cyrus(Way::ForEveryone) else { return };
    world.router().redirect(&world.person(ANN), NEW, &OpenDoor).await.unwrap();
    assert_eq!(world.hand_in(ANN, Some("<same@outside.test>")).sent_to, [NEW]);
    let second = world.hand_in(ANN, Some("<same@outside.test>"));
    assert_eq!((second.sent_to.len(), second.kept_in.len()), (0, 0), "{second:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_vacation_message_leaves_while_mail_is_redirected() {
    let Some(world) = World::dovecot(Way::ForEveryone) else { return };
    let (router, who) = (world.router(), world.person(ANN));
    let mut talk = world.talk(ANN);
    let text = "require \"vacation\";\r\nvacation :addresses \"ann@site.test\" \"Away\";\r\n";
    assert!(talk.put("away", text.as_bytes()).starts_with("OK"));
    talk.activate("away");
    router.redirect(&who, NEW, &OpenDoor).await.unwrap();
    world.hand_in(ANN, None);
    assert!(world.posted_to("sender@outside.test") == 0 && world.posted_to(NEW) == 1);
    router.release(&who, &OpenDoor).await.unwrap();
    world.hand_in(ANN, None);
    assert!(world.posted_to("sender@outside.test") == 1 && world.posted_to(NEW) == 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sender_of_the_envelope_stays_unless_the_site_writes_another() {
    for world in [World::dovecot(Way::ForEveryone), World::cyrus(Way::ForEveryone)] {
        let Some(world) = world else { continue };
        assert_eq!(world.router().offers().sender, SenderMode::Kept);
        world.router().redirect(&world.person(ANN), NEW, &OpenDoor).await.unwrap();
        world.hand_in(ANN, None);
        assert_eq!(world.senders_to(NEW), ["sender@outside.test"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_room_for_another_script_nothing_changes() {
    let Some(world) = World::cyrus(Way::ForEveryone) else { return };
    let who = world.person(ANN);
    for number in 1..=5 {
        assert!(world.talk(ANN).put(&format!("rules {number}"), b"keep;\r\n").starts_with("OK"));
    }
    world.talk(ANN).activate("rules 3");
    let dumped = world.dump(&who).await;
    let error = world.router().redirect(&who, NEW, &OpenDoor).await.unwrap_err();
    assert_eq!(error.cause, Cause::OverQuota, "{error}");
    assert_eq!(world.dump(&who).await, dumped);
}
