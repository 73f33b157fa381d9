//! Whether anything of a mailbox may be copied now: asked before the passes of each turn.

use async_trait::async_trait;
use store::{MailboxRow, ProjectKey, Store};

use crate::failure::Failure;

/// What knows whether a mailbox may be copied now. It is asked under the mailbox's lease, each time that it is taken, so that a no that is
/// said while a run goes on counts from the next turn on. Whose switch has begun is never asked about: it is followed to its end.
#[async_trait]
pub trait Consent: Send + Sync {
    /// Why nothing of it is copied now; none: it may be.
    async fn against(&self, store: &Store, key: ProjectKey, row: &MailboxRow) -> Result<Option<Failure>, Failure>;
}
