//! Circles: one of each knot of places that lead to each other, found in linear time (Tarjan's strongly connected
//! components, without recursion, since a chain of aliases may be as long as a directory).

use std::collections::{HashMap, VecDeque};

use crate::graph::{Graph, NONE};

/// A place on a circle, and the alternative that goes on along it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OnCircle {
    pub(crate) node: u32,
    pub(crate) alternative: u32,
}

/// One circle of each component that has one, each as its places in order.
///
/// Whoever can come to any circle of a component can come to that one: so it stands for all of them.
pub(crate) fn circles(graph: &Graph<'_>) -> Vec<Vec<OnCircle>> {
    let components = components(graph);
    let mut lowest: HashMap<u32, (u32, u32)> = HashMap::new();
    for node in 0..graph.nodes() {
        let entry = lowest.entry(components[node as usize]).or_insert((node, 0));
        entry.1 += 1;
    }
    let mut starts: Vec<(u32, u32)> = lowest.into_values().collect();
    starts.sort_unstable();
    let goes_round = |(node, size): &(u32, u32)| *size > 1 || graph.all_children(*node).contains(node);
    starts.into_iter().filter(goes_round).map(|(node, _)| shortest(graph, &components, node)).collect()
}

/// The component of each node.
fn components(graph: &Graph<'_>) -> Vec<u32> {
    let nodes = graph.nodes() as usize;
    let (mut index, mut low, mut component) = (vec![NONE; nodes], vec![NONE; nodes], vec![NONE; nodes]);
    let mut open: Vec<u32> = Vec::new();
    let mut way: Vec<(u32, usize)> = Vec::new();
    let mut count = 0;
    for start in 0..graph.nodes() {
        if index[start as usize] != NONE {
            continue;
        }
        way.push((start, 0));
        while let Some((node, next)) = way.last_mut() {
            let (node, at) = (*node, *node as usize);
            if *next == 0 {
                (index[at], low[at]) = (count, count);
                count += 1;
                open.push(node);
            }
            let child = graph.all_children(node).get(*next).copied();
            *next += 1;
            match child {
                Some(child) if index[child as usize] == NONE => way.push((child, 0)),
                Some(child) if component[child as usize] == NONE => low[at] = low[at].min(index[child as usize]),
                Some(_) => {}
                None => {
                    way.pop();
                    if let Some((before, _)) = way.last() {
                        let before = *before as usize;
                        low[before] = low[before].min(low[at]);
                    }
                    if low[at] == index[at] {
                        while let Some(member) = open.pop() {
                            component[member as usize] = node;
                            if member == node {
                                break;
                            }
                        }
                    }
                }
            }
        }
    }
    component
}

/// The shortest way from a node back to itself within its component.
fn shortest(graph: &Graph<'_>, components: &[u32], start: u32) -> Vec<OnCircle> {
    let mut came_from: HashMap<u32, u32> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for alternative in graph.alternatives_of(node) {
            for child in graph.children(alternative) {
                if components[*child as usize] != components[start as usize] || came_from.contains_key(child) {
                    continue;
                }
                came_from.insert(*child, alternative);
                if *child == start {
                    return back(graph, &came_from, start);
                }
                queue.push_back(*child);
            }
        }
    }
    Vec::new()
}

fn back(graph: &Graph<'_>, came_from: &HashMap<u32, u32>, start: u32) -> Vec<OnCircle> {
    let mut circle = Vec::new();
    let mut node = start;
    loop {
        let alternative = came_from[&node];
        node = graph.alternative(alternative).node;
        circle.push(OnCircle { node, alternative });
        if node == start {
            circle.reverse();
            return circle;
        }
    }
}
