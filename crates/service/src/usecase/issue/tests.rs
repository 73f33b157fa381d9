//! Issues of a project: opened by themselves, closed by people.

use model::{Cause, Condition, Phase, Side};
use store::{Disposition, IssueState, MailboxState};

use super::{Closing, IssueChoice, Reported, tend_issues};
use crate::usecase::collection::tests::{World, in_step, work};
use crate::usecase::collection::timestamp;
use crate::{Error, Project};

fn parked(cause: Cause, side: Side) -> MailboxState {
    let condition = Condition::Parked("it was refused".to_owned());
    MailboxState { phase: Phase::Copying, condition, cause: Some((cause, Some(side))) }
}

async fn tend(project: &Project) -> (u64, u64, u64) {
    let tended = tend_issues(project, timestamp(project.store.now().await.unwrap())).await.unwrap();
    (tended.opened, tended.seen, tended.resolved)
}

fn close(numbers: &[i64]) -> Closing {
    Closing { issues: numbers.to_vec(), ..Closing::default() }
}

fn mop_up(numbers: &[i64]) -> Closing {
    let given = |text: &str| Some(text.to_owned());
    Closing { disposition: given("mop-up"), by: given("Kim"), reason: given("in the last week"), ..close(numbers) }
}

fn refused(result: Result<impl std::fmt::Debug, Error>, rule: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.rule, Some(rule), "{error}");
    assert!(error.advice.is_some(), "{error}");
}

#[tokio::test]
async fn who_fails_has_an_issue_until_they_are_in_step_and_a_new_one_when_it_comes_back() {
    let world = World::of("source,target\nann,ann\nben,ben\n");
    let project = world.open().await;
    assert_eq!(tend(&project).await, (0, 0, 0));
    work(&project, "ann", parked(Cause::Login, Side::Source), None).await;
    work(&project, "ben", parked(Cause::OverQuota, Side::Target), None).await;
    assert_eq!(tend(&project).await, (2, 0, 0));
    assert_eq!(tend(&project).await, (0, 0, 0), "twice is once");
    let list = project.issues(&IssueChoice { parked: true, ..IssueChoice::default() }).await.unwrap();
    let of: Vec<_> = list
        .issues
        .iter()
        .map(|line| (line.mailbox.as_deref().unwrap(), line.kind.as_str(), line.owner.as_str()))
        .collect();
    assert_eq!(of, [("ann", "login", "organisation"), ("ben", "over-quota", "provider")]);
    assert_eq!(list.issues[0].action, Cause::Login.advice());
    assert_eq!(list.issues[0].what, "at the source: it was refused");
    let by_owner = IssueChoice { owner: Some("Provider".to_owned()), ..IssueChoice::default() };
    assert_eq!(project.issues(&by_owner).await.unwrap().issues.len(), 1);

    work(&project, "ann", in_step(), Some((1, 1))).await;
    assert_eq!(tend(&project).await, (0, 0, 1));
    let ended = project.issue(1).await.unwrap().issue;
    assert_eq!((ended.state, ended.closed_by.as_deref()), (IssueState::Closed, Some("whimbrel")));
    assert!(ended.resolution.unwrap().starts_with("in step again since 20"));
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    work(&project, "ann", parked(Cause::Login, Side::Source), None).await;
    assert_eq!(tend(&project).await, (1, 0, 0));
    assert_eq!(project.issue(3).await.unwrap().issue.follows, Some(1));
    let (rows, fault) = project.store.audit_log(project.key).await.unwrap();
    assert_eq!((rows.iter().filter(|row| row.action == "issue.tended").count(), fault), (3, None));
    project.close().await;
}

#[tokio::test]
async fn none_is_closed_without_a_resolution_or_a_disposition_and_many_with_one_approval() {
    let world = World::of("source,target\nann,ann\nben,ben\ncyd,cyd\n");
    let project = world.open().await;
    for name in ["ann", "ben", "cyd"] {
        work(&project, name, parked(Cause::Login, Side::Source), None).await;
    }
    tend(&project).await;
    refused(project.close_issues(&close(&[1])).await, "R-228");
    refused(project.close_issues(&Closing { resolution: Some("  ".to_owned()), ..close(&[1]) }).await, "R-228");
    let unnamed = Closing { disposition: Some("mop-up".to_owned()), reason: Some("why".to_owned()), ..close(&[1]) };
    refused(project.close_issues(&unnamed).await, "R-228");
    let accepted = Closing { disposition: Some("accepted".to_owned()), ..mop_up(&[1]) };
    refused(project.close_issues(&accepted).await, "R-008");
    for wrong in [
        Closing { resolution: Some("done".to_owned()), ..close(&[1, 99]) },
        Closing { resolution: Some("done".to_owned()), ..mop_up(&[1]) },
        Closing { disposition: Some("later".to_owned()), ..mop_up(&[1]) },
        Closing { resolution: Some("done".to_owned()), ..Closing::default() },
        Closing { resolution: Some("done".to_owned()), cause: Some("login".to_owned()), ..Closing::default() },
        Closing { resolution: Some("done".to_owned()), cause: Some("tls".to_owned()), all: true, ..Closing::default() },
    ] {
        assert!(project.close_issues(&wrong).await.unwrap_err().advice.is_some());
    }
    let list = project.issues(&IssueChoice::default()).await.unwrap();
    assert_eq!(list.issues.len(), 3, "nothing was changed");
    let all = Closing { cause: Some("login".to_owned()), all: true, ..mop_up(&[]) };
    let report = project.close_issues(&all).await.unwrap();
    assert_eq!((report.closed, report.disposition), (3, Some(Disposition::MopUp)));
    let (rows, _) = project.store.audit_log(project.key).await.unwrap();
    let closed: Vec<_> = rows.iter().filter(|row| row.action == "issue.closed").collect();
    assert_eq!(closed.len(), 1, "one approval is one row");
    assert!(closed[0].detail.contains("[1,2,3]") && closed[0].detail.contains("Kim"), "{}", closed[0].detail);
    assert!(project.close_issues(&mop_up(&[1])).await.unwrap_err().what.contains("is closed"));

    // They are parked for the mop-up: listed, worked on no more, and no issue again.
    let choice = IssueChoice { mop_up: true, ..IssueChoice::default() };
    let parked_for = project.issues(&choice).await.unwrap();
    assert_eq!((parked_for.issues.len(), parked_for.issues[0].is_parked), (3, true));
    assert_eq!(project.store.make_due(project.key).await.unwrap(), 0);
    let status = project.status(&crate::Selection::default()).await.unwrap();
    assert_eq!(status.mailboxes[0].waits.as_ref().unwrap().text, "is parked for the mop-up");
    work(&project, "ann", parked(Cause::Login, Side::Source), None).await;
    assert_eq!(tend(&project).await, (0, 0, 0));
    refused(project.take_up("ann", None, " ").await, "R-231");
    project.take_up("ann", Some("Kim"), "the last week has come").await.unwrap();
    assert!(project.take_up("ann", None, "again").await.unwrap_err().what.contains("is not set aside"));
    assert_eq!(project.store.make_due(project.key).await.unwrap(), 1);
    assert_eq!(tend(&project).await, (1, 0, 0), "it fails still, and is an issue again");
    project.close().await;
}

#[tokio::test]
async fn what_people_report_is_opened_taken_and_closed_by_people() {
    let world = World::of("source,target\nann,ann\n");
    let project = world.open().await;
    let report = Reported {
        kind: "Data-Quality".to_owned(),
        what: "no surname".to_owned(),
        mailbox: Some("ann".to_owned()),
        owner: Some("organisation".to_owned()),
        ..Reported::default()
    };
    assert_eq!(project.open_issue(&report).await.unwrap().issue, Some(1));
    assert!(project.open_issue(&report).await.unwrap_err().what.contains("already"));
    for wrong in [
        Reported { kind: "two words".to_owned(), ..report.clone() },
        Reported { what: " ".to_owned(), ..report.clone() },
        Reported { owner: Some("nobody".to_owned()), ..report.clone() },
        Reported { mailbox: Some("ben".to_owned()), ..report.clone() },
    ] {
        assert!(project.open_issue(&wrong).await.unwrap_err().advice.is_some());
    }
    project.assign_issue(1, "Kim").await.unwrap();
    project.note_issue(1, "asked the personnel office", Some("Kim")).await.unwrap();
    work(&project, "ann", in_step(), Some((1, 1))).await;
    assert_eq!(tend(&project).await, (0, 0, 0), "what a person opened a person closes");
    let shown = project.issue(1).await.unwrap();
    assert_eq!((shown.issue.state, shown.issue.assigned_to.as_deref()), (IssueState::InProgress, Some("Kim")));
    assert_eq!((shown.notes[0].what.as_str(), shown.notes[0].by.as_str()), ("asked the personnel office", "Kim"));
    let resolved = Closing { resolution: Some("corrected".to_owned()), ..close(&[1]) };
    assert_eq!(project.close_issues(&resolved).await.unwrap().closed, 1);
    assert!(project.assign_issue(1, "Lee").await.unwrap_err().what.contains("is closed"));
    assert!(project.note_issue(9, "x", None).await.unwrap_err().what.contains("no issue 9"));
    let all = IssueChoice { state: Some("all".to_owned()), ..IssueChoice::default() };
    let text = project.issues(&all).await.unwrap().document().text();
    assert!(text.contains("data-quality") && text.contains("corrected ("), "{text}");
    project.close().await;
}
