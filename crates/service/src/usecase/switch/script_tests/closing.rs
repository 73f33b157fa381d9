//! Mailboxes that are closed to their people by scripts, and opened again.

use conformance::access_suite::AccessWorld;
use conformance::whole;
use connector::{Access, AccessChanged, LoginState};
use exchange::ExchangeAccess;

use super::*;

/// The ways that are closed, as `Get-CASMailbox` calls them; IMAP is left to whoever migrates.
const CLOSED: [&str; 5] = ["ActiveSyncEnabled", "EwsEnabled", "MAPIEnabled", "OWAEnabled", "PopEnabled"];

pub(super) fn closing() -> exchange::Config {
    exchange::Config { closing: Some(toml::from_str("").unwrap()), ..config() }
}

impl Site {
    pub(super) fn access(&self) -> ExchangeAccess {
        ExchangeAccess::new(self.config.clone(), self.board.clone()).unwrap().unwrap()
    }

    /// Does the person get in by any of the ways that are closed?
    pub(super) fn lets_in(&self, address: &str) -> bool {
        let mut organisation = self.organisation();
        let mailbox = organisation.mailbox(address);
        assert!(mailbox.lets_in("ImapEnabled"), "that is how whoever migrates gets in");
        CLOSED.iter().any(|way| mailbox.lets_in(way))
    }
}

/// The access, with the people who run its scripts.
struct Served(Arc<Site>);

#[async_trait]
impl Access for Served {
    fn platform(&self) -> &'static str {
        "exchange-script"
    }

    async fn read(&self, who: &Recipient) -> Result<LoginState, Error> {
        self.0.board.forget(&who.account.name).await;
        until_told!(self.0, self.0.access().read(who))
    }

    async fn close(&self, who: &Recipient, door: &dyn Door) -> Result<AccessChanged, Error> {
        until_told!(self.0, self.0.access().close(who, door))
    }

    async fn open(&self, who: &Recipient, door: &dyn Door) -> Result<AccessChanged, Error> {
        until_told!(self.0, self.0.access().open(who, door))
    }

    async fn check(&self, who: Option<&Recipient>) -> Vec<Finding> {
        self.0.access().check(who).await
    }
}

struct World(Arc<Site>);

async fn world() -> Option<World> {
    Some(World(Site::configured(closing(), false).await))
}

#[async_trait]
impl AccessWorld for World {
    fn access(&self) -> Arc<dyn Access> {
        Arc::new(Served(self.0.clone()))
    }

    fn people(&self) -> [Recipient; 2] {
        ["ann", "ben"].map(Site::who)
    }

    async fn dump(&self) -> Vec<u8> {
        ["ann@site.test", "ben@site.test"].map(|address| self.0.dump(address)).concat()
    }

    async fn close_by_site(&self, who: &Recipient, is_closed: bool) {
        let mut organisation = self.0.organisation();
        let ways = &mut organisation.mailbox(&who.addresses[0]).ways;
        for way in CLOSED {
            if is_closed {
                ways.insert(way.to_owned(), false);
            } else {
                ways.remove(way);
            }
        }
    }

    async fn lets_in(&self, who: &Recipient) -> Option<bool> {
        Some(self.0.lets_in(&who.addresses[0]))
    }
}

conformance::access_suite!(world().await);

/// A script that is cut between the two changes of a mailbox, or whose answer is lost, is gone on with by the next.
#[tokio::test]
async fn wherever_a_script_is_cut_the_next_one_comes_to_the_same_end() {
    for is_back in [false, true] {
        for at in whole::moments(13, 6) {
            let at = at as usize;
            for accident in [Accident::KilledBefore, Accident::KilledAfter, Accident::Lost] {
                let site = Site::configured(closing(), false).await;
                let (ann, served) = (Site::who("ann"), Served(site.clone()));
                let was = site.dump("ann@site.test");
                if is_back {
                    served.close(&ann, &OpenDoor).await.unwrap();
                }
                let access = site.access();
                site.board.forget("ann@site.test").await;
                access.read(&ann).await.unwrap_err();
                site.work().await;
                let asked =
                    if is_back { access.open(&ann, &OpenDoor).await } else { access.close(&ann, &OpenDoor).await };
                assert_eq!(asked.unwrap_err().cause, Cause::Awaiting);
                let number = site.write(if is_back { Step::Open } else { Step::Close }).await.unwrap();
                site.sign(number).await;
                {
                    let mut organisation = site.organisation();
                    organisation.accident = Some((organisation.calls + at, accident.clone()));
                }
                let ran = site.run(number, &[]).await;
                site.organisation().accident = None;
                if site.supply(number, &ran.printed).await.is_err() || ran.stopped.is_some() {
                    site.store.withdraw_script(site.key, number, "Sue", "it broke off").await.unwrap();
                }
                // What Exchange has refused is told once.
                if is_back {
                    let _told = served.open(&ann, &OpenDoor).await;
                    served.open(&ann, &OpenDoor).await.unwrap();
                    assert_eq!(site.dump("ann@site.test"), was, "{at} {accident:?}");
                } else {
                    let _told = served.close(&ann, &OpenDoor).await;
                    served.close(&ann, &OpenDoor).await.unwrap();
                    assert!(!site.lets_in("ann@site.test"), "{at} {accident:?}");
                    served.open(&ann, &OpenDoor).await.unwrap();
                    assert_eq!(site.dump("ann@site.test"), was, "{at} {accident:?}");
                }
            }
        }
    }
}
