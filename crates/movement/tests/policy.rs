//! What the policy makes of items, all the way: what arrives, what stays behind, what is said of it, and what comes of a change
//! of the rules (R-107, R-161, R-169).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use conformance::world::{World, message};
use connector::Body;
use connector::memory::{MemoryItem, Traits};
use inspection::{Ban, Banned, Disposition, Repairs};
use model::{Cause, Digest, Fate, Flags, FolderPath, ItemId, Loss};
use movement::{Quarantine, Verification};
use profile::{Profile, Settings};
use store::{How, TreatmentRow};

fn path(names: &[&str]) -> FolderPath {
    FolderPath::new(names.iter().copied())
}

fn item(number: usize) -> MemoryItem {
    MemoryItem::message(message(number, &format!("body {number}")), 1_000_000_000 + number as i64)
}

/// A message with a text and one attachment of this name.
fn with_attachment(number: usize, name: &str) -> MemoryItem {
    let text = format!(
        "From: a{number}@example.test\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\nMessage-ID: <a{number}@example.test>\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext {number}\r\n--b\r\n\
         Content-Type: application/octet-stream; name=\"{name}\"\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\nAAECAwQ=\r\n--b--\r\n"
    );
    MemoryItem::message(text, 1_000_000_000 + number as i64)
}

/// Keeps originals in memory.
#[derive(Debug, Default)]
struct Kept(Mutex<BTreeMap<String, Vec<u8>>>);

#[async_trait]
impl Quarantine for Kept {
    async fn keep(&self, original: Digest, body: &Body) -> Result<(), connector::Error> {
        let bytes = body.to_vec().await?;
        self.0.lock().unwrap().insert(original.to_string(), bytes);
        Ok(())
    }
}

/// Ann, under a policy that bans programs by their names.
fn world() -> (World, Arc<Kept>) {
    world_with(Traits::default())
}

fn world_with(target: Traits) -> (World, Arc<Kept>) {
    let mut world = World::with(Traits::default(), target);
    world.person("ann");
    world.policy = banning(&world, &["exe"]);
    let kept = Arc::new(Kept::default());
    world.quarantine = Some(kept.clone());
    (world, kept)
}

fn banning(world: &World, extensions: &[&str]) -> profile::Policy {
    let mut policy = world.policy.clone();
    let extensions = extensions.iter().map(|name| (*name).to_owned()).collect();
    policy.inspection.bans = vec![Ban { id: "banned-extension".to_owned(), what: Banned::Extensions(extensions) }];
    "Not copied.".clone_into(&mut policy.inspection.note);
    policy.citation = format!("test {:?}", policy.inspection.bans);
    policy
}

fn there(world: &World, folder: &FolderPath) -> Vec<MemoryItem> {
    world.target.dump("ann").remove(folder).unwrap_or_default().into_values().collect()
}

async fn treatments(world: &World) -> Vec<TreatmentRow> {
    let (engine, mailboxes) = world.engine().await;
    engine.store.treatments(engine.key, mailboxes[0]).await.unwrap()
}

async fn verified(world: &World) -> Verification {
    let (engine, _) = world.engine().await;
    let row = engine.store.mailboxes(engine.key).await.unwrap().remove(0);
    engine.verify(&row, None).await.unwrap()
}

fn text_of(item: &MemoryItem) -> String {
    String::from_utf8(item.bytes.clone()).unwrap()
}

#[tokio::test]
async fn a_message_arrives_without_its_banned_attachment_and_the_original_is_kept() {
    for traits in [Traits::default(), Traits::poor()] {
        let (world, kept) = world_with(traits);
        let inbox = FolderPath::inbox();
        world.source.deliver("ann", &inbox, item(1));
        world.source.deliver("ann", &inbox, with_attachment(2, "run.exe"));
        world.source.deliver("ann", &inbox, with_attachment(3, "letter.pdf"));
        let end = world.sync_well().await;
        assert_eq!((end.outcomes[0].report.copied, end.outcomes[0].report.replaced), (3, 1));
        let there = there(&world, &inbox);
        assert_eq!((&there[0], &there[2]), (&item(1), &with_attachment(3, "letter.pdf")));
        let text = text_of(&there[1]);
        assert!(text.contains("text 2") && text.contains("Not copied.") && !text.contains("AAECAwQ="), "{text}");
        assert!(text.contains("run.exe"), "the note names it: {text}");
        let original = with_attachment(2, "run.exe").bytes;
        assert_eq!(kept.0.lock().unwrap().values().collect::<Vec<_>>(), [&original]);
        let made = treatments(&world).await;
        assert_eq!(made.len(), 1);
        assert_eq!((made[0].treatment.how, made[0].treatment.rule.as_str()), (How::Replaced, "banned-extension"));
        assert_eq!(made[0].treatment.original, Some(Digest::of(&original)));
        let verified = verified(&world).await;
        assert!(verified.is_exact(), "{}", verified.sentence());
        assert_eq!((verified.on_target, verified.replaced["banned-extension"]), (3, 1));
        let tally = world.tally().await;
        assert_eq!((tally.source, tally.copied, tally.accounted()), (3, 3, 3));
        let effects = world.target.effects();
        world.sync_well().await;
        assert_eq!(world.target.effects(), effects, "and again: nothing");
    }
}

#[tokio::test]
async fn an_item_is_left_behind_where_the_policy_says_so_and_travels_once_it_does_not() {
    let (mut world, kept) = world();
    let inbox = FolderPath::inbox();
    world.policy.inspection.disposition = Disposition::Skip;
    world.source.deliver("ann", &inbox, item(1));
    world.source.deliver("ann", &inbox, with_attachment(2, "run.exe"));
    world.sync_well().await;
    assert_eq!(there(&world, &inbox), [item(1)]);
    let tally = world.tally().await;
    assert_eq!((tally.source, tally.copied, tally.excluded), (2, 1, 1));
    let made = treatments(&world).await;
    assert_eq!((made[0].fate, made[0].treatment.how), (Fate::Excluded, How::Left));
    assert_eq!(kept.0.lock().unwrap().len(), 1);
    let found = verified(&world).await;
    assert!(found.is_exact() && found.excluded["banned-extension"] == 1, "{}", found.sentence());
    // The platform takes them now.
    world.policy = banning(&world, &["scr"]);
    world.sync_well().await;
    world.assert_same("ann");
    assert_eq!(world.tally().await.excluded, 0);
    assert_eq!(treatments(&world).await, []);
}

#[tokio::test]
async fn what_has_travelled_stays_as_it_is_when_the_rules_change() {
    for renumbered in [false, true] {
        let (mut world, _) = world();
        let inbox = FolderPath::inbox();
        world.source.deliver("ann", &inbox, with_attachment(1, "run.exe"));
        world.source.deliver("ann", &inbox, with_attachment(2, "letter.pdf"));
        world.sync_well().await;
        let before = there(&world, &inbox);
        // The one was without its attachment, and would travel whole now; the other one the other way round.
        world.policy = banning(&world, &["pdf"]);
        if renumbered {
            world.source.renumber("ann", &inbox);
        }
        world.sync_well().await;
        assert_eq!(there(&world, &inbox), before, "renumbered: {renumbered}");
        let found = verified(&world).await;
        assert!(found.is_exact(), "renumbered: {renumbered}: {} {:?}", found.sentence(), found.differences);
        assert_eq!((found.on_target, found.by_earlier_rules), (2, 2));
        assert_eq!(world.tally().await.copied, 2, "and they are ours: they follow the source");
        world.source.expunge("ann", &inbox, &ItemId::from_u32(1));
        world.sync_well().await;
        if !renumbered {
            assert_eq!(there(&world, &inbox).len(), 1);
        }
    }
}

#[tokio::test]
async fn a_lost_ledger_finds_what_travelled_without_its_attachment() {
    let (mut world, _) = world();
    let inbox = FolderPath::inbox();
    world.source.deliver("ann", &inbox, with_attachment(1, "run.exe"));
    world.source.deliver("ann", &inbox, with_attachment(2, "run.exe"));
    // Somebody has put the second one there whole.
    world.target.deliver("ann", &inbox, with_attachment(2, "run.exe"));
    world.sync_well().await;
    assert_eq!(there(&world, &inbox).len(), 2, "what is there is there");
    let before = there(&world, &inbox);
    world.url = format!("sqlite:{}/another.db", world.folder.path().display());
    world.sync_well().await;
    assert_eq!(there(&world, &inbox), before, "none twice");
    let tally = world.tally().await;
    assert_eq!((tally.source, tally.adopted), (2, 2));
    let found = verified(&world).await;
    assert!(found.is_exact(), "{} {:?}", found.sentence(), found.differences);
}

#[tokio::test]
async fn moves_and_renumbering_follow_what_travelled() {
    let (world, _) = world();
    let (inbox, work) = (FolderPath::inbox(), path(&["Work"]));
    world.source.add_folder("ann", &work);
    world.source.deliver("ann", &inbox, with_attachment(1, "run.exe"));
    world.source.deliver("ann", &inbox, item(2));
    world.sync_well().await;
    world.source.relocate("ann", &inbox, &work, &ItemId::from_u32(1)).unwrap();
    let end = world.sync_well().await;
    assert_eq!(end.outcomes[0].report.moved, 1);
    world.source.renumber("ann", &work);
    world.sync_well().await;
    assert_eq!((there(&world, &inbox).len(), there(&world, &work).len()), (1, 1));
    let found = verified(&world).await;
    assert!(found.is_exact() && found.replaced["banned-extension"] == 1, "{}", found.sentence());
    assert_eq!(treatments(&world).await.len(), 1);
}

#[tokio::test]
async fn folders_dates_marks_and_sizes_leave_items_behind_by_their_rule() {
    let mut world = World::new();
    world.person("ann");
    let own: Settings = Settings {
        item_bytes_max: Some(1_000),
        received_from: Some("2001-09-09".to_owned()),
        marked_deleted: Some(profile::Items::Leave),
        folders_left: Some(vec!["Sync Issues".to_owned()]),
        folders_renamed: Some(BTreeMap::from([("Old".to_owned(), "Archive/Old".to_owned())])),
        ..Settings::default()
    };
    let following = world.policy.following;
    world.policy = Profile::shipped("plain").unwrap().policy(&own).unwrap();
    world.policy.following = following;
    let (inbox, left, old) = (FolderPath::inbox(), path(&["Sync Issues"]), path(&["Old"]));
    world.source.deliver("ann", &inbox, item(1));
    let marked = MemoryItem { flags: Flags::of(["\\Deleted"]), ..item(2) };
    let marked = world.source.deliver("ann", &inbox, marked);
    world.source.deliver("ann", &inbox, MemoryItem::message(message(3, "early"), 5));
    world.source.deliver("ann", &inbox, MemoryItem::message(message(4, &"x".repeat(2_000)), 1_100_000_000));
    world.source.deliver("ann", &left, item(5));
    world.source.deliver("ann", &old, item(6));
    world.sync_well().await;
    assert_eq!(there(&world, &inbox), [item(1)]);
    assert_eq!(there(&world, &path(&["Archive", "Old"])), [item(6)]);
    assert!(!world.target.dump("ann").contains_key(&left), "nothing goes there");
    let mut rules: Vec<String> = treatments(&world).await.into_iter().map(|made| made.treatment.rule).collect();
    rules.sort();
    assert_eq!(rules, ["folder-left", "item-size", "marked-deleted", "received-from"]);
    let tally = world.tally().await;
    assert_eq!((tally.source, tally.copied, tally.excluded, tally.accounted()), (6, 2, 4, 6));
    let found = verified(&world).await;
    assert!(found.is_exact(), "{} {:?}", found.sentence(), found.differences);
    assert_eq!(found.excluded.values().sum::<u64>(), 4);
    // Its person takes the mark off again.
    world.source.set_flags("ann", &inbox, &marked, &Flags::NONE);
    world.sync_well().await;
    assert_eq!(there(&world, &inbox).len(), 2);
    assert_eq!(world.tally().await.excluded, 3);
}

#[tokio::test]
async fn an_item_moved_to_a_folder_left_behind_goes_from_the_target() {
    let (mut world, _) = world();
    let own = Settings { folders_left: Some(vec!["Left".to_owned()]), ..Settings::default() };
    let following = world.policy.following;
    world.policy = Profile::shipped("plain").unwrap().policy(&own).unwrap();
    world.policy.following = following;
    let (inbox, left) = (FolderPath::inbox(), path(&["Left"]));
    world.source.add_folder("ann", &left);
    world.source.deliver("ann", &inbox, item(1));
    world.source.deliver("ann", &inbox, item(2));
    world.sync_well().await;
    world.source.relocate("ann", &inbox, &left, &ItemId::from_u32(1)).unwrap();
    world.sync_well().await;
    assert_eq!(there(&world, &inbox), [item(2)]);
    assert!(!world.target.dump("ann").contains_key(&left));
    let tally = world.tally().await;
    assert_eq!((tally.source, tally.copied, tally.excluded), (2, 1, 1));
    assert!(verified(&world).await.is_exact());
}

#[tokio::test]
async fn what_cannot_travel_and_may_be_there_already_is_decided_once() {
    let mut world = World::with(Traits::default(), Traits { refuses: vec![Loss::Nul], ..Traits::default() });
    world.person("ann");
    let own = Settings { received_before: Some("1990-01-01".to_owned()), ..Settings::default() };
    let following = world.policy.following;
    let inbox = FolderPath::inbox();
    // The same Message-ID and date as what is there: one is left by its date, one can't be held.
    for (number, body, there) in [(1, "a", "b"), (2, "nul \0", "nul ")] {
        world.source.deliver("ann", &inbox, MemoryItem::message(message(number, body), 1_000_000_000));
        world.target.deliver("ann", &inbox, MemoryItem::message(message(number, there), 1_000_000_000));
    }
    for policy in [profile::Policy::plain(), Profile::shipped("plain").unwrap().policy(&own).unwrap()] {
        world.policy = policy;
        world.policy.following = following;
        let synced = tokio::time::timeout(std::time::Duration::from_secs(20), world.sync_well()).await;
        assert!(synced.is_ok(), "it ends");
        let tally = world.tally().await;
        assert_eq!((tally.source, tally.accounted()), (2, 2));
    }
    // What waits for a word waits on; what failed is judged by the new rules.
    let tally = world.tally().await;
    assert_eq!((tally.held, tally.excluded), (1, 1));
}

#[tokio::test]
async fn what_may_travel_now_and_is_broken_off_travels_the_next_time() {
    for disposition in [Disposition::Skip, Disposition::Replace] {
        let (mut world, _) = world();
        let inbox = FolderPath::inbox();
        world.policy.inspection.disposition = Disposition::Skip;
        world.source.deliver("ann", &inbox, item(1));
        world.source.deliver("ann", &inbox, with_attachment(2, "run.exe"));
        world.sync_well().await;
        assert_eq!(world.tally().await.excluded, 1);
        if disposition == Disposition::Skip {
            world.policy = banning(&world, &["scr"]);
        } else {
            world.policy.inspection.disposition = Disposition::Replace;
            world.policy.citation = "another".to_owned();
        }
        // There is no room for it yet.
        world.target.set_quota(Some(200));
        let end = world.sync().await;
        assert!(end.outcomes[0].failure.is_some());
        world.target.set_quota(None);
        world.sync_well().await;
        assert_eq!((there(&world, &inbox).len(), world.tally().await.excluded), (2, 0));
    }
}

#[tokio::test]
async fn after_a_renumbering_each_treatment_is_about_its_own_item() {
    let (mut world, _) = world();
    let inbox = FolderPath::inbox();
    let first = world.source.deliver("ann", &inbox, item(1));
    for number in 2..5 {
        world.source.deliver("ann", &inbox, with_attachment(number, "run.exe"));
    }
    world.sync_well().await;
    world.source.expunge("ann", &inbox, &first);
    world.sync_well().await;
    world.source.renumber("ann", &inbox);
    world.sync_well().await;
    let source = world.source.dump("ann").remove(&inbox).unwrap();
    let made = treatments(&world).await;
    assert_eq!(made.len(), 3);
    for row in made {
        let item = &source[&row.treatment.source_id.as_u32().unwrap()];
        assert_eq!(row.treatment.original, Some(Digest::of(&item.bytes)));
    }
    world.policy = banning(&world, &["pdf"]);
    world.sync_well().await;
    let found = verified(&world).await;
    assert!(found.is_exact(), "{} {:?}", found.sentence(), found.differences);
}

/// The plain policy with these folders renamed and left.
fn placing(world: &World, renamed: &[(&str, &str)], left: &[&str]) -> profile::Policy {
    let own = Settings {
        folders_renamed: Some(renamed.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()),
        folders_left: Some(left.iter().map(|name| (*name).to_owned()).collect()),
        ..Settings::default()
    };
    let policy = Profile::shipped("plain").unwrap().policy(&own).unwrap();
    profile::Policy { following: world.policy.following, ..policy }
}

#[tokio::test]
async fn a_renamed_folder_takes_nobodys_place() {
    let mut world = World::new();
    world.person("ann");
    world.policy = placing(&world, &[("Archive", "work")], &[]);
    for (number, folder) in ["Archive", "Work"].into_iter().enumerate() {
        world.source.deliver("ann", &path(&[folder]), item(number));
    }
    world.sync_well().await;
    assert_eq!(there(&world, &path(&["Work"])), [item(1)], "it keeps its place");
    assert_eq!(there(&world, &path(&["work 2"])), [item(0)]);
    let (engine, _) = world.engine().await;
    let told = engine.store.exceptions(engine.key).await.unwrap();
    assert!(told.iter().any(|row| row.exception.path == path(&["Archive"])), "{told:?}");
    assert!(verified(&world).await.is_exact());
    let refused = Profile::shipped("plain").unwrap().policy(&Settings {
        folders_renamed: Some(BTreeMap::from([("Archive".to_owned(), "INBOX".to_owned())])),
        ..Settings::default()
    });
    assert!(refused.unwrap_err().message.contains("new mail lands in INBOX"));
}

#[tokio::test]
async fn a_folder_that_was_left_goes_where_the_rules_say_once_it_travels() {
    let mut world = World::new();
    world.person("ann");
    world.policy = placing(&world, &[("Work", "Aa")], &["Aa"]);
    world.source.deliver("ann", &path(&["Aa"]), item(1));
    world.source.deliver("ann", &path(&["Work"]), item(1));
    world.sync_well().await;
    assert_eq!(there(&world, &path(&["Aa"])), [item(1)]);
    assert!(verified(&world).await.is_exact());
    world.policy = placing(&world, &[("Work", "Aa"), ("Aa", "Old")], &[]);
    world.sync_well().await;
    assert_eq!((there(&world, &path(&["Aa"])).len(), there(&world, &path(&["Old"])).len()), (1, 1));
    let found = verified(&world).await;
    assert!(found.is_exact(), "{} {:?}", found.sentence(), found.differences);
}

#[tokio::test]
async fn folders_stay_where_they_are_when_rules_about_places_change() {
    let mut world = World::new();
    world.person("ann");
    world.in_use("ann");
    world.source.deliver("ann", &path(&["A"]), item(1));
    world.sync_well().await;
    world.policy = placing(&world, &[("A", "Archive")], &[]);
    world.target.deliver("ann", &path(&["Archive"]), item(9));
    world.source.deliver("ann", &path(&["A"]), item(2));
    world.sync_well().await;
    assert_eq!((there(&world, &path(&["A"])).len(), there(&world, &path(&["Archive"])).len()), (2, 1));
    let found = verified(&world).await;
    assert!(found.is_exact(), "{} {:?}", found.sentence(), found.differences);
}

#[tokio::test]
async fn what_lies_in_a_folder_that_comes_to_be_left_is_known_and_stays() {
    let mut world = World::new();
    world.person("ann");
    let work = path(&["Work"]);
    for number in 1..4 {
        world.source.deliver("ann", &work, item(number));
    }
    world.sync_well().await;
    world.policy = placing(&world, &[], &["Work"]);
    world.source.renumber("ann", &work);
    world.source.deliver("ann", &work, item(4));
    world.sync_well().await;
    let (engine, mailboxes) = world.engine().await;
    assert_eq!(
        engine.store.held_removals(engine.key, mailboxes[0]).await.unwrap(),
        [],
        "nothing of it waits to be removed"
    );
    assert_eq!(there(&world, &work).len(), 3);
    let tally = world.tally().await;
    assert_eq!((tally.source, tally.copied, tally.excluded), (4, 3, 1));
}

#[tokio::test]
async fn a_copy_that_is_lost_is_not_explained_by_a_rule_that_came_later() {
    let mut world = World::new();
    world.person("ann");
    let inbox = FolderPath::inbox();
    world.source.deliver("ann", &inbox, item(1));
    world.source.deliver("ann", &inbox, item(2));
    world.sync_well().await;
    let following = world.policy.following;
    let own = Settings { received_before: Some("1990-01-01".to_owned()), ..Settings::default() };
    world.policy = Profile::shipped("plain").unwrap().policy(&own).unwrap();
    world.policy.following = following;
    world.target.expunge("ann", &inbox, &ItemId::from_u32(1));
    let found = verified(&world).await;
    assert!(!found.is_exact(), "{}", found.sentence());
    assert_eq!(found.unexplained, 1);
}

/// Messages that some servers can't hold, each in its own way, and one that all can.
fn odd_ones() -> Vec<(&'static str, MemoryItem)> {
    let odd = |number: usize, header: &[u8], body: &[u8]| {
        let mut bytes =
            format!("From: o{number}@example.test\r\nMessage-ID: <o{number}@example.test>\r\n").into_bytes();
        bytes.extend_from_slice(header);
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        MemoryItem::message(bytes, 1_000_000_000 + number as i64)
    };
    vec![
        ("", odd(1, b"Subject: plain\r\n", b"as it should be\r\n")),
        ("repair-nul", odd(2, b"", b"one\0two\r\n")),
        ("repair-bare-cr", odd(3, b"", b"one\rtwo\r\n")),
        ("repair-line-ends", odd(4, b"", b"one\ntwo\r\n")),
        ("repair-eight-bit-header", odd(5, "Subject: \u{d8}ster\r\n".as_bytes(), b"five\r\n")),
        ("repair-eight-bit-header", odd(6, "Subject: \u{141}ucja\r\n".as_bytes(), b"six\r\n")),
        ("repair-broken-header", odd(7, b"no header field\r\nTo: b@example.test\r\n", b"seven\r\n")),
    ]
}

fn picky() -> Traits {
    Traits {
        refuses: vec![Loss::Nul, Loss::BareCr, Loss::MixedLineEnds, Loss::BrokenHeader],
        changes_eight_bit_headers: true,
        ..Traits::default()
    }
}

fn repairing(policy: &profile::Policy) -> profile::Policy {
    let repairs = Repairs {
        nul: true,
        bare_cr: true,
        bare_lf: true,
        eight_bit_header: true,
        broken_header: true,
        line_bytes_max: None,
    };
    let citation = format!("{} repairing", policy.citation);
    profile::Policy { repairs, citation, ..policy.clone() }
}

#[tokio::test]
async fn what_the_target_cannot_hold_is_repaired_where_the_policy_says_so_and_the_original_is_kept() {
    for (traits, is_allowed_later) in [(picky(), false), (Traits { batches_whole: false, ..picky() }, true)] {
        let (mut world, kept) = world_with(traits);
        let inbox = FolderPath::inbox();
        for (_, item) in odd_ones() {
            world.source.deliver("ann", &inbox, item);
        }
        if is_allowed_later {
            world.sync_well().await;
            let tally = world.tally().await;
            assert_eq!((tally.copied, tally.failed), (1, 6), "without repairs they fail");
            assert_eq!(kept.0.lock().unwrap().len(), 0);
        }
        world.policy = repairing(&world.policy);
        let end = world.sync_well().await;
        let report = &end.outcomes[0].report;
        assert_eq!(report.repaired, 6, "{report:?}");
        let tally = world.tally().await;
        assert_eq!((tally.source, tally.copied, tally.failed, tally.accounted()), (7, 7, 0, 7));
        let made: BTreeMap<ItemId, TreatmentRow> =
            treatments(&world).await.into_iter().map(|row| (row.treatment.source_id.clone(), row)).collect();
        assert_eq!(made.len(), 6);
        for (number, (rule, item)) in odd_ones().into_iter().enumerate() {
            let Some(row) = made.get(&ItemId::from_u32(number as u32 + 1)) else {
                assert_eq!(rule, "");
                continue;
            };
            assert_eq!((row.treatment.how, row.treatment.rule.as_str()), (How::Repaired, rule));
            assert_eq!(row.treatment.original, Some(Digest::of(&item.bytes)));
            assert_eq!(
                kept.0.lock().unwrap()[&Digest::of(&item.bytes).to_string()],
                item.bytes,
                "the original is kept"
            );
        }
        let there: Vec<String> = there(&world, &inbox).iter().map(text_of).collect();
        let has = |what: &str| there.iter().filter(|text| text.contains(what)).count();
        for (what, count) in [
            ("as it should be", 1),
            ("one two", 1),
            ("one\r\ntwo", 2),
            ("=?utf-8?", 2),
            ("X-Broken-Header: no header field", 1),
            ("seven", 1),
        ] {
            assert_eq!(has(what), count, "{what}: {there:#?}");
        }
        assert_eq!(there.len(), 7, "{there:#?}");
        let verified = verified(&world).await;
        assert!(verified.is_exact() && verified.by_earlier_rules == 0, "{}", verified.sentence());
        assert_eq!(verified.repaired.values().sum::<u64>(), 6, "{}", verified.sentence());
        let effects = world.target.effects();
        let again = world.sync_well().await;
        assert_eq!((world.target.effects(), again.outcomes[0].report.repaired), (effects, 0), "and again: nothing");
    }
}

#[tokio::test]
async fn a_repaired_message_is_judged_by_what_it_is_then() {
    let (mut world, kept) = world_with(picky());
    let inbox = FolderPath::inbox();
    world.policy = repairing(&world.policy);
    let mut bytes = with_attachment(1, "run.exe").bytes;
    bytes.splice(0..0, *b"X-Odd: a\0b\r\n");
    world.source.deliver("ann", &inbox, MemoryItem::message(bytes.clone(), 1_000_000_000));
    world.sync_well().await;
    let text = text_of(&there(&world, &inbox)[0]);
    assert!(text.contains("X-Odd: a b") && text.contains("Not copied.") && !text.contains("AAECAwQ="), "{text}");
    let made = treatments(&world).await;
    assert_eq!((made[0].treatment.how, made[0].treatment.rule.as_str()), (How::Replaced, "banned-extension"));
    assert!(made[0].treatment.detail.contains("repair-nul"), "{}", made[0].treatment.detail);
    assert_eq!(kept.0.lock().unwrap()[&Digest::of(&bytes).to_string()], bytes);
    assert!(verified(&world).await.is_exact());
}

#[tokio::test]
async fn what_cannot_be_repaired_fails_with_its_cause() {
    let (mut world, _) = world_with(picky());
    let inbox = FolderPath::inbox();
    world.policy = repairing(&world.policy);
    let signed =
        b"From: s@example.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\
        one\0two\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n";
    world.source.deliver("ann", &inbox, MemoryItem::message(signed.to_vec(), 1_000_000_000));
    world.sync_well().await;
    assert_eq!(there(&world, &inbox), []);
    let (engine, mailboxes) = world.engine().await;
    let failures = engine.store.failures(engine.key, Some(mailboxes[0])).await.unwrap();
    assert_eq!(failures.iter().map(|failure| failure.cause).collect::<Vec<_>>(), [Cause::Nul]);
}

#[tokio::test]
async fn a_lost_ledger_finds_what_was_repaired() {
    let (mut world, _) = world_with(picky());
    let inbox = FolderPath::inbox();
    world.policy = repairing(&world.policy);
    for (_, item) in odd_ones() {
        world.source.deliver("ann", &inbox, item);
    }
    world.sync_well().await;
    let before = there(&world, &inbox);
    assert_eq!(before.len(), 7);
    world.url = format!("sqlite:{}/another.db", world.folder.path().display());
    world.sync_well().await;
    assert_eq!(there(&world, &inbox), before, "none twice");
    let tally = world.tally().await;
    assert_eq!((tally.source, tally.adopted, tally.held), (7, 7, 0));
    let found = verified(&world).await;
    assert!(found.is_exact(), "{} {:?}", found.sentence(), found.differences);
}

/// What a rule made of an item that then failed or waits is kept, and counts for nothing that is on the target.
#[tokio::test]
async fn what_was_repaired_and_failed_or_waits_counts_as_that() {
    let (mut world, kept) = world_with(Traits { item_bytes_max: Some(2_000), ..picky() });
    let inbox = FolderPath::inbox();
    world.policy = repairing(&world.policy);
    let odd = |number: usize, body: &str| {
        let bytes = message(number, &format!("one\0two {body}"));
        MemoryItem::message(bytes, 1_000_000_000 + number as i64)
    };
    world.source.deliver("ann", &inbox, odd(1, &"x".repeat(3_000)));
    world.source.deliver("ann", &inbox, odd(2, "here"));
    world.source.deliver("ann", &inbox, odd(3, "travels"));
    // Of the second one something else lies there with its date and its Message-ID.
    world.target.deliver("ann", &inbox, MemoryItem::message(message(2, "there"), 1_000_000_002));
    for _ in 0..2 {
        world.sync_well().await;
        let tally = world.tally().await;
        assert_eq!((tally.copied, tally.failed, tally.held, tally.accounted()), (1, 1, 1, 3));
        let (engine, mailboxes) = world.engine().await;
        let every = engine.store.every_treatment(engine.key, mailboxes[0]).await.unwrap();
        let fates: Vec<(Fate, &str)> = every.iter().map(|row| (row.fate, row.treatment.rule.as_str())).collect();
        assert_eq!(fates, [Fate::Failed, Fate::Held, Fate::Copied].map(|fate| (fate, "repair-nul")));
        assert_eq!(treatments(&world).await.len(), 1, "of what is on the target");
        assert_eq!(kept.0.lock().unwrap().len(), 3);
        let found = verified(&world).await;
        assert_eq!((found.repaired["repair-nul"], found.held, found.on_target), (1, 1, 1), "{}", found.sentence());
        assert_eq!(found.failed, BTreeMap::from([(Cause::TooLarge, 1)]));
        assert_eq!(found.unexplained, 0, "{:?}", found.differences);
    }
}

/// Where an altered copy can't be taken away again, no second form of it is put beside it, and only one is altered.
#[tokio::test]
async fn what_is_altered_and_stays_is_not_sent_again_and_teaches_for_all_others() {
    let (mut world, _) = world_with(Traits { removes_exactly: false, ..picky() });
    let inbox = FolderPath::inbox();
    world.policy = repairing(&world.policy);
    for number in 0..5 {
        let subject =
            format!("Subject: \u{d8}ster {number}\r\nMessage-ID: <e{number}@example.test>\r\n\r\ntext {number}\r\n");
        world.source.deliver("ann", &inbox, MemoryItem::message(subject, 1_000_000_000 + number));
    }
    world.sync_well().await;
    let texts: Vec<String> = there(&world, &inbox).iter().map(text_of).collect();
    for number in 0..5 {
        let of = |text: &&String| text.contains(&format!("text {number}"));
        assert_eq!(texts.iter().filter(of).count(), 1, "each is there once: {texts:#?}");
    }
    assert_eq!(texts.iter().filter(|text| text.contains("=?utf-8?")).count(), 4, "{texts:#?}");
    let tally = world.tally().await;
    assert_eq!((tally.source, tally.copied, tally.failed), (5, 4, 1));
    let found = verified(&world).await;
    assert!(!found.is_exact() && found.unexplained == 0, "the altered one is told: {}", found.sentence());
    assert_eq!((found.altered_on_target, found.others_on_target), (1, 0), "{}", found.sentence());
    assert!(found.sentence().contains("1 beside them altered by the target"), "{}", found.sentence());
    let (engine, _) = world.engine().await;
    let exceptions = engine.store.exceptions(engine.key).await.unwrap();
    assert_eq!(exceptions.iter().filter(|one| one.exception.class == Cause::Altered).count(), 1);
}

/// What is sent, found changed and taken back takes no room beside its repaired form.
#[tokio::test]
async fn what_is_repaired_takes_its_room_once() {
    let (mut world, _kept) = world_with(Traits { changes_eight_bit_headers: true, ..Traits::default() });
    world.policy = repairing(&world.policy);
    let body = "x".repeat(2_000);
    for number in 0..2 {
        let subject = if number == 0 { "\u{d8}ster" } else { "plain" };
        let text = format!(
            "From: o{number}@example.test\r\nMessage-ID: <r{number}@example.test>\r\nSubject: {subject}\r\n\r\n{body}\r\n"
        );
        world.source.deliver("ann", &FolderPath::inbox(), MemoryItem::message(text, 1_000_000_000 + number));
    }
    world.policy.quota_bytes = Some(5_500);
    let end = world.sync_well().await;
    assert_eq!((end.outcomes[0].report.repaired, world.tally().await.copied), (1, 2), "{end:?}");
}

#[tokio::test]
async fn a_folder_in_the_place_of_one_that_is_gone_keeps_what_is_its_own_by_now() {
    let mut world = World::new();
    world.person("ann");
    world.in_use("ann");
    world.policy = placing(&world, &[("A", "X")], &[]);
    world.policy.following.deletion_settle_hours = 24;
    let (old, new) = (path(&["A"]), path(&["X"]));
    world.source.deliver("ann", &old, item(1));
    world.sync_well().await;
    world.source.remove_folder("ann", &old);
    world.sync_well().await;
    world.source.deliver("ann", &new, item(1));
    world.sync_well().await;
    assert_eq!(there(&world, &new).len(), 1);
    world.policy.following.deletion_settle_hours = 0;
    world.sync_well().await;
    world.sync_well().await;
    assert_eq!(there(&world, &new), [item(1)], "it went with the one before");
    assert!(verified(&world).await.is_exact());
}
