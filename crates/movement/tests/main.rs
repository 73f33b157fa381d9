//! Tests through the public interface: one program, so that it is linked once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by what goes wrong in it")]

mod carry_back;
mod dates;
mod first_copy;
mod following;
mod forecast;
mod frozen;
mod hazards;
mod histories;
mod in_between;
mod leftovers;
mod merged;
mod policy;
mod quota;
mod review;
mod round_trips;
mod verify;
