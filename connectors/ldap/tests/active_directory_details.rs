//! What only Active Directory has: parts of attributes, descriptors, cookies, another controller; and what it costs to follow
//! changes.

use crate::common::{ScopeBy, Server, World};
use conformance::directory_suite::{DirectoryWorld, person, read};
use conformance::ldap_relay::LdapRelay;
use conformance::servers::{Ldif, SambaAd};
use connector::{Directory, EntryEvent};
use ldap::LdapDirectory;
use ldap::config::{Changes, Config};
use model::{Cause, Entry, EntryKind, Reference, Right};

fn world(changes: Changes) -> Option<World> {
    World::samba(ScopeBy::Filter, changes)
}

fn host(world: &World) -> &str {
    match &world.server {
        Server::Samba(samba) => samba.host(),
        _ => unreachable!("it is Samba"),
    }
}

fn directory(config: &Config) -> LdapDirectory {
    LdapDirectory::new(config.clone(), std::sync::Arc::new(connector::SystemClock))
}

fn list(members: &[String]) -> Entry {
    let mut list = Entry::new("biglist", EntryKind::List);
    list.names.display = Some("Everybody".to_owned());
    list.mail = Some("all@trust.test".to_owned());
    list.members = members.iter().map(|key| Reference::Key(key.clone())).collect();
    list
}

/// 200 changes of every kind cost three entries each at most, counted by a relay that knows nothing of the connector.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_changes_cost_three_entries_each_at_most() {
    let Some(world) = world(Changes::Dirsync) else { return };
    let people: Vec<Entry> = (0..2_000).map(person).collect();
    let keys = world.add_many(&people).await;
    let group = world.add(&list(&keys[..1_600])).await;
    let relay = LdapRelay::to(format!("{}:389", host(&world)));
    let config = crate::common::in_clear(&world.config, "127.0.0.1", relay.port());
    let whole = read(&directory(&config), None).await;
    assert_eq!(whole.seen().len(), 2_001);
    assert_eq!(whole.seen()[group.as_str()].members.len(), 1_600);
    assert!(whole.read.entries_received < 2_050, "{} entries for a whole reading", whole.read.entries_received);
    assert_eq!(whole.read.entries_received, relay.entries());

    let mut changes = Ldif::new();
    let names: Vec<String> = keys.iter().map(|key| world.name(key)).collect();
    for name in &names[..80] {
        changes = changes.replace(name, "department", &[b"Radiology"]);
    }
    for (at, name) in names[80..120].iter().enumerate() {
        changes = changes.rename(name, &format!("CN=Renamed {at}"), None);
    }
    for name in &names[120..150] {
        changes = changes.delete(name);
    }
    for (at, name) in names[150..170].iter().enumerate() {
        changes = changes.rename(name, &format!("CN=Moved {at}"), Some(SambaAd::ELSEWHERE));
    }
    for name in &names[170..179] {
        changes = changes.replace(name, "telephoneNumber", &[b"out of scope"]);
    }
    changes = changes.delete_values(&world.name(&group), "member", &[names[179].as_bytes()]);
    world.server.apply(&changes);
    world.add_many(&(3_000..3_020).map(person).collect::<Vec<_>>()).await;

    let before = relay.entries();
    let started = std::time::Instant::now();
    let told = read(&directory(&config), Some(&whole.read.cursor)).await;
    let sent = relay.entries() - before;
    println!("{sent} entries and {:?} for 200 changes", started.elapsed());
    assert!(!told.read.is_whole);
    assert_eq!(told.read.entries_received, sent);
    assert!(sent <= 3 * 200, "{sent} entries for 200 changes");
    assert_eq!(told.gone().len(), 30 + 20 + 9);
    let seen = told.seen();
    assert!(keys[..120].iter().all(|key| seen.contains_key(key.as_str())));
    // Thirty of its members were deleted, and one was taken out.
    assert_eq!(seen[group.as_str()].members.len(), 1_569);
    assert_eq!(seen.len(), 80 + 40 + 20 + 1);
}

/// A renamed place costs an entry for each who stands below it, and members of lists are still found by where they stand; one
/// that has moved out takes them out of the scope.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renamed_place_costs_an_entry_for_each_below_it() {
    let Some(world) = world(Changes::Dirsync) else { return };
    let keys = world.add_many(&(0..300).map(person).collect::<Vec<Entry>>()).await;
    world.put_below(&keys[0], &["wing"]).await;
    let (names, above) = (keys[1..40].iter().map(|key| world.name(key)), format!("OU=wing,{}", SambaAd::STAFF));
    let changes = names.fold(Ldif::new(), |changes, name| {
        let relative = name.split_once(",OU=").unwrap().0.to_owned();
        changes.rename(&name, &relative, Some(&above))
    });
    world.server.apply(&changes);
    let group = format!("CN=Everybody,{}", SambaAd::STAFF);
    let member = world.name(&keys[0]);
    let values: [(&str, &[u8]); 3] =
        [("objectClass", b"group"), ("mail", b"all@trust.test"), ("member", member.as_bytes())];
    world.server.apply(&Ldif::new().add(&group, &values));
    let relay = LdapRelay::to(format!("{}:389", host(&world)));
    let config = crate::common::in_clear(&world.config, "127.0.0.1", relay.port());
    let whole = read(&directory(&config), None).await;
    world.server.apply(&Ldif::new().rename(&above, "OU=west", None));
    let before = relay.entries();
    let told = read(&directory(&config), Some(&whole.read.cursor)).await;
    let sent = relay.entries() - before;
    println!("{sent} entries for a renamed place of 40");
    assert!(!told.read.is_whole && told.gone().is_empty());
    assert!(keys[..40].iter().all(|key| told.seen()[key.as_str()].place.as_ref().unwrap().contains("OU=west,")));
    assert!(sent <= 3 * 40 + 4, "{sent} entries");
    // The list did not change, and the name that it has for its member now is the one that the member has.
    let list = read(&world.reader(), None).await;
    let list = list.seen().into_values().find(|entry| entry.kind == EntryKind::List).unwrap().clone();
    assert_eq!(list.members, [Reference::Place(told.seen()[keys[0].as_str()].place.clone().unwrap())]);
    let west = format!("OU=west,{}", SambaAd::STAFF);
    world.server.apply(&Ldif::new().rename(&west, "OU=west", Some(SambaAd::ELSEWHERE)));
    let told = read(&directory(&config), Some(&told.read.cursor)).await;
    assert_eq!((told.gone().len(), told.read.is_whole), (40, false));
    world.server.apply(&Ldif::new().rename(SambaAd::STAFF, "OU=Personnel", None));
    let mut events: Vec<EntryEvent> = Vec::new();
    let error = directory(&config).read(Some(&told.read.cursor), &mut events).await.unwrap_err();
    assert!(error.cause == Cause::Missing && error.to_string().contains(SambaAd::STAFF), "{error}");
}

/// Somebody is called otherwise while the first part is handed over, whom a list names that was read and who was not.
struct Renaming<'w> {
    world: &'w World,
    people: &'w [String],
    lists: &'w [String],
    done: Option<(String, String)>,
    events: Vec<EntryEvent>,
}

#[async_trait::async_trait]
impl connector::EntrySink for Renaming<'_> {
    async fn take(&mut self, events: Vec<EntryEvent>) -> Result<(), connector::Error> {
        let has = |key: &String| events.iter().any(|event| matches!(event, EntryEvent::Seen(it) if it.key == *key));
        if self.done.is_none() {
            let chosen = self.people.iter().enumerate().find_map(|(at, person)| {
                let list = &self.lists[at % self.lists.len()];
                (!has(person) && has(list)).then(|| (person.clone(), list.clone()))
            });
            let Some((person, list)) = chosen else { unreachable!("it comes in parts") };
            self.world.rename(&person, "Called Otherwise").await;
            self.done = Some((person, list));
        }
        self.events.extend(events);
        Ok(())
    }
}

/// A list has the name for its member that the member has, though that was another when the list was read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_called_otherwise_in_a_whole_reading_is_still_found_in_lists() {
    let Some(mut world) = world(Changes::Dirsync) else { return };
    world.config.page_entries = 100;
    let people = world.add_many(&(0..700).map(person).collect::<Vec<Entry>>()).await;
    let mut lists = Vec::new();
    for number in 0..10 {
        let mut list = Entry::new(format!("list{number}"), EntryKind::List);
        (list.names.display, list.mail) = (Some(format!("List {number}")), Some(format!("list{number}@trust.test")));
        list.members = people.iter().skip(number).step_by(10).map(|key| Reference::Key(key.clone())).collect();
        lists.push(world.add(&list).await);
    }
    let mut sink = Renaming { world: &world, people: &people, lists: &lists, done: None, events: Vec::new() };
    let whole = world.reader().read(None, &mut sink).await.unwrap();
    let ((person, list), mut events) = (sink.done.unwrap(), sink.events);
    world.reader().read(Some(&whole.cursor), &mut events).await.unwrap();
    let at_last = |key: &String| {
        events.iter().rev().find_map(|event| match event {
            EntryEvent::Seen(entry) if entry.key == *key => Some(entry),
            _ => None,
        })
    };
    let place = Reference::Place(at_last(&person).unwrap().place.clone().unwrap());
    assert!(place.text().contains("Called Otherwise"));
    assert!(at_last(&list).unwrap().members.contains(&place));
    assert!(whole.entries_received < 730, "{} entries", whole.entries_received);
}

/// More members than come at once are asked for part by part.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_in_parts_are_all_there() {
    let Some(mut world) = world(Changes::Auto) else { return };
    let keys = world.add_many(&(0..1_700).map(person).collect::<Vec<_>>()).await;
    let group = world.add(&list(&keys)).await;
    for parts_of in [None, Some(1_500), Some(400), Some(1_700)] {
        world.config.range_values = parts_of;
        let told = read(&world.reader(), None).await;
        let mut members: Vec<String> =
            told.seen()[group.as_str()].members.iter().map(|member| member.text().to_lowercase()).collect();
        members.sort();
        members.dedup();
        assert_eq!(members.len(), 1_700, "{parts_of:?}");
    }
}

/// Who may send as somebody and open their mailbox is read from descriptors as the server keeps them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_are_read_from_descriptors() {
    let Some(world) = world(Changes::Dirsync) else { return };
    let (ann, bob) = (world.add(&person(1)).await, world.add(&person(2)).await);
    let whole = read(&world.reader(), None).await;
    let seen = whole.seen();
    let bobs_sid = seen[bob.as_str()].sid.clone().unwrap();
    let send_as = |entry: &Entry| {
        let grants = entry.grants.iter().filter(|grant| grant.right == Right::SendAs);
        grants.map(|grant| grant.to.text().to_owned()).collect::<Vec<_>>()
    };
    assert!(!send_as(seen[ann.as_str()]).contains(&bobs_sid));
    let Server::Samba(samba) = &world.server else { return };
    let extended = format!("(OA;;CR;ab721a54-1e2f-11d0-9819-00aa0040529b;;{bobs_sid})");
    samba.grant(&world.name(&ann), &extended);
    world.server.apply(&Ldif::new().replace(&world.name(&ann), "publicDelegates", &[world.name(&bob).as_bytes()]));
    let told = read(&world.reader(), Some(&whole.read.cursor)).await;
    let seen = told.seen();
    let entry = seen[ann.as_str()];
    assert!(send_as(entry).contains(&bobs_sid), "{entry:?}");
    let behalf = entry.grants.iter().find(|grant| grant.right == Right::SendOnBehalf).unwrap();
    assert_eq!(behalf.to.text().to_lowercase(), world.name(&bob).to_lowercase());
    assert!(entry.grants.iter().all(|grant| !grant.to.text().ends_with("-512")), "administrators share nothing");
}

/// Rights that come from a place above reach who stands below it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_of_a_place_are_told_of_who_stands_below_it() {
    let Some(world) = world(Changes::Dirsync) else { return };
    let (ann, bob) = (world.add(&person(1)).await, world.add(&person(2)).await);
    world.put_below(&ann, &["wing"]).await;
    let whole = read(&world.reader(), None).await;
    let bobs_sid = whole.seen()[bob.as_str()].sid.clone().unwrap();
    let Server::Samba(samba) = &world.server else { return };
    let extended = format!("(OA;CI;CR;ab721a54-1e2f-11d0-9819-00aa0040529b;;{bobs_sid})");
    samba.grant(&format!("OU=wing,{}", SambaAd::STAFF), &extended);
    let told = read(&world.reader(), Some(&whole.read.cursor)).await;
    let grants = &told.seen()[ann.as_str()].grants;
    assert!(grants.iter().any(|grant| grant.right == Right::SendAs && grant.to.text() == bobs_sid), "{grants:?}");
}

/// A cookie that the server does not take leads to a whole reading.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_scope_or_server_is_read_whole() {
    let Some(world) = world(Changes::Auto) else { return };
    let ann = world.add(&person(1)).await;
    let whole = read(&world.reader(), None).await;
    for change in [
        |config: &mut Config| config.filter = Some("(mail=*)".to_owned()),
        |config: &mut Config| config.bases = vec![SambaAd::DOMAIN.to_owned()],
        |config: &mut Config| config.other = vec!["info".to_owned()],
    ] {
        let mut other = world.config.clone();
        change(&mut other);
        let told = read(&directory(&other), Some(&whole.read.cursor)).await;
        assert!(told.read.is_whole && told.seen().contains_key(ann.as_str()));
    }
    let told = read(&world.reader(), Some(&whole.read.cursor)).await;
    assert!(!told.read.is_whole, "the same scope goes on");
}

/// An account without the right to replicate learns of changes by numbers, and of what was deleted by comparing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_without_rights_follows_all_the_same() {
    let Some(world) = world(Changes::Auto) else { return };
    let name = format!("CN=Plain,{}", SambaAd::ELSEWHERE);
    let password: Vec<u8> = "\"Pl4in.Account\"".encode_utf16().flat_map(u16::to_le_bytes).collect();
    world.server.apply(&Ldif::new().add(
        &name,
        &[
            ("objectClass", b"user"),
            ("sAMAccountName", b"plain"),
            ("userPrincipalName", b"plain@corp.example.test"),
            ("unicodePwd", &password),
            ("userAccountControl", b"512"),
        ],
    ));
    let mut config = world.config.clone();
    config.user = Some("plain@corp.example.test".to_owned());
    config.password = Some(connector::Secret::new("Pl4in.Account"));
    let (ann, bob) = (world.add(&person(1)).await, world.add(&person(2)).await);
    let cleo = world.add(&person(3)).await;
    let whole = read(&directory(&config), None).await;
    assert_eq!(whole.seen().len(), 3);
    world.change(&ann, "Radiology").await;
    world.remove(&bob).await;
    assert!(world.take_out_of_scope(&cleo).await);
    let told = read(&directory(&config), Some(&whole.read.cursor)).await;
    assert!(!told.read.is_whole);
    assert_eq!(told.seen().keys().copied().collect::<Vec<_>>(), [ann.as_str()]);
    let (mut gone, mut left) = (told.gone(), [bob.as_str(), cleo.as_str()]);
    gone.sort_unstable();
    left.sort_unstable();
    assert_eq!(gone, left);
}

/// What is wrong with the settings or the server is said at the topic it belongs to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_check_names_what_is_wrong() {
    let Some(world) = world(Changes::Auto) else { return };
    world.add(&person(1)).await;
    let good = &world.config;
    let wrong = |config: Config| async move { directory(&config).check().await.pop().unwrap() };
    let finding = wrong(Config { password: Some(connector::Secret::new("no")), ..good.clone() }).await;
    assert_eq!(finding.wrong, Some(Cause::Login), "{finding:?}");
    let finding = wrong(Config { ca_file: None, ..good.clone() }).await;
    assert_eq!(finding.wrong, Some(Cause::Tls), "{finding:?}");
    assert!(finding.sentence.contains("ca_file"), "{finding:?}");
    let finding = wrong(Config { bases: vec!["OU=None,DC=corp,DC=example,DC=test".to_owned()], ..good.clone() }).await;
    assert_eq!(finding.wrong, Some(Cause::Missing), "{finding:?}");
    let group = Some("CN=None,DC=corp,DC=example,DC=test".to_owned());
    let finding = wrong(Config { scope_group: group.clone(), ..good.clone() }).await;
    assert_eq!(finding.wrong, Some(Cause::Missing), "{finding:?}");
    let mut events: Vec<EntryEvent> = Vec::new();
    let error = directory(&Config { scope_group: group, ..good.clone() }).read(None, &mut events).await.unwrap_err();
    assert_eq!((error.cause, events.len()), (Cause::Missing, 0), "a group that is not there is not an empty one");
    let starttls = Config { tls: ldap::config::Tls::Starttls, port: Some(389), ..good.clone() };
    assert!(directory(&starttls).check().await.iter().all(|finding| finding.wrong.is_none()));
    let clear = crate::common::in_clear(good, host(&world), 389);
    let findings = directory(&clear).check().await;
    assert!(findings.iter().any(|finding| finding.sentence.contains("NOT ENCRYPTED")), "{findings:?}");
}
