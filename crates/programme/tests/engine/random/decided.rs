//! Decisions in place of facts, the pilot, and what is done live: what must never be of them, told by rules of their own from what was appended and
//! from what the system knew then.

use std::collections::{BTreeMap, BTreeSet};

use programme::{
    CHECKS, Change, Criterion, Entry, FACTS, Facts, Gate, Live, MetBy, Outcome, Programme, Reached, Register, Side,
    Verdict,
};

use super::words;
use crate::world::{World, invented};

/// People who may be of the pilot.
pub(super) const PILOT: [&str; 6] = ["ann", "bob", "cyd", "dan", "eve", "fay"];

/// What is decided; the last two by nobody.
pub(super) const DECISIONS: [&str; 9] = [
    "all-in-scope-through-switch",
    "source-reachable",
    "pilot-share",
    "pilot-copied",
    "pilot-switched",
    "pilot-leave",
    "pilot-leave",
    "mx-changed",
    "key-roles-filled",
];

/// What the invented programme has besides.
const MORE: &str = r#"
constants.pilot-share-least = { value = 5, unit = "percent", about = "a", from = "b" }
constants.pilot-share-most = { value = 10, unit = "percent", about = "a", from = "b" }

[[decisions]]
id = "all-in-scope-through-switch"
title = "Everybody is through"
decided-by = ["lead", "guide"]

[[decisions]]
id = "source-reachable"
title = "It is reached"
decided-by = ["lead", "engineer", "judge"]

[[decisions]]
id = "pilot-share"
title = "Another share"
decided-by = ["boss", "guide", "judge"]

[[decisions]]
id = "pilot-leave"
title = "Somebody leaves"
decided-by = ["boss", "guide"]

[[decisions]]
id = "pilot-copied"
title = "It was copied"
decided-by = ["guide"]

[[decisions]]
id = "pilot-switched"
title = "They were switched"
decided-by = ["guide", "lead"]

[[pilot-checks]]
id = "old-mail"
title = "old mail"
after = "copy"
answered-by = ["helper", "lead"]

[[pilot-checks]]
id = "rooms"
title = "rooms"
after = "switch"
answered-by = ["lead", "helper"]

[[criteria]]
id = "share-kept"
title = "The share is kept"
fact = "pilot-share"
owner = "lead"
closes = "name them"

[[criteria]]
id = "checked"
title = "The pilot has checked"
fact = "pilot-checks-complete"
owner = "lead"
closes = "check it"
"#;

/// The invented programme with decisions and a pilot: its share is asked before it and its answers after it.
pub(super) fn programme() -> Programme {
    let mut programme = invented();
    let more: Programme = toml::from_str(MORE).expect("it can be read");
    programme.constants.extend(more.constants);
    programme.decisions.extend(more.decisions);
    programme.pilot_checks.extend(more.pilot_checks);
    programme.criteria.extend(more.criteria);
    for (gate, criterion) in [("g2", "share-kept"), ("g3", "checked")] {
        let known = programme.gates.iter_mut().find(|known| known.id == gate).expect("a gate");
        known.criteria.push(criterion.to_owned());
    }
    programme
}

/// What had been appended before something, and what the system knew.
#[derive(Clone, Copy)]
struct Then<'a> {
    programme: &'a Programme,
    entries: &'a [Entry],
    facts: &'a Facts,
}

impl<'a> Then<'a> {
    fn of(world: &'a World, at: usize) -> Self {
        let facts = &world.facts_then.as_ref().expect("they are kept")[at];
        Self { programme: &world.programme, entries: &world.entries[..at], facts }
    }

    fn now(world: &'a World) -> Self {
        Self { programme: &world.programme, entries: &world.entries, facts: &world.facts }
    }

    fn roles(&self, who: &str) -> BTreeSet<&'a str> {
        let mut roles = BTreeSet::new();
        for entry in self.entries {
            match &entry.change {
                Change::RoleGiven { person, role, .. } if person == who => drop(roles.insert(role.as_str())),
                Change::RoleTaken { person, role, .. } if person == who => drop(roles.remove(role.as_str())),
                _ => {}
            }
        }
        roles
    }

    fn side(&self, role: &str) -> Side {
        self.programme.roles.iter().find(|known| known.id == role).expect("a role").side
    }

    fn project_type(&self) -> &'a str {
        let chosen = self.entries.iter().rev().find_map(|entry| match &entry.change {
            Change::TypeChosen { project_type, .. } => Some(project_type.as_str()),
            _ => None,
        });
        chosen.expect("a type")
    }

    /// The last decision of this name: where it stands, what it says, and who is said to have taken it in which role.
    fn decision(&self, name: &str) -> Option<(usize, Verdict, &'a str, Option<&'a str>)> {
        self.entries.iter().enumerate().rev().find_map(|(at, entry)| match &entry.change {
            Change::Decided { decision, verdict, by, role, .. } if decision == name => {
                Some((at, *verdict, by.as_str(), role.as_deref()))
            }
            _ => None,
        })
    }

    fn is_yes(&self, name: &str) -> bool {
        self.decision(name).is_some_and(|(_, verdict, ..)| verdict == Verdict::Yes)
    }

    /// Who is of the pilot, each with where they were named.
    fn pilot(&self) -> BTreeMap<&'a str, usize> {
        let mut pilot = BTreeMap::new();
        for (at, entry) in self.entries.iter().enumerate() {
            match &entry.change {
                Change::PilotNamed { people } => pilot.extend(people.iter().map(|person| (person.as_str(), at))),
                Change::PilotLeft { person, .. } => drop(pilot.remove(person.as_str())),
                _ => {}
            }
        }
        pilot
    }

    fn reached(&self, person: &str) -> Option<Reached> {
        let copied = self.is_yes("pilot-copied").then_some(Reached::Copy);
        let switched = self.is_yes("pilot-switched").then_some(Reached::Switch);
        self.facts.pilot.get(person).copied().max(copied).max(switched)
    }

    /// What somebody of the pilot said of a check last, and where.
    fn answer(&self, who: &str, title: &str) -> Option<(usize, Outcome)> {
        self.entries.iter().enumerate().rev().find_map(|(at, entry)| match &entry.change {
            Change::PilotChecked { person, item, outcome, .. } if person == who && item == title => {
                Some((at, *outcome))
            }
            _ => None,
        })
    }

    /// Is a fact so, and was that decided?
    fn fact(&self, name: &str) -> (bool, bool) {
        let seen = self.facts.facts.get(name);
        match self.decision(name) {
            Some((_, verdict, ..)) if seen.is_none() || self.facts.unseen.contains(name) => {
                (verdict == Verdict::Yes, true)
            }
            _ => (seen.is_some_and(|fact| fact.is_met), false),
        }
    }

    fn unresolved(&self) -> BTreeSet<&'a str> {
        let mut open = BTreeSet::new();
        let is_one = |row: &str| row.starts_with("application-");
        for entry in self.entries {
            match &entry.change {
                Change::RowAdded { row, register: Register::Applications, .. } => drop(open.insert(row.as_str())),
                Change::RowSettled { row, verdict: Verdict::Yes, .. } | Change::RowWithdrawn { row, .. } => {
                    open.remove(row.as_str());
                }
                Change::RowSettled { row, .. } if is_one(row) => drop(open.insert(row.as_str())),
                _ => {}
            }
        }
        open
    }

    /// Is the share of the pilot right, or was another one decided?
    fn share(&self) -> bool {
        let people = self.entries.iter().rev().find_map(|entry| match &entry.change {
            Change::NumbersGiven { existing, new, .. } => Some(existing + new),
            _ => None,
        });
        let count = self.pilot().len() as u64;
        let is_right = people.is_some_and(|all| {
            let of = |percent: u64| (all * percent).div_ceil(100).max(1);
            (of(5)..=of(10)).contains(&count)
        });
        is_right || self.is_yes("pilot-share")
    }

    fn criteria(&self, gate: &'a Gate) -> Vec<&'a Criterion> {
        let of = |id: &Option<String>| self.programme.stages.iter().find(|stage| Some(&stage.id) == id.as_ref());
        let exit = of(&gate.leaves).map(|stage| stage.exit.as_slice()).unwrap_or_default();
        let entry = of(&gate.enters).map(|stage| stage.entry.as_slice()).unwrap_or_default();
        let own = self.project_type().to_owned();
        let known = |id: &String| self.programme.criteria.iter().find(|known| known.id == *id).expect("a criterion");
        let counts = |criterion: &&Criterion| criterion.types.is_empty() || criterion.types.contains(&own);
        exit.iter().chain(entry).chain(&gate.criteria).map(known).filter(counts).collect()
    }

    /// Names of checks that a criterion rests on.
    fn checks(&self, criterion: &Criterion) -> Vec<&'a str> {
        let tasks = self.programme.tasks.iter().filter(|task| match &criterion.met_by {
            MetBy::Prerequisites(_) => task.is_prerequisite,
            MetBy::Task(id) => task.id == *id,
            _ => false,
        });
        let is_dropped = |id: &str| {
            let last = self.entries.iter().rev().find_map(|entry| match &entry.change {
                Change::TaskDropped { task, .. } if task == id => Some(true),
                Change::TaskReopened { task, .. } if task == id => Some(false),
                _ => None,
            });
            last == Some(true)
        };
        tasks.filter(|task| !is_dropped(&task.id)).filter_map(|task| task.check.as_deref()).collect()
    }

    /// Decisions with which a criterion is met.
    fn rests_on(&self, criterion: &Criterion) -> Vec<String> {
        let mut names: Vec<String> = self.checks(criterion).into_iter().map(str::to_owned).collect();
        names.retain(|name| self.fact(name).1);
        match &criterion.met_by {
            MetBy::Decision(name) => names.push(name.clone()),
            MetBy::Fact(name) if name == "pilot-share" => names.push(name.clone()),
            MetBy::Fact(name) if name == "pilot-checks-complete" => {
                names.extend(["pilot-copied", "pilot-switched"].map(str::to_owned));
                names.extend(PILOT.map(|person| format!("pilot-leave/{person}")));
            }
            MetBy::Fact(name) if self.fact(name).1 => names.push(name.clone()),
            _ => {}
        }
        names.retain(|name| self.is_yes(name));
        names
    }
}

/// Nobody leaves, checks or decides what they may not.
pub(super) fn keeps_its_pilot(world: &World) {
    for (at, entry) in world.entries.iter().enumerate() {
        let (then, who) = (Then::of(world, at), entry.who.as_str());
        match &entry.change {
            Change::PilotNamed { people } => {
                let pilot = then.pilot();
                assert!(
                    people.iter().all(|person| !pilot.contains_key(person.as_str())),
                    "{people:?} are of it already"
                );
            }
            Change::PilotChecked { person, item, .. } => {
                assert!(then.pilot().contains_key(person.as_str()), "{person} is not of the pilot");
                let check = world.programme.pilot_checks.iter().find(|check| check.title == *item).expect("a check");
                let roles = then.roles(who);
                assert!(check.answered_by.iter().any(|role| roles.contains(role.as_str())), "{who} answered {item}");
                assert!(then.reached(person) >= Some(check.after), "{item} of {person} was not there");
            }
            Change::PilotLeft { person, .. } => {
                let named = then.pilot().get(person.as_str()).copied().expect("of the pilot");
                let answers: Vec<_> =
                    world.programme.pilot_checks.iter().map(|check| then.answer(person, &check.title)).collect();
                let is_there = then.reached(person).is_some();
                let is_open = |answer: &Option<(usize, Outcome)>| match answer {
                    None => is_there,
                    Some((_, outcome)) => *outcome == Outcome::Failed,
                };
                if answers.iter().any(is_open) {
                    let last = answers.iter().flatten().map(|(at, _)| *at).fold(named, usize::max);
                    let decided = then.decision(&format!("pilot-leave/{person}"));
                    let is_let = decided.is_some_and(|(at, verdict, ..)| verdict == Verdict::Yes && at > last);
                    assert!(is_let, "{person} left with something open: {answers:?}, {decided:?}");
                }
            }
            Change::Decided { decision, role, .. } => {
                let name = decision.split('/').next().unwrap_or_default();
                match world.programme.decisions.iter().find(|row| row.id == name) {
                    Some(row) => {
                        let role = role.as_ref().expect("it is decided in a role");
                        let is_held = then.roles(who).contains(role.as_str());
                        assert!(is_held && row.decided_by.contains(role), "{who} decided on {name} as {role}");
                    }
                    None => {
                        let is_known = FACTS.iter().chain(&CHECKS).any(|(known, _)| *known == name);
                        assert!(!is_known, "{who} decided on {name}, which nobody may");
                    }
                }
            }
            _ => {}
        }
    }
}

/// No gate was passed without what the system had to know, or by who had decided what it rests on.
pub(super) fn lets_nothing_pass(world: &World) {
    for (at, entry) in world.entries.iter().enumerate() {
        let Change::GatePassed { gate, .. } = &entry.change else { continue };
        let (then, who) = (Then::of(world, at), entry.who.as_str());
        let gate = world.programme.gates.iter().find(|known| known.id == *gate).expect("a gate");
        let own: BTreeSet<Side> = then.roles(who).into_iter().map(|role| then.side(role)).collect();
        for criterion in then.criteria(gate) {
            let id = &criterion.id;
            match &criterion.met_by {
                MetBy::Fact(name) if name == "pilot-share" => assert!(then.share(), "{id}: {:?}", then.pilot()),
                MetBy::Fact(name) if name == "pilot-checks-complete" => {
                    let pilot = then.pilot();
                    let checks = &world.programme.pilot_checks;
                    let has_all = |who: &str| checks.iter().all(|check| then.answer(who, &check.title).is_some());
                    assert!(!pilot.is_empty() && pilot.keys().all(|who| has_all(who)), "{id}: {pilot:?}");
                }
                MetBy::Fact(name) if name == "applications-resolved" => {
                    assert!(then.unresolved().is_empty(), "{id}: {:?}", then.unresolved());
                }
                MetBy::Fact(name) => assert!(then.fact(name).0, "{id} was not so"),
                _ => {}
            }
            for check in then.checks(criterion) {
                let was_checked = || {
                    let mut checked = then.entries.iter().rev().filter_map(|entry| match &entry.change {
                        Change::TaskChecked { task, is_met, .. } if task == "reach" => Some(*is_met),
                        _ => None,
                    });
                    !then.facts.facts.contains_key(check) && checked.next() == Some(true)
                };
                assert!(then.fact(check).0 || was_checked(), "{id}: {check} was not so");
            }
            for name in then.rests_on(criterion) {
                let (decided_at, _, by, role) = then.decision(&name).expect("it was decided");
                let decider = world.entries[decided_at].who.as_str();
                assert!(decider != who && by != who, "{who} passed {} with what they decided: {name}", gate.id);
                if let (Some(role), "guided") = (role, then.project_type()) {
                    assert!(!own.contains(&then.side(role)), "{who} passed {} with {name} of their own side", gate.id);
                }
            }
        }
    }
}

/// Nothing may be done live that the stage does not allow, against a no, or with an application that would fall silent.
pub(super) fn may_be_done_live(world: &World) {
    let then = Then::now(world);
    for live in [
        Live::ProvisionAccounts { new_already: 0, asked: 1, others: 1 },
        Live::SyncPilot,
        Live::SyncBulk,
        Live::SwitchPilot,
        Live::Switch,
    ] {
        if world.may(live).is_err() {
            continue;
        }
        let stage = world.stage().expect("a stage");
        let known = world.programme.stages.iter().find(|known| known.id == stage).expect("a stage");
        assert!(known.allows.iter().any(|name| name == live.name()), "{live} in {stage}");
        if matches!(live, Live::SwitchPilot | Live::Switch) {
            assert!(then.unresolved().is_empty(), "{live} with {:?}", then.unresolved());
        }
        // In the stage of the pilot alone its share is asked each time.
        if matches!(live, Live::SyncPilot | Live::SwitchPilot) && stage == "try" {
            assert!(then.share(), "{live} with {:?}", then.pilot());
        }
        for entry in &world.entries {
            let Change::GatePassed { gate, .. } = &entry.change else { continue };
            let gate = world.programme.gates.iter().find(|known| known.id == *gate).expect("a gate");
            for criterion in then.criteria(gate) {
                let says_no = words(then.entries, &criterion.id);
                let asked = |of: &String| match &criterion.met_by {
                    MetBy::SignedBy(roles) => roles.contains(of),
                    MetBy::Prerequisites(role) => role == of,
                    MetBy::Sides(_) => {
                        let kind = world.programme.types.iter().find(|known| known.id == then.project_type());
                        kind.is_some_and(|kind| kind.go.iter().any(|side| programme::side_name(*side) == of))
                    }
                    _ => false,
                };
                let no = says_no.iter().find(|(of, (_, verdict))| *verdict == Verdict::No && asked(of));
                assert!(no.is_none(), "{live} against {no:?} on {}", criterion.id);
                let decisions = match &criterion.met_by {
                    MetBy::Decision(name) => vec![name.as_str()],
                    MetBy::Fact(name) => vec![name.as_str()],
                    _ => then.checks(criterion),
                };
                for name in decisions {
                    let is_decision = matches!(&criterion.met_by, MetBy::Decision(_)) || then.fact(name).1;
                    let last = then.decision(name).filter(|_| is_decision).map(|(_, verdict, ..)| verdict);
                    let is_share = name == "pilot-share";
                    assert!(is_share || last != Some(Verdict::No), "{live} against a no to {name}");
                }
            }
        }
    }
}
