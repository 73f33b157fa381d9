//! The advice on machines grows with what is to be migrated.

use programme::sizing::TOOL_ROLES;
use programme::{Sizing, sizing};
use proptest::prelude::*;

#[test]
fn the_formula_gives_these() {
    for (mailboxes, gigabytes, hosts, cores, memory_gigabytes, disk_gigabytes) in [
        (0, 0, 1, 2, 4, 40),
        (1, 1, 1, 3, 5, 42),
        (900, 1_000, 1, 3, 5, 69),
        (2_500, 5_000, 1, 3, 5, 165),
        (2_501, 5_000, 1, 4, 6, 166),
        (10_000, 20_000, 1, 6, 8, 540),
        (10_001, 20_000, 2, 9, 13, 581),
        (65_000, 130_000, 7, 40, 54, 3_530),
    ] {
        let expected = Sizing { hosts, cores, memory_gigabytes, disk_gigabytes };
        assert_eq!(sizing(mailboxes, gigabytes), expected, "{mailboxes} mailboxes, {gigabytes} GB");
    }
    assert!(sizing(u64::MAX, u64::MAX) > sizing(u64::MAX / 2, u64::MAX / 2), "no overflow");
    assert_eq!(TOOL_ROLES.map(|(role, _)| role), ["database", "service", "worker"]);
}

proptest! {
    #[test]
    fn more_mail_never_needs_less(mailboxes: u64, more: u64, gigabytes: u64, more_gigabytes: u64) {
        let small = sizing(mailboxes, gigabytes);
        let large = sizing(mailboxes.saturating_add(more), gigabytes.saturating_add(more_gigabytes));
        prop_assert!(small.hosts <= large.hosts && small.cores <= large.cores);
        prop_assert!(small.memory_gigabytes <= large.memory_gigabytes && small.disk_gigabytes <= large.disk_gigabytes);
        prop_assert!(small.cores >= small.hosts && small.memory_gigabytes >= small.hosts);
    }
}
