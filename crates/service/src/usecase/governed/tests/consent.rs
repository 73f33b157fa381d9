//! What goes on asks again and again: copying at each turn, making accounts at each portion; and people of the file count as their side's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use conformance::world::{World as Sites, message};
use connector::memory::{Dial, MemoryItem, Request, Response, Wire};
use model::{Actor, Cause, FolderPath, Phase, Role};
use movement::{Consent, Failure};
use store::{MailboxRow, ProjectKey, Store};

use super::whole::Script;
use super::world::World;
use super::*;
use crate::config::Config;

/// who is of the pilot is copied in the pilot, others are not; a no that is said meanwhile counts from the next turn on, and
/// a yes lets it go on.
#[tokio::test]
async fn each_turn_asks_whether_the_mailbox_may_be_copied() {
    let mut sites = Sites::new();
    let mut world = World::staffed(Programme::shipped("nhsmail", "current").unwrap().unwrap(), "managed");
    let names = ["ann@hill.test", "bob@hill.test"];
    for name in names {
        sites.person(name);
        sites.source.deliver(name, &FolderPath::inbox(), MemoryItem::message(message(1, "one"), 1_700_000_000));
    }
    let (mut engine, mailboxes) = sites.engine().await;
    let folder = tempfile::tempdir().unwrap();
    new_project(folder.path(), "RX1", "Example Trust", "nhsmail", None).unwrap();
    engine.consent = Some(Arc::new(Gates::of(&Config::read(folder.path()).unwrap())));
    let (store, key) = (engine.store.clone(), engine.key);
    let cause = async |at: usize| {
        let end = engine.run(&mailboxes[at..=at]).await;
        let outcome = end.outcomes.into_iter().next().expect("it was taken");
        outcome.failure.map(|failure| (failure.error.cause, failure.to_string()))
    };
    let is_copied = |name: &str| sites.target.dump(name).values().any(|items| !items.is_empty());
    // The file says that the project is governed, and there is no record of it.
    assert!(matches!(cause(0).await, Some((Cause::Gated, what)) if what.contains("no record")));
    // A record that has come to the pilot.
    world.people[0] = names[0].to_owned();
    world.reaches("implementation");
    world.does("project-manager", Action::NamePilot { people: vec![names[0].to_owned()] });
    world.reaches("pilot");
    let actor = actor(&Config::read(folder.path()).unwrap()).unwrap();
    let mut end = 0;
    let mut record = async |world: &World| {
        let new = &world.entries[end..];
        let rows: Vec<String> = new.iter().map(|entry| entry.change.to_stored().unwrap()).collect();
        let after = (i64::try_from(end).unwrap(), world.at.as_millisecond());
        assert!(store.append_programme(key, &actor, after, &rows, &[]).await.unwrap());
        end = world.entries.len();
    };
    record(&world).await;
    assert_eq!(cause(0).await, None);
    assert!(is_copied(names[0]));
    let (found, what) = cause(1).await.expect("it is not of the pilot");
    assert!(found == Cause::Gated && what.contains("stage") && !is_copied(names[1]), "{what}");
    let row = store.mailbox(key, mailboxes[1]).await.unwrap().unwrap();
    assert_eq!(row.state.phase, Phase::Planned, "nothing of it has begun");
    // A no, and nothing more is copied; a yes, and it goes on.
    world.signs("provider-manager", "prerequisites-signed-off", programme::Verdict::No);
    record(&world).await;
    sites.source.deliver(names[0], &FolderPath::inbox(), MemoryItem::message(message(2, "two"), 1_700_000_001));
    let (found, what) = cause(0).await.expect("somebody said no");
    assert!(found == Cause::Gated && what.contains("answered with a no"), "{what}");
    world.signs("provider-manager", "prerequisites-signed-off", programme::Verdict::Yes);
    record(&world).await;
    assert_eq!(cause(0).await, None);
    let copied: usize = sites.target.dump(names[0]).values().map(BTreeMap::len).sum();
    assert_eq!(copied, 2);
}

/// Says a no once it was asked for the first time: while the pass that was let goes on.
struct SaysNo {
    gates: Gates,
    no: String,
    end: i64,
    asked: AtomicUsize,
    sites: Sites,
    name: &'static str,
}

#[async_trait::async_trait]
impl Consent for SaysNo {
    async fn against(&self, store: &Store, key: ProjectKey, row: &MailboxRow) -> Result<Option<Failure>, Failure> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        if asked == 1 {
            // What comes now waits for a yes.
            let late = MemoryItem::message(message(2, "two"), 1_700_000_001);
            self.sites.source.deliver(self.name, &FolderPath::inbox(), late);
        }
        let against = Consent::against(&self.gates, store, key, row).await?;
        if asked == 0 {
            let actor = Actor {
                name: "judge".into(),
                role: Role::Engineer,
                organisation: "RX1".into(),
                known_by: "os-user".into(),
            };
            let no = std::slice::from_ref(&self.no);
            assert!(store.append_programme(key, &actor, (self.end, 1_800_000_000_000), no, &[]).await.unwrap());
        }
        Ok(against)
    }
}

/// a turn may last for hours, and a no counts within it: before its next pass.
#[tokio::test]
async fn a_no_counts_before_the_next_pass_of_the_same_turn() {
    const NAME: &str = "ann@hill.test";
    let mut sites = Sites::new();
    let mut world = World::staffed(Programme::shipped("nhsmail", "current").unwrap().unwrap(), "managed");
    sites.person(NAME);
    sites.source.deliver(NAME, &FolderPath::inbox(), MemoryItem::message(message(1, "one"), 1_700_000_000));
    let (mut engine, mailboxes) = sites.engine().await;
    let folder = tempfile::tempdir().unwrap();
    new_project(folder.path(), "RX1", "Example Trust", "nhsmail", None).unwrap();
    let config = Config::read(folder.path()).unwrap();
    world.people[0] = NAME.to_owned();
    world.reaches("implementation");
    world.does("project-manager", Action::NamePilot { people: vec![NAME.to_owned()] });
    world.reaches("pilot");
    let rows: Vec<String> = world.entries.iter().map(|entry| entry.change.to_stored().unwrap()).collect();
    let end = i64::try_from(rows.len()).unwrap();
    let (store, key) = (engine.store.clone(), engine.key);
    let after = (0, world.at.as_millisecond());
    assert!(store.append_programme(key, &actor(&config).unwrap(), after, &rows, &[]).await.unwrap());
    world.signs("provider-manager", "prerequisites-signed-off", programme::Verdict::No);
    let no = world.entries.last().unwrap().change.to_stored().unwrap();
    let asked = AtomicUsize::new(0);
    let consent = Arc::new(SaysNo { gates: Gates::of(&config), no, end, asked, sites, name: NAME });
    engine.consent = Some(consent.clone());
    let outcome = engine.run(&mailboxes).await.outcomes.into_iter().next().expect("it was taken");
    let failure = outcome.failure.expect("somebody said no");
    assert!(failure.error.cause == Cause::Gated && failure.to_string().contains("answered with a no"), "{failure}");
    assert_eq!(consent.asked.load(Ordering::SeqCst), 2, "before each pass");
    let copied = |sites: &Sites| sites.target.dump(NAME).values().map(BTreeMap::len).sum::<usize>();
    assert_eq!(copied(&consent.sites), 1, "what the first pass copied stays, and nothing comes after it");
    let row = store.mailbox(key, mailboxes[0]).await.unwrap().unwrap();
    assert_eq!((row.state.phase, row.state.cause.map(|(cause, _)| cause)), (Phase::Copying, Some(Cause::Gated)));
}

/// A source that never gives what is in this folder.
struct Stuck {
    source: connector::memory::Platform,
    folder: FolderPath,
}

struct StuckWire {
    wire: Box<dyn Wire>,
    folder: FolderPath,
}

#[async_trait::async_trait]
impl Dial for Stuck {
    async fn dial(&self) -> Result<Box<dyn Wire>, connector::Error> {
        Ok(Box::new(StuckWire { wire: self.source.dial().await?, folder: self.folder.clone() }))
    }
}

#[async_trait::async_trait]
impl Wire for StuckWire {
    async fn send(&mut self, request: Request) -> Result<(), connector::Error> {
        if matches!(&request, Request::Items(folder, ..) if *folder == self.folder) {
            std::future::pending::<()>().await;
        }
        self.wire.send(request).await
    }

    async fn receive(&mut self) -> Result<Response, connector::Error> {
        self.wire.receive().await
    }
}

/// a first pass may last for hours as well, and a no ends it where it is safe.
#[tokio::test]
async fn a_no_counts_within_a_pass_that_would_not_end() {
    const NAME: &str = "ann@hill.test";
    let mut sites = Sites::new();
    sites.person(NAME);
    let slow = FolderPath::new(["slow"]);
    for (number, folder) in [(1, &FolderPath::inbox()), (2, &slow)] {
        sites.source.deliver(NAME, folder, MemoryItem::message(message(number, "one"), 1_700_000_000));
    }
    sites.source_dial = Arc::new(Stuck { source: sites.source.clone(), folder: slow });
    sites.tuning.consent_every = std::time::Duration::from_millis(1);
    let (mut engine, mailboxes) = sites.engine().await;
    let (saw, source) = (Arc::new(AtomicUsize::new(0)), sites.target.clone());
    engine.consent = Some(Arc::new(OnceThere { target: source, asked: saw.clone() }));
    let outcome = engine.run(&mailboxes).await.outcomes.into_iter().next().expect("it was taken");
    let failure = outcome.failure.expect("somebody said no");
    assert!(failure.error.cause == Cause::Gated && saw.load(Ordering::SeqCst) > 1, "{failure}");
    assert_eq!(sites.target.dump(NAME).values().map(BTreeMap::len).sum::<usize>(), 1);
    let row = engine.store.mailbox(engine.key, mailboxes[0]).await.unwrap().unwrap();
    assert_eq!((row.state.phase, row.state.cause.map(|(cause, _)| cause)), (Phase::Copying, Some(Cause::Gated)));
}

/// Says no once something is on the target.
struct OnceThere {
    target: connector::memory::Platform,
    asked: Arc<AtomicUsize>,
}

#[async_trait::async_trait]
impl Consent for OnceThere {
    async fn against(&self, _: &Store, _: ProjectKey, row: &MailboxRow) -> Result<Option<Failure>, Failure> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let is_there = self.target.dump(&row.roster.target_name).values().any(|items| !items.is_empty());
        let no = || connector::Error::new(Cause::Gated, model::Scope::Mailbox, "somebody said no");
        Ok(is_there.then(|| Failure { side: None, error: no() }))
    }
}

/// no account is made, and nothing on the platform is changed, before the stage that makes accounts.
#[tokio::test]
async fn a_plan_of_people_waits_for_the_stage_that_makes_accounts() {
    let mut script = Box::pin(Script::of("managed", 30, 4)).await;
    script.estate.sync(&script.governed).await;
    let error = Box::pin(script.estate.provision(&script.governed, Vec::new())).await.unwrap_err();
    assert_eq!((error.exit, error.rule), (Exit::Refused, Some("R-250")), "{error}");
    let gates = Gates::of(&script.governed.config);
    let update = async |script: &Script| {
        Box::pin(gates.against_update(&script.governed.store, script.governed.key)).await.unwrap()
    };
    assert!(update(&script).await.is_some(), "what is there is not changed either");
    while script.governed.record.stage().is_none_or(|entry| entry.stage != "implementation") {
        script.closes_all().await;
        script.passes().await;
    }
    assert_eq!(update(&script).await.map(|error| error.what), None);
    assert_eq!(Box::pin(script.estate.carries_on(&script.governed)).await, 4);
    while script.governed.record.stage().is_none_or(|entry| entry.stage != "close") {
        script.closes_all().await;
        script.passes().await;
    }
    assert_eq!(update(&script).await.map(|error| error.what), None, "whoever leaves, leaves after it, too");
    // A no stops that as it stops everything; and in a project that is closed nothing is changed any more.
    for (verdict, is_let) in [(programme::Verdict::No, false), (programme::Verdict::Yes, true)] {
        script.world.signs("provider-manager", "prerequisites-signed-off", verdict);
        script.plays().await;
        let against = update(&script).await;
        assert_eq!(against.is_none(), is_let, "{against:?}");
        assert!(against.is_none_or(|error| error.rule == Some("R-125") && error.what.contains("change accounts")));
    }
    while script.governed.record.standing == programme::Standing::Open {
        script.closes_all().await;
        script.passes().await;
    }
    assert_eq!(update(&script).await.map(|error| error.what), None, "it ended, and is not closed yet");
    script.governed.by("project-manager").act(Action::Close { note: "done".into() }).await.unwrap();
    assert_eq!(
        update(&script).await.map(|error| error.what),
        None,
        "identities are kept in step after the close (R-245)"
    );
}

/// how old the evidence is that a criterion rests on stands beside it.
#[tokio::test]
async fn each_fact_tells_when_it_was_read() {
    let mut script = Box::pin(Script::of("managed", 30, 4)).await;
    while script.governed.record.stage().is_none_or(|entry| entry.stage != "readiness") {
        script.closes_all().await;
        script.passes().await;
    }
    script.closes_all().await;
    let ages = async |script: &Script| -> BTreeMap<String, Option<i64>> {
        let gates = script.governed.gates(Some("begin-implementation")).await.unwrap().gates;
        gates[0].items.iter().map(|item| (item.criterion.clone(), item.read_days)).collect()
    };
    let days = async |script: &mut Script, days: i64| {
        script.world.later(days);
        script.plays().await;
    };
    let at_first = ages(&script).await;
    assert_eq!((at_first["matching-verified"], at_first["change-approved"]), (Some(0), None), "{at_first:?}");
    days(&mut script, 6).await;
    let later = ages(&script).await;
    assert_eq!(later["matching-verified"], Some(6), "{later:?}");
    // What was decided is as old as the decision; what stands in the record alone has no age of its own.
    assert!(later["licences-purchased"].is_some_and(|days| days >= 6) && later["key-roles-filled"].is_none());
    script.estate.reads_again(&script.governed).await;
    assert_eq!(ages(&script).await["matching-verified"], Some(0));
}

/// what nobody ever read has no age, and says so.
#[tokio::test]
async fn what_was_never_read_says_so() {
    let mut script = Box::pin(Script::of("managed", 30, 4)).await;
    let facts = async |script: &Script| script.governed.facts().await.unwrap().facts;
    let before = facts(&script).await;
    for name in ["formats", "addresses-matched", "quota-checked", "forwarders-f1-f2-gone", "mx-changed"] {
        assert_eq!((before[name].as_of, before[name].is_met), (None, false), "{name}");
    }
    // What stands in the project's own file or record is read as it is asked.
    assert!(before["reports-set-up"].as_of.is_some() && before["issues-resolved-or-handed-over"].as_of.is_some());
    script.governed.by("project-manager");
    let gates = script.governed.gates(Some("begin-implementation")).await.unwrap().gates;
    let item = gates[0].items.iter().find(|item| item.criterion == "matching-verified").unwrap();
    assert!(item.is_never_read && item.read_days.is_none() && item.by.contains("(never read)"), "{item:?}");
    script.estate.sync(&script.governed).await;
    let after = facts(&script).await;
    assert!(after["formats"].as_of.is_some() && after["addresses-matched"].as_of.is_some());
    assert_eq!(after["quota-checked"].as_of, None, "nobody has looked into a mailbox yet");
}

/// a side whose people stand in the project's file alone has people all the same, and nobody else names others for it.
#[tokio::test]
async fn people_of_the_file_count_as_their_sides() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = begin(folder.path(), "RX1", None).await;
    let (ours, theirs) = (governed.role_of(Side::Organisation), governed.role_of(Side::Provider));
    governed.give("kim", &ours).await;
    governed.by("kim");
    let path = folder.path().join(crate::PROJECT_FILE);
    let text = std::fs::read_to_string(&path).unwrap();
    let people = format!(
        "{text}\n[roles]\nengineer = [\"kim\", \"sam\"]\n[roles.people.sam]\nside = \"provider\"\nroles = [\"{theirs}\"]\n"
    );
    std::fs::write(&path, people).unwrap();
    governed.config = Config::read(folder.path()).unwrap();
    let give = || Action::GiveRole { person: "lee".into(), title: "Lee".into(), role: theirs.clone(), contact: None };
    let error = governed.act(give()).await.unwrap_err();
    assert_eq!((error.exit, error.rule), (Exit::Refused, Some("R-274")), "{error}");
    governed.by("sam").act(give()).await.unwrap();
}

/// before the pilot succeeded accounts are made for its people, whoever they are, and for nobody else.
#[tokio::test]
async fn accounts_before_the_pilot_succeeded_are_those_of_its_people() {
    let mut script = Box::pin(Script::of("self", 90, 70)).await;
    script.estate.sync(&script.governed).await;
    while script.governed.record.stage().is_none_or(|entry| entry.stage != "readiness-assessment") {
        script.closes_all().await;
        script.passes().await;
    }
    script.governed.by("project-manager");
    let is_new = |who: &String, script: &Script| !script.governed.record.is_pilot(who);
    let others: Vec<String> = (20..90).map(estate::address).filter(|who| is_new(who, &script)).collect();
    // Fewer than the pilot has, but of others.
    let asked = 2;
    assert!(script.governed.record.pilot_people().count() > asked);
    let error = Box::pin(script.estate.provision(&script.governed, others[..asked].to_vec())).await.unwrap_err();
    assert_eq!((error.exit, error.rule), (Exit::Refused, Some("R-062")), "{error}");
    assert!(error.what.contains("not of the pilot") && error.what.contains(&others[0]), "{error}");
    assert_eq!(script.governed.store.accounts_made(script.governed.key).await.unwrap().len(), 0);
    // One who was made an account for leaves the pilot: who comes in their place gets one all the same.
    script.governed.act(Action::NamePilot { people: others[..asked].to_vec() }).await.unwrap();
    assert_eq!(Box::pin(script.estate.carries_on(&script.governed)).await, asked);
    let (person, why) = (others[0].clone(), "away".to_owned());
    script.governed.act(Action::LeavePilot { person, why }).await.unwrap();
    script.governed.act(Action::NamePilot { people: vec![others[asked].clone()] }).await.unwrap();
    assert_eq!(Box::pin(script.estate.provision(&script.governed, vec![others[asked].clone()])).await.unwrap(), 1);
    // In turns it does not go on for ever: those who left with an account count in the pilot's share.
    let (_, most) = script.governed.pilot().pilot.right.unwrap();
    assert_eq!(most, 90);
    let all: Vec<String> = (0..90).map(estate::address).collect();
    let is_other = |who: &&String| **who != others[0] && !script.governed.record.is_pilot(who);
    let people = all.iter().filter(is_other).cloned().collect();
    script.governed.act(Action::NamePilot { people }).await.unwrap();
    let next = vec![others[asked + 1].clone()];
    assert_eq!(Box::pin(script.estate.provision(&script.governed, next)).await.unwrap(), 1, "89 and one who left");
    script.estate.makes(&mut script.governed, "new-accounts-provisioned", false).await;
    let late = vec![estate::address(90_000)];
    script.governed.act(Action::NamePilot { people: late.clone() }).await.unwrap();
    let error = Box::pin(script.estate.provision(&script.governed, late)).await.unwrap_err();
    assert!(error.rule == Some("R-146") && error.what.contains("who left it"), "{error}");
}
