//! A letter to one person about what of their own mail could not be copied: in their words, with what they can do.

use model::{Cause, Tally};
use report::{Cell, Column, Document, Kind, Sentence, Table, Weight, moment};
use serde::Serialize;

use movement::state::counted;

use super::{FailedItem, Heading};

/// What a letter says.
#[derive(Clone, Debug, Serialize)]
pub struct Letter {
    /// What it is about.
    #[serde(flatten)]
    pub heading: Heading,
    /// What the person is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their mailbox, by its name at the source.
    pub mailbox: String,
    /// Whom to ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// What became of their items.
    pub items: Tally,
    /// Of those on the target: with a note in place of an attachment.
    pub replaced: u64,
    /// Of those on the target: written otherwise, since the target could not hold them.
    pub repaired: u64,
    /// What could not be copied.
    pub failed: Vec<LetterItem>,
    /// The subjects were asked for.
    #[serde(skip)]
    pub subjects: bool,
}

/// An item that could not be copied, as its person is told of it.
#[derive(Clone, Debug, Serialize)]
pub struct LetterItem {
    /// The folder.
    pub folder: String,
    /// When it came (seconds since 1970).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<i64>,
    /// How many bytes.
    pub size_bytes: u64,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Why it could not be copied.
    pub why: &'static str,
    /// What they can do.
    pub then: &'static str,
}

impl LetterItem {
    /// What a person is told of an item.
    pub fn of(item: FailedItem) -> Self {
        let (why, then) = said_of(item.cause);
        let then = if item.accepted_by.is_some() { LEFT_BEHIND } else { then };
        let FailedItem { folder, received, size_bytes, subject, .. } = item;
        Self { folder, received, size_bytes, subject, why, then }
    }
}

const LEFT_BEHIND: &str = "It was agreed that this one stays behind. You need do nothing.";

/// Why an item could not be copied and what its person can do, in their words.
fn said_of(cause: Cause) -> (&'static str, &'static str) {
    match cause {
        Cause::TooLarge => (
            "It is larger than the new system takes.",
            "Save what you need of its attachments where your organisation keeps files. If you do not need the message, \
             delete it.",
        ),
        Cause::OverQuota => (
            "There was no room left in your new mailbox.",
            "Delete what you do not need from your mailbox. It is then copied by itself.",
        ),
        Cause::Infected => (
            "The virus scanner found something harmful in it.",
            "Do not open it. Ask for help if you need what it says.",
        ),
        Cause::FutureDate => {
            ("Its date is still to come.", "You need do nothing: it is copied once that day has come.")
        }
        Cause::DateOutOfRange => (
            "Its date can't be right, and the new system does not take it.",
            "If you need it, open it and save it as a file, or forward it to yourself.",
        ),
        Cause::Unreadable => (
            "Your present mailbox does not give it to us. It may be damaged.",
            "Try to open it. If it opens, and you need it, save it as a file and ask for help.",
        ),
        Cause::FolderRefused | Cause::FolderCollision => (
            "The name of its folder does not work in the new system.",
            "Give the folder another name. What is in it is then copied by itself.",
        ),
        Cause::Nul
        | Cause::BareCr
        | Cause::MixedLineEnds
        | Cause::EightBitHeader
        | Cause::BrokenHeader
        | Cause::Refused
        | Cause::Altered
        | Cause::Protocol => (
            "It is written in a way that the new system does not take.",
            "If you need it, open it and save it as a file, or forward it to yourself.",
        ),
        Cause::Unsupported => (
            "It is of a kind that is not moved to the new system.",
            "If you need it, save it as a file, or ask for help.",
        ),
        _ => {
            ("It could not be copied yet.", "We are dealing with it. Keep what you need of it until you hear from us.")
        }
    }
}

fn sentence(weight: Weight, text: impl Into<String>) -> Sentence {
    Sentence { weight, text: text.into() }
}

impl Letter {
    /// The letter as a document, for every form.
    pub fn document(&self) -> Document {
        let organisation =
            if self.heading.organisation.is_empty() { &self.heading.code } else { &self.heading.organisation };
        let whose =
            self.name.as_ref().map_or_else(|| self.mailbox.clone(), |name| format!("{name} ({})", self.mailbox));
        let mut document = Document {
            title: "Your mailbox and its move".to_owned(),
            facts: vec![
                ("To", whose),
                ("From", organisation.clone()),
                ("Date", format!("{} UTC", moment(self.heading.at))),
            ],
            sentences: self.sentences(),
            main: "messages",
            ..Document::default()
        };
        if !self.failed.is_empty() {
            document.tables = vec![self.messages()];
        }
        document
    }

    fn sentences(&self) -> Vec<Sentence> {
        let (items, failed) = (&self.items, self.failed.len() as u64);
        let there = items.on_target();
        let all = items.accounted();
        let copied = if there == all {
            format!(
                "Your mailbox is being moved to the new system. All {} of it are there so far.",
                counted(all, "item")
            )
        } else {
            format!(
                "Your mailbox is being moved to the new system. {} of {} are there so far.",
                report::grouped(there),
                counted(all, "item")
            )
        };
        let mut sentences = vec![sentence(Weight::Plain, copied)];
        match failed {
            0 => sentences.push(sentence(Weight::Plain, "Nothing of yours has failed. You need do nothing.")),
            1 => sentences.push(sentence(
                Weight::Plain,
                "One item could not be copied. It is still in your present mailbox; nothing was deleted. Please read below what \
                 you can do.",
            )),
            some => sentences.push(sentence(
                Weight::Plain,
                format!(
                    "{} could not be copied. They are still in your present mailbox; nothing was deleted. Please read below \
                     what you can do.",
                    counted(some, "item")
                ),
            )),
        }
        if self.replaced > 0 {
            let (verb, them) = if self.replaced == 1 { ("has", "it names") } else { ("have", "each names") };
            let what = format!(
                "{} that {verb} an attachment the new system does not accept came without it; a note in {them} it.",
                counted(self.replaced, "item")
            );
            sentences.push(sentence(Weight::Plain, what));
        }
        if self.repaired > 0 {
            let verb = if self.repaired == 1 { "was" } else { "were" };
            let what = format!(
                "{} {verb} written a little differently, so that the new system can hold them. What they say is the same.",
                counted(self.repaired, "item")
            );
            sentences.push(sentence(Weight::Plain, what));
        }
        if items.held > 0 {
            let what = format!("{} may be there already; we are finding out.", counted(items.held, "item"));
            sentences.push(sentence(Weight::Plain, what));
        }
        if items.excluded > 0 {
            let what = format!("{} stay behind by the rules of the new system.", counted(items.excluded, "item"));
            sentences.push(sentence(Weight::Plain, what));
        }
        if let Some(contact) = &self.contact {
            sentences.push(sentence(Weight::Plain, format!("For help: {contact}.")));
        }
        sentences
    }

    fn messages(&self) -> Table {
        let mut columns = vec![
            Column::new("Folder", Kind::Text),
            Column::new("Came", Kind::Moment),
            Column::new("Size", Kind::Bytes),
            Column::new("Why", Kind::Prose),
            Column::new("What you can do", Kind::Prose),
        ];
        if self.subjects {
            columns.insert(1, Column::new("Subject", Kind::Text));
        }
        let row = |item: &LetterItem| {
            let mut cells = vec![
                Cell::Text(item.folder.clone()),
                item.received.map_or(Cell::Empty, Cell::Moment),
                Cell::Number(item.size_bytes),
                Cell::Text(item.why.to_owned()),
                Cell::Text(item.then.to_owned()),
            ];
            if self.subjects {
                cells.insert(1, Cell::Text(item.subject.clone().unwrap_or_else(|| "(not known)".to_owned())));
            }
            cells
        };
        Table {
            name: "messages",
            title: "What could not be copied".to_owned(),
            columns,
            rows: self.failed.iter().map(row).collect(),
            total: None,
            empty: "",
        }
    }
}
