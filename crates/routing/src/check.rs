//! The check: every expected address, from every entry, against every fault.

use std::collections::{BTreeMap, HashMap};

use crate::cycles::{OnCircle, circles};
use crate::graph::{Delivery, Graph, Marks};
use crate::recipients::{Reach, Sure};
use crate::spread::Spread;
use crate::twice::{Effort, Part, Twice};
use crate::{Directory, Entry, Fault, Finding, Followed, MailAddress, Owner, PersonId, Report, Witness};

/// Looks at every expected address of a directory: does its mail, from inside either site and from outside, reach whom it is
/// to reach, once, in a followed mailbox, and nobody else, in every combination of old and new of what is pending (R-083,
///
///
/// Of each domain that a site accepts, it also looks at the addresses of which no site has an entry, those with a detail after a
/// plus among them. They may be refused; they must not go round, be forwarded where they may not, or come into somebody's
/// mailbox.
///
/// Returns what does not, one finding for each address and fault, in the order of addresses and faults, addresses without an
/// entry last, and what it looked at. The same directory gives the same report.
///
/// What is found happens in some combination, and what happens in some combination is found. There is one exception: for
/// [`Fault::Twice`], combinations are tried out, up to 1,024 for an address and a person (ten places on the ways between them
/// that each choose between old and new, all of which lead there), and up to so many places in each address's and in the whole
/// check's trying out that it stays a matter of seconds. Where that is not enough and none of those tried shows it, both are
/// taken as possible at once, and the finding says that it is not certain.
///
/// It takes time in proportion to the directory and to the number of places from which mail can come to each person, summed
/// over all people: a list of two thousand counts two thousand times, a list within lists for each of them.
pub fn check(directory: &Directory) -> Report {
    let subjects = directory.subjects();
    let graph = Graph::of(directory, &subjects);
    let mut check = Check {
        graph: &graph,
        is_list: subjects.iter().map(|(_, owner)| matches!(owner, Some(Owner::List(_)))).collect(),
        found: subjects.iter().map(|_| BTreeMap::new()).collect(),
    };
    check.loops();
    check.marks();
    check.recipients(directory);
    let findings = check.findings(&subjects);
    Report::of(directory, findings, subjects.len())
}

/// What was found of one address and one fault.
#[derive(Default)]
struct Found<'d> {
    entry: usize,
    /// As many as are named.
    people: Vec<&'d PersonId>,
    people_count: usize,
    /// Who was noted last: people come one after the other.
    last: Option<&'d PersonId>,
    way: Vec<u32>,
    again: Vec<u32>,
    is_certain: bool,
}

/// More than can be shown, so that one sees that there is more.
const WAY_MAX: usize = Witness::HOPS_MAX + 1;

/// What is told of a domain's addresses without an entry. That they are refused is as it should be, and how they are refused
/// is nobody's loss.
const TOLD_OF_OTHERS: [Fault; 4] =
    [Fault::Loop, Fault::ReachesAnother, Fault::ForbiddenDirection, Fault::InsecureDomain];

struct Check<'g, 'd> {
    graph: &'g Graph<'d>,
    is_list: Vec<bool>,
    found: Vec<BTreeMap<Fault, Found<'d>>>,
}

impl<'d> Check<'_, 'd> {
    fn loops(&mut self) {
        let circles = circles(self.graph);
        if circles.is_empty() {
            return;
        }
        let mut places: HashMap<u32, (usize, usize)> = HashMap::new();
        for (number, circle) in circles.iter().enumerate() {
            places.extend(circle.iter().enumerate().map(|(at, place)| (place.alternative, (number, at))));
        }
        let alternatives = circles.iter().flatten().map(|place: &OnCircle| place.alternative);
        let spread = Spread::from(self.graph, alternatives);
        let round = |way: &mut Vec<u32>| {
            let Some((number, at)) = way.last().and_then(|last| places.get(last)) else { return };
            let circle = &circles[*number];
            let rest = circle.iter().cycle().skip(at + 1).take(circle.len());
            way.extend(rest.take(WAY_MAX).map(|place| place.alternative));
        };
        self.spread(Fault::Loop, &spread, |_| true, round);
    }

    fn marks(&mut self) {
        let everybody = [
            (Fault::BlackHole, Marks::BLACK_HOLE.and(Marks::VOID)),
            (Fault::KeepsCopy, Marks::KEEPS_COPY),
            (Fault::RefusedBySpf, Marks::SPF),
            (Fault::RefusedByDmarc, Marks::DMARC),
            (Fault::ForbiddenDirection, Marks::DIRECTION),
            (Fault::InsecureDomain, Marks::INSECURE),
        ];
        for (fault, marks) in everybody {
            self.mark(fault, marks, |_| true);
        }
        self.mark(Fault::LeavesUs, Marks::LEAVES, |is_list| is_list);
        self.mark(Fault::LeavesUs, Marks::LEAVES.and(Marks::LEAVES_FOR_MEMBER), |is_list| !is_list);
    }

    fn mark(&mut self, fault: Fault, marks: Marks, concerns: impl Fn(bool) -> bool) {
        let graph = self.graph;
        let targets: Vec<u32> = (0..graph.alternatives.len() as u32)
            .filter(|alternative| graph.alternative(*alternative).marks.has_any(marks))
            .collect();
        if !targets.is_empty() {
            self.spread(fault, &Spread::from(graph, targets), concerns, |way| {
                if let Some(out) = way.last().and_then(|last| graph.way_out(*last, marks)) {
                    way.push(out);
                }
                let void = way.last().filter(|last| graph.alternative(**last).marks.has_any(Marks::VOID));
                if let (Fault::BlackHole, Some(last)) = (fault, void.copied()) {
                    way.pop();
                    way.extend(graph.way_in_void(last, WAY_MAX));
                }
            });
        }
    }

    /// Notes a fault for every address from which it can be met, with the first entry.
    fn spread(
        &mut self,
        fault: Fault,
        spread: &Spread,
        concerns: impl Fn(bool) -> bool,
        complete: impl Fn(&mut Vec<u32>),
    ) {
        for (expected, roots) in self.graph.roots.iter().enumerate() {
            let first = roots.iter().position(|root| spread.reaches_from(*root));
            let Some(entry) = first.filter(|_| concerns(self.is_list[expected])) else { continue };
            let mut way: Vec<u32> = spread.way_from(roots[entry]).take(WAY_MAX).collect();
            complete(&mut way);
            let found = Found { entry, way, is_certain: true, ..Found::default() };
            self.found[expected].insert(fault, found);
        }
    }

    fn recipients(&mut self, directory: &'d Directory) {
        let graph = self.graph;
        let mut expecting: HashMap<&'d PersonId, Vec<u32>> = HashMap::new();
        for (number, owner) in directory.expected.values().enumerate() {
            match owner {
                Owner::Person(person) => expecting.entry(person).or_default().push(number as u32),
                Owner::List(people) => {
                    for person in people {
                        expecting.entry(person).or_default().push(number as u32);
                    }
                }
            }
        }
        for person in graph.deliveries.keys() {
            expecting.entry(person).or_default();
        }
        let mut expecting: Vec<(&PersonId, Vec<u32>)> = expecting.into_iter().collect();
        expecting.sort_unstable_by_key(|(person, _)| *person);
        let (mut reach, mut unfollowed, mut sure) = (Reach::new(graph), Reach::new(graph), Sure::new(graph));
        let mut copies = Reach::new(graph);
        let mut effort = Effort::new();
        let beginning = beginning(graph);
        let mut is_expecting = vec![false; graph.roots.len()];
        for (person, expected) in &expecting {
            let deliveries = graph.deliveries.get(person).map_or(&[][..], Vec::as_slice);
            reach.look(graph, deliveries);
            for number in expected {
                is_expecting[*number as usize] = true;
            }
            self.others(person, &reach, &beginning, &is_expecting);
            for number in expected {
                is_expecting[*number as usize] = false;
            }

            if expected.iter().any(|number| self.is_list[*number as usize]) {
                sure.look(graph, deliveries);
                self.missing(person, expected, &reach, &sure);
            }

            let is_others = |delivery: &&Delivery| delivery.copy_of.is_some_and(|kind| !kind.is_ours());
            if deliveries.iter().any(|delivery| is_others(&delivery)) {
                copies.look(graph, deliveries.iter().filter(is_others));
                for number in expected {
                    is_expecting[*number as usize] = true;
                }
                self.copies_for_others(&copies, &beginning, &is_expecting);
                for number in expected {
                    is_expecting[*number as usize] = false;
                }
            }

            let followed = directory.people.get(*person);
            let is_followed = |side| followed.is_some_and(|followed: &Followed| followed.includes(side));
            let is_wrong = |delivery: &&Delivery| delivery.copy_of.is_none() && !is_followed(delivery.side);
            if deliveries.iter().any(|delivery| is_wrong(&delivery)) {
                unfollowed.look(graph, deliveries.iter().filter(is_wrong));
                self.not_followed(person, expected, &unfollowed);
            }

            let parting = reach.parting(graph);
            if !parting.is_empty() {
                let part = Part::of(graph, &reach.places, &reach.position, deliveries, &parting);
                for number in expected {
                    self.twice(*number, person, &reach, &part, &mut effort);
                }
            }
        }
    }

    /// Addresses whose mail comes to this person and is not to.
    fn others(&mut self, person: &'d PersonId, reach: &Reach, beginning: &[Vec<(u32, usize)>], is_expecting: &[bool]) {
        for node in &reach.places {
            for (number, entry) in &beginning[*node as usize] {
                if !is_expecting[*number as usize] {
                    self.note(*number, Fault::ReachesAnother, *entry, person, true, || {
                        (reach.way_from(*node).take(WAY_MAX).collect(), Vec::new())
                    });
                }
            }
        }
    }

    /// Addresses of whose mail a copy stays with somebody who is not to get it, by a forwarder that may keep one of their own.
    fn copies_for_others(&mut self, copies: &Reach, beginning: &[Vec<(u32, usize)>], is_expecting: &[bool]) {
        for node in &copies.places {
            for (number, entry) in &beginning[*node as usize] {
                let found = &mut self.found[*number as usize];
                let is_first = found.get(&Fault::KeepsCopy).is_none_or(|found| entry < &found.entry);
                if !is_expecting[*number as usize] && is_first {
                    let way = copies.way_from(*node).take(WAY_MAX).collect();
                    let new = Found { entry: *entry, way, is_certain: true, ..Found::default() };
                    found.insert(Fault::KeepsCopy, new);
                }
            }
        }
    }

    /// Lists that are to reach this person and, in some combination, don't.
    fn missing(&mut self, person: &'d PersonId, expected: &[u32], reach: &Reach, sure: &Sure) {
        let graph = self.graph;
        for number in expected {
            let roots = &graph.roots[*number as usize];
            let missing = roots.iter().position(|root| !sure.has(*root));
            let Some(entry) = missing.filter(|_| self.is_list[*number as usize]) else { continue };
            self.note(*number, Fault::Missing, entry, person, true, || {
                (sure.way_that_fails(graph, reach, roots[entry], WAY_MAX), Vec::new())
            });
        }
    }

    /// Addresses of this person whose mail comes where they don't look.
    fn not_followed(&mut self, person: &'d PersonId, expected: &[u32], unfollowed: &Reach) {
        let graph = self.graph;
        for number in expected {
            let roots = &graph.roots[*number as usize];
            let Some(entry) = roots.iter().position(|root| unfollowed.reaches_from(*root)) else { continue };
            self.note(*number, Fault::NotFollowed, entry, person, true, || {
                (unfollowed.way_from(roots[entry]).take(WAY_MAX).collect(), Vec::new())
            });
        }
    }

    fn twice(&mut self, number: u32, person: &'d PersonId, reach: &Reach, part: &Part, effort: &mut Effort) {
        let roots = &self.graph.roots[number as usize];
        let found =
            roots.iter().enumerate().filter(|(_, root)| reach.reaches_from(**root)).filter_map(|(entry, root)| {
                let twice = part.twice_from(reach.position[*root as usize], effort)?;
                Some((entry, twice))
            });
        // What is certain from any entry goes before what is not from the first.
        let Some((entry, Twice { ways: [first, second], is_certain })) = certain_first(found) else { return };
        self.note(number, Fault::Twice, entry, person, is_certain, || (first, second));
    }

    /// Notes somebody for a fault of an address. The first one's way is kept, from the first entry; what is certain goes
    /// before what is not.
    fn note(
        &mut self,
        number: u32,
        fault: Fault,
        entry: usize,
        person: &'d PersonId,
        is_certain: bool,
        ways: impl FnOnce() -> (Vec<u32>, Vec<u32>),
    ) {
        let found = self.found[number as usize].entry(fault).or_default();
        let is_new = found.people_count == 0;
        let is_first = found.people_count == 1 && found.last == Some(person);
        if is_new
            || (is_certain && !found.is_certain)
            || (is_certain == found.is_certain && is_first && entry < found.entry)
        {
            (found.entry, found.is_certain) = (entry, is_certain);
            (found.way, found.again) = ways();
        }
        if found.last != Some(person) {
            found.last = Some(person);
            found.people_count += 1;
            if found.people.len() < Finding::PEOPLE_MAX {
                found.people.push(person);
            }
        }
    }

    fn findings(self, subjects: &[(MailAddress, Option<&Owner>)]) -> Vec<Finding> {
        let graph = self.graph;
        let shown = |way: &[u32]| Witness {
            hops: way.iter().take(Witness::HOPS_MAX).map(|alternative| graph.hop(*alternative)).collect(),
            is_cut: way.len() > Witness::HOPS_MAX,
        };
        let finding = |address: &MailAddress, fault: Fault, found: Found<'_>| Finding {
            address: address.clone(),
            fault,
            entry: Entry::EVERY[found.entry],
            people: found.people.into_iter().cloned().collect(),
            people_count: found.people_count,
            witness: shown(&found.way),
            again: shown(&found.again),
            is_certain: found.is_certain,
        };
        let mut findings = Vec::new();
        for ((address, owner), found) in subjects.iter().zip(self.found) {
            let is_told = |fault: &Fault| owner.is_some() || TOLD_OF_OTHERS.contains(fault);
            let told = found.into_iter().filter(|(fault, _)| is_told(fault));
            findings.extend(told.map(|(fault, found)| finding(address, fault, found)));
        }
        findings
    }
}

/// Which entries of which addresses begin at each node.
fn beginning(graph: &Graph<'_>) -> Vec<Vec<(u32, usize)>> {
    let mut beginning = vec![Vec::new(); graph.nodes() as usize];
    for (expected, roots) in graph.roots.iter().enumerate() {
        for (entry, root) in roots.iter().enumerate() {
            beginning[*root as usize].push((expected as u32, entry));
        }
    }
    beginning
}

/// The first that is certain, else the first.
fn certain_first(found: impl Iterator<Item = (usize, Twice)>) -> Option<(usize, Twice)> {
    let mut uncertain = None;
    for (entry, twice) in found {
        if twice.is_certain {
            return Some((entry, twice));
        }
        uncertain.get_or_insert((entry, twice));
    }
    uncertain
}
