//! Holding a mailbox: the lease, the door that closes when it ends, and who is dead.
//!
//! A worker counts its lease from *before* the renewal was sent, on the clock that runs while the machine sleeps, so it
//! always believes it to end earlier than the database does. The door asks right before each effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use connector::{Clock, Door, Effect, Error};
use model::{Cause, Scope};
use store::{Lease, LeaseTerms, Store, Watch};
use tokio::task::JoinHandle;

/// A moment around an effect, for tests that stop or freeze a worker there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// The lease is about to be checked.
    BeforeCheck,
    /// The lease was checked; the effect is about to happen.
    AfterCheck,
    /// The effect has happened; nothing was heard of it yet.
    AfterEffect,
}

/// Sees every effect of the engine. In the product nobody looks.
pub trait Probe: Send + Sync {
    /// This moment of this effect is now.
    fn at(&self, moment: Moment, effect: Effect);
}

/// Looks at nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProbe;

impl Probe for NoProbe {
    fn at(&self, _: Moment, _: Effect) {}
}

/// Tells a probe of the database's commits.
pub(crate) struct CommitWatch(pub(crate) Arc<dyn Probe>);

impl Watch for CommitWatch {
    fn before_commit(&self) -> Result<(), store::Error> {
        self.0.at(Moment::BeforeCheck, Effect::Commit);
        self.0.at(Moment::AfterCheck, Effect::Commit);
        Ok(())
    }

    fn after_commit(&self) {
        self.0.at(Moment::AfterEffect, Effect::Commit);
    }
}

/// The door of one hold: lets effects pass while the lease lasts.
pub(crate) struct LeaseDoor {
    clock: Arc<dyn Clock>,
    probe: Arc<dyn Probe>,
    /// When the lease ends, in nanoseconds since boot.
    ends: AtomicU64,
    is_lost: AtomicBool,
}

impl LeaseDoor {
    fn new(clock: Arc<dyn Clock>, probe: Arc<dyn Probe>, ends: Duration) -> Self {
        let ends = AtomicU64::new(ends.as_nanos() as u64);
        Self { clock, probe, ends, is_lost: AtomicBool::new(false) }
    }

    /// Has the lease ended?
    pub(crate) fn check(&self) -> Result<(), Error> {
        let now = self.clock.since_boot().as_nanos() as u64;
        if self.is_lost.load(Ordering::SeqCst) || now >= self.ends.load(Ordering::SeqCst) {
            let what = "this worker's lease on the mailbox has run out; nothing more was written";
            return Err(Error::new(Cause::LeaseLapsed, Scope::Mailbox, what));
        }
        Ok(())
    }
}

impl Door for LeaseDoor {
    fn before(&self, effect: Effect) -> Result<(), Error> {
        self.probe.at(Moment::BeforeCheck, effect);
        self.check()?;
        self.probe.at(Moment::AfterCheck, effect);
        Ok(())
    }

    fn after(&self, effect: Effect) {
        self.probe.at(Moment::AfterEffect, effect);
    }
}

/// Keeps a lease alive until dropped.
pub(crate) struct Keeper {
    pub(crate) door: Arc<LeaseDoor>,
    renewals: JoinHandle<()>,
}

impl Keeper {
    /// Keeps this lease, which was asked for at `asked` (since boot).
    pub(crate) fn new(
        store: Store,
        lease: Lease,
        terms: LeaseTerms,
        clock: Arc<dyn Clock>,
        probe: Arc<dyn Probe>,
        asked: Duration,
    ) -> Self {
        let lasts = Duration::from_millis(terms.lasts_ms.unsigned_abs());
        let door = Arc::new(LeaseDoor::new(clock.clone(), probe, asked + lasts));
        let renewals = tokio::spawn({
            let door = door.clone();
            async move {
                loop {
                    tokio::time::sleep(lasts / 3).await;
                    let asked = clock.since_boot();
                    match store.renew(&lease, terms).await {
                        Ok(()) => door.ends.store((asked + lasts).as_nanos() as u64, Ordering::SeqCst),
                        Err(store::Error::Fenced) => {
                            door.is_lost.store(true, Ordering::SeqCst);
                            return;
                        }
                        // The database can't be reached: the lease goes on while it lasts, and no longer.
                        Err(error) => tracing::warn!(mailbox = lease.mailbox, %error, "cannot renew the lease"),
                    }
                }
            }
        });
        Self { door, renewals }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.renewals.abort();
    }
}

/// Who a process is, so that another process on the same machine can tell when it is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder(String);

impl Holder {
    /// This process, told apart from every other by a random text.
    pub fn this_process(random: &str) -> Self {
        let pid = std::process::id();
        let start = start_time(pid).unwrap_or_default();
        Self(format!("{}/{}/{pid}/{start}/{random}", boot_id(), pid_namespace()))
    }

    /// The name under which leases are held.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is the process of this name known to be dead? Only when it ran on this machine, since this boot, among the same
    /// processes.
    pub fn is_dead(name: &str) -> bool {
        let parts: Vec<&str> = name.split('/').collect();
        let [boot, namespace, pid, start, _] = parts[..] else { return false };
        let Ok(pid) = pid.parse() else { return false };
        boot == boot_id() && !boot.is_empty() && namespace == pid_namespace() && has_ended(pid, start)
    }
}

fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

fn pid_namespace() -> String {
    let link = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    link.to_string_lossy().replace('/', "")
}

/// Is the process that had this number and began then known to have ended? Where others' processes can't be looked at (`hidepid`)
/// that is known only once nobody has the number.
fn has_ended(pid: u32, began: &str) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(_) => start_time(pid).is_none_or(|now| now != began),
        Err(_) => {
            let number = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
            number.is_none_or(|number| rustix::process::test_kill_process(number) == Err(rustix::io::Errno::SRCH))
        }
    }
}

/// When a process started, in ticks since boot; none when there is no such process, or only its remains.
fn start_time(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (state != "Z" && state != "X").then(|| fields.nth(18).map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use super::*;

    #[derive(Default)]
    struct SetClock(AtomicI64);

    impl Clock for SetClock {
        fn since_boot(&self) -> Duration {
            Duration::from_secs(self.0.load(Ordering::SeqCst).unsigned_abs())
        }

        fn unix_seconds(&self) -> i64 {
            0
        }
    }

    #[test]
    fn the_door_closes_when_the_lease_ends() {
        let clock = Arc::new(SetClock::default());
        let door = LeaseDoor::new(clock.clone(), Arc::new(NoProbe), Duration::from_secs(10));
        assert!(door.before(Effect::Append).is_ok());
        clock.0.store(10, Ordering::SeqCst);
        assert_eq!(door.before(Effect::Append).unwrap_err().cause, Cause::LeaseLapsed);
    }

    #[test]
    fn a_process_that_lives_is_not_dead_and_one_that_ended_is() {
        let me = Holder::this_process("r");
        assert!(!Holder::is_dead(me.as_str()));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        let name = format!("{}/{}/{pid}/{}/r", boot_id(), pid_namespace(), start_time(pid).unwrap_or_default());
        child.wait().unwrap();
        assert!(Holder::is_dead(&name));
        assert!(!Holder::is_dead(&name.replacen(&boot_id(), "another boot", 1)), "another machine is not judged");
        assert!(!Holder::is_dead("nonsense"));
    }
}
