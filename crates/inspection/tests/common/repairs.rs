//! Repairs, and what must hold of each.

use inspection::{How, Limits, ReadAt, RepairRule, Repaired, Repairs, WhyNot, repair};
use model::{Examiner, ItemKind};

/// Every repair.
pub(crate) const ALL: Repairs = Repairs {
    nul: true,
    bare_cr: true,
    bare_lf: true,
    eight_bit_header: true,
    broken_header: true,
    line_bytes_max: Some(998),
};

pub(crate) fn all() -> Repairs {
    ALL
}

/// The repaired message.
pub(crate) fn repaired(message: &[u8], wanted: &Repairs) -> Vec<u8> {
    let mut written = Vec::new();
    match repair(&message, wanted, &Limits::default()).unwrap() {
        Some(found) => found.write(&message, &mut written).unwrap(),
        None => written.extend_from_slice(message),
    }
    written
}

/// Repairs a message, and checks what must hold of every one.
pub(crate) fn check(message: &[u8], wanted: &Repairs) -> Option<Repaired> {
    let shown = || String::from_utf8_lossy(&message[..message.len().min(2_000)]).into_owned();
    let found = repair(&message, wanted, &Limits::default()).unwrap();
    let written = repaired(message, wanted);
    let failed: Vec<RepairRule> =
        found.iter().flat_map(|found| found.impossible.iter().map(|impossible| impossible.rule)).collect();
    let is_left = |rule: RepairRule| failed.contains(&rule);
    match &found {
        None => assert_eq!(written, message),
        Some(found) => {
            assert_eq!(found.size_bytes, written.len() as u64, "{}", shown());
            assert!(!found.done.is_empty() || written == message, "{}", shown());
            assert!(!found.done.is_empty() || !found.impossible.is_empty());
            let size = message.len() as u64;
            assert!(found.done.iter().all(|done| done.first_byte <= size && done.count > 0 && !is_left(done.rule)));
        }
    }
    let again = repair(&written.as_slice(), wanted, &Limits::default()).unwrap();
    // What is impossible is left out, and so may be read otherwise when the rest is repaired.
    assert!(
        again.as_ref().is_none_or(Repaired::is_unchanged) || !failed.is_empty(),
        "repaired twice: {again:?}\n{}\n{}",
        shown(),
        String::from_utf8_lossy(&written)
    );
    let after = Examiner::examine(ItemKind::Message, &written);
    for (is_wanted, rule, is_there) in [
        (wanted.nul, RepairRule::Nul, after.nul),
        (wanted.bare_cr, RepairRule::BareCr, after.bare_cr),
        (wanted.bare_lf, RepairRule::LineEnds, after.bare_lf),
        (wanted.eight_bit_header, RepairRule::EightBitHeader, after.eight_bit_header),
        (wanted.broken_header, RepairRule::BrokenHeader, after.broken_header),
    ] {
        assert!(
            !is_wanted || !is_there || is_left(rule),
            "{rule:?}: {}\n{}",
            shown(),
            String::from_utf8_lossy(&written)
        );
    }
    if let Some(max) = wanted.line_bytes_max.filter(|_| !is_left(RepairRule::LongLine)) {
        let lines = written.split(|byte| matches!(byte, b'\n' | b'\r'));
        let longest = lines.map(<[u8]>::len).max().unwrap_or(0);
        assert!(longest <= max as usize, "{longest}: {}", shown());
    }
    found
}

/// What was done, by rule and way.
pub(crate) fn how<'a>(found: impl Into<Option<&'a Repaired>>) -> Vec<(RepairRule, How)> {
    found.into().iter().flat_map(|found| found.done.iter().map(|done| (done.rule, done.how))).collect()
}

/// What is impossible, and why.
pub(crate) fn impossible<'a>(found: impl Into<Option<&'a Repaired>>) -> Vec<(RepairRule, WhyNot)> {
    found.into().iter().flat_map(|found| found.impossible.iter().map(|one| (one.rule, one.why))).collect()
}

/// Repairs a message of any size; tells how many bytes are written.
pub(crate) fn written_bytes(message: &dyn ReadAt, wanted: &Repairs) -> (Option<Repaired>, u64) {
    struct Count(u64);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    let found = repair(message, wanted, &Limits::default()).unwrap();
    if let Some(found) = &found {
        found.write(message, &mut count).unwrap();
    }
    (found, count.0)
}
