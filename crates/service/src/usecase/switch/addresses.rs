//! Old addresses of people, on their accounts in the target's directory (R-238).
//!
//! ```text
//! [routing.source], the source's directories ──► wanted ──► what is to come ──► on record ──► written ──► read back
//!                                                 who has one (asked afresh)    pure
//! ```
//!
//! What is about to be put on is on record before, so that whatever was cut, what is ours is known and nothing else is ever taken
//! off. An address that can't be put on holds up nobody's mail: the redirect brings it. It is told, and tried again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use connector::{Change, ChangeOutcome, DirectoryTarget, PlannedChange};
use model::{Cause, Entry, EntryKind, Phase, Side, mail_key};
use movement::{Failure, Held};
use store::{DirectoryRow, OldAddressRow, OldAddressState, ProjectKey, RosterRow, Store, SwitchRow};
use switch::{OldAddress, Task, old_addresses, with_addresses, without_addresses};

use super::driver::{Switcher, failed};
use super::subject::Subject;
use super::task::Attempt;
use crate::config::{Config, PeopleEntry, RoutingEntry};

/// How often it is decided afresh, since somebody else changes the account, too.
const TRIES_MAX: usize = 6;
/// The wait between two tries after the switch doubles up to so many times `retry_seconds`.
const WAIT_DOUBLINGS_MAX: u32 = 10;

/// What is needed to say which old addresses people have, and to put them on their accounts.
#[derive(Clone, Default)]
pub(crate) struct Addressing {
    /// The target's directory, where the switch writes it.
    pub(crate) platform: Option<Arc<dyn DirectoryTarget>>,
    /// The same, where it can only be asked, too.
    pub(crate) directory: Option<Arc<dyn DirectoryTarget>>,
    /// Which directories say who there is at the source, and how their mailboxes are called.
    pub(crate) people: Option<PeopleEntry>,
    /// The names of endpoints.
    pub(crate) endpoints: BTreeMap<i64, String>,
    /// The endpoints of the source.
    pub(crate) sources: Vec<String>,
    /// People's further addresses, made anew when a directory was read.
    pub(crate) last: Arc<Mutex<(Vec<DirectoryRow>, Arc<Further>)>>,
}

/// People's further addresses, by the endpoint and the name of their mailbox in small letters.
pub(crate) type Further = HashMap<(String, String), Vec<String>>;

impl Addressing {
    pub(crate) fn new(config: &Config, endpoints: &BTreeMap<i64, (String, &'static str)>) -> Self {
        Self {
            platform: None,
            directory: None,
            people: config.file.people.clone(),
            endpoints: endpoints.iter().map(|(number, (name, _))| (*number, name.clone())).collect(),
            sources: config.sources(),
            last: Arc::default(),
        }
    }

    /// The addresses that the source's directories, as they were last read, give to mailboxes. Where two entries are called the same, or have the
    /// same address, nobody knows whose it is: they have none.
    pub(crate) async fn further(&self, store: &Store, key: ProjectKey) -> Result<Arc<Further>, store::Error> {
        let Some(people) = &self.people else { return Ok(Arc::default()) };
        let directories = store.directories(key).await?;
        {
            let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.0 == directories {
                return Ok(last.1.clone());
            }
        }
        let (mut found, mut twice) = (Further::new(), HashSet::new());
        // Which mailbox has each address, and which of them several have: nobody knows whose mail it is that comes there.
        let mut holders: HashMap<String, (String, String)> = HashMap::new();
        let mut shared: HashSet<String> = HashSet::new();
        for directory in &directories {
            if !people.is_source(&directory.name) {
                continue;
            }
            let endpoint = people.mail_endpoint(&directory.name, &self.sources);
            for row in store.directory_entries(key, directory.directory, false).await? {
                let Ok(entry) = serde_json::from_str::<Entry>(&row.entry) else { continue };
                if entry.origin.as_deref().is_some_and(|origin| origin.starts_with(people::BOOK_MARK)) {
                    continue;
                }
                let name = people.source_name.of(&entry).map(str::to_lowercase);
                let whose = endpoint.clone().zip(name).filter(|_| entry.kind != EntryKind::Contact);
                let Some(whose) = whose else { continue };
                for address in entry.mail_keys() {
                    let first = holders.entry(address.clone()).or_insert_with(|| whose.clone());
                    if *first != whose {
                        shared.insert(address);
                    }
                }
                if found.insert(whose.clone(), entry.mail_keys()).is_some() {
                    twice.insert(whose);
                }
            }
        }
        found.retain(|whose, _| !twice.contains(whose));
        for addresses in found.values_mut() {
            addresses.retain(|address| !shared.contains(address));
        }
        let found = Arc::new(found);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = (directories, found.clone());
        Ok(found)
    }

    /// Whose further addresses these are.
    pub(crate) fn whose(&self, roster: &RosterRow) -> (String, String) {
        let endpoint = self.endpoints.get(&roster.source_endpoint).cloned().unwrap_or_default();
        (endpoint, roster.source_name.to_lowercase())
    }
}

/// By address of `[routing.source]`: the mailbox that has it.
type ByAddress = HashMap<String, i64>;

/// Whose the addresses of `[routing.source]` are, read again after a while: routers are asked about thousands of people.
#[derive(Debug, Default)]
pub(crate) struct RosterAddresses {
    last: Mutex<Option<(Instant, Arc<ByAddress>)>>,
}

impl RosterAddresses {
    pub(super) async fn of(&self, of: Subject<'_>, routing: Option<&RoutingEntry>) -> Result<Arc<ByAddress>, Failure> {
        const LASTS: Duration = Duration::from_secs(30);
        let Some(routing) = routing else { return Ok(Arc::default()) };
        {
            let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, known)) = last.as_ref().filter(|(at, _)| at.elapsed() < LASTS) {
                return Ok(known.clone());
            }
        }
        let mut known = ByAddress::new();
        for row in of.store.mailboxes(of.key).await? {
            if row.listed || row.state.phase >= Phase::Switching {
                let roster = &row.roster;
                for address in routing.source.addresses(Side::Source, &roster.source_name, &roster.target_name) {
                    known.insert(mail_key(&address), row.mailbox);
                }
            }
        }
        let known = Arc::new(known);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), known.clone()));
        Ok(known)
    }
}

/// What was seen of a person's old addresses.
struct Looked {
    account: Entry,
    fates: BTreeMap<String, OldAddress>,
}

/// What came of putting old addresses on.
struct Put {
    /// The account that has them, for people.
    account: String,
    /// Those that it has.
    there: Vec<String>,
    /// Those that it does not have, each with why.
    without: Vec<(String, String)>,
    /// Why it is to be tried again at once.
    again: Option<String>,
}

impl Put {
    fn told(&self) -> String {
        let there = match self.there.as_slice() {
            [] => "no old address is on the account".to_owned(),
            there => format!("read back: {} has {}", self.account, there.join(", ")),
        };
        if self.without.is_empty() {
            return there;
        }
        let each: Vec<String> = self.without.iter().map(|(address, why)| format!("{address}: {why}")).collect();
        format!("{there}; NOT COVERED: {}", each.join("; "))
    }
}

impl Switcher {
    /// A person's old addresses, in the form in which addresses are compared: those of `[routing.source]`, then those that the source's
    /// directory gives them. Addresses of the target's own domains are no old ones.
    pub(crate) fn old_addresses_of(&self, roster: &RosterRow, further: &Further) -> Vec<String> {
        let Some(routing) = &self.routing else { return Vec::new() };
        let own = routing.source.addresses(Side::Source, &roster.source_name, &roster.target_name);
        let further = further.get(&self.addressing.whose(roster)).into_iter().flatten();
        let mut wanted: Vec<String> = Vec::new();
        for address in own.iter().chain(further).map(|text| mail_key(text)) {
            let Some((local, domain)) = address.rsplit_once('@') else { continue };
            let is_new = routing.target.takes(domain) && !routing.source.takes(domain);
            if !local.is_empty() && !domain.is_empty() && !is_new && !wanted.contains(&address) {
                wanted.push(address);
            }
        }
        wanted
    }

    async fn wanted(&self, of: Subject<'_>) -> Result<Vec<String>, Failure> {
        let further = self.addressing.further(of.store, of.key).await?;
        Ok(self.old_addresses_of(&of.row.roster, &further))
    }

    /// Does the platform take addresses of this domain?
    fn takes(&self, domain: &str) -> bool {
        match &self.entry.address_domains {
            Some(domains) => domains.iter().any(|own| own.eq_ignore_ascii_case(domain)),
            None => self.routing.as_ref().is_some_and(|routing| routing.source.takes(domain)),
        }
    }

    /// The addresses of everybody else's mailboxes, and whose they are.
    async fn of_others(&self, of: Subject<'_>) -> Result<HashMap<String, String>, Failure> {
        let mut others = HashMap::new();
        let Some(routing) = &self.routing else { return Ok(others) };
        for row in of.store.mailboxes(of.key).await? {
            if row.mailbox == of.row.mailbox || !(row.listed || row.state.phase >= Phase::Switching) {
                continue;
            }
            let (source, target) = (&row.roster.source_name, &row.roster.target_name);
            for address in routing.source.addresses(Side::Source, source, target) {
                others.insert(mail_key(&address), source.clone());
            }
        }
        Ok(others)
    }

    /// Asks the platform who has the person's old addresses, and which of them can be put on the account. In words why not, where it is
    /// not known which account that is.
    async fn look(
        &self,
        of: Subject<'_>,
        platform: &Arc<dyn DirectoryTarget>,
        wanted: &[String],
    ) -> Result<Result<Looked, String>, Failure> {
        let Some(new) = self.addresses(of, Side::Target).into_iter().next() else {
            return Ok(Err("the project has no [routing]: the person's new address is not known".to_owned()));
        };
        let new = mail_key(&new);
        let asked: Vec<String> = wanted.iter().chain([&new]).cloned().collect();
        let holders = platform.holders(&asked).await.map_err(|error| failed(Side::Target, error))?;
        let mut own = holders.iter().filter(|entry| entry.mail_keys().contains(&new));
        let account = match (own.next(), own.next()) {
            (Some(account), None) => account.clone(),
            (None, _) => return Ok(Err(format!("the target's directory has no entry with the address {new}"))),
            (Some(_), Some(_)) => return Ok(Err(format!("several entries of the target's directory have {new}"))),
        };
        let others = self.of_others(of).await?;
        let fates =
            old_addresses(wanted, &account, &holders, |domain| self.takes(domain), |key| others.get(key).cloned());
        Ok(Ok(Looked { account, fates }))
    }

    /// Can every old address of the person come to their account? And what was seen (R-238).
    pub(crate) async fn addresses_free(&self, of: Subject<'_>) -> Result<(bool, String), Failure> {
        let wanted = self.wanted(of).await?;
        let Some(platform) = &self.addressing.platform else {
            let all = wanted.join(", ");
            return Ok((true, format!("the switch writes to no directory of the target: by hand come {all}")));
        };
        let looked = match self.look(of, platform, &wanted).await? {
            Ok(looked) => looked,
            Err(why) => return Ok((false, format!("{why}: have that put right"))),
        };
        let mut told: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut taken = Vec::new();
        for (address, fate) in &looked.fates {
            match fate {
                OldAddress::There => told.entry("there already").or_default().push(address.clone()),
                OldAddress::ToCome => told.entry("to come").or_default().push(address.clone()),
                OldAddress::Taken(by) => taken.push(format!("{address}: {by}")),
                OldAddress::OtherDomain => {
                    told.entry("NOT COVERED, of domains that the platform does not take")
                        .or_default()
                        .push(address.clone());
                }
            }
        }
        if !taken.is_empty() {
            return Ok((false, format!("{}: have it taken off there; or its person goes without", taken.join("; "))));
        }
        let told: Vec<String> = told.iter().map(|(what, all)| format!("{what}: {}", all.join(", "))).collect();
        Ok((true, told.join("; ")))
    }

    /// Puts the person's old addresses on their account. What can't be done at all holds up nothing; what fails is tried again, and after a
    /// while the switch goes on without it.
    pub(super) async fn addresses_on(&self, held: &Held<'_>, row: &SwitchRow) -> Result<Attempt, Failure> {
        let Some(platform) = &self.addressing.platform else {
            let wanted = self.wanted(Subject::of(held)).await?;
            let all = wanted.join(", ");
            let what =
                format!("the switch writes to no directory of the target: add these to the account by hand: {all}");
            return Ok(Attempt::done(what));
        };
        let (what, is_done) = match self.put_addresses(held, platform).await {
            Ok(Put { again: Some(why), .. }) => (why, false),
            Ok(put) => (put.told(), true),
            Err(failure) if failure.error.cause == Cause::Stopped => return Err(failure),
            Err(failure) => (failure.to_string(), false),
        };
        if is_done {
            return Ok(Attempt::done(what));
        }
        if !self.lasts(held, row).await? {
            return Ok(Attempt::failed(true, what));
        }
        self.missing(held, &what).await?;
        Ok(Attempt::done(format!("NOT COVERED: {what}; the redirect brings its mail, and it is tried again")))
    }

    /// Has this task been tried for as long as it may hold up what comes after it?
    async fn lasts(&self, held: &Held<'_>, row: &SwitchRow) -> Result<bool, Failure> {
        let lasts = held.store().now().await?.saturating_sub(row.since);
        Ok(u128::try_from(lasts).unwrap_or_default() >= self.entry.limits().reverse_after.as_millis())
    }

    /// What is not known to be on the account is on record as missing, for this.
    async fn missing(&self, held: &Held<'_>, why: &str) -> Result<(), Failure> {
        let rows = held.store().old_addresses(held.key(), held.row().mailbox).await?;
        let wanted = self.wanted(Subject::of(held)).await?;
        let mut tx = held.write().await?;
        for address in wanted.iter().filter(|address| self.takes(address.rsplit_once('@').map_or("", |(_, it)| it))) {
            let row = rows.iter().find(|row| row.address == **address);
            // What may be ours stays so: it may be there.
            if row.is_none_or(|row| row.state == OldAddressState::Missing) {
                tx.set_old_address(address, OldAddressState::Missing, None, Some(why)).await?;
            } else if let Some(row) = row.filter(|row| row.state == OldAddressState::Coming) {
                tx.set_old_address(address, row.state, row.account.as_deref(), Some(why)).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    async fn put_addresses(&self, held: &Held<'_>, platform: &Arc<dyn DirectoryTarget>) -> Result<Put, Failure> {
        let of = Subject::of(held);
        let wanted = self.wanted(of).await?;
        let mut refused: HashMap<String, String> = HashMap::new();
        let nothing = |without, again| Put { account: String::new(), there: Vec::new(), without, again };
        for _ in 0..TRIES_MAX + wanted.len() {
            let looked = match self.look(of, platform, &wanted).await? {
                Ok(looked) => looked,
                Err(why) => {
                    self.missing(held, &why).await?;
                    let without = wanted.iter().map(|address| (address.clone(), why.clone())).collect();
                    return Ok(nothing(without, None));
                }
            };
            let (put, come) = self.record(held, &looked, &refused).await?;
            if come.is_empty() {
                return Ok(put);
            }
            let faults = self.faults(of, Task::AddressesOn).await?;
            if let Some(first) = faults.first() {
                let why = format!("the routing check finds {}; the first: {first}", faults.len());
                let mut tx = held.write().await?;
                for address in &come {
                    tx.set_old_address(address, OldAddressState::Missing, None, Some(&why)).await?;
                }
                tx.commit().await?;
                return Ok(nothing(Vec::new(), Some(why)));
            }
            // Where all of them together were refused, each is tried alone, so that one holds up no other.
            let come = if refused.contains_key("") { come[..1].to_vec() } else { come };
            let after = with_addresses(&looked.account, &come);
            match change(held, platform, &looked.account, &after).await? {
                ChangeOutcome::Refused(error) if come.len() > 1 => drop(refused.insert(String::new(), error.what)),
                ChangeOutcome::Refused(error) => {
                    refused.extend(come.iter().map(|address| (address.clone(), format!("it is refused: {error}"))));
                }
                // What is there is what the next look tells.
                _ => {}
            }
        }
        Ok(nothing(Vec::new(), Some("the account is changed by somebody else again and again".to_owned())))
    }

    /// Writes down what was seen, and what is about to be put on: before it is. What that is.
    async fn record(
        &self,
        held: &Held<'_>,
        looked: &Looked,
        refused: &HashMap<String, String>,
    ) -> Result<(Put, Vec<String>), Failure> {
        use OldAddressState::{Coming, Missing, Ours, Theirs};
        let rows = held.store().old_addresses(held.key(), held.row().mailbox).await?;
        let key = looked.account.key.as_str();
        let own = looked.account.mail_keys();
        let account = looked.account.label().to_owned();
        let mut put = Put { account, there: Vec::new(), without: Vec::new(), again: None };
        let mut come = Vec::new();
        let mut tx = held.write().await?;
        // What is no old address of theirs any more is not looked for; what is on by us still goes with an undo.
        for row in rows.iter().filter(|row| !looked.fates.contains_key(&row.address)) {
            match row.state {
                Coming if own.contains(&row.address) => tx.set_old_address(&row.address, Ours, Some(key), None).await?,
                Coming | Missing => tx.forget_old_address(&row.address).await?,
                _ => {}
            }
        }
        for (address, fate) in &looked.fates {
            let may_be_ours = rows
                .iter()
                .any(|row| row.address == *address && row.state.may_be_ours() && row.account.as_deref() == Some(key));
            // One of ours that another entry has by now, too, stays ours.
            if own.contains(address) {
                put.there.push(address.clone());
                let state = if may_be_ours { Ours } else { Theirs };
                tx.set_old_address(address, state, Some(key), None).await?;
                if let OldAddress::Taken(by) = fate {
                    put.without.push((address.clone(), format!("another has it as well: {by}")));
                }
                continue;
            }
            let why = match (fate, refused.get(address)) {
                (OldAddress::ToCome | OldAddress::There, None) => {
                    come.push(address.clone());
                    tx.set_old_address(address, Coming, Some(key), None).await?;
                    continue;
                }
                (_, Some(why)) => why.clone(),
                (OldAddress::Taken(by), _) => by.clone(),
                (..) => {
                    put.without.push((address.clone(), "the platform does not take its domain".to_owned()));
                    tx.forget_old_address(address).await?;
                    continue;
                }
            };
            tx.set_old_address(address, Missing, None, Some(&why)).await?;
            put.without.push((address.clone(), why));
        }
        tx.commit().await?;
        Ok((put, come))
    }

    /// Takes off what we have put on, and nothing else. `is_last`: it may not be put off any more, since what comes next would lead mail in a
    /// circle.
    pub(super) async fn addresses_off(&self, held: &Held<'_>, is_last: bool) -> Result<Attempt, Failure> {
        let rows = held.store().old_addresses(held.key(), held.row().mailbox).await?;
        if rows.is_empty() {
            return Ok(Attempt::done("no old address of ours is on the account"));
        }
        let what = match self.take_addresses(held, &rows).await {
            Ok(Ok(told)) => return Ok(Attempt::done(told)),
            Ok(Err(why)) => why,
            Err(failure) if failure.error.cause == Cause::Stopped => return Err(failure),
            Err(failure) => failure.to_string(),
        };
        if is_last {
            return Ok(Attempt::failed(true, what));
        }
        // Mail is turned back first.
        Ok(Attempt::done(format!("{what}; they are taken off before the forwarder comes")))
    }

    async fn take_addresses(&self, held: &Held<'_>, rows: &[OldAddressRow]) -> Result<Result<String, String>, Failure> {
        let mut by_account: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut tx = held.write().await?;
        for row in rows {
            match (&row.account, row.state) {
                (Some(account), state) if state.may_be_ours() => {
                    by_account.entry(account).or_default().push(row.address.clone());
                    tx.set_old_address(&row.address, OldAddressState::Going, Some(account), None).await?;
                }
                // What is theirs stays on the account. A next switch looks afresh.
                _ => tx.forget_old_address(&row.address).await?,
            }
        }
        tx.commit().await?;
        if by_account.is_empty() {
            return Ok(Ok("no old address of ours is on the account".to_owned()));
        }
        let Some(platform) = &self.addressing.platform else {
            let what = "old addresses are on the account by us, and the project writes to no directory of the target any more: \
                give it back the one that it had";
            return Ok(Err(what.to_owned()));
        };
        let mut told = Vec::new();
        for (account, addresses) in by_account {
            let kept = match take_off(held, platform, account, &addresses).await? {
                Ok(kept) => kept,
                Err(why) => return Ok(Err(why)),
            };
            let mut tx = held.write().await?;
            for address in &addresses {
                tx.forget_old_address(address).await?;
            }
            tx.commit().await?;
            let gone: Vec<&str> =
                addresses.iter().filter(|address| !kept.contains(address)).map(String::as_str).collect();
            told.push(format!("read back: the account does not have {} any more", gone.join(", ")));
            told.extend(kept.iter().map(|address| format!("{address} stays: it was made the one to write from")));
        }
        Ok(Ok(told.join("; ")))
    }

    /// Why a forwarder to this address would lead mail in a circle: the target knows it as one of its own. Nothing, where no directory can tell.
    pub(super) async fn goes_round(&self, to: &str) -> Result<Option<String>, Failure> {
        let Some(directory) = &self.addressing.directory else { return Ok(None) };
        let holders = directory.holders(&[mail_key(to)]).await.map_err(|error| failed(Side::Target, error))?;
        // A contact leads out of the target.
        let holder = holders.iter().find(|entry| entry.kind != EntryKind::Contact);
        Ok(holder.map(|entry| {
            let whose = entry.place.as_deref().unwrap_or(entry.label());
            format!(
                "{whose} has the address {to}: forwarded there mail would go round inside the target; have it taken off"
            )
        }))
    }

    /// After the switch: what is missing is looked for again, after growing waits.
    pub(super) async fn tend_addresses(&self, held: &Held<'_>) -> Result<(), Failure> {
        let Some(platform) = &self.addressing.platform else { return Ok(()) };
        let rows = held.store().old_addresses(held.key(), held.row().mailbox).await?;
        let is_open = |row: &&OldAddressRow| !matches!(row.state, OldAddressState::Ours | OldAddressState::Theirs);
        let open: Vec<&OldAddressRow> = rows.iter().filter(is_open).collect();
        let now = held.store().now().await?;
        let is_due = |row: &&&OldAddressRow| {
            let wait = Duration::from_secs(self.entry.retry_seconds) * (1 << row.tries.min(WAIT_DOUBLINGS_MAX));
            now >= row.at.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
        };
        if open.is_empty() || open.iter().filter(is_due).count() == 0 {
            return Ok(());
        }
        match self.put_addresses(held, platform).await {
            Ok(Put { again: None, .. }) => Ok(()),
            Ok(Put { again: Some(why), .. }) => self.missing(held, &why).await,
            Err(failure) if failure.error.cause == Cause::Stopped => Err(failure),
            Err(failure) => self.missing(held, &failure.to_string()).await,
        }
    }
}

/// Makes one change of an account.
async fn change(
    held: &Held<'_>,
    platform: &Arc<dyn DirectoryTarget>,
    before: &Entry,
    after: &Entry,
) -> Result<ChangeOutcome, Failure> {
    let change = Change::Update { before: Box::new(before.clone()), after: Box::new(after.clone()) };
    let planned = PlannedChange { id: format!("old addresses of mailbox {}", held.row().mailbox), change };
    let outcomes = platform.apply(&[planned], &*held.door()).await;
    let mut outcomes = outcomes.map_err(|error| failed(Side::Target, error))?;
    outcomes.pop().ok_or_else(|| Failure::internal("a directory told nothing of a change"))
}

/// Takes addresses off an account, and reads that they are. Those that stay since somebody writes from them; or why it could not be done.
async fn take_off(
    held: &Held<'_>,
    platform: &Arc<dyn DirectoryTarget>,
    account: &str,
    addresses: &[String],
) -> Result<Result<Vec<String>, String>, Failure> {
    let mut why = "the account is changed by somebody else again and again".to_owned();
    for _ in 0..TRIES_MAX {
        let found = platform.entries(&[account.to_owned()]).await.map_err(|error| failed(Side::Target, error))?;
        let Some(before) = found.first() else {
            // Whoever is gone has no addresses. One that can't be read as an entry is not gone.
            let holders = platform.holders(addresses).await.map_err(|error| failed(Side::Target, error))?;
            let is_there = holders.iter().any(|entry| entry.key == account);
            let what =
                "the account can't be read as an entry, and has an old address still: correct it in the directory";
            return Ok(if is_there { Err(what.to_owned()) } else { Ok(Vec::new()) });
        };
        let (after, kept) = without_addresses(before, addresses);
        if after == *before {
            return Ok(Ok(kept));
        }
        if let ChangeOutcome::Refused(error) = change(held, platform, before, &after).await? {
            why = format!("an old address can't be taken off: {error}");
            break;
        }
    }
    Ok(Err(why))
}
