//! How fast an endpoint may be asked, by all processes together: each takes a little ahead from the database.

use std::time::Duration;

use async_trait::async_trait;
use connector::Pace;
use store::{Paced, ProjectKey, Store};
use tokio::sync::Mutex;

use crate::config::EndpointEntry;

/// What is taken at once: a tenth of a second's worth, so that the database is asked ten times a second at most.
const SHARE: u64 = 10;

/// What was not asked for in the last quarter of a second is not saved up beyond it.
const SAVED_US: i64 = 250_000;

/// The pace of an endpoint.
#[derive(Debug)]
pub(crate) struct EndpointPace {
    store: Store,
    key: ProjectKey,
    endpoint: i64,
    requests: Option<Allowed>,
    bytes: Option<Allowed>,
}

/// So much a second, and what of it this process has taken and not used. Who waits holds the lock, so all wait in turn.
#[derive(Debug)]
struct Allowed {
    a_second: u64,
    left: Mutex<u64>,
}

impl Allowed {
    fn of(a_second: Option<u64>) -> Option<Self> {
        a_second.map(|a_second| Self { a_second, left: Mutex::new(0) })
    }
}

impl EndpointPace {
    /// The pace of this endpoint, if it has one.
    pub(crate) fn of(store: &Store, key: ProjectKey, endpoint: i64, entry: &EndpointEntry) -> Option<Self> {
        let EndpointEntry::Imap(entry) = entry else { return None };
        let (requests, bytes) = (Allowed::of(entry.requests_a_second), Allowed::of(entry.bytes_a_second));
        (requests.is_some() || bytes.is_some()).then(|| Self { store: store.clone(), key, endpoint, requests, bytes })
    }

    async fn take(&self, what: Paced, allowed: &Allowed, amount: u64) {
        let mut left = allowed.left.lock().await;
        while *left < amount {
            let chunk = (amount - *left).max(allowed.a_second / SHARE).max(1);
            let takes_us =
                i64::try_from(chunk.saturating_mul(1_000_000) / allowed.a_second.max(1)).unwrap_or(i64::MAX / 4);
            let wait_us = match self.store.reserve(self.key, self.endpoint, what, takes_us, SAVED_US).await {
                Ok(wait_us) => wait_us,
                // Nobody can say what others take: this process alone keeps the pace.
                Err(_) => takes_us.unsigned_abs(),
            };
            tokio::time::sleep(Duration::from_micros(wait_us)).await;
            *left += chunk;
        }
        *left -= amount;
    }
}

#[async_trait]
impl Pace for EndpointPace {
    async fn spend(&self, requests: u64, bytes: u64) {
        for (what, allowed, amount) in [(Paced::Requests, &self.requests, requests), (Paced::Bytes, &self.bytes, bytes)]
        {
            if let (Some(allowed), true) = (allowed, amount > 0) {
                self.take(what, allowed, amount).await;
            }
        }
    }
}
