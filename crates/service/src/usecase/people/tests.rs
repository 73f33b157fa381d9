use super::*;
use connector::{
    DirectoryCursor, DirectoryDeclaration, DirectoryInMemory, DirectoryRead, EntryEvent, EntrySink, Finding,
};
use model::{AccountState, Address, EntryKind, Reference};

mod account;
mod apply;
mod book;
mod collections;
mod forward;
mod limits;
mod meddled;
mod read;
mod roster;
mod staff;
mod word;

pub(super) use meddled::{Meddled, Meddles};

pub(super) const PROJECT: &str = r#"
version = 1
database = "sqlite:w.db"
organisation = { name = "Hill Trust", code = "RX1" }
[endpoints.local]
kind = "maildir"
path = "from/{source}"
[endpoints.national]
kind = "maildir"
path = "to/{target}"
[source]
mail = "local"
[target]
mail = "national"
[directories.ad]
kind = "csv"
path = "a.csv"
[directories.platform]
kind = "csv"
path = "b.csv"
[people]
sources = ["ad"]
platform = "platform"
domain = "national.example"
short_name = "hill"
"#;

struct World {
    folder: tempfile::TempDir,
    ad: DirectoryInMemory,
    platform: DirectoryInMemory,
    text: String,
}

pub(super) fn person(key: &str, given: &str, surname: &str) -> Entry {
    let mut entry = Entry::new(key, EntryKind::Person);
    (entry.names.given, entry.names.surname) = (Some(given.into()), Some(surname.into()));
    entry.names.display = Some(format!("{given} {surname}"));
    entry.mail = Some(format!("person{key}@trust.example"));
    entry.legacy_dn = Some(format!("/o=Trust/cn={key}"));
    entry.local_id = Some(key.into());
    entry.has_mailbox = true;
    entry
}

pub(super) fn account(key: &str, given: &str, surname: &str) -> Entry {
    let mut entry = Entry::new(key, EntryKind::Person);
    (entry.names.given, entry.names.surname) = (Some(given.into()), Some(surname.into()));
    entry.organisation = Some("RX1".into());
    entry.mail = Some(format!("{}.{}@national.example", given.to_lowercase(), surname.to_lowercase()));
    entry
}

impl World {
    fn of(people: Vec<Entry>, accounts: Vec<Entry>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (ad, platform) = (DirectoryInMemory::with(people), DirectoryInMemory::with(accounts));
        Self { folder, ad, platform, text: PROJECT.to_owned() }
    }

    async fn open(&self) -> PeopleProject {
        self.open_with(Opened::Written(Arc::new(self.ad.clone()))).await
    }

    async fn open_with(&self, ad: Opened) -> PeopleProject {
        let config = Config::parse(&self.text, self.folder.path()).unwrap();
        let entry = config.file.people.clone().unwrap();
        let store = Store::open(&format!("sqlite:{}/w.db", self.folder.path().display())).await.unwrap();
        let platform = Opened::Written(Arc::new(self.platform.clone()));
        let platform = Some(("platform".to_owned(), platform));
        let sources = vec![("ad".to_owned(), ad)];
        Box::pin(PeopleProject::with(config, entry, store, sources, platform)).await.unwrap()
    }
}

pub(super) async fn approve(people: &PeopleProject) -> i64 {
    let plan = people.plan(false, &PlanOf::default()).await.unwrap();
    let number = plan.plan.unwrap();
    people.approve(number, &plan.digest[..12], "Approver").await.unwrap();
    number
}

#[tokio::test]
async fn people_are_read_planned_approved_and_made_and_a_second_run_changes_nothing() {
    let mut list = Entry::new("g", EntryKind::List);
    list.names.display = Some("Ward 7".into());
    list.members = vec![Reference::Key("1".into()), Reference::Key("2".into())];
    let mut theirs = account("p9", "Bob", "Ray");
    theirs.addresses.push(Address::smtp("PERSON2@trust.example"));
    let world = World::of(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Ray"), list], vec![theirs]);
    let people = world.open().await;
    let read = people.sync(false, false, false).await.unwrap();
    assert_eq!(read.directories.iter().map(|d| (d.new, d.whole)).collect::<Vec<_>>(), [(3, true), (1, true)]);
    assert_eq!(read.classes.unwrap()["existing"], 1);

    let error = people.apply(None).await.unwrap_err();
    assert_eq!(error.rule, Some("R-039"), "nothing is done that nobody approved");
    let dry = people.plan(true, &PlanOf::default()).await.unwrap();
    let number = approve(&people).await;
    let plan = people.plan_row(number).await.unwrap();
    assert_eq!(dry.digest, plan.digest.to_string(), "the preview is what is done");
    let report = people.apply(None).await.unwrap();
    assert_eq!((report.done, report.changes, report.ended), (3, 3, true), "{report:?}");

    let made = world.platform.all();
    let ann = made.iter().find(|entry| entry.mail.as_deref() == Some("ann.lee@national.example")).unwrap();
    assert_eq!(ann.state, AccountState::Pending, "a connector's account waits to be accepted (R-033)");
    let ward = made.iter().find(|entry| entry.kind == EntryKind::List).unwrap();
    assert_eq!(ward.members, [Reference::Key("p9".into()), Reference::Key(ann.key.clone())]);
    assert_eq!(made.iter().find(|entry| entry.key == "p9").unwrap().x500_keys(), ["/o=trust/cn=2"]);

    let again = people.plan(false, &PlanOf::default()).await.unwrap();
    assert_eq!((again.lines.len(), again.plan), (0, None));
    assert_eq!(people.list(&ListChoice::default()).await.unwrap().classes["existing"], 3);
}

#[tokio::test]
async fn a_plan_that_was_changed_or_is_over_the_limit_is_refused() {
    let mut world = World::of(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Ray")], Vec::new());
    world.text.push_str("[people.rules]\nregistrations = 1\n");
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    let plan = people.plan(false, &PlanOf::default()).await.unwrap();
    let error = people.approve(plan.plan.unwrap(), &plan.digest, "Approver").await.unwrap_err();
    assert_eq!(error.rule, Some("R-062"));
    assert!(
        error.what.contains("allows 1") && error.what.contains("0 are used") && error.what.contains("2 are requested")
    );
    let error = people.approve(plan.plan.unwrap(), "0000000000", "Approver").await.unwrap_err();
    assert!(error.what.contains("not the one"), "{error}");
}

#[tokio::test]
async fn an_account_goes_live_with_a_recorded_reason_and_its_password_is_handed_over_once() {
    let world = World::of(vec![person("1", "=Ann", "Lee")], Vec::new());
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    approve(&people).await;
    people.apply(None).await.unwrap();
    assert_eq!(people.accept(&[], " ").await.unwrap_err().rule, Some("R-073"));
    let accepted = people.accept(&["person1@trust.example".into()], "no router yet").await.unwrap();
    assert_eq!((accepted.live.len(), accepted.refused.len()), (1, 0), "{accepted:?}");
    assert_eq!(world.platform.all()[0].state, AccountState::Active);
    let details = people.details().await.unwrap();
    let password = match &details.document.tables[0].rows[0][9] {
        report::Cell::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(password.len(), 16);
    let mut csv = Vec::new();
    details.document.write(report::Form::Csv, None, &mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    assert!(csv.contains(&password) && csv.contains("'=Ann"), "{csv}");
    people.hand_over(&details).await.unwrap();
    assert_eq!(people.details().await.unwrap().accounts, 0);
    let database = std::fs::read(world.folder.path().join("w.db")).unwrap();
    let has = |text: &str| database.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(!has(&password), "never in clear");
}

#[tokio::test]
async fn day_ninety_is_active_and_day_ninety_one_is_locked_r_069() {
    let mut world = World::of(vec![person("1", "Ann", "Lee")], Vec::new());
    world.text.push_str("[people.rules]\nactivation_days = 90\n");
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    approve(&people).await;
    people.apply(None).await.unwrap();
    people.accept(&[], "no router yet").await.unwrap();
    let since = people.made().await.unwrap().values().next().unwrap().live_at.unwrap();
    let on_day = async |day: i64| people.activation(Some(since + day * 86_400_000 + 1)).await.unwrap();
    let ninety = on_day(90).await;
    assert_eq!((ninety.waiting[0].state, ninety.waiting[0].days_left), ("active", Some(0)));
    assert_eq!(on_day(91).await.waiting[0].state, "locked");
    let mut logged_in = world.platform.all().remove(0);
    logged_in.last_logon = Some(since / 1000);
    world.platform.put(logged_in);
    people.sync(false, false, false).await.unwrap();
    assert_eq!(on_day(91).await.activated, 1);
}

#[tokio::test]
async fn a_directory_that_suddenly_lacks_many_changes_nothing() {
    let world = World::of((0..100).map(|n| person(&n.to_string(), "Ann", &format!("Lee{n}"))).collect(), Vec::new());
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    for n in 0..30 {
        world.ad.remove(&n.to_string());
    }
    let error = people.sync(false, false, false).await.unwrap_err();
    assert_eq!((error.rule, error.exit), (Some("R-036"), Exit::Refused));
    assert_eq!(people.list(&ListChoice::default()).await.unwrap().objects.len(), 100);
    people.sync(false, true, false).await.unwrap();
    assert_eq!(people.list(&ListChoice::default()).await.unwrap().objects.len(), 70);
}

#[tokio::test]
async fn a_signed_list_is_void_where_a_row_changed_r_056() {
    let mut theirs = account("p1", "Ann", "Lee");
    theirs.local_id = Some("1".into());
    let world = World::of(vec![person("1", "Ann", "Lee")], vec![theirs.clone()]);
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    let state = async || people.list(&ListChoice::default()).await.unwrap().objects[0].signed;
    assert_eq!(state().await, Some(SignoffState::Unsigned));
    let digest = people.list(&ListChoice::default()).await.unwrap().matching.digest;
    assert!(people.sign(SignedList::Matching, &digest, "", "x").await.is_err());
    let signed = people.sign(SignedList::Matching, &digest[..12], "Ivy Guardian", "letter of 3 May").await.unwrap();
    assert_eq!((signed.rows, signed.newly), (1, 1));
    assert_eq!(state().await, Some(SignoffState::Signed));
    theirs.names.surname = Some("Ray".into());
    world.platform.put(theirs);
    people.sync(false, false, false).await.unwrap();
    assert_eq!(state().await, Some(SignoffState::Changed));
    for stale in [&digest, "", "00000000"] {
        let error = people.sign(SignedList::Matching, stale, "Ivy Guardian", "letter of 3 May").await.unwrap_err();
        assert_eq!(error.rule, Some("R-054"), "what is signed is what was printed");
    }
}

#[tokio::test]
async fn a_persons_decision_needs_evidence_and_another_organisations_account_its_own_person() {
    let (mut weak, mut elsewhere) = (account("p1", "Ann", "Lee"), account("p2", "Bob", "Ray"));
    (weak.local_id, elsewhere.organisation) = (None, Some("RY2".into()));
    elsewhere.addresses.push(Address::smtp("person2@trust.example"));
    let world = World::of(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Ray")], vec![weak, elsewhere]);
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    let same = |key: &str| Decision::Same(key.to_owned());
    assert!(people.decide("1", same("p1"), None, " ").await.is_err());
    let decided = people.decide("1", same("p1"), Some("Ivy"), "asked her").await.unwrap();
    assert_eq!((decided.before, decided.now, decided.by.as_str()), ("unresolved", "existing", "Ivy"));
    let error = people.decide("2", same("p2"), None, "I know him").await.unwrap_err();
    assert_eq!(error.rule, Some("R-055"));
    let confirmed = Decision::Confirmed("p2".into(), Confirmed::Transferred);
    let decided = people.decide("2", confirmed, Some("Bob Ray"), "his own mail of 4 May").await.unwrap();
    assert_eq!(decided.now, "existing");
    let error = people.decide("2", same("p1"), None, "a mistake").await.unwrap_err();
    assert_eq!(error.rule, Some("R-058"));
}

/// A directory that breaks off in the middle.
struct Broken(Vec<Entry>);

#[async_trait::async_trait]
impl Directory for Broken {
    fn declaration(&self) -> DirectoryDeclaration {
        DirectoryInMemory::default().declaration()
    }

    async fn read(
        &self,
        _: Option<&DirectoryCursor>,
        sink: &mut dyn EntrySink,
    ) -> Result<DirectoryRead, connector::Error> {
        sink.take(self.0.iter().cloned().map(|entry| EntryEvent::Seen(Box::new(entry))).collect()).await?;
        Err(connector::Error::new(model::Cause::Connection, model::Scope::Run, "the connection broke"))
    }

    async fn check(&self) -> Vec<Finding> {
        Vec::new()
    }
}

#[tokio::test]
async fn a_reading_that_breaks_off_leaves_everything_as_it_was() {
    let world = World::of(vec![person("1", "Ann", "Lee")], Vec::new());
    world.open().await.sync(false, false, false).await.unwrap();
    let broken = Arc::new(Broken(vec![person("1", "Changed", "Lee"), person("2", "New", "Ray")]));
    let people = world.open_with(Opened::Read(broken)).await;
    assert_eq!(people.sync(false, false, false).await.unwrap_err().exit, Exit::Connection);
    let listed = people.list(&ListChoice::default()).await.unwrap().objects;
    assert_eq!(listed.iter().map(|line| line.name.as_str()).collect::<Vec<_>>(), ["Ann Lee"]);
}

#[tokio::test]
async fn both_address_books_are_brought_into_step_and_stay_so() {
    let world = World::of(vec![person("1", "Ann", "Lee")], vec![account("p9", "Cyd", "Ray")]);
    let people = world.open().await;
    let report = people.book_sync(false).await.unwrap();
    assert!(report.is_in_step(), "{report:?}");
    assert_eq!(report.books.iter().map(|book| (book.added, book.in_place)).collect::<Vec<_>>(), [(1, 2), (1, 2)]);
    let again = people.book_sync(false).await.unwrap();
    assert_eq!(again.books.iter().map(|book| book.added + book.changed + book.removed).sum::<usize>(), 0);
    assert!(people.book_difference().await.unwrap().is_in_step());
    assert_eq!((world.ad.all().len(), world.platform.all().len()), (2, 2));
    // Contacts are nobody: they are in no class.
    assert_eq!(people.list(&ListChoice::default()).await.unwrap().objects.len(), 1);
}

/// Ends a run at one commit, before it or right after it, or at one effect on the platform, before or after: as a sudden end
/// does.
pub(super) struct StopAt {
    moments_left: std::sync::atomic::AtomicI64,
}

impl StopAt {
    pub(super) fn new(moment: i64) -> Arc<Self> {
        Arc::new(Self { moments_left: std::sync::atomic::AtomicI64::new(moment) })
    }

    /// Is this the moment? Everything after it fails, too: the process is gone.
    pub(super) fn passes(&self) -> bool {
        self.moments_left.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) > 0
    }

    pub(super) fn was_reached(&self) -> bool {
        self.moments_left.load(std::sync::atomic::Ordering::SeqCst) < 0
    }
}

impl store::Watch for StopAt {
    fn before_commit(&self) -> Result<(), store::Error> {
        if self.passes() { Ok(()) } else { Err(store::Error::Damaged("stopped".to_owned())) }
    }

    fn after_commit(&self) {}
}

/// An answer of the platform may not come.
#[async_trait::async_trait]
impl Meddles for Arc<StopAt> {
    async fn apply(
        &self,
        platform: &DirectoryInMemory,
        changes: &[connector::PlannedChange],
        door: &dyn connector::Door,
    ) -> Result<Vec<connector::ChangeOutcome>, connector::Error> {
        let gone = || connector::Error::new(model::Cause::Connection, model::Scope::Run, "stopped");
        let mut outcomes = Vec::new();
        for change in changes {
            if !self.passes() {
                return Err(gone());
            }
            outcomes.extend(platform.apply(std::slice::from_ref(change), door).await?);
            if !self.passes() {
                return Err(gone());
            }
        }
        Ok(outcomes)
    }
}

/// Sends letters until it is stopped.
pub(super) struct StoppingMailer(pub(super) mailer::MailerInMemory, pub(super) Arc<StopAt>);

#[async_trait::async_trait]
impl mailer::Mailer for StoppingMailer {
    async fn send(&self, letter: &mailer::Letter) -> Result<(), connector::Error> {
        let gone = || connector::Error::new(model::Cause::Connection, model::Scope::Run, "stopped");
        if !self.1.passes() {
            return Err(gone());
        }
        self.0.send(letter).await?;
        if self.1.passes() { Ok(()) } else { Err(gone()) }
    }
}

#[tokio::test]
async fn stopped_at_any_moment_nothing_is_made_twice_and_nothing_is_left_out() {
    let mut moments = 0;
    loop {
        let mut list = Entry::new("g", EntryKind::List);
        list.names.display = Some("Ward 7".into());
        list.members = vec![Reference::Key("1".into()), Reference::Key("2".into())];
        let mut theirs = account("p9", "Bob", "Ray");
        theirs.local_id = Some("2".into());
        let world = World::of(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Ray"), list], vec![theirs]);
        {
            let people = world.open().await;
            people.sync(false, false, false).await.unwrap();
            approve(&people).await;
            people.close().await;
        }
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
            assert!(report.ended && report.not_done.is_empty(), "moment {moments}: {report:?}");
        }
        let made = world.platform.all();
        let count = |kind: EntryKind| made.iter().filter(|entry| entry.kind == kind).count();
        assert_eq!((count(EntryKind::Person), count(EntryKind::List)), (2, 1), "moment {moments}: {made:?}");
        let ward = made.iter().find(|entry| entry.kind == EntryKind::List).unwrap();
        assert_eq!(ward.members.len(), 2, "moment {moments}");
        people.sync(false, false, false).await.unwrap();
        assert_eq!(people.plan(true, &PlanOf::default()).await.unwrap().lines.len(), 0, "moment {moments}");
        assert_eq!(people.details().await.unwrap().accounts, 1, "moment {moments}: her password is known");
        people.close().await;
        if !stop.was_reached() {
            break;
        }
        moments += 1;
    }
    assert!(moments > 12, "{moments} moments");
}

#[tokio::test]
async fn who_comes_after_the_cut_off_date_waits_in_a_queue_and_a_leaver_is_marked() {
    let mut world = World::of(vec![person("1", "Ann", "Lee")], Vec::new());
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    approve(&people).await;
    people.apply(None).await.unwrap();
    people.close().await;
    world.text = world.text.replace("short_name", "cut_off = \"2020-01-01\"\nshort_name");
    world.ad.put(person("2", "Bob", "Ray"));
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    let plan = people.plan(true, &PlanOf::default()).await.unwrap();
    assert_eq!((plan.lines.len(), plan.joiners), (0, 1));
    let tasks = people.tasks().await.unwrap().tasks;
    assert_eq!((tasks[0].task, tasks[0].name.as_str()), ("joiner", "Bob Ray"));
    people.decide("2", Decision::Admit, Some("Ivy"), "needed on the ward").await.unwrap();
    assert_eq!(people.plan(true, &PlanOf::default()).await.unwrap().lines.len(), 1);
    world.ad.remove("1");
    people.sync(false, true, false).await.unwrap();
    assert_eq!(people.tasks().await.unwrap().tasks[0].task, "leaver");
    approve(&people).await;
    people.apply(None).await.unwrap();
    let ann = world.platform.all().into_iter().find(|entry| entry.names.given.as_deref() == Some("Ann")).unwrap();
    assert_eq!(ann.state, AccountState::Leaver);
}
