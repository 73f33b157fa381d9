//! `manifest`: what became of every item, as a signed file; its check, which needs neither the project nor any mail; one item of
//! it, proved alone; and all of it beside what an endpoint holds now.

mod against;
mod export;

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

pub use against::{AgainstDifference, AgainstReport, DifferenceIs, MailboxAgainst};
pub use export::{ManifestExport, ManifestKey};
use manifest::{
    Bytes, Checked, Counts, Found, Head, Held, Item, Likeness, Problems, PublicKey, Who, check_proof, is_proof,
};
use model::FolderPath;
use serde::Serialize;

use self::export::pinned;
use crate::Error;
use crate::error::Exit;

/// Which item of a manifest is meant: all of this must be so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemChoice {
    /// The mailbox, by its name at the source or the target.
    pub mailbox: Option<String>,
    /// The folder at the source, as reports write it.
    pub folder: Option<String>,
    /// What the folder calls it, as reports write it.
    pub id: Option<String>,
}

/// What a check of a manifest found.
#[derive(Clone, Debug, Serialize)]
pub struct ManifestReport {
    /// The file.
    pub file: String,
    /// `whole`: every item is in it. `roots`: roots and numbers only. `item`: the proof of one item.
    pub form: &'static str,
    /// It is what was signed: nothing was altered, and the signature is right.
    pub is_sound: bool,
    /// The organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    /// Its code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// What was chosen, when not everybody was.
    pub only: Vec<String>,
    /// When it was begun (seconds since 1970).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begun: Option<i64>,
    /// When it was complete (seconds since 1970).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<i64>,
    /// The public key that the file says it is signed by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// That key is the one that was asked for. If not, whoever made the file has chosen it.
    pub is_key_known: bool,
    /// It was not given, and is the last one that this project signed with.
    pub is_key_ours: bool,
    /// The root of everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// How many collections.
    pub collections: u64,
    /// How many mailboxes.
    pub mailboxes: u64,
    /// Of these: not read to their end when it was written. Of what was left there it says nothing.
    pub not_read: u64,
    /// Their items, by fate.
    pub counts: Counts,
    /// How many items were decided by which rule.
    pub rules: Vec<ManifestRule>,
    /// How many things are wrong.
    pub problem_count: u64,
    /// What is wrong, the first hundred.
    pub problems: Vec<String>,
    /// In how many mailboxes not every item of the source has a fate. Where nothing is wrong, that was signed so.
    pub sum_count: u64,
    /// Which, the first hundred.
    pub sums: Vec<String>,
    /// The item that is proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<ProvedItem>,
}

/// How many items were decided by a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ManifestRule {
    /// What was made of them: `replaced`, `left`, `noted`; or their fate: `failed`, `held`.
    pub how: String,
    /// The rule, the loss, or why they wait.
    pub rule: String,
    /// How many items.
    pub items: u64,
}

/// An item that is proved.
#[derive(Clone, Debug, Serialize)]
pub struct ProvedItem {
    /// Whose it is, by the name at the source.
    pub mailbox: String,
    /// By the name at the target.
    pub target_mailbox: String,
    /// The folder at the source.
    pub folder: String,
    /// All that is said of it.
    #[serde(flatten)]
    pub says: Item,
    /// The file at hand, beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageIs>,
}

/// What a file at hand is of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MessageIs {
    /// The file.
    pub file: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Is it what the source holds?
    pub source: &'static str,
    /// Is it what travelled?
    pub sent: &'static str,
    /// Is it what the target holds, where that is known to be other than what travelled?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<&'static str>,
}

impl MessageIs {
    /// Is it the item in any form?
    pub fn is_it(&self) -> bool {
        let all = [Some(self.source), Some(self.sent), self.target];
        all.into_iter().flatten().any(|is| is != likeness(Likeness::Other))
    }
}

impl ManifestReport {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        let message = self.item.as_ref().and_then(|item| item.message.as_ref());
        if self.is_sound && self.sum_count == 0 && message.is_none_or(MessageIs::is_it) {
            Exit::Done
        } else {
            Exit::WithFailures
        }
    }
}

/// A proof of one item that was written.
#[derive(Clone, Debug, Serialize)]
pub struct RevealReport {
    /// Where it is.
    pub to: String,
    /// Whose the item is, by the name at the source.
    pub mailbox: String,
    /// The folder at the source.
    pub folder: String,
    /// What the folder calls it.
    pub id: String,
    /// What became of it.
    pub fate: &'static str,
    /// The public key that it is to be checked with.
    pub key: String,
}

/// Checks a file: a manifest, one with roots only, or the proof of one item. `key` is the public key that must have signed it.
/// With `item`, the file with the proof of an item of this manifest; with `message`, the item's bytes.
pub fn check_manifest(
    file: &Path,
    key: Option<&str>,
    item: Option<&Path>,
    message: Option<&Path>,
) -> Result<ManifestReport, Error> {
    let key = pinned(key)?;
    let (mut opened, is_of_item) = open(file)?;
    let mut report = if is_of_item {
        proved(file, &mut opened, key)?
    } else {
        checked(file, manifest::check(&mut opened, key, &mut |_, _| false).map_err(unreadable(file))?, key)
    };
    if let Some(item) = item {
        if is_of_item {
            return Err(Error::usage(format!("{} is the proof of one item itself", file.display()))
                .advise("give the manifest, or leave --item out"));
        }
        let (mut opened, is_of_item) = open(item)?;
        if !is_of_item {
            return Err(Error::usage(format!("{} is not the proof of an item", item.display()))
                .advise("give what `whimbrel manifest reveal` has written"));
        }
        let proof = proved(item, &mut opened, key)?;
        let ends = |report: &ManifestReport| (report.key.clone(), report.root.clone(), report.begun, report.ended);
        if ends(&proof) != ends(&report) {
            report.complain(format!("{} is the proof of an item of another manifest", item.display()));
        }
        for problem in &proof.problems {
            report.complain(format!("{}: {problem}", item.display()));
        }
        report.item = proof.item;
    }
    if let Some(message) = message {
        let Some(item) = &mut report.item else {
            let what = format!("{} says nothing of one item, so {} is not compared", file.display(), message.display());
            return Err(Error::usage(what).advise("give the proof of the item with --item, or as the file"));
        };
        let opened = File::open(message).map_err(unreadable(message))?;
        let bytes = Bytes::read(opened).map_err(unreadable(message))?;
        let travelled = item.says.sent.as_ref().unwrap_or(&item.says.source);
        item.message = Some(MessageIs {
            file: message.display().to_string(),
            sha256: bytes.sha256.to_string(),
            source: likeness(bytes.are(&item.says.source)),
            sent: likeness(bytes.are(travelled)),
            target: there(&item.says).map(|held| likeness(bytes.are(&held))),
        });
    }
    Ok(report)
}

/// Writes the proof of one item of a manifest to a file that is not there yet. Found by its place, or by its bytes.
pub fn reveal_item(file: &Path, choice: &ItemChoice, message: Option<&Path>, to: &Path) -> Result<RevealReport, Error> {
    if *choice == ItemChoice::default() && message.is_none() {
        return Err(Error::usage("which item?").advise("give --message FILE, or --mailbox, --folder and --id"));
    }
    let bytes = match message {
        None => None,
        Some(path) => Some(File::open(path).and_then(Bytes::read).map_err(unreadable(path))?),
    };
    let (opened, is_of_item) = open(file)?;
    if is_of_item {
        return Err(Error::usage(format!("{} is the proof of one item itself", file.display())));
    }
    let mut is_chosen = |who: &Who, item: &Item| {
        choice.fits(who, item)
            && bytes.as_ref().is_none_or(|bytes| {
                let is = |held: &Held| bytes.are(held) != Likeness::Other;
                is(&item.source) || item.sent.as_ref().is_some_and(is) || there(item).is_some_and(|held| is(&held))
            })
    };
    let checked = manifest::check(opened, None, &mut is_chosen).map_err(unreadable(file))?;
    if let Some(problem) = checked.problems.first.first() {
        let what = format!("{} is not as it was written, so nothing can be proved by it: {problem}", file.display());
        return Err(Error::usage(what).advise("bring the file back from a backup, or export it anew"));
    }
    if !checked.has_items && checked.project.as_ref().is_some_and(|project| project.counts.items > 0) {
        return Err(Error::usage(format!("{} has no items, only their roots", file.display()))
            .advise("give the whole manifest"));
    }
    let found = match &checked.found[..] {
        [] => return Err(Error::usage("no item of the manifest is this one").advise("look for it with fewer options")),
        [one] => one,
        several => {
            let places: Vec<String> = several.iter().map(place).collect();
            let what = format!("{} items of the manifest are this one: {}", checked.found_count, places.join("; "));
            return Err(Error::usage(what).advise("choose one with --mailbox, --folder and --id"));
        }
    };
    let Some(proof) = found.proof() else {
        return Err(Error { exit: Exit::Internal, rule: None, what: "the item has no path".to_owned(), advice: None });
    };
    let mut options = std::fs::OpenOptions::new();
    let written = options.write(true).create_new(true).mode(0o600).open(to);
    let written = written.and_then(|mut out| out.write_all(&proof).and_then(|()| out.sync_all()));
    written.map_err(|error| cannot_write(to, &error))?;
    let key = checked.head.map(|head| PublicKey(head.key).to_string()).unwrap_or_default();
    Ok(RevealReport {
        to: to.display().to_string(),
        mailbox: found.who.source.name.clone(),
        folder: path(&found.item.folder),
        id: found.item.id.to_string(),
        fate: found.item.fate.name(),
        key,
    })
}

impl ItemChoice {
    fn fits(&self, who: &Who, item: &Item) -> bool {
        let is_named = |wanted: &String| {
            [&who.source.name, &who.target.name].into_iter().any(|name| name.eq_ignore_ascii_case(wanted))
        };
        self.mailbox.as_ref().is_none_or(is_named)
            && self.folder.as_ref().is_none_or(|wanted| path(&item.folder) == *wanted)
            && self.id.as_ref().is_none_or(|wanted| item.id.to_string() == *wanted)
    }
}

/// What the target holds of an item, where that is known to be other than what travelled.
fn there(item: &Item) -> Option<Held> {
    let sha256 = item.target.as_ref()?.sha256?;
    Some(Held { sha256: Some(sha256), ..Held::default() })
}

fn place(found: &Found) -> String {
    format!("{}, {}, item {}", found.who.source.name, path(&found.item.folder), found.item.id)
}

/// A folder's path, as reports write it. Every line that was read has a name in it.
fn path(names: &[String]) -> String {
    FolderPath::new(names).to_string()
}

fn likeness(likeness: Likeness) -> &'static str {
    match likeness {
        Likeness::Exact => "the same",
        Likeness::Canonical => "the same but for line ends",
        Likeness::Other => "other bytes",
    }
}

/// A file and whether it begins as the proof of one item.
fn open(path: &Path) -> Result<(impl Read, bool), Error> {
    let mut file = File::open(path).map_err(unreadable(path))?;
    let mut beginning = Vec::new();
    Read::by_ref(&mut file).take(16).read_to_end(&mut beginning).map_err(unreadable(path))?;
    let is_of_item = is_proof(&beginning);
    Ok((io::Cursor::new(beginning).chain(file), is_of_item))
}

impl ManifestReport {
    fn of(file: &Path, form: &'static str, head: Option<&Head>, key: Option<PublicKey>, problems: Problems) -> Self {
        Self {
            file: file.display().to_string(),
            form,
            is_sound: problems.count == 0,
            organisation: head.map(|head| head.name.clone()),
            code: head.map(|head| head.organisation.clone()),
            project: head.map(|head| head.project.clone()),
            only: head.map(|head| head.only.clone()).unwrap_or_default(),
            begun: head.map(|head| head.begun),
            ended: None,
            key: head.map(|head| head.key.to_string()),
            is_key_ours: false,
            is_key_known: key.is_some() && head.map(|head| PublicKey(head.key)) == key,
            root: None,
            collections: 0,
            mailboxes: 0,
            not_read: 0,
            counts: Counts::default(),
            rules: Vec::new(),
            problem_count: problems.count,
            problems: problems.first,
            sum_count: 0,
            sums: Vec::new(),
            item: None,
        }
    }

    fn with(mut self, project: Option<&manifest::Project>) -> Self {
        if let Some(project) = project {
            (self.collections, self.mailboxes, self.counts) = (project.collections, project.mailboxes, project.counts);
            (self.ended, self.root) = (Some(project.ended), Some(project.root.to_string()));
        }
        self
    }

    fn complain(&mut self, what: String) {
        (self.is_sound, self.problem_count) = (false, self.problem_count + 1);
        self.problems.push(what);
    }
}

fn checked(file: &Path, checked: Checked, key: Option<PublicKey>) -> ManifestReport {
    let form = if checked.has_items { "whole" } else { "roots" };
    let rules = checked.rules.into_iter().map(|((how, rule), items)| ManifestRule { how, rule, items }).collect();
    let report =
        ManifestReport::of(file, form, checked.head.as_ref(), key, checked.problems).with(checked.project.as_ref());
    let (sum_count, sums) = (checked.sums.count, checked.sums.first);
    ManifestReport { not_read: checked.not_read, rules, sum_count, sums, ..report }
}

fn proved(file: &Path, opened: impl Read, key: Option<PublicKey>) -> Result<ManifestReport, Error> {
    let proof = check_proof(opened, key).map_err(unreadable(file))?;
    let report =
        ManifestReport::of(file, "item", proof.head.as_ref(), key, proof.problems).with(proof.project.as_ref());
    let not_read = u64::from(proof.mailbox.as_ref().is_some_and(|mailbox| !mailbox.is_read()));
    let item = proof.who.zip(proof.item).map(|(who, item)| ProvedItem {
        mailbox: who.source.name,
        target_mailbox: who.target.name,
        folder: path(&item.folder),
        says: item,
        message: None,
    });
    Ok(ManifestReport { not_read, item, ..report })
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> Error {
    let shown = path.display().to_string();
    move |error| {
        Error::usage(format!("cannot read {shown}: {error}")).advise("give the path of a file that can be read")
    }
}

fn cannot_read_again(path: &Path, error: &io::Error) -> Error {
    Error::usage(format!("cannot read {} again: {error}", path.display()))
        .advise("check it anew, with nobody writing to it")
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    Error::usage(format!("cannot write {}: {error}", path.display()))
        .advise("give the path of a file that is not there yet, where there is room")
}

fn stopped() -> Error {
    Error { exit: Exit::Stopped, rule: None, what: "stopped on request".to_owned(), advice: None }
}

fn count_lines(number: u64, noun: &str) -> String {
    movement::state::counted(number, noun)
}
