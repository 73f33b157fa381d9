//! What fails opens an issue by itself, and what is cured closes it.
//!
//! A reconcile: it looks at the mailboxes and the failures as they stand, and brings the log to where it should be. It may be
//! stopped anywhere and run twice, also by two at once.
//!
//! * A mailbox that is parked is an issue at once; one that fails and is tried again, after `issues.after_minutes`; items that failed
//!   and that nobody has said anything about, by their cause.
//! * A try in between ends nothing: an issue of a mailbox is resolved by a complete pass, one of items when none of them is left
//!   without a word.
//! * What was closed stays closed as long as nothing new is seen. What is seen after that is a new issue that cites it.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use model::{Cause, Condition, Phase};
use movement::state::counted;
use serde_json::json;
use store::{FailedCause, IssueEnd, IssueRow, IssueState, MailboxFacts, MailboxRow, NewIssue};

use super::{ITSELF, owner};
use crate::{Error, Project, when};

/// What was done about the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tended {
    /// Issues that were opened.
    pub opened: u64,
    /// Issues that were seen again.
    pub seen: u64,
    /// Issues that are resolved.
    pub resolved: u64,
}

/// What is to be done about the log.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    open: Vec<NewIssue>,
    see: Vec<(i64, String, i64)>,
    resolve: Vec<(i64, String)>,
}

/// Brings the log of issues to where it should be at this moment.
pub(crate) async fn tend_issues(project: &Project, now: Timestamp) -> Result<Tended, Error> {
    let (store, key) = (&project.store, project.key);
    let mut mailboxes = store.mailboxes(key).await?;
    mailboxes.retain(|row| row.listed);
    let (facts, failed) = (store.mailbox_facts(key).await?, store.failed_causes(key).await?);
    let issues = store.issues(key).await?;
    let after_ms = i64::from(project.config.file.issues.after_minutes) * 60_000;
    let zone = project.config.time_zone();
    let shown = |ms: i64| when::shown(ms, &zone);
    let plan = plan(&mailboxes, &facts, &failed, &issues, (now.as_millisecond(), after_ms), &shown);
    let mut tended = Tended::default();
    let mut opened = Vec::new();
    for new in &plan.open {
        if let Some(number) = store.open_issue(key, new, ITSELF).await? {
            opened.push(number);
        }
    }
    for (issue, what, at) in &plan.see {
        tended.seen += u64::from(store.see_issue(key, *issue, what, *at).await?);
    }
    let mut resolved = Vec::new();
    for (issue, resolution) in plan.resolve {
        let end = IssueEnd { by: ITSELF.to_owned(), resolution: Some(resolution), disposition: None, reason: None };
        if store.close_issues(key, &[issue], &end).await? == 1 {
            resolved.push(issue);
        }
    }
    (tended.opened, tended.resolved) = (opened.len() as u64, resolved.len() as u64);
    if tended.opened + tended.resolved > 0 {
        let detail = json!({ "opened": opened, "resolved": resolved });
        store.audit(key, &project.actor, "issue.tended", &detail).await?;
    }
    Ok(tended)
}

/// What is to be done, of what is known. Pure.
fn plan(
    mailboxes: &[MailboxRow],
    facts: &HashMap<i64, MailboxFacts>,
    failed: &[FailedCause],
    issues: &[IssueRow],
    (now_ms, after_ms): (i64, i64),
    shown: &dyn Fn(i64) -> String,
) -> Plan {
    let nothing = MailboxFacts::default();
    let rows: HashMap<i64, &MailboxRow> = mailboxes.iter().map(|row| (row.mailbox, row)).collect();
    let mut wanted: BTreeMap<(i64, String), NewIssue> = BTreeMap::new();
    for row in mailboxes {
        let facts = facts.get(&row.mailbox).unwrap_or(&nothing);
        if facts.set_aside.is_none()
            && let Some(new) = of_mailbox(row, facts, now_ms, after_ms)
        {
            wanted.insert((row.mailbox, new.kind.clone()), new);
        }
    }
    for failed in failed.iter().filter(|failed| failed.open > 0) {
        let is_aside = facts.get(&failed.mailbox).is_some_and(|facts| facts.set_aside.is_some());
        if rows.contains_key(&failed.mailbox) && !is_aside {
            wanted.entry((failed.mailbox, failed.cause.clone())).or_insert_with(|| of_items(failed));
        }
    }
    // The last of each mailbox and type, as they come in order.
    let of = |row: &IssueRow| Some((row.is.mailbox?, row.is.kind.clone()));
    let last: HashMap<(i64, String), &IssueRow> = issues.iter().filter_map(|row| Some((of(row)?, row))).collect();
    let mut plan = Plan::default();
    let mut still = HashSet::new();
    for (place, mut new) in wanted {
        match last.get(&place) {
            Some(row) if row.state != IssueState::Closed => {
                still.insert(row.issue);
                if new.seen_at > row.is.seen_at {
                    plan.see.push((row.issue, new.what, new.seen_at));
                }
            }
            Some(row) => {
                let closed_at = row.end.as_ref().map_or(row.changed_at, |(_, at)| *at);
                if new.seen_at > closed_at {
                    new.follows = Some(row.issue);
                    plan.open.push(new);
                }
            }
            None => plan.open.push(new),
        }
    }
    for row in issues.iter().filter(|row| row.state != IssueState::Closed && row.opened_by == ITSELF) {
        let Some(mailbox) = row.is.mailbox.and_then(|number| rows.get(&number)) else { continue };
        if still.contains(&row.issue) {
            continue;
        }
        let facts = facts.get(&mailbox.mailbox).unwrap_or(&nothing);
        let resolution = if row.is.is_of_items {
            end_of_items(row, failed, now_ms, shown)
        } else {
            end_of_mailbox(mailbox, facts, shown)
        };
        plan.resolve.extend(resolution.map(|resolution| (row.issue, resolution)));
    }
    plan
}

/// The issue that a mailbox is, if it is one.
fn of_mailbox(row: &MailboxRow, facts: &MailboxFacts, now_ms: i64, after_ms: i64) -> Option<NewIssue> {
    let (cause, side) = row.state.cause.unzip();
    let side = side.flatten();
    // Whoever stopped a run knows.
    if cause == Some(Cause::Stopped) {
        return None;
    }
    let reason = match &row.state.condition {
        Condition::Parked(reason) => reason,
        Condition::Waiting(reason) => {
            let since = facts.failing_since.filter(|_| cause.is_some())?;
            if since + after_ms > now_ms {
                return None;
            }
            reason
        }
        Condition::Running => return None,
    };
    let at = side.map(|side| format!("at the {side}: ")).unwrap_or_default();
    Some(NewIssue {
        mailbox: Some(row.mailbox),
        kind: cause.map_or("parked", Cause::code).to_owned(),
        is_of_items: false,
        owner: cause.map_or("both", |cause| owner(cause, side)).to_owned(),
        what: format!("{at}{reason}"),
        action: cause.map_or("Look why it is parked.", Cause::advice).to_owned(),
        follows: None,
        seen_at: row.since,
    })
}

/// The issue that items are that failed without anybody's word.
fn of_items(failed: &FailedCause) -> NewIssue {
    let cause = Cause::from_code(&failed.cause);
    let meaning = cause.map_or("they can't be copied", Cause::meaning);
    NewIssue {
        mailbox: Some(failed.mailbox),
        kind: failed.cause.clone(),
        is_of_items: true,
        owner: cause.map_or("both", |cause| owner(cause, None)).to_owned(),
        what: format!("{} failed: {meaning}", counted(failed.open, "item")),
        action: cause.map_or("See whimbrel failed list.", Cause::advice).to_owned(),
        follows: None,
        seen_at: failed.last_at,
    }
}

/// How an issue of a mailbox has ended; none while it may go on.
fn end_of_mailbox(row: &MailboxRow, facts: &MailboxFacts, shown: &dyn Fn(i64) -> String) -> Option<String> {
    let is_parked = matches!(row.state.condition, Condition::Parked(_));
    if facts.failing_since.is_some() || is_parked {
        return None;
    }
    if row.state.phase >= Phase::InStep {
        return Some(format!("in step again since {}", shown(row.since)));
    }
    // A pass was complete; what is left to do about its items is an issue of its own.
    let (_, ended) = row.pass?;
    matches!(row.state.condition, Condition::Waiting(_)).then(|| format!("copied whole again since {}", shown(ended)))
}

/// How an issue of items has ended; none while some are without a word.
fn end_of_items(row: &IssueRow, failed: &[FailedCause], now_ms: i64, shown: &dyn Fn(i64) -> String) -> Option<String> {
    let of = |failed: &&FailedCause| Some(failed.mailbox) == row.is.mailbox && failed.cause == row.is.kind;
    match failed.iter().find(of) {
        Some(failed) if failed.open > 0 => None,
        Some(failed) => Some(format!("its failed items have a word: {} accepted", counted(failed.accepted, "item"))),
        None => Some(format!("its failed items were copied, or are gone from the source, by {}", shown(now_ms))),
    }
}

#[cfg(test)]
mod tests {
    use model::{MailboxKind, Side};
    use store::{MailboxState, RosterRow};

    use super::*;

    const MINUTE: i64 = 60_000;
    const NOW: i64 = 1_000 * MINUTE;
    const AFTER: i64 = 30 * MINUTE;

    fn mailbox(number: i64, phase: Phase, condition: Condition, cause: Option<Cause>, since: i64) -> MailboxRow {
        MailboxRow {
            mailbox: number,
            roster: RosterRow {
                source_endpoint: 1,
                source_name: format!("p{number}"),
                target_endpoint: 2,
                target_name: format!("p{number}"),
                name: None,
                kind: MailboxKind::Person,
                collection: None,
                target_in_use: false,
                new_account: true,
                activated: None,
                in_books: None,
            },
            listed: true,
            state: MailboxState { phase, condition, cause: cause.map(|cause| (cause, Some(Side::Source))) },
            since,
            source_store: None,
            target_store: None,
            bytes_proved: 0,
            bytes_not_kept: 0,
            pass: Some((0, since)),
            freeze: store::Freeze::Never,
            is_held: false,
            is_taken: false,
            sharing: None,
        }
    }

    fn failing(since: i64) -> MailboxFacts {
        MailboxFacts { failing_since: Some(since), ..MailboxFacts::default() }
    }

    fn issue(number: i64, mailbox: i64, kind: &str, closed_at: Option<i64>) -> IssueRow {
        let end = IssueEnd { by: "Ann".into(), resolution: Some("done".into()), disposition: None, reason: None };
        IssueRow {
            issue: number,
            is: NewIssue {
                mailbox: Some(mailbox),
                kind: kind.into(),
                is_of_items: false,
                owner: String::new(),
                what: String::new(),
                action: String::new(),
                follows: None,
                seen_at: NOW - 60 * MINUTE,
            },
            state: if closed_at.is_some() { IssueState::Closed } else { IssueState::Open },
            assigned_to: None,
            seen: 1,
            opened_by: ITSELF.into(),
            opened_at: 0,
            changed_at: 0,
            end: closed_at.map(|at| (end, at)),
        }
    }

    fn decide(row: MailboxRow, facts: MailboxFacts, failed: &[FailedCause], issues: &[IssueRow]) -> String {
        let facts = HashMap::from([(row.mailbox, facts)]);
        let plan = plan(&[row], &facts, failed, issues, (NOW, AFTER), &|ms| format!("minute {}", ms / MINUTE));
        let mut text = Vec::new();
        text.extend(plan.open.iter().map(|new| {
            let follows = new.follows.map(|number| format!(" after {number}")).unwrap_or_default();
            format!("open {}{follows} of {}", new.kind, new.owner)
        }));
        text.extend(plan.see.iter().map(|(number, _, at)| format!("see {number} at {}", at / MINUTE)));
        text.extend(plan.resolve.iter().map(|(number, why)| format!("resolve {number}: {why}")));
        text.join("; ")
    }

    #[test]
    fn what_fails_is_an_issue_and_what_is_cured_is_none() {
        let waiting = || Condition::Waiting("it can't be reached".into());
        let parked = || Condition::Parked("the login was refused".into());
        let none = MailboxFacts::default;
        let ago = |minutes: i64| NOW - minutes * MINUTE;
        let open = || issue(3, 1, "login", None);
        let closed = |minutes| issue(3, 1, "login", Some(ago(minutes)));
        let word = Condition::Waiting("a word about 1 failed item".into());
        for (row, facts, issues, expected) in [
            (
                mailbox(1, Phase::Copying, parked(), Some(Cause::Login), ago(1)),
                failing(ago(1)),
                vec![],
                "open login of organisation",
            ),
            (mailbox(1, Phase::Copying, parked(), None, ago(1)), none(), vec![], "open parked of both"),
            (mailbox(1, Phase::Copying, waiting(), Some(Cause::Connection), ago(1)), failing(ago(29)), vec![], ""),
            (
                mailbox(1, Phase::Copying, waiting(), Some(Cause::Connection), ago(1)),
                failing(ago(30)),
                vec![],
                "open connection of organisation",
            ),
            (mailbox(1, Phase::Copying, waiting(), Some(Cause::Stopped), ago(60)), failing(ago(60)), vec![], ""),
            // It is there already, and was seen again.
            (
                mailbox(1, Phase::Copying, parked(), Some(Cause::Login), ago(5)),
                failing(ago(90)),
                vec![open()],
                "see 3 at 995",
            ),
            (mailbox(1, Phase::Copying, parked(), Some(Cause::Login), ago(60)), failing(ago(90)), vec![open()], ""),
            // A try in between ends nothing, a complete pass does.
            (mailbox(1, Phase::Copying, Condition::Running, None, ago(1)), failing(ago(90)), vec![open()], ""),
            (
                mailbox(1, Phase::InStep, Condition::Running, None, ago(2)),
                none(),
                vec![open()],
                "resolve 3: in step again since minute 998",
            ),
            (
                mailbox(1, Phase::Copying, word, None, ago(2)),
                none(),
                vec![open()],
                "resolve 3: copied whole again since minute 998",
            ),
            // It fails for another reason now: the first one is not known to be cured.
            (
                mailbox(1, Phase::Copying, parked(), Some(Cause::Tls), ago(1)),
                failing(ago(90)),
                vec![open()],
                "open tls of organisation",
            ),
            // Closed, and nothing new was seen; closed, and it is back.
            (mailbox(1, Phase::Copying, parked(), Some(Cause::Login), ago(60)), failing(ago(90)), vec![closed(10)], ""),
            (
                mailbox(1, Phase::Copying, parked(), Some(Cause::Login), ago(5)),
                failing(ago(90)),
                vec![closed(10)],
                "open login after 3 of organisation",
            ),
            // What a person set aside is no issue.
            (
                mailbox(1, Phase::Copying, parked(), Some(Cause::Login), ago(5)),
                MailboxFacts { set_aside: Some("mop-up".into()), ..failing(ago(90)) },
                vec![closed(10)],
                "",
            ),
            // What a person opened a person closes.
            (
                mailbox(1, Phase::InStep, Condition::Running, None, ago(2)),
                none(),
                vec![IssueRow { opened_by: "Ann".into(), ..open() }],
                "",
            ),
        ] {
            assert_eq!(decide(row.clone(), facts, &[], &issues), expected, "{row:?}");
        }
    }

    #[test]
    fn failed_items_are_an_issue_by_their_cause_until_all_have_a_word() {
        let row = || mailbox(1, Phase::Copying, Condition::Waiting("a word about 2 failed items".into()), None, NOW);
        let failed =
            |open, accepted, last_at| [FailedCause { mailbox: 1, cause: "too-large".into(), open, accepted, last_at }];
        let none = MailboxFacts::default;
        let of_items = || {
            let row = issue(4, 1, "too-large", None);
            IssueRow { is: NewIssue { is_of_items: true, ..row.is.clone() }, ..row }
        };
        assert_eq!(decide(row(), none(), &failed(2, 0, NOW), &[]), "open too-large of provider");
        assert_eq!(decide(row(), none(), &failed(2, 0, NOW), &[of_items()]), "see 4 at 1000");
        assert_eq!(
            decide(row(), none(), &failed(0, 2, NOW), &[of_items()]),
            "resolve 4: its failed items have a word: 2 items accepted"
        );
        assert_eq!(
            decide(row(), none(), &[], &[of_items()]),
            "resolve 4: its failed items were copied, or are gone from the source, by minute 1000"
        );
    }
}
