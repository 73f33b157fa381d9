//! Readiness: gaps, workshop, rounds, status, packages, documents, pipeline.

use jiff::civil::date;
use programme::{
    Action, DeliverableState, Milestones, Register, Rule, Sureness, Verdict, deliverables, demand, gaps, missing_parts,
    pipeline, response_times, rounds, status, unfilled_roles,
};

use crate::world::{World, evidence, invented, row};

fn assign(task: &str, owner: Option<&str>, is_dated: bool) -> Action {
    let forecast = is_dated.then(|| date(2026, 3, 1));
    Action::Assign { task: task.into(), owner: owner.map(str::to_owned), forecast }
}

#[test]
fn a_workshop_is_not_closed_while_a_task_has_no_owner_or_forecast() {
    let mut world = World::staffed(invented(), "guided");
    world.reaches("prepare");
    let fields = row(&[("title", "Readiness"), ("held", "2026-02-03"), ("attendees", "all")]);
    world.does("lead", Action::AddRow { register: Register::Workshops, fields });
    let close = || Action::SettleRow { row: "workshop-1".into(), verdict: Verdict::Yes, text: "done".into() };
    let open = |world: &World| gaps(&world.programme, &world.record, &world.facts).len();
    assert_eq!(open(&world), 4);
    world.does("lead", assign("gather", Some("Ida"), true));
    world.does("lead", assign("meet", Some("Ida"), false));
    world.does("lead", assign("reach", None, true));
    world.does("lead", assign("tidy", Some("Ida"), true));
    let refusal = world.is_refused("lead", close(), Rule::WorkshopGaps.name());
    assert!(refusal.what.contains("meet, reach"), "{refusal}");
    world.does("lead", assign("meet", None, true));
    world.does("lead", assign("reach", Some("Ed"), false));
    assert_eq!(open(&world), 0);
    world.does("lead", close());
    world.is_refused("lead", assign("gather", Some(" "), false), Rule::Incomplete.name());
    world.is_refused("lead", assign("no-such", Some("Ida"), false), Rule::Unknown.name());
}

#[test]
fn each_round_keeps_the_time_of_both_sides() {
    let mut world = World::staffed(invented(), "guided");
    world.close_task("gather");
    let submit = || Action::Submit { task: "gather".into(), note: String::new() };
    let validate = |verdict| Action::Validate { task: "gather".into(), verdict, note: "short".into() };
    world.does("lead", submit());
    world.later(3);
    world.does("guide", validate(Verdict::No));
    world.later(2);
    world.does("lead", submit());
    world.later(1);
    world.does("guide", validate(Verdict::Yes));
    let all = rounds(&world.record);
    let times: Vec<_> = all.iter().map(|round| (round.round, round.corrected_hours, round.validated_hours)).collect();
    assert_eq!(times, [(1, None, Some(72)), (2, Some(48), Some(24))]);
    let mean = response_times(&world.record);
    assert_eq!((mean.validated_hours, mean.validated_hours_max, mean.corrected_hours), (Some(48), Some(72), Some(48)));
    let row = status(&world.programme, &world.record, &world.facts, world.today()).remove(0);
    assert_eq!((row.task.as_str(), row.checker.as_deref(), row.rounds), ("gather", Some("guide"), 2));
    assert_eq!(row.evidence, ["gather.pdf"]);
}

#[test]
fn a_forecast_that_is_over_is_late() {
    let mut world = World::staffed(invented(), "guided");
    world.does("lead", assign("gather", Some("Ida"), true));
    for (days, is_late) in [(27, false), (28, true)] {
        let mut later = world.clone();
        later.later(days);
        let rows = status(&later.programme, &later.record, &later.facts, later.today());
        assert_eq!(rows[0].is_late, is_late, "{}", later.today());
    }
}

#[test]
fn a_package_is_submitted_whole() {
    let mut world = World::staffed(invented(), "guided");
    let missing = |world: &World| world.missing("bundle");
    let submit = || Action::SubmitPackage { package: "bundle".into() };
    let deliver = || Action::Deliver { deliverable: "request".into(), note: String::new() };
    assert_eq!(missing(&world), ["intent-whole", "tried", "months"]);
    for part in ["intent-whole", "tried", "months"] {
        let refusal = world.is_refused("lead", submit(), Rule::PackageParts.name());
        assert!(refusal.is_by(part), "{refusal}");
        assert!(world.is_refused("guide", deliver(), Rule::PackageParts.name()).is_by(part));
        world.close(part);
    }
    assert!(missing(&world).is_empty());
    world.is_refused("guide", deliver(), Rule::PackageParts.name());
    world.does("lead", submit());
    world.does("guide", deliver());
    assert_eq!(world.record.packages["bundle"][0].parts.len(), 3);
    world.is_refused("lead", Action::SubmitPackage { package: "no-such".into() }, Rule::Unknown.name());
}

#[test]
fn months_sum_to_what_is_needed() {
    let mut world = World::staffed(invented(), "guided");
    world.does("lead", Action::GiveNumbers { sureness: Sureness::Draft, existing: 1, new: 30 });
    let plan = |months: &[(&str, u64)]| Action::PlanMonths {
        accounts: months.iter().map(|(month, count)| ((*month).to_owned(), *count)).collect(),
    };
    world.is_refused("lead", plan(&[("2026-13", 1)]), Rule::Incomplete.name());
    world.is_refused("lead", plan(&[("May", 1)]), Rule::Incomplete.name());
    let is_open = |world: &World| {
        let parts = missing_parts(&world.programme, &world.record, &world.facts, "bundle", world.today()).unwrap();
        parts.iter().any(|part| part.criterion == "months")
    };
    world.does("lead", plan(&[("2026-05", 10), ("2026-06", 19)]));
    assert!(is_open(&world));
    world.does("lead", plan(&[("2026-05", 10), ("2026-06", 20)]));
    assert!(!is_open(&world));
    world.does("lead", Action::GiveNumbers { sureness: Sureness::Confirmed, existing: 1, new: 31 });
    assert!(is_open(&world), "the confirmed number counts");
}

#[test]
fn a_newer_document_supersedes_the_older() {
    let mut world = World::staffed(invented(), "guided");
    let make = |is_draft| Action::RecordDocument {
        document: "plan".into(),
        is_draft,
        files: vec![evidence("plan.pdf"), evidence("plan.html")],
    };
    world.does("lead", make(true));
    world.does("lead", make(false));
    let versions: Vec<_> = world.record.documents["plan"]
        .iter()
        .map(|version| (version.version, version.is_draft, version.superseded_by))
        .collect();
    assert_eq!(versions, [(1, true, Some(2)), (2, false, None)]);
    let none = Action::RecordDocument { document: "plan".into(), is_draft: false, files: Vec::new() };
    world.is_refused("lead", none, Rule::Incomplete.name());
}

#[test]
fn deliverables_say_when_they_came_and_who_accepted_them() {
    let mut world = World::staffed(invented(), "guided");
    world.does("guide", Action::SetDue { deliverable: "plan".into(), due: date(2026, 2, 2) });
    let plan = |world: &World| deliverables(&world.programme, &world.record, world.today()).remove(0);
    assert_eq!((plan(&world).state, plan(&world).is_late), (DeliverableState::Open, false));
    world.later(1);
    assert!(plan(&world).is_late);
    world.does("engineer", Action::Deliver { deliverable: "plan".into(), note: String::new() });
    assert_eq!((plan(&world).state, plan(&world).is_late), (DeliverableState::Delivered, false));
    let accept = |verdict| Action::Accept { deliverable: "plan".into(), verdict, note: "short".into() };
    world.does("boss", accept(Verdict::No));
    assert_eq!(plan(&world).state, DeliverableState::Refused);
    world.does("boss", accept(Verdict::Yes));
    let row = plan(&world);
    assert_eq!((row.state, row.version), (DeliverableState::Accepted, Some(1)));
    assert_eq!(row.delivered, Some((date(2026, 2, 3), "engineer".to_owned())));
    assert_eq!(row.answered, Some((date(2026, 2, 3), "boss".to_owned(), "boss".to_owned())));
}

#[test]
fn milestones_are_read_from_the_record() {
    let mut world = World::staffed(invented(), "guided");
    let set = |name: &str, day| Action::SetDate { name: name.into(), day, is_agreed: true, why: None };
    assert_eq!(Milestones::of(&world.programme, &world.record).implementation, None);
    world.does("lead", set("try", date(2026, 6, 1)));
    world.does("lead", set("last-switch", date(2026, 8, 28)));
    world.does("lead", Action::GiveNumbers { sureness: Sureness::Draft, existing: 1, new: 501 });
    world.reaches("prepare");
    world.later(3);
    world.close("ready");
    let milestones = Milestones::of(&world.programme, &world.record);
    assert_eq!(milestones.project, Some(date(2026, 2, 2)));
    assert_eq!(milestones.implementation, Some(date(2026, 6, 1)), "the first stage in which something is live");
    assert_eq!(milestones.submitted, Some(world.today()));
    assert_eq!(milestones.last_switch, Some(date(2026, 8, 28)));
    assert_eq!((milestones.closed, milestones.new_accounts), (None, 501));
    world.reaches("rest");
    world.passes();
    assert_eq!(Milestones::of(&world.programme, &world.record).closed, Some(world.today()));
}

#[test]
fn unfilled_roles_are_told_by_stage() {
    let mut world = World::staffed(invented(), "guided");
    for person in ["helper", "helper-2"] {
        let take = Action::TakeRole { person: person.into(), role: "helper".into(), why: "left".into() };
        world.does("lead", take);
    }
    assert_eq!(unfilled_roles(&world.programme, &world.record), [("prepare".to_owned(), vec!["helper".to_owned()])]);
}

#[test]
fn the_pipeline_shows_where_each_stands_and_sums_the_demand() {
    let programme = invented();
    let mut worlds = Vec::new();
    for (index, stage) in ["begin", "try", "go"].into_iter().enumerate() {
        let mut world = World::staffed(programme.clone(), ["guided", "own", "shared"][index]);
        world.reaches(stage);
        let accounts = [("2026-05".to_owned(), 100), (format!("2026-0{}", 6 + index), 50)].into();
        world.does("lead", Action::PlanMonths { accounts });
        let set = Action::SetDate { name: "live".into(), day: date(2026, 6, 1), is_agreed: false, why: None };
        world.does("lead", set);
        let fields = row(&[("title", "Works on the line")]);
        world.does("lead", Action::AddRow { register: Register::Barriers, fields });
        world.record.code = format!("A{}", 3 - index);
        world.later(5);
        worlds.push(world);
    }
    let projects = worlds.iter().map(|world| (&world.record, &world.facts));
    let rows = pipeline(&programme, projects, worlds[0].today());
    let codes: Vec<_> = rows.iter().map(|row| (row.code.as_str(), row.stage.as_deref())).collect();
    assert_eq!(codes, [("A1", Some("Go")), ("A2", Some("Try")), ("A3", Some("Begin"))]);
    let first = &rows[2];
    assert_eq!((first.next_gate.as_deref(), first.stage_days), (Some("Into preparation"), Some(5)));
    assert_eq!(first.waits_for, [("organisation".to_owned(), first.open_items)].into());
    assert_eq!(first.barriers, ["Works on the line"]);
    assert_eq!(first.dates["live"], date(2026, 6, 1));
    let sums: Vec<_> = demand(&rows).into_iter().collect();
    let month = |name: &str, sum| (name.to_owned(), sum);
    assert_eq!(sums, [month("2026-05", 300), month("2026-06", 50), month("2026-07", 50), month("2026-08", 50)]);
}
