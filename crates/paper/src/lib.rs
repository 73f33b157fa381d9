//! The documents of a governed project, made of its record: plans, checklists, confirmations, packs and reports.
//!
//! A document says what stands in the record and nothing else: each number, name and date can be found there again, and what
//! is not recorded is said to be so. Names of stages, roles and forms come from the profile. The same record on the same day
//! makes the same document, and so the same bytes in each of its forms.
//!
//! ```text
//! Record + Programme + Facts + day ──► make ──► Document ──► write: page, PDF, workbook, text for a word processor
//!                                       └────► Why: what has to be there first
//! ```
//!
//! A confirmation confirms only what is so: it is not made before. Nothing here asks whether somebody may have a document.

mod board;
mod checklist;
mod closing;
mod form;
mod go;
mod ground;
mod issue;
mod lessons;
mod notice;
mod package;
mod paper;
mod plan;
mod report;
mod section;
mod why;
mod words;

use document::{Block, Document, Status};
use jiff::civil::Date;
use programme::{DOCUMENTS, Facts, Programme, Record, Scope, Standing};

pub use form::{Form, forms, write};
pub use issue::Issue;
pub use why::{Missing, Why};

use ground::Ground;

/// What a document is made of.
#[derive(Clone, Copy, Debug)]
pub struct Papers<'a> {
    /// The programme that the project follows.
    pub programme: &'a Programme,
    /// What happened in the project.
    pub record: &'a Record,
    /// What the system itself knows of it.
    pub facts: &'a Facts,
    /// Its issues, which are kept apart from its record; none where they are not known.
    pub issues: Option<&'a [Issue]>,
    /// How many people switch on which day, as they did or are to.
    pub switches: &'a [(Date, u64)],
    /// The day it is made.
    pub today: Date,
    /// Which version it is, from 1.
    pub version: u32,
    /// The version that has taken its place.
    pub superseded_by: Option<u32>,
    /// Is it still being written? A draft is neither signed nor held back.
    pub is_draft: bool,
}

/// What a document is called: its kind, for people. None where there is no such document.
pub fn title(name: &str) -> Option<&'static str> {
    Some(match name {
        "implementation-plan" => "Implementation plan",
        "readiness-checklist" => "Readiness checklist",
        "confirmation-of-readiness" => "Confirmation of readiness",
        "beta-notice" => "Notice of the beta test",
        "go-no-go-pack" => "Go or no-go: papers for the call",
        "go-no-go-confirmation" => "Go or no-go: confirmation of the decision",
        "rfc-package" => "Request for change",
        "board-pack" => "Board pack",
        "highlight-report" => "Highlight report",
        "work-off-plan" => "Post-live work-off plan",
        "service-readiness" => "Service readiness",
        "post-project-report" => "Post-project report",
        "lessons" => "Lessons learned",
        "decommission-plan" => "Decommission plan",
        _ => return None,
    })
}

/// The document of this name, or why it can't be made.
pub fn make(name: &str, of: &Papers<'_>) -> Result<Document, Why> {
    let Some(kind) = title(name) else {
        return Err(Why::Unknown { name: name.to_owned(), known: DOCUMENTS.map(|(known, _)| known).into() });
    };
    if of.record.standing == Standing::Unopened {
        return Err(Why::NoProject);
    }
    if name == "lessons" {
        return Ok(whole(name, kind, of, lessons::blocks(of)));
    }
    let ground = Ground::new(of, name, kind, Scope::of(of.programme, of.record).ok_or(Why::NoType)?);
    let blocks = match name {
        "implementation-plan" => plan::blocks(&ground),
        "readiness-checklist" => checklist::blocks(&ground),
        "confirmation-of-readiness" => notice::readiness(&ground)?,
        "beta-notice" => notice::beta(&ground)?,
        "go-no-go-pack" => go::pack(&ground)?,
        "go-no-go-confirmation" => go::confirmation(&ground)?,
        "rfc-package" => package::blocks(&ground)?,
        "board-pack" => board::pack(&ground),
        "highlight-report" => board::highlights(&ground),
        "work-off-plan" => closing::work_off(&ground),
        "service-readiness" => closing::service(&ground),
        "decommission-plan" => closing::decommission(&ground),
        _ => report::blocks(&ground),
    };
    Ok(whole(name, kind, of, blocks))
}

/// The document around what it says. Lessons are for everybody, and say of whom they are in no place.
fn whole(name: &str, kind: &str, of: &Papers<'_>, blocks: Vec<Block>) -> Document {
    let Record { code, name: organisation, .. } = of.record;
    let is_nameless = name == "lessons";
    Document {
        title: match (is_nameless, kind.contains(':')) {
            (true, _) => kind.to_owned(),
            (false, true) => format!("{kind}, {organisation}"),
            (false, false) => format!("{kind}: {organisation}"),
        },
        kind: kind.to_owned(),
        organisation: if is_nameless { "Not named".to_owned() } else { format!("{organisation} ({code})") },
        reference: if is_nameless { name.to_owned() } else { format!("{code}/{name}") },
        version: of.version.to_string(),
        status: status(of, &blocks),
        made_on: of.today,
        language: "en-GB".to_owned(),
        blocks,
    }
}

/// A document with room for a signature waits for it.
fn status(of: &Papers<'_>, blocks: &[Block]) -> Status {
    if let Some(by) = of.superseded_by {
        return Status::Superseded { by_version: by.to_string() };
    }
    if of.is_draft {
        return Status::Draft;
    }
    let is_unsigned = |block: &Block| match block {
        Block::Signature { lines } => lines.iter().any(|line| line.date.is_none()),
        _ => false,
    };
    if blocks.iter().any(is_unsigned) { Status::ForSignature } else { Status::Issued }
}
