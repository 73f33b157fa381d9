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

/// One circle of each component that has one, each as its places in order. A circle goes through something that sends a message
/// on: what a site resolves in one go, it resolves once, and goes round in nothing (Postfix expands each alias once for a
/// message, Exchange each list).
///
/// Whoever can come to any circle of a component can come to that one: so it stands for all of them.
pub(crate) fn circles(graph: &Graph<'_>) -> Vec<Vec<OnCircle>> {
    let components = components(graph);
    let mut is_known = vec![false; graph.nodes() as usize];
    let mut circles = Vec::new();
    for (number, alternative) in graph.alternatives.iter().enumerate() {
        let component = components[alternative.node as usize];
        if alternative.expands || is_known[component as usize] {
            continue;
        }
        let number = number as u32;
        let inside = graph.children(number).iter().find(|child| components[**child as usize] == component);
        if let Some(child) = inside {
            is_known[component as usize] = true;
            let first = OnCircle { node: alternative.node, alternative: number };
            circles.push(circle(graph, &components, first, *child));
        }
    }
    circles
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

/// The circle that begins so and comes from this child back the shortest way.
fn circle(graph: &Graph<'_>, components: &[u32], first: OnCircle, child: u32) -> Vec<OnCircle> {
    let mut circle = vec![first];
    if child == first.node {
        return circle;
    }
    // Backwards from the end, so that the ways come out forwards.
    let mut goes_on: HashMap<u32, (u32, u32)> = HashMap::new();
    let mut queue = VecDeque::from([first.node]);
    while let Some(node) = queue.pop_front() {
        if node == child {
            break;
        }
        for leading in graph.leading_to(node) {
            let before = graph.alternative(*leading).node;
            let is_new = before != first.node && components[before as usize] == components[node as usize];
            if is_new && !goes_on.contains_key(&before) {
                goes_on.insert(before, (*leading, node));
                queue.push_back(before);
            }
        }
    }
    let mut node = child;
    while let Some((alternative, next)) = goes_on.get(&node) {
        circle.push(OnCircle { node, alternative: *alternative });
        node = *next;
    }
    circle
}
