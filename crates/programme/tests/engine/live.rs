//! What live actions ask: the stage, what is approved, and what stands against it.

use programme::{Action, Live, Register, Rule, Side, Sureness, Verdict, registrations};

use crate::world::{World, invented, row};

const EVERY: [Live; 8] = [
    Live::ProvisionAccounts { new_already: 0, asked: 1, others: 0 },
    Live::SyncPilot,
    Live::SyncBulk,
    Live::ForwardersOn,
    Live::SwitchPilot,
    Live::Switch,
    Live::ChangeMx,
    Live::Decommission,
];

fn numbers(new: u64) -> Action {
    Action::GiveNumbers { sureness: Sureness::Confirmed, existing: 10, new }
}

fn make(new_already: u64, asked: u64) -> Live {
    Live::ProvisionAccounts { new_already, asked, others: 0 }
}

#[test]
fn live_actions_wait_for_their_stage() {
    let mut world = World::staffed(invented(), "guided");
    world.does("lead", numbers(700));
    world.knows("mx-changed", true);
    for stage in ["begin", "prepare", "try", "go", "rest"] {
        world.reaches(stage);
        let known = world.programme.stages.iter().find(|known| known.id == stage).unwrap().clone();
        for live in EVERY {
            let is_allowed = known.allows.iter().any(|name| name == live.name());
            match world.may(live) {
                Ok(()) => assert!(is_allowed, "{stage}: {live}"),
                Err(refusal) => {
                    assert!(!is_allowed, "{stage}: {live}: {refusal}");
                    assert!(refusal.is_by("stage-allows"));
                }
            }
        }
    }
    world.passes();
    assert!(world.may(Live::Decommission).is_ok(), "what the last stage allows goes on after it");
}

#[test]
fn nothing_is_allowed_before_the_first_gate_or_after_giving_up() {
    let mut world = World::new(invented());
    assert!(world.may(Live::Switch).unwrap_err().is_by(Rule::NotNow.name()));
    world.does("lead", Action::Open { code: "A".into(), name: "A".into() });
    assert!(world.may(Live::Switch).unwrap_err().is_by(Rule::StageAllows.name()));
    let mut world = World::staffed(invented(), "guided");
    world.reaches("go");
    assert!(world.may(Live::Switch).is_ok());
    world.does("lead", Action::Cancel { why: "merged".into() });
    assert!(world.may(Live::Switch).unwrap_err().is_by(Rule::NotNow.name()));
}

#[test]
fn a_no_after_the_gate_stops_what_is_live_until_there_is_a_yes() {
    let mut world = World::staffed(invented(), "guided");
    world.reaches("go");
    world.says(Side::Authority, "all-go", Verdict::No);
    let refusal = world.may(Live::Switch).unwrap_err();
    assert!(refusal.is_by("standing-no") && refusal.is_by("all-go"));
    assert!(world.may(Live::SyncBulk).is_err());
    world.says(Side::Authority, "all-go", Verdict::Yes);
    assert!(world.may(Live::Switch).is_ok());
}

#[test]
fn an_unresolved_application_blocks_the_cutover() {
    let mut world = World::staffed(invented(), "guided");
    world.reaches("go");
    let fields = row(&[("title", "Scanner"), ("owner", "Ida"), ("protocol", "SMTP")]);
    world.does("lead", Action::AddRow { register: Register::Applications, fields });
    assert!(world.may(Live::SyncBulk).is_ok());
    for live in [Live::SwitchPilot, Live::Switch, Live::ChangeMx] {
        let refusal = world.may(live).unwrap_err();
        assert!(refusal.is_by("applications-resolved") && refusal.what.contains("application-1"), "{refusal}");
    }
    let settle = |verdict| Action::SettleRow { row: "application-1".into(), verdict, text: "reconfigured".into() };
    world.is_refused("lead", settle(Verdict::Yes), Rule::Incomplete.name());
    let fields = row(&[("settings", "smtp.example:587")]);
    world.does("lead", Action::ChangeRow { row: "application-1".into(), fields });
    world.does("lead", settle(Verdict::Yes));
    assert!(world.may(Live::Switch).is_ok() && world.may(Live::SwitchPilot).is_ok());
    world.does("lead", settle(Verdict::No));
    assert!(world.may(Live::Switch).is_err());
}

#[test]
fn with_readiness_signed_off_all_accounts_may_be_made_and_no_more() {
    let mut world = World::staffed(invented(), "guided");
    world.does("lead", numbers(700));
    world.reaches("try");
    assert!(world.may(make(0, 700)).is_ok());
    assert!(world.may(make(699, 1)).is_ok());
    let refusal = world.may(make(700, 1)).unwrap_err();
    assert!(refusal.is_by("registration-limit"));
    assert!(refusal.what.contains("the limit is 700, 700 are there and 1 are asked for"), "{refusal}");
    assert!(world.may(make(u64::MAX, u64::MAX)).is_err());
}

#[test]
fn in_their_own_hands_five_hundred_until_the_pilot_succeeded_then_by_wave() {
    let mut world = World::staffed(invented(), "own");
    world.does("lead", numbers(700));
    let limit = |world: &World| registrations(&world.programme, &world.record, &world.facts, world.today());
    assert_eq!(limit(&world).limit, 0);
    assert_eq!(limit(&world).next.unwrap().criterion, "ready-own");
    world.reaches("try");
    world.facts.pilot_accounts = Some(40);
    assert!(world.may(make(0, 40)).is_ok());
    assert!(world.may(make(40, 1)).unwrap_err().is_by("registration-limit"));
    // Whose they are counts, and not how many alone.
    let others = |others| Live::ProvisionAccounts { new_already: 0, asked: 40, others };
    assert!(world.may(others(0)).is_ok());
    let refusal = world.may(others(1)).unwrap_err();
    assert!(refusal.is_by("registration-limit") && refusal.is_by("tried"), "{refusal}");
    assert!(refusal.what.contains("1 of them are for nobody of the pilot"), "{refusal}");
    world.facts.pilot_accounts = Some(600);
    assert!(world.may(make(0, 500)).is_ok());
    let refusal = world.may(make(0, 501)).unwrap_err();
    assert!(refusal.is_by("tried"), "what releases more is named: {refusal}");
    world.close("tried");
    assert!(world.may(others(40)).is_ok(), "they are anybody's once the pilot succeeded");
    world.facts.wave_accounts = Some(650);
    assert!(world.may(make(0, 650)).is_ok());
    assert!(world.may(make(0, 651)).is_err());
    world.facts.wave_accounts = Some(9000);
    assert_eq!(limit(&world).limit, 700, "never more than the project needs");
    // Where nobody says otherwise a wave is a month of the plan, from its first day on.
    world.facts.wave_accounts = None;
    let accounts = [("2026-02", 520), ("2026-03", 100), ("2026-05", 80)];
    let accounts = accounts.map(|(month, count)| (month.to_owned(), count)).into();
    world.does("lead", Action::PlanMonths { accounts });
    for (at, released) in [
        ("2026-02-28T23:59:00Z", 520),
        ("2026-03-01T00:00:00Z", 620),
        ("2026-03-02T00:00:00Z", 620),
        ("2026-04-30T00:00:00Z", 620),
        ("2026-05-01T00:00:00Z", 700),
    ] {
        world.at = at.parse().unwrap();
        assert_eq!(limit(&world).limit, released, "{at}");
    }
    world.at = "2026-01-31T00:00:00Z".parse().unwrap();
    assert_eq!(limit(&world).limit, 500, "what the pilot has is not taken back");
}

#[test]
fn what_was_released_at_a_gate_stays_released() {
    let mut world = World::staffed(invented(), "guided");
    world.does("lead", numbers(700));
    world.reaches("try");
    world.knows("source-reachable", false);
    assert!(world.may(make(0, 700)).is_ok(), "a check that fails later takes nothing back");
    world.signs("guide", "ready", Verdict::No);
    assert!(world.may(make(0, 1)).unwrap_err().is_by("standing-no"));
}

#[test]
fn old_servers_stay_as_long_as_mail_goes_by_them() {
    let mut world = World::staffed(invented(), "guided");
    world.reaches("rest");
    assert!(world.may(Live::Decommission).unwrap_err().is_by("old-servers-needed"));
    world.knows("mx-changed", false);
    assert!(world.may(Live::Decommission).is_err());
    world.knows("mx-changed", true);
    assert!(world.may(Live::Decommission).is_ok());
}

#[test]
fn every_live_action_has_its_name() {
    for live in EVERY {
        assert!(Live::NAMES.contains(&live.name()));
    }
    assert_eq!(Live::NAMES.len(), EVERY.len());
}

/// What is there already is changed from the first accounts on, also after the last; never against a no.
#[test]
fn accounts_that_are_there_are_changed_while_the_project_is_under_way() {
    let may = |world: &World| programme::allows_update(&world.programme, &world.record, &world.known(), world.today());
    let mut world = World::staffed(invented(), "guided");
    assert!(may(&world).unwrap_err().is_by("stage-allows"));
    world.reaches("prepare");
    assert!(may(&world).unwrap_err().is_by("stage-allows"));
    for stage in ["try", "go", "rest"] {
        world.reaches(stage);
        assert!(may(&world).is_ok(), "{stage}");
        world.says(Side::Authority, "all-go", Verdict::No);
        let refusal = if stage == "try" { None } else { may(&world).err() };
        assert!(stage == "try" || refusal.is_some_and(|refusal| refusal.is_by("standing-no")), "{stage}");
        let mut cancelled = world.clone();
        cancelled.does("lead", Action::Cancel { why: "merged".into() });
        assert!(may(&cancelled).unwrap_err().is_by(Rule::NotNow.name()), "{stage}");
        world.says(Side::Authority, "all-go", Verdict::Yes);
    }
    world.passes();
    assert!(may(&world).is_ok(), "it ended, and is not closed");
    world.does("lead", Action::Close { note: "done".into() });
    assert!(may(&world).is_ok(), "identities are kept in step after the close (R-245)");
}
