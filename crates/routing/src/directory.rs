//! The directory of both sides as the check sees it: plain values, to be filled from LDAP and AD attributes, sieve scripts,
//! maps of a mail server and DNS.

use std::collections::{BTreeMap, BTreeSet};

use model::Side;

use crate::{Domain, MailAddress, PersonId};

/// Something that is about to change, or not.
///
/// A change counts as pending from before it is made until nothing can act on the old any more: so long the old may be true and
/// the new may be true. When that is, depends on where it is kept:
/// - A map, a sieve script, an attribute of one server: when it was read back from there, and what that server holds of the
///   old in memory is gone.
/// - A directory of several servers: when it was read back from each of them. One that has not been asked may still have the old.
/// - DNS: when every authoritative server answers the new, and since then the old record's TTL is over (RFC 1035, section 3.2.1;
///   resolvers may keep it so long), and after that the time for which servers queue: what they have taken by the old record
///   may be under way there so long (RFC 5321, section 4.5.4.1: four to five days at least).
///
/// Each pending place is old or new by itself; what is true of one says nothing of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending<T> {
    /// How it is, as last read.
    pub now: T,
    /// How it will be, or is already: a change that was not read back yet. None: nothing is changing.
    pub then: Option<T>,
}

impl<T> Pending<T> {
    /// Nothing is changing.
    pub fn settled(now: T) -> Self {
        Self { now, then: None }
    }

    /// A change that was not read back.
    pub fn changing(now: T, then: T) -> Self {
        Self { now, then: Some(then) }
    }
}

impl<T: PartialEq> Pending<T> {
    /// What may be true, the old before the new. A change to the same is none.
    pub fn versions(&self) -> impl Iterator<Item = (Taken, &T)> {
        let then = self.then.as_ref().filter(|then| **then != self.now);
        let first = if then.is_some() { Taken::Old } else { Taken::Settled };
        std::iter::once((first, &self.now)).chain(then.map(|then| (Taken::New, then)))
    }
}

/// What may be done, the old before the new, each with whether that hangs on the message.
pub(crate) fn choices<T: Choice>(pending: &Pending<T>) -> Vec<(Taken, bool, &T)> {
    let mut choices = Vec::new();
    for (taken, version) in pending.versions() {
        let mut each = Vec::new();
        version.each(&mut each);
        let is_conditional = each.len() > 1;
        choices.extend(each.into_iter().map(|one| (taken, is_conditional, one)));
    }
    choices
}

/// What may be one of several, by the message.
pub(crate) trait Choice: Sized + PartialEq {
    /// If it is one of several: these.
    fn either(&self) -> Option<&[Self]>;

    /// What it may be, each once. One of none is that itself.
    fn each<'a>(&'a self, each: &mut Vec<&'a Self>) {
        match self.either() {
            Some(several) if !several.is_empty() => several.iter().for_each(|one| one.each(each)),
            _ if each.contains(&self) => {}
            _ => each.push(self),
        }
    }
}

impl Choice for Route {
    fn either(&self) -> Option<&[Self]> {
        if let Self::Either(several) = self { Some(several) } else { None }
    }
}

impl Choice for MailboxRule {
    fn either(&self) -> Option<&[Self]> {
        if let Self::Either(several) = self { Some(several) } else { None }
    }
}

/// Which of both was taken at a place on a message's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Taken {
    /// There is only one: nothing is changing there.
    Settled,
    /// What was there before the change.
    Old,
    /// What the change makes of it.
    New,
}

/// What becomes of the envelope sender (RFC 5321, section 3.3) when a router sends a message on to another site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sender {
    /// It stays. SPF (RFC 7208) then speaks against the router wherever the sender's domain does not list it.
    Kept,
    /// It is rewritten into a domain of the router's own (SRS). SPF passes; unsigned mail fails DMARC (RFC 7489, section
    /// 3.1), since that domain is not the one of the From field.
    Srs,
    /// It stays, and the receiving site is relied on to take this router's mail without looking. Where that site does not
    /// declare so, this is [`Sender::Kept`].
    TrustedRelay,
}

/// Which forwarder it is (ruling A-05).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ForwarderKind {
    /// F1: from a new account on the target to the source, until its person is switched.
    Coexistence,
    /// F2: from before, set by the organisation.
    PreExisting,
    /// F3: the redirect of the switch, from source to target.
    Redirect,
    /// A person's own rule.
    OwnRule,
}

impl ForwarderKind {
    /// Is it one of a migration, which keeps no copy?
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Coexistence | Self::Redirect)
    }
}

/// What a site does with mail for one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// There is no entry: the domain's rule at this site holds. For what is about to be added or taken away. Where the site
    /// does not accept the domain, mail then goes out by MX, and is judged as by the strictest of the ways on which it may
    /// have come there.
    Absent,
    /// It is for this one's mailbox on this site: what becomes of it there is said by [`Site::mailboxes`].
    Mailbox(PersonId),
    /// It goes on at this site under another address. One that this site does not accept is sent out by its MX, with the site's
    /// own [`Site::sender`], and the alias is judged as a forwarder, unless mail comes to it for members of lists only.
    Alias(MailAddress),
    /// It goes to each of these, as this site knows them. A site resolves aliases and lists of its own in one go and gives
    /// each recipient that comes out of it one message, however often it was named.
    List(Vec<MailAddress>),
    /// It is sent on as another message: to addresses that this site knows, else by their MX. This is what hangs on the
    /// address; what hangs on a mailbox, however many addresses that has, is in [`Site::mailboxes`].
    Forward {
        /// To whom, a message each. To nobody, without a copy: it is thrown away.
        to: Vec<MailAddress>,
        /// What becomes of the sender, where it is sent out by MX.
        sender: Sender,
        /// In whose mailbox on this site a copy stays, if one does. A forwarder of Whimbrel keeps none.
        keeps_copy: Option<PersonId>,
        /// Which forwarder it is.
        kind: ForwarderKind,
    },
    /// It goes to the other site, whatever the MX says: a `targetAddress` of AD, a transport of Postfix. On an address that
    /// [`Directory::expected`] calls a person's, it is a forwarder for the policy, since it takes that person's mail from one
    /// side to the other.
    Relay {
        /// Under which address. None: under the same; a `targetAddress` changes it. One that is sent to neither site is a
        /// [`Route::Forward`].
        to: Option<MailAddress>,
        /// What becomes of the sender.
        sender: Sender,
        /// Which forwarder it is, if it is one whosever the address is.
        kind: Option<ForwarderKind>,
    },
    /// One of these, by the message, for good: a rule with conditions. It is no change, so it is never settled.
    Either(Vec<Route>),
    /// It is refused.
    Refuse,
}

/// What a site does with mail that has come to a mailbox: sieve (RFC 5228), `altRecipient` with `deliverAndRedirect` of AD,
/// `ForwardingSmtpAddress` of Exchange. One change of it is one change for all addresses of the mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailboxRule {
    /// It stays there.
    Deliver,
    /// It is sent on as another message.
    Forward {
        /// To whom, a message each. To nobody, without a copy: it is thrown away.
        to: Vec<MailAddress>,
        /// What becomes of the sender, where it is sent out by MX.
        sender: Sender,
        /// Does it stay there as well? A forwarder of Whimbrel keeps no copy.
        keeps_copy: bool,
        /// Which forwarder it is.
        kind: ForwarderKind,
    },
    /// One of these, by the message, for good: a rule with conditions. It is no change, so it is never settled.
    Either(Vec<MailboxRule>),
}

/// What a site does with an address of a domain that it accepts and of which it has no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainRule {
    /// It refuses it: an unknown recipient.
    Authoritative,
    /// It sends it to the other site, under the same address.
    InternalRelay {
        /// What becomes of the sender. This counts also for mail that a forwarder of the site sends this way.
        sender: Sender,
    },
    /// It takes them all for one address: `@old.example` in `virtual_alias_maps`. Otherwise as [`Route::Alias`].
    CatchAll(MailAddress),
    /// It takes each for the one of the same name in another domain: `@old.example @new.example`. Otherwise as
    /// [`Route::Alias`].
    MapTo(Domain),
}

/// One site's mail system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Does it refuse mail that fails SPF?
    pub enforces_spf: bool,
    /// Does it refuse mail that fails DMARC?
    pub enforces_dmarc: bool,
    /// Does it take the other site's mail without checking SPF and DMARC? That does not open it for domains that it does
    /// not accept.
    pub trusts_other: bool,
    /// What it does with the sender of mail that its aliases and lists send out by MX.
    pub sender: Sender,
    /// With which domains of ours do its people write? None: with any that either site accepts.
    pub writes_as: Option<BTreeSet<Domain>>,
    /// For which domains of ours may it send: those whose SPF record (RFC 7208) lists it. Mail that is written here with another
    /// one is refused by the other site as a third party's would be. A change of this is to be checked as two directories.
    pub sends_for: BTreeSet<Domain>,
    /// Does it ask its entries for mail of its own people and routers in every domain, also in those that it does not accept?
    /// Postfix does (`virtual_alias_maps` rewrite every recipient, ADDRESS_REWRITING_README), and so does Exchange (proxy
    /// addresses and contacts, before any connector). Without it, such entries are never asked: see
    /// [`Directory::unchecked`].
    pub asks_entries_everywhere: bool,
    /// The domains for which it takes mail from other servers, and what it does with addresses there of which it has no entry.
    /// While a rule is changing, each address may meet the old or the new: a site has several servers, and they remember
    /// recipients. A change of which domains these are is to be checked as two directories.
    pub domains: BTreeMap<Domain, Pending<DomainRule>>,
    /// Does it resolve addresses to mailboxes before it delivers, so that two addresses of one mailbox in one list are one
    /// recipient? Exchange does. Without it, each of them is a message of its own.
    pub resolves_to_mailbox: bool,
    /// What it does with mail for mailboxes. Those that are not here keep it.
    pub mailboxes: BTreeMap<PersonId, Pending<MailboxRule>>,
    /// What it does with addresses: asked before the rule of the domain.
    pub entries: BTreeMap<MailAddress, Pending<Route>>,
}

impl Default for Site {
    /// A site of which nothing is known: it accepts no domain, refuses what fails SPF and DMARC, trusts nobody, keeps senders,
    /// may be written from with every domain and sends for none, asks its entries in every domain, and delivers to each
    /// address by itself. Whatever is better is to be said.
    fn default() -> Self {
        Self {
            enforces_spf: true,
            enforces_dmarc: true,
            trusts_other: false,
            sender: Sender::Kept,
            writes_as: None,
            sends_for: BTreeSet::new(),
            asks_entries_everywhere: true,
            domains: BTreeMap::new(),
            resolves_to_mailbox: false,
            mailboxes: BTreeMap::new(),
            entries: BTreeMap::new(),
        }
    }
}

/// Where the MX records of a domain point (RFC 5321, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mx {
    /// To one of both sites.
    Site(Side),
    /// To somebody else.
    Elsewhere,
    /// Nowhere: neither MX nor address record, or a null MX (RFC 7505).
    Nowhere,
}

/// Which mailbox its person looks into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Followed {
    /// That at the source: not switched.
    Source,
    /// Both: being switched, when what lands in either comes to the other, or somebody who works in both.
    Either,
    /// That on the target: switched and settled.
    Target,
}

impl Followed {
    /// Is the mailbox on this side followed?
    pub fn includes(self, side: Side) -> bool {
        match self {
            Self::Source => side == Side::Source,
            Self::Either => true,
            Self::Target => side == Side::Target,
        }
    }
}

/// Whose an address is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Its mail is to reach this one, once.
    Person(PersonId),
    /// Its mail is to reach each of these, once each. Members elsewhere are not counted.
    List(BTreeSet<PersonId>),
}

/// Where mail may be forwarded to: profile data (R-086, R-328, ruling A-20).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// From source to target.
    pub source_to_target: bool,
    /// From target to source.
    pub target_to_source: bool,
    /// Domains of neither site to which mail may go. Each stands for itself, and `*.police.example` for every domain below it.
    pub secure_domains: BTreeSet<Domain>,
}

impl Policy {
    /// May mail be forwarded from this side to the other?
    pub fn allows_from(&self, side: Side) -> bool {
        match side {
            Side::Source => self.source_to_target,
            Side::Target => self.target_to_source,
        }
    }

    /// May mail be sent out to this domain?
    pub fn is_secure(&self, domain: &str) -> bool {
        let is_listed = |name: &str| self.secure_domains.contains(name);
        is_listed(domain) || domain.match_indices('.').any(|(at, _)| is_listed(&format!("*{}", &domain[at..])))
    }
}

/// Everything that decides where mail goes, of both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// The source's mail system.
    pub source: Site,
    /// The target's.
    pub target: Site,
    /// Where each domain's MX points. While it changes, each place that looks it up may see either; [`Pending`] says how long
    /// that is. A domain that is not
    /// here is somebody else's: [`Mx::Elsewhere`].
    pub mx: BTreeMap<Domain, Pending<Mx>>,
    /// Everybody who has a mailbox. Who is missing here follows none.
    pub people: BTreeMap<PersonId, Followed>,
    /// Every address of ours that is to work, with its owner.
    pub expected: BTreeMap<MailAddress, Owner>,
    /// Where mail may be forwarded to.
    pub policy: Policy,
}

/// Why an entry of a site is not judged as an address of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unchecked {
    /// It is no expected address, so nobody has said whom it is to reach. It is judged only as far as an expected
    /// address leads there.
    NotExpected,
    /// The site does not accept its domain and does not ask its entries there, so no mail ever comes to it.
    NeverAsked,
}

impl Directory {
    /// The mail system of a side.
    pub fn site(&self, side: Side) -> &Site {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    /// The mail system of a side, to be filled.
    pub fn site_mut(&mut self, side: Side) -> &mut Site {
        match side {
            Side::Source => &mut self.source,
            Side::Target => &mut self.target,
        }
    }

    /// What is to be judged: every expected address with its owner, then of each domain that a site accepts whatever has no
    /// entry.
    pub(crate) fn subjects(&self) -> Vec<(MailAddress, Option<&Owner>)> {
        let expected = self.expected.iter().map(|(address, owner)| (address.clone(), Some(owner)));
        let domains: BTreeSet<&Domain> = self.source.domains.keys().chain(self.target.domains.keys()).collect();
        expected.chain(domains.into_iter().map(|domain| (MailAddress::any_other(domain), None))).collect()
    }

    /// May mail be written on this side with a domain of ours for which it may not send?
    pub(crate) fn writes_unlisted(&self, side: Side) -> bool {
        let writing = self.site(side);
        let ours = || self.source.domains.keys().chain(self.target.domains.keys());
        let is_unlisted = |domain: &Domain| !writing.sends_for.contains(domain);
        writing.writes_as.as_ref().map_or_else(|| ours().any(is_unlisted), |domains| domains.iter().any(is_unlisted))
    }

    /// What may be the MX of a domain, the old before the new.
    pub(crate) fn mx_of(&self, domain: &str) -> Vec<(Taken, Mx)> {
        self.mx.get(domain).map_or_else(
            || vec![(Taken::Settled, Mx::Elsewhere)],
            |pending| pending.versions().map(|(taken, mx)| (taken, *mx)).collect(),
        )
    }

    /// Every entry that [`check`](crate::check()) does not start from, and why: for a person to look through, so that nothing
    /// is left out in silence. In the order of sides and addresses.
    pub fn unchecked(&self) -> Vec<(Side, MailAddress, Unchecked)> {
        let mut unchecked = Vec::new();
        for side in [Side::Source, Side::Target] {
            let site = self.site(side);
            for address in site.entries.keys() {
                if !site.asks_entries_everywhere && !site.domains.contains_key(address.domain()) {
                    unchecked.push((side, address.clone(), Unchecked::NeverAsked));
                } else if !self.expected.contains_key(address) {
                    unchecked.push((side, address.clone(), Unchecked::NotExpected));
                }
            }
        }
        unchecked
    }
}
