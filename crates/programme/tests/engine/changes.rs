//! Changes: each is stored and read back as it was, and a record is what its changes make.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::date;
use programme::{Change, Outcome, OwnTask, Record, Register, Side, Subject, Sureness, TaskLine, VERSION, Verdict};

use crate::world::{World, evidence, invented, row};

/// One of each.
fn every() -> Vec<Change> {
    let day = date(2028, 2, 29);
    let text = || "words, \"quoted\"\nand Ünïcode".to_owned();
    let own = OwnTask {
        title: text(),
        stage: text(),
        workstream: text(),
        sides: vec![Side::Organisation, Side::Supplier],
        needs_evidence: true,
    };
    let line = TaskLine { task: text(), state: "open".into(), owner: None, forecast: Some(day) };
    let mut changes = vec![
        Change::Opened { code: text(), name: text(), is_adopted: true },
        Change::Appraised { recommends: None, rules: vec![text()] },
        Change::TypeChosen {
            project_type: text(),
            recommended: Some(text()),
            is_override: true,
            by: Some(text()),
            why: None,
        },
        Change::Answered { form: text(), field: text(), value: String::new() },
        Change::NumbersGiven { sureness: Sureness::Confirmed, existing: u64::MAX, new: 0 },
        Change::MonthsPlanned { accounts: [("2026-11".to_owned(), 7)].into() },
        Change::DateSet { name: text(), day, is_agreed: true, why: None },
        Change::Told { side: Side::Provider, row: text(), text: text() },
        Change::StageLengthSet { stage: text(), working_days: 15, why: text() },
        Change::Cancelled { why: text() },
        Change::Closed { note: text() },
        Change::RoleGiven { person: text(), title: text(), role: text(), contact: Some(text()) },
        Change::RoleTaken { person: text(), role: text(), why: text() },
        Change::PilotNamed { people: vec![text()] },
        Change::PilotLeft { person: text(), why: text() },
        Change::PilotChecked { person: text(), item: text(), outcome: Outcome::Failed, text: text() },
        Change::TaskAssigned { task: text(), owner: None, forecast: Some(day) },
        Change::TaskAdded { task: text(), own },
        Change::TaskEdited { task: text(), title: Some(text()), due: Some(day), why: text() },
        Change::TaskDropped { task: text(), why: text() },
        Change::ItemAnswered { task: text(), item: text(), outcome: Outcome::NotApplicable, text: text() },
        Change::TaskChecked { task: text(), is_met: false, text: text(), offenders: vec![text()] },
        Change::TaskSubmitted { task: text(), round: 1, note: text() },
        Change::TaskValidated { task: text(), round: 1, verdict: Verdict::No, note: text() },
        Change::TaskDone { task: text(), side: Side::Authority },
        Change::TaskReopened { task: text(), why: text() },
        Change::EvidenceWithdrawn { on: Subject::Project, digest: text(), why: text() },
        Change::DeliverableDue { deliverable: text(), due: day },
        Change::Delivered { deliverable: text(), version: 2, side: Side::Provider, note: text() },
        Change::Accepted { deliverable: text(), version: 2, role: text(), verdict: Verdict::Yes, note: text() },
        Change::SignedOff { criterion: text(), role: text(), verdict: Verdict::Yes, note: text() },
        Change::SideSaid { criterion: text(), side: Side::Supplier, verdict: Verdict::No, note: text() },
        Change::ProfileNamed { profile: text() },
        Change::Decided {
            decision: text(),
            verdict: Verdict::Yes,
            outcome: text(),
            by: text(),
            why: text(),
            role: Some(text()),
        },
        Change::GateAsked { gate: text(), note: text() },
        Change::GateUnasked { gate: text(), why: text() },
        Change::GatePassed { gate: text(), role: text(), met_by: row(&[("a", "b")]) },
        Change::StageEntered { stage: text() },
        Change::StagesEnded {},
        Change::RowChanged { row: text(), fields: row(&[("a", "b")]) },
        Change::RowSettled { row: text(), verdict: Verdict::Yes, text: text() },
        Change::RowWithdrawn { row: text(), why: text() },
        Change::SnapshotTaken { day, call: None, tasks: vec![line] },
        Change::DocumentMade { document: text(), version: 3, is_draft: false, files: vec![evidence("a")] },
        Change::PackageSubmitted { package: text(), parts: BTreeMap::new() },
    ];
    for register in Register::EVERY {
        changes.push(Change::RowAdded { row: text(), register, fields: row(&[("title", "t")]) });
        changes.push(Change::RegisterReviewed { register });
    }
    let subjects = [
        Subject::Task(text()),
        Subject::Deliverable(text()),
        Subject::Criterion(text()),
        Subject::Gate(text()),
        Subject::Decision(text()),
        Subject::Form(text()),
        Subject::Row(text()),
        Subject::Project,
    ];
    changes.extend(subjects.map(|on| Change::EvidenceGiven { on, evidence: evidence("a") }));
    changes
}

#[test]
fn every_change_is_read_back_as_it_was_stored() {
    let mut kinds = BTreeSet::new();
    for change in every() {
        let stored = change.to_stored().unwrap();
        assert_eq!(Change::from_stored(&stored).unwrap(), change, "{stored}");
        assert!(
            stored.starts_with(&format!("{{\"version\":{VERSION},\"change\":{{\"kind\":\"{}\"", change.kind())),
            "{stored}"
        );
        kinds.insert(change.kind());
    }
    // Every variant of the enum, counted where it is written down.
    let source = include_str!("../../src/record/change.rs");
    let body = source.split("pub enum Change {").nth(1).unwrap();
    let variants = body.lines().filter(|line| {
        line.starts_with("    ")
            && (line.ends_with(" {") || line.ends_with(" {},"))
            && line.chars().nth(4).is_some_and(char::is_uppercase)
    });
    assert_eq!(variants.count(), kinds.len(), "one of each is tested");
}

#[test]
fn a_change_of_a_later_version_is_refused() {
    let stored = Change::StagesEnded {}.to_stored().unwrap();
    assert_eq!(stored, r#"{"version":1,"change":{"kind":"stages-ended"}}"#);
    let later = stored.replace("\"version\":1", "\"version\":2");
    assert!(Change::from_stored(&later).unwrap_err().to_string().contains("version 2"));
    assert!(Change::from_stored(r#"{"change":{"kind":"stages-ended"}}"#).is_err());
    assert!(Change::from_stored(r#"{"version":1,"change":{"kind":"no-such"}}"#).is_err());
}

#[test]
fn a_record_can_be_shown_whatever_happened() {
    let mut record = Record::default();
    let at = "2026-02-02T09:00:00Z".parse().unwrap();
    for (seq, change) in (1..).zip(every()) {
        record.after(&change, seq, at, "somebody");
    }
    assert!(serde_json::to_string(&record).unwrap().contains("somebody"));
}

#[test]
fn a_record_is_what_its_changes_make() {
    let mut world = World::staffed(invented(), "guided");
    world.reaches("rest");
    assert_eq!(Record::of(&world.entries), world.record);
    let seqs: Vec<u64> = world.entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (1..=world.record.seq).collect::<Vec<_>>());
}
