//! Removals in the ledger, and what they keep of the item.

use model::{Cause, Digest, Fate, Flags, FolderPath, FolderState, ItemId};

use super::{TERMS, fact, world};
use crate::{
    BackMove, DateGiven, Fact, FlagIntent, Freeze, How, IntentItem, IntentState, NewException, RemovalState, Treatment,
};

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

pub async fn what_is_known_of_a_source_that_is_left_reads_back(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let folder = w.folder(&lease).await;
    let (key, mailbox, number) = (w.key, lease.mailbox, folder.folder);
    assert_eq!(w.store.mailbox(key, mailbox).await.unwrap().unwrap().freeze, Freeze::Never);
    let mark = FolderState { validity: 7, next: 9, count: 4, change: 2 };
    let (inbox, one, two) = (FolderPath::inbox(), ItemId::from_u32(1), ItemId::from_u32(2));
    let mut tx = w.store.write_for_good(&lease).await.unwrap();
    tx.set_freeze_marks(&[(FolderPath::new(["old"]), mark)]).await.unwrap();
    tx.set_freeze_marks(&[(inbox.clone(), mark)]).await.unwrap();
    tx.set_freeze(Freeze::Frozen).await.unwrap();
    tx.add_facts(&folder, &[fact(1, Fate::Copied), fact(2, Fate::Copied), fact(3, Fate::Withdrawn)]).await.unwrap();
    tx.part_with(&folder, std::slice::from_ref(&one), RemovalState::Kept, "left").await.unwrap();
    tx.set_moved_to(number, &one, (number, &ItemId::from_u32(3))).await.unwrap();
    tx.commit().await.unwrap();
    let row = w.store.mailbox(key, mailbox).await.unwrap().unwrap();
    assert!(row.freeze == Freeze::Frozen && row.is_in_use() && !row.is_frozen());
    let marks = w.store.freeze_marks(key, mailbox).await.unwrap();
    assert_eq!((marks.len(), marks[&inbox].validity, marks[&inbox].next), (1, 7, 9));
    let like =
        w.store.items_like(key, mailbox, &[fact(2, Fate::Copied).exact.unwrap(), Digest::of(b"-")]).await.unwrap();
    assert_eq!(like, [(number, two.clone(), fact(2, Fate::Copied).exact.unwrap())]);

    let mut kept = w.store.held_removals(key, mailbox).await.unwrap().remove(0);
    assert_eq!((kept.state, kept.moved_to.clone()), (RemovalState::Kept, Some((number, ItemId::from_u32(3)))));
    kept.source_id = ItemId::new(b"another");
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.keep_elsewhere(&kept).await.unwrap();
    tx.hold_what_was_kept(number, &one).await.unwrap();
    tx.thawed().await.unwrap();
    tx.commit().await.unwrap();
    let held = w.store.held_removals(key, mailbox).await.unwrap();
    assert_eq!((held[0].state, &held[0].moved_to), (RemovalState::Held, &None));
    assert_eq!((held.len(), &held[1]), (2, &kept), "what is kept still has its place");
    assert_eq!(w.store.mailbox(key, mailbox).await.unwrap().unwrap().freeze, Freeze::Thawed);
    assert!(w.store.freeze_marks(key, mailbox).await.unwrap().is_empty());

    let item = IntentItem {
        source_id: ItemId::from_u32(8),
        exact: Digest::of(b"x"),
        canonical: Digest::of(b"x"),
        size_bytes: 1,
        received: Some(5),
        flags: Flags::of(["\\Seen"]),
        hint: None,
    };
    let flag = FlagIntent { folder: number, source_id: two.clone(), add: Flags::of(["a"]), take: Flags::of(["b"]) };
    let moved = BackMove { folder: number, ids: vec![two.clone()] };
    let mut tx = w.store.write_for_good(&lease).await.unwrap();
    tx.open_back_intent(1, &folder, &mark, std::slice::from_ref(&item), None).await.unwrap();
    tx.open_back_intent(2, &folder, &mark, std::slice::from_ref(&item), Some(&moved)).await.unwrap();
    tx.open_back_flags(std::slice::from_ref(&flag)).await.unwrap();
    let (class, path) = (Cause::LeaseLapsed, inbox.clone());
    let late = NewException { class, path, source_id: None, target_id: Some(two.clone()), what: "late".to_owned() };
    tx.add_exception(&late).await.unwrap();
    tx.commit().await.unwrap();
    let open = w.store.back_intents(key, mailbox).await.unwrap();
    assert_eq!((open.len(), &open[0].items, open[0].mark, &open[0].moved), (2, &vec![item], mark, &None));
    assert_eq!((&open[1].moved, open[1].state), (&Some(moved), IntentState::Open));
    assert_eq!(w.store.back_flags(key, mailbox).await.unwrap(), [flag]);
    let listed = w.store.listed_copies(key, mailbox, &[Cause::LeaseLapsed]).await.unwrap();
    assert_eq!(listed.into_iter().collect::<Vec<_>>(), [(inbox, two)]);
    assert!(w.store.listed_copies(key, mailbox, &[Cause::Altered]).await.unwrap().is_empty());
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.close_back_intent(lease.fence, 1, 0).await.unwrap();
    tx.close_back_intent(lease.fence, 2, 3).await.unwrap();
    tx.close_back_flags(number).await.unwrap();
    tx.commit().await.unwrap();
    let left = w.store.back_intents(key, mailbox).await.unwrap();
    assert!(left.len() == 1 && matches!(left[0].state, IntentState::Watched { looks_left: 3, .. }), "{left:?}");
    assert!(w.store.back_flags(key, mailbox).await.unwrap().is_empty());
}
