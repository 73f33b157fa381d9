//! `[mx]`: legacy domains whose MX records move to the target at the end.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Config, FILE};
use crate::Error;

/// Legacy domains whose MX records move to the target at the end.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MxSettings {
    /// Resolvers that are asked, by address, as `192.0.2.53` or with a port; those of this machine when left out.
    #[serde(default)]
    pub resolvers: Vec<String>,
    /// The time to live in seconds that MX records have while they change.
    #[serde(default = "ttl_low_seconds")]
    pub ttl_low_seconds: u32,
    /// For how many days the local server must have taken no mail for the domain before redirects go. Left out: those of the profile.
    pub quiet_days: Option<u16>,
    /// Legacy addresses receive for so many months after the last switch. Left out: those of the profile.
    pub receiving_months: Option<u8>,
    /// And for no more than so many, on a recorded request. Left out: those of the profile.
    pub receiving_months_max: Option<u8>,
    /// Logs of the local servers' Postfix, which tell what mail they still take, on the machine that runs the service.
    #[serde(default)]
    pub logs: Vec<PathBuf>,
    /// For how many days it is kept who wrote to which address.
    #[serde(default = "arrivals_kept_days")]
    pub arrivals_kept_days: u16,
    /// The domains.
    pub domains: BTreeMap<String, MxDomainEntry>,
}

fn ttl_low_seconds() -> u32 {
    300
}

fn arrivals_kept_days() -> u16 {
    365
}

/// What a legacy domain is to have.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MxDomainEntry {
    /// The target's MX records, each as `10 mx.national.example`.
    #[serde(default)]
    pub mx: Vec<String>,
    /// What the SPF record has to allow, as it stands there: `include:spf.national.example`.
    #[serde(default)]
    pub spf: Vec<String>,
    /// The DKIM selectors that the target signs with.
    #[serde(default)]
    pub dkim: Vec<String>,
    /// The host that `autodiscover.DOMAIN` is to be an alias of; left out: it stays as it is.
    pub autodiscover: Option<String>,
    /// The hosts that take the domain's mail for the source.
    #[serde(default)]
    pub local_hosts: Vec<String>,
}

impl MxSettings {
    /// Takes from the profile what the project leaves open.
    pub(super) fn complete(&mut self, profile: &profile::Switching) {
        self.quiet_days.get_or_insert(profile.quiet_days);
        let months = *self.receiving_months.get_or_insert(profile.receiving_months);
        self.receiving_months_max.get_or_insert(profile.receiving_months_max.max(months));
    }

    /// For how many days no mail may have come; it is filled in when the file is read.
    pub(crate) fn quiet_days(&self) -> u16 {
        self.quiet_days.unwrap_or_default()
    }

    /// How long legacy addresses receive.
    pub(crate) fn receiving(&self) -> mx::clocks::ReceivingRule {
        let [months, months_max] = [self.receiving_months, self.receiving_months_max].map(Option::unwrap_or_default);
        mx::clocks::ReceivingRule { months, months_max }
    }

    /// What each domain is to have.
    pub(crate) fn wanted(&self) -> Result<Vec<mx::Wanted>, Error> {
        self.domains.iter().map(|(name, entry)| wanted(name, entry)).collect()
    }

    /// Where the DNS is asked.
    pub(crate) fn look(&self) -> Result<mx::Look, Error> {
        let wrong = |error: mx::dns::NotAServer| {
            Error::usage(format!("{FILE}: mx.resolvers: {error}")).advise("write an address")
        };
        if self.resolvers.is_empty() {
            let servers = mx::dns::system_servers().map_err(|error| {
                Error::usage(format!("this machine's resolvers are not known: {error}"))
                    .advise("name some in mx.resolvers")
            })?;
            return Ok(mx::Look::with(servers));
        }
        let servers: Result<Vec<_>, _> = self.resolvers.iter().map(|text| mx::dns::server(text)).collect();
        Ok(mx::Look::with(servers.map_err(wrong)?))
    }
}

fn wanted(domain: &str, entry: &MxDomainEntry) -> Result<mx::Wanted, Error> {
    let whose = format!("{FILE}: [mx.domains.{domain:?}]");
    let name = |text: &str| -> Result<mx::Name, Error> {
        text.parse().map_err(|error: mx::NotAName| {
            Error::usage(format!("{whose}: {text:?} is no name of a host: {error}"))
                .advise("write it as in mx.national.example")
        })
    };
    let record = |text: &String| -> Result<mx::standing::Mx, Error> {
        let (preference, host) = text.trim().split_once(' ').unwrap_or(("10", text.trim()));
        let preference = preference.parse().map_err(|_| {
            Error::usage(format!("{whose}: mx: {text:?} has no preference"))
                .advise("write it as in 10 mx.national.example")
        })?;
        Ok(mx::standing::Mx { preference, exchange: name(host.trim())? })
    };
    Ok(mx::Wanted {
        domain: name(domain)?,
        mx: entry.mx.iter().map(record).collect::<Result<_, _>>()?,
        spf: entry.spf.clone(),
        dkim: entry
            .dkim
            .iter()
            .map(|selector| mx::standing::WantedKey { selector: selector.clone(), key: None })
            .collect(),
        autodiscover: entry
            .autodiscover
            .as_deref()
            .map(|host| name(host).map(mx::standing::WantedAutodiscover::Alias))
            .transpose()?,
        local_hosts: entry.local_hosts.iter().map(|host| name(host)).collect::<Result<_, _>>()?,
    })
}

impl Config {
    /// Looks that the domains make sense.
    pub(super) fn check_mx(&self) -> Result<(), Error> {
        let Some(settings) = &self.file.mx else { return Ok(()) };
        settings.wanted()?;
        if settings.arrivals_kept_days <= settings.quiet_days() {
            let what = format!(
                "{FILE}: mx.arrivals_kept_days = {} is no more than mx.quiet_days = {}: that mail came would be forgotten too soon",
                settings.arrivals_kept_days,
                settings.quiet_days()
            );
            return Err(Error::usage(what).advise("keep arrivals for longer"));
        }
        let rule = settings.receiving();
        if rule.months_max < rule.months {
            let what = format!(
                "{FILE}: mx.receiving_months_max = {} is less than the {} months that addresses receive",
                rule.months_max, rule.months
            );
            return Err(Error::usage(what).advise("write the same or more"));
        }
        if !settings.resolvers.is_empty() {
            settings.look()?;
        }
        Ok(())
    }
}
