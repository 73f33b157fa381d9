//! A history from a seed. The same seed, the same history, whatever the engine does.

use std::collections::BTreeMap;

use model::{Flags, FolderPath};
use rehearsal::Chance;

use super::book::Tree;
use super::step::{Event, Fault, Op, Pass, Serial, Side, Step, Which, path};
use super::together;

/// What may happen in a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Does {
    /// Messages and folders of the source leave their places: they are moved, removed, renamed.
    pub leaves: bool,
    /// The target is in use.
    pub in_use: bool,
    /// The person changes copies on the target.
    pub on_copies: bool,
    /// Connections break, the engine is stopped, and clients act in the middle of a pass.
    pub troubles: bool,
    /// Ids are lost, backups restored, the ledger lost.
    pub events: bool,
    /// Connections can be broken: in memory.
    pub faults: bool,
    /// Folders of the source come together on the target.
    pub merged: bool,
}

/// Folders at the source, parents first. Two differ in case alone.
const FOLDERS: [&str; 10] = [
    "Work",
    "work",
    "Archive",
    "Sent",
    "Größe",
    "Work/2019",
    "Work/2019/Übergabe",
    "Archive/Old",
    "Archive/2019",
    "Größe/Work",
];
/// Folders that the person may have made on the target; some are, or will be, folders of the source too.
const OWN_FOLDERS: [&str; 6] = ["Mine", "Mine/Private", "Archive", "Work", "Sent", "Work/Mine"];
const FLAGS: [&str; 7] = ["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "Work", "$Forwarded", "\\Deleted"];

/// A history of this seed.
pub fn history(seed: u64, does: Does) -> Vec<Step> {
    let mut maker = Maker::new(seed, does);
    maker.make();
    maker.steps
}

/// What a client does at the source without end.
pub struct Endless {
    maker: Maker,
}

impl Endless {
    /// From a seed; the mailbox stays at about so many messages.
    pub fn new(seed: u64, does: Does, messages: usize) -> Self {
        Self { maker: Maker { messages_max: messages, ..Maker::new(seed, does) } }
    }

    /// What is done next to a source that is this now.
    pub fn next(&mut self, source: &Tree) -> Op {
        loop {
            while let Some(step) = self.maker.steps.pop() {
                if let Step::Client(Side::Source, op) = step {
                    return op;
                }
            }
            self.maker.source.clone_from(source);
            self.maker.source_op();
            self.maker.steps.reverse();
        }
    }
}

struct Maker {
    chance: Chance,
    does: Does,
    source: Tree,
    /// The source as it was when the last pass began: about what the target holds of it.
    copied: Tree,
    own: BTreeMap<FolderPath, Vec<Serial>>,
    target_folders: Vec<FolderPath>,
    next: [u32; 2],
    steps: Vec<Step>,
    backup: Option<Tree>,
    is_kept: bool,
    /// With more messages than this at the source, one goes for each that would come.
    messages_max: usize,
}

impl Maker {
    fn new(seed: u64, does: Does) -> Self {
        Self {
            chance: Chance::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5eed),
            does,
            source: Tree::default(),
            copied: Tree::default(),
            own: BTreeMap::new(),
            target_folders: vec![FolderPath::inbox()],
            next: [0, 0],
            steps: Vec::new(),
            backup: None,
            is_kept: false,
            messages_max: usize::MAX,
        }
    }

    fn make(&mut self) {
        for _ in 0..self.chance.below(4) {
            self.create();
        }
        for _ in 0..=self.chance.below(8) {
            self.deliver();
        }
        if self.chance.in_thousand(300) {
            self.own_things();
        }
        if self.chance.in_thousand(150) {
            self.same_folder();
        }
        if self.chance.in_thousand(200) {
            for _ in 0..=self.chance.below(4) {
                self.earlier();
            }
        }
        for _ in 0..4 + self.chance.below(24) {
            match self.chance.below(100) {
                0..25 => self.pass(),
                25..32 if self.does.events => self.event(),
                25..75 => self.source_op(),
                _ if self.does.on_copies => self.on_copies(),
                _ => self.own_things(),
            }
        }
    }

    fn at_source(&mut self, op: Op) {
        if self.source.apply(&op) {
            self.steps.push(Step::Client(Side::Source, op));
        }
    }

    fn at_target(&mut self, op: Op) {
        self.steps.push(Step::Client(Side::Target, op));
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::NONE;
        for _ in 0..self.chance.below(3) {
            flags.insert(FLAGS[self.flag()]);
        }
        flags
    }

    /// `\Deleted` is rarer than the others.
    fn flag(&mut self) -> usize {
        let flag = self.chance.below(FLAGS.len() as u64) as usize;
        if flag == 6 && self.chance.in_thousand(600) { 0 } else { flag }
    }

    fn change_of_flags(&mut self, now: &Flags) -> (Flags, Flags) {
        let (mut add, mut take) = (Flags::NONE, Flags::NONE);
        for _ in 0..=self.chance.below(2) {
            let flag = Flags::of([FLAGS[self.flag()]]);
            if now.intersection(&flag).is_empty() { add = add.union(&flag) } else { take = take.union(&flag) }
        }
        (add, take)
    }

    /// A folder of the source; INBOX about as often as all others together.
    fn folder(&mut self) -> FolderPath {
        let paths: Vec<&FolderPath> = self.source.0.keys().collect();
        if self.chance.in_thousand(350) { FolderPath::inbox() } else { (*self.chance.pick(&paths)).clone() }
    }

    /// A message of a tree: which, where, and its flags.
    fn message(&mut self, tree: &Tree) -> Option<(Which, FolderPath, Flags)> {
        let mut all = Vec::new();
        for (path, folder) in &tree.0 {
            for (place, (serial, flags)) in folder.items.iter().enumerate() {
                let nth = folder.items[..place].iter().filter(|(other, _)| other == serial).count();
                all.push((Which { serial: *serial, nth }, path.clone(), flags.clone()));
            }
        }
        (!all.is_empty()).then(|| self.chance.pick(&all).clone())
    }

    fn new_serial(&mut self, own: bool) -> Serial {
        let number = &mut self.next[usize::from(own)];
        *number += 1;
        Serial { own, number: *number }
    }

    fn deliver(&mut self) {
        if self.source.0.values().map(|folder| folder.items.len()).sum::<usize>() > self.messages_max {
            return if self.does.leaves { self.expunge() } else { self.flag_one() };
        }
        let folder = self.folder();
        let flags = self.flags();
        // A twin of one that is, or was, there.
        if self.next[0] > 0 && self.chance.in_thousand(180) {
            let serial = Serial { own: false, number: 1 + self.chance.below(u64::from(self.next[0])) as u32 };
            let beside = self.source.instances(serial).first().map(|(path, _)| (*path).clone());
            let folder = beside.filter(|_| self.chance.in_thousand(600)).unwrap_or(folder);
            self.at_source(Op::Deliver(serial, folder, flags));
            return;
        }
        let serial = self.new_serial(false);
        self.at_source(Op::Deliver(serial, folder, flags));
    }

    /// An earlier attempt has brought a message to the target, perhaps more than once.
    fn earlier(&mut self) {
        let Some((which, folder, flags)) = self.message(&self.source.clone()) else { return };
        let other = self.flags();
        let flags = if self.chance.in_thousand(500) { flags } else { other };
        let folder = self.on_target(folder);
        if !folder.is_inbox() {
            self.at_target(Op::Create(folder.clone()));
            self.target_folders.push(folder.clone());
        }
        self.at_target(Op::Deliver(which.serial, folder, flags));
    }

    /// The person has a folder on the target that is made at the source too, and goes there again.
    fn same_folder(&mut self) {
        let folder = path(self.chance.pick::<&str>(&FOLDERS[..5]));
        self.at_target(Op::Create(folder.clone()));
        self.target_folders.push(folder.clone());
        self.at_source(Op::Create(folder.clone()));
        if self.does.leaves && self.chance.in_thousand(700) {
            if self.chance.in_thousand(500) {
                let serial = self.new_serial(false);
                self.at_source(Op::Deliver(serial, folder.clone(), Flags::NONE));
            }
            self.pass();
            self.at_source(Op::Delete(folder));
        }
    }

    fn create(&mut self) {
        let folder = path(self.chance.pick::<&str>(&FOLDERS));
        let parent = folder.parent().filter(|parent| !self.source.0.contains_key(parent));
        self.at_source(Op::Create(parent.unwrap_or(folder)));
    }

    fn source_op(&mut self) {
        let limit = if self.does.leaves { 100 } else { 60 };
        match self.chance.below(limit) {
            0..22 => self.deliver(),
            22..45 => self.flag_one(),
            45..50 => self.create(),
            50..55 if self.messages_max < usize::MAX => self.deliver(),
            50..55 => {
                if let Some((which, from, _)) = self.message(&self.source.clone()) {
                    let to = self.folder();
                    self.at_source(Op::Copy(which, from, to));
                }
            }
            55..60 => {
                let folder = self.folder();
                let is = self.source.0.get(&folder).is_some_and(|folder| folder.subscribed);
                if self.does.leaves || !is {
                    self.at_source(Op::Subscribe(folder, !is));
                }
            }
            60..74 => {
                if let Some((which, from, now)) = self.message(&self.source.clone()) {
                    let to = self.folder();
                    self.at_source(Op::Move(which, from.clone(), to.clone()));
                    match self.chance.below(8) {
                        // There and back again, flags changed on the way.
                        0 => self.at_source(Op::Move(Which { nth: 0, ..which }, to, from)),
                        1 => {
                            let (add, take) = self.change_of_flags(&now);
                            self.at_source(Op::Flag(Which { nth: 0, ..which }, to, add, take));
                        }
                        _ => {}
                    }
                }
            }
            74..86 => self.expunge(),
            86..93 => self.rename(),
            _ => self.delete(),
        }
    }

    fn flag_one(&mut self) {
        if let Some((which, folder, now)) = self.message(&self.source.clone()) {
            let (add, take) = self.change_of_flags(&now);
            self.at_source(Op::Flag(which, folder, add, take));
        }
    }

    fn expunge(&mut self) {
        if let Some((which, folder, _)) = self.message(&self.source.clone()) {
            self.at_source(Op::Expunge(which, folder));
        }
    }

    fn rename(&mut self) {
        let from = self.folder();
        let name = from.name();
        let to = if self.chance.in_thousand(300) {
            // In case alone.
            let lower = name.to_lowercase();
            let other = if lower == name { name.to_uppercase() } else { lower };
            from.parent().map_or_else(|| FolderPath::new([other.clone()]), |parent| parent.child(other.clone()))
        } else {
            path(self.chance.pick::<&str>(&FOLDERS))
        };
        if to.parent().is_some_and(|parent| !self.source.0.contains_key(&parent)) {
            return;
        }
        self.at_source(Op::Rename(from.clone(), to));
        if self.chance.in_thousand(200) {
            self.at_source(Op::Create(from));
            self.deliver();
        }
    }

    fn delete(&mut self) {
        let folder = self.folder();
        if folder.is_inbox() {
            return;
        }
        let is_below = |path: &&FolderPath| *path != &folder && path.names().starts_with(folder.names());
        let mut below: Vec<FolderPath> = self.source.0.keys().filter(is_below).cloned().collect();
        if self.chance.in_thousand(800) {
            below.reverse();
            for path in below {
                self.at_source(Op::Delete(path));
            }
        }
        if self.chance.in_thousand(300) {
            self.pass();
        }
        self.at_source(Op::Delete(folder.clone()));
        match self.chance.below(4) {
            // The same name again, with or without a pass between, and perhaps with the same message.
            0 => {
                if self.chance.in_thousand(500) {
                    self.pass();
                }
                self.at_source(Op::Create(folder.clone()));
                if self.next[0] > 0 {
                    let number = 1 + self.chance.below(u64::from(self.next[0])) as u32;
                    let flags = self.flags();
                    self.at_source(Op::Deliver(Serial { own: false, number }, folder, flags));
                }
            }
            1 => self.pass(),
            _ => {}
        }
    }

    /// A folder of the target, as far as is known: one of the source's, or the person's own.
    fn target_folder(&mut self) -> FolderPath {
        let mut all: Vec<FolderPath> = self.copied.0.keys().cloned().collect();
        all.extend(self.target_folders.iter().cloned());
        let folder = self.chance.pick(&all).clone();
        self.on_target(folder)
    }

    /// Where what lies in a folder of the source goes.
    fn on_target(&self, folder: FolderPath) -> FolderPath {
        if self.does.merged { together::on_target(&folder) } else { folder }
    }

    /// The person does something with what is their own on the target.
    fn own_things(&mut self) {
        let mine: Vec<(FolderPath, Serial)> =
            self.own.iter().flat_map(|(path, items)| items.iter().map(|item| (path.clone(), *item))).collect();
        match self.chance.below(20) {
            0..3 => {
                let folder = path(self.chance.pick::<&str>(&OWN_FOLDERS));
                self.target_folders.push(folder.clone());
                self.at_target(Op::Create(folder));
            }
            3..12 => {
                let folder = self.target_folder();
                let twin = if mine.is_empty() || self.chance.in_thousand(850) {
                    None
                } else {
                    Some(self.chance.pick(&mine).1)
                };
                let serial = twin.unwrap_or_else(|| self.new_serial(true));
                let flags = self.flags();
                self.own.entry(folder.clone()).or_default().push(serial);
                self.at_target(Op::Deliver(serial, folder, flags));
            }
            12..18 if !mine.is_empty() => {
                let (folder, serial) = self.chance.pick(&mine).clone();
                let (add, take) = (self.flags(), self.flags());
                self.at_target(Op::Flag(Which { serial, nth: 0 }, folder, add.without(&take), take));
            }
            18 if !mine.is_empty() => {
                let (from, serial) = self.chance.pick(&mine).clone();
                let to = self.target_folder();
                if from != to {
                    self.own.entry(to.clone()).or_default().push(serial);
                    self.at_target(Op::Move(Which { serial, nth: 0 }, from, to));
                }
            }
            19 if !mine.is_empty() => {
                let (folder, serial) = self.chance.pick(&mine).clone();
                self.at_target(Op::Expunge(Which { serial, nth: 0 }, folder));
            }
            _ => {}
        }
    }

    /// The person does something with copies on the target, or with what is their own.
    fn on_copies(&mut self) {
        let copy = if self.chance.in_thousand(700) { self.message(&self.copied.clone()) } else { None };
        let Some((which, folder, now)) = copy else { return self.own_things() };
        let folder = self.on_target(folder);
        match self.chance.below(10) {
            0..6 => {
                let (add, take) = self.change_of_flags(&now);
                self.at_target(Op::Flag(which, folder, add, take));
            }
            6..8 => self.at_target(Op::Expunge(which, folder)),
            _ => {
                let to = self.target_folder();
                if to != folder {
                    self.at_target(Op::Move(which, folder, to));
                }
            }
        }
    }

    fn pass(&mut self) {
        self.copied = self.source.clone();
        let mut pass = Pass::default();
        if self.does.troubles {
            let some = |chance: &mut Chance| {
                let most = *chance.pick(&[6, 25, 90]);
                1 + chance.below(most)
            };
            if self.chance.in_thousand(300) {
                pass.stop = Some(some(&mut self.chance));
            }
            if self.does.faults && self.chance.in_thousand(200) {
                let side = if self.chance.in_thousand(300) { Side::Source } else { Side::Target };
                let at = some(&mut self.chance);
                pass.fault = Some(Fault { side, at, for_good: self.chance.in_thousand(400) });
            }
            if self.chance.in_thousand(350) {
                // What clients would do now, they do in the middle of it.
                let begin = self.steps.len();
                for _ in 0..=self.chance.below(3) {
                    let is_at_source = self.chance.in_thousand(600);
                    match (is_at_source, self.does.on_copies) {
                        (true, _) => self.source_op(),
                        (false, true) => self.on_copies(),
                        (false, false) => self.own_things(),
                    }
                }
                let ops = self.steps.split_off(begin);
                let mut at = some(&mut self.chance);
                for step in ops {
                    match step {
                        Step::Client(side, op) => pass.during.push((at, side, op)),
                        other => self.steps.push(other),
                    }
                    at += self.chance.below(4);
                }
            }
        }
        self.steps.push(Step::Pass(pass));
    }

    fn event(&mut self) {
        let event = match self.chance.below(10) {
            0..2 => Event::Renumber(Side::Source, self.folder()),
            2..4 => Event::Renumber(Side::Target, self.target_folder()),
            4..6 if self.backup.is_none() => Event::BackUp,
            4..6 => Event::Restore,
            6 => Event::LedgerLost,
            _ if !self.is_kept => Event::LedgerKept,
            _ => Event::LedgerRestored,
        };
        match &event {
            Event::BackUp => self.backup = Some(self.source.clone()),
            Event::Restore => self.source = self.backup.clone().unwrap_or_default(),
            Event::LedgerKept => self.is_kept = true,
            _ => {}
        }
        self.steps.push(Step::Event(event));
    }
}
