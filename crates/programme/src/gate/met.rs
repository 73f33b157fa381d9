//! By what one criterion is met: one case for each kind.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Fact, Facts, day_of, is_no};
use crate::data::{Criterion, MetBy, Side};
use crate::pilot::{no_to_share, pilot, taken_back};
use crate::readiness::pre_requisites_open;
use crate::record::{Row, Sureness, Verdict};
use crate::register::{Register, state_of};
use crate::scope::{Scope, Task, TaskState, each_once, side_name};

/// Whether a criterion is met, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Is it met?
    pub(crate) is_met: bool,
    /// Does a no stand against it?
    pub(crate) is_refused: bool,
    /// What it is met by, or what was seen instead.
    pub(crate) by: String,
    /// When that was read, where the system read it; none where it stands in the record.
    pub(crate) as_of: Option<Timestamp>,
    /// Would the system have to read something, and never did?
    pub(crate) is_never_read: bool,
}

impl Finding {
    fn yes(by: impl Into<String>) -> Self {
        Self { is_met: true, is_refused: false, by: by.into(), as_of: None, is_never_read: false }
    }

    fn not_yet(by: impl Into<String>) -> Self {
        Self { is_met: false, is_refused: false, by: by.into(), as_of: None, is_never_read: false }
    }

    fn no(by: impl Into<String>) -> Self {
        Self { is_met: false, is_refused: true, by: by.into(), as_of: None, is_never_read: false }
    }
}

/// Facts that the record itself knows, with their meaning; nobody has to pass them in.
pub const BUILT_IN: [(&str, &str); 9] = [
    ("pilot-share", "So many people of all are named for the pilot as the profile says, or it was decided otherwise."),
    ("pilot-checks-complete", "Every person of the pilot answered every check of the pilot (R-146)."),
    ("applications-resolved", "No application is unresolved (R-028)."),
    ("key-roles-filled", "Somebody holds each key role of the sides that take part (R-275)."),
    ("escalation-complete", "There is a contact of each side, with its place in the escalation (R-277)."),
    ("numbers-confirmed", "The number of accounts is confirmed (R-013)."),
    ("months-planned", "New accounts are planned by month, and sum to what is needed (R-131)."),
    ("type-chosen", "The type of the project is chosen (R-016)."),
    ("workshop-closed", "A workshop was closed, and with it each task had an owner and a forecast (R-095)."),
];

pub(crate) fn met(scope: &Scope<'_>, facts: &Facts, criterion: &Criterion, today: Date) -> Finding {
    match &criterion.met_by {
        MetBy::Fact(name) => fact(scope, facts, name, today),
        MetBy::Deliverable(id) => deliverable(scope, id),
        MetBy::Task(id) => task(scope, facts, id),
        MetBy::Prerequisites(role) => prerequisites(scope, facts, criterion, role),
        MetBy::Filled(roles) => filled(scope, roles),
        MetBy::SignedBy(roles) => signed(scope, criterion, roles),
        MetBy::Field(field) => answered(scope, field),
        MetBy::Form(id) => form(scope, id),
        MetBy::Decision(name) => decision(scope, name),
        MetBy::Register(name) => register(scope, facts, name, today),
        MetBy::Sides(sides) => sides_said(scope, criterion, sides),
    }
}

fn fact(scope: &Scope<'_>, facts: &Facts, name: &str, today: Date) -> Finding {
    if let Some(met) = built_in(scope, facts, name, today) {
        return met;
    }
    let Some(fact) = facts.facts.get(name) else {
        return Finding::not_yet(format!("nothing is known yet of {name:?}"));
    };
    Finding { as_of: fact.as_of, is_never_read: fact.as_of.is_none(), ..of_fact(fact) }
}

fn of_fact(fact: &Fact) -> Finding {
    let text = match fact.as_of {
        Some(at) => format!("{} (as of {})", fact.text, day_of(at)),
        None => format!("{} (never read)", fact.text),
    };
    if fact.is_met {
        return Finding::yes(text);
    }
    if fact.decided == Some(Verdict::No) {
        return Finding::no(format!("no: {text}"));
    }
    match fact.offenders.as_slice() {
        [] => Finding::not_yet(text),
        [one] => Finding::not_yet(format!("{text}: {one}")),
        [one, others @ ..] => Finding::not_yet(format!("{text}: {one} and {} more", others.len())),
    }
}

fn built_in(scope: &Scope<'_>, facts: &Facts, name: &str, today: Date) -> Option<Finding> {
    let record = scope.record;
    Some(match name {
        "applications-resolved" => {
            let state = state_of(scope.programme, record, Register::Applications, today);
            match state.against() {
                None => Finding::yes(state.text()),
                Some(against) => Finding::not_yet(against),
            }
        }
        "key-roles-filled" => {
            let unfilled = crate::readiness::unfilled_key_roles(scope);
            if unfilled.is_empty() {
                Finding::yes("each key role has a holder")
            } else {
                Finding::not_yet(format!("nobody holds {}", unfilled.join(", ")))
            }
        }
        "escalation-complete" => {
            let here: BTreeSet<&str> = record.rows_of(Register::Contacts).filter_map(|row| row.field("side")).collect();
            let sides = scope.project_type.sides.iter();
            let missing: Vec<_> = sides.map(|side| side_name(*side)).filter(|side| !here.contains(side)).collect();
            if missing.is_empty() {
                Finding::yes("each side has a contact")
            } else {
                Finding::not_yet(format!("no contact of the {}", missing.join(", ")))
            }
        }
        "pilot-share" => pilot_share(scope),
        "pilot-checks-complete" => pilot_checks(scope, facts),
        "numbers-confirmed" => match record.numbers.get(&Sureness::Confirmed).and_then(|given| given.last()) {
            Some(numbers) => Finding::yes(format!(
                "{} existing and {} new accounts, confirmed by {} on {}",
                numbers.existing,
                numbers.new,
                numbers.said.who,
                day_of(numbers.said.at)
            )),
            None => Finding::not_yet("the number of accounts is not confirmed"),
        },
        "months-planned" => months_planned(scope),
        "workshop-closed" => {
            let closed = |row: &&Row| row.settled.last().is_some_and(|(verdict, _)| *verdict == Verdict::Yes);
            match record.rows_of(Register::Workshops).find(closed) {
                Some(row) => Finding::yes(format!("{}, held on {}", row.id, row.field("held").unwrap_or_default())),
                None => Finding::not_yet("no workshop was closed"),
            }
        }
        "type-chosen" => Finding::yes(format!("the type is {}", scope.project_type.title)),
        _ => return None,
    })
}

fn pilot_share(scope: &Scope<'_>) -> Finding {
    let pilot = pilot(scope.programme, scope.record);
    if let Some(decided) = pilot.decided {
        return Finding::yes(decided);
    }
    let count = pilot.people.len();
    match (pilot.in_scope, pilot.right) {
        (None, _) => Finding::not_yet("the number of people is not known"),
        (_, None) => Finding::not_yet("the profile says no share of the pilot"),
        (Some(all), Some((least, most))) => {
            let text = format!("{count} of {all} people are of the pilot, {least} to {most} are to be");
            match no_to_share(scope.programme, scope.record) {
                _ if (least..=most).contains(&(count as u64)) => Finding::yes(text),
                Some(no) => Finding::no(format!("{text}; no to another share: {no}")),
                None => Finding::not_yet(text),
            }
        }
    }
}

fn pilot_checks(scope: &Scope<'_>, facts: &Facts) -> Finding {
    if let Some(against) = taken_back(scope.programme, scope.record, facts) {
        return Finding::no(against);
    }
    let pilot = pilot(scope.programme, scope.record);
    if pilot.people.is_empty() {
        return Finding::not_yet("nobody is named for the pilot");
    }
    let failed: usize = pilot.people.iter().map(|person| person.failed.len()).sum();
    let of = format!("{} of {} people of the pilot checked everything", pilot.complete(), pilot.people.len());
    let text = if failed == 0 { of } else { format!("{of}; {failed} checks did not pass") };
    match pilot.people.iter().find(|person| !person.unanswered.is_empty()) {
        // Whoever has left is asked for again: the answers of a few say nothing of all.
        None if pilot.right.is_some() && !pilot.is_right() => {
            Finding::not_yet(format!("{text}; {}", pilot_share(scope).by))
        }
        None => Finding::yes(text),
        Some(first) => {
            Finding::not_yet(format!("{text}; {} has not said: {}", first.person, first.unanswered.join(", ")))
        }
    }
}

fn months_planned(scope: &Scope<'_>) -> Finding {
    let record = scope.record;
    if record.months_before.is_empty() {
        return Finding::not_yet("no accounts are planned by month");
    }
    let planned: u64 = record.months.values().sum();
    match record.numbers() {
        Some((_, numbers)) if numbers.new == planned => Finding::yes(format!("{planned} accounts, by month")),
        Some((_, numbers)) => {
            Finding::not_yet(format!("{planned} accounts are planned by month, and {} are needed", numbers.new))
        }
        None => Finding::not_yet("the number of accounts is not known"),
    }
}

fn deliverable(scope: &Scope<'_>, id: &str) -> Finding {
    let Some(known) = scope.deliverable(id) else {
        return Finding::not_yet(format!("{id:?} is no deliverable of this project"));
    };
    let versions = scope.record.deliverables.get(id).map(|record| record.versions.as_slice()).unwrap_or_default();
    let Some(version) = versions.last() else {
        return Finding::not_yet(format!("{} is not handed over", known.title));
    };
    let delivered = format!(
        "version {} was handed over by {} on {}",
        version.version,
        version.delivered.who,
        day_of(version.delivered.at)
    );
    match version.answer() {
        Some(word) if is_no(word.verdict) => {
            Finding::no(format!("{delivered}, and not accepted by {} on {}", word.said.who, day_of(word.said.at)))
        }
        Some(word) => Finding::yes(format!("{delivered}, accepted by {} on {}", word.said.who, day_of(word.said.at))),
        // Whoever was refused takes no no back by handing over anew: it stands until the new version is answered.
        None => match versions.iter().rev().find_map(|version| version.answer()) {
            Some(word) if is_no(word.verdict) => Finding::no(format!(
                "{delivered}, and waits to be accepted; the one before was not, by {} on {}",
                word.said.who,
                day_of(word.said.at)
            )),
            _ => Finding::not_yet(format!("{delivered}, and waits to be accepted")),
        },
    }
}

fn task(scope: &Scope<'_>, facts: &Facts, id: &str) -> Finding {
    let Some(task) = scope.task(id) else {
        return Finding::not_yet(format!("{id:?} is no task of this project"));
    };
    if let Some(no) = no_to_check(&task, facts) {
        return no;
    }
    let state = scope.state(&task, facts);
    // What its validation has sent back stands until it is validated, whatever was done or opened again since.
    let rounds = task.record.map(|record| record.rounds.as_slice()).unwrap_or_default();
    if let Some(answer) = rounds.iter().rev().find_map(|round| round.answer.as_ref())
        && is_no(answer.verdict)
    {
        let (who, on) = (&answer.said.who, day_of(answer.said.at));
        return Finding::no(format!(
            "its validation sent it back, by {who} on {on}, and nobody has validated it since"
        ));
    }
    match state {
        TaskState::Dropped => {
            let why = task.record.and_then(|record| record.dropped.as_ref()).map(|dropped| dropped.why.as_str());
            Finding::yes(format!("the project does without it: {}", why.unwrap_or_default()))
        }
        TaskState::Open => Finding::not_yet(format!("missing: {}", scope.lacks(&task, facts).join("; "))),
        TaskState::Returned => Finding::no("its validation sent it back"),
        TaskState::Done | TaskState::Submitted | TaskState::Validated => {
            let words = task.record.map(|record| {
                let words = record.done.iter();
                words.map(|(side, said)| format!("{} ({}, {})", said.who, side_name(*side), day_of(said.at)))
            });
            let words: Vec<String> = words.map(Iterator::collect).unwrap_or_default();
            Finding::yes(format!("done: {}", words.join(", ")))
        }
    }
}

/// The no that was decided in place of what a task has checked.
fn no_to_check(task: &Task<'_>, facts: &Facts) -> Option<Finding> {
    let fact = facts.facts.get(task.check.filter(|_| !task.is_dropped())?)?;
    (fact.decided == Some(Verdict::No)).then(|| Finding::no(format!("{}: no: {}", task.title, fact.text)))
}

fn filled(scope: &Scope<'_>, roles: &[String]) -> Finding {
    let is_empty = |role: &&str| scope.record.holders(role).next().is_none();
    let empty: Vec<&str> = roles.iter().map(String::as_str).filter(is_empty).collect();
    if !empty.is_empty() {
        return Finding::not_yet(format!("nobody holds {}", empty.join(", ")));
    }
    let held =
        roles.iter().map(|role| format!("{role}: {}", scope.record.holders(role).collect::<Vec<_>>().join(", ")));
    Finding::yes(held.collect::<Vec<_>>().join("; "))
}

/// All pre-requisites are done, each validated where a provider takes part; and a holder of the role signed them off.
fn prerequisites(scope: &Scope<'_>, facts: &Facts, criterion: &Criterion, role: &str) -> Finding {
    let signed = signed(scope, criterion, &[role.to_owned()]);
    if signed.is_refused {
        return signed;
    }
    let tasks = scope.tasks().into_iter().filter(|task| task.is_prerequisite);
    if let Some(no) = tasks.into_iter().find_map(|task| no_to_check(&task, facts)) {
        return no;
    }
    let open = pre_requisites_open(scope, facts);
    if let Some(first) = open.first() {
        let rest = open.len() - 1;
        let more = if rest == 0 { String::new() } else { format!(", and {rest} more") };
        return Finding::not_yet(format!("{} is {}{more}", first.title, first.state.name()));
    }
    signed
}

fn signed(scope: &Scope<'_>, criterion: &Criterion, roles: &[String]) -> Finding {
    let words = scope.record.words_on(&criterion.id);
    let mut signed = Vec::new();
    let mut missing = Vec::new();
    for role in roles {
        match words.get(role.as_str()) {
            Some(word) if is_no(word.verdict) => {
                return Finding::no(format!("{} said no as {role} on {}", word.said.who, day_of(word.said.at)));
            }
            Some(word) => signed.push(format!("{} as {role} on {}", word.said.who, day_of(word.said.at))),
            None => missing.push(role.as_str()),
        }
    }
    if missing.is_empty() {
        Finding::yes(format!("signed by {}", signed.join(", ")))
    } else {
        Finding::not_yet(format!("not signed by {}", missing.join(", ")))
    }
}

fn answered(scope: &Scope<'_>, field: &str) -> Finding {
    let Some((form, field)) = field.split_once('.') else {
        return Finding::not_yet(format!("{field:?} names no field"));
    };
    let value =
        if form == "project" { of_project(scope, field) } else { scope.record.answer(form, field).map(str::to_owned) };
    match value {
        Some(value) => Finding::yes(format!("{field}: {value}")),
        None => Finding::not_yet(format!("{field} is empty")),
    }
}

/// What the project itself says, by the name of a field.
fn of_project(scope: &Scope<'_>, field: &str) -> Option<String> {
    let record = scope.record;
    let text = match field {
        "code" => record.code.clone(),
        "name" => record.name.clone(),
        "type" => scope.project_type.title.clone(),
        date => record.date(date).map(|given| given.day.to_string()).unwrap_or_default(),
    };
    Some(text).filter(|text| !text.is_empty())
}

fn form(scope: &Scope<'_>, id: &str) -> Finding {
    let Some(form) = scope.programme.forms.iter().find(|form| form.id == id) else {
        return Finding::not_yet(format!("{id:?} is no form"));
    };
    let needed = form.fields.iter().filter(|field| !field.is_optional);
    let missing: Vec<_> = needed.filter(|field| scope.record.answer(id, &field.id).is_none()).collect();
    match missing.first() {
        None => Finding::yes(format!("{} is complete", form.title)),
        Some(first) => {
            Finding::not_yet(format!("{} of its fields are empty, the first is {:?}", missing.len(), first.title))
        }
    }
}

fn decision(scope: &Scope<'_>, name: &str) -> Finding {
    let Some(decision) = scope.record.decisions.get(name).and_then(|decisions| decisions.last()) else {
        return Finding::not_yet("nothing is decided");
    };
    let text = format!("{}, decided by {} ({})", decision.outcome, decision.by, day_of(decision.said.at));
    if is_no(decision.verdict) { Finding::no(format!("no: {text}")) } else { Finding::yes(text) }
}

fn register(scope: &Scope<'_>, facts: &Facts, name: &str, today: Date) -> Finding {
    let Some(register) = Register::from_name(name) else {
        return other_register(scope, facts, name, today);
    };
    let state = state_of(scope.programme, scope.record, register, today);
    match state.against() {
        None => Finding::yes(state.text()),
        Some(against) => Finding::not_yet(against),
    }
}

/// Registers that are no rows of this record: decisions have their own place, issues are those of the migration.
fn other_register(scope: &Scope<'_>, facts: &Facts, name: &str, today: Date) -> Finding {
    if name == "decisions" {
        let decisions = &scope.record.decisions;
        let is_refused = |(_, decisions): &(&String, &Vec<crate::record::Decision>)| {
            decisions.last().is_some_and(|decision| decision.verdict == Verdict::No)
        };
        return match (decisions.is_empty(), decisions.iter().find(is_refused)) {
            (true, _) => Finding::not_yet("nothing is decided"),
            (false, Some((name, _))) => Finding::no(format!("{name} was decided with a no")),
            (false, None) => Finding::yes(format!("{} decisions", decisions.len())),
        };
    }
    if name == "issues" {
        return fact(scope, facts, "issues-resolved-or-handed-over", today);
    }
    Finding::not_yet(format!("{name:?} is no register"))
}

/// The sides that have to speak for a criterion: those it names, or who says go in this type.
pub(crate) fn sides_asked(scope: &Scope<'_>, sides: &[Side]) -> Vec<Side> {
    let sides = if sides.is_empty() { &scope.project_type.go } else { sides };
    each_once(sides.iter().map(|side| scope.answers(*side)))
}

fn sides_said(scope: &Scope<'_>, criterion: &Criterion, sides: &[Side]) -> Finding {
    let sides: Vec<String> = sides_asked(scope, sides).into_iter().map(|side| side_name(side).to_owned()).collect();
    if sides.is_empty() {
        return Finding::not_yet("nobody is asked: the profile names no side");
    }
    signed(scope, criterion, &sides)
}
