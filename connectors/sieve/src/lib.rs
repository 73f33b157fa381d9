//! The router that puts its redirect into people's Sieve scripts by ManageSieve (R-082, R-181; ruling A-05).
//!
//! # What is followed
//!
//! RFC 5804 (ManageSieve), with STARTTLS; login by SCRAM-SHA-256 (7677) or PLAIN (4616), also in a person's name. RFC 5228 (Sieve), as
//! far as it takes to find commands in a script; `:copy` (3894), `include` (6609). Referrals are not followed: they are refused with
//! the name of the server that they lead to.
//!
//! # What is done to a person's scripts
//!
//! Theirs are not touched. Beside them a script of ours is stored, called [`config::Config::script`]: the text of the active one with our
//! block in it, which sends all mail on and stops. That one is activated. It holds the person's rules since a webmail shows the
//! active script: they find their rules as they know them, and can go on editing them. To release, the former script is activated
//! again and ours removed; which it was stands in the block. A script of ours alone would have been simpler, but to the person
//! their rules would be gone; changing theirs in place would put their only copy at stake, and could not tell afterwards what
//! was theirs.
//!
//! Of the person's changes in between none is lost: `op::release` has the cases. While something else than ours is active,
//! [`Router::read`] tells that our redirect is there and not in force. A script that bears our name is ours if it holds our block as we
//! write it, or if the block's two commands are the first that it runs: editors that take a script apart and print it anew drop our
//! comments, and those commands stay. Any other is the person's: its redirects are told among theirs, and it is left alone. The active
//! script is ours under any name if it holds our block.
//!
//! # Where to look
//!
//! [`config`] is the manual of the settings. `wire` has bytes and words of the protocol and no policy, `text` has scripts as texts
//! and no server, `op` has a file for each thing that is done. `text::block` and the steps of `op::release` are pure.
//!
//! # What holds
//!
//! * Where mail goes changes by one command: SETACTIVE, or PUTSCRIPT of the script that is active, which takes effect whole or not
//!   at all. What is stored before or removed after it is not in force.
//! * A text of the person's goes only when the same text is there elsewhere, or where they have written another in its place.
//! * What was stored is read back before it is activated, and all is read again before a call says that it has succeeded.
//! * Nothing of a command with an effect leaves before the door was asked; an answer that did not come is in doubt.
//! * A server that lets a name in that nobody has, or says that it reached another's scripts, is not written to.
//! * What the server says is within limits of size and time. Its words about a script, which may quote it, are not passed on.
//!
//! # Known limits and oddities
//!
//! * Between reading and activating somebody may change their scripts; ManageSieve has no way to prevent that. A change in those few
//!   milliseconds may be in force or not. Its text stays, unless it is made to the very script that is written then (our own, or theirs while
//!   edits of a webmail are carried back): then it may be overwritten.
//! * What the site does before or after people's scripts (Dovecot's `sieve_before` and `sieve_after`) can't be seen from here, and neither can
//!   forwarders elsewhere at the site.
//! * **Dovecot** does not send a message on that has the Message-ID of another that it sent to the same address within 12 hours
//!   (`sieve_redirect_duplicate_period`): it stays in the source's INBOX. Where redirects are switched off (`sieve_max_redirects = 0`) it takes
//!   scripts with one all the same, and keeps the mail: told by MAXREDIRECTS missing, and refused. It does not say whose scripts were
//!   reached (OWNER), and lets a master user in by PLAIN only: SCRAM is tried first, once.
//! * **Cyrus** drops a message that has the Message-ID of another that it sent to the same address: it is neither sent on nor kept.
//! * **Cyrus** 3.6 takes commands and tags in small letters only, 32 KiB a script and five scripts a person, unless told otherwise. An open session
//!   does not see what another has stored, so each call has its own.

pub mod config;
mod endpoint;
mod op;
mod refusal;
mod text;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use connector::{Door, Error, Finding, Recipient, Rerouted, Router, RouterOffers, Routing};
use model::{Cause, Scope};

pub use config::{Config, Login, Tls};
pub use sasl::Impersonate;

use endpoint::Endpoint;
use op::script::Session;

/// Routes people's mail by their Sieve scripts on one server.
#[derive(Clone)]
pub struct SieveRouter {
    endpoint: Arc<Endpoint>,
}

impl SieveRouter {
    /// The router of this server. Fails on settings that no server could make right.
    pub fn new(config: Config) -> Result<Self, Error> {
        match config.mistake() {
            Some(mistake) => Err(Error::new(Cause::Unsupported, Scope::Run, mistake)),
            None => Ok(Self { endpoint: Arc::new(Endpoint::new(config)) }),
        }
    }
}

#[async_trait]
impl Router for SieveRouter {
    fn offers(&self) -> RouterOffers {
        RouterOffers {
            platform: "managesieve",
            sender: self.endpoint.config.sender,
            keeps_no_copy: true,
            lists_all: false,
            asks_people: false,
            by_address: false,
        }
    }

    async fn read(&self, who: &Recipient) -> Result<Routing, Error> {
        let mut session = Session::open(&self.endpoint, &who.account).await?;
        let site = session.site().await?;
        let routing = op::read::routing(&site, &self.endpoint.config.script, session.may_redirect());
        session.log_out().await;
        Ok(routing)
    }

    async fn redirect(&self, who: &Recipient, to: &str, door: &dyn Door) -> Result<Rerouted, Error> {
        op::redirect::may_lead(who, to)?;
        let mut session = Session::open(&self.endpoint, &who.account).await?;
        let rerouted = op::redirect::redirect(&mut session, to, door).await;
        let rerouted = session.settled(rerouted)?;
        session.log_out().await;
        Ok(rerouted)
    }

    async fn release(&self, who: &Recipient, door: &dyn Door) -> Result<Rerouted, Error> {
        let mut session = Session::open(&self.endpoint, &who.account).await?;
        let rerouted = op::release::release(&mut session, door).await;
        let rerouted = session.settled(rerouted)?;
        session.log_out().await;
        Ok(rerouted)
    }

    async fn check(&self, who: Option<&Recipient>) -> Vec<Finding> {
        op::check::check(&self.endpoint, who).await
    }
}
