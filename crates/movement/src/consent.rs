//! Whether anything of a mailbox may be copied now: asked before each pass, and within it.

use async_trait::async_trait;
use store::{MailboxRow, ProjectKey, Store};

use crate::failure::Failure;

/// What knows whether a mailbox may be copied now. It is asked under the mailbox's lease, before each pass and every minute within it, so
/// that a no that is said while a turn goes on, which may last for hours, counts then: what has begun to be sent is accounted for, and
/// nothing comes after it. Whose switch has begun is never asked about: it is followed to its end.
#[async_trait]
pub trait Consent: Send + Sync {
    /// Why nothing of it is copied now; none: it may be.
    async fn against(&self, store: &Store, key: ProjectKey, row: &MailboxRow) -> Result<Option<Failure>, Failure>;
}
