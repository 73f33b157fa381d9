//! What the check has to find, found in another way: messages are sent, one for each address and entry, in every combination
//! of old and new, and followed place by place until they lie in mailboxes, are refused, or travel longer than there are
//! places.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use model::Side;
use routing::{
    Directory, DomainRule, Entry, Fault, ForwarderKind, MailAddress, MailboxRule, Mx, Owner, Pending, PersonId, Route,
    Sender,
};

/// An address, what is wrong with it, and whom that is about.
pub(crate) type Wrong = BTreeMap<(MailAddress, Fault), BTreeSet<PersonId>>;

/// How a message came to be sent out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    Written,
    ForMember,
    SentOn(Sender),
    /// The entry is missing in this combination: judged as all that may come there.
    Missed,
}

/// What is told of addresses that nobody has.
const OF_OTHERS: [Fault; 4] = [Fault::Loop, Fault::ReachesAnother, Fault::ForbiddenDirection, Fault::InsecureDomain];

/// Where a message is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Site(Side, MailAddress),
    /// No place, but what the rule of its domain is taken to be for an address.
    ByRule(Side, MailAddress),
    Mailbox(Side, PersonId),
    /// Brought by another server.
    Brought(Side, MailAddress),
    Leaving(Side, MailAddress, How),
    Outside(MailAddress),
}

/// What happens to a message at one place.
#[derive(Default)]
struct Happens {
    events: Vec<Event>,
    goes_to: Vec<At>,
    /// Does the site go on with it in the same go?
    in_one_go: bool,
    /// Does it go on as what it was, under another name?
    is_alias: bool,
}

enum Event {
    In {
        person: PersonId,
        side: Side,
        /// A copy that a forwarder keeps, and which.
        copy_of: Option<ForwarderKind>,
    },
    Wrong(Fault),
    /// It leaves for a member of a list, which is nothing wrong for a list.
    LeavesForMember,
}

/// Which of what may be was chosen where; what has not been asked yet is not in it.
type Chosen = BTreeMap<At, usize>;

/// A place of which the choice is asked for, and among how many.
struct Asked(At, usize);

/// One thing out of several that hang on the message.
fn routes(route: &Route) -> Vec<Route> {
    match route {
        Route::Either(several) if !several.is_empty() => several.iter().flat_map(routes).collect(),
        one => vec![one.clone()],
    }
}

fn rules(rule: &MailboxRule) -> Vec<MailboxRule> {
    match rule {
        MailboxRule::Either(several) if !several.is_empty() => several.iter().flat_map(rules).collect(),
        one => vec![one.clone()],
    }
}

/// Everything wrong with a directory; none if there are more combinations than this to try out for one address.
pub(crate) fn wrong(directory: &Directory, combinations_max: usize) -> Option<Wrong> {
    let known = Known::default();
    // Twice, since aliases are judged by how one comes to them.
    for _ in 0..2 {
        survey(directory, &known);
    }
    wrong_knowing(directory, &known, combinations_max)
}

/// Looks at all that can be come to, whatever is chosen.
fn survey(directory: &Directory, known: &Known) {
    let mut open: Vec<(At, bool)> = Vec::new();
    for address in subjects(directory).keys() {
        for entry in Entry::EVERY {
            let world = World { directory, chosen: &Chosen::new(), known };
            open.push((world.start(address, entry), true));
        }
    }
    let mut seen: BTreeSet<(At, bool)> = BTreeSet::new();
    while let Some((at, is_direct)) = open.pop() {
        if !seen.insert((at.clone(), is_direct)) {
            continue;
        }
        if let At::Site(side, address) | At::Brought(side, address) = &at
            && is_direct
            && (matches!(at, At::Site(..)) || directory.site(*side).domains.contains_key(address.domain()))
        {
            known.direct.borrow_mut().insert((*side, address.clone()));
        }
        let mut worlds = vec![Chosen::new()];
        while let Some(chosen) = worlds.pop() {
            match (World { directory, chosen: &chosen, known }).happens(&at) {
                Err(Asked(asked, count)) => {
                    for choice in 0..count {
                        let mut chosen = chosen.clone();
                        chosen.insert(asked.clone(), choice);
                        worlds.push(chosen);
                    }
                }
                Ok(happens) => {
                    let is_direct = if happens.is_alias { is_direct } else { !happens.in_one_go };
                    open.extend(happens.goes_to.into_iter().map(|next| (next, is_direct)));
                }
            }
        }
    }
}

fn subjects(directory: &Directory) -> BTreeMap<MailAddress, Owner> {
    let mut subjects = directory.expected.clone();
    for side in [Side::Source, Side::Target] {
        for domain in directory.site(side).domains.keys() {
            subjects.insert(MailAddress::any_other(domain), Owner::List(BTreeSet::new()));
        }
    }
    subjects
}

/// What is known of a directory before messages are sent.
#[derive(Default)]
struct Known {
    /// In which ways mail comes to addresses in domains that a site does not accept.
    coming: RefCell<BTreeMap<(Side, MailAddress), BTreeSet<How>>>,
    /// Which addresses are come to otherwise than as members of lists.
    direct: RefCell<BTreeSet<(Side, MailAddress)>>,
}

fn wrong_knowing(directory: &Directory, known: &Known, combinations_max: usize) -> Option<Wrong> {
    let mut wrong = Wrong::new();
    for (address, owner) in &subjects(directory) {
        for entry in Entry::EVERY {
            let mut open = vec![Chosen::new()];
            let mut tried = 0;
            while let Some(chosen) = open.pop() {
                tried += 1;
                if tried > combinations_max {
                    return None;
                }
                let world = World { directory, chosen: &chosen, known };
                match world.send(address, entry, owner) {
                    Ok(found) => {
                        let is_told = |fault: &Fault| !address.is_any_other() || OF_OTHERS.contains(fault);
                        for (fault, people) in found.into_iter().filter(|(fault, _)| is_told(fault)) {
                            wrong.entry((address.clone(), fault)).or_default().extend(people);
                        }
                    }
                    Err(Asked(at, count)) => {
                        for choice in 0..count {
                            let mut chosen = chosen.clone();
                            chosen.insert(at.clone(), choice);
                            open.push(chosen);
                        }
                    }
                }
            }
        }
    }
    Some(wrong)
}

fn is_theirs(owner: &Owner, person: &PersonId) -> bool {
    match owner {
        Owner::Person(owner) => owner == person,
        Owner::List(people) => people.contains(person),
    }
}

struct World<'d> {
    directory: &'d Directory,
    chosen: &'d Chosen,
    known: &'d Known,
}

impl World<'_> {
    fn start(&self, address: &MailAddress, entry: Entry) -> At {
        match entry {
            Entry::Inside(side) => self.taken_up(side, address, How::Written),
            Entry::Outside => At::Outside(address.clone()),
        }
    }

    /// Sends one message and judges what becomes of it.
    fn send(
        &self,
        address: &MailAddress,
        entry: Entry,
        owner: &Owner,
    ) -> Result<BTreeMap<Fault, BTreeSet<PersonId>>, Asked> {
        let start = self.start(address, entry);
        let mut found: BTreeMap<Fault, BTreeSet<PersonId>> = BTreeMap::new();

        // All that the message, in any number of copies, meets: each is resolved in one go, and what comes of that is sent on.
        let mut now = BTreeSet::from([start.clone()]);
        let mut seen = BTreeSet::new();
        let mut hops = 0;
        while !now.is_empty() {
            hops += 1;
            let mut next = BTreeSet::new();
            for message in now {
                for at in self.resolved(&message)? {
                    let happens = self.happens(&at)?;
                    for event in happens.events {
                        self.judge(event, owner, &mut found);
                    }
                    if happens.in_one_go {
                        let mut comes_of_it = false;
                        for at in self.resolved(&at)? {
                            comes_of_it |= !self.happens(&at)?.in_one_go;
                        }
                        if !comes_of_it {
                            found.entry(Fault::BlackHole).or_default();
                        }
                        continue;
                    }
                    next.extend(happens.goes_to);
                }
                seen.insert(message);
            }
            if hops > seen.len() {
                found.entry(Fault::Loop).or_default();
                break;
            }
            now = next;
        }

        let received = self.received(start)?;
        for (person, _) in received.iter().filter(|(person, count)| **count > 1 && is_theirs(owner, person)) {
            found.entry(Fault::Twice).or_default().insert(person.clone());
        }
        if let Owner::List(people) = owner {
            for person in people.iter().filter(|person| !received.contains_key(*person)) {
                found.entry(Fault::Missing).or_default().insert(person.clone());
            }
        }
        Ok(found)
    }

    fn judge(&self, event: Event, owner: &Owner, found: &mut BTreeMap<Fault, BTreeSet<PersonId>>) {
        match event {
            Event::Wrong(fault) => {
                found.entry(fault).or_default();
            }
            Event::LeavesForMember => {
                if matches!(owner, Owner::Person(_)) {
                    found.entry(Fault::LeavesUs).or_default();
                }
            }
            Event::In { person, copy_of, .. } if !is_theirs(owner, &person) => {
                if copy_of.is_some() {
                    found.entry(Fault::KeepsCopy).or_default();
                }
                found.entry(Fault::ReachesAnother).or_default().insert(person);
            }
            Event::In { person, side, copy_of } => {
                if matches!(copy_of, Some(ForwarderKind::Coexistence | ForwarderKind::Redirect)) {
                    found.entry(Fault::KeepsCopy).or_default();
                }
                let followed = self.directory.people.get(&person);
                if copy_of.is_none() && !followed.is_some_and(|followed| followed.includes(side)) {
                    found.entry(Fault::NotFollowed).or_default().insert(person);
                }
            }
        }
    }

    /// All that a message at a place is resolved to in one go, with what lies between.
    fn resolved(&self, message: &At) -> Result<BTreeSet<At>, Asked> {
        let mut open = vec![message.clone()];
        let mut resolved: BTreeSet<At> = open.iter().cloned().collect();
        while let Some(at) = open.pop() {
            let happens = self.happens(&at)?;
            if happens.in_one_go {
                open.extend(happens.goes_to.into_iter().filter(|next| resolved.insert(next.clone())));
            }
        }
        Ok(resolved)
    }

    /// How many messages each person gets, counted up to two. What has come to a place twice and goes on from there need not
    /// be followed a third time.
    fn received(&self, start: At) -> Result<BTreeMap<PersonId, usize>, Asked> {
        let mut received: BTreeMap<PersonId, usize> = BTreeMap::new();
        let mut arrived: BTreeMap<At, usize> = BTreeMap::new();
        let mut messages = vec![start];
        while let Some(message) = messages.pop() {
            let count = arrived.entry(message.clone()).or_default();
            *count += 1;
            if *count > 2 {
                continue;
            }
            for recipient in self.resolved(&message)? {
                let happens = self.happens(&recipient)?;
                if happens.in_one_go {
                    continue;
                }
                messages.extend(happens.goes_to);
                for event in happens.events {
                    if let Event::In { person, .. } = event {
                        *received.entry(person).or_default() += 1;
                    }
                }
            }
        }
        Ok(received)
    }

    fn choose<T: Clone>(&self, at: &At, pending: &Pending<T>, each: impl Fn(&T) -> Vec<T>) -> Result<T, Asked> {
        let mut all = each(&pending.now);
        all.extend(pending.then.iter().flat_map(each));
        match (all.len(), self.chosen.get(at)) {
            (1, _) => Ok(all.remove(0)),
            (count, None) => Err(Asked(at.clone(), count)),
            (_, Some(choice)) => Ok(all.swap_remove(*choice)),
        }
    }

    fn rule(&self, side: Side, address: &MailAddress) -> Option<&Pending<DomainRule>> {
        self.directory.site(side).domains.get(address.domain())
    }

    fn without_entry(&self, side: Side, address: &MailAddress) -> Result<Happens, Asked> {
        let Some(rule) = self.rule(side, address) else {
            let leaving = At::Leaving(side, address.clone(), How::Missed);
            return Ok(Happens { goes_to: vec![leaving], ..Happens::default() });
        };
        let rule = self.choose(&At::ByRule(side, address.clone()), rule, |rule| vec![rule.clone()])?;
        let taken_for = |to: &MailAddress| self.under_another_name(side, address, to);
        Ok(match rule {
            DomainRule::Authoritative => Happens { events: vec![Event::Wrong(Fault::BlackHole)], ..Happens::default() },
            DomainRule::InternalRelay { sender } => self.relayed(side, address, sender),
            DomainRule::CatchAll(to) => taken_for(&to),
            DomainRule::MapTo(domain) => taken_for(&address.moved_to(&domain)),
        })
    }

    /// Where a message for an address is when a site has it from its own people or routers.
    fn taken_up(&self, side: Side, address: &MailAddress, how: How) -> At {
        let system = self.directory.site(side);
        let has_entry = || {
            let entry = system.entries.get(address);
            entry.is_some_and(|entry| {
                entry.now != Route::Absent || entry.then.as_ref().is_some_and(|then| *then != Route::Absent)
            })
        };
        if self.rule(side, address).is_some() {
            At::Site(side, address.clone())
        } else if system.asks_entries_everywhere && has_entry() {
            self.known.coming.borrow_mut().entry((side, address.clone())).or_default().insert(how);
            At::Site(side, address.clone())
        } else {
            At::Leaving(side, address.clone(), how)
        }
    }

    fn mx(&self, at: &At, address: &MailAddress) -> Result<Mx, Asked> {
        self.directory.mx.get(address.domain()).map_or(Ok(Mx::Elsewhere), |mx| self.choose(at, mx, |mx| vec![*mx]))
    }

    fn happens(&self, at: &At) -> Result<Happens, Asked> {
        match at {
            At::Outside(address) => {
                let mut happens = Happens::default();
                match self.mx(at, address)? {
                    Mx::Site(side) => happens.goes_to.push(At::Brought(side, address.clone())),
                    Mx::Elsewhere => happens.events.push(Event::Wrong(Fault::LeavesUs)),
                    Mx::Nowhere => happens.events.push(Event::Wrong(Fault::BlackHole)),
                }
                Ok(happens)
            }
            At::Leaving(side, address, how) => self.leaves(at, *side, address, *how),
            At::Site(side, address) => self.handled(at, *side, address),
            At::ByRule(..) => Ok(Happens::default()),
            At::Mailbox(side, person) => {
                let rules_of = &self.directory.site(*side).mailboxes;
                let rule =
                    rules_of.get(person).map_or(Ok(MailboxRule::Deliver), |rule| self.choose(at, rule, rules))?;
                Ok(match rule {
                    MailboxRule::Deliver => Happens {
                        events: vec![Event::In { person: person.clone(), side: *side, copy_of: None }],
                        ..Happens::default()
                    },
                    MailboxRule::Forward { to, sender, keeps_copy, kind } => {
                        self.forwarded(*side, &to, sender, keeps_copy.then_some(person), kind)
                    }
                    MailboxRule::Either(_) => {
                        Happens { events: vec![Event::Wrong(Fault::BlackHole)], ..Happens::default() }
                    }
                })
            }
            At::Brought(side, address) if self.rule(*side, address).is_some() => {
                self.handled(&At::Site(*side, address.clone()), *side, address)
            }
            At::Brought(..) => Ok(Happens { events: vec![Event::Wrong(Fault::BlackHole)], ..Happens::default() }),
        }
    }

    fn leaves(&self, at: &At, side: Side, address: &MailAddress, how: How) -> Result<Happens, Asked> {
        let mut happens = Happens::default();
        let mx = self.mx(at, address)?;
        let hows = match how {
            How::Missed => self.known.coming.borrow()[&(side, address.clone())].clone(),
            _ => BTreeSet::from([how]),
        };
        for how in hows {
            happens.events.extend(self.events_of_leaving(side, address, mx, how));
        }
        match mx {
            Mx::Site(to) if to != side => happens.goes_to.push(At::Brought(to, address.clone())),
            Mx::Site(_) | Mx::Nowhere => happens.events.push(Event::Wrong(Fault::BlackHole)),
            Mx::Elsewhere => {}
        }
        Ok(happens)
    }

    fn events_of_leaving(&self, side: Side, address: &MailAddress, mx: Mx, how: How) -> Vec<Event> {
        let mut events = Vec::new();
        let policy = &self.directory.policy;
        match mx {
            Mx::Site(to) if to != side => {
                let sender = match how {
                    How::Written => self.is_a_third_partys(side).then_some(Sender::Kept),
                    How::Missed => None,
                    How::ForMember => Some(self.directory.site(side).sender),
                    How::SentOn(sender) => Some(sender),
                };
                if let Some(sender) = sender {
                    events.extend(self.refused(to, sender).map(Event::Wrong));
                }
                let is_allowed = if side == Side::Source { policy.source_to_target } else { policy.target_to_source };
                if matches!(how, How::SentOn(_)) && !is_allowed {
                    events.push(Event::Wrong(Fault::ForbiddenDirection));
                }
            }
            Mx::Site(_) | Mx::Nowhere => {}
            Mx::Elsewhere => {
                let is_secure = policy.secure_domains.iter().any(|listed| match listed.as_str().strip_prefix('*') {
                    Some(end) => address.domain().len() > end.len() && address.domain().ends_with(end),
                    None => listed.as_str() == address.domain(),
                });
                events.push(match (how, is_secure) {
                    (How::Written, _) | (How::SentOn(_), true) => Event::Wrong(Fault::LeavesUs),
                    (_, false) => Event::Wrong(Fault::InsecureDomain),
                    (_, true) => Event::LeavesForMember,
                });
            }
        }
        events
    }

    /// Is some mail that is written on a side to its receiver what a third party's is?
    fn is_a_third_partys(&self, side: Side) -> bool {
        let listed = &self.directory.site(side).sends_for;
        let mut written = BTreeSet::new();
        match &self.directory.site(side).writes_as {
            Some(domains) => written.extend(domains.iter().cloned()),
            None => {
                for site in [&self.directory.source, &self.directory.target] {
                    written.extend(site.domains.keys().cloned());
                }
            }
        }
        !written.is_subset(listed)
    }

    fn refused(&self, at: Side, sender: Sender) -> Option<Fault> {
        let site = self.directory.site(at);
        match (site.trusts_other, sender, site.enforces_spf, site.enforces_dmarc) {
            (true, ..) => None,
            (_, Sender::Kept | Sender::TrustedRelay, true, _) => Some(Fault::RefusedBySpf),
            (_, _, _, true) => Some(Fault::RefusedByDmarc),
            _ => None,
        }
    }

    fn relayed(&self, side: Side, address: &MailAddress, sender: Sender) -> Happens {
        let to = if side == Side::Source { Side::Target } else { Side::Source };
        let events = self.refused(to, sender).map(Event::Wrong).into_iter().collect();
        Happens { events, goes_to: vec![At::Brought(to, address.clone())], ..Happens::default() }
    }

    fn handled(&self, at: &At, side: Side, address: &MailAddress) -> Result<Happens, Asked> {
        let black_hole = || Happens { events: vec![Event::Wrong(Fault::BlackHole)], ..Happens::default() };
        let entries = &self.directory.site(side).entries;
        let route = entries.get(address).map_or(Ok(Route::Absent), |entry| self.choose(at, entry, routes))?;
        Ok(match route {
            Route::Absent => self.without_entry(side, address)?,
            Route::Refuse | Route::Either(_) => black_hole(),
            Route::Relay { to, sender, kind } => {
                let mut relayed = self.relayed(side, to.as_ref().unwrap_or(address), sender);
                let is_forwarder =
                    kind.is_some() || matches!(self.directory.expected.get(address), Some(Owner::Person(_)));
                if is_forwarder && !self.directory.policy.allows_from(side) {
                    relayed.events.push(Event::Wrong(Fault::ForbiddenDirection));
                }
                relayed
            }
            Route::Mailbox(person) if self.directory.site(side).resolves_to_mailbox => {
                Happens { goes_to: vec![At::Mailbox(side, person)], in_one_go: true, ..Happens::default() }
            }
            Route::Mailbox(person) if self.directory.site(side).mailboxes.contains_key(&person) => {
                Happens { goes_to: vec![At::Mailbox(side, person)], ..Happens::default() }
            }
            Route::Mailbox(person) => {
                Happens { events: vec![Event::In { person, side, copy_of: None }], ..Happens::default() }
            }
            Route::Alias(to) => self.under_another_name(side, address, &to),
            Route::List(members) if members.is_empty() => black_hole(),
            Route::List(members) => {
                let members = members.iter().map(|member| self.taken_up(side, member, How::ForMember)).collect();
                Happens { goes_to: members, in_one_go: true, ..Happens::default() }
            }
            Route::Forward { to, sender, keeps_copy, kind } => {
                self.forwarded(side, &to, sender, keeps_copy.as_ref(), kind)
            }
        })
    }

    fn under_another_name(&self, side: Side, address: &MailAddress, to: &MailAddress) -> Happens {
        let is_direct = self.known.direct.borrow().contains(&(side, address.clone()));
        let how = if is_direct { How::SentOn(self.directory.site(side).sender) } else { How::ForMember };
        let mut events = Vec::new();
        let goes_to = match self.taken_up(side, to, how) {
            At::Leaving(side, to, _) => {
                let mx = self.directory.mx.get(to.domain()).copied().unwrap_or(Pending::settled(Mx::Elsewhere));
                for mx in std::iter::once(mx.now).chain(mx.then).filter(|_| is_direct) {
                    let wrong = self.events_of_leaving(side, &to, mx, how).into_iter();
                    events
                        .extend(wrong.filter(|event| {
                            matches!(event, Event::Wrong(Fault::ForbiddenDirection | Fault::LeavesUs))
                        }));
                }
                At::Leaving(side, to, How::ForMember)
            }
            here => here,
        };
        Happens { events, goes_to: vec![goes_to], in_one_go: true, is_alias: true }
    }

    fn forwarded(
        &self,
        side: Side,
        to: &[MailAddress],
        sender: Sender,
        keeps_copy: Option<&PersonId>,
        kind: ForwarderKind,
    ) -> Happens {
        let mut events = Vec::new();
        if let Some(person) = keeps_copy {
            events.push(Event::In { person: person.clone(), side, copy_of: Some(kind) });
        } else if to.is_empty() {
            events.push(Event::Wrong(Fault::BlackHole));
        }
        let is_allowed = self.directory.policy.allows_from(side);
        if !is_allowed && to.iter().any(|to| self.may_be_relayed(side, to, &mut BTreeSet::new())) {
            events.push(Event::Wrong(Fault::ForbiddenDirection));
        }
        let goes_to: BTreeSet<At> = to.iter().map(|to| self.taken_up(side, to, How::SentOn(sender))).collect();
        Happens { events, goes_to: goes_to.into_iter().collect(), ..Happens::default() }
    }

    /// May an address of a site, by its aliases, come to one that it relays to the other site?
    fn may_be_relayed(&self, side: Side, address: &MailAddress, seen: &mut BTreeSet<MailAddress>) -> bool {
        let system = self.directory.site(side);
        let rule = self.rule(side, address);
        if rule.is_none() && !system.asks_entries_everywhere {
            return false;
        }
        if !seen.insert(address.clone()) {
            return false;
        }
        let by_rule = |seen: &mut BTreeSet<MailAddress>| {
            let versions = rule.iter().flat_map(|rule| std::iter::once(&rule.now).chain(rule.then.as_ref()));
            let mut is_relayed = false;
            for version in versions {
                is_relayed |= match version {
                    DomainRule::Authoritative => false,
                    DomainRule::InternalRelay { .. } => true,
                    DomainRule::CatchAll(to) => self.may_be_relayed(side, to, seen),
                    DomainRule::MapTo(domain) => self.may_be_relayed(side, &address.moved_to(domain), seen),
                };
            }
            is_relayed
        };
        let Some(entry) = system.entries.get(address) else { return by_rule(seen) };
        std::iter::once(&entry.now).chain(entry.then.as_ref()).flat_map(routes).any(|route| match &route {
            Route::Absent => by_rule(seen),
            Route::Relay { .. } => true,
            Route::Alias(to) => self.may_be_relayed(side, to, seen),
            _ => false,
        })
    }
}
