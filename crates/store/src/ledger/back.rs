//! What the ledger keeps of a mailbox whose source is being left, and of what is carried back there: how the target stood when
//! that began, where the source has what it moved since, and batches under way to the source.

use std::collections::{HashMap, HashSet};

use model::{Cause, Digest, Flags, FolderPath, FolderState, ItemId};

use super::batch::{IntentItem, IntentState, decode, encode};
use super::rows::{FlagIntent, FolderRow, HeldRemoval};
use super::write::LedgerTx;
use crate::project::Freeze;
use crate::sql::{Durability, values};
use crate::{Error, Lease, ProjectKey, Store, path_from, path_text};

/// Where the items of a batch to the source come from, where they lie there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackMove {
    /// The folder, by number.
    pub folder: i64,
    /// What it called each of them, in the batch's order.
    pub ids: Vec<ItemId>,
}

/// A batch under way to the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackIntent {
    /// The claim under which it was sent.
    pub fence: i64,
    /// Its number under that claim.
    pub number: i64,
    /// The folder it goes to.
    pub folder: i64,
    /// Where the source folder stood before.
    pub mark: FolderState,
    /// The items as they are at the source then, but called as the target calls them.
    pub items: Vec<IntentItem>,
    /// They are moved from there; none: they are added.
    pub moved: Option<BackMove>,
    /// When it was written (milliseconds since 1970).
    pub opened_at: i64,
    /// Whether its outcome is known.
    pub state: IntentState,
}

/// Ids are kept in the form of a batch's items, of which nothing else is asked.
fn encode_ids(ids: &[ItemId], items: &[IntentItem]) -> Vec<u8> {
    let named: Vec<IntentItem> =
        ids.iter().zip(items).map(|(id, item)| IntentItem { source_id: id.clone(), ..item.clone() }).collect();
    encode(&named)
}

impl Store {
    /// As [`Self::write`], and on the disk for good once it is committed: for what the source is about to be given, since nothing
    /// there would be looked for that a power cut made us forget.
    pub async fn write_for_good<'l>(&'l self, lease: &'l Lease) -> Result<LedgerTx<'l>, Error> {
        self.write_as(lease, Durability::Full).await
    }

    /// How each folder of a mailbox's target stood when its source began to be left.
    pub async fn freeze_marks(&self, key: ProjectKey, mailbox: i64) -> Result<HashMap<FolderPath, FolderState>, Error> {
        let select =
            "SELECT path, validity, next FROM freeze_mark WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        rows.iter()
            .map(|row| {
                let mark = FolderState { next: row.int(2) as u64, ..FolderState::beginning(row.int(1) as u64) };
                Ok((path_from(&row.text(0))?, mark))
            })
            .collect()
    }

    /// The batches of a mailbox to its source whose outcome is not known, or that are still looked for.
    pub async fn back_intents(&self, key: ProjectKey, mailbox: i64) -> Result<Vec<BackIntent>, Error> {
        let select = "SELECT fence, number, folder, mark_validity, mark_next, mark_count, mark_change, items, from_folder, \
            from_items, opened_at, looks_left, looked_at FROM back_intent WHERE organisation = $1 AND project = $2 \
            AND mailbox = $3 ORDER BY fence, number";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        rows.iter()
            .map(|row| {
                let number = |column| row.int(column) as u64;
                let read = |bytes| decode(bytes).ok_or_else(|| Error::damaged("a batch under way to the source"));
                let ids = |items: Vec<IntentItem>| items.into_iter().map(|item| item.source_id).collect();
                let moved = match (row.int_or_null(8), row.blob_or_null(9)) {
                    (Some(folder), Some(items)) => Some(BackMove { folder, ids: ids(read(items)?) }),
                    _ => None,
                };
                Ok(BackIntent {
                    fence: row.int(0),
                    number: row.int(1),
                    folder: row.int(2),
                    mark: FolderState { validity: number(3), next: number(4), count: number(5), change: number(6) },
                    items: read(row.blob(7))?,
                    moved,
                    opened_at: row.int(10),
                    state: row.int_or_null(11).map_or(IntentState::Open, |looks_left| IntentState::Watched {
                        looks_left,
                        looked_at: row.int(12),
                    }),
                })
            })
            .collect()
    }

    /// Changes of flags at the source of a mailbox of which it is not known whether they took effect.
    pub async fn back_flags(&self, key: ProjectKey, mailbox: i64) -> Result<Vec<FlagIntent>, Error> {
        let select = "SELECT i.folder, i.source_id, i.added, i.taken FROM back_flag i \
            JOIN folder f ON f.organisation = i.organisation AND f.project = i.project AND f.folder = i.folder \
            WHERE i.organisation = $1 AND i.project = $2 AND f.mailbox = $3 ORDER BY i.folder, i.source_id";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        let flags = |bytes| Flags::from_bytes(bytes).ok_or_else(|| Error::damaged("a change of flags"));
        rows.iter()
            .map(|row| {
                Ok(FlagIntent {
                    folder: row.int(0),
                    source_id: ItemId::new(row.blob(1)),
                    add: flags(row.blob(2))?,
                    take: flags(row.blob(3))?,
                })
            })
            .collect()
    }

    /// Items of a mailbox's target that exceptions of these classes are about, with the folders of the source they are listed under.
    pub async fn listed_copies(
        &self,
        key: ProjectKey,
        mailbox: i64,
        classes: &[Cause],
    ) -> Result<HashSet<(FolderPath, ItemId)>, Error> {
        let select = "SELECT class, path, target_id FROM exception WHERE organisation = $1 AND project = $2 \
            AND mailbox = $3 AND target_id IS NOT NULL";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        let is_wanted = |row: &&crate::sql::Row| classes.iter().any(|class| class.code() == row.text(0));
        rows.iter().filter(is_wanted).map(|row| Ok((path_from(&row.text(1))?, ItemId::new(row.blob(2))))).collect()
    }

    /// Which of these digests items of a mailbox have, by folder and id: of those that are on the target, or were.
    pub async fn items_like(
        &self,
        key: ProjectKey,
        mailbox: i64,
        digests: &[Digest],
    ) -> Result<Vec<(i64, ItemId, Digest)>, Error> {
        let select = "SELECT i.folder, i.source_id, i.exact FROM item i JOIN folder f ON f.organisation = i.organisation \
            AND f.project = i.project AND f.endpoint = i.endpoint AND f.kind = i.kind AND f.folder = i.folder \
            WHERE f.organisation = $1 AND f.project = $2 AND f.mailbox = $3 AND f.gone_at IS NULL AND i.fate IN (1, 2, 6) \
            AND i.exact IN ({ids})";
        // Digests are bytes as ids are.
        let digests: Vec<ItemId> = digests.iter().map(|digest| ItemId::new(digest.as_bytes())).collect();
        let values = values![key.organisation, key.project, mailbox];
        let rows = self.database.query_for(select, &values, &digests).await?;
        let one = |row: &crate::sql::Row| {
            let exact = Digest::from_bytes(row.blob(2)).ok_or_else(|| Error::damaged("an item's digest"))?;
            Ok((row.int(0), ItemId::new(row.blob(1)), exact))
        };
        rows.iter().map(one).collect()
    }
}

impl LedgerTx<'_> {
    /// Its source is being left, or followed again.
    pub async fn set_freeze(&mut self, freeze: Freeze) -> Result<(), Error> {
        let frozen = match freeze {
            Freeze::Never => 0,
            Freeze::Frozen => 1,
            Freeze::Thawed => 2,
        };
        let key = self.lease.key;
        let update = "UPDATE mailbox SET frozen = $4 WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        self.tx.execute(update, values![key.organisation, key.project, self.lease.mailbox, frozen]).await.map(|_| ())
    }

    /// The folders of the target stand so as its source begins to be left.
    pub async fn set_freeze_marks(&mut self, marks: &[(FolderPath, FolderState)]) -> Result<(), Error> {
        let key = self.lease.key;
        let delete = "DELETE FROM freeze_mark WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        self.tx.execute(delete, values![key.organisation, key.project, self.lease.mailbox]).await?;
        let insert = "INSERT INTO freeze_mark (organisation, project, mailbox, path, validity, next) VALUES";
        let row = |(path, mark): &(FolderPath, FolderState)| {
            let mailbox = self.lease.mailbox;
            values![key.organisation, key.project, mailbox, path_text(path), mark.validity as i64, mark.next as i64]
        };
        let rows = marks.iter().map(row).collect();
        self.tx.insert_many(insert, "", rows).await
    }

    /// A copy lies in this folder of the target whose item the source has elsewhere: it stays there. The removal says what it is,
    /// and where the source has it.
    pub async fn keep_elsewhere(&mut self, kept: &HeldRemoval) -> Result<(), Error> {
        let key = self.lease.key;
        let insert = "INSERT INTO removal (organisation, project, folder, source_id, fate, exact, canonical, size, received, \
            source_flags, target_id, target_flags, read_back, source_received, why, rule, state, moved_folder, moved_id, at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15, $16, $17, $18, {now}) \
            ON CONFLICT (organisation, project, folder, source_id) DO UPDATE SET fate = excluded.fate, \
            exact = excluded.exact, canonical = excluded.canonical, size = excluded.size, \
            received = excluded.received, source_flags = excluded.source_flags, target_id = excluded.target_id, \
            target_flags = excluded.target_flags, read_back = excluded.read_back, \
            source_received = excluded.source_received, rule = excluded.rule, state = excluded.state, \
            moved_folder = excluded.moved_folder, moved_id = excluded.moved_id, at = excluded.at";
        let bytes = |digest: Option<Digest>| digest.map(|digest| digest.as_bytes().to_vec());
        let id = |id: &ItemId| id.as_bytes().to_vec();
        let (moved_folder, moved_id) = kept.moved_to.as_ref().map(|(folder, at)| (*folder, id(at))).unzip();
        let values = values![
            key.organisation,
            key.project,
            kept.folder,
            id(&kept.source_id),
            kept.fate.number(),
            bytes(kept.exact),
            bytes(kept.canonical),
            kept.size_bytes as i64,
            kept.received,
            kept.source_flags.to_bytes(),
            kept.target_id.as_ref().map(id),
            kept.target_flags.to_bytes(),
            bytes(kept.read_back),
            kept.source_received,
            kept.rule.as_str(),
            kept.state.name(),
            moved_folder,
            moved_id,
        ];
        self.tx.execute(insert, values).await.map(|_| ())
    }

    /// The source has the item of this removal there now, and its copy stays where it is.
    pub async fn set_moved_to(&mut self, folder: i64, id: &ItemId, to: (i64, &ItemId)) -> Result<(), Error> {
        let key = self.lease.key;
        let update = "UPDATE removal SET moved_folder = $5, moved_id = $6 WHERE organisation = $1 AND project = $2 \
            AND folder = $3 AND source_id = $4";
        let values = values![key.organisation, key.project, folder, id.as_bytes(), to.0, to.1.as_bytes()];
        self.tx.execute(update, values).await.map(|_| ())
    }

    /// The source rules again: what was kept on the target waits for a word.
    pub async fn hold_what_was_kept(&mut self, folder: i64, id: &ItemId) -> Result<(), Error> {
        let key = self.lease.key;
        let update = "UPDATE removal SET state = 'held' WHERE organisation = $1 AND project = $2 AND folder = $3 \
            AND source_id = $4";
        self.tx.execute(update, values![key.organisation, key.project, folder, id.as_bytes()]).await.map(|_| ())
    }

    /// Everything that was not followed while the source was left is followed by now.
    pub async fn thawed(&mut self) -> Result<(), Error> {
        let key = self.lease.key;
        let update = "UPDATE removal SET moved_folder = NULL, moved_id = NULL WHERE organisation = $1 AND project = $2 \
            AND state <> 'kept' AND moved_folder IS NOT NULL AND folder IN (SELECT f.folder FROM folder f \
            WHERE f.organisation = $1 AND f.project = $2 AND f.mailbox = $3)";
        self.tx.execute(update, values![key.organisation, key.project, self.lease.mailbox]).await?;
        self.set_freeze_marks(&[]).await?;
        self.set_freeze(Freeze::Thawed).await
    }

    /// Writes a batch that is about to be sent to the source, or moved there.
    pub async fn open_back_intent(
        &mut self,
        number: i64,
        folder: &FolderRow,
        mark: &FolderState,
        items: &[IntentItem],
        moved: Option<&BackMove>,
    ) -> Result<(), Error> {
        let key = self.lease.key;
        let insert = "INSERT INTO back_intent (organisation, project, mailbox, fence, number, folder, mark_validity, \
            mark_next, mark_count, mark_change, items, from_folder, from_items, opened_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, {now})";
        let values = values![
            key.organisation,
            key.project,
            self.lease.mailbox,
            self.lease.fence,
            number,
            folder.folder,
            mark.validity as i64,
            mark.next as i64,
            mark.count as i64,
            mark.change as i64,
            encode(items),
            moved.map(|moved| moved.folder),
            moved.map(|moved| encode_ids(&moved.ids, items)),
        ];
        self.tx.execute(insert, values).await.map(|_| ())
    }

    /// Writes changes of flags at the source that are about to be made.
    pub async fn open_back_flags(&mut self, intents: &[FlagIntent]) -> Result<(), Error> {
        let key = self.lease.key;
        let insert = "INSERT INTO back_flag (organisation, project, folder, source_id, added, taken) VALUES";
        let conflict = "ON CONFLICT (organisation, project, folder, source_id) \
            DO UPDATE SET added = excluded.added, taken = excluded.taken";
        let row = |intent: &FlagIntent| {
            let (add, take) = (intent.add.to_bytes(), intent.take.to_bytes());
            values![key.organisation, key.project, intent.folder, intent.source_id.as_bytes(), add, take]
        };
        self.tx.insert_many(insert, conflict, intents.iter().map(row).collect()).await
    }

    /// What came of all changes of flags in a folder of the source is recorded.
    pub async fn close_back_flags(&mut self, folder: i64) -> Result<(), Error> {
        let key = self.lease.key;
        let delete = "DELETE FROM back_flag WHERE organisation = $1 AND project = $2 AND folder = $3";
        self.tx.execute(delete, values![key.organisation, key.project, folder]).await.map(|_| ())
    }

    /// The outcome of a batch to the source is recorded; it is looked for again so many times, if any.
    pub async fn close_back_intent(&mut self, fence: i64, number: i64, looks_left: i64) -> Result<(), Error> {
        let key = self.lease.key;
        let (organisation, project, mailbox) = (key.organisation, key.project, self.lease.mailbox);
        if looks_left > 0 {
            let update = "UPDATE back_intent SET looks_left = $6, looked_at = {now} WHERE organisation = $1 \
                AND project = $2 AND mailbox = $3 AND fence = $4 AND number = $5";
            let values = values![organisation, project, mailbox, fence, number, looks_left];
            return self.tx.execute(update, values).await.map(|_| ());
        }
        let delete = "DELETE FROM back_intent WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND fence = $4 \
            AND number = $5";
        self.tx.execute(delete, values![organisation, project, mailbox, fence, number]).await.map(|_| ())
    }
}
