//! Messages that want to take all memory or all time, or to be read wrongly: each ends within its limits and says so.
#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

use std::time::{Duration, Instant};

use crate::common::{Endless, check, places, rules, strict, unseen, uuencode, with_file, zip, zip_with};
use inspection::{Inspection, Limits, ReadAt, Rules, Unseen, Verdict, inspect};

/// Far more than any of these takes, also on a busy machine and without optimisation.
const SECONDS_MAX: u64 = 60;
/// What an inspection may take, beside the message.
const MEMORY_BYTES_MAX: u64 = 12 << 20;

/// Inspects within the limits of time and memory.
fn within_bounds(message: &dyn ReadAt, rules: &Rules) -> Inspection {
    within_limits(message, rules, &Limits::default())
}

fn within_limits(message: &dyn ReadAt, rules: &Rules, limits: &Limits) -> Inspection {
    let (begun, before) = (Instant::now(), peak_bytes());
    let found = inspect(message, rules, limits).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(SECONDS_MAX), "{:?}", begun.elapsed());
    // Each test has a process of its own under nextest; elsewhere others add to it.
    if std::env::var_os("NEXTEST").is_some() {
        assert!(peak_bytes() - before < MEMORY_BYTES_MAX, "{} KiB more", (peak_bytes() - before) / 1024);
    }
    found
}

/// The most memory that this process has had.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) * 1024
}

#[test]
fn a_hundred_thousand_parts() {
    let mut message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_vec();
    for part in 0..100_000 {
        let name = if part == 5 { "a.exe" } else { "a.txt" };
        message.extend_from_slice(format!("--b\r\nContent-Type: a/b; name={name}\r\n\r\nx\r\n").as_bytes());
    }
    let found = within_bounds(&message.as_slice(), &rules());
    assert_eq!((places(&found), unseen(&found)), (vec!["6".to_owned()], vec![Unseen::TooManyParts]));
    assert_eq!(found.verdict(&rules()), Verdict::Replace);
    assert_eq!(within_bounds(&message.as_slice(), &strict()).verdict(&strict()), Verdict::Skip);
}

#[test]
fn a_thousand_deep() {
    let mut multiparts = String::new();
    let mut messages = String::new();
    for depth in 0..1_000 {
        multiparts.extend([
            "Content-Type: multipart/mixed; boundary=b",
            &depth.to_string(),
            "\r\n\r\n--b",
            &depth.to_string(),
            "\r\n",
        ]);
        messages.push_str("Content-Type: message/rfc822\r\n\r\n");
    }
    let end = "Content-Type: a/b; name=a.exe\r\n\r\nx\r\n";
    for message in [multiparts + end, messages + end] {
        let found = within_bounds(&message.as_bytes(), &rules());
        assert_eq!(unseen(&found), [Unseen::TooDeep]);
        assert_eq!(check(message.as_bytes(), &strict()).0.verdict(&strict()), Verdict::Skip);
    }
}

#[test]
fn nothing_but_boundaries() {
    let mut message = b"Content-Type: multipart/mixed; boundary=b\n\n".to_vec();
    for depth in 0..90 {
        message.extend_from_slice(
            format!("--b{depth}\nContent-Type: multipart/mixed; boundary=b{}\n\n", depth + 1).as_bytes(),
        );
    }
    message.extend_from_slice(&b"--\n----\n--b\n--bb\n--c\n--b--c\n".repeat(20_000));
    assert_eq!(unseen(&within_bounds(&message.as_slice(), &rules())), [Unseen::TooManyParts]);
}

#[test]
fn a_large_body_in_little_memory() {
    let begin = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: a/b; name=a.exe\r\n\
        Content-Transfer-Encoding: base64\r\n\r\n"
        .to_vec();
    let line = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n";
    let message = Endless { begin, size_bytes: 32 << 20, filler: line };
    let found = within_bounds(&message, &rules());
    assert_eq!(places(&found), ["1"]);
    assert!(found.findings[0].file.size_bytes.unwrap() > 20 << 20);
    // One line without end, in the header and in the body.
    for begin in ["Content-Type: a/b; name=", "\r\n"] {
        let message = Endless { begin: begin.as_bytes().to_vec(), size_bytes: 32 << 20, filler: &[b'a'; 4096] };
        let found = within_bounds(&message, &rules());
        assert_eq!(unseen(&found).len(), usize::from(begin != "\r\n"));
    }
}

#[test]
fn headers_without_end() {
    for line in [
        "Content-Type: a/b; name=a\n",
        "Content-Type:\n",
        "Content-Disposition: x; filename*0=a; filename*1=b\n",
        " ;\n",
    ] {
        let message = format!("Content-Type: text/plain\n{}", line.repeat(100_000));
        let found = within_bounds(&message.as_bytes(), &rules());
        assert!(unseen(&found).contains(&Unseen::LongHeader), "{line:?} {found:?}");
    }
    let names: String = (0..3_000).map(|n| format!(";name=a{n}")).collect();
    let message = format!("Content-Type: a/b{names}\n\nx\n");
    assert!(unseen(&within_bounds(&message.as_bytes(), &rules())).contains(&Unseen::Ambiguous));
}

#[test]
fn more_files_in_an_archive_than_are_looked_at() {
    let names: Vec<String> = (0..6_000).map(|n| format!("{n}.txt")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"x".as_slice())).collect();
    let message = with_file("a.zip", &zip(&files, false));
    assert_eq!(unseen(&within_bounds(&message.as_slice(), &rules())), [Unseen::LargeArchive]);
}

#[test]
fn one_file_that_an_archive_lists_a_thousand_times() {
    let zeros = zip(&[("a.txt", &vec![0; 4 << 20])], false);
    let stored = zip(&[("a.txt", &vec![0; 700 << 10])], false);
    for one in [zip(&[("b.zip", &zeros)], true), zip(&[("b.zip", &stored)], false), zip(&[("b.exe", &stored)], false)] {
        let central = one.windows(4).rposition(|four| four == b"PK\x01\x02").unwrap();
        let end = one.windows(4).rposition(|four| four == b"PK\x05\x06").unwrap();
        let mut archive = one[..central].to_vec();
        for _ in 0..1_000 {
            archive.extend_from_slice(&one[central..end]);
        }
        let size = (archive.len() - central) as u32;
        let mut tail = one[end..].to_vec();
        tail[8..10].copy_from_slice(&1_000u16.to_le_bytes());
        tail[10..12].copy_from_slice(&1_000u16.to_le_bytes());
        tail[12..16].copy_from_slice(&size.to_le_bytes());
        archive.extend_from_slice(&tail);
        let message = with_file("a.zip", &archive);
        let limits = Limits { unpacked_bytes_max: 16 << 20, ..Limits::default() };
        let found = within_limits(&message.as_slice(), &rules(), &limits);
        assert!(unseen(&found).contains(&Unseen::LargeArchive) || found.findings.len() == 25, "{found:?}");
    }
}

#[test]
fn thousands_of_findings() {
    let mut message = b"Content-Type: multipart/mixed; boundary=b\n\n".to_vec();
    message.extend_from_slice(&b"--b\nContent-Type: a/b; name=a.exe\n\nx\n".repeat(2_000));
    let found = within_bounds(&message.as_slice(), &rules());
    assert_eq!((found.findings.len(), found.verdict(&rules())), (501, Verdict::Skip));
    let names: Vec<String> = (0..2_000).map(|n| format!("{n}.exe")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"x".as_slice())).collect();
    let (found, rewritten) = check(&with_file("a.zip", &zip(&files, false)), &rules());
    assert_eq!(found.findings.len(), 25);
    assert!(String::from_utf8(rewritten).unwrap().contains("and 15 more"));
    let text = format!("Subject: s\r\n\r\n{}", uuencode("a.txt", b"x").repeat(1_000));
    assert_eq!(unseen(&within_bounds(&text.as_bytes(), &rules())), [Unseen::TooManyParts]);
}

#[test]
fn any_cut_of_a_message_is_dealt_with() {
    let inner = zip_with(&[("a.txt", b"x"), ("b.exe", b"y")], true, 0, str::to_owned);
    let winmail = crate::common::winmail(&[("c.zip", Some("long.zip"), &inner)]);
    let message = with_file("winmail.dat", &winmail);
    for cut in (0..message.len()).step_by(3) {
        check(&message[..cut], &rules());
    }
    for at in 0..winmail.len() {
        for byte in [0xff, winmail[at] ^ 1] {
            let mut changed = winmail.clone();
            changed[at] = byte;
            check(&with_file("winmail.dat", &changed), &rules());
        }
    }
    for at in 0..inner.len() {
        for byte in [0xff, inner[at] ^ 0x10] {
            let mut changed = inner.clone();
            changed[at] = byte;
            check(&with_file("a.zip", &changed), &rules());
        }
    }
}
