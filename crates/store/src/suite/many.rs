//! Many rows at once.

use model::{Fate, Flags, ItemId};

use super::{TERMS, fact, world};
use crate::{Fact, FlagFact, FlagIntent, RemovalState};

pub async fn ten_thousand_facts_in_one_transaction(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let folder = w.folder(&lease).await;
    let facts: Vec<Fact> = (1..=10_007).map(|n| fact(n, Fate::Copied)).collect();
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.add_facts(&folder, &facts).await.unwrap();
    tx.commit().await.unwrap();
    let (mut pages, mut items) = (w.store.items(w.key, &folder), Vec::new());
    loop {
        let page = pages.next().await.unwrap();
        if page.is_empty() {
            break;
        }
        items.extend(page);
    }
    assert_eq!(items.len(), 10_007);
    assert!(items.windows(2).all(|pair| pair[0].source_id < pair[1].source_id));
}

pub async fn many_items_are_changed_at_once_and_no_others(url: &str) {
    const COUNT: u32 = 1_111;
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let folder = w.folder(&lease).await;
    let (key, mailbox, number) = (w.key, lease.mailbox, folder.folder);
    let facts: Vec<Fact> = (0..COUNT).map(|n| fact(n, Fate::Copied)).collect();
    // All but each eleventh.
    let ids: Vec<ItemId> = (0..COUNT).filter(|n| n % 11 != 0).map(ItemId::from_u32).collect();
    let left = (0..COUNT).filter(|n| n % 11 == 0).count();
    let of = |id: &ItemId| id.as_u32().unwrap();
    let flags = |id: &ItemId| Flags::of([["A", "B", "C"][of(id) as usize % 3]]);
    let flag = |id: &ItemId| FlagFact { source_id: id.clone(), source_flags: flags(id), target_flags: None };
    let intent = |id: &ItemId| FlagIntent { folder: number, source_id: id.clone(), add: flags(id), take: Flags::NONE };
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.add_facts(&folder, &facts).await.unwrap();
    tx.set_flags(&folder, &ids.iter().map(flag).collect::<Vec<_>>()).await.unwrap();
    tx.open_flag_intents(&ids.iter().map(intent).collect::<Vec<_>>()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(w.store.flag_intents(key, mailbox).await.unwrap(), ids.iter().map(intent).collect::<Vec<_>>());
    let items = w.store.items_of(key, &folder, &ids).await.unwrap();
    assert_eq!(items.len(), ids.len());
    assert!(items.iter().all(|item| item.source_flags == flags(&item.source_id)));
    assert!(w.store.items_of(key, &folder, &[]).await.unwrap().is_empty());
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.part_with(&folder, &ids, RemovalState::Due, "a rule").await.unwrap();
    let target = |id: &ItemId| (id.clone(), ItemId::from_u32(of(id) + 5_000));
    tx.set_removal_targets(number, &ids[1..].iter().map(target).collect::<Vec<_>>()).await.unwrap();
    tx.set_removals(number, &ids[..500], RemovalState::Held, "another").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(w.store.count_items(key, &folder).await.unwrap() as usize, left);
    let removals = w.store.held_removals(key, mailbox).await.unwrap();
    assert_eq!(removals.len(), ids.len());
    assert_eq!(removals[0].target_id, facts[1].target_id, "it kept what it had");
    assert!(removals[1..].iter().all(|held| held.target_id.as_ref() == Some(&target(&held.source_id).1)));
    let held = removals.iter().filter(|held| held.state == RemovalState::Held && held.rule == "another");
    assert_eq!(held.map(|held| &held.source_id).collect::<Vec<_>>(), ids[..500].iter().collect::<Vec<_>>());
    // A word comes for some of them before they are begun.
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.set_removals(number, &ids[600..610], RemovalState::Kept, "a word").await.unwrap();
    let begun = tx.begin_removals(&removals[500..].iter().collect::<Vec<_>>()).await.unwrap();
    let expected = ids[500..600].iter().chain(&ids[610..]).map(|id| (number, id.clone()));
    assert_eq!(begun, expected.collect());
    tx.drop_removals(number, &ids[1..]).await.unwrap();
    let rest: Vec<ItemId> = (0..COUNT).filter(|n| n % 11 == 0).map(ItemId::from_u32).collect();
    tx.withdraw(&folder, &rest[1..]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(w.store.held_removals(key, mailbox).await.unwrap().len(), 1);
    assert_eq!(w.store.count_there(key, mailbox).await.unwrap(), 1);
}
