//! A governed project: its record, what is done to it and by whom, and how it stands.
//!
//! Whether something may be is decided by the crate `programme`, of the record and of what the database knows; here it is asked, appended
//! with its line in the audit log, and read again. What two people decide at once is decided one after the other: who comes second is asked
//! anew, of the record as it is then.

mod desk;
mod facts;
mod file;
mod import;
mod live;
mod papers;
mod pilot;
mod pilot_names;
mod pipeline;
mod risk;
mod shows;
mod views;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use mailer::Mailer;
use model::Actor;
use programme::{
    Action, Change, Doer, Entry, Evidence, Facts, Moment, Programme, Record, Refusal, Rule, Side, Subject,
};
use serde::Serialize;
use store::{ProjectKey, Store};

pub use self::desk::CatalogueShow;
pub use self::file::new_project;
pub(crate) use self::live::{Gates, Governs, refuse};
pub use self::papers::{DocumentLine, DocumentMade, DocumentsShow};
pub use self::pilot::PilotShow;
pub(crate) use self::pilot_names::{PilotNames, names_of_objects};
pub use self::pipeline::{BrokenLine, PipelineGate, PipelineLine, PipelineReport};
pub use self::risk::Notice;
pub(crate) use self::risk::Risks;
pub use self::shows::{
    DeadlineLine, DeliverableLine, DeliverablesShow, DueLine, GateShow, GivenNumbers, NumbersLine, ProjectShow,
    RegisterShow, RegistersShow, TaskLine as GovernedTask, TasksShow,
};
pub use self::views::{ViewLine, ViewPart, ViewShow, ViewsShow};
use crate::config::{Config, FILE};
use crate::project::{actor, database};
use crate::secret::Environment;
use crate::{Error, Exit, Project};

/// So often it is decided anew where somebody else was first.
const TRIES_MAX: usize = 20;
/// A piece of evidence has no more bytes.
const EVIDENCE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// A project with its record.
pub struct Governed {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) key: ProjectKey,
    pub(crate) actor: Actor,
    pub(crate) programme: Programme,
    pub(crate) record: Record,
    /// Who takes its letters; none where its file names nobody, or why nobody does.
    pub(crate) post: Result<Option<Arc<dyn Mailer>>, String>,
}

/// What was recorded.
#[derive(Clone, Debug, Serialize)]
pub struct Acted {
    /// The number of the last change of the record.
    pub seq: u64,
    /// What was recorded, each by its kind.
    pub changes: Vec<serde_json::Value>,
    /// Who was told of it at once, or was to be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
}

impl Governed {
    /// Opens the project in this folder, for whoever runs the program. It needs no endpoint.
    pub async fn open(folder: &Path, environment: Environment<'_>) -> Result<Self, Error> {
        let config = Config::read(folder)?;
        let actor = actor(&config)?;
        let store = Store::open(&database(&config, environment)?).await?;
        let key = Project::key_of(&store, &config).await?;
        let (programme, record) = (programme_of(&config)?, record_of(&store, key).await?);
        let post = super::telling::mailer(&config, environment).map_err(|error| error.what);
        Ok(Self { config, store, key, actor, programme, record, post })
    }

    /// Closes the database.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Who acts: the roles of the record, and those that the project's file gives to whoever runs the program.
    fn doer(&self) -> Doer {
        let people = self.config.file.roles.as_ref().map(|roles| &roles.people);
        let doer_of = |name: &str| {
            let given = people.and_then(|people| people.get(name));
            let roles = given.map(|given| given.roles.clone()).unwrap_or_default();
            let sides: Vec<Side> = given.and_then(|given| given.side).into_iter().collect();
            Doer::of(&self.programme, &self.record, name, &sides, &roles)
        };
        let mut doer = doer_of(&self.actor.name);
        doer.sides_of_file = people.into_iter().flatten().flat_map(|(name, _)| doer_of(name).sides).collect();
        doer
    }

    /// When it is, by the database's clock, and the day that it is where the organisation is.
    pub(crate) async fn moment(&self) -> Result<Moment, Error> {
        let at = Timestamp::from_millisecond(self.store.now().await?).unwrap_or_default();
        Ok(Moment { at, today: at.to_zoned(self.config.time_zone()).date() })
    }

    fn may_act(&self) -> Result<(), Error> {
        if self.actor.role.may_migrate() {
            return Ok(());
        }
        let what = format!("{} may only look", self.actor.name);
        Err(Error::refused("R-347", what).advise("ask for another place in [roles] of the project's file"))
    }

    /// Does something, if it may be: it is recorded and audited, or refused and nothing is.
    pub async fn act(&mut self, action: Action) -> Result<Acted, Error> {
        self.may_act()?;
        for _ in 0..TRIES_MAX {
            let now = self.moment().await?;
            let is_known = action.rests_on_facts(&self.programme, &self.record);
            let facts = if is_known { Box::pin(self.facts()).await? } else { Facts::default() };
            let decided = programme::decide(&self.programme, &self.record, &facts, &self.doer(), now, action.clone());
            let mut changes = decided.map_err(|refusal| refused(&refusal))?;
            self.name_profile(&mut changes);
            if self.append(&changes, now.at).await? {
                let shown = changes.iter().map(|change| serde_json::to_value(change).unwrap_or_default()).collect();
                let notices = Box::pin(self.tells_of_risks(&changes, now.at)).await;
                return Ok(Acted { seq: self.record.seq, changes: shown, notices });
            }
            self.record = record_of(&self.store, self.key).await?;
        }
        Err(Error { exit: Exit::Busy, ..Error::usage("others change the project all the time").advise("try again") })
    }

    /// Whoever reads the record elsewhere has to know by which profile it is meant.
    fn name_profile(&self, changes: &mut Vec<Change>) {
        let profile = profile_of(&self.config);
        if self.record.profile().is_none_or(|(known, _)| known != profile) {
            changes.push(Change::ProfileNamed { profile });
        }
    }

    /// Appends changes to the record as it was read; false where it has gone on since.
    async fn append(&mut self, changes: &[Change], at: Timestamp) -> Result<bool, Error> {
        let (mut stored, mut audited) = (Vec::new(), Vec::new());
        for change in changes {
            stored.push(change.to_stored().map_err(|error| internal(&error.to_string()))?);
            audited.push((format!("programme.{}", change.kind()), serde_json::to_value(change).unwrap_or_default()));
        }
        let audited: Vec<(&str, serde_json::Value)> =
            audited.iter().map(|(action, detail)| (action.as_str(), detail.clone())).collect();
        let after = (i64::try_from(self.record.seq).unwrap_or(i64::MAX), at.as_millisecond());
        if !self.store.append_programme(self.key, &self.actor, after, &stored, &audited).await? {
            return Ok(false);
        }
        for change in changes {
            let seq = self.record.seq + 1;
            self.record.after(change, seq, at, &self.actor.name);
        }
        Ok(true)
    }

    /// Gives a file as evidence: its bytes are kept in the database, under their digest, before anything names them.
    pub async fn give_evidence(&mut self, on: Subject, file: &Path, note: &str) -> Result<Acted, Error> {
        let (evidence, bytes) = self.read_evidence(file, note)?;
        let action = Action::GiveEvidence { on, evidence };
        // Nothing is kept for whoever may not give it.
        self.may_act()?;
        let (facts, now) = (Facts::default(), self.moment().await?);
        programme::decide(&self.programme, &self.record, &facts, &self.doer(), now, action.clone())
            .map_err(|refusal| refused(&refusal))?;
        self.store.keep_evidence(self.key, model::Digest::of(&bytes), &bytes).await?;
        self.act(action).await
    }

    /// A piece of evidence no longer counts, by its digest or how that begins; it stays on record.
    pub async fn withdraw_evidence(&mut self, digest: &str, why: String) -> Result<Acted, Error> {
        let digest = digest.trim().to_lowercase();
        let is_it = |held: &&programme::EvidenceHeld| {
            held.struck.is_none() && !digest.is_empty() && held.evidence.digest.starts_with(&digest)
        };
        let found: Vec<_> = self.record.evidence.iter().filter(is_it).collect();
        let (on, digest) = match found.as_slice() {
            [one] => (one.on.clone(), one.evidence.digest.clone()),
            [] => {
                let what = format!("no evidence that counts has the digest {digest:?}");
                return Err(Error::usage(what).advise("whimbrel project record --json has each, with what it is about"));
            }
            several => {
                let names: Vec<String> = several
                    .iter()
                    .map(|held| format!("{} ({:.12}, on {:?})", held.evidence.name, held.evidence.digest, held.on))
                    .collect();
                return Err(Error::usage(format!("{} pieces of evidence begin so", several.len()))
                    .advise(format!("say more of the digest: {}", names.join("; "))));
            }
        };
        self.act(Action::WithdrawEvidence { on, digest, why }).await
    }

    fn read_evidence(&self, file: &Path, note: &str) -> Result<(Evidence, Vec<u8>), Error> {
        let path = self.config.folder.join(file);
        let unreadable = |error: std::io::Error| {
            Error::usage(format!("the evidence {} cannot be read: {error}", path.display()))
                .advise("check the path; it is relative to the project's folder")
        };
        let size_bytes = std::fs::metadata(&path).map_err(unreadable)?.len();
        if size_bytes > EVIDENCE_BYTES_MAX {
            let what = format!("{} has {size_bytes} bytes; evidence has {EVIDENCE_BYTES_MAX} at most", path.display());
            return Err(Error::usage(what).advise("give the part that shows it"));
        }
        let bytes = std::fs::read(&path).map_err(unreadable)?;
        let digest = model::Digest::of(&bytes);
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let (size_bytes, note) = (bytes.len() as u64, note.trim().to_owned());
        Ok((Evidence { name, digest: digest.to_string(), size_bytes, note }, bytes))
    }

    /// Governs a project that is under way from now on.
    pub async fn adopt(&mut self) -> Result<Acted, Error> {
        let (code, name) = (self.config.code.to_string(), self.config.file.organisation.name.clone());
        self.act(Action::Adopt { code, name }).await
    }

    /// What the appraisal of the discovery questionnaire says, recorded.
    pub async fn appraise(&mut self) -> Result<Acted, Error> {
        let appraised = programme::appraise(&self.programme, |form, field| self.record.answer(form, field));
        let rules = appraised.spoke.into_iter().map(|spoke| spoke.rule).collect();
        self.act(Action::Appraise { recommends: appraised.recommends, rules }).await
    }
}

/// The programmes that were read, by profile and edition: they come with the program, and each is read once.
static PROGRAMMES: Mutex<BTreeMap<(String, String), Programme>> = Mutex::new(BTreeMap::new());

/// The profile of a project, as `NAME@EDITION`.
fn profile_of(config: &Config) -> String {
    format!("{}@{}", config.policy.profile, config.policy.edition)
}

/// The programme of a project's profile.
pub(crate) fn programme_of(config: &Config) -> Result<Programme, Error> {
    programme_named(&config.policy.profile, &config.policy.edition)
}

fn programme_named(name: &str, edition: &str) -> Result<Programme, Error> {
    let mut programmes = PROGRAMMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(programme) = programmes.get(&(name.to_owned(), edition.to_owned())) {
        return Ok(programme.clone());
    }
    match Programme::shipped(name, edition) {
        Some(Ok(programme)) => {
            programmes.insert((name.to_owned(), edition.to_owned()), programme.clone());
            Ok(programme)
        }
        Some(Err(mistakes)) => Err(internal(&mistakes.to_string())),
        None => {
            Err(Error::usage(format!("{FILE}: the profile {name}@{edition} has no programme: no stages, no gates"))
                .advise("choose a profile that has one, such as nhsmail; or run the project without"))
        }
    }
}

/// What is on record of a project.
pub(crate) async fn record_of(store: &Store, key: ProjectKey) -> Result<Record, Error> {
    folded(&store.programme_changes(key).await?)
}

/// The record that these changes make.
pub(crate) fn folded(changes: &[store::ProgrammeChange]) -> Result<Record, Error> {
    let mut entries = Vec::with_capacity(changes.len());
    for row in changes {
        let change = Change::from_stored(&row.change).map_err(|error| Error {
            exit: Exit::Internal,
            rule: None,
            what: format!("change {} of the project's record can't be read: {error}", row.seq),
            advice: Some("use the program that wrote it, or a newer one".to_owned()),
        })?;
        let at = Timestamp::from_millisecond(row.at).unwrap_or_default();
        entries.push(Entry { seq: row.seq as u64, at, who: row.who.clone(), change });
    }
    Ok(Record::of(&entries))
}

/// A refusal, with the ids of the rules and criteria that refuse, and what is open.
pub(crate) fn refused(refusal: &Refusal) -> Error {
    let own = Rule::EVERY.into_iter().find(|rule| refusal.is_by(rule.name()));
    let rule = own.and_then(Rule::requirement).unwrap_or("R-250");
    let mut what = format!("{} ({}): {}", refusal.what, refusal.place, refusal.rules.join(", "));
    for item in &refusal.open {
        let holders = if item.holders.is_empty() { "nobody yet".to_owned() } else { item.holders.join(", ") };
        let (owner, days) = (&item.owner, item.age_days);
        let _ = write!(what, "\n  {}: {}; {owner} ({holders}), {days} days. {}", item.criterion, item.by, item.closes);
    }
    Error::refused(rule, what).advise(refusal.advice.to_string())
}

fn internal(what: &str) -> Error {
    Error { exit: Exit::Internal, rule: None, what: what.to_owned(), advice: None }
}

#[cfg(test)]
mod tests;
