//! From files to files: killed anywhere, and followed while mail comes, goes and is read. Beside Dovecot's own files, no
//! server is needed.

use std::time::Duration;

use conformance::{servers::Format, whole};
use journeys::{
    judge::Judge,
    mail::{Folder, Message, every_message, imap_name, spread},
    project::{Endpoint, Project},
    store::{Store, assert_same_state},
};
use rehearsal::Chance;

fn project(source: &Store, target: &Store) -> Project {
    Project::new(source.endpoint(), target.endpoint()).person("alice")
}

fn assert_equal(source: &Store, target: &Store) {
    let judge = Judge::new().person("alice", source.side("alice"), target.side("alice"));
    let verdict = judge.compare().expect("Python is here");
    assert!(verdict.is_equal(), "{verdict:?}");
    println!("{}", verdict.sentence());
}

/// The program itself, killed at moments that nobody chose, until it has once come to an end: every item is there once.
#[test]
fn killed_again_and_again_from_mbox_to_eml() {
    let mut chance = Chance::new(20_261_125);
    let (mut kills, mut moved) = (0, 0);
    for _ in 0..whole::amount(1, 2) {
        let (source, target) = (Store::mbox(), Store::eml());
        source.fill("alice", &spread(every_message()));
        let before = source.state("alice");
        let project = project(&source, &target);
        let mut wait = 20;
        loop {
            let mut child = project.command(&["sync"]).stdout(std::process::Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(wait + chance.below(30)));
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success());
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            wait += 10;
        }
        let copied = target.state("alice");
        assert_eq!(project.run(&["sync"]).code, 0);
        assert_same_state(&target.state("alice"), &copied);
        let (code, verified) = project.json(&["verify"]);
        assert_eq!((code, &verified["all"]["unexplained"]), (0, &0.into()), "{verified:#}");
        moved += verified["all"]["on_target"].as_u64().unwrap();
        assert_same_state(&source.state("alice"), &before);
        assert_equal(&source, &target);
    }
    println!("{kills} kills, {moved} items");
    assert!(kills > 10, "{kills}");
}

/// Mail that is delivered, removed, read and moved in mbox files is followed on every kind of target.
#[test]
fn mbox_files_are_followed() {
    let message = |number: i64, flags: &[&'static str]| Message {
        bytes: format!("Message-ID: <{number}@x>\r\nSubject: {number}\r\n\r\n>From {number}\r\n").into_bytes(),
        flags: flags.to_vec(),
        received: 1_000_000_000 + number,
    };
    let folder = |name: &str, messages: Vec<Message>| Folder { path: vec![name.to_owned()], messages };
    for target in [Store::eml(), Store::maildir()] {
        let source = Store::mbox();
        let project = project(&source, &target);
        let inbox = |range: std::ops::Range<i64>| range.map(|number| message(number, &[])).collect::<Vec<_>>();
        source.fill("alice", &[folder("Inbox", inbox(0..100)), folder("Old", inbox(500..510))]);
        assert_eq!(project.run(&["sync"]).code, 0);
        assert_equal(&source, &target);
        // Ten are moved, with the dates they have; ten removed; ten read; one old and two new ones come, equal ones.
        let mut now = inbox(20..100);
        now[..10].iter_mut().for_each(|message| message.flags = vec!["\\Seen", "Work"]);
        now.extend([message(-5, &[]), message(200, &[]), message(200, &[])]);
        let mut old = inbox(500..510);
        old.extend(inbox(0..10));
        source.fill("alice", &[folder("Inbox", now), folder("Old", old)]);
        let (code, synced) = project.json(&["sync"]);
        // Neither target moves, so what moved is copied and removed.
        assert_eq!((code, &synced["copied"], &synced["removed"]), (0, &13.into(), &20.into()), "{synced:#}");
        assert_equal(&source, &target);
        let copied = target.state("alice");
        assert_eq!(project.run(&["sync"]).code, 0);
        assert_same_state(&target.state("alice"), &copied);
    }
}

/// Dovecot's own mbox files, read beside Dovecot: what it notes in them is what it says over IMAP.
#[test]
fn dovecot_s_mbox_files_are_read_as_dovecot_reads_them() {
    let (Some(source), target) = (Store::dovecot(Format::Mbox, &["alice"]), Store::eml()) else { return };
    let Store::Dovecot(dovecot) = &source else { unreachable!("it was just made") };
    // Dovecot writes every CRLF as LF and reads every LF as CRLF, so what was mixed comes out of it as something else.
    let is_wire = |bytes: &Vec<u8>| {
        !bytes.starts_with(b"\n") && bytes.windows(2).all(|two| (two[0] == b'\r') == (two[1] == b'\n'))
    };
    let messages = spread(every_message().into_iter().filter(is_wire).take(500).collect());
    // Only where no folder is above another: here such a one has no messages.
    let apart = ["INBOX", "Sent", "Entwürfe", "日本語", "R&D", "&amp;", "100% done"];
    let mailbox: Vec<Folder> = messages.into_iter().filter(|folder| apart.contains(&folder.path[0].as_str())).collect();
    let filled = source.fill("alice", &mailbox);
    assert!(filled.messages > 80, "{filled:?}");
    // Flags are written to the files once a folder is left.
    let mut talk = source.talk("alice");
    for folder in &mailbox {
        talk.ok(&format!("SELECT \"{}\"", imap_name(&folder.path)));
        talk.ok("STORE 1 +FLAGS (\\Flagged Later)");
        talk.ok("CHECK");
    }
    talk.ok("LOGOUT");
    let endpoint = Endpoint::files("mbox", &format!("{}/mbox", dovecot.home("{source}").display()));
    let project = Project::new(endpoint, target.endpoint()).person("alice");
    let (code, synced) = project.json(&["sync"]);
    assert_eq!((code, &synced["copied"]), (0, &filled.messages.into()), "{synced:#}");
    assert_equal(&source, &target);
}

/// A file that is no mbox keeps its folder, and nothing else, from being copied, and is named.
#[test]
fn a_damaged_file_is_named() {
    let (source, target) = (Store::mbox(), Store::eml());
    let project = project(&source, &target);
    source.fill("alice", &spread(vec![b"A: 1\r\n\r\nb\r\n".to_vec(); 50]));
    std::fs::write(source.maildir_of("alice").join("Sent"), "\0\0\0\0 what was left of it").unwrap();
    let (code, synced) = project.json(&["sync"]);
    assert_eq!(code, 1, "{synced:#}");
    assert!(synced.to_string().contains("Sent"), "{synced:#}");
    assert_eq!(project.run(&["check"]).code, 1);
    let endpoint = Endpoint::files("mbox", &format!("{}/../{{source}}", source.maildir_of("alice").display()));
    let without = Project::new(endpoint.with("leave_out = [\"Sent\"]"), target.endpoint()).person("alice");
    assert_eq!(without.run(&["sync"]).code, 0);
}
