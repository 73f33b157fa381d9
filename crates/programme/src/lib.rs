//! The programme of a migration: what each stage needs, who owns which task, which evidence closes it, and which gate
//! stands before what.
//!
//! All of it is data of a profile ([`Programme`], R-001, R-250): this crate knows stages, tasks, evidence, gates, roles
//! and deadlines, and not one word of any platform. It is pure: what happened stands in a record, the day and the facts
//! that the system knows are passed in, and what comes out is a decision with its reasons.

mod data;
mod names;
mod read;
mod shipped;
mod validate;

pub use data::*;
pub use names::*;
pub use read::{Mistake, Mistakes, Source};
