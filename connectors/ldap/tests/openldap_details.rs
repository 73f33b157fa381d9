//! What only OpenLDAP has: the two phases of a synchronisation, limits, ways to be private.

use std::sync::Arc;

use crate::common::{ScopeBy, Server, World};
use conformance::directory_suite::{DirectoryWorld, person, read};
use conformance::ldap_relay::LdapRelay;
use conformance::servers::{Ldif, Slapd};
use connector::{Directory, EntryEvent, SystemClock};
use ldap::LdapDirectory;
use ldap::config::{Changes, Config, Tls};
use model::{Cause, Entry, EntryKind, Grant, Reference, Right};

fn slapd(world: &World) -> &Slapd {
    match &world.server {
        Server::Slapd(slapd) => slapd,
        _ => unreachable!("it is OpenLDAP"),
    }
}

fn directory(config: Config) -> LdapDirectory {
    LdapDirectory::new(config, Arc::new(SystemClock))
}

/// A server that was started again does not know what was deleted, and tells what is there instead (RFC 4533 section 3.3.1).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_present_phase_tells_what_is_gone() {
    let Some(world) = World::slapd(ScopeBy::Filter, Changes::Sync) else { return };
    let keys = world.add_many(&(0..200).map(person).collect::<Vec<Entry>>()).await;
    let whole = read(&world.reader(), None).await;
    for key in &keys[..3] {
        world.remove(key).await;
    }
    world.change(&keys[5], "Radiology").await;
    slapd(&world).restart_after_stop();
    let told = read(&world.reader(), Some(&whole.read.cursor)).await;
    assert!(!told.read.is_whole);
    let mut gone = told.gone();
    gone.sort_unstable();
    let mut removed: Vec<&str> = keys[..3].iter().map(String::as_str).collect();
    removed.sort_unstable();
    assert_eq!(gone, removed);
    assert!(told.seen().contains_key(keys[5].as_str()));
    let quiet = read(&world.reader(), Some(&told.read.cursor)).await;
    assert!(quiet.gone().is_empty() && !quiet.read.is_whole);
}

/// A server without synchronisation is followed by times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_synchronisation_is_followed_by_times() {
    let Some(slapd) = Slapd::start_with(false) else { return };
    let world = World::of(Server::Slapd(slapd), ScopeBy::Filter, Changes::Auto);
    let (ann, bob) = (world.add(&person(1)).await, world.add(&person(2)).await);
    let whole = read(&world.reader(), None).await;
    world.change(&ann, "Radiology").await;
    world.remove(&bob).await;
    let told = read(&world.reader(), Some(&whole.read.cursor)).await;
    assert!(!told.read.is_whole);
    assert_eq!(told.gone(), [bob.as_str()]);
    assert_eq!(told.seen()[ann.as_str()].department.as_deref(), Some("Radiology"));
}

/// A change costs one entry.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_cost_an_entry_each() {
    let Some(world) = World::slapd(ScopeBy::Filter, Changes::Sync) else { return };
    let keys = world.add_many(&(0..1_000).map(person).collect::<Vec<Entry>>()).await;
    let relay = LdapRelay::to(format!("127.0.0.1:{}", slapd(&world).port()));
    let config = crate::common::in_clear(&world.config, "127.0.0.1", relay.port());
    let whole = read(&directory(config.clone()), None).await;
    for key in &keys[..40] {
        world.change(key, "Radiology").await;
    }
    for key in &keys[40..50] {
        world.remove(key).await;
    }
    let before = relay.entries();
    let told = read(&directory(config), Some(&whole.read.cursor)).await;
    assert_eq!((told.seen().len(), told.gone().len()), (40, 10));
    let sent = relay.entries() - before;
    assert_eq!(sent, told.read.entries_received);
    assert!(sent <= 60, "{sent} entries for 50 changes");
}

/// A container that is called otherwise costs an entry for each that stands below it; one in which something else changed costs
/// itself. It may be of any class.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renamed_container_costs_what_is_below_it() {
    let Some(world) = World::slapd(ScopeBy::Filter, Changes::Sync) else { return };
    world.add_many(&(0..300).map(person).collect::<Vec<Entry>>()).await;
    let (office, desk) =
        (format!("cn=office,{}", world.server.people()), format!("cn=desk,cn=office,{}", world.server.people()));
    let device: [(&str, &[u8]); 1] = [("objectClass", b"device")];
    world.server.apply(&Ldif::new().add(&office, &[&device[..], &[("cn", b"office")]].concat()));
    world.server.apply(&Ldif::new().add(&desk, &[&device[..], &[("cn", b"desk")]].concat()));
    let mut changes = Ldif::new();
    for number in 0..40 {
        let cn = format!("Below {number}");
        let class: (&str, &[u8]) = ("objectClass", b"inetOrgPerson");
        changes = changes.add(&format!("cn={cn},{desk}"), &[class, ("cn", cn.as_bytes()), ("sn", cn.as_bytes())]);
    }
    world.server.apply(&changes);
    let relay = LdapRelay::to(format!("127.0.0.1:{}", slapd(&world).port()));
    let config = crate::common::in_clear(&world.config, "127.0.0.1", relay.port());
    let whole = read(&directory(config.clone()), None).await;
    world.server.apply(&Ldif::new().replace(&office, "description", &[b"Open on Mondays"]));
    let before = relay.entries();
    let told = read(&directory(config.clone()), Some(&whole.read.cursor)).await;
    assert!(told.seen().is_empty() && relay.entries() - before <= 2, "{} entries", relay.entries() - before);
    world.server.apply(&Ldif::new().rename(&office, "cn=bureau", None));
    let before = relay.entries();
    let told = read(&directory(config), Some(&told.read.cursor)).await;
    assert_eq!((told.seen().len(), told.gone().len()), (40, 0));
    let is_new = |entry: &&Entry| entry.place.as_ref().unwrap().contains("cn=desk,cn=bureau,");
    assert_eq!(told.seen().values().copied().filter(is_new).count(), 40);
    assert!(relay.entries() - before <= 42, "{} entries", relay.entries() - before);
}

/// The same after the server was started again, and tells what is there instead of what is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_present_phase_tells_of_containers_too() {
    let Some(world) = World::slapd(ScopeBy::Filter, Changes::Sync) else { return };
    let (ann, bob) = (world.add(&person(1)).await, world.add(&person(2)).await);
    world.put_below(&ann, &["wing", "ward"]).await;
    let whole = read(&world.reader(), None).await;
    world.rename_place("wing", "west wing").await;
    slapd(&world).restart_after_stop();
    let told = read(&world.reader(), Some(&whole.read.cursor)).await;
    assert!(!told.read.is_whole && told.gone().is_empty());
    assert!(told.seen()[ann.as_str()].place.as_ref().unwrap().contains("ou=west wing,"));
    world.move_place("west wing", false).await;
    slapd(&world).restart_after_stop();
    let told = read(&world.reader(), Some(&told.read.cursor)).await;
    assert!(!told.read.is_whole && !told.seen().contains_key(ann.as_str()));
    assert_eq!(told.gone(), [ann.as_str()]);
    let whole = read(&world.reader(), None).await;
    assert_eq!(whole.seen().keys().copied().collect::<Vec<_>>(), [bob.as_str()]);
}

/// Somebody is called otherwise while the first part is handed over.
struct Renaming<'w>(&'w World, String, Vec<EntryEvent>);

#[async_trait::async_trait]
impl connector::EntrySink for Renaming<'_> {
    async fn take(&mut self, events: Vec<EntryEvent>) -> Result<(), connector::Error> {
        if self.2.is_empty() {
            assert!(!keys_of(&events).contains(&self.1));
            self.0.rename(&self.1, "Called Otherwise").await;
        }
        self.2.extend(events);
        Ok(())
    }
}

/// Who is in the scope group by another name than when it was read is not gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_called_otherwise_in_a_reading_stays_in_the_scope_group() {
    let Some(mut world) = World::slapd(ScopeBy::Group, Changes::Timestamp) else { return };
    world.config.page_entries = 100;
    let keys = world.add_many(&(0..700).map(person).collect::<Vec<Entry>>()).await;
    let whole = read(&world.reader(), None).await;
    let mut sink = Renaming(&world, keys[699].clone(), Vec::new());
    let told = world.reader().read(Some(&whole.read.cursor), &mut sink).await.unwrap();
    assert!(!told.is_whole && !sink.2.iter().any(|event| matches!(event, EntryEvent::Gone(_))));
    let is_her = |event: &EntryEvent| matches!(event, EntryEvent::Seen(it) if it.key == keys[699] && it.place.as_deref() == Some(&*world.name(&keys[699])));
    assert!(sink.2.iter().any(is_her));
}

/// What happens while the first part is handed over, which takes long.
struct Slow<'w> {
    world: &'w World,
    events: Vec<EntryEvent>,
}

#[async_trait::async_trait]
impl connector::EntrySink for Slow<'_> {
    async fn take(&mut self, events: Vec<EntryEvent>) -> Result<(), connector::Error> {
        if self.events.is_empty() {
            self.world.change(&keys_of(&events)[0], "Radiology").await;
            tokio::time::sleep(std::time::Duration::from_millis(3_100)).await;
            let last = format!("cn=Zoe,{}", self.world.server.people());
            self.world.server.apply(&Ldif::new().replace(&last, "departmentNumber", &[b"Surgery"]));
        }
        self.events.extend(events);
        Ok(())
    }
}

fn keys_of(events: &[EntryEvent]) -> Vec<String> {
    let keys = events.iter().filter_map(|event| match event {
        EntryEvent::Seen(entry) => Some(entry.key.clone()),
        _ => None,
    });
    keys.collect()
}

/// By times, what changes in a reading that takes longer than the overlap is told the next time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_times_what_changes_in_a_long_reading_is_told_the_next_time() {
    let Some(mut world) = World::slapd(ScopeBy::Filter, Changes::Timestamp) else { return };
    (world.config.overlap, world.config.page_entries) = (std::time::Duration::from_secs(1), 100);
    world.add_many(&(0..700).map(person).collect::<Vec<Entry>>()).await;
    let zoe: [(&str, &[u8]); 4] =
        [("objectClass", b"inetOrgPerson"), ("cn", b"Zoe"), ("sn", b"Zoe"), ("mail", b"zoe@trust.test")];
    world.server.apply(&Ldif::new().add(&format!("cn=Zoe,{}", world.server.people()), &zoe));
    let mut slow = Slow { world: &world, events: Vec::new() };
    let whole = world.reader().read(None, &mut slow).await.unwrap();
    let changed = keys_of(&slow.events).remove(0);
    let told = read(&world.reader(), Some(&whole.cursor)).await;
    assert!(!told.read.is_whole);
    assert_eq!(told.seen()[changed.as_str()].department.as_deref(), Some("Radiology"));
}

/// By times, who stands below a renamed place is found by comparing, at the cost of a key for each entry in scope.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_times_a_renamed_place_is_found_by_comparing() {
    let Some(mut world) = World::slapd(ScopeBy::Filter, Changes::Timestamp) else { return };
    world.config.overlap = std::time::Duration::ZERO;
    let ann = world.add(&person(1)).await;
    world.put_below(&ann, &["wing"]).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let bob = world.add(&person(2)).await;
    let whole = read(&world.reader(), None).await;
    let quiet = read(&world.reader(), Some(&whole.read.cursor)).await;
    assert_eq!(quiet.seen().keys().copied().collect::<Vec<_>>(), [bob.as_str()]);
    // What the server says of itself, the one that changed last, and a key for each.
    assert_eq!(quiet.read.entries_received, 4);
    world.rename_place("wing", "west").await;
    let told = read(&world.reader(), Some(&quiet.read.cursor)).await;
    assert!(!told.read.is_whole);
    assert!(told.seen()[ann.as_str()].place.as_ref().unwrap().contains("ou=west,"));
    world.move_place("west", false).await;
    let told = read(&world.reader(), Some(&told.read.cursor)).await;
    assert_eq!(told.gone(), [ann.as_str()]);
}

/// A list of these people, who own it, too.
async fn list(world: &World, of: &[&str]) -> String {
    let mut list = Entry::new("list", EntryKind::List);
    (list.names.display, list.mail) = (Some("Everybody".to_owned()), Some("all@trust.test".to_owned()));
    list.members = of.iter().map(|key| Reference::Key((*key).to_owned())).collect();
    let key = world.add(&list).await;
    let names: Vec<String> = of.iter().map(|key| world.name(key)).collect();
    let names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
    world.server.apply(&Ldif::new().replace(&world.name(&key), "owner", &names));
    key
}

/// Names in lists that the server puts right by itself, without a word and some time later, are told as they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_follow_who_is_called_otherwise() {
    for changes in [Changes::Sync, Changes::Timestamp] {
        let Some(slapd) = Slapd::start_with_refint() else { return };
        let world = World::of(Server::Slapd(slapd), ScopeBy::Filter, changes);
        let (ann, bob) = (world.add(&person(1)).await, world.add(&person(2)).await);
        world.put_below(&ann, &["wing"]).await;
        let group = list(&world, &[&ann, &bob]).await;
        let mut last = read(&world.reader(), None).await;
        for step in 0..3 {
            match step {
                0 => world.rename(&ann, "Ann Other").await,
                1 => world.rename_place("wing", "west").await,
                _ => world.remove(&ann).await,
            }
            let at_once = read(&world.reader(), Some(&last.read.cursor)).await;
            let wanted = if step < 2 { vec![world.name(&ann), world.name(&bob)] } else { vec![world.name(&bob)] };
            let stands = || {
                let record = world.server.search(&world.name(&group), "(cn=*)", &["member", "owner"]).remove(0);
                ["member", "owner"].map(|name| {
                    let mut names = record.texts(name);
                    names.sort();
                    names
                })
            };
            while stands() != [wanted.clone(), wanted.clone()] {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            last = read(&world.reader(), Some(&at_once.read.cursor)).await;
            assert!(!at_once.read.is_whole && !last.read.is_whole);
            let seen =
                last.seen().get(group.as_str()).copied().or(at_once.seen().get(group.as_str()).copied()).cloned();
            let seen = seen.expect("the list is told");
            for names in [&seen.members, &seen.owners] {
                let mut names: Vec<&str> = names.iter().map(Reference::text).collect();
                names.sort_unstable();
                assert_eq!(names, wanted, "{changes:?} {step}");
            }
        }
    }
}

/// Who may open a mailbox is put right in the same way, also of one who came into the scope.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_follow_who_came_into_the_scope() {
    let Some(slapd) = Slapd::start_with_refint() else { return };
    let mut world = World::of(Server::Slapd(slapd), ScopeBy::Filter, Changes::Sync);
    world.config.attributes.insert("full_access".to_owned(), vec!["mayOpen".to_owned()]);
    let ann = world.add(&person(1)).await;
    let zoe: [(&str, &[u8]); 3] = [("objectClass", b"inetOrgPerson"), ("cn", b"Zoe"), ("sn", b"Zoe")];
    let zoes = format!("cn=Zoe,{}", world.server.elsewhere());
    world.server.apply(&Ldif::new().add(&zoes, &zoe));
    world.server.apply(&Ldif::new().replace(&world.name(&ann), "mayOpen", &[zoes.as_bytes()]));
    let whole = read(&world.reader(), None).await;
    world.server.apply(&Ldif::new().rename(&zoes, "cn=Zoe", Some(world.server.people())));
    let at_once = read(&world.reader(), Some(&whole.read.cursor)).await;
    let zoes = format!("cn=Zoe,{}", world.server.people());
    while world.server.search(world.server.people(), &format!("(mayOpen={zoes})"), &["1.1"]).is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let last = read(&world.reader(), Some(&at_once.read.cursor)).await;
    let (last, at_once) = (last.seen(), at_once.seen());
    let seen = last.get(ann.as_str()).or(at_once.get(ann.as_str())).expect("she is told");
    assert_eq!(seen.grants, [Grant::of(Reference::Place(zoes), Right::FullAccess)]);
}

/// Whatever names one who is called otherwise is told with them and once more, and then no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_told_once_more_after_who_is_called_otherwise() {
    let Some(world) = World::slapd(ScopeBy::Filter, Changes::Sync) else { return };
    let (ann, bob) = (world.add(&person(1)).await, world.add(&person(2)).await);
    let group = list(&world, &[&ann, &bob]).await;
    let mut last = read(&world.reader(), None).await;
    world.rename(&ann, "Ann Other").await;
    for wanted in [vec![&ann, &group], vec![&group], vec![]] {
        last = read(&world.reader(), Some(&last.read.cursor)).await;
        let mut wanted: Vec<&str> = wanted.into_iter().map(String::as_str).collect();
        wanted.sort_unstable();
        assert_eq!(last.seen().keys().copied().collect::<Vec<_>>(), wanted);
    }
}

/// A base that moved is an error that names it, never a smaller directory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_base_that_moved_is_an_error() {
    for changes in [Changes::Sync, Changes::Timestamp] {
        let Some(world) = World::slapd(ScopeBy::Filter, changes) else { return };
        world.add(&person(1)).await;
        let whole = read(&world.reader(), None).await;
        world.server.apply(&Ldif::new().rename(world.server.people(), "ou=staff", None));
        let mut events: Vec<EntryEvent> = Vec::new();
        let error = world.reader().read(Some(&whole.read.cursor), &mut events).await.unwrap_err();
        assert!(error.cause == Cause::Missing && error.to_string().contains(world.server.people()), "{error}");
        assert!(events.is_empty());
    }
}

/// A limit that cuts a reading short is an error, never a smaller directory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_cut_short_by_a_limit_is_an_error() {
    let Some(world) = World::slapd(ScopeBy::Filter, Changes::Sync) else { return };
    world.add_many(&(0..600).map(person).collect::<Vec<Entry>>()).await;
    // Nobody in particular gets 500 at once.
    let config = Config { user: None, password: None, ..world.config.clone() };
    for changes in [Changes::None, Changes::Sync] {
        let told = directory(Config { changes, ..config.clone() }).read(None, &mut Vec::new()).await;
        match told {
            Err(error) => assert!(error.to_string().contains("sizeLimitExceeded"), "{error}"),
            Ok(read) => assert!(read.is_whole && read.entries_received > 600, "by pages it is all there"),
        }
    }
}

/// Every way to be private works, and what is not verified is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_private_and_verified() {
    let Some(world) = World::slapd(ScopeBy::Filter, Changes::Auto) else { return };
    world.add(&person(1)).await;
    let server = slapd(&world);
    let good = world.config.clone();
    let starttls = Config { tls: Tls::Starttls, port: Some(server.port()), ..good.clone() };
    for config in [good.clone(), starttls.clone(), crate::common::in_clear(&good, "127.0.0.1", server.port())] {
        let findings = directory(config).check().await;
        assert!(findings.iter().all(|finding| finding.wrong.is_none()), "{findings:?}");
    }
    for config in [Config { ca_file: None, ..good.clone() }, Config { ca_file: None, ..starttls }] {
        let finding = directory(config).check().await.pop().unwrap();
        assert_eq!(finding.wrong, Some(Cause::Tls), "{finding:?}");
    }
    let finding = directory(Config { port: Some(server.port()), ..good }).check().await.pop().unwrap();
    assert_eq!(finding.wrong, Some(Cause::Tls), "{finding:?}");
}
