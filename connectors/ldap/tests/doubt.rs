//! Answers that do not come: a relay ends the connection before a change reaches the directory, or after it was made.

#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

use crate::common::{Server, Written};
use conformance::directory_suite::writing::{TargetWorld, apply, create, planned, update, whole};
use conformance::ldap_relay::{Cut, LdapRelay};
use connector::{Change, ChangeOutcome, DirectoryTarget, OpenDoor};
use ldap::LdapDirectory;
use ldap::config::Config;
use model::{Cause, Entry, EntryKind};

/// The world's directory, by a relay to the port without TLS.
fn by_relay(world: &Written, cut: Cut, at_once: usize) -> LdapDirectory {
    let (host, port) = match &world.world.server {
        Server::Slapd(slapd) => ("127.0.0.1".to_owned(), slapd.port()),
        Server::Samba(samba) => (samba.host().to_owned(), 389),
        Server::Directory389(server) => ("127.0.0.1".to_owned(), server.port()),
    };
    let relay = LdapRelay::cutting(format!("{host}:{port}"), cut);
    let mut config: Config = crate::common::in_clear(&world.config, "127.0.0.1", relay.port());
    config.write.as_mut().unwrap().at_once = at_once;
    Written::target_of(config)
}

/// How many of these were made, and that none was made twice.
async fn count(target: &dyn DirectoryTarget, entries: &[Entry]) -> usize {
    let mut count = 0;
    for entry in entries {
        let found = target.find_origin(entry.origin.as_deref().unwrap()).await.unwrap();
        assert!(found.len() <= 1, "{found:?}");
        count += found.len();
    }
    count
}

async fn doubts(world: &Written) {
    let mut number = 0;
    for at_once in [1, 16] {
        for cut in [Cut::Before(1), Cut::After(1), Cut::Before(4), Cut::After(4), Cut::Before(6), Cut::After(6)] {
            let entries: Vec<Entry> = (number..number + 6).map(|number| whole(number, EntryKind::Contact)).collect();
            number += 6;
            let changes: Vec<Change> = entries.iter().map(create).collect();
            let target = by_relay(world, cut, at_once);
            let outcomes = target.apply(&planned(&changes), &OpenDoor).await.unwrap();
            let is_doubt = |outcome: &ChangeOutcome| matches!(outcome, ChangeOutcome::InDoubt(_));
            let doubts = outcomes.iter().filter(|outcome| is_doubt(outcome)).count();
            let done = outcomes.iter().filter(|outcome| matches!(outcome, ChangeOutcome::Done { .. })).count();
            assert!(doubts >= 1, "{cut:?} {at_once} {outcomes:?}");
            for outcome in &outcomes {
                let is_untried = matches!(outcome, ChangeOutcome::Refused(error) if error.cause == Cause::Stopped);
                assert!(
                    is_doubt(outcome) || is_untried || matches!(outcome, ChangeOutcome::Done { .. }),
                    "{outcome:?}"
                );
            }
            let there = count(&*world.target(), &entries).await;
            if at_once == 1 {
                let (Cut::Before(nth) | Cut::After(nth)) = cut;
                assert!(is_doubt(&outcomes[nth - 1]) && doubts == nth, "what was made has no key yet: {outcomes:?}");
                assert_eq!(there, if matches!(cut, Cut::After(_)) { nth } else { nth - 1 });
            }
            assert!((done..=done + doubts).contains(&there), "{there} of {outcomes:?}");
            // Whoever looks and goes on has each once.
            let outcomes = apply(&*world.target(), &changes).await;
            let again = outcomes.iter().filter(|outcome| matches!(outcome, ChangeOutcome::Unchanged { .. })).count();
            assert_eq!(again, there, "{outcomes:?}");
            assert_eq!(count(&*world.target(), &entries).await, 6);

            // The same with changes of what is there: they see by themselves whether they were made.
            let mut updates = Vec::new();
            for entry in &entries {
                let before = world.target().find_origin(entry.origin.as_deref().unwrap()).await.unwrap().remove(0);
                let mut after = before.clone();
                (after.telephone, after.names.display) =
                    (Some("+44 1".to_owned()), Some(format!("New {number} {:?}", before.mail)));
                updates.push(update(&before, &after));
            }
            let target = by_relay(world, cut, at_once);
            let outcomes = target.apply(&planned(&updates), &OpenDoor).await.unwrap();
            assert!(outcomes.iter().any(is_doubt), "{cut:?} {outcomes:?}");
            for outcome in apply(&*world.target(), &updates).await {
                assert!(matches!(outcome, ChangeOutcome::Done { .. } | ChangeOutcome::Unchanged { .. }), "{outcome:?}");
            }
            for entry in &entries {
                let there = world.target().find_origin(entry.origin.as_deref().unwrap()).await.unwrap().remove(0);
                assert_eq!(there.telephone.as_deref(), Some("+44 1"));
                let name = crate::common::World::escaped(there.names.display.as_deref().unwrap());
                let place = there.place.unwrap();
                assert!(!world.world.is_ad() || place.contains(&name[..8]), "it has its name, too: {place}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openldap_makes_nothing_twice_when_answers_are_lost() {
    let Some(world) = Written::slapd() else { return };
    doubts(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn active_directory_makes_nothing_twice_when_answers_are_lost() {
    let Some(world) = Written::samba() else { return };
    doubts(&world).await;
}
