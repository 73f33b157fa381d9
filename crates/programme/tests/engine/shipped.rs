//! The programmes that ship, and another that is invented, driven from intent to close in every type, each criterion
//! missing in turn.

use programme::{Action, Live, Programme, Rule, Side, Source, Standing, Verdict};

use crate::world::World;

fn nhsmail() -> Programme {
    Programme::shipped("nhsmail", "current").expect("it ships").unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// The invented programme, which has other stages and roles.
fn heron() -> Programme {
    let files = [
        include_str!("../profiles/heron/tracks.toml"),
        include_str!("../profiles/heron/rows.toml"),
        include_str!("../profiles/heron/constants.toml"),
    ];
    let sources = files.map(|text| Source { file: "heron", text });
    Programme::read(&sources, None).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// Through every gate; returns how many criteria were looked at.
fn drives(programme: Programme, project_type: &str) -> (World, usize) {
    let mut world = World::staffed(programme, project_type);
    let mut count = 0;
    while world.record.standing == Standing::Open {
        count += world.proves_the_gate_ahead();
        world.later(5);
    }
    assert_eq!(world.record.standing, Standing::Ended);
    let by = world.worker(Side::Organisation);
    world.does(&by, Action::Close { note: "done".into() });
    assert_eq!(programme::Record::of(&world.entries), world.record);
    (world, count)
}

#[test]
fn a_managed_project_passes_every_gate() {
    let (world, count) = drives(nhsmail(), "managed");
    assert_eq!(world.record.stages.len(), 7);
    assert!(count >= 60, "{count}");
}

#[test]
fn a_partial_project_passes_every_gate() {
    let (world, count) = drives(nhsmail(), "partial");
    assert_eq!(world.record.stages.len(), 7);
    assert!(count >= 60, "{count}");
}

#[test]
fn a_self_project_passes_every_gate() {
    let (world, count) = drives(nhsmail(), "self");
    assert_eq!(world.record.stages.len(), 6);
    assert!(count >= 80, "{count}");
}

#[test]
fn a_third_party_project_passes_every_gate() {
    let (world, count) = drives(nhsmail(), "third-party");
    assert_eq!(world.record.stages.len(), 6);
    assert!(count >= 80, "{count}");
}

#[test]
fn a_programme_with_other_stages_is_held_by_the_same_rules() {
    for (project_type, stages, least) in [("ferry", 4, 11), ("raft", 3, 7), ("mixed", 4, 10)] {
        let (world, count) = drives(heron(), project_type);
        assert_eq!(world.record.stages.len(), stages, "{project_type}");
        assert!(count >= least, "{project_type}: {count}");
    }
}

#[test]
fn a_partial_project_has_no_implementation_without_a_named_engineer() {
    let mut world = World::staffed(nhsmail(), "partial");
    world.reaches("readiness");
    world.close_all();
    world.spoil("qualified-engineer-named");
    let gate = world.asks();
    let passer = world.passer();
    let refusal = world.is_refused(&passer, Action::PassGate { gate }, "qualified-engineer-named");
    assert_eq!(refusal.open.len(), 1);
    assert!(refusal.requirements.contains(&"R-022".to_owned()));
}

#[test]
fn three_parties_say_go_in_managed_and_partial_and_the_authority_in_the_others() {
    for (project_type, stage, criterion, sides) in [
        ("managed", "pilot", "go-of-all", &[Side::Organisation, Side::Provider, Side::Authority][..]),
        ("partial", "pilot", "go-of-all", &[Side::Organisation, Side::Provider, Side::Authority]),
        ("self", "readiness-assessment", "go-of-authority", &[Side::Authority]),
        ("third-party", "readiness-assessment", "go-of-authority", &[Side::Authority]),
    ] {
        let mut world = World::staffed(nhsmail(), project_type);
        world.reaches(stage);
        for (at, side) in sides.iter().enumerate() {
            assert!(world.open().contains(&criterion.to_owned()), "{project_type}: {at} have said go");
            world.says(*side, criterion, Verdict::Yes);
        }
        assert!(!world.open().contains(&criterion.to_owned()));
    }
}

#[test]
fn a_rejected_request_for_change_blocks_the_roll_out() {
    let mut world = World::staffed(nhsmail(), "self");
    world.reaches("readiness-assessment");
    world.close_all();
    world.signs("authority-lead", "change-decided", Verdict::No);
    let gate = world.asks();
    world.is_refused("authority-lead-2", Action::PassGate { gate: gate.clone() }, "change-decided");
    assert!(world.may(Live::SyncBulk).unwrap_err().is_by("stage-allows"));
    world.signs("authority-lead", "change-decided", Verdict::Yes);
    world.does("authority-lead-2", Action::PassGate { gate });
    assert!(world.may(Live::SyncBulk).is_ok());
    world.signs("authority-lead", "change-decided", Verdict::No);
    assert!(world.may(Live::Switch).unwrap_err().is_by("standing-no"));
}

#[test]
fn accounts_are_made_within_what_is_approved_in_each_type() {
    let make = |asked| Live::ProvisionAccounts { new_already: 0, asked, others: 0 };
    let mut world = World::staffed(nhsmail(), "managed");
    world.reaches("readiness");
    assert!(world.may(make(1)).is_err());
    world.reaches("implementation");
    assert!(world.may(make(690)).is_ok(), "all of them before the pilot");
    assert!(world.may(make(691)).unwrap_err().is_by("registration-limit"));
    let mut world = World::staffed(nhsmail(), "self");
    world.reaches("readiness-assessment");
    world.facts.pilot_accounts = Some(600);
    assert!(world.may(make(500)).is_ok());
    assert!(world.may(make(501)).unwrap_err().is_by("pilot-checked"));
    // A report alone releases nothing.
    world.close("pilot-reported");
    assert!(world.may(make(501)).unwrap_err().is_by("pilot-checked"));
    world.close("pilot-checked");
    assert!(world.may(make(700)).is_ok());
}

#[test]
fn tasks_of_the_responsibility_matrix_belong_to_their_sides() {
    let programme = nhsmail();
    for row in &programme.responsibilities {
        let mut world = World::staffed(programme.clone(), "managed");
        let other = [Side::Organisation, Side::Provider].into_iter().find(|side| !row.sides.contains(side));
        if let Some(other) = other {
            let by = world.worker(other);
            world.is_refused(&by, Action::Done { task: row.task.clone(), side: None }, Rule::OwnSide.name());
        }
        world.close_task(&row.task);
        assert_eq!(world.record.tasks[&row.task].done.len(), row.sides.len(), "{}", row.task);
    }
}
