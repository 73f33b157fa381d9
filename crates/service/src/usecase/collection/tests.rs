//! Collections of a project whose people stand in a file.

use model::{Condition, MailboxKind, Phase};
use store::{LeaseTerms, MailboxState, Object};

use super::{Choice, CollectionPlan, Outlook};
use crate::{Error, Project};

const PROJECT: &str = "version = 1\norganisation = { name = \"Hill Trust\", code = \"RX1\" }\n\
    [endpoints.local]\nkind = \"maildir\"\npath = \"from/{source}\"\n[endpoints.national]\nkind = \"maildir\"\n\
    path = \"to/{target}\"\n[source]\nmail = \"local\"\n[target]\nmail = \"national\"\n";

pub(crate) struct World(tempfile::TempDir);

impl World {
    pub(crate) fn of(people: &str) -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        std::fs::write(world.0.path().join(crate::PROJECT_FILE), PROJECT).unwrap();
        world.people(people);
        world
    }

    pub(crate) fn people(&self, people: &str) {
        std::fs::write(self.0.path().join(crate::PEOPLE_FILE), people).unwrap();
    }

    pub(crate) async fn open(&self) -> Project {
        Box::pin(Project::open(self.0.path(), &|_: &str| None)).await.unwrap()
    }

    fn file(&self, text: &str) -> std::path::PathBuf {
        let path = self.0.path().join("names.csv");
        std::fs::write(&path, text).unwrap();
        path
    }
}

pub(crate) fn these(mailboxes: &[&str]) -> Choice {
    Choice { mailboxes: mailboxes.iter().map(|name| (*name).to_owned()).collect(), ..Choice::default() }
}

fn plan(start: &str, switch: &str) -> CollectionPlan {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    CollectionPlan { start: given(start), switch: given(switch), ..CollectionPlan::default() }
}

/// Brings a mailbox to where it stands after a run.
pub(crate) async fn work(project: &Project, name: &str, state: MailboxState, copied: Option<(u64, u64)>) {
    let rows = project.store.mailboxes(project.key).await.unwrap();
    let number = rows.iter().find(|row| row.roster.source_name == name).unwrap().mailbox;
    project.store.mark_due(project.key, &[number]).await.unwrap();
    let terms = LeaseTerms { lasts_ms: 60_000, margin_ms: 0 };
    let claim = store::Claim {
        among: Some(&[number]),
        holder: "w",
        terms,
        room: &[],
        shut: &[],
        only_turning: false,
        version: None,
    };
    let (lease, _) = project.store.claim(project.key, &claim).await.unwrap().mailbox().unwrap();
    let mut tx = project.store.write(&lease).await.unwrap();
    let running = MailboxState { phase: Phase::Copying, condition: Condition::Running, cause: None };
    tx.set_state(&running).await.unwrap();
    if let Some((items, bytes)) = copied {
        tx.add_work(1_000, items, bytes).await.unwrap();
    }
    tx.commit().await.unwrap();
    project.store.release(&lease, &state, store::Again::default()).await.unwrap();
}

pub(crate) fn in_step() -> MailboxState {
    MailboxState { phase: Phase::InStep, condition: Condition::Running, cause: None }
}

fn refused(result: Result<impl std::fmt::Debug, Error>, rule: &str, what: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.rule, Some(rule), "{error}");
    assert!(error.what.contains(what) && error.advice.is_some(), "{error}");
}

async fn actions(project: &Project) -> Vec<String> {
    let (rows, fault) = project.store.audit_log(project.key).await.unwrap();
    assert_eq!(fault, None);
    rows.into_iter().map(|row| row.action).collect()
}

#[tokio::test]
async fn everybody_is_in_one_collection_and_a_move_needs_a_reason() {
    let world = World::of("source,target,kind\nann,ann,\nben,ben,\nward,ward,shared\nroom,room,room\n");
    let project = world.open().await;
    project.create_collection("wave-1", &plan("now", "at=2036-12-05 19:00")).await.unwrap();
    let made = project.create_collection("wave-2", &plan("", "auto")).await.unwrap();
    assert_eq!((made.start_text.as_str(), made.switch_text.as_str()), ("waits for a start", "by itself, when in step"));
    assert!(project.create_collection("Wave-1", &plan("", "")).await.unwrap_err().what.contains("already"));

    let file = Choice { file: Some(world.file("mailbox\nward\nANN\n")), ..Choice::default() };
    assert_eq!(project.add_to_collection("wave-1", &file, false, None).await.unwrap().placed, 2);
    let again = project.add_to_collection("wave-1", &file, false, None).await.unwrap();
    assert_eq!((again.placed, again.already), (0, 2));
    refused(
        project.add_to_collection("wave-2", &these(&["ben", "ann"]), false, None).await,
        "R-155",
        "ann is in the collection \"wave-1\"",
    );
    let unknown = Choice { file: Some(world.file("ann\nbenn\nnobody at all\n")), ..Choice::default() };
    let error = project.add_to_collection("wave-2", &unknown, false, None).await.unwrap_err();
    assert!(error.what.contains("line 2") && error.what.contains("did you mean \"ben\"?"), "{error}");
    assert!(error.what.contains("line 3"), "every mistake is named: {error}");
    let rest = Choice { rest: true, ..Choice::default() };
    assert_eq!(project.add_to_collection("wave-2", &rest, false, None).await.unwrap().placed, 2);

    let pair = ("wave-2", "wave-1");
    refused(project.move_collection(&these(&["ben"]), pair, (None, " "), false).await, "R-155", "for a reason");
    refused(
        project.move_collection(&these(&["ben", "ann"]), pair, (None, "why"), false).await,
        "R-155",
        "ann is in the collection \"wave-1\"",
    );
    let said = (Some("Change board"), "they share a calendar");
    assert_eq!(project.move_collection(&these(&["ben"]), pair, said, false).await.unwrap().placed, 1);
    let shown = project.collection("wave-1").await.unwrap();
    let members: Vec<&str> = shown.members.iter().map(|line| line.member.as_str()).collect();
    assert_eq!(members, ["ann", "ben", "ward"]);
    assert_eq!(shown.members[2].kind, MailboxKind::Shared.name());
    let moved = &shown.moves[0];
    assert_eq!((moved.from.as_str(), moved.by.as_str(), moved.reason.as_str()), ("wave-2", said.0.unwrap(), said.1));

    let actions = actions(&project).await;
    let of = |action: &str| actions.iter().filter(|known| *known == action).count();
    assert_eq!((of("collection.created"), of("collection.filled"), of("collection.moved")), (2, 2, 1));
    let list = project.collections().await.unwrap();
    assert_eq!((list.in_none.len(), list.without_date), (0, vec!["wave-2".to_owned()]));
    // A date of its own.
    let dated = project.date_members("wave-2", &these(&["room"]), "2036-12-06 08:00").await.unwrap();
    assert_eq!(dated.placed, 1);
    assert!(project.collections().await.unwrap().without_date.is_empty());
    assert_eq!(
        project.collection("wave-2").await.unwrap().members[0].own_date_text.as_deref(),
        Some("2036-12-06 08:00")
    );
    project.close().await;
}

#[tokio::test]
async fn the_file_of_people_fills_collections_and_where_it_differs_is_told() {
    let world = World::of("source,target,collection,vip\nann,ann,wave-1,yes\nben,ben,,no\n");
    let project = world.open().await;
    let list = project.collections().await.unwrap();
    assert_eq!((list.collections.len(), list.collections[0].mailboxes, list.collections[0].vips), (1, 1, 1));
    assert_eq!(list.in_none, ["ben"]);
    project.close().await;
    world.people("source,target,collection,vip\nann,ann,wave-2,no\nben,ben,wave-2,\n");
    let project = world.open().await;
    let list = project.collections().await.unwrap();
    let of: Vec<_> = list.collections.iter().map(|row| (row.name.as_str(), row.mailboxes, row.vips)).collect();
    assert_eq!(of, [("wave-1", 1, 0), ("wave-2", 1, 0)]);
    let differs = &list.differing[0];
    assert_eq!(
        (differs.mailbox.as_str(), differs.collection.as_str(), differs.file.as_str()),
        ("ann", "wave-1", "wave-2")
    );
    assert!(list.document().text().contains("who is in a collection stays there"));
    project.close().await;
}

#[tokio::test]
async fn a_vip_is_not_the_one_on_whom_it_is_tried() {
    let world = World::of("source,target\nann,ann\nben,ben\ncyd,cyd\n");
    let project = world.open().await;
    project.create_collection("first", &plan("2036-12-01 08:00", "")).await.unwrap();
    project.create_collection("second", &plan("2036-12-08 08:00", "")).await.unwrap();
    let names = ["ann".to_owned(), "ben".to_owned()];
    refused(project.add_vips(&names, None, "").await, "R-130", "for a reason");
    assert_eq!(project.add_vips(&names, Some("Board"), "executive").await.unwrap().count, 2);
    refused(
        project.add_to_collection("first", &these(&["ann", "cyd"]), false, None).await,
        "R-130",
        "ann is a VIP, and first is the first collection to start",
    );
    refused(project.add_to_collection("first", &these(&["ann"]), true, Some(" ")).await, "R-130", "ann is a VIP");
    project.add_to_collection("first", &these(&["ann"]), true, Some("she asked for it")).await.unwrap();
    project.add_to_collection("second", &these(&["ben"]), false, None).await.unwrap();
    refused(
        project.move_collection(&these(&["ben"]), ("second", "first"), (None, "why"), false).await,
        "R-130",
        "ben is a VIP",
    );
    // What makes another one the first is asked, too.
    refused(project.change_collection("second", &plan("2036-11-01 08:00", "")).await, "R-130", "second is the first");
    refused(project.change_collection("first", &plan("2037-11-01 08:00", "")).await, "R-130", "second is the first");
    let vips = project.vips().await.unwrap();
    let of: Vec<_> = vips.vips.iter().map(|vip| (vip.mailbox.as_str(), vip.is_first, vip.named_by.as_str())).collect();
    assert_eq!(of, [("ann", true, "Board"), ("ben", false, "Board")]);
    assert_eq!(project.collections().await.unwrap().vips_first, ["ann"]);
    assert!(project.remove_vips(&["cyd".to_owned()], None, None).await.unwrap_err().what.contains("cyd is no VIP"));
    assert_eq!(project.remove_vips(&names[..1], None, None).await.unwrap().count, 1);
    project.close().await;
}

#[tokio::test]
async fn dates_are_read_in_the_organisations_time_zone_and_mistakes_change_nothing() {
    let world = World::of("source,target\nann,ann\n");
    let project = world.open().await;
    for (start, switch, what) in [
        ("2036-03-30 01:30", "", "go forward"),
        ("2036-12-05", "", "no time of day"),
        ("", "at=soon", "no time of day"),
        ("", "later", "--switch"),
        ("", "at", "--switch"),
        ("2036-12-05 19:00", "at=2036-12-05 19:00", "would switch at"),
    ] {
        let error = project.create_collection("wave", &plan(start, switch)).await.unwrap_err();
        assert!(error.what.contains(what) && error.advice.is_some(), "{error}");
    }
    assert!(project.create_collection(" \n", &plan("", "")).await.is_err());
    assert!(project.collections().await.unwrap().collections.is_empty());
    let made = project.create_collection("wave", &plan("2036-07-05 19:00", "AT=2036-07-06 19:00")).await.unwrap();
    assert_eq!(made.collection.start, Some(2_098_893_600), "an hour earlier in UTC, in summer");
    assert_eq!(made.switch_text, "at 2036-07-06 19:00");
    let changed = project.change_collection("WAVE", &plan("none", "by-hand")).await.unwrap();
    assert_eq!((changed.start_text.as_str(), changed.collection.date), ("waits for a start", made.collection.date));
    project.close().await;
}

#[tokio::test]
async fn a_collection_says_how_fast_it_goes_what_each_waits_for_and_whether_it_is_in_time() {
    let world = World::of("source,target\nann,ann\nben,ben\ncyd,cyd\ndee,dee\n");
    let project = world.open().await;
    project.create_collection("wave", &plan("now", "at=2036-12-05 19:00")).await.unwrap();
    project.add_to_collection("wave", &these(&["ann", "ben", "cyd"]), false, None).await.unwrap();
    let before = project.collection("wave").await.unwrap();
    assert!(before.collection.expected_text.starts_with("not known: nothing was copied yet"), "{before:?}");
    assert_eq!(before.collection.outlook, Some(Outlook::Unknown));
    work(&project, "ann", in_step(), Some((1_000, 5_000_000))).await;
    let parked = Condition::Parked("the login was refused".to_owned());
    let cause = Some((model::Cause::Login, Some(model::Side::Source)));
    let state = MailboxState { phase: Phase::Copying, condition: parked, cause };
    work(&project, "ben", state, None).await;
    let shown = project.collection("wave").await.unwrap();
    let status = &shown.collection;
    assert_eq!((status.in_step, status.parked, status.planned, status.items), (1, 1, 1, 1_000));
    assert_eq!(status.done_hundredths, 3_333);
    assert!(status.last_hour.items_per_second > 0.0 && status.begun.is_some());
    let waits: Vec<_> = shown.members.iter().map(|line| line.waits.as_ref().map_or("", |waits| &waits.what)).collect();
    assert_eq!(
        waits,
        ["its switch, 2036-12-05 19:00", "at the source: the login was refused", "a run: whimbrel sync, or serve"]
    );
    let status = project.status(&crate::Selection::default()).await.unwrap();
    let dee = status.mailboxes.iter().find(|mailbox| mailbox.source == "dee").unwrap();
    assert_eq!(dee.waits.as_ref().unwrap().text, "waits for a collection: it is in none");
    let line = &project.glance(&crate::Selection::default(), true).await.unwrap().collections[0];
    assert!(line.line().starts_with("wave: 33.33 %, 1,000 items, "), "{}", line.line());
    assert!(line.line().contains("1 parked"), "{}", line.line());
    // All in step: planned and actual.
    for name in ["ben", "cyd"] {
        work(&project, name, in_step(), Some((10, 10_000))).await;
    }
    let shown = project.collection("wave").await.unwrap().collection;
    assert_eq!(
        (shown.done_hundredths, shown.outlook, shown.expected_text.as_str()),
        (10_000, Some(Outlook::OnTime), "in step")
    );
    assert!(shown.planned_and_actual[0].contains("as planned"), "{shown:?}");
    assert!(shown.planned_and_actual[1].contains("early"), "{shown:?}");
    project.close().await;
}

/// As many as a large organisation has: looked at in one go, not each against all others.
#[tokio::test]
async fn ten_thousand_members_are_listed_and_shown() {
    use std::fmt::Write;
    let mut people = "source,target,collection\n".to_owned();
    for number in 0..10_000 {
        let _ = writeln!(people, "p{number},p{number},wave-{}", number % 7);
    }
    let world = World::of(&people);
    let project = world.open().await;
    let list = project.collections().await.unwrap();
    assert_eq!((list.collections.len(), list.all.mailboxes), (7, 10_000));
    let wave = project.collection("wave-0").await.unwrap();
    assert_eq!(wave.members.len() as u64, list.collections[0].mailboxes);
    assert!(
        project
            .store
            .collection_members(project.key)
            .await
            .unwrap()
            .iter()
            .all(|row| matches!(row.object, Object::Mailbox(_)))
    );
    project.close().await;
}

#[tokio::test]
async fn who_may_only_look_changes_no_collection() {
    let world = World::of("source,target,collection\nann,ann,wave\n");
    world.open().await.close().await;
    let path = world.0.path().join(crate::PROJECT_FILE);
    let me = world.open().await.actor.name.clone();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}[roles]\nreader = [{me:?}]\n")).unwrap();
    let project = world.open().await;
    assert_eq!(project.collections().await.unwrap().collections.len(), 1);
    refused(project.create_collection("other", &plan("", "")).await, "R-347", "may look");
    refused(project.change_collection("wave", &plan("now", "")).await, "R-347", "may look");
    refused(project.add_to_collection("wave", &these(&["ann"]), false, None).await, "R-347", "may look");
    refused(project.add_vips(&["ann".to_owned()], None, "why").await, "R-347", "may look");
    project.close().await;
}

/// What preflight predicted of a mailbox.
async fn predict(project: &Project, name: &str, bytes: u64, seconds: (u64, u64)) {
    let rows = project.store.mailboxes(project.key).await.unwrap();
    let number = rows.iter().find(|row| row.roster.source_name == name).unwrap().mailbox;
    let usage = serde_json::json!({ "bytes": bytes, "items": 0 });
    let detail = serde_json::json!({
        "numbers": { "to_copy": usage }, "time": { "p50_seconds": seconds.0, "p90_seconds": seconds.1 },
    });
    let row = store::ForecastRow {
        at: 0,
        policy: "plain".to_owned(),
        is_read: false,
        is_begun: false,
        detail: detail.to_string(),
        items: Vec::new(),
    };
    project.store.add_forecast(project.key, number, &row).await.unwrap();
}

#[tokio::test]
async fn the_end_is_predicted_by_preflight_first_and_by_what_was_done_then() {
    let world = World::of("source,target\nann,ann\nben,ben\ncyd,cyd\n");
    let project = world.open().await;
    let now = project.store.now().await.unwrap();
    let date = crate::when::shown(now + 3 * 3_600_000, &project.config.time_zone());
    project.create_collection("wave", &plan("now", &format!("at={date}"))).await.unwrap();
    project.add_to_collection("wave", &these(&["ann", "ben", "cyd"]), false, None).await.unwrap();
    for name in ["ann", "ben", "cyd"] {
        predict(&project, name, 1_000_000_000, (3_600, 36_000)).await;
    }
    // Three at a time of four: an hour if it goes well, ten if not.
    let status = project.collection("wave").await.unwrap().collection;
    let super::Expected::Between { earliest_ms, latest_ms, basis } = status.expected else { panic!("{status:?}") };
    assert_eq!(((latest_ms - earliest_ms) / 3_600_000, basis), (9, super::Basis::Prediction));
    assert_eq!(status.outlook, Some(Outlook::AtRisk));
    assert!(status.outlook_text.unwrap().starts_with("at risk, up to 7 h late"));
    // Ten times slower than that: it will miss its date, and says so hours before.
    for name in ["ann", "ben", "cyd"] {
        predict(&project, name, 1_000_000_000, (36_000, 360_000)).await;
    }
    let shown = project.collection("wave").await.unwrap();
    assert_eq!(shown.collection.outlook, Some(Outlook::WillMiss));
    assert!(shown.document().text().contains("will miss its date by"), "{}", shown.document().text());
    // An own date, far enough, is kept all the same.
    project.date_members("wave", &these(&["cyd"]), "2036-12-05 19:00").await.unwrap();
    let shown = project.collection("wave").await.unwrap();
    let cyd = shown.members.iter().find(|line| line.member == "cyd").unwrap();
    assert_eq!(cyd.outlook, Some(Outlook::OnTime), "{cyd:?}");
    let ann = shown.members.iter().find(|line| line.member == "ann").unwrap();
    assert!(matches!(ann.outlook, Some(Outlook::AtRisk | Outlook::WillMiss)), "{ann:?}");
    project.close().await;
}
