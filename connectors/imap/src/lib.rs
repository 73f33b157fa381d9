//! IMAP
mod endpoint;
mod map;
mod op;
mod session;

pub mod config;
#[doc(hidden)]
pub mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use connector::{Account, Connector, Declaration, Door, Error, Finding, OpenDoor, Source, Target};
use model::{Cause, ItemKind, Scope};

pub use config::{CONNECTIONS_MAX, Compress, Config, Impersonate, Login, Tls, TokenSource};

use endpoint::Endpoint;
use session::Session;
use wire::command::Role;

/// What an IMAP server can hold and do, known without asking one.
pub fn declaration() -> Declaration {
    Declaration { platform: "IMAP", kinds: vec![ItemKind::Message], writes: true, losses: map::LOSSES.to_vec() }
}

/// Opens mailboxes of an IMAP server.
#[derive(Clone)]
pub struct ImapConnector {
    endpoint: Arc<Endpoint>,
}

impl ImapConnector {
    /// The connector to this endpoint. Fails on settings that no server could make right.
    pub fn new(config: Config) -> Result<Self, Error> {
        match config.mistake() {
            Some(mistake) => Err(Error::new(Cause::Unsupported, Scope::Run, mistake)),
            None => Ok(Self { endpoint: Arc::new(Endpoint::new(config)) }),
        }
    }

    async fn open(&self, role: Role, account: &Account, door: Arc<dyn Door>) -> Result<Session, Error> {
        let reached = self.endpoint.reach(role, account).await?;
        Ok(Session::new(self.endpoint.clone(), account, reached, door))
    }
}

#[async_trait]
impl Connector for ImapConnector {
    fn declaration(&self) -> Declaration {
        declaration()
    }

    async fn source(&self, account: &Account) -> Result<Box<dyn Source>, Error> {
        Ok(Box::new(self.open(Role::Reads, account, Arc::new(OpenDoor)).await?))
    }

    async fn target(&self, account: &Account, door: Arc<dyn Door>) -> Result<Box<dyn Target>, Error> {
        Ok(Box::new(self.open(Role::Writes, account, door).await?))
    }

    async fn check(&self, account: Option<&Account>) -> Vec<Finding> {
        self.endpoint.check(account).await
    }
}
