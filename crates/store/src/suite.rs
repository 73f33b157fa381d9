//! What every database must do: one suite, run on SQLite here and on a real PostgreSQL by the server tests.
//!
//! Each function takes the address of an empty database and panics when something is not as it must be.
#![expect(clippy::unwrap_used, reason = "a suite of tests")]
#![expect(missing_docs, reason = "the names say it")]

mod audit;
mod collections;
mod forecast;
mod issues;
mod left_behind;
mod many;
mod people;
mod programme;
mod removals;
mod roster;
mod scripts;
mod service;
mod telling;

use std::collections::BTreeSet;
use std::sync::{Arc, atomic::AtomicBool, atomic::Ordering};

use model::{
    Cause, Condition, Digest, Fate, Flags, FolderPath, FolderState, ItemId, ItemKind, MailboxKind, Organisation,
    OrganisationCode, Phase, Side,
};

use crate::{
    Again, Claim, Error, Fact, FlagFact, FlagIntent, FolderRow, HeldItem, IntentItem, IntentState, Lease, LeaseTerms,
    MailboxRow, MailboxState, NewException, NewFailure, NewFolder, ProjectKey, RemovalState, RosterRow, Store, Watch,
};

pub use self::audit::*;
pub use self::collections::*;
pub use self::forecast::*;
pub use self::issues::*;
pub use self::left_behind::*;
pub use self::many::*;
pub use self::people::*;
pub use self::programme::*;
pub use self::removals::*;
pub use self::roster::*;
pub use self::scripts::*;
pub use self::service::*;
pub use self::telling::*;

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
            endpoints_have_no_more_open_than_they_may,
            a_mailbox_is_claimed_as_it_is_served_now,
            what_is_paused_or_withheld_is_not_claimed,
            who_is_turned_over_or_back_is_claimed_whatever_is_closed,
            a_mailbox_is_due_again_when_it_was_said_and_sooner_when_it_changed,
            projects_are_served_with_what_there_is_to_do,
            processes_say_that_they_live_and_are_asked_to_end,
            an_endpoint_is_asked_no_faster_than_it_may,
            a_chore_is_done_by_one_and_again_when_it_is_due,
            each_mailbox_is_watched_by_one_and_no_more_than_may_be,
            a_pause_is_of_its_project_only,
            the_hold_of_a_dead_worker_ends_at_once,
            what_is_taken_for_no_pass_is_due_when_it_was,
            nothing_of_a_dropped_transaction_is_there,
            a_commit_that_is_held_back_does_not_happen,
            a_programme_is_appended_to_by_whoever_knows_its_end,
            the_programmes_of_a_database_are_told_apart,
            facts_are_read_back_and_replaced_by_later_ones,
            fates_add_up_by_folder,
            a_batch_under_way_is_known_until_its_outcome_is,
            removals_wait_apart_from_fates,
            what_is_known_of_a_source_that_is_left_reads_back,
            what_is_known_of_following_reads_back,
            words_reach_what_they_are_said_of,
            a_retired_folder_makes_room_and_keeps_its_items,
            failures_count_their_tries,
            a_cause_of_a_later_program_is_read_as_one_of_its_own,
            exceptions_are_written_once,
            two_mailboxes_that_reach_one_store_are_found,
            of_two_that_reach_one_store_at_once_one_is_told,
            states_of_folders_are_read_back,
            ten_thousand_facts_in_one_transaction,
            many_items_are_changed_at_once_and_no_others,
            audit_rows_are_chained_and_cannot_be_changed,
            a_prediction_takes_the_place_of_the_one_before,
            time_worked_adds_up,
            nobody_is_in_two_collections_and_a_move_keeps_its_reason,
            the_roster_fills_collections_and_moves_nobody,
            what_is_to_be_kept_in_step_is_made_due,
            what_is_done_is_counted_by_collection_and_hour,
            vips_of_the_file_and_by_word_are_kept_apart,
            collections_of_many_thousand_are_filled_asked_and_moved,
            of_a_mailbox_and_a_type_one_issue_is_not_closed,
            what_is_left_for_the_mop_up_is_worked_on_no_more,
            whose_switch_has_begun_is_set_aside_for_nothing,
            an_owed_report_is_made_once_and_its_letters_keep_their_ids,
            what_days_did_is_the_difference_of_their_ends,
            of_one_thing_one_alert_is_open_and_everybody_is_told_once,
            what_is_watched_counts_as_well_when_nobody_looked,
            a_collection_moves_when_one_of_its_mailboxes_does,
            the_people_of_a_project_are_held_by_one,
            a_submission_is_taken_once_and_goes_on_from_where_it_was,
            of_an_objects_questions_one_is_open_and_it_is_automaticed_once,
            what_a_whole_reading_does_not_tell_is_gone,
            what_people_decide_is_kept_in_its_order,
            what_was_found_of_rights_takes_the_place_of_what_was_before,
            a_plan_is_approved_as_it_stands_and_no_other,
            one_plan_is_approved_at_a_time_and_may_be_withdrawn,
            an_account_made_again_takes_the_place_of_the_one_that_is_gone,
            a_reading_that_may_not_be_read_on_keeps_no_cursor,
            one_file_for_the_portal_has_no_end_at_a_time,
            old_addresses_and_closings_read_back,
            a_script_is_signed_once_and_settles_whom_it_tells_of,
            what_a_script_may_have_done_is_in_doubt_until_it_was_read_again,
            nobody_is_in_two_scripts_whoever_writes_them,
            a_database_of_an_earlier_step_is_brought_forward_with_what_is_in_it,
        );
    };
}

async fn pause(ms: u64) {
    tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
}

fn organisation() -> Organisation {
    Organisation { name: "Example Trust".to_owned(), code: OrganisationCode::try_from("RX1".to_owned()).unwrap() }
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
            new_account: true,
            activated: None,
            in_books: None,
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
        claim(&self.store, self.key, &ids, "worker", terms).await.unwrap().0
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

async fn claim(
    store: &Store,
    key: ProjectKey,
    among: &[i64],
    holder: &str,
    terms: LeaseTerms,
) -> Option<(Lease, MailboxRow)> {
    let claim = Claim { among: Some(among), holder, terms, room: &[], shut: &[], only_turning: false, version: None };
    store.claim(key, &claim).await.unwrap().mailbox()
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

pub async fn every_due_mailbox_is_claimed_by_exactly_one_worker(url: &str) {
    let w = world(url).await;
    let ids = w.enroll(60).await;
    let mut workers = Vec::new();
    for n in 0..6 {
        let (store, key, ids) = (Store::open(url).await.unwrap(), w.key, ids.clone());
        workers.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            while let Some((lease, row)) = claim(&store, key, &ids, &format!("worker {n}"), TERMS).await {
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
    let (lease, _) = claim(&w.store, w.key, &ids[1..2], "me", TERMS).await.unwrap();
    assert_eq!(lease.mailbox, ids[1]);
    w.store.release(&lease, &state(Phase::Planned), Again::default()).await.unwrap();
    assert!(claim(&w.store, w.key, &ids[1..2], "me", TERMS).await.is_none(), "done, so not due any more");
    let (held, _) = claim(&w.store, w.key, &ids, "me", TERMS).await.unwrap();
    let (others, due) = w.store.held_and_due(w.key, &ids, "you", TERMS).await.unwrap();
    assert_eq!((others, due), (vec![held.mailbox], vec![ids[2]]));
}

pub async fn a_successor_waits_for_the_lease_and_its_margin(url: &str) {
    let w = world(url).await;
    let ids = w.enroll(1).await;
    let with_margin = LeaseTerms { lasts_ms: 1, margin_ms: 60_000 };
    let (first, _) = claim(&w.store, w.key, &ids, "first", SHORT).await.unwrap();
    pause(30).await;
    assert!(claim(&w.store, w.key, &ids, "second", with_margin).await.is_none());
    let (second, _) = claim(&w.store, w.key, &ids, "second", SHORT).await.unwrap();
    assert!(second.fence > first.fence);
    assert!(matches!(w.store.renew(&first, TERMS).await, Err(Error::Fenced)));
    w.store.renew(&second, TERMS).await.unwrap();
    assert!(claim(&w.store, w.key, &ids, "third", SHORT).await.is_none());
    assert!(w.store.mailboxes(w.key).await.unwrap()[0].is_held);
}

pub async fn a_worker_that_lost_its_mailbox_writes_nothing(url: &str) {
    let w = world(url).await;
    let lost = w.claim_one(SHORT).await;
    let folder = w.folder(&lost).await;
    pause(30).await;
    let (now, _) = claim(&w.store, w.key, &[lost.mailbox], "other", TERMS).await.unwrap();
    assert!(matches!(w.store.write(&lost).await, Err(Error::Fenced)));
    assert!(matches!(w.store.release(&lost, &state(Phase::Settled), Again::default()).await, Err(Error::Fenced)));
    let mut tx = w.store.write(&now).await.unwrap();
    tx.add_facts(&folder, &[fact(1, Fate::Copied)]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(w.store.mailboxes(w.key).await.unwrap()[0].state.phase, Phase::Planned);
}

pub async fn the_hold_of_a_dead_worker_ends_at_once(url: &str) {
    let w = world(url).await;
    let ids = w.enroll(2).await;
    claim(&w.store, w.key, &ids, "dead", TERMS).await.unwrap();
    claim(&w.store, w.key, &ids, "alive", TERMS).await.unwrap();
    assert_eq!(w.store.void_leases(|holder| holder == "dead").await.unwrap(), 1);
    assert!(claim(&w.store, w.key, &ids, "next", TERMS).await.is_some());
    assert!(claim(&w.store, w.key, &ids, "next", TERMS).await.is_none());
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

/// A program of the step before is still at work when the first of this one writes what it does not know.
pub async fn a_cause_of_a_later_program_is_read_as_one_of_its_own(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let folder = w.folder(&lease).await;
    let failure = NewFailure {
        source_id: ItemId::from_u32(2),
        cause: Cause::Nul,
        what: "it is late".to_owned(),
        server: None,
        policy: "p".to_owned(),
    };
    let exception = NewException {
        class: Cause::Nul,
        path: FolderPath::new(["a"]),
        source_id: Some(ItemId::from_u32(2)),
        target_id: Some(ItemId::from_u32(5)),
        what: "it is late".to_owned(),
    };
    let altered = NewException { class: Cause::Altered, ..exception.clone() };
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.add_facts(&folder, &[fact(2, Fate::Failed)]).await.unwrap();
    tx.add_failures(folder.folder, std::slice::from_ref(&failure)).await.unwrap();
    tx.add_exception(&exception).await.unwrap();
    tx.add_exception(&altered).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = w.store.begin(crate::sql::Durability::Full).await.unwrap();
    tx.execute("UPDATE failure SET cause = 'of-later' WHERE what = 'it is late'", Vec::new()).await.unwrap();
    let later = "UPDATE exception SET class = 'of-later' WHERE class = 'nul' AND what = 'it is late'";
    tx.execute(later, Vec::new()).await.unwrap();
    tx.commit().await.unwrap();
    let failures = w.store.failures(w.key, None).await.unwrap();
    assert_eq!((failures[0].cause, failures[0].what.as_str()), (Cause::Internal, "it is late"));
    assert_eq!(w.store.exceptions(w.key).await.unwrap()[0].exception.class, Cause::Internal);
    let copies = w.store.altered_copies(w.key, lease.mailbox).await.unwrap();
    assert_eq!(copies[&(FolderPath::new(["a"]), ItemId::from_u32(2))], [ItemId::from_u32(5)]);
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
    let (first, _) = claim(&w.store, w.key, &ids[..1], "me", TERMS).await.unwrap();
    let (second, _) = claim(&w.store, w.key, &ids[1..], "me", TERMS).await.unwrap();
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
    let claim = async || claim(&w.store, w.key, &ids, "worker", TERMS).await.unwrap().0;
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
