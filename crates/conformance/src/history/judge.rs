//! The judge: compares what lies on both sides at the end of a history with what the person did, and names every
//! difference. It knows nothing of how the engine decides.
//!
//! Copies of one number are counted folder by folder. What may be more or less than at the source is bounded by what the
//! person did: a copy that they removed or moved away may be missing, one that they changed or moved may be left.

use std::collections::{BTreeMap, BTreeSet};

use model::{Digest, FolderPath};

use super::book::{Book, Track, names};
use super::client::{Lying, View};
use super::step::Serial;
use super::together;

/// What the ledger says at the end.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Removals that wait for a word: the folder of the target, and the digest of the bytes.
    pub held: Vec<(FolderPath, Option<Digest>)>,
    /// Of each folder that the source has: how many items it holds, and how many have a fate.
    pub sums: Vec<(FolderPath, u64, u64)>,
}

/// What may be demanded of a pair of platforms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demands {
    /// The person works on the target.
    pub in_use: bool,
    /// The target can't remove one message: removals are held, and the copy stays.
    pub removals_held: bool,
    /// A folder's subscription goes with it. Dovecot keeps that of a folder that is gone.
    pub subscriptions: bool,
}

/// Everything that is compared.
pub struct Case<'c> {
    /// What the person did.
    pub book: &'c Book,
    /// The source at the end.
    pub source: &'c View,
    /// The target at the end.
    pub target: &'c View,
    /// The ledger at the end.
    pub ledger: &'c Ledger,
    /// What may be demanded.
    pub demands: Demands,
}

/// Judges. Every complaint; none when all is as it should be.
pub fn judge(case: &Case<'_>) -> Vec<String> {
    let mut wrong = case.source_untouched();
    let together = together::view(case.source);
    let case = &Case { source: if case.book.merged { &together } else { case.source }, ..*case };
    wrong.extend(case.strangers());
    wrong.extend(case.own_items());
    let mut serials: BTreeSet<Serial> = case.book.source.serials();
    serials.extend(case.book.tracks.keys());
    serials.extend(lying(case.target).filter_map(|(_, lying)| lying.serial).filter(|serial| !serial.own));
    for serial in serials {
        wrong.extend(case.copies(serial));
    }
    wrong.extend(case.folders());
    for (path, holds, accounted) in &case.ledger.sums {
        if holds != accounted {
            wrong.push(format!("sums: {path} holds {holds} at the source, {accounted} have a fate"));
        }
    }
    wrong
}

type Counts = BTreeMap<FolderPath, u64>;

fn counts<'l>(lying: impl Iterator<Item = (&'l FolderPath, Option<Serial>)>, serial: Serial) -> Counts {
    let mut counts = Counts::new();
    lying
        .filter(|(_, other)| *other == Some(serial))
        .for_each(|(path, _)| *counts.entry(path.clone()).or_default() += 1);
    counts
}

fn lying(view: &View) -> impl Iterator<Item = (&FolderPath, &Lying)> {
    view.iter().flat_map(|(path, shelf)| shelf.items.iter().map(move |lying| (path, lying)))
}

impl Case<'_> {
    /// The source is as its client has made it.
    fn source_untouched(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let paths: BTreeSet<&FolderPath> = self.source.keys().chain(self.book.source.0.keys()).collect();
        for path in paths {
            let (Some(is), Some(was)) = (self.source.get(path), self.book.source.0.get(path)) else {
                let is_above = |below: &FolderPath| below.names().starts_with(path.names());
                // Some servers make a folder above one that is made.
                let is_empty = self.source.get(path).is_some_and(|shelf| shelf.items.is_empty());
                if is_empty && self.book.source.0.keys().any(is_above) {
                    continue;
                }
                // Cyrus makes a folder of what was only a name above others, once the last of them is removed.
                let is_below = |other: &FolderPath| other != path && other.names().starts_with(path.names());
                let was_above = self.book.freed.iter().any(is_below);
                if was_above && self.source.get(path).is_some_and(|is| is.items.is_empty()) {
                    continue;
                }
                let what = if self.source.contains_key(path) { "came" } else { "is gone" };
                wrong.push(format!("source changed: the folder {path} {what}"));
                continue;
            };
            let mut is_there: Vec<_> = is.items.iter().map(|l| (l.serial, names(&l.flags))).collect();
            let mut was_there: Vec<_> = was.items.iter().map(|(s, flags)| (Some(*s), names(flags))).collect();
            is_there.sort();
            was_there.sort();
            if is_there != was_there {
                wrong.push(format!("source changed: {path} holds {is_there:?}, its client left {was_there:?}"));
            }
            if self.demands.subscriptions && is.subscribed != was.subscribed {
                wrong.push(format!("source changed: the subscription of {path}"));
            }
        }
        wrong
    }

    /// Nothing lies on the target but messages of the person's, each with its bytes and its date.
    fn strangers(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (path, lying) in lying(self.target) {
            match lying.serial {
                None => wrong.push(format!("stranger: a message of no number lies in {path}")),
                Some(serial) if !lying.whole => wrong.push(format!("bytes: {serial} in {path} has other bytes")),
                Some(serial) if lying.received != serial.received() => {
                    let (is, was) = (lying.received, serial.received());
                    wrong.push(format!("date: {serial} in {path} was received at {was}, it says {is}"));
                }
                Some(_) => {}
            }
        }
        wrong
    }

    /// The person's own messages lie where they left them, as they left them.
    fn own_items(&self) -> Vec<String> {
        let mut is: BTreeMap<(&FolderPath, Serial), Vec<BTreeSet<String>>> = BTreeMap::new();
        let mut was = is.clone();
        for (path, lying) in lying(self.target) {
            if let Some(serial) = lying.serial.filter(|serial| serial.own) {
                is.entry((path, serial)).or_default().push(names(&lying.flags));
            }
        }
        for (path, items) in &self.book.own {
            for (serial, flags) in items {
                was.entry((path, *serial)).or_default().push(names(flags));
            }
        }
        is.values_mut().chain(was.values_mut()).for_each(|flags| flags.sort());
        let keys: BTreeSet<_> = is.keys().chain(was.keys()).copied().collect();
        let differ = keys.into_iter().filter(|key| is.get(key) != was.get(key));
        differ
            .map(|(path, serial)| {
                let of = |all: &BTreeMap<_, Vec<_>>| all.get(&(path, serial)).cloned().unwrap_or_default();
                format!("own: {serial} in {path}: the person left {:?}, there is {:?}", of(&was), of(&is))
            })
            .collect()
    }

    /// How many removals of this message wait, by folder of the target.
    fn held(&self, serial: Serial) -> Counts {
        let digest = Digest::of(&serial.bytes());
        let mut held = Counts::new();
        for (path, _) in self.ledger.held.iter().filter(|(_, exact)| *exact == Some(digest)) {
            *held.entry(path.clone()).or_default() += 1;
        }
        held
    }

    /// Every copy of a message of the source is there as often as it should be, with the right flags.
    fn copies(&self, serial: Serial) -> Vec<String> {
        let freed = self.book.freed_on_target();
        let none = Track::default();
        let track = self.book.tracks.get(&serial).unwrap_or(&none);
        let source = counts(lying(self.source).map(|(path, lying)| (path, lying.serial)), serial);
        let target = counts(lying(self.target).map(|(path, lying)| (path, lying.serial)), serial);
        let held = self.held(serial);
        let mut wrong = Vec::new();
        let mut missing = 0;
        let was_only_here = source.len() < 2 && !track.has_left;
        let paths: BTreeSet<&FolderPath> = source.keys().chain(target.keys()).chain(track.placed.keys()).collect();
        for path in paths {
            let of = |counts: &Counts| counts.get(path).copied().unwrap_or_default();
            let (is, there) = (of(&source), of(&target));
            let (placed_min, placed_max) = track.placed.get(path).copied().unwrap_or_default();
            missing += is.saturating_sub(there);
            let left = of(&track.left);
            // What an earlier attempt left there is taken for the copy, unless the message ever lay elsewhere.
            let earlier = of(&track.earlier);
            let is_adopted = earlier > 0 && track.is_taken_up && placed_max == earlier && was_only_here;
            let is_adopted = is_adopted && track.withdrawn == 0;
            // Changed by the person, and gone from here at the source since.
            let mut more = placed_max + left.min(track.flagged);
            if self.demands.removals_held || self.book.weak || freed.contains(path) {
                more += of(&held);
            }
            if self.book.weak {
                more = more.max(placed_max + left);
            }
            if is_adopted {
                more = earlier.saturating_sub(is);
            }
            let numbers = format!("{serial} in {path}: {is} at the source, {there} on the target");
            if there > is + more && is > 0 {
                wrong.push(format!("double: {numbers}, {more} more may be"));
            } else if there > is + more {
                let waits = of(&held);
                let waits = if waits > 0 { format!(" ({waits} held)") } else { String::new() };
                wrong.push(format!("left behind: {numbers}, {more} more may be{waits}"));
            }
            if is_adopted && is == 1 && there == 1 {
                wrong.extend(self.gains(serial, path, track));
            }
            if there < placed_min {
                wrong.push(format!("own: {numbers}, {placed_min} moved there by the person"));
            }
            // Of several that were alike one may be withdrawn, or kept for what the person changed of it: then which is which
            // can't be told.
            let is_mixed = track.several && (track.withdrawn > 0 || left.min(track.flagged) > 0 || of(&held) > 0);
            // One that the person put there has the flags it came with.
            if there == is && there > 0 && placed_max == 0 && !is_mixed {
                wrong.extend(self.flags(serial, path, track));
            }
        }
        // Where nobody works on the target, what is gone from there is copied again.
        let withdrawn = if self.demands.in_use { track.withdrawn } else { 0 };
        if missing > withdrawn {
            wrong.push(format!(
                "lost: {serial}: at the source {source:?}, on the target {target:?}, {} taken away by the person",
                track.withdrawn
            ));
        }
        let gone = source.is_empty() && target.is_empty();
        if gone && track.stays && !self.book.weak {
            wrong.push(format!("changed copy: {serial} was changed by the person on the target and is gone"));
        }
        wrong
    }

    /// A copy of an earlier attempt gains the flags of the source, whatever others it has.
    fn gains(&self, serial: Serial, path: &FolderPath, track: &Track) -> Option<String> {
        let flags = |view: &View| -> BTreeSet<String> {
            let items = view.get(path).map(|shelf| shelf.items.as_slice()).unwrap_or_default();
            let lying = items.iter().find(|lying| lying.serial == Some(serial));
            lying.map(|lying| names(&lying.flags)).unwrap_or_default()
        };
        let lacks: Vec<String> = flags(self.source).difference(&flags(self.target)).cloned().collect();
        let lacks: Vec<_> = lacks.into_iter().filter(|flag| !track.mine.contains_key(flag)).collect();
        (!lacks.is_empty()).then(|| format!("flags: {serial} in {path} was there before, and lacks {lacks:?}"))
    }

    /// The flags of the copies in a folder that holds as many as the source.
    fn flags(&self, serial: Serial, path: &FolderPath, track: &Track) -> Vec<String> {
        let flags = |view: &View| -> Vec<BTreeSet<String>> {
            let items = view.get(path).map(|shelf| shelf.items.as_slice()).unwrap_or_default();
            items.iter().filter(|lying| lying.serial == Some(serial)).map(|lying| names(&lying.flags)).collect()
        };
        let (mut source, mut target) = (flags(self.source), flags(self.target));
        let all: BTreeSet<String> = source.iter().chain(&target).flatten().chain(track.mine.keys()).cloned().collect();
        // The copy may be another than the one that the person knew.
        let is_other = track.several || track.withdrawn > 0;
        let is_weak = self.book.weak;
        let mut wrong = Vec::new();
        let said = |what: &str, source: &[_], target: &[_]| {
            format!("flags: {serial} in {path}: {what}; at the source {source:?}, on the target {target:?}")
        };
        for flag in &all {
            let count = |list: &[BTreeSet<String>]| list.iter().filter(|flags| flags.contains(flag)).count();
            let (at_source, on_target) = (count(&source), count(&target));
            let is_wrong = match track.mine.get(flag) {
                Some(_) if is_other || is_weak || track.both.contains(flag) => false,
                Some(is_set) => on_target != usize::from(*is_set),
                // Which of several it was is not known any more, so one may have a flag that another had.
                None if is_weak => {
                    on_target < at_source || (on_target > at_source && !track.taken.contains(flag) && !track.several)
                }
                None => on_target != at_source,
            };
            if is_wrong {
                let whose = track.mine.get(flag).map_or_else(String::new, |set| format!(", the person left it {set}"));
                wrong.push(said(&format!("{flag}{whose}"), &source, &target));
            }
        }
        if wrong.is_empty() && !is_weak {
            for flags in source.iter_mut().chain(&mut target) {
                flags.retain(|flag| !track.mine.contains_key(flag));
            }
            source.sort();
            target.sort();
            if source != target {
                wrong.push(said("not the same together", &source, &target));
            }
        }
        wrong
    }

    /// The folders of the source are on the target, and those that are gone are gone.
    fn folders(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let freed = self.book.freed_on_target();
        for (path, shelf) in self.source {
            let Some(there) = self.target.get(path) else {
                wrong.push(format!("folder: {path} is not on the target"));
                continue;
            };
            let own = &self.book.own_subscriptions;
            // The subscription of a folder of the person's own, or of one that is left over, may be the person's.
            let may_be_told = !self.book.weak && !self.book.made_folders.contains(path) && !freed.contains(path);
            // What was told there is not known any more: it may be the person who has ended it since.
            let may_be_ended = self.book.weak && self.demands.in_use && shelf.subscribed;
            let differs = there.subscribed != shelf.subscribed
                && !may_be_ended
                && (shelf.subscribed || (self.demands.subscriptions && may_be_told));
            if differs && !own.contains(path) {
                let (source, target) = (shelf.subscribed, there.subscribed);
                wrong
                    .push(format!("subscription: {path} is followed at the source: {source}, on the target: {target}"));
            }
        }
        // From below: a folder stays for what stays in it.
        let mut stay: BTreeSet<&FolderPath> = BTreeSet::new();
        for (path, there) in self.target.iter().rev() {
            let holds = !there.items.is_empty() || stay.iter().any(|below| below.names().starts_with(path.names()));
            let may_stay = self.source.contains_key(path)
                || self.book.made_folders.contains(path)
                || self.book.own_folders.contains(path)
                || self.book.doubtful_folders.contains(path)
                || holds
                || self.demands.in_use
                || self.book.weak;
            if may_stay {
                stay.insert(path);
            } else {
                wrong.push(format!("folder: {path} is gone at the source, and on the target it is left empty"));
            }
        }
        for path in &self.book.made_folders {
            if !self.target.contains_key(path) {
                wrong.push(format!("own: the person's folder {path} is gone from the target"));
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use model::Flags;

    use super::super::client::Shelf;
    use super::super::step::{Op, Side, Step, steps};
    use super::*;

    /// A case made by hand: what the clients did, and both sides as they are when the engine has done everything right.
    struct Hand {
        book: Book,
        source: View,
        target: View,
        ledger: Ledger,
        demands: Demands,
    }

    fn lying_of(serial: &str, flags: &[&str]) -> Lying {
        let serial: Serial = serial.parse().unwrap();
        Lying::of(&serial.bytes(), serial.received(), Flags::of(flags.iter().copied()))
    }

    impl Hand {
        /// The clients do this; after each line `pass` what the source holds is on the target and settled, with the person's
        /// own.
        fn after(text: &str) -> Self {
            let mut book = Book::default();
            let mut target = View::new();
            for step in steps(text) {
                match step {
                    Step::Client(Side::Source, op) => {
                        assert!(book.source.can(&op), "{op}");
                        book.source_did(&op);
                    }
                    Step::Client(Side::Target, op) => {
                        let before = match &op {
                            Op::Flag(_, folder, ..) | Op::Move(_, folder, _) | Op::Expunge(_, folder) => {
                                target[folder].items.clone()
                            }
                            _ => Vec::new(),
                        };
                        book.target_did(&op, &before, false);
                    }
                    _ => {
                        book.begin_pass();
                        book.settle();
                        target = on_both(&book);
                    }
                }
            }
            let (source, target) = (source(&book), on_both(&book));
            let demands = Demands { in_use: true, removals_held: false, subscriptions: true };
            Self { book, source, target, ledger: Ledger::default(), demands }
        }

        fn wrong(&self) -> Vec<String> {
            let (book, source, target, ledger) = (&self.book, &self.source, &self.target, &self.ledger);
            judge(&Case { book, source, target, ledger, demands: self.demands })
        }

        /// Requires that exactly this kind of thing is wrong; nothing for "".
        #[track_caller]
        fn is(&self, wanted: &str) {
            let mut kinds: Vec<String> =
                self.wrong().iter().map(|wrong| wrong.split(':').next().unwrap_or_default().to_owned()).collect();
            kinds.dedup();
            assert_eq!(kinds.join(", "), wanted, "{:#?}", self.wrong());
        }

        fn shelf(&mut self, folder: &str) -> &mut Vec<Lying> {
            &mut self.target.entry(super::super::step::path(folder)).or_default().items
        }

        fn put(&mut self, folder: &str, serial: &str, flags: &[&str]) {
            self.shelf(folder).push(lying_of(serial, flags));
        }

        fn take(&mut self, folder: &str, serial: &str) -> Lying {
            let wanted = Some(serial.parse().unwrap());
            let items = self.shelf(folder);
            let place = items.iter().position(|lying| lying.serial == wanted).unwrap();
            items.remove(place)
        }

        fn hold(&mut self, folder: &str, serial: &str) {
            let serial: Serial = serial.parse().unwrap();
            self.ledger.held.push((super::super::step::path(folder), Some(Digest::of(&serial.bytes()))));
        }
    }

    fn source(book: &Book) -> View {
        let shelf = |folder: &super::super::book::Kept| Shelf {
            items: folder
                .items
                .iter()
                .map(|(serial, flags)| Lying::of(&serial.bytes(), serial.received(), flags.clone()))
                .collect(),
            subscribed: folder.subscribed,
        };
        book.source.0.iter().map(|(path, folder)| (path.clone(), shelf(folder))).collect()
    }

    fn on_both(book: &Book) -> View {
        let mut view = source(book);
        for path in &book.made_folders {
            view.entry(path.clone()).or_default();
        }
        for (path, items) in &book.own {
            let items = items.iter().map(|(s, flags)| Lying::of(&s.bytes(), s.received(), flags.clone()));
            view.entry(path.clone()).or_default().items.extend(items);
        }
        view
    }

    const SOME: &str = "source create Work\nsource deliver s1 INBOX +\\Seen\nsource deliver s2 INBOX\nsource deliver s3 Work\n\
        source deliver s3 Work +\\Flagged\nsource subscribe Work\npass\ntarget create Mine\ntarget deliver o1 INBOX +Own\n";

    #[test]
    fn what_is_right_is_right() {
        Hand::after(SOME).is("");
    }

    #[test]
    fn a_lost_item_is_found() {
        for (folder, serial) in [("INBOX", "s1"), ("Work", "s3")] {
            let mut hand = Hand::after(SOME);
            hand.take(folder, serial);
            hand.is("lost");
        }
    }

    #[test]
    fn an_item_in_another_folder_is_found() {
        let mut hand = Hand::after(SOME);
        let taken = hand.take("INBOX", "s1");
        hand.shelf("Work").push(taken);
        hand.is("left behind, lost");
    }

    #[test]
    fn a_second_copy_is_found() {
        for (folder, serial) in [("INBOX", "s1"), ("Work", "s3")] {
            let mut hand = Hand::after(SOME);
            hand.put(folder, serial, &["\\Seen"]);
            hand.is("double");
        }
    }

    #[test]
    fn a_message_that_never_was_at_the_source_is_found() {
        let mut hand = Hand::after(SOME);
        hand.put("INBOX", "s9", &[]);
        hand.is("left behind");
    }

    #[test]
    fn a_stranger_is_found_and_so_are_other_bytes_and_another_date() {
        let mut hand = Hand::after(SOME);
        hand.shelf("INBOX").push(Lying::of(b"a: b\r\n\r\nhello\r\n", 5, Flags::NONE));
        hand.is("stranger");
        let mut hand = Hand::after(SOME);
        hand.shelf("INBOX")[0].whole = false;
        hand.is("bytes");
        let mut hand = Hand::after(SOME);
        hand.shelf("INBOX")[0].received += 1;
        hand.is("date");
    }

    #[test]
    fn what_is_done_to_the_persons_own_is_found() {
        let mut hand = Hand::after(SOME);
        hand.take("INBOX", "o1");
        hand.is("own");
        let mut hand = Hand::after(SOME);
        hand.put("INBOX", "o1", &["Own"]);
        hand.is("own");
        let mut hand = Hand::after(SOME);
        hand.take("INBOX", "o1");
        hand.put("INBOX", "o1", &["Own", "\\Seen"]);
        hand.is("own");
        let mut hand = Hand::after(SOME);
        let taken = hand.take("INBOX", "o1");
        hand.shelf("Work").push(taken);
        hand.is("own");
        let mut hand = Hand::after(SOME);
        hand.target.remove(&super::super::step::path("Mine"));
        hand.is("own");
    }

    #[test]
    fn a_wrong_flag_is_found() {
        let mut hand = Hand::after(SOME);
        hand.shelf("INBOX")[0].flags = Flags::NONE;
        hand.is("flags");
        let mut hand = Hand::after(SOME);
        hand.shelf("INBOX")[1].flags = Flags::of(["Work"]);
        hand.is("flags");
        // Of two that are the same, one has a flag: which, nobody can tell.
        let mut hand = Hand::after(SOME);
        hand.shelf("Work").reverse();
        hand.is("");
        hand.shelf("Work")[0].flags = Flags::NONE;
        hand.is("flags");
        hand.shelf("Work")[1].flags = Flags::of(["\\Flagged"]);
        hand.is("");
    }

    #[test]
    fn flags_of_two_that_are_the_same_stay_apart() {
        let text = "source deliver s1 INBOX +A +B\nsource deliver s1 INBOX\npass\n";
        let mut hand = Hand::after(text);
        hand.is("");
        hand.shelf("INBOX")[0].flags = Flags::of(["A"]);
        hand.shelf("INBOX")[1].flags = Flags::of(["B"]);
        hand.is("flags");
    }

    #[test]
    fn a_flag_changed_on_the_target_alone_stays_and_one_changed_on_both_sides_is_either() {
        let text = "source deliver s1 INBOX +\\Seen\npass\nsource flag s1 INBOX +\\Answered\npass\n\
            target flag s1 INBOX +Mine +\\Flagged -\\Seen\nsource flag s1 INBOX +\\Flagged +\\Draft\n";
        let mut hand = Hand::after(text);
        hand.shelf("INBOX")[0].flags = Flags::of(["Mine", "\\Flagged", "\\Answered", "\\Draft"]);
        hand.is("");
        hand.shelf("INBOX")[0].flags = Flags::of(["Mine", "\\Answered", "\\Draft"]);
        hand.is("");
        for wrong in [
            &["\\Flagged", "\\Answered", "\\Draft"][..],
            &["Mine", "\\Flagged", "\\Draft"],
            &["Mine", "\\Flagged", "\\Answered"],
            &["Mine", "\\Flagged", "\\Answered", "\\Draft", "\\Seen"],
        ] {
            hand.shelf("INBOX")[0].flags = Flags::of(wrong.iter().copied());
            hand.is("flags");
        }
    }

    #[test]
    fn what_is_gone_at_the_source_is_gone_or_held_where_it_cannot_be_removed() {
        let text = "source deliver s1 INBOX\nsource deliver s2 INBOX\npass\nsource expunge s1 INBOX\n";
        let mut hand = Hand::after(text);
        hand.is("");
        hand.put("INBOX", "s1", &[]);
        hand.is("left behind");
        hand.hold("INBOX", "s1");
        hand.is("left behind");
        hand.demands.removals_held = true;
        hand.is("");
        hand.put("INBOX", "s1", &[]);
        hand.is("left behind");
    }

    #[test]
    fn a_copy_that_the_person_changed_may_stay_and_one_changed_visibly_must() {
        let text = "source deliver s1 INBOX\npass\ntarget flag s1 INBOX +Mine\nsource expunge s1 INBOX\n";
        let mut hand = Hand::after(text);
        hand.is("changed copy");
        hand.put("INBOX", "s1", &["Mine"]);
        hand.is("");
        hand.put("INBOX", "s1", &["Mine"]);
        hand.is("left behind");
        // Changed to what it was to become anyway: either.
        let text = "source deliver s1 INBOX\npass\nsource flag s1 INBOX +Mine\ntarget flag s1 INBOX +Mine\n\
            source expunge s1 INBOX\n";
        let mut hand = Hand::after(text);
        hand.is("");
        hand.put("INBOX", "s1", &["Mine"]);
        hand.is("");
    }

    #[test]
    fn a_copy_that_the_person_removed_is_missed_by_nobody_and_may_come_again_once() {
        let text = "source deliver s1 INBOX\nsource deliver s2 INBOX\npass\ntarget expunge s1 INBOX\n";
        let mut hand = Hand::after(text);
        hand.is("");
        hand.take("INBOX", "s1");
        hand.is("");
        hand.take("INBOX", "s2");
        hand.is("lost");
    }

    #[test]
    fn a_copy_that_the_person_moved_lies_where_they_put_it() {
        let text = "source deliver s1 INBOX\npass\ntarget create Mine\ntarget move s1 INBOX Mine\n";
        let mut hand = Hand::after(text);
        hand.is("own");
        hand.put("Mine", "s1", &[]);
        hand.is("");
        hand.take("INBOX", "s1");
        hand.is("");
        hand.put("Mine", "s1", &[]);
        hand.is("left behind");
        let mut hand = Hand::after(&format!("{text}source expunge s1 INBOX\n"));
        hand.put("Mine", "s1", &[]);
        hand.is("");
        hand.put("INBOX", "s1", &[]);
        hand.is("left behind");
    }

    #[test]
    fn what_was_there_before_is_neither_doubled_nor_lost() {
        let text = "target deliver s1 INBOX +Old\ntarget deliver s2 INBOX\nsource deliver s1 INBOX +\\Seen\n\
            source deliver s1 INBOX\nsource deliver s3 INBOX +\\Seen\ntarget deliver s3 INBOX\npass\n";
        // Of the second there is one more than at the source: it stays what it was.
        let mut hand = Hand::after(text);
        hand.is("own");
        hand.put("INBOX", "s2", &[]);
        hand.is("");
        hand.put("INBOX", "s1", &["Old"]);
        hand.is("double");
        hand.take("INBOX", "s1");
        hand.take("INBOX", "s3");
        hand.put("INBOX", "s3", &["Old"]);
        hand.is("flags");
        hand.take("INBOX", "s3");
        hand.put("INBOX", "s3", &["Old", "\\Seen"]);
        hand.is("");
    }

    #[test]
    fn where_nobody_works_on_the_target_what_is_gone_from_there_comes_again() {
        let text = "source deliver s1 INBOX\npass\ntarget expunge s1 INBOX\n";
        let mut hand = Hand::after(text);
        hand.demands.in_use = false;
        hand.is("");
        hand.take("INBOX", "s1");
        hand.is("lost");
    }

    #[test]
    fn a_folder_that_is_missing_or_left_over_is_found() {
        let mut hand = Hand::after(SOME);
        hand.demands.in_use = false;
        hand.target.remove(&super::super::step::path("Work"));
        hand.is("lost, folder");
        let mut hand = Hand::after(&format!("{SOME}source delete Work\n"));
        hand.demands.in_use = false;
        hand.is("");
        hand.shelf("Work");
        hand.is("folder");
        hand.demands.in_use = true;
        hand.is("");
        let text = "source create Work\nsource create Work/2019\npass\ntarget deliver o1 Work/2019\n\
            source delete Work/2019\nsource delete Work\n";
        let mut hand = Hand::after(text);
        hand.demands.in_use = false;
        hand.shelf("Work");
        hand.is("");
    }

    #[test]
    fn a_subscription_that_does_not_follow_is_found() {
        for (folder, is) in [("Work", false), ("INBOX", true)] {
            let mut hand = Hand::after(SOME);
            hand.target.get_mut(&super::super::step::path(folder)).unwrap().subscribed = is;
            hand.is("subscription");
            hand.book.own_subscriptions.insert(super::super::step::path(folder));
            hand.is("");
        }
    }

    #[test]
    fn a_source_that_somebody_else_changed_is_found() {
        let mut hand = Hand::after(SOME);
        let inbox = hand.source.get_mut(&FolderPath::inbox()).unwrap();
        inbox.items[0].flags = Flags::NONE;
        hand.shelf("INBOX")[0].flags = Flags::NONE;
        hand.is("source changed");
        let mut hand = Hand::after(SOME);
        hand.source.remove(&super::super::step::path("Work"));
        assert!(hand.wrong().iter().any(|wrong| wrong.starts_with("source changed: the folder Work is gone")));
    }

    #[test]
    fn sums_that_do_not_hold_are_found() {
        let mut hand = Hand::after(SOME);
        hand.ledger.sums = vec![(FolderPath::inbox(), 2, 2), (super::super::step::path("Work"), 2, 1)];
        hand.is("sums");
    }

    #[test]
    fn where_ids_were_lost_flags_may_be_left_on_and_removals_undone_but_nothing_is_lost_or_doubled() {
        let text = "source deliver s1 INBOX +\\Seen\nsource deliver s2 INBOX\npass\nsource flag s1 INBOX -\\Seen\n\
            source expunge s2 INBOX\n";
        let mut hand = Hand::after(text);
        hand.book.weak = true;
        hand.is("");
        hand.put("INBOX", "s2", &[]);
        hand.shelf("INBOX")[0].flags = Flags::of(["\\Seen"]);
        hand.is("");
        hand.shelf("INBOX")[0].flags = Flags::of(["\\Flagged"]);
        hand.is("flags");
        hand.put("INBOX", "s1", &[]);
        hand.is("double");
        let mut hand = Hand::after(text);
        hand.book.weak = true;
        hand.take("INBOX", "s1");
        hand.is("lost");
    }
}
