//! Every mistake of a profile is told, with file, line and what to do.

use programme::{Mistakes, Programme, Source};
use proptest::prelude::*;

use crate::heron::{EDITION, FILES};

/// The mistakes of the invented programme with this text exchanged for that one, in whichever file holds it.
fn mistakes(from: &str, to: &str) -> Mistakes {
    let found: Vec<&str> = FILES.iter().filter(|(_, text)| text.contains(from)).map(|(file, _)| *file).collect();
    assert!(!found.is_empty(), "no file holds {from:?}");
    let texts = FILES.map(|(file, text)| if file == found[0] { text.replacen(from, to, 1) } else { text.to_owned() });
    let sources: Vec<Source<'_>> = FILES.iter().zip(&texts).map(|((file, _), text)| Source { file, text }).collect();
    Programme::read(&sources, None).expect_err(&format!("{from:?} -> {to:?} is no mistake"))
}

/// The line of a text that holds this, from 1.
fn line_of(text: &str, what: &str) -> usize {
    text[..text.find(what).unwrap_or_else(|| panic!("{what:?} is nowhere"))].matches('\n').count() + 1
}

/// Text, what takes its place, and what is said of it.
const MISTAKES: [(&str, &str, &str); 81] = [
    ("is-editable = true", "is-editible = true", "unknown field `is-editible`"),
    ("go = [\"authority\"]", "go = [\"authorities\"]", "unknown variant `authorities`"),
    ("owner = \"heron\"\n", "", "missing field `owner`"),
    ("form = \"letter\"\n", "", "no variant of enum MetBy"),
    ("form = \"letter\"\n", "form = \"letter\"\ntask = \"weigh\"\n", "unknown field `task`"),
    ("[[lists]]", "[[list]]", "unknown list `list`"),
    ("[[holidays]]", "[holidays]", "duplicate key"),
    ("day = \"2024-02-29\"", "day = \"2023-02-29\"", "parsed date is not valid"),
    ("id = \"beaver\"", "id = \"heron\"", "the id \"heron\" is there twice in roles"),
    ("id = \"beaver\"", "id = \"Beaver\"", "\"Beaver\" in roles is no id"),
    ("stages = [\"moor\", \"cross\", \"land\"]", "stages = [\"moor\", \"crosss\", \"land\"]", "the stage \"crosss\""),
    ("stages = [\"moor\", \"cross\", \"land\"]", "stages = []", "types says nothing under `stages`"),
    ("aliases = [\"ferried\"]", "aliases = [\"raft\"]", "two types are called \"raft\""),
    ("risks = \"provider\"", "risks = \"supplier\"", "needs the side supplier"),
    ("go = [\"authority\"]", "go = []", "nobody says go in the type \"raft\""),
    (
        "stands-in = { provider = \"organisation\" }",
        "stands-in = { provider = \"supplier\" }",
        "needs the side supplier",
    ),
    (
        "stands-in = { provider = \"organisation\" }\ngo = [\"authority\"]",
        "go = [\"authority\", \"provider\"]",
        "needs the side provider",
    ),
    ("after = \"raft-checked\"", "after = \"raft-bought\"", "the criterion \"raft-bought\""),
    ("at-most = \"accounts-over\"", "at-most = \"accounts-above\"", "the constant \"accounts-above\""),
    ("weeks = 2\n", "weeks = 2\nworking-days = 3\n", "the length of the stage \"load\" is said twice or not at all"),
    ("weeks = 2\n", "", "the length of the stage \"load\" is said twice or not at all"),
    ("objectives = [\"Everybody is over\"]", "objectives = [\" \"]", "stages says nothing under `objectives`"),
    ("exit = [\"logbook-accepted\"]", "exit = [\"logbook-lost\"]", "the criterion \"logbook-lost\""),
    ("exit = [\"logbook-accepted\"]", "exit = []", "no gate asks for the criterion \"logbook-accepted\""),
    ("allows = [\"change-mx\"", "allows = [\"change-ponds\"", "the permission \"change-ponds\""),
    ("enters = \"load\"", "enters = \"mud\"", "is of the type \"ferry\", which has no stage mud"),
    (
        "types = [\"ferry\", \"mixed\"]\nleaves = \"moor\"",
        "types = [\"ferry\", \"raft\", \"mixed\"]\nleaves = \"moor\"",
        "has no stage load",
    ),
    (
        "leaves = \"moor\"\nenters = \"load\"",
        "enters = \"load\"",
        "does not lead from a stage of \"ferry\" to the next",
    ),
    ("enters = \"load\"\n", "enters = \"cross\"\n", "0 gates enter the stage \"load\" of the type \"ferry\""),
    ("leaves = \"land\"\n", "leaves = \"cross\"\nenters = \"land\"\n", "2 gates enter the stage \"land\""),
    ("leaves = \"land\"\n", "leaves = \"cross\"\nenters = \"land\"\n", "0 gates end the type \"raft\""),
    (
        "criteria = [\"raft-checked\"]\npassed-by = [\"owl\"]",
        "criteria = [\"raft-checked\"]\npassed-by = [\"ferrywoman\"]",
        "nobody who takes part in the type \"raft\" can pass",
    ),
    ("passed-by = [\"owl\"]", "passed-by = [\"owls\"]", "the role \"owls\""),
    ("fact = \"quota-checked\"", "fact = \"quota-wished\"", "the fact \"quota-wished\""),
    ("register = \"risks\"", "register = \"ropes\"", "the register \"ropes\""),
    ("deliverable = \"logbook\"", "deliverable = \"log\"", "the deliverable \"log\""),
    ("task = \"sound-the-depth\"\nowner", "task = \"sound\"\nowner", "the task \"sound\""),
    ("form = \"letter\"", "form = \"note\"", "the form \"note\""),
    ("field = \"letter.pond\"", "field = \"letter.lake\"", "the field \"letter.lake\""),
    ("decision = \"route\"", "decision = \"The route\"", "the decision \"The route\" has no name"),
    ("sides = [\"organisation\", \"authority\"]\nowner", "sides = []\nowner", "a criterion asks sides, but names none"),
    (
        "sides = [\"organisation\", \"authority\"]\nowner",
        "sides = [\"provider\"]\nowner",
        "the gate \"pushing-off\" of the type \"raft\" asks the side provider",
    ),
    (
        "signed-by = [\"heron\", \"beaver\"]",
        "signed-by = [\"heron\", \"ferrywoman\"]",
        "asks \"ferrywoman\", whose side takes no part there",
    ),
    ("signed-by = [\"heron\", \"beaver\"]", "signed-by = []", "criteria says nothing under `roles`"),
    ("prerequisites = \"ferrywoman\"", "prerequisites = \"ferryman\"", "the role \"ferryman\""),
    ("closes = \"weigh the cargo\"", "closes = \"\"", "criteria says nothing under `closes`"),
    ("parts = [\"letter-written\", \"pond-known\"]", "parts = [\"letter-read\"]", "the criterion \"letter-read\""),
    ("roles = [\"heron\", \"ferry-pilot\"]", "roles = [\"heron\", \"heron\"]", "the role \"heron\" twice"),
    (
        "stages = [\"cross\", \"land\"]\nroles",
        "stages = [\"cross\", \"load\"]\nroles",
        "the stage \"load\" in two rows",
    ),
    ("week = 2", "week = 3", "week 3 of the stage \"load\" comes after its end"),
    ("week = 2", "week = 1", "week 1 of the stage \"load\" is there twice"),
    ("provider = [\"Close the hold\"]", "provider = []", "weeks says nothing under `provider`"),
    ("deliverables = [\"list-of-baskets\"]", "deliverables = [\"logbook\"]", "which is due in another stage"),
    ("workstream = \"Cargo\"", "workstream = \"Freight\"", "the workstream \"Freight\""),
    ("check = \"quota-checked\"", "check = \"quota\"", "the check \"quota\""),
    (
        "stages = [\"moor\"]\nworkstream",
        "stages = [\"load\"]\nworkstream",
        "\"sound-the-depth\" belongs to 0 stages of the type \"raft\"",
    ),
    ("stages = [\"moor\"]\nworkstream", "stages = [\"cross\"]\nworkstream", "is met by something of a later stage"),
    (
        "sides = [\"organisation\"]\nis-optional",
        "sides = [\"supplier\"]\nis-optional",
        "is of the side supplier, which takes no part",
    ),
    ("sides = [\"organisation\"]\nis-optional", "sides = []\nis-optional", "nobody answers for the task \"flags\""),
    (
        "sides = [\"provider\", \"organisation\"]\n\n[[resp",
        "sides = [\"provider\"]\n\n[[resp",
        "the matrix gives \"weigh\" to other sides",
    ),
    ("task = \"tar-the-hull\"\nsides", "task = \"weigh\"\nsides", "the matrix names the task \"weigh\" twice"),
    (
        "accepted-by = [\"heron\", \"owl\"]",
        "accepted-by = [\"ferrywoman\"]",
        "nobody of another side can accept \"list-of-baskets\"",
    ),
    ("document = \"lessons\"", "document = \"songs\"", "the document \"songs\""),
    ("document = \"lessons\"", "package = \"crate\"", "the package \"crate\""),
    ("criterion = \"pond-known\" }", "criterion = \"letter-written\" }", "are both the criterion \"letter-written\""),
    ("criterion = \"pond-known\" }", "criterion = \"lake-known\" }", "the criterion \"lake-known\""),
    ("lines = [\"nest\", \"fish\"]", "lines = [\"fish\", \"fish\"]", "says \"fish\" twice"),
    ("from = \"2022-07-01\"", "from = \"2020-01-01\"", "the prices of \"basket\" are not in the order"),
    ("above = 3 }", "is = [\"3\"] }", "never holds \"3\""),
    ("is = [\"none\", \"breeze\"]", "above = 2", "counts, but the field holds no number"),
    ("needs-evidence = true", "is-for-vips = true\ntypes = [\"raft\"]", "is for VIPs, but none of its types has any"),
    ("day = \"2024-05-20\"", "day = \"2024-05-19\"", "2024-05-19 is no working day anyway"),
    ("title = \"nest\"", "title = \"egg\"", "the check \"egg\" is no line of the list \"pilot-checks\""),
    ("title = \"nest\"", "title = \"fish\"", "\"fish\" is checked twice"),
    ("[\"nest\", \"fish\"]", "[\"nest\", \"fish\", \"reed\"]", "nobody is said to answer \"reed\""),
    ("after = \"switch\"", "after = \"landing\"", "unknown variant `landing`"),
    ("answered-by = [\"beaver\"]", "answered-by = [\"otter\"]", "the role \"otter\""),
    (
        "answered-by = [\"beaver\"]",
        "answered-by = [\"ferrywoman\"]",
        "nobody who takes part in the type \"raft\" answers for \"own-fish\"",
    ),
    (
        "criteria = [\"route-decided\", \"ropes-kept\"]\npassed-by = [\"ferrywoman\", \"owl\"]",
        "criteria = [\"route-decided\", \"ropes-kept\"]\npassed-by = [\"ferrywoman\"]",
        "whoever decides on \"quota-checked\" stands on the side that passes the gate \"casting-off\" of the type \"mixed\"",
    ),
    ("id = \"pilot-share\"", "id = \"pilot-swim\"", "the decision \"pilot-swim\""),
    ("decided-by = [\"heron\"]", "decided-by = []", "decisions says nothing under `decided-by`"),
];

#[test]
fn every_kind_of_mistake_is_told() {
    let mut untold = Vec::new();
    for (from, to, expected) in MISTAKES {
        let mistakes = mistakes(from, to);
        let text = mistakes.to_string();
        if !text.contains(expected) {
            untold.push(format!("{from:?} -> {to:?}\nexpected {expected}\ntold {text}\n"));
        }
        for mistake in &mistakes.0 {
            assert!(!mistake.advice.is_empty() && (mistake.file.is_none() || mistake.line > 0), "{mistake:?}");
        }
    }
    assert!(untold.is_empty(), "{}", untold.join("\n"));
}

#[test]
fn constants_that_are_needed_are_asked_for() {
    for (name, unit) in programme::NEEDED {
        let head = format!("[constants.{name}]");
        let text = mistakes(&head, &format!("[constants.own-{name}]")).to_string();
        assert!(text.contains(&format!("the constant `{name}` is missing")), "{text}");
        assert!(text.contains(&format!("add {head} with value, unit = \"{unit}\"")), "{text}");
    }
    let text = mistakes("unit = \"people\"", "unit = \"fish\"").to_string();
    assert!(text.contains("has the unknown unit \"fish\"") && text.contains("constants.toml, line "), "{text}");
    let text = mistakes("value = 20\nunit = \"percent\"", "value = 5\nunit = \"percent\"").to_string();
    assert!(text.contains("the constant `pilot-share-least` is more than the `-most` beside it"), "{text}");
}

#[test]
fn a_mistake_is_told_at_its_line() {
    let (_, tracks, rows) = (FILES[0].0, FILES[0].1, FILES[1].1);
    for (file, text, from, to, at) in [
        ("tracks.toml", tracks, "passed-by = [\"owl\"]", "passed-by = [\"owls\"]", "passed-by = [\"owl\"]"),
        ("tracks.toml", tracks, "is-editable = true", "is-edible = true", "is-editable = true"),
        ("tracks.toml", tracks, "closes = \"ask them\"\n", "", "[[criteria]]\nid = \"go-said\""),
        ("rows.toml", rows, "role = \"heron\"\n", "role = \"crane\"\n", "role = \"heron\"\n"),
        ("rows.toml", rows, "from = \"2022-07-01\"", "from = \"2019-01-01\"", "from = \"2022-07-01\""),
        ("rows.toml", rows, "day = \"2024-05-20\"", "day = \"2024-02-29\"", "day = \"2024-05-20\""),
        (
            "rows.toml",
            rows,
            "criterion = \"logbook-accepted\" }]",
            "criterion = \"log\" }]",
            "criterion = \"logbook-accepted\" }]",
        ),
    ] {
        let mistakes = mistakes(from, to);
        let first = &mistakes.0[0];
        assert_eq!((first.file.as_deref(), first.line), (Some(file), line_of(text, at)), "{mistakes}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let broken =
        "[[roles]]\nid = 3\n\n[[roles]]\nid = \"a\"\ntitle = \"A\"\nside = \"none\"\n\n[[stage]]\nid = \"b\"\n";
    let mistakes = Programme::read(&[Source { file: "broken.toml", text: broken }], None).unwrap_err();
    let lines: Vec<usize> = mistakes.0.iter().map(|mistake| mistake.line).collect();
    assert_eq!(lines, [2, 7, 9], "{mistakes}");
    let mistakes = Programme::read(&[Source { file: "x.toml", text: "[[roles]\n" }], None).unwrap_err();
    assert_eq!((mistakes.0.len(), mistakes.0[0].line), (1, 1), "{mistakes}");
    let mistakes = Programme::read(&[], None).unwrap_err();
    assert_eq!(mistakes.0.len(), programme::NEEDED.len(), "{mistakes}");
}

#[test]
fn an_edition_adds_nothing() {
    let sources = FILES.map(|(file, text)| Source { file, text });
    for (from, to, expected) in [
        ("[constants.people-a-week]", "[constants.fish-a-week]", "changes the constant `fish-a-week`"),
        ("id = \"fog\"", "id = \"mist\"", "changes the row \"mist\" of lessons"),
        (
            "[[lessons]]",
            "[[holidays]]\nday = \"2024-01-01\"\ntitle = \"X\"\n\n[[lessons]]",
            "rows of holidays have no id",
        ),
        ("stages = [\"cross\"]", "stages = [\"swim\"]", "edition.toml, line 13: lessons names the stage \"swim\""),
    ] {
        assert!(EDITION.1.contains(from), "{from}");
        let text = EDITION.1.replacen(from, to, 1);
        let mistakes = Programme::read(&sources, Some(Source { file: EDITION.0, text: &text })).unwrap_err();
        assert!(mistakes.to_string().contains(expected), "{mistakes}");
        assert_eq!(mistakes.0[0].file.as_deref(), Some(EDITION.0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_cut_out_is_read_or_refused(file in 0_usize..3, from in 0.0_f64..1.0, share in 0.0_f64..0.2) {
        let (_, text) = FILES[file];
        let letters: Vec<char> = text.chars().collect();
        let start = (letters.len() as f64 * from) as usize;
        let end = (start + (letters.len() as f64 * share) as usize).min(letters.len());
        let cut: String = letters[..start].iter().chain(&letters[end..]).collect();
        let texts = FILES.map(|(name, text)| if name == FILES[file].0 { cut.clone() } else { text.to_owned() });
        let sources: Vec<Source<'_>> =
            FILES.iter().zip(&texts).map(|((file, _), text)| Source { file, text }).collect();
        if let Err(mistakes) = Programme::read(&sources, None) {
            for mistake in &mistakes.0 {
                let named = sources.iter().find(|source| Some(source.file) == mistake.file.as_deref());
                let lines = named.map_or(0, |source| source.text.lines().count() + 1);
                prop_assert!(mistake.line <= lines, "{mistake}");
            }
        }
    }
}
