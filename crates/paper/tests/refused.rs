//! What is not so is not confirmed, and what is missing is listed.

use paper::{Papers, Why, make};
use programme::{Record, Side};

use crate::project::{at, begun, closes, issues, makes, papers, says_no};
use crate::text::text;
use crate::world::World;

fn missing(why: Why) -> Vec<String> {
    match why {
        Why::Incomplete { missing, .. } => missing.into_iter().map(|missing| missing.what).collect(),
        other => panic!("{other}"),
    }
}

fn is_refused(world: &World, name: &str) -> Vec<String> {
    missing(makes(world, name).expect_err(name))
}

#[test]
fn a_request_for_change_without_a_part_is_refused_with_the_list_of_what_is_missing() {
    let mut world = begun("managed");
    world.reaches("readiness");
    let parts = ["months-planned", "help-desk-reviewed", "prerequisites-submitted"];
    for (at, part) in parts.iter().enumerate() {
        let missing = is_refused(&world, "rfc-package");
        assert_eq!(missing.len(), parts.len() - at, "{missing:?}");
        world.close(part);
    }
    makes(&world, "rfc-package").unwrap();
    let mut world = begun("managed");
    world.reaches("readiness");
    let issues = issues();
    let why = make("rfc-package", &Papers { is_draft: true, ..papers(&world, &issues) }).unwrap_err().to_string();
    assert!(why.contains("The help desk and its support model are reviewed"), "{why}");
    assert!(why.contains("To close it: plan the registrations of each month."), "{why}");
}

#[test]
fn readiness_is_not_confirmed_while_a_pre_requisite_is_open() {
    let world = at("readiness");
    let missing = is_refused(&world, "confirmation-of-readiness");
    assert_eq!(missing, ["All pre-requisites are complete and signed off by the provider"]);
    let issues = issues();
    let draft = make("confirmation-of-readiness", &Papers { is_draft: true, ..papers(&world, &issues) }).unwrap();
    assert!(text(&draft).contains("this draft confirms nothing"));
}

#[test]
fn the_beta_test_is_not_confirmed_before_it_was_done() {
    let world = at("readiness");
    let missing = is_refused(&world, "beta-notice");
    assert_eq!(missing, ["The stage \"Implementation\"", "Migrate the beta test, on dummy accounts only"]);
    let world = at("implementation");
    assert_eq!(is_refused(&world, "beta-notice"), ["Migrate the beta test, on dummy accounts only"]);
}

#[test]
fn go_is_not_confirmed_before_each_side_has_spoken_and_a_no_is_said_so() {
    let mut world = at("pilot");
    let sides = [Side::Organisation, Side::Provider, Side::Authority];
    for (spoken, side) in sides.into_iter().enumerate() {
        let missing = is_refused(&world, "go-no-go-confirmation");
        assert_eq!(missing.len(), sides.len() - spoken, "{missing:?}");
        world.says(side, "go-of-all", programme::Verdict::Yes);
    }
    let go = text(&makes(&world, "go-no-go-confirmation").unwrap());
    assert!(go.contains("Go. Every side that is asked says that \"Sync and switch\" can begin."), "{go}");
    says_no(&mut world, Side::Provider, "go-of-all");
    let no = text(&makes(&world, "go-no-go-confirmation").unwrap());
    assert!(no.contains("No-go. \"Sync and switch\" does not begin: the provider said no."), "{no}");
    assert!(!no.contains("Go. Every side"));
}

#[test]
fn a_document_that_a_type_does_not_have_is_refused_by_name() {
    let mut world = begun("self");
    closes(&mut world, &[]);
    assert!(matches!(makes(&world, "beta-notice"), Err(Why::NotOfType { .. })));
}

#[test]
fn without_a_project_or_a_type_or_a_name_nothing_is_made() {
    let world = World::new(crate::project::programme());
    let none = Record::default();
    let of = Papers {
        programme: &world.programme,
        record: &none,
        facts: &world.facts,
        switches: &[],
        issues: None,
        today: world.today(),
        version: 1,
        superseded_by: None,
        is_draft: false,
    };
    assert_eq!(make("board-pack", &of), Err(Why::NoProject));
    let mut world = World::new(crate::project::programme());
    world.does("chief", programme::Action::Open { code: "LM7".into(), name: "Little Marsh Trust".into() });
    assert_eq!(makes(&world, "board-pack"), Err(Why::NoType));
    let unknown = makes(&world, "brief").unwrap_err().to_string();
    assert!(unknown.contains("\"brief\"") && unknown.contains("board-pack"), "{unknown}");
}
