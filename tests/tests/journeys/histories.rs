//! Random histories of a person on both sides, judged (see `conformance::history`): on real servers.
//! `WHIMBREL_SEEDS` says how many of each kind.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use conformance::{
    history::{
        client::Client,
        family::{ADDITIONS, ALL, Failure, count, in_use, merged, shorten},
        generate::{Does, history},
        imap::ImapClient,
        judge::{Case, Demands, Ledger, judge},
        play::{Cast, Play},
        step::{Op, Side, Step},
        turned,
    },
    servers::Format,
};
use journeys::{histories::Pair, store::Store};

/// How many are played at a time: each waits for servers most of the time.
const AT_ONCE: usize = 4;
/// A failure is shortened with so many plays, each with a mailbox of its own.
const PLAYS_MAX: usize = 60;

/// Nothing is broken on the wire here: the faults of the proxy have their own tests.
const fn on_servers(does: Does) -> Does {
    Does { faults: false, ..does }
}

/// A pair, and people who were not there yet.
struct Fresh {
    pair: Pair,
    people: Vec<String>,
    next: AtomicUsize,
}

impl Fresh {
    fn start(people: u64, stores: impl FnOnce(&[&str]) -> Option<[Store; 2]>) -> Option<Self> {
        let people: Vec<String> = (0..people as usize + PLAYS_MAX).map(|number| format!("p{number}")).collect();
        let names: Vec<&str> = people.iter().map(String::as_str).collect();
        let [source, target] = stores(&names)?;
        Some(Self { pair: Pair::new(source, target), people, next: AtomicUsize::new(0) })
    }

    /// Plays it with somebody new. Every complaint.
    fn play(&self, seed: u64, does: Does, steps: &[Step]) -> Vec<String> {
        let Some(person) = self.people.get(self.next.fetch_add(1, Ordering::SeqCst)) else { return Vec::new() };
        let play = || {
            let mut stage = self.pair.stage(person, does);
            stage.at_any_moment = seed % 2 == 1;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let wrong = runtime.block_on(Play::begin(stage).to_the_end(steps));
            runtime.shutdown_background();
            wrong
        };
        catch_unwind(AssertUnwindSafe(play)).unwrap_or_else(|_| vec!["panicked: see above".to_owned()])
    }
}

/// Plays many histories.
fn histories(name: &str, does: Does, usual: u64, stores: impl FnOnce(&[&str]) -> Option<[Store; 2]>) {
    let seeds = count(usual);
    let Some(fresh) = Fresh::start(seeds, stores) else { return };
    let (next, failed) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= seeds || !failed.lock().unwrap().is_empty() {
                        return;
                    }
                    let steps = history(seed, does);
                    let wrong = fresh.play(seed, does, &steps);
                    if !wrong.is_empty() {
                        failed.lock().unwrap().push((seed, steps, wrong));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    if let Some((seed, steps, wrong)) = failed.into_iter().next() {
        let (steps, wrong) = shorten(steps, wrong, PLAYS_MAX, |steps| fresh.play(seed, does, steps));
        panic!("\n{}", Failure { family: name.to_owned(), seed, steps, wrong });
    }
}

/// The client on a real server does what the book says that it did: else nothing that the judge says means anything.
fn client_and_book(stores: impl FnOnce(&[&str]) -> Option<Store>) {
    const PEOPLE: usize = 12;
    let people: Vec<String> = (0..PEOPLE).map(|number| format!("p{number}")).collect();
    let names: Vec<&str> = people.iter().map(String::as_str).collect();
    let Some(store) = stores(&names) else { return };
    for (seed, person) in people.iter().enumerate() {
        let client = || Box::new(ImapClient::new(store.talk(person))) as Box<dyn Client>;
        let mut cast = Cast::new([client(), client()], false);
        for step in history(1000 + seed as u64, on_servers(ALL)) {
            let ops = match step {
                Step::Client(side, op) => vec![(side, op)],
                Step::Pass(pass) => pass.during.into_iter().map(|(_, side, op)| (side, op)).collect(),
                Step::Event(_) => Vec::new(),
            };
            for (_, op) in ops.into_iter().filter(|(side, _)| *side == Side::Source) {
                let done = cast.act(Side::Source, &op, false);
                // Cyrus keeps a folder that has others below it.
                assert!(done || !cast.book.source.can(&op) || matches!(op, Op::Delete(_)), "{person}: {op}");
            }
        }
        let view = cast.client(Side::Source).view();
        let (book, ledger, demands) = (&cast.book, &Ledger::default(), Demands::default());
        let wrong = judge(&Case { book, source: &view, target: &view, ledger, demands });
        assert!(wrong.is_empty(), "{person}: {wrong:#?}");
    }
}

#[test]
fn the_client_on_dovecot_does_what_the_book_says() {
    for format in [Format::Maildir, Format::Mdbox, Format::Sdbox] {
        client_and_book(|people| Store::dovecot(format, people));
    }
}

#[test]
fn the_client_on_cyrus_does_what_the_book_says() {
    client_and_book(Store::cyrus);
}

fn dovecots(people: &[&str]) -> Option<[Store; 2]> {
    Some([Store::dovecot(Format::Maildir, people)?, Store::dovecot(Format::Sdbox, people)?])
}

fn to_cyrus(people: &[&str]) -> Option<[Store; 2]> {
    Some([Store::dovecot(Format::Mdbox, people)?, Store::cyrus(people)?])
}

fn from_cyrus(people: &[&str]) -> Option<[Store; 2]> {
    Some([Store::cyrus(people)?, Store::dovecot(Format::Maildir, people)?])
}

/// People who are turned over, come back and are turned over again.
fn turned_over_and_back(usual: u64, stores: impl FnOnce(&[&str]) -> Option<[Store; 2]>) {
    let seeds = count(usual);
    let Some(fresh) = Fresh::start(seeds, stores) else { return };
    for seed in 0..seeds {
        let stage = fresh.pair.stage(&fresh.people[seed as usize], Does::default());
        let wrong = turned::play(seed, stage, false, true);
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }
}

#[test]
fn turned_over_and_back_between_dovecots() {
    turned_over_and_back(6, dovecots);
}

#[test]
fn turned_over_and_back_from_dovecot_to_cyrus() {
    turned_over_and_back(4, to_cyrus);
}

#[test]
fn additions_from_dovecot_to_dovecot() {
    histories("additions, Dovecot to Dovecot", on_servers(ADDITIONS), 10, dovecots);
}

#[test]
fn additions_from_dovecot_to_cyrus() {
    histories("additions, Dovecot to Cyrus", on_servers(ADDITIONS), 10, to_cyrus);
}

#[test]
fn additions_from_cyrus_to_dovecot_in_use() {
    histories("additions, Cyrus to Dovecot in use", on_servers(in_use(ADDITIONS)), 10, from_cyrus);
}

#[test]
fn everything_from_dovecot_to_dovecot() {
    histories("all, Dovecot to Dovecot", on_servers(ALL), 16, dovecots);
}

#[test]
fn everything_from_dovecot_to_dovecot_in_use() {
    histories("all, Dovecot to Dovecot in use", on_servers(in_use(ALL)), 16, dovecots);
}

#[test]
fn everything_from_dovecot_to_cyrus() {
    histories("all, Dovecot to Cyrus", on_servers(ALL), 16, to_cyrus);
}

#[test]
fn everything_from_dovecot_to_cyrus_in_use() {
    histories("all, Dovecot to Cyrus in use", on_servers(in_use(ALL)), 16, to_cyrus);
}

#[test]
fn everything_from_cyrus_to_dovecot() {
    histories("all, Cyrus to Dovecot", on_servers(ALL), 16, from_cyrus);
}

#[test]
fn everything_in_folders_that_come_together_from_dovecot_to_dovecot() {
    histories("merged, Dovecot to Dovecot", on_servers(merged(ALL)), 12, dovecots);
}

#[test]
fn everything_in_folders_that_come_together_from_dovecot_to_cyrus_in_use() {
    histories("merged, Dovecot to Cyrus in use", on_servers(merged(in_use(ALL))), 12, to_cyrus);
}
