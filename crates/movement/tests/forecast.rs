//! What is predicted of a mailbox comes true, item by item, and nothing is written for it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

use std::collections::BTreeSet;
use std::sync::Arc;

use conformance::meddling::{At, MeddlingDial};
use conformance::world::{World, contents, message};
use connector::memory::{MemoryItem, Request, Response, Traits};
use connector::{Error, Usage};
use model::{Cause, Fate, Flags, FolderPath, ItemId, ItemKind, Loss, ReceivedAt, Scope};
use movement::{Becomes, Forecast};
use store::How;

fn path(names: &[&str]) -> FolderPath {
    FolderPath::new(names.iter().copied())
}

fn item(number: usize, body: &str) -> MemoryItem {
    MemoryItem::message(message(number, body), 1_000_000_000 + number as i64)
}

fn with_attachment(number: usize, name: &str) -> MemoryItem {
    let text = format!(
        "From: a{number}@example.test\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\nMessage-ID: <a{number}@example.test>\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext {number}\r\n--b\r\n\
         Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\nAAECAwQ=\r\n--b--\r\n"
    );
    MemoryItem::message(text, 1_000_000_000 + number as i64)
}

/// Ann, with something for every rule, towards a target that takes no NUL and no large items.
fn world() -> World {
    let target = Traits { refuses: vec![Loss::Nul], item_bytes_max: Some(9_000), ..Traits::default() };
    let mut world = World::with(Traits::default(), target);
    world.person("ann");
    world.ban("exe");
    world.policy.item_bytes_max = Some(20_000);
    world.policy.received_from = Some(1_000_000_000);
    world.policy.marked_deleted = false;
    let (inbox, sent) = (FolderPath::inbox(), path(&["Sent"]));
    for number in 0..6 {
        world.source.deliver("ann", &inbox, item(number, "plain"));
        world.source.deliver(
            "ann",
            &sent,
            with_attachment(10 + number, if number % 2 == 0 { "a.exe" } else { "a.pdf" }),
        );
    }
    world.source.deliver("ann", &inbox, item(20, "nul \0"));
    world.source.deliver("ann", &inbox, item(21, &"x".repeat(10_000)));
    world.source.deliver("ann", &sent, item(22, &"x".repeat(30_000)));
    let old = MemoryItem { received: ReceivedAt::utc(5), ..item(23, "old") };
    world.source.deliver("ann", &sent, old);
    let marked = MemoryItem { flags: Flags::of(["\\Deleted"]), ..item(24, "marked") };
    world.source.deliver("ann", &inbox, marked);
    world
}

async fn forecast(world: &World, read: bool) -> Forecast {
    let (engine, mailboxes) = world.engine().await;
    let row = engine.store.mailbox(engine.key, mailboxes[0]).await.unwrap().unwrap();
    engine.forecast(&row, read, false).await.unwrap()
}

type Kept = BTreeSet<(FolderPath, ItemId, Becomes, String)>;

fn predicted(forecast: &Forecast) -> Kept {
    forecast.items.iter().map(|kept| (kept.path.clone(), kept.id.clone(), kept.becomes, kept.rule.clone())).collect()
}

async fn actual(world: &World) -> Kept {
    let (engine, mailboxes) = world.engine().await;
    let mut kept = Kept::new();
    for row in engine.store.treatments(engine.key, mailboxes[0]).await.unwrap() {
        let becomes = match row.treatment.how {
            How::Left if row.fate == Fate::Excluded => Becomes::Left,
            How::Replaced => Becomes::Replaced,
            How::Repaired => Becomes::Repaired,
            _ => continue,
        };
        kept.insert((row.path, row.treatment.source_id, becomes, row.treatment.rule));
    }
    for row in engine.store.failures(engine.key, Some(mailboxes[0])).await.unwrap() {
        kept.insert((row.path, row.source_id, Becomes::Fails, row.cause.code().to_owned()));
    }
    kept
}

#[tokio::test]
async fn every_item_that_reading_predicts_to_stay_or_to_change_does_and_no_other() {
    let world = world();
    let before = (contents(&world.source, "ann"), world.source.effects(), world.target.effects());
    let said = forecast(&world, true).await;
    let again = forecast(&world, true).await;
    let without_pace = |forecast: &Forecast| Forecast { pace: None, ..forecast.clone() };
    assert_eq!(without_pace(&said), without_pace(&again), "the same each time");
    assert_eq!((contents(&world.source, "ann"), world.source.effects(), world.target.effects()), before);
    assert_eq!(world.tally().await.accounted(), 0, "nothing is in the ledger");
    world.sync_well().await;
    let tally = world.tally().await;
    assert_eq!(predicted(&said), actual(&world).await);
    assert_eq!(said.kept.len(), 6, "{:?}", said.kept);
    let travels = Usage { bytes: tally.bytes, items: tally.on_target() };
    assert_eq!((said.travels, said.source.items), (travels, tally.source));
    assert!(!said.attachments_unknown && said.already == Usage::default());
    // Afterwards all that travels is there, and nothing is to come.
    let after = forecast(&world, true).await;
    assert_eq!((after.travels, after.already, after.load.coming.items), (travels, travels, 0));
}

#[tokio::test]
async fn without_reading_what_is_listed_is_predicted_and_the_rest_is_called_unknown() {
    let world = world();
    let said = forecast(&world, false).await;
    assert!(said.attachments_unknown);
    let rules: BTreeSet<&str> = said.kept.keys().map(|(_, rule)| rule.as_str()).collect();
    assert_eq!(rules, BTreeSet::from(["item-size", "marked-deleted", "received-from", "too-large"]));
    world.sync_well().await;
    let actual = actual(&world).await;
    assert!(predicted(&said).is_subset(&actual), "{:?} {actual:?}", said.items);
    let mut free = world;
    free.policy.inspection.bans.clear();
    assert!(!forecast(&free, false).await.attachments_unknown, "nothing is banned");
}

#[tokio::test]
async fn folders_that_do_not_travel_are_told_by_rule_and_kind() {
    let target = Traits { kinds: vec![ItemKind::Message], ..Traits::default() };
    let mut world = World::with(Traits::default(), target);
    world.person("ann");
    world.policy = profile::Profile::shipped("plain")
        .unwrap()
        .policy(&profile::Settings { folders_left: Some(vec!["Junk".to_owned()]), ..profile::Settings::default() })
        .unwrap();
    world.source.deliver("ann", &path(&["Junk", "Old"]), item(1, "x"));
    let calendar = path(&["Calendar"]);
    world.source.add_folder_of("ann", &calendar, ItemKind::Event, None, false);
    world.source.deliver("ann", &calendar, MemoryItem { kind: ItemKind::Event, ..item(2, "x") });
    world.source.deliver("ann", &FolderPath::inbox(), item(3, "x"));
    for read in [false, true] {
        let said = forecast(&world, read).await;
        let rules: Vec<(Becomes, &str)> = said.kept.keys().map(|(becomes, rule)| (*becomes, rule.as_str())).collect();
        assert_eq!(rules, [(Becomes::Left, "folder-left"), (Becomes::Fails, "unsupported")]);
        assert_eq!(said.travels.items, 1);
    }
    let said = forecast(&world, true).await;
    world.sync_well().await;
    assert_eq!(predicted(&said), actual(&world).await);
}

#[tokio::test]
async fn the_verdict_about_the_quota_is_that_of_the_run() {
    for (quota, fits) in [(5_000, false), (5_001, true)] {
        for read in [false, true] {
            let mut world = World::new();
            world.person("ann");
            world.policy.quota_bytes = Some(quota);
            let of_bytes = |number: usize| {
                let least = message(number, "").len();
                item(number, &"x".repeat(1000 - least))
            };
            for number in 1..5 {
                world.source.deliver("ann", &FolderPath::inbox(), of_bytes(number));
            }
            // One is there already, and one is its person's own.
            world.target.deliver("ann", &FolderPath::inbox(), of_bytes(1));
            world.target.deliver("ann", &path(&["Own"]), of_bytes(9));
            let said = forecast(&world, read).await;
            let verdict = said.quota.unwrap();
            assert_eq!((verdict.then, verdict.fits), (5_000, fits));
            assert_eq!((said.already.items, said.load.coming.items), (1, 3));
            let end = world.sync().await;
            assert_eq!(end.outcomes[0].failure.is_none(), fits, "{end:?}");
        }
    }
}

#[tokio::test]
async fn what_its_person_removed_on_the_target_is_not_to_come() {
    let mut world = World::new();
    world.person("ann");
    world.in_use("ann");
    let inbox = FolderPath::inbox();
    for number in 0..3 {
        world.source.deliver("ann", &inbox, item(number, "x"));
    }
    world.sync_well().await;
    world.target.expunge("ann", &inbox, &ItemId::from_u32(2));
    world.source.deliver("ann", &inbox, item(4, "x"));
    world.sync_well().await;
    assert_eq!(world.tally().await.withdrawn, 1);
    for read in [false, true] {
        let said = forecast(&world, read).await;
        assert_eq!((said.source.items, said.travels.items, said.load.coming.items), (4, 3, 0));
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_opened_is_named_and_keeps_no_other_from_being_listed() {
    let mut world = World::new();
    world.person("ann");
    let locked = path(&["Locked"]);
    for folder in [&FolderPath::inbox(), &locked, &path(&["Sent"])] {
        world.source.deliver("ann", folder, item(1, "x"));
    }
    let refused = locked.clone();
    world.source_dial = MeddlingDial::new(Arc::new(world.source.clone()), move |at| {
        if let At::Answer(Request::Sizes(path, _), response) = at
            && *path == refused
        {
            *response = Response::Failed(Error::new(Cause::Permission, Scope::Folder, "it is locked"));
        }
        Ok(())
    });
    let (engine, mailboxes) = world.engine().await;
    let row = engine.store.mailbox(engine.key, mailboxes[0]).await.unwrap().unwrap();
    let found = engine.inventory(&row).await.unwrap();
    assert_eq!(found.folders.iter().map(|(_, items)| items.len()).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(found.closed.iter().map(|(path, _)| path).collect::<Vec<_>>(), [&locked]);
}
