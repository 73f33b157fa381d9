//! The program as a service, and workers beside it.

use std::{
    fs::File,
    io::Read,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::NamedTempFile;

use crate::project::{Project, Run, program};

/// How long something is waited for that must come by itself: far longer than it takes, for machines that do other things too.
const PATIENCE: Duration = Duration::from_secs(300);

/// A process that works until it is stopped. What it says goes into a file.
pub struct Process {
    child: Child,
    log: NamedTempFile,
    command: Command,
}

impl Process {
    /// `whimbrel serve` for this project, with these arguments.
    pub fn serve(project: &Project, arguments: &[&str]) -> Self {
        Self::start(project.command(&[&["serve"], arguments].concat()))
    }

    /// `whimbrel worker`, which is told a database and a key and nothing else.
    pub fn worker(database: &str, key: &std::path::Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program());
        command.arg("worker").arg("--key").arg(key).args(arguments).env("WHIMBREL_DATABASE", database);
        command.current_dir("/");
        Self::start(command)
    }

    fn start(mut command: Command) -> Self {
        let log = NamedTempFile::new().expect("the temporary folder can be written to");
        command.stdout(Stdio::null()).stderr(log.reopen().expect("a file can be opened twice"));
        let child = command.spawn().expect("the program starts");
        Self { child, log, command }
    }

    /// Starts it again, as it was started first.
    pub fn again(&mut self) {
        self.command.stderr(File::options().append(true).open(self.log.path()).expect("the log is there"));
        self.child = self.command.spawn().expect("the program starts");
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, such as `-STOP`.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: &str) {
        // The shell's own: the program of that name is not on every machine.
        let sent = Command::new("sh").args(["-c", "kill \"$0\" \"$1\"", signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("there is a shell").success(), "{}", self.log());
    }

    /// Kills it at this moment.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Has it ended by itself?
    pub fn has_ended(&mut self) -> Option<i32> {
        self.child.try_wait().expect("it can be asked").map(|status| status.code().unwrap_or(-1))
    }

    /// Asks it to stop, and waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&mut self) -> Run {
        self.signal("-TERM");
        until("the process ends", || self.has_ended().is_some());
        let code = self.child.wait().expect("it can be waited for").code().unwrap_or(-1);
        Run { code, out: String::new(), err: self.log() }
    }

    /// What it has said.
    pub fn log(&self) -> String {
        let mut text = String::new();
        let read = File::open(self.log.path()).and_then(|mut file| file.read_to_string(&mut text));
        read.expect("the log can be read");
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until this is so.
///
/// # Panics
/// When it does not come to be so.
pub fn until(what: &str, is_so: impl FnMut() -> bool) {
    until_or(what, is_so, String::new);
}

/// The same, and says more when it fails.
///
/// # Panics
/// When it does not come to be so.
pub fn until_or(what: &str, is_so: impl FnMut() -> bool, more: impl Fn() -> String) {
    until_every(Duration::from_millis(100), what, is_so, more);
}

/// The same, and looks so often: for what is costly to look at.
///
/// # Panics
/// When it does not come to be so.
pub fn until_every(pause: Duration, what: &str, mut is_so: impl FnMut() -> bool, more: impl Fn() -> String) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "it did not come to be that {what}\n{}", more());
        std::thread::sleep(pause);
    }
}

impl Project {
    /// Where its mailboxes stand, by their names at the source: phase, condition and reason.
    ///
    /// # Panics
    /// When the program does not say.
    pub fn standing(&self) -> Vec<(String, String, String, String)> {
        let (_, status) = self.json(&["status"]);
        let mailboxes = status["mailboxes"].as_array().unwrap_or_else(|| panic!("{status:#}"));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let row = |m: &Value| (text(&m["source"]), text(&m["phase"]), text(&m["condition"]), text(&m["reason"]));
        mailboxes.iter().map(row).collect()
    }

    /// Is every mailbox in step?
    pub fn is_in_step(&self) -> bool {
        let standing = self.standing();
        !standing.is_empty() && standing.iter().all(|(_, phase, ..)| phase == "in-step")
    }

    /// The file of its service's key.
    pub fn service_key(&self) -> PathBuf {
        self.path().join("service.key")
    }
}
