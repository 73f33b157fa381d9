//! Where mail goes on both sides, made of what is on record: who stands where, which redirects are on or about to be, what was found.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use connector::router::{Destination, Force, Forwarder, ForwarderOwner, LocalCopy, SenderMode};
use model::{Phase, Side};
use routing::{
    Directory, Domain, DomainRule, Followed, ForwarderKind, MailAddress, MailboxRule, Mx, Owner, Pending, PersonId,
    Policy, Route, Sender, Site,
};
use store::{ForwarderRow, FoundForwarder, MailboxRow, OldAddressRow, OldAddressState, SwitchRow};
use switch::Task;

use super::exchanges::Seen;
use super::lists::{self, Known};
use super::others::{self, KnownOther};
use crate::config::{MxEntry, RoutingEntry, SiteEntry};

/// What is on record of where mail goes.
pub(crate) struct Recorded {
    pub(crate) mailboxes: Vec<MailboxRow>,
    /// The last switch of each mailbox that has one.
    pub(crate) switches: HashMap<i64, SwitchRow>,
    /// The forwarder from the target to the source, by mailbox.
    pub(crate) forwarders: HashMap<i64, ForwarderRow>,
    /// What was found that is not ours.
    pub(crate) found: Vec<FoundForwarder>,
    /// The distribution lists of both sides.
    pub(crate) known: Arc<Known>,
    /// Of all else in the directories of both sides what is to be looked at.
    pub(crate) others: Vec<KnownOther>,
    /// Old addresses on people's accounts.
    pub(crate) old_addresses: Vec<OldAddressRow>,
    /// Whose mail a script may turn on a side, now or at any time until what it printed is supplied.
    pub(crate) awaited: Vec<(i64, Side)>,
    /// Mailboxes whose new account is live, with no recorded reason why it may be without a forwarder.
    pub(crate) live: HashSet<i64>,
    /// Addresses that the source's directories give to mailboxes, besides those of `[routing.source]`.
    pub(crate) further: Vec<(i64, String)>,
    /// Where the MX records of legacy domains were last seen to lead.
    pub(crate) exchanges: Arc<Seen>,
}

/// What of a project the model needs besides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ends {
    /// The endpoint of the target. Who goes elsewhere, to the archive, has no address there.
    pub(crate) target: i64,
    /// What becomes of the sender at each endpoint that has a router.
    pub(crate) senders: BTreeMap<i64, SenderMode>,
}

/// Something that can't be understood of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The mailboxes that it is about.
    pub(crate) mailboxes: Vec<i64>,
    /// What.
    pub(crate) what: String,
}

/// How a mailbox's own redirects may stand: what is on, and what may be on besides while a task of routing is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The forwarder from the target to the source.
    pub(crate) forwarder: Pending<bool>,
    /// The redirect from the source to the target.
    pub(crate) redirect: Pending<bool>,
    /// Which mailbox is followed.
    pub(crate) followed: Followed,
}

/// How a mailbox's redirects may stand, by its phase, its switch and the record of its forwarder.
///
/// A task that was begun and not read back may have been done or not: both are possible.
pub(crate) fn standing(row: &MailboxRow, switch: Option<&SwitchRow>, forwarder: Option<&ForwarderRow>) -> Standing {
    let is_live = forwarder.is_some();
    let was_on = forwarder.is_some_and(ForwarderRow::is_on);
    // One that is on record and was never seen to be on is about to be put on.
    let about_to_be = is_live && forwarder.is_some_and(|row| row.on_at.is_none());
    let forwarder = |now: bool| if about_to_be { Pending::changing(now, true) } else { Pending::settled(now) };
    // Who was told to look at the source until the switch looks there, though they have logged in at the target.
    let in_both = row.roster.target_in_use && !(row.roster.new_account && is_live);
    let in_source = if in_both { Followed::Either } else { Followed::Source };
    let task = switch.filter(|switch| switch.ended.is_none()).and_then(|switch| Task::from_name(&switch.task));
    match (row.state.phase, task) {
        (Phase::Switching, Some(task)) => {
            let (settled, changing) = (Pending::settled, Pending::changing);
            let (forwarder, redirect) = match task {
                Task::Freeze => (settled(was_on), settled(false)),
                // It comes with the last look, where it had to wait.
                Task::Thaw => (changing(was_on, is_live), settled(false)),
                Task::ForwarderOff => (changing(was_on, false), settled(false)),
                Task::RedirectOn => (settled(false), changing(false, true)),
                Task::AddressesOn | Task::Drain | Task::MarkOn | Task::RecordOver => (settled(false), settled(true)),
                Task::MarkOff | Task::AddressesOff => (settled(false), settled(true)),
                Task::RedirectOff => (settled(false), changing(true, false)),
                Task::Carry => (settled(false), settled(false)),
                Task::ForwarderOn => (changing(false, is_live), settled(false)),
                Task::CarryRest => (settled(was_on), settled(false)),
            };
            Standing { forwarder, redirect, followed: Followed::Either }
        }
        // It was begun, and what was begun is not known: anything may be.
        (Phase::Switching, None) => Standing {
            forwarder: Pending::changing(was_on, !was_on),
            redirect: Pending::changing(false, true),
            followed: Followed::Either,
        },
        // What comes to the source still is followed until it has settled.
        (Phase::Switched, _) => Standing {
            forwarder: Pending::settled(false),
            redirect: Pending::settled(true),
            followed: Followed::Either,
        },
        (Phase::Settled, _) => Standing {
            forwarder: Pending::settled(false),
            redirect: Pending::settled(true),
            followed: Followed::Target,
        },
        (Phase::Planned | Phase::Copying | Phase::InStep, _) => {
            Standing { forwarder: forwarder(was_on), redirect: Pending::settled(false), followed: in_source }
        }
    }
}

/// How a mailbox's redirects may stand once this task is begun, all else being as it is.
///
/// The forwarder is seen to be off before the redirect is put on, so that is what is supposed then.
pub(crate) fn supposing(real: Standing, task: Task) -> Standing {
    let was_on = real.forwarder.now || real.forwarder.then == Some(true);
    match task {
        Task::ForwarderOff => {
            Standing { forwarder: Pending::changing(was_on, false), followed: Followed::Either, ..real }
        }
        Task::RedirectOn => Standing {
            forwarder: Pending::settled(false),
            redirect: Pending::changing(false, true),
            followed: Followed::Either,
        },
        Task::ForwarderOn => Standing { forwarder: Pending::changing(false, true), ..real },
        _ => real,
    }
}

/// Both sides' mail systems, as they are on record, and what could not be made of it. `supposed`: a mailbox at a task that it has not
/// begun.
pub(crate) fn directory(
    entry: &RoutingEntry,
    recorded: &Recorded,
    ends: &Ends,
    supposed: Option<(i64, Task)>,
) -> (Directory, Vec<Wrong>) {
    let mut wrong = Vec::new();
    let mut directory = Directory {
        source: site(&entry.source),
        target: site(&entry.target),
        mx: mx(entry, &recorded.exchanges),
        policy: Policy {
            source_to_target: entry.source_to_target,
            target_to_source: entry.target_to_source,
            secure_domains: entry.secure_domains.iter().map(|name| Domain::new(name)).collect(),
        },
        ..Directory::default()
    };
    let mut found: HashMap<(i64, Side), Vec<Forwarder>> = HashMap::new();
    for one in &recorded.found {
        match serde_json::from_str(&one.what) {
            Ok(forwarder) => found.entry((one.mailbox, one.side)).or_default().push(forwarder),
            Err(_) => {
                let what = format!("a forwarder that was found for mailbox {} can't be read", one.mailbox);
                wrong.push(Wrong { mailboxes: vec![one.mailbox], what });
            }
        }
    }
    let mut whose: HashMap<(Side, MailAddress), i64> = HashMap::new();
    // Whose switch has begun counts, whatever the roster says by now.
    for row in recorded.mailboxes.iter().filter(|row| row.listed || row.state.phase >= Phase::Switching) {
        let person = PersonId::new(&row.mailbox.to_string());
        let forwarder = recorded.forwarders.get(&row.mailbox);
        let mut standing = standing(row, recorded.switches.get(&row.mailbox), forwarder);
        for (_, side) in recorded.awaited.iter().filter(|(mailbox, _)| *mailbox == row.mailbox) {
            let ours = if *side == Side::Source { &mut standing.redirect } else { &mut standing.forwarder };
            ours.then = ours.then.or(Some(!ours.now));
        }
        if let Some((_, task)) = supposed.filter(|(mailbox, _)| *mailbox == row.mailbox) {
            standing = supposing(standing, task);
        }
        let goes_there = row.roster.target_endpoint == ends.target;
        directory.people.insert(person.clone(), standing.followed);
        let mut addresses: BTreeMap<Side, Vec<MailAddress>> = BTreeMap::new();
        for (side, system) in [(Side::Source, &entry.source), (Side::Target, &entry.target)] {
            if side == Side::Target && !goes_there {
                continue;
            }
            for text in system.addresses(side, &row.roster.source_name, &row.roster.target_name) {
                match MailAddress::parse(&text) {
                    Ok(address) => addresses.entry(side).or_default().push(address),
                    Err(error) => {
                        let what = format!("{text:?} of {}: {error}", row.roster.source_name);
                        wrong.push(Wrong { mailboxes: vec![row.mailbox], what });
                    }
                }
            }
        }
        // Nobody has been told of the address of an account that is not live yet, or may be without a forwarder for a reason.
        let is_live = forwarder.is_some() || row.roster.target_in_use || row.state.phase >= Phase::Switching;
        let is_live = is_live || recorded.live.contains(&row.mailbox);
        let first = |side: Side| addresses.get(&side).and_then(|all| all.first()).cloned();
        let (at_source, at_target) = (first(Side::Source), first(Side::Target));
        for (side, endpoint, other, ours, kind) in [
            (Side::Source, row.roster.source_endpoint, at_target, standing.redirect, ForwarderKind::Redirect),
            (Side::Target, row.roster.target_endpoint, at_source, standing.forwarder, ForwarderKind::Coexistence),
        ] {
            let Some(own) = addresses.get(&side) else { continue };
            for address in own {
                let before = whose.insert((side, address.clone()), row.mailbox);
                if let Some(before) = before.filter(|before| *before != row.mailbox) {
                    let what = format!("{} is an address of two mailboxes at the {side}", address.as_str());
                    wrong.push(Wrong { mailboxes: vec![before, row.mailbox], what });
                }
                let route = Pending::settled(Route::Mailbox(person.clone()));
                directory.site_mut(side).entries.insert(address.clone(), route);
                if side == Side::Source || is_live {
                    directory.expected.insert(address.clone(), Owner::Person(person.clone()));
                }
            }
            let sender = sender(ends.senders.get(&endpoint).copied().unwrap_or_default());
            let others = found.get(&(row.mailbox, side));
            for place in beyond_the_model(others) {
                let what = format!("where {}'s mail goes by {place} at the {side}", row.roster.source_name);
                wrong.push(Wrong { mailboxes: vec![row.mailbox], what });
            }
            let theirs = theirs(others, sender);
            let rule = |is_on: bool| match other.as_ref().filter(|_| is_on) {
                Some(other) => MailboxRule::Forward { to: vec![other.clone()], sender, keeps_copy: false, kind },
                None => theirs.clone(),
            };
            let pending = Pending { now: rule(ours.now), then: ours.then.map(rule) };
            directory.site_mut(side).mailboxes.insert(person.clone(), pending);
        }
    }
    for (mailbox, text) in &recorded.further {
        let person = PersonId::new(&mailbox.to_string());
        let Ok(address) = MailAddress::parse(text) else { continue };
        let is_of_source = directory.source.domains.contains_key(&Domain::new(address.domain()));
        // Where somebody else has it, whose it is was decided before.
        if !is_of_source || !directory.people.contains_key(&person) || directory.source.entries.contains_key(&address) {
            continue;
        }
        directory.source.entries.insert(address.clone(), Pending::settled(Route::Mailbox(person.clone())));
        directory.expected.insert(address, Owner::Person(person));
    }
    let listed: BTreeSet<&PersonId> = directory.people.keys().collect();
    let on_accounts: Vec<(PersonId, &OldAddressRow)> = recorded
        .old_addresses
        .iter()
        .map(|row| (PersonId::new(&row.mailbox.to_string()), row))
        .filter(|(person, _)| listed.contains(person))
        .collect();
    for (person, row) in on_accounts {
        let (Ok(address), Some(route)) = (MailAddress::parse(&row.address), on_account(&person, row.state)) else {
            continue;
        };
        // What the source's directory gives them besides is expected, too, where the source takes mail for its domain.
        let is_of_source = directory.source.domains.contains_key(&Domain::new(address.domain()));
        if is_of_source && !directory.source.entries.contains_key(&address) {
            let at_source = Pending::settled(Route::Mailbox(person.clone()));
            directory.source.entries.insert(address.clone(), at_source);
            directory.expected.insert(address.clone(), Owner::Person(person.clone()));
        }
        directory.target.entries.insert(address, route);
    }
    others::add(&mut directory, &recorded.others);
    lists::add(&mut directory, &recorded.known.lists);
    (directory, wrong)
}

/// What the target does with an old address of somebody: mail of its own people to it comes to the account that has it.
fn on_account(person: &PersonId, state: OldAddressState) -> Option<Pending<Route>> {
    let own = || Route::Mailbox(person.clone());
    match state {
        OldAddressState::Coming => Some(Pending::changing(Route::Absent, own())),
        OldAddressState::Going => Some(Pending::changing(own(), Route::Absent)),
        OldAddressState::Ours | OldAddressState::Theirs => Some(Pending::settled(own())),
        OldAddressState::Missing => None,
    }
}

/// Where forwarders stand whose destination the model can't hold: a program, an address that is computed.
fn beyond_the_model(found: Option<&Vec<Forwarder>>) -> Vec<&str> {
    let is_beyond = |forwarder: &&Forwarder| {
        let is_address = matches!(&forwarder.to, Destination::Address(to) if MailAddress::parse(to).is_ok());
        forwarder.force != Force::Dormant && !is_address
    };
    found.into_iter().flatten().filter(is_beyond).map(|forwarder| forwarder.place.as_str()).collect()
}

/// What a mailbox does with mail where ours is not on: what was found of others'.
fn theirs(found: Option<&Vec<Forwarder>>, sender: Sender) -> MailboxRule {
    let mut rules = Vec::new();
    let mut stays = true;
    for forwarder in found.into_iter().flatten().filter(|forwarder| forwarder.force != Force::Dormant) {
        let Destination::Address(address) = &forwarder.to else { continue };
        let Ok(to) = MailAddress::parse(address) else { continue };
        let kind = match forwarder.owner {
            ForwarderOwner::Administrator => ForwarderKind::PreExisting,
            ForwarderOwner::Person => ForwarderKind::OwnRule,
        };
        let keeps_copy = forwarder.copy != LocalCopy::NotKept;
        stays &= forwarder.force == Force::Sometimes || keeps_copy;
        rules.push(MailboxRule::Forward { to: vec![to], sender, keeps_copy, kind });
    }
    if rules.is_empty() || stays {
        rules.push(MailboxRule::Deliver);
    }
    if rules.len() == 1 { rules.remove(0) } else { MailboxRule::Either(rules) }
}

fn sender(mode: SenderMode) -> Sender {
    match mode {
        SenderMode::Kept => Sender::Kept,
        SenderMode::Srs => Sender::Srs,
        SenderMode::TrustedRelay => Sender::TrustedRelay,
    }
}

/// A side's mail system. What it does with the sender of what its own rules send on is not known: it is taken as kept.
fn site(entry: &SiteEntry) -> Site {
    let sender = Sender::Kept;
    let rule = || if entry.relays_unknown { DomainRule::InternalRelay { sender } } else { DomainRule::Authoritative };
    let named: BTreeSet<&String> = entry.domains.iter().chain(&entry.alias_domains).collect();
    let sends_for = entry.sends_for.as_ref().unwrap_or(&entry.domains);
    Site {
        enforces_spf: entry.enforces_spf,
        enforces_dmarc: entry.enforces_dmarc,
        trusts_other: entry.trusts_other,
        sender,
        writes_as: Some(named.iter().map(|name| Domain::new(name)).collect()),
        sends_for: sends_for.iter().chain(&entry.alias_domains).map(|name| Domain::new(name)).collect(),
        domains: named.iter().map(|name| (Domain::new(name), Pending::settled(rule()))).collect(),
        ..Site::default()
    }
}

/// Where each domain's mail comes first: what the project says, and what was seen since.
pub(crate) fn mx(entry: &RoutingEntry, seen: &Seen) -> BTreeMap<Domain, Pending<Mx>> {
    let of = |site: &SiteEntry, side: Side| -> Vec<(Domain, Pending<Mx>)> {
        let names = site.domains.iter().chain(&site.alias_domains);
        names.map(|name| (Domain::new(name), Pending::settled(Mx::Site(side)))).collect()
    };
    let mut all: BTreeMap<Domain, Pending<Mx>> = of(&entry.target, Side::Target).into_iter().collect();
    // A domain of both sides points to the source, until it is said to have moved, or seen to.
    all.extend(of(&entry.source, Side::Source));
    all.extend(seen.iter().map(|(domain, place)| (domain.clone(), *place)));
    for (name, place) in &entry.mx {
        let said = match place {
            MxEntry::Source => Mx::Site(Side::Source),
            MxEntry::Target => Mx::Site(Side::Target),
            MxEntry::Elsewhere => Mx::Elsewhere,
            MxEntry::Nowhere => Mx::Nowhere,
        };
        let domain = Domain::new(name);
        // What is said and what is seen may both be: a look is of one moment, and so is what somebody wrote down. Where it was seen at two
        // places, and is said to be at a third, what was seen counts.
        let place = match seen.get(&domain) {
            Some(Pending { now, then: Some(then) }) if *now != said && *then != said => Pending::changing(*now, *then),
            Some(Pending { now, then }) => {
                let then = [Some(*now), *then].into_iter().flatten().find(|place| *place != said);
                Pending { now: said, then }
            }
            None => Pending::settled(said),
        };
        all.insert(domain, place);
    }
    all
}
