//! People from Active Directory (Samba) to a platform that is OpenLDAP: time and peak memory of each step.
//!
//! ```text
//! cargo build --release -p whimbrel -p bench && target/release/people [PEOPLE]
//! ```

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement that goes wrong ends; what it gives goes to standard output"
)]

use std::{
    fs::{self, File},
    io::Read,
    thread,
    time::{Duration, Instant},
};

use conformance::servers::Ldif;
use journeys::organisation::{Organisation, Size, person_dn};
use serde_json::Value;

/// People whose department changes.
const CHANGES: usize = 200;

fn main() {
    let people = std::env::args().nth(1).map_or(10_000, |word| word.parse().expect("a number: PEOPLE"));
    let size = Size { people, groups: people / 20, shared: people * 3 / 100, rooms: people / 200, strangers: 0 };
    let started = Instant::now();
    let organisation = Organisation::start(size).expect("both servers are installed");
    println!("{size:?}, put there in {:.0} s by other means", started.elapsed().as_secs_f64());

    run(&organisation, "sync", &["people", "sync"]);
    carry_out(&organisation, "");
    run(&organisation, "accept", &["people", "accept", "--exemption", "a measurement"]);
    run(&organisation, "re-run: sync", &["people", "sync"]);
    let plan = run(&organisation, "re-run: plan", &["people", "plan"]);
    assert!(plan["plan"].is_null(), "a second run changes nothing: {plan:#}");

    let changes = (0..CHANGES)
        .fold(Ldif::new(), |changes, number| changes.replace(&person_dn(number), "department", &[b"Radiology"]));
    organisation.ad.apply(&changes);
    run(&organisation, "200 changes: sync", &["people", "sync"]);
    carry_out(&organisation, "200 changes: ");
    assert_eq!(organisation.on_platform("(departmentNumber=Radiology)", &["1.1"]).len(), CHANGES);
    assert!(organisation.marks().values().all(|count| *count == 1), "nobody twice");
}

fn carry_out(organisation: &Organisation, what: &str) {
    let plan = run(organisation, &format!("{what}plan"), &["people", "plan"]);
    let number = plan["plan"].as_i64().expect("there is something to do").to_string();
    let digest = plan["digest"].as_str().expect("a plan has a digest");
    let approve = ["people", "plan", "--approve", &number, "--digest", digest, "--by", "The board"];
    run(organisation, &format!("{what}approve"), &approve);
    let applied = run(organisation, &format!("{what}apply"), &["people", "apply"]);
    assert_eq!(applied["not_done"].as_array().map(Vec::len), Some(0), "{applied:#}");
    println!("{:28} {} changes", "", applied["done_now"]);
}

/// Runs the program, and tells how long it took and the most memory it had at once.
fn run(organisation: &Organisation, name: &str, arguments: &[&str]) -> Value {
    let path = organisation.path().join("out.json");
    let out = File::create(&path).expect("the project can be written");
    let started = Instant::now();
    let mut program = organisation.command(arguments).arg("--json").stdout(out).spawn().expect("the program starts");
    let mut peak = 0;
    let status = loop {
        if let Some(status) = program.try_wait().expect("it is ours") {
            break status;
        }
        peak = peak.max(peak_kib(program.id()).unwrap_or_default());
        thread::sleep(Duration::from_millis(5));
    };
    let took = started.elapsed().as_secs_f64();
    println!("{name:28} {took:8.2} s  {:6} MiB", peak / 1024);
    let mut text = String::new();
    File::open(&path).and_then(|mut file| file.read_to_string(&mut text)).expect("it was just written");
    assert!(matches!(status.code(), Some(0 | 1)), "{name}: {status} {text}");
    serde_json::from_str(&text).expect("it gives JSON")
}

/// The most memory that a process had so far, as the kernel says.
fn peak_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
