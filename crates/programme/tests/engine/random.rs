//! Random sequences of actions against what must never happen. What is checked here is read from what was appended, by
//! rules of its own: the engine is not asked about itself.

use std::collections::{BTreeMap, BTreeSet};

use programme::{
    Action, Change, Entry, MetBy, Outcome, PilotAnswer, Programme, Reached, Record, Register, Side, Standing, Subject,
    Sureness, Verdict,
};
use proptest::prelude::*;

use crate::world::{World, evidence, give, row};

mod decided;

use decided::{DECISIONS, PILOT, keeps_its_pilot, lets_nothing_pass, may_be_done_live, programme};

const PEOPLE: [&str; 9] = ["boss", "lead", "lead-2", "helper", "guide", "guide-2", "engineer", "judge", "judge-2"];

/// One step: what, by whom, about what, and how.
type Step = (u8, u8, u8, bool);

fn pick<'a>(from: &[&'a str], by: u8) -> &'a str {
    from[usize::from(by) % from.len()]
}

/// What a step tries.
fn action(world: &World, (what, _, about, yes): Step) -> Action {
    let verdict = if yes { Verdict::Yes } else { Verdict::No };
    let note = || "a note".to_owned();
    let task = || pick(&["gather", "meet", "reach", "tidy", "report-trial", "move", "move-vips"], about).to_owned();
    let deliverable = || pick(&["plan", "report"], about).to_owned();
    let criterion = || pick(&["boss-agreed", "ready", "ready-own", "all-go"], about).to_owned();
    let gate = || pick(&["g0", "g1", "g2", "g3", "g4", "g5"], about).to_owned();
    let role = || pick(&["boss", "lead", "helper", "guide", "engineer", "judge"], about).to_owned();
    let person = || pick(&PEOPLE, about % 16).to_owned();
    let any_row = || {
        let ids: Vec<&String> = world.record.rows.keys().collect();
        ids.get(usize::from(about) % ids.len().max(1)).map_or_else(|| "risk-1".to_owned(), |id| (*id).clone())
    };
    match what % 36 {
        0 => give(Subject::Task(task()), &format!("evidence-{about}")),
        1 => {
            let digest = evidence(&format!("evidence-{about}")).digest;
            Action::WithdrawEvidence { on: Subject::Task(task()), digest, why: note() }
        }
        2 | 3 => Action::Done { task: task(), side: None },
        4 => Action::Submit { task: task(), note: note() },
        5 => Action::Validate { task: task(), verdict, note: note() },
        6 => Action::Reopen { task: task(), why: note() },
        7 => {
            let item = pick(&["place", "time"], about).to_owned();
            let outcome = if yes { Outcome::Passed } else { Outcome::Failed };
            Action::AnswerItem { task: "meet".into(), item, outcome, text: note() }
        }
        8 => Action::Deliver { deliverable: deliverable(), note: note() },
        9 | 10 => Action::Accept { deliverable: deliverable(), verdict, note: note() },
        11 => Action::Sign { criterion: criterion(), role: None, verdict, note: note() },
        12 => Action::Sign { criterion: criterion(), role: Some(role()), verdict, note: note() },
        13 => Action::Say { criterion: criterion(), verdict, note: note() },
        14 if yes || about % 2 == 0 => {
            Action::Decide { decision: "way".into(), verdict, outcome: note(), by: note(), why: note() }
        }
        15 => Action::AskGate { gate: gate(), note: note() },
        16 => Action::UnaskGate { gate: gate(), why: note() },
        17 | 18 => Action::PassGate { gate: gate() },
        19 => {
            let role = pick(&["boss", "lead", "boss", "lead", "guide", "judge"], about >> 4).to_owned();
            Action::GiveRole { person: person(), title: note(), role, contact: None }
        }
        20 if about % 4 == 0 => Action::TakeRole { person: person(), role: role(), why: note() },
        21 => {
            let register = Register::EVERY[usize::from(about) % Register::EVERY.len()];
            Action::AddRow { register, fields: row(&[("title", "t"), ("action", "a")]) }
        }
        22 => Action::SettleRow { row: any_row(), verdict, text: note() },
        23 => Action::WithdrawRow { row: any_row(), why: note() },
        24 => Action::Review { register: Register::EVERY[usize::from(about) % 6] },
        25 => {
            let names = ["guided", "own", "shared"];
            let (project_type, by) = (pick(&names, about).to_owned(), Some(note()));
            Action::ChooseType { project_type, by, why: Some(note()) }
        }
        26 => Action::GiveNumbers { sureness: Sureness::Draft, existing: 1, new: u64::from(about) },
        27 => Action::DropTask { task: task(), why: note() },
        28..=30 => {
            let decision = match DECISIONS[usize::from(about) % DECISIONS.len()] {
                "pilot-leave" => format!("pilot-leave/{}", pick(&PILOT, about >> 4)),
                name => name.to_owned(),
            };
            // Now and then it is said to have been decided by somebody who could pass a gate.
            let by = if about > 200 { "judge".to_owned() } else { note() };
            Action::Decide { decision, verdict, outcome: note(), by, why: note() }
        }
        31 => {
            let count = 1 + usize::from(about >> 6);
            let people = (0..count).map(|more| PILOT[(usize::from(about) + more) % PILOT.len()].to_owned());
            Action::NamePilot { people: people.collect() }
        }
        32 => Action::LeavePilot { person: pick(&PILOT, about).to_owned(), why: note() },
        _ => {
            let outcome = if yes { Outcome::Passed } else { Outcome::Failed };
            let item = pick(&["old mail", "rooms"], about >> 4).to_owned();
            let person = pick(&PILOT, about).to_owned();
            Action::CheckPilot { answers: vec![PilotAnswer { person, item, outcome, text: note() }] }
        }
    }
}

/// Does one step, now and then with help that brings the project on.
fn step(world: &mut World, step: Step) {
    let (what, who, about, yes) = step;
    match what {
        // Whoever may closes what is open, so that gates are passed at all.
        220.. if world.record.standing == Standing::Open => match world.open().first().cloned() {
            Some(open) => world.close(&open),
            None => {
                let gate = programme::assess_next(&world.programme, &world.record, &world.facts, world.today());
                if let Some(gate) = gate.map(|assessed| assessed.gate) {
                    let _ =
                        world.tries(pick(&PEOPLE, who), Action::AskGate { gate: gate.clone(), note: String::new() });
                    let _ = world.tries(pick(&PEOPLE, about), Action::PassGate { gate });
                }
            }
        },
        210..220 => world.knows(if yes { "all-in-scope-through-switch" } else { "source-reachable" }, about % 3 > 0),
        206..210 => world.later(i64::from(about % 5)),
        // What can be seen in a project, and how far somebody of the pilot is, changes by itself.
        203..206 => {
            let person = pick(&PILOT, about).to_owned();
            let reached = if about % 2 == 0 { Reached::Copy } else { Reached::Switch };
            let _ = if yes { world.facts.pilot.insert(person, reached) } else { world.facts.pilot.remove(&person) };
        }
        200..203 => {
            let name = pick(&["all-in-scope-through-switch", "source-reachable"], about).to_owned();
            let _ = if yes { world.facts.unseen.insert(name) } else { world.facts.unseen.remove(&name) };
        }
        _ => {
            let action = action(world, step);
            let _ = world.tries(pick(&PEOPLE, who), action);
        }
    }
}

/// Who said what last, by role or side.
fn words<'a>(entries: &'a [Entry], criterion: &str) -> BTreeMap<String, (&'a str, Verdict)> {
    let mut words = BTreeMap::new();
    for entry in entries {
        match &entry.change {
            Change::SignedOff { criterion: of, role, verdict, .. } if of == criterion => {
                words.insert(role.clone(), (entry.who.as_str(), *verdict));
            }
            Change::SideSaid { criterion: of, side, verdict, .. } if of == criterion => {
                words.insert(programme::side_name(*side).to_owned(), (entry.who.as_str(), *verdict));
            }
            _ => {}
        }
    }
    words
}

/// Was a criterion met by what had been appended? Where it rests on facts, they are looked at where it is asked.
fn was_met(programme: &Programme, entries: &[Entry], project_type: &str, id: &str) -> bool {
    let criterion = programme.criteria.iter().find(|criterion| criterion.id == id).unwrap();
    let known = programme.types.iter().find(|known| known.id == project_type).unwrap();
    let all_yes = |asked: &[String]| {
        let words = words(entries, id);
        let people: BTreeSet<&str> = asked.iter().filter_map(|of| words.get(of)).map(|(who, _)| *who).collect();
        people.len() == asked.len() && asked.iter().all(|of| words.get(of).is_some_and(|word| word.1 == Verdict::Yes))
    };
    match &criterion.met_by {
        MetBy::SignedBy(roles) => all_yes(roles),
        MetBy::Prerequisites(role) => {
            let tasks = programme.tasks.iter().filter(|task| task.is_prerequisite);
            all_yes(std::slice::from_ref(role)) && tasks.into_iter().all(|task| is_done(entries, &task.id))
        }
        MetBy::Sides(_) => {
            let go: Vec<String> = known.go.iter().map(|side| programme::side_name(*side).to_owned()).collect();
            all_yes(&go)
        }
        MetBy::Task(task) => is_done(entries, task),
        MetBy::Deliverable(id) => {
            let mut is_accepted = false;
            for entry in entries {
                match &entry.change {
                    Change::Delivered { deliverable, .. } if deliverable == id => is_accepted = false,
                    Change::Accepted { deliverable, verdict, .. } if deliverable == id => {
                        is_accepted = *verdict == Verdict::Yes;
                    }
                    _ => {}
                }
            }
            is_accepted
        }
        MetBy::Decision(name) => {
            let last = entries.iter().rev().find_map(|entry| match &entry.change {
                Change::Decided { decision, verdict, .. } if decision == name => Some(*verdict),
                _ => None,
            });
            last == Some(Verdict::Yes)
        }
        MetBy::Filled(roles) => roles.iter().all(|role| {
            let mut holders = BTreeSet::new();
            for entry in entries {
                match &entry.change {
                    Change::RoleGiven { person, role: given, .. } if given == role => drop(holders.insert(person)),
                    Change::RoleTaken { person, role: taken, .. } if taken == role => drop(holders.remove(person)),
                    _ => {}
                }
            }
            !holders.is_empty()
        }),
        _ => true,
    }
}

/// Did somebody say that a task is done, and did nobody open it again? Tasks of several sides have a word of each.
fn is_done(entries: &[Entry], id: &str) -> bool {
    let mut said = BTreeSet::new();
    let mut is_dropped = false;
    for entry in entries {
        match &entry.change {
            Change::TaskDone { task, side } if task == id => drop(said.insert(*side)),
            Change::TaskReopened { task, .. } if task == id => {
                said.clear();
                is_dropped = false;
            }
            Change::TaskDropped { task, .. } if task == id => is_dropped = true,
            _ => {}
        }
    }
    is_dropped || !said.is_empty()
}

/// Nothing of what must never happen did.
fn holds(programme: &Programme, entries: &[Entry]) {
    let mut project_type = String::new();
    let mut stage: Option<String> = None;
    let mut askers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut deliverers: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut acceptors: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut doers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut sides_of_doer: BTreeMap<&str, BTreeMap<&str, Side>> = BTreeMap::new();
    let mut passed: Option<&str> = None;
    let mut roles: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut delivered: BTreeMap<&str, Side> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        let who = entry.who.as_str();
        let before = &entries[..at];
        let side = |role: &&str| programme.roles.iter().find(|known| known.id == **role).map(|known| known.side);
        let sides: BTreeSet<Side> = roles.get(who).into_iter().flatten().filter_map(side).collect();
        let approves = matches!(
            entry.change,
            Change::GatePassed { .. }
                | Change::Accepted { .. }
                | Change::SignedOff { .. }
                | Change::SideSaid { .. }
                | Change::Decided { role: Some(_), .. }
        );
        assert!(!approves || sides.len() == 1, "{who} stands on {sides:?}: {:?}", entry.change);
        match &entry.change {
            Change::TypeChosen { project_type: chosen, .. } => project_type.clone_from(chosen),
            Change::GateAsked { gate, .. } => drop(askers.entry(gate).or_default().insert(who)),
            Change::GatePassed { gate, .. } => {
                let asked = &askers[gate.as_str()];
                assert!(!asked.contains(who), "{who} asked for {gate} and passed it");
                let known = programme.gates.iter().find(|known| known.id == *gate).unwrap();
                assert_eq!(known.leaves, stage, "{gate} is the gate ahead");
                let of = |id: &Option<String>| programme.stages.iter().find(|stage| Some(&stage.id) == id.as_ref());
                let exit = of(&known.leaves).map(|stage| stage.exit.clone()).unwrap_or_default();
                let entry = of(&known.enters).map(|stage| stage.entry.clone()).unwrap_or_default();
                for id in exit.iter().chain(&entry).chain(&known.criteria) {
                    let criterion = programme.criteria.iter().find(|criterion| criterion.id == *id).unwrap();
                    if criterion.types.is_empty() || criterion.types.contains(&project_type) {
                        assert!(was_met(programme, before, &project_type, id), "{gate} was passed without {id}");
                    }
                    if let MetBy::Decision(name) = &criterion.met_by {
                        let last = before.iter().rev().find(
                            |entry| matches!(&entry.change, Change::Decided { decision, .. } if decision == name),
                        );
                        assert!(last.is_none_or(|last| last.who != who), "{who} decided on {name} and passed {gate}");
                    }
                }
                passed = Some(gate);
            }
            Change::StageEntered { stage: entered } => {
                let gate = passed.take().expect("a stage is entered through a gate that was just passed");
                let known = programme.gates.iter().find(|known| known.id == gate).unwrap();
                assert_eq!(known.enters.as_ref(), Some(entered));
                stage = Some(entered.clone());
            }
            Change::Delivered { deliverable, side, .. } => {
                assert!(!acceptors.contains(&(deliverable.as_str(), who)), "{who} judged {deliverable} before");
                deliverers.insert((deliverable, who));
                delivered.insert(deliverable, *side);
            }
            Change::Accepted { deliverable, .. } => {
                let from = delivered[deliverable.as_str()];
                assert!(
                    project_type == "own" || !sides.contains(&from),
                    "{who} accepted what their own side delivered"
                );
                assert!(!deliverers.contains(&(deliverable.as_str(), who)), "{who} judged their own {deliverable}");
                acceptors.insert((deliverable, who));
            }
            Change::TaskDone { task, side } => {
                doers.entry(task).or_default().insert(who);
                let other = sides_of_doer.entry(task).or_default().insert(who, *side);
                assert!(other.is_none_or(|other| other == *side), "{who} spoke for two sides of {task}");
            }
            Change::TaskSubmitted { task, .. } => drop(doers.entry(task).or_default().insert(who)),
            Change::TaskReopened { task, .. } => {
                doers.remove(task.as_str());
                sides_of_doer.remove(task.as_str());
            }
            Change::TaskValidated { task, .. } => {
                assert!(!doers[task.as_str()].contains(who), "{who} validated their own {task}");
            }
            Change::SignedOff { criterion, .. } | Change::SideSaid { criterion, .. } => {
                let words = words(&entries[..=at], criterion);
                let people: BTreeSet<&str> = words.values().map(|(who, _)| *who).collect();
                assert_eq!(people.len(), words.len(), "somebody spoke twice on {criterion}");
            }
            Change::RoleTaken { person, role, .. } => {
                roles.entry(person).or_default().remove(role.as_str());
            }
            Change::RoleGiven { person, role, .. } => {
                roles.entry(person).or_default().insert(role);
                let is_first = !before.iter().any(|entry| matches!(entry.change, Change::RoleGiven { .. }));
                assert!(person != who || is_first, "{who} named themselves");
            }
            _ => {}
        }
    }
}

/// Everything that was given as evidence is still there, with its digest.
fn keeps_evidence(world: &World) {
    let given: Vec<_> = world
        .entries
        .iter()
        .filter_map(|entry| match &entry.change {
            Change::EvidenceGiven { on, evidence } => Some((on, evidence, entry.who.as_str(), entry.at)),
            _ => None,
        })
        .collect();
    let held: Vec<_> =
        world.record.evidence.iter().map(|held| (&held.on, &held.evidence, held.who.as_str(), held.at)).collect();
    assert_eq!(given, held);
}

fn survives(project_type: &str, steps: Vec<Step>) -> World {
    let mut world = World::staffed(programme(), project_type);
    world.people =
        PILOT.map(str::to_owned).into_iter().chain((0..60).map(|number| format!("person{number}"))).collect();
    world.does("lead", Action::GiveNumbers { sureness: Sureness::Draft, existing: 40, new: 0 });
    world.facts_then = Some(vec![world.facts.clone(); world.entries.len()]);
    for (at, one) in steps.into_iter().enumerate() {
        world.is_lenient = true;
        let before = world.entries.len();
        step(&mut world, one);
        assert!(world.entries.len() >= before);
        keeps_evidence(&world);
        if at % 6 == 0 {
            may_be_done_live(&world);
        }
    }
    assert_eq!(Record::of(&world.entries), world.record);
    for entry in &world.entries {
        let stored = entry.change.to_stored().unwrap();
        assert_eq!(Change::from_stored(&stored).unwrap(), entry.change);
    }
    holds(&world.programme, &world.entries);
    keeps_its_pilot(&world);
    lets_nothing_pass(&world);
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn no_sequence_of_actions_gets_round_the_rules(
        which in 0_usize..3,
        steps in proptest::collection::vec((any::<u8>(), any::<u8>(), any::<u8>(), any::<bool>()), 0..250),
    ) {
        survives(["guided", "own", "shared"][which], steps);
    }
}

#[test]
fn random_sequences_get_somewhere() {
    // A fixed sequence, so that the test above is known to pass gates and not only to be refused.
    let mut seed = 7_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as u8
    };
    let (mut furthest, mut kinds) = (0, BTreeSet::new());
    for _ in 0..12 {
        let steps = (0..400).map(|_| (next(), next(), next(), next() % 4 > 0)).collect();
        let world = survives("guided", steps);
        furthest = furthest.max(world.record.stages.len());
        kinds.extend(world.entries.iter().map(|entry| entry.change.kind()));
        let decided = world.record.decisions.keys().map(|name| name.split('/').next().unwrap_or_default());
        let is_known = |name: &&str| DECISIONS.contains(name);
        kinds.extend(decided.filter(is_known).map(str::to_owned));
    }
    assert!(furthest >= 4, "{furthest} stages were entered at most");
    for kind in [
        "pilot-named",
        "pilot-left",
        "pilot-checked",
        "pilot-leave",
        "pilot-share",
        "pilot-switched",
        "source-reachable",
    ] {
        assert!(kinds.contains(kind), "{kind} is in no sequence: {kinds:?}");
    }
}
