//! `sharing discover`: the inventory. What each mailbox's server says of its folders is read and kept; what directories say came
//! with `people sync`; a file takes the place of the one before it.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use connector::Account;
use model::Cause;
use people::sharing::Origin;
use serde::Serialize;
use serde_json::json;
use tokio::sync::watch;

use super::{Fresh, SharingProject, file, mail};
use crate::secret::Environment;
use crate::usecase::each::each;
use crate::{Error, Exit};

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct SharingDiscoverReport {
    /// Nothing was kept.
    pub dry_run: bool,
    /// Mailboxes whose rights were read on a mail server.
    pub mailboxes: usize,
    /// Rights found, by where: an endpoint, a directory, `file`.
    pub found: BTreeMap<String, usize>,
    /// Rights left out: the owners' own, and those of who logs in for everybody.
    pub left_out: u64,
    /// Endpoints that keep no rights of folders.
    pub without: Vec<String>,
    /// Folders whose rights could not be read: mailbox, folder, why.
    pub unread: Vec<(String, String, String)>,
    /// Mailboxes that could not be opened: which, why. What was known of them stays.
    pub failed: Vec<(String, String)>,
}

impl SharingDiscoverReport {
    pub(super) fn of(dry_run: bool) -> Self {
        Self {
            dry_run,
            mailboxes: 0,
            found: BTreeMap::new(),
            left_out: 0,
            without: Vec::new(),
            unread: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        if self.unread.is_empty() && self.failed.is_empty() { Exit::Done } else { Exit::WithFailures }
    }
}

/// A mailbox to look at.
struct Look {
    endpoint: String,
    account: Result<Account, connector::Error>,
    name: String,
}

impl SharingProject {
    /// Reads the rights of every mailbox of the source, or takes those of a file. Changes nothing on either side.
    pub async fn discover(
        &self,
        file: Option<&Path>,
        dry_run: bool,
        environment: Environment<'_>,
        stop: watch::Receiver<bool>,
    ) -> Result<SharingDiscoverReport, Error> {
        if !dry_run {
            self.people.may_change()?;
        }
        let mut report = SharingDiscoverReport::of(dry_run);
        match file {
            Some(path) => self.take_file(path, dry_run, &mut report).await?,
            None => drop(self.read_servers(dry_run, environment, stop, &mut report).await?),
        }
        for found in people::sharing::granted(&self.people.known().await?.objects) {
            *report.found.entry(found.origin.to_string()).or_default() += 1;
        }
        if !dry_run {
            let detail = json!({ "mailboxes": report.mailboxes, "found": report.found, "failed": report.failed.len(),
                "unread": report.unread.len(), "file": file.map(|path| path.display().to_string()) });
            self.project.store.audit(self.project.key, &self.project.actor, "sharing.discovered", &detail).await?;
        }
        Ok(report)
    }

    async fn take_file(&self, path: &Path, dry_run: bool, report: &mut SharingDiscoverReport) -> Result<(), Error> {
        let found = file::read(path)?;
        report.found.insert(Origin::File.to_string(), found.len());
        if !dry_run {
            let text = serde_json::to_string(&found).map_err(|_| super::super::damaged("a right"))?;
            let whole = [(String::new(), text)];
            self.project.store.put_sharing(self.project.key, "file", &whole, true).await?;
        }
        Ok(())
    }

    /// Reads every mailbox of the source; a dry run keeps nothing. What was read.
    pub(super) async fn read_servers(
        &self,
        dry_run: bool,
        environment: Environment<'_>,
        stop: watch::Receiver<bool>,
        report: &mut SharingDiscoverReport,
    ) -> Result<Fresh, Error> {
        let looks = self.looks(environment).await?;
        let mut connectors = BTreeMap::new();
        for endpoint in looks.iter().map(|look| look.endpoint.clone()).collect::<HashSet<_>>() {
            connectors.insert(endpoint.clone(), self.connector(&endpoint, environment)?);
        }
        let look = |look: Look| {
            let connector = connectors[&look.endpoint].clone();
            async move {
                let read = match look.account {
                    Ok(account) => mail::read(connector, account).await,
                    Err(error) => Err(error),
                };
                (look.endpoint, look.name, read)
            }
        };
        let all = each(self.project.config.file.people_at_once, looks, &stop, look).await?;
        let mut fresh = Fresh::new();
        for (endpoint, name, read) in all {
            let read = match read {
                Ok(Some((read, _))) => read,
                Ok(None) => {
                    if !report.without.contains(&endpoint) {
                        report.without.push(endpoint);
                    }
                    continue;
                }
                Err(error) if error.cause == Cause::Internal => {
                    return Err(Error { exit: Exit::Internal, rule: None, what: error.to_string(), advice: None });
                }
                Err(error) => {
                    report.failed.push((name, error.to_string()));
                    continue;
                }
            };
            report.mailboxes += 1;
            report.left_out += read.left_out;
            *report.found.entry(endpoint.clone()).or_default() += read.rights.len();
            for (folder, error) in &read.unread {
                report.unread.push((name.clone(), folder.to_string(), error.to_string()));
            }
            let found = mail::found(&endpoint, &name, &read);
            fresh.insert((format!("mail:{endpoint}"), name.to_lowercase()), found);
        }
        if !dry_run {
            let mut kept: BTreeMap<&str, Vec<(String, String)>> = BTreeMap::new();
            for ((origin, name), found) in &fresh {
                let text = serde_json::to_string(found).map_err(|_| super::super::damaged("a right"))?;
                kept.entry(origin).or_default().push((name.clone(), text));
            }
            for (origin, mailboxes) in kept {
                self.project.store.put_sharing(self.project.key, origin, &mailboxes, false).await?;
            }
        }
        Ok(fresh)
    }

    /// Every mailbox of the source that is known: those that move, and those of whom it is not known yet where to.
    async fn looks(&self, environment: Environment<'_>) -> Result<Vec<Look>, Error> {
        let basis = self.basis(&Fresh::new()).await?;
        let parties = self.rows(&basis).parties;
        let does_not_move = |party: &people::sharing::Party| {
            let id = party.object.as_ref();
            let row = id.and_then(|id| basis.known.reconciliation.row(id));
            row.is_some_and(|row| row.class.stays_behind())
        };
        let has_mailbox = |party: &people::sharing::Party| match &party.object {
            None => true,
            Some(id) => party.there.is_ok() || basis.known.object(id).is_some_and(|object| object.entry.has_mailbox),
        };
        let looks = parties.all().iter().filter(|party| has_mailbox(party) && !does_not_move(party));
        let looks = looks.filter_map(|party| {
            let (endpoint, name) = party.source.clone()?;
            let account = self.accounts(party, environment).map(|(source, ..)| source);
            Some(Look { endpoint, account, name })
        });
        Ok(looks.collect())
    }
}
