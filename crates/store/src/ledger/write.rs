//! Changes of the ledger: each is one transaction that first proves the worker's fence and locks the mailbox's row.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use model::{Cause, Flags, FolderPath, FolderState, ItemId};

use super::batch::{IntentItem, encode};
use super::read::{FOLLOWING_BEGUN, MAKING_BEGUN};
use super::rows::{
    Fact, FlagFact, FlagIntent, FolderRow, HeldItem, HeldRemoval, NewException, NewFailure, NewFolder, RemovalState,
    Treatment,
};
use crate::lease::set_state;
use crate::sql::{Alone, Durability, Tx, Value, values};
use crate::{Error, Lease, MailboxState, Store, path_text};

impl Store {
    /// Begins a change of the ledger by the holder of this lease. Fails with [`Error::Fenced`] when it is not held any
    /// more; until the commit nobody else can take it.
    pub async fn write<'l>(&'l self, lease: &'l Lease) -> Result<LedgerTx<'l>, Error> {
        self.write_as(lease, Durability::Relaxed).await
    }

    pub(super) async fn write_as<'l>(
        &'l self,
        lease: &'l Lease,
        durability: Durability,
    ) -> Result<LedgerTx<'l>, Error> {
        let mut tx = self.begin(durability).await?;
        let select = "SELECT 1 FROM mailbox WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND fence = $4 \
            AND holder = $5 {share}";
        let values =
            values![lease.key.organisation, lease.key.project, lease.mailbox, lease.fence, lease.holder.as_str()];
        if tx.query(select, values).await?.is_empty() {
            return Err(Error::Fenced);
        }
        Ok(LedgerTx { tx, lease })
    }
}

/// A change of the ledger. Nothing of it is there before the commit.
pub struct LedgerTx<'l> {
    pub(crate) tx: Tx<'l>,
    pub(crate) lease: &'l Lease,
}

impl LedgerTx<'_> {
    fn key(&self) -> (i64, i64) {
        (self.lease.key.organisation, self.lease.key.project)
    }

    /// Makes a folder known. Returns its number.
    pub async fn add_folder(&mut self, new: &NewFolder) -> Result<i64, Error> {
        let (organisation, project) = self.key();
        self.tx.alone(Alone::NumberingFolders).await?;
        let max = "SELECT max(folder) FROM folder WHERE organisation = $1 AND project = $2";
        let number = crate::project::next(&mut self.tx, max, values![organisation, project]).await?;
        let insert = "INSERT INTO folder (organisation, project, folder, mailbox, endpoint, kind, path, source_validity, \
            source_next, source_count, source_change, target_path, target_validity, target_next, target_count, \
            target_change) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, 0, $9, 0, 0, 0, 0)";
        let values = values![
            organisation,
            project,
            number,
            self.lease.mailbox,
            new.endpoint,
            new.kind.number(),
            path_text(&new.path),
            new.validity as i64,
            path_text(&new.target_path),
        ];
        self.tx.execute(insert, values).await?;
        Ok(number)
    }

    /// The folder's items go to another folder of the target from now on.
    pub async fn set_target_path(&mut self, folder: i64, path: &FolderPath) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE folder SET target_path = $4, target_validity = 0, target_next = 0, target_count = 0, \
            target_change = 0 WHERE organisation = $1 AND project = $2 AND folder = $3";
        self.tx.execute(update, values![organisation, project, folder, path_text(path)]).await.map(|_| ())
    }

    /// The source does not list the folder any more, or has it under another validity.
    pub async fn set_gone(&mut self, folder: i64, is_gone: bool) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = if is_gone {
            "UPDATE folder SET gone_at = {now} WHERE organisation = $1 AND project = $2 AND folder = $3"
        } else {
            "UPDATE folder SET gone_at = NULL WHERE organisation = $1 AND project = $2 AND folder = $3"
        };
        self.tx.execute(update, values![organisation, project, folder]).await.map(|_| ())
    }

    /// The folder is read this far: every change the cursor covers has a fate in the ledger.
    pub async fn set_cursor(&mut self, folder: i64, cursor: &[u8]) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE folder SET cursor = $4 WHERE organisation = $1 AND project = $2 AND folder = $3";
        self.tx.execute(update, values![organisation, project, folder, cursor]).await.map(|_| ())
    }

    /// The folder was read completely, and stood so.
    pub async fn set_source_state(&mut self, folder: i64, state: &FolderState) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE folder SET source_next = $4, source_count = $5, source_change = $6 \
            WHERE organisation = $1 AND project = $2 AND folder = $3 AND source_validity = $7";
        let values = values![
            organisation,
            project,
            folder,
            state.next as i64,
            state.count as i64,
            state.change as i64,
            state.validity as i64
        ];
        self.tx.execute(update, values).await.map(|_| ())
    }

    /// Everything in the target folder is accounted for up to this state.
    pub async fn set_target_state(&mut self, folder: i64, state: &FolderState) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE folder SET target_validity = $4, target_next = $5, target_count = $6, target_change = $7 \
            WHERE organisation = $1 AND project = $2 AND folder = $3";
        let values = values![
            organisation,
            project,
            folder,
            state.validity as i64,
            state.next as i64,
            state.count as i64,
            state.change as i64
        ];
        self.tx.execute(update, values).await.map(|_| ())
    }

    /// Writes fates; a later one replaces an earlier one. An item that did not fail has no failure any more.
    pub async fn add_facts(&mut self, folder: &FolderRow, facts: &[Fact]) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let row = |fact: &Fact| {
            let source_flags = fact.source_flags.to_bytes();
            let target_flags = fact.target_flags.as_ref().map(Flags::to_bytes).filter(|flags| *flags != source_flags);
            let canonical = fact.canonical.filter(|canonical| Some(*canonical) != fact.exact);
            values![
                organisation,
                project,
                folder.endpoint,
                folder.kind.number(),
                folder.folder,
                fact.source_id.as_bytes(),
                fact.fate.number(),
                fact.size_bytes as i64,
                fact.received,
                fact.exact.map(|digest| digest.as_bytes().to_vec()),
                canonical.map(|digest| digest.as_bytes().to_vec()),
                i64::from(model::CANONICAL_VERSION),
                source_flags,
                fact.target_id.as_ref().map(|id| id.as_bytes().to_vec()),
                target_flags,
                fact.read_back.map(|digest| digest.as_bytes().to_vec()),
            ]
        };
        let insert = "INSERT INTO item (organisation, project, endpoint, kind, folder, source_id, fate, size, received, \
            exact, canonical, canonical_version, source_flags, target_id, target_flags, read_back) VALUES";
        let conflict = "ON CONFLICT (organisation, project, endpoint, kind, folder, source_id) DO UPDATE SET \
            fate = excluded.fate, size = excluded.size, received = excluded.received, exact = excluded.exact, \
            canonical = excluded.canonical, canonical_version = excluded.canonical_version, \
            source_flags = excluded.source_flags, target_id = excluded.target_id, target_flags = excluded.target_flags, \
            read_back = excluded.read_back";
        self.tx.insert_many(insert, conflict, facts.iter().map(row).collect()).await
    }

    /// Forgets the failures of items that did not fail this time.
    pub async fn clear_failures(&mut self, folder: i64, ids: &[ItemId]) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let delete =
            "DELETE FROM failure WHERE organisation = $1 AND project = $2 AND folder = $3 AND source_id IN ({ids})";
        let values = values![organisation, project, folder];
        self.tx.execute_for(delete, &values, ids).await
    }

    /// Writes flags as last read; those of items that are alike together.
    pub async fn set_flags(&mut self, folder: &FolderRow, facts: &[FlagFact]) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let latest: BTreeMap<&ItemId, &FlagFact> = facts.iter().map(|fact| (&fact.source_id, fact)).collect();
        let mut alike = BTreeMap::<_, Vec<ItemId>>::new();
        for fact in latest.into_values() {
            let source_flags = fact.source_flags.to_bytes();
            let target_flags = fact.target_flags.as_ref().map(Flags::to_bytes).filter(|flags| *flags != source_flags);
            alike.entry((source_flags, target_flags)).or_default().push(fact.source_id.clone());
        }
        let update = "UPDATE item SET source_flags = $6, target_flags = $7 WHERE organisation = $1 AND project = $2 \
            AND endpoint = $3 AND kind = $4 AND folder = $5 AND source_id IN ({ids})";
        for ((source_flags, target_flags), ids) in alike {
            let (endpoint, kind, folder) = (folder.endpoint, folder.kind.number(), folder.folder);
            let values = values![organisation, project, endpoint, kind, folder, source_flags, target_flags];
            self.tx.execute_for(update, &values, &ids).await?;
        }
        Ok(())
    }

    /// Items that the source has no more: their fates are no longer the source's, their removal from the target is in this
    /// state by this rule.
    pub async fn part_with(
        &mut self,
        folder: &FolderRow,
        ids: &[ItemId],
        state: RemovalState,
        rule: &str,
    ) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let insert = "INSERT INTO removal (organisation, project, folder, source_id, fate, exact, canonical, size, \
            received, source_flags, target_id, target_flags, read_back, source_received, why, rule, state, at) \
            SELECT organisation, project, folder, source_id, fate, exact, canonical, size, received, source_flags, \
            target_id, target_flags, read_back, (SELECT t.source_received FROM treatment t \
            WHERE t.organisation = item.organisation AND t.project = item.project AND t.folder = item.folder \
            AND t.source_id = item.source_id), $6, $6, $7, {now} FROM item \
            WHERE organisation = $1 AND project = $2 AND endpoint = $3 AND kind = $4 AND folder = $5 \
            AND source_id IN ({ids}) AND fate IN (1, 2) \
            ON CONFLICT (organisation, project, folder, source_id) DO UPDATE SET fate = excluded.fate, \
            exact = excluded.exact, canonical = excluded.canonical, size = excluded.size, \
            received = excluded.received, source_flags = excluded.source_flags, target_id = excluded.target_id, \
            target_flags = excluded.target_flags, read_back = excluded.read_back, \
            source_received = excluded.source_received, rule = excluded.rule, state = excluded.state, at = excluded.at";
        let (endpoint, kind, number) = (folder.endpoint, folder.kind.number(), folder.folder);
        let values = values![organisation, project, endpoint, kind, number, rule, state.name()];
        self.tx.execute_for(insert, &values, ids).await?;
        self.forget_items(folder, ids).await
    }

    /// Where these removals of a folder stand now, and by which rule.
    pub async fn set_removals(
        &mut self,
        folder: i64,
        ids: &[ItemId],
        state: RemovalState,
        rule: &str,
    ) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE removal SET state = $4, rule = $5 WHERE organisation = $1 AND project = $2 \
            AND folder = $3 AND source_id IN ({ids})";
        let values = values![organisation, project, folder, state.name(), rule];
        self.tx.execute_for(update, &values, ids).await
    }

    /// These removals are begun, each unless a person's word has changed where it stands: those that are. From then on a word
    /// is too late.
    pub async fn begin_removals(&mut self, removals: &[&HeldRemoval]) -> Result<HashSet<(i64, ItemId)>, Error> {
        let (organisation, project) = self.key();
        let mut alike = BTreeMap::<_, Vec<ItemId>>::new();
        for removal in removals {
            let states = (removal.state.name(), removal.state.begun().name());
            alike.entry((removal.folder, states)).or_default().push(removal.source_id.clone());
        }
        let update = "UPDATE removal SET state = $5 WHERE organisation = $1 AND project = $2 AND folder = $3 \
            AND state = $4 AND source_id IN ({ids}) RETURNING source_id";
        let mut begun = HashSet::new();
        for ((folder, (is, to)), ids) in alike {
            let values = values![organisation, project, folder, is, to];
            let rows = self.tx.query_for(update, &values, &ids).await?;
            begun.extend(rows.iter().map(|row| (folder, ItemId::new(row.blob(0)))));
        }
        Ok(begun)
    }

    /// What the target calls an item now whose removal waits; none: it can't be found any more.
    pub async fn set_removal_target(
        &mut self,
        folder: i64,
        id: &ItemId,
        target_id: Option<&ItemId>,
    ) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE removal SET target_id = $5 WHERE organisation = $1 AND project = $2 AND folder = $3 \
            AND source_id = $4";
        let target_id = target_id.map(|id| id.as_bytes().to_vec());
        self.tx.execute(update, values![organisation, project, folder, id.as_bytes(), target_id]).await.map(|_| ())
    }

    /// What the target calls items of a folder now whose removals wait.
    pub async fn set_removal_targets(&mut self, folder: i64, targets: &[(ItemId, ItemId)]) -> Result<(), Error> {
        /// Of one statement: its text is long, as each has a value of its own.
        const AT_ONCE: usize = 64;
        let (organisation, project) = self.key();
        for targets in targets.chunks(AT_ONCE) {
            let mut values = values![organisation, project, folder];
            let (mut cases, mut ids) = (String::new(), Vec::new());
            for (id, target_id) in targets {
                let next = values.len() + 1;
                values.extend(values![id.as_bytes(), target_id.as_bytes()]);
                let _ = write!(cases, " WHEN ${next} THEN ${}", next + 1);
                ids.push(format!("${next}"));
            }
            let update = format!(
                "UPDATE removal SET target_id = CASE source_id{cases} ELSE target_id END WHERE organisation = $1 \
                AND project = $2 AND folder = $3 AND source_id IN ({})",
                ids.join(", ")
            );
            self.tx.execute_text(update, values).await?;
        }
        Ok(())
    }

    /// Items that wait for a word, each with the item of the target that may be the same and a sentence about it.
    pub async fn hold_items(&mut self, folder: i64, held: &[HeldItem]) -> Result<(), Error> {
        let (organisation, project) = self.key();
        for held in held {
            let insert = "INSERT INTO held (organisation, project, folder, source_id, target_id, what, at) \
                VALUES ($1, $2, $3, $4, $5, $6, {now}) \
                ON CONFLICT (organisation, project, folder, source_id) DO UPDATE SET target_id = excluded.target_id, \
                what = excluded.what, word = NULL, at = excluded.at";
            let target_id = held.target_id.as_ref().map(|id| id.as_bytes().to_vec());
            let id = held.source_id.as_bytes();
            let values = values![organisation, project, folder, id, target_id, held.what.as_str()];
            self.tx.execute(insert, values).await?;
        }
        Ok(())
    }

    /// These items do not wait for a word any more.
    pub async fn release_items(&mut self, folder: i64, ids: &[ItemId]) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let delete =
            "DELETE FROM held WHERE organisation = $1 AND project = $2 AND folder = $3 AND source_id IN ({ids})";
        let values = values![organisation, project, folder];
        self.tx.execute_for(delete, &values, ids).await
    }

    /// Writes changes of flags that are about to be made.
    pub async fn open_flag_intents(&mut self, intents: &[FlagIntent]) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let insert = "INSERT INTO flag_intent (organisation, project, folder, source_id, added, taken) VALUES";
        let conflict = "ON CONFLICT (organisation, project, folder, source_id) \
            DO UPDATE SET added = excluded.added, taken = excluded.taken";
        let row = |intent: &FlagIntent| {
            let (add, take) = (intent.add.to_bytes(), intent.take.to_bytes());
            values![organisation, project, intent.folder, intent.source_id.as_bytes(), add, take]
        };
        // No row twice in one statement.
        let latest: BTreeMap<(i64, &ItemId), &FlagIntent> =
            intents.iter().map(|intent| ((intent.folder, &intent.source_id), intent)).collect();
        self.tx.insert_many(insert, conflict, latest.into_values().map(row).collect()).await
    }

    /// What came of all changes of flags in a folder is recorded.
    pub async fn close_flag_intents(&mut self, folder: i64) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let delete = "DELETE FROM flag_intent WHERE organisation = $1 AND project = $2 AND folder = $3";
        self.tx.execute(delete, values![organisation, project, folder]).await.map(|_| ())
    }

    /// The folder was not read completely any more: the next pass reads it, even if it has not changed.
    pub async fn forget_source_state(&mut self, folder: i64) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE folder SET source_next = 0, source_count = 0, source_change = 0 \
            WHERE organisation = $1 AND project = $2 AND folder = $3";
        self.tx.execute(update, values![organisation, project, folder]).await.map(|_| ())
    }

    /// The folder's ids mean other items now, under the same validity: a restored backup. Its row makes room for another.
    pub async fn retire_folder(&mut self, folder: i64) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE folder SET source_validity = -folder, gone_at = {now} \
            WHERE organisation = $1 AND project = $2 AND folder = $3";
        self.tx.execute(update, values![organisation, project, folder]).await.map(|_| ())
    }

    /// Nothing of the folder is left on either side: it is forgotten.
    pub async fn drop_folder(&mut self, folder: i64) -> Result<(), Error> {
        let (organisation, project) = self.key();
        for delete in [
            "DELETE FROM failure WHERE organisation = $1 AND project = $2 AND folder = $3",
            "DELETE FROM held WHERE organisation = $1 AND project = $2 AND folder = $3",
            "DELETE FROM flag_intent WHERE organisation = $1 AND project = $2 AND folder = $3",
            "DELETE FROM back_flag WHERE organisation = $1 AND project = $2 AND folder = $3",
            "DELETE FROM treatment WHERE organisation = $1 AND project = $2 AND folder = $3",
            "DELETE FROM folder WHERE organisation = $1 AND project = $2 AND folder = $3",
        ] {
            self.tx.execute(delete, values![organisation, project, folder]).await?;
        }
        Ok(())
    }

    /// The ids in the target folder were compared with those known when it stood so.
    pub async fn set_compared(&mut self, folder: i64, state: &FolderState) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE folder SET compared_next = $4, compared_count = $5 \
            WHERE organisation = $1 AND project = $2 AND folder = $3";
        let values = values![organisation, project, folder, state.next as i64, state.count as i64];
        self.tx.execute(update, values).await.map(|_| ())
    }

    /// Items that their person has removed on the target.
    pub async fn withdraw(&mut self, folder: &FolderRow, ids: &[ItemId]) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE item SET fate = $6, target_id = NULL WHERE organisation = $1 AND project = $2 \
            AND endpoint = $3 AND kind = $4 AND folder = $5 AND source_id IN ({ids})";
        let (endpoint, kind, folder) = (folder.endpoint, folder.kind.number(), folder.folder);
        let values = values![organisation, project, endpoint, kind, folder, model::Fate::Withdrawn.number()];
        self.tx.execute_for(update, &values, ids).await
    }

    /// The folder of the target is about to be made by us.
    pub async fn begin_making(&mut self, folder: i64) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE folder SET made = $4 WHERE organisation = $1 AND project = $2 AND folder = $3";
        self.tx.execute(update, values![organisation, project, folder, MAKING_BEGUN]).await.map(|_| ())
    }

    /// The folder of the target was made by us.
    pub async fn set_made(&mut self, folder: i64) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE folder SET made = 1 WHERE organisation = $1 AND project = $2 AND folder = $3";
        self.tx.execute(update, values![organisation, project, folder]).await.map(|_| ())
    }

    /// Is the folder followed at the source?
    pub async fn set_subscribed(&mut self, folder: i64, subscribed: bool) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE folder SET subscribed = $4 WHERE organisation = $1 AND project = $2 AND folder = $3";
        self.tx.execute(update, values![organisation, project, folder, subscribed]).await.map(|_| ())
    }

    /// The folder is about to be followed on the target.
    pub async fn begin_following(&mut self, folder: i64) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE folder SET subscribed = $4 WHERE organisation = $1 AND project = $2 AND folder = $3";
        self.tx.execute(update, values![organisation, project, folder, FOLLOWING_BEGUN]).await.map(|_| ())
    }

    /// So many items more were removed from the target on this day (since 1970).
    pub async fn add_removed(&mut self, day: i64, count: u64) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE mailbox SET removed_count = CASE WHEN removed_day = $4 THEN removed_count + $5 ELSE $5 END, \
            removed_day = $4 WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        let values = values![organisation, project, self.lease.mailbox, day, count as i64];
        self.tx.execute(update, values).await.map(|_| ())
    }

    /// A person's word about what vanished from the target has been followed.
    pub async fn spend_vanished_word(&mut self) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update =
            "UPDATE mailbox SET vanished_word = NULL WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        self.tx.execute(update, values![organisation, project, self.lease.mailbox]).await.map(|_| ())
    }

    /// The source has these items again: their removal does not wait any more.
    pub async fn drop_removals(&mut self, folder: i64, ids: &[ItemId]) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let delete =
            "DELETE FROM removal WHERE organisation = $1 AND project = $2 AND folder = $3 AND source_id IN ({ids})";
        let values = values![organisation, project, folder];
        self.tx.execute_for(delete, &values, ids).await
    }

    /// Forgets items that the source has no more.
    pub async fn forget_items(&mut self, folder: &FolderRow, ids: &[ItemId]) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let delete = "DELETE FROM item WHERE organisation = $1 AND project = $2 AND endpoint = $3 AND kind = $4 \
            AND folder = $5 AND source_id IN ({ids})";
        let values = values![organisation, project, folder.endpoint, folder.kind.number(), folder.folder];
        self.tx.execute_for(delete, &values, ids).await?;
        self.release_items(folder.folder, ids).await?;
        self.drop_treatments(folder.folder, ids).await?;
        self.clear_failures(folder.folder, ids).await
    }

    /// Writes what the policy made of items; a later one replaces an earlier one.
    pub async fn add_treatments(&mut self, folder: i64, treatments: &[Treatment]) -> Result<(), Error> {
        let (organisation, project) = self.key();
        for treatment in treatments {
            let insert = "INSERT INTO treatment (organisation, project, folder, source_id, how, rule, policy, original, \
                original_size, detail, source_received, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, {now}) \
                ON CONFLICT (organisation, project, folder, source_id) DO UPDATE SET how = excluded.how, \
                rule = excluded.rule, policy = excluded.policy, original = excluded.original, \
                original_size = excluded.original_size, detail = excluded.detail, \
                source_received = excluded.source_received, at = excluded.at";
            let values = values![
                organisation,
                project,
                folder,
                treatment.source_id.as_bytes(),
                treatment.how.name(),
                treatment.rule.as_str(),
                treatment.policy.as_str(),
                treatment.original.map(|digest| digest.as_bytes().to_vec()),
                treatment.original_size_bytes as i64,
                treatment.detail.as_str(),
                treatment.source_received,
            ];
            self.tx.execute(insert, values).await?;
        }
        Ok(())
    }

    /// The policy makes nothing special of these items any more.
    pub async fn drop_treatments(&mut self, folder: i64, ids: &[ItemId]) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let delete = "DELETE FROM treatment WHERE organisation = $1 AND project = $2 AND folder = $3 \
            AND source_id IN ({ids})";
        let values = values![organisation, project, folder];
        self.tx.execute_for(delete, &values, ids).await
    }

    /// Writes a batch that is about to be sent.
    pub async fn open_intent(
        &mut self,
        number: i64,
        folder: i64,
        mark: &FolderState,
        items: &[IntentItem],
    ) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let insert = "INSERT INTO intent (organisation, project, mailbox, fence, number, folder, mark_validity, mark_next, \
            mark_count, mark_change, items, opened_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, {now})";
        let values = values![
            organisation,
            project,
            self.lease.mailbox,
            self.lease.fence,
            number,
            folder,
            mark.validity as i64,
            mark.next as i64,
            mark.count as i64,
            mark.change as i64,
            encode(items),
        ];
        self.tx.execute(insert, values).await.map(|_| ())
    }

    /// The outcome of a batch is recorded: it is under way no more.
    pub async fn close_intent(&mut self, fence: i64, number: i64) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let delete = "DELETE FROM intent WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND fence = $4 \
            AND number = $5";
        self.tx.execute(delete, values![organisation, project, self.lease.mailbox, fence, number]).await.map(|_| ())
    }

    /// The outcome of a batch is recorded, but whoever sent it may still be sending: looked for again so many times.
    pub async fn watch_intent(&mut self, fence: i64, number: i64, looks_left: i64) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE intent SET looks_left = $6, looked_at = {now} WHERE organisation = $1 AND project = $2 \
            AND mailbox = $3 AND fence = $4 AND number = $5";
        let values = values![organisation, project, self.lease.mailbox, fence, number, looks_left];
        self.tx.execute(update, values).await.map(|_| ())
    }

    /// Writes why items failed. One that failed before counts one more try.
    pub async fn add_failures(&mut self, folder: i64, failures: &[NewFailure]) -> Result<(), Error> {
        let (organisation, project) = self.key();
        for failure in failures {
            let insert = "INSERT INTO failure (organisation, project, folder, source_id, cause, what, server, policy, \
                tries, first_at, last_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, {now}, {now}) \
                ON CONFLICT (organisation, project, folder, source_id) DO UPDATE SET cause = excluded.cause, \
                what = excluded.what, server = excluded.server, policy = excluded.policy, tries = failure.tries + 1, \
                last_at = excluded.last_at, retry = 0, \
                accepted_by = CASE WHEN failure.cause = excluded.cause THEN failure.accepted_by END, \
                accepted_why = CASE WHEN failure.cause = excluded.cause THEN failure.accepted_why END, \
                accepted_at = CASE WHEN failure.cause = excluded.cause THEN failure.accepted_at END";
            let values = values![
                organisation,
                project,
                folder,
                failure.source_id.as_bytes(),
                failure.cause.code(),
                failure.what.as_str(),
                failure.server.as_deref(),
                failure.policy.as_str(),
            ];
            self.tx.execute(insert, values).await?;
        }
        Ok(())
    }

    /// Writes something that no one may overlook; once, however often it is found, and in the newest words: what a server says
    /// may hold a time or a counter.
    pub async fn add_exception(&mut self, exception: &NewException) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let mailbox = self.lease.mailbox;
        let (class, path) = (exception.class.code(), path_text(&exception.path));
        let id = |id: &Option<ItemId>| id.as_ref().map(|id| id.as_bytes().to_vec());
        let (source_id, target_id) = (id(&exception.source_id), id(&exception.target_id));
        let known = "UPDATE exception SET open = 1, what = $8 WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
            AND class = $4 AND path = $5 AND source_id IS NOT DISTINCT FROM $6 AND target_id IS NOT DISTINCT FROM $7";
        let (what, is, to) = (exception.what.as_str(), source_id.clone(), target_id.clone());
        let values = values![organisation, project, mailbox, class, path.as_str(), is, to, what];
        if self.tx.execute(known, values).await? > 0 {
            return Ok(());
        }
        let max = "SELECT max(number) FROM exception WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        let number = crate::project::next(&mut self.tx, max, values![organisation, project, mailbox]).await?;
        let insert = "INSERT INTO exception (organisation, project, mailbox, number, class, path, source_id, target_id, \
            what, at, open) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, {now}, 1)";
        let values: Vec<Value> =
            values![organisation, project, mailbox, number, class, path, source_id, target_id, what,];
        self.tx.execute(insert, values).await.map(|_| ())
    }

    /// A pass begins: what was open is open again only if it is found again.
    pub async fn close_exceptions(&mut self, class: Cause) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE exception SET open = 0 WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
            AND class = $4 AND open = 1";
        self.tx.execute(update, values![organisation, project, self.lease.mailbox, class.code()]).await.map(|_| ())
    }

    /// Where the mailbox stands.
    pub async fn set_state(&mut self, state: &MailboxState) -> Result<(), Error> {
        set_state(&mut self.tx, self.lease, state).await
    }

    /// Which stores the mailbox's names reach. Fails when another mailbox of the roster reaches one of them: then its
    /// number is the result.
    pub async fn set_stores(
        &mut self,
        source_store: Option<&str>,
        target_store: Option<&str>,
    ) -> Result<Option<i64>, Error> {
        let (organisation, project) = self.key();
        // Each half is looked up by an index of its own: this is asked in every pass, and only one asks at a time.
        let other = "SELECT m.mailbox FROM mailbox me JOIN mailbox m ON m.organisation = me.organisation \
            AND m.project = me.project AND m.source_endpoint = me.source_endpoint AND m.source_store = $4 \
            WHERE me.organisation = $1 AND me.project = $2 AND me.mailbox = $3 AND m.mailbox <> $3 AND m.listed = 1 \
            UNION ALL \
            SELECT m.mailbox FROM mailbox me JOIN mailbox m ON m.organisation = me.organisation \
            AND m.project = me.project AND m.target_endpoint = me.target_endpoint AND m.target_store = $5 \
            WHERE me.organisation = $1 AND me.project = $2 AND me.mailbox = $3 AND m.mailbox <> $3 AND m.listed = 1 \
            ORDER BY 1 LIMIT 1";
        if source_store.is_some() || target_store.is_some() {
            // Two that reach one store at the same moment must not both find nobody there.
            self.tx.alone(Alone::Stores).await?;
            let values = values![organisation, project, self.lease.mailbox, source_store, target_store];
            if let Some(row) = self.tx.query(other, values).await?.first() {
                return Ok(Some(row.int(0)));
            }
        }
        let update = "UPDATE mailbox SET source_store = $4, target_store = $5 WHERE organisation = $1 AND project = $2 \
            AND mailbox = $3 AND (source_store IS DISTINCT FROM $4 OR target_store IS DISTINCT FROM $5)";
        self.tx.execute(update, values![organisation, project, self.lease.mailbox, source_store, target_store]).await?;
        Ok(None)
    }

    /// Traits (as bits) of items that the target was seen to keep as they are, and of those it was seen to change.
    pub async fn set_bytes_proved(&mut self, proved: u8, not_kept: u8) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE mailbox SET bytes_proved = $4, bytes_not_kept = $5 WHERE organisation = $1 AND project = $2 \
            AND mailbox = $3";
        let (proved, not_kept) = (i64::from(proved), i64::from(not_kept));
        self.tx.execute(update, values![organisation, project, self.lease.mailbox, proved, not_kept]).await.map(|_| ())
    }

    /// A complete pass has ended; it began then (milliseconds since 1970).
    pub async fn set_pass(&mut self, began_at: i64) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let update = "UPDATE mailbox SET pass_began_at = $4, pass_ended_at = {now} WHERE organisation = $1 \
            AND project = $2 AND mailbox = $3";
        self.tx.execute(update, values![organisation, project, self.lease.mailbox, began_at]).await.map(|_| ())
    }

    /// Makes it so.
    pub async fn commit(self) -> Result<(), Error> {
        self.tx.commit().await
    }
}
