//! New accounts go live with a forwarder to the source (R-073, R-077), which real routers put on: lookup tables as a Postfix reads them.

use connector::{Change, ChangeOutcome, PlannedChange};

use super::limits::Live;
use super::*;
use crate::{Project, Selection};

const ROUTING: &str = r#"
[routers.local]
kind = "postfix"
endpoint = "local"
sender = "trusted-relay"
table = { kind = "file", path = "local.map", map_type = "texthash", reload = ["true"] }
maps = [{ syntax = "virtual", path = "local.aliases" }]
[routers.national]
kind = "postfix"
endpoint = "national"
sender = "trusted-relay"
table = { kind = "file", path = "national.map", map_type = "texthash", reload = ["true"] }
[routing]
source = { domains = ["trust.example"], trusts_other = true }
target = { domains = ["national.example"], trusts_other = true }
"#;
const ANN: [&str; 2] = ["person1@trust.example", "ann.lee@national.example"];

fn nothing(_: &str) -> Option<String> {
    None
}

/// New people, on two sites that can forward.
fn world(people: Vec<Entry>) -> World {
    let mut world = World::of(people, Vec::new());
    world.text.push_str(ROUTING);
    for name in ["local.map", "local.aliases", "national.map"] {
        std::fs::write(world.folder.path().join(name), "").unwrap();
    }
    world
}

impl World {
    /// Does the target send this one's mail to the source?
    fn forwards(&self, from: &str, to: &str) -> bool {
        let map = std::fs::read_to_string(self.folder.path().join("national.map")).unwrap_or_default();
        map.lines().any(|line| line.starts_with(&format!("{from} {to} (whimbrel:")))
    }

    /// Their accounts are made.
    async fn made(&self) -> PeopleProject {
        let people = self.open().await;
        people.sync(false, false, false).await.unwrap();
        approve(&people).await;
        people.apply(None).await.unwrap();
        people
    }

    async fn project(&self) -> Project {
        std::fs::write(self.folder.path().join(crate::PROJECT_FILE), &self.text).unwrap();
        Box::pin(Project::open(self.folder.path(), &nothing)).await.unwrap()
    }

    async fn missing(&self) -> Vec<(String, String)> {
        let project = self.project().await;
        let report = project.forwarders(&Selection::default()).await.unwrap();
        project.close().await;
        report.missing.into_iter().map(|one| (one.id, one.why)).collect()
    }
}

/// A platform that looks, whenever it makes an account live, whether its mail goes to the source already.
struct Watching(std::path::PathBuf);

#[async_trait::async_trait]
impl Meddles for Watching {
    async fn apply(
        &self,
        platform: &DirectoryInMemory,
        changes: &[PlannedChange],
        door: &dyn connector::Door,
    ) -> Result<Vec<ChangeOutcome>, connector::Error> {
        for change in changes {
            if let Change::Update { before, after } = &change.change
                && before.state == AccountState::Pending
                && after.state == AccountState::Active
            {
                let mail = after.mail.as_deref().unwrap();
                let map = std::fs::read_to_string(&self.0).unwrap();
                assert!(map.contains(mail), "{mail} goes live, and its mail would stay there");
            }
        }
        platform.apply(changes, door).await
    }
}

#[tokio::test]
async fn an_account_is_accepted_once_its_forwarder_is_on_and_read_back() {
    let world = world(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Ray")]);
    let mut people = world.made().await;
    let watching = Watching(world.folder.path().join("national.map"));
    people.platform = Some(Meddled::opened(&world.platform, watching));
    let report = people.accept_forwarding(&["1".into()], &nothing).await.unwrap();
    assert_eq!(
        (report.forwarded.as_slice(), report.live.as_slice()),
        (&["ad:1".into()][..], &["ad:1".into()][..]),
        "{report:?}"
    );
    assert!(report.refused.is_empty() && report.without.is_empty(), "{report:?}");
    assert!(world.forwards(ANN[1], ANN[0]));
    let row = &people.made().await.unwrap()[&ObjectId::new("ad", "1")];
    assert!(row.live_at.is_some() && row.exemption.is_none(), "{row:?}");
    let forwarders = people.store.forwarders(people.key).await.unwrap();
    assert!(forwarders.len() == 1 && forwarders[0].is_on() && forwarders[0].is.leads_to == ANN[0], "{forwarders:?}");
    let rest = people.accept_forwarding(&[], &nothing).await.unwrap();
    assert_eq!((rest.live.as_slice(), rest.were_live), (&["ad:2".into()][..], 1), "{rest:?}");
    people.close().await;
    assert_eq!(world.missing().await, []);
}

#[tokio::test]
async fn without_a_way_to_forward_nobody_goes_live_without_a_reason() {
    for (cut, named) in
        [("[routing]", "no [routing]"), ("[routers.national]", "[routers] has none for the target's endpoint")]
    {
        let mut world = world(vec![person("1", "Ann", "Lee")]);
        let from = world.text.find(cut).unwrap();
        let to = world.text[from + 1..].find("\n[").map_or(world.text.len(), |at| from + 1 + at);
        world.text.replace_range(from..to, "");
        let people = world.made().await;
        let error = people.accept_forwarding(&[], &nothing).await.unwrap_err();
        assert_eq!((error.rule, error.exit), (Some("R-073"), Exit::Refused));
        assert!(error.what.contains(named) && error.advice.unwrap().contains("--exemption"), "{}", error.what);
        assert_eq!(world.platform.all()[0].state, AccountState::Pending);
    }
}

#[tokio::test]
async fn whose_forwarder_can_not_be_put_on_stays_pending_and_is_accepted_later() {
    let world = world(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Ray")]);
    let people = world.made().await;
    // What the source sends on already would come twice, or go round.
    let aliases = world.folder.path().join("local.aliases");
    std::fs::write(&aliases, format!("{} ann@home.example\n", ANN[0])).unwrap();
    let report = people.accept_forwarding(&[], &nothing).await.unwrap();
    assert_eq!(report.live, ["ad:2"], "{report:?}");
    assert!(report.refused[0].0 == "ad:1" && report.refused[0].1.contains("its mail is sent on by"), "{report:?}");
    let pending: Vec<AccountState> = world
        .platform
        .all()
        .iter()
        .filter(|entry| entry.mail.as_deref() == Some(ANN[1]))
        .map(|entry| entry.state)
        .collect();
    assert_eq!(pending, [AccountState::Pending]);
    std::fs::write(&aliases, "").unwrap();
    let report = people.accept_forwarding(&[], &nothing).await.unwrap();
    assert_eq!((report.live.as_slice(), report.refused.len()), (&["ad:1".into()][..], 0), "{report:?}");
    assert!(world.forwards(ANN[1], ANN[0]));
}

/// A platform whose mail server knows an account only once it is live.
struct Late(std::path::PathBuf);

#[async_trait::async_trait]
impl Meddles for Late {
    async fn apply(
        &self,
        platform: &DirectoryInMemory,
        changes: &[PlannedChange],
        door: &dyn connector::Door,
    ) -> Result<Vec<ChangeOutcome>, connector::Error> {
        let outcomes = platform.apply(changes, door).await?;
        let active = platform.all().into_iter().filter(|entry| entry.state == AccountState::Active);
        let known: Vec<String> = active.filter_map(|entry| entry.mail).map(|mail| format!("{mail}\tx\n")).collect();
        std::fs::write(&self.0, known.concat()).unwrap();
        Ok(outcomes)
    }
}

#[tokio::test]
async fn where_the_target_knows_no_account_that_waits_its_forwarder_comes_right_after() {
    let mut world = world(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Ray")]);
    let known = world.folder.path().join("known");
    std::fs::write(&known, "").unwrap();
    // It stands for postmap: what is asked about is found where the platform has said so.
    let postmap = format!("grep -F -f - {} || true", known.display());
    world.text = world.text.replace(
        "path = \"national.map\", map_type = \"texthash\", reload = [\"true\"] }\n",
        &format!(
            "path = \"national.map\", map_type = \"texthash\", reload = [\"true\"] }}\nrecipient_maps = [\"hash:/known\"]\n\
             programs = {{ postmap = [\"sh\", \"-c\", '{postmap}'] }}\n"
        ),
    );
    let mut people = world.made().await;
    people.platform = Some(Meddled::opened(&world.platform, Late(known.clone())));
    let report = people.accept_forwarding(&["1".into()], &nothing).await.unwrap();
    assert_eq!((report.live.len(), report.forwarded.len()), (1, 1), "{report:?}");
    assert!(world.forwards(ANN[1], ANN[0]) && report.without.is_empty(), "{report:?}");
    // Where nothing can be put on after it either, that is told, and nobody else goes live.
    std::fs::remove_file(world.folder.path().join("national.map")).unwrap();
    let report = people.accept_forwarding(&[], &nothing).await.unwrap();
    assert!(report.live.is_empty() && report.refused[0].0 == "ad:2", "{report:?}");
}

#[tokio::test]
async fn an_account_that_is_live_at_once_is_missing_its_forwarder_until_somebody_goes_on() {
    let world = world(vec![person("1", "Ann", "Lee")]);
    let mut people = world.open().await;
    people.platform = Some(Meddled::opened(&world.platform, Live));
    people.sync(false, false, false).await.unwrap();
    approve(&people).await;
    // Here it is killed: what is left is an account that is live.
    people.apply(None).await.unwrap();
    assert_eq!(world.platform.all()[0].state, AccountState::Active);
    let activation = people.activation(None).await.unwrap();
    assert!(activation.waiting[0].next.unwrap().contains("without a forwarder"), "{activation:?}");
    people.close().await;
    assert_eq!(world.missing().await, [("ad:1".to_owned(), "none was asked for yet".to_owned())]);
    let project = world.project().await;
    let report = project.check_routing(true, false, &nothing).await.unwrap();
    let faults: Vec<_> =
        report.faults.iter().map(|fault| (fault.address.as_str(), fault.fault, fault.requirement)).collect();
    assert_eq!(faults, [(ANN[1], "not-followed", "R-083")], "a black hole is found");
    // It is asked for, and whatever comes next puts it on.
    assert_eq!(project.ask_missing_forwarders().await.unwrap(), []);
    project.close().await;
    assert_eq!(world.missing().await[0].1, "it is to come, and not on yet");
    let people = world.open().await;
    let report = people.forward_new(&nothing).await.unwrap();
    assert_eq!((report.missing.as_slice(), world.forwards(ANN[1], ANN[0])), (&[][..], true));
    people.close().await;
    assert_eq!(world.missing().await, []);
}

/// A forwarder does not wait for its mailbox's copy to begin, and does not make it begin: whoever moves in the third month has an account
/// that is live today (R-073, R-176).
#[tokio::test]
async fn a_forwarder_comes_before_its_persons_copy_begins_and_begins_none() {
    let world = world(vec![person("1", "Ann", "Lee")]);
    let mut people = world.open().await;
    people.platform = Some(Meddled::opened(&world.platform, Live));
    people.sync(false, false, false).await.unwrap();
    approve(&people).await;
    people.apply(None).await.unwrap();
    people.close().await;
    let project = world.project().await;
    let rest = project.store.at_rest(project.key).await.unwrap();
    assert_eq!(rest.len(), 1);
    // As the service does, again and again.
    for _ in 0..2 {
        project.tend_forwarders(&nothing).await.unwrap();
        assert!(world.forwards(ANN[1], ANN[0]));
        assert_eq!(project.store.at_rest(project.key).await.unwrap(), rest, "nobody is to work on it now");
    }
    assert_eq!(project.missing_forwarders().await.unwrap(), []);
    project.close().await;
}

#[tokio::test]
async fn stopped_at_any_moment_nobody_is_live_and_forgotten() {
    let mut moments = 0;
    loop {
        let world = world(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Ray")]);
        {
            let mut people = world.open().await;
            people.platform = Some(Meddled::opened(&world.platform, Live));
            people.sync(false, false, false).await.unwrap();
            approve(&people).await;
            people.close().await;
        }
        let stop = StopAt::new(moments);
        {
            let mut people = world.open().await;
            people.store = people.store.watched(stop.clone());
            people.platform = Some(Meddled::opened(&world.platform, Live));
            if people.apply(None).await.is_ok() {
                let _ = people.forward_new(&nothing).await;
            }
            people.close().await;
        }
        let mut people = world.open().await;
        people.platform = Some(Meddled::opened(&world.platform, Live));
        people.settle = Duration::ZERO;
        people.store.void_people_holds(|_| true).await.unwrap();
        people.store.void_leases(|_| true).await.unwrap();
        if people.open_plan().await.unwrap().is_some() {
            people.apply(None).await.unwrap();
        }
        people.sync(false, false, false).await.unwrap();
        let report = people.forward_new(&nothing).await.unwrap();
        assert_eq!(report.missing, [], "moment {moments}");
        let all = world.platform.all();
        assert_eq!(all.len(), 2, "moment {moments}");
        assert!(
            world.forwards(ANN[1], ANN[0]) && world.forwards("bob.ray@national.example", "person2@trust.example"),
            "{moments}"
        );
        people.close().await;
        if !stop.was_reached() {
            break;
        }
        moments += 3;
    }
    assert!(moments > 12, "{moments} moments");
}

#[tokio::test]
async fn a_reason_for_a_live_account_is_recorded_afterwards_too() {
    let world = world(vec![person("1", "Ann", "Lee")]);
    let mut people = world.open().await;
    people.platform = Some(Meddled::opened(&world.platform, Live));
    people.sync(false, false, false).await.unwrap();
    approve(&people).await;
    people.apply(None).await.unwrap();
    let report = people.accept(&[], "she reads both").await.unwrap();
    assert_eq!(report.live, ["ad:1"], "{report:?}");
    assert!(people.made().await.unwrap()[&ObjectId::new("ad", "1")].exemption.is_some());
    people.close().await;
    assert_eq!(world.missing().await, []);
}

/// The profile may leave a direction to information governance, or forbid it (R-086, ruling A-20).
#[tokio::test]
async fn a_direction_that_is_to_be_decided_or_forbidden_holds_forwarders_back() {
    let world = world(vec![person("1", "Ann", "Lee")]);
    world.made().await.close().await;
    let mut project = world.project().await;
    let add = async |project: &Project| {
        project.add_forwarders(&Selection::default(), &crate::GuardianWord::default(), &nothing).await
    };
    let says = |project: &mut Project, of_profile: profile::Forwarding| {
        let routing = project.config.file.routing.as_mut().unwrap();
        routing.target_to_source = of_profile != profile::Forwarding::Forbidden;
        routing.target_to_source_of_profile = Some(of_profile);
    };
    says(&mut project, profile::Forwarding::Forbidden);
    let error = add(&project).await.unwrap_err();
    assert_eq!((error.rule, error.exit), (Some("R-086"), Exit::Refused), "{error}");
    assert!(error.what.contains("the profile"), "{error}");
    says(&mut project, profile::Forwarding::Decided);
    let error = add(&project).await.unwrap_err();
    assert_eq!((error.rule, error.exit), (Some("R-086"), Exit::Refused), "{error}");
    assert!(error.advice.as_deref().unwrap().contains("signoff record forwarding-decided"), "{error:?}");
    project.sign_rule("forwarding-decided", &Selection::default(), "Ivy", "minutes of 3 May").await.unwrap();
    assert_eq!(add(&project).await.unwrap().ours.len(), 1);
}

/// A forwarder on an account that was there before needs a word that was said, and of its file the digest is kept (R-078, R-079).
#[tokio::test]
async fn the_guardians_word_is_no_promise_and_its_file_is_known_by_its_digest() {
    let mut theirs = account("p1", "Ann", "Lee");
    theirs.local_id = Some("1".into());
    let mut world = world(vec![person("1", "Ann", "Lee")]);
    world.platform.put(theirs);
    world.text.push_str("[switch]\nforwarded_weeks = 5\n");
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    people.close().await;
    let project = world.project().await;
    let ann = Selection { mailboxes: vec![ANN[0].to_owned()], collection: None };
    let form = project.forwarder_form(&ann).await.unwrap();
    assert_eq!((form.weeks, form.days, form.accounts.len(), form.accounts[0].has_date), (5, 0, 1, false), "{form:?}");
    assert!(form.statement[0].contains("until that mailbox has been migrated"), "{form:?}");
    assert!(form.statement[1].contains("5 weeks: until") && form.statement[1].contains(&form.until), "{form:?}");
    let at = project.store.now().await.unwrap();
    let tomorrow = project.day(at).tomorrow().unwrap().to_string();
    let signed = |on: &str, evidence: &str| crate::GuardianWord {
        guardian: Some("Dr Roe".into()),
        on: Some(on.to_owned()),
        evidence: Some(evidence.to_owned()),
    };
    let error = project.add_forwarders(&ann, &signed(&tomorrow, "a letter"), &nothing).await.unwrap_err();
    assert_eq!((error.rule, error.exit), (Some("R-078"), Exit::Refused), "{error}");
    std::fs::write(world.folder.path().join("word.txt"), "I agree.").unwrap();
    let report = project.add_forwarders(&ann, &signed("2024-02-29", "word.txt"), &nothing).await.unwrap();
    let digest = model::Digest::of(b"I agree.").to_string();
    let allowed = report.ours[0].allowed.clone().unwrap();
    assert!(allowed.contains("Dr Roe, 2024-02-29: word.txt") && allowed.contains(&digest), "{allowed}");
    let report = project.add_forwarders(&ann, &signed("2024-02-29", "a letter of that day"), &nothing).await.unwrap();
    assert!(
        report.ours[0].allowed.as_deref().unwrap().ends_with("a letter of that day (in words, no file)"),
        "{report:?}"
    );
}

/// Sensitive data goes to no insecure domain by forwarding, and mail in no forbidden direction (R-086, R-328).
#[tokio::test]
async fn an_insecure_domain_is_found_and_a_forbidden_direction_is_found_and_blocks_the_switch() {
    let world = world(vec![person("1", "Ann", "Lee")]);
    let people = world.made().await;
    people.accept_forwarding(&[], &nothing).await.unwrap();
    people.close().await;
    std::fs::write(world.folder.path().join("local.aliases"), format!("{} ann@home.example\n", ANN[0])).unwrap();
    let mut project = world.project().await;
    let faults = async |project: &Project| -> Vec<(String, &'static str, &'static str)> {
        let faults = project.check_routing(false, false, &nothing).await.unwrap().faults;
        faults.into_iter().map(|fault| (fault.address, fault.fault, fault.requirement)).collect()
    };
    let insecure = (ANN[0].to_owned(), "insecure-domain", "R-328");
    let forbidden = (ANN[1].to_owned(), "forbidden-direction", "R-086");
    let found = faults(&project).await;
    assert!(found.contains(&insecure) && !found.contains(&forbidden), "{found:?}");
    let routing = project.config.file.routing.as_mut().unwrap();
    routing.secure_domains.push("home.example".to_owned());
    (routing.source_to_target, routing.target_to_source) = (false, false);
    let found = faults(&project).await;
    assert!(!found.contains(&insecure) && found.contains(&forbidden), "{found:?}");
    let ann = Selection { mailboxes: vec![ANN[0].to_owned()], collection: None };
    let said = crate::Said { by: None, reason: None };
    let error = project.schedule_switch(&ann, "2099-01-01 10:00", &said).await.unwrap_err();
    assert_eq!((error.rule, error.exit), (Some("R-086"), Exit::Refused), "{error}");
}
