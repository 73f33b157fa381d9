//! `discover`: the inventory of what there is to move.

use std::sync::Arc;

use model::{Cause, FolderPath};
use movement::Progress;
use serde::Serialize;
use tokio::sync::watch;

use crate::error::Exit;
use crate::secret::Environment;
use crate::{Error, Project, Selection};

/// The inventory.
#[derive(Clone, Debug, Serialize)]
pub struct DiscoverReport {
    /// The mailboxes.
    pub mailboxes: Vec<MailboxFound>,
    /// Folders of all of them.
    pub folders: u64,
    /// Items of all of them.
    pub items: u64,
    /// Bytes of all of them, as far as the servers say.
    pub bytes: u64,
    /// Mailboxes that could not be looked at.
    pub failed: u64,
}

/// A mailbox.
#[derive(Clone, Debug, Serialize)]
pub struct MailboxFound {
    /// Its name at the source.
    pub source: String,
    /// Its name at the target.
    pub target: String,
    /// The endpoint it is on.
    pub endpoint: String,
    /// Its items.
    pub items: u64,
    /// Their bytes, if the server says.
    pub bytes: Option<u64>,
    /// Its folders.
    pub folders: Vec<FolderFound>,
    /// Why it could not be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The class of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// A folder.
#[derive(Clone, Debug, Serialize)]
pub struct FolderFound {
    /// Its path.
    pub path: FolderPath,
    /// Its items.
    pub items: u64,
    /// Their bytes, if the server says.
    pub bytes: Option<u64>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub special_use: Option<model::SpecialUse>,
}

impl DiscoverReport {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        if self.failed == 0 { Exit::Done } else { Exit::WithFailures }
    }
}

impl Project {
    /// Looks at the source mailboxes chosen. Changes nothing.
    pub async fn discover(
        &self,
        selection: &Selection,
        environment: Environment<'_>,
        stop: watch::Receiver<bool>,
    ) -> Result<DiscoverReport, Error> {
        let engine = self.engine(environment, Arc::new(Progress::default()), stop.clone(), true)?;
        let mut report = DiscoverReport { mailboxes: Vec::new(), folders: 0, items: 0, bytes: 0, failed: 0 };
        for row in self.select(selection).await? {
            if *stop.borrow() {
                let what = "stopped on request".to_owned();
                return Err(Error { exit: Exit::Stopped, rule: None, what, advice: None });
            }
            let mut found = MailboxFound {
                source: row.roster.source_name.clone(),
                target: row.roster.target_name.clone(),
                endpoint: self.endpoint_name(row.roster.source_endpoint).to_owned(),
                items: 0,
                bytes: None,
                folders: Vec::new(),
                error: None,
                cause: None,
            };
            match look(&engine, &row).await {
                Ok(folders) => found.folders = folders,
                Err(failure) => {
                    found.error = Some(failure.error.to_string());
                    found.cause = Some(failure.error.cause);
                    report.failed += 1;
                }
            }
            found.items = found.folders.iter().map(|folder| folder.items).sum();
            found.bytes = found.folders.iter().map(|folder| folder.bytes).sum();
            report.folders += found.folders.len() as u64;
            report.items += found.items;
            report.bytes += found.bytes.unwrap_or_default();
            report.mailboxes.push(found);
        }
        Ok(report)
    }
}

async fn look(engine: &movement::Engine, row: &store::MailboxRow) -> Result<Vec<FolderFound>, movement::Failure> {
    let on_source = |error| movement::Failure { side: Some(model::Side::Source), error };
    let person = &engine.people[&row.mailbox];
    if let Some(problem) = &person.problem {
        return Err(problem.clone());
    }
    let connector = &engine.endpoints[&row.roster.source_endpoint].connector;
    let mut source = connector.source(&person.source).await.map_err(on_source)?;
    let mut found = Vec::new();
    for folder in source.folders().await.map_err(on_source)?.into_iter().filter(|folder| folder.holds_items) {
        let state = match folder.state {
            Some(state) => state,
            None => source.state(&folder.path).await.map_err(on_source)?,
        };
        found.push(FolderFound {
            path: folder.path,
            items: state.count,
            bytes: folder.size_bytes,
            special_use: folder.special_use,
        });
    }
    source.close().await;
    Ok(found)
}
