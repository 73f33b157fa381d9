//! What must hold along the stages of each kind of project: gates that lead from one to the next, and nothing asked
//! before it can be there.

use super::{Checker, name_of};
use crate::data::{Criterion, Gate, MetBy, ProjectType, RoleOfProject, Side, Stage, Week};

/// Checks the stages, weeks and gates of every kind of project.
pub(super) fn check(checker: &mut Checker<'_>) {
    types(checker);
    stages(checker);
    weeks(checker);
    gates(checker);
    orphans(checker);
    let programme = checker.programme;
    for (index, task) in programme.tasks.iter().enumerate() {
        one_stage_each::<crate::TaskOfProfile>(checker, index, &task.id, &task.types, &task.stages);
    }
    for (index, row) in programme.deliverables.iter().enumerate() {
        one_stage_each::<crate::DeliverableOfProfile>(checker, index, &row.id, &row.types, &row.stages);
    }
}

fn types(checker: &mut Checker<'_>) {
    let programme = checker.programme;
    let mut names = std::collections::BTreeSet::new();
    for (index, kind) in programme.types.iter().enumerate() {
        checker.known::<ProjectType, _>(index, "stage", &kind.stages, &programme.stages);
        checker.filled::<ProjectType>(index, "stages", &kind.stages);
        for name in std::iter::once(&kind.id).chain(&kind.aliases) {
            if !names.insert(name) {
                let message = format!("two types are called \"{name}\"");
                checker.wrong::<ProjectType>(index, name, message, "take the alias out of one of them");
            }
        }
        let needed = kind.go.iter().chain(kind.stands_in.values()).chain(std::iter::once(&kind.risks));
        for side in needed {
            if !kind.sides.contains(side) {
                let side = name_of(*side);
                let message = format!("the type \"{}\" needs the side {side}, which takes no part in it", kind.id);
                checker.wrong::<ProjectType>(index, side, message, "add it to `sides`");
            }
        }
        if kind.go.is_empty() {
            let message = format!("nobody says go in the type \"{}\"", kind.id);
            checker.wrong::<ProjectType>(index, "go", message, "name the sides under `go`");
        }
    }
}

fn stages(checker: &mut Checker<'_>) {
    let programme = checker.programme;
    for (index, stage) in programme.stages.iter().enumerate() {
        checker.filled::<Stage>(index, "objectives", &stage.objectives);
        checker.known::<Stage, _>(index, "criterion", &stage.entry, &programme.criteria);
        checker.known::<Stage, _>(index, "criterion", &stage.exit, &programme.criteria);
        let (weeks, days) = (stage.weeks.is_some(), stage.working_days.is_some());
        if (weeks && days) || (!weeks && !days && stage.length.is_none()) {
            let message = format!("the length of the stage \"{}\" is said twice or not at all", stage.id);
            let advice = "write one of `weeks` and `working-days`, or say in `length` why it is open";
            checker.wrong::<Stage>(index, "weeks", message, advice);
        }
        if !programme.types.iter().any(|kind| kind.stages.contains(&stage.id)) {
            let message = format!("no type has the stage \"{}\"", stage.id);
            checker.wrong::<Stage>(index, &stage.id, message, "name it in a type, or take it out");
        }
    }
}

fn weeks(checker: &mut Checker<'_>) {
    let programme = checker.programme;
    for (index, week) in programme.weeks.iter().enumerate() {
        checker.known::<Week, _>(index, "stage", std::slice::from_ref(&week.stage), &programme.stages);
        checker.known::<Week, _>(index, "deliverable", &week.deliverables, &programme.deliverables);
        checker.filled::<Week>(index, "organisation", &week.organisation);
        checker.filled::<Week>(index, "provider", &week.provider);
        let named = format!("week {} of the stage \"{}\"", week.week, week.stage);
        let stage = programme.stages.iter().find(|stage| stage.id == week.stage);
        if stage.and_then(|stage| stage.weeks).is_some_and(|weeks| week.week > weeks) {
            let advice = "correct the week, or the length of the stage";
            checker.wrong::<Week>(index, "week", format!("{named} comes after its end"), advice);
        }
        if programme.weeks[..index].iter().any(|before| (&before.stage, before.week) == (&week.stage, week.week)) {
            checker.wrong::<Week>(index, &week.stage, format!("{named} is there twice"), "put both into one row");
        }
        for id in &week.deliverables {
            let row = programme.deliverables.iter().find(|row| row.id == *id);
            if row.is_some_and(|row| !row.stages.contains(&week.stage)) {
                let message = format!("{named} ends with \"{id}\", which is due in another stage");
                checker.wrong::<Week>(index, id, message, "write the same stage in both rows");
            }
        }
    }
}

/// A row that belongs to stages belongs to exactly one of each kind of project that has it: the track decides which.
fn one_stage_each<T: crate::read::Row>(
    checker: &mut Checker<'_>,
    index: usize,
    id: &str,
    types: &[String],
    stages: &[String],
) {
    for kind in checker.kinds(types) {
        let count = stages.iter().filter(|stage| kind.stages.contains(stage)).count();
        if count != 1 {
            let message = format!("\"{id}\" belongs to {count} stages of the type \"{}\", not to one", kind.id);
            checker.wrong::<T>(index, "stages", message, "name one stage of each track, or fewer types");
        }
    }
}

fn gates(checker: &mut Checker<'_>) {
    let programme = checker.programme;
    for (index, gate) in programme.gates.iter().enumerate() {
        checker.known::<Gate, _>(index, "type", &gate.types, &programme.types);
        checker.known::<Gate, _>(index, "criterion", &gate.criteria, &programme.criteria);
        checker.known::<Gate, _>(index, "role", &gate.passed_by, &programme.roles);
        checker.filled::<Gate>(index, "types", &gate.types);
        checker.filled::<Gate>(index, "passed-by", &gate.passed_by);
        for kind in programme.types.iter().filter(|kind| gate.types.contains(&kind.id)) {
            gate_of_type(checker, index, gate, kind);
        }
    }
    for (index, kind) in programme.types.iter().enumerate() {
        let of_kind = |gate: &&Gate| gate.types.contains(&kind.id);
        for stage in &kind.stages {
            let enters = |gate: &&Gate| gate.enters.as_ref() == Some(stage);
            let count = programme.gates.iter().filter(of_kind).filter(enters).count();
            if count != 1 {
                let message = format!("{count} gates enter the stage \"{stage}\" of the type \"{}\"", kind.id);
                checker.wrong::<ProjectType>(index, stage, message, "write one gate that enters it");
            }
        }
        let ends = programme.gates.iter().filter(of_kind).filter(|gate| gate.enters.is_none()).count();
        if ends != 1 {
            let message = format!("{ends} gates end the type \"{}\"", kind.id);
            checker.wrong::<ProjectType>(index, &kind.id, message, "write one gate that only leaves its last stage");
        }
    }
}

fn gate_of_type(checker: &mut Checker<'_>, index: usize, gate: &Gate, kind: &ProjectType) {
    let programme = checker.programme;
    let position = |stage: &Option<String>| match stage {
        None => Some(None),
        Some(stage) => kind.stages.iter().position(|known| known == stage).map(Some),
    };
    let (leaves, enters) = (position(&gate.leaves), position(&gate.enters));
    for (stage, position) in [(&gate.leaves, leaves), (&gate.enters, enters)] {
        if let (Some(stage), None) = (stage, position) {
            let message =
                format!("the gate \"{}\" is of the type \"{}\", which has no stage {stage}", gate.id, kind.id);
            checker.wrong::<Gate>(index, stage, message, "correct the stage, or take the type out");
        }
    }
    let (Some(leaves), Some(enters)) = (leaves, enters) else { return };
    let next = match leaves {
        None => Some(0),
        Some(leaves) => Some(leaves + 1).filter(|next| *next < kind.stages.len()),
    };
    if enters != next {
        let message = format!("the gate \"{}\" does not lead from a stage of \"{}\" to the next", gate.id, kind.id);
        checker.wrong::<Gate>(index, "enters", message, "gates lead from each stage to the one after it");
    }
    let roles = programme.roles.iter().filter(|role| gate.passed_by.contains(&role.id));
    if !roles.into_iter().any(|role| kind.sides.contains(&role.side)) {
        let message = format!("nobody who takes part in the type \"{}\" can pass the gate \"{}\"", kind.id, gate.id);
        checker.wrong::<Gate>(index, "passed-by", message, "name a role of a side that takes part");
    }
    for criterion in asked(checker, gate).filter(|row| row.types.is_empty() || row.types.contains(&kind.id)) {
        criterion_at_gate(checker, gate, kind, leaves.unwrap_or(0), criterion);
    }
}

/// Criteria that a gate asks: its own, the exit ones of the stage that it leaves and the entry ones of the next.
fn asked<'a>(checker: &Checker<'a>, gate: &Gate) -> impl Iterator<Item = &'a Criterion> + use<'a> {
    let programme = checker.programme;
    let stage = |id: &Option<String>| programme.stages.iter().find(|stage| Some(&stage.id) == id.as_ref());
    let mut ids: Vec<String> = stage(&gate.leaves).map(|stage| stage.exit.clone()).unwrap_or_default();
    ids.extend(stage(&gate.enters).into_iter().flat_map(|stage| stage.entry.clone()));
    ids.extend(gate.criteria.iter().cloned());
    programme.criteria.iter().filter(move |criterion| ids.contains(&criterion.id))
}

/// Whatever meets a criterion can be there when this gate of this kind of project asks for it.
fn criterion_at_gate(checker: &mut Checker<'_>, gate: &Gate, kind: &ProjectType, leaves: usize, row: &Criterion) {
    let programme = checker.programme;
    let index = programme.criteria.iter().position(|known| known.id == row.id).unwrap_or_default();
    let here = format!("the gate \"{}\" of the type \"{}\"", gate.id, kind.id);
    let takes_part = |role: &str| {
        let role: Option<&RoleOfProject> = programme.roles.iter().find(|known| known.id == role);
        role.is_none_or(|role| kind.sides.contains(&role.side))
    };
    let mut roles: Vec<&str> = vec![&row.owner];
    let mut sides: &[Side] = &[];
    let mut due: Option<(&[String], &[String])> = None;
    match &row.met_by {
        MetBy::SignedBy(named) | MetBy::Filled(named) => roles.extend(named.iter().map(String::as_str)),
        MetBy::Prerequisites(role) => {
            roles.push(role);
            let counts = |task: &crate::TaskOfProfile| task.types.is_empty() || task.types.contains(&kind.id);
            let mut prerequisites =
                programme.tasks.iter().filter(|task| task.is_prerequisite && counts(task)).peekable();
            if prerequisites.peek().is_none() {
                let message = format!("{here} asks for pre-requisites, but there are none");
                checker.wrong::<Criterion>(index, &row.id, message, "mark the tasks with `is-prerequisite`");
            }
            for task in prerequisites.filter(|task| position_of(kind, &task.stages).is_some_and(|stage| stage > leaves))
            {
                let message = format!("{here} asks for the pre-requisite \"{}\" of a later stage", task.id);
                checker.wrong::<Criterion>(index, &row.id, message, "move the task to a stage before the gate");
            }
        }
        MetBy::Sides(named) => sides = named,
        MetBy::Task(id) => {
            due = programme.tasks.iter().find(|task| task.id == *id).map(|task| (&*task.types, &*task.stages));
        }
        MetBy::Deliverable(id) => {
            due = programme.deliverables.iter().find(|row| row.id == *id).map(|row| (&*row.types, &*row.stages));
        }
        MetBy::Fact(_) | MetBy::Field(_) | MetBy::Form(_) | MetBy::Decision(_) | MetBy::Register(_) => {}
    }
    for role in roles.into_iter().filter(|role| !takes_part(role)) {
        let message = format!("{here} asks \"{role}\", whose side takes no part there");
        checker.wrong::<Criterion>(index, role, message, "name a role of a side that takes part, or other types");
    }
    for side in sides.iter().filter(|side| !kind.sides.contains(side)) {
        let side = name_of(*side);
        let message = format!("{here} asks the side {side}, which takes no part there");
        checker.wrong::<Criterion>(index, side, message, "name sides that take part, or other types");
    }
    let Some((types, stages)) = due else { return };
    if !types.is_empty() && !types.contains(&kind.id) {
        let message = format!("{here} asks \"{}\", which is met by what that type does not have", row.id);
        checker.wrong::<Criterion>(index, &row.id, message, "name the same types in both rows");
    } else if position_of(kind, stages).is_some_and(|stage| stage > leaves) {
        let message = format!("{here} asks \"{}\", which is met by something of a later stage", row.id);
        checker.wrong::<Criterion>(index, &row.id, message, "ask for it at a later gate, or move it to this stage");
    }
}

/// Which stage of a kind of project this is, of stages that name one of each track.
fn position_of(kind: &ProjectType, stages: &[String]) -> Option<usize> {
    stages.iter().find_map(|stage| kind.stages.iter().position(|known| known == stage))
}

/// Criteria that no gate asks.
fn orphans(checker: &mut Checker<'_>) {
    let programme = checker.programme;
    for (index, criterion) in programme.criteria.iter().enumerate() {
        if !programme.gates.iter().any(|gate| asked(checker, gate).any(|asked| asked.id == criterion.id)) {
            let message = format!("no gate asks for the criterion \"{}\"", criterion.id);
            checker.wrong::<Criterion>(index, &criterion.id, message, "name it in a stage or a gate, or take it out");
        }
    }
}
