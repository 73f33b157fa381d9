//! Gates: closed until their last criterion, passed in order, by somebody who didn't ask.

use programme::{Action, Change, Rule, Standing, Verdict, assess, assess_next};

use crate::world::{World, invented, row};

#[test]
fn every_criterion_missing_in_turn_refuses_in_every_type() {
    for (project_type, least) in [("guided", 13), ("own", 13), ("shared", 14)] {
        let mut world = World::staffed(invented(), project_type);
        let mut count = 0;
        while world.record.standing == Standing::Open {
            count += world.proves_the_gate_ahead();
        }
        assert!(count >= least, "{project_type}: {count} criteria");
        assert_eq!(world.record.standing, Standing::Ended);
        world.does("lead", Action::Close { note: "done".into() });
        assert_eq!(world.record.standing, Standing::Closed);
    }
}

#[test]
fn a_stage_is_entered_only_through_its_own_gate() {
    let mut world = World::staffed(invented(), "guided");
    for gate in ["g1", "g2", "g3", "g4", "g5"] {
        world.is_refused("judge", Action::PassGate { gate: gate.into() }, Rule::StageOrder.name());
        world.is_refused("lead", Action::AskGate { gate: gate.into(), note: String::new() }, Rule::StageOrder.name());
    }
    world.passes();
    assert_eq!(world.stage(), Some("begin"));
    world.is_refused("judge", Action::PassGate { gate: "g0".into() }, Rule::StageOrder.name());
    world.is_refused("judge", Action::PassGate { gate: "no-such".into() }, Rule::Unknown.name());
}

#[test]
fn who_asks_does_not_pass_not_even_after_taking_it_back() {
    let mut world = World::staffed(invented(), "guided");
    world.close_all();
    let (ask, pass) =
        (Action::AskGate { gate: "g0".into(), note: String::new() }, Action::PassGate { gate: "g0".into() });
    world.is_refused("judge", pass.clone(), Rule::NotNow.name());
    world.does("judge", ask.clone());
    world.is_refused("judge", pass.clone(), Rule::BothSides.name());
    world.does("lead", ask);
    world.is_refused("judge", pass.clone(), Rule::BothSides.name());
    world.does("judge", Action::UnaskGate { gate: "g0".into(), why: "a mistake".into() });
    world.is_refused("judge", pass.clone(), Rule::BothSides.name());
    world.is_refused("lead-2", pass.clone(), Rule::RightRole.name());
    world.does("judge-2", pass);
    assert_eq!(world.stage(), Some("begin"));
}

#[test]
fn open_items_say_owner_age_and_what_would_close_them() {
    let mut world = World::staffed(invented(), "guided");
    world.passes();
    world.later(12);
    let assessed = assess_next(&world.programme, &world.record, &world.facts, world.today()).unwrap();
    assert_eq!(assessed.gate, "g1");
    let item = assessed.items.iter().find(|item| item.criterion == "boss-agreed").unwrap();
    assert!(!item.is_met);
    assert_eq!((item.owner.as_str(), item.age_days), ("boss", 12));
    assert_eq!(item.holders, ["The boss", "The boss-2"]);
    assert_eq!(item.by, "not signed by boss, lead");
    assert_eq!(item.closes, "have both sign");
    let met = assessed.items.iter().find(|item| item.criterion == "code-given").unwrap();
    assert!(met.is_met, "the intent says it already");
    assert!(assess(&world.programme, &world.record, &world.facts, "no-such", world.today()).is_none());
}

#[test]
fn a_no_stands_until_there_is_a_yes() {
    let mut world = World::staffed(invented(), "guided");
    world.reaches("prepare");
    world.reaches("try");
    world.close_all();
    world.says(programme::Side::Authority, "all-go", Verdict::No);
    let gate = world.asks();
    let refusal = world.is_refused("judge-2", Action::PassGate { gate: gate.clone() }, "all-go");
    assert!(refusal.open.iter().any(|item| item.is_refused));
    world.says(programme::Side::Authority, "all-go", Verdict::Yes);
    world.does("judge-2", Action::PassGate { gate });
}

#[test]
fn a_gate_keeps_what_it_was_passed_with() {
    let mut world = World::staffed(invented(), "guided");
    world.passes();
    let passed = world.record.gates["g0"].passed.clone().unwrap();
    assert_eq!(passed.said.who, "judge");
    assert_eq!(passed.met_by["intent-whole"], "Intent is complete");
}

#[test]
fn another_type_than_recommended_needs_who_and_why() {
    let mut world = World::new(invented());
    world.does("lead", Action::Open { code: "A1".into(), name: "A".into() });
    let choose = |name: &str, by: Option<&str>, why: Option<&str>| Action::ChooseType {
        project_type: name.into(),
        by: by.map(str::to_owned),
        why: why.map(str::to_owned),
    };
    world.does("lead", Action::Appraise { recommends: Some("guided".into()), rules: vec!["many".into()] });
    for (by, why) in [(None, None), (Some("The board"), None), (None, Some("cheaper")), (Some(" "), Some("cheaper"))] {
        world.is_refused("lead", choose("own", by, why), Rule::OverrideReason.name());
    }
    world.is_refused("lead", choose("no-such", None, None), Rule::Unknown.name());
    let changes = world.does("lead", choose("own", Some("The board"), Some("cheaper")));
    assert!(matches!(&changes[..], [Change::TypeChosen { is_override: true, .. }]));
    world.is_refused("lead", choose("shared", None, None), Rule::OverrideReason.name());
    assert!(matches!(
        &world.does("lead", choose("helped", Some("The board"), Some("as was said")))[..],
        [Change::TypeChosen { is_override: true, project_type, .. }] if project_type == "guided"
    ));
}

#[test]
fn in_the_middle_a_type_is_taken_only_if_the_stage_could_have_been_entered_with_it() {
    let mut world = World::staffed(invented(), "guided");
    world.reaches("try");
    for person in ["engineer", "engineer-2"] {
        let take = Action::TakeRole { person: person.into(), role: "engineer".into(), why: "they left".into() };
        world.does("guide", take);
    }
    let choose =
        Action::ChooseType { project_type: "shared".into(), by: Some("The board".into()), why: Some("so".into()) };
    let refusal = world.is_refused("lead", choose.clone(), Rule::StageOrder.name());
    assert!(refusal.is_by("engineer-there"));
    let (person, title) = ("eve".to_owned(), "Eve".to_owned());
    world.does("guide", Action::GiveRole { person, title, role: "engineer".into(), contact: None });
    world.does("lead", choose);
}

#[test]
fn a_project_is_opened_once_and_given_up_for_good() {
    let mut world = World::new(invented());
    world.is_refused("lead", Action::Cancel { why: "no".into() }, Rule::NotNow.name());
    world.is_refused("lead", Action::Open { code: " ".into(), name: "A".into() }, Rule::Incomplete.name());
    world.does("lead", Action::Adopt { code: "A1".into(), name: "A".into() });
    assert!(world.record.is_adopted && world.stage().is_none(), "adopted projects pass their gates like others");
    world.is_refused("lead", Action::Open { code: "A1".into(), name: "A".into() }, Rule::NotNow.name());
    world.is_refused("lead", Action::Close { note: String::new() }, Rule::GateOpen.name());
    world.is_refused("lead", Action::Cancel { why: " ".into() }, Rule::Incomplete.name());
    world.does("lead", Action::Cancel { why: "merged with another".into() });
    world.is_refused("lead", Action::Review { register: programme::Register::Risks }, Rule::NotNow.name());
}

#[test]
fn forms_take_what_their_fields_hold() {
    let mut world = World::staffed(invented(), "guided");
    let answer = |field: &str, value: &str| Action::Answer { form: "intent".into(), answers: row(&[(field, value)]) };
    for (field, value) in
        [("people", "many"), ("from", "soon"), ("agreed", "perhaps"), ("platform", "third"), ("people", "-1")]
    {
        world.is_refused("lead", answer(field, value), Rule::Incomplete.name());
    }
    world.is_refused("lead", answer("no-such", "x"), Rule::Unknown.name());
    for (field, value) in
        [("people", "900"), ("from", "2026-11-30"), ("agreed", "no"), ("platform", "other"), ("people", "")]
    {
        world.does("lead", answer(field, value));
    }
    assert_eq!(world.record.answer("intent", "platform"), Some("other"));
    assert_eq!(world.record.answer("intent", "people"), None, "taken back");
    assert_eq!(world.record.forms["intent"]["people"].len(), 2, "and both are kept");
}

#[test]
fn a_criterion_that_the_profile_lacks_keeps_its_gate_closed() {
    let mut programme = invented();
    programme.gates[0].criteria.push("forgotten".into());
    let mut world = World::staffed(programme, "guided");
    world.close("intent-whole");
    let gate = world.asks();
    let refusal = world.is_refused("judge", Action::PassGate { gate }, "gate-open");
    assert!(refusal.is_by("forgotten"));
}
