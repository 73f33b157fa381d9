//! Scripts that a person runs, on an organisation of Exchange in memory: written, signed, run and supplied as people do it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use conformance::exchange::{Accident, Contact, InboxRule, Organisation, Ran, parses, run};
use conformance::router_suite::{Delivered, OwnRules, RouterWorld};
use connector::{Account, Door, Error, Finding, OpenDoor, Recipient, Rerouted, Router, RouterOffers, Routing};
use exchange::{Ask, Board, ExchangeRouter, Known, Step, Told};
use model::{Cause, Organisation as Owner, OrganisationCode};
use store::{ProjectKey, Store};

use crate::scripts::{Desk, ScriptBoard, Supplied};

mod closing;
mod doubt;
mod refusals;
mod saga;

const SITE: &str = "Site Trust";
const NEW: &str = "ann@new.test";

fn config() -> exchange::Config {
    toml::from_str(&format!("platform = \"exchange\"\norganisation = \"{SITE}\"\ndomains = [\"site.test\"]")).unwrap()
}

/// A board whose readings can be forgotten, as time makes them.
struct Forgetting {
    board: Arc<dyn Board>,
    /// By account: what scripts up to this number have read is not known.
    forgotten: Mutex<HashMap<String, i64>>,
}

impl Forgetting {
    async fn forget(&self, account: &str) {
        let last = self.board.known(account).await.unwrap().reading.map_or(0, |reading| reading.script);
        self.forgotten.lock().unwrap().insert(account.to_owned(), last);
    }
}

#[async_trait]
impl Board for Forgetting {
    async fn known(&self, account: &str) -> Result<Known, Error> {
        let known = self.board.known(account).await?;
        let forgotten = self.forgotten.lock().unwrap().get(account).copied().unwrap_or_default();
        let reading = known.reading.filter(|reading| reading.script > forgotten);
        Ok(Known { reading, ..known })
    }

    async fn ask(&self, account: &str, ask: Option<&Ask>) -> Result<bool, Error> {
        self.board.ask(account, ask).await
    }

    async fn was_told(&self, account: &str, told: &Told) -> Result<(), Error> {
        self.board.was_told(account, told).await
    }
}

/// A site, and a person who runs the scripts of its router.
struct Site {
    organisation: Mutex<Organisation>,
    store: Store,
    key: ProjectKey,
    endpoint: i64,
    config: exchange::Config,
    board: Arc<Forgetting>,
    router: ExchangeRouter,
    folder: tempfile::TempDir,
    /// People's own forwarders are attributes of their mailboxes, not rules in them.
    by_attributes: bool,
}

impl Site {
    async fn new(by_attributes: bool) -> Arc<Self> {
        Self::configured(config(), by_attributes).await
    }

    async fn configured(config: exchange::Config, by_attributes: bool) -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite:{}/w.db", folder.path().display())).await.unwrap();
        let code = OrganisationCode::try_from("RX1".to_owned()).unwrap();
        let owner = Owner { name: "Example Trust".to_owned(), code };
        let key = store.project(&owner, "migration").await.unwrap();
        let endpoint = store.endpoint(key, "local", "imap").await.unwrap();
        Self::with(config, (store, key, endpoint), folder, by_attributes)
    }

    /// One with these settings.
    fn with(
        config: exchange::Config,
        (store, key, endpoint): (Store, ProjectKey, i64),
        folder: tempfile::TempDir,
        by_attributes: bool,
    ) -> Arc<Self> {
        let board = Arc::new(Forgetting { board: ScriptBoard::of(&store, key, endpoint), forgotten: Mutex::default() });
        let router = ExchangeRouter::new(config.clone(), board.clone()).unwrap();
        let mut organisation = Organisation::of(SITE, "site.test", &["ann@site.test", "ben@site.test"]);
        let contact = Contact {
            guid: "c-1".to_owned(),
            name: "site.test/Contacts/Home".to_owned(),
            external: "ann@home.test".to_owned(),
        };
        organisation.contacts.push(contact);
        let organisation = Mutex::new(organisation);
        Arc::new(Self { organisation, store, key, endpoint, config, board, router, folder, by_attributes })
    }

    fn organisation(&self) -> MutexGuard<'_, Organisation> {
        self.organisation.lock().unwrap()
    }

    fn desk(&self) -> Desk<'_> {
        let (store, key, endpoint) = (&self.store, self.key, self.endpoint);
        Desk { store, key, endpoint, router: "local", project: "migration", config: &self.config }
    }

    /// Writes a script for all who wait at this step.
    async fn write(&self, step: Step) -> Option<i64> {
        let nonce = crate::project::random_text().unwrap();
        self.desk().write(step, None, &nonce, "Kim").await.unwrap()
    }

    /// Writes a script into a file, as it was signed.
    async fn save(&self, number: i64) -> PathBuf {
        let row = self.store.script(self.key, number).await.unwrap().unwrap();
        parses(&row.text).unwrap();
        let path = self.folder.path().join(format!("whimbrel-{number}.ps1"));
        std::fs::write(&path, &row.text).unwrap();
        path
    }

    async fn sign(&self, number: i64) {
        self.store.sign_script(self.key, number, "Sue Roe", "Kim").await.unwrap();
    }

    async fn run(&self, number: i64, switches: &[&str]) -> Ran {
        let path = self.save(number).await;
        run(&mut self.organisation(), &path, switches)
    }

    async fn supply(&self, number: i64, printed: &str) -> Result<Supplied, crate::Error> {
        let row = self.store.script(self.key, number).await.unwrap().unwrap();
        self.desk().supply(&row, "out.jsonl", printed.as_bytes(), "Kim").await
    }

    /// Does all that people do until nobody waits for a script, each in another millisecond than what was before: so quick is nobody.
    async fn work(&self) {
        for step in Step::EVERY {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            if let Some(number) = self.write(step).await {
                self.sign(number).await;
                let ran = self.run(number, &[]).await;
                assert_eq!(ran.stopped, None);
                self.supply(number, &ran.printed).await.unwrap();
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }

    fn who(name: &str) -> Recipient {
        let address = format!("{name}@site.test");
        Recipient::new(Account::named(&address), address)
    }
}

/// What the call comes to, once people have done what it waits for.
macro_rules! until_told {
    ($site:expr, $call:expr) => {{
        let mut rounds = 0;
        loop {
            match $call.await {
                Err(error) if error.cause == Cause::Awaiting && rounds < 6 => $site.work().await,
                told => break told,
            }
            rounds += 1;
        }
    }};
}
use until_told;

/// The router, with the people who run its scripts.
struct Served(Arc<Site>);

#[async_trait]
impl Router for Served {
    fn offers(&self) -> RouterOffers {
        self.0.router.offers()
    }

    async fn read(&self, who: &Recipient) -> Result<Routing, Error> {
        self.0.board.forget(&who.account.name).await;
        until_told!(self.0, self.0.router.read(who))
    }

    async fn redirect(&self, who: &Recipient, to: &str, door: &dyn Door) -> Result<Rerouted, Error> {
        until_told!(self.0, self.0.router.redirect(who, to, door))
    }

    async fn release(&self, who: &Recipient, door: &dyn Door) -> Result<Rerouted, Error> {
        until_told!(self.0, self.0.router.release(who, door))
    }

    async fn check(&self, who: Option<&Recipient>) -> Vec<Finding> {
        self.0.router.check(who).await
    }
}

struct World(Arc<Site>);

async fn world(by_attributes: bool) -> Option<World> {
    Some(World(Site::new(by_attributes).await))
}

#[async_trait]
impl RouterWorld for World {
    fn router(&self) -> Arc<dyn Router> {
        Arc::new(Served(self.0.clone()))
    }

    fn people(&self) -> [Recipient; 2] {
        [Site::who("ann"), Site::who("ben")]
    }

    async fn dump(&self, who: &Recipient) -> Vec<u8> {
        self.0.dump(&who.addresses[0])
    }

    async fn set_own(&self, who: &Recipient, rules: &OwnRules) -> bool {
        let mut organisation = self.0.organisation();
        let mailbox = organisation.mailbox(&who.addresses[0]);
        let rule = |rule: InboxRule| vec![InboxRule { name: "mine".to_owned(), enabled: true, ..rule }];
        mailbox.rules.clear();
        if self.0.by_attributes {
            (mailbox.forwarding_smtp, mailbox.forwarding, mailbox.keeps) = (None, None, false);
        }
        match rules {
            OwnRules::None => {}
            OwnRules::Files(folder) => {
                mailbox.rules = rule(InboxRule { move_to: Some(folder.clone()), ..InboxRule::default() });
            }
            OwnRules::Forwards(to) if self.0.by_attributes => mailbox.forwarding_smtp = Some(format!("smtp:{to}")),
            OwnRules::Copies(to) if self.0.by_attributes => {
                assert_eq!(to, "ann@home.test");
                (mailbox.forwarding, mailbox.keeps) = (Some("site.test/Contacts/Home".to_owned()), true);
            }
            OwnRules::Forwards(to) | OwnRules::Copies(to) => {
                let deletes = matches!(rules, OwnRules::Forwards(_));
                mailbox.rules = rule(InboxRule { redirect_to: vec![to.clone()], deletes, ..InboxRule::default() });
            }
        }
        true
    }

    async fn deliver(&self, who: &Recipient) -> Option<Delivered> {
        let came = self.0.organisation().deliver(&who.addresses[0]);
        Some(Delivered { kept_in: came.kept_in, sent_to: came.sent_to })
    }
}

impl Site {
    fn dump(&self, address: &str) -> Vec<u8> {
        let mut organisation = self.organisation();
        let mailbox = organisation.mailbox(address);
        let (smtp, to, keeps) = (&mailbox.forwarding_smtp, &mailbox.forwarding, mailbox.keeps);
        format!("{smtp:?} {to:?} {keeps} {:?} {:?} {:?}", mailbox.attributes, mailbox.rules, mailbox.ways).into_bytes()
    }
}

mod by_rules {
    conformance::router_suite!(super::world(false).await);
}

mod by_attributes {
    // Somebody who changes an attribute of ours in between takes ours away: `state` has those cases.
    conformance::router_tests!(
        super::world(true).await;
        a_redirect_is_read_back,
        another_address_takes_the_place_of_the_first,
        a_release_brings_back_what_was_there,
        a_release_without_a_redirect_does_nothing,
        forwarders_of_others_are_listed,
        a_forwarder_to_the_same_address_is_not_ours,
        calls_that_are_cut_come_to_the_same_end,
        mail_goes_where_it_is_redirected,
    );
}

/// Everybody who waits at one step is in one script, and each gets on alone.
#[tokio::test]
async fn people_who_wait_are_in_one_script_and_each_gets_on_alone() {
    let site = Site::new(false).await;
    let [ann, ben] = ["ann", "ben"].map(Site::who);
    for who in [&ann, &ben] {
        site.router.read(who).await.unwrap_err();
    }
    site.work().await;
    for who in [&ann, &ben] {
        site.router
            .redirect(who, &format!("x-{}", who.addresses[0].replace("site", "new")), &OpenDoor)
            .await
            .unwrap_err();
    }
    let number = site.write(Step::Redirect).await.unwrap();
    assert_eq!(site.store.script(site.key, number).await.unwrap().unwrap().people, 2);
    assert_eq!(site.write(Step::Redirect).await, None, "nobody is in two");
    site.sign(number).await;
    // Somebody has set something else at ann's since it was read.
    site.organisation().mailbox("ann@site.test").forwarding_smtp = Some("smtp:ann@home.test".to_owned());
    let ran = site.run(number, &[]).await;
    let supplied = site.supply(number, &ran.printed).await.unwrap();
    assert_eq!(supplied.notes.len(), 1, "{supplied:?}");
    assert!(supplied.notes[0].0 == "ann@site.test" && supplied.notes[0].1.contains("left alone"), "{supplied:?}");
    assert_eq!(site.organisation().deliver("ann@site.test").sent_to, ["ann@home.test"]);
    assert_eq!(site.router.read(&ben).await.unwrap().redirected_to(), Some("x-ben@new.test"));
    let read = site.router.read(&ann).await.unwrap();
    assert_eq!((read.redirected_to(), read.others.len()), (None, 1), "it is told as it is, and decided anew");
    // Of whom it was cut off nothing is known.
    let error = site.router.redirect(&ann, NEW, &OpenDoor).await.unwrap_err();
    assert_eq!(error.cause, Cause::Awaiting);
    site.work().await;
    assert!(site.router.redirect(&ann, NEW, &OpenDoor).await.unwrap().changed);
    assert!(!site.router.redirect(&ann, NEW, &OpenDoor).await.unwrap().changed, "it is told once");
}

/// Whatever people are called: the script is one, and tells of them by the same name.
#[tokio::test]
async fn no_name_is_anything_but_a_name() {
    let site = Site::new(false).await;
    let names = [
        "o'brien@site.test",
        "o\u{2019}brien\u{2018}\u{201b}@site.test",
        "a\"; Remove-Mailbox *; \"@site.test",
        "$(Remove-Mailbox)`n@site.test",
        "\u{201c}x\u{201d}@site.test",
        "line\r\nSet-Mailbox@site.test",
        "smile\u{1f600}@site.test",
        "#>x@site.test",
        "'@site.test",
    ];
    let people: Vec<Recipient> = names.iter().map(|name| Recipient::new(Account::named(*name), *name)).collect();
    for (number, name) in names.iter().enumerate() {
        let guid = format!("odd-{number}");
        let mailbox =
            conformance::exchange::Mailbox { guid, addresses: vec![(*name).to_owned()], ..Default::default() };
        site.organisation().mailboxes.push(mailbox);
    }
    for who in &people {
        site.router.read(who).await.unwrap_err();
    }
    site.work().await;
    for who in &people {
        assert_eq!(site.router.read(who).await.unwrap().ours, None, "{who:?}");
        site.router.redirect(who, NEW, &OpenDoor).await.unwrap_err();
    }
    site.work().await;
    for (who, name) in people.iter().zip(names) {
        assert_eq!(site.router.read(who).await.unwrap().redirected_to(), Some(NEW), "{who:?}");
        assert_eq!(site.organisation().deliver(name).sent_to, [NEW]);
    }
    assert_eq!(site.organisation().mailboxes.len(), 2 + names.len());
}

/// A script that is stopped or killed at any call, or whose answer is lost: what it printed and what a reading tells settle it.
#[tokio::test]
async fn wherever_a_script_is_killed_it_comes_to_the_same_end() {
    let accidents =
        [Accident::KilledBefore, Accident::KilledAfter, Accident::Lost, Accident::Refused("access denied".to_owned())];
    for release in [false, true] {
        for accident in &accidents {
            for at in 1.. {
                let site = Site::new(true).await;
                let who = Site::who("ann");
                site.organisation().mailbox("ann@site.test").forwarding_smtp = Some("smtp:ann@home.test".to_owned());
                let off = site.dump("ann@site.test");
                let served = Served(site.clone());
                served.read(&who).await.unwrap();
                if release {
                    served.redirect(&who, NEW, &OpenDoor).await.unwrap();
                    site.router.release(&who, &OpenDoor).await.unwrap_err();
                } else {
                    site.router.redirect(&who, NEW, &OpenDoor).await.unwrap_err();
                }
                let step = if release { Step::Release } else { Step::Redirect };
                let number = site.write(step).await.unwrap();
                site.sign(number).await;
                {
                    let mut organisation = site.organisation();
                    organisation.accident = Some((organisation.calls + at, accident.clone()));
                }
                let before = site.organisation().calls;
                let ran = site.run(number, &[]).await;
                let is_met = site.organisation().calls >= before + at;
                site.organisation().accident = None;
                let what = format!("{step:?}, call {at}, {accident:?}: {ran:?}");
                assert_eq!(site.router.read(&who).await.unwrap_err().cause, Cause::Awaiting, "{what}");
                if site.supply(number, &ran.printed).await.is_err() {
                    // It had printed nothing yet.
                    assert!(ran.printed.is_empty(), "{what}");
                    let again = site.run(number, &[]).await;
                    assert_eq!(again.stopped, None, "{what}");
                    site.supply(number, &again.printed).await.unwrap();
                } else if matches!(site.router.read(&who).await, Err(error) if error.cause == Cause::Awaiting) {
                    // It was killed before it told of her: it is not run twice, and read.
                    let twice = site.run(number, &[]).await;
                    let is_read_script = twice.stopped.is_none();
                    assert!(is_read_script || twice.stopped.unwrap().contains("run before"), "{what}");
                    let read = site.run(number, &["ReadOnly"]).await;
                    site.supply(number, &read.printed).await.unwrap();
                }
                // Once more, from whatever it was left at: what Exchange refused is told once.
                let end = async || {
                    if release {
                        served.release(&who, &OpenDoor).await
                    } else {
                        served.redirect(&who, NEW, &OpenDoor).await
                    }
                };
                if let Err(error) = end().await {
                    assert!([Cause::Refused, Cause::Missing].contains(&error.cause), "{what}: {error}");
                    end().await.unwrap();
                }
                let came = site.organisation().deliver("ann@site.test").sent_to;
                assert_eq!(came, [if release { "ann@home.test" } else { NEW }], "{what}");
                if release {
                    assert_eq!(site.dump("ann@site.test"), off, "{what}");
                } else {
                    served.release(&who, &OpenDoor).await.unwrap();
                    assert_eq!(site.dump("ann@site.test"), off, "{what}");
                }
                if !is_met {
                    assert!(at > 5, "{what}");
                    break;
                }
            }
        }
    }
}
