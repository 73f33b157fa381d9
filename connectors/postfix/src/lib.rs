//! The router of sites whose mail server is Postfix: a lookup table of our own, which Postfix asks first (R-082, R-083, R-181, R-238; ruling
//!
//!
//! # What is followed
//!
//! `virtual(5)`, `aliases(5)`, `local(8)`, `postmap(1)`, `postconf(1)`, `postqueue(1)`, `pgsql_table(5)` and `sqlite_table(5)` of Postfix 3.7.
//!
//! # What is done at a site
//!
//! One table is ours, and the site names it first in `virtual_alias_maps`. An entry in it leads one address to another; it takes the recipient's
//! place before anything is delivered, so no copy stays. A person has an entry for each of their addresses. All else of the site
//! is only read. The table is a text file, perhaps compiled, or a table in PostgreSQL or SQLite.
//!
//! Every entry of ours bears a mark with the account that it is for: in a file a comment behind the address, which Postfix drops, in a database a
//! column. So an entry that somebody has moved, sorted or copied stays ours, no other is taken for ours, and one person's entry is
//! never overwritten for another. What stands in the table without our mark is left as it is, byte for byte.
//!
//! # Where to look
//!
//! [`config`] is the manual of the settings. `wire` has programs, databases and files and no policy; `text` has addresses, tables and what is to
//! change in them, and touches nothing; `op` has a file for each thing that is done. [`queue`] tells what has not left the site yet.
//!
//! # What holds
//!
//! * All entries of a person change in one step: one rename, or one transaction.
//! * A compiled file is made beside the old one and renamed. So Postfix never meets one that is half made, and always notices: it looks whether
//!   the file that it has open is still there, while of times of change it knows only whole seconds.
//! * The text says what is wanted, the compiled file what Postfix goes by; where Postfix must be told, `PATH.pending` says what it went by before, as
//!   long as it may still do so. [`Router::read`] goes by what Postfix does.
//! * One writer at a time, by `PATH.lock` or by the database. What somebody else has written to the text since it was read stays.
//! * With a `config_directory` nothing is redirected unless Postfix asks our table first, and everything is read back by `postmap`.
//! * A call that has had an effect fails in doubt, or with what the door says.
//!
//! # Known limits and oddities
//!
//! * An editor that does not know of the lock may write the text between our last look and the rename: what it wrote is lost then.
//! * Of mail that is being handed in at that very moment some may still go by the old table. It is in the queue then.
//! * While SQLite commits, Postfix may be unable to read for some milliseconds. It then asks the sender to try again.
//! * What Postfix asks before our table (`canonical_maps`), or beside it (`recipient_bcc_maps`), is looked at only with a `config_directory`.

pub mod config;
mod op;
pub mod queue;
mod text;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use connector::router::ForwarderSink;
use connector::{Door, Error, Finding, Recipient, Rerouted, Router, RouterOffers, Routing};
use model::{Cause, Scope};

pub use config::{Config, Database, FileTable, MapType, Programs, SiteMap, SqlTable, Syntax, Table, Tls};
pub use queue::{QueueOf, Queued};

/// Routes people's mail by a table that the site's Postfix asks first.
#[derive(Clone)]
pub struct PostfixRouter {
    config: Arc<Config>,
}

impl PostfixRouter {
    /// The router of this site. Fails on settings that no site could make right.
    pub fn new(config: Config) -> Result<Self, Error> {
        match config.mistake() {
            Some(mistake) => Err(Error::new(Cause::Unsupported, Scope::Run, mistake)),
            None => Ok(Self { config: Arc::new(config) }),
        }
    }
}

#[async_trait]
impl Router for PostfixRouter {
    fn offers(&self) -> RouterOffers {
        RouterOffers {
            platform: "postfix",
            sender: self.config.sender,
            keeps_no_copy: true,
            lists_all: !self.config.maps.is_empty() || !self.config.forward_files.is_empty(),
            asks_people: false,
            by_address: true,
        }
    }

    async fn read(&self, who: &Recipient) -> Result<Routing, Error> {
        op::read::read(&self.config, who).await
    }

    async fn redirect(&self, who: &Recipient, to: &str, door: &dyn Door) -> Result<Rerouted, Error> {
        op::reroute::redirect(&self.config, who, to, door).await
    }

    async fn release(&self, who: &Recipient, door: &dyn Door) -> Result<Rerouted, Error> {
        op::reroute::release(&self.config, who, door).await
    }

    async fn list(&self, sink: &mut dyn ForwarderSink) -> Result<(), Error> {
        if self.offers().lists_all {
            return op::list::list(&self.config, sink).await;
        }
        let what = "nothing of the site is named that could be listed: name its maps, or forward_files";
        Err(Error::new(Cause::Unsupported, Scope::Run, what))
    }

    async fn queued(&self, who: &Recipient) -> Result<Option<u64>, Error> {
        Ok(QueueOf::new(&self.config).count(who).await?.map(|queued| queued.all()))
    }

    async fn check(&self, who: Option<&Recipient>) -> Vec<Finding> {
        op::check::check(&self.config, who).await
    }
}
