//! Forty people, some of whose mail is too much, too large, damaged or infected: each is told in its class and by its owner, the others
//! are moved, and what was cured goes on.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
};

use conformance::servers::{Clamd, Dovecot, Format, MALWARE};
use journeys::{
    mail::{Folder, Message, SMALL, numbered, small},
    project::Project,
    store::Store,
};
use serde_json::Value;

const GOOD: usize = 26;
const TROUBLED: [&str; 14] = [
    "full1",
    "full2",
    "over1",
    "over2",
    "exact1",
    "exact2",
    "below1",
    "below2",
    "large1",
    "large2",
    "corrupt1",
    "corrupt2",
    "infected1",
    "infected2",
];

fn one(number: usize, text: &str) -> Message {
    let mut message = numbered(number);
    message.bytes.extend_from_slice(text.as_bytes());
    message.bytes.extend_from_slice(b"\r\n");
    message
}

/// Their bytes on the source.
fn size(project: &Project, name: &str) -> u64 {
    let (_, found) = project.json(&["discover", "--mailbox", name]);
    found["mailboxes"][0]["bytes"].as_u64().unwrap()
}

fn rows(quotas: &BTreeMap<&str, u64>) -> String {
    let mut rows = "source,target,quota\n".to_owned();
    for number in 0..GOOD {
        let _ = writeln!(rows, "good{number},good{number},");
    }
    for name in TROUBLED {
        let quota = quotas.get(name).map_or_else(String::new, u64::to_string);
        let _ = writeln!(rows, "{name},{name},{quota}");
    }
    rows
}

fn mailbox<'r>(report: &'r Value, name: &str) -> &'r Value {
    let mailboxes = report["mailboxes"].as_array().unwrap();
    mailboxes.iter().find(|mailbox| mailbox["source"] == name).unwrap()
}

/// How many failed in each class, and in whose mailboxes.
fn failed(project: &Project) -> BTreeMap<String, Vec<String>> {
    let (_, report) = project.json(&["report", "failed"]);
    let mut classes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for item in report["items"].as_array().unwrap() {
        let class = item["cause"].as_str().unwrap().to_owned();
        classes.entry(class).or_default().push(item["mailbox"].as_str().unwrap().to_owned());
    }
    for class in report["classes"].as_array().unwrap() {
        assert_eq!(classes[class["cause"].as_str().unwrap()].len() as u64, class["items"], "{report:#}");
    }
    classes
}

/// Nobody may read the file of the newest message of the INBOX any more, not even the server.
fn damage(server: &Dovecot, name: &str) -> PathBuf {
    let files = fs::read_dir(server.maildir(name).join("cur")).unwrap().map(|entry| entry.unwrap().path());
    let file = files.max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
    file
}

#[test]
fn forty_people_with_all_kinds_of_trouble_are_moved_as_far_as_they_can_be_and_cured_one_by_one() {
    let Some(clamd) = Clamd::start(25) else { return };
    let good: Vec<String> = (0..GOOD).map(|number| format!("good{number}")).collect();
    let all: Vec<&str> = good.iter().map(String::as_str).chain(TROUBLED).collect();
    assert_eq!(all.len(), 40);
    let Some(source) = Store::dovecot(Format::Maildir, &all) else { return };
    // It does not tell its quota, and takes no large messages.
    let target = Dovecot::builder().format(Format::Sdbox).quota("*:storage=170K");
    let target = target.extra("plugin {\n  quota_max_mail_size = 80K\n}");
    let target = target.capability("IMAP4rev1 UIDPLUS MULTIAPPEND LITERAL+ NAMESPACE");
    let Some(target) = Store::dovecot_with(target, &all) else { return };
    let inbox = |messages: Vec<Message>| [Folder { path: vec!["INBOX".to_owned()], messages }];
    for name in &all {
        source.fill(name, &small(name));
        match name.trim_end_matches(char::is_numeric) {
            "full" => source.fill(name, &inbox((10..20).map(|number| one(number, &"x".repeat(20_000))).collect())),
            "large" => source.fill(name, &inbox(vec![one(10, &"x".repeat(90_000))])),
            "infected" => source.fill(name, &inbox(vec![one(10, MALWARE)])),
            "corrupt" => source.fill(name, &inbox(vec![one(10, &"soon damaged ".repeat(100))])),
            _ => continue,
        };
    }
    let line = format!("people_at_once = 4\nmalware = {{ clamd = {:?} }}", clamd.address());
    let project = Project::new(source.endpoint(), target.endpoint()).with(&line).people(&rows(&BTreeMap::new()));
    let mut quotas = BTreeMap::from([("over1", 100), ("over2", 100)]);
    for (name, more) in [("exact1", 0), ("exact2", 0), ("below1", 1), ("below2", 1)] {
        quotas.insert(name, size(&project, name) + more);
    }
    let project = project.people(&rows(&quotas));
    let Store::Dovecot(server) = &source else { unreachable!() };
    let damaged = ["corrupt1", "corrupt2"].map(|name| damage(server, name));

    let (code, synced) = project.json(&["sync"]);
    assert_eq!(code, 1, "{synced:#}");
    for name in ["over1", "over2", "exact1", "exact2"] {
        let result = mailbox(&synced, name);
        assert_eq!((&result["cause"], &result["copied"]), (&"over-quota".into(), &0.into()), "{result:#}");
        assert_eq!((&result["phase"], &result["side"]), (&"planned".into(), &"target".into()), "{result:#}");
    }
    for name in ["full1", "full2"] {
        let result = mailbox(&synced, name);
        assert_eq!((&result["cause"], &result["phase"]), (&"over-quota".into(), &"copying".into()), "{result:#}");
    }
    for name in good.iter().map(String::as_str).chain(["below1", "below2"]) {
        let result = mailbox(&synced, name);
        assert_eq!((&result["phase"], &result["copied"]), (&"in-step".into(), &SMALL.into()), "{result:#}");
    }
    for name in ["large1", "large2", "corrupt1", "corrupt2", "infected1", "infected2"] {
        let result = mailbox(&synced, name);
        assert_eq!((&result["copied"], &result["failed"]), (&SMALL.into(), &1.into()), "{result:#}");
    }
    let both = |name: &str| vec![format!("{name}1"), format!("{name}2")];
    let class = |class: &str, name: &str| (class.to_owned(), both(name));
    let [large, corrupt, infected] =
        [class("too-large", "large"), class("unreadable", "corrupt"), class("infected", "infected")];
    assert_eq!(failed(&project), BTreeMap::from([large.clone(), corrupt, infected.clone()]));
    let (_, status) = project.json(&["status"]);
    assert_eq!(status["unaccounted"], 0, "{status:#}");

    // What was damaged is whole again: a retry clears exactly those.
    for file in damaged {
        fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
    }
    let (code, said) = project.json(&["failed", "retry", "--cause", "unreadable"]);
    assert_eq!((code, &said["said_of"]), (0, &2.into()), "{said:#}");
    let (_, synced) = project.json(&["sync"]);
    assert_eq!(synced["copied"].as_u64().unwrap() - copied_by_full(&synced), 2, "{synced:#}");
    assert_eq!(failed(&project), BTreeMap::from([large.clone(), infected]));

    // A larger quota, a clean-up at the source, and each goes on by itself.
    for name in ["over1", "over2", "exact1", "exact2"] {
        quotas.insert(name, size(&project, name) + 1);
    }
    let project = project.people(&rows(&quotas));
    for name in ["full1", "full2"] {
        let mut talk = source.talk(name);
        talk.ok("SELECT INBOX");
        talk.ok("STORE 4:8 +FLAGS (\\Deleted)");
        talk.ok("EXPUNGE");
    }
    for name in ["infected1", "infected2"] {
        let mut talk = source.talk(name);
        talk.ok("SELECT INBOX");
        talk.ok("STORE * +FLAGS (\\Deleted)");
        talk.ok("EXPUNGE");
    }
    let (_, synced) = project.json(&["sync"]);
    assert_eq!(failed(&project), BTreeMap::from([large]), "{synced:#}");
    let accept = ["failed", "accept", "--cause", "too-large", "--by", "Kim Hughes", "--reason", "saved as files"];
    assert_eq!(project.run(&accept).code, 0);
    let (code, synced) = project.json(&["sync"]);
    assert_eq!(code, 0, "{synced:#}");
    for name in &all {
        assert_eq!(mailbox(&synced, name)["phase"], "in-step", "{synced:#}");
    }
    let (code, verified) = project.json(&["verify"]);
    assert_eq!((code, &verified["all"]["unexplained"]), (0, &0.into()), "{}", verified["sentence"]);
    assert_eq!(verified["all"]["accepted"]["too-large"], 2, "{verified:#}");
    let (_, overall) = project.json(&["report", "overall"]);
    assert_eq!((&overall["all"]["unaccounted"], &overall["all"]["failed"]), (&0.into(), &2.into()), "{overall:#}");
}

/// What those whose target is full got.
fn copied_by_full(synced: &Value) -> u64 {
    ["full1", "full2"].iter().map(|name| mailbox(synced, name)["copied"].as_u64().unwrap()).sum()
}

#[test]
fn a_message_that_the_server_breaks_off_at_holds_up_nothing_else() {
    let Some(source) = Store::dovecot(Format::Maildir, &["ann"]) else { return };
    let target = Store::maildir();
    source.fill("ann", &small("ann"));
    source.fill(
        "ann",
        &[Folder { path: vec!["INBOX".to_owned()], messages: vec![one(10, &"soon damaged ".repeat(100))] }],
    );
    let Store::Dovecot(server) = &source else { unreachable!() };
    damage(server, "ann");
    let project = Project::new(source.endpoint(), target.endpoint()).row(&format!("ann,{}", target.name("ann")));
    let run = project.run(&["-v", "sync"]);
    println!("{run:?}");
    let (_, status) = project.json(&["status"]);
    assert_eq!((&status["all"]["copied"], &status["all"]["failed"]), (&SMALL.into(), &1.into()), "{status:#}");
}
