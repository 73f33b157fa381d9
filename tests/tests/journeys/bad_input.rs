//! Bad input of every kind: what, where, what to do; and nothing is changed (R-002, R-008, R-347).

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use conformance::servers::{Format, free_port, left_out};
use journeys::{
    mail::{BODY, SMALL, SUBJECT, small},
    project::{Endpoint, Project, Run, program},
    store::{PASSWORD, Store, assert_same_state},
};

const GOOD: &str = r#"version = 1
organisation = { name = "Example Trust", code = "RX1" }
database = "sqlite:whimbrel.db"

[endpoints.local]
kind = "imap"
host = "127.0.0.1"
port = 1
tls = "none"
connections_max = 4
[endpoints.local.login]
user = "migrator"
password = { file = "local.password" }
impersonate = "authzid"

[endpoints.archive]
kind = "maildir"
path = "mail/{target}"

[source]
mail = "local"

[target]
mail = "archive"
"#;
const PEOPLE: &str = "source,target\nalice,alice\nbob,bob\n";

/// A folder with a project that nothing is wrong with yet.
fn good() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "whimbrel.toml", GOOD, 0o600);
    write(&folder, "people.csv", PEOPLE, 0o600);
    write(&folder, "local.password", PASSWORD, 0o600);
    folder
}

fn write(folder: &tempfile::TempDir, name: &str, text: &str, mode: u32) {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Everything below a folder: names, modes, contents.
fn everything(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let about = fs::symlink_metadata(&path).unwrap();
        let contents = if about.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if about.is_dir() {
            found.append(&mut everything(&path));
        }
        found.insert(path, (about.permissions().mode(), contents));
    }
    found
}

fn run(folder: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::new(program());
    Run::of(command.arg("--project").arg(folder).args(arguments).env_remove("NOBODY_SET_THIS"))
}

/// Requires that a run ended with this code, told all this on its error output with what to do, and did not panic.
fn assert_told(run: &Run, code: i32, tells: &[&str]) {
    assert_eq!(run.code, code, "{run:?}");
    assert_eq!(run.out, "", "{run:?}");
    for tells in tells {
        assert!(run.err.contains(tells), "{tells:?} is not in {run:?}");
    }
    assert!(run.err.contains("what to do: "), "{run:?}");
    assert!(!run.err.contains("panicked") && !run.err.contains(PASSWORD), "{run:?}");
}

/// Requires that every command that works on the project is refused so, and leaves everything as it is.
fn assert_refused(folder: &Path, code: i32, tells: &[&str]) {
    let before = everything(folder);
    for arguments in [["sync"], ["check"], ["status"], ["verify"], ["discover"]] {
        assert_told(&run(folder, &arguments), code, tells);
    }
    assert!(everything(folder) == before, "{tells:?}: something was changed in {:?}", everything(folder).keys());
}

#[test]
fn a_project_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("nowhere");
    assert_refused(&missing, 2, &["nowhere/whimbrel.toml", "cannot be read", "whimbrel init"]);
    assert!(!missing.exists());
    assert_refused(folder.path(), 2, &["whimbrel.toml", "--project"]);
    write(&folder, "whimbrel.toml", GOOD, 0o600);
    assert_refused(folder.path(), 2, &["people.csv", "source,target"]);
}

#[test]
fn what_is_wrong_in_the_project_file_is_told_with_its_place() {
    for (from, to, code, tells) in [
        ("version = 1\n", "version = \n", 2, &["whimbrel.toml", "line 1, column 11"][..]),
        ("[source]", "[source", 2, &["whimbrel.toml", "line 20", "column"]),
        ("database =", "databse =", 2, &["line 3", "databse", "did you mean \"database\"?"]),
        ("connections_max", "conections_max", 2, &["[endpoints.local]", "line 10", "\"connections_max\"?"]),
        ("impersonate", "impersonat", 2, &["[endpoints.local]", "line 14", "did you mean \"impersonate\"?"]),
        ("[source]\nmail", "[source]\nmial", 2, &["line 21", "did you mean \"mail\"?"]),
        ("mail = \"archive\"", "mail = \"archiv\"", 2, &["target.mail = \"archiv\"", "did you mean \"archive\"?"]),
        ("mail = \"local\"", "mail = \"elsewhere\"", 2, &["source.mail", "[endpoints.elsewhere]"]),
        ("mail = \"local\"", "mail = []", 2, &["source.mail"]),
        ("port = 1\n", "port = \"imap\"\n", 2, &["[endpoints.local]", "line 8", "port"]),
        ("port = 1\n", "port = 70000\n", 2, &["[endpoints.local]", "line 8", "port"]),
        ("version = 1\n", "version = 1\npeople_at_once = \"4\"\n", 2, &["line 2", "people_at_once"]),
        ("version = 1\n", "version = 1\npeople_at_once = 0\n", 2, &["people_at_once = 0"]),
        ("version = 1\n", "version = 2\n", 2, &["version = 2", "version 1"]),
        ("version = 1\n", "", 2, &["version"]),
        ("version = 1\n", "version = 1\nprofile = \"nhs\"\n", 2, &["profile = \"nhs\" is not there", "nhsmail@2017"]),
        ("version = 1\n", "version = 1\npolicy.quota_bytes = 0\n", 2, &["policy.quota_bytes = 0", "a size in bytes"]),
        (", code = \"RX1\"", "", 3, &["refused by rule R-002", "code"]),
        ("code = \"RX1\"", "code = \"R-X 1\"", 3, &["refused by rule R-002", "R-X 1"]),
        ("kind = \"imap\"", "kind = \"imapp\"", 2, &["[endpoints.local]", "did you mean \"imap\"?"]),
        ("kind = \"imap\"\n", "", 2, &["[endpoints.local]", "kind is missing"]),
        ("host = \"127.0.0.1\"\n", "", 2, &["[endpoints.local]", "host"]),
        ("tls = \"none\"", "tls = \"ssl\"", 2, &["[endpoints.local]", "line 9", "implicit"]),
        ("\"mail/{target}\"", "\"mail\"", 2, &["[endpoints.archive]", "{target}"]),
        ("\"sqlite:whimbrel.db\"", "\"mysql://somewhere\"", 2, &["mysql", "sqlite:FILE", "postgres://"]),
        ("\"sqlite:whimbrel.db\"", "{ env = \"NOBODY_SET_THIS\" }", 2, &["NOBODY_SET_THIS is not set", "export"]),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let folder = good();
        write(&folder, "whimbrel.toml", &GOOD.replacen(from, to, 1), 0o600);
        assert_refused(folder.path(), code, tells);
    }
}

#[test]
fn what_is_wrong_in_the_people_is_told_with_its_lines() {
    let both = "mail = [\"local\", \"annex\"]\n\n[endpoints.annex]\nkind = \"maildir\"\npath = \"annex/{source}\"";
    let two = GOOD.replacen("[source]\nmail = \"local\"", &format!("[source]\n{both}"), 1);
    for (project, people, tells) in [
        (GOOD, "source,target\na,x\nb,y\nA,z\n", &["line 4", "\"A\" is in line 2 already"][..]),
        (GOOD, "source,target\na,x\nb,X\n", &["line 3", "\"X\" is in line 2 already"]),
        (GOOD, "source\na\n", &["line 1", "\"target\" is missing"]),
        (GOOD, "", &["line 1", "\"source\" is missing"]),
        (GOOD, "source,taget\na,b\n", &["line 1", "did you mean \"target\"?"]),
        (GOOD, "source,target,shoesize\na,b,9\n", &["line 1", "\"shoesize\"", "source_password"]),
        (GOOD, "source,target,target\na,b,c\n", &["line 1", "\"target\" is there twice"]),
        (GOOD, "source,target,quota\na,b,2GB\n", &["line 2", "quota \"2GB\"", "number of bytes"]),
        (GOOD, "source,target,kind\na,b,robot\n", &["line 2", "kind \"robot\"", "equipment"]),
        (GOOD, "source,target,target_in_use\na,b,maybe\n", &["line 2", "\"maybe\"", "yes nor no"]),
        (GOOD, "source,target\na,b,c\n", &["line 2", "3 cells"]),
        (GOOD, "source,target\n,b\n", &["line 2", "source is empty"]),
        (GOOD, "source,target,source_endpoint\na,b,anex\n", &["line 2", "source_endpoint \"anex\""]),
        (&two, "source,target,source_endpoint\na,b,anex\n", &["line 2", "did you mean \"annex\"?"]),
        (&two, "source,target\na,b\n", &["line 2", "source_endpoint is empty", "local, annex"]),
    ] {
        let folder = good();
        write(&folder, "whimbrel.toml", project, 0o600);
        write(&folder, "people.csv", people, 0o600);
        let tells: Vec<&str> = tells.iter().copied().chain(["people.csv"]).collect();
        assert_refused(folder.path(), 2, &tells);
    }
    let folder = good();
    fs::write(folder.path().join("people.csv"), b"source,target\na,b\nM\xfcller,c\n").unwrap();
    assert_refused(folder.path(), 2, &["people.csv, line 3", "UTF-8"]);
}

/// Each command opens the project first; what it needs beyond that is refused before anything is done.
#[test]
fn secrets_that_are_missing_or_open_to_others_are_refused() {
    let folder = good();
    write(&folder, "people.csv", "source,target,source_password\na,b,raspberry\n", 0o644);
    assert_refused(folder.path(), 3, &["refused by rule R-347", "people.csv", "chmod 600"]);
    for (password, mode, code, tells) in [
        (
            "{ file = \"local.password\" }",
            Some(0o640),
            3,
            &["refused by rule R-347", "local.password", "chmod 600"][..],
        ),
        ("{ file = \"no.password\" }", None, 2, &["[endpoints.local]", "no.password", "relative to the project"]),
        ("{ env = \"NOBODY_SET_THIS\" }", None, 2, &["[endpoints.local]", "NOBODY_SET_THIS is not set", "export"]),
        ("\"raspberry\"", None, 2, &["[endpoints.local]", "line 13", "password"]),
    ] {
        let folder = good();
        write(&folder, "whimbrel.toml", &GOOD.replacen("{ file = \"local.password\" }", password, 1), 0o600);
        write(&folder, "local.password", PASSWORD, mode.unwrap_or(0o600));
        let before = everything(folder.path());
        for arguments in [["sync"], ["check"], ["verify"], ["discover"]] {
            let run = run(folder.path(), &arguments);
            assert_told(&run, code, tells);
            assert!(!run.err.contains("raspberry"), "{run:?}");
        }
        assert!(everything(folder.path()) == before, "{:?}", everything(folder.path()).keys());
    }
}

#[test]
fn a_database_that_cannot_be_used_is_named_and_left_as_it_is() {
    let folder = good();
    for (database, tells) in [
        ("sqlite:no/such/folder/whimbrel.db".to_owned(), vec!["no/such/folder/whimbrel.db"]),
        ("sqlite:.".to_owned(), vec!["cannot be used"]),
        ("sqlite:people.csv".to_owned(), vec!["people.csv", "not a database"]),
        (format!("postgres://me:raspberry@127.0.0.1:{}/x", free_port()), vec!["127.0.0.1", "cannot be used"]),
    ] {
        write(&folder, "whimbrel.toml", &GOOD.replacen("sqlite:whimbrel.db", &database, 1), 0o600);
        let before = everything(folder.path());
        let run = run(folder.path(), &["sync"]);
        assert_told(&run, 2, &tells);
        assert!(!run.err.contains("raspberry"), "{run:?}");
        assert!(everything(folder.path()) == before, "{:?}", everything(folder.path()).keys());
    }
    // A file that others, or nobody, may write to.
    let folder = good();
    symlink("/proc/version", folder.path().join("whimbrel.db")).unwrap();
    assert_told(&run(folder.path(), &["sync"]), 2, &["whimbrel.db", "cannot be used"]);
}

#[test]
fn a_database_of_a_newer_program_is_refused() {
    let folder = good();
    assert_eq!(run(folder.path(), &["status"]).code, 0);
    let newer = "import sqlite3, sys\nd = sqlite3.connect(sys.argv[1])\n\
        d.execute('INSERT INTO whimbrel_schema (version) VALUES (99)')\nd.commit()\nd.close()";
    let python = Command::new("python3").args(["-c", newer]).arg(folder.path().join("whimbrel.db")).status();
    let Ok(status) = python else { return left_out("python3 is not here") };
    assert!(status.success());
    assert_refused(folder.path(), 2, &["version 99", "newer program"]);
}

/// A file system of a few hundred KiB, which goes with this value. None when this machine lets nobody make one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(kib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"]).arg(folder.path());
        let mounted = mount.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        left_out("no small disk can be mounted here: the tests don't run as root");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

/// A server with a mailbox of a few megabytes on it.
fn large_mailbox() -> Option<Store> {
    let source = Store::dovecot(Format::Mdbox, &["alice"])?;
    source.fill("alice", &small("alice"));
    let body = format!("Subject: large\r\n\r\n{}", "0123456789abcdef\r\n".repeat(30_000));
    let mut talk = source.talk("alice");
    for _ in 0..6 {
        assert!(talk.append("INBOX", "", body.as_bytes()).is_ok());
    }
    Some(source)
}

const LARGE: u64 = 6;

#[test]
fn a_full_disk_stops_the_copy_and_loses_nothing() {
    let (Some(source), Some(disk)) = (large_mailbox(), SmallDisk::new(1500)) else { return };
    let before = source.state("alice");
    let path = format!("{}/{{target}}", disk.0.path().display());
    let project = Project::new(source.endpoint(), Endpoint::maildir(&path)).person("alice");
    let (code, synced) = project.json(&["sync"]);
    assert_eq!(code, 1, "{synced:#}");
    let result = &synced["mailboxes"][0];
    assert_eq!((&result["cause"], &result["side"]), (&"over-quota".into(), &"target".into()), "{synced:#}");
    assert!(result["reason"].as_str().unwrap().contains("No space left on device"), "{synced:#}");
    assert!(result["advice"].as_str().unwrap().contains("make room"), "{synced:#}");
    let copied = synced["copied"].as_u64().unwrap();
    assert!(copied < SMALL + LARGE, "{synced:#}");
    assert_same_state(&source.state("alice"), &before);

    // With room it goes on from there.
    let remount = Command::new("mount").args(["-o", "remount,size=64m"]).arg(disk.0.path()).status().unwrap();
    assert!(remount.success());
    let (code, synced) = project.json(&["sync"]);
    assert_eq!((code, &synced["copied"]), (0, &(SMALL + LARGE - copied).into()), "{synced:#}");
    let run = project.run(&["verify"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("0 unexplained"), "{run:?}");
}

#[test]
fn a_full_disk_under_the_database_stops_the_run_and_loses_nothing() {
    let (Some(source), Some(disk)) = (large_mailbox(), SmallDisk::new(400)) else { return };
    let mut talk = source.talk("alice");
    for number in 0..800 {
        assert!(talk.append("INBOX", "", format!("Subject: {number}\r\n\r\n{number}\r\n").as_bytes()).is_ok());
    }
    let database = format!("database = \"sqlite:{}/whimbrel.db\"", disk.0.path().display());
    let project = Project::new(source.endpoint(), Endpoint::maildir("mail/{target}")).person("alice").with(&database);
    let run = project.run(&["sync"]);
    assert!([1, 2, 70].contains(&run.code), "{run:?}");
    let said = run.out.clone() + &run.err;
    assert!(said.contains("disk is full") && said.contains("what to do: ") && said.contains("has room"), "{run:?}");
    assert!(!said.contains("panicked"), "{run:?}");

    let remount = Command::new("mount").args(["-o", "remount,size=64m"]).arg(disk.0.path()).status().unwrap();
    assert!(remount.success());
    let (code, synced) = project.json(&["sync"]);
    assert_eq!(code, 0, "{synced:#}");
    let (code, verified) = project.json(&["verify"]);
    assert_eq!((code, &verified["all"]["on_target"]), (0, &(SMALL + LARGE + 800).into()), "{verified:#}");
    assert_eq!(verified["all"]["others_on_target"], 0, "{verified:#}");
}

#[test]
fn a_maildir_that_cannot_be_written_is_named() {
    let Some(source) = Store::dovecot(Format::Mdbox, &["alice", "bob"]) else { return };
    for name in ["alice", "bob"] {
        source.fill(name, &small(name));
    }
    let project = Project::new(source.endpoint(), Endpoint::maildir("mail/{target}")).person("alice").person("bob");
    // Even root writes to no file as if it were a folder.
    fs::create_dir(project.path().join("mail")).unwrap();
    fs::write(project.path().join("mail/alice"), "not a folder").unwrap();
    let (code, synced) = project.json(&["sync"]);
    assert_eq!(code, 1, "{synced:#}");
    let result = &synced["mailboxes"][0];
    assert_eq!((&result["cause"], &result["side"]), (&"local-file".into(), &"target".into()), "{synced:#}");
    assert!(result["reason"].as_str().unwrap().contains("mail/alice"), "{synced:#}");
    assert_eq!(synced["mailboxes"][1]["copied"], SMALL, "{synced:#}");

    // A disk that is there to be read only.
    let Some(disk) = SmallDisk::new(1000) else { return };
    let remount = Command::new("mount").args(["-o", "remount,ro"]).arg(disk.0.path()).status().unwrap();
    assert!(remount.success());
    let path = format!("{}/{{target}}", disk.0.path().display());
    let project = Project::new(source.endpoint(), Endpoint::maildir(&path)).person("alice");
    let (code, synced) = project.json(&["sync"]);
    assert_eq!((code, &synced["mailboxes"][0]["failed_by_cause"]["permission"]), (1, &SMALL.into()), "{synced:#}");
    let told = project.run(&["sync"]);
    assert!(told.out.contains("6 items failed for permission: Give whoever logs in"), "{told:?}");
    // And a project there.
    let folder = disk.0.path();
    assert_told(&run(folder, &["sync"]), 2, &["whimbrel.toml"]);
}

/// Neither a password nor anything of a message is said, logged or kept anywhere but on the target.
#[test]
fn no_secret_and_no_content_goes_anywhere_else() {
    let (Some(source), Some(target)) =
        (Store::dovecot(Format::Maildir, &["alice", "bob"]), Store::cyrus(&["alice", "bob"]))
    else {
        return;
    };
    for name in ["alice", "bob"] {
        source.fill(name, &small(name));
    }
    // One that can't travel: its exception is where a subject would slip out.
    let broken = format!("Subject: {SUBJECT}\r\n\r\n{BODY} \0\r\n");
    assert!(source.talk("bob").append("INBOX", "", broken.as_bytes()).is_ok());
    // Wrong passwords are secrets too: they are often right somewhere else.
    let (plain, wrong) = ("plain-raspberry", "wrong-raspberry");
    let rows = format!(
        "source,target,source_password,target_password\nalice,{},{PASSWORD},{wrong}\nbob,{},,env:BOBS\n",
        target.name("alice"),
        target.name("bob")
    );
    let endpoint = target.endpoint();
    let project = Project::new(source.endpoint(), endpoint).people(&rows);
    let mut said = String::new();
    for (command, bobs) in [
        ("check", plain),
        ("sync", plain),
        ("check", PASSWORD),
        ("discover", PASSWORD),
        ("sync", PASSWORD),
        ("status", PASSWORD),
        ("verify", PASSWORD),
        ("doctor", PASSWORD),
    ] {
        for json in [&[][..], &["--json"]] {
            let run = Run::of(project.command(&["-vv", command]).args(json).env("BOBS", bobs).env("RUST_LOG", "trace"));
            assert!(run.code < 70, "{run:?}");
            said = said + &run.out + &run.err;
        }
    }
    assert!(said.contains("copied") && said.contains("people.csv: passwords are written out in line 2"), "{said}");
    let secrets = [PASSWORD, plain, wrong, SUBJECT, BODY];
    for secret in secrets {
        assert!(!said.contains(secret), "{secret} was said");
    }
    for (path, (_, contents)) in everything(project.path()) {
        if path.ends_with("people.csv") || path.extension().is_some_and(|extension| extension == "password") {
            continue;
        }
        let text = String::from_utf8_lossy(&contents);
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} is in {}", path.display());
        }
    }
}
