//! A directory of full size: ten thousand people, half a million members of lists, a collection being switched, an MX that
//! moves. No time is asserted; it is to be a matter of seconds, even unoptimised, and says so with `--no-capture`.

use std::collections::BTreeSet;
use std::time::Instant;

use rehearsal::Chance;
use routing::{
    Directory, Domain, DomainRule, Fault, Followed, ForwarderKind, MailAddress, Mx, Owner, Pending, PersonId, Route,
    Sender,
};

use crate::world::{SOURCE, TARGET, address, check, empty, relay};

const PEOPLE: usize = 10_000;
const LISTS: usize = 500;
const MEMBERS_MAX: u64 = 2_000;
/// So many are in the collection that is being switched, and so many were before them.
const SWITCHING: usize = 300;
const SWITCHED: usize = 4_000;

struct Somebody {
    id: PersonId,
    old: MailAddress,
    second: MailAddress,
    new: MailAddress,
}

fn people() -> Vec<Somebody> {
    let somebody = |number: usize| Somebody {
        id: PersonId::new(&format!("p{number}")),
        old: address(&format!("first.last{number}@old.example")),
        second: address(&format!("p{number}@old.example")),
        new: address(&format!("first.last{number}@new.example")),
    };
    (0..PEOPLE).map(somebody).collect()
}

fn forward(to: &MailAddress, kind: ForwarderKind) -> Route {
    Route::Forward { to: vec![to.clone()], sender: Sender::TrustedRelay, keeps_copy: None, kind }
}

/// Everything as it should be.
fn full(people: &[Somebody]) -> Directory {
    let mut directory = empty();
    let rule = DomainRule::InternalRelay { sender: Sender::TrustedRelay };
    directory.target.domains.insert(Domain::new("old.example"), Pending::settled(rule));
    directory.mx.insert(Domain::new("old.example"), Pending::changing(Mx::Site(SOURCE), Mx::Site(TARGET)));
    for (number, Somebody { id, old, second, new }) in people.iter().enumerate() {
        let mailbox = || Route::Mailbox(id.clone());
        let redirect = || forward(new, ForwarderKind::Redirect);
        let (followed, at_source, on_target) = match number {
            0..SWITCHED => (Followed::Target, Pending::settled(redirect()), mailbox()),
            _ if number < SWITCHED + SWITCHING => {
                (Followed::Either, Pending::changing(mailbox(), redirect()), mailbox())
            }
            _ => (Followed::Source, Pending::settled(mailbox()), forward(old, ForwarderKind::Coexistence)),
        };
        directory.people.insert(id.clone(), followed);
        directory.source.entries.insert(old.clone(), at_source);
        directory.source.entries.insert(second.clone(), Pending::settled(Route::Alias(old.clone())));
        directory.target.entries.insert(new.clone(), Pending::settled(on_target));
        if number < SWITCHED {
            directory.target.entries.insert(old.clone(), Pending::settled(Route::Alias(new.clone())));
            directory.target.entries.insert(second.clone(), Pending::settled(Route::Alias(new.clone())));
        }
        for address in [old, second, new] {
            directory.expected.insert(address.clone(), Owner::Person(id.clone()));
        }
    }
    let mut chance = Chance::new(7);
    let mut before: Option<(MailAddress, BTreeSet<PersonId>)> = None;
    for number in 0..LISTS {
        let name = address(&format!("list{number}@old.example"));
        let count = 1 + chance.below(MEMBERS_MAX);
        let (mut members, mut reached) = (Vec::new(), BTreeSet::new());
        for _ in 0..count {
            let member = chance.pick(people);
            members.push(if chance.in_thousand(300) { member.second.clone() } else { member.old.clone() });
            reached.insert(member.id.clone());
        }
        // Every tenth holds the one before it, too.
        if let Some((before, its)) = before.filter(|_| number % 10 == 0) {
            members.push(before);
            reached.extend(its);
        }
        directory.source.entries.insert(name.clone(), Pending::settled(Route::List(members.clone())));
        directory.target.entries.insert(name.clone(), Pending::settled(relay()));
        directory.expected.insert(name.clone(), Owner::List(reached.clone()));
        before = Some((name, reached));
    }
    directory
}

#[test]
fn a_full_directory_is_checked_in_seconds() {
    let people = people();
    let mut directory = full(&people);
    let members: usize = directory
        .source
        .entries
        .values()
        .map(|entry| if let Route::List(members) = &entry.now { members.len() } else { 0 })
        .sum();
    let begun = Instant::now();
    let findings = check(&directory);
    println!("{PEOPLE} people, {members} members: {} ms", begun.elapsed().as_millis());
    assert!(findings.is_empty(), "{}", findings[0]);

    // One redirect too early, one forwarder that was forgotten, one copy, one name given up.
    let [early, unfinished, copy, gone] = [9_000, 9_100, 100, 9_200].map(|number: usize| &people[number]);
    let redirect = Pending::changing(Route::Mailbox(early.id.clone()), forward(&early.new, ForwarderKind::Redirect));
    directory.source.entries.insert(early.old.clone(), redirect);
    directory.target.entries.insert(unfinished.new.clone(), Pending::settled(Route::Mailbox(unfinished.id.clone())));
    if let Some(entry) = directory.source.entries.get_mut(&copy.old)
        && let Route::Forward { keeps_copy, .. } = &mut entry.now
    {
        *keeps_copy = Some(copy.id.clone());
    }
    directory.source.entries.remove(&gone.old);
    let begun = Instant::now();
    let findings = check(&directory);
    println!("with faults: {} findings, {} ms", findings.len(), begun.elapsed().as_millis());
    let at = |fault, address: &MailAddress| {
        findings.iter().any(|finding| (finding.fault, &finding.address) == (fault, address))
    };
    assert!(at(Fault::Loop, &early.old) && at(Fault::Loop, &early.new));
    assert!(at(Fault::NotFollowed, &unfinished.new) && !at(Fault::NotFollowed, &unfinished.old));
    assert!(at(Fault::KeepsCopy, &copy.second) && at(Fault::Twice, &copy.second));
    assert!(at(Fault::BlackHole, &gone.old) && at(Fault::BlackHole, &gone.second));
}

/// So many names lead, one after the other, to a knot of changes.
const NAMES: usize = 3_000;

#[test]
fn a_knot_of_changes_that_everybody_hangs_on_is_given_up_in_time() {
    let mut directory = empty();
    let name = |text: &str, number: usize| address(&format!("{text}{number}@old.example"));
    let alias = |to: MailAddress| Route::Alias(to);
    let set = |directory: &mut Directory, at: MailAddress, route: Pending<Route>| {
        directory.source.entries.insert(at, route);
    };
    // Nine names that are each about to lead past the next, all to one of two names of Cid: he gets one message, which only
    // trying out shows.
    for number in 0..9 {
        let changing = Pending::changing(alias(name("a", number + 1)), alias(name("a", number + 2)));
        set(&mut directory, name("a", number), changing);
    }
    for number in [9, 10] {
        set(&mut directory, name("a", number), Pending::settled(alias(name("end", 0))));
    }
    let cid = PersonId::new("cid");
    let (old, new) = (address("cid@old.example"), address("cid@new.example"));
    set(&mut directory, name("end", 0), Pending::changing(alias(old.clone()), alias(new.clone())));
    set(&mut directory, old, Pending::settled(forward(&new, ForwarderKind::Redirect)));
    directory.target.entries.insert(new, Pending::settled(Route::Mailbox(cid.clone())));
    directory.people.insert(cid.clone(), Followed::Target);
    let members = vec![name("a", 0), name("a", 1)];
    set(&mut directory, name("n", 0), Pending::settled(Route::List(members)));
    for number in 1..NAMES {
        set(&mut directory, name("n", number), Pending::settled(alias(name("n", number - 1))));
    }
    for number in 0..NAMES {
        directory.expected.insert(name("n", number), Owner::List(BTreeSet::from([cid.clone()])));
    }
    let begun = Instant::now();
    let findings = check(&directory);
    println!("{NAMES} names before a knot: {} findings, {} ms", findings.len(), begun.elapsed().as_millis());
    // What is near is tried out whole; what is far is said not to be certain.
    assert!(findings.iter().all(|finding| finding.fault == Fault::Twice && !finding.is_certain));
    assert!(findings.iter().all(|finding| finding.address != name("n", 0)) && findings.len() > NAMES / 2);
}
