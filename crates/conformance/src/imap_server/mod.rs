//! An IMAP server that answers from memory.
//!
//! For what no packaged server offers, for what no server should do and some do, and for mailboxes by the thousand. It is
//! written from the RFCs (9051, 3501, 7162, 7888, 3502, 4315, 6851, 5258, 5819, 6154, 8474, 4978, 5464, 9208, 6855, 3516, 7889)
//! and shares no code with the connector that it checks: an oracle must not make the same mistakes. It has been checked
//! itself with Python's imaplib.
//!
//! It offers what it was built to offer, from RFC 3501 alone up to everything at once, and refuses the rest. It is strict:
//! each command that breaks the grammar, or uses what was not offered, is answered BAD and listed in
//! [`ImapServer::violations`], which a test of a client requires to be empty.
//!
//! A test has three handles on it: the builder, for what the server is like all the time ([`Oddities`] among it);
//! [`ImapServer::add_rule`], for what happens to single commands; and [`Person`], for what the mailbox's owner does and for
//! looking at what is there.
//!
//! ```
//! use conformance::imap_server::{Act, ImapServer, Offers, Rule};
//!
//! let server = ImapServer::builder().offers(Offers::bare()).user("alice", "secret").start();
//! server.person("alice").deliver("INBOX", "Subject: a\r\n\r\nb\r\n");
//! server.add_rule(Rule::on("APPEND", Act::LoseAnswer).nth(3));
//! let mut talk = conformance::talk::Talk::login(server.port(), "alice", "secret");
//! assert!(talk.ok("SELECT INBOX").text().contains("1 EXISTS"));
//! ```

mod account;
mod append;
mod builder;
mod change;
mod date;
mod extras;
mod fetch;
mod folders;
mod login;
mod mime;
pub(crate) mod names;
mod odd;
mod offer;
mod parse;
mod search;
mod select;
mod session;
mod store;
mod wire;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
};
use tokio_rustls::TlsAcceptor;

use self::{account::Account, builder::Config, odd::Act as AnAct, session::Session, store::Store};
pub use self::{
    account::{FolderDump, MessageDump, Person, Snapshot},
    builder::{ImapServerBuilder, Tls},
    date::Date,
    login::{Impersonation, Mechanism},
    odd::{Act, Meanwhile, Oddities, Order, Refusal, Refused, Rule},
    offer::{Offer, Offers},
};
use crate::certificates::Certificates;

/// A command as a server received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The number of the connection, from 1.
    pub connection: u64,
    /// Whose mailbox the connection was for, after login.
    pub person: Option<String>,
    /// Its first line as it was sent, without its end. Literals are only announced in it.
    pub line: String,
}

/// What all connections share.
struct World {
    config: Config,
    accounts: RwLock<HashMap<String, Arc<Account>>>,
    rules: Mutex<Vec<Rule>>,
    log: Mutex<VecDeque<Received>>,
    violations: Mutex<Vec<String>>,
    /// Whose each token is, and how often it may still be used.
    tokens: Mutex<HashMap<String, (String, u32)>>,
    connections: AtomicU64,
    /// The numbers of the connections that are open.
    open: Mutex<BTreeSet<u64>>,
    nonces: AtomicU64,
}

impl World {
    fn account(&self, name: &str) -> Option<Arc<Account>> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn now(&self) -> i64 {
        (self.config.clock)()
    }

    fn nonce(&self) -> String {
        format!("server-nonce-{}", self.nonces.fetch_add(1, Ordering::Relaxed))
    }

    fn token_is_good(&self, person: &str, token: &str) -> bool {
        let mut tokens = lock(&self.tokens);
        let Some((owner, uses)) = tokens.get_mut(token) else { return false };
        let is_good = owner == person && *uses > 0;
        *uses -= u32::from(is_good);
        is_good
    }

    fn record(&self, connection: u64, account: Option<&Account>, line: &str) {
        if self.config.log_lines_max == 0 {
            return;
        }
        let mut log = lock(&self.log);
        if log.len() == self.config.log_lines_max {
            log.pop_front();
        }
        let person = account.map(|account| account.name.clone());
        log.push_back(Received { connection, person, line: line.to_owned() });
    }

    fn violation(&self, connection: u64, what: &str) {
        lock(&self.violations).push(format!("connection {connection}: {what}"));
    }

    fn rule_for(&self, verb: &str, line: &str, person: Option<&str>) -> Option<AnAct> {
        // Every rule counts every command that it is for; the first that meets it rules.
        let mut rules = lock(&self.rules);
        let mut acts = rules.iter_mut().filter_map(|rule| rule.meets(verb, line, person).then(|| rule.act.clone()));
        let first = acts.next();
        acts.for_each(drop);
        first
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that panicked while it held this has failed already; the others go on.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server that runs until this value goes.
pub struct ImapServer {
    world: Arc<World>,
    port: u16,
    certificates: Option<Certificates>,
    cut: watch::Sender<u64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ImapServer {
    /// A server that offers everything and has no users yet.
    pub fn builder() -> ImapServerBuilder {
        ImapServerBuilder::new()
    }

    fn start(world: World, tls: Tls, certificates: Option<Certificates>, port: u16, threads: usize) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("a port of loopback is free");
        listener.set_nonblocking(true).expect("a socket has options");
        let port = listener.local_addr().expect("it is bound").port();
        let world = Arc::new(world);
        let acceptor = certificates.as_ref().map(|certificates| TlsAcceptor::from(certificates.server_config()));
        let (stop, stopped) = oneshot::channel();
        let cut = watch::Sender::new(0);
        let server = Accepting {
            world: Arc::clone(&world),
            acceptor,
            tls_first: tls == Tls::FromTheStart,
            cut: cut.subscribe(),
        };
        // A runtime of its own, on threads of its own: it serves tests that have none as well as those that have one.
        let thread = std::thread::Builder::new().name("imap-server".to_owned()).spawn(move || {
            let mut runtime = match threads {
                1 => tokio::runtime::Builder::new_current_thread(),
                _ => tokio::runtime::Builder::new_multi_thread(),
            };
            if threads > 1 {
                runtime.worker_threads(threads);
            }
            let runtime = runtime.enable_all().build().expect("a runtime can be made");
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).expect("it is bound and does not block");
                tokio::select! {
                    () = server.accept(listener) => {}
                    _ = stopped => {}
                }
            });
        });
        let thread = thread.expect("a thread can be made");
        Self { world, port, certificates, cut, stop: Some(stop), thread: Some(thread) }
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The authority that its certificate is to be checked against.
    ///
    /// # Panics
    /// When it was not built with TLS.
    pub fn ca_file(&self) -> PathBuf {
        self.certificates.as_ref().expect("built with .tls()").ca_file()
    }

    /// A person's mailbox.
    ///
    /// # Panics
    /// When there is no such person.
    pub fn person(&self, name: &str) -> Person {
        let account = self.world.account(name).unwrap_or_else(|| panic!("nobody is called {name}"));
        Person::new(Arc::clone(&self.world), account)
    }

    /// Adds a person while the server runs.
    pub fn add_user(&self, name: &str, password: &str) -> Person {
        let account = Arc::new(Account::new(name, password, false, self.world.config.new_store()));
        let mut accounts = self.world.accounts.write().unwrap_or_else(PoisonError::into_inner);
        accounts.insert(name.to_owned(), account);
        drop(accounts);
        self.person(name)
    }

    /// Makes a token good for a person, this many times.
    pub fn add_token(&self, person: &str, token: &str, uses: u32) {
        lock(&self.world.tokens).insert(token.to_owned(), (person.to_owned(), uses));
    }

    /// Makes a token good for nobody.
    pub fn expire_token(&self, token: &str) {
        lock(&self.world.tokens).remove(token);
    }

    /// Adds a rule for commands to come. Of several that are for a command, the first added rules.
    pub fn add_rule(&self, rule: Rule) {
        lock(&self.world.rules).push(rule);
    }

    /// Forgets all rules.
    pub fn clear_rules(&self) {
        lock(&self.world.rules).clear();
    }

    /// The commands received so far, as far as they are kept.
    pub fn log(&self) -> Vec<Received> {
        lock(&self.world.log).iter().cloned().collect()
    }

    /// Forgets the commands received so far.
    pub fn clear_log(&self) {
        lock(&self.world.log).clear();
    }

    /// How the clients broke the protocol so far.
    pub fn violations(&self) -> Vec<String> {
        lock(&self.world.violations).clone()
    }

    /// How many connections there were so far.
    pub fn connections(&self) -> u64 {
        self.world.connections.load(Ordering::SeqCst)
    }

    /// How many connections are open now.
    pub fn open_connections(&self) -> u64 {
        lock(&self.world.open).len() as u64
    }

    /// Ends all connections without a word, and returns once they have ended. Not for a rule to call: its own would not end.
    pub fn cut_connections(&self) {
        let last = self.connections();
        self.cut.send_modify(|number| *number += 1);
        while lock(&self.world.open).first().is_some_and(|number| *number <= last) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for ImapServer {
    fn drop(&mut self) {
        // The thread may have ended by a panic of its own; then there is nobody to tell, and the panic is its report.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The part that takes connections.
struct Accepting {
    world: Arc<World>,
    acceptor: Option<TlsAcceptor>,
    tls_first: bool,
    cut: watch::Receiver<u64>,
}

impl Accepting {
    async fn accept(self, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of descriptors: they come back as connections end.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            // Answers are gathered by the server itself.
            let _ = stream.set_nodelay(true);
            let number = self.world.connections.fetch_add(1, Ordering::SeqCst) + 1;
            let session = Session::new(Arc::clone(&self.world), number, stream);
            let (acceptor, tls_first, mut cut) = (self.acceptor.clone(), self.tls_first, self.cut.clone());
            cut.mark_unchanged();
            let open = Open::new(&self.world, number);
            tokio::spawn(async move {
                tokio::select! {
                    () = session.run(acceptor, tls_first) => {}
                    _ = cut.changed() => {}
                }
                drop(open);
            });
        }
    }
}

/// Keeps a connection's number among the open ones for as long as it is open.
struct Open(Arc<World>, u64);

impl Open {
    fn new(world: &Arc<World>, number: u64) -> Self {
        lock(&world.open).insert(number);
        Self(Arc::clone(world), number)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        lock(&self.0.open).remove(&self.1);
    }
}
