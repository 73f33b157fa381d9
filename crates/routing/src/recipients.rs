//! What each person gets: from each of them backwards to every place from which mail comes to them, so that the whole costs
//! no more than the sum of those ways.

use std::collections::VecDeque;

use crate::graph::{Delivery, Graph, NONE};

/// From where one person's mailboxes can be come to. Made once and used for everybody in turn.
pub(crate) struct Reach {
    round: u32,
    seen: Vec<u32>,
    alternatives: Vec<u32>,
    children: Vec<u32>,
    /// Where in `places` each of them is.
    pub(crate) position: Vec<u32>,
    /// The places, nearest first.
    pub(crate) places: Vec<u32>,
    /// How many of what each alternative leads to lead to them.
    counted: Vec<(u32, u32)>,
    /// Alternatives of which that is more than one.
    branching: Vec<u32>,
    leaves: Leaves,
}

impl Reach {
    pub(crate) fn new(graph: &Graph<'_>) -> Self {
        let nodes = graph.nodes() as usize;
        Self {
            round: 0,
            seen: vec![0; nodes],
            alternatives: vec![NONE; nodes],
            children: vec![NONE; nodes],
            position: vec![NONE; nodes],
            places: Vec::new(),
            counted: vec![(0, 0); graph.alternatives.len()],
            branching: Vec::new(),
            leaves: Leaves::new(graph),
        }
    }

    /// Looks from where these can be come to.
    pub(crate) fn look<'a>(&mut self, graph: &Graph<'_>, deliveries: impl IntoIterator<Item = &'a Delivery>) {
        self.round += 1;
        self.places.clear();
        self.branching.clear();
        let mut queue = VecDeque::new();
        for delivery in deliveries {
            self.count(delivery.alternative);
            self.take(graph, delivery.alternative, NONE, &mut queue);
        }
        while let Some(node) = queue.pop_front() {
            for leading in graph.leading_to(node) {
                self.count(*leading);
                self.take(graph, *leading, node, &mut queue);
            }
        }
    }

    fn count(&mut self, alternative: u32) {
        let (round, count) = &mut self.counted[alternative as usize];
        if *round != self.round {
            (*round, *count) = (self.round, 0);
        }
        *count += 1;
        if *count == 2 {
            self.branching.push(alternative);
        }
    }

    fn take(&mut self, graph: &Graph<'_>, alternative: u32, child: u32, queue: &mut VecDeque<u32>) {
        let node = graph.alternative(alternative).node;
        let at = node as usize;
        if self.seen[at] != self.round {
            self.seen[at] = self.round;
            (self.alternatives[at], self.children[at]) = (alternative, child);
            self.position[at] = self.places.len() as u32;
            self.places.push(node);
            queue.push_back(node);
        }
    }

    /// The alternatives where a message may become two that both come to this person: forwarders that keep their copy, and
    /// lists with members that come to them by more than one recipient.
    pub(crate) fn parting(&mut self, graph: &Graph<'_>) -> Vec<u32> {
        if self.branching.is_empty() {
            return Vec::new();
        }
        self.leaves.look(graph, self.round, &self.places);
        let leaves = &self.leaves;
        let parts = |alternative: &u32| {
            !graph.alternative(*alternative).expands || leaves.of_alternative(self.round, *alternative) == SEVERAL
        };
        self.branching.iter().copied().filter(parts).collect()
    }

    /// Can the person be come to from here?
    pub(crate) fn reaches_from(&self, node: u32) -> bool {
        self.seen[node as usize] == self.round
    }

    /// The alternatives on the shortest way from here to them.
    pub(crate) fn way_from(&self, node: u32) -> impl Iterator<Item = u32> {
        let mut node = node;
        std::iter::from_fn(move || {
            if node == NONE || !self.reaches_from(node) {
                return None;
            }
            let alternative = self.alternatives[node as usize];
            node = self.children[node as usize];
            Some(alternative)
        })
    }
}

/// More than one recipient.
const SEVERAL: u32 = NONE - 1;

/// What recipients a site's aliases and lists come to, as far as they lead to one person: the one recipient, or several.
///
/// Nearly everybody is one recipient for all lists, however these hold each other; whoever is need not be tried out. A place
/// that chooses counts as a recipient: whatever it chooses, a site that goes on there in one go comes to it once.
struct Leaves {
    /// Does a place always go on at its site in one go, in one way?
    expands: Vec<bool>,
    nodes: Vec<(u32, u32)>,
    alternatives: Vec<(u32, u32)>,
}

impl Leaves {
    fn new(graph: &Graph<'_>) -> Self {
        let expands = |node| {
            let alternatives = graph.alternatives_of(node);
            alternatives.len() == 1 && graph.alternative(alternatives.start).expands
        };
        Self {
            expands: (0..graph.nodes()).map(expands).collect(),
            nodes: vec![(0, NONE); graph.nodes() as usize],
            alternatives: vec![(0, NONE); graph.alternatives.len()],
        }
    }

    fn look(&mut self, graph: &Graph<'_>, round: u32, places: &[u32]) {
        let mut queue: Vec<u32> = places.iter().copied().filter(|node| !self.expands[*node as usize]).collect();
        for node in &queue {
            self.nodes[*node as usize] = (round, *node);
        }
        // Each place changes twice at most: to one recipient, then to several.
        while let Some(node) = queue.pop() {
            let (_, leaf) = self.nodes[node as usize];
            for leading in graph.leading_to(node) {
                let alternative = graph.alternative(*leading);
                if !alternative.expands || !add(&mut self.alternatives[*leading as usize], round, leaf) {
                    continue;
                }
                let before = alternative.node as usize;
                if self.expands[before] && add(&mut self.nodes[before], round, leaf) {
                    queue.push(alternative.node);
                }
            }
        }
    }

    fn of_alternative(&self, round: u32, alternative: u32) -> u32 {
        let (of, leaf) = self.alternatives[alternative as usize];
        if of == round { leaf } else { NONE }
    }
}

/// Adds a recipient; tells whether that changed something.
fn add(known: &mut (u32, u32), round: u32, leaf: u32) -> bool {
    let before = if known.0 == round { known.1 } else { NONE };
    let after = if before == NONE || before == leaf { leaf } else { SEVERAL };
    *known = (round, after);
    after != before
}

/// From where one person gets mail in every combination of old and new.
///
/// A place is sure when each of its alternatives delivers, or leads to at least one sure place. What goes round delivers
/// nothing. Whether all members of a list can fail in one and the same combination needs no trying out: where the ways on which
/// two of them fail meet, both go on in the same way, and fail.
pub(crate) struct Sure {
    round: u32,
    alternatives: Vec<u32>,
    nodes: Vec<u32>,
    unsure: Vec<(u32, u32)>,
}

impl Sure {
    pub(crate) fn new(graph: &Graph<'_>) -> Self {
        let nodes = graph.nodes() as usize;
        Self {
            round: 0,
            alternatives: vec![0; graph.alternatives.len()],
            nodes: vec![0; nodes],
            unsure: vec![(0, 0); nodes],
        }
    }

    /// Looks from where these are surely come to.
    pub(crate) fn look(&mut self, graph: &Graph<'_>, deliveries: &[Delivery]) {
        self.round += 1;
        let mut queue = Vec::new();
        for delivery in deliveries {
            self.settle(graph, delivery.alternative, &mut queue);
        }
        while let Some(node) = queue.pop() {
            for leading in graph.leading_to(node) {
                self.settle(graph, *leading, &mut queue);
            }
        }
    }

    fn settle(&mut self, graph: &Graph<'_>, alternative: u32, queue: &mut Vec<u32>) {
        if self.has_alternative(alternative) {
            return;
        }
        self.alternatives[alternative as usize] = self.round;
        let node = graph.alternative(alternative).node;
        let (round, unsure) = &mut self.unsure[node as usize];
        if *round != self.round {
            (*round, *unsure) = (self.round, graph.alternatives_of(node).len() as u32);
        }
        *unsure -= 1;
        if *unsure == 0 {
            self.nodes[node as usize] = self.round;
            queue.push(node);
        }
    }

    fn has_alternative(&self, alternative: u32) -> bool {
        self.alternatives[alternative as usize] == self.round
    }

    /// Does the person get what is here in every combination?
    pub(crate) fn has(&self, node: u32) -> bool {
        self.nodes[node as usize] == self.round
    }

    /// A way from here on which the person gets nothing, as far as it could have led to them.
    pub(crate) fn way_that_fails(&self, graph: &Graph<'_>, reach: &Reach, node: u32, at_most: usize) -> Vec<u32> {
        let mut way = Vec::new();
        let mut next = Some(node);
        while let Some(node) = next {
            let failing = graph.alternatives_of(node).find(|alternative| !self.has_alternative(*alternative));
            let Some(alternative) = failing else { break };
            let was_here = way.contains(&alternative);
            way.push(alternative);
            if was_here || way.len() >= at_most {
                break;
            }
            let children = graph.children(alternative);
            next = match children {
                [only] => Some(*only),
                _ => children.iter().copied().find(|child| reach.reaches_from(*child)),
            };
        }
        way
    }
}
