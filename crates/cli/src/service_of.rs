//! `serve` and `worker`: until they are stopped.

use std::fmt::Write as _;

use movement::state::counted;
use report::harmless;
use service::{Environment, Error, Exit, PauseReport, Paused, ProcessesReport, ServeOptions, WorkerOptions};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::text;

/// After so many seconds without a sign of life a process may be dead.
const SILENT_SECONDS: i64 = 30;

/// Serves projects until the process is told to stop.
pub(crate) async fn serve(options: ServeOptions, environment: Environment<'_>) -> Result<Exit, Error> {
    service::serve(&options, environment, stop_on_signals()?).await
}

/// Works for services until the process is told to stop, or asked to finish and end.
pub(crate) async fn work(options: WorkerOptions, environment: Environment<'_>) -> Result<Exit, Error> {
    service::work(&options, environment, stop_on_signals()?).await
}

/// Becomes true at the first SIGTERM or SIGINT: what is under way stops where it is safe. A second one ends the process at once, which
/// loses nothing either.
fn stop_on_signals() -> Result<watch::Receiver<bool>, Error> {
    let cannot = |error: std::io::Error| Error::usage(format!("signals can't be waited for: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = sender.send(true);
        tracing::info!("{}", text::STOPPING);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(Exit::Stopped as i32);
    });
    Ok(receiver)
}

pub(crate) fn paused(report: &PauseReport) -> String {
    let mut text = String::new();
    if report.paused.is_empty() {
        text.push_str("Nothing is paused.");
    }
    add_paused(&mut text, &report.paused);
    text.trim_end().to_owned()
}

fn add_paused(text: &mut String, paused: &[Paused]) {
    for pause in paused {
        let how = if pause.drains { "begins nothing more" } else { "stands still" };
        let (what, by, reason) = (harmless(&pause.what), harmless(&pause.by), harmless(&pause.reason));
        let _ = writeln!(text, "Paused: {what} {how}, said by {by}, {}: {reason}", pause.since_text);
    }
}

pub(crate) fn processes(report: &ProcessesReport) -> String {
    let mut text = String::new();
    if report.processes.is_empty() {
        text.push_str("No process works: whimbrel serve begins one.\n");
    }
    for process in &report.processes {
        let _ = write!(
            text,
            "{} {} on {}, version {}, for {}: {} of {}",
            process.id,
            process.kind,
            harmless(&process.machine),
            process.program,
            process.age,
            process.running,
            counted(process.slots.unsigned_abs(), "mailbox")
        );
        if process.seen_seconds_ago > SILENT_SECONDS {
            let _ = write!(
                text,
                "; silent for {} s: it may be dead, others take over what it held",
                process.seen_seconds_ago
            );
        }
        if let Some(by) = &process.drained_by {
            let _ = write!(text, "; asked by {} to finish and end", harmless(by));
        }
        text.push('\n');
    }
    add_paused(&mut text, &report.paused);
    text.trim_end().to_owned()
}
