//! Switches mailboxes, task by task, under each one's lease.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use connector::{Access, Recipient, Router};
use jiff::tz::TimeZone;
use model::{Cause, Condition, Phase, Scope, Side};
use movement::state::Happened;
use movement::{Failure, Held, Ready, Turnover};
use routing::{Domain, Mx};
use store::{ProjectKey, Store, SwitchRow};
use switch::{Due, Ended, Next, Plan, Rule, Standing, Task, Verdict, Way, due, next};

use super::addresses::{Addressing, RosterAddresses};
use super::directory::{Ends, Recorded, directory, mx};
use super::exchanges::{Exchanges, Seen};
use super::lists::Lists;
use super::live::Accounts;
use super::look::{Inventory, Looks};
use super::subject::Subject;
use super::task::Attempt;
use crate::config::{RoutingEntry, SwitchEntry};
use crate::usecase::governed::Gates;
use crate::when;

/// The first of these addresses whose mail comes to the target, or may, by what is said and what was seen of MX records.
pub(super) fn at_target<'a>(routing: &RoutingEntry, seen: &Seen, own: &'a [String]) -> Option<&'a String> {
    let exchanges = mx(routing, seen);
    let is_there = |place: Mx| place == Mx::Site(Side::Target);
    own.iter().find(|address| {
        let domain = address.rsplit_once('@').map(|(_, domain)| Domain::new(domain));
        let place = domain.and_then(|domain| exchanges.get(&domain));
        place.is_some_and(|place| is_there(place.now) || place.then.is_some_and(is_there))
    })
}

/// The addresses that count when somebody is taken back: those of the source's domains, and those that are on their account by us.
pub(super) fn counted_back(routing: &RoutingEntry, own: Vec<String>, rows: &[store::OldAddressRow]) -> Vec<String> {
    let is_of_source = |address: &String| {
        let domain = address.rsplit_once('@').map(|(_, domain)| domain);
        domain.is_some_and(|domain| routing.source.takes(domain))
    };
    let ours = rows.iter().filter(|row| row.state.may_be_ours()).map(|row| row.address.clone());
    own.into_iter().filter(is_of_source).chain(ours).collect()
}

/// A day, in milliseconds.
pub(super) const DAY_MS: i64 = 86_400_000;
/// An hour.
const HOUR_MS: i64 = 3_600_000;

/// Switches mailboxes of a project.
pub(crate) struct Switcher {
    /// The router of each endpoint that has one.
    pub(crate) routers: BTreeMap<i64, Arc<dyn Router>>,
    /// Those of each endpoint that are only read, by name.
    pub(crate) inventory: Inventory,
    pub(crate) looks: Looks,
    /// Where mail goes; none: nobody is switched.
    pub(crate) routing: Option<RoutingEntry>,
    pub(crate) entry: SwitchEntry,
    pub(crate) zone: TimeZone,
    /// The endpoint of the target.
    pub(crate) target: i64,
    /// Nobody is on the roster whose account somebody has not signed for, or named by hand.
    pub(crate) is_match_signed: bool,
    /// The directory of the target, by its name.
    pub(crate) platform: Option<String>,
    pub(crate) lists: Lists,
    /// Where accounts that this program made are known from.
    pub(crate) accounts: Option<Accounts>,
    /// Where people's old addresses are written.
    pub(crate) addressing: Addressing,
    /// What closes the mailboxes of each endpoint to their people, where there is such a thing.
    pub(crate) accesses: BTreeMap<i64, Arc<dyn Access>>,
    /// Legacy domains, and where their MX records lead.
    pub(crate) exchanges: Exchanges,
    pub(crate) roster: RosterAddresses,
    /// The gates of the project, where it is governed.
    pub(crate) gates: Option<Arc<Gates>>,
}

/// When a mailbox that is in step switches.
struct Planned {
    due: Due,
    /// `auto`, `at` or `by-hand`.
    why: &'static str,
    /// Whose word it is: a person's, or a collection's.
    by: String,
    /// What it waits for, where its collection does not say so.
    waits: Option<String>,
}

/// Something that the database or a router refused, as an engine's failure.
pub(crate) fn failed(side: Side, error: connector::Error) -> Failure {
    Failure { side: Some(side), error }
}

impl Switcher {
    /// The router of a side of a mailbox.
    pub(crate) fn router(&self, of: Subject<'_>, side: Side) -> Option<&Arc<dyn Router>> {
        let roster = &of.row.roster;
        let endpoint = if side == Side::Source { roster.source_endpoint } else { roster.target_endpoint };
        self.routers.get(&endpoint)
    }

    /// The addresses of a mailbox on a side, the primary one first.
    pub(crate) fn addresses(&self, of: Subject<'_>, side: Side) -> Vec<String> {
        let roster = &of.row.roster;
        let Some(routing) = &self.routing else { return Vec::new() };
        let system = if side == Side::Source { &routing.source } else { &routing.target };
        system.addresses(side, &roster.source_name, &roster.target_name)
    }

    /// Whose mail it is on a side, with the addresses of `[routing]`.
    pub(crate) fn own_recipient(&self, of: Subject<'_>, side: Side) -> Result<Recipient, Failure> {
        let account = of.account(side).ok_or_else(|| {
            let what = format!("{}: nothing is known of its account", of.row.roster.source_name);
            failed(side, connector::Error::new(Cause::Login, Scope::Mailbox, what))
        })?;
        Ok(Recipient::at(account.clone(), self.addresses(of, side)))
    }

    /// The same, as routers are told. Where one goes by addresses it is told the further ones, too, that the source's directories give this
    /// mailbox and nobody else: mail to each is to be sent on.
    pub(crate) async fn recipient(&self, of: Subject<'_>, side: Side) -> Result<Recipient, Failure> {
        let mut who = self.own_recipient(of, side)?;
        if side == Side::Source && self.goes_by_address(of) {
            let source = self.routing.as_ref().map(|routing| &routing.source);
            let is_of_source = |address: &String| {
                let domain = address.rsplit_once('@').map(|(_, domain)| domain);
                source.zip(domain).is_some_and(|(source, domain)| source.takes(domain))
            };
            let is_new = |address: &String| !who.addresses.iter().any(|known| known.eq_ignore_ascii_case(address));
            let mut more = self.every_address(of, side).await?;
            more.retain(|address| is_of_source(address) && is_new(address));
            if !more.is_empty() {
                let roster = self.roster.of(of, self.routing.as_ref()).await?;
                more.retain(|address| {
                    roster.get(&model::mail_key(address)).is_none_or(|whose| *whose == of.row.mailbox)
                });
            }
            who.further = more;
        }
        Ok(who)
    }

    /// Does any router of the source go by addresses?
    fn goes_by_address(&self, of: Subject<'_>) -> bool {
        let endpoint = of.row.roster.source_endpoint;
        let read = self.inventory.get(&endpoint).into_iter().flatten().map(|(_, router)| router);
        self.routers.get(&endpoint).into_iter().chain(read).any(|router| router.offers().by_address)
    }

    /// Why nobody may be taken back now: mail for one of the person's old addresses comes to the target, or may, by what is on record of the
    /// MX records; it would refuse it once the address is off the account there.
    pub(super) async fn leads_to_target(&self, of: Subject<'_>) -> Result<Option<String>, Failure> {
        let Some(routing) = &self.routing else { return Ok(None) };
        let seen = self.exchanges.seen(of.store, of.key).await?;
        let rows = of.store.old_addresses(of.key, of.row.mailbox).await?;
        let own = counted_back(routing, self.every_address(of, Side::Source).await?, &rows);
        Ok(at_target(routing, &seen, &own).map(|address| {
            format!("by the MX records, as last looked at, mail for {address} comes to the target, or may: lead them back first")
        }))
    }

    /// What the model of where mail goes needs of the project.
    pub(crate) fn ends(&self) -> Ends {
        let senders = self.routers.iter().map(|(endpoint, router)| (*endpoint, router.offers().sender));
        Ends { target: self.target, senders: senders.collect() }
    }

    /// What would be wrong with where mail goes if this mailbox were at this task: faults of its own addresses, and faults of
    /// others that are not there without it. Nothing: all is well.
    ///
    /// What was begun for anybody is on record before it is looked at here, so of two changes at once at least one sees the other.
    pub(crate) async fn faults(&self, of: Subject<'_>, task: Task) -> Result<Vec<String>, Failure> {
        let Some(entry) = &self.routing else {
            return Ok(vec!["the project has no [routing]: nothing could tell whether mail would go round".to_owned()]);
        };
        let mailbox = of.row.mailbox;
        let mut recorded = self.recorded(of.store, of.key).await?;
        for row in recorded.mailboxes.iter_mut().filter(|row| row.mailbox == mailbox) {
            row.state = of.row.state.clone();
        }
        let ends = self.ends();
        let (before, _) = directory(entry, &recorded, &ends, None);
        let (after, wrong) = directory(entry, &recorded, &ends, Some((mailbox, task)));
        let further = recorded.old_addresses.iter().filter(|row| row.mailbox == mailbox).map(|row| row.address.clone());
        let own: Vec<String> = [Side::Source, Side::Target]
            .into_iter()
            .flat_map(|side| self.addresses(of, side))
            .map(|address| address.to_lowercase())
            .chain(further)
            .collect();
        let checked = tokio::task::spawn_blocking(move || (routing::check(&before), routing::check(&after))).await;
        let (before, after) =
            checked.map_err(|error| Failure::internal(&format!("the routing check ended: {error}")))?;
        let key = |finding: &routing::Finding| (finding.address.as_str().to_owned(), finding.fault);
        let known: HashSet<_> = before.findings.iter().map(key).collect();
        let is_ours = |finding: &&routing::Finding| own.contains(&finding.address.as_str().to_lowercase());
        // What is wrong before a forwarder comes is what it cures; and what is wrong with it goes with it. A redirect that was on before may be
        // on again, whatever else is wrong by now.
        let is_again = of.row.state.phase >= Phase::Switched;
        let counts_own = !is_again && !matches!(task, Task::ForwarderOn | Task::ForwarderOff);
        let is_new = |finding: &&routing::Finding| (counts_own && is_ours(finding)) || !known.contains(&key(finding));
        let wrong = wrong.into_iter().filter(|wrong| wrong.mailboxes.contains(&mailbox)).map(|wrong| wrong.what);
        let told = |finding: &routing::Finding| format!("{}: {finding}", finding.fault.requirement());
        Ok(wrong.chain(after.findings.iter().filter(is_new).map(told)).collect())
    }

    /// What is on record of where a project's mail goes.
    pub(crate) async fn recorded(&self, store: &Store, key: ProjectKey) -> Result<Recorded, store::Error> {
        let known = self.lists.read(store, key, self.platform.as_deref()).await?;
        // Mail of whoever is not on the roster goes where it went, whoever is switched; a contact may lead to somebody who is.
        let others = known.others.iter().filter(|other| other.is_contact()).cloned().collect();
        let (named, exchanges) = (self.addressing.further(store, key).await?, self.exchanges.seen(store, key).await?);
        // What may be pending is read last: what is begun after this is looked at by whoever begins it.
        let mailboxes = store.mailboxes(key).await?;
        let forwarders: HashMap<i64, _> =
            store.forwarders(key).await?.into_iter().map(|row| (row.is.mailbox, row)).collect();
        let found = store.found_forwarders(key).await?;
        let old_addresses = store.every_old_address(key).await?;
        let live = match &self.accounts {
            Some(accounts) => accounts.bare(store, key, self.target, &mailboxes).await?,
            None => Vec::new(),
        };
        let live = live.iter().filter_map(|account| account.mailbox).collect();
        let switches = store.switches(key).await?.into_iter().map(|row| (row.mailbox, row)).collect();
        let awaited = super::scripts::awaited(&mailboxes, &store.asked_changes(key).await?);
        let of_theirs = |row: &store::MailboxRow| {
            let theirs = named.get(&self.addressing.whose(&row.roster)).into_iter().flatten();
            theirs.map(|address| (row.mailbox, address.clone())).collect::<Vec<_>>()
        };
        let further = mailboxes.iter().filter(|row| row.listed).flat_map(of_theirs).collect();
        Ok(Recorded {
            mailboxes,
            switches,
            forwarders,
            found,
            known,
            others,
            old_addresses,
            awaited,
            live,
            further,
            exchanges,
        })
    }

    /// When and by whose word a mailbox that is in step switches.
    async fn planned(&self, of: Subject<'_>) -> Result<Planned, Failure> {
        let (store, key, mailbox) = (of.store, of.key, of.row.mailbox);
        if of.row.roster.target_endpoint != self.target {
            return Ok(Planned { due: Due::ByHand, why: "by-hand", by: String::new(), waits: None });
        }
        let (now, order) = (store.now().await?, store.switch_order(key, mailbox).await?.filter(|order| !order.is_back));
        let last = store.switch_of(key, mailbox).await?;
        // Who was taken back goes over again by a person's word only.
        let taken_back_by = last.as_ref().and_then(|last| last.taken_back_by.clone());
        let plan = store.switch_plan(key, mailbox).await?.filter(|_| taken_back_by.is_none());
        let (plan, collection) = match plan {
            Some((store::SwitchHow::Auto, _, collection)) => (Plan::Auto, collection),
            Some((store::SwitchHow::At, Some(at), collection)) => (Plan::At(at), collection),
            _ => (Plan::ByHand, String::new()),
        };
        let mut is_due = due(order.as_ref().map(|order| order.at), plan, now);
        let mut waits = match (is_due, &taken_back_by) {
            (Due::ByHand, Some(by)) => Some(format!("a person's word to switch again: it was taken back by {by}")),
            _ => None,
        };
        // What was reversed by itself is tried again by itself, after a growing while; at once by a word that was said since.
        if let (Some((at, false)), None) = (last.and_then(|last| last.ended), &taken_back_by)
            && order.as_ref().is_none_or(|order| order.said_at < at)
            && is_due == Due::Now
        {
            let again = at.saturating_add(self.entry.reverse_wait_ms(store.reversed_switches(key, mailbox).await?));
            if now < again {
                let shown = when::shown(again, &self.zone);
                waits = Some(format!("its switch, which was reversed and is tried again from {shown} on"));
                is_due = Due::NotBefore(again);
            }
        }
        let (why, by) = match (order, plan) {
            (Some(order), _) => ("by-hand", order.said_by),
            (None, Plan::At(_)) => ("at", collection),
            (None, _) => ("auto", collection),
        };
        Ok(Planned { due: is_due, why, by, waits })
    }

    /// Since when a mailbox is due by a date, its own or its collection's.
    async fn due_since(&self, of: Subject<'_>) -> Result<Option<i64>, Failure> {
        let order = of.store.switch_order(of.key, of.row.mailbox).await?.filter(|order| !order.is_back);
        if let Some(order) = order {
            return Ok(Some(order.at.max(order.said_at)));
        }
        // Who was taken back waits for a word, whatever their collection's date was.
        if of.store.switch_of(of.key, of.row.mailbox).await?.is_some_and(|last| last.taken_back_by.is_some()) {
            return Ok(None);
        }
        Ok(match of.store.switch_plan(of.key, of.row.mailbox).await? {
            Some((store::SwitchHow::At, at, _)) => at,
            _ => None,
        })
    }

    async fn begin_if_due(&self, held: &mut Held<'_>) -> Result<Option<Duration>, Failure> {
        let Planned { due, why, by, waits } = self.planned(Subject::of(held)).await?;
        if due != Due::Now {
            if let Some(waits) = waits {
                held.set(in_condition(held, Condition::Waiting(waits)));
            }
            return Ok(None);
        }
        let verdicts = match self.verdicts(Subject::of(held)).await {
            Ok(verdicts) => verdicts,
            // A router that can't be asked is no reason why the mailbox would not be in step.
            Err(failure) => {
                held.set(in_condition(held, Condition::Waiting(format!("its switch: {failure}"))));
                return Ok(None);
            }
        };
        let unmet: Vec<&Verdict> = verdicts.iter().filter(|verdict| !verdict.is_met).collect();
        if let Some(first) = unmet.first() {
            let more = if unmet.len() > 1 { format!(" (and {} more)", unmet.len() - 1) } else { String::new() };
            let what = format!("its switch: {}{more}: {}", first.rule.name(), first.evidence);
            held.set(in_condition(held, Condition::Waiting(what)));
            return Ok(None);
        }
        // What the target takes from now on would come back to whoever wrote it where there is no room, and where it goes today there may be.
        if verdicts.iter().any(|verdict| verdict.rule == Rule::QuotaRoom)
            && let Some(why) = held.no_room().await.unwrap_or_else(|failure| Some(failure.to_string()))
        {
            let what = format!("its switch: {}: {why}", Rule::QuotaRoom.name());
            held.set(in_condition(held, Condition::Waiting(what)));
            return Ok(None);
        }
        let mut evidence: Vec<String> =
            verdicts.iter().map(|verdict| format!("{}: {}", verdict.rule.name(), verdict.evidence)).collect();
        let unasked = self.entry.unasked();
        if !unasked.is_empty() {
            evidence.push(format!("not asked for, by [switch] require: {}", unasked.join(", ")));
        }
        let state = held.after(&Happened::SwitchBegun);
        let mut tx = held.write().await?;
        let first = Way::Over.tasks()[0];
        let number = tx.begin_switch(first.name(), why, &by).await?;
        tx.note_task(number, &evidence.join("\n")).await?;
        tx.set_state(&state).await?;
        tx.commit().await?;
        held.set(state);
        tracing::info!(mailbox = held.row().mailbox, why, "the switch begins");
        self.go_on(held).await
    }

    /// Begins the way back of a switch that has ended on the target.
    async fn begin_back(&self, held: &mut Held<'_>, switch: &SwitchRow, by: &str) -> Result<Option<Duration>, Failure> {
        // Until then it is as switched as it was.
        if let Some(why) = self.leads_to_target(Subject::of(held)).await? {
            let again = self.settle(held, switch).await?;
            held.set(in_condition(held, Condition::Waiting(format!("its way back: {why}"))));
            return Ok(again);
        }
        let state = held.after(&Happened::UndoBegun);
        let mut tx = held.write().await?;
        // It may have been withdrawn since it was read.
        if !tx.is_to_go_back().await? {
            return Ok(Some(Duration::ZERO));
        }
        tx.go_to_task(switch.switch, Way::Back.tasks()[0].name(), "turned-back", &format!("taken back by {by}"))
            .await?;
        tx.take_back(switch.switch, by).await?;
        tx.set_state(&state).await?;
        tx.commit().await?;
        held.set(state);
        tracing::info!(mailbox = held.row().mailbox, "the switch is taken back");
        self.go_on(held).await
    }

    /// Does task after task, until one has to wait or the end is reached.
    async fn go_on(&self, held: &mut Held<'_>) -> Result<Option<Duration>, Failure> {
        let (key, mailbox) = (held.key(), held.row().mailbox);
        loop {
            let Some(row) = held.store().switch_of(key, mailbox).await?.filter(|row| row.ended.is_none()) else {
                return Err(Failure::internal("a mailbox is being switched, and no switch of it is on record"));
            };
            let task = Task::from_name(&row.task)
                .ok_or_else(|| Failure::internal(&format!("a switch is at {:?}, which is no task", row.task)))?;
            if self.turns_back(held, &row, task).await? {
                continue;
            }
            if held.is_stopped() {
                return Ok(Some(Duration::ZERO));
            }
            let attempt = Box::pin(self.attempt(task, held, &row)).await;
            // While a person is awaited nothing has failed.
            let since = row.awaited_at.unwrap_or(row.since).max(row.since);
            let standing = Standing { task, since, tries: row.tries };
            let now = held.store().now().await?;
            match next(&standing, attempt.ended, now, &self.entry.limits()) {
                Next::Again(wait) => {
                    let has_failed = matches!(attempt.ended, Ended::Failed { .. });
                    let waits = format!("its switch, at {}: {}", task.name(), attempt.evidence);
                    let state = in_condition(held, Condition::Waiting(waits));
                    let mut tx = held.write().await?;
                    tx.task_waits(row.switch, &attempt.evidence, has_failed, attempt.quiet_since).await?;
                    if attempt.is_awaited {
                        tx.task_is_awaited(row.switch).await?;
                    }
                    tx.set_state(&state).await?;
                    tx.commit().await?;
                    held.set(state);
                    return Ok(Some(wait));
                }
                Next::Task(then) => {
                    let ended = if attempt.ended == Ended::Done { "done" } else { "turned-back" };
                    let mut tx = held.write().await?;
                    attempt.record(task, &mut tx).await?;
                    tx.go_to_task(row.switch, then.name(), ended, &attempt.evidence).await?;
                    tx.commit().await?;
                }
                Next::End(way) => {
                    let happened = if way == Way::Over { Happened::Switched } else { Happened::SwitchReversed };
                    let state = held.after(&happened);
                    let mut tx = held.write().await?;
                    attempt.record(task, &mut tx).await?;
                    tx.end_switch(row.switch, way == Way::Over, &attempt.evidence).await?;
                    if way == Way::Back {
                        // What their people set up meanwhile is looked for before anything else.
                        tx.look_again(Side::Source).await?;
                    }
                    tx.set_state(&state).await?;
                    tx.commit().await?;
                    held.set(state);
                    tracing::info!(mailbox, way = way.name(), "the switch ends");
                    return Ok((way == Way::Back).then_some(Duration::ZERO));
                }
            }
        }
    }

    /// Turns a switch that is under way back where somebody said so.
    async fn turns_back(&self, held: &Held<'_>, row: &SwitchRow, task: Task) -> Result<bool, Failure> {
        let order = held.store().switch_order(held.key(), held.row().mailbox).await?;
        let Some(order) = order.filter(|order| order.is_back && task.way() == Way::Over) else { return Ok(false) };
        if let Some(why) = self.leads_to_target(Subject::of(held)).await?.filter(|_| task.is_past_return()) {
            tracing::warn!(mailbox = held.row().mailbox, why, "its switch is not turned back");
            return Ok(false);
        }
        let to = task.reversed_from().unwrap_or(Way::Back.tasks()[0]);
        let mut tx = held.write().await?;
        tx.go_to_task(row.switch, to.name(), "turned-back", &format!("taken back by {}", order.said_by)).await?;
        tx.take_back(row.switch, &order.said_by).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// A switched mailbox is followed until it has settled.
    async fn settle(&self, held: &mut Held<'_>, switch: &SwitchRow) -> Result<Option<Duration>, Failure> {
        let days = i64::try_from(self.entry.settle_days).unwrap_or(i64::MAX / DAY_MS);
        let over = switch.ended.map_or(i64::MAX, |(at, _)| at.saturating_add(days.saturating_mul(DAY_MS)));
        if held.row().state.phase == Phase::Switched && switch.now >= over {
            let state = held.after(&Happened::Settled);
            let mut tx = held.write().await?;
            tx.set_state(&state).await?;
            tx.commit().await?;
            held.set(state);
        }
        self.tend_addresses(held).await?;
        self.tend_access(held, switch).await?;
        // What can't be asked now is asked with the next turn.
        if let Err(failure) = self.look_at_switched(Subject::of(held)).await {
            tracing::warn!(mailbox = held.row().mailbox, %failure, "whether the target sends its mail on could not be looked at");
        }
        if let Err(failure) = self.look_at_redirect(held).await {
            tracing::warn!(mailbox = held.row().mailbox, %failure, "whether the source sends its mail on could not be looked at");
        }
        Ok(None)
    }
}

/// The mailbox, standing where it does, in this condition.
fn in_condition(held: &Held<'_>, condition: Condition) -> store::MailboxState {
    store::MailboxState { condition, ..held.row().state.clone() }
}

#[async_trait]
impl Turnover for Switcher {
    async fn prepare(&self, held: &mut Held<'_>) -> Result<Ready, Failure> {
        if held.row().state.phase < Phase::Switching {
            // By what lies on the target: a turn that was cut has left its phase behind.
            let is_untouched = held.row().state.phase <= Phase::Copying && held.is_untouched().await?;
            // What goes to the archive lies nowhere twice, wherever it is sent besides.
            let is_to_target = held.row().roster.target_endpoint == self.target;
            if is_to_target
                && let Err(mut failure) = Box::pin(self.refuse_forwarded(Subject::of(held), is_untouched)).await
            {
                let told = match Box::pin(self.break_circle(held)).await {
                    Ok(told) => told,
                    Err(circle) => {
                        Some(format!("whether its forwarder leads in a circle with that is not known: {circle}"))
                    }
                };
                if let Some(told) = told {
                    failure.error.what = format!("{}; {told}", failure.error.what);
                }
                return Ok(Ready::Not(failure));
            }
            match Box::pin(self.forward(held)).await {
                // Its forwarder comes once a person has done what is awaited of them.
                Err(failure) if failure.error.cause == Cause::Awaiting => {}
                forwarded => {
                    if let Some(why) = forwarded? {
                        tracing::warn!(mailbox = held.row().mailbox, why, "its forwarder is not on");
                    }
                }
            }
            return Ok(Ready::Passes);
        }
        if let Err(failure) = Box::pin(self.open_if_shut_out(held)).await {
            tracing::warn!(mailbox = held.row().mailbox, %failure, "the mailbox at the source could not be opened again");
        }
        // Who is to be taken back waits for no pass: the target may be what is broken.
        let order = held.store().switch_order(held.key(), held.row().mailbox).await?;
        if order.is_none_or(|order| !order.is_back) {
            return Ok(Ready::Passes);
        }
        // Nor is what still comes to the source left there while the way back can't begin.
        let waits =
            held.row().state.phase >= Phase::Switched && self.leads_to_target(Subject::of(held)).await?.is_some();
        Ok(if waits { Ready::Passes } else { Ready::Urgent })
    }

    async fn gives_up(&self, held: &Held<'_>) -> Result<Option<String>, Failure> {
        let Some(since) = self.due_since(Subject::of(held)).await? else { return Ok(None) };
        let hours = i64::try_from(self.entry.give_up_after_hours).unwrap_or(i64::MAX / HOUR_MS);
        let is_over = held.store().now().await? >= since.saturating_add(hours.saturating_mul(HOUR_MS));
        Ok(is_over
            .then(|| format!("it was due to switch on {}, and is not in step yet", when::shown(since, &self.zone))))
    }

    async fn tend(&self, held: &mut Held<'_>) -> Result<Option<Duration>, Failure> {
        let (key, mailbox) = (held.key(), held.row().mailbox);
        match held.row().state.phase {
            Phase::InStep => self.begin_if_due(held).await,
            Phase::Switching => self.go_on(held).await,
            Phase::Switched | Phase::Settled => {
                let Some(switch) = held.store().switch_of(key, mailbox).await? else { return Ok(None) };
                let order = held.store().switch_order(key, mailbox).await?.filter(|order| order.is_back);
                match order {
                    Some(order) => self.begin_back(held, &switch, &order.said_by).await,
                    None => self.settle(held, &switch).await,
                }
            }
            Phase::Planned | Phase::Copying => Ok(None),
        }
    }
}

/// What a try of a task came to, for the record.
impl Attempt {
    async fn record(&self, task: Task, tx: &mut store::LedgerTx<'_>) -> Result<(), Failure> {
        if self.ended != Ended::Done {
            return Ok(());
        }
        match task {
            Task::ForwarderOff => tx.set_forwarder(false).await?,
            Task::ForwarderOn | Task::Thaw if self.has_forwarder => tx.set_forwarder(true).await?,
            Task::ForwarderOn | Task::Thaw if self.forwarder_waits => tx.forwarder_waits().await?,
            Task::MarkOn => tx.set_client_mark(true).await?,
            Task::MarkOff => {
                tx.set_client_mark(false).await?;
                tx.set_opened().await?;
            }
            _ => {}
        }
        Ok(())
    }
}
