//! Words of people about what waits: removals, items that may be on the target already, failures. They are written when a
//! person says them, whoever works on the mailbox at that time; its next pass obeys.

use model::ItemId;

use super::rows::RemovalState;
use crate::sql::{Durability, values};
use crate::{Error, ProjectKey, Store};

impl Store {
    /// Removals of these items (folder and id on the source) may be made, or the items stay. How many there were.
    pub async fn answer_removals(
        &self,
        key: ProjectKey,
        items: &[(i64, ItemId)],
        approved: bool,
    ) -> Result<u64, Error> {
        let state = if approved { RemovalState::Approved } else { RemovalState::Kept };
        let mut tx = self.begin(Durability::Full).await?;
        let mut answered = 0;
        for (folder, id) in items {
            let update = "UPDATE removal SET state = $5 WHERE organisation = $1 AND project = $2 AND folder = $3 \
                AND source_id = $4 AND state IN ('held', 'approved')";
            let values = values![key.organisation, key.project, *folder, id.as_bytes(), state.name()];
            answered += tx.execute(update, values).await?;
        }
        tx.commit().await?;
        Ok(answered)
    }

    /// These items (folder and id on the source) are others than those they wait for, or the same. How many there were.
    pub async fn answer_items(&self, key: ProjectKey, items: &[(i64, ItemId)], is_another: bool) -> Result<u64, Error> {
        let word = if is_another { "copy" } else { "same" };
        let mut tx = self.begin(Durability::Full).await?;
        let mut answered = 0;
        for (folder, id) in items {
            let update = "UPDATE held SET word = $5 WHERE organisation = $1 AND project = $2 AND folder = $3 \
                AND source_id = $4";
            let values = values![key.organisation, key.project, *folder, id.as_bytes(), word];
            answered += tx.execute(update, values).await?;
        }
        tx.commit().await?;
        Ok(answered)
    }

    /// What vanished from a mailbox's target is as it should be: the next pass follows it.
    pub async fn follow_vanished(&self, key: ProjectKey, mailbox: i64) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let update = "UPDATE mailbox SET vanished_word = 'follow' WHERE organisation = $1 AND project = $2 \
            AND mailbox = $3";
        tx.execute(update, values![key.organisation, key.project, mailbox]).await?;
        tx.commit().await
    }

    /// The loss of these items (folder and id on the source) is accepted. How many there were.
    pub async fn accept_failures(
        &self,
        key: ProjectKey,
        items: &[(i64, ItemId)],
        by: &str,
        why: &str,
    ) -> Result<u64, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let mut accepted = 0;
        for (folder, id) in items {
            let update = "UPDATE failure SET accepted_by = $5, accepted_why = $6, accepted_at = {now} \
                WHERE organisation = $1 AND project = $2 AND folder = $3 AND source_id = $4";
            let values = values![key.organisation, key.project, *folder, id.as_bytes(), by, why];
            accepted += tx.execute(update, values).await?;
        }
        tx.commit().await?;
        Ok(accepted)
    }

    /// These items (folder and id on the source) are tried again, and their loss is accepted no longer. How many there
    /// were.
    pub async fn retry_failures(&self, key: ProjectKey, items: &[(i64, ItemId)]) -> Result<u64, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let mut retried = 0;
        for (folder, id) in items {
            let update = "UPDATE failure SET retry = 1, accepted_by = NULL, accepted_why = NULL, accepted_at = NULL \
                WHERE organisation = $1 AND project = $2 AND folder = $3 AND source_id = $4";
            retried += tx.execute(update, values![key.organisation, key.project, *folder, id.as_bytes()]).await?;
        }
        tx.commit().await?;
        Ok(retried)
    }
}
