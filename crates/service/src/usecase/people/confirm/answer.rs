//! `people confirm --mailed` and `people confirm WHO --code`: what people answer whose an account is.
//!
//! An answer counts when its message is certainly that of the address that was written to, holds one answer, and the code that was
//! sent there; with `STAYS` and `MOVED`, the one that was sent to the account, too. All else is told once, audited, and changes
//! nothing. The decision, the end of the question, and what became of the message are one commit.

use std::collections::HashMap;

use connector::Target;
use model::Digest;
use people::{ObjectId, Word};
use serde::Serialize;
use serde_json::json;
use store::{ConfirmationRow, ConfirmationState, PeopleLease, ReplyRow, WordRow};

use super::super::post::{Found, Mark, Message, Post, Sender, Unfit, kept, sender};
use super::super::{Known, PeopleProject};
use super::ask::as_asked;
use super::code::{Code, CodeOf, Purpose};
use super::reply::{self, Reply};
use super::{Confirmed, Decision, DecisionReport, class};
use crate::Error;
use crate::config::Proof;
use crate::secret::Environment;

/// Answers with a wrong code, until the right one counts no more.
const TRIES_MAX: i64 = 5;

/// What came back.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AnswersReport {
    /// Nothing was kept.
    pub dry_run: bool,
    /// Answers that were taken, or would be.
    pub answered: Vec<AnswerLine>,
    /// Messages that were not.
    pub refused: Vec<RefusedAnswer>,
    /// Messages that programs sent by themselves.
    pub automatic: usize,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// An answer.
#[derive(Clone, Debug, Serialize)]
pub struct AnswerLine {
    /// Whose it is.
    pub id: String,
    /// What they are called.
    pub name: String,
    /// The account.
    pub account: String,
    /// What they said.
    pub outcome: &'static str,
    /// Their class now.
    pub now: &'static str,
}

/// A message that is no answer.
#[derive(Clone, Debug, Serialize)]
pub struct RefusedAnswer {
    /// Who was asked, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Who says to have sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Its Message-ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Why.
    pub why: String,
}

impl AnswersReport {
    /// Every answer was taken.
    pub fn is_well(&self) -> bool {
        self.refused.is_empty() && self.notes.is_empty()
    }
}

/// An answer that is not taken.
struct Refusal {
    why: String,
    /// It holds a code, and not the right one.
    is_wrong_code: bool,
}

impl Refusal {
    fn of(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_wrong_code: false }
    }

    fn wrong_code(why: &str) -> Self {
        Self { why: why.to_owned(), is_wrong_code: true }
    }
}

/// What a message is found to be.
enum Judged {
    /// An answer that counts.
    Answer(Box<Taken>),
    /// The same as one that was taken.
    Again,
    /// Nothing that counts; which question it is about, and whether its code is wrong.
    Unfit(Unfit, Option<Box<ConfirmationRow>>, bool),
}

/// An answer that counts.
struct Taken {
    question: ConfirmationRow,
    word: WordRow,
    words_known: usize,
    line: AnswerLine,
    sender: String,
    message_id: Option<String>,
    known_by: String,
}

impl PeopleProject {
    /// Looks once into the mailbox that answers come to, and deals with what is there.
    pub async fn confirm_mailed(&self, dry_run: bool, environment: Environment<'_>) -> Result<AnswersReport, Error> {
        let post = Post::of(&self.config, &self.confirmation_entry()?.post(), environment)?;
        Box::pin(self.answers_from(&post, dry_run)).await
    }

    /// The same, from this mailbox.
    pub(super) async fn answers_from(&self, post: &Post, dry_run: bool) -> Result<AnswersReport, Error> {
        if !dry_run {
            self.may_change()?;
        }
        let entry = self.confirmation_entry()?;
        let mut report = AnswersReport { dry_run, ..AnswersReport::default() };
        if entry.trust_from {
            let note = "trust_from is on: whoever has a code answers in the name of its address; use authserv_id";
            report.notes.push(note.to_owned());
        }
        let lease = self.hold().await?;
        let done = Box::pin(self.while_held(&lease, self.read_answers(&lease, post, &mut report))).await;
        self.leave(&lease, done.map(|()| report)).await
    }

    async fn read_answers(&self, lease: &PeopleLease, post: &Post, report: &mut AnswersReport) -> Result<(), Error> {
        let entry = self.confirmation_entry()?.post();
        let mut mailbox = post.open(&entry).await?;
        let read = self.read_replies(lease, post, mailbox.as_mut(), report).await;
        mailbox.close().await;
        read?;
        if report.dry_run {
            return Ok(());
        }
        let mark = |row: ReplyRow| {
            let is_done = row.is_taken || row.why.is_none();
            (row.place, if is_done { Mark::Done } else { Mark::Refused })
        };
        let marks: HashMap<String, Mark> = self.store.replies(self.key).await?.into_iter().map(mark).collect();
        post.mark(&entry, &marks, &mut report.notes).await
    }

    async fn read_replies(
        &self,
        lease: &PeopleLease,
        post: &Post,
        mailbox: &mut dyn Target,
        report: &mut AnswersReport,
    ) -> Result<(), Error> {
        let entry = self.confirmation_entry()?.post();
        let done: HashMap<String, ReplyRow> =
            self.store.replies(self.key).await?.into_iter().map(|row| (row.place.clone(), row)).collect();
        for found in post.listed(&entry, mailbox).await?.iter().filter(|found| !done.contains_key(&found.place)) {
            let (judged, digest) = match post.read(&entry, mailbox, found).await? {
                Message::Read(bytes) => {
                    let received_at = found.received_at.map(|at| at.saturating_mul(1000));
                    (self.judged(&bytes, received_at).await?, Digest::of(&bytes))
                }
                Message::TooLarge => (Judged::Unfit(Unfit::unread("it is too large"), None, false), Digest::of(b"")),
                Message::Gone => continue,
                Message::Unreadable(error) => {
                    report.notes.push(format!("a message can't be read: {error}"));
                    continue;
                }
            };
            self.deal_with(lease, found, judged, digest, report).await?;
        }
        Ok(())
    }

    /// Looks what a message is. Nothing is changed.
    async fn judged(&self, message: &[u8], received_at: Option<i64>) -> Result<Judged, Error> {
        let entry = self.confirmation_entry()?;
        let sent = match sender(message, entry.post().trust()) {
            Ok(sent) => sent,
            Err(unfit) => return Ok(Judged::Unfit(unfit, None, false)),
        };
        let questions = self.store.confirmations(self.key).await?;
        let theirs = |row: &&ConfirmationRow| row.of.address.eq_ignore_ascii_case(&sent.address);
        let Some(question) = questions.iter().rev().find(theirs) else {
            return Ok(Judged::Unfit(sent.unfit("nobody of this address was asked"), None, false));
        };
        let reply = match reply::read(message) {
            Ok(reply) => reply,
            Err(why) => return Ok(Judged::Unfit(sent.unfit(why), Some(Box::new(question.clone())), false)),
        };
        if question.state == ConfirmationState::Answered && self.was_taken(&sent, question).await? {
            return Ok(Judged::Again);
        }
        match self.taken(&sent, question, &reply, received_at).await? {
            Ok(taken) => Ok(Judged::Answer(Box::new(taken))),
            Err(refusal) => {
                Ok(Judged::Unfit(sent.unfit(refusal.why), Some(Box::new(question.clone())), refusal.is_wrong_code))
            }
        }
    }

    /// Was this message, delivered before, the answer?
    async fn was_taken(&self, sent: &Sender, question: &ConfirmationRow) -> Result<bool, Error> {
        let message_id = sent.message_id.as_deref().map(kept);
        let replies = self.store.replies(self.key).await?;
        Ok(message_id.is_some()
            && replies.iter().any(|row| {
                row.is_taken && row.confirmation == Some(question.confirmation) && row.message_id == message_id
            }))
    }

    async fn taken(
        &self,
        sent: &Sender,
        question: &ConfirmationRow,
        reply: &Reply,
        received_at: Option<i64>,
    ) -> Result<Result<Taken, Refusal>, Error> {
        let words_known = self.words_of(question).await?;
        let known = self.known().await?;
        let at = match received_at {
            Some(at) => at,
            None => self.store.now().await?,
        };
        let message_id = sent.message_id.as_deref().map(kept);
        let known_by = kept(&sent.known_by);
        let codes = if reply.answer == Confirmed::SomebodyElse { "the code" } else { "the codes" };
        let evidence = format!(
            "their own answer by mail {} from {}, with {codes} of question {}; sender known by {known_by}",
            message_id.as_deref().unwrap_or("without Message-ID"),
            sent.address,
            question.confirmation
        );
        let word = match self.answer(&known, question, &reply.codes, reply.answer, (at, &evidence)).await? {
            Ok(word) => word,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let name = object_name(&known, question);
        let said_by = format!("{name} <{}>", sent.address);
        Ok(Ok(Taken {
            question: question.clone(),
            word: word_row(question, &word, evidence, said_by)?,
            words_known,
            line: AnswerLine {
                id: object_id(question).to_string(),
                name,
                account: question.of.account.clone(),
                outcome: reply.answer.name(),
                now: "unresolved",
            },
            sender: sent.address.clone(),
            message_id,
            known_by,
        }))
    }

    /// The decision that an answer is; or why it is none.
    async fn answer(
        &self,
        known: &Known,
        question: &ConfirmationRow,
        codes: &[Code],
        answer: Confirmed,
        (at, evidence): (i64, &str),
    ) -> Result<Result<Word, Refusal>, Error> {
        match question.state {
            ConfirmationState::Sending | ConfirmationState::Asked => {}
            ConfirmationState::Answered => return Ok(Err(Refusal::of("the question is answered already"))),
            ConfirmationState::Replaced => return Ok(Err(Refusal::of("the question was asked again"))),
            ConfirmationState::Void => {
                let why = "too many answers had a wrong code: ask again with people confirm --ask --again";
                return Ok(Err(Refusal::of(why)));
            }
        }
        let object = object_id(question);
        let purpose = |of: CodeOf| Purpose { object: &object, account: &question.of.account, of };
        let tags = self.tags(false).await?;
        let is_own = |code: &Code| tags.is(&question.of.code, code, purpose(CodeOf::Own));
        let is_accounts = |code: &Code| {
            question.of.account_code.as_ref().is_some_and(|tag| tags.is(tag, code, purpose(CodeOf::Account)))
        };
        if !codes.iter().any(is_own) {
            let refusal = if codes.is_empty() {
                Refusal::of("it holds no code; the letter has to stand below the answer")
            } else {
                Refusal::wrong_code("its code is not the one of the last letter")
            };
            return Ok(Err(refusal));
        }
        if at > question.of.expires_at {
            return Ok(Err(Refusal::of("it came too late: ask again with people confirm --ask")));
        }
        let proof = self.entry.confirmation.as_ref().map(|entry| entry.proof).unwrap_or_default();
        let needs_both = proof == Proof::Both || question.of.account_code.is_some();
        if answer != Confirmed::SomebodyElse && needs_both && !codes.iter().any(is_accounts) {
            let is_wrong_code = codes.iter().any(|code| !is_own(code));
            let why = "it says that the account is theirs, and lacks the code that was sent to the account".to_owned();
            return Ok(Err(Refusal { why, is_wrong_code }));
        }
        // What was asked about two entries holds for as long as both are what they were.
        let row = known.reconciliation.row(&object);
        let Some(now) = row.and_then(|row| as_asked(known, row, question)) else {
            let why =
                "it, its account, or what spoke for it has changed since: look at it, and ask again where it waits";
            return Ok(Err(Refusal::of(why)));
        };
        let decision = Decision::Confirmed(question.of.account.clone(), answer);
        Ok(self.word(known, now.object, decision, evidence).map_err(|error| Refusal::of(error.what)))
    }

    /// How many decisions about its object are known.
    async fn words_of(&self, question: &ConfirmationRow) -> Result<usize, Error> {
        let words = self.store.words(self.key).await?;
        Ok(words.iter().filter(|word| word.directory == question.of.directory && word.key == question.of.key).count())
    }

    async fn deal_with(
        &self,
        lease: &PeopleLease,
        found: &Found,
        judged: Judged,
        digest: Digest,
        report: &mut AnswersReport,
    ) -> Result<(), Error> {
        let mut row = ReplyRow {
            place: found.place.clone(),
            message_id: None,
            sender: None,
            digest,
            confirmation: None,
            is_taken: false,
            why: None,
        };
        match judged {
            Judged::Answer(taken) => {
                (row.message_id, row.sender) = (taken.message_id.clone(), Some(taken.sender.clone()));
                (row.confirmation, row.is_taken) = (Some(taken.question.confirmation), true);
                return self.take_answer(lease, *taken, row, report).await;
            }
            Judged::Again => {}
            Judged::Unfit(unfit, _, _) if unfit.is_automatic => report.automatic += 1,
            Judged::Unfit(unfit, question, is_wrong_code) => {
                (row.message_id, row.sender) = (unfit.message_id.as_deref().map(kept), unfit.from.clone());
                row.why = Some(unfit.why.clone());
                row.confirmation = question.as_ref().map(|question| question.confirmation);
                let id = question.as_ref().map(|question| object_id(question).to_string());
                if !report.dry_run {
                    let question = question.as_deref().map(|question| (question, is_wrong_code));
                    self.refuse(lease, question, Some(&row), &unfit.why).await?;
                }
                let (from, message_id) = (row.sender, row.message_id);
                report.refused.push(RefusedAnswer { id, from, message_id, why: unfit.why });
                return Ok(());
            }
        }
        if !report.dry_run {
            let mut tx = self.store.write_people(lease).await?;
            tx.add_reply(&row).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn take_answer(
        &self,
        lease: &PeopleLease,
        taken: Taken,
        row: ReplyRow,
        report: &mut AnswersReport,
    ) -> Result<(), Error> {
        if report.dry_run {
            report.answered.push(taken.line);
            return Ok(());
        }
        let detail = json!({ "object": taken.line.id, "decided": taken.word.what, "question": taken.question.confirmation,
            "from": taken.sender, "message_id": taken.message_id, "message_digest": row.digest.to_string(),
            "known_by": taken.known_by, "place": row.place });
        self.store.audit(self.key, &self.actor, "people.answered", &detail).await?;
        let mut tx = self.store.write_people(lease).await?;
        let is_taken = tx.confirmation_answered(taken.question.confirmation, &taken.word, taken.words_known).await?
            && tx.add_reply(&row).await?;
        if !is_taken {
            report.notes.push(format!("{}: something else was decided just now; run this again", taken.line.id));
            return Ok(());
        }
        tx.commit().await?;
        let known = self.known().await?;
        let now = class(&known, &object_id(&taken.question));
        report.answered.push(AnswerLine { now, ..taken.line });
        Ok(())
    }

    /// Records that an answer is not taken.
    async fn refuse(
        &self,
        lease: &PeopleLease,
        question: Option<(&ConfirmationRow, bool)>,
        row: Option<&ReplyRow>,
        why: &str,
    ) -> Result<(), Error> {
        let detail = json!({ "object": question.map(|(question, _)| object_id(question).to_string()),
            "question": question.map(|(question, _)| question.confirmation),
            "from": row.and_then(|row| row.sender.as_ref()), "message_id": row.and_then(|row| row.message_id.as_ref()),
            "message_digest": row.map(|row| row.digest.to_string()), "place": row.map(|row| &row.place), "why": why });
        self.store.audit(self.key, &self.actor, "people.answer-refused", &detail).await?;
        let mut tx = self.store.write_people(lease).await?;
        if let Some((question, is_wrong_code)) = question {
            tx.confirmation_refused(question.confirmation, why, is_wrong_code, TRIES_MAX).await?;
        }
        if let Some(row) = row {
            tx.add_reply(row).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Records what somebody answered in another way than by mail, with the codes that they read out: by whom, and on what evidence.
    pub async fn confirm_by_code(
        &self,
        wanted: &str,
        codes: &[String],
        answer: Confirmed,
        by: Option<&str>,
        evidence: &str,
    ) -> Result<DecisionReport, Error> {
        self.may_change()?;
        if self.is_rehearsed {
            return Err(
                Error::usage("a code is tried for good, so there is no dry run of it").advise("leave --dry-run out")
            );
        }
        let (by, evidence) = (by.unwrap_or_default().trim(), evidence.trim());
        if by.is_empty() || evidence.is_empty() {
            return Err(Error::usage("an answer in somebody's name needs who took it, and its evidence")
                .advise("give --by NAME and --evidence \"call 4711 of 3 May, number known from the directory\""));
        }
        let codes = codes.iter().map(|code| {
            Code::parse(code).ok_or_else(|| {
                Error::usage("a code has sixteen letters and digits").advise("write it as the letter has it")
            })
        });
        let codes = codes.collect::<Result<Vec<_>, _>>()?;
        let lease = self.hold().await?;
        let work = self.by_code(&lease, wanted, &codes, answer, (by, evidence));
        let done = Box::pin(self.while_held(&lease, work)).await;
        self.leave(&lease, done).await
    }

    async fn by_code(
        &self,
        lease: &PeopleLease,
        wanted: &str,
        codes: &[Code],
        answer: Confirmed,
        (by, evidence): (&str, &str),
    ) -> Result<DecisionReport, Error> {
        let known = self.known().await?;
        let object = known.find(wanted)?;
        let Some(question) = known.asked.get(&object.id) else {
            return Err(Error::usage(format!("{} was not asked", object.id)).advise("ask with people confirm --ask"));
        };
        let words_known = self.words_of(question).await?;
        let before = class(&known, &object.id);
        let evidence = format!("{evidence}; with the codes of question {}", question.confirmation);
        let at = self.store.now().await?;
        let word = match self.answer(&known, question, codes, answer, (at, &evidence)).await? {
            Ok(word) => word,
            Err(refusal) => {
                self.refuse(lease, Some((question, refusal.is_wrong_code)), None, &refusal.why).await?;
                return Err(Error::refused(
                    "R-055",
                    format!("the answer of {} is not taken: {}", object.id, refusal.why),
                )
                .advise("people show WHO says where it stands"));
            }
        };
        let word = word_row(question, &word, evidence, by.to_owned())?;
        let detail = json!({ "object": object.id.to_string(), "decided": word.what, "question": question.confirmation,
            "by": by, "evidence": word.evidence });
        self.store.audit(self.key, &self.actor, "people.answered", &detail).await?;
        let mut tx = self.store.write_people(lease).await?;
        if !tx.confirmation_answered(question.confirmation, &word, words_known).await? {
            let what = format!("something else was decided about {} just now", object.id);
            return Err(Error::usage(what).advise("look at it with people show, then run this again"));
        }
        tx.commit().await?;
        self.decided(&object.id, by, before).await
    }
}

fn object_id(question: &ConfirmationRow) -> ObjectId {
    ObjectId::new(&question.of.directory, &question.of.key)
}

fn object_name(known: &Known, question: &ConfirmationRow) -> String {
    let id = object_id(question);
    known.object(&id).map_or_else(|| id.to_string(), |object| object.entry.label().to_owned())
}

fn word_row(question: &ConfirmationRow, word: &Word, evidence: String, said_by: String) -> Result<WordRow, Error> {
    Ok(WordRow {
        directory: question.of.directory.clone(),
        key: question.of.key.clone(),
        what: serde_json::to_string(word).map_err(|_| super::super::damaged("a decision"))?,
        evidence,
        said_by,
        at: 0,
    })
}
