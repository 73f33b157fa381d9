//! Collections, VIPs and rates.

use model::{Cause, Condition, Phase};

use super::{TERMS, World, claim, pause, state, world};
use crate::{Again, CollectionRow, MailboxState, NewCollection, Object, RosterRow, Store, SwitchHow, SwitchOrder};

fn new(name: &str, start_at: Option<i64>) -> NewCollection {
    NewCollection {
        name: name.to_owned(),
        description: "what it is".to_owned(),
        start_at,
        switch: SwitchHow::At,
        switch_at: Some(5),
    }
}

impl World {
    /// People in no collection.
    async fn unplaced(&self, people: usize) -> Vec<i64> {
        let row = |n| RosterRow { collection: None, ..self.person(&format!("p{n}"), &format!("P{n}")) };
        self.store.enroll(self.key, &(0..people).map(row).collect::<Vec<_>>()).await.unwrap();
        self.store.mailboxes(self.key).await.unwrap().iter().map(|row| row.mailbox).collect()
    }

    async fn collection(&self, name: &str, start_at: Option<i64>) -> CollectionRow {
        let number = self.store.add_collection(self.key, &new(name, start_at), "Ann").await.unwrap().unwrap();
        let rows = self.store.collections(self.key).await.unwrap();
        rows.into_iter().find(|row| row.collection == number).unwrap()
    }

    async fn names(&self) -> Vec<Option<String>> {
        let rows = self.store.mailboxes(self.key).await.unwrap();
        rows.into_iter().map(|row| row.roster.collection).collect()
    }
}

fn mailboxes(numbers: &[i64]) -> Vec<Object> {
    numbers.iter().map(|number| Object::Mailbox(*number)).collect()
}

pub async fn nobody_is_in_two_collections_and_a_move_keeps_its_reason(url: &str) {
    let w = world(url).await;
    let ids = w.unplaced(4).await;
    let (one, two) = (w.collection("one", None).await, w.collection("Two", Some(1)).await);
    assert_eq!((&one.is, one.made_by.as_str()), (&new("one", None), "Ann"));
    assert_eq!(w.store.add_collection(w.key, &new("two", None), "Ann").await.unwrap(), None, "a name is there once");
    let list = Object::List("a/d%".to_owned(), "cn=x/y".to_owned());
    let objects = [mailboxes(&ids[..2]), vec![list.clone()]].concat();
    let placed = w.store.add_members(w.key, &one, &objects, "Ann").await.unwrap();
    assert_eq!((placed.placed, placed.already), (3, 0));
    let placed = w.store.add_members(w.key, &one, &objects, "Ann").await.unwrap();
    assert_eq!((placed.placed, placed.already), (0, 3));
    let placed = w.store.add_members(w.key, &two, &mailboxes(&ids[1..3]), "Ann").await.unwrap();
    assert_eq!(placed.elsewhere, [(Object::Mailbox(ids[1]), Some(one.collection))]);
    assert_eq!(w.names().await, [Some("one".to_owned()), Some("one".to_owned()), None, None], "all or nothing");

    let pair = (&one, &two);
    let placed = w.store.move_members(w.key, &mailboxes(&ids[1..3]), pair, "why", "Bob").await.unwrap();
    assert_eq!(placed.elsewhere, [(Object::Mailbox(ids[2]), None)]);
    assert!(w.store.collection_moves(w.key).await.unwrap().is_empty());
    assert_eq!(w.store.date_members(w.key, &mailboxes(&ids[1..3]), Some(7)).await.unwrap(), 1);
    let both = [vec![list.clone()], mailboxes(&ids[1..2])].concat();
    assert_eq!(w.store.move_members(w.key, &both, pair, "why", "Bob").await.unwrap().placed, 2);
    let moves = w.store.collection_moves(w.key).await.unwrap();
    assert_eq!(moves.iter().map(|row| &row.object).collect::<Vec<_>>(), [&Object::Mailbox(ids[1]), &list]);
    assert_eq!((moves[0].from, moves[0].to), (one.collection, two.collection));
    assert_eq!((moves[0].reason.as_str(), moves[0].moved_by.as_str()), ("why", "Bob"));
    assert_eq!(w.names().await[1].as_deref(), Some("Two"));
    let members = w.store.collection_members(w.key).await.unwrap();
    let member = members.iter().find(|row| row.object == Object::Mailbox(ids[1])).unwrap();
    assert_eq!((member.collection, member.switch_at), (two.collection, Some(7)), "an own date goes along");
    let changed = NewCollection { switch: SwitchHow::Auto, switch_at: None, ..one.is.clone() };
    assert!(w.store.change_collection(w.key, one.collection, &changed).await.unwrap());
    assert_eq!(w.store.collections(w.key).await.unwrap()[0].is, changed);
    assert!(!w.store.change_collection(w.key, 9, &changed).await.unwrap());
}

pub async fn the_roster_fills_collections_and_moves_nobody(url: &str) {
    let w = world(url).await;
    let in_wave = |name: &str, collection: Option<&str>| RosterRow {
        collection: collection.map(str::to_owned),
        ..w.person(name, name)
    };
    w.store.enroll(w.key, &[in_wave("a", Some("wave")), in_wave("b", None), in_wave("c", Some("wave"))]).await.unwrap();
    let filled = w.store.fill_collections(w.key, "people.csv").await.unwrap();
    assert_eq!((filled.made, filled.members), (vec!["wave".to_owned()], 2));
    let made = &w.store.collections(w.key).await.unwrap()[0];
    assert_eq!((made.is.start_at, made.is.switch, made.is.switch_at), (None, SwitchHow::ByHand, None));
    w.store
        .enroll(w.key, &[in_wave("a", Some("other")), in_wave("b", Some("other")), in_wave("c", None)])
        .await
        .unwrap();
    let filled = w.store.fill_collections(w.key, "people.csv").await.unwrap();
    assert_eq!((filled.made, filled.members), (vec!["other".to_owned()], 1));
    let names: Vec<_> = w.names().await.into_iter().flatten().collect();
    assert_eq!(names, ["wave", "other", "wave"]);
    assert_eq!(w.store.fill_collections(w.key, "people.csv").await.unwrap(), crate::Filled::default());
}

pub async fn what_is_to_be_kept_in_step_is_made_due(url: &str) {
    let w = world(url).await;
    let ids = w.unplaced(6).await;
    let due = async || {
        let facts = w.store.mailbox_facts(w.key).await.unwrap();
        ids.iter().filter(|id| facts[id].due_at.is_some()).count()
    };
    assert_eq!(w.store.make_due(w.key).await.unwrap(), 6, "without collections everybody is");
    assert_eq!(w.store.make_due(w.key).await.unwrap(), 0);
    for _ in 0..6 {
        let (lease, _) = claim(&w.store, w.key, &ids, "w", TERMS).await.unwrap();
        let again = Again { after_ms: Some(60_000), failed: false, stopped: false };
        w.store.release(&lease, &state(Phase::InStep), again).await.unwrap();
    }
    assert_eq!(due().await, 6, "they are kept in step");
    let now = w.store.now().await.unwrap();
    let (now_on, later) = (w.collection("now", Some(now)).await, w.collection("later", Some(now + 3_600_000)).await);
    let waits = w.collection("waits", None).await;
    for (collection, members) in [(&now_on, &ids[..3]), (&later, &ids[3..4]), (&waits, &ids[4..5])] {
        w.store.add_members(w.key, collection, &mailboxes(members), "Ann").await.unwrap();
    }
    assert_eq!(due().await, 0, "nobody is kept in step any more who is in none, or in one that waits");
    assert_eq!(w.store.make_due(w.key).await.unwrap(), 3, "only those whose start has come");
    assert_eq!(due().await, 3);
    let started = NewCollection { start_at: Some(now - 1), ..waits.is.clone() };
    w.store.change_collection(w.key, waits.collection, &started).await.unwrap();
    assert_eq!((w.store.make_due(w.key).await.unwrap(), due().await), (1, 4));
    // What is put off rests, and goes on when it starts again.
    w.store.change_collection(w.key, waits.collection, &waits.is).await.unwrap();
    assert_eq!((w.store.make_due(w.key).await.unwrap(), due().await), (0, 3));
    w.store.change_collection(w.key, waits.collection, &started).await.unwrap();
    assert_eq!((w.store.make_due(w.key).await.unwrap(), due().await), (1, 4));
    // Whom somebody named is due when that time has come, whatever their collection waits for.
    let order = |at| SwitchOrder {
        mailbox: ids[3],
        is_back: false,
        at,
        reason: String::new(),
        said_by: "Ann".to_owned(),
        said_at: 0,
    };
    w.store.order_switch(w.key, &order(w.store.now().await.unwrap() + 50)).await.unwrap();
    pause(80).await;
    w.store.make_due(w.key).await.unwrap();
    assert_eq!(due().await, 5);
    w.store.withdraw_order(w.key, ids[3]).await.unwrap();
    // What is being switched, or is switched and followed, is made due in any collection; not what is held, or has settled.
    for (phase, made) in [(Phase::Switching, 1), (Phase::Switched, 1), (Phase::Settled, 0)] {
        let (lease, _) = claim(&w.store, w.key, &ids[..1], "w", TERMS).await.unwrap();
        assert_eq!(w.store.make_due(w.key).await.unwrap(), 0, "it is held");
        w.store.release(&lease, &state(phase), Again::default()).await.unwrap();
        assert_eq!(w.store.make_due(w.key).await.unwrap(), made, "{phase:?}");
    }
}

pub async fn what_is_done_is_counted_by_collection_and_hour(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    let work = async |items, bytes| {
        let mut tx = w.store.write(&lease).await.unwrap();
        tx.add_work(5, items, bytes).await.unwrap();
        tx.commit().await.unwrap();
    };
    work(1, 10).await;
    w.store.fill_collections(w.key, "people.csv").await.unwrap();
    work(2, 20).await;
    work(3, 30).await;
    for phase in [Phase::Copying, Phase::InStep, Phase::Copying, Phase::InStep] {
        let mut tx = w.store.write(&lease).await.unwrap();
        tx.set_state(&state(phase)).await.unwrap();
        tx.commit().await.unwrap();
    }
    let hour = w.store.now().await.unwrap() / 3_600_000;
    let rates = w.store.rates(w.key, 0).await.unwrap();
    let sum = |collection| {
        let of = rates.iter().filter(|row| row.collection == collection);
        of.fold((0, 0, 0, 0), |sum, row| {
            (sum.0 + row.items, sum.1 + row.bytes, sum.2 + row.in_step, sum.3 + row.worked_ms)
        })
    };
    assert_eq!((sum(0), sum(1)), ((1, 10, 0, 5), (5, 50, 1, 10)), "in step for the first time counts once");
    assert!(rates.iter().all(|row| hour - row.hour <= 1));
    assert!(w.store.rates(w.key, hour + 1).await.unwrap().is_empty());
    let facts = &w.store.mailbox_facts(w.key).await.unwrap()[&lease.mailbox];
    assert!(facts.begun_at.is_some() && facts.in_step_at.is_some() && facts.failing_since.is_none());
    assert_eq!((facts.worked_items, facts.member_of), (6, Some(1)));
    // Whose turn ends early has not failed; who failed goes on failing through turns that end early.
    for (cause, fails) in [(Cause::Stopped, false), (Cause::Login, true), (Cause::Stopped, true)] {
        let waiting = Condition::Waiting("x".to_owned());
        let state = MailboxState { condition: waiting, cause: Some((cause, None)), ..state(Phase::Copying) };
        let mut tx = w.store.write(&lease).await.unwrap();
        tx.set_state(&state).await.unwrap();
        tx.commit().await.unwrap();
        let facts = w.store.mailbox_facts(w.key).await.unwrap();
        assert_eq!(facts[&lease.mailbox].failing_since.is_some(), fails, "{cause:?}");
    }
}

pub async fn vips_of_the_file_and_by_word_are_kept_apart(url: &str) {
    let w = world(url).await;
    let ids = w.unplaced(3).await;
    assert_eq!(w.store.vips_of_file(w.key, &ids[..2], "people.csv").await.unwrap(), (2, 0));
    assert_eq!(w.store.add_vips(w.key, &ids[1..], "Ann", "the board").await.unwrap(), 1);
    assert_eq!(w.store.remove_vips(w.key, &ids).await.unwrap(), 1, "what the file says is taken back there");
    assert_eq!(w.store.add_vips(w.key, &ids[2..], "Ann", "the board").await.unwrap(), 1);
    assert_eq!(w.store.vips_of_file(w.key, &ids[..1], "people.csv").await.unwrap(), (0, 1));
    let vips = w.store.vips(w.key).await.unwrap();
    let of: Vec<_> = vips.iter().map(|row| (row.mailbox, row.named_by.as_str(), row.by_file)).collect();
    assert_eq!(of, [(ids[0], "people.csv", true), (ids[2], "Ann", false)]);
}

/// As many as the largest organisation has: each of these is one statement or few, whatever the number.
pub async fn collections_of_many_thousand_are_filled_asked_and_moved(url: &str) {
    const MANY: usize = 20_000;
    let w = world(url).await;
    let ids = w.unplaced(MANY).await;
    let (one, two) = (w.collection("one", Some(1)).await, w.collection("two", None).await);
    let objects = mailboxes(&ids);
    assert_eq!(w.store.add_members(w.key, &one, &objects, "Ann").await.unwrap().placed, MANY as u64);
    assert_eq!(w.store.make_due(w.key).await.unwrap(), MANY as u64);
    for _ in 0..20 {
        assert_eq!(w.store.make_due(w.key).await.unwrap(), 0);
    }
    let moved = w.store.move_members(w.key, &objects[..500], (&one, &two), "why", "Bob").await.unwrap();
    assert_eq!(moved.placed, 500);
    assert_eq!(w.store.collection_members(w.key).await.unwrap().len(), MANY);
    let facts = w.store.mailbox_facts(w.key).await.unwrap();
    assert_eq!(facts.values().filter(|facts| facts.member_of == Some(two.collection)).count(), 500);
    Store::close(&w.store).await;
}
