//! Two hundred organisations in one database: how long the pipeline and their gates take (R-279).
//!
//! ```text
//! cargo build --release -p whimbrel -p bench && target/release/pipeline [ORGANISATIONS] [PEOPLE] [ROUNDS]
//! ```
//!
//! On SQLite and on PostgreSQL. Each project is driven as far as another by the driver of the programme's own tests, some managed and some
//! self; its people are mailboxes of the roster. Everything is asked of the program itself, as a person would.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that goes wrong ends; what it gives goes to standard output"
)]

#[allow(dead_code, reason = "the driver of the programme's own tests, of which only a part is needed here")]
#[path = "../../crates/programme/tests/engine/driver.rs"]
mod driver;
#[allow(dead_code, reason = "as above")]
#[path = "../../crates/programme/tests/engine/world.rs"]
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use conformance::servers::Postgres;
use model::{Actor, MailboxKind, Organisation, OrganisationCode, Role};
use programme::Programme;
use serde_json::Value;
use store::{RosterRow, Store};
use world::World;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse().expect("numbers: ORGANISATIONS PEOPLE ROUNDS"));
    let organisations: usize = numbers.next().unwrap_or(200);
    let people: usize = numbers.next().unwrap_or(65_000);
    let rounds: usize = numbers.next().unwrap_or(5);
    let folder = tempfile::tempdir().expect("a folder");
    measure("SQLite", &format!("sqlite:{}/all.db", folder.path().display()), (organisations, people, rounds));
    let server = Postgres::start_with(&["shared_buffers=256MB", "fsync=on"]).expect("postgresql is installed");
    measure("PostgreSQL", &server.fresh_database(), (organisations, people, rounds));
}

fn measure(name: &str, url: &str, (organisations, people, rounds): (usize, usize, usize)) {
    let folder = tempfile::tempdir().expect("a folder");
    let begun = Instant::now();
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let changes = runtime.block_on(fill(folder.path(), url, (organisations, people)));
    println!(
        "{name}: {organisations} organisations, {people} people, {changes} changes of records, put there in {:.0} s",
        begun.elapsed().as_secs_f64()
    );
    let first = path(folder.path(), 0);
    // Each project's own people look once: what they see is kept.
    let mut gates: Vec<Duration> =
        (0..organisations).map(|at| run(&path(folder.path(), at), &["gate", "show"]).0).collect();
    gates.sort();
    let all: Duration = gates.iter().sum();
    let (middle, most) = (gates[gates.len() / 2], gates[gates.len() - 1]);
    println!(
        "  gate show of one organisation: {middle:.2?} in the middle, {most:.2?} at most; of all, one by one: {all:.1?}"
    );
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..rounds {
        let (time, report) = run(&first, &["pipeline"]);
        assert_eq!(report["projects"].as_array().map(Vec::len), Some(organisations), "all are there");
        assert_eq!(report["broken"].as_array().map(Vec::len), Some(0));
        took.push(time);
    }
    took.sort();
    println!(
        "  pipeline, with all gates of all: {:.2?} in the middle of {rounds}, {:.2?} at most",
        took[rounds / 2],
        took[rounds - 1]
    );
}

fn path(folder: &Path, at: usize) -> PathBuf {
    folder.join(format!("t{at}"))
}

fn code(at: usize) -> String {
    format!("T{at}")
}

/// How far a project is driven: through so many gates.
fn driven(programme: &Programme, at: usize) -> World {
    let mut world = World::staffed(programme.clone(), if at.is_multiple_of(3) { "self" } else { "managed" });
    for _ in 0..at % 7 {
        world.passes();
    }
    world
}

async fn fill(folder: &Path, url: &str, (organisations, people): (usize, usize)) -> usize {
    let programme = Programme::shipped("nhsmail", "current").expect("it ships").expect("it can be read");
    // As many kinds as there are: each is driven once.
    let kinds: Vec<World> = (0..organisations.min(21)).map(|at| driven(&programme, at)).collect();
    let store = Store::open(url).await.expect("a database");
    let mut count = 0;
    for at in 0..organisations {
        let text = format!(
            "version = 1\norganisation = {{ name = \"Trust {at}\", code = \"{}\" }}\nprofile = \"nhsmail\"\ndatabase = \"{url}\"\n\
             [programme]\ngoverned = true\n",
            code(at)
        );
        let path = path(folder, at);
        fs::create_dir_all(&path).expect("a folder");
        fs::write(path.join("whimbrel.toml"), text).expect("a file");
        let name = format!("Trust {at}");
        let organisation = Organisation { name, code: OrganisationCode::try_from(code(at)).expect("a code") };
        let key = store.project(&organisation, "migration").await.expect("a project");
        let [source, target] =
            [store.endpoint(key, "local", "imap").await, store.endpoint(key, "national", "imap").await];
        let (source, target) = (source.expect("an endpoint"), target.expect("an endpoint"));
        let of = people / organisations;
        let row = |number: usize| RosterRow {
            source_endpoint: source,
            source_name: format!("person{number}@t{at}.example"),
            target_endpoint: target,
            target_name: format!("person{number}.t{at}@nation.example"),
            name: None,
            kind: MailboxKind::Person,
            collection: None,
            target_in_use: false,
            new_account: false,
            activated: None,
            in_books: None,
        };
        store.enroll(key, &(0..of).map(row).collect::<Vec<_>>()).await.expect("a roster");
        let world = &kinds[at % kinds.len()];
        let actor = Actor {
            name: "bench".to_owned(),
            role: Role::Engineer,
            organisation: code(at),
            known_by: "process".to_owned(),
        };
        let changes: Vec<String> = world.entries.iter().map(|entry| entry.change.to_stored().expect("JSON")).collect();
        count += changes.len();
        let when = world.at.as_millisecond();
        assert!(store.append_programme(key, &actor, (0, when), &changes, &[]).await.expect("appended"));
    }
    store.close().await;
    count
}

/// Runs the program in a project's folder: how long it took, and what it said.
fn run(folder: &Path, arguments: &[&str]) -> (Duration, Value) {
    let program = std::env::current_exe().expect("a path").with_file_name("whimbrel");
    let begun = Instant::now();
    let mut command = std::process::Command::new(program);
    let done = command.arg("--project").arg(folder).args(arguments).arg("--json").output().expect("the program starts");
    let took = begun.elapsed();
    assert!(matches!(done.status.code(), Some(0 | 1)), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    (took, serde_json::from_slice(&done.stdout).expect("it gives JSON"))
}
