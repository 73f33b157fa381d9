//! What others do to an entry while a router changes it, or while its redirect is on; and answers that do not come.

#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

use std::sync::atomic::{AtomicUsize, Ordering};

use conformance::ldap_relay::{Cut, LdapRelay};
use conformance::router_suite::{OwnRules, RouterWorld};
use conformance::servers::Ldif;
use connector::router::{Destination, LocalCopy};
use connector::{Door, Effect, Error, OpenDoor, Router, Routing};
use model::Cause;

use crate::common::routed::{HOME, NEW, OTHER, Shape, Site};

/// Lets everything pass, and does something right before some of it.
struct Meddling<F> {
    passed: AtomicUsize,
    act: F,
}

impl<F: Fn(usize) + Send + Sync> Meddling<F> {
    fn new(act: F) -> Self {
        Self { passed: AtomicUsize::new(0), act }
    }

    fn passed(&self) -> usize {
        self.passed.load(Ordering::SeqCst)
    }
}

impl<F: Fn(usize) + Send + Sync> Door for Meddling<F> {
    fn before(&self, _: Effect) -> Result<(), Error> {
        (self.act)(self.passed.fetch_add(1, Ordering::SeqCst) + 1);
        Ok(())
    }

    fn after(&self, _: Effect) {}
}

fn told(routing: &Routing) -> Vec<(String, LocalCopy)> {
    routing.others.iter().map(|forwarder| (forwarder.to.to_string(), forwarder.copy)).collect()
}

/// The attribute that ours leads by, and how an address stands there.
fn lead(site: &Site) -> (&'static str, &'static str) {
    if site.is_ad() { ("targetAddress", "SMTP:") } else { ("mailForwardingAddress", "") }
}

fn sites() -> Vec<Site> {
    let on_389 = Site::directory_389(Shape::Addresses);
    let others = [Site::slapd(Shape::Addresses), Site::slapd(Shape::Option), Site::samba(Shape::Target)];
    others.into_iter().chain([on_389]).flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_right_before_ours_is_kept_and_comes_back() {
    for site in sites() {
        let (router, who) = (site.router(), Site::who("ann"));
        let (attribute, prefix) = lead(&site);
        for was in [None, Some(HOME)] {
            let rules = was.map_or(OwnRules::None, |to| OwnRules::Forwards(to.to_owned()));
            assert!(site.set_own(&who, &rules).await);
            let theirs = format!("{prefix}between@home.test");
            let door = Meddling::new(|number| {
                if number == 1 {
                    site.set("ann", attribute, &[&theirs]);
                }
            });
            let redirected = router.redirect(&who, NEW, &door).await.unwrap();
            assert!(redirected.changed && door.passed() == 2, "{}", door.passed());
            assert_eq!(site.values("ann", attribute), [format!("{prefix}{NEW}")]);
            let routing = router.read(&who).await.unwrap();
            assert_eq!(routing.redirected_to(), Some(NEW));
            assert_eq!(told(&routing)[0].0, "between@home.test");
            // Before a release, too: what somebody has put in its place stays.
            let door = Meddling::new(|number| {
                if number == 1 {
                    site.set("ann", attribute, &[&format!("{prefix}later@home.test")]);
                }
            });
            let released = router.release(&who, &door).await.unwrap();
            assert!(released.changed && released.notes[0].contains("stays as it is"), "{released:?}");
            assert_eq!(site.values("ann", attribute), [format!("{prefix}later@home.test")]);
            assert_eq!(site.marked("ann"), None);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_change_in_between_is_seen_where_the_server_has_assertions() {
    let Some(site) = Site::slapd(Shape::Option) else { return };
    let (router, who) = (site.router(), Site::who("ann"));
    // What ours does not touch, since it says already what ours wants.
    site.set("ann", "mailDeliveryOption", &["forward"]);
    let door = Meddling::new(|number| {
        if number == 1 {
            site.set("ann", "mailDeliveryOption", &["forward", "mailbox"]);
        }
    });
    router.redirect(&who, NEW, &door).await.unwrap();
    assert_eq!(door.passed(), 2, "the first was refused whole");
    assert_eq!(site.values("ann", "mailDeliveryOption"), ["forward"]);
    router.release(&who, &OpenDoor).await.unwrap();
    assert_eq!(site.values("ann", "mailDeliveryOption"), ["forward", "mailbox"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_beside_ours_unseen_is_seen_when_it_is_read_back() {
    let Some(site) = Site::samba(Shape::Target) else { return };
    let (router, who, contact) = (site.router(), Site::who("ann"), site.contact(HOME));
    let door = Meddling::new(|number| {
        if number == 1 {
            site.set("ann", "altRecipient", &[&contact]);
        }
    });
    let redirected = router.redirect(&who, NEW, &door).await.unwrap();
    assert!(redirected.changed && door.passed() == 2);
    assert_eq!(site.values("ann", "altRecipient"), [""; 0]);
    assert_eq!(router.read(&who).await.unwrap().redirected_to(), Some(NEW));
    router.release(&who, &OpenDoor).await.unwrap();
    assert_eq!((site.values("ann", "altRecipient"), site.values("ann", "targetAddress")), (vec![contact], vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_never_comes_to_rest_is_left_alone() {
    for site in sites() {
        let (router, who) = (site.router(), Site::who("ann"));
        let (attribute, prefix) = lead(&site);
        let door = Meddling::new(|number| site.set("ann", attribute, &[&format!("{prefix}a{number}@home.test")]));
        let error = router.redirect(&who, NEW, &door).await.unwrap_err();
        assert!(error.what.contains("again and again") && door.passed() < 10, "{error}");
        assert_eq!(site.values("ann", attribute).len(), 1, "theirs");
        // Where the first went through, since there was nothing yet and the server has no assertions, its marker is left.
        let went_through = site.marked("ann").is_some();
        assert_eq!(error.cause, if went_through { Cause::InDoubt } else { Cause::Unavailable });
        assert_eq!(went_through, matches!(site.server, crate::common::Server::Directory389(_)));
        assert_eq!(router.read(&who).await.unwrap().redirected_to(), None);
        assert_eq!(router.release(&who, &OpenDoor).await.unwrap().changed, went_through);
        assert_eq!((site.values("ann", attribute).len(), site.marked("ann")), (1, None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_beside_ours_puts_it_out_of_force_and_stays() {
    for site in [Site::slapd(Shape::Addresses), Site::slapd(Shape::Option)].into_iter().flatten() {
        let (router, who) = (site.router(), Site::who("ann"));
        assert!(site.set_own(&who, &OwnRules::Forwards(HOME.to_owned())).await);
        router.redirect(&who, NEW, &OpenDoor).await.unwrap();
        let add = |value: &str| {
            site.server.apply(&Ldif::new().add_values(&site.dn("ann"), "mailForwardingAddress", &[value.as_bytes()]));
        };
        add("beside@home.test");
        let routing = router.read(&who).await.unwrap();
        assert_eq!(routing.redirected_to(), None);
        assert!(routing.ours.as_ref().unwrap().ineffective.as_ref().unwrap().contains("another value"));
        assert_eq!(told(&routing).len(), 2, "{routing:?}");
        // Put on again it is alone, and both come back.
        assert!(router.redirect(&who, NEW, &OpenDoor).await.unwrap().changed);
        assert_eq!(site.values("ann", "mailForwardingAddress"), [NEW]);
        add("third@home.test");
        assert!(router.release(&who, &OpenDoor).await.unwrap().notes.is_empty());
        let mut values = site.values("ann", "mailForwardingAddress");
        values.sort();
        assert_eq!(values, [HOME, "beside@home.test", "third@home.test"]);
    }
    let Some(site) = Site::samba(Shape::Target) else { return };
    let (router, who, contact) = (site.router(), Site::who("ann"), site.contact(HOME));
    router.redirect(&who, NEW, &OpenDoor).await.unwrap();
    site.set("ann", "altRecipient", &[&contact]);
    let routing = router.read(&who).await.unwrap();
    assert_eq!((routing.redirected_to(), told(&routing)), (None, vec![(HOME.to_owned(), LocalCopy::NotKept)]));
    router.release(&who, &OpenDoor).await.unwrap();
    assert_eq!((site.values("ann", "altRecipient"), site.values("ann", "targetAddress")), (vec![contact], vec![]));
    // A word alone, too: nobody says what it does beside ours.
    router.redirect(&who, OTHER, &OpenDoor).await.unwrap();
    site.set("ann", "deliverAndRedirect", &["TRUE"]);
    assert_eq!(router.read(&who).await.unwrap().redirected_to(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ours_written_in_another_way_is_ours() {
    for site in sites() {
        let (router, who) = (site.router(), Site::who("ann"));
        let (attribute, prefix) = lead(&site);
        router.redirect(&who, NEW, &OpenDoor).await.unwrap();
        let other = format!("{}{}", prefix.to_lowercase(), NEW.to_uppercase());
        site.set("ann", attribute, &[]);
        assert_eq!(router.read(&who).await.unwrap().redirected_to(), None);
        site.set("ann", attribute, &[&other]);
        assert_eq!(router.read(&who).await.unwrap().redirected_to(), Some(NEW));
        assert!(router.release(&who, &OpenDoor).await.unwrap().notes.is_empty());
        assert_eq!((site.values("ann", attribute).len(), site.marked("ann")), (0, None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_is_moved_keeps_ours() {
    for site in sites() {
        let (router, who) = (site.router(), Site::who("ann"));
        assert!(site.set_own(&who, &OwnRules::Forwards(HOME.to_owned())).await);
        let before = site.dump_of("ann");
        let dn = site.dn("ann");
        let relative = dn.split_once(',').unwrap().0.to_owned();
        let away = Ldif::new().rename(&dn, &relative, Some(site.server.elsewhere()));
        let moved = format!("{relative},{}", site.server.elsewhere());
        // While ours is put on, and while it is on.
        let door = Meddling::new(|number| {
            if number == 1 {
                site.server.apply(&away);
            }
        });
        router.redirect(&who, NEW, &door).await.unwrap();
        let routing = router.read(&who).await.unwrap();
        assert_eq!(routing.redirected_to(), Some(NEW));
        assert!(routing.evidence.0[0].to_lowercase().contains(&moved.to_lowercase()));
        site.server.apply(&Ldif::new().rename(&moved, &relative, Some(site.server.people())));
        router.release(&who, &OpenDoor).await.unwrap();
        assert_eq!(site.dump_of("ann"), before);
    }
}

/// Each answer of each call is lost, before and after its change is made.
async fn lost_answers(site: &Site) {
    let (router, who) = (site.router(), Site::who("ann"));
    assert!(site.set_own(&who, &OwnRules::Copies(HOME.to_owned())).await);
    let off = site.dump_of("ann");
    let mut doubts = 0;
    for call in ["redirect", "replace", "release"] {
        for number in 1..=4 {
            for cut in [Cut::Before(number), Cut::After(number)] {
                router.release(&who, &OpenDoor).await.unwrap();
                if call != "redirect" {
                    router.redirect(&who, if call == "replace" { OTHER } else { NEW }, &OpenDoor).await.unwrap();
                }
                let was = router.read(&who).await.unwrap().redirected_to().map(str::to_owned);
                let relayed = site.router_by(LdapRelay::cutting(site.in_clear(), cut).port());
                let came = match call {
                    "release" => relayed.release(&who, &OpenDoor).await,
                    _ => relayed.redirect(&who, NEW, &OpenDoor).await,
                };
                let now = router.read(&who).await.unwrap().redirected_to().map(str::to_owned);
                let wanted = (call != "release").then(|| NEW.to_owned());
                match &came {
                    // What could only not be cleared up is a note.
                    Ok(_) => assert_eq!(now, wanted, "{call} {cut:?}"),
                    Err(error) => {
                        assert_eq!(error.cause, Cause::InDoubt, "{call} {cut:?}: {error}");
                        assert!(now == was || now == wanted, "{call} {cut:?}: {now:?}");
                        doubts += 1;
                    }
                }
                match call {
                    "release" => drop(router.release(&who, &OpenDoor).await.unwrap()),
                    _ => drop(router.redirect(&who, NEW, &OpenDoor).await.unwrap()),
                }
                assert_eq!(router.read(&who).await.unwrap().redirected_to(), wanted.as_deref(), "{call} {cut:?}");
                router.release(&who, &OpenDoor).await.unwrap();
                assert_eq!(site.dump_of("ann"), off, "{call} {cut:?}");
            }
        }
    }
    assert!(doubts >= 6, "{doubts}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openldap_and_389_come_to_the_same_end_when_answers_are_lost() {
    for site in [Site::slapd(Shape::Option), Site::directory_389(Shape::Addresses)].into_iter().flatten() {
        lost_answers(&site).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn active_directory_comes_to_the_same_end_when_answers_are_lost() {
    for shape in [Shape::Target, Shape::Made] {
        let Some(site) = Site::samba(shape) else { return };
        lost_answers(&site).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_of_any_bytes_come_back() {
    let Some(site) = Site::slapd(Shape::Addresses) else { return };
    let router = site.router_with(|config| config.forwarding.address = "mailRoute".to_owned());
    let who = Site::who("ann");
    let values: [&[u8]; 6] = [
        "zo\u{eb}@m\u{fc}nchen.test".as_bytes(),
        b"a\0b@home.test",
        b" spaced  @home.test ",
        b"|/usr/bin/filter -x",
        b"100%",
        b"bob",
    ];
    site.server.apply(&Ldif::new().replace(&site.dn("ann"), "maildrop", &values));
    let before = site.dump_of("ann");
    assert!(before.contains("a\\x00b@home.test") && before.contains(" spaced  @home.test \n"), "{before}");
    let routing = router.read(&who).await.unwrap();
    assert_eq!(routing.others.len(), 6);
    let plain = |forwarder: &&connector::router::Forwarder| matches!(forwarder.to, Destination::Address(_));
    assert_eq!(routing.others.iter().filter(plain).count(), 1, "{:?}", routing.others);
    router.redirect(&who, NEW, &OpenDoor).await.unwrap();
    let marker = site.marked("ann").unwrap();
    assert!(marker.is_ascii() && marker.contains("was:maildrop=a%00b@home.test"), "{marker}");
    assert_eq!(site.values("ann", "maildrop"), [NEW]);
    router.release(&who, &OpenDoor).await.unwrap();
    assert_eq!(site.dump_of("ann"), before);
    // A value of no bytes, which that syntax lets in.
    site.server.apply(&Ldif::new().replace(&site.dn("bob"), "mailForwardingAddress", &[b""]));
    let (router, who, before) = (site.router(), Site::who("bob"), site.dump_of("bob"));
    router.redirect(&who, NEW, &OpenDoor).await.unwrap();
    assert_eq!(site.values("bob", "mailForwardingAddress"), [NEW]);
    router.release(&who, &OpenDoor).await.unwrap();
    assert_eq!(site.dump_of("bob"), before);

    // Ours in capitals, which the rule of comparison takes for the same.
    site.set("bob", "mailForwardingAddress", &["ANN@NEW.test", "b@home.test"]);
    let before = site.dump_of("bob");
    router.redirect(&who, NEW, &OpenDoor).await.unwrap();
    assert_eq!(site.values("bob", "mailForwardingAddress"), [NEW]);
    router.release(&who, &OpenDoor).await.unwrap();
    assert_eq!(site.dump_of("bob"), before);

    let Some(site) = Site::samba(Shape::Target) else { return };
    let (router, who) = (site.router(), Site::who("ann"));
    for value in
        ["smtp:ANN@new.test", "X400:c=GB;a= ;p=Trust;s=Zo\u{eb}", "smtp:zo\u{eb}@m\u{fc}nchen.test", "no address"]
    {
        site.set("ann", "targetAddress", &[value]);
        let before = site.dump_of("ann");
        assert_eq!(router.read(&who).await.unwrap().others.len(), 1);
        router.redirect(&who, NEW, &OpenDoor).await.unwrap();
        router.release(&who, &OpenDoor).await.unwrap();
        assert_eq!(site.dump_of("ann"), before);
    }
}
