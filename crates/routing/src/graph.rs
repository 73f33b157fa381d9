//! One graph with the old and the new of everything that is pending.
//!
//! A *node* is a place that does one thing with a message. An *alternative* is one thing it may do; what is pending has two.
//! Alternatives lead to other nodes, a list's to several at once. Since each place chooses for itself, a way through the
//! graph that comes to no node twice is a way that a message takes in some combination of old and new. So what a message
//! can meet is a question of reachability, and no combination has to be tried out.
//!
//! A look-up of an MX chooses as well, so sending out by MX is a node of its own: one for each site, address, and way in
//! which the message came to be sent.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use model::Side;

use crate::directory::choices;
use crate::{
    Directory, DomainRule, ForwarderKind, Hop, MailAddress, MailboxRule, Mx, Owner, PersonId, Place, Refusal, Route,
    Sender, Step, Taken,
};

/// No node, no alternative.
pub(crate) const NONE: u32 = u32::MAX;

/// How a message came to be sent out by MX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Origin {
    /// It was written there.
    Own,
    /// It is for a member of a list.
    Member,
    /// It is sent on by a forwarder or an alias.
    Forwarded(Sender),
    /// There is no entry in the combination at hand, so all that comes to the place goes out together.
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum NodeKey {
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
    is_conditional: bool,
    pub(crate) act: Act<'d>,
    pub(crate) marks: Marks,
    /// Does its site resolve it in one go with what it leads to?
    pub(crate) expands: bool,
    children: Range<u32>,
}

impl Act<'_> {
    /// What a forwarder does with the sender.
    fn forwards(&self) -> Option<Sender> {
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
    keys: Vec<NodeKey>,
    /// The first alternative of each node; one more at the end.
    firsts: Vec<u32>,
    pub(crate) alternatives: Vec<Alternative<'d>>,
    children: Vec<u32>,
    /// The first of each node's alternatives that lead to it; one more at the end.
    leading_firsts: Vec<u32>,
    leading: Vec<u32>,
    addresses: Vec<MailAddress>,
    people: Vec<&'d PersonId>,
    /// Nodes where mail comes in: of each subject, in order, one for each entry.
    pub(crate) roots: Vec<[u32; 3]>,
    /// Into whose mailboxes mail may come, and where.
    pub(crate) deliveries: HashMap<&'d PersonId, Vec<Delivery>>,
}

impl<'d> Graph<'d> {
    pub(crate) fn of(directory: &'d Directory, subjects: &[(MailAddress, Option<&Owner>)]) -> Self {
        let mut builder = Builder::new(directory);
        builder.add_roots(subjects);
        builder.add_alternatives();
        let mut graph = builder.finish();
        mark_void(&mut graph);
        mark_leaving(directory, &mut graph);
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
            Act::NoEntry => Step::NoEntry,
            Act::Stop(refusal) => Step::Stopped(*refusal),
        };
        Hop { site, place, taken: *taken, is_conditional: *is_conditional, step }
    }
}

struct Builder<'d> {
    directory: &'d Directory,
    addresses: Vec<MailAddress>,
    address_ids: HashMap<MailAddress, u32>,
    people: Vec<&'d PersonId>,
    person_ids: HashMap<&'d PersonId, u32>,
    /// What each side does with each address of which it has no entry; none: it does not accept it.
    rules: Vec<[Option<DomainRule>; 2]>,
    /// The node of each address at the source and on the target.
    places: Vec<[u32; 2]>,
    /// All other nodes.
    others: HashMap<NodeKey, u32>,
    keys: Vec<NodeKey>,
    firsts: Vec<u32>,
    alternatives: Vec<Alternative<'d>>,
    children: Vec<u32>,
    roots: Vec<[u32; 3]>,
    deliveries: HashMap<&'d PersonId, Vec<Delivery>>,
    /// Which members the list at hand has named already: the list's alternative, by node.
    named: Vec<u32>,
}

fn other(side: Side) -> Side {
    match side {
        Side::Source => Side::Target,
        Side::Target => Side::Source,
    }
}

impl<'d> Builder<'d> {
    fn new(directory: &'d Directory) -> Self {
        Self {
            directory,
            addresses: Vec::new(),
            address_ids: HashMap::new(),
            people: Vec::new(),
            person_ids: HashMap::new(),
            rules: Vec::new(),
            places: Vec::new(),
            others: HashMap::new(),
            keys: Vec::new(),
            firsts: Vec::new(),
            alternatives: Vec::new(),
            children: Vec::new(),
            roots: Vec::new(),
            deliveries: HashMap::new(),
            named: Vec::new(),
        }
    }

    fn add_roots(&mut self, subjects: &[(MailAddress, Option<&Owner>)]) {
        for (address, _) in subjects {
            let id = self.address(address);
            let inside = |builder: &mut Self, side| builder.at(side, id, Origin::Own);
            let roots = [inside(self, Side::Source), inside(self, Side::Target), self.node(NodeKey::Outside(id))];
            self.roots.push(roots);
        }
    }

    /// Alternatives of all nodes, also of those that come up meanwhile.
    fn add_alternatives(&mut self) {
        let mut node = 0;
        while node < self.keys.len() {
            self.firsts.push(self.alternatives.len() as u32);
            let node_id = node as u32;
            match self.keys[node] {
                NodeKey::Place(side, address) => self.add_place(node_id, side, address),
                NodeKey::Mailbox(side, person) => self.add_mailbox(node_id, side, person),
                NodeKey::Denied(..) => self.add_stop(node_id, Taken::Settled, Refusal::NotAccepted),
                NodeKey::Out(side, address, origin) => self.add_out(node_id, side, address, origin),
                NodeKey::Outside(address) => self.add_outside(node_id, address),
            }
            node += 1;
        }
        self.firsts.push(self.alternatives.len() as u32);
    }

    fn finish(self) -> Graph<'d> {
        let nodes = self.keys.len();
        let mut leading_firsts = vec![0u32; nodes + 1];
        for child in &self.children {
            leading_firsts[*child as usize + 1] += 1;
        }
        for node in 0..nodes {
            leading_firsts[node + 1] += leading_firsts[node];
        }
        let mut next = leading_firsts.clone();
        let mut leading = vec![0u32; self.children.len()];
        for (number, alternative) in self.alternatives.iter().enumerate() {
            for child in &self.children[alternative.children.start as usize..alternative.children.end as usize] {
                let place = &mut next[*child as usize];
                leading[*place as usize] = number as u32;
                *place += 1;
            }
        }
        Graph {
            keys: self.keys,
            firsts: self.firsts,
            alternatives: self.alternatives,
            children: self.children,
            leading_firsts,
            leading,
            addresses: self.addresses,
            people: self.people,
            roots: self.roots,
            deliveries: self.deliveries,
        }
    }

    fn address(&mut self, address: &MailAddress) -> u32 {
        if let Some(id) = self.address_ids.get(address) {
            return *id;
        }
        let id = self.addresses.len() as u32;
        self.address_ids.insert(address.clone(), id);
        self.addresses.push(address.clone());
        self.places.push([NONE; 2]);
        let rule = |side| self.directory.site(side).domains.get(address.domain()).copied();
        self.rules.push([rule(Side::Source), rule(Side::Target)]);
        id
    }

    fn node(&mut self, key: NodeKey) -> u32 {
        let next = self.keys.len() as u32;
        let known = match key {
            NodeKey::Place(side, address) => &mut self.places[address as usize][side as usize],
            _ => self.others.entry(key).or_insert(NONE),
        };
        if *known == NONE {
            *known = next;
            self.keys.push(key);
            self.named.push(NONE);
        }
        *known
    }

    fn rule(&self, side: Side, address: u32) -> Option<DomainRule> {
        self.rules[address as usize][side as usize]
    }

    /// Where a message comes that a site has from its own people or routers: what it knows itself, else out.
    fn at(&mut self, side: Side, address: u32, origin: Origin) -> u32 {
        let site = self.directory.site(side);
        let is_known = || {
            let entry = site.entries.get(&self.addresses[address as usize]).filter(|_| site.asks_entries_everywhere);
            entry.is_some_and(|entry| entry.versions().any(|(_, route)| *route != Route::Absent))
        };
        let is_here = self.rule(side, address).is_some() || is_known();
        self.node(if is_here { NodeKey::Place(side, address) } else { NodeKey::Out(side, address, origin) })
    }

    /// Where a message comes that another server brings a site.
    fn from_server(&mut self, side: Side, address: u32) -> u32 {
        let is_accepted = self.rule(side, address).is_some();
        self.node(if is_accepted { NodeKey::Place(side, address) } else { NodeKey::Denied(side, address) })
    }

    fn add(&mut self, node: u32, taken: Taken, act: Act<'d>, marks: Marks, children: &[u32]) -> u32 {
        let number = self.alternatives.len() as u32;
        let start = self.children.len() as u32;
        for child in children {
            let named = &mut self.named[*child as usize];
            if *named != number {
                *named = number;
                self.children.push(*child);
            }
        }
        let children = start..self.children.len() as u32;
        let is_conditional = false;
        self.alternatives.push(Alternative { node, taken, is_conditional, act, marks, expands: false, children });
        number
    }

    fn add_stop(&mut self, node: u32, taken: Taken, refusal: Refusal) {
        self.add(node, taken, Act::Stop(refusal), Marks::BLACK_HOLE, &[]);
    }

    fn add_place(&mut self, node: u32, side: Side, address: u32) {
        let directory = self.directory;
        let Some(entry) = directory.site(side).entries.get(&self.addresses[address as usize]) else {
            return self.add_by_rule(node, Taken::Settled, side, address);
        };
        for (taken, is_conditional, route) in choices(entry) {
            let first = self.alternatives.len();
            self.add_route(node, taken, side, address, route);
            for alternative in &mut self.alternatives[first..] {
                alternative.is_conditional |= is_conditional;
            }
        }
    }

    fn add_mailbox(&mut self, node: u32, side: Side, person: u32) {
        let (directory, person) = (self.directory, self.people[person as usize]);
        let Some(rule) = directory.site(side).mailboxes.get(person) else {
            return self.keep(node, Taken::Settled, Act::Keep(person), side, person);
        };
        for (taken, is_conditional, rule) in choices(rule) {
            let first = self.alternatives.len();
            let act = Act::Rule(rule, person);
            match rule {
                MailboxRule::Deliver => self.keep(node, taken, act, side, person),
                MailboxRule::Forward { to, sender, keeps_copy, kind } => {
                    self.add_forward(node, taken, act, side, to, *sender, keeps_copy.then_some(person), *kind);
                }
                MailboxRule::Either(_) => {
                    self.add(node, taken, act, Marks::BLACK_HOLE, &[]);
                }
            }
            for alternative in &mut self.alternatives[first..] {
                alternative.is_conditional |= is_conditional;
            }
        }
    }

    fn keep(&mut self, node: u32, taken: Taken, act: Act<'d>, side: Side, person: &'d PersonId) {
        let alternative = self.add(node, taken, act, Marks::NOTHING, &[]);
        self.deliveries.entry(person).or_default().push(Delivery { alternative, side, copy_of: None });
    }

    #[expect(clippy::too_many_arguments, reason = "what a forwarder is, once for addresses and once for mailboxes")]
    fn add_forward(
        &mut self,
        node: u32,
        taken: Taken,
        act: Act<'d>,
        side: Side,
        to: &[MailAddress],
        sender: Sender,
        keeps_copy: Option<&'d PersonId>,
        kind: ForwarderKind,
    ) {
        let mut children = Vec::with_capacity(to.len());
        for to in to {
            let to = self.address(to);
            children.push(self.at(side, to, Origin::Forwarded(sender)));
        }
        let marks = match keeps_copy {
            Some(_) if kind.is_ours() => Marks::KEEPS_COPY,
            Some(_) => Marks::NOTHING,
            None if to.is_empty() => Marks::BLACK_HOLE,
            None => Marks::NOTHING,
        };
        let alternative = self.add(node, taken, act, marks, &children);
        if let Some(person) = keeps_copy {
            self.deliveries.entry(person).or_default().push(Delivery { alternative, side, copy_of: Some(kind) });
        }
    }

    fn mailbox(&mut self, side: Side, person: &'d PersonId) -> u32 {
        let next = self.people.len() as u32;
        let id = *self.person_ids.entry(person).or_insert(next);
        if id == next {
            self.people.push(person);
        }
        self.node(NodeKey::Mailbox(side, id))
    }

    /// As one with what it leads to.
    fn add_expanding(&mut self, node: u32, taken: Taken, act: Act<'d>, marks: Marks, children: &[u32]) {
        let alternative = self.add(node, taken, act, marks, children);
        self.alternatives[alternative as usize].expands = true;
    }

    fn add_by_rule(&mut self, node: u32, taken: Taken, side: Side, address: u32) {
        match self.rule(side, address) {
            None => {
                let child = self.node(NodeKey::Out(side, address, Origin::Any));
                self.add(node, taken, Act::NoEntry, Marks::NOTHING, &[child]);
            }
            Some(DomainRule::Authoritative) => self.add_stop(node, taken, Refusal::UnknownRecipient),
            Some(DomainRule::InternalRelay { sender }) => {
                let child = self.from_server(other(side), address);
                let marks = refusal(self.directory, other(side), sender);
                self.add(node, taken, Act::Relay(sender), marks, &[child]);
            }
        }
    }

    fn add_route(&mut self, node: u32, taken: Taken, side: Side, address: u32, route: &'d Route) {
        let act = Act::Route(route);
        match route {
            Route::Absent => self.add_by_rule(node, taken, side, address),
            Route::Mailbox(person) => {
                let site = self.directory.site(side);
                if site.resolves_to_mailbox {
                    let child = self.mailbox(side, person);
                    self.add_expanding(node, taken, act, Marks::NOTHING, &[child]);
                } else if site.mailboxes.contains_key(person) {
                    let child = self.mailbox(side, person);
                    self.add(node, taken, act, Marks::NOTHING, &[child]);
                } else {
                    self.keep(node, taken, Act::Keep(person), side, person);
                }
            }
            Route::Alias(to) => {
                let to = self.address(to);
                let sender = self.directory.site(side).sender;
                let child = self.at(side, to, Origin::Forwarded(sender));
                self.add_expanding(node, taken, act, Marks::NOTHING, &[child]);
            }
            Route::List(members) => {
                let mut children = Vec::with_capacity(members.len());
                for member in members {
                    let member = self.address(member);
                    children.push(self.at(side, member, Origin::Member));
                }
                let marks = if members.is_empty() { Marks::BLACK_HOLE } else { Marks::NOTHING };
                self.add_expanding(node, taken, act, marks, &children);
            }
            Route::Forward { to, sender, keeps_copy, kind } => {
                self.add_forward(node, taken, act, side, to, *sender, keeps_copy.as_ref(), *kind);
            }
            Route::Relay { to, sender, kind } => {
                let to = to.as_ref().map_or(address, |to| self.address(to));
                let child = self.from_server(other(side), to);
                let mut marks = refusal(self.directory, other(side), *sender);
                let owner = self.directory.expected.get(&self.addresses[address as usize]);
                let is_forwarder = kind.is_some() || matches!(owner, Some(Owner::Person(_)));
                if is_forwarder && !self.directory.policy.allows_from(side) {
                    marks = marks.and(Marks::DIRECTION);
                }
                self.add(node, taken, act, marks, &[child]);
            }
            Route::Refuse | Route::Either(_) => {
                self.add(node, taken, act, Marks::BLACK_HOLE, &[]);
            }
        }
    }

    fn add_out(&mut self, node: u32, side: Side, address: u32, origin: Origin) {
        let sender = match origin {
            Origin::Own => None,
            Origin::Member | Origin::Any => Some(self.directory.site(side).sender),
            Origin::Forwarded(sender) => Some(sender),
        };
        let address_text = self.addresses[address as usize].clone();
        for (taken, mx) in self.directory.mx_of(address_text.domain()) {
            let marks = judged(self.directory, side, address_text.domain(), mx, origin);
            match mx {
                Mx::Nowhere => self.add_stop(node, taken, Refusal::NoMx),
                Mx::Site(to) if to == side => self.add_stop(node, taken, Refusal::MxIsItself),
                Mx::Site(to) => {
                    let child = self.from_server(to, address);
                    self.add(node, taken, Act::Sent(mx, sender), marks, &[child]);
                }
                Mx::Elsewhere => {
                    self.add(node, taken, Act::Sent(mx, sender), marks, &[]);
                }
            }
        }
    }

    fn add_outside(&mut self, node: u32, address: u32) {
        let address_text = self.addresses[address as usize].clone();
        for (taken, mx) in self.directory.mx_of(address_text.domain()) {
            let act = Act::Sent(mx, None);
            match mx {
                Mx::Nowhere => self.add_stop(node, taken, Refusal::NoMx),
                Mx::Elsewhere => {
                    self.add(node, taken, act, Marks::LEAVES, &[]);
                }
                Mx::Site(side) => {
                    let child = self.from_server(side, address);
                    self.add(node, taken, act, Marks::NOTHING, &[child]);
                }
            }
        }
    }
}

/// Does a site refuse what the other one sends on with such a sender? Some mail only, so the rest still goes its way.
fn refusal(directory: &Directory, at: Side, sender: Sender) -> Marks {
    let site = directory.site(at);
    let is_kept = sender != Sender::Srs;
    if site.trusts_other {
        Marks::NOTHING
    } else if is_kept && site.enforces_spf {
        Marks::SPF
    } else if site.enforces_dmarc {
        Marks::DMARC
    } else {
        Marks::NOTHING
    }
}

/// What is wrong with sending a message out to where the MX points.
fn judged(directory: &Directory, side: Side, domain: &str, mx: Mx, origin: Origin) -> Marks {
    match mx {
        Mx::Nowhere => Marks::NOTHING,
        Mx::Site(to) if to == side => Marks::NOTHING,
        Mx::Site(to) => match origin {
            Origin::Own | Origin::Any => Marks::NOTHING,
            Origin::Member => refusal(directory, to, directory.site(side).sender),
            Origin::Forwarded(sender) if directory.policy.allows_from(side) => refusal(directory, to, sender),
            Origin::Forwarded(sender) => refusal(directory, to, sender).and(Marks::DIRECTION),
        },
        Mx::Elsewhere => match origin {
            Origin::Any => Marks::NOTHING,
            Origin::Own => Marks::LEAVES,
            _ if !directory.policy.secure_domains.contains(domain) => Marks::INSECURE,
            Origin::Member => Marks::LEAVES_FOR_MEMBER,
            Origin::Forwarded(_) => Marks::LEAVES,
        },
    }
}

/// Marks aliases and lists of which nothing comes in some combination. Something comes of an alternative that does not expand,
/// or leads to at least one place of all whose alternatives something comes. That all others may fail in one and the same
/// combination is as with [`Sure`](crate::recipients::Sure).
fn mark_void(graph: &mut Graph<'_>) {
    let mut open: Vec<u32> = (0..graph.nodes()).map(|node| graph.alternatives_of(node).len() as u32).collect();
    let mut yields = vec![false; graph.alternatives.len()];
    let mut queue: Vec<u32> = (0..graph.alternatives.len() as u32)
        .filter(|alternative| !graph.alternative(*alternative).expands || graph.children(*alternative).is_empty())
        .collect();
    for alternative in &queue {
        yields[*alternative as usize] = true;
    }
    while let Some(alternative) = queue.pop() {
        let node = graph.alternative(alternative).node;
        open[node as usize] -= 1;
        if open[node as usize] == 0 {
            for leading in graph.leading_to(node) {
                if !std::mem::replace(&mut yields[*leading as usize], true) {
                    queue.push(*leading);
                }
            }
        }
    }
    for (alternative, yields) in graph.alternatives.iter_mut().zip(yields) {
        if !yields {
            alternative.marks = alternative.marks.and(Marks::VOID);
        }
    }
}

/// Marks what goes out where an entry is about to come or to go, in a domain that the site does not accept: as by each of the
/// ways on which mail may come there.
fn mark_leaving(directory: &Directory, graph: &mut Graph<'_>) {
    let leaving: Vec<u32> =
        (0..graph.alternatives.len() as u32).filter(|it| matches!(graph.alternative(*it).act, Act::NoEntry)).collect();
    if leaving.is_empty() {
        return;
    }
    let begins: HashSet<u32> = graph.roots.iter().flat_map(|roots| roots[..2].iter().copied()).collect();
    for alternative in leaving {
        let place = graph.alternative(alternative).node;
        let NodeKey::Place(side, address) = graph.keys[place as usize] else { continue };
        let own = directory.site(side).sender;
        let by_alternative = graph.leading_to(place).iter().map(|leading| match graph.alternative(*leading).act {
            Act::Route(Route::List(_)) => Origin::Member,
            act => Origin::Forwarded(act.forwards().unwrap_or(own)),
        });
        let origins: HashSet<Origin> = by_alternative.chain(begins.contains(&place).then_some(Origin::Own)).collect();
        let domain = graph.addresses[address as usize].domain().to_owned();
        for child in graph.children(alternative).to_vec() {
            for out in graph.alternatives_of(child) {
                let out = &mut graph.alternatives[out as usize];
                let Act::Sent(mx, _) = out.act else { continue };
                out.marks = origins
                    .iter()
                    .fold(out.marks, |marks, origin| marks.and(judged(directory, side, &domain, mx, *origin)));
            }
        }
    }
}

/// Marks forwarders to an address of their own site that it relays to the other one. What goes out by MX is marked
/// already. Each forwarder is judged as it stands: whether, in some combination, it leads there.
fn mark_directions(directory: &Directory, graph: &mut Graph<'_>) {
    let is_relay =
        |alternative: &Alternative<'_>| matches!(alternative.act, Act::Relay(_) | Act::Route(Route::Relay { .. }));
    let mut leads_off = vec![false; graph.nodes() as usize];
    let mut queue: Vec<u32> = Vec::new();
    for alternative in graph.alternatives.iter().filter(|alternative| is_relay(alternative)) {
        if !std::mem::replace(&mut leads_off[alternative.node as usize], true) {
            queue.push(alternative.node);
        }
    }
    let mut forbidden = Vec::new();
    while let Some(node) = queue.pop() {
        let NodeKey::Place(side, _) = graph.keys[node as usize] else { continue };
        for leading in graph.leading_to(node) {
            let alternative = graph.alternative(*leading);
            match alternative.act {
                Act::Route(Route::Alias(_)) if !std::mem::replace(&mut leads_off[alternative.node as usize], true) => {
                    queue.push(alternative.node);
                }
                act if act.forwards().is_some() && !directory.policy.allows_from(side) => forbidden.push(*leading),
                _ => {}
            }
        }
    }
    for alternative in forbidden {
        let alternative = &mut graph.alternatives[alternative as usize];
        alternative.marks = alternative.marks.and(Marks::DIRECTION);
    }
}
