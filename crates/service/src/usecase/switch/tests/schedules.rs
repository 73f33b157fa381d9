//! Schedules, faults and clocks at random: nobody is switched who is not in step or before their date; whoever is behind waits and then
//! switches by themselves; whoever never catches up is parked, and says why.

use model::Condition;
use rehearsal::Chance;
use store::{CollectionRow, NewCollection, Object, SwitchHow};

use super::*;

const HOUR: i64 = 3_600_000;
/// More than the target takes.
const REFUSED_BYTES: usize = 2 * ITEM_BYTES_MAX as usize;
/// How a mailbox that never catches up says so.
const LATE: &str = "it was due to switch on";

/// A mailbox, its schedule, and what was done to it.
struct History {
    project: Project,
    chance: Chance,
    ahead: i64,
    /// When it is to switch, if by a date.
    date: Option<i64>,
    /// Since when it counts as late: nobody is late before they were given a date.
    late_since: Option<i64>,
    is_auto: bool,
    /// Items that the target refuses.
    refused: Vec<(model::ItemId, usize)>,
    numbers: usize,
    /// It was parked since it never caught up.
    was_given_up: bool,
    what: String,
}

impl History {
    /// One without a schedule.
    async fn of(seed: u64) -> Self {
        Self {
            project: Project::new(&[]).await,
            ahead: 0,
            date: None,
            late_since: None,
            is_auto: false,
            refused: Vec::new(),
            numbers: 0,
            was_given_up: false,
            what: String::new(),
            chance: Chance::new(seed),
        }
    }

    async fn begin(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut history = Self::of(seed + 1).await;
        let now = history.now().await;
        let date = now + (chance.below(80) as i64 - 20) * HOUR;
        match chance.below(4) {
            0 => {
                history.project.order(false, date).await;
                (history.date, history.late_since) = (Some(date), Some(date.max(now)));
            }
            1 => history.collect(SwitchHow::Auto, None).await,
            2 => history.collect(SwitchHow::At, Some(date)).await,
            _ => history.collect(SwitchHow::ByHand, None).await,
        }
        history.what =
            format!("seed {seed}, date {:?}, auto {}", history.date.map(|date| (date - now) / HOUR), history.is_auto);
        history
    }

    async fn collect(&mut self, switch: SwitchHow, switch_at: Option<i64>) {
        let (store, key) = (&self.project.engine.store, self.project.engine.key);
        let (name, description) = ("Wave".to_owned(), String::new());
        let new = NewCollection { name, description, start_at: Some(0), switch, switch_at };
        store.add_collection(key, &new, "me").await.unwrap();
        let collection: CollectionRow = store.collections(key).await.unwrap().remove(0);
        store.add_members(key, &collection, &[Object::Mailbox(self.project.mailbox)], "me").await.unwrap();
        (self.date, self.late_since, self.is_auto) = (switch_at, switch_at, switch == SwitchHow::Auto);
    }

    async fn now(&self) -> i64 {
        self.project.engine.store.now().await.unwrap()
    }

    /// Is it due by its schedule at this time?
    fn is_due(&self, now: i64) -> bool {
        self.is_auto || self.date.is_some_and(|date| now >= date)
    }

    fn deliver(&mut self, body: &str) {
        self.numbers += 1;
        let bytes = message(20_000 + self.numbers, body);
        let (number, is_refused) = (self.numbers, bytes.len() > REFUSED_BYTES);
        let item = MemoryItem::message(bytes, 1_600_000_000 + number as i64);
        let id = self.project.world.source.deliver(ANN[0], &FolderPath::inbox(), item);
        if is_refused {
            self.refused.push((id, number));
        }
    }

    /// Something happens between two turns.
    fn happens(&mut self) {
        let world = &self.project.world;
        match self.chance.below(15) {
            0..=2 => self.deliver("new"),
            3 | 13 => {
                let body = "long ".repeat(REFUSED_BYTES / 5);
                self.deliver(&body);
            }
            4 => world.source.set_locked(ANN[0], self.chance.below(2) == 0),
            5 => world.target.set_locked(ANN[1], self.chance.below(2) == 0),
            6 => {
                let (first, lasts) = (1 + self.chance.below(4) as usize, 1 + self.chance.below(4) as usize);
                let how = [How::Before, How::After, How::Never][self.chance.below(3) as usize];
                let mut mail = self.project.sites.mail();
                mail.failing.clear();
                mail.fail(first, lasts, how);
            }
            7 => world.target.set_quota([None, Some(100)][self.chance.below(2) as usize]),
            8 | 11 | 12 => {
                let hours = self.chance_hours(60);
                self.set_clock(hours);
            }
            // A clock that is set back.
            9 => self.set_clock(-HOUR),
            10 => {
                if let Some((id, _)) = self.refused.pop() {
                    self.project.world.source.expunge(ANN[0], &FolderPath::inbox(), &id);
                }
            }
            _ => {}
        }
    }

    fn chance_hours(&mut self, hours: u64) -> i64 {
        self.chance.below(hours) as i64 * HOUR
    }

    fn set_clock(&mut self, by: i64) {
        self.ahead += by;
        self.project.engine.store.set_clock_ahead(self.ahead);
    }

    /// All that lies in the source, by its bytes.
    fn source(&self) -> Vec<Vec<u8>> {
        let all = self.project.world.source.dump(ANN[0]);
        all.into_values().flat_map(BTreeMap::into_values).map(|item| item.bytes).collect()
    }

    async fn switches(&self) -> usize {
        self.project
            .engine
            .store
            .switch_of(self.project.engine.key, self.project.mailbox)
            .await
            .unwrap()
            .map_or(0, |switch| switch.switch as usize)
    }

    /// A turn, and what has to be so after it. True: it is switched.
    async fn turn(&mut self) -> bool {
        let (there, before, switches) = (self.source(), self.project.phase().await, self.switches().await);
        let outcome = self.project.turn().await;
        let (now, what) = (self.now().await, self.what.clone());
        if self.switches().await > switches {
            assert!(self.is_due(now), "{what}: a switch began that was not due");
            // One that was under way may have been reversed in this turn, and be tried again in it.
            assert!(before <= Phase::Switching, "{what}: a switch began of somebody who was {before:?}");
            let all = self.project.world.target.dump(ANN[1]);
            let copies: Vec<_> = all.into_values().flat_map(BTreeMap::into_values).map(|item| item.bytes).collect();
            for bytes in &there {
                let count = copies.iter().filter(|copy| *copy == bytes).count();
                assert_eq!(count, 1, "{what}: a switch began, and an item of {} bytes is there so often", bytes.len());
            }
        }
        let state = &outcome.state;
        let is_late = self.late_since.is_some_and(|since| now >= since + 72 * HOUR);
        if state.phase < Phase::InStep {
            match &state.condition {
                Condition::Waiting(why) => assert!(!is_late, "{what}: it never caught up, and waits: {why}"),
                Condition::Parked(why) if why.starts_with(LATE) => {
                    assert!(is_late && why.contains(": "), "{what}: parked too soon, or without a reason: {why}");
                    self.was_given_up = true;
                }
                Condition::Running | Condition::Parked(_) => {}
            }
        }
        if state.phase < Phase::Switching && state.condition != Condition::Running {
            assert!(state.condition.reason().is_some_and(|why| !why.is_empty()), "{what}: it says for what it waits");
        }
        state.phase >= Phase::Switched
    }

    /// All is well again: whoever is due switches without a word.
    async fn heals(&mut self) {
        self.project.world.source.set_locked(ANN[0], false);
        self.project.world.target.set_locked(ANN[1], false);
        self.project.world.target.set_quota(None);
        self.project.sites.mail().failing.clear();
        for (id, _) in std::mem::take(&mut self.refused) {
            self.project.world.source.expunge(ANN[0], &FolderPath::inbox(), &id);
        }
        for _ in 0..12 {
            if self.turn().await {
                return;
            }
            // Past whatever wait a reversal has left.
            self.set_clock(100 * HOUR);
        }
        let due = self.is_due(self.now().await);
        assert!(!due, "{}: it is due and has not switched: {:?}", self.what, self.project.turn().await.state);
        assert_eq!(self.project.phase().await, Phase::InStep, "{}", self.what);
    }
}

#[tokio::test]
async fn nobody_is_ever_switched_who_is_not_in_step() {
    let (mut switched, mut parked) = (0, 0);
    for seed in 0..conformance::whole::amount(60, 2000) {
        let mut history = History::begin(seed).await;
        for _ in 0..16 {
            for _ in 0..=history.chance.below(2) {
                history.happens();
            }
            history.turn().await;
        }
        parked += usize::from(history.was_given_up);
        history.heals().await;
        switched += usize::from(history.project.phase().await >= Phase::Switched);
    }
    println!("{switched} switched, {parked} parked since they never caught up");
    assert!(switched > 20 && parked > 3, "{switched} switched, {parked} parked");
}

/// Who was taken back waits for a word: the date that their collection had is none of theirs any more.
#[tokio::test]
async fn who_was_taken_back_is_not_parked_for_being_late() {
    let mut history = History::of(0).await;
    let long_ago = history.now().await - 500 * HOUR;
    history.collect(SwitchHow::At, Some(long_ago)).await;
    history.project.until_it_ends("over").await;
    history.project.order(true, 0).await;
    history.project.until_it_ends("back").await;
    history.deliver(&"long ".repeat(REFUSED_BYTES / 5));
    let state = history.project.turn().await.state;
    assert!(matches!(state.condition, Condition::Waiting(_)) && state.phase == Phase::Copying, "{state:?}");
}
