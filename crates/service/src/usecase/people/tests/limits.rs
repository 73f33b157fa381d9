//! What the platform's people have granted.

use super::*;
use connector::DirectoryTarget;

fn many(count: usize) -> Vec<Entry> {
    (0..count).map(|n| person(&n.to_string(), "Ann", &format!("Lee{n}"))).collect()
}

#[tokio::test]
async fn a_limit_is_raised_with_a_name_and_evidence_and_holds_from_then_on_r_062() {
    let mut world = World::of(many(3), Vec::new());
    world.text.push_str("[people.rules]\nregistrations = 1\nbulk_over = 2\nbulk_days = 14\n");
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    let plan = people.plan(false, &PlanOf::default()).await.unwrap();
    assert_eq!((plan.registrations_max, plan.lead_days), (Some(1), 14), "R-064");
    let number = plan.plan.unwrap();
    let approved = people.approve(number, &plan.digest, "Approver").await.unwrap_err();
    assert_eq!(approved.rule, Some("R-062"));
    for (by, evidence) in [("", "letter"), ("National service desk", " ")] {
        assert!(people.raise_registrations(9, by, evidence).await.is_err());
    }
    let raised = people.raise_registrations(9, "National service desk", "mail of 3 May").await.unwrap();
    assert_eq!((raised.max, raised.by_rule, raised.used), (Some(9), Some(1), 0));
    people.approve(number, &plan.digest, "Approver").await.unwrap();
    people.apply(None).await.unwrap();
    let error = people.raise_registrations(2, "National service desk", "mail of 4 May").await.unwrap_err();
    assert!(error.what.contains("3 registrations are used"), "{error}");
}

#[tokio::test]
async fn so_many_as_the_limit_allows_can_be_planned_and_nothing_that_needs_the_others() {
    let mut world = World::of(many(3), Vec::new());
    world.text.push_str("[people.rules]\nregistrations = 2\n");
    let mut list = Entry::new("g", EntryKind::List);
    list.names.display = Some("Ward 7".into());
    list.members = vec![Reference::Key("0".into()), Reference::Key("2".into())];
    world.ad.put(list);
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    let plan = people.plan(false, &PlanOf { first: Some(2), ..PlanOf::default() }).await.unwrap();
    assert_eq!((plan.registrations, plan.lines.len(), plan.later), (2, 2, 2), "the list waits for who is in it");
    people.approve(plan.plan.unwrap(), &plan.digest, "Approver").await.unwrap();
    assert!(people.apply(None).await.unwrap().ended);
    people.raise_registrations(3, "National service desk", "mail").await.unwrap();
    let chosen = PlanOf { who: vec!["2".into()], first: None };
    let one = people.plan(true, &chosen).await.unwrap();
    assert_eq!(one.lines.iter().map(|line| line.id.as_str()).collect::<Vec<_>>(), ["ad:2"]);
    approve(&people).await;
    let report = people.apply(None).await.unwrap();
    assert_eq!((report.changes, report.without.len()), (2, 0), "{report:?}");
}

#[tokio::test]
async fn an_unlocked_account_has_its_days_anew_r_069() {
    let mut world = World::of(many(1), Vec::new());
    world.text.push_str("[people.rules]\nactivation_days = 90\n");
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    approve(&people).await;
    people.apply(None).await.unwrap();
    people.accept(&[], "no router yet").await.unwrap();
    assert!(people.unlock("0", "Helpdesk", "").await.is_err());
    let dry = people.dry_run(true);
    dry.unlock("0", "Helpdesk", "ticket 7").await.unwrap();
    assert!(dry.unlocked().await.unwrap().is_empty(), "a dry run records nothing");
    let people = dry.dry_run(false);
    people.unlock("0", "Helpdesk", "ticket 7").await.unwrap();
    let at = people.unlocked().await.unwrap()[&ObjectId::new("ad", "0")];
    let on_day = async |day: i64| people.activation(Some(at + day * 86_400_000)).await.unwrap().waiting[0].state;
    assert_eq!((on_day(90).await, on_day(91).await), ("active", "locked"));
    assert_eq!(
        people.list(&ListChoice::default()).await.unwrap().classes["existing"],
        1,
        "it is no decision about a match"
    );
}

#[tokio::test]
async fn a_login_is_no_activation_where_the_platform_tells_r_070() {
    let world = World::of(many(1), Vec::new());
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    approve(&people).await;
    people.apply(None).await.unwrap();
    people.accept(&[], "no router yet").await.unwrap();
    let activated = async |is_activated: Option<bool>| {
        let mut account = world.platform.all().remove(0);
        (account.last_logon, account.is_activated) = (Some(1_800_000_000), is_activated);
        world.platform.put(account);
        people.sync(false, false, false).await.unwrap();
        people.activation(None).await.unwrap().activated
    };
    assert_eq!((activated(Some(false)).await, activated(None).await, activated(Some(true)).await), (0, 1, 1));
}

#[tokio::test]
async fn accounts_that_are_live_at_once_need_a_recorded_reason_r_073() {
    let mut world = World::of(many(1), Vec::new());
    let live = |world: &World| Some(Meddled::opened(&world.platform, Live));
    let mut people = world.open().await;
    people.platform = live(&world);
    people.sync(false, false, false).await.unwrap();
    let plan = people.plan(false, &PlanOf::default()).await.unwrap();
    let error = people.approve(plan.plan.unwrap(), &plan.digest, "Approver").await.unwrap_err();
    assert_eq!(error.rule, Some("R-073"), "{error}");
    people.close().await;
    world.text = world.text.replace("short_name", "exemption = \"pilot, no routers\"\nshort_name");
    let mut people = world.open().await;
    people.platform = live(&world);
    approve(&people).await;
    people.apply(None).await.unwrap();
    let made = people.made().await.unwrap();
    let row = &made[&ObjectId::new("ad", "0")];
    assert!(row.live_at.is_some() && row.exemption.as_deref().unwrap().contains("pilot, no routers"), "{row:?}");
    assert_eq!(world.platform.all()[0].state, AccountState::Active);
}

#[tokio::test]
async fn a_project_without_mail_provisions_people_and_moves_no_mailbox_r_037() {
    let mut world = World::of(many(1), Vec::new());
    let (from, to) = (world.text.find("[endpoints.local]").unwrap(), world.text.find("[directories.ad]").unwrap());
    world.text.replace_range(from..to, "");
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    approve(&people).await;
    assert!(people.apply(None).await.unwrap().ended);
    people.close().await;
    std::fs::write(world.folder.path().join(crate::PROJECT_FILE), &world.text).unwrap();
    let opened = Box::pin(crate::Project::open(world.folder.path(), &|_: &str| None)).await;
    assert!(opened.err().unwrap().what.contains("moves no mail"));
    let half = world.text.replace("[people]", "[source]\nmail = \"local\"\n[people]");
    assert!(Config::parse(&half, world.folder.path()).unwrap_err().what.contains("target"));
}

#[tokio::test]
async fn who_moves_is_signed_as_it_was_printed_r_059() {
    let world = World::of(many(2), Vec::new());
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    let listed = people.list(&ListChoice::default()).await.unwrap();
    assert_eq!((listed.scope.rows, listed.matching.rows, listed.kinds["new"]["person"]), (2, 0, 2));
    let (stale, digest) = ("0123456789", &listed.scope.digest[..12]);
    let refused = people.sign(SignedList::Scope, stale, "Ivy", "letter of 3 May").await.unwrap_err();
    assert_eq!(refused.rule, Some("R-059"));
    let signed = people.sign(SignedList::Scope, digest, "Ivy", "letter of 3 May").await.unwrap();
    assert_eq!((signed.list, signed.rows, signed.newly), ("scope", 2, 2));
    people.decide("1", Decision::Exclude, Some("Ivy"), "leaves").await.unwrap();
    assert_eq!(people.sign(SignedList::Scope, digest, "Ivy", "letter").await.unwrap_err().rule, Some("R-059"));
}

/// A platform without accounts that wait.
pub(super) struct Live;

#[async_trait::async_trait]
impl Meddles for Live {
    async fn apply(
        &self,
        platform: &DirectoryInMemory,
        changes: &[connector::PlannedChange],
        door: &dyn connector::Door,
    ) -> Result<Vec<connector::ChangeOutcome>, connector::Error> {
        platform.apply(changes, door).await
    }

    fn declaration(&self, own: DirectoryDeclaration) -> DirectoryDeclaration {
        DirectoryDeclaration { makes_live: true, ..own }
    }
}
