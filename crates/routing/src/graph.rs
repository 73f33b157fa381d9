//! One graph with the old and the new of everything that is pending.
//!
//! A *node* is a place that does one thing with a message. An *alternative* is one thing it may do; what is pending has two.
//! Alternatives lead to other nodes, a list's to several at once. Since each place chooses for itself, a way through the
//! graph that comes to no node twice is a way that a message takes in some combination of old and new. So what a message
//! can meet is a question of reachability, and no combination has to be tried out.
//!
//! A look-up of an MX chooses as well, so sending out by MX is a node of its own: one for each site, address, and way in
//! which the message came to be sent.

use std::collections::HashMap;
use std::ops::Range;

use model::Side;

use crate::build::Builder;
use crate::judge::{mark_aliases, mark_directions, mark_leaving, mark_void, reached_directly};
use crate::{
    Directory, ForwarderKind, Hop, MailAddress, MailboxRule, Mx, Owner, PersonId, Place, Refusal, Route, Sender, Step,
    Taken,
};

/// No node, no alternative.
pub(crate) const NONE: u32 = u32::MAX;

/// How a message came to be sent out by MX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    /// It was written there.
    Own,
    /// The site's own aliases and lists came to it.
    Resolved,
    /// It is sent on by a forwarder.
    Forwarded(Sender),
    /// There is no entry in the combination at hand, so all that comes to the place goes out together.
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum NodeKey {
    /// A site has a message for an address, of which it has an entry or whose domain it accepts.
    Place(Side, u32),
    /// A site has a message for somebody's mailbox.
    Mailbox(Side, u32),
    /// Another server brings a site a message for an address whose domain it does not accept.
    Denied(Side, u32),
    /// A site sends a message for an address out by its MX.
    Out(Side, u32, Origin),
    /// Somebody outside sends a message to an address.
    Outside(u32),
}

/// What is wrong with an alternative in itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks(u16);

impl Marks {
    pub(crate) const NOTHING: Self = Self(0);
    pub(crate) const BLACK_HOLE: Self = Self(1);
    pub(crate) const KEEPS_COPY: Self = Self(1 << 1);
    pub(crate) const SPF: Self = Self(1 << 2);
    pub(crate) const DMARC: Self = Self(1 << 3);
    pub(crate) const DIRECTION: Self = Self(1 << 4);
    pub(crate) const INSECURE: Self = Self(1 << 5);
    /// It leaves both sites, whoever's the address is.
    pub(crate) const LEAVES: Self = Self(1 << 6);
    /// It leaves both sites for a list's member elsewhere.
    pub(crate) const LEAVES_FOR_MEMBER: Self = Self(1 << 7);

    /// Out of what its site resolves in one go, nothing comes in some combination: aliases and lists that hold each other.
    pub(crate) const VOID: Self = Self(1 << 8);

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn has_any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }
}

/// What an alternative does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act<'d> {
    /// What an entry says.
    Route(&'d Route),
    /// What somebody's mailbox does.
    Rule(&'d MailboxRule, &'d PersonId),
    /// It stays in somebody's mailbox.
    Keep(&'d PersonId),
    /// What the domain's rule says: relay.
    Relay(Sender),
    /// What the domain's rule says: it is taken for another address.
    AliasByRule(u32),
    /// The entry is not there, and the site does not accept the domain: send it out.
    NoEntry,
    /// Send it to where the MX points.
    Sent(Mx, Option<Sender>),
    /// Nothing more.
    Stop(Refusal),
}

#[derive(Clone, Debug)]
pub(crate) struct Alternative<'d> {
    pub(crate) node: u32,
    pub(crate) taken: Taken,
    pub(crate) is_conditional: bool,
    pub(crate) act: Act<'d>,
    pub(crate) marks: Marks,
    /// Does its site resolve it in one go with what it leads to?
    pub(crate) expands: bool,
    pub(crate) children: Range<u32>,
}

impl Act<'_> {
    /// Is it one other name for the same?
    pub(crate) fn is_alias(&self) -> bool {
        matches!(self, Self::Route(Route::Alias(_)) | Self::AliasByRule(_))
    }

    /// What a forwarder does with the sender.
    pub(crate) fn forwards(&self) -> Option<Sender> {
        match self {
            Self::Route(Route::Forward { sender, .. }) | Self::Rule(MailboxRule::Forward { sender, .. }, _) => {
                Some(*sender)
            }
            _ => None,
        }
    }
}

/// A mailbox into which an alternative puts a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery {
    pub(crate) alternative: u32,
    pub(crate) side: Side,
    /// Is it a copy, and what forwarder keeps it?
    pub(crate) copy_of: Option<ForwarderKind>,
}

/// The graph of all that mail for expected addresses may meet.
pub(crate) struct Graph<'d> {
    pub(crate) keys: Vec<NodeKey>,
    /// The first alternative of each node; one more at the end.
    pub(crate) firsts: Vec<u32>,
    pub(crate) alternatives: Vec<Alternative<'d>>,
    pub(crate) children: Vec<u32>,
    /// The first of each node's alternatives that lead to it; one more at the end.
    pub(crate) leading_firsts: Vec<u32>,
    pub(crate) leading: Vec<u32>,
    pub(crate) addresses: Vec<MailAddress>,
    pub(crate) people: Vec<&'d PersonId>,
    /// Nodes where mail comes in: of each subject, in order, one for each entry.
    pub(crate) roots: Vec<[u32; 3]>,
    /// Into whose mailboxes mail may come, and where.
    pub(crate) deliveries: HashMap<&'d PersonId, Vec<Delivery>>,
}

impl<'d> Graph<'d> {
    pub(crate) fn of(directory: &'d Directory, subjects: &[(MailAddress, Option<&Owner>)]) -> Self {
        let mut graph = Builder::of(directory, subjects);
        mark_void(&mut graph);
        let is_direct = reached_directly(&graph);
        mark_aliases(directory, &mut graph, &is_direct);
        mark_leaving(directory, &mut graph, &is_direct);
        mark_directions(directory, &mut graph);
        graph
    }

    pub(crate) fn nodes(&self) -> u32 {
        self.keys.len() as u32
    }

    pub(crate) fn alternatives_of(&self, node: u32) -> Range<u32> {
        self.firsts[node as usize]..self.firsts[node as usize + 1]
    }

    pub(crate) fn alternative(&self, alternative: u32) -> &Alternative<'d> {
        &self.alternatives[alternative as usize]
    }

    /// Where an alternative leads, each node once.
    pub(crate) fn children(&self, alternative: u32) -> &[u32] {
        let Range { start, end } = self.alternative(alternative).children;
        &self.children[start as usize..end as usize]
    }

    /// From an alternative of which nothing comes: how it goes on, to where it comes round.
    pub(crate) fn way_in_void(&self, alternative: u32, at_most: usize) -> Vec<u32> {
        let mut way = vec![alternative];
        let mut last = alternative;
        while let Some(child) = self.children(last).first().filter(|_| way.len() < at_most) {
            let void = self.alternatives_of(*child).find(|next| self.alternative(*next).marks.has_any(Marks::VOID));
            let Some(next) = void else { break };
            let was_here = way.contains(&next);
            way.push(next);
            last = next;
            if was_here {
                break;
            }
        }
        way
    }

    /// Of an alias that is marked for where it leads out: that.
    pub(crate) fn way_out(&self, alternative: u32, marks: Marks) -> Option<u32> {
        let is_marked = self.alternative(alternative).act.is_alias()
            && marks.has_any(Marks::DIRECTION.and(Marks::LEAVES))
            && self.alternative(alternative).marks.has_any(marks);
        let child = self.children(alternative).first().filter(|_| is_marked)?;
        let leads_there = |out: &u32| match self.alternative(*out).act {
            Act::Sent(Mx::Site(_), _) => marks.has_any(Marks::DIRECTION),
            Act::Sent(Mx::Elsewhere, _) => marks.has_any(Marks::LEAVES),
            _ => false,
        };
        self.alternatives_of(*child).find(leads_there)
    }

    /// Where any alternative of a node leads.
    pub(crate) fn all_children(&self, node: u32) -> &[u32] {
        let alternatives = self.alternatives_of(node);
        let start = self.alternative(alternatives.start).children.start;
        let end = self.alternative(alternatives.end - 1).children.end;
        &self.children[start as usize..end as usize]
    }

    /// The alternatives that lead to a node.
    pub(crate) fn leading_to(&self, node: u32) -> &[u32] {
        let (start, end) = (self.leading_firsts[node as usize], self.leading_firsts[node as usize + 1]);
        &self.leading[start as usize..end as usize]
    }

    /// A place on a message's way, as people see it.
    pub(crate) fn hop(&self, alternative: u32) -> Hop {
        let Alternative { node, taken, is_conditional, act, .. } = self.alternative(alternative);
        let of = |address: u32| Place::Address(self.addresses[address as usize].clone());
        let (site, place) = match self.keys[*node as usize] {
            NodeKey::Place(side, address) | NodeKey::Denied(side, address) | NodeKey::Out(side, address, _) => {
                (Some(side), of(address))
            }
            NodeKey::Mailbox(side, person) => (Some(side), Place::Mailbox(self.people[person as usize].clone())),
            NodeKey::Outside(address) => (None, of(address)),
        };
        let forwarded = |to: &[MailAddress], kind: ForwarderKind, keeps_copy: Option<&PersonId>| match (to, keeps_copy)
        {
            ([], None) => Step::Stopped(Refusal::ThrownAway),
            _ => Step::Forwarded { to: to.to_vec(), kind, keeps_copy: keeps_copy.cloned() },
        };
        let step = match act {
            Act::Route(Route::Mailbox(person)) => Step::Mailbox(person.clone()),
            Act::Keep(person) | Act::Rule(MailboxRule::Deliver, person) => Step::Delivered((*person).clone()),
            Act::Route(Route::Alias(to)) => Step::Alias(to.clone()),
            Act::Route(Route::List(members)) if members.is_empty() => Step::Stopped(Refusal::NobodyInList),
            Act::Route(Route::List(members)) => Step::List(members.len()),
            Act::Route(Route::Forward { to, keeps_copy, kind, .. }) => forwarded(to, *kind, keeps_copy.as_ref()),
            Act::Rule(MailboxRule::Forward { to, keeps_copy, kind, .. }, person) => {
                forwarded(to, *kind, keeps_copy.then_some(*person))
            }
            Act::Route(Route::Relay { to, sender, kind }) => {
                Step::Relayed { to: to.clone(), sender: *sender, kind: *kind }
            }
            Act::Relay(sender) => Step::Relayed { to: None, sender: *sender, kind: None },
            Act::Sent(mx, sender) => Step::SentTo { mx: *mx, sender: *sender },
            Act::Route(Route::Refuse | Route::Absent) => Step::Stopped(Refusal::ByEntry),
            Act::Route(Route::Either(_)) | Act::Rule(MailboxRule::Either(_), _) => Step::Stopped(Refusal::ThrownAway),
            Act::AliasByRule(to) => Step::AliasByRule(self.addresses[*to as usize].clone()),
            Act::NoEntry => Step::NoEntry,
            Act::Stop(refusal) => Step::Stopped(*refusal),
        };
        Hop { site, place, taken: *taken, is_conditional: *is_conditional, step }
    }
}
