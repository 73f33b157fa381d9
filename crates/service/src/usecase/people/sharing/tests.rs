use super::*;
use crate::usecase::people::Opened;
use crate::usecase::people::tests::PROJECT;
use connector::DirectoryInMemory;
use model::{Entry, EntryKind, Grant, Reference, Right};
use store::Store;

fn person(key: &str, kind: EntryKind) -> Entry {
    let mut entry = Entry::new(key, kind);
    (entry.names.given, entry.names.surname) = (Some(format!("Given{key}")), Some(format!("Sur{key}")));
    entry.names.display = Some(format!("Name {key}"));
    entry.mail = Some(format!("{key}@trust.example"));
    entry.local_id = Some(key.into());
    entry.sid = Some(format!("S-1-5-21-1-{key}"));
    entry.has_mailbox = true;
    entry
}

fn account(key: &str, kind: EntryKind) -> Entry {
    let mut entry = person(key, kind);
    entry.key = format!("p-{key}");
    entry.mail = Some(format!("{key}@national.example"));
    entry.addresses = vec![model::Address::smtp(format!("{key}@trust.example"))];
    entry.place = Some(format!("CN={key},DC=platform"));
    entry.organisation = Some("RX1".into());
    entry.sid = None;
    entry
}

struct World {
    folder: tempfile::TempDir,
    ad: DirectoryInMemory,
    platform: DirectoryInMemory,
}

fn no_environment(_: &str) -> Option<String> {
    None
}

impl World {
    /// A ward mailbox with an owner (1), two who may use it (1, 2), and somebody with no account yet (3).
    fn new() -> Self {
        let mut ward = person("ward", EntryKind::Shared);
        ward.owners = vec![Reference::Key("1".into())];
        let grant = |key: &str, right: Right| Grant::of(Reference::Sid(format!("S-1-5-21-1-{key}")), right);
        ward.grants = vec![
            grant("1", Right::FullAccess),
            grant("2", Right::SendAs),
            grant("2", Right::SendOnBehalf),
            grant("3", Right::FullAccess),
        ];
        let people = ["1", "2", "3"].map(|key| person(key, EntryKind::Person));
        let accounts =
            [account("ward", EntryKind::Shared), account("1", EntryKind::Person), account("2", EntryKind::Person)];
        let ad = DirectoryInMemory::with(people.into_iter().chain([ward]));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(crate::PROJECT_FILE), PROJECT).unwrap();
        Self { folder, ad, platform: DirectoryInMemory::with(accounts) }
    }

    async fn open(&self) -> SharingProject {
        let project = Box::pin(Project::open(self.folder.path(), &no_environment)).await.unwrap();
        let config = project.config.clone();
        let entry = config.file.people.clone().unwrap();
        let store = Store::open(&format!("sqlite:{}/w.db", self.folder.path().display())).await.unwrap();
        let sources = vec![("ad".to_owned(), Opened::Written(Arc::new(self.ad.clone())))];
        let platform = Some(("platform".to_owned(), Opened::Written(Arc::new(self.platform.clone()))));
        let people = Box::pin(PeopleProject::with(config, entry, store, sources, platform)).await.unwrap();
        Box::pin(people.sync(false, false, false)).await.unwrap();
        SharingProject::with(project, people)
    }

    fn grants(&self) -> Vec<(String, Right)> {
        let ward = self.platform.all().into_iter().find(|entry| entry.key == "p-ward").unwrap();
        ward.grants.into_iter().map(|grant| (grant.to.text().to_owned(), grant.right)).collect()
    }
}

fn never() -> tokio::sync::watch::Receiver<bool> {
    tokio::sync::watch::channel(false).1
}

/// Signs the list as it is.
async fn sign(sharing: &SharingProject, owner: Option<&str>, by: &str, evidence: &str) {
    let digest = sharing.list(owner).await.unwrap().digest;
    sharing.sign(owner, &digest[..12], by, evidence, false).await.unwrap();
}

#[tokio::test]
async fn rights_of_a_directory_are_signed_given_read_back_and_the_same() {
    let world = World::new();
    // What is there stays.
    let mut there = account("ward", EntryKind::Shared);
    there.grants = vec![
        Grant::of(Reference::Place("CN=2,DC=platform".into()), Right::SendAs),
        Grant::of(Reference::Name("an administrator".into()), Right::FullAccess),
    ];
    world.platform.put(there);
    let mut sharing = world.open().await;
    let error = sharing.inject(false, &no_environment, never()).await.unwrap_err();
    assert_eq!((error.exit, error.rule), (crate::Exit::Refused, Some("R-204")));
    assert_eq!(world.grants().len(), 2);
    let stale = sharing.sign(None, "0123456789", "Ivy Guardian", "letter of 3 May", false).await.unwrap_err();
    assert_eq!(stale.rule, Some("R-204"), "what is signed is what was printed");
    sign(&sharing, None, "Ivy Guardian", "letter of 3 May").await;

    let dry = sharing.inject(true, &no_environment, never()).await.unwrap();
    assert_eq!((dry.added, world.grants().len()), (2, 2), "{dry:?}");
    let given = sharing.inject(false, &no_environment, never()).await.unwrap();
    assert_eq!(
        (given.added, given.outcomes["given"], given.outcomes["was-there"], given.outcomes["waits"]),
        (2, 2, 1, 1)
    );
    assert_eq!(given.exit(), crate::Exit::WithFailures, "somebody still waits");
    let all = world.grants();
    assert_eq!(all.len(), 4);
    assert!(all.contains(&("p-1".into(), Right::FullAccess)) && all.contains(&("p-2".into(), Right::SendOnBehalf)));

    let compared = sharing.compare(&no_environment, never()).await.unwrap();
    assert_eq!((compared.missing.len(), compared.cells), (0, 3), "{compared:?}");
    assert_eq!(compared.more.len(), 1, "the administrator's, by name: {compared:?}");
    assert_eq!(sharing.inject(false, &no_environment, never()).await.unwrap().added, 0);
    assert_eq!(world.grants().len(), 4);

    // The third arrives.
    world.platform.put(account("3", EntryKind::Person));
    Box::pin(sharing.people.sync(false, false, false)).await.unwrap();
    let given = sharing.inject(false, &no_environment, never()).await.unwrap();
    assert_eq!((given.added, given.exit()), (1, crate::Exit::Done), "{given:?}");
    assert!(world.grants().contains(&("p-3".into(), Right::FullAccess)));
}

#[tokio::test]
async fn an_owner_sees_their_own_and_cleans_it_up_and_every_word_is_in_the_audit_log() {
    let world = World::new();
    let mut sharing = world.open().await;
    let own = sharing.list(Some("1@trust.example")).await.unwrap();
    assert_eq!((own.rights.len(), own.members.len(), own.unsigned), (4, 1, 4), "{own:?}");
    assert!(sharing.list(Some("2@trust.example")).await.unwrap().rights.is_empty());
    assert!(sharing.list(Some("nobody")).await.is_err());
    let id = |right: &str| own.rights.iter().find(|line| line.right == right).unwrap().id.clone();
    let (send_as, on_behalf) = (id("send-as"), id("send-on-behalf"));
    let decide = async |id: &str, decision: SharingDecision, evidence: &str| {
        sharing.decide(&[id.to_owned()], &decision, Some("Owner One"), evidence, false).await
    };
    assert!(decide(&send_as, SharingDecision::Remove, " ").await.is_err(), "it needs its evidence");
    assert!(decide("ffffffff", SharingDecision::Remove, "x").await.is_err());
    assert!(decide(&send_as, SharingDecision::Right("lrs".into()), "x").await.is_err(), "of which folder?");
    decide(&send_as[..8], SharingDecision::Remove, "form").await.unwrap();
    decide(&on_behalf, SharingDecision::Right("full-access".into()), "form").await.unwrap();
    sign(&sharing, Some("1@trust.example"), "Owner One", "form").await;
    sharing.inject(false, &no_environment, never()).await.unwrap();
    let mut grants = world.grants();
    grants.sort();
    assert_eq!(grants, [("p-1".to_owned(), Right::FullAccess), ("p-2".to_owned(), Right::FullAccess)]);
    let (log, fault) = sharing.project.store.audit_log(sharing.project.key).await.unwrap();
    assert!(fault.is_none());
    let actions: Vec<&str> =
        log.iter().map(|row| row.action.as_str()).filter(|action| action.starts_with("sharing.")).collect();
    let expected = ["sharing.decided", "sharing.decided", "sharing.signed", "sharing.giving", "sharing.injected"];
    assert_eq!(actions, expected);
}

#[tokio::test]
async fn a_file_takes_the_place_of_the_one_before_and_what_no_program_takes_is_told() {
    let world = World::new();
    let mut sharing = world.open().await;
    let path = world.folder.path().join("rights.csv");
    let read = async |sharing: &SharingProject, text: &str| {
        std::fs::write(&path, format!("mailbox,grantee,right,folder\n{text}")).unwrap();
        sharing.discover(Some(&path), false, &no_environment, never()).await
    };
    read(&sharing, "ward@trust.example,1,lrs,Letters/2024\n2,nobody@x,send-as,\n").await.unwrap();
    assert!(read(&sharing, "ward@trust.example,1,owner,\n").await.unwrap_err().what.contains("line 2"));
    let report = read(&sharing, "ward@trust.example,1,lrs,Letters/2024\n").await.unwrap();
    assert_eq!((report.found["file"], report.found["ad"]), (1, 4));
    let of_file = |lines: Vec<SharingLine>| -> Vec<SharingLine> {
        lines.into_iter().filter(|line| line.origin == "file").collect()
    };
    let lines = of_file(sharing.list(None).await.unwrap().rights);
    assert_eq!((lines.len(), lines[0].state, lines[0].folder.as_deref()), (1, "by-hand", Some("Letters/2024")));
    sign(&sharing, None, "Ivy", "letter").await;
    let report = sharing.inject(false, &no_environment, never()).await.unwrap();
    assert_eq!(report.outcomes["by-hand"], 1, "{report:?}");
    let discovered = sharing.discover(None, false, &no_environment, never()).await.unwrap();
    assert_eq!((discovered.without, discovered.failed.len()), (vec!["local".to_owned()], 0));
    assert_eq!(of_file(sharing.list(None).await.unwrap().rights).len(), 1, "the file is still there");
}

#[tokio::test]
async fn where_matches_have_to_be_signed_rights_wait_for_that() {
    let world = World::new();
    let text = format!("{PROJECT}[require]\nsigned_match = true\n");
    std::fs::write(world.folder.path().join(crate::PROJECT_FILE), text).unwrap();
    let mut sharing = world.open().await;
    let states = sharing.list(None).await.unwrap().states;
    assert_eq!(states, BTreeMap::from([("waits", 4)]));
    sign(&sharing, None, "Ivy", "letter").await;
    sharing.inject(false, &no_environment, never()).await.unwrap();
    assert!(world.grants().is_empty());
    let digest = sharing.people.list(&crate::ListChoice::default()).await.unwrap().matching.digest;
    sharing.people.sign(crate::SignedList::Matching, &digest, "Ivy", "letter").await.unwrap();
    assert_eq!(sharing.inject(false, &no_environment, never()).await.unwrap().added, 3);
}
