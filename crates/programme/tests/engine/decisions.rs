//! Decisions in place of what the system can't see: whose they are, who passes a gate with them, and what a later no does.

use programme::{Action, Live, Programme, Rule, Verdict};

use crate::world::World;

const YES: Verdict = Verdict::Yes;
const NO: Verdict = Verdict::No;

fn nhsmail() -> Programme {
    Programme::shipped("nhsmail", "current").expect("it ships").unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn decide(decision: &str, verdict: Verdict, by: &str) -> Action {
    let (outcome, why) = ("2,600 were ordered".to_owned(), "the order was seen".to_owned());
    Action::Decide { decision: decision.to_owned(), verdict, outcome, by: by.to_owned(), why }
}

/// A managed project before its implementation, of which nothing is open but the licences.
fn before_implementation() -> World {
    let mut world = World::staffed(nhsmail(), "managed");
    world.reaches("readiness");
    world.close_all();
    world.facts.facts.remove("licences-cover-scope");
    assert_eq!(world.open(), ["licences-purchased"]);
    world
}

#[test]
fn a_decision_in_place_of_a_fact_is_recorded_in_a_role_of_the_profile() {
    let mut world = before_implementation();
    for other in ["governance-lead", "authority-lead", "provider-engineer"] {
        let refusal = world.is_refused(other, decide("licences-cover-scope", YES, "The board"), Rule::RightRole.name());
        assert!(refusal.advice.contains("project-manager") && refusal.what.contains("licences"), "{refusal}");
    }
    // What the profile gives to nobody nobody decides, not even by the name of a fact that the record itself knows.
    for name in ["quota-checked", "key-roles-filled", "people-switched"] {
        world.is_refused("project-manager", decide(name, YES, "The board"), Rule::RightRole.name());
    }
    // What stands in place of nothing is written down by anybody who takes part.
    world.does("governance-lead", decide("rooms-move-last", YES, "The board"));
    world.does("project-manager", decide("licences-cover-scope", YES, "The board"));
    assert!(world.open().is_empty());
    assert_eq!(world.record.decisions["licences-cover-scope"][0].role.as_deref(), Some("project-manager"));
}

#[test]
fn what_the_system_sees_no_decision_replaces() {
    let mut world = World::staffed(nhsmail(), "managed");
    world.reaches("readiness");
    world.close_all();
    world.knows("addresses-matched", false);
    world.does("project-manager", decide("addresses-matched", YES, "The board"));
    assert!(world.open().contains(&"matching-verified".to_owned()));
    // Where it can't be seen in this project it is decided.
    world.facts.unseen.insert("addresses-matched".to_owned());
    assert!(world.open().is_empty());
}

#[test]
fn who_decided_something_passes_no_gate_with_it() {
    let mut world = before_implementation();
    let gate = world.asks();
    let pass = || Action::PassGate { gate: gate.clone() };
    world.does("provider-manager", decide("licences-cover-scope", YES, "The board"));
    let refusal = world.is_refused("provider-manager", pass(), Rule::BothSides.name());
    assert!(refusal.what.contains("licences-cover-scope"), "{refusal}");
    let refusal = world.is_refused("provider-manager-2", pass(), Rule::BothSides.name());
    assert!(refusal.what.contains("provider"), "{refusal}");
    // Nor does the person who is said to have decided it, by name or as they are called.
    for by in ["authority-lead", "The Authority-Lead "] {
        world.does("project-manager", decide("licences-cover-scope", YES, by));
        world.is_refused("authority-lead", pass(), Rule::BothSides.name());
    }
    world.clone().does("authority-lead-2", pass());
    world.does("project-manager", decide("licences-cover-scope", YES, "The board"));
    world.does("provider-manager", pass());
    assert_eq!(world.stage(), Some("implementation"));
}

/// a no that comes later counts for what is live, as that of a signature does.
#[test]
fn a_later_no_closes_again_what_a_decision_had_opened() {
    let mut world = before_implementation();
    world.does("project-manager", decide("licences-cover-scope", YES, "The board"));
    world.reaches("pilot");
    assert!(world.may(Live::SyncPilot).is_ok());
    world.does("provider-manager", decide("licences-cover-scope", NO, "The provider"));
    for live in [Live::SyncPilot, Live::ForwardersOn, Live::ProvisionAccounts { new_already: 0, asked: 1, others: 0 }] {
        let refusal = world.may(live).unwrap_err();
        assert!(refusal.is_by("standing-no") && refusal.is_by("licences-purchased"), "{refusal}");
    }
    world.does("project-manager", decide("licences-cover-scope", YES, "The board"));
    assert!(world.may(Live::SyncPilot).is_ok());
    // What the pilot rests on is taken back in the same way.
    world.close("pilot-checked");
    let person = world.record.pilot_people().next().expect("somebody").0.to_owned();
    world.facts.pilot.remove(&person);
    world.does("project-manager", decide("pilot-switched", YES, "The board"));
    world.reaches("sync-and-switch");
    assert!(world.may(Live::SyncBulk).is_ok());
    world.does("project-manager", decide("pilot-switched", NO, "The board"));
    let refusal = world.may(Live::SyncBulk).unwrap_err();
    assert!(refusal.is_by("standing-no") && refusal.is_by("pilot-checked"), "{refusal}");
    world.does("project-manager", decide("pilot-switched", YES, "The board"));
    assert!(world.may(Live::SyncBulk).is_ok());
}

#[test]
fn who_let_somebody_leave_the_pilot_does_not_pass_the_gate_after_it() {
    let mut world = World::staffed(nhsmail(), "managed");
    world.reaches("pilot");
    world.switches_the_pilot();
    let person = world.record.pilot_people().next().expect("somebody").0.to_owned();
    let another = world.people.iter().find(|other| !world.record.is_pilot(other)).expect("another").clone();
    let by = world.answerer();
    world.does(&by, Action::NamePilot { people: vec![another] });
    world.does("provider-manager", decide(&format!("pilot-leave/{person}"), YES, "authority-lead"));
    world.does(&by, Action::LeavePilot { person: person.clone(), why: "ill".into() });
    world.close_all();
    let gate = world.asks();
    world.is_refused("authority-lead", Action::PassGate { gate: gate.clone() }, Rule::BothSides.name());
    world.does("authority-lead-2", Action::PassGate { gate });
    assert!(world.may(Live::SyncBulk).is_ok());
    world.does("provider-manager", decide(&format!("pilot-leave/{person}"), NO, "The board"));
    let refusal = world.may(Live::SyncBulk).unwrap_err();
    assert!(refusal.is_by("pilot-checked") && refusal.open[0].by.contains(&person), "{refusal}");
}

/// so it is where the decision stands in place of what a task checks.
#[test]
fn a_later_no_to_what_a_task_checks_stops_what_is_live() {
    for name in ["addresses-matched", "formats"] {
        let mut world = World::staffed(nhsmail(), "managed");
        world.reaches("pilot");
        assert!(world.may(Live::SyncPilot).is_ok());
        // Nobody can see it in this project: it was decided.
        world.facts.unseen.insert(name.to_owned());
        world.does("project-manager", decide(name, YES, "The board"));
        assert!(world.may(Live::SyncPilot).is_ok(), "{name}");
        world.does("project-manager", decide(name, NO, "The board"));
        for live in [Live::SyncPilot, Live::SwitchPilot, Live::ForwardersOn] {
            let refusal = world.may(live).unwrap_err();
            assert!(
                refusal.is_by("standing-no") && refusal.open[0].by.contains("2,600 were ordered"),
                "{name}: {refusal}"
            );
        }
        world.does("project-manager", decide(name, YES, "The board"));
        assert!(world.may(Live::SyncPilot).is_ok(), "{name}");
        // What fails by itself later stops nothing: nobody said no.
        world.facts.unseen.remove(name);
        world.knows(name, false);
        assert!(world.may(Live::SyncPilot).is_ok(), "{name}");
    }
}

/// An old no does not come to count again because of what happened after it.
#[test]
fn a_no_counts_for_what_rested_on_it_alone() {
    let mut world = World::staffed(nhsmail(), "managed");
    world.reaches("pilot");
    world.does("project-manager", decide("pilot-switched", YES, "The board"));
    world.close("pilot-checked");
    world.reaches("sync-and-switch");
    let people: Vec<String> = world.record.pilot_people().map(|(person, _)| person.to_owned()).collect();
    assert!(world.facts.pilot.len() == people.len() && world.may(Live::SyncBulk).is_ok());
    // Everybody was switched by the program itself: a no to the decision says nothing of them.
    world.does("project-manager", decide("pilot-switched", NO, "The board"));
    assert!(world.may(Live::SyncBulk).is_ok());
    // One is switched back: what they checked they checked on the target.
    world.facts.pilot_once = world.facts.pilot.clone();
    world.facts.pilot.remove(&people[0]);
    assert!(world.may(Live::SyncBulk).is_ok(), "{:?}", world.may(Live::SyncBulk));
    // Of whom nobody ever saw it the no counts.
    world.facts.pilot_once.remove(&people[0]);
    let refusal = world.may(Live::SyncBulk).unwrap_err();
    assert!(refusal.is_by("standing-no") && refusal.is_by("pilot-checked"), "{refusal}");
}
