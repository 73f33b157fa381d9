//! Thousands of mailboxes at rest, kept in step by one service and eight workers: how long a cycle takes, and what it costs.
//!
//! ```text
//! cargo build --release -p whimbrel -p bench && target/release/idle [MAILBOXES] [OF_THEM_ON_DOVECOT] [SECONDS]
//! ```
//!
//! A project between two Dovecots and one between two IMAP servers in memory (in this process) share one PostgreSQL. The servers in
//! memory answer each command [`LATENCY`] late. The cycle that is asked for is a second, so that no worker ever waits for one: what is
//! measured is how often all mailboxes can be looked at.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement that goes wrong ends; what it gives goes to standard output"
)]

mod load;

use std::{
    collections::HashMap,
    fmt::Write as _,
    thread,
    time::{Duration, Instant},
};

use conformance::{
    imap_server::{Date, ImapServer},
    servers::{Dovecot, Format, Postgres},
};
use journeys::{
    mail::{Folder, fill_maildir, numbered},
    project::{Endpoint, Project},
    service::Process,
    store::{MIGRATOR, PASSWORD},
};
use load::{Database, Spent, Whose};

const WORKERS: usize = 8;
const AT_ONCE: &str = "8";
/// What each command to a server in memory waits: a round trip.
const LATENCY: Duration = Duration::from_millis(20);
const FOLDERS: [&str; 5] = ["INBOX", "Sent", "Trash", "Drafts", "Projects"];
const MESSAGES_A_FOLDER: usize = 3;
/// How often it is looked when passes ended.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long the first copy may take.
const IN_STEP: &str = "SELECT count(*) FROM mailbox WHERE phase = 'in-step'";
const COPY_MAX: Duration = Duration::from_secs(3600);

fn main() {
    let mut arguments =
        std::env::args().skip(1).map(|word| word.parse().expect("numbers: MAILBOXES OF_THEM_ON_DOVECOT SECONDS"));
    let mailboxes = arguments.next().unwrap_or(5_000);
    let on_dovecot = arguments.next().unwrap_or(1_000).min(mailboxes);
    let seconds = arguments.next().unwrap_or(600);
    let in_memory = mailboxes - on_dovecot;

    let begun = Instant::now();
    let dovecots = Dovecots::filled(on_dovecot);
    let memory = Memory::filled(in_memory);
    println!(
        "{on_dovecot} mailboxes on Dovecot and {in_memory} in memory, {} messages each, put there in {:.0} s",
        FOLDERS.len() * MESSAGES_A_FOLDER,
        begun.elapsed().as_secs_f64()
    );
    // What the kit saves for tests is not saved here: the log goes to the disk.
    let settings = [
        "max_connections=300",
        "shared_buffers=256MB",
        "fsync=on",
        "full_page_writes=on",
        "shared_preload_libraries=pg_stat_statements",
    ];
    let server = Postgres::start_with(&settings).expect("postgresql is installed");
    let url = server.fresh_database();
    let projects = [
        project("dovecot", &url, dovecots.endpoints(), &dovecots.people, on_dovecot),
        project("memory", &url, memory.endpoints(), &memory.people, in_memory),
    ];

    let second = projects[1].path().display().to_string();
    let mut service = Process::serve(&projects[0], &[&second, "--at-once", "0"]);
    let is = |count: &str, number: &str| server.superuser_query(&url, count).trim() == number;
    wait_until("both projects are served", Duration::from_secs(120), || {
        is("SELECT count(*) FROM pg_tables WHERE tablename = 'served'", "1")
            && is("SELECT count(*) FROM served WHERE is_served = 1", "2")
    });
    Database::count_statements(&server, &url);
    let copying = (Instant::now(), Spent::now());
    let workers: Vec<Process> =
        (0..WORKERS).map(|_| Process::worker(&url, &projects[0].service_key(), &["--at-once", AT_ONCE])).collect();
    wait_until("all are in step", COPY_MAX, || is(IN_STEP, &mailboxes.to_string()));
    let took = copying.0.elapsed().as_secs_f64();
    println!("\nfirst copy: {took:.0} s, {:.1} mailboxes a second", mailboxes as f64 / took);
    Spent::now().since(&copying.1).print(took);

    // Once around, so that all that is new is over and the database has planned its statements.
    let after = ends(&server, &url).values().copied().max().unwrap_or_default();
    wait_until("all have passed once more", COPY_MAX, || ends(&server, &url).values().all(|ended| *ended > after));
    measure(&server, &url, &workers, &service, seconds);

    let failed = server.superuser_query(&url, "SELECT phase, condition, cause, count(*) FROM mailbox GROUP BY 1, 2, 3");
    println!("in the end: {}", failed.trim().replace('\n', "; "));
    for process in workers {
        let mut process = process;
        assert_eq!(process.stop().code, 0);
    }
    assert_eq!(service.stop().code, 0);
    drop(memory);
}

/// Looks for so long, and tells what was seen.
fn measure(server: &Postgres, url: &str, workers: &[Process], service: &Process, seconds: usize) {
    let turns =
        || -> f64 { server.superuser_query(url, "SELECT sum(fence) FROM mailbox").trim().parse().unwrap_or_default() };
    Database::count_statements(server, url);
    let (began, turned, spent, done) = (Instant::now(), turns(), Spent::now(), Database::now(server, url));
    let mut passes = Passes::new(server, url);
    let mut peaks = vec![(0.0_f64, 0.0_f64, 0_usize); workers.len()];
    while began.elapsed() < Duration::from_secs(seconds as u64) {
        thread::sleep(LOOK_EVERY);
        passes.look(server, url);
        for (peak, worker) in peaks.iter_mut().zip(workers) {
            let now = load::memory(worker.id());
            *peak = (peak.0.max(now.0), peak.1.max(now.1), peak.2.max(now.2));
        }
    }
    let took = began.elapsed().as_secs_f64();
    let (spent, turns) = (Spent::now().since(&spent), turns() - turned);
    println!("\nat rest, {took:.0} s: {turns:.0} turns, {:.1} a second", turns / took);
    passes.print();
    spent.print(took);
    let whimbrel = spent.by.get(&Whose::Workers).copied().unwrap_or_default();
    println!("  a turn costs the workers {:.1} ms", 1000.0 * whimbrel / turns);
    let (own, rss, open) = peaks
        .iter()
        .fold((0.0_f64, 0.0_f64, 0), |most, peak| (most.0.max(peak.0), most.1.max(peak.1), most.2.max(peak.2)));
    println!("  the largest worker: {rss:.0} MiB of memory, {own:.0} of its own, {open} descriptors");
    let (own, rss, open) = load::memory(service.id());
    println!("  the service: {rss:.0} MiB of memory, {own:.0} of its own, {open} descriptors");
    println!("the database:");
    Database::now(server, url).print_since(&done, took, turns);
    load::print_statements(server, url, 24, turns);
}

/// When passes ended, and how long it was from one end to the next.
struct Passes {
    /// By project and mailbox (milliseconds since 1970).
    now: HashMap<String, i64>,
    /// Milliseconds between two ends of a mailbox's passes, by project.
    gaps: HashMap<String, Vec<i64>>,
}

impl Passes {
    fn new(server: &Postgres, url: &str) -> Self {
        Self { now: ends(server, url), gaps: HashMap::new() }
    }

    fn look(&mut self, server: &Postgres, url: &str) {
        for (mailbox, ended) in ends(server, url) {
            let before = self.now.insert(mailbox.clone(), ended).unwrap_or(ended);
            if ended > before {
                let (project, _) = mailbox.split_once('|').expect("a mailbox is of a project");
                self.gaps.entry(project.to_owned()).or_default().push(ended - before);
            }
        }
    }

    fn print(mut self) {
        let mut gaps: Vec<(&String, &mut Vec<i64>)> = self.gaps.iter_mut().collect();
        gaps.sort();
        for (project, gaps) in gaps {
            gaps.sort_unstable();
            let at = |share: f64| gaps[((gaps.len() - 1) as f64 * share) as usize] as f64 / 1000.0;
            println!(
                "  from a pass to the next, {project:8} {:7.1} s at least, {:.1} s in the middle, {:.1} s for 99 of 100, {:.1} s at most, of {}",
                at(0.0),
                at(0.5),
                at(0.99),
                at(1.0),
                gaps.len()
            );
        }
    }
}

fn ends(server: &Postgres, url: &str) -> HashMap<String, i64> {
    let select = "SELECT p.name, m.mailbox, coalesce(m.pass_ended_at, 0) FROM mailbox m \
        JOIN project p ON p.organisation = m.organisation AND p.project = m.project";
    let rows = server.superuser_query(url, select);
    let row = |line: &str| {
        let (mailbox, ended) = line.rsplit_once('|')?;
        Some((mailbox.to_owned(), ended.parse().ok()?))
    };
    rows.lines().filter_map(row).collect()
}

/// Waits for something that may take long.
fn wait_until(what: &str, most: Duration, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < most, "it did not come to be that {what}");
        thread::sleep(Duration::from_millis(500));
    }
}

/// A project of the people with these names, who have them on both sides.
fn project(name: &str, url: &str, (source, target): (Endpoint, Endpoint), people: &[String], share: usize) -> Project {
    let end = |endpoint: Endpoint| {
        endpoint.with("connections_max = 128").with("watch_connections_max = 0").login(MIGRATOR, PASSWORD, "authzid")
    };
    let rows = people.iter().fold("source,target\n".to_owned(), |mut rows, name| {
        let _ = writeln!(rows, "{name},{name}");
        rows
    });
    Project::new(end(source), end(target))
        .with(&format!("project = {name:?}"))
        .with(&format!("database = {url:?}"))
        .with(&format!("service = {{ cycle_seconds = 1, share = {} }}", share.max(1)))
        .people(&rows)
}

fn mailbox(person: usize) -> Vec<Folder> {
    let messages = |place: usize| {
        let first = (person * FOLDERS.len() + place) * MESSAGES_A_FOLDER;
        (first..first + MESSAGES_A_FOLDER).map(numbered).collect()
    };
    let folder = |(place, name): (usize, &&str)| Folder { path: vec![(*name).to_owned()], messages: messages(place) };
    FOLDERS.iter().enumerate().map(folder).collect()
}

/// Two Dovecots; the first has mail.
struct Dovecots {
    source: Dovecot,
    target: Dovecot,
    people: Vec<String>,
}

impl Dovecots {
    fn filled(number: usize) -> Self {
        let people: Vec<String> = (0..number).map(|person| format!("d{person:05}")).collect();
        let start = || {
            let users = people.iter().map(|name| (name.as_str(), PASSWORD));
            let dovecot = Dovecot::builder().format(Format::Maildir).users(users).master(MIGRATOR, PASSWORD);
            dovecot.start().expect("dovecot-imapd is installed")
        };
        let (source, target) = (start(), start());
        for (person, name) in people.iter().enumerate() {
            fill_maildir(&source.maildir(name), &mailbox(person));
        }
        if let Some(name) = people.first() {
            source.give_to_mail_user(source.home(name).parent().expect("it is below the folder of all"));
        }
        Self { source, target, people }
    }

    fn endpoints(&self) -> (Endpoint, Endpoint) {
        (Endpoint::imap(self.source.port()), Endpoint::imap(self.target.port()))
    }
}

/// Two servers in memory; the first has mail.
struct Memory {
    source: ImapServer,
    target: ImapServer,
    people: Vec<String>,
}

impl Memory {
    fn filled(number: usize) -> Self {
        let start = || {
            let server = ImapServer::builder().many_users(number, PASSWORD).admin(MIGRATOR, PASSWORD);
            server.latency(LATENCY).log_lines_max(0).start()
        };
        let (source, target) = (start(), start());
        let people: Vec<String> = (1..=number).map(|person| format!("u{person:05}")).collect();
        for (person, name) in people.iter().enumerate() {
            let there = source.person(name);
            for folder in mailbox(100_000 + person) {
                let folder_name = &folder.path[0];
                if folder_name != "INBOX" {
                    there.create(folder_name);
                }
                for message in folder.messages {
                    there.append(folder_name, message.bytes, &["\\Seen"], Date::utc(message.received));
                }
            }
        }
        Self { source, target, people }
    }

    fn endpoints(&self) -> (Endpoint, Endpoint) {
        (Endpoint::imap(self.source.port()), Endpoint::imap(self.target.port()))
    }
}
