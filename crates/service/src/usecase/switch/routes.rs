//! `forwarder` and `routing`: what sends people's mail on, ours and others', and whether all of it reaches somebody.

use std::collections::BTreeMap;
use std::sync::Arc;

use connector::router::{Force, Forwarder, ForwarderOwner, LocalCopy};
use model::{Phase, Side};
use serde::Serialize;
use serde_json::json;
use store::{MailboxRow, NewForwarder, SwitchHow};
use tokio::task::JoinSet;

use super::directory::directory;
use super::driver::Switcher;
use super::rules::keep_found;
use super::subject::Subject;
use crate::secret::Environment;
use crate::{Error, Exit, Project, Selection, when};

/// People asked at once, of each side.
const AT_ONCE: usize = 8;
/// How long people of whom no date is known are forwarded, at most, as ruling A-05 has it: 6 weeks.
const WEEKS_USUAL: i64 = 6;
const WEEK_MS: i64 = 7 * 86_400_000;

/// Who allowed a forwarder on an account that was there before.
#[derive(Clone, Debug, Default)]
pub struct GuardianWord {
    /// The Caldicott guardian.
    pub guardian: Option<String>,
    /// The date of their word.
    pub on: Option<String>,
    /// Where it is to be found.
    pub evidence: Option<String>,
}

/// Forwarders, ours and others'.
#[derive(Clone, Debug, Serialize)]
pub struct ForwardersReport {
    /// From the target to the source, until somebody is switched (F1).
    pub ours: Vec<OurForwarder>,
    /// What was there before, or is people's own (F2).
    pub others: Vec<OtherForwarder>,
    /// What could not be looked into, or not be asked.
    pub unread: Vec<UnreadForwarders>,
}

/// A forwarder from the target to the source.
#[derive(Clone, Debug, Serialize)]
pub struct OurForwarder {
    /// The mailbox, by its name at the source.
    pub mailbox: String,
    /// Where it leads.
    pub leads_to: String,
    /// `to come`, `on`, `off`.
    pub state: &'static str,
    /// Since when, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Until when, as it was computed when it was asked for.
    pub ends: String,
    /// Who allowed it on an account that was there before, when, on what evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
}

/// A forwarder that is not ours.
#[derive(Clone, Debug, Serialize)]
pub struct OtherForwarder {
    /// The mailbox, by its name at the source.
    pub mailbox: String,
    /// The side that it is on.
    pub side: Side,
    /// Whose it is: `administrator` or `person`.
    pub owner: ForwarderOwner,
    /// Where to.
    pub to: String,
    /// Does a copy stay?
    pub copy: LocalCopy,
    /// Is it in force?
    pub force: Force,
    /// Where it stands.
    pub place: String,
}

/// What could not be looked into.
#[derive(Clone, Debug, Serialize)]
pub struct UnreadForwarders {
    /// The mailbox, by its name at the source.
    pub mailbox: String,
    /// The side.
    pub side: Side,
    /// What.
    pub what: String,
}

/// Whether every address reaches one followed mailbox.
#[derive(Clone, Debug, Serialize)]
pub struct RoutingReport {
    /// How many addresses were looked at.
    pub addresses: usize,
    /// What is wrong: the address, the fault, and a way that shows it.
    pub faults: Vec<RoutingFault>,
    /// What could not be asked or understood.
    pub unread: Vec<String>,
    /// Addresses of accounts that nobody has been told of yet.
    pub not_live: usize,
}

/// A fault of an address.
#[derive(Clone, Debug, Serialize)]
pub struct RoutingFault {
    /// The address.
    pub address: String,
    /// The fault's name.
    pub fault: &'static str,
    /// How a message meets it.
    pub what: String,
}

impl RoutingReport {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        if self.faults.is_empty() && self.unread.is_empty() { Exit::Done } else { Exit::WithFailures }
    }
}

type Asked = (MailboxRow, Side, Result<connector::Routing, String>);

impl Project {
    /// Has new accounts forward to the source from now on, until their people are switched.
    pub async fn add_forwarders(
        &self,
        selection: &Selection,
        word: &GuardianWord,
        environment: Environment<'_>,
    ) -> Result<ForwardersReport, Error> {
        self.may_migrate()?;
        let switcher = self.switcher(environment)?;
        let routing = switcher.routing.clone().ok_or_else(no_routing)?;
        if !routing.target_to_source {
            let what = "the project does not allow mail to be forwarded from target to source";
            return Err(Error::refused("R-086", what).advise("see routing.target_to_source"));
        }
        let rows = self.select(selection).await?;
        let given = [&word.guardian, &word.on, &word.evidence]
            .map(|part| part.as_deref().map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned));
        let mut news = Vec::new();
        for row in &rows {
            let name = &row.roster.source_name;
            if self.is_archived(row) {
                return Err(Error::refused("R-043", format!("{name} goes to the archive, which forwards nothing")));
            }
            if row.state.phase >= Phase::Switching {
                return Err(Error::refused("R-081", format!("{name} is {}", row.state.phase.name()))
                    .advise("who is switched has no forwarder to the source"));
            }
            if !switcher.routers.contains_key(&row.roster.target_endpoint) {
                return Err(Error::usage(format!("the target of {name} has no router"))
                    .advise("add one under [routers] with its endpoint"));
            }
            let ends = self.forwarded_until(row).await?;
            let allowed = match (!row.roster.new_account, &given) {
                (false, _) => None,
                (true, [Some(guardian), Some(on), Some(evidence)]) => {
                    on.parse::<jiff::civil::Date>()
                        .map_err(|_| Error::usage(format!("{on:?} is no date")).advise("write it as 2026-12-05"))?;
                    Some([guardian.clone(), on.clone(), evidence.clone(), ends.clone()])
                }
                (true, _) => {
                    let what =
                        format!("{name} has had its account on the target before: all mail in it would go elsewhere");
                    return Err(Error::refused("R-078", what).advise(format!(
                        "the Caldicott guardian signs for it, until {ends} by schedule: --guardian NAME --date DATE --evidence FILE"
                    )));
                }
            };
            let leads_to = routing.source.addresses(Side::Source, name, &row.roster.target_name).swap_remove(0);
            let (mailbox, said_by) = (row.mailbox, self.actor.name.clone());
            news.push((NewForwarder { mailbox, leads_to, allowed, said_by }, ends));
        }
        let names: Vec<_> = rows
            .iter()
            .zip(&news)
            .map(|(row, (new, ends))| json!([row.roster.source_name, new.leads_to, ends, new.allowed]))
            .collect();
        self.store.audit(self.key, &self.actor, "forwarder.asked", &json!({ "mailboxes": names })).await?;
        for (row, (new, _)) in rows.iter().zip(&news) {
            let is_added = self.store.add_forwarder(self.key, new).await?;
            let is_there = || async { self.store.forwarder(self.key, row.mailbox).await };
            if !is_added && !is_there().await?.is_some_and(|there| there.is_on()) {
                let what = format!("{}: its switch began meanwhile", row.roster.source_name);
                return Err(Error::refused("R-081", what).advise("who is switched has no forwarder to the source"));
            }
        }
        let mailboxes: Vec<i64> = rows.iter().map(|row| row.mailbox).collect();
        self.store.mark_due(self.key, &mailboxes).await?;
        self.forwarders(selection).await
    }

    /// Until when a mailbox is forwarded, by schedule: its date, else six weeks from now.
    async fn forwarded_until(&self, row: &MailboxRow) -> Result<String, Error> {
        let plan = self.store.switch_plan(self.key, row.mailbox).await?;
        let at = match plan {
            Some((SwitchHow::At | SwitchHow::Auto | SwitchHow::ByHand, Some(at), _)) => at,
            _ => self.store.now().await?.saturating_add(WEEKS_USUAL * WEEK_MS),
        };
        Ok(when::shown(at, &self.config.time_zone()).chars().take(10).collect())
    }

    /// The forwarders on record, ours and those that were last found.
    pub async fn forwarders(&self, selection: &Selection) -> Result<ForwardersReport, Error> {
        let zone = self.config.time_zone();
        let names: BTreeMap<i64, String> =
            self.select(selection).await?.into_iter().map(|row| (row.mailbox, row.roster.source_name)).collect();
        let mut report = ForwardersReport { ours: Vec::new(), others: Vec::new(), unread: Vec::new() };
        let rows = self.store.mailboxes(self.key).await?;
        for row in self.store.forwarders(self.key).await? {
            let Some(mailbox) = names.get(&row.is.mailbox).cloned() else { continue };
            let (state, since) = match (row.on_at, row.off_at) {
                (None, _) => ("to come", None),
                (Some(at), None) => ("on", Some(at)),
                (Some(_), Some(at)) => ("off", Some(at)),
            };
            let ends = match (&row.is.allowed, rows.iter().find(|one| one.mailbox == row.is.mailbox)) {
                (Some([.., ends]), _) => ends.clone(),
                (None, Some(one)) => self.forwarded_until(one).await?,
                (None, None) => String::new(),
            };
            let allowed = row.is.allowed.map(|[guardian, on, evidence, _]| format!("{guardian}, {on}: {evidence}"));
            let since = since.map(|at| when::shown(at, &zone));
            report.ours.push(OurForwarder { mailbox, leads_to: row.is.leads_to, state, since, ends, allowed });
        }
        for row in self.store.found_forwarders(self.key).await? {
            let Some(mailbox) = names.get(&row.mailbox).cloned() else { continue };
            let Ok(found) = serde_json::from_str::<Forwarder>(&row.what) else { continue };
            report.others.push(OtherForwarder {
                mailbox,
                side: row.side,
                owner: found.owner,
                to: found.to.to_string(),
                copy: found.copy,
                force: found.force,
                place: found.place,
            });
        }
        // By owner, so that each can be asked.
        report.others.sort_by_key(|other| (other.owner == ForwarderOwner::Person, other.mailbox.clone()));
        for row in self.store.found_routings(self.key).await? {
            let Some(mailbox) = names.get(&row.mailbox) else { continue };
            let unread = |what| UnreadForwarders { mailbox: mailbox.clone(), side: row.side, what };
            report.unread.extend(row.unread.into_iter().map(unread));
        }
        Ok(report)
    }

    /// Asks both sides what sends people's mail on, and keeps what is found.
    pub async fn find_forwarders(
        &self,
        selection: &Selection,
        environment: Environment<'_>,
    ) -> Result<ForwardersReport, Error> {
        self.may_migrate()?;
        let failed = self.ask_routers(selection, environment).await?;
        let mut report = self.forwarders(selection).await?;
        report.unread.extend(failed);
        Ok(report)
    }

    /// Checks that every address reaches one followed mailbox: with what both sides say now, or with what they were last found to say
    ///
    pub async fn check_routing(&self, as_recorded: bool, environment: Environment<'_>) -> Result<RoutingReport, Error> {
        let switcher = self.switcher(environment)?;
        let entry = switcher.routing.as_ref().ok_or_else(no_routing)?;
        let mut unread: Vec<String> = Vec::new();
        if !as_recorded {
            self.may_migrate()?;
            let failed = self.ask_routers(&Selection::default(), environment).await?;
            unread.extend(failed.into_iter().map(|one| format!("{} ({}): {}", one.mailbox, one.side, one.what)));
        }
        let recorded = switcher.recorded(&self.store, self.key).await?;
        let (directory, wrong) = directory(entry, &recorded, &switcher.ends(), None);
        unread.extend(wrong.into_iter().map(|wrong| wrong.what));
        unread.extend(self.unlike(&switcher, &recorded).await?);
        let not_live = directory.target.entries.len()
            - directory.target.entries.keys().filter(|address| directory.expected.contains_key(*address)).count();
        let checked = tokio::task::spawn_blocking(move || routing::check(&directory)).await;
        let checked = checked.map_err(|error| Error {
            exit: Exit::Internal,
            rule: None,
            what: format!("the routing check ended: {error}"),
            advice: None,
        })?;
        let fault = |finding: &routing::Finding| RoutingFault {
            address: finding.address.as_str().to_owned(),
            fault: finding.fault.name(),
            what: finding.to_string(),
        };
        let addresses = checked.addresses_checked;
        Ok(RoutingReport { addresses, faults: checked.findings.iter().map(fault).collect(), unread, not_live })
    }

    /// Where what was found of ours is not what is on record.
    async fn unlike(&self, switcher: &Switcher, recorded: &super::directory::Recorded) -> Result<Vec<String>, Error> {
        let mut unlike = Vec::new();
        for found in self.store.found_routings(self.key).await? {
            let Some(row) = recorded.mailboxes.iter().find(|row| row.mailbox == found.mailbox && row.listed) else {
                continue;
            };
            let forwarder = recorded.forwarders.get(&row.mailbox);
            let standing = super::directory::standing(row, recorded.switches.get(&row.mailbox), forwarder);
            let ours = if found.side == Side::Source { standing.redirect } else { standing.forwarder };
            let is_on = found.redirected_to.is_some();
            let has_router = [row.roster.source_endpoint, row.roster.target_endpoint]
                .iter()
                .any(|endpoint| switcher.routers.contains_key(endpoint));
            if has_router && is_on != ours.now && ours.then != Some(is_on) {
                let (is, should) = if is_on { ("on", "off") } else { ("off", "on") };
                let name = &row.roster.source_name;
                unlike.push(format!("{name}: ours at the {} is {is}, and {should} on record", found.side));
            }
        }
        Ok(unlike)
    }

    /// Asks each router about each of the mailboxes chosen, several at a time. What could not be asked.
    async fn ask_routers(
        &self,
        selection: &Selection,
        environment: Environment<'_>,
    ) -> Result<Vec<UnreadForwarders>, Error> {
        let switcher = Arc::new(self.switcher(environment)?);
        let mut waiting = Vec::new();
        for row in self.select(selection).await? {
            let person = self.rows.get(&row.mailbox).map(|place| self.person(*place, environment));
            let subject = Subject { store: &self.store, key: self.key, row: &row, person: person.as_ref() };
            for side in [Side::Source, Side::Target] {
                let Some(router) = switcher.router(subject, side).cloned() else { continue };
                let who = switcher.recipient(subject, side);
                waiting.push((row.clone(), side, router, who));
            }
        }
        let mut failed = Vec::new();
        let mut asking: JoinSet<Asked> = JoinSet::new();
        let mut waiting = waiting.into_iter();
        loop {
            while asking.len() < AT_ONCE
                && let Some((row, side, router, who)) = waiting.next()
            {
                asking.spawn(async move {
                    let routing = match who {
                        Ok(who) => router.read(&who).await.map_err(|error| error.to_string()),
                        Err(failure) => Err(failure.to_string()),
                    };
                    (row, side, routing)
                });
            }
            let Some(asked) = asking.join_next().await else { return Ok(failed) };
            let (row, side, routing) =
                asked.map_err(|error| movement::Failure::internal(&format!("asking a router broke off: {error}")))?;
            match routing {
                Ok(routing) => keep_found(&self.store, self.key, (row.mailbox, side), &routing).await?,
                Err(what) => failed.push(UnreadForwarders { mailbox: row.roster.source_name, side, what }),
            }
        }
    }
}

fn no_routing() -> Error {
    Error::usage(format!("{} has no [routing]: nothing says which addresses there are", crate::config::FILE))
        .advise("name the domains of both sides: docs/routing.md shows how")
}
