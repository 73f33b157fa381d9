//! What the check finds: which fault, at which address, and one way of a message that shows it.

use model::Side;

use crate::{ForwarderKind, MailAddress, Mx, PersonId, Sender, Taken};

/// What is wrong with an address. In the order of weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// Its mail is sent on and on without end. Aliases and lists that hold each other at one site are none: a site
    /// resolves each once.
    Loop,
    /// Its mail is refused, comes to nowhere, to a list of nobody, or to aliases and lists that only hold each other.
    BlackHole,
    /// Its mail comes into the mailbox of somebody who is not to get it.
    ReachesAnother,
    /// Its mail comes into a mailbox of its person into which nobody looks. Copies that a forwarder keeps don't count.
    NotFollowed,
    /// Some of those whom the list is to reach get nothing, in none of their mailboxes.
    Missing,
    /// Somebody who is to get its mail gets it more than once, in whichever mailboxes.
    Twice,
    /// A forwarder on its way keeps a copy: the coexistence forwarder or the redirect, which are to keep none, or another one
    /// in the mailbox of somebody who is not to get its mail.
    KeepsCopy,
    /// A site on its way refuses it because the sender's domain does not list the site that sends it on, or on which it was
    /// written (RFC 7208).
    RefusedBySpf,
    /// A site on its way refuses it, where unsigned, because the sender was rewritten or not listed (RFC 7489). Where the
    /// same site refuses it by SPF first, this is not told.
    RefusedByDmarc,
    /// A forwarder on its way goes in a direction that the policy does not allow.
    ForbiddenDirection,
    /// It is sent out to a domain of neither site that is not secure.
    InsecureDomain,
    /// It leaves both sites: by the MX of the address itself, by a forwarder or an alias to a secure domain, or, where the
    /// address is a person's, by a list.
    LeavesUs,
}

impl Fault {
    /// Every fault.
    pub const EVERY: [Self; 12] = [
        Self::Loop,
        Self::BlackHole,
        Self::ReachesAnother,
        Self::NotFollowed,
        Self::Missing,
        Self::Twice,
        Self::KeepsCopy,
        Self::RefusedBySpf,
        Self::RefusedByDmarc,
        Self::ForbiddenDirection,
        Self::InsecureDomain,
        Self::LeavesUs,
    ];

    /// The fault's stable name, for reports and filters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loop => "loop",
            Self::BlackHole => "black-hole",
            Self::ReachesAnother => "reaches-another",
            Self::NotFollowed => "not-followed",
            Self::Missing => "missing",
            Self::Twice => "twice",
            Self::KeepsCopy => "keeps-copy",
            Self::RefusedBySpf => "refused-by-spf",
            Self::RefusedByDmarc => "refused-by-dmarc",
            Self::ForbiddenDirection => "forbidden-direction",
            Self::InsecureDomain => "insecure-domain",
            Self::LeavesUs => "leaves-us",
        }
    }

    /// The requirement that it goes against.
    pub fn requirement(self) -> &'static str {
        match self {
            Self::Loop
            | Self::BlackHole
            | Self::ReachesAnother
            | Self::NotFollowed
            | Self::Missing
            | Self::Twice
            | Self::KeepsCopy
            | Self::RefusedBySpf
            | Self::RefusedByDmarc
            | Self::LeavesUs => "R-083",
            Self::ForbiddenDirection => "R-086",
            Self::InsecureDomain => "R-328",
        }
    }
}

/// Where a message for an address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Entry {
    /// From somebody inside this site.
    Inside(Side),
    /// From outside, through whichever MX there is.
    Outside,
}

impl Entry {
    /// Every entry, in the order in which they are tried.
    pub const EVERY: [Self; 3] = [Self::Inside(Side::Source), Self::Inside(Side::Target), Self::Outside];
}

/// Why a message stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// The site accepts the domain, has no entry of the address and knows no other site to ask.
    UnknownRecipient,
    /// The site's entry says so.
    ByEntry,
    /// The site does not accept the domain from others.
    NotAccepted,
    /// The list has no members.
    NobodyInList,
    /// A rule throws it away: it sends it to nobody and keeps no copy.
    ThrownAway,
    /// The domain has no MX.
    NoMx,
    /// The MX of the domain points to the site that wants to send it out.
    MxIsItself,
}

/// What is done with a message at one place on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It stays in this one's mailbox on this site.
    Delivered(PersonId),
    /// It goes on to this one's mailbox on this site, which may send it on.
    Mailbox(PersonId),
    /// It goes on under this address, at the same site.
    Alias(MailAddress),
    /// It goes on under this address, at the same site, by the rule of the domain: it has no entry.
    AliasByRule(MailAddress),
    /// It goes to so many members.
    List(usize),
    /// It is sent on as another message.
    Forwarded {
        /// To whom.
        to: Vec<MailAddress>,
        /// By which forwarder.
        kind: ForwarderKind,
        /// In whose mailbox a copy stays.
        keeps_copy: Option<PersonId>,
    },
    /// There is no entry here, so it goes out by MX.
    NoEntry,
    /// It goes to the other site.
    Relayed {
        /// Under which address, if another.
        to: Option<MailAddress>,
        /// What becomes of the sender.
        sender: Sender,
        /// By which forwarder, if it is called one.
        kind: Option<ForwarderKind>,
    },
    /// It is sent out to where the MX points.
    SentTo {
        /// To where.
        mx: Mx,
        /// What becomes of the sender; none where the message is sent for the first time.
        sender: Option<Sender>,
    },
    /// It stops here.
    Stopped(Refusal),
}

/// For what a message is, where it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// For this address.
    Address(MailAddress),
    /// For this one's mailbox.
    Mailbox(PersonId),
}

/// One place on a message's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Which site has the message. None: whoever sends it from outside.
    pub site: Option<Side>,
    /// For what it is there.
    pub place: Place,
    /// Was the old or the new taken there?
    pub taken: Taken,
    /// Is it done with some messages only, by a rule with conditions?
    pub is_conditional: bool,
    /// What is done with it.
    pub step: Step,
}

/// A way of one message, from its entry on. Of a list or a forwarder that keeps a copy it follows one branch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// Its places, in order. That of a loop ends where it comes to one of its places for the second time.
    pub hops: Vec<Hop>,
    /// Were there more places than [`Witness::HOPS_MAX`]? The others are left out.
    pub is_cut: bool,
}

impl Witness {
    /// So many places are shown of a way, at most: more than mail servers let a message pass (Postfix: 50 by default).
    pub const HOPS_MAX: usize = 64;
}

/// A fault of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The address that is at fault. [`MailAddress::any_other`] stands for all of its domain without an entry.
    pub address: MailAddress,
    /// What is wrong.
    pub fault: Fault,
    /// The first entry that shows it.
    pub entry: Entry,
    /// The people whom it is about, in order: who gets what is not theirs, who gets it twice, who gets nothing or does not
    /// look. The first [`Finding::PEOPLE_MAX`] of them; empty for the other faults.
    pub people: Vec<PersonId>,
    /// How many people it is about.
    pub people_count: usize,
    /// How a message meets the fault: of several ways, a short one; of several people, the first one's.
    pub witness: Witness,
    /// For [`Fault::Twice`]: the way of the second message. Else empty.
    pub again: Witness,
    /// Is it certain that it happens in one and the same combination of old and new? Only [`Fault::Twice`] can be uncertain,
    /// where more changes are pending around one person than are tried out (see [`check`](crate::check())).
    pub is_certain: bool,
}

impl Finding {
    /// So many people are named, at most: one wrong alias may lead everybody's mail to everybody, and who those are is no news
    /// then.
    pub const PEOPLE_MAX: usize = 100;
}
