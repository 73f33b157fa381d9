//! What the ledger is asked. Nothing here changes it.

use std::collections::{HashMap, HashSet};

use model::{Cause, Digest, Fate, Flags, FolderPath, FolderState, ItemId, ItemKind, Tally};

use super::batch::{Intent, IntentState, decode};
use super::rows::{
    DateGiven, ExceptionRow, FailureRow, FlagIntent, FolderRow, FormerReplaced, HeldItem, HeldRemoval, How, ItemThere,
    LedgerItem, NewException, RemovalState, Treatment, TreatmentRow,
};
use crate::sql::{Row, Value, values};
use crate::{Error, ProjectKey, Store, path_from, path_text};

fn state_or_none(row: &Row, first: usize) -> Option<FolderState> {
    let number = |offset| row.int(first + offset) as u64;
    let state = FolderState { validity: number(0), next: number(1), count: number(2), change: number(3) };
    (state != FolderState::default()).then_some(state)
}

fn flags(bytes: &[u8]) -> Result<Flags, Error> {
    Flags::from_bytes(bytes).ok_or_else(|| Error::damaged("an item's flags"))
}

fn digest(bytes: Option<&[u8]>) -> Result<Option<Digest>, Error> {
    let read = |bytes| Digest::from_bytes(bytes).ok_or_else(|| Error::damaged("an item's digest"));
    bytes.map(read).transpose()
}

/// In place of whether a folder is followed: that was begun.
pub(super) const FOLLOWING_BEGUN: i64 = 2;
/// The same of making it.
pub(super) const MAKING_BEGUN: i64 = 2;

/// How many items are read at a time where a folder is read whole.
const PAGE_ITEMS: i64 = 2_000;

/// Reads ids of a target folder (`$4`) of a mailbox (`$3`), of rows for which this holds too. Ids from before the folder was
/// made anew (with another validity than `$5`) mean nothing in it.
macro_rules! target_id_select {
    () => {
        "SELECT i.target_id FROM item i JOIN folder f ON f.organisation = i.organisation \
            AND f.project = i.project AND f.endpoint = i.endpoint AND f.kind = i.kind AND f.folder = i.folder \
            WHERE f.organisation = $1 AND f.project = $2 AND f.mailbox = $3 AND f.target_path = $4 \
            AND f.target_validity IN (0, $5) AND i.target_id IS NOT NULL "
    };
}

/// Reads items in a target folder with what the ledger knows of them; its parameters are those of the macro above.
macro_rules! items_there_select {
    () => {
        "SELECT i.target_id, i.folder, i.source_id, i.source_flags, i.target_flags FROM item i \
            JOIN folder f ON f.organisation = i.organisation \
            AND f.project = i.project AND f.endpoint = i.endpoint AND f.kind = i.kind AND f.folder = i.folder \
            WHERE f.organisation = $1 AND f.project = $2 AND f.mailbox = $3 AND f.target_path = $4 \
            AND f.target_validity IN (0, $5) AND i.target_id IS NOT NULL "
    };
}

/// Reads items of a folder, whose five key columns are `$1` to `$5`, with this at its end.
macro_rules! item_select {
    ($end:literal) => {
        concat!(
            "SELECT source_id, fate, size, received, exact, canonical, source_flags, target_id, target_flags, read_back ",
            "FROM item ",
            "WHERE organisation = $1 AND project = $2 AND endpoint = $3 AND kind = $4 AND folder = $5 ",
            $end
        )
    };
}

/// Reads what was made of items of a mailbox (`$3`) for which this holds.
macro_rules! treatment_select {
    ($which:literal) => {
        concat!(
            "SELECT t.source_id, t.how, t.rule, t.policy, t.original, t.original_size, t.detail, t.source_received, ",
            "f.folder, f.path, i.fate, i.received FROM treatment t ",
            "JOIN folder f ON f.organisation = t.organisation AND f.project = t.project AND f.folder = t.folder ",
            "JOIN item i ON i.organisation = t.organisation AND i.project = t.project AND i.endpoint = f.endpoint ",
            "AND i.kind = f.kind AND i.folder = t.folder AND i.source_id = t.source_id ",
            "WHERE f.organisation = $1 AND f.project = $2 AND f.mailbox = $3 AND f.gone_at IS NULL AND ",
            $which,
            " ORDER BY f.folder, t.source_id"
        )
    };
}

fn folder_values(key: ProjectKey, folder: &FolderRow) -> Vec<Value> {
    values![key.organisation, key.project, folder.endpoint, folder.kind.number(), folder.folder]
}

fn treatment(row: &Row) -> Result<Treatment, Error> {
    Ok(Treatment {
        source_id: ItemId::new(row.blob(0)),
        how: How::from_name(&row.text(1)).ok_or_else(|| Error::damaged("what was made of an item"))?,
        rule: row.text(2),
        policy: row.text(3),
        original: digest(row.blob_or_null(4))?,
        original_size_bytes: row.int(5) as u64,
        detail: row.text(6),
        source_received: row.int_or_null(7),
    })
}

fn ledger_item(row: &Row) -> Result<LedgerItem, Error> {
    let exact = digest(row.blob_or_null(4))?;
    let source_flags = flags(row.blob(6))?;
    let target_flags = row.blob_or_null(8).map(flags).transpose()?;
    Ok(LedgerItem {
        source_id: ItemId::new(row.blob(0)),
        fate: Fate::from_number(row.int(1)).ok_or_else(|| Error::damaged("an item's fate"))?,
        size_bytes: row.int(2) as u64,
        received: row.int_or_null(3),
        exact,
        canonical: digest(row.blob_or_null(5))?.or(exact),
        target_flags: target_flags.unwrap_or_else(|| source_flags.clone()),
        source_flags,
        target_id: row.blob_or_null(7).map(ItemId::new),
        read_back: digest(row.blob_or_null(9))?,
    })
}

/// The items of a folder, page by page.
pub struct Items<'s> {
    store: &'s Store,
    key: ProjectKey,
    folder: &'s FolderRow,
    after: Option<ItemId>,
    is_over: bool,
}

impl Items<'_> {
    /// The next page; empty after the last.
    pub async fn next(&mut self) -> Result<Vec<LedgerItem>, Error> {
        if self.is_over {
            return Ok(Vec::new());
        }
        let select = item_select!("AND source_id > $6 ORDER BY source_id LIMIT $7");
        let mut values = folder_values(self.key, self.folder);
        values.extend(values![self.after.as_ref().map(ItemId::as_bytes).unwrap_or_default(), PAGE_ITEMS]);
        let rows = self.store.database.query(select, values).await?;
        let page = rows.iter().map(ledger_item).collect::<Result<Vec<_>, _>>()?;
        self.is_over = (page.len() as i64) < PAGE_ITEMS;
        self.after = page.last().map(|item| item.source_id.clone());
        Ok(page)
    }
}

/// What there is to tell of a mailbox in one line.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct MailboxCounts {
    /// Items of the source that are on the target, by the ledger.
    pub items: u64,
    /// Items that stay behind by a rule or a word.
    pub left: u64,
    /// Items that could not be copied.
    pub failed: u64,
    /// Issues about it that are open.
    pub issues: Vec<i64>,
}

impl std::fmt::Display for MailboxCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} items are there, {} stay behind, {} could not be copied", self.items, self.left, self.failed)?;
        match self.issues[..] {
            [] => f.write_str(", no issue is open"),
            _ => {
                let open: Vec<String> = self.issues.iter().map(ToString::to_string).collect();
                write!(f, ", open issues: {}", open.join(", "))
            }
        }
    }
}

impl Store {
    /// The folders of a mailbox.
    pub async fn folders(&self, key: ProjectKey, mailbox: i64) -> Result<Vec<FolderRow>, Error> {
        let select = "SELECT folder, endpoint, kind, path, source_validity, source_next, source_count, source_change, \
            cursor, target_path, target_validity, target_next, target_count, target_change, gone_at, subscribed, made, \
            compared_next, compared_count \
            FROM folder WHERE organisation = $1 AND project = $2 AND mailbox = $3 ORDER BY folder";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        rows.iter()
            .map(|row| {
                let validity = row.int(4) as u64;
                let cursor = row.blob_or_null(8).map(Box::from);
                // A state is one of a complete reading once any of its numbers is set.
                let source = state_or_none(row, 4).filter(|s| (s.next, s.count, s.change) != (0, 0, 0));
                Ok(FolderRow {
                    folder: row.int(0),
                    endpoint: row.int(1),
                    kind: ItemKind::from_number(row.int(2)).ok_or_else(|| Error::damaged("a folder's kind"))?,
                    path: path_from(&row.text(3))?,
                    validity,
                    source,
                    cursor,
                    target_path: path_from(&row.text(9))?,
                    target: state_or_none(row, 10),
                    gone_at: row.int_or_null(14),
                    subscribed: row.int_or_null(15).filter(|is| *is != FOLLOWING_BEGUN).map(|is| is != 0),
                    is_following_begun: row.int_or_null(15) == Some(FOLLOWING_BEGUN),
                    made: row.int(16) == 1,
                    is_making_begun: row.int(16) == MAKING_BEGUN,
                    compared: (row.int(17) as u64, row.int(18) as u64),
                })
            })
            .collect()
    }

    /// Every item of a folder with a fate, page by page in the order of ids: a folder may hold more than memory does.
    pub fn items<'s>(&'s self, key: ProjectKey, folder: &'s FolderRow) -> Items<'s> {
        Items { store: self, key, folder, after: None, is_over: false }
    }

    /// The items of a folder with a fate whose ids lie between these two, both included.
    pub async fn items_between(
        &self,
        key: ProjectKey,
        folder: &FolderRow,
        first: &ItemId,
        last: &ItemId,
    ) -> Result<Vec<LedgerItem>, Error> {
        let select = item_select!("AND source_id >= $6 AND source_id <= $7 ORDER BY source_id");
        let mut values = folder_values(key, folder);
        values.extend(values![first.as_bytes(), last.as_bytes()]);
        let rows = self.database.query(select, values).await?;
        rows.iter().map(ledger_item).collect()
    }

    /// These items of a folder, as far as they have a fate.
    pub async fn items_of(
        &self,
        key: ProjectKey,
        folder: &FolderRow,
        ids: &[ItemId],
    ) -> Result<Vec<LedgerItem>, Error> {
        let select = item_select!("AND source_id IN ({ids}) ORDER BY source_id");
        let rows = self.database.query_for(select, &folder_values(key, folder), ids).await?;
        rows.iter().map(ledger_item).collect()
    }

    /// The items of a folder that are on the target under an id that is not known.
    pub async fn items_without_target_id(&self, key: ProjectKey, folder: &FolderRow) -> Result<Vec<LedgerItem>, Error> {
        let select = item_select!("AND target_id IS NULL AND fate IN (1, 2) ORDER BY source_id");
        let rows = self.database.query(select, folder_values(key, folder)).await?;
        rows.iter().map(ledger_item).collect()
    }

    /// How many items of a folder have a fate.
    pub async fn count_items(&self, key: ProjectKey, folder: &FolderRow) -> Result<u64, Error> {
        let select = "SELECT count(*) FROM item WHERE organisation = $1 AND project = $2 AND endpoint = $3 \
            AND kind = $4 AND folder = $5";
        Ok(self.database.query(select, folder_values(key, folder)).await?[0].int(0) as u64)
    }

    /// The items of a mailbox, by folder, that failed for a cause other than these, or under another policy, or that
    /// a person wants tried again.
    pub async fn failed_ids(
        &self,
        key: ProjectKey,
        mailbox: i64,
        but: &[Cause],
        policy: &str,
    ) -> Result<HashMap<i64, Vec<ItemId>>, Error> {
        let select = "SELECT x.source_id, x.cause, x.retry, x.folder, x.policy FROM failure x \
            JOIN folder f ON f.organisation = x.organisation AND f.project = x.project AND f.folder = x.folder \
            WHERE x.organisation = $1 AND x.project = $2 AND f.mailbox = $3 ORDER BY x.folder, x.source_id";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        let is_lasting = |row: &Row| but.iter().any(|cause| cause.code() == row.text(1));
        let mut failed: HashMap<i64, Vec<ItemId>> = HashMap::new();
        for row in rows.iter().filter(|row| row.bool(2) || !is_lasting(row) || row.text(4) != policy) {
            failed.entry(row.int(3)).or_default().push(ItemId::new(row.blob(0)));
        }
        Ok(failed)
    }

    /// What the policy made of a mailbox's items that are on the target or were left behind.
    pub async fn treatments(&self, key: ProjectKey, mailbox: i64) -> Result<Vec<TreatmentRow>, Error> {
        let rows = treatment_select!("((i.fate IN (1, 2) AND t.how <> 'left') OR (i.fate = 3 AND t.how = 'left'))");
        self.treatments_by(rows, key, mailbox).await
    }

    /// What the policy made of a mailbox's items, whatever became of them.
    pub async fn every_treatment(&self, key: ProjectKey, mailbox: i64) -> Result<Vec<TreatmentRow>, Error> {
        let rows = treatment_select!("((i.fate <> 3 AND t.how <> 'left') OR (i.fate = 3 AND t.how = 'left'))");
        self.treatments_by(rows, key, mailbox).await
    }

    async fn treatments_by(
        &self,
        select: &'static str,
        key: ProjectKey,
        mailbox: i64,
    ) -> Result<Vec<TreatmentRow>, Error> {
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        rows.iter()
            .map(|row| {
                Ok(TreatmentRow {
                    treatment: treatment(row)?,
                    folder: row.int(8),
                    path: path_from(&row.text(9))?,
                    fate: Fate::from_number(row.int(10)).ok_or_else(|| Error::damaged("an item's fate"))?,
                    received: row.int_or_null(11),
                })
            })
            .collect()
    }

    /// Dates that items of a mailbox on the target could not keep, also of those that are to go from there.
    pub async fn dates_given(&self, key: ProjectKey, mailbox: i64) -> Result<Vec<DateGiven>, Error> {
        let select = "SELECT i.exact, t.source_received, i.received FROM treatment t \
            JOIN folder f ON f.organisation = t.organisation AND f.project = t.project AND f.folder = t.folder \
            JOIN item i ON i.organisation = t.organisation AND i.project = t.project AND i.endpoint = f.endpoint \
            AND i.kind = f.kind AND i.folder = t.folder AND i.source_id = t.source_id \
            WHERE f.organisation = $1 AND f.project = $2 AND f.mailbox = $3 AND t.source_received IS NOT NULL \
            AND i.fate IN (1, 2) \
            UNION ALL SELECT r.exact, r.source_received, r.received FROM removal r \
            JOIN folder f ON f.organisation = r.organisation AND f.project = r.project AND f.folder = r.folder \
            WHERE f.organisation = $1 AND f.project = $2 AND f.mailbox = $3 AND r.source_received IS NOT NULL";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        let given = |row: &Row| {
            let given = digest(row.blob_or_null(0))?.zip(row.int_or_null(1)).zip(row.int_or_null(2));
            Ok(given.map(|((exact, source_received), received)| DateGiven { exact, source_received, received }))
        };
        rows.iter().filter_map(|row| given(row).transpose()).collect()
    }

    /// Items of a mailbox, by folder, that were left behind by another policy than this one, or by none that is known: their sending
    /// was broken off.
    pub async fn left_by_others(
        &self,
        key: ProjectKey,
        mailbox: i64,
        policy: &str,
    ) -> Result<HashMap<i64, Vec<ItemId>>, Error> {
        let select = "SELECT i.folder, i.source_id FROM folder f \
            JOIN item i ON i.organisation = f.organisation AND i.project = f.project AND i.endpoint = f.endpoint \
            AND i.kind = f.kind AND i.folder = f.folder \
            LEFT JOIN treatment t ON t.organisation = i.organisation AND t.project = i.project AND t.folder = i.folder \
            AND t.source_id = i.source_id \
            WHERE f.organisation = $1 AND f.project = $2 AND f.mailbox = $3 AND f.gone_at IS NULL AND i.fate = 3 \
            AND (t.policy IS NULL OR t.policy <> $4 OR t.how <> 'left') ORDER BY i.folder, i.source_id";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox, policy]).await?;
        let mut left: HashMap<i64, Vec<ItemId>> = HashMap::new();
        for row in rows {
            left.entry(row.int(0)).or_default().push(ItemId::new(row.blob(1)));
        }
        Ok(left)
    }

    /// The copies of [`Self::former_copies`] that are not what the source holds.
    pub async fn former_replaced(
        &self,
        key: ProjectKey,
        mailbox: i64,
        target_path: &FolderPath,
        validity: u64,
    ) -> Result<Vec<FormerReplaced>, Error> {
        let select = "SELECT t.source_id, t.how, t.rule, t.policy, t.original, t.original_size, t.detail, \
            t.source_received, i.target_id, i.received FROM treatment t \
            JOIN folder f ON f.organisation = t.organisation AND f.project = t.project AND f.folder = t.folder \
            JOIN item i ON i.organisation = t.organisation AND i.project = t.project AND i.endpoint = f.endpoint \
            AND i.kind = f.kind AND i.folder = t.folder AND i.source_id = t.source_id \
            WHERE f.organisation = $1 AND f.project = $2 AND f.mailbox = $3 AND f.target_path = $4 \
            AND f.target_validity IN (0, $5) AND f.gone_at IS NOT NULL AND i.fate = 1 AND i.target_id IS NOT NULL \
            AND t.how IN ('replaced', 'repaired')";
        let values = values![key.organisation, key.project, mailbox, path_text(target_path), validity as i64];
        let rows = self.database.query(select, values).await?;
        rows.iter()
            .map(|row| {
                let (target_id, received) = (ItemId::new(row.blob(8)), row.int_or_null(9));
                Ok(FormerReplaced { target_id, received, treatment: treatment(row)? })
            })
            .collect()
    }

    /// The ids under which a folder of the target holds items that the ledger knows, removals that wait included. Of folders
    /// that the source has no more or has numbered anew only those removals: what became of their items is found out again.
    pub async fn target_ids(
        &self,
        key: ProjectKey,
        mailbox: i64,
        target_path: &FolderPath,
        validity: u64,
    ) -> Result<HashSet<ItemId>, Error> {
        let select = concat!(
            target_id_select!(),
            "AND f.gone_at IS NULL AND i.fate IN (1, 2) \
            UNION ALL SELECT r.target_id FROM removal r JOIN folder f ON f.organisation = r.organisation \
                AND f.project = r.project AND f.folder = r.folder \
                WHERE f.organisation = $1 AND f.project = $2 AND f.mailbox = $3 AND f.target_path = $4 \
                AND f.target_validity IN (0, $5) AND r.target_id IS NOT NULL"
        );
        self.ids_at(select, key, mailbox, target_path, validity).await
    }

    /// The copies in a folder of the target that are ours, made of items of folders that the source has no more or has
    /// numbered anew.
    pub async fn former_copies(
        &self,
        key: ProjectKey,
        mailbox: i64,
        target_path: &FolderPath,
        validity: u64,
    ) -> Result<Vec<ItemThere>, Error> {
        let select = concat!(items_there_select!(), "AND f.gone_at IS NOT NULL AND i.fate = 1");
        self.items_at(select, key, mailbox, target_path, validity).await
    }

    /// The items that a folder of the target holds according to the ledger, of folders that the source has no more or has
    /// numbered anew.
    pub async fn items_left(
        &self,
        key: ProjectKey,
        mailbox: i64,
        target_path: &FolderPath,
        validity: u64,
    ) -> Result<Vec<ItemThere>, Error> {
        let select = concat!(items_there_select!(), "AND f.gone_at IS NOT NULL AND i.fate IN (1, 2)");
        self.items_at(select, key, mailbox, target_path, validity).await
    }

    /// The items that a folder of the target holds according to the ledger, of folders that the source still lists.
    pub async fn items_there(
        &self,
        key: ProjectKey,
        mailbox: i64,
        target_path: &FolderPath,
        validity: u64,
    ) -> Result<Vec<ItemThere>, Error> {
        let select = concat!(items_there_select!(), "AND f.gone_at IS NULL AND i.fate IN (1, 2)");
        self.items_at(select, key, mailbox, target_path, validity).await
    }

    async fn items_at(
        &self,
        select: &'static str,
        key: ProjectKey,
        mailbox: i64,
        target_path: &FolderPath,
        validity: u64,
    ) -> Result<Vec<ItemThere>, Error> {
        let values = values![key.organisation, key.project, mailbox, path_text(target_path), validity as i64];
        let rows = self.database.query(select, values).await?;
        rows.iter()
            .map(|row| {
                let source_flags = flags(row.blob(3))?;
                let target_flags = row.blob_or_null(4).map(flags).transpose()?;
                Ok(ItemThere {
                    target_id: ItemId::new(row.blob(0)),
                    folder: row.int(1),
                    source_id: ItemId::new(row.blob(2)),
                    target_flags: target_flags.unwrap_or_else(|| source_flags.clone()),
                    source_flags,
                })
            })
            .collect()
    }

    async fn ids_at(
        &self,
        select: &'static str,
        key: ProjectKey,
        mailbox: i64,
        target_path: &FolderPath,
        validity: u64,
    ) -> Result<HashSet<ItemId>, Error> {
        let values = values![key.organisation, key.project, mailbox, path_text(target_path), validity as i64];
        let rows = self.database.query(select, values).await?;
        Ok(rows.iter().map(|row| ItemId::new(row.blob(0))).collect())
    }

    /// What there is to tell of a mailbox in one line.
    pub async fn counts_of(&self, key: ProjectKey, mailbox: i64) -> Result<MailboxCounts, Error> {
        let tallies = self.tallies(key, mailbox).await?;
        let there = tallies.iter().filter(|(folder, _)| !folder.is_gone()).map(|(_, tally)| tally);
        let (mut items, mut left, mut failed) = (0, 0, 0);
        for tally in there {
            items += tally.copied + tally.adopted;
            left += tally.excluded + tally.held + tally.withdrawn;
            failed += tally.failed;
        }
        let select = "SELECT issue FROM issue WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
            AND state <> 'closed' ORDER BY issue";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        Ok(MailboxCounts { items, left, failed, issues: rows.iter().map(|row| row.int(0)).collect() })
    }

    /// How many items of a mailbox came to each fate, by folder (number, path, whether the source still lists it).
    pub async fn tallies(&self, key: ProjectKey, mailbox: i64) -> Result<Vec<(FolderRow, Tally)>, Error> {
        let folders = self.folders(key, mailbox).await?;
        let select = "SELECT i.folder, i.fate, count(*), CAST(coalesce(sum(i.size), 0) AS BIGINT) FROM item i \
            JOIN folder f ON f.organisation = i.organisation AND f.project = i.project AND f.folder = i.folder \
            WHERE f.organisation = $1 AND f.project = $2 AND f.mailbox = $3 \
            AND i.endpoint = f.endpoint AND i.kind = f.kind GROUP BY i.folder, i.fate";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        let mut tallies: Vec<(FolderRow, Tally)> = folders
            .into_iter()
            .map(|folder| {
                let tally = Tally { source: folder.source.map_or(0, |s| s.count), ..Tally::default() };
                (folder, tally)
            })
            .collect();
        for row in rows {
            let fate = Fate::from_number(row.int(1)).ok_or_else(|| Error::damaged("an item's fate"))?;
            if let Some((_, tally)) = tallies.iter_mut().find(|(folder, _)| folder.folder == row.int(0)) {
                tally.add(fate, row.int(2) as u64);
                if matches!(fate, Fate::Copied | Fate::Adopted) {
                    tally.bytes += row.int(3) as u64;
                }
            }
        }
        Ok(tallies)
    }

    /// The batches of a mailbox whose outcome is not known, or that are still looked for.
    pub async fn intents(&self, key: ProjectKey, mailbox: i64) -> Result<Vec<Intent>, Error> {
        let select = "SELECT fence, number, folder, mark_validity, mark_next, mark_count, mark_change, items, opened_at, \
            looks_left, looked_at FROM intent WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
            ORDER BY fence, number";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        rows.iter()
            .map(|row| {
                let number = |column| row.int(column) as u64;
                Ok(Intent {
                    fence: row.int(0),
                    number: row.int(1),
                    folder: row.int(2),
                    mark: FolderState { validity: number(3), next: number(4), count: number(5), change: number(6) },
                    items: decode(row.blob(7)).ok_or_else(|| Error::damaged("a batch under way"))?,
                    opened_at: row.int(8),
                    state: row.int_or_null(9).map_or(IntentState::Open, |looks_left| IntentState::Watched {
                        looks_left,
                        looked_at: row.int(10),
                    }),
                })
            })
            .collect()
    }

    /// The failures of a project, or of one mailbox.
    pub async fn failures(&self, key: ProjectKey, mailbox: Option<i64>) -> Result<Vec<FailureRow>, Error> {
        macro_rules! failures {
            ($of:literal) => {
                concat!(
                    "SELECT f.mailbox, f.path, x.source_id, x.cause, x.what, x.server, x.tries, \
                     (SELECT coalesce(max(i.size), 0) FROM item i WHERE i.organisation = x.organisation \
                         AND i.project = x.project AND i.endpoint = f.endpoint AND i.kind = f.kind AND i.folder = x.folder \
                         AND i.source_id = x.source_id), x.folder, x.accepted_by, x.accepted_why, \
                     (SELECT max(i.received) FROM item i WHERE i.organisation = x.organisation \
                         AND i.project = x.project AND i.endpoint = f.endpoint AND i.kind = f.kind AND i.folder = x.folder \
                         AND i.source_id = x.source_id) \
                     FROM failure x JOIN folder f ON f.organisation = x.organisation AND f.project = x.project \
                     AND f.folder = x.folder WHERE x.organisation = $1 AND x.project = $2",
                    $of,
                    " ORDER BY f.mailbox, f.folder, x.source_id"
                )
            };
        }
        // Two statements: one for both would be planned for all mailboxes.
        let rows = match mailbox {
            Some(mailbox) => {
                let values = values![key.organisation, key.project, mailbox];
                self.database.query(failures!(" AND f.mailbox = $3"), values).await?
            }
            None => self.database.query(failures!(""), values![key.organisation, key.project]).await?,
        };
        rows.iter()
            .map(|row| {
                Ok(FailureRow {
                    mailbox: row.int(0),
                    path: path_from(&row.text(1))?,
                    source_id: ItemId::new(row.blob(2)),
                    cause: cause(&row.text(3)),
                    what: row.text(4),
                    server: row.text_or_null(5),
                    tries: row.int(6),
                    size_bytes: row.int(7) as u64,
                    folder: row.int(8),
                    accepted_by: row.text_or_null(9),
                    accepted_why: row.text_or_null(10),
                    received: row.int_or_null(11),
                })
            })
            .collect()
    }

    /// Removals in the folders of a mailbox.
    pub async fn held_removals(&self, key: ProjectKey, mailbox: i64) -> Result<Vec<HeldRemoval>, Error> {
        let select = "SELECT r.folder, r.source_id, r.target_id, r.exact, r.canonical, r.size, r.received, \
            r.source_flags, r.target_flags, r.state, r.rule, r.fate, r.read_back, r.source_received, r.moved_folder, \
            r.moved_id FROM removal r \
            JOIN folder f ON f.organisation = r.organisation AND f.project = r.project AND f.folder = r.folder \
            WHERE r.organisation = $1 AND r.project = $2 AND f.mailbox = $3 ORDER BY r.folder, r.source_id";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        rows.iter()
            .map(|row| {
                let exact = digest(row.blob_or_null(3))?;
                let source_flags = row.blob_or_null(7).map(flags).transpose()?.unwrap_or(Flags::NONE);
                let target_flags = row.blob_or_null(8).map(flags).transpose()?;
                Ok(HeldRemoval {
                    folder: row.int(0),
                    source_id: ItemId::new(row.blob(1)),
                    target_id: row.blob_or_null(2).map(ItemId::new),
                    exact,
                    canonical: digest(row.blob_or_null(4))?.or(exact),
                    size_bytes: row.int(5) as u64,
                    received: row.int_or_null(6),
                    target_flags: target_flags.unwrap_or_else(|| source_flags.clone()),
                    source_flags,
                    state: RemovalState::from_name(&row.text(9)).ok_or_else(|| Error::damaged("a removal's state"))?,
                    rule: row.text(10),
                    fate: Fate::from_number(row.int(11)).ok_or_else(|| Error::damaged("a removal's fate"))?,
                    read_back: digest(row.blob_or_null(12))?,
                    source_received: row.int_or_null(13),
                    moved_to: row.int_or_null(14).zip(row.blob_or_null(15).map(ItemId::new)),
                })
            })
            .collect()
    }

    /// Items of a mailbox that wait for a word.
    pub async fn held_items(&self, key: ProjectKey, mailbox: i64) -> Result<Vec<HeldItem>, Error> {
        let select = "SELECT h.folder, h.source_id, h.target_id, h.what, h.word FROM held h \
            JOIN folder f ON f.organisation = h.organisation AND f.project = h.project AND f.folder = h.folder \
            WHERE h.organisation = $1 AND h.project = $2 AND f.mailbox = $3 ORDER BY h.folder, h.source_id";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        let held = |row: &Row| HeldItem {
            folder: row.int(0),
            source_id: ItemId::new(row.blob(1)),
            target_id: row.blob_or_null(2).map(ItemId::new),
            what: row.text(3),
            is_another: row.text_or_null(4).map(|word| word == "copy"),
        };
        Ok(rows.iter().map(held).collect())
    }

    /// Changes of flags in a mailbox of which it is not known whether they took effect.
    pub async fn flag_intents(&self, key: ProjectKey, mailbox: i64) -> Result<Vec<FlagIntent>, Error> {
        let select = "SELECT i.folder, i.source_id, i.added, i.taken FROM flag_intent i \
            JOIN folder f ON f.organisation = i.organisation AND f.project = i.project AND f.folder = i.folder \
            WHERE i.organisation = $1 AND i.project = $2 AND f.mailbox = $3 ORDER BY i.folder, i.source_id";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
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

    /// How many items a mailbox has on the target.
    pub async fn count_there(&self, key: ProjectKey, mailbox: i64) -> Result<u64, Error> {
        let select = "SELECT count(*) FROM item i JOIN folder f ON f.organisation = i.organisation \
            AND f.project = i.project AND f.endpoint = i.endpoint AND f.kind = i.kind AND f.folder = i.folder \
            WHERE f.organisation = $1 AND f.project = $2 AND f.mailbox = $3 AND i.fate IN (1, 2)";
        Ok(self.database.query(select, values![key.organisation, key.project, mailbox]).await?[0].int(0) as u64)
    }

    /// How many items were removed from a mailbox's target on this day (since 1970).
    pub async fn removed_on(&self, key: ProjectKey, mailbox: i64, day: i64) -> Result<u64, Error> {
        let select = "SELECT removed_count FROM mailbox WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
            AND removed_day = $4";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox, day]).await?;
        Ok(rows.first().map_or(0, |row| row.int(0) as u64))
    }

    /// Has a person said that what vanished from a mailbox's target is to be followed?
    pub async fn follows_vanished(&self, key: ProjectKey, mailbox: i64) -> Result<bool, Error> {
        let select = "SELECT vanished_word FROM mailbox WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        Ok(rows.first().is_some_and(|row| row.text_or_null(0).as_deref() == Some("follow")))
    }

    /// Copies that the target of a mailbox has altered and that could not be taken away: each with the folder and the id of its item
    /// at the source.
    pub async fn altered_copies(
        &self,
        key: ProjectKey,
        mailbox: i64,
    ) -> Result<HashMap<(FolderPath, ItemId), Vec<ItemId>>, Error> {
        let select = "SELECT path, source_id, target_id FROM exception WHERE organisation = $1 AND project = $2 \
            AND mailbox = $3 AND class = $4 AND source_id IS NOT NULL AND target_id IS NOT NULL ORDER BY number";
        let values = values![key.organisation, key.project, mailbox, Cause::Altered.code()];
        let mut copies: HashMap<(FolderPath, ItemId), Vec<ItemId>> = HashMap::new();
        for row in self.database.query(select, values).await? {
            let item = (path_from(&row.text(0))?, ItemId::new(row.blob(1)));
            copies.entry(item).or_default().push(ItemId::new(row.blob(2)));
        }
        Ok(copies)
    }

    /// The exceptions of a project.
    pub async fn exceptions(&self, key: ProjectKey) -> Result<Vec<ExceptionRow>, Error> {
        let select = "SELECT mailbox, class, path, source_id, target_id, what, open FROM exception \
            WHERE organisation = $1 AND project = $2 ORDER BY mailbox, number";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        rows.iter()
            .map(|row| {
                Ok(ExceptionRow {
                    mailbox: row.int(0),
                    exception: NewException {
                        class: cause(&row.text(1)),
                        path: path_from(&row.text(2))?,
                        source_id: row.blob_or_null(3).map(ItemId::new),
                        target_id: row.blob_or_null(4).map(ItemId::new),
                        what: row.text(5),
                    },
                    is_open: row.bool(6),
                })
            })
            .collect()
    }
}

/// A cause that this program does not know is one of a program that comes after it.
fn cause(code: &str) -> Cause {
    Cause::from_code(code).unwrap_or(Cause::Internal)
}
