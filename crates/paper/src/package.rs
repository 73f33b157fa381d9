//! The request for change with all its parts; it isn't made while one is missing.

use document::{Block, Cell, Tone};
use programme::{MetBy, StatusRow, Subject, missing_parts};

use crate::Papers;
use crate::ground::Ground;
use crate::paper::{Paper, columns, verdict};
use crate::why::{Missing, Why};
use crate::words;

pub(crate) fn blocks(ground: &Ground<'_>) -> Result<Vec<Block>, Why> {
    let Papers { programme, record, facts, today, .. } = *ground.of;
    let id = ground.deliverable().and_then(|known| known.package.as_deref());
    let package = id.and_then(|id| programme.packages.iter().find(|package| package.id == id));
    let package = package.ok_or_else(|| ground.not_of_type())?;
    let missing = missing_parts(programme, record, facts, &package.id, today).ok_or_else(|| ground.not_of_type())?;
    if !missing.is_empty() {
        // Not even a draft: a package that lacks a part is none.
        let missing = missing.iter().map(Missing::of).collect();
        return Err(Why::Incomplete { document: ground.kind, missing });
    }
    let parts: Vec<_> = package.parts.iter().filter_map(|part| ground.scope.criterion(part)).collect();
    let tasks = ground.status();
    let mut paper = Paper::default();
    paper.part("What is asked for");
    paper.says(format!(
        "{} asks for the approval of the change that is described here. The package is complete: it has each of its {}.",
        record.name,
        words::count(parts.len(), "part", "parts")
    ));
    ground.project_facts(&mut paper);
    let row = |part: &&programme::Criterion| vec![part.title.as_str().into(), verdict((Tone::Good, "There"))];
    let columns_of_parts = columns([("Part", 80), ("State", 20)]);
    paper.table("Parts of the package", columns_of_parts, parts.iter().map(row).collect(), "It has no parts.");
    submissions(ground, &mut paper, &package.id);
    paper.part("Dates");
    ground.stages_table(&mut paper);
    ground.dates_table(&mut paper);
    ground.deadlines_table(&mut paper);
    paper.part("New accounts");
    ground.months(&mut paper);
    for part in &parts {
        paper.part(&part.title);
        match &part.met_by {
            MetBy::Form(id) => {
                if let Some(form) = programme.forms.iter().find(|form| form.id == *id) {
                    ground.form_table(&mut paper, form);
                    let caption = format!("Evidence: {}", part.title);
                    ground.evidence_table(&mut paper, &caption, |held| held.on == Subject::Form(id.clone()));
                }
            }
            MetBy::Task(id) => {
                let task: Vec<&StatusRow> = tasks.iter().filter(|task| task.task == *id).collect();
                ground.full_tasks_table(&mut paper, &format!("Task: {}", part.title), &task, "");
                let caption = format!("Evidence: {}", part.title);
                ground.evidence_table(&mut paper, &caption, |held| held.on == Subject::Task(id.clone()));
            }
            MetBy::Deliverable(id) => {
                let caption = format!("Deliverable: {}", part.title);
                ground.deliverables_table(&mut paper, &caption, |row| row.deliverable == *id, "");
                checklist(ground, &mut paper, &tasks, &part.title);
                let caption = format!("Evidence: {}", part.title);
                ground.evidence_table(&mut paper, &caption, |held| held.on == Subject::Deliverable(id.clone()));
            }
            MetBy::Prerequisites(_) => {
                checklist(ground, &mut paper, &tasks, &part.title);
                let caption = format!("Signed off: {}", part.title);
                ground.words_table(&mut paper, &caption, |criterion| criterion == part.id, "Not recorded.");
            }
            _ => paper.says(seen(ground, &part.id)),
        }
    }
    ground.closing_parts(&mut paper);
    Ok(paper.blocks())
}

/// The checklist of pre-requisites.
fn checklist(ground: &Ground<'_>, paper: &mut Paper, tasks: &[StatusRow], title: &str) {
    let needed: Vec<&StatusRow> = tasks.iter().filter(|task| task.is_prerequisite).collect();
    let caption = format!("Pre-requisites: {title}");
    ground.full_tasks_table(paper, &caption, &needed, "The type has no pre-requisites.");
}

/// What a part is met by, where it has nothing to be shown besides.
fn seen(ground: &Ground<'_>, criterion: &str) -> String {
    let gates = ground.scope.gates().into_iter().filter_map(|gate| ground.assess(gate));
    let items = gates.flat_map(|assessed| assessed.items);
    let item = items.into_iter().find(|item| item.criterion == criterion);
    item.map_or_else(
        || words::capital(words::NOT_RECORDED),
        |item| format!("{}.", words::capital(&words::with_days(&item.by))),
    )
}

/// When the package was submitted.
fn submissions(ground: &Ground<'_>, paper: &mut Paper, package: &str) {
    let submitted = ground.record().packages.get(package).map(Vec::as_slice).unwrap_or_default();
    let row = |submission: &programme::PackageSubmission| -> Vec<Cell> {
        vec![
            words::day_of(submission.said.at).into(),
            ground.person(&submission.said.who).into(),
            Cell::Number(i64::try_from(submission.parts.len()).unwrap_or(i64::MAX)),
        ]
    };
    let columns = columns([("Submitted on", 30), ("By", 50), ("Parts", 20)]);
    paper.table("Submissions", columns, submitted.iter().map(row).collect(), "It has not been submitted yet.");
}
