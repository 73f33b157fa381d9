//! Progress: on a terminal a bar per collection, the mailboxes being worked on, and a line of totals; elsewhere a plain
//! line for each mailbox that ended.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use movement::state::counted;
use movement::{Finished, Progress};
use tokio::sync::watch;
use unicode_width::UnicodeWidthChar;

use crate::text;

/// How often the numbers are looked at.
const TICK: Duration = Duration::from_millis(200);
/// Mailboxes being worked on that are shown at most.
const RUNNING_MAX: usize = 8;
/// A terminal that doesn't tell its size.
const USUAL_SIZE: (usize, usize) = (80, 24);
/// How long a bar is, in characters.
const BAR: usize = 30;

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
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if is_terminal && !is_dumb { Self::Bars } else { Self::Lines }
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
                let mut bars = (how == How::Bars).then(|| Bars::new(&lines.overview));
                loop {
                    let is_last = *ended.borrow();
                    let finished = lines.finished();
                    match &mut bars {
                        Some(bars) => bars.draw(&lines, &finished, is_last),
                        None => finished.iter().for_each(|finished| lines.say(finished)),
                    }
                    if is_last {
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
        let (finished, told) = self.progress.finished_since(self.told);
        self.told = told;
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

/// Lines at the bottom of the terminal, drawn over and over. Each ends in a line end of its own and is shorter than the
/// terminal is wide, so that a name whose width the terminal sees otherwise shifts nothing.
struct Bars {
    /// By collection: how many mailboxes ended, of how many.
    collections: BTreeMap<String, (u64, u64)>,
    /// How many lines are there now.
    drawn: usize,
}

impl Bars {
    fn new(overview: &BTreeMap<i64, (String, String)>) -> Self {
        let mut collections: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for (_, collection) in overview.values() {
            collections.entry(collection.clone()).or_default().1 += 1;
        }
        Self { collections, drawn: 0 }
    }

    fn draw(&mut self, lines: &Lines, finished: &[Finished], is_last: bool) {
        // Back to the first line drawn before, and everything from there on cleared.
        let mut text = String::new();
        if self.drawn > 0 {
            let _ = write!(text, "\r\x1b[{}A\x1b[J", self.drawn);
        }
        for finished in finished {
            let Some((name, collection)) = lines.overview.get(&finished.mailbox) else { continue };
            if let Some((ended, _)) = self.collections.get_mut(collection) {
                *ended += 1;
            }
            if finished.in_the_way.is_some() {
                let _ = write!(text, "{}\r\n", line(name, finished));
            }
        }
        let (columns, rows) = size();
        let shown = if is_last { Vec::new() } else { self.lines(lines) };
        // The last line of all stays: the totals.
        let skipped = (shown.len() + 1).saturating_sub(rows);
        self.drawn = shown.len() - skipped;
        for shown in &shown[skipped..] {
            let _ = write!(text, "{}\r\n", cut(shown, columns.saturating_sub(1)));
        }
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes());
        let _ = stderr.flush();
    }

    fn lines(&self, lines: &Lines) -> Vec<String> {
        let mut shown: Vec<String> = Vec::new();
        for (name, (ended, all)) in &self.collections {
            let full = (*ended as usize * BAR).checked_div(*all as usize).unwrap_or_default();
            let (name, bar) = (padded(name, 20), "=".repeat(full));
            shown.push(format!("{name} [{bar:BAR$}] {ended}/{all} mailboxes"));
        }
        let running = lines.progress.running();
        shown.extend(running.iter().take(RUNNING_MAX).map(|(mailbox, progress)| {
            let (name, listed) = (lines.name(*mailbox), counted(progress.items_listed, "item"));
            format!("  {name}: {} of {listed}, {}", progress.items_done, progress.folder)
        }));
        if running.len() > RUNNING_MAX {
            shown.push(format!("  and {} more", running.len() - RUNNING_MAX));
        }
        shown.push(totals(lines));
        shown
    }
}

fn totals(lines: &Lines) -> String {
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
        let _ = write!(text, ", about {} left", text::span(left));
    }
    text
}

/// Columns and rows of the terminal.
fn size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    let size = size.map(|size| (usize::from(size.ws_col), usize::from(size.ws_row)));
    size.filter(|(columns, rows)| *columns > 0 && *rows > 0).unwrap_or(USUAL_SIZE)
}

/// As much of a line as fits into so many columns. Names of folders come from elsewhere: no control character passes.
fn cut(line: &str, columns: usize) -> String {
    let mut left = columns;
    let fits = |c: &char| {
        let width = c.width().unwrap_or_default();
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    line.chars().filter(|c| !c.is_control()).take_while(fits).collect()
}

/// A name of so many columns, cut or filled with spaces.
fn padded(name: &str, columns: usize) -> String {
    let name = cut(name, columns);
    let width: usize = name.chars().filter_map(UnicodeWidthChar::width).sum();
    name + &" ".repeat(columns - width)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_by_columns_and_hold_no_control_characters() {
        assert_eq!(cut("abc", 2), "ab");
        assert_eq!(cut("日本語", 5), "日本");
        assert_eq!(cut("a\u{1b}[2Jb\r\nc", 80), "a[2Jbc");
        assert_eq!(padded("日本語", 5), "日本 ");
        assert_eq!(padded("ab", 4), "ab  ");
    }
}
