//! `manifest export`: what the ledger knows, page by page, as a signed file.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use connector::{Clock, SystemClock};
use manifest::{
    Account, Canonical, Counts, Digest32, Head, Held, Hex, Id, Item, Line, MailboxFacts, Outcome, PublicKey,
    SALT_BYTES, Signer, There, VERSION, Who, Writer, flags_text, leaf,
};
use model::{Cause, Digest, Fate, Flags, FolderPath, ItemId};
use serde::Serialize;
use serde_json::json;
use store::{
    FailureRow, FolderRow, HeldItem, HeldRemoval, How, LedgerItem, MailboxRow, NewException, RemovalState, Treatment,
};
use tokio::sync::watch;

use super::{cannot_write, count_lines, stopped};
use crate::error::Exit;
use crate::{Error, Project, Selection};

/// The audit log's name for an export.
const EXPORTED: &str = "manifest.export";
/// Its name for a key that is used from now on.
const KEY_IS_NEW: &str = "manifest.key";
/// Why an item of the source waits for a word.
const AMBIGUOUS: &str = "ambiguous";
/// Why an item is left over: the source did not list its folder, or could not open it, when it was last read.
const NOT_LISTED: &str = "folder-not-listed";

/// How a manifest was written.
#[derive(Clone, Debug, Serialize)]
pub struct ManifestExport {
    /// Where it is.
    pub to: String,
    /// Where the file with roots only is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roots: Option<String>,
    /// The public key that it is to be checked with.
    pub key: String,
    /// No manifest of this project was signed with it before.
    pub is_key_new: bool,
    /// Collections, those in none counting as one.
    pub collections: u64,
    /// Mailboxes.
    pub mailboxes: u64,
    /// Of these: not read to their end yet.
    pub not_read: u64,
    /// Their items, by fate.
    #[serde(flatten)]
    pub counts: Counts,
    /// Items without a fate, or with more than one, of mailboxes whose last reading came to its end: the sums do not hold.
    pub unaccounted: u64,
}

impl ManifestExport {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        if self.unaccounted == 0 { Exit::Done } else { Exit::WithFailures }
    }
}

/// The public key of a project's manifests.
#[derive(Clone, Debug, Serialize)]
pub struct ManifestKey {
    /// The key.
    pub key: String,
    /// It is used from now on.
    pub is_new: bool,
}

/// A mailbox to be written: whose it is, and the hash of the line that says so.
struct Planned {
    row: MailboxRow,
    who: Who,
    hash: Digest,
}

/// What the ledger says of a mailbox's items besides the items themselves.
struct Besides {
    treatments: HashMap<(i64, ItemId), Treatment>,
    failures: HashMap<(i64, ItemId), FailureRow>,
    held: HashMap<(i64, ItemId), HeldItem>,
    removals: Vec<HeldRemoval>,
    /// Copies that the target altered and that stay there, of items that failed therefore.
    altered: HashMap<(FolderPath, ItemId), ItemId>,
}

impl Project {
    /// The public key of this project's manifests. It is made if there is none.
    pub async fn manifest_key(&self, new_key: bool) -> Result<ManifestKey, Error> {
        self.may_migrate()?;
        let (signer, is_new) = self.signer(new_key).await?;
        Ok(ManifestKey { key: signer.public().to_string(), is_new })
    }

    /// Writes what became of every item of the mailboxes chosen, to a file that is not there yet and that nobody else may
    /// read; and, if asked to, the file with roots only, which may be handed to anybody.
    pub async fn export_manifest(
        &self,
        selection: &Selection,
        to: &Path,
        roots: Option<&Path>,
        new_key: bool,
        stop: watch::Receiver<bool>,
    ) -> Result<ManifestExport, Error> {
        self.may_migrate()?;
        let rows = self.select(selection).await?;
        let only = self.only(selection).await?;
        if let Some(row) = rows.iter().find(|row| row.is_held) {
            return Err(is_worked_on(row));
        }
        let (signer, is_key_new) = self.signer(new_key).await?;
        let full = NewFile::make(to, 0o600)?;
        let public = roots.map(|path| NewFile::make(path, 0o644)).transpose()?;
        let cannot = |error: io::Error| cannot_write(to, &error);
        let (head, public_out) = (self.manifest_head(only.clone()), public.as_ref().map(NewFile::writer));
        let mut writer = Writer::begin(&signer, head, full.writer(), public_out).map_err(cannot)?;
        let mut altered = self.altered().await?;
        let (mut unaccounted, mut not_read) = (0, 0);
        for (collection, mailboxes) in self.planned(&signer, rows) {
            for planned in mailboxes {
                if *stop.borrow() {
                    return Err(stopped());
                }
                let (left, is_read) = self.write_mailbox(&mut writer, &signer, &planned, &mut altered, to).await?;
                unaccounted += left;
                not_read += u64::from(!is_read);
            }
            writer.collection(collection).map_err(cannot)?;
        }
        let (project, written, public_written) = writer.finish(SystemClock.unix_seconds()).map_err(cannot)?;
        drop((written, public_written));
        let report = ManifestExport {
            to: to.display().to_string(),
            roots: roots.map(|path| path.display().to_string()),
            key: signer.public().to_string(),
            is_key_new,
            collections: project.collections,
            mailboxes: project.mailboxes,
            not_read,
            counts: project.counts,
            unaccounted,
        };
        let root = project.root.to_string();
        let detail = json!({
            "project": self.config.file.project, "key": report.key, "root": root, "mailboxes": report.mailboxes,
            "items": report.counts.items, "only": only,
        });
        // First: there is no manifest that the log says nothing of.
        self.store.audit(self.key, &self.actor, EXPORTED, &detail).await?;
        full.complete()?;
        if let Some(public) = public {
            public.complete()?;
        }
        Ok(report)
    }

    fn manifest_head(&self, only: Vec<String>) -> Head {
        let file = &self.config.file;
        Head {
            version: VERSION,
            organisation: self.config.code.to_string(),
            name: file.organisation.name.clone(),
            project: file.project.clone(),
            policy: self.config.policy.citation.clone(),
            program: concat!("whimbrel ", env!("CARGO_PKG_VERSION")).to_owned(),
            only,
            begun: SystemClock.unix_seconds(),
            key: Hex([0; 32]),
        }
    }

    /// What was chosen, where not everybody was; and whom it leaves out though items of theirs were moved.
    async fn only(&self, selection: &Selection) -> Result<Vec<String>, Error> {
        let mailboxes = match selection.mailboxes.len() as u64 {
            0 => None,
            // Not which: that line is in the file with roots only.
            some => Some(count_lines(some, "chosen mailbox")),
        };
        let collection = selection.collection.as_ref().map(|name| format!("collection {name}"));
        let mut without = 0;
        for row in self.store.mailboxes(self.key).await? {
            let is_of_them =
                !row.listed && (selection.collection.is_none() || selection.collection == row.roster.collection);
            if is_of_them && selection.mailboxes.is_empty() && self.has_items(row.mailbox).await? {
                without += 1;
            }
        }
        let without = (without > 0).then(|| {
            let are = if without == 1 { "is" } else { "are" };
            format!("without {} that {are} no longer in people.csv", count_lines(without, "mailbox"))
        });
        Ok([mailboxes, collection, without].into_iter().flatten().collect())
    }

    async fn has_items(&self, mailbox: i64) -> Result<bool, Error> {
        for folder in self.store.folders(self.key, mailbox).await? {
            if self.store.count_items(self.key, &folder).await? > 0 {
                return Ok(true);
            }
        }
        Ok(!self.store.held_removals(self.key, mailbox).await?.is_empty())
    }

    /// The key, and whether it is new. A missing one is made only where nothing was ever signed with it.
    async fn signer(&self, new_key: bool) -> Result<(Signer, bool), Error> {
        let path = self.config.path(&self.config.file.manifest.key_file);
        let unusable = |error: keyfile::Error| {
            Error::usage(error.0).advise("see [manifest] key_file in whimbrel.toml, and docs/manifest.md")
        };
        let (shown, last) = (path.display(), self.last_key().await?);
        if let Some(signer) = Signer::read(&path).map_err(unusable)? {
            let key = signer.public().to_string();
            return match last.filter(|last| *last != key) {
                None if new_key => {
                    let what = format!("the key {shown} is there (public key {key}), so no new one was made");
                    Err(Error::usage(what).advise("move the old one away first, or leave --new-key out"))
                }
                None => Ok((signer, false)),
                Some(_) if new_key => {
                    self.audit_key(&key).await?;
                    Ok((signer, true))
                }
                Some(last) => {
                    let what = format!(
                        "the key {shown} (public key {key}) is not the one that this project signed with before ({last}): \
                         nothing was signed"
                    );
                    Err(Error::usage(what).advise(
                        "bring the old one back; or, if this is to be the key from now on, add --new-key and give everybody \
                         the new public key",
                    ))
                }
            };
        }
        if let Some(key) = last.filter(|_| !new_key) {
            let what = format!(
                "the key {shown} is missing, and manifests of this project were signed with it (public key {key}): no new \
                 one was made"
            );
            return Err(Error::usage(what).advise(
                "bring it back from its backup; or, if it is lost, add --new-key and give everybody the new public key",
            ));
        }
        let signer = Signer::make(&path).map_err(unusable)?;
        self.audit_key(&signer.public().to_string()).await?;
        Ok((signer, true))
    }

    /// From now on manifests are signed with this key.
    async fn audit_key(&self, key: &str) -> Result<(), Error> {
        let detail = json!({ "project": self.config.file.project, "key": key });
        self.store.audit(self.key, &self.actor, KEY_IS_NEW, &detail).await?;
        Ok(())
    }

    /// The public key that this project's manifests are signed with, as the audit log has it.
    pub(super) async fn last_key(&self) -> Result<Option<String>, Error> {
        let (log, _) = self.store.audit_log(self.key).await?;
        Ok(log.iter().rev().filter(|row| [EXPORTED, KEY_IS_NEW].contains(&row.action.as_str())).find_map(|row| {
            let detail: serde_json::Value = serde_json::from_str(&row.detail).ok()?;
            let is_ours = detail["project"] == self.config.file.project.as_str();
            detail["key"].as_str().filter(|_| is_ours).map(str::to_owned)
        }))
    }

    /// The mailboxes by collection, in the order of the file: it tells nothing of names.
    fn planned(&self, signer: &Signer, rows: Vec<MailboxRow>) -> Vec<(Option<String>, Vec<Planned>)> {
        let mut collections = std::collections::BTreeMap::<Option<String>, Vec<Planned>>::new();
        let ours = format!("{} {}", self.config.code, self.config.file.project);
        for row in rows {
            let account = |endpoint: i64, name: &str| Account {
                endpoint: self.endpoint_name(endpoint).to_owned(),
                kind: self.endpoints.get(&endpoint).map_or("?", |(_, kind)| kind).to_owned(),
                name: name.to_owned(),
            };
            let roster = &row.roster;
            let who = Who {
                salt: Hex([0; SALT_BYTES]),
                source: account(roster.source_endpoint, &roster.source_name),
                target: account(roster.target_endpoint, &roster.target_name),
                in_use: roster.target_in_use,
            };
            let who = signer.salted_who(who, &ours);
            let hash = leaf(&Line::Who(who.clone()).written());
            collections.entry(roster.collection.clone()).or_default().push(Planned { row, who, hash });
        }
        for mailboxes in collections.values_mut() {
            mailboxes.sort_by_key(|planned| planned.hash);
        }
        collections.into_iter().collect()
    }

    /// Writes a mailbox. How many items are not accounted for, and whether it was read to its end.
    async fn write_mailbox<W: Write>(
        &self,
        writer: &mut Writer<'_, W>,
        signer: &Signer,
        planned: &Planned,
        altered: &mut HashMap<i64, HashMap<(FolderPath, ItemId), ItemId>>,
        to: &Path,
    ) -> Result<(u64, bool), Error> {
        let Planned { row, who, .. } = planned;
        let cannot = |error: io::Error| cannot_write(to, &error);
        let mut folders = self.store.folders(self.key, row.mailbox).await?;
        let before = (folders.clone(), row.pass, row.state.clone());
        let mut besides = self.besides(row.mailbox).await?;
        besides.altered = altered.remove(&row.mailbox).unwrap_or_default();
        let all: HashMap<i64, FolderRow> = folders.iter().map(|folder| (folder.folder, folder.clone())).collect();
        let newest = newest(&folders);
        folders.retain(|folder| newest.contains(&folder.folder));
        folders.sort_by(|one, other| place(one).cmp(&place(other)));
        writer.who(who).map_err(cannot)?;
        let mut facts = MailboxFacts { read: row.pass.map(|(_, ended)| ended / 1000), ..MailboxFacts::default() };
        let is_complete = row.pass.is_some() && row.state.cause.is_none() && !row.is_taken;
        let mut unaccounted = 0;
        for folder in &folders {
            let mut with_fate = 0;
            let mut items = self.store.items(self.key, folder);
            loop {
                let page = items.next().await?;
                if page.is_empty() {
                    break;
                }
                for item in page.into_iter().filter(|item| !is_left_over(folder, item)) {
                    with_fate += 1;
                    writer.item(besides.item(signer, who, folder, item)).map_err(cannot)?;
                }
            }
            // What a reading that was broken off has added or taken away is not in the number that the folder was read with.
            let counted = folder.source.map(|state| state.count);
            let is_sum = !folder.is_gone() && counted.is_some_and(|count| is_complete || count == with_fate);
            let source = counted.filter(|_| is_sum).unwrap_or(with_fate);
            facts.source += source;
            facts.folders += 1;
            facts.folders_read += u64::from(is_sum);
            unaccounted += source.abs_diff(with_fate);
        }
        let mut left_over: Vec<Item> = besides
            .removals
            .iter()
            .filter_map(|removal| Some(leftover(signer, who, all.get(&removal.folder)?, removal)))
            .collect();
        left_over.sort_by(|one, other| manifest::place(one).cmp(&manifest::place(other)));
        let mut left_over = left_over.into_iter().peekable();
        for folder in folders.iter().filter(|folder| folder.is_gone()) {
            let mut items = self.store.items(self.key, folder);
            loop {
                let page = items.next().await?;
                if page.is_empty() {
                    break;
                }
                for item in page.into_iter().filter(|item| is_left_over(folder, item)) {
                    let item = besides.item(signer, who, folder, item);
                    while let Some(before) = left_over.next_if(|it| manifest::place(it) < manifest::place(&item)) {
                        writer.item(before).map_err(cannot)?;
                    }
                    // An earlier copy of it waits to be removed: one line is about that id.
                    let is_same = |it: &Item| manifest::place(it) == manifest::place(&item);
                    if left_over.peek().is_none_or(|it| !is_same(it)) {
                        writer.item(item).map_err(cannot)?;
                    }
                }
            }
        }
        for item in left_over {
            writer.item(item).map_err(cannot)?;
        }
        writer.mailbox(facts).map_err(cannot)?;
        let now = self.store.mailbox(self.key, row.mailbox).await?.filter(|now| !now.is_held);
        let after = match now {
            Some(now) => (self.store.folders(self.key, row.mailbox).await?, now.pass, now.state),
            None => return Err(is_worked_on(row)),
        };
        if before != after {
            return Err(is_worked_on(row));
        }
        Ok((unaccounted, facts.folders_read == facts.folders && row.pass.is_some()))
    }

    async fn besides(&self, mailbox: i64) -> Result<Besides, Error> {
        let treatments = self.store.every_treatment(self.key, mailbox).await?;
        let failures = self.store.failures(self.key, Some(mailbox)).await?;
        let held = self.store.held_items(self.key, mailbox).await?;
        let treated = |row: store::TreatmentRow| ((row.folder, row.treatment.source_id.clone()), row.treatment);
        Ok(Besides {
            treatments: treatments.into_iter().map(treated).collect(),
            failures: failures.into_iter().map(|row| ((row.folder, row.source_id.clone()), row)).collect(),
            held: held.into_iter().map(|row| ((row.folder, row.source_id.clone()), row)).collect(),
            removals: self.store.held_removals(self.key, mailbox).await?,
            altered: HashMap::new(),
        })
    }

    /// By mailbox, folder of the source and id there: the copy that the target altered and that stays.
    async fn altered(&self) -> Result<HashMap<i64, HashMap<(FolderPath, ItemId), ItemId>>, Error> {
        let mut altered: HashMap<i64, HashMap<_, _>> = HashMap::new();
        for row in self.store.exceptions(self.key).await? {
            let NewException { class, path, source_id, target_id, .. } = row.exception;
            if let (Cause::Altered, Some(source_id), Some(target_id)) = (class, source_id, target_id) {
                altered.entry(row.mailbox).or_default().insert((path, source_id), target_id);
            }
        }
        Ok(altered)
    }
}

impl Besides {
    fn item(&self, signer: &Signer, who: &Who, folder: &FolderRow, item: LedgerItem) -> Item {
        let key = (folder.folder, item.source_id.clone());
        let treatment = self.treatments.get(&key);
        let failure = self.failures.get(&key).filter(|_| item.fate == Fate::Failed);
        let held = self.held.get(&key).filter(|_| item.fate == Fate::Held);
        let travelled = bytes(item.size_bytes, item.exact, item.canonical);
        let is_undone = matches!(item.fate, Fate::Failed | Fate::Held);
        let is_left_over = is_left_over(folder, &item);
        // What a rule changed is beside what the source holds; what it left behind never became anything else, and of what
        // failed or waits nothing came of the rule.
        let (source, sent) = match treatment {
            Some(made) if made.original.is_some_and(|original| item.exact.is_some_and(|exact| exact != original)) => {
                let original = bytes(made.original_size_bytes, made.original, None);
                (original, (made.how != How::Left && !is_undone).then_some(travelled))
            }
            _ => (travelled, None),
        };
        let own_date = treatment.and_then(|made| made.source_received).filter(|_| !is_undone);
        let treatment = treatment.filter(|_| !is_undone && !is_left_over);
        let fate = if is_left_over { Outcome::Leftover } else { Outcome::from(item.fate) };
        let there = match (fate.is_on_target(), held) {
            (true, _) => Some((item.target_id, item.read_back)),
            (false, Some(held)) => Some((held.target_id.clone(), None)),
            (false, None) if item.fate == Fate::Failed => {
                self.altered.get(&(folder.path.clone(), key.1)).map(|id| (Some(id.clone()), None))
            }
            (false, None) => None,
        };
        let rule = match item.fate {
            _ if is_left_over => Some(NOT_LISTED.to_owned()),
            Fate::Failed => failure.map(|failure| failure.cause.code().to_owned()),
            Fate::Held => Some(AMBIGUOUS.to_owned()),
            _ => treatment.map(|made| made.rule.clone()),
        };
        // What another tool put there has the date that it gave it, and that such a line is of one can't be seen.
        let is_dated = !(is_left_over && item.fate == Fate::Adopted);
        let received = own_date.or(item.received).filter(|_| is_dated);
        let given = own_date.and(item.received).filter(|_| is_dated && fate.is_on_target());
        let target = there.map(|(id, sha256)| self::there(folder, id, sha256, given));
        let unsalted = Item {
            how: treatment.map(|made| made.how.name().to_owned()),
            rule,
            policy: treatment.map(|made| made.policy.clone()),
            accepted: failure.is_some_and(|failure| failure.accepted_by.is_some()),
            sent,
            target,
            ..unsalted(fate, folder, item.source_id, received, source)
        };
        salted(signer, who, unsalted, &item.source_flags, &item.target_flags)
    }
}

fn leftover(signer: &Signer, who: &Who, folder: &FolderRow, removal: &HeldRemoval) -> Item {
    // What the source held is not known any more where a rule had changed it: what travelled is.
    let sent = bytes(removal.size_bytes, removal.exact, removal.canonical);
    let (id, source) = (removal.source_id.clone(), Held::default());
    let is_dated = removal.fate != Fate::Adopted;
    let received = removal.source_received.or(removal.received).filter(|_| is_dated);
    let given = removal.source_received.and(removal.received).filter(|_| is_dated);
    let is_under_way = matches!(removal.state, RemovalState::Doing | RemovalState::Obeying);
    let rule = if is_under_way { manifest::UNDER_WAY } else { &removal.rule };
    let unsalted = Item {
        rule: Some(rule.to_owned()).filter(|rule| !rule.is_empty()),
        sent: Some(sent).filter(|sent| sent.sha256.is_some()),
        target: Some(there(folder, removal.target_id.clone(), removal.read_back, given)),
        ..unsalted(Outcome::Leftover, folder, id, received, source)
    };
    salted(signer, who, unsalted, &removal.source_flags, &removal.target_flags)
}

fn unsalted(fate: Outcome, folder: &FolderRow, id: ItemId, received: Option<i64>, source: Held) -> Item {
    Item {
        salt: Hex([0; SALT_BYTES]),
        fate,
        kind: folder.kind.name().to_owned(),
        folder: folder.path.names().to_vec(),
        validity: folder.validity,
        id: Id(id),
        received,
        source,
        how: None,
        rule: None,
        policy: None,
        accepted: false,
        sent: None,
        target: None,
    }
}

fn salted(signer: &Signer, who: &Who, unsalted: Item, source: &Flags, target: &Flags) -> Item {
    let (here, there) = (flags_text(source), flags_text(target));
    let is_other = unsalted.target.is_some() && here != there;
    signer.salted_item(who, unsalted, &here, is_other.then_some(&there))
}

fn there(folder: &FolderRow, id: Option<ItemId>, sha256: Option<Digest>, received: Option<i64>) -> There {
    There {
        folder: folder.target_path.names().to_vec(),
        validity: folder.target.map_or(0, |state| state.validity),
        id: id.map(Id),
        sha256: sha256.map(Digest32),
        received,
        flags: None,
    }
}

fn bytes(size: u64, exact: Option<Digest>, canonical: Option<Digest>) -> Held {
    Held {
        size: exact.map(|_| size),
        sha256: exact.map(Digest32),
        canonical1: exact.zip(canonical).map(|(exact, canonical)| Canonical::of(exact, canonical)),
        flags: None,
    }
}

/// The rows of a mailbox's folders whose items are written: of each path and kind the one that the source lists, else the last
/// one that it listed. Those that it has numbered anew are found again under their new numbers.
fn newest(folders: &[FolderRow]) -> HashSet<i64> {
    let mut newest = HashMap::new();
    for folder in folders {
        let rank = (!folder.is_gone(), folder.folder);
        let known = newest.entry((&folder.path, folder.kind)).or_insert(rank);
        *known = rank.max(*known);
    }
    newest.into_values().map(|(_, folder)| folder).collect()
}

/// Is it on the target, of a folder that the source does not list? Whether the source still has it is not known.
fn is_left_over(folder: &FolderRow, item: &LedgerItem) -> bool {
    folder.is_gone() && matches!(item.fate, Fate::Copied | Fate::Adopted)
}

fn place(folder: &FolderRow) -> (&[String], &'static str, u64) {
    (folder.path.names(), folder.kind.name(), folder.validity)
}

fn is_worked_on(row: &MailboxRow) -> Error {
    let what = format!(
        "{} is being worked on, so its numbers change while they are written; no manifest was written",
        row.roster.source_name
    );
    let error = Error { exit: Exit::Busy, rule: None, what, advice: None };
    error.advise("run it again when `sync` has ended, or choose others with --mailbox or --collection")
}

/// A file that is removed again unless it becomes whole.
struct NewFile {
    path: PathBuf,
    file: File,
    is_whole: bool,
}

impl NewFile {
    fn make(path: &Path, mode: u32) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(mode).open(path);
        let file = file.map_err(|error| cannot_write(path, &error))?;
        Ok(Self { path: path.to_owned(), file, is_whole: false })
    }

    fn writer(&self) -> BufWriter<&File> {
        BufWriter::with_capacity(1 << 16, &self.file)
    }

    /// All was written: it stays.
    fn complete(mut self) -> Result<(), Error> {
        self.file.sync_all().map_err(|error| cannot_write(&self.path, &error))?;
        self.is_whole = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_whole {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whose signature a manifest must bear.
pub(super) fn pinned(key: Option<&str>) -> Result<Option<PublicKey>, Error> {
    let Some(text) = key else { return Ok(None) };
    let key = PublicKey::parse(text).ok_or_else(|| {
        Error::usage("--key is not a public key, which is 64 hexadecimal digits")
            .advise("give what `whimbrel manifest key` prints")
    })?;
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    use model::ItemKind;

    use super::*;

    #[test]
    fn a_folder_numbered_anew_is_written_once_and_one_not_listed_by_its_last_numbers() {
        let row = |folder: i64, name: &str, gone_at: Option<i64>| FolderRow {
            folder,
            endpoint: 1,
            kind: ItemKind::Message,
            path: FolderPath::new([name]),
            validity: folder as u64,
            source: None,
            cursor: None,
            target_path: FolderPath::new([name]),
            target: None,
            gone_at,
            subscribed: None,
            is_following_begun: false,
            made: false,
            is_making_begun: false,
            compared: (0, 0),
        };
        let rows = [
            row(1, "numbered anew", None),
            row(2, "numbered anew", Some(5)),
            row(3, "not listed", Some(1)),
            row(4, "not listed", Some(2)),
            row(5, "listed", None),
        ];
        assert_eq!(newest(&rows), HashSet::from([1, 4, 5]));
    }
}
