//! The inventory as a document.

use movement::state::counted;
use report::{Cell, Column, Document, Kind, Table, Weight, bytes};

use super::{DiscoverReport, Found, MailboxFound};
use crate::usecase::report::shown::{sentence, text, text_if};

impl Found {
    fn cells(&self) -> [Cell; 5] {
        let moment = |at: Option<i64>| at.map_or(Cell::Empty, Cell::Moment);
        let largest = if self.items == 0 { Cell::Empty } else { Cell::Number(self.largest) };
        [Cell::Number(self.items), Cell::Number(self.bytes), largest, moment(self.oldest), moment(self.newest)]
    }

    fn columns() -> [Column; 5] {
        [
            Column::new("Items", Kind::Number),
            Column::new("Size", Kind::Bytes),
            Column::new("Largest", Kind::Bytes),
            Column::new("Oldest", Kind::Moment),
            Column::new("Newest", Kind::Moment),
        ]
    }
}

impl DiscoverReport {
    /// The inventory as a document, for every form.
    pub fn document(&self) -> Document {
        let mut document = self.heading.document("Inventory");
        let what = format!(
            "{}: {} in {}, {}.",
            counted(self.mailboxes.len() as u64, "mailbox"),
            counted(self.items, "item"),
            counted(self.folders, "folder"),
            bytes(self.bytes)
        );
        document.sentences.push(sentence(Weight::Well, what));
        if self.failed > 0 {
            let what = format!("{} could not be looked at.", counted(self.failed, "mailbox"));
            document.sentences.push(sentence(Weight::Alert, what));
        }
        let closed = self.mailboxes.iter().map(|mailbox| mailbox.closed.len() as u64).sum();
        if closed > 0 {
            let what = format!("{} could not be opened.", counted(closed, "folder"));
            document.sentences.push(sentence(Weight::Alert, what));
        }
        document.tables.push(self.mailboxes());
        document.main = "mailboxes";
        if self.by_folder {
            document.tables.push(self.folders());
            document.main = "folders";
        }
        let note = "What the source says of its items, without any being read. Sizes are those that items have when they are read.";
        document.notes = vec![("Size", note.to_owned())];
        document
    }

    fn mailboxes(&self) -> Table {
        let mut columns = vec![
            Column::new("Mailbox", Kind::Text),
            Column::aside("Name", Kind::Text),
            Column::aside("Target", Kind::Text),
            Column::new("Kind", Kind::Text),
            Column::new("Endpoint", Kind::Text),
            Column::new("Folders", Kind::Number),
        ];
        columns.extend(Found::columns());
        columns.push(Column::if_any("What is wrong", Kind::Prose));
        let row = |found: &MailboxFound| {
            let mut cells = vec![
                text(&found.source),
                text_if(found.name.as_ref()),
                text(&found.target),
                text(found.kind.name()),
                text(&found.endpoint),
                Cell::Number(found.folders.len() as u64),
            ];
            cells.extend(found.found.cells());
            let closed = || format!("can't be opened: {}", found.closed.join("; "));
            let wrong = found.error.clone().or_else(|| (!found.closed.is_empty()).then(closed));
            cells.push(text_if(wrong.as_ref()));
            cells
        };
        let mut all = Found::default();
        for mailbox in &self.mailboxes {
            all.add(&mailbox.found);
        }
        let mut total = vec![text("All")];
        total.resize(5, Cell::Empty);
        total.push(Cell::Number(self.folders));
        total.extend(all.cells());
        total.push(Cell::Empty);
        Table {
            name: "mailboxes",
            title: "Mailboxes".to_owned(),
            columns,
            rows: self.mailboxes.iter().map(row).collect(),
            total: Some(total),
            empty: "Nobody is on the list.",
        }
    }

    fn folders(&self) -> Table {
        let mut columns = vec![
            Column::new("Mailbox", Kind::Text),
            Column::new("Folder", Kind::Text),
            Column::if_any("For", Kind::Text),
        ];
        columns.extend(Found::columns());
        let rows = self.mailboxes.iter().flat_map(|mailbox| {
            mailbox.folders.iter().map(|folder| {
                let special_use = folder.special_use.map_or("", model::SpecialUse::attribute);
                let mut cells = vec![text(&mailbox.source), text(folder.path.to_string()), text(special_use)];
                cells.extend(folder.found.cells());
                cells
            })
        });
        Table {
            name: "folders",
            title: "Folders".to_owned(),
            columns,
            rows: rows.collect(),
            total: None,
            empty: "No folder was found.",
        }
    }
}
