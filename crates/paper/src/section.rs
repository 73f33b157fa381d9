//! Sections that several documents have.

mod desk;
mod pilot;
pub(crate) mod project;
pub(crate) mod register;
pub(crate) mod signing;
pub(crate) mod work;
