//! Results that come by mail: the mailbox is read, each message judged like one that hands in a file, and its file read as a result.
//!
//! A result says itself of which rows it is, and the same one twice changes nothing. So a message needs no record of its own: one that
//! was dealt with is marked, and where the mark is lost it is dealt with again.

use std::sync::Arc;
use std::time::Duration;

use connector::{Account, Connector, FlagChange, Known as KnownFolder, OpenDoor, ReadFolder, SystemClock, Target};
use model::{Digest, Flags, FolderPath};
use serde::Serialize;
use serde_json::json;
use store::{PeopleLease, UploadRow};

use super::results::{ResultFile, ResultsReport};
use crate::Error;
use crate::config::{FILE, ResultsEntry};
use crate::directories::reveal;
use crate::registry::{self, Means};
use crate::secret::Environment;
use crate::usecase::people::PeopleProject;
use crate::usecase::people::import::RefusedLine;
use crate::usecase::people::import::mailed::file_of;
use crate::usecase::people::post::{DONE, MESSAGE_BYTES_MAX, REFUSED, Sender, read_message, sender};

/// What the mailbox for results held.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MailedResultsReport {
    /// Nothing was kept.
    pub dry_run: bool,
    /// Results that were read.
    pub results: Vec<ResultsReport>,
    /// Messages that are none: nothing was done.
    pub refused: Vec<RefusedLine>,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl MailedResultsReport {
    /// Was everything done that the results are about?
    pub fn is_well(&self) -> bool {
        self.refused.is_empty() && self.notes.is_empty() && self.results.iter().all(ResultsReport::is_well)
    }
}

/// What becomes of a message.
enum Dealt {
    /// It is marked so.
    Marked(&'static str),
    /// It is looked at again the next time.
    Kept,
}

impl PeopleProject {
    /// Looks once into the mailbox that results come to, and reads those that are there.
    pub async fn results_mailed(
        &self,
        dry_run: bool,
        environment: Environment<'_>,
    ) -> Result<MailedResultsReport, Error> {
        let portal = self.portal_or_refuse()?;
        let entry = portal.entry.results.clone().ok_or_else(|| {
            Error::usage(format!("{FILE}: the platform's table has no results"))
                .advise("say which mailbox results come to, and from whom: [directories.NAME.results]")
        })?;
        let whose = format!("{FILE}: [directories] results");
        let means = Means {
            clock: Arc::new(SystemClock),
            environment,
            unique: crate::project::random_text()?,
            unacknowledged_max: Duration::from_secs(30),
            pace: None,
        };
        let connector =
            registry::connector(&self.config, &entry.endpoint, &self.config.endpoints[&entry.endpoint], &means)?;
        let mut account = Account::named(&entry.account);
        let secret = |entry| reveal(&self.config, entry, &whose, environment);
        account.password = entry.password.as_ref().map(secret).transpose()?;
        Box::pin(self.results_from(&entry, connector.as_ref(), &account, dry_run)).await
    }

    /// The same, from this mailbox.
    pub(super) async fn results_from(
        &self,
        entry: &ResultsEntry,
        connector: &dyn Connector,
        account: &Account,
        dry_run: bool,
    ) -> Result<MailedResultsReport, Error> {
        if !dry_run {
            self.may_change()?;
        }
        let mut report = MailedResultsReport { dry_run, ..MailedResultsReport::default() };
        if entry.trust_from {
            let what =
                "trust_from is on: whoever writes an authorised address into From sends results; use authserv_id";
            report.notes.push(what.to_owned());
        }
        let lease = self.hold().await?;
        let work = async {
            let target = connector.target(account, Arc::new(OpenDoor)).await;
            let mut mailbox = target.map_err(|error| mailbox_error(&error))?;
            let read = self.read_results(&lease, entry, mailbox.as_mut(), &mut report).await;
            mailbox.close().await;
            read
        };
        let work = Box::pin(self.while_held(&lease, work)).await;
        self.leave(&lease, work).await.map(|()| report)
    }

    async fn read_results(
        &self,
        lease: &PeopleLease,
        entry: &ResultsEntry,
        mailbox: &mut dyn Target,
        report: &mut MailedResultsReport,
    ) -> Result<(), Error> {
        let folder = FolderPath::new([entry.folder.as_str()]);
        let failed = |error: connector::Error| mailbox_error(&error);
        let state = mailbox.state(&folder).await.map_err(failed)?;
        let flags = mailbox.list(&folder).await.map_err(failed)?;
        let whole = ReadFolder { path: folder.clone(), since: None };
        let sizes = mailbox.sizes(&whole).await.map_err(failed)?;
        let is_dealt_with =
            |flags: &Flags| [DONE, REFUSED].iter().any(|mark| Flags::of([*mark]).without(flags).is_empty());
        let mut changes = Vec::new();
        for item in sizes {
            if flags.iter().any(|(id, flags)| *id == item.id && is_dealt_with(flags)) {
                continue;
            }
            let bytes = if item.size_bytes > MESSAGE_BYTES_MAX {
                None
            } else {
                match read_message(mailbox, &folder, &item.id).await {
                    Ok(Some(bytes)) => Some(bytes),
                    Ok(None) => continue, // It is gone by now.
                    Err(error) if error.ends_session() => return Err(mailbox_error(&error)),
                    Err(error) => {
                        report.notes.push(format!("a message can't be read: {error}"));
                        continue;
                    }
                }
            };
            if let Dealt::Marked(mark) = self.take_message_of_result(lease, entry, bytes.as_deref(), report).await? {
                changes.push(FlagChange { id: item.id, add: Flags::of(["\\Seen", mark]), take: Flags::NONE });
            }
        }
        if changes.is_empty() || report.dry_run {
            return Ok(());
        }
        if let Err(error) = mailbox.change_flags(KnownFolder::at(&folder, &state), &changes).await {
            report.notes.push(format!("messages that were dealt with could not be marked: {error}"));
        }
        Ok(())
    }

    async fn take_message_of_result(
        &self,
        lease: &PeopleLease,
        entry: &ResultsEntry,
        bytes: Option<&[u8]>,
        report: &mut MailedResultsReport,
    ) -> Result<Dealt, Error> {
        let Some(bytes) = bytes else {
            let refused = RefusedLine { from: None, message_id: None, why: "it is too large".to_owned() };
            return self.refuse_message(refused, report).await;
        };
        let sent = match sender(bytes, entry.trust()).and_then(|sender| {
            if entry.is_authorised(&sender.address) {
                Ok(sender)
            } else {
                Err(sender.unfit("its sender is not authorised"))
            }
        }) {
            Ok(sent) => sent,
            Err(unfit) => {
                let refused = RefusedLine { from: unfit.from, message_id: unfit.message_id, why: unfit.why };
                return self.refuse_message(refused, report).await;
            }
        };
        let line =
            |why: String| RefusedLine { from: Some(sent.address.clone()), message_id: sent.message_id.clone(), why };
        let file = match file_of(bytes) {
            Ok((_, file)) => file,
            Err(why) => return self.refuse_message(line(why), report).await,
        };
        let of = answered(&self.store.uploads(self.key).await?, &sent);
        let evidence = json!({ "sender": sent.address, "message_id": sent.message_id, "known_by": sent.known_by,
            "message_digest": Digest::of(bytes).to_string() });
        let result = ResultFile { bytes: &file, by: &sent.address, of, evidence };
        match self.take_result(lease, &result, report.dry_run).await {
            Ok(read) => {
                // A person may yet say what the portal's words mean.
                let dealt = if read.unclear.is_empty() { Dealt::Marked(DONE) } else { Dealt::Kept };
                report.results.push(read);
                Ok(dealt)
            }
            Err(error) if error.rule == Some("R-032") => self.refuse_message(line(error.what), report).await,
            Err(error) if error.rule.is_some() || error.exit == crate::Exit::Usage => {
                let advice = error.advice.map(|advice| format!("; {advice}")).unwrap_or_default();
                report.notes.push(format!("a result from {}: {}{advice}", sent.address, error.what));
                Ok(Dealt::Kept)
            }
            Err(error) => Err(error),
        }
    }

    async fn refuse_message(&self, refused: RefusedLine, report: &mut MailedResultsReport) -> Result<Dealt, Error> {
        if !report.dry_run {
            // What is wrong with each row is for whoever asked, and names people.
            let why = refused.why.lines().next().unwrap_or_default();
            let detail = json!({ "from": refused.from, "message_id": refused.message_id, "why": why });
            self.store.audit(self.key, &self.actor, "people.message-refused", &detail).await?;
        }
        report.refused.push(refused);
        Ok(Dealt::Marked(REFUSED))
    }
}

/// Of which submission a message says to be the result, by the letter that it answers.
fn answered(uploads: &[UploadRow], sent: &Sender) -> Option<i64> {
    let answers = sent.answers();
    let is_automaticed = |row: &&UploadRow| {
        row.of.message_id.as_ref().is_some_and(|id| answers.iter().any(|answer| *answer == format!("<{id}>")))
    };
    uploads.iter().rev().find(is_automaticed).map(|row| row.of.upload)
}

fn mailbox_error(error: &connector::Error) -> Error {
    let exit = crate::error::exit_of(error.cause);
    let what = format!("the mailbox for results: {error}");
    Error { exit, rule: None, what, advice: Some(error.cause.advice().to_owned()) }
}
