//! One pass over one mailbox: read, decide, apply, record.
//!
//! A pass may be stopped at any point, by a failure, by a person or by the power; the next one goes on from the ledger.
//! What it must never get wrong stands in three places: [`crate::look`] (what is on the target already),
//! [`crate::batch`] (nothing is sent before its intent is durable) and here (a cursor moves only past items that have a
//! fate).

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use connector::{Event, ReadFolder, Source, Target};
use model::{Cause, Digest, Fate, Findings, Flags, FolderPath, FolderState, ItemId, ReceivedAt, Scope, Side, Verdict};
use store::{
    Fact, FlagIntent, FolderRow, Freeze, HeldItem, HeldRemoval, How, Intent as BatchIntent, LedgerItem, MailboxRow,
    NewException, NewFailure,
};

use crate::back;
use crate::dates;
use crate::decide::{AtSource, InLedger, Intent, OnTarget, decide};
use crate::departed::{ARRIVED_MAX, Departed};
use crate::failure::{Failure, OnSide};
use crate::flags::FlagWork;
use crate::matching::{Candidate, Found, Wanted};
use crate::places::TargetFolder;
use crate::quota::{Over, Room};
use crate::reading::{Arrival, Examined, Reader, Task};
use crate::report::Report;
use crate::traits;
use crate::travel::barred;
pub(crate) use crate::work::{Deferred, End, Flight, FolderWork, Planned, Work};

/// A pass.
pub(crate) struct Pass<'w> {
    pub(crate) work: &'w Work,
    pub(crate) target: Box<dyn Target>,
    pub(crate) folders: Vec<FolderWork>,
    /// The folders of the target that these go to.
    pub(crate) target_folders: Vec<TargetFolder>,
    pub(crate) flights: VecDeque<Flight>,
    pub(crate) intents: Vec<BatchIntent>,
    /// Of folders that the source has no more, or has numbered anew: those with batches that are looked for.
    pub(crate) left_behind: Vec<FolderRow>,
    /// Folders of the ledger that the source has no more, or has numbered anew.
    pub(crate) rows_gone: Vec<FolderRow>,
    /// Of these: folders of which the source does not say that they do not exist.
    pub(crate) may_be_there: HashSet<FolderPath>,
    /// Of these: folders that the source lists, and says that they do not exist.
    pub(crate) named_only: HashSet<FolderPath>,
    /// Of the rows that are gone: what is left of them was dealt with in this pass.
    pub(crate) settled_rows: Vec<FolderRow>,
    /// The folders of the target.
    pub(crate) on_target: BTreeSet<FolderPath>,
    /// Items that failed, or that other rules left behind, and that are to be tried again in this pass, by folder.
    pub(crate) to_retry: HashMap<i64, Vec<ItemId>>,
    /// Removals, by folder and item.
    pub(crate) removals: HashMap<(i64, ItemId), HeldRemoval>,
    /// Items that wait for a word, by folder and item.
    pub(crate) held: HashMap<(i64, ItemId), HeldItem>,
    /// Copies that the target has altered and that stay there, by the folder and the id of their item at the source.
    pub(crate) altered: HashMap<(FolderPath, ItemId), Vec<ItemId>>,
    /// Changes of flags of which it is not known whether they were made.
    pub(crate) flag_intents: Vec<FlagIntent>,
    /// Items that are gone from their place and may be found at another.
    pub(crate) departed: Departed,
    /// Every folder that the source lists was read, or had not changed.
    pub(crate) is_all_read: bool,
    pub(crate) next_number: i64,
    /// How much may still be copied.
    pub(crate) room: Room,
    /// There was no room, and the source has lost items since: they go from the target before anything is copied.
    pub(crate) makes_room_first: bool,
    /// It is over its quota unless what goes in this pass makes room enough.
    pub(crate) over: Option<Over>,
    /// Traits of items that the target was seen to keep, and those it was seen to change.
    pub(crate) kept: u8,
    pub(crate) not_kept: u8,
    /// Both, as the ledger has them.
    pub(crate) recorded_proved: (u8, u8),
    pub(crate) report: Report,
    /// The source was left and is followed again: what was not followed meanwhile is found out in this pass.
    pub(crate) thaws: bool,
    /// Items to be read first then, by the place of their folder: the source has them where it had moved them.
    pub(crate) thawed: Vec<(usize, Vec<ItemId>)>,
    /// Of a source that is being left: how each folder of the target stood when that began.
    pub(crate) freeze_marks: HashMap<FolderPath, FolderState>,
    /// Of a source that is being left: what the ledger has of the bytes of new items, by folder and id.
    pub(crate) twins: HashMap<Digest, Vec<(i64, ItemId)>>,
    /// The folder that arrivals belong to.
    current: Option<usize>,
}

/// Failures that come out the same every time, as long as the target is the same.
pub(crate) const LASTING: [Cause; 5] =
    [Cause::Nul, Cause::BareCr, Cause::MixedLineEnds, Cause::EightBitHeader, Cause::DateOutOfRange];

/// Makes a pass: what it did, and why it could not go on, if so.
pub(crate) async fn pass(
    work: &Work,
    source: Box<dyn Source>,
    target: Box<dyn Target>,
) -> (Report, Result<(), Failure>) {
    let (key, mailbox) = (work.key, work.mailbox.mailbox);
    let store = &work.store;
    let read = tokio::try_join!(
        store.intents(key, mailbox),
        store.held_removals(key, mailbox),
        store.held_items(key, mailbox),
        store.flag_intents(key, mailbox),
        store.altered_copies(key, mailbox),
        async {
            if !work.setting.retry_failed {
                return Ok(HashMap::new());
            }
            let mut again = store.failed_ids(key, mailbox, &LASTING, work.travel.citation()).await?;
            // What other rules left behind is judged anew.
            for (folder, left) in store.left_by_others(key, mailbox, work.travel.citation()).await? {
                again.entry(folder).or_default().extend(left);
            }
            Ok(again)
        },
    );
    let (intents, removals, held, flag_intents, altered, to_retry) = match read {
        Ok(read) => read,
        Err(error) => return (Report::default(), Err(error.into())),
    };
    let mine = intents.iter().filter(|intent| intent.fence == work.lease.fence);
    let mut pass = Pass {
        work,
        target,
        folders: Vec::new(),
        target_folders: Vec::new(),
        flights: VecDeque::new(),
        next_number: mine.map(|intent| intent.number + 1).max().unwrap_or(1),
        intents,
        left_behind: Vec::new(),
        rows_gone: Vec::new(),
        may_be_there: HashSet::new(),
        named_only: HashSet::new(),
        settled_rows: Vec::new(),
        on_target: BTreeSet::new(),
        to_retry,
        removals: removals.into_iter().map(|held| ((held.folder, held.source_id.clone()), held)).collect(),
        held: held.into_iter().map(|held| ((held.folder, held.source_id.clone()), held)).collect(),
        altered,
        flag_intents,
        departed: Departed::default(),
        is_all_read: true,
        room: Room::NotAsked,
        makes_room_first: false,
        over: None,
        kept: work.mailbox.bytes_proved,
        not_kept: work.mailbox.bytes_not_kept,
        recorded_proved: (work.mailbox.bytes_proved, work.mailbox.bytes_not_kept),
        report: Report::default(),
        thaws: !work.setting.is_frozen && work.mailbox.freeze == Freeze::Frozen && !work.dry_run,
        thawed: Vec::new(),
        freeze_marks: HashMap::new(),
        twins: HashMap::new(),
        current: None,
    };
    let result = pass.run(source).await;
    pass.target.close().await;
    (pass.report, result)
}

impl Pass<'_> {
    async fn run(&mut self, mut source: Box<dyn Source>) -> Result<(), Failure> {
        let began_at = self.work.store.now().await?;
        self.prove_stores(source.proof().store_id.clone()).await?;
        if !self.work.dry_run {
            Box::pin(back::settle(self.work, source.as_mut())).await?;
        }
        let to_read = self.prepare(source.as_mut()).await?;
        let plan: Vec<ReadFolder> = to_read.iter().map(|index| self.read_folder(*index)).collect();
        if !plan.is_empty() {
            source = self.read(source, Task::Folders(plan), &to_read).await?;
        }
        source = self.read_thawed(source).await?;
        self.make_moves(source.as_mut()).await?;
        source = self.finish_folders(source).await?;
        let is_followed = !self.work.dry_run && !self.work.setting.is_frozen;
        // What changed while it was read may have moved to where it was not seen: then nothing is removed yet.
        if is_followed && self.is_all_read && !self.report.again && self.report.in_the_way.is_none() {
            self.follow_vanished_folders(source.as_mut(), began_at).await?;
            self.hold_what_renumbering_left().await?;
            self.make_removals().await?;
        }
        let may_fit = self.report.removed > 0 || self.report.again;
        let waits = self.folders.iter().any(|work| work.waits_for_room);
        // With what room there is now.
        self.report.again |= waits;
        self.look_for_late_ones().await?;
        self.clean_up().await?;
        source.close().await;
        if let Some(over) = self.over.take().filter(|_| waits && !may_fit) {
            return Err(self.over(&over).await?);
        }
        if self.work.dry_run {
            self.report.would = self.folders.iter().map(|folder| folder.would.clone()).collect();
            return Ok(());
        }
        self.report.complete = self.report.in_the_way.is_none() && !self.report.again;
        if self.report.complete {
            let mut tx = self.work.store.write(&self.work.lease).await?;
            tx.set_pass(began_at).await?;
            if self.thaws {
                tx.thawed().await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// Records which stores were reached; two people may not reach one.
    async fn prove_stores(&mut self, source_store: Option<String>) -> Result<(), Failure> {
        let target_store = self.target.proof().store_id.clone();
        let mailbox = &self.work.mailbox;
        // Also when they are the same as before: another row may have come to one of them while this one was not listed.
        let mut tx = self.work.store.write(&self.work.lease).await?;
        let other = tx.set_stores(source_store.as_deref(), target_store.as_deref()).await?;
        let Some(other) = other else {
            // A dry run looks as well, and records nothing.
            return if self.work.dry_run { Ok(()) } else { Ok(tx.commit().await?) };
        };
        drop(tx);
        let named = |row: &MailboxRow| format!("{} → {}", row.roster.source_name, row.roster.target_name);
        let rows = self.work.store.mailboxes(self.work.key).await?;
        let other = rows.iter().find(|row| row.mailbox == other).map(named).unwrap_or_default();
        let what = format!("{} reaches the same store as {other}; nothing was written", named(mailbox));
        let error = connector::Error::new(Cause::SharedStore, Scope::Mailbox, what);
        Err(Failure { side: None, error })
    }

    pub(crate) fn read_folder(&self, index: usize) -> ReadFolder {
        let row = &self.folders[index].row;
        ReadFolder { path: row.path.clone(), since: row.cursor.clone().map(connector::Cursor) }
    }

    /// Has the source read this, and takes what arrives. `folders` says which folder each of the plan is.
    pub(crate) async fn read(
        &mut self,
        source: Box<dyn Source>,
        task: Task,
        folders: &[usize],
    ) -> Result<Box<dyn Source>, Failure> {
        let mut reader = Reader::start(source, task, self.work.holds.clone(), self.work.travel.clone());
        let taken = self.take_all(&mut reader, folders).await;
        if let Err(failure) = taken {
            reader.break_off();
            return Err(failure);
        }
        let (source, read) = reader.finish().await;
        self.send_all().await?;
        read.on_source()?;
        source.ok_or_else(|| Failure::internal("the source session was lost"))
    }

    async fn take_all(&mut self, reader: &mut Reader, folders: &[usize]) -> Result<(), Failure> {
        use tokio::sync::mpsc::error::TryRecvError;
        let mut stop = self.work.stop.clone();
        loop {
            if *stop.borrow() {
                self.drain().await?;
                return Err(Failure::stopped());
            }
            let arrivals = match reader.arrivals.try_recv() {
                Ok(arrivals) => arrivals,
                Err(TryRecvError::Disconnected) => return Ok(()),
                Err(TryRecvError::Empty) if !self.flights.is_empty() => {
                    self.settle_one().await?;
                    continue;
                }
                Err(TryRecvError::Empty) => tokio::select! {
                    arrivals = reader.arrivals.recv() => match arrivals {
                        Some(arrivals) => arrivals,
                        None => return Ok(()),
                    },
                    _ = stop.changed() => continue,
                },
            };
            self.take(arrivals, folders).await?;
        }
    }

    /// Takes what arrived, items of one folder together.
    async fn take(&mut self, arrivals: Vec<Arrival>, folders: &[usize]) -> Result<(), Failure> {
        let mut items = Vec::new();
        for arrival in arrivals {
            match arrival {
                Arrival::Item(item) => items.push(*item),
                Arrival::Event(event) => {
                    self.take_items(std::mem::take(&mut items)).await?;
                    self.take_event(event, folders).await?;
                }
            }
        }
        self.take_items(items).await
    }

    /// What arrives from now on belongs to this folder; to none before it begins.
    pub(crate) fn expect(&mut self, folder: Option<usize>) {
        self.current = folder;
    }

    async fn take_event(&mut self, event: Event, folders: &[usize]) -> Result<(), Failure> {
        if let Event::Begin { folder, state } = event {
            let index = folders[folder];
            self.work.progress.with(self.work.mailbox.mailbox, |progress| {
                progress.folder = self.folders[index].row.path.to_string();
            });
            let work = &mut self.folders[index];
            work.state = state;
            // The folder was made anew since it was listed: its items belong to another row. The next pass reads it.
            self.current = (state.validity == work.row.validity || state == FolderState::default()).then_some(index);
            self.report.again |= self.current.is_none();
            self.is_all_read &= self.current.is_some();
            return Ok(());
        }
        let Some(index) = self.current else { return Ok(()) };
        match event {
            Event::Begin { .. } | Event::Item(_) => {}
            Event::Unreadable { id, error } => self.unreadable(index, id, &error).await?,
            Event::Flags(listed) => self.take_flags(index, listed).await?,
            Event::Gone(ids) => self.folders[index].gone.extend(ids),
            Event::Skipped { error } => {
                self.report.again |= error.cause == Cause::Missing;
                let work = &mut self.folders[index];
                let what = format!("the folder {:?} could not be read: {error}", work.row.path.to_string());
                work.exceptions.push(exception(error.cause, &work.row, None, None, what.clone()));
                self.report.blocked(error.cause, Some(Side::Source), what);
                self.is_all_read = false;
                self.current = None;
                self.folders[index].has_lost = false;
                self.departed.is_read(self.folders[index].row.folder);
            }
            Event::End { cursor, state, listed_all } => {
                self.send(index).await?;
                self.folders[index].end = Some(End { cursor, state, listed_all });
                self.current = None;
                self.folders[index].has_lost = false;
                self.departed.is_read(self.folders[index].row.folder);
                self.settle_gone(index).await?;
                self.finish_if_simple(index).await?;
            }
        }
        Ok(())
    }

    /// What the ledger knows of items with ids from the first to the last of these.
    pub(crate) async fn ledger(
        &mut self,
        index: usize,
        first: &ItemId,
        last: &ItemId,
    ) -> Result<HashMap<ItemId, LedgerItem>, Failure> {
        let work = &self.folders[index];
        if work.is_fresh {
            return Ok(HashMap::new());
        }
        let items = self.work.store.items_between(self.work.key, &work.row, first, last).await?;
        Ok(items.into_iter().map(|item| (item.source_id.clone(), item)).collect())
    }

    async fn take_items(&mut self, items: Vec<Examined>) -> Result<(), Failure> {
        let (Some(index), Some(first), Some(last)) = (self.current, items.first(), items.last()) else {
            return Ok(());
        };
        let (first, last) =
            (first.item.id.clone().min(last.item.id.clone()), first.item.id.clone().max(last.item.id.clone()));
        if self.folders[index].is_looked_at() {
            self.look(index).await?;
        }
        if !self.folders[index].is_fresh {
            self.folders[index].read_ids.extend(items.iter().map(|examined| examined.item.id.clone()));
        }
        let ledger = self.ledger(index, &first, &last).await?;
        if items.iter().any(|examined| !ledger.contains_key(&examined.item.id)) {
            self.know_departing(index).await?;
            self.know_twins(&items, &ledger).await?;
        }
        for examined in items {
            let known = ledger.get(&examined.item.id);
            self.take_item(index, examined, known).await?;
        }
        self.write_treatments(index).await
    }

    /// Writes what the policy made of items: before anything of them is sent, so that it is known whatever happens then.
    pub(crate) async fn write_treatments(&mut self, index: usize) -> Result<(), Failure> {
        let work = &mut self.folders[index];
        let (treatments, none) = (std::mem::take(&mut work.treatments), std::mem::take(&mut work.untreated));
        if (treatments.is_empty() && none.is_empty()) || self.work.dry_run {
            return Ok(());
        }
        let mut tx = self.work.store.write(&self.work.lease).await?;
        tx.drop_treatments(work.row.folder, &none).await?;
        tx.add_treatments(work.row.folder, &treatments).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn take_item(
        &mut self,
        index: usize,
        Examined { mut item, mut found, mut treatment, malware, knew, source_received }: Examined,
        known: Option<&LedgerItem>,
    ) -> Result<(), Failure> {
        let max = self.target.offers().item_bytes_max;
        let received = item.received.map(|at| at.unix_seconds);
        let is = traits::of(&found, received, self.work.travel.now());
        let (original, original_size) = treatment
            .as_ref()
            .map_or((found.exact, found.size_bytes), |is| (is.original.unwrap_or(found.exact), is.original_size_bytes));
        let looking = self.folders[index].looking.remove(&item.id).unwrap_or_default();
        // Read before it was seen that the target forces a repair: it is read again.
        let is_to_repair = self.not_kept & self.work.travel.may_try(item.kind, &found, received, knew) != 0;
        if is_to_repair && self.folders[index].lane.left_by.is_none() {
            self.folders[index].read_again.push(item.id);
            return Ok(());
        }
        let lane = &self.folders[index].lane;
        if let Some(rule) = self.work.travel.left_by(lane, source_received, &item.flags, found.size_bytes) {
            treatment = Some(self.work.travel.left(rule, &item.id, original, original_size));
            item.received = source_received.map(ReceivedAt::utc);
        }
        let is_left = treatment.as_ref().is_some_and(|treatment| treatment.how == How::Left);
        let is_left_folder = lane.left_by.is_some();
        let verdict = match barred(&found, &self.work.losses, max) {
            _ if is_left => Verdict::LeftBehind,
            _ if malware.is_some() => Verdict::CannotBeHeld(Cause::Infected),
            Some(cause) => Verdict::CannotBeHeld(cause),
            None if is & self.not_kept != 0 => Verdict::CannotBeHeld(traits::cause(is & self.not_kept)),
            None => Verdict::Travels,
        };
        // Somebody has said that it is another item than the one it waited for.
        let known = known.filter(|known| known.fate != Fate::Held || !self.folders[index].another.contains(&item.id));
        let is_new = known.is_none_or(|known| matches!(known.fate, Fate::Failed | Fate::Excluded));
        let is_looked_at = self.folders[index].is_looked_at();
        let failed_before = known.is_some_and(|known| known.fate == Fate::Failed);
        self.report.arrived += u64::from(known.is_none());
        if failed_before && is_looked_at && self.lies_altered(index, &item.id, &found).await? {
            // No second form of it is put beside it.
            self.passed(index, item.then);
            return Ok(());
        }
        let mut candidate =
            if known.is_none() && is_looked_at { self.take_back(index, &item.id, &found).await? } else { None };
        let mut on_target = if candidate.is_some() { OnTarget::Theirs } else { OnTarget::Unknown };
        let work = &mut self.folders[index];
        if let Some(error) = work.unusable.as_ref().filter(|_| !is_left) {
            let (cause, server) = (error.cause, error.server.clone());
            let what = format!("the folder {:?} could not be made on the target", work.row.target_path.to_string());
            work.treat(&item.id, treatment);
            let fact = new_fact(Fate::Failed, &item, Some(&found));
            self.fail(index, fact, cause, what, server, item.then);
            return Ok(());
        }
        let is_not_there = work.not_there.remove(&item.id);
        if is_new && candidate.is_none() && !is_not_there && is_looked_at {
            // A copy by earlier rules stays as it is: ours in another form, or the whole.
            let there = &mut self.target_folders[work.goes_to];
            if let Some((earlier, its)) = there.earlier_copy(&found, original, received) {
                found = earlier.found.clone();
                treatment = its;
                candidate = Some(earlier);
                on_target = OnTarget::Theirs;
            }
        }
        if is_new && candidate.is_none() && !is_not_there && is_looked_at && source_received != received {
            // Another tool may have got it there with its own date, or it moves from where it lies with that.
            candidate = self.target_folders[work.goes_to].pool.find_digest(found.exact, source_received);
            let departed = |received| self.departed.may_hold(found.exact, received);
            if candidate.is_some() || (departed(source_received) && !departed(received)) {
                on_target = if candidate.is_some() { OnTarget::Theirs } else { on_target };
                item.received = source_received.map(ReceivedAt::utc);
                treatment = treatment.and_then(dates::kept);
            }
        }
        if is_new && candidate.is_none() && !is_not_there && is_looked_at {
            let wanted =
                Wanted { found: &found, received: item.received.map(|at| at.unix_seconds), flags: &item.flags };
            match self.target_folders[work.goes_to].pool.find(&wanted) {
                Found::Same(same) => {
                    candidate = Some(same);
                    on_target = OnTarget::Theirs;
                }
                Found::Later => {
                    // What lies there may be what it became when its date was repaired, before the ledger was lost.
                    let knew_of = knew | work.looked.get(&item.id).copied().unwrap_or_default();
                    let may_try = self.work.travel.may_try(item.kind, &found, received, knew_of);
                    let may_try = may_try & traits::DATES & !traits::SOON;
                    if may_try != 0 && self.target_folders[work.goes_to].pool.holds_bytes(found.exact) {
                        self.look_repaired(index, &item.id, knew, may_try);
                        return Ok(());
                    }
                    if looking & traits::DATES != 0 {
                        self.looked_repaired(index, item.id, looking);
                        return Ok(());
                    }
                    let (id, flags, received) = (item.id, item.flags, item.received);
                    work.treat(&id, treatment.filter(|_| !is_left));
                    work.deferred.push(Deferred { id, found, flags, received, failed_before, verdict, knew });
                    return Ok(());
                }
                Found::Nothing if looking != 0 => {
                    self.looked_repaired(index, item.id, looking);
                    return Ok(());
                }
                Found::Nothing
                    if !is_left_folder
                        && work.arrived.len() < ARRIVED_MAX
                        && (self.departed.may_hold(found.exact, wanted.received)
                            || (!self.departed.is_over && self.twins.contains_key(&found.exact))) =>
                {
                    let (id, flags, received) = (item.id, item.flags, item.received);
                    work.treat(&id, treatment.filter(|_| !is_left));
                    work.arrived.push(Deferred { id, found, flags, received, failed_before, verdict, knew });
                    return Ok(());
                }
                Found::Nothing => {}
            }
        }
        let source = AtSource::Read { flags: &item.flags, verdict };
        let ledger = known
            .map_or(InLedger::Nothing, |known| InLedger::Known { fate: known.fate, source_flags: &known.source_flags });
        match decide(&source, &ledger, on_target, self.work.setting) {
            Intent::Copy => {
                let how = treatment.as_ref().map(|treatment| treatment.how);
                self.report.replaced += u64::from(how == Some(How::Replaced));
                self.report.repaired += u64::from(how == Some(How::Repaired));
                work.treat(&item.id, treatment);
                let then = item.then;
                let planned = Planned {
                    id: item.id,
                    kind: item.kind,
                    found,
                    flags: item.flags,
                    received: item.received,
                    source_received,
                    body: item.body,
                    then,
                    failed_before,
                    is,
                    knew,
                };
                self.plan(index, planned).await?;
            }
            Intent::Adopt => {
                // What lies there is what a repair made: the target forced it once. Another tool may put dates there, too.
                let forced = knew & !self.not_kept & !traits::DATES;
                if forced != 0 && treatment.as_ref().is_some_and(|treatment| treatment.how == How::Repaired) {
                    self.learn(forced);
                }
                let work = &mut self.folders[index];
                work.treat(&item.id, treatment.filter(|_| !is_left));
                let mut fact = new_fact(Fate::Adopted, &item, Some(&found));
                let then = item.then;
                if let Some(candidate) = candidate {
                    self.adopt(index, &mut fact, &candidate);
                }
                self.settled(index, fact, then, failed_before);
            }
            Intent::Leave => {
                work.treat(&item.id, treatment);
                let fact = new_fact(Fate::Excluded, &item, Some(&found));
                self.report.left_behind += 1;
                self.folders[index].would.leave += 1;
                self.settled(index, fact, item.then, failed_before);
            }
            Intent::Fail(cause) => {
                work.treat(&item.id, treatment.filter(|_| !is_left));
                // With another date nothing of it is anywhere.
                let fact = Fact { received: source_received, ..new_fact(Fate::Failed, &item, Some(&found)) };
                let mut what = self.cannot_travel(index, &item.id, found.size_bytes, cause);
                if let Some(name) = malware.filter(|_| cause == Cause::Infected) {
                    what = format!("{what} ({name})");
                }
                self.fail(index, fact, cause, what, None, item.then);
            }
            Intent::ChangeFlags { add, take } => {
                if let Some(known) = known {
                    self.change_flags(index, known, item.flags, add, take);
                }
                self.passed(index, item.then);
            }
            Intent::Nothing
            | Intent::Own
            | Intent::Hold(_)
            | Intent::Withdraw
            | Intent::Remove
            | Intent::Forget
            | Intent::Keep => {
                self.passed(index, item.then);
            }
        }
        Ok(())
    }

    /// The target is seen not to keep items with these traits.
    pub(crate) fn learn(&mut self, not_kept: u8) {
        let not_kept = not_kept & !traits::SOON;
        self.not_kept |= not_kept;
        self.work.travel.learn(not_kept);
    }

    /// Why an item can't travel, in words.
    fn cannot_travel(&self, index: usize, id: &ItemId, size_bytes: u64, cause: Cause) -> String {
        let row = &self.folders[index].row;
        let why = match cause {
            Cause::TooLarge => {
                let max = self.target.offers().item_bytes_max.unwrap_or_default();
                format!("it is {size_bytes} bytes, the target takes {max}")
            }
            Cause::Infected => "the scanner finds malware in it".to_owned(),
            Cause::Nul => "it holds a NUL byte, which the target cannot hold".to_owned(),
            Cause::BareCr => "it holds a CR that no LF follows, which the target cannot hold".to_owned(),
            Cause::FutureDate => "it was received at a time that is still to come, which the target changes".to_owned(),
            Cause::DateOutOfRange => "its date is one that the target does not keep".to_owned(),
            Cause::EightBitHeader => "its header has bytes above 127, which the target changes".to_owned(),
            Cause::MixedLineEnds => "its lines end in more than one way, which the target cannot hold".to_owned(),
            other => other.advice().to_owned(),
        };
        format!("cannot copy item {id} of {:?}: {why}", row.path.to_string())
    }

    /// Takes an item that is to be copied into the batch of its folder; sends the batch when it is full.
    async fn plan(&mut self, index: usize, planned: Planned) -> Result<(), Failure> {
        if self.makes_room_first {
            self.folders[index].waits_for_room = true;
            return Ok(());
        }
        self.take_room(planned.found.size_bytes).await?;
        let work = &mut self.folders[index];
        if self.work.dry_run {
            work.would.copy += 1;
            work.would.bytes += planned.found.size_bytes;
            return Ok(());
        }
        work.batch_bytes += planned.found.size_bytes;
        work.batch.push(planned);
        let tuning = &self.work.tuning;
        if work.batch_bytes >= tuning.batch_bytes || work.batch.len() >= tuning.batch_items {
            self.send(index).await?;
        }
        Ok(())
    }

    /// An item is on the target already: it gains what flags it lacks.
    pub(crate) fn adopt(&mut self, index: usize, fact: &mut Fact, candidate: &Candidate) {
        let work = &mut self.folders[index];
        fact.target_id = Some(candidate.id.clone());
        fact.target_flags = Some(candidate.flags.clone());
        let former = self.target_folders[work.goes_to].ours.get(&candidate.id).cloned();
        if candidate.found.exact != fact.exact.unwrap_or(candidate.found.exact) {
            fact.read_back = Some(candidate.found.exact);
        }
        if self.work.setting.is_frozen {
            // Flags are its person's there. What is ours goes on from where it was left, once the source rules again.
            match former {
                Some(former) => {
                    fact.fate = Fate::Copied;
                    (fact.source_flags, fact.target_flags) = (former.source_flags, Some(former.target_flags));
                }
                None => self.adopt_frozen(index, fact, candidate),
            }
            return;
        }
        // Our own copy follows from where it was left; another's only gains. Until that has happened, the ledger knows only
        // what was before: after a stop the rest is seen as new.
        let (source_flags, base, take) = match former {
            Some(former) => {
                fact.fate = Fate::Copied;
                fact.target_flags = Some(former.target_flags.clone());
                let take = former.source_flags.without(&fact.source_flags);
                (former.source_flags.clone(), former.target_flags.clone(), take)
            }
            None => (fact.source_flags.intersection(&candidate.flags), candidate.flags.clone(), Flags::NONE),
        };
        let add = fact.source_flags.without(&source_flags);
        if !add.is_empty() || !take.is_empty() {
            work.flag_changes.push(FlagWork {
                source_id: fact.source_id.clone(),
                source_flags: std::mem::replace(&mut fact.source_flags, source_flags),
                target_id: candidate.id.clone(),
                base,
                add,
                take,
            });
        }
    }

    /// An item has a fate that needs no sending.
    pub(crate) fn settled(&mut self, index: usize, fact: Fact, then: Option<connector::Cursor>, failed_before: bool) {
        let work = &mut self.folders[index];
        let bytes = fact.size_bytes;
        if fact.fate == Fate::Adopted {
            self.report.adopted += 1;
            work.would.adopt += 1;
            self.work.progress.add(self.work.mailbox.mailbox, 1, bytes, 0);
        }
        if failed_before {
            work.cleared.push(fact.source_id.clone());
        }
        work.fates += 1;
        work.facts.push(fact);
        self.passed(index, then);
    }

    /// An item failed.
    pub(crate) fn fail(
        &mut self,
        index: usize,
        fact: Fact,
        cause: Cause,
        what: String,
        server: Option<String>,
        then: Option<connector::Cursor>,
    ) {
        let policy = self.work.travel.citation().to_owned();
        let work = &mut self.folders[index];
        work.failures.push(NewFailure { source_id: fact.source_id.clone(), cause, what, server, policy });
        work.facts.push(fact);
        work.fates += 1;
        work.would.fail += 1;
        self.report.failed += 1;
        self.work.progress.add(self.work.mailbox.mailbox, 0, 0, 1);
        self.passed(index, then);
    }

    /// All up to this cursor has a fate, unless something before it is still under way.
    pub(crate) fn passed(&mut self, index: usize, then: Option<connector::Cursor>) {
        let work = &mut self.folders[index];
        if !work.is_put_off() && work.batch.is_empty() && work.flights == 0 && then.is_some() {
            work.cursor = then;
        }
    }
}

/// The fate of an item, before it is known where it is on the target.
pub(crate) fn new_fact(fate: Fate, item: &connector::Item, found: Option<&Findings>) -> Fact {
    Fact {
        source_id: item.id.clone(),
        fate,
        size_bytes: found.map_or(0, |found| found.size_bytes),
        received: item.received.map(|at| at.unix_seconds),
        exact: found.map(|found| found.exact),
        canonical: found.map(|found| found.canonical),
        source_flags: item.flags.clone(),
        target_id: None,
        target_flags: None,
        read_back: None,
    }
}

pub(crate) fn exception(
    class: Cause,
    row: &FolderRow,
    source_id: Option<ItemId>,
    target_id: Option<ItemId>,
    what: String,
) -> NewException {
    NewException { class, path: row.path.clone(), source_id, target_id, what }
}
