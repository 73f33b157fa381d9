//! An organisation on two in-memory platforms, with the engine between them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use connector::memory::{Dial, MemoryConnector, MemoryItem, Platform, Traits};
use connector::{Account, Clock, Connector, HoldsLimits, SystemClock};
use inspection::{Ban, Banned};
use model::{Digest, FolderPath, MailboxKind, Organisation, OrganisationCode, Tally};
use movement::{Endpoint, Engine, Holder, NoProbe, Person, Probe, Progress, Quarantine, RunEnd, Scanner, Tuning};
use profile::Policy;
use store::{LeaseTerms, MailboxRow, ProjectKey, RosterRow, Store};
use tokio::sync::watch;

/// Leases of tests: long enough that none ends by itself.
pub const TERMS: LeaseTerms = LeaseTerms { lasts_ms: 60_000, margin_ms: 0 };

/// Two platforms, a database and a roster.
pub struct World {
    /// Where people come from.
    pub source: Platform,
    /// Where they go.
    pub target: Platform,
    /// How the source is reached.
    pub source_dial: Arc<dyn Dial>,
    /// How the target is reached.
    pub target_dial: Arc<dyn Dial>,
    /// Where real servers take the place of both platforms: how source and target are reached.
    pub connectors: Option<[Arc<dyn Connector>; 2]>,
    /// Lease terms.
    pub terms: LeaseTerms,
    /// What travels, and how far removals are followed.
    pub policy: Policy,
    /// Keeps originals.
    pub quarantine: Option<Arc<dyn Quarantine>>,
    /// Looks for malware.
    pub scanner: Option<Arc<dyn Scanner>>,
    /// Sizes and times of the engine.
    pub tuning: Tuning,
    /// Sees every effect.
    pub probe: Arc<dyn Probe>,
    /// The project's folder.
    pub folder: tempfile::TempDir,
    /// The database's address.
    pub url: String,
    /// The engine's clock for people, where it is not the machine's: seconds since 1970.
    pub now: Option<i64>,
    /// Quotas of people, by their names at the source.
    pub quotas: BTreeMap<String, u64>,
    people: Vec<Named>,
    stop: (watch::Sender<bool>, watch::Receiver<bool>),
}

/// The machine's clock, or another time for people.
struct Set(Option<i64>);

impl Clock for Set {
    fn since_boot(&self) -> Duration {
        SystemClock.since_boot()
    }

    fn unix_seconds(&self) -> i64 {
        self.0.unwrap_or_else(|| SystemClock.unix_seconds())
    }
}

struct Named {
    source: String,
    target: String,
    in_use: bool,
}

/// What a mailbox holds, by what it is: folder, digest, date, flags; sorted, so that two can be compared.
pub type Contents = BTreeMap<FolderPath, Vec<(String, i64, String)>>;

/// The digest by which an item stands in [`Contents`].
pub fn digest(item: &MemoryItem) -> String {
    Digest::of(&item.bytes).to_string()
}

/// What a mailbox of a platform holds.
pub fn contents(platform: &Platform, name: &str) -> Contents {
    let describe = |item: &MemoryItem| {
        let mut flags: Vec<String> = item.flags.names().map(str::to_ascii_lowercase).collect();
        flags.sort();
        (Digest::of(&item.bytes).to_string(), item.received.unix_seconds, flags.join(" "))
    };
    let dump = platform.dump(name);
    dump.into_iter()
        .map(|(path, items)| {
            let mut items: Vec<_> = items.values().map(describe).collect();
            items.sort();
            (path, items)
        })
        .collect()
}

/// A policy that follows removals at once: no folder has to be gone for long, nothing in a small mailbox is a mass.
fn following() -> Policy {
    let mut policy = Policy::plain();
    policy.following.deletion_settle_hours = 0;
    policy.following.removals_free = 10_000;
    policy.following.removals_a_day_max = 1_000_000;
    policy
}

/// A small message.
pub fn message(number: usize, body: &str) -> Vec<u8> {
    format!(
        "From: a{number}@example.test\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\nMessage-ID: <{number}@example.test>\r\n\
         Subject: {number}\r\n\r\n{body}\r\n"
    )
    .into_bytes()
}

impl World {
    /// A world with rich platforms and nobody in it.
    pub fn new() -> Self {
        Self::with(Traits::default(), Traits::default())
    }

    /// A world with platforms of these traits.
    pub fn with(source: Traits, target: Traits) -> Self {
        let (source, target) = (Platform::new(source), Platform::new(target));
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/whimbrel.db", folder.path().display());
        Self {
            source_dial: Arc::new(source.clone()),
            target_dial: Arc::new(target.clone()),
            connectors: None,
            source,
            target,
            terms: TERMS,
            policy: following(),
            quarantine: None,
            scanner: None,
            tuning: Tuning {
                batch_bytes: 4096,
                batch_items: 5,
                settle: Duration::ZERO,
                late_look_gap: Duration::ZERO,
                retry_wait: Duration::from_millis(1),
                ..Tuning::default()
            },
            probe: Arc::new(NoProbe),
            folder,
            url,
            now: None,
            quotas: BTreeMap::new(),
            people: Vec::new(),
            stop: watch::channel(false),
        }
    }

    /// Adds a person with an empty mailbox on both sides.
    pub fn person(&mut self, name: &str) {
        self.person_of(name, name);
    }

    /// Adds a person with an empty mailbox on both sides, under a name for each.
    pub fn person_of(&mut self, source: &str, target: &str) {
        self.source.add_mailbox(source);
        self.target.add_mailbox(target);
        self.people.push(Named { source: source.to_owned(), target: target.to_owned(), in_use: false });
    }

    /// Bans attachments whose names end so: a note takes their place.
    pub fn ban(&mut self, ending: &str) {
        let what = Banned::Extensions([ending.to_owned()].into());
        self.policy.inspection.bans = vec![Ban { id: "banned-extension".to_owned(), what }];
        "Not copied.".clone_into(&mut self.policy.inspection.note);
        self.policy.citation = format!("test without {ending}");
    }

    /// Says that a person works on the target already.
    pub fn in_use(&mut self, name: &str) {
        for person in &mut self.people {
            person.in_use |= person.source == name;
        }
    }

    /// Says that everybody works on the target already.
    pub fn everybody_in_use(&mut self) {
        self.people.iter_mut().for_each(|person| person.in_use = true);
    }

    /// The database.
    pub async fn store(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }

    /// The engine, and the mailboxes of the roster.
    pub async fn engine(&self) -> (Engine, Vec<i64>) {
        let store = self.store().await;
        let code = OrganisationCode::try_from("RX1".to_owned()).unwrap();
        let organisation = Organisation { name: "Example Trust".to_owned(), code };
        let key: ProjectKey = store.project(&organisation, "migration").await.unwrap();
        let local = store.endpoint(key, "local", "memory").await.unwrap();
        let national = store.endpoint(key, "national", "memory").await.unwrap();
        let roster: Vec<RosterRow> = self
            .people
            .iter()
            .map(|person| RosterRow {
                source_endpoint: local,
                source_name: person.source.clone(),
                target_endpoint: national,
                target_name: person.target.clone(),
                name: None,
                kind: MailboxKind::Person,
                collection: None,
                target_in_use: person.in_use,
                new_account: !person.in_use,
                activated: None,
                in_books: None,
            })
            .collect();
        store.enroll(key, &roster).await.unwrap();
        let rows = store.mailboxes(key).await.unwrap();
        let engine = self.engine_of(store, key, [local, national], &rows);
        (engine, rows.iter().filter(|row| row.listed).map(|row| row.mailbox).collect())
    }

    /// The engine of a project in another database, for these of its mailboxes: its source and its target have these numbers.
    pub fn engine_of(&self, store: Store, key: ProjectKey, numbers: [i64; 2], rows: &[MailboxRow]) -> Engine {
        let endpoint = |name: &str, dial: &Arc<dyn Dial>, platform: &Platform| {
            let connector: Arc<dyn Connector> =
                Arc::new(MemoryConnector::dialling(dial.clone(), platform.traits().clone()));
            Endpoint::new(name, connector, None)
        };
        let sides = match &self.connectors {
            Some([source, target]) => {
                [Endpoint::new("local", source.clone(), None), Endpoint::new("national", target.clone(), None)]
            }
            None => [
                endpoint("local", &self.source_dial, &self.source),
                endpoint("national", &self.target_dial, &self.target),
            ],
        };
        let endpoints = numbers.into_iter().zip(sides).collect();
        let people = rows
            .iter()
            .map(|row| {
                let account = |name: &str| Account::named(name);
                let (source, target) = (account(&row.roster.source_name), account(&row.roster.target_name));
                let quota_bytes = self.quotas.get(&row.roster.source_name).copied();
                let target_endpoint = row.roster.target_endpoint;
                (row.mailbox, Person { source, target, target_endpoint, quota_bytes, policy: None, problem: None })
            })
            .collect();
        Engine {
            store,
            key,
            version: None,
            endpoints,
            people: Arc::new(people),
            policy: Arc::new(self.policy.clone()),
            quarantine: self.quarantine.clone(),
            scanner: self.scanner.clone(),
            clock: Arc::new(Set(self.now)),
            holder: Holder::this_process(&format!("{self:p}")),
            terms: self.terms,
            people_at_once: 4,
            holds: HoldsLimits { spool_folder: self.folder.path().to_owned(), ..HoldsLimits::default() },
            tuning: self.tuning.clone(),
            progress: Arc::new(Progress::default()),
            stop: self.stop.1.clone(),
            probe: self.probe.clone(),
            dry_run: false,
            consent: None,
            turnover: None,
        }
    }

    /// How many items have which fate, over everybody.
    pub async fn tally(&self) -> Tally {
        let (engine, mailboxes) = self.engine().await;
        let mut all = Tally::default();
        for mailbox in mailboxes {
            let tallies = engine.store.tallies(engine.key, mailbox).await.unwrap();
            for (_, tally) in tallies.into_iter().filter(|(folder, _)| !folder.is_gone()) {
                all += tally;
            }
        }
        engine.store.close().await;
        all
    }

    /// Syncs everybody until nothing is left.
    pub async fn sync(&self) -> RunEnd {
        let (engine, mailboxes) = self.engine().await;
        let end = engine.run(&mailboxes).await;
        engine.store.close().await;
        end
    }

    /// Syncs, and requires that nobody had a failure.
    pub async fn sync_well(&self) -> RunEnd {
        let end = self.sync().await;
        for outcome in &end.outcomes {
            assert!(outcome.failure.is_none(), "{:?}", outcome.failure);
        }
        assert!(end.failure.is_none() && end.held_elsewhere.is_empty(), "{end:?}");
        end
    }

    /// Requires that a person's mailbox is the same on both sides.
    pub fn assert_same(&self, name: &str) {
        similar(&contents(&self.source, name), &contents(&self.target, name));
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// Requires that two mailboxes hold the same.
#[track_caller]
pub fn similar(source: &Contents, target: &Contents) {
    for (path, items) in source {
        let there = target.get(path).unwrap_or_else(|| panic!("the target has no folder {path}"));
        assert_eq!(items, there, "{path}: {} on the source, {} on the target", items.len(), there.len());
    }
    for path in target.keys() {
        assert!(source.contains_key(path), "the source has no folder {path}");
    }
}
