//! An organisation in memory: its directory, the platform's, its mailboxes, and what makes each fact so, or not so.
//!
//! What is known is never said here: people are synchronised, planned, approved and made, mailboxes are looked through, copied and switched
//! by the steps of the store, issues opened and closed, the DNS looked at. The facts are read of what that leaves in the database.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use conformance::world::{World, message};
use connector::DirectoryInMemory;
use connector::memory::MemoryItem;
use model::{Condition, Entry, EntryKind, FolderPath, Phase, Side};
use mx::history::{Observation, Said};
use mx::standing::{MailRoute, Mx, Observer};
use store::{
    Again, Claim, ForecastRow, FoundRouting, IssueEnd, IssueState, LeaseTerms, MailboxRow, MailboxState, NewIssue,
    NewRuleWord, RuleScope, SwitchOrder,
};
use switch::Rule;

use crate::project::Project;
use crate::usecase::governed::{Action, Gates, Governed};
use crate::usecase::people::{Opened, PeopleProject, PlanOf};
use crate::usecase::switch::driver::Switcher;
use crate::usecase::switch::tests::InMemory;

const DOMAIN: &str = "hill.test";
/// Nobody of the programme: who works on the platform.
const SERVERS: &str = r#"
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
domain = "nation.test"
short_name = "hill"
[people.rules]
registrations = 9000
[mx.domains."hill.test"]
mx = ["10 mx.nation.test"]
"#;
const REPORTS: &str = "\n[mail]\nfrom = \"whimbrel@hill.test\"\nsmtp = { host = \"127.0.0.1\", tls = \"none\" }\n\
    [reports]\nto = [\"board@hill.test\"]\n";

pub(super) struct Estate {
    folder: tempfile::TempDir,
    ad: DirectoryInMemory,
    platform: DirectoryInMemory,
    /// People who came later.
    later: usize,
    /// A directory is another than when it was last read.
    is_other: Cell<bool>,
    /// Both platforms with everybody's mail, and what sends mail on, where the engine copies and switches.
    works: Option<Works>,
}

/// The engine's own platforms.
struct Works {
    sites: World,
    mail: InMemory,
    /// Whose mailbox is there on both sides, and how many messages it holds.
    there: RefCell<BTreeMap<i64, usize>>,
}

/// Names that are nobody else's, and like nobody else's.
fn name(number: usize) -> (String, String) {
    const PARTS: [&str; 20] = [
        "bar", "cot", "dun", "fell", "gris", "holm", "ing", "jur", "kel", "lund", "marsh", "nor", "oak", "pren",
        "quin", "rud", "stav", "thorn", "vik", "wold",
    ];
    const GIVEN: [&str; 13] =
        ["Ada", "Bryn", "Cleo", "Dora", "Emil", "Finn", "Greta", "Hugo", "Iris", "Jonas", "Kira", "Liam", "Maud"];
    let part = |place: u32| PARTS[number / 20_usize.pow(place) % 20];
    let surname = format!("{}{}{}{}", part(1), part(0), part(2), part(3));
    let (first, rest) = surname.split_at(1);
    (GIVEN[number % 13].to_owned(), format!("{}{rest}", first.to_uppercase()))
}

/// What somebody's old mailbox is called.
pub(super) fn address(number: usize) -> String {
    let (given, surname) = name(number);
    format!("{}.{}@{DOMAIN}", given.to_lowercase(), surname.to_lowercase())
}

fn person(number: usize) -> Entry {
    let key = number.to_string();
    let mut entry = Entry::new(&key, EntryKind::Person);
    let (given, surname) = name(number);
    entry.names.display = Some(format!("{given} {surname}"));
    (entry.names.given, entry.names.surname) = (Some(given), Some(surname));
    entry.mail = Some(address(number));
    entry.local_id = Some(key);
    entry.has_mailbox = true;
    entry
}

fn account(number: usize) -> Entry {
    let mut entry = person(number);
    entry.key = format!("p{number}");
    entry.organisation = Some("LM7".into());
    entry.mail = Some(address(number).replace(DOMAIN, "nation.test"));
    entry
}

/// Everybody who is not that far yet comes to this phase: claimed, worked on, given back.
pub(super) async fn come_to(governed: &Governed, phase: Phase, is_meant: impl Fn(i64) -> bool) {
    let (store, key) = (&governed.store, governed.key);
    let rows = store.mailboxes(key).await.unwrap();
    let behind = rows.iter().filter(|row| row.listed && row.state.phase < phase && is_meant(row.mailbox));
    let numbers: Vec<i64> = behind.map(|row| row.mailbox).collect();
    store.mark_due(key, &numbers).await.unwrap();
    let terms = LeaseTerms { lasts_ms: 600_000, margin_ms: 0 };
    let claim =
        Claim { among: None, holder: "script", terms, room: &[], shut: &[], only_turning: false, version: None };
    for _ in 0..numbers.len() {
        let (lease, _) = store.claim(key, &claim).await.unwrap().mailbox().unwrap();
        let state = MailboxState { phase, condition: Condition::Running, cause: None };
        store.release(&lease, &state, Again::default()).await.unwrap();
    }
}

impl Works {
    /// These are copied and switched by the engine, which asks the programme at each pass and before each switch.
    async fn switches(&self, governed: &Governed, is_meant: impl Fn(i64) -> bool) {
        let (store, key) = (&governed.store, governed.key);
        let endpoints = store.endpoints(key).await.unwrap();
        let numbers = ["local", "national"]
            .map(|wanted| endpoints.iter().find(|(_, name, _)| name == wanted).map(|(number, ..)| *number).unwrap());
        let rows = store.mailboxes(key).await.unwrap();
        let is_one = |row: &&MailboxRow| row.listed && row.state.phase < Phase::Switched && is_meant(row.mailbox);
        let rows: Vec<MailboxRow> = rows.iter().filter(is_one).cloned().collect();
        for row in &rows {
            self.settles(row);
            let (mailbox, reason, said_by) = (row.mailbox, "their day".to_owned(), "Sue".to_owned());
            let order = SwitchOrder { mailbox, is_back: false, at: 0, reason, said_by, said_at: 0 };
            store.order_switch(key, &order).await.unwrap();
        }
        // Where calendars are shared during the migration that they are is a word.
        let word = NewRuleWord {
            rule: Rule::CalendarCoexistence.name().to_owned(),
            scope: RuleScope::Everybody,
            said_by: "Sue".to_owned(),
            evidence: "letter".to_owned(),
            digest: None,
            recorded_by: "me".to_owned(),
        };
        store.add_rule_word(key, &word).await.unwrap();
        let mut engine = self.sites.engine_of(store.clone(), key, numbers, &rows);
        engine.consent = Some(Arc::new(Gates::of(&governed.config)));
        let gates = Some(Arc::new(Gates::of(&governed.config)));
        engine.turnover = Some(Arc::new(Switcher { gates, ..self.mail.switcher(numbers) }));
        let mut left: Vec<i64> = rows.iter().map(|row| row.mailbox).collect();
        for _ in 0..TURNS_MAX {
            let end = engine.run(&left).await;
            assert!(end.failure.is_none(), "{:?}", end.failure);
            let now = store.mailboxes(key).await.unwrap();
            let is_over = |mailbox: &i64| {
                let row = now.iter().find(|row| row.mailbox == *mailbox).unwrap();
                row.state.phase >= Phase::Switched
            };
            left.retain(|mailbox| !is_over(mailbox));
            if left.is_empty() {
                break;
            }
        }
        let states = store.mailboxes(key).await.unwrap();
        let stuck = states.iter().find(|row| left.contains(&row.mailbox));
        assert!(left.is_empty(), "{} are not switched: {:?}", left.len(), stuck.map(|row| &row.state));
        for row in &rows {
            self.has_all(row);
            self.is_led(governed, row).await;
        }
    }

    /// Somebody has a mailbox on both sides, with mail in the old one.
    fn settles(&self, row: &MailboxRow) {
        let mut there = self.there.borrow_mut();
        if there.contains_key(&row.mailbox) {
            return;
        }
        let (source, target) = (&row.roster.source_name, &row.roster.target_name);
        self.sites.source.add_mailbox(source);
        self.sites.target.add_mailbox(target);
        let count = 1 + usize::try_from(row.mailbox).unwrap() % 3;
        for number in 0..count {
            let item = MemoryItem::message(message(number, source), 1_500_000_000 + number as i64);
            self.sites.source.deliver(source, &FolderPath::inbox(), item);
        }
        there.insert(row.mailbox, count);
    }

    /// All mail of somebody who is switched is on the target, each message once.
    fn has_all(&self, row: &MailboxRow) {
        let (source, target) = (&row.roster.source_name, &row.roster.target_name);
        let [old, new] = [(&self.sites.source, source), (&self.sites.target, target)].map(|(platform, name)| {
            let all = platform.dump(name);
            let mut bytes: Vec<Vec<u8>> =
                all.values().flat_map(BTreeMap::values).map(|item| Vec::from(&*item.bytes)).collect();
            bytes.sort();
            bytes
        });
        assert_eq!(new.len(), self.there.borrow()[&row.mailbox], "{target}");
        assert_eq!(old, new, "{target}");
    }

    /// Mail to the old address goes on to the new one, as `forwarder find` would see it.
    async fn is_led(&self, governed: &Governed, row: &MailboxRow) {
        let redirected_to = self.mail.leads(&row.roster.source_name);
        assert_eq!(redirected_to.as_ref(), Some(&row.roster.target_name));
        let mailbox = row.mailbox;
        let found = FoundRouting { mailbox, side: Side::Source, redirected_to, unread: Vec::new(), seen_at: 0 };
        governed.store.set_found_routing(governed.key, &found, &[]).await.unwrap();
    }
}

/// The engine takes everybody up so often, at most, until they are switched.
const TURNS_MAX: usize = 40;

impl Estate {
    /// So many people, of whom the last so many have no account on the platform yet.
    pub(super) fn of(folder: tempfile::TempDir, people: usize, new: usize) -> Self {
        let ad = DirectoryInMemory::with((0..people).map(person));
        let platform = DirectoryInMemory::with((0..people - new).map(account));
        let path = folder.path().join(crate::PROJECT_FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text + SERVERS).unwrap();
        Self { folder, ad, platform, later: 0, is_other: Cell::new(true), works: None }
    }

    /// From now on the engine copies and switches, between two platforms in memory.
    pub(super) fn with_engine(&mut self) {
        let sites = World::new();
        let mail = InMemory::new([sites.source.clone(), sites.target.clone()]);
        self.works = Some(Works { sites, mail, there: RefCell::default() });
    }

    pub(super) fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The organisation's directory, which is about to be another.
    fn ad_now(&self) -> &DirectoryInMemory {
        self.is_other.set(true);
        &self.ad
    }

    /// The project's file is written again, and read.
    fn rewrite(&self, governed: &mut Governed, change: impl FnOnce(String) -> String) {
        let path = self.path().join(crate::PROJECT_FILE);
        std::fs::write(&path, change(std::fs::read_to_string(&path).unwrap())).unwrap();
        governed.config = crate::config::Config::read(self.path()).unwrap();
    }

    async fn plane(&self, governed: &Governed) -> PeopleProject {
        let (config, store) = (governed.config.clone(), governed.store.clone());
        let entry = config.file.people.clone().unwrap();
        let written = |directory: &DirectoryInMemory| Opened::Written(Arc::new(directory.clone()));
        let sources = vec![("ad".to_owned(), written(&self.ad))];
        let platform = Some(("platform".to_owned(), written(&self.platform)));
        Box::pin(PeopleProject::with(config, entry, store, sources, platform)).await.unwrap()
    }

    /// The directories are read, and the roster follows them.
    pub(super) async fn sync(&self, governed: &Governed) {
        if !self.is_other.replace(false) {
            return;
        }
        let plane = self.plane(governed).await;
        Box::pin(plane.sync(false, true, false)).await.unwrap();
        self.roster(governed).await;
    }

    /// The directories are read once more, though nothing is otherwise.
    pub(super) async fn reads_again(&self, governed: &Governed) {
        self.is_other.set(true);
        self.sync(governed).await;
    }

    async fn roster(&self, governed: &Governed) {
        let (store, config) = (governed.store.clone(), governed.config.clone());
        Box::pin(Project::open_in(store, config)).await.unwrap();
    }

    /// Every account that is missing is planned, approved and made; those of these people, where some are named.
    pub(super) async fn provision(&self, governed: &Governed, who: Vec<String>) -> Result<usize, crate::Error> {
        let plane = self.plane(governed).await;
        let plan = Box::pin(plane.plan(false, &PlanOf { who, first: None })).await.unwrap();
        let Some(number) = plan.plan else { return Ok(0) };
        Box::pin(plane.approve(number, &plan.digest[..12], "The board")).await?;
        let applied = Box::pin(plane.apply(None)).await?;
        self.is_other.set(true);
        self.sync(governed).await;
        Ok(applied.done)
    }

    /// Somebody is not there any more, if they were.
    fn leaves(&self, key: &str) {
        if self.ad.all().iter().any(|entry| entry.key == key) {
            self.ad_now().remove(key);
        }
    }

    /// The plan that was approved is carried out, or goes on.
    pub(super) async fn carries_on(&self, governed: &Governed) -> usize {
        let plane = self.plane(governed).await;
        let applied = Box::pin(plane.apply(None)).await.unwrap();
        self.is_other.set(true);
        self.sync(governed).await;
        applied.done
    }

    /// Somebody comes who has an account, and a mailbox that nobody has looked at.
    async fn joins(&mut self, governed: &Governed) {
        self.later += 1;
        self.ad_now().put(person(100_000 + self.later));
        self.platform.put(account(100_000 + self.later));
        self.sync(governed).await;
    }

    /// Every mailbox was looked through, item by item, and fits.
    async fn looked_through(&self, governed: &Governed) {
        let (store, key) = (&governed.store, governed.key);
        let seen = store.predictions(key).await.unwrap();
        let is_fine =
            |mailbox: i64| seen.get(&mailbox).is_some_and(|row| row.is_read && row.detail.contains("\"fits\":true"));
        for row in store.mailboxes(key).await.unwrap() {
            if !is_fine(row.mailbox) {
                self.looked(governed, row.mailbox, true, true).await;
            }
        }
    }

    async fn looked(&self, governed: &Governed, mailbox: i64, fits: bool, is_read: bool) {
        let detail = serde_json::json!({ "fits": fits, "items": 12 }).to_string();
        let forecast =
            ForecastRow { at: 0, policy: "p".to_owned(), is_read, is_begun: false, detail, items: Vec::new() };
        governed.store.add_forecast(governed.key, mailbox, &forecast).await.unwrap();
    }

    async fn first(&self, governed: &Governed) -> i64 {
        governed.store.mailboxes(governed.key).await.unwrap()[0].mailbox
    }

    /// Everybody who is not that far yet comes to this phase.
    pub(super) async fn comes_to(&self, governed: &Governed, phase: Phase, is_meant: impl Fn(i64) -> bool) {
        match &self.works {
            Some(works) => works.switches(governed, is_meant).await,
            None => come_to(governed, phase, is_meant).await,
        }
    }

    async fn routing(&self, governed: &Governed, mailbox: i64, forwarders: &[String]) {
        let redirected_to = Some("robin@nation.test".to_owned());
        let found = FoundRouting { mailbox, side: Side::Source, redirected_to, unread: Vec::new(), seen_at: 0 };
        governed.store.set_found_routing(governed.key, &found, forwarders).await.unwrap();
    }

    async fn routings(&self, governed: &Governed) {
        let (store, key) = (&governed.store, governed.key);
        let left: Vec<i64> = store.found_forwarders(key).await.unwrap().iter().map(|row| row.mailbox).collect();
        let seen: Vec<i64> = store.found_routings(key).await.unwrap().iter().map(|row| row.mailbox).collect();
        for row in store.mailboxes(key).await.unwrap() {
            if left.contains(&row.mailbox) || !seen.contains(&row.mailbox) {
                self.routing(governed, row.mailbox, &[]).await;
            }
        }
    }

    async fn opens_an_issue(&self, governed: &Governed) {
        let new = NewIssue {
            mailbox: None,
            kind: "calendar".to_owned(),
            is_of_items: false,
            owner: "provider".to_owned(),
            what: "a room is booked twice".to_owned(),
            action: "ask the ward".to_owned(),
            follows: None,
            seen_at: 0,
        };
        governed.store.open_issue(governed.key, &new, "kim").await.unwrap();
    }

    async fn takes_up_issues(&self, governed: &Governed, is_closed: bool) {
        let (store, key) = (&governed.store, governed.key);
        for row in store.issues(key).await.unwrap().iter().filter(|row| row.state != IssueState::Closed) {
            store.assign_issue(key, row.issue, "Grace Adeyemi").await.unwrap();
            if is_closed {
                let resolution = Some("booked anew".to_owned());
                let end = IssueEnd { by: "Grace Adeyemi".to_owned(), resolution, disposition: None, reason: None };
                store.close_issues(key, &[row.issue], &end).await.unwrap();
            }
        }
    }

    async fn looks_at_the_dns(&self, governed: &Governed, leads_to: &str) {
        let at = governed.moment().await.unwrap().at;
        let name = |name: &str| name.parse().unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 53));
        let by = Observer::Authoritative { name: name("ns.hill.test"), address };
        let mail = MailRoute::Mx(vec![Mx { preference: 10, exchange: name(leads_to) }]);
        let look = Observation { at, said: vec![(by, Some(Said { mail, ttl_seconds: 300 }))], incomplete: false };
        let look = serde_json::to_string(&look).unwrap();
        governed.store.add_mx_look(governed.key, DOMAIN, &look).await.unwrap();
    }

    /// From now on this is so, or is not.
    pub(super) async fn makes(&mut self, governed: &mut Governed, fact: &str, is_met: bool) {
        match (fact, is_met) {
            ("formats", true) => self.sync(governed).await,
            ("addresses-matched", true) => {
                self.leaves("nameless");
                self.sync(governed).await;
            }
            ("addresses-matched", false) => {
                let mut nameless = person(0);
                "nameless".clone_into(&mut nameless.key);
                (nameless.names.surname, nameless.local_id) = (None, None);
                nameless.mail = Some(format!("nameless@{DOMAIN}"));
                self.ad_now().put(nameless);
                self.sync(governed).await;
            }
            ("new-accounts-provisioned", true) => {
                self.leaves("90000");
                self.sync(governed).await;
                self.provision(governed, Vec::new()).await.unwrap();
            }
            ("new-accounts-provisioned", false) => {
                self.ad_now().put(person(90_000));
                self.sync(governed).await;
            }
            ("pilot-accounts-provisioned", true) => {
                if governed.record.is_pilot(&address(90_001)) {
                    let (person, why) = (address(90_001), "they left".to_owned());
                    governed.act(Action::LeavePilot { person, why }).await.unwrap();
                }
                self.leaves("90001");
                self.sync(governed).await;
                let pilot = governed.record.pilot_people().map(|(who, _)| who.to_owned()).collect();
                self.provision(governed, pilot).await.unwrap();
            }
            // Whoever is to be switched has an account first.
            ("pilot-switched", true) => {
                self.sync(governed).await;
                let pilot = governed.record.pilot_people().map(|(who, _)| who.to_owned()).collect();
                self.provision(governed, pilot).await.unwrap();
                let rows = governed.store.mailboxes(governed.key).await.unwrap();
                let is_pilot = |row: &&MailboxRow| governed.record.is_pilot(&row.roster.source_name);
                let pilot: BTreeSet<i64> = rows.iter().filter(is_pilot).map(|row| row.mailbox).collect();
                self.comes_to(governed, Phase::Switched, |mailbox| pilot.contains(&mailbox)).await;
            }
            ("pilot-accounts-provisioned", false) => {
                self.ad_now().put(person(90_001));
                self.sync(governed).await;
                governed.act(Action::NamePilot { people: vec![address(90_001)] }).await.unwrap();
            }
            (
                "quota-checked" | "sizes-checked" | "attachments-checked" | "source-reachable" | "target-reachable",
                true,
            ) => {
                self.sync(governed).await;
                self.looked_through(governed).await;
            }
            ("quota-checked", false) => self.looked(governed, self.first(governed).await, false, true).await,
            ("attachments-checked", false) => self.looked(governed, self.first(governed).await, true, false).await,
            ("sizes-checked" | "all-in-scope-through-switch" | "people-switched", false) => self.joins(governed).await,
            ("all-in-scope-through-switch" | "people-switched", true) => {
                self.leaves("90000");
                self.sync(governed).await;
                self.provision(governed, Vec::new()).await.unwrap();
                self.comes_to(governed, Phase::Switched, |_| true).await;
            }
            ("reports-set-up", true) => self.rewrite(governed, |text| text + REPORTS),
            ("reports-set-up", false) => self.rewrite(governed, |text| text.replace(REPORTS, "")),
            ("forwarders-f1-f2-gone" | "forwarders-only-after-mx", true) => self.routings(governed).await,
            ("forwarders-f1-f2-gone", false) => {
                self.routing(governed, self.first(governed).await, &["{}".to_owned()]).await;
            }
            ("forwarders-only-after-mx" | "mx-changed", false) => {
                self.looks_at_the_dns(governed, "mx.hill.test").await;
                if fact != "mx-changed" {
                    self.joins(governed).await;
                    self.comes_to(governed, Phase::Switched, |_| true).await;
                }
            }
            ("mx-changed", true) => self.looks_at_the_dns(governed, "mx.nation.test").await,
            ("pilot-issues-have-actions", true) => self.takes_up_issues(governed, false).await,
            ("issues-resolved-or-handed-over", true) => self.takes_up_issues(governed, true).await,
            ("issues-resolved-or-handed-over" | "pilot-issues-have-actions", false) => {
                self.opens_an_issue(governed).await;
            }
            // What no database can know is decided.
            (other, is_met) => {
                let verdict = if is_met { programme::Verdict::Yes } else { programme::Verdict::No };
                let (decision, outcome) = (other.to_owned(), "as was seen".to_owned());
                let (by, why) = ("The board".to_owned(), "it was shown".to_owned());
                let row =
                    governed.programme.decisions.iter().find(|row| row.id == decision).expect("it may be decided");
                let role = row.decided_by.first().expect("somebody decides it").clone();
                governed.by(&role).act(Action::Decide { decision, verdict, outcome, by, why }).await.unwrap();
            }
        }
    }
}
