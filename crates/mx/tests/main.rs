//! Tests through the public interface: one program, so that it is linked once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by what goes wrong in it")]

mod clocks;
mod dns;
mod hostile;
mod plan;
mod records;
mod standing;
