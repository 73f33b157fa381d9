//! What is not known of earlier carrying back: whether batches arrived at the source, whether flags were changed there. Found out by
//! looking, before a pass reads the source or anything is sent there again: else a pass would take what was carried back for
//! new mail.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use connector::{Holds, Source};
use model::{Cause, Flags, FolderPath, ItemId};
use store::{
    BackIntent, BackMove, Fact, FlagFact, FlagIntent, FolderRow, IntentItem, IntentState, NewException, Treatment,
};

use super::items::known_as;
use super::known_ids;
use super::moves::{Came, here_as};
use crate::failure::{Failure, OnSide};
use crate::flags::left;
use crate::matching::{Candidate, Pool};
use crate::reading::{Arrival, next};
use crate::work::Work;

/// Reads items of a folder, whole, and keeps what their bytes show.
pub(super) async fn read_whole(
    source: &mut dyn Source,
    path: &FolderPath,
    ids: &[ItemId],
    holds: &Holds,
) -> Result<Vec<Candidate>, Failure> {
    let mut candidates = Vec::new();
    if ids.is_empty() {
        return Ok(candidates);
    }
    let mut reading = source.items(path, ids, holds).await.on_source()?;
    loop {
        let arrivals = next(reading.as_mut(), None).await.on_source()?;
        if arrivals.is_empty() {
            return Ok(candidates);
        }
        for arrival in arrivals {
            if let Arrival::Item(examined) = arrival {
                candidates.push(Candidate {
                    id: examined.item.id,
                    found: examined.found,
                    received: examined.item.received.map(|at| at.unix_seconds),
                    flags: examined.item.flags,
                });
            }
        }
    }
}

/// Finds out what became of what was on its way to the source.
pub(crate) async fn settle(work: &Work, source: &mut dyn Source) -> Result<(), Failure> {
    let (key, mailbox) = (work.key, work.mailbox.mailbox);
    let intents = work.store.back_intents(key, mailbox).await?;
    let flags = work.store.back_flags(key, mailbox).await?;
    if intents.is_empty() && flags.is_empty() {
        return Ok(());
    }
    let rows: HashMap<i64, FolderRow> =
        work.store.folders(key, mailbox).await?.into_iter().map(|row| (row.folder, row)).collect();
    wait(work, &intents).await?;
    let now = work.store.now().await?;
    let gap = work.tuning.late_look_gap.as_millis() as i64;
    let is_due = |state: IntentState| match state {
        IntentState::Open => true,
        IntentState::Watched { looked_at, .. } => looked_at + gap <= now,
    };
    let mut by_folder: BTreeMap<i64, Vec<BackIntent>> = BTreeMap::new();
    for intent in intents {
        by_folder.entry(intent.folder).or_default().push(intent);
    }
    for (folder, intents) in by_folder {
        if intents.iter().any(|intent| is_due(intent.state)) {
            settle_folder(work, source, &rows, rows.get(&folder), intents).await?;
        }
    }
    let mut by_folder: BTreeMap<i64, Vec<FlagIntent>> = BTreeMap::new();
    for intent in flags {
        by_folder.entry(intent.folder).or_default().push(intent);
    }
    for (folder, intents) in by_folder {
        settle_flags(work, source, rows.get(&folder), folder, intents).await?;
    }
    Ok(())
}

/// A batch whose sender is gone may still be on its way, or being written by the server.
async fn wait(work: &Work, intents: &[BackIntent]) -> Result<(), Failure> {
    let open = intents.iter().filter(|intent| intent.state == IntentState::Open);
    let Some(latest) = open.map(|intent| intent.opened_at).max() else { return Ok(()) };
    let left = latest + work.tuning.settle.as_millis() as i64 - work.store.now().await?;
    if left > 0 {
        tokio::time::sleep(Duration::from_millis(left.unsigned_abs())).await;
    }
    Ok(())
}

/// What is found of the batches to one folder.
#[derive(Default)]
struct Settled {
    facts: Vec<Fact>,
    /// What has left other folders, by number.
    left: BTreeMap<i64, Vec<ItemId>>,
    treatments: Vec<Treatment>,
    exceptions: Vec<NewException>,
}

async fn settle_folder(
    work: &Work,
    source: &mut dyn Source,
    rows: &HashMap<i64, FolderRow>,
    row: Option<&FolderRow>,
    intents: Vec<BackIntent>,
) -> Result<(), Failure> {
    let mut settled = Settled::default();
    let state = match row {
        Some(row) => match source.state(&row.path).await {
            Ok(state) => Some(state),
            // Without the folder there is nothing in it.
            Err(error) if error.cause == Cause::Missing => None,
            Err(error) => return Err(error).on_source(),
        },
        None => None,
    };
    // One that was numbered anew is read as a whole: what lies there is matched then.
    if let Some((row, _)) = row.zip(state).filter(|(row, state)| row.validity == state.validity) {
        let mark = intents.iter().map(|intent| intent.mark).min_by_key(|mark| mark.next).unwrap_or_default();
        let known = known_ids(work, row).await?;
        let listed = source.list(&row.path).await.on_source()?;
        let is_since = |id: &ItemId| id.as_u32().is_none_or(|id| u64::from(id) >= mark.next);
        let unknown: Vec<ItemId> =
            listed.into_iter().map(|(id, _)| id).filter(|id| !known.contains(id) && is_since(id)).collect();
        let mut pool = Pool::new(read_whole(source, &row.path, &unknown, &work.look_holds).await?);
        let validity = row.target.unwrap_or_default().validity;
        let (key, mailbox) = (work.key, work.mailbox.mailbox);
        let mut has_row = work.store.target_ids(key, mailbox, &row.target_path, validity).await?;
        let open = |intent: &&BackIntent| intent.state == IntentState::Open;
        for intent in intents.iter().filter(open) {
            find_batch(work, rows, intent, &mut pool, &mut has_row, &mut settled).await?;
        }
        for intent in &intents {
            late_copies(row, intent, &mut pool, &has_row, &mut settled);
        }
    }
    let mut tx = work.store.write(&work.lease).await?;
    if let Some(row) = row {
        tx.add_facts(row, &settled.facts).await?;
        for (folder, ids) in &settled.left {
            if let Some(from) = rows.get(folder) {
                tx.forget_items(from, ids).await?;
            }
        }
        tx.add_treatments(row.folder, &settled.treatments).await?;
        for exception in &settled.exceptions {
            tx.add_exception(exception).await?;
        }
    }
    for intent in intents {
        let looks_left = match intent.state {
            IntentState::Open => work.tuning.late_looks,
            IntentState::Watched { looks_left, .. } => looks_left - 1,
        };
        tx.close_back_intent(intent.fence, intent.number, looks_left).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Items of a batch that lie at the source.
async fn find_batch(
    work: &Work,
    rows: &HashMap<i64, FolderRow>,
    intent: &BackIntent,
    pool: &mut Pool,
    has_row: &mut HashSet<ItemId>,
    settled: &mut Settled,
) -> Result<(), Failure> {
    for (place, item) in intent.items.iter().enumerate() {
        if has_row.contains(&item.source_id) {
            continue; // Recorded, or sent again since: another copy of it is a late one.
        }
        let Some(candidate) = pool.find_since(&intent.mark, item.exact, item.received) else { continue };
        has_row.insert(item.source_id.clone());
        let moved = intent.moved.as_ref().and_then(|moved| Some((moved, moved.ids.get(place)?)));
        match moved {
            Some((moved, id)) => find_moved(work, rows, (moved, id), item, candidate, settled).await?,
            None => settled.facts.push(known_as(item, candidate)),
        }
    }
    Ok(())
}

/// An item that was moved at the source: what its row knew goes with it.
async fn find_moved(
    work: &Work,
    rows: &HashMap<i64, FolderRow>,
    (moved, id): (&BackMove, &ItemId),
    item: &IntentItem,
    candidate: Candidate,
    settled: &mut Settled,
) -> Result<(), Failure> {
    let known = match rows.get(&moved.folder) {
        Some(from) => work.store.items_of(work.key, from, std::slice::from_ref(id)).await?.pop(),
        None => None,
    };
    let Some(known) = known else {
        settled.facts.push(known_as(item, candidate));
        return Ok(());
    };
    let came = Came { target_id: item.source_id.clone(), flags: Flags::NONE };
    settled.facts.push(here_as(&known, candidate.id.clone(), &came));
    let treatments = work.store.every_treatment(work.key, work.mailbox.mailbox).await?;
    let its = treatments.into_iter().find(|row| row.folder == moved.folder && row.treatment.source_id == *id);
    settled.treatments.extend(its.map(|row| Treatment { source_id: candidate.id, ..row.treatment }));
    settled.left.entry(moved.folder).or_default().push(id.clone());
    Ok(())
}

/// Second copies at the source, by a worker whose lease had lapsed. Nothing is removed there: they are listed.
fn late_copies(
    row: &FolderRow,
    intent: &BackIntent,
    pool: &mut Pool,
    has_row: &HashSet<ItemId>,
    settled: &mut Settled,
) {
    for item in intent.items.iter().filter(|item| has_row.contains(&item.source_id)) {
        while let Some(candidate) = pool.find_since(&intent.mark, item.exact, item.received) {
            let what = format!(
                "a second copy of item {} of {:?} on the target, made by a worker whose lease had lapsed, lies in {:?} at the \
                 source as item {}: compare and remove one",
                item.source_id,
                row.target_path.to_string(),
                row.path.to_string(),
                candidate.id
            );
            let (class, path) = (Cause::LeaseLapsed, row.path.clone());
            let source_id = Some(candidate.id);
            settled.exceptions.push(NewException { class, path, source_id, target_id: None, what });
        }
    }
}

/// Changes of flags at the source: what is there tells which of them were made.
async fn settle_flags(
    work: &Work,
    source: &mut dyn Source,
    row: Option<&FolderRow>,
    folder: i64,
    intents: Vec<FlagIntent>,
) -> Result<(), Failure> {
    let mut facts = Vec::new();
    if let Some(row) = row {
        let now: HashMap<ItemId, Flags> = match source.state(&row.path).await {
            Ok(state) if state.validity == row.validity => {
                source.list(&row.path).await.on_source()?.into_iter().collect()
            }
            Ok(_) => HashMap::new(),
            Err(error) if error.cause == Cause::Missing => HashMap::new(),
            Err(error) => return Err(error).on_source(),
        };
        let ids: Vec<ItemId> = intents.iter().map(|intent| intent.source_id.clone()).collect();
        let intents: HashMap<&ItemId, &FlagIntent> = intents.iter().map(|intent| (&intent.source_id, intent)).collect();
        for item in work.store.items_of(work.key, row, &ids).await? {
            let (Some(now), Some(intent)) = (now.get(&item.source_id), intents.get(&item.source_id)) else { continue };
            facts.push(FlagFact {
                source_flags: left(&item.source_flags, &intent.add, &intent.take, now),
                target_flags: Some(left(&item.target_flags, &intent.add, &intent.take, now)),
                source_id: item.source_id,
            });
        }
    }
    let mut tx = work.store.write(&work.lease).await?;
    if let Some(row) = row {
        tx.set_flags(row, &facts).await?;
    }
    tx.close_back_flags(folder).await?;
    tx.commit().await?;
    Ok(())
}
