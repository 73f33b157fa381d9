//! Sites whose people have Sieve scripts: on real servers, and on one that answers from memory.
#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

pub(crate) mod fake;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use conformance::certificates::Flaw;
use conformance::post::{SmtpSink, hand_in};
use conformance::router_suite::{Delivered, OwnRules, RouterWorld};
use conformance::servers::{Cyrus, Dovecot};
use conformance::sieve_talk::SieveTalk;
use conformance::talk::Talk;
use connector::{Account, Recipient, Router, Secret};
use sieve::{Config, Impersonate, Login, SieveRouter, Tls};

pub(crate) const ANN: &str = "ann@site.test";
pub(crate) const BOB: &str = "bob@site.test";
pub(crate) const PASSWORD: &str = "pw-of-theirs";
/// A text that no result and no error may hold.
pub(crate) const PRIVATE: &str = "Mrs Jones called about her results";

/// How the router logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// As the account that logs in for everyone, in the person's name.
    ForEveryone,
    /// As each person, over TLS.
    OwnPassword,
}

enum Site {
    Dovecot(Dovecot),
    Cyrus(Cyrus),
}

/// A site on a real server.
pub(crate) struct World {
    site: Site,
    sink: SmtpSink,
    way: Way,
    pub(crate) config: Config,
    router: SieveRouter,
    handed_in: AtomicUsize,
}

pub(crate) fn login(user: &str, password: &str, impersonate: Impersonate) -> Login {
    Login { user: user.to_owned(), password: Some(Secret::new(password)), impersonate }
}

pub(crate) fn config(port: u16) -> Config {
    let mut config = Config::new("127.0.0.1");
    config.port = Some(port);
    config.tls = Tls::None;
    config
}

impl World {
    pub(crate) fn dovecot(way: Way) -> Option<Self> {
        Self::dovecot_with(way, "")
    }

    pub(crate) fn dovecot_with(way: Way, extra: &str) -> Option<Self> {
        let sink = SmtpSink::start();
        let builder = Dovecot::builder()
            .users([(ANN, PASSWORD), (BOB, PASSWORD)])
            .master("migrator", "master-pw")
            .mechanisms("plain scram-sha-256")
            .tls(Flaw::None)
            .sieve(sink.port())
            .extra(extra);
        let server = builder.start()?;
        let mut config = config(server.sieve_port());
        match way {
            Way::ForEveryone => config.login = Some(login("migrator", "master-pw", Impersonate::Authzid)),
            Way::OwnPassword => {
                config.tls = Tls::Starttls;
                config.ca_file = Some(server.ca_file());
            }
        }
        Some(Self::new(Site::Dovecot(server), sink, way, config))
    }

    pub(crate) fn cyrus(way: Way) -> Option<Self> {
        let sink = SmtpSink::start();
        let builder = Cyrus::builder()
            .users([(ANN, PASSWORD), (BOB, PASSWORD)])
            .admin("admin@site.test", "admin-pw")
            .tls(Flaw::None)
            .sieve(sink.port());
        let server = builder.start()?;
        // A mailbox is made at the first login.
        for who in [ANN, BOB] {
            drop(Talk::login(server.port(), who, PASSWORD));
        }
        let mut config = config(server.sieve_port());
        match way {
            Way::ForEveryone => config.login = Some(login("admin@site.test", "admin-pw", Impersonate::Authzid)),
            Way::OwnPassword => {
                config.tls = Tls::Starttls;
                config.ca_file = Some(server.ca_file());
            }
        }
        Some(Self::new(Site::Cyrus(server), sink, way, config))
    }

    fn new(site: Site, sink: SmtpSink, way: Way, config: Config) -> Self {
        let router = SieveRouter::new(config.clone()).unwrap();
        Self { site, sink, way, config, router, handed_in: AtomicUsize::new(0) }
    }

    pub(crate) fn person(&self, name: &str) -> Recipient {
        let mut account = Account::named(name);
        account.password = (self.way == Way::OwnPassword).then(|| Secret::new(PASSWORD));
        Recipient::new(account, name)
    }

    pub(crate) fn talk(&self, who: &str) -> SieveTalk {
        let port = match &self.site {
            Site::Dovecot(server) => server.sieve_port(),
            Site::Cyrus(server) => server.sieve_port(),
        };
        SieveTalk::log_in(port, who, PASSWORD)
    }

    /// Hands in a message with this Message-ID, or one of its own, and waits for what becomes of it.
    pub(crate) fn hand_in(&self, who: &str, message_id: Option<&str>) -> Delivered {
        let (lmtp, imap) = match &self.site {
            Site::Dovecot(server) => (server.lmtp_port(), server.port()),
            Site::Cyrus(server) => (server.lmtp_port(), server.port()),
        };
        let number = self.handed_in.fetch_add(1, Ordering::Relaxed);
        let id = message_id.map_or_else(|| format!("<{number}@outside.test>"), str::to_owned);
        let mark = format!("mark-{number}-");
        let message = format!(
            "From: sender@outside.test\r\nTo: {who}\r\nSubject: {mark}\r\nMessage-ID: {id}\r\nX-Mark: {mark}\r\n\
             Date: Mon, 02 Nov 2026 09:00:00 +0000\r\n\r\nHello\r\n"
        );
        hand_in(lmtp, "sender@outside.test", who, &message);
        let began = Instant::now();
        loop {
            let posted = self.sink.posted().into_iter().filter(|posted| posted.message.contains(&mark));
            let sent_to: Vec<String> = posted.flat_map(|posted| posted.to).collect();
            let kept_in = kept_in(imap, who, &mark);
            if !(sent_to.is_empty() && kept_in.is_empty()) || began.elapsed() > Duration::from_secs(2) {
                return Delivered { kept_in, sent_to };
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// How many messages were sent to this address.
    pub(crate) fn posted_to(&self, address: &str) -> usize {
        self.sink.posted().iter().filter(|posted| posted.to.iter().any(|to| to == address)).count()
    }

    /// Who sent what went to this address, by the envelope.
    pub(crate) fn senders_to(&self, address: &str) -> Vec<String> {
        let posted = self.sink.posted().into_iter().filter(|posted| posted.to.iter().any(|to| to == address));
        posted.map(|posted| posted.from).collect()
    }

    /// Puts a text in place of that of one of Ann's scripts, behind the server's back.
    pub(crate) fn plant(&self, name: &str, text: &str) {
        let Site::Dovecot(server) = &self.site else { panic!("it keeps scripts elsewhere") };
        let path = server.home(ANN).join("sieve").join(format!("{name}.sieve"));
        std::fs::write(&path, text).unwrap();
        server.give_to_mail_user(&path);
    }

    /// Puts rules of Ann's where Dovecot runs them and lists no script of them.
    pub(crate) fn plant_unlisted(&self, text: &str) {
        let Site::Dovecot(server) = &self.site else { panic!("it keeps scripts elsewhere") };
        drop(self.talk(ANN));
        let path = server.home(ANN).join(".dovecot.sieve");
        std::fs::create_dir_all(server.home(ANN)).unwrap();
        std::fs::write(&path, text).unwrap();
        server.give_to_mail_user(&server.home(ANN));
    }

    /// What of the scripts lies in files, where the server has them there.
    fn files(&self, who: &str) -> Vec<u8> {
        let Site::Dovecot(server) = &self.site else { return Vec::new() };
        let home = server.home(who);
        let active = std::fs::read_link(home.join(".dovecot.sieve")).ok();
        let mut all = format!("active {active:?}\n").into_bytes();
        let mut names: Vec<_> = list(&home.join("sieve"));
        names.sort();
        for name in names {
            all.extend_from_slice(format!("{name}\n").as_bytes());
            all.extend(std::fs::read(home.join("sieve").join(name)).unwrap());
        }
        all
    }
}

fn list(folder: &Path) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "sieve")).collect()
}

/// The folders in which a message with this mark lies.
fn kept_in(port: u16, who: &str, mark: &str) -> Vec<String> {
    let mut talk = Talk::login(port, who, PASSWORD);
    let listed = talk.ok("LIST \"\" \"*\"");
    let folders: Vec<String> = listed
        .of("LIST")
        .filter(|line| !line.to_ascii_lowercase().contains("\\noselect"))
        .map(|line| line.rsplit(' ').next().unwrap().trim_matches('"').to_owned())
        .collect();
    let mut kept = Vec::new();
    for folder in folders {
        talk.ok(&format!("EXAMINE \"{folder}\""));
        let found = talk.command("UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (X-Mark)])");
        kept.extend((0..found.text().matches(mark).count()).map(|_| folder.clone()));
    }
    kept
}

/// A script with these rules; none where there are none.
pub(crate) fn script(rules: &OwnRules) -> Option<String> {
    let (require, action) = match rules {
        OwnRules::None => return None,
        OwnRules::Files(folder) => ("\"fileinto\", \"mailbox\"", format!("fileinto :create \"{folder}\";")),
        OwnRules::Forwards(to) => ("\"vacation\"", format!("redirect \"{to}\";")),
        OwnRules::Copies(to) => ("\"copy\", \"vacation\"", format!("redirect :copy \"{to}\";")),
    };
    Some(format!(
        "# My rules\r\nrequire [{require}]; # {PRIVATE}\r\n\r\nif header :contains \"X-Never\" \"never\" {{\r\n  stop;\r\n}}\r\n{action}\r\n"
    ))
}

/// The person has these rules; while ours are active, theirs are changed and not activated.
pub(crate) fn set_own(talk: &mut SieveTalk, rules: &OwnRules) {
    let scripts = talk.list();
    let ours_is_on = scripts.iter().any(|(name, active)| *active && name.starts_with("whimbrel"));
    if let Some(text) = script(rules) {
        let said = talk.put("rules", text.as_bytes());
        assert!(said.starts_with("OK"), "{said}");
        if !ours_is_on {
            talk.activate("rules");
        }
    } else {
        if !ours_is_on {
            talk.activate("");
        }
        if scripts.iter().any(|(name, _)| name == "rules") {
            talk.delete("rules");
        }
    }
}

#[async_trait]
impl RouterWorld for World {
    fn router(&self) -> Arc<dyn Router> {
        Arc::new(self.router.clone())
    }

    fn people(&self) -> [Recipient; 2] {
        [self.person(ANN), self.person(BOB)]
    }

    async fn dump(&self, who: &Recipient) -> Vec<u8> {
        let name = &who.account.name;
        [self.talk(name).dump(), self.files(name)].concat()
    }

    async fn set_own(&self, who: &Recipient, rules: &OwnRules) -> bool {
        set_own(&mut self.talk(&who.account.name), rules);
        true
    }

    async fn deliver(&self, who: &Recipient) -> Option<Delivered> {
        Some(self.hand_in(&who.account.name, None))
    }

    fn stranger(&self) -> Recipient {
        self.person("nobody@site.test")
    }

    async fn copying(&self) -> Option<(Arc<dyn Router>, Recipient)> {
        if matches!(self.site, Site::Cyrus(_)) {
            return None;
        }
        let world = Self::dovecot_with(self.way, "plugin {\n  sieve_max_redirects = 0\n}")?;
        let (router, who) = (world.router(), world.person(ANN));
        // The server is to run as long as the test does.
        std::mem::forget(world);
        Some((router, who))
    }
}
