//! The published schema of `whimbrel.toml` is what the types say, key by key. `cargo xtask schema` writes it anew.
#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

use std::path::Path;

/// The published schema, from the crate's folder.
const FILE: &str = "../../docs/whimbrel.schema.json";

#[test]
fn the_published_schema_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let now = serde_json::to_string_pretty(&service::schema()).unwrap() + "\n";
    if std::env::var_os("WHIMBREL_WRITE_SCHEMA").is_some() {
        std::fs::write(&path, now).unwrap();
        return;
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == now, "docs/whimbrel.schema.json is not what the types say: run cargo xtask schema");
}
