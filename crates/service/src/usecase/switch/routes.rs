//! `forwarder` and `routing`: what sends people's mail on, ours and others', and whether all of it reaches somebody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use connector::router::{Force, Forwarder, ForwarderOwner, LocalCopy};
use model::{Phase, Side};
use routing::{Domain, Mx, Pending, Route};
use serde::Serialize;
use store::{FoundRouting, MailboxRow, SwitchRow};
use tokio::task::JoinSet;

use super::addresses::Addressing;
use super::directory::directory;
use super::driver::Switcher;
use super::forward::MissingForwarder;
use super::lists::Known;
use super::look::{Told, leads_to};
use super::others::KnownOther;
use super::rules::keep_found;
use super::subject::Subject;
use crate::secret::Environment;
use crate::usecase::people::PeopleProject;
use crate::{Error, Exit, Project, Selection, when};

/// People asked at once, of each side.
const AT_ONCE: usize = 8;

/// Forwarders, ours and others'.
#[derive(Clone, Debug, Serialize)]
pub struct ForwardersReport {
    /// From the target to the source, until somebody is switched (F1).
    pub ours: Vec<OurForwarder>,
    /// What was there before, or is people's own (F2).
    pub others: Vec<OtherForwarder>,
    /// What could not be looked into, or not be asked.
    pub unread: Vec<UnreadForwarders>,
    /// New accounts that are live with neither a forwarder to the source that is on nor a recorded reason.
    pub missing: Vec<MissingForwarder>,
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
    /// The requirement that it goes against.
    pub requirement: &'static str,
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
    /// The forwarders on record, ours and those that were last found.
    pub async fn forwarders(&self, selection: &Selection) -> Result<ForwardersReport, Error> {
        let zone = self.config.time_zone();
        let names: BTreeMap<i64, String> =
            self.select(selection).await?.into_iter().map(|row| (row.mailbox, row.roster.source_name)).collect();
        let mut report =
            ForwardersReport { ours: Vec::new(), others: Vec::new(), unread: Vec::new(), missing: Vec::new() };
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
                (None, Some(one)) => self.day(self.forwarded_until(one).await?.0).to_string(),
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
        report.unread.extend(self.unlooked(&names, &rows));
        report.missing = self.missing_forwarders().await?;
        // Who is not on the roster is told, whoever was chosen.
        report
            .missing
            .retain(|one| one.mailbox.as_ref().is_none_or(|mailbox| names.values().any(|own| own == mailbox)));
        Ok(report)
    }

    /// Switched people whose mail something at the target sends back to the source, as it was last looked at: with the redirect it goes
    /// round. Each with where that stands.
    pub(crate) async fn sent_back(&self, rows: &[MailboxRow]) -> Result<Vec<(String, String)>, Error> {
        let Some(routing) = &self.config.file.routing else { return Ok(Vec::new()) };
        let mut found = self.store.found_forwarders(self.key).await?;
        found.retain(|one| one.side == Side::Target);
        let is_switched = |row: &&MailboxRow| row.state.phase >= Phase::Switched;
        let switched: BTreeMap<i64, &MailboxRow> =
            rows.iter().filter(is_switched).map(|row| (row.mailbox, row)).collect();
        found.retain(|one| switched.contains_key(&one.mailbox));
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let addressing = Addressing::new(&self.config, &self.endpoints);
        let further = addressing.further(&self.store, self.key).await?;
        let mut back = Vec::new();
        for one in &found {
            let Some(row) = switched.get(&one.mailbox) else { continue };
            let forwarder: Forwarder =
                serde_json::from_str(&one.what).map_err(|_| store::Error::damaged("a forwarder that was found"))?;
            let name = &row.roster.source_name;
            let mut own = routing.source.addresses(Side::Source, name, &row.roster.target_name);
            own.extend(further.get(&addressing.whose(&row.roster)).into_iter().flatten().cloned());
            if leads_to(&forwarder, &own) {
                back.push((name.clone(), forwarder.place));
            }
        }
        Ok(back)
    }

    /// Switched people whose redirect was not there when the source was last looked at, since they were switched: what comes there stays there.
    pub(crate) async fn redirects_gone(
        &self,
        rows: &[MailboxRow],
        switches: &[SwitchRow],
    ) -> Result<Vec<String>, Error> {
        let ended: BTreeMap<i64, i64> =
            switches.iter().filter_map(|switch| Some((switch.mailbox, switch.ended?.0))).collect();
        let turned = rows.iter().filter(|row| row.state.phase >= Phase::Switched);
        let names: BTreeMap<i64, &String> = turned.map(|row| (row.mailbox, &row.roster.source_name)).collect();
        let is_gone = |look: &&FoundRouting| {
            let after = ended.get(&look.mailbox).is_some_and(|ended| look.seen_at > *ended);
            look.side == Side::Source && look.redirected_to.is_none() && after
        };
        let looks = self.store.found_routings(self.key).await?;
        Ok(looks
            .iter()
            .filter(is_gone)
            .filter_map(|look| names.get(&look.mailbox))
            .map(|name| (*name).clone())
            .collect())
    }

    /// Endpoints of the source of which nothing tells what sends people's mail on there: a copy of theirs is not held up by it.
    fn unlooked(&self, names: &BTreeMap<i64, String>, rows: &[MailboxRow]) -> Vec<UnreadForwarders> {
        let has_router = |endpoint: &str| self.config.routers.values().any(|router| router.endpoint == endpoint);
        let chosen = rows.iter().filter(|row| names.contains_key(&row.mailbox) && !self.is_archived(row));
        let endpoints: BTreeSet<i64> = chosen.map(|row| row.roster.source_endpoint).collect();
        let bare = endpoints.into_iter().map(|endpoint| self.endpoint_name(endpoint)).filter(|name| !has_router(name));
        bare.map(|name| UnreadForwarders {
            mailbox: format!("everybody at {name}"),
            side: Side::Source,
            what: "there is no router for it under [routers]: nothing is known of what sends mail on there, and nothing is held up by it"
                .to_owned(),
        })
        .collect()
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
    /// . `mx_moved`: as if the MX records of the source's domains led to the target already.
    pub async fn check_routing(
        &self,
        as_recorded: bool,
        mx_moved: bool,
        environment: Environment<'_>,
    ) -> Result<RoutingReport, Error> {
        let switcher = self.switcher(environment)?;
        let entry = switcher.routing.as_ref().ok_or_else(no_routing)?;
        let mut unread: Vec<String> = Vec::new();
        if !as_recorded {
            self.may_migrate()?;
            let failed = self.ask_routers(&Selection::default(), environment).await?;
            unread.extend(failed.into_iter().map(|one| format!("{} ({}): {}", one.mailbox, one.side, one.what)));
        }
        let mut recorded = switcher.recorded(&self.store, self.key).await?;
        recorded.others = self.others(&recorded.known).await?;
        let (mut directory, wrong) = directory(entry, &recorded, &switcher.ends(), None);
        if mx_moved {
            let of_source = entry.source.domains.iter().chain(&entry.source.alias_domains);
            let moved = Pending::settled(Mx::Site(Side::Target));
            directory.mx.extend(of_source.map(|name| (Domain::new(name), moved)));
        }
        unread.extend(wrong.into_iter().map(|wrong| wrong.what));
        unread.extend(self.unlike(&switcher, &recorded).await?);
        let is_account = |route: &Pending<Route>| {
            let is_one = |route: &Route| matches!(route, Route::Mailbox(_));
            is_one(&route.now) || route.then.as_ref().is_some_and(is_one)
        };
        let of_accounts = directory.target.entries.iter().filter(|(_, route)| is_account(route));
        let not_live = of_accounts.filter(|(address, _)| !directory.expected.contains_key(*address)).count();
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
            requirement: finding.fault.requirement(),
            what: finding.to_string(),
        };
        let addresses = checked.addresses_checked;
        Ok(RoutingReport { addresses, faults: checked.findings.iter().map(fault).collect(), unread, not_live })
    }

    /// Whoever and whatever else has an address in the directories of both sides, and who of them stays behind by a person's word.
    async fn others(&self, known: &Known) -> Result<Vec<KnownOther>, Error> {
        let mut others = known.others.clone();
        let Some(entry) = &self.config.file.people else { return Ok(others) };
        let (config, store) = (self.config.clone(), self.store.clone());
        let plane = PeopleProject::of(config, entry.clone(), store, self.key, self.actor.clone())?;
        let rows = plane.known().await?.reconciliation.rows;
        let behind = rows.iter().filter(|row| row.class.stays_behind()).map(|row| row.matched.object.to_string());
        let behind: BTreeSet<String> = behind.collect();
        for other in &mut others {
            other.stays_behind = behind.contains(&other.id);
        }
        Ok(others)
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
                let readers = switcher.readers(subject, side);
                if !readers.is_empty() {
                    waiting.push((row.clone(), side, readers, switcher.recipient(subject, side).await));
                }
            }
        }
        let mut failed = Vec::new();
        let mut asking: JoinSet<Asked> = JoinSet::new();
        let mut waiting = waiting.into_iter();
        loop {
            while asking.len() < AT_ONCE
                && let Some((row, side, readers, who)) = waiting.next()
            {
                asking.spawn(async move {
                    let routing = match who {
                        Ok(who) => readers.read(&who).await.and_then(Told::whole).map_err(|error| error.to_string()),
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

pub(super) fn no_routing() -> Error {
    Error::usage(format!("{} has no [routing]: nothing says which addresses there are", crate::config::FILE))
        .advise("name the domains of both sides: docs/routing.md shows how")
}
