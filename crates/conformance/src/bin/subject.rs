//! The process under test: syncs everybody once, or undoes their switch before, as told by the orders in its argument, and prints
//! how many moments of effects there were.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "test code")]

use std::sync::Arc;

use conformance::remote::SocketDial;
use conformance::stop::{Orders, StopProbe};
use conformance::turns;
use conformance::world::World;
use connector::memory::Traits;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let orders: Orders = serde_json::from_str(&std::env::args().nth(1).unwrap()).unwrap();
    let traits = if orders.poor { Traits::poor() } else { Traits::default() };
    let mut world = World::with(traits.clone(), traits);
    world.source_dial = Arc::new(SocketDial(orders.source_socket.clone()));
    world.target_dial = Arc::new(SocketDial(orders.target_socket.clone()));
    world.url.clone_from(&orders.database);
    if orders.lease_ms > 0 {
        world.terms.lasts_ms = orders.lease_ms;
    }
    if orders.merged {
        world.policy = conformance::history::together::policy(&world.policy);
    }
    if !orders.bans.is_empty() {
        world.ban(&orders.bans);
    }
    for person in &orders.people {
        world.person(person);
    }
    let probe = Arc::new(StopProbe::new(&orders));
    world.probe = probe.clone();
    if orders.undo {
        let (engine, mailboxes) = world.engine().await;
        for mailbox in mailboxes {
            if let Err(failure) = turns::undo(&engine, mailbox).await {
                eprintln!("mailbox {mailbox}: {failure}");
                std::process::exit(1);
            }
        }
        engine.store.close().await;
    }
    let end = world.sync().await;
    for outcome in &end.outcomes {
        if let Some(failure) = &outcome.failure {
            eprintln!("mailbox {}: {failure}", outcome.mailbox);
        }
    }
    println!("moments: {}", probe.moments());
    let is_well = end.failure.is_none() && end.outcomes.iter().all(|outcome| outcome.failure.is_none());
    std::process::exit(i32::from(!is_well));
}
