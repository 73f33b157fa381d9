//! What every kind of access must do: one function a behaviour, run on each one's world.
//!
//! The rules are those of [`connector::access`]. A world is a site whose people may log in, and whose state can be looked at and changed by
//! other means.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use connector::access::{Access, AccessChanged, LoginState};
use connector::{Account, Door, Effect, Error, OpenDoor, Recipient, ShutDoor};
use model::{Cause, Scope};

/// A site with people, and how it is looked at and changed by other means.
#[async_trait]
pub trait AccessWorld: Send + Sync {
    /// The access.
    fn access(&self) -> Arc<dyn Access>;

    /// Two people of the site, who may log in to begin with.
    fn people(&self) -> [Recipient; 2];

    /// All that the site holds about who may log in, byte for byte.
    async fn dump(&self) -> Vec<u8>;

    /// Whoever runs the site keeps this person out from now on, or lets them in again.
    async fn close_by_site(&self, who: &Recipient, is_closed: bool);

    /// Does the site let this person in? None where there is nothing to log in to.
    async fn lets_in(&self, _who: &Recipient) -> Option<bool> {
        None
    }

    /// Somebody who can't be kept out: of whom the site knows nothing, or whose name it can't hold.
    fn stranger(&self) -> Recipient {
        Recipient::new(Account::named("no body:at all"), "nobody@site.test")
    }
}

/// Makes a `#[tokio::test]` of every behaviour of the suite, for the world that an expression gives; `None` leaves them out.
#[macro_export]
macro_rules! access_suite {
    ($world:expr) => {
        $crate::access_tests!(
            $world;
            who_is_closed_out_is_and_nobody_else,
            opening_brings_back_what_was_there,
            nothing_is_done_twice,
            whom_the_site_keeps_out_stays_out,
            nothing_passes_a_shut_door,
            a_call_that_was_cut_comes_to_the_same_end,
            who_cannot_be_kept_out_is_refused,
            the_check_finds_it_well_and_changes_nothing,
        );
    };
}

/// Makes tests of these behaviours of the suite of accesses.
#[macro_export]
macro_rules! access_tests {
    ($world:expr; $($name:ident,)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let Some(world) = $world else { return };
            $crate::access_suite::$name(&world).await;
        })+
    };
}

async fn read(world: &dyn AccessWorld, who: &Recipient) -> LoginState {
    world.access().read(who).await.unwrap()
}

async fn close(world: &dyn AccessWorld, who: &Recipient) -> AccessChanged {
    world.access().close(who, &OpenDoor).await.unwrap()
}

async fn open(world: &dyn AccessWorld, who: &Recipient) -> AccessChanged {
    world.access().open(who, &OpenDoor).await.unwrap()
}

/// Waits until the site lets a person in or not: some look at what was written once a second.
pub async fn is_let_in(world: &dyn AccessWorld, who: &Recipient, expected: bool) {
    for _ in 0..600 {
        if world.lets_in(who).await.is_none_or(|lets_in| lets_in == expected) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{} is let in: {}", who.account.name, !expected);
}

/// It is read back, the site keeps them out, and the other is as before.
pub async fn who_is_closed_out_is_and_nobody_else(world: &dyn AccessWorld) {
    let [ann, ben] = world.people();
    let of_ben = read(world, &ben).await;
    assert!(!read(world, &ann).await.is_closed() && !of_ben.is_closed());
    is_let_in(world, &ann, true).await;
    assert!(close(world, &ann).await.changed);
    let state = read(world, &ann).await;
    assert!(state.closed_by_us && state.is_closed() && state.closed_by_others.is_none(), "{state:?}");
    assert_eq!(read(world, &ben).await, of_ben);
    is_let_in(world, &ann, false).await;
    is_let_in(world, &ben, true).await;
    close(world, &ben).await;
    assert!(open(world, &ann).await.changed);
    is_let_in(world, &ann, true).await;
    is_let_in(world, &ben, false).await;
}

/// Byte for byte, once and again.
pub async fn opening_brings_back_what_was_there(world: &dyn AccessWorld) {
    let [ann, _] = world.people();
    let before = world.dump().await;
    for _ in 0..2 {
        close(world, &ann).await;
        assert_ne!(world.dump().await, before);
        open(world, &ann).await;
        assert_eq!(world.dump().await, before);
        assert!(!read(world, &ann).await.closed_by_us);
    }
}

/// Who is closed out already is left so, and without ours nothing is opened.
pub async fn nothing_is_done_twice(world: &dyn AccessWorld) {
    let [ann, _] = world.people();
    let before = world.dump().await;
    assert!(!open(world, &ann).await.changed);
    assert_eq!(world.dump().await, before);
    close(world, &ann).await;
    let closed = world.dump().await;
    assert!(!close(world, &ann).await.changed);
    assert_eq!(world.dump().await, closed);
}

/// What is not ours is never taken for ours, and never taken away.
pub async fn whom_the_site_keeps_out_stays_out(world: &dyn AccessWorld) {
    let [ann, _] = world.people();
    world.close_by_site(&ann, true).await;
    let by_site = world.dump().await;
    let state = read(world, &ann).await;
    assert!(!state.closed_by_us && state.closed_by_others.is_some() && state.is_closed(), "{state:?}");
    open(world, &ann).await;
    assert_eq!(world.dump().await, by_site);
    close(world, &ann).await;
    assert!(read(world, &ann).await.is_closed());
    open(world, &ann).await;
    assert_eq!(world.dump().await, by_site);
    is_let_in(world, &ann, false).await;
    world.close_by_site(&ann, false).await;
    assert!(!read(world, &ann).await.is_closed());
    is_let_in(world, &ann, true).await;
}

/// Not even one effect.
pub async fn nothing_passes_a_shut_door(world: &dyn AccessWorld) {
    let [ann, _] = world.people();
    let before = world.dump().await;
    world.access().close(&ann, &ShutDoor).await.unwrap_err();
    assert_eq!(world.dump().await, before);
    close(world, &ann).await;
    let closed = world.dump().await;
    world.access().open(&ann, &ShutDoor).await.unwrap_err();
    assert_eq!(world.dump().await, closed);
}

/// Lets so many effects pass, and cuts the call at the next: before it, or right after it has left.
struct Cutting {
    at: usize,
    is_after: bool,
    effects: AtomicUsize,
    cut: tokio::sync::Notify,
}

impl Door for Cutting {
    fn before(&self, _: Effect) -> Result<(), Error> {
        let number = self.effects.fetch_add(1, Ordering::SeqCst) + 1;
        let is_shut = number > self.at || (number == self.at && !self.is_after);
        if is_shut { Err(Error::new(Cause::Stopped, Scope::Run, "cut by the test")) } else { Ok(()) }
    }

    fn after(&self, _: Effect) {
        if self.is_after && self.effects.load(Ordering::SeqCst) == self.at {
            self.cut.notify_one();
        }
    }
}

/// Cut at every effect, before and after: the person is out or not, the same call ends it, and so does the other one.
pub async fn a_call_that_was_cut_comes_to_the_same_end(world: &dyn AccessWorld) {
    let [ann, ben] = world.people();
    let before = world.dump().await;
    let of_ben = read(world, &ben).await;
    for is_closing in [true, false] {
        for is_after in [false, true] {
            for at in 1..=9 {
                for same in [true, false] {
                    if !is_closing {
                        close(world, &ann).await;
                    }
                    let door = Cutting { at, is_after, effects: AtomicUsize::new(0), cut: tokio::sync::Notify::new() };
                    let access = world.access();
                    let call = async {
                        if is_closing { access.close(&ann, &door).await } else { access.open(&ann, &door).await }
                    };
                    tokio::select! {
                        biased;
                        () = door.cut.notified() => {}
                        _ = call => {}
                    }
                    read(world, &ann).await;
                    assert_eq!(read(world, &ben).await, of_ben);
                    if is_closing == same {
                        close(world, &ann).await;
                        assert!(read(world, &ann).await.is_closed());
                    } else {
                        open(world, &ann).await;
                        assert!(!read(world, &ann).await.is_closed());
                    }
                    open(world, &ann).await;
                    assert_eq!(world.dump().await, before, "{is_closing}, {is_after}, {at}, {same}");
                    if door.effects.load(Ordering::SeqCst) < at {
                        break;
                    }
                }
            }
        }
    }
}

/// Nothing is written for somebody who could not be kept out by it.
pub async fn who_cannot_be_kept_out_is_refused(world: &dyn AccessWorld) {
    let who = world.stranger();
    let before = world.dump().await;
    world.access().close(&who, &OpenDoor).await.unwrap_err();
    assert_eq!(world.dump().await, before);
}

/// With a person and without.
pub async fn the_check_finds_it_well_and_changes_nothing(world: &dyn AccessWorld) {
    let [ann, _] = world.people();
    let before = world.dump().await;
    for who in [None, Some(&ann)] {
        let findings = world.access().check(who).await;
        assert!(!findings.is_empty());
        assert!(findings.iter().all(|finding| finding.wrong.is_none()), "{findings:?}");
    }
    assert_eq!(world.dump().await, before);
}
