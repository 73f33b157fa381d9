//! One platform, as the engine sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use connector::{
    ChangeOutcome, Directory, DirectoryCursor, DirectoryDeclaration, DirectoryRead, DirectoryTarget, Door, EntrySink,
    Error, Finding, PlannedChange,
};
use model::Entry;
use tokio::sync::OnceCell;

use crate::config::{Config, Tls};
use crate::map::fields::{Map, Type};
use crate::op;
use crate::op::apply::Writing;
use crate::op::discover::Server;
use crate::wire::client::{Client, NOT_ENCRYPTED};

/// A platform that is reached by SCIM.
#[derive(Clone)]
pub struct ScimDirectory {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    map: Map,
    client: Result<Client, Error>,
    server: OnceCell<Server>,
    /// It was said that connections are not encrypted.
    warned: AtomicBool,
}

impl ScimDirectory {
    /// The platform of these settings.
    pub fn new(config: Config) -> Self {
        let (map, client) = (Map::of(&config), Client::new(&config));
        let inner = Inner { config, map, client, server: OnceCell::new(), warned: AtomicBool::new(false) };
        Self { inner: Arc::new(inner) }
    }

    fn client(&self) -> Result<&Client, Error> {
        if self.inner.config.tls == Tls::None && !self.inner.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(server = %self.inner.config.url, "{NOT_ENCRYPTED}");
        }
        self.inner.client.as_ref().map_err(Clone::clone)
    }

    /// What the server says of itself, asked once.
    async fn server(&self) -> Result<(&Client, &Server), Error> {
        let client = self.client()?;
        let server = self.inner.server.get_or_try_init(|| Server::ask(client)).await?;
        Ok((client, server))
    }
}

#[async_trait]
impl Directory for ScimDirectory {
    fn declaration(&self) -> DirectoryDeclaration {
        DirectoryDeclaration {
            platform: "scim",
            writes: true,
            tells_changes: false,
            makes_live: self.inner.config.makes_live,
            changes_first_passwords: self.inner.config.must_change.is_some(),
        }
    }

    async fn read(&self, _: Option<&DirectoryCursor>, sink: &mut dyn EntrySink) -> Result<DirectoryRead, Error> {
        let (client, server) = self.server().await?;
        op::read::read((&self.inner.config, &self.inner.map), client, server, sink).await
    }

    async fn check(&self) -> Vec<Finding> {
        op::check::check(&self.inner.config, &self.inner.map, self.client()).await
    }
}

#[async_trait]
impl DirectoryTarget for ScimDirectory {
    async fn apply(&self, changes: &[PlannedChange], door: &dyn Door) -> Result<Vec<ChangeOutcome>, Error> {
        let (client, server) = self.server().await?;
        let writing = Writing { config: &self.inner.config, map: &self.inner.map, client, server, door };
        op::apply::apply(&writing, changes).await
    }

    async fn find_origin(&self, origin: &str) -> Result<Vec<Entry>, Error> {
        let (client, server) = self.server().await?;
        let found = op::find::marked((&self.inner.config, client), server, origin).await?;
        op::find::entries(&self.inner.map, client, &found)
    }

    async fn entries(&self, keys: &[String]) -> Result<Vec<Entry>, Error> {
        let (client, server) = self.server().await?;
        let mut entries = Vec::new();
        for key in keys {
            for of in Type::EVERY {
                if let Some(there) = op::find::resource(client, server, of, key).await? {
                    entries.push(op::find::entry(&self.inner.map, client, of, &there.resource)?);
                    break;
                }
            }
        }
        Ok(entries)
    }

    async fn holders(&self, addresses: &[String]) -> Result<Vec<Entry>, Error> {
        let (client, server) = self.server().await?;
        op::find::holders((&self.inner.config, &self.inner.map), client, server, addresses).await
    }
}
