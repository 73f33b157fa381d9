//! The pilot: its people, their share of all, and what each of them checked.

use programme::{Action, Live, Outcome, PilotAnswer, Programme, Reached, Rule, Side, Sureness, Verdict, pilot};

use crate::world::World;

fn nhsmail() -> Programme {
    Programme::shipped("nhsmail", "current").expect("it ships").unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn named(world: &mut World, count: usize) {
    let people = world.people[..count].to_vec();
    let by = world.worker(Side::Organisation);
    let new = people.into_iter().filter(|person| !world.record.is_pilot(person)).collect();
    world.does(&by, Action::NamePilot { people: new });
}

#[test]
fn a_pilot_has_five_to_ten_people_of_a_hundred() {
    for (all, least, most) in [(10, 1, 1), (100, 5, 10), (101, 6, 11), (900, 45, 90), (3_000, 150, 300)] {
        let mut world = World::staffed(nhsmail(), "managed");
        let by = world.worker(Side::Organisation);
        assert_eq!(pilot(&world.programme, &world.record).right, None, "nobody knows how many there are");
        world.does(&by, Action::GiveNumbers { sureness: Sureness::Draft, existing: all, new: 0 });
        let is_right = |world: &World| pilot(&world.programme, &world.record).has_its_share();
        assert!(!is_right(&world), "{all}: nobody");
        for (count, right) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
            if count > 0 && count > world.record.pilot_people().count() {
                named(&mut world, count);
            }
            assert_eq!(is_right(&world), right, "{count} of {all}");
        }
    }
}

#[test]
fn another_share_is_decided_by_name() {
    let mut world = World::staffed(nhsmail(), "managed");
    world.reaches("implementation");
    world.close("pilot-share-kept");
    world.spoil("pilot-share-kept");
    let (decision, outcome, by) = ("pilot-share".to_owned(), "one less".to_owned(), "The board".to_owned());
    let why = "somebody is away".to_owned();
    world.does("project-manager", Action::Decide { decision, verdict: Verdict::Yes, outcome, by, why });
    assert!(!world.open().contains(&"pilot-share-kept".to_owned()));
}

/// the share is no matter of the day on which the pilot begins alone.
#[test]
fn the_share_is_asked_whenever_the_pilot_is_copied_or_switched() {
    let mut world = World::staffed(nhsmail(), "managed");
    world.reaches("pilot");
    let by = world.worker(Side::Organisation);
    let may = |world: &World, is_right: bool, why: &str| {
        for live in [Live::SyncPilot, Live::SwitchPilot] {
            match world.may(live) {
                Ok(()) => assert!(is_right, "{live}: {why}"),
                Err(refusal) => {
                    assert!(
                        !is_right && refusal.is_by("pilot-share-kept") && refusal.open[0].by.contains("are to be"),
                        "{refusal}"
                    );
                    assert!(refusal.requirements.contains(&"R-146".to_owned()), "{refusal}");
                }
            }
        }
    };
    let decide = |verdict| Action::Decide {
        decision: "pilot-share".into(),
        verdict,
        outcome: "one less".into(),
        by: "The board".into(),
        why: "somebody is away".into(),
    };
    may(&world, true, "as many as are to be");
    let person = world.record.pilot_people().next().expect("somebody").0.to_owned();
    world.does(&by, Action::LeavePilot { person: person.clone(), why: "away".into() });
    may(&world, false, "one is too few");
    assert!(world.may(Live::SyncPilot).unwrap_err().is_by("pilot-share") && world.may(Live::ForwardersOn).is_ok());
    world.does("project-manager", decide(Verdict::Yes));
    may(&world, true, "it was decided");
    assert!(pilot(&world.programme, &world.record).is_right());
    world.does("project-manager", decide(Verdict::No));
    may(&world, false, "it was taken back");
    // What a gate was passed with was answered with a no: that stops everything, as any such no does.
    for live in [Live::SyncPilot, Live::ForwardersOn] {
        let refusal = world.may(live).unwrap_err();
        assert!(refusal.is_by("standing-no") && refusal.is_by("pilot-share-kept"), "{refusal}");
    }
    world.does(&by, Action::NamePilot { people: vec![person] });
    may(&world, true, "as many again");
    assert!(world.may(Live::ForwardersOn).is_ok());
    let (_, most) = pilot(&world.programme, &world.record).right.expect("their number is known");
    let others: Vec<String> = world.people.iter().filter(|person| !world.record.is_pilot(person)).cloned().collect();
    let free = usize::try_from(most).unwrap() - world.record.pilot_people().count();
    world.does(&by, Action::NamePilot { people: others[..free].to_vec() });
    may(&world, true, "as many as may be");
    world.does(&by, Action::NamePilot { people: vec![others[free].clone()] });
    may(&world, false, "one too many");
    assert!(
        world.may(Live::ForwardersOn).is_ok(),
        "the no was about another share, and the share has been right since"
    );
    world.does(&by, Action::LeavePilot { person: others[free].clone(), why: "too many".into() });
    // Where everybody is copied, whoever is of the pilot is one of them.
    world.reaches("sync-and-switch");
    world.does(&by, Action::NamePilot { people: vec![others[free].clone()] });
    may(&world, true, "it is nobody's pilot any more");
}

#[test]
fn each_person_answers_each_check() {
    let mut world = World::staffed(nhsmail(), "managed");
    world.reaches("pilot");
    world.switches_the_pilot();
    let by = world.answerer();
    let is_open = |world: &World| world.open().contains(&"pilot-checked".to_owned());
    let person = world.record.pilot_people().next().expect("somebody").0.to_owned();
    let all = world.pilot_answers(|_| true, Outcome::Passed, "");
    assert_eq!(all.len(), world.record.pilot_people().count() * 5);
    let (last, others) = all.split_last().expect("answers");
    world.does(&by, Action::CheckPilot { answers: others.to_vec() });
    assert!(is_open(&world), "one answer is missing");
    world.does(&by, Action::CheckPilot { answers: vec![last.clone()] });
    assert!(!is_open(&world));
    // What did not pass says what was seen; it is an answer all the same, and told.
    let item = "folder structure".to_owned();
    let answer = |outcome, text: &str| Action::CheckPilot {
        answers: vec![PilotAnswer {
            person: person.to_uppercase(),
            item: item.clone(),
            outcome,
            text: text.to_owned(),
        }],
    };
    for outcome in [Outcome::Failed, Outcome::NotApplicable] {
        world.is_refused(&by, answer(outcome, " "), Rule::Incomplete.name());
    }
    world.does(&by, answer(Outcome::Failed, "a folder is missing: issue 4"));
    assert!(!is_open(&world));
    let state = pilot(&world.programme, &world.record);
    let failed: Vec<_> = state.people.iter().flat_map(|line| &line.failed).collect();
    assert_eq!(failed, [&(item.clone(), "a folder is missing: issue 4".to_owned())]);
    // Who comes later has to answer, too; who leaves is not waited for, and what they said stays.
    named(&mut world, 900);
    assert!(is_open(&world));
    for late in world.people.clone() {
        if late != person {
            world.does(&by, Action::LeavePilot { person: late, why: "too many".into() });
        }
    }
    assert!(is_open(&world), "what one person says is not what the pilot says");
    let decided = Action::Decide {
        decision: "pilot-share".into(),
        verdict: Verdict::Yes,
        outcome: "one person".into(),
        by: "The board".into(),
        why: "all others are away".into(),
    };
    world.does("project-manager", decided);
    assert!(!is_open(&world));
    assert!(world.record.pilot.len() > 800 && world.record.pilot_people().count() == 1);
}

#[test]
fn nobody_answers_what_is_not_asked_or_for_whom_is_not_of_the_pilot() {
    let mut world = World::staffed(nhsmail(), "self");
    let by = world.answerer();
    let answer = |person: &str, item: &str| Action::CheckPilot {
        answers: vec![PilotAnswer {
            person: person.to_owned(),
            item: item.to_owned(),
            outcome: Outcome::Passed,
            text: String::new(),
        }],
    };
    world.is_refused(&by, answer("ann@lm7.example", "historic mail"), Rule::Unknown.name());
    world.does(&by, Action::NamePilot { people: vec![" Ann@LM7.example ".into()] });
    world.is_refused(&by, Action::NamePilot { people: vec!["ann@lm7.example".into()] }, Rule::NotNow.name());
    world.is_refused(&by, Action::NamePilot { people: Vec::new() }, Rule::NotNow.name());
    world.is_refused(&by, Action::NamePilot { people: vec!["a\u{7}b".into()] }, Rule::Incomplete.name());
    world.is_refused(&by, answer("ann@lm7.example", "the weather"), Rule::Unknown.name());
    world.is_refused(&by, Action::CheckPilot { answers: Vec::new() }, Rule::Incomplete.name());
    world.is_refused(
        &by,
        Action::LeavePilot { person: "ann@lm7.example".into(), why: " ".into() },
        Rule::Incomplete.name(),
    );
    world.switches_the_pilot();
    world.does(&by, answer("ANN@lm7.example", "historic mail"));
    decide(&mut world, "pilot-leave/ANN@lm7.example", Verdict::Yes);
    world.does(&by, Action::LeavePilot { person: "ann@lm7.example".into(), why: "ill".into() });
    world.is_refused(&by, answer("ann@lm7.example", "historic mail"), Rule::Unknown.name());
    world.does(&by, Action::NamePilot { people: vec!["ann@lm7.example".into()] });
    assert_eq!(world.record.pilot["ann@lm7.example"].checks.len(), 1, "what they said before is there again");
}

fn decide(world: &mut World, decision: &str, verdict: Verdict) {
    world.does("project-manager", decision_of(decision, verdict));
}

fn decision_of(decision: &str, verdict: Verdict) -> Action {
    let (outcome, by, why) = ("so".to_owned(), "The board".to_owned(), "it was seen".to_owned());
    Action::Decide { decision: decision.to_owned(), verdict, outcome, by, why }
}

fn answers(person: &str, items: &[&str], outcome: Outcome) -> Action {
    let answer = |item: &&str| PilotAnswer {
        person: person.to_owned(),
        item: (*item).to_owned(),
        outcome,
        text: "as was seen".to_owned(),
    };
    Action::CheckPilot { answers: items.iter().map(answer).collect() }
}

const OF_COPY: [&str; 3] = ["historic mail", "past and future calendar", "folder structure"];
const OF_SWITCH: [&str; 2] = ["special permissions", "access to shared mailboxes"];

/// what is not there can't be checked, and whose answer it is says the profile.
#[test]
fn nobody_checks_before_the_copy_or_in_another_role() {
    let mut world = World::staffed(nhsmail(), "managed");
    world.reaches("pilot");
    let by = world.answerer();
    let person = world.record.pilot_people().next().expect("somebody").0.to_owned();
    for item in OF_COPY.iter().chain(&OF_SWITCH) {
        world.is_refused(&by, answers(&person, &[item], Outcome::Passed), Rule::CopyFirst.name());
    }
    world.facts.pilot.insert(person.clone(), Reached::Copy);
    for other in ["benefits-lead", "provider-manager", "provider-engineer", "authority-lead"] {
        world.is_refused(other, answers(&person, &OF_COPY, Outcome::Passed), Rule::RightRole.name());
    }
    let refusal = world.is_refused(&by, answers(&person, &[OF_COPY[0], OF_SWITCH[0]], Outcome::Passed), "copy-first");
    assert!(refusal.what.contains("special permissions") && refusal.place.contains(&person), "{refusal}");
    world.does(&by, answers(&person, &OF_COPY, Outcome::Passed));
    world.facts.pilot.insert(person.clone(), Reached::Switch);
    world.does(&by, answers(&person, &OF_SWITCH, Outcome::Passed));
    assert!(pilot(&world.programme, &world.record).people.iter().any(|line| line.unanswered.is_empty()));
    // Where something else copies, somebody who may says so; and can take it back.
    let other = world.record.pilot_people().map(|(other, _)| other.to_owned()).find(|other| *other != person);
    let other = other.expect("another");
    world.is_refused("benefits-lead", decision_of("pilot-copied", Verdict::Yes), Rule::RightRole.name());
    decide(&mut world, "pilot-copied", Verdict::Yes);
    world.does(&by, answers(&other, &OF_COPY[..1], Outcome::Passed));
    world.is_refused(&by, answers(&other, &OF_SWITCH, Outcome::Passed), "copy-first");
    decide(&mut world, "pilot-switched", Verdict::Yes);
    world.does(&by, answers(&other, &OF_SWITCH, Outcome::Passed));
    for taken_back in ["pilot-switched", "pilot-copied"] {
        decide(&mut world, taken_back, Verdict::No);
    }
    world.is_refused(&by, answers(&other, &OF_COPY[1..], Outcome::Passed), "copy-first");
}

/// a no of a pilot person, or an answer that is due, does not go away with them.
#[test]
fn who_has_something_open_leaves_the_pilot_by_a_decision_alone() {
    let mut world = World::staffed(nhsmail(), "managed");
    world.reaches("pilot");
    let by = world.answerer();
    let people: Vec<String> = world.record.pilot_people().take(4).map(|(person, _)| person.to_owned()).collect();
    let leave = |person: &str| Action::LeavePilot { person: person.to_owned(), why: "away".into() };
    let [unseen, silent, failed, whole] = people.as_slice() else { panic!("{people:?}") };
    for person in [silent, failed, whole] {
        world.facts.pilot.insert(person.clone(), Reached::Switch);
    }
    for person in [failed, whole] {
        world.does(&by, answers(person, &OF_COPY, Outcome::Passed));
        world.does(&by, answers(person, &OF_SWITCH, Outcome::Passed));
    }
    world.does(&by, answers(failed, &OF_COPY[..1], Outcome::Failed));
    // Of whom nothing was copied nothing is asked yet, and who has checked everything owes nothing.
    world.does(&by, leave(unseen));
    world.does(&by, leave(whole));
    let refusal = world.is_refused(&by, leave(silent), Rule::LeaveDecided.name());
    assert!(refusal.what.contains("folder structure") && refusal.advice.contains("project-manager"), "{refusal}");
    let refusal = world.is_refused(&by, leave(failed), "leave-decided");
    assert!(refusal.what.contains("historic mail") && !refusal.what.contains("folder"), "{refusal}");
    let decision = format!("pilot-leave/{}", failed.to_uppercase());
    for other in ["pilot-user", "help-desk-lead", "authority-lead"] {
        world.is_refused(other, decision_of(&decision, Verdict::Yes), Rule::RightRole.name());
    }
    world.is_refused("project-manager", decision_of("pilot-leave/nobody@lm7.example", Verdict::Yes), "unknown");
    decide(&mut world, &decision, Verdict::No);
    world.is_refused(&by, leave(failed), "leave-decided");
    decide(&mut world, &decision, Verdict::Yes);
    world.is_refused(&by, leave(silent), "leave-decided");
    // What they say after it was decided nobody knew when it was.
    world.does(&by, answers(failed, &OF_SWITCH[..1], Outcome::Failed));
    world.is_refused(&by, leave(failed), "leave-decided");
    decide(&mut world, &decision, Verdict::Yes);
    world.does(&by, leave(failed));
    // Who comes again does not leave again by what was decided before.
    world.does(&by, Action::NamePilot { people: vec![failed.clone()] });
    world.is_refused(&by, leave(failed), "leave-decided");
}

/// accounts that are for the pilot alone ask its share, and nobody goes round it by being of the pilot one after the other.
#[test]
fn accounts_for_the_pilot_ask_its_share() {
    let mut world = World::staffed(nhsmail(), "self");
    world.reaches("readiness-assessment");
    let by = world.worker(Side::Organisation);
    world.facts.pilot_accounts = Some(80);
    let make = |new_already, asked| Live::ProvisionAccounts { new_already, asked, others: 0 };
    assert!(world.may(make(0, 45)).is_ok());
    let people: Vec<String> = world.record.pilot_people().map(|(person, _)| person.to_owned()).collect();
    let (least, most) = pilot(&world.programme, &world.record).right.expect("their number is known");
    assert_eq!(people.len() as u64, least);
    world.does(&by, Action::LeavePilot { person: people[0].clone(), why: "away".into() });
    let refusal = world.may(make(0, 1)).unwrap_err();
    assert!(refusal.is_by("pilot-share") && refusal.is_by("pilot-share-kept"), "{refusal}");
    assert!(world.may(make(0, 0)).is_ok(), "lists and shared mailboxes are nobody's account");
    world.does(&by, Action::NamePilot { people: vec![people[0].clone()] });
    // Those who had one made and left it count.
    world.facts.accounts_of_others = Some(most - least);
    assert!(world.may(make(40, 5)).is_ok());
    world.facts.accounts_of_others = Some(most - least + 1);
    let refusal = world.may(make(40, 5)).unwrap_err();
    assert!(refusal.is_by("pilot-share") && refusal.what.contains("who left it"), "{refusal}");
    decide(&mut world, "pilot-share", Verdict::Yes);
    assert!(world.may(make(40, 5)).is_ok(), "another share was decided");
    decide(&mut world, "pilot-share", Verdict::No);
    assert!(world.may(make(40, 5)).is_err());
    // Once the pilot is reported accounts are anybody's.
    world.facts.accounts_of_others = None;
    world.reaches("roll-out");
    world.facts.accounts_of_others = Some(most);
    assert!(world.may(make(40, 5)).is_ok());
}
