//! The in-memory platform passes the suite that every connector passes: rich and poor.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use conformance::suite::{Break, Fixture};
use connector::memory::{FaultyDial, MemoryConnector, Platform, Traits};
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

    fn breaking_at_a_move(&self, when: Break) -> Arc<dyn Connector> {
        // Opening takes the first two moments; the move comes next.
        let moment = if when == Break::BeforeEffect { 3 } else { 4 };
        let dial = FaultyDial::new(Arc::new(self.platform.clone()), moment);
        Arc::new(MemoryConnector::dialling(Arc::new(dial), self.platform.traits().clone()))
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
