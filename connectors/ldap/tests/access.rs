//! The suite of accesses, by an attribute of OpenLDAP that a real Dovecot asks, and of Samba as a domain controller.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use conformance::access_suite::{AccessWorld, is_let_in};
use conformance::servers::{Dovecot, SambaAd, Slapd};
use conformance::talk::Talk;
use connector::access::Access;
use connector::{OpenDoor, Recipient, Router, Secret};
use ldap::LdapAccess;
use ldap::access::AccessConfig;
use ldap::config::Kind;
use model::Cause;

use crate::common::Server;
use crate::common::routed::{NEW, Shape, Site};

const PASSWORD: &str = "first";
const ATTRIBUTE: &str = "employeeType";
const CLOSED: &str = "no mail";
/// What people have there otherwise.
const USUAL: &str = "nurse";

struct World {
    site: Site,
    config: AccessConfig,
    post: Option<(Dovecot, tempfile::TempDir)>,
}

impl World {
    fn slapd(beside: bool) -> Option<Self> {
        let site = Site::slapd(Shape::Addresses)?;
        let Server::Slapd(slapd) = &site.server else { return None };
        let who = (Slapd::ADMIN, Secret::new(Slapd::ADMIN_PASSWORD));
        let mut config = AccessConfig::new(Kind::Ldap, "localhost", who, (ATTRIBUTE, CLOSED));
        (config.port, config.ca_file, config.beside) = (Some(slapd.tls_port()), Some(slapd.ca_file()), beside);
        for name in ["ann", "bob"] {
            site.set(name, ATTRIBUTE, &[USUAL]);
            site.set(name, "description", &["of the site"]);
            site.set(name, "userPassword", &[PASSWORD]);
        }
        let post = dovecot(slapd, site.server.people())?;
        Some(Self { site, config, post: Some(post) })
    }

    fn samba() -> Option<Self> {
        let site = Site::samba(Shape::Target)?;
        let Server::Samba(samba) = &site.server else { return None };
        let who = (SambaAd::ADMIN, Secret::new(SambaAd::ADMIN_PASSWORD));
        let mut config = AccessConfig::new(Kind::ActiveDirectory, samba.host(), who, (ATTRIBUTE, CLOSED));
        config.ca_file = Some(samba.ca_file());
        site.set("ann", ATTRIBUTE, &[USUAL]);
        Some(Self { site, config, post: None })
    }

    fn usual(&self, name: &str) -> &'static [&'static str] {
        if self.site.is_ad() && name == "bob" { &[] } else { &[USUAL] }
    }
}

/// A Dovecot that lets in whom the directory has, and does not keep out.
fn dovecot(slapd: &Slapd, people: &str) -> Option<(Dovecot, tempfile::TempDir)> {
    if !Path::new("/usr/lib/dovecot/modules/auth/libauthdb_ldap.so").exists() {
        conformance::servers::left_out(
            "Dovecot does not ask directories: apt-get install --no-install-recommends dovecot-ldap",
        );
        return None;
    }
    let folder = tempfile::Builder::new().prefix("kit-").tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let asked = folder.path().join("ldap.conf");
    let text = format!(
        "uris = ldap://127.0.0.1:{}\nldap_version = 3\nauth_bind = yes\nbase = {people}\nscope = subtree\n\
         pass_filter = (&(mail=%u)(!({ATTRIBUTE}={CLOSED})))\n",
        slapd.port(),
    );
    std::fs::write(&asked, text).unwrap();
    let home = folder.path().join("mail");
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(&home, PermissionsExt::from_mode(0o777)).unwrap();
    let lines = format!(
        "passdb {{\n  driver = ldap\n  args = {}\n}}\nuserdb {{\n  driver = static\n  args = home={}/%u allow_all_users=yes\n}}\n",
        asked.display(),
        home.display()
    );
    Some((Dovecot::builder().extra(&lines).start()?, folder))
}

#[async_trait]
impl AccessWorld for World {
    fn access(&self) -> Arc<dyn Access> {
        Arc::new(LdapAccess::new(&self.config).unwrap())
    }

    fn people(&self) -> [Recipient; 2] {
        ["ann", "bob"].map(Site::who)
    }

    async fn dump(&self) -> Vec<u8> {
        let attributes = [ATTRIBUTE, "description", "adminDisplayName", "info"];
        let mut dump = Vec::new();
        for name in ["ann", "bob"] {
            let record = self.site.record(name, &attributes);
            for attribute in attributes {
                let mut values = record.texts(attribute);
                values.sort();
                dump.push(format!("{name} {attribute} {values:?}"));
            }
        }
        dump.join("\n").into_bytes()
    }

    async fn close_by_site(&self, who: &Recipient, is_closed: bool) {
        let name = &who.account.name;
        self.site.set(name, ATTRIBUTE, if is_closed { &[CLOSED] } else { self.usual(name) });
    }

    async fn lets_in(&self, who: &Recipient) -> Option<bool> {
        let (dovecot, _) = self.post.as_ref()?;
        let name = &who.addresses[0];
        Some(Talk::connect(dovecot.port()).command(&format!("LOGIN \"{name}\" \"{PASSWORD}\"")).is_ok())
    }
}

mod in_place_of_what_is_there {
    use super::World;

    conformance::access_suite!(World::slapd(false));
}

mod beside_what_is_there {
    use super::World;

    conformance::access_suite!(World::slapd(true));
}

mod in_active_directory {
    use super::World;

    conformance::access_suite!(World::samba());
}

/// What somebody has made of it since stays, and ours is gone from the entry.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_site_has_made_of_it_since_stays() {
    let Some(world) = World::slapd(false) else { return };
    let [ann, _] = world.people();
    let access = world.access();
    access.close(&ann, &OpenDoor).await.unwrap();
    world.site.set("ann", ATTRIBUTE, &["ward clerk"]);
    let state = access.read(&ann).await.unwrap();
    assert!(state.closed_by_us && !state.is_closed(), "{state:?}");
    // Closed anew, what is there now is what comes back.
    access.close(&ann, &OpenDoor).await.unwrap();
    is_let_in(&world, &ann, false).await;
    access.open(&ann, &OpenDoor).await.unwrap();
    assert_eq!(world.site.values("ann", ATTRIBUTE), ["ward clerk"]);
    access.close(&ann, &OpenDoor).await.unwrap();
    world.site.set("ann", ATTRIBUTE, &["porter"]);
    let opened = access.open(&ann, &OpenDoor).await.unwrap();
    assert!(opened.changed && opened.notes[0].contains("was changed since by somebody else"), "{opened:?}");
    assert_eq!(world.site.values("ann", ATTRIBUTE), ["porter"]);
    assert_eq!(world.site.values("ann", "description"), ["of the site"]);
}

/// A person's entry that was copied from one that is closed is not ours to open; and an entry that may not have the attribute is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marker_of_another_entry_is_none_and_what_can_not_be_is_named() {
    let Some(world) = World::slapd(true) else { return };
    let [ann, bob] = world.people();
    let access = world.access();
    access.close(&ann, &OpenDoor).await.unwrap();
    let marker = world.site.values("ann", "description").into_iter().find(|text| text.starts_with("whimbrel")).unwrap();
    world.site.set("bob", "description", &[&marker]);
    world.site.set("bob", ATTRIBUTE, &[CLOSED]);
    let state = access.read(&bob).await.unwrap();
    assert!(!state.closed_by_us && state.closed_by_others.is_some(), "{state:?}");
    assert!(!access.open(&bob, &OpenDoor).await.unwrap().changed);
    // One that can't be read is nobody's to take off: it is said, and nothing is changed.
    let odd: Vec<String> = world.site.values("ann", "description");
    world.site.set("ann", "description", &["whimbrel-closed: no=body"]);
    assert!(access.read(&ann).await.unwrap().is_closed());
    let error = access.open(&ann, &OpenDoor).await.unwrap_err();
    assert!(error.what.contains("can't be read"), "{error}");
    world.site.set("ann", "description", &odd.iter().map(String::as_str).collect::<Vec<_>>());
    access.open(&ann, &OpenDoor).await.unwrap();
    assert_eq!(world.site.values("ann", ATTRIBUTE), [USUAL]);
    let mut config = world.config.clone();
    config.attribute = "mailNobodyKnows".to_owned();
    let error = LdapAccess::new(&config).unwrap().close(&ann, &OpenDoor).await.unwrap_err();
    assert!(error.what.contains("mailNobodyKnows"), "{error}");
    config.attribute = "not a name".to_owned();
    assert_eq!(LdapAccess::new(&config).err().unwrap().cause, Cause::Unsupported);
}

/// A redirect of ours is on while somebody is closed out: each takes back its own, though both say it in one attribute, and by a second name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_and_redirecting_do_not_touch_each_other() {
    let Some(mut world) = World::slapd(false) else { return };
    let [ann, _] = world.people();
    let before = world.dump().await;
    let router = world.site.router();
    router.redirect(&ann, NEW, &OpenDoor).await.unwrap();
    // The attribute by a name that the schema has besides, and one in which markers stand.
    for attribute in ["mailRoute", "description"] {
        world.config.attribute = attribute.to_owned();
        world.config.marker = Some("employeeNumber".to_owned());
        let access = world.access();
        access.close(&ann, &OpenDoor).await.unwrap();
        assert!(access.read(&ann).await.unwrap().is_closed(), "{attribute}");
        assert_eq!(router.read(&ann).await.unwrap().redirected_to(), Some(NEW), "{attribute}");
        access.open(&ann, &OpenDoor).await.unwrap();
        assert!(!access.read(&ann).await.unwrap().is_closed(), "{attribute}");
    }
    router.release(&ann, &OpenDoor).await.unwrap();
    assert_eq!(world.dump().await, before);
}
