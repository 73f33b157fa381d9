//! The rules of a platform on real mail between real stores: every message arrives, without what is banned, and each exclusion is
//! told by its rule (R-001, R-107, R-161, R-169).

use std::{fs, path::Path, process::Command};

use conformance::servers::{Clamd, Dovecot, Format, MALWARE};
use journeys::{
    mail::{Folder, Message, every_message, numbered, spread},
    project::Project,
    store::{Store, assert_same_state},
};
use serde_json::Value;

/// What an independent reader finds of these endings in all files below a folder: the names of attachments.
fn found_by_python(root: &Path, endings: &[&str]) -> Vec<String> {
    let script = r"
import email, email.policy, os, sys
endings = tuple('.' + ending for ending in sys.argv[2:])
for root, _, files in os.walk(sys.argv[1]):
    for name in files:
        if ',S=' not in name:
            continue
        with open(os.path.join(root, name), 'rb') as file:
            message = email.message_from_bytes(file.read(), policy=email.policy.compat32)
        for part in message.walk():
            try:
                name = str(part.get_filename() or '')
            except Exception:
                continue
            if name.lower().strip().endswith(endings):
                print(name)
";
    let output =
        Command::new("python3").arg("-c").arg(script).arg(root).args(endings).output().expect("Python is here");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// A message with an attachment of this name, or with none.
fn message(number: usize, attachment: Option<&str>) -> Vec<u8> {
    let head = format!(
        "From: a{number}@example.test\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\nMessage-ID: <p{number}@example.test>\r\n\
         Subject: {number}\r\nMIME-Version: 1.0\r\n"
    );
    match attachment {
        None => format!("{head}\r\nplain\r\n"),
        Some(name) => format!(
            "{head}Content-Type: multipart/mixed; boundary=edge\r\n\r\n--edge\r\n\r\ntext\r\n--edge\r\n\
             Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\nTVqQAAMAAAAE\r\n--edge--\r\n"
        ),
    }
    .into_bytes()
}

fn count(report: &Value, how: &str) -> u64 {
    let counts = report["counts"].as_array().unwrap().iter();
    counts.filter(|count| count["how"] == how).map(|count| count["items"].as_u64().unwrap()).sum()
}

fn every_message_and_some_banned() -> Vec<Folder> {
    let mut messages = every_message();
    for (number, name) in ["run.exe", "RUN.EXE ", "invoice.pdf.scr", "letter.pdf"].into_iter().enumerate() {
        messages.push(message(number, Some(name)));
    }
    messages.push(message(9, None));
    spread(messages)
}

#[test]
fn mail_arrives_without_what_the_platform_bans() {
    let Some(source) = Store::dovecot(Format::Maildir, &["alice"]) else { return };
    let target = Store::maildir();
    let filled = source.fill("alice", &every_message_and_some_banned());
    let before = source.state("alice");
    let row = format!("{},{}", source.name("alice"), target.name("alice"));
    let project = Project::new(source.endpoint(), target.endpoint()).row(&row).with("profile = \"nhsmail\"");
    let (_, synced) = project.json(&["sync"]);
    let (_, verified) = project.json(&["verify"]);
    println!("{filled:?}\n{}", verified["sentence"]);
    let all = filled.messages as u64;
    let failed = synced["failed"].as_u64().unwrap();
    let (left, replaced) = (synced["left_behind"].as_u64().unwrap(), synced["replaced"].as_u64().unwrap());
    assert!(replaced >= 3, "{synced:#}");
    assert_eq!(synced["copied"].as_u64().unwrap() + failed + left, all, "{synced:#}");
    assert_eq!((&verified["all"]["unexplained"], &verified["all"]["items"]), (&0.into(), &all.into()), "{verified:#}");
    assert_eq!(verified["all"]["differences"].as_array().unwrap().len(), 0, "{verified:#}");

    // What was made of which item is listed by its rule, and both agree.
    let (code, rules) = project.json(&["rules"]);
    assert_eq!((code, count(&rules, "replaced"), count(&rules, "left")), (0, replaced, left), "{}", rules["counts"]);
    let names: Vec<&str> = rules["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["how"] == "replaced")
        .flat_map(|item| item["files"].as_array().unwrap())
        .filter_map(|file| file["name"].as_str())
        .collect();
    assert!(names.contains(&"run.exe") && names.contains(&"invoice.pdf.scr"), "{names:?}");
    assert!(!names.contains(&"letter.pdf"), "{names:?}");

    // An independent reader finds none of them on the target, and the letter.
    let root = target.maildir_of("alice");
    assert_eq!(found_by_python(&root, &["exe", "scr", "vbs", "bat"]), Vec::<String>::new());
    assert!(found_by_python(&root, &["pdf"]).contains(&"letter.pdf".to_owned()));

    // Each original can be had again, and nobody else reads it on the disk.
    let kept = project.path().join("quarantine");
    assert!(fs::read_dir(&kept).unwrap().count() > 0, "originals are kept");

    // The source is as it was, and a second run writes nothing.
    assert_same_state(&source.state("alice"), &before);
    let copied = target.state("alice");
    let (_, again) = project.json(&["sync"]);
    assert_eq!(again["copied"], 0, "{again:#}");
    assert_same_state(&target.state("alice"), &copied);
}

#[test]
fn mail_is_left_behind_by_the_projects_own_rules_and_follows_when_they_go() {
    let Some(source) = Store::dovecot(Format::Sdbox, &["alice"]) else { return };
    let Some(target) = Store::cyrus(&["alice"]) else { return };
    source.fill("alice", &spread((0..6).map(|n| message(n, (n % 2 == 0).then_some("a.exe"))).collect()));
    let row = format!("{},{}", source.name("alice"), target.name("alice"));
    let project = Project::new(source.endpoint(), target.endpoint()).row(&row);
    let own = "policy.banned_extensions = [\"exe\"]\npolicy.banned_attachment = \"skip\"";
    let strict = project.with(own);
    let (code, synced) = strict.json(&["sync"]);
    assert_eq!((code, &synced["copied"], &synced["left_behind"]), (0, &3.into(), &3.into()), "{synced:#}");
    let (code, verified) = strict.json(&["verify"]);
    assert_eq!((code, &verified["all"]["excluded"]["banned-extension"]), (0, &3.into()), "{verified:#}");
    let (_, status) = strict.json(&["status"]);
    assert_eq!(status["unaccounted"], 0, "{status:#}");
    let free = strict.without(own);
    let (code, synced) = free.json(&["sync"]);
    assert_eq!((code, &synced["copied"]), (0, &3.into()), "{synced:#}");
    let (code, verified) = free.json(&["verify"]);
    assert_eq!((code, &verified["all"]["on_target"]), (0, &6.into()), "{verified:#}");
}

#[test]
fn malware_stays_at_the_source_and_nothing_passes_while_the_scanner_is_away() {
    let Some(clamd) = Clamd::start(1) else { return };
    let Some(source) = Store::dovecot(Format::Sdbox, &["alice"]) else { return };
    let target = Store::maildir();
    let infected = [&message(2, None)[..], MALWARE.as_bytes(), b"\r\n"].concat();
    let large = [&message(3, None)[..], &b"0123456789abcde\n".repeat(80_000)].concat();
    source.fill("alice", &spread(vec![message(1, None), infected, large]));
    let row = format!("{},{}", source.name("alice"), target.name("alice"));
    let line = format!("[malware]\nclamd = {:?}", clamd.address());
    let project = Project::new(source.endpoint(), target.endpoint()).row(&row).with(&line);
    let (code, checked) = project.json(&["check"]);
    let says = checked["scanner"]["sentence"].as_str().unwrap();
    assert!(code == 0 && says.starts_with("ClamAV"), "{checked:#}");
    clamd.stop();
    let (code, checked) = project.json(&["check"]);
    assert_eq!((code, &checked["scanner"]["wrong"]), (10, &"unavailable".into()), "{checked:#}");
    let (code, synced) = project.json(&["sync"]);
    assert_eq!((code, &synced["copied"]), (10, &0.into()), "nothing passes unseen: {synced:#}");
    let mailbox = &synced["mailboxes"][0];
    assert_eq!((&mailbox["cause"], &mailbox["condition"]), (&"unavailable".into(), &"waiting".into()), "{mailbox:#}");
    clamd.restart();
    let (code, synced) = project.json(&["sync"]);
    assert_eq!((code, &synced["copied"], &synced["failed"]), (1, &1.into(), &2.into()), "{synced:#}");
    let (_, failed) = project.json(&["failed", "list"]);
    let failed = failed["failed"].as_array().unwrap();
    let of = |cause: &str| failed.iter().find(|line| line["cause"] == cause).unwrap_or_else(|| panic!("{failed:#?}"));
    assert!(of("infected")["what"].as_str().unwrap().contains("Kit.Marker"), "{failed:#?}");
    assert!(of("not-scanned")["server"].as_str().unwrap().contains("size limit"), "{failed:#?}");
    let (_, verified) = project.json(&["verify"]);
    assert_eq!(
        (&verified["all"]["unexplained"], &verified["all"]["on_target"]),
        (&0.into(), &1.into()),
        "{verified:#}"
    );
}

/// The plain rules, and those of `nhsmail`: how many of the same messages Cyrus takes.
#[test]
fn what_a_server_cannot_hold_arrives_repaired() {
    let Some(source) = Store::dovecot(Format::Sdbox, &["alice"]) else { return };
    let Some(target) = Store::cyrus(&["alice"]) else { return };
    let filled = source.fill("alice", &spread(every_message()));
    let before = source.state("alice");
    let row = format!("{},{}", source.name("alice"), target.name("alice"));
    let project = Project::new(source.endpoint(), target.endpoint()).row(&row);
    let (_, strict) = project.json(&["sync"]);
    let failed = strict["failed"].as_u64().unwrap();
    assert!(failed > 10 && strict["repaired"] == 0, "without repairs they fail: {strict:#}");

    let project = project.with("profile = \"nhsmail\"\npolicy.banned_attachment = \"replace\"");
    let (_, synced) = project.json(&["sync"]);
    let repaired = synced["repaired"].as_u64().unwrap();
    let (_, listed) = project.json(&["failed", "list"]);
    let left: Vec<String> = listed["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| format!("{} {}", line["cause"], line["server"]))
        .collect();
    println!("{failed} failed; repaired {repaired}, left {left:#?}");
    assert!(repaired + left.len() as u64 >= failed && (left.len() as u64) * 3 < failed, "{synced:#}\n{left:#?}");
    let (_, verified) = project.json(&["verify"]);
    println!("{}", verified["sentence"]);
    assert_eq!(verified["all"]["unexplained"], 0, "{verified:#}");
    assert_eq!(verified["all"]["items"], filled.messages, "{verified:#}");
    let counted: u64 = verified["all"]["repaired"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    let (_, rules) = project.json(&["rules"]);
    assert_eq!((counted, count(&rules, "repaired")), (repaired, repaired), "{}", rules["counts"]);
    // An original can be had again, byte for byte.
    let items = rules["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["how"] == "repaired").unwrap();
    let to = project.path().join("original.eml");
    let (code, exported) =
        project.json(&["quarantine", "export", item["reference"].as_str().unwrap(), "--to", to.to_str().unwrap()]);
    assert_eq!(code, 0, "{exported:#}");
    assert_eq!(fs::metadata(&to).unwrap().len(), item["size_bytes"].as_u64().unwrap());

    assert_same_state(&source.state("alice"), &before);
    let copied = target.state("alice");
    let (_, again) = project.json(&["sync"]);
    assert_eq!((&again["copied"], &again["repaired"]), (&0.into(), &0.into()), "{again:#}");
    assert_same_state(&target.state("alice"), &copied);
}

/// A rule of an invented profile, and a message that it decides: where it lies, and whose it is.
fn item_of_each_rule() -> Vec<(&'static str, &'static str, &'static str, Message)> {
    let made = |number: usize, header: &str, body: &[u8]| {
        let mut message = numbered(number);
        message.bytes =
            format!("From: r{number}@example.test\r\nMessage-ID: <r{number}@example.test>\r\n{header}\r\n").into();
        message.bytes.extend_from_slice(body);
        message.bytes.extend_from_slice(b"\r\n");
        message
    };
    let attached = |number: usize, fields: &str, content: &str| {
        let body = format!(
            "--edge\r\n\r\ntext\r\n--edge\r\n{fields}\r\nContent-Transfer-Encoding: base64\r\n\r\n{content}\r\n--edge--"
        );
        made(number, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=edge\r\n", body.as_bytes())
    };
    let lines = |bytes: usize| "abcdefghijklmnop\r\n".repeat(bytes / 18);
    let plain = |number| made(number, "", b"plain");
    vec![
        ("item-size", "dov", "INBOX", made(1, "", lines(70_000).as_bytes())),
        ("attachment-size", "dov", "INBOX", attached(2, "Content-Type: application/pdf; name=a.pdf", &lines(40_000))),
        ("banned-extension", "dov", "INBOX", attached(3, "Content-Type: a/b; name=a.lamp", "AAAA")),
        ("banned-type", "dov", "INBOX", attached(4, "Content-Type: image/x-tide; name=a", "AAAA")),
        (
            "banned-content",
            "dov",
            "INBOX",
            attached(5, "Content-Type: text/plain; name=a.txt", &format!("TVqQAAMAAAAEAAAA{}", "A".repeat(400))),
        ),
        ("deleted-items", "dov", "Bin", plain(6)),
        ("marked-deleted", "dov", "INBOX", Message { flags: vec!["\\Deleted"], ..plain(7) }),
        ("received-from", "dov", "INBOX", Message { received: 900_000_000, ..plain(8) }),
        ("received-before", "dov", "INBOX", Message { received: 1_700_000_000, ..plain(9) }),
        ("folder-left", "dov", "Bin/Old", plain(10)),
        ("folder-only", "dov", "Other", plain(11)),
        ("repair-nul", "dir", "INBOX", made(12, "", b"one\0two")),
        ("repair-bare-cr", "dir", "INBOX", made(13, "", b"one\rtwo")),
        ("repair-eight-bit-header", "dir", "INBOX", made(15, "Subject: \u{d8}ster\r\n", b"x")),
        ("repair-broken-header", "dir", "INBOX", made(16, "no header field\r\nTo: b@example.test\r\n", b"x")),
        ("repair-long-line", "dir", "INBOX", made(17, "", "x".repeat(2_000).as_bytes())),
    ]
}

/// For each rule of a profile that decides about items an item, a counter in the report, and a line in the documentation: under a
/// profile that nobody has (R-001).
#[test]
fn each_rule_has_an_item_a_counter_in_the_report_and_a_line_in_the_documentation() {
    const RULES: &str = r#"
[policy]
item_bytes_max = 60000
attachment_bytes_max = 20000
banned_extensions = ["lamp"]
banned_types = ["image/x-tide"]
banned_contents = ["dos-program", "windows-program"]
deleted_items = "leave"
marked_deleted = "leave"
received_from = "2000-01-01"
received_before = "2020-01-01"
folders_left = ["Bin/Old"]
folders_only = ["INBOX", "Bin"]
repair_nul = "make"
repair_bare_cr = "make"
repair_line_ends = "make"
repair_eight_bit_header = "make"
repair_broken_header = "make"
repair_date = "make"
line_bytes_max = 998
"#;
    let builder = Dovecot::builder().format(Format::Sdbox).special_use("Bin", "\\Trash");
    let Some(dov) = Store::dovecot_with(builder, &["ann"]) else { return };
    let Some(target) = Store::cyrus(&["ann", "bob"]) else { return };
    let dir = Store::maildir();
    for (_, whose, name, message) in item_of_each_rule() {
        let (store, person) = if whose == "dov" { (&dov, "ann") } else { (&dir, "bob") };
        let folder = Folder { path: name.split('/').map(str::to_owned).collect(), messages: vec![message] };
        assert_eq!(store.fill(person, &[folder]).refused_messages, 0);
    }
    let sources = vec![("dov".to_owned(), dov.endpoint()), ("dir".to_owned(), dir.endpoint())];
    let project = Project::of_several(sources, target.endpoint());
    let project =
        project.row(&format!("ann,{},dov", target.name("ann"))).row(&format!("bob,{},dir", target.name("bob")));
    let file = project.path().join("whimbrel.toml");
    fs::write(&file, fs::read_to_string(&file).unwrap() + RULES).unwrap();

    let (code, synced) = project.json(&["sync"]);
    assert_eq!((code, &synced["failed"]), (0, &0.into()), "{synced:#}");
    let (_, overall) = project.json(&["report", "overall"]);
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/profiles/plain.md")).unwrap();
    let shown = project.run(&["report", "overall"]).out;
    for (rule, _, _, _) in item_of_each_rule() {
        let counts = overall["rules"].as_array().unwrap();
        let count = counts.iter().find(|count| count["rule"] == rule);
        assert_eq!(count.unwrap_or_else(|| panic!("{rule}: {:#}", overall["rules"]))["items"], 1, "{rule}");
        assert!(page.contains(&format!("| `{rule}` |")) && shown.contains(rule), "{rule}");
    }
    let (code, verified) = project.json(&["verify"]);
    assert_eq!((code, &verified["all"]["unexplained"]), (0, &0.into()), "{}", verified["sentence"]);
}
