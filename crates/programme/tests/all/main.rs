//! The programmes that come with the program, an invented one, and what the reader says of mistakes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by what goes wrong in it")]

mod agree;
mod appraisal;
mod catalogue;
mod desk;
mod document;
mod heron;
mod mistakes;
mod pages;
mod sizing;
mod tables;
