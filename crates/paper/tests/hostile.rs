//! Whatever stands in a record is text in its documents.

use paper::{Form, Papers, forms, make, write};
use programme::{Action, DOCUMENTS, Register, Side};

use crate::project::{at, papers, writes};

#[test]
fn markup_formulas_control_signs_and_endless_words_do_no_harm() {
    let mut world = at("readiness");
    let endless = "w".repeat(5_000);
    let names = [
        "<script>alert(1)</script>",
        "=HYPERLINK(\"http://evil.example\",\"click\")",
        "a\u{0}b\u{7}c\u{202e}d\u{fffe}",
        "\u{1f9d1}\u{200d}\u{1f4bb} ]]></w:t>",
        endless.as_str(),
        "2026-13-45",
    ];
    let by = world.worker(Side::Organisation);
    for name in names {
        let action = Action::GiveRole {
            person: "guest".to_owned(),
            title: name.to_owned(),
            role: "pilot-user".to_owned(),
            contact: Some(name.to_owned()),
        };
        world.does(&by, action);
        writes(&mut world, Register::Risks, &[("title", name), ("owner", name), ("action", name), ("note", name)]);
        writes(&mut world, Register::Lessons, &[("title", name), ("text", name), ("stage", name)]);
        writes(&mut world, Register::Barriers, &[("title", name), ("date", name)]);
        let (decision, outcome, why) = (name.to_owned(), name.to_owned(), name.to_owned());
        let decide = Action::Decide { decision, verdict: programme::Verdict::Yes, outcome, by: name.to_owned(), why };
        let _ = world.tries(&by, decide);
    }
    world.record.name = names[..4].join(" ");
    for (name, _) in DOCUMENTS {
        let issues =
            [paper::Issue { title: names[0].to_owned(), state: names[1].to_owned(), ..paper::Issue::default() }];
        let of = Papers { is_draft: true, issues: Some(&issues), ..papers(&world, &[]) };
        let Ok(document) = make(name, &of) else {
            assert_eq!(name, "rfc-package");
            continue;
        };
        for form in forms(name) {
            let bytes = write(*form, &document).unwrap_or_else(|why| panic!("{name}: {why}"));
            if *form == Form::Html {
                let page = String::from_utf8(bytes).unwrap();
                assert!(!page.contains("<script"), "{name}");
                assert!(!page.contains('\u{202e}') && !page.contains('\u{7}'), "{name}");
            }
        }
    }
}

#[test]
fn a_record_with_nothing_in_it_says_so() {
    let mut world = crate::world::World::new(crate::project::programme());
    world.does("chief", Action::Open { code: "LM7".into(), name: "Little Marsh Trust".into() });
    let choose = Action::ChooseType { project_type: "managed".into(), by: None, why: None };
    if world.tries("chief", choose.clone()).is_err() {
        let role = "project-manager".to_owned();
        let give = Action::GiveRole { person: "pm".into(), title: "Jo".into(), role, contact: None };
        world.does("chief", give);
        world.does("pm", choose);
    }
    for (name, _) in DOCUMENTS.iter().filter(|(name, _)| *name != "rfc-package") {
        let of = Papers { is_draft: true, issues: None, ..papers(&world, &[]) };
        let document = make(name, &of).unwrap_or_else(|why| panic!("{name}: {why}"));
        for form in forms(name) {
            write(*form, &document).unwrap();
        }
        if *name != "lessons" {
            assert!(crate::text::text(&document).contains("not recorded"), "{name}");
        }
    }
}
