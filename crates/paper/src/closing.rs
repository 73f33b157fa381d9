//! How a project ends: the work that is left after live, the readiness of the service, and the end of the old
//! servers.

use document::{Block, Tone};
use programme::{Live, Milestones, Register, Row, StatusRow, Subject, TaskState, allows};

use crate::Papers;
use crate::ground::Ground;
use crate::paper::Paper;
use crate::words;

/// Fields of forms that tell of the old systems, where a profile asks for them.
const OLD_SYSTEMS: [&str; 8] = [
    "current-platform",
    "support-arrangements",
    "sources",
    "source-systems",
    "directory",
    "public-folders",
    "archives",
    "applications",
];

/// Issues that stay open after live, each with owner and date.
pub(crate) fn work_off(ground: &Ground<'_>) -> Vec<Block> {
    let mut paper = Paper::default();
    paper.part("What this plan is for");
    paper.says("Every issue is resolved, or stands here with who works it off and by when.");
    ground.project_facts(&mut paper);
    let issues = ground.of.issues.unwrap_or_default();
    let open: Vec<_> = issues.iter().filter(|issue| !issue.is_resolved).collect();
    let lacking = open.iter().filter(|issue| issue.owner.is_none() || issue.due.is_none()).count();
    let all = words::count(open.len(), "issue is", "issues are");
    if ground.of.issues.is_none() {
        paper.note(Tone::Caution, "The issues of the project are not recorded here.");
    } else if lacking > 0 {
        paper.note(Tone::Caution, format!("{all} open, {lacking} of them without an owner or a date."));
    } else if open.is_empty() {
        paper.note(Tone::Good, "No issue is open.");
    } else {
        paper.note(Tone::Neutral, format!("{all} open, each with an owner and a date."));
    }
    paper.part("Issues to be worked off");
    ground.issues_table(&mut paper, "Open issues", |issue| !issue.is_resolved);
    ground.register_table(&mut paper, Register::TechnicalIssues, Row::is_open);
    paper.part("Other work that is left");
    let tasks = ground.status();
    let here = ground.record().stage().and_then(|entry| ground.scope.place_of(&entry.stage));
    let left: Vec<&StatusRow> =
        tasks.iter().filter(|task| Ground::is_open(task) && ground.scope.place_of(&task.stage) <= here).collect();
    ground.tasks_table(&mut paper, "Open tasks up to this stage", &left, "No task up to this stage is open.");
    ground.register_table(&mut paper, Register::Risks, Row::is_open);
    ground.register_table(&mut paper, Register::Applications, |row| {
        Register::Applications.undecided(row, ground.today()).is_some()
    });
    paper.part("Issues that were resolved");
    ground.issues_table(&mut paper, "Resolved issues", |issue| issue.is_resolved);
    ground.escalation_table(&mut paper);
    ground.closing_parts(&mut paper);
    paper.blocks()
}

/// What the contract asks for: handed over when, and accepted by whom.
pub(crate) fn service(ground: &Ground<'_>) -> Vec<Block> {
    let mut paper = Paper::default();
    paper.part("What is handed over");
    let rows = ground.deliverables();
    // The written acceptance of this document is the last of them: it can't be there before.
    let own = ground.deliverable().map(|known| known.id.as_str());
    let others: Vec<_> =
        rows.iter().filter(|row| row.is_contractual && Some(row.deliverable.as_str()) != own).collect();
    let accepted = others.iter().filter(|row| Ground::is_accepted(row)).count();
    let all = words::count(others.len(), "deliverable", "deliverables");
    let tone = if accepted == others.len() { Tone::Good } else { Tone::Caution };
    if others.is_empty() {
        paper.says("No deliverable of this kind of project is part of a contract.");
    } else {
        paper.note(tone, format!("{accepted} of {all} of the contract are accepted."));
    }
    ground.project_facts(&mut paper);
    ground.deliverables_table(&mut paper, "Deliverables of the contract", |row| row.is_contractual, "There are none.");
    ground.deliverables_table(&mut paper, "Other deliverables", |row| !row.is_contractual, "There are none.");
    paper.part("What the service is signed off by");
    ground.gates_table(&mut paper);
    if let Some(gate) = ground.scope.gates().into_iter().last() {
        ground.gate_table(&mut paper, gate);
    }
    paper.part("What is still to be done");
    ground.issues_table(&mut paper, "Open issues", |issue| !issue.is_resolved);
    ground.register_table(&mut paper, Register::TechnicalIssues, Row::is_open);
    paper.part("Evidence");
    ground.evidence_table(&mut paper, "Evidence of deliverables", |held| matches!(held.on, Subject::Deliverable(_)));
    ground.closing_parts(&mut paper);
    paper.blocks()
}

/// When the old servers go, and what stands against it.
pub(crate) fn decommission(ground: &Ground<'_>) -> Vec<Block> {
    let Papers { programme, record, facts, today, .. } = *ground.of;
    let mut paper = Paper::default();
    paper.part("When the old servers go");
    ground.project_facts(&mut paper);
    let milestones = Milestones::of(programme, record);
    match milestones.last_switch {
        Some(day) if day > today => {
            paper.says(format!("The last mailbox is to be switched on {}.", words::day(day)));
        }
        Some(day) => paper.says(format!("The last mailbox was switched on {}.", words::day(day))),
        None => paper.note(Tone::Caution, "The day of the last switch is not recorded, so no day follows from it."),
    }
    ground.deadlines_table(&mut paper);
    ground.dates_table(&mut paper);
    paper.section("What the organisation said of its systems");
    for form in &programme.forms {
        ground.answers_table(&mut paper, form, |field| OLD_SYSTEMS.contains(&field));
    }
    paper.part("What stands against it");
    match allows(programme, record, facts, today, Live::Decommission) {
        Ok(()) => paper.note(Tone::Good, "Nothing that is recorded stands against it: the servers may go."),
        Err(refusal) => {
            paper.note(Tone::Caution, format!("{}. {}", words::capital(&refusal.what), refusal.advice));
            if !refusal.open.is_empty() {
                ground.items_table(&mut paper, "What stands against it", &refusal.open);
            }
        }
    }
    ground.register_table(&mut paper, Register::Applications, |_| true);
    paper.part("What is done");
    let tasks = ground.status();
    let last = ground.scope.project_type.stages.last();
    let of_end: Vec<&StatusRow> =
        tasks.iter().filter(|task| Some(&task.stage) == last && task.state != TaskState::Dropped).collect();
    ground.full_tasks_table(&mut paper, "Tasks of the last stage", &of_end, "The stage has no tasks.");
    ground.evidence_table(
        &mut paper,
        "Evidence of these tasks",
        |held| matches!(&held.on, Subject::Task(id) if of_end.iter().any(|task| task.task == *id)),
    );
    paper.part("Who confirms it");
    paper.says("The end of each server is confirmed to those who accept this plan.");
    ground.people_table(&mut paper);
    ground.closing_parts(&mut paper);
    paper.blocks()
}
