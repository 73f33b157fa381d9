//! The drill of docs/operations.md: a copy is interrupted, its database backed up, the work goes on, and the backup is restored. Nothing is
//! lost and nothing is there twice, on SQLite and on PostgreSQL.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use conformance::servers::{Format, Postgres};
use journeys::{
    pair::{Pair, act, put, remove},
    project::Project,
    store::Store,
};

/// A consistent copy of a SQLite database, whoever works on it.
const SQLITE_BACKUP: &str =
    "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('VACUUM INTO ?', (sys.argv[2],))";

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Alice, with twenty messages that are copied.
fn pair(database: &str) -> Option<Pair> {
    let (source, target) = (Store::dovecot(Format::Maildir, &["alice"])?, Store::dovecot(Format::Mdbox, &["alice"])?);
    put(&source, "INBOX", 0..10);
    put(&source, "Work", 100..110);
    let project = Project::new(source.endpoint(), target.endpoint()).row("alice,alice");
    let project = project.with(database).with("[policy]\ndeletion_settle_hours = 0");
    let pair = Pair { source, target, project };
    assert_eq!(pair.sync()["copied"], 20);
    Some(pair)
}

fn drill(pair: &Pair, back_up: impl Fn(), restore: impl Fn()) {
    // A copy that is killed somewhere in the middle.
    put(&pair.source, "Work", 110..300);
    let mut copying = pair.project.command(&["sync"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while pair.there("Work").len() < 12 && copying.try_wait().unwrap().is_none() {}
    let _ = copying.kill();
    copying.wait().unwrap();
    back_up();

    // The work goes on: the rest, and changes of every kind.
    pair.sync();
    put(&pair.source, "INBOX", 10..20);
    remove(&pair.source, "INBOX", &[2, 3]);
    act(&pair.source, "INBOX", &[4, 5], "UID STORE # +FLAGS.SILENT (\\Flagged)");
    act(&pair.source, "Work", &[100, 101, 250], "UID MOVE # INBOX");
    pair.sync();
    pair.is_the_same();
    put(&pair.source, "INBOX", 20..25);
    act(&pair.source, "INBOX", &[15], "UID STORE # +FLAGS.SILENT (\\Answered)");

    // The disk is gone, and yesterday comes back.
    restore();
    pair.sync();
    pair.is_the_same();
    let mut inbox: Vec<usize> = (0..25).filter(|number| ![2, 3].contains(number)).collect();
    inbox.extend([100, 101, 250]);
    assert_eq!(pair.there("INBOX"), inbox);
    assert_eq!(pair.there("Work").len(), 200 - 3);
    // And it is followed on from there.
    remove(&pair.source, "INBOX", &[0]);
    put(&pair.source, "Work", 300..303);
    pair.sync();
    pair.is_the_same();
    // What was copied since the backup counts as found there: nobody can tell any more that it is ours, so it stays.
    remove(&pair.source, "INBOX", &[12]);
    pair.sync();
    let (code, verified) = pair.project.json(&["verify"]);
    assert_eq!((code, &verified["all"]["others_on_target"]), (0, &1.into()), "{verified:#}");
    assert!(pair.there("INBOX").contains(&12));
}

#[test]
fn a_restored_sqlite_database_loses_nothing_and_doubles_nothing() {
    let Some(pair) = pair("database = \"sqlite:whimbrel.db\"") else { return };
    let database = pair.project.path().join("whimbrel.db");
    let backup = pair.project.path().join("backup.db");
    let beside = |ending: &str| PathBuf::from(format!("{}{ending}", database.display()));
    drill(
        &pair,
        || run(Command::new("python3").args(["-c", SQLITE_BACKUP]).arg(&database).arg(&backup)),
        || {
            for ending in ["", "-wal", "-shm"] {
                let _ = fs::remove_file(beside(ending));
            }
            fs::copy(&backup, &database).unwrap();
        },
    );
}

#[test]
fn a_restored_postgresql_database_loses_nothing_and_doubles_nothing() {
    let Some(server) = Postgres::shared() else { return };
    let address = server.fresh_database();
    let Some(pair) = pair(&format!("database = {address:?}")) else { return };
    let dump = pair.project.path().join("whimbrel.dump");
    let tool = |name: &str| {
        let own = Path::new("/usr/lib/postgresql/15/bin").join(name);
        Command::new(if own.exists() { own } else { PathBuf::from(name) })
    };
    drill(
        &pair,
        || run(tool("pg_dump").args(["--format=custom", "--dbname", &address, "--file"]).arg(&dump)),
        || {
            let how = ["--clean", "--if-exists", "--single-transaction", "--dbname", &address];
            run(tool("pg_restore").args(how).arg(&dump));
        },
    );
}
