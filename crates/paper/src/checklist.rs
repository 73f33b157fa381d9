//! The readiness checklist: every task with owner, forecast, state, evidence and checker.

use document::{Block, Tone};
use programme::{Register, StatusRow, Subject};

use crate::ground::Ground;
use crate::paper::{Paper, columns, date, number};
use crate::section::work::workstreams_table;
use crate::words;

pub(crate) fn blocks(ground: &Ground<'_>) -> Vec<Block> {
    let mut paper = Paper::default();
    let tasks = ground.status();
    paper.part("Where the checklist stands");
    ground.project_facts(&mut paper);
    summary(ground, &mut paper, &tasks);
    workstreams_table(&mut paper, &tasks);
    ground.gaps_table(&mut paper);
    ground.unfilled_table(&mut paper);
    paper.part("Pre-requisites");
    let needed: Vec<&StatusRow> = tasks.iter().filter(|task| task.is_prerequisite).collect();
    ground.full_tasks_table(&mut paper, "Pre-requisites", &needed, "The type has no pre-requisites.");
    paper.part("Other tasks");
    for stage in ground.stages() {
        let others: Vec<&StatusRow> =
            tasks.iter().filter(|task| !task.is_prerequisite && task.stage == stage.id).collect();
        if !others.is_empty() {
            ground.full_tasks_table(&mut paper, &format!("Other tasks: {}", stage.title), &others, "");
        }
    }
    paper.part("Results and checks");
    ground.results_table(&mut paper, "Results of each task", |_| true);
    ground.register_table(&mut paper, Register::Policies, |_| true);
    paper.part("Validation");
    ground.rounds_table(&mut paper);
    ground.questions_table(&mut paper);
    paper.part("Workshops, visits and calls");
    ground.register_table(&mut paper, Register::Workshops, |_| true);
    ground.register_table(&mut paper, Register::OnSite, |_| true);
    ground.register_table(&mut paper, Register::Calls, |_| true);
    snapshots(ground, &mut paper);
    paper.part("Evidence");
    ground.evidence_table(&mut paper, "Evidence of tasks", |held| matches!(held.on, Subject::Task(_)));
    ground.history(&mut paper);
    paper.blocks()
}

fn summary(ground: &Ground<'_>, paper: &mut Paper, tasks: &[StatusRow]) {
    let needed = tasks.iter().filter(|task| task.is_prerequisite).count();
    let open = tasks.iter().filter(|task| task.is_prerequisite && Ground::is_open(task)).count();
    let late = tasks.iter().filter(|task| task.is_late).count();
    let tone = match (open, late) {
        (0, 0) => Tone::Good,
        (_, 0) => Tone::Neutral,
        _ => Tone::Caution,
    };
    let all = words::count(needed, "pre-requisite", "pre-requisites");
    let late = words::count(late, "task is", "tasks are");
    let day = words::day(ground.today());
    paper.note(tone, format!("On {day}, {open} of {all} are open, and {late} late."));
}

/// How the checklist stood after each call.
fn snapshots(ground: &Ground<'_>, paper: &mut Paper) {
    let row = |snapshot: &programme::Snapshot| {
        let open = snapshot.tasks.iter().filter(|task| task.state == "open" || task.state == "returned").count();
        let lacking = snapshot.tasks.iter().filter(|task| task.owner.is_none() || task.forecast.is_none()).count();
        vec![
            date(Some(snapshot.day)),
            snapshot.call.clone().unwrap_or_default().into(),
            number(snapshot.tasks.len() as u64),
            number(open as u64),
            number(lacking as u64),
        ]
    };
    let rows = ground.record().snapshots.iter().map(row).collect();
    let columns = columns([("Day", 20), ("Call", 20), ("Tasks", 16), ("Open", 16), ("Without owner or forecast", 28)]);
    paper.table("The checklist after each call", columns, rows, "No call is recorded.");
}
