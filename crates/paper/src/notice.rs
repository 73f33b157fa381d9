//! Confirmations that something may begin: of readiness, and that the beta test succeeded.

use document::{Block, Tone};
use programme::{Item, MetBy, StatusRow, Subject, TaskState};

use crate::ground::Ground;
use crate::paper::Paper;
use crate::why::{Missing, Why};

/// The confirmation of readiness. It is not made while a pre-requisite is open.
pub(crate) fn readiness(ground: &Ground<'_>) -> Result<Vec<Block>, Why> {
    let gate = ground.gate_into_live().ok_or_else(|| ground.not_of_type())?;
    let items = ground.assess(gate).map(|assessed| assessed.items).unwrap_or_default();
    let is_prerequisites = |item: &&Item| {
        let criterion = ground.scope.criterion(&item.criterion);
        criterion.is_some_and(|criterion| matches!(criterion.met_by, MetBy::Prerequisites(_)))
    };
    let missing = items.iter().filter(is_prerequisites).filter(|item| !item.is_met).map(Missing::of).collect();
    ground.complete(missing)?;
    let stage = gate.enters.as_deref().map(|stage| ground.stage(stage)).unwrap_or_default();
    let mut paper = Paper::default();
    paper.part("What is confirmed");
    let is_ready = items.iter().filter(is_prerequisites).all(|item| item.is_met);
    if is_ready {
        let name = &ground.record().name;
        let text =
            format!("{name} is ready for the stage \"{stage}\": all pre-requisites are complete and signed off.");
        paper.note(Tone::Good, text);
    } else {
        paper.note(Tone::Caution, "The pre-requisites are not signed off yet: this draft confirms nothing.");
    }
    ground.project_facts(&mut paper);
    ground.dates_table(&mut paper);
    paper.part("What the gate asks");
    ground.gate_table(&mut paper, gate);
    paper.part("Pre-requisites");
    let tasks = ground.status();
    let needed: Vec<&StatusRow> = tasks.iter().filter(|task| task.is_prerequisite).collect();
    ground.full_tasks_table(&mut paper, "Pre-requisites", &needed, "The type has no pre-requisites.");
    ground.words_table(
        &mut paper,
        "Who signed what off",
        |id| items.iter().any(|item| item.criterion == id),
        "Nobody has signed anything off yet.",
    );
    paper.part("Evidence");
    let is_needed = |id: &str| needed.iter().any(|task| task.task == id);
    ground.evidence_table(
        &mut paper,
        "Evidence of the pre-requisites",
        |held| matches!(&held.on, Subject::Task(id) if is_needed(id)),
    );
    ground.closing_parts(&mut paper);
    Ok(paper.blocks())
}

/// The notice of the beta test. It is not made before the tasks of the test are done: those of its stage that were made for
/// the same requirement.
pub(crate) fn beta(ground: &Ground<'_>) -> Result<Vec<Block>, Why> {
    let known = ground.deliverable().ok_or_else(|| ground.not_of_type())?;
    let stage = known.stages.iter().find(|stage| ground.scope.place_of(stage).is_some());
    let stage = stage.ok_or_else(|| ground.not_of_type())?;
    let is_test = |row: &StatusRow| {
        let task = ground.scope.programme.tasks.iter().find(|task| task.id == row.task);
        task.is_some_and(|task| task.requirements.iter().any(|one| known.requirements.contains(one)))
    };
    let of_stage: Vec<StatusRow> = ground.status().into_iter().filter(|task| task.stage == *stage).collect();
    let (tests, others): (Vec<&StatusRow>, Vec<&StatusRow>) = of_stage.iter().partition(|task| is_test(task));
    // Once it is accepted the sides have said themselves that the test succeeded.
    let missing = if ground.signed().is_empty() { not_tested(ground, stage, &tests) } else { Vec::new() };
    let is_complete = missing.is_empty();
    ground.complete(missing)?;
    let mut paper = Paper::default();
    paper.part("What is confirmed");
    let (tone, text) = match (ground.signed().first(), is_complete) {
        (_, false) => (Tone::Caution, "The beta test is not complete yet: this draft confirms nothing.".to_owned()),
        (None, true) => {
            (Tone::Neutral, "The success of the beta test is confirmed once this notice is accepted.".to_owned())
        }
        (Some(signed), true) => {
            let said = ground.said(signed.said);
            (Tone::Good, format!("The beta test succeeded. Accepted by {said}, as {}.", signed.role))
        }
    };
    paper.note(tone, text);
    ground.project_facts(&mut paper);
    paper.part("What was tested");
    ground.full_tasks_table(&mut paper, "Tasks of the test", &tests, "No task is recorded.");
    ground.tasks_table(&mut paper, "Other tasks of the stage", &others, "There are none.");
    ground.results_table(&mut paper, "Results", |of| of == stage);
    ground.evidence_table(&mut paper, "Evidence", |held| match &held.on {
        Subject::Task(id) => of_stage.iter().any(|task| task.task == *id),
        Subject::Deliverable(id) => *id == known.id,
        _ => false,
    });
    ground.closing_parts(&mut paper);
    Ok(paper.blocks())
}

/// What keeps the notice of the test back.
fn not_tested(ground: &Ground<'_>, stage: &str, tests: &[&StatusRow]) -> Vec<Missing> {
    let is_done = |task: &StatusRow| matches!(task.state, TaskState::Done | TaskState::Validated | TaskState::Dropped);
    let has_begun = ground.record().stages.iter().any(|entry| entry.stage == stage);
    let entered = Missing {
        what: format!("The stage \"{}\"", ground.stage(stage)),
        seen: "the project has not entered it".to_owned(),
        closes: "pass the gate before it".to_owned(),
    };
    let open = tests.iter().filter(|task| !is_done(task)).map(|task| Missing {
        what: task.title.clone(),
        seen: format!("it lacks that {}", task.lacks.join(", ")),
        closes: "do it, with its evidence".to_owned(),
    });
    (!has_begun).then_some(entered).into_iter().chain(open).collect()
}

impl Missing {
    /// An open criterion.
    pub(crate) fn of(item: &Item) -> Self {
        Self { what: item.title.clone(), seen: item.by.clone(), closes: item.closes.clone() }
    }
}

impl Ground<'_> {
    pub(crate) fn not_of_type(&self) -> Why {
        Why::NotOfType { document: self.kind, project_type: self.scope.project_type.title.clone() }
    }

    /// A document that confirms something is made only when nothing is missing; a draft always is.
    pub(crate) fn complete(&self, missing: Vec<Missing>) -> Result<(), Why> {
        if missing.is_empty() || self.of.is_draft {
            return Ok(());
        }
        Err(Why::Incomplete { document: self.kind, missing })
    }

    /// How documents end that are handed over: with what was said of them, their earlier versions and their signatures.
    pub(crate) fn closing_parts(&self, paper: &mut Paper) {
        paper.part("Handed over and accepted");
        self.handed_over(paper);
        self.history(paper);
        self.signing(paper);
    }
}
