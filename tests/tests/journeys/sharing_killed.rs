//! `sharing inject`, killed at any moment and run again: nothing is given twice, nothing is missing (R-206, R-213).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    process::Stdio,
    thread,
    time::{Duration, Instant, SystemTime},
};

use conformance::servers::{Ldif, Slapd};
use journeys::{
    organisation::PLATFORM,
    project::{Endpoint, Project},
    store::Store,
};
use rehearsal::Chance;
use serde_json::json;

use super::sharing::{rights, sharing_dovecot, sign};

const WARDS: usize = 8;
const STAFF: usize = 16;
const FOLDERS: [&str; 5] = ["INBOX", "Clinic", "Letters", "Letters/2024", "Rota"];

fn name(number: usize) -> String {
    format!("person{number}")
}

fn account(number: usize) -> String {
    format!("given.name{number}@national.test")
}

fn account_dn(number: usize) -> String {
    format!("mail={},{PLATFORM}", account(number))
}

/// Accounts of everybody, with the address that they have at the source.
fn accounts() -> Ldif {
    (0..WARDS + STAFF).fold(Ldif::new(), |ldif, number| {
        let texts = [
            ("objectClass", "inetOrgPerson".to_owned()),
            ("objectClass", "mailRecipientOfTests".to_owned()),
            ("cn", format!("Given Name{number}")),
            ("givenName", "Given".to_owned()),
            ("sn", format!("Name{number}")),
            ("mail", account(number)),
            ("proxyAddresses", format!("smtp:{}@trust.test", name(number))),
            ("organisationCode", "RX1".to_owned()),
        ];
        let values: Vec<(&str, &[u8])> = texts.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        ldif.add(&account_dn(number), &values)
    })
}

/// The rights of a file, and what the two platforms are to show in the end.
struct Truth {
    file: String,
    /// By mailbox and folder.
    folders: BTreeMap<(usize, &'static str), BTreeSet<String>>,
    /// By entry and attribute.
    entries: BTreeMap<(usize, &'static str), BTreeSet<String>>,
}

const ALL: &str = "admin create delete expunge insert lookup post read write write-deleted write-seen";

fn truth() -> Truth {
    let mut truth =
        Truth { file: "mailbox,grantee,right,folder\n".to_owned(), folders: BTreeMap::new(), entries: BTreeMap::new() };
    for ward in 0..WARDS {
        for nth in 0..6 {
            let (who, mailbox) = (WARDS + (ward * 5 + nth * 3) % STAFF, name(ward));
            let grantee = name(who);
            let folders =
                |only: Option<&'static str>| FOLDERS.into_iter().filter(move |of| only.is_none_or(|it| it == *of));
            let (right, only, said) = match nth {
                0 | 1 => ("full-access", None, ALL),
                2 => ("lrs", Some("Clinic"), "lookup read write-seen"),
                _ => ("lr", Some("Letters/2024"), "lookup read"),
            };
            let _ =
                writeln!(truth.file, "{mailbox}@trust.test,{grantee}@trust.test,{right},{}", only.unwrap_or_default());
            for folder in folders(only) {
                let line = format!("user={} {said}", account(who));
                truth.folders.entry((ward, folder)).or_default().insert(line);
            }
            for (right, attribute) in [("send-as", "maySendAs"), ("send-on-behalf", "publicDelegates")] {
                let _ = writeln!(truth.file, "{mailbox}@trust.test,{grantee}@trust.test,{right},");
                truth.entries.entry((ward, attribute)).or_default().insert(account_dn(who));
            }
        }
    }
    truth
}

/// What the directory shows of the wards; of each attribute's values how many there are, each once.
fn in_directory(platform: &Slapd) -> BTreeMap<(usize, &'static str), BTreeSet<String>> {
    let mut shown = BTreeMap::new();
    for number in 0..WARDS + STAFF {
        let filter = format!("(mail={})", account(number));
        let record = platform.search(PLATFORM, &filter, &["*"]).remove(0);
        for attribute in ["maySendAs", "publicDelegates", "mayOpen"] {
            let texts = record.texts(attribute);
            let each: BTreeSet<String> = texts.iter().cloned().collect();
            assert_eq!(each.len(), texts.len(), "nothing twice: {texts:?}");
            if !each.is_empty() {
                shown.insert((number, attribute), each);
            }
        }
    }
    shown
}

/// How many rights Dovecot's own files hold; each once.
fn in_files(target: &Store) -> usize {
    let Store::Dovecot(dovecot) = target else { unreachable!("it is one") };
    let mut count = 0;
    for ward in 0..WARDS {
        for folder in FOLDERS {
            let below = if folder == "INBOX" { String::new() } else { format!(".{}", folder.replace('/', ".")) };
            let file = dovecot.maildir(&account(ward)).join(below).join("dovecot-acl");
            let text = fs::read_to_string(file).unwrap_or_default();
            let holders: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
            let each: BTreeSet<&&str> = holders.iter().collect();
            assert_eq!(each.len(), holders.len(), "nothing twice: {text}");
            count += holders.len();
        }
    }
    count
}

fn project(target: &Store, platform: &Slapd) -> Project {
    let directories = format!(
        r#"[directories.hr]
kind = "csv"
path = "hr.csv"
[directories.platform]
kind = "ldap"
host = "127.0.0.1"
port = {}
tls = "none"
user = "{}"
password = {{ file = "platform.secret" }}
bases = ["{PLATFORM}"]
[directories.platform.attributes]
organisation = ["organisationCode"]
delegates = ["publicDelegates"]
send_as = ["maySendAs"]
full_access = ["mayOpen"]
[directories.platform.write]
base = "{PLATFORM}"
[people]
sources = ["hr"]
platform = "platform"
domain = "national.test"
"#,
        platform.port(),
        Slapd::ADMIN
    );
    let source = Endpoint::maildir("mail/{source}");
    let project = Project::new(source, target.endpoint()).with("people_at_once = 4").with(&directories);
    let people = (0..WARDS + STAFF).fold("LocalUniqueId,FirstName,LastName,Email\n".to_owned(), |mut text, number| {
        let _ = writeln!(text, "{number},Given,Name{number},{}@trust.test", name(number));
        text
    });
    fs::write(project.path().join("hr.csv"), people).unwrap();
    let secret = project.path().join("platform.secret");
    fs::write(&secret, Slapd::ADMIN_PASSWORD).unwrap();
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    project
}

#[test]
fn sharing_that_is_killed_at_any_moment_is_finished_with_nothing_twice_and_nothing_missing() {
    let accounts_there: Vec<String> = (0..WARDS + STAFF).map(account).collect();
    let names: Vec<&str> = accounts_there.iter().map(String::as_str).collect();
    let Some(target) = Store::dovecot_with(sharing_dovecot(), &names) else { return };
    let Some(platform) = Slapd::start() else { return };
    platform.apply(&accounts());
    for ward in 0..WARDS {
        let mut talk = target.talk(&account(ward));
        for folder in &FOLDERS[1..] {
            talk.ok(&format!("CREATE {folder}"));
        }
    }
    let (project, truth) = (project(&target, &platform), truth());
    let file = project.path().join("rights.csv");
    fs::write(&file, &truth.file).unwrap();
    let (code, read) = project.json(&["people", "sync"]);
    assert_eq!((code, &read["classes"]["existing"]), (0, &json!(WARDS + STAFF)), "{read:#}");
    assert_eq!(project.json(&["sharing", "discover", "--file", file.to_str().unwrap()]).0, 0);
    assert_eq!(sign(|arguments| project.json(arguments)).0, 0);
    let wanted: usize = truth.folders.values().map(BTreeSet::len).sum();

    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos().into();
    let mut chance = Chance::new(seed);
    let (mut kills, mut before) = (0, 0);
    for round in 0..40 {
        let mut command = project.command(&["sharing", "inject"]);
        let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Now somewhere on its way, now after so many more rights.
        let (until, more) = (Duration::from_millis(20 + chance.below(120)), 1 + chance.below(12) as usize);
        let started = Instant::now();
        let ended = loop {
            if running.try_wait().unwrap().is_some() {
                break true;
            }
            let is_time = if round % 2 == 0 { started.elapsed() >= until } else { in_files(&target) >= before + more };
            if is_time {
                break false;
            }
            thread::sleep(Duration::from_millis(2));
        };
        if ended {
            break;
        }
        running.kill().unwrap();
        running.wait().unwrap();
        kills += 1;
        let now = in_files(&target);
        assert!(before <= now && now <= wanted, "{now} after {before}, {wanted} in the end (seed {seed})");
        before = now;
    }
    println!("killed {kills} times, the last with {before} of {wanted} rights given");
    assert!(kills >= 4, "killed {kills} times (seed {seed})");

    let (code, given) = project.json(&["sharing", "inject"]);
    assert_eq!(code, 0, "seed {seed}: {given:#}");
    assert_eq!(in_files(&target), wanted, "seed {seed}");
    assert_eq!(in_directory(&platform), truth.entries, "seed {seed}");
    for ((ward, folder), expected) in &truth.folders {
        assert_eq!(rights(&target, &account(*ward), folder), *expected, "{ward} {folder}, seed {seed}");
    }
    let (code, compared) = project.json(&["sharing", "compare"]);
    assert_eq!((code, &compared["equal"]), (0, &json!(true)), "seed {seed}: {compared:#}");
    assert_eq!(project.json(&["sharing", "inject"]).1["added"], 0);
}
