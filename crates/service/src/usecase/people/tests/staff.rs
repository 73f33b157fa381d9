//! Joiners, movers and leavers: nobody who has left keeps an account or a place on the roster without a word.

use super::*;
use crate::project::Project;

async fn made(world: &World) -> PeopleProject {
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    approve(&people).await;
    people.apply(None).await.unwrap();
    people.accept(&[], "no router yet").await.unwrap();
    people
}

fn told(report: &TasksReport) -> Vec<(&str, &str)> {
    report.tasks.iter().map(|task| (task.name.as_str(), task.task)).collect()
}

fn state_of(world: &World, given: &str) -> AccountState {
    world.platform.all().into_iter().find(|entry| entry.names.given.as_deref() == Some(given)).unwrap().state
}

#[tokio::test]
async fn whoever_is_disabled_at_the_source_is_switched_off_and_on_again_on_the_platform() {
    let world = World::of(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Ray")], Vec::new());
    let people = made(&world).await;
    let mut ann = person("1", "Ann", "Lee");
    ann.state = AccountState::Disabled;
    world.ad.put(ann);
    people.sync(false, false, false).await.unwrap();
    assert_eq!(told(&people.tasks().await.unwrap()), [("Ann Lee", "leaver")]);
    let plan = people.plan(true, &PlanOf::default()).await.unwrap();
    assert_eq!((plan.lines[0].does, plan.disabled), ("disable", 1));
    approve(&people).await;
    people.apply(None).await.unwrap();
    assert_eq!((state_of(&world, "Ann"), state_of(&world, "Bob")), (AccountState::Disabled, AccountState::Active));
    assert!(people.tasks().await.unwrap().tasks.is_empty());
    assert_eq!(people.details().await.unwrap().accounts, 1, "a first password is not handed to whoever has left");
    world.ad.put(person("1", "Ann", "Lee"));
    people.sync(false, false, false).await.unwrap();
    approve(&people).await;
    people.apply(None).await.unwrap();
    assert_eq!(state_of(&world, "Ann"), AccountState::Active);
}

#[tokio::test]
async fn whoever_is_put_among_the_leavers_is_marked_r_046() {
    let mut world = World::of(vec![person("1", "Ann", "Lee")], Vec::new());
    made(&world).await.close().await;
    world.text.push_str("[[people.exclude]]\nname = \"leavers-ou\"\nplaces = [\"OU=Leavers,DC=x\"]\n");
    let mut ann = person("1", "Ann", "Lee");
    (ann.state, ann.place) = (AccountState::Disabled, Some("CN=Ann,OU=Leavers,DC=x".into()));
    world.ad.put(ann);
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    assert_eq!(told(&people.tasks().await.unwrap()), [("Ann Lee", "leaver")]);
    approve(&people).await;
    let report = people.apply(None).await.unwrap();
    assert!(report.not_done.is_empty(), "{report:?}");
    assert_eq!(state_of(&world, "Ann"), AccountState::Leaver);
    assert!(people.tasks().await.unwrap().tasks.is_empty());
}

#[tokio::test]
async fn a_leaver_whose_account_was_there_before_is_told_and_left_alone() {
    let mut theirs = account("p1", "Ann", "Lee");
    theirs.local_id = Some("1".into());
    theirs.addresses.push(Address::x500("/o=Trust/cn=1"));
    let world = World::of(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Ray")], vec![theirs]);
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    world.ad.remove("1");
    people.sync(false, true, false).await.unwrap();
    let tasks = people.tasks().await.unwrap();
    assert_eq!(told(&tasks), [("Ann Lee", "leaver")]);
    assert!(tasks.tasks[0].next.contains("not this program's to change"), "{tasks:?}");
    assert!(people.plan(true, &PlanOf::default()).await.unwrap().lines.iter().all(|line| line.does == "create"));
}

#[tokio::test]
async fn what_the_personnel_system_says_makes_tasks_and_takes_a_leaver_off_the_roster_r_047() {
    let theirs = |key: &str, given: &str| {
        let mut account = account(&format!("p{key}"), given, "Lee");
        account.local_id = Some(key.into());
        account
    };
    let mut world = World::of(
        vec![person("1", "Ann", "Lee"), person("2", "Bob", "Lee"), person("3", "Cyd", "Lee")],
        vec![theirs("1", "Ann"), theirs("2", "Bob"), theirs("3", "Cyd")],
    );
    world.text =
        world.text.replace("[people]", "[directories.hr]\nkind = \"csv\"\npath = \"hr.csv\"\n[people]\nstaff = \"hr\"");
    let mut staff: Vec<Entry> =
        [("001", "Ann"), ("2", "Bob"), ("4", "Dee")].map(|(key, given)| person(key, given, "Lee")).into();
    (staff[0].state, staff[1].department) = (AccountState::Leaver, Some("Ward 8".into()));
    std::fs::write(world.folder.path().join(crate::PROJECT_FILE), &world.text).unwrap();
    let mut people = world.open().await;
    people.sources.push(("hr".into(), Opened::Read(Arc::new(DirectoryInMemory::with(staff)))));
    let mut bob = person("2", "Bob", "Lee");
    bob.department = Some("Ward 7".into());
    world.ad.put(bob);
    people.sync(false, false, false).await.unwrap();
    let tasks = people.tasks().await.unwrap();
    assert_eq!(told(&tasks), [("Ann Lee", "leaver"), ("Bob Lee", "mover"), ("Dee Lee", "joiner")], "{tasks:?}");
    people.close().await;
    let project = Box::pin(Project::open(world.folder.path(), &|_: &str| None)).await.unwrap();
    let names: Vec<&str> = project.people.rows.iter().map(|row| row.source.as_str()).collect();
    assert_eq!(names, ["person2@trust.example", "person3@trust.example"]);
    assert!(project.withheld[0].why.contains("personnel system"), "{:?}", project.withheld);
}

fn disabled(key: &str, given: &str) -> Entry {
    let mut entry = person(key, given, "Lee");
    entry.state = AccountState::Disabled;
    entry
}

fn set_state(world: &World, given: &str, state: AccountState) {
    let mut account = world.platform.all().into_iter().find(|e| e.names.given.as_deref() == Some(given)).unwrap();
    account.state = state;
    world.platform.put(account);
}

#[tokio::test]
async fn whoever_is_back_before_the_plan_is_carried_out_is_not_switched_off() {
    let world = World::of(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Lee")], Vec::new());
    let people = made(&world).await;
    for (key, given) in [("1", "Ann"), ("2", "Bob")] {
        world.ad.put(disabled(key, given));
    }
    people.sync(false, false, false).await.unwrap();
    approve(&people).await;
    world.ad.put(person("1", "Ann", "Lee"));
    people.sync(false, false, false).await.unwrap();
    let report = people.apply(None).await.unwrap();
    assert_eq!((report.not_done[0].id.as_str(), report.not_done[0].state), ("ad:1", "conflict"));
    assert_eq!((state_of(&world, "Ann"), state_of(&world, "Bob")), (AccountState::Active, AccountState::Disabled));
}

#[tokio::test]
async fn what_others_have_switched_off_stays_off() {
    let world = World::of(vec![person("1", "Ann", "Lee")], Vec::new());
    let people = made(&world).await;
    world.ad.put(disabled("1", "Ann"));
    people.sync(false, false, false).await.unwrap();
    approve(&people).await;
    people.apply(None).await.unwrap();
    // The help desk switches it on, she comes back, and later it is switched off there for another reason.
    set_state(&world, "Ann", AccountState::Active);
    world.ad.put(person("1", "Ann", "Lee"));
    people.sync(false, false, false).await.unwrap();
    set_state(&world, "Ann", AccountState::Disabled);
    people.sync(false, false, false).await.unwrap();
    assert_eq!(people.plan(true, &PlanOf::default()).await.unwrap().lines.len(), 0);
    assert_eq!(people.list(&ListChoice::default()).await.unwrap().classes["unresolved"], 1, "a person decides");
}

#[tokio::test]
async fn whoever_is_switched_off_first_and_gone_later_is_marked_as_a_leaver() {
    let world = World::of(vec![person("1", "Ann", "Lee")], Vec::new());
    let people = made(&world).await;
    world.ad.put(disabled("1", "Ann"));
    people.sync(false, false, false).await.unwrap();
    approve(&people).await;
    people.apply(None).await.unwrap();
    world.ad.remove("1");
    people.sync(false, true, false).await.unwrap();
    assert_eq!(told(&people.tasks().await.unwrap()), [("Ann Lee", "leaver")]);
    approve(&people).await;
    people.apply(None).await.unwrap();
    assert_eq!(state_of(&world, "Ann"), AccountState::Leaver);
    assert!(people.tasks().await.unwrap().tasks.is_empty());
}

#[tokio::test]
async fn nobody_is_told_as_a_leaver_because_of_what_is_another_ones() {
    let theirs = |key: &str, given: &str, number: &str, code: &str| {
        let mut account = account(key, given, "Lee");
        account.addresses.push(Address::x500(format!("/o=Trust/cn={number}")));
        account.organisation = Some(code.into());
        account
    };
    // A contact for a colleague, somebody who works elsewhere now, and one of whom it was said that the account is not theirs.
    let mut contact = person("1", "Ann", "Lee");
    (contact.kind, contact.mail, contact.legacy_dn) =
        (EntryKind::Contact, Some("ann.lee@national.example".into()), None);
    let world = World::of(
        vec![contact, person("2", "Bob", "Lee"), person("3", "Cyd", "Lee")],
        vec![theirs("p1", "Ann", "9", "RX1"), theirs("p2", "Bob", "2", "RY2"), theirs("p3", "Cyd", "3", "RX1")],
    );
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    people.decide("3", Decision::Different("p3".into()), Some("Ivy"), "asked her").await.unwrap();
    for key in ["1", "2", "3"] {
        world.ad.remove(key);
    }
    people.sync(false, true, false).await.unwrap();
    assert_eq!(told(&people.tasks().await.unwrap()), []);
}

#[tokio::test]
async fn a_short_name_is_to_be_asked_for_before_mailboxes_are_named_r_210() {
    let mut shared = person("7", "x", "x");
    (shared.kind, shared.names.display) = (EntryKind::Shared, Some("Ward 7".into()));
    let mut world = World::of(vec![shared], Vec::new());
    let told = async |world: &World| {
        let people = world.open().await;
        people.sync(false, false, false).await.unwrap();
        let tasks = people.tasks().await.unwrap().tasks;
        people.close().await;
        tasks.iter().filter(|task| task.task == "request").count()
    };
    assert_eq!(told(&world).await, 0);
    world.text = world.text.replace("short_name = \"hill\"\n", "");
    assert_eq!(told(&world).await, 1);
}

#[tokio::test]
async fn a_leaver_whose_mail_goes_to_the_archive_keeps_no_account_that_can_be_used_r_043_r_046() {
    let mut world = World::of(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Lee")], Vec::new());
    made(&world).await.close().await;
    world.text = world.text.replace(
        "[people]",
        "[endpoints.kept]\nkind = \"eml\"\npath = \"kept/{source}\"\n[archive]\nmail = \"kept\"\n[people]",
    );
    world.text.push_str("[[people.archive]]\nname = \"gone\"\nstates = [\"disabled\"]\n");
    world.ad.put(disabled("1", "Ann"));
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    people.decide("2", Decision::Archive, Some("Ivy"), "left").await.unwrap();
    let told_now = people.tasks().await.unwrap();
    assert_eq!(told(&told_now), [("Ann Lee", "leaver"), ("Bob Lee", "leaver")], "{told_now:?}");
    approve(&people).await;
    people.apply(None).await.unwrap();
    assert_eq!((state_of(&world, "Ann"), state_of(&world, "Bob")), (AccountState::Leaver, AccountState::Active));
}
