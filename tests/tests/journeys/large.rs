//! The sizes that break tools which keep things whole in memory, each under a limit of 256 MiB that the kernel enforces
//! a message of 700 MB, 25,000 messages in a folder, 2,000 folders; as a whole (`WHIMBREL_WHOLE`) 2 GB, 100,000 and 10,000.

use std::{
    fs,
    io::{BufWriter, Write},
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use conformance::{
    servers::{Dovecot, Format},
    whole,
};
use journeys::{
    judge::Judge,
    project::{Project, Run, program},
    store::{Store, assert_same_state},
};

const MEMORY_BYTES_MAX: u64 = 256 << 20;

/// Runs the program with so much memory and no more.
fn run_within(project: &Project, arguments: &[&str]) -> Run {
    let mut command = Command::new("prlimit");
    command.arg(format!("--data={MEMORY_BYTES_MAX}")).arg(program());
    command.arg("--project").arg(project.path()).args(arguments);
    Run::of(&mut command)
}

/// Copies alice's mailbox, again, and looks at it, all within the limit.
fn copy_within(source: &Store, target: &Store, items: u64, folders: u64) {
    let project = Project::new(source.endpoint(), target.endpoint()).person("alice");
    let run = run_within(&project, &["sync", "--json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let verified = run_within(&project, &["verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    let (_, status) = project.json(&["status"]);
    assert_eq!(status["all"]["copied"], items, "{:#}", status["all"]);
    assert_eq!(status["mailboxes"][0]["folders"].as_array().unwrap().len() as u64, folders);
    let verdict = Judge::new().person("alice", source.side("alice"), target.side("alice")).compare().unwrap();
    assert!(verdict.is_equal(), "{}", verdict.sentence());
    let copied = target.state("alice");
    let again = run_within(&project, &["sync"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_same_state(&target.state("alice"), &copied);
}

/// Makes the folders of a maildir folder.
fn make(folder: &Path) {
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
}

/// A Dovecot whose alice has what this writes into her maildir.
fn planted(plant: impl FnOnce(&Path)) -> Option<Store> {
    let source = Store::dovecot(Format::Maildir, &["alice"])?;
    let Store::Dovecot(dovecot) = &source else { unreachable!("it was just made") };
    let maildir = dovecot.maildir("alice");
    make(&maildir);
    plant(&maildir);
    dovecot.give_to_mail_user(&maildir);
    Some(source)
}

fn received_at(file: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
}

#[test]
fn a_very_large_message() {
    let size = whole::amount(700_000_000, 2_000_000_000) as usize;
    let source = planted(|maildir| {
        let file = maildir.join("cur/1500000000.M1P1.large:2,S");
        let mut writer = BufWriter::with_capacity(1 << 20, fs::File::create(&file).unwrap());
        writer.write_all(b"Message-ID: <large@example.test>\r\nSubject: scan\r\n\r\n").unwrap();
        let mut written = 0;
        while written < size {
            let line = format!("{written:076x}\r\n");
            writer.write_all(line.as_bytes()).unwrap();
            written += line.len();
        }
        writer.into_inner().unwrap();
        received_at(&file, 1_500_000_000);
    });
    let Some(source) = source else { return };
    let Some(target) = Store::dovecot(Format::Sdbox, &["alice"]) else { return };
    copy_within(&source, &target, 1, 1);
}

#[test]
fn a_very_large_folder() {
    let count = whole::amount(18_000, 100_000);
    let source = planted(|maildir| {
        for number in 0..count {
            let file = maildir.join(format!("cur/{}.M{number}P1.many:2,", 1_400_000_000 + number));
            let text = format!("Message-ID: <{number}@example.test>\nSubject: {number}\n\nbody {number}\n");
            fs::write(&file, text).unwrap();
            received_at(&file, 1_400_000_000 + number);
        }
    });
    let Some(source) = source else { return };
    let Some(target) = Store::dovecot(Format::Mdbox, &["alice"]) else { return };
    copy_within(&source, &target, count, 1);
}

#[test]
fn a_mailbox_of_very_many_folders() {
    let count = whole::amount(2_000, 10_000);
    let source = planted(|maildir| {
        // INBOX is one; a hundred have ninety-nine below them each, and every tenth holds a message.
        for number in 0..count - 1 {
            let (top, below) = (number / 100, number % 100);
            let name = if below == 0 { format!(".Top {top}") } else { format!(".Top {top}.Below {below}") };
            let folder = maildir.join(name);
            make(&folder);
            if number % 10 == 3 {
                let file = folder.join(format!("cur/{}.M1P1.folders:2,S", 1_400_000_000 + number));
                fs::write(&file, format!("Subject: {number}\n\nbody\n")).unwrap();
                received_at(&file, 1_400_000_000 + number);
            }
        }
    });
    let Some(source) = source else { return };
    // With the index of all folders that Dovecot keeps else, making the last takes it a tenth of a second.
    let target = Dovecot::builder().format(Format::Mdbox).extra("mailbox_list_index = no\n");
    let Some(target) = Store::dovecot_with(target, &["alice"]) else { return };
    copy_within(&source, &target, count / 10, count);
}
