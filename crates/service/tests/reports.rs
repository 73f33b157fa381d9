//! The two reports about an invented project, as people get them: kept as files, so that every change of them is seen. To write them
//! anew: `WRITE_GOLDEN=1 cargo nextest run -p service --test reports`.

#![allow(clippy::unwrap_used, reason = "a test fails by what goes wrong in it")]

use std::path::Path;

use model::{Cause, Phase, Tally};
use profile::Policy;
use report::{Document, Form};
use service::{
    ClassLine, Counts, ExceptionLine, FailedItem, FailedItemsReport, FailureRate, Heading, OverallReport, Owner,
    PersonLine,
};

/// 2026-11-21 17:05 UTC.
const NOW: i64 = 1_795_280_700;

fn heading() -> Heading {
    Heading {
        organisation: "Example Trust".to_owned(),
        code: "RX1".to_owned(),
        project: "migration".to_owned(),
        at: NOW,
        policy: "nhsmail current v1 3f9a".to_owned(),
        only: None,
    }
}

fn person(
    name: &str,
    mailbox: &str,
    collection: &str,
    phase: Phase,
    why: Option<(&str, &str)>,
    counts: Counts,
) -> PersonLine {
    PersonLine {
        name: (!name.is_empty()).then(|| name.to_owned()),
        source: format!("{mailbox}@old.example"),
        target: format!("{mailbox}@new.example"),
        collection: (!collection.is_empty()).then(|| collection.to_owned()),
        phase,
        condition: why.map_or("running", |(condition, _)| condition).to_owned(),
        reason: why.map(|(_, reason)| reason.to_owned()),
        last_read: (phase == Phase::InStep).then_some(NOW - 5 * 3600),
        counts,
    }
}

fn counts(folders: [u64; 2], items: Tally, done_hundredths: u32) -> Counts {
    Counts {
        folders: folders[0],
        folders_read: folders[1],
        known: items.source.max(items.accounted()),
        items,
        done_hundredths,
        ..Counts::default()
    }
}

fn people() -> Vec<PersonLine> {
    let tally = |source, copied, bytes| Tally { source, copied, bytes, ..Tally::default() };
    let amina = Tally { adopted: 12, excluded: 3, failed: 1, ..tally(12_480, 12_464, 3_221_225_472) };
    let bjorn = Tally { withdrawn: 2, held: 1, ..tally(8_203, 8_200, 1_610_612_736) };
    let wards = Tally { failed: 2, ..tally(1_000, 998, 104_857_600) };
    let half = Tally { source: 4_000, copied: 6_500, bytes: 912_680_550, ..Tally::default() };
    let amina = Tally { copied: 12_464, ..amina };
    vec![
        person(
            "Amina O'Brien",
            "amina",
            "wave-1",
            Phase::InStep,
            None,
            Counts { replaced: 7, accepted: 1, ..counts([24, 24], amina, 10_000) },
        ),
        person(
            "Björn Nowak",
            "bjorn",
            "wave-1",
            Phase::InStep,
            None,
            Counts { removals_held: 4, ..counts([19, 19], bjorn, 9_998) },
        ),
        person(
            "=cmd|'/c calc'!A1",
            "ward7",
            "wave-2",
            Phase::Copying,
            Some(("waiting", "a word about 2 items that failed")),
            counts([3, 3], wards, 9_980),
        ),
        person("Chloé <Łuczak>", "chloe", "wave-2", Phase::Copying, None, counts([40, 22], half, 5_500)),
        person(
            "",
            "dee",
            "",
            Phase::Copying,
            Some(("parked", "logging in at the source: the server refuses the login of dee@old.example")),
            Counts::default(),
        ),
        person("Eve Müller", "eve", "", Phase::Planned, None, Counts::default()),
    ]
}

fn exceptions() -> Vec<ExceptionLine> {
    vec![ExceptionLine {
        mailbox: "bjorn@old.example".to_owned(),
        name: Some("Björn Nowak".to_owned()),
        folder: "Archive/2014".to_owned(),
        cause: Cause::FolderRefused,
        what: "the target refuses the name \"Archive/2014\"; it is \"Archive/2014 (2)\" there".to_owned(),
        advice: Cause::FolderRefused.advice(),
    }]
}

fn overall() -> OverallReport {
    OverallReport::of(heading(), people(), exceptions(), &Policy::plain())
}

fn failed_item(place: u64, mailbox: &str, name: &str, cause: Cause) -> FailedItem {
    FailedItem {
        reference: format!("{place}/{}", 40 + place),
        mailbox: format!("{mailbox}@old.example"),
        name: Some(name.to_owned()),
        collection: Some("wave-1".to_owned()),
        folder: "INBOX".to_owned(),
        received: Some(1_456_823_520 + 86_400 * place as i64),
        cause,
        size_bytes: 1_024 * place,
        tries: place,
        owner: Owner::of(cause),
        what: "the item holds a NUL byte, which the target can't hold".to_owned(),
        server: None,
        advice: cause.advice(),
        accepted_by: None,
        accepted_why: None,
    }
}

fn failed() -> FailedItemsReport {
    let accepted = FailedItem {
        accepted_by: Some("Kim Hughes".to_owned()),
        accepted_why: Some("an empty test message".to_owned()),
        ..failed_item(1, "amina", "Amina O'Brien", Cause::Nul)
    };
    let refused = FailedItem {
        folder: "-Projects/2019 <old>".to_owned(),
        what: "the target refuses the item".to_owned(),
        server: Some("NO [LIMIT] \u{1b}[31m<b>too many header fields</b>".to_owned()),
        ..failed_item(2, "ward7", "=cmd|'/c calc'!A1", Cause::Refused)
    };
    let large = FailedItem {
        size_bytes: 52_428_801,
        what: "the item is 52,428,801 bytes, the target takes 35 MB".to_owned(),
        received: None,
        ..failed_item(3, "ward7", "=cmd|'/c calc'!A1", Cause::TooLarge)
    };
    let items = vec![accepted, refused, large];
    let failures = FailureRate::new(&overall().all.items, &Policy::plain());
    FailedItemsReport { heading: heading(), failures, classes: ClassLine::of(&items), items }
}

fn written(document: &Document, form: Form, table: Option<&str>) -> String {
    let mut bytes = Vec::new();
    document.write(form, table, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn assert_golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports").join(name);
    if std::env::var_os("WRITE_GOLDEN").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == found, "{name} is another now:\n{found}");
}

#[test]
fn both_reports_are_as_they_were() {
    for (name, document) in [("overall", overall().document()), ("failed", failed().document())] {
        assert_golden(&format!("{name}.txt"), &written(&document, Form::Text, None));
        assert_golden(&format!("{name}.html"), &written(&document, Form::Html, None));
        assert_golden(&format!("{name}.csv"), &written(&document, Form::Csv, None));
    }
    let json = serde_json::to_string_pretty(&failed()).unwrap();
    assert_golden("failed.json", &format!("{json}\n"));
}
