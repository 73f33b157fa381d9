//! Go or no-go: what the call looks at, and what was decided.

use document::{Block, Cell, SignatureLine, Tone};
use programme::{Gate, MetBy, Register, Side, StatusRow, Verdict, side_name};

use crate::ground::Ground;
use crate::paper::{Paper, columns, verdict};
use crate::section::work::workstreams_table;
use crate::why::{Missing, Why};
use crate::words;

/// The criterion at which sides speak, and which sides.
fn asked(ground: &Ground<'_>, gate: &Gate) -> Vec<(String, Vec<Side>)> {
    let criteria = ground.scope.criteria(gate).into_iter();
    criteria
        .filter_map(|criterion| match &criterion.met_by {
            MetBy::Sides(sides) => {
                let sides = if sides.is_empty() { &ground.scope.project_type.go } else { sides };
                let mut here: Vec<Side> = Vec::new();
                for side in sides.iter().map(|side| ground.scope.answers(*side)) {
                    if !here.contains(&side) {
                        here.push(side);
                    }
                }
                Some((criterion.id.clone(), here))
            }
            _ => None,
        })
        .collect()
}

/// What each side said.
fn words_table(ground: &Ground<'_>, paper: &mut Paper, asked: &[(String, Vec<Side>)]) {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for (criterion, sides) in asked {
        let said = ground.record().words_on(criterion);
        for side in sides {
            let word = said.get(side_name(*side));
            let state = match word.map(|word| word.verdict) {
                Some(Verdict::Yes) => (Tone::Good, "Go"),
                Some(Verdict::No) => (Tone::Alert, "No-go"),
                None => (Tone::Caution, "Not said yet"),
            };
            rows.push(vec![
                words::side(*side).into(),
                verdict(state),
                word.map(|word| ground.person(&word.said.who)).unwrap_or_default().into(),
                word.map_or_else(|| Cell::from(""), |word| words::day_of(word.said.at).into()),
                word.map(|word| word.said.note.clone()).unwrap_or_default().into(),
            ]);
        }
    }
    let columns = columns([("Side", 20), ("Says", 16), ("By", 24), ("On", 16), ("Said", 24)]);
    paper.table("What each side says", columns, rows, "No side is asked.");
}

/// The papers for the call.
pub(crate) fn pack(ground: &Ground<'_>) -> Result<Vec<Block>, Why> {
    let gate = ground.gate_of_go().ok_or_else(|| ground.not_of_type())?;
    let asked = asked(ground, gate);
    let tasks = ground.status();
    let mut paper = Paper::default();
    paper.part("What is to be decided");
    let enters = gate.enters.as_deref().map(|stage| ground.stage(stage)).unwrap_or_default();
    let sides: Vec<&str> = asked.iter().flat_map(|(_, sides)| sides).map(|side| side_name(*side)).collect();
    paper.says(format!(
        "The call decides whether the stage \"{enters}\" begins. These say go or no-go: {}. Without a go of each of them it \
         does not begin.",
        sides.join(", ")
    ));
    ground.project_facts(&mut paper);
    words_table(ground, &mut paper, &asked);
    let agenda = ground.list("go-no-go-agenda");
    if !agenda.is_empty() {
        paper.section("Agenda");
        paper.list(agenda);
    }
    paper.part("What the gate asks");
    ground.gate_table(&mut paper, gate);
    if let Some(stage) = gate.leaves.as_deref() {
        let of_stage: Vec<&StatusRow> = tasks.iter().filter(|task| task.stage == stage).collect();
        paper.part(&format!("What was done: {}", ground.stage(stage)));
        ground.full_tasks_table(&mut paper, "Tasks of the stage", &of_stage, "The stage has no tasks.");
        ground.results_table(&mut paper, "Results of the stage", |of| of == stage);
    }
    paper.part("What the pilot showed");
    ground.pilot_tables(&mut paper);
    paper.part("Readiness by workstream");
    workstreams_table(&mut paper, &tasks);
    let open: Vec<&StatusRow> =
        tasks.iter().filter(|task| Ground::is_open(task) && is_by_now(ground, task, gate)).collect();
    ground.tasks_table(&mut paper, "Tasks that are still open", &open, "No task up to this stage is open.");
    ground.register_table(&mut paper, Register::Training, |_| true);
    ground.desk_tables(&mut paper);
    ground.register_table(&mut paper, Register::Applications, |_| true);
    paper.part("What stands against it");
    ground.issues_table(&mut paper, "Open issues", |issue| !issue.is_resolved);
    ground.register_table(&mut paper, Register::TechnicalIssues, programme::Row::is_open);
    ground.register_table(&mut paper, Register::Risks, programme::Row::is_open);
    paper.part("What comes next");
    ground.stages_table(&mut paper);
    ground.deadlines_table(&mut paper);
    paper.part("Evidence");
    ground.evidence_table(&mut paper, "Evidence of the stage", |held| match &held.on {
        programme::Subject::Task(id) => {
            tasks.iter().any(|task| task.task == *id && Some(&task.stage) == gate.leaves.as_ref())
        }
        programme::Subject::Gate(id) => *id == gate.id,
        programme::Subject::Criterion(id) => asked.iter().any(|(criterion, _)| criterion == id),
        _ => false,
    });
    ground.history(&mut paper);
    Ok(paper.blocks())
}

/// Is it a task of the stage that the gate leaves, or of one before?
fn is_by_now(ground: &Ground<'_>, task: &StatusRow, gate: &Gate) -> bool {
    let place = gate.leaves.as_deref().and_then(|stage| ground.scope.place_of(stage));
    ground.scope.place_of(&task.stage) <= place
}

/// What was decided. It is not made before each side that is asked has spoken.
pub(crate) fn confirmation(ground: &Ground<'_>) -> Result<Vec<Block>, Why> {
    let gate = ground.gate_of_go().ok_or_else(|| ground.not_of_type())?;
    let asked = asked(ground, gate);
    let mut missing = Vec::new();
    let mut noes = Vec::new();
    let mut lines = Vec::new();
    for (criterion, sides) in &asked {
        let said = ground.record().words_on(criterion);
        for side in sides {
            let word = said.get(side_name(*side));
            match word {
                None => missing.push(Missing {
                    what: format!("The word of the {}", side_name(*side)),
                    seen: "it has said neither go nor no-go".to_owned(),
                    closes: "hold the call and record what it says".to_owned(),
                }),
                Some(word) if word.verdict == Verdict::No => noes.push(side_name(*side)),
                Some(_) => {}
            }
            lines.push(SignatureLine {
                role: format!("For the {}", side_name(*side)),
                name: word.map(|word| ground.person(&word.said.who)).unwrap_or_default(),
                date: word.map(|word| words::day_of(word.said.at)),
            });
        }
    }
    let is_complete = missing.is_empty();
    ground.complete(missing)?;
    let enters = gate.enters.as_deref().map(|stage| ground.stage(stage)).unwrap_or_default();
    let mut paper = Paper::default();
    paper.part("What was decided");
    match (is_complete, noes.as_slice()) {
        (false, _) => paper.note(Tone::Caution, "Not every side has spoken yet: this draft confirms nothing."),
        (true, []) => paper.note(Tone::Good, format!("Go. Every side that is asked says that \"{enters}\" can begin.")),
        (true, noes) => paper
            .note(Tone::Alert, format!("No-go. \"{enters}\" does not begin: the {} said no.", noes.join(" and the "))),
    }
    words_table(ground, &mut paper, &asked);
    ground.project_facts(&mut paper);
    paper.part("What the decision rests on");
    ground.gate_table(&mut paper, gate);
    ground.issues_table(&mut paper, "Issues that were open", |issue| !issue.is_resolved);
    paper.part("What comes next");
    ground.stages_table(&mut paper);
    ground.deadlines_table(&mut paper);
    paper.part("Handed over and accepted");
    ground.handed_over(&mut paper);
    ground.history(&mut paper);
    paper.part("Words of the sides");
    if ground.of.is_draft {
        paper.says("A draft is not signed.");
    } else {
        paper.says("Each word was given in the record by the person named here.");
        paper.signatures(lines);
    }
    Ok(paper.blocks())
}
