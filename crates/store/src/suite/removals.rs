//! Removals in the ledger, and what they keep of the item.

use model::{Fate, ItemId};

use super::{TERMS, fact, world};
use crate::{DateGiven, Fact, How, RemovalState, Treatment};

pub async fn removals_wait_apart_from_fates(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let folder = w.folder(&lease).await;
    let never_came = Fact { target_id: None, ..fact(2, Fate::Failed) };
    let copied = Fact { read_back: fact(9, Fate::Copied).exact, received: Some(5), ..fact(1, Fate::Copied) };
    let dated = Treatment {
        source_id: ItemId::from_u32(1),
        how: How::Repaired,
        rule: "repair-date".to_owned(),
        policy: "p".to_owned(),
        original: copied.exact,
        original_size_bytes: 1,
        detail: "[]".to_owned(),
        source_received: Some(-7),
    };
    let given = [DateGiven { exact: copied.exact.unwrap(), source_received: -7, received: 5 }];
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.add_treatments(folder.folder, &[dated]).await.unwrap();
    tx.add_facts(&folder, &[copied, never_came, fact(3, Fate::Copied)]).await.unwrap();
    tx.commit().await.unwrap();
    for _ in 0..2 {
        let mut tx = w.store.write(&lease).await.unwrap();
        let gone = [ItemId::from_u32(1), ItemId::from_u32(2)];
        tx.part_with(&folder, &gone, RemovalState::Held, "removed-at-source").await.unwrap();
        tx.commit().await.unwrap();
    }
    let held = w.store.held_removals(w.key, lease.mailbox).await.unwrap();
    assert_eq!((held.len(), held[0].target_id.clone()), (1, Some(ItemId::from_u32(1001))));
    assert_eq!(held[0].exact, fact(1, Fate::Copied).exact);
    assert_eq!((held[0].read_back, held[0].source_received), (fact(9, Fate::Copied).exact, Some(-7)));
    assert_eq!(w.store.treatments(w.key, lease.mailbox).await.unwrap(), []);
    assert_eq!(w.store.dates_given(w.key, lease.mailbox).await.unwrap(), given, "it is known until it is gone");
    assert_eq!(w.store.tallies(w.key, lease.mailbox).await.unwrap()[0].1.accounted(), 1);
}
