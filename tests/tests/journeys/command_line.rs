//! The commands one after the other, as somebody new would use them; what `verify` says of a copy that somebody has touched;
//! and whether others can read the files we write.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use conformance::servers::{Dovecot, Format};
use journeys::{
    judge::Judge,
    mail::{Folder, Message, SMALL, small, spread},
    project::{Endpoint, Project, Run, program},
    store::{MIGRATOR, PASSWORD, Store, assert_same_state},
};
use serde_json::Value;

/// Runs a command both ways, requires this exit code of both and the schema of this name, and gives text and JSON.
fn both_ways(folder: &Path, code: i32, name: &str, arguments: &[&str]) -> (String, Value) {
    let command = || {
        let mut command = Command::new(program());
        command.arg("--project").arg(folder).args(arguments).env("LOCAL_PASSWORD", PASSWORD);
        command
    };
    let json = Run::of(command().arg("--json"));
    assert_eq!(json.code, code, "{arguments:?} {json:?}");
    let value: Value = serde_json::from_str(&json.out).unwrap_or_else(|error| panic!("{error}: {json:?}"));
    assert_eq!(value["schema"], format!("whimbrel.{name}/1"), "{json:?}");
    let text = Run::of(&mut command());
    assert_eq!(text.code, code, "{arguments:?} {text:?}");
    // Who copies the database's file has all of it.
    assert!(!folder.join("whimbrel.db-wal").exists(), "{arguments:?}");
    (text.out + &text.err, value)
}

#[test]
fn somebody_new_gets_from_init_to_a_verified_copy() {
    let Some(source) = Store::dovecot(Format::Maildir, &["alice"]) else { return };
    source.fill("alice", &small("alice"));
    let Store::Dovecot(dovecot) = &source else { unreachable!() };
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("trust");
    let init = ["init", folder.to_str().unwrap(), "--code", "RX1", "--name", "Example Trust"];
    let made = Run::of(Command::new(program()).args(init));
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.out.contains("whimbrel check --project"), "{made:?}");
    let again = Run::of(Command::new(program()).args(init).arg("--json"));
    let error: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!((again.code, &error["schema"], &error["exit"]), (2, &"whimbrel.error/1".into(), &2.into()));

    // What it made is edited as it says.
    let file = folder.join("whimbrel.toml");
    let server = format!("host = \"127.0.0.1\"\nport = {}\ntls = \"none\" #", dovecot.port());
    let text = fs::read_to_string(&file).unwrap().replace("host = \"imap.local.example\"\ntls = \"implicit\"", &server);
    fs::write(&file, text).unwrap();
    fs::write(folder.join("people.csv"), "source,target,name\nalice,alice,Alice Example\n").unwrap();

    let run = |code, name, arguments: &[&str]| both_ways(&folder, code, name, arguments);
    let (text, checked) = run(0, "check", &["check"]);
    assert!(text.contains("migrator logs in for alice") && !text.contains("WRONG"), "{text}");
    assert_eq!(checked["endpoints"].as_array().unwrap().len(), 2, "{checked:#}");
    let (text, found) = run(0, "discover", &["discover"]);
    assert_eq!((&found["items"], &found["folders"]), (&SMALL.into(), &3.into()), "{found:#}");
    assert!(text.contains("1 mailbox: 6 items in 3 folders"), "{text}");
    let (text, losses) = run(0, "losses", &["losses", "local", "archive"]);
    assert!(losses["losses"].as_array().unwrap().iter().all(|loss| text.contains(loss["loss"].as_str().unwrap())));
    let (_, kinds) = run(0, "losses", &["losses", "imap", "maildir"]);
    assert_eq!(kinds["losses"], losses["losses"]);
    run(2, "error", &["losses", "local", "archve"]);

    // A dry run changes nothing, on either side and in the ledger.
    let before = source.state("alice");
    let (text, dry) = run(0, "sync", &["sync", "--dry-run"]);
    assert!(text.contains("Nothing was changed.") && text.contains("INBOX → INBOX (to be made): copy 3"), "{text}");
    let would: u64 = dry["mailboxes"][0]["would"].as_array().unwrap().iter().map(|w| w["copy"].as_u64().unwrap()).sum();
    assert_eq!((would, &dry["copied"], &dry["dry_run"]), (SMALL, &0.into(), &true.into()), "{dry:#}");
    let (_, status) = run(0, "status", &["status"]);
    assert_eq!((&status["all"]["source"], &status["mailboxes"][0]["phase"]), (&0.into(), &"planned".into()));
    assert_eq!(status["mailboxes"][0]["folders"], serde_json::json!([]), "{status:#}");
    assert!(!folder.join("archive").exists());

    let (text, _) = run(0, "sync", &["sync"]);
    assert!(text.contains("1 mailbox: 0 items copied"), "the second of the two runs: {text}");
    let (text, status) = run(0, "status", &["status", "-v"]);
    assert!(text.contains("6 of 6 items have a fate: 6 copied") && text.contains("Projekte/2019"), "{text}");
    assert_eq!(status["mailboxes"][0]["name"], "Alice Example");
    let (text, _) = run(0, "verify", &["verify"]);
    assert_eq!(text.trim(), "6 items of 3 folders: 6 on the target, 0 unexplained.");
    let (text, sampled) = run(0, "verify", &["verify", "--sample", "2"]);
    assert_eq!(
        (&sampled["all"]["sampled"], text.trim()),
        (&2.into(), "2 sampled items of 3 folders: 2 on the target, 0 unexplained.")
    );
    let (text, _) = run(0, "doctor", &["doctor"]);
    assert!(text.contains("the project of Example Trust (RX1) is whole"), "{text}");
    assert_same_state(&source.state("alice"), &before);

    let demo = |name: &str| place.path().join(name).display().to_string();
    for (name, json) in [("text", false), ("json", true)] {
        let mut command = Command::new(program());
        command.args(["demo", "--to", &demo(name)]);
        let run = Run::of(if json { command.arg("--json") } else { &mut command });
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.out.contains(if json { "\"schema\": \"whimbrel.demo/1\"" } else { "0 unexplained" }), "{run:?}");
        assert!(fs::read_dir(demo(name)).unwrap().count() > 0);
    }
    let taken = Run::of(Command::new(program()).args(["demo", "--to", &demo("text")]));
    assert_eq!(taken.code, 2, "{taken:?}");
}

/// The file of the message in a maildir that holds this text.
fn file_of(maildir: &Path, folder: &str, text: &str) -> PathBuf {
    let files = ["cur", "new"].into_iter().flat_map(|part| fs::read_dir(maildir.join(folder).join(part)).unwrap());
    let holds = |path: &PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap()).contains(text);
    files.map(|file| file.unwrap().path()).find(holds).expect("the message is there")
}

fn set_date(file: &Path, unix_seconds: u64) {
    let file = fs::File::options().write(true).open(file).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds)).unwrap();
}

/// Messages that can be told from each other by their numbers.
fn numbered(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| format!("Message-ID: <{n}@x>\r\nSubject: n\r\n\r\nbody number {n};\r\n").into_bytes()).collect()
}

fn assert_equal(judge: &Judge) {
    let verdict = judge.compare().expect("Python is here");
    assert!(verdict.is_equal(), "{verdict:?}");
}

#[test]
fn verify_names_what_was_planted_behind_everybodys_back_as_the_judge_does() {
    let (Some(source), Some(target)) =
        (Store::dovecot(Format::Mdbox, &["alice"]), Store::dovecot(Format::Maildir, &["alice"]))
    else {
        return;
    };
    let message = |number: usize, flags: &[&'static str]| Message {
        bytes: numbered(10).swap_remove(number),
        flags: flags.to_vec(),
        received: 1_000_000_000 + number as i64,
    };
    let folder = |names: &[&str], messages: Vec<Message>| Folder {
        path: names.iter().map(|name| (*name).to_owned()).collect(),
        messages,
    };
    source.fill(
        "alice",
        &[
            folder(&["INBOX"], vec![message(0, &["\\Seen"]), message(1, &[]), message(2, &["\\Flagged", "Work"])]),
            folder(&["Entwürfe"], vec![message(3, &["\\Draft"]), message(4, &[])]),
            folder(&["Work", "2024"], vec![message(5, &[])]),
            folder(&["Empty"], Vec::new()),
        ],
    );
    let project = Project::new(source.endpoint(), target.endpoint()).person("alice");
    assert_eq!(project.run(&["sync"]).code, 0);
    assert_eq!(project.run(&["verify"]).code, 0);

    let Store::Dovecot(dovecot) = &target else { unreachable!() };
    let maildir = dovecot.maildir("alice");
    // A byte changed, in a file whose size stays.
    let zero = file_of(&maildir, "", "body number 0;");
    fs::write(&zero, fs::read_to_string(&zero).unwrap().replace("number 0;", "number O;")).unwrap();
    set_date(&zero, 1_000_000_000);
    // A message doubled.
    let copy = maildir.join("cur/1000000001.M1P1.copy:2,");
    fs::copy(file_of(&maildir, "", "body number 1;"), &copy).unwrap();
    set_date(&copy, 1_000_000_001);
    // A flag dropped.
    let two = file_of(&maildir, "", "body number 2;");
    let (base, flags) = two.to_str().unwrap().rsplit_once(',').unwrap();
    fs::rename(&two, format!("{base},{}", flags.replace('F', ""))).unwrap();
    // A date one hour off, which Dovecot remembers otherwise, and a message gone.
    fs::remove_file(maildir.join(".Entw&APw-rfe/dovecot.index.cache")).unwrap();
    set_date(&file_of(&maildir, ".Entw&APw-rfe", "body number 3;"), 1_000_000_003 + 3600);
    fs::remove_file(file_of(&maildir, ".Entw&APw-rfe", "body number 4;")).unwrap();
    // Folders gone, one of them with a message in it.
    fs::remove_dir_all(maildir.join(".Work.2024")).unwrap();
    fs::remove_dir_all(maildir.join(".Empty")).unwrap();
    dovecot.give_to_mail_user(&maildir);

    let (code, verified) = project.json(&["verify"]);
    assert_eq!((code, &verified["exact"]), (1, &false.into()), "{verified:#}");
    let differences = verified["mailboxes"][0]["verification"]["differences"].as_array().unwrap();
    let text = |difference: &Value, key: &str| difference[key].as_str().unwrap().to_owned();
    let mut named: Vec<String> =
        differences.iter().map(|d| format!("{} {}", text(d, "kind"), text(d, "folder"))).collect();
    let judge = Judge::new().person("alice", source.side("alice"), target.side("alice"));
    let mut judged = judge.compare().expect("Python is here").kinds("alice");
    named.sort();
    judged.sort();
    assert_eq!(named, judged, "{verified:#}");
    assert_eq!(
        judged,
        [
            "changed-bytes INBOX",
            "changed-date Entwürfe",
            "changed-flags INBOX",
            "doubled INBOX",
            "missing Entwürfe",
            "missing Work/2024",
            "missing-folder Empty",
            "missing-folder Work/2024",
        ]
    );
    // People read each of them, and a sentence.
    let run = project.run(&["verify"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.out.contains("Entwürfe") && run.out.contains("Work/2024") && run.out.contains("unexplained"),
        "{run:?}"
    );
}

/// A mailbox with folders of every name and flags of every kind, and its copy as files at this place.
fn copied_to_files(path: &str, keywords: &str) -> Option<(Store, Project)> {
    let source = Store::dovecot(Format::Mdbox, &["alice"])?;
    source.fill("alice", &spread(numbered(60)));
    let endpoint = Endpoint::maildir(path).with(&format!("keywords = {keywords:?}"));
    let project = Project::new(source.endpoint(), endpoint).person("alice");
    let (code, synced) = project.json(&["sync"]);
    assert_eq!((code, &synced["copied"]), (0, &60.into()), "{synced:#}");
    Some((source, project))
}

#[test]
fn dovecot_reads_the_maildirs_we_write() {
    let reader = Dovecot::builder().user("alice", PASSWORD).master(MIGRATOR, PASSWORD).start();
    let Some(reader) = reader else { return };
    let path = reader.home("{target}").join("Maildir");
    let Some((source, project)) = copied_to_files(path.to_str().unwrap(), "dovecot") else { return };
    reader.give_to_mail_user(&reader.home("alice"));
    let reader = Store::Dovecot(reader);
    assert_equal(&Judge::new().person("alice", source.side("alice"), reader.side("alice")));
    let Store::Dovecot(dovecot) = &reader else { unreachable!() };
    let Store::Dovecot(of_source) = &source else { unreachable!() };
    // Who follows which folder, and what Dovecot's own tool sees of each message.
    for arguments in [
        &["mailbox", "list", "-s", "-u", "alice"][..],
        &["fetch", "-u", "alice", "mailbox flags date.received size.virtual", "mailbox", "Projekte/2019", "all"],
        &["fetch", "-u", "alice", "mailbox flags date.received body", "mailbox", "R&D", "all"],
    ] {
        let lines = |said: String| {
            // In whatever order keywords and messages came.
            let words = |line: &str| {
                let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
                words.sort();
                words
            };
            let mut lines: Vec<Vec<String>> = said.lines().map(words).collect();
            lines.sort();
            lines
        };
        let (here, there) = (lines(of_source.doveadm(arguments)), lines(dovecot.doveadm(arguments)));
        assert!(!there.is_empty());
        assert_eq!(there, here, "{arguments:?}");
    }
    // Dovecot has moved and renamed what it likes by now: nothing is copied again.
    let (code, again) = project.json(&["sync"]);
    assert_eq!((code, &again["copied"]), (0, &0.into()), "{again:#}");
    assert_eq!(project.run(&["verify"]).code, 0);
}

#[test]
fn couriers_keywords_are_written_and_read() {
    let files = Store::maildir();
    let path = format!("{}/{{target}}", files.maildir_of("").display());
    let Some((source, project)) = copied_to_files(&path, "courier") else { return };
    let there = files.side("alice").with("keywords", "courier");
    assert_equal(&Judge::new().person("alice", source.side("alice"), there));
    assert!(!files.maildir_of("alice").join("dovecot-keywords").exists());
    assert_eq!(project.run(&["verify"]).code, 0);
    // And back to a server.
    let Some(target) = Store::dovecot(Format::Maildir, &["alice"]) else { return };
    let back = Project::new(files.endpoint().with("keywords = \"courier\""), target.endpoint()).person("alice");
    let (code, synced) = back.json(&["sync"]);
    assert_eq!((code, &synced["copied"]), (0, &60.into()), "{synced:#}");
    assert_equal(&Judge::new().person("alice", source.side("alice"), target.side("alice")));
}
