//! Random histories of a person on both sides, judged: a test a kind of histories. `WHIMBREL_SEEDS`
//! says how many of each, `WHIMBREL_SEEDS_FROM` from which on: before a change of `movement` is done, some hundreds of each.

use conformance::history::family::{Family, count, first};
use conformance::history::kept::KEPT;
use conformance::history::step::steps;
use conformance::history::turned;
use connector::memory::Traits;

/// Plays histories of a kind: so many, unless asked for others.
fn well(name: &str, usual: u64) {
    Family::named(name).seeds(first()..first() + count(usual));
}

#[test]
fn additions() {
    well("additions", 40);
}

#[test]
fn additions_without_being_told_what_is_gone() {
    well("additions, no gone", 30);
}

#[test]
fn additions_between_poor_platforms() {
    well("additions, poor", 30);
}

#[test]
fn additions_to_a_target_in_use() {
    well("additions, in use", 30);
}

#[test]
fn everything() {
    well("all", 60);
}

#[test]
fn everything_to_a_target_in_use() {
    well("all, in use", 60);
}

#[test]
fn everything_with_copies_changed_on_a_target_that_is_not_in_use() {
    well("all, meddled with", 30);
}

#[test]
fn everything_without_being_told_what_is_gone() {
    well("all, no gone", 30);
}

#[test]
fn everything_without_being_told_what_is_gone_to_a_target_in_use() {
    well("all, no gone, in use", 30);
}

#[test]
fn everything_from_a_poor_platform() {
    well("all, from poor", 30);
}

#[test]
fn everything_between_poor_platforms() {
    well("all, poor", 30);
}

#[test]
fn everything_between_poor_platforms_to_a_target_in_use() {
    well("all, poor, in use", 30);
}

#[test]
fn everything_while_ids_and_the_ledger_are_lost() {
    well("events", 40);
}

#[test]
fn everything_while_ids_and_the_ledger_are_lost_to_a_target_in_use() {
    well("events, in use", 30);
}

#[test]
fn everything_while_ids_and_the_ledger_are_lost_between_poor_platforms() {
    well("events, poor", 30);
}

#[test]
fn additions_to_folders_that_come_together() {
    well("merged, additions", 30);
}

#[test]
fn everything_in_folders_that_come_together() {
    well("merged", 60);
}

#[test]
fn everything_in_folders_that_come_together_on_a_target_in_use() {
    well("merged, in use", 40);
}

#[test]
fn everything_in_folders_that_come_together_without_being_told_what_is_gone() {
    well("merged, no gone", 30);
}

#[test]
fn everything_in_folders_that_come_together_between_poor_platforms() {
    well("merged, poor", 30);
}

#[test]
fn everything_in_folders_that_come_together_between_poor_platforms_on_a_target_in_use() {
    well("merged, poor, in use", 30);
}

#[test]
fn everything_in_folders_that_come_together_while_ids_and_the_ledger_are_lost() {
    well("merged, events", 40);
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
    let mut failed = Vec::new();
    for kept in KEPT {
        let wrong = Family::named(kept.family).play(&steps(kept.steps));
        if !wrong.is_empty() {
            failed.push(format!("{}: {wrong:#?}", kept.name));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// People who are turned over, come back, and are turned over again: seeds of a source and a target with these traits.
fn turned(source: &Traits, target: &Traits, usual: u64) {
    let seeds = first()..first() + count(usual);
    let wrong: Vec<String> =
        seeds.flat_map(|seed| turned::history(seed, source.clone(), target.clone())).take(3).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn turned_over_and_back() {
    turned(&Traits::default(), &Traits::default(), 60);
}

#[test]
fn turned_over_and_back_without_being_told_what_is_gone() {
    let no_gone = Traits { tells_gone: false, ..Traits::default() };
    turned(&no_gone, &no_gone, 30);
}

#[test]
fn turned_over_and_back_where_the_source_cannot_move() {
    turned(&Traits { moves: false, ..Traits::default() }, &Traits::default(), 30);
}

#[test]
fn turned_over_and_back_from_a_poor_platform() {
    turned(&Traits::poor(), &Traits::default(), 30);
}
