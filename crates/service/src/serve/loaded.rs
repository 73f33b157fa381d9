//! A served project as a process has it: opened from what the service has put into the database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::{Cause, Condition};
use movement::{Engine, MailboxOutcome, Progress};
use store::{PauseRow, ProjectKey, Store};
use tokio::sync::watch;

use super::bundle::Bundle;
use super::seal::Seal;
use super::{Gate, Opening};
use crate::config::ServiceEntry;
use crate::engine::{Making, Watching};
use crate::registry;
use crate::usecase::rules::Originals;

/// A turn that would have to wait longer than this before it goes on ends.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// The longest wait of a mailbox whose turns fail one after the other.
const BACK_OFF_MAX: Duration = Duration::from_secs(3600);
/// The shortest one.
const BACK_OFF_MIN: Duration = Duration::from_secs(15);

/// A served project.
pub(crate) struct Loaded {
    pub(crate) key: ProjectKey,
    pub(crate) version: i64,
    /// The organisation's code and the project's name, for people and numbers.
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) service: ServiceEntry,
    pub(crate) engine: Engine,
    /// What sources are watched with, and on how many connections.
    pub(crate) watching: Watching,
    gate: Gate,
    endpoint_gates: BTreeMap<i64, Gate>,
}

impl Loaded {
    /// Opens what is sealed. An error says why nothing can be done for this project here.
    pub(crate) async fn open(
        store: &Store,
        seal: &Seal,
        key: ProjectKey,
        unique: &str,
        stop: &watch::Receiver<bool>,
        is_service: bool,
    ) -> Result<Option<Self>, String> {
        let Some((version, sealed)) = store.sealed(key).await.map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let names = store.project_names(key).await.map_err(|error| error.to_string())?.unwrap_or_default();
        let opened = seal.open_sealed(&names, &sealed);
        let opened = opened.ok_or("it is sealed with another key: give this process the key of whimbrel serve")?;
        let bundle = Bundle::read(&opened)?;
        let config = bundle.config().map_err(|error| error.what)?;
        let known = store.endpoints(key).await.map_err(|error| error.to_string())?;
        let mut endpoints = BTreeMap::new();
        for (number, name, _) in known {
            if let Some(entry) = config.endpoints.get(&name) {
                endpoints.insert(number, (name, registry::kind(entry)));
            }
        }
        let (mut engine, watching) = {
            let variable = |name: &str| bundle.variable(name);
            let making = Making { config: &config, endpoints: &endpoints, store, key, unique, environment: &variable };
            let engine = making.engine(bundle.people(), Arc::new(Progress::default()), stop.clone(), false);
            (engine.map_err(|error| error.what)?, making.watching().map_err(|error| error.what)?)
        };
        engine.version = Some(version);
        // Whoever has to wait leaves the place to others.
        engine.tuning.wait_max = WAIT_MAX;
        if !is_service {
            bundle.refuse_other_folders(&config)?;
        }
        if let Some((folder, key)) = bundle.quarantine() {
            engine.quarantine = Some(Arc::new(Originals::join(folder, &key).await.map_err(|error| error.what)?));
        }
        let mut endpoint_gates = BTreeMap::new();
        for (number, (name, _)) in &endpoints {
            endpoint_gates.insert(*number, config.gate(Some(name)).map_err(|error| error.what)?);
        }
        let gate = config.gate(None).map_err(|error| error.what)?;
        let (code, name) = (config.code.to_string(), config.file.project.clone());
        let service = config.file.service.clone();
        Ok(Some(Self { key, version, code, name, service, engine, watching, gate, endpoint_gates }))
    }

    /// May work be done on the project now?
    pub(crate) fn opening(&self, now: Timestamp) -> Opening {
        self.gate.at(now)
    }

    /// The endpoints where nothing may be opened now.
    pub(crate) fn closed_endpoints(&self, now: Timestamp) -> Vec<i64> {
        let closed = self.endpoint_gates.iter().filter(|(_, gate)| gate.at(now) != Opening::Open);
        closed.map(|(number, _)| *number).collect()
    }

    /// The endpoints that these pauses are about.
    pub(crate) fn paused_endpoints(&self, pauses: &[PauseRow]) -> Vec<i64> {
        let scopes: Vec<&str> = pauses.iter().filter_map(|pause| pause.scope.strip_prefix("endpoint/")).collect();
        let named = self.engine.endpoints.iter().filter(|(_, endpoint)| scopes.contains(&endpoint.name.as_str()));
        named.map(|(number, _)| *number).collect()
    }

    /// Does one of these pauses stop the work on a mailbox that is under way?
    pub(crate) fn is_stopped_by(&self, pauses: &[PauseRow], row: &store::MailboxRow) -> bool {
        pauses.iter().any(|pause| match pause.scope.split_once('/') {
            Some(("mailbox", number)) => number.parse() == Ok(row.mailbox),
            Some(("collection", name)) => row.roster.collection.as_deref() == Some(name),
            Some(("endpoint", name)) => [row.roster.source_endpoint, row.roster.target_endpoint]
                .iter()
                .any(|number| self.engine.endpoints.get(number).is_some_and(|endpoint| endpoint.name == name)),
            _ => true,
        })
    }

    /// When a mailbox is worked on again after this, its `tries` having failed before, one after the other; its turn may have been
    /// stopped.
    pub(crate) fn again(&self, outcome: &MailboxOutcome, tries: i64, was_stopped: bool) -> Duration {
        let cycle = Duration::from_secs(self.service.cycle_seconds);
        let Some(failure) = &outcome.failure else {
            // What changes faster than it can be read is due at once, behind the others; what waits for something, in its cycle.
            let is_late = !outcome.report.complete && outcome.report.in_the_way.is_none();
            return if is_late { Duration::ZERO } else { cycle };
        };
        if failure.error.cause == Cause::Stopped {
            // Its turn is over: behind the others, at once. What is said of itself to be another's by now waits for the next version.
            return if was_stopped { Duration::ZERO } else { BACK_OFF_MIN };
        }
        if matches!(outcome.state.condition, Condition::Parked(_)) {
            return Duration::from_secs(self.service.parked_retry_seconds);
        }
        let doubled = BACK_OFF_MIN.saturating_mul(1 << tries.clamp(0, 16));
        let wished = match failure.error.retry {
            connector::Retry::Later(Some(wait)) => wait,
            _ => Duration::ZERO,
        };
        doubled.min(BACK_OFF_MAX).max(wished)
    }
}
