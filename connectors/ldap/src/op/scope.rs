//! What is in scope: bases, a filter, a group's members.

use std::collections::HashMap;

use connector::Error;
use model::{Cause, Scope as Reach};

use super::root::Root;
use crate::config::{Config, Kind};
use crate::wire::dn::Dn;
use crate::wire::filter;

/// What counts as an entry in Active Directory: people, contacts and groups, but nothing that Windows made for itself.
const OBJECTS_AD: &str = "(&(|(&(objectCategory=person)(|(objectClass=user)(objectClass=contact)))(objectClass=group))(!(isCriticalSystemObject=TRUE)))";

/// The classes of those, also of what was deleted.
const CLASSES_AD: &str = "(&(|(objectClass=user)(objectClass=contact)(objectClass=group))(!(objectClass=computer)))";

/// What other objects stand in: what is below one is called otherwise, and may be out of scope, once it has moved.
const CONTAINERS_AD: &str = "(|(objectClass=organizationalUnit)(objectClass=container)(objectClass=builtinDomain)(objectClass=domainDNS)(objectClass=organization)(objectClass=locality)(objectClass=country))";

/// The same elsewhere, where it is told of every entry whether another stands below it (X.501 section 14.4).
const CONTAINERS_LDAP: &str = "(|(objectClass=organizationalUnit)(objectClass=organization)(objectClass=locality)(objectClass=country)(objectClass=domain)(objectClass=dcObject)(objectClass=nsContainer)(hasSubordinates=TRUE))";

/// What counts as an entry elsewhere.
const OBJECTS_LDAP: &str = "(|(objectClass=person)(objectClass=inetLocalMailRecipient)(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=groupOfMembers)(objectClass=nisMailAlias)(objectClass=room)(objectClass=account))";

/// The members of the scope group, by what tells their names from others.
pub(crate) type Members = HashMap<u64, String>;

/// What is in scope.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// Where: no base is within another.
    pub(crate) bases: Vec<(String, Dn)>,
    /// Which objects.
    pub(crate) filter: String,
    /// The classes of objects that may be in scope, also of deleted ones.
    pub(crate) classes: String,
    /// What entries stand in.
    pub(crate) containers: &'static str,
    /// Only these, if given.
    pub(crate) members: Option<Members>,
}

impl Scope {
    /// As the settings say, without the group.
    pub(crate) fn of(config: &Config, root: &Root) -> Result<Self, Error> {
        let names = if config.bases.is_empty() { vec![root.own_context()?] } else { config.bases.clone() };
        let mut bases: Vec<(String, Dn)> = Vec::new();
        for name in names {
            let dn = Dn::parse(&name).ok_or_else(|| {
                Error::new(Cause::Missing, Reach::Run, format!("bases: {name:?} is no distinguished name"))
            })?;
            if bases.iter().any(|(_, base)| dn.is_within(base)) {
                continue;
            }
            bases.retain(|(_, base)| !base.is_within(&dn));
            bases.push((name, dn));
        }
        let (usual, containers) = match config.kind {
            Kind::ActiveDirectory => (OBJECTS_AD, CONTAINERS_AD),
            Kind::Ldap => (OBJECTS_LDAP, CONTAINERS_LDAP),
        };
        let objects = config.objects.as_deref().unwrap_or(usual);
        let filter = filter::all([objects, config.filter.as_deref().unwrap_or("")]);
        let classes = if config.objects.is_none() { CLASSES_AD } else { "(objectClass=*)" };
        Ok(Self { bases, filter, classes: classes.to_owned(), containers, members: None })
    }

    /// May what stands here be in scope, as far as the group goes?
    pub(crate) fn has_member(&self, place: u64) -> bool {
        self.members.as_ref().is_none_or(|members| members.contains_key(&place))
    }

    /// The server's contexts that the bases stand in, each once. A base that stands in none is searched as if it were one.
    pub(crate) fn contexts(&self, root: &Root) -> Vec<String> {
        let mut contexts: Vec<String> = Vec::new();
        for (name, dn) in &self.bases {
            let context = root.context_of(dn).unwrap_or(name).to_owned();
            if !contexts.contains(&context) {
                contexts.push(context);
            }
        }
        contexts
    }
}

/// What tells this server, this scope and this map from others: a cursor of another is of no use.
pub(crate) fn digest(config: &Config, root: &Root, asked: &[String]) -> String {
    let server = match config.kind {
        Kind::ActiveDirectory => root.text("dnsHostName").unwrap_or(&config.host).to_owned(),
        Kind::Ldap => config.address(),
    };
    let parts = format!(
        "{server:?} {:?} {:?} {:?} {:?} {asked:?} {:?} {:?} {:?} {:?}",
        config.bases,
        config.objects,
        config.filter,
        config.scope_group,
        config.attributes,
        config.kinds,
        config.states,
        config.organisation
    );
    let digest = ring::digest::digest(&ring::digest::SHA256, parts.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
