//! What a router of a directory refuses, what it can know of a marker that somebody has changed, and what it lists.

#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

use async_trait::async_trait;
use conformance::router_suite::{OwnRules, RouterWorld};
use conformance::servers::{Ldif, SambaAd, Slapd};
use connector::router::{Forwarder, ForwarderOwner, ForwarderSink};
use connector::{Error, OpenDoor, Recipient, Router, Secret};
use ldap::LdapRouter;
use model::Cause;

use crate::common::routed::{HOME, NEW, OTHER, Shape, Site};

fn sites() -> Vec<Site> {
    let sites = [Site::slapd(Shape::Addresses), Site::samba(Shape::Target), Site::directory_389(Shape::Addresses)];
    sites.into_iter().flatten().collect()
}

/// A redirect and a release are refused for this, and nothing changes.
async fn refused(site: &Site, router: &LdapRouter, name: &str, cause: Cause, words: &str) {
    let before = site.dump_of(name);
    let error = router.redirect(&Site::who(name), NEW, &OpenDoor).await.unwrap_err();
    assert!(error.cause == cause && error.to_string().contains(words), "{error:?}");
    assert_eq!(site.dump_of(name), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marker_that_was_removed_leaves_a_forwarder_of_others() {
    for site in sites() {
        let (router, who) = (site.router(), Site::who("ann"));
        assert!(site.set_own(&who, &OwnRules::Forwards(HOME.to_owned())).await);
        router.redirect(&who, NEW, &OpenDoor).await.unwrap();
        let marker = site.marker().to_owned();
        site.set("ann", &marker, &[]);
        let routing = router.read(&who).await.unwrap();
        assert_eq!((&routing.ours, routing.others.len()), (&None, 1));
        assert_eq!(routing.others[0].to.to_string(), NEW);
        let before = site.dump_of("ann");
        assert!(!router.release(&who, &OpenDoor).await.unwrap().changed, "it is not known to be ours");
        // Put on again it is ours, and theirs comes back.
        assert!(router.redirect(&who, NEW, &OpenDoor).await.unwrap().changed);
        assert_eq!(router.read(&who).await.unwrap().redirected_to(), Some(NEW));
        router.release(&who, &OpenDoor).await.unwrap();
        assert_eq!(site.dump_of("ann"), before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marker_that_cannot_be_read_is_left_to_people() {
    for site in sites() {
        let (router, who) = (site.router(), Site::who("ann"));
        router.redirect(&who, NEW, &OpenDoor).await.unwrap();
        let (place, marker) = (site.marker().to_owned(), site.marked("ann").unwrap());
        let cases = [
            ("whimbrel-redirect:".to_owned(), None),
            (marker.replace(" set:", " sat:"), None),
            (marker.replace(" to=", " "), None),
            (marker.replace(" to=ann@", " to=bob@"), None),
            // Where ours leads is known, what was there before is not.
            (format!("{marker} was:noSuchAttribute=x"), Some(NEW)),
            (format!("{marker} was:"), Some(NEW)),
        ];
        for (odd, to) in cases {
            site.set("ann", &place, &[&odd]);
            let routing = router.read(&who).await.unwrap();
            let others = usize::from(to.is_none());
            assert_eq!((routing.redirected_to(), routing.others.len()), (to, others), "{routing:?}");
            assert_eq!(routing.unread.len(), 1, "{routing:?}");
            refused(&site, &router, "ann", Cause::Refused, &place).await;
            let error = router.release(&who, &OpenDoor).await.unwrap_err();
            assert!(error.cause == Cause::Refused && error.what.contains(&place), "{error}");
        }
        // Spaces and capitals that an editor has changed do no harm.
        site.set("ann", &place, &[&marker.replace(' ', "  ").replace("whimbrel", "Whimbrel")]);
        assert_eq!(router.read(&who).await.unwrap().redirected_to(), Some(NEW));
        router.release(&who, &OpenDoor).await.unwrap();
        assert_eq!(router.read(&who).await.unwrap().others, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_markers_are_one_too_many() {
    let Some(site) = Site::slapd(Shape::Addresses) else { return };
    let (router, who) = (site.router(), Site::who("ann"));
    router.redirect(&who, NEW, &OpenDoor).await.unwrap();
    let marker = site.marked("ann").unwrap();
    site.set("ann", "description", &[&marker, &marker.replace(NEW, OTHER), "Ward 3"]);
    let routing = router.read(&who).await.unwrap();
    assert!(routing.redirected_to() == Some(NEW) && routing.unread[0].contains("several"), "{routing:?}");
    refused(&site, &router, "ann", Cause::Refused, "several").await;
    let error = router.release(&who, &OpenDoor).await.unwrap_err();
    assert!(error.what.contains("several"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_was_copied_is_told_and_left_to_people() {
    for site in sites() {
        let (router, ann, bob) = (site.router(), Site::who("ann"), Site::who("bob"));
        assert!(site.set_own(&ann, &OwnRules::Forwards(HOME.to_owned())).await);
        router.redirect(&ann, NEW, &OpenDoor).await.unwrap();
        let (place, marker) = (site.marker().to_owned(), site.marked("ann").unwrap());
        let lead = if site.is_ad() { "targetAddress" } else { "mailForwardingAddress" };
        let value = site.values("ann", lead).remove(0);
        site.set("bob", lead, &[&value]);
        site.set("bob", &place, &[&marker]);
        let routing = router.read(&bob).await.unwrap();
        assert_eq!(routing.redirected_to(), Some(NEW), "it leads mail away");
        assert!(routing.unread[0].contains("copied"), "{routing:?}");
        let error = router.release(&bob, &OpenDoor).await.unwrap_err();
        assert!(error.cause == Cause::Refused && error.what.contains("copied"), "{error}");
        refused(&site, &router, "bob", Cause::Refused, "copied").await;
        // Once it leads nowhere, what is left of it is in nobody's way.
        site.set("bob", lead, &[]);
        router.redirect(&bob, OTHER, &OpenDoor).await.unwrap();
        router.release(&bob, &OpenDoor).await.unwrap();
        assert!(site.values("bob", lead).is_empty() && site.marked("bob").is_none());
        // An entry that was restored from a copy is known by its address.
        let (_, key) = marker.split_once(" key=").unwrap();
        let key = key.split(' ').next().unwrap();
        site.set("ann", &place, &[&marker.replace(key, "00000000-0000-0000-0000-000000000000")]);
        assert!(router.release(&ann, &OpenDoor).await.unwrap().changed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_of_the_sites_is_not_overwritten_by_a_marker() {
    for site in sites() {
        let place = if site.is_ad() { "adminDescription" } else { "employeeNumber" };
        let router = site.router_with(|config| config.marker = Some(place.to_owned()));
        site.set("ann", place, &["theirs"]);
        refused(&site, &router, "ann", Cause::Refused, place).await;
        let findings = router.check(Some(&Site::who("ann"))).await;
        assert_eq!(findings.last().unwrap().wrong, Some(Cause::Refused), "{findings:?}");
    }
    // Where it may have several values theirs stays beside it.
    let Some(site) = Site::slapd(Shape::Addresses) else { return };
    let (router, who) = (site.router(), Site::who("ann"));
    site.set("ann", "description", &["Mrs Jones called", "Ward 3"]);
    let before = site.dump_of("ann");
    let redirected = router.redirect(&who, NEW, &OpenDoor).await.unwrap();
    assert!(!format!("{redirected:?}").contains("Jones"), "no text of theirs is told");
    assert_eq!(site.values("ann", "description").len(), 3);
    router.release(&who, &OpenDoor).await.unwrap();
    assert_eq!(site.dump_of("ann"), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attribute_that_the_schema_lacks_is_named() {
    for site in sites() {
        let cases: [&dyn Fn(&mut ldap::router::config::RouterConfig); 2] = [
            &|config| {
                config.forwarding.address = "noSuchRoutingAddress".to_owned();
                config.exchange.target_address = "noSuchRoutingAddress".to_owned();
            },
            &|config| config.marker = Some("noSuchRoutingAddress".to_owned()),
        ];
        for change in cases {
            let router = site.router_with(change);
            refused(&site, &router, "ann", Cause::Unsupported, "noSuchRoutingAddress").await;
            let findings = router.check(None).await;
            let last = findings.last().unwrap();
            assert!(last.wrong.is_some() && last.sentence.contains("noSuchRoutingAddress"), "{findings:?}");
        }
    }
    let Some(site) = Site::slapd(Shape::Addresses) else { return };
    let router = site.router_with(|config| config.marker = Some("anyBytes".to_owned()));
    refused(&site, &router, "ann", Cause::Unsupported, "EQUALITY").await;
    // The schema has it, and no class of the entry allows it.
    let carl = site.dn("carl");
    let values =
        [("objectClass", &b"inetOrgPerson"[..]), ("cn", b"carl"), ("sn", b"carl"), ("mail", b"carl@site.test")];
    site.server.apply(&Ldif::new().add(&carl, &values));
    let router = site.router();
    let findings = router.check(Some(&Site::who("carl"))).await;
    assert!(findings.last().unwrap().sentence.contains("mailForwardingAddress"), "{findings:?}");
    let error = router.redirect(&Site::who("carl"), NEW, &OpenDoor).await.unwrap_err();
    assert!(error.cause == Cause::Refused && error.to_string().contains("objectClassViolation"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_must_be_that_of_one_entry() {
    for site in sites() {
        let router = site.router();
        let who = |account: &str, addresses: &[&str]| Recipient {
            addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
            ..Recipient::new(connector::Account::named(account), "x")
        };
        let smtp = if site.is_ad() { "smtp:" } else { "" };
        let second = if site.is_ad() { "proxyAddresses" } else { "mail" };
        let add = |name: &str, address: &str| {
            let value = format!("{smtp}{address}");
            site.server.apply(&Ldif::new().add_values(&site.dn(name), second, &[value.as_bytes()]));
        };
        add("ann", "Ann.Lee@site.test");
        let both = who("ann", &["ann@site.test", "ANN.lee@site.test"]);
        router.redirect(&both, NEW, &OpenDoor).await.unwrap();
        assert_eq!(router.read(&both).await.unwrap().redirected_to(), Some(NEW));
        // The directory's own addresses count, whoever asks.
        let error = router.redirect(&Site::who("ann"), "ann.LEE@site.test", &OpenDoor).await.unwrap_err();
        assert_eq!(error.cause, Cause::Unsupported, "{error}");
        // Mail for an address that it does not have goes elsewhere, so ours is not in force for all.
        let three = who("ann", &["ann@site.test", "a.lee@site.test"]);
        let routing = router.read(&three).await.unwrap();
        assert!(routing.redirected_to().is_none() && routing.unread[0].contains("a.lee@site.test"), "{routing:?}");
        let error = router.redirect(&three, NEW, &OpenDoor).await.unwrap_err();
        assert!(error.cause == Cause::Missing && error.what.contains("a.lee@site.test"), "{error}");
        assert!(router.release(&three, &OpenDoor).await.unwrap().changed, "taken off it can be");

        let error = router.read(&who("bob", &["ann@site.test"])).await.unwrap_err();
        assert!(
            error.cause == Cause::NotTheirStore && error.what.contains("ann") && error.what.contains("bob"),
            "{error}"
        );
        let error = router.read(&who("bob", &["nobody@site.test"])).await.unwrap_err();
        assert_eq!(error.cause, Cause::NotTheirStore, "{error}");
        assert!(router.read(&who("another name", &["ann@site.test"])).await.is_ok());
        assert!(router.read(&who("SITE\\ann", &["ann@site.test"])).await.is_ok());

        add("bob", "ann@site.test");
        let error = router.redirect(&Site::who("ann"), NEW, &OpenDoor).await.unwrap_err();
        assert!(error.cause == Cause::NotTheirStore && error.what.contains("several"), "{error}");
        let odd = who("*)(uid=*", &["*)(mail=*@site.test"]);
        assert_eq!(router.read(&odd).await.unwrap_err().cause, Cause::Missing);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_write_is_told_before() {
    let Some(site) = Site::samba(Shape::Target) else { return };
    let (password, dn) = ("Passw0rd.Weak1", site.dn("weak"));
    let quoted: Vec<u8> = format!("\"{password}\"").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let values = [("objectClass", &b"user"[..]), ("sAMAccountName", b"weak"), ("unicodePwd", &quoted)];
    site.server.apply(&Ldif::new().add(&dn, &values).replace(&dn, "userAccountControl", &[b"512"]));
    let router = site.router_with(|config| {
        (config.user, config.password) = ("weak@corp.example.test".to_owned(), Some(Secret::new(password)));
    });
    let findings = router.check(Some(&Site::who("ann"))).await;
    let last = findings.last().unwrap();
    assert!(last.wrong == Some(Cause::Permission) && last.sentence.contains("targetAddress"), "{findings:?}");
    refused(&site, &router, "ann", Cause::Permission, "insufficientAccessRights").await;

    let Some(site) = Site::slapd(Shape::Addresses) else { return };
    let router = site.router_with(|config| {
        (config.user, config.password) = (Slapd::READER.to_owned(), Some(Secret::new(Slapd::READER_PASSWORD)));
    });
    assert!(router.check(Some(&Site::who("ann"))).await.last().unwrap().sentence.contains("first change"));
    refused(&site, &router, "ann", Cause::Permission, "insufficientAccess").await;
    let router = site.router_with(|config| config.password = Some(Secret::new("wrong")));
    let findings = router.check(None).await;
    assert_eq!(findings.last().unwrap().wrong, Some(Cause::Login), "{findings:?}");
    refused(&site, &router, "ann", Cause::Login, "invalidCredentials").await;
}

#[derive(Default)]
struct Listed(Vec<(String, Forwarder)>, usize);

#[async_trait]
impl ForwarderSink for Listed {
    async fn take(&mut self, forwarders: Vec<(String, Forwarder)>) -> Result<(), Error> {
        self.0.extend(forwarders);
        self.1 += 1;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_site_is_listed_page_by_page() {
    for site in sites() {
        let lead = if site.is_ad() { "targetAddress" } else { "mailForwardingAddress" };
        let prefix = if site.is_ad() { "SMTP:" } else { "" };
        for number in 0..25 {
            let value = format!("{prefix}p{number}@home.test");
            site.enter(&format!("p{number}"), &[(lead, value.as_bytes())]);
        }
        let router = site.router_with(|config| config.page_entries = 4);
        // Ours is not told; what was there before is.
        router.redirect(&Site::who("p3"), NEW, &OpenDoor).await.unwrap();
        router.redirect(&Site::who("bob"), OTHER, &OpenDoor).await.unwrap();
        let mut listed = Listed::default();
        router.list(&mut listed).await.unwrap();
        assert!(listed.1 > 5, "in {} portions", listed.1);
        let mut told: Vec<String> =
            listed.0.iter().map(|(who, forwarder)| format!("{who} to {}", forwarder.to)).collect();
        told.sort();
        let mut expected: Vec<String> =
            (0..25).map(|number| format!("p{number}@site.test to p{number}@home.test")).collect();
        expected.sort();
        assert_eq!(told, expected, "contacts are none");
        assert!(listed.0.iter().all(|(_, forwarder)| forwarder.owner == ForwarderOwner::Administrator));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_would_not_be_whole_is_an_error() {
    // A page may be larger than what this server gives of one search to those without rights of their own.
    let Some(site) =
        Site::slapd_with(Shape::Addresses, "limits * size.soft=6 size.hard=6 size.pr=4 size.prtotal=unlimited")
    else {
        return;
    };
    for number in 0..12 {
        site.enter(&format!("p{number}"), &[("mailForwardingAddress", b"x@home.test")]);
    }
    let with = |page: usize| {
        site.router_with(|config| {
            (config.user, config.password) = (Slapd::READER.to_owned(), Some(Secret::new(Slapd::READER_PASSWORD)));
            config.page_entries = page;
        })
    };
    let mut listed = Listed::default();
    with(4).list(&mut listed).await.unwrap();
    assert_eq!(listed.0.len(), 12);
    let error = with(50).list(&mut Listed::default()).await.unwrap_err();
    assert!(error.server.as_ref().unwrap().contains("imitExceeded"), "{error}");

    // A part of it stands on another server.
    let away = format!("ou=away,{}", Slapd::SUFFIX);
    let values = [
        ("objectClass", &b"referral"[..]),
        ("objectClass", b"extensibleObject"),
        ("ref", b"ldap://other.test/ou=away,dc=example,dc=test"),
    ];
    site.server.apply(&Ldif::new().add(&away, &values));
    let error = site.router().list(&mut Listed::default()).await.unwrap_err();
    assert!(error.cause == Cause::Unsupported && error.what.contains("other servers"), "{error}");
    let router = site.router_with(|config| config.bases = vec![away]);
    let error = router.read(&Site::who("ann")).await.unwrap_err();
    assert!(error.to_string().contains("referral") && error.cause == Cause::Missing, "{error}");
    // A person is found all the same where they are.
    assert!(site.router().read(&Site::who("ann")).await.is_ok());
    let router = site.router_with(|config| config.bases = vec!["ou=people,dc=example,dc=test".to_owned()]);
    router.list(&mut Listed::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_only_refers_is_named_and_nothing_is_followed() {
    let settings = "syncrepl rid=1 provider=ldap://master.test bindmethod=simple searchbase=\"dc=example,dc=test\" \
                    type=refreshOnly interval=01:00:00:00 retry=\"3600 +\"\nupdateref ldap://master.test";
    let Some(site) = Site::slapd(Shape::Addresses) else { return };
    let crate::common::Server::Slapd(slapd) = &site.server else { return };
    slapd.restart_with(settings);
    let (router, who) = (site.router(), Site::who("ann"));
    assert!(router.read(&who).await.is_ok());
    let error = router.redirect(&who, NEW, &OpenDoor).await.unwrap_err();
    assert!(error.cause == Cause::Unsupported && error.what.contains("ldap://master.test"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_that_nobody_knows_are_told() {
    let Some(site) = Site::slapd(Shape::Option) else { return };
    let (router, who) = (site.router(), Site::who("ann"));
    site.set("ann", "mailForwardingAddress", &[HOME]);
    let force = |routing: &connector::Routing| routing.others[0].force;
    assert_eq!(force(&router.read(&who).await.unwrap()), connector::router::Force::Dormant, "nothing says forward");
    site.set("ann", "mailDeliveryOption", &["forward", "program"]);
    let routing = router.read(&who).await.unwrap();
    assert!(
        force(&routing) == connector::router::Force::Always && routing.unread[0].contains("program"),
        "{routing:?}"
    );
    let before = site.dump_of("ann");
    router.redirect(&who, NEW, &OpenDoor).await.unwrap();
    assert_eq!(site.values("ann", "mailDeliveryOption"), ["forward"], "a program runs no more");
    router.release(&who, &OpenDoor).await.unwrap();
    assert_eq!(site.dump_of("ann"), before);
    // An option of the attribute is nothing that is known.
    let language = ("mailForwardingAddress;lang-en", "b@home.test");
    site.server.apply(&Ldif::new().add_values(&site.dn("ann"), language.0, &[language.1.as_bytes()]));
    assert!(router.read(&who).await.unwrap().unread.iter().any(|line| line.contains("option")));
    refused(&site, &router, "ann", Cause::Unsupported, "lang-en").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_mailbox_is_not_redirected() {
    let Some(site) = Site::samba(Shape::Target) else { return };
    let router = site.router();
    let values =
        [("objectClass", &b"group"[..]), ("sAMAccountName", b"ward"), ("mail", b"ward@site.test"), ("cn", b"ward")];
    site.server.apply(&Ldif::new().add(&format!("CN=ward,{}", SambaAd::STAFF), &values));
    refused(&site, &router, "ward", Cause::Unsupported, "no mailbox").await;
}
