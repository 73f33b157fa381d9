//! Each document is made at its stage, and is the same each time, in each form.

use std::collections::BTreeSet;

use document::{Block, Document};
use paper::{Form, forms, make, title, write};
use programme::{Action, DOCUMENTS, Programme, Source};

use crate::project::{FITTING, begun, every, issues, makes, papers};
use crate::world::World;

/// Each form of a document, twice.
fn bytes(document: &Document, name: &str) -> Vec<Vec<u8>> {
    forms(name).iter().map(|form| write(*form, document).unwrap()).collect()
}

#[test]
fn every_document_has_a_title_and_its_forms() {
    for (name, _) in DOCUMENTS {
        assert!(title(name).is_some(), "{name}");
        let offered = forms(name);
        assert!(offered.contains(&Form::Html) && offered.contains(&Form::Pdf), "{name}");
        assert!(FITTING.iter().any(|(known, ..)| *known == name), "{name}");
    }
    for form in [Form::Html, Form::Pdf, Form::Xlsx, Form::Docx] {
        assert_eq!(Form::from_name(form.name()), Some(form));
    }
    assert_eq!(Form::from_name("doc"), None);
    for name in ["readiness-checklist", "work-off-plan", "implementation-plan"] {
        assert!(forms(name).contains(&Form::Xlsx), "{name}");
    }
    for name in ["implementation-plan", "board-pack", "post-project-report"] {
        assert!(forms(name).contains(&Form::Docx), "{name}");
    }
}

#[test]
fn each_document_is_made_at_its_stage_with_the_same_bytes_each_time() {
    let all = every();
    assert_eq!(all.len(), DOCUMENTS.len());
    for (name, world) in all {
        let document = makes(&world, name).unwrap_or_else(|why| panic!("{name}: {why}"));
        let again = makes(&world, name).unwrap();
        assert_eq!(document, again, "{name}");
        assert_eq!(bytes(&document, name), bytes(&again, name), "{name}");
        assert!(document.blocks.len() > 3, "{name}");
        no_two_tables_have_the_same_caption(&document, name);
        if name != "lessons" {
            assert_eq!(document.organisation, "Little Marsh Trust (LM7)");
            assert_eq!(document.reference, format!("LM7/{name}"));
        }
        assert_eq!((document.version.as_str(), document.made_on), ("1", world.today()));
    }
}

fn no_two_tables_have_the_same_caption(document: &Document, name: &str) {
    let mut known = BTreeSet::new();
    for block in &document.blocks {
        if let Block::Table(table) = block {
            assert!(!table.caption.is_empty(), "{name}");
            assert!(known.insert(&table.caption), "{name}: {}", table.caption);
            let width = table.columns.len();
            assert!(table.rows.iter().all(|row| row.len() == width), "{name}: {}", table.caption);
        }
    }
}

/// Names of the documents that can't be made at any gate of a project.
fn never_made(mut world: World) -> Vec<&'static str> {
    let mut made = BTreeSet::new();
    let issues = issues();
    loop {
        world.close_all();
        for (name, _) in DOCUMENTS {
            if let Ok(document) = make(name, &papers(&world, &issues)) {
                no_two_tables_have_the_same_caption(&document, name);
                made.insert(name);
            }
        }
        if world.record.standing != programme::Standing::Open {
            break;
        }
        let gate = world.asks();
        let passer = world.passer();
        world.does(&passer, Action::PassGate { gate });
    }
    DOCUMENTS.iter().map(|(name, _)| *name).filter(|name| !made.contains(name)).collect()
}

#[test]
fn projects_of_the_other_types_have_their_documents_too() {
    // Those who migrate themselves have no beta test of a provider.
    for (project_type, expected) in
        [("partial", &[][..]), ("self", &["beta-notice"]), ("third-party", &["beta-notice"])]
    {
        assert_eq!(never_made(begun(project_type)), expected, "{project_type}");
    }
}

#[test]
fn a_programme_with_other_stages_has_its_documents() {
    let files = [
        include_str!("../../programme/tests/profiles/heron/tracks.toml"),
        include_str!("../../programme/tests/profiles/heron/rows.toml"),
        include_str!("../../programme/tests/profiles/heron/constants.toml"),
    ];
    let sources = files.map(|text| Source { file: "heron", text });
    let heron = Programme::read(&sources, None).unwrap();
    let own = ["beta-notice", "rfc-package", "go-no-go-pack", "go-no-go-confirmation"];
    for project_type in ["ferry", "raft", "mixed"] {
        let never = never_made(World::staffed(heron.clone(), project_type));
        assert!(never.iter().all(|name| own.contains(name)), "{project_type}: {never:?}");
    }
}
