//! A project of Whimbrel's in a folder of its own, and the program run on it.

use std::{
    fmt::{self, Write},
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

/// The program under test, built along with the tests; beside a measurement, which is no test, the program itself.
pub fn program() -> PathBuf {
    beside_the_test(if is_test() { "tested" } else { "whimbrel" })
}

/// A program that was built along with this one.
pub(crate) fn beside_the_test(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("the test program has a path");
    let folder = this.ancestors().nth(if is_test() { 2 } else { 1 }).expect("programs are built into a folder");
    let found = folder.join(name);
    assert!(found.is_file(), "{} is not there: build the whole workspace", found.display());
    found
}

fn is_test() -> bool {
    let this = std::env::current_exe().expect("the test program has a path");
    this.parent().is_some_and(|folder| folder.ends_with("deps"))
}

/// An endpoint, as `whimbrel.toml` has it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    lines: String,
    login: String,
}

impl Endpoint {
    /// A server on loopback, without TLS.
    pub fn imap(port: u16) -> Self {
        let lines = format!("kind = \"imap\"\nhost = \"127.0.0.1\"\nport = {port}\n");
        Self { lines, login: String::new() }.with("tls = \"none\"")
    }

    /// A server on loopback, with TLS of this kind (`implicit`, `starttls`).
    pub fn imap_tls(port: u16, tls: &str, ca_file: Option<&Path>) -> Self {
        let lines = format!("kind = \"imap\"\nhost = \"localhost\"\nport = {port}\ntls = \"{tls}\"\n");
        let endpoint = Self { lines, login: String::new() };
        match ca_file {
            Some(file) => endpoint.with(&format!("ca_file = \"{}\"", file.display())),
            None => endpoint,
        }
    }

    /// Plain files; the path holds `{source}` or `{target}`.
    pub fn maildir(path: &str) -> Self {
        Self::files("maildir", path)
    }

    /// Files of this kind: `maildir`, `mbox`, `eml`.
    pub fn files(kind: &str, path: &str) -> Self {
        Self { lines: format!("kind = {kind:?}\npath = {path:?}\n"), login: String::new() }
    }

    /// With another line.
    #[must_use]
    pub fn with(mut self, line: &str) -> Self {
        self.lines.push_str(line);
        self.lines.push('\n');
        self
    }

    /// With this host in place of the one it has.
    #[must_use]
    pub fn with_host(mut self, host: &str) -> Self {
        self.lines = self.lines.replacen("\"127.0.0.1\"", &format!("{host:?}"), 1);
        self
    }

    /// With one login for everybody: `impersonate` is `authzid`, `master:*` or `none`.
    #[must_use]
    pub fn login(mut self, user: &str, password: &str, impersonate: &str) -> Self {
        self.login =
            format!("user = {user:?}\npassword = {{ file = \"@{password}\" }}\nimpersonate = {impersonate:?}\n");
        self
    }

    /// With these lines as its login table.
    #[must_use]
    pub fn login_lines(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.login);
        self
    }

    /// As an endpoint of this name in a project in this folder. Each password marked by `@` goes into a file of its own.
    pub(crate) fn text(&self, name: &str, folder: &Path) -> String {
        let mut text = format!("[endpoints.{name}]\n{}", self.lines);
        if self.login.is_empty() {
            return text;
        }
        let _ = writeln!(text, "[endpoints.{name}.login]");
        match self.login.split_once("\"@") {
            None => text.push_str(&self.login),
            Some((before, rest)) => {
                let (password, after) = rest.split_once('"').expect("a password ends");
                let file = folder.join(format!("{name}.password"));
                fs::write(&file, password).expect("the project can be written");
                fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("the project can be written");
                let _ = write!(text, "{before}\"{name}.password\"{after}");
            }
        }
        text
    }
}

/// A project in a folder of its own.
#[derive(Debug)]
pub struct Project {
    folder: TempDir,
    people: String,
    source: Vec<(String, Endpoint)>,
    target: Endpoint,
    top: String,
}

impl Project {
    /// A project between two endpoints.
    pub fn new(source: Endpoint, target: Endpoint) -> Self {
        Self::of_several(vec![("local".to_owned(), source)], target)
    }

    /// A project whose people come from several endpoints, each with its name.
    pub fn of_several(source: Vec<(String, Endpoint)>, target: Endpoint) -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder can be written to");
        let header = if source.len() > 1 { "source,target,source_endpoint\n" } else { "source,target\n" };
        let project = Self { folder, people: header.to_owned(), source, target, top: String::new() };
        project.write();
        project
    }

    /// With another line at the top of `whimbrel.toml`.
    #[must_use]
    pub fn with(mut self, line: &str) -> Self {
        self.top.push_str(line);
        self.top.push('\n');
        self.write();
        self
    }

    /// Without this at the top of `whimbrel.toml`.
    #[must_use]
    pub fn without(mut self, line: &str) -> Self {
        self.top = self.top.replacen(line, "", 1);
        self.write();
        self
    }

    /// With somebody who has this name on both sides.
    #[must_use]
    pub fn person(self, name: &str) -> Self {
        self.row(&format!("{name},{name}"))
    }

    /// With a row of `people.csv`.
    #[must_use]
    pub fn row(mut self, row: &str) -> Self {
        self.people.push_str(row);
        self.people.push('\n');
        self.write();
        self
    }

    /// With this as `people.csv`.
    #[must_use]
    pub fn people(mut self, text: &str) -> Self {
        text.clone_into(&mut self.people);
        self.write();
        self
    }

    fn write(&self) {
        let mut text = "version = 1\norganisation = { name = \"Example Trust\", code = \"RX1\" }\n".to_owned();
        text.push_str(&self.top);
        let all = self.source.iter().map(|(name, endpoint)| (name.as_str(), endpoint));
        for (name, endpoint) in all.chain([("national", &self.target)]) {
            text.push_str(&endpoint.text(name, self.path()));
        }
        let names: Vec<_> = self.source.iter().map(|(name, _)| format!("{name:?}")).collect();
        let _ = write!(text, "[source]\nmail = [{}]\n[target]\nmail = \"national\"\n", names.join(", "));
        fs::write(self.path().join("whimbrel.toml"), text).expect("the project can be written");
        let people = self.path().join("people.csv");
        fs::write(&people, &self.people).expect("the project can be written");
        fs::set_permissions(&people, fs::Permissions::from_mode(0o600)).expect("the project can be written");
    }

    /// Adds this to the end of its file.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn append(&self, text: &str) {
        let file = self.path().join("whimbrel.toml");
        let before = fs::read_to_string(&file).expect("the project can be read");
        fs::write(file, before + text).expect("the project can be written");
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The program with these arguments, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("--project").arg(self.path()).args(arguments);
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Run {
        Run::of(&mut self.command(arguments))
    }

    /// Runs the program to its end and gives its JSON.
    ///
    /// # Panics
    /// When it gives none.
    pub fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        let run = self.run(&arguments);
        let value = serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run:?}"));
        (run.code, value)
    }
}

/// How a run of the program went.
pub struct Run {
    /// Its exit code.
    pub code: i32,
    /// What it gave.
    pub out: String,
    /// What it said besides.
    pub err: String,
}

impl Run {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        Self::from(command.output().expect("the program starts"))
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}\n{}\n{}", self.code, self.out, self.err)
    }
}
