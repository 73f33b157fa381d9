//! What every database must do: one suite, run on SQLite here and on a real PostgreSQL by the server tests.
//!
//! Each function takes the address of an empty database and panics when something is not as it must be.
#![expect(clippy::unwrap_used, reason = "a suite of tests")]
#![expect(missing_docs, reason = "the names say it")]

mod forecast;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use model::{
    Actor, Cause, Condition, Digest, Fate, Flags, FolderPath, FolderState, ItemId, ItemKind, MailboxKind, Organisation,
    OrganisationCode, Phase, Role, Side,
};
use serde_json::json;

use crate::{
    Error, Fact, FlagFact, FlagIntent, FolderRow, HeldItem, IntentItem, IntentState, Lease, LeaseTerms, MailboxState,
    NewException, NewFailure, NewFolder, ProjectKey, RemovalState, RosterRow, Store, Watch,
};

pub use self::forecast::*;

const TERMS: LeaseTerms = LeaseTerms { lasts_ms: 60_000, margin_ms: 0 };
const SHORT: LeaseTerms = LeaseTerms { lasts_ms: 1, margin_ms: 0 };

/// Calls a macro with the name of every test of the suite.
#[macro_export]
macro_rules! every_store_test {
    ($call:ident) => {
        $call!(
            project_and_endpoints_are_the_same_when_asked_for_again,
            roster_adds_keeps_and_drops,
            a_person_whose_copy_has_begun_keeps_the_target,
            every_due_mailbox_is_claimed_by_exactly_one_worker,
            only_due_mailboxes_that_are_asked_for_are_claimed,
            a_successor_waits_for_the_lease_and_its_margin,
            a_worker_that_lost_its_mailbox_writes_nothing,
            the_hold_of_a_dead_worker_ends_at_once,
            nothing_of_a_dropped_transaction_is_there,
            a_commit_that_is_held_back_does_not_happen,
            facts_are_read_back_and_replaced_by_later_ones,
            fates_add_up_by_folder,
            a_batch_under_way_is_known_until_its_outcome_is,
            removals_wait_apart_from_fates,
            what_is_known_of_following_reads_back,
            words_reach_what_they_are_said_of,
            a_retired_folder_makes_room_and_keeps_its_items,
            failures_count_their_tries,
            exceptions_are_written_once,
            two_mailboxes_that_reach_one_store_are_found,
            of_two_that_reach_one_store_at_once_one_is_told,
            states_of_folders_are_read_back,
            ten_thousand_facts_in_one_transaction,
            many_items_are_changed_at_once_and_no_others,
            audit_rows_are_chained_and_cannot_be_changed,
            a_prediction_takes_the_place_of_the_one_before,
            time_worked_adds_up,
            a_database_of_an_earlier_step_is_brought_forward_with_what_is_in_it,
        );
    };
}

async fn pause(ms: u64) {
    tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
}

fn organisation() -> Organisation {
    let code = OrganisationCode::try_from("RX1".to_owned()).unwrap();
    Organisation { name: "Example Trust".to_owned(), code }
}

struct World {
    store: Store,
    key: ProjectKey,
    local: i64,
    national: i64,
}

async fn world(url: &str) -> World {
    let store = Store::open(url).await.unwrap();
    let key = store.project(&organisation(), "migration").await.unwrap();
    let local = store.endpoint(key, "local", "imap").await.unwrap();
    let national = store.endpoint(key, "national", "imap").await.unwrap();
    World { store, key, local, national }
}

impl World {
    fn person(&self, source: &str, target: &str) -> RosterRow {
        RosterRow {
            source_endpoint: self.local,
            source_name: source.to_owned(),
            target_endpoint: self.national,
            target_name: target.to_owned(),
            name: None,
            kind: MailboxKind::Person,
            collection: Some("first".to_owned()),
            target_in_use: false,
        }
    }

    async fn enroll(&self, people: usize) -> Vec<i64> {
        let roster: Vec<RosterRow> =
            (0..people).map(|n| self.person(&format!("p{n}@old"), &format!("p{n}@new"))).collect();
        self.store.enroll(self.key, &roster).await.unwrap();
        let ids: Vec<i64> = self.store.mailboxes(self.key).await.unwrap().iter().map(|row| row.mailbox).collect();
        self.store.mark_due(self.key, &ids).await.unwrap();
        ids
    }

    async fn claim_one(&self, terms: LeaseTerms) -> Lease {
        let ids = self.enroll(1).await;
        self.store.claim(self.key, &ids, "worker", terms).await.unwrap().unwrap().0
    }

    async fn folder(&self, lease: &Lease) -> FolderRow {
        let new = NewFolder {
            endpoint: self.local,
            kind: ItemKind::Message,
            path: FolderPath::new(["Sent", "Ünïcode \"quoted\""]),
            validity: u64::from(u32::MAX),
            target_path: FolderPath::new(["Sent"]),
        };
        let mut tx = self.store.write(lease).await.unwrap();
        let number = tx.add_folder(&new).await.unwrap();
        tx.commit().await.unwrap();
        let folders = self.store.folders(self.key, lease.mailbox).await.unwrap();
        folders.into_iter().find(|folder| folder.folder == number).unwrap()
    }
}

fn state(phase: Phase) -> MailboxState {
    MailboxState { phase, condition: Condition::Running, cause: None }
}

fn fact(n: u32, fate: Fate) -> Fact {
    Fact {
        source_id: ItemId::from_u32(n),
        fate,
        size_bytes: 100,
        received: Some(1_000_000_000),
        exact: Some(Digest::of(&n.to_be_bytes())),
        canonical: Some(Digest::of(&n.to_be_bytes())),
        source_flags: Flags::of(["\\Seen"]),
        target_id: Some(ItemId::from_u32(n + 1000)),
        target_flags: None,
        read_back: None,
    }
}

pub async fn project_and_endpoints_are_the_same_when_asked_for_again(url: &str) {
    let world = world(url).await;
    assert_eq!(world.store.project(&organisation(), "migration").await.unwrap(), world.key);
    assert_eq!(world.store.endpoint(world.key, "local", "imap").await.unwrap(), world.local);
    let other = world.store.project(&organisation(), "other").await.unwrap();
    assert_eq!(other.organisation, world.key.organisation);
    assert_ne!(other.project, world.key.project);
    assert!(world.store.mailboxes(other).await.unwrap().is_empty());
}

pub async fn roster_adds_keeps_and_drops(url: &str) {
    let w = world(url).await;
    let (a, b, c) = (w.person("a", "A"), w.person("b", "B"), w.person("c", "C"));
    let enrolled = w.store.enroll(w.key, &[a.clone(), b.clone()]).await.unwrap();
    assert_eq!((enrolled.added, enrolled.kept, enrolled.dropped), (2, 0, 0));
    let renamed = RosterRow { name: Some("Ann".to_owned()), target_name: "A2".to_owned(), ..a };
    let enrolled = w.store.enroll(w.key, &[renamed.clone(), c]).await.unwrap();
    assert_eq!((enrolled.added, enrolled.kept, enrolled.dropped), (1, 1, 1));
    let rows = w.store.mailboxes(w.key).await.unwrap();
    assert_eq!(rows[0].roster, renamed);
    assert_eq!(rows.iter().map(|row| row.listed).collect::<Vec<_>>(), [true, false, true]);
    let enrolled = w.store.enroll(w.key, &[b]).await.unwrap();
    assert_eq!((enrolled.added, enrolled.kept, enrolled.dropped), (0, 1, 2));
    assert!(w.store.mailboxes(w.key).await.unwrap()[1].listed, "one that comes back is listed again");
}

pub async fn a_person_whose_copy_has_begun_keeps_the_target(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    w.store.release(&lease, &state(Phase::Copying), None).await.unwrap();
    let other = w.person("p0@old", "else@new");
    assert!(matches!(w.store.enroll(w.key, &[other]).await, Err(Error::Retargeted { .. })));
    assert_eq!(w.store.mailboxes(w.key).await.unwrap()[0].roster.target_name, "p0@new");
}

pub async fn every_due_mailbox_is_claimed_by_exactly_one_worker(url: &str) {
    let w = world(url).await;
    let ids = w.enroll(60).await;
    let mut workers = Vec::new();
    for n in 0..6 {
        let (store, key, ids) = (Store::open(url).await.unwrap(), w.key, ids.clone());
        workers.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            while let Some((lease, row)) = store.claim(key, &ids, &format!("worker {n}"), TERMS).await.unwrap() {
                assert_eq!(lease.mailbox, row.mailbox);
                mine.push(lease.mailbox);
            }
            mine
        }));
    }
    let mut all = Vec::new();
    for worker in workers {
        all.extend(worker.await.unwrap());
    }
    assert_eq!(all.len(), 60);
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), ids.into_iter().collect());
}

pub async fn only_due_mailboxes_that_are_asked_for_are_claimed(url: &str) {
    let w = world(url).await;
    let ids = w.enroll(3).await;
    let (lease, _) = w.store.claim(w.key, &ids[1..2], "me", TERMS).await.unwrap().unwrap();
    assert_eq!(lease.mailbox, ids[1]);
    w.store.release(&lease, &state(Phase::Planned), None).await.unwrap();
    assert!(w.store.claim(w.key, &ids[1..2], "me", TERMS).await.unwrap().is_none(), "done, so not due any more");
    let (held, _) = w.store.claim(w.key, &ids, "me", TERMS).await.unwrap().unwrap();
    let (others, due) = w.store.held_and_due(w.key, &ids, "you", TERMS).await.unwrap();
    assert_eq!((others, due), (vec![held.mailbox], vec![ids[2]]));
}

pub async fn a_successor_waits_for_the_lease_and_its_margin(url: &str) {
    let w = world(url).await;
    let ids = w.enroll(1).await;
    let with_margin = LeaseTerms { lasts_ms: 1, margin_ms: 60_000 };
    let (first, _) = w.store.claim(w.key, &ids, "first", SHORT).await.unwrap().unwrap();
    pause(30).await;
    assert!(w.store.claim(w.key, &ids, "second", with_margin).await.unwrap().is_none());
    let (second, _) = w.store.claim(w.key, &ids, "second", SHORT).await.unwrap().unwrap();
    assert!(second.fence > first.fence);
    assert!(matches!(w.store.renew(&first, TERMS).await, Err(Error::Fenced)));
    w.store.renew(&second, TERMS).await.unwrap();
    assert!(w.store.claim(w.key, &ids, "third", SHORT).await.unwrap().is_none());
    assert!(w.store.mailboxes(w.key).await.unwrap()[0].is_held);
}

pub async fn a_worker_that_lost_its_mailbox_writes_nothing(url: &str) {
    let w = world(url).await;
    let lost = w.claim_one(SHORT).await;
    let folder = w.folder(&lost).await;
    pause(30).await;
    let (now, _) = w.store.claim(w.key, &[lost.mailbox], "other", TERMS).await.unwrap().unwrap();
    assert!(matches!(w.store.write(&lost).await, Err(Error::Fenced)));
    assert!(matches!(w.store.release(&lost, &state(Phase::Settled), None).await, Err(Error::Fenced)));
    let mut tx = w.store.write(&now).await.unwrap();
    tx.add_facts(&folder, &[fact(1, Fate::Copied)]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(w.store.mailboxes(w.key).await.unwrap()[0].state.phase, Phase::Planned);
}

pub async fn the_hold_of_a_dead_worker_ends_at_once(url: &str) {
    let w = world(url).await;
    let ids = w.enroll(2).await;
    w.store.claim(w.key, &ids, "dead", TERMS).await.unwrap().unwrap();
    w.store.claim(w.key, &ids, "alive", TERMS).await.unwrap().unwrap();
    assert_eq!(w.store.void_leases(|holder| holder == "dead").await.unwrap(), 1);
    assert!(w.store.claim(w.key, &ids, "next", TERMS).await.unwrap().is_some());
    assert!(w.store.claim(w.key, &ids, "next", TERMS).await.unwrap().is_none());
}

pub async fn nothing_of_a_dropped_transaction_is_there(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let folder = w.folder(&lease).await;
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.add_facts(&folder, &[fact(1, Fate::Copied)]).await.unwrap();
    drop(tx);
    assert!(w.store.items(w.key, &folder).next().await.unwrap().is_empty());
}

struct HoldBack(AtomicBool);

impl Watch for HoldBack {
    fn before_commit(&self) -> Result<(), Error> {
        if self.0.load(Ordering::SeqCst) { Err(Error::HeldBack("not now".to_owned())) } else { Ok(()) }
    }

    fn after_commit(&self) {}
}

pub async fn a_commit_that_is_held_back_does_not_happen(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let folder = w.folder(&lease).await;
    let watch = Arc::new(HoldBack(AtomicBool::new(true)));
    let watched = w.store.watched(watch.clone());
    let mut tx = watched.write(&lease).await.unwrap();
    tx.add_facts(&folder, &[fact(1, Fate::Copied)]).await.unwrap();
    assert!(matches!(tx.commit().await, Err(Error::HeldBack(_))));
    assert!(w.store.items(w.key, &folder).next().await.unwrap().is_empty());
    watch.0.store(false, Ordering::SeqCst);
    let mut tx = watched.write(&lease).await.unwrap();
    tx.add_facts(&folder, &[fact(1, Fate::Copied)]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(w.store.items(w.key, &folder).next().await.unwrap().len(), 1);
}

pub async fn facts_are_read_back_and_replaced_by_later_ones(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let folder = w.folder(&lease).await;
    let failed = Fact {
        fate: Fate::Failed,
        exact: None,
        canonical: None,
        received: None,
        target_id: None,
        ..fact(2, Fate::Failed)
    };
    let other_form = Fact {
        canonical: Some(Digest::of(b"canonical")),
        read_back: Some(Digest::of(b"there")),
        ..fact(3, Fate::Adopted)
    };
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.add_facts(&folder, &[fact(1, Fate::Copied), failed, other_form]).await.unwrap();
    tx.commit().await.unwrap();
    let items = w.store.items(w.key, &folder).next().await.unwrap();
    assert_eq!(items.iter().map(|item| item.fate).collect::<Vec<_>>(), [Fate::Copied, Fate::Failed, Fate::Adopted]);
    assert_eq!(items[0].canonical, items[0].exact);
    assert_eq!(items[0].target_flags, Flags::of(["\\Seen"]));
    assert_eq!((items[1].exact, items[1].received, &items[1].target_id), (None, None, &None));
    assert_eq!(items[2].canonical, Some(Digest::of(b"canonical")));
    assert_eq!((items[0].read_back, items[2].read_back), (None, Some(Digest::of(b"there"))));

    let flags = FlagFact {
        source_id: ItemId::from_u32(1),
        source_flags: Flags::of(["\\Flagged", "Work"]),
        target_flags: Some(Flags::of(["\\Flagged", "\\Seen"])),
    };
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.add_facts(&folder, &[fact(2, Fate::Copied)]).await.unwrap();
    tx.set_flags(&folder, &[flags]).await.unwrap();
    tx.forget_items(&folder, &[ItemId::from_u32(3)]).await.unwrap();
    tx.commit().await.unwrap();
    let items = w.store.items(w.key, &folder).next().await.unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(items[0].source_flags, Flags::of(["work", "\\Flagged"]));
    assert_eq!(items[0].target_flags, Flags::of(["\\Seen", "\\Flagged"]));
    assert_eq!((items[1].fate, items[1].target_id.clone()), (Fate::Copied, Some(ItemId::from_u32(1002))));
}

pub async fn fates_add_up_by_folder(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let folder = w.folder(&lease).await;
    let mut tx = w.store.write(&lease).await.unwrap();
    let facts = [fact(1, Fate::Copied), fact(2, Fate::Copied), fact(3, Fate::Failed), fact(4, Fate::Adopted)];
    tx.add_facts(&folder, &facts).await.unwrap();
    let read = FolderState { validity: folder.validity, next: 5, count: 4, change: 9 };
    tx.set_source_state(folder.folder, &read).await.unwrap();
    tx.commit().await.unwrap();
    let tallies = w.store.tallies(w.key, lease.mailbox).await.unwrap();
    let tally = tallies[0].1;
    assert_eq!((tally.source, tally.accounted(), tally.copied, tally.failed, tally.adopted), (4, 4, 2, 1, 1));
    assert_eq!(tally.bytes, 300);
}

pub async fn a_batch_under_way_is_known_until_its_outcome_is(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let folder = w.folder(&lease).await;
    let mark = FolderState { validity: 7, next: 1, count: 0, change: 0 };
    let item = IntentItem {
        source_id: ItemId::from_u32(1),
        exact: Digest::of(b"x"),
        canonical: Digest::of(b"x"),
        size_bytes: 1,
        received: None,
        flags: Flags::NONE,
        hint: Some(1),
    };
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.open_intent(1, folder.folder, &mark, std::slice::from_ref(&item)).await.unwrap();
    tx.open_intent(2, folder.folder, &mark, &[]).await.unwrap();
    tx.commit().await.unwrap();
    let open = w.store.intents(w.key, lease.mailbox).await.unwrap();
    assert_eq!((open.len(), &open[0].items, open[0].mark), (2, &vec![item], mark));
    assert_eq!((open[0].state, open[0].fence), (IntentState::Open, lease.fence));
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.watch_intent(lease.fence, 1, 3).await.unwrap();
    tx.close_intent(lease.fence, 2).await.unwrap();
    tx.commit().await.unwrap();
    let left = w.store.intents(w.key, lease.mailbox).await.unwrap();
    assert_eq!(left.len(), 1);
    assert!(matches!(left[0].state, IntentState::Watched { looks_left: 3, .. }));
}

pub async fn removals_wait_apart_from_fates(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let folder = w.folder(&lease).await;
    let never_came = Fact { target_id: None, ..fact(2, Fate::Failed) };
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.add_facts(&folder, &[fact(1, Fate::Copied), never_came, fact(3, Fate::Copied)]).await.unwrap();
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
    assert_eq!(w.store.tallies(w.key, lease.mailbox).await.unwrap()[0].1.accounted(), 1);
}

pub async fn what_is_known_of_following_reads_back(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let folder = w.folder(&lease).await;
    let (key, mailbox, number) = (w.key, lease.mailbox, folder.folder);
    assert_eq!((folder.subscribed, folder.made, folder.compared), (None, false, (0, 0)));
    let (one, two, three) = (ItemId::from_u32(1), ItemId::from_u32(2), ItemId::from_u32(3));
    let state = FolderState { validity: 7, next: 9, count: 4, change: 2 };
    let add = Flags::of(["\\Seen", "Work"]);
    let intent = FlagIntent { folder: number, source_id: one.clone(), add, take: Flags::NONE };
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.add_facts(&folder, &(1..=4).map(|n| fact(n, Fate::Copied)).collect::<Vec<_>>()).await.unwrap();
    tx.set_target_state(number, &state).await.unwrap();
    tx.set_compared(number, &state).await.unwrap();
    tx.begin_making(number).await.unwrap();
    tx.set_made(number).await.unwrap();
    tx.begin_following(number).await.unwrap();
    tx.open_flag_intents(std::slice::from_ref(&intent)).await.unwrap();
    tx.withdraw(&folder, std::slice::from_ref(&three)).await.unwrap();
    tx.part_with(&folder, std::slice::from_ref(&two), RemovalState::Due, "a rule").await.unwrap();
    for (day, count) in [(3, 5), (3, 2), (4, 1)] {
        tx.add_removed(day, count).await.unwrap();
    }
    tx.commit().await.unwrap();
    let read = w.store.folders(key, mailbox).await.unwrap().remove(0);
    assert_eq!((read.subscribed, read.is_following_begun, read.made, read.compared), (None, true, true, (9, 4)));
    assert_eq!(w.store.flag_intents(key, mailbox).await.unwrap(), [intent]);
    assert_eq!(
        (w.store.removed_on(key, mailbox, 3).await.unwrap(), w.store.removed_on(key, mailbox, 4).await.unwrap()),
        (0, 1)
    );
    assert_eq!(w.store.count_there(key, mailbox).await.unwrap(), 2);
    let there = w.store.items_there(key, mailbox, &folder.target_path, 7).await.unwrap();
    assert_eq!(there.iter().map(|item| &item.source_id).collect::<Vec<_>>(), [&one, &ItemId::from_u32(4)]);
    let removal = w.store.held_removals(key, mailbox).await.unwrap().remove(0);
    assert_eq!(
        (removal.state, removal.rule.as_str(), removal.received),
        (RemovalState::Due, "a rule", fact(2, Fate::Copied).received)
    );
    assert_eq!(removal.source_flags, fact(2, Fate::Copied).source_flags);
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.set_subscribed(number, true).await.unwrap();
    tx.close_flag_intents(number).await.unwrap();
    tx.set_removals(number, std::slice::from_ref(&two), RemovalState::Doing, "another").await.unwrap();
    tx.set_removal_target(number, &two, None).await.unwrap();
    tx.forget_source_state(number).await.unwrap();
    tx.commit().await.unwrap();
    let read = w.store.folders(key, mailbox).await.unwrap().remove(0);
    assert_eq!((read.subscribed, read.is_following_begun), (Some(true), false));
    let removal = w.store.held_removals(key, mailbox).await.unwrap().remove(0);
    assert_eq!((removal.state, removal.rule.as_str(), removal.target_id), (RemovalState::Doing, "another", None));
    assert!(w.store.flag_intents(key, mailbox).await.unwrap().is_empty());
}

pub async fn words_reach_what_they_are_said_of(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let folder = w.folder(&lease).await;
    let (key, mailbox, number) = (w.key, lease.mailbox, folder.folder);
    let id = ItemId::from_u32;
    let held =
        HeldItem { folder: number, source_id: id(3), target_id: Some(id(9)), what: "?".to_owned(), is_another: None };
    let failure = |cause| NewFailure {
        source_id: id(4),
        cause,
        what: "no".to_owned(),
        server: None,
        policy: "plain 1.1".to_owned(),
    };
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.add_facts(&folder, &[fact(1, Fate::Copied), fact(2, Fate::Copied), fact(3, Fate::Held)]).await.unwrap();
    tx.add_failures(number, &[failure(Cause::Nul)]).await.unwrap();
    tx.part_with(&folder, &[id(1), id(2)], RemovalState::Held, "a rule").await.unwrap();
    tx.hold_items(number, std::slice::from_ref(&held)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(w.store.answer_removals(key, &[(number, id(1))], true).await.unwrap(), 1);
    assert_eq!(w.store.answer_removals(key, &[(number, id(2)), (number, id(8))], false).await.unwrap(), 1);
    let states: Vec<_> = w.store.held_removals(key, mailbox).await.unwrap().iter().map(|held| held.state).collect();
    assert_eq!(states, [RemovalState::Approved, RemovalState::Kept]);
    assert_eq!(w.store.held_items(key, mailbox).await.unwrap(), std::slice::from_ref(&held));
    for is_another in [false, true] {
        w.store.answer_items(key, &[(number, id(3))], is_another).await.unwrap();
        let said = HeldItem { is_another: Some(is_another), ..held.clone() };
        assert_eq!(w.store.held_items(key, mailbox).await.unwrap(), [said]);
    }
    assert!(!w.store.follows_vanished(key, mailbox).await.unwrap());
    w.store.follow_vanished(key, mailbox).await.unwrap();
    assert!(w.store.follows_vanished(key, mailbox).await.unwrap());
    let failed = [(number, id(4))];
    assert_eq!(w.store.accept_failures(key, &failed, "Kim", "empty").await.unwrap(), 1);
    let accepted_by = async || w.store.failures(key, None).await.unwrap().remove(0).accepted_by;
    assert_eq!(accepted_by().await.as_deref(), Some("Kim"));
    for (cause, stays) in [(Cause::Nul, true), (Cause::BareCr, false)] {
        let mut tx = w.store.write(&lease).await.unwrap();
        tx.add_failures(number, &[failure(cause)]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(accepted_by().await.is_some(), stays, "the word was about another cause");
    }
    let tried = async || w.store.failed_ids(key, mailbox, &[Cause::BareCr], "plain 1.1").await.unwrap();
    assert!(tried().await.is_empty());
    assert_eq!(w.store.retry_failures(key, &failed).await.unwrap(), 1);
    assert_eq!(tried().await, [(number, vec![id(4)])].into());
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.release_items(number, &[id(3)]).await.unwrap();
    tx.drop_removals(number, &[id(1), id(2)]).await.unwrap();
    tx.spend_vanished_word().await.unwrap();
    tx.commit().await.unwrap();
    assert!(!w.store.follows_vanished(key, mailbox).await.unwrap());
    assert!(w.store.held_items(key, mailbox).await.unwrap().is_empty());
    assert!(w.store.held_removals(key, mailbox).await.unwrap().is_empty());
}

pub async fn a_retired_folder_makes_room_and_keeps_its_items(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let folder = w.folder(&lease).await;
    let state = FolderState { validity: 7, next: 9, count: 4, change: 2 };
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.add_facts(&folder, &[fact(1, Fate::Copied)]).await.unwrap();
    tx.set_target_state(folder.folder, &state).await.unwrap();
    tx.retire_folder(folder.folder).await.unwrap();
    let new = NewFolder {
        endpoint: folder.endpoint,
        kind: folder.kind,
        path: folder.path.clone(),
        validity: folder.validity,
        target_path: folder.target_path.clone(),
    };
    let number = tx.add_folder(&new).await.unwrap();
    tx.commit().await.unwrap();
    let rows = w.store.folders(w.key, lease.mailbox).await.unwrap();
    assert_eq!(
        rows.iter().map(|row| (row.folder, row.is_gone())).collect::<Vec<_>>(),
        [(folder.folder, true), (number, false)]
    );
    let former = w.store.former_copies(w.key, lease.mailbox, &folder.target_path, 7).await.unwrap();
    assert_eq!(former.len(), 1);
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.forget_items(&folder, &[ItemId::from_u32(1)]).await.unwrap();
    tx.drop_folder(folder.folder).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(w.store.folders(w.key, lease.mailbox).await.unwrap().len(), 1);
}

pub async fn failures_count_their_tries(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let folder = w.folder(&lease).await;
    let failure = NewFailure {
        source_id: ItemId::from_u32(2),
        cause: Cause::Nul,
        what: "cannot append".to_owned(),
        server: None,
        policy: "plain 1.1".to_owned(),
    };
    for _ in 0..2 {
        let mut tx = w.store.write(&lease).await.unwrap();
        tx.add_facts(&folder, &[fact(2, Fate::Failed)]).await.unwrap();
        tx.add_failures(folder.folder, std::slice::from_ref(&failure)).await.unwrap();
        tx.commit().await.unwrap();
    }
    let rows = w.store.failures(w.key, None).await.unwrap();
    assert_eq!((rows.len(), rows[0].tries, rows[0].cause, rows[0].size_bytes), (1, 2, Cause::Nul, 100));
    assert_eq!(rows[0].path, folder.path);
    assert!(w.store.failures(w.key, Some(lease.mailbox + 1)).await.unwrap().is_empty());
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.clear_failures(folder.folder, &[ItemId::from_u32(2)]).await.unwrap();
    tx.commit().await.unwrap();
    assert!(w.store.failures(w.key, Some(lease.mailbox)).await.unwrap().is_empty());
}

pub async fn exceptions_are_written_once(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let exception = NewException {
        class: Cause::FolderCollision,
        path: FolderPath::new(["a"]),
        source_id: None,
        target_id: Some(ItemId::from_u32(5)),
        what: "two become one".to_owned(),
    };
    for _ in 0..2 {
        let mut tx = w.store.write(&lease).await.unwrap();
        tx.close_exceptions(Cause::FolderCollision).await.unwrap();
        tx.add_exception(&exception).await.unwrap();
        tx.commit().await.unwrap();
    }
    let rows = w.store.exceptions(w.key).await.unwrap();
    assert_eq!((rows.len(), &rows[0].exception, rows[0].is_open), (1, &exception, true));
    // A server's words may hold a time or a counter; another item is another exception.
    let newest = NewException { what: "two become one (0.002 secs)".to_owned(), ..exception.clone() };
    let another = NewException { source_id: Some(ItemId::from_u32(5)), ..exception.clone() };
    let mut tx = w.store.write(&lease).await.unwrap();
    for exception in [&newest, &another, &newest, &another] {
        tx.add_exception(exception).await.unwrap();
    }
    tx.commit().await.unwrap();
    let rows = w.store.exceptions(w.key).await.unwrap();
    assert_eq!(rows.iter().map(|row| &row.exception).collect::<Vec<_>>(), [&newest, &another]);
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.close_exceptions(Cause::FolderCollision).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!w.store.exceptions(w.key).await.unwrap()[0].is_open);
}

pub async fn two_mailboxes_that_reach_one_store_are_found(url: &str) {
    let w = world(url).await;
    let ids = w.enroll(2).await;
    let (first, _) = w.store.claim(w.key, &ids[..1], "me", TERMS).await.unwrap().unwrap();
    let (second, _) = w.store.claim(w.key, &ids[1..], "me", TERMS).await.unwrap().unwrap();
    let mut tx = w.store.write(&first).await.unwrap();
    assert_eq!(tx.set_stores(Some("s1"), Some("t1")).await.unwrap(), None);
    assert_eq!(tx.set_stores(Some("s1"), Some("t1")).await.unwrap(), None, "the same again is the same");
    tx.commit().await.unwrap();
    let mut tx = w.store.write(&second).await.unwrap();
    assert_eq!(tx.set_stores(Some("s2"), Some("t1")).await.unwrap(), Some(ids[0]));
    assert_eq!(tx.set_stores(Some("s1"), Some("t2")).await.unwrap(), Some(ids[0]));
    assert_eq!(tx.set_stores(None, None).await.unwrap(), None);
    tx.commit().await.unwrap();
}

pub async fn of_two_that_reach_one_store_at_once_one_is_told(url: &str) {
    let w = world(url).await;
    let ids = w.enroll(2).await;
    let claim = async || w.store.claim(w.key, &ids, "worker", TERMS).await.unwrap().unwrap().0;
    let leases = [claim().await, claim().await];
    let record = async |lease: &Lease| {
        let mut tx = w.store.write(lease).await.unwrap();
        let other = tx.set_stores(None, Some("one store")).await.unwrap();
        if other.is_none() {
            tx.commit().await.unwrap();
        }
        other
    };
    let told = tokio::join!(record(&leases[0]), record(&leases[1]));
    assert!(told.0.is_some() != told.1.is_some(), "{told:?}");
}

pub async fn states_of_folders_are_read_back(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let folder = w.folder(&lease).await;
    assert_eq!((folder.source, folder.target, &folder.cursor, folder.is_gone()), (None, None, &None, false));
    assert_eq!(folder.validity, u64::from(u32::MAX));
    let source = FolderState { validity: folder.validity, next: u64::MAX, count: 3, change: 1 << 62 };
    let target = FolderState { validity: 1, next: 2, count: 0, change: 0 };
    let waiting = MailboxState {
        phase: Phase::Copying,
        condition: Condition::Waiting("the network".to_owned()),
        cause: Some((Cause::Connection, Some(Side::Target))),
    };
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.set_source_state(folder.folder, &source).await.unwrap();
    tx.set_target_state(folder.folder, &target).await.unwrap();
    tx.set_cursor(folder.folder, b"far").await.unwrap();
    tx.set_gone(folder.folder, true).await.unwrap();
    tx.set_state(&waiting).await.unwrap();
    tx.set_bytes_proved(3, 4).await.unwrap();
    tx.set_pass(5).await.unwrap();
    tx.commit().await.unwrap();
    let read = w.store.folders(w.key, lease.mailbox).await.unwrap().remove(0);
    assert_eq!((read.source, read.target, read.is_gone()), (Some(source), Some(target), true));
    assert_eq!(read.cursor.as_deref(), Some(&b"far"[..]));
    let row = w.store.mailboxes(w.key).await.unwrap().remove(0);
    assert_eq!((row.state, row.pass.map(|p| p.0)), (waiting, Some(5)));
    assert_eq!((row.bytes_proved, row.bytes_not_kept), (3, 4));
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.set_gone(folder.folder, false).await.unwrap();
    tx.set_target_path(folder.folder, &FolderPath::new(["Other"])).await.unwrap();
    tx.commit().await.unwrap();
    let read = w.store.folders(w.key, lease.mailbox).await.unwrap().remove(0);
    assert_eq!((read.target, read.is_gone(), read.target_path), (None, false, FolderPath::new(["Other"])));
}

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

pub async fn audit_rows_are_chained_and_cannot_be_changed(url: &str) {
    let w = world(url).await;
    let actor = Actor {
        name: "eve".to_owned(),
        role: Role::Engineer,
        organisation: "RX1".to_owned(),
        known_by: "os-user".to_owned(),
    };
    for n in 1..=3 {
        assert_eq!(w.store.audit(w.key, &actor, "sync", &json!({ "run": n })).await.unwrap(), n);
    }
    let (log, fault) = w.store.audit_log(w.key).await.unwrap();
    assert_eq!((log.len(), fault), (3, None));
    assert_eq!(log[1].detail, r#"{"run":2}"#);
    for statement in ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"] {
        let mut tx = w.store.begin(crate::sql::Durability::Full).await.unwrap();
        let error = tx.execute(statement, Vec::new()).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
    // Somebody with the database in their hands can take the guard off; the chain shows it.
    let mut tx = w.store.begin(crate::sql::Durability::Full).await.unwrap();
    let unguard = if tx.is_postgres() {
        "ALTER TABLE audit DISABLE TRIGGER audit_is_not_changed"
    } else {
        "DROP TRIGGER audit_is_not_changed"
    };
    tx.execute(unguard, Vec::new()).await.unwrap();
    tx.execute("UPDATE audit SET actor = 'mallory' WHERE number = 2", Vec::new()).await.unwrap();
    tx.commit().await.unwrap();
    let (_, fault) = w.store.audit_log(w.key).await.unwrap();
    assert_eq!(fault.map(|fault| fault.number), Some(2));
}

#[cfg(test)]
mod on_sqlite {
    macro_rules! tests {
        ($($name:ident,)+) => {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let folder = tempfile::tempdir().unwrap();
                super::$name(&format!("sqlite:{}/w.db", folder.path().display())).await;
            })+
        };
    }
    every_store_test!(tests);
}
