//! Random small directories: people in every state of their switch, aliases, lists within lists, changes that are pending,
//! and mistakes planted among them.

use std::collections::{BTreeMap, BTreeSet};

use model::Side;
use rehearsal::Chance;
use routing::{
    Directory, Domain, DomainRule, Followed, ForwarderKind, MailAddress, MailboxRule, Mx, Owner, Pending, PersonId,
    Policy, Route, Sender,
};

use crate::world::{SOURCE, TARGET, address, person};

/// The state of a switch in which forwarder and redirect change at once.
const AT_ONCE: u64 = 4;

/// Two people to six, their addresses and lists; for one seed in eight, two people and whatever chance makes of their names.
pub(crate) fn directory(seed: u64) -> Directory {
    if seed.is_multiple_of(8) {
        return knot(seed);
    }
    let mut making = Making {
        chance: Chance::new(seed),
        directory: Directory::default(),
        members: BTreeMap::new(),
        is_orderly: !seed.is_multiple_of(3),
    };
    making.sites();
    let people = 2 + making.chance.below(5);
    for number in 0..people {
        making.person(&format!("p{number}"));
    }
    for number in 0..making.chance.below(4) {
        making.list(number);
    }
    making.owners_of_lists();
    let few = if making.is_orderly { 2 } else { 4 };
    let mistakes = making.chance.below(few);
    for _ in 0..mistakes {
        making.mistake();
    }
    let changes = making.chance.below(few);
    for _ in 0..changes {
        making.change();
    }
    making.directory
}

/// A knot of lists, aliases, forwarders and changes among few names, as nobody has it: for what the others are too orderly
/// to bring about.
fn knot(seed: u64) -> Directory {
    let mut making = Making {
        chance: Chance::new(seed),
        directory: Directory::default(),
        members: BTreeMap::new(),
        is_orderly: false,
    };
    making.sites();
    for name in ["p0", "p1"] {
        let followed = *making.chance.pick(&[Followed::Source, Followed::Either, Followed::Either, Followed::Target]);
        making.directory.people.insert(person(name), followed);
    }
    let names: Vec<MailAddress> = (0..3 + making.chance.below(4))
        .map(|number| address(&format!("n{number}@{}.example", if number % 3 == 2 { "new" } else { "old" })))
        .collect();
    for (number, name) in names.iter().enumerate() {
        let owner = if number % 2 == 0 {
            Owner::Person(person("p0"))
        } else {
            Owner::List(BTreeSet::from([person("p0"), person("p1")]))
        };
        making.directory.expected.insert(name.clone(), owner);
    }
    for _ in 0..making.chance.below(3) {
        making.rule_of_mailbox();
    }
    let mut changes = 8;
    for side in [SOURCE, TARGET] {
        for name in &names {
            if making.happens(if side == SOURCE { 950 } else { 500 }) {
                let now = making.any_route();
                let is_changing = changes > 0 && making.happens(500);
                changes -= u64::from(is_changing);
                let then = is_changing.then(|| making.any_route());
                making.set(side, name, Pending { now, then });
            }
        }
    }
    making.directory
}

struct Making {
    chance: Chance,
    directory: Directory,
    /// Whom each list is meant to reach.
    members: BTreeMap<MailAddress, Vec<MailAddress>>,
    /// Is everything as a careful organisation has it, but for what is planted afterwards?
    is_orderly: bool,
}

impl Making {
    fn happens(&mut self, in_thousand: u64) -> bool {
        self.chance.in_thousand(in_thousand)
    }

    fn sender(&mut self) -> Sender {
        if self.is_orderly && !self.happens(10) {
            return Sender::TrustedRelay;
        }
        *self.chance.pick(&[Sender::Kept, Sender::Srs, Sender::TrustedRelay, Sender::TrustedRelay])
    }

    fn side(&mut self) -> Side {
        *self.chance.pick(&[SOURCE, TARGET])
    }

    fn mx(&mut self) -> Mx {
        *self.chance.pick(&[Mx::Site(SOURCE), Mx::Site(TARGET), Mx::Site(TARGET), Mx::Elsewhere, Mx::Nowhere])
    }

    fn rule(&mut self) -> DomainRule {
        if self.is_orderly || self.happens(500) {
            return DomainRule::Authoritative;
        }
        match self.chance.below(8) {
            0 => {
                let to = *self.chance.pick(&["p0@old.example", "p1@new.example", "x@old.example"]);
                DomainRule::CatchAll(address(to))
            }
            1 => {
                let to = *self.chance.pick(&["old.example", "new.example", "other.example"]);
                DomainRule::MapTo(Domain::new(to))
            }
            _ => DomainRule::InternalRelay { sender: self.sender() },
        }
    }

    fn pending_rule(&mut self) -> Pending<DomainRule> {
        let now = self.rule();
        let then = (!self.is_orderly && self.happens(150)).then(|| self.rule());
        Pending { now, then }
    }

    fn sites_trust(&mut self) -> bool {
        let in_thousand = if self.is_orderly { 970 } else { 700 };
        self.happens(in_thousand)
    }

    fn sites(&mut self) {
        for side in [SOURCE, TARGET] {
            let (sender, spf, dmarc, trust) = (self.sender(), self.happens(500), self.happens(500), self.sites_trust());
            let (spf_of_old, spf_of_new) = (self.happens(800), self.happens(800));
            let writes_as = self.happens(400).then(|| BTreeSet::from([Domain::new("new.example")]));
            let (everywhere, resolves) = (self.happens(850), self.happens(500));
            let site = self.directory.site_mut(side);
            site.writes_as = writes_as;
            site.sends_for.extend(spf_of_old.then(|| Domain::new("old.example")));
            site.sends_for.extend(spf_of_new.then(|| Domain::new("new.example")));
            (site.asks_entries_everywhere, site.resolves_to_mailbox) = (everywhere, resolves);
            (site.sender, site.enforces_spf, site.enforces_dmarc, site.trusts_other) = (sender, spf, dmarc, trust);
        }
        let (old, new) = (Domain::new("old.example"), Domain::new("new.example"));
        let rule = self.pending_rule();
        self.directory.source.domains.insert(old.clone(), rule);
        let rule = self.pending_rule();
        self.directory.target.domains.insert(new.clone(), rule);
        if self.is_orderly {
            let rule = Pending::settled(DomainRule::InternalRelay { sender: self.sender() });
            self.directory.target.domains.insert(old.clone(), rule);
        } else if self.happens(600) {
            let rule = self.pending_rule();
            self.directory.target.domains.insert(old.clone(), rule);
        }
        if !self.is_orderly && self.happens(200) {
            let rule = self.pending_rule();
            self.directory.source.domains.insert(new.clone(), rule);
        }
        let mx = match self.chance.below(10) {
            0..5 => Pending::settled(Mx::Site(SOURCE)),
            5..7 => Pending::settled(Mx::Site(TARGET)),
            7..9 => Pending::changing(Mx::Site(SOURCE), Mx::Site(TARGET)),
            _ if self.is_orderly => Pending::settled(Mx::Site(TARGET)),
            _ => Pending::changing(self.mx(), self.mx()),
        };
        self.directory.mx.insert(old, mx);
        let mx = if self.is_orderly || self.happens(950) { Mx::Site(TARGET) } else { self.mx() };
        self.directory.mx.insert(new, Pending::settled(mx));
        self.directory.policy = Policy {
            source_to_target: self.is_orderly || self.happens(800),
            target_to_source: self.is_orderly || self.happens(900),
            secure_domains: BTreeSet::from(["secure.example", "*.police.example"].map(Domain::new)),
        };
    }

    fn set(&mut self, side: Side, address: &MailAddress, route: Pending<Route>) {
        self.directory.site_mut(side).entries.insert(address.clone(), route);
    }

    fn forward(&mut self, to: &MailAddress, kind: ForwarderKind) -> Route {
        let sender = self.sender();
        Route::Forward { to: vec![to.clone()], sender, keeps_copy: None, kind }
    }

    fn relay(&mut self) -> Route {
        let kind = self.happens(300).then_some(ForwarderKind::PreExisting);
        let to = self.happens(400).then(|| self.any_address());
        Route::Relay { to, sender: self.sender(), kind }
    }

    /// Somebody in some state of their switch, with two addresses to four.
    fn person(&mut self, name: &str) {
        let whom = person(name);
        let (old, new) = (address(&format!("{name}@old.example")), address(&format!("{name}@new.example")));
        let mailbox = || Route::Mailbox(whom.clone());
        let by_mailbox = self.happens(400);
        let (f1, f3) = (self.forward(&old, ForwarderKind::Coexistence), self.forward(&new, ForwarderKind::Redirect));
        let settled = Pending::settled;
        let mut state = self.chance.below(8);
        if self.is_orderly && state == AT_ONCE {
            state = 0;
        }
        let (followed, at_source, on_target) = match state {
            // Not switched: with an account in use, and with a new one.
            0 => (Followed::Either, settled(mailbox()), settled(mailbox())),
            1 => (Followed::Source, settled(mailbox()), settled(f1)),
            // The forwarder goes; the redirect comes; both at once, which is wrong.
            2 => (Followed::Either, settled(mailbox()), Pending::changing(f1, mailbox())),
            3 => (Followed::Either, Pending::changing(mailbox(), f3), settled(mailbox())),
            AT_ONCE => (Followed::Either, Pending::changing(mailbox(), f3), Pending::changing(f1, mailbox())),
            // Switched, settled, and back.
            5 => (Followed::Either, settled(f3), settled(mailbox())),
            6 => (Followed::Target, settled(f3), settled(mailbox())),
            _ => (Followed::Either, Pending::changing(f3, mailbox()), settled(mailbox())),
        };
        self.directory.people.insert(whom.clone(), followed);
        if by_mailbox {
            // The same, where it hangs on the mailbox.
            for (side, address, state) in [(SOURCE, &old, at_source), (TARGET, &new, on_target)] {
                let rule = |route: Route| match route {
                    Route::Forward { to, sender, kind, .. } => {
                        MailboxRule::Forward { to, sender, keeps_copy: false, kind }
                    }
                    _ => MailboxRule::Deliver,
                };
                let rule = Pending { now: rule(state.now), then: state.then.map(rule) };
                self.set(side, address, settled(mailbox()));
                self.directory.site_mut(side).mailboxes.insert(whom.clone(), rule);
            }
        } else {
            self.set(SOURCE, &old, at_source);
            self.set(TARGET, &new, on_target);
        }
        let mut names = vec![old.clone(), new.clone()];
        // The legacy address on the target: in order once the redirect is there.
        let has_alias = if self.is_orderly { state == 5 || state == 6 } else { self.happens(600) };
        if has_alias {
            let alias = Route::Alias(new.clone());
            let alias = if self.happens(300) { Pending::changing(Route::Absent, alias) } else { settled(alias) };
            self.set(TARGET, &old, alias);
        }
        if !self.is_orderly && self.happens(200) {
            let relay = self.relay();
            self.set(SOURCE, &new, settled(relay));
        }
        // An alias in a domain that the source does not accept.
        if !self.is_orderly && self.happens(150) {
            let alias = Route::Alias(old.clone());
            let alias = if self.happens(500) { Pending::changing(Route::Absent, alias) } else { settled(alias) };
            self.set(SOURCE, &new, alias);
        }
        if self.happens(400) {
            let second = address(&format!("{name}.{name}@old.example"));
            self.set(SOURCE, &second, settled(Route::Alias(old.clone())));
            if !self.is_orderly && self.happens(500) {
                self.set(TARGET, &second, settled(Route::Alias(new)));
            }
            names.push(second);
        }
        for name in names {
            self.directory.expected.insert(name, Owner::Person(whom.clone()));
        }
    }

    fn any_address(&mut self) -> MailAddress {
        let known: Vec<MailAddress> = self.directory.expected.keys().cloned().collect();
        match self.chance.below(22) {
            0 => address("somebody@other.example"),
            20 => address("somebody@hill.police.example"),
            21 => address("somebody@police.example"),
            1 => address("somebody@secure.example"),
            2 => address("nobody@old.example"),
            _ if known.is_empty() => address("p0@new.example"),
            _ => self.chance.pick(&known).clone(),
        }
    }

    fn list(&mut self, number: u64) {
        let domain = if self.happens(700) { "old.example" } else { "new.example" };
        let name = address(&format!("list{number}@{domain}"));
        let known: Vec<MailAddress> = self.directory.expected.keys().cloned().collect();
        let mut members: Vec<MailAddress> =
            (0..self.chance.below(5)).map(|_| self.chance.pick(&known).clone()).collect();
        if self.is_orderly {
            let mut seen = BTreeSet::new();
            let mut is_new = |address: &MailAddress| match &self.directory.expected[address] {
                Owner::Person(person) => seen.insert(person.clone()),
                Owner::List(_) => false,
            };
            members.retain(|member| is_new(member));
            let first = known.iter().find(|address| matches!(self.directory.expected[*address], Owner::Person(_)));
            if members.is_empty() {
                members.extend(first.cloned());
            }
        }
        if self.happens(150) {
            members.push(address("guest@secure.example"));
        }
        if !self.is_orderly && self.happens(80) {
            members.push(name.clone());
        }
        let side = if domain == "old.example" { SOURCE } else { TARGET };
        self.set(side, &name, Pending::settled(Route::List(members.clone())));
        if side == SOURCE && !self.is_orderly && self.happens(500) {
            self.set(TARGET, &name, Pending::settled(Route::List(members.clone())));
        }
        self.members.insert(name.clone(), members);
        self.directory.expected.insert(name, Owner::List(BTreeSet::new()));
    }

    fn owners_of_lists(&mut self) {
        let lists: Vec<MailAddress> = self.members.keys().cloned().collect();
        for list in lists {
            let mut people: BTreeSet<PersonId> = BTreeSet::new();
            let (mut open, mut seen) = (vec![list.clone()], BTreeSet::new());
            while let Some(address) = open.pop() {
                if !seen.insert(address.clone()) {
                    continue;
                }
                match self.directory.expected.get(&address) {
                    Some(Owner::Person(person)) => {
                        people.insert(person.clone());
                    }
                    _ => open.extend(self.members.get(&address).into_iter().flatten().cloned()),
                }
            }
            self.directory.expected.insert(list, Owner::List(people));
        }
    }

    fn any_route(&mut self) -> Route {
        let to = self.any_address();
        let people: Vec<PersonId> = self.directory.people.keys().cloned().collect();
        let whom = self.chance.pick(&people).clone();
        let kind = if self.happens(500) { ForwarderKind::OwnRule } else { ForwarderKind::PreExisting };
        match self.chance.below(12) {
            0 => Route::Absent,
            1 => Route::Refuse,
            2 => Route::Mailbox(whom),
            3 | 4 => Route::Alias(to),
            5 => self.relay(),
            6 | 7 => {
                let members = (0..self.chance.below(4)).map(|_| self.any_address()).collect();
                Route::List(members)
            }
            8 => Route::Forward { to: vec![to], sender: self.sender(), keeps_copy: Some(whom), kind },
            9 if self.happens(400) => Route::Either(vec![Route::Mailbox(whom), Route::Alias(to)]),
            9 => {
                let to = (0..self.chance.below(3)).map(|_| self.any_address()).collect();
                let keeps_copy = self.happens(300).then_some(whom);
                Route::Forward { to, sender: self.sender(), keeps_copy, kind }
            }
            _ => self.forward(&to, kind),
        }
    }

    fn any_rule(&mut self) -> MailboxRule {
        let kind = *self.chance.pick(&[ForwarderKind::OwnRule, ForwarderKind::PreExisting, ForwarderKind::Redirect]);
        match self.chance.below(5) {
            0 => MailboxRule::Deliver,
            1 => MailboxRule::Either(vec![MailboxRule::Deliver, self.any_rule()]),
            _ => {
                let to = (0..self.chance.below(3)).map(|_| self.any_address()).collect();
                MailboxRule::Forward { to, sender: self.sender(), keeps_copy: self.happens(300), kind }
            }
        }
    }

    /// A mailbox has a rule, or is about to have another.
    fn rule_of_mailbox(&mut self) {
        let people: Vec<PersonId> = self.directory.people.keys().cloned().collect();
        let (side, whom) = (self.side(), self.chance.pick(&people).clone());
        let rule = self.any_rule();
        let is_changing = self.happens(400);
        let rules = &mut self.directory.site_mut(side).mailboxes;
        if is_changing && let Some(before) = rules.get_mut(&whom) {
            before.then = Some(rule);
        } else {
            rules.insert(whom, Pending::settled(rule));
        }
    }

    /// Something is otherwise than it should be.
    fn mistake(&mut self) {
        let side = self.side();
        let entries = &self.directory.site(side).entries;
        let known: Vec<MailAddress> = entries.keys().cloned().collect();
        let at = self.chance.pick(&known).clone();
        match self.chance.below(9) {
            8 => self.rule_of_mailbox(),
            // A copy is kept where there was none.
            0 | 1 => {
                let people: Vec<PersonId> = self.directory.people.keys().cloned().collect();
                let whom = self.chance.pick(&people).clone();
                if let Some(entry) = self.directory.site_mut(side).entries.get_mut(&at)
                    && let Route::Forward { keeps_copy, .. } = &mut entry.now
                {
                    *keeps_copy = Some(whom);
                }
            }
            2 => {
                let people: Vec<PersonId> = self.directory.people.keys().cloned().collect();
                let whom = self.chance.pick(&people).clone();
                let followed = *self.chance.pick(&[Followed::Source, Followed::Target]);
                self.directory.people.insert(whom, followed);
            }
            3 => {
                let known: Vec<MailAddress> = self.directory.expected.keys().cloned().collect();
                let whose = self.chance.pick(&known).clone();
                if let Some(Owner::List(people)) = self.directory.expected.get_mut(&whose) {
                    people.insert(person("p0"));
                }
            }
            _ => {
                let route = self.any_route();
                self.set(side, &at, Pending::settled(route));
            }
        }
    }

    /// Something more is pending.
    fn change(&mut self) {
        let side = self.side();
        let known: Vec<MailAddress> = self.directory.site(side).entries.keys().cloned().collect();
        let at = self.chance.pick(&known).clone();
        let route = self.any_route();
        if let Some(entry) = self.directory.site_mut(side).entries.get_mut(&at) {
            entry.then = Some(route);
        }
    }
}
