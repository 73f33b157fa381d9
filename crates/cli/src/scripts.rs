//! `switch script`: the scripts that a person runs at a site.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Subcommand;
use movement::state::counted;
use report::harmless;
use service::{Error, Exit, Project, ScriptLine, ScriptsReport};

use crate::args::Chosen;
use crate::show::table;
use crate::{print, print_json};

#[derive(Debug, Subcommand)]
pub(crate) enum ScriptOf {
    /// Every script and how it stands, and who waits to be in one
    List,
    /// Write the scripts that people wait for: one for all who wait at the same step at one router
    Write {
        #[command(flatten)]
        selection: Chosen,
    },
    /// Show a script's text and its digest, to be read before it is signed
    Show {
        /// Its number
        number: i64,
    },
    /// Record that somebody has signed the exact text; from then on it may be run
    Sign {
        /// Its number
        number: i64,
        /// The digest of what was read, as `switch script show` gives it; 12 digits or more
        #[arg(long, value_name = "DIGEST")]
        digest: String,
        /// Who signed
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// Write a signed script into a file, to be run
    Save {
        /// Its number
        number: i64,
        /// The file, which ends in .ps1 and is not there yet
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Hand back what a script printed: whoever waited for it goes on
    Supply {
        /// Its number
        number: i64,
        /// The file with all that it printed
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// Close a script by somebody's word that nobody runs it
    Withdraw {
        /// Its number
        number: i64,
        /// Whose word
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

pub(crate) async fn script(which: ScriptOf, project: &Project, json: bool) -> Result<Exit, Error> {
    let report = match which {
        ScriptOf::List => project.scripts().await?,
        ScriptOf::Write { selection } => project.write_scripts(&selection.into()).await?,
        ScriptOf::Show { number } => project.show_script(number).await?,
        ScriptOf::Sign { number, digest, by } => project.sign_script(number, &digest, &by).await?,
        ScriptOf::Save { number, to } => project.save_script(number, &to).await?,
        ScriptOf::Supply { number, file } => project.supply_script(number, &file).await?,
        ScriptOf::Withdraw { number, by, reason } => project.withdraw_script(number, &by, &reason).await?,
    };
    if json {
        print_json("scripts", &report);
    } else {
        print(scripts(&report).trim_end());
    }
    Ok(if report.notes.is_empty() { Exit::Done } else { Exit::WithFailures })
}

fn row(line: &ScriptLine) -> Vec<String> {
    let word = |text: &Option<String>| harmless(&text.clone().unwrap_or_default());
    let supplied = format!("{} of {}", line.people - line.left, line.people);
    vec![
        line.script.to_string(),
        harmless(&line.router),
        line.step.clone(),
        line.state.clone(),
        supplied,
        word(&line.lapses),
        word(&line.signed),
        word(&line.closed),
    ]
}

fn scripts(report: &ScriptsReport) -> String {
    let mut text = String::new();
    if !report.scripts.is_empty() {
        let rows: Vec<Vec<String>> = report.scripts.iter().map(row).collect();
        text.push_str(&table(
            &[">no", "router", "step", "state", "supplied", "not run after", "signed", "closed"],
            &rows,
        ));
        text.push('\n');
    }
    for line in report.scripts.iter().filter(|line| !line.lines.is_empty()) {
        text.push('\n');
        for (number, one) in line.lines.iter().enumerate() {
            let _ = writeln!(text, "{:>5} | {}", number + 1, harmless(one));
        }
    }
    if let [line] = report.scripts.as_slice() {
        let number = line.script;
        let _ = writeln!(text, "\nIts digest is {}", line.digest);
        let then = match line.state.as_str() {
            "to be signed" => format!(
                "sign {number} --digest {} --by NAME, once somebody has read it",
                &line.digest[..16.min(line.digest.len())]
            ),
            "to be run" => {
                format!("save {number} --to whimbrel-{number}.ps1, then run it and: supply {number} --file FILE")
            }
            _ => String::new(),
        };
        if !then.is_empty() {
            let _ = writeln!(text, "Next: whimbrel switch script {then}");
        }
    }
    for waiting in &report.to_be_written {
        let (router, step) = (harmless(&waiting.router), &waiting.step);
        let people = counted(waiting.people as u64, "mailbox");
        let _ =
            writeln!(text, "{people} at {router}: a script is to be written ({step}): whimbrel switch script write");
    }
    for note in &report.notes {
        let _ = writeln!(text, "LOOK AT THIS: {}: {}", harmless(&note.account), harmless(&note.what));
    }
    if text.is_empty() { "No script is waited for.".to_owned() } else { text }
}
