//! The database: PostgreSQL as well as SQLite, several processes at once, and processes that are stopped in the middle of
//! a copy.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc::{Sender, channel},
};

use conformance::{
    proxy::{After, Point, Proxy, Trap},
    servers::{Format, Postgres},
};
use journeys::{
    judge::Judge,
    mail::{SMALL, small},
    project::{Endpoint, Project, Run},
    store::{MIGRATOR, PASSWORD, Store},
};
use serde_json::Value;

mod suite {
    use super::*;

    macro_rules! tests {
        ($($name:ident,)+) => {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(server) = Postgres::shared() else { return };
                store::suite::$name(&server.fresh_database()).await;
            })+
        };
    }
    store::every_store_test!(tests);
}

/// The line of `whimbrel.toml` for each kind of database.
fn databases() -> Vec<String> {
    let mut databases = vec!["database = \"sqlite:whimbrel.db\"".to_owned()];
    databases.extend(Postgres::shared().map(|server| format!("database = {:?}", server.fresh_database())));
    databases
}

/// Two servers with these people, who have mail on the first.
fn two_servers(people: &[&str]) -> Option<(Store, Store)> {
    let source = Store::dovecot(Format::Maildir, people)?;
    for name in people {
        source.fill(name, &small(name));
    }
    Some((source, Store::dovecot(Format::Mdbox, people)?))
}

fn assert_exact(source: &Store, target: &Store, people: &[&str]) {
    let judge =
        people.iter().fold(Judge::new(), |judge, name| judge.person(name, source.side(name), target.side(name)));
    let verdict = judge.compare().expect("Python is here");
    assert!(verdict.is_equal(), "{verdict:?}");
}

#[test]
fn a_whole_journey_on_postgresql() {
    let Some(server) = Postgres::shared() else { return };
    let people = ["ann", "bob", "cyd"];
    let Some((source, target)) = two_servers(&people) else { return };
    let database = format!("database = {:?}", server.fresh_database());
    let project = Project::new(source.endpoint(), target.endpoint()).with(&database);
    let project = people.iter().fold(project, |project, name| project.person(name));
    for (command, sum) in
        [("check", None), ("discover", Some(("items", 3 * SMALL))), ("sync", Some(("copied", 3 * SMALL)))]
    {
        let (code, report) = project.json(&[command]);
        assert_eq!(code, 0, "{report:#}");
        assert!(sum.is_none_or(|(sum, expected)| report[sum] == expected), "{report:#}");
    }
    assert_exact(&source, &target, &people);
    let (code, status) = project.json(&["status"]);
    assert_eq!((code, &status["all"]["copied"], &status["unaccounted"]), (0, &(3 * SMALL).into(), &0.into()));
    assert_eq!(project.run(&["verify"]).code, 0);
    let (code, again) = project.json(&["sync"]);
    assert_eq!((code, &again["copied"]), (0, &0.into()), "{again:#}");
    assert_eq!(project.run(&["doctor"]).code, 0);
    assert!(!project.path().join("whimbrel.db").exists());
}

/// A run of the program that ends with this value.
struct Running(Child);

impl Running {
    fn start(project: &Project, arguments: &[&str]) -> Self {
        let mut command = project.command(arguments);
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn signal(&self, signal: &str) {
        // The shell's own: the program of that name is not on every machine.
        let sent = Command::new("sh").args(["-c", "kill \"$0\" \"$1\"", signal, &self.0.id().to_string()]).status();
        let sent = sent.unwrap();
        assert!(sent.success());
    }

    fn end(mut self) -> Run {
        let (mut out, mut err) = (String::new(), String::new());
        self.0.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        if let Some(mut stderr) = self.0.stderr.take() {
            stderr.read_to_string(&mut err).unwrap();
        }
        Run { code: self.0.wait().unwrap().code().unwrap_or(-1), out, err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn two_runs_at_once_share_the_work_and_double_nothing() {
    let people = ["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"];
    for database in databases() {
        let Some((source, target)) = two_servers(&people) else { return };
        let project = Project::new(source.endpoint(), target.endpoint()).with(&database).with("people_at_once = 2");
        let project = people.iter().fold(project, |project, name| project.person(name));
        let runs = [(); 2].map(|()| Running::start(&project, &["sync", "--json"])).map(Running::end);
        let mut copied = 0;
        for run in runs {
            let report: Value = serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error} {run:?}"));
            assert_eq!((&report["mailboxes_failed"], &report["failed"]), (&0.into(), &0.into()), "{report:#}");
            let (done, held) = (report["mailboxes"].as_array().unwrap(), report["held_elsewhere"].as_array().unwrap());
            let expected = match (done.len(), held.len()) {
                (_, 0) => 0,
                (0, _) => 75,
                _ => 1,
            };
            assert_eq!(run.code, expected, "{report:#}");
            copied += report["copied"].as_u64().unwrap();
        }
        assert_eq!(copied, people.len() as u64 * SMALL);
        assert_exact(&source, &target, &people);
        let (code, again) = project.json(&["sync"]);
        assert_eq!((code, &again["copied"]), (0, &0.into()), "{again:#}");
    }
}

/// A copy of one mailbox that stands still at this point of its second batch, until told what comes after.
fn standing_still(project: &Project, proxy: &Proxy, point: Point) -> (Running, Sender<After>) {
    let ((reached, has_reached), (go_on, may_go_on)) = (channel(), channel());
    proxy.set(Trap::on("APPEND", point).nth(2), move || {
        let _ = reached.send(());
        may_go_on.recv().unwrap_or(After::Cut)
    });
    let running = Running::start(project, &["sync"]);
    has_reached.recv().expect("the copy comes that far");
    (running, go_on)
}

/// A project whose target stands behind a proxy.
fn behind_a_proxy(source: &Store, target: &Store, database: &str) -> (Project, Proxy) {
    let Store::Dovecot(dovecot) = target else { unreachable!() };
    let proxy = Proxy::to(dovecot.port()).imap().start();
    let endpoint = Endpoint::imap(proxy.port()).login(MIGRATOR, PASSWORD, "authzid");
    (Project::new(source.endpoint(), endpoint).with(database).person("alice"), proxy)
}

#[test]
fn a_mailbox_that_another_run_holds_is_left_to_it() {
    for database in databases() {
        let Some((source, target)) = two_servers(&["alice"]) else { return };
        let (project, proxy) = behind_a_proxy(&source, &target, &database);
        let (running, go_on) = standing_still(&project, &proxy, Point::BeforeEnd);
        // One that works slowly, and one that does not work at all for a while.
        for signal in ["-CONT", "-STOP"] {
            running.signal(signal);
            let (code, report) = project.json(&["sync"]);
            assert_eq!((code, &report["held_elsewhere"]), (75, &serde_json::json!(["alice"])), "{report:#}");
            assert_eq!(report["mailboxes"], serde_json::json!([]), "{report:#}");
            let (_, status) = project.json(&["status"]);
            assert_eq!(status["mailboxes"][0]["is_held"], true, "{status:#}");
        }
        running.signal("-CONT");
        go_on.send(After::GoOn).unwrap();
        let run = running.end();
        assert_eq!(run.code, 0, "{run:?}");
        assert_exact(&source, &target, &["alice"]);
    }
}

#[test]
fn an_interrupted_run_stops_cleanly_and_the_next_one_goes_on() {
    for database in databases() {
        let Some((source, target)) = two_servers(&["alice"]) else { return };
        let (project, proxy) = behind_a_proxy(&source, &target, &database);
        let (mut running, go_on) = standing_still(&project, &proxy, Point::Sent);
        running.signal("-INT");
        let mut lines = BufReader::new(running.0.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("Stopping")), "the first Ctrl-C is answered");
        go_on.send(After::GoOn).unwrap();
        let run = running.end();
        assert_eq!(run.code, 130, "{run:?}");
        assert!(run.out.contains("run again to go on"), "{run:?}");
        let (code, next) = project.json(&["sync"]);
        assert_eq!(code, 0, "{next:#}");
        assert_exact(&source, &target, &["alice"]);
        let (_, status) = project.json(&["status"]);
        assert_eq!((&status["all"]["copied"], &status["all"]["adopted"]), (&SMALL.into(), &0.into()), "{status:#}");
    }
}

/// The worst moment: the server has the batch, and nobody heard it say so.
#[test]
fn a_run_interrupted_twice_ends_at_once_and_the_next_one_doubles_nothing() {
    for point in [Point::BeforeEnd, Point::Sent, Point::Answered] {
        for database in databases() {
            let Some((source, target)) = two_servers(&["alice"]) else { return };
            let (project, proxy) = behind_a_proxy(&source, &target, &database);
            let (mut running, go_on) = standing_still(&project, &proxy, point);
            running.signal("-INT");
            let mut lines = BufReader::new(running.0.stderr.take().unwrap()).lines();
            assert!(lines.any(|line| line.unwrap().contains("Press Ctrl-C again")), "the first Ctrl-C is answered");
            running.signal("-INT");
            let run = running.end();
            assert_eq!(run.code, 130, "{run:?}");
            // Whatever was on its way to the server and back goes nowhere.
            drop(go_on);
            while proxy.open_connections() > 0 {
                std::thread::yield_now();
            }
            let (code, next) = project.json(&["sync"]);
            assert_eq!(code, 0, "{next:#}");
            assert_exact(&source, &target, &["alice"]);
            let (_, status) = project.json(&["status"]);
            assert_eq!(status["all"]["source"], SMALL, "{status:#}");
        }
    }
}

/// Both servers were set up afresh, and somebody has brought a part of the mail back already: ids that the ledger knows
/// from before mean nothing there, so what is there is found by what it is.
#[test]
fn servers_made_anew_on_both_sides_are_matched_afresh() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("database = \"sqlite:{}/shared.db\"", folder.path().display());
    for (copied, adopted) in [(SMALL, 0), (SMALL - 3, 3)] {
        let Some((source, target)) = two_servers(&["alice"]) else { return };
        if adopted > 0 {
            target.fill("alice", &small("alice")[..1]);
        }
        let project = Project::new(source.endpoint(), target.endpoint()).with(&database).person("alice");
        let (code, synced) = project.json(&["sync"]);
        assert_eq!((code, &synced["copied"], &synced["adopted"]), (0, &copied.into(), &adopted.into()), "{synced:#}");
        assert_exact(&source, &target, &["alice"]);
        // Dovecot tells a folder made anew from the old one by the second in which it was made.
        std::thread::sleep(std::time::Duration::from_secs(2));
    }
}
