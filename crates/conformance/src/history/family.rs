//! Kinds of histories: what may happen in them, and between which platforms. Plays many seeds of one, and finds the
//! shortest history that still fails.

use std::fmt::Write as _;

use connector::memory::Traits;

use super::generate::{Does, history};
use super::play::{Play, Stage};
use super::step::{Pass, Step};
use crate::whole;

/// How often a history is played in memory to shorten it.
const PLAYS_MAX: usize = 500;
/// So many failures of one kind are shown.
const FAILURES_MAX: usize = 3;

/// A kind of histories in memory.
#[derive(Clone, Copy)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// The source.
    pub source: fn() -> Traits,
    /// The target.
    pub target: fn() -> Traits,
    /// What may happen.
    pub does: Does,
}

/// What the source never loses, with troubles.
pub const ADDITIONS: Does =
    Does { leaves: false, in_use: false, on_copies: false, troubles: true, events: false, faults: true, merged: false };
/// Everything but what servers do by themselves.
pub const ALL: Does = Does { leaves: true, ..ADDITIONS };
const IN_USE: Does = in_use(ALL);
const MEDDLED: Does = Does { on_copies: true, ..ALL };
const EVENTS: Does = Does { events: true, ..ALL };
const EVENTS_IN_USE: Does = Does { events: true, ..IN_USE };

/// Folders of the source come together on the target.
pub const fn merged(does: Does) -> Does {
    Does { merged: true, ..does }
}

/// The person works on the target: on copies too.
pub const fn in_use(does: Does) -> Does {
    Does { in_use: true, on_copies: true, ..does }
}

fn no_gone() -> Traits {
    Traits { tells_gone: false, ..Traits::default() }
}

const fn family(name: &'static str, source: fn() -> Traits, target: fn() -> Traits, does: Does) -> Family {
    Family { name, source, target, does }
}

/// Every kind.
pub const FAMILIES: [Family; 22] = [
    family("additions", Traits::default, Traits::default, ADDITIONS),
    family("additions, no gone", no_gone, no_gone, ADDITIONS),
    family("additions, poor", Traits::poor, Traits::poor, ADDITIONS),
    family("additions, in use", Traits::default, Traits::default, in_use(ADDITIONS)),
    family("all", Traits::default, Traits::default, ALL),
    family("all, in use", Traits::default, Traits::default, IN_USE),
    family("all, meddled with", Traits::default, Traits::default, MEDDLED),
    family("all, no gone", no_gone, no_gone, ALL),
    family("all, no gone, in use", no_gone, no_gone, IN_USE),
    family("all, from poor", Traits::poor, Traits::default, ALL),
    family("all, poor", Traits::poor, Traits::poor, ALL),
    family("all, poor, in use", Traits::poor, Traits::poor, IN_USE),
    family("events", Traits::default, Traits::default, EVENTS),
    family("events, in use", Traits::default, Traits::default, EVENTS_IN_USE),
    family("events, poor", Traits::poor, Traits::poor, EVENTS),
    family("merged, additions", Traits::default, Traits::default, merged(ADDITIONS)),
    family("merged", Traits::default, Traits::default, merged(ALL)),
    family("merged, in use", Traits::default, Traits::default, merged(IN_USE)),
    family("merged, no gone", no_gone, no_gone, merged(ALL)),
    family("merged, poor", Traits::poor, Traits::poor, merged(ALL)),
    family("merged, poor, in use", Traits::poor, Traits::poor, merged(IN_USE)),
    family("merged, events", Traits::default, Traits::default, merged(EVENTS)),
];

impl Family {
    /// The kind of this name.
    ///
    /// # Panics
    /// When there is none.
    pub fn named(name: &str) -> Self {
        let found = FAMILIES.into_iter().find(|family| family.name == name);
        found.unwrap_or_else(|| panic!("there are no histories of the kind {name:?}"))
    }

    /// Plays these steps in memory. Every complaint.
    pub fn play(&self, steps: &[Step]) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let stage = Stage::in_memory((self.source)(), (self.target)(), self.does);
        let wrong = runtime.block_on(Play::begin(stage).to_the_end(steps));
        runtime.shutdown_background();
        wrong
    }

    /// Plays a seed. None when all is well, else the shortest history that fails likewise, and what is wrong with it.
    pub fn seed(&self, seed: u64) -> Option<Failure> {
        let steps = history(seed, self.does);
        let wrong = self.play(&steps);
        (!wrong.is_empty()).then(|| {
            let (steps, wrong) = shorten(steps, wrong, PLAYS_MAX, |steps| self.play(steps));
            Failure { family: self.name.to_owned(), seed, steps, wrong }
        })
    }

    /// Plays these seeds, and stops after a few failures.
    ///
    /// # Panics
    /// When any of them fails, with all that is needed to keep it.
    pub fn seeds(&self, seeds: impl IntoIterator<Item = u64>) {
        let failures: Vec<Failure> = seeds.into_iter().filter_map(|seed| self.seed(seed)).take(FAILURES_MAX).collect();
        let text: String = failures.iter().map(Failure::to_string).collect();
        assert!(failures.is_empty(), "\n{text}");
    }
}

/// A history that failed.
pub struct Failure {
    /// Its kind.
    pub family: String,
    /// Its seed.
    pub seed: u64,
    /// The steps that are left.
    pub steps: Vec<Step>,
    /// What is wrong.
    pub wrong: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "history {} of {:?}:", self.seed, self.family)?;
        self.wrong.iter().try_for_each(|wrong| writeln!(f, "  {wrong}"))?;
        f.write_str("the shortest that fails likewise:\n")?;
        let mut text = String::new();
        self.steps.iter().for_each(|step| {
            let _ = writeln!(text, "    {step}");
        });
        f.write_str(&text)
    }
}

/// What kind of complaint it is.
fn class(wrong: &str) -> &str {
    wrong.split(':').next().unwrap_or(wrong)
}

/// Drops steps, and parts of passes, for as long as the same kind of complaint remains and it was not played too often.
pub fn shorten(
    mut steps: Vec<Step>,
    mut wrong: Vec<String>,
    plays_max: usize,
    play: impl Fn(&[Step]) -> Vec<String>,
) -> (Vec<Step>, Vec<String>) {
    let wanted = wrong.first().map(|wrong| class(wrong).to_owned()).unwrap_or_default();
    let mut plays = 0;
    let mut fails = |steps: &[Step]| {
        plays += 1;
        let now = if plays > plays_max { Vec::new() } else { play(steps) };
        now.iter().any(|wrong| class(wrong) == wanted).then_some(now)
    };
    let mut size = steps.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut is_shorter = false;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(fewer.len()));
            if let Some(now) = fails(&fewer) {
                (steps, wrong, is_shorter) = (fewer, now, true);
            } else {
                at += size;
            }
        }
        if size == 1 && !is_shorter {
            break;
        }
        size = if size == 1 { 1 } else { size.div_ceil(2) };
    }
    for at in 0..steps.len() {
        let Step::Pass(pass) = steps[at].clone() else { continue };
        let mut simpler =
            vec![Pass::default(), Pass { stop: None, ..pass.clone() }, Pass { fault: None, ..pass.clone() }];
        for part in (0..pass.during.len()).rev() {
            let mut fewer = pass.clone();
            fewer.during.remove(part);
            simpler.push(fewer);
        }
        for pass in simpler {
            let mut other = steps.clone();
            other[at] = Step::Pass(pass);
            if other != steps
                && let Some(now) = fails(&other)
            {
                (steps, wrong) = (other, now);
                break;
            }
        }
    }
    (steps, wrong)
}

/// How many seeds of each kind: as `WHIMBREL_SEEDS` says, else three of five of these, and as a whole (see [`whole`]) four times as many.
pub fn count(usual: u64) -> u64 {
    asked("WHIMBREL_SEEDS").unwrap_or(whole::amount((3 * usual).div_ceil(5), 4 * usual))
}

/// The first seed of each kind: as `WHIMBREL_SEEDS_FROM` says, else 0.
pub fn first() -> u64 {
    asked("WHIMBREL_SEEDS_FROM").unwrap_or(0)
}

fn asked(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}
