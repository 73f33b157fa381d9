//! `people registrations` and `people unlock`: what the platform's people have granted, recorded with who said so and on what evidence
//! (R-062 to R-064, R-069).

use std::collections::HashMap;

use people::{ObjectId, PeopleRules};
use serde::Serialize;
use serde_json::json;
use store::WordRow;

use super::PeopleProject;
use crate::Error;

/// Whose decisions about the platform as a whole are: no directory's.
pub(super) const PLATFORM: &str = "";
/// Under this key the limit of registrations stands.
const REGISTRATIONS: &str = "registrations";
/// The word that an account was unlocked, as it is kept.
pub(super) const UNLOCKED: &str = r#"{"word":"unlocked"}"#;

/// The word that others have switched an account on that a plan had switched off, as it is kept.
pub(super) const SWITCHED_ON: &str = r#"{"word":"switched-on"}"#;

/// How many accounts may be made, and how many were.
#[derive(Clone, Debug, Serialize)]
pub struct RegistrationsReport {
    /// The limit; none: there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// How many of these are used, over all projects of the organisation.
    pub used: u32,
    /// What the project's file and the profile say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_rule: Option<u32>,
    /// Nothing was recorded.
    pub dry_run: bool,
    /// Each time it was set: to how many, who said so, on what evidence, when (seconds since 1970).
    pub raised: Vec<Raised>,
}

/// The limit was set.
#[derive(Clone, Debug, Serialize)]
pub struct Raised {
    /// To so many.
    pub max: u32,
    /// Who granted it.
    pub by: String,
    /// On what evidence.
    pub evidence: String,
    /// When it was recorded (seconds since 1970).
    pub at: i64,
}

/// An account that was unlocked.
#[derive(Clone, Debug, Serialize)]
pub struct UnlockReport {
    /// The object that it was made for.
    pub id: String,
    /// Who unlocked it.
    pub by: String,
    /// Days that its person has from now on; none: it never locks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// Nothing was recorded.
    pub dry_run: bool,
}

impl PeopleProject {
    /// How many accounts may be made, and how many were.
    pub async fn registrations(&self) -> Result<RegistrationsReport, Error> {
        let raised = self.raised().await?;
        Ok(RegistrationsReport {
            max: raised.last().map(|last| last.max).or(self.rules.registrations),
            used: self.registrations_used().await?,
            by_rule: self.rules.registrations,
            dry_run: self.is_rehearsed,
            raised,
        })
    }

    /// Records that the platform's people have set the limit of registrations, before a plan that needs it is approved.
    pub async fn raise_registrations(&self, max: u32, by: &str, evidence: &str) -> Result<RegistrationsReport, Error> {
        self.may_change()?;
        let by = said(by, evidence, "a limit of registrations")?;
        let used = self.registrations_used().await?;
        if max < used {
            return Err(Error::refused("R-062", format!("{used} registrations are used; the limit cannot be {max}"))
                .advise("give the whole limit, not what is added to it"));
        }
        let row = WordRow {
            directory: PLATFORM.to_owned(),
            key: REGISTRATIONS.to_owned(),
            what: json!({ "word": "registrations", "max": max }).to_string(),
            evidence: evidence.trim().to_owned(),
            said_by: by.to_owned(),
            at: 0,
        };
        let detail = json!({ "max": max, "used": used, "by": by, "evidence": row.evidence });
        if !self.is_rehearsed {
            self.store.audit(self.key, &self.actor, "people.registrations-raised", &detail).await?;
            self.store.add_word(self.key, &row).await?;
        }
        self.registrations().await
    }

    async fn raised(&self) -> Result<Vec<Raised>, Error> {
        let rows = self.store.words(self.key).await?;
        let is_limit = |row: &&WordRow| row.directory == PLATFORM && row.key == REGISTRATIONS;
        let raised = |row: &WordRow| {
            let what: serde_json::Value = serde_json::from_str(&row.what).ok()?;
            let max = u32::try_from(what.get("max")?.as_u64()?).ok()?;
            Some(Raised { max, by: row.said_by.clone(), evidence: row.evidence.clone(), at: row.at / 1000 })
        };
        let all = rows.iter().filter(is_limit).map(|row| raised(row).ok_or_else(|| super::damaged("a limit")));
        all.collect()
    }

    /// The platform's rules as they are now.
    pub(super) async fn rules_now(&self) -> Result<PeopleRules, Error> {
        let mut rules = self.rules.clone();
        if let Some(last) = self.raised().await?.last() {
            rules.registrations = Some(last.max);
        }
        Ok(rules)
    }

    /// Records that somebody's account was unlocked by the help desk: their days begin anew.
    pub async fn unlock(&self, wanted: &str, by: &str, evidence: &str) -> Result<UnlockReport, Error> {
        self.may_change()?;
        let by = said(by, evidence, "that an account was unlocked")?;
        let known = self.known().await?;
        let id = known.find(wanted)?.id.clone();
        if !self.made().await?.contains_key(&id) {
            return Err(Error::usage(format!("{id} has no account that this program made"))
                .advise("people activation lists those that it made"));
        }
        let row = WordRow {
            directory: id.directory.clone(),
            key: id.key.clone(),
            what: UNLOCKED.to_owned(),
            evidence: evidence.trim().to_owned(),
            said_by: by.to_owned(),
            at: 0,
        };
        let detail = json!({ "object": id.to_string(), "by": by, "evidence": row.evidence });
        if !self.is_rehearsed {
            self.store.audit(self.key, &self.actor, "people.unlocked", &detail).await?;
            self.store.add_word(self.key, &row).await?;
        }
        Ok(UnlockReport {
            id: id.to_string(),
            by: by.to_owned(),
            days: self.rules.activation_days,
            dry_run: self.is_rehearsed,
        })
    }

    /// When each account was last unlocked (milliseconds since 1970).
    pub(super) async fn unlocked(&self) -> Result<HashMap<ObjectId, i64>, Error> {
        let rows = self.store.words(self.key).await?;
        let unlocked = rows.into_iter().filter(|row| row.what == UNLOCKED);
        Ok(unlocked.map(|row| (ObjectId::new(row.directory, row.key), row.at)).collect())
    }
}

/// Who says it; refused without a name and evidence.
fn said<'b>(by: &'b str, evidence: &str, what: &str) -> Result<&'b str, Error> {
    for (text, option) in [(by, "--by NAME"), (evidence, "--evidence TEXT")] {
        if text.trim().is_empty() {
            return Err(Error::usage(format!("{what} needs a name and its evidence")).advise(format!("give {option}")));
        }
    }
    Ok(by.trim())
}
