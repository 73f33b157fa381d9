//! Being told of changes.

use async_trait::async_trait;

use crate::Error;

/// A mailbox that is watched. It changes nothing there.
#[async_trait]
pub trait Watcher: Send {
    /// Returns when something may have changed since it was opened, or since this last returned. May be dropped while it waits, and
    /// called again.
    async fn changed(&mut self) -> Result<(), Error>;

    /// Ends it.
    async fn close(&mut self);
}
