//! What a process tells of itself in numbers, and whether it is well: for Prometheus and for whoever restarts processes.
//!
//! Labels are organisations' codes, projects' names, states and classes of failures: never a person's name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use model::Cause;
use movement::MailboxOutcome;
use store::{ProjectKey, Store};

use super::loaded::Loaded;

/// A process that was not heard of for this long does not live.
const LIVES_FOR: Duration = Duration::from_secs(60);

/// The numbers of a process.
#[derive(Default)]
pub(crate) struct Numbers(Mutex<State>);

#[derive(Default)]
struct State {
    projects: BTreeMap<(String, String), (ProjectKey, Turns)>,
    known: BTreeSet<(String, String)>,
    seen: Option<Instant>,
    is_ending: bool,
}

#[derive(Clone, Debug, Default)]
struct Turns {
    ended: u64,
    seconds: f64,
    items: u64,
    bytes: u64,
    changes: u64,
    failed: BTreeMap<&'static str, u64>,
}

impl Numbers {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The database answered.
    pub(crate) fn seen(&self) {
        self.state().seen = Some(Instant::now());
    }

    /// It finishes and ends.
    pub(crate) fn ending(&self) {
        self.state().is_ending = true;
    }

    /// These projects are served.
    pub(crate) fn projects<'l>(&self, loaded: impl Iterator<Item = &'l Arc<Loaded>>) {
        let mut state = self.state();
        state.known.clear();
        for project in loaded {
            let names = (project.code.clone(), project.name.clone());
            state.projects.entry(names.clone()).or_insert_with(|| (project.key, Turns::default()));
            state.known.insert(names);
        }
    }

    /// A turn ended so.
    pub(crate) fn turn(&self, project: &Loaded, outcome: &MailboxOutcome, took: Duration) {
        let mut state = self.state();
        let names = (project.code.clone(), project.name.clone());
        let (_, turns) = state.projects.entry(names).or_insert_with(|| (project.key, Turns::default()));
        let report = &outcome.report;
        turns.ended += 1;
        turns.seconds += took.as_secs_f64();
        turns.items += report.copied + report.adopted;
        turns.bytes += report.bytes;
        turns.changes += report.flags_changed + report.moved + report.removed;
        if let Some(failure) = outcome.failure.as_ref().filter(|failure| failure.error.cause != Cause::Stopped) {
            *turns.failed.entry(failure.error.cause.code()).or_default() += 1;
        }
    }

    /// Why the process does not live, if so.
    pub(crate) fn is_dead(&self) -> Option<String> {
        let state = self.state();
        match state.seen {
            Some(seen) if seen.elapsed() < LIVES_FOR => None,
            Some(seen) => Some(format!("the database was not reached for {} s", seen.elapsed().as_secs())),
            None => Some("the database was not reached yet".to_owned()),
        }
    }

    /// Why nothing new is begun here, if so.
    pub(crate) fn is_unready(&self) -> Option<String> {
        let (is_ending, serves_none) = {
            let state = self.state();
            (state.is_ending, state.known.is_empty())
        };
        match (is_ending, serves_none) {
            (true, _) => Some("it finishes and ends".to_owned()),
            (false, true) => Some("no project is served here yet".to_owned()),
            (false, false) => self.is_dead(),
        }
    }

    /// The numbers in Prometheus's form, of all organisations or of one; none where that one is not served here.
    pub(crate) async fn prometheus(&self, store: &Store, only: Option<&str>) -> Option<String> {
        let projects = {
            let state = self.state();
            let shown = |((code, _), _): &(&(String, String), _)| only.is_none_or(|only| code.as_str() == only);
            state.projects.iter().filter(shown).map(|(names, of)| (names.clone(), of.clone())).collect::<Vec<_>>()
        };
        if projects.is_empty() && only.is_some() {
            return None;
        }
        let mut page = Page::default();
        for ((code, name), (key, turns)) in &projects {
            let labels = format!("organisation={},project={}", quoted(code), quoted(name));
            page.add(
                "whimbrel_turns_total",
                "counter",
                "Turns of mailboxes that ended in this process.",
                &labels,
                turns.ended as f64,
            );
            page.add("whimbrel_turn_seconds_total", "counter", "Time spent in them.", &labels, turns.seconds);
            page.add(
                "whimbrel_items_total",
                "counter",
                "Items copied or found on the target by this process.",
                &labels,
                turns.items as f64,
            );
            page.add("whimbrel_bytes_total", "counter", "Their bytes.", &labels, turns.bytes as f64);
            page.add(
                "whimbrel_changes_total",
                "counter",
                "Changes of flags, moves and removals followed by this process.",
                &labels,
                turns.changes as f64,
            );
            for (cause, count) in &turns.failed {
                let labels = format!("{labels},cause={}", quoted(cause));
                page.add(
                    "whimbrel_turns_failed_total",
                    "counter",
                    "Turns that failed, by class.",
                    &labels,
                    *count as f64,
                );
            }
            let Ok((standing, late_ms)) = store.standing(*key).await else {
                page.add("whimbrel_database_up", "gauge", "Whether the database answers.", &labels, 0.0);
                continue;
            };
            page.add("whimbrel_database_up", "gauge", "Whether the database answers.", &labels, 1.0);
            page.add(
                "whimbrel_due_seconds",
                "gauge",
                "How long the mailbox that waits longest has been due.",
                &labels,
                late_ms.max(0) as f64 / 1000.0,
            );
            let mut stand: BTreeMap<(&str, &str), i64> = BTreeMap::new();
            for row in &standing {
                *stand.entry((&row.phase, &row.condition)).or_default() += row.mailboxes;
                if let Some(cause) = &row.cause {
                    let labels = format!("{labels},cause={}", quoted(cause));
                    page.add(
                        "whimbrel_mailboxes_held_up",
                        "gauge",
                        "Mailboxes that something stands in the way of, by class and state.",
                        &format!("{labels},phase={},condition={}", quoted(&row.phase), quoted(&row.condition)),
                        row.mailboxes as f64,
                    );
                }
            }
            for ((phase, condition), count) in stand {
                let labels = format!("{labels},phase={},condition={}", quoted(phase), quoted(condition));
                page.add("whimbrel_mailboxes", "gauge", "Mailboxes by phase and condition.", &labels, count as f64);
            }
        }
        if only.is_none() {
            let processes = store.processes().await.unwrap_or_default();
            for kind in ["serve", "worker"] {
                let count = processes.iter().filter(|process| process.kind == kind).count();
                page.add(
                    "whimbrel_processes",
                    "gauge",
                    "Processes that work.",
                    &format!("kind={}", quoted(kind)),
                    count as f64,
                );
            }
        }
        Some(page.text())
    }
}

/// A page of numbers: all of one name stand together, under what it means.
#[derive(Default)]
struct Page(BTreeMap<&'static str, Numbered>);

/// Numbers of one name: what kind they are, what they mean, and each with its labels.
type Numbered = (&'static str, &'static str, Vec<(String, f64)>);

impl Page {
    fn add(&mut self, name: &'static str, kind: &'static str, help: &'static str, labels: &str, value: f64) {
        self.0.entry(name).or_insert_with(|| (kind, help, Vec::new())).2.push((labels.to_owned(), value));
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, (kind, help, values)) in &self.0 {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in values {
                let _ = writeln!(text, "{name}{{{labels}}} {value}");
            }
        }
        text
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_break_no_line() {
        let mut page = Page::default();
        page.add("a", "gauge", "A.", &format!("project={}", quoted("x\"y\\z\n")), 1.5);
        assert_eq!(page.text(), "# HELP a A.\n# TYPE a gauge\na{project=\"x\\\"y\\\\z\\n\"} 1.5\n");
    }

    #[test]
    fn a_process_is_ready_once_it_serves_something_and_until_it_ends() {
        let numbers = Numbers::default();
        assert!(numbers.is_dead().is_some() && numbers.is_unready().is_some());
        numbers.seen();
        assert!(numbers.is_dead().is_none() && numbers.is_unready().is_some());
        numbers.state().known.insert(("RX1".to_owned(), "migration".to_owned()));
        assert_eq!(numbers.is_unready(), None);
        numbers.ending();
        assert!(numbers.is_dead().is_none() && numbers.is_unready().is_some());
    }
}
