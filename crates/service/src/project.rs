//! An opened project: its configuration, its people, its database, and the engine that works on them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use connector::{Account, SystemClock};
use model::{Actor, Cause, Organisation, Phase, Role, Scope, Side};
use movement::{Engine, Failure, Person, Progress};
use programme::Live;
use ring::rand::{SecureRandom, SystemRandom};
use store::{MailboxRow, ProjectKey, RosterRow, Store};
use tokio::sync::watch;

use crate::config::{Config, DatabaseEntry};
use crate::engine::{self, Making};
use crate::people::{self, Password, People, Row};
use crate::registry::{self, Means};
use crate::roster::{self, Withheld};
use crate::secret::Environment;
use crate::usecase::governed::{Gates, PilotNames, record_of};
use crate::usecase::switch::addresses::Addressing;
use crate::usecase::switch::exchanges::Exchanges;
use crate::usecase::switch::live::Accounts;
use crate::{Error, Exit};

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
    /// Who is known on both sides and waits for a signature.
    pub(crate) withheld: Vec<Withheld>,
    /// Mailboxes that the programme of a governed project does not let be copied yet.
    pub(crate) ungated: HashMap<i64, Withheld>,
    pub(crate) store: Store,
    pub(crate) key: ProjectKey,
    pub(crate) actor: Actor,
    pub(crate) endpoints: BTreeMap<i64, (String, &'static str)>,
    /// The number of each mailbox's row of people.csv, by the number of the mailbox.
    pub(crate) rows: BTreeMap<i64, usize>,
    /// Where accounts that this program made are known from; none: it makes none.
    pub(crate) accounts: Option<Accounts>,
    /// Legacy domains, and where their MX records were last seen to lead.
    pub(crate) exchanges: Box<Exchanges>,
    /// People's further addresses.
    pub(crate) addressing: Box<Addressing>,
}

impl Project {
    /// Opens the project in this folder to work on it: what its endpoints lack, a password say, is found before a database
    /// is made.
    pub async fn open_to_work(folder: &Path, environment: Environment<'_>) -> Result<Self, Error> {
        Self::read_to_work(folder, environment)?;
        Self::open(folder, environment).await
    }

    /// Reads what a project is, and looks that its endpoints lack nothing.
    pub(crate) fn read_to_work(folder: &Path, environment: Environment<'_>) -> Result<Config, Error> {
        let config = Config::read(folder)?;
        config.refuse_without_mail()?;
        roster::read_file(folder, &config)?;
        let unacknowledged_max = Duration::ZERO;
        let (unique, clock) = (String::new(), Arc::new(SystemClock));
        let means = Means { clock, environment, unique, unacknowledged_max, pace: None };
        for (name, entry) in &config.endpoints {
            registry::connector(&config, name, entry, &means)?;
        }
        Ok(config)
    }

    /// Opens the project in this folder, for whoever runs the program.
    pub async fn open(folder: &Path, environment: Environment<'_>) -> Result<Self, Error> {
        let config = Config::read(folder)?;
        config.refuse_without_mail()?;
        refuse_copies_onto_themselves(&config, &roster::read_file(folder, &config)?)?;
        actor(&config)?;
        let store = Store::open(&database(&config, environment)?).await?;
        Box::pin(Self::open_in(store, config)).await
    }

    /// The project of this file in a database; made where it is not there.
    pub(crate) async fn key_of(store: &Store, config: &Config) -> Result<ProjectKey, Error> {
        let organisation = Organisation { name: config.file.organisation.name.clone(), code: config.code.clone() };
        Ok(store.project(&organisation, &config.file.project).await?)
    }

    /// Opens the project of this file in a database that is open.
    pub(crate) async fn open_in(store: Store, config: Config) -> Result<Self, Error> {
        let mut people = roster::read_file(&config.folder, &config)?;
        let actor = actor(&config)?;
        refuse_copies_onto_themselves(&config, &people)?;
        let key = Self::key_of(&store, &config).await?;
        let of_file = people.rows.clone();
        let mut withheld = roster::complete(&config, &store, key, &actor, &mut people).await?;
        refuse_copies_onto_themselves(&config, &people)?;
        let mut endpoints = BTreeMap::new();
        let mut numbers = BTreeMap::new();
        for (name, entry) in &config.endpoints {
            let kind = registry::kind(entry);
            let number = store.endpoint(key, name, kind).await?;
            endpoints.insert(number, (name.clone(), kind));
            numbers.insert(name.clone(), number);
        }
        let sources = config.sources();
        let mailboxes = store.mailboxes(key).await?;
        withhold_retargeted(&config, &mailboxes, &numbers, &mut people, &mut withheld);
        keep_turned(&config, &mailboxes, (&numbers, of_file), &mut people, &mut withheld);
        let mut roster: Vec<RosterRow> = people
            .rows
            .iter()
            .map(|row| RosterRow {
                source_endpoint: numbers[row.source_endpoint.as_ref().unwrap_or(&sources[0])],
                source_name: row.source.clone(),
                target_endpoint: numbers[config.target_of(row)],
                target_name: row.target.clone(),
                name: row.name.clone(),
                kind: row.kind,
                collection: row.collection.clone(),
                target_in_use: row.target_in_use,
                new_account: row.new_account.unwrap_or(!row.target_in_use),
                activated: row.activated,
                in_books: row.in_books,
            })
            .collect();
        let of_people = roster.len();
        keep_listed(&mailboxes, &numbers, &mut withheld, &mut roster);
        // Who may only look leaves the roster as it is.
        if actor.role.may_migrate() {
            let enrolled = store.enroll(key, &roster).await?;
            if enrolled.added + enrolled.dropped > 0 {
                let detail = serde_json::json!({ "added": enrolled.added, "dropped": enrolled.dropped });
                store.audit(key, &actor, "roster.changed", &detail).await?;
            }
        }
        let places: HashMap<(i64, &str), usize> = roster[..of_people]
            .iter()
            .enumerate()
            .map(|(place, row)| ((row.source_endpoint, row.source_name.as_str()), place))
            .collect();
        let mut rows = BTreeMap::new();
        for mailbox in store.mailboxes(key).await?.iter().filter(|mailbox| mailbox.listed) {
            let name = (mailbox.roster.source_endpoint, mailbox.roster.source_name.as_str());
            if let Some(place) = places.get(&name) {
                rows.insert(mailbox.mailbox, *place);
            }
        }
        let accounts = Accounts::of(&config);
        let ungated = HashMap::new();
        let legacy = config.file.mx.as_deref().map(crate::config::MxSettings::wanted).transpose()?.unwrap_or_default();
        let exchanges = Box::new(Exchanges::of(legacy));
        let addressing = Box::new(Addressing::new(&config, &endpoints));
        let mut project = Self {
            config,
            people,
            withheld,
            ungated,
            store,
            key,
            actor,
            endpoints,
            rows,
            accounts,
            exchanges,
            addressing,
        };
        project.withhold_ungated().await?;
        if project.actor.role.may_migrate() {
            project.follow_file().await?;
        }
        Ok(project)
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
            let is_listed = listed.iter().any(|row| is_named(row, wanted));
            let is_wanted = |withheld: &&Withheld| !is_listed && withheld.source.eq_ignore_ascii_case(wanted);
            if let Some(withheld) = self.withheld.iter().find(is_wanted) {
                return Err(Error::refused("R-054", format!("{wanted} may not be copied yet: {}", withheld.why)));
            }
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

    /// Nothing is copied in a governed project before the stage that allows it. Whose switch has begun is followed to its end, and
    /// where it can't be known what is allowed nothing else is done.
    async fn withhold_ungated(&mut self) -> Result<(), Error> {
        let gates = Box::new(Gates::of(&self.config));
        let ask = async |live| match Box::pin(gates.against(&self.store, self.key, live)).await {
            Ok(against) => against,
            Err(error) => Some(error),
        };
        let bulk = ask(Live::SyncBulk).await;
        if bulk.is_none() {
            return Ok(());
        }
        let pilot = ask(Live::SyncPilot).await;
        let record = record_of(&self.store, self.key).await.unwrap_or_default();
        let names = PilotNames::of(&self.store, self.key, &self.config).await?;
        for row in self.store.mailboxes(self.key).await? {
            let against = if record.is_pilot(&names.of_row(&row)) { &pilot } else { &bulk };
            let (Some(refusal), true) = (against, row.listed && row.state.phase < Phase::Switching) else { continue };
            let why = refusal.what.lines().next().unwrap_or_default().to_owned();
            let endpoint = Some(self.endpoint_name(row.roster.source_endpoint).to_owned());
            let withheld = Withheld { source: row.roster.source_name, endpoint, why, only_if_begun: false };
            self.ungated.insert(row.mailbox, withheld);
        }
        Ok(())
    }

    /// Why this mailbox, though it is on the roster, may not be copied now.
    pub(crate) fn withheld(&self, row: &MailboxRow) -> Option<&Withheld> {
        if let Some(ungated) = self.ungated.get(&row.mailbox) {
            return Some(ungated);
        }
        self.unsettled(row)
    }

    /// Why it is not settled whose account this mailbox goes to, whatever the programme allows. Whose switch has begun is followed to where
    /// they went.
    pub(crate) fn unsettled(&self, row: &MailboxRow) -> Option<&Withheld> {
        if row.state.phase >= Phase::Switching {
            return None;
        }
        let endpoint = self.endpoint_name(row.roster.source_endpoint);
        self.withheld.iter().find(|withheld| withheld.is_of(endpoint, &row.roster.source_name))
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
        let people = self.rows.iter().map(|(mailbox, place)| (*mailbox, self.person(*place, environment))).collect();
        let unique = random_text()?;
        let making = Making {
            config: &self.config,
            endpoints: &self.endpoints,
            store: &self.store,
            key: self.key,
            unique: &unique,
            environment,
        };
        making.engine(people, progress, stop, dry_run)
    }

    pub(crate) fn person(&self, place: usize, environment: Environment<'_>) -> Person {
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
        let policy = row.archive.then(|| Arc::new(engine::archive_policy()));
        let place = self.config.target_of(row);
        let target_endpoint =
            self.endpoints.iter().find(|(_, (name, _))| name == place).map_or(0, |(number, _)| *number);
        Person { source, target, target_endpoint, quota_bytes: row.quota_bytes, policy, problem }
    }

    /// Does this mailbox go elsewhere than to the target: to the archive?
    pub(crate) fn is_archived(&self, row: &MailboxRow) -> bool {
        let archive = self.config.file.archive.as_ref();
        archive.is_some_and(|archive| self.endpoint_name(row.roster.target_endpoint) == archive.mail)
    }

    /// The name of an endpoint.
    pub(crate) fn endpoint_name(&self, number: i64) -> &str {
        self.endpoints.get(&number).map_or("?", |(name, _)| name)
    }
}

fn is_named(row: &MailboxRow, wanted: &str) -> bool {
    [&row.roster.source_name, &row.roster.target_name].into_iter().any(|name| name.eq_ignore_ascii_case(wanted))
}

/// A mailbox whose copy has begun keeps its target. Where its account is called otherwise by now, it waits for a person; the others
/// go on.
fn withhold_retargeted(
    config: &Config,
    mailboxes: &[MailboxRow],
    numbers: &BTreeMap<String, i64>,
    people: &mut People,
    withheld: &mut Vec<Withheld>,
) {
    let first = &config.sources()[0];
    let by_name: HashMap<(i64, &str), &MailboxRow> = mailboxes
        .iter()
        .map(|mailbox| ((mailbox.roster.source_endpoint, mailbox.roster.source_name.as_str()), mailbox))
        .collect();
    people.rows.retain(|row| {
        let endpoint = numbers[row.source_endpoint.as_ref().unwrap_or(first)];
        let is_other = |mailbox: &&&MailboxRow| {
            mailbox.roster.target_name != row.target && mailbox.state.phase != Phase::Planned
        };
        let known = by_name.get(&(endpoint, row.source.as_str()));
        // What people.csv says is for who wrote it to correct: the store refuses it.
        let Some(mailbox) = known.filter(is_other).filter(|_| row.line == 0) else { return true };
        let (was, now) = (&mailbox.roster.target_name, &row.target);
        let why = format!(
            "it is being copied to {was}, and its account is {now} now: have the address given back, or name it in people.csv"
        );
        let (source, endpoint) = (row.source.clone(), row.source_endpoint.clone());
        withheld.push(Withheld { source, endpoint, why, only_if_begun: false });
        false
    });
}

/// Whoever is being switched, or was, stays among the people as they were, whatever is said of them since: that they left, are called
/// otherwise, or are in no row any more. Their mail is on its way, and only who goes on with it can take them back. Who would be copied to the
/// same account by another name waits for a person.
fn keep_turned(
    config: &Config,
    mailboxes: &[MailboxRow],
    (numbers, of_file): (&BTreeMap<String, i64>, Vec<Row>),
    people: &mut People,
    withheld: &mut Vec<Withheld>,
) {
    let sources = config.sources();
    let endpoint_of = |row: &Row| row.source_endpoint.clone().unwrap_or_else(|| sources[0].clone());
    let name = |row: &Row| (endpoint_of(row), row.source.clone());
    let target = |row: &Row| (numbers.get(config.target_of(row)).copied(), row.target.to_lowercase());
    let mut known: BTreeSet<(String, String)> = people.rows.iter().map(name).collect();
    let mut of_file: HashMap<(String, String), Row> = of_file.into_iter().map(|row| (name(&row), row)).collect();
    let mut turned: HashMap<(Option<i64>, String), String> = HashMap::new();
    for mailbox in mailboxes.iter().filter(|mailbox| mailbox.state.phase >= Phase::Switching) {
        let roster = &mailbox.roster;
        let is_its = |name: &&String| numbers.get(*name) == Some(&roster.source_endpoint);
        let Some(endpoint) = sources.iter().find(is_its) else { continue };
        turned.insert((Some(roster.target_endpoint), roster.target_name.to_lowercase()), roster.source_name.clone());
        let its = (endpoint.clone(), roster.source_name.clone());
        if !known.insert(its.clone()) {
            continue;
        }
        let was = of_file.remove(&its).filter(|row| row.target == roster.target_name && !row.archive);
        let row = was.unwrap_or_else(|| Row {
            line: 0,
            source: roster.source_name.clone(),
            target: roster.target_name.clone(),
            name: roster.name.clone(),
            kind: roster.kind,
            collection: roster.collection.clone(),
            source_endpoint: Some(endpoint.clone()).filter(|_| sources.len() > 1),
            target_in_use: roster.target_in_use,
            new_account: Some(roster.new_account),
            activated: roster.activated,
            in_books: roster.in_books,
            archive: false,
            quota_bytes: None,
            vip: false,
            source_password: None,
            target_password: None,
        });
        if numbers.get(config.target_of(&row)) == Some(&roster.target_endpoint) {
            people.rows.push(row);
        }
    }
    people.rows.retain(|row| {
        let Some(other) = turned.get(&target(row)).filter(|other| **other != row.source) else { return true };
        let why = format!("{} is its account, and {other} was switched to it: say which of them is right", row.target);
        let (source, endpoint) = (row.source.clone(), Some(endpoint_of(row)));
        withheld.push(Withheld { source, endpoint, why, only_if_begun: false });
        false
    });
}

/// A mailbox that is withheld stays on the roster as it is, unless nothing of it was copied and nobody would miss it.
fn keep_listed(
    mailboxes: &[MailboxRow],
    numbers: &BTreeMap<String, i64>,
    withheld: &mut Vec<Withheld>,
    roster: &mut Vec<RosterRow>,
) {
    let names: BTreeMap<i64, &str> = numbers.iter().map(|(name, number)| (*number, name.as_str())).collect();
    let known: BTreeSet<(i64, String)> =
        roster.iter().map(|row| (row.source_endpoint, row.source_name.clone())).collect();
    withheld.retain(|withheld| {
        let is_of = |row: &&MailboxRow| {
            let endpoint = names.get(&row.roster.source_endpoint).copied().unwrap_or_default();
            row.listed
                && withheld.is_of(endpoint, &row.roster.source_name)
                && !known.contains(&(row.roster.source_endpoint, row.roster.source_name.clone()))
                && !(withheld.only_if_begun && row.state.phase == Phase::Planned)
        };
        let kept: Vec<&MailboxRow> = mailboxes.iter().filter(is_of).collect();
        for row in &kept {
            if !roster.contains(&row.roster) {
                roster.push(row.roster.clone());
            }
        }
        !withheld.only_if_begun || !kept.is_empty()
    });
}

/// Nobody's mailbox is copied onto itself.
fn refuse_copies_onto_themselves(config: &Config, people: &People) -> Result<(), Error> {
    let sources = config.sources();
    for row in &people.rows {
        let target = config.target_of(row);
        let source = row.source_endpoint.as_ref().unwrap_or(&sources[0]);
        if config.is_one_mailbox((source, &row.source), (target, &row.target)) {
            let what = format!("{}, line {}: source and target are one mailbox", people::FILE, row.line);
            return Err(Error::usage(what).advise("correct the row, or target.mail; nothing was changed"));
        }
    }
    Ok(())
}

/// The address of the project's database; a SQLite file is in the project's folder.
pub(crate) fn database(config: &Config, environment: Environment<'_>) -> Result<String, Error> {
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
pub(crate) fn actor(config: &Config) -> Result<Actor, Error> {
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
