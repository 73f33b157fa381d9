//! What people say of switches: now, at a date, back; and how each stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::{Phase, Side};
use movement::{Engine, Progress};
use mx::clocks::Clock;
use routing::Domain;
use serde::Serialize;
use serde_json::json;
use store::{MailboxCounts, MailboxRow, SwitchOrder, SwitchRow};
use switch::{Rule, Task, Verdict, Way};
use tokio::sync::watch;

use super::closing;
use super::driver::{Switcher, at_target, counted_back};
use super::exchanges::Exchanges;
use super::subject::Subject;
use crate::config::MxSettings;
use crate::engine::Making;
use crate::secret::Environment;
use crate::usecase::words::Said;
use crate::{Error, Exit, Project, Selection, when};

/// How soon a mailbox is looked at again of which nothing else is known.
const AGAIN: Duration = Duration::from_secs(1);

/// How switches stand.
#[derive(Clone, Debug, Serialize)]
pub struct SwitchReport {
    /// What was asked for.
    pub done: &'static str,
    /// Each mailbox.
    pub mailboxes: Vec<SwitchLine>,
    /// Stopped by a person.
    pub stopped: bool,
}

/// How the switch of a mailbox stands. Times are seconds since 1970.
#[derive(Clone, Debug, Serialize)]
pub struct SwitchLine {
    /// Its name at the source.
    pub source: String,
    /// Its name at the target.
    pub target: String,
    /// How far it is.
    pub phase: Phase,
    /// The task that its switch is at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// That, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_text: Option<String>,
    /// What it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    /// When its last switch ended, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// On which side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_on: Option<&'static str>,
    /// What was said of it: to switch, or to go back, and from when on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordered: Option<String>,
    /// What was done and seen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<SwitchTaskLine>,
    /// How many items the ledger holds of it, how many of them could not be copied, and which issues about it are open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<MailboxCounts>,
    /// The person's old addresses, as they stand on their account at the target since the switch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub old_addresses: Vec<OldAddressLine>,
    /// Whether the mailbox at the source is closed to its person, since when and for what; of those who are switched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_source: Option<String>,
    /// The last day on which the source forwards their mail and answers by itself; of those who are switched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwards_until: Option<String>,
}

/// An old address on its person's account.
#[derive(Clone, Debug, Serialize)]
pub struct OldAddressLine {
    /// The address.
    pub address: String,
    /// `ours`, `theirs` (there, and not by us), `missing`; `coming`, `going`: not read back yet.
    pub state: &'static str,
    /// Why it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A task of a switch.
#[derive(Clone, Debug, Serialize)]
pub struct SwitchTaskLine {
    /// Which.
    pub task: String,
    /// When it was begun, for people.
    pub begun: String,
    /// How it ended: `done`, `turned-back`; none: it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// How many seconds it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    /// What was seen.
    pub evidence: String,
}

/// Which rules a mailbox meets.
#[derive(Clone, Debug, Serialize)]
pub struct RulesOfMailbox {
    /// Its name at the source.
    pub source: String,
    /// How far it is.
    pub phase: Phase,
    /// Each rule that was looked at.
    pub rules: Vec<Verdict>,
    /// May it be switched?
    pub may_switch: bool,
}

/// Which rules mailboxes meet.
#[derive(Clone, Debug, Serialize)]
pub struct SwitchRules {
    /// Each mailbox.
    pub mailboxes: Vec<RulesOfMailbox>,
}

impl SwitchRules {
    /// The exit code: refused, where one may not be switched.
    pub fn exit(&self) -> Exit {
        if self.mailboxes.iter().all(|mailbox| mailbox.may_switch) { Exit::Done } else { Exit::Refused }
    }
}

impl SwitchReport {
    /// The exit code of an order that was carried out: `is_back`, to the source.
    pub fn exit(&self, is_back: bool) -> Exit {
        let is_there = |line: &SwitchLine| {
            if is_back { line.phase < Phase::Switching } else { line.phase >= Phase::Switched }
        };
        if self.mailboxes.iter().all(is_there) {
            Exit::Done
        } else if self.stopped {
            Exit::Stopped
        } else if !is_back && self.mailboxes.iter().all(|line| line.phase < Phase::Switching) {
            Exit::Refused
        } else {
            Exit::WithFailures
        }
    }
}

impl Project {
    pub(super) fn switcher(&self, environment: Environment<'_>) -> Result<Switcher, Error> {
        let making = Making {
            config: &self.config,
            endpoints: &self.endpoints,
            store: &self.store,
            key: self.key,
            unique: "",
            environment,
        };
        making.switcher()?.ok_or_else(|| {
            Error::usage(format!("{} has no [routers]: nobody's mail can be sent elsewhere", crate::config::FILE))
                .advise("name what sends mail on at the source, and at the target: docs/routing.md shows how")
        })
    }

    /// Switches mailboxes now, or takes them back, and waits until that is done or has to wait for something.
    pub async fn switch_now(
        &self,
        selection: &Selection,
        is_back: bool,
        said: &Said,
        environment: Environment<'_>,
        stop: watch::Receiver<bool>,
    ) -> Result<SwitchReport, Error> {
        self.may_migrate()?;
        // Whoever has to go back waits for no pause of all.
        if !is_back {
            self.refuse_paused().await?;
        }
        self.switcher(environment)?;
        refuse_everybody(selection)?;
        let rows = self.select(selection).await?;
        self.refuse_order(&rows, is_back).await?;
        let mut earlier = self.store.switch_orders(self.key).await?;
        earlier.retain(|order| !order.is_back);
        let now = self.store.now().await?;
        let mailboxes: Vec<i64> = rows.iter().map(|row| row.mailbox).collect();
        let engine = self.engine(environment, Arc::new(Progress::default()), stop.clone(), false)?;
        let ordered = self.order(&rows, is_back, now, said).await;
        let done = match &ordered {
            Ok(()) => self.turn_over(&engine, &mailboxes, &stop).await,
            Err(_) => Ok(()),
        };
        if !is_back {
            self.withdraw_refused(&mailboxes, (now, said), &earlier).await?;
        }
        ordered?;
        done?;
        let done = if is_back { "taken back" } else { "switched" };
        let report = self.switch_lines(&mailboxes, done, false).await?;
        Ok(SwitchReport { stopped: *stop.borrow(), ..report })
    }

    /// Goes on with whoever is being switched or taken back, each when it is time; who waits for anything else waits by itself.
    async fn turn_over(&self, engine: &Engine, mailboxes: &[i64], stop: &watch::Receiver<bool>) -> Result<(), Error> {
        let mut due: BTreeMap<i64, Instant> = mailboxes.iter().map(|mailbox| (*mailbox, Instant::now())).collect();
        while let Some(next) = due.values().min().copied()
            && !*stop.borrow()
        {
            let mut stopped = stop.clone();
            tokio::select! {
                () = tokio::time::sleep_until(next.into()) => {}
                _ = stopped.wait_for(|stop| *stop) => continue,
            }
            let now = Instant::now();
            let ready: Vec<i64> = due.iter().filter(|(_, at)| **at <= now).map(|(mailbox, _)| *mailbox).collect();
            let end = engine.run(&ready).await;
            if let Some(failure) = end.failure {
                return Err(failure.into());
            }
            for mailbox in ready {
                // What a person is to do is not waited for: it may take a day.
                if self.store.switch_of(self.key, mailbox).await?.is_some_and(|switch| switch.awaits) {
                    due.remove(&mailbox);
                    continue;
                }
                let outcome = end.outcomes.iter().find(|outcome| outcome.mailbox == mailbox);
                match outcome.filter(|outcome| outcome.state.phase == Phase::Switching) {
                    Some(outcome) => drop(due.insert(mailbox, Instant::now() + outcome.due.unwrap_or(AGAIN))),
                    // A service may have it: it goes on there.
                    None if end.held_elsewhere.contains(&mailbox) => drop(due.insert(mailbox, Instant::now() + AGAIN)),
                    None => drop(due.remove(&mailbox)),
                }
            }
        }
        Ok(())
    }

    /// Who could not be switched now is not switched later without a word, and at the date that was said before, if one was.
    async fn withdraw_refused(
        &self,
        mailboxes: &[i64],
        (at, said): (i64, &Said),
        earlier: &[SwitchOrder],
    ) -> Result<(), Error> {
        let said_by = said.by.clone().unwrap_or_else(|| self.actor.name.clone());
        for row in self.store.mailboxes(self.key).await? {
            if !mailboxes.contains(&row.mailbox) || row.state.phase >= Phase::Switching {
                continue;
            }
            let before = earlier.iter().find(|order| order.mailbox == row.mailbox);
            // What others have said meanwhile holds, and so does that it was taken back.
            self.store.unsay_order(self.key, (row.mailbox, at, &said_by), before).await?;
        }
        Ok(())
    }

    /// Takes back that people are to be taken back to the source, where that has not begun: who waits for it stays on the target.
    pub async fn withdraw_undo(&self, selection: &Selection) -> Result<SwitchReport, Error> {
        self.may_migrate()?;
        refuse_everybody(selection)?;
        let rows = self.select(selection).await?;
        let mailboxes: Vec<i64> = rows.iter().map(|row| row.mailbox).collect();
        let (mut stays, mut begun) = (Vec::new(), Vec::new());
        for row in &rows {
            let is_withdrawn = self.store.withdraw_back(self.key, row.mailbox).await?;
            if is_withdrawn { &mut stays } else { &mut begun }.push(row.roster.source_name.as_str());
        }
        let detail = json!({ "mailboxes": stays });
        self.store.audit(self.key, &self.actor, "switch.back-withdrawn", &detail).await?;
        if !begun.is_empty() {
            let what = format!("nobody has asked for it, or the way back has begun: {}", begun.join(", "));
            return Err(Error::refused("R-184", what).advise("whimbrel switch list tells where each is"));
        }
        self.switch_lines(&mailboxes, "stays on the target", false).await
    }

    /// Says from when on mailboxes switch as soon as they are in step; or takes that back.
    pub async fn schedule_switch(&self, selection: &Selection, at: &str, said: &Said) -> Result<SwitchReport, Error> {
        self.may_migrate()?;
        refuse_everybody(selection)?;
        let rows = self.select(selection).await?;
        let mailboxes: Vec<i64> = rows.iter().map(|row| row.mailbox).collect();
        if at.trim().eq_ignore_ascii_case("none") {
            self.store.audit(self.key, &self.actor, "switch.withdrawn", &json!({ "mailboxes": mailboxes })).await?;
            for mailbox in &mailboxes {
                self.store.withdraw_order(self.key, *mailbox).await?;
            }
            return self.switch_lines(&mailboxes, "as its collection says", false).await;
        }
        let at = when::read(at, &self.config.time_zone(), Timestamp::now())?;
        self.refuse_order(&rows, false).await?;
        self.order(&rows, false, at, said).await?;
        self.switch_lines(&mailboxes, "scheduled", false).await
    }

    /// Every switch, or those of the mailboxes chosen, with what was done and seen.
    pub async fn switches(&self, selection: &Selection, in_full: bool) -> Result<SwitchReport, Error> {
        let mailboxes: Vec<i64> = self.select(selection).await?.iter().map(|row| row.mailbox).collect();
        self.switch_lines(&mailboxes, "listed", in_full).await
    }

    /// Which rules the mailboxes chosen meet. Asks servers; changes nothing.
    pub async fn switch_rules(
        &self,
        selection: &Selection,
        environment: Environment<'_>,
    ) -> Result<SwitchRules, Error> {
        let switcher = self.switcher(environment)?;
        let mut report = SwitchRules { mailboxes: Vec::new() };
        for row in self.select(selection).await? {
            let person = self.rows.get(&row.mailbox).map(|place| self.person(*place, environment));
            let subject = Subject { store: &self.store, key: self.key, row: &row, person: person.as_ref() };
            let mut rules = Vec::new();
            if row.state.phase < Phase::InStep {
                let what = format!("its mailbox is {}: it is not in step yet", row.state.phase.name());
                rules.push(Verdict { rule: Rule::InStep, is_met: false, evidence: what });
            } else {
                rules = switcher.verdicts(subject).await?;
            }
            let may_switch = rules.iter().all(|verdict| verdict.is_met) && row.state.phase == Phase::InStep;
            let (source, phase) = (row.roster.source_name.clone(), row.state.phase);
            report.mailboxes.push(RulesOfMailbox { source, phase, rules, may_switch });
        }
        Ok(report)
    }

    async fn refuse_order(&self, rows: &[MailboxRow], is_back: bool) -> Result<(), Error> {
        if !is_back && self.config.file.routing.as_deref().is_some_and(|routing| !routing.source_to_target) {
            let what = "mail may not be forwarded from source to target, as the redirect of a switch does: the profile or the project forbids it";
            return Err(
                Error::refused("R-086", what).advise("see routing.source_to_target, and the profile's [switch]")
            );
        }
        if is_back {
            self.refuse_after_mx(rows).await?;
            self.refuse_held(rows).await?;
        } else {
            let orders = self.store.switch_orders(self.key).await?;
            let back = orders.iter().filter(|order| order.is_back);
            let back: BTreeSet<i64> = back.map(|order| order.mailbox).collect();
            let is_turned = |row: &&MailboxRow| back.contains(&row.mailbox) && row.state.phase >= Phase::Switching;
            if let Some(row) = rows.iter().find(is_turned) {
                let what = format!("{} is to be taken back to the source first", row.roster.source_name);
                return Err(Error::refused("R-184", what).advise("wait until it is there"));
            }
        }
        for row in rows {
            let open = self.store.switch_of(self.key, row.mailbox).await?.filter(|switch| switch.ended.is_none());
            let goes_back =
                open.and_then(|switch| Task::from_name(&switch.task)).is_some_and(|task| task.way() == Way::Back);
            if !is_back && goes_back {
                let what = format!("{} is on its way back to the source", row.roster.source_name);
                return Err(Error::refused("R-184", what).advise("wait until it is there"));
            }
            let name = &row.roster.source_name;
            if self.is_archived(row) {
                return Err(Error::refused("R-043", format!("{name} goes to the archive: nobody is switched to it")));
            }
            if let Some(withheld) = self.withheld(row).filter(|_| !is_back && row.state.phase < Phase::Switching) {
                let what = format!("{name} may not be copied yet, and so not be switched: {}", withheld.why);
                return Err(Error::refused("R-054", what).advise("cure that first"));
            }
            if is_back && row.state.phase < Phase::Switching {
                let what = format!("{name} is {}: there is nothing to take back", row.state.phase.name());
                return Err(Error::refused("R-184", what).advise("leave it out"));
            }
            if !is_back && row.state.phase >= Phase::Switched {
                let what = format!("{name} is switched already");
                return Err(Error::refused("R-180", what).advise("leave it out"));
            }
        }
        Ok(())
    }

    /// Nobody is taken back once mail for their old address may come to the target, which would refuse it: the address goes off the account
    /// there with the undo. The DNS is asked for it now.
    async fn refuse_after_mx(&self, rows: &[MailboxRow]) -> Result<(), Error> {
        let Some(routing) = &self.config.file.routing else { return Ok(()) };
        let wanted = self.config.file.mx.as_deref().map(MxSettings::wanted).transpose()?.unwrap_or_default();
        let unasked = self.look_at_exchanges(&wanted).await?;
        let names: BTreeSet<Domain> =
            wanted.iter().map(|wanted| Domain::new(wanted.domain.to_string().trim_end_matches('.'))).collect();
        let seen = Exchanges::of(wanted).seen(&self.store, self.key).await?;
        let addressing = &self.addressing;
        let further = addressing.further(&self.store, self.key).await?;
        for row in rows {
            let name = &row.roster.source_name;
            let mut own = routing.source.addresses(Side::Source, name, &row.roster.target_name);
            own.extend(further.get(&addressing.whose(&row.roster)).into_iter().flatten().cloned());
            let rows = self.store.old_addresses(self.key, row.mailbox).await?;
            let own = counted_back(routing, own, &rows);
            if let Some(address) = at_target(routing, &seen, &own) {
                let what = format!(
                    "{name} can't be taken back: by the MX records, as last looked at, mail for {address} comes to the target, or may"
                );
                let advice =
                    "lead the MX records back to the source first; whimbrel mx check tells when that is so everywhere";
                return Err(Error::refused("R-184", what).advise(advice));
            }
            let domain = |address: &String| address.rsplit_once('@').map(|(_, domain)| Domain::new(domain));
            let is_unknown =
                |domain: &Domain| names.contains(domain) && (unasked.contains(domain) || !seen.contains_key(domain));
            if let Some(domain) = own.iter().filter_map(domain).find(is_unknown) {
                let what = format!(
                    "{name} can't be taken back: it is not known where the MX records of {} lead mail now",
                    domain.as_str()
                );
                let advice = "whimbrel mx check tells why: a server that does not answer, or a host that is neither under mx nor under local_hosts";
                return Err(Error::refused("R-184", what).advise(advice));
            }
        }
        Ok(())
    }

    /// A pause of an endpoint or of a mailbox holds whoever is to be taken back, too: nothing is done there.
    async fn refuse_held(&self, rows: &[MailboxRow]) -> Result<(), Error> {
        for pause in self.store.pauses(self.key).await? {
            let is_of = |row: &&MailboxRow| match pause.scope.split_once('/') {
                Some(("mailbox", number)) => number.parse() == Ok(row.mailbox),
                Some(("endpoint", name)) => [row.roster.source_endpoint, row.roster.target_endpoint]
                    .iter()
                    .any(|number| self.endpoint_name(*number) == name),
                _ => false,
            };
            if let Some(row) = rows.iter().find(is_of) {
                let (name, scope) = (&row.roster.source_name, pause.scope.replace('/', " "));
                let what =
                    format!("{name} can't be taken back: {scope} is paused by {}: {}", pause.said_by, pause.reason);
                return Err(Error::refused("R-156", what).advise("whimbrel resume lets it go on"));
            }
        }
        Ok(())
    }

    async fn order(&self, rows: &[MailboxRow], is_back: bool, at: i64, said: &Said) -> Result<(), Error> {
        let said_by = said.by.clone().unwrap_or_else(|| self.actor.name.clone());
        let reason = said.reason.clone().unwrap_or_default();
        if is_back && reason.trim().is_empty() {
            return Err(Error::refused("R-184", "somebody is taken back for a reason").advise("give --reason TEXT"));
        }
        let names: Vec<&String> = rows.iter().map(|row| &row.roster.source_name).collect();
        let action = if is_back { "switch.back" } else { "switch.ordered" };
        let detail = json!({ "mailboxes": names, "at": at, "by": said_by, "reason": reason });
        self.store.audit(self.key, &self.actor, action, &detail).await?;
        for row in rows {
            let (mailbox, said_by, reason) = (row.mailbox, said_by.clone(), reason.clone());
            let order = SwitchOrder { mailbox, is_back, at, reason, said_by, said_at: 0 };
            if !self.store.order_switch(self.key, &order).await? {
                let name = &row.roster.source_name;
                let what = if is_back { "it is back already" } else { "it is to be taken back to the source first" };
                let said: Vec<&str> =
                    names.iter().take_while(|known| *known != &name).map(|name| name.as_str()).collect();
                let said = if said.is_empty() {
                    String::new()
                } else {
                    format!("; it was said of {} before that, and holds", said.join(", "))
                };
                return Err(
                    Error::refused("R-184", format!("{name}: {what}{said}")).advise("whimbrel switch list tells")
                );
            }
        }
        Ok(())
    }

    /// How long the source forwards the mail of somebody whose last switch ended on the target.
    pub(crate) fn forwarding_clock(&self, switch: &SwitchRow) -> Option<Clock> {
        let (at, _) = switch.ended.filter(|(_, on_target)| *on_target)?;
        let day = Timestamp::from_millisecond(at).ok()?.to_zoned(self.config.time_zone()).date();
        self.config.file.switch.forwarding(Some(day))
    }

    async fn switch_lines(&self, mailboxes: &[i64], done: &'static str, in_full: bool) -> Result<SwitchReport, Error> {
        let zone = self.config.time_zone();
        let switches: BTreeMap<i64, SwitchRow> =
            self.store.switches(self.key).await?.into_iter().map(|row| (row.mailbox, row)).collect();
        let orders: BTreeMap<i64, SwitchOrder> =
            self.store.switch_orders(self.key).await?.into_iter().map(|order| (order.mailbox, order)).collect();
        let closings = self.store.closings(self.key).await?;
        let closing =
            self.config.routers.values().filter(|entry| entry.exchange().is_some_and(|site| site.closing.is_some()));
        let endpoints = self.config.accesses.values().map(|entry| &entry.endpoint);
        let endpoints: Vec<&String> = endpoints.chain(closing.map(|entry| &entry.endpoint)).collect();
        let named = self.endpoints.iter().filter(|(_, (name, _))| endpoints.contains(&name));
        let accesses: Vec<i64> = named.map(|(number, _)| *number).collect();
        let now = Timestamp::now();
        let mut lines = Vec::new();
        for row in self.store.mailboxes(self.key).await? {
            if !mailboxes.contains(&row.mailbox) {
                continue;
            }
            let switch = switches.get(&row.mailbox);
            let open = switch.filter(|switch| switch.ended.is_none());
            let ended = switch.and_then(|switch| switch.ended);
            let mut tasks = Vec::new();
            if let Some(switch) = switch.filter(|_| in_full) {
                for task in self.store.switch_tasks(self.key, row.mailbox, switch.switch).await? {
                    tasks.push(SwitchTaskLine {
                        task: task.task,
                        begun: when::shown(task.begun_at, &zone),
                        seconds: task.ended.as_ref().map(|(at, _)| (at - task.begun_at) / 1000),
                        ended: task.ended.map(|(_, ended)| ended),
                        evidence: task.evidence,
                    });
                }
            }
            let mut old_addresses = Vec::new();
            if in_full {
                for one in self.store.old_addresses(self.key, row.mailbox).await? {
                    let (address, state, why) = (one.address, one.state.name(), one.why);
                    old_addresses.push(OldAddressLine { address, state, why });
                }
            }
            let closing = closings.iter().find(|one| one.mailbox == row.mailbox);
            let has_access = accesses.contains(&row.roster.source_endpoint);
            let is_told = row.state.phase >= Phase::Switched || closing.is_some();
            let entry = &*self.config.file.switch;
            let at_source =
                switch.filter(|_| is_told).map(|switch| closing::told(closing, has_access, (entry, switch), &zone));
            let ordered = orders.get(&row.mailbox).map(|order| {
                let what = if order.is_back { "back" } else { "over" };
                format!("{what}, from {} on, said by {}", when::shown(order.at, &zone), order.said_by)
            });
            let clock =
                switch.filter(|_| row.state.phase >= Phase::Switched).and_then(|row| self.forwarding_clock(row));
            let forwards_until = clock.and_then(|clock| clock.until()).map(|day| day.to_string());
            let waits = open.and_then(|switch| switch.waits.clone());
            let counts = if in_full { Some(self.store.counts_of(self.key, row.mailbox).await?) } else { None };
            lines.push(SwitchLine {
                source: row.roster.source_name,
                target: row.roster.target_name,
                phase: row.state.phase,
                task: open.map(|switch| switch.task.clone()),
                since: open.map(|switch| switch.since / 1000),
                since_text: open.map(|switch| when::since(switch.since, now, &zone)),
                waits: waits.or_else(|| row.state.condition.reason().map(str::to_owned)),
                ended: ended.map(|(at, _)| when::shown(at, &zone)),
                ended_on: ended.map(|(_, on_target)| if on_target { "target" } else { "source" }),
                ordered,
                tasks,
                counts,
                old_addresses,
                at_source,
                forwards_until,
            });
        }
        Ok(SwitchReport { done, mailboxes: lines, stopped: false })
    }
}

/// Nobody is switched without being named.
pub(super) fn refuse_everybody(selection: &Selection) -> Result<(), Error> {
    if selection.mailboxes.is_empty() && selection.collection.is_none() {
        return Err(Error::usage("whose mail is it about? Nobody was named, and nothing was changed")
            .advise("give --mailbox NAME or --collection NAME"));
    }
    Ok(())
}
