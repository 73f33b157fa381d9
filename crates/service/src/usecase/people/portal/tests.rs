use connector::memory::{MemoryConnector, MemoryItem, Platform, Traits};
use connector::{Account, DirectoryInMemory, DirectoryTarget};
use mailer::{Letter, MailerInMemory};
use model::{Address, FolderPath, Reference};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use store::Store;

use super::*;
use crate::config::Config;
use crate::portal::Way;
use crate::usecase::people::tests::{StopAt, approve, person};
use crate::usecase::people::{ListChoice, ListReport, PlanOf, SignedList, SignoffState};

const PROJECT: &str = r#"
version = 1
organisation = { name = "Hill Trust", code = "RX1" }
[endpoints.local]
kind = "maildir"
path = "from/{source}"
[endpoints.national]
kind = "maildir"
path = "to/{target}"
[endpoints.post]
kind = "imap"
host = "localhost"
[source]
mail = "local"
[target]
mail = "national"
[directories.ad]
kind = "csv"
path = "a.csv"
[directories.platform]
kind = "portal"
report = "users.csv"
may_be_empty = true
connector = "trust1"
WAY
[directories.platform.map.columns]
key = "ID"
[directories.platform.results]
endpoint = "post"
account = "results"
senders = ["portal@national.example"]
authserv_id = "mx.trust.example"
[people]
sources = ["ad"]
platform = "platform"
domain = "national.example"
"#;
const PUSH: &str = "push = { to = 'submit@national.example', from = 'it@trust.example', key = { env = 'KEY' }, \
    smtp = { host = 'localhost' } }";
const KEY: &str = "wxyzab1f2";

/// The columns of the report of users.
const USERS: &str = "ID,Email Address,First Name,Last Name,ExternalSyncID,Organisation Code,Status\n";
const ANN: &str = "701,ann.lee@national.example,Ann,Lee,1,RX1,Active\n";
const BOB: &str = "702,bob.ray@national.example,Bob,Ray,2,RX1,Active\n";

struct World {
    folder: tempfile::TempDir,
    ad: DirectoryInMemory,
    letters: MailerInMemory,
    text: String,
}

impl World {
    fn of(way: &str, people: Vec<Entry>) -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            ad: DirectoryInMemory::with(people),
            letters: MailerInMemory::default(),
            text: PROJECT.replace("WAY", way),
        };
        world.report("");
        world
    }

    fn uploaded() -> Self {
        Self::of(
            "folder = 'uploads'\nexemption = 'no router yet'",
            vec![person("1", "Ann", "Lee"), person("2", "Bob", "Ray")],
        )
    }

    fn mailed() -> Self {
        Self::of(PUSH, vec![person("1", "Ann", "Lee"), person("2", "Bob", "Ray")])
    }

    /// The portal's report of its users.
    fn report(&self, rows: &str) {
        std::fs::write(self.folder.path().join("users.csv"), format!("{USERS}{rows}")).unwrap();
    }

    /// The same as if it was fetched so much later.
    fn report_after(&self, rows: &str, later: Duration) {
        self.report(rows);
        let file = std::fs::File::options().write(true).open(self.folder.path().join("users.csv")).unwrap();
        file.set_modified(SystemTime::now() + later).unwrap();
    }

    async fn open(&self) -> PeopleProject {
        self.open_with(Arc::new(self.letters.clone())).await
    }

    async fn open_with(&self, mailer: Arc<dyn mailer::Mailer>) -> PeopleProject {
        let config = Config::parse(&self.text, self.folder.path()).unwrap();
        let entry = config.file.people.clone().unwrap();
        let store = Store::open(&format!("sqlite:{}/w.db", self.folder.path().display())).await.unwrap();
        let portal = config.directories["platform"].portal().unwrap().clone();
        let way = match &portal.push {
            Some(push) => Way::Mail { to: push.to.clone(), from: push.from.clone(), key: KEY.to_owned(), mailer },
            None => Way::Folder(self.folder.path().join("uploads")),
        };
        let portal = Portal::new(portal, self.folder.path(), way);
        let platform = Some(("platform".to_owned(), Opened::Portal(Arc::new(portal))));
        let ad: Arc<dyn DirectoryTarget> = Arc::new(self.ad.clone());
        let sources = vec![("ad".to_owned(), Opened::Written(ad))];
        Box::pin(PeopleProject::with(config, entry, store, sources, platform)).await.unwrap()
    }

    /// The project with its directories read, and a plan that is approved.
    async fn planned(&self) -> PeopleProject {
        let people = self.open().await;
        people.sync(false, false, false).await.unwrap();
        approve(&people).await;
        people
    }

    /// The files that were written, in the order of their numbers.
    fn files(&self) -> Vec<(PathBuf, String)> {
        let Ok(found) = std::fs::read_dir(self.folder.path().join("uploads")) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = found.map(|file| file.unwrap().path()).collect();
        paths.sort();
        paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(&path).unwrap())).collect()
    }

    /// What the portal says of a file: of each row, by its local id, a number and a word. Rows without a word are left out.
    fn result(&self, file: &str, words: &[(&str, &str, &str)]) -> PathBuf {
        let path = self.folder.path().join("result.csv");
        std::fs::write(&path, with_words(file, words)).unwrap();
        path
    }
}

fn with_words(file: &str, words: &[(&str, &str, &str)]) -> String {
    let mut lines = file.lines();
    let mut text = format!("{},Result\r\n", lines.next().unwrap());
    for line in lines {
        let (id, rest) = line.split_once(',').unwrap();
        let local_id = line.split(',').nth(4).unwrap();
        let Some((_, number, word)) = words.iter().find(|(of, ..)| *of == local_id) else { continue };
        let id = if number.is_empty() { id } else { number };
        let _ = write!(text, "{id},{rest},{word}\r\n");
    }
    text
}

async fn listed(people: &PeopleProject) -> ListReport {
    people.list(&ListChoice::default()).await.unwrap()
}

fn local_ids(file: &str) -> Vec<&str> {
    file.lines().skip(1).map(|line| line.split(',').nth(4).unwrap()).collect()
}

#[tokio::test]
async fn a_plan_leaves_as_one_file_and_its_result_makes_the_accounts() {
    let world = World::uploaded();
    let people = world.planned().await;
    let report = people.apply(None).await.unwrap();
    assert!(report.submitted_now && report.is_well() && !report.ended, "{report:#?}");
    let files = world.files();
    assert_eq!(files.len(), 1);
    let (path, file) = &files[0];
    assert!(
        path.ends_with(&report.submission.as_ref().unwrap().sent_to)
            || path.display().to_string() == report.submission.as_ref().unwrap().sent_to
    );
    let line = file.lines().nth(1).unwrap();
    assert!(line.starts_with(",trust1,RX1,,1,,Ann,,Lee,\"Lee, Ann (Hill Trust)\""), "{line}");
    assert!(
        line.ends_with(",no,ann.lee@national.example,,/o=Trust/cn=1,create"),
        "its X500 address leaves with it (R-053): {line}"
    );
    assert!(!file.contains("person1@trust.example"), "old addresses follow at the switch");

    // Nothing more leaves before its result.
    let again = people.apply(None).await.unwrap();
    assert!(!again.submitted_now && !again.is_well(), "{again:#?}");
    assert_eq!((world.files().len(), again.submission.unwrap().state), (1, "waits"));
    let error = people.withdraw(report.plan, "Ivy").await.unwrap_err();
    assert!(error.what.contains("no result yet"), "{error}");
    assert_eq!(people.plan(false, &PlanOf::default()).await.unwrap_err().rule, Some("R-039"));

    let result = world.result(file, &[("1", "701", "Created"), ("2", "702", "Created")]);
    let dry = people.results(&result, "", None, true).await.unwrap();
    assert_eq!((dry.done, people.made().await.unwrap().len()), (2, 0));
    let read = people.results(&result, "Ivy", None, false).await.unwrap();
    assert!(read.is_well() && read.ended && read.done == 2, "{read:#?}");
    assert!(people.open_plan().await.unwrap().is_none());
    let made = people.made().await.unwrap();
    let ann = &made[&ObjectId::new("ad", "1")];
    assert_eq!(ann.made.account, "701");
    assert!(ann.live_at.is_some() && ann.exemption.as_deref().unwrap().starts_with("no router yet"), "R-034, R-073");

    // The report is older than the result: they are awaited, not gone, and nobody gets a second account (R-057).
    let list = listed(&people).await;
    assert!(list.objects.iter().all(|line| line.why.contains("not in the portal's report of users yet")), "{list:#?}");
    assert_eq!(people.plan(true, &PlanOf::default()).await.unwrap().lines.len(), 0);
    assert_eq!(people.activation(None).await.unwrap().states["awaited"], 2);

    world.report_after(&format!("{ANN}{BOB}"), Duration::from_secs(5));
    people.sync(false, false, false).await.unwrap();
    let list = listed(&people).await;
    let by: Vec<_> = list.objects.iter().map(|line| (line.account.as_deref(), line.matched_by)).collect();
    assert_eq!(by, [(Some("701"), Some("made-for-them")), (Some("702"), Some("made-for-them"))]);
    let plan = people.plan(false, &PlanOf::default()).await.unwrap();
    assert_eq!((plan.lines.len(), plan.by_hand.len()), (0, 0), "{plan:#?}");

    // The same result once more changes nothing.
    let again = people.results(&result, "Ivy", None, false).await.unwrap();
    assert!(again.known && again.submission == 1, "{again:#?}");
    assert_eq!(people.uploads().await.unwrap().submissions[0].state, "ended");
}

#[tokio::test]
async fn after_a_partial_result_only_the_rows_not_done_leave_and_only_once_all_are_known() {
    let world = World::uploaded();
    world.ad.put(person("3", "Cyd", "Poe"));
    let people = world.planned().await;
    people.apply(None).await.unwrap();
    let first = world.files().remove(0).1;
    let partial = world.result(&first, &[("1", "701", "Created"), ("2", "", "Failed: no such unit")]);
    let read = people.results(&partial, "Ivy", None, false).await.unwrap();
    assert_eq!((read.done, read.failed.len(), read.unreported.len(), read.ended), (1, 1, 1, false), "{read:#?}");
    assert!(!people.apply(None).await.unwrap().submitted_now, "one row has no result");
    // Words that nobody knows are no result either.
    let unclear = world.result(&first, &[("3", "", "Queued")]);
    let read = people.results(&unclear, "Ivy", None, false).await.unwrap();
    assert_eq!((read.unclear.len(), read.failed.len(), read.ended), (1, 1, false), "{read:#?}");
    let last =
        world.result(&first, &[("1", "701", "Created"), ("2", "", "Failed: no such unit"), ("3", "703", "Created")]);
    let read = people.results(&last, "Ivy", None, false).await.unwrap();
    assert_eq!((read.done, read.failed.len(), read.ended), (2, 1, true), "{read:#?}");

    let report = people.apply(None).await.unwrap();
    assert!(report.submitted_now, "{report:#?}");
    let files = world.files();
    assert_eq!((files.len(), local_ids(&files[1].1)), (2, vec!["2"]));
    // The result of the first is none of the second.
    let old = people.results(&last, "Ivy", None, false).await.unwrap();
    assert!(old.known && people.made().await.unwrap().len() == 2, "{old:#?}");
    let result = world.result(&files[1].1, &[("2", "702", "Created")]);
    assert!(people.results(&result, "Ivy", None, false).await.unwrap().ended);
    assert_eq!(people.made().await.unwrap().len(), 3);
    let error = people.results(&world.result(&first, &[("1", "", "ok")]), "Ivy", None, false).await.unwrap_err();
    assert_eq!(error.rule, Some("R-032"), "nothing waits for a result");
}

#[tokio::test]
async fn what_is_lost_leaves_again_once_a_younger_report_shows_that_it_was_not_taken() {
    let world = World::uploaded();
    let people = world.planned().await;
    people.apply(None).await.unwrap();
    let first = world.files().remove(0).1;
    people.results(&world.result(&first, &[("1", "701", "Created")]), "Ivy", None, false).await.unwrap();
    assert!(people.lost(1, "Ivy", " ").await.is_err());
    assert!(people.lost(2, "Ivy", "their mail of 3 May").await.is_err());
    let lost = people.lost(1, "Ivy", "their mail of 3 May").await.unwrap();
    assert_eq!(lost.rows, 1);
    assert_eq!(people.apply(None).await.unwrap_err().rule, Some("R-057"), "nobody has looked yet");
    world.report_after(ANN, Duration::from_secs(5));
    assert!(people.apply(None).await.unwrap().submitted_now);
    let second = world.files().remove(1).1;
    assert_eq!(local_ids(&second), ["2"]);
    // Whose result this is nobody can tell but a person.
    let result = world.result(&second, &[("2", "702", "Created")]);
    assert_eq!(people.results(&result, "Ivy", None, false).await.unwrap_err().rule, Some("R-057"));
    assert_eq!(people.results(&result, "Ivy", Some(1), false).await.unwrap_err().rule, Some("R-032"));
    assert!(people.results(&result, "Ivy", Some(2), false).await.unwrap().is_well());
    let states: Vec<_> = people.uploads().await.unwrap().submissions.iter().map(|line| line.state).collect();
    assert_eq!(states, ["lost", "ended"]);
}

#[tokio::test]
async fn what_was_taken_all_the_same_is_not_made_twice() {
    let world = World::uploaded();
    let people = world.planned().await;
    people.apply(None).await.unwrap();
    people.lost(1, "Ivy", "their mail of 3 May").await.unwrap();
    world.report_after(ANN, Duration::from_secs(5));
    let report = people.apply(None).await.unwrap();
    assert!(report.submitted_now, "{report:#?}");
    assert_eq!(local_ids(&world.files()[1].1), ["2"], "the report shows that Ann has one (R-057)");
    assert!(report.not_done.iter().any(|line| line.id == "ad:1" && line.state == "conflict"), "{report:#?}");
}

#[tokio::test]
async fn a_result_of_something_else_or_that_gives_an_account_to_another_is_refused() {
    let world = World::uploaded();
    world.report("700,cyd@national.example,Cyd,Poe,3,RX1,Active\n");
    world.ad.put(person("3", "Cyd", "Poe"));
    let people = world.planned().await;
    people.apply(None).await.unwrap();
    let file = world.files().remove(0).1;
    assert_eq!(local_ids(&file).len(), 3, "Cyd's account gains the X500 address");
    let refused = async |words: &[(&str, &str, &str)], file: &str| {
        people.results(&world.result(file, words), "Ivy", None, false).await.unwrap_err()
    };
    let error = refused(&[("9", "", "ok")], &file.replace(",2,,Bob", ",9,,Bob")).await;
    assert_eq!(error.rule, Some("R-032"), "{error}");
    for (words, told) in [
        ([("1", "700", "ok"), ("2", "702", "ok")], "is that of ad:3"),
        ([("1", "701", "ok"), ("2", "701", "ok")], "for "),
        ([("1", "701", "ok"), ("3", "799", "ok")], "the account 700 was sent"),
    ] {
        let error = refused(&words, &file).await;
        assert_eq!((error.rule, error.what.contains(told)), (Some("R-058"), true), "{error}");
    }
    assert_eq!(people.made().await.unwrap().len(), 0);
    assert_eq!(people.uploads().await.unwrap().submissions[0].state, "waits");
    // Nor is one read by other columns than it was written by.
    let world = World {
        text: world
            .text
            .replace("may_be_empty", "upload = { columns = [{ heading = 'Nr', value = 'local_id' }] }\nmay_be_empty"),
        ..world
    };
    let people = world.open().await;
    let error = people.results(&world.result(&file, &[("1", "701", "ok")]), "Ivy", None, false).await.unwrap_err();
    assert!(error.what.contains("other columns"), "{error}");
}

#[tokio::test]
async fn no_file_leaves_while_a_row_lacks_its_reason_r_073() {
    let mut world = World::uploaded();
    world.text = world.text.replace("exemption = 'no router yet'", "");
    let people = world.planned().await;
    let error = people.apply(None).await.unwrap_err();
    assert_eq!((error.rule, error.what.contains("2 accounts")), (Some("R-073"), true), "{error}");
    assert_eq!((world.files().len(), people.uploads().await.unwrap().submissions.len()), (0, 0));
    let one = people.accept(&["person1@trust.example".into()], "a pilot").await.unwrap();
    assert_eq!(one.to_make, ["ad:1"]);
    let error = people.apply(None).await.unwrap_err();
    assert!(error.what.contains("1 account ") && error.what.contains("Ray, Bob"), "{error}");
    people.accept(&[], "no router yet").await.unwrap();
    assert!(people.apply(None).await.unwrap().submitted_now);
    let (log, _) = people.store.audit_log(people.key).await.unwrap();
    let submitted = log.iter().find(|row| row.action == "people.submitted").unwrap();
    assert!(submitted.detail.contains("no router yet (recorded by "), "{submitted:?}");
    people
        .results(&world.result(&world.files()[0].1, &[("1", "701", "ok"), ("2", "", "ok")]), "Ivy", None, false)
        .await
        .unwrap();
    let made = people.made().await.unwrap();
    assert!(made.values().all(|row| row.live_at.is_some() && row.exemption.is_some()), "{made:?}");
    // Whose number the portal did not tell is found by the number that was sent.
    world.report_after(&format!("{ANN}{BOB}"), Duration::from_secs(5));
    people.sync(false, false, false).await.unwrap();
    assert_eq!(people.made().await.unwrap()[&ObjectId::new("ad", "2")].made.account, "702");
    assert!(listed(&people).await.objects.iter().all(|line| line.matched_by == Some("made-for-them")));
}

#[tokio::test]
async fn a_number_that_is_another_persons_by_now_is_nobodys_account() {
    let world = World::uploaded();
    let people = world.planned().await;
    people.apply(None).await.unwrap();
    people
        .results(&world.result(&world.files()[0].1, &[("1", "701", "ok"), ("2", "702", "ok")]), "Ivy", None, false)
        .await
        .unwrap();
    world.report_after(&format!("701,dee.fox@national.example,Dee,Fox,88,RX1,Active\n{BOB}"), Duration::from_secs(5));
    people.sync(false, false, false).await.unwrap();
    let list = listed(&people).await;
    assert_eq!((list.objects[0].class, list.objects[1].class), ("unresolved", "existing"), "{list:#?}");
    assert_eq!(people.plan(true, &PlanOf::default()).await.unwrap().lines.len(), 0);
}

#[tokio::test]
async fn where_the_report_is_by_local_ids_the_portals_numbers_are_no_keys() {
    let mut world = World::uploaded();
    world.text = world.text.replace("[directories.platform.map.columns]\nkey = \"ID\"\n", "");
    world.report("9,cyd@national.example,Cyd,Poe,3,RX1,Active\n");
    world.ad.put(person("3", "Cyd", "Poe"));
    let people = world.planned().await;
    people.apply(None).await.unwrap();
    let file = world.files().remove(0).1;
    assert!(file.lines().nth(3).unwrap().starts_with(",trust1,RX1,,3,"), "no number of the portal's is known: {file}");
    // Its numbers are those of others' local ids.
    let result = world.result(&file, &[("1", "3", "ok"), ("2", "1", "ok"), ("3", "9", "ok")]);
    assert_eq!(people.results(&result, "Ivy", None, false).await.unwrap().done, 3);
    world.report_after(&format!("{ANN}{BOB}9,cyd@national.example,Cyd,Poe,3,RX1,Active\n"), Duration::from_secs(5));
    people.sync(false, false, false).await.unwrap();
    let list = listed(&people).await;
    let accounts: Vec<_> = list.objects.iter().map(|line| (line.account.as_deref(), line.matched_by)).collect();
    assert_eq!(accounts[..2], [(Some("1"), Some("made-for-them")), (Some("2"), Some("made-for-them"))]);
    assert_eq!(people.plan(true, &PlanOf::default()).await.unwrap().lines.len(), 0);
}

#[tokio::test]
async fn a_file_that_was_handed_in_leaves_to_the_portal_and_ends_with_its_result() {
    let mut world = World::of("folder = 'uploads'", Vec::new());
    world.text = world.text.replace("[people]\n", "[people.import]\nconnector = 'payroll'\n[people]\n");
    let people = world.open().await;
    let path = world.folder.path().join("new.csv");
    std::fs::write(&path, "LocalUniqueId,FirstName,LastName,Exemption\n1,Ann,Lee,no router before the pilot\n")
        .unwrap();
    let report = people.import_file(&path, None, false).await.unwrap();
    let line = &report.submissions[0];
    people.approve(line.plan.unwrap(), line.digest.as_deref().unwrap(), "Approver").await.unwrap();
    let line = people.import_file(&path, None, false).await.unwrap().submissions.remove(0);
    assert_eq!((line.state, line.outcomes["submitted"], world.files().len()), ("waits", 1, 1), "{line:#?}");
    people.results(&world.result(&world.files()[0].1, &[("1", "701", "ok")]), "Ivy", None, false).await.unwrap();
    let made = people.made().await.unwrap();
    let ann = &made[&ObjectId::new("payroll", "1")];
    assert!(
        ann.exemption.as_deref().unwrap().starts_with("no router before the pilot (handed in by payroll)"),
        "{ann:?}"
    );
    let line = people.import_file(&path, None, false).await.unwrap().submissions.remove(0);
    assert_eq!((line.state, line.outcomes["created"]), ("done", 1), "{line:#?}");
}

#[tokio::test]
async fn a_mailed_file_has_the_key_as_its_subject_and_its_accounts_wait_to_be_accepted() {
    let world = World::mailed();
    let people = world.planned().await;
    assert!(people.apply(None).await.unwrap().submitted_now, "no reason is needed: nothing is live");
    assert!(!people.apply(None).await.unwrap().submitted_now);
    let letters = world.letters.letters();
    assert_eq!(
        (letters.len(), letters[0].subject.as_str(), letters[0].to.as_str()),
        (1, KEY, "submit@national.example")
    );
    assert!(!letters[0].is_automatic && letters[0].enclosures.len() == 1);
    let (log, _) = people.store.audit_log(people.key).await.unwrap();
    assert!(!log.iter().any(|row| row.detail.contains(KEY)), "the key is shown nowhere");
    let file = String::from_utf8(letters[0].enclosures[0].bytes.clone()).unwrap();
    people.results(&world.result(&file, &[("1", "701", "ok"), ("2", "702", "ok")]), "Ivy", None, false).await.unwrap();
    world.report_after(&format!("{ANN}{BOB}").replace("Active", "Pending"), Duration::from_secs(5));
    people.sync(false, false, false).await.unwrap();
    let activation = people.activation(None).await.unwrap();
    assert_eq!((activation.states["pending"], activation.waiting[0].next), (2, Some("accept it: people accept")));
    // The reason is recorded here; a local administrator accepts them in the portal.
    let accepted = people.accept(&["person1@trust.example".into()], "no router yet").await.unwrap();
    assert_eq!((accepted.to_accept.len(), accepted.live.len()), (1, 0), "{accepted:#?}");
    world.report_after(&format!("{ANN}{BOB}"), Duration::from_secs(9));
    people.sync(false, false, false).await.unwrap();
    let made = people.made().await.unwrap();
    assert!(made[&ObjectId::new("ad", "1")].live_at.is_some() && made[&ObjectId::new("ad", "2")].live_at.is_none());
    let waiting = people.activation(None).await.unwrap().waiting;
    let bob = waiting.iter().find(|line| line.id == "ad:2").unwrap();
    assert!(bob.next.unwrap().contains("without a reason on record"), "R-073: {bob:?}");
}

#[tokio::test]
async fn what_a_portal_has_no_column_for_is_named_to_be_done_by_hand() {
    let mut ann = person("1", "Ann", "Lee");
    ann.quota_bytes = Some(25 << 30);
    ann.addresses.push(Address::x500("/o=Older/cn=1"));
    (ann.hides_mobile, ann.mobile) = (true, Some("07700 900001".into()));
    let mut list = Entry::new("g", EntryKind::List);
    list.names.display = Some("Ward 7".into());
    list.members = vec![Reference::Key("1".into())];
    let world = World::of("folder = 'uploads'\nexemption = 'x'", vec![ann, person("2", "Bob", "Ray"), list]);
    world.report(BOB);
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    let plan = people.plan(false, &PlanOf::default()).await.unwrap();
    let lines: Vec<_> = plan.lines.iter().map(|line| (line.does, line.what.clone())).collect();
    assert_eq!(lines, [("create", vec![]), ("update", vec!["LegacyExchangeDN".to_owned()])], "{plan:#?}");
    let told: Vec<&str> = plan.by_hand.iter().map(|(_, what)| what.as_str()).collect();
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(
        told[0].starts_with("set the quota of Lee, Ann") && told[1].ends_with("the address X500:/o=Older/cn=1"),
        "{told:?}"
    );
    assert!(told[2].contains("make the list ") && told[2].contains("Ward 7"), "{told:?}");
    people.approve(plan.plan.unwrap(), &plan.digest, "Approver").await.unwrap();
    people.apply(None).await.unwrap();
    let file = world.files().remove(0).1;
    assert!(!file.contains("900001") && file.contains(",yes,ann.lee@"), "a hidden mobile never leaves (R-049): {file}");
    let bob = file.lines().nth(2).unwrap();
    assert!(bob.starts_with("702,trust1,RX1,,2,,Bob,,Ray,") && bob.ends_with("/o=Trust/cn=2,update"), "{bob}");
    assert!(bob.contains(",,,bob.ray@"), "what nobody said is not unset: {bob}");
    people
        .results(&world.result(&file, &[("1", "701", "ok"), ("2", "", "Updated")]), "Ivy", None, false)
        .await
        .unwrap();
    world.report_after(&format!("{ANN}{BOB}"), Duration::from_secs(5));
    people.sync(false, false, false).await.unwrap();
    // The report has no column for X500 addresses: what was sent is known.
    let plan = people.plan(true, &PlanOf::default()).await.unwrap();
    assert_eq!(plan.lines.len(), 0, "{plan:#?}");
    // A change at the source leaves as a row; a name that the portal makes itself does not.
    let mut moved = person("1", "Ann", "Lee");
    moved.job_title = Some("Sister".into());
    world.ad.put(moved);
    people.sync(false, false, false).await.unwrap();
    let plan = people.plan(true, &PlanOf::default()).await.unwrap();
    assert_eq!(plan.lines.iter().map(|line| line.what.join(",")).collect::<Vec<_>>(), ["JobTitle"], "{plan:#?}");
    // A leaver's account is marked by a row, once.
    world.ad.remove("1");
    people.sync(false, true, false).await.unwrap();
    let plan = people.plan(false, &PlanOf::default()).await.unwrap();
    assert_eq!(plan.lines.iter().map(|line| line.does).collect::<Vec<_>>(), ["leave"], "{plan:#?}");
    people.approve(plan.plan.unwrap(), &plan.digest, "Approver").await.unwrap();
    people.apply(None).await.unwrap();
    let file = world.files().remove(1).1;
    assert!(file.lines().nth(1).unwrap().starts_with("701,") && file.trim_end().ends_with(",leave"), "{file}");
    people.results(&world.result(&file, &[("1", "701", "Left")]), "Ivy", None, false).await.unwrap();
    assert_eq!(
        people.plan(true, &PlanOf::default()).await.unwrap().lines.len(),
        1,
        "the report is younger than the clock: by it she is there"
    );
}

#[tokio::test]
async fn a_list_leaves_after_those_who_are_in_it_and_only_once() {
    let mut list = Entry::new("g", EntryKind::List);
    list.names.display = Some("Ward 7".into());
    list.members = vec![Reference::Key("1".into())];
    let mut world = World::of("folder = 'uploads'\nexemption = 'x'", vec![person("1", "Ann", "Lee"), list]);
    let columns: Vec<String> = ["id", "local_id", "display", "kind", "mail", "legacy_dn", "members", "action"]
        .map(|value| format!("{{ heading = '{value}', value = '{value}' }}"))
        .to_vec();
    let upload = format!("upload = {{ columns = [{}] }}\nmay_be_empty", columns.join(", "));
    world.text = world.text.replace("may_be_empty", &upload);
    let people = world.planned().await;
    let answer = async |at: usize, number: &str| {
        assert!(people.apply(None).await.unwrap().submitted_now);
        let file = world.files().remove(at).1;
        let lines: Vec<&str> = file.lines().collect();
        assert_eq!(lines.len(), 2, "{file}");
        let path = world.folder.path().join("result.csv");
        std::fs::write(&path, format!("{},Result\r\n{number}{},ok\r\n", lines[0], lines[1])).unwrap();
        assert!(people.results(&path, "Ivy", None, false).await.unwrap().is_well());
        file
    };
    assert!(answer(0, "701").await.contains(",person,"));
    world.report_after(ANN, Duration::from_secs(5));
    let file = answer(1, "800").await;
    let mail = file.lines().nth(1).unwrap().split(',').find(|cell| cell.contains('@')).unwrap().replace('"', "");
    assert!(file.contains(",list,") && file.contains(",701,create"), "its member by the portal's number: {file}");
    let rows = format!(
        "ID,Email Address,First Name,Last Name,Display Name,ExternalSyncID,Organisation Code,Status,Kind\n\
        701,ann.lee@national.example,Ann,Lee,,1,RX1,Active,person\n800,{mail},,,Ward 7,,RX1,Active,list\n"
    );
    std::fs::write(world.folder.path().join("users.csv"), rows).unwrap();
    people.sync(false, false, false).await.unwrap();
    assert!(listed(&people).await.objects.iter().all(|line| line.matched_by == Some("made-for-them")));
    let plan = people.plan(true, &PlanOf::default()).await.unwrap();
    assert_eq!((plan.lines.len(), plan.by_hand.len()), (0, 0), "the report tells no members: {plan:#?}");
}

#[tokio::test]
async fn a_submission_that_waits_too_long_is_named() {
    let mut world = World::uploaded();
    world.text.push_str("[people.rules]\npending_hours_max = 0\n");
    let people = world.planned().await;
    people.apply(None).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let report = people.apply(None).await.unwrap();
    assert!(report.submission.as_ref().unwrap().overdue);
    assert!(report.submission.unwrap().sentence().contains("longer than the platform takes"));
    assert!(listed(&people).await.submission.unwrap().overdue);
    assert!(people.activation(None).await.unwrap().submission.unwrap().overdue);
}

#[tokio::test]
async fn no_more_rows_leave_at_once_than_the_portal_takes() {
    let mut world = World::uploaded();
    world.text = world.text.replace("folder =", "rows_max = 1\nfolder =");
    let people = world.planned().await;
    people.apply(None).await.unwrap();
    assert_eq!(local_ids(&world.files()[0].1), ["1"]);
    let result = world.result(&world.files()[0].1, &[("1", "701", "ok")]);
    assert!(people.results(&result, "Ivy", None, false).await.unwrap().ended);
    assert!(people.open_plan().await.unwrap().is_some(), "Bob is left to do");
    people.apply(None).await.unwrap();
    assert_eq!(local_ids(&world.files()[1].1), ["2"]);
}

#[tokio::test]
async fn the_signed_list_carries_what_the_platform_says_and_a_change_voids_the_row_r_056() {
    let people = vec![
        person("1", "Ann", "Lee"),
        person("2", "Bob", "Ray"),
        person("3", "Cyd", "Poe"),
        person("4", "Dee", "Fox"),
    ];
    let world = World::of("folder = 'uploads'", people);
    let cyd = "703,cyd@national.example,Cyd,Poe,3,RX1,Disabled\n";
    let dee = "704,person4@trust.example,Dee,Fox,4,RY2,Active\n";
    world.report(&format!("{ANN}{BOB}{cyd}{dee}"));
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    let list = listed(&people).await;
    let flags: Vec<_> = list.objects.iter().map(|line| line.flags.clone()).collect();
    assert_eq!(flags, [vec![], vec![], vec!["disabled"], vec!["moved"]], "{list:#?}");
    people.sign(SignedList::Matching, &list.matching.digest, "Ivy Guardian", "letter of 3 May").await.unwrap();
    let signed = async || listed(&people).await.objects.iter().map(|line| line.signed).collect::<Vec<_>>();
    assert_eq!(signed().await, [Some(SignoffState::Signed), Some(SignoffState::Signed), None, None]);
    // One is locked, and one is gone.
    world.report(&ANN.replace("Active", "Locked"));
    people.sync(false, true, false).await.unwrap();
    let list = listed(&people).await;
    assert_eq!((list.objects[0].flags.clone(), list.objects[0].signed), (vec!["locked"], Some(SignoffState::Changed)));
    assert_eq!((list.objects[1].flags.clone(), list.objects[1].signed), (vec!["unknown"], None), "{list:#?}");
    assert_eq!(list.flags["locked"], 1);
    assert!(list.as_of.is_some());
}

/// Sends letters until it is stopped.
struct StoppingMailer(MailerInMemory, Arc<StopAt>);

#[async_trait::async_trait]
impl mailer::Mailer for StoppingMailer {
    async fn send(&self, letter: &Letter) -> Result<(), connector::Error> {
        let gone = || connector::Error::new(model::Cause::Connection, model::Scope::Run, "stopped");
        if !self.1.passes() {
            return Err(gone());
        }
        self.0.send(letter).await?;
        if self.1.passes() { Ok(()) } else { Err(gone()) }
    }
}

#[tokio::test]
async fn stopped_at_any_moment_one_file_leaves_and_its_result_counts_once() {
    let mut moments = 0;
    loop {
        let world = World::mailed();
        world.planned().await.close().await;
        let stop = StopAt::new(moments);
        let stopped = async |word: &str, result: &std::path::Path| {
            let mut people = world.open_with(Arc::new(StoppingMailer(world.letters.clone(), stop.clone()))).await;
            people.store = people.store.watched(stop.clone());
            match word {
                "apply" => drop(people.apply(None).await),
                _ => drop(people.results(result, "Ivy", None, false).await),
            }
            people.close().await;
            let people = world.open().await;
            people.store.void_people_holds(|_| true).await.unwrap();
            people
        };
        let people = Box::pin(stopped("apply", std::path::Path::new(""))).await;
        people.apply(None).await.unwrap();
        people.close().await;
        let letters = world.letters.letters();
        assert!(!letters.is_empty() && letters.iter().all(|letter| *letter == letters[0]), "moment {moments}");
        let file = String::from_utf8(letters[0].enclosures[0].bytes.clone()).unwrap();
        assert_eq!(local_ids(&file), ["1", "2"], "moment {moments}");
        let result = world.result(&file, &[("1", "701", "Created"), ("2", "", "Failed")]);
        let people = Box::pin(stopped("results", &result)).await;
        let read = people.results(&result, "Ivy", None, false).await.unwrap();
        assert!(read.known || (read.done, read.failed.len()) == (1, 1), "moment {moments}: {read:#?}");
        assert_eq!(people.made().await.unwrap().len(), 1, "moment {moments}");
        assert_eq!(people.uploads().await.unwrap().submissions.len(), 1, "moment {moments}");
        assert!(people.apply(None).await.unwrap().submitted_now);
        let next = world.letters.letters().pop().unwrap();
        assert_ne!(next.message_id, letters[0].message_id);
        assert_eq!(local_ids(std::str::from_utf8(&next.enclosures[0].bytes).unwrap()), ["2"], "moment {moments}");
        people.close().await;
        if !stop.was_reached() {
            break;
        }
        moments += 1;
    }
    assert!(moments > 8, "{moments} moments");
}

#[tokio::test]
async fn results_come_by_mail_from_who_may_send_them_and_answer_the_letter() {
    let world = World::mailed();
    let people = world.planned().await;
    people.apply(None).await.unwrap();
    let letter = world.letters.letters().remove(0);
    let file = String::from_utf8(letter.enclosures[0].bytes.clone()).unwrap();
    let mail = Platform::new(Traits::default());
    mail.add_mailbox("results");
    mail.add_folder("results", &FolderPath::inbox());
    let deliver = |from: &str, answers: &str, csv: &str| {
        let text = format!(
            "Authentication-Results: mx.trust.example; dmarc=pass header.from=national.example\nFrom: <{from}>\nSubject: Result\n\
             In-Reply-To: <{answers}>\nAuto-Submitted: auto-replied\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\
             Content-Type: text/csv\nContent-Disposition: attachment; filename=\"r.csv\"\n\n{csv}\n--b--\n"
        );
        let bytes = text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes();
        mail.deliver("results", &FolderPath::inbox(), MemoryItem::message(bytes, 1_700_000_000));
    };
    let (connector, account) = (MemoryConnector::new(&mail), Account::named("results"));
    let entry = people.portal().unwrap().entry.results.clone().unwrap();
    let poll = async |dry_run: bool| people.results_from(&entry, &connector, &account, dry_run).await.unwrap();
    let well = with_words(&file, &[("1", "701", "Created"), ("2", "702", "Created")]);
    deliver("stranger@elsewhere.example", &letter.message_id, &well);
    deliver("somebody@national.example", &letter.message_id, &well);
    deliver("portal@national.example", &letter.message_id, "nonsense\n1\n");
    let report = poll(false).await;
    assert_eq!((report.refused.len(), report.results.len()), (3, 0), "{report:#?}");
    let refused = |number: usize, why: &str| report.refused[number].why.contains(why);
    assert!(refused(0, "easily forged") && refused(1, "not authorised") && refused(2, "not the result"), "{report:#?}");
    deliver("portal@national.example", &letter.message_id, &well);
    assert_eq!(poll(true).await.results[0].done, 2);
    let report = poll(false).await;
    assert!(report.is_well() && report.results[0].ended, "{report:#?}");
    assert_eq!(people.made().await.unwrap().len(), 2);
    assert!(poll(false).await.results.is_empty(), "what was dealt with is marked");
    deliver("portal@national.example", &letter.message_id, &well);
    assert!(poll(false).await.results[0].known, "the same once more changes nothing");
}

#[tokio::test]
async fn whoever_is_switched_off_at_the_source_is_switched_off_there_by_a_row_or_by_hand() {
    let world = World::uploaded();
    let people = world.planned().await;
    people.apply(None).await.unwrap();
    let result = world.result(&world.files()[0].1, &[("1", "701", "Created"), ("2", "702", "Created")]);
    people.results(&result, "Ivy", None, false).await.unwrap();
    world.report_after(&format!("{ANN}{BOB}"), Duration::from_secs(5));
    let mut ann = person("1", "Ann", "Lee");
    ann.state = AccountState::Disabled;
    world.ad.put(ann);
    people.sync(false, false, false).await.unwrap();
    let plan = people.plan(true, &PlanOf::default()).await.unwrap();
    assert!(plan.lines.is_empty() && plan.by_hand.len() == 1, "{plan:#?}");
    assert!(plan.by_hand[0].1.contains("disabled"), "{plan:#?}");
    assert_eq!(people.tasks().await.unwrap().tasks.len(), 1);
}

#[tokio::test]
async fn a_dry_run_of_accept_records_no_reason_r_073() {
    let mut world = World::uploaded();
    world.text = world.text.replace("exemption = 'no router yet'", "");
    let people = world.planned().await.dry_run(true);
    let report = people.accept(&[], "a test").await.unwrap();
    assert!(report.dry_run && report.to_make.len() == 2, "{report:#?}");
    let people = people.dry_run(false);
    assert_eq!(people.apply(None).await.unwrap_err().rule, Some("R-073"));
}

#[tokio::test]
async fn a_mailbox_of_many_leaves_once_its_owner_has_an_account_and_a_result_twice_named_is_asked_about() {
    let mut ward = person("w", "x", "x");
    (ward.kind, ward.names.display, ward.local_id) = (EntryKind::Shared, Some("Ward 7".into()), None);
    ward.owners = vec![Reference::Key("1".into())];
    let mut world = World::of("folder = 'uploads'\nexemption = 'x'", vec![person("1", "Ann", "Lee"), ward]);
    world.text.push_str("[directories.platform.upload]\ncolumns = [\n");
    for (heading, value) in [
        ("ID", "id"),
        ("Kind", "kind"),
        ("A", "empty"),
        ("B", "empty"),
        ("LocalUniqueId", "local_id"),
        ("Name", "display"),
        ("Email", "mail"),
        ("Owners", "owners"),
        ("Action", "action"),
    ] {
        let _ = writeln!(world.text, "{{ heading = \"{heading}\", value = \"{value}\" }},");
    }
    world.text.push_str("]\n");
    let people = world.planned().await;
    assert!(people.apply(None).await.unwrap().submitted_now);
    assert_eq!(local_ids(&world.files()[0].1), ["1"], "nobody answers for the ward yet (R-074)");
    // Refused as a whole: what comes next looks the same, so whose a result is has to be said (R-057).
    let failed = world.result(&world.files()[0].1, &[("1", "", "Failed")]);
    people.results(&failed, "Ivy", None, false).await.unwrap();
    assert!(people.apply(None).await.unwrap().submitted_now);
    let again = world.result(&world.files()[1].1, &[("1", "701", "Created")]);
    assert_eq!(people.results(&again, "Ivy", None, false).await.unwrap_err().rule, Some("R-057"));
    people.results(&again, "Ivy", Some(2), false).await.unwrap();
    let last = people.apply(None).await.unwrap();
    assert!(last.submitted_now && world.files()[2].1.contains("701"), "{last:#?} {:?}", world.files());
}
