//! The ledger: folders read, the fate of every item, batches under way, failures and exceptions.
//!
//! All writing is one [`LedgerTx`] that first proves the worker's fence and locks the mailbox's row.

use std::collections::HashSet;

use model::{Cause, Digest, Fate, Flags, FolderPath, FolderState, ItemId, ItemKind, Tally};

use crate::lease::set_state;
use crate::sql::{Alone, Durability, Row, Tx, Value, values};
use crate::{Error, Lease, MailboxState, ProjectKey, Store, path_from, path_text};

/// A folder of a source under one validity, and where its items go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRow {
    /// Its number.
    pub folder: i64,
    /// The endpoint of the source.
    pub endpoint: i64,
    /// The kind of its items.
    pub kind: ItemKind,
    /// Where it is on the source.
    pub path: FolderPath,
    /// The validity its ids are of.
    pub validity: u64,
    /// The state up to which it was read completely; none before the first complete reading.
    pub source: Option<FolderState>,
    /// To read on from.
    pub cursor: Option<Box<[u8]>>,
    /// Where its items go.
    pub target_path: FolderPath,
    /// The state of the target folder up to which everything in it is accounted for; none before.
    pub target: Option<FolderState>,
    /// The source does not list it any more, or has it under another validity.
    pub is_gone: bool,
}

/// A folder to be known from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFolder {
    /// The endpoint of the source.
    pub endpoint: i64,
    /// The kind of its items.
    pub kind: ItemKind,
    /// Where it is on the source.
    pub path: FolderPath,
    /// The validity its ids are of.
    pub validity: u64,
    /// Where its items go.
    pub target_path: FolderPath,
}

/// The fate of an item, to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What the source folder calls it.
    pub source_id: ItemId,
    /// What became of it.
    pub fate: Fate,
    /// How many bytes.
    pub size_bytes: u64,
    /// When it was received (seconds since 1970).
    pub received: Option<i64>,
    /// Digest of its bytes, where they came.
    pub exact: Option<Digest>,
    /// Digest of its canonical form.
    pub canonical: Option<Digest>,
    /// Its flags as last read.
    pub source_flags: Flags,
    /// What the target folder calls it.
    pub target_id: Option<ItemId>,
    /// Its flags there as last read back; none: as on the source.
    pub target_flags: Option<Flags>,
    /// Digest of what the target gave back, where it differs from what was sent.
    pub read_back: Option<Digest>,
}

/// New flags of an item, to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagFact {
    /// Which item.
    pub source_id: ItemId,
    /// Its flags as last read.
    pub source_flags: Flags,
    /// Its flags on the target as last read back; none: as on the source.
    pub target_flags: Option<Flags>,
}

/// An item as the ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerItem {
    /// What the source folder calls it.
    pub source_id: ItemId,
    /// What became of it.
    pub fate: Fate,
    /// How many bytes.
    pub size_bytes: u64,
    /// When it was received (seconds since 1970).
    pub received: Option<i64>,
    /// Digest of its bytes, where they came.
    pub exact: Option<Digest>,
    /// Digest of its canonical form.
    pub canonical: Option<Digest>,
    /// Its flags as last read.
    pub source_flags: Flags,
    /// What the target folder calls it, where known.
    pub target_id: Option<ItemId>,
    /// Its flags there as last read back.
    pub target_flags: Flags,
}

/// An item of a batch under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntentItem {
    /// What the source folder calls it.
    pub source_id: ItemId,
    /// Digest of its bytes.
    pub exact: Digest,
    /// Digest of its canonical form.
    pub canonical: Digest,
    /// How many bytes.
    pub size_bytes: u64,
    /// When it was received (seconds since 1970).
    pub received: Option<i64>,
    /// The flags it is given.
    pub flags: Flags,
    /// A short digest of its Message-ID, or From and Date.
    pub hint: Option<u64>,
}

/// Whether a batch's outcome is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentState {
    /// Not known.
    Open,
    /// Known, but whoever sent it may have been too late to know: looked for again so many times.
    Watched {
        /// Looks left.
        looks_left: i64,
        /// When it was last looked for (milliseconds since 1970).
        looked_at: i64,
    },
}

/// A batch under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The claim under which it was sent.
    pub fence: i64,
    /// Its number under that claim.
    pub number: i64,
    /// The folder it goes to.
    pub folder: i64,
    /// Where the target folder stood before the oldest batch then open.
    pub mark: FolderState,
    /// The items.
    pub items: Vec<IntentItem>,
    /// When it was written (milliseconds since 1970).
    pub opened_at: i64,
    /// Whether its outcome is known.
    pub state: IntentState,
}

/// Why an item failed, to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFailure {
    /// Which item.
    pub source_id: ItemId,
    /// The class.
    pub cause: Cause,
    /// What was tried and why it failed.
    pub what: String,
    /// The server's words.
    pub server: Option<String>,
    /// The policy that judged it: profile, its version and the policy's.
    pub policy: String,
}

/// Why an item failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureRow {
    /// The mailbox.
    pub mailbox: i64,
    /// The folder on the source.
    pub path: FolderPath,
    /// What the folder calls it.
    pub source_id: ItemId,
    /// The class.
    pub cause: Cause,
    /// What was tried and why it failed.
    pub what: String,
    /// The server's words.
    pub server: Option<String>,
    /// How many bytes.
    pub size_bytes: u64,
    /// How often it was tried.
    pub tries: i64,
}

/// A removal that waits: the source has the item no more, the target still has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRemoval {
    /// The folder, by number.
    pub folder: i64,
    /// What the source called it.
    pub source_id: ItemId,
    /// What the target calls it.
    pub target_id: Option<ItemId>,
    /// Digest of its bytes.
    pub exact: Option<Digest>,
    /// Why it waits.
    pub why: String,
}

/// Something that no one may overlook, to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewException {
    /// Its class.
    pub class: Cause,
    /// The folder on the source.
    pub path: FolderPath,
    /// The item there, if it is about one.
    pub source_id: Option<ItemId>,
    /// The item on the target, if it is about one.
    pub target_id: Option<ItemId>,
    /// What it is, in a sentence.
    pub what: String,
}

/// Something that no one may overlook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionRow {
    /// The mailbox.
    pub mailbox: i64,
    /// What it is.
    pub exception: NewException,
    /// Still so at the last pass?
    pub is_open: bool,
}

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

/// Reads items of a folder, whose five key columns are `$1` to `$5`, with this at its end.
macro_rules! item_select {
    ($end:literal) => {
        concat!(
            "SELECT source_id, fate, size, received, exact, canonical, source_flags, target_id, target_flags FROM item ",
            "WHERE organisation = $1 AND project = $2 AND endpoint = $3 AND kind = $4 AND folder = $5 ",
            $end
        )
    };
}

fn folder_values(key: ProjectKey, folder: &FolderRow) -> Vec<Value> {
    values![key.organisation, key.project, folder.endpoint, folder.kind.number(), folder.folder]
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
    })
}

impl Store {
    /// The folders of a mailbox.
    pub async fn folders(&self, key: ProjectKey, mailbox: i64) -> Result<Vec<FolderRow>, Error> {
        let select = "SELECT folder, endpoint, kind, path, source_validity, source_next, source_count, source_change, \
            cursor, target_path, target_validity, target_next, target_count, target_change, gone_at \
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
                    is_gone: row.int_or_null(14).is_some(),
                })
            })
            .collect()
    }

    /// Every item of a folder with a fate, in the order of ids.
    pub async fn items(&self, key: ProjectKey, folder: &FolderRow) -> Result<Vec<LedgerItem>, Error> {
        let select = item_select!("ORDER BY source_id");
        let rows = self.database.query(select, folder_values(key, folder)).await?;
        rows.iter().map(ledger_item).collect()
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

    /// The items of a folder that failed for a cause other than these.
    pub async fn failed_ids(&self, key: ProjectKey, folder: i64, but: &[Cause]) -> Result<Vec<ItemId>, Error> {
        let select = "SELECT source_id, cause FROM failure WHERE organisation = $1 AND project = $2 AND folder = $3 \
            ORDER BY source_id";
        let rows = self.database.query(select, values![key.organisation, key.project, folder]).await?;
        let others = rows.iter().filter(|row| but.iter().all(|cause| cause.code() != row.text(1)));
        Ok(others.map(|row| ItemId::new(row.blob(0))).collect())
    }

    /// The ids under which a folder of the target holds items that the ledger knows, removals that wait included. Those of a
    /// folder with another validity, which was there before it, mean nothing.
    pub async fn target_ids(
        &self,
        key: ProjectKey,
        mailbox: i64,
        target_path: &FolderPath,
        validity: u64,
    ) -> Result<HashSet<ItemId>, Error> {
        let select = "SELECT i.target_id FROM item i JOIN folder f ON f.organisation = i.organisation \
                AND f.project = i.project AND f.endpoint = i.endpoint AND f.kind = i.kind AND f.folder = i.folder \
                WHERE f.organisation = $1 AND f.project = $2 AND f.mailbox = $3 AND f.target_path = $4 \
                AND f.target_validity IN (0, $5) AND i.target_id IS NOT NULL \
            UNION ALL SELECT r.target_id FROM removal r JOIN folder f ON f.organisation = r.organisation \
                AND f.project = r.project AND f.folder = r.folder \
                WHERE f.organisation = $1 AND f.project = $2 AND f.mailbox = $3 AND f.target_path = $4 \
                AND f.target_validity IN (0, $5) AND r.target_id IS NOT NULL";
        let values = values![key.organisation, key.project, mailbox, path_text(target_path), validity as i64];
        let rows = self.database.query(select, values).await?;
        Ok(rows.iter().map(|row| ItemId::new(row.blob(0))).collect())
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
        let select = "SELECT f.mailbox, f.path, x.source_id, x.cause, x.what, x.server, x.tries, \
            (SELECT coalesce(max(i.size), 0) FROM item i WHERE i.organisation = x.organisation \
                AND i.project = x.project AND i.endpoint = f.endpoint AND i.kind = f.kind AND i.folder = x.folder \
                AND i.source_id = x.source_id) \
            FROM failure x JOIN folder f ON f.organisation = x.organisation AND f.project = x.project \
            AND f.folder = x.folder WHERE x.organisation = $1 AND x.project = $2 AND ($3 = 0 OR f.mailbox = $3) \
            ORDER BY f.mailbox, f.folder, x.source_id";
        let values = values![key.organisation, key.project, mailbox.unwrap_or_default()];
        let rows = self.database.query(select, values).await?;
        rows.iter()
            .map(|row| {
                Ok(FailureRow {
                    mailbox: row.int(0),
                    path: path_from(&row.text(1))?,
                    source_id: ItemId::new(row.blob(2)),
                    cause: cause(&row.text(3))?,
                    what: row.text(4),
                    server: row.text_or_null(5),
                    tries: row.int(6),
                    size_bytes: row.int(7) as u64,
                })
            })
            .collect()
    }

    /// Removals that wait, in the folders of a mailbox: folder, id on the source, id on the target.
    pub async fn held_removals(&self, key: ProjectKey, mailbox: i64) -> Result<Vec<HeldRemoval>, Error> {
        let select = "SELECT r.folder, r.source_id, r.target_id, r.exact, r.why FROM removal r \
            JOIN folder f ON f.organisation = r.organisation AND f.project = r.project AND f.folder = r.folder \
            WHERE r.organisation = $1 AND r.project = $2 AND f.mailbox = $3 ORDER BY r.folder, r.source_id";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        rows.iter()
            .map(|row| {
                Ok(HeldRemoval {
                    folder: row.int(0),
                    source_id: ItemId::new(row.blob(1)),
                    target_id: row.blob_or_null(2).map(ItemId::new),
                    exact: digest(row.blob_or_null(3))?,
                    why: row.text(4),
                })
            })
            .collect()
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
                        class: cause(&row.text(1))?,
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

    /// Begins a change of the ledger by the holder of this lease. Fails with [`Error::Fenced`] when it is not held any
    /// more; until the commit nobody else can take it.
    pub async fn write<'l>(&'l self, lease: &'l Lease) -> Result<LedgerTx<'l>, Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
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

fn cause(code: &str) -> Result<Cause, Error> {
    Cause::from_code(code).ok_or_else(|| Error::damaged(format!("the class {code:?}")))
}

/// A change of the ledger. Nothing of it is there before the commit.
pub struct LedgerTx<'l> {
    tx: Tx<'l>,
    lease: &'l Lease,
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
        for id in ids {
            let delete =
                "DELETE FROM failure WHERE organisation = $1 AND project = $2 AND folder = $3 AND source_id = $4";
            self.tx.execute(delete, values![organisation, project, folder, id.as_bytes()]).await?;
        }
        Ok(())
    }

    /// Writes flags as last read.
    pub async fn set_flags(&mut self, folder: &FolderRow, facts: &[FlagFact]) -> Result<(), Error> {
        let (organisation, project) = self.key();
        for fact in facts {
            let source_flags = fact.source_flags.to_bytes();
            let target_flags = fact.target_flags.as_ref().map(Flags::to_bytes).filter(|flags| *flags != source_flags);
            let update = "UPDATE item SET source_flags = $7, target_flags = $8 WHERE organisation = $1 AND project = $2 \
                AND endpoint = $3 AND kind = $4 AND folder = $5 AND source_id = $6";
            let values = values![
                organisation,
                project,
                folder.endpoint,
                folder.kind.number(),
                folder.folder,
                fact.source_id.as_bytes(),
                source_flags,
                target_flags,
            ];
            self.tx.execute(update, values).await?;
        }
        Ok(())
    }

    /// Items that the source has no more: their removal from the target waits, their fates are no longer the source's.
    pub async fn hold_removals(&mut self, folder: &FolderRow, ids: &[ItemId], why: &str) -> Result<(), Error> {
        let (organisation, project) = self.key();
        for id in ids {
            let insert = "INSERT INTO removal (organisation, project, folder, source_id, fate, exact, target_id, why, at) \
                SELECT organisation, project, folder, source_id, fate, exact, target_id, $7, {now} FROM item \
                WHERE organisation = $1 AND project = $2 AND endpoint = $3 AND kind = $4 AND folder = $5 \
                AND source_id = $6 AND target_id IS NOT NULL \
                ON CONFLICT (organisation, project, folder, source_id) DO NOTHING";
            let values = values![
                organisation,
                project,
                folder.endpoint,
                folder.kind.number(),
                folder.folder,
                id.as_bytes(),
                why
            ];
            self.tx.execute(insert, values).await?;
        }
        self.forget_items(folder, ids).await
    }

    /// Forgets items that the source has no more.
    pub async fn forget_items(&mut self, folder: &FolderRow, ids: &[ItemId]) -> Result<(), Error> {
        let (organisation, project) = self.key();
        for id in ids {
            let delete = "DELETE FROM item WHERE organisation = $1 AND project = $2 AND endpoint = $3 AND kind = $4 \
                AND folder = $5 AND source_id = $6";
            let values =
                values![organisation, project, folder.endpoint, folder.kind.number(), folder.folder, id.as_bytes()];
            self.tx.execute(delete, values).await?;
        }
        self.clear_failures(folder.folder, ids).await
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
                last_at = excluded.last_at";
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

    /// Writes something that no one may overlook; once, however often it is found.
    pub async fn add_exception(&mut self, exception: &NewException) -> Result<(), Error> {
        let (organisation, project) = self.key();
        let mailbox = self.lease.mailbox;
        let known = "UPDATE exception SET open = 1 WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
            AND class = $4 AND path = $5 AND what = $6";
        let (class, path) = (exception.class.code(), path_text(&exception.path));
        let values = values![organisation, project, mailbox, class, path.as_str(), exception.what.as_str()];
        if self.tx.execute(known, values).await? > 0 {
            return Ok(());
        }
        let max = "SELECT max(number) FROM exception WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        let number = crate::project::next(&mut self.tx, max, values![organisation, project, mailbox]).await?;
        let insert = "INSERT INTO exception (organisation, project, mailbox, number, class, path, source_id, target_id, \
            what, at, open) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, {now}, 1)";
        let values: Vec<Value> = values![
            organisation,
            project,
            mailbox,
            number,
            class,
            path,
            exception.source_id.as_ref().map(|id| id.as_bytes().to_vec()),
            exception.target_id.as_ref().map(|id| id.as_bytes().to_vec()),
            exception.what.as_str(),
        ];
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
        let other = "SELECT m.mailbox FROM mailbox m JOIN mailbox me ON me.organisation = m.organisation \
            AND me.project = m.project AND me.mailbox = $3 WHERE m.organisation = $1 AND m.project = $2 \
            AND m.mailbox <> $3 AND m.listed = 1 \
            AND ((m.source_endpoint = me.source_endpoint AND m.source_store = $4) \
              OR (m.target_endpoint = me.target_endpoint AND m.target_store = $5)) ORDER BY m.mailbox LIMIT 1";
        // Two that reach one store at the same moment must not both find nobody there.
        self.tx.alone(Alone::Stores).await?;
        let values = values![organisation, project, self.lease.mailbox, source_store, target_store];
        if let Some(row) = self.tx.query(other, values).await?.first() {
            return Ok(Some(row.int(0)));
        }
        let update = "UPDATE mailbox SET source_store = $4, target_store = $5 WHERE organisation = $1 AND project = $2 \
            AND mailbox = $3";
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

/// Version of the form in which a batch's items are kept.
const INTENT_VERSION: u8 = 1;

fn encode(items: &[IntentItem]) -> Vec<u8> {
    fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
        out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        out.extend_from_slice(bytes);
    }
    let mut out = vec![INTENT_VERSION];
    for item in items {
        bytes(&mut out, item.source_id.as_bytes());
        out.extend_from_slice(item.exact.as_bytes());
        out.extend_from_slice(item.canonical.as_bytes());
        out.extend_from_slice(&item.size_bytes.to_be_bytes());
        out.push(u8::from(item.received.is_some()));
        out.extend_from_slice(&item.received.unwrap_or_default().to_be_bytes());
        bytes(&mut out, &item.flags.to_bytes());
        out.push(u8::from(item.hint.is_some()));
        out.extend_from_slice(&item.hint.unwrap_or_default().to_be_bytes());
    }
    out
}

fn decode(bytes: &[u8]) -> Option<Vec<IntentItem>> {
    fn take<'b>(rest: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
        let (taken, after) = rest.split_at_checked(count)?;
        *rest = after;
        Some(taken)
    }
    fn number(rest: &mut &[u8]) -> Option<u64> {
        Some(u64::from_be_bytes(take(rest, 8)?.try_into().ok()?))
    }
    fn sized<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
        let size = u32::from_be_bytes(take(rest, 4)?.try_into().ok()?);
        take(rest, size as usize)
    }
    /// A number that may be none: whether it is there, then its bytes.
    fn optional(rest: &mut &[u8]) -> Option<(bool, u64)> {
        let is_there = take(rest, 1)?[0] == 1;
        Some((is_there, number(rest)?))
    }
    let some_if = |(is_there, number): (bool, u64)| is_there.then_some(number);
    let (version, mut rest) = bytes.split_first()?;
    if *version != INTENT_VERSION {
        return None;
    }
    let rest = &mut rest;
    let mut items = Vec::new();
    while !rest.is_empty() {
        items.push(IntentItem {
            source_id: ItemId::new(sized(rest)?),
            exact: Digest::from_bytes(take(rest, 32)?)?,
            canonical: Digest::from_bytes(take(rest, 32)?)?,
            size_bytes: number(rest)?,
            received: some_if(optional(rest)?).map(|seconds| seconds as i64),
            flags: Flags::from_bytes(sized(rest)?)?,
            hint: some_if(optional(rest)?),
        });
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_under_way_reads_back() {
        let item = |n: u32, received, hint| IntentItem {
            source_id: ItemId::from_u32(n),
            exact: Digest::of(b"exact"),
            canonical: Digest::of(b"canonical"),
            size_bytes: 1 << 40,
            received,
            flags: Flags::of(["\\Seen", "Work"]),
            hint,
        };
        let items = vec![item(1, Some(-5), None), item(u32::MAX, None, Some(u64::MAX))];
        assert_eq!(decode(&encode(&items)), Some(items.clone()));
        assert_eq!(decode(&encode(&[])), Some(Vec::new()));
        let cut = encode(&items);
        assert_eq!(decode(&cut[..cut.len() - 1]), None);
    }
}
