//! The in-memory platform passes the suite that every connector passes: rich and poor.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use conformance::suite::Fixture;
use connector::memory::{MemoryConnector, Platform, Traits};
use connector::{Account, Connector};

struct Memory {
    platform: Platform,
    people: AtomicUsize,
}

impl Memory {
    fn new(traits: Traits) -> Self {
        Self { platform: Platform::new(traits), people: AtomicUsize::new(0) }
    }
}

#[async_trait]
impl Fixture for Memory {
    fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(MemoryConnector::new(&self.platform))
    }

    async fn mailbox(&self) -> Account {
        let name = format!("person {}", self.people.fetch_add(1, Ordering::SeqCst));
        self.platform.add_mailbox(&name);
        Account::named(name)
    }
}

mod rich {
    use super::*;
    conformance::connector_suite!(Some(Memory::new(Traits::default())));
}

mod poor {
    use super::*;
    conformance::connector_suite!(Some(Memory::new(Traits::poor())));
}
