//! Repairs of real mail, of random mail and of mail that wants all memory; what a reader sees of it is told by Python.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test, helpers included")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::Endless;
use crate::common::repairs::{ALL, check, impossible, repaired, written_bytes};
use conformance::servers::left_out;
use inspection::{ReadAt, RepairRule, Repairs, WhyNot};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::json;

/// What repairs may take, beside the message.
const MEMORY_BYTES_MAX: u64 = 16 << 20;
/// Far more than any of these takes, also on a busy machine and without optimisation.
const SECONDS_MAX: u64 = 120;

/// Where the shared corpus is; says so when it isn't there.
fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let folder = std::env::var_os("WHIMBREL_CORPUS").map_or(beside, PathBuf::from);
    if folder.join("MANIFEST.tsv").is_file() {
        return Some(folder);
    }
    println!("skipped: no corpus at {} (WHIMBREL_CORPUS)", folder.display());
    None
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// What Python sees differently in each pair; none where Python is not there.
fn differences(pairs: &[(Vec<u8>, Vec<u8>, Vec<RepairRule>)]) -> Option<Vec<Vec<String>>> {
    let folder = tempfile::tempdir().unwrap();
    let mut asked = Vec::new();
    for (index, (before, after, rules)) in pairs.iter().enumerate() {
        let paths = ["before", "after"].map(|side| folder.path().join(format!("{index}-{side}")));
        fs::write(&paths[0], before).unwrap();
        fs::write(&paths[1], after).unwrap();
        asked.push(json!([paths[0], paths[1], rules]));
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/repairs.py");
    let child = Command::new("python3").arg(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        left_out("python3 is not here: apt-get install --no-install-recommends python3");
        return None;
    };
    child.stdin.take().unwrap().write_all(json!(asked).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the independent reading failed");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn rules_of(found: Option<&inspection::Repaired>) -> Vec<RepairRule> {
    found.iter().flat_map(|found| found.done.iter().map(|done| done.rule)).collect()
}

#[test]
fn real_mail_is_repaired_and_read_as_before() {
    let Some(corpus) = corpus() else { return };
    let (mut pairs, mut names) = (Vec::new(), Vec::new());
    let mut failed = 0;
    let paths = files(&corpus.join("mail"));
    for path in &paths {
        let message = fs::read(path).unwrap();
        for wanted in [ALL, Repairs { line_bytes_max: Some(78), ..ALL }, Repairs { bare_lf: false, ..ALL }] {
            let found = check(&message, &wanted);
            for (rule, why) in impossible(&found) {
                assert!(
                    matches!(
                        why,
                        WhyNot::Signed
                            | WhyNot::NoPlaceToBreak
                            | WhyNot::Structure
                            | WhyNot::BetweenParts
                            | WhyNot::UnknownEncoding
                    ) || path.to_string_lossy().contains("nest"),
                    "{}: {rule:?} {why:?}",
                    path.display()
                );
                failed += usize::from(wanted == ALL);
            }
            assert_eq!(repaired(&repaired(&message, &wanted), &wanted), repaired(&message, &wanted));
            let rules = rules_of(found.as_ref());
            // Python takes a header to end where it is broken.
            if !rules.is_empty() && !rules.contains(&RepairRule::BrokenHeader) {
                pairs.push((message.clone(), repaired(&message, &wanted), rules));
                names.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    println!("{} messages, {} repairs compared, {failed} impossible", paths.len(), pairs.len());
    let Some(found) = differences(&pairs) else { return };
    let wrong: Vec<String> = names
        .iter()
        .zip(found)
        .zip(&pairs)
        .filter(|((_, found), _)| !found.is_empty())
        .map(|((name, found), (_, _, rules))| format!("{name}: {rules:?} {found:?}"))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), pairs.len(), wrong.join("\n"));
}

#[test]
fn real_mail_with_random_damage_is_repaired() {
    let Some(corpus) = corpus() else { return };
    let mut chance = 20_261_126u64;
    let mut below = |max: usize| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) as usize % max.max(1)
    };
    for path in files(&corpus.join("mail")) {
        let mut message = fs::read(path).unwrap();
        message.truncate(20_000);
        for _ in 0..6 {
            let (at, other) = (below(message.len()), below(message.len().min(2_000)));
            match below(5) {
                0 => message.truncate(at.max(200)),
                1 | 2 => {
                    message.iter_mut().skip(other).take(1).for_each(|byte| *byte = b"\r\n\0\0\xe9\xff:\" -"[at % 10]);
                }
                3 => message.insert(other, b"\r\n\0\xc3\xa9;("[at % 7]),
                _ => drop(message.drain(other..(other + 40).min(message.len()))),
            }
        }
        check(&message, &ALL);
        check(&message, &Repairs { line_bytes_max: Some(78), bare_cr: false, ..ALL });
        check(&message, &Repairs { bare_lf: false, nul: false, ..ALL });
    }
}

/// Text of several scripts, and bytes that are none.
fn words() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[a-zA-Zàéöß日本語кот😀 ,.()-]{1,60}".prop_map(String::into_bytes),
        "[a-z ]{1,30}".prop_map(String::into_bytes),
        prop::collection::vec(prop_oneof![Just(0xe9u8), Just(0xfc), Just(b' '), Just(b'a'), Just(b'\t')], 1..80),
        "(=\\?utf-8\\?q\\?[a-z]{1,9}\\?= ){1,3}é".prop_map(String::into_bytes),
    ]
    .prop_map(|text| text.trim_ascii().to_vec())
    .prop_filter("a text", |text| !text.is_empty())
}

fn quoted(text: &[u8]) -> Vec<u8> {
    let escaped =
        text.iter().flat_map(|byte| if matches!(byte, b'"' | b'\\') { vec![b'\\', *byte] } else { vec![*byte] });
    std::iter::once(b'"').chain(escaped).chain([b'"']).collect()
}

/// A message whose header says these things.
fn spoken(subject: &[u8], people: &[Vec<u8>], file: &[u8]) -> Vec<u8> {
    let people: Vec<Vec<u8>> =
        people.iter().map(|name| [&quoted(name), b" <a@x.example>".as_slice()].concat()).collect();
    [
        b"Subject: ".as_slice(),
        subject,
        b"\r\nFrom: ",
        &people.join(&b", "[..]),
        b"\r\nContent-Type: application/pdf; name=",
        &quoted(file),
        b"\r\nContent-Disposition: attachment;\r\n filename=",
        &quoted(file),
        b"\r\n\r\nx\r\n",
    ]
    .concat()
}

#[test]
fn names_are_read_as_before() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut pairs = Vec::new();
    let strategy = (words(), prop::collection::vec(words(), 1..4), words());
    for _ in 0..800 {
        let (subject, people, file) = strategy.new_tree(&mut runner).unwrap().current();
        let message = spoken(&subject, &people, &file);
        let found = check(&message, &ALL);
        assert!(impossible(&found).is_empty());
        let after = repaired(&message, &ALL);
        let header = &after[..after.windows(4).position(|four| four == b"\r\n\r\n").unwrap()];
        for line in header.split(|byte| *byte == b'\n').filter(|line| memchr::memmem::find(line, b"=?").is_some()) {
            assert!(line.trim_ascii_end().len() <= 78, "{}", String::from_utf8_lossy(line));
        }
        pairs.push((message, after, rules_of(found.as_ref())));
    }
    let Some(found) = differences(&pairs) else { return };
    let wrong: Vec<String> = found
        .iter()
        .zip(&pairs)
        .filter(|(found, _)| !found.is_empty())
        .map(|(found, (before, after, _))| {
            format!("{found:?}\n{}\n{}", String::from_utf8_lossy(before), String::from_utf8_lossy(after))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), pairs.len(), wrong[..wrong.len().min(6)].join("\n"));
}

#[test]
fn files_are_read_as_before() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let fields = prop::sample::select(vec![
        "Content-Type: text/plain; name=adt.hl7",
        "Content-Type: application/dicom",
        "Content-Type: text/csv\r\nContent-Disposition: attachment",
    ]);
    let encoding = prop::sample::select(vec!["8bit", "quoted-printable"]);
    let pieces = ["\0", "\r-", "\n", "\r\n", "=3D", "=\r\n", "=\n", "=0D=0A", "MSH|", "é", "\r=00"];
    let strategy = (fields, encoding, prop::collection::vec(prop::sample::select(pieces.to_vec()), 1..30));
    let mut pairs = Vec::new();
    for _ in 0..600 {
        let (fields, encoding, pieces) = strategy.new_tree(&mut runner).unwrap().current();
        let begin = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n";
        let content = pieces.concat();
        let message =
            format!("{begin}{fields}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{content}.\r\n--b--\r\n");
        let found = check(message.as_bytes(), &ALL);
        assert!(impossible(&found).is_empty());
        if found.is_some() {
            pairs.push((message.clone().into_bytes(), repaired(message.as_bytes(), &ALL), Vec::new()));
        }
    }
    assert!(pairs.len() > 300, "{}", pairs.len());
    let Some(found) = differences(&pairs) else { return };
    for (found, (before, after, _)) in found.iter().zip(&pairs) {
        let shown = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
        assert!(found.is_empty(), "{found:?}\n{:?}\n{:?}", shown.0, shown.1);
    }
}

/// Pieces that messages are made of.
const PIECES: [&[u8]; 44] = [
    b"\n",
    b"\r\n",
    b"\r",
    b"\r\r\n",
    b"\r\n\r\n",
    b"\0",
    b"\xe9",
    b"\xc3\xa9",
    b"Subject: x",
    b"Subject : \"",
    b"From: \"J\xc3\xb6rg\" <a@b>, (\xe9",
    b"To: \xe9@b, g:",
    b"From a@b",
    b">From a@b",
    b"Content-Type: multipart/mixed; boundary=a\n",
    b"Content-Type: multipart/signed; boundary=b\n",
    b"Content-Type: multipart/mixed; boundary=\"\xe9\"\r\n",
    b"Content-Type: message/rfc822\n",
    b"Content-Type: a/b; name=\"\xe9",
    b"Content-Type: text/plain; charset=koi8-r\n",
    b"Content-Disposition: x; filename*0=\xe9; filename*1*=%41; filename=\xe9\r\n",
    b"Content-Transfer-Encoding: base64\n",
    b"Content-Transfer-Encoding: quoted-printable\n",
    b"Content-Transfer-Encoding: binary\n",
    b"Content-Transfer-Encoding: x-own\n",
    b"--a\n",
    b"--a--\r\n",
    b"--b\n",
    b"\n--b--\n",
    b" ",
    b"\t \xff",
    b"odd line",
    b"Follow-up: x\n",
    b"To : x\n",
    b"Received: by x\n",
    b"Subject: y\n",
    b"X-A: b\n",
    b"Content-Disposition: attachment\n",
    b"Content-Type: text/plain; charset=iso-8859-1\n",
    b"-----BEGIN PGP SIGNED MESSAGE-----\n",
    b"=",
    b"=?utf-8?q?a?=",
    b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    b"bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb bb",
];

/// Lines of letters.
const SENTENCES: [&str; 20] = [
    "Dear Dr B",
    "He is well.",
    "Follow-up: 2 weeks",
    "X-ray: clear",
    "Status: stable",
    "Priority: urgent",
    "To: be seen again",
    "From: last week",
    "From the ward",
    "Subject: the knee",
    "Date: 3 March, 10:30",
    "Diagnosis : none",
    "Delivery-date: 3 March",
    "Cc: gp@x.example",
    "Received: from the ward",
    "Message-Type: ADT",
    "https://x.example/",
    " indented",
    "-----Original Message-----",
    "Grüße",
];

fn wishes() -> impl Strategy<Value = Repairs> {
    let max = prop_oneof![Just(None), Just(Some(78)), Just(Some(998))];
    (any::<[bool; 5]>(), max).prop_map(|([nul, bare_cr, bare_lf, eight_bit_header, broken_header], line_bytes_max)| {
        Repairs { nul, bare_cr, bare_lf, eight_bit_header, broken_header, line_bytes_max }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_pieces_are_dealt_with(
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..40),
        wanted in wishes(),
    ) {
        check(&pieces.concat(), &ALL);
        check(&pieces.concat(), &wanted);
    }

    #[test]
    fn no_letter_is_hidden_in_a_header(
        begin in prop::sample::select(vec!["Dear Dr B\r\n", "Patient: A\r\nDear Dr B\r\n", "-- \r\n"]),
        sentences in prop::collection::vec(prop::sample::select(SENTENCES.to_vec()), 0..12),
    ) {
        let head = "Received: from a by b\r\nDate: Tue, 3 Mar 2026 10:00:00 +0000\r\nFrom: Dr A <a@x.example>\r\n\
            Subject: he\r\nTo: b@x.example\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n";
        let text = format!("{begin}{}", sentences.iter().flat_map(|line| [line, "\r\n"]).collect::<String>());
        let message = format!("{head}{text}\r\nYours\r\n");
        check(message.as_bytes(), &ALL);
        prop_assert_eq!(repaired(message.as_bytes(), &ALL), format!("{head}\r\n{text}\r\nYours\r\n").into_bytes());
    }

    #[test]
    fn any_bytes_are_dealt_with(bytes in prop::collection::vec(any::<u8>(), 0..300), wanted in wishes()) {
        check(&bytes, &wanted);
    }
}

/// The most memory that this process has had.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) * 1024
}

/// Repairs within the limits of time and memory.
fn within_bounds(what: &str, message: &dyn ReadAt) -> (Option<inspection::Repaired>, u64) {
    let (begun, before) = (Instant::now(), peak_bytes());
    let (found, written) = written_bytes(message, &ALL);
    println!("{what}: {:?}, {} KiB more", begun.elapsed(), peak_bytes().saturating_sub(before) / 1024);
    assert!(begun.elapsed() < Duration::from_secs(SECONDS_MAX), "{what}: {:?}", begun.elapsed());
    // Each test has a process of its own under nextest; elsewhere others add to it.
    if std::env::var_os("NEXTEST").is_some() {
        assert!(
            peak_bytes().saturating_sub(before) < MEMORY_BYTES_MAX,
            "{what}: {} KiB more",
            peak_bytes().saturating_sub(before) / 1024
        );
    }
    (found, written)
}

#[test]
fn one_line_of_a_hundred_megabytes() {
    const MIB: u64 = 1 << 20;
    for (begin, size_bytes, is_possible) in [
        ("Subject: x\r\n\r\n", 100 * MIB, true),
        ("Content-Type: a/b\r\n\r\n", 10 * MIB, true),
        ("Content-Transfer-Encoding: base64\r\n\r\n", 100 * MIB, true),
        ("Content-Transfer-Encoding: quoted-printable\r\n\r\n", 10 * MIB, true),
        ("Subject: x", 100 * MIB, false),
    ] {
        let message = Endless { begin: begin.as_bytes().to_vec(), size_bytes, filler: &[b'a'; 4096] };
        let (found, written) = within_bounds(begin.trim(), &message);
        assert_eq!(impossible(&found).is_empty(), is_possible, "{begin:?}");
        assert!(if is_possible { written > size_bytes } else { written == size_bytes });
    }
}

#[test]
fn millions_of_places() {
    for (begin, filler) in [
        ("A: b\r\n\r\n", &b"\0"[..]),
        ("A: b\r\n\r\n", b"\r"),
        ("A: b\r\n\r\n", b"\n"),
        ("A: b\r\n\r\n", b"a\rb\0c\n"),
        ("Content-Type: a/b\r\n\r\n", b"a\rb\0c\n"),
        ("Content-Type: a/b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", b"a\rb\0=\n"),
        ("Content-Transfer-Encoding: quoted-printable\r\n\r\n", b"a\rb\0=\n"),
        ("stray\n", b"a b\n"),
        ("stray\n", b"From: a@b\nc\n"),
        ("", b"\r\r\r\n"),
        ("", b"\0"),
        ("Subject: ", b"\xe9 "),
        ("", b"a\r"),
        ("", b"A: \xe9\n"),
        ("", b"a\n"),
        ("Subject: x\nTo: ", b"\xe9, "),
        ("Content-Type: a/b", b"; name=\xe9"),
        ("A: ", b"b\n "),
    ] {
        for size_bytes in [1 << 20, 200 << 10] {
            let message = Endless { begin: begin.as_bytes().to_vec(), size_bytes, filler };
            within_bounds(&format!("{begin:?} {:?}", String::from_utf8_lossy(filler)), &message);
        }
    }
}

#[test]
fn ten_thousand_deep_and_a_hundred_thousand_parts() {
    let mut multiparts = String::new();
    let mut messages = String::new();
    for depth in 0..10_000 {
        let number = depth.to_string();
        multiparts.extend(["Content-Type: multipart/mixed; boundary=b", &number, "\r\n\r\n--b", &number, "\r\n"]);
        messages.push_str("Content-Type: message/rfc822\r\n\r\n");
    }
    let mut many = "Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned();
    (0..100_000).for_each(|_| many.push_str("--b\r\n\r\nx\0\r\n"));
    for (message, why) in [
        (multiparts + "\r\nx\0\r\n", WhyNot::TooDeep),
        (messages + "\r\nx\0\r\n", WhyNot::TooDeep),
        (many, WhyNot::TooManyParts),
    ] {
        let (found, written) = within_bounds("nested", &message.as_bytes());
        assert_eq!(impossible(&found), [(RepairRule::Nul, why)]);
        assert_eq!(written, message.len() as u64);
    }
}
