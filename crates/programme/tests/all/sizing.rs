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

/// of a project it is reckoned from its questionnaire, and says how.
#[test]
fn a_project_is_advised_from_its_questionnaire() {
    let programme = programme::Programme::shipped("nhsmail", "current").unwrap().unwrap();
    let mut record = programme::Record::default();
    let unknown = |record: &programme::Record| programme::advice(&programme, record, None, Some(7)).unwrap_err();
    assert_eq!(unknown(&record), ["discovery.mailboxes"]);
    let at = jiff::Timestamp::UNIX_EPOCH;
    for (seq, (field, value)) in [("mailboxes", "2501"), ("gigabytes", "5000")].into_iter().enumerate() {
        let answered =
            programme::Change::Answered { form: "discovery".into(), field: field.into(), value: value.into() };
        record.after(&answered, seq as u64 + 1, at, "kim");
    }
    let advice = programme::advice(&programme, &record, None, None).unwrap();
    assert_eq!((advice.mailboxes, advice.gigabytes, advice.needs), (2_501, 5_000, sizing(2_501, 5_000)));
    assert_eq!(advice.formula.len(), 4, "hosts, cores, memory, disk");
    assert!(advice.formula[0].contains("10000") && advice.formula[3].contains("50 GB"), "{:?}", advice.formula);
    let other = programme::advice(&programme, &record, Some(10_001), None).unwrap();
    assert_eq!(other.needs, sizing(10_001, 5_000), "what is said here counts before it");
}
