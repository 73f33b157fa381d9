//! Drafts, versions and signatures: nobody's name stands under what they did not sign.

use document::{Block, Document, SignatureLine, Status};
use paper::{Papers, make};
use programme::{Action, Verdict};

use crate::project::{at, issues, makes, papers};
use crate::text::text;
use crate::world::{World, evidence};

fn lines(document: &Document) -> Vec<SignatureLine> {
    let lines = document.blocks.iter().filter_map(|block| match block {
        Block::Signature { lines } => Some(lines.clone()),
        _ => None,
    });
    lines.flatten().collect()
}

fn version(world: &World, version: u32) -> Document {
    let issues = issues();
    make("implementation-plan", &Papers { version, ..papers(world, &issues) }).unwrap()
}

fn records(world: &mut World) {
    let files = vec![evidence(&format!("plan-{}.pdf", world.record.seq))];
    let document = "implementation-plan".to_owned();
    world.does("provider-manager", Action::RecordDocument { document, is_draft: false, files });
}

#[test]
fn a_draft_needs_no_signature_and_says_what_it_is() {
    let world = at("readiness");
    let issues = issues();
    let draft = make("implementation-plan", &Papers { is_draft: true, ..papers(&world, &issues) }).unwrap();
    assert_eq!(draft.status, Status::Draft);
    assert!(lines(&draft).is_empty());
    assert!(text(&draft).contains("A draft is not signed."));
}

#[test]
fn a_superseded_version_says_by_which() {
    let world = at("readiness");
    let issues = issues();
    let old = make("board-pack", &Papers { superseded_by: Some(3), ..papers(&world, &issues) }).unwrap();
    assert_eq!(old.status, Status::Superseded { by_version: "3".to_owned() });
    let page = String::from_utf8(paper::write(paper::Form::Html, &old).unwrap()).unwrap();
    assert!(page.contains("superseded by version 3"));
}

#[test]
fn the_plan_waits_for_the_responsible_owner_and_then_has_their_name_and_day() {
    let mut world = at("readiness");
    records(&mut world);
    let plan = version(&world, 2);
    assert_eq!(plan.status, Status::ForSignature);
    let owner = lines(&plan).into_iter().find(|line| line.role == "Senior responsible owner").unwrap();
    assert_eq!((owner.name.as_str(), owner.date), ("Dr Aoife Ní Bhraonáin or The senior-responsible-owner-2", None));
    world.signs("senior-responsible-owner", "implementation-plan-signed", Verdict::Yes);
    let today = world.today();
    let plan = version(&world, 2);
    let owner = lines(&plan).into_iter().find(|line| line.role == "Senior responsible owner").unwrap();
    assert_eq!((owner.name.as_str(), owner.date), ("Dr Aoife Ní Bhraonáin", Some(today)));
    let signed = world.record.documents["implementation-plan"][0].files[0].digest.clone();
    assert!(text(&plan).contains(&signed), "what was signed is named by its digest");
}

#[test]
fn a_signature_does_not_stand_under_a_plan_that_was_written_anew_since() {
    let mut world = at("readiness");
    records(&mut world);
    world.signs("senior-responsible-owner", "implementation-plan-signed", Verdict::Yes);
    records(&mut world);
    let plan = version(&world, 3);
    let owner = lines(&plan).into_iter().find(|line| line.role == "Senior responsible owner").unwrap();
    assert_eq!(owner.date, None);
    assert_eq!(plan.status, Status::ForSignature);
}

#[test]
fn a_signature_under_a_later_plan_does_not_stand_under_the_one_it_superseded() {
    let mut world = at("readiness");
    records(&mut world);
    records(&mut world);
    world.signs("senior-responsible-owner", "implementation-plan-signed", Verdict::Yes);
    let owner = |version: u32| {
        let lines = lines(&self::version(&world, version));
        lines.into_iter().find(|line| line.role == "Senior responsible owner").unwrap().date
    };
    assert_eq!(owner(1), None);
    assert_eq!(owner(2), Some(world.today()));
}

#[test]
fn a_no_is_no_signature() {
    let mut world = at("readiness");
    world.signs("senior-responsible-owner", "implementation-plan-signed", Verdict::No);
    let owner = lines(&version(&world, 1)).into_iter().find(|line| line.role == "Senior responsible owner").unwrap();
    assert_eq!(owner.date, None);
}

#[test]
fn what_was_handed_over_and_accepted_is_in_force() {
    let mut world = at("close");
    assert_eq!(makes(&world, "service-readiness").unwrap().status, Status::ForSignature);
    world.close("service-readiness-agreed");
    let document = makes(&world, "service-readiness").unwrap();
    assert_eq!(document.status, Status::Issued);
    let lines = lines(&document);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].role, "Senior responsible owner");
    assert!(lines.iter().all(|line| line.date == Some(world.today())));
}
