//! Switches whose source is turned by scripts: they wait for people, and mail comes all the time.

use std::collections::BTreeMap;

use model::Phase;

use super::*;
use crate::usecase::switch::tests::{ANN, MemoryRouter, Project, switcher};

/// The router as a project has it: nobody runs anything for it.
struct Asking(Arc<Site>);

#[async_trait]
impl Router for Asking {
    fn offers(&self) -> RouterOffers {
        self.0.router.offers()
    }

    async fn read(&self, who: &Recipient) -> Result<Routing, Error> {
        self.0.router.read(who).await
    }

    async fn redirect(&self, who: &Recipient, to: &str, door: &dyn Door) -> Result<Rerouted, Error> {
        self.0.router.redirect(who, to, door).await
    }

    async fn release(&self, who: &Recipient, door: &dyn Door) -> Result<Rerouted, Error> {
        self.0.router.release(who, door).await
    }

    async fn check(&self, who: Option<&Recipient>) -> Vec<Finding> {
        self.0.router.check(who).await
    }
}

/// A switch between two sites, and the people who run scripts at the source.
struct Scripted {
    project: Project,
    site: Arc<Site>,
    sent: Vec<usize>,
}

impl Scripted {
    async fn new() -> Self {
        Self::with(config()).await
    }

    /// At a site with these settings. Where these close mailboxes that is done at once.
    async fn with(config: exchange::Config) -> Self {
        let mut project = Project::without_forwarder(&[]).await;
        let endpoints: Vec<i64> = project.engine.endpoints.keys().copied().collect();
        let (store, key) = (project.engine.store.clone(), project.engine.key);
        let site = Site::with(config, (store, key, endpoints[0]), tempfile::tempdir().unwrap(), false);
        *site.organisation() = Organisation::of(SITE, "site.test", &[ANN[0]]);
        let source: Arc<dyn Router> = Arc::new(Asking(site.clone()));
        let target: Arc<dyn Router> = Arc::new(MemoryRouter { sites: project.sites.clone() });
        let routers = BTreeMap::from([(endpoints[0], source), (endpoints[1], target)]);
        // What fails is reversed at once: nothing that is awaited may count as failed.
        let mut switcher = switcher(routers, endpoints[1], &[]);
        if site.config.closing.is_some() {
            switcher.entry.close_after_days = Some(0);
            switcher.accesses.insert(endpoints[0], Arc::new(site.access()));
        }
        project.engine.turnover = Some(Arc::new(switcher));
        let mut scripted = Self { project, site, sent: Vec::new() };
        scripted.project.forward().await;
        scripted.turn().await;
        assert!(scripted.project.sites.mail().redirects.is_empty(), "what else sends her mail on is not known yet");
        scripted.site.work().await;
        scripted.turn().await;
        assert_eq!(scripted.project.sites.mail().redirects.get(ANN[1]).map(String::as_str), Some(ANN[0]));
        // Nobody has been told of the new address before that.
        scripted.sent.clear();
        scripted
    }

    async fn turn(&mut self) {
        self.sent.extend(ANN.map(|address| self.project.sites.send(address)));
        self.project.turn().await;
    }

    /// What scripts have changed is in force.
    fn take_effect(&self) {
        let leads = self.site.organisation().deliver(ANN[0]).sent_to.pop();
        let mut mail = self.project.sites.mail();
        match leads {
            Some(leads) => drop(mail.redirects.insert(ANN[0].to_owned(), leads)),
            None => drop(mail.redirects.remove(ANN[0])),
        }
    }

    async fn row(&self) -> store::SwitchRow {
        self.site.store.switch_of(self.site.key, self.project.mailbox).await.unwrap().unwrap()
    }

    /// It waits for a person at this task, however often it is looked at.
    async fn awaits(&mut self, task: &str, words: &str) {
        for _ in 0..3 {
            self.turn().await;
            let row = self.row().await;
            assert_eq!((row.task.as_str(), row.awaits), (task, true), "{row:?}");
            assert!(row.waits.as_deref().is_some_and(|waits| waits.contains(words)), "{row:?}");
            assert_eq!(self.project.phase().await, Phase::Switching);
        }
    }

    async fn until(&mut self, phase: Phase) {
        for _ in 0..20 {
            self.turn().await;
            if self.project.phase().await == phase && self.row().await.ended.is_some() {
                return;
            }
        }
        panic!("{:?}", self.row().await);
    }

    async fn judge(&self, what: &str) {
        self.project.judge(&self.sent, what).await;
    }

    async fn supplied(&self, number: i64, switches: &[&str]) {
        let ran = self.site.run(number, switches).await;
        self.take_effect();
        self.site.supply(number, &ran.printed).await.unwrap();
    }

    /// A redirect script that was written and signed.
    async fn signed(&mut self) -> i64 {
        self.project.order(false, 0).await;
        self.awaits("redirect-on", "switch script write").await;
        let number = self.site.write(Step::Redirect).await.unwrap();
        self.awaits("redirect-on", "switch script sign").await;
        self.site.sign(number).await;
        self.awaits("redirect-on", "switch script supply").await;
        number
    }
}

/// A switch and its undo, each waiting for people: it advances once what a script printed is supplied, and never before.
#[tokio::test]
async fn a_switch_waits_for_people_and_advances_by_what_they_supply() {
    let mut scripted = Scripted::new().await;
    let number = scripted.signed().await;
    let ran = scripted.site.run(number, &[]).await;
    scripted.take_effect();
    scripted.awaits("redirect-on", "switch script supply").await;
    scripted.site.supply(number, &ran.printed).await.unwrap();
    scripted.until(Phase::Switched).await;
    scripted.judge("over").await;
    scripted.project.order(true, 0).await;
    scripted.awaits("redirect-off", "switch script write").await;
    let number = scripted.site.write(Step::Release).await.unwrap();
    scripted.site.sign(number).await;
    scripted.awaits("redirect-off", "switch script supply").await;
    scripted.supplied(number, &[]).await;
    scripted.until(Phase::InStep).await;
    scripted.judge("back").await;
}

/// The mailbox is closed to its person once they work elsewhere, and opened again before an undo turns mail round, each by a script.
#[tokio::test]
async fn a_mailbox_is_closed_and_opened_again_by_scripts() {
    let mut scripted = Scripted::with(closing::closing()).await;
    let number = scripted.signed().await;
    scripted.supplied(number, &[]).await;
    scripted.until(Phase::Switched).await;
    for _ in 0..4 {
        scripted.turn().await;
        assert!(scripted.site.lets_in(ANN[0]), "nobody has run anything");
    }
    let number = scripted.site.write(Step::Close).await.unwrap();
    scripted.site.sign(number).await;
    scripted.supplied(number, &[]).await;
    assert!(!scripted.site.lets_in(ANN[0]));
    // Time that a person took is not waited for again.
    for _ in 0..2 {
        scripted.turn().await;
    }
    let closing = scripted.site.store.closing(scripted.site.key, scripted.project.mailbox).await.unwrap().unwrap();
    assert!(closing.closed_at.is_some(), "{closing:?}");
    scripted.judge("closed").await;
    scripted.project.order(true, 0).await;
    scripted.awaits("mark-off", "switch script write").await;
    let number = scripted.site.write(Step::Open).await.unwrap();
    scripted.site.sign(number).await;
    scripted.supplied(number, &[]).await;
    assert!(scripted.site.lets_in(ANN[0]));
    scripted.awaits("redirect-off", "switch script write").await;
    let number = scripted.site.write(Step::Release).await.unwrap();
    scripted.site.sign(number).await;
    scripted.supplied(number, &[]).await;
    scripted.until(Phase::InStep).await;
    scripted.judge("back").await;
}

/// Taken back before anybody has signed: what was asked for is asked for no more, and no script of it can be signed later.
#[tokio::test]
async fn an_undo_before_the_signature_leaves_nothing_that_could_be_run_later() {
    for is_written in [false, true] {
        let mut scripted = Scripted::new().await;
        scripted.project.order(false, 0).await;
        scripted.awaits("redirect-on", "switch script write").await;
        let number = if is_written { scripted.site.write(Step::Redirect).await } else { None };
        scripted.project.order(true, 0).await;
        scripted.until(Phase::InStep).await;
        assert_eq!(scripted.site.write(Step::Redirect).await, None, "nothing is asked for any more");
        if let Some(number) = number {
            let (store, key) = (&scripted.site.store, scripted.site.key);
            assert_eq!(store.sign_script(key, number, "Sue", "me").await.unwrap(), store::SignOutcome::Not);
        }
        scripted.judge("back").await;
    }
}

/// Taken back while a script may have been run: what it did is known first.
#[tokio::test]
async fn an_undo_in_the_middle_waits_until_it_is_known_what_was_run() {
    for how in ["run", "withdrawn", "withdrawn and run"] {
        let mut scripted = Scripted::new().await;
        let number = scripted.signed().await;
        if how == "withdrawn and run" {
            scripted.site.run(number, &[]).await;
            scripted.take_effect();
        }
        scripted.project.order(true, 0).await;
        scripted.awaits("redirect-off", "switch script supply").await;
        if how == "run" {
            scripted.supplied(number, &[]).await;
        } else {
            scripted.site.store.withdraw_script(scripted.site.key, number, "Sue", "deleted").await.unwrap();
        }
        for _ in 0..3 {
            scripted.turn().await;
            if scripted.row().await.awaits {
                scripted.site.work().await;
                scripted.take_effect();
            }
        }
        scripted.until(Phase::InStep).await;
        scripted.judge(how).await;
    }
}

/// While a script may turn somebody's mail, the routing check takes it for turned and for not turned.
#[tokio::test]
async fn a_script_that_may_have_been_run_is_old_and_new() {
    let mut scripted = Scripted::new().await;
    let number = scripted.signed().await;
    let switcher = switcher(BTreeMap::new(), 0, &[]);
    let recorded = switcher.recorded(&scripted.site.store, scripted.site.key).await.unwrap();
    assert_eq!(recorded.awaited, [(scripted.project.mailbox, model::Side::Source)]);
    scripted.supplied(number, &[]).await;
    let recorded = switcher.recorded(&scripted.site.store, scripted.site.key).await.unwrap();
    assert_eq!(recorded.awaited, []);
}

/// Once what was awaited is there, what fails is new: it is not reversed for having waited.
#[tokio::test]
async fn time_that_a_person_took_is_not_held_against_the_switch() {
    let mut scripted = Scripted::new().await;
    scripted.signed().await;
    let row = scripted.row().await;
    assert!(row.awaited_at.is_some_and(|at| at >= row.since) && row.tries == 0, "{row:?}");
}
