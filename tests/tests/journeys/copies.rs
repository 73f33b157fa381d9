//! A first copy between every two kinds of store: exact but for what the pair's loss table names, the same in the eyes of
//! `verify` and of the independent judge, and nothing left to do (R-155, R-156, R-159, R-166).

use std::collections::BTreeMap;

use conformance::servers::Format;
use journeys::{
    judge::{Judge, Verdict},
    mail::{Folder, Message, every_message, spread},
    project::Project,
    store::{Store, assert_same_state},
};
use serde_json::Value;

/// Why an item can't be on the target, as its bytes tell.
const CAUSES: [(&str, &str); 5] = [
    ("nul", "nul"),
    ("bare_cr", "bare-cr"),
    ("mixed_line_ends", "mixed-line-ends"),
    // What is refused for the one is never read back and found changed for the other.
    ("broken_header", "broken-header"),
    ("eight_bit_header", "eight-bit-header"),
];

/// How many items are missing on the target for each cause, in the eyes of the judge.
///
/// # Panics
/// When anything else differs, or an item is missing that nothing is the matter with.
fn missing(verdict: &Verdict, person: &str, losses: &[&str]) -> BTreeMap<String, u64> {
    let mut causes = BTreeMap::new();
    for difference in verdict.differences(person) {
        assert_eq!(difference["kind"], "missing", "{difference:#}");
        let traits = &difference["source"]["traits"];
        let cause = CAUSES.iter().find(|(name, cause)| traits[*name] == true && losses.contains(cause));
        let (_, cause) = cause.unwrap_or_else(|| panic!("nothing explains {difference:#}"));
        *causes.entry((*cause).to_owned()).or_default() += 1;
    }
    causes
}

/// Copies a mailbox and looks at it from every side.
fn copy_is_exact(source: &Store, target: &Store, mailbox: &[Folder]) {
    let filled = source.fill("alice", mailbox);
    assert!(filled.folders > 18 && filled.messages > 60, "{filled:?}");
    let before = source.state("alice");
    let row = format!("{},{}", source.name("alice"), target.name("alice"));
    let project = Project::new(source.endpoint(), target.endpoint()).row(&row);

    let (_, table) = project.json(&["losses", "local", "national"]);
    let losses: Vec<&str> =
        table["losses"].as_array().unwrap().iter().map(|loss| loss["loss"].as_str().unwrap()).collect();

    let (code, synced) = project.json(&["sync"]);
    let (verify_code, verified) = project.json(&["verify"]);
    let verdict = judge(source, target, &project);
    let missing = missing(&verdict, "alice", &losses);
    let failed: u64 = missing.values().sum();
    let all = filled.messages as u64;
    println!("{filled:?}\n{}\n{}", verified["sentence"], verdict.sentence());

    // Both judges agree, and the sums are right.
    assert_eq!(synced["copied"], all - failed, "{synced:#}");
    assert_eq!(synced["failed"], failed, "{synced:#}");
    assert_eq!(code, i32::from(failed > 0), "{synced:#}");
    assert_eq!(verify_code, i32::from(failed > 0), "{verified:#}");
    assert_eq!(verified["all"]["unexplained"], 0, "{verified:#}");
    assert_eq!(verified["all"]["items"], all, "{verified:#}");
    assert_eq!(verified["all"]["on_target"], all - failed, "{verified:#}");
    assert_eq!(verified["all"]["failed"], serde_json::to_value(&missing).unwrap(), "{verified:#}");

    // The source is as it was, and a second run writes nothing.
    assert_same_state(&source.state("alice"), &before);
    let copied = target.state("alice");
    let (code, again) = project.json(&["sync"]);
    assert_eq!((code, &again["copied"]), (i32::from(failed > 0), &Value::from(0)), "{again:#}");
    assert_same_state(&target.state("alice"), &copied);
    assert_same_state(&source.state("alice"), &before);
}

/// The judge, told which folders have another name on the target.
fn judge(source: &Store, target: &Store, project: &Project) -> Verdict {
    let mut judge = Judge::new().person("alice", source.side("alice"), target.side("alice"));
    let (_, status) = project.json(&["status"]);
    for folder in status["mailboxes"][0]["folders"].as_array().unwrap() {
        if folder["path"] != folder["target_path"] {
            let (source, target) = (names(&folder["path"]), names(&folder["target_path"]));
            let both: [Vec<&str>; 2] = [&source, &target].map(|names| names.iter().map(String::as_str).collect());
            judge = judge.renamed(&both[0], &both[1]);
        }
    }
    judge.compare().expect("Python is here")
}

/// The names of a path as reports show it: with `/` between them, and a backslash before one that is part of a name.
fn names(path: &Value) -> Vec<String> {
    let (mut names, mut is_escaped) = (vec![String::new()], false);
    for c in path.as_str().unwrap().chars() {
        match c {
            '\\' if !is_escaped => is_escaped = true,
            '/' if !is_escaped => names.push(String::new()),
            c => {
                names.last_mut().unwrap().push(c);
                is_escaped = false;
            }
        }
    }
    names
}

fn whole_corpus() -> Vec<Folder> {
    spread(every_message())
}

#[test]
fn dovecot_to_dovecot() {
    let Some(source) = Store::dovecot(Format::Maildir, &["alice"]) else { return };
    let Some(target) = Store::dovecot(Format::Mdbox, &["alice"]) else { return };
    copy_is_exact(&source, &target, &whole_corpus());
}

#[test]
fn dovecot_to_cyrus() {
    let Some(source) = Store::dovecot(Format::Mdbox, &["alice"]) else { return };
    let Some(target) = Store::cyrus(&["alice"]) else { return };
    copy_is_exact(&source, &target, &whole_corpus());
}

#[test]
fn cyrus_to_dovecot() {
    let Some(source) = Store::cyrus(&["alice"]) else { return };
    let Some(target) = Store::dovecot(Format::Sdbox, &["alice"]) else { return };
    copy_is_exact(&source, &target, &whole_corpus());
}

#[test]
fn maildir_to_dovecot() {
    let Some(target) = Store::dovecot(Format::Maildir, &["alice"]) else { return };
    copy_is_exact(&Store::maildir(), &target, &whole_corpus());
}

#[test]
fn dovecot_to_maildir() {
    let Some(source) = Store::dovecot(Format::Mdbox, &["alice"]) else { return };
    copy_is_exact(&source, &Store::maildir(), &whole_corpus());
}

#[test]
fn mbox_to_dovecot() {
    let Some(target) = Store::dovecot(Format::Maildir, &["alice"]) else { return };
    copy_is_exact(&Store::mbox(), &target, &whole_corpus());
}

#[test]
fn dovecot_to_eml() {
    let Some(source) = Store::dovecot(Format::Mdbox, &["alice"]) else { return };
    copy_is_exact(&source, &Store::eml(), &whole_corpus());
}

#[test]
fn eml_to_dovecot() {
    let Some(target) = Store::dovecot(Format::Sdbox, &["alice"]) else { return };
    copy_is_exact(&Store::eml(), &target, &whole_corpus());
}

/// What tools that know a message by its Message-ID get wrong.
#[test]
fn messages_that_look_alike_stay_as_many_as_they_are() {
    let Some(source) = Store::dovecot(Format::Maildir, &["alice"]) else { return };
    let Some(target) = Store::dovecot(Format::Mdbox, &["alice"]) else { return };
    let message = |text: &str, received: i64, flags: &[&'static str]| Message {
        bytes: text.replace('\n', "\r\n").into_bytes(),
        flags: flags.to_vec(),
        received,
    };
    let folder = |name: &str, messages: Vec<Message>| Folder { path: vec![name.to_owned()], messages };
    let same_id =
        (0..40).map(|n| message(&format!("Message-ID: <same@x>\nSubject: a\n\nbody {n}\n"), 1_000_000_000, &[]));
    let without_id = (0..40).map(|n| message(&format!("Subject: no id\n\n{}\n", n / 2), 1_000_000_000 + n % 2, &[]));
    let identical = "Message-ID: <i@x>\nFrom: a@x\nDate: Tue, 1 Jul 2003 10:52:37 +0200\n\nidentical\n";
    let identical = |n: i64| message(identical, 1_100_000_000, if n % 3 == 0 { &["\\Seen"] } else { &[] });
    let both = message("Message-ID: <both@x>\n\nin two folders\n", 1_200_000_000, &["\\Answered"]);
    let mailbox = [
        folder("INBOX", same_id.chain([both.clone()]).collect()),
        folder("Archive", without_id.chain([both]).collect()),
        folder("Many", (0..700).map(identical).collect()),
    ];
    let filled = source.fill("alice", &mailbox);
    assert_eq!(filled.messages, 782);
    let project = Project::new(source.endpoint(), target.endpoint()).person("alice");
    assert_eq!(project.run(&["sync"]).code, 0);
    let verdict = judge(&source, &target, &project);
    assert!(verdict.is_equal(), "{verdict:?}");
    assert_eq!(verdict.sentence(), "1 person, 3 folders, 782 items: equal.");
    let copied = target.state("alice");
    assert_eq!(project.run(&["sync"]).code, 0);
    assert_eq!(project.run(&["verify"]).code, 0);
    assert_same_state(&target.state("alice"), &copied);
}

/// Dovecot puts the time of the APPEND in place of a date that is still to come, which would be no exact copy: such messages
/// are listed, and all others travel, whichever comes first.
#[test]
fn a_date_that_the_target_does_not_keep_is_found_and_holds_nothing_up() {
    const TO_COME: i64 = 4_000_000_000;
    for received in [[TO_COME, 1_000_000_000, TO_COME + 1], [1_000_000_000, TO_COME, TO_COME + 1]] {
        let (source, Some(target)) = (Store::maildir(), Store::dovecot(Format::Mdbox, &["alice"])) else { return };
        let project = Project::new(source.endpoint(), target.endpoint()).person("alice");
        source.fill("alice", &dated(&received));
        for copied in [1, 0] {
            let (code, synced) = project.json(&["sync"]);
            assert_eq!((code, &synced["copied"], &synced["failed"]), (1, &copied.into(), &2.into()), "{synced:#}");
            assert_eq!(synced["mailboxes"][0]["failed_by_cause"]["future-date"], 2, "{synced:#}");
        }
        let (code, verified) = project.json(&["verify"]);
        assert_eq!((code, &verified["all"]["failed"]["future-date"]), (1, &2.into()), "{verified:#}");
        assert_eq!(judge(&source, &target, &project).kinds("alice"), ["missing INBOX", "missing INBOX"]);
    }
}

/// The same dates under the rule that repairs them, and dates from before 1970: what the server does not hold travels with the date
/// that the message names, is told by rule, and is at rest.
#[test]
fn dates_that_the_target_does_not_keep_are_repaired() {
    const TO_COME: i64 = 4_000_000_000;
    const BEYOND: i64 = 5_000_000_000;
    const DATE: &str = "Date: Sat, 8 Sep 2001 01:46:40 +0000\r\n";
    let received = [TO_COME, 1_000_000_000, -1, TO_COME + 1, BEYOND, 0, -5_000_000_000];
    for (target, kept) in [
        (Store::dovecot(Format::Mdbox, &["alice"]), vec![1_000_000_000, 0]),
        (Store::cyrus(&["alice"]), vec![1_000_000_000, TO_COME, TO_COME + 1]),
    ] {
        let (source, Some(target)) = (Store::eml(), target) else { continue };
        let repaired = (received.len() - kept.len()) as u64;
        let row = format!("alice,{}", target.name("alice"));
        let project = Project::new(source.endpoint(), target.endpoint()).row(&row);
        let project = project.with("[policy]\nrepair_date = \"make\"\n");
        let [mut folder] = dated(&received);
        for message in &mut folder.messages {
            message.bytes.splice(0..0, DATE.bytes());
        }
        source.fill("alice", &[folder.clone()]);
        let (code, synced) = project.json(&["sync"]);
        assert_eq!((code, &synced["copied"], &synced["failed"]), (0, &7.into(), &0.into()), "{synced:#}");
        let (code, verified) = project.json(&["verify"]);
        assert_eq!((code, &verified["all"]["repaired"]["repair-date"]), (0, &repaired.into()), "{verified:#}");
        let (_, ruled) = project.json(&["rules"]);
        for item in ruled["items"].as_array().unwrap() {
            assert_eq!((&item["how"], &item["rule"]), (&"repaired".into(), &"repair-date".into()), "{item:#}");
            let before = item["received"].as_i64().unwrap();
            assert!(!kept.contains(&before) && item["date_given"] == 999_913_600_i64, "{item:#}");
        }
        // In the eyes of the judge, each has the date that it was given.
        for message in folder.messages.iter_mut().filter(|message| !kept.contains(&message.received)) {
            message.received = 999_913_600;
        }
        let expected = Store::eml();
        expected.fill("alice", &[folder]);
        let verdict = judge(&expected, &target, &project);
        assert!(verdict.is_equal(), "{verdict:?}");
        let copied = target.state("alice");
        assert_eq!(project.json(&["sync"]).1["copied"], 0);
        assert_eq!(project.run(&["verify"]).code, 0);
        let manifest = project.path().join("whole.manifest").display().to_string();
        assert_eq!(project.run(&["manifest", "export", "--to", &manifest]).code, 0);
        for endpoint in ["local", "national"] {
            let against = project.run(&["manifest", "check", &manifest, "--against", endpoint]);
            assert_eq!(against.code, 0, "{}{}", against.out, against.err);
        }
        assert_same_state(&target.state("alice"), &copied);
    }
}

/// An INBOX with a message for each of these dates.
fn dated(received: &[i64]) -> [Folder; 1] {
    let message = |received: &i64| Message {
        bytes: format!("Subject: {received}\r\n\r\nb\r\n").into_bytes(),
        flags: Vec::new(),
        received: *received,
    };
    [Folder { path: vec!["INBOX".to_owned()], messages: received.iter().map(message).collect() }]
}
