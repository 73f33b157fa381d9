//! `issue close`: one or many, with one approval, and never without a resolution or a disposition.

use model::ItemId;
use serde::Serialize;
use serde_json::json;
use store::{Disposition, IssueEnd, IssueRow, IssueState};

use super::{checked_disposition, given, no_such, refuse_closed};
use crate::usecase::collection::Mistakes;
use crate::{Error, Project};

/// Which issues end, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closing {
    /// By number.
    pub issues: Vec<i64>,
    /// All of this type that are not closed.
    pub cause: Option<String>,
    /// All that are not closed.
    pub all: bool,
    /// How they were cured.
    pub resolution: Option<String>,
    /// What becomes of what was not: `accepted`, `mop-up` or `not-moving`.
    pub disposition: Option<String>,
    /// In whose name.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// What was closed.
#[derive(Clone, Debug, Serialize)]
pub struct ClosedReport {
    /// How many.
    pub closed: u64,
    /// Their numbers.
    pub issues: Vec<i64>,
    /// How they were cured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    /// What becomes of what was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Disposition>,
    /// Failed items that have a word now.
    pub items: u64,
}

impl Project {
    /// Ends issues: all that are named, or none. What has a disposition has it in a named person's name.
    ///
    /// Of an issue of items the disposition is the word about those items: their loss is accepted, or they are left for the
    /// mop-up, and their mailbox goes on without them. Of an issue of a mailbox it is about the mailbox: it is worked on no more.
    pub async fn close_issues(&self, closing: &Closing) -> Result<ClosedReport, Error> {
        self.may_migrate()?;
        let end = end(closing, &self.actor.name)?;
        let chosen = self.chosen_issues(closing).await?;
        let mut mistakes = Mistakes::new();
        for row in &chosen {
            let is_of_a_mailbox = row.is.mailbox.is_some() && !row.is.is_of_items;
            if end.disposition == Some(Disposition::Accepted) && is_of_a_mailbox {
                mistakes.add(format!("issue {}: no loss of a whole mailbox is accepted", row.issue));
            }
        }
        mistakes.refuse(Some("R-008"), "give --disposition mop-up or not-moving, or --resolution TEXT")?;
        let numbers: Vec<i64> = chosen.iter().map(|row| row.issue).collect();
        let detail = json!({
            "count": numbers.len(), "issues": numbers, "by": end.by, "resolution": end.resolution,
            "disposition": end.disposition.map(Disposition::name), "reason": end.reason,
        });
        self.store.audit(self.key, &self.actor, "issue.closed", &detail).await?;
        // The items first: should this be broken off, the issues are still there to be closed.
        let items = match end.disposition {
            Some(disposition) => self.word_of_items(&chosen, disposition, &end).await?,
            None => 0,
        };
        let closed = self.store.close_issues(self.key, &numbers, &end).await?;
        let (resolution, disposition) = (end.resolution, end.disposition);
        Ok(ClosedReport { closed, issues: numbers, resolution, disposition, items })
    }

    async fn chosen_issues(&self, closing: &Closing) -> Result<Vec<IssueRow>, Error> {
        let rows = self.store.issues(self.key).await?;
        let is_open = |row: &IssueRow| row.state != IssueState::Closed;
        if closing.issues.is_empty() && closing.cause.is_none() && !closing.all {
            return Err(
                Error::usage("no issue is named").advise("give numbers, or --all, with --cause for those of one type")
            );
        }
        if closing.cause.is_some() && !closing.all && closing.issues.is_empty() {
            return Err(Error::usage("--cause means all issues of a type").advise("give --all, too"));
        }
        let mut chosen = Vec::new();
        for number in &closing.issues {
            let row = rows.iter().find(|row| row.issue == *number).ok_or_else(|| no_such(*number))?;
            refuse_closed(row)?;
            chosen.push(row.clone());
        }
        if closing.all {
            let is_of = |row: &&IssueRow| closing.cause.as_ref().is_none_or(|cause| row.is.kind == *cause);
            chosen.extend(rows.iter().filter(|row| is_open(row)).filter(is_of).cloned());
        } else if let Some(cause) = &closing.cause {
            chosen.retain(|row| row.is.kind == *cause);
        }
        chosen.sort_by_key(|row| row.issue);
        chosen.dedup_by_key(|row| row.issue);
        if chosen.is_empty() {
            return Err(Error::usage("no issue is like that").advise("see whimbrel issue list"));
        }
        Ok(chosen)
    }

    /// The word about the items that issues are of.
    async fn word_of_items(&self, chosen: &[IssueRow], disposition: Disposition, end: &IssueEnd) -> Result<u64, Error> {
        let reason = end.reason.as_deref().unwrap_or_default();
        let mut said = 0;
        for row in chosen.iter().filter(|row| row.is.is_of_items) {
            let why = match disposition {
                Disposition::Accepted => reason.to_owned(),
                Disposition::MopUp => format!("left for the mop-up (issue {}): {reason}", row.issue),
                Disposition::NotMoving => format!("does not move (issue {}): {reason}", row.issue),
            };
            let failures = self.store.failures(self.key, row.is.mailbox).await?;
            let items: Vec<(i64, ItemId)> = failures
                .into_iter()
                .filter(|failure| failure.accepted_by.is_none() && failure.cause.code() == row.is.kind)
                .map(|failure| (failure.folder, failure.source_id))
                .collect();
            said += self.store.accept_failures(self.key, &items, &end.by, &why).await?;
        }
        Ok(said)
    }
}

/// How issues end: cured, or with a disposition in somebody's name and for a reason.
fn end(closing: &Closing, actor: &str) -> Result<IssueEnd, Error> {
    let (resolution, by) = (given(closing.resolution.as_deref()), given(closing.by.as_deref()));
    let reason = given(closing.reason.as_deref());
    match (&resolution, &closing.disposition) {
        (None, None) => {
            let error = Error::refused("R-228", "no issue is closed without a resolution or a disposition");
            Err(error.advise(
                "give --resolution TEXT, or --disposition accepted, mop-up or not-moving with --by NAME and --reason TEXT; \
                 nothing was changed",
            ))
        }
        (Some(_), Some(_)) => {
            let error = Error::usage("an issue is resolved, or it has a disposition");
            Err(error.advise("leave --resolution or --disposition out"))
        }
        (Some(_), None) => {
            Ok(IssueEnd { by: by.unwrap_or_else(|| actor.to_owned()), resolution, disposition: None, reason })
        }
        (None, Some(disposition)) => {
            let disposition = checked_disposition(disposition)?;
            let (Some(by), Some(reason)) = (by, reason) else {
                let error = Error::refused("R-228", "a disposition is a named person's, for a reason");
                return Err(error.advise("give --by NAME and --reason TEXT; nothing was changed"));
            };
            Ok(IssueEnd { by, resolution: None, disposition: Some(disposition), reason: Some(reason) })
        }
    }
}
