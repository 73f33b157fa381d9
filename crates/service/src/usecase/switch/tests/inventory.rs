//! What sends mail on is found wherever it stands, also by routers that are only read, and also once a copy has begun.

use super::*;

/// A router that is only read: an alias table, say, of which nobody of ours writes a line.
#[derive(Clone, Default)]
struct Aliases(Arc<Mutex<Told>>);

#[derive(Clone, Default)]
struct Told {
    others: Vec<Forwarder>,
    unread: Vec<String>,
    ours: Option<String>,
    is_away: bool,
    reads: usize,
}

impl Aliases {
    fn lead(&self, to: &str) {
        let forwarder = Forwarder {
            to: Destination::Address(to.to_owned()),
            copy: LocalCopy::NotKept,
            force: Force::Always,
            owner: ForwarderOwner::Administrator,
            place: "aliases, line 7".to_owned(),
        };
        self.0.lock().unwrap().others = vec![forwarder];
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap()
    }
}

#[async_trait]
impl Router for Aliases {
    fn offers(&self) -> RouterOffers {
        RouterOffers {
            platform: "memory",
            sender: SenderMode::Kept,
            keeps_no_copy: true,
            lists_all: false,
            asks_people: false,
            by_address: false,
        }
    }

    async fn read(&self, _: &Recipient) -> Result<Routing, Error> {
        let mut told = self.told();
        told.reads += 1;
        if told.is_away {
            return Err(unavailable(Cause::Unavailable));
        }
        let ours = told.ours.clone().map(|to| OurRedirect { to, ineffective: None });
        Ok(Routing { ours, others: told.others.clone(), unread: told.unread.clone(), ..Routing::default() })
    }

    async fn redirect(&self, _: &Recipient, _: &str, _: &dyn Door) -> Result<Rerouted, Error> {
        panic!("it is only read")
    }

    async fn release(&self, _: &Recipient, _: &dyn Door) -> Result<Rerouted, Error> {
        panic!("it is only read")
    }

    async fn check(&self, _: Option<&Recipient>) -> Vec<Finding> {
        Vec::new()
    }
}

/// A project with a router that is only read on each side.
async fn with_inventory(forward: bool) -> (Project, [Aliases; 2]) {
    let mut project = Project::without_forwarder(&[]).await;
    let inventory = [Aliases::default(), Aliases::default()];
    project.looking(&inventory, Looks::default());
    if forward {
        project.forward().await;
        project.turn().await;
        assert_eq!(project.sites.mail().redirects.get(ANN[1]).map(String::as_str), Some(ANN[0]));
    }
    (project, inventory)
}

impl Project {
    /// How many items lie on the target.
    fn copied(&self) -> usize {
        self.sites.platforms[1].dump(ANN[1]).values().map(BTreeMap::len).sum()
    }

    async fn found(&self) -> Vec<store::FoundForwarder> {
        self.engine.store.found_forwarders(self.engine.key).await.unwrap()
    }

    /// It is looked at so often, with routers that are only read.
    fn looking(&mut self, inventory: &[Aliases; 2], looks: Looks) {
        let router: Arc<dyn Router> = Arc::new(MemoryRouter { sites: self.sites.clone() });
        let endpoints: Vec<i64> = self.engine.endpoints.keys().copied().collect();
        let routers = endpoints.iter().map(|endpoint| (*endpoint, router.clone())).collect();
        let mut switcher = switcher(routers, endpoints[1], &[]);
        switcher.looks = looks;
        for (endpoint, aliases) in endpoints.iter().zip(inventory) {
            let only_read: Arc<dyn Router> = Arc::new(aliases.clone());
            switcher.inventory.insert(*endpoint, vec![("aliases".to_owned(), only_read)]);
        }
        self.engine.turnover = Some(Arc::new(switcher));
    }

    /// As if so much time had passed since the last look that another is due; or more than a look may be missed for.
    fn later(&mut self, inventory: &[Aliases; 2], is_long: bool) {
        self.looking(inventory, Looks { again_ms: 0, missed_ms_max: if is_long { 0 } else { i64::MAX } });
    }
}

#[tokio::test]
async fn an_alias_that_only_an_inventory_knows_holds_the_first_copy_up() {
    let (project, [source, _]) = with_inventory(false).await;
    source.lead("ann@home.test");
    let outcome = project.turn().await;
    let reason = outcome.state.condition.reason().unwrap_or_default();
    assert!(reason.contains("routers.aliases: aliases, line 7"), "{reason}");
    assert_eq!((outcome.state.cause.map(|(cause, _)| cause), project.copied()), (Some(Cause::Forwarded), 0));
    assert!(project.found().await[0].what.contains("routers.aliases: aliases, line 7"), "its owner can be told");
    source.told().others.clear();
    project.turn().await;
    assert_eq!(project.copied(), 3);
}

#[tokio::test]
async fn what_only_an_inventory_knows_keeps_its_person_from_being_switched() {
    for side in 0..2 {
        let (project, inventory) = with_inventory(true).await;
        inventory[side].lead("ann@home.test");
        project.order(false, 0).await;
        let outcome = project.turn().await;
        let reason = outcome.state.condition.reason().unwrap_or_default();
        assert!(reason.contains("forwarders-absent") && reason.contains("routers.aliases"), "{side}: {reason}");
        assert_eq!(outcome.state.phase, Phase::InStep);
        inventory[side].told().others.clear();
        project.until_it_ends("cured").await;
        assert_eq!(project.phase().await, Phase::Switched);
    }
}

/// What the router that changes has put on is seen elsewhere, too, as an address without our mark. That is no forwarder of others as long
/// as ours is on; and what still leads there once ours is off is one, and would lead in a circle.
#[tokio::test]
async fn ours_as_an_inventory_sees_it_is_ours_and_what_stays_when_ours_is_off_is_not() {
    let (project, [_, target]) = with_inventory(true).await;
    target.lead(ANN[0]);
    project.order(false, 0).await;
    for _ in 0..4 {
        project.turn().await;
        let redirects = project.sites.mail().redirects.clone();
        assert!(!redirects.contains_key(ANN[0]), "both together would lead in a circle: {redirects:?}");
    }
    let switch = project.engine.store.switch_of(project.engine.key, project.mailbox).await.unwrap().unwrap();
    let tasks = project.engine.store.switch_tasks(project.engine.key, project.mailbox, switch.switch).await.unwrap();
    assert!(tasks.iter().any(|task| task.evidence.contains("both would lead in a circle")), "{tasks:?}");
    target.told().others.clear();
    project.order(false, 0).await;
    project.until_it_ends("cured").await;
    assert_eq!(project.phase().await, Phase::Switched);
}

#[tokio::test]
async fn a_redirect_of_this_program_that_nobody_would_take_off_is_named() {
    let (project, [source, _]) = with_inventory(true).await;
    source.told().ours = Some(ANN[1].to_owned());
    project.order(false, 0).await;
    let outcome = project.turn().await;
    let reason = outcome.state.condition.reason().unwrap_or_default();
    assert!(reason.contains("a redirect of this program"), "{reason}");
}

/// Live sync is held as soon as something sends the mail on that was not there before, looked at once an hour.
#[tokio::test]
async fn a_forwarder_that_appears_later_holds_the_copy_up_within_the_hour() {
    let (mut project, inventory) = with_inventory(false).await;
    let source = &inventory[0];
    project.turn().await;
    assert_eq!((project.phase().await, project.copied()), (Phase::InStep, 3));
    let reads = source.told().reads;
    source.lead("ann@home.test");
    project.sites.send(ANN[0]);
    project.turn().await;
    assert_eq!((source.told().reads, project.copied()), (reads, 4), "nobody is asked at every pass");
    project.later(&inventory, false);
    project.sites.send(ANN[0]);
    let outcome = project.turn().await;
    let reason = outcome.state.condition.reason().unwrap_or_default();
    assert!(reason.contains("nothing more is copied while its mail is sent on by"), "{reason}");
    assert_eq!(project.copied(), 4);
    assert_eq!(outcome.state.cause.map(|(cause, _)| cause), Some(Cause::Forwarded));
    // It is looked at again each time from then on.
    source.told().others.clear();
    project.turn().await;
    assert_eq!(project.copied(), 5);
}

#[tokio::test]
async fn what_can_not_be_looked_into_holds_the_copy_up_without_a_word_about_that_mailbox() {
    let (project, [source, _]) = with_inventory(false).await;
    source.told().unread = vec!["a script of the site that is included".to_owned()];
    let reason = project.turn().await.state.condition.reason().unwrap_or_default().to_owned();
    assert!(reason.contains("included") && reason.contains("signoff record forwarders-absent --mailbox"), "{reason}");
    let word = |scope| NewRuleWord {
        rule: Rule::ForwardersAbsent.name().to_owned(),
        scope,
        said_by: "Sue".to_owned(),
        evidence: "looked".to_owned(),
        digest: None,
        recorded_by: "me".to_owned(),
    };
    let (store, key) = (&project.engine.store, project.engine.key);
    store.add_rule_word(key, &word(RuleScope::Everybody)).await.unwrap();
    project.turn().await;
    assert_eq!(project.copied(), 0, "a word about all is none about what is different for everybody");
    store.add_rule_word(key, &word(RuleScope::Mailbox(project.mailbox))).await.unwrap();
    project.turn().await;
    assert_eq!(project.copied(), 3);
}

#[tokio::test]
async fn a_look_that_could_not_be_taken_holds_nothing_up_for_a_day() {
    let (mut project, inventory) = with_inventory(false).await;
    project.turn().await;
    inventory[0].told().is_away = true;
    for (is_long, copied) in [(false, 4), (false, 5), (true, 5)] {
        project.later(&inventory, is_long);
        project.sites.send(ANN[0]);
        project.turn().await;
        assert_eq!(project.copied(), copied, "long: {is_long}");
    }
    inventory[0].told().is_away = false;
    project.turn().await;
    assert_eq!(project.copied(), 6);
}

/// A rule of the person's own, at a side, that leads to an address of theirs on the other.
fn own_rule(project: &Project, side: usize) {
    let forwarder = Forwarder {
        to: Destination::Address(ANN[1 - side].to_owned()),
        copy: LocalCopy::NotKept,
        force: Force::Always,
        owner: ForwarderOwner::Person,
        place: "a rule of their own".to_owned(),
    };
    project.sites.mail().rules.insert(ANN[side].to_owned(), forwarder);
}

impl Project {
    async fn forwarder(&self) -> store::ForwarderRow {
        self.engine.store.forwarder(self.engine.key, self.mailbox).await.unwrap().unwrap()
    }

    /// It is looked at afresh with each turn.
    fn looking_each_time(&mut self) {
        let router: Arc<dyn Router> = Arc::new(MemoryRouter { sites: self.sites.clone() });
        let endpoints: Vec<i64> = self.engine.endpoints.keys().copied().collect();
        let routers = endpoints.iter().map(|endpoint| (*endpoint, router.clone())).collect();
        let mut switcher = switcher(routers, endpoints[1], &[]);
        switcher.looks.again_ms = 0;
        self.engine.turnover = Some(Arc::new(switcher));
    }
}

/// Who is switched may lead what still comes to the old mailbox to the new one, in good faith. An undo then ends without the forwarder,
/// which would lead in a circle, and says so; it comes once the rule is gone.
#[tokio::test]
async fn what_its_person_set_up_meanwhile_leads_in_no_circle_after_an_undo() {
    let project = Project::new(&[]).await;
    project.order(false, 0).await;
    project.until_it_ends("over").await;
    assert_eq!(project.phase().await, Phase::Switched);
    own_rule(&project, 0);
    project.order(true, 0).await;
    project.until_it_ends("back").await;
    assert!(project.phase().await < Phase::Switching && project.sites.redirects().is_empty());
    let switch = project.engine.store.switch_of(project.engine.key, project.mailbox).await.unwrap().unwrap();
    let tasks = project.engine.store.switch_tasks(project.engine.key, project.mailbox, switch.switch).await.unwrap();
    assert!(tasks.iter().any(|task| task.evidence.contains("it stays off as long as")), "{tasks:?}");
    // At once, not within the hour.
    let outcome = project.turn().await;
    assert_eq!(outcome.state.cause.map(|(cause, _)| cause), Some(Cause::Forwarded), "{:?}", outcome.state);
    assert!(!project.forwarder().await.is_on() && project.sites.redirects().is_empty());
    project.sites.mail().rules.clear();
    project.turn().await;
    assert!(project.forwarder().await.is_on());
    assert_eq!(project.sites.redirects(), BTreeMap::from([(ANN[1].to_owned(), ANN[0].to_owned())]));
}

#[tokio::test]
async fn a_rule_that_leads_back_to_a_forwarder_takes_it_off_until_it_is_gone() {
    let mut project = Project::new(&[]).await;
    project.looking_each_time();
    own_rule(&project, 0);
    let reason = project.turn().await.state.condition.reason().unwrap_or_default().to_owned();
    assert!(reason.contains("a rule of their own") && reason.contains("was taken off"), "{reason}");
    assert!(!project.forwarder().await.is_on() && project.sites.redirects().is_empty());
    project.sites.mail().rules.clear();
    project.turn().await;
    assert!(project.forwarder().await.is_on());
    assert_eq!(project.sites.redirects().len(), 1);
}

#[tokio::test]
async fn what_a_switched_person_set_up_at_the_target_is_found() {
    let mut project = Project::new(&[]).await;
    project.order(false, 0).await;
    project.until_it_ends("over").await;
    project.looking_each_time();
    own_rule(&project, 1);
    project.turn().await;
    let found = project.found().await;
    assert!(found.len() == 1 && found[0].what.contains("a rule of their own"), "{found:?}");
    project.sites.mail().rules.clear();
    project.turn().await;
    assert_eq!(project.found().await, []);
}

/// Where ours can't be taken off now, nothing is copied all the same, and it is tried again.
#[tokio::test]
async fn a_refusal_stands_where_the_circle_can_not_be_broken_yet() {
    let (mut project, inventory) = with_inventory(true).await;
    inventory[0].lead(ANN[1]);
    project.later(&inventory, false);
    project.sites.send(ANN[0]);
    let copied = project.copied();
    // The source is read; the target's router is away then.
    project.sites.mail().fail(2, 1, How::Before);
    let reason = project.turn().await.state.condition.reason().unwrap_or_default().to_owned();
    assert!(reason.contains("aliases, line 7") && reason.contains("is not known"), "{reason}");
    assert_eq!(project.copied(), copied);
    assert!(project.sites.redirects().contains_key(ANN[1]), "it is still on");
    let reason = project.turn().await.state.condition.reason().unwrap_or_default().to_owned();
    assert!(reason.contains("was taken off"), "{reason}");
    assert!(project.sites.redirects().is_empty());
}

/// What is on record as on is looked at as well: what comes to a live account without it lies where nobody looks.
#[tokio::test]
async fn a_forwarder_that_somebody_has_taken_off_at_the_target_comes_again() {
    let mut project = Project::new(&[]).await;
    project.sites.mail().redirects.clear();
    project.turn().await;
    assert!(project.sites.redirects().is_empty(), "nobody is asked at every turn");
    project.looking_each_time();
    project.turn().await;
    assert_eq!(project.sites.redirects(), BTreeMap::from([(ANN[1].to_owned(), ANN[0].to_owned())]));
    assert!(project.forwarder().await.is_on());
}
