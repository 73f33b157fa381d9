//! One directory, as the engine sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use connector::{
    ChangeOutcome, Clock, Directory, DirectoryCursor, DirectoryDeclaration, DirectoryRead, DirectoryTarget, Door,
    EntrySink, Error, Finding, PlannedChange,
};
use model::Entry;

use crate::config::{Changes, Config, Kind, Tls};
use crate::map::entry::Map;
use crate::op;
use crate::op::find::Finder;
use crate::wire::connection::NOT_ENCRYPTED;

/// A directory that is reached by LDAP.
#[derive(Clone)]
pub struct LdapDirectory {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    map: Map,
    clock: Arc<dyn Clock>,
    /// It was said that connections are not encrypted.
    warned: AtomicBool,
}

impl LdapDirectory {
    /// The directory of these settings. The clock says which accounts have expired that are written or asked for by name.
    pub fn new(config: Config, clock: Arc<dyn Clock>) -> Self {
        let map = Map::of(&config);
        Self { inner: Arc::new(Inner { config, map, clock, warned: AtomicBool::new(false) }) }
    }

    fn warn_once(&self) {
        if self.inner.config.tls == Tls::None && !self.inner.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(server = %self.inner.config.address(), "{NOT_ENCRYPTED}");
        }
    }
}

#[async_trait]
impl Directory for LdapDirectory {
    fn declaration(&self) -> DirectoryDeclaration {
        let config = &self.inner.config;
        DirectoryDeclaration {
            platform: config.kind.name(),
            writes: config.write.is_some(),
            tells_changes: config.changes != Changes::None,
            makes_live: false,
            // Active Directory is told by pwdLastSet.
            changes_first_passwords: config.kind == Kind::ActiveDirectory
                || config.write.as_ref().is_some_and(|write| write.must_change.is_some()),
        }
    }

    async fn read(&self, since: Option<&DirectoryCursor>, sink: &mut dyn EntrySink) -> Result<DirectoryRead, Error> {
        self.warn_once();
        let inner = &self.inner;
        op::read::read((&inner.config, &inner.map, &*inner.clock), since, sink).await
    }

    async fn check(&self) -> Vec<Finding> {
        self.warn_once();
        op::check::check(&self.inner.config, &self.inner.map).await
    }
}

#[async_trait]
impl DirectoryTarget for LdapDirectory {
    async fn apply(&self, changes: &[PlannedChange], door: &dyn Door) -> Result<Vec<ChangeOutcome>, Error> {
        self.warn_once();
        op::write::apply(&self.inner.config, &self.inner.map, changes, door, self.inner.clock.unix_seconds()).await
    }

    async fn find_origin(&self, origin: &str) -> Result<Vec<Entry>, Error> {
        if origin.is_empty() {
            return Ok(Vec::new());
        }
        let mut finder = Finder::reach(&self.inner.config, &self.inner.map).await?;
        let found = finder.by_origins(&[origin].into()).await?;
        Ok(finder.read(&found, self.inner.clock.unix_seconds()))
    }

    async fn entries(&self, keys: &[String]) -> Result<Vec<Entry>, Error> {
        let mut finder = Finder::reach(&self.inner.config, &self.inner.map).await?;
        let found = finder.by_keys(&keys.iter().map(String::as_str).collect()).await?;
        let found: Vec<_> = keys.iter().filter_map(|key| found.get(key)).cloned().collect();
        Ok(finder.read(&found, self.inner.clock.unix_seconds()))
    }

    async fn holders(&self, addresses: &[String]) -> Result<Vec<Entry>, Error> {
        let mut finder = Finder::reach(&self.inner.config, &self.inner.map).await?;
        let found = finder.by_addresses(addresses).await?;
        Ok(finder.read_all(&found, self.inner.clock.unix_seconds()))
    }
}
