//! From where something can be met: spread backwards from where it is, once for each kind of fault, in linear time.

use std::collections::VecDeque;

use crate::graph::{Graph, NONE};

/// How one goes on towards something, from each place that can come to it, the shortest way.
pub(crate) struct Spread {
    /// The alternative to take; [`NONE`] where it can't be met.
    alternatives: Vec<u32>,
    /// Where that leads; [`NONE`] where the alternative itself is what was looked for.
    children: Vec<u32>,
}

impl Spread {
    /// From these alternatives backwards.
    pub(crate) fn from(graph: &Graph<'_>, targets: impl IntoIterator<Item = u32>) -> Self {
        let mut spread =
            Self { alternatives: vec![NONE; graph.nodes() as usize], children: vec![NONE; graph.nodes() as usize] };
        let mut queue = VecDeque::new();
        for target in targets {
            let node = graph.alternative(target).node;
            if spread.alternatives[node as usize] == NONE {
                spread.alternatives[node as usize] = target;
                queue.push_back(node);
            }
        }
        while let Some(node) = queue.pop_front() {
            for leading in graph.leading_to(node) {
                let before = graph.alternative(*leading).node;
                if spread.alternatives[before as usize] == NONE {
                    spread.alternatives[before as usize] = *leading;
                    spread.children[before as usize] = node;
                    queue.push_back(before);
                }
            }
        }
        spread
    }

    /// Can it be met from here?
    pub(crate) fn reaches_from(&self, node: u32) -> bool {
        self.alternatives[node as usize] != NONE
    }

    /// The alternatives on the way from here to it, that with it last.
    pub(crate) fn way_from(&self, node: u32) -> impl Iterator<Item = u32> {
        let mut node = node;
        std::iter::from_fn(move || {
            if node == NONE {
                return None;
            }
            let alternative = self.alternatives[node as usize];
            node = self.children[node as usize];
            (alternative != NONE).then_some(alternative)
        })
    }
}
