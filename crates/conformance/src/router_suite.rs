//! What every router must do: one function a behaviour, run on each router's world.
//!
//! The rules are those of [`connector::router`]. A world is a site whose people can be given rules of their own, and whose state can be
//! looked at, by other means than the router. What a world can't do it says, and what asks for it is passed over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use connector::router::{Destination, Force, LocalCopy};
use connector::{Account, Door, Effect, Error, OpenDoor, Recipient, Rerouted, Router, Routing, ShutDoor};
use model::{Cause, Scope};

/// Rules that somebody has, not by the router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnRules {
    /// None at all.
    None,
    /// All mail goes into this folder of the person's; no other comes in.
    Files(String),
    /// All mail goes to this address, and no copy stays.
    Forwards(String),
    /// All mail goes to this address, and a copy stays.
    Copies(String),
}

/// What became of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// The person's folders that hold it.
    pub kept_in: Vec<String>,
    /// The addresses that it was sent to.
    pub sent_to: Vec<String>,
}

/// A site with people, and how it is looked at and changed by other means than the router.
#[async_trait]
pub trait RouterWorld: Send + Sync {
    /// The router.
    fn router(&self) -> Arc<dyn Router>;

    /// Two people of the site, who have no rules to begin with.
    fn people(&self) -> [Recipient; 2];

    /// Everything that the site holds about where the person's mail goes, byte for byte. Two people of whom the same is so have the
    /// same, so it does not hold their names.
    async fn dump(&self, who: &Recipient) -> Vec<u8>;

    /// The person has these rules from now on, in place of those they had: as they, or who runs the site, would set them. While a
    /// redirect of ours is on, it stays on. False where the site has no such rules.
    async fn set_own(&self, who: &Recipient, rules: &OwnRules) -> bool;

    /// Hands in a message for the person, and waits for what becomes of it. None where the site delivers nothing.
    async fn deliver(&self, _who: &Recipient) -> Option<Delivered> {
        None
    }

    /// Somebody whom the site does not know.
    fn stranger(&self) -> Recipient {
        Recipient::new(Account::named("nobody@site.test"), "nobody@site.test")
    }

    /// A router of a site of this kind where mail can't be sent on without a copy that stays. None where there is no such site.
    async fn copying(&self) -> Option<(Arc<dyn Router>, Recipient)> {
        None
    }
}

/// Makes a `#[tokio::test]` of every behaviour of the suite, for the world that an expression gives; `None` leaves them out.
#[macro_export]
macro_rules! router_suite {
    ($world:expr) => {
        $crate::router_tests!(
            $world;
            a_redirect_is_read_back,
            a_redirect_that_is_on_is_left_alone,
            another_address_takes_the_place_of_the_first,
            a_release_brings_back_what_was_there,
            a_release_without_a_redirect_does_nothing,
            what_is_changed_in_between_stays_changed,
            forwarders_of_others_are_listed,
            a_forwarder_to_the_same_address_is_not_ours,
            calls_that_are_cut_come_to_the_same_end,
            a_redirect_that_is_cut_can_be_released,
            nothing_passes_a_shut_door,
            an_address_that_is_none_is_refused,
            an_address_of_their_own_is_refused,
            a_stranger_is_refused,
            a_router_that_would_keep_a_copy_refuses,
            listing_is_as_it_is_offered,
            the_check_of_a_router_finds_it_well,
            mail_goes_where_it_is_redirected,
        );
    };
}

/// Makes tests of these behaviours of the suite of routers.
#[macro_export]
macro_rules! router_tests {
    ($world:expr; $($name:ident,)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let Some(world) = $world else { return };
            $crate::router_suite::$name(&world).await;
        })+
    };
}

/// Where people are redirected to.
const NEW: &str = "ann@new.test";
/// Where else.
const OTHER: &str = "ann.other@new.test";
/// Where people send their mail by rules of their own.
const ELSEWHERE: &str = "ann@home.test";

fn every_rule() -> [OwnRules; 4] {
    let address = || ELSEWHERE.to_owned();
    [OwnRules::None, OwnRules::Files("Archive".to_owned()), OwnRules::Forwards(address()), OwnRules::Copies(address())]
}

async fn read(world: &dyn RouterWorld, who: &Recipient) -> Routing {
    world.router().read(who).await.unwrap()
}

async fn redirect(world: &dyn RouterWorld, who: &Recipient, to: &str) -> Rerouted {
    world.router().redirect(who, to, &OpenDoor).await.unwrap()
}

async fn release(world: &dyn RouterWorld, who: &Recipient) -> Rerouted {
    world.router().release(who, &OpenDoor).await.unwrap()
}

/// A redirect is told by a reading, and to be in force; the evidence says that something changed.
pub async fn a_redirect_is_read_back(world: &dyn RouterWorld) {
    let [who, other] = world.people();
    let before = read(world, &who).await;
    assert_eq!((&before.ours, before.redirected_to()), (&None, None));
    let dumped = world.dump(&other).await;
    let rerouted = redirect(world, &who, NEW).await;
    assert!(rerouted.changed);
    assert_eq!(rerouted.before, before.evidence);
    assert_ne!(rerouted.before, rerouted.after);
    let read = read(world, &who).await;
    assert_eq!(read.redirected_to(), Some(NEW));
    assert_eq!(read.evidence, rerouted.after);
    assert!(read.evidence.0.iter().any(|line| line.contains(NEW)), "{:?}", read.evidence);
    assert_eq!(world.dump(&other).await, dumped, "somebody else's is left alone");
}

/// The same redirect again changes nothing, and says so.
pub async fn a_redirect_that_is_on_is_left_alone(world: &dyn RouterWorld) {
    let [who, _] = world.people();
    redirect(world, &who, NEW).await;
    let dumped = world.dump(&who).await;
    let again = redirect(world, &who, NEW).await;
    assert!(!again.changed);
    assert_eq!(again.before, again.after);
    assert_eq!(world.dump(&who).await, dumped);
}

/// A redirect to another address replaces the first; a release brings back what was there before both.
pub async fn another_address_takes_the_place_of_the_first(world: &dyn RouterWorld) {
    let [who, _] = world.people();
    for rules in every_rule() {
        if !world.set_own(&who, &rules).await {
            continue;
        }
        let dumped = world.dump(&who).await;
        redirect(world, &who, NEW).await;
        assert!(redirect(world, &who, OTHER).await.changed);
        assert_eq!(read(world, &who).await.redirected_to(), Some(OTHER));
        let on = String::from_utf8_lossy(&world.dump(&who).await).into_owned();
        assert!(!on.contains(NEW), "the first is gone: {on}");
        release(world, &who).await;
        assert_eq!(world.dump(&who).await, dumped, "{rules:?}");
    }
}

/// Whatever rules there were, they are there again, byte for byte; and once more after a second time.
pub async fn a_release_brings_back_what_was_there(world: &dyn RouterWorld) {
    let [who, _] = world.people();
    for rules in every_rule() {
        if !world.set_own(&who, &rules).await {
            continue;
        }
        let (dumped, routing) = (world.dump(&who).await, read(world, &who).await);
        for _ in 0..2 {
            let on = redirect(world, &who, NEW).await;
            assert_ne!(world.dump(&who).await, dumped);
            let off = release(world, &who).await;
            assert!(off.changed && off.notes.is_empty(), "{rules:?}: {off:?}");
            assert_eq!((&off.after, &off.before), (&on.before, &on.after), "{rules:?}");
            assert_eq!(world.dump(&who).await, dumped, "{rules:?}");
            assert_eq!(read(world, &who).await, routing, "{rules:?}");
        }
    }
}

/// Without a redirect of ours nothing is done.
pub async fn a_release_without_a_redirect_does_nothing(world: &dyn RouterWorld) {
    let [who, _] = world.people();
    for rules in every_rule() {
        if !world.set_own(&who, &rules).await {
            continue;
        }
        let dumped = world.dump(&who).await;
        let released = release(world, &who).await;
        assert!(!released.changed && released.before == released.after, "{rules:?}");
        assert_eq!(world.dump(&who).await, dumped, "{rules:?}");
    }
}

/// Rules that their owner changes while our redirect is on are as changed after the release.
pub async fn what_is_changed_in_between_stays_changed(world: &dyn RouterWorld) {
    let [who, like] = world.people();
    for (rules, changed) in [
        (OwnRules::Files("Archive".to_owned()), OwnRules::Files("Later".to_owned())),
        (OwnRules::Files("Archive".to_owned()), OwnRules::Copies(ELSEWHERE.to_owned())),
        (OwnRules::Forwards(ELSEWHERE.to_owned()), OwnRules::Forwards(OTHER.to_owned())),
    ] {
        if !(world.set_own(&who, &rules).await && world.set_own(&like, &changed).await) {
            continue;
        }
        redirect(world, &who, NEW).await;
        assert!(world.set_own(&who, &changed).await);
        assert_eq!(read(world, &who).await.redirected_to(), Some(NEW), "a change elsewhere does not touch ours");
        release(world, &who).await;
        assert_eq!(world.dump(&who).await, world.dump(&like).await, "{changed:?}");
    }
}

/// Redirects that are not ours are told, before ours is on and while it is, and whether a copy stays.
pub async fn forwarders_of_others_are_listed(world: &dyn RouterWorld) {
    let [who, _] = world.people();
    let to = || ELSEWHERE.to_owned();
    for (rules, copy) in [
        (OwnRules::Forwards(to()), Some(LocalCopy::NotKept)),
        (OwnRules::Copies(to()), Some(LocalCopy::Kept)),
        (OwnRules::Files("Archive".to_owned()), None),
    ] {
        if !world.set_own(&who, &rules).await {
            continue;
        }
        for on in [false, true] {
            if on {
                redirect(world, &who, NEW).await;
            }
            let routing = read(world, &who).await;
            assert_eq!(routing.redirected_to(), on.then_some(NEW));
            let others = routing.others.iter().filter(|forwarder| forwarder.force != Force::Dormant);
            let told: Vec<_> = others.map(|forwarder| (&forwarder.to, forwarder.copy)).collect();
            let expected = Destination::Address(to());
            assert_eq!(told, Vec::from_iter(copy.map(|copy| (&expected, copy))), "{rules:?}, ours on: {on}");
            assert!(routing.others.iter().all(|forwarder| !forwarder.place.is_empty()));
        }
        release(world, &who).await;
    }
}

/// A redirect of somebody else's is not taken for ours because it leads where ours would.
pub async fn a_forwarder_to_the_same_address_is_not_ours(world: &dyn RouterWorld) {
    let [who, _] = world.people();
    if !world.set_own(&who, &OwnRules::Forwards(NEW.to_owned())).await {
        return;
    }
    let dumped = world.dump(&who).await;
    let routing = read(world, &who).await;
    assert_eq!((routing.redirected_to(), routing.others.len()), (None, 1));
    assert!(!release(world, &who).await.changed);
    assert_eq!(world.dump(&who).await, dumped);
    assert!(redirect(world, &who, NEW).await.changed, "theirs may go at any time");
    assert_eq!(read(world, &who).await.redirected_to(), Some(NEW));
    release(world, &who).await;
    assert_eq!(world.dump(&who).await, dumped);
}

/// Cuts what passes it at one effect: before that, or right after it has left.
struct Cutting {
    at: usize,
    is_after: bool,
    effects: AtomicUsize,
    cut: tokio::sync::Notify,
}

impl Cutting {
    fn new(at: usize, is_after: bool) -> Self {
        Self { at, is_after, effects: AtomicUsize::new(0), cut: tokio::sync::Notify::new() }
    }

    /// Makes the call, up to the cut; whether it was cut.
    async fn cuts(&self, call: impl Future<Output = Result<Rerouted, Error>>) -> bool {
        tokio::select! {
            biased;
            () = self.cut.notified() => true,
            called = call => match called {
                // A quick site has answered before anybody could cut.
                Ok(_) => self.is_after && self.effects.load(Ordering::SeqCst) >= self.at,
                Err(error) => {
                    assert_eq!(error.cause, Cause::Stopped, "{error}");
                    true
                }
            },
        }
    }
}

impl Door for Cutting {
    fn before(&self, _: Effect) -> Result<(), Error> {
        let number = self.effects.fetch_add(1, Ordering::SeqCst) + 1;
        let shut = number > self.at || (number == self.at && !self.is_after);
        if shut { Err(Error::new(Cause::Stopped, Scope::Run, "cut by the test")) } else { Ok(()) }
    }

    fn after(&self, _: Effect) {
        if self.is_after && self.effects.load(Ordering::SeqCst) == self.at {
            self.cut.notify_one();
        }
    }
}

/// The most effects that a call may take.
const EFFECTS_MAX: usize = 50;

/// Calls `act` again and again with a cut one effect later each time, as long as it cuts; `then` is called after each.
async fn cut_everywhere<'w>(
    act: impl AsyncFn(&Cutting) -> bool + 'w,
    prepare: impl AsyncFn() + 'w,
    then: impl AsyncFn(String) + 'w,
) {
    for is_after in [false, true] {
        for at in 1.. {
            assert!(at < EFFECTS_MAX, "no end");
            prepare().await;
            let was_cut = act(&Cutting::new(at, is_after)).await;
            then(format!("cut at effect {at}, after it: {is_after}")).await;
            if !was_cut {
                assert!(at > 1, "nothing passed the door");
                break;
            }
        }
    }
}

/// A redirect, a change of its address and a release, each cut at every effect: mail goes one way or the other, and the same call
/// again comes to the same end.
pub async fn calls_that_are_cut_come_to_the_same_end(world: &dyn RouterWorld) {
    let [who, _] = world.people();
    let router = world.router();
    for rules in [OwnRules::None, OwnRules::Files("Archive".to_owned())] {
        if !world.set_own(&who, &rules).await {
            continue;
        }
        let off = world.dump(&who).await;
        redirect(world, &who, NEW).await;
        let on = world.dump(&who).await;
        redirect(world, &who, OTHER).await;
        let on_other = world.dump(&who).await;
        release(world, &who).await;
        cut_everywhere(
            async |door| door.cuts(router.redirect(&who, NEW, door)).await,
            async || drop(release(world, &who).await),
            async |cut| {
                assert!([None, Some(NEW)].contains(&read(world, &who).await.redirected_to()), "{cut}");
                redirect(world, &who, NEW).await;
                assert_eq!(world.dump(&who).await, on, "redirect, {cut}");
            },
        )
        .await;
        cut_everywhere(
            async |door| door.cuts(router.redirect(&who, OTHER, door)).await,
            async || drop(redirect(world, &who, NEW).await),
            async |cut| {
                assert!([Some(OTHER), Some(NEW)].contains(&read(world, &who).await.redirected_to()), "{cut}");
                redirect(world, &who, OTHER).await;
                assert_eq!(world.dump(&who).await, on_other, "another address, {cut}");
            },
        )
        .await;
        cut_everywhere(
            async |door| door.cuts(router.release(&who, door)).await,
            async || drop(redirect(world, &who, NEW).await),
            async |cut| {
                assert!([None, Some(NEW)].contains(&read(world, &who).await.redirected_to()), "{cut}");
                release(world, &who).await;
                assert_eq!(world.dump(&who).await, off, "release, {cut}");
            },
        )
        .await;
    }
}

/// After a redirect that was cut, a release brings back what was there; after a release that was cut, a redirect puts it on.
pub async fn a_redirect_that_is_cut_can_be_released(world: &dyn RouterWorld) {
    let [who, _] = world.people();
    let router = world.router();
    let _ = world.set_own(&who, &OwnRules::Files("Archive".to_owned())).await;
    let off = world.dump(&who).await;
    redirect(world, &who, NEW).await;
    let on = world.dump(&who).await;
    release(world, &who).await;
    cut_everywhere(
        async |door| door.cuts(router.redirect(&who, NEW, door)).await,
        async || (),
        async |cut| {
            settle(world, &who).await;
            release(world, &who).await;
            assert_eq!(world.dump(&who).await, off, "{cut}");
        },
    )
    .await;
    cut_everywhere(
        async |door| door.cuts(router.release(&who, door)).await,
        async || drop(redirect(world, &who, NEW).await),
        async |cut| {
            settle(world, &who).await;
            redirect(world, &who, NEW).await;
            assert_eq!(world.dump(&who).await, on, "{cut}");
        },
    )
    .await;
}

/// Waits until the site has done what a call that was cut has asked of it: two dumps in a row are the same.
async fn settle(world: &dyn RouterWorld, who: &Recipient) {
    let mut last = world.dump(who).await;
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let now = world.dump(who).await;
        if now == last {
            return;
        }
        last = now;
    }
}

/// With a shut door nothing changes.
pub async fn nothing_passes_a_shut_door(world: &dyn RouterWorld) {
    let [who, _] = world.people();
    let router = world.router();
    let dumped = world.dump(&who).await;
    router.redirect(&who, NEW, &ShutDoor).await.unwrap_err();
    assert_eq!(world.dump(&who).await, dumped);
    redirect(world, &who, NEW).await;
    let dumped = world.dump(&who).await;
    router.release(&who, &ShutDoor).await.unwrap_err();
    router.redirect(&who, OTHER, &ShutDoor).await.unwrap_err();
    assert_eq!(world.dump(&who).await, dumped);
    assert!(!router.redirect(&who, NEW, &ShutDoor).await.unwrap().changed, "what is so already needs no door");
}

/// What is no address is refused, and nothing changes.
pub async fn an_address_that_is_none_is_refused(world: &dyn RouterWorld) {
    let [who, _] = world.people();
    let dumped = world.dump(&who).await;
    for odd in [
        "",
        "ann",
        "@new.test",
        "ann@",
        "ann smith@new.test",
        "ann@new.test\r\nkeep",
        "a@b.test, c@d.test",
        "\"@new.test",
    ] {
        let error = world.router().redirect(&who, odd, &OpenDoor).await.unwrap_err();
        assert_eq!(error.cause, Cause::Unsupported, "{odd:?}: {error}");
    }
    assert_eq!(world.dump(&who).await, dumped);
}

/// Mail is not sent to an address at which the person themselves gets it here: it would come back for ever.
pub async fn an_address_of_their_own_is_refused(world: &dyn RouterWorld) {
    let [mut who, _] = world.people();
    let dumped = world.dump(&who).await;
    who.addresses.push("Ann.Second@site.test".to_owned());
    let own = [who.addresses[0].clone(), who.addresses[0].to_uppercase(), "ann.second@SITE.test".to_owned()];
    for to in own.iter().chain([&who.account.name]) {
        let error = world.router().redirect(&who, to, &OpenDoor).await.unwrap_err();
        assert_eq!(error.cause, Cause::Unsupported, "{to:?}: {error}");
    }
    assert_eq!(world.dump(&who).await, dumped);
}

/// Nothing is made for somebody whom the site does not know.
pub async fn a_stranger_is_refused(world: &dyn RouterWorld) {
    let stranger = world.stranger();
    let router = world.router();
    for error in [
        router.read(&stranger).await.unwrap_err(),
        router.redirect(&stranger, NEW, &OpenDoor).await.unwrap_err(),
        router.release(&stranger, &OpenDoor).await.unwrap_err(),
    ] {
        assert!(matches!(error.cause, Cause::Login | Cause::Missing | Cause::NotTheirStore), "{error}");
    }
}

/// Where a copy would stay, nothing is redirected.
pub async fn a_router_that_would_keep_a_copy_refuses(world: &dyn RouterWorld) {
    let Some((router, who)) = world.copying().await else { return };
    let before = router.read(&who).await.unwrap();
    let error = router.redirect(&who, NEW, &OpenDoor).await.unwrap_err();
    assert_eq!(error.cause, Cause::Unsupported, "{error}");
    assert_eq!(router.read(&who).await.unwrap(), before);
}

/// A router that can't list the whole site says so.
pub async fn listing_is_as_it_is_offered(world: &dyn RouterWorld) {
    struct Counting(usize);
    #[async_trait]
    impl connector::router::ForwarderSink for Counting {
        async fn take(&mut self, forwarders: Vec<(String, connector::router::Forwarder)>) -> Result<(), Error> {
            self.0 += forwarders.len();
            Ok(())
        }
    }
    let [who, _] = world.people();
    let has_one = world.set_own(&who, &OwnRules::Forwards(ELSEWHERE.to_owned())).await;
    let mut sink = Counting(0);
    let listed = world.router().list(&mut sink).await;
    if world.router().offers().lists_all {
        listed.unwrap();
        assert!(sink.0 > 0 || !has_one);
    } else {
        assert_eq!(listed.unwrap_err().cause, Cause::Unsupported);
    }
}

/// The check has nothing to complain of, and changes nothing.
pub async fn the_check_of_a_router_finds_it_well(world: &dyn RouterWorld) {
    let [who, _] = world.people();
    let _ = world.set_own(&who, &OwnRules::Files("Archive".to_owned())).await;
    let dumped = world.dump(&who).await;
    for who in [None, Some(&who)] {
        let findings = world.router().check(who).await;
        assert!(!findings.is_empty());
        for finding in findings {
            assert_eq!(finding.wrong, None, "{finding:?}");
            assert!(!finding.sentence.is_empty());
        }
    }
    assert_eq!(world.dump(&who).await, dumped);
}

/// With the redirect on a message leaves to its address and none stays; without, all is as the person's own rules want it.
pub async fn mail_goes_where_it_is_redirected(world: &dyn RouterWorld) {
    let [who, _] = world.people();
    for rules in every_rule() {
        if !world.set_own(&who, &rules).await {
            continue;
        }
        let Some(before) = world.deliver(&who).await else { return };
        let to = || vec![ELSEWHERE.to_owned()];
        let (kept, sent) = match &rules {
            OwnRules::None => (1, Vec::new()),
            OwnRules::Files(folder) => {
                assert_eq!(before.kept_in, std::slice::from_ref(folder));
                (1, Vec::new())
            }
            OwnRules::Forwards(_) => (0, to()),
            OwnRules::Copies(_) => (1, to()),
        };
        assert_eq!((before.kept_in.len(), &before.sent_to), (kept, &sent), "{rules:?}");
        redirect(world, &who, NEW).await;
        let on = world.deliver(&who).await.unwrap();
        assert_eq!(on, Delivered { kept_in: Vec::new(), sent_to: vec![NEW.to_owned()] }, "{rules:?}");
        release(world, &who).await;
        assert_eq!(world.deliver(&who).await.unwrap(), before, "{rules:?}");
    }
}
