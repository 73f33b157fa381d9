//! Words to make small directories with: the source accepts `old.example`, the target `new.example`.

use model::Side;
use routing::{
    Directory, Domain, DomainRule, Fault, Finding, Followed, ForwarderKind, MailAddress, MailboxRule, Mx, Owner,
    Pending, PersonId, Route, Sender,
};

pub(crate) const SOURCE: Side = Side::Source;
pub(crate) const TARGET: Side = Side::Target;

pub(crate) fn address(text: &str) -> MailAddress {
    MailAddress::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn person(name: &str) -> PersonId {
    PersonId::new(name)
}

pub(crate) fn mailbox(name: &str) -> Route {
    Route::Mailbox(person(name))
}

pub(crate) fn alias(to: &str) -> Route {
    Route::Alias(address(to))
}

pub(crate) fn list(members: &[&str]) -> Route {
    Route::List(members.iter().map(|member| address(member)).collect())
}

/// Somebody's mailbox sends its mail on.
pub(crate) fn sends_on(to: &[&str], keeps_copy: bool, kind: ForwarderKind) -> MailboxRule {
    let to = to.iter().map(|to| address(to)).collect();
    MailboxRule::Forward { to, sender: Sender::TrustedRelay, keeps_copy, kind }
}

/// A transport to the other site.
pub(crate) fn relay() -> Route {
    Route::Relay { to: None, sender: Sender::TrustedRelay, kind: None }
}

/// A `targetAddress`.
pub(crate) fn relay_as(to: &str) -> Route {
    Route::Relay { to: Some(address(to)), sender: Sender::TrustedRelay, kind: None }
}

pub(crate) fn forward(to: &str, kind: ForwarderKind) -> Route {
    Route::Forward { to: vec![address(to)], sender: Sender::TrustedRelay, keeps_copy: None, kind }
}

pub(crate) fn forward_as(to: &str, sender: Sender) -> Route {
    Route::Forward { to: vec![address(to)], sender, keeps_copy: None, kind: ForwarderKind::OwnRule }
}

pub(crate) fn forward_with_copy(to: &str, name: &str) -> Route {
    let kind = ForwarderKind::OwnRule;
    Route::Forward { to: vec![address(to)], sender: Sender::TrustedRelay, keeps_copy: Some(person(name)), kind }
}

/// F1.
pub(crate) fn coexistence(to: &str) -> Route {
    forward(to, ForwarderKind::Coexistence)
}

/// F3.
pub(crate) fn redirect(to: &str) -> Route {
    forward(to, ForwarderKind::Redirect)
}

/// Two sites that check what they get, take each other for trusted relays and may forward both ways. Nobody is there.
pub(crate) fn empty() -> Directory {
    let mut directory = Directory::default();
    for side in [SOURCE, TARGET] {
        let site = directory.site_mut(side);
        (site.enforces_spf, site.enforces_dmarc, site.trusts_other) = (true, true, true);
        site.sends_for = ["old.example", "new.example"].map(Domain::new).into();
    }
    directory.source.domains.insert(Domain::new("old.example"), Pending::settled(DomainRule::Authoritative));
    directory.target.domains.insert(Domain::new("new.example"), Pending::settled(DomainRule::Authoritative));
    directory.mx.insert(Domain::new("old.example"), Pending::settled(Mx::Site(SOURCE)));
    directory.mx.insert(Domain::new("new.example"), Pending::settled(Mx::Site(TARGET)));
    (directory.policy.source_to_target, directory.policy.target_to_source) = (true, true);
    directory
}

pub(crate) trait Words {
    /// Sets an entry.
    fn at(&mut self, side: Side, name: &str, route: Route) -> &mut Self;
    /// Sets an entry that is about to change.
    fn changing(&mut self, side: Side, name: &str, now: Route, then: Route) -> &mut Self;
    /// Says whose an address is.
    fn owned(&mut self, name: &str, owner: &str) -> &mut Self;
    /// Says which people a list is to reach.
    fn reaching(&mut self, name: &str, people: &[&str]) -> &mut Self;
    /// Says which mailbox somebody follows.
    fn follows(&mut self, name: &str, followed: Followed) -> &mut Self;
    /// Ann, a new account: her mailbox is at the source, her account on the target forwards there.
    fn with_ann(&mut self) -> &mut Self;
    /// What is found, as names and addresses.
    fn found(&self) -> Vec<(&'static str, String)>;
}

impl Words for Directory {
    fn at(&mut self, side: Side, name: &str, route: Route) -> &mut Self {
        self.site_mut(side).entries.insert(address(name), Pending::settled(route));
        self
    }

    fn changing(&mut self, side: Side, name: &str, now: Route, then: Route) -> &mut Self {
        self.site_mut(side).entries.insert(address(name), Pending::changing(now, then));
        self
    }

    fn owned(&mut self, name: &str, owner: &str) -> &mut Self {
        self.expected.insert(address(name), Owner::Person(person(owner)));
        self
    }

    fn reaching(&mut self, name: &str, people: &[&str]) -> &mut Self {
        let people = people.iter().map(|name| person(name)).collect();
        self.expected.insert(address(name), Owner::List(people));
        self
    }

    fn follows(&mut self, name: &str, followed: Followed) -> &mut Self {
        self.people.insert(person(name), followed);
        self
    }

    fn with_ann(&mut self) -> &mut Self {
        self.follows("ann", Followed::Source)
            .at(SOURCE, "ann@old.example", mailbox("ann"))
            .at(TARGET, "ann@new.example", coexistence("ann@old.example"))
            .owned("ann@old.example", "ann")
            .owned("ann@new.example", "ann")
    }

    fn found(&self) -> Vec<(&'static str, String)> {
        check(self).iter().map(|finding| (finding.fault.name(), finding.address.to_string())).collect()
    }
}

/// What is found.
pub(crate) fn check(directory: &Directory) -> Vec<Finding> {
    routing::check(directory).findings
}

/// The faults that are found, each once, in order.
pub(crate) fn faults(directory: &Directory) -> Vec<Fault> {
    let mut faults: Vec<Fault> = check(directory).iter().map(|finding| finding.fault).collect();
    faults.sort_unstable();
    faults.dedup();
    faults
}
