//! Closes mailboxes to their people by an attribute of their entries, on sites whose mail servers ask the directory who may log in.
//!
//! # What is followed
//!
//! Modification as RFC 4511 has it (section 4.6: all of one or nothing). Which attribute and value keep somebody out is said by whoever runs
//! the mail server: a filter by which it finds who may log in (`(!(description=closed))`), an attribute that it reads
//! (`mailAccess: none`), one of Exchange's.
//!
//! # What is done to an entry
//!
//! One modification gives the attribute its value, in place of what is there or beside it, and adds a marker (`closing`): a value of
//! another attribute that says what was there before. Another takes both back. People are found as the [router](crate::router) finds them,
//! and an entry is changed as it changes one: what was read goes, or nothing is done.
//!
//! The value is ours only by its marker: whom the site keeps out without one stays out.
//!
//! # Known limits and oddities
//!
//! * Whoever has logged in stays so, and servers that cache logins let them in again until they forget.
//! * Where entries are replicated, a server that reads another copy lets people in until it has the change.
//! * The marker needs an attribute of its own where that holds one value only, as those of Active Directory do: the router's is another. There
//!   it has room for 256 characters: somebody whose attribute holds more can't be closed out, which is told.
//! * A marker that can't be read is left alone, and so is what it belongs to: whoever runs the site puts it right.

mod closing;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use connector::access::{Access, AccessChanged, LoginState};
use connector::router::Evidence;
use connector::{Door, Effect, Error, Finding, Recipient, Secret, Topic};
use model::{Cause, Scope};
use serde::Deserialize;

use self::closing::Closing;
use crate::config::{Kind, Tls, UNACKNOWLEDGED_MAX, is_name};
use crate::router::config::{Forwarding, RouterConfig, Scheme};
use crate::router::put::{Failed, Work};
use crate::router::site::{Endpoint, Site};

/// A directory that mail servers ask who may log in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessConfig {
    /// What kind of directory it is: `active-directory` or `ldap`.
    pub kind: Kind,
    /// The server's name. Its certificate must be for this name. In Active Directory name one domain controller, not the domain.
    pub host: String,
    /// The port; 636 with `tls = "implicit"`, else 389, when left out.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is kept private; TLS from the first byte when left out.
    #[serde(default)]
    pub tls: Tls,
    /// A file of certificates (PEM) of a private CA that is trusted besides those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Who logs in: a distinguished name, or in Active Directory also `user@domain`. It needs the right to write both attributes below.
    pub user: String,
    /// Its password. Not read from here: whoever reads the project resolves it and puts it in.
    #[serde(skip)]
    pub password: Option<Secret>,
    /// Where people are: distinguished names, each with all below it. Left out: the server's own naming context.
    #[serde(default)]
    pub bases: Vec<String>,
    /// Which entries the mail servers look at, as a filter of RFC 4515. Left out: all.
    #[serde(default)]
    pub objects: Option<String>,
    /// The attributes that hold the addresses of an entry, as the router has them.
    #[serde(default)]
    pub addresses: Option<Vec<String>>,
    /// The attributes that hold the name of an entry's account, as the router has them.
    #[serde(default)]
    pub accounts: Option<Vec<String>>,
    /// The attribute by which the mail servers keep somebody out.
    pub attribute: String,
    /// Its value with which they do.
    pub closed_with: String,
    /// The value comes beside what the attribute has. Left out: in place of that, which comes back.
    #[serde(default)]
    pub beside: bool,
    /// The attribute in which what was there before is kept. Left out: `adminDisplayName` in Active Directory, else `description`. Where it may
    /// have one value only, it must be empty, and be no other's marker. Whoever may read the entry may read it.
    #[serde(default)]
    pub marker: Option<String>,
    /// How long bytes written may stay unacknowledged; set by the engine, within its lease margin.
    #[serde(skip, default = "unacknowledged_max")]
    pub unacknowledged_max: Duration,
}

fn unacknowledged_max() -> Duration {
    UNACKNOWLEDGED_MAX
}

impl AccessConfig {
    /// A directory of this kind at this host, where an attribute with this value keeps people out, with everything else as when left out of
    /// the project.
    pub fn new(
        kind: Kind,
        host: impl Into<String>,
        (user, password): (impl Into<String>, Secret),
        (attribute, closed_with): (impl Into<String>, impl Into<String>),
    ) -> Self {
        Self {
            kind,
            host: host.into(),
            port: None,
            tls: Tls::default(),
            ca_file: None,
            user: user.into(),
            password: Some(password),
            bases: Vec::new(),
            objects: None,
            addresses: None,
            accounts: None,
            attribute: attribute.into(),
            closed_with: closed_with.into(),
            beside: false,
            marker: None,
            unacknowledged_max: UNACKNOWLEDGED_MAX,
        }
    }

    /// How people's entries are found and read: the attribute is the one that is looked at.
    fn site(&self) -> RouterConfig {
        let marker = self.marker.clone().unwrap_or_else(|| match self.kind {
            Kind::ActiveDirectory => "adminDisplayName".to_owned(),
            Kind::Ldap => "description".to_owned(),
        });
        let password = self.password.clone().unwrap_or_else(|| Secret::new(""));
        RouterConfig {
            port: self.port,
            tls: self.tls,
            ca_file: self.ca_file.clone(),
            password: self.password.clone(),
            bases: self.bases.clone(),
            objects: self.objects.clone(),
            scheme: Some(Scheme::Forwarding),
            forwarding: Forwarding { address: self.attribute.clone(), ..Forwarding::default() },
            marker: Some(marker),
            addresses: self.addresses.clone(),
            accounts: self.accounts.clone(),
            unacknowledged_max: self.unacknowledged_max,
            ..RouterConfig::new(self.kind, &self.host, &self.user, password)
        }
    }

    /// What is wrong with these settings, if anything: what no server could make right.
    pub fn mistake(&self) -> Option<String> {
        if !is_name(&self.attribute) {
            return Some(format!("attribute: {:?} is no name of an attribute", self.attribute));
        }
        let is_marker = self.closed_with.to_lowercase().starts_with("whimbrel-");
        if self.closed_with.is_empty() || self.closed_with.trim() != self.closed_with || is_marker {
            return Some(format!("closed_with: {:?} is no value", self.closed_with));
        }
        self.site().mistake()
    }
}

/// Closes mailboxes by an attribute of people's entries in one directory.
#[derive(Clone)]
pub struct LdapAccess {
    endpoint: Arc<Endpoint>,
    closing: Closing,
}

impl LdapAccess {
    /// The access of this directory. Fails on settings that no server could make right.
    pub fn new(config: &AccessConfig) -> Result<Self, Error> {
        match config.mistake() {
            Some(mistake) => Err(Error::new(Cause::Unsupported, Scope::Run, mistake)),
            None => Ok(Self { endpoint: Arc::new(Endpoint::new(config.site())), closing: Closing::of(config) }),
        }
    }

    async fn change(&self, who: &Recipient, is_closed: bool, door: &dyn Door) -> Result<AccessChanged, Error> {
        let mut work = Work::begin(&self.endpoint, door, Effect::Access).await?;
        let changed = async {
            let person = work.site.person(who).await.map_err(Failed::from)?;
            let plan = |site: &Site<'_>, person: &_| self.closing.plan(&site.resolved, person, is_closed);
            work.reach(who, person, &plan).await?;
            Ok((Evidence::default(), Evidence::default()))
        };
        let changed = changed.await;
        work.settled(changed).map(|done| AccessChanged { changed: done.changed, notes: done.notes })
    }
}

#[async_trait]
impl Access for LdapAccess {
    fn platform(&self) -> &'static str {
        self.endpoint.config.kind.name()
    }

    async fn read(&self, who: &Recipient) -> Result<LoginState, Error> {
        let mut site = Site::open(&self.endpoint).await?;
        let person = site.person(who).await?;
        Ok(self.closing.state(&site.resolved, &person))
    }

    async fn close(&self, who: &Recipient, door: &dyn Door) -> Result<AccessChanged, Error> {
        self.change(who, true, door).await
    }

    async fn open(&self, who: &Recipient, door: &dyn Door) -> Result<AccessChanged, Error> {
        self.change(who, false, door).await
    }

    async fn check(&self, who: Option<&Recipient>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut site = match Site::open(&self.endpoint).await {
            Ok(site) => site,
            Err(error) => return vec![Finding::wrong(Topic::Reach, &error)],
        };
        let config = &self.endpoint.config;
        findings.push(Finding::well(Topic::Reach, format!("{} answers", self.endpoint.connection.address())));
        findings.push(Finding::well(Topic::Login, format!("logged in as {}", config.user)));
        let marker = &site.resolved.marker.name;
        let sentence = format!("{}; what was there before is kept in {marker}", self.closing);
        findings.push(Finding::well(Topic::Capabilities, sentence));
        let Some(who) = who else { return findings };
        let person = match site.person(who).await {
            Ok(person) => person,
            Err(error) => {
                findings.push(Finding::wrong(Topic::Store, &error));
                return findings;
            }
        };
        findings.push(Finding::well(Topic::Store, format!("the entry is {:?}", person.dn)));
        let written = self.closing.written(&site.resolved);
        let refused = site.may_write(&person, &written).await;
        findings.push(match refused {
            Ok(sentence) => Finding::well(Topic::Rights, sentence),
            Err(error) => Finding::wrong(Topic::Rights, &error),
        });
        findings
    }
}
