//! What happens to a mailbox after its first copy, on real servers: folders numbered anew, backups brought back, folders made
//! anew and renamed, servers that tell little, targets that can't remove one message.

use std::{fs, path::Path, process::Command};

use conformance::{
    imap_server::{ImapServer, Oddities, Offer, Offers},
    proxy::Proxy,
    servers::{Cyrus, Dovecot, Format},
};
use journeys::{
    pair::{Pair, act, put, remove},
    project::Endpoint,
    store::{MIGRATOR, PASSWORD, Store},
};

fn maildir() -> Option<Store> {
    Store::dovecot(Format::Maildir, &["alice"])
}

fn cyrus() -> Option<Store> {
    Store::cyrus(&["alice"])
}

fn dovecot(store: &Store) -> &Dovecot {
    let Store::Dovecot(dovecot) = store else { panic!("this is no Dovecot") };
    dovecot
}

/// Ways in which a folder of Dovecot's comes to a new UIDVALIDITY.
#[derive(Clone, Copy, Debug)]
enum Anew {
    /// By a command; the UIDs stay.
    Told,
    /// Its list of UIDs is lost.
    Lost,
}

fn number_anew(store: &Store, how: Anew) {
    let before = store.talk("alice").ok("STATUS INBOX (UIDVALIDITY)").untagged;
    match how {
        Anew::Told => {
            dovecot(store).doveadm(&["mailbox", "update", "--uid-validity", "2000000000", "-u", "alice", "INBOX"]);
        }
        Anew::Lost => {
            for entry in fs::read_dir(dovecot(store).maildir("alice")).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                if name.starts_with("dovecot-uid") || name.starts_with("dovecot.") {
                    fs::remove_file(&path).unwrap();
                }
            }
            // The new one is the time in seconds.
            std::thread::sleep(std::time::Duration::from_millis(1_100));
        }
    }
    assert_ne!(store.talk("alice").ok("STATUS INBOX (UIDVALIDITY)").untagged, before, "{how:?}");
}

#[test]
fn a_source_folder_numbered_anew_costs_no_copy_and_its_flags_still_follow() {
    for how in [Anew::Told, Anew::Lost] {
        let (Some(source), Some(target)) = (maildir(), cyrus()) else { return };
        let pair = Pair::in_step(source, target, "Work");
        number_anew(&pair.source, how);
        act(&pair.source, "INBOX", &[3, 4], "UID STORE # +FLAGS (\\Flagged Theatre)");
        put(&pair.source, "INBOX", [10]);
        pair.does([1, 0, 0, 0]);
        pair.is_the_same();
        // They are still ours.
        remove(&pair.source, "INBOX", &[5]);
        pair.does([0, 0, 1, 0]);
        pair.is_the_same();
    }
}

#[test]
fn what_is_gone_after_a_renumbering_waits_for_a_word() {
    let (Some(source), Some(target)) = (maildir(), maildir()) else { return };
    let pair = Pair::in_step(source, target, "Work");
    remove(&pair.source, "INBOX", &[1, 2]);
    number_anew(&pair.source, Anew::Told);
    pair.does([0, 0, 0, 2]);
    assert_eq!(pair.held(), ["renumbered-at-source"; 2]);
    pair.is_at_rest();
    assert_eq!(pair.project.run(&["held", "approve", "--all"]).code, 0);
    pair.does([0, 0, 2, 0]);
    pair.is_the_same();
}

#[test]
fn a_target_folder_numbered_anew_costs_no_copy_and_stays_ours() {
    for how in [Anew::Told, Anew::Lost] {
        let (Some(source), Some(target)) = (cyrus(), maildir()) else { return };
        let pair = Pair::in_step(source, target, "Work");
        number_anew(&pair.target, how);
        act(&pair.source, "INBOX", &[3], "UID STORE # +FLAGS (\\Answered)");
        pair.does([0, 0, 0, 0]);
        pair.is_the_same();
        remove(&pair.source, "INBOX", &[5]);
        act(&pair.source, "INBOX", &[6], "UID MOVE # Work");
        pair.does([0, 1, 1, 0]);
        pair.is_the_same();
    }
}

/// Somebody removed the folder there, and somebody put its mail back.
#[test]
fn a_target_folder_made_anew_is_filled_with_what_it_lacks() {
    for target in [maildir(), cyrus()] {
        let (Some(source), Some(target)) = (maildir(), target) else { return };
        let pair = Pair::in_step(source, target, "Work");
        pair.target.talk("alice").ok("DELETE Work");
        put(&pair.target, "Work", 104..110);
        pair.does([4, 0, 0, 0]);
        pair.is_the_same();
        pair.target.talk("alice").ok("DELETE Work");
        pair.does([10, 0, 0, 0]);
        pair.is_the_same();
    }
}

fn copy_files(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// The messages that came after the backup gave their UIDs to others.
#[test]
fn a_source_restored_from_a_backup_loses_nothing() {
    let (Some(source), Some(target)) = (maildir(), maildir()) else { return };
    let pair = Pair::in_step(source, target, "Work");
    let (maildir, backup) = (dovecot(&pair.source).maildir("alice"), dovecot(&pair.source).home("backup"));
    copy_files(&maildir, &backup);
    put(&pair.source, "INBOX", [10, 11]);
    pair.does([2, 0, 0, 0]);
    copy_files(&backup, &maildir);
    put(&pair.source, "INBOX", [20]);
    pair.does([1, 0, 0, 2]);
    assert_eq!(pair.there("INBOX"), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 20]);
    pair.is_at_rest();
    assert_eq!(pair.project.run(&["held", "approve", "--all"]).code, 0);
    pair.does([0, 0, 2, 0]);
    pair.is_the_same();
}

#[test]
fn a_target_restored_from_a_backup_gets_what_it_lost() {
    let (Some(source), Some(target)) = (maildir(), maildir()) else { return };
    let pair = Pair::in_step(source, target, "Work");
    let (maildir, backup) = (dovecot(&pair.target).maildir("alice"), dovecot(&pair.target).home("backup"));
    copy_files(&maildir, &backup);
    put(&pair.source, "INBOX", [10, 11]);
    pair.does([2, 0, 0, 0]);
    copy_files(&backup, &maildir);
    pair.does([2, 0, 0, 0]);
    pair.is_the_same();
    // With other messages under the UIDs that ours had: one, then as many as were lost.
    for own in [&[90][..], &[91, 92]] {
        copy_files(&backup, &maildir);
        put(&pair.target, "INBOX", own.iter().copied());
        pair.does([2, 0, 0, 0]);
        assert_eq!(pair.there("INBOX"), [&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], own].concat());
    }
    remove(&pair.source, "INBOX", &[10, 11]);
    pair.does([0, 0, 2, 0]);
    assert_eq!(pair.there("INBOX"), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 91, 92], "its person's own stay");
    pair.is_at_rest();
}

#[test]
fn a_folder_made_anew_under_the_same_name_is_another_one() {
    for source in [maildir(), cyrus()] {
        let (Some(source), Some(target)) = (source, maildir()) else { return };
        let pair = Pair::in_step(source, target, "Work");
        pair.source.talk("alice").ok("DELETE Work");
        put(&pair.source, "Work", [100, 101, 200]);
        pair.does([1, 0, 0, 8]);
        assert_eq!(pair.there("Work"), [100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 200]);
        pair.is_at_rest();
        assert_eq!(pair.held(), ["renumbered-at-source"; 8]);
        assert_eq!(pair.project.run(&["held", "approve", "--rule", "renumbered-at-source"]).code, 0);
        pair.does([0, 0, 8, 0]);
        pair.is_the_same();
    }
}

#[test]
fn a_folder_renamed_by_case_alone_is_renamed() {
    for (source, target) in [(maildir(), maildir()), (maildir(), cyrus()), (cyrus(), maildir())] {
        let (Some(source), Some(target)) = (source, target) else { return };
        let pair = Pair::in_step(source, target, "Work");
        pair.source.talk("alice").ok("RENAME Work work");
        pair.does([0, 10, 0, 0]);
        pair.is_the_same();
    }
}

/// Folders as they are written with a prefix and `.`.
fn below_inbox(names: &str) -> String {
    format!("INBOX.{}", names.replace('/', "."))
}

#[test]
fn folders_below_inbox_are_the_same_folders_as_those_beside_it() {
    let prefixed =
        || Store::dovecot_with(Dovecot::builder().format(Format::Maildir).namespace('.', "INBOX."), &["alice"]);
    let without_alternative =
        || Store::cyrus_with(Cyrus::builder().alt_namespace(false).unix_separator(false), &["alice"]);
    let plain = |names: &str| names.to_owned();
    type Named = (Option<Store>, fn(&str) -> String);
    let pairs: [(Named, Option<Store>); 4] = [
        ((prefixed(), below_inbox), maildir()),
        ((without_alternative(), below_inbox), maildir()),
        ((maildir(), plain), prefixed()),
        ((maildir(), plain), without_alternative()),
    ];
    for ((source, named), target) in pairs {
        let (Some(source), Some(target)) = (source, target) else { return };
        let pair = Pair::in_step(source, target, &named("Work"));
        put(&pair.source, &named("Work/Deep"), [200, 201]);
        pair.does([2, 0, 0, 0]);
        pair.is_the_same();
        pair.source.talk("alice").ok(&format!("RENAME \"{}\" \"{}\"", named("Work"), named("Play")));
        pair.does([0, 12, 0, 0]);
        pair.is_the_same();
        act(&pair.source, "INBOX", &[1], &format!("UID MOVE # \"{}\"", named("Play/Deep")));
        pair.does([0, 1, 0, 0]);
        pair.is_the_same();
    }
}

/// A bit of everything: a flag, a removal, a move, a new message, a new folder.
fn live_a_day(source: &Store) {
    act(source, "INBOX", &[1], "UID STORE # +FLAGS (\\Flagged)");
    remove(source, "INBOX", &[2]);
    act(source, "INBOX", &[3], "UID MOVE # Work");
    put(source, "INBOX", [11]);
    put(source, "New", [400]);
    act(source, "Work", &[105], "UID STORE # +FLAGS (\\Seen)");
}

#[test]
fn changes_follow_from_servers_that_tell_little() {
    let narrowed = |capability: &str| {
        Store::dovecot_with(Dovecot::builder().format(Format::Mdbox).capability(capability), &["alice"])
    };
    let memory =
        |offers: Offers, odd: Oddities| Some(Store::memory(ImapServer::builder().offers(offers).odd(odd), &["alice"]));
    let sources = [
        narrowed("IMAP4rev1 LITERAL+ NAMESPACE UIDPLUS MOVE"),
        narrowed("IMAP4rev1 ENABLE CONDSTORE NAMESPACE UIDPLUS MOVE LIST-STATUS"),
        memory(Offers::everything().without(&[Offer::Qresync]), Oddities::default()),
        // It tells as vanished what it never had.
        memory(Offers::everything(), Oddities { forgets_removals: true, ..Oddities::default() }),
    ];
    for source in sources {
        let (Some(source), Some(target)) = (source, Store::dovecot(Format::Sdbox, &["alice"])) else { return };
        let pair = Pair::in_step(source, target, "Work");
        live_a_day(&pair.source);
        pair.does([2, 1, 1, 0]);
        pair.is_the_same();
    }
}

/// Dovecot may list, for good, a folder that does not exist.
#[test]
fn a_name_without_a_folder_stops_nothing() {
    let odd = Oddities { names_alone: vec!["Ghost".to_owned()], ..Oddities::default() };
    for offers in [Offers::everything(), Offers::bare()] {
        let server = ImapServer::builder().offers(offers).odd(odd.clone());
        let source = Store::memory(server, &["alice"]);
        let Some(target) = Store::dovecot(Format::Sdbox, &["alice"]) else { return };
        let pair = Pair::in_step(source, target, "Work");
        remove(&pair.source, "INBOX", &[5]);
        pair.does([0, 0, 1, 0]);
        pair.does([0, 0, 0, 0]);
        assert_eq!(pair.project.run(&["verify"]).code, 0);
    }
}

/// NOMODSEQ: a server that counts changes, but not in this folder.
#[test]
fn changes_follow_from_a_folder_without_modseq() {
    let source = Store::memory(ImapServer::builder(), &["alice"]);
    let Some(target) = Store::dovecot(Format::Mdbox, &["alice"]) else { return };
    let pair = Pair::in_step(source, target, "Work");
    let Store::Memory(server) = &pair.source else { unreachable!() };
    for folder in ["INBOX", "Work"] {
        server.person("alice").stop_counting_changes(folder);
    }
    live_a_day(&pair.source);
    pair.does([2, 1, 1, 0]);
    // STATUS of such a folder has no HIGHESTMODSEQ, so its state is left out of the comparison.
    for _ in 0..2 {
        pair.does([0, 0, 0, 0]);
    }
    assert_eq!(pair.there("INBOX"), [0, 1, 4, 5, 6, 7, 8, 9, 11]);
    assert_eq!(server.violations(), Vec::<String>::new());
}

/// Where one message can't be removed alone, those that are to go are marked and listed: EXPUNGE would remove what others
/// have marked, too.
#[test]
fn without_uidplus_nothing_is_ever_expunged() {
    let narrowed = Dovecot::builder().format(Format::Mdbox).capability("IMAP4rev1 LITERAL+ NAMESPACE CONDSTORE ENABLE");
    let poor = Offers::everything().without(&[Offer::UidPlus, Offer::Move, Offer::Imap4Rev2]);
    let targets = [
        Store::dovecot_with(narrowed, &["alice"]),
        Some(Store::memory(ImapServer::builder().offers(poor), &["alice"])),
    ];
    for target in targets {
        let (Some(source), Some(target)) = (maildir(), target) else { return };
        let proxy = Proxy::to(target.port()).imap().start();
        let endpoint = Endpoint::imap(proxy.port()).login(MIGRATOR, PASSWORD, "authzid");
        let pair = Pair::through(source, target, endpoint, "Work");
        // Its person has marked one of their own.
        put(&pair.target, "INBOX", [90]);
        act(&pair.target, "INBOX", &[90], "UID STORE # +FLAGS (\\Deleted)");
        live_a_day(&pair.source);
        // What moved is copied to its new place, and its old copy marked.
        pair.does([3, 0, 0, 2]);
        assert_eq!(pair.held(), ["cannot-remove-singly"; 2]);
        assert_eq!(pair.there("INBOX"), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 90]);
        let mut talk = pair.target.talk("alice");
        talk.ok("EXAMINE INBOX");
        let marked = talk.ok("UID SEARCH DELETED");
        let marked = marked.of("SEARCH").next().unwrap().split(' ').skip(1).count();
        assert_eq!(marked, 3, "ours and its person's");
        drop(talk);
        pair.is_at_rest();
        // A word changes nothing about what the server can do.
        assert_eq!(pair.project.run(&["held", "approve", "--all"]).code, 0);
        pair.sync();
        assert_eq!(pair.there("INBOX").len(), 12);
        let commands = proxy.commands();
        assert!(commands.iter().any(|name| name == "UID STORE"));
        let expunging = commands.iter().find(|name| name.contains("EXPUNGE") || name.contains("CLOSE"));
        assert_eq!(expunging, None);
    }
}

#[test]
fn subscriptions_follow_and_its_persons_own_stay() {
    for (source, target) in [(maildir(), cyrus()), (cyrus(), maildir())] {
        let (Some(source), Some(target)) = (source, target) else { return };
        let pair = Pair::in_step(source, target, "Work");
        let followed = |store: &Store| {
            let answer = store.talk("alice").ok("LSUB \"\" \"*\"");
            let mut names: Vec<String> =
                answer.of("LSUB").map(|line| line.rsplit(' ').next().unwrap().replace('"', "")).collect();
            names.sort();
            // Cyrus makes an INBOX followed.
            names.retain(|name| name != "INBOX");
            names
        };
        put(&pair.source, "Play", [300]);
        put(&pair.target, "Own", [301]);
        pair.target.talk("alice").ok("SUBSCRIBE Own");
        for folder in ["Work", "Play"] {
            pair.source.talk("alice").ok(&format!("SUBSCRIBE {folder}"));
        }
        pair.sync();
        assert_eq!(followed(&pair.target), ["Own", "Play", "Work"]);
        pair.source.talk("alice").ok("UNSUBSCRIBE Work");
        pair.target.talk("alice").ok("UNSUBSCRIBE Play");
        pair.sync();
        assert_eq!(followed(&pair.target), ["Own"], "its person's word on the target stays");
        pair.is_at_rest();
    }
}
