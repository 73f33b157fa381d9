//! The book that the judge keeps while a history is played: what the person did on either side, and nothing of what the
//! engine did. It shares no code with the engine, and knows copies by their contents alone: messages of one number are as
//! good as each other.

use std::collections::{BTreeMap, BTreeSet};

use model::{Flags, FolderPath};

use super::client::{Lying, place};
use super::step::{Op, Serial, Side, Which};
use super::together;

/// A folder that a client has made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Its messages in their order.
    pub items: Vec<(Serial, Flags)>,
    /// Is it followed?
    pub subscribed: bool,
}

impl Kept {
    fn place(&self, which: Which) -> Option<usize> {
        place(self.items.iter().map(|(serial, _)| Some(*serial)), which)
    }
}

/// A mailbox as its client has made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree(pub BTreeMap<FolderPath, Kept>);

impl Default for Tree {
    /// An empty mailbox.
    fn default() -> Self {
        Self(BTreeMap::from([(FolderPath::inbox(), Kept::default())]))
    }
}

fn is_below(path: &FolderPath, above: &FolderPath) -> bool {
    path.names().starts_with(above.names())
}

impl Tree {
    /// Could this be done?
    pub fn can(&self, op: &Op) -> bool {
        let holds = |folder: &FolderPath, which: &Which| self.0.get(folder).is_some_and(|f| f.place(*which).is_some());
        match op {
            Op::Deliver(_, folder, _) => self.0.contains_key(folder),
            Op::Flag(which, folder, ..) | Op::Expunge(which, folder) => holds(folder, which),
            Op::Move(which, from, to) => holds(from, which) && from != to && self.0.contains_key(to),
            Op::Copy(which, from, to) => holds(from, which) && self.0.contains_key(to),
            Op::Create(folder) => !self.0.contains_key(folder),
            Op::Rename(from, to) => {
                self.0.contains_key(from)
                    && !from.is_inbox()
                    && !is_below(to, from)
                    && !is_below(from, to)
                    && !self.0.keys().any(|path| is_below(path, to))
            }
            Op::Delete(folder) => self.0.contains_key(folder) && !folder.is_inbox(),
            Op::Subscribe(folder, subscribed) => {
                self.0.get(folder).is_some_and(|folder| folder.subscribed != *subscribed)
            }
        }
    }

    /// Does it. False, and nothing is changed, where it can't be done.
    pub fn apply(&mut self, op: &Op) -> bool {
        self.can(op) && self.try_apply(op).is_some()
    }

    fn take(&mut self, folder: &FolderPath, which: Which) -> Option<(Serial, Flags)> {
        let folder = self.0.get_mut(folder)?;
        Some(folder.items.remove(folder.place(which)?))
    }

    fn try_apply(&mut self, op: &Op) -> Option<()> {
        match op {
            Op::Deliver(serial, folder, flags) => self.0.get_mut(folder)?.items.push((*serial, flags.clone())),
            Op::Flag(which, folder, add, take) => {
                let folder = self.0.get_mut(folder)?;
                let place = folder.place(*which)?;
                let flags = &mut folder.items.get_mut(place)?.1;
                *flags = flags.without(take).union(add);
            }
            Op::Move(which, from, to) => {
                let item = self.take(from, *which)?;
                self.0.get_mut(to)?.items.push(item);
            }
            Op::Copy(which, from, to) => {
                let folder = self.0.get(from)?;
                let item = folder.items.get(folder.place(*which)?)?.clone();
                self.0.get_mut(to)?.items.push(item);
            }
            Op::Expunge(which, folder) => drop(self.take(folder, *which)?),
            Op::Create(folder) => drop(self.0.insert(folder.clone(), Kept::default())),
            Op::Rename(from, to) => {
                let moved: Vec<FolderPath> = self.0.keys().filter(|path| is_below(path, from)).cloned().collect();
                for path in moved {
                    let rest = path.names()[from.names().len()..].iter();
                    let renamed = FolderPath::new(to.names().iter().chain(rest).cloned());
                    let folder = self.0.remove(&path)?;
                    self.0.insert(renamed, folder);
                }
            }
            Op::Delete(folder) => drop(self.0.remove(folder)?),
            Op::Subscribe(folder, subscribed) => self.0.get_mut(folder)?.subscribed = *subscribed,
        }
        Some(())
    }

    /// Every message of this number: where, and its flags.
    pub fn instances(&self, serial: Serial) -> Vec<(&FolderPath, &Flags)> {
        let all = self.0.iter().flat_map(|(path, folder)| folder.items.iter().map(move |item| (path, item)));
        all.filter(|(_, (other, _))| *other == serial).map(|(path, (_, flags))| (path, flags)).collect()
    }

    /// Every number there is.
    pub fn serials(&self) -> BTreeSet<Serial> {
        self.0.values().flat_map(|folder| folder.items.iter().map(|(serial, _)| *serial)).collect()
    }
}

/// What is known of the messages of one number.
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// How many there ever were at the source.
    pub made: u64,
    /// At some time there were several at once: which copy is of which can't be told.
    pub several: bool,
    /// Folders of the target to which the folders of the source go in which it ever lay.
    pub lay_in: BTreeSet<FolderPath>,
    /// How many have left folders of the source that go to this folder of the target.
    pub left: BTreeMap<FolderPath, u64>,
    /// Some have left a folder of the target, as the folders of the source go there: not only from one of these to another.
    pub has_left: bool,
    /// Flags ever taken at the source.
    pub taken: BTreeSet<String>,
    /// Flags changed at the source since a pass last said that all is in step.
    pub unsettled: BTreeSet<String>,
    /// It was at the source when a pass last said so.
    pub settled: bool,
    /// It was moved at the source since.
    pub moved: bool,
    /// Flags that the person changed on the target, as they left them.
    pub mine: BTreeMap<String, bool>,
    /// Flags changed on both sides: either is right.
    pub both: BTreeSet<String>,
    /// How often the person changed flags of a copy.
    pub flagged: u64,
    /// Copies that the person removed, or moved away.
    pub withdrawn: u64,
    /// Copies that the person moved to this folder, or brought there, at least and at most.
    pub placed: BTreeMap<FolderPath, (u64, u64)>,
    /// Copies that were in this folder of the target before anything was copied: an earlier attempt's.
    pub earlier: BTreeMap<FolderPath, u64>,
    /// Each of them had its message in this folder of the source when the first pass began: none is left over.
    pub is_taken_up: bool,
    /// The one copy was changed by the person, and visibly: it stays whatever becomes of the message.
    pub stays: bool,
}

impl Track {
    fn flags_changed_at_source(&mut self, changed: &BTreeSet<String>) {
        for flag in changed {
            if self.mine.contains_key(flag) {
                self.both.insert(flag.clone());
                self.stays = false;
            } else {
                self.unsettled.insert(flag.clone());
            }
        }
    }

    /// The person took a copy out of a folder of the target where so many lay.
    fn took(&mut self, folder: &FolderPath, lay: u64) {
        self.stays = false;
        let (low, high) = self.placed.get(folder).copied().unwrap_or_default();
        let now = if lay <= low {
            // One that lay where the person had put it may have become the copy of what the source has in that folder.
            self.withdrawn += u64::from(self.lay_in.contains(folder));
            (low.saturating_sub(1), high.saturating_sub(1))
        } else {
            self.withdrawn += 1;
            (low.saturating_sub(1), high)
        };
        self.placed.insert(folder.clone(), now);
    }
}

/// Flags by name, case left out of account.
pub(super) fn names(flags: &Flags) -> BTreeSet<String> {
    flags.names().map(str::to_ascii_lowercase).collect()
}

/// What the person did on both sides.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// The source, as its client has made it.
    pub source: Tree,
    /// The person's own messages on the target, by folder.
    pub own: BTreeMap<FolderPath, Vec<(Serial, Flags)>>,
    /// Folders of the target that the person made.
    pub made_folders: BTreeSet<FolderPath>,
    /// Folders of which the engine does not know whether it made them: a pass was stopped while it did.
    pub doubtful_folders: BTreeSet<FolderPath>,
    /// Folders of the target that ever held something of their own.
    pub own_folders: BTreeSet<FolderPath>,
    /// Folders of the target that the person followed or unfollowed there.
    pub own_subscriptions: BTreeSet<FolderPath>,
    /// What is known of each message of the source.
    pub tracks: BTreeMap<Serial, Track>,
    /// Folders that the source did not have any more at some time. One made anew under such a name has another UIDVALIDITY:
    /// what the old one held waits for a word.
    pub freed: BTreeSet<FolderPath>,
    /// The engine has made a pass.
    pub is_begun: bool,
    /// Ids or the ledger were lost at some time: flags and removals may be less than followed.
    pub weak: bool,
    /// Folders of the source come together on the target.
    pub merged: bool,
    backup: Option<Tree>,
}

impl Book {
    /// The client at the source did this.
    pub fn source_did(&mut self, op: &Op) {
        let mut now = self.source.clone();
        if now.apply(op) {
            self.source_is(now);
        }
    }

    /// The source is this now.
    fn source_is(&mut self, now: Tree) {
        let before = std::mem::replace(&mut self.source, now);
        self.freed.extend(before.0.keys().filter(|path| !self.source.0.contains_key(path)).cloned());
        let merged = self.merged;
        let mut serials = before.serials();
        serials.extend(self.source.serials());
        for serial in serials {
            let (was, is) = (before.instances(serial), self.source.instances(serial));
            if was != is {
                compare(self.tracks.entry(serial).or_default(), &was, &is, |path| on_target(merged, path));
            }
        }
    }

    /// Is this something that the person may do on the target in a history?
    pub fn may_on_target(&self, op: &Op) -> bool {
        match op {
            Op::Deliver(serial, ..) => serial.own || !self.is_begun,
            Op::Flag(..) | Op::Move(..) | Op::Expunge(..) | Op::Create(_) | Op::Subscribe(..) => true,
            Op::Copy(..) | Op::Rename(..) | Op::Delete(_) => false,
        }
    }

    /// The person did this on the target. Before, the messages of the folder that it was done in were these; `in_pass`
    /// when the engine was in the middle of a pass.
    pub fn target_did(&mut self, op: &Op, before: &[Lying], in_pass: bool) {
        match op {
            Op::Deliver(serial, folder, _) if !serial.own => {
                let track = self.tracks.entry(*serial).or_default();
                *track.earlier.entry(folder.clone()).or_default() += 1;
                let (low, high) = track.placed.entry(folder.clone()).or_default();
                (*low, *high) = (*low + 1, *high + 1);
                self.own_folders.insert(folder.clone());
            }
            Op::Deliver(serial, folder, flags) => {
                self.own.entry(folder.clone()).or_default().push((*serial, flags.clone()));
                self.own_folders.insert(folder.clone());
            }
            Op::Create(folder) => drop(self.made_folders.insert(folder.clone())),
            Op::Subscribe(folder, _) => drop(self.own_subscriptions.insert(folder.clone())),
            Op::Flag(which, folder, add, take) if which.serial.own => {
                if let Some((_, flags)) = self.own_item(folder, *which) {
                    *flags = flags.without(take).union(add);
                }
            }
            Op::Move(which, from, to) if which.serial.own => {
                if let Some(item) = self.take_own(from, *which) {
                    self.own.entry(to.clone()).or_default().push(item);
                    self.own_folders.insert(to.clone());
                }
            }
            Op::Expunge(which, folder) if which.serial.own => drop(self.take_own(folder, *which)),
            Op::Flag(which, _, add, take) => {
                let Some(place) = place(before.iter().map(|lying| lying.serial), *which) else {
                    // It came between the look and the deed, so which flags it came with was not seen.
                    let track = self.tracks.entry(which.serial).or_default();
                    for flag in names(add).into_iter().chain(names(take)) {
                        track.mine.insert(flag.clone(), names(add).contains(&flag));
                        track.both.insert(flag);
                    }
                    track.flagged += 1;
                    return;
                };
                let was = names(&before[place].flags);
                let add: BTreeSet<String> = names(add).difference(&was).cloned().collect();
                let take: BTreeSet<String> = names(take).intersection(&was).cloned().collect();
                let track = self.tracks.entry(which.serial).or_default();
                let changed = add.iter().map(|flag| (flag, true)).chain(take.iter().map(|flag| (flag, false)));
                let is_first = track.mine.is_empty();
                let mut is_mine_alone = true;
                for (flag, is_set) in changed {
                    track.mine.insert(flag.clone(), is_set);
                    if track.moved || track.unsettled.contains(flag) {
                        track.both.insert(flag.clone());
                        is_mine_alone = false;
                    }
                }
                if !add.is_empty() || !take.is_empty() {
                    track.flagged += 1;
                    let is_one = track.made == 1 && track.withdrawn == 0;
                    track.stays = is_first && is_one && is_mine_alone && track.settled && !in_pass;
                }
            }
            Op::Expunge(which, folder) | Op::Move(which, folder, _) => {
                // It may have come between the look and the deed.
                let lay = before.iter().filter(|lying| lying.serial == Some(which.serial)).count().max(1) as u64;
                let track = self.tracks.entry(which.serial).or_default();
                track.took(folder, lay);
                if let Op::Move(_, _, to) = op {
                    let (low, high) = track.placed.entry(to.clone()).or_default();
                    (*low, *high) = (*low + 1, *high + 1);
                    self.own_folders.insert(to.clone());
                }
            }
            Op::Copy(..) | Op::Rename(..) | Op::Delete(_) => {}
        }
    }

    fn own_item(&mut self, folder: &FolderPath, which: Which) -> Option<&mut (Serial, Flags)> {
        let items = self.own.get_mut(folder)?;
        let place = place(items.iter().map(|(serial, _)| Some(*serial)), which)?;
        items.get_mut(place)
    }

    fn take_own(&mut self, folder: &FolderPath, which: Which) -> Option<(Serial, Flags)> {
        let items = self.own.get_mut(folder)?;
        Some(items.remove(place(items.iter().map(|(serial, _)| Some(*serial)), which)?))
    }

    /// Somebody did this on one side.
    pub fn did(&mut self, side: Side, op: &Op, before: &[Lying], in_pass: bool) {
        match side {
            Side::Source => self.source_did(op),
            Side::Target => self.target_did(op, before, in_pass),
        }
    }

    /// Folders of the target to which a folder went that the source did not have any more at some time.
    pub fn freed_on_target(&self) -> BTreeSet<FolderPath> {
        self.freed.iter().map(|path| on_target(self.merged, path)).collect()
    }

    /// The engine is about to make a pass.
    pub fn begin_pass(&mut self) {
        if std::mem::replace(&mut self.is_begun, true) {
            return;
        }
        for (serial, track) in &mut self.tracks {
            let there = self.source.instances(*serial);
            let enough = |(folder, earlier): (&FolderPath, &u64)| {
                there.iter().filter(|(path, _)| on_target(self.merged, path) == *folder).count() as u64 >= *earlier
            };
            track.is_taken_up = track.earlier.iter().all(enough);
        }
    }

    /// A pass, that nothing came in the way of and in which nobody else did anything, said that all is in step.
    pub fn settle(&mut self) {
        let there = self.source.serials();
        for (serial, track) in &mut self.tracks {
            track.unsettled.clear();
            track.moved = false;
            track.settled = there.contains(serial);
        }
    }

    /// Forgets what is gone from the source: for histories without end, in which nobody touches the copies.
    pub fn forget_gone(&mut self) {
        let there = self.source.serials();
        self.tracks.retain(|serial, _| there.contains(serial));
    }

    /// The source was backed up.
    pub fn backed_up(&mut self) {
        self.backup = Some(self.source.clone());
    }

    /// The source is as it was when it was backed up.
    pub fn restored(&mut self) {
        self.weak = true;
        if let Some(backup) = self.backup.clone() {
            self.source_is(backup);
        }
    }
}

/// Where what lies in a folder of the source goes.
fn on_target(merged: bool, path: &FolderPath) -> FolderPath {
    if merged { together::on_target(path) } else { path.clone() }
}

type Instances<'t> = [(&'t FolderPath, &'t Flags)];

/// What it says of the messages of a number that they were these and are those.
fn compare(track: &mut Track, was: &Instances<'_>, is: &Instances<'_>, to: impl Fn(&FolderPath) -> FolderPath) {
    let in_folder = |list: &Instances<'_>, folder| list.iter().filter(|(other, _)| *other == folder).count() as u64;
    let folders: BTreeSet<&FolderPath> = was.iter().map(|(folder, _)| *folder).collect();
    for folder in folders {
        let left = in_folder(was, folder).saturating_sub(in_folder(is, folder));
        *track.left.entry(to(folder)).or_default() += left;
    }
    let goes_to = |list: &Instances<'_>, place: &FolderPath| list.iter().filter(|(path, _)| to(path) == *place).count();
    track.has_left |= was.iter().map(|(path, _)| to(path)).any(|place| goes_to(was, &place) > goes_to(is, &place));
    track.lay_in.extend(is.iter().map(|(folder, _)| to(folder)));
    track.made += (is.len() as u64).saturating_sub(was.len() as u64);
    track.several |= is.len() > 1 || track.made > 1;
    let count = |list: &Instances<'_>| {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for flag in list.iter().flat_map(|(_, flags)| names(flags)) {
            *counts.entry(flag).or_default() += 1;
        }
        counts
    };
    let (had, has) = (count(was), count(is));
    let lost = had.iter().filter(|(flag, count)| has.get(*flag).copied().unwrap_or_default() < **count);
    track.taken.extend(lost.map(|(flag, _)| flag.clone()));
    if was.len() == 1 && is.len() == 1 {
        let (old, new) = (names(was[0].1), names(is[0].1));
        track.flags_changed_at_source(&old.symmetric_difference(&new).cloned().collect());
        if was[0].0 != is[0].0 {
            // The copy is moved, or another is made: with the flags of either side.
            track.both.extend(track.mine.keys().cloned());
            track.moved = true;
            track.stays = false;
        }
    }
}
