//! What a run would make of a mailbox, said beforehand: what travels, what does not and by which rule, whether it fits, and how
//! long it takes.
//!
//! Both sides are only read, and nothing is written. Without reading bodies it is said what sizes, dates, flags and folders
//! tell; what rules make of attachments then stays unknown. With reading, each item goes through the same inspection as in a
//! run. The same mailboxes and policy give the same forecast, apart from its [`Pace`].

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use connector::{Event, Folder, Holds, ListedItem, ReadFolder, ShutDoor, Source, Target, Usage, losses_between, usage};
use model::{Cause, Fate, Findings, Flags, FolderPath, FolderState, ItemId, ItemKind, LossTable};
use serde::{Deserialize, Serialize};
use store::{FolderRow, How, MailboxRow, Treatment};

use crate::failure::{Failure, OnSide};
use crate::quota::{Alike, Limits, Load, QuotaVerdict, lies_there, seconds};
use crate::reading::{Arrival, Examined, next};
use crate::run::Engine;
use crate::traits;
use crate::travel::{Lane, Travel, barred};

/// A sample is so many items of a mailbox, and about so many bytes: enough to see how fast a server answers, little enough to
/// ask it of everybody.
const SAMPLE_ITEMS: usize = 32;
const SAMPLE_BYTES: u64 = 4 * 1024 * 1024;
/// An item costs as much time as so many bytes, however small it is: a line of a list, a command, rows of the ledger.
const ITEM_COSTS_BYTES: u64 = 4 * 1024;

/// What is to become of an item that does not simply travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Becomes {
    /// A rule leaves it behind.
    Left,
    /// It travels with notes in place of what a rule bans.
    Replaced,
    /// It travels, written so that the target can hold it.
    Repaired,
    /// The target can't hold it, or it can't be read.
    Fails,
}

impl Becomes {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Replaced => "replaced",
            Self::Repaired => "repaired",
            Self::Fails => "fails",
        }
    }
}

/// An item that does not simply travel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its folder at the source.
    pub path: FolderPath,
    /// What the folder calls it.
    pub id: ItemId,
    /// When it was received (seconds since 1970).
    pub received: Option<i64>,
    /// How many bytes the source holds.
    pub size_bytes: u64,
    /// What becomes of it.
    pub becomes: Becomes,
    /// By which rule, or for which cause.
    pub rule: String,
    /// The files that it is about, as JSON: name, type, size, SHA-256 and rule of each.
    pub files: String,
}

/// How fast a mailbox can be read, as a sample or its whole reading showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long it took.
    pub took: Duration,
    /// What was read.
    pub read: Usage,
}

impl Pace {
    /// What a number of bytes and items costs, in bytes.
    pub fn cost(usage: Usage) -> u64 {
        usage.bytes.saturating_add(usage.items.saturating_mul(ITEM_COSTS_BYTES))
    }
}

/// A forecast of one mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Folders at the source that hold items.
    pub folders: u64,
    /// What lies there.
    pub source: Usage,
    /// What is to be on the target in the end, as it travels.
    pub travels: Usage,
    /// Of that: what is there already, as far as known and as sizes and dates tell.
    pub already: Usage,
    /// What does not simply travel, by what becomes of it and by rule.
    pub kept: BTreeMap<(Becomes, String), Usage>,
    /// Item by item.
    pub items: Vec<Kept>,
    /// What the rules make of attachments is not known: no item was read.
    pub attachments_unknown: bool,
    /// What lies on the target and what is to come.
    pub load: Load,
    /// Whether that fits into the quota that leaves it the least room; none where there is no quota.
    pub quota: Option<QuotaVerdict>,
    /// A folder of the target could not be opened: there may be more than that.
    pub quota_unknown: bool,
    /// Folders that could not be opened, and why.
    pub closed: Vec<(FolderPath, Cause)>,
    /// How fast it was read.
    pub pace: Option<Pace>,
}

impl Engine {
    /// What a run would make of this mailbox. `read`: every item is read and inspected. `sample`: some are read, to see how
    /// fast that is.
    pub async fn forecast(&self, mailbox: &MailboxRow, read: bool, sample: bool) -> Result<Forecast, Failure> {
        let sides = self.sides(mailbox)?;
        let (source_is, target_is) = sides.declarations();
        // As a target, which may not be there before it is written to, but nothing can be written.
        let (mut source, mut target, _seats) = sides.open(Arc::new(ShutDoor)).await?;
        let losses = losses_between(&source_is, &target_is);
        let between = (losses, target_is.kinds);
        let forecast = self.forecast_between(mailbox, source.as_mut(), target.as_mut(), between, (read, sample)).await;
        source.close().await;
        target.close().await;
        forecast
    }

    async fn forecast_between(
        &self,
        mailbox: &MailboxRow,
        source: &mut dyn Source,
        target: &mut dyn Target,
        (losses, kinds): (LossTable, Vec<ItemKind>),
        (read, sample): (bool, bool),
    ) -> Result<Forecast, Failure> {
        let listed = source.folders().await.on_source()?;
        let there = target.folders().await.on_target()?;
        let quota = target.quota().await.on_target()?;
        let rows = self.store.folders(self.key, mailbox.mailbox).await?;
        let policy = self.policy_of(mailbox.mailbox);
        let bans_nothing = policy.inspection.bans_nothing();
        let mut forecaster = Forecaster {
            engine: self,
            mailbox,
            travel: Travel::new(
                policy,
                None,
                self.scanner.clone(),
                losses.clone(),
                self.dates(mailbox.mailbox).await?,
                mailbox.bytes_not_kept,
            ),
            losses,
            kinds,
            item_bytes_max: target.offers().item_bytes_max,
            rows,
            there: there.iter().map(|folder| (folder.path.clone(), folder.clone())).collect(),
            coming: Usage::default(),
            places: HashMap::new(),
            result: Forecast::nothing(),
        };
        forecaster.result.attachments_unknown = !read && !bans_nothing;
        let trash = Travel::trash(listed.iter());
        let began = self.clock.since_boot();
        let mut largest: Option<(FolderPath, Vec<ListedItem>)> = None;
        for folder in listed.into_iter().filter(|folder| folder.holds_items) {
            if *self.stop.borrow() {
                return Err(Failure::stopped());
            }
            let lane = forecaster.travel.lane(&folder.path, &trash);
            let Some(items) = forecaster.folder(source, target, folder.clone(), lane, read).await? else {
                continue;
            };
            if largest.as_ref().is_none_or(|(_, most)| most.len() < items.len()) {
                largest = Some((folder.path, items));
            }
        }
        let mut forecast = forecaster.result;
        let (lies, closed) = usage(target, &there).await.on_target()?;
        forecast.load.there = lies_there(lies, &quota);
        forecast.load.coming = forecaster.coming;
        let limits = Limits::new(self.quota_of(mailbox.mailbox), forecast.load.there, &quota);
        // A run begins where what may be there by its size alone would let it fit.
        let mut may_be = Usage::default();
        for (alike, coming) in forecaster.places.into_values() {
            let by_size = alike.of_sizes(coming);
            may_be.add(by_size.bytes, by_size.items);
        }
        let less = Load { coming: forecast.load.coming.without(may_be), ..forecast.load };
        let relaxed = limits.verdict(&less).filter(|verdict| verdict.fits);
        let strict = limits.verdict(&forecast.load);
        let verdict = if strict.is_some_and(|verdict| !verdict.fits) { relaxed.or(strict) } else { strict };
        forecast.quota = verdict.map(|verdict| QuotaVerdict {
            // Where nothing is to be copied nothing is in the way.
            fits: verdict.fits || forecast.load.coming.items == 0,
            ..verdict
        });
        // What can't be opened may hold anything; what is over is so without it.
        forecast.quota_unknown = closed.is_some() && forecast.quota.is_some_and(|verdict| verdict.fits);
        if read {
            forecast.pace = Some(Pace { took: self.clock.since_boot() - began, read: forecast.source });
        } else if let Some((path, items)) = largest.filter(|(_, items)| sample && !items.is_empty()) {
            forecast.pace = self.sample(source, &path, &items).await?;
        }
        Ok(forecast)
    }

    /// Reads some items of a folder, spread over it, to see how fast that is.
    async fn sample(
        &self,
        source: &mut dyn Source,
        path: &FolderPath,
        items: &[ListedItem],
    ) -> Result<Option<Pace>, Failure> {
        let step = items.len().div_ceil(SAMPLE_ITEMS);
        let (mut ids, mut bytes) = (Vec::new(), 0);
        for item in items.iter().step_by(step) {
            if !ids.is_empty() && item.size_bytes.saturating_add(bytes) > SAMPLE_BYTES {
                continue;
            }
            bytes = item.size_bytes.saturating_add(bytes);
            ids.push(item.id.clone());
        }
        let began = self.clock.since_boot();
        let mut read = Usage::default();
        let holds = Holds::new(self.holds.clone());
        let mut reading = source.items(path, &ids, &holds).await.on_source()?;
        loop {
            let events = reading.next().await.on_source()?;
            if events.is_empty() {
                break;
            }
            for event in events {
                if let Event::Item(item) = event {
                    read.add(item.body.size_bytes(), 1);
                }
            }
        }
        drop(reading);
        Ok((read.items > 0).then(|| Pace { took: self.clock.since_boot() - began, read }))
    }
}

impl Forecast {
    fn nothing() -> Self {
        Self {
            folders: 0,
            source: Usage::default(),
            travels: Usage::default(),
            already: Usage::default(),
            kept: BTreeMap::new(),
            items: Vec::new(),
            attachments_unknown: false,
            load: Load::default(),
            quota: None,
            quota_unknown: false,
            closed: Vec::new(),
            pace: None,
        }
    }

    fn keep(&mut self, kept: Kept) {
        let sum = self.kept.entry((kept.becomes, kept.rule.clone())).or_default();
        sum.add(kept.size_bytes, 1);
        self.items.push(kept);
    }
}

/// What is known while a mailbox is looked through.
struct Forecaster<'e> {
    engine: &'e Engine,
    mailbox: &'e MailboxRow,
    travel: Travel,
    losses: LossTable,
    kinds: Vec<ItemKind>,
    item_bytes_max: Option<u64>,
    rows: Vec<FolderRow>,
    there: HashMap<FolderPath, Folder>,
    /// What is to be copied, by the sizes that the source lists.
    coming: Usage,
    /// By folder of the target: what lies there and nobody knows, and the sizes of what is to be copied to it.
    places: HashMap<FolderPath, (Alike, Vec<u64>)>,
    result: Forecast,
}

/// What the reading of an item showed.
struct Seen {
    flags: Flags,
    received: Option<i64>,
    source_received: Option<i64>,
    found: Findings,
    treatment: Option<Treatment>,
    is_infected: bool,
}

/// A folder being looked through.
struct Looked {
    path: FolderPath,
    place: FolderPath,
    lane: Lane,
    /// The target holds no such items.
    unsupported: bool,
    /// Items that have a fate, and whether they are on the target.
    known: HashMap<ItemId, Fate>,
    /// What lies in the target folder and nobody knows.
    alike: Alike,
    /// Sizes of what is to be copied.
    coming: Vec<u64>,
}

impl Forecaster<'_> {
    /// Looks through a folder. Its items come back; none where it can't be opened.
    async fn folder(
        &mut self,
        source: &mut dyn Source,
        target: &mut dyn Source,
        folder: Folder,
        lane: Lane,
        read: bool,
    ) -> Result<Option<Vec<ListedItem>>, Failure> {
        let state = match folder.state {
            Some(state) => Ok(state),
            None => source.state(&folder.path).await,
        };
        let whole = ReadFolder { path: folder.path.clone(), since: None };
        let listed = match state {
            Ok(state) => source.sizes(&whole).await.map(|items| (state, items)),
            Err(error) => Err(error),
        };
        let (state, items) = match listed {
            Ok(listed) => listed,
            Err(error) if error.ends_session() => return Err(error).on_source(),
            Err(error) => {
                self.result.closed.push((folder.path, error.cause));
                return Ok(None);
            }
        };
        self.result.folders += 1;
        let mut looked = self.look(target, &folder, state, lane).await?;
        let (mut bodies, mut unreadable) = (HashMap::new(), HashMap::new());
        if read && !looked.unsupported && looked.lane.left_by.is_none() {
            (bodies, unreadable) = self.read(source, whole).await?;
        }
        for item in &items {
            self.result.source.add(item.size_bytes, 1);
            let seen = bodies.remove(&item.id);
            self.item(&mut looked, item, seen, unreadable.get(&item.id).copied());
        }
        if looked.lane.left_by.is_none() {
            // Others may go there, too.
            self.places.insert(looked.place, (looked.alike, looked.coming));
        }
        Ok(Some(items))
    }

    /// What is known of a folder, and what lies where its items go.
    async fn look(
        &mut self,
        target: &mut dyn Source,
        folder: &Folder,
        state: FolderState,
        lane: Lane,
    ) -> Result<Looked, Failure> {
        let (store, key) = (&self.engine.store, self.engine.key);
        let is_row = |row: &&FolderRow| {
            (&row.path, row.kind, row.validity) == (&folder.path, folder.kind, state.validity) && !row.is_gone()
        };
        let row = self.rows.iter().find(is_row);
        let mut known = HashMap::new();
        if let Some(row) = row {
            let mut items = store.items(key, row);
            loop {
                let page = items.next().await?;
                if page.is_empty() {
                    break;
                }
                known.extend(page.into_iter().map(|item| (item.source_id, item.fate)));
            }
        }
        let mut alike = Alike::default();
        let mut coming = Vec::new();
        let place = row.map_or_else(|| self.travel.place(&folder.path), |row| row.target_path.clone());
        if lane.left_by.is_some() {
            // Nothing goes there.
        } else if let Some(others) = self.places.remove(&place) {
            (alike, coming) = others;
        } else if let Some(there) = self.there.get(&place).filter(|there| there.holds_items) {
            let whole = ReadFolder { path: place.clone(), since: None };
            let validity = there.state.map_or(0, |state| state.validity);
            let ours = store.target_ids(key, self.mailbox.mailbox, &place, validity).await?;
            match target.sizes(&whole).await {
                Ok(items) => items
                    .iter()
                    .filter(|item| !ours.contains(&item.id))
                    .for_each(|item| alike.add(item.size_bytes, seconds(item))),
                Err(error) if error.ends_session() => return Err(error).on_target(),
                Err(_) => {}
            }
        }
        let unsupported = !self.kinds.contains(&folder.kind);
        Ok(Looked { path: folder.path.clone(), place, lane, unsupported, known, alike, coming })
    }

    /// Reads a folder as a run does. Of each item only what was found is kept, not its bytes.
    async fn read(
        &self,
        source: &mut dyn Source,
        whole: ReadFolder,
    ) -> Result<(HashMap<ItemId, Seen>, HashMap<ItemId, Cause>), Failure> {
        let holds = Holds::new(self.engine.holds.clone());
        let (mut bodies, mut unreadable) = (HashMap::new(), HashMap::new());
        let mut reading = source.read(vec![whole], &holds).await.on_source()?;
        loop {
            if *self.engine.stop.borrow() {
                return Err(Failure::stopped());
            }
            let arrivals = next(reading.as_mut(), Some((&self.travel, &holds))).await.on_source()?;
            if arrivals.is_empty() {
                return Ok((bodies, unreadable));
            }
            for arrival in arrivals {
                match arrival {
                    Arrival::Item(examined) => {
                        let Examined { item, found, treatment, malware, knew: _, source_received } = *examined;
                        let received = item.received.map(|at| at.unix_seconds);
                        let is_infected = malware.is_some();
                        let flags = item.flags;
                        let seen = Seen { flags, received, source_received, found, treatment, is_infected };
                        bodies.insert(item.id, seen);
                    }
                    Arrival::Event(Event::Unreadable { id, error }) => drop(unreadable.insert(id, error.cause)),
                    Arrival::Event(_) => {}
                }
            }
        }
    }

    /// What is to become of an item.
    fn item(&mut self, looked: &mut Looked, item: &ListedItem, seen: Option<Seen>, unreadable: Option<Cause>) {
        // What its person removed on the target stays away, and what waits for a word is not copied before that.
        if matches!(looked.known.get(&item.id), Some(Fate::Withdrawn | Fate::Held)) {
            return;
        }
        let received = seconds(item);
        let (kept, size_bytes) = self.outcome(looked, item, seen, unreadable);
        let travels = kept.as_ref().is_none_or(|kept| matches!(kept.0, Becomes::Replaced | Becomes::Repaired));
        if let Some((becomes, rule, files)) = kept {
            let (path, id, size_bytes) = (looked.path.clone(), item.id.clone(), item.size_bytes);
            self.result.keep(Kept { path, id, received, size_bytes, becomes, rule, files });
        }
        if !travels {
            return;
        }
        self.result.travels.add(size_bytes, 1);
        let is_there = match looked.known.get(&item.id) {
            Some(Fate::Copied | Fate::Adopted) => true,
            _ => looked.alike.take(size_bytes, received) || looked.alike.take(item.size_bytes, received),
        };
        if is_there {
            self.result.already.add(size_bytes, 1);
        } else {
            self.coming.add(item.size_bytes, 1);
            looked.coming.push(item.size_bytes);
        }
    }

    /// What keeps an item, or something in it, if anything; and its bytes as it travels.
    fn outcome(
        &self,
        looked: &Looked,
        item: &ListedItem,
        seen: Option<Seen>,
        unreadable: Option<Cause>,
    ) -> (Option<(Becomes, String, String)>, u64) {
        let none = "[]".to_owned();
        let fails = |cause: Cause| (Some((Becomes::Fails, cause.code().to_owned(), none.clone())), item.size_bytes);
        let left = |rule: &str| (Some((Becomes::Left, rule.to_owned(), none.clone())), item.size_bytes);
        if looked.unsupported {
            return fails(Cause::Unsupported);
        }
        let Some(seen) = seen else {
            if let Some(rule) = self.travel.left_by(&looked.lane, seconds(item), &item.flags, item.size_bytes) {
                return left(rule);
            }
            return match unreadable {
                Some(cause) => fails(cause),
                None if self.item_bytes_max.is_some_and(|max| item.size_bytes > max) => fails(Cause::TooLarge),
                None => (None, item.size_bytes),
            };
        };
        // In the order of a run: see `Pass::take_item`.
        let (found, received) = (&seen.found, seen.received);
        if let Some(rule) = self.travel.left_by(&looked.lane, seen.source_received, &seen.flags, found.size_bytes) {
            return left(rule);
        }
        if let Some(treatment) = seen.treatment.as_ref().filter(|treatment| treatment.how == How::Left) {
            return (Some((Becomes::Left, treatment.rule.clone(), treatment.detail.clone())), item.size_bytes);
        }
        if seen.is_infected {
            return fails(Cause::Infected);
        }
        if let Some(cause) = barred(found, &self.losses, self.item_bytes_max) {
            return fails(cause);
        }
        let is = traits::of(found, received, self.engine.clock.unix_seconds());
        if is & self.mailbox.bytes_not_kept != 0 {
            return fails(traits::cause(is & self.mailbox.bytes_not_kept));
        }
        let becomes = match seen.treatment.as_ref().map(|treatment| treatment.how) {
            Some(How::Replaced) => Some(Becomes::Replaced),
            Some(How::Repaired) => Some(Becomes::Repaired),
            Some(How::Left | How::Noted) | None => None,
        };
        let kept = becomes.zip(seen.treatment).map(|(becomes, made)| (becomes, made.rule, made.detail));
        (kept, found.size_bytes)
    }
}

/// Rates of mailboxes that were copied: what a second is worth, in bytes as [`Pace::cost`] counts them. The slowest first.
pub fn rates<'p>(paces: impl Iterator<Item = &'p Pace>) -> Vec<u64> {
    let rate = |pace: &Pace| {
        let ms = u128::from(u64::try_from(pace.took.as_millis()).unwrap_or(u64::MAX)).max(1);
        u64::try_from(u128::from(Pace::cost(pace.read)) * 1000 / ms).unwrap_or(u64::MAX).max(1)
    };
    let mut rates: Vec<u64> = paces.map(rate).collect();
    rates.sort_unstable();
    rates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_costs_time_however_small() {
        let usage = |bytes, items| Usage { bytes, items };
        assert_eq!(Pace::cost(usage(1000, 0)), 1000);
        assert_eq!(Pace::cost(usage(1000, 2)), 1000 + 8192);
        let pace = |ms, bytes| Pace { took: Duration::from_millis(ms), read: usage(bytes, 0) };
        assert_eq!(rates([pace(2000, 4000), pace(0, 5), pace(1000, 500)].iter()), [500, 2000, 5000]);
        assert_eq!(rates([pace(5000, 0)].iter()), [1]);
    }
}
