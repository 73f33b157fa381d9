//! Switches on two sites in memory, where routers fail at every point, and mail comes all the time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use conformance::world::{World, message};
use connector::memory::{MemoryItem, Platform, Traits};
use connector::router::{Destination, Evidence, Force, Forwarder, ForwarderOwner, LocalCopy, OurRedirect, SenderMode};
use connector::{DirectoryInMemory, Door, Effect, Error, Finding, Recipient, Rerouted, RouterOffers, Routing};
use model::{Entry, FolderPath};
use movement::{Engine, MailboxOutcome};
use store::{NewForwarder, NewRuleWord, RuleScope, SwitchOrder};

use async_trait::async_trait;
use connector::Router;
use jiff::tz::TimeZone;
use model::{Cause, Phase, Scope};
use switch::Rule;

use super::addresses::{Addressing, RosterAddresses};
use super::driver::Switcher;
use super::exchanges::Exchanges;
use super::lists::Lists;
use super::look::Looks;
use crate::config::SwitchEntry;

mod activated;
mod addresses;
mod guards;
mod inventory;
mod real_routers;
mod schedules;
mod stops;

/// The target takes no larger item.
const ITEM_BYTES_MAX: u64 = 100_000;
pub(super) const ANN: [&str; 2] = ["ann@hill.test", "ann@nation.test"];

/// How a call of a router fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// Nothing happens, and it may work another time.
    Before,
    /// It happens, and the answer is lost.
    After,
    /// Nothing happens, now or ever.
    Never,
}

/// What both sites do with mail, and how their routers fail.
#[derive(Default)]
pub(super) struct Mail {
    /// By address: where ours leads.
    pub(super) redirects: BTreeMap<String, String>,
    /// By address: rules of the person's own.
    rules: BTreeMap<String, Forwarder>,
    calls: usize,
    /// Calls from the first to the second number fail so.
    failing: Vec<(usize, usize, How)>,
    sent: usize,
}

#[derive(Clone)]
pub(super) struct Sites {
    mail: Arc<Mutex<Mail>>,
    platforms: [Platform; 2],
    /// The target's directory: who has which addresses there.
    directory: DirectoryInMemory,
    /// The server that says where mail goes, where that is a real one.
    real: Option<Arc<dyn real_routers::Site>>,
}

/// A switcher whose both routers are in memory, and where each of them leads an address, if it does.
pub(in crate::usecase) struct InMemory {
    sites: Sites,
}

impl InMemory {
    pub(in crate::usecase) fn new(platforms: [Platform; 2]) -> Self {
        let directory = DirectoryInMemory::default();
        Self { sites: Sites { mail: Arc::default(), platforms, directory, real: None } }
    }

    /// What switches between the endpoints of these numbers, source and target.
    pub(in crate::usecase) fn switcher(&self, numbers: [i64; 2]) -> Switcher {
        let routers = numbers.into_iter().map(|number| (number, self.sites.router())).collect();
        switcher(routers, numbers[1], &[])
    }

    /// Where mail to this address is sent on to, if it is.
    pub(in crate::usecase) fn leads(&self, at: &str) -> Option<String> {
        self.sites.leads(at)
    }
}

impl Sites {
    pub(super) fn mail(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap()
    }

    /// The router of both sides.
    fn router(&self) -> Arc<dyn Router> {
        match &self.real {
            Some(real) => Arc::new(real_routers::FailingRouter { sites: self.clone(), router: real.router() }),
            None => Arc::new(MemoryRouter { sites: self.clone() }),
        }
    }

    /// Where mail to this address is sent on to, if it is.
    fn leads(&self, at: &str) -> Option<String> {
        match &self.real {
            Some(real) => real.leads(at),
            None => self.mail().redirects.get(at).cloned(),
        }
    }

    /// Every address whose mail is sent on, with where it goes.
    fn redirects(&self) -> BTreeMap<String, String> {
        match &self.real {
            Some(_) => ANN.iter().filter_map(|at| Some(((*at).to_owned(), self.leads(at)?))).collect(),
            None => self.mail().redirects.clone(),
        }
    }

    /// Sends a message to this address. Its number. Fails when it goes round.
    pub(super) fn send(&self, to: &str) -> usize {
        self.send_from(to, usize::from(to.ends_with("nation.test")))
    }

    /// The same, from somebody inside a side: the target knows its own addresses, whatever their domain.
    fn send_from(&self, to: &str, mut side: usize) -> usize {
        let own: Vec<String> =
            self.directory.all().iter().filter(|entry| entry.key == "ann").flat_map(Entry::mail_keys).collect();
        let number = {
            let mut mail = self.mail();
            mail.sent += 1;
            10_000 + mail.sent
        };
        let mut at = to.to_owned();
        for _ in 0..5 {
            if side == 1 && own.contains(&at) {
                at = ANN[1].to_owned();
            }
            side = usize::from(at.ends_with("nation.test"));
            match self.leads(&at) {
                Some(next) => at = next,
                None => {
                    let item = MemoryItem::message(message(number, "late"), 1_700_000_000 + number as i64);
                    self.platforms[side].deliver(&at, &FolderPath::inbox(), item);
                    return number;
                }
            }
        }
        panic!("mail to {to} goes round: {:?}, {own:?}", self.redirects());
    }

    /// How often a message lies on each side.
    fn copies(&self, number: usize) -> [usize; 2] {
        let bytes = message(number, "late");
        let count = |side: usize| {
            let all = self.platforms[side].dump(ANN[side]);
            all.values().flat_map(BTreeMap::values).filter(|item| *item.bytes == *bytes).count()
        };
        [count(0), count(1)]
    }
}

pub(super) struct MemoryRouter {
    pub(super) sites: Sites,
}

fn unavailable(cause: Cause) -> Error {
    Error::new(cause, Scope::Mailbox, "the site does as it pleases")
}

impl MemoryRouter {
    /// Does something at the site, unless it fails.
    fn change(&self, door: &dyn Door, change: impl FnOnce(&mut Mail) -> bool) -> Result<Rerouted, Error> {
        let how = self.sites.mail().begin();
        if let Some(how @ (How::Before | How::Never)) = how {
            return Err(unavailable(if how == How::Before { Cause::Unavailable } else { Cause::Refused }));
        }
        door.before(Effect::Route)?;
        let changed = change(&mut self.sites.mail());
        door.after(Effect::Route);
        if how == Some(How::After) {
            return Err(unavailable(Cause::InDoubt));
        }
        let (before, after) = (Evidence::default(), Evidence::default());
        Ok(Rerouted { changed, before, after, notes: Vec::new() })
    }
}

impl Mail {
    fn begin(&mut self) -> Option<How> {
        self.calls += 1;
        let failing = self.failing.iter().find(|(from, to, _)| (*from..=*to).contains(&self.calls));
        failing.map(|(.., how)| *how)
    }

    /// From now on the first of so many calls, and so many in all, fail so.
    fn fail(&mut self, first: usize, lasts: usize, how: How) {
        let from = self.calls + first;
        self.failing.push((from, from.saturating_add(lasts - 1), how));
    }
}

#[async_trait]
impl Router for MemoryRouter {
    fn offers(&self) -> RouterOffers {
        RouterOffers {
            platform: "memory",
            sender: SenderMode::TrustedRelay,
            keeps_no_copy: true,
            lists_all: false,
            asks_people: false,
            by_address: false,
        }
    }

    async fn read(&self, who: &Recipient) -> Result<Routing, Error> {
        let mut mail = self.sites.mail();
        match mail.begin() {
            Some(How::Never) => return Err(unavailable(Cause::Refused)),
            Some(_) => return Err(unavailable(Cause::Unavailable)),
            None => {}
        }
        let ours = mail.redirects.get(&who.addresses[0]);
        let ours = ours.map(|to| OurRedirect { to: to.clone(), ineffective: None });
        let others = mail.rules.get(&who.addresses[0]).cloned().into_iter().collect();
        Ok(Routing { ours, others, ..Routing::default() })
    }

    async fn redirect(&self, who: &Recipient, to: &str, door: &dyn Door) -> Result<Rerouted, Error> {
        let (at, to) = (who.addresses[0].clone(), to.to_owned());
        self.change(door, |mail| mail.redirects.insert(at, to.clone()) != Some(to))
    }

    async fn release(&self, who: &Recipient, door: &dyn Door) -> Result<Rerouted, Error> {
        let at = who.addresses[0].clone();
        self.change(door, |mail| mail.redirects.remove(&at).is_some())
    }

    async fn check(&self, _: Option<&Recipient>) -> Vec<Finding> {
        Vec::new()
    }
}

pub(super) fn switcher(routers: BTreeMap<i64, Arc<dyn Router>>, target: i64, require: &[Rule]) -> Switcher {
    Switcher {
        routers,
        inventory: BTreeMap::new(),
        looks: Looks::default(),
        routing: Some(toml::from_str(ROUTING).unwrap()),
        entry: SwitchEntry {
            drain_quiet_seconds: 0,
            reverse_after_seconds: 0,
            retry_seconds: 1,
            require: require.iter().map(|rule| rule.name().to_owned()).collect(),
            ..SwitchEntry::default()
        },
        zone: TimeZone::UTC,
        target,
        is_match_signed: true,
        platform: None,
        lists: Lists::default(),
        accounts: None,
        addressing: Addressing::default(),
        accesses: BTreeMap::new(),
        exchanges: Exchanges::default(),
        roster: RosterAddresses::default(),
        gates: None,
    }
}

/// A project between two sites, with ann in it.
pub(super) struct Project {
    world: World,
    pub(super) sites: Sites,
    pub(super) engine: Engine,
    pub(super) mailbox: i64,
}

const ROUTING: &str = "source = { domains = [\"hill.test\"], trusts_other = true }\n\
    target = { domains = [\"nation.test\"], trusts_other = true }\n";

impl Project {
    async fn new(require: &[Rule]) -> Self {
        let project = Self::without_forwarder(require).await;
        project.forward().await;
        project.turn().await;
        assert_eq!(project.sites.mail().redirects.get(ANN[1]).map(String::as_str), Some(ANN[0]), "it is on at once");
        project
    }

    pub(super) async fn without_forwarder(require: &[Rule]) -> Self {
        Self::at(require, None).await
    }

    /// One whose mail goes by what a real server says, where one is given. Its forwarder is not there.
    async fn at(require: &[Rule], real: Option<Arc<dyn real_routers::Site>>) -> Self {
        let mut world =
            World::with(Traits::default(), Traits { item_bytes_max: Some(ITEM_BYTES_MAX), ..Traits::default() });
        world.person_of(ANN[0], ANN[1]);
        for n in 0..3 {
            world.source.deliver(ANN[0], &FolderPath::inbox(), MemoryItem::message(message(n, "old"), 1_000_000_000));
        }
        let platforms = [world.source.clone(), world.target.clone()];
        let sites = Sites { mail: Arc::default(), platforms, directory: DirectoryInMemory::default(), real };
        let (mut engine, mailboxes) = world.engine().await;
        let router = sites.router();
        let routers = engine.endpoints.keys().map(|endpoint| (*endpoint, router.clone())).collect();
        let target = engine.store.mailboxes(engine.key).await.unwrap()[0].roster.target_endpoint;
        let switcher = switcher(routers, target, require);
        engine.turnover = Some(Arc::new(switcher));
        Self { world, sites, engine, mailbox: mailboxes[0] }
    }

    /// Its forwarder is to come.
    pub(super) async fn forward(&self) {
        let (mailbox, said_by) = (self.mailbox, "me".to_owned());
        let forwarder = NewForwarder { mailbox, leads_to: ANN[0].to_owned(), allowed: None, said_by };
        assert!(self.engine.store.add_forwarder(self.engine.key, &forwarder).await.unwrap());
    }

    /// What fails for good is reversed at once, and tried again after so many seconds.
    fn with_reverse_after(&mut self, seconds: u64) {
        let router = self.sites.router();
        let endpoints: Vec<i64> = self.engine.endpoints.keys().copied().collect();
        let routers = endpoints.iter().map(|endpoint| (*endpoint, router.clone())).collect();
        let mut switcher = switcher(routers, endpoints[1], &[]);
        switcher.entry.reverse_after_seconds = seconds;
        self.engine.turnover = Some(Arc::new(switcher));
    }

    /// The same, with these routers left: of the source, of the target.
    fn left_with(&mut self, left: [bool; 2]) {
        let router = self.sites.router();
        let endpoints: Vec<i64> = self.engine.endpoints.keys().copied().collect();
        let kept = endpoints.iter().zip(left).filter(|(_, is_left)| *is_left);
        let routers = kept.map(|(endpoint, _)| (*endpoint, router.clone())).collect();
        self.engine.turnover = Some(Arc::new(switcher(routers, endpoints[1], &[])));
    }

    pub(super) async fn turn(&self) -> MailboxOutcome {
        let end = self.engine.run(&[self.mailbox]).await;
        assert!(end.failure.is_none(), "{:?}", end.failure);
        end.outcomes.into_iter().next().expect("it was worked on")
    }

    pub(super) async fn order(&self, is_back: bool, at: i64) {
        let (mailbox, reason, said_by) = (self.mailbox, "why".to_owned(), "Sue".to_owned());
        let order = SwitchOrder { mailbox, is_back, at, reason, said_by, said_at: 0 };
        self.engine.store.order_switch(self.engine.key, &order).await.unwrap();
    }

    pub(super) async fn phase(&self) -> Phase {
        self.engine.store.mailbox(self.engine.key, self.mailbox).await.unwrap().unwrap().state.phase
    }

    /// Turns until no switch is under way. Mail comes before each of them, to both addresses. The numbers of it.
    async fn until_it_ends(&self, what: &str) -> Vec<usize> {
        let mut sent = Vec::new();
        for _ in 0..60 {
            sent.extend(ANN.map(|address| self.sites.send(address)));
            sent.push(self.sites.send_from(ANN[0], 1));
            let outcome = self.turn().await;
            if outcome.state.phase != Phase::Switching {
                let switch = self.engine.store.switch_of(self.engine.key, self.mailbox).await.unwrap();
                if switch.is_some_and(|switch| switch.ended.is_some()) {
                    return sent;
                }
                continue;
            }
            let shown = outcome.state.condition.reason().unwrap_or_default();
            assert!(shown.contains("its switch"), "{what}: what it waits for is shown: {:?}", outcome.state);
        }
        panic!("{what}: the switch has not ended");
    }

    /// Each message lies exactly once where the person looks.
    pub(super) async fn judge(&self, sent: &[usize], what: &str) {
        // What came last is followed or forwarded, and a pass brings it over.
        self.turn().await;
        self.turn().await;
        let phase = self.phase().await;
        let side = usize::from(phase >= Phase::Switched);
        for number in sent {
            let copies = self.sites.copies(*number);
            assert_eq!(
                copies[side], 1,
                "{what}: message {number} is there {copies:?} times, and {phase:?} is followed"
            );
        }
        let redirects = self.sites.redirects();
        let expected = if side == 1 { (ANN[0], ANN[1]) } else { (ANN[1], ANN[0]) };
        let expected = BTreeMap::from([(expected.0.to_owned(), expected.1.to_owned())]);
        assert_eq!(redirects, expected, "{what}");
        let tally = self.world.tally().await;
        assert_eq!(tally.source, tally.accounted(), "{what}: sums");
    }
}

#[tokio::test]
async fn mail_comes_once_before_during_and_after_a_switch_and_its_undo() {
    let project = Project::new(&[]).await;
    let mut sent: Vec<usize> = ANN.map(|address| project.sites.send(address)).to_vec();
    project.order(false, 0).await;
    sent.extend(project.until_it_ends("over").await);
    assert_eq!(project.phase().await, Phase::Switched);
    project.judge(&sent, "over").await;
    project.order(true, 0).await;
    sent.extend(project.until_it_ends("back").await);
    assert!(project.phase().await < Phase::Switching);
    project.judge(&sent, "back").await;
    let switch = project.engine.store.switch_of(project.engine.key, project.mailbox).await.unwrap().unwrap();
    assert_eq!(
        switch.taken_back_by.as_deref(),
        Some("Sue"),
        "by a word, not by itself: it does not go over again after a while"
    );
    // Nobody goes over again by themselves, and what it takes is told.
    let outcome = project.turn().await;
    assert!(outcome.state.condition.reason().is_some_and(|reason| reason.contains("taken back by Sue")), "{outcome:?}");
    assert!(project.phase().await < Phase::Switching);
    project.order(false, 0).await;
    sent.extend(project.until_it_ends("over again").await);
    project.judge(&sent, "over again").await;
    for number in &sent {
        assert!(project.sites.copies(*number).iter().all(|copies| *copies <= 1), "{number}");
    }
}

/// What was reversed by itself waits and says until when; a word that is said since counts at once.
#[tokio::test]
async fn a_word_counts_before_the_wait_of_what_was_reversed() {
    let mut project = Project::new(&[]).await;
    project.with_reverse_after(3600);
    project.order(false, 0).await;
    // The read of the redirect's own task, for good: freeze, then forwarder off, then this.
    project.sites.mail().fail(4, 3, How::Never);
    project.until_it_ends("reversed").await;
    project.sites.mail().failing.clear();
    assert!(project.phase().await < Phase::Switching);
    project.turn().await;
    let outcome = project.turn().await;
    assert!(outcome.state.condition.reason().is_some_and(|reason| reason.contains("tried again from")), "{outcome:?}");
    project.order(false, 0).await;
    project.turn().await;
    assert!(project.phase().await >= Phase::Switching, "it goes at once");
}

#[tokio::test]
async fn nobody_switches_before_their_date_or_without_what_is_asked_for() {
    let project = Project::new(&[Rule::Go]).await;
    project.order(false, i64::MAX / 4).await;
    project.turn().await;
    assert_eq!(project.phase().await, Phase::InStep);
    project.order(false, 0).await;
    let outcome = project.turn().await;
    assert_eq!(outcome.state.phase, Phase::InStep);
    assert!(outcome.state.condition.reason().is_some_and(|reason| reason.contains("signoff record go")), "{outcome:?}");
    let word = NewRuleWord {
        rule: "go".to_owned(),
        scope: RuleScope::Everybody,
        said_by: "Sue".to_owned(),
        evidence: "letter".to_owned(),
        digest: None,
        recorded_by: "me".to_owned(),
    };
    let number = project.engine.store.add_rule_word(project.engine.key, &word).await.unwrap();
    project.engine.store.withdraw_rule_word(project.engine.key, number, "me").await.unwrap();
    assert_eq!(project.turn().await.state.phase, Phase::InStep, "what was taken back does not count");
    project.engine.store.add_rule_word(project.engine.key, &word).await.unwrap();
    project.until_it_ends("signed").await;
    assert_eq!(project.phase().await, Phase::Switched);
}

/// Something that sends mail on and is not ours keeps its person from being switched; so does whatever would make mail go round.
#[tokio::test]
async fn nobody_switches_while_something_else_sends_their_mail_on() {
    for (side, to) in [(0, "ann@home.test"), (1, "ann@home.test"), (1, ANN[0])] {
        let project = Project::new(&[]).await;
        let rule = Forwarder {
            to: Destination::Address(to.to_owned()),
            copy: LocalCopy::Kept,
            force: Force::Always,
            owner: ForwarderOwner::Person,
            place: "script \"rules\", line 1".to_owned(),
        };
        project.sites.mail().rules.insert(ANN[side].to_owned(), rule);
        project.order(false, 0).await;
        let outcome = project.turn().await;
        let reason = outcome.state.condition.reason().unwrap_or_default();
        assert!(reason.contains("forwarders-absent") && reason.contains("line 1"), "{reason}");
        assert_eq!(outcome.state.phase, Phase::InStep);
        assert!(!project.sites.mail().redirects.contains_key(ANN[0]));
        project.sites.mail().rules.clear();
        project.until_it_ends("cured").await;
        assert_eq!(project.phase().await, Phase::Switched);
    }
}

/// A forwarder that could not be put on in time never comes once its person is switched: both together lead mail in a circle.
#[tokio::test]
async fn a_forwarder_that_is_late_does_not_come_after_the_switch() {
    let project = Project::without_forwarder(&[]).await;
    project.turn().await;
    project.sites.mail().fail(1, 1, How::Before);
    project.forward().await;
    project.order(false, 0).await;
    let sent = project.until_it_ends("over").await;
    for _ in 0..3 {
        project.turn().await;
    }
    project.judge(&sent[1..], "over").await;
    let (mailbox, said_by) = (project.mailbox, "me".to_owned());
    let late = NewForwarder { mailbox, leads_to: ANN[0].to_owned(), allowed: None, said_by };
    assert!(!project.engine.store.add_forwarder(project.engine.key, &late).await.unwrap());
}

/// A router that has left the configuration tells nothing: what it may have on is not taken for off.
#[tokio::test]
async fn what_only_a_missing_router_could_tell_is_not_taken_for_done() {
    let mut project = Project::new(&[]).await;
    project.left_with([true, false]);
    project.order(false, 0).await;
    let outcome = project.turn().await;
    assert!(outcome.state.condition.reason().is_some_and(|reason| reason.contains("no router")), "{outcome:?}");
    assert_eq!(project.phase().await, Phase::InStep);
    project.left_with([true, true]);
    let mut sent = project.until_it_ends("over").await;
    project.left_with([false, true]);
    project.order(true, 0).await;
    for _ in 0..3 {
        sent.push(project.sites.send(ANN[0]));
        let outcome = project.turn().await;
        assert_eq!(outcome.state.phase, Phase::Switching);
        assert_eq!(project.sites.mail().redirects.get(ANN[0]).map(String::as_str), Some(ANN[1]), "nothing else is on");
        assert_eq!(project.sites.mail().redirects.len(), 1);
    }
    project.left_with([true, true]);
    sent.extend(project.until_it_ends("back").await);
    project.judge(&sent, "back").await;
}
