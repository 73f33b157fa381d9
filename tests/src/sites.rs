//! Two sites that exchange mail: a Dovecot each, whose people have Sieve scripts, and what carries mail between them and from outside.
//!
//! What a site sends on is taken by one server, and carried to whoever takes mail for its domain, over LMTP. Mail to anybody else is
//! kept there, for the test to look at.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use conformance::{
    post::{Posted, SmtpSink, hand_in},
    servers::{Dovecot, Format},
    talk::Talk,
};

use crate::{
    project::{Endpoint, Project},
    store::{MIGRATOR, PASSWORD},
};

/// The domain of the source.
pub const LOCAL: &str = "hill.test";
/// The domain of the target.
pub const NATIONAL: &str = "nation.test";
/// How often what was sent is carried on.
const CARRY_EVERY: Duration = Duration::from_millis(20);

/// Two sites.
pub struct Sites {
    /// The source.
    pub local: Dovecot,
    /// The target.
    pub national: Dovecot,
    carrier: Carrier,
    sent: AtomicUsize,
}

struct Carrier {
    sink: SmtpSink,
    /// What went to neither domain, and what did not arrive, with how often it was carried.
    astray: Arc<Mutex<Vec<Posted>>>,
    carried: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Somebody's address at the source.
pub fn at_source(name: &str) -> String {
    format!("{name}@{LOCAL}")
}

/// Somebody's address at the target.
pub fn at_target(name: &str) -> String {
    format!("{name}@{NATIONAL}")
}

impl Sites {
    /// Starts both, with these people on each side.
    pub fn start(people: &[&str]) -> Option<Self> {
        Self::start_denying(people, None)
    }

    /// Starts both; the source denies whom this file names.
    pub fn start_denying(people: &[&str], denied: Option<&Path>) -> Option<Self> {
        let sink = SmtpSink::start();
        // As docs/routing.md says: else one of two messages with one Message-ID stays.
        let extra = "plugin {\n  sieve_redirect_duplicate_period = 0\n}";
        let site = |address: &dyn Fn(&str) -> String, format, denied: Option<&Path>| {
            let names: Vec<String> = people.iter().map(|name| address(name)).collect();
            let builder = Dovecot::builder()
                .format(format)
                .users(names.iter().map(|name| (name.as_str(), PASSWORD)))
                .master(MIGRATOR, PASSWORD)
                .sieve(sink.port())
                .extra(extra);
            denied.into_iter().fold(builder, conformance::servers::DovecotBuilder::denies_by).start()
        };
        let local = site(&at_source, Format::Maildir, denied)?;
        let national = site(&at_target, Format::Sdbox, None)?;
        let ports = BTreeMap::from([(LOCAL, local.lmtp_port()), (NATIONAL, national.lmtp_port())]);
        Some(Self { local, national, carrier: Carrier::start(sink, ports), sent: AtomicUsize::new(0) })
    }

    /// The project that moves these people, with routers on both sides, these lines at the top and these about the switch.
    pub fn project(&self, people: &[&str], top: &str, switch: &str) -> Project {
        let endpoint = |server: &Dovecot| Endpoint::imap(server.port()).login(MIGRATOR, PASSWORD, "master:*");
        let router = |name: &str, endpoint: &str, server: &Dovecot| {
            format!(
                "[routers.{name}]\nkind = \"sieve\"\nendpoint = \"{endpoint}\"\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\n\
                 sender = \"trusted-relay\"\n[routers.{name}.login]\nuser = \"{MIGRATOR}\"\n\
                 password = {{ file = \"router.password\" }}\nimpersonate = \"master:*\"\n",
                server.sieve_port(),
            )
        };
        let lines = format!(
            "{top}\n{}{}[routing.source]\ndomains = [\"{LOCAL}\"]\ntrusts_other = true\nenforces_spf = false\nenforces_dmarc = false\n\
             [routing.target]\ndomains = [\"{NATIONAL}\"]\ntrusts_other = true\nenforces_spf = false\nenforces_dmarc = false\n\
             [switch]\n{switch}\n",
            router("local", "local", &self.local),
            router("national", "national", &self.national),
        );
        let mut project = Project::new(endpoint(&self.local), endpoint(&self.national)).with(&lines);
        for name in people {
            project = project.row(&format!("{},{}", at_source(name), at_target(name)));
        }
        let file = project.path().join("router.password");
        fs::write(&file, PASSWORD).expect("the project can be written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("the project can be written");
        project
    }

    /// Sends a message from outside to this address. Its mark, by which it is found again.
    pub fn send(&self, to: &str) -> String {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let mark = format!("mark-{number:05}-");
        let message = format!(
            "From: sender@outside.test\r\nTo: {to}\r\nSubject: {mark}\r\nMessage-ID: <{number}@outside.test>\r\n\
             Date: Mon, 02 Nov 2026 09:00:00 +0000\r\n\r\n{mark}\r\n"
        );
        let port = if to.ends_with(LOCAL) { self.local.lmtp_port() } else { self.national.lmtp_port() };
        hand_in(port, "sender@outside.test", to, &message);
        mark
    }

    /// Puts a message into somebody's mailbox at the source by another way than delivery, which a redirect does not see. Its mark.
    pub fn deliver_at_source(&self, name: &str) -> String {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let mark = format!("mark-{number:05}-");
        let message = format!("Subject: {mark}\r\nMessage-ID: <{number}@outside.test>\r\n\r\n{mark}\r\n");
        let mut talk = Talk::login(self.local.port(), &format!("{}*{MIGRATOR}", at_source(name)), PASSWORD);
        assert!(talk.append("INBOX", "", message.as_bytes()).is_ok());
        mark
    }

    /// Waits until nothing is on its way.
    pub fn settle(&self) {
        loop {
            let before = self.carrier.carried.load(Ordering::SeqCst);
            thread::sleep(CARRY_EVERY * 10);
            if before == self.carrier.sink.posted().len() && before == self.carrier.carried.load(Ordering::SeqCst) {
                return;
            }
        }
    }

    /// What went to neither site.
    pub fn astray(&self) -> Vec<Posted> {
        self.carrier.astray.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often a message with this mark is in somebody's mailbox on each side, in whatever folders.
    pub fn copies(&self, name: &str, mark: &str) -> [usize; 2] {
        self.marks(name).map(|marks| marks.get(mark).copied().unwrap_or_default())
    }

    /// How often each message is in somebody's mailbox on each side, by its mark.
    pub fn marks(&self, name: &str) -> [BTreeMap<String, usize>; 2] {
        [(&self.local, at_source(name)), (&self.national, at_target(name))].map(|(server, who)| {
            // As whoever migrates: who was closed out of a mailbox can't look.
            let mut talk = Talk::login(server.port(), &format!("{who}*{MIGRATOR}"), PASSWORD);
            let mut marks = BTreeMap::new();
            for folder in folders(&mut talk) {
                talk.ok(&format!("EXAMINE \"{folder}\""));
                let subjects = talk.ok("UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])").text();
                for rest in subjects.split("mark-").skip(1) {
                    let digits = rest.split('-').next().unwrap_or_default();
                    *marks.entry(format!("mark-{digits}-")).or_default() += 1;
                }
            }
            marks
        })
    }
}

/// The folders of whoever has logged in.
pub(crate) fn folders(talk: &mut Talk) -> Vec<String> {
    let listed = talk.ok("LIST \"\" \"*\"");
    let names =
        listed.of("LIST").filter_map(|line| line.rsplit(' ').next()).map(|name| name.trim_matches('"').to_owned());
    names.collect()
}

impl Carrier {
    fn start(sink: SmtpSink, ports: BTreeMap<&'static str, u16>) -> Self {
        let (astray, carried) = (Arc::<Mutex<Vec<Posted>>>::default(), Arc::new(AtomicUsize::new(0)));
        let is_over = Arc::new(AtomicBool::new(false));
        let round = Self { sink, astray, carried, is_over };
        let (sink, astray) = (round.sink.clone(), round.astray.clone());
        let (carried, is_over) = (round.carried.clone(), round.is_over.clone());
        thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                for posted in sink.posted().into_iter().skip(carried.load(Ordering::SeqCst)) {
                    for to in &posted.to {
                        let port = to.rsplit_once('@').and_then(|(_, domain)| ports.get(domain));
                        match port {
                            Some(port) => hand_in(*port, &posted.from, to, &posted.message),
                            None => astray.lock().unwrap_or_else(PoisonError::into_inner).push(posted.clone()),
                        }
                    }
                    carried.fetch_add(1, Ordering::SeqCst);
                }
                thread::sleep(CARRY_EVERY);
            }
        });
        round
    }
}
