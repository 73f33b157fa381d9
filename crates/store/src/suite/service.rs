//! What processes share.

use super::{SHORT, TERMS, World, claim, pause, state, world};
use crate::{
    Again, Claim, Claimed, Error, LeaseTerms, Paced, PauseRow, ProcessRow, ProjectKey, RosterRow, Store, SwitchOrder,
};
use model::Phase;

async fn ask(w: &World, room: &[(i64, u64)]) -> Claimed {
    let claim = Claim { among: None, holder: "me", terms: TERMS, room, shut: &[], only_turning: false, version: None };
    w.store.claim(w.key, &claim).await.unwrap()
}

fn pause_of(scope: &str, drains: bool) -> PauseRow {
    let (said_by, reason) = ("ann".to_owned(), "she says so".to_owned());
    PauseRow { scope: scope.to_owned(), drains, said_by, reason, at: 0 }
}

pub async fn endpoints_have_no_more_open_than_they_may(url: &str) {
    let w = world(url).await;
    w.enroll(4).await;
    let room = [(w.local, 2), (w.national, 3)];
    let (first, _) = ask(&w, &room).await.mailbox().unwrap();
    assert!(matches!(ask(&w, &room).await, Claimed::Mailbox(_)));
    assert!(matches!(ask(&w, &room).await, Claimed::NoRoom), "two are open at the source");
    w.store.release(&first, &state(Phase::Copying), Again::default()).await.unwrap();
    assert!(matches!(ask(&w, &room).await, Claimed::Mailbox(_)));
    assert!(matches!(ask(&w, &[(w.national, 0)]).await, Claimed::NoRoom), "one of them is closed");
    assert!(matches!(ask(&w, &[(w.national, 3)]).await, Claimed::Mailbox(_)));
    assert!(matches!(ask(&w, &room).await, Claimed::Nothing), "none is left");
    // Where it is source and target each mailbox is open there twice.
    let key = w.store.project(&super::organisation(), "within").await.unwrap();
    let one = w.store.endpoint(key, "one", "imap").await.unwrap();
    let person = |n: usize| RosterRow {
        source_endpoint: one,
        target_endpoint: one,
        ..w.person(&format!("a{n}"), &format!("b{n}"))
    };
    w.store.enroll(key, &[person(0), person(1)]).await.unwrap();
    w.store.make_due(key).await.unwrap();
    let (room, closed) = ([(one, 3)], [one]);
    let claim =
        Claim { among: None, holder: "me", terms: TERMS, room: &room, shut: &[], only_turning: false, version: None };
    let shut = Claim { shut: &closed, ..claim };
    assert!(
        w.store.claim(key, &shut).await.unwrap().mailbox().is_none() && !w.store.has_due(key, &shut).await.unwrap()
    );
    assert!(w.store.has_due(key, &claim).await.unwrap() && w.store.has_due(key, &claim).await.unwrap());
    assert!(w.store.claim(key, &claim).await.unwrap().mailbox().is_some());
    assert!(matches!(w.store.claim(key, &claim).await.unwrap(), Claimed::NoRoom));
}

pub async fn a_mailbox_is_claimed_as_it_is_served_now(url: &str) {
    let w = world(url).await;
    w.enroll(1).await;
    let claim = |version| Claim {
        among: None,
        holder: "me",
        terms: TERMS,
        room: &[],
        shut: &[],
        only_turning: false,
        version: Some(version),
    };
    assert!(matches!(w.store.claim(w.key, &claim(1)).await.unwrap(), Claimed::Nothing), "it is not served");
    w.store.serve(w.key, b"a", b"sealed", 1).await.unwrap();
    assert!(matches!(w.store.claim(w.key, &claim(2)).await.unwrap(), Claimed::Nothing), "that is another version");
    assert!(w.store.claim(w.key, &claim(1)).await.unwrap().mailbox().is_some());
}

pub async fn what_is_paused_or_withheld_is_not_claimed(url: &str) {
    let w = world(url).await;
    let ids = w.enroll(2).await;
    for (scope, claimed) in [
        ("all".to_owned(), 0),
        ("collection/first".to_owned(), 0),
        ("collection/second".to_owned(), 2),
        ("endpoint/national".to_owned(), 0),
        ("endpoint/other".to_owned(), 2),
        (format!("mailbox/{}", ids[0]), 1),
    ] {
        w.store.pause(w.key, &pause_of(&scope, false)).await.unwrap();
        w.store.pause(w.key, &pause_of(&scope, true)).await.unwrap();
        let known = w.store.pauses(w.key).await.unwrap();
        assert!(known.len() == 1 && known[0].drains && known[0].at > 0, "the last word counts: {known:?}");
        let mut leases = Vec::new();
        while let Some((lease, _)) = ask(&w, &[]).await.mailbox() {
            leases.push(lease);
        }
        assert_eq!(leases.len(), claimed, "{scope}");
        for lease in leases {
            let again = Again { after_ms: Some(0), failed: false, stopped: false };
            w.store.release(&lease, &state(Phase::Planned), again).await.unwrap();
        }
        assert!(w.store.resume(w.key, &scope).await.unwrap() && !w.store.resume(w.key, &scope).await.unwrap());
    }
    w.store.withhold(w.key, &ids[..1]).await.unwrap();
    let (lease, _) = ask(&w, &[]).await.mailbox().unwrap();
    assert_eq!(lease.mailbox, ids[1]);
    assert!(ask(&w, &[]).await.mailbox().is_none());
    w.store.withhold(w.key, &[]).await.unwrap();
    assert!(ask(&w, &[]).await.mailbox().is_some());
}

pub async fn a_mailbox_is_due_again_when_it_was_said_and_sooner_when_it_changed(url: &str) {
    let w = world(url).await;
    let ids = w.enroll(1).await;
    let again = |after_ms, failed| Again { after_ms: Some(after_ms), failed, stopped: false };
    let (lease, _) = ask(&w, &[]).await.mailbox().unwrap();
    w.store.release(&lease, &state(Phase::InStep), again(60_000, true)).await.unwrap();
    assert!(ask(&w, &[]).await.mailbox().is_none(), "in a minute");
    assert_eq!(w.store.tries(w.key, ids[0]).await.unwrap(), 1);
    w.store.changed(w.key, ids[0]).await.unwrap();
    let (lease, _) = ask(&w, &[]).await.mailbox().unwrap();
    pause(5).await;
    // It changes while it is being worked on: what was read by then may lack it.
    w.store.changed(w.key, ids[0]).await.unwrap();
    pause(5).await;
    w.store.release(&lease, &state(Phase::InStep), again(60_000, false)).await.unwrap();
    assert_eq!(w.store.tries(w.key, ids[0]).await.unwrap(), 0);
    let (lease, _) = ask(&w, &[]).await.mailbox().unwrap();
    w.store.release(&lease, &state(Phase::InStep), Again::default()).await.unwrap();
    assert!(ask(&w, &[]).await.mailbox().is_none(), "until somebody says so");
    assert_eq!(w.store.make_due(w.key).await.unwrap(), 1);
    assert_eq!(w.store.make_due(w.key).await.unwrap(), 0);
    assert!(ask(&w, &[]).await.mailbox().is_some());
}

pub async fn projects_are_served_with_what_there_is_to_do(url: &str) {
    let w = world(url).await;
    w.enroll(2).await;
    assert_eq!(w.store.served().await.unwrap(), []);
    assert_eq!(w.store.serve(w.key, b"a", b"sealed", 3).await.unwrap(), 1);
    assert_eq!(w.store.serve(w.key, b"a", b"sealed anew", 3).await.unwrap(), 1, "it is the same");
    assert_eq!(w.store.sealed(w.key).await.unwrap(), Some((1, b"sealed".to_vec())));
    assert_eq!(w.store.serve(w.key, b"b", b"other", 3).await.unwrap(), 2);
    let (_lease, _) = ask(&w, &[]).await.mailbox().unwrap();
    w.store.pause(w.key, &pause_of("all", false)).await.unwrap();
    let served = w.store.served().await.unwrap();
    let is =
        (served[0].key, served[0].version, served[0].share, served[0].running, served[0].is_due, served[0].is_paused);
    assert_eq!(is, (w.key, 2, 3, 1, true, true));
    w.store.unserve(w.key).await.unwrap();
    assert_eq!((w.store.served().await.unwrap(), w.store.sealed(w.key).await.unwrap()), (vec![], None));
}

pub async fn processes_say_that_they_live_and_are_asked_to_end(url: &str) {
    let w = world(url).await;
    w.enroll(1).await;
    let text = |text: &str| text.to_owned();
    let process = ProcessRow {
        holder: text("me"),
        kind: text("worker"),
        machine: text("host"),
        program: text("1"),
        slots: 4,
        begun_at: 0,
        seen_at: 0,
        drained_by: None,
        running: 0,
    };
    assert_eq!(w.store.process_lives(&process).await.unwrap(), None);
    let _lease = ask(&w, &[]).await.mailbox().unwrap();
    assert!(w.store.drain_process("me", "ann").await.unwrap() && !w.store.drain_process("you", "ann").await.unwrap());
    assert_eq!(w.store.process_lives(&process).await.unwrap().as_deref(), Some("ann"));
    let known = w.store.processes().await.unwrap();
    assert!(known.len() == 1 && known[0].running == 1 && known[0].seen_at >= known[0].begun_at, "{known:?}");
    w.store.process_ends("me").await.unwrap();
    assert!(w.store.processes().await.unwrap().is_empty());
}

pub async fn an_endpoint_is_asked_no_faster_than_it_may(url: &str) {
    let w = world(url).await;
    let other = Store::open(url).await.unwrap();
    let mut waits = Vec::new();
    // Ten requests a second, taken by two processes: each waits for all before it, but for a quarter of a second saved up.
    for turn in 0..10 {
        let store = if turn % 2 == 0 { &w.store } else { &other };
        waits.push(store.reserve(w.key, w.national, Paced::Requests, 100_000, 250_000).await.unwrap());
    }
    assert!(waits[..3].iter().all(|wait| *wait == 0), "{waits:?}");
    assert!(waits[9] > 300_000 && waits[9] <= 650_000 && waits.is_sorted(), "{waits:?}");
    assert_eq!(
        other.reserve(w.key, w.national, Paced::Bytes, 100_000, 250_000).await.unwrap(),
        0,
        "bytes are counted apart"
    );
    assert_eq!(other.reserve(w.key, w.local, Paced::Requests, 100_000, 250_000).await.unwrap(), 0, "so are endpoints");
}

pub async fn a_chore_is_done_by_one_and_again_when_it_is_due(url: &str) {
    let w = world(url).await;
    let claim = async |holder: &str, lasts| w.store.claim_chore(w.key, "reports", holder, lasts).await.unwrap();
    assert_eq!(claim("me", 60_000).await, Some(None));
    assert_eq!(claim("you", 60_000).await, None);
    w.store.end_chore(w.key, "reports", "you", 0, None).await.unwrap();
    assert_eq!(claim("you", 60_000).await, None, "it is not theirs to end");
    w.store.end_chore(w.key, "reports", "me", 0, Some("it failed")).await.unwrap();
    assert_eq!(claim("you", 1).await, Some(None), "it was not done");
    pause(20).await;
    assert_eq!(claim("me", 60_000).await, Some(None), "whoever had it is dead");
    w.store.end_chore(w.key, "reports", "me", 60_000, None).await.unwrap();
    assert_eq!(claim("you", 60_000).await, None, "it is done, and due in a minute");
}

pub async fn each_mailbox_is_watched_by_one_and_no_more_than_may_be(url: &str) {
    let w = world(url).await;
    let ids = w.enroll(3).await;
    for _ in &ids {
        let (lease, _) = ask(&w, &[]).await.mailbox().unwrap();
        w.store
            .release(&lease, &state(Phase::InStep), Again { after_ms: Some(0), failed: false, stopped: false })
            .await
            .unwrap();
    }
    let claim = async |holder: &str, lasts| w.store.claim_watches(w.key, w.local, holder, 2, lasts).await.unwrap();
    let mine: Vec<i64> = claim("me", 60_000).await.iter().map(|row| row.mailbox).collect();
    assert_eq!(mine.len(), 2);
    assert!(claim("you", 60_000).await.is_empty());
    let mut renewed = w.store.renew_watches(w.key, "me", 60_000).await.unwrap();
    renewed.sort_unstable();
    assert_eq!(renewed, mine);
    w.store.end_watch(w.key, mine[0], "you").await.unwrap();
    assert!(claim("you", 60_000).await.is_empty(), "it is not theirs to end");
    w.store.end_watch(w.key, mine[0], "me").await.unwrap();
    assert_eq!(claim("you", 1).await.len(), 1);
    pause(20).await;
    assert!(w.store.renew_watches(w.key, "you", 60_000).await.unwrap().is_empty(), "it has run out");
    assert_eq!(claim("me", 60_000).await.len(), 1);
}

/// Claims and waits of a project are nothing to another.
pub async fn a_pause_is_of_its_project_only(url: &str) {
    let w = world(url).await;
    w.enroll(1).await;
    let other = ProjectKey { project: w.key.project + 1, ..w.key };
    w.store.pause(other, &pause_of("all", false)).await.unwrap();
    let short = LeaseTerms { ..SHORT };
    let claim =
        Claim { among: None, holder: "me", terms: short, room: &[], shut: &[], only_turning: false, version: None };
    assert!(w.store.claim(w.key, &claim).await.unwrap().mailbox().is_some());
    assert!(w.store.pauses(w.key).await.unwrap().is_empty());
}

pub async fn what_is_taken_for_no_pass_is_due_when_it_was(url: &str) {
    let w = world(url).await;
    let ids = w.enroll(2).await;
    // The first waits for its time, and is asked for by nobody; the second is due.
    let lease = claim(&w.store, w.key, &ids[..1], "me", TERMS).await.unwrap().0;
    w.store.release(&lease, &state(Phase::Planned), Again::default()).await.unwrap();
    assert_eq!(w.store.at_rest(w.key).await.unwrap(), ids[..1]);
    let mine =
        Claim { among: None, holder: "me", terms: TERMS, room: &[], shut: &[], only_turning: false, version: None };
    for id in &ids {
        let (lease, row) = w.store.claim_one(w.key, *id, &mine).await.unwrap().mailbox().unwrap();
        assert_eq!(row.mailbox, *id);
        assert!(claim(&w.store, w.key, &[*id], "other", TERMS).await.is_none(), "it is held");
        let other = Claim { holder: "other", ..mine };
        assert!(w.store.claim_one(w.key, *id, &other).await.unwrap().mailbox().is_none(), "whoever asks");
        w.store.give_back(&lease).await.unwrap();
        assert!(matches!(w.store.give_back(&lease).await, Err(Error::Fenced)), "it is given back once");
    }
    // What is for later makes nobody due who is at rest; what is for now does.
    let order = |at| SwitchOrder {
        mailbox: ids[0],
        is_back: false,
        at,
        reason: String::new(),
        said_by: "me".to_owned(),
        said_at: 0,
    };
    w.store.order_switch(w.key, &order(w.store.now().await.unwrap() + 3_600_000)).await.unwrap();
    assert_eq!(w.store.at_rest(w.key).await.unwrap(), ids[..1]);
    assert_eq!(w.store.hasten(w.key, &ids).await.unwrap(), 1);
    assert!(claim(&w.store, w.key, &ids[..1], "me", TERMS).await.is_none(), "it still waits for its time");
    assert!(claim(&w.store, w.key, &ids[1..], "me", TERMS).await.is_some(), "and the other is still due");
    // Whoever was to give it back may be gone: once its time has run out it is at rest again, and begins with its collection.
    let gone = Claim { holder: "gone", terms: SHORT, ..mine };
    w.store.claim_one(w.key, ids[0], &gone).await.unwrap().mailbox().unwrap();
    pause(30).await;
    assert_eq!(w.store.at_rest(w.key).await.unwrap(), ids[..1]);
    assert_eq!(w.store.make_due(w.key).await.unwrap(), 1);
    w.store.order_switch(w.key, &order(0)).await.unwrap();
    assert!(claim(&w.store, w.key, &ids[..1], "me", TERMS).await.is_some());
}

/// Nobody stays between two sides for a pause or until the next hours, and whoever is there waits behind nobody.
pub async fn who_is_turned_over_or_back_is_claimed_whatever_is_closed(url: &str) {
    let w = world(url).await;
    let ids = w.enroll(4).await;
    let again = Again { after_ms: Some(0), failed: false, stopped: false };
    // All are due, this one last.
    for (id, phase) in [(ids[2], Phase::Switched), (ids[3], Phase::Switching)] {
        let lease = claim(&w.store, w.key, &[id], "me", TERMS).await.unwrap().0;
        w.store.release(&lease, &state(phase), again).await.unwrap();
        pause(5).await;
    }
    let order = |is_back| SwitchOrder {
        mailbox: ids[2],
        is_back,
        at: 0,
        reason: "why".to_owned(),
        said_by: "Sue".to_owned(),
        said_at: 0,
    };
    let of_first = SwitchOrder { mailbox: ids[0], ..order(true) };
    assert!(!w.store.order_switch(w.key, &of_first).await.unwrap(), "there is nothing to take back");
    assert!(w.store.order_switch(w.key, &order(true)).await.unwrap());
    assert!(!w.store.order_switch(w.key, &order(false)).await.unwrap(), "a word to go back stays");
    assert!(w.store.switch_order(w.key, ids[2]).await.unwrap().unwrap().is_back);
    assert!(!w.store.withdraw_order(w.key, ids[2]).await.unwrap());
    w.store.serve(w.key, b"a", b"sealed", 1).await.unwrap();
    assert!(w.store.served().await.unwrap()[0].is_turning);
    let endpoints: Vec<i64> = w.store.endpoints(w.key).await.unwrap().iter().map(|(number, ..)| *number).collect();
    let open =
        Claim { among: None, holder: "me", terms: TERMS, room: &[], shut: &[], only_turning: false, version: None };
    for (scope, asked) in [
        ("all", open),
        ("collection/first", open),
        ("nothing", Claim { shut: &endpoints, ..open }),
        ("nothing", Claim { only_turning: true, ..open }),
    ] {
        w.store.pause(w.key, &pause_of(scope, false)).await.unwrap();
        let mut claimed = Vec::new();
        let mut leases = Vec::new();
        while let Some((lease, row)) = w.store.claim(w.key, &asked).await.unwrap().mailbox() {
            claimed.push(row.mailbox);
            leases.push((lease, row.state));
        }
        claimed.sort_unstable();
        assert_eq!(claimed, [ids[2], ids[3]], "{scope}");
        for (lease, state) in leases {
            w.store.release(&lease, &state, again).await.unwrap();
        }
        w.store.resume(w.key, scope).await.unwrap();
    }
    // A pause of an endpoint or of a mailbox means it.
    w.store.pause(w.key, &pause_of("endpoint/national", false)).await.unwrap();
    assert!(w.store.claim(w.key, &open).await.unwrap().mailbox().is_none());
    w.store.resume(w.key, "endpoint/national").await.unwrap();
    let first = w.store.claim(w.key, &open).await.unwrap().mailbox().unwrap().1;
    assert!(ids[2..].contains(&first.mailbox), "they go before all that have been due for longer");
}
