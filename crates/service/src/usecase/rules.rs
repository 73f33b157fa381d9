//! `profile` and `rules`: what the platform takes and what it refuses, and what its rules made of which item.

use profile::{Profile, RuleLine};
use serde::Serialize;
use store::{How, TreatmentRow};

use crate::{Error, Project, Selection};

/// A profile's rules.
#[derive(Clone, Debug, Serialize)]
pub struct ProfileReport {
    /// Its name and edition.
    pub profile: String,
    /// The platform's name for people.
    pub title: String,
    /// Its version.
    pub version: u32,
    /// Where its values come from.
    pub sources: Vec<String>,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// A rule with its value.
#[derive(Clone, Debug, Serialize)]
pub struct Rule {
    /// Its id, which fates and reports cite.
    pub id: &'static str,
    /// The setting.
    pub setting: &'static str,
    /// What it does.
    pub sentence: String,
    /// Its value; none where it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl From<RuleLine> for Rule {
    fn from(line: RuleLine) -> Self {
        Self { id: line.id, setting: line.setting, sentence: line.sentence, value: line.value }
    }
}

/// What rules made of items.
#[derive(Clone, Debug, Serialize)]
pub struct RulesReport {
    /// How many items of each sort and rule.
    pub counts: Vec<RuleCount>,
    /// Each file of each item.
    pub items: Vec<RuledItem>,
}

/// How many items a rule decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleCount {
    /// The rule.
    pub rule: String,
    /// `replaced`: it travels with a note in place of what is banned. `left`: it does not travel. `noted`: it travels as it is,
    /// and something could not be looked into, or is let through.
    pub how: &'static str,
    /// How many items.
    pub items: u64,
}

/// An item that a rule decided.
#[derive(Clone, Debug, Serialize)]
pub struct RuledItem {
    /// What to call it.
    pub reference: String,
    /// The mailbox, by its name at the source.
    pub mailbox: String,
    /// The folder at the source.
    pub folder: String,
    /// What was made of it: see [`RuleCount::how`].
    pub how: &'static str,
    /// The rule that decided it.
    pub rule: String,
    /// The policy that the rule is of.
    pub policy: String,
    /// When it was received (seconds since 1970).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<i64>,
    /// How many bytes the source holds.
    pub size_bytes: u64,
    /// SHA-256 of the bytes that the source holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The files that it is about: name, type, size, SHA-256 and rule of each.
    pub files: serde_json::Value,
}

/// The rules of a shipped profile.
pub fn profile(name: &str) -> Result<ProfileReport, Error> {
    let profile = Profile::shipped(name).map_err(|error| Error::usage(error.message).advise(error.advice))?;
    Ok(report(&profile, profile.policy.rules()))
}

/// Reads a profile from a file and says what is in it: an error says what is wrong, and where.
pub fn validate_profile(path: &std::path::Path) -> Result<ProfileReport, Error> {
    let place = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::usage(format!("cannot read {place}: {error}")).advise("give the path of a profile, a TOML file")
    })?;
    let profile = Profile::parse(&text, &place).map_err(|error| Error::usage(error.message).advise(error.advice))?;
    Ok(report(&profile, profile.policy.rules()))
}

fn report(profile: &Profile, rules: Vec<RuleLine>) -> ProfileReport {
    let about = &profile.profile;
    ProfileReport {
        profile: format!("{}@{}", about.name, about.edition),
        title: about.title.clone(),
        version: about.version,
        sources: about.sources.clone(),
        rules: rules.into_iter().map(Rule::from).collect(),
    }
}

impl Project {
    /// The rules of this project: its profile with its own settings over it.
    pub fn rules_in_force(&self) -> Result<ProfileReport, Error> {
        let name = &self.config.file.profile;
        let profile = Profile::shipped(name).map_err(|error| Error::usage(error.message).advise(error.advice))?;
        Ok(report(&profile, self.config.file.policy.over(&profile.policy).rules()))
    }

    /// What rules made of the items of the mailboxes chosen.
    pub async fn ruled(&self, selection: &Selection, rule: Option<&str>) -> Result<RulesReport, Error> {
        let (mut items, mut counts) = (Vec::new(), Vec::<RuleCount>::new());
        for mailbox in self.select(selection).await? {
            for row in self.store.treatments(self.key, mailbox.mailbox).await? {
                if rule.is_some_and(|rule| rule != row.treatment.rule) {
                    continue;
                }
                let item = ruled(&mailbox.roster.source_name, row);
                match counts.iter_mut().find(|count| count.rule == item.rule && count.how == item.how) {
                    Some(count) => count.items += 1,
                    None => counts.push(RuleCount { rule: item.rule.clone(), how: item.how, items: 1 }),
                }
                items.push(item);
            }
        }
        counts.sort_by(|one, other| (&one.rule, one.how).cmp(&(&other.rule, other.how)));
        Ok(RulesReport { counts, items })
    }
}

fn ruled(mailbox: &str, row: TreatmentRow) -> RuledItem {
    let made = row.treatment;
    RuledItem {
        reference: format!("{}/{}", row.folder, made.source_id),
        mailbox: mailbox.to_owned(),
        folder: row.path.to_string(),
        how: How::name(made.how),
        rule: made.rule,
        policy: made.policy,
        received: row.received,
        size_bytes: made.original_size_bytes,
        sha256: made.original.map(|digest| digest.to_string()),
        files: serde_json::from_str(&made.detail).unwrap_or_default(),
    }
}
