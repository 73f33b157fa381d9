//! Reports that are sent, and alerts.

use model::{Cause, Condition, FolderState, ItemId, Phase};

use super::{TERMS, claim, fact, world};
use crate::{Again, DayRow, Figures, MailboxState, NewAlert, NewFailure, NewReport, Store, TellingEvent, Way};

fn report(kind: &str, day: &str, due_at: Option<i64>) -> NewReport {
    let letters = ["ann@x", "bob@x"].map(|whom| (whom.to_owned(), format!("{kind}.{day}.{whom}")));
    let (kind, day, made_by) = (kind.to_owned(), day.to_owned(), "system".to_owned());
    NewReport { kind, day, due_at, made_by, letters: letters.to_vec() }
}

pub async fn an_owed_report_is_made_once_and_its_letters_keep_their_ids(url: &str) {
    let w = world(url).await;
    assert_eq!(w.store.report_since(w.key, "failed", 5).await.unwrap(), 5);
    assert_eq!(w.store.report_since(w.key, "failed", 9).await.unwrap(), 5, "since then");
    w.store.end_report(w.key, "failed").await.unwrap();
    w.store.end_report(w.key, "failed").await.unwrap();
    assert_eq!(w.store.report_since(w.key, "failed", 9).await.unwrap(), 9);

    let owed = report("failed", "2026-11-25", Some(10));
    assert_eq!(w.store.add_report(w.key, &owed, 11).await.unwrap(), Some(1));
    assert_eq!(w.store.add_report(w.key, &owed, 12).await.unwrap(), None);
    assert_eq!(w.store.add_report(w.key, &report("failed", "2026-11-25", None), 12).await.unwrap(), Some(2));
    assert_eq!(w.store.add_report(w.key, &report("failed", "2026-11-25", None), 12).await.unwrap(), Some(3));
    assert_eq!(w.store.add_report(w.key, &report("failed", "2026-11-26", Some(20)), 21).await.unwrap(), Some(4));

    // Begun and refused; begun again only when its time has come, by one.
    let begin = async |now, try_at| w.store.begin_letter(w.key, 1, "ann@x", now, try_at).await.unwrap();
    assert!(begin(12, 30).await);
    assert!(!begin(13, 30).await);
    w.store.end_letter(w.key, 1, "ann@x", 13, Some("nobody is there")).await.unwrap();
    assert!(!begin(29, 60).await);
    assert!(begin(30, 60).await);
    w.store.end_letter(w.key, 1, "ann@x", 31, None).await.unwrap();
    w.store.end_letter(w.key, 1, "ann@x", 32, Some("too late")).await.unwrap();
    assert!(!begin(99, 100).await, "it was sent");
    let reports = w.store.reports(w.key, 9).await.unwrap();
    assert_eq!(reports.iter().map(|row| row.report).collect::<Vec<_>>(), [4, 3, 2, 1]);
    let first = &reports[3];
    assert_eq!(
        (first.kind.as_str(), first.day.as_str(), first.due_at, first.made_at),
        ("failed", "2026-11-25", Some(10), 11)
    );
    let [ann, bob] = first.letters.as_slice() else { panic!("{first:?}") };
    assert_eq!(
        (ann.message_id.as_str(), ann.tries, ann.sent_at, ann.said.as_deref()),
        ("failed.2026-11-25.ann@x", 2, Some(31), None)
    );
    assert_eq!((bob.begun_at, bob.tries, bob.sent_at, bob.try_at), (None, 0, None, 11));
    assert_eq!(w.store.reports(w.key, 1).await.unwrap()[0].letters.len(), 2);
}

pub async fn what_days_did_is_the_difference_of_their_ends(url: &str) {
    let w = world(url).await;
    assert_eq!(w.store.figures(w.key).await.unwrap(), Figures::default());
    let ids = w.enroll(3).await;
    let (lease, _) = claim(&w.store, w.key, &ids, "worker", TERMS).await.unwrap();
    let folder = w.folder(&lease).await;
    let failure = NewFailure {
        source_id: ItemId::from_u32(2),
        cause: Cause::Nul,
        what: "cannot append".to_owned(),
        server: None,
        policy: "plain".to_owned(),
    };
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.add_work(1_500, 7, 900).await.unwrap();
    tx.add_followed(4).await.unwrap();
    tx.add_followed(2).await.unwrap();
    tx.add_facts(&folder, &[fact(2, model::Fate::Failed)]).await.unwrap();
    tx.add_failures(folder.folder, &[failure]).await.unwrap();
    tx.set_state(&MailboxState { phase: Phase::InStep, condition: Condition::Running, cause: None }).await.unwrap();
    tx.commit().await.unwrap();
    let figures = w.store.figures(w.key).await.unwrap();
    let expected = Figures {
        items: 7,
        bytes: 900,
        worked_ms: 1_500,
        followed: 6,
        failed: 1,
        mailboxes: 3,
        in_step: 1,
        turned_over: 0,
    };
    assert_eq!(figures, expected);
    let now = w.store.now().await.unwrap();
    let failed = w.store.failed_since(w.key, now - 60_000).await.unwrap();
    assert_eq!(failed, [(Cause::Nul.code().to_owned(), 1, 1)]);
    assert!(w.store.failed_since(w.key, now + 60_000).await.unwrap().is_empty());

    let day = |day: &str, figures| DayRow { day: day.to_owned(), taken_at: 7, figures };
    for (name, figures) in
        [("2026-11-25", Figures::default()), ("2026-11-26", figures), ("2026-11-26", Figures::default())]
    {
        w.store.add_day(w.key, &day(name, figures)).await.unwrap();
    }
    let both = [day("2026-11-25", Figures::default()), day("2026-11-26", figures)];
    assert_eq!(w.store.days(w.key, 14).await.unwrap(), both);
    assert_eq!(w.store.days(w.key, 1).await.unwrap(), both[1..]);
}

pub async fn of_one_thing_one_alert_is_open_and_everybody_is_told_once(url: &str) {
    let w = world(url).await;
    let alert = |about: &str, what: &str| NewAlert {
        kind: "mailbox-parked".to_owned(),
        about: about.to_owned(),
        what: what.to_owned(),
    };
    let tell = [(Way::Mail, "ops@x".to_owned()), (Way::Webhook, "https://x/hook".to_owned())];
    assert!(w.store.see_alert(w.key, &alert("ann", "parked"), &tell, 10).await.unwrap());
    assert!(!w.store.see_alert(w.key, &alert("ann", "parked still"), &tell, 20).await.unwrap());
    assert!(w.store.see_alert(w.key, &alert("bob", "parked"), &[], 20).await.unwrap());
    let rows = w.store.alerts_at_work(w.key, 60).await.unwrap();
    assert_eq!(rows.len(), 2);
    // Whoever comes later is told of what is open, and nobody twice.
    for _ in 0..2 {
        let tell = [(Way::Mail, "ops@x".to_owned()), (Way::Mail, "late@x".to_owned())];
        w.store.also_tell(w.key, &alert("bob", "parked"), &tell, 21).await.unwrap();
        w.store.also_tell(w.key, &alert("cyd", "parked"), &tell, 21).await.unwrap();
    }
    let bob = w.store.alerts_at_work(w.key, 60).await.unwrap().remove(1);
    let told: Vec<_> = bob.tellings.iter().map(|t| (t.event, t.whom.as_str(), t.try_at)).collect();
    assert_eq!(told, [(TellingEvent::Raised, "late@x", 21), (TellingEvent::Raised, "ops@x", 21)]);
    for telling in &bob.tellings {
        w.store.end_telling(w.key, telling, 22, None).await.unwrap();
    }
    let ann = &rows[0];
    assert_eq!((ann.of.what.as_str(), ann.raised_at, ann.last_seen_at), ("parked still", 10, 20));
    let mail = &ann.tellings[0];
    assert_eq!(
        (mail.event, mail.way, mail.whom.as_str(), ann.tellings.len()),
        (TellingEvent::Raised, Way::Mail, "ops@x", 2)
    );

    assert!(w.store.begin_telling(w.key, mail, Some("one@x"), 20, 50).await.unwrap());
    assert!(!w.store.begin_telling(w.key, mail, Some("two@x"), 30, 60).await.unwrap());
    w.store.end_telling(w.key, mail, 30, Some("nobody is there")).await.unwrap();
    assert!(w.store.begin_telling(w.key, mail, Some("two@x"), 50, 90).await.unwrap());
    w.store.end_telling(w.key, mail, 51, None).await.unwrap();
    assert!(!w.store.begin_telling(w.key, mail, None, 99, 100).await.unwrap());
    assert!(w.store.end_alert(w.key, ann.alert, &tell[..1], 60).await.unwrap());
    assert!(!w.store.end_alert(w.key, ann.alert, &tell, 61).await.unwrap());

    let rows = w.store.alerts_at_work(w.key, 60).await.unwrap();
    let told: Vec<_> =
        rows[0].tellings.iter().map(|t| (t.event, t.way, t.message_id.as_deref(), t.told_at, t.tries)).collect();
    assert_eq!(
        told,
        [
            (TellingEvent::Raised, Way::Mail, Some("one@x"), Some(51), 2),
            (TellingEvent::Raised, Way::Webhook, None, None, 0),
            (TellingEvent::Over, Way::Mail, None, None, 0)
        ]
    );
    assert_eq!(w.store.alerts_at_work(w.key, 61).await.unwrap().len(), 1, "nobody is told of what is long over");
    for telling in &rows[0].tellings[1..] {
        w.store.end_telling(w.key, telling, 70, None).await.unwrap();
    }
    let abouts = |rows: Vec<crate::AlertRow>| rows.into_iter().map(|row| row.of.about).collect::<Vec<_>>();
    assert_eq!(abouts(w.store.alerts_at_work(w.key, 60).await.unwrap()), ["bob"]);
    // What comes back is another alert.
    assert!(w.store.see_alert(w.key, &alert("ann", "parked again"), &[], 80).await.unwrap());
    assert_eq!(abouts(w.store.alerts(w.key, false, 9).await.unwrap()), ["ann", "bob", "ann"]);
    assert_eq!(abouts(w.store.alerts(w.key, true, 9).await.unwrap()), ["ann", "bob"]);
    assert_eq!(w.store.alerts(w.key, false, 1).await.unwrap()[0].alert, 3);
}

pub async fn what_is_watched_counts_as_well_when_nobody_looked(url: &str) {
    let w = world(url).await;
    let look = async |store: &Store, well_at, now, unseen_before| {
        store.watch_subject(w.key, "collection one", well_at, now, unseen_before).await.unwrap()
    };
    assert_eq!(look(&w.store, None, 100, 90).await, 100, "the first look");
    assert_eq!(look(&w.store, None, 110, 100).await, 100);
    assert_eq!(look(&w.store, Some(105), 120, 110).await, 105);
    assert_eq!(look(&w.store, Some(103), 130, 120).await, 105, "it was well since");
    assert_eq!(look(&w.store, Some(999), 140, 130).await, 140, "nothing is well in the future");
    assert_eq!(look(&w.store, Some(105), 900, 890).await, 900, "nobody looked for long");
}

pub async fn a_collection_moves_when_one_of_its_mailboxes_does(url: &str) {
    let w = world(url).await;
    let ids = w.enroll(2).await;
    let now = w.store.now().await.unwrap() + 1;
    let progress = async |at| w.store.progress(w.key, at).await.unwrap().remove(0);
    let row = progress(now).await;
    assert_eq!((row.collection.as_deref(), row.due, row.moved_at), (Some("first"), 2, None));
    assert!(row.due_since.is_some_and(|since| since <= now));
    assert_eq!(progress(now - 600_000).await.due, 0);

    let (lease, state) = claim(&w.store, w.key, &ids, "worker", TERMS).await.unwrap();
    let folder = w.folder(&lease).await;
    let mark = FolderState { validity: 7, next: 1, count: 0, change: 0 };
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.open_intent(1, folder.folder, &mark, &[]).await.unwrap();
    tx.commit().await.unwrap();
    let begun = progress(now).await.moved_at.unwrap();
    let mut tx = w.store.write(&lease).await.unwrap();
    tx.close_intent(lease.fence, 1).await.unwrap();
    tx.set_pass(now).await.unwrap();
    tx.commit().await.unwrap();
    assert!(progress(now).await.moved_at.is_some_and(|ended| ended >= begun));
    let parked = MailboxState { condition: Condition::Parked("a person".to_owned()), ..state.state };
    w.store.release(&lease, &parked, Again { after_ms: Some(0), failed: false, stopped: false }).await.unwrap();
    assert_eq!(progress(now + 60_000).await.due, 1, "who is parked waits for a person");
}
