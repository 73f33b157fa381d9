//! Checks a manifest in one reading, in memory that does not grow with it, and names what is wrong: which line, whose items.
//!
//! Each level is compared with the line that ends it as that line stands, so that one altered line is found where it is and
//! not at every level above it.

use std::collections::BTreeMap;
use std::io::{self, Read};

use crate::key::PublicKey;
use crate::line::{Collection, Counts, Digest32, Head, Hex, Item, Line, Mailbox, Project, VERSION, Who, place};
use crate::read::{Lines, Raw};
use crate::reveal::Found;
use crate::tree::{Tree, leaf};

/// Complaints kept by name; beyond, they are only counted.
const PROBLEMS_MAX: usize = 100;
/// How many rules are told apart. No policy has as many.
const RULES_MAX: usize = 1_000;
/// Characters of a name that are shown.
const QUOTED_MAX: usize = 100;
/// How many items that were looked for are kept.
const FOUND_MAX: usize = 20;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The first line, if it could be read.
    pub head: Option<Head>,
    /// The line about everything, if it could be read.
    pub project: Option<Project>,
    /// Are the items in the file, and not their roots only?
    pub has_items: bool,
    /// Items read.
    pub items: u64,
    /// Mailboxes that were not read to their end when it was written.
    pub not_read: u64,
    /// By how a rule decided and which rule: how many items.
    pub rules: BTreeMap<(String, String), u64>,
    /// What is wrong: with any of it, the file is not what was signed.
    pub problems: Problems,
    /// Sums that do not hold. Where nothing else is wrong, it was signed so.
    pub sums: Problems,
    /// Items that were looked for, the first of them.
    pub found: Vec<Found>,
    /// How many there are.
    pub found_count: u64,
}

/// What is wrong with a file, in sentences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// How many.
    pub count: u64,
    /// The first hundred.
    pub first: Vec<String>,
}

impl Problems {
    /// Adds one.
    pub fn add(&mut self, what: impl Into<String>) {
        self.count += 1;
        if self.first.len() < PROBLEMS_MAX {
            self.first.push(what.into());
        }
    }
}

/// Which item is looked for.
pub type Chosen<'c> = &'c mut dyn FnMut(&Who, &Item) -> bool;

/// Checks what this reader gives. `pinned` is the key that must have signed it, where that is known. Items that are `chosen`
/// are found on the way, the first with its path.
pub fn check(reader: impl Read, pinned: Option<PublicKey>, chosen: Chosen<'_>) -> io::Result<Checked> {
    let mut lines = Lines::new(reader);
    let mut check = Check::new(pinned, chosen);
    loop {
        let number = lines.number() + 1;
        match lines.next_line()? {
            None => break,
            Some(Raw::Line(line)) => check.line(number, line),
            Some(Raw::CutOff) => {
                check.wrong(number, "does not end: the file was cut off");
                return Ok(check.checked);
            }
            Some(Raw::TooLong) => {
                check.wrong(number, "is longer than any line of a manifest; nothing after it was read");
                return Ok(check.checked);
            }
        }
        if check.stage == Stage::NotOurs {
            return Ok(check.checked);
        }
    }
    check.end(lines.number());
    Ok(check.checked)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Before the first line.
    Beginning,
    /// Among mailboxes and collections.
    Within,
    /// After the line about everything.
    Ended,
    /// After the signature.
    Signed,
    /// The first line is that of no manifest of this version.
    NotOurs,
}

struct Check<'c> {
    stage: Stage,
    pinned: Option<PublicKey>,
    chosen: Chosen<'c>,
    checked: Checked,
    head: Vec<u8>,
    project_line: Vec<u8>,
    /// The mailbox that has begun: its line's number, its hash, and whose it is, as far as that can be read.
    who: Option<(u64, Digest32, Option<Who>)>,
    last_item: Option<Item>,
    items: Level,
    mailboxes: Level,
    collections: Level,
    mailbox_count: u64,
    last_mailbox: Option<Digest32>,
    last_collection: Option<Collection>,
}

/// What has come of one level.
#[derive(Default)]
struct Level {
    tree: Tree,
    counts: Counts,
    first_line: u64,
}

impl Level {
    fn push(&mut self, number: u64, line: &[u8], is_marked: bool) {
        if self.tree.size() == 0 {
            self.first_line = number;
        }
        if is_marked { self.tree.push_marked(leaf(line)) } else { self.tree.push(leaf(line)) }
    }

    fn lines(&self, before: u64) -> String {
        match (self.tree.size(), before - 1) {
            (0, _) => "none".to_owned(),
            (_, last) if last == self.first_line => format!("line {last}"),
            (_, last) => format!("lines {} to {last}", self.first_line),
        }
    }
}

impl<'c> Check<'c> {
    fn new(pinned: Option<PublicKey>, chosen: Chosen<'c>) -> Self {
        Self {
            stage: Stage::Beginning,
            pinned,
            chosen,
            checked: Checked::default(),
            head: Vec::new(),
            project_line: Vec::new(),
            who: None,
            last_item: None,
            items: Level::default(),
            mailboxes: Level::default(),
            collections: Level::default(),
            mailbox_count: 0,
            last_mailbox: None,
            last_collection: None,
        }
    }

    fn wrong(&mut self, number: u64, what: impl std::fmt::Display) {
        self.checked.problems.add(format!("line {number} {what}"));
    }

    fn line(&mut self, number: u64, line: &[u8]) {
        match (self.stage, Line::read(line)) {
            (Stage::Beginning, read) => self.begin(number, line, read),
            (Stage::Within, Some(Line::Who(who))) => self.who(number, line, Some(who)),
            (Stage::Within, Some(Line::Item(item))) => self.item(number, line, Some(item)),
            (Stage::Within, Some(Line::Mailbox(mailbox))) => self.mailbox(number, line, Some(&mailbox)),
            (Stage::Within, Some(Line::Collection(collection))) => self.collection(number, line, Some(&collection)),
            (Stage::Within, Some(Line::Project(project))) => self.project(number, line, Some(project)),
            (Stage::Ended, Some(Line::Signature(signature))) => self.signature(number, &signature),
            (Stage::Signed, _) => self.wrong(number, "stands after the signature, and is signed by nobody"),
            (_, Some(other)) => {
                self.wrong(number, format_args!("({:?}) is out of its place", other.kind()));
            }
            (Stage::Within, None) => self.unreadable(number, line),
            (Stage::Ended, None) => {
                self.stage = Stage::Signed;
                self.wrong(number, "is not a signature: it was altered");
            }
            (Stage::NotOurs, None) => {}
        }
    }

    /// A line that was altered so that it is none any more. It is taken for what it begins like, so that the complaint is
    /// about it alone.
    fn unreadable(&mut self, number: u64, line: &[u8]) {
        self.wrong(number, "is not a line of a manifest, or not written in the one way: it was altered");
        let begins = |kind: &str| line.starts_with(format!("{{\"{kind}\":").as_bytes());
        if begins("who") {
            self.who(number, line, None);
        } else if begins("mailbox") {
            self.mailbox(number, line, None);
        } else if begins("collection") {
            self.collection(number, line, None);
        } else if begins("project") {
            self.project(number, line, None);
        } else if self.who.is_some() {
            self.item(number, line, None);
        }
    }

    fn begin(&mut self, number: u64, line: &[u8], read: Option<Line>) {
        self.stage = Stage::Within;
        self.head = line.to_vec();
        match read {
            Some(Line::Manifest(head)) if head.version == VERSION => self.checked.head = Some(head),
            _ => match version_of(line) {
                Some(version) if version != u64::from(VERSION) => {
                    self.stage = Stage::NotOurs;
                    let what = format!(
                        "says that this is a manifest of version {version}; this program knows version {VERSION}, so \
                         nothing more was read"
                    );
                    self.wrong(number, what);
                }
                Some(_) => self.wrong(number, "is not the head of a manifest as it was written: it was altered"),
                None if line.starts_with(b"{\"") => {
                    self.wrong(number, "is not the head of a manifest: it was altered, or lines before it are missing");
                }
                None => {
                    self.stage = Stage::NotOurs;
                    self.wrong(number, "is not the head of a manifest; nothing more was read");
                }
            },
        }
    }

    fn who(&mut self, number: u64, line: &[u8], who: Option<Who>) {
        if self.who.is_some() {
            self.wrong(number, "begins a mailbox before the one before it has ended: a line is missing");
            self.items = Level::default();
        }
        if self.mailbox_count == 0 {
            self.checked.has_items = true;
        } else if !self.checked.has_items {
            self.wrong(number, "says whose the items are, which stands before no other mailbox: lines are missing");
        }
        self.who = Some((number, Digest32(leaf(line)), who));
        self.last_item = None;
    }

    fn item(&mut self, number: u64, line: &[u8], item: Option<Item>) {
        let Some((_, _, who)) = &self.who else {
            self.wrong(number, "is an item, and no line before it says whose");
            return;
        };
        self.checked.items += 1;
        let Some(item) = item else {
            self.items.push(number, line, false);
            return;
        };
        let is_chosen = who.as_ref().is_some_and(|who| (self.chosen)(who, &item));
        let is_first = is_chosen && self.checked.found_count == 0;
        if is_chosen {
            self.checked.found_count += 1;
            if let Some(who) = who
                && self.checked.found.len() < FOUND_MAX
            {
                self.checked.found.push(Found::new(number, who.clone(), item.clone()));
            }
        }
        self.items.push(number, line, is_first);
        self.items.counts.count(item.fate);
        match self.last_item.as_ref().map(|last| place(last).cmp(&place(&item))) {
            Some(std::cmp::Ordering::Equal) => {
                self.wrong(number, "is the same item as the one before it: it stands twice");
            }
            Some(std::cmp::Ordering::Greater) => {
                self.wrong(number, "stands after an item that comes after it: lines changed places");
            }
            _ => {}
        }
        if let (Some(how), rule) = (item.how.clone().or_else(|| by_fate(&item)), item.rule.clone()) {
            let key = (how, rule.unwrap_or_default());
            if self.checked.rules.len() < RULES_MAX || self.checked.rules.contains_key(&key) {
                *self.checked.rules.entry(key).or_default() += 1;
            }
        }
        self.last_item = Some(item);
    }

    fn mailbox(&mut self, number: u64, line: &[u8], mailbox: Option<&Mailbox>) {
        let begun = self.who.take();
        let level = std::mem::take(&mut self.items);
        let lines = level.lines(number);
        let (mut counts, is_marked) = (level.counts, level.tree.is_marked());
        let (root, path) = level.tree.finish();
        let is_begun = begun.is_some();
        if let Some(mailbox) = mailbox {
            let whose = whose(begun.as_ref(), mailbox);
            if !is_begun && self.checked.has_items {
                self.wrong(number, "ends a mailbox that no line begins: its items are missing");
            }
            if let Some((who_line, who, _)) = begun {
                if who != mailbox.who {
                    self.wrong(
                        number,
                        format_args!(
                            "ends another mailbox than line {who_line} begins: one of the two was altered or exchanged"
                        ),
                    );
                }
                if Digest32(root) != mailbox.root {
                    self.wrong(
                        number,
                        format_args!(
                            "has the root of {whose}, and its items ({lines}) give another: one was altered, left out, \
                             added or moved, or the root was altered"
                        ),
                    );
                }
                counts.source = mailbox.counts.source;
                if counts != mailbox.counts {
                    self.wrong(number, format_args!("has other counts of {whose} than its items ({lines}) give"));
                }
            }
            self.sum(number, &whose, &mailbox.counts);
            self.checked.not_read += u64::from(!mailbox.is_read());
            if self.last_mailbox.is_some_and(|last| last >= mailbox.who) {
                self.wrong(
                    number,
                    format_args!("({whose}) stands after a mailbox that comes after it, or stands twice"),
                );
            }
            self.last_mailbox = Some(mailbox.who);
            self.mailboxes.counts.add(&mailbox.counts);
        }
        if let (true, Some(found)) = (is_marked, self.checked.found.first_mut()) {
            found.mailbox = line.to_vec();
            found.paths[0] = path;
        }
        self.mailboxes.push(number, line, is_marked);
        self.mailbox_count += 1;
    }

    fn collection(&mut self, number: u64, line: &[u8], collection: Option<&Collection>) {
        if self.who.is_some() {
            self.wrong(number, "ends a collection in the middle of a mailbox: a line is missing");
            (self.who, self.items) = (None, Level::default());
        }
        let level = std::mem::take(&mut self.mailboxes);
        let (counts, size, is_marked) = (level.counts, level.tree.size(), level.tree.is_marked());
        let (root, path) = level.tree.finish();
        if let Some(collection) = collection {
            let name = collection.name.as_ref().map_or("those without a collection".to_owned(), |name| quoted(name));
            if Digest32(root) != collection.root {
                self.wrong(
                    number,
                    format_args!(
                        "has the root of {name}, and its mailboxes give another: a line that ends one was altered, left \
                         out, added or moved, or the root was altered"
                    ),
                );
            }
            if (size, counts) != (collection.mailboxes, collection.counts) {
                self.wrong(number, format_args!("has other counts of {name} than its mailboxes give"));
            }
            if self.last_collection.as_ref().is_some_and(|last| last.name >= collection.name) {
                self.wrong(
                    number,
                    format_args!("({name}) stands after a collection that comes after it, or stands twice"),
                );
            }
            self.last_collection = Some(collection.clone());
            self.collections.counts.add(&collection.counts);
        }
        self.last_mailbox = None;
        if let (true, Some(found)) = (is_marked, self.checked.found.first_mut()) {
            found.collection = line.to_vec();
            found.paths[1] = path;
        }
        self.collections.push(number, line, is_marked);
    }

    fn project(&mut self, number: u64, line: &[u8], project: Option<Project>) {
        if self.who.is_some() || self.mailboxes.tree.size() > 0 {
            self.wrong(number, "ends the manifest in the middle of a collection: lines are missing");
        }
        let level = std::mem::take(&mut self.collections);
        let (counts, size, is_marked) = (level.counts, level.tree.size(), level.tree.is_marked());
        let (root, path) = level.tree.finish();
        if let Some(project) = &project {
            if Digest32(root) != project.root {
                self.wrong(
                    number,
                    "has the root of everything, and the collections give another: a line that ends one was altered, left \
                     out, added or moved, or the root was altered",
                );
            }
            if (size, self.mailbox_count, counts) != (project.collections, project.mailboxes, project.counts) {
                self.wrong(number, "has other counts of everything than the collections give");
            }
        }
        if let (true, Some(found)) = (is_marked, self.checked.found.first_mut()) {
            (found.head, found.project) = (self.head.clone(), line.to_vec());
            found.paths[2] = path;
        }
        self.checked.project = project;
        self.project_line = line.to_vec();
        self.stage = Stage::Ended;
    }

    fn signature(&mut self, number: u64, signature: &Hex<64>) {
        self.stage = Stage::Signed;
        if let Some(found) = self.checked.found.first_mut() {
            found.signature = Line::Signature(*signature).written();
        }
        let problem = signed(self.checked.head.as_ref(), self.pinned, [&self.head, &self.project_line], signature);
        if let Some(problem) = problem {
            self.wrong(number, problem);
        }
    }

    fn sum(&mut self, number: u64, whose: &str, counts: &Counts) {
        let (source, with_fate) = (counts.source, counts.with_fate());
        if source != with_fate {
            let what = format!(
                "line {number} says that the source has {source} items of {whose}, and {with_fate} have a fate"
            );
            self.checked.sums.add(what);
        }
    }

    fn end(&mut self, lines: u64) {
        let missing = match self.stage {
            Stage::Beginning => "the file is empty",
            Stage::Within => {
                "is the last one, without the line about everything and the signature: the file was cut off"
            }
            Stage::Ended => "is the last one, without the signature: the file was cut off",
            Stage::Signed | Stage::NotOurs => return,
        };
        if lines == 0 { self.checked.problems.add(missing) } else { self.wrong(lines, missing) }
    }
}

/// What is wrong with a signature; none, if nothing is.
pub(crate) fn signed(
    head: Option<&Head>,
    pinned: Option<PublicKey>,
    lines: [&[u8]; 2],
    signature: &Hex<64>,
) -> Option<String> {
    let key = match (head.map(|head| PublicKey(head.key)), pinned) {
        (None, _) => return Some("can't be checked: the head can't be read".to_owned()),
        (Some(key), Some(pinned)) if key != pinned => {
            return Some(format!("is by the key {key}, not by {pinned}: somebody else has signed this file"));
        }
        (Some(key), _) => key,
    };
    let is_right = key.has_signed(lines[0], lines[1], signature);
    (!is_right).then(|| {
        "is not the signature of head and roots: the first line, the line about everything or the signature was altered"
            .to_owned()
    })
}

/// How an item that no rule of the policy decided came to its fate, where that asks for a reason.
fn by_fate(item: &Item) -> Option<String> {
    item.rule.as_ref().map(|_| item.fate.name().to_owned())
}

/// A name in a sentence, cut where it is longer than anybody's.
fn quoted(name: &str) -> String {
    match name.char_indices().nth(QUOTED_MAX) {
        None => format!("{name:?}"),
        Some((end, _)) => format!("{:?}…", &name[..end]),
    }
}

fn whose(begun: Option<&(u64, Digest32, Option<Who>)>, mailbox: &Mailbox) -> String {
    match begun {
        Some((_, _, Some(who))) => quoted(&who.source.name),
        _ => format!("the mailbox {:.8}…", mailbox.who.to_string()),
    }
}

fn version_of(line: &[u8]) -> Option<u64> {
    let head: serde_json::Value = serde_json::from_slice(line).ok()?;
    head.get("manifest")?.get("version")?.as_u64()
}
