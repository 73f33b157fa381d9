//! The router of sites whose mail servers read in a directory where mail goes: Active Directory, OpenLDAP and others (R-082, R-181; ruling A-05).
//!
//! # What is followed
//!
//! Modification as RFC 4511 has it (section 4.6: all of one or nothing), assertions (4528) where the server has them, schemas as in RFC
//! 4512. The attributes of Exchange are those of MS-ADA1 to MS-ADA3 and of Exchange's schema: `targetAddress`, `altRecipient`,
//! `msExchGenericForwardingAddress`, `deliverAndRedirect`. Others are named by the settings.
//!
//! # What is done to an entry
//!
//! One modification takes away whatever else sends mail on, sets ours, and adds a marker (`marker`): a value of an attribute of the
//! site's choice that says where ours leads, which values are ours, and which were there before, byte by byte. Another takes that back.
//! A marker on the entry itself, and not in a list of ours, means that the site is enough to go back; that the two change together means that
//! no stop lies between them.
//!
//! A value is ours only by its marker. Without one, what leads where ours would is somebody else's. With one, ours is in force only while
//! it stands alone.
//!
//! # Where to look
//!
//! [`config`] is the manual of the settings. `values` is the rule of what comes back, and `attributes` what values mean: both pure, like
//! `marker` and `person`. `site` finds and reads entries, `put` changes them, `contact` has the contacts by whose names mail goes.
//!
//! # What holds
//!
//! * Each change names the values that go, and where the server has assertions it holds for the entry as it was read; it is read back, and
//!   decided afresh of what is there.
//! * A value that somebody has put in place of ours stays; one beside ours stays, too, and ours is not in force as long as it is there.
//! * What can't be known is refused: a marker that can't be read, one that was put on another entry, an address in several entries.
//! * Everything about one person is read from and written to the one server that the settings name.
//!
//! # Known limits and oddities
//!
//! * Without assertions (Active Directory, 389 Directory Server) somebody may add a second way to send on in the moment between reading and writing: it takes
//!   effect beside ours until the reading that follows, which takes it away and keeps it in the marker.
//! * Where the marker alone is removed, our value is told among those of others.
//! * Case and spaces of values that go are compared as the schema compares them.
//! * **389 Directory Server** compares values of attributes without a rule for it by their syntax; other servers refuse to take a single one
//!   away, so there such an attribute is refused. It names the log of its changes as its default context: that is passed over.
//! * In **Active Directory** a recipient that is gone is gone from every entry that named it: what was named before ours is known by its key.

pub(crate) mod attributes;
mod check;
pub mod config;
mod contact;
mod list;
pub(crate) mod marker;
pub(crate) mod person;
pub(crate) mod put;
pub(crate) mod schema;
pub(crate) mod site;
mod values;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use connector::router::ForwarderSink;
use connector::{Door, Error, Finding, Recipient, Rerouted, Router, RouterOffers, Routing};
use model::{Cause, Scope};

use self::config::{RouterConfig, Scheme};
use self::site::{Endpoint, Site};
use crate::config::Tls;
use crate::wire::connection::NOT_ENCRYPTED;

/// Routes people's mail by the attributes of their entries in one directory.
#[derive(Clone)]
pub struct LdapRouter {
    endpoint: Arc<Endpoint>,
    /// It was said that connections are not encrypted.
    warned: Arc<AtomicBool>,
}

impl LdapRouter {
    /// The router of this directory. Fails on settings that no server could make right.
    pub fn new(config: RouterConfig) -> Result<Self, Error> {
        match config.mistake() {
            Some(mistake) => Err(Error::new(Cause::Unsupported, Scope::Run, mistake)),
            None => Ok(Self { endpoint: Arc::new(Endpoint::new(config)), warned: Arc::default() }),
        }
    }

    fn warn_once(&self) {
        let config = &self.endpoint.connection;
        if config.tls == Tls::None && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(server = %config.address(), "{NOT_ENCRYPTED}");
        }
    }
}

#[async_trait]
impl Router for LdapRouter {
    fn offers(&self) -> RouterOffers {
        let config = &self.endpoint.config;
        RouterOffers {
            platform: config.kind.name(),
            sender: config.sender,
            keeps_no_copy: !(config.scheme() == Scheme::Forwarding && config.forwarding.keeps_copy),
            lists_all: true,
            asks_people: false,
            by_address: false,
        }
    }

    async fn read(&self, who: &Recipient) -> Result<Routing, Error> {
        self.warn_once();
        let mut site = Site::open(&self.endpoint).await?;
        let person = site.person(who).await?;
        Ok(person.routing(&site.resolved))
    }

    async fn redirect(&self, who: &Recipient, to: &str, door: &dyn Door) -> Result<Rerouted, Error> {
        self.warn_once();
        put::may_lead(who, to)?;
        if !self.offers().keeps_no_copy {
            return Err(check::keeps_copy());
        }
        put::redirect(&self.endpoint, who, to, door).await
    }

    async fn release(&self, who: &Recipient, door: &dyn Door) -> Result<Rerouted, Error> {
        self.warn_once();
        put::release(&self.endpoint, who, door).await
    }

    async fn list(&self, sink: &mut dyn ForwarderSink) -> Result<(), Error> {
        self.warn_once();
        list::list(&self.endpoint, sink).await
    }

    async fn check(&self, who: Option<&Recipient>) -> Vec<Finding> {
        self.warn_once();
        check::check(&self.endpoint, who).await
    }
}
