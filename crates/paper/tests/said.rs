//! What was put into the record stands in its documents; what was not is said to be missing.

use programme::{Standing, Verdict};

use crate::project::{at, begun, fitting, issues, makes};
use crate::text::{day, text};
use crate::world::World;

fn of(world: &World, name: &str) -> String {
    text(&makes(world, name).unwrap_or_else(|why| panic!("{name}: {why}")))
}

fn says(text: &str, name: &str, what: &[&str]) {
    for what in what {
        assert!(text.contains(what), "{name} does not say {what:?}:\n{text}");
    }
}

fn day_of(at: jiff::Timestamp) -> String {
    day(at.to_zoned(jiff::tz::TimeZone::UTC).date())
}

#[test]
fn every_person_stands_with_role_and_how_to_reach_them() {
    let world = at("readiness");
    for name in ["implementation-plan", "board-pack", "post-project-report", "decommission-plan"] {
        let text = of(&world, name);
        for (id, person) in &world.record.people {
            let sides = ["organisation", "provider", "authority"];
            let takes_part = person.roles.iter().any(|role| {
                let role = world.programme.roles.iter().find(|known| known.id == *role).unwrap();
                sides.contains(&programme::side_name(role.side))
            });
            assert!(!takes_part || text.contains(&person.title), "{name}: {id}");
            if let Some(contact) = person.contact.as_deref().filter(|_| takes_part) {
                assert!(text.contains(contact), "{name}: {contact}");
            }
        }
    }
}

#[test]
fn the_plan_has_dates_scope_deliverables_payment_and_criteria() {
    let world = fitting("implementation-plan");
    let text = of(&world, "implementation-plan");
    let all = [
        "1 June 2026",
        "15 June 2026",
        "3 August 2026",
        "Payment milestones",
        "£31.00",
        "25",
        "20 February 2026",
        "18 February 2026",
        "Larger mailbox",
        "What the service is signed off by",
        "Deliverables of the contract",
        "agreed in the workshop",
        "Senior responsible owner / Dr Aoife Ní Bhraonáin",
        "What does not move",
        "900",
        "The firewall of the north site is not opened in time",
        "High",
        "11 May 2026",
        "Implementation begins",
    ];
    says(&text, "implementation-plan", &all);
    for deliverable in programme::deliverables(&world.programme, &world.record, world.today()) {
        says(&text, "implementation-plan", &[&deliverable.title]);
    }
    for stage in ["Sign-up", "Readiness", "Implementation", "Pilot", "Sync and switch", "Mop-up", "Close"] {
        says(&text, "implementation-plan", &[stage]);
    }
}

#[test]
fn the_checklist_has_each_task_with_owner_forecast_state_checker_and_evidence() {
    let mut world = fitting("readiness-checklist");
    world.close("prerequisites-signed-off");
    let text = of(&world, "readiness-checklist");
    for task in programme::status(&world.programme, &world.record, &world.facts, world.today()) {
        says(&text, "readiness-checklist", &[&task.title]);
        says(&text, "readiness-checklist", &task.owner.as_deref().into_iter().collect::<Vec<_>>());
        says(&text, "readiness-checklist", &task.forecast.map(day).iter().map(String::as_str).collect::<Vec<_>>());
    }
    for held in world.record.evidence.iter().filter(|held| matches!(held.on, programme::Subject::Task(_))) {
        says(&text, "readiness-checklist", &[&held.evidence.name, &held.evidence.digest, &day_of(held.at)]);
    }
    says(&text, "readiness-checklist", &["Validated", "May rooms be moved last?", "As it should be"]);
}

#[test]
fn tasks_without_owner_or_forecast_are_shown_as_gaps() {
    let mut world = begun("managed");
    world.reaches("readiness");
    let text = of(&world, "readiness-checklist");
    let gaps = programme::gaps(&world.programme, &world.record, &world.facts);
    assert!(!gaps.is_empty());
    says(&text, "readiness-checklist", &["Tasks without owner or forecast", "Missing", "not recorded"]);
    for gap in gaps {
        says(&text, "readiness-checklist", &[&gap.title]);
    }
}

#[test]
fn the_package_has_questionnaire_months_checklist_and_help_desk() {
    let world = fitting("rfc-package");
    let text = of(&world, "rfc-package");
    says(&text, "rfc-package", &["Discovery questionnaire", "November 2026", "690", "30 November 2026"]);
    for form in world.programme.forms.iter().filter(|form| form.id == "discovery") {
        for field in &form.fields {
            says(&text, "rfc-package", &[&field.title]);
        }
    }
    let package = world.programme.packages.first().unwrap();
    for part in package
        .parts
        .iter()
        .filter_map(|part| programme::Scope::of(&world.programme, &world.record).unwrap().criterion(part))
    {
        says(&text, "rfc-package", &[&part.title]);
    }
}

#[test]
fn the_confirmation_has_each_sides_word_with_name_and_day() {
    let world = fitting("go-no-go-confirmation");
    let text = of(&world, "go-no-go-confirmation");
    for (of, word) in world.record.words_on("go-of-all") {
        assert_eq!(word.verdict, Verdict::Yes);
        let who = &world.record.people[&word.said.who].title;
        says(&text, "go-no-go-confirmation", &[&format!("For the {of} / {who} / {}", day_of(word.said.at))]);
    }
}

#[test]
fn the_work_off_plan_has_each_open_issue_with_owner_and_day() {
    let world = fitting("work-off-plan");
    let text = of(&world, "work-off-plan");
    for issue in issues() {
        says(&text, "work-off-plan", &[&issue.id, &issue.title]);
        says(&text, "work-off-plan", &issue.owner.as_deref().into_iter().collect::<Vec<_>>());
        says(&text, "work-off-plan", &issue.due.map(day).iter().map(String::as_str).collect::<Vec<_>>());
    }
    says(&text, "work-off-plan", &["2 issues are open, 1 of them without an owner or a date."]);
}

#[test]
fn service_readiness_says_when_each_deliverable_was_handed_over_and_by_whom_accepted() {
    let world = fitting("service-readiness");
    let text = of(&world, "service-readiness");
    let rows = programme::deliverables(&world.programme, &world.record, world.today());
    let contractual: Vec<_> = rows.iter().filter(|row| row.is_contractual).collect();
    assert!(contractual.len() > 5);
    for row in contractual {
        says(&text, "service-readiness", &[&row.title]);
        if let (Some((handed, by)), Some((answered, who, _))) = (&row.delivered, &row.answered) {
            let (by, who) = (&world.record.people[by].title, &world.record.people[who].title);
            says(&text, "service-readiness", &[by, who, &day(*handed), &day(*answered)]);
        }
    }
}

#[test]
fn the_report_has_every_decision_gate_date_and_piece_of_evidence() {
    let mut world = at("close");
    world.passes();
    assert_eq!(world.record.standing, Standing::Ended);
    let text = of(&world, "post-project-report");
    for decision in world.record.decisions.values().flatten() {
        says(&text, "post-project-report", &[&decision.outcome, &decision.by, &decision.said.note]);
        says(&text, "post-project-report", &[&day_of(decision.said.at)]);
    }
    for (id, gate) in &world.record.gates {
        let title = &world.programme.gates.iter().find(|known| known.id == *id).unwrap().title;
        let pass = gate.passed.as_ref().unwrap();
        says(&text, "post-project-report", &[title, &world.record.people[&pass.said.who].title, &day_of(pass.said.at)]);
    }
    for held in &world.record.evidence {
        says(&text, "post-project-report", &[&held.evidence.name, &held.evidence.digest]);
    }
    for given in world.record.dates.values().flatten() {
        says(&text, "post-project-report", &[&day(given.day)]);
    }
    says(&text, "post-project-report", &["One directory for everybody", "4 directories", "Begin with the network"]);
}

#[test]
fn the_board_sees_critical_risks_and_months_in_which_it_did_not_meet() {
    let mut world = at("readiness");
    world.later(70);
    let text = of(&world, "board-pack");
    says(
        &text,
        "board-pack",
        &["1 critical risk to be escalated.", "A meeting of the board was due by", "First board"],
    );
    let text = of(&world, "highlight-report");
    says(
        &text,
        "highlight-report",
        &["1 critical risk to be escalated.", "What a side was told at once", "Pre-requisites: Projects were late"],
    );
}

#[test]
fn what_stands_against_taking_the_old_servers_away_is_listed() {
    let world = at("readiness");
    let text = of(&world, "decommission-plan");
    says(&text, "decommission-plan", &["3 August 2026", "3 November 2026", "What stands against it"]);
    assert!(!text.contains("the servers may go"));
}

#[test]
fn lessons_name_neither_the_organisation_nor_its_people() {
    let world = fitting("lessons");
    let document = makes(&world, "lessons").unwrap();
    let text = text(&document);
    says(&text, "lessons", &["Begin with the network", "lost two weeks over a firewall"]);
    let mut names = vec!["little marsh".to_owned(), "lm7".to_owned()];
    names.extend(world.record.people.values().map(|person| person.title.to_lowercase()));
    let page = String::from_utf8(paper::write(paper::Form::Html, &document).unwrap()).unwrap().to_lowercase();
    for name in names {
        assert!(!text.to_lowercase().contains(&name), "{name}");
        assert!(!page.contains(&name), "{name}");
    }
}

/// the desk's calls against their forecast, what to say about what is known, and what of the training plan is late.
#[test]
fn papers_tell_what_the_desk_got_and_what_of_the_training_is_late() {
    use programme::Register;
    let mut world = fitting("board-pack");
    let calls = |category, calls| [("what", "ordinary"), ("category", category), ("calls", calls)];
    crate::project::writes(&mut world, Register::DeskCalls, &calls("calendar", "110"));
    for category in [
        "login and activation",
        "mail client and profile",
        "shared mailboxes",
        "permissions and delegates",
        "mobile devices",
        "missing or failed items",
        "address book and old addresses",
        "other",
    ] {
        crate::project::writes(&mut world, Register::DeskCalls, &calls(category, "0"));
    }
    let actual = [("what", "actual"), ("category", "calendar"), ("week", "2026-02-10"), ("calls", "153")];
    crate::project::writes(&mut world, Register::DeskCalls, &actual);
    let known = [("title", "Rooms show as empty"), ("say", "They fill by noon of the next day.")];
    crate::project::writes(&mut world, Register::KnownIssues, &known);
    let late = [("title", "Slides"), ("audience", "users"), ("what", "material"), ("due", "2020-01-01")];
    crate::project::writes(&mut world, Register::Training, &late);
    let all =
        ["Calls by week", "9 February 2026", "43 more", "Rooms show as empty", "They fill by noon of the next day."];
    says(&of(&world, "board-pack"), "board-pack", &all);
    says(&of(&world, "post-project-report"), "post-project-report", &all);
    let warned =
        ["1 item of the training plan is late.", "153 calls in the week from 9 February 2026, 43 more than forecast"];
    for name in ["board-pack", "highlight-report"] {
        says(&of(&world, name), name, &warned);
    }
}
