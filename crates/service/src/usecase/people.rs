//! `people`: who there is, who that is on the platform, and what is made there.
//!
//! What the directories say is kept in the database; everything else – classes, matches, plans – is computed of it and of
//! what people decided, each time.

mod account;
mod apply;
mod book;
mod compare;
mod confirm;
mod forward;
mod gated;
mod import;
mod limits;
mod list;
mod password;
mod plan;
mod portal;
mod post;
mod read;
mod sharing;
mod signoff;
mod staff;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use connector::{Directory, DirectoryTarget};
use model::{AccountState, Actor, Entry};
use people::{MatchRules, Object, ObjectId, PeopleRules, Reconciliation, Settings, Word, Words, reconcile};
use store::{EntryRow, PeopleLease, ProjectKey, Store, WordRow};

pub use self::account::{AcceptReport, ActivationLine, ActivationReport, Details};
pub use self::apply::{ApplyReport, ChangeLine};
pub(crate) use self::book::BothBooks;
pub use self::book::{AddressBookReport, BookReport};
pub use self::confirm::{
    AnswerLine, AnswersReport, AskReport, AskedLine, Confirmed, Decision, DecisionReport, NotAskedLine, RefusedAnswer,
};
pub use self::forward::ForwardedReport;
pub use self::import::{ImportReport, RefusedLine, SubmissionLine};
pub use self::limits::{Raised, RegistrationsReport, UnlockReport};
pub use self::list::{
    CandidateLine, ListChoice, ListReport, ObjectLine, QuestionLine, QuestionState, ShowReport, classes_in_words,
};
pub use self::plan::{PlanLine, PlanOf, PlanReport, WithdrawReport};
pub use self::portal::{LostReport, MailedResultsReport, ResultLine, ResultsReport, UploadLine, UploadsReport};
pub use self::read::{DirectoryReport, PeopleSyncReport};
pub use self::sharing::{
    GapLine, InjectLine, MemberLine, SharingCompareReport, SharingDecision, SharingDecisionReport,
    SharingDiscoverReport, SharingInjectReport, SharingLine, SharingListReport, SharingProject, SharingSignoffReport,
};
pub use self::signoff::{MatchingList, SignedList, SignoffReport, SignoffState};
pub use self::staff::{TaskLine, TasksReport};

use crate::config::{Config, PeopleEntry};
use crate::portal::Portal;
use crate::secret::Environment;
use crate::{Error, Exit};

/// How long the people of a project are held without a sign of life, in milliseconds.
const LEASE_MS: i64 = 120_000;
/// How long a server may still be at a change whose answer nobody waits for any more.
const SETTLE: Duration = Duration::from_secs(2);

/// The people of a project, opened.
pub struct PeopleProject {
    pub(crate) config: Config,
    pub(crate) entry: PeopleEntry,
    pub(crate) rules: PeopleRules,
    pub(crate) store: Store,
    pub(crate) key: ProjectKey,
    pub(crate) actor: Actor,
    sources: Vec<(String, Opened)>,
    platform: Option<(String, Opened)>,
    /// How long after a change was begun what came of it is looked for: a server may still be at it.
    settle: Duration,
    /// What is decided or would be carried out is only told.
    pub(super) is_rehearsed: bool,
}

/// A directory, as far as it can be used.
#[derive(Clone)]
pub(crate) enum Opened {
    /// It is only read.
    Read(Arc<dyn Directory>),
    /// It is written, too.
    Written(Arc<dyn DirectoryTarget>),
    /// It is read by its report, and takes files.
    Portal(Arc<Portal>),
}

impl Opened {
    pub(crate) fn directory(&self) -> &dyn Directory {
        match self {
            Self::Read(directory) => directory.as_ref(),
            Self::Written(target) => target.as_ref(),
            Self::Portal(portal) => portal.as_ref(),
        }
    }
}

/// What is known of the people of a project.
pub(crate) struct Known {
    /// Every object of the organisation that is there.
    pub objects: Vec<Object>,
    /// Objects that were there and are gone.
    pub gone: Vec<Object>,
    /// Every account of the platform that is there.
    pub accounts: Vec<Entry>,
    /// Accounts of the platform that were there and are gone.
    pub accounts_gone: Vec<Entry>,
    /// Addresses of accounts that are gone.
    pub reserved: Vec<String>,
    /// When each object was first read (milliseconds since 1970).
    pub first_at: HashMap<ObjectId, i64>,
    /// What people decided.
    pub words: Words,
    /// Objects whose accounts a plan has switched off and that nobody has switched on since, with what they were before.
    pub switched_off: HashMap<ObjectId, AccountState>,
    /// Each object's class.
    pub reconciliation: Reconciliation,
    /// The last question that each object's person was asked about an account under another organisation's code.
    pub asked: HashMap<ObjectId, store::ConfirmationRow>,
    /// What shows that an account is theirs; none: nobody is asked by mail.
    pub proof: Option<crate::config::Proof>,
    /// When this was known, in milliseconds since 1970.
    pub at: i64,
    /// The organisation's code.
    pub code: String,
    /// When the platform's report of users was written (milliseconds since 1970), where the platform is one that has only that.
    pub as_of: Option<i64>,
    /// Keys of accounts that were made after the report was written, and are not in it.
    pub awaited: HashSet<String>,
    object_at: HashMap<ObjectId, usize>,
    account_at: HashMap<String, usize>,
}

impl Known {
    /// The object that somebody means.
    pub(crate) fn find(&self, wanted: &str) -> Result<&Object, Error> {
        let mail = model::mail_key(wanted);
        let is_meant = |object: &&Object| {
            let entry = &object.entry;
            object.id.to_string() == wanted
                || entry.key == wanted
                || entry.mail_keys().contains(&mail)
                || entry.account.as_deref().is_some_and(|account| account.eq_ignore_ascii_case(wanted))
                || entry.local_id.as_deref() == Some(wanted)
        };
        let found: Vec<&Object> = self.objects.iter().filter(is_meant).collect();
        match found.as_slice() {
            [one] => Ok(one),
            [] => {
                let error = Error::usage(format!("{wanted:?} is nobody that the directories tell of"));
                let names = self.objects.iter().filter_map(|object| object.entry.mail.as_deref());
                Err(match crate::config::alike(wanted, names) {
                    Some(meant) => error.advise(format!("did you mean {meant:?}?")),
                    None => {
                        error.advise("give a mail address, an account, a local id or a key; people list shows them")
                    }
                })
            }
            several => {
                let ids: Vec<String> = several.iter().map(|object| object.id.to_string()).collect();
                Err(Error::usage(format!("{wanted:?} are {}", ids.join(" and "))).advise("give one of these"))
            }
        }
    }

    pub(crate) fn object(&self, id: &ObjectId) -> Option<&Object> {
        self.object_at.get(id).map(|at| &self.objects[*at])
    }

    pub(crate) fn account(&self, key: &str) -> Option<&Entry> {
        self.account_at.get(key).map(|at| &self.accounts[*at])
    }
}

impl PeopleProject {
    /// Opens the people of the project in this folder, for whoever runs the program.
    pub async fn open(folder: &Path, environment: Environment<'_>) -> Result<Self, Error> {
        let config = Config::read(folder)?;
        let entry = config.file.people.clone().ok_or_else(|| {
            Error::usage(format!("{} has no [people]", crate::PROJECT_FILE))
                .advise("say where people come from: [people] with sources, and a table of [directories] for each")
        })?;
        let mut sources = Vec::new();
        for name in entry.sources.iter().chain(&entry.staff) {
            sources.push((name.clone(), crate::directories::open(&config, name, environment)?));
        }
        let platform = match &entry.platform {
            Some(name) => Some((name.clone(), crate::directories::open(&config, name, environment)?)),
            None => None,
        };
        let store = Store::open(&crate::project::database(&config, environment)?).await?;
        Self::with(config, entry, store, sources, platform).await
    }

    pub(crate) async fn with(
        config: Config,
        entry: PeopleEntry,
        store: Store,
        sources: Vec<(String, Opened)>,
        platform: Option<(String, Opened)>,
    ) -> Result<Self, Error> {
        let actor = crate::project::actor(&config)?;
        let rules = entry.rules(&config.people_rules)?;
        let key = crate::Project::key_of(&store, &config).await?;
        Ok(Self { config, entry, rules, store, key, actor, sources, platform, settle: SETTLE, is_rehearsed: false })
    }

    /// The people of a project whose database is open, without their directories: what is known is known.
    pub(crate) fn of(
        config: Config,
        entry: PeopleEntry,
        store: Store,
        key: ProjectKey,
        actor: Actor,
    ) -> Result<Self, Error> {
        let rules = entry.rules(&config.people_rules)?;
        let sources = Vec::new();
        let (platform, settle, is_rehearsed) = (None, SETTLE, false);
        Ok(Self { config, entry, rules, store, key, actor, sources, platform, settle, is_rehearsed })
    }

    /// From now on decisions, signatures, approvals, and what would be carried out are checked and told, and nothing is kept or
    /// changed.
    #[must_use]
    pub fn dry_run(mut self, is_dry: bool) -> Self {
        self.is_rehearsed = is_dry;
        self
    }

    /// Closes the database.
    pub async fn close(&self) {
        self.store.close().await;
    }

    fn match_rules(&self) -> MatchRules {
        MatchRules { certain: self.rules.certain.clone() }
    }

    /// What is known by now, of what was last read.
    pub(crate) async fn known(&self) -> Result<Known, Error> {
        self.known_by(&[], &[], None).await
    }

    /// What would be known with this decision.
    pub(super) async fn known_if(&self, word: &WordRow) -> Result<Known, Error> {
        self.known_by(&[], &[], Some(word)).await
    }

    /// What would be known if these objects were told besides, in place of those with their ids, and these were gone.
    pub(crate) async fn known_with(&self, told: &[Object], leaving: &[ObjectId]) -> Result<Known, Error> {
        self.known_by(told, leaving, None).await
    }

    async fn known_by(&self, told: &[Object], leaving: &[ObjectId], word: Option<&WordRow>) -> Result<Known, Error> {
        let mut first_at = HashMap::new();
        let (mut objects, mut gone, mut accounts, mut reserved) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut accounts_gone, mut as_of) = (Vec::new(), None);
        // An account expires by the passing of time, and no directory tells that it has.
        let at = self.store.now().await?;
        let now = at / 1000;
        for row in self.store.directories(self.key).await? {
            let is_source = self.entry.is_source(&row.name);
            let is_platform = self.entry.platform.as_ref() == Some(&row.name);
            if !is_source && !is_platform {
                continue;
            }
            let tells_quota = is_platform || crate::directories::tells_quota(&self.config, &row.name);
            as_of = as_of.or(row.as_of.filter(|_| is_platform));
            for stored in self.store.directory_entries(self.key, row.directory, true).await? {
                let mut entry = read_entry(&stored)?.at(now);
                if !tells_quota {
                    entry.quota_bytes = None;
                }
                // What this program wrote into an address book is never taken for somebody.
                if entry.origin.as_deref().is_some_and(|origin| origin.starts_with(people::BOOK_MARK)) {
                    continue;
                }
                if is_platform {
                    match stored.gone_at {
                        None => accounts.push(entry),
                        Some(_) => {
                            reserved.extend(entry.mail_keys());
                            accounts_gone.push(entry);
                        }
                    }
                    continue;
                }
                let object = Object { id: ObjectId::new(&row.name, &entry.key), entry };
                first_at.insert(object.id.clone(), stored.first_at);
                if stored.gone_at.is_none() { objects.push(object) } else { gone.push(object) }
            }
        }
        if !told.is_empty() || !leaving.is_empty() {
            let named: HashSet<&ObjectId> = told.iter().map(|object| &object.id).chain(leaving).collect();
            objects.retain(|object: &Object| !named.contains(&object.id));
            gone.retain(|object: &Object| !named.contains(&object.id));
            objects.extend(told.iter().cloned());
        }
        let words = self.words(word).await?;
        let (scope, rules) = (self.entry.scope(), self.match_rules());
        let made = self.made().await?;
        let mut awaited = HashSet::new();
        if self.portal_entry().is_some() {
            self.give_marks(&mut accounts, &made).await?;
            awaited = portal::awaited(&accounts, &made, as_of);
        }
        let made: HashMap<ObjectId, String> = made.into_iter().map(|(id, row)| (id, row.made.account)).collect();
        let by_account: HashSet<&str> = made.values().map(String::as_str).collect();
        let is_off =
            |account: &Entry| account.state == AccountState::Disabled && by_account.contains(account.key.as_str());
        let switched_off = if accounts.iter().any(is_off) { self.switched_off().await? } else { HashMap::new() };
        let settings = Settings {
            organisation: self.config.code.as_str(),
            project: &self.config.file.project,
            gone: &accounts_gone,
            made: &made,
            switched_off: &switched_off,
            ours_alone: self.entry.platform_is_ours_alone,
            scope: &scope,
            rules: &rules,
            words: &words,
            required: &self.rules.required,
            makes_disabled: self.entry.makes_disabled,
            at: now,
        };
        let reconciliation = reconcile(&objects, &accounts, settings);
        let object_at = objects.iter().enumerate().map(|(at, object)| (object.id.clone(), at)).collect();
        let account_at = accounts.iter().enumerate().map(|(at, account)| (account.key.clone(), at)).collect();
        Ok(Known {
            objects,
            gone,
            accounts,
            accounts_gone,
            reserved,
            first_at,
            words,
            switched_off,
            reconciliation,
            asked: confirm::latest(self.store.confirmations(self.key).await?),
            proof: self.entry.confirmation.as_ref().map(|entry| entry.proof),
            at,
            code: self.config.code.as_str().to_owned(),
            as_of,
            awaited,
            object_at,
            account_at,
        })
    }

    async fn words(&self, besides: Option<&WordRow>) -> Result<Words, Error> {
        let mut of: BTreeMap<ObjectId, Vec<Word>> = BTreeMap::new();
        for row in self.store.words(self.key).await?.into_iter().chain(besides.cloned()) {
            if row.directory == limits::PLATFORM || [limits::UNLOCKED, limits::SWITCHED_ON].contains(&row.what.as_str())
            {
                continue;
            }
            let words = of.entry(ObjectId::new(row.directory, row.key)).or_default();
            if row.what == confirm::INCLUDED {
                words.retain(|word| !matches!(word, Word::Excluded { .. } | Word::Archived { .. }));
                continue;
            }
            words.push(serde_json::from_str(&row.what).map_err(|_| damaged("a decision about people"))?);
        }
        let mut words = Words::default();
        for (object, word) in
            of.into_iter().flat_map(|(object, of)| of.into_iter().map(move |word| (object.clone(), word)))
        {
            words.add(object, word);
        }
        Ok(words)
    }

    /// Nobody but who may migrate decides or changes anything.
    fn may_change(&self) -> Result<(), Error> {
        if self.actor.role.may_migrate() {
            return Ok(());
        }
        let what = format!("{} may look only", self.actor.name);
        Err(Error::refused("R-347", what).advise("ask somebody with the role engineer"))
    }

    /// Takes hold of the people of the project.
    async fn hold(&self) -> Result<PeopleLease, Error> {
        self.store.void_people_holds(movement::Holder::is_dead).await?;
        let holder = movement::Holder::this_process(&crate::project::random_text()?);
        let lease = self.store.hold_people(self.key, holder.as_str(), LEASE_MS).await?;
        lease.ok_or_else(|| Error {
            exit: Exit::Busy,
            rule: None,
            what: "another process works on the people of this project".to_owned(),
            advice: Some("wait until it is done; after a sudden end its hold lapses within two minutes".to_owned()),
        })
    }

    /// Gives the hold back after some work. What went wrong with the work is told before what went wrong with the hold.
    async fn leave<T>(&self, lease: &PeopleLease, done: Result<T, Error>) -> Result<T, Error> {
        let left = self.store.leave_people(lease).await;
        let done = done?;
        left?;
        Ok(done)
    }

    /// Since when what was made is known, by the object it was made for.
    pub(crate) async fn made(&self) -> Result<HashMap<ObjectId, store::AccountRow>, Error> {
        let rows = self.store.accounts_made(self.key).await?;
        Ok(rows.into_iter().map(|row| (ObjectId::new(&row.made.directory, &row.made.key), row)).collect())
    }
}

fn read_entry(row: &EntryRow) -> Result<Entry, Error> {
    serde_json::from_str(&row.entry).map_err(|_| damaged("an entry of a directory"))
}

fn damaged(what: &str) -> Error {
    store::Error::Damaged(what.to_owned()).into()
}

/// How many objects of each class there are.
pub(crate) fn counts(reconciliation: &Reconciliation) -> BTreeMap<&'static str, usize> {
    reconciliation.counts()
}

#[cfg(test)]
mod tests;
