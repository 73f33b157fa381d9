//! Complaints about other tools that no other test stands for, and the page that lists them all, `docs/rivals.md`.

use std::{fs, path::Path, time::Instant};

use conformance::{
    imap_server::{Act, ImapServer, Rule},
    proxy::Proxy,
    servers::{Dovecot, Format},
};
use journeys::{
    judge::Judge,
    mail::{Folder, Message, numbered},
    pair::put,
    project::{Endpoint, Project},
    store::{MIGRATOR, PASSWORD, Store, assert_same_state},
};

fn folder(path: &[&str], numbers: std::ops::Range<usize>) -> Folder {
    Folder { path: path.iter().map(|name| (*name).to_owned()).collect(), messages: numbers.map(numbered).collect() }
}

/// imapsync #305: the same eight messages of Gmail with each run.
#[test]
fn messages_with_labels_are_copied_once_and_not_again() {
    let source = Store::memory(ImapServer::builder().gmail(), &["alice"]);
    let Some(target) = Store::dovecot(Format::Mdbox, &["alice"]) else { return };
    let Store::Memory(server) = &source else { unreachable!() };
    let person = server.person("alice");
    for number in 0..8 {
        let uid = person.deliver("[Gmail]/All Mail", numbered(number).bytes);
        if number < 4 {
            person.copy("[Gmail]/All Mail", uid, "INBOX");
            person.copy("[Gmail]/All Mail", uid, "[Gmail]/Starred");
        }
    }
    let project = Project::new(source.endpoint(), target.endpoint()).person("alice");
    // One for each label; the views are left out.
    for copied in [12, 0, 0] {
        let (code, synced) = project.json(&["sync"]);
        assert_eq!((code, &synced["copied"]), (0, &copied.into()), "{synced:#}");
    }
    let there = ["INBOX", "[Gmail]/All Mail", "[Gmail]/Starred"].map(|name| target.uids("alice", name).len());
    assert_eq!(there, [4, 8, 0]);
}

/// imapsync #478, #451, #199, #324, #276, #247; Vandelay #32: names changed, flattened, refused.
#[test]
fn folder_names_that_others_have_broken_stay_as_they_are() {
    let builder = || Dovecot::builder().namespace('.', "INBOX.");
    let targets = [
        Store::dovecot_with(builder(), &["alice"]),
        Store::dovecot(Format::Mdbox, &["alice"]),
        Store::cyrus(&["alice"]),
    ];
    for target in targets {
        let (Some(source), Some(target)) = (Store::dovecot(Format::Mdbox, &["alice"]), target) else { return };
        source.fill(
            "alice",
            &[
                folder(&["Envoyés"], 0..2),
                folder(&["Boîte d'envoi", "été", "2019"], 2..4),
                folder(&[" leading space"], 4..5),
                folder(&["Recht & Ordnung"], 5..6),
                folder(&["日本語", "INBOX"], 6..7),
                folder(&["Files"], 7..8),
            ],
        );
        let row = format!("{},{}", source.name("alice"), target.name("alice"));
        let project = Project::new(source.endpoint(), target.endpoint()).row(&row);
        let (code, synced) = project.json(&["sync"]);
        assert_eq!((code, &synced["copied"]), (0, &8.into()), "{synced:#}");
        let verdict = Judge::new().person("alice", source.side("alice"), target.side("alice")).compare().unwrap();
        assert!(verdict.is_equal(), "{verdict:?}");
    }
}

/// imapsync #272, #198, #212: a server that says how long to wait is taken for one that is away.
#[test]
fn a_server_that_asks_to_be_left_alone_for_a_while_is() {
    let target = Store::memory(ImapServer::builder(), &["alice"]);
    let Some(source) = Store::dovecot(Format::Mdbox, &["alice"]) else { return };
    put(&source, "INBOX", 0..5);
    let Store::Memory(server) = &target else { unreachable!() };
    let said = "NO [UNAVAILABLE] Server Busy. Suggested Backoff Time: 2500 milliseconds";
    server.add_rule(Rule::on("APPEND", Act::Answer(said.to_owned())));
    let project = Project::new(source.endpoint(), target.endpoint()).person("alice");
    let began = Instant::now();
    let (code, synced) = project.json(&["sync"]);
    assert_eq!((code, &synced["copied"], &synced["failed"]), (0, &5.into(), &0.into()), "{synced:#}");
    assert!(began.elapsed().as_millis() >= 2_500);
}

/// The commands that are sent to a target, all of which stay within the mailbox.
const COMMANDS: [&str; 24] = [
    "",
    "APPEND",
    "AUTHENTICATE",
    "CAPABILITY",
    "CREATE",
    "ENABLE",
    "EXAMINE",
    "FETCH",
    "ID",
    "LIST",
    "LOGIN",
    "LOGOUT",
    "LSUB",
    "MYRIGHTS",
    "NAMESPACE",
    "NOOP",
    "SELECT",
    "STATUS",
    "SUBSCRIBE",
    "UID FETCH",
    "UID SEARCH",
    "UID STORE",
    "UNSELECT",
    "GETMETADATA",
];

/// Receipts sent for mail of many years at its first opening, reports in people's INBOX: nothing that a migration does may
/// cause mail. What asks for a receipt stays unread on both sides, and what was answered stays marked so.
#[test]
fn mail_that_asks_for_a_receipt_stays_unread_and_nothing_is_sent() {
    let (Some(source), Some(target)) =
        (Store::dovecot(Format::Mdbox, &["alice"]), Store::dovecot(Format::Sdbox, &["alice"]))
    else {
        return;
    };
    let asking = |number: usize, flags: &[&'static str]| {
        let header = b"Disposition-Notification-To: a@example.test\r\nReturn-Receipt-To: a@example.test\r\n";
        Message {
            bytes: [header, numbered(number).bytes.as_slice()].concat(),
            flags: flags.to_vec(),
            ..numbered(number)
        }
    };
    let mut inbox = folder(&["INBOX"], 0..0);
    inbox.messages = vec![asking(1, &[]), asking(2, &["\\Seen", "$MDNSent"])];
    source.fill("alice", &[inbox]);
    let before = source.state("alice");
    let [here, there] = [&source, &target].map(|store| Proxy::to(store.port()).imap().start());
    let endpoint = |proxy: &Proxy| Endpoint::imap(proxy.port()).login(MIGRATOR, PASSWORD, "authzid");
    let project = Project::new(endpoint(&here), endpoint(&there)).person("alice");
    assert_eq!(project.run(&["sync"]).code, 0);
    assert_eq!(project.run(&["verify"]).code, 0);
    assert_same_state(&source.state("alice"), &before);
    let verdict = Judge::new().person("alice", source.side("alice"), target.side("alice")).compare().unwrap();
    assert!(verdict.is_equal(), "{verdict:?}");
    for name in here.commands().into_iter().chain(there.commands()) {
        assert!(COMMANDS.contains(&name.as_str()), "{name}");
    }
}

/// Every test that `docs/rivals.md` names is there.
#[test]
fn every_test_that_the_page_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("docs/rivals.md")).unwrap();
    let named: Vec<&str> = page.split('`').filter(|word| word.contains(".rs::")).collect();
    assert!(named.len() > 30);
    for name in named {
        let (file, test) = name.split_once("::").unwrap();
        let text = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(text.contains(&format!("fn {test}(")), "{name} is not there");
    }
}
