//! A switch and its undo, stopped right before and right after each of their effects; each call of a router failing on either way, with
//! the way back failing, too. Mail comes at every stop. Each message is once in the mailbox that is followed, and nobody stays in between:
//! everybody ends switched or back, or it is shown at which task they wait, since when and for what.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use conformance::whole;
use movement::{Moment, Probe};
use store::OldAddressState;
use switch::Task;

use super::addresses::{Flaky, account, project_with};
use super::*;

/// Ends a worker right before or right after one of its effects: what it holds in memory is gone, and its lease is still there.
#[derive(Default)]
pub(super) struct Stop {
    /// Only effects of this kind count; all, if none.
    only: Option<Effect>,
    moments: AtomicUsize,
    /// At the moment of this number; 0: never.
    at: AtomicUsize,
    has_stopped: AtomicBool,
}

impl Stop {
    /// One that only looks at effects of this kind.
    pub(super) fn at_each(effect: Effect) -> Self {
        Self { only: Some(effect), ..Self::default() }
    }
}

impl Probe for Stop {
    fn at(&self, moment: Moment, effect: Effect) {
        if moment == Moment::BeforeCheck || self.only.is_some_and(|only| only != effect) {
            return;
        }
        if self.moments.fetch_add(1, Ordering::SeqCst) + 1 == self.at.load(Ordering::SeqCst) {
            self.has_stopped.store(true, Ordering::SeqCst);
            // No panic that anybody is told of: it was asked for.
            std::panic::resume_unwind(Box::new("stopped"));
        }
    }
}

/// Somebody's account on the target, before anything of ours is there.
pub(super) fn ann() -> Entry {
    account("ann", ANN[1], &["SMTP:ann@nation.test"])
}

/// A project whose worker is stopped where it is told to be.
pub(super) struct Stopped {
    project: Project,
    flaky: Flaky,
    stop: Arc<Stop>,
    sent: Vec<usize>,
}

impl Stopped {
    /// One whose person is in step, or switched.
    async fn new(is_switched: bool) -> Self {
        let (project, flaky) = project_with(vec![ann()]).await;
        Self::of(project, flaky, Stop::default(), is_switched).await
    }

    /// The same, of a project that is there.
    pub(super) async fn of(mut project: Project, flaky: Flaky, stop: Stop, is_switched: bool) -> Self {
        let stop = Arc::new(stop);
        project.engine.probe = stop.clone();
        let mut stopped = Self { project, flaky, stop, sent: Vec::new() };
        stopped.post();
        if is_switched {
            stopped.project.order(false, 0).await;
            let sent = stopped.project.until_it_ends("over").await;
            stopped.sent.extend(sent);
            assert_eq!(stopped.project.phase().await, Phase::Switched);
        }
        stopped
    }

    /// Goes this way, stopped at the moment of this number; 0: never. How many moments there were.
    pub(super) async fn goes(mut self, is_back: bool, moment: usize, what: &str) -> usize {
        self.stop.moments.store(0, Ordering::SeqCst);
        self.stop.at.store(moment, Ordering::SeqCst);
        self.project.order(is_back, 0).await;
        self.until_it_ends(false, what).await;
        let moments = self.stop.moments.load(Ordering::SeqCst);
        assert!(moments >= moment, "{what}: it was not stopped");
        self.judge(!is_back, what).await;
        moments
    }

    /// Mail comes to both addresses, and to the old one from inside the target. Wherever it goes, it comes to one mailbox.
    fn post(&mut self) {
        let sites = &self.project.sites;
        self.sent.extend(ANN.map(|address| sites.send(address)));
        self.sent.push(sites.send_from(ANN[0], 1));
    }

    /// A turn. True: it was stopped in the middle.
    async fn turn(&self, what: &str) -> bool {
        let (engine, mailbox) = (&self.project.engine, self.project.mailbox);
        let end = engine.run(&[mailbox]).await;
        for state in end.outcomes.iter().map(|outcome| &outcome.state).filter(|state| state.phase == Phase::Switching) {
            let shown = state.condition.reason().unwrap_or_default();
            assert!(shown.contains("its switch, at "), "{what}: what it waits for is shown: {state:?}");
        }
        let is_stopped = self.stop.has_stopped.swap(false, Ordering::SeqCst);
        assert_eq!(end.failure.is_some(), is_stopped, "{what}: {:?}", end.failure);
        if !is_stopped {
            return false;
        }
        // Whoever it was is dead.
        engine.store.void_leases(|_| true).await.unwrap();
        true
    }

    /// At which task a switch is that has begun and not ended. It is on record, with since when.
    async fn task(&self, what: &str) -> Option<Task> {
        let (engine, mailbox) = (&self.project.engine, self.project.mailbox);
        let switch = engine.store.switch_of(engine.key, mailbox).await.unwrap().filter(|row| row.ended.is_none());
        let is_switching = self.project.phase().await == Phase::Switching;
        assert_eq!(switch.is_some(), is_switching, "{what}: what is under way is on record: {switch:?}");
        let switch = switch?;
        assert!((1..=engine.store.now().await.unwrap()).contains(&switch.since), "{what}: {switch:?}");
        Some(Task::from_name(&switch.task).unwrap_or_else(|| panic!("{what}: {switch:?}")))
    }

    /// Turns until a switch has ended; mail comes before each and at the stop. `turned_back`: it is taken back where it was stopped, if
    /// it is under way there. True: it was.
    async fn until_it_ends(&mut self, turned_back: bool, what: &str) -> bool {
        let mut was_turned = false;
        for _ in 0..60 {
            self.post();
            let is_stopped = self.turn(what).await;
            let at = self.task(what).await;
            if is_stopped {
                self.post();
                if turned_back && at.is_some() {
                    self.project.order(true, 0).await;
                    was_turned = true;
                }
                continue;
            }
            let switch =
                self.project.engine.store.switch_of(self.project.engine.key, self.project.mailbox).await.unwrap();
            if switch.is_some_and(|switch| switch.ended.is_some()) && at.is_none() {
                return was_turned;
            }
        }
        panic!("{what}: the switch has not ended");
    }

    /// Everything is as it has to be for whoever is switched, or back.
    async fn judge(&self, is_over: bool, what: &str) {
        assert_eq!(self.project.phase().await >= Phase::Switching, is_over, "{what}");
        self.project.judge(&self.sent, what).await;
        let engine = &self.project.engine;
        let rows = engine.store.old_addresses(engine.key, self.project.mailbox).await.unwrap();
        if is_over {
            assert!(rows.iter().all(|row| row.state == OldAddressState::Ours), "{what}: {rows:?}");
            assert_ne!(self.flaky.directory.all(), [ann()], "{what}: they are on the account");
        } else {
            assert_eq!(
                (rows, self.flaky.directory.all()),
                (Vec::new(), vec![ann()]),
                "{what}: nothing of ours is left"
            );
        }
    }
}

#[tokio::test]
async fn stopped_at_every_effect_of_a_switch_and_of_an_undo_every_message_comes_once() {
    for is_back in [false, true] {
        let count = Stopped::new(is_back).await.goes(is_back, 0, "counting").await;
        println!("back: {is_back}: {count} moments, two an effect");
        assert!(count > 30, "{count}");
        for moment in whole::moments(count as u64, 11) {
            let what = format!("back: {is_back}, stopped at {moment} of {count}");
            Stopped::new(is_back).await.goes(is_back, moment as usize, &what).await;
        }
    }
}

#[tokio::test]
async fn stopped_at_every_effect_and_taken_back_there_every_message_comes_once() {
    let (count, mut turned) = (Stopped::new(false).await.goes(false, 0, "counting").await, 0);
    for moment in whole::moments(count as u64, 9) {
        let what = format!("stopped at {moment} of {count} and taken back");
        let mut stopped = Stopped::new(false).await;
        stopped.stop.moments.store(0, Ordering::SeqCst);
        stopped.stop.at.store(moment as usize, Ordering::SeqCst);
        stopped.project.order(false, 0).await;
        let was_turned = stopped.until_it_ends(true, &what).await;
        turned += usize::from(was_turned);
        stopped.judge(!was_turned, &what).await;
    }
    assert!(turned > 3, "{turned}");
}

/// How often routers are called on a way.
async fn calls(is_back: bool) -> usize {
    let project = Project::new(&[]).await;
    project.order(false, 0).await;
    let mut before = project.sites.mail().calls;
    if is_back {
        project.until_it_ends("over").await;
        before = project.sites.mail().calls;
        project.order(true, 0).await;
    }
    project.until_it_ends("counting").await;
    project.sites.mail().calls - before
}

/// A project whose person is to go this way from here on, and the mail that has come.
async fn ordered(is_back: bool) -> (Project, Vec<usize>) {
    let project = Project::new(&[]).await;
    let sent = order(&project, is_back).await;
    (project, sent)
}

/// The person of this project is to go this way from here on. The mail that has come.
pub(super) async fn order(project: &Project, is_back: bool) -> Vec<usize> {
    let mut sent: Vec<usize> = ANN.map(|address| project.sites.send(address)).to_vec();
    if is_back {
        project.order(false, 0).await;
        sent.extend(project.until_it_ends("over").await);
    }
    project.order(is_back, 0).await;
    sent
}

/// The switch of this project has ended.
pub(super) async fn has_ended(project: &Project, what: &str) {
    let switch = project.engine.store.switch_of(project.engine.key, project.mailbox).await.unwrap();
    assert!(switch.is_none_or(|switch| switch.ended.is_some()), "{what}: nobody is in between");
}

/// Every call of a router, on either way, fails once in each way, or for a while, or for good up to some point: no message is lost,
/// doubled for whoever looks or goes round, and the switch ends on one side.
#[tokio::test]
async fn wherever_a_router_fails_every_message_comes_once() {
    for is_back in [false, true] {
        let (count, mut ended) = (calls(is_back).await, BTreeSet::new());
        assert!(count >= 6, "{count}");
        for first in 1..=count {
            for (how, lasts) in
                [(How::Before, 1), (How::Before, 3), (How::After, 1), (How::After, 2), (How::Never, 1), (How::Never, 4)]
            {
                let what = format!("back: {is_back}, call {first} of {count}, {lasts} times {how:?}");
                let (project, mut sent) = ordered(is_back).await;
                project.sites.mail().fail(first, lasts, how);
                sent.extend(project.until_it_ends(&what).await);
                project.sites.mail().failing.clear();
                ended.insert(project.phase().await);
                project.judge(&sent, &what).await;
                has_ended(&project, &what).await;
            }
        }
        assert_eq!(ended.contains(&Phase::Switched), !is_back, "{ended:?}");
        assert!(ended.iter().any(|phase| *phase < Phase::Switching), "{ended:?}");
    }
}

/// From each call on routers fail without an end: whoever can't go on says at which task they wait and for what, mail still comes to one
/// mailbox, and all ends once they work again.
#[tokio::test]
async fn routers_that_fail_for_good_leave_nobody_in_limbo() {
    for is_back in [false, true] {
        let count = calls(is_back).await;
        for first in 1..=count {
            for how in [How::Before, How::After, How::Never] {
                let what = format!("back: {is_back}, from call {first} of {count} on {how:?}");
                let (project, mut sent) = ordered(is_back).await;
                project.sites.mail().fail(first, usize::MAX, how);
                for _ in 0..6 {
                    sent.extend(ANN.map(|address| project.sites.send(address)));
                    let state = project.turn().await.state;
                    let says = state.condition.reason().unwrap_or_default();
                    match state.phase {
                        Phase::Switching => assert!(says.contains("its switch, at "), "{what}: {state:?}"),
                        Phase::Switched | Phase::Settled => {}
                        _ if is_back => {}
                        _ => assert!(says.contains("its switch"), "{what}: {state:?}"),
                    }
                }
                project.sites.mail().failing.clear();
                sent.extend(project.until_it_ends(&what).await);
                project.judge(&sent, &what).await;
                has_ended(&project, &what).await;
            }
        }
    }
}

/// More calls than a reverse makes.
const REVERSE: usize = 14;
/// In which a call of the reverse fails, and for how many calls.
const REVERSE_WAYS: [(How, usize); 6] =
    [(How::Before, 1), (How::After, 1), (How::Never, 1), (How::Before, 3), (How::Never, 3), (How::After, 3)];

/// So many pairs of a call that fails for good and one of the reverse that fails in some way, of a way over with so many calls.
pub(super) fn reverses(count: usize) -> u64 {
    (count * REVERSE * REVERSE_WAYS.len()) as u64
}

/// The pair of this number: does what can't be done come back to the source?
pub(super) async fn fails_on_both_ways(project: &Project, count: usize, number: u64) -> bool {
    let number = number as usize - 1;
    let (how, lasts) = REVERSE_WAYS[number % REVERSE_WAYS.len()];
    let (first, after) = (1 + number / REVERSE_WAYS.len() / REVERSE, 1 + number / REVERSE_WAYS.len() % REVERSE);
    let what = format!("call {first} of {count}, then {lasts} times {how:?} from the {after}th after it");
    let mut sent = order(project, false).await;
    {
        let mut mail = project.sites.mail();
        mail.fail(first, 1, How::Never);
        mail.fail(first + after, lasts, how);
    }
    sent.extend(project.until_it_ends(&what).await);
    project.sites.mail().failing.clear();
    let is_reversed = project.phase().await < Phase::Switching;
    project.judge(&sent, &what).await;
    has_ended(project, &what).await;
    is_reversed
}

/// What can't be done is reversed, and each call of the reverse fails as well.
#[tokio::test]
async fn wherever_the_reverse_fails_too_every_message_comes_once() {
    let count = calls(false).await;
    let mut reversed = 0;
    for number in whole::moments(reverses(count), 19) {
        let project = Project::new(&[]).await;
        reversed += usize::from(fails_on_both_ways(&project, count, number).await);
    }
    assert!(reversed > 5, "{reversed}");
}
