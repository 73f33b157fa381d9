//! What the DNS says of a legacy domain now: to each resolver that is asked, and at the domain's own servers.
//!
//! What could not be found out is never taken for what is not there.

mod autodiscover;
mod dkim;
mod dmarc;
mod look;
mod seen;
mod spf;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub use autodiscover::Autodiscover;
pub use dkim::DkimKey;
pub use dmarc::{Alignment, Dmarc, DmarcPolicy};
pub use look::{Look, look};
pub use seen::Seen;
pub(crate) use spf::LOOKUPS_MAX as SPF_LOOKUPS_MAX;
pub use spf::{Spf, SpfTerm};

use crate::Name;

/// What a legacy domain is to have: from the project's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The domain.
    pub domain: Name,
    /// Where its mail is to go: the target platform's MX records.
    pub mx: Vec<Mx>,
    /// What its SPF record has to allow, as it stands there: `include:spf.example`, `ip4:192.0.2.0/24`.
    pub spf: Vec<String>,
    /// The DKIM selectors that the target platform signs with.
    pub dkim: Vec<WantedKey>,
    /// Where mail programs are to find the target platform. None: nothing is to change.
    pub autodiscover: Option<WantedAutodiscover>,
    /// The hosts that take the domain's mail for the local server.
    pub local_hosts: Vec<Name>,
}

/// A DKIM selector that is to be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedKey {
    /// Its name, as in `selector._domainkey`.
    pub selector: String,
    /// Its public key (`p=`), where it is known. Else any that is not revoked will do.
    pub key: Option<String>,
}

/// Where mail programs are to look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WantedAutodiscover {
    /// `autodiscover.DOMAIN` is an alias of this host.
    Alias(Name),
    /// `_autodiscover._tcp.DOMAIN` names this host and port.
    Service {
        /// The host.
        target: Name,
        /// The port.
        port: u16,
    },
}

/// An MX record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mx {
    /// The lower one is tried first.
    pub preference: u16,
    /// The host.
    pub exchange: Name,
}

/// Where a domain's mail goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MailRoute {
    /// To these, in order.
    Mx(Vec<Mx>),
    /// Nowhere: the domain says that it takes no mail (RFC 7505).
    NullMx,
    /// There is no MX record, so to the domain's own addresses (RFC 5321 §5.1).
    OwnAddress(Vec<std::net::IpAddr>),
    /// The domain is there, with neither.
    Nothing,
    /// The domain is not there.
    NoDomain,
}

/// Who said something.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Observer {
    /// A resolver.
    Resolver(SocketAddr),
    /// A server of the domain's own zone.
    Authoritative {
        /// Its name.
        name: Name,
        /// Its address.
        address: SocketAddr,
    },
}

/// What one server says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Which one.
    pub by: Observer,
    /// Where mail goes.
    pub mail: Seen<MailRoute>,
    /// Who may send for the domain (RFC 7208).
    pub spf: Seen<Spf>,
    /// The wanted selectors, in their order.
    pub dkim: Vec<(String, Seen<DkimKey>)>,
    /// What receivers are asked to do with what fails (RFC 7489).
    pub dmarc: Seen<Dmarc>,
    /// Where mail programs look.
    pub autodiscover: Seen<Autodiscover>,
}

/// How many look-ups reading a domain's SPF record needs (RFC 7208 §4.6.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpfCost {
    /// The domain.
    pub domain: Name,
    /// With all that it leads to; counted no further than to one too many. Why it is not known else.
    pub lookups: Result<usize, String>,
}

/// A host that mail is to go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: Name,
    /// Its addresses.
    pub addresses: Seen<Vec<std::net::IpAddr>>,
    /// What it is an alias of: an MX record must not name an alias (RFC 2181 §10.3).
    pub alias_of: Option<Name>,
}

/// What the DNS says of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The domain.
    pub domain: Name,
    /// What each resolver says.
    pub resolvers: Vec<View>,
    /// What each server of the zone says.
    pub authoritative: Vec<View>,
    /// Why some servers of the zone could not be asked.
    pub authoritative_unknown: Vec<String>,
    /// The hosts of the wanted MX records.
    pub wanted_hosts: Vec<Host>,
    /// The domains that the SPF record, or what is wanted in it, leads to.
    pub spf_costs: Vec<SpfCost>,
}

/// Something that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// Where mail goes.
    Mail,
    /// Who may send.
    Spf,
    /// The keys that sign.
    Dkim,
    /// What is asked of receivers.
    Dmarc,
    /// Where mail programs look.
    Autodiscover,
}

impl Subject {
    /// All of them.
    pub const EVERY: [Self; 5] = [Self::Mail, Self::Spf, Self::Dkim, Self::Dmarc, Self::Autodiscover];
}

/// Whether the servers say the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Agreement {
    /// All say this.
    Same(String),
    /// They say different things, each as text.
    Differ(Vec<(Observer, String)>),
    /// Those that answered agree, and these could not be asked.
    Unknown(Vec<(Observer, String)>),
}

impl Standing {
    /// Every view: the resolvers', then those of the zone's servers.
    pub fn views(&self) -> impl Iterator<Item = &View> {
        self.resolvers.iter().chain(&self.authoritative)
    }

    /// Do all that were asked say the same? Times to live are left out: a resolver's run down.
    pub fn agreement(&self, subject: Subject) -> Agreement {
        let said: Vec<(Observer, Result<String, String>)> =
            self.views().map(|view| (view.by.clone(), view.says(subject))).collect();
        let known: Vec<_> =
            said.iter().filter_map(|(by, text)| text.as_ref().ok().map(|text| (by.clone(), text.clone()))).collect();
        if known.windows(2).any(|pair| pair[0].1 != pair[1].1) {
            return Agreement::Differ(known);
        }
        let unknown: Vec<_> = said.into_iter().filter_map(|(by, text)| text.err().map(|why| (by, why))).collect();
        match known.into_iter().next() {
            Some((_, text)) if unknown.is_empty() => Agreement::Same(text),
            _ => Agreement::Unknown(unknown),
        }
    }

    /// Who says that mail goes to one of these hosts, or could not be asked: as long as there is one, the local server can't go
    /// (ruling A-19).
    pub fn leads_to(&self, hosts: &[Name]) -> Vec<String> {
        let leads = |view: &View| match &view.mail {
            Seen::Known { value: MailRoute::Mx(mx), .. } => mx
                .iter()
                .find(|mx| hosts.contains(&mx.exchange))
                .map(|mx| format!("{} leads mail to {}", view.by, mx.exchange)),
            Seen::Known { value: MailRoute::OwnAddress(_), .. } => {
                Some(format!("{} has no MX record, so mail goes to the domain's own address", view.by))
            }
            Seen::Known { .. } | Seen::Absent { .. } => None,
            Seen::Unknown(why) => Some(format!("{} could not be asked: {why}", view.by)),
        };
        self.views().filter_map(leads).chain(self.authoritative_unknown.iter().cloned()).collect()
    }
}

impl View {
    /// What it says of a subject, as a line; or why that is not known.
    pub fn says(&self, subject: Subject) -> Result<String, String> {
        match subject {
            Subject::Mail => self.mail.text(),
            Subject::Spf => self.spf.text(),
            Subject::Dmarc => self.dmarc.text(),
            Subject::Autodiscover => self.autodiscover.text(),
            Subject::Dkim => {
                let keys: Result<Vec<_>, _> =
                    self.dkim.iter().map(|(name, key)| key.text().map(|key| format!("{name}: {key}"))).collect();
                keys.map(|keys| keys.join("; "))
            }
        }
    }
}

impl Wanted {
    /// Is this where mail is to go?
    pub fn is_wanted(&self, route: &MailRoute) -> bool {
        let MailRoute::Mx(mx) = route else { return false };
        let sorted = |mx: &[Mx]| {
            let mut mx = mx.to_vec();
            mx.sort();
            mx.dedup();
            mx
        };
        !self.mx.is_empty() && sorted(mx) == sorted(&self.mx)
    }
}

impl std::fmt::Display for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Resolver(address) => write!(f, "resolver {address}"),
            Self::Authoritative { name, address } => write!(f, "{name} ({address})"),
        }
    }
}

impl std::fmt::Display for Mx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.preference, self.exchange)
    }
}

impl std::fmt::Display for MailRoute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let listed = |texts: Vec<String>| texts.join(", ");
        match self {
            Self::Mx(mx) => write!(f, "MX {}", listed(mx.iter().map(ToString::to_string).collect())),
            Self::NullMx => f.write_str("MX 0 . (takes no mail)"),
            Self::OwnAddress(all) => {
                write!(f, "no MX; the domain's own address {}", listed(all.iter().map(ToString::to_string).collect()))
            }
            Self::Nothing => f.write_str("no MX and no address"),
            Self::NoDomain => f.write_str("no such domain"),
        }
    }
}
