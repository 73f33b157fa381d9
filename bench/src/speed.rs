//! A first copy of one mailbox between two Dovecots on this machine: Whimbrel beside mbsync and interimap, in turns.
//!
//! ```text
//! cargo build --release -p whimbrel -p bench && target/release/speed [ROUNDS] [MESSAGES]
//! ```
//!
//! Each round every tool copies the same mailbox to a server of its own that was just started. The tools take turns, in
//! another order each round, so that neither a cold cache nor a busy minute is always the same one's. Before the first round
//! the source is read once, so that its indexes are there for all. The time is the whole program's, from start to end.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement that goes wrong ends; what it gives goes to standard output"
)]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use conformance::servers::{Dovecot, Format};
use journeys::{
    judge::{Judge, Side},
    mail::{Folder, Message, fill_maildir},
    project::{Endpoint, Project},
};
use rehearsal::{Chance, Trait};

const PASSWORD: &str = "of-everybody";
const FOLDERS: usize = 20;
/// Half of all messages are smaller than this; few are much larger, so that the mean is about 32 KiB.
const MEDIAN_BYTES: u64 = 14_000;
const LARGEST_BYTES: u64 = 2_000_000;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|word| word.parse().expect("numbers: ROUNDS MESSAGES"));
    let (rounds, messages) = (arguments.next().unwrap_or(3), arguments.next().unwrap_or(10_000));
    let source = server();
    let mailbox = mailbox(messages);
    let bytes: usize = mailbox.iter().flat_map(|folder| &folder.messages).map(|message| message.bytes.len()).sum();
    let maildir = source.maildir("alice");
    fill_maildir(&maildir, &mailbox);
    source.give_to_mail_user(&maildir);
    drop(mailbox);
    source.doveadm(&["fetch", "-u", "alice", "hdr.subject size.virtual", "all"]);
    println!("{messages} messages in {FOLDERS} folders, {} MB", bytes / 1_000_000);

    let mut tools: [(&str, Copy, Vec<Duration>); 3] =
        [("whimbrel", whimbrel, Vec::new()), ("mbsync", mbsync, Vec::new()), ("interimap", interimap, Vec::new())];
    for round in 0..rounds {
        let count = tools.len();
        for place in 0..count {
            let (name, copy, times) = &mut tools[(place + round) % count];
            let target = server();
            let took = copy(source.port(), target.port());
            let judge = Judge::new().person("alice", side(&source), side(&target));
            // The others lose what they lose; what we claim to have copied must be there.
            let verdict = judge.compare().expect("Python is here");
            let sentence = verdict.sentence();
            println!("{name:>10} {:7.2} s   {sentence}", took.as_secs_f64());
            assert!(*name != "whimbrel" || verdict.is_equal(), "{verdict:?}");
            times.push(took);
        }
    }
    println!("\nmedian of {rounds}:");
    for (name, _, mut times) in tools {
        times.sort();
        let median = times[times.len() / 2].as_secs_f64();
        println!(
            "{name:>10} {median:7.2} s   {:6.0} messages/s   {:5.1} MB/s",
            messages as f64 / median,
            bytes as f64 / 1e6 / median
        );
    }
}

/// Copies alice's mailbox from one port to the other, and tells how long that took.
type Copy = fn(u16, u16) -> Duration;

fn server() -> Dovecot {
    let dovecot = Dovecot::builder().format(Format::Maildir).user("alice", PASSWORD).start();
    dovecot.expect("dovecot-imapd is installed")
}

fn side(dovecot: &Dovecot) -> Side {
    Side::imap(dovecot.port(), "alice", PASSWORD)
}

fn mailbox(messages: usize) -> Vec<Folder> {
    let mut chance = Chance::new(7);
    let named = |place: usize| if place == 0 { "INBOX".to_owned() } else { format!("Folder {place}") };
    let mut folders: Vec<Folder> =
        (0..FOLDERS).map(|place| Folder { path: vec![named(place)], messages: Vec::new() }).collect();
    for number in 0..messages {
        let size = chance.size(MEDIAN_BYTES, LARGEST_BYTES) as usize;
        let kind = if size > 8_000 { Trait::Attachment } else { Trait::Plain };
        let bytes = rehearsal::message(&mut chance, kind, size);
        // Half of all mail is in the inbox, as with people who don't file.
        let place = if chance.in_thousand(500) { 0 } else { chance.below(FOLDERS as u64) as usize };
        let flags = if chance.in_thousand(800) { vec!["\\Seen"] } else { Vec::new() };
        folders[place].messages.push(Message { bytes, flags, received: 1_500_000_000 + number as i64 * 60 });
    }
    folders
}

fn timed(command: &mut Command) -> Duration {
    let began = Instant::now();
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let took = began.elapsed();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    took
}

fn whimbrel(source: u16, target: u16) -> Duration {
    let project = Project::new(Endpoint::imap(source), Endpoint::imap(target))
        .people(&format!("source,target,source_password,target_password\nalice,alice,{PASSWORD},{PASSWORD}\n"));
    timed(&mut project.command(&["sync"]))
}

fn mbsync(source: u16, target: u16) -> Duration {
    let folder = tempfile::tempdir().expect("the temporary folder can be written to");
    let store = |name: &str, port: u16| {
        format!(
            "IMAPAccount {name}\nHost 127.0.0.1\nPort {port}\nUser alice\nPass {PASSWORD}\nSSLType None\n\
             AuthMechs LOGIN\nPipelineDepth 100\n\nIMAPStore {name}\nAccount {name}\n\n"
        )
    };
    let text = format!(
        "{}{}Channel all\nFar :source:\nNear :target:\nPatterns *\nCreate Near\nSync Pull\nCopyArrivalDate yes\n\
         SyncState {}/\n",
        store("source", source),
        store("target", target),
        folder.path().display()
    );
    timed(Command::new("mbsync").arg("--quiet").arg("--config").arg(written(folder.path(), &text)).arg("--all"))
}

fn interimap(source: u16, target: u16) -> Duration {
    let folder = tempfile::tempdir().expect("the temporary folder can be written to");
    let side = |name: &str, port: u16| {
        format!(
            "[{name}]\ntype = imap\nhost = 127.0.0.1\nport = {port}\nSTARTTLS = NO\nusername = alice\n\
             password = {PASSWORD}\ncompress = NO\n\n"
        )
    };
    let text = format!(
        "database = {}/interimap.db\n\n{}{}",
        folder.path().display(),
        side("local", target),
        side("remote", source)
    );
    timed(Command::new("interimap").arg("--quiet").arg("--config").arg(written(folder.path(), &text)))
}

fn written(folder: &Path, text: &str) -> std::path::PathBuf {
    let file = folder.join("config");
    fs::write(&file, text).expect("the temporary folder can be written to");
    file
}
