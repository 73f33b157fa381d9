//! What is wrong with single steps: where a site refuses what the other one sends, where a forwarder may not lead, and of which
//! names nothing comes.

use std::collections::HashSet;

use model::Side;

use crate::graph::{Act, Alternative, Graph, Marks, NodeKey, Origin};
use crate::{Directory, Mx, Route, Sender};

/// Does a site refuse what the other one sends on with such a sender? Some mail only, so the rest still goes its way.
pub(crate) fn refusal(directory: &Directory, at: Side, sender: Sender) -> Marks {
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
pub(crate) fn judged(directory: &Directory, side: Side, domain: &str, mx: Mx, origin: Origin) -> Marks {
    match mx {
        Mx::Nowhere => Marks::NOTHING,
        Mx::Site(to) if to == side => Marks::NOTHING,
        Mx::Site(to) => match origin {
            Origin::Own if directory.writes_unlisted(side) => refusal(directory, to, Sender::Kept),
            Origin::Own | Origin::Any => Marks::NOTHING,
            Origin::Resolved => refusal(directory, to, directory.site(side).sender),
            Origin::Forwarded(sender) if directory.policy.allows_from(side) => refusal(directory, to, sender),
            Origin::Forwarded(sender) => refusal(directory, to, sender).and(Marks::DIRECTION),
        },
        Mx::Elsewhere => match origin {
            Origin::Any => Marks::NOTHING,
            Origin::Own => Marks::LEAVES,
            _ if !directory.policy.is_secure(domain) => Marks::INSECURE,
            Origin::Resolved => Marks::LEAVES_FOR_MEMBER,
            Origin::Forwarded(_) => Marks::LEAVES,
        },
    }
}

/// Marks aliases and lists of which nothing comes in some combination. Something comes of an alternative that does not expand,
/// or leads to at least one place of all whose alternatives something comes. That all others may fail in one and the same
/// combination is as with [`Sure`](crate::recipients::Sure).
pub(crate) fn mark_void(graph: &mut Graph<'_>) {
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

/// Which places are come to otherwise than as a list's member, also by aliases of such places.
pub(crate) fn reached_directly(graph: &Graph<'_>) -> Vec<bool> {
    let mut is_direct = vec![false; graph.nodes() as usize];
    let begins = graph.roots.iter().flatten().copied();
    let sent = graph.alternatives.iter().enumerate().filter(|(_, alternative)| !alternative.expands);
    let sent = sent.flat_map(|(number, _)| graph.children(number as u32).iter().copied());
    let mut queue: Vec<u32> = begins.chain(sent).collect();
    while let Some(node) = queue.pop() {
        if std::mem::replace(&mut is_direct[node as usize], true) {
            continue;
        }
        for alternative in graph.alternatives_of(node).filter(|it| graph.alternative(*it).act.is_alias()) {
            queue.extend_from_slice(graph.children(alternative));
        }
    }
    is_direct
}

/// Marks aliases to elsewhere as the forwarders that they are, unless they are come to as a list's members only. What the
/// receiving site makes of the sender is judged where it is sent out.
pub(crate) fn mark_aliases(directory: &Directory, graph: &mut Graph<'_>, is_direct: &[bool]) {
    for number in 0..graph.alternatives.len() as u32 {
        let alternative = graph.alternative(number);
        if !alternative.act.is_alias() || !is_direct[alternative.node as usize] {
            continue;
        }
        let mut marks = Marks::NOTHING;
        for child in graph.children(number) {
            let NodeKey::Out(side, _, Origin::Resolved) = graph.keys[*child as usize] else { continue };
            for out in graph.alternatives_of(*child).map(|out| graph.alternative(out)) {
                match out.act {
                    Act::Sent(Mx::Site(_), _) if !directory.policy.allows_from(side) => {
                        marks = marks.and(Marks::DIRECTION);
                    }
                    Act::Sent(Mx::Elsewhere, _) if out.marks.has_any(Marks::LEAVES_FOR_MEMBER) => {
                        marks = marks.and(Marks::LEAVES);
                    }
                    _ => {}
                }
            }
        }
        let alternative = &mut graph.alternatives[number as usize];
        alternative.marks = alternative.marks.and(marks);
    }
}

/// Marks what goes out where an entry is about to come or to go, in a domain that the site does not accept: as by each of the
/// ways on which mail may come there.
pub(crate) fn mark_leaving(directory: &Directory, graph: &mut Graph<'_>, is_direct: &[bool]) {
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
        let by_alternative = graph.leading_to(place).iter().map(|leading| {
            let Alternative { node, act, .. } = graph.alternative(*leading);
            match act.forwards() {
                Some(sender) => Origin::Forwarded(sender),
                None if act.is_alias() && is_direct[*node as usize] => Origin::Forwarded(own),
                None => Origin::Resolved,
            }
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
pub(crate) fn mark_directions(directory: &Directory, graph: &mut Graph<'_>) {
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
                act if act.is_alias() && !std::mem::replace(&mut leads_off[alternative.node as usize], true) => {
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
