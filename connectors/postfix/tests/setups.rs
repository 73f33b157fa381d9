//! How sites set their Postfix up, and what becomes of a redirect there.
#![allow(clippy::unwrap_used, reason = "tests")]

use conformance::router_suite::RouterWorld;
use connector::router::SenderMode;
use connector::{OpenDoor, Router, Topic};
use model::Cause;
use postfix::{MapType, PostfixRouter};

use crate::common::{ANN, BOB, Form, NEW, World, person};

const HASH: Form = Form::File(MapType::Hash);

/// The error of a redirect at a site with these settings, which the check names as well.
async fn refused(world: &World) -> String {
    let dumped = world.dump(&person(ANN)).await;
    let error = world.router().redirect(&person(ANN), NEW, &OpenDoor).await.unwrap_err();
    assert_eq!(error.cause, Cause::Unsupported, "{error}");
    assert_eq!(world.dump(&person(ANN)).await, dumped);
    let check = world.router().check(Some(&person(ANN))).await;
    assert_eq!(check.last().unwrap().wrong, Some(Cause::Unsupported), "{check:?}");
    error.what
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_not_asked_first_is_told() {
    let order = "virtual_alias_maps = hash:{etc}/virtual, hash:{etc}/whimbrel";
    let Some(world) = World::start_with(HASH, |builder| builder.settings(order)) else { return };
    assert!(refused(&world).await.contains("first in virtual_alias_maps"));
    let elsewhere = "second unix n - n - 0 cleanup\n  -o virtual_alias_maps=hash:{etc}/virtual";
    let Some(world) = World::start_with(HASH, |builder| builder.services(elsewhere)) else { return };
    assert!(refused(&world).await.contains("master.cf"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_that_lost_its_place_is_not_in_force() {
    let Some(world) = World::start(HASH) else { return };
    let (router, ann) = (world.router(), person(ANN));
    router.redirect(&ann, NEW, &OpenDoor).await.unwrap();
    let main = std::fs::read_to_string(world.site.path("main.cf")).unwrap();
    world.site.write("main.cf", &format!("{main}\nvirtual_alias_maps =\n"));
    let ours = router.read(&ann).await.unwrap().ours.unwrap();
    assert!(ours.to == NEW && ours.ineffective.unwrap().contains("asks nothing first"));
    assert!(router.release(&ann, &OpenDoor).await.unwrap().changed, "it is taken off all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn extensions_are_handed_on_only_where_the_target_takes_them() {
    let Some(mut world) = World::start_with(HASH, |builder| builder.settings("recipient_delimiter = +")) else {
        return;
    };
    assert!(refused(&world).await.contains("target_takes_extensions"));
    world.config.target_takes_extensions = true;
    let router = PostfixRouter::new(world.config.clone()).unwrap();
    router.redirect(&person(ANN), NEW, &OpenDoor).await.unwrap();
    assert_eq!(world.hand_in("ann+x@site.test", "ann").sent_to, ["ann+x@new.test"]);
    assert_eq!(world.hand_in("ANN@Site.test", "ann").sent_to, [NEW]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_site_sends_on_itself_is_no_target() {
    let virtuals = "ann@new.test x@home.test\n@old.test bob@site.test\nsame@new.test same@new.test\n";
    let Some(world) = World::start_with(HASH, |builder| builder.map("hash", "virtual", virtuals)) else { return };
    let (router, ann) = (world.router(), person(ANN));
    for to in [NEW, "Anybody@old.test"] {
        let error = router.redirect(&ann, to, &OpenDoor).await.unwrap_err();
        assert!(error.cause == Cause::Unsupported && error.what.contains("itself sent on"), "{error}");
    }
    router.redirect(&ann, "same@new.test", &OpenDoor).await.unwrap();
    router.redirect(&person(BOB), "bob@new.test", &OpenDoor).await.unwrap();
    router.release(&ann, &OpenDoor).await.unwrap();
    let error = router.redirect(&ann, BOB, &OpenDoor).await.unwrap_err();
    assert!(error.cause == Cause::Unsupported && error.what.contains("whimbrel"), "{error}");
    // What comes later is told.
    router.redirect(&ann, "other@new.test", &OpenDoor).await.unwrap();
    world.site.write_map("virtual", "other@new.test x@home.test\n");
    let ours = router.read(&ann).await.unwrap().ours.unwrap();
    assert!(ours.ineffective.unwrap().contains("itself sent on"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_written_anew_before_is_refused() {
    let canonical = "ann@site.test a.smith@site.test\n";
    let make = |builder: conformance::servers::PostfixSiteBuilder| {
        builder.map("hash", "canonical", canonical).settings("recipient_canonical_maps = hash:{etc}/canonical")
    };
    let Some(world) = World::start_with(HASH, make) else { return };
    assert!(refused(&world).await.contains("writes ann@site.test anew as a.smith@site.test"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_address_must_be_one_of_the_sites() {
    let Some(world) = World::start(HASH) else { return };
    let mut ann = person(ANN);
    ann.addresses.push("ann@elsewhere.test".to_owned());
    let error = world.router().redirect(&ann, NEW, &OpenDoor).await.unwrap_err();
    assert!(error.cause == Cause::Missing && error.what.contains("ann@elsewhere.test"), "{error}");
    // Without main.cf nobody knows, and that is said.
    let mut config = world.config.clone();
    config.config_directory = None;
    let router = PostfixRouter::new(config.clone()).unwrap();
    let check = router.check(Some(&ann)).await;
    assert!(check.iter().all(|finding| finding.wrong.is_none()), "{check:?}");
    assert_eq!(check.iter().filter(|finding| finding.sentence.contains("can't be known")).count(), 2, "{check:?}");
    config.recipient_maps = vec![format!("hash:{}", world.site.path("boxes").display())];
    let router = PostfixRouter::new(config).unwrap();
    assert_eq!(router.redirect(&ann, NEW, &OpenDoor).await.unwrap_err().cause, Cause::Missing);
    assert!(router.redirect(&person(ANN), NEW, &OpenDoor).await.unwrap().changed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_who_left_the_site_is_released() {
    let Some(world) = World::start(HASH) else { return };
    let (router, ann) = (world.router(), person(ANN));
    router.redirect(&ann, NEW, &OpenDoor).await.unwrap();
    world.site.write_map("boxes", "");
    world.site.write_map("virtual", "");
    assert_eq!(router.read(&ann).await.unwrap().redirected_to(), Some(NEW));
    assert!(!router.redirect(&ann, NEW, &OpenDoor).await.unwrap().changed);
    assert!(router.release(&ann, &OpenDoor).await.unwrap().changed);
    assert_eq!(router.read(&ann).await.unwrap_err().cause, Cause::Missing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sender_of_the_envelope_stays() {
    let Some(mut world) = World::start(HASH) else { return };
    assert_eq!(world.router().offers().sender, SenderMode::Kept);
    world.router().redirect(&person(ANN), NEW, &OpenDoor).await.unwrap();
    world.hand_in(ANN, "ann");
    assert_eq!(world.senders_to(NEW), ["sender@outside.test"]);
    world.config.sender = SenderMode::Srs;
    assert_eq!(world.router().offers().sender, SenderMode::Srs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_that_are_not_there_are_named() {
    let Some(world) = World::start(HASH) else { return };
    let mut config = world.config.clone();
    config.programs.postmap = vec!["/no/such/postmap".to_owned()];
    let router = PostfixRouter::new(config).unwrap();
    let error = router.read(&person(ANN)).await.unwrap_err();
    assert!(error.cause == Cause::Missing && error.what.contains("/no/such/postmap"), "{error}");
    let check = router.check(None).await;
    assert!(check.last().unwrap().wrong.is_some() && check[0].topic == Topic::Reach);
}
