//! The post-project report: what was done, how it went, and what is still to do.

use document::{Block, Cell, Tone};
use programme::{Register, StatusRow};

use crate::ground::Ground;
use crate::paper::{Paper, columns, date};
use crate::section::work::workstreams_table;
use crate::words;

pub(crate) fn blocks(ground: &Ground<'_>) -> Vec<Block> {
    let mut paper = Paper::default();
    let tasks = ground.status();
    let open: Vec<&StatusRow> = tasks.iter().filter(|task| Ground::is_open(task)).collect();
    paper.part("What the project was");
    ground.project_facts(&mut paper);
    if open.is_empty() {
        paper.note(Tone::Good, "Every task of the project is done with.");
    } else {
        let left = words::count(open.len(), "task is", "tasks are");
        paper.note(Tone::Caution, format!("{left} still open; they stand under outstanding actions."));
    }
    ground.months(&mut paper);
    paper.part("How it went");
    stages(ground, &mut paper);
    ground.gates_table(&mut paper);
    standings(ground, &mut paper);
    ground.dates_table(&mut paper);
    workstreams_table(&mut paper, &tasks);
    ground.rounds_table(&mut paper);
    paper.part("What was handed over");
    ground.deliverables_table(&mut paper, "Deliverables", |_| true, "There are none.");
    paper.part("What was decided");
    ground.decisions_table(&mut paper);
    ground.register_table(&mut paper, Register::Changes, |_| true);
    ground.words_table(&mut paper, "Signatures and words of the sides", |_| true, "None is recorded.");
    paper.part("What it brought and cost");
    ground.register_table(&mut paper, Register::Benefits, |_| true);
    ground.register_table(&mut paper, Register::Orders, |_| true);
    ground.register_table(&mut paper, Register::Training, |_| true);
    paper.part("Service desk");
    ground.desk_tables(&mut paper);
    paper.part("Risks, issues and lessons");
    ground.register_table(&mut paper, Register::Risks, |_| true);
    ground.issues_table(&mut paper, "Issues", |_| true);
    ground.register_table(&mut paper, Register::TechnicalIssues, |_| true);
    ground.register_table(&mut paper, Register::Lessons, |_| true);
    paper.part("Outstanding actions");
    ground.tasks_table(&mut paper, "Open tasks", &open, "No task is open.");
    ground.deliverables_table(
        &mut paper,
        "Deliverables that are not accepted",
        |row| !Ground::is_accepted(row),
        "Every deliverable is accepted.",
    );
    ground.issues_table(&mut paper, "Open issues", |issue| !issue.is_resolved);
    ground.deadlines_table(&mut paper);
    paper.part("People");
    ground.people_table(&mut paper);
    paper.part("Evidence");
    ground.evidence_table(&mut paper, "All evidence", |_| true);
    ground.closing_parts(&mut paper);
    paper.blocks()
}

/// Each stage, as it was planned and as it was.
fn stages(ground: &Ground<'_>, paper: &mut Paper) {
    let record = ground.record();
    let row = |(place, entry): (usize, &programme::StageEntry)| {
        vec![
            ground.stage(&entry.stage).into(),
            date(record.date(&entry.stage).map(|given| given.day)),
            words::day_of(entry.said.at).into(),
            Cell::Number(ground.days_in(place)),
            ground.person(&entry.said.who).into(),
        ]
    };
    let rows = record.stages.iter().enumerate().map(row).collect();
    let columns =
        columns([("Stage", 30), ("Planned for", 18), ("Entered on", 18), ("Days in it", 12), ("Entered by", 22)]);
    paper.table("Stages, as planned and as they were", columns, rows, "No stage was entered.");
}

/// How the project as a whole stood, and who brought it there.
fn standings(ground: &Ground<'_>, paper: &mut Paper) {
    let row = |(standing, said): &(programme::Standing, programme::Said)| {
        vec![
            words::standing(*standing).into(),
            words::day_of(said.at).into(),
            ground.person(&said.who).into(),
            said.note.as_str().into(),
        ]
    };
    let rows = ground.record().standings.iter().map(row).collect();
    let columns = columns([("Standing", 34), ("Since", 18), ("By", 24), ("Said", 24)]);
    paper.table("The project as a whole", columns, rows, "Not recorded.");
}
