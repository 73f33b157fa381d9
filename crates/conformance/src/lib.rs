//! The kit that the tests share. Nothing of it is in the product.
//!
//! * [`suite`]: what every connector must do, one test a behaviour.
//! * [`world`]: an organisation on two in-memory platforms, with the engine between them.
//! * [`stop`]: runs a scenario, counts its effects, then runs it again stopping after each of them.
//! * [`remote`]: the in-memory platform served over a socket, so that it outlives whoever is stopped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr, reason = "test code")]

pub mod remote;
pub mod stop;
pub mod suite;
pub mod world;
