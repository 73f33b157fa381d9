//! Does what is to come fit into the target mailbox?
//!
//! What counts, in bytes and in items: everything that lies on the target, of every kind and whoever put it there, and
//! what is still to be copied, by the sizes that the source lists. What rules leave behind, as far as folder, date, mark
//! and size tell, does not count; an item whose attachments will be replaced counts whole. A copy counts once: what is to
//! come is taken for a copy of what lies there, or for an item that was moved, where size and date are the same.
//!
//! A quota of the project (`quota` of a person, else `quota_bytes` of the policy) must not be reached; the target's own may be
//! filled. It is checked before the first write of a pass and only when something may have to be copied: first by the
//! sizes of whole folders, which cost nothing where the listing tells them; only if these do not fit, item by item. While items
//! are sent, each takes its room from what is left.
//!
//! Where it does not fit nothing is written any more, what was copied stays, and every further run looks again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;
use std::sync::Arc;

use connector::{Allowance, Door, Error, Folder, ListedItem, Quota, Source, Target, Usage, usage};
use model::{Cause, Fate, FolderPath, ItemId, Scope, Side};
use serde::Serialize;
use store::{FolderRow, LedgerItem, MailboxRow, RemovalState};

use crate::failure::{Failure, OnSide};
use crate::pass::Pass;
use crate::run::Engine;
use crate::state::counted;

/// Whose quota it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuotaOf {
    /// The person's own, in the list of people.
    Person,
    /// The policy's, for everybody.
    Policy,
    /// The target's, as it says.
    Target,
}

impl QuotaOf {
    fn words(self) -> &'static str {
        match self {
            Self::Person => "the column quota of people.csv",
            Self::Policy => "policy.quota_bytes",
            Self::Target => "the target's own quota",
        }
    }
}

/// What a quota counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counted {
    /// Bytes.
    Bytes,
    /// Items.
    Items,
}

impl Counted {
    fn of(self, usage: Usage) -> u64 {
        match self {
            Self::Bytes => usage.bytes,
            Self::Items => usage.items,
        }
    }

    fn shown(self, number: u64) -> String {
        match self {
            Self::Bytes => counted(number, "byte"),
            Self::Items => counted(number, "item"),
        }
    }
}

/// A quota that a mailbox has to keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// Whose it is.
    pub of: QuotaOf,
    /// What it counts.
    pub counts: Counted,
    /// How much.
    pub max: u64,
}

impl Limit {
    /// May so much lie there? A quota of the project must not be reached; the target itself lets its own be filled.
    fn fits(&self, number: u64) -> bool {
        if self.of == QuotaOf::Target { number <= self.max } else { number < self.max }
    }

    /// The most that may lie there.
    fn most(&self) -> u64 {
        if self.of == QuotaOf::Target { self.max } else { self.max.saturating_sub(1) }
    }
}

/// What lies on the target, what goes, and what is to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Load {
    /// What lies on the target.
    pub there: Usage,
    /// Of that: our copies of what the source has no more, which are about to go.
    pub going: Usage,
    /// What is to be copied.
    pub coming: Usage,
}

/// How a mailbox stands to the quota that leaves it the least room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct QuotaVerdict {
    /// The quota.
    #[serde(flatten)]
    pub limit: Limit,
    /// What lies there, counted as the quota counts.
    pub there: u64,
    /// What will lie there, counted as the quota counts.
    pub then: u64,
    /// Does it fit?
    pub fits: bool,
}

/// The quotas of a mailbox, each with what lies there as it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits(Vec<(Limit, u64)>);

impl Limits {
    /// That of the project, if it has one, with what lies there, and those of the target. Of these each counts for itself: one
    /// that many people share counts what all of them hold.
    pub(crate) fn new(project: Option<(QuotaOf, u64)>, there: Usage, target: &Quota) -> Self {
        let mut limits = Vec::new();
        limits.extend(project.map(|(of, max)| (Limit { of, counts: Counted::Bytes, max }, there.bytes)));
        for (counts, roots) in [(Counted::Bytes, &target.bytes), (Counted::Items, &target.items)] {
            let limit = |root: &Allowance| (Limit { of: QuotaOf::Target, counts, max: root.max }, root.used);
            limits.extend(roots.iter().map(limit));
        }
        Self(limits)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How this load stands to the one that leaves the least room.
    pub(crate) fn verdict(&self, load: &Load) -> Option<QuotaVerdict> {
        let one = |(limit, there): &(Limit, u64)| {
            let of = |usage| limit.counts.of(usage);
            let then = there.saturating_sub(of(load.going)).saturating_add(of(load.coming));
            QuotaVerdict { limit: *limit, there: *there, then, fits: limit.fits(then) }
        };
        let room = |verdict: &QuotaVerdict| (verdict.fits, verdict.limit.most().saturating_sub(verdict.then));
        self.0.iter().map(one).min_by_key(room)
    }

    /// How much may be copied.
    fn room(&self) -> Usage {
        let left = |counts: Counted| {
            let limits = self.0.iter().filter(|(limit, _)| limit.counts == counts);
            limits.map(|(limit, there)| limit.most().saturating_sub(*there)).min().unwrap_or(u64::MAX)
        };
        Usage { bytes: left(Counted::Bytes), items: left(Counted::Items) }
    }
}

/// What lies there, of what is listed and of what the platform says that it counts. Where it counts more, by a unit or more,
/// there is something that is not listed: items of another kind, say. Where several of its quotas apply that which counts
/// least is this person's: others count what other people hold, too.
pub(crate) fn lies_there(listed: Usage, quota: &Quota) -> Usage {
    let more = |listed: u64, roots: &[Allowance]| {
        let own = roots.iter().min_by_key(|root| root.used);
        own.filter(|own| own.used >= listed.saturating_add(own.unit)).map_or(listed, |own| own.used)
    };
    Usage { bytes: more(listed.bytes, &quota.bytes), items: more(listed.items, &quota.items) }
}

/// How much may still be copied in this pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// Nobody has asked yet.
    NotAsked,
    /// So much, with what lies there.
    Left(Usage, Usage),
}

/// Items by what tells that one is a copy of the other, and how many there are of each.
#[derive(Default)]
pub(crate) struct Alike(HashMap<(u64, Option<i64>), u64>);

impl Alike {
    pub(crate) fn add(&mut self, size_bytes: u64, received: Option<i64>) {
        *self.0.entry((size_bytes, received)).or_default() += 1;
    }

    /// What of these sizes may be one of those left, whatever its date: another tool may have lost that.
    pub(crate) fn of_sizes(&self, sizes: impl IntoIterator<Item = u64>) -> Usage {
        let mut left: HashMap<u64, u64> = HashMap::new();
        for ((size_bytes, _), count) in &self.0 {
            *left.entry(*size_bytes).or_default() += count;
        }
        let mut may_be = Usage::default();
        for size_bytes in sizes {
            if let Some(count) = left.get_mut(&size_bytes).filter(|count| **count > 0) {
                *count -= 1;
                may_be.add(size_bytes, 1);
            }
        }
        may_be
    }

    /// Takes one of these.
    pub(crate) fn take(&mut self, size_bytes: u64, received: Option<i64>) -> bool {
        match self.0.get_mut(&(size_bytes, received)) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }

    fn left(&self) -> Usage {
        let mut left = Usage::default();
        for ((size_bytes, _), count) in &self.0 {
            left.add(size_bytes.saturating_mul(*count), *count);
        }
        left
    }
}

fn sum(coming: &BTreeMap<usize, Vec<ListedItem>>) -> Usage {
    let mut all = Usage::default();
    coming.values().flatten().for_each(|item| all.add(item.size_bytes, 1));
    all
}

pub(crate) fn seconds(item: &ListedItem) -> Option<i64> {
    item.received.map(|at| at.unix_seconds)
}

/// A mailbox over quota.
pub(crate) struct Over {
    verdict: QuotaVerdict,
    load: Load,
    /// What lies there as listed.
    listed: Usage,
    /// What lies in folders that the source has no more, and that are followed later.
    later: Usage,
    /// Items in its folders of the target of which nobody knows whose they are.
    unknown: u64,
}

/// What the source has lost since it was last read.
#[derive(Default)]
struct Lost {
    /// Our copies of it that are about to go.
    going: Usage,
    /// There is something to be recorded, held or removed now.
    is_any: bool,
    /// Our copies in folders that the source has no more, and that are followed later.
    later: Usage,
}

impl Engine {
    /// Why one more message, of the largest that may come, would find no room in a mailbox on the target; none: it would, or nothing there is
    /// limited.
    pub(crate) async fn no_room(&self, row: &MailboxRow, door: Arc<dyn Door>) -> Result<Option<String>, Failure> {
        let (mut source, mut target, _seats) = self.sides(row)?.open(door).await?;
        source.close().await;
        let found = self.no_room_in(row, target.as_mut()).await;
        target.close().await;
        found
    }

    async fn no_room_in(&self, row: &MailboxRow, target: &mut dyn Target) -> Result<Option<String>, Failure> {
        let (quota, project) = (target.quota().await.on_target()?, self.quota_of(row.mailbox));
        let mut listed = Usage::default();
        if project.is_some() {
            let folders = target.folders().await.on_target()?;
            let (lies, closed) = usage(target, &folders).await.on_target()?;
            if let Some(error) = closed {
                return Err(error.reaching(Scope::Mailbox)).on_target();
            }
            listed = lies;
        }
        let limits = Limits::new(project, lies_there(listed, &quota), &quota);
        let max = [self.policy_of(row.mailbox).item_bytes_max, target.offers().item_bytes_max];
        let coming = Usage { bytes: max.into_iter().flatten().min().unwrap_or(1), items: 1 };
        let verdict = limits.verdict(&Load { coming, ..Load::default() }).filter(|verdict| !verdict.fits);
        Ok(verdict.map(|QuotaVerdict { limit, there, .. }| {
            let (shown, max) = (limit.counts.shown(there), limit.counts.shown(limit.max));
            let one = limit.counts.shown(limit.counts.of(coming));
            format!(
                "{shown} lie on the target, which may hold {max} ({}): a message of {one} would find no room there",
                limit.of.words()
            )
        }))
    }
}

/// The failure that a mailbox over quota is. So many removals wait for a word.
fn failure(
    whose: &str,
    Over { verdict, load, listed, later, unknown }: &Over,
    waiting: usize,
    settle_hours: u32,
) -> Failure {
    let limit = &verdict.limit;
    let shown = |usage| limit.counts.shown(limit.counts.of(usage));
    let number = |usage| limit.counts.of(usage);
    let going = if number(load.going) > 0 {
        format!(", of which {} are about to go", shown(load.going))
    } else {
        String::new()
    };
    let lie = match limit.of {
        QuotaOf::Person | QuotaOf::Policy if verdict.there > number(*listed) => {
            format!(
                "{} lie there as the target counts ({} are listed)",
                limit.counts.shown(verdict.there),
                shown(*listed)
            )
        }
        _ => format!("{} lie there", limit.counts.shown(verdict.there)),
    };
    let rule = if limit.of == QuotaOf::Target { "it may hold" } else { "it must stay below" };
    let surplus = verdict.then.saturating_sub(limit.most());
    let mut then = "nothing was copied".to_owned();
    if waiting > 0 {
        let _ = write!(then, "; {} of what the source has no more wait for a word", counted(waiting as u64, "removal"));
    }
    if number(*later) > 0 {
        let _ = write!(
            then,
            "; {} in folders that the source has no more go {} after that was first seen",
            shown(*later),
            counted(u64::from(settle_hours), "hour")
        );
    }
    if *unknown > 0 {
        let _ = write!(
            then,
            "; {} that nobody knows lie in its folders there, and some may be copies with another date or other bytes",
            counted(*unknown, "item")
        );
    }
    let what = format!(
        "{whose} would hold {} on the target: {lie}{going}, and {} are to be copied; {rule} {} ({}), so {} must go \
         from either side; {then}",
        limit.counts.shown(verdict.then),
        shown(load.coming),
        limit.counts.shown(limit.max),
        limit.of.words(),
        limit.counts.shown(surplus),
    );
    Failure { side: Some(Side::Target), error: Error::new(Cause::OverQuota, Scope::Mailbox, what) }
}

impl Pass<'_> {
    /// Whether all that is to be copied fits, before anything is written.
    pub(crate) async fn check_quota(
        &mut self,
        source: &mut dyn Source,
        there: &BTreeMap<FolderPath, Folder>,
        uses: &[Folder],
    ) -> Result<(), Failure> {
        let new: Vec<usize> = (0..self.folders.len()).filter(|index| self.may_have_new(*index)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let (limits, listed, there_is) = self.limits(Some(there)).await?;
        let mut load = Load { there: there_is, ..Load::default() };
        let whole = |index: &usize| uses[*index].size_bytes.map(|bytes| (bytes, self.folders[*index].state.count));
        if let Some(sizes) = new.iter().map(whole).collect::<Option<Vec<_>>>() {
            for (bytes, items) in sizes {
                load.coming.add(bytes, items);
            }
        } else if !limits.is_empty() {
            load.coming = Usage { bytes: u64::MAX, items: u64::MAX };
        }
        let fits = |load: &Load| limits.verdict(load).is_none_or(|verdict| verdict.fits);
        let (mut lost, mut unknown) = (Lost::default(), 0);
        if !fits(&load) {
            let mut coming = self.coming(source, &new).await?;
            load.coming = sum(&coming);
            if !fits(&load) {
                lost = self.without_moved(source, &mut coming).await?;
                let may_be;
                (may_be, unknown) = self.without_copies(&mut coming, there).await?;
                load.coming = sum(&coming);
                // What may be there already is looked at item by item; what is not takes its room when it is sent.
                let less = Load { coming: load.coming.without(may_be), ..load };
                if !fits(&load) && fits(&less) {
                    load = less;
                }
            }
        }
        let is_over = |load: &Load| limits.verdict(load).filter(|verdict| !verdict.fits && load.coming.items > 0);
        if is_over(&load).is_some() && self.work.dry_run {
            load.going = lost.going;
        }
        if let Some(verdict) = is_over(&load) {
            let over = Over { verdict, load, listed, later: lost.later, unknown };
            if !lost.is_any || self.work.dry_run {
                return Err(self.over(&over).await?);
            }
            // Nothing counts as gone before it is: what the source has lost is recorded, held or removed first, and nothing
            // is copied meanwhile.
            self.makes_room_first = true;
            self.over = Some(over);
            return Ok(());
        }
        self.room = Room::Left(limits.room(), load.there);
        Ok(())
    }

    /// Why a mailbox over quota does not go on.
    pub(crate) async fn over(&mut self, over: &Over) -> Result<Failure, Failure> {
        let removals = self.work.store.held_removals(self.work.key, self.work.mailbox.mailbox).await?;
        let waiting = removals.iter().filter(|held| held.state == RemovalState::Held).count();
        Ok(failure(&self.whose(), over, waiting, self.work.policy.following.deletion_settle_hours))
    }

    /// Folders that the source has no more, with items of ours, that are followed in this pass or in the one after it; and
    /// those that are followed later.
    pub(crate) async fn vanished_now_and_later(&mut self) -> Result<(Vec<FolderRow>, Vec<FolderRow>), Failure> {
        let (mut now, mut later) = (Vec::new(), Vec::new());
        let rest_lists = self.folders.iter().any(|work| !work.is_fresh);
        let settle = i64::from(self.work.policy.following.deletion_settle_hours) * 3_600_000;
        let at = self.work.store.now().await?;
        for row in self.vanished_rows() {
            let is_settled = settle == 0 || row.gone_at.is_some_and(|since| since < at && at - since >= settle);
            if rest_lists && is_settled { now.push(row) } else { later.push(row) }
        }
        Ok((now, later))
    }

    /// Takes the room that an item needs. An error when there is none: what was to be sent before it is sent.
    pub(crate) async fn take_room(&mut self, size_bytes: u64) -> Result<(), Failure> {
        if self.room == Room::NotAsked {
            let (limits, _, there) = self.limits(None).await?;
            self.room = Room::Left(limits.room(), there);
        }
        let Room::Left(left, there) = &mut self.room else { return Ok(()) };
        if size_bytes <= left.bytes && left.items > 0 {
            left.bytes -= if left.bytes == u64::MAX { 0 } else { size_bytes };
            left.items -= u64::from(left.items != u64::MAX);
            return Ok(());
        }
        let (left, there) = (*left, *there);
        self.send_all().await?;
        let what = format!(
            "{} has reached its quota: {} lay on the target when the pass began and there was room for {}, not for the next \
             item of {}; what was copied stays, and nothing more was written",
            self.whose(),
            counted(there.bytes, "byte"),
            counted(left.bytes, "byte"),
            counted(size_bytes, "byte"),
        );
        Err(Failure { side: Some(Side::Target), error: Error::new(Cause::OverQuota, Scope::Mailbox, what) })
    }

    /// Gives back the room of an item that is not on the target after all.
    pub(crate) fn give_room(&mut self, size_bytes: u64) {
        if let Room::Left(left, _) = &mut self.room {
            left.add(size_bytes, 1);
        }
    }

    fn whose(&self) -> String {
        let roster = &self.work.mailbox.roster;
        format!("{} → {}", roster.source_name, roster.target_name)
    }

    /// The quotas in force, and what lies on the target, as listed and as it counts.
    async fn limits(
        &mut self,
        there: Option<&BTreeMap<FolderPath, Folder>>,
    ) -> Result<(Limits, Usage, Usage), Failure> {
        let quota = self.target.quota().await.on_target()?;
        let project = self.work.quota;
        let mut listed = Usage::default();
        // The target's own say themselves what they count.
        if project.is_some() {
            let folders = match there {
                Some(there) => there.values().cloned().collect(),
                None => self.target.folders().await.on_target()?,
            };
            let (lies, closed) = usage(self.target.as_mut(), &folders).await.on_target()?;
            if let Some(error) = closed {
                return Err(error.reaching(Scope::Mailbox)).on_target();
            }
            listed = lies;
        }
        let there = lies_there(listed, &quota);
        Ok((Limits::new(project, there, &quota), listed, there))
    }

    /// May the folder hold something that is to be copied?
    fn may_have_new(&self, index: usize) -> bool {
        let work = &self.folders[index];
        let is_held = self.work.target_kinds.contains(&work.row.kind);
        let is_new = work.row.source.is_none_or(|read| read.next != work.state.next || work.state.next == 0);
        let is_unchanged = work.row.source.is_some_and(|read| work.state.proves_unchanged(&read));
        work.is_written_to() && is_held && is_new && !is_unchanged && work.state.count > 0
    }

    /// The items of these folders that are to be copied, as far as can be told without reading them.
    async fn coming(
        &mut self,
        source: &mut dyn Source,
        new: &[usize],
    ) -> Result<BTreeMap<usize, Vec<ListedItem>>, Failure> {
        let max = self.target.offers().item_bytes_max;
        let mut coming = BTreeMap::new();
        for index in new {
            let plan = self.read_folder(*index);
            let mut items = match source.sizes(&plan).await {
                Ok(items) => items,
                Err(error) if error.ends_session() => return Err(error).on_source(),
                // Why it can't be read is said when it is read.
                Err(_) => continue,
            };
            let work = &self.folders[*index];
            let travels = |item: &ListedItem| {
                let left = self.work.travel.left_by(&work.lane, seconds(item), &item.flags, item.size_bytes);
                left.is_none() && max.is_none_or(|max| item.size_bytes <= max)
            };
            items.retain(travels);
            if !work.is_fresh
                && let (Some(first), Some(last)) = (items.first(), items.last())
            {
                let known = self.work.store.items_between(self.work.key, &work.row, &first.id, &last.id).await?;
                let known: HashSet<ItemId> = known.into_iter().map(|item| item.source_id).collect();
                items.retain(|item| !known.contains(&item.id));
            }
            coming.insert(*index, items);
        }
        Ok(coming)
    }

    /// Leaves out what was moved at the source, which needs no more room where the target moves, too. Returns what the source
    /// has lost.
    async fn without_moved(
        &mut self,
        source: &mut dyn Source,
        coming: &mut BTreeMap<usize, Vec<ListedItem>>,
    ) -> Result<Lost, Failure> {
        let (key, mailbox, adopted_follow) =
            (self.work.key, self.work.mailbox.mailbox, self.work.setting.adopted_follow);
        let is_ours = |item: &LedgerItem| item.fate == Fate::Copied || (adopted_follow && item.fate == Fate::Adopted);
        // What is about to go, what stays for now, and what goes without having moved.
        let (mut going, mut former, mut approved) = (Alike::default(), Alike::default(), Alike::default());
        for work in &self.folders {
            let is_unchanged = work.row.source.is_some_and(|read| work.state.proves_unchanged(&read));
            if work.is_fresh || is_unchanged {
                continue;
            }
            let listed = match source.list(&work.row.path).await {
                Ok(listed) => listed.into_iter().map(|(id, _)| id).collect::<HashSet<ItemId>>(),
                Err(error) if error.ends_session() => return Err(error).on_source(),
                Err(_) => continue,
            };
            let mut items = self.work.store.items(key, &work.row);
            loop {
                let page = items.next().await?;
                if page.is_empty() {
                    break;
                }
                for item in page.iter().filter(|item| is_ours(item) && !listed.contains(&item.source_id)) {
                    going.add(item.size_bytes, item.received);
                }
            }
        }
        let (now, later) = self.vanished_now_and_later().await?;
        let is_in = |rows: &[FolderRow], row: &FolderRow| rows.iter().any(|other| other.folder == row.folder);
        let mut later_is = Usage::default();
        for row in &self.rows_gone {
            let mut items = self.work.store.items(key, row);
            loop {
                let page = items.next().await?;
                if page.is_empty() {
                    break;
                }
                for item in page.iter().filter(|item| is_ours(item)) {
                    let to = if is_in(&now, row) { &mut going } else { &mut former };
                    to.add(item.size_bytes, item.received);
                    if is_in(&later, row) {
                        later_is.add(item.size_bytes, 1);
                    }
                }
            }
        }
        for held in self.removals.values() {
            let to = match held.state {
                RemovalState::Due | RemovalState::Doing => &mut going,
                RemovalState::Approved | RemovalState::Obeying => &mut approved,
                RemovalState::Held | RemovalState::Kept => &mut former,
            };
            to.add(held.size_bytes, held.received);
        }
        if self.target.offers().moves {
            for items in coming.values_mut() {
                items.retain(|item| {
                    let (size_bytes, received) = (item.size_bytes, seconds(item));
                    !going.take(size_bytes, received) && !former.take(size_bytes, received)
                });
            }
        }
        // What is much at once stays until somebody says so.
        let (going, approved) = (going.left(), approved.left());
        let due = self.removals.values().filter(|held| matches!(held.state, RemovalState::Due | RemovalState::Doing));
        let there = self.work.store.count_there(key, mailbox).await?.saturating_add(due.count() as u64);
        let (following, day) = (self.work.policy.following, self.work.store.now().await? / 86_400_000);
        let stays = following.is_mass(going.items, there)
            || self.work.store.removed_on(key, mailbox, day).await?.saturating_add(going.items)
                > following.removals_a_day_max;
        let is_any = going.items > 0 || approved.items > 0;
        let mut goes = if stays { Usage::default() } else { going };
        goes.add(approved.bytes, approved.items);
        Ok(Lost { going: goes, is_any, later: later_is })
    }

    /// Leaves out what lies on the target already, put there by another tool or by us without our knowing. Returns what of
    /// the rest may be there, too, by its size alone, and how many items nobody knows.
    async fn without_copies(
        &mut self,
        coming: &mut BTreeMap<usize, Vec<ListedItem>>,
        there: &BTreeMap<FolderPath, Folder>,
    ) -> Result<(Usage, u64), Failure> {
        let (mut may_be, mut unknown) = (Usage::default(), 0);
        let (key, mailbox) = (self.work.key, self.work.mailbox.mailbox);
        let mut by_path: BTreeMap<FolderPath, Vec<&mut Vec<ListedItem>>> = BTreeMap::new();
        for (index, items) in coming.iter_mut().filter(|(_, items)| !items.is_empty()) {
            by_path.entry(self.folders[*index].row.target_path.clone()).or_default().push(items);
        }
        for (path, mut together) in by_path {
            let Some(folder) = there.get(&path).filter(|folder| folder.holds_items) else { continue };
            let whole = connector::ReadFolder { path: path.clone(), since: None };
            let listed = match self.target.sizes(&whole).await {
                Ok(listed) => listed,
                Err(error) if error.ends_session() => return Err(error).on_target(),
                Err(_) => continue,
            };
            let validity = folder.state.map_or(0, |state| state.validity);
            let known = self.work.store.target_ids(key, mailbox, &path, validity).await?;
            let mut alike = Alike::default();
            for item in listed.iter().filter(|item| !known.contains(&item.id)) {
                alike.add(item.size_bytes, seconds(item));
            }
            for items in &mut together {
                items.retain(|item| !alike.take(item.size_bytes, seconds(item)));
            }
            unknown += alike.left().items;
            let by_size = alike.of_sizes(together.iter().flat_map(|items| items.iter()).map(|item| item.size_bytes));
            may_be.add(by_size.bytes, by_size.items);
        }
        Ok((may_be, unknown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(there: u64, going: u64, coming: u64) -> Load {
        let usage = |bytes| Usage { bytes, items: bytes / 10 };
        Load { there: usage(there), going: usage(going), coming: usage(coming) }
    }

    fn root(used: u64, max: u64, unit: u64) -> Allowance {
        Allowance { used, max, unit }
    }

    fn limits(project: Option<u64>, target: Option<u64>, load: &Load) -> Limits {
        let bytes = target.map(|max| root(load.there.bytes, max, 1)).into_iter().collect();
        let quota = Quota { bytes, items: Vec::new() };
        Limits::new(project.map(|max| (QuotaOf::Policy, max)), load.there, &quota)
    }

    #[test]
    fn exactly_at_the_projects_quota_fails_and_one_byte_less_passes() {
        for (project, load, fits) in [
            (100, load(0, 0, 100), false),
            (100, load(0, 0, 99), true),
            (100, load(60, 0, 40), false),
            (100, load(59, 0, 40), true),
            (100, load(100, 0, 0), false),
            (100, load(90, 30, 39), true),
            (100, load(90, 30, 40), false),
            (4_294_967_296, load(4_294_967_295, 0, 1), false),
            (u64::MAX, load(u64::MAX, 0, 1), false),
        ] {
            let verdict = limits(Some(project), None, &load).verdict(&load).unwrap();
            assert_eq!(verdict.fits, fits, "{load:?} of {project}");
        }
    }

    #[test]
    fn the_targets_own_may_be_filled_and_the_stricter_one_counts() {
        for (project, target, coming, of, fits) in [
            (None, Some(100), 100, QuotaOf::Target, true),
            (None, Some(100), 101, QuotaOf::Target, false),
            (Some(50), Some(100), 50, QuotaOf::Policy, false),
            (Some(200), Some(100), 101, QuotaOf::Target, false),
            (Some(100), Some(100), 100, QuotaOf::Policy, false),
        ] {
            let load = load(0, 0, coming);
            let verdict = limits(project, target, &load).verdict(&load).unwrap();
            assert_eq!((verdict.limit.of, verdict.fits), (of, fits), "{project:?} and {target:?}");
        }
        let load = load(1, 0, 1);
        assert_eq!(limits(None, None, &load).verdict(&load), None);
    }

    #[test]
    fn room_is_what_keeps_below_every_quota() {
        let load = load(40, 0, 0);
        let bytes = |project, target| limits(project, target, &load).room();
        assert_eq!(bytes(Some(100), Some(100)).bytes, 59);
        assert_eq!(bytes(None, Some(100)).bytes, 60);
        assert_eq!(bytes(Some(10), None), Usage { bytes: 0, items: u64::MAX });
        let quota = Quota { bytes: Vec::new(), items: vec![root(4, 7, 1), root(90, 200, 1)] };
        assert_eq!(Limits::new(None, load.there, &quota).room(), Usage { bytes: u64::MAX, items: 3 });
    }

    #[test]
    fn what_is_not_listed_counts_as_the_platform_says() {
        let quota = |used| Quota { bytes: vec![root(used, 1 << 20, 1024)], items: Vec::new() };
        let bytes = |listed, used| lies_there(Usage { bytes: listed, items: 1 }, &quota(used)).bytes;
        assert_eq!(bytes(1500, 2048), 1500, "rounded up");
        assert_eq!(bytes(1500, 1024), 1500, "rounded down");
        assert_eq!(bytes(1500, 3072), 3072, "a calendar, say");
    }

    #[test]
    fn what_other_people_hold_is_not_this_persons() {
        const GB: u64 = 1 << 30;
        // 1 of 10 GB are used, and 900 of 905 that a whole domain shares.
        let quota = Quota { bytes: vec![root(900 * GB, 905 * GB, 1024), root(GB, 10 * GB, 1024)], items: Vec::new() };
        let verdict = |project, listed, coming| {
            let there = lies_there(Usage { bytes: listed, items: 1 }, &quota);
            let coming = Usage { bytes: coming, items: 1 };
            let load = Load { there, coming, ..Load::default() };
            let limits = Limits::new(Some((QuotaOf::Policy, project)), there, &quota);
            let verdict = limits.verdict(&load).unwrap();
            (verdict.limit.of, verdict.limit.max / GB, verdict.there / GB, verdict.fits)
        };
        for listed in [GB, GB - 500, GB / 2, GB + 5000] {
            let (of, max, there, fits) = verdict(8 * GB, listed, 4 * GB);
            assert_eq!((of, max, fits), (QuotaOf::Target, 905, true), "the domain has the least room: {there}");
            let (of, .., fits) = verdict(3 * GB, listed, 4 * GB);
            assert_eq!((of, fits), (QuotaOf::Policy, false));
        }
        assert_eq!(verdict(100 * GB, GB, 6 * GB), (QuotaOf::Target, 905, 900, false));
    }

    #[test]
    fn each_copy_is_taken_once() {
        let mut alike = Alike::default();
        alike.add(5, Some(1));
        alike.add(5, Some(1));
        alike.add(5, None);
        assert!(alike.take(5, Some(1)) && alike.take(5, Some(1)) && !alike.take(5, Some(1)));
        assert!(!alike.take(6, None));
        assert_eq!(alike.left(), Usage { bytes: 5, items: 1 });
    }
}
