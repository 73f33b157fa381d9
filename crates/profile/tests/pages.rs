//! The pages of `docs/profiles` are what the profiles say; another profile needs no change of the code.
#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

use std::path::Path;

use inspection::{Limits, Verdict, inspect};
use profile::{Profile, Settings, page};

#[test]
fn pages_are_what_the_profiles_say() {
    for name in ["plain", "nhsmail"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/profiles/{name}.md"));
        let expected = page(name).unwrap();
        if std::env::var_os("WHIMBREL_WRITE_PAGES").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &expected).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == expected, "docs/profiles/{name}.md is old: run this test with WHIMBREL_WRITE_PAGES=1");
    }
    assert!(page("none").is_err());
}

/// An invented platform (R-001).
const INVENTED: &str = r#"
[profile]
name = "lighthouse"
edition = "1999"
version = 7
title = "Lighthouse Mail"
sources = ["nobody"]

[policy]
item_bytes_max = 5000
quota_bytes = 100
banned_attachment = "skip"
signed_mail = "replace"
attachment_note = "Gone with the tide."
banned_extensions = ["lamp"]
banned_types = ["image/*"]
repair_nul = "make"
repair_bare_cr = "fail"
repair_line_ends = "make"
repair_eight_bit_header = "fail"
repair_broken_header = "make"
repair_date = "make"
line_bytes_max = 998
deleted_items = "leave"
marked_deleted = "leave"
failures_per_million_expected = 0
failures_per_million_alert = 1
deletion_settle_hours = 1
removals_free = 1
removals_max = 1
removals_share_max = 1
removals_a_day_max = 1
adopted = "follow"
"#;

#[test]
fn an_invented_profile_works_like_any_other() {
    let profile = Profile::parse(INVENTED, "lighthouse").unwrap();
    let policy = profile.policy(&Settings::default()).unwrap();
    assert_eq!((policy.profile.as_str(), policy.profile_version), ("lighthouse", 7));
    assert_eq!((policy.repairs.nul, policy.repairs.bare_cr, policy.repairs.line_bytes_max), (true, false, Some(998)));
    assert!(!policy.deleted_items && !policy.marked_deleted && policy.following.adopted_follow);
    let verdict = |message: &str| {
        let found = inspect(&message.as_bytes(), &policy.inspection, &Limits::default()).unwrap();
        found.verdict(&policy.inspection)
    };
    assert_eq!(verdict("Content-Type: a/b; name=x.lamp\n\nx\n"), Verdict::Skip);
    assert_eq!(verdict("Content-Type: image/png\n\nx\n"), Verdict::Skip);
    assert_eq!(verdict("Content-Type: a/b; name=x.exe\n\nx\n"), Verdict::Travels);
}

#[test]
fn settings_are_read_back_as_they_were_written() {
    for name in Profile::names() {
        let settings = Profile::shipped(&name).unwrap().policy;
        for rule in settings.rules() {
            assert!(rule.sentence.ends_with('.') && !rule.id.contains('_'), "{rule:?}");
        }
        assert_eq!(Settings::default().over(&settings), settings);
        assert_eq!(settings.over(&Settings::default()), settings);
    }
}
