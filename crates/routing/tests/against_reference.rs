//! Random directories: the check finds what the reference finds, no more and no less, and shows ways that a message can take.

use std::collections::{BTreeMap, BTreeSet};

use model::Side;
use routing::{Directory, Entry, Fault, Finding, Hop, MailAddress, Mx, Place, Refusal, Step, Taken, Witness};

use crate::random;
use crate::reference::{self, Wrong};
use crate::world::check;

/// So many directories in an ordinary run, and when all is asked for, as in all other long tests (`conformance::whole`).
const CASES: u64 = 20_000;
const CASES_WHOLE: u64 = 100_000;
const WHOLE_VARIABLE: &str = "WHIMBREL_WHOLE";

/// A directory with more combinations than this for one address is left out, and counted.
const COMBINATIONS_MAX: usize = 20_000;

fn found(directory: &Directory) -> Wrong {
    let findings = check(directory);
    assert_eq!(findings, check(directory), "the same directory gives the same findings");
    let mut found = Wrong::new();
    for finding in findings {
        holds(&finding);
        let people: BTreeSet<_> = finding.people.iter().cloned().collect();
        assert_eq!(finding.people_count, finding.people.len(), "so few are all named: {finding}");
        assert_eq!(people.len(), finding.people.len(), "somebody is named twice: {finding}");
        let before = found.insert((finding.address.clone(), finding.fault), people);
        assert_eq!(before, None, "a fault is told once for an address: {finding}");
    }
    found
}

/// Is this a way that a message can take in one combination, and does it end as the fault says?
fn holds(finding: &Finding) {
    assert!(finding.is_certain, "so few changes are all tried out: {finding}");
    let mut chosen: BTreeMap<(Option<Side>, &Place), Taken> = BTreeMap::new();
    for witness in [&finding.witness, &finding.again] {
        follows(finding, witness);
        for Hop { site, place, taken, step, .. } in &witness.hops {
            // Each look-up of an MX chooses for itself, so what it answers may differ; refusing a domain is no choice.
            let stops = Step::Stopped(Refusal::NotAccepted);
            if *step != stops
                && !matches!(step, Step::SentTo { .. } | Step::Stopped(Refusal::NoMx | Refusal::MxIsItself))
            {
                let before = chosen.insert((*site, place), *taken);
                assert!(before.is_none_or(|before| before == *taken), "{place:?} is old and new at once: {finding}");
            }
        }
    }
    let last = |witness: &Witness| witness.hops.last().map(|hop| hop.step.clone());
    let delivers = |witness: &Witness| match last(witness) {
        Some(Step::Delivered(person) | Step::Forwarded { keeps_copy: Some(person), .. }) => Some(person),
        _ => None,
    };
    let first = finding.people.first();
    match finding.fault {
        Fault::ReachesAnother | Fault::NotFollowed => {
            assert_eq!(delivers(&finding.witness).as_ref(), first, "{finding}");
        }
        Fault::Twice => {
            assert_eq!(delivers(&finding.witness).as_ref(), first, "{finding}");
            assert_eq!(delivers(&finding.again).as_ref(), first, "{finding}");
            assert_ne!(finding.witness, finding.again, "{finding}");
        }
        Fault::Loop => {
            let closes = |hops: &[Hop]| hops.split_last().is_some_and(|(last, before)| before.contains(last));
            assert!(closes(&finding.witness.hops), "{finding}");
        }
        Fault::BlackHole => {
            let hops = &finding.witness.hops;
            let is_void = hops.split_last().is_some_and(|(last, before)| before.contains(last))
                && matches!(last(&finding.witness), Some(Step::Alias(_) | Step::AliasByRule(_) | Step::List(_)));
            assert!(is_void || matches!(last(&finding.witness), Some(Step::Stopped(_))), "{finding}");
        }
        Fault::KeepsCopy => {
            assert!(matches!(last(&finding.witness), Some(Step::Forwarded { keeps_copy: Some(_), .. })), "{finding}");
        }
        Fault::RefusedBySpf | Fault::RefusedByDmarc => {
            let is_sent = matches!(last(&finding.witness), Some(Step::Relayed { .. } | Step::SentTo { .. }));
            assert!(is_sent, "{finding}");
        }
        Fault::ForbiddenDirection => {
            let is_sent = matches!(
                last(&finding.witness),
                Some(Step::Forwarded { .. } | Step::Relayed { .. } | Step::SentTo { .. })
            );
            assert!(is_sent, "{finding}");
        }
        Fault::InsecureDomain | Fault::LeavesUs => {
            assert!(matches!(last(&finding.witness), Some(Step::SentTo { mx: Mx::Elsewhere, .. })), "{finding}");
        }
        Fault::Missing => assert!(!finding.witness.hops.is_empty(), "{finding}"),
    }
}

/// Does each place of a way lead to the next?
fn follows(finding: &Finding, witness: &Witness) {
    let Some(first) = witness.hops.first() else { return };
    assert_eq!(first.place, Place::Address(finding.address.clone()), "{finding}");
    assert_eq!(first.site.is_none(), finding.entry == Entry::Outside, "{finding}");
    for pair in witness.hops.windows(2) {
        let [before, after] = pair else { continue };
        let goes_to = |address: &MailAddress, is_same_site: bool| {
            assert_eq!(after.place, Place::Address(address.clone()), "{finding}");
            assert_eq!(after.site == before.site, is_same_site, "{finding}");
        };
        match &before.step {
            Step::Alias(to) | Step::AliasByRule(to) => goes_to(to, true),
            Step::Forwarded { to, .. } => {
                let is_one = |place: &Place| matches!(place, Place::Address(address) if to.contains(address));
                assert!(is_one(&after.place) && after.site == before.site, "{finding}");
            }
            Step::Mailbox(person) => {
                assert_eq!((after.site, &after.place), (before.site, &Place::Mailbox(person.clone())), "{finding}");
            }
            Step::NoEntry => {
                assert_eq!((after.site, &after.place), (before.site, &before.place), "{finding}");
            }
            Step::List(_) => assert_eq!(after.site, before.site, "{finding}"),
            Step::Relayed { to: Some(to), .. } => goes_to(to, false),
            Step::Relayed { .. } | Step::SentTo { .. } => {
                assert!(after.place == before.place && after.site != before.site, "{finding}");
            }
            Step::Delivered(_) | Step::Stopped(_) => panic!("nothing comes after the end: {finding}"),
        }
    }
}

/// Compares one directory; none if it was left out.
fn compare(seed: u64) -> Option<Wrong> {
    let directory = random::directory(seed);
    let wrong = reference::wrong(&directory, COMBINATIONS_MAX)?;
    let found = found(&directory);
    if found != wrong {
        let only = |a: &Wrong, b: &Wrong| -> Wrong {
            a.iter().filter(|(key, value)| b.get(*key) != Some(value)).map(|(k, v)| (k.clone(), v.clone())).collect()
        };
        panic!(
            "seed {seed}: the check alone finds {:#?}\nthe reference alone finds {:#?}\n{directory:#?}",
            only(&found, &wrong),
            only(&wrong, &found)
        );
    }
    Some(wrong)
}

#[test]
fn check_finds_exactly_what_happens_in_some_combination() {
    let cases = if std::env::var_os(WHOLE_VARIABLE).is_some() { CASES_WHOLE } else { CASES };
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut clean, mut left_out, mut pairs) = (0, 0, 0);
    for seed in 0..cases {
        let Some(wrong) = compare(seed) else {
            left_out += 1;
            continue;
        };
        pairs += wrong.len();
        clean += u64::from(wrong.is_empty());
        let faults: BTreeSet<Fault> = wrong.keys().map(|(_, fault)| *fault).collect();
        for fault in faults {
            *counts.entry(fault.name()).or_default() += 1;
        }
    }
    println!(
        "{cases} directories: {clean} without fault, {pairs} faults of addresses, {left_out} left out; by fault: {counts:?}"
    );
    assert!(left_out * 100 < cases, "{left_out} of {cases} are left out");
    assert!(clean * 50 > cases, "only {clean} of {cases} are without fault");
    for fault in Fault::EVERY {
        assert!(counts.contains_key(fault.name()), "no directory has the fault {}", fault.name());
    }
}
