//! What a run costs: processor time and memory of every process that a measurement has started, and the work of its database.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
};

use conformance::servers::Postgres;

/// Ticks of the kernel's clock in a second, on every Linux of today.
const TICKS_A_SECOND: f64 = 100.0;

/// A process as the kernel shows it.
struct Seen {
    parent: u32,
    name: String,
    /// Seconds of its own, and those of children that it has waited for.
    own: f64,
    children: f64,
}

/// Whose time is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whose {
    /// `whimbrel worker`.
    Workers,
    /// `whimbrel serve`.
    Service,
    /// All of PostgreSQL.
    Postgres,
    /// All of every Dovecot.
    Dovecot,
    /// The measurement itself, with the servers in memory.
    Itself,
}

/// Processor time so far, in seconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spent {
    /// By whom.
    pub(crate) by: BTreeMap<Whose, f64>,
    /// By everybody on this machine.
    pub(crate) machine: f64,
}

impl Spent {
    /// Until now.
    pub(crate) fn now() -> Self {
        let all = processes();
        let own = std::process::id();
        let mut by: BTreeMap<Whose, f64> = BTreeMap::new();
        for (id, process) in &all {
            let whose = if *id == own { Some(Whose::Itself) } else { whose(*id, &all, own) };
            let Some(whose) = whose else { continue };
            // Servers end children all the time; what this process has waited for is not part of the load.
            let children = if matches!(whose, Whose::Postgres | Whose::Dovecot) { process.children } else { 0.0 };
            *by.entry(whose).or_default() += process.own + children;
        }
        Self { by, machine: machine() }
    }

    /// Since an earlier moment.
    #[must_use]
    pub(crate) fn since(&self, before: &Self) -> Self {
        let since = |(whose, seconds): (&Whose, &f64)| {
            (*whose, (seconds - before.by.get(whose).copied().unwrap_or_default()).max(0.0))
        };
        Self { by: self.by.iter().map(since).collect(), machine: self.machine - before.machine }
    }

    /// One line for each, as a share of one processor in this time.
    pub(crate) fn print(&self, seconds: f64) {
        for (whose, spent) in &self.by {
            println!("  {:28} {:6.1} % of a core", format!("{whose:?}").to_lowercase(), 100.0 * spent / seconds);
        }
        let ours: f64 = self.by.values().sum();
        println!(
            "  {:28} {:6.1} % of a core",
            "others on this machine",
            100.0 * (self.machine - ours).max(0.0) / seconds
        );
    }
}

/// Of whom this process is a part: of the server or program nearest to this process.
fn whose(id: u32, all: &HashMap<u32, Seen>, own: u32) -> Option<Whose> {
    let (mut at, mut whose) = (id, None);
    while at != own {
        let process = all.get(&at)?;
        whose = match process.name.as_str() {
            "postgres" => Some(Whose::Postgres),
            "dovecot" => Some(Whose::Dovecot),
            "whimbrel" if is_worker(at) => Some(Whose::Workers),
            "whimbrel" => Some(Whose::Service),
            _ => whose,
        };
        at = process.parent;
    }
    whose
}

fn is_worker(id: u32) -> bool {
    fs::read(format!("/proc/{id}/cmdline"))
        .is_ok_and(|words| words.split(|byte| *byte == 0).any(|word| word == b"worker"))
}

fn processes() -> HashMap<u32, Seen> {
    let ids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| Some((id, seen(id)?))).collect()
}

fn seen(id: u32) -> Option<Seen> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (name, rest) = (stat.split_once('(')?.1.rsplit_once(')')?.0, stat.rsplit_once(") ")?.1);
    let words: Vec<&str> = rest.split(' ').collect();
    let ticks = |place: usize| words.get(place)?.parse::<f64>().ok();
    let seconds = |place: usize| Some((ticks(place)? + ticks(place + 1)?) / TICKS_A_SECOND);
    Some(Seen { parent: words.get(1)?.parse().ok()?, name: name.to_owned(), own: seconds(11)?, children: seconds(13)? })
}

/// Seconds in which a processor of this machine did something.
fn machine() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let words = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<f64> = words.filter_map(|word| word.parse().ok()).take(8).collect();
    // All but idle and waiting for a disk.
    ticks.iter().enumerate().filter(|(place, _)| ![3, 4].contains(place)).map(|(_, ticks)| ticks).sum::<f64>()
        / TICKS_A_SECOND
}

/// A process's memory in MiB: of its own, and with the pages of files that are mapped; and its open descriptors.
pub(crate) fn memory(id: u32) -> (f64, f64, usize) {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or_default() / 1024.0
    };
    let descriptors = fs::read_dir(format!("/proc/{id}/fd")).map_or(0, Iterator::count);
    (mib("RssAnon"), mib("VmRSS"), descriptors)
}

/// What a database has done so far, by its own count.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Database([f64; 9]);

impl Database {
    const NAMES: [&str; 9] = [
        "transactions",
        "rolled back",
        "rows read by scans",
        "rows fetched by indexes",
        "rows updated",
        "rows inserted and deleted",
        "blocks read",
        "blocks hit",
        "bytes of log",
    ];

    /// Begins to count statements, for [`statements`].
    pub(crate) fn count_statements(server: &Postgres, url: &str) {
        server.superuser_query(url, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
        server.superuser_query(url, "SELECT pg_stat_statements_reset()");
    }

    /// Until now.
    pub(crate) fn now(server: &Postgres, url: &str) -> Self {
        let select = "SELECT xact_commit, xact_rollback, tup_returned, tup_fetched, tup_updated, tup_inserted + tup_deleted, \
            blks_read, blks_hit, pg_current_wal_lsn() - '0/0' FROM pg_stat_database WHERE datname = current_database()";
        let row = server.superuser_query(url, select);
        let numbers: Vec<f64> = row.trim().split('|').filter_map(|word| word.parse().ok()).collect();
        Self(numbers.try_into().expect("the database counts what it does"))
    }

    /// What it did since an earlier moment, in this time and for so many turns.
    pub(crate) fn print_since(&self, before: &Self, seconds: f64, turns: f64) {
        for (name, (now, was)) in Self::NAMES.iter().zip(self.0.iter().zip(before.0)) {
            let done = now - was;
            println!("  {name:28} {:12.1} a second   {:10.1} a turn", done / seconds, done / turns);
        }
    }
}

/// The statements that took most of the database's time since they are counted.
pub(crate) fn print_statements(server: &Postgres, url: &str, most: usize, turns: f64) {
    let all = "SELECT sum(calls), sum(total_exec_time) FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid \
        WHERE r.rolname = 'whimbrel'";
    let sum = server.superuser_query(url, all);
    let numbers: Vec<f64> = sum.trim().split('|').filter_map(|word| word.parse().ok()).collect();
    let [calls, ms] = numbers[..] else { return };
    println!("  {:.1} statements a turn, {:.2} ms of the database a turn; of these:", calls / turns, ms / turns);
    let select = format!(
        "SELECT calls, total_exec_time, regexp_replace(left(query, 2000), '\\s+', ' ', 'g') \
         FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid WHERE r.rolname = 'whimbrel' \
         ORDER BY total_exec_time DESC LIMIT {most}"
    );
    for row in server.superuser_query(url, &select).lines() {
        let mut words = row.splitn(3, '|');
        let mut number = || words.next().and_then(|word| word.parse::<f64>().ok()).unwrap_or_default();
        let (its_calls, its_ms) = (number(), number());
        let text: String = words.next().unwrap_or_default().chars().take(110).collect();
        println!(
            "  {:6.2} a turn  {:7.3} ms  {:4.1} %  {text}",
            its_calls / turns,
            its_ms / its_calls,
            100.0 * its_ms / ms
        );
    }
}
