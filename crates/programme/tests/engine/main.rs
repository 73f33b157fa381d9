//! The engine of a governed project, on an invented programme and on those that ship: gates, approvals, live actions,
//! and random sequences of actions against what must never happen.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that can't go on says so by stopping")]

mod approvals;
mod changes;
mod deadlines;
mod decisions;
mod driver;
mod gates;
mod live;
mod pilot;
mod random;
mod readiness;
mod registers;
mod shipped;
mod world;
