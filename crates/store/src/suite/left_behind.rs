//! Old addresses on people's accounts, and mailboxes that are closed to them.

use super::{TERMS, world};
use crate::OldAddressState;

pub async fn old_addresses_and_closings_read_back(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let (key, mailbox) = (w.key, lease.mailbox);
    let states = async || {
        let rows = w.store.old_addresses(key, mailbox).await.unwrap();
        assert_eq!(w.store.every_old_address(key).await.unwrap(), rows);
        rows.into_iter().map(|row| (row.address, row.state, row.account, row.why, row.tries)).collect::<Vec<_>>()
    };
    let text = |text: &str| Some(text.to_owned());
    for state in OldAddressState::EVERY {
        assert_eq!(OldAddressState::from_name(state.name()), Some(state));
    }
    let mut tx = w.store.write_for_good(&lease).await.unwrap();
    tx.set_old_address("a@x.test", OldAddressState::Coming, Some("1"), None).await.unwrap();
    tx.set_old_address("b@x.test", OldAddressState::Missing, None, Some("taken")).await.unwrap();
    tx.commit().await.unwrap();
    let missing = |tries| ("b@x.test".to_owned(), OldAddressState::Missing, None, text("taken"), tries);
    assert_eq!(states().await, [("a@x.test".to_owned(), OldAddressState::Coming, text("1"), None, 0), missing(0)]);
    for tries in 1..3 {
        let mut tx = w.store.write_for_good(&lease).await.unwrap();
        tx.set_old_address("a@x.test", OldAddressState::Ours, Some("1"), None).await.unwrap();
        tx.set_old_address("b@x.test", OldAddressState::Coming, Some("1"), None).await.unwrap();
        tx.set_old_address("b@x.test", OldAddressState::Missing, None, Some("taken")).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(states().await[1], missing(tries), "tries count on");
    }
    let mut tx = w.store.write_for_good(&lease).await.unwrap();
    tx.forget_old_address("a@x.test").await.unwrap();
    tx.set_old_address("b@x.test", OldAddressState::Theirs, Some("1"), None).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(states().await, [("b@x.test".to_owned(), OldAddressState::Theirs, text("1"), None, 0)]);

    assert_eq!(w.store.closing(key, mailbox).await.unwrap(), None);
    let mut tx = w.store.write_for_good(&lease).await.unwrap();
    tx.begin_closing("led").await.unwrap();
    tx.begin_closing("days").await.unwrap();
    tx.closing_waits("away").await.unwrap();
    tx.commit().await.unwrap();
    let row = w.store.closing(key, mailbox).await.unwrap().unwrap();
    assert_eq!((row.why.as_str(), row.closed_at, row.waits.as_deref(), row.tries), ("led", None, Some("away"), 1));
    assert!(row.tried_at.is_some());
    let mut tx = w.store.write_for_good(&lease).await.unwrap();
    tx.set_closed().await.unwrap();
    tx.commit().await.unwrap();
    let row = w.store.closing(key, mailbox).await.unwrap().unwrap();
    assert!(row.closed_at.is_some_and(|at| at >= row.begun_at) && row.waits.is_none() && row.tries == 0);
    assert_eq!(w.store.closings(key).await.unwrap(), [row]);
    let mut tx = w.store.write_for_good(&lease).await.unwrap();
    tx.set_client_mark(true).await.unwrap();
    tx.set_opened().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(w.store.closings(key).await.unwrap(), []);
    assert!(w.store.client_mark(key, mailbox).await.unwrap().is_some_and(|mark| mark.cleared.is_none()));
    assert!(w.store.clear_client_mark(key, mailbox, "the helper").await.unwrap());
    let mark = w.store.client_mark(key, mailbox).await.unwrap().unwrap();
    assert_eq!(mark.cleared.map(|(_, by)| by).as_deref(), Some("the helper"));
    w.store.close().await;
}
