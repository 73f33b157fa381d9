//! `sharing inject`: what is signed is given on the platform, besides what is there. Nothing is taken away, and what was given is
//! read back.
//!
//! Adding twice is the same as adding once, so an end at any moment needs no cure but another run. What is about to be given is
//! in the audit log before it is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use connector::{Account, Connector, Door, NewRight};
use model::{Actor, FolderPath, Letters};
use people::Accounts;
use people::sharing::{Row, RowState, Way};
use report::{Cell, Column, Document, Kind, Sentence, Table, Weight};
use serde::Serialize;
use serde_json::json;
use store::{ProjectKey, Store};
use tokio::sync::watch;

use super::super::Opened;
use super::super::apply::Held;
use super::list::SharingLine;
use super::mail::{self, Became};
use super::{Basis, Rows, SharingDiscoverReport, SharingProject, SignoffState, directory};
use crate::secret::Environment;
use crate::usecase::each::each;
use crate::usecase::governed::Gates;
use crate::{Error, Exit};

/// A right with what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct InjectLine {
    /// The right.
    #[serde(flatten)]
    pub line: SharingLine,
    /// `given`, `was-there`, `waits`, `by-hand`, `failed`, `unsigned`, `removed` or `listed`.
    pub outcome: &'static str,
    /// Why, where it was not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// Letters that the target's mail server can't tell: these are not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
}

/// What was given, or would be.
#[derive(Clone, Debug, Serialize)]
pub struct SharingInjectReport {
    /// Nothing was given.
    pub dry_run: bool,
    /// Rights added, each folder counted.
    pub added: usize,
    /// Mailboxes of the source that could not be read again: which, why. What was last read of them counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_read_again: Vec<(String, String)>,
    /// How many rows came to what.
    pub outcomes: BTreeMap<&'static str, usize>,
    /// Every row.
    pub rights: Vec<InjectLine>,
}

impl SharingInjectReport {
    /// The exit code: what waits or is to be done by hand is work for somebody.
    pub fn exit(&self) -> Exit {
        let is_left = |outcome: &&'static str| matches!(*outcome, "waits" | "by-hand" | "failed" | "unsigned");
        if self.outcomes.keys().any(is_left) { Exit::WithFailures } else { Exit::Done }
    }

    /// The report as a document.
    pub fn document(&self) -> Document {
        let outcomes: Vec<String> = self.outcomes.iter().map(|(what, count)| format!("{count} {what}")).collect();
        let outcomes = if outcomes.is_empty() { "none".to_owned() } else { outcomes.join(", ") };
        let weight = if self.exit() == Exit::Done { Weight::Well } else { Weight::Attention };
        let would = if self.dry_run { " would be" } else { "" };
        let text = format!("Rows: {outcomes}. Rights added{would}, folder by folder: {}.", self.added);
        let row = |line: &InjectLine| {
            let text = |text: &str| Cell::Text(text.to_owned());
            let cell = |text: Option<&str>| text.map_or(Cell::Empty, |text| Cell::Text(text.to_owned()));
            let right = &line.line;
            vec![
                text(&right.mailbox),
                cell(right.folder.as_deref()),
                text(&right.grantee),
                text(&right.right),
                text(line.outcome),
                cell(line.said.as_deref()),
                cell(line.lost.as_deref()),
                cell(right.mailbox_there.as_deref()),
                cell(right.grantee_there.as_deref()),
                text(&right.origin),
                text(&right.id),
            ]
        };
        let table = Table {
            name: "rights",
            title: "What became of each right".to_owned(),
            columns: vec![
                Column::new("mailbox", Kind::Text),
                Column::if_any("folder", Kind::Text),
                Column::new("grantee", Kind::Text),
                Column::new("right", Kind::Text),
                Column::new("outcome", Kind::Text),
                Column::if_any("why", Kind::Prose),
                Column::if_any("lost", Kind::Text),
                Column::if_any("mailbox there", Kind::Text),
                Column::if_any("grantee there", Kind::Text),
                Column::new("origin", Kind::Text),
                Column::new("id", Kind::Text),
            ],
            rows: self.rights.iter().map(row).collect(),
            total: None,
            empty: "no right was found",
        };
        let mut sentences = vec![Sentence { weight, text }];
        if !self.not_read_again.is_empty() {
            let text = format!(
                "{} mailboxes of the source could not be read again: what was last read of them counts.",
                self.not_read_again.len()
            );
            sentences.push(Sentence { weight: Weight::Attention, text });
        }
        Document {
            title: "Rights given on the platform".to_owned(),
            sentences,
            tables: vec![table],
            main: "rights",
            ..Document::default()
        }
    }
}

/// What is to be given, by where.
#[derive(Default)]
pub(super) struct Work {
    /// By the party whose mailbox it is.
    pub mail: BTreeMap<usize, Vec<mail::Need>>,
    /// By the key of the entry.
    pub directory: BTreeMap<String, Vec<directory::Need>>,
    /// To be done by hand.
    pub by_hand: Vec<(usize, String)>,
}

impl SharingProject {
    /// Gives what is signed and not there. A dry run says what it would give.
    ///
    /// The rights of the source are read again first: what changed there since it was signed is not given. A mailbox that can't
    /// be read any more, since its server is gone, say, is as it was last read.
    pub async fn inject(
        &mut self,
        dry_run: bool,
        environment: Environment<'_>,
        stop: watch::Receiver<bool>,
    ) -> Result<SharingInjectReport, Error> {
        self.people.may_change()?;
        self.open_platform(environment)?;
        // Somebody may have lost a right at the source since the list was signed.
        let mut now = SharingDiscoverReport::of(dry_run);
        let fresh = self.read_servers(dry_run, environment, stop.clone(), &mut now).await?;
        let basis = self.basis(&fresh).await?;
        let rows = self.rows(&basis);
        let ready = || rows.rows.iter().filter(|row| row.state == RowState::Ready);
        let is_signed = |row: &&Row| basis.signed(row) == SignoffState::Signed;
        if ready().next().is_some() && !ready().any(|row| is_signed(&row)) {
            return Err(Error::refused("R-204", "the list of rights is not signed off, or all of it changed since")
                .advise("have the owners look at it (sharing list), then: sharing signoff --by NAME --evidence FILE"));
        }
        let work = self.work(&rows, is_signed);
        let given = if dry_run {
            Box::pin(self.give(&basis, &rows, &work, None, environment, &stop)).await
        } else {
            let gates = Box::new(Gates::of(&self.people.config));
            if let Some(against) = Box::pin(gates.against_update(&self.people.store, self.people.key)).await? {
                return Err(against);
            }
            let (lease, door) = (self.people.hold().await?, Arc::new(Held::new()));
            let give = Box::pin(self.give(&basis, &rows, &work, Some(&door), environment, &stop));
            let given = self.people.while_open(&lease, &door, give).await;
            self.people.leave(&lease, given).await
        };
        Ok(SharingInjectReport { not_read_again: now.failed, ..given? })
    }

    /// Where each row that is ready and chosen is to be given.
    pub(super) fn work(&self, rows: &Rows<'_>, chosen: impl Fn(&&Row) -> bool) -> Work {
        let takes = self.takes();
        let mut work = Work::default();
        for (number, row) in rows.rows.iter().enumerate() {
            if row.state != RowState::Ready || !chosen(&row) {
                continue;
            }
            let there = |party: Option<usize>| party.and_then(|party| rows.parties.all()[party].there.as_ref().ok());
            match row.way(&rows.parties, takes) {
                Way::ByHand(why) => work.by_hand.push((number, why.to_owned())),
                Way::Folder(folder, letters) => {
                    let account = there(row.grantee).and_then(|there| there.mailbox.clone());
                    if let (Some(mailbox), Some(account)) = (row.mailbox, account) {
                        let folder = folder.map(FolderPath::new);
                        work.mail.entry(mailbox).or_default().push(mail::Need {
                            row: number,
                            folder,
                            letters,
                            account,
                        });
                    }
                }
                Way::Directory(right) => {
                    let entry = there(row.mailbox).and_then(|there| there.account.clone());
                    let grantee = there(row.grantee).and_then(|there| there.account.clone());
                    if let (Some(entry), Some(grantee)) = (entry, grantee) {
                        work.directory.entry(entry).or_default().push(directory::Need { row: number, right, grantee });
                    }
                }
            }
        }
        work
    }

    /// Gives what is missing, through this door; without one it says what would be given.
    async fn give(
        &self,
        basis: &Basis,
        rows: &Rows<'_>,
        work: &Work,
        door: Option<&Arc<Held>>,
        environment: Environment<'_>,
        stop: &watch::Receiver<bool>,
    ) -> Result<SharingInjectReport, Error> {
        let mut became: HashMap<usize, Became> =
            work.by_hand.iter().map(|(row, why)| (*row, Became::ByHand(why.clone()))).collect();
        let mut lost: HashMap<usize, Letters> = HashMap::new();
        let mut added = 0;
        let target = self.connector(self.project.config.target(), environment)?;
        let names = self.names(rows, work, &target, environment).await;
        let mut mailboxes = Vec::new();
        for (mailbox, needs) in &work.mail {
            let needs: Vec<mail::Need> = needs.iter().cloned().map(|need| as_named(need, &names)).collect();
            match self.accounts(&rows.parties.all()[*mailbox], environment) {
                Ok((_, account, number)) => {
                    let folders = self.folders(number).await?;
                    mailboxes.push(Mailbox { account, folders, needs });
                }
                Err(error) => Given::failed(&needs, &error).join(&mut became, &mut lost, &mut added),
            }
        }
        let giving = Arc::new(Giving {
            target,
            door: door.cloned(),
            store: self.project.store.clone(),
            key: self.project.key,
            actor: self.project.actor.clone(),
        });
        let give = |mailbox| {
            let giving = giving.clone();
            async move { giving.mailbox(mailbox).await }
        };
        for given in each(self.project.config.file.people_at_once, mailboxes, stop, give).await? {
            given?.join(&mut became, &mut lost, &mut added);
        }
        if !work.directory.is_empty() {
            added += self.give_directory(basis, rows, work, door, &mut became).await?;
        }
        let report = self.inject_report(basis, rows, door.is_none(), added, &became, &lost);
        if door.is_some() {
            let detail = json!({ "added": report.added, "outcomes": report.outcomes });
            self.project.store.audit(self.project.key, &self.project.actor, "sharing.injected", &detail).await?;
        }
        Ok(report)
    }

    /// What the target calls those whose names have capital letters: a login may take a name in either case where a right does
    /// not, and would then be nobody's.
    async fn names(
        &self,
        rows: &Rows<'_>,
        work: &Work,
        target: &Arc<dyn Connector>,
        environment: Environment<'_>,
    ) -> HashMap<String, String> {
        let mut names = HashMap::new();
        for need in work.mail.values().flatten() {
            let is_plain = !need.account.chars().any(char::is_uppercase);
            if is_plain || names.contains_key(&need.account) {
                continue;
            }
            let Some(party) = rows.rows[need.row].grantee.map(|party| &rows.parties.all()[party]) else { continue };
            let Ok((_, account, _)) = self.accounts(party, environment) else { continue };
            // Who can't be asked is named as people.csv or the directory has it; the mailbox may not be there yet.
            if let Ok(Some((read, _))) = mail::read(target.clone(), account).await
                && let Some(owner) = read.owner
            {
                names.insert(need.account.clone(), owner);
            }
        }
        names
    }

    async fn give_directory(
        &self,
        basis: &Basis,
        rows: &Rows<'_>,
        work: &Work,
        door: Option<&Arc<Held>>,
        became: &mut HashMap<usize, Became>,
    ) -> Result<usize, Error> {
        let Some((_, Opened::Written(target))) = &self.people.platform else {
            for need in work.directory.values().flatten() {
                let why = "the platform's directory is not written".to_owned();
                mail::worse(became, need.row, Became::ByHand(why));
            }
            return Ok(0);
        };
        let objects = super::platform_objects(&basis.known);
        let accounts = Accounts::of(&objects);
        if door.is_some() {
            let rights: Vec<_> = work
                .directory
                .iter()
                .flat_map(|(entry, needs)| needs.iter().map(move |need| (entry, need)))
                .map(|(entry, need)| (entry, &need.grantee, people::sharing::right_text(&rows.rows[need.row].right)))
                .collect();
            let detail = json!({ "directory": self.people.entry.platform, "rights": rights });
            self.project.store.audit(self.project.key, &self.project.actor, "sharing.giving", &detail).await?;
        }
        let door = door.map(|door| door.as_ref() as &dyn Door);
        let given = directory::give(target.as_ref(), &work.directory, &accounts, door, became).await;
        given.map_err(|error| failed(&error))
    }

    fn inject_report(
        &self,
        basis: &Basis,
        rows: &Rows<'_>,
        dry_run: bool,
        added: usize,
        became: &HashMap<usize, Became>,
        lost: &HashMap<usize, Letters>,
    ) -> SharingInjectReport {
        let mut outcomes: BTreeMap<&'static str, usize> = BTreeMap::new();
        let line = |(number, row): (usize, &Row)| {
            let (outcome, said) = match (&row.state, became.get(&number)) {
                (RowState::Waits(why), _) => ("waits", Some(why.clone())),
                (RowState::Listed(why), _) => ("listed", Some(why.clone())),
                (RowState::Removed, _) => ("removed", None),
                (RowState::Ready, Some(Became::Given)) => ("given", None),
                (RowState::Ready, Some(Became::WasThere)) => ("was-there", None),
                (RowState::Ready, Some(Became::Waits(why))) => ("waits", Some(why.clone())),
                (RowState::Ready, Some(Became::ByHand(why))) => ("by-hand", Some(why.clone())),
                (RowState::Ready, Some(Became::Failed(why))) => ("failed", Some(why.clone())),
                (RowState::Ready, None) => {
                    let why = match basis.signed(row) {
                        SignoffState::Changed => "it changed since it was signed off",
                        _ => "it is not signed off",
                    };
                    ("unsigned", Some(why.to_owned()))
                }
            };
            *outcomes.entry(outcome).or_default() += 1;
            let lost = lost.get(&number).map(ToString::to_string);
            InjectLine { line: self.line(basis, rows, row), outcome, said, lost }
        };
        let rights: Vec<InjectLine> = rows.rows.iter().enumerate().map(line).collect();
        SharingInjectReport { dry_run, added, not_read_again: Vec::new(), outcomes, rights }
    }

    /// Where the folders of a mailbox went, by their paths at the source.
    pub(super) async fn folders(&self, mailbox: Option<i64>) -> Result<HashMap<FolderPath, FolderPath>, Error> {
        let Some(mailbox) = mailbox else { return Ok(HashMap::new()) };
        let folders = self.project.store.folders(self.project.key, mailbox).await?;
        let there = folders.into_iter().filter(|folder| !folder.is_gone());
        Ok(there.map(|folder| (folder.path, folder.target_path)).collect())
    }
}

/// A mailbox of the target, and what it needs.
struct Mailbox {
    account: Account,
    /// Where the source's folders went.
    folders: HashMap<FolderPath, FolderPath>,
    needs: Vec<mail::Need>,
}

/// What became of the rows of a mailbox.
#[derive(Default)]
struct Given {
    became: HashMap<usize, Became>,
    /// Letters that the target's mail server can't tell, by row.
    lost: Vec<(usize, Letters)>,
    added: usize,
}

impl Given {
    /// Nothing of this could be tried.
    fn failed(needs: &[mail::Need], error: &connector::Error) -> Self {
        let became = needs.iter().map(|need| (need.row, Became::Failed(error.to_string()))).collect();
        Self { became, ..Self::default() }
    }

    fn join(self, became: &mut HashMap<usize, Became>, lost: &mut HashMap<usize, Letters>, added: &mut usize) {
        for (row, one) in self.became {
            mail::worse(became, row, one);
        }
        lost.extend(self.lost);
        *added += self.added;
    }
}

/// Gives rights in mailboxes of the target, several at a time: one does not depend on another.
struct Giving {
    target: Arc<dyn Connector>,
    /// None: nothing is given, and what would be is said.
    door: Option<Arc<Held>>,
    store: Store,
    key: ProjectKey,
    actor: Actor,
}

impl Giving {
    /// Gives what is missing in one mailbox. An error ends the run; what only this mailbox can't be given is said of its rows.
    async fn mailbox(&self, mailbox: Mailbox) -> Result<Given, Error> {
        match self.give(&mailbox).await {
            Ok(given) => Ok(given),
            Err(Stop::Here(error)) => Err(error),
            Err(Stop::Mailbox(error)) => Ok(Given::failed(&mailbox.needs, &error)),
        }
    }

    async fn give(&self, mailbox: &Mailbox) -> Result<Given, Stop> {
        let Mailbox { account, folders, needs } = mailbox;
        let mut given = Given::default();
        let door = self.door.clone().map(|door| door as Arc<dyn Door>);
        let Some(mut opened) = self.target.rights(account, door).await? else {
            let why = || Became::ByHand("the platform's mail server keeps no rights of folders".to_owned());
            given.became = needs.iter().map(|need| (need.row, why())).collect();
            return Ok(given);
        };
        let read = opened.rights().await?;
        let needed = mail::needed(needs, folders, &read, opened.letters());
        given.lost = needed.lost;
        for (row, one) in needed.not_tried {
            mail::worse(&mut given.became, row, one);
        }
        let held = mail::held(&read);
        let is_there = |right: &NewRight| {
            let key = (right.folder.clone(), right.account.to_lowercase());
            held.get(&key).is_some_and(|held| held.has(right.letters))
        };
        let (there, missing): (Vec<_>, Vec<_>) = needed.rights.into_iter().partition(|(_, right)| is_there(right));
        for (row, _) in &there {
            mail::worse(&mut given.became, *row, Became::WasThere);
        }
        if self.door.is_none() {
            let of_one = |(_, right): &(usize, NewRight)| (right.folder.clone(), right.account.to_lowercase());
            given.added = missing.iter().map(of_one).collect::<BTreeSet<_>>().len();
            for (row, _) in &missing {
                mail::worse(&mut given.became, *row, Became::Given);
            }
        } else if !missing.is_empty() {
            let rights: Vec<_> = missing
                .iter()
                .map(|(_, right)| (right.folder.to_string(), &right.account, right.letters.to_string()))
                .collect();
            let detail = json!({ "mailbox": account.name, "rights": rights });
            self.store.audit(self.key, &self.actor, "sharing.giving", &detail).await?;
            let (all, count) = mail::give(opened.as_mut(), &missing).await?;
            given.added = count;
            for (row, one) in all {
                mail::worse(&mut given.became, row, one);
            }
        }
        opened.close().await;
        Ok(given)
    }
}

fn as_named(mut need: mail::Need, names: &HashMap<String, String>) -> mail::Need {
    if let Some(name) = names.get(&need.account) {
        need.account.clone_from(name);
    }
    need
}

/// Why a mailbox was not gone on with.
enum Stop {
    /// The run ends.
    Here(Error),
    /// Only this mailbox.
    Mailbox(connector::Error),
}

impl From<connector::Error> for Stop {
    fn from(error: connector::Error) -> Self {
        match error.cause {
            model::Cause::LeaseLapsed | model::Cause::Internal => Self::Here(failed(&error)),
            _ => Self::Mailbox(error),
        }
    }
}

impl From<store::Error> for Stop {
    fn from(error: store::Error) -> Self {
        Self::Here(error.into())
    }
}

fn failed(error: &connector::Error) -> Error {
    let exit = crate::error::exit_of(error.cause);
    let advice = "run sharing inject again: what is there is looked at first, and nothing is given twice";
    Error { exit, rule: None, what: error.to_string(), advice: Some(advice.to_owned()) }
}
