//! What keeps mail from lying where nobody looks, or from coming back, when something else than the switch goes another way (R-075, R-083, R-181,
//!

use super::*;

/// A router that sends on what comes to each address by itself.
struct ByAddress(MemoryRouter);

#[async_trait]
impl Router for ByAddress {
    fn offers(&self) -> RouterOffers {
        RouterOffers { by_address: true, ..self.0.offers() }
    }

    async fn read(&self, who: &Recipient) -> Result<Routing, Error> {
        let mut routing = self.0.read(who).await?;
        let mail = self.0.sites.mail();
        let to = |address: &String| mail.redirects.get(address);
        if let Some(ours) = &mut routing.ours
            && let Some(missing) =
                who.addresses.iter().chain(&who.further).find(|address| to(address) != Some(&ours.to))
        {
            ours.ineffective = Some(format!("it is missing at {missing}"));
        }
        Ok(routing)
    }

    async fn redirect(&self, who: &Recipient, to: &str, door: &dyn Door) -> Result<Rerouted, Error> {
        let set =
            |mail: &mut Mail, at: &String| mail.redirects.insert(at.clone(), to.to_owned()).as_deref() != Some(to);
        self.0.change(door, |mail| who.addresses.iter().chain(&who.further).filter(|at| set(mail, at)).count() > 0)
    }

    async fn release(&self, who: &Recipient, door: &dyn Door) -> Result<Rerouted, Error> {
        self.0.change(door, |mail| {
            let before = mail.redirects.len();
            mail.redirects.retain(|at, _| !who.addresses.contains(at) && !who.further.contains(at));
            mail.redirects.len() < before
        })
    }

    async fn check(&self, _: Option<&Recipient>) -> Vec<Finding> {
        Vec::new()
    }
}

impl Project {
    /// Changes what switches its people.
    fn with_switcher(&mut self, change: impl FnOnce(&mut Switcher)) {
        let router = self.sites.router();
        let endpoints: Vec<i64> = self.engine.endpoints.keys().copied().collect();
        let routers = endpoints.iter().map(|endpoint| (*endpoint, router.clone())).collect();
        let mut switcher = switcher(routers, endpoints[1], &[]);
        change(&mut switcher);
        self.engine.turnover = Some(Arc::new(switcher));
    }

    /// Turns so often. What it waits for then.
    async fn turned(&self, times: usize) -> String {
        let mut told = String::new();
        for _ in 0..times {
            told = self.turn().await.state.condition.reason().unwrap_or_default().to_owned();
        }
        told
    }
}

/// What is sent to a further address of the source's directory goes on as well, where the site goes by addresses.
#[tokio::test]
async fn mail_to_a_further_address_is_sent_on_by_a_router_that_goes_by_addresses() {
    let mut project = Project::without_forwarder(&[]).await;
    let by_address: Arc<dyn Router> = Arc::new(ByAddress(MemoryRouter { sites: project.sites.clone() }));
    let endpoints: Vec<i64> = project.engine.endpoints.keys().copied().collect();
    project.with_switcher(|switcher| {
        switcher.routers.insert(endpoints[0], by_address);
        switcher.addressing.people = Some(toml::from_str("sources = [\"ad\"]").unwrap());
        switcher.addressing.endpoints = BTreeMap::from([(endpoints[0], "local".to_owned())]);
        let theirs = vec![ANN[0].to_owned(), "a.lee@hill.test".to_owned(), "a.lee@elsewhere.test".to_owned()];
        let further = BTreeMap::from([(("local".to_owned(), ANN[0].to_owned()), theirs)]);
        switcher.addressing.last.lock().unwrap().1 = Arc::new(further.into_iter().collect());
    });
    project.order(false, 0).await;
    project.until_it_ends("over").await;
    assert_eq!(project.phase().await, Phase::Switched);
    let on = [ANN[0], "a.lee@hill.test"].map(|at| (at.to_owned(), ANN[1].to_owned()));
    assert_eq!(project.sites.redirects(), BTreeMap::from(on));
    project.order(true, 0).await;
    project.until_it_ends("back").await;
    assert_eq!(project.sites.redirects(), BTreeMap::new());
}

/// All that was there has found room, and the next message would not: it would come back to whoever wrote it.
#[tokio::test]
async fn nobody_is_switched_to_a_mailbox_that_is_full() {
    let project = Project::new(&[Rule::QuotaRoom]).await;
    let holds: u64 = project.sites.platforms[1]
        .dump(ANN[1])
        .values()
        .flat_map(BTreeMap::values)
        .map(|item| item.bytes.len() as u64)
        .sum();
    project.sites.platforms[1].set_quota(Some(holds + ITEM_BYTES_MAX - 1));
    project.order(false, 0).await;
    let told = project.turned(2).await;
    assert!(told.contains("quota-room") && told.contains("no room"), "{told}");
    assert_eq!(project.phase().await, Phase::InStep);
    assert!(!project.sites.redirects().contains_key(ANN[0]));
    project.sites.platforms[1].set_quota(Some(holds + ITEM_BYTES_MAX));
    project.turn().await;
    assert!(project.phase().await >= Phase::Switching);
}

/// The old address goes off the account with an undo: once mail for it comes to the target it would be refused there. What is said counts, and so
/// does what was seen meanwhile.
#[tokio::test]
async fn nobody_is_taken_back_while_mail_for_their_old_address_comes_to_the_target() {
    let mut project = Project::new(&[]).await;
    project.order(false, 0).await;
    project.until_it_ends("over").await;
    project.with_switcher(|switcher| {
        let routing = format!("{ROUTING}mx = {{ \"hill.test\" = \"target\" }}\n");
        switcher.routing = Some(toml::from_str(&routing).unwrap());
    });
    project.order(true, 0).await;
    let late = message(77, "late");
    let item = MemoryItem::message(late.clone(), 1_700_000_077);
    project.sites.platforms[0].deliver(ANN[0], &FolderPath::inbox(), item);
    let told = project.turned(3).await;
    assert!(told.contains("MX records") && told.contains(ANN[0]), "{told}");
    assert_eq!(project.phase().await, Phase::Switched);
    assert!(project.sites.redirects().contains_key(ANN[0]));
    let there = project.sites.platforms[1].dump(ANN[1]);
    let has = |item: &MemoryItem| *item.bytes == *late;
    assert!(there.values().flat_map(BTreeMap::values).any(has), "what still comes to the source is followed");
    // Who has changed their mind stays there.
    assert!(project.engine.store.withdraw_back(project.engine.key, project.mailbox).await.unwrap());
    project.with_switcher(|_| {});
    project.turned(2).await;
    assert_eq!(project.phase().await, Phase::Switched);
    project.order(true, 0).await;
    project.until_it_ends("back").await;
    assert!(!project.engine.store.withdraw_back(project.engine.key, project.mailbox).await.unwrap());
    assert!(project.phase().await < Phase::Switching);
}

/// People can put another script in the place of ours for as long as their old mailbox is open to them.
#[tokio::test]
async fn a_redirect_that_somebody_has_taken_off_after_the_switch_comes_again() {
    let mut project = Project::new(&[]).await;
    project.order(false, 0).await;
    project.until_it_ends("over").await;
    project.sites.mail().redirects.clear();
    project.with_switcher(|switcher| switcher.looks.again_ms = 0);
    project.sites.mail().fail(2, 1, How::Before);
    project.turn().await;
    project.turn().await;
    assert_eq!(project.sites.redirects(), BTreeMap::from([(ANN[0].to_owned(), ANN[1].to_owned())]));
}

/// The forwarder's own faults go with it: they keep nobody from the switch that takes it off.
#[tokio::test]
async fn what_is_wrong_with_the_forwarder_holds_no_switch_up() {
    let mut project = Project::new(&[Rule::RoutingClean]).await;
    project.with_switcher(|switcher| {
        // The source refuses what the target sends on in others' names.
        let routing = ROUTING.replacen("trusts_other = true", "trusts_other = false", 1);
        switcher.routing = Some(toml::from_str(&routing).unwrap());
        switcher.entry.require = vec![Rule::RoutingClean.name().to_owned()];
    });
    project.order(false, 0).await;
    project.until_it_ends("over").await;
    assert_eq!(project.phase().await, Phase::Switched);
}

/// Whoever may not lead mail back any more leads none.
#[tokio::test]
async fn a_forwarder_goes_once_its_direction_is_forbidden() {
    let mut project = Project::new(&[]).await;
    project.with_switcher(|switcher| {
        switcher.routing = Some(toml::from_str(&format!("{ROUTING}target_to_source = false\n")).unwrap());
        switcher.looks.again_ms = 0;
    });
    project.turn().await;
    assert_eq!(project.sites.redirects(), BTreeMap::new());
}

/// Where the forwarder can't come yet its person works at the source all the same, and finds there what has come to the target.
#[tokio::test]
async fn what_comes_to_the_target_is_carried_back_while_the_forwarder_can_not_come() {
    let mut project = Project::new(&[]).await;
    project.order(false, 0).await;
    project.until_it_ends("over").await;
    // People have put the old address on the account by hand.
    let by_hand = addresses::account("ann", ANN[1], &["smtp:ann@hill.test"]);
    project.sites.directory.put(by_hand);
    let directory = project.sites.directory.clone();
    project.with_switcher(|switcher| switcher.addressing.directory = Some(Arc::new(directory)));
    project.order(true, 0).await;
    let mut sent = Vec::new();
    let mut told = String::new();
    for _ in 0..8 {
        sent.push(project.sites.send(ANN[1]));
        told = project.turned(1).await;
    }
    assert!(told.contains("forwarder-on") && told.contains("have it taken off"), "{told}");
    assert_eq!(project.phase().await, Phase::Switching);
    for number in &sent[..sent.len() - 1] {
        assert_eq!(project.sites.copies(*number)[0], 1, "message {number} of {sent:?}");
    }
    project.sites.directory.put(addresses::account("ann", ANN[1], &[]));
    sent.extend(project.until_it_ends("back").await);
    project.judge(&sent, "back").await;
}
