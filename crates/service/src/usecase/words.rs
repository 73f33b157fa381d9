//! `held` and `failed`: what waits for a person's word, and the words.
//!
//! Every word is in the audit log before it takes effect: who, about what, and why.

use std::collections::BTreeMap;

use model::{Cause, ItemId, Owner, Side};
use serde::Serialize;
use serde_json::json;
use store::{MailboxRow, RemovalState};

use crate::{Error, Project, Selection};

/// References written out in the audit log, at most; beyond, their number tells.
const REFERENCES_AUDITED: usize = 1_000;

/// What kind of thing waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Waits {
    /// The source has the item no more: approve, and it is removed from the target; reject, and it stays there.
    Removal,
    /// The item of the source may be on the target already: approve, and it is copied; reject, and what is there counts as
    /// it.
    Item,
    /// Many items are gone from the target: approve, and that is followed.
    Vanished,
}

/// Something that waits.
#[derive(Clone, Debug, Serialize)]
pub struct HeldLine {
    /// What to call it in `held approve` and `held reject`.
    pub reference: String,
    /// The mailbox, by its name at the source.
    pub mailbox: String,
    /// What kind of thing waits.
    pub waits: Waits,
    /// The rule by which it waits.
    pub rule: String,
    /// The folder at the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// The item on the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_item: Option<String>,
    /// How many bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// When it was received (seconds since 1970).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<i64>,
    /// What it is about, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// Said, and done by the next sync.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word: Option<&'static str>,
    #[serde(skip)]
    place: Place,
}

/// Where something that waits is.
#[derive(Clone, Debug)]
enum Place {
    Item(i64, ItemId),
    Mailbox(i64),
}

/// What waits.
#[derive(Clone, Debug, Serialize)]
pub struct HeldReport {
    /// All of it.
    pub held: Vec<HeldLine>,
}

/// An item that failed.
#[derive(Clone, Debug, Serialize)]
pub struct FailedLine {
    /// What to call it in `failed retry` and `failed accept`.
    pub reference: String,
    /// The mailbox, by its name at the source.
    pub mailbox: String,
    /// The folder at the source.
    pub folder: String,
    /// The class.
    pub cause: Cause,
    /// What was tried and why it failed.
    pub what: String,
    /// The server's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// How many bytes.
    pub size_bytes: u64,
    /// How often it was tried.
    pub tries: i64,
    /// Who has to act.
    pub owner: Owner,
    /// What to do about it.
    pub advice: &'static str,
    /// Who has accepted its loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_why: Option<String>,
    #[serde(skip)]
    place: (i64, ItemId),
}

/// What failed.
#[derive(Clone, Debug, Serialize)]
pub struct FailedReport {
    /// All of it.
    pub failed: Vec<FailedLine>,
}

/// What a word did.
#[derive(Clone, Debug, Serialize)]
pub struct WordReport {
    /// The word.
    pub word: &'static str,
    /// How many things it was said about.
    pub said_of: u64,
    /// How many more it came too late for: a worker had begun to do what was said before, or it waits no more.
    pub too_late: u64,
}

/// About what a word is said: references, or all of a class, of the mailboxes chosen.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// By reference.
    pub references: Vec<String>,
    /// By the rule (of what is held) or the cause (of what failed).
    pub class: Option<String>,
    /// Everything of the mailboxes chosen.
    pub all: bool,
}

/// Who says a word, and why.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// In whose name.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

impl About {
    fn check(&self, selection: &Selection) -> Result<(), Error> {
        let is_chosen = !selection.mailboxes.is_empty() || selection.collection.is_some();
        if !self.references.is_empty() || self.class.is_some() || self.all || is_chosen {
            return Ok(());
        }
        let what = "nothing is chosen that the word is about";
        Err(Error::usage(what)
            .advise("give references from the list, a class, a mailbox, or --all; nothing was changed"))
    }

    fn wants(&self, reference: &str, class: &str) -> bool {
        let is_named = self.references.is_empty() || self.references.iter().any(|wanted| wanted == reference);
        is_named && self.class.as_ref().is_none_or(|wanted| wanted == class)
    }

    /// Every reference given must be there.
    fn require(&self, known: &[&str], list: &str) -> Result<(), Error> {
        match self.references.iter().find(|wanted| !known.contains(&wanted.as_str())) {
            None => Ok(()),
            Some(wanted) => {
                let what = format!("{wanted:?} is not in the list");
                Err(Error::usage(what).advise(format!("run `whimbrel {list} list`; nothing was changed")))
            }
        }
    }
}

pub(super) fn reference(folder: i64, id: &ItemId) -> String {
    format!("{folder}/{id}")
}

impl Project {
    /// What waits for a word in the mailboxes chosen.
    pub async fn held(&self, selection: &Selection) -> Result<HeldReport, Error> {
        let mut held = Vec::new();
        for row in self.select(selection).await? {
            self.held_of(&row, &mut held).await?;
        }
        Ok(HeldReport { held })
    }

    async fn held_of(&self, row: &MailboxRow, held: &mut Vec<HeldLine>) -> Result<(), Error> {
        let mailbox = row.roster.source_name.clone();
        if row.state.cause == Some((Cause::MassDisappearance, Some(Side::Target))) {
            let is_said = self.store.follows_vanished(self.key, row.mailbox).await?;
            held.push(HeldLine {
                reference: format!("mailbox/{}", row.mailbox),
                mailbox: mailbox.clone(),
                waits: Waits::Vanished,
                rule: Cause::MassDisappearance.code().to_owned(),
                folder: None,
                target_item: None,
                size_bytes: None,
                received: None,
                what: row.state.condition.reason().map(str::to_owned),
                word: is_said.then_some("approved"),
                place: Place::Mailbox(row.mailbox),
            });
        }
        let folders = self.store.folders(self.key, row.mailbox).await?;
        let paths: BTreeMap<i64, String> =
            folders.into_iter().map(|folder| (folder.folder, folder.path.to_string())).collect();
        for item in self.store.held_items(self.key, row.mailbox).await? {
            held.push(HeldLine {
                reference: reference(item.folder, &item.source_id),
                mailbox: mailbox.clone(),
                waits: Waits::Item,
                rule: Cause::Ambiguous.code().to_owned(),
                folder: paths.get(&item.folder).cloned(),
                target_item: item.target_id.as_ref().map(ToString::to_string),
                size_bytes: None,
                received: None,
                what: Some(item.what),
                word: item.is_another.map(|is_another| if is_another { "approved" } else { "rejected" }),
                place: Place::Item(item.folder, item.source_id),
            });
        }
        for removal in self.store.held_removals(self.key, row.mailbox).await? {
            let word = match removal.state {
                RemovalState::Held => None,
                RemovalState::Approved => Some("approved"),
                RemovalState::Obeying => Some("under way"),
                RemovalState::Due | RemovalState::Doing | RemovalState::Kept => continue,
            };
            held.push(HeldLine {
                reference: reference(removal.folder, &removal.source_id),
                mailbox: mailbox.clone(),
                waits: Waits::Removal,
                rule: removal.rule,
                folder: paths.get(&removal.folder).cloned(),
                target_item: removal.target_id.as_ref().map(ToString::to_string),
                size_bytes: Some(removal.size_bytes),
                received: removal.received,
                what: None,
                word,
                place: Place::Item(removal.folder, removal.source_id),
            });
        }
        Ok(())
    }

    /// Says yes or no to what waits.
    pub async fn answer_held(
        &self,
        selection: &Selection,
        about: &About,
        said: &Said,
        approve: bool,
    ) -> Result<WordReport, Error> {
        self.may_migrate()?;
        about.check(selection)?;
        let listed = self.held(selection).await?.held;
        about.require(&listed.iter().map(|line| line.reference.as_str()).collect::<Vec<_>>(), "held")?;
        let chosen: Vec<HeldLine> =
            listed.into_iter().filter(|line| about.wants(&line.reference, &line.rule)).collect();
        if !approve && let Some(line) = chosen.iter().find(|line| line.waits == Waits::Vanished) {
            let what = format!("{} stays parked as long as nobody approves; there is nothing to reject", line.mailbox);
            return Err(Error::usage(what).advise("bring back what is gone from the target, or approve"));
        }
        let word = if approve { "approve" } else { "reject" };
        let references: Vec<&str> = chosen.iter().map(|line| line.reference.as_str()).collect();
        self.audit_word(&format!("held.{word}"), &references, said).await?;
        let (mut removals, mut items) = (Vec::new(), Vec::new());
        let mut said_of = 0;
        for line in chosen {
            match (line.waits, line.place) {
                (Waits::Removal, Place::Item(folder, id)) => removals.push((folder, id)),
                (_, Place::Item(folder, id)) => items.push((folder, id)),
                (_, Place::Mailbox(mailbox)) => {
                    self.store.follow_vanished(self.key, mailbox).await?;
                    said_of += 1;
                }
            }
        }
        let asked = (removals.len() + items.len()) as u64;
        let answered = self.store.answer_removals(self.key, &removals, approve).await?
            + self.store.answer_items(self.key, &items, approve).await?;
        Ok(WordReport { word, said_of: said_of + answered, too_late: asked - answered })
    }

    /// What failed in the mailboxes chosen.
    pub async fn failed(&self, selection: &Selection, cause: Option<&str>) -> Result<FailedReport, Error> {
        if let Some(cause) = cause
            && Cause::from_code(cause).is_none()
        {
            return Err(unknown_cause(cause));
        }
        let mut failed = Vec::new();
        for row in self.select(selection).await? {
            for failure in self.store.failures(self.key, Some(row.mailbox)).await? {
                if cause.is_some_and(|cause| failure.cause.code() != cause) {
                    continue;
                }
                failed.push(FailedLine {
                    reference: reference(failure.folder, &failure.source_id),
                    mailbox: row.roster.source_name.clone(),
                    folder: failure.path.to_string(),
                    cause: failure.cause,
                    what: failure.what,
                    server: failure.server,
                    size_bytes: failure.size_bytes,
                    tries: failure.tries,
                    owner: failure.cause.owner(),
                    advice: failure.cause.advice(),
                    accepted_by: failure.accepted_by,
                    accepted_why: failure.accepted_why,
                    place: (failure.folder, failure.source_id),
                });
            }
        }
        Ok(FailedReport { failed })
    }

    /// Has what failed tried again by the next sync, whatever its cause.
    pub async fn retry_failed(&self, selection: &Selection, about: &About) -> Result<WordReport, Error> {
        let chosen = self.chosen_failures(selection, about).await?;
        let references: Vec<&str> = chosen.iter().map(|line| line.reference.as_str()).collect();
        self.audit_word("failed.retry", &references, &Said::default()).await?;
        let items: Vec<(i64, ItemId)> = chosen.into_iter().map(|line| line.place).collect();
        let said_of = self.store.retry_failures(self.key, &items).await?;
        Ok(WordReport { word: "retry", said_of, too_late: items.len() as u64 - said_of })
    }

    /// Accepts the loss of what failed, in somebody's name and for a reason.
    pub async fn accept_failed(&self, selection: &Selection, about: &About, said: &Said) -> Result<WordReport, Error> {
        let given =
            |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let (Some(by), Some(reason)) = (given(&said.by), given(&said.reason)) else {
            let error = Error::refused("R-008", "a loss is accepted by a named person, for a reason");
            return Err(error.advise("give --by NAME and --reason TEXT; nothing was changed"));
        };
        let chosen = self.chosen_failures(selection, about).await?;
        let references: Vec<&str> = chosen.iter().map(|line| line.reference.as_str()).collect();
        self.audit_word("failed.accept", &references, said).await?;
        let items: Vec<(i64, ItemId)> = chosen.into_iter().map(|line| line.place).collect();
        let said_of = self.store.accept_failures(self.key, &items, &by, &reason).await?;
        Ok(WordReport { word: "accept", said_of, too_late: items.len() as u64 - said_of })
    }

    async fn chosen_failures(&self, selection: &Selection, about: &About) -> Result<Vec<FailedLine>, Error> {
        self.may_migrate()?;
        about.check(selection)?;
        let listed = self.failed(selection, about.class.as_deref()).await?.failed;
        about.require(&listed.iter().map(|line| line.reference.as_str()).collect::<Vec<_>>(), "failed")?;
        Ok(listed.into_iter().filter(|line| about.wants(&line.reference, line.cause.code())).collect())
    }

    async fn audit_word(&self, action: &str, references: &[&str], said: &Said) -> Result<(), Error> {
        let count = references.len();
        if count == 0 {
            return Ok(());
        }
        let references = &references[..count.min(REFERENCES_AUDITED)];
        let detail = json!({ "count": count, "references": references, "by": said.by, "reason": said.reason });
        self.store.audit(self.key, &self.actor, action, &detail).await?;
        Ok(())
    }
}

fn unknown_cause(cause: &str) -> Error {
    let codes = Cause::EVERY.iter().map(|cause| cause.code());
    let error = Error::usage(format!("{cause:?} is no cause of a failure"));
    match crate::config::alike(cause, codes) {
        Some(meant) => error.advise(format!("did you mean {meant:?}?")),
        None => error.advise("see the causes in `whimbrel failed list`"),
    }
}
