//! The published schema of `whimbrel.toml` is what the types say, key by key (`cargo xtask schema` writes it anew), and the
//! README shows a whole file that the types take and that names every key of the schema.
#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use service::Config;

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The first block of TOML in the README.
fn the_readmes_file() -> String {
    let readme = std::fs::read_to_string(in_repository("README.md")).unwrap();
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// The names of all keys that a schema tells of, at any depth.
fn keys(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                found.extend(properties.keys().cloned());
            }
            if let Some(Value::Array(required)) = object.get("required") {
                let once: BTreeSet<&str> = required.iter().filter_map(Value::as_str).collect();
                assert_eq!(once.len(), required.len(), "{required:?}: each key once, says JSON Schema");
            }
            object.values().for_each(|value| keys(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

#[test]
fn the_published_schema_is_up_to_date() {
    let path = in_repository("docs/whimbrel.schema.json");
    let now = serde_json::to_string_pretty(&service::schema()).unwrap() + "\n";
    if std::env::var_os("WHIMBREL_WRITE_SCHEMA").is_some() {
        std::fs::write(&path, now).unwrap();
        return;
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == now, "docs/whimbrel.schema.json is not what the types say: run cargo xtask schema");
}

#[test]
fn the_readmes_file_is_taken_and_names_every_key() {
    let text = the_readmes_file();
    Config::parse(&text, Path::new("/nonexistent")).unwrap();
    let mut named = BTreeSet::new();
    keys(&service::schema(), &mut named);
    // Settings of the policy have pages of their own, made from the same types.
    let text = text + &std::fs::read_to_string(in_repository("docs/profiles/plain.md")).unwrap();
    // So has the people's plane.
    let page = std::fs::read_to_string(in_repository("docs/people.md")).unwrap();
    let file = page.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    Config::parse(file, Path::new("/nonexistent")).unwrap();
    // And so has what is sent.
    let text = text + &page + &std::fs::read_to_string(in_repository("docs/operations.md")).unwrap();
    let text = text + &std::fs::read_to_string(in_repository("docs/service.md")).unwrap();
    // And the switch and its end, whose files are parts of one.
    let mut text = text;
    for page in ["docs/switch.md", "docs/mx.md", "docs/programme.md"] {
        let page = std::fs::read_to_string(in_repository(page)).unwrap();
        let file = page.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let whole = format!(
            "version = 1\norganisation = {{ name = \"A\", code = \"RX1\" }}\nsource = {{ mail = \"local\" }}\n\
         target = {{ mail = \"national\" }}\nendpoints.local = {{ kind = \"imap\", host = \"a\", login = {{ user = \"m\", password = {{ file = \"p\" }}, \
         impersonate = \"master:*\" }} }}\n\
         endpoints.national = {{ kind = \"imap\", host = \"b\" }}\n{file}"
        );
        Config::parse(&whole, Path::new("/nonexistent")).unwrap();
        text += &page;
    }
    let words: BTreeSet<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let missing: Vec<&String> = named.iter().filter(|key| !words.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "neither the README's file nor a page names {missing:?}");
    assert!(named.contains("impersonate") && named.contains("spool_bytes_max"), "the walk found the keys: {named:?}");
}
