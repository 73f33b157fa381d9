//! An hour of changes at a source without a pause, and the engine passing again and again in this one process: at the end
//! the mailbox must be in step, and neither memory nor descriptors may have grown. `cargo xtask soak` starts it.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for those who build the program: what goes wrong ends it, and what it measures is printed"
)]

use std::{
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use conformance::{
    history::{
        family::Family,
        generate::Endless,
        play::{Cast, Play},
        step::{Pass, Side, Step, steps},
    },
    servers::Format,
};
use journeys::{histories::Pair, soak::Samples};

const USAGE: &str = "Usage: soak [--minutes 60] [--rate 5] [--messages 200] [--additions]\n";
/// Memory and descriptors are looked at this often, between two passes.
const SAMPLE: Duration = Duration::from_secs(10);
/// After so many passes somebody says of all removals that wait that they may be made: else they, and what is known of them,
/// would become ever more.
const WORD_EVERY: u64 = 50;
/// Between two passes.
const PAUSE: Duration = Duration::from_millis(200);
/// Once changes have stopped, so many passes until the mailbox has to be in step: one that reads everything, and one more
/// for folders that are gone, which are followed when two passes have missed them.
const LAST_PASSES: usize = 2;
/// A slope of memory is said of runs this long.
const SLOPE_MINUTES_MIN: u64 = 30;
/// MiB an hour.
const SLOPE_MAX: f64 = 1.0;
const PERSON: &str = "ann";

struct Options {
    minutes: u64,
    rate: u64,
    messages: usize,
    family: Family,
}

fn options() -> Option<Options> {
    let mut options = Options { minutes: 60, rate: 5, messages: 200, family: Family::named("all") };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--minutes" => options.minutes = arguments.next()?.parse().ok()?,
            "--rate" => options.rate = arguments.next()?.parse().ok().filter(|rate| *rate > 0)?,
            "--messages" => options.messages = arguments.next()?.parse().ok()?,
            "--additions" => options.family = Family::named("additions"),
            _ => return None,
        }
    }
    Some(options)
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(options) = options() else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    let Some(pair) = Pair::dovecots(&[PERSON], [Format::Maildir, Format::Sdbox]) else { return ExitCode::from(2) };
    let mut play = Play::begin(pair.stage(PERSON, options.family.does));
    for step in steps("target create Mine\ntarget deliver o1 Mine +Mine\ntarget deliver o2 INBOX\n") {
        play.step(&step).await.expect("the target takes what is the person's own");
    }
    let changes = Changes::begin(&play.cast, &options);
    let (samples, passes) = pass_until(&mut play, &changes, Duration::from_secs(options.minutes * 60)).await;
    changes.end();
    let mut wrong = last_passes(&mut play).await;
    println!("{} changes, {} passes, {} of them broke off", changes.done(), passes.all, passes.broke_off);
    let (slope, descriptors) = (samples.slope_mib_an_hour(), samples.descriptors());
    let rss = samples.rss_slope_mib_an_hour();
    println!(
        "memory: {slope:+.2} MiB an hour, {rss:+.2} with mapped files; descriptors: {} to {}",
        descriptors.0, descriptors.1
    );
    if options.minutes >= SLOPE_MINUTES_MIN && slope > SLOPE_MAX {
        wrong.push(format!("memory grows by {slope:.2} MiB an hour"));
    }
    if samples.descriptors_grow() {
        wrong.push("descriptors grow".to_owned());
    }
    for wrong in &wrong {
        println!("WRONG   {wrong}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A client that changes the source without a pause.
struct Changes {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    client: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Changes {
    fn begin(cast: &Arc<Mutex<Cast>>, options: &Options) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut endless = Endless::new(1, options.family.does, options.messages);
        let (pause, cast) = (Duration::from_secs(1) / options.rate as u32, cast.clone());
        let client = std::thread::spawn({
            let (stop, done) = (stop.clone(), done.clone());
            move || {
                while !stop.load(Ordering::SeqCst) {
                    let began = Instant::now();
                    let mut cast = cast.lock().unwrap_or_else(PoisonError::into_inner);
                    let op = endless.next(&cast.book.source);
                    done.fetch_add(u64::from(cast.act(Side::Source, &op, true)), Ordering::SeqCst);
                    cast.book.forget_gone();
                    drop(cast);
                    std::thread::sleep(pause.saturating_sub(began.elapsed()));
                }
            }
        });
        Self { stop, done, client: Mutex::new(Some(client)) }
    }

    fn done(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    fn end(&self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(client) = self.client.lock().unwrap_or_else(PoisonError::into_inner).take() {
            client.join().expect("the client does not fail");
        }
    }
}

#[derive(Default)]
struct Passes {
    all: u64,
    broke_off: u64,
}

/// Passes until the time is over, and looks at memory and descriptors between them.
async fn pass_until(play: &mut Play, changes: &Changes, time: Duration) -> (Samples, Passes) {
    let (began, mut samples, mut passes) = (Instant::now(), Samples::default(), Passes::default());
    println!("minute     own KiB     RSS KiB  descriptors   changes    passes");
    let mut next_line = 0;
    while began.elapsed() < time {
        let end = play.pass(&Pass::default()).await;
        passes.all += 1;
        if passes.all % WORD_EVERY == 0 {
            play.approve_removals().await;
        }
        let is_well = end.is_ok_and(|end| end.outcomes.iter().all(|outcome| outcome.failure.is_none()));
        passes.broke_off += u64::from(!is_well);
        if samples.last().is_none_or(|last| last.at + SAMPLE <= began.elapsed()) {
            let sample = samples.take(began.elapsed());
            if sample.at.as_secs() / 60 >= next_line {
                next_line = sample.at.as_secs() / 60 + 1;
                let (minute, own, rss) = (sample.at.as_secs() / 60, sample.own_kib, sample.rss_kib);
                let descriptors = sample.descriptors;
                println!("{minute:6}  {own:10}  {rss:10}  {descriptors:11}  {:8}  {:8}", changes.done(), passes.all);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    (samples, passes)
}

/// Nothing changes any more: the mailbox comes into step.
async fn last_passes(play: &mut Play) -> Vec<String> {
    let mut wrong = Vec::new();
    // Of what was held since somebody last looked, too.
    play.approve_removals().await;
    for number in 1..=LAST_PASSES {
        wrong = match play.step(&Step::Pass(Pass::default())).await {
            Ok(()) => play.verdict().await,
            Err(wrong) => vec![wrong],
        };
        if wrong.is_empty() {
            println!("in step after {number} of {LAST_PASSES} passes");
            break;
        }
    }
    wrong
}
