//! An opened project: its configuration, its people, its database, and the engine that works on them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use connector::{Account, Clock, HoldsLimits, SystemClock};
use model::{Actor, Cause, Organisation, Role, Scope, Side};
use movement::{Endpoint, Engine, Failure, Holder, NoProbe, Person, Progress, Tuning};
use ring::rand::{SecureRandom, SystemRandom};
use store::{LeaseTerms, MailboxRow, ProjectKey, RosterRow, Store};
use tokio::sync::watch;

use crate::config::{Config, DatabaseEntry};
use crate::people::{self, Password, People};
use crate::registry::{self, Means};
use crate::secret::Environment;
use crate::{Error, Exit};

/// What a successor waits beyond a lease's end, as a share of the lease.
const MARGIN_SHARE: u64 = 4;

/// Which mailboxes a command is about: all, when nothing is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// By name at the source or the target.
    pub mailboxes: Vec<String>,
    /// By collection.
    pub collection: Option<String>,
}

/// An opened project.
pub struct Project {
    pub(crate) config: Config,
    pub(crate) people: People,
    pub(crate) store: Store,
    pub(crate) key: ProjectKey,
    pub(crate) actor: Actor,
    pub(crate) endpoints: BTreeMap<i64, (String, &'static str)>,
    /// The number of each mailbox's row of people.csv, by the number of the mailbox.
    pub(crate) rows: BTreeMap<i64, usize>,
}

impl Project {
    /// Opens the project in this folder to work on it: what its endpoints lack, a password say, is found before a database
    /// is made.
    pub async fn open_to_work(folder: &Path, environment: Environment<'_>) -> Result<Self, Error> {
        let config = Config::read(folder)?;
        people::read(folder, &config.file.source.mail.all())?;
        let unacknowledged_max = Duration::ZERO;
        let means = Means { clock: Arc::new(SystemClock), environment, unique: String::new(), unacknowledged_max };
        for (name, entry) in &config.endpoints {
            registry::connector(&config, name, entry, &means)?;
        }
        Self::open(folder, environment).await
    }

    /// Opens the project in this folder, for whoever runs the program.
    pub async fn open(folder: &Path, environment: Environment<'_>) -> Result<Self, Error> {
        let config = Config::read(folder)?;
        let people = people::read(folder, &config.file.source.mail.all())?;
        let actor = actor(&config)?;
        refuse_copies_onto_themselves(&config, &people)?;
        let store = Store::open(&database(&config, environment)?).await?;
        let organisation = Organisation { name: config.file.organisation.name.clone(), code: config.code.clone() };
        let key = store.project(&organisation, &config.file.project).await?;
        let mut endpoints = BTreeMap::new();
        let mut numbers = BTreeMap::new();
        for (name, entry) in &config.endpoints {
            let kind = registry::kind(entry);
            let number = store.endpoint(key, name, kind).await?;
            endpoints.insert(number, (name.clone(), kind));
            numbers.insert(name.clone(), number);
        }
        let sources = config.file.source.mail.all();
        let roster: Vec<RosterRow> = people
            .rows
            .iter()
            .map(|row| RosterRow {
                source_endpoint: numbers[row.source_endpoint.as_ref().unwrap_or(&sources[0])],
                source_name: row.source.clone(),
                target_endpoint: numbers[&config.file.target.mail],
                target_name: row.target.clone(),
                name: row.name.clone(),
                kind: row.kind,
                collection: row.collection.clone(),
                target_in_use: row.target_in_use,
            })
            .collect();
        let enrolled = store.enroll(key, &roster).await?;
        if enrolled.added + enrolled.dropped > 0 {
            let detail = serde_json::json!({ "added": enrolled.added, "dropped": enrolled.dropped });
            store.audit(key, &actor, "roster.changed", &detail).await?;
        }
        let mut rows = BTreeMap::new();
        for mailbox in store.mailboxes(key).await?.iter().filter(|mailbox| mailbox.listed) {
            let place = roster.iter().position(|row| {
                row.source_endpoint == mailbox.roster.source_endpoint && row.source_name == mailbox.roster.source_name
            });
            if let Some(place) = place {
                rows.insert(mailbox.mailbox, place);
            }
        }
        Ok(Self { config, people, store, key, actor, endpoints, rows })
    }

    /// Closes the database, after what is under way.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// The mailboxes of the roster that are chosen.
    pub(crate) async fn select(&self, selection: &Selection) -> Result<Vec<MailboxRow>, Error> {
        let mut listed = self.store.mailboxes(self.key).await?;
        listed.retain(|row| row.listed);
        for wanted in &selection.mailboxes {
            if !listed.iter().any(|row| is_named(row, wanted)) {
                let names = listed.iter().flat_map(|row| [row.roster.source_name.as_str(), &row.roster.target_name]);
                let error = Error::usage(format!("{wanted:?} is in no row of {}", people::FILE));
                return Err(match crate::config::alike(wanted, names) {
                    Some(meant) => error.advise(format!("did you mean {meant:?}?")),
                    None => error.advise("give a name of the column source or target"),
                });
            }
        }
        if let Some(collection) = &selection.collection {
            let known: BTreeSet<String> = listed.iter().filter_map(|row| row.roster.collection.clone()).collect();
            if !known.contains(collection) {
                let what = format!("nobody in {} is in the collection {collection:?}", people::FILE);
                let names: Vec<&str> = known.iter().map(String::as_str).collect();
                return Err(Error::usage(what).advise(match crate::config::alike(collection, names.iter().copied()) {
                    Some(meant) => format!("did you mean {meant:?}?"),
                    None if names.is_empty() => "write collections into the column collection".to_owned(),
                    None => format!("known collections are {}", names.join(", ")),
                }));
            }
            listed.retain(|row| row.roster.collection.as_ref() == Some(collection));
        }
        if !selection.mailboxes.is_empty() {
            listed.retain(|row| selection.mailboxes.iter().any(|wanted| is_named(row, wanted)));
        }
        Ok(listed)
    }

    /// The mailboxes chosen, by number: a name for people, and the collection.
    pub async fn overview(&self, selection: &Selection) -> Result<BTreeMap<i64, (String, String)>, Error> {
        let named = |row: MailboxRow| {
            let collection = row.roster.collection.unwrap_or_else(|| "everyone".to_owned());
            (row.mailbox, (format!("{} → {}", row.roster.source_name, row.roster.target_name), collection))
        };
        Ok(self.select(selection).await?.into_iter().map(named).collect())
    }

    /// Requires that whoever runs the program may do more than look.
    pub(crate) fn may_migrate(&self) -> Result<(), Error> {
        if self.actor.role.may_migrate() {
            return Ok(());
        }
        let what = format!("{} may look at this project, not work on it", self.actor.name);
        Err(Error::refused("R-347", what).advise("ask for a place in roles.engineer"))
    }

    /// The engine for this project. `stop` becomes true when a person wants it to end.
    pub(crate) fn engine(
        &self,
        environment: Environment<'_>,
        progress: Arc<Progress>,
        stop: watch::Receiver<bool>,
        dry_run: bool,
    ) -> Result<Engine, Error> {
        let limits = &self.config.file.limits;
        let terms = LeaseTerms {
            lasts_ms: (limits.lease_seconds * 1000) as i64,
            margin_ms: (limits.lease_seconds * 1000 / MARGIN_SHARE) as i64,
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let unique = random_text()?;
        let means = Means {
            clock: clock.clone(),
            environment,
            unique: unique.clone(),
            // Well within the margin: a successor must not meet bytes that are still on their way.
            unacknowledged_max: Duration::from_millis(terms.margin_ms.unsigned_abs() * 2 / 3),
        };
        let mut endpoints = BTreeMap::new();
        for (number, (name, _)) in &self.endpoints {
            let entry = &self.config.endpoints[name];
            let connector = registry::connector(&self.config, name, entry, &means)?;
            endpoints.insert(*number, Endpoint::new(name, connector, registry::mailboxes_max(entry)));
        }
        let people = self.rows.iter().map(|(mailbox, place)| (*mailbox, self.person(*place, environment))).collect();
        let spool_folder = limits.spool_folder.as_ref().map_or_else(std::env::temp_dir, |path| self.config.path(path));
        Ok(Engine {
            store: self.store.clone(),
            key: self.key,
            endpoints,
            people,
            policy: Arc::new(self.config.policy.clone()),
            quarantine: None,
            scanner: self.config.scanner(),
            clock,
            holder: Holder::this_process(&unique),
            terms,
            people_at_once: self.config.file.people_at_once,
            holds: HoldsLimits {
                memory_bytes: limits.memory_bytes,
                body_in_memory_bytes_max: limits.memory_bytes / 2,
                spool_bytes: limits.spool_bytes_max,
                spool_folder,
            },
            tuning: Tuning {
                batch_bytes: Tuning::default().batch_bytes.min(limits.memory_bytes / 4),
                late_look_gap: Duration::from_millis(terms.margin_ms.unsigned_abs()),
                ..Tuning::default()
            },
            progress,
            stop,
            probe: Arc::new(NoProbe),
            dry_run,
        })
    }

    fn person(&self, place: usize, environment: Environment<'_>) -> Person {
        let row = &self.people.rows[place];
        let mut problem = None;
        let mut password = |side: Side, password: &Option<Password>| {
            let whose = format!("{}, line {}, {side}_password", people::FILE, row.line);
            match password.as_ref()?.reveal(&whose, &self.config.folder, environment) {
                Ok(secret) => Some(secret),
                Err(error) => {
                    let error = connector::Error::new(Cause::Login, Scope::Mailbox, error.what);
                    problem.get_or_insert(Failure { side: Some(side), error });
                    None
                }
            }
        };
        let account = |name: &String, password| Account {
            name: name.clone(),
            source_name: row.source.clone(),
            target_name: row.target.clone(),
            password,
        };
        let source = account(&row.source, password(Side::Source, &row.source_password));
        let target = account(&row.target, password(Side::Target, &row.target_password));
        Person { source, target, quota_bytes: row.quota_bytes, problem }
    }

    /// The name of an endpoint.
    pub(crate) fn endpoint_name(&self, number: i64) -> &str {
        self.endpoints.get(&number).map_or("?", |(name, _)| name)
    }
}

fn is_named(row: &MailboxRow, wanted: &str) -> bool {
    [&row.roster.source_name, &row.roster.target_name].into_iter().any(|name| name.eq_ignore_ascii_case(wanted))
}

/// Nobody's mailbox is copied onto itself.
fn refuse_copies_onto_themselves(config: &Config, people: &People) -> Result<(), Error> {
    let (sources, target) = (config.file.source.mail.all(), &config.file.target.mail);
    for row in &people.rows {
        let source = row.source_endpoint.as_ref().unwrap_or(&sources[0]);
        if config.is_one_mailbox((source, &row.source), (target, &row.target)) {
            let what = format!("{}, line {}: source and target are one mailbox", people::FILE, row.line);
            return Err(Error::usage(what).advise("correct the row, or target.mail; nothing was changed"));
        }
    }
    Ok(())
}

/// The address of the project's database; a SQLite file is in the project's folder.
fn database(config: &Config, environment: Environment<'_>) -> Result<String, Error> {
    let address = match &config.file.database {
        DatabaseEntry::Address(address) => address.clone(),
        DatabaseEntry::From(from) => environment(&from.env)
            .ok_or_else(|| Error::usage(format!("database: the environment variable {} is not set", from.env)))
            .map_err(|error| error.advise(format!("set it, for example: export {}=…", from.env)))?,
    };
    Ok(match address.strip_prefix("sqlite:") {
        Some(file) => format!("sqlite:{}", config.path(Path::new(file)).display()),
        None => address,
    })
}

/// Who runs the program, in which role.
fn actor(config: &Config) -> Result<Actor, Error> {
    let name = os_user();
    let role = match &config.file.roles {
        None => Role::Engineer,
        Some(roles) if roles.engineer.contains(&name) => Role::Engineer,
        Some(roles) if roles.reader.contains(&name) => Role::Reader,
        Some(_) => {
            let what = format!("{name} has no role in this project");
            return Err(Error::refused("R-347", what).advise("ask for a place in [roles] of the project's file"));
        }
    };
    Ok(Actor { name, role, organisation: config.code.to_string(), known_by: "os-user".to_owned() })
}

/// The name of the operating system's user, as the system itself has it (not as the environment says).
fn os_user() -> String {
    let number = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut entries = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let entry = entries.find(|entry| entry.get(2).is_some_and(|known| known.parse() == Ok(number)));
    entry.and_then(|entry| entry.first().map(|name| (*name).to_owned())).unwrap_or_else(|| format!("user {number}"))
}

/// A random text of letters and digits.
pub(crate) fn random_text() -> Result<String, Error> {
    let mut bytes = [0; 10];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error {
        exit: Exit::Internal,
        rule: None,
        what: "the system gives no random numbers".to_owned(),
        advice: None,
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
