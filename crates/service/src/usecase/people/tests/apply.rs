//! What a plan rests on, and what is done when that is not so any more.

use super::*;
use connector::{ChangeOutcome, PlannedChange};
use model::Organisation;

async fn planned(world: &World) -> PeopleProject {
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    approve(&people).await;
    people
}

/// Ann Lee's account, as an administrator or the platform's portal makes it.
fn anns() -> Entry {
    let mut account = account("p1", "Ann", "Lee");
    account.addresses.push(Address::smtp("person1@trust.example"));
    account
}

#[tokio::test]
async fn a_plan_rests_on_what_the_platform_is_when_it_is_made() {
    let world = World::of(vec![person("1", "Ann", "Lee")], Vec::new());
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    world.platform.put(anns());
    let dry = people.plan(true, &PlanOf::default()).await.unwrap();
    assert_eq!((dry.lines[0].does, dry.plan), ("create", None), "a dry run reads nothing");
    let plan = people.plan(false, &PlanOf::default()).await.unwrap();
    assert_eq!(plan.lines.iter().map(|line| line.does).collect::<Vec<_>>(), ["update"], "{plan:?}");
}

#[tokio::test]
async fn an_account_made_by_others_after_the_approval_is_not_made_a_second_time() {
    let world = World::of(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Ray")], Vec::new());
    let people = planned(&world).await;
    world.platform.put(anns());
    let report = people.apply(None).await.unwrap();
    assert_eq!((report.done, report.ended), (1, true), "{report:?}");
    assert_eq!((report.not_done[0].id.as_str(), report.not_done[0].state), ("ad:1", "conflict"));
    assert!(report.not_done[0].said.as_deref().unwrap().contains("is existing now"), "{report:?}");
    assert_eq!(world.platform.all().len(), 2);
}

#[tokio::test]
async fn who_is_left_out_or_changed_after_the_draft_gets_nothing() {
    let world = World::of(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Ray")], Vec::new());
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    let plan = people.plan(false, &PlanOf::default()).await.unwrap();
    people.decide("1", Decision::Exclude, Some("Ivy"), "she leaves").await.unwrap();
    world.ad.put(person("2", "Rob", "Roe"));
    people.sync(false, false, false).await.unwrap();
    people.approve(plan.plan.unwrap(), &plan.digest, "Approver").await.unwrap();
    let report = people.apply(None).await.unwrap();
    let states: Vec<_> = report.not_done.iter().map(|line| (line.id.as_str(), line.state)).collect();
    assert_eq!(states, [("ad:1", "conflict"), ("ad:2", "conflict")]);
    assert!(report.not_done[1].said.as_deref().unwrap().contains("it changed since"), "{report:?}");
    assert_eq!(world.platform.all().len(), 0);
}

#[tokio::test]
async fn an_account_that_is_another_ones_by_then_is_not_changed() {
    let mut weak = account("p1", "Ann", "Lee");
    weak.local_id = Some("1".into());
    let world = World::of(vec![person("1", "Ann", "Lee")], vec![weak]);
    let people = planned(&world).await;
    people.decide("1", Decision::Different("p1".into()), Some("Ivy"), "asked her").await.unwrap();
    let report = people.apply(None).await.unwrap();
    assert_eq!((report.done, report.not_done[0].state), (0, "conflict"), "{report:?}");
    assert!(!world.folder.path().join("people.key").exists(), "no key for a plan that makes nothing");
}

/// A platform that takes what is to be made for what is there.
struct Knowing;

#[async_trait::async_trait]
impl Meddles for Knowing {
    async fn apply(
        &self,
        _: &DirectoryInMemory,
        changes: &[PlannedChange],
        _: &dyn connector::Door,
    ) -> Result<Vec<ChangeOutcome>, connector::Error> {
        Ok(changes.iter().map(|_| ChangeOutcome::Unchanged { key: "p9".to_owned() }).collect())
    }
}

#[tokio::test]
async fn what_bears_a_mark_without_having_been_begun_is_no_account_of_this_plan() {
    let world = World::of(vec![person("1", "Ann", "Lee")], Vec::new());
    let mut people = planned(&world).await;
    let number = people.open_plan().await.unwrap().unwrap().plan;
    people.platform = Some(Meddled::opened(&world.platform, Knowing));
    let report = people.apply(None).await.unwrap();
    assert_eq!((report.done, report.not_done[0].state), (0, "conflict"), "{report:?}");
    assert!(people.made().await.unwrap().is_empty());
    let changes = people.store.changes(people.key, number).await.unwrap();
    assert_eq!(changes[0].secret, None, "a password that the account never got is not kept");
}

/// A platform for which the hold has just lapsed, once.
struct Lapsing(std::sync::atomic::AtomicBool);

#[async_trait::async_trait]
impl Meddles for Lapsing {
    async fn apply(
        &self,
        platform: &DirectoryInMemory,
        changes: &[PlannedChange],
        door: &dyn connector::Door,
    ) -> Result<Vec<ChangeOutcome>, connector::Error> {
        if self.0.swap(false, std::sync::atomic::Ordering::SeqCst) {
            let lapsed = || connector::Error::new(model::Cause::LeaseLapsed, model::Scope::Run, "lapsed");
            return Ok(changes.iter().map(|_| ChangeOutcome::Refused(lapsed())).collect());
        }
        platform.apply(changes, door).await
    }
}

#[tokio::test]
async fn what_was_not_tried_for_want_of_the_hold_is_made_by_the_next_run() {
    let world = World::of(vec![person("1", "Ann", "Lee")], Vec::new());
    let mut people = planned(&world).await;
    people.platform = Some(Meddled::opened(&world.platform, Lapsing(true.into())));
    let error = people.apply(None).await.unwrap_err();
    assert!(error.what.contains("lapsed"), "{error}");
    let report = people.apply(None).await.unwrap();
    assert_eq!((report.done, report.ended), (1, true), "{report:?}");
}

#[tokio::test]
async fn one_plan_is_open_at_a_time_and_somebody_may_withdraw_it() {
    let world = World::of(vec![person("1", "Ann", "Lee")], Vec::new());
    let people = planned(&world).await;
    let number = people.open_plan().await.unwrap().unwrap().plan;
    let error = people.plan(false, &PlanOf::default()).await.unwrap_err();
    assert_eq!(error.rule, Some("R-039"));
    assert!(error.advice.unwrap().contains(&format!("--withdraw {number}")));
    assert!(people.withdraw(number, " ").await.is_err());
    let withdrawn = people.withdraw(number, "Ivy").await.unwrap();
    assert_eq!((withdrawn.done, withdrawn.not_done), (0, 1));
    assert_eq!(people.withdraw(number, "Ivy").await.unwrap_err().rule, Some("R-039"));
    assert_eq!(people.apply(None).await.unwrap_err().rule, Some("R-039"));
    assert_eq!(people.apply(Some(number)).await.unwrap_err().rule, Some("R-039"));
    approve(&people).await;
    assert_eq!(people.apply(None).await.unwrap().done, 1);
    let error = people.withdraw(number + 1, "Ivy").await.unwrap_err();
    assert!(error.what.contains("carried out"), "{error}");
}

#[tokio::test]
async fn registrations_are_those_of_all_projects_of_the_organisation_again_when_they_are_made() {
    let mut world = World::of(vec![person("1", "Ann", "Lee")], Vec::new());
    world.text.push_str("[people.rules]\nregistrations = 1\n");
    let people = planned(&world).await;
    // Meanwhile another project of theirs used the last one.
    let organisation = Organisation { name: "Hill Trust".into(), code: people.config.code.clone() };
    let other = people.store.project(&organisation, "other").await.unwrap();
    let lease = people.store.hold_people(other, "other", 60_000).await.unwrap().unwrap();
    let mut tx = people.store.write_people(&lease).await.unwrap();
    let (directory, key, account, kind) = ("ad".into(), "9".into(), "p9".into(), "person".into());
    tx.add_accounts(1, &[store::MadeAccount { directory, key, account, kind, password: None }]).await.unwrap();
    tx.commit().await.unwrap();
    let error = people.apply(None).await.unwrap_err();
    assert_eq!(error.rule, Some("R-062"));
    assert!(error.what.contains("1 are used, 1 are requested"), "{error}");
    assert_eq!(world.platform.all().len(), 0);
}

/// Twenty new people, a shared mailbox that one of them answers for, and lists that hold each other.
fn ward() -> World {
    let mut all: Vec<Entry> = (0..20).map(|n| person(&n.to_string(), "Ann", &format!("Lee{n}"))).collect();
    let mut shared = person("s", "x", "x");
    (shared.kind, shared.names.display, shared.local_id) = (EntryKind::Shared, Some("Ward 7".into()), None);
    shared.owners = vec![Reference::Key("7".into())];
    all.push(shared);
    for (key, members) in [("a", ["b", "c"]), ("b", ["c", "1"]), ("c", ["a", "2"])] {
        let mut list = Entry::new(key, EntryKind::List);
        list.names.display = Some(format!("List {key}"));
        list.members = members.map(|key| Reference::Key(key.into())).to_vec();
        all.push(list);
    }
    World::of(all, Vec::new())
}

#[tokio::test]
async fn a_new_mailbox_of_many_has_its_new_owner_and_lists_hold_each_other_after_one_run() {
    let world = ward();
    let people = planned(&world).await;
    let report = people.apply(None).await.unwrap();
    assert!(report.ended && report.not_done.is_empty() && report.without.is_empty(), "{report:?}");
    let all = world.platform.all();
    let shared = all.iter().find(|entry| entry.kind == EntryKind::Shared).unwrap();
    assert_eq!(shared.owners.len(), 1, "R-074");
    assert!(all.iter().filter(|entry| entry.kind == EntryKind::List).all(|list| list.members.len() == 2), "{all:?}");
    people.sync(false, false, false).await.unwrap();
    assert_eq!(people.plan(true, &PlanOf::default()).await.unwrap().lines.len(), 0);
}

#[tokio::test]
async fn who_could_not_be_made_is_told_where_they_are_missing_and_answers_for_nothing() {
    let world = ward();
    let people = planned(&world).await;
    for key in ["2", "7"] {
        world.ad.put(person(key, "Changed", "Since"));
    }
    people.sync(false, false, false).await.unwrap();
    let report = people.apply(None).await.unwrap();
    let not_done: Vec<&str> = report.not_done.iter().map(|line| line.id.as_str()).collect();
    assert_eq!(not_done, ["ad:2", "ad:7", "ad:s"], "{report:?}");
    assert!(report.not_done[2].said.as_deref().unwrap().contains("ad:7"), "{report:?}");
    let lists = world.platform.all().into_iter().filter(|entry| entry.kind == EntryKind::List);
    assert_eq!(lists.map(|list| list.members.len()).sum::<usize>(), 5, "all but one");
    let without: Vec<&str> = report.without.iter().map(|line| line.id.as_str()).collect();
    assert_eq!(without, ["ad:c"], "{report:?}");
}

#[tokio::test]
async fn stopped_at_any_moment_owners_and_lists_that_hold_each_other_are_whole_in_the_end() {
    let mut moments = 0;
    loop {
        let world = ward();
        for n in 3..20 {
            world.ad.remove(&n.to_string());
        }
        world.ad.put(person("7", "Gus", "Lee7"));
        planned(&world).await.close().await;
        let stop = StopAt::new(moments);
        {
            let mut people = world.open().await;
            people.store = people.store.watched(stop.clone());
            people.platform = Some(Meddled::opened(&world.platform, stop.clone()));
            let _ = people.apply(None).await;
            people.close().await;
        }
        let mut people = world.open().await;
        people.settle = Duration::ZERO;
        people.store.void_people_holds(|_| true).await.unwrap();
        if people.open_plan().await.unwrap().is_some() {
            let report = people.apply(None).await.unwrap();
            assert!(report.ended && report.not_done.is_empty() && report.without.is_empty(), "{moments}: {report:?}");
        }
        let all = world.platform.all();
        assert_eq!(all.len(), 8, "moment {moments}: {all:?}");
        let whole = |entry: &Entry| match entry.kind {
            EntryKind::List => entry.members.len() == 2,
            EntryKind::Shared => entry.owners.len() == 1,
            _ => true,
        };
        assert!(all.iter().all(whole), "moment {moments}: {all:?}");
        people.close().await;
        if !stop.was_reached() {
            break;
        }
        moments += 3;
    }
    assert!(moments > 20, "{moments} moments");
}
