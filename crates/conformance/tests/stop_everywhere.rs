//! Stopped at every effect, resumed, and the end is always the same: on the in-memory platform (R-166).
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "test code")]

use std::collections::BTreeMap;
use std::path::Path;

use conformance::history::together;
use conformance::remote::RemoteServer;
use conformance::stop::{Orders, run_subject};
use conformance::whole;
use conformance::world::{Contents, World, contents, message};
use connector::memory::{MemoryItem, Traits};
use model::{Flags, FolderPath, ItemId, Loss};

const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");

/// What is on both sides before the process under test starts, and what it is to find there afterwards.
struct Scenario {
    traits: Traits,
    target_traits: Traits,
    /// Fills the platforms.
    fill: fn(&World),
    /// Changes them after a first, undisturbed sync; none: the first copy itself is stopped.
    change: Option<fn(&World)>,
    /// Items that fail.
    failed: u64,
    /// What the policy bans.
    bans: &'static str,
    /// Folders come together on the target.
    merged: bool,
}

fn deliver(world: &World, folder: &[&str], number: usize, body: &str, flags: &[&str]) -> ItemId {
    let mut item = MemoryItem::message(message(number, body), 1_000_000_000 + number as i64);
    item.flags = Flags::of(flags.iter().copied());
    world.source.deliver("ann", &FolderPath::new(folder.iter().copied()), item)
}

fn fill(world: &World) {
    for n in 0..14 {
        deliver(world, &["INBOX"], n, "body", if n % 2 == 0 { &["\\Seen", "Work"] } else { &[] });
    }
    for _ in 0..7 {
        deliver(world, &["Twins"], 100, "the same", &[]);
    }
    deliver(world, &["Twins"], 100, "another body, the same Message-ID", &[]);
    deliver(world, &["a", "b"], 1, "body", &[]);
    world.source.add_folder("ann", &FolderPath::new(["Empty"]));
}

/// Every other message with an attachment, some of them twins.
fn fill_with_banned(world: &World) {
    for n in 0..8 {
        let number = if n > 4 { 4 } else { n };
        let attachment = if n % 2 == 0 { "a.exe" } else { "a.txt" };
        let text = format!(
            "From: a@example.test\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\nMessage-ID: <{number}@example.test>\r\n\
             MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext {number}\r\n--b\r\n\
             Content-Disposition: attachment; filename={attachment}\r\n\r\nbytes\r\n--b--\r\n"
        );
        let item = MemoryItem::message(text, 1_000_000_000 + i64::from(number));
        world.source.deliver("ann", &FolderPath::inbox(), item);
    }
}

fn fill_with_bad(world: &World) {
    fill(world);
    deliver(world, &["INBOX"], 200, "nul \0", &[]);
    deliver(world, &["INBOX"], 201, "fine", &[]);
    deliver(world, &["a", "b"], 202, "cr \r", &[]);
}

fn fill_lived_in(world: &World) {
    fill(world);
    for (n, item) in world.source.dump("ann").remove(&FolderPath::inbox()).unwrap().into_values().enumerate() {
        if n % 3 == 0 {
            let changed = MemoryItem { flags: Flags::NONE, ..item };
            world.target.deliver("ann", &FolderPath::inbox(), changed);
        }
    }
}

fn change(world: &World) {
    let inbox = FolderPath::inbox();
    world.source.set_flags("ann", &inbox, &ItemId::from_u32(1), &Flags::of(["\\Flagged"]));
    world.source.set_flags("ann", &inbox, &ItemId::from_u32(2), &Flags::of(["\\Seen", "New"]));
    for n in 300..307 {
        deliver(world, &["INBOX"], n, "later", &[]);
    }
    deliver(world, &["New"], 400, "later", &[]);
}

/// Every kind of intent: items go, move (one of them with other flags), a folder is renamed with one below it, another is
/// removed, one is followed no longer.
fn rearrange(world: &World) {
    let (inbox, archive) = (FolderPath::inbox(), FolderPath::new(["Archive"]));
    for id in [3, 4] {
        world.source.expunge("ann", &inbox, &ItemId::from_u32(id));
    }
    for id in [5, 6, 7] {
        let moved = world.source.relocate("ann", &inbox, &archive, &ItemId::from_u32(id)).unwrap();
        if id == 6 {
            world.source.set_flags("ann", &archive, &moved, &Flags::of(["\\Answered"]));
        }
    }
    world.source.relocate("ann", &FolderPath::new(["Twins"]), &inbox, &ItemId::from_u32(2));
    world.source.set_flags("ann", &inbox, &ItemId::from_u32(8), &Flags::of(["\\Flagged"]));
    world.source.set_flags("ann", &inbox, &ItemId::from_u32(9), &Flags::NONE);
    assert!(world.source.rename_folder("ann", &FolderPath::new(["a"]), &FolderPath::new(["c"])));
    world.source.remove_folder("ann", &FolderPath::new(["Gone"]));
    world.source.set_subscribed("ann", &FolderPath::new(["Followed"]), false);
    deliver(world, &["INBOX"], 300, "later", &[]);
}

fn fill_more(world: &World) {
    fill(world);
    deliver(world, &["a"], 2, "body", &[]);
    deliver(world, &["Gone"], 3, "body", &[]);
    world.source.add_folder_of("ann", &FolderPath::new(["Followed"]), model::ItemKind::Message, None, true);
}

/// Folders that come together: the same messages in two of them, and copies that another tool left.
fn fill_merged(world: &World) {
    for (folder, numbers) in [("Archive", 0..4), ("Work", 2..6), ("Sent", 4..8), ("INBOX", 6..9)] {
        for n in numbers {
            deliver(world, &[folder], n, "body", if n % 2 == 0 { &["\\Seen"] } else { &[] });
        }
    }
    deliver(world, &["Work", "2019"], 20, "body", &[]);
    deliver(world, &["Archive", "2019"], 20, "body", &[]);
    for n in [0, 2, 5] {
        let item = MemoryItem::message(message(n, "body"), 1_000_000_000 + n as i64);
        let item =
            MemoryItem { flags: Flags::of(if n % 2 == 0 { &["\\Seen"][..] } else { &[] }.iter().copied()), ..item };
        world.target.deliver("ann", &FolderPath::new(["Archive"]), item);
    }
}

/// Items go and move between folders that come together and others, one of the folders gets another name.
fn rearrange_merged(world: &World) {
    let [archive, work, sent] = [["Archive"], ["Work"], ["Sent"]].map(FolderPath::new);
    world.source.expunge("ann", &archive, &ItemId::from_u32(4));
    world.source.relocate("ann", &work, &archive, &ItemId::from_u32(1)).unwrap();
    world.source.relocate("ann", &work, &sent, &ItemId::from_u32(2)).unwrap();
    let moved = world.source.relocate("ann", &sent, &FolderPath::inbox(), &ItemId::from_u32(1)).unwrap();
    world.source.set_flags("ann", &FolderPath::inbox(), &moved, &Flags::of(["\\Flagged"]));
    assert!(world.source.rename_folder("ann", &work.child("2019"), &FolderPath::new(["Größe", "Work"])));
    deliver(world, &["Work"], 30, "later", &[]);
    deliver(world, &["Archive"], 30, "later", &[]);
}

async fn world_of(scenario: &Scenario) -> World {
    let mut world = World::with(scenario.traits.clone(), scenario.target_traits.clone());
    world.person("ann");
    if !scenario.bans.is_empty() {
        world.ban(scenario.bans);
    }
    if scenario.merged {
        world.policy = together::policy(&world.policy);
    }
    (scenario.fill)(&world);
    if let Some(change) = scenario.change {
        world.sync_well().await;
        change(&world);
    }
    world
}

fn orders(world: &World, scenario: &Scenario, folder: &Path) -> Orders {
    Orders {
        source_socket: folder.join("source"),
        target_socket: folder.join("target"),
        database: world.url.clone(),
        folder: folder.to_owned(),
        people: vec!["ann".to_owned()],
        poor: scenario.traits == Traits::poor(),
        bans: scenario.bans.to_owned(),
        merged: scenario.merged,
        ..Orders::default()
    }
}

/// Runs the scenario, stopped at this moment if it is not 0, then to its end. Returns the moments of the first run and
/// what the target holds.
async fn run(scenario: &Scenario, stop_at: u64) -> (u64, Contents) {
    let world = world_of(scenario).await;
    let folder = tempfile::tempdir().unwrap();
    let servers = [
        RemoteServer::start(world.source.clone(), &folder.path().join("source")),
        RemoteServer::start(world.target.clone(), &folder.path().join("target")),
    ];
    let orders = Orders { stop_at, ..orders(&world, scenario, folder.path()) };
    let spawn = |orders: Orders| tokio::task::spawn_blocking(move || run_subject(Path::new(SUBJECT), &orders));
    let first = spawn(orders.clone()).await.unwrap();
    for server in &servers {
        server.quiet().await;
    }
    let source_before = contents(&world.source, "ann");
    if stop_at > 0 {
        assert!(!first.finished, "not stopped at {stop_at}: {}", first.stderr);
        assert!(first.stderr.contains("stopped at"), "ended otherwise at {stop_at}: {}", first.stderr);
        let second = spawn(Orders { stop_at: 0, ..orders.clone() }).await.unwrap();
        assert!(second.finished, "after a stop at {stop_at} ({}): {}", first.stderr, second.stderr);
        for server in &servers {
            server.quiet().await;
        }
    } else {
        assert!(first.finished, "{}", first.stderr);
    }
    let where_stopped = format!("stopped at {stop_at}: {}", first.stderr);
    let tally = world.tally().await;
    assert_eq!(tally.source, tally.accounted(), "sums, {where_stopped}");
    assert_eq!(tally.failed, scenario.failed, "failures, {where_stopped}");
    assert_eq!(tally.held, 0, "held, {where_stopped}");
    let effects = world.target.effects();
    let third = spawn(Orders { stop_at: 0, ..orders }).await.unwrap();
    assert!(third.finished, "{}", third.stderr);
    assert_eq!(world.target.effects(), effects, "a further run writes nothing, {where_stopped}");
    assert_eq!(contents(&world.source, "ann"), source_before, "the source is as it was, {where_stopped}");
    if scenario.merged {
        assert_together(&world, &where_stopped);
    } else if scenario.failed == 0 && scenario.bans.is_empty() {
        world.assert_same("ann");
    }
    (first.moments, contents(&world.target, "ann"))
}

/// What lies in each folder of the target is what lies in those of the source that go there, each item as often.
fn assert_together(world: &World, where_stopped: &str) {
    let mut wanted: BTreeMap<FolderPath, Vec<MemoryItem>> = BTreeMap::new();
    for (path, items) in world.source.dump("ann") {
        wanted.entry(together::on_target(&path)).or_default().extend(items.into_values());
    }
    let mut there: BTreeMap<FolderPath, Vec<MemoryItem>> =
        world.target.dump("ann").into_iter().map(|(path, items)| (path, items.into_values().collect())).collect();
    for items in wanted.values_mut().chain(there.values_mut()) {
        items.sort_by(|one, other| (&one.bytes, &one.flags).cmp(&(&other.bytes, &other.flags)));
    }
    assert_eq!(wanted, there, "{where_stopped}");
}

async fn everywhere(name: &str, scenario: Scenario) {
    let (moments, undisturbed) = run(&scenario, 0).await;
    assert!(moments > 20, "{name}: only {moments} moments");
    println!("{name}: {moments} moments, two an effect");
    for stop_at in whole::moments(moments, 4) {
        let (_, end) = run(&scenario, stop_at).await;
        assert_eq!(end, undisturbed, "{name}: stopped at {stop_at} of {moments}");
    }
}

fn rich(fill: fn(&World)) -> Scenario {
    let (traits, target_traits) = (Traits::default(), Traits::default());
    Scenario { traits, target_traits, fill, change: None, failed: 0, bans: "", merged: false }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_copy() {
    everywhere("first copy", rich(fill)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_copy_without_what_is_banned() {
    everywhere("first copy without what is banned", Scenario { bans: "exe", ..rich(fill_with_banned) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_copy_between_poor_servers() {
    let poor = Scenario { traits: Traits::poor(), target_traits: Traits::poor(), ..rich(fill) };
    everywhere("first copy between poor servers", poor).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_copy_with_items_that_the_target_refuses() {
    let target_traits = Traits { refuses: vec![Loss::Nul, Loss::BareCr], ..Traits::default() };
    let refusing = Scenario { target_traits, failed: 2, ..rich(fill_with_bad) };
    everywhere("first copy with refused items", refusing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_copy_to_a_target_that_another_tool_half_filled() {
    everywhere("first copy to a half filled target", rich(fill_lived_in)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_and_removals_after_the_first_copy() {
    everywhere("moves and removals", Scenario { change: Some(rearrange), ..rich(fill_more) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_and_removals_to_a_server_that_cannot_move() {
    let target_traits = Traits { moves: false, tells_changes: false, ids_on_append: false, ..Traits::default() };
    let scenario = Scenario { target_traits, change: Some(rearrange), ..rich(fill_more) };
    everywhere("moves and removals without MOVE", scenario).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_after_the_first_copy() {
    everywhere("changes", Scenario { change: Some(change), ..rich(fill) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_copy_of_folders_that_come_together() {
    everywhere("folders that come together", Scenario { merged: true, ..rich(fill_merged) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_copy_of_folders_that_come_together_on_a_poor_server() {
    let poor = Scenario { merged: true, target_traits: Traits::poor(), ..rich(fill_merged) };
    everywhere("folders that come together on a poor server", poor).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_in_folders_that_come_together() {
    let changed = Scenario { merged: true, change: Some(rearrange_merged), ..rich(fill_merged) };
    everywhere("changes in folders that come together", changed).await;
}
