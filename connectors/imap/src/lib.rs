//! The connector to IMAP servers, as source and as target.
//!
//! IMAP (RFC 9051, and RFC 3501 before it) keeps messages in *mailboxes*, which we call folders. Within a folder a message
//! has a UID that is never given again as long as the folder's UIDVALIDITY stays, its bytes never change, and its flags
//! may. That makes an exact copy possible; what gets in the way are servers that refuse, forget, leave out and break off.
//!
//! # What is followed
//!
//! RFC 9051 and 3501. Who waits for changes is told by NOTIFY (5465), else by IDLE (2177). UIDPLUS (4315), MOVE (6851), MULTIAPPEND (3502), LITERAL+
//! and LITERAL- (7888), CONDSTORE and QRESYNC (7162), ESEARCH (4731), LIST-EXTENDED (5258), LIST-STATUS (5819), SPECIAL-USE
//! and CREATE-SPECIAL-USE (6154), NAMESPACE (2342), ID (2971), ENABLE (5161), UNSELECT (3691), COMPRESS=DEFLATE (4978),
//! UTF8=ACCEPT (6855), OBJECTID (8474), QUOTA (9208), APPENDLIMIT (7889), METADATA (5464), ACL (4314), SASL-IR (4959), response codes (5530). Login: LOGIN, PLAIN (4616), SCRAM-SHA-256 (7677), OAUTHBEARER (7628), XOAUTH2. Where a
//! server offers none of the extensions, RFC 3501 is enough. Gmail's X-GM-EXT-1 decides which folders are views (archived
//! messages lie among all messages only); labels are understood in answers and not asked for, as folders show them.
//!
//! BINARY is not used: a message with NUL is a declared loss for an IMAP target, and a source gives it as it is in a plain
//! literal. UTF8=ACCEPT is switched on wherever it is offered, on targets too: without it a server may hand out a rewritten
//! stand-in for a message with UTF-8 in its header, and must refuse to take one (RFC 6855 sections 4 and 7).
//!
//! # Where to look
//!
//! [`config`] is the manual of the settings. `wire` has bytes and words of the protocol and no policy. `op` has a file for
//! each operation: `identity` (whose store is it?), `read`, `fetch`, `careful` and `changes` (nothing is lost in silence),
//! `append` (nothing takes effect too early), `uid_move` and `delete` (nothing is concluded that the server did not say), `acl`
//! (rights are only added to), `watch` (who waits for changes).
//! `map` stands between the protocol and the model, with all losses. `session` is one opened mailbox, `endpoint` what all
//! connections to a server share.
//!
//! # What holds
//!
//! * A source sends only commands that change nothing: one list in `wire::command`, asked for every command.
//! * An item belongs to the folder it is said to belong to, though folders are asked for ahead of each other's answers.
//! * Every message that a folder lists comes out as an item, as unreadable with the server's words, or is gone by now. A
//!   message left out of an answer is noticed by its sequence number before the next one is given.
//! * A list from which removals are concluded is complete, or none is given.
//! * The two bytes that make a message appear are sent apart from all before them, after the door was asked. Of any other
//!   command with an effect nothing is sent before that.
//! * An answer that did not come is in doubt.
//!
//! # Known oddities
//!
//! * **Cyrus 3.6.1** answers freed memory for MAILBOXID when STATUS asks for other items with it: it is asked for alone, and
//!   looked at. It announces LOGINDISABLED after the login, too; writes special uses in lower case; refuses `CREATE (USE …)`
//!   for a use that is taken, which is then tried without; and refuses many identical messages in one folder
//!   ("Too many identical emails").
//! * **Dovecot 2.3** takes `CREATE (USE …)` without announcing it and forgets the use, so it is not sent there. A login that
//!   is refused costs two seconds and more. With the acl plugin and without `acl_user`, a master user sees an INBOX that can't be
//!   opened: recognised, and said. It tells a mailbox's GUID (STATUS X-GUID, its own word), which tells stores apart where there is
//!   no MAILBOXID. A single message that it can't read is refused with SERVERBUG, or ends the connection. It does not wait for the line
//!   end of a command whose last word is a name between quotes or a literal (CREATE, DELETE, SUBSCRIBE, UID MOVE): where the
//!   connection breaks between the two, the command is carried out. It deletes a folder that is open, and then closes the
//!   connection.
//! * **Exchange** hands out a notice of its own in place of a message that it can't convert: recognised by its words, and
//!   listed as unreadable. It says how long to wait when it throttles, in its text.
//! * **Servers in general** end greetings in `{5}`, forget stars, spaces, dates and whole messages, count wrongly, give the last
//!   message for `n:*` when there is none from n on, and keep the folder before open when the next one is refused.
//!   `tests/oddities.rs` has the lines.

mod endpoint;
mod map;
mod op;
mod session;

pub mod config;
#[doc(hidden)]
pub mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use connector::{Account, Connector, Declaration, Door, Error, Finding, OpenDoor, Rights, Source, Target, Watcher};
use model::{Cause, ItemKind, Scope};

pub use config::{CONNECTIONS_MAX, Compress, Config, Impersonate, Login, Tls, TokenSource};

use endpoint::Endpoint;
use op::acl::Access;
use op::watch::Watch;
use session::Session;
use wire::command::Role;

/// What an IMAP server can hold and do, known without asking one.
pub fn declaration() -> Declaration {
    Declaration { platform: "IMAP", kinds: vec![ItemKind::Message], writes: true, losses: map::LOSSES.to_vec() }
}

/// Opens mailboxes of an IMAP server.
#[derive(Clone)]
pub struct ImapConnector {
    endpoint: Arc<Endpoint>,
}

impl ImapConnector {
    /// The connector to this endpoint. Fails on settings that no server could make right.
    pub fn new(config: Config) -> Result<Self, Error> {
        match config.mistake() {
            Some(mistake) => Err(Error::new(Cause::Unsupported, Scope::Run, mistake)),
            None => Ok(Self { endpoint: Arc::new(Endpoint::new(config)) }),
        }
    }

    async fn open(&self, role: Role, account: &Account, door: Arc<dyn Door>) -> Result<Session, Error> {
        let reached = self.endpoint.reach(role, account).await?;
        Ok(Session::new(self.endpoint.clone(), account, reached, door))
    }
}

#[async_trait]
impl Connector for ImapConnector {
    fn declaration(&self) -> Declaration {
        declaration()
    }

    async fn source(&self, account: &Account) -> Result<Box<dyn Source>, Error> {
        Ok(Box::new(self.open(Role::Reads, account, Arc::new(OpenDoor)).await?))
    }

    async fn target(&self, account: &Account, door: Arc<dyn Door>) -> Result<Box<dyn Target>, Error> {
        Ok(Box::new(self.open(Role::Writes, account, door).await?))
    }

    async fn rights(&self, account: &Account, door: Option<Arc<dyn Door>>) -> Result<Option<Box<dyn Rights>>, Error> {
        let (role, writes) = if door.is_some() { (Role::Writes, true) } else { (Role::Reads, false) };
        let mut session = self.open(role, account, door.unwrap_or_else(|| Arc::new(OpenDoor))).await?;
        if !session.capabilities.has("ACL") {
            Source::close(&mut session).await;
        }
        Ok(Access::of(session, writes).map(|access| Box::new(access) as Box<dyn Rights>))
    }

    async fn watch(&self, account: &Account) -> Result<Option<Box<dyn Watcher>>, Error> {
        let session = self.open(Role::Reads, account, Arc::new(OpenDoor)).await?;
        Ok(Watch::begin(session).await?.map(|watch| Box::new(watch) as Box<dyn Watcher>))
    }

    async fn check(&self, account: Option<&Account>) -> Vec<Finding> {
        self.endpoint.check(account).await
    }
}
