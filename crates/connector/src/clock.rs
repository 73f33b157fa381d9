//! Time, passed in.

use std::time::Duration;

/// What time it is. Passed to whoever needs it, so that tests set it.
pub trait Clock: Send + Sync {
    /// Time since the machine started, time asleep included: for leases. Never goes back.
    fn since_boot(&self) -> Duration;

    /// Seconds since 1970-01-01T00:00:00Z, for people.
    fn unix_seconds(&self) -> i64;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn since_boot(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
    }

    fn unix_seconds(&self) -> i64 {
        rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec
    }
}
