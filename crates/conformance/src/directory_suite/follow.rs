//! Random changes of a directory, and somebody who follows them by cursors alone.

use std::collections::BTreeMap;

use connector::EntryEvent;
use model::{Entry, EntryKind, Reference};
use ring::rand::{SecureRandom, SystemRandom};

use super::{DirectoryWorld, person, read};

/// How often something is changed and read.
const ROUNDS: usize = 14;

/// Numbers that look random, from a seed that is printed.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let mut seed = [0; 8];
        SystemRandom::new().fill(&mut seed).unwrap();
        // A seed that failed once can be put here again.
        let seed =
            std::env::var("WHIMBREL_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(u64::from_le_bytes(seed));
        println!("WHIMBREL_SEED={seed}");
        Self(seed | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Whoever takes in what readings from cursors tell has, after each, what a whole reading tells.
pub async fn who_follows_has_what_a_whole_reading_tells(world: &dyn DirectoryWorld) {
    let mut dice = Dice::new();
    let (mut inside, mut outside): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut next = 0;
    for _ in 0..6 {
        inside.push(world.add(&person(next)).await);
        next += 1;
    }
    if world.has_lists() {
        let mut list = Entry::new("list", EntryKind::List);
        (list.names.display, list.mail) = (Some("Everybody".to_owned()), Some("all@trust.test".to_owned()));
        list.members = inside.iter().map(|key| Reference::Key(key.clone())).collect();
        world.add(&list).await;
    }
    let mut place = "wing".to_owned();
    let has_places =
        world.put_below(&inside[0], &[&place]).await && world.put_below(&inside[1], &[&place, "ward"]).await;
    let first = read(&*world.directory(), None).await;
    let mut mirror: BTreeMap<String, Entry> =
        first.seen().into_iter().map(|(key, entry)| (key.to_owned(), entry.clone())).collect();
    let mut cursor = first.read.cursor;
    for round in 0..ROUNDS {
        for _ in 0..dice.below(5) {
            let at = dice.below(inside.len().max(1));
            match dice.below(if has_places { 8 } else { 6 }) {
                0 => {
                    inside.push(world.add(&person(next)).await);
                    next += 1;
                }
                1 if inside.len() > 1 => world.remove(&inside.swap_remove(at)).await,
                2 if !inside.is_empty() => world.rename(&inside[at], &format!("Renamed {round} {at} {next}")).await,
                3 if inside.len() > 1 && world.take_out_of_scope(&inside[at]).await => {
                    outside.push(inside.swap_remove(at));
                }
                4 if !outside.is_empty() => {
                    let key = outside.swap_remove(dice.below(outside.len()));
                    world.bring_into_scope(&key).await;
                    inside.push(key);
                }
                6 if !inside.is_empty() => {
                    let within: &[&str] = if dice.below(2) == 0 { &[&place] } else { &[&place, "ward"] };
                    world.put_below(&inside[at], within).await;
                }
                7 => {
                    let to = format!("Wing {round} {next}");
                    world.rename_place(&place, &to).await;
                    place = to;
                }
                _ if !inside.is_empty() => world.change(&inside[at], &format!("Ward {round}")).await,
                _ => {}
            }
        }
        let told = read(&*world.directory(), Some(&cursor)).await;
        if told.read.is_whole {
            mirror.clear();
        }
        for event in told.events {
            match event {
                EntryEvent::Seen(entry) => drop(mirror.insert(entry.key.clone(), *entry)),
                EntryEvent::Gone(key) => drop(mirror.remove(&key)),
                EntryEvent::Faulty { .. } => panic!("{event:?}"),
            }
        }
        let whole = read(&*world.directory(), None).await;
        let there: BTreeMap<String, Entry> =
            whole.seen().into_iter().map(|(key, entry)| (key.to_owned(), entry.clone())).collect();
        for key in mirror.keys().chain(there.keys()) {
            assert_eq!(mirror.get(key), there.get(key), "in round {round}");
        }
        for key in &inside {
            assert!(there.contains_key(key), "{key} in round {round}");
        }
        // Sometimes the cursor of the whole reading is the one to go on from.
        cursor = if dice.below(3) == 0 { whole.read.cursor } else { told.read.cursor };
    }
}
