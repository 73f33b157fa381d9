//! Every way in, and everything that must keep us out: who logs in with what, over which connection, and into whose store
//!

use std::{
    fs,
    net::{TcpListener, UdpSocket},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use conformance::{
    certificates::Flaw,
    imap_server::{Date, ImapServer, ImapServerBuilder, Mechanism, Tls},
    servers::{Acl, Authzid, Cyrus, Dovecot, Format, free_port, left_out},
    talk::Talk,
};
use journeys::{
    judge::Judge,
    mail::{SMALL, fill, small},
    project::{Endpoint, Project},
    store::{MIGRATOR, PASSWORD, Store, assert_same_state},
};
use serde_json::Value;

/// What `check` looks at, in its order.
const TOPICS: [&str; 6] = ["reach", "tls", "login", "store", "capabilities", "rights"];

/// The findings about one side: topic, what is wrong, sentence.
fn findings(project: &Project, side: &str) -> (i32, Vec<(String, Value, String)>) {
    let (code, checked) = project.json(&["check"]);
    let endpoints = checked["endpoints"].as_array().unwrap();
    let endpoint = endpoints.iter().find(|endpoint| endpoint["side"] == side).unwrap();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = endpoint["findings"].as_array().unwrap();
    let finding = |found: &Value| (text(found, "topic"), found["wrong"].clone(), text(found, "sentence"));
    (code, findings.iter().map(finding).collect())
}

/// Moves a small mailbox over this way in, after `check` has a good sentence for each topic. Gives the sentences.
fn gets_in(project: &Project) -> Vec<String> {
    let (code, found) = findings(project, "source");
    assert_eq!(code, 0, "{found:?}");
    assert_eq!(found.iter().map(|(topic, ..)| topic.as_str()).collect::<Vec<_>>(), TOPICS, "{found:?}");
    assert!(found.iter().all(|(_, wrong, sentence)| wrong.is_null() && !sentence.is_empty()), "{found:?}");
    let (code, synced) = project.json(&["sync"]);
    assert_eq!((code, &synced["copied"]), (0, &SMALL.into()), "{synced:#}");
    assert_eq!(project.run(&["verify"]).code, 0);
    found.into_iter().map(|(.., sentence)| sentence).collect()
}

/// A project that reads alice's mail there and puts it into a maildir of its own.
fn to_files(source: Endpoint) -> Project {
    Project::new(source, Endpoint::maildir("mail/{target}"))
}

/// Both commands end with this code, and say on which side and why. Gives the text of `sync`.
fn is_kept_out(project: &Project, code: i32, side: &str, cause: &str, tells: &[&str]) -> String {
    let (check_code, found) = findings(project, side);
    let last = found.last().unwrap();
    assert_eq!((check_code, &last.1), (code, &Value::from(cause)), "{found:?}");
    let (sync_code, synced) = project.json(&["sync"]);
    let result = &synced["mailboxes"][0];
    assert_eq!(sync_code, code, "{synced:#}");
    assert_eq!((&result["cause"], &result["side"], &result["copied"]), (&cause.into(), &side.into(), &0.into()));
    for tells in tells {
        assert!(last.2.contains(tells), "{tells}: {last:?}");
        assert!(result["reason"].as_str().unwrap().contains(tells), "{tells}: {result:#}");
    }
    // What people read says the same, and what to do.
    let run = project.run(&["check"]);
    assert!(run.out.contains(tells[0]) && run.out.contains("what to do: "), "{run:?}");
    assert!(!result["advice"].as_str().unwrap().is_empty(), "{result:#}");
    assert!(!project.path().join("mail/alice").exists(), "something was written");
    run.out + &run.err + &synced.to_string()
}

#[test]
fn every_login_that_dovecot_knows_gets_in() {
    let builder = Dovecot::builder().format(Format::Mdbox).mechanisms("plain login scram-sha-256");
    let Some(source) = Store::dovecot_with(builder, &["alice"]) else { return };
    source.fill("alice", &small("alice"));
    let Store::Dovecot(dovecot) = &source else { unreachable!() };
    let own = Endpoint::imap(dovecot.port());

    let with_own_password = to_files(own.clone()).people("source,target,source_password\nalice,alice,file:alice.pw\n");
    let file = with_own_password.path().join("alice.pw");
    fs::write(&file, PASSWORD).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let sentences = gets_in(&with_own_password);
    assert_eq!(sentences[2], "alice logs in");
    // SCRAM was offered, so the password itself never left.
    assert!(dovecot.log().contains("user=<alice>, method=SCRAM-SHA-256"), "{}", dovecot.log());

    for impersonate in ["authzid", "master:*"] {
        let project = to_files(own.clone().login(MIGRATOR, PASSWORD, impersonate)).person("alice");
        let sentences = gets_in(&project);
        assert_eq!(sentences[2], "migrator logs in for alice");
        assert!(sentences[3].contains("GUID"), "{sentences:?}");
    }
}

#[test]
fn the_identity_asked_for_goes_with_plain_too() {
    let Some(source) = Store::dovecot(Format::Maildir, &["alice"]) else { return };
    source.fill("alice", &small("alice"));
    gets_in(&to_files(source.endpoint()).person("alice"));
    let Store::Dovecot(dovecot) = &source else { unreachable!() };
    assert!(dovecot.log().contains("user=<alice>, method=PLAIN"), "{}", dovecot.log());
}

#[test]
fn tls_of_either_kind_is_verified_by_a_ca_file() {
    let dovecot = Dovecot::builder().tls(Flaw::None).user("alice", PASSWORD).master(MIGRATOR, PASSWORD).start();
    let cyrus = Cyrus::builder().tls(Flaw::None).user("alice@example.test", PASSWORD);
    let cyrus = cyrus.admin("migrator@example.test", PASSWORD).start();
    let (Some(dovecot), Some(cyrus)) = (dovecot, cyrus) else { return };
    fill(&mut Talk::login(dovecot.port(), "alice", PASSWORD), &small("alice"));
    fill(&mut Talk::login(cyrus.port(), "alice@example.test", PASSWORD), &small("alice"));
    for (domain, port, tls_port, ca_file) in [
        ("", dovecot.port(), dovecot.tls_port(), dovecot.ca_file()),
        ("@example.test", cyrus.port(), cyrus.tls_port(), cyrus.ca_file()),
    ] {
        for (tls, port) in [("starttls", port), ("implicit", tls_port)] {
            let endpoint = Endpoint::imap_tls(port, tls, Some(&ca_file));
            let endpoint = endpoint.login(&format!("{MIGRATOR}{domain}"), PASSWORD, "authzid");
            let sentences = gets_in(&to_files(endpoint).row(&format!("alice{domain},alice")));
            assert!(sentences[1].contains("TLS 1.3, certificate for localhost"), "{sentences:?}");
            assert_eq!(sentences[1].contains("STARTTLS"), tls == "starttls", "{sentences:?}");
        }
    }
}

#[test]
fn a_certificate_that_is_not_good_keeps_the_password_at_home() {
    let flaws = [
        (Flaw::WrongName, true, "is not for localhost"),
        (Flaw::Expired, true, "has expired"),
        (Flaw::WrongAuthority, true, "is not "),
        (Flaw::None, false, "give its certificate with ca_file"),
    ];
    let files = Store::maildir();
    files.fill("alice", &small("alice"));
    for (flaw, has_ca_file, tells) in flaws {
        for (tls, word) in [(Tls::FromTheStart, "implicit"), (Tls::ByCommand, "starttls")] {
            let server = ImapServer::builder().user("alice", "a").admin(MIGRATOR, PASSWORD).tls(tls, flaw).start();
            let ca_file = has_ca_file.then(|| server.ca_file());
            let endpoint = Endpoint::imap_tls(server.port(), word, ca_file.as_deref());
            let endpoint = endpoint.login(MIGRATOR, PASSWORD, "authzid");
            is_kept_out(&to_files(endpoint.clone()).person("alice"), 12, "source", "tls", &["certificate", tells]);
            let (code, synced) = Project::new(files.endpoint(), endpoint).person("alice").json(&["sync"]);
            assert_eq!((code, &synced["mailboxes"][0]["side"]), (12, &"target".into()), "{synced:#}");
            let sent: Vec<String> = server.log().into_iter().map(|received| received.line).collect();
            let harmless = |line: &String| line.ends_with(" CAPABILITY") || line.ends_with(" STARTTLS");
            assert!(sent.iter().all(harmless), "{flaw:?} {word}: {sent:?}");
        }
    }
    // A server that does not speak TLS where it should, or not at all.
    let plain = ImapServer::builder().user("alice", PASSWORD).start();
    for (tls, tells) in [("implicit", "does not speak TLS on this port"), ("starttls", "offers no STARTTLS")] {
        let endpoint = Endpoint::imap_tls(plain.port(), tls, None).login(MIGRATOR, PASSWORD, "authzid");
        is_kept_out(&to_files(endpoint).person("alice"), 12, "source", "tls", &[tells]);
    }
    assert!(!plain.log().iter().any(|received| received.line.contains("LOGIN") || received.line.contains("AUTH")));
}

#[test]
fn a_wrong_password_and_a_server_that_is_away_are_told_apart() {
    let server = ImapServer::builder().user("alice", "a").admin(MIGRATOR, PASSWORD).start();
    let good = Endpoint::imap(server.port());
    let wrong = good.clone().login(MIGRATOR, "not-the-password", "authzid");
    let said = is_kept_out(&to_files(wrong.clone()).person("alice"), 16, "source", "login", &["migrator", "alice"]);
    assert!(!said.contains("not-the-password"));
    let away = Endpoint::imap(free_port()).login(MIGRATOR, PASSWORD, "authzid");
    // The same on the other side, where nothing may have been written.
    let good = good.login(MIGRATOR, PASSWORD, "authzid");
    is_kept_out(&Project::new(good.clone(), wrong).row("alice,bob"), 16, "target", "login", &["127.0.0.1"]);
    // A server that does not answer is tried five times, so both at once.
    let refused = &["127.0.0.1", "is the server running, on this port?"];
    std::thread::scope(|scope| {
        scope.spawn(|| is_kept_out(&to_files(away.clone()).person("alice"), 10, "source", "connection", refused));
        let project = Project::new(good, away.clone()).person("alice");
        is_kept_out(&project, 10, "target", "connection", refused);
    });
    let nowhere = Endpoint::imap(free_port()).with("ca_file = \"nowhere.pem\"");
    let unnamed = nowhere.login(MIGRATOR, PASSWORD, "master");
    let run = to_files(unnamed).person("alice").run(&["sync"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("[endpoints.local]") && run.err.contains("master:*"), "{run:?}");
}

/// Without TLS everybody on the way can read: said with each command that talks to such a server, in capitals.
#[test]
fn no_tls_to_another_machine_is_loud() {
    // Nothing is sent: this only asks which address of this machine would be used.
    let own = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    let Some(own) = own.ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback()) else {
        return left_out("this machine has no address but loopback");
    };
    let listener = TcpListener::bind((own, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    // It greets, and is gone.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let greeting = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n* BYE closing\r\n";
            let _ = stream.and_then(|mut stream| std::io::Write::write_all(&mut stream, greeting));
        }
    });
    let loud = "THE CONNECTION IS NOT ENCRYPTED";
    for (host, is_loud) in [(own.to_string(), true), ("127.0.0.1".to_owned(), false)] {
        let port = if is_loud { port } else { free_port() };
        let endpoint = Endpoint::imap(port).with_host(&host).login(MIGRATOR, PASSWORD, "authzid");
        let project = to_files(endpoint).person("alice");
        for arguments in [["check"], ["sync"], ["discover"], ["verify"]] {
            let run = project.run(&arguments);
            assert_eq!((run.out + &run.err).contains(loud), is_loud, "{arguments:?} {host}");
        }
    }
}

#[test]
fn a_server_that_ignores_whose_store_is_asked_for_gets_and_gives_nothing() {
    for authzid in [Authzid::Ignored, Authzid::IgnoredIfKnown] {
        let odd = Store::dovecot_with(Dovecot::builder().authzid(authzid), &["alice"]);
        let (Some(odd), Some(well)) = (odd, Store::dovecot(Format::Mdbox, &["alice"])) else { return };
        for store in [&odd, &well] {
            store.fill("alice", &small("alice"));
        }
        odd.fill(MIGRATOR, &small(MIGRATOR));
        let states = || [odd.state("alice"), odd.state(MIGRATOR), well.state("alice")];
        let before = states();
        for (side, project) in [
            ("source", Project::new(odd.endpoint(), well.endpoint())),
            ("target", Project::new(well.endpoint(), odd.endpoint())),
        ] {
            let project = project.person("alice");
            let tells = ["reached the store of migrator itself", "ignores whose store is asked for"];
            is_kept_out(&project, 1, side, "not-their-store", &tells);
            let (code, _) = project.json(&["sync", "--dry-run"]);
            assert_eq!(code, 1);
            for (now, before) in states().iter().zip(&before) {
                assert_same_state(now, before);
            }
        }
    }
}

/// What real sites meet with Dovecot's acl plugin: an INBOX that can't be opened must not be taken for an empty mailbox.
#[test]
fn a_master_user_without_rights_is_told_what_to_set() {
    let odd = Store::dovecot_with(Dovecot::builder().acl(Acl::OfLogin), &["alice"]);
    let (Some(odd), Some(well)) = (odd, Store::dovecot(Format::Mdbox, &["alice"])) else { return };
    for store in [&odd, &well] {
        store.fill("alice", &small("alice"));
    }
    let before = [odd.state("alice"), well.state("alice")];
    for (side, project) in [
        ("source", Project::new(odd.endpoint(), well.endpoint())),
        ("target", Project::new(well.endpoint(), odd.endpoint())),
    ] {
        is_kept_out(&project.person("alice"), 1, side, "permission", &["migrator", "acl_user = %u"]);
        for (now, before) in [odd.state("alice"), well.state("alice")].iter().zip(&before) {
            assert_same_state(now, before);
        }
    }
    let Some(set) = Store::dovecot_with(Dovecot::builder().acl(Acl::OfOwner), &["alice"]) else { return };
    set.fill("alice", &small("alice"));
    let sentences = gets_in(&to_files(set.endpoint()).person("alice"));
    assert!(sentences[5].contains("has the rights"), "{sentences:?}");
}

fn with_tokens(mechanism: Mechanism) -> ImapServerBuilder {
    ImapServer::builder().user("alice", "a").mechanisms(&[mechanism]).without_login_command()
}

/// A server for tokens, with alice's mail on it.
fn token_server(mechanism: Mechanism) -> ImapServer {
    let server = with_tokens(mechanism).start();
    let alice = server.person("alice");
    for folder in small("alice") {
        let name = folder.path.join("/");
        if name != "INBOX" {
            alice.create(&name);
        }
        for message in folder.messages {
            alice.append(&name, message.bytes, &message.flags, Date::utc(message.received));
        }
    }
    server
}

fn private_file(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn tokens_come_from_a_command_and_are_fetched_anew_when_they_have_expired() {
    for mechanism in [Mechanism::Xoauth2, Mechanism::OauthBearer] {
        let server = token_server(mechanism);
        // Each call gives another; the even ones have expired before they are used, the others are good for one login.
        for number in (1..40).step_by(2) {
            server.add_token("alice", &format!("token-{number}-of-alice"), 1);
        }
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count");
        fs::write(&count, "0").unwrap();
        let script = format!("n=$(cat {0}); echo token-$n-of-$1; echo $((n+1)) > {0}", count.display());
        let command = format!("token = {{ command = [\"sh\", \"-c\", {script:?}, \"sh\", \"{{person}}\"] }}\n");
        let lines = format!("user = \"{MIGRATOR}\"\n{command}");
        gets_in(&to_files(Endpoint::imap(server.port()).login_lines(&lines)).person("alice"));
        assert_eq!(server.violations(), Vec::<String>::new());
    }
}

#[test]
fn a_token_in_a_file_is_read_anew_and_its_end_is_said() {
    let server = token_server(Mechanism::Xoauth2);
    server.add_token("alice", "first-token", u32::MAX);
    let lines = format!("user = \"{MIGRATOR}\"\ntoken = {{ file = \"{{person}}.token\" }}\n");
    let project = to_files(Endpoint::imap(server.port()).login_lines(&lines)).person("alice");
    let file = project.path().join("alice.token");
    private_file(&file, "stale-token\n");
    let said = is_kept_out(&project, 16, "source", "login", &["alice"]);
    assert!(!said.contains("stale-token"));
    private_file(&file, "first-token\n");
    gets_in(&project);
    server.expire_token("first-token");
    assert_eq!(project.run(&["sync"]).code, 16);
    server.add_token("alice", "second-token", u32::MAX);
    private_file(&file, "second-token");
    assert_eq!(project.run(&["sync"]).code, 0);
    // Like any secret, it is for nobody else to read.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let run = project.run(&["sync"]);
    assert_eq!(run.code, 16, "{run:?}");
    assert!(run.out.contains("alice.token") && run.out.contains("chmod 600"), "{run:?}");
}

#[test]
fn one_login_for_everybody_reaches_the_store_of_each() {
    let builder = Dovecot::builder().format(Format::Maildir);
    let (Some(source), Some(target)) =
        (Store::dovecot_with(builder, &["alice", "bob"]), Store::cyrus(&["alice", "bob"]))
    else {
        return;
    };
    let mut project = Project::new(source.endpoint(), target.endpoint());
    let mut judge = Judge::new();
    for name in ["alice", "bob"] {
        source.fill(name, &small(name));
        project = project.row(&format!("{name},{}", target.name(name)));
        judge = judge.person(name, source.side(name), target.side(name));
    }
    assert_eq!(project.run(&["sync"]).code, 0);
    let verdict = judge.compare().expect("Python is here");
    assert!(verdict.is_equal(), "{verdict:?}");
    let (_, found) = findings(&project, "target");
    assert!(found.iter().any(|(topic, _, sentence)| topic == "store" && sentence.contains("MAILBOXID")), "{found:?}");
}
