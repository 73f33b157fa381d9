//! Stop everywhere: a scenario is run to count its effects, then again and again, each time stopped by `abort()` one
//! effect later (before it and right after it), and resumed. Whatever the point, the end must be the same.
//!
//! The process under test is the `subject` binary of this crate: the engine, and connectors that are told where their
//! servers listen. The servers outlive it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};

use connector::Effect;
use movement::{Moment, Probe};

/// What the process under test is told, as JSON in its first argument.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Orders {
    /// The in-memory source's socket.
    pub source_socket: PathBuf,
    /// The in-memory target's socket.
    pub target_socket: PathBuf,
    /// The project's database.
    pub database: String,
    /// The project's folder.
    pub folder: PathBuf,
    /// People, by name.
    pub people: Vec<String>,
    /// The target is a poor server.
    pub poor: bool,
    /// The policy bans attachments of this ending; none, if empty.
    #[serde(default)]
    pub bans: String,
    /// Folders of the source come together on the target: as in the histories.
    pub merged: bool,
    /// Undo everybody's switch first.
    #[serde(default)]
    pub undo: bool,
    /// Stop at the moment of this number; 0: never.
    pub stop_at: u64,
    /// Freeze (SIGSTOP) at the moment of this number; 0: never.
    pub freeze_at: u64,
    /// Milliseconds a lease lasts; 0: a minute.
    pub lease_ms: i64,
}

/// Counts moments and stops or freezes the process at one of them.
#[derive(Debug, Default)]
pub struct StopProbe {
    moments: AtomicU64,
    stop_at: u64,
    freeze_at: u64,
    /// Count the moments before the lease is checked, too.
    all: bool,
}

impl StopProbe {
    /// A probe that follows these orders.
    pub fn new(orders: &Orders) -> Self {
        let (stop_at, freeze_at) = (orders.stop_at, orders.freeze_at);
        Self { moments: AtomicU64::new(0), stop_at, freeze_at, all: freeze_at > 0 }
    }

    /// How many moments there were.
    pub fn moments(&self) -> u64 {
        self.moments.load(Ordering::SeqCst)
    }
}

impl Probe for StopProbe {
    fn at(&self, moment: Moment, effect: Effect) {
        if moment == Moment::BeforeCheck && !self.all {
            return;
        }
        let now = self.moments.fetch_add(1, Ordering::SeqCst) + 1;
        if now == self.stop_at {
            eprintln!("stopped at {now}: {moment:?} {}", effect.name());
            std::process::abort();
        }
        if now == self.freeze_at {
            eprintln!("frozen at {now}: {moment:?} {}", effect.name());
            let me = std::process::id().to_string();
            let _ = Command::new("kill").args(["-STOP", &me]).status();
        }
    }
}

/// How a run of the process under test ended.
#[derive(Debug)]
pub struct SubjectEnd {
    /// It ended by itself.
    pub finished: bool,
    /// The moments it counted, if it ended by itself.
    pub moments: u64,
    /// What it wrote to its standard error.
    pub stderr: String,
}

/// Runs the process under test.
pub fn run_subject(subject: &Path, orders: &Orders) -> SubjectEnd {
    let output = Command::new(subject).arg(serde_json::to_string(orders).unwrap()).output().unwrap();
    ended(&output)
}

/// How a process under test ended, by its output.
pub fn ended(output: &Output) -> SubjectEnd {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let moments = stdout.lines().find_map(|line| line.strip_prefix("moments: ")).and_then(|n| n.parse().ok());
    SubjectEnd {
        finished: output.status.success(),
        moments: moments.unwrap_or_default(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
