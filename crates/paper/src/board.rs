//! What the board of the month looks at, and where the project stands on a page or two.

use document::{Block, Cell, Tone};
use jiff::ToSpan;
use programme::{Register, Row, StatusRow, Verdict, assess_next, days_between, lessons_offered, missed, pipeline_row};

use crate::Papers;
use crate::ground::Ground;
use crate::paper::{Paper, columns, date, verdict};
use crate::section::register::is_critical;
use crate::section::work::workstreams_table;
use crate::words;

/// Days that a highlight report looks back and forward.
const DAYS: i64 = 7;

/// The pack of the board.
pub(crate) fn pack(ground: &Ground<'_>) -> Vec<Block> {
    let tasks = ground.status();
    let mut paper = Paper::default();
    paper.part("Where the project stands");
    ground.project_facts(&mut paper);
    warnings(ground, &mut paper, &tasks);
    ground.stages_table(&mut paper);
    workstreams_table(&mut paper, &tasks);
    paper.part("What the next gate waits for");
    next_gate(ground, &mut paper);
    paper.part("What the board is asked about");
    ground.decisions_table(&mut paper);
    ground.register_table(&mut paper, Register::Changes, |_| true);
    paper.part("Risks and issues");
    ground.register_table(&mut paper, Register::Risks, |_| true);
    ground.issues_table(&mut paper, "Open issues", |issue| !issue.is_resolved);
    ground.register_table(&mut paper, Register::TechnicalIssues, |_| true);
    ground.register_table(&mut paper, Register::Barriers, |_| true);
    paper.part("Dates and deliverables");
    ground.dates_table(&mut paper);
    ground.deadlines_table(&mut paper);
    ground.deliverables_table(&mut paper, "Deliverables", |_| true, "There are none.");
    ground.months(&mut paper);
    paper.part("Benefits, training and orders");
    ground.register_table(&mut paper, Register::Benefits, |_| true);
    ground.register_table(&mut paper, Register::Training, |_| true);
    ground.register_table(&mut paper, Register::Orders, |_| true);
    paper.part("Service desk");
    ground.desk_tables(&mut paper);
    paper.part("Meetings");
    ground.register_table(&mut paper, Register::Boards, |_| true);
    ground.register_table(&mut paper, Register::Calls, |_| true);
    ground.registers_table(&mut paper);
    paper.part("People");
    ground.people_table(&mut paper);
    ground.escalation_table(&mut paper);
    ground.history(&mut paper);
    paper.blocks()
}

/// What the board, or whoever reads the highlights, must not overlook.
fn warnings(ground: &Ground<'_>, paper: &mut Paper, tasks: &[StatusRow]) {
    let Papers { programme, record, today, .. } = *ground.of;
    let mut said = false;
    let mut warn = |tone: Tone, text: String| {
        said = true;
        paper.note(tone, text);
    };
    let critical = record.rows_of(Register::Risks).filter(|row| is_critical(row)).count();
    if critical > 0 {
        warn(Tone::Alert, format!("{} to be escalated.", words::count(critical, "critical risk", "critical risks")));
    }
    let late = tasks.iter().filter(|task| task.is_late).count();
    if late > 0 {
        warn(Tone::Caution, format!("{} late.", words::count(late, "task is", "tasks are")));
    }
    for (register, what) in [(Register::Boards, "A meeting of the board"), (Register::Calls, "A call")] {
        let days: Vec<String> = missed(programme, record, register, today).into_iter().map(words::day).collect();
        if !days.is_empty() {
            warn(Tone::Alert, format!("{what} was due by {} and was not held.", days.join(", ")));
        }
    }
    let training = record.rows_of(Register::Training).filter(|row| Register::Training.undecided(row, today).is_some());
    let training = training.count();
    if training > 0 {
        warn(
            Tone::Caution,
            format!(
                "{} late.",
                words::count(training, "item of the training plan is", "items of the training plan are")
            ),
        );
    }
    let desk = ground.desk();
    if let Some(week) = desk.weeks.iter().rev().find(|week| week.actual.is_some())
        && let (Some(more @ 1..), Some(actual)) = (week.difference, week.actual)
    {
        let monday = words::day(week.monday);
        warn(
            Tone::Caution,
            format!("The service desk got {actual} calls in the week from {monday}, {more} more than forecast."),
        );
    }
    if !said {
        paper.note(Tone::Good, "No task is late, no risk is critical, and no call or board was missed.");
    }
}

fn next_gate(ground: &Ground<'_>, paper: &mut Paper) {
    let Papers { programme, record, facts, today, .. } = *ground.of;
    let Some(assessed) = assess_next(programme, record, facts, today) else {
        paper.says("There is no further gate.");
        return;
    };
    ground.gate_verdict(paper, &assessed);
    let open: Vec<_> = assessed.open().cloned().collect();
    if open.is_empty() {
        let by: Vec<String> = assessed.asked_by.iter().map(|who| ground.person(who)).collect();
        let asked = if by.is_empty() { "nobody yet".to_owned() } else { by.join(", ") };
        paper.says(format!("Asked for by {asked}. Passed by: {}.", ground.roles(&assessed.passed_by)));
    } else {
        ground.items_table(paper, &format!("Still open: {}", assessed.title), &open);
    }
}

/// The highlight report: short, and for people who read many of them.
pub(crate) fn highlights(ground: &Ground<'_>) -> Vec<Block> {
    let tasks = ground.status();
    let today = ground.today();
    let mut paper = Paper::default();
    paper.part("Where the project stands");
    ground.project_lines(&mut paper);
    warnings(ground, &mut paper, &tasks);
    waits(ground, &mut paper);
    ground.register_table(&mut paper, Register::Risks, is_critical);
    ground.issues_table(&mut paper, "Open issues", |issue| !issue.is_resolved);
    ground.register_table(&mut paper, Register::TechnicalIssues, Row::is_open);
    told(ground, &mut paper);
    paper.part("The last seven days");
    happened(ground, &mut paper);
    paper.part("The days to come");
    let is_near = |task: &&StatusRow| {
        let is_soon = |forecast| (0..=DAYS).contains(&days_between(today, forecast));
        Ground::is_open(task) && (task.is_late || task.forecast.is_some_and(is_soon))
    };
    let near: Vec<&StatusRow> = tasks.iter().filter(is_near).collect();
    let none = "No task has its forecast in the next seven days.";
    ground.tasks_table(&mut paper, "Tasks that are due or late", &near, none);
    ground.deadlines_until(&mut paper, "Deadlines of the next four weeks", today.saturating_add(28.days()));
    let lessons = lessons_offered(ground.scope.programme, ground.record());
    if !lessons.is_empty() {
        paper.section("Lessons of earlier projects for this stage");
        paper.list(lessons.iter().map(|lesson| format!("{}: {}", lesson.title, lesson.text)).collect());
    }
    paper.blocks()
}

/// For whom the next gate waits, in a sentence.
fn waits(ground: &Ground<'_>, paper: &mut Paper) {
    let Papers { programme, record, facts, today, .. } = *ground.of;
    let row = pipeline_row(programme, record, facts, today);
    let Some(gate) = row.next_gate else { return };
    if row.open_items == 0 {
        paper.note(Tone::Good, format!("{gate}: each criterion is met."));
        return;
    }
    let sides: Vec<String> = row.waits_for.iter().map(|(side, open)| format!("{side} {open}")).collect();
    let open = words::count(row.open_items, "criterion is", "criteria are");
    paper.note(Tone::Neutral, format!("{gate}: {open} open. They wait for: {}.", sides.join(", ")));
}

/// What happened in the last days, the newest first. Tasks are counted; each of them stands in the checklist.
fn happened(ground: &Ground<'_>, paper: &mut Paper) {
    let record = ground.record();
    let today = ground.today();
    let is_recent = |at: jiff::Timestamp| (0..DAYS).contains(&days_between(words::day_of(at), today));
    let tasks = ground.scope.tasks();
    let done = tasks.iter().filter_map(|task| task.record?.done.values().map(|said| said.at).max());
    let done = words::count(done.filter(|at| is_recent(*at)).count(), "task was", "tasks were");
    paper.says(format!("{done} done."));
    let mut found: Vec<(jiff::Timestamp, String, String, String)> = Vec::new();
    let mut add = |said: &programme::Said, what: String| {
        if is_recent(said.at) {
            found.push((said.at, what, ground.person(&said.who), said.note.clone()));
        }
    };
    for entry in &record.stages {
        add(&entry.said, format!("Stage entered: {}", ground.stage(&entry.stage)));
    }
    for row in ground.deliverables() {
        let versions = record.deliverables.get(&row.deliverable).into_iter().flat_map(|kept| &kept.versions);
        for version in versions {
            add(&version.delivered, format!("Handed over: {}", row.title));
            for word in &version.answers {
                let how = if word.verdict == Verdict::Yes { "Accepted" } else { "Not accepted" };
                add(&word.said, format!("{how}: {}", row.title));
            }
        }
    }
    for (name, decisions) in &record.decisions {
        for decision in decisions {
            let verdict = words::verdict(decision.verdict);
            add(&decision.said, format!("Decided: {}: {verdict}: {}", words::of_id(name), decision.outcome));
        }
    }
    found.sort_by(|one, other| (other.0, &one.1).cmp(&(one.0, &other.1)));
    let row = |(at, what, who, note): &(jiff::Timestamp, String, String, String)| -> Vec<Cell> {
        vec![words::day_of(*at).into(), what.as_str().into(), who.as_str().into(), note.as_str().into()]
    };
    let columns = columns([("Day", 14), ("What", 48), ("By", 20), ("Said", 18)]);
    let rows = found.iter().map(row).collect();
    paper.table("What happened", columns, rows, "No stage, deliverable or decision is recorded of these days.");
}

/// What a side was told of at once.
fn told(ground: &Ground<'_>, paper: &mut Paper) {
    let row = |(side, row, said): &(programme::Side, String, programme::Said)| {
        vec![
            row.as_str().into(),
            words::side(*side).into(),
            words::with_days(&said.note).into(),
            date(Some(words::day_of(said.at))),
            verdict((Tone::Neutral, "Told")),
        ]
    };
    let rows = ground.record().told.iter().map(row).collect();
    let columns = columns([("No.", 12), ("Side", 18), ("What it was told", 42), ("On", 16), ("State", 12)]);
    paper.table("What a side was told at once", columns, rows, "Nothing had to be told at once.");
}
