//! The log of issues.

use model::Phase;

use super::{TERMS, claim, state, world};
use crate::{Again, Disposition, IssueEnd, IssueState, NewIssue};

fn new(mailbox: Option<i64>, kind: &str) -> NewIssue {
    NewIssue {
        mailbox,
        kind: kind.to_owned(),
        is_of_items: false,
        owner: "both".to_owned(),
        what: "what".to_owned(),
        action: "action".to_owned(),
        follows: None,
        seen_at: 5,
    }
}

fn end(resolution: Option<&str>, disposition: Option<Disposition>) -> IssueEnd {
    IssueEnd { by: "Ann".to_owned(), resolution: resolution.map(str::to_owned), disposition, reason: None }
}

pub async fn of_a_mailbox_and_a_type_one_issue_is_not_closed(url: &str) {
    let w = world(url).await;
    let ids = w.enroll(2).await;
    let (key, store) = (w.key, &w.store);
    assert_eq!(store.open_issue(key, &new(Some(ids[0]), "login"), "whimbrel").await.unwrap(), Some(1));
    assert_eq!(store.open_issue(key, &new(Some(ids[0]), "login"), "whimbrel").await.unwrap(), None);
    assert_eq!(store.open_issue(key, &new(Some(ids[0]), "tls"), "whimbrel").await.unwrap(), Some(2));
    assert_eq!(store.open_issue(key, &new(None, "phone"), "Bob").await.unwrap(), Some(3));
    assert_eq!(store.open_issue(key, &new(None, "phone"), "Bob").await.unwrap(), Some(4), "of none there may be many");
    assert!(store.see_issue(key, 1, "again", 6).await.unwrap());
    assert!(!store.see_issue(key, 1, "again", 6).await.unwrap(), "once for each time");
    assert!(store.assign_issue(key, 1, "Cyd").await.unwrap());
    store.note_issue(key, 1, "asked", "Cyd").await.unwrap();
    let row = &store.issues(key).await.unwrap()[0];
    assert_eq!((row.seen, row.is.seen_at, row.is.what.as_str()), (2, 6, "again"));
    assert_eq!((row.state, row.assigned_to.as_deref(), &row.end), (IssueState::InProgress, Some("Cyd"), &None));
    assert_eq!(store.issue_notes(key, 1).await.unwrap()[0].what, "asked");

    assert_eq!(store.close_issues(key, &[1, 3, 9], &end(Some("cured"), None)).await.unwrap(), 2);
    assert_eq!(store.close_issues(key, &[1], &end(Some("other"), None)).await.unwrap(), 0);
    assert!(!store.assign_issue(key, 1, "Dee").await.unwrap() && !store.see_issue(key, 1, "x", 9).await.unwrap());
    let again = NewIssue { follows: Some(1), ..new(Some(ids[0]), "login") };
    assert_eq!(store.open_issue(key, &again, "whimbrel").await.unwrap(), Some(5));
    let rows = store.issues(key).await.unwrap();
    let (ended, at) = rows[0].end.clone().unwrap();
    assert_eq!((ended, at > 1_600_000_000_000), (end(Some("cured"), None), true));
    assert_eq!((rows[4].is.follows, rows[4].state), (Some(1), IssueState::Open));
}

pub async fn what_is_left_for_the_mop_up_is_worked_on_no_more(url: &str) {
    let w = world(url).await;
    let ids = w.enroll(3).await;
    let (key, store) = (w.key, &w.store);
    store.open_issue(key, &new(Some(ids[0]), "login"), "whimbrel").await.unwrap();
    let of_items = NewIssue { is_of_items: true, ..new(Some(ids[1]), "too-large") };
    store.open_issue(key, &of_items, "whimbrel").await.unwrap();
    store.open_issue(key, &new(Some(ids[2]), "login"), "whimbrel").await.unwrap();
    assert_eq!(store.close_issues(key, &[1, 2], &end(None, Some(Disposition::MopUp))).await.unwrap(), 2);
    assert_eq!(store.close_issues(key, &[3], &end(None, Some(Disposition::Accepted))).await.unwrap(), 1);
    let facts = store.mailbox_facts(key).await.unwrap();
    let aside: Vec<_> = ids.iter().map(|id| (facts[id].set_aside.as_deref(), facts[id].due_at.is_some())).collect();
    assert_eq!(aside, [(Some("mop-up"), false), (None, true), (None, true)]);
    assert_eq!(store.make_due(key).await.unwrap(), 0);
    assert!(store.take_up(key, ids[0]).await.unwrap() && !store.take_up(key, ids[0]).await.unwrap());
    assert_eq!(store.make_due(key).await.unwrap(), 1);
    assert!(store.failed_causes(key).await.unwrap().is_empty());
}

/// Their mail is on its way to them: whatever is said of an issue, it is followed.
pub async fn whose_switch_has_begun_is_set_aside_for_nothing(url: &str) {
    let w = world(url).await;
    let ids = w.enroll(3).await;
    let (key, store) = (w.key, &w.store);
    for (id, phase) in ids.iter().zip([Phase::Switching, Phase::Switched, Phase::Settled]) {
        let lease = claim(store, key, &[*id], "me", TERMS).await.unwrap().0;
        let again = Again { after_ms: Some(0), failed: false, stopped: false };
        store.release(&lease, &state(phase), again).await.unwrap();
        store.open_issue(key, &new(Some(*id), "login"), "whimbrel").await.unwrap();
    }
    assert_eq!(store.close_issues(key, &[1, 2, 3], &end(None, Some(Disposition::MopUp))).await.unwrap(), 3);
    let facts = store.mailbox_facts(key).await.unwrap();
    let aside = |id: &i64| (facts[id].set_aside.clone(), facts[id].due_at.is_some());
    assert!(ids.iter().all(|id| aside(id) == (None, true)), "{facts:?}");
}
