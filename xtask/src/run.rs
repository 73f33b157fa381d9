//! Running other programs.

use std::path::Path;
use std::process::{Command, Output};

use crate::check::Outcome;

/// Cargo with these arguments: well when it ends well. `advice` says what to do when not.
pub(crate) fn cargo(root: &Path, arguments: &[&str], advice: &str) -> Outcome {
    let output = cargo_output(root, arguments)?;
    if output.status.success() {
        return Ok(format!("cargo {}", arguments.join(" ")));
    }
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
    let said = said.join("\n");
    Err(vec![format!("cargo {}\n{}\nwhat to do: {advice}", arguments.join(" "), said.trim())])
}

/// What cargo says to these arguments, well or not.
pub(crate) fn cargo_output(root: &Path, arguments: &[&str]) -> Result<Output, Vec<String>> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program).args(arguments).current_dir(root).output();
    output.map_err(|error| vec![format!("cargo {} can't be run: {error}", arguments.join(" "))])
}
