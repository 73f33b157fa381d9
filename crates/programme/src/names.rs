//! The names that a profile may use and that code must know: what the system sees, checks, keeps and makes.
//!
//! A profile says what a gate asks; how a fact is found out is code. These tables are where the two meet: a name that
//! stands in no table is a mistake of the profile, told before anything rests on it.

/// What the system itself knows, as criteria may ask it: name and meaning. The service computes each; the last ones and
/// `applications-resolved` are known from the project's own record.
pub const FACTS: [(&str, &str); 28] = [
    ("new-accounts-provisioned", "Every new account in scope is there (R-060)."),
    ("pilot-accounts-provisioned", "Every new account of the people of the pilot is there."),
    ("registration-limit-requested", "The limit of registrations was asked for the whole project (R-063)."),
    ("pilot-share", "So many people of all are named for the pilot as the profile says, or it was decided otherwise."),
    ("pilot-checks-complete", "Every person of the pilot answered every check of the pilot (R-146)."),
    ("pilot-issues-have-actions", "No open issue of the pilot is without an agreed action (R-148)."),
    ("all-in-scope-through-switch", "Everything in scope is switched or has a disposition (R-255)."),
    (
        "forwarders-f1-f2-gone",
        "None forwards from a new account back, and none that was there before forwards on (A-05).",
    ),
    (
        "forwarders-only-after-mx",
        "What forwards from a switched mailbox ends only after its domain's mail exchanger changed (A-05).",
    ),
    (
        "issues-resolved-or-handed-over",
        "No issue is undecided: each is resolved, or handed over with an owner (R-232, R-249).",
    ),
    ("addresses-matched", "Every person in scope is matched, or known to be new."),
    ("quota-checked", "Every mailbox in scope is strictly below its quota, or has a disposition (R-105, R-106)."),
    ("attachments-checked", "Every mailbox in scope was looked through for banned attachments (R-107)."),
    ("sizes-checked", "Every mailbox in scope was looked through for items that are too large (R-107)."),
    ("source-reachable", "Every source was reached with the rights that are needed."),
    ("target-reachable", "Every target was reached with the rights that are needed."),
    ("reports-set-up", "The regular reports have their times and receivers (R-226)."),
    (
        "mx-changed",
        "The mail exchanger of every legacy domain in scope is changed, or it was decided not to (R-236, R-239).",
    ),
    (
        "people-switched",
        "Every person in scope is switched, or stays behind by a decision and not for the mop-up (R-256).",
    ),
    ("applications-resolved", "No application is unresolved (R-028)."),
    ("licences-cover-scope", "There are at least as many licences as mailboxes in scope (R-122)."),
    ("directory-sync-handed-over", "Synchronisation of the directory is handed over, where there is one (R-245)."),
    ("key-roles-filled", "Somebody holds each key role of the sides that take part (R-275)."),
    ("escalation-complete", "There is a contact of each side, with its place in the escalation (R-277)."),
    ("numbers-confirmed", "The number of accounts is confirmed (R-013)."),
    ("months-planned", "New accounts are planned by month, and sum to what is needed (R-131)."),
    ("type-chosen", "The type of the project is chosen (R-016)."),
    ("workshop-closed", "A workshop was closed, and with it each task had an owner and a forecast (R-095)."),
];

/// What may be decided besides what is in place of a fact or a check, as rows of `decisions` may name it: name and meaning.
pub const DECISIONS: [(&str, &str); 3] = [
    ("pilot-copied", "Mail of the pilot's people is there, though it was not this program that copied it."),
    ("pilot-switched", "People of the pilot work on the target, though it was not this program that switched them."),
    (
        "pilot-leave",
        "Somebody leaves the pilot who has not checked everything or for whom something did not pass: `pilot-leave/PERSON`.",
    ),
];

/// What the system checks by itself, as tasks may name it: name and meaning. A check writes its result, with
/// the rows that offend, as evidence of the task.
pub const CHECKS: [(&str, &str); 7] = [
    ("formats", "The lists of people, groups and mailboxes can be read and say nothing twice."),
    ("source-reachable", "Every source answers, with the rights that are needed."),
    ("target-reachable", "Every target answers, with the rights that are needed."),
    ("quota-checked", "Mailboxes that reach their quota are listed."),
    ("sizes-checked", "Items that are too large are listed."),
    ("attachments-checked", "Items with banned attachments are listed."),
    ("addresses-matched", "People who match nobody, or more than one, are listed."),
];

/// Documents that are made of the record, as deliverables may name them: name and meaning.
pub const DOCUMENTS: [(&str, &str); 14] = [
    ("implementation-plan", "Dates, scope, deliverables and criteria; as a draft and for signature (R-133)."),
    ("readiness-checklist", "Every task with owner, forecast, state and evidence (R-087)."),
    ("confirmation-of-readiness", "That implementation may begin (R-110)."),
    ("beta-notice", "That the beta test succeeded (R-140)."),
    ("go-no-go-pack", "What the call on go or no-go looks at (R-150)."),
    ("go-no-go-confirmation", "What was decided, and by whom (R-150)."),
    ("rfc-package", "The request for change with all its parts (R-124)."),
    ("board-pack", "What the board of the month looks at (R-276)."),
    ("highlight-report", "Where the project stands, on one page."),
    ("work-off-plan", "Issues that stay open after live, each with owner and date (R-232)."),
    ("service-readiness", "Deliverables of the contract: when, and accepted by whom (R-242)."),
    ("post-project-report", "What was done, and what is still to do (R-248)."),
    ("lessons", "What was learned, without the organisation's name (R-243)."),
    ("decommission-plan", "When which server goes, and what stands against it (R-247)."),
];

/// Registers of a project, as criteria may name them: name and meaning.
pub const REGISTERS: [(&str, &str); 21] = [
    ("risks", "What may go wrong (R-286)."),
    ("issues", "What went wrong (R-228)."),
    ("technical-issues", "What went wrong with machines and programs, apart from risks (R-289)."),
    ("decisions", "What was decided, by whom and why."),
    ("changes", "What is asked to be otherwise than agreed (R-280)."),
    ("lessons", "What was learned (R-243, R-288)."),
    ("policies", "Local rules with their owner and approval (R-111)."),
    ("applications", "Programs that use mail, with owner, protocol and state (R-028)."),
    ("calls", "Calls that were held (R-094, R-270)."),
    ("boards", "Meetings of the board (R-276)."),
    ("contacts", "Whom to turn to, and to whom next (R-277)."),
    ("benefits", "What the project is to bring, from its first value on (R-027)."),
    ("training", "Who is taught what, and what it needs (R-313)."),
    ("orders", "What was ordered of the catalogue (R-340)."),
    ("workshops", "Workshops, after which each task has an owner and a forecast (R-095)."),
    ("on-site", "Days on which somebody comes (R-093)."),
    ("barriers", "What stands against a date (R-015)."),
    ("questions", "What was asked, and when it was answered (R-094)."),
    ("desk-calls", "Calls that the service desk got in a week, by category, and in an ordinary one (R-320)."),
    ("known-issues", "What people call about that is known, and what to say to them (R-320)."),
    ("desk-staff", "People of the service desk who are planned besides the usual ones, from which day on (R-315)."),
];

/// What may be done live, as stages may allow it: name and meaning.
pub const LIVE: [(&str, &str); 8] = [
    ("provision-accounts", "Accounts are made."),
    ("sync-pilot", "Mail of the pilot's people is copied."),
    ("sync-bulk", "Mail of everybody is copied."),
    ("forwarders-on", "Forwarders are set."),
    ("switch-pilot", "People of the pilot are switched."),
    ("switch", "People are switched."),
    ("change-mx", "The mail exchanger of a domain is changed."),
    ("decommission", "Old servers are taken away."),
];

/// Units of constants.
pub const UNITS: [&str; 13] = [
    "bytes",
    "calls",
    "days",
    "hours",
    "minutes",
    "months",
    "people",
    "per-million",
    "percent",
    "thousandths",
    "weeks",
    "working-days",
    "gigabytes",
];

/// Constants without which no programme can be worked with: name and unit.
pub const NEEDED: [(&str, &str); 22] = [
    ("managed-over", "people"),
    ("order-deadline", "days"),
    ("contract-advice", "days"),
    ("rfc-notice", "working-days"),
    ("accounts-over", "people"),
    ("accounts-extra", "days"),
    ("validation", "working-days"),
    ("plan-sign-off", "days"),
    ("log-stale", "days"),
    ("call-every", "days"),
    ("board-every", "months"),
    ("pilot-share-least", "percent"),
    ("pilot-share-most", "percent"),
    ("people-a-week", "people"),
    ("calls-more-least", "percent"),
    ("calls-more-most", "percent"),
    ("calls-tail", "weeks"),
    ("calls-an-agent", "calls"),
    ("decommission-after", "months"),
    ("legacy-addresses", "months"),
    ("benefits-after-least", "months"),
    ("benefits-after-most", "months"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{BUILT_IN, Live, Register};

    fn names(table: &[(&'static str, &str)]) -> BTreeSet<&'static str> {
        table.iter().map(|(name, _)| *name).collect()
    }

    #[test]
    fn each_name_stands_once_with_a_sentence() {
        for table in [&FACTS[..], &CHECKS[..], &DECISIONS[..], &DOCUMENTS[..], &REGISTERS[..], &LIVE[..]] {
            assert_eq!(names(table).len(), table.len());
            assert!(table.iter().all(|(_, what)| what.ends_with('.')), "{table:?}");
        }
        assert!(NEEDED.iter().all(|(_, unit)| UNITS.contains(unit)));
    }

    #[test]
    fn what_profiles_may_name_is_what_the_engine_knows() {
        assert_eq!(names(&LIVE), Live::NAMES.into());
        assert!(names(&BUILT_IN).is_subset(&names(&FACTS)));
        let mut registers: BTreeSet<&str> = Register::EVERY.iter().map(|register| register.name()).collect();
        registers.extend(["issues", "decisions"]);
        assert_eq!(names(&REGISTERS), registers);
        for name in [
            crate::constant::ORDER,
            crate::constant::CONTRACT,
            crate::constant::CHANGE_REQUEST,
            crate::constant::ACCOUNTS_OVER,
            crate::constant::ACCOUNTS_EXTRA,
            crate::constant::SIGNATURE,
            crate::constant::VALIDATION,
            crate::constant::DECOMMISSION,
            crate::constant::BENEFITS_FROM,
            crate::constant::BENEFITS_TO,
            crate::constant::LEGACY,
            crate::constant::STALE,
            crate::constant::CALL,
            crate::constant::BOARD,
        ] {
            assert!(NEEDED.iter().any(|(known, _)| *known == name), "{name}");
        }
    }
}
