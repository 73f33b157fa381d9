//! Folders that come together in one folder of the target, by the program itself: between servers and to files, after
//! another tool, killed and followed (R-161, R-164, R-166).

use std::{thread::sleep, time::Duration};

use conformance::servers::Format;
use journeys::{
    judge::Judge,
    mail::{Folder, Message, numbered},
    project::{Project, Run},
    store::{Store, assert_same_state},
};

/// Folders of the source, the numbers of the messages in them, and where they go.
const FOLDERS: [(&[&str], &[usize], &[&str]); 7] = [
    // Two that are alike, and one that lies in the folder that comes to it.
    (&["INBOX"], &[0, 1, 2, 3, 9, 9], &["INBOX"]),
    (&["Eingang"], &[0, 4, 5, 9], &["INBOX"]),
    (&["Archive"], &[10, 11, 12], &["Archive"]),
    (&["Old mail"], &[11, 12, 13, 13], &["Archive"]),
    (&["Old mail", "2019"], &[20, 21], &["Archive", "2019"]),
    (&["Archive", "2019"], &[21, 22], &["Archive", "2019"]),
    (&["Work"], &[0, 11], &["Work"]),
];
const POLICY: &str = r#"
[policy]
deletion_settle_hours = 0
folders_merged_below = "merge"

[policy.folders_merged]
INBOX = ["Eingang"]
Archive = ["Old mail", "Nobody has it"]
"#;

fn message(number: usize) -> Message {
    let flags: [&[&str]; 3] = [&["\\Seen"], &[], &["\\Flagged"]];
    Message { flags: flags[number % 3].to_vec(), ..numbered(number) }
}

fn folder(path: &[&str], numbers: &[usize]) -> Folder {
    let path = path.iter().map(|name| (*name).to_owned()).collect();
    Folder { path, messages: numbers.iter().copied().map(message).collect() }
}

fn filled() -> Option<Store> {
    let source = Store::dovecot(Format::Maildir, &["alice"])?;
    let all: Vec<Folder> = FOLDERS.iter().map(|(path, numbers, _)| folder(path, numbers)).collect();
    assert_eq!(source.fill("alice", &all).refused_messages, 0);
    Some(source)
}

fn count() -> usize {
    FOLDERS.iter().map(|(_, numbers, _)| numbers.len()).sum()
}

struct Pair {
    source: Store,
    target: Store,
    project: Project,
}

impl Pair {
    fn new(source: Store, target: Store) -> Self {
        let row = format!("{},{}", source.name("alice"), target.name("alice"));
        let project = Project::new(source.endpoint(), target.endpoint()).row(&row).with(POLICY);
        Self { source, target, project }
    }

    /// Each folder of the target holds what those of the source hold together, in the eyes of the judge, of `verify` and by the
    /// sums of each folder; and nothing is left to do.
    fn is_well(&self) {
        let mut judge = Judge::new().person("alice", self.source.side("alice"), self.target.side("alice"));
        for (path, _, to) in FOLDERS.iter().filter(|(path, _, to)| path != to) {
            judge = judge.renamed(path, to);
        }
        let verdict = judge.compare().expect("Python is here");
        assert!(verdict.is_equal(), "{verdict:?}");
        for arguments in [&["verify"][..], &["verify", "--sample", "5"]] {
            let (code, verified) = self.project.json(arguments);
            assert_eq!((code, &verified["all"]["unexplained"]), (0, &0.into()), "{verified:#}");
        }
        let before = [&self.source, &self.target].map(|store| store.state("alice"));
        let (code, again) = self.project.json(&["sync"]);
        assert_eq!((code, &again["copied"], &again["adopted"]), (0, &0.into(), &0.into()), "{again:#}");
        assert_same_state(&self.source.state("alice"), &before[0]);
        assert_same_state(&self.target.state("alice"), &before[1]);
        let (_, status) = self.project.json(&["status"]);
        assert_eq!(status["unaccounted"], 0, "{status:#}");
        for folder in status["mailboxes"][0]["folders"].as_array().unwrap() {
            assert_eq!(folder["is_complete"], true, "{folder:#}");
            let is_it = |(path, _, _): &&(&[&str], &[usize], &[&str])| folder["path"] == path.join("/");
            if let Some((_, _, to)) = FOLDERS.iter().find(is_it) {
                assert_eq!(folder["target_path"], to.join("/"), "{folder:#}");
            }
        }
    }

    fn sync(&self) -> serde_json::Value {
        let (code, synced) = self.project.json(&["sync"]);
        assert_eq!(code, 0, "{synced:#}");
        synced
    }
}

fn copied_to(target: Option<Store>) {
    let (Some(source), Some(target)) = (filled(), target) else { return };
    let pair = Pair::new(source, target);
    let (code, dry) = pair.project.json(&["sync", "--dry-run"]);
    assert_eq!(code, 0, "{dry:#}");
    let (_, forecast) = pair.project.json(&["preflight"]);
    let would = dry["mailboxes"][0]["would"].as_array().unwrap();
    let made: Vec<&str> = would
        .iter()
        .filter(|folder| folder["make"] == true && folder["target_folder"] != "INBOX")
        .map(|folder| folder["target_folder"].as_str().unwrap())
        .collect();
    assert_eq!(made.len(), 3, "each place is made once: {made:?}");
    assert_eq!(would.iter().map(|folder| folder["copy"].as_u64().unwrap()).sum::<u64>(), count() as u64, "{dry:#}");
    let synced = pair.sync();
    assert_eq!(synced["copied"], count(), "{synced:#}");
    assert!(forecast.to_string().contains(&format!("\"items\":{}", count())), "{forecast:#}");
    pair.is_well();
}

#[test]
fn folders_come_together_on_dovecot() {
    copied_to(Store::dovecot(Format::Sdbox, &["alice"]));
}

#[test]
fn folders_come_together_on_cyrus() {
    copied_to(Store::cyrus(&["alice"]));
}

#[test]
fn folders_come_together_in_a_maildir() {
    copied_to(Some(Store::maildir()));
}

#[test]
fn folders_come_together_in_files() {
    copied_to(Some(Store::eml()));
}

/// What another tool has left of one of them is not taken for the other's, and each is taken once.
#[test]
fn what_another_tool_left_is_taken_once() {
    let (Some(source), Some(target)) = (filled(), Store::dovecot(Format::Mdbox, &["alice"])) else { return };
    target.fill("alice", &[folder(&["INBOX"], &[0, 9, 9, 5]), folder(&["Archive"], &[11, 13, 12, 12])]);
    let pair = Pair::new(source, target);
    let synced = pair.sync();
    assert_eq!((&synced["adopted"], &synced["copied"]), (&8.into(), &(count() - 8).into()), "{synced:#}");
    pair.is_well();
}

#[test]
fn folders_that_come_together_are_followed() {
    let (Some(source), Some(target)) = (filled(), Store::dovecot(Format::Sdbox, &["alice"])) else { return };
    let pair = Pair::new(source, target);
    pair.sync();
    let mut talk = pair.source.talk("alice");
    // From one to the other, and out of both; one goes, one has another flag, one is new in both.
    let uid = |folder: &str, number: usize| {
        let uids = pair.source.uids("alice", folder);
        uids.into_iter().find(|(other, _)| *other == number).unwrap().1
    };
    let (to_archive, to_work, goes) = (uid("Old mail", 12), uid("Old mail", 11), uid("Eingang", 4));
    talk.ok("SELECT \"Old mail\"");
    talk.ok(&format!("UID MOVE {to_archive} Archive"));
    talk.ok(&format!("UID MOVE {to_work} Work"));
    talk.ok("SELECT Eingang");
    talk.ok(&format!("UID STORE {goes} +FLAGS.SILENT (\\Deleted)"));
    talk.ok("EXPUNGE");
    talk.ok("STORE 1 FLAGS.SILENT (\\Answered)");
    pair.source.fill("alice", &[folder(&["Archive"], &[30]), folder(&["Old mail"], &[30])]);
    let synced = pair.sync();
    let done = ["moved", "copied", "removed", "flags_changed"]
        .map(|what| synced["mailboxes"][0][what].as_u64().unwrap_or_default());
    assert_eq!(done, [2, 2, 1, 1], "{synced:#}");
    pair.is_well();
    // A folder that is gone takes its own along.
    talk.ok("SELECT INBOX");
    talk.ok("DELETE \"Old mail/2019\"");
    talk.ok("DELETE \"Old mail\"");
    pair.sync();
    pair.sync();
    pair.is_well();
}

/// Killed again and again, and run to the end.
#[test]
fn folders_come_together_though_the_program_is_killed() {
    let (Some(source), Some(target)) = (filled(), Store::dovecot(Format::Sdbox, &["alice"])) else { return };
    let pair = Pair::new(source, target);
    for round in 0..12 {
        let mut running = pair.project.command(&["sync"]).spawn().unwrap();
        sleep(Duration::from_millis(40 + 35 * round));
        let _ = running.kill();
        running.wait().unwrap();
    }
    pair.sync();
    pair.is_well();
}

#[test]
fn a_merge_that_cannot_be_is_named_with_what_to_do() {
    let (source, target) = (Store::maildir(), Store::maildir());
    for (text, said) in [
        ("a = [\"INBOX\"]", "new mail lands in INBOX, so it can't go to a"),
        ("a = [\"c\"]\nb = [\"c\"]", "c goes to a and to b"),
        ("a = []", "nothing goes to a"),
    ] {
        let project = Project::new(source.endpoint(), target.endpoint()).person("alice");
        let project = project.with(&format!("[policy.folders_merged]\n{text}"));
        let Run { code, err, .. } = project.run(&["check"]);
        assert!(code != 0 && err.contains(said), "{code}: {err}");
    }
    let project = Project::new(source.endpoint(), target.endpoint()).person("alice").with(POLICY);
    let rules = project.run(&["profile", "show"]);
    assert!(
        rules.out.contains("folder-merged") && rules.out.contains("Old mail, Nobody has it → Archive"),
        "{}",
        rules.out
    );
}

/// A name that the target can't have: all that comes together there is beside it, whenever it comes.
#[test]
fn folders_come_together_under_another_name_where_theirs_is_refused() {
    let (Some(source), Some(target)) = (filled(), Store::dovecot(Format::Sdbox, &["alice"])) else { return };
    let row = format!("{},{}", source.name("alice"), target.name("alice"));
    let project = Project::new(source.endpoint(), target.endpoint()).row(&row);
    let project = project.with("[policy.folders_merged]\n'A\\/B.C' = [\"Old mail\", \"Archive\", \"Later\"]");
    assert_eq!(project.run(&["sync"]).code, 0);
    assert_eq!(target.uids("alice", "A_B_C").len(), 7);
    source.fill("alice", &[folder(&["Later"], &[13, 40])]);
    assert_eq!(project.run(&["sync"]).code, 0);
    assert_eq!(target.uids("alice", "A_B_C").len(), 9);
    let (code, verified) = project.json(&["verify"]);
    assert_eq!((code, &verified["all"]["unexplained"]), (0, &0.into()), "{verified:#}");
}
