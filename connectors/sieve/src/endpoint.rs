//! One server, as all its connections share it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use connector::Error;
use model::{Cause, Scope};
use rustls::ClientConfig;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::config::Config;

/// A server and what is known of it.
pub(crate) struct Endpoint {
    pub(crate) config: Config,
    /// Connections that may still be made.
    places: Arc<Semaphore>,
    trust: OnceCell<Arc<ClientConfig>>,
    /// A name that nobody has was tried, and refused: by each mechanism, in the order of [`Mechanism`](crate::op::login::Mechanism).
    pub(crate) nobody_is_refused: [OnceCell<()>; 2],
    /// SCRAM was refused where the plain password was taken.
    pub(crate) scram_is_useless: AtomicBool,
    /// It was said that connections are not encrypted.
    pub(crate) warned: AtomicBool,
}

impl Endpoint {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            places: Arc::new(Semaphore::new(config.connections_max.min(Semaphore::MAX_PERMITS))),
            config,
            trust: OnceCell::new(),
            nobody_is_refused: [OnceCell::new(), OnceCell::new()],
            scram_is_useless: AtomicBool::new(false),
            warned: AtomicBool::new(false),
        }
    }

    /// A place among the connections allowed; waits until one is free.
    pub(crate) async fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        let closed = |_| Error::new(Cause::Internal, Scope::Run, "no more connections are made");
        self.places.clone().acquire_owned().await.map_err(closed)
    }

    /// What is trusted, read once.
    pub(crate) async fn trust(&self) -> Result<Arc<ClientConfig>, Error> {
        let read = || trust::trust(self.config.ca_file.clone(), self.config.ca.clone());
        self.trust.get_or_try_init(read).await.cloned()
    }
}
