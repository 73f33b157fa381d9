//! Quotas and predictions on real servers: what does not fit does not start, what is full in the middle goes on after a cure, and
//! what was predicted of each item comes true.

use conformance::{
    imap_server::{ImapServer, Offer, Offers},
    servers::{Cyrus, Dovecot, Format},
};
use journeys::{
    mail::{Folder, Message, every_message, numbered, small, spread},
    project::{Endpoint, Project},
    store::{Store, assert_same_state},
};
use serde_json::Value;

/// A message of exactly so many bytes.
fn of_bytes(number: usize, size_bytes: usize) -> Message {
    let mut message = numbered(number);
    let line = "0123456789abcdef0123456789abcdef0123456789abcdef\r\n";
    while message.bytes.len() + line.len() + 2 <= size_bytes {
        message.bytes.extend_from_slice(line.as_bytes());
    }
    let rest = size_bytes - message.bytes.len() - 2;
    message.bytes.extend(std::iter::repeat_n(b'x', rest));
    message.bytes.extend_from_slice(b"\r\n");
    message
}

fn folder(name: &str, messages: Vec<Message>) -> Folder {
    Folder { path: vec![name.to_owned()], messages }
}

/// Ten messages of 20,000 bytes.
fn ten() -> Vec<Folder> {
    let message = |number| of_bytes(number, 20_000);
    vec![folder("INBOX", (0..5).map(message).collect()), folder("Sent", (5..10).map(message).collect())]
}

fn refused(synced: &Value) -> String {
    let result = &synced["mailboxes"][0];
    assert_eq!((&result["cause"], &result["side"]), (&"over-quota".into(), &"target".into()), "{synced:#}");
    assert_eq!(result["condition"], "parked", "{synced:#}");
    result["reason"].as_str().unwrap().to_owned()
}

#[test]
fn exactly_at_the_quota_nothing_starts_and_one_byte_less_is_copied() {
    let Some(source) = Store::dovecot(Format::Maildir, &["alice"]) else { return };
    source.fill("alice", &ten());
    for target in [Store::dovecot(Format::Sdbox, &["alice"]), Store::cyrus(&["alice"]), Some(Store::maildir())] {
        let Some(target) = target else { continue };
        // What lies there counts.
        target.fill("alice", &[folder("INBOX", vec![of_bytes(77, 3_000)])]);
        let before = target.state("alice");
        let row = format!("{},{}", source.name("alice"), target.name("alice"));
        let project = Project::new(source.endpoint(), target.endpoint()).row(&row);
        let exact = project.with("policy.quota_bytes = 203000");
        let (code, predicted) = exact.json(&["preflight"]);
        assert_eq!((code, &predicted["people"][0]["quota"]["fits"]), (1, &false.into()), "{predicted:#}");
        assert_eq!(predicted["people"][0]["quota"]["then"], 203_000, "{predicted:#}");
        let (code, synced) = exact.json(&["sync"]);
        let reason = refused(&synced);
        assert!(code == 1 && reason.contains("203,000 bytes") && reason.contains("nothing was copied"), "{reason}");
        assert_same_state(&target.state("alice"), &before);
        let (_, status) = exact.json(&["status"]);
        assert_eq!(status["mailboxes"][0]["phase"], "planned", "it did not start: {status:#}");
        // One byte less than the quota: the same mailbox, and one byte more of quota.
        let project = exact.without("policy.quota_bytes = 203000").with("policy.quota_bytes = 203001");
        let (code, synced) = project.json(&["sync"]);
        assert_eq!((code, &synced["copied"]), (0, &10.into()), "{synced:#}");
        let (code, verified) = project.json(&["verify"]);
        assert_eq!(code, 0, "{verified:#}");
        let (_, score) = project.json(&["preflight", "--score"]);
        assert_eq!(score["items"]["predicted"], score["items"]["actual"], "{score:#}");
    }
}

#[test]
fn a_quota_in_the_list_of_people_takes_the_place_of_the_policys() {
    let source = Store::maildir();
    let target = Store::maildir();
    for name in ["ann", "bob", "cyd"] {
        source.fill(name, &ten());
    }
    let people = "source,target,quota\nann,ann,\nbob,bob,200001\ncyd,cyd,200000\n";
    let project = Project::new(source.endpoint(), target.endpoint()).people(people);
    let project = project.with("policy.quota_bytes = 1000");
    let (code, synced) = project.json(&["sync"]);
    let copied: Vec<u64> =
        synced["mailboxes"].as_array().unwrap().iter().map(|m| m["copied"].as_u64().unwrap()).collect();
    assert_eq!((code, copied), (1, vec![0, 10, 0]), "{synced:#}");
    assert_eq!(synced["mailboxes"][1]["phase"], "in-step");
    let reason = |number: usize| synced["mailboxes"][number]["reason"].as_str().unwrap().to_owned();
    assert!(reason(0).contains("policy.quota_bytes") && reason(2).contains("people.csv"), "{synced:#}");
    let (_, overall) = project.json(&["report", "overall"]);
    assert!(overall["people"][0]["reason"].as_str().unwrap().contains("must stay below 1,000 bytes"), "{overall:#}");
}

#[test]
fn the_targets_own_quota_is_asked_before_anything_is_written() {
    let Some(source) = Store::dovecot(Format::Maildir, &["alice"]) else { return };
    source.fill("alice", &ten());
    let dovecot = |rule: &str| Store::dovecot_with(Dovecot::builder().format(Format::Sdbox).quota(rule), &["alice"]);
    let cyrus = Store::cyrus_with(Cyrus::builder().quota_kib(150), &["alice"]);
    for target in [dovecot("*:storage=150K"), dovecot("*:messages=9"), cyrus] {
        let Some(target) = target else { continue };
        let before = target.state("alice");
        let row = format!("{},{}", source.name("alice"), target.name("alice"));
        let project = Project::new(source.endpoint(), target.endpoint()).row(&row);
        let (code, synced) = project.json(&["sync"]);
        let reason = refused(&synced);
        assert!(code == 1 && reason.contains("the target's own quota"), "{reason}");
        assert_same_state(&target.state("alice"), &before);
        // The person cleans up at the source, and it goes on by itself.
        let mut talk = source.talk("alice");
        for name in ["INBOX", "Sent"] {
            talk.ok(&format!("SELECT {name}"));
            talk.ok("STORE 1:2 +FLAGS (\\Deleted)");
            talk.ok("EXPUNGE");
        }
        let (code, synced) = project.json(&["sync"]);
        assert_eq!((code, &synced["copied"]), (0, &6.into()), "{synced:#}");
        for name in ["INBOX", "Sent"] {
            for number in 0..2 {
                let message = of_bytes(number, 20_000);
                assert!(talk.append(name, "", &message.bytes).is_ok());
            }
        }
    }
}

#[test]
fn a_server_that_is_full_in_the_middle_goes_on_once_there_is_room_and_nothing_is_doubled() {
    let Some(source) = Store::dovecot(Format::Maildir, &["alice"]) else { return };
    // It does not say how much there may be.
    let builder = Dovecot::builder().format(Format::Mdbox).quota("*:storage=170K");
    let builder = builder.capability("IMAP4rev1 UIDPLUS MULTIAPPEND LITERAL+ NAMESPACE");
    let Some(target) = Store::dovecot_with(builder, &["alice"]) else { return };
    source.fill("alice", &ten()[..1]);
    let project = Project::new(source.endpoint(), target.endpoint()).person("alice");
    let (code, synced) = project.json(&["sync"]);
    assert_eq!((code, &synced["copied"]), (0, &5.into()), "{synced:#}");
    source.fill("alice", &ten()[1..]);
    let (code, synced) = project.json(&["sync"]);
    let reason = refused(&synced);
    assert!(code == 1 && !reason.is_empty(), "{reason}");
    let (_, status) = project.json(&["status"]);
    assert_eq!(status["unaccounted"], 0, "{status:#}");
    // Room is made by a clean-up at the source: what it removed goes from the target first.
    let mut talk = source.talk("alice");
    talk.ok("SELECT INBOX");
    talk.ok("STORE 1:3 +FLAGS (\\Deleted)");
    talk.ok("EXPUNGE");
    let (code, synced) = project.json(&["sync"]);
    assert_eq!((code, &synced["mailboxes"][0]["phase"]), (0, &"in-step".into()), "{synced:#}");
    let (code, verified) = project.json(&["verify"]);
    assert_eq!((code, &verified["all"]["on_target"]), (0, &7.into()), "{verified:#}");
    assert_eq!(verified["all"]["others_on_target"], 0, "nothing is there twice: {verified:#}");
}

/// The same on a server in memory, with a quota that it tells and with one that it does not, in bytes and in messages.
#[test]
fn a_quota_that_is_raised_lets_the_mailbox_go_on_where_it_stood() {
    for (is_told, offers, quota) in [
        (true, Offers::everything(), (Some(180 * 1024), None)),
        (true, Offers::everything(), (None, Some(9))),
        (false, Offers::everything().without(&[Offer::Quota]), (Some(180 * 1024), None)),
        (false, Offers::bare(), (Some(180 * 1024), None)),
        (false, Offers::bare().with(&[Offer::UidPlus]), (None, Some(9))),
    ] {
        let (source, target) = (Store::maildir(), Store::memory(ImapServer::builder().offers(offers), &["alice"]));
        source.fill("alice", &ten());
        let Store::Memory(server) = &target else { unreachable!() };
        server.person("alice").set_quota(quota.0, quota.1);
        let project = Project::new(source.endpoint(), target.endpoint()).person("alice");
        for _ in 0..2 {
            let (code, synced) = project.json(&["sync"]);
            assert_eq!((code, refused(&synced).is_empty()), (1, false), "{synced:#}");
            let copied = synced["copied"].as_u64().unwrap();
            assert!(!is_told || copied == 0, "nothing was begun: {synced:#}");
        }
        server.person("alice").set_quota(Some(196 * 1024), Some(10));
        let (code, synced) = project.json(&["sync"]);
        assert_eq!((code, &synced["mailboxes"][0]["phase"]), (0, &"in-step".into()), "{synced:#}");
        let (code, verified) = project.json(&["verify"]);
        assert_eq!((code, &verified["all"]["on_target"]), (0, &10.into()), "{verified:#}");
        assert_eq!(verified["all"]["others_on_target"], 0, "nothing is there twice: {verified:#}");
        assert_eq!(server.violations(), Vec::<String>::new());
    }
}

/// Each item that `preflight --read` expects not to travel as it is does not, and no other; and both sides are as they were.
#[test]
fn what_is_predicted_of_the_corpus_comes_true_item_by_item() {
    let Some(source) = Store::dovecot(Format::Maildir, &["alice"]) else { return };
    let Some(target) = Store::dovecot(Format::Sdbox, &["alice"]) else { return };
    let mut messages = every_message();
    for (number, name) in ["run.exe", "invoice.pdf.scr", "letter.pdf"].into_iter().enumerate() {
        let text = format!(
            "From: a@example.test\r\nMessage-ID: <p{number}@example.test>\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/mixed; boundary=edge\r\n\r\n--edge\r\n\r\ntext\r\n--edge\r\n\
             Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\nTVqQAAMAAAAE\r\n--edge--\r\n"
        );
        messages.push(text.into_bytes());
    }
    let filled = source.fill("alice", &spread(messages));
    let before = (source.state("alice"), target.state("alice"));
    let project = Project::new(source.endpoint(), target.endpoint()).person("alice").with("profile = \"nhsmail\"");
    let project = project.with("policy.item_bytes_max = 50000");
    let (_, listed) = project.json(&["preflight"]);
    let verdict = |report: &Value, check: &str| {
        let checks = report["checks"].as_array().unwrap().clone();
        checks.iter().find(|line| line["check"] == check).unwrap()["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!(verdict(&listed, "attachments"), "unknown", "{:#}", listed["checks"]);
    assert_eq!(verdict(&listed, "item-size"), "fail", "{:#}", listed["checks"]);
    let (code, mut predicted) = project.json(&["preflight", "--read"]);
    let (_, mut again) = project.json(&["preflight", "--read"]);
    assert_eq!(code, 1, "{:#}", predicted["checks"]);
    assert_eq!(verdict(&predicted, "attachments"), "fail");
    assert_eq!(predicted["all"]["source"]["items"].as_u64(), Some(filled.messages as u64));
    assert_same_state(&source.state("alice"), &before.0);
    assert_same_state(&target.state("alice"), &before.1);
    // The same each time, apart from the times.
    for report in [&mut predicted, &mut again] {
        report.as_object_mut().unwrap().retain(|key, _| key != "at" && key != "time");
        report["people"][0].as_object_mut().unwrap().remove("time");
    }
    assert_eq!(predicted.to_string(), again.to_string());

    let (_, synced) = project.json(&["sync"]);
    let (_, score) = project.json(&["preflight", "--score"]);
    println!("{}\n{:#}", project.run(&["preflight", "--score"]).out, score["rules"]);
    let refusals = &score["refusals"];
    assert!(refusals["predicted"].as_u64().unwrap() > 5, "{score:#}");
    assert_eq!(refusals["predicted"], refusals["both"], "each came true: {score:#}");
    assert_eq!(refusals["actual"], refusals["both"], "and no other: {score:#}");
    for what in ["items", "bytes"] {
        assert_eq!(score[what]["predicted"], score[what]["actual"], "{what}: {score:#}");
    }
    let travels = synced["copied"].as_u64().unwrap() + synced["adopted"].as_u64().unwrap();
    assert_eq!(score["items"]["actual"].as_u64(), Some(travels));
}

#[test]
fn an_inventory_and_a_prediction_can_be_had_in_every_form() {
    let source = Store::maildir();
    let target = Store::maildir();
    source.fill("ann", &small("ann"));
    source.fill("bob", &ten());
    let project = Project::new(source.endpoint(), target.endpoint()).person("ann").person("bob");
    let project = project.with("policy.item_bytes_max = 19999");
    let (code, found) = project.json(&["discover"]);
    assert_eq!(
        (code, &found["mailboxes"][1]["bytes"], &found["mailboxes"][1]["largest"]),
        (0, &200_000.into(), &20_000.into())
    );
    let csv = project.run(&["discover", "--folders", "--format", "csv"]).out;
    assert!(csv.lines().any(|line| line.starts_with("\"bob\",\"Sent\",\"\",5,100000,20000,")), "{csv}");
    for arguments in [&["discover"][..], &["preflight"], &["preflight", "--read"], &["preflight", "--score"]] {
        for format in ["text", "csv", "html", "xlsx", "json"] {
            let file = project.path().join(format!("{}.{format}", arguments.join("")));
            let to = file.display().to_string();
            let run = project.run(&[arguments, &["--format", format, "--to", &to]].concat());
            assert!(run.code < 2, "{run:?}");
            assert!(std::fs::metadata(&file).unwrap().len() > 100, "{to}");
        }
    }
    let text = project.run(&["preflight"]).out;
    assert!(text.contains("item-size: NOT so in 1 mailbox with 10 items"), "{text}");
    assert!(!text.contains("Subject"), "{text}");
    // Where nothing was copied there is nothing to compare yet.
    let score = project.run(&["preflight", "--score"]).out;
    assert!(score.contains("there is nothing to compare"), "{score}");
    project.run(&["sync"]);
    let score = project.run(&["preflight", "--score"]).out;
    assert!(score.contains("10 of 10 items that were predicted to stay or to change did (100 %)"), "{score}");
    // Somebody who can't be reached is a failed check, and keeps nobody else.
    let project = Project::new(Endpoint::maildir("/dev/null/{source}"), target.endpoint()).person("ann");
    let (code, predicted) = project.json(&["preflight"]);
    assert_eq!((code, &predicted["checks"][0]["verdict"]), (1, &"fail".into()), "{predicted:#}");
}
