//! Subjects in a report: only for those who may see them, and never without a line in the audit log.

use std::sync::Arc;

use model::ItemId;
use movement::Progress;
use serde_json::json;
use store::MailboxRow;
use tokio::sync::watch;

use super::FailedItem;
use crate::secret::Environment;
use crate::{Error, Project};

/// An item that failed, and where the ledger has it.
pub(super) type Placed = ((i64, ItemId), FailedItem);

impl Project {
    /// Requires that whoever runs the program may see the subjects of people's mail.
    pub(super) fn may_see_subjects(&self) -> Result<(), Error> {
        let name = &self.actor.name;
        if self.config.file.roles.as_ref().is_none_or(|roles| roles.subjects.contains(name)) {
            return Ok(());
        }
        let what = format!("{name} may not see the subjects of people's mail");
        Err(Error::refused("R-347", what).advise("ask for a place in roles.subjects, or leave --subjects out"))
    }

    /// Writes down that somebody asks for subjects, before they get them.
    pub(super) async fn audit_subjects(&self, action: &str, mailboxes: &[&str], count: u64) -> Result<(), Error> {
        let detail = json!({ "mailboxes": mailboxes, "items": count });
        self.store.audit(self.key, &self.actor, action, &detail).await?;
        Ok(())
    }

    /// Adds the subjects to items that failed, as far as their source tells them. Returns of which mailboxes it could not be
    /// asked, and why.
    pub(super) async fn add_subjects(
        &self,
        failed: &mut [(MailboxRow, Vec<Placed>)],
        environment: Environment<'_>,
    ) -> Result<Vec<String>, Error> {
        // Nobody stops it but by stopping the program.
        let (_keep, stop) = watch::channel(false);
        let engine = self.engine(environment, Arc::new(Progress::default()), stop, true)?;
        let mut unread = Vec::new();
        for (row, items) in failed.iter_mut().filter(|(_, items)| !items.is_empty()) {
            let wanted: Vec<(i64, ItemId)> = items.iter().map(|(place, _)| place.clone()).collect();
            match engine.subjects(row, &wanted).await {
                Ok(mut subjects) => {
                    for (place, item) in items {
                        item.subject = subjects.remove(place);
                    }
                }
                Err(failure) => unread.push(format!("{}: {failure}", row.roster.source_name)),
            }
        }
        Ok(unread)
    }
}
