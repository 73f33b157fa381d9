//! The tree: a Merkle tree as in RFC 6962 section 2.1, over lines of the file. The whole is never held: a tree of n lines
//! takes the memory of log n hashes, and so does the path of one of them.

use model::Digest;
use ring::digest::{Context, SHA256};

/// What is put before a line when it is hashed, and before two hashes. No line can be taken for two hashes.
const LEAF: u8 = 0;
const NODE: u8 = 1;

/// The hash of a line, without its line end.
pub fn leaf(line: &[u8]) -> Digest {
    hash(&[&[LEAF], line])
}

fn node(left: &Digest, right: &Digest) -> Digest {
    hash(&[&[NODE], left.as_bytes(), right.as_bytes()])
}

fn hash(parts: &[&[u8]]) -> Digest {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let Some(digest) = Digest::from_bytes(context.finish().as_ref()) else { unreachable!("a SHA-256 has 32 bytes") };
    digest
}

/// A whole tree over the lines so far, of a size that is a power of two.
#[derive(Clone, Copy, Debug)]
struct Whole {
    root: Digest,
    height: u32,
    /// Is the line in it whose path is kept?
    is_marked: bool,
}

/// A tree that grows line by line.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Each smaller than the one before it.
    wholes: Vec<Whole>,
    size: u64,
    marked: Option<u64>,
    hashes: Vec<Digest>,
}

/// Where a line stands in a tree, and the hashes that lead from it to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// How many lines stand before it.
    pub index: u64,
    /// How many lines the tree has.
    pub size: u64,
    /// The hashes of the neighbours, from the line up.
    pub hashes: Vec<Digest>,
}

impl Tree {
    /// Adds the hash of a line.
    pub fn push(&mut self, leaf: Digest) {
        self.add(leaf, false);
    }

    /// Adds the hash of the line whose path is to be kept. One line a tree.
    pub fn push_marked(&mut self, leaf: Digest) {
        assert!(self.marked.is_none(), "one line's path is kept");
        self.marked = Some(self.size);
        self.add(leaf, true);
    }

    /// How many lines it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Was a line's path kept?
    pub fn is_marked(&self) -> bool {
        self.marked.is_some()
    }

    /// The root, and the path of the line that was marked, if one was. Without lines the root is the hash of nothing.
    pub fn finish(mut self) -> (Digest, Option<Path>) {
        while self.wholes.len() > 1 {
            self.join();
        }
        let root = self.wholes.first().map_or_else(|| hash(&[]), |whole| whole.root);
        let (size, hashes) = (self.size, self.hashes);
        (root, self.marked.map(|index| Path { index, size, hashes }))
    }

    fn add(&mut self, root: Digest, is_marked: bool) {
        self.wholes.push(Whole { root, height: 0, is_marked });
        self.size += 1;
        while let [.., left, right] = self.wholes[..]
            && left.height == right.height
        {
            self.join();
        }
    }

    /// Makes one of the last two.
    fn join(&mut self) {
        let (Some(right), Some(left)) = (self.wholes.pop(), self.wholes.pop()) else { return };
        if left.is_marked {
            self.hashes.push(right.root);
        } else if right.is_marked {
            self.hashes.push(left.root);
        }
        let (root, height) = (node(&left.root, &right.root), left.height + 1);
        self.wholes.push(Whole { root, height, is_marked: left.is_marked || right.is_marked });
    }
}

impl Path {
    /// The root of the tree in which a line with this hash stands here (RFC 9162 section 2.1.3.2); none where that can't be.
    pub fn root(&self, leaf: Digest) -> Option<Digest> {
        if self.index >= self.size {
            return None;
        }
        let (mut index, mut last, mut root) = (self.index, self.size - 1, leaf);
        for hash in &self.hashes {
            if last == 0 {
                return None;
            }
            if index & 1 == 1 || index == last {
                root = node(hash, &root);
                while index & 1 == 0 && index != 0 {
                    index >>= 1;
                    last >>= 1;
                }
            } else {
                root = node(&root, hash);
            }
            index >>= 1;
            last >>= 1;
        }
        (last == 0).then_some(root)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leaves(size: u64) -> Vec<Digest> {
        (0..size).map(|number| leaf(format!("line {number}").as_bytes())).collect()
    }

    /// The definition itself: the hash of the list, split at the largest power of two below its length.
    fn root_by_definition(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => hash(&[]),
            [one] => *one,
            many => {
                let (left, right) = many.split_at(many.len().next_power_of_two() / 2);
                node(&root_by_definition(left), &root_by_definition(right))
            }
        }
    }

    fn path_by_definition(leaves: &[Digest], index: usize) -> Vec<Digest> {
        if leaves.len() < 2 {
            return Vec::new();
        }
        let middle = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(middle);
        let (mut path, other) = if index < middle {
            (path_by_definition(left, index), right)
        } else {
            (path_by_definition(right, index - middle), left)
        };
        path.push(root_by_definition(other));
        path
    }

    fn grown(leaves: &[Digest], marked: Option<usize>) -> (Digest, Option<Path>) {
        let mut tree = Tree::default();
        for (place, leaf) in leaves.iter().enumerate() {
            if Some(place) == marked { tree.push_marked(*leaf) } else { tree.push(*leaf) }
        }
        tree.finish()
    }

    #[test]
    fn every_line_of_every_small_tree_is_proved_and_at_no_other_place() {
        for size in 0..=70_u64 {
            let leaves = leaves(size);
            let root = root_by_definition(&leaves);
            assert_eq!(grown(&leaves, None), (root, None), "{size}");
            for (index, leaf) in leaves.iter().enumerate() {
                let (grown_root, path) = grown(&leaves, Some(index));
                let path = path.expect("a line was marked");
                assert_eq!(
                    (grown_root, &path.hashes),
                    (root, &path_by_definition(&leaves, index)),
                    "{index} of {size}"
                );
                assert_eq!(path.root(*leaf), Some(root), "{index} of {size}");
                for other in 0..=size {
                    let elsewhere = Path { index: other, ..path.clone() };
                    let is_proved = elsewhere.root(*leaf) == Some(root);
                    assert_eq!(is_proved, other == index as u64, "{index} of {size}, said to be {other}");
                }
            }
        }
    }

    #[test]
    fn the_roots_are_those_of_rfc_6962() {
        // The tree of seven lines in section 2.1.3.
        let leaves = leaves(7);
        let pairs: Vec<Digest> = leaves[..6].chunks(2).map(|two| node(&two[0], &two[1])).collect();
        let (left, right) = (node(&pairs[0], &pairs[1]), node(&pairs[2], &leaves[6]));
        assert_eq!(grown(&leaves, None).0, node(&left, &right));
        assert_eq!(grown(&leaves, Some(3)).1.map(|path| path.hashes), Some(vec![leaves[2], pairs[0], right]));
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(grown(&[], None).0.to_string(), nothing);
    }

    proptest! {
        #[test]
        fn a_path_that_was_changed_in_anything_proves_nothing(
            size in 1..200_u64, at in any::<proptest::sample::Index>(), hash in any::<proptest::sample::Index>(), what in 0..5,
        ) {
            let leaves = leaves(size);
            let index = at.index(leaves.len());
            let (root, path) = grown(&leaves, Some(index));
            let mut path = path.expect("a line was marked");
            prop_assert_eq!(path.root(leaves[index]), Some(root));
            let mut leaf = leaves[index];
            let len = path.hashes.len();
            match what {
                0 => leaf = super::leaf(b"another"),
                1 if len > 0 => { path.hashes.remove(hash.index(len)); }
                2 if len > 0 => path.hashes[hash.index(len)] = super::leaf(b"another"),
                3 if len > 1 => path.hashes.swap(0, 1),
                _ => path.hashes.push(super::leaf(b"another")),
            }
            prop_assert_ne!(path.root(leaf), Some(root));
        }

        #[test]
        fn a_tree_holds_few_hashes(size in 0..5_000_u64) {
            let mut tree = Tree::default();
            for leaf in leaves(size) {
                tree.push(leaf);
            }
            prop_assert!(tree.wholes.len() <= 13);
        }
    }
}
