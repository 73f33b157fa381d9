//! What a server says about a name, with aliases followed.

use std::net::SocketAddr;

use super::exchange::{self, Failure, Patience};
use super::wire::{Message, Question};
use super::{Data, Name, Record, RecordType};

const NOERROR: u8 = 0;
const NXDOMAIN: u8 = 3;
/// More aliases in a row than this are a mistake of the zone.
const ALIASES_MAX: usize = 8;

/// A server that is asked. Nothing is kept between two questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolver {
    server: SocketAddr,
    patience: Patience,
    recursive: bool,
}

/// What a server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What there is.
    pub outcome: Outcome,
    /// The names that this one stands for, one after the other.
    pub aliases: Vec<Name>,
}

/// What there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Records of the type.
    Found {
        /// The records.
        records: Vec<Data>,
        /// How long all of it may be kept, the aliases included.
        ttl_seconds: u32,
    },
    /// The name is there, and no record of the type (NODATA).
    NoData {
        /// How long that may be kept, where it was said.
        ttl_seconds: Option<u32>,
    },
    /// The name is not there (NXDOMAIN).
    NoName {
        /// How long that may be kept, where it was said.
        ttl_seconds: Option<u32>,
    },
    /// The name is an alias of one that this server does not answer for. Only from a server of the zone.
    Elsewhere(Name),
}

impl Resolver {
    /// A server that looks names up for others.
    pub fn at(server: SocketAddr, patience: Patience) -> Self {
        Self { server, patience, recursive: true }
    }

    /// A server of the zone itself, which is asked for what it has and nothing else. An answer that it does not give as the zone's own
    /// counts for nothing.
    pub fn authoritative(server: SocketAddr, patience: Patience) -> Self {
        Self { server, patience, recursive: false }
    }

    /// Its address.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// Asks for the records of a type. Aliases are followed unless the aliases themselves are asked for.
    pub async fn lookup(&self, name: &Name, kind: RecordType) -> Result<Answer, Failure> {
        let mut walk = Walk { at: name.clone(), aliases: Vec::new(), ttl_seconds: u32::MAX };
        loop {
            let question = Question { name: walk.at.clone(), kind };
            let message = exchange::ask(self.server, &question, self.recursive, self.patience).await;
            let message = match message {
                // It has the alias, and not where that leads.
                Err(_) if !self.recursive && !walk.aliases.is_empty() => return Ok(walk.elsewhere()),
                other => other?,
            };
            let asked_for = walk.at.clone();
            if !walk.follow(&message, kind) {
                return Err(Failure::Aliases { server: self.server, name: name.clone() });
            }
            let found: Vec<&Record> = message.answers.iter().filter(|record| walk.is_for(record, kind)).collect();
            let absent = message.authority.iter().find_map(negative_ttl).map(|ttl| ttl.min(walk.ttl_seconds));
            let outcome = match message.code {
                // Neither its own zone's nor looked up: what such a server says, or does not have, proves nothing.
                NOERROR | NXDOMAIN
                    if walk.aliases.is_empty() && !message.authoritative && !(self.recursive && message.recursion) =>
                {
                    return Err(self.referral(name, kind));
                }
                NOERROR if !found.is_empty() => {
                    let ttl_seconds = found.iter().map(|record| record.ttl_seconds).fold(walk.ttl_seconds, u32::min);
                    Outcome::Found {
                        records: found.into_iter().map(|record| record.data.clone()).collect(),
                        ttl_seconds,
                    }
                }
                // RFC 6604 §3: this is said of the end of the chain.
                NXDOMAIN => Outcome::NoName { ttl_seconds: absent },
                NOERROR if absent.is_some() => Outcome::NoData { ttl_seconds: absent },
                // The chain goes on where this answer ends.
                NOERROR if walk.at != asked_for => continue,
                NOERROR if !self.recursive && !message.authoritative => return Ok(walk.elsewhere()),
                // RFC 2308 §2.2: servers of the zone below, and no start of this one.
                NOERROR
                    if message.authority.iter().any(|record| matches!(record.data, Data::Ns(_)))
                        && !message.authoritative =>
                {
                    return Err(self.referral(name, kind));
                }
                NOERROR => Outcome::NoData { ttl_seconds: None },
                _ if !self.recursive && !walk.aliases.is_empty() => return Ok(walk.elsewhere()),
                code => return Err(Failure::Refused { server: self.server, name: name.clone(), kind, code }),
            };
            return Ok(Answer { outcome, aliases: walk.aliases });
        }
    }

    fn referral(&self, name: &Name, kind: RecordType) -> Failure {
        Failure::Referral { server: self.server, name: name.clone(), kind }
    }
}

/// RFC 2308 §5: the smaller one of the record's own time and what it says.
fn negative_ttl(record: &Record) -> Option<u32> {
    match record.data {
        Data::Soa { minimum_seconds, .. } => Some(minimum_seconds.min(record.ttl_seconds)),
        _ => None,
    }
}

/// How far the aliases have led.
struct Walk {
    at: Name,
    aliases: Vec<Name>,
    ttl_seconds: u32,
}

impl Walk {
    /// Goes as far as the aliases of an answer lead. False when they close, or are too many.
    fn follow(&mut self, message: &Message, kind: RecordType) -> bool {
        if kind == RecordType::Cname {
            return true;
        }
        while let Some((ttl_seconds, target)) = message.answers.iter().find_map(|record| self.alias_of(record)) {
            if self.aliases.len() >= ALIASES_MAX || self.aliases.contains(&target) || target == self.at {
                return false;
            }
            self.ttl_seconds = self.ttl_seconds.min(ttl_seconds);
            self.aliases.push(target.clone());
            self.at = target;
        }
        true
    }

    fn alias_of(&self, record: &Record) -> Option<(u32, Name)> {
        match &record.data {
            Data::Cname(target) if record.owner == self.at => Some((record.ttl_seconds, target.clone())),
            _ => None,
        }
    }

    fn is_for(&self, record: &Record, kind: RecordType) -> bool {
        record.owner == self.at && record.data.code() == kind.code()
    }

    fn elsewhere(self) -> Answer {
        Answer { outcome: Outcome::Elsewhere(self.at), aliases: self.aliases }
    }
}
