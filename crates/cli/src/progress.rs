//! Progress: on a terminal a bar per collection, the mailboxes being worked on, and a line of totals; elsewhere a plain
//! line for each mailbox that ended.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use movement::state::counted;
use movement::{Finished, Progress};
use tokio::sync::watch;

use crate::text;

/// How often the numbers are looked at.
const TICK: Duration = Duration::from_millis(200);
/// Mailboxes being worked on that are shown at most.
const RUNNING_MAX: usize = 8;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Not at all.
    Not,
    /// With bars.
    Bars,
    /// With a line for each mailbox that ended.
    Lines,
}

impl How {
    pub(crate) fn of(is_terminal: bool) -> Self {
        if is_terminal { Self::Bars } else { Self::Lines }
    }
}

/// Progress that is being shown, until [`Shown::end`].
pub(crate) struct Shown {
    end: watch::Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Shown {
    /// Shows these numbers of these mailboxes (name and collection by number).
    pub(crate) fn begin(progress: Arc<Progress>, overview: BTreeMap<i64, (String, String)>, how: How) -> Self {
        let (end, ended) = watch::channel(false);
        // A thread of its own: drawing never waits for the work, nor the work for drawing.
        let thread = (how != How::Not).then(|| {
            std::thread::spawn(move || {
                let mut lines = Lines { progress, overview, told: 0, began: Instant::now() };
                let bars = (how == How::Bars).then(|| Bars::new(&lines.overview));
                loop {
                    let is_last = *ended.borrow();
                    for finished in lines.finished() {
                        match &bars {
                            Some(bars) => bars.finished(&lines.overview, &finished),
                            None => lines.say(&finished),
                        }
                    }
                    if let Some(bars) = &bars {
                        bars.draw(&lines);
                    }
                    if is_last {
                        if let Some(bars) = bars {
                            let _ = bars.all.clear();
                        }
                        return;
                    }
                    std::thread::sleep(TICK);
                }
            })
        });
        Self { end, thread }
    }

    /// Shows it no longer.
    pub(crate) fn end(mut self) {
        let _ = self.end.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Lines {
    progress: Arc<Progress>,
    overview: BTreeMap<i64, (String, String)>,
    told: usize,
    began: Instant,
}

impl Lines {
    fn finished(&mut self) -> Vec<Finished> {
        let finished = self.progress.finished_since(self.told);
        self.told += finished.len();
        finished
    }

    fn name(&self, mailbox: i64) -> &str {
        self.overview.get(&mailbox).map_or("", |(name, _)| name)
    }

    fn say(&self, finished: &Finished) {
        let _ = writeln!(std::io::stderr(), "{}", line(self.name(finished.mailbox), finished));
    }
}

fn line(name: &str, finished: &Finished) -> String {
    let done = format!("{name}: {} copied, {}", counted(finished.items, "item"), text::bytes(finished.bytes));
    match &finished.in_the_way {
        Some(what) => format!("{done}; {what}"),
        None => done,
    }
}

struct Bars {
    all: MultiProgress,
    collections: BTreeMap<String, ProgressBar>,
    running: Vec<ProgressBar>,
    totals: ProgressBar,
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

impl Bars {
    fn new(overview: &BTreeMap<i64, (String, String)>) -> Self {
        let all = MultiProgress::new();
        let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
        for (_, collection) in overview.values() {
            *sizes.entry(collection.clone()).or_default() += 1;
        }
        let collection = |(name, size): (String, u64)| {
            let bar =
                all.add(ProgressBar::new(size).with_style(style("{prefix:20!} [{bar:30}] {pos}/{len} mailboxes")));
            bar.set_prefix(name.clone());
            (name, bar)
        };
        let collections = sizes.into_iter().map(collection).collect();
        let running =
            (0..RUNNING_MAX).map(|_| all.add(ProgressBar::new(1).with_style(style("  {wide_msg}")))).collect();
        let totals = all.add(ProgressBar::new(1).with_style(style("{wide_msg}")));
        Self { all, collections, running, totals }
    }

    fn finished(&self, overview: &BTreeMap<i64, (String, String)>, finished: &Finished) {
        let Some((name, collection)) = overview.get(&finished.mailbox) else { return };
        if let Some(bar) = self.collections.get(collection) {
            bar.inc(1);
        }
        if finished.in_the_way.is_some() {
            let _ = self.all.println(line(name, finished));
        }
    }

    fn draw(&self, lines: &Lines) {
        let running = lines.progress.running();
        let mut shown = running.iter();
        for bar in &self.running {
            let text = shown.next().map(|(mailbox, progress)| {
                let name = lines.name(*mailbox);
                format!(
                    "{name}: {} of {}, {}",
                    progress.items_done,
                    counted(progress.items_listed, "item"),
                    progress.folder
                )
            });
            bar.set_message(text.unwrap_or_default());
        }
        let (items, bytes) = (lines.progress.items(), lines.progress.bytes());
        let seconds = lines.began.elapsed().as_secs_f64().max(0.1);
        let mut text = format!(
            "{}, {} ({:.0} items/s, {}/s)",
            counted(items, "item"),
            text::bytes(bytes),
            items as f64 / seconds,
            text::bytes((bytes as f64 / seconds) as u64)
        );
        if let Some(left) = seconds_left(lines, seconds) {
            text = format!("{text}, about {} left", text::span(left));
        }
        self.totals.set_message(text);
    }
}

/// What is left, if the rest goes as what is done: mailboxes that ended, and of those under way the part that is done.
fn seconds_left(lines: &Lines, seconds: f64) -> Option<u64> {
    let running = lines.progress.running();
    let under_way = running.values().map(|progress| {
        let listed = progress.items_listed.max(1);
        progress.items_done.min(listed) as f64 / listed as f64
    });
    let done = lines.told as f64 + under_way.sum::<f64>();
    let share = done / lines.overview.len().max(1) as f64;
    (share > 0.01 && seconds > 2.0).then(|| (seconds / share - seconds) as u64)
}
