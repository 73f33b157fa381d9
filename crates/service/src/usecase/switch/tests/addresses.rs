//! Old addresses come to the account with the switch and go with its undo, whatever fails.

use std::sync::Mutex;

use connector::{
    ChangeOutcome, Directory, DirectoryCursor, DirectoryDeclaration, DirectoryRead, DirectoryTarget, EntrySink,
    PlannedChange,
};
use model::{Address, EntryKind, Side};
use store::{OldAddressRow, OldAddressState};

use super::super::directory::{Ends, Recorded, directory};
use super::*;

/// How many calls were made, and which of them fail: from the first to the second number, so.
type Calls = (usize, Option<(usize, usize, How)>);

/// A directory whose calls fail as they are told to.
#[derive(Clone, Default)]
pub(super) struct Flaky {
    pub(super) directory: DirectoryInMemory,
    calls: Arc<Mutex<Calls>>,
}

impl Flaky {
    fn begin(&self) -> Option<How> {
        let mut calls = self.calls.lock().unwrap();
        calls.0 += 1;
        let number = calls.0;
        calls.1.filter(|(from, to, _)| (*from..=*to).contains(&number)).map(|(.., how)| how)
    }

    fn refuse(&self) -> Result<(), Error> {
        match self.begin() {
            Some(How::Never) => Err(unavailable(Cause::Permission)),
            Some(_) => Err(unavailable(Cause::Connection)),
            None => Ok(()),
        }
    }

    fn fail(&self, first: usize, lasts: usize, how: How) {
        let mut calls = self.calls.lock().unwrap();
        let from = calls.0 + first;
        calls.1 = Some((from, from + lasts - 1, how));
    }

    fn works(&self) {
        self.calls.lock().unwrap().1 = None;
    }
}

#[async_trait]
impl Directory for Flaky {
    fn declaration(&self) -> DirectoryDeclaration {
        self.directory.declaration()
    }

    async fn read(&self, since: Option<&DirectoryCursor>, sink: &mut dyn EntrySink) -> Result<DirectoryRead, Error> {
        self.directory.read(since, sink).await
    }

    async fn check(&self) -> Vec<Finding> {
        Vec::new()
    }
}

#[async_trait]
impl DirectoryTarget for Flaky {
    async fn apply(&self, changes: &[PlannedChange], door: &dyn Door) -> Result<Vec<ChangeOutcome>, Error> {
        match self.begin() {
            Some(How::Before) => Err(unavailable(Cause::Connection)),
            Some(How::Never) => Ok(vec![ChangeOutcome::Refused(unavailable(Cause::Refused))]),
            Some(How::After) => {
                self.directory.apply(changes, door).await?;
                Ok(vec![ChangeOutcome::InDoubt(unavailable(Cause::InDoubt))])
            }
            None => self.directory.apply(changes, door).await,
        }
    }

    async fn find_origin(&self, origin: &str) -> Result<Vec<Entry>, Error> {
        self.directory.find_origin(origin).await
    }

    async fn entries(&self, keys: &[String]) -> Result<Vec<Entry>, Error> {
        self.refuse()?;
        self.directory.entries(keys).await
    }

    async fn holders(&self, addresses: &[String]) -> Result<Vec<Entry>, Error> {
        self.refuse()?;
        self.directory.holders(addresses).await
    }
}

pub(super) fn account(key: &str, mail: &str, more: &[&str]) -> Entry {
    let mut entry = Entry::new(key, EntryKind::Person);
    entry.mail = Some(mail.to_owned());
    entry.addresses = more.iter().map(|text| Address::parse(text)).collect();
    entry
}

/// A project whose platform has these entries, and a domain of the source in which everybody has the same address.
pub(super) async fn project_with(entries: Vec<Entry>) -> (Project, Flaky) {
    with_platform(Project::new(&[]).await, entries)
}

/// The same, of a project that is there.
pub(super) fn with_platform(mut project: Project, entries: Vec<Entry>) -> (Project, Flaky) {
    let flaky = Flaky { directory: project.sites.directory.clone(), calls: Arc::default() };
    for entry in entries {
        flaky.directory.put(entry);
    }
    addressed(&mut project, &flaky, 0);
    (project, flaky)
}

/// The switch of this project writes to this directory, and goes on after so many seconds where it can't.
fn addressed(project: &mut Project, flaky: &Flaky, seconds: u64) {
    let router = project.sites.router();
    let endpoints: Vec<i64> = project.engine.endpoints.keys().copied().collect();
    let routers = endpoints.iter().map(|endpoint| (*endpoint, router.clone())).collect();
    let mut switcher = switcher(routers, endpoints[1], &[]);
    switcher.entry.reverse_after_seconds = seconds;
    let routing = "source = { domains = [\"hill.test\"], alias_domains = [\"older.test\"], trusts_other = true }\n\
        target = { domains = [\"nation.test\"], trusts_other = true }\n";
    switcher.routing = Some(toml::from_str(routing).unwrap());
    switcher.addressing.platform = Some(Arc::new(flaky.clone()));
    project.engine.turnover = Some(Arc::new(switcher));
}

const OLD: [&str; 2] = ["ann@hill.test", "ann@older.test"];

fn has(flaky: &Flaky) -> Vec<String> {
    let all = flaky.directory.all();
    let ann = all.iter().find(|entry| entry.key == "ann").unwrap();
    ann.mail_keys().into_iter().filter(|key| OLD.contains(&key.as_str())).collect()
}

async fn states(project: &Project) -> BTreeMap<String, OldAddressState> {
    let rows = project.engine.store.old_addresses(project.engine.key, project.mailbox).await.unwrap();
    rows.into_iter().map(|row| (row.address, row.state)).collect()
}

#[tokio::test]
async fn old_addresses_come_with_the_switch_and_go_with_its_undo() {
    let before = account("ann", ANN[1], &["SMTP:ann@nation.test", "smtp:a.lee@nation.test"]);
    let (project, flaky) = project_with(vec![before.clone()]).await;
    project.order(false, 0).await;
    let mut sent = project.until_it_ends("over").await;
    assert_eq!(has(&flaky), OLD);
    assert!(states(&project).await.values().all(|state| *state == OldAddressState::Ours));
    // From inside the target mail comes straight to the new mailbox.
    let inside = project.sites.send_from(OLD[0], 1);
    assert_eq!(project.sites.copies(inside), [0, 1]);
    sent.push(inside);
    project.judge(&sent, "over").await;
    project.order(true, 0).await;
    sent.extend(project.until_it_ends("back").await);
    assert_eq!(flaky.directory.all(), [before], "it is as it was");
    assert_eq!(states(&project).await, BTreeMap::new());
    project.judge(&sent, "back").await;
}

#[tokio::test]
async fn what_was_there_before_stays_and_what_is_another_s_is_never_taken() {
    let ann = account("ann", ANN[1], &["SMTP:ann@nation.test", "smtp:ann@older.test"]);
    let other = account("other", "info@nation.test", &["smtp:Ann@Hill.test"]);
    let (mut project, flaky) = project_with(vec![ann.clone(), other.clone()]).await;
    project.order(false, 0).await;
    let outcome = project.turn().await;
    let reason = outcome.state.condition.reason().unwrap_or_default();
    assert!(reason.contains("addresses-free") && reason.contains("info@nation.test"), "told before: {reason}");
    let word = NewRuleWord {
        rule: "addresses-free".to_owned(),
        scope: RuleScope::Everybody,
        said_by: "Sue".to_owned(),
        evidence: "letter".to_owned(),
        digest: None,
        recorded_by: "me".to_owned(),
    };
    project.engine.store.add_rule_word(project.engine.key, &word).await.unwrap();
    let mut left = Vec::new();
    for _ in 0..60 {
        left.push(project.sites.send(ANN[0]));
        project.turn().await;
        if project.phase().await == Phase::Switched {
            break;
        }
    }
    assert_eq!(project.phase().await, Phase::Switched, "it holds up nobody's mail");
    assert_eq!(has(&flaky), [OLD[1]]);
    let expected = [(OLD[0], OldAddressState::Missing), (OLD[1], OldAddressState::Theirs)];
    assert_eq!(states(&project).await, expected.map(|(address, state)| (address.to_owned(), state)).into());
    assert!(flaky.directory.all().contains(&other));
    // Once it is free it comes by itself.
    flaky.directory.remove("other");
    addressed(&mut project, &flaky, 0);
    for _ in 0..40 {
        project.turn().await;
        if has(&flaky).len() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert_eq!(has(&flaky).len(), 2);
    project.judge(&left, "over").await;
    project.order(true, 0).await;
    for _ in 0..60 {
        project.turn().await;
        if has(&flaky) == [OLD[1]] {
            break;
        }
    }
    assert_eq!(has(&flaky), [OLD[1]], "what was there before us stays");
}

/// Every call of the directory fails once in each way, or for a while: the switch ends, mail comes once, and what is ours is known.
#[tokio::test]
async fn wherever_the_directory_fails_nobody_misses_a_message() {
    let ann = || account("ann", ANN[1], &["SMTP:ann@nation.test"]);
    let calls = {
        let (project, flaky) = project_with(vec![ann()]).await;
        project.order(false, 0).await;
        project.until_it_ends("counting over").await;
        let over = flaky.calls.lock().unwrap().0;
        project.order(true, 0).await;
        project.until_it_ends("counting back").await;
        [over, flaky.calls.lock().unwrap().0 - over]
    };
    assert!(calls[0] >= 3 && calls[1] >= 2, "{calls:?}");
    for (way, count) in calls.into_iter().enumerate() {
        for first in 1..=count {
            for (how, lasts) in [(How::Before, 1), (How::Before, 3), (How::After, 1), (How::Never, 1)] {
                let what = format!("way {way}, call {first} of {count}, {lasts} times {how:?}");
                let (project, flaky) = project_with(vec![ann()]).await;
                let mut sent = Vec::new();
                for is_back in [false, true] {
                    if usize::from(is_back) == way {
                        flaky.fail(first, lasts, how);
                    }
                    project.order(is_back, 0).await;
                    sent.extend(project.until_it_ends(&what).await);
                    flaky.works();
                    project.judge(&sent, &what).await;
                    if !is_back {
                        let on = has(&flaky);
                        let known = states(&project).await;
                        for address in &on {
                            assert!(known[address].may_be_ours(), "{what}: {known:?}");
                        }
                    }
                }
                assert_eq!(flaky.directory.all(), [ann()], "{what}");
                assert_eq!(states(&project).await, BTreeMap::new(), "{what}");
            }
        }
    }
}

/// With the forwarder to the source on, an old address on the account would lead mail in a circle inside the target: the check sees it, whether
/// the address is there, about to come, or about to go.
#[tokio::test]
async fn an_old_address_on_the_account_and_the_forwarder_are_never_on_together() {
    let project = Project::new(&[]).await;
    let (store, key) = (&project.engine.store, project.engine.key);
    let entry = toml::from_str(ROUTING).unwrap();
    let target = store.mailboxes(key).await.unwrap()[0].roster.target_endpoint;
    let ends = Ends { target, ..Ends::default() };
    let states = [None].into_iter().chain(OldAddressState::EVERY.map(Some));
    for state in states {
        let mut recorded = switcher(BTreeMap::new(), target, &[]).recorded(store, key).await.unwrap();
        recorded.old_addresses.extend(state.map(|state| OldAddressRow {
            mailbox: project.mailbox,
            address: ANN[0].to_owned(),
            state,
            account: Some("ann".to_owned()),
            why: None,
            tries: 0,
            at: 0,
        }));
        let (directory, wrong) = directory(&entry, &recorded, &ends, None);
        assert_eq!(wrong, []);
        let faults: Vec<routing::Fault> =
            routing::check(&directory).findings.iter().map(|finding| finding.fault).collect();
        let is_on = state.is_some_and(|state| state != OldAddressState::Missing);
        assert_eq!(faults.contains(&routing::Fault::Loop), is_on, "{state:?}: {faults:?}");
    }
}

/// Who has a further address by the source's directory gets mail there; and what was seen of the MX records counts before somebody writes it
/// down.
#[tokio::test]
async fn the_routing_check_knows_further_addresses_and_where_the_mx_was_seen() {
    let project = Project::without_forwarder(&[]).await;
    project.turn().await;
    let (store, key) = (&project.engine.store, project.engine.key);
    let target = store.mailboxes(key).await.unwrap()[0].roster.target_endpoint;
    let ends = Ends { target, ..Ends::default() };
    let entry = toml::from_str(ROUTING).unwrap();
    let mut recorded = switcher(BTreeMap::new(), target, &[]).recorded(store, key).await.unwrap();
    let checked = |recorded: &Recorded| routing::check(&directory(&entry, recorded, &ends, None).0);
    let before = checked(&recorded);
    assert_eq!(before.findings, []);
    // A further address in a domain of the source, one that is somebody's already, and one elsewhere.
    let further = ["a.lee@hill.test", ANN[0], "ann@elsewhere.test"];
    recorded.further = further.iter().map(|address| (project.mailbox, (*address).to_owned())).collect();
    let with_further = checked(&recorded);
    assert_eq!(with_further.findings, []);
    assert_eq!(with_further.addresses_checked, before.addresses_checked + 1);
    // The MX records lead to the target, which knows none of these: whatever the file says.
    let hill = routing::Domain::new("hill.test");
    let (here, there) = (routing::Mx::Site(Side::Source), routing::Mx::Site(Side::Target));
    for (place, is_found) in [
        (routing::Pending::settled(here), false),
        (routing::Pending::changing(there, here), true),
        (routing::Pending::settled(there), true),
    ] {
        recorded.exchanges = Arc::new(BTreeMap::from([(hill.clone(), place)]));
        let mut lost: Vec<String> =
            checked(&recorded).findings.iter().map(|finding| finding.address.as_str().to_owned()).collect();
        lost.dedup();
        let all = ["a.lee@hill.test", ANN[0]];
        assert_eq!(lost, if is_found { all.as_slice() } else { &[] }, "{place:?}");
    }
}
