//! The engine of a project, made of what its file says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use connector::{Access, Clock, HoldsLimits, Pace, SystemClock};
use model::Following;
use movement::{Endpoint, Engine, Holder, NoProbe, Person, Progress, Tuning, Turnover};
use profile::Policy;
use store::{LeaseTerms, ProjectKey, Store};
use tokio::sync::watch;

use crate::Error;
use crate::access;
use crate::config::{Config, EndpointEntry, Limits, MxSettings, SwitchEntry};
use crate::directories;
use crate::registry::{self, Means};
use crate::routers;
use crate::scripts::ScriptBoard;
use crate::secret::Environment;
use crate::serve::EndpointPace;
use crate::usecase::governed::Gates;
use crate::usecase::people::Opened;
use crate::usecase::switch::addresses::{Addressing, RosterAddresses};
use crate::usecase::switch::driver::Switcher;
use crate::usecase::switch::exchanges::Exchanges;
use crate::usecase::switch::lists::Lists;
use crate::usecase::switch::live::Accounts;
use crate::usecase::switch::look::{Inventory, Looks};

/// What a successor waits beyond a lease's end, as a share of the lease.
const MARGIN_SHARE: u64 = 4;

/// How long leases run under these limits.
pub(crate) fn terms(limits: &Limits) -> LeaseTerms {
    LeaseTerms {
        lasts_ms: (limits.lease_seconds * 1000) as i64,
        margin_ms: (limits.lease_seconds * 1000 / MARGIN_SHARE) as i64,
    }
}

/// By endpoint: what sources are watched with, and on how many connections.
pub(crate) type Watching = BTreeMap<i64, registry::Watched>;

/// What an engine is made of, besides the people.
pub(crate) struct Making<'m> {
    pub(crate) config: &'m Config,
    /// Its endpoints by number: name and kind.
    pub(crate) endpoints: &'m BTreeMap<i64, (String, &'static str)>,
    pub(crate) store: &'m Store,
    pub(crate) key: ProjectKey,
    /// A random text that tells this process from all others.
    pub(crate) unique: &'m str,
    pub(crate) environment: Environment<'m>,
}

impl<'m> Making<'m> {
    fn means(&self, number: i64, entry: &EndpointEntry) -> Means<'m> {
        let pace = EndpointPace::of(self.store, self.key, number, entry);
        Means {
            clock: Arc::new(SystemClock),
            environment: self.environment,
            unique: self.unique.to_owned(),
            unacknowledged_max: self.unacknowledged_max(),
            pace: pace.map(|pace| Arc::new(pace) as Arc<dyn Pace>),
        }
    }

    /// The engine for these people, by the numbers of their mailboxes. `stop` becomes true when it is to end.
    pub(crate) fn engine(
        &self,
        people: BTreeMap<i64, Person>,
        progress: Arc<Progress>,
        stop: watch::Receiver<bool>,
        dry_run: bool,
    ) -> Result<Engine, Error> {
        let limits = &self.config.file.limits;
        let terms = terms(limits);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut endpoints = BTreeMap::new();
        for (number, (name, _)) in self.endpoints {
            let entry = &self.config.endpoints[name];
            let connector = registry::connector(self.config, name, entry, &self.means(*number, entry))?;
            endpoints.insert(*number, Endpoint::new(name, connector, registry::mailboxes_max(entry)));
        }
        let spool_folder = limits.spool_folder.as_ref().map_or_else(std::env::temp_dir, |path| self.config.path(path));
        Ok(Engine {
            store: self.store.clone(),
            key: self.key,
            version: None,
            endpoints,
            people: Arc::new(people),
            policy: Arc::new(self.config.policy.clone()),
            quarantine: None,
            scanner: self.config.scanner(),
            clock,
            holder: Holder::this_process(self.unique),
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
            consent: Some(Arc::new(Gates::of(self.config))),
            turnover: self.switcher()?.map(|switcher| Arc::new(switcher) as Arc<dyn Turnover>),
        })
    }

    /// What switches the project's mailboxes; none where nothing sends mail elsewhere.
    pub(crate) fn switcher(&self) -> Result<Option<Switcher>, Error> {
        let mut routers = BTreeMap::new();
        let mut inventory = Inventory::new();
        for (name, entry) in &self.config.routers {
            let number = self.endpoints.iter().find(|(_, (endpoint, _))| *endpoint == entry.endpoint);
            let Some((number, _)) = number else { continue };
            let unacknowledged_max = self.unacknowledged_max();
            let board = || ScriptBoard::of(self.store, self.key, *number);
            let router = routers::open(self.config, name, entry, unacknowledged_max, self.environment, board)?;
            if entry.inventory {
                inventory.entry(*number).or_default().push((name.clone(), router));
            } else {
                routers.insert(*number, router);
            }
        }
        if routers.is_empty() && inventory.is_empty() {
            return Ok(None);
        }
        let (routing, entry) = (self.config.file.routing.as_deref().cloned(), (*self.config.file.switch).clone());
        let target = self.endpoints.iter().find(|(_, (endpoint, _))| endpoint == self.config.target());
        let target = target.map_or(0, |(number, _)| *number);
        let is_match_signed = self.config.file.people.is_none() || self.config.file.require.signed_match;
        let (addressing, accesses) = (self.addressing(&entry)?, self.accesses()?);
        let zone = self.config.time_zone();
        let (platform, lists) = (self.config.platform().map(str::to_owned), Lists::default());
        let accounts = Accounts::of(self.config);
        let wanted = self.config.file.mx.as_deref().map(MxSettings::wanted).transpose()?.unwrap_or_default();
        Ok(Some(Switcher {
            routers,
            inventory,
            looks: Looks::default(),
            routing,
            entry,
            zone,
            target,
            is_match_signed,
            platform,
            lists,
            accounts,
            addressing,
            accesses,
            exchanges: Exchanges::of(wanted),
            roster: RosterAddresses::default(),
            gates: Some(Arc::new(Gates::of(self.config))),
        }))
    }

    /// What closes the mailboxes of each endpoint that has such a thing.
    fn accesses(&self) -> Result<BTreeMap<i64, Arc<dyn Access>>, Error> {
        let mut accesses = BTreeMap::new();
        for (name, entry) in &self.config.accesses {
            let number = self.endpoints.iter().find(|(_, (endpoint, _))| *endpoint == entry.endpoint);
            if let Some((number, _)) = number {
                let access = access::open(self.config, name, entry, self.unacknowledged_max(), self.environment)?;
                accesses.insert(*number, access);
            }
        }
        for (name, entry) in &self.config.routers {
            let number = self.endpoints.iter().find(|(_, (endpoint, _))| *endpoint == entry.endpoint);
            let (Some((number, _)), Some(site)) = (number, entry.exchange()) else { continue };
            let board = ScriptBoard::of(self.store, self.key, *number);
            let access = exchange::ExchangeAccess::new(site.clone(), board)
                .map_err(|error| Error::usage(format!("routers.{name}: {error}")))?;
            if let Some(access) = access {
                accesses.insert(*number, Arc::new(access));
            }
        }
        Ok(accesses)
    }

    /// Where people's old addresses are written: the platform's directory, if the project writes it.
    fn addressing(&self, entry: &SwitchEntry) -> Result<Addressing, Error> {
        let mut addressing = Addressing::new(self.config, self.endpoints);
        if let Some(name) = self.config.platform() {
            let opened = directories::open_for(self.config, name, self.environment, Some(self.unacknowledged_max()))?;
            if let Opened::Written(platform) = opened {
                addressing.platform = (!entry.addresses_by_hand).then(|| platform.clone());
                addressing.directory = Some(platform);
            }
        }
        Ok(addressing)
    }

    /// Well within the margin: a successor must not meet bytes that are still on their way.
    fn unacknowledged_max(&self) -> Duration {
        Duration::from_millis(terms(&self.config.file.limits).margin_ms.unsigned_abs() * 2 / 3)
    }

    /// Connectors of their own for the connections on which sources are watched, and how many there may be of each.
    pub(crate) fn watching(&self) -> Result<Watching, Error> {
        let mut watching = BTreeMap::new();
        for (number, (name, _)) in self.endpoints {
            let entry = &self.config.endpoints[name];
            if !self.config.sources().contains(name) {
                continue;
            }
            if let Some(found) = registry::watching(self.config, name, entry, &self.means(*number, entry))? {
                watching.insert(*number, found);
            }
        }
        Ok(watching)
    }
}

/// What goes to the archive goes there as it is, whatever the platform bans; what is removed at the source stays there until somebody
/// says otherwise.
pub(crate) fn archive_policy() -> Policy {
    let following = Following {
        removals_free: 0,
        removals_max: 0,
        removals_share_max: 0,
        removals_a_day_max: 0,
        adopted_follow: false,
        ..Following::default()
    };
    Policy { profile: "archive".to_owned(), citation: "archive".to_owned(), following, ..Policy::plain() }
}
