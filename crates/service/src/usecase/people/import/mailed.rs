//! Files that arrive by mail: the mailbox is read, each message judged, its file taken, and its sender answered.
//!
//! Every message has one row. The same message delivered twice – the same sender, Message-ID and file – is told the same result, and
//! nothing is done a second time.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use connector::Target;
use mailer::{Enclosure, Letter};
use model::Digest;
use movement::state::counted;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{NewSubmission, PeopleLease, SubmissionRow, SubmissionState};

use super::super::post::{Found, Mark, Message, Post, Sender, Unfit, kept, read_secret};
use super::result::{of_mistakes, result_name};
use super::sender::judge;
use super::{ImportReport, MISTAKES_TOLD, RefusedLine, SubmissionLine};
use crate::Error;
use crate::config::{FILE, MailedEntry};
use crate::secret::Environment;
use crate::usecase::people::PeopleProject;

/// The mailbox that files are sent to, and the subject that they need.
pub(super) struct Desk {
    pub(super) post: Post,
    pub(super) key: String,
}

/// What is kept of a submission besides: what an approval rests on, and what is wrong with a faulty one.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Detail {
    sender: String,
    message_id: Option<String>,
    message_digest: String,
    file_digest: Option<String>,
    known_by: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    results: BTreeMap<u64, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mistakes: Vec<String>,
    #[serde(default)]
    mistakes_count: u64,
    #[serde(default)]
    rows: usize,
}

/// Another submission is not through.
pub(super) fn is_open(open: &SubmissionRow) -> Error {
    let name = open.of.file_name.as_deref().unwrap_or_default();
    let what = format!("submission {} ({name}) is not through; one is taken at a time", open.submission);
    Error::refused("R-032", what).advise(match open.of.plan {
        Some(plan) => format!("look at plan {plan} and approve it, or put it aside by making a new one: people plan"),
        None => "run people import again: it goes on with it".to_owned(),
    })
}

impl PeopleProject {
    /// Looks once into the mailbox that files are sent to, and deals with what is there.
    pub async fn import_mailed(&self, dry_run: bool, environment: Environment<'_>) -> Result<ImportReport, Error> {
        let desk = self.desk(environment)?;
        Box::pin(self.import_from(&desk, dry_run)).await
    }

    fn mailed_entry(&self) -> Result<&MailedEntry, Error> {
        self.entry.mailed.as_deref().ok_or_else(|| {
            Error::usage(format!("{FILE} has no [people.mailed]"))
                .advise("say which mailbox files are sent to, by whom, and under which key")
        })
    }

    fn desk(&self, environment: Environment<'_>) -> Result<Desk, Error> {
        let mailed = self.mailed_entry()?;
        let key = read_secret(&self.config, &mailed.post(), (&mailed.key, "key"), environment)?;
        Ok(Desk { post: Post::of(&self.config, &mailed.post(), environment)?, key: key.reveal().trim().to_owned() })
    }

    /// The same, from this mailbox.
    pub(super) async fn import_from(&self, desk: &Desk, dry_run: bool) -> Result<ImportReport, Error> {
        if !dry_run {
            self.may_change()?;
        }
        let mailed = self.mailed_entry()?;
        let mut report = ImportReport { dry_run, ..ImportReport::default() };
        if mailed.trust_from {
            report.notes.push(
                "trust_from is on: whoever writes an authorised address into From hands in files; use authserv_id"
                    .to_owned(),
            );
        }
        let lease = self.hold().await?;
        let done = Box::pin(self.while_held(&lease, self.poll(&lease, desk, &mut report))).await;
        self.store.leave_people(&lease).await?;
        done.map(|()| report)
    }

    async fn poll(&self, lease: &PeopleLease, desk: &Desk, report: &mut ImportReport) -> Result<(), Error> {
        let mut is_free = true;
        if !report.dry_run {
            for row in self.store.submissions(self.key).await?.iter().filter(|row| !row.of.state.is_over()) {
                is_free &= self.advance(lease, &desk.post, row.submission, report).await;
            }
        }
        let mailed = self.mailed_entry()?;
        let mut mailbox = desk.post.open(&mailed.post()).await?;
        let read = self.read_mailbox(lease, desk, mailbox.as_mut(), is_free, report).await;
        mailbox.close().await;
        read
    }

    async fn read_mailbox(
        &self,
        lease: &PeopleLease,
        desk: &Desk,
        mailbox: &mut dyn Target,
        mut is_free: bool,
        report: &mut ImportReport,
    ) -> Result<(), Error> {
        let mailed = self.mailed_entry()?.post();
        for found in desk.post.listed(&mailed, mailbox).await? {
            let rows = self.store.submissions(self.key).await?;
            if rows.iter().any(|row| row.of.place == found.place) {
                continue; // Dealt with, or under way.
            }
            is_free &= self.take_message(lease, desk, mailbox, &found, is_free, report).await?;
        }
        if report.dry_run {
            return Ok(());
        }
        let rows = self.store.submissions(self.key).await?.into_iter().filter(|row| row.of.state.is_over());
        let marks: HashMap<String, Mark> = rows
            .map(|row| {
                let is_refused = row.of.state == SubmissionState::Refused;
                (row.of.place, if is_refused { Mark::Refused } else { Mark::Done })
            })
            .collect();
        desk.post.mark(&mailed, &marks, &mut report.notes).await
    }

    /// Deals with a message that is new. False: from here on every other one has to wait.
    async fn take_message(
        &self,
        lease: &PeopleLease,
        desk: &Desk,
        mailbox: &mut dyn Target,
        found: &Found,
        is_free: bool,
        report: &mut ImportReport,
    ) -> Result<bool, Error> {
        let mailed = self.mailed_entry()?;
        let bytes = match desk.post.read(&mailed.post(), mailbox, found).await? {
            Message::Read(bytes) => Some(bytes),
            Message::TooLarge => None,
            Message::Gone => return Ok(true),
            Message::Unreadable(error) => {
                report.notes.push(format!("a message can't be read: {error}"));
                return Ok(true);
            }
        };
        let (judged, digest) = match &bytes {
            None => (Err(Unfit::unread("it is too large")), Digest::of(b"")),
            Some(bytes) => (judge(bytes, mailed, &desk.key), Digest::of(bytes)),
        };
        let sent = match judged {
            Ok(sent) => sent,
            Err(unfit) => {
                let (from, message_id) = (unfit.from, unfit.message_id.as_deref().map(kept));
                report.refused.push(RefusedLine {
                    from: from.clone(),
                    message_id: message_id.clone(),
                    why: unfit.why.clone(),
                });
                if !report.dry_run {
                    let detail = json!({ "place": found.place, "from": from, "message_id": message_id,
                        "message_digest": digest.to_string(), "why": unfit.why });
                    self.store.audit(self.key, &self.actor, "people.message-refused", &detail).await?;
                    let new = NewSubmission {
                        said: Some(unfit.why),
                        ..self.of_message(&found.place, message_id, digest, from, SubmissionState::Refused)?
                    };
                    self.add(lease, &new).await?;
                }
                return Ok(true);
            }
        };
        if !is_free {
            report.waiting += 1;
            return Ok(false);
        }
        let bytes = bytes.unwrap_or_default();
        let number = self.take_sent(lease, &found.place, &bytes, &sent, report).await?;
        match number {
            Some(number) => Ok(self.advance(lease, &desk.post, number, report).await),
            None => Ok(true),
        }
    }

    fn of_message(
        &self,
        place: &str,
        message_id: Option<String>,
        digest: Digest,
        sender: Option<String>,
        state: SubmissionState,
    ) -> Result<NewSubmission, Error> {
        Ok(NewSubmission {
            place: place.to_owned(),
            connector: self.import_entry()?.connector.clone(),
            message_id,
            digest,
            sender,
            taken_by: self.actor.name.clone(),
            file_name: None,
            file: None,
            state,
            plan: None,
            said: None,
            detail: "{}".to_owned(),
        })
    }

    async fn add(&self, lease: &PeopleLease, new: &NewSubmission) -> Result<Option<i64>, Error> {
        let mut tx = self.store.write_people(lease).await?;
        let number = tx.add_submission(new).await?;
        tx.commit().await?;
        Ok(number)
    }

    /// Takes the file of a message of somebody who may hand it in; its number.
    async fn take_sent(
        &self,
        lease: &PeopleLease,
        place: &str,
        message: &[u8],
        sent: &Sender,
        report: &mut ImportReport,
    ) -> Result<Option<i64>, Error> {
        let digest = Digest::of(message);
        let message_id = sent.message_id.as_deref().map(kept);
        let mut new =
            self.of_message(place, message_id, digest, Some(sent.address.clone()), SubmissionState::Faulty)?;
        let mut detail = Detail {
            sender: sent.address.clone(),
            message_id: new.message_id.clone(),
            message_digest: digest.to_string(),
            known_by: kept(&sent.known_by),
            ..Detail::default()
        };
        let (file, said) = match file_of(message) {
            Ok((name, bytes)) => {
                // Each delivery adds lines of its own to the header, so the message is known by what its sender wrote.
                new.digest = Digest::of(&bytes);
                detail.file_digest = Some(new.digest.to_string());
                new.file_name = Some(name);
                (bytes, None)
            }
            Err(why) => (Vec::new(), Some(why)),
        };
        let is_same = |row: &&SubmissionRow| {
            row.of.message_id.is_some()
                && (&row.of.message_id, &row.of.sender, row.of.digest) == (&new.message_id, &new.sender, new.digest)
                && row.of.file_name.is_some()
        };
        let rows = self.store.submissions(self.key).await?;
        let before = rows.iter().rev().filter(is_same).find(|row| row.of.said.is_none() && row.of.state.is_over());
        let mut checked = None;
        if let Some(said) = said {
            new.said = Some(said);
        } else if let Some(before) = before {
            (new.state, new.plan) = (SubmissionState::Done, before.of.plan);
        } else {
            match self.check_file(&file).await? {
                Ok(well) => {
                    detail.rows = well.rows.len();
                    new.state = SubmissionState::Taken;
                    checked = Some(well);
                }
                Err(mistakes) => {
                    let import = self.import_entry()?;
                    let table = table::table(&file, &import.form);
                    let lines: Vec<u64> =
                        table.map(|table| table.rows().map(|(line, _)| line).collect()).unwrap_or_default();
                    detail.rows = lines.len();
                    detail.mistakes = mistakes.list.iter().take(MISTAKES_TOLD).map(ToString::to_string).collect();
                    detail.mistakes_count = mistakes.count;
                    detail.results = of_mistakes(&mistakes, lines.into_iter());
                    new.said = Some(format!("{}; nothing of it was used", counted(mistakes.count, "mistake")));
                }
            }
        }
        if report.dry_run {
            let is_faulty = new.state == SubmissionState::Faulty;
            let state = if is_faulty { new.state.name() } else { "checked" };
            report.submissions.push(SubmissionLine { state, ..faulty_line(None, &new, &detail) });
            return Ok(None);
        }
        new.detail = serde_json::to_string(&detail).map_err(|_| crate::usecase::people::damaged("a submission"))?;
        new.file = Some(file);
        match checked {
            Some(checked) => self.take(lease, &checked, &new).await,
            None => {
                let told = json!({ "connector": new.connector, "sender": new.sender, "message_id": new.message_id,
                    "message_digest": detail.message_digest, "state": new.state.name(), "said": new.said });
                self.store.audit(self.key, &self.actor, "people.handed-in-unused", &told).await?;
                self.add(lease, &new).await
            }
        }
    }

    /// Goes on with a submission and answers its sender. False: it is not through, so no other may be taken.
    async fn advance(&self, lease: &PeopleLease, post: &Post, number: i64, report: &mut ImportReport) -> bool {
        match self.answered(lease, post, number, report).await {
            Ok(is_through) => is_through,
            Err(error) => {
                let advice = error.advice.map(|advice| format!("; {advice}")).unwrap_or_default();
                report.notes.push(format!("submission {number}: {}{advice}", error.what));
                false
            }
        }
    }

    async fn answered(
        &self,
        lease: &PeopleLease,
        post: &Post,
        number: i64,
        report: &mut ImportReport,
    ) -> Result<bool, Error> {
        let row = self.go_on(lease, number).await?;
        let (mut line, results) = match row.of.state {
            SubmissionState::Faulty => {
                let detail: Detail = serde_json::from_str(&row.of.detail)
                    .map_err(|_| crate::usecase::people::damaged("a submission"))?;
                (faulty_line(Some(number), &row.of, &detail), detail.results)
            }
            _ => {
                let (line, outcomes) = self.line_of(&row).await?;
                (line, outcomes.by_line())
            }
        };
        let is_through = !matches!(row.of.state, SubmissionState::Taken | SubmissionState::Planned);
        if row.of.sender.is_some() && (is_through || row.told_at.is_none()) {
            let file = self.store.submitted_file(self.key, number).await?.unwrap_or_default();
            let letter = self.letter(&row, &line, &file, &results).await?;
            match post.mailer.send(&letter).await {
                Ok(()) => line.answered = true,
                Err(error) => {
                    report.notes.push(format!("submission {number}: its sender is not answered yet: {error}"));
                    report.submissions.push(line);
                    return Ok(is_through);
                }
            }
        }
        let mut tx = self.store.write_people(lease).await?;
        if is_through {
            tx.set_submission(number, SubmissionState::Ended, None).await?;
        } else if line.answered {
            tx.told_of_submission(number).await?;
        }
        tx.commit().await?;
        report.submissions.push(line);
        Ok(is_through)
    }

    /// What its sender is told.
    async fn letter(
        &self,
        row: &SubmissionRow,
        line: &SubmissionLine,
        file: &[u8],
        results: &BTreeMap<u64, String>,
    ) -> Result<Letter, Error> {
        let (import, mailed) = (self.import_entry()?, self.mailed_entry()?);
        let name = if line.file.is_empty() { "your message" } else { line.file.as_str() };
        let counts: Vec<String> = line.outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        let (what, subject, mut text) = match row.of.state {
            SubmissionState::Faulty if results.is_empty() => (
                "result",
                format!("Nothing was taken of {name}"),
                format!("{}.\nNothing was changed.\n", line.said.as_deref().unwrap_or_default()),
            ),
            SubmissionState::Faulty => (
                "result",
                format!("{name} was not used: {}", counted(line.mistakes_count, "mistake")),
                format!(
                    "{name} has mistakes, so nothing of it was used and nothing was changed. Each is named in its row's Result, \
                     in the file enclosed. Correct them there and send it again: the column Result does not matter.\n\n{}\n",
                    line.mistakes.join("\n")
                ),
            ),
            SubmissionState::Taken | SubmissionState::Planned => (
                "waits",
                format!("{name} is well and waits for approval"),
                format!(
                    "{name} has no mistake. Nothing was changed yet: it waits for approval.\n{}.\n",
                    counts.join(", ")
                ),
            ),
            SubmissionState::Done | SubmissionState::Ended | SubmissionState::Refused => {
                ("result", format!("Result of {name}"), format!("{name}, row by row: {}.\n", counts.join(", ")))
            }
        };
        let _ = writeln!(text, "\nSubmission {} to the connector {}.", row.submission, import.connector);
        let mut enclosures = Vec::new();
        if let Some(name) = row.of.file_name.as_ref().filter(|_| !results.is_empty())
            && let Ok(bytes) = table::with_results(file, &import.form, results)
        {
            let is_workbook = file.starts_with(b"PK");
            let mime = if is_workbook {
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
            } else {
                "text/csv"
            };
            enclosures.push(Enclosure { name: result_name(name), mime, bytes });
        }
        let domain = mailed.from.rsplit('@').next().unwrap_or_default();
        Ok(Letter {
            from: mailed.from.clone(),
            to: row.of.sender.clone().unwrap_or_default(),
            subject,
            message_id: format!("whimbrel.{what}.{}.{}@{domain}", row.submission, Digest::of(row.of.place.as_bytes())),
            is_automatic: true,
            in_reply_to: row.of.message_id.clone(),
            at: self.store.now().await? / 1000,
            text,
            enclosures,
        })
    }
}

fn faulty_line(number: Option<i64>, of: &NewSubmission, detail: &Detail) -> SubmissionLine {
    SubmissionLine {
        submission: number,
        file: of.file_name.clone().unwrap_or_default(),
        sender: of.sender.clone(),
        message_id: of.message_id.clone(),
        state: SubmissionState::Faulty.name(),
        rows: detail.rows,
        mistakes: detail.mistakes.clone(),
        mistakes_count: detail.mistakes_count,
        said: of.said.clone(),
        ..SubmissionLine::default()
    }
}

/// The one file of a message, with its name; or why there is none.
pub(in crate::usecase::people) fn file_of(message: &[u8]) -> Result<(String, Vec<u8>), String> {
    const TYPES: [&str; 2] = ["text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"];
    let is_table = |name: &str, mime: &str| {
        let ending = name.rsplit('.').next().unwrap_or_default();
        ["csv", "xlsx"].iter().any(|known| ending.eq_ignore_ascii_case(known)) || TYPES.contains(&mime)
    };
    let found =
        inspection::attached(&message, &is_table).map_err(|error| format!("The message can't be read: {error}"))?;
    if let Some(what) = found.unseen.first() {
        return Err(format!("The message can't be read for certain: {}", what.sentence().to_lowercase()));
    }
    let mut files = found.files.into_iter();
    match (files.next(), files.len()) {
        (Some(file), 0) => {
            let name = file.name.rsplit(['/', '\\']).next().map(kept).unwrap_or_default();
            let name = if name.is_empty() { "file.csv".to_owned() } else { name };
            Ok((name, file.bytes))
        }
        (Some(_), more) => Err(format!("{} files are attached: send each in a message of its own", more + 1)),
        (None, _) => Err("No CSV or XLSX file is attached".to_owned()),
    }
}
