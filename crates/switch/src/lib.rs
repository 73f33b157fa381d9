//! The switch: turns a person over to the target, and back if need be (R-005, R-180 to R-184).
//!
//! ```text
//! rules ──► due? ──► task by task: begun on record ──► done ──► read back ──► next
//!  pure      pure                                                             pure
//! ```
//!
//! A switch is a saga: each [`Task`] is on record before it is begun, and what is done is read back before it counts as done. Up to the
//! [point of no return](Task::is_past_return) a task that can't be done is reversed, with all that were begun before it, in
//! reverse order; from there on the switch only goes forward. [`next`] is that rule, and knows no server.
//!
//! What is done for each task is not here: routers, the engine and the database do it. Neither is how mail is copied.

mod addresses;
mod due;
mod rule;
mod standing;
mod task;

pub use addresses::{OldAddress, old_addresses, with_addresses, without_addresses};
pub use due::{Due, Plan, due};
pub use rule::{Rule, Verdict};
pub use standing::{Ended, Limits, Next, Standing, next};
pub use task::{Task, Way};
