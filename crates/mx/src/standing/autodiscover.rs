//! Where mail programs find their server.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::WantedAutodiscover;
use crate::Name;

/// What stands at `autodiscover.DOMAIN` and `_autodiscover._tcp.DOMAIN`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Autodiscover {
    /// What `autodiscover` is an alias of.
    pub alias: Option<Name>,
    /// Its addresses, where it is no alias.
    pub addresses: Vec<IpAddr>,
    /// The hosts and ports of the service, the first to be tried first.
    pub services: Vec<(Name, u16)>,
}

impl Autodiscover {
    /// Is it as wanted, with nothing beside it that leads elsewhere? Programs try the host first, the service only if that fails.
    pub fn is(&self, wanted: &WantedAutodiscover) -> bool {
        match wanted {
            WantedAutodiscover::Alias(host) => self.alias.as_ref() == Some(host),
            WantedAutodiscover::Service { target, port } => {
                self.alias.is_none() && self.addresses.is_empty() && self.services == [(target.clone(), *port)]
            }
        }
    }
}

impl fmt::Display for WantedAutodiscover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias(host) => write!(f, "autodiscover CNAME {host}"),
            Self::Service { target, port } => {
                write!(f, "_autodiscover._tcp SRV {target}:{port}, and no autodiscover host beside it")
            }
        }
    }
}

impl fmt::Display for Autodiscover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.alias.as_ref().map(|alias| format!("autodiscover CNAME {alias}")));
        parts.extend(self.addresses.iter().map(|address| format!("autodiscover {address}")));
        parts.extend(self.services.iter().map(|(host, port)| format!("_autodiscover._tcp SRV {host}:{port}")));
        f.write_str(&parts.join(", "))
    }
}
