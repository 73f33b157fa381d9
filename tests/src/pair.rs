//! A mailbox on two servers, in step, and what happens to it afterwards.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    judge::Judge,
    mail::{imap_date, numbered},
    project::{Endpoint, Project},
    store::{Store, assert_same_state},
};

/// Two stores with Alice's mailbox, and the project that moves it.
pub struct Pair {
    /// The source.
    pub source: Store,
    /// The target.
    pub target: Store,
    /// The project.
    pub project: Project,
}

/// Adds messages of [`numbered`] to a folder, by its name on the wire, which is made if it is not there.
pub fn put(store: &Store, folder: &str, numbers: impl IntoIterator<Item = usize>) {
    let mut talk = store.talk("alice");
    if folder != "INBOX" && !talk.command(&format!("STATUS \"{folder}\" (MESSAGES)")).is_ok() {
        talk.ok(&format!("CREATE \"{folder}\""));
    }
    for number in numbers {
        let message = numbered(number);
        let answer = talk.append(folder, &format!("() \"{}\"", imap_date(message.received, 0)), &message.bytes);
        assert!(answer.is_ok(), "{}", answer.tagged);
    }
}

/// Does this to messages of a folder, by their numbers. In the command `#` stands for their UIDs.
pub fn act(store: &Store, folder: &str, numbers: &[usize], command: &str) {
    let all: BTreeMap<usize, u32> = store.uids("alice", folder).into_iter().collect();
    let uids: Vec<String> = numbers.iter().map(|number| all[number].to_string()).collect();
    let mut talk = store.talk("alice");
    talk.ok(&format!("SELECT \"{folder}\""));
    talk.ok(&command.replace('#', &uids.join(",")));
}

/// Removes messages from a folder, by their numbers.
pub fn remove(store: &Store, folder: &str, numbers: &[usize]) {
    act(store, folder, numbers, "UID STORE # +FLAGS.SILENT (\\Deleted)");
    let mut talk = store.talk("alice");
    talk.ok(&format!("SELECT \"{folder}\""));
    talk.ok("EXPUNGE");
}

impl Pair {
    /// Ten messages in INBOX and ten in a folder of this name, copied. A vanished folder is followed in the second pass
    /// that doesn't find it.
    pub fn in_step(source: Store, target: Store, work: &str) -> Self {
        let endpoint = target.endpoint();
        Self::through(source, target, endpoint, work)
    }

    /// The same, with another way to the target.
    pub fn through(source: Store, target: Store, endpoint: Endpoint, work: &str) -> Self {
        put(&source, "INBOX", 0..10);
        put(&source, work, 100..110);
        let row = format!("{},{}", source.name("alice"), target.name("alice"));
        let project = Project::new(source.endpoint(), endpoint).row(&row);
        let project = project.with("[policy]\ndeletion_settle_hours = 0");
        let pair = Self { source, target, project };
        assert_eq!(pair.sync()["copied"], 20);
        pair
    }

    /// A run in which nothing fails.
    pub fn sync(&self) -> Value {
        let (code, synced) = self.project.json(&["sync"]);
        assert_eq!(code, 0, "{synced:#}");
        synced
    }

    /// A run that does no more than this: copies, moves, removals, removals that wait.
    pub fn does(&self, expected: [u64; 4]) {
        let synced = self.sync();
        let done =
            ["copied", "moved", "removed", "removals_held"].map(|what| synced[what].as_u64().unwrap_or_default());
        assert_eq!(done, expected, "{synced:#}");
    }

    /// Is the mailbox the same on both sides, in the eyes of the judge, of `verify` and by its sums, and is nothing left
    /// to do?
    pub fn is_the_same(&self) {
        let judge = Judge::new().person("alice", self.source.side("alice"), self.target.side("alice"));
        let verdict = judge.compare().expect("Python is here");
        assert!(verdict.is_equal(), "{verdict:?}");
        let (code, verified) = self.project.json(&["verify"]);
        assert_eq!(code, 0, "{verified:#}");
        self.is_at_rest();
    }

    /// Is nothing left to do?
    pub fn is_at_rest(&self) {
        let (here, there) = (self.source.state("alice"), self.target.state("alice"));
        let (code, again) = self.project.json(&["sync"]);
        assert_eq!((code, &again["copied"]), (0, &0.into()), "{again:#}");
        assert_same_state(&self.source.state("alice"), &here);
        assert_same_state(&self.target.state("alice"), &there);
        let (_, status) = self.project.json(&["status"]);
        assert_eq!(status["unaccounted"], 0, "{status:#}");
    }

    /// The numbers of the target's messages in a folder, in order.
    pub fn there(&self, folder: &str) -> Vec<usize> {
        let mut numbers: Vec<usize> = self.target.uids("alice", folder).into_iter().map(|(number, _)| number).collect();
        numbers.sort_unstable();
        numbers
    }

    /// What waits for a word, by its rule.
    pub fn held(&self) -> Vec<String> {
        let (_, held) = self.project.json(&["held", "list"]);
        let lines = held["held"].as_array().map(Vec::as_slice).unwrap_or_default();
        lines.iter().filter_map(|line| line["rule"].as_str()).map(str::to_owned).collect()
    }
}
