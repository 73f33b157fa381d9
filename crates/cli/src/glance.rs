//! `status --watch`: a line for each collection, told anew until it is stopped.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::time::Duration;

use movement::state::counted;
use report::harmless;
use service::{Error, Exit, Glance, MailboxGlance, Project, Selection};

use crate::{print, print_json, stop_on_interrupt};

/// How often it is told anew.
const EVERY: Duration = Duration::from_secs(2);
/// To the upper left corner, and everything from there on cleared.
const AFRESH: &str = "\x1b[H\x1b[2J";

pub(crate) async fn run(
    project: Project,
    selection: &Selection,
    with_mailboxes: bool,
    json: bool,
) -> Result<Exit, Error> {
    let result = watch(&project, selection, with_mailboxes, json).await;
    project.close().await;
    result
}

async fn watch(project: &Project, selection: &Selection, with_mailboxes: bool, json: bool) -> Result<Exit, Error> {
    let is_terminal = std::io::stdout().is_terminal() && !json;
    if !is_terminal {
        let glance = project.glance(selection, with_mailboxes).await?;
        if json {
            print_json("glance", &glance);
        } else {
            print(text(&glance).trim_end());
        }
        return Ok(Exit::Done);
    }
    let mut stop = stop_on_interrupt();
    loop {
        let glance = project.glance(selection, with_mailboxes).await?;
        let mut stdout = std::io::stdout().lock();
        let _ = write!(stdout, "{AFRESH}{}", text(&glance));
        let _ = stdout.flush();
        drop(stdout);
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(Exit::Done),
        }
    }
}

fn text(glance: &Glance) -> String {
    let mut text = format!("{}\n", glance.at);
    for collection in &glance.collections {
        let _ = writeln!(text, "{}", harmless(&collection.line()));
    }
    for mailbox in &glance.mailboxes {
        let _ = writeln!(text, "  {}", harmless(&line(mailbox)));
    }
    text
}

fn line(mailbox: &MailboxGlance) -> String {
    let state = match (&mailbox.waits, mailbox.is_held) {
        (Some(waits), _) => waits.text.clone(),
        (None, true) => "being worked on".to_owned(),
        (None, false) => String::new(),
    };
    let items = counted(mailbox.items, "item");
    let line = format!("{}: {}, {items} copied; {state}", mailbox.source, mailbox.phase.name());
    line.trim_end_matches("; ").to_owned()
}
