//! `collection list` and `collection show`: as one struct each, and as documents.

use std::collections::BTreeMap;
use std::fmt::Write;

use movement::state::counted;
use report::{Cell, Column, Document, Kind, Table, Weight};
use serde::Serialize;
use store::Object;

use super::forecast::{Expected, Outlook};
use super::standing::{CollectionStatus, Standing, outlook_text};
use super::wait::Wait;
use crate::usecase::report::Heading;
use crate::usecase::report::shown::{sentence, text, text_if};
use crate::{Error, Project, Selection};

/// Names in one sentence of a document; more are in its tables and in the JSON.
const NAMES_MAX: usize = 8;

/// The collections of a project.
#[derive(Clone, Debug, Serialize)]
pub struct CollectionList {
    /// What it is about.
    #[serde(flatten)]
    pub heading: Heading,
    /// The organisation's time zone, which every date for people is told in.
    pub time_zone: String,
    /// Each collection, in the order in which they were made.
    pub collections: Vec<CollectionStatus>,
    /// All of the project.
    pub all: CollectionStatus,
    /// Mailboxes and lists in scope that are in no collection.
    pub in_none: Vec<String>,
    /// Collections without a date, but for those whose members each have one of their own.
    pub without_date: Vec<String>,
    /// VIPs in the collection that starts first.
    pub vips_first: Vec<String>,
    /// Those of whom the file of people names another collection than the one that they are in.
    pub differing: Vec<DifferingLine>,
}

/// That the file of people names another collection.
#[derive(Clone, Debug, Serialize)]
pub struct DifferingLine {
    /// The mailbox, by its name at the source.
    pub mailbox: String,
    /// The collection that it is in.
    pub collection: String,
    /// The one that the file names.
    pub file: String,
}

/// A collection with its members.
#[derive(Clone, Debug, Serialize)]
pub struct CollectionShow {
    /// What it is about.
    #[serde(flatten)]
    pub heading: Heading,
    /// The organisation's time zone, which every date for people is told in.
    pub time_zone: String,
    /// Where it stands.
    pub collection: CollectionStatus,
    /// When it starts, for people.
    pub start_text: String,
    /// How and when it switches, for people.
    pub switch_text: String,
    /// Who made it.
    pub made_by: String,
    /// Its members: mailboxes first.
    pub members: Vec<MemberLine>,
    /// Who came to it from another collection, or went to another one.
    pub moves: Vec<MovedLine>,
}

/// A member of a collection. Times are seconds since 1970.
#[derive(Clone, Debug, Serialize)]
pub struct MemberLine {
    /// A mailbox's name at the source, or a list's address.
    pub member: String,
    /// A mailbox's name at the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `person`, `shared`, `room`, `equipment` or `list`.
    pub kind: &'static str,
    /// How far a mailbox is; of a list, its class.
    pub state: String,
    /// Running, waiting or parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<&'static str>,
    /// What it waits for, and since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<Wait>,
    /// A date of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_date: Option<i64>,
    /// That, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_date_text: Option<String>,
    /// Whether it will be in step before its date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlook: Option<Outlook>,
    /// That, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlook_text: Option<String>,
    /// Its person is a VIP.
    pub vip: bool,
    /// Items that failed without anybody's word.
    pub failed_items: u64,
    /// Items that were copied.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When it was first in step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_step_since: Option<i64>,
    /// Who put it there.
    pub added_by: String,
}

/// A move from one collection to another.
#[derive(Clone, Debug, Serialize)]
pub struct MovedLine {
    /// Who.
    pub member: String,
    /// From which.
    pub from: String,
    /// To which.
    pub to: String,
    /// Why.
    pub reason: String,
    /// Who decided.
    pub by: String,
    /// When (seconds since 1970).
    pub at: i64,
    /// That, for people.
    pub at_text: String,
}

impl Project {
    /// The collections, where each stands, and who is in none or has no date.
    pub async fn collections(&self) -> Result<CollectionList, Error> {
        let standing = self.standing(true).await?;
        let in_no = |object: &Object| !standing.members.contains_key(object);
        let mailboxes = standing.mailboxes.iter().map(|row| Object::Mailbox(row.mailbox));
        let lists = standing.lists.iter().filter(|(_, facts)| facts.moves).map(|(object, _)| object.clone());
        let nowhere = mailboxes.chain(lists).filter(in_no).map(|object| standing.name_of(&object));
        let mut without_date = Vec::new();
        for row in standing.collections.iter().filter(|row| row.is.switch_at.is_none()) {
            let of = standing.members.values().filter(|member| member.collection == row.collection);
            let undated = of.clone().filter(|member| member.switch_at.is_none()).count();
            if undated > 0 || of.count() == 0 {
                without_date.push(row.is.name.clone());
            }
        }
        let differing = standing.mailboxes.iter().filter_map(|row| {
            let file = self.people.rows.get(*self.rows.get(&row.mailbox)?)?.collection.clone()?;
            let collection = standing.collection(standing.facts(row.mailbox).member_of?)?.is.name.clone();
            (file != collection).then(|| DifferingLine { mailbox: row.roster.source_name.clone(), collection, file })
        });
        let first = standing.vips_first();
        Ok(CollectionList {
            heading: self.report_heading(&Selection::default()),
            time_zone: self.config.file.organisation.time_zone.clone(),
            collections: standing.collections.iter().map(|row| standing.status(row)).collect(),
            all: standing.status_of_all("all"),
            in_none: nowhere.collect(),
            without_date,
            vips_first: first.iter().map(|number| standing.name_of(&Object::Mailbox(*number))).collect(),
            differing: differing.collect(),
        })
    }

    /// A collection with its members, what each waits for and since when.
    pub async fn collection(&self, name: &str) -> Result<CollectionShow, Error> {
        let standing = self.standing(true).await?;
        let row = standing.named(name)?;
        let collection = standing.status(row);
        let left = standing.left_of(row.collection);
        let mut members: Vec<MemberLine> = standing
            .mailboxes_of(Some(row.collection))
            .map(|mailbox| mailbox_line(&standing, mailbox, &collection, left))
            .collect();
        let lists: BTreeMap<&Object, &store::MemberRow> = standing
            .members
            .iter()
            .filter(|(object, member)| matches!(object, Object::List(..)) && member.collection == row.collection)
            .collect();
        members.extend(lists.into_iter().map(|(object, member)| list_line(&standing, object, member)));
        let mut moves = Vec::new();
        for moved in self.store.collection_moves(self.key).await? {
            if moved.from != row.collection && moved.to != row.collection {
                continue;
            }
            let name = |number| standing.collection(number).map_or("?".to_owned(), |row| row.is.name.clone());
            moves.push(MovedLine {
                member: standing.name_of(&moved.object),
                from: name(moved.from),
                to: name(moved.to),
                reason: moved.reason,
                by: moved.moved_by,
                at: moved.at / 1000,
                at_text: standing.shown(moved.at),
            });
        }
        Ok(CollectionShow {
            heading: self.report_heading(&Selection::default()),
            time_zone: self.config.file.organisation.time_zone.clone(),
            start_text: standing.start_text(row),
            switch_text: standing.switch_text(row),
            made_by: row.made_by.clone(),
            collection,
            members,
            moves,
        })
    }
}

fn mailbox_line(standing: &Standing, row: &store::MailboxRow, of: &CollectionStatus, left: u64) -> MemberLine {
    let facts = standing.facts(row.mailbox);
    let member = standing.members.get(&Object::Mailbox(row.mailbox));
    let own = member.and_then(|member| member.switch_at);
    let outlook = standing.outlook_of(row, &of.expected, left);
    MemberLine {
        member: row.roster.source_name.clone(),
        target: Some(row.roster.target_name.clone()),
        name: row.roster.name.clone(),
        kind: row.roster.kind.name(),
        state: row.state.phase.name().to_owned(),
        condition: Some(row.state.condition.name()),
        waits: standing.wait(row),
        own_date: own.map(|ms| ms / 1000),
        own_date_text: own.map(|ms| standing.shown(ms)),
        outlook: outlook.map(|(outlook, _)| outlook),
        outlook_text: outlook.map(|(outlook, by)| outlook_text(outlook, by, false)),
        vip: standing.vips.contains_key(&row.mailbox),
        failed_items: standing.failed.get(&row.mailbox).copied().unwrap_or_default(),
        items: facts.worked_items,
        bytes: facts.worked_bytes,
        in_step_since: facts.in_step_at.map(|ms| ms / 1000),
        added_by: member.map(|member| member.added_by.clone()).unwrap_or_default(),
    }
}

fn list_line(standing: &Standing, object: &Object, member: &store::MemberRow) -> MemberLine {
    let facts = standing.lists.get(object);
    MemberLine {
        member: standing.name_of(object),
        target: None,
        name: facts.map(|facts| facts.name.clone()),
        kind: "list",
        state: facts.map_or("gone from its directory", |facts| facts.class).to_owned(),
        condition: None,
        waits: None,
        own_date: member.switch_at.map(|ms| ms / 1000),
        own_date_text: member.switch_at.map(|ms| standing.shown(ms)),
        outlook: None,
        outlook_text: None,
        vip: false,
        failed_items: 0,
        items: 0,
        bytes: 0,
        in_step_since: None,
        added_by: member.added_by.clone(),
    }
}

/// Some of many names.
fn some(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMES_MAX);
    let shown = names[..names.len() - more].join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

fn weight(outlook: Outlook) -> Weight {
    match outlook {
        Outlook::OnTime => Weight::Well,
        Outlook::AtRisk | Outlook::Unknown => Weight::Attention,
        Outlook::WillMiss => Weight::Alert,
    }
}

impl CollectionStatus {
    /// In one line: how much is done, how fast, until when, and what stands in the way.
    pub fn line(&self) -> String {
        let done = report::percentage(self.done_hundredths);
        let rate = format!("{:.1} items/s", self.last_hour.items_per_second);
        let mut line = format!("{}: {done}, {}, {rate}", self.name, counted(self.items, "item"));
        for (number, what) in [(self.failed_items, "failed"), (self.waiting, "waiting"), (self.parked, "parked")] {
            let _ = write!(line, ", {number} {what}");
        }
        let before = match self.expected {
            Expected::Done => "",
            Expected::Between { .. } => "in step ",
            Expected::Unknown { .. } => "its end is ",
        };
        let _ = write!(line, "; {before}{}", self.expected_text);
        if let Some(outlook) = &self.outlook_text {
            let _ = write!(line, "; {outlook}");
        }
        line
    }

    fn cells(&self) -> Vec<Cell> {
        let rate = |number: f64| text(format!("{number:.1}"));
        vec![
            text(&self.name),
            Cell::Number(self.mailboxes),
            Cell::Number(self.lists),
            Cell::Share(self.done_hundredths),
            Cell::Number(self.in_step),
            Cell::Number(self.copying),
            Cell::Number(self.planned),
            Cell::Number(self.waiting),
            Cell::Number(self.parked),
            Cell::Number(self.set_aside),
            Cell::Number(self.vips),
            Cell::Number(self.failed_items),
            Cell::Number(self.items),
            Cell::Number(self.bytes),
            rate(self.last_hour.items_per_second),
            rate(self.last_hour.gigabytes_per_hour),
            rate(self.last_day.users_per_day),
            text(&self.expected_text),
            text_if(self.outlook_text.as_ref()),
        ]
    }
}

fn status_columns() -> Vec<Column> {
    vec![
        Column::new("Collection", Kind::Text),
        Column::new("Mailboxes", Kind::Number),
        Column::if_any("Lists", Kind::Number),
        Column::new("Done", Kind::Share),
        Column::new("In step", Kind::Number),
        Column::if_any("Being copied", Kind::Number),
        Column::if_any("Not begun", Kind::Number),
        Column::if_any("Waiting", Kind::Number),
        Column::if_any("Parked", Kind::Number),
        Column::if_any("Set aside", Kind::Number),
        Column::if_any("VIPs", Kind::Number),
        Column::if_any("Failed items", Kind::Number),
        Column::new("Copied", Kind::Number),
        Column::new("Size", Kind::Bytes),
        Column::new("Items/s", Kind::Text),
        Column::new("GB/h", Kind::Text),
        Column::new("Users/day", Kind::Text),
        Column::new("In step by", Kind::Prose),
        Column::if_any("Against its date", Kind::Prose),
    ]
}

impl CollectionList {
    /// As a document.
    pub fn document(&self) -> Document {
        let mut document = self.heading.document("Collections");
        document.facts.push(("Dates", self.time_zone.clone()));
        for row in &self.collections {
            if let (Some(outlook), Some(said)) = (row.outlook, &row.outlook_text)
                && outlook != Outlook::OnTime
            {
                document.sentences.push(sentence(weight(outlook), format!("{}: {said}.", row.name)));
            }
        }
        if !self.in_none.is_empty() && !self.collections.is_empty() {
            let what = format!("In no collection ({}): {}.", self.in_none.len(), some(&self.in_none));
            document.sentences.push(sentence(Weight::Attention, what));
        }
        if !self.without_date.is_empty() {
            let what = format!("Without a date: {}.", some(&self.without_date));
            document.sentences.push(sentence(Weight::Attention, what));
        }
        if !self.vips_first.is_empty() {
            let what = format!("VIPs in the collection that starts first: {}.", some(&self.vips_first));
            document.sentences.push(sentence(Weight::Attention, what));
        }
        if !self.differing.is_empty() {
            let what = format!(
                "{} names another collection for {}: who is in a collection stays there until somebody moves them.",
                crate::PEOPLE_FILE,
                counted(self.differing.len() as u64, "mailbox")
            );
            document.sentences.push(sentence(Weight::Attention, what));
        }
        document.tables.push(Table {
            name: "collections",
            title: "Collections".to_owned(),
            columns: status_columns(),
            rows: self.collections.iter().map(CollectionStatus::cells).collect(),
            total: (self.collections.len() > 1).then(|| self.all.cells()),
            empty: "There is no collection: everybody on the roster is one group. Make one with whimbrel collection create.",
        });
        let name = |name: &String| vec![text(name)];
        if !self.in_none.is_empty() {
            document.tables.push(Table {
                name: "in-none",
                title: "In no collection".to_owned(),
                columns: vec![Column::new("Mailbox or list", Kind::Text)],
                rows: self.in_none.iter().map(name).collect(),
                total: None,
                empty: "",
            });
        }
        if !self.differing.is_empty() {
            let row = |line: &DifferingLine| vec![text(&line.mailbox), text(&line.collection), text(&line.file)];
            document.tables.push(Table {
                name: "differing",
                title: "The file of people names another one".to_owned(),
                columns: ["Mailbox", "Is in", "The file says"].map(|heading| Column::new(heading, Kind::Text)).to_vec(),
                rows: self.differing.iter().map(row).collect(),
                total: None,
                empty: "",
            });
        }
        document.main = "collections";
        document
    }
}

impl CollectionShow {
    /// As a document.
    pub fn document(&self) -> Document {
        let status = &self.collection;
        let mut document = self.heading.document(&format!("Collection {}", status.name));
        document.facts.push(("Dates", self.time_zone.clone()));
        if !status.description.is_empty() {
            document.facts.push(("What it is", status.description.clone()));
        }
        document.facts.push(("Start", self.start_text.clone()));
        document.facts.push(("Switch", self.switch_text.clone()));
        for line in &status.planned_and_actual {
            document.facts.push(("Planned and actual", line.clone()));
        }
        let how = status.outlook.map_or(Weight::Plain, weight);
        document.sentences.push(sentence(how, format!("{}.", status.line())));
        document.tables.push(Table {
            name: "collection",
            title: "The collection".to_owned(),
            columns: status_columns(),
            rows: vec![status.cells()],
            total: None,
            empty: "",
        });
        document.tables.push(self.member_table());
        if !self.moves.is_empty() {
            let row = |line: &MovedLine| {
                [&line.member, &line.from, &line.to, &line.reason, &line.by, &line.at_text].map(text).to_vec()
            };
            let headings = ["Who", "From", "To", "Because", "By", "When"];
            document.tables.push(Table {
                name: "moves",
                title: "Moved from or to it".to_owned(),
                columns: headings.map(|heading| Column::new(heading, Kind::Text)).to_vec(),
                rows: self.moves.iter().map(row).collect(),
                total: None,
                empty: "",
            });
        }
        document.main = "members";
        document
    }

    fn member_table(&self) -> Table {
        let row = |line: &MemberLine| {
            vec![
                text(&line.member),
                text_if(line.name.as_ref()),
                text(line.kind),
                text(&line.state),
                text_if(line.waits.as_ref().map(|waits| &waits.text)),
                text_if(line.own_date_text.as_ref()),
                text_if(line.outlook_text.as_ref()),
                text(if line.vip { "VIP" } else { "" }),
                Cell::Number(line.failed_items),
                Cell::Number(line.items),
                Cell::Number(line.bytes),
            ]
        };
        Table {
            name: "members",
            title: "Its members".to_owned(),
            columns: vec![
                Column::new("Member", Kind::Text),
                Column::if_any("Name", Kind::Text),
                Column::new("Kind", Kind::Text),
                Column::new("State", Kind::Text),
                Column::if_any("Waits for", Kind::Prose),
                Column::if_any("Own date", Kind::Text),
                Column::if_any("In time", Kind::Text),
                Column::if_any("VIP", Kind::Text),
                Column::if_any("Failed items", Kind::Number),
                Column::if_any("Copied", Kind::Number),
                Column::if_any("Size", Kind::Bytes),
            ],
            rows: self.members.iter().map(row).collect(),
            total: None,
            empty: "Nobody is in it: whimbrel collection add.",
        }
    }
}
