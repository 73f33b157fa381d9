//! `verify`: is every copy exact? In one sentence.

use std::sync::Arc;

use model::{Cause, Side};
use movement::{Progress, Verification};
use serde::Serialize;
use serde_json::json;
use tokio::sync::watch;

use crate::error::{Exit, exit_of};
use crate::secret::Environment;
use crate::{Error, Project, Selection};

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyReport {
    /// The verdict.
    pub sentence: String,
    /// Exact, and nothing left behind.
    pub exact: bool,
    /// Everything together.
    pub all: Verification,
    /// What lies in the archive, which is not among that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<Verification>,
    /// Mailbox by mailbox.
    pub mailboxes: Vec<MailboxVerdict>,
    /// Mailboxes that could not be compared.
    pub failed: u64,
}

/// What was found of a mailbox.
#[derive(Clone, Debug, Serialize)]
pub struct MailboxVerdict {
    /// Its name at the source.
    pub source: String,
    /// Its name at the target.
    pub target: String,
    /// It goes to the archive, not to the target.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub archive: bool,
    /// The verdict.
    pub sentence: String,
    /// What was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// The class of what kept it from being compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The side that was in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
}

impl VerifyReport {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        let could_not = |verdict: &MailboxVerdict| verdict.cause.map(exit_of);
        if let Some(first) = self.mailboxes.first().and_then(could_not)
            && self.mailboxes.iter().all(|verdict| could_not(verdict) == Some(first))
        {
            return first;
        }
        if self.exact && self.failed == 0 { Exit::Done } else { Exit::WithFailures }
    }
}

impl Project {
    /// Compares both sides of the mailboxes chosen, in full or so many items of each. Changes nothing on either side.
    pub async fn verify(
        &self,
        selection: &Selection,
        sample: Option<u64>,
        environment: Environment<'_>,
        stop: watch::Receiver<bool>,
    ) -> Result<VerifyReport, Error> {
        let engine = Arc::new(self.engine(environment, Arc::new(Progress::default()), stop.clone(), true)?);
        let rows = self.select(selection).await?;
        let places = Arc::new(tokio::sync::Semaphore::new(engine.people_at_once));
        let mut tasks = tokio::task::JoinSet::new();
        for (place, row) in rows.into_iter().enumerate() {
            let (engine, places) = (engine.clone(), places.clone());
            tasks.spawn(async move {
                let _place = places.acquire_owned().await;
                let found = engine.verify(&row, sample).await;
                (place, row, found)
            });
        }
        let mut found = Vec::new();
        while let Some(task) = tasks.join_next().await {
            found.push(task.map_err(|error| Error {
                exit: Exit::Internal,
                rule: None,
                what: format!("a verification ended: {error}"),
                advice: None,
            })?);
        }
        if *stop.borrow() {
            let what = "stopped on request".to_owned();
            return Err(Error { exit: Exit::Stopped, rule: None, what, advice: None });
        }
        found.sort_by_key(|(place, _, _)| *place);
        let (mut all, mut mailboxes, mut failed) = (Verification::default(), Vec::new(), 0);
        let mut archived: Option<Verification> = None;
        for (_, row, found) in found {
            let (source, target) = (row.roster.source_name.clone(), row.roster.target_name.clone());
            let archive = self.is_archived(&row);
            mailboxes.push(match found {
                Ok(found) => {
                    if archive {
                        archived.get_or_insert_default().add(found.clone());
                    } else {
                        all.add(found.clone());
                    }
                    let sentence = found.sentence();
                    let verification = Some(found);
                    let (cause, side, advice) = (None, None, None);
                    MailboxVerdict { source, target, archive, sentence, verification, cause, side, advice }
                }
                Err(failure) => {
                    failed += 1;
                    let cause = failure.error.cause;
                    MailboxVerdict {
                        source,
                        target,
                        archive,
                        sentence: format!("could not be compared: {failure}"),
                        verification: None,
                        cause: Some(cause),
                        side: failure.side,
                        advice: Some(cause.advice()),
                    }
                }
            });
        }
        let mut sentence = all.sentence();
        if let Some(archived) = &archived {
            let only_archive = mailboxes.iter().all(|verdict| verdict.archive);
            let before = if only_archive { String::new() } else { format!("{sentence} ") };
            sentence = format!("{before}In the archive: {}", archived.sentence());
        }
        if failed > 0 {
            let which = movement::state::counted(failed, "mailbox");
            sentence = format!("{sentence} {which} could not be compared.");
        }
        let exact = all.is_exact() && archived.as_ref().is_none_or(Verification::is_exact);
        let report = VerifyReport { sentence, exact, all, archive: archived, mailboxes, failed };
        let detail = json!({ "sentence": report.sentence, "exact": report.exact, "sample": sample });
        self.store.audit(self.key, &self.actor, "verify", &detail).await?;
        Ok(report)
    }
}
