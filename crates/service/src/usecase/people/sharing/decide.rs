//! `sharing decide` and `sharing signoff`: owners clean up their rights row by row, and a named person signs the list as it is
//! then.

use std::path::Path;

use model::{Digest, Right};
use people::sharing::{Choice, Row, read_right};
use serde::Serialize;
use serde_json::json;
use store::{SharingWord, SignedRow, SignoffRow};

use super::{Fresh, SHARING, SharingProject, SignoffState, file};
use crate::Error;

/// What is decided about a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SharingDecision {
    /// It is given as it was found.
    Keep,
    /// It is not given.
    Remove,
    /// This is given in its place: `full-access`, `send-as`, `send-on-behalf`, or letters.
    Right(String),
}

/// What was recorded.
#[derive(Clone, Debug, Serialize)]
pub struct SharingDecisionReport {
    /// Who decided.
    pub by: String,
    /// Nothing was recorded.
    pub dry_run: bool,
    /// About each right: its id, mailbox, grantee, what was decided.
    pub decided: Vec<(String, String, String, String)>,
}

/// What was signed.
#[derive(Clone, Debug, Serialize)]
pub struct SharingSignoffReport {
    /// Its number; none of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signoff: Option<i64>,
    /// Who signed.
    pub by: String,
    /// How many rights it is about.
    pub rights: usize,
    /// How many of these had not been signed before, or had changed since.
    pub newly: usize,
    /// Of these, how many wait until it is known whose they are.
    pub waiting: usize,
    /// Of all: what the signature is about.
    pub digest: String,
}

impl SharingProject {
    /// Records what an owner decided about these rights.
    pub async fn decide(
        &self,
        ids: &[String],
        decision: &SharingDecision,
        by: Option<&str>,
        evidence: &str,
        dry_run: bool,
    ) -> Result<SharingDecisionReport, Error> {
        let decisions: Vec<(String, SharingDecision)> = ids.iter().map(|id| (id.clone(), decision.clone())).collect();
        self.record(&decisions, by, evidence, dry_run).await
    }

    /// Records what an owner wrote into the column `decision` of their list: nothing, `keep`, `remove` or another right.
    pub async fn decide_file(
        &self,
        path: &Path,
        by: Option<&str>,
        evidence: &str,
        dry_run: bool,
    ) -> Result<SharingDecisionReport, Error> {
        let decisions: Vec<(String, SharingDecision)> = file::table(path, &["id", "decision"])?
            .iter()
            .filter_map(|line| Some((line.cell("id")?, line.cell("decision")?)))
            .map(|(id, decision)| match decision.to_lowercase().as_str() {
                "keep" => (id, SharingDecision::Keep),
                "remove" => (id, SharingDecision::Remove),
                _ => (id, SharingDecision::Right(decision)),
            })
            .collect();
        self.record(&decisions, by, evidence, dry_run).await
    }

    async fn record(
        &self,
        decisions: &[(String, SharingDecision)],
        by: Option<&str>,
        evidence: &str,
        dry_run: bool,
    ) -> Result<SharingDecisionReport, Error> {
        self.people.may_change()?;
        let by = by.unwrap_or(&self.project.actor.name).trim();
        for (text, what) in [(by, "--by NAME"), (evidence.trim(), "--evidence TEXT")] {
            if text.is_empty() {
                return Err(Error::usage("a decision needs a name and its evidence").advise(format!("give {what}")));
            }
        }
        let basis = self.basis(&Fresh::new()).await?;
        let rows = self.rows(&basis);
        let (mut words, mut decided) = (Vec::new(), Vec::new());
        for (id, decision) in decisions {
            let row = find(&rows.rows, id)?;
            let choice = choice(row, decision)?;
            // What stands in the file again as it was decided is no new decision.
            if row.choice.as_ref() == Some(&choice) {
                continue;
            }
            let line = self.line(&basis, &rows, row);
            decided.push((row.id.clone(), line.mailbox, line.grantee, super::list::choice_text(&choice)));
            words.push(SharingWord {
                row: row.id.clone(),
                what: serde_json::to_string(&choice).map_err(|_| super::super::damaged("a decision"))?,
                evidence: evidence.trim().to_owned(),
                said_by: by.to_owned(),
                at: 0,
            });
        }
        if !dry_run && !words.is_empty() {
            for (id, mailbox, grantee, decision) in &decided {
                let detail = json!({ "right": id, "mailbox": mailbox, "grantee": grantee, "decided": decision,
                    "by": by, "evidence": evidence.trim() });
                self.project.store.audit(self.project.key, &self.project.actor, "sharing.decided", &detail).await?;
            }
            self.project.store.add_sharing_words(self.project.key, &words).await?;
        }
        Ok(SharingDecisionReport { by: by.to_owned(), dry_run, decided })
    }

    /// Records that somebody of the organisation signed the list with this digest, or what begins with these eight or more of its
    /// characters, as it was printed and still is: all of it, or what one owner answers for. A dry run needs no digest, and says it.
    pub async fn sign(
        &self,
        owner: Option<&str>,
        digest: &str,
        by: &str,
        evidence: &str,
        dry_run: bool,
    ) -> Result<SharingSignoffReport, Error> {
        self.people.may_change()?;
        for (text, what) in [(by, "--by NAME"), (evidence, "--evidence FILE or text")] {
            if text.trim().is_empty() {
                return Err(Error::usage("a sign-off needs a name and its evidence").advise(format!("give {what}")));
            }
        }
        let basis = self.basis(&Fresh::new()).await?;
        let rows = self.rows(&basis);
        let party = owner.map(|owner| rows.called(owner)).transpose()?;
        let signed: Vec<&Row> =
            rows.rows.iter().filter(|row| party.is_none_or(|party| rows.is_owner(row, party))).collect();
        if signed.is_empty() {
            return Err(Error::usage("there is no right to sign").advise("read them first: sharing discover"));
        }
        let newly = signed.iter().filter(|row| basis.signed(row) != SignoffState::Signed).count();
        let waiting = signed.iter().filter(|row| row.state.name() == "waits").count();
        let wanted = digest.trim().to_ascii_lowercase();
        let digest = digest_of(&signed);
        let is_it = wanted.len() >= 8 && digest.to_string().starts_with(&wanted);
        let is_only_asked = dry_run && wanted.is_empty();
        if !(is_it || is_only_asked) {
            let what = format!("the list of rights is not the one with the digest {wanted:?}");
            return Err(Error::refused("R-204", what).advise(
                "it changed since it was printed: have it looked at again; sharing list prints it with its digest",
            ));
        }
        let mut report = SharingSignoffReport {
            signoff: None,
            by: by.trim().to_owned(),
            rights: signed.len(),
            newly,
            waiting,
            digest: digest.to_string(),
        };
        if dry_run {
            return Ok(report);
        }
        let signoff = SignoffRow {
            signoff: 0,
            list: SHARING.to_owned(),
            digest,
            signed_by: by.trim().to_owned(),
            evidence: evidence.trim().to_owned(),
            recorded_by: self.project.actor.name.clone(),
            at: 0,
        };
        let row = |row: &&Row| SignedRow { directory: SHARING.to_owned(), key: row.id.clone(), facts: row.facts };
        let rows: Vec<SignedRow> = signed.iter().map(row).collect();
        let detail = json!({ "list": SHARING, "by": signoff.signed_by, "evidence": signoff.evidence, "owner": owner,
            "rows": rows.len(), "digest": digest.to_string() });
        self.project.store.audit(self.project.key, &self.project.actor, "sharing.signed", &detail).await?;
        report.signoff = Some(self.project.store.add_signoff(self.project.key, &signoff, &rows).await?);
        Ok(report)
    }
}

/// Of all these rows as they are: what a signature is about.
pub(super) fn digest_of(rows: &[&Row]) -> Digest {
    let all: Vec<u8> = rows.iter().flat_map(|row| row.facts.as_bytes().iter().copied()).collect();
    Digest::of(&all)
}

/// The row of this id, or of the one that begins so.
fn find<'r>(rows: &'r [Row], id: &str) -> Result<&'r Row, Error> {
    let mut found = rows.iter().filter(|row| row.id == id || (id.len() >= 6 && row.id.starts_with(id)));
    match (found.next(), found.next()) {
        (Some(row), None) => Ok(row),
        (None, _) => Err(Error::usage(format!("there is no right {id:?}")).advise("sharing list shows them")),
        _ => Err(Error::usage(format!("several rights begin with {id:?}")).advise("give more of it")),
    }
}

fn choice(row: &Row, decision: &SharingDecision) -> Result<Choice, Error> {
    let text = match decision {
        SharingDecision::Keep => return Ok(Choice::Keep),
        SharingDecision::Remove => return Ok(Choice::Remove),
        SharingDecision::Right(text) => text,
    };
    let folder = match &row.found.right {
        Right::Folder(path, _) => Some(path.clone()),
        _ => None,
    };
    let whole = read_right(text, None);
    let right = whole.or_else(|_| read_right(text, folder));
    right.map(Choice::Instead).map_err(|why| Error::usage(format!("{}: {why}", row.id)))
}
