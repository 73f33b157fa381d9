//! What the commands about plans and accounts say.

use movement::state::counted;
use report::harmless;
use service::{
    AcceptReport, ApplyReport, MissingForwarder, PlanReport, RegistrationsReport, UnlockReport, WithdrawReport,
    classes_in_words,
};

use super::{SHOWN, more};

pub(super) fn planned(report: &PlanReport) -> String {
    let mut text = String::new();
    for line in report.lines.iter().take(SHOWN) {
        let mail = line.mail.as_deref().unwrap_or_default();
        put!(text, "{:7} {:9} {}  {mail}  {}", line.does, line.kind, line.name, line.what.join(", "));
    }
    more(&mut text, report.lines.len(), report.lines.len().min(SHOWN));
    for (name, why) in report.conflicts.iter().take(SHOWN) {
        put!(text, "CAN'T   {name}: {why}");
    }
    more(&mut text, report.conflicts.len(), report.conflicts.len().min(SHOWN));
    for (name, what) in report.by_hand.iter().take(SHOWN) {
        put!(text, "BY HAND {name}: {what}");
    }
    more(&mut text, report.by_hand.len(), report.by_hand.len().min(SHOWN));
    for (name, who, why) in report.unmapped.iter().take(SHOWN) {
        put!(text, "NOBODY  in {name}: {who}: {why}");
    }
    more(&mut text, report.unmapped.len(), report.unmapped.len().min(SHOWN));
    let created: Vec<String> = report.created.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let created = if created.is_empty() { "nothing".to_owned() } else { created.join(", ") };
    put!(
        text,
        "To make: {created}. To change: {}, of these to switch off: {}, on again: {}. Leavers: {}.",
        report.updated,
        report.disabled,
        report.enabled,
        report.left
    );
    let max = report.registrations_max.map_or_else(|| "no limit".to_owned(), |max| format!("of {max}"));
    put!(text, "Registrations: {} requested, {} used, {max}.", report.registrations, report.registrations_used);
    if report.lead_days > 0 {
        put!(text, "So many have to be asked for {} days beforehand.", report.lead_days);
    }
    if report.keeps_passwords {
        put!(
            text,
            "LOOK    the platform is not told that first passwords have to be changed: must_change of its directory"
        );
    }
    if report.later > 0 {
        put!(text, "{} more were not chosen, or need somebody who was not.", counted(report.later as u64, "change"));
    }
    put!(text, "{}", classes_in_words(&report.classes));
    if let Some(at) = report.as_of {
        put!(text, "It rests on the report of users that was written at {}.", report::moment(at));
    }
    if report.joiners > 0 {
        put!(text, "{} came after the cut-off date and are not planned: whimbrel people tasks", report.joiners);
    }
    match (report.plan, &report.approved_by) {
        (Some(plan), Some(by)) => put!(text, "Plan {plan} is approved by {by}. Carry it out: whimbrel people apply"),
        (Some(plan), None) => put!(
            text,
            "Plan {plan}. Approve it as it stands: whimbrel people plan --approve {plan} --digest {} --by NAME",
            &report.digest[..12.min(report.digest.len())]
        ),
        (None, _) if report.lines.is_empty() => text.push_str("Nothing is to be done.\n"),
        (None, _) => text.push_str("Nothing was kept: this was a dry run.\n"),
    }
    text
}

pub(super) fn withdrawn(report: &WithdrawReport) -> String {
    let mut text = String::new();
    let WithdrawReport { plan, by, done, not_done, .. } = report;
    put!(text, "Plan {plan} is withdrawn by {by}: {done} changes were made before, {not_done} are not made.");
    text
}

pub(super) fn applied(report: &ApplyReport) -> String {
    let mut text = String::new();
    for line in report.not_done.iter().take(SHOWN) {
        put!(text, "{:9} {}: {}", line.state, line.what, line.said.as_deref().unwrap_or_default());
    }
    more(&mut text, report.not_done.len(), report.not_done.len().min(SHOWN));
    for line in report.without.iter().take(SHOWN) {
        put!(text, "LOOK      {}: made {}", line.what, line.said.as_deref().unwrap_or_default());
    }
    more(&mut text, report.without.len(), report.without.len().min(SHOWN));
    put!(
        text,
        "Plan {} (approved by {}): {} of {} changes are made, {} of them now.",
        report.plan,
        report.approved_by,
        report.done,
        report.changes,
        report.done_now
    );
    lacking(&mut text, &report.missing);
    if let Some(submission) = &report.submission {
        if report.submitted_now {
            put!(
                text,
                "Submission {} to the portal has left: {}. Read its result back: whimbrel people results FILE --by NAME",
                submission.submission,
                submission.sent_to
            );
        } else {
            put!(text, "{}", submission.sentence());
        }
    }
    text
}

pub(super) fn accepted(report: &AcceptReport) -> String {
    let mut text = String::new();
    for (id, why) in report.refused.iter().take(SHOWN) {
        put!(text, "REFUSED  {id}: {why}");
    }
    more(&mut text, report.refused.len(), report.refused.len().min(SHOWN));
    for id in report.to_accept.iter().take(SHOWN) {
        put!(
            text,
            "ACCEPT   {id}: {}; a local administrator accepts it in the portal, then people sync",
            if report.exemption.is_empty() { "its forwarder is on" } else { "the reason is recorded" }
        );
    }
    more(&mut text, report.to_accept.len(), report.to_accept.len().min(SHOWN));
    if !report.to_make.is_empty() {
        let count = counted(report.to_make.len() as u64, "account");
        put!(text, "The reason is recorded for {count} to be made: people apply");
    }
    for (id, why) in report.without.iter().take(SHOWN) {
        put!(text, "LOOK     {id}: it is live, and its forwarder is not on: {why}");
    }
    more(&mut text, report.without.len(), report.without.len().min(SHOWN));
    if !report.forwarded.is_empty() {
        let count = counted(report.forwarded.len() as u64, "forwarder");
        put!(text, "{count} to the source put on and read back.");
    }
    put!(text, "{} live now; {} were before.", counted(report.live.len() as u64, "account"), report.were_live);
    text
}

/// Live new accounts that lack a forwarder and a reason.
pub(super) fn lacking(text: &mut String, missing: &[MissingForwarder]) {
    for one in missing.iter().take(SHOWN) {
        put!(text, "LOOK      {} ({}): live without a forwarder to the source: {}", one.name, one.id, one.why);
    }
    more(text, missing.len(), missing.len().min(SHOWN));
}

pub(super) fn unlocked(report: &UnlockReport) -> String {
    let mut text = String::new();
    let days = report.days.map_or_else(String::new, |days| format!(": {days} days from now on"));
    put!(text, "{} is unlocked, by {}{days}.", report.id, report.by);
    text
}

pub(super) fn registrations(report: &RegistrationsReport) -> String {
    let mut text = String::new();
    for raised in &report.raised {
        put!(text, "{}  set by {}: {}", raised.max, raised.by, raised.evidence);
    }
    match report.max {
        Some(max) => put!(text, "{} of {max} registrations are used.", report.used),
        None => put!(text, "{} registrations are used; there is no limit.", report.used),
    }
    text
}
