//! The same with routers of the product: people's scripts on a real Dovecot say where mail goes, and a switch and its undo are stopped right
//! before and right after each change of these. What lies in mailboxes is in memory.

use conformance::post::{SmtpSink, hand_in};
use conformance::servers::{Dovecot, Format};
use conformance::whole;
use connector::{Account, OpenDoor, Secret};
use sieve::{Impersonate, Login, SieveRouter, Tls};

use super::addresses::with_platform;
use super::stops::{Stop, Stopped, ann};
use super::*;

const MASTER: &str = "migrator";
const PASSWORD: &str = "secret";

/// A Dovecot that has the scripts of both sides, and what takes all that it sends on.
pub(super) struct Site {
    dovecot: Dovecot,
    sink: SmtpSink,
}

impl Site {
    fn start() -> Option<Self> {
        let sink = SmtpSink::start();
        let builder = Dovecot::builder().format(Format::Maildir).master(MASTER, PASSWORD).sieve(sink.port());
        let dovecot = builder.users(ANN.map(|name| (name, PASSWORD))).start()?;
        Some(Self { dovecot, sink })
    }

    /// Where a message that is delivered now goes on to, if it does. One that is sent on must not stay as well.
    pub(super) fn leads(&self, at: &str) -> Option<String> {
        let (before, stayed) = (self.sink.posted().len(), self.stayed(at));
        hand_in(self.dovecot.lmtp_port(), "someone@out.test", at, "Subject: where to?\r\n\r\nwhere to?\r\n");
        let sent_on: Vec<String> = self.sink.posted()[before..].iter().flat_map(|posted| posted.to.clone()).collect();
        assert_eq!(sent_on.len() + self.stayed(at) - stayed, 1, "it goes to one place: {at}: {sent_on:?}");
        sent_on.into_iter().next()
    }

    /// How many messages lie in a mailbox.
    fn stayed(&self, at: &str) -> usize {
        let maildir = self.dovecot.maildir(at);
        let files = |folder: &str| std::fs::read_dir(maildir.join(folder)).map_or(0, Iterator::count);
        files("new") + files("cur")
    }

    pub(super) fn router(&self) -> Arc<dyn Router> {
        let mut config = sieve::Config::new("127.0.0.1");
        config.port = Some(self.dovecot.sieve_port());
        config.tls = Tls::None;
        config.sender = SenderMode::TrustedRelay;
        config.login = Some(Login {
            user: MASTER.to_owned(),
            password: Some(Secret::new(PASSWORD)),
            impersonate: Impersonate::Master("*".to_owned()),
        });
        Arc::new(SieveRouter::new(config).unwrap())
    }
}

/// Ann, in step or switched, between these two sites; it is stopped at changes of where mail goes.
async fn ann_at(site: &Arc<Site>, is_switched: bool) -> Stopped {
    for name in ANN {
        let who = Recipient::new(Account::named(name), name);
        site.router().release(&who, &OpenDoor).await.unwrap();
    }
    let project = Project::at(&[], Some(site.clone())).await;
    project.forward().await;
    project.turn().await;
    assert_eq!(site.leads(ANN[1]).as_deref(), Some(ANN[0]), "it is on at once");
    let (project, flaky) = with_platform(project, vec![ann()]);
    Stopped::of(project, flaky, Stop::at_each(Effect::Route), is_switched).await
}

#[tokio::test]
async fn stopped_at_every_change_of_people_s_scripts_every_message_comes_once() {
    let Some(site) = Site::start() else { return };
    let site = Arc::new(site);
    for is_back in [false, true] {
        let count = ann_at(&site, is_back).await.goes(is_back, 0, "counting").await;
        println!("back: {is_back}: {count} moments, two a change");
        assert!(count >= 4, "{count}");
        for moment in whole::moments(count as u64, 2) {
            let what = format!("back: {is_back}, stopped at {moment} of {count}");
            ann_at(&site, is_back).await.goes(is_back, moment as usize, &what).await;
        }
    }
}
