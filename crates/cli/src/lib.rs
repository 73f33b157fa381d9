//! The command line: thin. It reads arguments, calls the service, shows what comes back, and says by its exit code how
//! it went.

mod args;
mod catalogue;
mod collection;
mod desk;
mod document;
mod glance;
mod governed;
mod governed_show;
mod issue;
mod manifest;
mod people;
mod pilot;
mod portal;
mod progress;
mod report_to;
mod scripts;
mod service_of;
mod sharing;
mod show;
mod switching;
mod text;
mod told;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use movement::Progress;
use serde::Serialize;
use service::{Demo, Error, Exit, Project, Selection};
use tokio::sync::watch;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::args::{AlertOf, Arguments, Command, Failed, Held, ProfileOf, QuarantineOf, ReportOf};
use crate::progress::Shown;

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            let is_help = !error.use_stderr();
            return ExitCode::from(if is_help { Exit::Done as u8 } else { Exit::Usage as u8 });
        }
    };
    log_to_stderr(&arguments);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let what = format!("cannot start: {error}");
            return complain(&Error { exit: Exit::Internal, rule: None, what, advice: None }, arguments.json);
        }
    };
    let json = arguments.json;
    let exit = match runtime.block_on(run(arguments)) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => complain(&error, json),
    };
    // Whatever still runs has been told to end; nothing it could finish now is waited for.
    runtime.shutdown_background();
    exit
}

/// Warnings always; more with each `-v`. Never an item's content, subject or a secret: nothing logs one.
fn log_to_stderr(arguments: &Arguments) {
    // A service has nobody who looks at it: what it does is in its log.
    let is_service = matches!(arguments.command, Command::Serve { .. } | Command::Worker { .. });
    let level = match arguments.verbose + u8::from(is_service) {
        0 => tracing::Level::WARN,
        1 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    // The pool of database connections tells more than anybody asks.
    let shown = Targets::new().with_default(level).with_target("sqlx", tracing::Level::WARN.min(level));
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let registry = tracing_subscriber::registry();
    let _ = if arguments.log_json {
        registry.with(log.json().flatten_event(true).with_filter(shown)).try_init()
    } else {
        registry.with(log.with_filter(shown)).try_init()
    };
}

/// Says what is wrong, where, and what to do; on a machine's wish as JSON too.
fn complain(error: &Error, json: bool) -> ExitCode {
    if json {
        let report = text::ErrorReport::of(error);
        print_json("error", &report);
    }
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "{}", text::error(error));
    ExitCode::from(error.exit as u8)
}

#[derive(Serialize)]
struct WithSchema<'r, R: Serialize> {
    schema: String,
    #[serde(flatten)]
    report: &'r R,
}

fn to_json(name: &str, report: &impl Serialize) -> String {
    let with_schema = WithSchema { schema: format!("whimbrel.{name}/1"), report };
    serde_json::to_string_pretty(&with_schema).unwrap_or_default()
}

fn print_json(name: &str, report: &impl Serialize) {
    print(&to_json(name, report));
}

fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // A reader that has gone away, as `head` does, is no reason to complain.
    let _ = writeln!(stdout, "{text}");
    let _ = stdout.flush();
}

/// Becomes true at the first Ctrl-C; the second ends the program at once.
fn stop_on_interrupt() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_err() {
            return;
        }
        let _ = sender.send(true);
        let _ = writeln!(std::io::stderr(), "{}", text::STOPPING);
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(Exit::Stopped as i32);
        }
    });
    receiver
}

async fn run(arguments: Arguments) -> Result<Exit, Error> {
    let json = arguments.json;
    let folder = match (&arguments.command, &arguments.project[..]) {
        (_, []) => Path::new("."),
        (Command::Serve { .. }, [first, ..]) | (_, [first]) => first,
        _ => {
            return Err(Error::usage("--project is given more than once").advise("only `whimbrel serve` takes several"));
        }
    };
    let environment = |name: &str| std::env::var(name).ok();
    let open = || Project::open_to_work(folder, &environment);
    let give = |name: &str, report: &dyn Fn() -> String, value: &dyn ErasedReport| {
        if json { value.print(name) } else { print(&report()) }
    };
    match arguments.command {
        Command::Init { dir, code, name, profile } => {
            let report = service::init(&dir, code.as_deref(), &name, &profile)?;
            give("init", &|| show::init(&report), &report);
            Ok(Exit::Done)
        }
        Command::Losses { source, target } => {
            let config = service::Config::read(folder).ok();
            let report = service::losses(config.as_ref(), &source, &target)?;
            give("losses", &|| show::losses(&report), &report);
            Ok(Exit::Done)
        }
        Command::Doctor => {
            let report = service::doctor(folder, &environment).await;
            give("doctor", &|| show::doctor(&report), &report);
            Ok(report.exit())
        }
        Command::Demo { to } => demo(to.as_deref(), json).await,
        Command::Check { selection } => {
            let selection = selection.into();
            let report = using(open().await, async |p| p.check(&selection, &environment).await).await?;
            give("check", &|| show::check(&report), &report);
            Ok(report.exit())
        }
        Command::Discover { folders, shown, selection } => {
            let stop = stop_on_interrupt();
            let selection = selection.into();
            let work = async |p: &Project| p.discover(&selection, folders, &environment, stop).await;
            let report = using(open().await, work).await?;
            report_to::give("discover", &report, &report.document(), &shown, json)?;
            Ok(report.exit())
        }
        Command::Preflight { score: true, shown, selection, .. } => {
            let (project, selection) = (Project::open(folder, &environment).await, selection.into());
            let report = using(project, async |p| p.score(&selection).await).await?;
            report_to::give("preflight-score", &report, &report.document(), &shown, json)?;
            Ok(Exit::Done)
        }
        Command::Preflight { read, shown, selection, .. } => {
            let stop = stop_on_interrupt();
            let selection = selection.into();
            let work = async |p: &Project| p.preflight(&selection, read, &environment, stop).await;
            let report = using(open().await, work).await?;
            report_to::give("preflight", &report, &report.document(), &shown, json)?;
            Ok(report.exit())
        }
        Command::Sync { selection, dry_run } => {
            let selection: Selection = selection.into();
            let (progress, stop) = (Arc::new(Progress::default()), stop_on_interrupt());
            let work = async |project: &Project| {
                let shown = show_progress(json || dry_run, progress.clone(), project.overview(&selection).await?);
                let report = project.sync(&selection, dry_run, &environment, progress, stop).await;
                shown.end();
                report
            };
            let report = using(open().await, work).await?;
            give("sync", &|| show::sync(&report), &report);
            Ok(report.exit())
        }
        Command::Serve { projects, key, at_once, listen } => {
            let mut projects: Vec<_> = arguments.project.iter().cloned().chain(projects).collect();
            if projects.is_empty() {
                projects.push(folder.to_owned());
            }
            service_of::serve(service::ServeOptions { projects, key, at_once, listen }, &environment).await
        }
        Command::Worker { database, key, at_once, listen } => {
            service_of::work(service::WorkerOptions { database, key, at_once, listen }, &environment).await
        }
        Command::Pause { scope, said } => {
            let (scope, said) = (scope.into(), said.into());
            let project = Project::open(folder, &environment).await;
            let report = using(project, async |p| p.pause(&scope, false, &said).await).await?;
            give("pause", &|| service_of::paused(&report), &report);
            Ok(Exit::Done)
        }
        Command::Drain { scope, processes, said } if processes.is_empty() => {
            let (scope, said) = (scope.into(), said.into());
            let project = Project::open(folder, &environment).await;
            let report = using(project, async |p| p.pause(&scope, true, &said).await).await?;
            give("pause", &|| service_of::paused(&report), &report);
            Ok(Exit::Done)
        }
        Command::Drain { processes, said, .. } => {
            let all = processes.iter().any(|id| id == "all");
            let (ids, said) = (if all { Vec::new() } else { processes }, said.into());
            let project = Project::open(folder, &environment).await;
            let report = using(project, async |p| p.drain_processes(&ids, &said).await).await?;
            give("processes", &|| service_of::processes(&report), &report);
            Ok(Exit::Done)
        }
        Command::Resume { scope } => {
            let scope = scope.into();
            let project = Project::open(folder, &environment).await;
            let report = using(project, async |p| p.resume(&scope).await).await?;
            give("pause", &|| service_of::paused(&report), &report);
            Ok(Exit::Done)
        }
        Command::Processes => {
            let report = using(Project::open(folder, &environment).await, async |p| p.processes().await).await?;
            give("processes", &|| service_of::processes(&report), &report);
            Ok(Exit::Done)
        }
        Command::Status { watch: true, selection, .. } => {
            glance::run(Project::open(folder, &environment).await?, &selection.into(), arguments.verbose > 0, json)
                .await
        }
        Command::Status { vip: true, .. } => {
            let report = using(Project::open(folder, &environment).await, async |p| p.vips().await).await?;
            give("vips", &|| report.document().text().trim_end().to_owned(), &report);
            Ok(Exit::Done)
        }
        Command::Status { selection, .. } => {
            let (project, selection) = (Project::open(folder, &environment).await, selection.into());
            let report = using(project, async |p| p.status(&selection).await).await?;
            give("status", &|| show::status(&report), &report);
            Ok(if report.unaccounted == 0 { Exit::Done } else { Exit::WithFailures })
        }
        Command::Verify { selection, sample } => {
            let stop = stop_on_interrupt();
            let selection = selection.into();
            let report = using(open().await, async |p| p.verify(&selection, sample, &environment, stop).await).await?;
            give("verify", &|| show::verify(&report), &report);
            Ok(report.exit())
        }
        Command::Report(which) => {
            let project = Project::open(folder, &environment).await;
            match which {
                ReportOf::Overall { shown, selection } => {
                    let report = using(project, async |p| p.report_overall(&selection.into()).await).await?;
                    report_to::give("report-overall", &report, &report.document(), &shown, json)?;
                    let archive = report.archive.as_ref().map_or(0, |archive| archive.all.unaccounted);
                    Ok(if report.all.unaccounted + archive == 0 { Exit::Done } else { Exit::WithFailures })
                }
                ReportOf::Schedule { shown, selection } => {
                    let report = using(project, async |p| p.report_schedule(&selection.into()).await).await?;
                    report_to::give("report-schedule", &report, &report.document(), &shown, json)?;
                    Ok(Exit::Done)
                }
                ReportOf::Send { now } => {
                    let kind = now.as_deref().and_then(service::ReportKind::from_name);
                    let report = using(project, async |p| p.send_reports(kind, &environment).await).await?;
                    give("report-sent", &|| told::sent(&report), &report);
                    Ok(report.exit())
                }
                ReportOf::Sent => {
                    let report = using(project, async |p| p.reports_sent().await).await?;
                    give("report-sent", &|| told::sent(&report), &report);
                    Ok(Exit::Done)
                }
                ReportOf::Letter { mailbox, contact, subjects, shown } => {
                    let subjects = subjects.then_some(&environment as service::Environment<'_>);
                    let report =
                        using(project, async |p| p.letter(&mailbox, contact.as_deref(), subjects).await).await?;
                    report_to::give("letter", &report, &report.document(), &shown, json)?;
                    Ok(Exit::Done)
                }
                ReportOf::Failed { subjects, shown, selection } => {
                    let subjects = subjects.then_some(&environment as service::Environment<'_>);
                    let report = using(project, async |p| p.report_failed(&selection.into(), subjects).await).await?;
                    report_to::give("report-failed", &report, &report.document(), &shown, json)?;
                    Ok(Exit::Done)
                }
            }
        }
        Command::Alert(which) => {
            let work = async |project: &Project| match which {
                AlertOf::List { all } => project.alerts(all).await,
                AlertOf::Check => project.check_alerts(&environment).await,
            };
            let report = using(Project::open(folder, &environment).await, work).await?;
            give("alerts", &|| told::alerts(&report), &report);
            Ok(Exit::Done)
        }
        Command::Profile(profile) => {
            let report = match profile {
                ProfileOf::Show { name: Some(name) } => service::profile(&name)?,
                ProfileOf::Show { name: None } => {
                    using(Project::open(folder, &environment).await, async |p| p.rules_in_force()).await?
                }
                ProfileOf::Validate { file } => service::validate_profile(&file)?,
            };
            give("profile", &|| show::profile(&report), &report);
            Ok(Exit::Done)
        }
        Command::Rules { rule, selection } => {
            let (project, selection) = (Project::open(folder, &environment).await, selection.into());
            let report = using(project, async |p| p.ruled(&selection, rule.as_deref()).await).await?;
            give("rules", &|| show::rules(&report), &report);
            Ok(Exit::Done)
        }
        Command::Quarantine(quarantine) => {
            let project = Project::open(folder, &environment).await;
            match quarantine {
                QuarantineOf::Export { reference, to } => {
                    let report = using(project, async |p| p.export_original(&reference, &to).await).await?;
                    give("quarantine-export", &|| show::exported(&report), &report);
                    Ok(Exit::Done)
                }
                QuarantineOf::Check => {
                    let report = using(project, async |p| p.check_quarantine().await).await?;
                    give("quarantine-check", &|| show::quarantine(&report), &report);
                    let is_whole = report.damaged == 0 && report.missing.is_empty();
                    Ok(if is_whole { Exit::Done } else { Exit::WithFailures })
                }
            }
        }
        Command::Manifest(which) => manifest::run(which, folder, json).await,
        Command::People(which) => Box::pin(people::run(which, folder, json)).await,
        Command::AddressBook(which) => Box::pin(people::book(which, folder, json)).await,
        Command::Collection(which) => Box::pin(collection::run(which, folder, json)).await,
        Command::Issue(which) => Box::pin(issue::run(which, folder, json)).await,
        Command::Switch(which) => Box::pin(switching::switch(which, folder, json)).await,
        Command::Signoff(which) => Box::pin(switching::signoff(which, folder, json)).await,
        Command::Forwarder(which) => Box::pin(switching::forwarder(which, folder, json)).await,
        Command::Project(which) => Box::pin(governed::project(which, folder, json)).await,
        Command::Gate(which) => Box::pin(governed::gate(which, folder, json)).await,
        Command::Task(which) => Box::pin(governed::task(which, folder, json)).await,
        Command::Deliverable(which) => Box::pin(governed::deliverable(which, folder, json)).await,
        Command::Register(which) => Box::pin(governed::register(which, folder, json)).await,
        Command::Pilot(which) => Box::pin(pilot::pilot(which, folder, json)).await,
        Command::Desk(which) => Box::pin(desk::desk(which, folder, json)).await,
        Command::Catalogue(which) => Box::pin(catalogue::catalogue(which, folder, json)).await,
        Command::Document(which) => Box::pin(document::document(which, folder, json)).await,
        Command::Pipeline => Box::pin(governed::pipeline(folder, json)).await,
        Command::Mx(which) => Box::pin(switching::mx(which, folder, json)).await,
        Command::Routing(which) => Box::pin(switching::routing(which, folder, json)).await,
        Command::Sharing(which) => Box::pin(sharing::run(which, folder, json)).await,
        Command::Held(held) => {
            let project = Project::open(folder, &environment).await;
            let (word, approve) = match held {
                Held::List { selection } => {
                    let report = using(project, async |p| p.held(&selection.into()).await).await?;
                    give("held", &|| show::held(&report), &report);
                    return Ok(Exit::Done);
                }
                Held::Approve(word) => (word, true),
                Held::Reject(word) => (word, false),
            };
            let (selection, about, said) = word.split();
            let report = using(project, async |p| p.answer_held(&selection, &about, &said, approve).await).await?;
            give("word", &|| show::word(&report), &report);
            Ok(if report.too_late == 0 { Exit::Done } else { Exit::WithFailures })
        }
        Command::Failed(failed) => {
            let project = Project::open(folder, &environment).await;
            let report = match failed {
                Failed::List { cause, selection } => {
                    let work = async |p: &Project| p.failed(&selection.into(), cause.as_deref()).await;
                    let report = using(project, work).await?;
                    give("failed", &|| show::failed(&report), &report);
                    return Ok(Exit::Done);
                }
                Failed::Retry { about } => {
                    let (selection, about) = about.split();
                    using(project, async |p| p.retry_failed(&selection, &about).await).await?
                }
                Failed::Accept { about, said } => {
                    let ((selection, about), said) = (about.split(), said.into());
                    using(project, async |p| p.accept_failed(&selection, &about, &said).await).await?
                }
            };
            give("word", &|| show::word(&report), &report);
            Ok(if report.too_late == 0 { Exit::Done } else { Exit::WithFailures })
        }
    }
}

/// Does something with a project, and closes its database whatever came of it: then one file holds all of it.
async fn using<R>(
    project: Result<Project, Error>,
    work: impl AsyncFnOnce(&Project) -> Result<R, Error>,
) -> Result<R, Error> {
    let project = project?;
    let result = work(&project).await;
    project.close().await;
    result
}

async fn demo(to: Option<&Path>, json: bool) -> Result<Exit, Error> {
    let folder = match to {
        Some(folder) => folder.to_owned(),
        None => std::env::temp_dir().join(format!("whimbrel-demo-{}", std::process::id())),
    };
    let (progress, stop) = (Arc::new(Progress::default()), stop_on_interrupt());
    if !json {
        print(text::DEMO_BEGINS);
    }
    let demo = Demo::prepare(&folder, progress.clone(), stop).await?;
    let shown = show_progress(json, progress, demo.overview());
    let report = demo.run(&folder).await;
    shown.end();
    let report = report?;
    if json {
        print_json("demo", &report);
    } else {
        print(&show::demo(&report));
    }
    Ok(report.exit())
}

fn show_progress(
    silent: bool,
    progress: Arc<Progress>,
    overview: std::collections::BTreeMap<i64, (String, String)>,
) -> Shown {
    let is_terminal = std::io::stderr().is_terminal();
    Shown::begin(progress, overview, if silent { progress::How::Not } else { progress::How::of(is_terminal) })
}

/// A report that can be printed as JSON.
trait ErasedReport {
    fn print(&self, name: &str);
}

impl<R: Serialize> ErasedReport for R {
    fn print(&self, name: &str) {
        print_json(name, self);
    }
}
