//! A second client changes the mailboxes of hundreds of people all day long, by a clock that runs faster: how soon each change is on the
//! target, whether memory and descriptors stay as they are, and whether the day's figures are what was done.
//!
//! ```text
//! cargo build --release -p whimbrel -p bench && target/release/day [MAILBOXES] [SECONDS] [CHANGES_A_SECOND] [CYCLE_SECONDS]
//! ```
//!
//! Source and target are Dovecots with maildirs; a service and two workers keep them in step. A person's own program logs in for each
//! change. Whether it has arrived is read from the target's files, twice a second, without asking the server. A message that waits to
//! arrive is not changed again, so that each change is one.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement that goes wrong ends; what it gives goes to standard output"
)]

mod load;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use conformance::{
    servers::{Dovecot, Format, Postgres},
    talk::Talk,
};
use journeys::{
    judge::{Judge, Side},
    mail::{Folder, fill_maildir, numbered},
    project::{Endpoint, Project},
    service::{Process, until},
    store::{MIGRATOR, PASSWORD},
};
use load::{Database, Spent};
use rehearsal::Chance;

const FOLDERS: [&str; 2] = ["INBOX", "Filed"];
const MESSAGES_A_FOLDER: usize = 20;
/// How often it is looked what has arrived.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often memory and descriptors are looked at.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// How long the last changes may take.
const PATIENCE: Duration = Duration::from_secs(300);
const KINDS: [&str; 4] = ["new", "flags", "moved", "removed"];

/// Where a message is, and whether it is flagged; none: nowhere.
type Place = Option<(usize, bool)>;

/// A change that has not arrived yet.
struct Change {
    at: Instant,
    kind: usize,
    person: usize,
    number: usize,
    becomes: Place,
}

/// What was done and has not arrived, and how long all else took, by kind.
#[derive(Default)]
struct Changes {
    waiting: Vec<Change>,
    took: [Vec<f64>; KINDS.len()],
}

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|word| word.parse::<usize>().expect("numbers: MAILBOXES SECONDS CHANGES_A_SECOND CYCLE_SECONDS"));
    let mut number = |usual| arguments.next().unwrap_or(usual);
    let (mailboxes, seconds, a_second, cycle) = (number(200), number(600), number(8), number(30));
    let people: Vec<String> = (0..mailboxes).map(|person| format!("p{person:05}")).collect();
    let (source, target) = (dovecot(&people), dovecot(&people));
    for (person, name) in people.iter().enumerate() {
        fill_maildir(&source.maildir(name), &mailbox(person));
    }
    source.give_to_mail_user(source.home(&people[0]).parent().expect("it is below the folder of all"));
    let server =
        Postgres::start_with(&["max_connections=300", "fsync=on", "shared_preload_libraries=pg_stat_statements"])
            .expect("postgresql is installed");
    let url = server.fresh_database();
    let end = |dovecot: &Dovecot| {
        let endpoint = Endpoint::imap(dovecot.port()).with("connections_max = 32").with("watch_connections_max = 0");
        endpoint.login(MIGRATOR, PASSWORD, "authzid")
    };
    let rows = people.iter().fold("source,target\n".to_owned(), |mut rows, name| {
        let _ = writeln!(rows, "{name},{name}");
        rows
    });
    let project = Project::new(end(&source), end(&target))
        .with(&format!("database = {url:?}"))
        .with(&format!("service = {{ cycle_seconds = {cycle} }}"))
        .people(&rows);
    let service = Process::serve(&project, &[]);
    until("the key is made", || project.service_key().exists());
    let workers = [0, 1].map(|_| Process::worker(&url, &project.service_key(), &[]));
    until("all are in step", || project.is_in_step());
    println!(
        "{mailboxes} mailboxes in step, changed {a_second} times a second for {seconds} s, looked at every {cycle} s"
    );

    Database::count_statements(&server, &url);
    let turns =
        || -> f64 { server.superuser_query(&url, "SELECT sum(fence) FROM mailbox").trim().parse().unwrap_or_default() };
    let (began, figures, spent, turned, done) =
        (Instant::now(), figures(&project), Spent::now(), turns(), Database::now(&server, &url));
    let (changes, is_over) = (Mutex::new(Changes::default()), AtomicBool::new(false));
    let processes = [&service, &workers[0], &workers[1]];
    let mut samples: Vec<[(f64, f64, usize); 3]> = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| change(&source, &people, a_second, &changes, &is_over));
        scope.spawn(|| watch(&target, &people, &changes, &is_over));
        while began.elapsed() < Duration::from_secs(seconds as u64) {
            thread::sleep(SAMPLE_EVERY);
            samples.push(processes.map(|process| load::memory(process.id())));
        }
        is_over.store(true, Ordering::SeqCst);
    });
    let took = began.elapsed().as_secs_f64();
    let changes = changes.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(changes.waiting.is_empty(), "{} changes have not arrived", changes.waiting.len());
    let turns = turns() - turned;
    println!("\n{took:.0} s, {turns:.0} turns, {:.1} a second", turns / took);
    Spent::now().since(&spent).print(took);
    println!("how long until a change was on the target:");
    for (kind, times) in KINDS.iter().zip(&changes.took) {
        let mut times = times.clone();
        times.sort_by(f64::total_cmp);
        let Some(last) = times.len().checked_sub(1) else { continue };
        let at = |share: f64| times[(last as f64 * share) as usize];
        println!(
            "  {kind:8} {:5} times: {:5.1} s in the middle, {:5.1} s for 99 of 100, {:5.1} s at most",
            times.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
    print_samples(&samples);
    println!("the database:");
    Database::now(&server, &url).print_since(&done, took, turns);
    load::print_statements(&server, &url, 12, turns);
    let now = self::figures(&project);
    let (new, followed) = (now.0 - figures.0, now.1 - figures.1);
    let did = |kind: usize| changes.took[kind].len() as i64;
    // A move that is seen as two halves is a copy and a removal: it counts as one more item, and as followed like any other.
    let (copied, altered) = (did(0), did(1) + did(2) + did(3));
    println!(
        "the report's figures: {new} items, of {copied} new ones and {} that were moved and copied; {followed} followed of {altered}",
        new - copied
    );

    let side = |dovecot: &Dovecot, name: &str| Side::imap(dovecot.port(), name, PASSWORD);
    let judge =
        people.iter().fold(Judge::new(), |judge, name| judge.person(name, side(&source, name), side(&target, name)));
    let verdict = judge.compare().expect("Python is here");
    println!("judge: {}", verdict.sentence());
    assert!(verdict.is_equal(), "{verdict:?}");
    assert_eq!(followed, altered, "the report tells what was done");
    assert!((copied..=copied + did(2)).contains(&new), "the report tells what was done");
}

fn dovecot(people: &[String]) -> Dovecot {
    let users = people.iter().map(|name| (name.as_str(), PASSWORD));
    let dovecot = Dovecot::builder().format(Format::Maildir).users(users).master(MIGRATOR, PASSWORD);
    dovecot.start().expect("dovecot-imapd is installed")
}

/// The numbers of the messages that a person has in a folder at first.
fn first_numbers(person: usize, folder: usize) -> std::ops::Range<usize> {
    let first = (person * FOLDERS.len() + folder) * MESSAGES_A_FOLDER;
    first..first + MESSAGES_A_FOLDER
}

fn mailbox(person: usize) -> Vec<Folder> {
    let folder = |(place, name): (usize, &&str)| Folder {
        path: vec![(*name).to_owned()],
        messages: first_numbers(person, place).map(numbered).collect(),
    };
    FOLDERS.iter().enumerate().map(folder).collect()
}

/// Items copied, and changes followed, of all days of the report.
fn figures(project: &Project) -> (i64, i64) {
    let (_, report) = project.json(&["report", "schedule"]);
    let days = report["days"].as_array().unwrap_or_else(|| panic!("{report:#}"));
    let sum = |name: &str| days.iter().filter_map(|day| day[name].as_i64()).sum();
    (sum("items"), sum("followed"))
}

fn locked(changes: &Mutex<Changes>) -> MutexGuard<'_, Changes> {
    changes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What people do at the source, so often, until it is over.
fn change(source: &Dovecot, people: &[String], a_second: usize, changes: &Mutex<Changes>, is_over: &AtomicBool) {
    let mut chance = Chance::new(11);
    let mut there: Vec<BTreeMap<usize, (usize, bool)>> = (0..people.len())
        .map(|person| {
            let folders =
                (0..FOLDERS.len()).flat_map(|folder| first_numbers(person, folder).map(move |number| (number, folder)));
            folders.map(|(number, folder)| (number, (folder, false))).collect()
        })
        .collect();
    let mut next = people.len() * FOLDERS.len() * MESSAGES_A_FOLDER;
    let (began, mut done) = (Instant::now(), 0_u32);
    while !is_over.load(Ordering::SeqCst) {
        done += 1;
        let due = began + Duration::from_secs(1) * done / a_second as u32;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let person = chance.below(people.len() as u64) as usize;
        let waits: HashSet<usize> = locked(changes)
            .waiting
            .iter()
            .filter(|change| change.person == person)
            .map(|change| change.number)
            .collect();
        let free: Vec<(usize, (usize, bool))> = there[person]
            .iter()
            .filter(|(number, _)| !waits.contains(number))
            .map(|(number, place)| (*number, *place))
            .collect();
        let kind = match chance.below(20) {
            _ if free.is_empty() => 0,
            0..8 => 0,
            8..13 => 1,
            13..17 => 2,
            _ => 3,
        };
        let mut talk = Talk::login(source.port(), &people[person], PASSWORD);
        let at = Instant::now();
        let (number, becomes) = if kind == 0 {
            next += 1;
            assert!(talk.append(FOLDERS[0], "", &numbered(next).bytes).is_ok());
            (next, Some((0, false)))
        } else {
            let (number, (folder, flagged)) = *chance.pick(&free);
            talk.ok(&format!("SELECT {}", FOLDERS[folder]));
            let uid = uid_of(&mut talk, number);
            match kind {
                1 => {
                    let sign = if flagged { '-' } else { '+' };
                    talk.ok(&format!("UID STORE {uid} {sign}FLAGS (\\Flagged)"));
                    (number, Some((folder, !flagged)))
                }
                2 => {
                    talk.ok(&format!("UID MOVE {uid} {}", FOLDERS[1 - folder]));
                    (number, Some((1 - folder, flagged)))
                }
                _ => {
                    talk.ok(&format!("UID STORE {uid} +FLAGS (\\Deleted)"));
                    talk.ok(&format!("UID EXPUNGE {uid}"));
                    (number, None)
                }
            }
        };
        match becomes {
            Some(place) => there[person].insert(number, place),
            None => there[person].remove(&number),
        };
        locked(changes).waiting.push(Change { at, kind, person, number, becomes });
    }
}

fn uid_of(talk: &mut Talk, number: usize) -> u32 {
    let answer = talk.ok(&format!("UID SEARCH HEADER Message-ID \"<{number}@example.test>\""));
    let found = answer.of("SEARCH").next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    found.unwrap_or_else(|| panic!("message {number}: {answer:?}"))
}

/// Looks what has arrived, until it is over and nothing is left.
fn watch(target: &Dovecot, people: &[String], changes: &Mutex<Changes>, is_over: &AtomicBool) {
    let mut numbers: HashMap<PathBuf, usize> = HashMap::new();
    let mut ended = None::<Instant>;
    loop {
        thread::sleep(LOOK_EVERY);
        let waited_for: HashSet<usize> = locked(changes).waiting.iter().map(|change| change.person).collect();
        let mut there: HashMap<usize, BTreeMap<usize, (usize, bool)>> = HashMap::new();
        for person in waited_for {
            there.insert(person, look(&target.maildir(&people[person]), &mut numbers));
        }
        let now = Instant::now();
        let mut changes = locked(changes);
        let Changes { waiting, took } = &mut *changes;
        waiting.retain(|change| {
            let Some(there) = there.get(&change.person) else { return true };
            let has_arrived = there.get(&change.number).copied() == change.becomes;
            if has_arrived {
                took[change.kind].push(now.duration_since(change.at).as_secs_f64());
            }
            !has_arrived
        });
        if is_over.load(Ordering::SeqCst) {
            let since = *ended.get_or_insert(now);
            if waiting.is_empty() || since.elapsed() > PATIENCE {
                return;
            }
        }
    }
}

/// The messages of a maildir by their numbers. What a file holds never changes, so it is read once.
fn look(maildir: &Path, numbers: &mut HashMap<PathBuf, usize>) -> BTreeMap<usize, (usize, bool)> {
    let mut there = BTreeMap::new();
    for (folder, name) in FOLDERS.iter().enumerate() {
        let folder_path = if folder == 0 { maildir.to_owned() } else { maildir.join(format!(".{name}")) };
        for part in ["new", "cur"] {
            for entry in fs::read_dir(folder_path.join(part)).into_iter().flatten().flatten() {
                let (path, file) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
                let (unique, flags) = file.split_once(":2,").unwrap_or((&file, ""));
                let known = folder_path.join(unique);
                let number = match numbers.get(&known) {
                    Some(number) => *number,
                    None => {
                        // It may just have been renamed.
                        let Some(number) = fs::read_to_string(&path).ok().and_then(|text| number_in(&text)) else {
                            continue;
                        };
                        *numbers.entry(known).or_insert(number)
                    }
                };
                there.insert(number, (folder, flags.contains('F')));
            }
        }
    }
    there
}

fn number_in(text: &str) -> Option<usize> {
    text.split_once("Message-ID: <")?.1.split_once('@')?.0.parse().ok()
}

/// Memory and descriptors of each process at a third of the run, at two thirds and at its end.
fn print_samples(samples: &[[(f64, f64, usize); 3]]) {
    println!("memory of its own, and open descriptors, in each third of the run:");
    for (place, name) in ["the service", "a worker", "the other worker"].iter().enumerate() {
        let thirds = samples.chunks(samples.len().div_ceil(3).max(1)).map(|third| {
            let own: Vec<f64> = third.iter().map(|sample| sample[place].0).collect();
            let mean = own.iter().sum::<f64>() / own.len() as f64;
            let open = || third.iter().map(|sample| sample[place].2);
            format!("{mean:.1} MiB {}–{}", open().min().unwrap_or_default(), open().max().unwrap_or_default())
        });
        println!("  {name:18} {}", thirds.collect::<Vec<_>>().join(",  "));
    }
}
