//! Asking the independent judge, `judge.py`.

use std::{
    fmt,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

/// One side of a comparison, as `judge.py` reads it.
#[derive(Clone, Debug)]
pub struct Side(Value);

impl Side {
    /// A server on loopback, without TLS, where people log in with a password of their own.
    pub fn imap(port: u16, user: &str, password: &str) -> Self {
        let endpoint = json!({ "kind": "imap", "host": "127.0.0.1", "port": port, "tls": "none" });
        Self(endpoint).with("user", user).with("password", password)
    }

    /// Plain files.
    pub fn maildir(path: &Path) -> Self {
        Self::files("maildir", path)
    }

    /// Files of this kind: `maildir`, `mbox`, `eml`.
    pub fn files(kind: &str, path: &Path) -> Self {
        Self(json!({ "kind": kind, "path": path }))
    }

    /// With another key of a side: `authzid`, `master_for`, `tls`, `ca_file`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0[key] = value.into();
        self
    }
}

/// A comparison to be made.
#[derive(Clone, Debug)]
#[must_use]
pub struct Judge {
    people: Vec<Value>,
    only_source_subset: bool,
}

impl Judge {
    /// Compares nobody yet.
    pub fn new() -> Self {
        Self { people: Vec::new(), only_source_subset: false }
    }

    /// Compares these two sides of a person.
    pub fn person(mut self, name: &str, source: Side, target: Side) -> Self {
        let mut person = json!({ "name": name });
        person["source"] = source.0;
        person["target"] = target.0;
        self.people.push(person);
        self
    }

    /// Says that a folder of the last person has another name on the target.
    pub fn renamed(mut self, source: &[&str], target: &[&str]) -> Self {
        let person = self.people.last_mut().expect("a person was added");
        let pair = json!([source, target]);
        match person["renamed"].as_array_mut() {
            Some(pairs) => pairs.push(pair),
            None => person["renamed"] = json!([pair]),
        }
        self
    }

    /// Lets the target hold more than the source.
    pub fn only_source_subset(mut self) -> Self {
        self.only_source_subset = true;
        self
    }

    /// Compares. None when Python is missing, which has been said then.
    pub fn compare(&self) -> Option<Verdict> {
        let people = tempfile::NamedTempFile::new().expect("the temporary folder can be written to");
        serde_json::to_writer(&people, &json!({ "people": self.people })).expect("the file can be written");
        let mut command = Command::new("python3");
        command.arg(script());
        if self.only_source_subset {
            command.arg("--only-source-subset");
        }
        let Ok(output) = command.arg(people.path()).output() else {
            conformance::servers::left_out("python3 is not here: apt-get install --no-install-recommends python3");
            return None;
        };
        let complained = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code().expect("the judge ends by itself");
        let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no verdict: {complained}"));
        Some(Verdict { code, json, complained })
    }
}

impl Default for Judge {
    fn default() -> Self {
        Self::new()
    }
}

/// The judge.
fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("judge.py")
}

/// What the judge found.
pub struct Verdict {
    /// 0 equal, 1 different, 2 not comparable.
    pub code: i32,
    /// All it said.
    pub json: Value,
    complained: String,
}

impl Verdict {
    /// Are both sides the same for everybody?
    pub fn is_equal(&self) -> bool {
        self.code == 0
    }

    /// The sentence.
    pub fn sentence(&self) -> &str {
        self.json["sentence"].as_str().unwrap_or_default()
    }

    /// Every difference of a person, in full.
    pub fn differences(&self, person: &str) -> Vec<&Value> {
        self.of(person, "differences")
    }

    /// What the target of a person holds more, where that is allowed.
    pub fn allowed(&self, person: &str) -> Vec<&Value> {
        self.of(person, "allowed")
    }

    /// Each difference of a person in short: `missing INBOX`.
    pub fn kinds(&self, person: &str) -> Vec<String> {
        let folder = |value: &Value| {
            let names = value["folder"].as_array().map(Vec::as_slice).unwrap_or_default();
            names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("/")
        };
        let kind = |value: &Value| value["kind"].as_str().unwrap_or_default().to_owned();
        self.differences(person).into_iter().map(|value| format!("{} {}", kind(value), folder(value))).collect()
    }

    fn of(&self, person: &str, list: &str) -> Vec<&Value> {
        let people = self.json["people"].as_array().map(Vec::as_slice).unwrap_or_default();
        let person = people.iter().find(|known| known["name"] == person);
        person.and_then(|person| person[list].as_array()).map(|list| list.iter().collect()).unwrap_or_default()
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}: {}\n{:#}", self.code, self.complained.trim(), self.json)
    }
}
