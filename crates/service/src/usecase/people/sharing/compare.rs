//! `sharing compare`: the matrix of the source, as it is to be on the platform, beside what the platform shows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use connector::{Account, Holder, RightsRead};
use model::{FolderPath, Letters, Right};
use people::Accounts;
use people::sharing::{Cell as MatrixCell, Gap, Matrix, RowState, What};
use report::{Cell, Column, Document, Kind, Sentence, Table, Weight};
use serde::Serialize;
use tokio::sync::watch;

use super::super::Opened;
use super::inject::Work;
use super::{Basis, Fresh, Rows, SharingProject, mail};
use crate::secret::Environment;
use crate::usecase::each::each;
use crate::{Error, Exit};

/// A cell in which the two differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GapLine {
    /// The mailbox, by its name on the platform.
    pub mailbox: String,
    /// The folder; none: the whole mailbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Who, by their name there.
    pub grantee: String,
    /// The right that only one of the two has.
    pub right: String,
}

/// How the two matrices compare.
#[derive(Clone, Debug, Serialize)]
pub struct SharingCompareReport {
    /// They are the same.
    pub equal: bool,
    /// Cells of the source's matrix: mailbox, grantee, folder or right.
    pub cells: usize,
    /// What the source has and the platform has not.
    pub missing: Vec<GapLine>,
    /// What the platform has and the source has not: it stays.
    pub more: Vec<GapLine>,
    /// Rights that the platform's mail server can't tell, and so are in neither matrix.
    pub lost: Vec<GapLine>,
    /// Rows that are in neither matrix, by why.
    pub outside: BTreeMap<&'static str, usize>,
    /// Mailboxes whose rights could not be read: which, why.
    pub failed: Vec<(String, String)>,
}

impl SharingCompareReport {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        if self.equal && self.failed.is_empty() { Exit::Done } else { Exit::WithFailures }
    }

    /// The report as a document.
    pub fn document(&self) -> Document {
        let mut sentences = Vec::new();
        let mut say = |weight, text| sentences.push(Sentence { weight, text });
        if self.equal {
            say(Weight::Well, format!("Both are the same: {} rights of mailbox, grantee and folder.", self.cells));
        } else {
            let (missing, more) = (self.missing.len(), self.more.len());
            let weight = if missing > 0 { Weight::Alert } else { Weight::Attention };
            say(weight, format!("Of {} rights {missing} are missing; {more} are only on the platform.", self.cells));
        }
        if !self.failed.is_empty() {
            say(Weight::Alert, format!("{} mailboxes could not be read.", self.failed.len()));
        }
        let outside: Vec<String> = self.outside.iter().map(|(why, count)| format!("{count} {why}")).collect();
        if !outside.is_empty() {
            say(Weight::Attention, format!("In neither: {}. sharing list shows them.", outside.join(", ")));
        }
        let all = [("missing", &self.missing), ("more", &self.more), ("lost", &self.lost)];
        let row = |(which, line): (&str, &GapLine)| {
            let text = |text: &str| Cell::Text(text.to_owned());
            let folder = line.folder.as_deref().map_or(Cell::Empty, text);
            vec![text(which), text(&line.mailbox), folder, text(&line.grantee), text(&line.right)]
        };
        let failed = self.failed.iter().map(|(mailbox, why)| {
            let text = |text: &str| Cell::Text(text.to_owned());
            vec![text("failed"), text(mailbox), Cell::Empty, Cell::Empty, text(why)]
        });
        let table = Table {
            name: "differences",
            title: "Where they differ".to_owned(),
            columns: vec![
                Column::new("which", Kind::Text),
                Column::new("mailbox", Kind::Text),
                Column::if_any("folder", Kind::Text),
                Column::if_any("grantee", Kind::Text),
                Column::new("right", Kind::Text),
            ],
            rows: all
                .iter()
                .flat_map(|(which, lines)| lines.iter().map(move |line| row((*which, line))))
                .chain(failed)
                .collect(),
            total: None,
            empty: "they differ nowhere",
        };
        Document {
            title: "Rights before and after".to_owned(),
            sentences,
            tables: vec![table],
            main: "differences",
            ..Document::default()
        }
    }
}

/// Both matrices as they are filled.
#[derive(Default)]
struct Both {
    before: Matrix,
    after: Matrix,
    lost: Vec<GapLine>,
    failed: Vec<(String, String)>,
}

impl SharingProject {
    /// Reads the rights of the platform and compares them with those of the source. Changes nothing.
    pub async fn compare(
        &mut self,
        environment: Environment<'_>,
        stop: watch::Receiver<bool>,
    ) -> Result<SharingCompareReport, Error> {
        self.open_platform(environment)?;
        let basis = self.basis(&Fresh::new()).await?;
        let rows = self.rows(&basis);
        let mut outside: BTreeMap<&'static str, usize> = BTreeMap::new();
        for row in rows.rows.iter().filter(|row| row.state != RowState::Ready) {
            *outside.entry(row.state.name()).or_default() += 1;
        }
        let mut work = self.work(&rows, |_| true);
        if !work.by_hand.is_empty() {
            outside.insert("by-hand", work.by_hand.len());
        }
        let mut both = Both::default();
        self.compare_mail(&rows, &mut work, environment, stop, &mut both).await?;
        self.compare_directory(&basis, &rows, &work, &mut both).await?;
        let (missing, more) = (both.before.beyond(&both.after), both.after.beyond(&both.before));
        let report = SharingCompareReport {
            equal: missing.is_empty() && more.is_empty() && both.failed.is_empty(),
            cells: both.before.len(),
            missing: missing.iter().map(gap_line).collect(),
            more: more.iter().map(gap_line).collect(),
            lost: both.lost,
            outside,
            failed: both.failed,
        };
        self.keep_compared(&rows, &report).await?;
        Ok(report)
    }

    /// Records for each mailbox how many rights of it and of its person are not there or not known to be: what a switch asks.
    async fn keep_compared(&self, rows: &Rows<'_>, report: &SharingCompareReport) -> Result<(), Error> {
        if !self.project.actor.role.may_migrate() {
            return Ok(());
        }
        let mut missing: HashMap<String, u64> = HashMap::new();
        let mut count = |name: &str| *missing.entry(name.to_lowercase()).or_default() += 1;
        for line in &report.missing {
            count(&line.mailbox);
            count(&line.grantee);
        }
        for (name, _) in &report.failed {
            count(name.split(": ").next().unwrap_or(name));
        }
        for row in rows.rows.iter().filter(|row| matches!(row.state, RowState::Waits(_))) {
            for name in [row.mailbox, row.grantee].into_iter().filter_map(|party| rows.there(party)) {
                count(&name);
            }
        }
        let found: Vec<(i64, u64)> = self
            .project
            .store
            .mailboxes(self.project.key)
            .await?
            .iter()
            .filter(|row| row.listed)
            .map(|row| (row.mailbox, missing.get(&row.roster.target_name.to_lowercase()).copied().unwrap_or_default()))
            .collect();
        Ok(self.project.store.record_sharing_compared(self.project.key, &found).await?)
    }

    /// Every mailbox that is on the platform's mail server: those without a right at the source may have one there.
    async fn compare_mail(
        &self,
        rows: &Rows<'_>,
        work: &mut Work,
        environment: Environment<'_>,
        stop: watch::Receiver<bool>,
        both: &mut Both,
    ) -> Result<(), Error> {
        if !self.takes().folders {
            return Ok(());
        }
        let target = self.connector(self.project.config.target(), environment)?;
        let has_mailbox =
            |party: &people::sharing::Party| party.there.as_ref().is_ok_and(|there| there.mailbox.is_some());
        let mut looks: Vec<(usize, Result<Account, connector::Error>)> = Vec::new();
        let mut folders = BTreeMap::new();
        for (number, party) in rows.parties.all().iter().enumerate().filter(|(_, party)| has_mailbox(party)) {
            let accounts = self.accounts(party, environment);
            if let Ok((.., mailbox)) = &accounts {
                folders.insert(number, self.folders(*mailbox).await?);
            }
            looks.push((number, accounts.map(|(_, account, _)| account)));
        }
        let look = |(number, account): (usize, Result<Account, connector::Error>)| {
            let target = target.clone();
            async move {
                match account {
                    Ok(account) => (number, mail::read(target, account).await),
                    Err(error) => (number, Err(error)),
                }
            }
        };
        for (number, read) in each(self.project.config.file.people_at_once, looks, &stop, look).await? {
            let name = rows.there(Some(number)).unwrap_or_default();
            let needs = work.mail.remove(&number).unwrap_or_default();
            let (read, letters) = match read {
                Ok(Some(read)) => read,
                Ok(None) => continue,
                Err(error) => {
                    both.failed.push((name, error.to_string()));
                    continue;
                }
            };
            for (folder, error) in &read.unread {
                both.failed.push((format!("{name}: {folder}"), error.to_string()));
            }
            expect(&name, &needs, &folders[&number], (&read, letters), both);
            shows(&name, &read, letters, &mut both.after);
        }
        Ok(())
    }

    async fn compare_directory(
        &self,
        basis: &Basis,
        rows: &Rows<'_>,
        work: &Work,
        both: &mut Both,
    ) -> Result<(), Error> {
        let Some((_, Opened::Written(target))) = &self.people.platform else { return Ok(()) };
        let objects = super::platform_objects(&basis.known);
        let accounts = Accounts::of(&objects);
        let name = |key: &str| rows.parties.account(key).and_then(|party| rows.there(Some(party)));
        let cell = |entry: &str, grantee: &str, right: &Right| {
            let name = |key: &str| name(key).unwrap_or_else(|| key.to_owned());
            let what = What::Whole(match right {
                Right::FullAccess => "full-access",
                Right::SendAs => "send-as",
                Right::SendOnBehalf => "send-on-behalf",
                Right::Folder(..) => return None,
            });
            Some(MatrixCell { mailbox: name(entry), grantee: name(grantee), what })
        };
        for (entry, needs) in &work.directory {
            for need in needs {
                if let Some(cell) = cell(entry, &need.grantee, &need.right) {
                    both.before.add(cell, Letters::ALL);
                }
            }
        }
        let ours: BTreeSet<String> = rows
            .parties
            .all()
            .iter()
            .filter_map(|party| party.there.as_ref().ok()?.account.clone())
            .chain(work.directory.keys().cloned())
            .collect();
        let keys: Vec<String> = ours.into_iter().collect();
        let entries = target.entries(&keys).await.map_err(|error| Error {
            exit: crate::error::exit_of(error.cause),
            rule: None,
            what: format!("the platform: {error}"),
            advice: Some(error.cause.advice().to_owned()),
        })?;
        for entry in entries {
            for grant in entry.grants.iter().filter(|grant| !grant.is_denied) {
                let grantee = accounts.key(&grant.to).unwrap_or_else(|| grant.to.text());
                if let Some(cell) = cell(&entry.key, grantee, &grant.right) {
                    both.after.add(cell, Letters::ALL);
                }
            }
        }
        Ok(())
    }
}

/// Adds what a mailbox is to show.
fn expect(
    name: &str,
    needs: &[mail::Need],
    folders: &HashMap<FolderPath, FolderPath>,
    (read, letters): (&RightsRead, Letters),
    both: &mut Both,
) {
    let cell = |folder: &FolderPath, grantee: &str| MatrixCell {
        mailbox: name.to_owned(),
        grantee: grantee.to_owned(),
        what: What::Folder(folder.names().to_vec()),
    };
    for need in needs {
        let wanted: Vec<FolderPath> = match &need.folder {
            None => read.folders.clone(),
            // Where it is not there yet nobody has a right to it: it is missing.
            Some(folder) => vec![folders.get(folder).unwrap_or(folder).clone()],
        };
        let lost = need.letters.without(letters);
        for folder in wanted {
            if !lost.is_empty() {
                let gap = Gap { cell: cell(&folder, &need.account), letters: lost };
                both.lost.push(gap_line(&gap));
            }
            let known = need.letters.both(letters);
            if !known.is_empty() {
                both.before.add(cell(&folder, &need.account), known);
            }
        }
    }
}

/// Adds what a mailbox shows: what is given less what is denied.
fn shows(name: &str, read: &RightsRead, known: Letters, after: &mut Matrix) {
    let cell = |folder: &FolderPath, grantee: String| MatrixCell {
        mailbox: name.to_owned(),
        grantee,
        what: What::Folder(folder.names().to_vec()),
    };
    for ((folder, account), letters) in mail::held(read) {
        after.add(cell(&folder, account), letters.both(known));
    }
    for right in read.rights.iter().filter(|right| !right.is_denied) {
        let grantee = match &right.to {
            Holder::Account(_) => continue,
            Holder::Group(name) => format!("group {name}"),
            Holder::Everybody(word) => word.clone(),
        };
        after.add(cell(&right.folder, grantee), right.letters.both(known));
    }
}

fn gap_line(gap: &Gap) -> GapLine {
    let (folder, right) = match &gap.cell.what {
        What::Folder(path) => (Some(FolderPath::new(path.clone()).to_string()), gap.letters.to_string()),
        What::Whole(right) => (None, (*right).to_owned()),
    };
    GapLine { mailbox: gap.cell.mailbox.clone(), folder, grantee: gap.cell.grantee.clone(), right }
}
