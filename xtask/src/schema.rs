//! The published JSON Schema of `whimbrel.toml`. The types of the configuration make it; a test of the service compares
//! it with the file, and writes the file when told to.

use std::path::Path;

use crate::check::Outcome;
use crate::run::cargo_command;

/// Where the schema is published.
const FILE: &str = "docs/whimbrel.schema.json";

/// The test that compares, as cargo's arguments.
const TEST: [&str; 8] = ["test", "-q", "-p", "service", "--locked", "--test", "all", "schema"];

/// Writes the file anew.
pub(crate) fn write(root: &Path) -> Outcome {
    match cargo_command(root, &TEST).env("WHIMBREL_WRITE_SCHEMA", "1").output() {
        Ok(output) if output.status.success() => Ok(format!("wrote {FILE}")),
        Ok(output) => Err(vec![String::from_utf8_lossy(&output.stderr).into_owned()]),
        Err(error) => Err(vec![format!("cargo can't be run: {error}")]),
    }
}
