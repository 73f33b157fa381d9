//! Alerts: what needs a person, told once by mail and once by webhook, and again when it is over.
//!
//! What is so now is compared with what is on record: what is new is raised, what was not seen for a while is over. Both are on record,
//! with whom to tell, before anybody is told; that they were told is on record after that. Who is stopped in between tells again: a
//! letter under the same Message-ID, a webhook under the same id.

mod conditions;
mod tell;
mod webhook;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use mailer::Mailer;
use model::Phase;
use mx::clocks::Clock;
use serde::Serialize;
use store::{AlertRow, MailboxRow, NewAlert, SwitchRow, Telling, Way};

pub(crate) use self::conditions::AlertKind;
use self::conditions::Open;
pub(crate) use self::tell::Tells;
pub(crate) use self::webhook::place;
use self::webhook::{Hook, Webhook};
use super::governed::Risks;
use super::report::daily::REPORTS_MAX;
use super::telling::now;
use crate::config::{AlertsEntry, FILE, WebhookEntry};
use crate::secret::Environment;
use crate::serve::Opening;
use crate::{Error, Project};

/// So many alerts stand in one letter.
const LETTER_ALERTS_MAX: usize = 100;
/// Nobody is told any more of what has been over for so long.
const TOLD_MS_MAX: i64 = 3 * 86_400_000;
/// So many alerts are listed.
const LISTED_MAX: u32 = 1_000;

/// Who is told of alerts.
#[derive(Default)]
pub(crate) struct Tellers {
    pub(crate) mailer: Option<std::sync::Arc<dyn Mailer>>,
    pub(crate) hook: Option<Box<dyn Hook>>,
}

/// Alerts, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AlertsReport {
    /// Each.
    pub alerts: Vec<AlertLine>,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlertLine {
    /// Its number.
    pub alert: i64,
    /// Its kind.
    pub kind: String,
    /// What it is about.
    pub about: String,
    /// What is so.
    pub what: String,
    /// Since when (seconds since 1970).
    pub raised: i64,
    /// When it was last seen to be so.
    pub last_seen: i64,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over: Option<i64>,
    /// Who was told, or is to be.
    pub told: Vec<ToldLine>,
}

/// Somebody who was told, or is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToldLine {
    /// Of what: `raised` or `over`.
    pub event: &'static str,
    /// How: `mail` or `webhook`.
    pub way: &'static str,
    /// Whom.
    pub whom: String,
    /// When they were told (seconds since 1970).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<i64>,
    /// How often that was tried.
    pub tries: u64,
    /// Why the last try failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

impl AlertsReport {
    fn of(rows: Vec<AlertRow>) -> Self {
        let told = |telling: Telling| ToldLine {
            event: telling.event.name(),
            way: telling.way.name(),
            whom: telling.whom,
            told: telling.told_at.map(|at| at / 1000),
            tries: telling.tries,
            said: telling.said,
        };
        let line = |row: AlertRow| AlertLine {
            alert: row.alert,
            kind: row.of.kind,
            about: row.of.about,
            what: row.of.what,
            raised: row.raised_at / 1000,
            last_seen: row.last_seen_at / 1000,
            over: row.cleared_at.map(|at| at / 1000),
            told: row.tellings.into_iter().map(told).collect(),
        };
        Self { alerts: rows.into_iter().map(line).collect() }
    }
}

/// Raises, ends and tells what there is to raise, to end and to tell. May be stopped anywhere, and run twice.
pub(crate) async fn tend_alerts(project: &Project, now: Timestamp, tellers: &Tellers) -> Result<(), Error> {
    let default = AlertsEntry::default();
    let entry = project.config.file.alerts.as_ref().unwrap_or(&default);
    let at = now.as_millisecond();
    let known = project.store.alerts_at_work(project.key, at - TOLD_MS_MAX).await?;
    let is_open = |row: &&AlertRow| row.cleared_at.is_none();
    let open: Open = known.iter().filter(is_open).map(|row| (row.of.kind.clone(), row.of.about.clone())).collect();
    let tell = whom_to_tell(entry, tellers);
    let mut seen = project.conditions(entry, &open, now).await?;
    for alert in &seen {
        if project.store.see_alert(project.key, alert, &tell, at).await? {
            tracing::warn!(kind = %alert.kind, about = %alert.about, "an alert was raised");
        }
    }
    let risks = Risks { config: &project.config, store: &project.store, key: project.key };
    match risks.see(&tell, now).await {
        Ok(risks) => seen.extend(risks.into_iter().map(|risk| risk.alert)),
        // A record that can't be read keeps nobody from hearing of all else; what was told of risks stays as it was.
        Err(error) => {
            tracing::warn!(error = error.what, "risks to dates could not be looked at");
            let known = known.iter().filter(|row| is_open(row) && row.of.kind == AlertKind::DateAtRisk.name());
            seen.extend(known.map(|row| row.of.clone()));
        }
    }
    let is_seen =
        |row: &AlertRow| seen.iter().any(|alert| (&alert.kind, &alert.about) == (&row.of.kind, &row.of.about));
    let quiet_ms = i64::from(entry.quiet_again_minutes) * 60_000;
    for row in known.iter().filter(is_open).filter(|row| !is_seen(row) && at - row.last_seen_at >= quiet_ms) {
        // Whoever was told that it is so is told that it is over.
        let mut told: Vec<(Way, String)> =
            row.tellings.iter().map(|telling| (telling.way, telling.whom.clone())).collect();
        told.dedup();
        project.store.end_alert(project.key, row.alert, &told, at).await?;
        tracing::info!(kind = %row.of.kind, about = %row.of.about, "an alert is over");
    }
    let (config, store) = (&project.config, &project.store);
    let tells = Tells { config, store, key: project.key, actor: &project.actor, kind: None };
    tells.tell_alerts(now, tellers).await
}

impl Project {
    /// Who is told of this project's alerts.
    pub(crate) fn tellers(&self, environment: Environment<'_>) -> Result<Tellers, Error> {
        let webhook = self.config.file.alerts.as_ref().and_then(|alerts| alerts.webhook.as_ref());
        let hook = webhook.map(|entry| self.webhook(entry, environment)).transpose()?;
        Ok(Tellers { mailer: self.mailer(environment)?, hook: hook.map(|hook| Box::new(hook) as Box<dyn Hook>) })
    }

    fn webhook(&self, entry: &WebhookEntry, environment: Environment<'_>) -> Result<Webhook, Error> {
        let whose = format!("{FILE}: alerts.webhook.secret");
        let secret = crate::directories::reveal(&self.config, &entry.secret, &whose, environment)?;
        let ca_file = entry.ca_file.as_ref().map(|path| self.config.path(path));
        Webhook::new(&entry.url, secret, ca_file)
            .map_err(|why| Error::usage(format!("{FILE}: alerts.webhook.url: {why}")).advise("write https://HOST/PATH"))
    }

    /// Whose mail the source forwards for a few days more only, or for longer than it should.
    fn forwarding_ends(&self, rows: &[MailboxRow], switches: &[SwitchRow], today: Date) -> Vec<NewAlert> {
        let turned: BTreeSet<i64> =
            rows.iter().filter(|row| row.state.phase >= Phase::Switched).map(|row| row.mailbox).collect();
        let mut ends: BTreeMap<Date, (Clock, usize)> = BTreeMap::new();
        for switch in switches.iter().filter(|switch| turned.contains(&switch.mailbox)) {
            let clock = self.forwarding_clock(switch);
            if let Some((clock, until)) = clock.and_then(|clock| clock.until().map(|until| (clock, until))) {
                ends.entry(until).or_insert((clock, 0)).1 += 1;
            }
        }
        let told = ends.into_iter().filter_map(|(until, (clock, people))| {
            let (when, what) = match clock.reminder_due(today, &[]) {
                _ if clock.is_over(today) => (
                    "over".to_owned(),
                    format!(
                        "the source was to forward the mail of {people} people, and to answer for them, until {until}: take its automatic \
                         answers off; redirects go once the MX records have moved (whimbrel mx plan)"
                    ),
                ),
                Some(left) => (
                    format!("{left} days before"),
                    format!("the source forwards the mail of {people} people, and answers for them, until {until}"),
                ),
                None => return None,
            };
            // One for each reminder, so that each is told.
            Some(AlertKind::ForwardingEnds.about(format!("until {until}, {when}"), what))
        });
        told.collect()
    }

    /// What needs a person now.
    async fn conditions(&self, entry: &AlertsEntry, open: &Open, now: Timestamp) -> Result<Vec<NewAlert>, Error> {
        let mut rows = self.store.mailboxes(self.key).await?;
        // Whoever is being switched, or is, has mail to come, whatever was said of their mailbox.
        let turned: Vec<MailboxRow> = rows.iter().filter(|row| row.state.phase >= Phase::Switching).cloned().collect();
        let facts = self.store.mailbox_facts(self.key).await?;
        // Of what a person has set aside, or may not be copied, nobody is told.
        rows.retain(|row| {
            row.listed
                && self.withheld(row).is_none()
                && facts.get(&row.mailbox).is_none_or(|facts| facts.set_aside.is_none())
        });
        let vips: BTreeSet<i64> = self.store.vips(self.key).await?.iter().map(|row| row.mailbox).collect();
        let mut found = conditions::mailboxes(&rows, &vips, open);
        let at = now.as_millisecond();
        let switches = self.store.switches(self.key).await?;
        found.extend(conditions::switching(&turned, &switches, i64::from(entry.switching_minutes), at));
        let dates = self.store.switch_dates(self.key).await?;
        found.extend(conditions::not_activated(&rows, &dates, now, &self.config.time_zone()));
        found.extend(conditions::addresses_missing(&turned, &self.store.every_old_address(self.key).await?));
        found.extend(conditions::forwarders_missing(&self.missing_forwarders().await?));
        found.extend(self.sent_back(&turned).await?.into_iter().map(|(name, place)| {
            let what = format!(
                "{name} is switched, and at the target {place} sends the mail back: it goes round and comes to nobody. Have it taken off"
            );
            AlertKind::MailSentBack.about(name, what)
        }));

        found.extend(self.redirects_gone(&turned, &switches).await?.into_iter().map(|name| {
            let what = format!(
                "{name} is switched, and its redirect at the source is gone, or not in force: what comes there stays there until a pass brings it. It is put \
                 on again with each turn; whimbrel switch show and the service's log tell what is in the way"
            );
            AlertKind::RedirectGone.about(name, what)
        }));
        let too_early = self.led_too_early().await?.into_iter().map(|(domain, names)| {
            let some = names.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
            let what = format!(
                "the MX records of {domain} lead to the target, or may, and {} of its people are not switched: mail for them may come back to its \
                 senders ({some}{}). Lead them back",
                names.len(),
                if names.len() > 3 { ", …" } else { "" }
            );
            AlertKind::MxTooEarly.about(domain, what)
        });
        found.extend(too_early);

        let today = now.to_zoned(self.config.time_zone()).date();
        found.extend(self.forwarding_ends(&turned, &switches, today));
        for (domain, left, until) in self.receiving_ends(today).await? {
            let what = format!(
                "the addresses of {domain} receive until {until}; whimbrel mx arrivals tells who still writes to them"
            );
            // One for each reminder, so that each is told.
            found.push(AlertKind::LegacyEnds.about(format!("{domain}, {left} days before"), what));
        }
        let minutes = i64::from(entry.stalled_minutes);
        // What stands still because somebody said so, or out of its hours, has neither stalled nor gone away.
        let pauses = self.store.pauses(self.key).await?;
        let is_paused = |scope: &str| pauses.iter().any(|pause| pause.scope == scope);
        let all_still = is_paused("all") || self.config.gate(None)?.at(now) != Opening::Open;
        let mut still = BTreeSet::new();
        for number in self.endpoints.keys() {
            let name = self.endpoint_name(*number);
            let is_open = self.config.gate(Some(name))?.at(now) == Opening::Open;
            if all_still || !is_open || is_paused(&format!("endpoint/{name}")) {
                still.insert(*number);
            }
        }
        for row in self.store.progress(self.key, at).await? {
            let of = |mailbox: &&MailboxRow| mailbox.roster.collection == row.collection;
            let goes_on = |mailbox: &MailboxRow| {
                !still.contains(&mailbox.roster.source_endpoint) && !still.contains(&mailbox.roster.target_endpoint)
            };
            let own = row.collection.as_ref().map(|name| format!("collection/{name}"));
            let stands_still = own.is_some_and(|own| is_paused(&own)) || !rows.iter().filter(of).any(goes_on);
            let well_at = if row.due == 0 || stands_still { Some(at) } else { row.moved_at };
            let subject = format!("collection {}", row.collection.as_deref().unwrap_or_default());
            if let Some(minutes) = self.unwell(&subject, well_at, minutes, at).await? {
                found.push(conditions::stalled(&row, minutes));
            }
        }
        let minutes = i64::from(entry.away_minutes);
        let away = conditions::unreachable(&rows);
        for number in self.endpoints.keys() {
            let (name, of) = (self.endpoint_name(*number), away.get(number));
            let well_at = if still.contains(number) { Some(at) } else { of.map_or(Some(at), |of| of.worked_at) };
            let minutes = self.unwell(&format!("endpoint {name}"), well_at, minutes, at).await?;
            found.extend(of.zip(minutes).map(|(of, minutes)| conditions::away(name, of, minutes)));
        }
        let failed = self.store.failed_since(self.key, (now - 1.hour()).as_millisecond()).await?;
        found.extend(conditions::failures(&failed, entry.failures_an_hour));
        let to = self.config.file.reports.as_ref().map(|reports| reports.to.as_slice()).unwrap_or_default();
        found.extend(conditions::unsent(&self.store.reports(self.key, REPORTS_MAX).await?, to));
        Ok(found)
    }

    /// For how many minutes something has not been well, if that is so many. Nobody looked for longer than that: it counts as well, since
    /// whatever should have been at work was likely not, either.
    async fn unwell(&self, subject: &str, well_at: Option<i64>, minutes: i64, at: i64) -> Result<Option<i64>, Error> {
        let long = minutes * 60_000;
        let well_at = self.store.watch_subject(self.key, subject, well_at, at, at - long).await?;
        Ok((at - well_at >= long).then_some((at - well_at) / 60_000))
    }

    /// Looks now, and tells whoever is to be told: for machines where no service is at work.
    pub async fn check_alerts(&self, environment: Environment<'_>) -> Result<AlertsReport, Error> {
        self.may_migrate()?;
        tend_alerts(self, now(), &self.tellers(environment)?).await?;
        self.alerts(false).await
    }

    /// The alerts that are open; or all.
    pub async fn alerts(&self, all: bool) -> Result<AlertsReport, Error> {
        Ok(AlertsReport::of(self.store.alerts(self.key, !all, LISTED_MAX).await?))
    }
}

/// Who is told of this project's alerts.
pub(crate) fn whom_to_tell(entry: &AlertsEntry, tellers: &Tellers) -> Vec<(Way, String)> {
    let by_mail = entry.to.iter().map(|to| (Way::Mail, to.clone()));
    by_mail.chain(tellers.hook.iter().map(|hook| (Way::Webhook, hook.name()))).collect()
}

#[cfg(test)]
mod tests;
