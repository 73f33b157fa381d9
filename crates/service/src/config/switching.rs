//! `[routers]`, `[routing]`, `[switch]`: who sends people's mail elsewhere, where mail goes on both sides, and how people are switched.

use std::collections::BTreeMap;
use std::time::Duration;

use model::Side;
use profile::{Forwarding, Switching};
use schemars::JsonSchema;
use serde::Deserialize;
use switch::{Limits, Rule};

use super::{Config, EndpointEntry, FILE, alike};
use crate::Error;

/// How people are switched.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SwitchEntry {
    /// Between two passes that find nothing new lie this many seconds, before what was on its way to the source counts as come over.
    pub drain_quiet_seconds: u64,
    /// Before the redirect is on, what fails for this many seconds is reversed.
    pub reverse_after_seconds: u64,
    /// The first wait after a failed try; it doubles, up to 64 times this.
    pub retry_seconds: u64,
    /// A switched mailbox is followed for this many days, for what still comes to the source.
    pub settle_days: u64,
    /// A mailbox that is not in step so many hours after its date is parked.
    pub give_up_after_hours: u64,
    /// The rules that have to be met, besides those that always have to; `whimbrel switch rules` lists them.
    pub require: Vec<String>,
    /// Of which domains of the source the platform takes addresses for its accounts; those of `routing.source`, when left out. Addresses
    /// of other domains are not written, and told as missing.
    pub address_domains: Option<Vec<String>>,
    /// The mailbox at the source is closed to its person so many days after the switch, or once their client was led to the target. Left
    /// out: after the days of the profile, if it has any. Needs `[access]`.
    pub close_after_days: Option<u64>,
    /// The source forwards a person's mail, and answers by itself, so many months after their switch. Left out: those of the profile.
    pub auto_forward_months: Option<u8>,
    /// What the source answers by itself meanwhile, with `{name}`, `{address}`, `{until}` and `{organisation}`. Left out: that
    /// of the profile.
    pub auto_response: Option<String>,
    /// The day on which the local servers are taken down: nothing is forwarded past it.
    pub decommission_on: Option<String>,
    /// Old addresses are added to people's accounts by hand: nothing is written to the platform's directory by the switch.
    pub addresses_by_hand: bool,
    /// Accounts of whose switch no date is known forward to the source for so many weeks, as far as anybody is told. Left out:
    /// those of the profile.
    pub forwarded_weeks: Option<u8>,
}

impl Default for SwitchEntry {
    fn default() -> Self {
        Self {
            drain_quiet_seconds: 60,
            reverse_after_seconds: 900,
            retry_seconds: 5,
            settle_days: 14,
            give_up_after_hours: 72,
            require: [Rule::AccountActivated, Rule::SharingInPlace, Rule::AddressBooks, Rule::Go]
                .map(|rule| rule.name().to_owned())
                .to_vec(),
            address_domains: None,
            close_after_days: None,
            auto_forward_months: None,
            auto_response: None,
            decommission_on: None,
            addresses_by_hand: false,
            forwarded_weeks: None,
        }
    }
}

impl SwitchEntry {
    /// How long a task may be tried.
    pub(crate) fn limits(&self) -> Limits {
        let wait = Duration::from_secs(self.retry_seconds);
        Limits { reverse_after: Duration::from_secs(self.reverse_after_seconds), wait, wait_max: wait * 64 }
    }

    /// How long after a switch was reversed by itself it is tried again, having been reversed so often.
    pub(crate) fn reverse_wait_ms(&self, times: u32) -> i64 {
        let first = i64::try_from(self.reverse_after_seconds.max(self.retry_seconds)).unwrap_or(i64::MAX / 4096) * 1000;
        first.saturating_mul(1 << times.saturating_sub(1).min(6))
    }

    /// The usual rules that the project does not ask for.
    pub(crate) fn unasked(&self) -> Vec<&'static str> {
        let (asked, usual) = (self.rules(), Self::default().rules());
        usual.into_iter().filter(|rule| !asked.contains(rule)).map(Rule::name).collect()
    }

    /// The rules that are asked for.
    pub(crate) fn rules(&self) -> Vec<Rule> {
        let asked = |rule: &Rule| !rule.may_be_signed() || self.require.iter().any(|name| name == rule.name());
        let always = [Rule::MatchSignedOff, Rule::NoOpenIssue, Rule::AddressesFree, Rule::ProgrammeAllows];
        Rule::EVERY.into_iter().filter(|rule| always.contains(rule) || asked(rule)).collect()
    }
}

/// Where mail goes on both sides. Without it nobody is switched: nothing could tell whether mail would go round.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingEntry {
    /// The source's mail system.
    pub source: SiteEntry,
    /// The target's.
    pub target: SiteEntry,
    /// Where each domain's MX points: `source`, `target`, `elsewhere` or `nowhere`. A domain that is left out points to the side that
    /// names it.
    #[serde(default)]
    pub mx: BTreeMap<String, MxEntry>,
    /// May mail be forwarded from source to target? The switch does that. What the profile forbids is not allowed by this.
    #[serde(default = "yes")]
    pub source_to_target: bool,
    /// May mail be forwarded from target to source? New accounts do that until they are switched. What the profile forbids is not allowed
    /// by this.
    #[serde(default = "yes")]
    pub target_to_source: bool,
    /// Domains of neither side to which mail may be forwarded, besides those of the profile; `*.police.example` stands for all below it.
    #[serde(default)]
    pub secure_domains: Vec<String>,
    /// What the profile says of forwarding from target to source.
    #[serde(skip)]
    #[schemars(skip)]
    pub target_to_source_of_profile: Option<Forwarding>,
}

fn yes() -> bool {
    true
}

/// A side's mail system.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteEntry {
    /// The domains for which it takes mail.
    pub domains: Vec<String>,
    /// People's addresses there, made of their names: `{source}` and `{target}` stand for their names at each endpoint, as in
    /// `{source}@hill.example`. Left out: their name at this side's endpoint is their address.
    pub address: Option<String>,
    /// Other domains in which everybody has the same address: `{local}@DOMAIN` with the part before the at sign as in `address`.
    #[serde(default)]
    pub alias_domains: Vec<String>,
    /// Does it send what it has no entry of to the other side? Else it refuses it.
    #[serde(default)]
    pub relays_unknown: bool,
    /// Does it refuse mail that fails SPF? Taken as true when left out.
    #[serde(default = "yes")]
    pub enforces_spf: bool,
    /// Does it refuse mail that fails DMARC? Taken as true when left out.
    #[serde(default = "yes")]
    pub enforces_dmarc: bool,
    /// Does it take the other side's mail without asking SPF and DMARC?
    #[serde(default)]
    pub trusts_other: bool,
    /// The domains for which it may send, by their SPF records; its own, when left out.
    pub sends_for: Option<Vec<String>>,
}

impl SiteEntry {
    /// Is it a domain for which it takes mail?
    pub(crate) fn takes(&self, domain: &str) -> bool {
        self.domains.iter().chain(&self.alias_domains).any(|own| own.eq_ignore_ascii_case(domain))
    }

    /// A person's addresses on this side, the primary one first.
    pub(crate) fn addresses(&self, side: Side, source: &str, target: &str) -> Vec<String> {
        let own = if side == Side::Source { source } else { target };
        let first = self
            .address
            .as_ref()
            .map_or_else(|| own.to_owned(), |form| form.replace("{source}", source).replace("{target}", target));
        let local = first.rsplit_once('@').map_or(first.as_str(), |(local, _)| local).to_owned();
        let others = self.alias_domains.iter().map(|domain| format!("{local}@{domain}"));
        std::iter::once(first).chain(others.collect::<Vec<_>>()).collect()
    }
}

/// Where an MX points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MxEntry {
    /// To the source.
    Source,
    /// To the target.
    Target,
    /// To somebody else.
    Elsewhere,
    /// There is none.
    Nowhere,
}

impl SwitchEntry {
    /// Takes from the profile what the project leaves open.
    pub(super) fn complete(&mut self, profile: &Switching, closes: bool) {
        self.close_after_days = self.close_after_days.or(profile.close_after_days.filter(|_| closes));
        self.auto_forward_months.get_or_insert(profile.auto_forward_months);
        self.auto_response.get_or_insert_with(|| profile.auto_response.clone());
        self.forwarded_weeks.get_or_insert(profile.forwarded_weeks);
        let asks = [profile.source_to_target, profile.target_to_source].contains(&Forwarding::Decided);
        let name = Rule::ForwardingDecided.name();
        if asks && !self.require.iter().any(|known| known == name) {
            self.require.push(name.to_owned());
        }
    }

    /// For how many weeks accounts are forwarded of whose switch no date is known.
    pub(crate) fn forwarded_weeks(&self) -> u8 {
        self.forwarded_weeks.unwrap_or(Switching::default().forwarded_weeks)
    }

    /// The day on which the local servers are taken down.
    pub(crate) fn decommission(&self) -> Option<jiff::civil::Date> {
        self.decommission_on.as_ref().and_then(|day| day.parse().ok())
    }

    /// How long the source forwards the mail of somebody who was switched on this day, and answers by itself.
    pub(crate) fn forwarding(&self, switched: Option<jiff::civil::Date>) -> Option<mx::clocks::Clock> {
        let months = self.auto_forward_months.unwrap_or_default();
        mx::clocks::forwarding(switched, months, self.decommission()).ok()
    }
}

impl RoutingEntry {
    /// What the profile forbids is forbidden, and what it calls secure is secure.
    pub(super) fn complete(&mut self, profile: &Switching) {
        self.source_to_target &= profile.source_to_target != Forwarding::Forbidden;
        self.target_to_source &= profile.target_to_source != Forwarding::Forbidden;
        self.target_to_source_of_profile = Some(profile.target_to_source);
        self.secure_domains.extend(profile.secure_domains.iter().cloned());
    }
}

impl Config {
    /// Is this rule asked before somebody is switched?
    pub(crate) fn asks_for(&self, rule: Rule) -> bool {
        !self.routers.is_empty() && self.file.switch.rules().contains(&rule)
    }

    /// Looks that routers, routing and switch make sense.
    pub(super) fn check_switching(&self) -> Result<(), Error> {
        let mut routed: BTreeMap<&str, &str> = BTreeMap::new();
        let mut by_scripts: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, router) in &self.routers {
            let endpoint = router.endpoint.as_str();
            if !self.endpoints.contains_key(endpoint) {
                let what = format!("{FILE}: [routers.{name}]: endpoint = {endpoint:?}, but there is no such endpoint");
                return Err(match alike(endpoint, self.endpoints.keys().map(String::as_str)) {
                    Some(known) => Error::usage(what).advise(format!("did you mean {known:?}?")),
                    None => Error::usage(what).advise("write the name of one"),
                });
            }
            // What a person is asked for is known by endpoint and account.
            if router.exchange().is_some()
                && let Some(other) = by_scripts.insert(endpoint, name)
            {
                let what = format!(
                    "{FILE}: routers.{other} and routers.{name} both write scripts for the endpoint {endpoint:?}"
                );
                return Err(Error::usage(what).advise("leave one of them"));
            }
            if router.inventory {
                continue;
            }
            if let Some(other) = routed.insert(endpoint, name) {
                let what = format!("{FILE}: routers.{other} and routers.{name} are both for the endpoint {endpoint:?}");
                return Err(Error::usage(what)
                    .advise("leave one of them, or write inventory = true into the one that is only to be read"));
            }
        }
        self.check_access()?;
        for name in &self.file.switch.require {
            match Rule::from_name(name) {
                Some(rule) if rule.may_be_signed() => {}
                Some(_) => {
                    let what = format!("{FILE}: switch.require: {name:?} is always required");
                    return Err(Error::usage(what).advise("leave it out"));
                }
                None => {
                    let error = Error::usage(format!("{FILE}: switch.require: {name:?} is no rule"));
                    let names = Rule::EVERY.into_iter().map(Rule::name);
                    return Err(match alike(name, names.clone()) {
                        Some(known) => error.advise(format!("did you mean {known:?}?")),
                        None => error.advise(format!("rules are {}", names.collect::<Vec<_>>().join(", "))),
                    });
                }
            }
        }
        if let Some(day) =
            self.file.switch.decommission_on.as_ref().filter(|_| self.file.switch.decommission().is_none())
        {
            let what = format!("{FILE}: switch.decommission_on = {day:?} is no day");
            return Err(Error::usage(what).advise("write it as 2027-03-31"));
        }
        if let Some(mistake) = self.file.switch.auto_response.as_deref().and_then(profile::response_mistake) {
            let what = format!("{FILE}: switch.auto_response: {mistake}");
            return Err(Error::usage(what).advise("write it as in: please write to {address}"));
        }
        if self.file.switch.retry_seconds == 0 {
            let what = format!("{FILE}: switch.retry_seconds = 0 would ask without a pause");
            return Err(Error::usage(what).advise("write 1 or more"));
        }
        let Some(routing) = &self.file.routing else { return Ok(()) };
        for (key, site) in [("source", &routing.source), ("target", &routing.target)] {
            if site.domains.is_empty() {
                let what = format!("{FILE}: routing.{key}.domains is empty: it would take no mail");
                return Err(Error::usage(what).advise("name the domains for which it takes mail"));
            }
            let named = site.domains.iter().chain(&site.alias_domains).chain(site.sends_for.iter().flatten());
            let taken = self.file.switch.address_domains.iter().flatten();
            let secure = routing.secure_domains.iter().map(|domain| domain.strip_prefix("*.").unwrap_or(domain));
            let named = named.chain(routing.mx.keys()).chain(taken).map(String::as_str);
            for domain in named.chain(secure) {
                if routing::MailAddress::parse(&format!("a@{domain}")).is_err() {
                    return Err(Error::usage(format!("{FILE}: routing or switch: {domain:?} is no domain"))
                        .advise("write it as in hill.example"));
                }
            }
        }
        Ok(())
    }
}

impl Config {
    /// Is there a router at this endpoint that can put a redirect on?
    pub(crate) fn forwards_at(&self, endpoint: &str) -> bool {
        self.routers.values().any(|router| !router.inventory && router.endpoint == endpoint)
    }

    /// What keeps new accounts from forwarding to the source until their people are switched; none: nothing.
    pub(crate) fn lacks_forwarding(&self) -> Option<String> {
        let Some(routing) = &self.file.routing else { return Some(format!("{FILE} has no [routing]")) };
        if self.file.source.is_none() {
            return Some(format!("{FILE} has no [source]"));
        }
        if !routing.target_to_source {
            return Some("mail may not be forwarded from target to source (R-086)".to_owned());
        }
        let target = self.target();
        (!self.forwards_at(target)).then(|| format!("[routers] has none for the target's endpoint {target:?}"))
    }

    /// Looks that what closes mailboxes makes sense: it may not close them to whoever migrates.
    fn check_access(&self) -> Result<(), Error> {
        let sources = self.sources();
        let mut closed: BTreeMap<&str, String> = BTreeMap::new();
        let accesses = self.accesses.iter().map(|(name, access)| (&access.endpoint, format!("access.{name}"), true));
        let closing = self.routers.iter().filter_map(|(name, router)| {
            let closing = router.exchange()?.closing.as_ref()?;
            // By scripts the way in of whoever migrates may be left open.
            Some((&router.endpoint, format!("routers.{name}.closing"), closing.ways.contains(&exchange::WayIn::Imap)))
        });
        for (endpoint, name, closes_imap) in accesses.chain(closing) {
            let place = format!("{FILE}: [{name}]: endpoint = {endpoint:?}");
            if !sources.contains(endpoint) {
                let error = Error::usage(format!("{place} is no endpoint of the source"));
                return Err(match alike(endpoint, sources.iter().map(String::as_str)) {
                    Some(known) => error.advise(format!("did you mean {known:?}?")),
                    None => error.advise("write the name of one: mailboxes at the source are closed"),
                });
            }
            if let Some(EndpointEntry::Imap(imap)) = self.endpoints.get(endpoint)
                && imap.login.is_none()
                && closes_imap
            {
                let what = format!("{place} is opened with people's own passwords: closed to them it is closed to us");
                return Err(Error::usage(what).advise("give the endpoint a login for everyone"));
            }
            if let Some(other) = closed.insert(endpoint, name.clone()) {
                let what = format!("{FILE}: {other} and {name} are both for the endpoint {endpoint:?}");
                return Err(Error::usage(what).advise("leave one of them"));
            }
        }
        if self.file.switch.close_after_days.is_some() && closed.is_empty() {
            let what = format!("{FILE}: switch.close_after_days needs [access]: nothing says how mailboxes are closed");
            return Err(Error::usage(what).advise("docs/switch.md shows how; or leave it out"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(address: Option<&str>, aliases: &[&str]) -> SiteEntry {
        SiteEntry {
            domains: vec!["hill.example".to_owned()],
            address: address.map(str::to_owned),
            alias_domains: aliases.iter().map(|domain| (*domain).to_owned()).collect(),
            relays_unknown: false,
            enforces_spf: true,
            enforces_dmarc: true,
            trusts_other: false,
            sends_for: None,
        }
    }

    #[test]
    fn addresses_are_made_of_names() {
        let named = site(None, &[]).addresses(Side::Source, "ann@hill.example", "ann.a@nhs.example");
        assert_eq!(named, ["ann@hill.example"]);
        let formed = site(Some("{source}@hill.example"), &["old.example"]).addresses(Side::Source, "ann", "x");
        assert_eq!(formed, ["ann@hill.example", "ann@old.example"]);
    }
}
