//! Folders that come together in one folder of the target, where the policy says so: one matter after another.
//! Everything at once is in the histories of the kinds "merged".
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

use std::collections::BTreeMap;

use conformance::world::{World, message};
use connector::memory::{MemoryItem, Traits};
use model::{Flags, FolderPath, ItemId, ItemKind, SpecialUse};
use movement::Verification;
use profile::{MergedBelow, Policy, Profile, Settings};

fn path(names: &[&str]) -> FolderPath {
    FolderPath::new(names.iter().copied())
}

fn item(number: usize) -> MemoryItem {
    MemoryItem::message(message(number, &format!("body {number}")), 1_000_000_000 + number as i64)
}

fn flagged(number: usize, flags: &[&str]) -> MemoryItem {
    MemoryItem { flags: Flags::of(flags.iter().copied()), ..item(number) }
}

/// Ann, whose folders come together: what goes where, and what is below.
fn world_with(merged: &[(&str, &[&str])], below: MergedBelow, target: Traits) -> World {
    let mut world = World::with(Traits::default(), target);
    world.person("ann");
    let lists =
        merged.iter().map(|(to, from)| ((*to).to_owned(), from.iter().map(|from| (*from).to_owned()).collect()));
    let own =
        Settings { folders_merged: Some(lists.collect()), folders_merged_below: Some(below), ..Settings::default() };
    let policy = Profile::shipped("plain").unwrap().policy(&own).unwrap();
    world.policy = Policy { following: world.policy.following, ..policy };
    world
}

fn world() -> World {
    world_with(&[("Archive", &["Old", "Never there"])], MergedBelow::Apart, Traits::default())
}

fn deliver(world: &World, folder: &[&str], item: MemoryItem) -> ItemId {
    world.source.deliver("ann", &path(folder), item)
}

/// What lies in a folder of the target, in an order of its own.
fn there(world: &World, folder: &[&str]) -> Vec<MemoryItem> {
    let all = world.target.dump("ann").remove(&path(folder)).unwrap_or_default();
    let mut all: Vec<MemoryItem> = all.into_values().collect();
    all.sort_by(|one, other| (&one.bytes, &one.flags).cmp(&(&other.bytes, &other.flags)));
    all
}

async fn verified(world: &World, sample: Option<u64>) -> Verification {
    let (engine, _) = world.engine().await;
    let row = engine.store.mailboxes(engine.key).await.unwrap().remove(0);
    engine.verify(&row, sample).await.unwrap()
}

/// All is as it should be, and a second run writes nothing.
async fn is_well(world: &World, items: u64) {
    let tally = world.tally().await;
    assert_eq!((tally.source, tally.accounted()), (items, items));
    let found = verified(world, None).await;
    assert!(found.is_exact(), "{} {:?}", found.sentence(), found.differences);
    assert_eq!((found.items, found.on_target, found.others_on_target), (items, items, 0));
    for sample in [1, items / 2] {
        let found = verified(world, Some(sample)).await;
        assert!(found.is_exact(), "{} {:?}", found.sentence(), found.differences);
    }
    let effects = world.target.effects();
    world.sync_well().await;
    assert_eq!(world.target.effects(), effects, "and again: nothing");
}

#[tokio::test]
async fn two_folders_with_the_same_message_make_two_of_it() {
    for target in [Traits::default(), Traits::poor()] {
        let world = world_with(&[("Archive", &["Old"])], MergedBelow::Apart, target);
        for folder in [["Archive"], ["Old"]] {
            deliver(&world, &folder, item(1));
            deliver(&world, &folder, item(2));
        }
        deliver(&world, &["Old"], item(3));
        let end = world.sync_well().await;
        assert_eq!((end.outcomes[0].report.copied, end.outcomes[0].report.folders_made), (5, 1));
        assert_eq!(there(&world, &["Archive"]), [item(1), item(1), item(2), item(2), item(3)]);
        assert!(!world.target.dump("ann").contains_key(&path(&["Old"])));
        is_well(&world, 5).await;
    }
}

#[tokio::test]
async fn what_goes_into_inbox_lies_beside_what_came_there() {
    let world = world_with(&[("INBOX", &["Inbox/Old"])], MergedBelow::Apart, Traits::default());
    deliver(&world, &["INBOX"], item(1));
    deliver(&world, &["INBOX", "Old"], item(1));
    deliver(&world, &["INBOX", "Old", "Deep"], item(2));
    world.target.deliver("ann", &FolderPath::inbox(), item(9));
    world.sync_well().await;
    assert_eq!(there(&world, &["INBOX"]), [item(1), item(1), item(9)]);
    assert_eq!(there(&world, &["INBOX", "Deep"]), [item(2)]);
    let found = verified(&world, None).await;
    assert!(found.is_exact() && found.others_on_target == 1, "{}", found.sentence());
}

#[tokio::test]
async fn each_item_that_another_tool_left_is_taken_once() {
    for target in [Traits::default(), Traits::poor()] {
        let world = world_with(&[("Archive", &["Old"])], MergedBelow::Apart, target);
        for folder in [["Archive"], ["Old"]] {
            for number in 1..4 {
                deliver(&world, &folder, flagged(number, &["\\Seen"]));
            }
        }
        // One of the first, two of the second, three of the third.
        for number in 1..4 {
            (0..number).for_each(|_| drop(world.target.deliver("ann", &path(&["Archive"]), item(number))));
        }
        // With another date it is as good.
        let other_date = MemoryItem::message(item(1).bytes, 77);
        world.target.deliver("ann", &path(&["Archive"]), other_date);
        let end = world.sync_well().await;
        let report = &end.outcomes[0].report;
        assert_eq!((report.copied, report.adopted), (0, 6));
        assert_eq!(there(&world, &["Archive"]).len(), 7, "nothing was put beside them");
        let tally = world.tally().await;
        assert_eq!((tally.source, tally.accounted(), tally.adopted), (6, 6, 6));
        let effects = world.target.effects();
        world.sync_well().await;
        assert_eq!(world.target.effects(), effects, "and again: nothing");
    }
}

#[tokio::test]
async fn what_is_new_in_one_is_not_taken_for_the_others() {
    let world = world();
    deliver(&world, &["Archive"], item(1));
    deliver(&world, &["Old"], item(2));
    world.sync_well().await;
    deliver(&world, &["Archive"], item(3));
    world.sync_well().await;
    // The same message, a pass later, in the other one.
    deliver(&world, &["Old"], item(3));
    world.sync_well().await;
    assert_eq!(there(&world, &["Archive"]), [item(1), item(2), item(3), item(3)]);
    is_well(&world, 4).await;
}

#[tokio::test]
async fn an_item_moved_from_one_to_the_other_stays_where_it_is() {
    for moves in [true, false] {
        let target = Traits { moves, ..Traits::default() };
        let world = world_with(&[("Archive", &["Old"])], MergedBelow::Apart, target);
        let id = deliver(&world, &["Old"], item(1));
        deliver(&world, &["Archive"], item(2));
        world.sync_well().await;
        let effects = world.target.effects();
        let moved = world.source.relocate("ann", &path(&["Old"]), &path(&["Archive"]), &id).unwrap();
        let end = world.sync_well().await;
        assert_eq!((end.outcomes[0].report.moved, end.outcomes[0].report.copied), (1, 0), "moves: {moves}");
        assert_eq!(world.target.effects(), effects, "nothing is written");
        assert_eq!(there(&world, &["Archive"]), [item(1), item(2)]);
        world.source.set_flags("ann", &path(&["Archive"]), &moved, &Flags::of(["\\Flagged"]));
        world.sync_well().await;
        assert_eq!(there(&world, &["Archive"]), [flagged(1, &["\\Flagged"]), item(2)]);
        world.source.expunge("ann", &path(&["Archive"]), &moved);
        world.sync_well().await;
        assert_eq!(there(&world, &["Archive"]), [item(2)]);
        is_well(&world, 1).await;
    }
}

#[tokio::test]
async fn one_that_gets_the_name_of_another_takes_its_copies_along() {
    for moves in [true, false] {
        let target = Traits { moves, ..Traits::default() };
        let world = world_with(&[("Archive", &["Old", "Older"])], MergedBelow::Apart, target);
        deliver(&world, &["Old"], item(1));
        deliver(&world, &["Archive"], item(1));
        world.sync_well().await;
        let effects = world.target.effects();
        assert!(world.source.rename_folder("ann", &path(&["Old"]), &path(&["Older"])));
        world.sync_well().await;
        assert_eq!(there(&world, &["Archive"]), [item(1), item(1)]);
        assert_eq!(world.target.effects(), effects, "nothing is written");
        // And back again, before anybody thought it gone.
        assert!(world.source.rename_folder("ann", &path(&["Older"]), &path(&["Old"])));
        world.sync_well().await;
        is_well(&world, 2).await;
        assert_eq!(there(&world, &["Archive"]), [item(1), item(1)]);
    }
}

/// What another tool left there is its message's copy, whatever becomes of the folder of that at the source.
#[tokio::test]
async fn what_was_adopted_stays_the_copy_when_it_moves_or_its_folder_is_renamed() {
    for (target, is_renamed) in [
        (Traits::default(), true),
        (Traits::default(), false),
        (Traits { moves: false, ..Traits::default() }, true),
        (Traits { moves: false, ..Traits::default() }, false),
        (Traits::poor(), false),
    ] {
        let world = world_with(&[("Archive", &["Old", "Older"])], MergedBelow::Apart, target);
        world.target.deliver("ann", &path(&["Archive"]), flagged(1, &["Theirs"]));
        let id = deliver(&world, &["Old"], flagged(1, &["\\Seen"]));
        deliver(&world, &["Old"], item(2));
        deliver(&world, &["Archive"], item(3));
        world.sync_well().await;
        let all = [flagged(1, &["Theirs", "\\Seen"]), item(2), item(3)];
        assert_eq!(there(&world, &["Archive"]), all);
        let effects = world.target.effects();
        let folder = if is_renamed {
            assert!(world.source.rename_folder("ann", &path(&["Old"]), &path(&["Older"])));
            ["Older"]
        } else {
            world.source.relocate("ann", &path(&["Old"]), &path(&["Archive"]), &id).unwrap();
            ["Archive"]
        };
        world.sync_well().await;
        assert_eq!(there(&world, &["Archive"]), all, "renamed: {is_renamed}");
        assert_eq!(world.target.effects(), effects, "nothing is written; renamed: {is_renamed}");
        let tally = world.tally().await;
        assert_eq!((tally.source, tally.adopted, tally.copied), (3, 1, 2), "it is not ours");
        // It only gains flags, and stays when it goes.
        let moved = world.source.dump("ann").remove(&path(&folder)).unwrap();
        let moved = moved.into_iter().find(|(_, there)| there.bytes == item(1).bytes).unwrap().0;
        let moved = ItemId::from_u32(moved);
        world.source.set_flags("ann", &path(&folder), &moved, &Flags::of(["\\Flagged"]));
        world.sync_well().await;
        assert_eq!(there(&world, &["Archive"])[0], flagged(1, &["Theirs", "\\Seen", "\\Flagged"]));
        world.source.expunge("ann", &path(&folder), &moved);
        world.sync_well().await;
        assert_eq!(there(&world, &["Archive"]).len(), 3);
        let tally = world.tally().await;
        assert_eq!((tally.source, tally.accounted()), (2, 2));
    }
}

#[tokio::test]
async fn one_that_is_emptied_into_another_and_removed_leaves_what_lies_there() {
    for target in [Traits::default(), Traits { moves: false, ..Traits::default() }] {
        let mut world = world_with(&[("Archive", &["Old"])], MergedBelow::Apart, target);
        world.policy.following.deletion_settle_hours = 24;
        world.target.deliver("ann", &path(&["Archive"]), item(9));
        deliver(&world, &["Archive"], item(2));
        let ids: Vec<ItemId> = [1, 2, 3, 9].map(|number| deliver(&world, &["Old"], item(number))).to_vec();
        world.sync_well().await;
        let all = [item(1), item(2), item(2), item(3), item(9)];
        assert_eq!(there(&world, &["Archive"]), all);
        let effects = world.target.effects();
        for id in ids {
            world.source.relocate("ann", &path(&["Old"]), &path(&["Archive"]), &id).unwrap();
        }
        world.source.remove_folder("ann", &path(&["Old"]));
        let end = world.sync_well().await;
        assert_eq!((end.outcomes[0].report.moved, end.outcomes[0].report.copied), (4, 0));
        assert_eq!(there(&world, &["Archive"]), all);
        assert_eq!(world.target.effects(), effects, "nothing is written");
        is_well(&world, 5).await;
    }
}

#[tokio::test]
async fn a_folder_that_goes_takes_its_own_and_the_last_one_the_place() {
    let world = world();
    deliver(&world, &["Old"], item(1));
    deliver(&world, &["Old"], item(2));
    deliver(&world, &["Archive"], item(2));
    deliver(&world, &["INBOX"], item(3));
    world.sync_well().await;
    world.source.remove_folder("ann", &path(&["Archive"]));
    world.sync_well().await;
    assert_eq!(there(&world, &["Archive"]), [item(1), item(2)]);
    is_well(&world, 3).await;
    world.source.remove_folder("ann", &path(&["Old"]));
    world.sync_well().await;
    assert!(!world.target.dump("ann").contains_key(&path(&["Archive"])), "nothing goes there any more");
    is_well(&world, 1).await;
}

#[tokio::test]
async fn a_message_of_its_own_keeps_its_place_when_its_twin_goes() {
    let world = world();
    let id = deliver(&world, &["Old"], flagged(1, &["\\Seen"]));
    deliver(&world, &["Archive"], item(1));
    world.sync_well().await;
    world.source.expunge("ann", &path(&["Old"]), &id);
    world.sync_well().await;
    assert_eq!(there(&world, &["Archive"]), [item(1)]);
    is_well(&world, 1).await;
}

#[tokio::test]
async fn a_place_numbered_anew_or_made_anew_has_each_item_once() {
    let world = world();
    for folder in [["Archive"], ["Old"]] {
        deliver(&world, &folder, item(1));
        deliver(&world, &folder, item(2));
    }
    world.sync_well().await;
    world.target.renumber("ann", &path(&["Archive"]));
    let effects = world.target.effects();
    world.sync_well().await;
    assert_eq!(world.target.effects(), effects, "nothing is written");
    is_well(&world, 4).await;
    world.target.remove_folder("ann", &path(&["Archive"]));
    let (engine, _) = world.engine().await;
    let mailbox = engine.store.mailboxes(engine.key).await.unwrap()[0].mailbox;
    engine.store.follow_vanished(engine.key, mailbox).await.unwrap();
    world.sync().await;
    world.sync_well().await;
    assert_eq!(there(&world, &["Archive"]).len(), 4);
    is_well(&world, 4).await;
}

#[tokio::test]
async fn what_its_person_removed_with_the_place_stays_away_and_what_is_new_makes_it_again() {
    let mut world = world();
    world.in_use("ann");
    deliver(&world, &["Archive"], item(1));
    deliver(&world, &["Old"], item(2));
    world.sync_well().await;
    world.target.remove_folder("ann", &path(&["Archive"]));
    world.sync().await;
    world.sync_well().await;
    assert!(!world.target.dump("ann").contains_key(&path(&["Archive"])));
    deliver(&world, &["Old"], item(3));
    deliver(&world, &["Archive"], item(3));
    world.sync_well().await;
    assert_eq!(there(&world, &["Archive"]), [item(3), item(3)]);
    let tally = world.tally().await;
    assert_eq!((tally.source, tally.accounted(), tally.withdrawn), (4, 4, 2));
}

#[tokio::test]
async fn folders_below_are_apart_unless_they_come_together_too() {
    for below in [MergedBelow::Apart, MergedBelow::Merge] {
        let world = world_with(&[("Archive", &["Old"])], below, Traits::default());
        for (number, folder) in [["Archive", "2019"], ["Old", "2019"], ["Old", "Own"]].iter().enumerate() {
            deliver(&world, folder, item(number));
        }
        world.sync_well().await;
        assert_eq!(there(&world, &["Archive", "Own"]), [item(2)]);
        let (engine, _) = world.engine().await;
        let told = engine.store.exceptions(engine.key).await.unwrap();
        if below == MergedBelow::Apart {
            assert_eq!(there(&world, &["Archive", "2019"]), [item(0)]);
            assert_eq!(there(&world, &["Archive", "2019 2"]), [item(1)]);
            assert!(told.iter().any(|row| row.exception.path == path(&["Old", "2019"])), "{told:?}");
        } else {
            assert_eq!(there(&world, &["Archive", "2019"]), [item(0), item(1)]);
            assert!(told.is_empty(), "{told:?}");
        }
        is_well(&world, 3).await;
    }
}

#[tokio::test]
async fn the_place_is_for_what_any_of_them_is_for_and_followed_if_one_is() {
    let world = world_with(&[("Sent", &["Sent Items", "Gesendet"])], MergedBelow::Apart, Traits::default());
    let used = Some(SpecialUse::Sent);
    world.source.add_folder_of("ann", &path(&["Gesendet"]), ItemKind::Message, None, false);
    world.source.add_folder_of("ann", &path(&["Sent Items"]), ItemKind::Message, used, true);
    deliver(&world, &["Gesendet"], item(1));
    world.sync_well().await;
    assert_eq!(world.target.subscribed("ann"), [path(&["Sent"])]);
    let (engine, _) = world.engine().await;
    let row = engine.store.mailboxes(engine.key).await.unwrap().remove(0);
    let forecast = engine.forecast(&row, true, false).await.unwrap();
    assert_eq!((forecast.travels.items, forecast.already.items, forecast.load.coming.items), (1, 1, 0));
    world.source.set_subscribed("ann", &path(&["Gesendet"]), true);
    world.source.set_subscribed("ann", &path(&["Sent Items"]), false);
    world.sync_well().await;
    assert_eq!(world.target.subscribed("ann"), [path(&["Sent"])]);
    world.source.set_subscribed("ann", &path(&["Gesendet"]), false);
    world.sync_well().await;
    assert_eq!(world.target.subscribed("ann"), []);
}

/// What its person ended on the target stays so when a folder joins those that go there.
#[tokio::test]
async fn one_that_joins_later_has_the_place_followed_no_more() {
    let mut world = world();
    world.in_use("ann");
    world.source.add_folder_of("ann", &path(&["Archive"]), ItemKind::Message, None, true);
    deliver(&world, &["Archive"], item(1));
    world.sync_well().await;
    assert_eq!(world.target.subscribed("ann"), [path(&["Archive"])]);
    world.target.set_subscribed("ann", &path(&["Archive"]), false);
    world.source.add_folder_of("ann", &path(&["Old"]), ItemKind::Message, None, true);
    deliver(&world, &["Old"], item(2));
    world.sync_well().await;
    assert_eq!(there(&world, &["Archive"]), [item(1), item(2)]);
    assert_eq!(world.target.subscribed("ann"), []);
}

/// One waits for a word about what lies there; before it is said that is the copy of another's.
#[tokio::test]
async fn a_word_about_what_is_anothers_by_now_makes_no_two_of_it() {
    let world = world();
    let like = |body: &str| MemoryItem::message(message(1, body), 1_000_000_000);
    world.target.deliver("ann", &path(&["Archive"]), like("b"));
    deliver(&world, &["Archive"], like("a"));
    world.sync_well().await;
    let tally = world.tally().await;
    assert_eq!((tally.source, tally.held), (1, 1));
    deliver(&world, &["Old"], like("b"));
    world.sync_well().await;
    let (engine, mailboxes) = world.engine().await;
    let held = engine.store.held_items(engine.key, mailboxes[0]).await.unwrap();
    let held: Vec<_> = held.into_iter().map(|item| (item.folder, item.source_id)).collect();
    engine.store.answer_items(engine.key, &held, false).await.unwrap();
    world.sync_well().await;
    assert_eq!(there(&world, &["Archive"]), [like("a"), like("b")]);
    is_well(&world, 2).await;
}

/// One that is left behind does not hide what lies where the others go.
#[tokio::test]
async fn a_forecast_looks_where_one_that_is_left_behind_would_go() {
    let mut world = world_with(&[("Archive", &["Bin", "Old"])], MergedBelow::Apart, Traits::default());
    world.policy.deleted_items = false;
    world.source.add_folder_of("ann", &path(&["Bin"]), ItemKind::Message, Some(SpecialUse::Trash), false);
    deliver(&world, &["Bin"], item(1));
    deliver(&world, &["Old"], item(2));
    world.target.deliver("ann", &path(&["Archive"]), item(2));
    let (engine, _) = world.engine().await;
    let row = engine.store.mailboxes(engine.key).await.unwrap().remove(0);
    let forecast = engine.forecast(&row, false, false).await.unwrap();
    assert_eq!((forecast.travels.items, forecast.already.items, forecast.load.coming.items), (1, 1, 0));
}

#[tokio::test]
async fn a_dry_run_and_a_forecast_count_each_copy_that_is_there_once() {
    let world = world();
    for folder in [["Archive"], ["Old"]] {
        deliver(&world, &folder, item(1));
    }
    let (mut engine, mailboxes) = world.engine().await;
    engine.dry_run = true;
    let end = engine.run(&mailboxes).await;
    let planned: BTreeMap<String, _> =
        end.outcomes[0].report.would.iter().map(|would| (would.folder.clone(), would.clone())).collect();
    assert_eq!(planned.values().filter(|would| would.make).count(), 1);
    assert_eq!((planned["Archive"].copy, planned["Old"].copy), (1, 1));
    assert_eq!(planned["Old"].target_folder, "Archive");
    world.target.deliver("ann", &path(&["Archive"]), item(1));
    let end = engine.run(&mailboxes).await;
    let sum = |of: fn(&movement::WouldDo) -> u64| end.outcomes[0].report.would.iter().map(of).sum::<u64>();
    assert_eq!((sum(|would| would.copy), sum(|would| would.adopt)), (1, 1));
    let row = engine.store.mailboxes(engine.key).await.unwrap().remove(0);
    let forecast = engine.forecast(&row, false, false).await.unwrap();
    assert_eq!((forecast.travels.items, forecast.already.items, forecast.load.coming.items), (2, 1, 1));
}

#[tokio::test]
async fn verify_compares_them_together_and_names_the_folder() {
    let world = world();
    for folder in [["Archive"], ["Old"]] {
        deliver(&world, &folder, item(1));
        deliver(&world, &folder, item(2));
    }
    deliver(&world, &["Old"], item(3));
    world.sync_well().await;
    let place = path(&["Archive"]);
    let id_of = |number: usize| {
        let all = world.target.dump("ann").remove(&place).unwrap();
        let found = all.into_iter().find(|(_, there)| there.bytes == item(number).bytes);
        ItemId::from_u32(found.unwrap().0)
    };
    world.target.expunge("ann", &place, &id_of(3));
    world.target.deliver("ann", &place, item(1));
    world.target.set_flags("ann", &place, &id_of(2), &Flags::of(["\\Seen"]));
    let found = verified(&world, None).await;
    let mut kinds: Vec<(String, &str)> =
        found.differences.iter().map(|one| (one.kind.name().to_owned(), one.folder.as_str())).collect();
    kinds.sort();
    assert_eq!(
        kinds.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(),
        ["changed-flags", "doubled", "missing"]
    );
    assert_eq!(kinds[2].1, "Old");
    assert_eq!((found.items, found.on_target, found.unexplained), (5, 4, 3));
}

#[tokio::test]
async fn a_folder_joins_others_that_are_there_and_one_that_has_a_place_keeps_it() {
    let mut world = World::new();
    world.person("ann");
    deliver(&world, &["Old"], item(1));
    deliver(&world, &["Archive"], item(2));
    world.sync_well().await;
    let other = self::world();
    world.policy = other.policy.clone();
    deliver(&world, &["Old"], item(3));
    world.sync_well().await;
    assert_eq!(there(&world, &["Old"]), [item(1), item(3)], "rules decide once");
    is_well(&world, 3).await;
    // What is new goes by the rules of its day.
    world.policy = world_with(&[("Archive", &["Old", "New"])], MergedBelow::Apart, Traits::default()).policy;
    deliver(&world, &["New"], item(2));
    world.sync_well().await;
    assert_eq!(there(&world, &["Archive"]), [item(2), item(2)]);
    is_well(&world, 4).await;
}
