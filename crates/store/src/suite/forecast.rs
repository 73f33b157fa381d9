//! What is kept of predictions and of the time that work takes; and a database that an earlier program made.

use model::{FolderPath, ItemId, Phase};

use super::{TERMS, organisation, world};
use crate::{ForecastItem, ForecastRow, Store};

pub async fn a_prediction_takes_the_place_of_the_one_before(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let item = |n: u32, rule: &str| ForecastItem {
        path: FolderPath::new(["Sent", "a/b"]),
        source_id: ItemId::from_u32(n),
        how: "left".to_owned(),
        rule: rule.to_owned(),
    };
    let forecast = |detail: &str, is_begun, items| ForecastRow {
        at: 0,
        policy: "p 1".to_owned(),
        is_read: true,
        is_begun,
        detail: detail.to_owned(),
        items,
    };
    assert_eq!(w.store.forecast(w.key, lease.mailbox).await.unwrap(), None);
    for (detail, is_begun, items) in [
        ("{\"n\":1}", true, vec![]),
        ("{\"n\":2}", false, vec![item(1, "a"), item(2, "b")]),
        ("{\"n\":3}", false, vec![item(2, "c")]),
        ("{\"n\":4}", true, vec![item(9, "d")]),
    ] {
        w.store.add_forecast(w.key, lease.mailbox, &forecast(detail, is_begun, items)).await.unwrap();
    }
    // What was said before anything was copied says most.
    let found = w.store.forecast(w.key, lease.mailbox).await.unwrap().unwrap();
    assert!(found.at > 1_600_000_000_000);
    assert_eq!(ForecastRow { at: 0, ..found }, forecast("{\"n\":3}", false, vec![item(2, "c")]));
    assert_eq!(w.store.forecast(w.key, lease.mailbox + 1).await.unwrap(), None);
}

pub async fn time_worked_adds_up(url: &str) {
    let w = world(url).await;
    assert_eq!(w.store.worked(w.key).await.unwrap(), []);
    let lease = w.claim_one(TERMS).await;
    for (ms, items, bytes) in [(5, 1, 1000), (7, 2, 5_000_000_000)] {
        let mut tx = w.store.write(&lease).await.unwrap();
        tx.add_work(ms, items, bytes).await.unwrap();
        tx.commit().await.unwrap();
    }
    let worked = w.store.worked(w.key).await.unwrap();
    assert_eq!((worked.len(), worked[0].mailbox, worked[0].source_endpoint), (1, lease.mailbox, w.local));
    assert_eq!((worked[0].ms, worked[0].items, worked[0].bytes), (12, 3, 5_000_001_000));
}

pub async fn a_database_of_an_earlier_step_is_brought_forward_with_what_is_in_it(url: &str) {
    // Step by step, as somebody does who upgrades each time.
    let store = Store::open_at_step(url, 1).await.unwrap();
    let key = store.project(&organisation(), "migration").await.unwrap();
    let local = store.endpoint(key, "local", "imap").await.unwrap();
    let insert = "INSERT INTO mailbox (organisation, project, mailbox, source_endpoint, source_name, target_endpoint, \
        target_name, kind, listed, target_in_use, phase, condition, since, fence, bytes_proved, bytes_not_kept) \
        VALUES ($1, $2, 1, $3, 'ann', $3, 'ann', 'person', 1, 0, 'in-step', 'running', 5, 7, 1, 0)";
    let mut tx = store.begin(crate::sql::Durability::Full).await.unwrap();
    let values = crate::sql::values![key.organisation, key.project, local];
    tx.execute(insert, values).await.unwrap();
    tx.commit().await.unwrap();
    store.close().await;
    for step in 2..=crate::schema::KNOWN {
        Store::open_at_step(url, step).await.unwrap().close().await;
    }
    let store = Store::open(url).await.unwrap();
    let rows = store.mailboxes(key).await.unwrap();
    assert_eq!((rows.len(), rows[0].roster.source_name.as_str(), rows[0].state.phase), (1, "ann", Phase::InStep));
    assert_eq!((store.worked(key).await.unwrap(), store.forecast(key, 1).await.unwrap()), (vec![], None));
    store.close().await;
}
