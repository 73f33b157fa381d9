//! What of a person's mail has not left the site yet.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;
use std::time::Duration;

use conformance::post::send;
use conformance::router_suite::RouterWorld;
use connector::{OpenDoor, Router};
use model::Cause;
use postfix::{MapType, PostfixRouter, QueueOf, Queued};

use crate::common::{ANN, BOB, Form, NEW, World, person};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_person_is_counted_under_every_address() {
    // Nothing is delivered and nothing leaves.
    let make = |builder: conformance::servers::PostfixSiteBuilder| {
        builder
            .settings("defer_transports = virtual smtp\nminimal_backoff_time = 600s\nmaximal_backoff_time = 600s")
            .map("hash", "virtual", "ann.two@site.test ann.inner@site.test\nteam@site.test x@home.test\n")
            .map(
                "hash",
                "boxes",
                "ann@site.test ann/\nann.inner@site.test ann/\nbob@site.test bob/\nbob.two@site.test bob/\n",
            )
    };
    let Some(world) = World::start_with(Form::File(MapType::Hash), make) else { return };
    let (router, ann, bob) = (world.router(), person(ANN), person(BOB));
    assert_eq!(router.queued(&ann).await.unwrap(), Some(0));
    for (number, to) in [ANN, "ann.two@site.test", BOB, "team@site.test"].into_iter().enumerate() {
        send(world.site.port(), "s@outside.test", to, &format!("Subject: {number}\r\n\r\nHello"));
    }
    router.redirect(&ann, NEW, &OpenDoor).await.unwrap();
    send(world.site.port(), "s@outside.test", ANN, "Subject: later\r\n\r\nHello");
    assert_eq!(router.queued(&ann).await.unwrap(), Some(3));
    assert_eq!(router.queued(&bob).await.unwrap(), Some(1));
    while world.site.queue().iter().any(|line| !line.contains("\"deferred\"")) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let folder = world.site.config_directory();
    assert!(
        Command::new("postsuper").arg("-c").arg(&folder).args(["-h", "ALL", "deferred"]).status().unwrap().success()
    );
    send(world.site.port(), "s@outside.test", ANN, "Subject: last\r\n\r\nHello");
    while world.site.queue().iter().filter(|line| line.contains("\"deferred\"")).count() != 1 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let queued = QueueOf::new(&world.config).count(&ann).await.unwrap();
    assert_eq!(queued, Some(Queued { active: 0, deferred: 1, hold: 3 }));
    assert!(Command::new("postsuper").arg("-c").arg(&folder).args(["-d", "ALL"]).status().unwrap().success());
    assert_eq!(router.queued(&ann).await.unwrap(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_can_not_be_told_is_never_empty() {
    let Some(world) = World::start(Form::File(MapType::Hash)) else { return };
    for (script, cause) in [
        ("echo 'Mail queue is empty'", Cause::Protocol),
        ("printf '{\"queue_name\": \"active\"'", Cause::Protocol),
        ("echo 'postqueue: fatal: no' >&2; exit 69", Cause::Unavailable),
        ("sleep 600", Cause::Unavailable),
    ] {
        let mut config = world.config.clone();
        config.programs.postqueue = ["sh", "-c", script].map(str::to_owned).to_vec();
        if script.starts_with("sleep") {
            config.command_wait_max = Duration::from_secs(5);
        }
        let error = PostfixRouter::new(config).unwrap().queued(&person(ANN)).await.unwrap_err();
        assert_eq!(error.cause, cause, "{script}: {error}");
    }
    let mut config = world.config.clone();
    config.config_directory = None;
    assert_eq!(PostfixRouter::new(config).unwrap().queued(&person(ANN)).await.unwrap(), None);
}
