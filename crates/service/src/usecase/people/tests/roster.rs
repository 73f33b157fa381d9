//! Whose mailbox is copied to where.

use super::*;
use crate::project::{Project, Selection};
use model::Phase;

/// Reads the directories, and opens the project by what was read.
async fn opened(world: &World) -> Project {
    std::fs::write(world.folder.path().join(crate::PROJECT_FILE), &world.text).unwrap();
    let people = world.open().await;
    people.sync(false, true, false).await.unwrap();
    people.close().await;
    project(world).await
}

async fn project(world: &World) -> Project {
    Box::pin(Project::open(world.folder.path(), &|_: &str| None)).await.unwrap()
}

fn roster(project: &Project) -> Vec<(&str, &str)> {
    project.people.rows.iter().map(|row| (row.source.as_str(), row.target.as_str())).collect()
}

fn withheld(project: &Project) -> Vec<(&str, &str)> {
    project.withheld.iter().map(|withheld| (withheld.source.as_str(), withheld.why.as_str())).collect()
}

/// The account of a person, known by their number.
fn theirs(key: &str, given: &str) -> Entry {
    let mut account = account(&format!("p{key}"), given, "Lee");
    account.local_id = Some(key.into());
    account
}

#[tokio::test]
async fn a_name_that_another_entry_holds_leads_to_nobodys_mailbox() {
    let (mut ann, mut alan) = (person("1", "Ann", "Lee"), person("2", "Alan", "Lee"));
    ann.mail = Some("a.lee@trust.example".into());
    alan.mail = Some("A.Lee@trust.example".into());
    let world = World::of(
        vec![ann, alan, person("3", "Cyd", "Lee")],
        vec![theirs("1", "Ann"), theirs("2", "Alan"), theirs("3", "Cyd")],
    );
    let project = opened(&world).await;
    assert_eq!(roster(&project), [("person3@trust.example", "cyd.lee@national.example")]);
    let told = withheld(&project);
    assert!(
        told[0].1.contains("ad:2 is called a.lee@trust.example") && told[1].1.contains("ad:1 is called"),
        "{told:?}"
    );
}

#[tokio::test]
async fn who_is_disabled_or_has_no_mailbox_waits_and_a_shared_mailbox_does_not() {
    let (mut disabled, mut without) = (person("1", "Ann", "Lee"), person("2", "Bob", "Lee"));
    disabled.state = AccountState::Disabled;
    without.has_mailbox = false;
    let mut shared = person("3", "Ward", "Seven");
    (shared.kind, shared.state) = (EntryKind::Shared, AccountState::Disabled);
    let mut ward = theirs("3", "Ward");
    (ward.kind, ward.addresses) = (EntryKind::Shared, vec![Address::smtp("person3@trust.example")]);
    ward.names = shared.names.clone();
    shared.owners = vec![Reference::Key("1".into())];
    let world = World::of(vec![disabled, without, shared], vec![theirs("1", "Ann"), theirs("2", "Bob"), ward]);
    let project = opened(&world).await;
    assert_eq!(roster(&project), [("person3@trust.example", "ward.lee@national.example")]);
    let told = withheld(&project);
    assert!(told[0].1.contains("disabled") && told[1].1.contains("no mailbox"), "{told:?}");
}

/// Nothing in a directory changes when an account expires: it is seen wherever it counts, without being read again (R-040, R-043).
#[tokio::test]
async fn who_has_expired_since_they_were_read_is_seen() {
    let mut ann = person("1", "Ann", "Lee");
    let mut world =
        World::of(vec![ann.clone(), person("2", "Bob", "Lee")], vec![theirs("1", "Ann"), theirs("2", "Bob")]);
    let people = world.open().await;
    ann.expires_at = Some(people.store.now().await.unwrap() / 1000 + 2);
    world.ad.put(ann);
    let project = opened(&world).await;
    assert_eq!(roster(&project).len(), 2);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let lines = people.list(&ListChoice::default()).await.unwrap().objects;
    let states: Vec<_> = lines.iter().map(|line| (line.id.as_str(), line.state, line.class)).collect();
    assert_eq!(states, [("ad:1", "expired", "existing"), ("ad:2", "active", "existing")]);
    people.close().await;
    let project = self::project(&world).await;
    assert_eq!(roster(&project), [("person2@trust.example", "bob.lee@national.example")]);
    assert!(withheld(&project)[0].1.contains("disabled"));
    // A filter by state leaves them out, too.
    world.text.push_str("[[people.exclude]]\nname = \"over\"\nstates = [\"expired\"]\n");
    let people = world.open().await;
    let lines = people.list(&ListChoice::default()).await.unwrap().objects;
    assert_eq!(lines[0].class, "excluded");
    // What was kept before there was such a moment is read, and what has none is kept as before.
    let old: Entry = serde_json::from_str(r#"{"key":"1","kind":"person","state":"expired"}"#).unwrap();
    assert_eq!((old.state, old.expires_at), (AccountState::Expired, None));
    assert!(!serde_json::to_string(&old).unwrap().contains("expires_at"));
}

#[tokio::test]
async fn a_target_that_the_file_gives_to_another_is_given_to_nobody_r_058() {
    let world = World::of(vec![person("1", "Ann", "Lee")], vec![theirs("1", "Ann")]);
    let file = "source,target\nbob@trust.example,Ann.Lee@national.example\ncyd@trust.example,c@national.example\n";
    std::fs::write(world.folder.path().join("people.csv"), file).unwrap();
    let project = opened(&world).await;
    assert_eq!(roster(&project), [("cyd@trust.example", "c@national.example")]);
    let told = withheld(&project);
    assert_eq!(told.iter().map(|(who, _)| *who).collect::<Vec<_>>(), ["bob@trust.example", "person1@trust.example"]);
    assert!(told[0].1.contains("would be the target of"), "{told:?}");
}

#[tokio::test]
async fn with_several_sources_of_mail_each_directory_says_which_is_its_own() {
    let mut world = World::of(vec![person("1", "Ann", "Lee")], vec![theirs("1", "Ann")]);
    world.text = world.text.replace("mail = \"local\"", "mail = [\"local\", \"annex\"]");
    world.text =
        world.text.replace("[source]", "[endpoints.annex]\nkind = \"maildir\"\npath = \"annex/{source}\"\n[source]");
    let project = opened(&world).await;
    assert!(roster(&project).is_empty() && withheld(&project)[0].1.contains("people.mail"), "{:?}", project.withheld);
    project.close().await;
    world.text.push_str("mail = { ad = \"annex\" }\n");
    let project = opened(&world).await;
    assert_eq!(project.people.rows[0].source_endpoint.as_deref(), Some("annex"));
}

/// Ann's and Bob's mailboxes, whose copy has begun.
async fn begun(world: &World) {
    at(world, Phase::Copying).await;
}

/// Two mailboxes that are at this phase.
async fn at(world: &World, phase: Phase) {
    let project = Box::pin(opened(world)).await;
    assert_eq!(project.people.rows.len(), 2);
    let terms = store::LeaseTerms { lasts_ms: 60_000, margin_ms: 0 };
    for mailbox in project.store.mailboxes(project.key).await.unwrap() {
        project.store.mark_due(project.key, &[mailbox.mailbox]).await.unwrap();
        let claim = store::Claim {
            among: Some(&[mailbox.mailbox]),
            holder: "test",
            terms,
            room: &[],
            shut: &[],
            only_turning: false,
            version: None,
        };
        let lease = project.store.claim(project.key, &claim).await.unwrap().mailbox().unwrap().0;
        let state = store::MailboxState { phase, ..mailbox.state };
        project.store.release(&lease, &state, store::Again::default()).await.unwrap();
    }
    project.close().await;
}

#[tokio::test]
async fn one_address_that_changes_on_the_platform_holds_back_one_mailbox() {
    let world = World::of(
        vec![person("1", "Ann", "Lee"), person("2", "Bob", "Lee")],
        vec![theirs("1", "Ann"), theirs("2", "Bob")],
    );
    begun(&world).await;
    let mut married = theirs("1", "Ann");
    married.mail = Some("ann.ray@national.example".into());
    world.platform.put(married);
    let project = opened(&world).await;
    assert_eq!(roster(&project), [("person2@trust.example", "bob.lee@national.example")]);
    let told = withheld(&project);
    assert!(told[0].1.contains("being copied to ann.lee@national.example"), "{told:?}");
    let mailboxes = project.store.mailboxes(project.key).await.unwrap();
    assert!(mailboxes.iter().all(|mailbox| mailbox.listed));
    assert_eq!(mailboxes[0].roster.target_name, "ann.lee@national.example");
    // It may be looked at, and is not worked on.
    let selection = Selection { mailboxes: vec!["person1@trust.example".into()], collection: None };
    let selected = project.select(&selection).await.unwrap();
    assert!(selected.iter().all(|row| project.withheld(row).is_some()) && selected.len() == 1);
}

#[tokio::test]
async fn a_mailbox_whose_copy_has_begun_stays_on_the_roster_with_the_reason_why_it_waits() {
    let world = World::of(
        vec![person("1", "Ann", "Lee"), person("2", "Bob", "Lee")],
        vec![theirs("1", "Ann"), theirs("2", "Bob")],
    );
    begun(&world).await;
    let people = world.open().await;
    people.decide("1", Decision::Exclude, Some("Ivy"), "leaves").await.unwrap();
    people.close().await;
    world.ad.remove("2");
    let project = opened(&world).await;
    assert!(roster(&project).is_empty());
    let told = withheld(&project);
    assert!(told[0].1.contains("excluded now") && told[1].1.contains("gone from its directory"), "{told:?}");
    assert!(project.store.mailboxes(project.key).await.unwrap().iter().all(|mailbox| mailbox.listed));
}

/// Who is being switched, or was, is gone on with and can be taken back, whatever is said of them since (R-180, R-182, R-184).
#[tokio::test]
async fn whoever_is_turned_over_is_worked_on_whatever_is_said_of_them_since() {
    for phase in [Phase::Switching, Phase::Switched] {
        let world = World::of(
            vec![person("1", "Ann", "Lee"), person("2", "Bob", "Lee"), person("3", "Cat", "Lee")],
            vec![theirs("1", "Ann"), theirs("2", "Bob")],
        );
        at(&world, phase).await;
        let people = world.open().await;
        people.decide("1", Decision::Exclude, Some("Ivy"), "leaves").await.unwrap();
        people.close().await;
        world.ad.remove("2");
        let project = opened(&world).await;
        let both = [
            ("person1@trust.example", "ann.lee@national.example"),
            ("person2@trust.example", "bob.lee@national.example"),
        ];
        assert_eq!(roster(&project), both, "{phase:?}");
        let mailboxes = project.store.mailboxes(project.key).await.unwrap();
        assert_eq!(mailboxes.len(), 2);
        for row in &mailboxes {
            assert!(row.listed && project.rows.contains_key(&row.mailbox), "{row:?}");
            assert!(project.withheld(row).is_none(), "{:?}", withheld(&project));
        }
        project.close().await;
        // An account that is called otherwise is another one, perhaps: they are followed to where they went.
        let mut married = theirs("1", "Ann");
        married.mail = Some("ann.ray@national.example".into());
        world.platform.put(married);
        let project = opened(&world).await;
        assert_eq!(roster(&project), both, "{phase:?}");
    }
}

const ARCHIVE: &str = "[archive]\nmail = \"cold\"\n[endpoints.cold]\nkind = \"eml\"\npath = \"cold/{target}\"\n\
    [[people.archive]]\nname = \"idle\"\nidle_days = 365\n";

/// What goes to the target, and what to the archive.
fn split(project: &Project) -> (Vec<&str>, Vec<(&str, &str)>) {
    let rows = || project.people.rows.iter();
    let target = rows().filter(|row| !row.archive).map(|row| row.source.as_str()).collect();
    (target, rows().filter(|row| row.archive).map(|row| (row.source.as_str(), row.target.as_str())).collect())
}

#[tokio::test]
async fn what_is_left_to_the_archive_is_never_on_the_targets_roster_r_043() {
    let (mut idle, mut disabled) = (person("1", "Ann", "Lee"), person("2", "Bob", "Lee"));
    (idle.last_logon, disabled.state) = (Some(1_500_000_000), AccountState::Disabled);
    let people = vec![idle, disabled, person("3", "Cyd", "Lee")];
    let mut world = World::of(people, vec![theirs("1", "Ann"), theirs("2", "Bob"), theirs("3", "Cyd")]);
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    assert!(people.decide("2", Decision::Archive, None, "left").await.unwrap_err().what.contains("[archive]"));
    people.close().await;
    world.text.push_str(ARCHIVE);
    // Ann has a certain account, and the file gives her and Bob a target: neither counts.
    let file =
        "source,target\nPerson1@trust.example,ann.lee@national.example\nperson2@trust.example,b@national.example\n";
    std::fs::write(world.folder.path().join("people.csv"), file).unwrap();
    let project = opened(&world).await;
    assert_eq!(split(&project).0, ["person2@trust.example", "person3@trust.example"]);
    let told = withheld(&project);
    let is_told = |(who, why): &(&str, &str)| *who == "Person1@trust.example" && why.contains("left to the archive");
    assert!(told.iter().any(is_told), "{told:?}");
    let rows = project.store.mailboxes(project.key).await.unwrap();
    assert!(rows.iter().all(|row| !project.is_archived(row) || project.withheld(row).is_some()), "until they agree");
    project.close().await;
    let people = world.open().await;
    let decided = people.decide("2", Decision::Archive, Some("Ivy"), "left in May").await.unwrap();
    assert_eq!(decided.now, "archive-only");
    let listed =
        people.list(&ListChoice { class: Some("archive-only".into()), ..ListChoice::default() }).await.unwrap();
    let why: Vec<&str> = listed.objects.iter().map(|line| line.why.as_str()).collect();
    assert_eq!(why, ["by the filter idle", "by a person: left in May"]);
    assert_eq!(
        people.plan(true, &PlanOf::default()).await.unwrap().lines.len(),
        1,
        "Cyd's account gains her address, and no other"
    );
    assert!(people.decide("1", Decision::Include, None, "x").await.unwrap_err().advice.unwrap().contains("idle"));
    people.close().await;
    std::fs::remove_file(world.folder.path().join("people.csv")).unwrap();
    let project = opened(&world).await;
    let names = ["person1@trust.example", "person2@trust.example"].map(|name| (name, name));
    assert_eq!(split(&project), (vec!["person3@trust.example"], names.to_vec()));
    let mailboxes = project.store.mailboxes(project.key).await.unwrap();
    let archived = mailboxes.iter().filter(|row| row.listed && project.is_archived(row)).count();
    assert_eq!((archived, withheld(&project).len()), (2, 0));
    project.close().await;
    // Taken back, he moves.
    let people = world.open().await;
    people.decide("2", Decision::Include, Some("Ivy"), "he is back").await.unwrap();
    people.close().await;
    let mut back = person("2", "Bob", "Lee");
    back.last_logon = None;
    world.ad.put(back);
    assert_eq!(split(&opened(&world).await).0, ["person2@trust.example", "person3@trust.example"]);
}

#[tokio::test]
async fn what_has_begun_to_go_to_one_place_goes_to_no_other() {
    let mut world = World::of(
        vec![person("1", "Ann", "Lee"), person("2", "Bob", "Lee")],
        vec![theirs("1", "Ann"), theirs("2", "Bob")],
    );
    world.text.push_str(ARCHIVE);
    let people = world.open().await;
    people.sync(false, true, false).await.unwrap();
    people.decide("2", Decision::Archive, Some("Ivy"), "left").await.unwrap();
    people.close().await;
    begun(&world).await;
    // Ann's copy to the target and Bob's to the archive have begun: both are to change places.
    let people = world.open().await;
    let error = people.decide("1", Decision::Archive, Some("Ivy"), "left").await.unwrap_err();
    assert_eq!(error.rule, Some("R-043"), "{error}");
    people.decide("2", Decision::Include, Some("Ivy"), "back").await.unwrap();
    people.close().await;
    let mut idle = person("1", "Ann", "Lee");
    idle.last_logon = Some(1_500_000_000);
    world.ad.put(idle);
    let project = opened(&world).await;
    assert!(roster(&project).is_empty(), "{:?}", roster(&project));
    let told = withheld(&project);
    assert!(told[0].1.contains("copy to ann.lee@national.example has begun"), "{told:?}");
    assert!(told[1].1.contains("copy to the archive has begun"), "{told:?}");
    let mailboxes = project.store.mailboxes(project.key).await.unwrap();
    let places: Vec<bool> = mailboxes.iter().map(|row| project.is_archived(row)).collect();
    assert_eq!((places, mailboxes.iter().all(|row| row.listed)), (vec![false, true], true), "as they were");
    project.close().await;
    // Left out, he is to go nowhere: that is what is told.
    let people = world.open().await;
    people.decide("2", Decision::Exclude, Some("Ivy"), "gone").await.unwrap();
    people.close().await;
    let project = self::project(&world).await;
    let told = withheld(&project);
    assert!(told.iter().any(|(_, why)| why.contains("excluded now")), "{told:?}");
    assert!(!told.iter().any(|(_, why)| why.contains("is to move now")), "{told:?}");
}

#[tokio::test]
async fn a_mailbox_that_has_begun_is_known_by_every_name_it_had_r_043() {
    let mut cyd = person("3", "Cyd", "Lee");
    cyd.addresses.push(Address::smtp("c.lee@trust.example"));
    let mut world = World::of(
        vec![person("1", "Ann", "Lee"), person("2", "Bob", "Lee")],
        vec![theirs("1", "Ann"), theirs("2", "Bob"), theirs("3", "Cyd")],
    );
    world.text.push_str(ARCHIVE);
    let people = world.open().await;
    people.sync(false, true, false).await.unwrap();
    people.decide("2", Decision::Archive, Some("Ivy"), "left").await.unwrap();
    people.close().await;
    begun(&world).await;
    // Ann marries and grows idle; Bob's address is written otherwise; the file knows Cyd, who is archived, by another address.
    let (mut ann, mut bob) = (person("1", "Ann", "Ray"), person("2", "Bob", "Lee"));
    (ann.mail, ann.last_logon) = (Some("ann.ray@trust.example".into()), Some(1_500_000_000));
    ann.addresses.push(Address::smtp("person1@trust.example"));
    bob.mail = Some("PERSON2@trust.example".into());
    cyd.last_logon = Some(1_500_000_000);
    for entry in [ann, bob, cyd] {
        world.ad.put(entry);
    }
    std::fs::write(
        world.folder.path().join("people.csv"),
        "source,target\nc.lee@trust.example,cyd.lee@national.example\n",
    )
    .unwrap();
    let project = opened(&world).await;
    assert_eq!(split(&project), (vec![], vec![("person2@trust.example", "person2@trust.example")]));
    let told = withheld(&project);
    assert_eq!(
        told.iter().map(|(who, _)| *who).collect::<Vec<_>>(),
        ["person1@trust.example", "c.lee@trust.example", "person3@trust.example"]
    );
    assert!(told[0].1.contains("copy to ann.lee@national.example has begun"), "{told:?}");
    let mailboxes = project.store.mailboxes(project.key).await.unwrap();
    assert_eq!((mailboxes.len(), mailboxes.iter().all(|row| row.listed)), (2, true), "no mailbox begins anew");
}

#[tokio::test]
async fn a_folder_of_the_archive_is_one_mailboxs() {
    let mut world = World::of(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Lee")], vec![]);
    world.text = world.text.replace("mail = \"local\"", "mail = [\"local\", \"annex\"]");
    world.text =
        world.text.replace("[source]", "[endpoints.annex]\nkind = \"maildir\"\npath = \"annex/{source}\"\n[source]");
    world.text.push_str("mail = { ad = \"annex\" }\n");
    world.text.push_str(&ARCHIVE.replace("idle_days = 365", "states = [\"active\"]"));
    begun(&world).await;
    // The directory's mail is elsewhere now: the same names are other mailboxes.
    world.text = world.text.replace("ad = \"annex\"", "ad = \"local\"");
    let project = opened(&world).await;
    assert!(roster(&project).is_empty(), "{:?}", roster(&project));
    assert!(
        withheld(&project)[0].1.contains("has the mail of person1@trust.example of annex"),
        "{:?}",
        project.withheld
    );
}

/// A run holds what it knew of people when it began: somebody may have taken a decision since.
#[tokio::test]
async fn who_is_left_to_the_archive_during_a_run_is_not_copied_by_it() {
    let mut world = World::of(vec![person("1", "Ann", "Lee")], vec![theirs("1", "Ann")]);
    world.text.push_str(ARCHIVE);
    let mail = world.folder.path().join("from/person1@trust.example");
    for part in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(mail.join(part)).unwrap();
    }
    std::fs::write(mail.join("cur/1.1.h:2,S"), "Subject: x\r\n\r\nhello\r\n").unwrap();
    let running = opened(&world).await;
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let engine = running.engine(&|_: &str| None, Arc::default(), stopped, false).unwrap();
    let people = world.open().await;
    people.decide("1", Decision::Archive, Some("Ivy"), "left").await.unwrap();
    people.close().await;
    let later = project(&world).await;
    let end = engine.run(&[1]).await;
    let refused = end.outcomes[0].failure.as_ref().unwrap();
    assert!(refused.to_string().contains("another place"), "{refused}");
    assert_eq!((end.outcomes[0].state.phase, end.failure), (Phase::Planned, None));
    assert!(["to", "cold"].iter().all(|place| !world.folder.path().join(place).exists()), "nothing is written");
    // The next run knows.
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let engine = later.engine(&|_: &str| None, Arc::default(), stopped, false).unwrap();
    let end = engine.run(&[1]).await;
    assert_eq!((end.outcomes[0].report.copied, &end.outcomes[0].failure), (1, &None));
    assert!(!world.folder.path().join("to").exists());
}

#[test]
fn an_archive_is_files_of_its_own() {
    let parse = |text: String| Config::parse(&text, Path::new("/x"));
    let with = |from: &str, to: &str| parse(format!("{PROJECT}{ARCHIVE}").replacen(from, to, 1));
    assert!(with("", "").is_ok());
    for (from, to, expected) in [
        ("kind = \"eml\"", "kind = \"mbox\"", "only read"),
        ("mail = \"cold\"", "mail = \"national\"", "the endpoint \"national\""),
        ("mail = \"cold\"", "mail = \"local\"", "the endpoint \"local\""),
        ("mail = \"cold\"", "mail = \"col\"", "no [endpoints.col]"),
        ("path = \"cold/{target}\"", "path = \"to/{source}\"", "the same place"),
        ("path = \"cold/{target}\"", "path = \"cold/../to/{source}\"", "goes upwards"),
        ("[archive]\nmail = \"cold\"\n", "", "needs [archive]"),
    ] {
        let error = with(from, to).unwrap_err();
        assert!(error.what.contains(expected), "{to}: {error}");
    }
    let imap = with("kind = \"eml\"\npath = \"cold/{target}\"", "kind = \"imap\"\nhost = \"h\"").unwrap_err();
    assert!(imap.what.contains("an archive is files"), "{imap}");
}

#[tokio::test]
async fn who_may_only_look_changes_no_roster() {
    let mut world = World::of(vec![person("1", "Ann", "Lee")], vec![theirs("1", "Ann")]);
    opened(&world).await.close().await;
    world.ad.put(person("2", "Bob", "Lee"));
    world.platform.put(theirs("2", "Bob"));
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    let me = people.actor.name.clone();
    people.close().await;
    for part in ["[roles]\nengineer = [\"somebody\"]\nreader = [\"", &me, "\"]\n"] {
        world.text.push_str(part);
    }
    std::fs::write(world.folder.path().join(crate::PROJECT_FILE), &world.text).unwrap();
    let project = project(&world).await;
    assert_eq!(project.store.mailboxes(project.key).await.unwrap().len(), 1);
}

#[tokio::test]
async fn nobody_is_copied_before_they_stand_in_both_address_books_r_041() {
    let mut world = World::of(vec![person("1", "Ann", "Lee")], vec![theirs("1", "Ann")]);
    let gal = "[directories.gal]\nkind = \"csv\"\npath = \"gal.csv\"\n[people]\naddress_book = \"gal\"";
    world.text = world.text.replace("[people]", gal).replace("[\"ad\"]", "[\"ad\", \"gal\"]");
    world.text.push_str("[require]\naddress_book = true\n");
    let project = opened(&world).await;
    assert!(roster(&project).is_empty() && withheld(&project)[0].1.contains("address book"), "{:?}", project.withheld);
    project.close().await;
    world.text = world.text.replace("address_book = \"gal\"", "address_book = \"ad\"");
    assert_eq!(roster(&opened(&world).await), [("person1@trust.example", "ann.lee@national.example")]);
}

#[tokio::test]
async fn a_quota_is_the_accounts_own_or_one_that_the_project_names_r_075() {
    let (mut ann, mut account) = (person("1", "Ann", "Lee"), theirs("1", "Ann"));
    (ann.quota_bytes, account.quota_bytes) = (Some(10 << 30), Some(4 << 30));
    let mut world = World::of(vec![ann], vec![account]);
    world.text = world
        .text
        .replace("kind = \"csv\"\npath = \"a.csv\"", "kind = \"active-directory\"\nhost = \"dc\"\nbases = [\"DC=x\"]");
    let project = opened(&world).await;
    assert_eq!(project.people.rows[0].quota_bytes, Some(4 << 30), "what the local server allows was not bought");
    project.close().await;
    world.text = world.text.replace("bases =", "attributes = { quota = [\"extensionAttribute9\"] }\nbases =");
    assert_eq!(opened(&world).await.people.rows[0].quota_bytes, Some(10 << 30));
}
