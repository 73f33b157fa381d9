//! What is kept of directories, decisions, plans and accounts.

use model::Digest;

use super::world;
use crate::{
    ChangeState, ConfirmationState, DirectoryRole, Error, FaultRow, MadeAccount, NewChange, NewConfirmation, NewEntry,
    NewSubmission, NewUpload, ReplyRow, SharingWord, SignedRow, SignoffRow, SubmissionState, WordRow,
};

const MINUTE: i64 = 60_000;

fn scope() -> Digest {
    Digest::of(b"scope")
}

fn entry(key: &str, text: &str) -> NewEntry {
    NewEntry { key: key.to_owned(), kind: "person".to_owned(), entry: text.to_owned() }
}

pub async fn the_people_of_a_project_are_held_by_one(url: &str) {
    let w = world(url).await;
    let lease = w.store.hold_people(w.key, "one", MINUTE).await.unwrap().unwrap();
    assert_eq!(w.store.hold_people(w.key, "two", MINUTE).await.unwrap(), None);
    w.store.renew_people(&lease, MINUTE).await.unwrap();
    w.store.leave_people(&lease).await.unwrap();
    let dead = w.store.hold_people(w.key, "dead", MINUTE).await.unwrap().unwrap();
    w.store.void_people_holds(|holder| holder == "dead").await.unwrap();
    assert!(matches!(w.store.write_people(&dead).await, Err(Error::Fenced)));
    let second = w.store.hold_people(w.key, "two", -1).await.unwrap().unwrap();
    assert!(matches!(w.store.write_people(&lease).await, Err(Error::Fenced)));
    assert!(matches!(w.store.renew_people(&lease, MINUTE).await, Err(Error::Fenced)));
    // Its time is over: another may have them, and then it writes nothing any more.
    w.store.hold_people(w.key, "three", MINUTE).await.unwrap().unwrap();
    assert!(matches!(w.store.write_people(&second).await, Err(Error::Fenced)));
}

pub async fn what_a_whole_reading_does_not_tell_is_gone(url: &str) {
    let w = world(url).await;
    let lease = w.store.hold_people(w.key, "one", MINUTE).await.unwrap().unwrap();
    let mut tx = w.store.write_people(&lease).await.unwrap();
    let ad = tx.directory("ad", DirectoryRole::Source).await.unwrap().directory;
    assert_eq!(tx.directory("ad", DirectoryRole::Source).await.unwrap().directory, ad);
    let other = tx.directory("platform", DirectoryRole::Platform).await.unwrap().directory;
    assert_ne!(ad, other);
    let reading = tx.begin_reading(ad).await.unwrap();
    tx.put_entries(ad, reading, &[entry("1", "a"), entry("2", "b"), entry("3", "c")]).await.unwrap();
    assert_eq!(tx.end_reading(ad, reading, (Some(b"x"), scope()), true).await.unwrap(), 0);
    tx.commit().await.unwrap();
    let before = w.store.directory_entries(w.key, ad, false).await.unwrap();
    assert_eq!(before.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);

    let mut tx = w.store.write_people(&lease).await.unwrap();
    let reading = tx.begin_reading(ad).await.unwrap();
    tx.put_entries(ad, reading, &[entry("1", "a"), entry("2", "b2")]).await.unwrap();
    // What can't be read stays as it was.
    let fault = FaultRow { place: "CN=3".to_owned(), key: Some("3".to_owned()), what: "no name".to_owned() };
    tx.put_faults(ad, reading, std::slice::from_ref(&fault)).await.unwrap();
    assert_eq!(tx.end_reading(ad, reading, (Some(b"y"), scope()), true).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert_eq!(w.store.directory_faults(w.key, ad).await.unwrap(), [fault]);

    let mut tx = w.store.write_people(&lease).await.unwrap();
    let reading = tx.begin_reading(ad).await.unwrap();
    tx.put_entries(ad, reading, &[entry("2", "b2")]).await.unwrap();
    assert_eq!(tx.end_reading(ad, reading, (Some(b"z"), scope()), true).await.unwrap(), 2);
    tx.commit().await.unwrap();
    let there = w.store.directory_entries(w.key, ad, false).await.unwrap();
    assert_eq!(there.iter().map(|row| (row.key.as_str(), row.entry.as_str())).collect::<Vec<_>>(), [("2", "b2")]);
    assert_eq!(w.store.directory_entries(w.key, ad, true).await.unwrap().len(), 3);
    assert_eq!(w.store.directory_faults(w.key, ad).await.unwrap(), []);
    let row = &w.store.directories(w.key).await.unwrap()[0];
    assert_eq!((row.name.as_str(), row.cursor.as_deref()), ("ad", Some(&b"z"[..])));
    assert!(row.read_at.is_some() && row.whole_at.is_some());

    // A reading of changes tells what is gone itself, and who is back is back.
    let mut tx = w.store.write_people(&lease).await.unwrap();
    let reading = tx.begin_reading(ad).await.unwrap();
    tx.entries_gone(ad, &["2".to_owned()]).await.unwrap();
    tx.put_entries(ad, reading, &[entry("1", "a")]).await.unwrap();
    assert_eq!(tx.end_reading(ad, reading, (Some(b"w"), scope()), false).await.unwrap(), 0);
    tx.commit().await.unwrap();
    let there = w.store.directory_entries(w.key, ad, false).await.unwrap();
    assert_eq!(there.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["1"]);
    assert!(there[0].first_at <= there[0].changed_at);
}

pub async fn what_people_decide_is_kept_in_its_order(url: &str) {
    let w = world(url).await;
    let word = |what: &str| WordRow {
        directory: "ad".to_owned(),
        key: "1".to_owned(),
        what: what.to_owned(),
        evidence: "letter 7".to_owned(),
        said_by: "ann".to_owned(),
        at: 0,
    };
    for what in ["{\"a\":1}", "{\"a\":2}"] {
        w.store.add_word(w.key, &word(what)).await.unwrap();
    }
    let words = w.store.words(w.key).await.unwrap();
    assert!(words.iter().all(|word| word.at > 1_600_000_000_000));
    let words: Vec<_> = words.into_iter().map(|row| WordRow { at: 0, ..row }).collect();
    assert_eq!(words, [word("{\"a\":1}"), word("{\"a\":2}")]);

    let signoff = SignoffRow {
        signoff: 0,
        list: "matching".to_owned(),
        digest: Digest::of(b"all"),
        signed_by: "Ann Lee".to_owned(),
        evidence: "letter 8".to_owned(),
        recorded_by: "bob".to_owned(),
        at: 0,
    };
    let signed = |key: &str, facts: &[u8]| SignedRow {
        directory: "ad".to_owned(),
        key: key.to_owned(),
        facts: Digest::of(facts),
    };
    let first = [signed("1", b"a"), signed("2", b"b")];
    assert_eq!(w.store.add_signoff(w.key, &signoff, &first).await.unwrap(), 1);
    assert_eq!(w.store.add_signoff(w.key, &signoff, &[signed("2", b"c")]).await.unwrap(), 2);
    assert_eq!(w.store.signed_rows(w.key, "matching").await.unwrap(), [signed("1", b"a"), signed("2", b"c")]);
    assert_eq!(w.store.signed_rows(w.key, "sharing").await.unwrap(), []);
    assert_eq!(w.store.signoffs(w.key, "matching").await.unwrap().len(), 2);
}

pub async fn what_was_found_of_rights_takes_the_place_of_what_was_before(url: &str) {
    let w = world(url).await;
    let read = |mailbox: &str, found: &str| (mailbox.to_owned(), found.to_owned());
    w.store.put_sharing(w.key, "mail:local", &[read("ann", "[1]"), read("bob", "[2]")], false).await.unwrap();
    w.store.put_sharing(w.key, "mail:local", &[read("bob", "[3]")], false).await.unwrap();
    w.store.put_sharing(w.key, "file", &[read("cyd", "[4]")], true).await.unwrap();
    w.store.put_sharing(w.key, "file", &[read("dee", "[5]")], true).await.unwrap();
    let rows = w.store.sharing(w.key).await.unwrap();
    assert!(rows.iter().all(|row| row.read_at > 1_600_000_000_000));
    let rows: Vec<_> = rows.iter().map(|row| (row.mailbox.as_str(), row.found.as_str())).collect();
    assert_eq!(rows, [("dee", "[5]"), ("ann", "[1]"), ("bob", "[3]")]);

    let word = |row: &str, what: &str| SharingWord {
        row: row.to_owned(),
        what: what.to_owned(),
        evidence: "letter 7".to_owned(),
        said_by: "ann".to_owned(),
        at: 0,
    };
    w.store.add_sharing_words(w.key, &[word("b", "1"), word("a", "2")]).await.unwrap();
    w.store.add_sharing_words(w.key, &[word("b", "3")]).await.unwrap();
    let words = w.store.sharing_words(w.key).await.unwrap().into_iter();
    let words: Vec<_> = words.map(|row| SharingWord { at: 0, ..row }).collect();
    assert_eq!(words, [word("b", "1"), word("a", "2"), word("b", "3")]);
}

pub async fn a_plan_is_approved_as_it_stands_and_no_other(url: &str) {
    let w = world(url).await;
    let change = |key: &str| NewChange {
        directory: "ad".to_owned(),
        key: key.to_owned(),
        what: format!("{{\"make\":\"{key}\"}}"),
        facts: Digest::of(key.as_bytes()),
    };
    let draft = Digest::of(b"draft");
    let first = w.store.add_plan(w.key, draft, "{}", "ann", &[change("1")]).await.unwrap();
    let plan = w.store.add_plan(w.key, draft, "{}", "ann", &[change("1"), change("2")]).await.unwrap();
    assert_eq!((first, plan), (1, 2));
    assert!(!w.store.approve_plan(w.key, first, draft, "bob").await.unwrap(), "it was put aside");
    assert!(!w.store.approve_plan(w.key, plan, Digest::of(b"other"), "bob").await.unwrap(), "it is another one");
    assert!(w.store.approve_plan(w.key, plan, draft, "bob").await.unwrap());
    assert!(!w.store.approve_plan(w.key, plan, draft, "bob").await.unwrap(), "it is approved");
    assert_eq!(w.store.plans(w.key).await.unwrap()[1].approved.as_ref().unwrap().0, "bob");

    let lease = w.store.hold_people(w.key, "one", MINUTE).await.unwrap().unwrap();
    let mut tx = w.store.write_people(&lease).await.unwrap();
    tx.begin_changes(plan, &[(1, Some(vec![7]))]).await.unwrap();
    tx.begin_changes(plan, &[(1, Some(vec![8]))]).await.unwrap();
    tx.commit().await.unwrap();
    let begun = &w.store.changes(w.key, plan).await.unwrap()[0];
    assert_eq!((begun.state, begun.secret.as_deref()), (ChangeState::Doing, Some(&[7][..])));
    assert_eq!((begun.at.is_some(), begun.facts), (true, Digest::of(b"1")));
    assert_eq!(w.store.changes(w.key, plan).await.unwrap()[1].at, None, "it was never begun");
    let mut tx = w.store.write_people(&lease).await.unwrap();
    let refused = (2, ChangeState::Refused, None, Some("no".to_owned()));
    tx.set_changes(plan, &[(1, ChangeState::Done, Some("p1".to_owned()), None), refused]).await.unwrap();
    let made = MadeAccount {
        directory: "ad".to_owned(),
        key: "1".to_owned(),
        account: "p1".to_owned(),
        kind: "person".to_owned(),
        password: Some(vec![1, 2]),
    };
    tx.add_accounts(plan, std::slice::from_ref(&made)).await.unwrap();
    tx.add_accounts(plan, &[MadeAccount { password: None, ..made.clone() }]).await.unwrap();
    tx.drop_secrets(plan).await.unwrap();
    tx.end_plan(plan).await.unwrap();
    tx.commit().await.unwrap();
    let changes = w.store.changes(w.key, plan).await.unwrap();
    assert_eq!((changes[0].state, changes[0].account.as_deref()), (ChangeState::Done, Some("p1")));
    assert_eq!(changes[0].secret, None);
    assert_eq!((changes[1].state, changes[1].said.as_deref()), (ChangeState::Refused, Some("no")));
    let accounts = w.store.accounts_made(w.key).await.unwrap();
    assert_eq!((accounts.len(), &accounts[0].made, accounts[0].live_at), (1, &made, None));

    let mut tx = w.store.write_people(&lease).await.unwrap();
    tx.exempt("ad", "1", "a pilot, says bob").await.unwrap();
    tx.set_live("ad", "1").await.unwrap();
    tx.handed_over("ad", "1").await.unwrap();
    tx.commit().await.unwrap();
    let account = &w.store.accounts_made(w.key).await.unwrap()[0];
    assert_eq!((account.made.password.as_ref(), account.exemption.as_deref()), (None, Some("a pilot, says bob")));
    assert!(account.live_at.is_some() && account.handed_over_at.is_some());
}

pub async fn a_submission_is_taken_once_and_goes_on_from_where_it_was(url: &str) {
    let w = world(url).await;
    let lease = w.store.hold_people(w.key, "one", MINUTE).await.unwrap().unwrap();
    let new = NewSubmission {
        place: "post/INBOX/7/1".to_owned(),
        connector: "payroll".to_owned(),
        message_id: Some("<a@b>".to_owned()),
        digest: Digest::of(b"message"),
        sender: Some("hr@trust.example".to_owned()),
        taken_by: "engineer".to_owned(),
        file_name: Some("new.csv".to_owned()),
        file: Some(b"key\n1\n".to_vec()),
        state: SubmissionState::Taken,
        plan: None,
        said: None,
        detail: "{}".to_owned(),
    };
    let mut tx = w.store.write_people(&lease).await.unwrap();
    assert_eq!(tx.add_submission(&new).await.unwrap(), Some(1));
    assert_eq!(tx.add_submission(&new).await.unwrap(), None);
    let refused = NewSubmission {
        place: "post/INBOX/7/2".to_owned(),
        message_id: None,
        sender: None,
        file_name: None,
        file: None,
        state: SubmissionState::Refused,
        said: Some("not authorised".to_owned()),
        ..new.clone()
    };
    assert_eq!(tx.add_submission(&refused).await.unwrap(), Some(2));
    tx.commit().await.unwrap();
    assert_eq!(w.store.submitted_file(w.key, 1).await.unwrap().as_deref(), Some(&b"key\n1\n"[..]));
    assert_eq!(w.store.submitted_file(w.key, 2).await.unwrap(), None);
    let rows = w.store.submissions(w.key).await.unwrap();
    assert_eq!(rows[0].of, NewSubmission { file: None, ..new });
    assert_eq!((&rows[1].of, rows[1].ended_at.is_some()), (&refused, true));

    let mut tx = w.store.write_people(&lease).await.unwrap();
    tx.set_submission(1, SubmissionState::Planned, Some(4)).await.unwrap();
    tx.told_of_submission(1).await.unwrap();
    tx.set_submission(1, SubmissionState::Done, None).await.unwrap();
    tx.commit().await.unwrap();
    let row = &w.store.submissions(w.key).await.unwrap()[0];
    assert_eq!((row.of.state, row.of.plan, row.told_at.is_some()), (SubmissionState::Done, Some(4), true));
    assert_eq!(row.ended_at, None);
}

pub async fn of_an_objects_questions_one_is_open_and_it_is_automaticed_once(url: &str) {
    let w = world(url).await;
    let lease = w.store.hold_people(w.key, "one", MINUTE).await.unwrap().unwrap();
    let new = |key: &str, code: u8| NewConfirmation {
        directory: "ad".to_owned(),
        key: key.to_owned(),
        account: "p1".to_owned(),
        bound: Digest::of(b"bound"),
        code: vec![code],
        account_code: (code > 1).then(|| vec![0]),
        address: "ann@trust.example".to_owned(),
        account_address: (code > 1).then(|| "ann@national.example".to_owned()),
        asked_by: "engineer".to_owned(),
        expires_at: 7,
    };
    let mut tx = w.store.write_people(&lease).await.unwrap();
    let mut numbers = Vec::new();
    for (key, code) in [("1", 1), ("2", 2), ("1", 3)] {
        numbers.push(tx.add_confirmation(&new(key, code)).await.unwrap());
    }
    tx.confirmation_sent(3).await.unwrap();
    tx.confirmation_refused(2, "a wrong code", true, 2).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(numbers, [1, 2, 3]);
    let rows = w.store.confirmations(w.key).await.unwrap();
    let states: Vec<ConfirmationState> = rows.iter().map(|row| row.state).collect();
    assert_eq!(states, [ConfirmationState::Replaced, ConfirmationState::Sending, ConfirmationState::Asked]);
    assert_eq!((&rows[1].of, rows[1].tries, rows[1].said.as_deref()), (&new("2", 2), 1, Some("a wrong code")));
    assert!(rows[0].of.account_address.is_none() && rows[2].sent_at.is_some() && rows[1].sent_at.is_none());

    let word = WordRow {
        directory: "ad".to_owned(),
        key: "1".to_owned(),
        what: "{}".to_owned(),
        evidence: "a code".to_owned(),
        said_by: "ann".to_owned(),
        at: 0,
    };
    let mut tx = w.store.write_people(&lease).await.unwrap();
    tx.confirmation_refused(2, "no answer", false, 2).await.unwrap();
    tx.confirmation_refused(2, "a wrong code", true, 2).await.unwrap();
    assert!(!tx.confirmation_answered(1, &word, 0).await.unwrap(), "it was asked again");
    assert!(!tx.confirmation_answered(3, &word, 1).await.unwrap(), "something else was decided");
    assert!(tx.confirmation_answered(3, &word, 0).await.unwrap());
    assert!(!tx.confirmation_answered(3, &word, 1).await.unwrap(), "once");
    let other = WordRow { key: "2".to_owned(), ..word };
    assert!(!tx.confirmation_answered(2, &other, 0).await.unwrap(), "too many wrong codes");
    let reply = ReplyRow {
        place: "post INBOX 7 1".to_owned(),
        message_id: None,
        sender: Some("ann@trust.example".to_owned()),
        digest: Digest::of(b"message"),
        confirmation: Some(3),
        is_taken: true,
        why: None,
    };
    assert!(tx.add_reply(&reply).await.unwrap());
    assert!(!tx.add_reply(&ReplyRow { is_taken: false, ..reply.clone() }).await.unwrap());
    tx.commit().await.unwrap();
    let rows = w.store.confirmations(w.key).await.unwrap();
    assert_eq!((rows[2].state, rows[1].state), (ConfirmationState::Answered, ConfirmationState::Void));
    assert_eq!(w.store.replies(w.key).await.unwrap(), [reply]);
    assert_eq!(w.store.words(w.key).await.unwrap().len(), 1);
}

pub async fn one_plan_is_approved_at_a_time_and_may_be_withdrawn(url: &str) {
    let w = world(url).await;
    let change = NewChange {
        directory: "ad".to_owned(),
        key: "1".to_owned(),
        what: "{}".to_owned(),
        facts: Digest::of(b"facts"),
    };
    let draft = Digest::of(b"draft");
    let first = w.store.add_plan(w.key, draft, "{}", "ann", std::slice::from_ref(&change)).await.unwrap();
    assert!(w.store.approve_plan(w.key, first, draft, "bob").await.unwrap());
    let second = w.store.add_plan(w.key, draft, "{}", "ann", &[change]).await.unwrap();
    assert!(!w.store.approve_plan(w.key, second, draft, "bob").await.unwrap(), "the first is not carried out");
    assert!(w.store.withdraw_plan(w.key, first, "cyd").await.unwrap());
    assert!(!w.store.withdraw_plan(w.key, first, "cyd").await.unwrap(), "it is withdrawn");
    assert!(w.store.approve_plan(w.key, second, draft, "bob").await.unwrap());
    let plans = w.store.plans(w.key).await.unwrap();
    assert_eq!((plans[0].withdrawn_by.as_deref(), plans[0].ended_at.is_some()), (Some("cyd"), true));
}

pub async fn an_account_made_again_takes_the_place_of_the_one_that_is_gone(url: &str) {
    let w = world(url).await;
    let lease = w.store.hold_people(w.key, "one", MINUTE).await.unwrap().unwrap();
    let made = |key: &str, account: &str, password: u8| MadeAccount {
        directory: "ad".to_owned(),
        key: key.to_owned(),
        account: account.to_owned(),
        kind: "person".to_owned(),
        password: Some(vec![password]),
    };
    let mut tx = w.store.write_people(&lease).await.unwrap();
    tx.add_accounts(1, &[made("1", "p1", 1), made("2", "p2", 2)]).await.unwrap();
    tx.exempt("ad", "1", "a pilot").await.unwrap();
    tx.exempt("ad", "1", "no router").await.unwrap();
    tx.set_live("ad", "1").await.unwrap();
    tx.handed_over("ad", "1").await.unwrap();
    tx.commit().await.unwrap();
    let rows = w.store.accounts_made(w.key).await.unwrap();
    assert_eq!(rows[0].exemption.as_deref(), Some("no router"), "the last reason counts");
    // Made again under another key; and a key that another object's account had.
    let mut tx = w.store.write_people(&lease).await.unwrap();
    tx.add_accounts(2, &[made("1", "p3", 3), made("3", "p2", 4)]).await.unwrap();
    tx.commit().await.unwrap();
    let rows = w.store.accounts_made(w.key).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.made.clone()).collect::<Vec<_>>(), [made("1", "p3", 3), made("3", "p2", 4)]);
    let first = &rows[0];
    assert_eq!((first.live_at, first.handed_over_at, &first.exemption), (None, None, &None));
    // Registrations are the organisation's, in whatever project.
    let other = w.store.project(&super::organisation(), "other").await.unwrap();
    assert_eq!(w.store.accounts_of_kinds(other, ["person", "system"]).await.unwrap(), 2);
    assert_eq!(w.store.accounts_of_kinds(other, ["room", "system"]).await.unwrap(), 0);
}

pub async fn a_reading_that_may_not_be_read_on_keeps_no_cursor(url: &str) {
    let w = world(url).await;
    let lease = w.store.hold_people(w.key, "one", MINUTE).await.unwrap().unwrap();
    let mut tx = w.store.write_people(&lease).await.unwrap();
    let ad = tx.directory("ad", DirectoryRole::Source).await.unwrap().directory;
    let reading = tx.begin_reading(ad).await.unwrap();
    tx.end_reading(ad, reading, (Some(b"x"), scope()), true).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = w.store.write_people(&lease).await.unwrap();
    let reading = tx.begin_reading(ad).await.unwrap();
    tx.end_reading(ad, reading, (None, Digest::of(b"other")), false).await.unwrap();
    tx.accept_gone(ad).await.unwrap();
    tx.commit().await.unwrap();
    let row = &w.store.directories(w.key).await.unwrap()[0];
    assert_eq!((row.cursor.as_ref(), row.scope), (None, Some(Digest::of(b"other"))));
    assert!(row.gone_accepted_at.is_some());
}

pub async fn one_file_for_the_portal_has_no_end_at_a_time(url: &str) {
    let w = world(url).await;
    let lease = w.store.hold_people(w.key, "one", MINUTE).await.unwrap().unwrap();
    let upload = |upload: i64| NewUpload {
        upload,
        directory: "portal".to_owned(),
        plan: 1,
        changes: vec![1, 3],
        sent_to: "uploads/1.csv".to_owned(),
        message_id: None,
        digest: Digest::of(b"file"),
        detail: "{}".to_owned(),
        made_by: "bob".to_owned(),
    };
    let mut tx = w.store.write_people(&lease).await.unwrap();
    assert!(tx.add_upload(&upload(1), b"file").await.unwrap());
    assert!(!tx.add_upload(&upload(2), b"other").await.unwrap(), "the first has no end");
    tx.commit().await.unwrap();
    let row = w.store.uploads(w.key).await.unwrap().remove(0);
    assert_eq!((row.of.clone(), row.sent_at, row.ended_at), (upload(1), None, None));
    assert_eq!(w.store.uploaded_file(w.key, 1).await.unwrap(), b"file");
    let mut tx = w.store.write_people(&lease).await.unwrap();
    tx.upload_sent(1).await.unwrap();
    tx.add_upload_result(1, Digest::of(b"result"), "bob").await.unwrap();
    tx.add_upload_result(1, Digest::of(b"result"), "eve").await.unwrap();
    tx.end_upload(1, Some("ivy")).await.unwrap();
    assert!(tx.add_upload(&upload(2), b"other").await.unwrap());
    tx.commit().await.unwrap();
    let rows = w.store.uploads(w.key).await.unwrap();
    assert!(rows[0].sent_at.is_some() && rows[0].ended_at.is_some() && rows[1].sent_at.is_none());
    assert_eq!(rows[0].lost_by.as_deref(), Some("ivy"));
    let results = w.store.upload_results(w.key).await.unwrap();
    assert_eq!(results.iter().map(|row| row.taken_by.as_str()).collect::<Vec<_>>(), ["bob"]);
    // The account of a key that was not known yet; and how old a report is.
    let made = |account: &str| MadeAccount {
        directory: "ad".to_owned(),
        key: "1".to_owned(),
        account: account.to_owned(),
        kind: "person".to_owned(),
        password: None,
    };
    let mut tx = w.store.write_people(&lease).await.unwrap();
    tx.add_accounts(1, &[made("?")]).await.unwrap();
    tx.account_is("ad", "1", "p1").await.unwrap();
    let directory = tx.directory("portal", DirectoryRole::Platform).await.unwrap();
    tx.set_as_of(directory.directory, 17).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(w.store.accounts_made(w.key).await.unwrap()[0].made, made("p1"));
    assert_eq!((directory.as_of, w.store.directories(w.key).await.unwrap()[0].as_of), (None, Some(17)));
}
