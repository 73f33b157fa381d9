//! The engine on real servers, stopped or frozen at one of its effects as told by the orders in its argument: like
//! `subject` of the conformance kit, whose platforms live in memory.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "test code: what goes wrong fails the test, and what it counts goes to standard output"
)]

use std::{sync::Arc, time::Duration};

use conformance::{stop::StopProbe, world::World};
use connector::{Connector, Secret};
use journeys::{
    stopped::Command,
    store::{MIGRATOR, PASSWORD},
};

/// A command that the server has begun may end after its connection did.
const SETTLE: Duration = Duration::from_millis(200);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let command = std::env::args().nth(1).expect("orders come as the first argument");
    let Command { orders, ports } = serde_json::from_str(&command).expect("orders can be read");
    let mut world = World::new();
    world.connectors = Some(ports.map(connector));
    world.tuning.settle = SETTLE;
    world.url.clone_from(&orders.database);
    if orders.lease_ms > 0 {
        world.terms.lasts_ms = orders.lease_ms;
    }
    for person in &orders.people {
        world.person(person);
    }
    let probe = Arc::new(StopProbe::new(&orders));
    world.probe = probe.clone();
    let is_well = run(&world).await;
    println!("moments: {}", probe.moments());
    std::process::exit(i32::from(!is_well));
}

async fn run(world: &World) -> bool {
    let end = world.sync().await;
    for outcome in &end.outcomes {
        if let Some(failure) = &outcome.failure {
            eprintln!("mailbox {}: {failure}", outcome.mailbox);
        }
    }
    end.failure.is_none() && end.outcomes.iter().all(|outcome| outcome.failure.is_none())
}

fn connector(port: u16) -> Arc<dyn Connector> {
    let mut config = imap::Config::new("127.0.0.1");
    config.port = Some(port);
    config.tls = imap::Tls::None;
    config.login = Some(imap::Login {
        user: MIGRATOR.to_owned(),
        password: Some(Secret::new(PASSWORD)),
        token: None,
        impersonate: imap::Impersonate::Authzid,
    });
    Arc::new(imap::ImapConnector::new(config).expect("the endpoint is well described"))
}
