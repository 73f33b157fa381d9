//! Histories of a person who is turned over to the target, works there while late mail comes to the source, comes back, works at
//! the source, and is turned over again: with passes that are stopped and connections that break.
//!
//! The judge knows the mailboxes alone, and what the person did with each message. Every message is one: it lies at most once on
//! either side, and on both unless its person took it away on one. The engine takes nothing away at the source, ever.

use std::collections::{BTreeMap, BTreeSet};

use connector::memory::Traits;
use model::{Flags, FolderPath, Phase};
use rehearsal::Chance;

use super::client::View;
use super::generate::Does;
use super::play::{Play, Stage, Turned};
use super::step::{Fault, Op, Pass, Serial, Side, Which, path};

const FOLDERS: [&str; 6] = ["Work", "Archive", "Work/2019", "Größe", "Mine", "Mine/Private"];
const FLAGS: [&str; 5] = ["\\Seen", "\\Flagged", "\\Answered", "Work", "$Forwarded"];
/// Passes until nothing changes, at most.
const PASSES_MAX: usize = 12;
/// So often a turn is tried that was stopped or broke.
const TRIES_MAX: usize = 12;

/// What the person did with messages.
#[derive(Debug, Default)]
struct Did {
    /// Removed at the source, or on the target, at some time.
    removed: [BTreeSet<Serial>; 2],
    /// On the target before the person was turned over.
    before: BTreeSet<Serial>,
    /// Moved on either side while the source was left.
    moved: BTreeSet<Serial>,
}

/// A history in the making.
struct History {
    chance: Chance,
    play: Play,
    faults: bool,
    moves: bool,
    did: Did,
    next: [u32; 2],
    is_left: bool,
    log: Vec<String>,
}

/// Plays a history of this seed between platforms in memory. Every complaint, with what happened.
pub fn history(seed: u64, source: Traits, target: Traits) -> Vec<String> {
    let moves = source.moves && target.moves;
    let stage = Stage::in_memory(source, target, Does { faults: true, ..Does::default() });
    play(seed, stage, true, moves)
}

/// Plays one on this stage: `faults` where connections can be broken, `moves` where both sides can move.
pub fn play(seed: u64, stage: Stage, faults: bool, moves: bool) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let wrong = runtime.block_on(async {
        let mut history = History {
            chance: Chance::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x7e11),
            play: Play::begin(stage),
            faults,
            moves,
            did: Did::default(),
            next: [0, 0],
            is_left: false,
            log: Vec::new(),
        };
        match history.all().await {
            Ok(()) => Vec::new(),
            Err(wrong) => vec![format!("seed {seed}: {wrong}\n    {}", history.log.join("\n    "))],
        }
    });
    runtime.shutdown_background();
    wrong
}

impl History {
    async fn all(&mut self) -> Result<(), String> {
        for _ in 0..2 + self.chance.below(8) {
            self.at_source();
        }
        for _ in 0..self.chance.below(3) {
            self.own_before();
        }
        self.rest().await?;
        for turn in 0..2 + self.chance.below(2) {
            let to = *self.chance.pick(&[Phase::Switching, Phase::Switched, Phase::Settled]);
            // How the target stands is written down first; only then does anything lead there.
            self.turn(Turned::Over(Phase::Switching)).await?;
            self.is_left = true;
            for _ in 0..2 + self.chance.below(10) {
                match self.chance.below(10) {
                    0..5 => self.on_target(),
                    5..8 => self.at_source(),
                    _ => self.turn(Turned::Over(to)).await?,
                }
            }
            self.judge(&format!("turned over, {turn}"), false).await?;
            self.turn(Turned::Back).await?;
            self.is_left = false;
            self.judge(&format!("back, {turn}"), false).await?;
            self.rest().await?;
            self.judge(&format!("at rest, {turn}"), true).await?;
            for _ in 0..self.chance.below(6) {
                self.at_source();
            }
            self.rest().await?;
            self.judge(&format!("at rest again, {turn}"), true).await?;
        }
        // Turned over and back once more: nothing is left to do.
        let stands = self.stands();
        self.turn(Turned::Over(Phase::Settled)).await?;
        self.turn(Turned::Back).await?;
        self.rest().await?;
        if self.stands() != stands {
            return Err(format!("restless: {stands:?} → {:?}", self.stands()));
        }
        Ok(())
    }

    fn view(&mut self, side: Side) -> View {
        self.play.cast.lock().unwrap().client(side).view()
    }

    fn stands(&mut self) -> [String; 2] {
        [Side::Source, Side::Target].map(|side| self.play.cast.lock().unwrap().client(side).stands())
    }

    fn act(&mut self, side: Side, op: &Op) -> bool {
        let done = self.play.cast.lock().unwrap().client(side).act(op);
        if done {
            self.log.push(format!("{side} {op}"));
        }
        done
    }

    /// Passes until nothing changes, removals that wait approved.
    async fn rest(&mut self) -> Result<(), String> {
        let mut stands = self.stands();
        for pass in 0..PASSES_MAX {
            let trouble = if pass == 0 { self.trouble() } else { Pass::default() };
            self.log.push(format!("pass {trouble:?}"));
            self.play.pass(&trouble).await?;
            self.play.approve_removals().await;
            let now = self.stands();
            if now == stands && pass > 2 {
                return Ok(());
            }
            stands = now;
        }
        Err(format!("restless: {PASSES_MAX} passes, and the last ones still wrote"))
    }

    fn trouble(&mut self) -> Pass {
        let mut pass = Pass::default();
        let most = *self.chance.pick(&[10, 40, 120]);
        match self.chance.below(10) {
            0..3 => pass.stop = Some(1 + self.chance.below(most)),
            3..5 if self.faults => {
                let side = if self.chance.in_thousand(500) { Side::Source } else { Side::Target };
                pass.fault = Some(Fault { side, at: 1 + self.chance.below(most), for_good: false });
            }
            _ => {}
        }
        pass
    }

    /// Is turned, however often that is stopped.
    async fn turn(&mut self, turned: Turned) -> Result<(), String> {
        for tried in 0..TRIES_MAX {
            let trouble = if tried < 4 { self.trouble() } else { Pass::default() };
            self.log.push(format!("{turned:?} {trouble:?}"));
            if self.play.turn(turned, &trouble).await? {
                return Ok(());
            }
        }
        Err(format!("stuck: {turned:?}"))
    }

    fn message(&mut self, side: Side) -> Option<(Serial, FolderPath, Flags)> {
        let view = self.view(side);
        let all: Vec<_> = view
            .iter()
            .flat_map(|(path, shelf)| {
                shelf.items.iter().filter_map(|l| Some((l.serial?, path.clone(), l.flags.clone())))
            })
            .collect();
        (!all.is_empty()).then(|| self.chance.pick(&all).clone())
    }

    fn folder(&mut self, side: Side) -> FolderPath {
        if self.chance.in_thousand(150) {
            let new = path(self.chance.pick::<&str>(&FOLDERS));
            let parent = new.parent().filter(|parent| !self.view(side).contains_key(parent));
            self.act(side, &Op::Create(parent.unwrap_or(new)));
        }
        let all: Vec<FolderPath> = self.view(side).into_keys().collect();
        self.chance.pick(&all).clone()
    }

    fn flags(&mut self) -> Flags {
        let count = self.chance.below(3);
        Flags::of((0..count).map(|_| *self.chance.pick(&FLAGS)).collect::<Vec<_>>())
    }

    fn deliver(&mut self, side: Side) -> Serial {
        let own = side == Side::Target;
        let number = &mut self.next[usize::from(own)];
        *number += 1;
        let serial = Serial { own, number: *number };
        let (folder, flags) = (self.folder(side), self.flags());
        self.act(side, &Op::Deliver(serial, folder, flags));
        serial
    }

    fn own_before(&mut self) {
        let serial = self.deliver(Side::Target);
        self.did.before.insert(serial);
    }

    fn on_target(&mut self) {
        match self.chance.below(10) {
            0..4 => drop(self.deliver(Side::Target)),
            4..6 => self.flag(Side::Target),
            6..8 => self.relocate(Side::Target),
            8 => self.expunge(Side::Target),
            _ => self.rename(Side::Target),
        }
    }

    fn at_source(&mut self) {
        match self.chance.below(12) {
            0..5 => drop(self.deliver(Side::Source)),
            5..7 => self.flag(Side::Source),
            7..10 => self.relocate(Side::Source),
            10 => self.expunge(Side::Source),
            _ => self.rename(Side::Source),
        }
    }

    fn flag(&mut self, side: Side) {
        let Some((serial, folder, now)) = self.message(side) else { return };
        let wanted = self.flags();
        let op = Op::Flag(Which { serial, nth: 0 }, folder, wanted.without(&now), now.intersection(&wanted));
        self.act(side, &op);
    }

    fn relocate(&mut self, side: Side) {
        let Some((serial, from, _)) = self.message(side) else { return };
        let to = self.folder(side);
        if to != from && self.act(side, &Op::Move(Which { serial, nth: 0 }, from, to)) && self.is_left {
            self.did.moved.insert(serial);
        }
    }

    fn expunge(&mut self, side: Side) {
        let Some((serial, folder, _)) = self.message(side) else { return };
        if self.act(side, &Op::Expunge(Which { serial, nth: 0 }, folder)) {
            self.did.removed[side as usize].insert(serial);
        }
    }

    fn rename(&mut self, side: Side) {
        let from = self.folder(side);
        let to = path(self.chance.pick::<&str>(&FOLDERS));
        let view = self.view(side);
        let is_below = |path: &FolderPath| path.names().starts_with(from.names());
        let has_parent = to.parent().is_none_or(|parent| view.contains_key(&parent) && !is_below(&parent));
        if from.is_inbox() || !has_parent || view.contains_key(&to) || to.names().starts_with(from.names()) {
            return;
        }
        let within = view.iter().filter(|(path, _)| is_below(path)).flat_map(|(_, shelf)| &shelf.items);
        let within: Vec<Serial> = within.filter_map(|lying| lying.serial).collect();
        if self.act(side, &Op::Rename(from, to)) && self.is_left {
            self.did.moved.extend(within);
        }
    }

    /// Judges how both sides stand; `at_rest` when the source rules again and nothing is left to be done.
    async fn judge(&mut self, when: &str, at_rest: bool) -> Result<(), String> {
        let [source, target] = [Side::Source, Side::Target].map(|side| self.view(side));
        let (here, there) = (lies(&source), lies(&target));
        let serials: BTreeSet<Serial> = here.keys().chain(there.keys()).copied().collect();
        let mut wrong = Vec::new();
        for side in [&source, &target] {
            for lying in side.values().flat_map(|shelf| &shelf.items) {
                let is_dated = lying.serial.is_some_and(|serial| serial.received() == lying.received);
                if !lying.whole || !is_dated {
                    wrong.push(format!("another message than the person's: {lying:?}"));
                }
            }
        }
        for serial in serials {
            let none = Vec::new();
            let [at, on] = [&here, &there].map(|lies| lies.get(&serial).unwrap_or(&none));
            let what = format!("{serial}: at the source {at:?}, on the target {on:?}");
            if at.len() > 1 || on.len() > 1 {
                wrong.push(format!("double: {what}"));
                continue;
            }
            let was_removed = |side: Side| self.did.removed[side as usize].contains(&serial);
            let is_own_there = self.did.before.contains(&serial);
            if !self.is_left && at.is_empty() && !was_removed(Side::Source) && !is_own_there {
                wrong.push(format!("lost at the source: {what}"));
            }
            if at_rest && on.is_empty() && !was_removed(Side::Target) {
                wrong.push(format!("lost on the target: {what}"));
            }
            if let ([(here, is)], [(there, was)]) = (at.as_slice(), on.as_slice())
                && at_rest
            {
                let may_lie_apart = !self.moves && self.did.moved.contains(&serial);
                if here != there && !may_lie_apart {
                    wrong.push(format!("apart: {what}"));
                }
                if is != was {
                    wrong.push(format!("flags: {what}"));
                }
            }
        }
        // What the person has at the source and did not remove there is there: see `lost`. Nothing else has come.
        for (path, holds, accounted) in self.play.sums().await {
            if at_rest && holds != accounted {
                wrong.push(format!("sums: {path} holds {holds} at the source, {accounted} have a fate"));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(format!("{when}: {wrong:#?}")) }
    }
}

/// Where each message lies, with its flags.
fn lies(view: &View) -> BTreeMap<Serial, Vec<(FolderPath, BTreeSet<String>)>> {
    let mut lies: BTreeMap<Serial, Vec<(FolderPath, BTreeSet<String>)>> = BTreeMap::new();
    for (path, shelf) in view {
        for lying in &shelf.items {
            if let Some(serial) = lying.serial {
                lies.entry(serial).or_default().push((path.clone(), super::book::names(&lying.flags)));
            }
        }
    }
    lies
}
