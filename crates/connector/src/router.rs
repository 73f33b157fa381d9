//! Routers: where a site's mail for a person goes, and the redirect that takes it elsewhere.
//!
//! A switch turns a person's mail round: from then on all that reaches the old mailbox's address goes to the new one. Who puts
//! that redirect on is a router, of whatever kind the site has: a mail filter, a map of the mail server, a directory's attribute.
//! A router also tells which redirects are there that are not ours, since mail that others send on may go round in circles
//! (ruling A-05: those that a site had before are F2, the one of the switch is F3).
//!
//! Rules that the conformance suite holds every router to:
//! * Reading changes nothing.
//! * With our redirect on, all new mail goes to one address and no copy stays. A router that can't do so says it
//!   ([`RouterOffers::keeps_no_copy`]) and refuses to redirect, with [`Cause::Unsupported`](model::Cause::Unsupported).
//! * [`Router::redirect`] makes our redirect what was asked for, whatever it was before, and changes nothing where it is so
//!   already. What is needed to go back is kept at the site itself, so that nothing but the site is needed to release.
//! * [`Router::release`] takes ours off, and nothing else: what was there before is there again, byte for byte, or as its owner
//!   has changed it since. Without a redirect of ours it does nothing.
//! * A redirect that is not ours is never taken away, and never taken for ours because it leads to the same address.
//! * What is ours stays ours though somebody has written it in another way or put it elsewhere: as long as anything of ours leads all mail
//!   to the target, [`Router::read`] tells it as ours and in force, and a release takes it off or fails.
//! * Mail is not redirected to an address of the person's own here: [`Cause::Unsupported`](model::Cause::Unsupported), before anything
//!   is asked of the site.
//! * A call may be cut at any point: by an error, by a shut [`Door`], by a power cut. Mail then goes either where it went before
//!   or where it was to go, and the same call made again comes to the same end. Either call may follow the other, too.
//! * Every effect passes the [`Door`]. An answer that did not come is an error of the class
//!   [`Cause::InDoubt`](model::Cause::InDoubt), and so is every error that comes after an effect has taken place, but for that of a
//!   shut door. The same call again settles it.
//! * Where mail goes is decided by [`Router::read`], never by the class of an error: after a call that failed whoever called reads, and only
//!   [`Routing::redirected_to`] tells whether a redirect is on, or a release has taken place. A release that has taken
//!   ours out of force and could not clear up after it has succeeded, with a note.
//! * A router that needs a person to do something at the site asks for it, durably, and fails with [`Cause::Awaiting`](model::Cause::Awaiting):
//!   nothing has failed, and the same call comes to its end once the person has supplied what came of it. What it tells is then what was read
//!   at the site after every change that may have been made. While a change may be made at any time, [`Router::read`] awaits, too.
//! * Two calls for one person are never made at once: whoever calls holds the person's lease.
//! * No result and no error holds a person's texts: rules are told by their names, their sizes and their digests.
//!
//! # Still open
//!
//! What this contract does not say yet, so that no caller takes it for said:
//! * **Several addresses, and a state in part.** A site may have one entry for each address of a person, and ours may be on at some of them and
//!   not at others. [`Routing::ours`] tells one redirect for all of them. Until it can tell more, a router of such a site
//!   must tell ours as not in force wherever it is not on at every address, and say where it is missing.
//! * **Rules that act beside ours.** Rules of the site may run before people's own, or after them, and aliases may send on before either: they
//!   take effect though ours is on. There is no field for such a rule, only [`Routing::unread`]; nor for the case that mail is kept for
//!   some of a person's addresses.

use async_trait::async_trait;
use model::{Cause, Scope};
use serde::{Deserialize, Serialize};

use crate::{Account, Door, Error, Finding};

/// What becomes of the sender when a router's redirect sends a message on. Whoever receives it may enforce SPF (RFC 7208) and
/// DMARC (RFC 7489), which is why the routing check asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SenderMode {
    /// The envelope's sender stays: who enforces SPF refuses mail of domains that don't name this site.
    #[default]
    Kept,
    /// The envelope's sender is written anew under a domain of the site (SRS): SPF is met, DMARC only where the message is signed.
    Srs,
    /// The target takes mail from this site as from itself, and asks neither.
    TrustedRelay,
}

/// What a router is and can do, known without asking a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterOffers {
    /// The router's kind, for people.
    pub platform: &'static str,
    /// What becomes of the sender.
    pub sender: SenderMode,
    /// It can send mail on without a copy that stays. Forwarders and redirects keep no copy, so one that can't refuses.
    pub keeps_no_copy: bool,
    /// It can list what the whole site sends on, by [`Router::list`]; else each person is read alone.
    pub lists_all: bool,
    /// A person does what it asks for, reading as well: it is asked only where its answer is needed.
    pub asks_people: bool,
    /// It sends on what comes to each address that it is told, and nothing else of the mailbox: it has to be told every one, further ones too.
    pub by_address: bool,
}

/// Whose mail it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The account that the mail is delivered to, as the site names it.
    pub account: Account,
    /// The addresses at which the site takes mail for it, the primary one first.
    pub addresses: Vec<String>,
    /// Further addresses that a directory says it has, where the router goes by addresses. At some of them the site may take no mail: these are
    /// left out, and nothing is refused for them.
    pub further: Vec<String>,
}

impl Recipient {
    /// Whoever has this account, with mail at this address.
    pub fn new(account: Account, address: impl Into<String>) -> Self {
        Self::at(account, vec![address.into()])
    }

    /// Whoever has this account, with mail at these addresses.
    pub fn at(account: Account, addresses: Vec<String>) -> Self {
        Self { account, addresses, further: Vec::new() }
    }
}

/// Where mail is sent on to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Destination {
    /// An address, as it is written there.
    Address(String),
    /// What only delivery can tell, in words: an address that is computed, a list kept elsewhere, a program.
    Unknown(String),
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(text) | Self::Unknown(text) => f.write_str(text),
        }
    }
}

/// Whether mail that is sent on stays as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocalCopy {
    /// A copy stays.
    Kept,
    /// None stays.
    NotKept,
    /// That depends on the message.
    Perhaps,
}

/// Whether something is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Force {
    /// For all mail.
    Always,
    /// For some mail, as conditions say.
    Sometimes,
    /// It is there, and for no mail now: it would be if something else changed.
    Dormant,
}

/// Whose a forwarder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwarderOwner {
    /// Whoever runs the site.
    Administrator,
    /// The person.
    Person,
}

/// Something that is not ours and sends mail on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forwarder {
    /// Where to.
    pub to: Destination,
    /// Whether a copy stays.
    pub copy: LocalCopy,
    /// Whether it is in force. While our redirect is on, what would be in force without it is told as if it were.
    pub force: Force,
    /// Whose it is.
    pub owner: ForwarderOwner,
    /// Where it stands, for people: `script "holiday", line 12`.
    pub place: String,
}

/// Our redirect, as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OurRedirect {
    /// Where to.
    pub to: String,
    /// None: it is in force. Else why it is not, though it is there: the person has activated other rules, for example.
    pub ineffective: Option<String>,
}

/// Where a person's mail goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routing {
    /// Our redirect, if it is there.
    pub ours: Option<OurRedirect>,
    /// Every other address that mail is or may be sent on to.
    pub others: Vec<Forwarder>,
    /// What could not be looked into, and may send mail on as well: in sentences.
    pub unread: Vec<String>,
    /// What was found, for the audit.
    pub evidence: Evidence,
}

impl Routing {
    /// Where our redirect sends all mail to, if it is on and in force.
    pub fn redirected_to(&self) -> Option<&str> {
        self.ours.as_ref().filter(|ours| ours.ineffective.is_none()).map(|ours| ours.to.as_str())
    }
}

/// What stands at the site about a person's mail, in lines for the audit: names, sizes, digests and addresses; never a person's own
/// texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence(pub Vec<String>);

/// What a redirect or a release came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rerouted {
    /// Something was changed; else all was so already.
    pub changed: bool,
    /// What was there before.
    pub before: Evidence,
    /// What is there now.
    pub after: Evidence,
    /// What a person should know, in sentences: that the person's rules were changed in between and what became of that.
    pub notes: Vec<String>,
}

/// Takes what [`Router::list`] tells, in bounded portions. An error ends the listing.
#[async_trait]
pub trait ForwarderSink: Send {
    /// The next ones, each with the address or account that it belongs to.
    async fn take(&mut self, forwarders: Vec<(String, Forwarder)>) -> Result<(), Error>;
}

/// A site's way to say where a person's mail goes.
#[async_trait]
pub trait Router: Send + Sync {
    /// What it is and can do.
    fn offers(&self) -> RouterOffers;

    /// Where the person's mail goes now. Changes nothing.
    ///
    /// It is how a redirect and a release are read back: it asks the site afresh.
    async fn read(&self, who: &Recipient) -> Result<Routing, Error>;

    /// Puts our redirect on: all new mail of the person goes to this address, and no copy stays.
    ///
    /// It is so when this returns, unless it fails. Cut at any point, or failed in doubt, mail goes either where it went before or to
    /// `to`, never to both and never nowhere; called again it comes to the same end, and puts nothing on twice. A redirect of ours
    /// to another address is replaced in one step.
    async fn redirect(&self, who: &Recipient, to: &str, door: &dyn Door) -> Result<Rerouted, Error>;

    /// Takes our redirect off, wherever it leads, and leaves all else exactly as it was before or as its owner has changed it since.
    ///
    /// Cut at any point, or failed in doubt, mail goes either where our redirect leads or where it went before; called again
    /// it comes to the same end. Without a redirect of ours nothing is done.
    async fn release(&self, who: &Recipient, door: &dyn Door) -> Result<Rerouted, Error>;

    /// Tells every forwarder of the whole site that is not ours, where [`RouterOffers::lists_all`] says that it can.
    async fn list(&self, sink: &mut dyn ForwarderSink) -> Result<(), Error> {
        let _ = sink;
        let what = format!("a router of the kind {} lists nothing: people are read one by one", self.offers().platform);
        Err(Error::new(Cause::Unsupported, Scope::Run, what))
    }

    /// How many messages for the person the site has taken and neither delivered nor sent on yet: at one of their addresses, at what the
    /// site makes of those, or at where our redirect leads. None where that can't be told. Changes nothing.
    ///
    /// It is asked at the end of a switch: what was taken before the redirect was on still goes where it went. Nothing is left once it
    /// is 0 on two looks with a pause between, since a message that is being handed on may be in no queue for a moment, or in two.
    async fn queued(&self, who: &Recipient) -> Result<Option<u64>, Error> {
        let _ = who;
        Ok(None)
    }

    /// Looks whether it is reachable and set up well, for `check`; with a person, whether their redirect could be put on. Changes
    /// nothing. Stops at the first topic that fails.
    async fn check(&self, who: Option<&Recipient>) -> Vec<Finding>;
}
