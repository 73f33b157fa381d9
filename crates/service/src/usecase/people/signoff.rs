//! The matching list, signed off by a named person of the organisation, row by row as it is then.

use std::collections::HashMap;

use model::Digest;
use people::{Class, ObjectId, Reconciled};
use serde::Serialize;
use serde_json::json;
use store::{SignedRow, SignoffRow};

use super::{Known, PeopleProject};
use crate::Error;

/// The list of who has which account.
pub(crate) const MATCHING: &str = "matching";

/// A list that somebody of the organisation signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignedList {
    /// Who has which account.
    #[default]
    Matching,
    /// Who moves: everybody with their class.
    Scope,
}

impl SignedList {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Matching => MATCHING,
            Self::Scope => "scope",
        }
    }

    fn rows(self, known: &Known) -> Vec<SignedRow> {
        match self {
            Self::Matching => matching_rows(known),
            Self::Scope => scope_rows(known),
        }
    }
}

/// Whether a row is signed off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignoffState {
    /// As it is.
    Signed,
    /// It was, and has changed since.
    Changed,
    /// Never.
    Unsigned,
}

impl SignoffState {
    pub(crate) fn of(signed: Option<&Digest>, facts: Digest) -> Self {
        match signed {
            Some(signed) if *signed == facts => Self::Signed,
            Some(_) => Self::Changed,
            None => Self::Unsigned,
        }
    }
}

/// A list as it is to be signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MatchingList {
    /// How many rows it has, listed here or not.
    pub rows: usize,
    /// Of all of them.
    pub digest: String,
}

/// What was signed.
#[derive(Clone, Debug, Serialize)]
pub struct SignoffReport {
    /// Its number; 0 in a dry run, which records nothing.
    pub signoff: i64,
    /// Nothing was recorded.
    pub dry_run: bool,
    /// Which list: `matching` or `scope`.
    pub list: &'static str,
    /// Who signed.
    pub by: String,
    /// How many rows it is about.
    pub rows: usize,
    /// How many of these had not been signed before, or had changed since.
    pub newly: usize,
    /// Objects in scope that have no certain account yet and so are in no row.
    pub unresolved: usize,
    /// Of all rows: what the signature is about.
    pub digest: String,
}

impl PeopleProject {
    /// What each object was when it was last signed.
    pub(crate) async fn signed(&self) -> Result<HashMap<ObjectId, Digest>, Error> {
        self.signed_of(SignedList::Matching).await
    }

    async fn signed_of(&self, list: SignedList) -> Result<HashMap<ObjectId, Digest>, Error> {
        let rows = self.store.signed_rows(self.key, list.name()).await?;
        Ok(rows.into_iter().map(|row| (ObjectId::new(row.directory, row.key), row.facts)).collect())
    }

    /// Records that somebody of the organisation signed a list with this digest, or what begins with these eight or more of its
    /// characters: the list as it was printed, and as it still is.
    pub async fn sign(&self, list: SignedList, digest: &str, by: &str, evidence: &str) -> Result<SignoffReport, Error> {
        self.may_change()?;
        for (text, what) in [(by, "--by NAME"), (evidence, "--evidence FILE or text")] {
            if text.trim().is_empty() {
                return Err(Error::usage("a sign-off needs a name and its evidence").advise(format!("give {what}")));
            }
        }
        let known = self.known().await?;
        let before = self.signed_of(list).await?;
        let rows = list.rows(&known);
        if rows.is_empty() {
            return Err(Error::usage("there is nothing to sign").advise("read the directories first: people sync"));
        }
        let is_new = |row: &&SignedRow| before.get(&ObjectId::new(&row.directory, &row.key)) != Some(&row.facts);
        let newly = rows.iter().filter(is_new).count();
        let own = digest_of(&rows);
        let wanted = digest.trim().to_ascii_lowercase();
        if wanted.len() < 8 || !own.to_string().starts_with(&wanted) {
            let of_what = match list {
                SignedList::Matching => "who has which account",
                SignedList::Scope => "who moves",
            };
            let what = format!("the list of {of_what} is not the one with the digest {:?}", digest.trim());
            let rule = if list == SignedList::Matching { "R-054" } else { "R-059" };
            return Err(Error::refused(rule, what).advise(
                "it changed since it was printed: have it looked at again; people list prints it with its digest",
            ));
        }
        let digest = own;
        let signoff = SignoffRow {
            signoff: 0,
            list: list.name().to_owned(),
            digest,
            signed_by: by.trim().to_owned(),
            evidence: evidence.trim().to_owned(),
            recorded_by: self.actor.name.clone(),
            at: 0,
        };
        let detail = json!({ "list": list.name(), "by": signoff.signed_by, "evidence": signoff.evidence,
            "rows": rows.len(), "digest": digest.to_string() });
        let number = if self.is_rehearsed {
            0
        } else {
            self.store.audit(self.key, &self.actor, "people.signed", &detail).await?;
            self.store.add_signoff(self.key, &signoff, &rows).await?
        };
        let unresolved = known.reconciliation.rows.iter().filter(|row| row.class.name() == "unresolved").count();
        let by = signoff.signed_by;
        let (list, digest) = (list.name(), digest.to_string());
        let (signoff, dry_run) = (number, self.is_rehearsed);
        Ok(SignoffReport { signoff, dry_run, list, by, rows: rows.len(), newly, unresolved, digest })
    }
}

/// Everybody whose account is known, as they are.
fn matching_rows(known: &Known) -> Vec<SignedRow> {
    let has_account = |row: &&Reconciled| matches!(row.class, Class::Existing { .. });
    known.reconciliation.rows.iter().filter(has_account).map(|row| signed_row(known, row)).collect()
}

/// Everybody with their class, as they are.
fn scope_rows(known: &Known) -> Vec<SignedRow> {
    let row = |row: &Reconciled| {
        let left_out_by = match &row.class {
            Class::Excluded { filter, reason } | Class::Archived { filter, reason } => json!([filter, reason]),
            _ => json!(null),
        };
        let facts = json!([row.class.name(), left_out_by, row.facts.to_string()]);
        SignedRow { facts: Digest::of(facts.to_string().as_bytes()), ..signed_row(known, row) }
    };
    known.reconciliation.rows.iter().map(row).collect()
}

fn digest_of(rows: &[SignedRow]) -> Digest {
    let each: Vec<_> = rows.iter().map(|row| (&row.directory, &row.key, row.facts.to_string())).collect();
    Digest::of(serde_json::json!(each).to_string().as_bytes())
}

impl MatchingList {
    pub(super) fn of(known: &Known, list: SignedList) -> Self {
        let rows = list.rows(known);
        Self { rows: rows.len(), digest: digest_of(&rows).to_string() }
    }
}

fn signed_row(known: &Known, row: &Reconciled) -> SignedRow {
    let id = &row.matched.object;
    SignedRow { directory: id.directory.clone(), key: id.key.clone(), facts: known.to_be_signed(row) }
}
