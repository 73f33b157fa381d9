//! Histories that once failed, each with its name and the kind that it is played as.

/// A history that once failed.
pub struct Kept {
    /// What it shows.
    pub name: &'static str,
    /// The kind of histories it is of.
    pub family: &'static str,
    /// Its steps.
    pub steps: &'static str,
}

/// All of them.
pub const KEPT: &[Kept] = &[];
