//! What other tools have left on the target, half done or done, is adopted: nothing is doubled, nothing is missing, what
//! they changed is named, and what they put there is never removed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use conformance::{
    proxy::{After, Point, Proxy, Trap},
    servers::{Dovecot, Format, left_out},
};
use journeys::{
    judge::Judge,
    mail::{Folder, Message, imap_date, imap_name, numbered},
    project::Project,
    store::{PASSWORD, Store, assert_same_state},
};

/// How long a tool may take to get as far as it is to get.
const PATIENCE: Duration = Duration::from_mins(1);
/// Without UIDPLUS.
const POOR: &str = "IMAP4rev1 LITERAL+ NAMESPACE CHILDREN UNSELECT";
/// Folders, and the numbers of the messages in them.
const FOLDERS: [(&[&str], &[usize]); 5] = [
    // Two and two of these are the same message.
    (&["INBOX"], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 50, 50, 51, 51]),
    (&["Sent"], &[20, 21, 22, 23, 24, 25, 26, 27]),
    // One that is in INBOX, too.
    (&["Projekte", "2019"], &[30, 31, 32, 33, 0]),
    (&["Entwürfe"], &[40, 41, 42, 43]),
    (&["Empty"], &[]),
];

fn mailbox() -> Vec<Folder> {
    let flags: [&[&str]; 4] = [&["\\Seen"], &[], &["\\Seen", "\\Answered"], &["\\Flagged"]];
    let message = |number: &usize| Message { flags: flags[number % 4].to_vec(), ..numbered(*number) };
    let folder = |(path, numbers): &(&[&str], &[usize])| Folder {
        path: path.iter().map(|name| (*name).to_owned()).collect(),
        messages: numbers.iter().map(message).collect(),
    };
    let mut mailbox: Vec<Folder> = FOLDERS.iter().map(folder).collect();
    // The same Message-ID and date, another body.
    let mut alike = numbered(26);
    alike.bytes.extend_from_slice(b"and more\r\n");
    mailbox[1].messages.push(alike);
    mailbox
}

/// How what a tool left differs from what the source has.
#[derive(Clone, Copy, PartialEq)]
enum Left {
    Exact,
    /// It has a header more.
    OtherBytes,
    OtherDate,
}

/// A source with [`mailbox`] and a target with nothing.
fn stores(target: Option<Store>) -> Option<(Store, Store)> {
    let source = Store::dovecot(Format::Mdbox, &["alice"])?;
    source.fill("alice", &mailbox());
    Some((source, target?))
}

/// The numbers of the messages in each folder, in their order.
fn numbers(store: &Store) -> BTreeMap<String, Vec<usize>> {
    let folder = |(path, _): &(&[&str], &[usize])| {
        let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
        let mut numbers: Vec<usize> =
            store.uids("alice", &imap_name(&path)).into_iter().map(|(number, _)| number).collect();
        numbers.sort_unstable();
        (path.join("/"), numbers)
    };
    FOLDERS.iter().map(folder).collect()
}

fn count(numbers: &BTreeMap<String, Vec<usize>>) -> u64 {
    numbers.values().map(|numbers| numbers.len() as u64).sum()
}

/// Whimbrel after a tool: takes over what that left, copies the rest, then follows the source with its own copies alone.
fn takes_over(source: &Store, target: &Store, left: Left) {
    takes_over_where(source, target, left, true);
}

/// The same on a target that moves and removes single messages, or one that does not.
fn takes_over_where(source: &Store, target: &Store, left: Left, removes: bool) {
    let (all, before) = (numbers(source), numbers(target));
    println!("the tool left {} of {} messages", count(&before), count(&all));
    assert!(count(&before) > 0, "the tool did nothing");
    let project = Project::new(source.endpoint(), target.endpoint()).person("alice");
    let (code, synced) = project.json(&["sync"]);
    assert_eq!((code, &synced["adopted"]), (0, &count(&before).into()), "{synced:#}");
    assert_eq!(synced["copied"], count(&all) - count(&before), "{synced:#}");
    assert_eq!(numbers(target), all, "none is doubled, none is missing");

    let (_, status) = project.json(&["status"]);
    for folder in status["mailboxes"][0]["folders"].as_array().unwrap() {
        let path = folder["path"].as_str().unwrap();
        let adopted = before.get(path).map_or(0, Vec::len);
        assert_eq!(folder["items"]["adopted"], adopted, "{folder:#}");
        assert_eq!(folder["items"]["source"], all.get(path).map_or(0, Vec::len), "{folder:#}");
        assert_eq!(folder["is_complete"], true, "{folder:#}");
    }
    assert_eq!(status["unaccounted"], 0, "{status:#}");

    names_what_differs(&project, left, count(&all), count(&before));
    let verdict = Judge::new().person("alice", source.side("alice"), target.side("alice")).compare();
    let differing = verdict.expect("Python is here").differences("alice").len() as u64;
    assert_eq!(differing, if left == Left::Exact { 0 } else { count(&before) });
    writes_nothing(&project, target);
    follows_with_its_own(source, target, &project, &before, removes);
}

/// What `verify` says: nothing is missing or doubled, and each item that the tool has changed is named.
fn names_what_differs(project: &Project, left: Left, all: u64, adopted: u64) {
    let (code, verified) = project.json(&["verify"]);
    let differences = verified["mailboxes"][0]["verification"]["differences"].as_array().unwrap();
    let kinds: BTreeSet<&str> = differences.iter().map(|difference| difference["kind"].as_str().unwrap()).collect();
    let same = if left == Left::OtherBytes { all - adopted } else { all };
    assert_eq!(verified["all"]["on_target"], same, "{verified:#}");
    assert_eq!(verified["all"]["others_on_target"], 0, "{verified:#}");
    let (expected, number) = match left {
        Left::Exact => (None, 0),
        Left::OtherBytes => (Some("changed-bytes"), adopted),
        Left::OtherDate => (Some("adopted-date"), adopted),
    };
    assert_eq!(kinds, expected.into_iter().collect(), "{verified:#}");
    assert_eq!((code, differences.len() as u64), (i32::from(number > 0), number), "{verified:#}");
}

fn writes_nothing(project: &Project, target: &Store) {
    let state = target.state("alice");
    let (code, again) = project.json(&["sync"]);
    assert_eq!((code, &again["copied"], &again["adopted"]), (0, &0.into(), &0.into()), "{again:#}");
    assert_same_state(&target.state("alice"), &state);
}

/// One of each is removed at the source, and one of each moved: those of the tool stay, our own follow.
fn follows_with_its_own(
    source: &Store,
    target: &Store,
    project: &Project,
    before: &BTreeMap<String, Vec<usize>>,
    removes: bool,
) {
    source.fill("alice", &[Folder { path: vec!["INBOX".to_owned()], messages: [60, 61].map(numbered).to_vec() }]);
    let (_, synced) = project.json(&["sync"]);
    assert_eq!(synced["copied"], 2, "{synced:#}");
    // Some of the tool's, wherever it began.
    let (folder, of_tool) = before.iter().find(|(_, numbers)| numbers.len() > 2).expect("the tool filled a folder");
    let (removed, moved) = (of_tool[0], of_tool[1]);
    let name = imap_name(&folder.split('/').map(str::to_owned).collect::<Vec<_>>());
    let mut talk = source.talk("alice");
    for (folder, removed, moved) in [("INBOX", 60, 61), (name.as_str(), removed, moved)] {
        let uids: BTreeMap<usize, u32> = source.uids("alice", folder).into_iter().collect();
        talk.ok(&format!("SELECT \"{folder}\""));
        talk.ok(&format!("UID MOVE {} \"Empty\"", uids[&moved]));
        talk.ok(&format!("UID STORE {} +FLAGS (\\Deleted)", uids[&removed]));
        talk.ok("EXPUNGE");
    }
    let (code, synced) = project.json(&["sync"]);
    let followed = ["moved", "removed", "copied", "removals_held"].map(|what| synced[what].as_u64().unwrap());
    assert_eq!((code, followed), (0, if removes { [1, 1, 1, 0] } else { [0, 0, 2, 2] }), "{synced:#}");
    let there = numbers(target);
    assert_eq!(there["Empty"], [moved, 61], "{there:?}");
    assert_eq!(before[folder].iter().find(|number| !there[folder].contains(number)), None, "the tool's copies stay");
    assert_eq!([60, 61].map(|number| there["INBOX"].contains(&number)), [!removes; 2], "{there:?}");
    writes_nothing(project, target);
    let (_, verified) = project.json(&["verify"]);
    assert_eq!(verified["all"]["others_on_target"], 2, "{verified:#}");
}

/// A tool, if it is here.
fn tool(name: &str, package: &str) -> Option<Command> {
    let path = Path::new("/usr/bin").join(name);
    if !path.exists() {
        left_out(&format!("{name} is not here: apt-get install --no-install-recommends {package}"));
        return None;
    }
    let mut command = Command::new(path);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    Some(command)
}

/// Runs a tool until a command of its is answered that the proxy waits for, then kills it with `kill -9`; to its end where
/// nothing is waited for.
fn run_until(command: &mut Command, stop: Option<(&Proxy, Trap)>) {
    let Some((proxy, trap)) = stop else {
        let output = command.output().unwrap();
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {complained}");
        return;
    };
    let (told, heard) = mpsc::channel();
    proxy.set(trap, move || {
        told.send(()).unwrap();
        After::Hold
    });
    let mut child = command.spawn().unwrap();
    let struck = heard.recv_timeout(PATIENCE);
    child.kill().unwrap();
    child.wait().unwrap();
    proxy.cut();
    assert!(struck.is_ok(), "the tool did not come as far as it was to come: {:?}", proxy.commands());
}

/// Waits until the server has carried out what it had been sent.
fn settles(target: &Store) {
    let (mut state, began) = (target.state("alice"), Instant::now());
    loop {
        std::thread::sleep(Duration::from_millis(300));
        let now = target.state("alice");
        if now == state {
            return;
        }
        assert!(began.elapsed() < PATIENCE);
        state = now;
    }
}

/// mbsync's configuration; `lines` of its channel besides.
fn mbsync(folder: &Path, source: u16, target: u16, lines: &str) -> Option<Command> {
    let store = |name: &str, port: u16| {
        format!(
            "IMAPAccount {name}\nHost 127.0.0.1\nPort {port}\nUser alice\nPass {PASSWORD}\nSSLType None\n\
             AuthMechs LOGIN\nDisableExtension COMPRESS=DEFLATE\n\nIMAPStore {name}\nAccount {name}\n\n"
        )
    };
    let text = format!(
        "{}{}Channel all\nFar :source:\nNear :target:\nPatterns *\nCreate Near\nSync Pull\n{lines}SyncState {}/\n",
        store("source", source),
        store("target", target),
        folder.display()
    );
    let config = folder.join("mbsyncrc");
    fs::write(&config, text).unwrap();
    let mut command = tool("mbsync", "isync")?;
    command.arg("--quiet").arg("--config").arg(config).arg("--all");
    Some(command)
}

/// It puts `X-TUID` into every message.
#[test]
fn mbsync_killed_half_way_and_mbsync_to_its_end() {
    for stop in [Some(9), None] {
        let Some((source, target)) = stores(Store::dovecot(Format::Maildir, &["alice"])) else { return };
        let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::to(target.port()).imap().start());
        let lines = "CopyArrivalDate yes\n";
        let Some(mut command) = mbsync(folder.path(), source.port(), proxy.port(), lines) else { return };
        run_until(&mut command, stop.map(|nth| (&proxy, Trap::on("APPEND", Point::Answered).nth(nth))));
        settles(&target);
        takes_over(&source, &target, Left::OtherBytes);
    }
}

/// Unless told otherwise it loses the dates, too.
#[test]
fn mbsync_with_its_own_dates() {
    let Some((source, target)) = stores(Store::dovecot(Format::Maildir, &["alice"])) else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some(mut command) = mbsync(folder.path(), source.port(), target.port(), "") else { return };
    run_until(&mut command, None);
    takes_over(&source, &target, Left::OtherBytes);
}

fn offlineimap(folder: &Path, source: u16, target: u16) -> Option<Command> {
    let repository = |name: &str, port: u16, lines: &str| {
        format!(
            "[Repository {name}]\ntype = IMAP\nremotehost = 127.0.0.1\nremoteport = {port}\nremoteuser = alice\n\
             remotepass = {PASSWORD}\nssl = no\nstarttls = no\nauth_mechanisms = LOGIN\n{lines}\n"
        )
    };
    let text = format!(
        "[general]\naccounts = all\nmetadata = {}\nui = quiet\nfsync = false\n\n\
         [Account all]\nlocalrepository = target\nremoterepository = source\n\n{}{}",
        folder.join("metadata").display(),
        repository("source", source, "readonly = yes\n"),
        repository("target", target, "")
    );
    let config = folder.join("offlineimaprc");
    fs::write(&config, text).unwrap();
    let mut command = tool("offlineimap", "offlineimap3")?;
    command.arg("-o").arg("-c").arg(config).env("HOME", folder);
    Some(command)
}

/// It puts `X-OfflineIMAP` into every message where the server does not tell UIDs.
#[test]
fn offlineimap_killed_half_way_and_to_its_end_with_and_without_uidplus() {
    for (stop, capability) in [(Some(11), None), (Some(11), Some(POOR)), (None, Some(POOR))] {
        let builder = Dovecot::builder().format(Format::Maildir);
        let builder = if let Some(capability) = capability { builder.capability(capability) } else { builder };
        let Some((source, target)) = stores(Store::dovecot_with(builder, &["alice"])) else { return };
        let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::to(target.port()).imap().start());
        let Some(mut command) = offlineimap(folder.path(), source.port(), proxy.port()) else { return };
        run_until(&mut command, stop.map(|nth| (&proxy, Trap::on("APPEND", Point::Answered).nth(nth))));
        settles(&target);
        let left = if capability.is_some() { Left::OtherBytes } else { Left::Exact };
        takes_over_where(&source, &target, left, capability.is_none());
    }
}

#[test]
fn interimap_killed_half_way_and_to_its_end() {
    for stop in [Some(2), None] {
        let Some((source, target)) = stores(Store::dovecot(Format::Sdbox, &["alice"])) else { return };
        let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::to(target.port()).imap().start());
        let side = |name: &str, port: u16| {
            format!(
                "[{name}]\ntype = imap\nhost = 127.0.0.1\nport = {port}\nSTARTTLS = NO\nusername = alice\n\
                 password = {PASSWORD}\ncompress = NO\n\n"
            )
        };
        let database = folder.path().join("interimap.db");
        let (local, remote) = (side("local", proxy.port()), side("remote", source.port()));
        let config = folder.path().join("config");
        fs::write(&config, format!("database = {}\n\n{local}{remote}", database.display())).unwrap();
        let Some(mut command) = tool("interimap", "interimap") else { return };
        command.arg("--quiet").arg("--config").arg(&config).env("HOME", folder.path());
        run_until(&mut command, stop.map(|nth| (&proxy, Trap::on("APPEND", Point::Answered).nth(nth))));
        settles(&target);
        takes_over(&source, &target, Left::Exact);
    }
}

/// Dovecot's own: one folder by `backup`, which takes over UIDs and UIDVALIDITY, one by `sync -1`, one by `import`.
#[test]
fn doveadm_with_some_of_the_folders() {
    let Some((source, target)) = stores(Store::dovecot(Format::Mdbox, &["alice"])) else { return };
    let Store::Dovecot(dovecot) = &target else { unreachable!() };
    let (port, password) = (format!("imapc_port={}", source.port()), format!("imapc_password={PASSWORD}"));
    let from = ["-o", "imapc_host=127.0.0.1", "-o", &port, "-o", "imapc_user=alice", "-o", &password];
    for arguments in [
        &["backup", "-u", "alice", "-R", "-m", "INBOX", "imapc:"][..],
        &["sync", "-1", "-u", "alice", "-R", "-m", "Sent", "imapc:"],
        &["import", "-u", "alice", "imapc:", "", "mailbox", "Entwürfe"],
    ] {
        dovecot.doveadm(&[&from, arguments].concat());
    }
    takes_over(&source, &target, Left::Exact);
}

/// `doveadm import` killed while it copies.
#[test]
fn doveadm_killed_half_way() {
    let Some((source, target)) = stores(Store::dovecot(Format::Maildir, &["alice"])) else { return };
    let Store::Dovecot(dovecot) = &target else { unreachable!() };
    let proxy = Proxy::to(source.port()).imap().start();
    let (port, password) = (format!("imapc_port={}", proxy.port()), format!("imapc_password={PASSWORD}"));
    let from = ["-o", "imapc_host=127.0.0.1", "-o", &port, "-o", "imapc_user=alice", "-o", &password];
    let arguments = ["import", "-u", "alice", "imapc:", "", "all"];
    let mut command = dovecot.doveadm_command(&[&from[..], &arguments].concat());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    run_until(&mut command, Some((&proxy, Trap::on("UID FETCH", Point::Sent).containing("BODY").nth(20))));
    settles(&target);
    takes_over(&source, &target, Left::Exact);
}

/// imapsync is not in Debian, so this is no run of it but its known traces by hand: a message without a Message-ID gets one
/// of its own (`--addheader`), the second of two equal messages is left out, and half of the folders are missing.
#[test]
fn traces_of_imapsync() {
    let Some((source, target)) = stores(Store::dovecot(Format::Maildir, &["alice"])) else { return };
    let without_id = |number: usize, header: &str| Message {
        bytes: format!("{header}Subject: draft {number}\r\n\r\nbody number {number};\r\n").into_bytes(),
        ..numbered(number)
    };
    let drafts = |of: &dyn Fn(usize) -> Message| Folder {
        path: vec!["Entwürfe".to_owned()],
        messages: (70..75).map(of).collect(),
    };
    source.fill("alice", &[drafts(&|number| without_id(number, ""))]);
    let mut inbox = mailbox().swap_remove(0);
    inbox.messages.truncate(11);
    let header = |number: usize| format!("Message-Id: <{}@imapsync>\r\n", number - 65);
    target.fill("alice", &[inbox, drafts(&|number| without_id(number, &header(number)))]);

    let project = Project::new(source.endpoint(), target.endpoint()).person("alice");
    let (code, synced) = project.json(&["sync"]);
    assert_eq!((code, &synced["adopted"]), (0, &16.into()), "{synced:#}");
    assert_eq!(numbers(&target), numbers(&source));
    writes_nothing(&project, &target);
    let (_, verified) = project.json(&["verify"]);
    let differences = verified["mailboxes"][0]["verification"]["differences"].as_array().unwrap();
    let kinds: Vec<&str> = differences.iter().map(|difference| difference["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["changed-bytes"; 5], "{verified:#}");
}

/// A tool that puts the time of its own run in place of the date, as POP fetchers and many scripts do.
#[test]
fn a_tool_that_loses_dates() {
    let Some((source, target)) = stores(Store::dovecot(Format::Maildir, &["alice"])) else { return };
    let mut talk = target.talk("alice");
    for message in &mailbox()[0].messages {
        let options = format!("({}) \"{}\"", message.flags.join(" "), imap_date(1_700_000_000, 0));
        assert!(talk.append("INBOX", &options, &message.bytes).is_ok());
    }
    takes_over(&source, &target, Left::OtherDate);
}
