//! Nobody stands on both sides: tasks belong to sides, deliverables are accepted by others, signatures are one each.

use programme::{Action, Doer, Live, Outcome, OwnTask, Programme, Rule, Side, Subject, Sureness, TaskState, Verdict};

use crate::world::{World, evidence, give, invented};

const YES: Verdict = Verdict::Yes;

fn nhsmail() -> Programme {
    Programme::shipped("nhsmail", "current").expect("it ships").unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn done(task: &str, side: Option<Side>) -> Action {
    Action::Done { task: task.into(), side }
}

fn role(person: &str, role: &str) -> Action {
    Action::GiveRole { person: person.into(), title: person.into(), role: role.into(), contact: None }
}

#[test]
fn a_task_of_one_side_is_not_completed_by_the_other() {
    let mut world = World::staffed(invented(), "guided");
    world.does("lead", give(Subject::Task("gather".into()), "list"));
    world.is_refused("guide", done("gather", None), Rule::OwnSide.name());
    world.is_refused("judge", done("gather", None), Rule::OwnSide.name());
    world.is_refused("lead", done("gather", Some(Side::Provider)), Rule::OwnSide.name());
    world.does("lead", done("gather", None));
    world.knows("source-reachable", true);
    world.is_refused("lead", done("reach", None), Rule::OwnSide.name());
    world.does("guide", done("reach", None));
}

#[test]
fn with_several_sides_each_says_that_it_is_done() {
    let mut world = World::staffed(invented(), "guided");
    world.does("lead", role("both", "helper"));
    world.does("guide", role("both", "engineer"));
    for item in ["place", "time"] {
        let (task, item) = ("meet".to_owned(), item.to_owned());
        world.does("lead", Action::AnswerItem { task, item, outcome: Outcome::Passed, text: String::new() });
    }
    world.does("both", done("meet", Some(Side::Organisation)));
    world.is_refused("both", done("meet", Some(Side::Provider)), Rule::BothSides.name());
    world.is_refused("lead", done("meet", None), Rule::NotNow.name());
    assert_eq!(state(&world, "meet"), TaskState::Open);
    world.does("guide", done("meet", None));
    assert_eq!(state(&world, "meet"), TaskState::Done);
}

fn state(world: &World, task: &str) -> TaskState {
    let rows = programme::status(&world.programme, &world.record, &world.facts, world.today());
    rows.into_iter().find(|row| row.task == task).expect("a task").state
}

#[test]
fn a_task_asks_for_evidence_results_and_its_check() {
    let mut world = World::staffed(invented(), "guided");
    world.is_refused("lead", done("gather", None), Rule::EvidenceNeeded.name());
    world.is_refused("lead", done("meet", None), Rule::ResultsNeeded.name());
    world.is_refused("guide", done("reach", None), Rule::CheckMet.name());
    let answer = |item: &str, outcome| Action::AnswerItem {
        task: "meet".into(),
        item: item.into(),
        outcome,
        text: String::new(),
    };
    world.does("lead", answer("place", Outcome::Failed));
    world.does("lead", answer("time", Outcome::Passed));
    world.is_refused("lead", done("meet", None), Rule::ResultsNeeded.name());
    world.is_refused("lead", answer("weather", Outcome::Passed), Rule::Unknown.name());
    world.is_refused("lead", answer("place", Outcome::NotApplicable), Rule::Incomplete.name());
    world.does("lead", answer("place", Outcome::Passed));
    world.does("lead", done("meet", None));
    world.is_refused("guide", Action::Check { task: "reach".into() }, Rule::NotNow.name());
    world.knows("source-reachable", false);
    world.does("guide", Action::Check { task: "reach".into() });
    world.is_refused("guide", done("reach", None), Rule::CheckMet.name());
    world.knows("source-reachable", true);
    world.does("guide", Action::Check { task: "reach".into() });
    world.facts.facts.clear();
    world.does("guide", done("reach", None));
}

#[test]
fn evidence_that_is_withdrawn_stays_and_opens_its_task() {
    let mut world = World::staffed(invented(), "guided");
    let on = || Subject::Task("gather".to_owned());
    world.does("lead", give(on(), "list"));
    world.does("lead", done("gather", None));
    let withdraw = || Action::WithdrawEvidence { on: on(), digest: evidence("list").digest, why: "old".into() };
    world.does("lead", withdraw());
    assert_eq!(state(&world, "gather"), TaskState::Open);
    assert_eq!(world.record.evidence.len(), 1);
    assert_eq!(world.record.evidence[0].struck.as_ref().unwrap().why, "old");
    world.is_refused("lead", withdraw(), Rule::Unknown.name());
    let mut wrong = evidence("list");
    wrong.digest = "ABC".into();
    world.is_refused("lead", Action::GiveEvidence { on: on(), evidence: wrong }, Rule::Incomplete.name());
    world.is_refused("lead", give(Subject::Task("no-such".into()), "list"), Rule::Unknown.name());
}

#[test]
fn what_is_submitted_is_validated_by_the_provider_and_by_nobody_who_did_it() {
    let mut world = World::staffed(invented(), "guided");
    world.does("lead", role("both", "helper"));
    world.does("guide", role("both", "engineer"));
    let submit = |task: &str| Action::Submit { task: task.into(), note: String::new() };
    let validate =
        |task: &str, verdict| Action::Validate { task: task.into(), verdict, note: "the list is short".into() };
    world.is_refused("lead", submit("gather"), Rule::NotNow.name());
    world.close_task("gather");
    world.is_refused("guide", validate("gather", YES), Rule::NotNow.name());
    world.does("lead", submit("gather"));
    world.is_refused("lead", submit("gather"), Rule::NotNow.name());
    world.is_refused("boss", validate("gather", YES), Rule::OwnSide.name());
    world.is_refused("both", validate("gather", YES), Rule::BothSides.name());
    world.does("guide", validate("gather", Verdict::No));
    assert_eq!(state(&world, "gather"), TaskState::Returned);
    world.does("lead", submit("gather"));
    world.does("guide", validate("gather", YES));
    assert_eq!(state(&world, "gather"), TaskState::Validated);
    // The provider's own task: another of its people.
    world.close_task("reach");
    world.does("engineer-2", submit("reach"));
    world.is_refused("engineer-2", validate("reach", YES), Rule::BothSides.name());
    world.does("guide", validate("reach", YES));
    world.does("guide", Action::Reopen { task: "reach".into(), why: "moved".into() });
    assert_eq!(state(&world, "reach"), TaskState::Open, "what was validated before counts no longer");
}

#[test]
fn who_delivered_does_not_accept_nor_their_side() {
    let mut world = World::staffed(invented(), "guided");
    let deliver = || Action::Deliver { deliverable: "plan".into(), note: String::new() };
    let accept = |verdict| Action::Accept { deliverable: "plan".into(), verdict, note: "well".into() };
    world.is_refused("boss", accept(YES), Rule::NotNow.name());
    world.is_refused("lead", deliver(), Rule::OwnSide.name());
    world.does("engineer", deliver());
    world.is_refused("guide", accept(YES), Rule::BothSides.name());
    world.is_refused("lead", accept(YES), Rule::RightRole.name());
    world.does("lead", role("engineer", "boss"));
    world.is_refused("engineer", accept(YES), Rule::BothSides.name());
    let take = |person: &str, role: &str| Action::TakeRole {
        person: person.into(),
        role: role.into(),
        why: "a mistake".into(),
    };
    world.does("guide", take("engineer", "engineer"));
    world.is_refused("engineer", accept(YES), Rule::BothSides.name());
    world.does("boss", accept(Verdict::No));
    world.does("engineer-2", deliver());
    world.does("boss", accept(YES));
    assert!(world.record.deliverables["plan"].is_accepted());
    // Whoever judged it does not hand over the next version.
    world.does("lead", take("boss", "boss"));
    world.does("guide", role("boss", "guide"));
    world.is_refused("boss", deliver(), Rule::BothSides.name());
}

#[test]
fn where_one_side_does_all_another_person_of_it_accepts() {
    let mut world = World::staffed(invented(), "own");
    world.does("lead", Action::Deliver { deliverable: "plan".into(), note: String::new() });
    world.does("lead-2", role("lead", "boss"));
    let accept = Action::Accept { deliverable: "plan".into(), verdict: YES, note: String::new() };
    world.is_refused("lead", accept.clone(), Rule::BothSides.name());
    world.does("boss", accept);
}

#[test]
fn one_person_gives_one_of_the_signatures_that_are_asked_for() {
    let mut world = World::staffed(invented(), "guided");
    world.reaches("begin");
    world.does("lead-2", role("lead", "boss"));
    let sign = |role: Option<&str>| Action::Sign {
        criterion: "boss-agreed".into(),
        role: role.map(str::to_owned),
        verdict: YES,
        note: String::new(),
    };
    world.is_refused("guide", sign(None), Rule::RightRole.name());
    world.does("lead", sign(Some("lead")));
    world.is_refused("lead", sign(Some("boss")), Rule::BothSides.name());
    world.is_refused("lead", sign(None), Rule::BothSides.name());
    world.does("boss", sign(None));
    let no = Action::Sign { criterion: "boss-agreed".into(), role: None, verdict: Verdict::No, note: " ".into() };
    world.is_refused("boss", no, Rule::Incomplete.name());
    let wrong = Action::Sign { criterion: "all-go".into(), role: None, verdict: YES, note: String::new() };
    world.is_refused("boss", wrong, Rule::NotNow.name());
}

#[test]
fn who_did_the_pre_requisites_does_not_sign_them_off() {
    let mut world = World::staffed(invented(), "guided");
    world.reaches("prepare");
    let mut others = world.clone();
    let sign = || Action::Sign { criterion: "ready".into(), role: None, verdict: YES, note: String::new() };
    world.knows("source-reachable", true);
    world.does("guide", done("reach", None));
    world.is_refused("guide", sign(), Rule::BothSides.name());
    world.is_refused("guide-2", sign(), Rule::NotNow.name());
    others.close("ready");
    assert_eq!(others.record.words_on("ready").len(), 1, "whoever did none of them, and when none is open");
}

#[test]
fn each_side_speaks_for_itself_and_nobody_for_two() {
    let mut world = World::staffed(invented(), "guided");
    world.reaches("try");
    let say = || Action::Say { criterion: "all-go".into(), verdict: YES, note: String::new() };
    world.is_refused("helper", say(), Rule::RightRole.name());
    world.does("lead", role("both", "lead"));
    world.does("judge", role("both", "judge"));
    world.is_refused("both", say(), Rule::BothSides.name());
    world.does("lead", say());
    let take = Action::TakeRole { person: "lead".into(), role: "lead".into(), why: "moved".into() };
    world.does("boss", take);
    world.does("guide", role("lead", "guide"));
    world.is_refused("lead", say(), Rule::BothSides.name());
}

#[test]
fn with_roles_on_two_sides_nobody_signs_or_passes() {
    let mut world = World::staffed(invented(), "guided");
    world.does("lead", role("both", "lead"));
    world.does("judge", role("both", "judge"));
    let sign = Action::Sign { criterion: "boss-agreed".into(), role: None, verdict: YES, note: String::new() };
    world.is_refused("both", sign, Rule::BothSides.name());
    world.close_all();
    world.asks();
    world.is_refused("both", Action::PassGate { gate: "g0".into() }, Rule::BothSides.name());
}

#[test]
fn a_decision_is_recorded_by_the_side_that_answers_for_it() {
    let mut world = World::staffed(invented(), "guided");
    let decide = |verdict, why: &str| Action::Decide {
        decision: "way".into(),
        verdict,
        outcome: "the short one".into(),
        by: "the board".into(),
        why: why.into(),
    };
    world.is_refused("judge", decide(YES, ""), Rule::OwnSide.name());
    world.is_refused("lead", decide(Verdict::No, ""), Rule::Incomplete.name());
    world.does("helper", decide(YES, ""));
    assert_eq!(world.record.decisions["way"].last().unwrap().by, "the board");
}

#[test]
fn nobody_names_themselves_and_strangers_do_nothing() {
    let mut world = World::staffed(invented(), "guided");
    world.is_refused("lead", role("lead", "judge"), Rule::SelfNaming.name());
    world.is_refused("stranger", role("lead", "judge"), Rule::RightRole.name());
    world.is_refused("stranger", give(Subject::Project, "x"), Rule::RightRole.name());
    world.is_refused("lead", role("eve", "no-such"), Rule::Unknown.name());
}

#[test]
fn the_people_of_a_side_are_named_by_that_side() {
    let mut world = World::staffed(invented(), "guided");
    world.is_refused("lead", role("eve", "judge"), Rule::SelfNaming.name());
    let take = || Action::TakeRole { person: "judge-2".into(), role: "judge".into(), why: "left".into() };
    world.is_refused("lead", take(), Rule::SelfNaming.name());
    world.does("judge", take());
    world.does("judge", role("eve", "judge"));
    // Whoever looks after the record for all sides may name people, and so may not approve anything.
    let every = [Side::Organisation, Side::Provider, Side::Authority];
    let keeper = Doer::of(&world.programme, &world.record, "keeper", &every, &["judge".to_owned()]);
    world.tries_as(&keeper, role("ivy", "guide")).unwrap();
    world.close_all();
    world.asks();
    let refusal = world.tries_as(&keeper, Action::PassGate { gate: "g0".into() }).unwrap_err();
    assert!(refusal.is_by("both-sides"), "{refusal}");
}

#[test]
fn evidence_is_withdrawn_by_the_side_that_gave_it() {
    let mut world = World::staffed(invented(), "guided");
    let on = || Subject::Task("gather".to_owned());
    world.does("lead", give(on(), "list"));
    let withdraw = || Action::WithdrawEvidence { on: on(), digest: evidence("list").digest, why: "old".into() };
    world.is_refused("guide", withdraw(), Rule::OwnSide.name());
    world.does("boss", withdraw());
    let system = Doer::system("system");
    world.tries_as(&system, give(on(), "list")).unwrap();
    world.does("boss", withdraw());
    assert_eq!(world.record.evidence.len(), 2);
}

#[test]
fn tasks_and_lengths_are_changed_only_where_the_type_lets_them() {
    let own = OwnTask {
        title: "Paint".into(),
        stage: "prepare".into(),
        workstream: "w".into(),
        sides: vec![Side::Organisation],
        needs_evidence: false,
    };
    let add = || Action::AddTask { task: "paint".into(), own: own.clone() };
    let edit = || Action::EditTask {
        task: "gather".into(),
        title: Some("Gather all".into()),
        due: None,
        why: "clearer".into(),
    };
    let length = || Action::SetLength { stage: "prepare".into(), working_days: 15, why: "holidays".into() };
    let mut world = World::staffed(invented(), "guided");
    for action in [add(), edit(), length()] {
        world.is_refused("lead", action, Rule::NotEditable.name());
    }
    let mut world = World::staffed(invented(), "own");
    for action in [add(), edit(), length()] {
        world.is_refused("judge", action.clone(), Rule::OwnSide.name());
        world.does("lead", action);
    }
    world.is_refused("lead", add(), Rule::NotNow.name());
    world.does("lead", done("paint", None));
    assert_eq!(state(&world, "paint"), TaskState::Done);
    world.is_refused("lead", Action::DropTask { task: "gather".into(), why: "no".into() }, Rule::NotEditable.name());
    world.does("lead", Action::DropTask { task: "tidy".into(), why: "tidy already".into() });
    assert_eq!(state(&world, "tidy"), TaskState::Dropped);
}

#[test]
fn work_for_those_whom_the_provider_serves_stays_the_providers() {
    let mut world = World::staffed(invented(), "shared");
    world.is_refused("engineer", done("move", None), Rule::OwnSide.name());
    world.does("lead", done("move", None));
    world.is_refused("lead", done("move-vips", None), Rule::OwnSide.name());
    world.does("engineer", done("move-vips", None));
    let mut world = World::staffed(invented(), "guided");
    world.is_refused("engineer", done("move-vips", None), Rule::Unknown.name());
}

/// A yes is said to what the gate before the project asks: said before there is anything to say it to, it opened gates months later. A no counts at any
/// time.
#[test]
fn a_yes_is_said_when_its_gate_is_there_and_a_no_at_any_time() {
    let mut world = World::staffed(invented(), "guided");
    let say = |verdict| Action::Say { criterion: "all-go".into(), verdict, note: "as I see it".into() };
    world.is_refused("judge", say(YES), Rule::NotNow.name());
    world.does("judge", say(Verdict::No));
    let sign = || Action::Sign { criterion: "ready".into(), role: None, verdict: YES, note: String::new() };
    world.reaches("prepare");
    world.is_refused("guide", sign(), Rule::NotNow.name());
}

/// Whoever was refused lifts no no by handing over anew, nor by submitting or opening again.
#[test]
fn a_no_stands_until_what_comes_after_it_is_answered() {
    let mut world = World::staffed(nhsmail(), "managed");
    world.reaches("pilot");
    let item = |world: &World, id: &str| {
        let gates = ["begin-implementation", "begin-pilot", "begin-live"];
        let assess =
            |gate: &str| programme::assess(&world.programme, &world.record, &world.known(), gate, world.today());
        let all = gates.into_iter().filter_map(assess).flat_map(|gate| gate.items);
        all.into_iter().find(|item| item.criterion == id).unwrap()
    };
    let accept = |verdict| Action::Accept { deliverable: "approved-change".into(), verdict, note: "see mail".into() };
    assert!(item(&world, "change-approved").is_met);
    world.does("authority-lead", accept(Verdict::No));
    assert!(item(&world, "change-approved").is_refused && world.may(Live::SyncPilot).unwrap_err().is_by("standing-no"));
    let provider = world.worker(Side::Provider);
    world.does(&provider, Action::Deliver { deliverable: "approved-change".into(), note: String::new() });
    assert!(item(&world, "change-approved").is_refused && world.may(Live::SyncPilot).unwrap_err().is_by("standing-no"));
    world.does("authority-lead", accept(YES));
    assert!(item(&world, "change-approved").is_met && world.may(Live::SyncPilot).is_ok());
}

/// What was signed and passed for so many accounts releases no more of them because somebody gives other numbers.
#[test]
fn more_accounts_than_were_signed_for_need_the_signature_again() {
    let mut world = World::staffed(nhsmail(), "managed");
    world.reaches("implementation");
    let make = |asked| Live::ProvisionAccounts { new_already: 0, asked, others: 0 };
    assert!(world.may(make(690)).is_ok());
    let worker = world.worker(Side::Organisation);
    world.does(&worker, Action::GiveNumbers { sureness: Sureness::Confirmed, existing: 10, new: 5_000 });
    assert!(world.may(make(690)).is_ok());
    assert!(world.may(make(691)).unwrap_err().is_by("registration-limit"));
    world.signs("provider-manager", "prerequisites-signed-off", YES);
    assert!(world.may(make(5_000)).is_ok());
}
