//! How the graph is made of a directory: from the places where mail comes in to all that it may come to.

use std::collections::HashMap;

use model::Side;

use crate::directory::choices;
use crate::graph::{Act, Alternative, Delivery, Graph, Marks, NONE, NodeKey, Origin};
use crate::judge::{judged, refusal};
use crate::{
    Directory, DomainRule, ForwarderKind, MailAddress, MailboxRule, Mx, Owner, Pending, PersonId, Refusal, Route,
    Sender, Taken,
};

pub(crate) struct Builder<'d> {
    directory: &'d Directory,
    addresses: Vec<MailAddress>,
    address_ids: HashMap<MailAddress, u32>,
    people: Vec<&'d PersonId>,
    person_ids: HashMap<&'d PersonId, u32>,
    /// What each side does with each address of which it has no entry; none: it does not accept it.
    rules: Vec<[Option<&'d Pending<DomainRule>>; 2]>,
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
    pub(crate) fn of(directory: &'d Directory, subjects: &[(MailAddress, Option<&Owner>)]) -> Graph<'d> {
        let mut builder = Self::new(directory);
        builder.add_roots(subjects);
        builder.add_alternatives();
        builder.finish()
    }

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
        let rule = |side| self.directory.site(side).domains.get(address.domain());
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

    fn rule(&self, side: Side, address: u32) -> Option<&'d Pending<DomainRule>> {
        self.rules[address as usize][side as usize]
    }

    /// Where a message comes that a site has from its own people or routers: what it knows itself, else out.
    fn at(&mut self, side: Side, address: u32, origin: Origin) -> u32 {
        let system = self.directory.site(side);
        let is_known = || {
            let entry =
                system.entries.get(&self.addresses[address as usize]).filter(|_| system.asks_entries_everywhere);
            entry.is_some_and(|entry| entry.versions().any(|(_, route)| *route != Route::Absent))
        };
        let is_here = self.rule(side, address).is_some() || is_known();
        self.node(if is_here { NodeKey::Place(side, address) } else { NodeKey::Out(side, address, origin) })
    }

    /// Where a message comes that another server brings a site.
    fn brought(&mut self, side: Side, address: u32) -> u32 {
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
        let Some(rule) = self.rule(side, address) else {
            let child = self.node(NodeKey::Out(side, address, Origin::Any));
            self.add(node, taken, Act::NoEntry, Marks::NOTHING, &[child]);
            return;
        };
        for (of_rule, rule) in rule.versions() {
            let taken = if taken == Taken::Settled { of_rule } else { taken };
            match rule {
                DomainRule::Authoritative => self.add_stop(node, taken, Refusal::UnknownRecipient),
                DomainRule::InternalRelay { sender } => {
                    let child = self.brought(other(side), address);
                    let marks = refusal(self.directory, other(side), *sender);
                    self.add(node, taken, Act::Relay(*sender), marks, &[child]);
                }
                DomainRule::CatchAll(to) => self.add_domain_alias(node, taken, side, to),
                DomainRule::MapTo(domain) => {
                    let to = self.addresses[address as usize].moved_to(domain);
                    self.add_domain_alias(node, taken, side, &to);
                }
            }
        }
    }

    fn add_domain_alias(&mut self, node: u32, taken: Taken, side: Side, to: &MailAddress) {
        let to = self.address(to);
        let child = self.at(side, to, Origin::Resolved);
        self.add_expanding(node, taken, Act::AliasByRule(to), Marks::NOTHING, &[child]);
    }

    fn add_route(&mut self, node: u32, taken: Taken, side: Side, address: u32, route: &'d Route) {
        let act = Act::Route(route);
        match route {
            Route::Absent => self.add_by_rule(node, taken, side, address),
            Route::Mailbox(person) => {
                let system = self.directory.site(side);
                if system.resolves_to_mailbox {
                    let child = self.mailbox(side, person);
                    self.add_expanding(node, taken, act, Marks::NOTHING, &[child]);
                } else if system.mailboxes.contains_key(person) {
                    let child = self.mailbox(side, person);
                    self.add(node, taken, act, Marks::NOTHING, &[child]);
                } else {
                    self.keep(node, taken, Act::Keep(person), side, person);
                }
            }
            Route::Alias(to) => {
                let to = self.address(to);
                let child = self.at(side, to, Origin::Resolved);
                self.add_expanding(node, taken, act, Marks::NOTHING, &[child]);
            }
            Route::List(members) => {
                let mut children = Vec::with_capacity(members.len());
                for member in members {
                    let member = self.address(member);
                    children.push(self.at(side, member, Origin::Resolved));
                }
                let marks = if members.is_empty() { Marks::BLACK_HOLE } else { Marks::NOTHING };
                self.add_expanding(node, taken, act, marks, &children);
            }
            Route::Forward { to, sender, keeps_copy, kind } => {
                self.add_forward(node, taken, act, side, to, *sender, keeps_copy.as_ref(), *kind);
            }
            Route::Relay { to, sender, kind } => {
                let to = to.as_ref().map_or(address, |to| self.address(to));
                let child = self.brought(other(side), to);
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
            Origin::Resolved | Origin::Any => Some(self.directory.site(side).sender),
            Origin::Forwarded(sender) => Some(sender),
        };
        let address_text = self.addresses[address as usize].clone();
        for (taken, mx) in self.directory.mx_of(address_text.domain()) {
            let marks = judged(self.directory, side, address_text.domain(), mx, origin);
            match mx {
                Mx::Nowhere => self.add_stop(node, taken, Refusal::NoMx),
                Mx::Site(to) if to == side => self.add_stop(node, taken, Refusal::MxIsItself),
                Mx::Site(to) => {
                    let child = self.brought(to, address);
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
                    let child = self.brought(side, address);
                    self.add(node, taken, act, Marks::NOTHING, &[child]);
                }
            }
        }
    }
}
