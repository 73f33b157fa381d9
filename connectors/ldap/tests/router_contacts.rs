//! Redirects by the name of a contact: one that the site has, one that is made, and those that were named before.

#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

use conformance::router_suite::{OwnRules, RouterWorld};
use conformance::servers::{Ldif, SambaAd};
use connector::router::LocalCopy;
use connector::{OpenDoor, Router};
use model::Cause;

use crate::common::routed::{HOME, NEW, OTHER, Shape, Site};

/// The contacts of ours.
fn made(site: &Site) -> Vec<String> {
    let mut records = site.server.search(SambaAd::ELSEWHERE, "(cn=whimbrel-*)", &["cn"]);
    records.retain(|record| !record.dn.is_empty());
    records.into_iter().map(|record| record.dn).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_that_is_missing_is_named_and_none_is_made() {
    let Some(site) = Site::samba(Shape::Alternate) else { return };
    let (router, who) = (site.router(), Site::who("ann"));
    let before = site.dump_of("ann");
    let refused = async |to: &str, cause: Cause, words: &str| {
        let error = router.redirect(&who, to, &OpenDoor).await.unwrap_err();
        assert!(error.cause == cause && error.what.contains(words), "{error}");
        assert_eq!(site.dump_of("ann"), before);
    };
    refused("nobody@new.test", Cause::Missing, "no contact").await;
    // One that leads elsewhere is none, and neither is a mailbox with that address.
    let odd = site.contact("odd@new.test");
    site.server.apply(&Ldif::new().replace(&odd, "targetAddress", &[b"SMTP:elsewhere@new.test"]));
    refused("odd@new.test", Cause::Refused, "odd@new.test").await;
    refused("bob@site.test", Cause::Refused, "no contact").await;
    let twice = format!("CN=twice,{}", SambaAd::ELSEWHERE);
    let values = [("objectClass", &b"contact"[..]), ("targetAddress", b"smtp:ANN@new.test")];
    site.server.apply(&Ldif::new().add(&twice, &values));
    refused(NEW, Cause::Refused, "several").await;
    assert_eq!(made(&site), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_that_is_led_elsewhere_puts_ours_out_of_force() {
    let Some(site) = Site::samba(Shape::Alternate) else { return };
    let (router, who, contact) = (site.router(), Site::who("ann"), site.contact(NEW));
    router.redirect(&who, NEW, &OpenDoor).await.unwrap();
    site.server.apply(&Ldif::new().replace(&contact, "targetAddress", &[b"SMTP:elsewhere@new.test"]));
    let routing = router.read(&who).await.unwrap();
    assert!(routing.ours.as_ref().unwrap().ineffective.as_ref().unwrap().contains("elsewhere@new.test"), "{routing:?}");
    router.release(&who, &OpenDoor).await.unwrap();
    assert_eq!(site.values("ann", "altRecipient"), [""; 0]);
    // Under another name it is the same contact.
    site.server.apply(&Ldif::new().replace(&contact, "targetAddress", &[b"SMTP:ann@new.test"]));
    router.redirect(&who, NEW, &OpenDoor).await.unwrap();
    site.server.apply(&Ldif::new().rename(&contact, "CN=renamed", Some(SambaAd::STAFF)));
    assert_eq!(router.read(&who).await.unwrap().redirected_to(), Some(NEW));
    router.release(&who, &OpenDoor).await.unwrap();
    assert_eq!((site.values("ann", "altRecipient"), site.marked("ann")), (vec![], None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_named_before_comes_back_by_the_name_it_has() {
    for shape in [Shape::Target, Shape::Alternate] {
        let Some(site) = Site::samba(shape) else { return };
        let (router, who, contact) = (site.router(), Site::who("ann"), site.contact(HOME));
        site.set("ann", "altRecipient", &[&contact]);
        site.set("ann", "deliverAndRedirect", &["TRUE"]);
        router.redirect(&who, NEW, &OpenDoor).await.unwrap();
        let renamed = format!("CN=other name,{}", SambaAd::STAFF);
        site.server.apply(&Ldif::new().rename(&contact, "CN=other name", Some(SambaAd::STAFF)));
        let routing = router.read(&who).await.unwrap();
        let told: Vec<_> = routing.others.iter().map(|one| (one.to.to_string(), one.copy)).collect();
        assert_eq!((routing.redirected_to(), told), (Some(NEW), vec![(HOME.to_owned(), LocalCopy::Kept)]));
        assert!(router.release(&who, &OpenDoor).await.unwrap().notes.is_empty());
        assert_eq!(site.values("ann", "altRecipient"), std::slice::from_ref(&renamed));
        // One that is gone by then is gone, as it would be without us.
        router.redirect(&who, NEW, &OpenDoor).await.unwrap();
        site.server.apply(&Ldif::new().delete(&renamed));
        assert_eq!(router.read(&who).await.unwrap().others, []);
        let released = router.release(&who, &OpenDoor).await.unwrap();
        assert!(released.changed && released.notes[0].contains("does not have any more"), "{released:?}");
        assert_eq!(site.values("ann", "altRecipient"), [""; 0]);
        assert_eq!(site.values("ann", "deliverAndRedirect"), ["TRUE"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_of_ours_goes_with_the_redirect_that_it_was_made_for() {
    let Some(site) = Site::samba(Shape::Made) else { return };
    let (router, ann, bob) = (site.router(), Site::who("ann"), Site::who("bob"));
    router.redirect(&ann, NEW, &OpenDoor).await.unwrap();
    let first = made(&site);
    // It would go with the first of two.
    let before = site.dump_of("bob");
    let error = router.redirect(&bob, NEW, &OpenDoor).await.unwrap_err();
    assert!(error.cause == Cause::Refused && error.what.contains("another person"), "{error}");
    assert_eq!((site.dump_of("bob"), made(&site)), (before, first.clone()));
    // It stays where somebody has made use of it, as long as they do.
    site.set("bob", "altRecipient", &[&first[0]]);
    assert!(router.redirect(&ann, OTHER, &OpenDoor).await.unwrap().notes.is_empty());
    assert_eq!((made(&site).len(), router.read(&bob).await.unwrap().others.len()), (2, 1));
    site.set("bob", "altRecipient", &[]);
    let released = router.release(&ann, &OpenDoor).await.unwrap();
    assert!(released.changed && released.notes.is_empty(), "{released:?}");
    assert_eq!(made(&site), [""; 0]);
    // One of the site's is used, and stays.
    let contact = site.contact(NEW);
    router.redirect(&ann, NEW, &OpenDoor).await.unwrap();
    assert_eq!((made(&site), site.values("ann", "altRecipient")), (vec![], vec![contact.clone()]));
    router.release(&ann, &OpenDoor).await.unwrap();
    assert_eq!(site.contact(NEW), contact);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_not_looked_at_beside_a_recipient_is_dormant() {
    let Some(site) = Site::samba(Shape::Target) else { return };
    let (router, who) = (site.router(), Site::who("ann"));
    let contact = site.contact(HOME);
    site.set("ann", "msExchGenericForwardingAddress", &["smtp:generic@home.test"]);
    let told = async || -> Vec<String> {
        let others = router.read(&who).await.unwrap().others;
        others.iter().map(|one| format!("{} {:?} {:?}", one.to, one.copy, one.force)).collect()
    };
    assert_eq!(told().await, ["generic@home.test NotKept Always"]);
    site.set("ann", "deliverAndRedirect", &["TRUE"]);
    assert_eq!(told().await, ["generic@home.test Kept Always"]);
    site.set("ann", "altRecipient", &[&contact]);
    assert_eq!(told().await, ["ann@home.test Kept Always", "generic@home.test Kept Dormant"]);
    let before = site.dump_of("ann");
    assert!(site.set_own(&Site::who("bob"), &OwnRules::None).await);
    router.redirect(&who, NEW, &OpenDoor).await.unwrap();
    assert_eq!(router.read(&who).await.unwrap().redirected_to(), Some(NEW));
    router.release(&who, &OpenDoor).await.unwrap();
    assert_eq!(site.dump_of("ann"), before);
}
