//! Running other programs.

use std::path::Path;
use std::process::{Command, Output};

use crate::check::Outcome;

/// Variables that cargo sets for what it runs. A build script that looks at one of them (ring's does) would run again, and
/// everything above it be built again, whenever cargo is called from here and then by hand.
const SET_BY_CARGO: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];

/// Cargo, as if called by hand from the root.
pub(crate) fn cargo_command(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| SET_BY_CARGO.into_iter().any(|beginning| name.starts_with(beginning))) {
            command.env_remove(name);
        }
    }
    command
}

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
    let output = cargo_command(root, arguments).output();
    output.map_err(|error| vec![format!("cargo {} can't be run: {error}", arguments.join(" "))])
}
