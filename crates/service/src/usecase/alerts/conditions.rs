//! What needs a person now, of what is known. Pure.
//!
//! Much of one sort at once is one alert, not thousands: mailboxes that are parked for one cause are told of together once they are more
//! than a few. What was told of alone stays so, until it is over.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::{Cause, Condition, Phase, Side};
use store::{MailboxRow, NewAlert, OldAddressRow, OldAddressState, ProgressRow, ReportRow, SwitchRow};

use crate::MissingForwarder;
use crate::usecase::telling::TRIES_BEFORE_ALERT;

/// So many mailboxes that are parked for one cause are told of one by one; more are told of together.
const ALONE_MAX: usize = 5;
/// So many names are told of those that are told of together.
const NAMES_MAX: usize = 5;

/// What an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlertKind {
    /// Mailboxes of a collection are due, and none of them gets on.
    CollectionStalled,
    /// A server can't be reached.
    EndpointAway,
    /// The mailbox of somebody important waits or is parked.
    VipFailed,
    /// A mailbox needs a person.
    MailboxParked,
    /// Many need a person for one cause.
    MailboxesParked,
    /// A switch takes long: its person's mail is on its way between both sides.
    SwitchLasts,
    /// A switch was reversed by itself.
    SwitchReversed,
    /// Legacy addresses receive for a few days more only.
    LegacyEnds,
    /// Somebody's date is within a week, and they have not logged in on the target yet.
    NotActivated,
    /// The source forwards switched people's mail for a few days more only, or for longer than it should.
    ForwardingEnds,
    /// Somebody who is switched lacks an old address on the target.
    AddressesMissing,
    /// What a switched person set up at the target sends their mail back to the source.
    MailSentBack,
    /// The redirect of somebody who is switched is not there any more.
    RedirectGone,
    /// The MX records of a legacy domain lead to the target, and somebody of it is not switched.
    MxTooEarly,
    /// A new account is live with neither a forwarder to the source nor a recorded reason.
    ForwarderMissing,
    /// A report can't be sent.
    ReportUnsent,
    /// Many items failed within an hour.
    ManyFailures,
    /// A risk threatens a date of the project: the other side is told as well.
    DateAtRisk,
}

impl AlertKind {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CollectionStalled => "collection-stalled",
            Self::EndpointAway => "endpoint-away",
            Self::VipFailed => "vip-failed",
            Self::MailboxParked => "mailbox-parked",
            Self::MailboxesParked => "mailboxes-parked",
            Self::SwitchLasts => "switch-lasts",
            Self::SwitchReversed => "switch-reversed",
            Self::LegacyEnds => "legacy-addresses-end",
            Self::NotActivated => "not-activated",
            Self::ForwardingEnds => "forwarding-ends",
            Self::AddressesMissing => "addresses-missing",
            Self::MailSentBack => "mail-sent-back",
            Self::RedirectGone => "redirect-gone",
            Self::MxTooEarly => "mx-too-early",
            Self::ForwarderMissing => "forwarder-missing",
            Self::ReportUnsent => "report-unsent",
            Self::ManyFailures => "many-failures",
            Self::DateAtRisk => "date-at-risk",
        }
    }

    /// The alert of this kind about this.
    pub(crate) fn about(self, about: impl Into<String>, what: impl Into<String>) -> NewAlert {
        NewAlert { kind: self.name().to_owned(), about: about.into(), what: what.into() }
    }
}

/// The alerts that are open: kinds, and what each is about.
pub(super) type Open = BTreeSet<(String, String)>;

fn is_open(open: &Open, kind: AlertKind, about: &str) -> bool {
    open.contains(&(kind.name().to_owned(), about.to_owned()))
}

/// Mailboxes that are parked; and those of important people that don't get on for whatever cause.
pub(super) fn mailboxes(rows: &[MailboxRow], vips: &BTreeSet<i64>, open: &Open) -> Vec<NewAlert> {
    let mut found = Vec::new();
    let mut together = BTreeMap::<&'static str, Vec<&MailboxRow>>::new();
    for row in rows.iter().filter(|row| row.listed) {
        let name = row.roster.source_name.as_str();
        let said = |reason: &str| format!("{name}: {reason}");
        match &row.state.condition {
            Condition::Running => {}
            Condition::Waiting(reason) | Condition::Parked(reason)
                if vips.contains(&row.mailbox) && row.state.cause.is_some_and(|(cause, _)| cause != Cause::Stopped) =>
            {
                found.push(AlertKind::VipFailed.about(name, said(reason)));
            }
            Condition::Parked(reason) if is_open(open, AlertKind::MailboxParked, name) => {
                found.push(AlertKind::MailboxParked.about(name, said(reason)));
            }
            Condition::Parked(_) => {
                let cause = row.state.cause.map_or("other", |(cause, _)| cause.code());
                together.entry(cause).or_default().push(row);
            }
            Condition::Waiting(_) => {}
        }
    }
    for (cause, rows) in together {
        if rows.len() > ALONE_MAX || is_open(open, AlertKind::MailboxesParked, cause) {
            let names: Vec<&str> = rows.iter().take(NAMES_MAX).map(|row| row.roster.source_name.as_str()).collect();
            let more = if rows.len() > NAMES_MAX { ", …" } else { "" };
            let advice = Cause::from_code(cause).map_or("see whimbrel status", Cause::advice);
            let what = format!(
                "{} need a person ({cause}): {}{more}. {advice}",
                count(rows.len() as u64, "mailbox"),
                names.join(", ")
            );
            found.push(AlertKind::MailboxesParked.about(cause, what));
        } else {
            found.extend(rows.iter().map(|row| {
                let (name, reason) = (&row.roster.source_name, row.state.condition.reason().unwrap_or_default());
                AlertKind::MailboxParked.about(name, format!("{name}: {reason}"))
            }));
        }
    }
    found
}

/// So many days before their date it is told who has not logged in yet.
const ACTIVATED_DAYS_BEFORE: i64 = 7;
const DAY_MS: i64 = 86_400_000;

/// Who is to be switched within a week and has not logged in on the target, day by day, while that can still be cured.
pub(super) fn not_activated(
    rows: &[MailboxRow],
    dates: &BTreeMap<i64, i64>,
    now: Timestamp,
    zone: &TimeZone,
) -> Vec<NewAlert> {
    let at = now.as_millisecond();
    let mut days: BTreeMap<Date, Vec<&str>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.state.phase < Phase::Switching && row.roster.activated == Some(false)) {
        let Some(date) = dates.get(&row.mailbox).filter(|date| **date - at <= ACTIVATED_DAYS_BEFORE * DAY_MS) else {
            continue;
        };
        let Ok(date) = Timestamp::from_millisecond(*date) else { continue };
        days.entry(date.to_zoned(zone.clone()).date()).or_default().push(&row.roster.source_name);
    }
    let told = days.into_iter().map(|(day, names)| {
        let some = names.iter().take(NAMES_MAX).copied().collect::<Vec<_>>().join(", ");
        let more = if names.len() > NAMES_MAX { ", …" } else { "" };
        let people = count(names.len() as u64, "mailbox");
        let what = format!(
            "{people} to be switched on {day} whose person has not logged in on the target: {some}{more}. Remind them; without it they wait"
        );
        AlertKind::NotActivated.about(format!("the switches of {day}"), what)
    });
    told.collect()
}

/// Switches that have been under way for so many minutes, and those that were reversed by themselves: each is told of alone, since
/// somebody waits for their mail.
pub(super) fn switching(rows: &[MailboxRow], switches: &[SwitchRow], minutes: i64, at: i64) -> Vec<NewAlert> {
    let mut found = Vec::new();
    for switch in switches {
        let Some(row) = rows.iter().find(|row| row.mailbox == switch.mailbox) else { continue };
        let name = row.roster.source_name.as_str();
        match switch.ended {
            None if at.saturating_sub(switch.since) >= minutes * 60_000 => {
                let why = switch.waits.as_deref().unwrap_or("nobody works on it: see whether the service is at work");
                let what =
                    format!("the switch of {name} has been at {} for more than {minutes} minutes: {why}", switch.task);
                found.push(AlertKind::SwitchLasts.about(name, what));
            }
            Some((_, false)) if switch.taken_back_by.is_none() => {
                let what = format!(
                    "the switch of {name} could not be done and was reversed; it is tried again. whimbrel switch show tells why"
                );
                found.push(AlertKind::SwitchReversed.about(name, what));
            }
            _ => {}
        }
    }
    found
}

/// People who are switched and lack old addresses on the target, which is where their mail is to come once the MX records have moved.
pub(super) fn addresses_missing(rows: &[MailboxRow], addresses: &[OldAddressRow]) -> Vec<NewAlert> {
    let mut by_mailbox = BTreeMap::<i64, Vec<String>>::new();
    // One that could not be written may be there or not.
    let is_missing = |one: &&OldAddressRow| match one.state {
        OldAddressState::Missing => true,
        OldAddressState::Coming => one.why.is_some(),
        _ => false,
    };
    for one in addresses.iter().filter(is_missing) {
        let why = one.why.as_deref().unwrap_or("not known");
        by_mailbox.entry(one.mailbox).or_default().push(format!("{} ({why})", one.address));
    }
    let alert = |(mailbox, missing): (i64, Vec<String>)| {
        let row = rows.iter().find(|row| row.mailbox == mailbox && row.state.phase >= Phase::Switched)?;
        let name = row.roster.source_name.as_str();
        let what = format!(
            "{name} is switched, and the account at the target lacks {}. Mail comes by the redirect meanwhile; it is tried again",
            missing.join(", ")
        );
        Some(AlertKind::AddressesMissing.about(name, what))
    };
    by_mailbox.into_iter().filter_map(alert).collect()
}

/// New accounts that are live without a forwarder to the source and without a recorded reason, together: what comes to them lies where nobody
/// looks.
pub(super) fn forwarders_missing(missing: &[MissingForwarder]) -> Option<NewAlert> {
    let first = missing.first()?;
    let names: Vec<&str> = missing.iter().take(NAMES_MAX).map(|one| one.name.as_str()).collect();
    let more = if missing.len() > NAMES_MAX { ", …" } else { "" };
    let what = format!(
        "{} live with neither a forwarder to the source nor a recorded reason: {}{more}. What comes there meanwhile lies where nobody \
         looks. The first: {}. See whimbrel forwarder list --missing.",
        count(missing.len() as u64, "new account"),
        names.join(", "),
        first.why
    );
    Some(AlertKind::ForwarderMissing.about("accounts", what))
}

fn count(number: u64, noun: &str) -> String {
    movement::state::counted(number, noun)
}

/// Where a server stands: when it was last seen at work, if mailboxes wait for it.
pub(super) struct Reachable {
    /// Mailboxes that wait for it.
    pub(super) waiting: u64,
    /// What one of them waits for.
    pub(super) reason: String,
    /// When a mailbox of its was last read to its end.
    pub(super) worked_at: Option<i64>,
}

/// The endpoints that mailboxes wait for since they can't be reached.
pub(super) fn unreachable(rows: &[MailboxRow]) -> BTreeMap<i64, Reachable> {
    let mut found = BTreeMap::<i64, Reachable>::new();
    for row in rows.iter().filter(|row| row.listed) {
        let Condition::Waiting(reason) = &row.state.condition else { continue };
        let Some((Cause::Connection | Cause::Unavailable | Cause::Tls, Some(side))) = row.state.cause else { continue };
        let endpoint = match side {
            Side::Source => row.roster.source_endpoint,
            Side::Target => row.roster.target_endpoint,
        };
        let of = || Reachable { waiting: 0, reason: reason.clone(), worked_at: None };
        found.entry(endpoint).or_insert_with(of).waiting += 1;
    }
    for row in rows.iter().filter(|row| row.listed) {
        for endpoint in [row.roster.source_endpoint, row.roster.target_endpoint] {
            if let Some(of) = found.get_mut(&endpoint) {
                of.worked_at = of.worked_at.max(row.pass.map(|(_, ended)| ended));
            }
        }
    }
    found
}

/// A collection that stands still since then.
pub(super) fn stalled(row: &ProgressRow, minutes: i64) -> NewAlert {
    let name = row.collection.as_deref().unwrap_or("(in none)");
    let what = format!(
        "{} of the collection {name} {} due, and for {minutes} minutes none was read to its end and nothing was copied. See whimbrel \
         status, and whether the service and its workers are at work.",
        count(row.due, "mailbox"),
        if row.due == 1 { "is" } else { "are" }
    );
    AlertKind::CollectionStalled.about(name, what)
}

/// A server that could not be reached for so long.
pub(super) fn away(name: &str, of: &Reachable, minutes: i64) -> NewAlert {
    let what = format!(
        "{name} could not be reached for {minutes} minutes: {} wait. {}",
        count(of.waiting, "mailbox"),
        of.reason
    );
    AlertKind::EndpointAway.about(name, what)
}

/// Items that failed for the first time within an hour, by class, if they are more than so many.
pub(super) fn failures(classes: &[(String, u64, u64)], max: u64) -> Option<NewAlert> {
    let all: u64 = classes.iter().map(|(_, items, _)| items).sum();
    let parts = classes.iter().map(|(cause, items, mailboxes)| {
        format!("{} {cause} in {}", report::grouped(*items), count(*mailboxes, "mailbox"))
    });
    let parts: Vec<String> = parts.collect();
    let what = format!(
        "{} failed for the first time within an hour: {}. See whimbrel report failed.",
        count(all, "item"),
        parts.join("; ")
    );
    (all > max).then(|| AlertKind::ManyFailures.about("project", what))
}

/// Reports that can't be sent to people who are to have them (`to`): those of which no later one reached the same person. The newest come
/// first.
pub(super) fn unsent(reports: &[ReportRow], to: &[String]) -> Vec<NewAlert> {
    let (mut reached, mut found) = (BTreeSet::new(), BTreeMap::<&str, (&str, Vec<&str>, &str)>::new());
    for report in reports {
        for letter in &report.letters {
            let of = (report.kind.as_str(), letter.whom.as_str());
            if letter.sent_at.is_some() {
                reached.insert(of);
            } else if to.contains(&letter.whom) && letter.tries >= TRIES_BEFORE_ALERT && reached.insert(of) {
                let said = letter.said.as_deref().unwrap_or("it is not known why");
                let (_, whom, _) = found.entry(&report.kind).or_insert((&report.day, Vec::new(), said));
                whom.push(&letter.whom);
            }
        }
    }
    let alert = |(kind, (day, whom, said)): (&str, (&str, Vec<&str>, &str))| {
        let what = format!("The report {kind} about {day} could not be sent to {}: {said}", whom.join(", "));
        AlertKind::ReportUnsent.about(kind, what)
    };
    found.into_iter().map(alert).collect()
}

#[cfg(test)]
mod tests {
    use model::{MailboxKind, Phase};
    use store::{LetterRow, MailboxState, RosterRow};

    use super::*;

    fn row(mailbox: i64, condition: Condition, cause: Option<(Cause, Option<Side>)>) -> MailboxRow {
        MailboxRow {
            mailbox,
            roster: RosterRow {
                source_endpoint: 1,
                source_name: format!("p{mailbox:02}"),
                target_endpoint: 2,
                target_name: "x".to_owned(),
                name: None,
                kind: MailboxKind::Person,
                collection: None,
                target_in_use: false,
                new_account: true,
                activated: None,
                in_books: None,
            },
            listed: true,
            state: MailboxState { phase: Phase::Copying, condition, cause },
            since: 0,
            source_store: None,
            target_store: None,
            bytes_proved: 0,
            bytes_not_kept: 0,
            pass: None,
            freeze: store::Freeze::Never,
            is_held: false,
            is_taken: false,
            sharing: None,
        }
    }

    fn parked(count: i64) -> Vec<MailboxRow> {
        let login = Some((Cause::Login, Some(Side::Source)));
        (0..count).map(|number| row(number, Condition::Parked("no login".to_owned()), login)).collect()
    }

    fn names(found: &[NewAlert]) -> Vec<(&str, &str)> {
        found.iter().map(|alert| (alert.kind.as_str(), alert.about.as_str())).collect()
    }

    #[test]
    fn a_few_are_told_of_one_by_one_and_many_together() {
        let (nobody, none) = (BTreeSet::new(), Open::new());
        assert_eq!(
            names(&mailboxes(&parked(2), &nobody, &none)),
            [("mailbox-parked", "p00"), ("mailbox-parked", "p01")]
        );
        let many = mailboxes(&parked(4_000), &nobody, &none);
        assert_eq!(names(&many), [("mailboxes-parked", "login")]);
        assert!(
            many[0].what.starts_with("4,000 mailboxes need a person (login): p00, p01, p02, p03, p04, …"),
            "{many:?}"
        );
        // Who was told of alone stays so; what was told of together, too, when only a few are left.
        let alone = Open::from([("mailbox-parked".to_owned(), "p01".to_owned())]);
        assert_eq!(
            names(&mailboxes(&parked(7), &nobody, &alone)),
            [("mailbox-parked", "p01"), ("mailboxes-parked", "login")]
        );
        let together = Open::from([("mailboxes-parked".to_owned(), "login".to_owned())]);
        assert_eq!(names(&mailboxes(&parked(1), &nobody, &together)), [("mailboxes-parked", "login")]);
        let mut unlisted = parked(1);
        unlisted[0].listed = false;
        assert!(mailboxes(&unlisted, &nobody, &none).is_empty());
    }

    #[test]
    fn somebody_important_is_told_of_at_once_even_while_it_may_pass() {
        let wait = |mailbox, cause| row(mailbox, Condition::Waiting("no answer".to_owned()), cause);
        let away = Some((Cause::Connection, Some(Side::Target)));
        let rows = [wait(1, away), wait(2, away), wait(3, None)];
        assert_eq!(names(&mailboxes(&rows, &BTreeSet::from([2, 3]), &Open::new())), [("vip-failed", "p02")]);
        let rows = parked(8);
        let found = mailboxes(&rows, &BTreeSet::from([4]), &Open::new());
        assert_eq!(names(&found), [("vip-failed", "p04"), ("mailboxes-parked", "login")]);
    }

    #[test]
    fn a_server_that_others_still_reach_is_seen_at_work() {
        let wait = |mailbox, cause| row(mailbox, Condition::Waiting("no answer".to_owned()), cause);
        let mut rows = vec![
            wait(1, Some((Cause::Connection, Some(Side::Target)))),
            wait(2, Some((Cause::Unavailable, Some(Side::Target)))),
            wait(3, Some((Cause::OverQuota, Some(Side::Target)))),
            wait(4, Some((Cause::Connection, None))),
            row(5, Condition::Running, None),
        ];
        rows[4].pass = Some((10, 20));
        let found = unreachable(&rows);
        assert_eq!(found.keys().collect::<Vec<_>>(), [&2]);
        assert_eq!((found[&2].waiting, found[&2].worked_at), (2, Some(20)));
    }

    #[test]
    fn many_failures_are_one_alert() {
        let classes = [("nul".to_owned(), 3_990, 12), ("too-large".to_owned(), 10, 1)];
        assert_eq!(failures(&classes, 4_000), None);
        let found = failures(&classes, 100).unwrap();
        assert_eq!(
            found.what,
            "4,000 items failed for the first time within an hour: 3,990 nul in 12 mailboxes; 10 too-large in 1 mailbox. \
             See whimbrel report failed."
        );
        assert_eq!(failures(&[], 0), None);
    }

    #[test]
    fn a_report_counts_as_unsent_until_a_later_one_reaches_the_same_person() {
        let letter = |whom: &str, tries, sent_at| LetterRow {
            whom: whom.to_owned(),
            message_id: "x".to_owned(),
            begun_at: None,
            sent_at,
            tries,
            try_at: 0,
            said: Some("closed".to_owned()),
        };
        let report = |report, kind: &str, letters| ReportRow {
            report,
            kind: kind.to_owned(),
            day: format!("2026-11-{report}"),
            due_at: Some(0),
            made_at: 0,
            letters,
        };
        let old = report(20, "failed", vec![letter("ann", 3, None), letter("bob", 9, None), letter("cyd", 2, None)]);
        let to = ["ann", "bob", "cyd"].map(str::to_owned);
        assert_eq!(
            unsent(std::slice::from_ref(&old), &to),
            [AlertKind::ReportUnsent
                .about("failed", "The report failed about 2026-11-20 could not be sent to ann, bob: closed")]
        );
        let new = report(21, "failed", vec![letter("ann", 1, Some(5)), letter("bob", 1, None)]);
        let other = report(22, "overall", vec![letter("bob", 1, Some(5))]);
        let reports = [other, new, old];
        let found = unsent(&reports, &to);
        assert_eq!((found.len(), found[0].what.contains("to bob:")), (1, true), "{found:?}");
        assert_eq!(unsent(&reports, &to[..1]), [], "bob is to have none any more");
    }
}
