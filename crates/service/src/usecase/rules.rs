//! `profile`, `rules` and `quarantine`: what the platform takes and what it refuses, what its rules made of which item, and the
//! originals.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use connector::Body;
use model::Digest;
use profile::{Profile, RuleLine};
use serde::Serialize;
use serde_json::json;
use store::{How, Treatment, TreatmentRow};

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
    /// `replaced`: it travels with a note in place of what is banned. `repaired`: it travels written so that the target can
    /// hold it. `left`: it does not travel. `noted`: it travels as it is,
    /// and something could not be looked into, or is let through.
    pub how: &'static str,
    /// How many items.
    pub items: u64,
}

impl RuleCount {
    /// Counts one more item, under each rule that had to do with it.
    pub(crate) fn add(counts: &mut Vec<Self>, made: &Treatment) {
        for RuleOf { rule, how } in every_rule(made) {
            match counts.iter_mut().find(|count| count.rule == rule && count.how == how) {
                Some(count) => count.items += 1,
                None => counts.push(Self { rule, how, items: 1 }),
            }
        }
    }

    /// In a fixed order.
    pub(crate) fn sort(counts: &mut [Self]) {
        counts.sort_by(|one, other| (&one.rule, one.how).cmp(&(&other.rule, other.how)));
    }

    /// What the rule does, as the pages of profiles say it.
    pub fn sentence(&self) -> Option<String> {
        if self.rule == UNSEEN {
            return Some("Something in it could not be looked into, such as an encrypted archive.".to_owned());
        }
        let rules = profile::Settings::default().rules();
        rules.into_iter().find(|rule| rule.id == self.rule).map(|rule| rule.sentence)
    }
}

/// The rule of what could not be looked into.
const UNSEEN: &str = "unseen";

/// A rule that had to do with an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleOf {
    /// The rule.
    pub rule: String,
    /// What it made of the item: see [`RuleCount::how`].
    pub how: &'static str,
}

/// The rules that had to do with an item: the one that decided first, then what else was repaired, banned or noted in it.
fn every_rule(made: &Treatment) -> Vec<RuleOf> {
    let mut rules = vec![RuleOf { rule: made.rule.clone(), how: made.how.name() }];
    let lines: Vec<serde_json::Value> = serde_json::from_str(&made.detail).unwrap_or_default();
    for line in lines.iter().filter(|_| made.how != How::Left) {
        let of = rule_of(made.how.name(), line);
        if !rules.contains(&of) && !of.rule.is_empty() {
            rules.push(of);
        }
    }
    rules
}

/// The rule that a line of [`RuledItem::files`] is about, in an item of which this was made.
pub fn rule_of(made: &'static str, line: &serde_json::Value) -> RuleOf {
    let (noted, repaired) = (How::Noted.name(), How::Repaired.name());
    let is_file = line.get("why").is_some();
    let rule = line["rule"].as_str().unwrap_or(if is_file { UNSEEN } else { "" });
    let how = match () {
        () if is_file && (rule == UNSEEN || made == repaired) => noted,
        () if is_file || made == How::Left.name() => made,
        () if line.get("impossible").is_some() => noted,
        () => repaired,
    };
    RuleOf { rule: rule.to_owned(), how }
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
    /// What else had to do with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<RuleOf>,
    /// The policy that the rule is of.
    pub policy: String,
    /// When it was received (seconds since 1970), as the source says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<i64>,
    /// With which date it travelled (seconds since 1970), where the target could not keep that of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_given: Option<i64>,
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
pub fn validate_profile(path: &Path) -> Result<ProfileReport, Error> {
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

/// An original written out again.
#[derive(Clone, Debug, Serialize)]
pub struct ExportReport {
    /// What it was called.
    pub reference: String,
    /// Where it was written.
    pub to: String,
    /// How many bytes.
    pub size_bytes: u64,
    /// SHA-256 of them.
    pub sha256: String,
}

/// What a check of the quarantine found.
#[derive(Clone, Debug, Serialize)]
pub struct QuarantineReport {
    /// Originals that are, byte for byte, what was kept.
    pub good: u64,
    /// Originals that can't be read back.
    pub damaged: u64,
    /// The first of them.
    pub damaged_files: Vec<String>,
    /// Files that are none of ours.
    pub foreign: u64,
    /// The first of them.
    pub foreign_files: Vec<String>,
    /// Originals that the ledger says were kept, and that are not.
    pub missing: Vec<String>,
}

/// The project's quarantine, as the engine knows it.
#[derive(Debug)]
pub(crate) struct Originals(quarantine::Quarantine);

impl Originals {
    /// Those of a folder, under the key in a file; it is made when it is not there.
    pub(crate) async fn open(folder: &Path, key_file: &Path) -> Result<Self, Error> {
        quarantine::Quarantine::open(folder, key_file).await.map(Self).map_err(unusable)
    }

    /// Those of a folder that was begun before, under its key.
    pub(crate) async fn join(folder: &Path, key: &[u8]) -> Result<Self, Error> {
        quarantine::Quarantine::join(folder, key).await.map(Self).map_err(unusable)
    }
}

#[async_trait]
impl movement::Quarantine for Originals {
    async fn keep(&self, original: Digest, body: &Body) -> Result<(), connector::Error> {
        self.0.keep(original, body).await.map(drop)
    }
}

/// A ClamAV daemon, as the engine knows it.
#[derive(Debug)]
pub(crate) struct Scan(pub(crate) malware::Clamd);

#[async_trait]
impl movement::Scanner for Scan {
    async fn scan(&self, body: &Body) -> Result<Option<String>, connector::Error> {
        self.0.scan(body).await
    }
}

impl Project {
    async fn open_quarantine(&self) -> Result<quarantine::Quarantine, Error> {
        let entry = &self.config.file.quarantine;
        let (folder, key) = (self.config.path(&entry.folder), self.config.path(&entry.key_file));
        quarantine::Quarantine::open(&folder, &key).await.map_err(unusable)
    }

    /// Where originals are kept, if the policy may take anything out of a message.
    pub(crate) async fn originals(&self) -> Result<Option<Arc<dyn movement::Quarantine>>, Error> {
        let policy = &self.config.policy;
        if policy.inspection.bans_nothing() && policy.repairs.is_empty() {
            return Ok(None);
        }
        Ok(Some(Arc::new(Originals(self.open_quarantine().await?))))
    }

    /// Writes an original out again, to a file that is not there yet and that nobody else may read.
    pub async fn export_original(&self, reference: &str, to: &Path) -> Result<ExportReport, Error> {
        self.may_migrate()?;
        let all = self.ruled(&Selection::default(), None).await?.items;
        let Some(item) = all.into_iter().find(|item| item.reference == reference) else {
            let what = format!("{reference:?} is not in the list");
            return Err(Error::usage(what).advise("run `whimbrel rules`; nothing was written"));
        };
        let digest = item.sha256.as_deref().and_then(Digest::from_hex);
        let Some(digest) = digest else {
            return Err(Error::usage(format!(
                "nothing of {reference} was kept: a rule about the whole of it left it behind"
            ))
            .advise("it is at the source; nothing was written"));
        };
        let quarantine = self.open_quarantine().await?;
        if !quarantine.holds(&digest).await.map_err(unusable)? {
            return Err(Error::usage(format!("the original of {reference} is not in the quarantine")).advise(
                "what a rule about a folder, a date, a mark or a size left behind is not kept: it is at the source",
            ));
        }
        let detail = json!({ "reference": reference, "sha256": item.sha256 });
        self.store.audit(self.key, &self.actor, "quarantine.export", &detail).await?;
        let shown = to.display().to_string();
        let cannot = |error: std::io::Error| {
            Error::usage(format!("cannot write {shown}: {error}"))
                .advise("give the path of a file that is not there yet")
        };
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(to).map_err(cannot)?;
        let exported = quarantine.export(&digest, &mut file).await.map_err(unusable);
        let written = exported.and_then(|()| file.flush().and_then(|()| file.sync_all()).map_err(cannot));
        if let Err(error) = written {
            let _ = std::fs::remove_file(to);
            return Err(error);
        }
        let size_bytes = item.size_bytes;
        Ok(ExportReport { reference: reference.to_owned(), to: shown, size_bytes, sha256: digest.to_string() })
    }

    /// Reads all originals, and says what is good and what is missing.
    pub async fn check_quarantine(&self) -> Result<QuarantineReport, Error> {
        self.may_migrate()?;
        let quarantine = self.open_quarantine().await?;
        let found = quarantine.check().await.map_err(unusable)?;
        let mut missing = Vec::new();
        let is_kept = |item: &RuledItem| {
            let lines = item.files.as_array().map(Vec::as_slice).unwrap_or_default();
            if item.how == How::Repaired.name() {
                // Where only its date was repaired all its bytes are on the target.
                return lines.iter().any(|line| line.get("count").is_some());
            }
            item.how != How::Noted.name() && !lines.is_empty()
        };
        for item in self.ruled(&Selection::default(), None).await?.items.into_iter().filter(is_kept) {
            let digest = item.sha256.as_deref().and_then(Digest::from_hex);
            if let Some(digest) = digest
                && !quarantine.holds(&digest).await.map_err(unusable)?
            {
                missing.push(item.reference);
            }
        }
        let names = |paths: &[std::path::PathBuf]| paths.iter().map(|path| path.display().to_string()).collect();
        Ok(QuarantineReport {
            good: found.good,
            damaged: found.damaged.count,
            damaged_files: names(&found.damaged.first),
            foreign: found.foreign.count,
            foreign_files: names(&found.foreign.first),
            missing,
        })
    }

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
                let every = every_rule(&row.treatment);
                if rule.is_some_and(|rule| every.iter().all(|of| of.rule != rule)) {
                    continue;
                }
                RuleCount::add(&mut counts, &row.treatment);
                items.push(ruled(&mailbox.roster.source_name, row));
            }
        }
        RuleCount::sort(&mut counts);
        Ok(RulesReport { counts, items })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unusable(error: connector::Error) -> Error {
    Error::usage(error.to_string()).advise(error.cause.advice())
}

fn ruled(mailbox: &str, row: TreatmentRow) -> RuledItem {
    let made = row.treatment;
    let also = every_rule(&made).split_off(1);
    RuledItem {
        reference: format!("{}/{}", row.folder, made.source_id),
        mailbox: mailbox.to_owned(),
        folder: row.path.to_string(),
        how: How::name(made.how),
        rule: made.rule,
        also,
        policy: made.policy,
        received: made.source_received.or(row.received),
        date_given: made.source_received.and(row.received),
        size_bytes: made.original_size_bytes,
        sha256: made.original.map(|digest| digest.to_string()),
        files: serde_json::from_str(&made.detail).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use model::ItemId;

    use super::*;

    #[test]
    fn each_rule_that_had_to_do_with_an_item_is_named() {
        let repaired = r#"{"rule":"repair-nul","how":"space","count":1}"#;
        let unseen = r#"{"rule":null,"why":"encrypted","name":"a.zip"}"#;
        let banned = r#"{"rule":"banned-extension","why":"extension","name":"a.exe"}"#;
        let dated = r#"{"rule":"repair-date","how":"date","before":9,"after":1}"#;
        let not = r#"{"rule":"repair-bare-cr","impossible":"signed"}"#;
        for (how, rule, detail, expected) in [
            (How::Repaired, "repair-nul", vec![unseen, repaired], "repair-nul repaired, unseen noted"),
            (How::Repaired, "repair-date", vec![banned, dated], "repair-date repaired, banned-extension noted"),
            (
                How::Replaced,
                "banned-extension",
                vec![banned, unseen, repaired, dated, not],
                "banned-extension replaced, unseen noted, repair-nul repaired, repair-date repaired, repair-bare-cr noted",
            ),
            (How::Left, "banned-extension", vec![banned, unseen, repaired], "banned-extension left"),
            (How::Noted, "unseen", vec![unseen, unseen], "unseen noted"),
        ] {
            let made = Treatment {
                source_id: ItemId::from_u32(1),
                how,
                rule: rule.to_owned(),
                policy: String::new(),
                original: None,
                original_size_bytes: 0,
                detail: format!("[{}]", detail.join(",")),
                source_received: None,
            };
            let every: Vec<String> = every_rule(&made).iter().map(|of| format!("{} {}", of.rule, of.how)).collect();
            assert_eq!(every.join(", "), expected);
            let mut counts = Vec::new();
            RuleCount::add(&mut counts, &made);
            assert_eq!(counts.len(), every.len());
        }
    }
}
