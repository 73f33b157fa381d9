//! `signoff`: whose word takes the place of what the program can't look at, or says that a rule does not count for somebody.

use std::path::Path;

use model::Digest;
use serde::Serialize;
use serde_json::json;
use store::{NewRuleWord, RuleScope, RuleWord};
use switch::Rule;

use crate::{Error, Project, Selection, when};

/// Sign-offs of rules.
#[derive(Clone, Debug, Serialize)]
pub struct RuleSignoffs {
    /// Each of them.
    pub signoffs: Vec<RuleSignoff>,
}

/// The sign-off of a rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleSignoff {
    /// Its number.
    pub signoff: i64,
    /// The rule.
    pub rule: String,
    /// For whom.
    pub scope: String,
    /// Who signed.
    pub by: String,
    /// Where that is to be found.
    pub evidence: String,
    /// The digest of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Who recorded it.
    pub recorded_by: String,
    /// When, for people.
    pub recorded: String,
    /// Who took it back, and when, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<String>,
}

impl Project {
    /// Records that somebody has signed for a rule: for everybody, for a collection, or for mailboxes. The evidence is a file, of which
    /// the digest is kept, or says where it is to be found.
    pub async fn sign_rule(
        &self,
        rule: &str,
        selection: &Selection,
        by: &str,
        evidence: &str,
    ) -> Result<RuleSignoffs, Error> {
        self.may_migrate()?;
        let known = Rule::from_name(rule).ok_or_else(|| {
            let names: Vec<&str> = Rule::EVERY.into_iter().map(Rule::name).collect();
            let error = Error::usage(format!("{rule:?} is no rule"));
            match crate::config::alike(rule, names.iter().copied()) {
                Some(meant) => error.advise(format!("did you mean {meant:?}?")),
                None => error.advise(format!("rules are {}", names.join(", "))),
            }
        })?;
        if !known.may_be_signed() && known != Rule::ForwardersAbsent {
            let what = format!("nobody can sign for {rule}: the program looks at it itself, since mail could be lost");
            return Err(Error::refused(known.requirement(), what).advise("cure what it finds"));
        }
        for (text, what) in [(by, "--by NAME"), (evidence, "--evidence FILE")] {
            if text.trim().is_empty() {
                return Err(Error::usage("a sign-off needs a name and its evidence").advise(format!("give {what}")));
            }
        }
        let digest = digest_of(evidence, &self.config.folder)?;
        let mut scopes = Vec::new();
        if selection.mailboxes.is_empty() {
            scopes.push(selection.collection.clone().map_or(RuleScope::Everybody, RuleScope::Collection));
        } else {
            scopes.extend(self.select(selection).await?.iter().map(|row| RuleScope::Mailbox(row.mailbox)));
        }
        if let [RuleScope::Collection(name)] = scopes.as_slice() {
            let collections = self.store.collections(self.key).await?;
            if !collections.iter().any(|collection| collection.is.name == *name) {
                self.select(selection).await?;
            }
        }
        let detail = json!({ "rule": rule, "by": by.trim(), "evidence": evidence.trim(),
            "digest": digest.map(|digest| digest.to_string()),
            "for": scopes.iter().map(RuleScope::text).collect::<Vec<_>>() });
        self.store.audit(self.key, &self.actor, "rule.signed", &detail).await?;
        let mut numbers = Vec::new();
        for scope in scopes {
            let new = NewRuleWord {
                rule: known.name().to_owned(),
                scope,
                said_by: by.trim().to_owned(),
                evidence: evidence.trim().to_owned(),
                digest,
                recorded_by: self.actor.name.clone(),
            };
            numbers.push(self.store.add_rule_word(self.key, &new).await?);
        }
        let mut report = self.rule_signoffs().await?;
        report.signoffs.retain(|signoff| numbers.contains(&signoff.signoff));
        Ok(report)
    }

    /// Lets mailboxes switch that do not meet a rule, in somebody's name and for a reason.
    pub async fn allow_switch(
        &self,
        rule: &str,
        selection: &Selection,
        by: &str,
        reason: &str,
    ) -> Result<RuleSignoffs, Error> {
        super::orders::refuse_everybody(selection)?;
        self.sign_rule(rule, selection, by, reason).await
    }

    /// Takes a sign-off back.
    pub async fn withdraw_rule_signoff(&self, number: i64) -> Result<RuleSignoffs, Error> {
        self.may_migrate()?;
        let by = self.actor.name.clone();
        self.store.audit(self.key, &self.actor, "rule.withdrawn", &json!({ "signoff": number })).await?;
        if !self.store.withdraw_rule_word(self.key, number, &by).await? {
            return Err(Error::usage(format!("there is no sign-off {number} that counts"))
                .advise("whimbrel signoff list shows them"));
        }
        let mut report = self.rule_signoffs().await?;
        report.signoffs.retain(|signoff| signoff.signoff == number);
        Ok(report)
    }

    /// Every sign-off of a rule.
    pub async fn rule_signoffs(&self) -> Result<RuleSignoffs, Error> {
        let names = self.store.mailboxes(self.key).await?;
        let zone = self.config.time_zone();
        let scope = |word: &RuleWord| match &word.is.scope {
            RuleScope::Everybody => "everybody".to_owned(),
            RuleScope::Collection(name) => format!("the collection {name}"),
            RuleScope::Mailbox(number) => {
                let row = names.iter().find(|row| row.mailbox == *number);
                row.map_or_else(|| format!("mailbox {number}"), |row| row.roster.source_name.clone())
            }
        };
        let line = |word: &RuleWord| RuleSignoff {
            signoff: word.word,
            rule: word.is.rule.clone(),
            scope: scope(word),
            by: word.is.said_by.clone(),
            evidence: word.is.evidence.clone(),
            digest: word.is.digest.map(|digest| digest.to_string()),
            recorded_by: word.is.recorded_by.clone(),
            recorded: when::shown(word.recorded_at, &zone),
            withdrawn: word.withdrawn.as_ref().map(|(by, at)| format!("{} by {by}", when::shown(*at, &zone))),
        };
        Ok(RuleSignoffs { signoffs: self.store.rule_words(self.key).await?.iter().map(line).collect() })
    }
}

/// The digest of the file that the evidence is, if it is one.
pub(super) fn digest_of(evidence: &str, folder: &Path) -> Result<Option<Digest>, Error> {
    let path = folder.join(evidence.trim());
    if !path.is_file() {
        return Ok(None);
    }
    match std::fs::read(&path) {
        Ok(bytes) => Ok(Some(Digest::of(&bytes))),
        Err(error) => Err(Error::usage(format!("the evidence {} cannot be read: {error}", path.display()))
            .advise("check the path; it is relative to the project's folder")),
    }
}
