//! The implementation plan: dates, scope, deliverables, payment, what the service is signed off by, and the signature of
//! who is responsible.

use document::{Block, Tone};
use programme::{Register, StatusRow};

use crate::ground::Ground;
use crate::paper::Paper;

pub(crate) fn blocks(ground: &Ground<'_>) -> Vec<Block> {
    let mut paper = Paper::default();
    about(ground, &mut paper);
    scope(ground, &mut paper);
    dates(ground, &mut paper);
    let tasks = ground.status();
    paper.part("Tasks");
    paper.says("Each task of the record stands here under the stage it belongs to, with who answers for it.");
    for stage in ground.stages() {
        let of_stage: Vec<&StatusRow> = tasks.iter().filter(|task| task.stage == stage.id).collect();
        paper.section(&stage.title);
        ground.tasks_table(&mut paper, &format!("Tasks: {}", stage.title), &of_stage, "The stage has no tasks.");
    }
    deliverables(ground, &mut paper);
    paper.part("What stands against the plan");
    ground.register_table(&mut paper, Register::Risks, |_| true);
    ground.register_table(&mut paper, Register::Barriers, |_| true);
    ground.register_table(&mut paper, Register::Applications, |_| true);
    ground.decisions_table(&mut paper);
    paper.part("People");
    ground.people_table(&mut paper);
    ground.unfilled_table(&mut paper);
    ground.escalation_table(&mut paper);
    ground.closing_parts(&mut paper);
    paper.blocks()
}

fn about(ground: &Ground<'_>, paper: &mut Paper) {
    paper.part("What this plan is for");
    paper.says(format!(
        "This plan says what is moved for {}, in which stages and by when, who does what, what is handed over, and what the \
         service is accepted by. It is made from the record of the project.",
        ground.record().name
    ));
    ground.project_facts(paper);
    if ground.of.is_draft {
        paper.note(Tone::Caution, "This is a draft. Implementation begins only once a complete version is signed.");
    }
}

fn scope(ground: &Ground<'_>, paper: &mut Paper) {
    paper.part("Scope");
    ground.months(paper);
    for form in &ground.scope.programme.forms {
        ground.answers_table(paper, form, |_| true);
    }
    let left = ground.list("not-migrated");
    if !left.is_empty() {
        paper.section("What does not move");
        paper.list(left);
    }
    ground.register_table(paper, Register::Changes, |_| true);
}

fn dates(ground: &Ground<'_>, paper: &mut Paper) {
    paper.part("Stages and dates");
    ground.stages_table(paper);
    ground.dates_table(paper);
    ground.deadlines_table(paper);
    for stage in ground.stages() {
        ground.weeks_table(paper, stage);
    }
}

fn deliverables(ground: &Ground<'_>, paper: &mut Paper) {
    paper.part("Deliverables, payment and acceptance");
    paper.section("Deliverables");
    ground.deliverables_table(paper, "Deliverables of the contract", |row| row.is_contractual, "There are none.");
    ground.deliverables_table(paper, "Other deliverables", |row| !row.is_contractual, "There are none.");
    paper.section("Payment milestones");
    paper.says(
        "What was ordered or quoted stands below, with the prices and days of the record. Other milestones of payment are not \
         recorded.",
    );
    ground.register_table(paper, Register::Orders, |_| true);
    paper.section("What implementation waits for");
    if let Some(gate) = ground.gate_into_live() {
        ground.gate_table(paper, gate);
    }
    paper.section("What the service is signed off by");
    if let Some(gate) = ground.scope.gates().into_iter().last() {
        ground.gate_table(paper, gate);
    }
}
