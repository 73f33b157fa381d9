//! Two real servers on which histories are played (see `conformance::history`).

use std::sync::Arc;

use conformance::{
    history::{generate::Does, imap::ImapClient, play::Stage},
    servers::Format,
};
use connector::{Connector, Secret};

use crate::store::{MIGRATOR, PASSWORD, Store};

/// Source and target.
pub struct Pair {
    source: Store,
    target: Store,
}

/// Reaches a server, or a proxy before it, as the migrator of this name.
pub fn connector(port: u16, migrator: &str) -> Arc<dyn Connector> {
    let mut config = imap::Config::new("127.0.0.1");
    config.port = Some(port);
    config.tls = imap::Tls::None;
    config.login = Some(imap::Login {
        user: migrator.to_owned(),
        password: Some(Secret::new(PASSWORD)),
        token: None,
        impersonate: imap::Impersonate::Authzid,
    });
    Arc::new(imap::ImapConnector::new(config).expect("the endpoint is well described"))
}

impl Pair {
    /// Two stores with the same people.
    pub fn new(source: Store, target: Store) -> Self {
        Self { source, target }
    }

    /// Two Dovecots with these people.
    pub fn dovecots(people: &[&str], formats: [Format; 2]) -> Option<Self> {
        let [source, target] = formats.map(|format| Store::dovecot(format, people));
        Some(Self::new(source?, target?))
    }

    /// The stage for this person.
    pub fn stage(&self, person: &str, does: Does) -> Stage {
        let stores = [&self.source, &self.target];
        let connectors = stores.map(|store| connector(store.port(), &store.name(MIGRATOR)));
        let clients = stores.map(|store| Box::new(ImapClient::new(store.talk(person))) as _);
        let names = stores.map(|store| store.name(person));
        Stage::on_servers(connectors, clients, [&names[0], &names[1]], does)
    }
}
