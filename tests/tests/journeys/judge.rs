//! The judge, judged: mailboxes that are the same are found equal, and every difference planted between them is named.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by what goes wrong in it")]

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use conformance::{
    certificates::Flaw,
    imap_server::{Date, ImapServer, Oddities, Order, Tls},
    servers::{Cyrus, Dovecot, Format},
    talk::Talk,
};
use journeys::judge::{Judge, Side, Verdict};

/// A folder, flags, date, and bytes of a message.
type Message = (&'static str, &'static str, &'static str, &'static [u8]);

const MESSAGES: [Message; 6] = [
    (
        "INBOX",
        "\\Seen $Forwarded",
        "17-Jul-1996 02:44:25 -0700",
        b"Message-ID: <one@x>\r\nSubject: one\r\n\r\nbody one\r\n",
    ),
    ("INBOX", "", "01-Feb-2003 04:05:06 +0100", b"Message-ID: <two@x>\r\n\r\nbody two\r\n"),
    ("INBOX", "", "01-Feb-2003 04:05:06 +0100", b"Message-ID: <two@x>\r\n\r\nbody two\r\n"),
    ("INBOX", "\\Flagged \\Draft Work", "01-Jan-1970 00:00:01 +0000", b"Subject: no id\r\n\r\n"),
    ("Entw&APw-rfe", "\\Answered", "29-Feb-2024 12:00:00 +0000", b"Message-ID: <three@x>\r\n\r\nbody three\r\n"),
    ("Work/2024", "\\Deleted", "31-Dec-2024 23:59:59 +1400", b"Message-ID:\r\n <four@x>\r\n\r\nbody four\r\n"),
];

/// Fills a mailbox with the messages, and with an empty folder.
fn fill(port: u16, user: &str, password: &str) {
    let mut talk = Talk::login(port, user, password);
    for folder in ["Entw&APw-rfe", "Work/2024", "Empty"] {
        talk.ok(&format!("CREATE \"{folder}\""));
    }
    for (folder, flags, date, body) in MESSAGES {
        let answer = talk.append(folder, &format!("({flags}) \"{date}\""), body);
        assert!(answer.is_ok(), "{answer:?}");
    }
}

fn dovecots(target: Format) -> Option<(Dovecot, Dovecot)> {
    let source = Dovecot::builder().user("alice", "a").start()?;
    let target = Dovecot::builder().user("alice", "a").format(target).start()?;
    fill(source.port(), "alice", "a");
    fill(target.port(), "alice", "a");
    Some((source, target))
}

fn side(dovecot: &Dovecot) -> Side {
    Side::imap(dovecot.port(), "alice", "a")
}

fn compare(source: &Dovecot, target: &Dovecot) -> Option<Verdict> {
    Judge::new().person("alice", side(source), side(target)).compare()
}

/// The file of the message in a maildir that holds this text.
fn file_of(maildir: &Path, folder: &str, text: &str) -> PathBuf {
    let files = ["cur", "new"].into_iter().flat_map(|part| fs::read_dir(maildir.join(folder).join(part)).unwrap());
    let holds = |path: &PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap()).contains(text);
    files.map(|file| file.unwrap().path()).find(holds).expect("the message is there")
}

#[test]
fn equal_mailboxes_are_equal() {
    let Some((source, target)) = dovecots(Format::Mdbox) else { return };
    let Some(verdict) = compare(&source, &target) else { return };
    assert!(verdict.is_equal(), "{verdict:?}");
    assert_eq!(verdict.sentence(), "1 person, 4 folders, 6 items: equal.");
    // The same mailbox as files and over IMAP.
    let files = Side::maildir(&source.maildir("alice"));
    let verdict = Judge::new().person("alice", files, side(&target)).compare().unwrap();
    assert!(verdict.is_equal(), "{verdict:?}");
}

#[test]
fn what_is_planted_behind_everybodys_back_is_named() {
    let Some((source, target)) = dovecots(Format::Maildir) else { return };
    let maildir = target.maildir("alice");
    // A byte changed, in a file whose name tells its size: so the size stays.
    let one = file_of(&maildir, "", "body one");
    fs::write(&one, fs::read_to_string(&one).unwrap().replace("body one", "body 0ne")).unwrap();
    set_date(&one, 837_596_665);
    // A message doubled.
    let two = file_of(&maildir, "", "body two");
    let copy = maildir.join("cur/1044068706.M1P1.copy:2,");
    fs::copy(&two, &copy).unwrap();
    set_date(&copy, 1_044_068_706);
    // A flag dropped.
    let draft = file_of(&maildir, "", "no id");
    let name = draft.to_str().unwrap();
    let (base, flags) = name.rsplit_once(',').unwrap();
    assert!(flags.contains('F'), "{name}");
    fs::rename(&draft, format!("{base},{}", flags.replace('F', ""))).unwrap();
    // A date one hour off.
    set_date(&file_of(&maildir, ".Entw&APw-rfe", "body three"), 1_709_208_000 + 3600);
    // Folders missing, one of them with a message in it.
    fs::remove_dir_all(maildir.join(".Work.2024")).unwrap();
    fs::remove_dir_all(maildir.join(".Empty")).unwrap();
    target.give_to_mail_user(&maildir);

    let Some(verdict) = compare(&source, &target) else { return };
    assert_eq!(verdict.code, 1);
    assert_eq!(
        verdict.kinds("alice"),
        [
            "missing-folder Empty",
            "changed-date Entwürfe",
            "changed-flags INBOX",
            "changed-bytes INBOX",
            "doubled INBOX",
            "missing-folder Work/2024",
            "missing Work/2024",
        ],
        "{verdict:?}"
    );
    let differences = verdict.differences("alice");
    assert_eq!(differences[1]["target"]["date"], "2024-02-29T13:00:00Z");
    assert_eq!(differences[2]["source"]["flags"], serde_json::json!(["\\draft", "\\flagged", "work"]));
    assert_eq!(differences[6]["source"]["date"], "2024-12-31T09:59:59Z");
    assert!(
        verdict.sentence().starts_with("1 person, 4 folders, 6 items: 7 differences (1 changed-bytes,"),
        "{verdict:?}"
    );

    // The other way round the target holds less, which no option allows; what it holds more is allowed by one.
    let verdict = Judge::new().person("alice", side(&target), side(&source)).only_source_subset().compare().unwrap();
    assert_eq!(
        verdict.kinds("alice"),
        ["changed-date Entwürfe", "changed-flags INBOX", "changed-bytes INBOX", "missing INBOX"]
    );
    assert_eq!(verdict.allowed("alice").len(), 3);
}

#[test]
fn a_target_that_is_lived_in_may_hold_more() {
    let Some((source, target)) = dovecots(Format::Sdbox) else { return };
    let mut own = Talk::login(target.port(), "alice", "a");
    own.ok("CREATE Own");
    assert!(own.append("INBOX", "", b"Subject: own\r\n\r\n").is_ok());
    let Some(strict) = compare(&source, &target) else { return };
    assert_eq!(strict.kinds("alice"), ["extra INBOX", "extra-folder Own"]);
    let judge = Judge::new().person("alice", side(&source), side(&target)).only_source_subset();
    assert!(judge.compare().unwrap().is_equal());
}

#[test]
fn traits_of_missing_items_are_told() {
    let server = ImapServer::builder().user("alice", "a").user("bob", "b").start();
    let alice = server.person("alice");
    alice.deliver("INBOX", "a: nul\r\n\r\n\0\r\n");
    alice.deliver("INBOX", "a: cr\r\n\r\nx\ry\r\n");
    alice.deliver("INBOX", "a: lf\r\n\r\nx\ny\r\n");
    alice.deliver("INBOX", "a: plain\r\n\r\n\u{e9}");
    alice.deliver("INBOX", "a: \u{e9}\r\n\r\n");
    alice.deliver("INBOX", "a: b\r\nno field\r\n\r\n");
    alice.deliver("INBOX", "a: without a line end");
    let sides = (Side::imap(server.port(), "alice", "a"), Side::imap(server.port(), "bob", "b"));
    let Some(verdict) = Judge::new().person("alice", sides.0, sides.1).compare() else { return };
    let named = |difference: &&serde_json::Value| {
        let traits = difference["source"]["traits"].as_object().unwrap();
        traits.iter().filter(|(_, has)| **has == true).map(|(name, _)| name.clone()).collect::<Vec<_>>().join(" ")
    };
    let traits: Vec<String> = verdict.differences("alice").iter().map(named).collect();
    assert_eq!(traits, ["nul", "bare_cr", "mixed_line_ends", "", "eight_bit_header", "broken_header", "broken_header"]);
}

#[test]
fn odd_servers_are_read_as_well_as_plain_ones() {
    let plain = ImapServer::builder().user("alice", "a").start();
    let odd = ImapServer::builder()
        .user("alice", "a")
        .namespace(Some('.'), "INBOX.")
        .shared_namespace("")
        .tls(Tls::ByCommand, Flaw::None)
        .folder("INBOX.Sent", Some("\\Sent"))
        .folder("INBOX.Everything", Some("\\All"))
        .odd(Oddities {
            order: Order::Turning,
            extra_spaces: true,
            unknown_responses: true,
            unsolicited_flags: true,
            always_recent: true,
            quoted_bodies: true,
            unpadded_days: true,
            literal_names: true,
            size_error: 7,
            ..Oddities::default()
        })
        .start();
    let (alice, odd_alice) = (plain.person("alice"), odd.person("alice"));
    alice.create("Sent");
    alice.create("UID 5/Tüb&ingen");
    odd_alice.create("INBOX.UID 5.Tüb&ingen");
    odd_alice.create("Shared");
    odd_alice.deliver("INBOX.Everything", "view\r\n");
    odd_alice.deliver("Shared", "not hers\r\n");
    for (folder, odd_folder) in [("INBOX", "INBOX"), ("UID 5/Tüb&ingen", "INBOX.UID 5.Tüb&ingen")] {
        for (body, flags, date) in [
            ("short \"quoted\\ body", &["UID", "5", "\\Seen"][..], Date::utc(-1)),
            ("Subject: a\r\n\r\nBODY[] NIL {5}\r\n", &[], Date { unix_seconds: 5_000_000_000, offset_minutes: -720 }),
        ] {
            alice.append(folder, body, flags, date);
            odd_alice.append(odd_folder, body, flags, Date::utc(date.unix_seconds));
        }
    }
    let in_tls = Side::imap(odd.port(), "alice", "a").with("tls", "starttls").with("ca_file", odd.ca_file().to_str());
    let judge = Judge::new().person("alice", Side::imap(plain.port(), "alice", "a"), in_tls);
    let Some(verdict) = judge.compare() else { return };
    assert!(verdict.is_equal(), "{verdict:?}");
    assert_eq!(verdict.sentence(), "1 person, 3 folders, 4 items: equal.");
}

#[test]
fn what_cannot_be_read_is_not_called_equal() {
    let odd = |odd: Oddities| {
        let server = ImapServer::builder().user("alice", "a").user("bob", "b").odd(odd).start();
        for name in ["alice", "bob"] {
            server.person(name).deliver("INBOX", "a\r\n");
            server.person(name).deliver("INBOX", "b\r\n");
        }
        server
    };
    for oddities in [
        Oddities { nil_bodies: vec![2], ..Oddities::default() },
        Oddities { missing_messages: vec![1], ..Oddities::default() },
        Oddities { missing_items: vec!["INTERNALDATE".to_owned()], ..Oddities::default() },
    ] {
        let server = odd(oddities);
        let sides = (Side::imap(server.port(), "alice", "a"), Side::imap(server.port(), "bob", "b"));
        let Some(verdict) = Judge::new().person("alice", sides.0, sides.1).compare() else { return };
        assert_eq!(verdict.code, 2, "{verdict:?}");
    }
    let server = odd(Oddities::default());
    let good = Side::imap(server.port(), "alice", "a");
    let locked_out = Side::imap(server.port(), "bob", "wrong");
    let judge = Judge::new().person("alice", good.clone(), good.clone()).person("bob", good, locked_out);
    let verdict = judge.compare().unwrap();
    assert_eq!(verdict.code, 2);
    assert!(verdict.sentence().contains("1 person could not be compared, first bob"), "{verdict:?}");
}

#[test]
fn administrators_read_for_people_and_cyrus_is_read_too() {
    let dovecot = Dovecot::builder().user("alice", "a").master("migrator", "m").start();
    let cyrus = Cyrus::builder().user("alice@example.test", "a").admin("admin@example.test", "m").start();
    let (Some(dovecot), Some(cyrus)) = (dovecot, cyrus) else { return };
    fill(dovecot.port(), "alice", "a");
    fill(cyrus.port(), "alice@example.test", "a");
    let by_master = Side::imap(dovecot.port(), "migrator", "m").with("master_for", "alice");
    let by_authzid = Side::imap(dovecot.port(), "migrator", "m").with("authzid", "alice");
    let in_cyrus = Side::imap(cyrus.port(), "admin@example.test", "m").with("authzid", "alice@example.test");
    let judge =
        Judge::new().person("by master", by_master, in_cyrus.clone()).person("by authzid", by_authzid, in_cyrus);
    let Some(verdict) = judge.compare() else { return };
    assert!(verdict.is_equal(), "{verdict:?}");
}

#[test]
fn maildirs_are_read_with_either_kind_of_keywords() {
    let server = ImapServer::builder().user("alice", "a").start();
    let alice = server.person("alice");
    let date = Date::utc(1_000_000_000);
    alice.append("INBOX", "a: dovecot\r\n\r\nb\r\n", &["\\Seen", "Work", "$Forwarded"], date);
    alice.append("INBOX", "a: courier\r\n\r\nb\r\n", &["\\Answered", "Later", "Old"], date);
    alice.append("INBOX", "a: changed\r\n\r\nb\r\n", &["New"], date);
    alice.append("INBOX", "a: mixed\r\n\r\nb\nc\r\n", &[], date);
    alice.append("INBOX", "no line end", &[], date);
    alice.create("a.b/c");
    let folder = tempfile::tempdir().unwrap();
    for part in ["cur", "new", "tmp", "courierimapkeywords", ".a&AC4-b.c/cur", ".not-a-folder"] {
        fs::create_dir_all(folder.path().join(part)).unwrap();
    }
    for (name, text) in [
        ("cur/1.a:2,PSb", "a: dovecot\n\nb\n"),
        ("cur/2.b:2,R", "a: courier\r\n\r\nb\r\n"),
        ("cur/3.c:2,", "a: changed\n\nb\n"),
        ("new/4.d", "a: mixed\r\n\r\nb\nc\r\n"),
        ("new/5.e", "no line end"),
        ("tmp/6.f", "not delivered"),
        ("new/.hidden", "not a message"),
        ("dovecot-keywords", "0 Home\n1 Work\n"),
        ("courierimapkeywords/:list", "Later\nOld\n\n2.b:0 1\n3.c:1\n"),
        ("courierimapkeywords/.7.3.c", "Older\n"),
        ("courierimapkeywords/3.c", "New\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
        set_date(&folder.path().join(name), 1_000_000_000);
    }
    let sides = (Side::imap(server.port(), "alice", "a"), Side::maildir(folder.path()));
    let Some(verdict) = Judge::new().person("alice", sides.0.clone(), sides.1.clone()).compare() else { return };
    assert!(verdict.is_equal(), "{verdict:?}");
    // With one dialect alone the other's keywords are missed.
    let only_dovecots = sides.1.with("keywords", "dovecot");
    let verdict = Judge::new().person("alice", sides.0, only_dovecots).compare().unwrap();
    assert_eq!(verdict.kinds("alice"), ["changed-flags INBOX"; 2]);
}

#[test]
fn folders_renamed_by_the_loss_table_are_compared() {
    let server = ImapServer::builder().user("alice", "a").user("bob", "b").start();
    server.person("alice").create("a.b");
    server.person("bob").create("a_b");
    server.person("alice").append("a.b", "x\r\n", &[], Date::utc(0));
    server.person("bob").append("a_b", "x\r\n", &[], Date::utc(0));
    let sides = (Side::imap(server.port(), "alice", "a"), Side::imap(server.port(), "bob", "b"));
    let judge = Judge::new().person("alice", sides.0, sides.1);
    let Some(verdict) = judge.compare() else { return };
    assert_eq!(verdict.kinds("alice"), ["missing-folder a.b", "missing a.b", "extra-folder a_b", "extra a_b"]);
    assert!(judge.renamed(&["a.b"], &["a_b"]).compare().unwrap().is_equal());
}

fn set_date(file: &Path, unix_seconds: u64) {
    let file = fs::File::options().write(true).open(file).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds)).unwrap();
}
