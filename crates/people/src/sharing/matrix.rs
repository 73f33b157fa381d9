//! The matrix: which account may do what with which mailbox, before and after.

use std::collections::BTreeMap;

use model::Letters;

/// What a right is to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A folder.
    Folder(Vec<String>),
    /// The whole mailbox, or what only a directory gives; by the right's name.
    Whole(&'static str),
}

/// A cell of the matrix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The mailbox, by its name on the platform.
    pub mailbox: String,
    /// Who, by their name there.
    pub grantee: String,
    /// What.
    pub what: What,
}

/// Where two matrices differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Which cell.
    pub cell: Cell,
    /// What only the one has; for what has no letters, all letters.
    pub letters: Letters,
}

/// Who may do what. Names are compared without the case of letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matrix(BTreeMap<Cell, (Cell, Letters)>);

impl Matrix {
    /// With this right.
    pub fn add(&mut self, cell: Cell, letters: Letters) {
        let key = Cell {
            mailbox: cell.mailbox.to_lowercase(),
            grantee: cell.grantee.to_lowercase(),
            what: cell.what.clone(),
        };
        let (_, all) = self.0.entry(key).or_insert((cell, Letters::NONE));
        *all = all.and(letters);
    }

    /// How many cells have a right.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Has nobody any right?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What this has and the other has not.
    pub fn beyond(&self, other: &Self) -> Vec<Gap> {
        let gaps = self.0.iter().filter_map(|(key, (cell, letters))| {
            let there = other.0.get(key).map_or(Letters::NONE, |(_, there)| *there);
            let letters = letters.without(there);
            (!letters.is_empty()).then(|| Gap { cell: cell.clone(), letters })
        });
        gaps.collect()
    }
}
