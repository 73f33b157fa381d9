//! Documents in every form: the same bytes each time, nothing lost, whatever stands in them. What other programs read out of them
//! is tested with those programs, in `tests` at the top.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by what goes wrong in it")]

mod forms;
mod hostile;
mod opened;
mod sample;
