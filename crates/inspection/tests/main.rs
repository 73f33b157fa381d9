//! Tests through the public interface: one program, so that it is linked once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by what goes wrong in it")]

mod common;
mod corpus;
mod hostile;
mod random;
mod repairs;
mod repairs_corpus;
mod tricks;
