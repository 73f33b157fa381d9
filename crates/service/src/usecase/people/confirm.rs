//! `people match`, `exclude` and `confirm`: what a named person decides about an object (R-052, R-055).
//!
//! Each decision is about two entries as they are at that moment: when one of them changes, it has to be made again.

mod answer;
mod ask;
mod code;
mod letter;
mod reply;

use model::{Entry, EntryKind};
use people::{Class, Looked, Outcome, Word, facts};
use serde::Serialize;
use serde_json::json;
use store::WordRow;

pub use self::answer::{AnswerLine, AnswersReport, RefusedAnswer};
pub use self::ask::{AskReport, AskedLine, NotAskedLine};
pub(super) use self::ask::{is_as_asked, latest};
use super::{Known, PeopleProject};
use crate::Error;

/// The word that takes an exclusion back, as it is kept.
pub(super) const INCLUDED: &str = r#"{"word":"included"}"#;

/// What is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// This account is theirs.
    Same(String),
    /// This account is not theirs.
    Different(String),
    /// They have no account.
    NoAccount,
    /// They do not move.
    Exclude,
    /// They do not, and their mail goes to the archive alone.
    Archive,
    /// They do, after all: the word that left them out is taken back.
    Include,
    /// They get an account although they came after the cut-off date.
    Admit,
    /// Its person confirmed the account under another organisation's code.
    Confirmed(String, Confirmed),
}

/// What a person confirmed about an account under another organisation's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// It is theirs, and stays there.
    Stays,
    /// It is theirs; they left there and joined here.
    Transferred,
    /// It is somebody else's.
    SomebodyElse,
}

impl Confirmed {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stays => "stays",
            Self::Transferred => "transferred",
            Self::SomebodyElse => "somebody-else",
        }
    }
}

/// What was recorded.
#[derive(Clone, Debug, Serialize)]
pub struct DecisionReport {
    /// The object.
    pub id: String,
    /// Who decided.
    pub by: String,
    /// The object's class before.
    pub before: &'static str,
    /// The object's class now.
    pub now: &'static str,
    /// Why it is in that class, in words.
    pub why: String,
    /// Nothing was recorded.
    pub dry_run: bool,
}

impl PeopleProject {
    /// Records what somebody decided about an object, and on what evidence.
    pub async fn decide(
        &self,
        wanted: &str,
        decision: Decision,
        by: Option<&str>,
        evidence: &str,
    ) -> Result<DecisionReport, Error> {
        self.may_change()?;
        if evidence.trim().is_empty() {
            return Err(Error::usage("a decision about a person needs its evidence")
                .advise("say what it rests on: --evidence \"letter of 3 May\""));
        }
        let known = self.known().await?;
        let object = known.find(wanted)?.clone();
        let before = class(&known, &object.id);
        let word = match decision {
            Decision::Include => {
                refuse_included(&known, &object)?;
                INCLUDED.to_owned()
            }
            decision => {
                if decision == Decision::Archive {
                    self.refuse_archive(&object).await?;
                }
                let word = self.word(&known, &object, decision, evidence.trim())?;
                serde_json::to_string(&word).map_err(|_| super::damaged("a decision"))?
            }
        };
        let by = by.unwrap_or(&self.actor.name).trim();
        if by.is_empty() {
            return Err(Error::usage("a decision needs the name of who made it").advise("give it with --by NAME"));
        }
        let row = WordRow {
            directory: object.id.directory.clone(),
            key: object.id.key.clone(),
            what: word,
            evidence: evidence.trim().to_owned(),
            said_by: by.to_owned(),
            at: 0,
        };
        let detail =
            json!({ "object": object.id.to_string(), "decided": row.what, "by": by, "evidence": row.evidence });
        if self.is_rehearsed {
            let after = self.known_if(&row).await?;
            return self.decided_in(&after, &object.id, by, before).await;
        }
        self.store.audit(self.key, &self.actor, "people.decided", &detail).await?;
        self.store.add_word(self.key, &row).await?;
        self.decided(&object.id, by, before).await
    }

    /// What was recorded about an object.
    async fn decided(&self, id: &people::ObjectId, by: &str, before: &'static str) -> Result<DecisionReport, Error> {
        self.decided_in(&self.known().await?, id, by, before).await
    }

    async fn decided_in(
        &self,
        after: &Known,
        id: &people::ObjectId,
        by: &str,
        before: &'static str,
    ) -> Result<DecisionReport, Error> {
        let signed = self.signed().await?;
        let line = after.reconciliation.row(id).map(|row| super::list::line(after, row, &signed));
        let line = line.ok_or_else(|| super::damaged("the reconciliation"))?;
        let dry_run = self.is_rehearsed;
        Ok(DecisionReport { id: line.id, by: by.to_owned(), before, now: line.class, why: line.why, dry_run })
    }

    fn word(&self, known: &Known, object: &people::Object, decision: Decision, evidence: &str) -> Result<Word, Error> {
        let row = known.reconciliation.row(&object.id);
        let candidates = || row.into_iter().flat_map(|row| &row.matched.candidates);
        let looked = |key: &str| candidates().find(|candidate| candidate.account == key).map(people::Candidate::looked);
        // What is gone from the platform can be looked at, too.
        let about = |key: &str| {
            let account = account_called(known, key)?;
            Ok::<_, Error>((account.key.clone(), facts(object, account), account))
        };
        Ok(match decision {
            Decision::Same(key) => {
                let (account, facts, entry) = about(&key)?;
                refuse_other_kind(object, entry)?;
                Self::refuse_taken(known, object, &account)?;
                let other = entry.organisation.as_deref();
                if let Some(code) = other.filter(|code| !code.eq_ignore_ascii_case(self.config.code.as_str())) {
                    let what = format!("{key} is under the code {code}: only its own person can say whose it is");
                    return Err(Error::refused("R-055", what).advise("record their answer with people confirm"));
                }
                Word::Same { account, facts }
            }
            Decision::Different(key) => {
                let (account, facts, _) = about(&key)?;
                let evidence = looked(&account).map(|looked| looked.evidence).unwrap_or_default();
                Word::Different(Looked { account, facts, evidence })
            }
            Decision::NoAccount => Word::NoAccount { looked_at: candidates().map(people::Candidate::looked).collect() },
            Decision::Admit => Word::Admitted,
            Decision::Archive => Word::Archived { reason: evidence.to_owned() },
            Decision::Exclude | Decision::Include => Word::Excluded { reason: evidence.to_owned() },
            Decision::Confirmed(key, confirmed) => {
                let (account, _, entry) = about(&key)?;
                let outcome = match confirmed {
                    Confirmed::Stays => Outcome::Stays,
                    Confirmed::Transferred => Outcome::Transferred,
                    Confirmed::SomebodyElse => Outcome::SomebodyElse,
                };
                if outcome != Outcome::SomebodyElse {
                    refuse_other_kind(object, entry)?;
                    Self::refuse_taken(known, object, &account)?;
                }
                Word::confirmed(object, entry, self.config.code.as_str(), outcome, looked(&account))
            }
        })
    }

    /// What has begun to be copied to the target is not left to the archive: part of it would lie here, and part there (R-043).
    async fn refuse_archive(&self, object: &people::Object) -> Result<(), Error> {
        let Some(archive) = &self.config.file.archive else {
            return Err(Error::usage(format!("{} has no [archive]", crate::PROJECT_FILE))
                .advise("say where mail that is only kept goes: [archive] with mail, the name of an endpoint"));
        };
        if !object.entry.kind.holds_mail() {
            return Err(
                Error::usage(format!("{} has no mail of its own", object.id)).advise("leave it out: people exclude")
            );
        }
        let endpoints = self.store.endpoints(self.key).await?;
        let number = |wanted: &str| endpoints.iter().find(|(_, name, _)| name == wanted).map(|(number, ..)| *number);
        let archive = number(&archive.mail);
        let at = self.entry.mail_endpoint(&object.id.directory, &self.config.sources());
        let names = crate::roster::names_of(&object.entry);
        let mailboxes = self.store.mailboxes(self.key).await?;
        let begun = mailboxes.iter().find(|row| {
            names.contains(&row.roster.source_name.to_lowercase())
                && row.state.phase != model::Phase::Planned
                && Some(row.roster.target_endpoint) != archive
                && at.as_ref().is_none_or(|at| number(at) == Some(row.roster.source_endpoint))
        });
        let Some(begun) = begun else { return Ok(()) };
        let what = format!("the copy of {} to {} has begun", begun.roster.source_name, begun.roster.target_name);
        Err(Error::refused("R-043", what)
            .advise("let it move; or leave it out with people exclude, and archive it by a project of its own"))
    }

    /// Each account is at most one object's (R-058).
    fn refuse_taken(known: &Known, object: &people::Object, account: &str) -> Result<(), Error> {
        let holder = known
            .reconciliation
            .rows
            .iter()
            .find(|row| row.matched.account() == Some(account) && row.matched.object != object.id);
        let Some(holder) = holder else { return Ok(()) };
        let what = format!("the account {account} is that of {}", holder.matched.object);
        Err(Error::refused("R-058", what).advise("say first that it is not theirs: people match WHO --different KEY"))
    }
}

/// The account that somebody means: the one of this key, or the only one with this address.
fn account_called<'k>(known: &'k Known, wanted: &str) -> Result<&'k Entry, Error> {
    if let Some(account) = known.account(wanted) {
        return Ok(account);
    }
    let mail = model::mail_key(wanted);
    let gone = known.accounts_gone.iter().find(|account| account.key == wanted);
    if let Some(account) = gone {
        return Ok(account);
    }
    let found: Vec<&Entry> = known.accounts.iter().filter(|account| account.mail_keys().contains(&mail)).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(Error::usage(format!("the platform tells of no account {wanted:?}"))
            .advise("give its key or address; people show WHO lists those that something speaks for")),
        several => {
            let keys: Vec<&str> = several.iter().map(|account| account.key.as_str()).collect();
            Err(Error::usage(format!("several accounts have the address {wanted:?}: {}", keys.join(", ")))
                .advise("look whose each is, and give its key"))
        }
    }
}

/// A person has a person's account, a mailbox of many a mailbox, a list a list.
fn refuse_other_kind(object: &people::Object, account: &Entry) -> Result<(), Error> {
    let sort = |kind: EntryKind| match kind {
        EntryKind::Person => 0,
        EntryKind::System | EntryKind::Shared | EntryKind::Room | EntryKind::Equipment => 1,
        EntryKind::List => 2,
        EntryKind::Contact => 3,
    };
    let (own, there) = (object.entry.kind, account.kind);
    if sort(own) == sort(there) {
        return Ok(());
    }
    let what = format!("{} is a {} and {} a {}", object.id, own.name(), account.key, there.name());
    Err(Error::usage(what)
        .advise("look for the right account; or correct what they are in their directories, then people sync"))
}

/// Only what a person's word left out can be let in by a word.
fn refuse_included(known: &Known, object: &people::Object) -> Result<(), Error> {
    if known.words.set_aside(&object.id).is_some() {
        return Ok(());
    }
    let error = Error::usage(format!("nobody left {} out by a word", object.id));
    Err(match known.reconciliation.row(&object.id).map(|row| &row.class) {
        Some(Class::Excluded { filter: Some(filter), .. } | Class::Archived { filter: Some(filter), .. }) => {
            error.advise(format!("the filter {filter} of [people] does: correct it"))
        }
        _ => error.advise("people show WHO says where it stands"),
    })
}

fn class(known: &Known, id: &people::ObjectId) -> &'static str {
    known.reconciliation.row(id).map_or("unresolved", |row| row.class.name())
}

#[cfg(test)]
mod tests;
