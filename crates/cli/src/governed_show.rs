//! `project`, `gate`, `task`, `deliverable`, `register`, `pipeline`: what they say.

use std::fmt::Write as _;

use report::harmless;
use service::{
    Acted, DeliverablesShow, DocumentMade, DocumentsShow, GateShow, GovernedRecord, InitReport, PilotShow,
    PipelineLine, PipelineReport, ProjectShow, RegistersShow, TasksShow, ViewsShow,
};

use crate::show::table;

pub(crate) fn made(report: &InitReport) -> String {
    format!(
        "{} is there.\nNext: whimbrel --project {0} project fill intent …; whimbrel --project {0} project show",
        harmless(&report.folder)
    )
}

pub(crate) fn acted(report: &Acted) -> String {
    let mut text = String::new();
    for change in &report.changes {
        let kind = change.get("kind").and_then(|kind| kind.as_str()).unwrap_or("recorded");
        let _ = writeln!(text, "recorded: {kind}");
    }
    for notice in &report.notices {
        let about = harmless(&notice.about);
        if !notice.told.is_empty() {
            let _ = writeln!(text, "told of {about}, {}: {}", notice.side, harmless(&notice.told.join(", ")));
        }
        for (whom, why) in &notice.not_told {
            let _ = writeln!(text, "NOT told of {about}: {}: {}", harmless(whom), harmless(why));
        }
    }
    text.trim_end().to_owned()
}

pub(crate) fn gates(report: &GateShow) -> String {
    let mut text = String::new();
    for gate in &report.gates {
        let open = gate.open().count();
        let refused: Vec<&service::GovernedItem> = gate.items.iter().filter(|item| item.is_refused).collect();
        let state = match (gate.is_passed, open) {
            (true, _) if refused.is_empty() => "passed".to_owned(),
            (true, _) => format!("passed; since then {} answered with a no, which stops what is live", refused.len()),
            (false, 0) => format!("nothing is open; {} may pass it", gate.passed_by.join(" or ")),
            (false, open) => format!("{open} of {} open", gate.items.len()),
        };
        let _ = writeln!(text, "{} ({}): {state}", harmless(&gate.title), gate.gate);
        if gate.is_passed {
            for item in refused {
                let (title, by) = (harmless(&item.title), harmless(&item.by));
                let _ =
                    writeln!(text, "  NO    {:<34} {title}\n        {by}; {}", item.criterion, harmless(&item.closes));
            }
            continue;
        }
        if !gate.asked_by.is_empty() {
            let _ = writeln!(text, "  asked for by {}", harmless(&gate.asked_by.join(", ")));
        }
        for item in &gate.items {
            let mark = if item.is_met {
                "ok"
            } else if item.is_refused {
                "NO"
            } else {
                "open"
            };
            let _ = writeln!(text, "  {mark:<5} {:<34} {}", item.criterion, harmless(&item.title));
            if item.is_met {
                let _ = writeln!(text, "        {}{}", harmless(&item.by), read(item));
                continue;
            }
            let holders = if item.holders.is_empty() { "nobody yet".to_owned() } else { item.holders.join(", ") };
            let _ = writeln!(
                text,
                "        {}{}; {} ({}), {} days. {}",
                harmless(&item.by),
                read(item),
                item.owner,
                harmless(&holders),
                item.age_days,
                harmless(&item.closes)
            );
        }
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// How old the evidence is that the program has read.
fn read(item: &service::GovernedItem) -> String {
    match item.read_days {
        None => String::new(),
        Some(0) => ", read today".to_owned(),
        Some(1) => ", read yesterday".to_owned(),
        Some(days) => format!(", read {days} days ago"),
    }
}

pub(crate) fn tasks(report: &TasksShow) -> String {
    let row = |task: &service::GovernedTask| {
        let sides: Vec<&str> = task.sides.iter().map(|side| service::side_name(*side)).collect();
        let due = task.due.map(|day| day.to_string()).unwrap_or_default();
        let forecast = task.forecast.map(|day| day.to_string()).unwrap_or_default();
        let forecast = if task.is_late { format!("{forecast} LATE") } else { forecast };
        let owner = task.owner.as_deref().unwrap_or("nobody");
        [&task.task, &task.stage, &sides.join("+"), task.state.name(), owner, &due, &forecast, &task.lacks.join("; ")]
            .map(harmless)
            .to_vec()
    };
    let rows: Vec<Vec<String>> = report.tasks.iter().map(row).collect();
    if rows.is_empty() {
        return "There is none.".to_owned();
    }
    table(&["task", "stage", "whose", "state", "owner", "due", "forecast", "lacks"], &rows)
}

pub(crate) fn deliverables(report: &DeliverablesShow) -> String {
    let row = |one: &service::DeliverableLine| {
        let day = |day: &Option<String>| day.clone().unwrap_or_default();
        let cells = [
            one.deliverable.clone(),
            one.title.clone(),
            one.side.to_owned(),
            day(&one.due),
            day(&one.delivered),
            day(&one.accepted),
        ];
        cells.map(|cell| harmless(&cell)).to_vec()
    };
    let rows: Vec<Vec<String>> = report.deliverables.iter().map(row).collect();
    table(&["deliverable", "what", "whose", "due", "handed over", "accepted"], &rows)
}

pub(crate) fn registers(report: &RegistersShow) -> String {
    let mut text = String::new();
    for register in &report.registers {
        let _ = writeln!(text, "{}: {}", register.name, harmless(&register.text));
        if !register.fields.is_empty() {
            let _ = writeln!(text, "  fields: {}", register.fields.join(", "));
        }
        for question in &register.questions {
            let word = if question.answered.is_some() { "answered after" } else { "open for" };
            let _ = writeln!(text, "  {}: {word} {} hours", question.row, question.hours);
        }
        for row in &register.rows {
            let state = match (&row.struck, row.settled.last()) {
                (Some(struck), _) => format!("withdrawn by {}: {}", struck.who, struck.why),
                (None, Some((_, said))) => format!("settled by {}: {}", said.who, said.note),
                (None, None) => "open".to_owned(),
            };
            let _ = writeln!(text, "  {}  {}", row.id, harmless(&state));
            for (field, value) in &row.fields {
                let _ = writeln!(text, "      {field}: {}", harmless(value));
            }
        }
    }
    text.trim_end().to_owned()
}

pub(crate) fn views(report: &ViewsShow) -> String {
    let mut text = String::new();
    for view in &report.views {
        let _ = writeln!(text, "{} ({})", harmless(&view.title), view.view);
        for part in &view.parts {
            let _ = writeln!(text, "  {}: {} of {}", harmless(&part.title), part.met, part.lines.len());
            for line in &part.lines {
                let (title, by) = (harmless(&line.title), harmless(&line.by));
                let _ = writeln!(text, "    {:<9} {title} ({}): {by}", line.state, line.criterion);
            }
        }
    }
    text.trim_end().to_owned()
}

pub(crate) fn project(report: &ProjectShow) -> String {
    let one = &report.project;
    let mut text = format!("{} ({})\n", harmless(&one.name), harmless(&one.code));
    let _ = writeln!(text, "  type: {}", one.project_type.as_deref().unwrap_or("not chosen yet"));
    if let Some(recommends) = &report.appraisal.recommends {
        let _ = writeln!(text, "  the appraisal recommends {recommends}:");
        for spoke in &report.appraisal.spoke {
            let _ = writeln!(text, "    {}: {}", spoke.rule, harmless(&spoke.why));
        }
    }
    let days = one.stage_days.map(|days| format!(", for {days} days")).unwrap_or_default();
    let _ = writeln!(text, "  stage: {}{days}", one.stage.as_deref().unwrap_or("none yet"));
    if let Some(gate) = &report.gate {
        let open: Vec<&str> = gate.open().map(|item| item.criterion.as_str()).collect();
        let _ = writeln!(text, "  next gate: {} ({}), {} open: {}", gate.title, gate.gate, open.len(), open.join(", "));
    }
    let _ = writeln!(text, "  new accounts: {} may be made; {}", report.registrations.limit, report.registrations.why);
    if !report.unfilled.is_empty() {
        let _ = writeln!(text, "  nobody holds: {}", report.unfilled.join(", "));
    }
    if !report.gaps.is_empty() {
        let gaps: Vec<&str> = report.gaps.iter().map(|gap| gap.task.as_str()).collect();
        let _ = writeln!(text, "  without owner or forecast ({}): {}", gaps.len(), gaps.join(", "));
    }
    let numbers = &report.numbers;
    for (what, given) in [("drafted", &numbers.draft), ("confirmed", &numbers.confirmed)] {
        if let Some(given) = given {
            let _ = writeln!(
                text,
                "  accounts {what}: {} existing, {} new ({}, {})",
                given.existing,
                given.new,
                given.on,
                harmless(&given.by)
            );
        }
    }
    if let Some((existing, new)) = numbers.difference {
        let _ = writeln!(text, "  difference: {existing:+} existing, {new:+} new");
    }
    for due in &report.due {
        let late = if due.is_late { " LATE" } else { "" };
        let _ =
            writeln!(text, "  due {}{late}: {} ({}): {}", due.due, due.what, due.sides.join("+"), harmless(&due.title));
    }
    let now = report.week.unwrap_or_default();
    for week in report.weeks.iter().filter(|week| week.week == 0 || i64::from(week.week) == now) {
        let which = if week.week == 0 { "every week".to_owned() } else { format!("week {}", week.week) };
        let _ = writeln!(text, "  {which}:");
        let _ = writeln!(text, "    organisation: {}", harmless(&week.organisation.join("; ")));
        let _ = writeln!(text, "    provider: {}", harmless(&week.provider.join("; ")));
        if !week.deliverables.is_empty() {
            let _ = writeln!(text, "    deliverables: {}", week.deliverables.join(", "));
        }
    }
    let (empty, stale): (Vec<&service::RegisterState>, Vec<_>) =
        report.registers.iter().filter(|state| state.against().is_some()).partition(|state| state.rows == 0);
    for state in stale.into_iter().filter_map(service::RegisterState::against) {
        let _ = writeln!(text, "  register: {}", harmless(&state));
    }
    if !empty.is_empty() {
        let names: Vec<&str> = empty.iter().map(|state| state.register.name()).collect();
        let _ = writeln!(text, "  registers with nothing in them: {}", names.join(", "));
    }
    for line in report.deadlines.iter().filter(|line| line.days_left >= 0) {
        let (due, days, what) = (line.deadline.due, line.days_left, harmless(&line.deadline.text));
        let kind = if line.deadline.is_hard { "due" } else { "advised" };
        let _ = writeln!(text, "  {kind} {due}, {days} days left: {what}");
    }
    for lesson in &report.lessons {
        let _ = writeln!(text, "  lesson: {}: {}", harmless(&lesson.title), harmless(&lesson.text));
    }
    text.trim_end().to_owned()
}

pub(crate) fn pipeline(report: &PipelineReport) -> String {
    let row = |line: &PipelineLine| {
        let one = &line.row;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let waits: Vec<String> = one.waits_for.iter().map(|(side, open)| format!("{side} {open}")).collect();
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let cells = [
            one.code.clone(),
            one.name.clone(),
            text(&one.project_type),
            text(&one.stage),
            text(&one.next_gate),
            one.open_items.to_string(),
            waits.join(", "),
            number(one.existing_accounts),
            number(one.new_accounts),
            line.known_at.as_deref().and_then(|at| at.split('T').next()).unwrap_or("never").to_owned(),
        ];
        cells.map(|cell| harmless(&cell)).to_vec()
    };
    let rows: Vec<Vec<String>> = report.projects.iter().map(row).collect();
    let headings = [
        "code",
        "organisation",
        "type",
        "stage",
        "next gate",
        ">open",
        "waits for",
        ">accounts",
        ">new accounts",
        "looked at",
    ];
    let mut text = table(&headings, &rows);
    for (month, accounts) in &report.accounts_by_month {
        let _ = write!(text, "\n{month}: {accounts} new accounts");
    }
    for line in &report.broken {
        let (code, name, project) = (harmless(&line.code), harmless(&line.name), harmless(&line.project));
        let _ = write!(text, "\ncannot be read: {code} ({name}, {project}): {}", harmless(&line.what));
    }
    text
}

pub(crate) fn document(report: &DocumentMade) -> String {
    let draft = if report.is_draft { ", a draft" } else { "" };
    let mut text = format!("{}, version {}{draft}", report.document, report.version);
    if let Some(by) = report.superseded_by {
        let _ = write!(text, ", superseded by version {by}");
    }
    for (file, digest) in &report.files {
        let _ = write!(text, "\n  {}  {digest}", harmless(file));
    }
    text
}

pub(crate) fn documents(report: &DocumentsShow) -> String {
    let row = |one: &service::DocumentLine| {
        let version = one.version.map(|version| version.to_string()).unwrap_or_default();
        let version = if one.is_draft { format!("{version} (draft)") } else { version };
        let made = one.made.clone().unwrap_or_else(|| "not made yet".to_owned());
        let superseded: Vec<String> = one.superseded.iter().map(u32::to_string).collect();
        vec![one.document.to_owned(), version, harmless(&made), superseded.join(", "), one.forms.join(", ")]
    };
    let rows: Vec<Vec<String>> = report.documents.iter().map(row).collect();
    table(&["document", "version", "made", "superseded", "forms"], &rows)
}

pub(crate) fn record(record: &GovernedRecord) -> String {
    let (people, tasks, rows) = (record.people.len(), record.tasks.len(), record.rows.len());
    format!(
        "{} ({}): {} changes; {people} people, {tasks} tasks, {rows} rows of registers, {} pieces of evidence. --json gives all of it",
        harmless(&record.name),
        harmless(&record.code),
        record.seq,
        record.evidence.len(),
    )
}

pub(crate) fn pilot(report: &PilotShow) -> String {
    let pilot = &report.pilot;
    let right = match (pilot.in_scope, pilot.right) {
        (Some(all), Some((least, most))) => format!("{least} to {most} of {all} are to be"),
        _ => "how many are to be is not known before the numbers are given".to_owned(),
    };
    let (people, complete) = (pilot.people.len(), report.complete);
    let decided = pilot.decided.as_ref().map(|decided| format!(" ({})", harmless(decided))).unwrap_or_default();
    let mut text = format!("{people} people, {right}{decided}; {complete} have checked everything\n");
    let row = |line: &service::GovernedPilotLine| {
        let failed: Vec<String> = line.failed.iter().map(|(item, seen)| format!("{item}: {seen}")).collect();
        vec![harmless(&line.person), harmless(&line.unanswered.join(", ")), harmless(&failed.join("; "))]
    };
    let is_open = |line: &&service::GovernedPilotLine| !line.unanswered.is_empty() || !line.failed.is_empty();
    let rows: Vec<Vec<String>> = pilot.people.iter().filter(is_open).map(row).collect();
    if !rows.is_empty() {
        text.push_str(&table(&["person", "not answered", "did not pass"], &rows));
    }
    text.trim_end().to_owned()
}
