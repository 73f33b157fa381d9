//! The records that are asked for.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::Name;

/// A type of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordType {
    /// An IPv4 address.
    A,
    /// A server of the zone.
    Ns,
    /// Another name for this one.
    Cname,
    /// The start of a zone.
    Soa,
    /// Who takes mail.
    Mx,
    /// Text.
    Txt,
    /// An IPv6 address (RFC 3596).
    Aaaa,
    /// Where a service is (RFC 2782).
    Srv,
}

impl RecordType {
    pub(super) fn code(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Ns => 2,
            Self::Cname => 5,
            Self::Soa => 6,
            Self::Mx => 15,
            Self::Txt => 16,
            Self::Aaaa => 28,
            Self::Srv => 33,
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::Ns => "NS",
            Self::Cname => "CNAME",
            Self::Soa => "SOA",
            Self::Mx => "MX",
            Self::Txt => "TXT",
            Self::Aaaa => "AAAA",
            Self::Srv => "SRV",
        })
    }
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose it is.
    pub owner: Name,
    /// How long it may be kept.
    pub ttl_seconds: u32,
    /// What it says.
    pub data: Data,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// The name that this one stands for.
    Cname(Name),
    /// A server of the zone.
    Ns(Name),
    /// Who takes mail.
    Mx {
        /// The lower one is tried first.
        preference: u16,
        /// The host.
        exchange: Name,
    },
    /// Its strings, one behind the other without a space, as SPF, DKIM and DMARC read them (RFC 7208 §3.3).
    Txt(Vec<u8>),
    /// Where a service is.
    Srv {
        /// The lower one is tried first.
        priority: u16,
        /// How often among those with one priority.
        weight: u16,
        /// The port.
        port: u16,
        /// The host.
        target: Name,
    },
    /// The start of a zone.
    Soa {
        /// The server that the zone is kept on.
        primary: Name,
        /// The zone's version.
        serial: u32,
        /// How long it may be kept that a name or a record is not there (RFC 2308 §4).
        minimum_seconds: u32,
    },
    /// A type that is not asked for.
    Other(u16),
}

impl Data {
    pub(super) fn code(&self) -> u16 {
        let kind = match self {
            Self::A(_) => RecordType::A,
            Self::Aaaa(_) => RecordType::Aaaa,
            Self::Cname(_) => RecordType::Cname,
            Self::Ns(_) => RecordType::Ns,
            Self::Mx { .. } => RecordType::Mx,
            Self::Txt(_) => RecordType::Txt,
            Self::Srv { .. } => RecordType::Srv,
            Self::Soa { .. } => RecordType::Soa,
            Self::Other(code) => return *code,
        };
        kind.code()
    }
}
