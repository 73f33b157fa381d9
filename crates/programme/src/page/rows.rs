//! The lists of a programme's page.

use std::collections::BTreeMap;

use super::{Page, code, side, sides, title_of_role};
use crate::data::{Charged, Condition, Criterion, FieldKind, MetBy, Programme, Reached, Stage, TaskOfProfile};

/// What happens in a stage: weeks, roles, tasks, deliverables, lessons.
pub(super) fn of_stage(page: &mut Page, programme: &Programme, stage: &Stage) {
    let weeks: Vec<_> = programme.weeks.iter().filter(|week| week.stage == stage.id).collect();
    if !weeks.is_empty() {
        page.line("");
        page.table(
            ["Week", "Organisation", "Provider", "Deliverables"],
            weeks.into_iter().map(|week| {
                let number = if week.week == 0 { "every".to_owned() } else { week.week.to_string() };
                let deliverables = week.deliverables.iter().map(|id| deliverable(programme, id));
                let deliverables = deliverables.collect::<Vec<_>>().join("; ");
                [number, week.organisation.join("; "), week.provider.join("; "), deliverables]
            }),
        );
    }
    if let Some(staffing) = programme.staffing.iter().find(|row| row.stages.contains(&stage.id)) {
        let roles: Vec<String> = staffing.roles.iter().map(|role| title_of_role(programme, role)).collect();
        page.line(format_args!("\nRoles to fill: {}.", roles.join("; ")));
    }
    let tasks: Vec<_> = programme.tasks.iter().filter(|task| task.stages.contains(&stage.id)).collect();
    if !tasks.is_empty() {
        page.line("");
        page.table(
            ["Task", "What is to be done", "Sides", "Role", "Workstream", "Kinds of project", "Remarks"],
            tasks.into_iter().map(|task| {
                let role = task.role.as_ref().map_or_else(String::new, |role| title_of_role(programme, role));
                let types = if task.types.is_empty() { "all".to_owned() } else { task.types.join(", ") };
                let (title, workstream) = (task.title.clone(), task.workstream.clone());
                [code(&task.id), title, sides(&task.sides), role, workstream, types, remarks(task)]
            }),
        );
    }
    let deliverables: Vec<_> = programme.deliverables.iter().filter(|row| row.stages.contains(&stage.id)).collect();
    if !deliverables.is_empty() {
        page.line("");
        page.table(
            ["Deliverable", "What it is", "Handed over by", "Accepted by one of", "Document"],
            deliverables.into_iter().map(|row| {
                let accepted: Vec<String> = row.accepted_by.iter().map(|role| title_of_role(programme, role)).collect();
                let mut document = row.document.as_ref().map_or_else(String::new, |name| code(name));
                if let Some(package) = &row.package {
                    let after = format!("after {}", code(package));
                    document = if document.is_empty() { after } else { format!("{document}, {after}") };
                }
                let contract = if row.is_contractual { " (of the contract)" } else { "" };
                let title = format!("{}{contract}", row.title);
                [code(&row.id), title, side(row.side).to_owned(), accepted.join(", "), document]
            }),
        );
    }
    for lesson in programme.lessons.iter().filter(|lesson| lesson.stages.contains(&stage.id)) {
        page.line(format_args!("\nLesson, {}: {}", lesson.title, lesson.text));
    }
}

/// Everything that belongs to no stage.
pub(super) fn write(page: &mut Page, programme: &Programme, editions: &[(&str, Programme)]) {
    page.heading(2, "Responsibility matrix");
    page.table(
        ["Part", "Task", "Sides"],
        programme.responsibilities.iter().map(|row| {
            let title = programme.tasks.iter().find(|task| task.id == row.task).map(|task| task.title.clone());
            [row.part.clone(), title.unwrap_or_else(|| row.task.clone()), sides(&row.sides)]
        }),
    );
    page.heading(2, "Roles");
    page.table(
        ["Role", "Name", "Side", "Must be filled"],
        programme.roles.iter().map(|role| {
            let key = if role.is_key { "yes" } else { "" };
            [code(&role.id), role.title.clone(), side(role.side).to_owned(), key.to_owned()]
        }),
    );
    for view in &programme.views {
        page.heading(2, &view.title);
        let lines = view.parts.iter().flat_map(|part| part.lines.iter().map(move |line| (part, line)));
        page.table(
            ["Part", "Line", "Criterion"],
            lines.map(|(part, line)| [part.title.clone(), line.title.clone(), code(&line.criterion)]),
        );
    }
    pilot_and_decisions(page, programme);
    for package in &programme.packages {
        page.heading(2, &package.title);
        page.points(package.parts.iter().map(|part| {
            let title = programme.criteria.iter().find(|known| known.id == *part).map(|known| known.title.as_str());
            format!("{}: {}", code(part), title.unwrap_or_default())
        }));
    }
    page.heading(2, "Options appraisal");
    page.line("The first rule that speaks decides; all that speak are shown.\n");
    page.table(
        ["Rule", "When", "Recommends", "Why"],
        programme.appraisal.iter().map(|rule| {
            let when: Vec<String> = rule.when.iter().map(condition).collect();
            [code(&rule.id), when.join("; "), code(&rule.recommends), rule.why.clone()]
        }),
    );
    for form in &programme.forms {
        page.heading(2, &form.title);
        page.table(
            ["Field", "What is asked", "Answer"],
            form.fields.iter().map(|field| {
                let answer = match field.kind {
                    FieldKind::Text => "words".to_owned(),
                    FieldKind::Number => "a whole number".to_owned(),
                    FieldKind::Date => "a day".to_owned(),
                    FieldKind::YesNo => "yes or no".to_owned(),
                    FieldKind::Choice => field.choices.join(", "),
                };
                let optional = if field.is_optional { "; may stay empty" } else { "" };
                [code(&format!("{}.{}", form.id, field.id)), field.title.clone(), answer + optional]
            }),
        );
    }
    for list in &programme.lists {
        page.heading(2, &list.title);
        page.points(&list.lines);
    }
    catalogue(page, programme);
    constants(page, editions);
    page.heading(2, "Days on which nobody works");
    let mut years: BTreeMap<i16, Vec<String>> = BTreeMap::new();
    for holiday in &programme.holidays {
        years.entry(holiday.day.year()).or_default().push(format!("{} {}", holiday.day, holiday.title));
    }
    page.table(["Year", "Days"], years.into_iter().map(|(year, days)| [year.to_string(), days.join("; ")]));
}

/// What people of the pilot check, and what may be decided by whom.
fn pilot_and_decisions(page: &mut Page, programme: &Programme) {
    let roles =
        |roles: &[String]| roles.iter().map(|role| title_of_role(programme, role)).collect::<Vec<_>>().join(", ");
    page.heading(2, "Checks of the pilot");
    page.table(
        ["Check", "What is checked", "Possible once the person is", "Answered by one of"],
        programme.pilot_checks.iter().map(|check| {
            let after = match check.after {
                Reached::Copy => "copied",
                Reached::Switch => "switched",
            };
            [code(&check.id), check.title.clone(), after.to_owned(), roles(&check.answered_by)]
        }),
    );
    page.heading(2, "Decisions in place of what is seen");
    page.table(
        ["Decision", "What it says", "Kinds of project", "Recorded by one of"],
        programme.decisions.iter().map(|row| {
            let types = if row.types.is_empty() { "all".to_owned() } else { row.types.join(", ") };
            [code(&row.id), row.title.clone(), types, roles(&row.decided_by)]
        }),
    );
}

fn catalogue(page: &mut Page, programme: &Programme) {
    page.heading(2, "Catalogue");
    page.table(
        ["Item", "Name", "Unit", "Charged by", "Prices in pennies"],
        programme.catalogue.iter().map(|item| {
            let charged = match item.charged {
                Charged::Accounts => "accounts that are enabled",
                Charged::Use => "use",
            };
            let price = |price: &crate::Price| {
                let (whole, rest) = (price.millipence / 1000, price.millipence % 1000);
                let rest = if rest == 0 { String::new() } else { format!(".{rest:03}") };
                format!("{whole}{} from {}", rest.trim_end_matches('0'), price.from)
            };
            let prices: Vec<String> = item.prices.iter().map(price).collect();
            let prices = if prices.is_empty() { "asked for".to_owned() } else { prices.join("; ") };
            [code(&item.id), item.title.clone(), item.unit.clone(), charged.to_owned(), prices]
        }),
    );
}

/// Numbers, with a column for each edition.
fn constants(page: &mut Page, editions: &[(&str, Programme)]) {
    page.heading(2, "Numbers");
    let Some((_, current)) = editions.last() else { return };
    let names: Vec<&str> = editions.iter().map(|(edition, _)| *edition).collect();
    page.table(
        ["Name", "What it is", "Unit", &names.join(" / "), "From"],
        current.constants.iter().map(|(name, constant)| {
            let values = editions.iter().filter_map(|(_, programme)| programme.constants.get(name));
            let mut values: Vec<String> = values.map(|constant| thousands(constant.value)).collect();
            values.dedup();
            let (about, unit, from) = (constant.about.clone(), constant.unit.clone(), constant.from.clone());
            [code(name), about, unit, values.join(" / "), from]
        }),
    );
}

/// What meets a criterion, in words.
pub(super) fn met_by(programme: &Programme, criterion: &Criterion) -> String {
    let roles =
        |roles: &[String]| roles.iter().map(|role| title_of_role(programme, role)).collect::<Vec<_>>().join(", ");
    match &criterion.met_by {
        MetBy::Fact(fact) => format!("the fact `{fact}`"),
        MetBy::Deliverable(id) => format!("the deliverable `{id}`, accepted"),
        MetBy::Task(id) => format!("the task `{id}`, done"),
        MetBy::Prerequisites(role) => format!("all pre-requisites, signed by: {}", title_of_role(programme, role)),
        MetBy::SignedBy(named) => format!("signatures: {}", roles(named)),
        MetBy::Filled(named) => format!("holders: {}", roles(named)),
        MetBy::Field(field) => format!("the field `{field}`, filled in"),
        MetBy::Form(form) => format!("the form `{form}`, complete"),
        MetBy::Decision(name) => format!("the decision `{name}`, recorded"),
        MetBy::Register(name) => format!("the register `{name}`, kept"),
        MetBy::Sides(named) => format!("a yes of: {}", sides(named)),
    }
}

fn deliverable(programme: &Programme, id: &str) -> String {
    let row = programme.deliverables.iter().find(|row| row.id == id);
    row.map_or_else(|| id.to_owned(), |row| format!("{} ({})", row.title, side(row.side)))
}

/// What else is said of a task.
fn remarks(task: &TaskOfProfile) -> String {
    let mut said = Vec::new();
    if task.is_prerequisite {
        said.push("pre-requisite".to_owned());
    }
    if task.is_optional {
        said.push("optional".to_owned());
    }
    if task.needs_evidence {
        said.push("needs evidence".to_owned());
    }
    if task.is_for_vips {
        said.push("for the VIPs of the provider".to_owned());
    }
    said.extend(task.check.as_ref().map(|check| format!("check `{check}`")));
    if !task.items.is_empty() {
        said.push(format!("a result for each of: {}", task.items.join(", ")));
    }
    said.extend(task.due_days.map(|days| format!("due {days} days after the beginning of the stage")));
    said.join("; ")
}

fn condition(condition: &Condition) -> String {
    let above = condition.above.map(|above| format!("above {}", thousands(above)));
    let at_most = condition.at_most.map(|at_most| format!("at most {}", thousands(at_most)));
    let words = condition.is.as_ref().map(|words| words.join(" or "));
    let what: Vec<String> = above.into_iter().chain(at_most).chain(words).collect();
    format!("`{}` is {}", condition.field, what.join(" and "))
}

/// A number with its thousands set apart.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
