//! One server, as all its connections share it: how many there may be, what it was found to be, what not to try again.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use connector::{Account, Error};
use model::{Cause, FolderPath, Scope};
use rustls::ClientConfig;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::config::Config;
use crate::op::identity::{Nobody, OwnStore};

/// How often a connection must have broken at one message before that message is taken to be the reason. A network that
/// breaks does so anywhere; three times at the same message is the message.
const BREAKS_MAX: u32 = 3;

/// How often a connection must have broken in one folder before that folder is read more slowly, but so that the message
/// at fault is found.
const BREAKS_OF_FOLDER_MAX: u32 = 2;

/// A server and what is known of it. Shared by all connections to it.
pub(crate) struct Endpoint {
    pub(crate) config: Config,
    /// Connections that may still be made. A permit lives as long as its connection.
    places: Arc<Semaphore>,
    trust: OnceCell<Arc<ClientConfig>>,
    /// The store of the account that logs in for everyone.
    pub(crate) own_store: OnceCell<OwnStore>,
    /// Whether a name that nobody has is let in.
    pub(crate) nobody: OnceCell<Nobody>,
    /// SCRAM was refused where the plain password was taken.
    pub(crate) scram_is_useless: AtomicBool,
    /// It was said that connections are not encrypted.
    pub(crate) warned: AtomicBool,
    memory: Mutex<Memory>,
}

/// What one session leaves for the next.
#[derive(Default)]
struct Memory {
    /// Who was found to have which store.
    stores: HashMap<String, String>,
    /// Messages at which connections broke, and how often.
    breaks: HashMap<(String, FolderPath, u32, u32), u32>,
    /// Folders in which connections broke, and how often.
    breaks_of_folder: HashMap<(String, FolderPath), u32>,
    /// Folders in which a reading went wrong: they are read in small parts, and nothing is sent ahead behind them.
    careful: HashSet<(String, FolderPath)>,
}

impl Endpoint {
    pub(crate) fn new(config: Config) -> Self {
        // A semaphore has a limit of its own, far above any that makes sense.
        let places = Arc::new(Semaphore::new(config.connections_max.min(Semaphore::MAX_PERMITS)));
        Self {
            config,
            places,
            trust: OnceCell::new(),
            own_store: OnceCell::new(),
            nobody: OnceCell::new(),
            scram_is_useless: AtomicBool::new(false),
            warned: AtomicBool::new(false),
            memory: Mutex::new(Memory::default()),
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

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note that this account has this store; the other account that has it already, if there is one.
    pub(crate) fn claim_store(&self, store_id: &str, account: &Account) -> Option<String> {
        let mut memory = self.memory();
        let holder = memory.stores.entry(store_id.to_owned()).or_insert_with(|| account.name.clone());
        (!holder.eq_ignore_ascii_case(&account.name)).then(|| holder.clone())
    }

    /// A connection broke while this folder was read, at this message if that is known; `is_said` if the server said that it is
    /// for what it was to read: then once is enough.
    pub(crate) fn broke_at(&self, account: &str, folder: &FolderPath, validity: u32, uid: Option<u32>, is_said: bool) {
        let mut memory = self.memory();
        if let Some(uid) = uid {
            let breaks = memory.breaks.entry((account.to_owned(), folder.clone(), validity, uid)).or_insert(0);
            *breaks += if is_said { BREAKS_MAX } else { 1 };
        }
        let key = (account.to_owned(), folder.clone());
        let breaks = memory.breaks_of_folder.entry(key.clone()).or_insert(0);
        *breaks += if is_said { BREAKS_OF_FOLDER_MAX } else { 1 };
        if *breaks >= BREAKS_OF_FOLDER_MAX {
            memory.careful.insert(key);
        }
    }

    /// The messages of a folder at which connections broke too often.
    pub(crate) fn breakers(&self, account: &str, folder: &FolderPath, validity: u32) -> Vec<u32> {
        let memory = self.memory();
        let here = memory
            .breaks
            .iter()
            .filter(|((a, f, v, _), count)| **count >= BREAKS_MAX && a == account && f == folder && *v == validity);
        here.map(|((.., uid), _)| *uid).collect()
    }

    /// A reading went wrong in this folder.
    pub(crate) fn be_careful(&self, account: &str, folder: &FolderPath) {
        self.memory().careful.insert((account.to_owned(), folder.clone()));
    }

    /// Did a reading go wrong in this folder before?
    pub(crate) fn is_careful(&self, account: &str, folder: &FolderPath) -> bool {
        self.memory().careful.contains(&(account.to_owned(), folder.clone()))
    }
}
