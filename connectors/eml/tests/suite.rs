//! Trees of `.eml` files pass the suite that every connector passes.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use conformance::suite::Fixture;
use connector::{Account, Connector, NewFolder, OpenDoor, SystemClock};
use eml::{EmlConfig, EmlConnector};
use model::{FolderPath, ItemKind};

struct Trees {
    folder: tempfile::TempDir,
    people: AtomicUsize,
}

impl Trees {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), people: AtomicUsize::new(0) }
    }
}

#[async_trait]
impl Fixture for Trees {
    fn connector(&self) -> Arc<dyn Connector> {
        let config = EmlConfig { path: "{source}/mail".to_owned(), base: self.folder.path().to_owned() };
        Arc::new(EmlConnector::new(config, Arc::new(SystemClock), "test"))
    }

    async fn mailbox(&self) -> Account {
        let account = Account::named(format!("person {}", self.people.fetch_add(1, Ordering::SeqCst)));
        let mut target = self.connector().target(&account, Arc::new(OpenDoor)).await.unwrap();
        let inbox =
            NewFolder { path: FolderPath::inbox(), kind: ItemKind::Message, special_use: None, subscribe: false };
        target.create(&[inbox]).await.unwrap().remove(0).unwrap();
        account
    }
}

conformance::connector_suite!(Some(Trees::new()));
