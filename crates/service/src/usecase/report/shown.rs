//! The two reports as documents: what stands in which column, and what is said in sentences.

use std::fmt::Write;

use model::{Owner, Phase};
use movement::state::counted;
use report::{Cell, Column, Document, Kind, Sentence, Table, Weight, grouped, moment};

use super::super::rules::RuleCount;
use super::{
    ArchiveLine, Counts, ExceptionLine, FailedItem, FailedItemsReport, FailureRate, Heading, OverallReport, PersonLine,
    RateVerdict,
};

pub(crate) fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

pub(crate) fn text_if(text: Option<&String>) -> Cell {
    text.map_or(Cell::Empty, |text| Cell::Text(text.clone()))
}

pub(crate) fn sentence(weight: Weight, text: impl Into<String>) -> Sentence {
    Sentence { weight, text: text.into() }
}

/// A verb that goes with so many.
pub(crate) fn verb(number: u64, one: &'static str, many: &'static str) -> &'static str {
    if number == 1 { one } else { many }
}

pub(crate) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Planned => "not begun",
        Phase::Copying => "being copied",
        Phase::InStep => "in step",
        Phase::Switching => "being turned over",
        Phase::Switched => "turned over",
        Phase::Settled => "finished",
    }
}

/// Where somebody stands, in words.
fn standing(person: &PersonLine) -> String {
    match person.condition.as_str() {
        "parked" => format!("{}, needs a person", phase(person.phase)),
        "waiting" => format!("{}, waits", phase(person.phase)),
        _ => phase(person.phase).to_owned(),
    }
}

impl Heading {
    pub(crate) fn document(&self, what: &str) -> Document {
        let name = if self.organisation.is_empty() { &self.code } else { &self.organisation };
        let mut facts = vec![
            ("Organisation", format!("{name} ({})", self.code)),
            ("Project", self.project.clone()),
            ("As of", format!("{} UTC", moment(self.at))),
            ("Rules", self.policy.clone()),
        ];
        if let Some(only) = &self.only {
            facts.push(("Only", only.clone()));
        }
        Document { title: format!("{what}: {name}"), facts, ..Document::default() }
    }
}

impl RateVerdict {
    fn words(self) -> &'static str {
        match self {
            Self::Unknown => "not known yet",
            Self::Expected => "within what is expected",
            Self::MoreThanExpected => "more than expected",
            Self::Alert => "alert",
        }
    }
}

impl FailureRate {
    fn sentence(&self) -> Sentence {
        let Some(rate) = self.per_million else {
            return sentence(Weight::Attention, "No item has an outcome yet, so there is no failure rate.");
        };
        let weight = match self.verdict {
            RateVerdict::Unknown | RateVerdict::MoreThanExpected => Weight::Attention,
            RateVerdict::Expected => Weight::Well,
            RateVerdict::Alert => Weight::Alert,
        };
        let verdict = match self.verdict {
            RateVerdict::Alert => "far more than expected; somebody must find out why",
            other => other.words(),
        };
        let items = counted(self.of, "item");
        let failed = match self.failed {
            0 => format!("None of {items} failed"),
            some => format!("{} of {items} failed: {} in a million, {verdict}", grouped(some), grouped(rate)),
        };
        let text = format!(
            "{failed}. The rules expect up to {} in a million and warn above {}.",
            grouped(self.expected_per_million.into()),
            grouped(self.alert_per_million.into())
        );
        sentence(weight, text)
    }

    fn cells(&self) -> [Cell; 4] {
        let number = |number: u32| Cell::Number(number.into());
        let rate = self.per_million.map_or(Cell::Empty, Cell::Number);
        [rate, number(self.expected_per_million), number(self.alert_per_million), text(self.verdict.words())]
    }
}

impl Counts {
    /// The numbers in the order of the columns of people.
    fn cells(&self) -> Vec<Cell> {
        let items = &self.items;
        let numbers = [
            self.folders,
            self.folders - self.folders_read,
            self.known,
            items.copied,
            self.replaced,
            self.repaired,
            items.adopted,
            items.excluded,
            items.withdrawn,
            items.held,
            items.failed,
            self.accepted,
            self.unaccounted,
            self.removals_held,
            items.bytes,
        ];
        numbers.into_iter().map(Cell::Number).collect()
    }
}

/// These mailboxes, line by line.
fn people(name: &'static str, title: &str, people: &[PersonLine], all: &Counts) -> Table {
    let columns = vec![
        Column::new("Mailbox", Kind::Text),
        Column::aside("Name", Kind::Text),
        Column::aside("Target", Kind::Text),
        Column::aside("Collection", Kind::Text),
        Column::new("Stands", Kind::Text),
        Column::aside("Last read", Kind::Moment),
        Column::new("Done", Kind::Share),
        Column::new("Folders", Kind::Number),
        Column::if_any("Not read yet", Kind::Number),
        Column::new("Items", Kind::Number),
        Column::new("Copied", Kind::Number),
        Column::if_any("Replaced", Kind::Number),
        Column::if_any("Repaired", Kind::Number),
        Column::if_any("There before", Kind::Number),
        Column::if_any("Left by rule", Kind::Number),
        Column::if_any("Withdrawn", Kind::Number),
        Column::if_any("Held", Kind::Number),
        Column::new("Failed", Kind::Number),
        Column::if_any("Accepted", Kind::Number),
        Column::if_any("Without outcome", Kind::Number),
        Column::if_any("Removals held", Kind::Number),
        Column::new("Size", Kind::Bytes),
        Column::if_any("Waits for", Kind::Prose),
    ];
    let row = |person: &PersonLine| {
        let mut cells = vec![
            text(&person.source),
            text_if(person.name.as_ref()),
            text(&person.target),
            text_if(person.collection.as_ref()),
            text(standing(person)),
            person.last_read.map_or(Cell::Empty, Cell::Moment),
            Cell::Share(person.counts.done_hundredths),
        ];
        cells.extend(person.counts.cells());
        cells.push(text_if(person.reason.as_ref()));
        cells
    };
    let mut total = vec![text("All")];
    total.resize(6, Cell::Empty);
    total.push(Cell::Share(all.done_hundredths));
    total.extend(all.cells());
    total.push(Cell::Empty);
    Table {
        name,
        title: title.to_owned(),
        columns,
        rows: people.iter().map(row).collect(),
        total: Some(total),
        empty: "Nobody is on the list.",
    }
}

/// What is said of the archive: it is apart from what moves, and what is wrong with it is told all the same.
fn of_archive(archive: &ArchiveLine) -> Sentence {
    let (all, mailboxes) = (&archive.all, archive.mailboxes.len() as u64);
    let done = archive.mailboxes.iter().filter(|mailbox| mailbox.is_in_step()).count() as u64;
    let items = counted(all.items.on_target(), "item");
    let mut what = format!(
        "Left to the archive and not among these: {}, {} of them whole; {items} there.",
        counted(mailboxes, "mailbox"),
        grouped(done)
    );
    for (number, wrong) in [
        (all.items.failed - all.accepted.min(all.items.failed), "failed"),
        (all.items.held + all.removals_held, "held for a word"),
        (all.unaccounted, "WITHOUT AN OUTCOME"),
    ] {
        if number > 0 {
            let _ = write!(what, " {} {wrong}.", counted(number, "item"));
        }
    }
    let weight = match (all.unaccounted, done == mailboxes) {
        (1.., _) => Weight::Alert,
        (0, false) => Weight::Attention,
        (0, true) => Weight::Well,
    };
    sentence(weight, what)
}

impl OverallReport {
    /// The report as a document, for every form.
    pub fn document(&self) -> Document {
        let mut document = self.heading.document("Migration report");
        document.sentences = self.sentences();
        document.tables = vec![self.summary(), people("people", "Everybody", &self.people, &self.all)];
        if self.collections.len() > 1 {
            document.tables.insert(1, self.by_collection());
        }
        if !self.rules.is_empty() {
            document.tables.push(by_rule(&self.rules));
        }
        if let Some(archive) = &self.archive {
            document.tables.push(people("archive", "Left to the archive", &archive.mailboxes, &archive.all));
        }
        document.tables.push(exceptions(&self.exceptions));
        document.main = "people";
        let notes = [
            (
                "In step",
                "The last reading of the source was complete, nothing is in doubt, and every item that failed has somebody's word.",
            ),
            (
                "Done",
                "The smaller of two shares: folders read to their end, and items whose outcome asks nothing more of anybody. \
                 Of several people: the mean.",
            ),
            (
                "Items",
                "What the source held when it was last read, as far as it was read. Each has exactly one outcome: copied, there \
                 before, left by rule, withdrawn, held or failed.",
            ),
            (
                "Replaced",
                "Counted among the copied and those there before: what the rules ban in them gave way to a note.",
            ),
            (
                "Repaired",
                "Counted among the copied and those there before: the target could not hold them as they were; the originals are \
                 kept.",
            ),
            ("Accepted", "Counted among the failed: a named person has accepted the loss."),
            ("Removals held", "Removed at the source, still on the target, until somebody says what is right."),
            ("Size", "Of the items that are on the target."),
        ];
        document.notes = notes.map(|(word, note)| (word, note.to_owned())).to_vec();
        document
    }

    fn sentences(&self) -> Vec<Sentence> {
        let all = &self.all;
        let people = self.people.len() as u64;
        let count = |is: &dyn Fn(&PersonLine) -> bool| self.people.iter().filter(|person| is(person)).count() as u64;
        let in_step = count(&PersonLine::is_in_step);
        let mut standing = match in_step {
            1 if people == 1 => "The one mailbox is in step with the source".to_owned(),
            some => {
                let mailboxes = counted(people, "mailbox");
                let who = if some == people {
                    format!("All {mailboxes}")
                } else {
                    format!("{} of {mailboxes}", grouped(some))
                };
                format!("{who} {} in step with the source", verb(some, "is", "are"))
            }
        };
        let parked = count(&|person| person.condition == "parked");
        let copying = |person: &PersonLine| person.phase == Phase::Copying && person.condition == "running";
        for (number, what) in [
            (count(&copying), "being copied"),
            (parked, if parked == 1 { "needs a person" } else { "need a person" }),
            (count(&|person| person.condition == "waiting"), "waiting"),
            (count(&|person| person.phase == Phase::Planned && person.condition == "running"), "not begun"),
        ] {
            if number > 0 {
                let _ = write!(standing, "; {} {what}", grouped(number));
            }
        }
        let weight = match (parked, in_step == people) {
            (1.., _) => Weight::Alert,
            (0, false) => Weight::Attention,
            (0, true) => Weight::Well,
        };
        let mut sentences =
            vec![sentence(weight, format!("{standing}. {} is done.", report::percentage(all.done_hundredths)))];
        sentences.push(self.failures.sentence());
        if all.unaccounted == 0 {
            let what = format!("The sums hold: each of {} at the source has one outcome.", counted(all.known, "item"));
            sentences.push(sentence(Weight::Well, what));
        } else {
            let wrong = self.people.iter().filter(|person| person.counts.unaccounted > 0);
            let names: Vec<&str> = wrong.map(|person| person.source.as_str()).collect();
            sentences.push(sentence(
                Weight::Alert,
                format!(
                    "THE SUMS DO NOT HOLD: {} without an outcome, or with more than one, of {}. Run sync again; if it stays so, \
                     report it.",
                    counted(all.unaccounted, "item"),
                    names.join(", ")
                ),
            ));
        }
        let unread = all.folders - all.folders_read;
        if unread > 0 {
            let folders = counted(unread, "folder");
            let what =
                format!("{folders} {} not read to the end yet: more items will come.", verb(unread, "was", "were"));
            sentences.push(sentence(Weight::Attention, what));
        }
        if all.items.held + all.removals_held > 0 {
            let (items, removals) = (counted(all.items.held, "item"), counted(all.removals_held, "removal"));
            let what = format!("{items} and {removals} wait for somebody's word: see `whimbrel held list`.");
            sentences.push(sentence(Weight::Attention, what));
        }
        sentences.extend(self.archive.as_ref().map(of_archive));
        let exceptions = self.exceptions.len() as u64;
        if exceptions > 0 {
            let what =
                format!("{} {} open, listed below.", counted(exceptions, "exception"), verb(exceptions, "is", "are"));
            sentences.push(sentence(Weight::Attention, what));
        }
        sentences
    }

    fn summary(&self) -> Table {
        let (all, items) = (&self.all, &self.all.items);
        let row = |outcome: &str, number, what: &str, see: &str| {
            vec![text(outcome), Cell::Number(number), text(what), text(see)]
        };
        let rows = vec![
            row("Copied", items.copied, "put on the target by this migration", "status"),
            row("There before", items.adopted, "on the target already, left as it was", "status"),
            row("Replaced", all.replaced, "of the two above: with a note in place of what the rules ban", "rules"),
            row("Repaired", all.repaired, "of the first two: written so that the target can hold it", "rules"),
            row("Left by rule", items.excluded, "a rule keeps it from travelling", "rules"),
            row("Withdrawn", items.withdrawn, "its person has removed it from the target", "status"),
            row("Held", items.held, "waits for somebody's word", "held list"),
            row("Failed", items.failed, "could not be copied", "report failed"),
            row("Accepted", all.accepted, "of the failed: a named person has accepted the loss", "report failed"),
        ];
        Table {
            name: "summary",
            title: "What became of every item".to_owned(),
            columns: vec![
                Column::new("Outcome", Kind::Text),
                Column::new("Items", Kind::Number),
                Column::new("What it means", Kind::Text),
                Column::new("Each is in: whimbrel …", Kind::Text),
            ],
            rows,
            total: Some(row("All", items.accounted(), "every item with an outcome", "")),
            empty: "",
        }
    }

    fn by_collection(&self) -> Table {
        let columns = vec![
            Column::new("Collection", Kind::Text),
            Column::new("Mailboxes", Kind::Number),
            Column::new("In step", Kind::Number),
            Column::new("Done", Kind::Share),
            Column::new("Items", Kind::Number),
            Column::new("Failed", Kind::Number),
            Column::new("In a million", Kind::Number),
            Column::new("Expected", Kind::Number),
            Column::new("Alert above", Kind::Number),
            Column::new("Failures are", Kind::Text),
        ];
        let cells = |name: &str, people, in_step, counts: &Counts, failures: &FailureRate| {
            let mut cells =
                vec![text(name), Cell::Number(people), Cell::Number(in_step), Cell::Share(counts.done_hundredths)];
            cells.extend([Cell::Number(counts.known), Cell::Number(counts.items.failed)]);
            cells.extend(failures.cells());
            cells
        };
        let rows = self.collections.iter().map(|line| {
            let name = line.collection.as_deref().unwrap_or("(in none)");
            cells(name, line.people, line.in_step, &line.counts, &line.failures)
        });
        let in_step = self.collections.iter().map(|line| line.in_step).sum();
        Table {
            name: "collections",
            title: "Collection by collection".to_owned(),
            columns,
            rows: rows.collect(),
            total: Some(cells("All", self.people.len() as u64, in_step, &self.all, &self.failures)),
            empty: "",
        }
    }
}

fn by_rule(rules: &[RuleCount]) -> Table {
    let became = |how: &str| match how {
        "replaced" => "a note in place of an attachment",
        "repaired" => "written so that the target can hold it",
        "left" => "left behind",
        _ => "copied, and listed",
    };
    let row = |count: &RuleCount| {
        vec![
            text(&count.rule),
            text(became(count.how)),
            Cell::Number(count.items),
            count.sentence().map_or(Cell::Empty, Cell::Text),
        ]
    };
    Table {
        name: "rules",
        title: "What the rules made of items".to_owned(),
        columns: vec![
            Column::new("Rule", Kind::Text),
            Column::new("What became of them", Kind::Text),
            Column::new("Items", Kind::Number),
            Column::new("What the rule does", Kind::Prose),
        ],
        rows: rules.iter().map(row).collect(),
        total: None,
        empty: "",
    }
}

fn exceptions(lines: &[ExceptionLine]) -> Table {
    let row = |line: &ExceptionLine| {
        let (mailbox, folder, class) = (text(&line.mailbox), text(&line.folder), text(line.cause.code()));
        vec![mailbox, text_if(line.name.as_ref()), folder, class, text(&line.what), text(line.advice)]
    };
    Table {
        name: "exceptions",
        title: "Exceptions that are open".to_owned(),
        columns: vec![
            Column::new("Mailbox", Kind::Text),
            Column::aside("Name", Kind::Text),
            Column::new("Folder", Kind::Text),
            Column::new("Class", Kind::Text),
            Column::new("What", Kind::Prose),
            Column::new("What to do", Kind::Prose),
        ],
        rows: lines.iter().map(row).collect(),
        total: None,
        empty: "None.",
    }
}

impl FailedItemsReport {
    /// The report as a document, for every form.
    pub fn document(&self) -> Document {
        let mut document = self.heading.document("Failed items");
        document.sentences = self.sentences();
        document.tables = vec![self.by_class(), self.items()];
        document.main = "items";
        let notes = [
            ("Reference", "What to call the item in `whimbrel failed retry` and `whimbrel failed accept`."),
            (
                "Received",
                "When the source took the item in: its person finds it there by folder and time. Subjects are kept nowhere.",
            ),
            (
                "To act",
                "Who can do something about it: whoever runs the source (or the item's person there), whoever runs the target, \
                 or whoever runs this project.",
            ),
            ("Accepted", "A named person has accepted the loss. Nothing is removed from the source."),
        ];
        document.notes = notes.map(|(word, note)| (word, note.to_owned())).to_vec();
        document
    }

    fn sentences(&self) -> Vec<Sentence> {
        let items = self.items.len() as u64;
        if items == 0 {
            return vec![sentence(Weight::Well, "No item has failed.")];
        }
        let accepted = self.items.iter().filter(|item| item.accepted_by.is_some()).count() as u64;
        let mut mailboxes: Vec<&str> = self.items.iter().map(|item| item.mailbox.as_str()).collect();
        mailboxes.dedup();
        let failed = format!("{} of {} failed", counted(items, "item"), counted(mailboxes.len() as u64, "mailbox"));
        let open = items - accepted;
        let first = if open == 0 {
            sentence(Weight::Well, format!("{failed}; the loss of all of them was accepted."))
        } else {
            let by_owner = [Owner::Source, Owner::Target, Owner::Project].map(|owner| {
                let is_open = |item: &&FailedItem| item.owner == owner && item.accepted_by.is_none();
                (owner, self.items.iter().filter(is_open).count())
            });
            let owners: Vec<String> = by_owner
                .iter()
                .filter(|(_, count)| *count > 0)
                .map(|(owner, count)| format!("{} at the {}", grouped(*count as u64), owner.name()))
                .collect();
            let text = format!(
                "{failed}; {} accepted, {} to be acted on: {}.",
                grouped(accepted),
                grouped(open),
                owners.join(", ")
            );
            sentence(Weight::Attention, text)
        };
        let mut sentences = vec![first, self.failures.sentence()];
        if let Some(missing) = self.subjects_missing.as_ref().filter(|missing| !missing.is_empty()) {
            let what = format!("Subjects could not be read at the source: {}.", missing.join("; "));
            sentences.push(sentence(Weight::Attention, what));
        }
        sentences
    }

    fn by_class(&self) -> Table {
        let rows = self.classes.iter().map(|class| {
            let numbers = [class.items, class.accepted, class.items - class.accepted].map(Cell::Number);
            let mut cells = vec![text(class.cause.code())];
            cells.extend(numbers);
            cells.extend([text(class.owner.name()), text(class.advice)]);
            cells
        });
        let accepted = self.classes.iter().map(|class| class.accepted).sum();
        let items = self.items.len() as u64;
        let mut total = vec![text("All")];
        total.extend([items, accepted, items - accepted].map(Cell::Number));
        total.extend([Cell::Empty, Cell::Empty]);
        Table {
            name: "classes",
            title: "Why they failed".to_owned(),
            columns: vec![
                Column::new("Class", Kind::Text),
                Column::new("Items", Kind::Number),
                Column::new("Accepted", Kind::Number),
                Column::new("Open", Kind::Number),
                Column::new("To act", Kind::Text),
                Column::new("What to do", Kind::Prose),
            ],
            rows: rows.collect(),
            total: Some(total),
            empty: "Nothing failed.",
        }
    }

    fn items(&self) -> Table {
        const SUBJECT_AT: usize = 5;
        let with_subjects = self.subjects_missing.is_some();
        let row = |item: &FailedItem| {
            let mut cells = vec![
                text(&item.reference),
                text(&item.mailbox),
                text_if(item.name.as_ref()),
                text_if(item.collection.as_ref()),
                text(&item.folder),
                item.received.map_or(Cell::Empty, Cell::Moment),
                text(item.cause.code()),
                Cell::Number(item.size_bytes),
                Cell::Number(item.tries),
                text(item.owner.name()),
                text(&item.what),
                text_if(item.server.as_ref()),
                text(item.advice),
                text_if(item.accepted_by.as_ref()),
                text_if(item.accepted_why.as_ref()),
            ];
            if with_subjects {
                cells.insert(SUBJECT_AT, text_if(item.subject.as_ref()));
            }
            cells
        };
        let mut columns = vec![
            Column::new("Reference", Kind::Text),
            Column::new("Mailbox", Kind::Text),
            Column::if_any("Name", Kind::Text),
            Column::aside("Collection", Kind::Text),
            Column::new("Folder", Kind::Text),
            Column::new("Received", Kind::Moment),
            Column::new("Class", Kind::Text),
            Column::new("Size", Kind::Bytes),
            Column::new("Tries", Kind::Number),
            Column::new("To act", Kind::Text),
            Column::new("What", Kind::Prose),
            Column::new("The server said", Kind::Prose),
            Column::new("What to do", Kind::Prose),
            Column::new("Accepted by", Kind::Prose),
            Column::new("Why", Kind::Prose),
        ];
        if with_subjects {
            columns.insert(SUBJECT_AT, Column::new("Subject", Kind::Text));
        }
        Table {
            name: "items",
            title: "Item by item".to_owned(),
            columns,
            rows: self.items.iter().map(row).collect(),
            total: None,
            empty: "Nothing failed.",
        }
    }
}
