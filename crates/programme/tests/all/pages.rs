//! The page of `docs/profiles` is what the programme says.

use std::path::Path;

use programme::{Programme, page, page_of};

use crate::heron::heron;

#[test]
fn the_page_is_what_the_programme_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/profiles/nhsmail-programme.md");
    let expected = page("nhsmail").unwrap().unwrap();
    if std::env::var_os("WHIMBREL_WRITE_PAGES").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == expected,
        "docs/profiles/nhsmail-programme.md is old: run this test with WHIMBREL_WRITE_PAGES=1"
    );
    assert!(page("plain").is_none() && page("none").is_none());
}

/// Every text of a programme that a person should find on its page.
fn texts(programme: &Programme) -> Vec<String> {
    let value = serde_json::to_value(programme).unwrap();
    let mut texts = Vec::new();
    let mut open = vec![&value];
    while let Some(value) = open.pop() {
        match value {
            serde_json::Value::Array(values) => open.extend(values),
            serde_json::Value::Object(fields) => {
                for key in ["title", "text", "why", "about", "closes"] {
                    texts.extend(fields.get(key).and_then(|text| text.as_str()).map(str::to_owned));
                }
                for key in ["organisation", "provider", "lines", "objectives", "items"] {
                    let list = fields.get(key).and_then(|list| list.as_array()).into_iter().flatten();
                    texts.extend(list.filter_map(|text| text.as_str()).map(str::to_owned));
                }
                open.extend(fields.values());
            }
            _ => {}
        }
    }
    texts
}

#[test]
fn every_text_of_a_programme_is_on_its_page() {
    for programme in [heron(), Programme::shipped("nhsmail", "current").unwrap().unwrap()] {
        let page = page_of("some", &[("current", programme.clone())]);
        let texts = texts(&programme);
        assert!(texts.len() > 50, "{}", texts.len());
        for text in texts {
            assert!(page.contains(&text.replace('|', "\\|")), "{text}");
        }
        for line in page.lines().filter(|line| line.starts_with('|')) {
            assert!(line.ends_with('|') && !line.contains("||"), "{line}");
        }
    }
}

#[test]
fn numbers_that_differ_between_editions_are_both_told() {
    let page = page("nhsmail").unwrap().unwrap();
    assert!(page.contains("| 2017 / current |"));
    assert!(page.contains("| bytes | 20,971,520 / 36,700,160 |"), "the limit of attachments (A-08)");
    assert!(page.contains("| months | 12 / 9 |"), "old addresses (A-07)");
    assert!(page.contains("| people | 5,000 |"));
}
