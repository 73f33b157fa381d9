//! The project's own checks, in one command: `cargo xtask check`.
//!
//! Rules that matter are kept by a program, not by memory. Each lives in a file of its own: [`check`] runs them in order,
//! [`licences`] (with [`spdx`]) says what may be linked, [`tidy`] looks at the files themselves, [`schema`] writes
//! the published schema, which a test of the service compares with the types of the configuration. [`package`] makes what is installed. Nothing here is in the
//! product.

mod check;
mod files;
mod licences;
mod package;
mod run;
mod schema;
mod spdx;
mod tidy;

use std::io::Write;
use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  check    format, lints, licences and tidiness; one line each
  schema   write docs/whimbrel.schema.json anew from the types of the configuration
  package  a Debian package of the program, with its systemd units, in target/package; --binary FILE (one that is built already),
           --to DIR
  soak     an hour of changes on real servers, and whether memory or descriptors grow; --minutes 60, --rate 5 (changes a
           second), --messages 200, --additions (nothing is moved or removed)
";

/// What the arguments ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Check,
    Schema,
    Package,
    Soak,
}

impl Command {
    fn of<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut arguments = arguments.into_iter();
        let command = match arguments.next()? {
            "check" => Self::Check,
            "schema" => Self::Schema,
            // These read their arguments themselves.
            "soak" => return Some(Self::Soak),
            "package" => return Some(Self::Package),
            _ => return None,
        };
        arguments.next().is_none().then_some(command)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(command) = Command::of(arguments.iter().map(String::as_str)) else {
        let _ = std::io::stderr().write_all(USAGE.as_bytes());
        return ExitCode::from(2);
    };
    let root = files::root();
    let is_well = match command {
        Command::Check => check::check(&root, &mut std::io::stdout()),
        Command::Schema => check::report(&mut std::io::stdout(), "schema", schema::write(&root)),
        Command::Package => {
            let packaged = package::package(&root, &arguments[1..]);
            check::report(&mut std::io::stdout(), "package", packaged)
        }
        Command::Soak => soak(&root, &arguments[1..]),
    };
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Builds the soak, which needs far more than this program does, and runs it.
fn soak(root: &std::path::Path, arguments: &[String]) -> bool {
    let mut command = run::cargo_command(root, &["run", "-q", "--release", "-p", "journeys", "--bin", "soak", "--"]);
    command.args(arguments).status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_commands_alone_are_taken() {
        assert_eq!(Command::of(["check"]), Some(Command::Check));
        assert_eq!(Command::of(["schema"]), Some(Command::Schema));
        assert_eq!(Command::of(["soak", "--minutes", "5"]), Some(Command::Soak));
        assert_eq!(Command::of(["package", "--to", "x"]), Some(Command::Package));
        for wrong in [&[][..], &["chek"], &["check", "more"], &["--help"]] {
            assert_eq!(Command::of(wrong.iter().copied()), None, "{wrong:?}");
        }
    }
}
