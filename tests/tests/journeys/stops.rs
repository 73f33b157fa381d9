//! Stopped anywhere, killed anywhere, frozen anywhere: on real Dovecots.

use std::{
    collections::BTreeMap,
    process::Command as Process,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use conformance::{
    proxy::{After, Point, Proxy, Trap},
    servers::{Dovecot, Format},
    stop::{Orders, ended},
    whole,
};
use journeys::{
    judge::{Judge, Verdict},
    mail::{Folder, Message, fill},
    project::{Endpoint, Project},
    stopped::Command,
    store::{MIGRATOR, PASSWORD, Store, assert_same_state},
};
use tempfile::TempDir;

/// How many stops are tried at a time: most of the time each waits for a server or for the clock.
const AT_ONCE: u64 = 6;
/// More people than there are effects.
const PEOPLE: usize = 260;

/// Twenty-four messages in five folders: some alike, one with a Message-ID that another has too, an empty folder.
fn mailbox() -> Vec<Folder> {
    let message = |number: i64, body: &str, flags: &[&'static str]| Message {
        bytes: format!("Message-ID: <{number}@example.test>\r\nFrom: a@example.test\r\n\r\n{body}\r\n").into_bytes(),
        flags: flags.to_vec(),
        received: 1_000_000_000 + number,
    };
    let folder = |path: &[&str], messages: Vec<Message>| Folder {
        path: path.iter().map(|name| (*name).to_owned()).collect(),
        messages,
    };
    let inbox = (0..13).map(|n| message(n, "body", if n % 2 == 0 { &["\\Seen", "Work"] } else { &[] }));
    let twins = (0..7).map(|_| message(100, "the same", &[])).chain([message(100, "another body", &["\\Flagged"])]);
    vec![
        folder(&["INBOX"], inbox.collect()),
        folder(&["Twins"], twins.collect()),
        folder(&["a", "b"], vec![message(1, "body", &[]), message(200, "ö", &["\\Draft"])]),
        folder(&["Entwürfe"], vec![message(300, "", &["\\Answered"])]),
        folder(&["Empty"], Vec::new()),
    ]
}

/// Two Dovecots; on the source everybody has the same mail.
struct Pair {
    source: Store,
    target: Store,
    names: Vec<String>,
    folder: TempDir,
}

impl Pair {
    fn start() -> Option<Self> {
        let names: Vec<String> = (0..PEOPLE).map(|n| format!("p{n}")).collect();
        let people: Vec<&str> = names.iter().map(String::as_str).collect();
        let source = Store::dovecot(Format::Maildir, &people)?;
        let target = Store::dovecot(Format::Sdbox, &people)?;
        source.fill("p0", &mailbox());
        let Store::Dovecot(dovecot) = &source else { unreachable!("it was just made") };
        for name in &names[1..] {
            let mut copy = Process::new("cp");
            let copied = copy.arg("-a").arg(dovecot.home("p0")).arg(dovecot.home(name)).status().unwrap();
            assert!(copied.success());
        }
        Some(Self { source, target, names, folder: tempfile::tempdir().unwrap() })
    }

    fn command(&self, person: usize) -> Command {
        let name = self.names[person].clone();
        let database = format!("sqlite:{}/{name}.db", self.folder.path().display());
        let folder = self.folder.path().to_owned();
        let orders = Orders { database, folder, people: vec![name], ..Orders::default() };
        Command { orders, ports: [self.source.port(), self.target.port()] }
    }

    /// Requires that a further run writes nothing.
    fn is_at_rest(&self, person: usize) {
        let name = &self.names[person];
        let state = self.target.state(name);
        let end = self.command(person).run();
        assert!(end.finished, "{name}: {}", end.stderr);
        assert_same_state(&self.target.state(name), &state);
    }

    /// The verdict over these people.
    fn judge(&self, people: &[u64]) -> Verdict {
        let names = people.iter().map(|person| &self.names[*person as usize]);
        let judge =
            names.fold(Judge::new(), |judge, name| judge.person(name, self.source.side(name), self.target.side(name)));
        judge.compare().expect("Python is here")
    }
}

/// Does this for each of these numbers, some at a time.
fn each(numbers: &[u64], work: impl Fn(u64) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(number) = numbers.get(next.fetch_add(1, Ordering::SeqCst)) else { return };
                    work(*number);
                }
            });
        }
    });
}

#[test]
fn stopped_at_every_effect_and_resumed() {
    let Some(pair) = Pair::start() else { return };
    let undisturbed = pair.command(0).run();
    assert!(undisturbed.finished, "{}", undisturbed.stderr);
    let moments = undisturbed.moments;
    println!("{moments} moments, two an effect");
    assert!((40..PEOPLE as u64).contains(&moments));
    let tried = whole::moments(moments, 5);
    each(&tried, |stop_at| {
        let mut command = pair.command(stop_at as usize);
        command.orders.stop_at = stop_at;
        let stopped = command.run();
        assert!(stopped.stderr.contains("stopped at"), "{stop_at}: {}", stopped.stderr);
        let resumed = command.undisturbed().run();
        assert!(resumed.finished, "after {}: {}", stopped.stderr, resumed.stderr);
        pair.is_at_rest(stop_at as usize);
    });
    let verdict = pair.judge(&tried);
    assert!(verdict.is_equal(), "{verdict:?}");
}

/// A worker that is frozen past its lease, and thawed once another has finished its work.
#[test]
fn frozen_at_every_effect_past_the_lease_and_thawed() {
    const LEASE: Duration = Duration::from_millis(1_000);
    let Some(pair) = Pair::start() else { return };
    let mut counting = pair.command(0);
    counting.orders.freeze_at = u64::MAX;
    let moments = counting.run().moments;
    println!("{moments} moments, three an effect");
    assert!((60..PEOPLE as u64).contains(&moments));
    let frozen = AtomicU64::new(0);
    let tried = whole::moments(moments, 9);
    each(&tried, |freeze_at| {
        let person = freeze_at as usize;
        let mut command = pair.command(person);
        (command.orders.freeze_at, command.orders.lease_ms) = (freeze_at, LEASE.as_millis() as i64);
        let mut child = command.start();
        let pid = child.id();
        while !is_stopped(pid) && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        frozen.fetch_add(u64::from(is_stopped(pid)), Ordering::SeqCst);
        std::thread::sleep(LEASE + LEASE / 3);
        // Frozen inside a transaction it holds SQLite's one write lock; then the second can only wait for the thaw.
        let mut second = command.undisturbed().start();
        let began = Instant::now();
        while second.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(3) {
            std::thread::sleep(Duration::from_millis(10));
        }
        signal(pid, "CONT");
        let first = ended(&child.wait_with_output().unwrap());
        let second = ended(&second.wait_with_output().unwrap());
        assert!(second.finished, "{}: {}", first.stderr, second.stderr);
        // Its last command may have come late: the next runs look for it.
        for _ in 0..3 {
            let end = command.undisturbed().run();
            assert!(end.finished, "{}: {}", first.stderr, end.stderr);
        }
        pair.is_at_rest(person);
    });
    // On a busy machine a lease may lapse before its time.
    assert!(frozen.into_inner() > tried.len() as u64 * 8 / 10);
    let verdict = pair.judge(&tried);
    assert!(verdict.is_equal(), "{verdict:?}");
}

fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

fn signal(pid: u32, name: &str) {
    let _ = Process::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status();
}

/// The program itself, killed 90 times (300 in all) while an intent of it is open: a third of them before the CRLF that ends an
/// APPEND has reached the server, a third before it has answered, a third before that answer was heard.
#[test]
fn killed_again_and_again_while_an_append_is_under_way() {
    let people = whole::amount(9, 30);
    const POINTS: [Point; 3] = [Point::BeforeEnd, Point::Sent, Point::Answered];
    let numbers: Vec<u64> = (1..=people).collect();
    let names: Vec<String> = numbers.iter().map(|n| format!("p{n}")).collect();
    let users = || Dovecot::builder().users(names.iter().map(|name| (name.as_str(), PASSWORD)));
    let Some(source) = users().format(Format::Mdbox).start() else { return };
    let Some(target) = users().start() else { return };
    let kills = AtomicU64::new(0);
    each(&numbers, |number| {
        let name = &names[number as usize - 1];
        let mut talk = conformance::talk::Talk::login(source.port(), name, PASSWORD);
        // Enough folders that there is still something to append after ten kills.
        let model = mailbox();
        let folder = |n: usize| Folder { path: vec![format!("Folder {n}")], ..model[n % model.len()].clone() };
        fill(&mut talk, &(0..30).map(folder).collect::<Vec<_>>());
        let proxy = Proxy::to(target.port()).imap().start();
        let project = Project::new(Endpoint::imap(source.port()), Endpoint::imap(proxy.port()))
            .people(&format!("source,target,source_password,target_password\n{name},{name},{PASSWORD},{PASSWORD}\n"));
        for kill in 0..10 {
            let point = POINTS[(number + kill) as usize % POINTS.len()];
            let pid = Arc::new(Mutex::new(None));
            let victim = pid.clone();
            let trap = Trap::on("APPEND", point).nth(1 + kill as u32 % 2);
            proxy.set(trap, move || {
                let pid = loop {
                    if let Some(pid) = *victim.lock().unwrap() {
                        break pid;
                    }
                    std::thread::sleep(Duration::from_millis(1));
                };
                signal(pid, "KILL");
                After::Cut
            });
            let mut child = project.command(&["sync", "--json"]).stdout(std::process::Stdio::null()).spawn().unwrap();
            *pid.lock().unwrap() = Some(child.id());
            let status = child.wait().unwrap();
            assert_eq!(status.code(), None, "{name}: not killed at {kill}: nothing was left to append");
            assert_eq!(proxy.traps_left(), 0);
            kills.fetch_add(1, Ordering::SeqCst);
        }
        let last = project.run(&["sync"]);
        assert_eq!(last.code, 0, "{name}: {last:?}");
        let verified = project.run(&["verify"]);
        assert_eq!(verified.code, 0, "{name}: {verified:?}");
    });
    assert_eq!(kills.into_inner(), people * 10);
    let side = |port: u16, name: &str| journeys::judge::Side::imap(port, name, PASSWORD);
    let judge = names
        .iter()
        .fold(Judge::new(), |judge, name| judge.person(name, side(source.port(), name), side(target.port(), name)));
    let verdict = judge.compare().unwrap();
    assert!(verdict.is_equal(), "{verdict:?}");
}

/// Messages in INBOX before the kills begin: enough that each of them finds some to change, move or remove.
const INBOX: usize = 45;

/// What is under way when the program is killed, the command that makes it happen on the target, and a text in it.
const EFFECTS: [(&str, &str, Option<&str>); 9] = [
    ("append", "APPEND", None),
    ("flags", "UID STORE", None),
    ("move", "UID MOVE", None),
    ("mark to remove", "UID STORE", Some("Deleted")),
    ("remove", "UID EXPUNGE", None),
    ("create", "CREATE", None),
    ("subscribe", "SUBSCRIBE", None),
    ("unsubscribe", "UNSUBSCRIBE", None),
    ("remove folder", "DELETE", None),
];

/// The person does at the source what makes this effect due.
fn make_due(talk: &mut conformance::talk::Talk, effect: &str, kill: u64) {
    talk.ok("SELECT INBOX");
    match effect {
        "append" => {
            for n in 0..2 {
                let body = format!("Message-ID: <{kill}.{n}@example.test>\r\n\r\nlater\r\n");
                assert!(talk.append("INBOX", "", body.as_bytes()).is_ok());
            }
        }
        "flags" => {
            talk.ok(&format!("STORE 1:3 +FLAGS (\\Flagged kill{kill})"));
            talk.ok("STORE 2:4 -FLAGS (\\Seen)");
        }
        "move" => drop(talk.ok("MOVE 1:2 Archive")),
        "mark to remove" | "remove" => {
            talk.ok("STORE 1:2 +FLAGS (\\Deleted)");
            talk.ok("EXPUNGE");
        }
        "create" => drop(talk.ok(&format!("CREATE New{kill}"))),
        "subscribe" => drop(talk.ok(&format!("SUBSCRIBE Left{kill}"))),
        "unsubscribe" => drop(talk.ok(&format!("UNSUBSCRIBE Followed{kill}"))),
        _ => drop(talk.ok(&format!("DELETE Temporary{kill}"))),
    }
}

/// The program itself, killed 180 times (700 in all) while it follows changes: at the end of a command with an effect, before its answer,
/// and before that answer is heard.
#[test]
fn killed_again_and_again_while_changes_are_followed() {
    let people = whole::amount(18, 70);
    const KILLS: u64 = 10;
    const POINTS: [Point; 3] = [Point::BeforeEnd, Point::Sent, Point::Answered];
    let numbers: Vec<u64> = (1..=people).collect();
    let names: Vec<String> = numbers.iter().map(|n| format!("p{n}")).collect();
    let users = || Dovecot::builder().users(names.iter().map(|name| (name.as_str(), PASSWORD)));
    let Some(source) = users().format(Format::Mdbox).start() else { return };
    let Some(target) = users().format(Format::Sdbox).start() else { return };
    let histogram: Mutex<BTreeMap<(&str, String), u64>> = Mutex::default();
    each(&numbers, |number| {
        let name = &names[number as usize - 1];
        let mut talk = conformance::talk::Talk::login(source.port(), name, PASSWORD);
        let message = |n: usize| Message {
            bytes: format!("Message-ID: <{n}@example.test>\r\n\r\n{n}\r\n").into_bytes(),
            flags: vec!["\\Seen"],
            received: 1_000_000_000 + n as i64,
        };
        let folder = |name: String, messages| Folder { path: vec![name], messages };
        let mut folders = vec![folder("INBOX".to_owned(), (0..INBOX).map(message).collect())];
        folders.push(folder("Archive".to_owned(), Vec::new()));
        for kind in ["Left", "Followed", "Temporary"] {
            folders.extend((0..KILLS).map(|kill| folder(format!("{kind}{kill}"), Vec::new())));
        }
        fill(&mut talk, &folders);
        for kill in 0..KILLS {
            talk.ok(&format!("UNSUBSCRIBE Left{kill}"));
            talk.ok(&format!("SUBSCRIBE Followed{kill}"));
        }
        let proxy = Proxy::to(target.port()).imap().start();
        let project = Project::new(Endpoint::imap(source.port()), Endpoint::imap(proxy.port()))
            .with("policy = { deletion_settle_hours = 0, removals_share_max = 100 }")
            .people(&format!("source,target,source_password,target_password\n{name},{name},{PASSWORD},{PASSWORD}\n"));
        let first = project.run(&["sync"]);
        assert_eq!(first.code, 0, "{name}: {first:?}");
        for kill in 0..KILLS {
            let turn = (number - 1) * KILLS + kill;
            let (effect, command, containing) = EFFECTS[turn as usize % EFFECTS.len()];
            let point = POINTS[turn as usize / EFFECTS.len() % POINTS.len()];
            make_due(&mut talk, effect, kill);
            let pid = Arc::new(Mutex::new(None));
            let victim = pid.clone();
            let trap = Trap::on(command, point);
            proxy.set(containing.map_or(trap.clone(), |text| trap.containing(text)), move || {
                let pid = loop {
                    if let Some(pid) = *victim.lock().unwrap() {
                        break pid;
                    }
                    std::thread::sleep(Duration::from_millis(1));
                };
                signal(pid, "KILL");
                After::Cut
            });
            let mut child = project.command(&["sync", "--json"]).stdout(std::process::Stdio::null()).spawn().unwrap();
            *pid.lock().unwrap() = Some(child.id());
            let status = child.wait().unwrap();
            assert_eq!(status.code(), None, "{name}: not killed at {kill}: nothing was left to {effect}");
            assert_eq!(proxy.traps_left(), 0);
            *histogram.lock().unwrap().entry((effect, format!("{point:?}"))).or_default() += 1;
        }
        let last = project.run(&["sync"]);
        assert_eq!(last.code, 0, "{name}: {last:?}");
        let verified = project.run(&["verify"]);
        assert_eq!(verified.code, 0, "{name}: {verified:?}");
        let (_, held) = project.json(&["held", "list"]);
        assert_eq!(held["held"], serde_json::json!([]), "{name}: a removal of our own was taken for a change");
    });
    let histogram = histogram.into_inner().unwrap();
    for ((effect, point), kills) in &histogram {
        println!("{effect:16} {point:10} {kills}");
    }
    assert_eq!(histogram.values().sum::<u64>(), people * KILLS);
    for (effect, ..) in EFFECTS {
        let kills: u64 = histogram.iter().filter(|((of, _), _)| *of == effect).map(|(_, kills)| kills).sum();
        assert!(kills >= 20, "{effect}: {kills}");
    }
    let side = |port: u16, name: &str| journeys::judge::Side::imap(port, name, PASSWORD);
    let judge = names
        .iter()
        .fold(Judge::new(), |judge, name| judge.person(name, side(source.port(), name), side(target.port(), name)));
    let verdict = judge.compare().unwrap();
    assert!(verdict.is_equal(), "{verdict:?}");
}

/// What is done at the source after the first copy: each kind of effect follows from it.
fn rearrange(talk: &mut conformance::talk::Talk) {
    talk.ok("SELECT INBOX");
    talk.ok("STORE 1:2 +FLAGS (\\Flagged New)");
    talk.ok("STORE 3 -FLAGS (\\Seen Work)");
    talk.ok("UID MOVE 4:6 Archive");
    talk.ok("UID STORE 7:8 +FLAGS (\\Deleted)");
    talk.ok("EXPUNGE");
    talk.ok("RENAME Twins twins");
    talk.ok("CREATE New");
    talk.ok("SUBSCRIBE New");
    talk.ok("UNSUBSCRIBE Archive");
    talk.ok("DELETE Empty");
    assert!(talk.append("INBOX", "(\\Draft)", b"Message-ID: <900@example.test>\r\n\r\nlater\r\n").is_ok());
}

#[test]
fn stopped_at_every_effect_of_changes_and_resumed() {
    let Some(pair) = Pair::start() else { return };
    let prepare = |person: usize| {
        let name = &pair.names[person];
        let mut talk = pair.source.talk(name);
        talk.ok("CREATE Archive");
        talk.ok("SUBSCRIBE Archive");
        let first = pair.command(person).run();
        assert!(first.finished, "{name}: {}", first.stderr);
        rearrange(&mut talk);
    };
    prepare(0);
    let undisturbed = pair.command(0).run();
    assert!(undisturbed.finished, "{}", undisturbed.stderr);
    let moments = undisturbed.moments;
    println!("{moments} moments, two an effect");
    assert!((60..PEOPLE as u64).contains(&moments), "{moments}");
    let stopped_at: Mutex<BTreeMap<String, u64>> = Mutex::default();
    let tried = whole::moments(moments, 2);
    each(&tried, |stop_at| {
        prepare(stop_at as usize);
        let mut command = pair.command(stop_at as usize);
        command.orders.stop_at = stop_at;
        let stopped = command.run();
        let effect = stopped.stderr.lines().find_map(|line| line.strip_prefix("stopped at "));
        let effect = effect.unwrap_or_else(|| panic!("{stop_at}: {}", stopped.stderr));
        let effect = effect.rsplit(' ').next().unwrap_or_default().to_owned();
        *stopped_at.lock().unwrap().entry(effect).or_default() += 1;
        let resumed = command.undisturbed().run();
        assert!(resumed.finished, "after {}: {}", stopped.stderr, resumed.stderr);
        pair.is_at_rest(stop_at as usize);
    });
    let stopped_at = stopped_at.into_inner().unwrap();
    println!("{stopped_at:?}");
    for effect in ["append", "flags", "move", "remove", "create", "subscribe", "remove-folder", "commit"] {
        assert!(stopped_at.contains_key(effect), "never stopped at {effect}: {stopped_at:?}");
    }
    let verdict = pair.judge(&tried);
    assert!(verdict.is_equal(), "{verdict:?}");
}

/// A server that is restarted costs nobody their place in the run, however many tries that takes.
#[test]
fn a_target_that_goes_away_for_a_while_is_waited_for() {
    const AWAY: Duration = Duration::from_secs(25);
    let names: Vec<String> = (1..=12).map(|n| format!("p{n}")).collect();
    let people: Vec<&str> = names.iter().map(String::as_str).collect();
    let Some(source) = Store::dovecot(Format::Mdbox, &people) else { return };
    let Some(target) = Store::dovecot(Format::Sdbox, &people) else { return };
    let proxy = Proxy::to(target.port()).imap().start();
    let endpoint = Endpoint::imap(proxy.port()).login(MIGRATOR, PASSWORD, "authzid");
    let project = names.iter().fold(Project::new(source.endpoint(), endpoint), |project, name| {
        source.fill(name, &mailbox());
        project.person(name)
    });
    let (told, heard) = std::sync::mpsc::channel();
    proxy.set(Trap::on("APPEND", Point::BeforeEnd).nth(9), move || {
        told.send(()).unwrap();
        After::Cut
    });
    let sync = project.command(&["sync"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    heard.recv().unwrap();
    proxy.refuse(true);
    proxy.cut();
    std::thread::sleep(AWAY);
    proxy.refuse(false);
    assert_eq!(sync.wait_with_output().unwrap().status.code(), Some(0));
    let judge = names.iter().fold(Judge::new(), |judge, name| judge.person(name, source.side(name), target.side(name)));
    let verdict = judge.compare().unwrap();
    assert!(verdict.is_equal(), "{verdict:?}");
}
