//! What stands between a client and a server, and makes the network what it is on a bad day.
//!
//! A [`Proxy`] passes bytes both ways, late or slowly if asked, counts them, and can stall, cut or reset at any moment. It
//! needs to know no protocol for that, so it serves databases as well.
//!
//! Built with [`ProxyBuilder::imap`] it follows IMAP commands as they pass (in clear; after STARTTLS or COMPRESS it only
//! passes bytes), and a [`Trap`] strikes at an exact point of one: before the CRLF that ends an APPEND, after that has gone
//! to the server, or once the server has answered and the client has not heard it. There a test can kill the client, freeze
//! it, or lose the answer:
//!
//! ```
//! use conformance::{imap_server::ImapServer, proxy::{After, Point, Proxy, Trap}, talk::Talk};
//!
//! let server = ImapServer::builder().user("alice", "a").start();
//! let proxy = Proxy::to(server.port()).imap().start();
//! proxy.set(Trap::on("APPEND", Point::Answered), || After::Cut);
//! let mut talk = Talk::login(proxy.port(), "alice", "a");
//! assert!(talk.try_command("APPEND INBOX {1+}\r\na").is_none());
//! assert_eq!(server.person("alice").dump()[0].messages.len(), 1);
//! ```

mod commands;
mod pipe;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
};

use self::pipe::{Flow, Follow};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// How fast bytes go one way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    /// How much later everything arrives.
    pub latency: Duration,
    /// The most that passes in a second.
    pub bytes_per_second: Option<u64>,
}

/// Where in a command a trap strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Its first line has come, and nothing of it has gone on.
    Begun,
    /// All of it has gone on but the CRLF that ends it and makes it take effect.
    BeforeEnd,
    /// All of it has gone to the server, of whose answers nothing passes from then on.
    Sent,
    /// The server has answered it, and the client has not heard that.
    Answered,
}

/// What happens after a trap's deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// What was held back passes, and all goes on.
    GoOn,
    /// Nothing passes on this connection any more, which stays open.
    Hold,
    /// The connection ends on both sides.
    Cut,
    /// The connection is reset on both sides.
    Reset,
}

/// A point of a command at which something is to happen once.
#[derive(Clone, Debug)]
pub struct Trap {
    verb: String,
    point: Point,
    containing: Option<String>,
    nth: u32,
    met: u32,
}

impl Trap {
    /// At this point of the first command of this name: `APPEND`, `UID STORE`.
    pub fn on(command: &str, point: Point) -> Self {
        Self { verb: command.to_ascii_uppercase(), point, containing: None, nth: 1, met: 0 }
    }

    /// Of the n-th such command from now, counted from 1, over all connections.
    #[must_use]
    pub fn nth(mut self, n: u32) -> Self {
        self.nth = n;
        self
    }

    /// Only of commands whose first line holds this text.
    #[must_use]
    pub fn containing(mut self, text: &str) -> Self {
        self.containing = Some(text.to_owned());
        self
    }

    fn meets(&mut self, verb: &str, line: &str) -> bool {
        let is_for = self.verb == verb && self.containing.as_ref().is_none_or(|text| line.contains(text.as_str()));
        self.met += u32::from(is_for);
        is_for && self.met == self.nth
    }
}

type Deed = Box<dyn FnOnce() -> After + Send>;

/// What is to happen to open connections; each new number is a new order.
#[derive(Clone, Copy, Debug, Default)]
struct Orders {
    cut: u64,
    reset: u64,
    half_close_up: u64,
    half_close_down: u64,
    stall_up: bool,
    stall_down: bool,
}

/// What all connections share.
struct Shared {
    target: AtomicU16,
    up: Mutex<Shape>,
    down: Mutex<Shape>,
    follows_imap: bool,
    traps: Mutex<Vec<(Trap, Option<Deed>)>>,
    /// The names of the commands that have begun.
    commands: Mutex<Vec<String>>,
    /// The next connection that passes more than this many bytes this way is cut after them.
    cut_after: Mutex<Option<(Direction, u64)>>,
    refuses: Mutex<bool>,
    orders: watch::Sender<Orders>,
    connections: AtomicU64,
    open: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
}

impl Shared {
    fn shape(&self, direction: Direction) -> Shape {
        match direction {
            Direction::Up => *lock(&self.up),
            Direction::Down => *lock(&self.down),
        }
    }

    /// Counts bytes that are about to pass. Gives how many of them may, and whether the connection ends with them.
    fn may_pass(&self, direction: Direction, passed: u64, bytes: usize) -> (usize, bool) {
        let mut limit = lock(&self.cut_after);
        let allowed = match *limit {
            Some((way, most)) if way == direction && passed + bytes as u64 > most => {
                *limit = None;
                Some(most.saturating_sub(passed) as usize)
            }
            _ => None,
        };
        let counter = if direction == Direction::Up { &self.bytes_up } else { &self.bytes_down };
        counter.fetch_add(allowed.unwrap_or(bytes) as u64, Ordering::SeqCst);
        (allowed.unwrap_or(bytes), allowed.is_some())
    }

    /// Notes a command that begins. Gives the trap that it walks into, if any, disarmed.
    fn begins(&self, verb: &str, line: &str) -> Option<(Point, Deed)> {
        lock(&self.commands).push(verb.to_owned());
        let mut traps = lock(&self.traps);
        // Every trap counts every command that it is for.
        let met: Vec<usize> = (0..traps.len()).filter(|i| traps[*i].0.meets(verb, line)).collect();
        let (trap, deed) = traps.get_mut(*met.first()?)?;
        let struck = (trap.point, deed.take()?);
        traps.retain(|(_, deed)| deed.is_some());
        Some(struck)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that panicked while it held this has failed already; the others go on.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A proxy to be.
#[must_use]
pub struct ProxyBuilder {
    target: u16,
    up: Shape,
    down: Shape,
    follows_imap: bool,
}

impl ProxyBuilder {
    /// How fast bytes go to the server.
    pub fn up(mut self, shape: Shape) -> Self {
        self.up = shape;
        self
    }

    /// How fast bytes go to the client.
    pub fn down(mut self, shape: Shape) -> Self {
        self.down = shape;
        self
    }

    /// Lets everything arrive this much later, both ways.
    pub fn latency(mut self, each_way: Duration) -> Self {
        self.up.latency = each_way;
        self.down.latency = each_way;
        self
    }

    /// Follows IMAP commands, so that traps can be set.
    pub fn imap(mut self) -> Self {
        self.follows_imap = true;
        self
    }

    /// Starts it.
    pub fn start(self) -> Proxy {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        listener.set_nonblocking(true).expect("a socket has options");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared {
            target: AtomicU16::new(self.target),
            up: Mutex::new(self.up),
            down: Mutex::new(self.down),
            follows_imap: self.follows_imap,
            traps: Mutex::new(Vec::new()),
            commands: Mutex::new(Vec::new()),
            cut_after: Mutex::new(None),
            refuses: Mutex::new(false),
            orders: watch::Sender::new(Orders::default()),
            connections: AtomicU64::new(0),
            open: AtomicU64::new(0),
            bytes_up: AtomicU64::new(0),
            bytes_down: AtomicU64::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let accepting = Arc::clone(&shared);
        // Two threads of its own, because a trap's deed may block one.
        let thread = std::thread::Builder::new().name("proxy".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.expect("a runtime can be made").block_on(async move {
                let listener = TcpListener::from_std(listener).expect("it is bound and does not block");
                tokio::select! {
                    () = accept(accepting, listener) => {}
                    _ = stopped => {}
                }
            });
        });
        Proxy { shared, port, stop: Some(stop), thread: Some(thread.expect("a thread can be made")) }
    }
}

/// A proxy that runs until this value goes.
pub struct Proxy {
    shared: Arc<Shared>,
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// A proxy to a port of loopback.
    pub fn to(target: u16) -> ProxyBuilder {
        ProxyBuilder { target, up: Shape::default(), down: Shape::default(), follows_imap: false }
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends connections to another port from now on. Those that are open stay where they are.
    pub fn lead_to(&self, target: u16) {
        self.shared.target.store(target, Ordering::SeqCst);
    }

    /// How many connections there were so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many connections are open now.
    pub fn open_connections(&self) -> u64 {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// How many bytes have passed one way so far.
    pub fn bytes(&self, direction: Direction) -> u64 {
        match direction {
            Direction::Up => self.shared.bytes_up.load(Ordering::SeqCst),
            Direction::Down => self.shared.bytes_down.load(Ordering::SeqCst),
        }
    }

    /// How fast bytes go one way from now on.
    pub fn set_shape(&self, direction: Direction, shape: Shape) {
        match direction {
            Direction::Up => *lock(&self.shared.up) = shape,
            Direction::Down => *lock(&self.shared.down) = shape,
        }
    }

    /// Sets a trap; the deed is done once.
    ///
    /// # Panics
    /// When the proxy was not built to follow IMAP.
    pub fn set(&self, trap: Trap, deed: impl FnOnce() -> After + Send + 'static) {
        assert!(self.shared.follows_imap, "built with .imap()");
        lock(&self.shared.traps).push((trap, Some(Box::new(deed))));
    }

    /// The names of all commands so far, in the order in which they began: `NOOP`, `UID STORE`. What is said in place of a
    /// command, as in the course of a login, is among them without a name. Of an encrypted or compressed connection nothing
    /// is known.
    pub fn commands(&self) -> Vec<String> {
        lock(&self.shared.commands).clone()
    }

    /// How many traps still wait.
    pub fn traps_left(&self) -> usize {
        lock(&self.shared.traps).len()
    }

    /// Cuts one connection, open or to come, after this many bytes of it have passed one way.
    pub fn cut_after(&self, direction: Direction, bytes: u64) {
        *lock(&self.shared.cut_after) = Some((direction, bytes));
    }

    /// Lets nothing pass one way, on any connection, until [`Self::resume`].
    pub fn stall(&self, direction: Direction) {
        self.order(|orders| *stalled(orders, direction) = true);
    }

    /// Lets bytes pass again.
    pub fn resume(&self, direction: Direction) {
        self.order(|orders| *stalled(orders, direction) = false);
    }

    /// Tells the receiving side of every open connection that no more comes this way, while the other way goes on.
    pub fn half_close(&self, direction: Direction) {
        self.order(|orders| match direction {
            Direction::Up => orders.half_close_up += 1,
            Direction::Down => orders.half_close_down += 1,
        });
    }

    /// Ends every open connection.
    pub fn cut(&self) {
        self.order(|orders| orders.cut += 1);
    }

    /// Resets every open connection.
    pub fn reset(&self) {
        self.order(|orders| orders.reset += 1);
    }

    /// Ends new connections at once, or no longer.
    pub fn refuse(&self, yes: bool) {
        *lock(&self.shared.refuses) = yes;
    }

    fn order(&self, change: impl FnOnce(&mut Orders)) {
        self.shared.orders.send_modify(change);
    }
}

fn stalled(orders: &mut Orders, direction: Direction) -> &mut bool {
    match direction {
        Direction::Up => &mut orders.stall_up,
        Direction::Down => &mut orders.stall_down,
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The thread may have ended by a panic of its own; then there is nobody to tell, and the panic is its report.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Out of descriptors: they come back as connections end.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        shared.connections.fetch_add(1, Ordering::SeqCst);
        if *lock(&shared.refuses) {
            continue;
        }
        let shared = Arc::clone(&shared);
        let orders = shared.orders.subscribe();
        tokio::spawn(async move {
            // A server that can't be reached is for the client a connection that ends at once.
            if let Ok(server) = TcpStream::connect(("127.0.0.1", shared.target.load(Ordering::SeqCst))).await {
                shared.open.fetch_add(1, Ordering::SeqCst);
                connection(&shared, client, server, orders).await;
                shared.open.fetch_sub(1, Ordering::SeqCst);
            }
        });
    }
}

/// How a connection ends before either side has ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Cut,
    Reset,
}

async fn connection(shared: &Shared, mut client: TcpStream, mut server: TcpStream, orders: watch::Receiver<Orders>) {
    // A proxy adds only the delay that it is asked to.
    let _ = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
    let end = {
        let (client_out, client_in) = client.split();
        let (server_out, server_in) = server.split();
        let flow = Flow::new(shared, orders.clone());
        let follow = Follow::new(shared.follows_imap);
        tokio::select! {
            end = ended(orders) => Some(end),
            end = flow.run((client_out, server_in), (server_out, client_in), &follow) => end,
        }
    };
    if end == Some(End::Reset) {
        let _ = client.set_zero_linger().and_then(|()| server.set_zero_linger());
    }
}

/// Waits for the order to end.
async fn ended(mut orders: watch::Receiver<Orders>) -> End {
    let first = *orders.borrow();
    loop {
        if orders.changed().await.is_err() {
            return End::Cut;
        }
        let now = *orders.borrow();
        if now.reset != first.reset {
            return End::Reset;
        }
        if now.cut != first.cut {
            return End::Cut;
        }
    }
}
