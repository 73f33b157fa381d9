//! `manifest check --against`: every item of a manifest beside what an endpoint holds now. The endpoint is read in full; neither
//! the ledger nor the policy has a say.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use connector::Account;
use manifest::{Item, Outcome, Section, Sections, UNDER_WAY, flags_hash, flags_text};
use model::{Cause, Digest, FolderPath, ItemId, Side};
use movement::{Afresh, Engine, Failure, FolderNow, ItemNow, Progress};
use serde::Serialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{ManifestReport, cannot_read_again, check_manifest, stopped};
use crate::error::{Exit, exit_of};
use crate::secret::Environment;
use crate::{Error, Project, Selection};

/// Folders are compared in groups of about this many items, and at most this many folders.
const GROUP_ITEMS: u64 = 20_000;
const GROUP_FOLDERS: usize = 500;
/// Folders of one mailbox in a manifest. No mailbox has as many.
const FOLDERS_MAX: usize = 500_000;
/// Differences are kept by name up to this number a mailbox; beyond it they are only counted.
const DIFFERENCES_MAX: usize = 1_000;

/// How an item differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceIs {
    /// In the manifest, not there.
    Missing,
    /// There, with other bytes.
    Changed,
    /// There, with another date.
    ChangedDate,
    /// There, with other flags.
    ChangedFlags,
    /// There, and can't be read.
    Unreadable,
    /// There, not in the manifest.
    Extra,
}

impl DifferenceIs {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Changed => "changed",
            Self::ChangedDate => "changed-date",
            Self::ChangedFlags => "changed-flags",
            Self::Unreadable => "unreadable",
            Self::Extra => "extra",
        }
    }
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgainstDifference {
    /// How it differs.
    pub is: DifferenceIs,
    /// The folder there.
    pub folder: String,
    /// The folder at the source, where the manifest knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_folder: Option<String>,
    /// What the source calls the item, where the manifest knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_item: Option<String>,
    /// What the folder there calls it: as the manifest has it where it is missing, else as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// SHA-256 by the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// SHA-256 of what is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What was expected and what was found.
    pub what: String,
}

/// What was found of a mailbox.
#[derive(Clone, Debug, Serialize)]
pub struct MailboxAgainst {
    /// Its name at the source.
    pub source: String,
    /// Its name at the target.
    pub target: String,
    /// What the endpoint was taken for.
    pub side: Side,
    /// Items of the manifest that are to be there.
    pub expected: u64,
    /// Of these: there, byte for byte and with their date.
    pub same: u64,
    /// Of these: there but for line ends.
    pub same_but_for_line_ends: u64,
    /// Of these: their bytes were never read, and something of their id is there.
    pub unknown: u64,
    /// How many differences of each sort.
    pub counts: BTreeMap<DifferenceIs, u64>,
    /// Items there that are not in the manifest, of a person who worked there already: their own, as far as anyone can tell.
    pub others: u64,
    /// The differences, up to a number.
    pub differences: Vec<AgainstDifference>,
    /// Why it could not be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The class of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
}

/// What was found of all of them.
#[derive(Clone, Debug, Serialize)]
pub struct AgainstReport {
    /// The check of the manifest itself.
    pub manifest: ManifestReport,
    /// The endpoint.
    pub endpoint: String,
    /// Flags were compared too.
    pub with_flags: bool,
    /// Mailbox by mailbox.
    pub mailboxes: Vec<MailboxAgainst>,
    /// Items of the manifest that are to be there.
    pub expected: u64,
    /// Of these: there, byte for byte or but for line ends, with their date.
    pub same: u64,
    /// Differences.
    pub different: u64,
    /// Items of which the manifest has no digest, and something is there under their id: whether it is theirs nobody knows.
    pub unknown: u64,
    /// Items of people who worked there already that are not in the manifest.
    pub others: u64,
    /// Mailboxes that could not be compared.
    pub failed: u64,
    /// Mailboxes of the manifest that went to the other of the target and the archive, and were not looked for here.
    pub elsewhere: u64,
}

impl AgainstReport {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        let could_not = |mailbox: &MailboxAgainst| mailbox.cause.map(exit_of);
        if let Some(first) = self.mailboxes.first().and_then(could_not)
            && self.mailboxes.iter().all(|mailbox| could_not(mailbox) == Some(first))
        {
            return first;
        }
        // Where nothing was compared nothing is known.
        let is_as_it_was = self.different == 0 && self.failed == 0 && self.unknown == 0 && self.expected > 0;
        if is_as_it_was { self.manifest.exit() } else { Exit::WithFailures }
    }
}

impl Project {
    /// Checks a manifest, and compares every item of the mailboxes chosen with what this endpoint holds. Changes nothing.
    #[expect(clippy::too_many_arguments, reason = "each is an option of the command")]
    pub async fn check_manifest_against(
        &self,
        file: &Path,
        key: Option<&str>,
        endpoint: &str,
        with_flags: bool,
        selection: &Selection,
        environment: Environment<'_>,
        stop: watch::Receiver<bool>,
    ) -> Result<AgainstReport, Error> {
        let Some(number) = self.endpoints.iter().find(|(_, (name, _))| name == endpoint).map(|(number, _)| *number)
        else {
            let names = self.endpoints.values().map(|(name, _)| name.as_str());
            let error = Error::usage(format!("there is no [endpoints.{endpoint}] in {}", crate::PROJECT_FILE));
            return Err(match crate::config::alike(endpoint, names) {
                Some(meant) => error.advise(format!("did you mean {meant:?}?")),
                None => error.advise("give the name of an endpoint of the project"),
            });
        };
        let chosen: HashSet<(String, String)> = self
            .select(selection)
            .await?
            .iter()
            .map(|row| (self.endpoint_name(row.roster.source_endpoint).to_owned(), row.roster.source_name.clone()))
            .collect();
        let is_all = *selection == Selection::default();
        let places: Vec<&str> = [Some(self.config.target()), self.config.archive()].into_iter().flatten().collect();
        let is_elsewhere =
            |went_to: &str| went_to != endpoint && [went_to, endpoint].iter().all(|at| places.contains(at));
        let before = stamp(file).map_err(|error| cannot_read_again(file, &error))?;
        // Whoever has signed with another key is to be named, also where nobody gave the right one.
        let own = if key.is_none() { self.last_key().await? } else { None };
        let mut manifest = check_manifest(file, key.or(own.as_deref()), None, None)?;
        manifest.is_key_ours = own.is_some() && manifest.is_key_known;
        let ours = (Some(self.config.code.to_string()), Some(self.config.file.project.clone()));
        if manifest.is_sound && (manifest.code.clone(), manifest.project.clone()) != ours {
            let of = |name: Option<String>| name.unwrap_or_default();
            let what = format!(
                "{} is of {}, project {}: this project can't read its mailboxes",
                file.display(),
                of(manifest.code),
                of(manifest.project)
            );
            return Err(Error::usage(what).advise("name the folder of that project with --project"));
        }
        let mut report = AgainstReport {
            manifest,
            endpoint: endpoint.to_owned(),
            with_flags,
            mailboxes: Vec::new(),
            expected: 0,
            same: 0,
            different: 0,
            unknown: 0,
            others: 0,
            failed: 0,
            elsewhere: 0,
        };
        if !report.manifest.is_sound {
            // What was altered proves nothing of what is there.
            return Ok(report);
        }
        if report.manifest.mailboxes == 0 {
            let what = format!("{} has no mailboxes: there is nothing to compare", file.display());
            return Err(Error::usage(what).advise("give a manifest of those who are to be compared"));
        }
        if report.manifest.form != "whole" {
            let what = format!("{} has no items, only their roots: there is nothing to compare", file.display());
            return Err(Error::usage(what).advise("give the whole manifest"));
        }
        let engine = Arc::new(self.engine(environment, Arc::new(Progress::default()), stop.clone(), true)?);
        let accounts = self.accounts(&engine).await?;
        let names = self.names().await?;
        let mut compared = HashSet::new();
        let opened = File::open(file).map_err(|error| cannot_read_again(file, &error))?;
        let mut sections = Sections::new(opened);
        let mut tasks = JoinSet::new();
        let mut place = 0_u64;
        let mut found: Vec<(u64, MailboxAgainst)> = Vec::new();
        loop {
            let section = sections.next_section().map_err(|error| cannot_read_again(file, &error))?;
            let Some(section) = section.filter(|_| !*stop.borrow()) else { break };
            let source = &section.who.source;
            let key = (source.endpoint.clone(), source.name.clone());
            if !is_all && !chosen.contains(&key) {
                continue;
            }
            if is_elsewhere(&section.who.target.endpoint) {
                report.elsewhere += 1;
                continue;
            }
            while tasks.len() >= self.config.file.people_at_once {
                found.extend(tasks.join_next().await.transpose().map_err(ended)?);
            }
            let side = if source.endpoint == endpoint && section.who.target.endpoint != endpoint {
                Side::Source
            } else {
                Side::Target
            };
            let account = accounts.get(&key).cloned();
            let name = names.get(&key).cloned();
            compared.insert(key);
            let work = Comparing {
                engine: engine.clone(),
                file: file.to_owned(),
                number,
                side,
                with_flags,
                stop: stop.clone(),
                section,
                result: MailboxAgainst::default_of(side),
            };
            let nth = place;
            place += 1;
            tasks.spawn(async move { (nth, work.run(account, name).await) });
        }
        while let Some(task) = tasks.join_next().await {
            found.push(task.map_err(ended)?);
        }
        if *stop.borrow() {
            return Err(stopped());
        }
        if stamp(file).map_err(|error| cannot_read_again(file, &error))? != before {
            let error = io::Error::other("it was changed while it was compared");
            return Err(cannot_read_again(file, &error));
        }
        if !is_all {
            let left = chosen.into_iter().filter(|key| !compared.contains(key));
            let mut left: Vec<(String, String)> =
                left.map(|key| (key.1.clone(), names.get(&key).cloned().unwrap_or_default())).collect();
            left.sort();
            for (source, target) in left {
                let error = Some("is not in the manifest: nothing of it was compared".to_owned());
                let (cause, advice) = (Some(Cause::Missing), Some("give a manifest that it is in"));
                let result =
                    MailboxAgainst { source, target, error, cause, advice, ..MailboxAgainst::default_of(Side::Target) };
                found.push((u64::MAX, result));
            }
        }
        found.sort_by_key(|(place, _)| *place);
        for (_, mailbox) in found {
            report.expected += mailbox.expected;
            report.same += mailbox.same + mailbox.same_but_for_line_ends;
            report.different += mailbox.counts.values().sum::<u64>();
            report.unknown += mailbox.unknown;
            report.others += mailbox.others;
            report.failed += u64::from(mailbox.error.is_some());
            report.mailboxes.push(mailbox);
        }
        let detail = json!({
            "endpoint": endpoint, "root": report.manifest.root, "key": report.manifest.key, "items": report.expected,
            "different": report.different, "failed": report.failed,
        });
        self.store.audit(self.key, &self.actor, "manifest.check", &detail).await?;
        Ok(report)
    }

    /// What each person of the roster is called at the target.
    async fn names(&self) -> Result<HashMap<(String, String), String>, Error> {
        let rows = self.select(&Selection::default()).await?;
        let name = |row: store::MailboxRow| {
            let store::RosterRow { source_endpoint, source_name, target_name, .. } = row.roster;
            ((self.endpoint_name(source_endpoint).to_owned(), source_name), target_name)
        };
        Ok(rows.into_iter().map(name).collect())
    }

    /// How each person of the roster is reached, on both sides.
    async fn accounts(&self, engine: &Engine) -> Result<HashMap<(String, String), [Account; 2]>, Error> {
        let rows = self.select(&Selection::default()).await?;
        let account = |row: store::MailboxRow| {
            let person = engine.people.get(&row.mailbox).filter(|person| person.problem.is_none())?;
            let key = (self.endpoint_name(row.roster.source_endpoint).to_owned(), row.roster.source_name);
            Some((key, [person.source.clone(), person.target.clone()]))
        };
        Ok(rows.into_iter().filter_map(account).collect())
    }
}

/// What tells a file from one that was written to or put in its place since.
fn stamp(file: &Path) -> io::Result<[i64; 7]> {
    let now = std::fs::metadata(file)?;
    let (which, size) = ([now.dev() as i64, now.ino() as i64], now.size() as i64);
    Ok([which[0], which[1], size, now.mtime(), now.mtime_nsec(), now.ctime(), now.ctime_nsec()])
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn ended(error: tokio::task::JoinError) -> Error {
    Error { exit: Exit::Internal, rule: None, what: format!("a comparison ended: {error}"), advice: None }
}

impl MailboxAgainst {
    fn default_of(side: Side) -> Self {
        Self {
            source: String::new(),
            target: String::new(),
            side,
            expected: 0,
            same: 0,
            same_but_for_line_ends: 0,
            unknown: 0,
            counts: BTreeMap::new(),
            others: 0,
            differences: Vec::new(),
            error: None,
            cause: None,
            advice: None,
        }
    }

    fn differ(&mut self, difference: AgainstDifference) {
        *self.counts.entry(difference.is).or_default() += 1;
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(difference);
        }
    }
}

/// An item of the manifest, as it is to be there.
struct Expected {
    source_folder: Vec<String>,
    source_id: ItemId,
    validity: u64,
    id: Option<ItemId>,
    sha256: Option<Digest>,
    canonical: Option<Digest>,
    received: Option<i64>,
    /// The salt, and the hash of its flags.
    flags: Option<(manifest::Hex<{ manifest::SALT_BYTES }>, manifest::Hex<{ manifest::SALT_BYTES }>)>,
}

impl Expected {
    /// An item as it is to be on this side, and in which folder; none if it is not to be there.
    fn of(item: Item, side: Side) -> Option<(Vec<String>, Self)> {
        let salt = item.salt;
        if side == Side::Source {
            if item.fate == Outcome::Leftover {
                return None;
            }
            let expected = Self {
                source_folder: Vec::new(),
                source_id: item.id.0.clone(),
                validity: item.validity,
                id: Some(item.id.0),
                sha256: item.source.sha256.map(|digest| digest.0),
                canonical: item.source.canonical(),
                received: item.received,
                flags: item.source.flags.map(|flags| (salt, flags)),
            };
            return Some((item.folder, expected));
        }
        let travelled = item.sent.as_ref().unwrap_or(&item.source);
        let is_there = is_to_be_there(&item);
        let there = item.target.filter(|_| is_there)?;
        let is_other = there.sha256.is_some();
        let expected = Self {
            source_folder: item.folder,
            source_id: item.id.0,
            validity: there.validity,
            id: there.id.map(|id| id.0),
            sha256: there.sha256.or(travelled.sha256).map(|digest| digest.0),
            canonical: travelled.canonical().filter(|_| !is_other),
            // What another tool put there has the date that it gave it.
            received: there.received.or(item.received).filter(|_| item.fate != Outcome::Adopted),
            flags: there.flags.or(item.source.flags).map(|flags| (salt, flags)),
        };
        Some((there.folder, expected))
    }
}

/// Must it be on the target? Of what was being removed nobody knows.
fn is_to_be_there(item: &Item) -> bool {
    item.fate.is_on_target() && !(item.fate == Outcome::Leftover && item.rule.as_deref() == Some(UNDER_WAY))
}

/// A mailbox being compared.
struct Comparing {
    engine: Arc<Engine>,
    file: std::path::PathBuf,
    number: i64,
    side: Side,
    with_flags: bool,
    stop: watch::Receiver<bool>,
    section: Section,
    result: MailboxAgainst,
}

/// What is known of a mailbox's items before any is compared.
#[derive(Default)]
struct Outline {
    /// How many items are to be in each folder.
    folders: BTreeMap<FolderPath, u64>,
    /// Items of the target that others wait for, altered copies of what failed, and what was being removed: they may be there,
    /// and need not.
    waited_for: HashSet<(FolderPath, ItemId)>,
}

impl Comparing {
    async fn run(mut self, account: Option<[Account; 2]>, name: Option<String>) -> MailboxAgainst {
        let who = &self.section.who;
        (self.result.source, self.result.target) = (who.source.name.clone(), who.target.name.clone());
        let Some([source, target]) = account else {
            self.result.error =
                Some("is in no row of people.csv that can be used, so nobody can log in for it".to_owned());
            self.result.cause = Some(Cause::Missing);
            self.result.advice = Some("add the row that it moved by");
            return self.result;
        };
        let account = if self.side == Side::Source { source } else { target };
        if let Some(now) = name.filter(|now| self.side == Side::Target && *now != self.result.target) {
            let what =
                format!("is {now} at the target in people.csv, and was {} when it was signed", self.result.target);
            self.result.error = Some(what);
            self.result.cause = Some(Cause::Missing);
            self.result.advice = Some("compare it in a project whose people.csv has the name that it was signed with");
            return self.result;
        }
        if let Err(failure) = self.compare(&account).await {
            self.result.advice = Some(failure.error.cause.advice());
            self.result.cause = Some(failure.error.cause);
            self.result.error = Some(failure.to_string());
        }
        self.result
    }

    async fn compare(&mut self, account: &Account) -> Result<(), Failure> {
        let mut there = self.engine.afresh(self.number, account, self.side).await?;
        let outline = self.outline()?;
        let mut folders: BTreeMap<FolderPath, u64> = there.folders().await?.into_iter().collect();
        for (path, count) in &outline.folders {
            if !folders.contains_key(path) && !there.has(path).await? {
                self.all_missing(path)?;
                continue;
            }
            let known = folders.entry(path.clone()).or_default();
            *known = (*known).max(*count);
        }
        let (mut group, mut items) = (Vec::new(), 0);
        for (path, count) in folders {
            items += count;
            group.push(path);
            if items >= GROUP_ITEMS || group.len() >= GROUP_FOLDERS {
                self.compare_group(&mut there, std::mem::take(&mut group), &outline).await?;
                items = 0;
            }
        }
        self.compare_group(&mut there, group, &outline).await?;
        there.close().await;
        Ok(())
    }

    fn outline(&self) -> Result<Outline, Failure> {
        let mut outline = Outline::default();
        let side = self.side;
        self.each(|item| {
            if side == Side::Target
                && !is_to_be_there(&item)
                && let Some(there) = &item.target
                && let Some(id) = &there.id
            {
                outline.waited_for.insert((FolderPath::new(&there.folder), id.0.clone()));
            }
            if let Some((folder, _)) = Expected::of(item, side) {
                *outline.folders.entry(FolderPath::new(folder)).or_default() += 1;
                if outline.folders.len() > FOLDERS_MAX {
                    return Err(io::Error::other("the mailbox has more folders than any mailbox has"));
                }
            }
            Ok(())
        })?;
        Ok(outline)
    }

    /// Shows each item of the mailbox.
    fn each(&self, each: impl FnMut(Item) -> io::Result<()>) -> Result<(), Failure> {
        let opened = File::open(&self.file);
        let shown = opened.and_then(|file| self.section.items(file, each));
        shown.map_err(|error| {
            let what = format!("the manifest can't be read again: {error}");
            let error = connector::Error::new(Cause::LocalFile, model::Scope::Mailbox, what);
            Failure { side: None, error }
        })
    }

    /// The items of the manifest that are to be in these folders.
    fn expected(&self, folders: &[FolderPath]) -> Result<Vec<Vec<Expected>>, Failure> {
        let places: HashMap<&[String], usize> =
            folders.iter().enumerate().map(|(place, path)| (path.names(), place)).collect();
        let mut all: Vec<Vec<Expected>> = folders.iter().map(|_| Vec::new()).collect();
        let side = self.side;
        self.each(|item| {
            if let Some((folder, expected)) = Expected::of(item, side)
                && let Some(place) = places.get(FolderPath::new(folder).names())
            {
                all[*place].push(expected);
            }
            Ok(())
        })?;
        Ok(all)
    }

    fn all_missing(&mut self, path: &FolderPath) -> Result<(), Failure> {
        let all = self.expected(std::slice::from_ref(path))?;
        for expected in all.into_iter().flatten() {
            self.result.expected += 1;
            self.missing(path, &expected, ": the folder is not there");
        }
        Ok(())
    }

    async fn compare_group(
        &mut self,
        there: &mut Afresh,
        group: Vec<FolderPath>,
        outline: &Outline,
    ) -> Result<(), Failure> {
        if group.is_empty() {
            return Ok(());
        }
        if *self.stop.borrow() {
            let error = connector::Error::new(Cause::Stopped, model::Scope::Run, "stopped on request");
            return Err(Failure { side: None, error });
        }
        let found = there.read(group.clone()).await?;
        let expected = self.expected(&group)?;
        for ((path, expected), found) in group.iter().zip(expected).zip(found) {
            self.compare_folder(path, expected, found, outline);
        }
        Ok(())
    }

    fn compare_folder(&mut self, path: &FolderPath, expected: Vec<Expected>, found: FolderNow, outline: &Outline) {
        self.result.expected += expected.len() as u64;
        let FolderNow { validity, mut items, unreadable, .. } = found;
        items.sort_by(|one, other| one.id.cmp(&other.id));
        let mut pairing = Pairing::new(expected, items);
        // The same in everything first, so that the closest are paired.
        let same = pairing.pair(|it| Some((it.sha256?, it.received)), |now| Some((now.exact, now.received)));
        let but_for_ends =
            pairing.pair(|it| Some((it.canonical?, it.received)), |now| Some((now.canonical, now.received)));
        let adopted = pairing.pair(|it| it.sha256.filter(|_| it.received.is_none()), |now| Some(now.exact));
        let adopted_but_for_ends =
            pairing.pair(|it| it.canonical.filter(|_| it.received.is_none()), |now| Some(now.canonical));
        let other_date = pairing.pair(|it| it.sha256, |now| Some(now.exact));
        let other_date_and_ends = pairing.pair(|it| it.canonical, |now| Some(now.canonical));
        self.result.same += (same.len() + adopted.len()) as u64;
        self.result.same_but_for_line_ends += (but_for_ends.len() + adopted_but_for_ends.len()) as u64;
        for (it, now) in same.iter().chain(&but_for_ends).chain(&adopted).chain(&adopted_but_for_ends) {
            self.compare_flags(path, it, now);
        }
        for (it, now) in other_date.iter().chain(&other_date_and_ends) {
            let time = |received: Option<i64>| received.map_or("none".to_owned(), |seconds| seconds.to_string());
            let what = format!("has date {} in the manifest and {} there", time(it.received), time(now.received));
            self.differ(DifferenceIs::ChangedDate, path, Some(it), Some(now), &what);
        }
        // What has its id and other bytes is the same item, changed.
        let by_id = pairing.by_id(validity);
        for (it, now) in &by_id {
            match it.sha256 {
                Some(_) => self.differ(DifferenceIs::Changed, path, Some(it), Some(now), "has other bytes there"),
                None => self.result.unknown += 1,
            }
        }
        let (left, mut extra) = pairing.left();
        let unread: HashSet<&ItemId> = unreadable.iter().collect();
        for it in &left {
            let is_listed = it.validity == validity && it.id.as_ref().is_some_and(|id| unread.contains(id));
            match (is_listed, it.sha256) {
                (true, Some(_)) => self.differ(DifferenceIs::Unreadable, path, Some(it), None, "can't be read there"),
                (true, None) => self.result.unknown += 1,
                (false, _) => self.missing(path, it, ""),
            }
        }
        let before = extra.len();
        extra.retain(|now| !outline.waited_for.contains(&(path.clone(), now.id.clone())));
        self.result.others += (before - extra.len()) as u64;
        if self.side == Side::Target && self.section.who.in_use {
            self.result.others += extra.len() as u64;
            return;
        }
        for now in &extra {
            self.differ(DifferenceIs::Extra, path, None, Some(now), "is there and not in the manifest");
        }
    }

    fn compare_flags(&mut self, path: &FolderPath, it: &Expected, now: &ItemNow) {
        let Some((salt, flags)) = it.flags.filter(|_| self.with_flags) else { return };
        if flags_hash(&salt, &flags_text(&now.flags)) != flags {
            let what = format!("has the flags ({}) there, and had others", now.flags);
            self.differ(DifferenceIs::ChangedFlags, path, Some(it), Some(now), &what);
        }
    }

    fn missing(&mut self, path: &FolderPath, it: &Expected, why: &str) {
        self.differ(DifferenceIs::Missing, path, Some(it), None, &format!("is not there{why}"));
    }

    fn differ(
        &mut self,
        is: DifferenceIs,
        path: &FolderPath,
        it: Option<&Expected>,
        now: Option<&ItemNow>,
        what: &str,
    ) {
        let id = now.map(|now| &now.id).or_else(|| it.and_then(|it| it.id.as_ref())).map(ToString::to_string);
        let is_elsewhere = |it: &&Expected| !it.source_folder.is_empty();
        let source_folder = it.filter(is_elsewhere).map(|it| FolderPath::new(&it.source_folder).to_string());
        let source_item = it.map(|it| it.source_id.to_string());
        let whose = match (&source_item, &source_folder, &id) {
            (Some(source), Some(folder), Some(id)) => format!("item {source} of {folder} (there: item {id})"),
            (Some(source), Some(folder), None) => format!("item {source} of {folder}"),
            (Some(source), None, _) => format!("item {source}"),
            (None, _, id) => format!("item {}", id.as_deref().unwrap_or("?")),
        };
        let difference = AgainstDifference {
            is,
            folder: path.to_string(),
            source_folder,
            source_item,
            item: id,
            expected: it.and_then(|it| it.sha256).map(|digest| digest.to_string()),
            found: now.map(|now| now.exact.to_string()),
            what: format!("{whose} {what}"),
        };
        self.result.differ(difference);
    }
}

/// Items of the manifest and items there, paired as multisets, each once.
struct Pairing {
    expected: Vec<Option<Expected>>,
    now: Vec<Option<ItemNow>>,
}

type Pairs = Vec<(Expected, ItemNow)>;

impl Pairing {
    fn new(expected: Vec<Expected>, now: Vec<ItemNow>) -> Self {
        Self { expected: expected.into_iter().map(Some).collect(), now: now.into_iter().map(Some).collect() }
    }

    /// Pairs those with the same key, in their order. Items without one are passed over.
    fn pair<K: Eq + std::hash::Hash>(
        &mut self,
        of_expected: impl Fn(&Expected) -> Option<K>,
        of_now: impl Fn(&ItemNow) -> Option<K>,
    ) -> Pairs {
        let mut by_key: HashMap<K, VecDeque<usize>> = HashMap::new();
        for (place, now) in self.now.iter().enumerate() {
            if let Some(key) = now.as_ref().and_then(&of_now) {
                by_key.entry(key).or_default().push_back(place);
            }
        }
        let mut pairs = Vec::new();
        for slot in &mut self.expected {
            let place = slot.as_ref().and_then(&of_expected).and_then(|key| by_key.get_mut(&key)?.pop_front());
            if let Some(place) = place {
                pairs.extend(slot.take().zip(self.now[place].take()));
            }
        }
        pairs
    }

    /// Pairs those with the same id, where it is meant under this validity.
    fn by_id(&mut self, validity: u64) -> Pairs {
        let id = |it: &Expected| it.id.clone().filter(|_| it.validity == validity);
        self.pair(id, |now| Some(now.id.clone()))
    }

    fn left(self) -> (Vec<Expected>, Vec<ItemNow>) {
        (self.expected.into_iter().flatten().collect(), self.now.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests;
