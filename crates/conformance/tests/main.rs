//! Tests through the public interface: one program, so that it is linked once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by what goes wrong in it")]

mod carry_back;
mod directory_suite;
mod faults;
mod imap_server;
mod memory_suite;
mod proxy;
mod stop_everywhere;
