//! Access: whether a person may log in to their mailbox at a site.
//!
//! Once somebody is switched and works on the target, the mailbox at the source is closed to them: nothing more is to be begun in a place
//! that nobody follows for good. The mailbox itself stays as it is. Mail still comes into it and is sent on, and whoever migrates
//! still gets in by an account that may log in for everybody.
//!
//! Rules that the conformance suite holds every kind of access to:
//! * Reading changes nothing.
//! * [`Access::close`] keeps the person out, and changes nothing where ours does that already. What is needed to go back is kept at the site
//!   itself, so that nothing but the site is needed to open.
//! * [`Access::open`] takes ours away, and nothing else: what was there before is there again, or as whoever runs the site has changed it since.
//!   Somebody whom the site itself keeps out stays out. Without ours it does nothing.
//! * What keeps somebody out and is not ours is never taken for ours.
//! * Nobody else is closed or opened by it.
//! * A call may be cut at any point, by an error, by a shut [`Door`] or by a power cut: the mailbox is then open or closed, and the same call
//!   made again comes to the same end. Either call may follow the other.
//! * Every effect passes the [`Door`]. An answer that did not come is [`Cause::InDoubt`](model::Cause::InDoubt). What is so is decided by
//!   [`Access::read`], never by the class of an error.
//! * Two calls for one person are never made at once: whoever calls holds the person's lease.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::router::{Evidence, Recipient};
use crate::{Door, Error, Finding};

/// Whether a person may log in to their mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginState {
    /// Ours keeps them out.
    pub closed_by_us: bool,
    /// Why ours, though it is there, keeps nobody out: in a sentence.
    pub ineffective: Option<String>,
    /// What else keeps them out, and is not ours: in a sentence.
    pub closed_by_others: Option<String>,
    /// What was found, for the audit: names and places.
    pub evidence: Evidence,
}

impl LoginState {
    /// Are they kept out, by whomever?
    pub fn is_closed(&self) -> bool {
        (self.closed_by_us && self.ineffective.is_none()) || self.closed_by_others.is_some()
    }
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessChanged {
    /// Something was changed; else all was so already.
    pub changed: bool,
    /// What a person should know, in sentences.
    pub notes: Vec<String>,
}

/// A site's way to say who may log in to a mailbox.
#[async_trait]
pub trait Access: Send + Sync {
    /// Its kind, for people.
    fn platform(&self) -> &'static str;

    /// Whether the person may log in now. Asks the site afresh, and changes nothing.
    async fn read(&self, who: &Recipient) -> Result<LoginState, Error>;

    /// Keeps the person out from now on. What they have open stays open, unless the site ends it.
    async fn close(&self, who: &Recipient, door: &dyn Door) -> Result<AccessChanged, Error>;

    /// How long after a change it may not be in force yet.
    fn in_force_after(&self) -> Duration {
        Duration::ZERO
    }

    /// Takes ours away: the person may log in as before.
    async fn open(&self, who: &Recipient, door: &dyn Door) -> Result<AccessChanged, Error>;

    /// Looks whether it is reachable and set up well, for `check`; with a person, whether they could be kept out. Changes nothing. Stops at
    /// the first topic that fails.
    async fn check(&self, who: Option<&Recipient>) -> Vec<Finding>;
}
