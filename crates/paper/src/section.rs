//! Sections that several documents have.

mod pilot;
pub(crate) mod project;
pub(crate) mod register;
pub(crate) mod signing;
pub(crate) mod work;
