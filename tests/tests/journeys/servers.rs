//! The harness itself: do the servers start, are they what they were asked to be, do they leave nothing behind?

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by what goes wrong in it"
)]

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use conformance::{
    certificates::Flaw,
    servers::{Acl, Authzid, Cyrus, Dovecot, Format, Locked, Postgres},
    talk::Talk,
};

const MAIL: &[u8] = b"Subject: a\r\n\r\nb\r\n";

#[test]
fn dovecot_keeps_mail_in_every_format_and_over_a_restart() {
    for format in [Format::Maildir, Format::Mdbox, Format::Sdbox] {
        let Some(mut dovecot) = Dovecot::builder().format(format).user("alice", "secret").start() else { return };
        assert!(Talk::login(dovecot.port(), "alice", "secret").append("INBOX", "(\\Seen)", MAIL).is_ok());
        dovecot.stop();
        dovecot.restart();
        assert!(dovecot.doveadm(&["fetch", "-u", "alice", "flags", "all"]).starts_with("flags: \\Seen"));
        dovecot.crash();
        dovecot.restart();
        assert_eq!(
            Talk::login(dovecot.port(), "alice", "secret").ok("SELECT INBOX").of("EXISTS").next(),
            Some("1 EXISTS")
        );
    }
}

#[test]
fn dovecot_lets_a_master_user_into_the_mailbox_asked_for() {
    let dovecot = Dovecot::builder().user("alice", "a").user("bob", "b").master("migrator", "m").start();
    let Some(dovecot) = dovecot else { return };
    let (mut talk, answer) = Talk::login_for(dovecot.port(), "alice", "migrator", "m");
    assert!(answer.is_ok(), "{answer:?}");
    assert!(talk.append("INBOX", "", MAIL).is_ok());
    assert!(Talk::login(dovecot.port(), "bob*migrator", "m").append("INBOX", "", MAIL).is_ok());
    assert_eq!([exists(dovecot.port(), "alice", "a"), exists(dovecot.port(), "bob", "b")], [1, 1]);
    let refused =
        |person: &str, login: &str, password: &str| !Talk::login_for(dovecot.port(), person, login, password).1.is_ok();
    assert!(
        refused("nobody", "migrator", "m") && refused("alice", "bob", "b") && refused("alice", "migrator", "wrong")
    );
}

#[test]
fn dovecot_that_ignores_whose_mailbox_is_asked_for_gives_the_migrators_own() {
    for authzid in [Authzid::Ignored, Authzid::IgnoredIfKnown] {
        let dovecot = Dovecot::builder().user("alice", "a").master("migrator", "m").authzid(authzid).start();
        let Some(dovecot) = dovecot else { return };
        for (person, login_gets_in) in [("alice", true), ("nobody", authzid == Authzid::Ignored)] {
            let before = exists(dovecot.port(), "migrator", "m");
            let (mut talk, answer) = Talk::login_for(dovecot.port(), person, "migrator", "m");
            assert_eq!(answer.is_ok(), login_gets_in, "{authzid:?} {person}: {answer:?}");
            if login_gets_in {
                assert!(talk.append("INBOX", "", MAIL).is_ok());
                assert_eq!(exists(dovecot.port(), "migrator", "m"), before + 1);
            }
        }
        assert_eq!(exists(dovecot.port(), "alice", "a"), 0, "{authzid:?}");
    }
}

#[test]
fn dovecot_with_acl_of_the_login_shows_a_master_user_an_inbox_that_does_not_open() {
    for (acl, opens) in [(Acl::OfLogin, false), (Acl::OfOwner, true)] {
        let Some(dovecot) = Dovecot::builder().user("alice", "a").master("migrator", "m").acl(acl).start() else {
            return;
        };
        let mut own = Talk::login(dovecot.port(), "alice", "a");
        own.ok("CREATE Work");
        assert!(own.append("INBOX", "", MAIL).is_ok());
        let (mut talk, answer) = Talk::login_for(dovecot.port(), "alice", "migrator", "m");
        assert!(answer.is_ok());
        assert_eq!(talk.command("EXAMINE INBOX").is_ok(), opens);
        assert_eq!(talk.ok("LIST \"\" *").text().contains("Work"), opens);
    }
}

#[test]
fn dovecot_takes_every_other_option() {
    let dovecot = Dovecot::builder()
        .user("alice", "a")
        .locked_user("carol", "c", Locked::Denied)
        .locked_user("dave", "d", Locked::NoLogin)
        .master("migrator", "m")
        .capability("IMAP4rev1 UIDPLUS")
        .quota("*:messages=1")
        .metadata()
        .mechanisms("plain scram-sha-256")
        .namespace('.', "INBOX.")
        .special_use("Sent", "\\Sent")
        .tls(Flaw::None)
        .fsync("optimized")
        .start();
    let Some(dovecot) = dovecot else { return };
    let mut talk = Talk::connect(dovecot.port());
    let offers = talk.ok("CAPABILITY").text();
    assert!(offers.contains("AUTH=SCRAM-SHA-256") && offers.contains("STARTTLS"), "{offers}");
    let after_login = talk.ok("LOGIN alice a").text();
    assert!(after_login.contains("CAPABILITY IMAP4rev1 UIDPLUS\n"), "{after_login}");
    let namespace = talk.ok("NAMESPACE").text();
    assert!(namespace.contains("((\"INBOX.\" \".\"))"), "{namespace}");
    talk.ok("CREATE INBOX.Sent");
    assert!(talk.ok("LIST (SPECIAL-USE) \"\" *").text().contains("\\Sent"));
    talk.ok("SETMETADATA \"\" (/private/comment \"mine\")");
    assert!(talk.append("INBOX", "", MAIL).is_ok());
    assert!(talk.append("INBOX", "", MAIL).tagged.contains("[OVERQUOTA]"));
    for (name, password) in [("carol", "c"), ("dave", "d")] {
        assert!(!Talk::connect(dovecot.port()).command(&format!("LOGIN {name} {password}")).is_ok());
        assert!(!Talk::login_for(dovecot.port(), name, "migrator", "m").1.is_ok(), "{name}");
    }
    let connect = format!("127.0.0.1:{}", dovecot.tls_port());
    let openssl = Command::new("openssl")
        .args(["s_client", "-verify_return_error", "-verify_ip", "127.0.0.1", "-connect", &connect, "-CAfile"])
        .arg(dovecot.ca_file())
        .stdin(Stdio::null())
        .output()
        .expect("dovecot brings openssl");
    let said = String::from_utf8_lossy(&openssl.stdout).into_owned();
    assert!(said.contains("Verify return code: 0 (ok)"), "{said}{}", String::from_utf8_lossy(&openssl.stderr));
}

#[test]
fn dovecot_lets_names_hold_the_separator_behind_an_escape() {
    let Some(dovecot) = Dovecot::builder().user("alice", "a").list_escape('\\').start() else { return };
    Talk::login(dovecot.port(), "alice", "a").ok("CREATE \"a.b\"");
    assert!(dovecot.maildir("alice").join(".a\\2eb").is_dir(), "{:?}", fs::read_dir(dovecot.maildir("alice")));
}

#[test]
fn dovecot_shows_what_a_test_planted_in_its_maildir() {
    let Some(dovecot) = Dovecot::builder().user("alice", "a").start() else { return };
    let maildir = dovecot.maildir("alice");
    for folder in ["cur", "new", "tmp"] {
        fs::create_dir_all(maildir.join(folder)).unwrap();
    }
    fs::write(maildir.join("cur/1000000000.M1P1.host:2,FS"), b"Subject: planted\n\nb\n").unwrap();
    dovecot.give_to_mail_user(&dovecot.home("alice"));
    let mut talk = Talk::login(dovecot.port(), "alice", "a");
    talk.ok("SELECT INBOX");
    let fetched = talk.ok("FETCH 1 (FLAGS RFC822.SIZE)").text();
    assert!(fetched.contains("\\Flagged \\Seen") && fetched.contains("RFC822.SIZE 23"), "{fetched}");
}

#[test]
fn dovecot_that_stands_still_goes_on_later() {
    let Some(dovecot) = Dovecot::builder().user("alice", "a").start() else { return };
    let mut talk = Talk::login(dovecot.port(), "alice", "a");
    dovecot.freeze();
    talk.send(b"x NOOP\r\n");
    std::thread::sleep(Duration::from_millis(50));
    dovecot.thaw();
    assert!(talk.answer("x").is_some_and(|answer| answer.is_ok()));
}

#[test]
fn cyrus_lets_an_admin_into_the_mailbox_asked_for() {
    let cyrus = Cyrus::builder().user("alice@example.test", "a").admin("admin@example.test", "m").start();
    let Some(mut cyrus) = cyrus else { return };
    let (mut talk, answer) = Talk::login_for(cyrus.port(), "alice@example.test", "admin@example.test", "m");
    assert!(answer.is_ok(), "{answer:?}");
    assert!(talk.append("INBOX", "(\\Flagged)", MAIL).tagged.contains("APPENDUID"));
    assert_eq!(exists(cyrus.port(), "alice@example.test", "a"), 1);
    let (_, answer) = Talk::login_for(cyrus.port(), "admin@example.test", "alice@example.test", "a");
    assert!(!answer.is_ok());
    cyrus.crash();
    cyrus.restart();
    assert_eq!(exists(cyrus.port(), "alice@example.test", "a"), 1);
    assert!(String::from_utf8_lossy(&cyrus.tool("quota").output().unwrap().stdout).contains("Quota"));
}

// What the connector relies on when it moves messages and removes folders.
#[test]
fn dovecot_and_cyrus_tell_new_uids_before_the_old_ones_vanish() {
    let dovecot = Dovecot::builder().user("alice", "secret").start();
    let cyrus = Cyrus::builder().user("alice@example.test", "secret").start();
    let ports =
        [(dovecot.as_ref().map(Dovecot::port), "alice"), (cyrus.as_ref().map(Cyrus::port), "alice@example.test")];
    for (port, name) in ports.into_iter().filter_map(|(port, name)| Some((port?, name))) {
        let mut talk = Talk::login(port, name, "secret");
        for _ in 0..3 {
            assert!(talk.append("INBOX", "", MAIL).is_ok());
        }
        talk.ok("CREATE there");
        talk.ok("SELECT INBOX");
        let moved = talk.ok("UID MOVE 3,1 there");
        let said: Vec<&str> = moved.untagged.iter().filter_map(|line| line.split(' ').nth(1)).collect();
        assert_eq!(said[..3], ["[COPYUID", "EXPUNGE", "EXPUNGE"], "{moved:?}");
        assert!(moved.untagged[0].contains(" 1,3 1:2]") && !moved.tagged.contains("COPYUID"), "{moved:?}");
        assert!(talk.command("UID MOVE 2 nowhere").tagged.starts_with("NO [TRYCREATE]"));
    }
}

#[test]
fn dovecot_does_not_wait_for_the_line_end_after_a_name() {
    let dovecot = Dovecot::builder().user("alice", "secret").start();
    let cyrus = Cyrus::builder().user("alice@example.test", "secret").start();
    let ports = [
        (dovecot.as_ref().map(Dovecot::port), "alice", true),
        (cyrus.as_ref().map(Cyrus::port), "alice@example.test", false),
    ];
    for (port, name, acts) in ports.into_iter().filter_map(|(port, name, acts)| Some((port?, name, acts))) {
        let mut talk = Talk::login(port, name, "secret");
        talk.send(b"x CREATE \"half said\"");
        drop(talk);
        let is_there = || !Talk::login(port, name, "secret").ok("LIST \"\" half*").untagged.is_empty();
        let began = Instant::now();
        while !is_there() && began.elapsed() < Duration::from_secs(if acts { 10 } else { 1 }) {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(is_there(), acts, "port {port}");
    }
}

#[test]
fn cyrus_takes_every_other_option() {
    let cyrus = Cyrus::builder()
        .user("alice@example.test", "a")
        .alt_namespace(false)
        .unix_separator(false)
        .suppress("MULTIAPPEND LITERAL+")
        .quota_kib(100)
        .tls(Flaw::None)
        .start();
    let Some(cyrus) = cyrus else { return };
    let mut talk = Talk::connect(cyrus.port());
    assert!(talk.ok("CAPABILITY").text().contains("STARTTLS"));
    talk.ok("LOGIN alice@example.test a");
    let offers = talk.ok("CAPABILITY").text();
    assert!(!offers.contains("MULTIAPPEND") && !offers.contains("LITERAL+") && offers.contains("QRESYNC"), "{offers}");
    assert!(talk.ok("NAMESPACE").text().contains("((\"INBOX.\" \".\"))"));
    let answer = talk.append("INBOX", "", &[MAIL, "long line\r\n".repeat(10_000).as_bytes()].concat());
    // Cyrus says so before it takes the literal, and without the code.
    assert_eq!(answer.tagged, "NO Over quota");
    assert!(cyrus.ca_file().exists() && cyrus.tls_port() > 0);
}

#[test]
fn postgres_gives_fresh_databases_and_survives_a_crash() {
    let Some(postgres) = Postgres::start() else { return };
    let (first, second) = (postgres.fresh_database(), postgres.fresh_database());
    assert_ne!(first, second);
    for url in [&first, &second] {
        psql(url, "CREATE TABLE t AS SELECT 1 AS n").unwrap();
    }
    assert!(psql(&first, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user").unwrap().trim() == "f");
    assert_eq!(postgres.superuser_query(&second, "SELECT n, current_user FROM t").trim(), "1|kit");
    postgres.stop();
    assert!(psql(&first, "SELECT 1").is_err());
    postgres.restart();
    assert_eq!(psql(&first, "SELECT n FROM t").unwrap().trim(), "1");
    postgres.crash();
    postgres.restart();
    psql(&second, "SELECT 1").unwrap();
}

#[test]
fn several_run_side_by_side() {
    let start = || Dovecot::builder().user("alice", "a").start();
    let (Some(one), Some(two)) = (start(), start()) else { return };
    assert!(Talk::login(one.port(), "alice", "a").append("INBOX", "", MAIL).is_ok());
    assert_eq!([exists(one.port(), "alice", "a"), exists(two.port(), "alice", "a")], [1, 0]);
}

#[test]
fn nothing_is_left_when_the_value_goes() {
    let Some(dovecot) = Dovecot::builder().user("alice", "a").start() else { return };
    let folder = dovecot.home("").parent().unwrap().to_owned();
    let _open = Talk::login(dovecot.port(), "alice", "a");
    assert!(folder.exists() && !processes_of(&folder.display().to_string()).is_empty());
    drop(dovecot);
    assert!(!folder.exists());
    assert_eq!(processes_of(&folder.display().to_string()), Vec::<String>::new());
}

/// This test runs itself in a second process, which says where its servers are and is then killed.
#[test]
fn nothing_is_left_when_the_test_process_is_killed() {
    const ROLE: &str = "WHIMBREL_TEST_TO_BE_KILLED";
    if std::env::var_os(ROLE).is_some() {
        let dovecot = Dovecot::builder().user("alice", "a").start().expect("the first process started one");
        let postgres = Postgres::start();
        println!("at {}", dovecot.home("").display());
        let _running = (dovecot, postgres);
        std::thread::sleep(Duration::from_mins(10));
    }
    if Dovecot::builder().start().is_none() {
        return;
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "servers::nothing_is_left_when_the_test_process_is_killed", "--nocapture"])
        .env(ROLE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = std::io::BufReader::new(victim.stdout.take().unwrap());
    let line = std::io::BufRead::lines(said).map_while(Result::ok).find(|line| line.starts_with("at ")).unwrap();
    let folder = line[3..].trim_end_matches('/').strip_suffix("/mail").unwrap().to_owned();
    assert!(!processes_of(&folder).is_empty());
    victim.kill().unwrap();
    victim.wait().unwrap();
    let killed = Instant::now();
    while std::path::Path::new(&folder).exists() || !processes_of(&folder).is_empty() {
        assert!(killed.elapsed() < Duration::from_secs(20), "{:?}", processes_of(&folder));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many messages the person's own login finds in INBOX.
fn exists(port: u16, name: &str, password: &str) -> u32 {
    let answer = Talk::login(port, name, password).ok("EXAMINE INBOX");
    answer.of("EXISTS").next().and_then(|line| line.split(' ').next()?.parse().ok()).expect("EXAMINE says EXISTS")
}

fn psql(url: &str, sql: &str) -> Result<String, String> {
    let output = Command::new("psql").args(["-X", "-q", "-A", "-t", "-c", sql, url]).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// The command lines of all processes that name this folder, the keeper's own too.
fn processes_of(folder: &str) -> Vec<String> {
    let numbers = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = numbers.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(folder)).collect()
}

/// What the connector counts on: whoever is given a right opens the folder, and an entry of one's own takes the place of what
/// everybody may do.
#[test]
fn dovecot_shares_folders_and_an_own_entry_replaces_that_of_everybody() {
    let people = [("alice", "a"), ("bob", "b"), ("carl", "c"), ("dora", "d")];
    let Some(dovecot) = Dovecot::builder().users(people).acl(Acl::OfOwner).shared().start() else { return };
    let mut owner = Talk::login(dovecot.port(), "alice", "a");
    owner.ok("CREATE Ward");
    owner.ok("SETACL Ward bob lrs");
    owner.ok("SETACL Ward carl l");
    let opens = |name: &str, password: &str| {
        let mut talk = Talk::login(dovecot.port(), name, password);
        talk.command("EXAMINE shared/alice/Ward").is_ok()
    };
    assert_eq!([opens("bob", "b"), opens("carl", "c"), opens("dora", "d")], [true, false, false], "{}", dovecot.log());
    dovecot.doveadm(&["acl", "set", "-u", "alice", "Ward", "anyone", "lookup", "read"]);
    assert_eq!([opens("bob", "b"), opens("carl", "c"), opens("dora", "d")], [true, false, true]);
}
