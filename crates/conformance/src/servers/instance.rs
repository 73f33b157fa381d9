//! One server process with its folder, from its start to its end.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

/// How long a server may take to answer. It takes a tenth of a second; the rest is for a machine that is busy.
const START_SECONDS_MAX: u64 = 60;

/// How a server is ended.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    /// This signal to the server and all its children.
    Group(&'static str),
    /// This signal to the server, which ends its children.
    Leader(&'static str),
}

/// A server's folder and, while it runs, its process.
pub(super) struct Instance {
    // Before the folder: the server ends first.
    keeper: Option<Keeper>,
    folder: TempDir,
    ending: Ending,
}

struct Keeper {
    script: Child,
    orders: Option<ChildStdin>,
    server: Pid,
}

impl Instance {
    /// A new folder for a server, that everyone may enter: servers change users.
    pub(super) fn new(ending: Ending) -> Self {
        use std::os::unix::fs::PermissionsExt;
        // A short path: those of Unix sockets below it may have no more than 107 bytes.
        let folder = tempfile::Builder::new().prefix("kit-").tempdir().expect("the temporary folder can be written to");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        Self { keeper: None, folder, ending }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the instance.
    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Makes a folder of the instance.
    pub(super) fn make_folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Starts the server and waits until `ready` holds. False when it ended by itself, as it does when another took its
    /// port.
    pub(super) fn start(&mut self, command: &[&str], ready: impl Fn() -> bool) -> bool {
        assert!(self.keeper.is_none(), "{} runs already", command[0]);
        let (signal, whom) = match self.ending {
            Ending::Group(signal) => (signal, "group"),
            Ending::Leader(signal) => (signal, "leader"),
        };
        let mut script = Command::new("/bin/sh");
        script
            .args(["-c", include_str!("keeper.sh"), "keeper.sh"])
            .arg(self.folder())
            .args([signal, whom])
            .args(command);
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // A group of its own, so that what ends the tests' group (Ctrl-C, a test runner's time limit) leaves the keeper
        // alive to clean up.
        std::os::unix::process::CommandExt::process_group(&mut script, 0);
        let mut script = script.spawn().expect("/bin/sh runs");
        let orders = script.stdin.take();
        let mut answer = String::new();
        BufReader::new(script.stdout.take().expect("it is piped")).read_line(&mut answer).expect("it is readable");
        let server = answer.trim().parse().ok().and_then(Pid::from_raw).expect("the keeper names the server's process");
        self.keeper = Some(Keeper { script, orders, server });

        let started = Instant::now();
        while !ready() {
            if !self.is_running() {
                self.stop();
                return false;
            }
            let waited = started.elapsed();
            assert!(waited < Duration::from_secs(START_SECONDS_MAX), "no answer in {waited:?}\n{}", self.said());
            thread::sleep(Duration::from_millis(3));
        }
        true
    }

    /// Is the server's process there? One that ended and was not waited for yet is not.
    pub(super) fn is_running(&self) -> bool {
        let Some(keeper) = &self.keeper else { return false };
        let stat = fs::read_to_string(format!("/proc/{}/stat", keeper.server.as_raw_nonzero())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    }

    /// Ends the server by its usual signal and keeps its folder.
    pub(super) fn stop(&mut self) {
        let (Ending::Group(signal) | Ending::Leader(signal)) = self.ending;
        self.stop_by(signal);
    }

    /// Ends the server by this signal and keeps its folder.
    pub(super) fn stop_by(&mut self, signal: &str) {
        if let Some(mut keeper) = self.keeper.take() {
            // A keeper that is gone takes no order; then there is nothing left to end.
            let order = format!("{signal}\n");
            let _ = keeper.orders.take().is_some_and(|mut orders| orders.write_all(order.as_bytes()).is_ok());
            keeper.script.wait().expect("the keeper is our child");
        }
    }

    /// Ends the server as a power cut would: it gets no chance to finish anything.
    pub(super) fn crash(&mut self) {
        self.signal(Signal::KILL);
        self.stop();
    }

    /// Sends a signal to the server and all its children.
    pub(super) fn signal(&self, signal: Signal) {
        let keeper = self.keeper.as_ref().expect("the server runs");
        kill_process_group(keeper.server, signal).expect("the server is ours");
    }

    /// The end of what the server wrote to its output and its log.
    pub(super) fn said(&self) -> String {
        let files = [self.path("output"), self.path("log")];
        let texts = files.iter().filter_map(|path| fs::read(path).ok());
        texts.map(|text| String::from_utf8_lossy(&text[text.len().saturating_sub(4000)..]).into_owned()).collect()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // The end of the pipe is the order to end the server and remove its folder. After a `stop` this is a wait for
        // what has ended.
        self.orders.take();
        let _ = self.script.wait();
    }
}

/// Does whoever listens on this port greet with a line that has this mark in it?
pub(super) fn greets(port: u16, mark: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let patience = Some(Duration::from_secs(5));
    if stream.set_read_timeout(patience).is_err() {
        return false;
    }
    let mut greeting = Vec::new();
    let mut piece = [0; 512];
    while let Ok(length @ 1..) = stream.read(&mut piece) {
        greeting.extend_from_slice(&piece[..length]);
        if greeting.contains(&b'\n') {
            break;
        }
    }
    String::from_utf8_lossy(&greeting).contains(mark)
}

/// Words for a process that shall run as another user: `setpriv` and its options. None when not root.
pub(super) fn as_user(user: &str, group: &str) -> Vec<String> {
    if !super::is_root() {
        return Vec::new();
    }
    ["setpriv", &format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups"].map(str::to_owned).to_vec()
}
