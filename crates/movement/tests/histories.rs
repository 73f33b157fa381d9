//! Random histories of a person on both sides, judged: a test a kind of histories. `WHIMBREL_SEEDS`
//! says how many of each.

use conformance::history::family::{Family, count, follows};
use conformance::history::kept::KEPT;
use conformance::history::step::steps;

/// Plays histories in which all is followed that the engine follows.
fn well(name: &str, usual: u64) {
    Family::named(name).seeds(0..count(usual));
}

/// Plays histories that ask for more than the engine does yet: among the first there is one that fails.
fn followed(name: &str, usual: u64) {
    if follows() {
        return well(name, usual);
    }
    let fails = (0..20).any(|seed| !Family::named(name).fails(seed).is_empty());
    assert!(fails, "all is followed: say so in conformance::history::family");
}

#[test]
fn additions() {
    well("additions", 200);
}

#[test]
fn additions_without_being_told_what_is_gone() {
    well("additions, no gone", 150);
}

#[test]
fn additions_between_poor_platforms() {
    well("additions, poor", 150);
}

#[test]
fn additions_to_a_target_in_use() {
    well("additions, in use", 150);
}

#[test]
fn everything() {
    followed("all", 250);
}

#[test]
fn everything_to_a_target_in_use() {
    followed("all, in use", 250);
}

#[test]
fn everything_without_being_told_what_is_gone() {
    followed("all, no gone", 150);
}

#[test]
fn everything_without_being_told_what_is_gone_to_a_target_in_use() {
    followed("all, no gone, in use", 150);
}

#[test]
fn everything_from_a_poor_platform() {
    followed("all, from poor", 150);
}

#[test]
fn everything_between_poor_platforms() {
    followed("all, poor", 150);
}

#[test]
fn everything_between_poor_platforms_to_a_target_in_use() {
    followed("all, poor, in use", 100);
}

#[test]
fn everything_while_ids_and_the_ledger_are_lost() {
    followed("events", 150);
}

#[test]
fn everything_while_ids_and_the_ledger_are_lost_to_a_target_in_use() {
    followed("events, in use", 100);
}

#[test]
fn everything_while_ids_and_the_ledger_are_lost_between_poor_platforms() {
    followed("events, poor", 100);
}

/// One history alone, in full: `WHIMBREL_HISTORY="all, in use:17"`.
#[test]
fn the_one_asked_for() {
    let Ok(asked) = std::env::var("WHIMBREL_HISTORY") else { return };
    let parts = asked.rsplit_once(':').and_then(|(name, seed)| Some((name, seed.parse::<u64>().ok()?)));
    let Some((name, seed)) = parts else { panic!("WHIMBREL_HISTORY is KIND:SEED") };
    Family::named(name).seeds(seed..=seed);
}

#[test]
fn those_that_once_failed() {
    for kept in KEPT.iter().filter(|kept| follows() || kept.family.starts_with("additions")) {
        let wrong = Family::named(kept.family).play(&steps(kept.steps));
        assert!(wrong.is_empty(), "{}: {wrong:#?}", kept.name);
    }
}
