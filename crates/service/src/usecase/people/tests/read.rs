//! What a reading may change by itself, and what a person has to say first.

use super::*;

fn people(count: usize) -> Vec<Entry> {
    (0..count).map(|n| person(&n.to_string(), "Ann", &format!("Lee{n}"))).collect()
}

async fn left(people: &PeopleProject) -> usize {
    people.list(&ListChoice::default()).await.unwrap().objects.len()
}

#[tokio::test]
async fn half_of_a_directory_is_never_gone_by_itself() {
    let world = World::of(people(15), Vec::new());
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    for n in 0..8 {
        world.ad.remove(&n.to_string());
    }
    assert_eq!(people.sync(false, false, false).await.unwrap_err().rule, Some("R-036"));
    assert_eq!(left(&people).await, 15);
    people.sync(false, true, false).await.unwrap();
    assert_eq!(left(&people).await, 7);
    // What was accepted does not count against those that go later.
    world.ad.remove("9");
    people.sync(false, false, false).await.unwrap();
    assert_eq!(left(&people).await, 6);
}

#[tokio::test]
async fn a_few_at_a_time_add_up_over_a_day() {
    let world = World::of(people(100), Vec::new());
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    let remove = |from: usize, to: usize| (from..to).for_each(|n| world.ad.remove(&n.to_string()));
    remove(0, 15);
    people.sync(false, false, false).await.unwrap();
    remove(15, 30);
    let error = people.sync(false, false, false).await.unwrap_err();
    assert!(error.what.contains("30 of 100"), "{error}");
    assert_eq!(left(&people).await, 85);
}

#[tokio::test]
async fn a_platform_that_lacks_the_organisations_own_accounts_is_refused_however_large_it_is() {
    let foreign = (0..1000).map(|n| {
        let mut account = account(&format!("f{n}"), "Cyd", &format!("Ray{n}"));
        account.organisation = Some("RY2".into());
        account
    });
    let own = (0..50).map(|n| {
        let mut account = account(&format!("p{n}"), "Ann", &format!("Lee{n}"));
        account.local_id = Some(n.to_string());
        account
    });
    let world = World::of(people(50), foreign.chain(own).collect());
    let people = world.open().await;
    let read = people.sync(false, false, false).await.unwrap();
    assert_eq!(read.classes.unwrap()["existing"], 50);
    for n in 0..50 {
        world.platform.remove(&format!("p{n}"));
    }
    let error = people.sync(false, false, false).await.unwrap_err();
    assert_eq!(error.rule, Some("R-036"));
    assert!(error.what.contains("50 of 50 accounts of the organisation's own"), "{error}");
    assert_eq!(
        people.plan(false, &PlanOf::default()).await.unwrap_err().rule,
        Some("R-036"),
        "and nobody is new for it"
    );
}

#[tokio::test]
async fn another_scope_of_reading_makes_nobody_a_leaver() {
    let mut world = World::of(people(100), Vec::new());
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    people.close().await;
    world.text = world.text.replace("path = \"a.csv\"", "path = \"a2.csv\"");
    world.ad.remove("1");
    let people = world.open().await;
    let error = people.sync(false, false, false).await.unwrap_err();
    assert_eq!(error.rule, Some("R-036"));
    assert!(error.what.contains("another scope"), "{error}");
    people.sync(false, true, false).await.unwrap();
    people.sync(false, false, false).await.unwrap();
    assert_eq!(left(&people).await, 99);
}

/// A directory that tells faults, and counts how often it was read whole.
struct Faulty(DirectoryInMemory, std::sync::Mutex<Vec<EntryEvent>>, Arc<std::sync::atomic::AtomicUsize>);

#[async_trait::async_trait]
impl Directory for Faulty {
    fn declaration(&self) -> DirectoryDeclaration {
        self.0.declaration()
    }

    async fn read(
        &self,
        since: Option<&DirectoryCursor>,
        sink: &mut dyn EntrySink,
    ) -> Result<DirectoryRead, connector::Error> {
        if since.is_none() {
            self.2.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
        let faults = std::mem::take(&mut *self.1.lock().unwrap());
        sink.take(faults).await?;
        self.0.read(since, sink).await
    }

    async fn check(&self) -> Vec<Finding> {
        Vec::new()
    }
}

#[tokio::test]
async fn who_left_while_something_could_not_be_read_is_told_by_the_next_whole_reading() {
    let world = World::of(people(10), Vec::new());
    world.open().await.sync(false, false, false).await.unwrap();
    world.ad.remove("1");
    let fault = |key: Option<&str>, what: &str| EntryEvent::Faulty {
        key: key.map(str::to_owned),
        place: "row 7".into(),
        what: what.into(),
    };
    let faults = vec![fault(None, "no key"), fault(Some("3"), "no name"), fault(None, "no mail")];
    let whole = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let broken = Faulty(world.ad.clone(), std::sync::Mutex::new(faults), whole.clone());
    let people = world.open_with(Opened::Read(Arc::new(broken))).await;
    let report = people.sync(false, false, true).await.unwrap();
    assert_eq!((report.directories[0].faults_count, report.directories[0].gone), (2, 0), "{report:?}");
    let told: Vec<_> =
        report.directories[0].faults.iter().map(|(place, what)| (place.as_str(), what.as_str())).collect();
    assert_eq!(told, [("row 7", "no key; no mail"), ("row 7 (2)", "no name")]);
    assert_eq!(left(&people).await, 10);
    people.sync(false, false, false).await.unwrap();
    assert_eq!((left(&people).await, whole.load(std::sync::atomic::Ordering::SeqCst)), (9, 2));
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let world = World::of(people(2), Vec::new());
    let people = world.open().await;
    let report = people.sync(true, false, false).await.unwrap();
    assert_eq!((report.directories[0].new, report.classes), (2, None));
    assert!(people.store.directories(people.key).await.unwrap().is_empty());
    // Nor does it wait for who holds the people.
    let lease = people.hold().await.unwrap();
    people.sync(true, false, false).await.unwrap();
    people.plan(true, &PlanOf::default()).await.unwrap();
    people.store.leave_people(&lease).await.unwrap();
}
