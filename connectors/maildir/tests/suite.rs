//! Maildirs pass the suite that every connector passes, in both dialects of keywords.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use conformance::suite::Fixture;
use connector::{Account, Connector, NewFolder, OpenDoor, SystemClock};
use maildir::{Keywords, MaildirConfig, MaildirConnector};
use model::{FolderPath, ItemKind};

struct Maildirs {
    folder: tempfile::TempDir,
    keywords: Keywords,
    people: AtomicUsize,
}

impl Maildirs {
    fn new(keywords: Keywords) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), keywords, people: AtomicUsize::new(0) }
    }
}

#[async_trait]
impl Fixture for Maildirs {
    fn connector(&self) -> Arc<dyn Connector> {
        let base = self.folder.path().to_owned();
        let config = MaildirConfig { path: "{source}/Maildir".to_owned(), keywords: self.keywords, base };
        Arc::new(MaildirConnector::new(config, Arc::new(SystemClock), "test"))
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

mod dovecot {
    use super::*;
    conformance::connector_suite!(Some(Maildirs::new(Keywords::Dovecot)));
}

mod courier {
    use super::*;
    conformance::connector_suite!(Some(Maildirs::new(Keywords::Courier)));
}
